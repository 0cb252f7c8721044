"""Loops that are associative folds, taken apart: what each element is, how two states are joined, what is done with
prefixes.

Lowering marks the elements (`joined` in `loops/lower.py`). What these need is the first part, what the next state
needs of them and of the state is the operator, the rest stores prefixes. Each part must stand by itself: the operator
reads nothing of an element but what is marked, and nobody reads what is stored. Then many threads may do it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..loops import tree
from ..loops.fuse import straight
from ..loops.operands import defined, everything, own, read
from ..loops.tree import Code, Imm, Operand, Reg

FEW = 32
"""Of at most so many elements a fold stays a loop."""
ORDERED = {"exact": 1, "user": 128, "rounds": 2048}
"""So many elements are joined one after the other, by what the operator does when others are joined first."""
PURE = (tree.Scalar, tree.Load, tree.Shift, tree.Choice)


@dataclass(frozen=True)
class Folded:
    """The parts of a loop. `values` are what is marked, by the number of the state; the operator reads `marks`."""

    element: Code
    values: tuple[Operand | None, ...]
    marks: tuple[Reg | None, ...]
    join: Code
    rest: Code
    kind: str


def marked(node: tree.Node) -> bool:
    """Whether a loop says that it is a fold, of more than a few elements."""
    return (isinstance(node, tree.For) and bool(node.carried) and any(map(is_mark, node.body))
            and not (isinstance(node.count, Imm) and int(node.count.value) <= FEW))


def is_mark(node: tree.Node) -> bool:
    return isinstance(node, tree.Scalar) and node.name == "element"


def folded(node: tree.For, function: tree.Function) -> Folded | None:
    """The parts, or None where they do not stand by themselves."""
    if not marked(node) or node.last or any(r.pointer for r in node.carried):
        return None
    body = node.body
    scoped = bool(body) and isinstance(body[0], tree.Mark) and isinstance(body[-1], tree.Release)
    inner = body[1:-1] if scoped else body
    marks: list[Reg | None] = [None] * len(node.carried)
    values: list[Operand | None] = [None] * len(node.carried)
    kinds: set[str] = set()
    for n in inner:
        if isinstance(n, tree.Scalar) and n.name == "element":
            attrs = dict(n.attrs)
            slot = int(str(attrs["slot"]))
            if slot >= len(marks) or marks[slot] is not None or n.out.dtype != node.carried[slot].dtype:
                return None
            marks[slot], values[slot] = n.out, n.args[0]
            kinds.add(str(attrs["kind"]))
    nodes = [n for n in inner if not is_mark(n)]
    made = {r.id: k for k, n in enumerate(nodes) for r in defined([n])}
    reads = [{r.id for r in read([n])} - {r.id for r in defined([n])} for n in nodes]
    own_marks = {r.id for r in marks if r is not None}
    of_state = {r.id for r in node.carried} | own_marks
    stateful: set[int] = set()
    for k, n in enumerate(nodes):
        if reads[k] & of_state:
            stateful.add(k)
            of_state |= {r.id for r in defined([n])}
    element = slice_of({x.id for x in values if isinstance(x, Reg)}, nodes, made, reads)
    join = slice_of({x.id for x in node.next if isinstance(x, Reg)}, nodes, made, reads)
    if element & stateful or any(k not in stateful and varies(k, nodes, made, reads, node.index) for k in join):
        return None
    rest = [k for k in range(len(nodes)) if k not in element and k not in join]
    state = {x.id for x in node.next if isinstance(x, Reg)}
    needed = slice_of(set().union(*(reads[k] for k in rest)) - state, nodes, made, reads) if rest else set()
    if needed & stateful or any(reads[k] & (own_marks | {r.id for r in node.carried}) for k in rest):
        return None
    if not all(isinstance(nodes[k], PURE) for k in needed) or not straight([nodes[k] for k in (*rest, *join)]):
        return None
    if any(isinstance(n, tree.Store | tree.Check) for n in everything([nodes[k] for k in join])):
        return None
    if not alone([nodes[k] for k in sorted(element)], [nodes[k] for k in join], [nodes[k] for k in rest], function):
        return None
    wrapped = [body[0], *(nodes[k] for k in sorted(element)), body[-1]] if scoped else [
        nodes[k] for k in sorted(element)]
    kind = "user" if "user" in kinds else "rounds" if "rounds" in kinds else "exact"
    return Folded(wrapped, tuple(values), tuple(marks), [nodes[k] for k in sorted(join)],
                  [nodes[k] for k in sorted({*needed, *rest})], kind)


def slice_of(wanted: set[int], nodes: Sequence[tree.Node], made: dict[int, int], reads: Sequence[set[int]]) -> set[int]:
    """The nodes that make these registers, and those that these need."""
    found: set[int] = set()
    pending = [made[r] for r in wanted if r in made]
    while pending:
        k = pending.pop()
        if k not in found:
            found.add(k)
            pending += [made[r] for r in reads[k] if r in made]
    return found


def varies(k: int, nodes: Sequence[tree.Node], made: dict[int, int], reads: Sequence[set[int]], index: Reg) -> bool:
    """Whether a node is something else in each iteration."""
    return any(index.id in reads[j] or not isinstance(nodes[j], tree.Scalar)
               for j in slice_of({r.id for r in defined([nodes[k]])}, nodes, made, reads))


def alone(element: Code, join: Code, rest: Code, function: tree.Function) -> bool:
    """Whether nobody writes where others read: elements into memory of their own, prefixes into arrays made here."""
    roots: dict[int, int] = {}
    mine: set[int] = set()
    for n in everything(function.body):
        match n:
            case tree.Shift(out=out, base=base):
                roots[out.id] = roots.get(base.id, base.id)
            case tree.Alloc(out=out) | tree.Local(out=out):
                mine.add(out.id)
            case _:
                pass
    inside = {r.id for n in element for r in defined([n])}
    read_from = {roots.get(n.base.id, n.base.id) for n in everything([*element, *join]) if isinstance(n, tree.Load)}
    read_from |= {roots.get(n.source.id, n.source.id) for n in everything(element) if isinstance(n, tree.Copy)}
    for n in everything(element):
        match n:
            case tree.Store(base=base) | tree.Copy(target=base):
                if roots.get(base.id, base.id) not in mine & inside:
                    return False
            case tree.Resize() | tree.Host() | tree.Library():
                return False
            case _:
                pass
    for n in everything(rest):
        if isinstance(n, tree.Load) and roots.get(n.base.id, n.base.id) in inside:
            return False
        if isinstance(n, tree.Store):
            root = roots.get(n.base.id, n.base.id)
            if root not in mine or root in read_from or root in inside:
                return False
    return True


def outside(node: tree.For, parts: Iterable[Code], operands: Iterable[Operand]) -> list[Reg]:
    """The registers that the parts read and the loop does not define."""
    inside = {r.id for r in defined([node])}
    found: dict[Reg, None] = {}
    for part in parts:
        found |= dict.fromkeys(r for n in everything(part) for r in own(n)[0] if isinstance(r, Reg))
    found |= dict.fromkeys(x for x in operands if isinstance(x, Reg))
    return [r for r in found if r.id not in inside]


def width(dtypes: Sequence[str]) -> int:
    """Bytes of a struct of registers of these dtypes."""
    sizes = [{"f64": 8, "f32": 4, "f16": 4, "bool": 1}.get(d) or int(d[1:]) // 8 for d in dtypes]
    at = 0
    for size in sizes:
        at = -(-at // size) * size + size
    return -(-at // max(sizes)) * max(sizes)
