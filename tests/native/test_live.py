"""A program that is being edited gives what a fresh compilation of its text gives, bit for bit."""
from __future__ import annotations

import gc
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dad
import numpy as np
import pytest
from dad import driver
from dad.codegen.backends.native import jit, programs

DEFINITIONS = ("def spring (ax: f64) (ay: f64) (bx: f64) (by: f64) (d: f64) : f64 =\n"
               "  let e = sqrt ((ax - bx) ** 2 + (ay - by) ** 2) - d in e * e",
               "def soft (a: f64) (b: f64) (k: f64) : f64 = log1p (exp (k * (a - b)))",
               "def turn (ax: f64) (ay: f64) (bx: f64) (by: f64) (t: f64) : f64 =\n"
               "  1 - cos (atan2 (by - ay) (bx - ax) - t)")
KINDS = ("spring", "soft", "turn")
COUNTS = {"spring": 4, "soft": 2, "turn": 4}
INPUTS = 8


def call(r: random.Random) -> str:
    kind = r.choice(KINDS)
    places = " ".join(f"x[{k}]" for k in r.sample(range(INPUTS), COUNTS[kind]))
    return f"{kind} {places} {r.uniform(0.5, 2):.3f}"


def formula(r: random.Random) -> str:
    a, b, c = (f"x[{k}]" for k in r.sample(range(INPUTS), 3))
    return r.choice((f"exp ({a} * {b} * {r.uniform(0.1, 0.4):.3f})", f"{a} * sin ({b} - {r.uniform(0.1, 2):.3f} * {c})",
                     f"sqrt ({a} * {a} + {b} * {b} + {r.uniform(0.1, 2):.3f})"))


class Text:
    """A program and edits of it."""

    def __init__(self, r: random.Random, count: int) -> None:
        self.r = r
        self.make = r.choice((call, formula))
        self.definitions = list(DEFINITIONS)
        self.entry, self.lets = "energy", r.random() < 0.4
        self.first = ""
        """What stands before the terms: `x` may be something else there."""
        self.terms = [self.make(r) for _ in range(count)]

    def __str__(self) -> str:
        head = "\n\n".join(self.definitions)
        if self.lets:
            lets = "\n".join(f"  let t{k} = {term}" for k, term in enumerate(self.terms))
            body = lets + "\n  in " + "\n   + ".join(f"t{k} * t{k}" for k in range(len(self.terms)))
        else:
            body = f"  {'in ' if self.first else ''}" + "\n  + ".join(self.terms)
        body = self.first + body
        return f"{head}\n\nentry {self.entry} (x: param [{INPUTS}]f64) : f64 =\n{body}\n"

    def edit(self) -> str:
        """One edit; what it was."""
        r = self.r
        what = r.choice(("constant", "constant", "variable", "variable", "operator", "insert", "insert", "delete",
                         "delete", "rename", "definition", "comment", "before"))
        at = r.randrange(len(self.terms))
        match what:
            case "constant":
                self.terms[at] = re.sub(r"\d\.\d+", f"{r.uniform(0.5, 2):.3f}", self.terms[at], count=1)
            case "variable":
                self.terms[at] = re.sub(r"x\[\d\]", f"x[{r.randrange(INPUTS)}]", self.terms[at], count=1)
            case "operator":
                self.terms[at] = f"2.5 * {self.terms[at]}" if r.random() < 0.5 else self.make(r)
            case "insert":
                self.terms.insert(r.choice((0, at, len(self.terms))), self.make(r))
            case "delete":
                del self.terms[r.choice((0, at, -1))]
            case "before":
                self.first = r.choice(("", "  let x = map (* 1.25) x\n", "  let x = x[::-1]\n", "  let y = x[0]\n",
                                       "  let (x, y) = (x, 1.5)\n"))
            case "rename":
                self.entry = "energy" if self.entry == "total" else "total"
            case "definition":
                k = r.randrange(len(self.definitions))
                self.definitions[k] = self.definitions[k].replace("1 -", "1.25 -") if "1 -" in self.definitions[k] \
                    else self.definitions[k].replace("= ", "= 0.5 * ", 1) if k == 1 \
                    else self.definitions[k].replace("e * e", f"e * e * {r.uniform(0.5, 2):.2f}")
            case _:
                self.definitions[0] = f"-- {r.random()}\n{self.definitions[0]}"
        return what


def afresh(text: str, entry: str, x: Any) -> Any:
    programs.forget()
    return getattr(dad.compile(text, target="native", tier=0), entry).value_and_grad(x)


@pytest.mark.parametrize("seed", range(4))
def test_edits_give_what_a_fresh_compilation_gives(seed: int) -> None:
    r = random.Random(seed)
    text, live = Text(r, r.choice((24, 60))), dad.Live("energy.dad", target="native", tier=0)
    x = np.linspace(-0.7, 1.3, INPUTS)
    for _ in range(10):
        value, gradient = getattr(live.update(str(text)), text.entry).value_and_grad(x)
        wanted, slope = afresh(str(text), text.entry, x)
        assert (value, gradient.tobytes()) == (wanted, slope.tobytes())
        text.edit()


def same(live: dad.Live, text: str, entry: str, x: Any) -> None:
    """What the module of a text gives is what a fresh compilation gives."""
    module = live.update(text)
    value, gradient = getattr(module, entry).value_and_grad(x)
    plain = getattr(module, entry)(x)
    wanted, slope = afresh(text, entry, x)
    assert (value, plain, gradient.tobytes()) == (wanted, wanted, slope.tobytes())


def test_tables_of_several_functions() -> None:
    """One is written anew while the other is as it was: each goes on with its own tables."""
    r = random.Random(7)

    def total(count: int) -> str:
        return "\n  + ".join(formula(r) for _ in range(count))

    def program(a: str, b: str) -> str:
        return (f"def a (x: [{INPUTS}]f64) : f64 =\n  {a}\n\ndef b (x: [{INPUTS}]f64) : f64 =\n  {b}\n\n"
                f"entry f (x: param [{INPUTS}]f64) : f64 = a x * b x\n")

    live, x = dad.Live("two.dad", target="native", tier=0), np.linspace(-0.7, 1.3, INPUTS)
    one, two = total(30), total(40)
    for a, b in ((one, two), (one, total(50)), (one + " + 1.5", two), (two, one), (one, two)):
        same(live, program(a, b), "f", x)


def counting(edits: Sequence[Callable[[str], str]], text: str) -> int:
    """How often something is compiled after the first version."""
    x = np.linspace(-0.7, 1.3, INPUTS)
    live = dad.Live("energy.dad", target="native", tier=0)
    live.update(text).energy.value_and_grad(x)
    with patch.object(driver, "optimised", wraps=driver.optimised) as passes, \
            patch.object(jit, "object_code", wraps=jit.object_code) as code:
        for edit in edits:
            after = edit(text)
            assert after != text
            text = after
            live.update(text).energy.value_and_grad(x)
    return int(passes.call_count + code.call_count)


@pytest.mark.parametrize("lets", [False, True])
def test_data_is_not_compiled(lets: bool) -> None:
    r = random.Random(5)
    made = Text(r, 100)
    made.make, made.lets = call, lets
    made.terms = [call(r) for _ in range(100)]

    def constant(text: str) -> str:
        return re.sub(r"(spring [^\n]*) \d\.\d+", r"\1 1.75", text, count=1)

    def inputs(text: str) -> str:
        return text.replace("x[1]", "x[6]", 1)

    def more(text: str) -> str:
        made.terms[7:7] = ["soft x[1] x[2] 0.25", "turn x[3] x[4] x[5] x[6] 1.5"]
        return str(made)

    def first(text: str) -> str:
        del made.terms[0]
        return str(made)

    def last(text: str) -> str:
        made.terms.append("soft x[2] x[3] 0.125")
        return str(made)

    assert counting([constant, inputs, more, first, last], str(made)) == 0


def test_failures_stand_where_the_text_has_them_now() -> None:
    """Also checks that passes have moved to other statements."""
    text = ("def corners [v] (p: [v][3]f64) (t: [3]i64) : [3][3]f64 = map (\\i -> p[i]) t\n"
            "entry f [v][t] (p: param [v][3]f64) (ts: data [t][3]i64) : f64 =\n"
            "  sum (map (\\t -> sum (map sum (corners p t))) ts)\n")
    for head, line in ("", 1), ("-- more\n\n-- lines\n", 4), ("", 1):
        module = dad.compile(head + text, target="native", tier=0, name="mesh.dad")
        for run in (module.f, module.f.value_and_grad):
            with pytest.raises(dad.RunError, match=rf"index 7 .*mesh\.dad:{line}\)"):
                run(np.ones((4, 3)), [[0, 1, 7]])


def test_errors_leave_the_module() -> None:
    live = dad.Live("a.dad", target="native")
    good = "entry f (x: f64) : f64 = x * 3\n"
    before = live.update(good)
    with pytest.raises(dad.Diagnostics, match="E101"):
        live.update("entry f (x: f64) : f64 = x * y\n")
    assert live.module is before
    assert before.f(2.0) == 6.0
    assert live.update(good.replace("3", "4")).f(2.0) == 8.0


def test_a_module_is_that_of_its_text() -> None:
    """Also what is compiled after later texts were there."""
    live = dad.Live("a.dad", target="native")
    old = live.update("def g (x: f64) : f64 = x * x\nentry f (x: f64) : f64 = g x * 3\n")
    assert old.f(2.0) == 12.0
    new = live.update("def g (x: f64) : f64 = x + x\nentry f (x: f64) : f64 = g x * 5\n")
    assert (new.f(2.0), new.f.grad(2.0)) == (20.0, 10.0)
    assert (old.f(2.0), old.f.grad(2.0)) == (12.0, 12.0)


def test_files(tmp_path: Path) -> None:
    (tmp_path / "lib.dad").write_text("def k : f64 = 2.0\n", encoding="utf-8")
    (tmp_path / "a.dad").write_text('import "lib"\nentry f (x: f64) : f64 = k * x\n', encoding="utf-8")
    live = dad.Live(tmp_path / "a.dad")
    assert live.update().f(3.0) == 6.0
    assert [Path(f).name for f in live.files()] == ["lib.dad"]
    (tmp_path / "lib.dad").write_text("def k : f64 = 5.0\n", encoding="utf-8")
    assert live.update().f(3.0) == 15.0
    with pytest.raises(dad.Diagnostics, match="U110"):
        dad.Live("a.dad", target="gpu")


@pytest.mark.parametrize("target", ["numpy", "interp"])
def test_other_targets(target: str) -> None:
    live = dad.Live("a.dad", target=target)
    for factor in (2.0, 3.0):
        assert live.update(f"entry f (x: f64) : f64 = {factor} * x * x\n").f.grad(1.0) == 2 * factor


def test_memory_does_not_grow() -> None:
    r = random.Random(3)
    text, live = Text(r, 100), dad.Live("energy.dad", target="native", tier=0)
    text.make, text.lets, text.terms = call, False, [call(r) for _ in range(100)]
    x = np.linspace(-0.7, 1.3, INPUTS)

    def rounds(count: int) -> int:
        for k in range(count):
            text.terms[k % 100] = re.sub(r"\d\.\d+", f"{r.uniform(0.5, 2):.3f}", text.terms[k % 100])
            live.update(str(text)).energy.value_and_grad(x)
        gc.collect()
        return len(gc.get_objects())

    before = rounds(15)
    assert rounds(25) < before + 2000
