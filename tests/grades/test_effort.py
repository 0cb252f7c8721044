"""What grading costs is counted, has an end, and is the same each time."""
from __future__ import annotations

from fractions import Fraction

import pytest
from dad import driver, graded
from dad.grades import effort, terms
from dad.grades.effort import Effort, Pool
from dad.grades.facts import NO_FACTS, Facts
from dad.grades.intervals import LONG, Interval
from dad.grades.normal import of_atom
from dad.grades.polynomials import Poly, constant, generator, quotient
from dad.grades.prove import TOO_MANY, across
from dad.grades.report import Report
from dad.grades.terms import apply, compare, few, number, show, show_condition
from dad.lang.source import Source


def report(text: str) -> tuple[Report, float]:
    """Grades of all definitions, and the work that they took."""
    checking = driver.check(Source("example.dad", text))
    assert not checking.diagnostics
    with effort.effort(10**12, asking=False):
        found = driver.graded(checking)
        return found, 10**12 - Effort.left


def chain(steps: int, step: str, promise: str = "@ C1") -> str:
    lines = [f"  let x{k + 1} = {step.replace('@', f'x{k}').replace('#', str(k))}\n" for k in range(steps)]
    return f"def f (x0: f64) (y: f64) : f64 {promise} =\n{''.join(lines)}  in x{steps}\n"


HARD = {
    "branches of branches": chain(14, "if @ > # then @ * @ else 2 * # * @ - # * #"),
    "conditions of conditions": "def f (x: f64) (y: f64) : f64 @ C1 =\n  let b0 = x > 0\n" + "".join(
        f"  let b{k + 1} = (b{k} && x > {k}.5) || (!b{k} && y < {k})\n" for k in range(20)) +
    "  in if b20 then x else y\n",
    "doubled": chain(60, "@ * @ + @"),
    "absolute values": chain(30, "abs (@ * @ - y)"),
    "calls of calls": """
def f (n: i64) (x: f64) (y: f64) : f64 @ C1 =
  if n <= 0 then max x y
  else if x > y then f (n - 1) (x - y) (y * 0.5) + f (n - 2) y x
  else f (n - 1) (abs x) (x + y) * f (n - 3) (y - 1) x
""",
    "vast powers": chain(30, "@ ** 40 + y"),
    "vast numbers": "def f (x: f64) : f64 @ C1 =\n  let a0 = 1.1\n" + "".join(
        f"  let a{k + 1} = a{k} * a{k}\n" for k in range(60)) + "  in if x > a60 then x else a60\n",
    "exponentials": chain(30, "exp (@ * 0.5) + log (1 + @ * @)"),
    "the largest of many": f"def f (x: f64) (y: f64) : f64 @ C1 =\n  {'max (x * y) (' * 60}x{')' * 60}\n",
    "calls that double": "def g0 (x: f64) : f64 @ C1 = if x > 0 then x * x else 0\n" + "".join(
        f"def g{k + 1} (x: f64) : f64 @ C1 = g{k} (x - {k}) + g{k} (x + {k})\n" for k in range(25)),
}


@pytest.mark.parametrize("name", HARD)
def test_work_has_an_end(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little work is given; no more than that, and what belongs to no question, is done."""
    monkeypatch.setattr(effort, "LEAST", 500)
    monkeypatch.setattr(effort, "SHARE", 20)
    monkeypatch.setattr(graded.Search, "MOST", 0)
    monkeypatch.setattr(graded.Narrow, "MOST", 0)
    monkeypatch.setattr(Pool.__init__, "__defaults__", (2_000,))
    text = HARD[name]
    found, work = report(text)
    definitions = max(text.count("def "), 1)
    assert work < 2 * (definitions * 500 + 3_000 + 200 * len(text.splitlines())) + 2 * len(text)
    assert set(found.functions)


def test_what_is_given_up_counts_as_a_jump() -> None:
    x = terms.atom("x", "x")
    square = apply("mul", (x, x))
    branch = compare(">", x, terms.ZERO), [square], [terms.ZERO], Facts.none()
    assert across(*branch, lambda a: True).grade == "C1"
    spent = across(*branch, lambda a: True, effort=5)
    assert (spent.grade, spent.proved, spent.why) == ("jump", False, TOO_MANY)


def test_a_question_that_takes_too_long_is_not_answered() -> None:
    x, y = (terms.atom(("asked nowhere else", name), name) for name in "xy")
    term = apply("add", (apply("mul", (x, x)), apply("mul", (y, y))))
    with effort.effort(0, asking=False):
        facts = NO_FACTS.assume(compare("<", terms.ZERO, x))
        assert facts.interval(term).lo == -float("inf")
        assert facts.decides(compare("<", x, y)) is None
        assert not facts.nonzero(apply("add", (term, terms.ONE)))
    assert facts.nonzero(apply("add", (term, terms.ONE)))


def test_work_is_the_same_each_time() -> None:
    text = "def f (x: f64) (d: f64{>0}) : f64 @ C1 = if abs x <= d then x * x / 2 else d * (abs x - d / 2)\n"
    other = "def g (x: f64) (d: f64{>0}) : f64 @ C1 = if abs x <= d then x * x / 2 else d * (abs x - d / 2)\n"
    _, first = report(text)
    both, work = report(text + other)
    assert report(text)[1] == first
    assert abs(work - 2 * first) <= first / 2
    assert {f.grades["x"] for f in both.functions.values()} == {"C1+"} or \
        {f.grades["x"] for f in both.functions.values()} == {"C1"}


def test_work_grows_with_the_length_of_a_program() -> None:
    def program(count: int) -> str:
        return "".join(f"def f{k} (x: f64) (y: f64) : f64 @ C1 = if x * y > {k} then (x * y - {k}) ** 2 else 0\n"
                       for k in range(count))
    small, large = report(program(4))[1], report(program(16))[1]
    assert large < 5 * small


@pytest.mark.parametrize("summand", [
    "abs (p * {k} - q * q) + (if p > {k} * q then p * p else q * q * {k} * {k})",
    "(if p > {k} * q then (p - {k} * q) ** 2 else 0) + (if q > {k} then q else {k})"])
def test_work_grows_with_the_number_of_summands(summand: str) -> None:
    """Each boundary is asked about once, in its own summand, and none where nothing would come of it."""
    def program(count: int) -> str:
        return "def f (p: f64) (q: f64) : f64 @ lip =\n  0" + "".join(
            "\n  + " + summand.format(k=k) for k in range(1, count + 1)) + "\n"
    small, large = report(program(5))[1], report(program(20))[1]
    assert large < 5 * small
    assert small < 5_000


def test_a_hard_definition_leaves_work_to_others() -> None:
    pool = Pool(1000)
    with pool.share(0):
        Effort.spend(10**6)
    assert pool.left == 500
    with pool.share(0):
        Effort.spend(10)
    assert pool.left == 500


def test_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effort, "LEAST", 100)
    monkeypatch.setattr(effort, "SHARE", 0)
    monkeypatch.setattr(graded.Search, "MOST", 0)
    monkeypatch.setattr(Pool.__init__, "__defaults__", (0,))
    found, _ = report("def f (x: f64) (y: f64) : f64 @ C1(x) = if x * y > sin x then x * y else sin x\n")
    (error,) = found.diagnostics
    assert error.code == "S103"
    assert "too many cases" in " ".join(error.notes)
    assert "assume C1(y)" in (error.help or "")
    assert "@ allow" in (error.help or "")


# ---------------------------------------------------------------- numbers and texts that grow


def test_ends_of_intervals_keep_few_digits() -> None:
    i = Interval(Fraction(1, 3), Fraction(7, 5), False, False)
    exact_lo, exact_hi = i.lo, i.hi
    for _ in range(14):
        i = i.times(i)
        exact_lo, exact_hi = exact_lo * exact_lo, exact_hi * exact_hi
        assert i.lo <= exact_lo
        assert exact_hi <= i.hi
        assert i.nonnegative
        assert not i.empty
    assert i.hi == float("inf") or Fraction(i.hi).numerator.bit_length() <= 4 * LONG
    vast = Interval(Fraction(-3, 2), Fraction(5, 4)).power(10**6 + 1)
    assert vast.lo <= -10**300
    assert vast.hi >= 10**300
    tiny = Interval(Fraction(1, 1000), 1, False, False).power(10**5)
    assert tiny.positive
    assert tiny.hi == 1


def test_ends_that_are_no_doubles_meet_infinite_ones() -> None:
    vast = Interval(10**350, 10**351)
    beyond = Interval(1, float("inf"))
    assert vast.times(beyond).lo == beyond.times(vast).lo == 10**350
    assert vast.times(beyond).hi == vast.plus(beyond).hi == float("inf")
    assert vast.scale(-1).times(beyond).lo == vast.times(beyond.scale(-1)).lo == -float("inf")
    assert beyond.times(beyond.scale(-1)).lo == -float("inf")


def test_nothing_has_no_inverse() -> None:
    assert Interval(0, 0, True, False).inverse() == Interval(0, 0, False, True).inverse() == Interval(
        -float("inf"), float("inf"))


def test_coefficients_that_are_whole_are_ints() -> None:
    x, y = (of_atom(terms.atom(n, n)).num for n in "xy")
    half = constant(Fraction(1, 2))
    for p in (half * x + half * x, (x.scale(Fraction(1, 2)) + y) * constant(2), x.scale(Fraction(3, 7)).scale(7),
              (x * x).derivative(next(iter(x.generators))), constant(Fraction(4, 2)) + generator(0)):
        assert all(type(c) is int for c in p.terms.values()), p.terms
    assert type(quotient(6, 3)) is int
    assert quotient(1, 3) == Fraction(1, 3)
    assert Poly({(): 2}) == constant(Fraction(2))


def test_long_formulas_are_written_out_in_part() -> None:
    t = terms.atom("x", "x")
    cond = compare("<", t, terms.ONE)
    for _ in range(200):
        t = apply("add", (apply("sin", (t,)), apply("mul", (t, t))))
        cond = terms.conj(cond, terms.disj(compare("<", t, terms.ONE), compare("<", terms.ZERO, t)))
    assert len(show(t)) < 2000
    assert "…" in show(t)
    assert len(show_condition(cond)) < 4000
    assert not few(t, 100)
    assert few(apply("neg", (terms.ONE,)), 3)
    assert show(number(Fraction(10) ** 400)) == "1e+400"
