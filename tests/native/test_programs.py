"""Programs with one code are compiled once: rows, constants and places are data."""
from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import patch

import dad
import numpy as np
import pytest
from dad import driver
from dad.codegen.backends.native import jit, programs
from dad.lang.core import ir
from dad.lang.core.build import Builder, Fresh
from dad.lang.core.data import code, outline

ROWS = 40


def text(constants: list[float], head: str = "") -> str:
    terms = "\n  + ".join(f"exp (x[{k % 5}] * {c!r}) * sin x[{(k * k) % 5}]" for k, c in enumerate(constants))
    return f"{head}entry f (x: [5]f64) : f64 =\n  {terms}\n"


@pytest.fixture
def compiled() -> Iterator[list[str]]:
    """What is compiled meanwhile: passes and object code."""
    seen: list[str] = []
    optimised, code = driver.optimised, jit.object_code

    def passes(*args: object, **named: object) -> object:
        seen.append("passes")
        return optimised(*args, **named)  # type: ignore[arg-type]

    def machine(*args: object) -> bytes:
        seen.append("code")
        return code(*args)  # type: ignore[arg-type]

    with patch.object(driver, "optimised", passes), patch.object(jit, "object_code", machine):
        yield seen


def test_other_constants_and_rows_compile_nothing(compiled: list[str]) -> None:
    x = np.linspace(0.1, 0.9, 5)
    constants = [0.25 + k / 64 for k in range(ROWS)]
    programs.forget()
    dad.compile(text(constants), target="native", tier=0).f.value_and_grad(x)
    assert "passes" in compiled
    compiled.clear()
    for changed in ([*constants[:7], 3.5, *constants[8:]], constants[:-2], [*constants, 1.5, 2.5]):
        value, gradient = dad.compile(text(changed), target="native", tier=0).f.value_and_grad(x)
        assert compiled == []
        programs.forget()
        again, afresh = dad.compile(text(changed), target="native", tier=0).f.value_and_grad(x)
        compiled.clear()
        assert value == again
        assert gradient.tobytes() == afresh.tobytes()


def test_a_program_keeps_its_rows_when_another_one_gets_the_code() -> None:
    x = np.linspace(0.1, 0.9, 5)
    one, two = (dad.compile(text([c] * 20 + [0.5] * 20), target="native") for c in (0.25, 0.75))
    before = one.f(x)
    assert two.f(x) != before
    assert one.f(x) == before
    assert two.f(x) == dad.compile(text([0.75] * 20 + [0.5] * 20), target="interp").f(x)


def test_failures_are_where_this_program_says() -> None:
    body = "entry f [n] (x: [n]f64) (i: i64) : f64 =\n  x[i] * 2\n"
    for lines in (0, 3):
        module = dad.compile("\n" * lines + body, target="native", name="here.dad")
        with pytest.raises(dad.RunError, match=f"here.dad:{lines + 2}"):
            module.f([1.0, 2.0], 5)
        with pytest.raises(dad.RunError, match=f"here.dad:{lines + 2}"):
            module.f.grad([1.0, 2.0], 5)


def test_few_programs_are_remembered() -> None:
    programs.forget()
    for k in range(programs.MOST + 5):
        dad.compile(f"entry f (x: f64) : f64 = x * {k + 3}", target="native").f(1.0)
    assert len(programs._known) == programs.MOST


def program(*ops: tuple[str, float]) -> ir.Program:
    b = Builder(Fresh())
    x = b.fresh("x", ir.F64)
    value: ir.Atom = x
    for name, constant in ops:
        value = b.prim(name, value, ir.Const(constant, "f64"))
    return ir.Program({"f": ir.Function("f", (x,), b.block([value]))})


def test_outlines_differ_where_codes_do() -> None:
    made = [program(*ops) for ops in ([("add", 1.0)], [("add", 2.0)], [("sub", 1.0)], [("add", 1.0), ("add", 1.0)],
                                      [("add", 0.0)], [("add", -0.0)], [])]
    for one in made:
        for other in made:
            assert (outline(one).key == outline(other).key) == (code(one) == code(other))
