"""Truncated Taylor series of one parameter, with coefficients that are doubles or numbers of 50 digits."""
