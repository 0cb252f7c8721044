"""The text of emitted modules: always the same, with nothing of the user's but names and messages, importable alone."""

from __future__ import annotations

import ast
import builtins
import keyword
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from dad.codegen.backends.entry import ArraySpec, DimSpec, EntrySpec, ParamSpec, RecordSpec, ScalarSpec, TupleSpec
from dad.codegen.backends.numpy import emit_module
from dad.codegen.backends.numpy.helpers import helpers
from dad.codegen.backends.numpy.names import Names, mangled
from dad.codegen.passes.batching import RULES
from dad.codegen.passes.differentiate import differentiate
from dad.lang.core import ir
from dad.lang.core.primitive import PRIMITIVES
from dad.lang.core.text import parse
from dad.lang.prims import batched
from dad.lang.source import Source, Span
from dad.tests.ad.generate import Generator
from dad.tests.numpy.harness import emitted, loaded

HOSTILE = [
    "__class__", "__import__", "exec", "lambda", "None", "np", "Entry", "x'", "x''", "θ", "Δx",
    "π₁", "ａ", "for", "self", "7",
    "", "_", "__", "a b", "x;import os", "\"'\n",
    "os\u2028system", "ſ", "print", "RunError", "é", "变量", "\u202e", "take",
    "i", "math", "annotations", "type", "match", "case", "check_index", "DadArgumentError", "x" * 5000,
]  # fmt: skip

NODES = (
    ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.AugAssign, ast.Expr, ast.If,
    ast.For, ast.While, ast.Break, ast.Pass, ast.Name, ast.Constant, ast.Call, ast.keyword,
    ast.Attribute, ast.Subscript,
    ast.Slice, ast.Tuple, ast.List, ast.Dict, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare,
    ast.IfExp, ast.expr_context,
    ast.operator, ast.unaryop, ast.cmpop, ast.boolop,
)  # fmt: skip
METHODS = {
    "shape", "sum", "prod", "max", "min", "all", "any", "astype", "reshape", "transpose", "T", "copy",
    "append", "accumulate",
}  # fmt: skip
BUILTINS = {"max", "min", "range"}


def hostile_program(name: str, message: str) -> ir.Program:
    """A function whose every name is hostile, with checks that carry a hostile message."""
    program = parse(r"""def f (x.0: []f64, n.1: i64) {
      let i.2: i64 = check_index n.1 n.1 {axis = 0, what = "?"}
      let s.3: []f64 = for n.1 \(k.4: i64, a.5: []f64) from (x.0) shapes () {
        let e.6: f64 = index a.5 k.4
        let u.7: []f64 = update a.5 e.6 k.4
        return u.7
      }
      let m.8: []f64 = map (s.3) shapes (()) \(v.9: f64) {
        let w.10: f64 = exp v.9
        return w.10
      }
      let c.11: bool = assert true {what = "?"}
      return m.8 s.3
    }""")  # fmt: skip
    from dad.lang.core.build import Fresh
    from dad.lang.core.walk import Renamer

    class Hostile(Fresh):
        def var(self, _: str, type: ir.Type) -> ir.Var:
            return super().var(name, type)

    def renamed(block: ir.Block) -> ir.Block:
        return Renamer(supply, env).block(block)

    supply = Hostile(100)
    f = program.functions["f"]
    env: dict[ir.Var, ir.Atom] = {p: supply.var("", p.type) for p in f.params}
    body = renamed(f.body)
    span = Span(Source(message, "text"), 0, 4)

    def spiced(stmt: ir.Stmt) -> ir.Stmt:
        op = stmt.op
        if isinstance(op, ir.Prim) and any(k == "what" for k, _ in op.attrs):
            op = ir.Prim(op.name, op.args, tuple((k, message if k == "what" else v) for k, v in op.attrs))
        return ir.Stmt(stmt.vars, op, span)

    body = ir.Block(tuple(map(spiced, body.stmts)), body.results)
    params = tuple(v for v in env.values() if isinstance(v, ir.Var))
    return ir.Program({"f": ir.Function("f", params, body, name)})


@pytest.mark.parametrize("name", HOSTILE, ids=lambda n: ascii(n)[:20])
def test_hostile_names_and_messages_stay_data(name: str) -> None:
    vector = ArraySpec("f64", (DimSpec(name, ((1, (name,)),)),))
    record = RecordSpec(name, ((name, vector),))
    spec = EntrySpec(name, "f", (ParamSpec(name, record), ParamSpec("count", ScalarSpec("i64"))),
                     TupleSpec((vector, record)),
                     doc=f'"""{name}')  # fmt: skip
    program = hostile_program(name, f'{name}"\'"""\\\n{{0}}')
    module = emit_module(program, [spec], "test")
    allowed = {"np", *BUILTINS, *helpers()}
    for node in ast.walk(ast.parse(module.body)):
        assert isinstance(node, NODES), ast.dump(node)
        if isinstance(node, ast.Attribute):
            assert node.attr in METHODS or isinstance(node.value, ast.Name | ast.Attribute)
            assert not node.attr.startswith("_")
        if isinstance(node, ast.Name):
            assert node.id.isascii()
            assert not node.id.startswith("__")
            assert node.id in allowed or not hasattr(builtins, node.id)
    compile(ast.parse(module.stub), "<stub>", "exec")
    space: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(module.python, "<emitted>", "exec"), space)
    entries = [v for v in space.values() if type(v).__name__ == "Entry"]
    assert len(entries) == 1
    with pytest.raises(space["RunError"]) as caught:
        entries[0]({name: [1.0, 2.0]}, 2)
    assert name in caught.value.message


@pytest.mark.parametrize("name", HOSTILE, ids=lambda n: ascii(n)[:20])
def test_mangled_names_are_plain_identifiers(name: str) -> None:
    made = mangled(name)
    assert made.isascii()
    assert made.isidentifier()
    assert not keyword.iskeyword(made)
    assert not made.startswith("_")
    assert len(made) <= 45
    names = Names()
    assert names.new(name) != names.new(name)


@pytest.mark.parametrize("seed", range(10))
def test_the_same_text_every_time(seed: int) -> None:
    program = differentiate(Generator(Random(seed)).program())
    first, second = emitted(program, "f"), emitted(program, "f")
    assert first == second
    assert "emitted" not in first.body


def test_the_same_text_in_another_process() -> None:
    code = ("from random import Random\nfrom dad.tests.ad.generate import Generator\n"
        "from dad.tests.numpy.harness import emitted\n"
            "from dad.codegen.passes.differentiate import differentiate\n"
            "print(emitted(differentiate(Generator(Random(3)).program()), 'f').python)")  # fmt: skip
    texts = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True,
                            env={**_environment(), "PYTHONHASHSEED": s}
                            ).stdout for s in ("1", "2")}  # fmt: skip
    assert len(texts) == 1


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def test_a_module_stands_on_numpy_alone(tmp_path: Path) -> None:
    """Written to disk and imported where `dad` cannot be."""
    program = parse(
        "def f (x.0: []f64) { let y.1: []f64 = lgamma x.0 "
        'let z.2: i64 = check_index 3 0 {axis = 0, what = "x"} return y.1 }'
    )
    vector = ArraySpec("f64", (DimSpec("n", ((1, ("n",)),)),))
    module = emit_module(program, [EntrySpec("f", "f", (ParamSpec("x", vector),), vector)], "test")
    (tmp_path / "model.py").write_text(module.python, encoding="utf-8")
    (tmp_path / "model.pyi").write_text(module.stub, encoding="utf-8")
    code = ("import sys, model\nassert not any(m == 'dad' or m.startswith('dad.') for m in sys.modules)\n"
            "try:\n    model.f([1.0])\nexcept model.RunError as error:\n    print(error)\n"
            "try:\n    model.f('a')\nexcept model.DadArgumentError as error:\n    print(error.code)\n")  # fmt: skip
    got = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert got.stdout.splitlines() == ["R101: index 3 is out of bounds for axis 0 of `x` with size 0", "A101"]


def test_stubs_say_ranks_and_sizes() -> None:
    n = DimSpec("n", ((1, ("n",)),))
    model = RecordSpec("model", (("slope", ArraySpec("f32", (n,))), ("kind", ScalarSpec("i64"))))
    program = parse("def f (a.0: []f32, k.1: i64, x.2: [][]f64) { return x.2 }\ndef g (x.0: f64) { return x.0 }")
    spec = EntrySpec("f", "f", (ParamSpec("m", model, "param"), ParamSpec("x", ArraySpec("f64", (n, n)), "data")),
                     ArraySpec("f64", (n, n)), transforms={"vjp": "g"})  # fmt: skip
    stub = emit_module(program, [spec], "test").stub
    assert 'x: Annotated[ArrayLike, "[n][n]f64"]) -> Annotated[NDArray[np.float64], "[n][n]f64"]: ...' in stub
    assert 'slope: Annotated[NDArray[np.float32], "[n]f32"]' in stub
    assert "kind: tuple[()]" in stub
    compile(stub, "<stub>", "exec")


def test_every_primitive_vectorises() -> None:
    """A primitive that is not elementwise has a rule, or only vectorisation writes it, or no code is made of it."""
    written = {name for name, p in PRIMITIVES.items() if p.doc and name in _records()} | {"promise", "demand"}
    missing = [
        name for name, p in PRIMITIVES.items() if not p.elementwise and name not in RULES and name not in written
    ]
    assert missing == []


def _records() -> set[str]:
    text = Path(batched.__file__).read_text(encoding="utf-8")
    calls = [
        n
        for n in ast.walk(ast.parse(text))
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "Primitive"
    ]
    return {c.args[0].value for c in calls if isinstance(c.args[0], ast.Constant) and isinstance(c.args[0].value, str)}


def test_warnings_of_numbers_stay_inside() -> None:
    program = parse("def f (x.0: []f64) { let y.1: []f64 = log x.0 let z.2: []f64 = div y.1 x.0 return z.2 }")
    with np.errstate(all="raise"):
        (result,) = loaded(emitted(program, "f"))["f"]([0.0, -1.0])
    assert result[0] == -np.inf
    assert np.isnan(result[1])


def test_tables_are_made_once_and_are_nobody_elses() -> None:
    numbers = '"t" f64 (1.0 2.0 3.0)'
    program = parse(f"""
def f (x.0: f64, i.1: i64) {{
  let t.2: []f64 = table {{of = {numbers}}}
  let u.3: []f64 = table {{of = {numbers}}}
  let v.4: []f64 = update t.2 x.0 i.1
  return u.3 v.4 t.2
}}""")
    module = emitted(program, "f")
    assert module.body.count("np.array([1.0, 2.0, 3.0]") == 1
    made = loaded(module)["f"]
    for _ in range(2):
        results = made(7.0, 1)
        assert [r.tolist() for r in results] == [[1, 2, 3], [1, 7, 3], [1, 2, 3]]
        for r in results:
            r[:] = 0.0
