"""Functions of real numbers as machine code, for one number and for vectors of them: the same bits from both."""
