"""Contracts where derivatives and lanes meet them, and what lowering writes down for who checks grades."""
from __future__ import annotations

from pathlib import Path

import dad
import numpy as np
import pytest
from dad import driver
from dad.codegen.lower import lower
from dad.lang.core import ir
from dad.lang.core.text import show
from dad.lang.source import Source

BOUNDS = """
entry loss [n] (scale: param f64{>0}) (xs: data [n]f64{>=0}) : f64 = sum (map (\\x -> (scale * x) ** 2) xs)
def twice (x: f64{>0}) : f64{>0} = 2 * x
entry chain [n] (s: f64{>0}) (xs: [n]f64{>0}) : f64 = twice (twice s) + sum (map twice xs)
"""


@pytest.mark.parametrize("target", ["interp", "numpy", "native"])
def test_derivatives_do_not_see_bounds_and_lanes_do(target: str) -> None:
    m = dad.compile(BOUNDS, target=target)
    xs = np.array([1.0, 2.0])
    assert m.loss.value_and_grad(3.0, xs) == (45.0, 30.0)
    assert m.loss.hessian(3.0, xs) == 10.0
    with pytest.raises(dad.RunError, match="R111: `scale` of `loss` is -3, but must be > 0"):
        m.loss.value_and_grad(-3.0, xs)
    np.testing.assert_array_equal(m.loss.vmap(np.array([1.0, 2.0]), np.stack([xs, xs])), [5.0, 20.0])
    with pytest.raises(dad.RunError, match=r"`xs\[1\]` of `loss` is -2, but must be >= 0"):
        m.loss.vmap(np.array([1.0, 2.0]), np.array([[1.0, 2.0], [1.0, -2.0]]))


@pytest.mark.parametrize("target", ["interp", "numpy", "native"])
def test_infinity_is_a_number_and_nan_is_none(target: str) -> None:
    m = dad.compile("entry up (x: f64{>0}) : f64 = x\nentry down (x: f64{<1}) : f64 = x\n"
                    "entry above (a: f64) (x: f64{>a}) : f64 = x", target=target)
    assert m.up(np.inf) == np.inf
    assert m.down(-np.inf) == -np.inf
    for name, given in (("up", [-np.inf]), ("up", [np.nan]), ("up", [-0.0]), ("down", [np.inf]), ("down", [1.0]),
                        ("above", [np.inf, np.inf]), ("above", [2.0, 2.0])):
        with pytest.raises(dad.RunError, match="R111"):
            getattr(m, name)(*given)


def functions(text: str, promises: bool = False) -> dict[str, ir.Function]:
    checked = driver.check(Source("<contracts>", text)).require()
    own = [d for d in checked.definitions.values() if not d.node.span.source.shipped]
    return dict(lower(checked, (), own if promises else None, promises=promises).program.functions)


def test_arguments_that_keep_the_bounds_are_not_checked_again() -> None:
    """`twice` has a version without checks at its head, which `chain` calls; its result is checked there."""
    made = functions(BOUNDS)
    shown = {name: show(ir.Program({name: f})) for name, f in made.items() if f.source_name == "twice"}
    assert len(shown) == 1
    (text,) = shown.values()
    assert text.count("check_range") == 1
    assert "the result" in text


def test_bounds_of_an_abbreviation_follow_its_edits(tmp_path: Path) -> None:
    text = "type rate = f64{>0}\ndef f (x: rate) : f64 = x\nentry g (x: f64) : f64 = f x"
    path = tmp_path / "edited.dad"
    path.write_text(text)
    live = dad.Live(path)
    for bound, least in (("{>0}", 0), ("{>1}", 1), ("", None), ("{>0}", 0)):
        module = live.update(text.replace("{>0}", bound))
        assert module.g(1.5) == 1.5
        if least is None:
            assert module.g(-1.0) == -1.0
        else:
            with pytest.raises(dad.RunError, match=f"`x` of `f` is -1, but must be > {least}"):
                module.g(-1.0)


def test_a_function_that_is_held_fixed_still_depends_on_its_argument() -> None:
    text = """def slope (f: f64 -> f64) (x: f64) : f64 = grad (\\u -> (stop_grad f) u) x
entry g (a: f64) : f64 = slope (* a) a"""
    assert dad.compile(text).g(3.0) == 3.0


DEMANDS = """
def descend [n] (f: [n]f64 -> f64 @ C1) (x: [n]f64) : [n]f64 = x - grad f x
def soft (x: f64) (k: f64) : f64 =
  let y = (if x < k then x else k) @ lip(x)
  assume C1(y) "measured"
  in (y @ approx(1e-8)) @ allow(jump, "known")
def least [n] (y: [n]f64) : [n]f64 = descend (\\x -> sum (map2 (\\a b -> (a - b) ** 2) x y)) y
def norm2 [n] (x: [n]f64) : f64 = sum (x * x)
def named [n] (x: [n]f64) : [n]f64 = x |> descend norm2
def both (p: {f: (f64 -> f64 @ smooth), start: f64}) : f64 = p.f p.start
def pair (a: f64) : f64 = both {f = \\x -> a * x, start = 1}
"""


def test_what_is_said_of_grades_is_written_down() -> None:
    checked = driver.check(Source("<contracts>", DEMANDS)).require()
    assert checked.promises
    own = [d for d in checked.definitions.values() if not d.node.span.source.shipped]
    made = lower(checked, (), own, promises=True)
    assert set(made.entries) == {d.name for d in own}
    stated = [(s.op.name, dict(s.op.attrs), s) for f in made.program.functions.values() for s in f.body.stmts
              if isinstance(s.op, ir.Prim) and s.op.name in ("promise", "demand")]
    assert [(a["kind"], a["grade"], a["of"], a["reason"], a["tolerance"]) for n, a, _ in stated if n == "promise"] == [
        ("promise", "lip", "x", "", ""), ("assume", "C1", "", "measured", ""), ("approx", "approx", "", "", "1e-08"),
        ("allow", "jump", "", "known", "")]
    demands = {str(a["function"]): (a["by"], a["parameter"], a["grade"], s) for n, a, s in stated if n == "demand"}
    assert [(by, parameter, grade) for by, parameter, grade, _ in demands.values()] == [
        ("descend", "f", "C1"), ("descend", "f", "C1"), ("both", "p.f", "smooth")]
    for name, (*_, stmt) in demands.items():
        lifted = made.program.functions[name]
        assert isinstance(stmt.op, ir.Prim)
        assert [p.type for p in lifted.params[:len(stmt.op.args)]] == [a.type for a in stmt.op.args]
        assert lifted.params[-1].name == "x"
        assert stmt.span is not None
    first = next(iter(demands.values()))[-1]
    assert first.span is not None
    assert first.span.text == "(\\x -> sum (map2 (\\a b -> (a - b) ** 2) x y))"
    unknown = {name: (u.definition.name, u.parameter, [g.name for g in u.grades]) for name, u in made.unknown.items()}
    assert unknown == {"descend__f": ("descend", "f", ["C1"]), "both__p_f": ("both", "p.f", ["smooth"])}
    compiled = functions(DEMANDS + "entry main (x: [2]f64) = least x")
    assert not any(word in show(ir.Program(compiled)) for word in ("promise", "demand"))


def test_what_depends_on_its_types_is_left_out() -> None:
    text = """def twice 'a (f: a -> a) (x: a) : a = f (f x)
def sq x = x * x
def k 'a: float (x: a{>0}) : a = sq (log x)"""
    checked = driver.check(Source("<contracts>", text)).require()
    assert not checked.promises
    own = [d for d in checked.definitions.values() if not d.node.span.source.shipped]
    made = lower(checked, (), own, promises=True)
    assert set(made.entries) == {"sq", "k"}
    (k,) = [f for f in made.program.functions.values() if f.name == "k"]
    assert [p.type for p in k.params] == [ir.F64]
    assert "check_range" in show(ir.Program({"k": k}))


@pytest.mark.parametrize("target", ["interp", "numpy", "native"])
def test_a_refusal_says_all_its_values_and_harms_nothing(target: str) -> None:
    """An element, two bounds and four indices: seven values."""
    m = dad.compile("entry all [a][b][c][d] (low: f64) (high: f64) (x: [a][b][c][d]f64{low..high}) : f64 =\n"
                    "  sum (flatten (flatten (flatten x)))\n"
                    "entry rows (n: i64) : []f64 = filter (> 3) (map f64 (iota n))", target=target)
    x = np.zeros((2, 3, 4, 5))
    x[1, 2, 3, 4] = 7.0
    for _ in range(3):
        with pytest.raises(dad.RunError, match=r"`x\[1, 2, 3, 4\]` of `all` is 7, but must be in low\.\.high"):
            m.all(0.0, 2.0, x)
        assert m.all(0.0, 8.0, x) == 7.0
        assert len(m.rows(200_000)) == 199_996
