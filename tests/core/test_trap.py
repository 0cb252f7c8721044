"""`trap_nonfinite`: the first operation that makes nan or infinity is named, on all targets alike."""

from __future__ import annotations

from random import Random
from typing import Any

import dad
import numpy as np
import pytest
from dad.codegen.trap import NonFinite
from dad.tests.programs.programs import Generated, arguments
from dad.tests.programs.programs import program as generated
from dad.tests.programs.properties import leaves_of as leaves

TARGETS = ("native", "numpy", "interp")


def trapped(text: str, args: tuple[Any, ...], grad: bool = False) -> NonFinite | None:
    """What traps, the same on all targets."""
    found: list[NonFinite | None] = []
    for target in TARGETS:
        entry = dad.compile(text, target=target, trap_nonfinite=True).entries["main"]
        try:
            (entry.value_and_grad if grad else entry)(*args)
        except NonFinite as error:
            found.append(error)
        else:
            found.append(None)
    first, *others = found
    for other in others:
        assert (first is None) == (other is None)
        assert first is None or other is None or first.args == other.args
    return first


def ends(error: NonFinite | None) -> tuple[str, str, int]:
    """The operation as written with its result, the part, the line."""
    assert error is not None
    assert error.span is not None
    return error.summary, error.part, error.span.line


def test_a_primitive_in_a_map() -> None:
    error = trapped("entry main [n] (xs: [n]f64) : f64 =\n  sum (map (\\x -> log x) xs)", ([1.0, 0.0, 0.0],))
    assert ends(error) == ("`log 0.0` gives -inf", "primal", 2)
    assert error is not None
    assert error.span is not None
    assert error.span.text == "log x"
    assert error.iterations == ("in element 1 of the map at line 2",)
    details = "in the primal code, in element 1 of the map at line 2"
    assert str(error) == f"R109: `log 0.0` gives -inf, {details} (<string>:2)"


def test_an_operation_on_arrays_names_the_element() -> None:
    error = trapped("entry main [n] (xs: [n]f64) (ys: [n]f64) : f64 = sum (xs / ys)", ([1.0, 2.0], [1.0, 0.0]))
    assert ends(error)[0] == "`2.0 / 0.0` gives inf"
    assert error is not None
    assert error.element == (1,)
    assert error.operands == (2.0, 0.0)


def test_loops_say_which_iteration() -> None:
    text = ("entry main [n][m] (xs: [n][m]f64) : f64 =\n"
            "  loop s = 1.0 for i < n do\n"
            "    s + sum (map (\\x -> exp (100 * x)) xs[i])")
    error = trapped(text, (np.array([[1.0, 2.0], [3.0, 9.0]]),))
    assert ends(error) == ("`exp 900.0` gives inf", "primal", 3)
    assert error is not None
    assert error.iterations == ("in iteration 1 of the loop at line 2", "in element 1 of the map at line 3")


def test_a_sum_that_overflows() -> None:
    assert ends(trapped("entry main [n] (xs: [n]f64) : f64 = sum xs", ([1e308, 1e308],)))[0] == \
        "`sum [1e+308, 1e+308]` gives inf"


def test_what_vanishes_later_traps_too() -> None:
    assert ends(trapped("entry main (x: f64) : f64 = 1 / exp x", (1000.0,)))[0] == "`exp 1000.0` gives inf"
    assert ends(trapped("entry main (x: f64) : f64 = 1 / gamma x", (500.0,)))[0] == "`gamma 500.0` gives inf"
    assert ends(trapped("entry main (x: f64) : f64 = x / (1.0 / 0.0)", (2.0,)))[0] == "`1.0 / 0.0` gives inf"


def test_a_library_function_traps_where_it_is_called() -> None:
    error = trapped("entry main [n] (xs: [n]f64) : f64 =\n  let m = f64.sum xs / f64 n\n  in logit m", ([1.0, 1.0],))
    assert error is not None
    assert error.span is not None
    assert error.span.line == 3


def test_infinities_that_the_program_means() -> None:
    assert trapped("entry main (x: f64) : f64 = f64.inf - x", (1.0,)) is None
    assert trapped("entry main (x: f64) : f64 = if x > 0 then log x else -f64.inf", (0.0,)) is None
    assert trapped("entry main [n] (xs: [n]f64) : f64 = f64.maximum xs", (np.zeros(0),)) is None
    assert trapped("entry main [n] (xs: [n]f64) : f64 = reduce f64.min f64.inf xs", ([1.0],)) is None
    assert trapped("entry main (x: f64) : f64 = x + 1", (np.inf,)) is None
    assert trapped("entry main (x: f64) : f64 = x * 2", (np.nan,)) is None
    assert trapped("entry main [n] (xs: [n]f64) : [n]f64 = map f64.exp xs", (np.array([-np.inf, 0.0]),)) is None


def test_nan_of_infinities_traps() -> None:
    assert ends(trapped("entry main (x: f64) (y: f64) : f64 = x - y", (np.inf, np.inf)))[0] == \
        "`inf - inf` gives nan"
    assert ends(trapped("entry main (x: f64) : f64 = 0 * (f64.inf + x)", (1.0,)))[0] == "`0.0 * inf` gives nan"


@pytest.mark.parametrize("text", [
    "entry main (x: f64) : f64 = if x > 0 then log x else x",
    "entry main (x: f64) : f64 = let d = sqrt x in if d < 1e-9 then x else 1 / d",
    "entry main (x: f64) : f64 = sum (map (\\y -> if y > 0 then sqrt y * log y else y) [x, 1.0, x])",
    "entry main (x: f64) : f64 = loop s = x for i < 3 do if s > 0 then 1 / s else s - x",
    "entry main (x: f64) : f64 = let (y, _) = loop (y, k) = (x, 0i64) while k < 3 && y > 0 do (log y, k + 1) in y",
])
def test_what_is_not_taken_never_traps(text: str) -> None:
    assert trapped(text, (0.0,)) is None
    assert trapped(text, (0.0,), grad=True) is None


def test_the_adjoint() -> None:
    error = trapped("entry main [n] (xs: [n]f64) : f64 =\n  sum (map sqrt xs)", ([1.0, 0.0],), grad=True)
    assert ends(error) == ("`0.5 / 0.0` gives inf", "adjoint", 2)
    assert error is not None
    assert error.iterations == ("in element 1 of the map at line 2",)


def test_the_adjoint_of_a_loop() -> None:
    text = "entry main (x: f64) : f64 =\n  loop y = x for i < 3 do\n    if y > 0 then y * 0.5 else sqrt y"
    error = trapped(text, (0.0,), grad=True)
    assert ends(error) == ("`0.5 / 0.0` gives inf", "adjoint", 3)
    assert error is not None
    assert error.iterations == ("in iteration 0, backwards, of the loop at line 2",)


@pytest.mark.parametrize("target", TARGETS)
def test_the_tangent_and_other_transforms(target: str) -> None:
    entry = dad.compile("entry main (x: f64) : f64 = sqrt x", target=target, trap_nonfinite=True).main
    assert entry(0.0) == 0.0
    with pytest.raises(NonFinite) as found:
        entry.jvp(0.0, 1.0)
    assert found.value.part == "tangent"
    assert entry.jvp(0.0, 0.0) == (0.0, 0.0)
    with pytest.raises(NonFinite):
        entry.vjp(0.0, 1.0)
    assert entry.vjp(0.0, 0.0)[1] == 0.0
    entry = dad.compile("entry main (x: f64) : f64 = log x", target=target, trap_nonfinite=True).main
    with pytest.raises(NonFinite) as found:
        entry.vmap([1.0, 2.0, 0.0])
    assert "element 2" in found.value.message


@pytest.mark.parametrize("target", TARGETS)
def test_recursion(target: str) -> None:
    text = ("def down (n: i64) (x: f64) : f64 = if n == 0 then 1 / x else x + down (n - 1) (x - 1)\n"
            "entry main (n: i64) (x: f64) : f64 = down n x")
    entry = dad.compile(text, target=target, trap_nonfinite=True).main
    assert entry(3, 4.0) == 10.0
    with pytest.raises(NonFinite) as found:
        entry(3, 3.0)
    assert found.value.summary == "`1.0 / 0.0` gives inf"


@pytest.mark.parametrize("target", TARGETS)
def test_a_check_that_fails_later_is_not_the_first(target: str) -> None:
    text = "entry main [n] (xs: [n]f64) (x: f64) : f64 = assert (1 / x < 10) xs[0]"
    entry = dad.compile(text, target=target, trap_nonfinite=True).main
    with pytest.raises(NonFinite):
        entry([1.0], 0.0)
    with pytest.raises(dad.RunError, match="R106"):
        entry([1.0], 0.01)


@pytest.mark.parametrize("target", TARGETS)
def test_linear_algebra_fails_by_its_own_checks(target: str) -> None:
    text = "entry main [n] (a: [n][n]f64) (b: [n]f64) : [n]f64 = linalg.solve a b"
    entry = dad.compile(text, target=target, trap_nonfinite=True).main
    with pytest.raises(dad.RunError, match="R107"):
        entry(np.zeros((2, 2)), np.ones(2))
    np.testing.assert_allclose(entry(np.eye(2), np.ones(2)), np.ones(2))


@pytest.mark.parametrize("seed", range(10))
def test_generated_programs(seed: int) -> None:
    """Both targets trap at the same operation; who does not trap gives the same; from finite numbers come finite ones,
    or something traps."""
    made = generated(Random(seed + 1000))
    try:  # a program may not depend on the one parameter
        text = made.text + slope(made)
        dad.compile(text)
    except dad.Diagnostics:
        text = made.text
    modules = [dad.compile(text, target=t, trap_nonfinite=True) for t in TARGETS]
    plain = dad.compile(text)
    literal = "inf" in made.text or "nan" in made.text
    for name in plain.entries:
        for scale in (1.0, 1e200):
            args = [scaled(a, scale) for a in arguments(made, {"n": 3, "m": 2}, seed)]
            outcomes = [attempt(module.entries[name], args) for module in modules]
            assert outcomes[0] == outcomes[1]
            if outcomes[0][0] == "value":
                assert attempt(plain.entries[name], args) == ("value", "")
                results = [x for x in leaves(plain.entries[name](*args)) if np.asarray(x).dtype.kind == "f"]
                assert literal or all(np.all(np.isfinite(x)) for x in results)


def slope(made: Generated) -> str:
    names = " ".join(name for name, _ in made.params)
    return f"entry slope {names} = grad (\\c -> (main {names}).0) c\n"


def scaled(value: Any, by: float) -> Any:
    if isinstance(value, dict):
        return {k: scaled(v, by) for k, v in value.items()}
    if isinstance(value, tuple):
        return tuple(scaled(v, by) for v in value)
    array = np.asarray(value)
    return (array * array.dtype.type(min(by, 1e30 if array.dtype == np.float32 else by)))[()] \
        if array.dtype.kind == "f" else value


def attempt(entry: Any, args: list[Any]) -> tuple[str, str]:
    try:
        entry(*args)
    except dad.RunError as error:
        return error.code, str(error)
    return "value", ""
