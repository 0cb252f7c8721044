"""Edits inside the terms of a long definition: what comes out is what a first check gives."""
from __future__ import annotations

import random
import re

import pytest
from dad import driver
from dad.checker import edits
from dad.lang.source import Source
from dad.lang.surface import ast
from dad.lang.surface.walk import descendants
from dad.tests.checker.test_instances import findings
from dad.tests.front.long_programs import HEAD, edited, program

CALLERS = """
entry g (x: [20]f64) : f64 = x[0] * 2
entry h (x: [20]f64) : f64 = sum (grad (\\y -> soft y[1] (* y[2])) x)
"""
LONG = HEAD + "entry f (x: [20]f64) (p: point) (k: f64) : f64 =\n" + "".join(
    f"  let t{j} = sqrt (x[{j % 20}] * x[{j % 7}] + {j}.25) - angle x[3] x[{j % 9}] k 1.5\n" for j in range(60)
) + "  in " + "\n   + ".join(f"t{j} * t{j + 1}" for j in range(59)) + "\n"


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each edit of a term, whether the term alone was checked."""
    said: list[bool] = []
    plain = edits.replace

    def counted(*given: object) -> object:
        made = plain(*given)  # type: ignore[arg-type]  # passed on as they are
        said.append(made is not None)
        return made

    monkeypatch.setattr(edits, "replace", counted)
    return said


def compare(editing: driver.Editing, text: str) -> bool:
    """Whether there were no errors."""
    now = editing.update(Source("a.dad", text))
    assert findings(now) == findings(driver.check(Source("a.dad", text)))
    return now.checked is not None


@pytest.mark.parametrize("seed", range(10))
def test_same_findings_after_edits(seed: int) -> None:
    r = random.Random(seed)
    original = text = program(seed) + (CALLERS if seed % 2 else "")
    editing = driver.Editing()
    for _ in range(8):
        compare(editing, text)
        text = edited(text, r) if r.random() < 0.8 else f"-- New.\n{original}"


def test_a_term_alone_is_checked(replaced: list[bool]) -> None:
    r = random.Random(1)
    editing, text = driver.Editing(), LONG
    assert compare(editing, text)
    for k in range(24):
        places = list(re.finditer(r"x\[\d+\]|\d+\.\d+|\bt\d+ \*", text[len(HEAD) + 100:]))
        place = r.choice(places)
        new = {"x": f"x[{r.randrange(20)}]", "t": f"t{r.randrange(20)} *"}.get(place.group()[0], f"{r.random():.3f}")
        low, high = place.start() + len(HEAD) + 100, place.end() + len(HEAD) + 100
        text = text[:low] + new + text[high:]
        if k % 5 == 4:
            text = f"-- One line more.\n{text}"
        assert compare(editing, text)
    assert sum(replaced) > 15


def after(editing: driver.Editing, old: str, new: str, text: str = LONG) -> str:
    text = text.replace(old, new, 1)
    compare(editing, text)
    return text


def test_what_a_term_alone_does_not_show(replaced: list[bool]) -> None:
    """An index outside, another type, an unknown name, a parameter that was not used before, a name bound later."""
    editing = driver.Editing()
    compare(editing, LONG)
    text = after(editing, "x[3] x[8] k 1.5", "x[20] x[8] k 1.5")
    text = after(editing, "x[20]", "x[4]", text)
    text = after(editing, "t5 * t6", "f64.i64 (length x) * t6", text)
    text = after(editing, "t7 * t8", "p.x * t8", text)
    text = after(editing, "t9 * t10", "unknown * t10", text)
    text = after(editing, "unknown", "t9", text)
    text = after(editing, "t11 * t12", "(t11, t12)", text)
    text = after(editing, "(t11, t12)", "t11 * t12", text)
    text = after(editing, "sqrt (x[2]", "sqrt (t3 * x[2]", text)
    assert not all(replaced)


def test_definitions_that_terms_use_are_followed() -> None:
    """A definition is edited, then a term that uses it, and the other way round."""
    editing = driver.Editing()
    compare(editing, LONG)
    text = after(editing, "atan2 (by - ay)", "atan2 (by + ay)")
    text = after(editing, "x[3] x[5] k 1.5", "x[3] x[6] k 1.5", text)
    text = after(editing, "(bx: f64) (by: f64) : f64 = atan2", "(bx: f64) (by: i64) : f64 = atan2", text)
    text = after(editing, "(by: i64)", "(by: f64)", text)
    now = editing.update(Source("a.dad", text))
    assert now.checked is not None
    angle = now.checked.definitions["angle"]
    targets = [use.target.definition for node in descendants(now.program)  # type: ignore[union-attr]  # of a definition
               if isinstance(node, ast.Name) and node.name == "angle" and (use := now.checked.uses.get(node))]
    assert len(targets) == 60
    assert set(targets) == {angle}


def test_spans_follow_edits() -> None:
    editing = driver.Editing()
    editing.update(Source("a.dad", LONG))
    text = LONG
    for new in ("x[1]*1.5", "x[1] * 2", "k"):
        text = re.sub(r"sqrt \([^+]* \+ 7\.25\)", f"sqrt ({new} + 7.25)", text)
        now = editing.update(Source("a.dad", text))
        for node in descendants(now.program):
            if isinstance(node, ast.Name):
                assert node.span.text.strip("()") == ".".join((*node.qualifier, node.name))
                assert text[node.span.start:node.span.end] == node.span.text


def spans(program: ast.Program) -> list[tuple[str, int, int]]:
    return [(type(node).__name__, node.span.start, node.span.end) for node in descendants(program)]


@pytest.mark.parametrize("seed", range(5))
def test_terms_come_and_go(seed: int, replaced: list[bool]) -> None:
    """Terms of a sum are edited, added and taken away, mostly where edits were before."""
    r = random.Random(seed)

    def term() -> str:
        a, b, c = (f"x[{r.randrange(20)}]" for _ in range(3))
        return r.choice((f"angle {a} {b} {c} {r.random():.2f}", f"{a} * {b} * {r.random():.1f}",
                         f"-{a} * sqrt ({b} - {c})", f"exp ({a} / ({b} + {r.randrange(9)}))",
                         "k" if r.random() < 0.1 else f"{a} * k"))

    def joined() -> str:
        return r.choice(("\n  + ", "\n  - ", " + ", "\n  + "))

    terms = [(joined(), term()) for _ in range(80)]
    around = r.choice((("  ", "\n"), ("  let y = ", "\n  in y * 2\n"), ("  sqrt (", ")")))
    editing = driver.Editing()
    at = 0
    for _ in range(16):
        body = "".join(f"{sign}{t}" for sign, t in terms).removeprefix(terms[0][0])
        text = f"{HEAD}entry f (x: param [20]f64) (k: f64) : f64 =\n{around[0]}{body}{around[1]}\n" + (
            CALLERS if seed % 2 else "")
        now, fresh = editing.update(Source("a.dad", text)), driver.check(Source("a.dad", text))
        assert findings(now) == findings(fresh)
        assert spans(now.program) == spans(fresh.program)
        at = min(max(0, at + r.randrange(-2, 3)), len(terms) - 1) if r.random() < 0.7 else r.randrange(len(terms))
        what = r.randrange(8)
        if what < 3:
            terms.insert(at + r.randrange(2), (joined(), term()))
        elif what < 5 and len(terms) > 70:
            del terms[at]
        elif what == 5:
            terms[at] = joined(), terms[at][1]
        else:
            terms[at] = terms[at][0], "unknown * k" if r.random() < 0.2 else term()
    assert replaced
