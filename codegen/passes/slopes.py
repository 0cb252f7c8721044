"""Tangents and cotangents times slopes, as both modes write it."""
from __future__ import annotations

from ...lang.core.build import Builder, is_const
from ...lang.core.ir import Atom, Const


def times(b: Builder, dx: Atom, slope: Atom, singular: bool, chooses: bool = False) -> Atom:
    """`dx * slope`, where a zero `dx` absorbs a slope that may be infinite, and a zero slope any `dx`, if `chooses`.

    let d = sqrt s in if d < eps then 0 else 1 / d: at s = 0 the cotangent of d is zero, since the arm that reads d is
    not taken, and so is that of s, though the slope of sqrt is infinite there. `scaled` is a primitive of its own, and
    not a `select`, because its derivative with respect to `dx` is the slope also where `dx` is zero.

    sqrt (max x 0): below zero `max` does not choose x, so the infinite slope of sqrt is nothing to it.
    """
    if chooses:
        dx, slope, singular = slope, dx, True
    if is_const(slope, -1):
        return b.neg(dx)
    if singular and not isinstance(slope, Const):
        return b.prim("scaled", dx, slope)
    return b.mul(dx, slope)
