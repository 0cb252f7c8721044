"""How exact every elementwise primitive and its first and second derivatives are, over all exponents of its arguments.

`python tests/derivatives/sweep.py [--points N] [--seed S] [--target interp] [NAME …]` prints, for each, the largest
errors of value, first and second derivatives found, in units in the last place of the true number, and where. The truth
is mpmath's: differences at hundreds of digits. A true number that is too large for the type must come out infinite, one
below the least normal number within some denormal units.

Points: ordinary ones from the record's sample, special ones, and numbers whose exponents are spread over all that a
float has. Where the slope is ill-defined by the float argument (a power's parity, say), nothing is asked.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import dad
import mpmath
import numpy as np
from dad.lang.core.primitive import PRIMITIVES, Primitive
from dad.tests.derivatives.test_primitives import SMOOTH, flat, program
from dad.tests.prims.test_partials import has_corner

EPSILON = 2.0**-52
HUGE = 1.7976931348623157e308
GAMMAS = ("gamma", "lgamma", "digamma")
SATURATED = ("erf", "erfc", "tanh", "sigmoid", "expm1", "softplus")  # near their limits what is left is below 1e-300


def points(p: Primitive, count: int, seed: int) -> list[tuple[float, ...]]:
    rng = np.random.default_rng([seed, *map(ord, p.name)])
    inside = [tuple(float(rng.uniform(low, high)) for low, high in p.sample) for _ in range(count)]
    wide = [tuple(scattered(rng, -1074, 1023) for _ in p.sample) for _ in range(count)]
    middle = [tuple(scattered(rng, -40, 40) for _ in p.sample) for _ in range(count)]
    mixed = [tuple(rng.choice([x, y]) for x, y in zip(a, b, strict=True)) for a, b in zip(inside, middle, strict=True)]
    small = [tuple(scattered(rng, -3, 10) for _ in p.sample) for _ in range(count)]
    return [tuple(map(float, point)) for point in (*inside, *wide, *middle, *mixed, *small, *p.special)]


def scattered(rng: Any, low: int, high: int) -> float:
    return float(rng.choice([-1.0, 1.0])) * math.ldexp(float(rng.uniform(1, 2)), int(rng.integers(low, high)))


@cache
def truth(name: str, point: tuple[float, ...]) -> tuple[Any, list[Any], list[Any]]:
    """Value, first and second derivatives (row by row); None for what is not a real number."""
    p = PRIMITIVES[name]
    n = len(point)
    sizes = [abs(math.log10(abs(x))) if x else 0 for x in point]
    gammas = name in GAMMAS
    base = 900 if name in SATURATED else 170
    digits = 60 + 2 * int(max(sizes)) if gammas else base + int(6 * max(sizes) + 2 * sum(sizes))
    with mpmath.workdps(digits):
        where = [mpmath.mpf(x) for x in point]
        if gammas:
            return _gammas(name, where[0])
        step = min([mpmath.mpf(1), *(abs(x) for x in where if x), *(1 / abs(x) for x in where if x)])
        step *= mpmath.mpf("1e-30")

        @cache
        def at(*moves: int) -> Any:
            try:
                value = p.mp(mpmath, *[x + m * step for x, m in zip(where, moves, strict=True)])  # type: ignore[misc]
            except (ZeroDivisionError, ValueError, OverflowError):
                return None
            return None if isinstance(value, mpmath.mpc) or not mpmath.isfinite(value) else value

        def unit(k: int, by: int = 1) -> list[int]:
            return [by * (j == k) for j in range(n)]

        def difference(terms: Sequence[tuple[int, Sequence[int]]], scale: Any) -> Any:
            values = [at(*moves) for _, moves in terms]
            if any(v is None for v in values):
                return None
            total = sum(sign * v for (sign, _), v in zip(terms, values, strict=True))
            noise = max(abs(v) for v in values) * mpmath.mpf(10) ** (10 - mpmath.mp.dps)
            return total / scale if abs(total) > noise else mpmath.mpf(0)

        first = [difference([(1, unit(k)), (-1, unit(k, -1))], 2 * step) for k in range(n)]
        second = []
        for j in range(n):
            for k in range(n):
                terms = [
                    (a * c, [x + y for x, y in zip(unit(j, a), unit(k, c), strict=True)])
                    for a in (1, -1)
                    for c in (1, -1)
                ]
                second.append(difference(terms, 4 * step * step))
        return at(*[0] * n), first, second


def _gammas(name: str, x: Any) -> tuple[Any, list[Any], list[Any]]:
    try:
        psi = [mpmath.psi(k, x) for k in range(3)]
        if name == "lgamma":
            return mpmath.re(mpmath.loggamma(x)), [psi[0]], [psi[1]]
        if name == "digamma":
            return psi[0], [psi[1]], [psi[2]]
        g = mpmath.gamma(x)
        return g, [g * psi[0]], [g * (psi[0] ** 2 + psi[1])]
    except (ZeroDivisionError, ValueError, OverflowError):
        return None, [None], [None]


def error(got: float, true: Any) -> float:
    """In units in the last place of the truth; inf for nan, or infinite where it should not be."""
    if math.isinf(got) and abs(true) > HUGE * (1 - 1e-12) and (got > 0) == (true > 0):
        return 0.0
    if not math.isfinite(got):
        return math.inf
    unit = max(float(abs(true)) * EPSILON if abs(true) < HUGE else HUGE * EPSILON, 5e-324)
    return float(abs(mpmath.mpf(got) - true) / unit)


def sweep(p: Primitive, count: int, seed: int, target: str) -> list[tuple[float, tuple[float, ...], float, Any, str]]:
    """The worst error of value, first and second derivatives: with the point, what came out, the truth and its name."""
    asked = [x for x in points(p, count, seed) if not unasked(p, x)]
    module = dad.compile(program(p), target=target)
    if target == "interp":
        found = np.array([flat(module.orders(*x)) for x in asked])
    else:
        found = np.array(flat(module.orders.vmap(*[np.array(c) for c in zip(*asked, strict=True)]))).T
    n = len(p.sample)
    worst = [(-1.0, asked[0], 0.0, None, "")] * 3
    for point, row in zip(asked, found, strict=True):
        value, first, second = truth(p.name, point)
        if value is None:
            continue
        wanted = [(0, "value", value)]
        wanted += [(1, f"{mode} d{k}", first[k]) for mode in ("reverse", "forward") for k in range(n)]
        wanted += [(2, f"{mode} d{j}{k}", second[j * n + k]) for mode in ("f-r", "r-f", "r-r", "f-f")
                   for j in range(n) for k in range(n)]
        for (order, what, true), got in zip(wanted, row, strict=True):
            if true is None:
                continue
            off = error(float(got), true)
            if off > worst[order][0]:
                worst[order] = (off, point, float(got), true, what)
    return worst


def unasked(p: Primitive, point: tuple[float, ...]) -> bool:
    """Where differences say nothing of the float function: kinks, ends of domains, powers of what is not positive."""
    if p.name == "pow":
        return point[0] <= 0
    if p.name in ("mod", "rem"):
        return point[1] == 0 or abs(point[0] / point[1]) > 2**50
    if p.name in GAMMAS and abs(point[0]) > 1e6:  # mpmath takes forever
        return True
    return has_corner(p, point) or (p.name == "cbrt" and point == (0.0,))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--points", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", default="numpy")
    options = parser.parse_args()
    for p in SMOOTH:
        if options.names and p.name not in options.names:
            continue
        for (off, point, got, true, what), title in zip(
            sweep(p, options.points, options.seed, options.target), ("value", "first", "second"), strict=True
        ):
            shown = "none" if true is None else mpmath.nstr(true, 17)
            print(f"{p.name:10} {title:7} {off:12.4g} ulp at {point} ({what}): {got!r}, should be {shown}", flush=True)


if __name__ == "__main__":
    main()
