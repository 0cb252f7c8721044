"""The prover of branches by itself: branches as people write them, with the grade that they have, and traps."""
from __future__ import annotations

import pytest
from dad.grades.prove import Verdict
from dad.tests.grades.formulas import PI, F, atom, both, either, graded, iff, op
from dad.tests.grades.soundness import Branch, Wild, violation

x, y, z, r, a, b, c, k, s, w = map(atom, "xyzrabcksw")
lam, delta, alpha, eps, mu = map(atom, ["lam", "delta", "alpha", "eps", "mu"])


def exp(v: F) -> F:
    return op("exp", v)


def log(v: F) -> F:
    return op("log", v)


def sqrt(v: F) -> F:
    return op("sqrt", v)


def abs_(v: F) -> F:
    return op("abs", v)


def sin(v: F) -> F:
    return op("sin", v)


def cos(v: F) -> F:
    return op("cos", v)


half = F(op("div", 1, 2).term)
h = (x - a) / (b - a)

# name: (grade, condition, then, else, *facts)
BRANCHES: dict[str, tuple[object, ...]] = {
    # losses
    "huber": ("C1", abs_(r) <= delta, r * r / 2, delta * (abs_(r) - delta / 2), delta > 0),
    "huber, delta not negative": ("C1", abs_(r) <= delta, r * r / 2, delta * (abs_(r) - delta / 2), delta >= 0),
    "huber by squares": ("C1", r * r <= delta * delta, r * r / 2, delta * (abs_(r) - delta / 2), delta > 0),
    "huber, one side wrong": ("jump", abs_(r) <= delta, r * r / 2, delta * (r - delta / 2), delta > 0),
    "huber without the half": ("jump", abs_(r) <= delta, r * r, delta * (abs_(r) - delta / 2), delta > 0),
    "huber scaled": ("C1", abs_(r / s) < delta, (r / s) ** 2 / 2, delta * abs_(r / s) - delta ** 2 / 2, delta > 0,
                     s > 0),
    "pseudo huber is no branch": ("smooth", x > 0, delta * delta * (sqrt(1 + (r / delta) ** 2) - 1),
                                  delta * sqrt(delta * delta + r * r) - delta * delta, delta > 0),
    "tukey": ("C2", abs_(r) <= c, c * c / 6 * (1 - (1 - (r / c) ** 2) ** 3), c * c / 6, c > 0),
    "tukey influence": ("C1", abs_(r) <= c, r * (1 - (r / c) ** 2) ** 2, 0, c > 0),
    "hampel outer": ("lip", abs_(r) <= b, a * (c - abs_(r)) / (c - b), a, a > 0, a < b, b < c),
    "hampel inner": ("lip", abs_(r) <= a, abs_(r), a, a > 0),
    "hinge squared": ("C1", x < 1, (1 - x) ** 2, 0),
    "hinge": ("lip", x < 1, 1 - x, 0),
    "smooth hinge": ("C1", x <= 0, half - x, iff(x < 1, (1 - x) ** 2 / 2, 0)),
    "log cosh switch": ("smooth", x > 0, x + op("log1p", exp(-2 * x)) - log(F(op("add", 2, 0).term)),
                        log((exp(x) + exp(-x)) / 2)),
    "pinball": ("lip", x >= 0, alpha * x, (alpha - 1) * x),
    "epsilon insensitive": ("lip", abs_(r) <= eps, 0, abs_(r) - eps, eps > 0),
    "geman switch": ("jump", abs_(r) < c, r * r, c, c > 0),
    "truncated quadratic": ("lip", abs_(r) < c, r * r, c * c, c > 0),
    # activations
    "relu": ("lip", x > 0, x, 0),
    "leaky": ("lip", x > 0, x, alpha * x),
    "elu": ("C1", x > 0, x, exp(x) - 1),
    "elu by expm1": ("C1", x >= 0, x, op("expm1", x)),
    "elu alpha": ("lip", x > 0, x, alpha * (exp(x) - 1)),
    "celu": ("C1", x > 0, x, alpha * (exp(x / alpha) - 1), alpha > 0),
    "selu": ("lip", x > 0, x * 1.0507, (exp(x) - 1) * 1.0507 * 1.67326),
    "softsign": ("C1", x > 0, x / (1 + x), x / (1 - x)),
    "squareplus is no branch": ("smooth", x > 0, (x + sqrt(x * x + 4)) / 2, 2 / (sqrt(x * x + 4) - x)),
    "hard sigmoid": ("lip", x < -3, 0, iff(x > 3, 1, x / 6 + half)),
    "hard swish": ("lip", x < -3, 0, iff(x > 3, x, x * (x + 3) / 6)),
    "squared relu": ("C1", x > 0, x * x, 0),
    "softplus cut": ("jump", x < 20, op("log1p", exp(x)), x),
    "softplus in two forms": ("smooth", x > 0, x + op("log1p", exp(-x)), op("log1p", exp(x))),
    "sigmoid in two forms": ("smooth", x >= 0, 1 / (1 + exp(-x)), exp(x) / (1 + exp(x))),
    "log sigmoid": ("smooth", x < 0, x - op("log1p", exp(x)), -op("log1p", exp(-x))),
    "log1mexp": ("smooth", x < 0.6931, log(-op("expm1", -x)), op("log1p", -exp(-x)), x > 0),
    "logsumexp of two": ("smooth", x > y, x + op("log1p", exp(y - x)), y + op("log1p", exp(x - y))),
    "tanh in two forms": ("smooth", x > 0, (1 - exp(-2 * x)) / (1 + exp(-2 * x)), op("tanh", x)),
    # thresholds, proximal maps
    "soft threshold": ("lip", x > lam, x - lam, iff(x < -lam, x + lam, 0), lam > 0),
    "soft threshold, lam >= 0": ("lip", x > lam, x - lam, iff(x < -lam, x + lam, 0), lam >= 0),
    "hard threshold": ("jump", abs_(x) > lam, x, 0, lam > 0),
    "firm threshold": ("lip", abs_(x) <= lam, 0, iff(abs_(x) <= mu, mu * (x - iff(x > 0, lam, -lam)) / (mu - lam), x),
                       lam > 0, mu > lam),
    "clamp below": ("lip", x < a, a, x),
    "clamp": ("lip", x < a, a, iff(x > b, b, x), a < b),
    "clamp by and": ("lip", both(x >= a, x <= b), x, iff(x < a, a, b), a < b),
    "box penalty": ("C1", both(x >= a, x <= b), 0, iff(x < a, (a - x) ** 2, (x - b) ** 2), a < b),
    "box penalty, loose": ("jump", both(x >= a, x <= b), 0, iff(x < a, (a - x) ** 2 + 1, (x - b) ** 2), a < b),
    "posfun": ("C1", x >= eps, x, eps / (2 - x / eps), eps > 0),
    "posfun of TMB": ("C2", x >= eps, x, eps / (1 + (1 - x / eps) + (1 - x / eps) ** 2) * 1, eps > 0),
    "max by if": ("lip", x > y, x, y),
    "max by if, tied": ("lip", x >= y, x, y),
    "max of squares": ("lip", x * x > y * y, x * x, y * y),
    "max of a and itself": ("smooth", x > y, x + y, y + x),
    "abs by if": ("lip", x < 0, -x, x),
    "x abs x": ("C1", x > 0, x * x, -(x * x)),
    "cube of abs": ("C2", x > 0, x ** 3, -(x ** 3)),
    "sign by if": ("jump", x > 0, 1, -1),
    "median of three": ("lip", both(x <= y, y <= z), y, iff(both(y <= x, x <= z), x, op("max", op("min", x, y), z))),
    # removable singularities and series near a point; on a thin set the derivative is that of the arm that is taken
    "sinc": ("C1", x.eq(0), 1, sin(x) / x),
    "sinc, the other way": ("C1", x.ne(0), sin(x) / x, 1),
    "sinc with a wrong limit": ("jump", x.eq(0), 0, sin(x) / x),
    "sinc near 0": ("jump", abs_(x) < 1e-4, 1 - x * x / 6, sin(x) / x),
    "sinc cut in a point": ("C1", x > 0, sin(x) / x, 1),
    "expm1 over x": ("lip", x.eq(0), 1, op("expm1", x) / x),
    "one minus cos": ("C1", x.eq(0), half, (1 - cos(x)) / (x * x)),
    "log1p over x": ("lip", x.eq(0), 1, op("log1p", x) / x, x > -1),
    "box cox": ("lip", lam.eq(0), log(x), (x ** lam - 1) / lam, x > 0),
    "box cox in lam alone": ("lip", lam.eq(0), log(x), (x ** lam - 1) / lam, x > 0),
    "logarithmic mean": ("lip", x.eq(y), x, (x - y) / (log(x) - log(y)), x > 0, y > 0),
    "x log x": ("cont", x.eq(0), 0, x * log(x), x >= 0),
    "one over x": ("jump", x.eq(0), 0, 1 / x),
    "bernoulli of Scharfetter": ("lip", x.eq(0), 1, x / (exp(x) - 1)),
    "coth minus 1/x": ("lip", x.eq(0), 0, op("cosh", x) / op("sinh", x) - 1 / x),
    "a point of two": ("jump", both(x.eq(0), y.eq(0)), 0, x * y / (x * x + y * y)),
    "a harmless point of two": ("lip", both(x.eq(0), y.eq(0)), 1, cos(x) * cos(y)),
    # splines
    "truncated power 1": ("lip", x > k, (x - k) * b, 0),
    "truncated power 2": ("C1", x > k, (x - k) ** 2 * b, 0),
    "truncated power 3": ("C2", x > k, (x - k) ** 3 * b, 0),
    "truncated power 5": ("C4", x > k, (x - k) ** 5 * b, 0),
    "truncated power 1.5": ("C1", x > k, (x - k) ** 1.5, 0),
    "truncated power 2.5": ("C2", x > k, (x - k) ** 2.5, 0),
    "truncated root": ("cont", x > k, sqrt(x - k), 0),
    "broken line": ("lip", x < k, a + b * x, a + b * k + c * (x - k)),
    "broken line, open": ("jump", x < k, a + b * x, c * x),
    "b-spline 3, inner knot": ("C2", x < 1, (4 - 6 * x ** 2 + 3 * x ** 3) / 6, (2 - x) ** 3 / 6),
    "b-spline 3, outer knot": ("C2", x < 2, (2 - x) ** 3 / 6, 0),
    "b-spline 2": ("C1", x < half, F(op("div", 3, 4).term) - x * x, (F(op("div", 3, 2).term) - x) ** 2 / 2),
    "hermite, slopes match": ("C1", x < k, a + b * (x - k) + c * (x - k) ** 2, a + b * (x - k) - c * (x - k) ** 2),
    "hermite, slopes differ": ("lip", x < k, a + b * (x - k), a + c * (x - k)),
    "cubic pieces with a common knot": ("C2", x < k, a + b * (x - k) + c * (x - k) ** 2 + w * (x - k) ** 3,
                                        a + b * (x - k) + c * (x - k) ** 2 + z * (x - k) ** 3),
    "smoothstep": ("C1", x < 0, 0, iff(x > 1, 1, x * x * (3 - 2 * x))),
    "smoothstep between": ("C1", x <= a, 0, iff(x >= b, 1, h * h * (3 - 2 * h)), a < b),
    "smootherstep": ("C2", x < 0, 0, iff(x > 1, 1, x ** 3 * (x * (x * 6 - 15) + 10))),
    "cosine taper": ("C1", x < 1, (1 + cos(PI * x)) / 2, 0, x >= 0),
    "wendland, outer end": ("C3", x < 1, (1 - x) ** 4 * (4 * x + 1), 0, x >= 0),
    # shapes in the plane
    "disk": ("C1", x * x + y * y < 1, (1 - x * x - y * y) ** 2, 0),
    "disk, kink": ("lip", x * x + y * y < 1, 1 - x * x - y * y, 0),
    "disk of radius s": ("C1", x * x + y * y < s * s, (s * s - x * x - y * y) ** 2, 0, s > 0),
    "disk, transcendental": ("C1", x * x + y * y < 1, cos(x * x + y * y - 1), 1),
    "norm huber": ("C1", sqrt(x * x + y * y) < delta, (x * x + y * y) / 2, delta * (sqrt(x * x + y * y) - delta / 2),
                   delta > 0),
    "norm of 1": ("C1", op("hypot", x, y) < 1, (x * x + y * y) / 2, op("hypot", x, y) - half),
    "quadrant": ("jump", x * y < 0, 1, 0),
    "quadrant, right": ("C1", x * y < 0, (x * y) ** 2, 0),
    "quadrant, one axis only": ("jump", x * y < 0, x * x, 0),
    "product": ("lip", x * y < 0, -(x * y), x * y),
    "half plane": ("C1", a * x + b * y < c, (a * x + b * y - c) ** 2, 0, a > 0),
    "half plane, free": ("C1", a * x + b * y < c, (a * x + b * y - c) ** 2, 0),
    "two lines": ("lip", x * x < y * y, x, iff(x > 0, abs_(y), -abs_(y))),
    "parabola": ("C1", y < x * x, (y - x * x) ** 2, 0),
    "inside a box": ("jump", both(x > 0, x < 1, y > 0, y < 1), 1, 0),
    "bump on a box": ("C1", both(x > 0, x < 1, y > 0, y < 1), (x * (1 - x) * y * (1 - y)) ** 2, 0),
    "outside": ("lip", either(x < 0, y < 0), 0, op("min", x, y)),
    # empty and other boundaries
    "x < x": ("smooth", x < x, 1, 0),
    "x*x + 1 < 0": ("smooth", x * x + 1 < 0, 1, 0),
    "square below 0": ("smooth", (x - y) ** 2 < 0, 1, 0),
    "square at most 0": ("jump", (x - y) ** 2 <= 0, 1, 0),
    "square at most 0, harmless": ("lip", (x - y) ** 2 <= 0, x, y),
    "square, tangent": ("jump", (x - y) ** 2 > 0, 1, 0),
    "exp below 0": ("smooth", exp(x) < 0, 1, 0),
    "cubic": ("C1", x ** 3 < 0, x * x, 0),
    "cubic, jump": ("jump", x ** 3 < 0, 1, 0),
    "monotone": ("C1", exp(x) < 1, x * x, 0),
    "monotone log": ("C1", log(x) < 0, (x - 1) ** 2, 0, x > 0),
    "monotone tanh": ("lip", op("tanh", x) < 0, x, 2 * x),
    "monotone sqrt": ("lip", sqrt(x) < 2, x, 8 - x, x >= 0),
    "monotone sigmoid": ("lip", op("sigmoid", x) > half, x, 0),
    "two exponentials": ("lip", exp(x) < exp(y), x, y),
    "x*x abs x": ("C2", x < 0, x * x * abs_(x), 0),
    "difference of squares": ("C1", x * x < y * y, (x * x - y * y) ** 2, 0),
    "bounded by facts": ("smooth", x > 10, 1, 0, x < 5),
    "linear consequence": ("smooth", x + y > 10, 1, 0, x < 5, y < 5),
    "a switch at 1e-8": ("jump", x < 1e-8, 1 + x, exp(x)),
    "quadratic roots": ("cont", b * b > 4 * c, sqrt(b * b - 4 * c), 0),
    "quadratic roots, squared": ("lip", b * b > 4 * c, b * b - 4 * c, 0),
    "quadratic in r": ("lip", r * r - 3 * r + 2 < 0, -(r * r - 3 * r + 2), 0),
    "wrap of an angle": ("jump", x > PI, x - 2 * PI, x),
    "sine of a wrapped angle": ("smooth", x > PI, sin(x - 2 * PI), sin(x)),
    "half angles": ("smooth", x > 0, 2 * sin(x / 2) ** 2, 1 - cos(x)),
    "half angles at a number": ("C1", x > 1, 2 * sin(x / 2) ** 2 + (x - 1) ** 2, 1 - cos(x)),
    "shortened": ("lip", c * c < x * x + y * y, c * x / sqrt(x * x + y * y), x, c > 0),
    "thirds of an angle": ("smooth", x > y, 3 * sin(x / 3) - 4 * sin(x / 3) ** 3, sin(x)),
    "a pole of both arms": ("jump", x * (x - 1) < 0, 1 / x, 1 / x + (cos(x * (x - 1)) - 1) / (x * (x - 1))),
    "always": ("smooth", either(x > 0, x <= 0), 1, 0),
    "never": ("smooth", both(x > 0, x < 0), 1, 0),
    "all but a line": ("jump", either(x > 0, x < 0), 1, 0),
    "log barrier": ("C2", x > eps, -log(x), half * (((x - 2 * eps) / eps) ** 2 - 1) - log(eps), eps > 0),
    "or, both sides": ("C1", either(x < 0, x > 1), 0, (x * (1 - x)) ** 2),
    "not equal anywhere": ("smooth", x.eq(y + 1), 1, 0, x < y),
    "kinks elsewhere": ("C1", x > 0, x * x + abs_(y), abs_(y)),
    "a kink at the boundary": ("lip", x * x * x > 0, abs_(x), x * x),
    "point in abs": ("lip", x.eq(0), 0, abs_(x)),
    "sign at a point": ("jump", x.eq(0), 0, iff(x > 0, 1, -1)),
    "abs of a relu": ("C1", op("max", x, 0) > 0, x * x, x * abs_(x) + x * x),
    "thick equality": ("jump", op("max", x, 0).eq(0), 1, 0),
    "thick equality, continuous": ("lip", op("max", x, 0).eq(0), 0, x),
    "smaller of two quotients": ("lip", x / s < y / s, x, y, s > 0),
    "pole": ("jump", 1 / x > 0, 1, 0),
    "floor below a whole number": ("jump", x < 1, op("floor", x), 1, x > 0),
    "floor between": ("smooth", x < 0.5, op("floor", x), 0, x > 0, x < 1),
    "floor": ("jump", op("floor", x) > 0, 1, 0),
    "lgamma switch": ("smooth", x > 1, op("lgamma", x + y), op("lgamma", y + x), x > 0, y > 0),
    "erf": ("C1", x > 0, op("erf", x) ** 2, 0),
    "cube root": ("cont", x > 0, op("cbrt", x), 0),
    "square of a cube root": ("cont", x > 0, op("cbrt", x) * op("cbrt", x), 0),
    "square of a cube root, in a logarithm": ("cont", x > 0, log(op("cbrt", x) * op("cbrt", x) + 1), 0),
    "a cube root by a root": ("cont", x > 0, op("cbrt", x) * sqrt(abs_(x)), 0),
    "a cube root by itself and a root": ("C1", x > 0, op("cbrt", x) * op("cbrt", x) * sqrt(abs_(x)), 0),
    "atan slopes": ("C2", x > 0, op("atan", x), x),
    "unknown function": ("jump", x > 0, op("mystery", x), 0),
    "the same unknown function": ("smooth", x > 0, op("mystery", x) + 1, 1 + op("mystery", x)),
}


def verdict(name: str) -> tuple[str, Verdict]:
    grade, cond, then, orelse, *given = BRANCHES[name]
    return str(grade), graded(cond, then, orelse, *given)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BRANCHES)
def test_grade(name: str) -> None:
    expected, found = verdict(name)
    assert found.grade == expected, found
    assert found.proved == (expected != "jump")
    assert found.why


@pytest.mark.parametrize("first", range(0, 160, 40))
def test_generated(first: int) -> None:
    """No verdict is wrong at the boundary of a generated branch; most branches that meet are understood."""
    proved = 0
    for seed in range(first, first + 40):
        branch = Branch(seed)
        found = branch.verdict()
        assert violation(branch, found, 6) is None, (seed, found)
        proved += found.proved
    assert proved > 15


def test_generated_limits() -> None:
    """The same at zeros of sines, and with limits such as those of exp (-1/t), t sin (1/t), t ** a."""
    proved = 0
    for seed in range(100):
        branch = Wild(seed)
        found = branch.verdict()
        assert violation(branch, found, 6) is None, (seed, found)
        proved += found.proved
    assert proved > 25


def test_fixed_atoms_have_no_boundary() -> None:
    assert graded(k > 0, 1, 0, fixed="k").grade == "smooth"
    assert graded(both(k > 0, x > 0), x, 0, fixed="k").grade == "lip"
    assert graded(k * x > 0, x, 0, fixed="k").grade == "lip"


def test_several_results() -> None:
    assert graded(x > 0, (x * x, x), (0, 0)).grade == "lip"
    assert graded(x > 0, (x * x, x), (0, x)).grade == "C1"


def test_words() -> None:
    found = graded(abs_(r) <= delta, r * r / 2, delta * (abs_(r) - delta / 2), delta > 0)
    assert found.boundary == "r = delta and r = -delta"
    found = graded(x < k, a + b * x, c * x)
    assert (found.boundary, found.difference) == ("x = k", "b*k - c*k + a")
    assert "which is not shown to be 0" in found.why

