"""Loops of few independent iterations with loops inside: in pieces, each with a thread to an inner iteration.

In: the body of a loop of the outer level. Out: its pieces, in order: inner loops, inner sums, and what is between them.
What a piece needs of plain numbers before it, it computes again; what loops and sums come to is kept in arrays, a
number to each outer iteration, and what an iteration takes from the arena becomes a row of memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..loops import tree
from ..loops.operands import defined, everything, inner, own, read
from ..loops.tree import Code, Operand, Reg
from .levels import few
from .roots import UNKNOWN, Leads


@dataclass
class Piece:
    """`node` is an inner loop or sum; `code` what runs in a thread to an outer iteration. `before` are plain numbers
    that it computes first."""

    node: tree.For | tree.Sum | None
    code: Code
    before: Code = field(default_factory=list)
    loaded: list[Reg] = field(default_factory=list)
    """What earlier pieces kept."""
    kept: list[Reg] = field(default_factory=list)


def pieces_of(node: tree.For, leads: Leads, host: Callable[[Operand], bool]) -> list[Piece] | None:
    """The pieces of a body; None where it is better left as it is. `host` says what the host knows."""
    body = node.body
    if body and isinstance(body[0], tree.Mark) and isinstance(body[-1], tree.Release):
        body = body[1:-1]
    writes: set[int] = set()
    for n in everything(body):
        match n:
            case tree.Store(base=target) | tree.Copy(target=target):
                writes |= leads.of(target)
            case tree.Mark() | tree.Release() if n in body:
                return None
            case tree.Invoke() | tree.Resize() | tree.Host():
                return None
            case _:
                pass
    pieces: list[Piece] = []
    plain: dict[int, tree.Node] = {}
    home: dict[int, int] = {}
    """The piece that computes a register."""
    heavy = False
    between = False
    for n in body:
        if isinstance(n, tree.Alloc):
            if not host(n.count):
                return None
            plain[n.out.id] = n
        elif isinstance(n, tree.Local):
            plain[n.out.id] = n
        elif pure(n, writes, leads):
            for r in own(n)[1]:
                plain[r.id] = n
        else:
            if wide(n, host):
                assert isinstance(n, tree.For | tree.Sum)
                pieces.append(Piece(n, [n]))
                heavy, between = True, False
            elif between:
                pieces[-1].code.append(n)
            else:
                pieces.append(Piece(None, [n]))
                between = True
            for r in own(n)[1]:
                home[r.id] = len(pieces) - 1
    if not heavy:
        return None
    for k, piece in enumerate(pieces):
        if not needs(piece, k, body, plain, home, pieces):
            return None
    return pieces


def needs(piece: Piece, k: int, body: Code, plain: dict[int, tree.Node], home: dict[int, int], pieces: list[Piece]
          ) -> bool:
    """Find what comes before a piece; False where it needs an address that another piece has computed."""
    wanted: set[int] = set()
    loaded: dict[Reg, None] = {}
    inside = {r.id for r in defined(piece.code)}
    pending = [r for r in read(piece.code) if r.id not in inside]
    seen: set[int] = set()
    while pending:
        r = pending.pop()
        if r.id in seen:
            continue
        seen.add(r.id)
        if r.id in home and home[r.id] != k:
            if r.pointer or home[r.id] > k:
                return False
            loaded[r] = None
            if r not in pieces[home[r.id]].kept:
                pieces[home[r.id]].kept.append(r)
        elif r.id in plain:
            n = plain[r.id]
            wanted.add(id(n))
            mine = {x.id for x in defined([n])}
            pending += [x for x in read([n]) if x.id not in mine]
    late = {r.id for n in piece.code for r in own(n)[1]}
    own_nodes = {id(n) for n in piece.code}
    piece.before, piece.code = [], []
    for n in body:
        if id(n) in own_nodes:
            piece.code.append(n)
        elif id(n) in wanted:
            if any(r.id in late for r in read([n])):  # it reads what the piece itself computes
                late.update(r.id for r in own(n)[1])
                piece.code.append(n)
            else:
                piece.before.append(n)
    piece.loaded = list(loaded)
    return True


def wide(node: tree.Node, host: Callable[[Operand], bool]) -> bool:
    """Whether it is work for many threads."""
    match node:
        case tree.For(parallel=True, carried=(), last=0) | tree.Sum():
            return not few(node) and host(node.count)
    return False


def pure(node: tree.Node, writes: set[int], leads: Leads) -> bool:
    """Whether it may be computed again, later."""
    match node:
        case tree.Scalar() | tree.Shift() | tree.Data():
            return True
        case tree.Load(base=base):
            return not leads.of(base) & writes and not (UNKNOWN in leads.of(base) and writes) and UNKNOWN not in writes
        case tree.Choice():
            return all(pure(n, writes, leads) for part in inner(node) for n in part)
    return False
