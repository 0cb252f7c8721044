"""What searches and samplers demand of the functions that they are given, however these get there."""
from __future__ import annotations

import re

import pytest
from dad import driver
from dad.lang.diagnostics.report import Diagnostic
from dad.lang.source import Source
from dad.tests.grades.test_messages import said

JUMP = "(if x[0] < 1 then x[0] else 2 * x[0]) + x[1] * x[1]"
"""C0 and no more at 1, with a jump of 1."""
CALLS = {  # how each is called, and the grade that it needs
    "gradient_descent": ("optimise.gradient_descent {rate = 0.1, steps = 3} F [0, 0]", "C1"),
    "adam": ("optimise.adam {rate = 0.1, steps = 3} (\\_i -> F) [0, 0]", "lip"),
    "lbfgs": ("optimise.lbfgs F [0, 0]", "C1"),
    "newton": ("optimise.newton F [0, 0]", "C2"),
    "gauss_newton": ("optimise.gauss_newton (\\x -> [F x, x[0]]) [0, 0]", "C1"),
    "levenberg_marquardt": ("optimise.levenberg_marquardt (\\x -> [F x, x[0]]) [0, 0]", "C1"),
    "hmc": ("mcmc.hmc 3 F [0, 0] (random.seed 1)", "C1"),
    "nuts": ("mcmc.nuts 3 F [0, 0] (random.seed 1)", "C1"),
}
OBJECTIVES = {  # from better to worse, with the grade
    "C2": "(if x[0] < 1 then 0 else (x[0] - 1) ** 3) + x[1] * x[1]",
    "C1": "(if x[0] < 1 then 0 else (x[0] - 1) ** 2) + x[1] * x[1]",
    "lip": "abs (x[0] - 1) + x[1] * x[1]",
    "jump": JUMP,
}


def errors(program: str) -> list[Diagnostic]:
    checking = driver.check(Source("example.dad", program))
    assert not checking.diagnostics, checking.diagnostics
    return list(driver.promises(checking))


@pytest.mark.parametrize("name", CALLS)
def test_each_needs_its_grade(name: str) -> None:
    """What is good enough is accepted, the next worse is refused, with the size of what is wrong."""
    call, needs = CALLS[name]
    grades = list(OBJECTIVES)
    worse = grades[grades.index(needs) + 1]
    text = f"def good (x: [2]f64) : f64 = {OBJECTIVES[needs]}\n" \
           f"def bad (x: [2]f64) : f64 = {OBJECTIVES[worse]}\n" \
           f"def fine = {call.replace('F', 'good')}\n" \
           f"def wrong = {call.replace('F', 'bad')}\n"
    [error] = errors(text)
    assert error.message.endswith(f"but `{name}` needs {needs}")
    assert [label.span.line for label in error.labels] == [2, 4]
    notes = "\n".join(error.notes)
    assert re.search(r"for example at x = \[1, .*: the (value|slope|second derivative) jumps by \d", notes)


WAYS = {
    "lambda": "def use = optimise.lbfgs (\\x -> JUMP) [0, 0]",
    "definition": "def f (x: [2]f64) : f64 = JUMP\ndef use = optimise.lbfgs f [0, 0]",
    "partial application": "def f (k: f64) (x: [2]f64) : f64 = k + JUMP\n"
                           "def use (k: f64) = optimise.lbfgs (f k) [0, 0]",
    "pipe": "def f (x: [2]f64) : f64 = JUMP\ndef use (y: f64) = [y, 0] |> optimise.lbfgs f",
    "composition": "def f (x: [2]f64) : f64 = JUMP\ndef use = optimise.lbfgs (f >-> (+ 1)) [0, 0]",
    "local function": "def use (k: f64) = let f (x: [2]f64) : f64 = k + JUMP in optimise.lbfgs f [0, 0]",
    "wrapper": "def search (f: [2]f64 -> f64) (x0: [2]f64) = (optimise.lbfgs f x0).x\n"
               "def use = search (\\x -> JUMP) [0, 0]",
    "wrapper of a wrapper": "def search (f: [2]f64 -> f64) = (optimise.lbfgs f [0, 0]).x\n"
                            "def again (f: [2]f64 -> f64) = search (\\x -> 2 * f x)\n"
                            "def use (k: f64) = again (\\x -> k + JUMP)",
    "wrapper of any type": "def search 'a (f: a -> f64) (x0: a) = (optimise.lbfgs f x0).x\n"
                           "def use = search (\\(x: [2]f64) -> JUMP) [0, 0]",
    "wrapper that demands": "def search (f: [2]f64 -> f64 @ C1) = (optimise.lbfgs f [0, 0]).x\n"
                            "def use = search (\\x -> JUMP)",
    "record": "type^ problem = {cost: [2]f64 -> f64, start: [2]f64}\n"
              "def search (p: problem) = (optimise.lbfgs p.cost p.start).x\n"
              "def use = search {cost = \\x -> JUMP, start = [0, 0]}",
    "pair": "def search (p: ([2]f64 -> f64, [2]f64)) = (optimise.lbfgs p.0 p.1).x\n"
            "def use = search (\\x -> JUMP, [0, 0])",
    "a record for parameters": "def f (p: {a: f64, b: f64}) : f64 = (if p.a < 1 then p.a else 2 * p.a) + p.b\n"
                               "def use = optimise.lbfgs f {a = 0.0, b = 0.0}",
}


@pytest.mark.parametrize("way", WAYS)
def test_however_it_gets_there(way: str) -> None:
    text = WAYS[way].replace("JUMP", JUMP)
    [error] = errors(text)
    assert error.code == "S102"
    assert "the function that is given is discontinuous" in error.message
    notes = "\n".join(error.notes)
    assert "the value jumps by" in notes
    assert "the arms differ by" in notes
    lines = text.splitlines()
    branch, demand, *rest = error.labels
    assert "if " in lines[branch.span.line - 1]
    assert "needs C1 of it" in demand.text
    if way.startswith("wrapper of") or way in ("wrapper", "record", "pair"):
        assert "optimise.lbfgs" in lines[demand.span.line - 1]
        assert [label.text for label in rest] == ["from here it is passed on to `lbfgs`"]
        assert lines[rest[0].span.line - 1].startswith("def use")
    assert not errors(text.replace(" else 2 * x[0]", " else x[0]").replace(" else 2 * p.a", " else p.a"))


def test_a_wrapper_alone_is_no_mistake() -> None:
    """What it is given is looked at where it is used; where it says a grade, that must do."""
    wrapper = "def search (f: [2]f64 -> f64GRADE) = (optimise.lbfgs (\\x -> f x + x[0]) [0, 0]).x\n"
    assert said(wrapper.replace("GRADE", "")) == "\n"
    assert said(wrapper.replace("GRADE", " @ C1")) == "\n"
    assert "is only lip in `x`, but `lbfgs` needs C1" in said(wrapper.replace("GRADE", " @ lip"))


def test_what_is_captured_is_held() -> None:
    """A jump in what the objective captures is none for the search; a point is shown with what is captured there."""
    held = "def use (k: f64{>0}) = optimise.lbfgs (\\x -> (if k < 1 then 1.0 else 2.0) * x[0] * x[0]) [0]"
    assert not errors(held)
    [error] = errors("def use (k: f64{>0}) = optimise.lbfgs (\\x -> if x[0] < k then x[0] else 2 * x[0]) [0]")
    at = re.search(r"x = \[([-\d.]+).*?, with k = ([-\d.]+): the value jumps by ([\d.]+)", "\n".join(error.notes))
    assert at is not None
    assert at[1] == at[2] == at[3]
    assert float(at[2]) > 0


def test_points_have_the_sizes_of_their_types() -> None:
    """A witness has as many numbers as the parameter, whether its size is written or follows from the start."""
    for f in ("f", "(\\p -> f p)"):
        [error] = errors("def f (p: [2]f64) : f64 = if p[0] < 1 then p[0] + p[1] else 2 * p[0]\n"
                         f"def use = optimise.lbfgs {f} [0, 0]")
        assert re.search(r"at p = \[[-\d.e]+, [-\d.e]+\]: the value jumps", "\n".join(error.notes)), error.notes


def test_what_a_search_gives() -> None:
    """Steps are looked into; of a search nothing is known, until the program says so."""
    f = "def f (k: f64) (x: [1]f64) : f64 = (x[0] - k) ** 2\n"
    assert not errors(f + "def g (k: f64) : [1]f64 @ smooth = "
                          "optimise.gradient_descent {rate = 0.1, steps = 9} (f k) [0]")
    text = f + "def g (k: f64) : f64 @ C1 = (optimise.lbfgs (f k) [0]).x[0]"
    [error] = errors(text)
    assert error.code == "S104"
    assert "`lbfgs` searches" in "\n".join(error.notes)
    assert 'assume C1(x) "one minimum, and it is not flat"' in (error.help or "")
    assert not errors(f + "def g (k: f64) : f64 @ C1 =\n  let x = (optimise.lbfgs (f k) [0]).x\n"
                          '  assume C1(x) "one minimum, and it is not flat"\n  in x[0]')
