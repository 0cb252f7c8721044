"""Terms of one shape as rows of a table: the same values, code that does not grow with them, data apart from code."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from dad import driver
from dad.codegen import interp
from dad.codegen.lower import Lowered, Lowering, Transform, lower, tables
from dad.codegen.runtime.errors import RunError
from dad.lang.core import ir
from dad.lang.core.data import code, data, with_data
from dad.lang.core.text import parse, show
from dad.lang.core.verify import verify
from dad.lang.core.walk import summary
from dad.lang.source import Source

GRAD = Transform("f", "value_and_grad", ("x",))
KINDS = [
    "dist {a} {b} {k}",
    "-({a} - {b}) * ({a} - {b}) * {k} / 3",
    "exp (-({a} * {b})) ** 2 + sin {k}",
    "{k} * {a} - (\\y -> y * y) {b}",  # not a shape that rows can have
    "{k} * (let y = {b} let z = ({a}, y) in y * z.0 - z.1)",
    "(if {a} < {b} * {k} then {a} else sin {b})",
    "{a} * p.u + p.v * {b} - {k}",
    "soft {a} ({b}, {k})",
]
HEAD = """
def dist (a: f64) (b: f64) (k: f64) : f64 = let r = sqrt ((a - b) * (a - b) + 0.1) - k in r * r
def soft (a: f64) (bk: (f64, f64)) : f64 = log1p (exp (a * bk.0)) * bk.1
"""


def body(count: int, seed: int) -> tuple[list[str], Random]:
    rng = Random(seed)
    places = [f"x[{k}]" for k in range(6)] + [f"m[{k}, 1]" for k in range(3)] + ["s", "p.u", "ps[2].u"]
    return [rng.choice(KINDS).format(a=rng.choice(places), b=rng.choice(places), k=f"({rng.uniform(-2, 2):.3f})")
            for _ in range(count)], rng


def program(count: int, seed: int, spelling: str) -> str:
    terms, rng = body(count, seed)
    entry = "entry f (x: [6]f64) (m: [3][2]f64) (s: f64) (p: {u: f64, v: f64}) (ps: [4]{u: f64, v: f64})"
    match spelling:
        case "sum":
            text = "  " + "\n  ".join(f"{'' if k == 0 else rng.choice('+-')} {t}" for k, t in enumerate(terms))
            return f"{HEAD}{entry} : f64 =\n{text}\n"
        case "literal":
            return f"{HEAD}{entry} : [{count}]f64 =\n  [{', '.join(terms)}]\n"
        case _:
            lets = "\n".join(f"  let t{k} = {t}" for k, t in enumerate(terms))
            reads = " + ".join(f"t{k} * t{rng.randrange(k + 1)}" for k in range(count))
            return f"{HEAD}{entry} : f64 =\n{lets}\n  in {reads}\n"


def lowered(text: str, transforms: bool = True) -> Lowered:
    checked = driver.check(Source("rows.dad", text)).require()
    return lower(checked, [GRAD] if transforms else [])


def arguments(seed: int) -> list[object]:
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, 6), rng.uniform(-1, 1, (3, 2)), 0.25, 0.5, -0.75, rng.uniform(-1, 1, 4),
            rng.uniform(-1, 1, 4)]


def in_lines(text: str, monkeypatch: pytest.MonkeyPatch) -> Lowered:
    with monkeypatch.context() as patch:
        patch.setattr(tables, "WORTH", 10**9)
        return lowered(text, "[" not in text.split(") :")[-1][:4])


@pytest.mark.parametrize("spelling", ["sum", "literal", "let"])
@pytest.mark.parametrize("seed", range(4))
def test_values_are_the_same_to_the_last_bit(spelling: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = program(60, seed, spelling)
    made, plain = lowered(text, spelling != "literal"), in_lines(text, monkeypatch)
    verify(made.program)
    assert data(made.program)
    assert not data(plain.program)
    assert parse(show(made.program)) == made.program
    args = arguments(seed)
    (one,), (other,) = (interp.run(p.program, "f", args) for p in (made, plain))
    assert np.array_equal(one, other)
    if spelling == "literal":
        return
    found = []
    for p in (made, plain):
        optimised = driver.optimised(p.program, [GRAD.function], verify=True)
        found.append(interp.run(optimised, GRAD.function, args))
    assert np.array_equal(found[0][0], found[1][0])
    assert np.allclose(found[0][1], found[1][1], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("target", ["numpy", "native"])
def test_back_ends_read_tables(target: str) -> None:
    import dad

    text = program(60, 7, "sum")
    module = dad.compile(text, target=target)
    x, m, s, u, v, us, vs = arguments(7)
    value, gradient = module.f.value_and_grad(x, m, s, {"u": u, "v": v}, {"u": us, "v": vs}, wrt=("x",))
    made = driver.optimised(lowered(text).program, [GRAD.function])
    expected = interp.run(made, GRAD.function, arguments(7))
    assert np.allclose(value, expected[0], rtol=1e-13)
    assert np.allclose(gradient, expected[1], rtol=1e-12, atol=1e-13)


def springs(count: int, first: float = 0.5) -> str:
    terms = [f"dist x[{k % 6}] x[{k * k % 5}] {first if k == 0 else 0.1 * k:.2f}" for k in range(count)]
    return HEAD + "entry f (x: [6]f64) : f64 =\n  " + "\n  + ".join(terms) + "\n"


def test_code_does_not_know_the_rows() -> None:
    """A changed constant, another row or many more are other data of the same code, when all passes have run too."""
    programs = [driver.optimised(lowered(text).program, [GRAD.function])
                for text in (springs(80), springs(80, 0.75), springs(81), springs(400))]
    assert len({code(p) for p in programs}) == 1
    assert sum(summary(f).size for f in programs[0].functions.values()) < 80
    again = with_data(programs[0], data(programs[3]))
    x = [np.linspace(-1, 1, 6)]
    assert interp.run(again, GRAD.function, x)[0] == interp.run(programs[3], GRAD.function, x)[0]


def test_few_terms_stay_code() -> None:
    assert not data(lowered(springs(8)).program)


FAILS = """
def root (a: f64) (n: i64) : f64 = assert (a > 0) (sqrt a / f64.i64 n)

entry f [n] (x: [n]f64) : f64 =
  {}
"""


def test_what_may_fail_stays_where_it_is() -> None:
    text = FAILS.format("\n  + ".join(f"root x[{k % 3}] {k + 1}" for k in range(60)))
    assert not data(lowered(text).program)


def test_an_index_out_of_bounds_is_found_where_it_stands() -> None:
    text = FAILS.format("\n  + ".join(f"sin (x[{k}] * x[{k}] + 1) * 2" for k in range(60)))
    made = lowered(text).program
    assert data(made)
    assert interp.run(made, "f", [np.ones(60)])[0] == pytest.approx(120 * np.sin(2.0))
    with pytest.raises((RunError, interp.InterpreterError), match="7"):
        interp.run(made, "f", [np.ones(7)])


def test_tables_are_told_apart_by_name() -> None:
    one = ir.Table("t", "f64", (1.0, float("nan")))
    assert one == ir.Table("t", "f64", (1.0, float("nan")))
    assert one != ir.Table("u", "f64", (1.0, float("nan")))
    assert one != ir.Table("t", "f64", (1.0,))


def test_the_lowering_of_an_entry_says_nothing_of_other_entries() -> None:
    text = """
def h (x: f64) : f64 = loop a = x for i < 3 do sin a
def k (x: f64) : f64 = h x + 1
entry g (x: f64) : f64 = h x * 2
entry f (x: f64) : f64 = k x * h x
"""
    checked = driver.check(Source("rows.dad", text)).require()
    f = next(d for d in checked.entries if d.name == "f")
    together, alone = Lowering(checked), Lowering(checked, entries=[f])
    together.lowered(checked.entries[0])
    first, second = together.lowered(f, GRAD), alone.lowered(f, GRAD)
    assert show(first.program) == show(second.program)
    assert first.transforms == second.transforms == {GRAD: "f__value_and_grad__x"}
    assert list(first.program.functions) == ["h", "k", "f", "f__value_and_grad__x"]
