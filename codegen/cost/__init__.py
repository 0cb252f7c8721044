"""What a program costs: formulas of its sizes, and the interpreter that counts.

    values.py    what is known of a value before the program runs: sizes and whole numbers, as formulas
    transfer.py  the same of the result of a primitive
    analysis.py  from IR to formulas of flops and bytes
    counted.py   the interpreter that counts both while it runs
    advice.py    operators that would be cheaper

Both count the program after all passes that back ends share, before it is vectorised.
"""
