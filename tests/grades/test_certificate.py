"""Certificates: counts are those of an interpreter that looks on, on generated programs and every target; distances and
steps are what they say.
"""
from __future__ import annotations

import math
from collections import Counter
from typing import Any

import dad
import numpy as np
import pytest
from dad import driver
from dad.codegen import interp
from dad.codegen.passes.certificate import Key, Watch, kind_of, watching, written, written_by_user
from dad.codegen.passes.extremes import extremes
from dad.codegen.runtime.errors import DadArgumentError, RunError
from dad.driver import deepen
from dad.lang.core import ir
from dad.lang.core.verify import verify
from dad.modules import available, differentiated, takes_derivatives
from dad.tests.programs.campaign import Case
from dad.tests.programs.properties import is_float, trial
from dad.tests.programs.subjects import Refused, Subject

TARGETS = available()


class Onlooker(interp.Run):
    """Counts what is decided at the places of a `Watch`, by the values that come there."""

    def __init__(self, program: ir.Program, env: interp.Env, steps: interp.Steps, watch: Watch,
                 counts: dict[Key, Counter[str]], via: Key = ()) -> None:
        super().__init__(program, env, steps)
        self.via = via
        """The user's call of the function of the library that is run."""
        self.watch = watch
        self.counts = counts

    def perform(self, stmt: ir.Stmt) -> tuple[Any, ...]:
        if id(stmt) in self.watch.stmts:
            assert isinstance(stmt.op, ir.Prim)
            key = (id(stmt),) if written_by_user(stmt) else (*self.via, id(stmt))
            self.look(self.counts.setdefault(key, Counter()), stmt.op)
        if isinstance(stmt.op, ir.Call):
            function = self.program.functions[stmt.op.function]
            env = dict(zip(function.params, self.values(stmt.op.args), strict=True))
            via = (id(stmt),) if written_by_user(stmt) else self.via
            return Onlooker(self.program, env, self.steps, self.watch, self.counts, via).block(function.body)
        if isinstance(stmt.op, ir.Custom):
            inside, self.counts = self.counts, {}
            try:
                return self.op(stmt.op)
            finally:
                self.counts = inside
        return super().perform(stmt)

    def look(self, count: Counter[str], op: ir.Prim) -> None:
        args = [np.asarray(x, float) for x in self.values(op.args)]
        kind = kind_of(op)
        if kind == "choice":
            x = args[0]
            if op.name in ("cummax", "cummin"):
                best = (np.fmax if op.name == "cummax" else np.fmin).accumulate(x) if len(x) else x
                gaps = x[1:] - best[:-1]
                count["below"] += int(np.sum(gaps < 0))
                count["above"] += int(np.sum(gaps > 0))
                count["on"] += int(np.sum(gaps == 0))
            elif len(x) > 1:
                order = np.sort(x)
                gaps = np.diff(order) if op.name == "argsort" else order[-1:] - order[-2:-1]
                if op.name in ("minimum", "argmin"):
                    gaps = order[1:2] - order[:1]
                count["above"] += int(np.sum(gaps > 0))
                count["on"] += int(np.sum(gaps == 0))
            return
        if kind == "step":
            at = args[0] / args[1] if op.name in ("mod", "rem") else args[0] - 0.5 * (op.name == "round")
            off = np.abs(at - np.rint(at))
            count["above"] += int(np.sum(off > 0))
            count["on"] += int(np.sum(off == 0))
            return
        if op.name in ("abs", "sign"):
            d = args[0]
        elif op.name == "hypot":
            d = np.hypot(*args)
        elif op.name == "copysign":
            d = args[1]
        elif op.name in ("atan2", "atan2pi"):
            d = np.where(args[1] >= 0, np.inf, args[0])
        else:
            d = args[0] - args[1]
        count["below"] += int(np.sum(d < 0))
        count["above"] += int(np.sum(d > 0))
        count["on"] += int(np.sum(d == 0))


def compared(seed: int) -> str:
    case = Case(seed)
    try:
        subject = Subject(case.program)
    except Refused:
        return "refused"
    t = trial(subject, case.sizes, seed)
    program = driver.lowered(subject.checked).program
    if takes_derivatives(program):
        return "derivatives"
    active = [is_float(x) for x in t.leaves]
    watch = watching(program, "main", active)
    made, name, sites = written(watch, "main", serial=seed % 2 == 0)
    verify(made)
    counts: dict[Key, Counter[str]] = {}
    function = watch.program.functions["main"]
    values = [interp.argument(p, x) for p, x in zip(function.params, t.leaves, strict=True)]
    try:
        with np.errstate(all="ignore"):
            Onlooker(watch.program, dict(zip(function.params, values, strict=True)), interp.Steps(), watch,
                     counts).block(function.body)
    except RunError:
        return "fails"
    found, least = interp.run(differentiated(made), name, t.leaves)
    for k, key in enumerate(watch.keys["main"]):
        wanted = [counts.get(key, Counter())[side] for side in ("below", "above", "on")]
        assert found[3 * k:3 * k + 3].tolist() == wanted, f"seed {seed}: {sites[k]}"
        assert not wanted[2] or least[k] == 0
        assert sum(wanted) or least[k] == math.inf
    return "agrees" if sites else "nothing decided"


def test_counts_are_those_of_an_interpreter_that_looks_on() -> None:
    deepen()
    outcomes = Counter(compared(seed) for seed in range(120))
    assert outcomes["agrees"] > 25, outcomes


MODEL = """
def act (k: f64) (v: f64) : f64 = if v < k then v else 2 * v
entry f [n] (x: [n]f64) (k: f64) : f64 =
  let s = sum (map (act k) x)
  let (s, _) = loop (s, i) = (s, 0) while s > 1 && i < 20 do (s / 2, i + 1)
  let m = maximum (map abs x)
  in s + m + (if k == 0 then 1 else floor k)
"""


@pytest.mark.parametrize("target", TARGETS)
def test_every_target(target: str) -> None:
    f = dad.compile(MODEL, target=target).f
    x = np.array([1.0, -2.0, 3.0, 0.5])
    value, gradient, certificate = f.value_and_grad(x, 1.0, certificate=True)
    assert (value, gradient.k) == (f(x, 1.0), f.grad(x, 1.0).k)
    found = {s.text: (s.below, s.above, s.on, s.distance) for s in certificate}
    assert found == {
        "s > 1": (1, 3, 0, 0.1875), "(map abs x)": (1, 3, 0, 0.5), "maximum (map abs x)": (0, 1, 0, 1.0),
        "k == 0": (0, 1, 0, 1.0), "floor k": (0, 0, 1, 0.0), "v < k": (2, 1, 1, 0.0),
    }  # fmt: skip
    switches = {s.text: s for s in certificate}
    assert switches["v < k"].taken == (2, 2)
    assert switches["s > 1"].step == pytest.approx(0.1875 / math.sqrt(0.25**2 + 0.125**2 + 0.25**2 + 0.125**2))
    assert switches["maximum (map abs x)"].step == pytest.approx(math.sqrt(0.5))
    assert [s.line for s in certificate.ties] == [7, 2]
    assert "exactly (lines 2, 7)" in str(certificate)


def test_only_what_the_parameters_decide() -> None:
    f = dad.compile("entry f (x: f64) (k: data f64) (n: i64) : f64 =\n"
                    "  if k > 0 then x else if n > 3 then if x > k then x else 0 else x").f
    _, _, certificate = f.value_and_grad(1.0, -2.0, 4, certificate=True)
    assert [s.text for s in certificate] == ["x > k"]
    assert certificate.nearest.step == 3.0
    assert "shorter than 3 changes" in str(certificate)
    _, _, certificate = f.value_and_grad(1.0, 2.0, 4, certificate=True)
    assert certificate.switches[0].visits == 0
    assert certificate.step == math.inf
    assert "not reached" in str(certificate)


def test_stop_grad_and_what_is_smooth_decide_nothing() -> None:
    f = dad.compile("entry f (x: f64) : f64 = if stop_grad x > 0 then exp x else x").f
    value, _, certificate = f.value_and_grad(1.0, certificate=True)
    assert value == pytest.approx(math.e)
    assert len(certificate) == 0
    assert "misses no branch" in str(certificate)


@pytest.mark.parametrize("target", TARGETS)
def test_running_extremes_and_what_is_no_number(target: str) -> None:
    m = dad.compile("entry run [n] (x: [n]f64) : f64 = sum (scan max (-f64.inf) x)\n"
                    "entry low [n] (x: [n]f64) : f64 = (sort.sort x)[0] + x[argmin x]\n"
                    "entry up (x: f64) : f64 = if x > 0 then x else 0", target=target)
    _, _, certificate = m.run.value_and_grad(np.array([1.0, 3.0, 3.0, 2.5]), certificate=True)
    [switch] = certificate
    assert (switch.below, switch.above, switch.on, switch.distance) == (1, 1, 1, 0.0)
    _, _, certificate = m.run.value_and_grad(np.array([1.0, 3.0, 2.5]), certificate=True)
    assert certificate.step == pytest.approx(math.sqrt(0.125))
    for short in ([], [1.0]):
        assert m.run.value_and_grad(np.array(short), certificate=True)[2].step == math.inf
    assert "exactly (line 2):" in str(m.low.value_and_grad(np.array([0.0, 0.0]), certificate=True)[2])
    assert "not a number" in str(m.up.value_and_grad(math.nan, certificate=True)[2])


@pytest.mark.parametrize("target", TARGETS)
def test_switches_of_the_library_are_those_of_calls(target: str) -> None:
    f = dad.compile("def far [n] (p: [n]f64) (q: [n]f64) : f64 =\n"
                    "  norm (p - q)\n"
                    "entry f [n] (p: [n]f64) (q: [n]f64) : f64 =\n"
                    "  far p q + norm p + sum (map (\\x -> norm [x, 3]) q) + norm q", target=target).f
    certificate = f.value_and_grad(np.array([3.0, 4.0]), np.array([3.0, 4.0]), certificate=True)[2]
    assert {(s.text, s.line, s.function): (s.said, s.distance) for s in certificate} == {
        ("s > 0 in norm (p - q)", 2, "far"): ("0 true, 1 false, 1 equal", 0.0),
        ("s > 0 in norm p", 4, "f"): ("1 true, 0 false", 25.0),
        ("s > 0 in norm [x, 3]", 4, "f"): ("2 true, 0 false", 18.0),
        ("s > 0 in norm q", 4, "f"): ("1 true, 0 false", 25.0),
    }
    assert "exactly (line 2)" in str(certificate)


def test_wrt_says_by_which_parameters() -> None:
    f = dad.compile("entry f (x: f64) (k: f64) : f64 = (if x < 1 then x else 1) * (if k < 2 then k else 2)").f
    assert [s.text for s in f.value_and_grad(0.0, 0.0, wrt="k", certificate=True)[2]] == ["k < 2"]


def test_recursion_and_functions_called_twice() -> None:
    f = dad.compile("def down (x: f64) (n: i64) : f64 = if n == 0 then x else if x > 1 then down (x / 2) (n - 1) "
                    "else down (x * 3) (n - 1)\nentry f (x: f64) : f64 = down x 5 + down (x + 1) 3").f
    certificate = f.value_and_grad(4.0, certificate=True)[2]
    [switch] = certificate
    assert switch.visits == 8
    values, seen = [], 0
    for x, n in ((4.0, 5), (5.0, 3)):
        for _ in range(n):
            values.append(x)
            seen += x > 1
            x = x / 2 if x > 1 else x * 3
    assert switch.taken == (seen, 8 - seen)
    assert switch.distance == min(abs(x - 1) for x in values)


def test_derivatives_inside_are_watched_once() -> None:
    f = dad.compile("entry f (x: f64) : f64 = grad (\\y -> if y > 2 then y * y * y else y * y) x").f
    value, _, certificate = f.value_and_grad(3.0, certificate=True)
    assert value == 27.0
    assert [(s.text, s.taken, s.distance) for s in certificate] == [("y > 2", (1, 0), 1.0)]


def test_rules_of_the_programs_own_are_not_looked_into() -> None:
    program = ("entry f (x: f64) : f64 =\n"
               "  with_vjp (\\(y: f64) -> if y > 0 then y else 0) (\\(_: f64) (c: f64) -> c) x + abs x")
    checked = dad.compile(program).f
    _, gradient, certificate = checked.value_and_grad(-1.0, certificate=True)
    assert gradient == 0.0
    assert [s.name for s in certificate] == ["abs"]


def test_a_built_module_has_none() -> None:
    from dad.codegen.runtime.entry import Entry

    entry = Entry("f", lambda x: x, (("x", "", ("scalar", "f64")),), ("scalar", "f64"), wrt=("x",))
    with pytest.raises(DadArgumentError, match="without certificates"):
        entry.value_and_grad(1.0, certificate=True)


def test_folds_carry_their_numbers() -> None:
    """A fold by an operator that is no extreme: what the operator decides."""
    f = dad.compile("entry f [n] (x: [n]f64) : f64 =\n"
                    "  let ys = scan (\\a b -> if a + b > 10 then 10 else a + b) 0 x\n"
                    "  in sum ys + reduce (\\a b -> if a + b > 5 then 5 else a + b) 0 x").f
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    certificate = f.value_and_grad(x, certificate=True)[2]
    assert [(s.text, s.visits >= 4) for s in certificate] == [("a + b > 10", True), ("a + b > 5", True)]
    assert certificate.switches[0].distance == 0.0
    empty = f.value_and_grad(np.zeros(0), certificate=True)[2]
    assert [s.distance for s in empty] == [math.inf, math.inf]


def test_extremes_are_the_same_program() -> None:
    """The watch is of the program whose folds are extremes: `maximum` is one choice, not a fold of comparisons."""
    program = dad.compile("entry f [n] (x: [n]f64) : f64 = maximum x").f.compiler.lowered().program
    watch = watching(program, "f", [True])
    assert [s.name for s in written(watch, "f")[2]] == ["maximum"]
    assert extremes(program).functions.keys() == program.functions.keys()
