"""Witnesses: known jumps and kinks are found with their order and size, nothing is found where nothing is, and every
witness is seen by the ordinary interpreter too.
"""
from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from dad.codegen import interp
from dad.codegen.passes.differentiate import differentiate
from dad.grades.reals import context, precise
from dad.grades.refute import Bounds, Witness, jump_along_lines, refute
from dad.lang.core import ir
from dad.tests.ad.harness import derive
from dad.tests.grades.programs import float_names, in_order, lowered, sites

# Program, order, size where it does not depend on the point.
KNOWN: dict[str, tuple[str, int, float | None]] = {
    "huber": ("entry f (r: f64) (d: f64{>0}) = if abs r <= d then 0.5*r*r else d*(abs r - 0.5*d)", 2, 1.0),
    "huber, wrong": ("entry f (r: f64) (d: f64) = if abs r <= d then 0.5*r*r else d*(abs r - d)", 0, None),
    "elu": ("entry f (x: f64) (a: f64) = if x > 0 then x else a*(exp x - 1)", 1, None),
    "switch": ("entry f (a: f64) (b: f64) (c: f64) (k: f64) (x: f64) = if x < k then a + b*x else c*x", 0, None),
    "softplus": ("entry f (x: f64) = if x < 20 then log (1 + exp x) else x", 0, math.log1p(math.exp(-20.0))),
    "softplus, far": ("entry f (x: f64) = if x < 37 then log (1 + exp x) else x", 0, math.log1p(math.exp(-37.0))),
    "a unit of the last place": ("entry f (x: f64) = if x < 1 then x else x + 1e-17", 0, 1e-17),
    "sinc": ("entry f (x: f64) = if x == 0 then 0.5 else sin x / x", 0, 0.5),
    "identity with a hole": ("entry f (x: f64) = if x == 0 then 0 else x", 1, 1.0),
    "series": ("entry f (x: f64) = if abs x < 1e-2 then 1 - x*x/6 else sin x / x", 0,
               math.fsum([1e-8 / 120, -1e-12 / 5040])),
    "disk": ("entry f (x: f64) (y: f64) = if x*x + y*y < 1 then 1 - x*x - y*y else 0", 1, None),
    "disk, squared": ("entry f (x: f64) (y: f64) = let u = 1 - x*x - y*y in if u > 0 then u*u else 0", 2, None),
    "wrap": ("entry f (a: f64) = if a > f64.pi then a - 2*f64.pi else a", 0, 2 * math.pi),
    "angle": ("entry f (x: f64) = if x < 1 then sin (f64.pi * x) else 0", 1, math.pi),
    "far away": ("entry f (x: f64) = if x > 12345 then 2*x else x", 0, 12345.0),
    "both": ("entry f (x: f64) (y: f64) = if x > 0 && y > 0 then x + y else 0", 0, None),
    "rows": ("entry f [n] (x: [n]f64) (k: f64) = sum (map (\\v -> if v < k then v else 2*v) x)", 0, None),
    "saddle": ("entry f (x: f64) (y: f64) = if x*y < 0 then x*x*y else 0", 1, None),
    "norm": ("entry f [n] (x: [n]f64) = let s = sum (map (\\v -> v*v) x) in if s < 1 then s else 2*sqrt s - 1", 2,
             None),
    "a point where a square is zero": ("entry f (x: f64) = if x*x - 2*x + 1 <= 0 then 5 else x", 0, 4.0),
    "the origin alone": ("entry f (x: f64) (y: f64) = let s = x*x + y*y in if s > 0 then x*y / s else 0", 0, None),
    "a call of itself": ("def down (x: f64) (n: i64) : f64 =\n"
                         "  if x < 1 || n == 0 then x else 0.5 * down (x / 2) (n - 1)\n"
                         "entry f (x: f64) = down x 5", 0, None),
    "thirty decimals away": ("entry f (x: f64) = if x < 1 then x else x + 1e-30", 0, 1e-30),
    "loop": ("entry f (x: f64) = loop a = x for i < 3 do if a > 1 then a / 2 else a", 0, 0.5),
}  # fmt: skip
NOTHING = {
    "one polynomial": "entry f (x: f64) = if x < 0.1 then (x+1)*(x-1) else x*x - 1",
    "decimals": "entry f (x: f64) = if x < 0.3 then 0.1*x + 0.2*x else 0.3*x",
    "the same question twice": "entry f (x: f64) = if x < 1 then (if x < 1 then x else 5) else x",
    "a function with all derivatives": "entry f (x: f64) = if x > 0 then exp (-1/x) else 0",
    "identities": "entry f (x: f64) = if x < 2 then sin x * sin x + cos x * cos x else 1",
    "logarithms": "entry f (x: f64{>0}) = if x < 2 then log (x*x) else 2 * log x",
    "special functions": "entry f (x: f64{>0}) = if x < 2 then lgamma (x+1) else lgamma x + log x",
    "erf": "entry f (x: f64) = if x < 0.5 then erf x else 1 - erfc x",
    "derivatives inside": "entry f (x: f64) = if x < 0.7 then grad (\\y -> y*y*y) x else 3*x*x",
    "reverse mode inside": "entry f [n] (x: [n]f64) = if x[0] < 0.7\n"
                           "  then sum (grad (\\y -> sum (map (\\v -> v**3) y)) x) else 3 * sum (map (\\v -> v*v) x)",
    "cubed": "entry f (x: f64) (k: f64) = let t = max (x - k) 0 in if t > 0 then t**5 else 0",
}  # fmt: skip


def bounds_of(text: str) -> dict[int, Bounds]:
    """As the refinements in the parameters say, which are all `{>0}`."""
    return {k: Bounds(lo=0.0) for k, piece in enumerate(text.split("=")[0].split("(")[1:]) if "{>0}" in piece}


def outcome(text: str, want: str = "smooth", seed: int = 0) -> tuple[Witness | None, ir.Program, str]:
    bounds = bounds_of(text)
    program, name = lowered(text.replace("{>0}", ""))
    roots = float_names(program.functions[name])
    found = None
    for site in [site for site in sites(program) if site.vars[0].type.is_float]:
        found = refute(program, name, site, roots, bounds, want, seed)
        if found is not None:
            break
    return found, program, name


@pytest.mark.parametrize("name", KNOWN)
def test_known_jumps_and_kinks(name: str) -> None:
    text, order, size = KNOWN[name]
    found, program, entry = outcome(text)
    assert found is not None
    assert found.order == order
    assert found.jump > 0
    if size is not None:
        assert found.jump == pytest.approx(size, rel=1e-6)
    reproduces(found, program, entry)


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_is_found_where_nothing_is(name: str) -> None:
    for seed in range(3):
        assert outcome(NOTHING[name], seed=seed)[0] is None


def reproduces(w: Witness, program: ir.Program, entry: str) -> None:
    """Ordinary doubles see the effect on the results: the jump between two places side by side, or two slopes."""
    if w.effect is None or w.point:
        return
    function = program.functions[entry]

    def at(roots: object) -> float:
        args = in_order(function, roots, w.others)
        results = interp.run(program, entry, [np.asarray(x, float) if p.type.is_float else x
                                              for x, p in zip(args, function.params, strict=True)])
        return float(np.ravel(results[0])[0])

    order, size = w.effect
    low, high = dict(w.below), dict(w.above)
    scale = max(1.0, abs(at(low)), *(float(np.max(np.abs(x), initial=0)) for x in map(np.asarray, low.values())))
    if order == 0 and size > 1e-12 * scale:
        assert abs(at(high) - at(low)) == pytest.approx(size, rel=1e-3, abs=1e-11 * scale)
    if order == 1 and size > 1e-6 * scale:
        plain, pushed = slope_of(program, entry)

        def slope(roots: object) -> float:
            args = in_order(function, roots, w.others)
            zeros = {name: np.zeros(np.shape(x)) for name, x in w.roots.items()}
            steps = in_order(function, w.direction, zeros)
            return float(np.ravel(interp.run(plain, pushed, [np.asarray(x, float) for x in (*args, *steps)])[-1])[0])

        assert abs(slope(high) - slope(low)) == pytest.approx(size, rel=1e-3, abs=1e-9 * scale)


def slope_of(program: ir.Program, entry: str) -> tuple[ir.Program, str]:
    """The function of arguments and directions that gives results and their slopes."""
    whole, name = derive(program, entry, "jvp")
    return differentiate(whole), name


def test_orders_that_are_not_asked_for_are_left_alone() -> None:
    text = KNOWN["huber"][0]
    assert outcome(text, "C1")[0] is None
    assert outcome(text, "C2")[0] is not None


def test_a_refinement_is_respected() -> None:
    """At d < 0 the branch would jump; with d > 0 it does not."""
    text = "entry f (r: f64) (d: f64{>0}) = if r < -d then -1 else if r < 0 && d < 0 then 5 else 0"
    program, name = lowered(text.replace("{>0}", ""))
    roots = float_names(program.functions[name])
    for site in sites(program):
        found = refute(program, name, site, roots, {1: Bounds(lo=0.0)}, "C1")
        assert found is None or found.roots["d"] > 0


def test_what_is_held_does_not_move() -> None:
    text = "entry f (x: f64) (k: f64) = if x < k then 0.0 else 1"
    program, name = lowered(text)
    [site] = sites(program)
    found = refute(program, name, site, [None, "k"], want="C1", names=["x", "k"])
    assert found is not None
    assert list(found.roots) == list(found.direction) == ["k"]
    assert found.others["x"] == found.roots["k"]


@pytest.mark.parametrize(("kind", "text", "order"), [
    ("abs", "entry f (x: f64) (y: f64) = abs (x - y)", 1),
    ("floor", "entry f (x: f64) = floor x", 0),
    ("max", "entry f (x: f64) = max x 0 ** 3", 1),
    ("mod", "entry f (x: f64) = x % 1", 0),
    ("maximum", "entry f [n] (x: [n]f64) = maximum x", 1),
    ("argmax", "entry f [n] (x: [n]f64) = f64.i64 (argmax x)", 0),
    ("atan2", "entry f (x: f64) (y: f64) = atan2 y x", 0),
    ("cast", "entry f (x: f64) = f64.i64 (i64.f64 x) * x", 0),
])
def test_primitives_that_are_not_smooth(kind: str, text: str, order: int) -> None:
    program, name = lowered(text)
    site = sites(program, kind)[0]
    found = refute(program, name, site, float_names(program.functions[name]))
    assert found is not None
    assert found.order == order
    reproduces(found, program, name)


def test_a_jump_along_lines_without_a_site() -> None:
    """The number of rounds of a loop depends on its argument, and the result with it."""
    text = "entry f (x: f64) = let (a, _) = loop (a, k) = (x, 0) while a < 10 && k < 50 do (a * 2 + 1, k + 1) in a"
    program, name = lowered(text)
    found = jump_along_lines(program, name, ["x"])
    assert found is not None
    assert found.order == 0
    assert abs(found.jump) > 1
    reproduces(found, program, name)
    smooth = "entry f (x: f64) = loop a = x for i < 3 do a * 2 + 1"
    program, name = lowered(smooth)
    assert jump_along_lines(program, name, ["x"]) is None


def test_jumps_that_cancel_are_those_of_the_branches_alone() -> None:
    program, name = lowered("entry f (x: f64) = (if x > 0 then 1.0 else -1.0) * (if x > 0 then x else -x)")
    found = refute(program, name, sites(program)[0], ["x"])
    assert found is not None
    assert (found.order, found.jump, found.effect) == (0, 2.0, None)
    assert refute(program, name, None, ["x"]) is None


def test_the_same_question_has_the_same_answer() -> None:
    text = KNOWN["norm"][0]
    first, again = outcome(text)[0], outcome(text)[0]
    assert first is not None
    assert again is not None
    assert first.roots == again.roots
    assert first.jump == again.jump


def test_vast_numbers_end() -> None:
    """An exponential whose exponent fills the memory is not computed: it has no value."""
    mp = context()
    huge = mp.exp(mp.mpf(10) ** 20)
    for name in ("exp", "sin", "tanh", "lgamma", "erf"):
        rule = precise(name)
        assert rule is not None
        assert mp.isnan(rule(huge))
        assert not mp.isnan(rule(mp.mpf("0.5")))
    power, log = precise("pow"), precise("log")
    assert power is not None
    assert log is not None
    assert mp.isnan(power(2, huge))
    assert abs(log(power(huge, mp.mpf("0.5"))) - mp.mpf(10) ** 20 / 2) < 1


def test_a_length_within_a_derivative() -> None:
    """Numbers of its visits are series."""
    program, name = lowered("entry f (x: f64) (y: f64) = sum (grad (\\o -> norm o * y) [0.0, x, 1.0])")
    site = next(s for s in sites(program, "sqrt"))
    assert refute(program, name, site, float_names(program.functions[name]), want="C1") is None


def test_a_jump_beyond_all_floats_is_no_witness() -> None:
    assert outcome("entry f (x: f64) = if x < 3 then exp (exp (8 + x)) else 0.0")[0] is None


# ------------------------------------------------------------------ generated branches


def polynomial(random: Random, x: str, degree: int) -> tuple[str, list[int]]:
    numbers = [random.choice((-2, -1, 1, 2, 3)) for _ in range(degree + 1)]
    return " + ".join(f"({a}) * {x} ** {k}" for k, a in enumerate(numbers)), numbers


@pytest.mark.parametrize("seed", range(40))
def test_generated_branches(seed: int) -> None:
    """Two arms that differ by c (x - k)^m: smooth to order m - 1 across x = k, whatever stands around."""
    random = Random(seed)
    k, c = random.choice(("0.5", "-1.25", "2.0", "0.1", "17.0")), random.choice((1, -3, 1e-6, 250))
    order = random.randrange(5)
    inner = random.choice(("x", "(2*x - 1)", "(x*x + x)"))
    arm, _ = polynomial(random, inner, 3)
    extra = f"({c:.6f}) * (x - {k}) ** {order}" if order else f"{c:.6f}"
    test = random.choice((f"x < {k}", f"x - {k} < 0", f"exp x < exp {k}", f"!(x >= {k})", f"x < {k} || x < {k} - 1"))
    around = random.choice(("v", "2*v + 1", "sin v"))
    text = f"entry f (x: f64) (y: f64) = let v = if {test} then {arm} + y else {extra} + ({arm}) + y in {around}"
    found, program, name = outcome(text)
    if order <= 3:
        assert found is not None
        assert found.order == order
        if list(found.direction) == ["x"]:
            assert found.jump == pytest.approx(abs(c) * math.factorial(order), rel=1e-6)
        reproduces(found, program, name)
    else:
        assert found is None
