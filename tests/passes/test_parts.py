"""Every statement of a derivative has a place in the source and says which part of the derivative it is."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from dad import driver
from dad.codegen.lower import lower
from dad.interface import usual_transforms
from dad.lang.core import ir
from dad.lang.core.part import adjoint, described, parts, placed, tangent
from dad.lang.core.walk import scopes
from dad.lang.source import Source, Span
from dad.tests.programs.programs import program as generated


def statements(text: str) -> list[ir.Stmt]:
    """Of the optimised program of all entries and their usual transforms."""
    checked = driver.check(Source("<test>", text)).require()
    made = lower(checked, usual_transforms(checked))
    program = driver.optimised(made.program, [*made.entries.values(), *made.transforms.values()])
    found: list[ir.Stmt] = []
    pending = [f.body for f in program.functions.values()]
    while pending:
        for stmt in pending.pop().stmts:
            found.append(stmt)
            pending.extend(block for _, block in scopes(stmt.op))
    return found


def test_parts_are_told_by_the_span() -> None:
    here = Span(Source("<test>", "sin x"), 0, 5)
    there = Span(Source("<test>", "f (sin x)"), 0, 9)
    assert [described(s) for s in (None, here, tangent(here), adjoint(tangent(here)))] == [
        "primal", "primal", "tangent", "adjoint of the tangent"]
    moved = placed(adjoint(here) or here, tangent(there) or there)
    assert (moved.text, parts(moved)) == ("f (sin x)", ("tangent", "adjoint"))
    assert placed(here, there) is there
    assert tangent(None) is None


def test_a_gradient_has_primal_and_adjoint_statements_on_the_lines_they_come_from() -> None:
    text = "entry f (x: f64) : f64 =\n  let s = sin x\n  in s * s"
    checked = driver.check(Source("<test>", text)).require()
    transforms = [t for t in usual_transforms(checked) if t.kind == "value_and_grad"]
    made = lower(checked, transforms, checked.entries)
    program = driver.optimised(made.program, list(made.transforms.values()))
    (function,) = program.functions.values()
    found = [(described(s.span), s.span.line if s.span else 0) for s in function.body.stmts]
    assert found == [("primal", 2), ("primal", 3), ("adjoint", 3), ("adjoint", 2), ("adjoint", 2)]


@pytest.mark.parametrize("seed", range(8))
def test_no_statement_of_a_generated_program_is_without_place(seed: int) -> None:
    found = statements(generated(Random(seed)).text)
    assert all(s.span is not None for s in found)
    kinds = Counter(described(s.span) for s in found)
    assert kinds["primal"]
    assert kinds["tangent"]
    assert kinds["adjoint"]
