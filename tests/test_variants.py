"""Values of sum types between Python and Dad: `"none"`, `("circle", 2.0)`, lists of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import dad
import numpy as np
import pytest

PROGRAM = """
type shape = #circle f64 | #box f64 i64 | #none
type opt [n] 'a = #some [n]a | #none
entry area (s: shape) = match s case #circle r -> 3 * r * r case #box side k -> f64 k * side * side case #none -> 0
entry made (x: f64) : shape = if x > 1 then #circle x else if x > 0 then #box x 2 else #none
entry turned [n] (shapes: [n]shape) = map (\\s -> match s case #circle r -> (#box r 1 : shape) case s -> s) shapes
entry either [n] (x: opt [n] f64) (ys: [n]f64) = match x case #some xs -> xs case #none -> ys
entry added [n] (x: opt [n] i64) (ys: [n]i64) : opt [n] i64 =
  match x case #some xs -> #some (map2 (+) xs ys) case #none -> #none
entry same (x: {id: i64, marks: [2](#pair (i64, bool) | #one (#x | #y i8))}) = x
"""


@pytest.fixture(scope="module", params=["native", "numpy", "interp"])
def module(request: pytest.FixtureRequest) -> Any:
    return dad.compile(PROGRAM, target=request.param)


def test_constructors_go_in_as_names_and_tuples(module: Any) -> None:
    assert module.area(("circle", 2.0)) == 12.0
    assert module.area(["box", 2, 3]) == 12.0
    assert module.area("none") == module.area(("none",)) == 0.0


def test_they_come_out_alike(module: Any) -> None:
    assert module.made(2.0) == ("circle", 2.0)
    assert module.made(0.5) == ("box", 0.5, 2)
    assert module.made(-1.0) == "none"
    assert type(module.made(0.5)[2]) is int


def test_arrays_are_lists(module: Any) -> None:
    assert module.turned([("circle", 1.0), "none", ("box", 2.0, 3)]) == [("box", 1.0, 1), "none", ("box", 2.0, 3)]
    assert module.turned([]) == []


def test_what_is_not_there_takes_its_size_from_the_others(module: Any) -> None:
    name, held = module.added(("some", [1, 2]), [3, 4])
    assert name == "some"
    assert held.tolist() == [4, 6]
    assert module.added("none", [3, 4]) == "none"
    assert module.either("none", [3.0, 4.0]).tolist() == [3.0, 4.0]
    with pytest.raises(dad.DadArgumentError, match="A103"):
        module.added(("some", [1, 2, 3]), [3, 4])


def test_sums_inside_records_and_sums(module: Any) -> None:
    value = {"id": 1, "marks": [("pair", (1, True)), ("one", ("y", 3))]}
    result = module.same(value)
    assert (result.id, result.marks) == (1, [("pair", (1, True)), ("one", ("y", 3))])
    assert module.same({"id": 1, "marks": [("one", "x"), ("one", "x")]}).marks == [("one", "x")] * 2


def test_derivatives_have_a_part_to_each_constructor(module: Any) -> None:
    value, slopes = module.area.value_and_grad(("box", 2.0, 5))
    assert value == 20.0
    assert slopes == (0.0, (20.0, ()))
    assert slopes._fields == ("circle", "box")
    made, tangent = module.made.jvp(3.0, 1.0)
    assert made == ("circle", 3.0)
    assert tangent.circle == 1.0
    assert tangent.box == (0.0, ())
    _, (x, ys) = module.either.vjp("none", [3.0, 4.0], [1.0, 2.0])
    assert x.some.tolist() == [0.0, 0.0]
    assert ys.tolist() == [1.0, 2.0]


def test_vmap_takes_lists(module: Any) -> None:
    assert module.area.vmap([("circle", 1.0), "none", ("box", 1.0, 4)]).tolist() == [3.0, 0.0, 4.0]
    assert module.made.vmap(np.array([2.0, -1.0])) == [("circle", 2.0), "none"]


@pytest.mark.parametrize(("value", "code", "said"), [
    (3, "A102", "expected a constructor such as (\"box\", …, …), found a value of type int"),
    ("circl", "A104", "there is no constructor `circl`; there are `box`, `circle`, `none`"),
    (("circle",), "A104", "`circle` holds 1 value, found 0"),
    (("box", 1.0, 2, 3), "A104", "`box` holds 2 values, found 3"),
    (("circle", "x"), "A102", "argument `s.circle`: expected f64"),
])
def test_mistakes_are_said(module: Any, value: Any, code: str, said: str) -> None:
    with pytest.raises(dad.DadArgumentError) as error:
        module.area(value)
    assert error.value.code == code
    assert said in str(error.value)


def test_a_built_module_needs_numpy_alone(tmp_path: Path) -> None:
    source = tmp_path / "shapes.dad"
    source.write_text(PROGRAM, encoding="utf-8")
    from dad.cli import main

    assert main(["build", str(source), "-o", str(tmp_path)]) == 0
    run = "import shapes; print(shapes.made(0.5), shapes.added('none', [1]), shapes.area.grad(('circle', 2.0)).circle)"
    done = subprocess.run([sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {run}"], cwd=tmp_path,
                          capture_output=True, text=True, check=False)
    assert done.stdout.split("\n")[0] == "('box', 0.5, 2) none 12.0", done.stderr
    stub = (tmp_path / "shapes.pyi").read_text(encoding="utf-8")
    assert 'tuple[Literal["box"], float, int]' in stub
