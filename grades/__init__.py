"""Differentiability in the types: how smooth a function is in each of its parameters, and whether a branch matters.

Comes in: IR as lowered, before any pass. Goes out: a `Report` that says of each function how smooth its result is in
each root (a float of a parameter), why, and what of that was promised or demanded and does not hold.

    lattice.py   the grades: order, join, composition
    values.py    what is known of a value: its grade in each root, its term, where the grade comes from
    walk.py      the abstract interpreter: statements, calls, branches
    rules.py     primitives
    loops.py     maps, folds and loops, by fixpoint
    derived.py   derivatives and rules of the program's own
    terms.py, facts.py, prove.py        formulas, what is known of them, the proof across a branch
    polynomials.py, normal.py, rewriting.py, functions.py, series.py, loci.py      its algebra
    effort.py    how much work all that may take
    intervals.py, parts.py, text.py     bounds of formulas; normal forms as text
    reals.py, jets.py, operations.py, matrices.py, evaluate.py   programs run in high precision, as Taylor series
    lines.py, compare.py, refute.py     a witness that a branch is missed
    report.py    what is found out
    messages.py  how it is said
"""
