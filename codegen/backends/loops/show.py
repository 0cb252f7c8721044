"""The text form of loops, for people: `dad show --stage loops`.

    def f(p0 : f64*, r1 : i64) {
      p2 : f64* = alloc r1
      for r3 < r1 parallel {
        r4 : f64 = p0[r3]
        r5 : f64 = mul r4 2.0
        p2[r3] = r5
      }
      return p2, r1
    }

A register is `p` and a number when it is a pointer, else `r`, with its type where it is bound. `carry
(r1 : f64 = 0.0 -> r5)` is state of a loop: its start, and behind the arrow what is next; behind the brace stands what
is left in the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from ....lang.core.ir import AttrValue
from . import tree
from .tree import Code, Imm, Operand, Reg


def show(program: tree.Program) -> str:
    """The text of all functions; ends without a newline."""
    return "\n\n".join("\n".join(_function(f)) for f in program.functions.values())


def _function(f: tree.Function) -> Iterator[str]:
    yield f"def {f.name}({_bound(f.params)})" + (f" slots {f.slots}" if f.slots else "") + " {"
    yield from _code(f.body, "  ")
    yield f"  return {_operands(f.results)}".rstrip()
    yield "}"


def _code(code: Code, indent: str) -> Iterator[str]:
    for node in code:
        yield from _node(node, indent)


def _node(node: tree.Node, indent: str) -> Iterator[str]:
    match node:
        case tree.Scalar(out, name, args, attrs):
            yield f"{indent}{_bound((out,))} = {name} {' '.join(map(operand, args))}".rstrip() + _attrs(attrs)
        case tree.Load(out, base, offset):
            yield f"{indent}{_bound((out,))} = {operand(base)}[{operand(offset)}]"
        case tree.Store(base, offset, value):
            yield f"{indent}{operand(base)}[{operand(offset)}] = {operand(value)}"
        case tree.Shift(out, base, offset):
            yield f"{indent}{_bound((out,))} = {operand(base)} + {operand(offset)}"
        case tree.Alloc(out, count):
            yield f"{indent}{_bound((out,))} = alloc {operand(count)}"
        case tree.Data(out, size, table):
            yield f"{indent}{_bound((out, size))} = table {table.name} {table.dtype}"
        case tree.Local(out, size):
            yield f"{indent}{_bound((out,))} = local {size}"
        case tree.Mark(out):
            yield f"{indent}{operand(out)} = mark"
        case tree.Release(mark):
            yield f"{indent}release {operand(mark)}"
        case tree.Resize(out, slot, count):
            yield f"{indent}{_bound((out,))} = resize slot {operand(slot)} to {operand(count)}"
        case tree.Copy(target, source, count):
            yield f"{indent}copy {operand(target)}, {operand(source)}, {operand(count)}"
        case tree.For():
            carried = _carried(node.carried, node.init, node.next)
            parallel = " parallel" if node.parallel else ""
            yield f"{indent}for {operand(node.index)} < {operand(node.count)}{parallel}{carried} {{"
            split = len(node.body) - node.last
            yield from _code(node.body[:split], indent + "  ")
            if node.last:
                yield f"{indent}}} then {{"
                yield from _code(node.body[split:], indent + "  ")
            yield f"{indent}}}{_outs(node.outs)}"
        case tree.Spread():
            yield (f"{indent}spread {operand(node.start)} to {operand(node.stop)} of {operand(node.count)} "
                   f"work {operand(node.work)} {{")
            yield from _code(node.body, indent + "  ")
            yield f"{indent}}}"
        case tree.Lanes():
            yield f"{indent}lanes {operand(node.index)} from {operand(node.start)}, {node.count} {{"
            yield from _code(node.body, indent + "  ")
            yield f"{indent}}}"
        case tree.While():
            yield f"{indent}while{_carried(node.carried, node.init, node.next)} {{"
            yield from _code(node.test, indent + "  ")
            yield f"{indent}}} as long as {operand(node.cond)} {{"
            yield from _code(node.body, indent + "  ")
            yield f"{indent}}}{_outs(node.outs)}"
        case tree.Sum():
            regs = (node.out, *(out for out, _ in node.more))
            yield f"{indent}{_bound(regs)} = sum {operand(node.index)} < {operand(node.count)} {{"
            yield from _code(node.body, indent + "  ")
            yield f"{indent}}} of {_operands((node.value, *(value for _, value in node.more)))}"
        case tree.Choice():
            head = f"{_bound(node.outs)} = " if node.outs else ""
            yield f"{indent}{head}if {operand(node.cond)} {{"
            yield from _code(node.then, indent + "  ")
            yield f"{indent}}}{_giving(node.then_values)} else {{"
            yield from _code(node.orelse, indent + "  ")
            yield f"{indent}}}{_giving(node.orelse_values)}"
        case tree.Invoke():
            yield f"{indent}{_bound(node.outs)} = call {node.function}({_operands(node.args)})"
        case tree.Host():
            given = ", ".join(_group(g) for g in node.args)
            results = ", ".join(_group(g) for g in node.results)
            yield f"{indent}{results} = host {node.name}({given}){_attrs(node.attrs)}"
        case tree.Linked(out):
            yield f"{indent}{_bound((out,))} = linked"
        case tree.Library(routine, args, info):
            head = "" if info is None else f"{_bound((info,))} = "
            yield f"{indent}{head}library {routine}({_operands(args)})"
        case tree.Poll():
            yield f"{indent}poll {operand(node.operations)}"
        case tree.Check():
            yield (f"{indent}{node.name} {operand(node.holds)} of {_operands(node.values)}".rstrip()
                   + _attrs(node.attrs))
        case _:
            assert_never(node)


def operand(x: Operand) -> str:
    """A register or a constant."""
    if isinstance(x, Imm):
        return str(x.value).lower() if x.dtype == "bool" else repr(x.value)
    return f"{'p' if x.pointer else 'r'}{x.id}"


def _operands(xs: Sequence[Operand]) -> str:
    return ", ".join(map(operand, xs))


def _bound(regs: Sequence[Reg]) -> str:
    return ", ".join(f"{operand(r)} : {r.dtype}{'*' * r.pointer}" for r in regs)


def _carried(carried: Sequence[Reg], init: Sequence[Operand], following: Sequence[Operand]) -> str:
    if not carried:
        return ""
    parts = (f"{_bound((r,))} = {operand(x)} -> {operand(y)}" for r, x, y in zip(carried, init, following, strict=True))
    return f" carry ({', '.join(parts)})"


def _outs(outs: Sequence[Reg]) -> str:
    return f" left {_operands(outs)}" if outs else ""


def _giving(values: Sequence[Operand]) -> str:
    return f" giving {_operands(values)}" if values else ""


def _group(group: Sequence[Operand]) -> str:
    first, *sizes = map(operand, group)
    return f"{first}[{', '.join(sizes)}]" if sizes else first


def _attrs(attrs: Sequence[tuple[str, AttrValue]]) -> str:
    return f" {{{', '.join(f'{key} = {value}' for key, value in attrs)}}}" if attrs else ""
