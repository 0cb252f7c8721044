"""Primitives on arrays: elements, rearrangements, folds, matrices."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from ..lang.core import ir
from ..lang.core.primitive import PRIMITIVES
from .intervals import EVERYTHING, INFINITE, POSITIVE, Interval
from .lattice import Grades, at_least, joined, over, times
from .report import Branch
from .results import Shape, flat_of, jumping, kink, made, shown, types_of
from .signs import nonnegative, positive
from .terms import ZERO, Term, apply, atoms, compare, number
from .values import MATRICES, Value, chains, replaced

if TYPE_CHECKING:
    from .facts import Facts
    from .walk import Walker

# ---------------------------------------------------------------- arrays


def cell_bounds(w: Walker, v: Value) -> tuple[Interval, Interval] | None:
    return w.bounds(v)


def rearranged(w: Walker, stmt: ir.Stmt, args: Sequence[Value], shape: Shape = None,
               rows: tuple[Value, ...] | None = None) -> Value:
    """Elements of the first argument at other places; whole numbers among the arguments say which."""
    v = args[0]
    grades = joined(a.grades for a in args)
    if not stmt.vars[0].type.is_float:
        grades = flat_of(args)
    if stmt.vars[0].type.dtype == "bool":
        return w.unknown(grades, args, stmt.span, "", stmt.vars[0].type, shape=shape)
    return made(w, stmt, grades, args, None, shape=shape, bounds=cell_bounds(w, v), squares=v.squares, rows=rows)


def plain(place: Term) -> Term:
    """A place with its sums in one order: `i + 1 - 1` is `i`, `1 + (i + 1)` is `i + 2`.

    >>> from ..grades.terms import atom, number, show
    >>> show(plain(apply("sub", [apply("add", [atom("i", "i", True), number(1)]), number(2)])))
    'i - 1'
    """
    parts: dict[Term, Fraction] = {}
    constant = Fraction(0)
    waiting = [(place, Fraction(1))]
    while waiting:
        t, times_ = waiting.pop()
        match t.op, t.args:
            case "number", _:
                constant += times_ * t.value
            case "add", (a, b):
                waiting += [(a, times_), (b, times_)]
            case "sub", (a, b):
                waiting += [(a, times_), (b, -times_)]
            case "neg", (a,):
                waiting.append((a, -times_))
            case "mul", (Term(op="number", value=k), a) | (a, Term(op="number", value=k)):
                waiting.append((a, times_ * k))
            case _:
                parts[t] = parts.get(t, Fraction(0)) + times_
    found: Term | None = None
    for t in sorted((t for t, k in parts.items() if k), key=lambda t: (parts[t] < 0, t.id)):
        k = abs(parts[t])
        part = t if k == 1 else apply("mul", [number(k), t])
        if found is None:
            found = part if parts[t] > 0 else apply("neg", [part])
        else:
            found = apply("add" if parts[t] > 0 else "sub", [found, part])
    if found is None:
        return number(constant)
    return found if not constant else apply("add" if constant > 0 else "sub", [found, number(abs(constant))])


def at(w: Walker, cell: Term, indices: Sequence[Value], steps_of: Sequence[Value], rank: int) -> Term:
    """The element of an array at these places, from the formula of an element."""
    where = tuple(plain(v.term) for v in indices if v.term is not None)
    places = tuple(plain(v.term).id if v.term is not None else w.next() for v in indices)
    by: dict[Term, Term] = {}
    for c in atoms(cell):
        if c in w.cells:
            grades = joined((w.activity.get(c, {}), *(v.grades for v in indices)))
            text = ", ".join(shown(plain(v.term)) if v.term is not None else "?" for v in indices)
            name = f"{c.name}[{text}]" if not c.name.endswith("]") else f"{c.name[:-1]}, {text}]"
            by[c] = w.fresh(name, grades, (w.near.interval(c), w.exact.interval(c)), integer=c.integer,
                            cell=rank > 0, key=("at", c.id, places))
            if len(where) == len(indices):
                w.places[by[c]] = c, where
    return replaced(cell, by)


def index(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    v, indices = args[0], args[1:]
    op = stmt.op
    assert isinstance(op, ir.Prim)
    t = stmt.vars[0].type
    shape = v.shape[len(indices):] if v.shape is not None and t.rank else None
    if v.rows is not None and indices[0].term is not None and indices[0].term.op == "number":
        k = int(indices[0].term.value)
        if 0 <= k < len(v.rows):
            row = v.rows[k]
            if len(indices) == 1:
                return row
    first = indices[0]
    if v.origin is not None and v.origin[0] == "spectrum" and first.term is not None and first.term is ZERO:
        grades = at_least(v.origin[1].grades, "lip")
        return made(w, stmt, grades, args, None, shape=shape)
    if first.origin is not None and first.origin[1] is v and len(indices) == 1:
        # x[argsort x] is sorted, x[argmax x] is the maximum: no jump as places change.
        kink(w, stmt, v, first.origin[0], "two elements are equal", "elements that are equal change places")
        return made(w, stmt, at_least(v.grades, "lip"), args, None, shape=shape, bounds=w.bounds(v))
    grades = joined(a.grades for a in args)
    if not t.is_float:
        grades = flat_of(args)
    if t.dtype == "bool":
        return w.unknown(grades, args, stmt.span, "", t, shape=shape)
    moving = [i for i in indices if i.grades]
    if moving and v.grades:
        choosing(w, stmt, moving, v)
    origin = v.origin if v.origin is not None and v.origin[0] not in MATRICES else None
    if v.term is None:
        return made(w, stmt, grades, args, None, shape=shape)
    term = at(w, v.term, indices, args, t.rank)
    if v.origin is not None and v.origin[0] == "cholesky" and len(indices) == 2 and not moving:
        i, j = (plain(v.term) if v.term is not None else None for v in indices)
        if i is not None and i is j:
            w.within(term, (POSITIVE, POSITIVE))
    found = made(w, stmt, grades, args, term, shape=shape, squares=v.squares)
    found.origin = origin if not moving else None
    return found


def choosing(w: Walker, stmt: ir.Stmt, moving: Sequence[Value], v: Value) -> None:
    """An element that is chosen by a root."""
    if w.quiet:
        return
    grades = flat_of(moving)
    key = ("index", id(stmt.op), *w.where[-1:])
    w.branches.setdefault(key, Branch(
        w.place(stmt.span), "index", "the index", w.seen(grades), "jump", False,
        "another element is taken where the index changes", "", w.where[-1] if w.where else "",
        chains(grades, moving, stmt.span, "index", False), site=stmt, raw=stmt.span))


def dim(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    v = args[0]
    op = stmt.op
    assert isinstance(op, ir.Prim)
    axis = op.attr("axis")
    assert isinstance(axis, int)
    if v.shape is not None:
        return v.shape[axis]
    grades = flat_of(args)
    return made(w, stmt, grades, args, None, bounds=(COUNT, COUNT))


COUNT = Interval(Fraction(0), INFINITE, False, True)


def iota(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    grades = flat_of(args)
    n = args[0]
    found = made(w, stmt, grades, args, None, shape=(n,), bounds=(COUNT, COUNT))
    if n.term is not None and found.term is not None:
        cond = compare("<", found.term, n.term)
        w.near, w.exact = w.near.assume(cond), w.exact.assume(cond)
    return found


def table(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    op = stmt.op
    assert isinstance(op, ir.Prim)
    of = op.attr("of")
    assert isinstance(of, ir.Table)
    bounds = None
    if of.values and of.dtype != "bool" and all(math.isfinite(x) for x in of.values):
        low, high = Fraction(min(of.values)), Fraction(max(of.values))
        bounds = (Interval(low, high, False, False),) * 2
    return made(w, stmt, {}, (), None, shape=(Value(term=number(len(of.values))),), bounds=bounds)


def replicate(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    n, v = args
    op = stmt.op
    assert isinstance(op, ir.Prim)
    grades = joined((flat_of((n,)), v.grades))
    shape = (n, *v.shape) if v.shape is not None else (n,) if not op.args[1].type.rank else None
    t = stmt.vars[0].type
    if t.dtype == "bool":
        return w.unknown(grades, args, stmt.span, "", t, shape=shape)
    term = v.term if not op.args[1].type.rank else None
    return made(w, stmt, grades, args, term, shape=shape, bounds=w.bounds(v), squares=v.squares)


def zeros_like(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    v = args[0]
    grades = flat_of(v.shape) if v.shape is not None else flat_of(args)
    if stmt.vars[0].type.dtype == "bool":
        return w.unknown(grades, args, stmt.span, "", stmt.vars[0].type, shape=v.shape)
    return made(w, stmt, grades, args, ZERO, shape=v.shape, squares={})


def stack(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    from .walk import hull

    op = stmt.op
    assert isinstance(op, ir.Prim)
    t = stmt.vars[0].type
    grades = joined(v.grades for v in args)
    count = Value(term=number(len(args)))
    first = args[0]
    shape: Shape = (count,) if t.rank == 1 else (count, *first.shape) if first.shape is not None else None
    if t.dtype == "bool":
        return w.unknown(flat_of(args), args, stmt.span, "", t, shape=shape)
    bounds: tuple[Interval, Interval] | None = None
    for v in args:
        here = w.bounds(v)
        if here is None:
            bounds = None
            break
        bounds = here if bounds is None else (hull(bounds[0], here[0]), hull(bounds[1], here[1]))
    return made(w, stmt, grades, args, None, shape=shape, rows=tuple(args), bounds=bounds)


def concat(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    from .walk import hull

    t = stmt.vars[0].type
    grades = joined(v.grades for v in args)
    if t.dtype == "bool" or not t.is_float:
        grades = flat_of(args)
    shape: Shape = None
    if all(v.shape is not None and v.shape[0].term is not None for v in args):
        total: Term | None = None
        for v in args:
            assert v.shape is not None
            here = v.shape[0].term
            assert here is not None
            total = here if total is None else apply("add", (total, here))
        counts = [v.shape[0] for v in args if v.shape is not None]
        assert args[0].shape is not None
        shape = (Value(flat_of(counts), chains(flat_of(counts), counts, None, "n", False), total),
                 *args[0].shape[1:])
    if t.dtype == "bool":
        return w.unknown(grades, args, stmt.span, "", t, shape=shape)
    bounds: tuple[Interval, Interval] | None = None
    for k, v in enumerate(args):
        here_bounds = w.bounds(v)
        if here_bounds is None:
            bounds = None
            break
        bounds = here_bounds if k == 0 or bounds is None else (hull(bounds[0], here_bounds[0]),
                                                               hull(bounds[1], here_bounds[1]))
    rows: tuple[Value, ...] | None = None
    if all(v.rows is not None for v in args):
        rows = tuple(r for v in args for r in v.rows or ())
    return made(w, stmt, grades, args, None, shape=shape, bounds=bounds, rows=rows)


def moved(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    """reverse, rotate: the shape stays."""
    return rearranged(w, stmt, args, args[0].shape)


def transpose(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    op = stmt.op
    assert isinstance(op, ir.Prim)
    perm = op.attr("perm")
    assert isinstance(perm, tuple)
    v = args[0]
    return rearranged(w, stmt, args, tuple(v.shape[k] for k in perm) if v.shape is not None else None)


def slice_(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    op = stmt.op
    assert isinstance(op, ir.Prim)
    axis = op.attr("axis")
    assert isinstance(axis, int)
    v, start, count, by = args
    shape = (*v.shape[:axis], count, *v.shape[axis + 1:]) if v.shape is not None else None
    rows: tuple[Value, ...] | None = None
    places = [x.term for x in (start, count, by)]
    if v.rows is not None and axis == 0 and all(p is not None and p.op == "number" for p in places):
        first, number_, step_ = (int(p.value) for p in places if p is not None)
        picked = [first + k * step_ for k in range(number_)]
        if all(0 <= k < len(v.rows) for k in picked):
            rows = tuple(v.rows[k] for k in picked)
    return rearranged(w, stmt, args, shape, rows)


def reshape(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    return rearranged(w, stmt, args, tuple(args[1:]))


def gather(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    v, indices = args[0], args[1:]
    shape: Shape = None
    if indices[0].shape is not None and v.shape is not None:
        shape = (*indices[0].shape, *v.shape[len(indices):])
    if len(indices) == 1 and indices[0].origin is not None and indices[0].origin[1] is v:
        grades = at_least(v.grades, "lip")
        kink(w, stmt, v, indices[0].origin[0], "two elements are equal", "elements that are equal change places")
        return made(w, stmt, grades, args, None, shape=shape, bounds=w.bounds(v), squares=None)
    if v.grades and any(i.grades for i in indices):
        choosing(w, stmt, [i for i in indices if i.grades], v)
    return rearranged(w, stmt, args, shape)


def written(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    """update, scatter, hist: elements of the first argument, and of others."""
    from .walk import hull

    op = stmt.op
    assert isinstance(op, ir.Prim)
    v = args[0]
    grades = joined(a.grades for a in args)
    t = stmt.vars[0].type
    if not t.is_float:
        grades = flat_of(args)
    if op.name in ("max_at", "min_at"):
        grades = at_least(grades, "lip")
    if t.dtype == "bool":
        return w.unknown(grades, args, stmt.span, "", t, shape=v.shape)
    floats = [a for a, kind in zip(args, types_of(stmt), strict=True) if kind.dtype == t.dtype]
    bounds: tuple[Interval, Interval] | None = None
    squares: Grades | None = None
    if op.name in ("update", "update_slice", "scatter", "max_at", "min_at"):
        both = [w.bounds(a) for a in ((args[0], args[2]) if op.name == "scatter" else args[:2])]
        if both[0] is not None and both[1] is not None:
            bounds = hull(both[0][0], both[1][0]), hull(both[0][1], both[1][1])
    elif all(a.term is not None and w.near.nonnegative(a.term) for a in args[:2]):
        bounds = COUNT, COUNT
    if all(a.squares is not None for a in floats):
        squares = joined(a.squares for a in floats if a.squares is not None)
    rows: tuple[Value, ...] | None = None
    if op.name == "update" and v.rows is not None and len(args) == 3 and args[2].term is not None \
            and args[2].term.op == "number":
        k = int(args[2].term.value)
        if 0 <= k < len(v.rows):
            rows = (*v.rows[:k], args[1], *v.rows[k + 1:])
    return made(w, stmt, grades, args, None, shape=v.shape, bounds=bounds, squares=squares, rows=rows)


def order_(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    """argsort, argmax, argmin: places of elements of an array."""
    v = args[0]
    op = stmt.op
    assert isinstance(op, ir.Prim)
    single = op.args[0].type.rank == 1
    shape = v.shape if op.name == "argsort" else None
    found = made(w, stmt, flat_of(args), args, None, shape=shape, bounds=(COUNT, COUNT))
    if single:
        found.origin = ({"argsort": "sorting", "argmax": "maximum", "argmin": "minimum"}[op.name], v)
    if v.grades:
        jumping(w, stmt, Value(v.grades, v.steps, v.term), op.name)
    return found


def spectrum(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    """Eigenvalues and singular values are Lipschitz; their vectors jump where two are equal."""
    found = made(w, stmt, at_least(args[0].grades, "jump"), args)
    found.origin = ("spectrum", args[0])
    return found


# ---------------------------------------------------------------- folds and matrices


def axis_shape(stmt: ir.Stmt, v: Value) -> Shape:
    op = stmt.op
    assert isinstance(op, ir.Prim)
    axis = op.attr("axis")
    assert isinstance(axis, int)
    return (*v.shape[:axis], *v.shape[axis + 1:]) if v.shape is not None else None


def sum_(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    op = stmt.op
    assert isinstance(op, ir.Prim)
    v = args[-1] if op.name == "ordered_sum" else args[0]
    t = stmt.vars[0].type
    grades = joined(a.grades for a in args) if t.is_float else flat_of(args)
    shape = v.shape if op.name == "cumsum" else axis_shape(stmt, v) if op.name == "sum" and t.rank else None
    squares = v.squares if len(args) == 1 else \
        joined(a.squares for a in args if a.squares is not None) if all(a.squares is not None for a in args) else None
    if v.rows is not None and len(args) == 1 and t.rank == 0 and op.name == "sum" and v.rows:
        total: Term | None = None
        for row in v.rows:
            if row.term is None:
                total = None
                break
            total = row.term if total is None else apply("add", (total, row.term))
        if total is not None:
            own = [r.squares for r in v.rows]
            together = joined(s for s in own if s is not None) if all(s is not None for s in own) else None
            return made(w, stmt, grades, args, total, squares=together)

    def lower(facts: Facts) -> Interval:
        if any(a.term is None or not nonnegative(facts, a.term) for a in args):
            return EVERYTHING
        count = v.shape[0].term if v.shape is not None and v.term is not None else None
        some = count is not None and facts.positive(count) and v.term is not None and positive(facts, v.term)
        return Interval(Fraction(0), INFINITE, some, True)

    found = made(w, stmt, grades, args, None, shape=shape, bounds=(lower(w.near), lower(w.exact)), squares=squares)
    found.some = t.is_float and len(args) == 1 and v.term is not None and positive(w.near, v.term)
    if op.name == "sum" and t.is_float and not t.rank and v.term is not None and found.term is not None and v.shape \
            and v.shape[0].term is not None:
        from .shifts import Sum

        cells = frozenset(c for c in w.atoms(v.term) if c in w.cells)
        w.sums[found.term] = Sum(v.term, cells, w.near, v.shape[0].term, found.some)
    return found


def product(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    op = stmt.op
    assert isinstance(op, ir.Prim)
    v = args[0]
    t = stmt.vars[0].type
    grades = at_least(v.grades, "smooth") if t.is_float else flat_of(args)
    shape = v.shape if op.name == "cumprod" else axis_shape(stmt, v) if t.rank else None

    def sign(facts: Facts) -> Interval:
        if v.term is not None and positive(facts, v.term):
            return Interval(Fraction(0), INFINITE, True, True)
        return COUNT if v.term is not None and nonnegative(facts, v.term) else EVERYTHING

    return made(w, stmt, grades, args, None, shape=shape, bounds=(sign(w.near), sign(w.exact)))


def largest(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    op = stmt.op
    assert isinstance(op, ir.Prim)
    v = args[0]
    t = stmt.vars[0].type
    grades = at_least(v.grades, "lip") if t.is_float else flat_of(args)
    shape = v.shape if op.name in ("cummax", "cummin") else axis_shape(stmt, v) if t.rank else None
    if t.is_float:
        kink(w, stmt, v, op.name, "two elements are equal")
    return made(w, stmt, grades, args, None, shape=shape, bounds=w.bounds(v))


def matmul(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    a, b = args
    grades = times(a.grades, b.grades) if stmt.vars[0].type.is_float else flat_of(args)
    shape: Shape = None
    ranks = [t.rank for t in types_of(stmt)]
    if a.shape is not None and b.shape is not None and ranks == [2, 2]:
        shape = a.shape[0], b.shape[1]
    return made(w, stmt, grades, args, None, shape=shape)


def solved(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    """A⁻¹ B: linear in B, smooth in A wherever the check beside it passes."""
    a, b = args
    return made(w, stmt, over(b.grades, a.grades), args, None, shape=b.shape)


def cholesky(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    """Smooth, with a positive diagonal: what is not positive definite fails."""
    found = same_matrix(w, stmt, args)
    found.origin = ("cholesky", args[0])
    return found


def same_matrix(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    """inverse and its like: smooth where they are defined, of the shape of their argument."""
    op = stmt.op
    assert isinstance(op, ir.Prim)
    grades = at_least(joined(v.grades for v in args), PRIMITIVES[op.name].grade)
    return made(w, stmt, grades, args, None, shape=args[0].shape)


Rule = Callable[["Walker", ir.Stmt, Sequence[Value]], Value]
ARRAYS: dict[str, Rule] = {
    "index": index, "dim": dim, "iota": iota, "table": table, "replicate": replicate, "zeros_like": zeros_like,
    "stack": stack, "concat": concat, "reverse": moved, "rotate": moved, "transpose": transpose, "slice": slice_,
    "reshape": reshape, "gather": gather, "argsort": order_, "argmax": order_, "argmin": order_, "eigen": spectrum,
    "svd": spectrum, "sum": sum_, "cumsum": sum_, "ordered_sum": sum_, "prod": product, "cumprod": product,
    "maximum": largest, "minimum": largest, "cummax": largest, "cummin": largest, "matmul": matmul, "solve": solved,
    "solve_triangular": solved, "cholesky": cholesky, "inverse": same_matrix, "triangle": same_matrix,
    **dict.fromkeys(("update", "update_slice", "accumulate", "accumulate_slice", "accumulate_at", "scatter", "max_at",
                     "min_at"), written),
}
