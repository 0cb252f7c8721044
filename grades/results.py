"""What the rules of primitives share: the value of a statement, kinks and jumps that are noted down."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..lang.core import ir
from .intervals import Interval
from .lattice import Grade, Grades, joined
from .report import Branch
from .terms import Term, apply, show
from .values import Value, chains

if TYPE_CHECKING:
    from .walk import Walker

Shape = tuple[Value, ...] | None


def made(w: Walker, stmt: ir.Stmt, grades: Grades, args: Sequence[Value], term: Term | None = None, *,
         shape: Shape = None, squares: Grades | None = None, rows: tuple[Value, ...] | None = None,
         bounds: tuple[Interval, Interval] | None = None, what: str = "") -> Value:
    """The value of a statement."""
    op = stmt.op
    assert isinstance(op, ir.Prim)
    var = stmt.vars[0]
    sizes = [n for n in shape or () if n.grades]
    if any(root not in grades for n in sizes for root in n.grades):  # numbers, but how many of them varies
        grades, args = joined((grades, flat_of(sizes))), (*args, *sizes)
    if term is None:
        term = w.fresh(var.name, grades, bounds, integer=not var.type.is_float, cell=var.type.rank > 0)
    return Value(grades, chains(grades, args, stmt.span, what or op.name, named(var)), term, shape=shape,
                 squares=squares, rows=rows)


def named(var: ir.Var) -> bool:
    """Whether the source has a name for it, as far as one can tell."""
    return len(var.name) > 1 and var.name not in ("ys", "xs", "is")


def shape_of(args: Sequence[Value], types: Sequence[ir.Type]) -> Shape:
    """The shape of what is made of these element by element."""
    rank = max((t.rank for t in types), default=0)
    return next((v.shape for v, t in zip(args, types, strict=True) if t.rank == rank and v.shape is not None), None)


def types_of(stmt: ir.Stmt) -> list[ir.Type]:
    op = stmt.op
    assert isinstance(op, ir.Prim)
    return [a.type for a in op.args]


def term_of(name: str, args: Sequence[Value]) -> Term | None:
    terms = [v.term for v in args]
    if any(t is None for t in terms):
        return None
    return apply(name, [t for t in terms if t is not None])


def flat_of(args: Sequence[Value]) -> dict[str, Grade]:
    return {root: "flat" for v in args for root in v.grades}


def shown(term: Term) -> str:
    text = show(term)
    return text if len(text) <= 60 else "its argument"


def kink(w: Walker, stmt: ir.Stmt, v: Value, what: str, where: str, why: str = "") -> None:
    if w.quiet or not v.grades:
        return
    key = ("kink", id(stmt.op), *w.where[-1:])
    w.branches.setdefault(key, Branch(
        w.place(stmt.span), "kink", where, w.seen(v.grades), "lip", True, why or f"`{what}` has a kink there", where,
        w.where[-1] if w.where else "", dict(v.steps), site=stmt, raw=stmt.span))


def jumping(w: Walker, stmt: ir.Stmt, v: Value, what: str, why: str = "") -> None:
    """A place where a value steps from one number to the next."""
    if w.quiet or not v.grades or v.term is None:
        return
    key = ("step", id(stmt.op), *w.where[-1:])
    w.branches.setdefault(key, Branch(
        w.place(stmt.span), "step", f"{what} {shown(v.term)}", w.seen(v.grades), "jump", False,
        why or f"`{what}` jumps from one number to the next, and is constant in between", "",
        w.where[-1] if w.where else "",
        dict(v.steps), site=stmt, raw=stmt.span))
