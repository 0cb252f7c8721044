"""Lowered programs run on doubles, numbers of 50 digits and jets, with an eye on every decision that they take."""
