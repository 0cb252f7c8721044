"""Jets against mpmath's numerical Taylor series, and what they say on one side of a kink or step."""
from __future__ import annotations

from random import Random
from typing import Any

import pytest
from dad.grades.jets import SLOPES, Jet, apply
from dad.grades.reals import MEANINGS, context, precise
from dad.lang.prims import PRIMITIVES

mp = context()
INTERVALS: dict[str, tuple[tuple[float, float], ...]] = {
    "lbeta": ((1.0, 3.0),) * 2, "gammainc": ((1.0, 3.0),) * 2, "gammaincc": ((1.0, 3.0),) * 2,
    "betainc": ((1.0, 3.0), (1.0, 3.0), (0.1, 0.9)), "ndtri": ((0.1, 0.9),), "erfinv": ((-0.9, 0.9),),
    "fma": ((-2.0, 2.0),) * 3,
}  # fmt: skip
SMOOTH = [
    name for name, p in PRIMITIVES.items()
    if p.elementwise and precise(name) is not None and name not in ("ldexp", "nextafter", "scaled", "gamma_moved")
    and name not in ("sign", "floor", "ceil", "round", "trunc")
]  # fmt: skip


@pytest.mark.parametrize("name", SMOOTH)
def test_series_of_primitives(name: str) -> None:
    random = Random(name)
    record = PRIMITIVES[name]
    intervals = INTERVALS.get(name) or record.sample or ((0.1, 2.0),)
    attrs = {"order": 1} if name == "polygamma" else {}
    series = [[mp.mpf(random.uniform(*between)), *(mp.mpf(random.uniform(-1, 1)) for _ in range(3)), mp.zero]
              for between in intervals]
    function: Any = precise(name)
    found = apply(name, [Jet(tuple(c)) for c in series], attrs)
    wanted = mp.taylor(lambda t: function(*(mp.fsum(a * t**k for k, a in enumerate(c)) for c in series), **attrs), 0, 4)
    assert len(found.c) == 5
    for x, y in zip(found.c, wanted, strict=True):
        assert abs(x - y) <= 1e-35 * (1 + abs(y))


def test_everything_programs_may_name_has_a_meaning() -> None:
    """Each smooth function that a program can call can be followed through a boundary."""
    visible = {name for name, p in PRIMITIVES.items()
               if p.elementwise and p.signature and (p.partials or p.jvp) and "float" in p.signature}
    assert sorted(name for name in visible if precise(name) is None) == []
    assert set(MEANINGS) <= set(PRIMITIVES)
    assert set(SLOPES) <= set(PRIMITIVES)


def jet(*c: float) -> Jet:
    return Jet(tuple(map(mp.mpf, c)))


@pytest.mark.parametrize(("name", "args", "wanted"), [
    ("abs", (jet(0, -2, 1),), (0, 2, -1)),
    ("floor", (jet(3, -1, 0),), 2),
    ("floor", (jet(3, 1, 0),), 3),
    ("ceil", (jet(3, 0, 1),), 4),
    ("round", (jet(2.5, 1, 0),), 3),
    ("round", (jet(2.5, -1, 0),), 2),
    ("max", (jet(1, 1, 0), jet(1, 2, 0)), (1, 2, 0)),
    ("min", (jet(1, 1, 0), jet(1, 2, 0)), (1, 1, 0)),
    ("mod", (jet(4, -1, 0), jet(2, 0, 0)), (2, -1, 0)),
    ("sqrt", (jet(0, 0, 4, 0),), (0, 2, 0)),
    ("cbrt", (jet(0, 0, 0, -8),), (0, -2)),
    ("div", (jet(0, 1, 0), jet(0, 2, 0)), (0.5, 0)),
    ("sqrt", (jet(0, 1, 0),), (0,)),
])
def test_one_side_of_a_kink(name: str, args: tuple[Jet, ...], wanted: Any) -> None:
    found = apply(name, args)
    if isinstance(wanted, int):
        assert found == wanted
    else:
        assert found.c[:len(wanted)] == wanted


def test_jets_in_jets_keep_their_parameters_apart() -> None:
    """d/dx (x * d/dy (x + y)) is 1, not 2."""
    x = Jet((2.0, 1.0), 0)
    inner = x + Jet((1.0, 1.0), 1)
    assert (x * inner.c[1]).c == (2.0, 1.0)


def test_doubles_serve_as_coefficients() -> None:
    found = apply("exp", (Jet((0.0, 1.0, 0.0, 0.0)),))
    assert found.c == pytest.approx((1, 1, 0.5, 1 / 6))
