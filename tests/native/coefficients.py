"""Derives the constants of the kernels: `python -m dad.tests.native.coefficients` prints the module that holds them.

Each polynomial is the interpolant of its function at the Chebyshev nodes of its interval, computed in 60 digits and
rounded to doubles; the comment states the interval and the greatest error found in it, relative to the function that
the kernel makes of the polynomial.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath as mp

DIGITS = 60
LONG = 400
HEAD = '''"""Constants of the kernels, derived by tests/native/coefficients.py."""

from __future__ import annotations
'''


def fit(f: Callable[[Any], Any], low: Any, high: Any, terms: int) -> list[Any]:
    """Coefficients, constant first, of the polynomial through f at Chebyshev nodes."""
    middle, half = (mp.mpf(low) + high) / 2, (mp.mpf(high) - low) / 2
    nodes = [mp.cos(mp.pi * (2 * k + 1) / (2 * terms)) for k in range(terms)]
    values = [f(middle + half * t) for t in nodes]
    chebyshev = [2 * mp.fsum(v * mp.cos(j * mp.pi * (2 * k + 1) / (2 * terms)) for k, v in enumerate(values)) / terms
                 for j in range(terms)]
    chebyshev[0] /= 2
    # Clenshaw's recurrence on polynomials in x
    line = [-middle / half, 1 / half]
    b1: list[Any] = [mp.mpf(0)]
    b2: list[Any] = [mp.mpf(0)]
    for c in reversed(chebyshev[1:]):
        b1, b2 = added(added(scaled(times(line, b1), 2), scaled(b2, -1)), [c]), b1
    return added(added(times(line, b1), scaled(b2, -1)), [chebyshev[0]])[:terms]


def added(p: list[Any], q: list[Any]) -> list[Any]:
    size = max(len(p), len(q))
    return [(p[k] if k < len(p) else 0) + (q[k] if k < len(q) else 0) for k in range(size)]


def scaled(p: list[Any], by: Any) -> list[Any]:
    return [by * x for x in p]


def times(p: list[Any], q: list[Any]) -> list[Any]:
    out = [mp.mpf(0)] * (len(p) + len(q) - 1)
    for i, x in enumerate(p):
        for j, y in enumerate(q):
            out[i + j] += x * y
    return out


def error(f: Callable[[Any], Any], coefficients: list[float], low: Any, high: Any, weight: Callable[[Any], Any]) -> Any:
    worst = mp.mpf(0)
    for k in range(101):
        x = mp.mpf(low) + (mp.mpf(high) - low) * k / 100
        if weight(x) == 0 or x == 0:
            continue
        worst = max(worst, abs((value(coefficients, x) - f(x)) * weight(x)))
    return worst


def value(coefficients: list[float], x: Any) -> Any:
    total = mp.mpf(0)
    for c in reversed(coefficients):
        total = total * x + c
    return total


def parts(x: Any, bits: list[int]) -> list[float]:
    """`x` as a sum of doubles, of which each but the last has this many bits."""
    out = []
    for n in bits:
        scale = mp.mpf(2) ** (n - 1 - int(mp.floor(mp.log(abs(x), 2))))
        part = mp.floor(x * scale) / scale
        out.append(float(part))
        x -= part
    return [*out, float(x)]


def rooted(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of z = x**2, from one of x."""
    return lambda z: f(mp.sqrt(z))


def log_rest(s: Any) -> Any:
    return (2 * mp.atanh(s) - 2 * s) / s ** 3


def erfc_scaled(t: Any) -> Any:
    """(1 + 2 x) exp(x**2) erfc x of t = (x - 3.75) / (x + 3.75)."""
    x = mp.mpf("3.75") * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def quantile_over(t: Any) -> Any:
    """y / r of t = (r - 8) / (r + 8), where a normal number is above y with probability exp (-r**2 / 2)."""
    r = 8 * (1 + t) / (1 - t)
    y = mp.sqrt(max(r * r - 2 * mp.log(r * mp.mpf("2.5")), mp.mpf("0.3")))
    step = y
    while abs(step) > mp.mpf("1e-30") * y:
        q = mp.erfc(y / mp.sqrt(2)) / 2
        step = (mp.log(q) + r * r / 2) / (mp.npdf(y) / q)
        y += step
    return y / r


def mills_excess(t: Any) -> Any:
    """(y + 1) times what the inverse of Mills' ratio at -y is more than y, of t = (y - 3) / (y + 3)."""
    y = 3 * (1 + t) / (1 - t)
    return (y + 1) * (2 * mp.npdf(y) / mp.erfc(y / mp.sqrt(2)) - y)


def bessel_far(order: int, t: Any) -> Any:
    """sqrt x exp (-x) times the modified Bessel function at x = 10 / t."""
    x = 10 / t
    return mp.sqrt(x) * mp.exp(-x) * mp.besseli(order, x)


@cache
def digamma_root() -> Any:
    return mp.findroot(mp.digamma, mp.mpf("1.46"))


def tables() -> list[tuple[str, Callable[[Any], Any], Any, Any, int, Callable[[Any], Any], str]]:
    """Name, function, interval, terms, weight of the error, what it says."""
    ln2 = mp.log(2)
    small = (ln2 / 2 * mp.mpf("1.001"))
    s = (mp.sqrt(2) - 1) / (mp.sqrt(2) + 1) * mp.mpf("1.001")
    quarter = mp.pi / 4 * mp.mpf("1.001")
    t = mp.tan(mp.pi / 8) * mp.mpf("1.001")
    tiny = mp.mpf("1e-12")
    return [
        ("EXP", lambda x: (mp.exp(x) - 1 - x) / x ** 2, -small, small, 10, lambda x: x ** 2, "(exp x - 1 - x) / x**2"),
        ("EXP2", lambda x: (mp.mpf(2) ** x - 1) / x, -0.5005, 0.5005, 12, lambda x: x, "(2**x - 1) / x"),
        ("SINH", rooted(lambda x: (mp.sinh(x) - x) / x ** 3), tiny, small ** 2, 6, lambda z: z,
         "(sinh x - x) / x**3, in x**2"),
        ("COSH", rooted(lambda x: (mp.cosh(x) - 1) / x ** 2), tiny, small ** 2, 7, lambda z: z,
         "(cosh x - 1) / x**2, in x**2"),
        ("LOG", rooted(log_rest), tiny, s ** 2, 7, lambda z: z / 2, "(2 atanh s - 2 s) / s**3, in s**2"),
        ("LOG_LONG", rooted(lambda x: (log_rest(x) - mp.mpf(2) / 3) / x ** 2), tiny, s ** 2, 9, lambda z: z * z / 2,
         "(2 atanh s - 2 s - 2/3 s**3) / s**5, in s**2"),
        ("SIN", rooted(lambda x: (mp.sin(x) - x) / x ** 3), tiny, quarter ** 2, 6, lambda z: z,
         "(sin x - x) / x**3, in x**2"),
        ("COS", rooted(lambda x: (mp.cos(x) - 1 + x * x / 2) / x ** 4), tiny, quarter ** 2, 6, lambda z: z * z,
         "(cos x - 1 + x**2 / 2) / x**4, in x**2"),
        ("ATAN", rooted(lambda x: (mp.atan(x) - x) / x ** 3), tiny, t ** 2, 12, lambda z: z,
         "(atan x - x) / x**3, in x**2"),
        ("ASIN", rooted(lambda x: (mp.asin(x) - x) / x ** 3), tiny, mp.mpf("0.2501"), 13, lambda z: z,
         "(asin x - x) / x**3, in x**2"),
        ("ERF", rooted(lambda x: mp.erf(x) / x - 1), tiny, mp.mpf("0.77"), 12, lambda z: 1,
         "erf x / x - 1, in x**2"),
        ("ERFC", lambda t: (erfc_scaled(t) - erfc_scaled(mp.mpf(0))) / t, -1, mp.mpf("0.76"), 25, lambda t: t,
         "(F(t) - F(0)) / t, F(t) = (1 + 2 x) exp(x**2) erfc x, t = (x - 3.75) / (x + 3.75)"),
        ("LGAMMA", lambda d: mp.loggamma(2 + d) / d if d else mp.digamma(2), -0.5, 0.5, 20, lambda d: 2,
         "lgamma (2 + d) / d"),
        ("LGAMMA_FAR", rooted(lambda u: (mp.loggamma(1 / u) - (1 / u - 0.5) * mp.log(1 / u) + 1 / u
                                         - mp.log(2 * mp.pi) / 2) / u), mp.mpf("1e-6"), mp.mpf("0.01563"), 7,
         lambda z: mp.mpf(1) / 64, "what Stirling's formula lacks, times x, in 1 / x**2"),
        ("DIGAMMA", lambda d: mp.digamma(1.5 + d) / (1.5 + d - digamma_root()), -0.5, 0.5, 26, lambda d: 1,
         "digamma (1.5 + d) / (1.5 + d - root)"),
        ("DIGAMMA_FAR", rooted(lambda u: (mp.log(1 / u) - u / 2 - mp.digamma(1 / u)) / u ** 2), mp.mpf("1e-6"),
         mp.mpf("0.01563"), 8, lambda z: z, "(log x - 1 / (2 x) - digamma x) x**2, in 1 / x**2"),
        ("GAMMA", lambda d: mp.gamma(2 + d), -0.5, 0.5, 20, lambda d: 1, "gamma (2 + d)"),
        ("ERF_INVERSE", rooted(lambda x: mp.erfinv(x) / x - mp.sqrt(mp.pi) / 2), tiny, mp.mpf("0.2501"), 17,
         lambda z: 1, "erfinv x / x - sqrt pi / 2, in x**2"),
        ("QUANTILE", quantile_over, mp.mpf("-0.6564"), mp.mpf("0.6576"), 23, lambda t: 1 / quantile_over(t),
         "y / r, in (r - 8) / (r + 8), P(normal > y) = exp (-r**2 / 2)"),
        ("MILLS_EXCESS", mills_excess, mp.mpf("-0.7144"), mp.mpf("0.8622"), 27, lambda t: 1,
         "(y + 1) (inverse_mills (-y) - y), in (y - 3) / (y + 3)"),
        *[(f"BESSEL_{n}", lambda t, n=n: bessel_far(n, t), mp.mpf("1e-9"), mp.mpf("1.001"), 23, lambda t: mp.mpf("2.5"),
           f"sqrt x exp (-x) I{n}(x), in 10 / x") for n in (0, 1)],
        ("CBRT", lambda x: x ** (mp.mpf(1) / 3), 1, 8, 5, lambda x: x ** (-mp.mpf(1) / 3), "cbrt x"),
    ]


def numbers() -> list[tuple[str, float | list[float] | bytes]]:
    ln2, pi = mp.log(2), mp.pi
    whole = int(mp.floor(2 / pi * mp.mpf(2) ** 1168))
    return [
        ("LOG2_E", float(1 / ln2)),
        ("LOG2_E_PAIR", parts(1 / ln2, [53])),
        ("LOG10_E_PAIR", parts(1 / mp.log(10), [53])),
        ("LOG10_2", parts(mp.log10(2), [42])),
        ("LN2", parts(ln2, [42])),
        ("PI_2", parts(pi / 2, [35, 35])),
        ("PI_2_PAIR", parts(pi / 2, [53])),
        ("PI_4_PAIR", parts(pi / 4, [53])),
        ("PI_PAIR", parts(pi, [53])),
        ("TWO_OVER_PI", float(2 / pi)),
        ("ERFC_FIRST", parts(erfc_scaled(mp.mpf(0)), [53])),
        ("ROOT_HALF_PAIR", parts(mp.sqrt(mp.mpf(1) / 2), [53])),
        ("DIGAMMA_ROOT", parts(digamma_root(), [53])),
        ("TWO_THIRDS", parts(mp.mpf(2) / 3, [53])),
        ("ROOT_TWO_PAIR", parts(mp.sqrt(2), [53])),
        ("ROOT_PI_OVER_TWO_PAIR", parts(mp.sqrt(pi) / 2, [53])),
        ("ROOT_TWO_OVER_PI_PAIR", parts(mp.sqrt(2 / pi), [53])),
        ("ROOT_TWO_PI_PAIR", parts(mp.sqrt(2 * pi), [53])),
        ("OVER_ROOT_PI_PAIR", parts(1 / mp.sqrt(pi), [53])),
        ("OVER_ROOT_TWO_PI_PAIR", parts(1 / mp.sqrt(2 * pi), [53])),
        ("HALF_LOG_TWO_PI_PAIR", parts(mp.log(2 * pi) / 2, [53])),
        ("LOG_PI_PAIR", parts(mp.log(pi), [53])),
        ("TWO_OVER_PI_BITS", whole.to_bytes(146, "little") + bytes(48)),
    ]


def module() -> str:
    with mp.workdps(LONG):
        out = [HEAD]
        for name, value in numbers():
            if isinstance(value, bytes):
                text = value.hex()
                lines = "\n".join(f'    "{text[k:k + 100]}"' for k in range(0, len(text), 100))
                out.append(f"{name} = bytes.fromhex(\n{lines}\n)")
            else:
                out.append(f"{name} = {tuple(value) if isinstance(value, list) else value!r}")
    with mp.workdps(DIGITS):
        for name, f, low, high, terms, weight, what in tables():
            exact = fit(f, low, high, terms)
            found = [float(c) for c in exact]
            if name == "LGAMMA":
                out.append(f"LGAMMA_REST = {float(exact[0] - found[0])!r}")
            worst = error(f, found, low, high, weight)
            out.append(f"# {what}, from {mp.nstr(mp.mpf(low), 5)} to {mp.nstr(mp.mpf(high), 5)}; "
                       f"error 2**{mp.nstr(mp.log(worst, 2), 4)}")
            rows = "\n".join(f"    {c!r}," for c in found)
            out.append(f"{name} = (\n{rows}\n)")
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    print(module(), end="")
