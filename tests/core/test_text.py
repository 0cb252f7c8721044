"""The text form of IR: what it looks like, that it reads back equal, and what is said of text that is no IR.

Programs are drawn at random, well-typed, with every kind of operation, odd names, and constants of every kind; the same
programs show that the verifier accepts what it should, and that renaming keeps it so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from dad.lang import prims
from dad.lang.core import ir
from dad.lang.core.build import Builder, Fresh
from dad.lang.core.text import TextError, parse, show
from dad.lang.core.verify import verify
from dad.lang.core.walk import Renamer, next_id
from hypothesis import given, settings
from hypothesis import strategies as st

assert prims.PRIMITIVES

PROGRAM = r"""def helper (a.0: f64, b.1: f64) {
  let c.2: f64 = mul a.0 b.1
  return c.2
}

def f "model.f" (xs.0: []f64, k.1: f64) {
  let n.2: i64 = dim xs.0 {axis = 0}
  let ys.3: []f64 = map (xs.0) shapes (()) \(x.4: f64) {
    let y.5: f64 = call helper (x.4 k.1) : (f64)
    return y.5
  }
  let total.6: f64 = reduce (ys.3) neutral (0.0) \(a.7: f64, b.8: f64) {
    let s.9: f64 = add a.7 b.8
    return s.9
  }
  let big.10: bool = gt total.6 1e+300
  let r.11: f64 = if big.10 {
    return inf
  } else {
    let t.12: f64 = neg total.6
    return t.12
  }
  let last.13: f64, rows.14: []f64 = for n.2 \(i.15: i64, a.16: f64) from (r.11) shapes (()) {
    let b.17: f64 = mul a.16 0.5
    return b.17 a.16
  }
  let w.18: f64, trips.19: i64 = while \(a.20: f64) {
    let c.21: bool = lt a.20 100.0
    return c.21
  } \(i.22: i64, a.23: f64) from (1.0) shapes () {
    let d.24: f64 = mul a.23 2.0
    return d.24
  }
  let i.25: i64 = check_index 0 n.2 {axis = 0, what = "x\"s\n"}
  let m.26: [][]f64 = replicate 3 xs.0
  let t.27: [][]f64 = transpose m.26 {perm = (1, 0)}
  return rows.14 w.18 trips.19 -2:i8 t.27
} dims ((n.2) ())"""


def test_the_text_of_a_program() -> None:
    program = parse(PROGRAM)
    verify(program)
    assert show(program).replace("perm = (1 0)", "perm = (1, 0)") == PROGRAM
    again = parse(show(program))
    assert again == program
    assert again.functions["f"].dims == program.functions["f"].dims
    assert again.functions["f"].source_name == "model.f"


def test_line_breaks_commas_and_comments_mean_nothing() -> None:
    text = "def f (x.0: f64) { let y.1: f64 = add x.0 1.0 return y.1 x.0 }"
    spread = "-- a comment\ndef f (x.0: f64)\n{\n let\n y.1: f64 = -- why\n add x.0\n 1.0 return y.1, x.0,\n}"
    assert parse(text) == parse(spread)


CONSTANTS = [
    ir.Const(-0.0, "f64"),
    ir.Const(math.nan, "f64"),
    ir.Const(-math.inf, "f64"),
    ir.Const(5e-324, "f64"),
    ir.Const(0.1, "f32"),
    ir.Const(1e22, "f64"),
    ir.Const(1 / 3, "f64"),
    ir.Const(math.inf, "f32"),
    ir.Const(-128, "i8"),
    ir.Const(2**64 - 1, "u64"),
    ir.Const(-(2**63), "i64"),
    ir.Const(True, "bool"),
    ir.Const(False, "bool"),
    ir.Const(7, "u8"),
]


@pytest.mark.parametrize("constant", CONSTANTS, ids=str)
def test_constants(constant: ir.Const) -> None:
    program = ir.Program({"f": ir.Function("f", (), ir.Block((), (constant,)))})
    verify(program)
    assert parse(show(program)) == program


@pytest.mark.parametrize(
    "name",
    ["x'", "a b", "", "inf", "true", "return", "é", "1x", 'quo"te', "back\\slash", "new\nline", "a.b", "let", "漢"],
)
def test_odd_names(name: str) -> None:
    x = ir.Var(0, name, ir.F64)
    y = ir.Var(1, name, ir.F64)
    function = ir.Function(name, (x,), ir.Block((ir.Stmt((y,), ir.Prim("neg", (x,))),), (y, x)), name)
    program = ir.Program({name: function})
    again = parse(show(program))
    assert again == program
    assert [p.name for p in again.functions[name].params] == [name]
    assert again.functions[name].source_name == name


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("def f (x.0: f64) {\n  return y.1\n}", 2, "y.1 is not bound"),
        ("def f (x.0: f65) { return x.0 }", 1, "no type f65"),
        ("def f (x.0: f64) {\n let y.1: f64 = neg x.0\n", 3, "expected 'return'"),
        ("def f () { return }\ndef f () { return }", 2, "defined twice"),
        ("def f () {\n return ; }", 2, "unexpected ';'"),
        ("def f () { let x.0: i64 = dim {axis = 0.5} return }", 1, "a whole number"),
        ("def f () { let x.0: f64 = if true { return 1.0 } return }", 1, "expected 'else'"),
        ("nonsense", 1, "expected 'def'"),
    ],
)
def test_text_that_is_no_ir(text: str, line: int, reason: str) -> None:
    with pytest.raises(TextError) as caught:
        parse(text)
    assert f"line {line}: " in str(caught.value)
    assert reason in str(caught.value)


def test_long_blocks_do_not_recurse() -> None:
    b = Builder(Fresh())
    x = b.fresh("x", ir.F64)
    y: ir.Atom = x
    for _ in range(30000):
        y = b.prim("sin", y)
    program = ir.Program({"f": ir.Function("f", (x,), b.block([y]))})
    verify(program)
    assert parse(show(program)) == program


# ------------------------------------------------------------------ programs at random

NAMES = st.text(max_size=4) | st.sampled_from(["x", "ys", "acc'", "in"])
FLOAT = st.floats().map(lambda x: ir.Const(x, "f64"))
TEXTS = st.text(max_size=5)
Draw = Callable[[st.SearchStrategy[Any]], Any]


class Drawn:
    """Draws statements into builders; `scope` holds the variables that may be used."""

    def __init__(
        self,
        draw: Callable[[st.SearchStrategy[ir.AttrValue]], ir.AttrValue],
        b: Builder,
        scope: list[ir.Var],
        depth: int,
    ) -> None:
        self.draw = draw
        self.b = b
        self.scope = scope
        self.depth = depth

    def choose(self, *options: str) -> str:
        return str(self.draw(st.sampled_from(options)))

    def name(self) -> str:
        return str(self.draw(NAMES))

    def atom(self, type: ir.Type) -> ir.Atom:
        known = [v for v in self.scope if v.type == type]
        if known and self.choose("variable", "other") == "variable":
            return known[int(str(self.draw(st.integers(0, len(known) - 1))))]
        match type:
            case ir.Type("f64", 0):
                return ir.Const(float(str(self.draw(st.floats().map(str)))), "f64")
            case ir.Type("i64", 0):
                return ir.Const(int(str(self.draw(st.integers(0, 4)))), "i64")
            case ir.Type("bool", 0):
                return ir.Const(self.choose("yes", "no") == "yes", "bool")
        below = self.atom(ir.Type(type.dtype, type.rank - 1))
        return self.add(ir.Prim("replicate", (self.atom(ir.I64), below)))[0]

    def add(self, op: ir.Op) -> tuple[ir.Var, ...]:
        made = self.b.bind(op, self.name())
        self.scope.extend(made)
        return made

    def inside(self, params: list[ir.Var], result: ir.Type) -> ir.Block:
        inner = Drawn(self.draw, self.b.nested(), [*self.scope, *params], self.depth - 1)
        inner.statements()
        end = inner.atom(result)
        return inner.b.block([end])

    def param(self, type: ir.Type) -> ir.Var:
        return self.b.fresh(self.name(), type)

    def statements(self) -> None:
        for _ in range(int(str(self.draw(st.integers(0, 3 if self.depth else 1))))):
            self.statement()

    def statement(self) -> None:
        vector = ir.Type("f64", 1)
        simple = ("add", "sin", "select", "lt", "iota", "check", "slice", "transpose", "sum", "cast")
        nested = ("if", "map", "reduce", "scan", "for", "while", "diff") if self.depth else ()
        match self.choose(*simple, *nested):
            case "add":
                self.add(ir.Prim("add", (self.atom(ir.F64), self.atom(vector))))
            case "sin":
                self.add(ir.Prim("sin", (self.atom(ir.F64),)))
            case "select":
                self.add(ir.Prim("select", (self.atom(ir.BOOL), self.atom(ir.F64), self.atom(ir.F64))))
            case "lt":
                self.add(ir.Prim("lt", (self.atom(ir.F64), self.atom(ir.F64))))
            case "iota":
                self.add(ir.Prim("iota", (self.atom(ir.I64),)))
            case "check":
                what = ("what", str(self.draw(TEXTS)))
                self.add(ir.Prim("check_index", (self.atom(ir.I64), self.atom(ir.I64)), (("axis", 0), what)))
            case "slice":
                sizes = (self.atom(ir.I64), self.atom(ir.I64), self.atom(ir.I64))
                self.add(ir.Prim("slice", (self.atom(vector), *sizes), (("axis", 0),)))
            case "transpose":
                self.add(ir.Prim("transpose", (self.atom(ir.Type("f64", 2)),), (("perm", (1, 0)),)))
            case "sum":
                self.add(ir.Prim("sum", (self.atom(vector),), (("axis", 0),)))
            case "cast":
                self.add(ir.Prim("cast", (self.atom(ir.F64),), (("to", "i8"),)))
            case "if":
                self.add(ir.If(self.atom(ir.BOOL), self.inside([], vector), self.inside([], vector)))
            case "map":
                x = self.param(ir.F64)
                shapes = ((self.atom(ir.I64),),)
                self.add(ir.Map((self.atom(vector),), ir.Lambda((x,), self.inside([x], vector)), shapes))
            case "reduce" | "scan" as kind:
                params = [self.param(ir.F64), self.param(ir.F64)]
                neutral, arrays = (self.atom(ir.F64),), (self.atom(vector),)
                fold = ir.Reduce if kind == "reduce" else ir.Scan
                self.add(fold(arrays, neutral, ir.Lambda(tuple(params), self.inside(params, ir.F64))))
            case "for":
                index, state = self.param(ir.I64), self.param(vector)
                count, init = self.atom(ir.I64), self.atom(vector)
                self.add(ir.Loop(count, None, index, (state,), (init,), self.inside([index, state], vector)))
            case "while":
                index, state, tested = self.param(ir.I64), self.param(ir.F64), self.param(ir.F64)
                init = self.atom(ir.F64)
                cond = ir.Lambda((tested,), self.inside([tested], ir.BOOL))
                step = self.inside([index, state], ir.F64)
                body = ir.Block(step.stmts, (*step.results, state))
                self.add(ir.Loop(None, cond, index, (state,), (init,), body, ((),)))
            case "diff":
                x = self.param(ir.F64)
                args, seeds = (self.atom(ir.F64),), (self.atom(ir.F64),)
                self.add(ir.Diff("jvp", ir.Lambda((x,), self.inside([x], ir.F64)), args, seeds))


@st.composite
def programs(draw: Draw) -> ir.Program:
    b = Builder(Fresh())
    first = b.fresh("x", ir.F64)
    b.bind(ir.Prim("sin", (first,)))
    callee = ir.Function("callee", (first,), b.block([first]), str(draw(TEXTS)))
    b = Builder(Fresh())
    params = [b.fresh(str(draw(NAMES)), type) for type in (ir.F64, ir.Type("f64", 1), ir.I64, ir.BOOL)]
    drawn = Drawn(draw, b, list(params), 2)
    drawn.statements()
    drawn.add(ir.Call("callee", (drawn.atom(ir.F64),), (ir.F64,)))
    size = b.dim(params[1])
    dims: tuple[tuple[ir.Atom | None, ...], ...] = ((), (size,), (), ())
    function = ir.Function("f", tuple(params), b.block([drawn.atom(ir.F64), drawn.atom(ir.Type("f64", 2))]), "", dims)
    return ir.Program({"callee": callee, "f": function})


@settings(max_examples=60, deadline=None)
@given(programs())
def test_random_programs_read_back_verify_and_rename(program: ir.Program) -> None:
    verify(program)
    again = parse(show(program))
    assert again == program
    assert show(again) == show(program)
    assert again.functions["f"].dims == program.functions["f"].dims
    function = program.functions["f"]
    renamer = Renamer(Fresh(next_id(function)))
    params = tuple(renamer.binder(p) for p in function.params)
    verify(ir.Program({**program.functions, "f": ir.Function("f", params, renamer.block(function.body))}))
