"""Loops of independent iterations, straight code, as strips: so many iterations side by side in vectors.

For tier 1. LLVM would find such loops itself, in programs that are not long; this costs it nothing. Where a loop has
room (`loops.room`) it goes on up to a whole strip, where it has none what is left runs one by one. What comes in the
order of the iterations (`last`) runs after each strip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..loops import tree
from ..loops.copies import copied, renamed
from ..loops.fuse import straight
from ..loops.operands import everything, own, read
from ..loops.room import WIDTH
from ..loops.tree import Code, Imm, Operand, Reg
from ..loops.varying import NotAlike, Varying
from .kernels import table

if TYPE_CHECKING:
    from .llvm import FunctionWriter

NUMBERS = ("f64", "i64", "u64")


def strips(w: FunctionWriter, node: tree.For) -> Code | None:
    """What is written in place of the loop; None where it stays as it is."""
    if not straight(node.body) or node.carried:
        return None
    from .llvm import calling

    width = lanes(node.body)
    if w.module.whole and not node.room and calling(node.body):  # two registers: while one waits the other computes
        width = min(2 * width, WIDTH)
    if width < 2 or (isinstance(node.count, Imm) and int(node.count.value) < width):
        return None
    split = len(node.body) - node.last
    lanes_code, last = node.body[:split], node.body[split:]
    try:
        Varying(node.index, lanes_code)
    except NotAlike:
        return None
    bits = width.bit_length() - 1
    strip, start = w.reg(), w.reg()
    code: Code = []
    count = node.count
    if node.room:
        count = w.reg()
        code.append(tree.Scalar(count, "add", (node.count, Imm(width - 1, "i64"))))
    whole = w.reg()
    code.append(tree.Scalar(whole, "shr", (count, Imm(bits, "i64"))))
    inside: Code = [tree.Scalar(start, "shl", (strip, Imm(bits, "i64")))]
    if last:
        try:
            rooms, lanes_code, after = one_by_one(w, node, lanes_code, last, start, width)
        except NotAlike:
            return None
        code += rooms
        inside += [tree.Lanes(node.index, start, width, lanes_code), *after]
    else:
        inside.append(tree.Lanes(node.index, start, width, lanes_code))
    code.append(tree.For(strip, whole, (), (), inside, (), ()))
    if not node.room and not (isinstance(count, Imm) and int(count.value) % width == 0):
        done, rest, at, index = (w.reg() for _ in range(4))
        one: Code = [tree.Scalar(index, "add", (done, at)), *renamed_index(node.body, node.index, index)]
        code += [tree.Scalar(done, "shl", (whole, Imm(bits, "i64"))), tree.Scalar(rest, "sub", (node.count, done)),
                 tree.For(at, rest, (), (), copied(one, w.reg), (), ())]
    return code


def one_by_one(w: FunctionWriter, node: tree.For, lanes_code: Code, last: Code, start: Reg, width: int
               ) -> tuple[Code, Code, Code]:
    """What comes in the order of the iterations, after the lanes of a strip: room for what it reads of them, the lanes
    with what they leave there, and the loop over them. What a table says is read again."""
    makers = {r.id: n for n in lanes_code for r in own(n)[1]}
    tables = w.module.tables(w.function)
    rooms: Code = []
    leave: Code = []
    fetch: Code = []
    lane, index, at = w.reg(), w.reg(), w.reg()
    names: dict[int, Reg] = {node.index.id: index}
    leave.append(tree.Scalar(at, "sub", (node.index, start)))

    def want(reg: Reg) -> Reg:
        maker = makers.get(reg.id)
        if maker is None or reg.id in names:
            return names.get(reg.id, reg)
        made = w.reg(reg.dtype, reg.pointer)
        match maker:
            case tree.Scalar(name="add", args=(x, y)) if node.index in (x, y) and not {
                    z.id for z in (x, y) if isinstance(z, Reg)} & makers.keys():
                fetch.append(tree.Scalar(made, "add", tuple(want(z) if isinstance(z, Reg) else z for z in (x, y))))
            case tree.Load(base=base, offset=offset) if base.id in tables and isinstance(offset, Reg):
                fetch.append(tree.Load(made, base, want(offset)))
            case _ if not reg.pointer:
                room = w.reg(reg.dtype, True)
                rooms.append(tree.Local(room, width))
                leave.append(tree.Store(room, at, reg))
                fetch.append(tree.Load(made, room, lane))
            case _:
                raise NotAlike
        names[reg.id] = made
        return made

    for reg in read(last):
        want(reg)
    left: Operand = Imm(width, "i64")
    counted: Code = []
    if node.room:
        rest, least = w.reg(), w.reg()
        counted = [tree.Scalar(rest, "sub", (node.count, start)), tree.Scalar(least, "min", (rest, left))]
        left = least
    body: Code = [tree.Scalar(index, "add", (start, lane)), *fetch, *copied(renamed(last, names), w.reg)]
    return rooms, [*lanes_code, *leave], [*counted, tree.For(lane, left, (), (), body, (), ())]


def renamed_index(code: Code, old: Reg, new: Reg) -> Code:
    return renamed(code, {old.id: new})


def lanes(code: Code) -> int:
    """How many iterations: as many as a register has of the widest numbers."""
    wide = narrow = False
    for node in everything(code):
        operand: Operand | None = node.out if isinstance(node, tree.Load) else \
            node.value if isinstance(node, tree.Store) else None
        if operand is not None:
            wide = wide or operand.dtype in NUMBERS
            narrow = True
    return table.lanes("f64" if wide or not narrow else "f32")
