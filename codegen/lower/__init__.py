"""Typed syntax to IR: monomorphise, defunctionalise, take records apart; calls between functions are kept.

    values.py       what an expression is while it is lowered: atoms, records of atoms, functions known at compile time
    frame.py        the function being written: builder, environment, sizes
    patterns.py     binding patterns and reading sizes off values
    expressions.py  one case to an expression
    functions.py    definitions and closures as values; specialisation, one IR function to a distinct use
    builtins.py     combinators and array functions, one rule to a name
    derivatives.py  differential operators
    memory.py       functions that are kept from one version of a program to the next
    program.py      `lower`: the whole program
"""
from .memory import Memory
from .program import KINDS, Kind, Lowered, Lowering, Transform, lower

__all__ = ["KINDS", "Kind", "Lowered", "Lowering", "Memory", "Transform", "lower"]
