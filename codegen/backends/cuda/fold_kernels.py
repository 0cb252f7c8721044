"""The kernels of a fold or a scan, from the parts of its loop (`folding.py`) and what threads do with such
(`device/folds.py`).

Three functions of a thread are written: an element from its index, the state of two neighbours from theirs, what is
done with a prefix. Kernels named `_fold` and `_last` leave the last state in cells, the others store prefixes:
`runtime/device_folds.py` says which does what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..c.emit import ctype
from ..c.scalars import CELL, REGISTER
from ..loops import tree
from ..loops.tree import Reg
from .folding import Folded
from .frame import stop
from .kernel import ThreadWriter, operand, register

KERNEL = 'extern "C" __global__ void '


def fold_kernels(writer: Callable[[], ThreadWriter], name: str, node: tree.For, parts: Folded, params: Sequence[str],
                 loads: Sequence[str], given: Sequence[Reg], used: Sequence[int]) -> tuple[list[tuple[str, str]], bool]:
    """Names and texts, and whether elements may fail: then kernels take a turn first. `params` and `loads` are those of
    each kernel, `given` what they bring, `used` the states whose last value goes to a cell, at `to0`, `to1`, …"""
    state = f"{name}_state"
    kinds = [REGISTER[r.dtype] for r in node.carried]
    formal = [f"{ctype(r)} {register(r)}" for r in given]
    actual = ["c", *map(register, given)]
    index = f"int64_t {register(node.index)}"
    of_elements = writer()
    functions = "\n".join([
        f"struct {state} {{ {' '.join(f'{t} x{k};' for k, t in enumerate(kinds))} }};",
        element(of_elements, name, parts, [*formal, index], state),
        join(writer(), name, node, parts, formal, state),
        *([rest(writer(), name, node, parts, [*formal, index], state)] if parts.rest else [])])
    fails = of_elements.fails
    params = [*(["int64_t turn"] if fails else []), *params]
    reported = "dad_report(run, c, turn, k);" if fails else "{ }"
    start = f"{state}{{{', '.join(operand(x) for x in node.init)}}}"
    begin = [*loads, "  dad_thread thread, *c = &thread;",
             "  dad_begin(c, run, (int64_t)blockIdx.x * blockDim.x + threadIdx.x, (int64_t)gridDim.x * blockDim.x);",
             "  char *top = c->top, *end = c->end;"]
    elements = [f"  auto element = [&](long long row, long long k) {{ {state} s = {{}}; c->top = top; c->end = end;",
                f"    if ({name}_element({', '.join([*actual, 'k', 's'])})) {reported} return s; }};"]
    joined = [f"  auto join = [&](const {state} &a, const {state} &b) {{ {state} s = {{}};",
              f"    {name}_join({', '.join([*actual, 'a', 'b', 's'])}); return s; }};"]
    put = [f"{cell(k, r)} = {value(r, f's.x{k}')};" for k, r in enumerate(node.carried) if k in used]
    ends = [f"  auto give = [&](long long row, const {state} &s) {{ {' '.join(put)} }};"]
    nothing = [f"  auto give = [&](long long row, const {state} &s) {{ }};"]
    prefixes = [f"  auto give = [&](long long row, long long k, const {state} &s) {{",
                f"    {name}_rest({', '.join([*actual, 'k', 's'])}); }};"]
    first = f"dad_elements<{state}, decltype(element)>{{element, {start}}}"
    stored = f"dad_stored<{state}>{{(const {state} *)from, n}}"
    sizes = ["int64_t rows", "int64_t n", "int32_t each"]
    made: list[tuple[str, str]] = []

    def kernel(suffix: str, extra: Sequence[str], lines: Sequence[str], last: str) -> None:
        head = f"{KERNEL}{name}{suffix}({', '.join(['dad_run *run', *params, *extra])}) {{"
        made.append((f"{name}{suffix}", "\n".join([
            head, stop(fails, block=True), *begin, *lines, f"  {last}", "}", ""])))

    part = [*sizes, "int64_t part"]
    before = [*sizes, "int64_t before"]
    of_tiles = f"rows, n, each, ({state} *)part);"
    after_tiles = f"rows, n, each, (const {state} *)before);"
    if used:
        kernel("_fold", part, [*elements, *joined, *ends], f"dad_fold({first}, join, give, {of_tiles}")
        again = f"[&](long long row, long long k) {{ return ((const {state} *)from)[row * n + k]; }}"
        kernel("_last", ["int64_t from", *part], [f"  auto element = {again};", *joined, *ends],
               f"dad_fold({first}, join, give, {of_tiles}")
    if parts.rest:
        kernel("_totals", part, [*elements, *joined, *nothing], f"dad_fold({first}, join, give, {of_tiles}")
        kernel("", before, [*elements, *joined, *prefixes], f"dad_scan({first}, join, give, {after_tiles}")
        kernel("_more_totals", ["int64_t from", *part], [*joined, *nothing],
               f"dad_fold({stored}, join, give, {of_tiles}")
        kernel("_more", ["int64_t from", "int64_t to", *before], joined,
               f"dad_scan({stored}, join, dad_storing<{state}>{{({state} *)to, n}}, {after_tiles}")
    return [(each, functions + "\n" + text if k == 0 else text) for k, (each, text) in enumerate(made)], fails


def element(writer: ThreadWriter, name: str, parts: Folded, params: Sequence[str], state: str) -> str:
    writer.code(parts.element)
    for k, x in enumerate(parts.values):
        if x is not None:
            writer.line(f"s.x{k} = {operand(x)};")
    return function(writer, f"{name}_element", [*params, f"{state} &s"])


def join(writer: ThreadWriter, name: str, node: tree.For, parts: Folded, params: Sequence[str], state: str) -> str:
    for k, reg in enumerate(node.carried):
        writer.line(f"{REGISTER[reg.dtype]} {register(reg)} = a.x{k};")
    for k, mark in enumerate(parts.marks):
        if mark is not None:
            writer.line(f"{REGISTER[mark.dtype]} {register(mark)} = b.x{k};")
    writer.code(parts.join)
    for k, x in enumerate(node.next):
        writer.line(f"s.x{k} = {operand(x)};")
    return function(writer, f"{name}_join", [*params, f"const {state} &a", f"const {state} &b", f"{state} &s"])


def rest(writer: ThreadWriter, name: str, node: tree.For, parts: Folded, params: Sequence[str], state: str) -> str:
    known: set[int] = set()
    for k, x in enumerate(node.next):
        if isinstance(x, Reg) and x.id not in known:
            known.add(x.id)
            writer.line(f"{REGISTER[x.dtype]} {register(x)} = s.x{k};")
    writer.code(parts.rest)
    return function(writer, f"{name}_rest", [*params, f"const {state} &s"])


def function(writer: ThreadWriter, name: str, params: Sequence[str]) -> str:
    head = f"DAD_DEVICE bool {name}({', '.join(['dad_thread *c', *params])}) {{"
    return "\n".join([head, *writer.locals, *writer.lines, "  return false;", "}"])


def cell(number: int, reg: Reg) -> str:
    return f"((dad_cell *)to{number})[row].{CELL[reg.dtype]}"


def value(reg: Reg, text: str) -> str:
    return f"dad_to_half({text})" if reg.dtype == "f16" else text
