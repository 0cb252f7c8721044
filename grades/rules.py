"""Primitives: the grade of the result from those of the arguments, and what is known of it.

Most follow from the record: its grade, joined with those of its arguments, where they are inside its domain. The rules
here are for those that know more: sums of squares, kinks that facts decide, elements of arrays.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from ..lang.core import ir
from ..lang.core.primitive import PRIMITIVES, Domain, Primitive
from . import shifts, valued
from .arrays import ARRAYS
from .domains import domain_grade, note_domain
from .intervals import Interval
from .lattice import Grade, Grades, at_least, better, joined, times, worst
from .results import flat_of, jumping, kink, made, shape_of, shown, term_of, types_of
from .signs import nonnegative
from .terms import (
    CONDITIONS,
    FALSE,
    TRUE,
    ZERO,
    And,
    Cond,
    Term,
    apply,
    compare,
    conj,
    disj,
    large,
    negate,
    number,
)
from .values import Value, chains

if TYPE_CHECKING:
    from .walk import Walker

INFINITE = math.inf
COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")


def primitive(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    op = stmt.op
    assert isinstance(op, ir.Prim)
    rule = RULES.get(op.name)
    if rule is not None:
        return rule(w, stmt, args)
    record = PRIMITIVES[op.name]
    if record.elementwise:
        return elementwise(w, stmt, record, args)
    grades = at_least(joined(v.grades for v in args), record.grade)
    t = stmt.vars[0].type
    return w.unknown(grades, args, stmt.span, op.name, t)


# ---------------------------------------------------------------- elementwise


def elementwise(w: Walker, stmt: ir.Stmt, record: Primitive, args: Sequence[Value]) -> Value:
    """By the record: its grade inside its domain, at the edges that of the edge."""
    types = types_of(stmt)
    shape = shape_of(args, types)
    t = stmt.vars[0].type
    if t.dtype == "bool":
        return w.unknown(flat_of(args), args, stmt.span, record.name, t, shape=shape)
    if not t.is_float or record.grade == "flat":
        return made(w, stmt, flat_of(args), args, term_of(record.name, args) if not stepped(stmt) else None,
                    shape=shape)
    parts: list[Grades] = []
    for k, (v, kind) in enumerate(zip(args, types, strict=True)):
        grades = at_least(v.grades, record.grade) if kind.is_float else v.grades
        for domain in record.domain:
            if domain.argument == k and v.grades:
                grades = at_least(grades, domain_grade(w, stmt, record.name, domain, v))
        parts.append(grades)
    found = joined(parts)
    if record.domain and all(not v.grades for v in args):
        found = {}
    term = term_of(record.name, args) if not attributes(stmt) else None
    return made(w, stmt, found, args, term, shape=shape)


def stepped(stmt: ir.Stmt) -> bool:
    return attributes(stmt)


def attributes(stmt: ir.Stmt) -> bool:
    op = stmt.op
    assert isinstance(op, ir.Prim)
    return bool(op.attrs)


# ---------------------------------------------------------------- arithmetic


def add(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    a, b = args
    squares = joined((a.squares, b.squares)) if a.squares is not None and b.squares is not None else None
    return plain_result(w, stmt, joined((a.grades, b.grades)), args, squares=squares)


def sub(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    return plain_result(w, stmt, joined(v.grades for v in args), args)


def plain_result(w: Walker, stmt: ir.Stmt, grades: Grades, args: Sequence[Value], squares: Grades | None = None
                 ) -> Value:
    """A float is what its grades say; a whole number that roots move is flat."""
    op = stmt.op
    assert isinstance(op, ir.Prim)
    t = stmt.vars[0].type
    if not t.is_float:
        grades = flat_of(args)
    term = term_of(op.name, args)
    if term is not None and not t.is_float:
        term = wrapped(w, t, term)
    if term is not None and term.op == "number":
        grades = {}
    if t.is_float and squares is None and term is not None and term.op == "number":
        squares = {} if term.value >= 0 else None
    return made(w, stmt, grades, args, term, shape=shape_of(args, types_of(stmt)), squares=squares)


def wrapped(w: Walker, t: ir.Type, term: Term) -> Term:
    """A whole number of a narrow type, which goes on from its other end. 64 bits are taken to be enough."""
    if t.dtype == "i64":
        return term
    bits = int(t.dtype[1:])
    low, high = (0, 2**bits - 1) if t.dtype[0] == "u" else (-2**(bits - 1), 2**(bits - 1) - 1)
    i = w.exact.interval(term)
    return term if low <= i.lo and i.hi <= high else apply(t.dtype, (term,))


def mul(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    a, b = args
    squares: Grades | None = None
    if a is b or (a.term is not None and a.term is b.term):
        squares = a.grades
    elif a.squares is not None and not b.grades and constant_sign(w, b):
        squares = a.squares
    elif b.squares is not None and not a.grades and constant_sign(w, a):
        squares = b.squares
    grades = times(a.grades, b.grades)
    if zero(a) or zero(b):
        grades = {}
    return plain_result(w, stmt, grades, args, squares)


def zero(v: Value) -> bool:
    return v.term is ZERO


def constant_sign(w: Walker, v: Value) -> bool:
    return v.term is not None and nonnegative(w.exact, v.term)


def div(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    a, b = args
    t = stmt.vars[0].type
    if not t.is_float:
        whole = apply("floor", (apply("div", (a.term, b.term)),)) if a.term is not None and b.term is not None else None
        return made(w, stmt, flat_of(args), args, whole, shape=shape_of(args, types_of(stmt)))
    grades: Grades = a.grades
    squares = None
    if b.grades:
        domain = PRIMITIVES["div"].domain[0]
        grades = joined((a.grades, at_least(at_least(b.grades, "smooth"), domain_grade(w, stmt, "/", domain, b))))
    elif a.squares is not None and constant_sign(w, b):
        squares = a.squares
    found = plain_result(w, stmt, grades, args, squares)
    found.some = a.some and not b.grades and constant_sign(w, b)
    return found


def pow_(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    x, y = args
    t = stmt.vars[0].type
    if not t.is_float:
        return made(w, stmt, flat_of(args), args, None, shape=shape_of(args, types_of(stmt)))
    if not x.grades and not y.grades:
        return plain_result(w, stmt, {}, args)
    squares: Grades | None = None
    found: Grades
    if y.term is not None and y.term.op == "number":
        p = y.term.value
        grade, squared = power_grade(w, stmt, x, p)
        found = at_least(x.grades, grade) if grade != "none" else {}
        squares = x.grades if squared else None
    elif not y.grades and y.term is not None and integer_term(y.term) and w.exact.nonnegative(y.term):
        found = at_least(x.grades, "smooth")
    else:
        positive = Domain(0, 0.0, fix="make sure that the base is positive, as in f64{>0}")
        edge = "jump"
        if x.grades:
            edge = domain_grade(w, stmt, "**", positive, x)
        elif x.term is not None and (w.near.positive(x.term)):
            edge = "affine"
        found = joined((at_least(at_least(x.grades, "smooth"), edge), at_least(at_least(y.grades, "smooth"), edge)))
    return plain_result(w, stmt, found, args, squares)


def integer_term(term: Term) -> bool:
    return (term.op == "atom" and term.integer) or (term.op == "number" and term.value.denominator == 1)


def power_grade(w: Walker, stmt: ir.Stmt, x: Value, p: Fraction) -> tuple[Grade, bool]:
    """The grade of x ** p, and whether it is a square."""
    assert x.term is not None
    if p.denominator == 1 and p >= 0:
        return {0: "none", 1: "affine"}.get(int(p), "smooth"), p % 2 == 0
    if p.denominator == 1:
        domain = Domain(0, apart=0.0, fix="make sure that the base is not 0")
        return better_of("smooth", domain_grade(w, stmt, "**", domain, x)), False
    if p < 0:
        domain = Domain(0, 0.0, fix="make sure that the base is positive, as in f64{>0}")
        return better_of("smooth", domain_grade(w, stmt, "**", domain, x)), False
    edge = f"C{min(math.ceil(p) - 1, 9)}" if p > 1 else "cont"
    domain = Domain(0, 0.0, edge=edge, fix="make sure that the base is positive, as in f64{>0}")
    return better_of("smooth", domain_grade(w, stmt, "**", domain, x)), False


def better_of(a: Grade, b: Grade) -> Grade:
    """The worse of two grades."""
    return b if better(a, b) else a


def neg(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    return plain_result(w, stmt, args[0].grades, args)


def sqrt(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    """The root of a sum of squares is their length: as good as `abs` where it may be 0."""
    v = args[0]
    if not v.grades:
        return plain_result(w, stmt, {}, args)
    domain = PRIMITIVES["sqrt"].domain[0]
    if v.squares is not None and v.term is not None and not w.near.positive(v.term):
        squares = squared(v)
        grades = at_least(squares, "lip")
        library = stmt.span is not None and stmt.span.source.shipped
        unnamed = v.term.op == "atom" and (library or v.term in w.sums)
        kink(w, stmt, v, "sqrt", "all that is squared = 0" if unnamed else
             f"{shown(v.term)} = 0")
        note_domain(w, stmt, "sqrt", domain, v, "edge")
        found = made(w, stmt, grades, args, term_of("sqrt", args), shape=v.shape)
        if found.term is not None:
            bent = {root: grade for root, grade in v.grades.items() if not better(grade, "C1")}
            w.lengths[found.term] = at_least(joined((squares, bent)), "smooth")
        return found
    grade = domain_grade(w, stmt, "sqrt", domain, v)
    return made(w, stmt, at_least(at_least(v.grades, "smooth"), grade), args, term_of("sqrt", args), shape=v.shape)


def squared(v: Value) -> Grades:
    """The grades of what a sum of squares is made of. Where a root chooses among such sums, or says how long they
    are, a length jumps if the sum does, and has a kink if not."""
    assert v.squares is not None
    chosen = {root: grade if grade in ("flat", "jump", "opaque") else "lip" for root, grade in v.grades.items()
              if root not in v.squares or grade in ("flat", "jump", "opaque")}
    return joined((v.squares, chosen))


# ---------------------------------------------------------------- kinks


def abs_(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    v = args[0]
    t = stmt.vars[0].type
    if not t.is_float or not v.grades or v.term is None:
        return plain_result(w, stmt, v.grades, args)
    near, exact = valued.at(w, w.near, v.term), valued.at(w, w.exact, v.term)
    # Where the argument may be 0, derivatives are those of the table of special points, on either side of a boundary.
    if exact.nonzero(v.term):
        if near.nonnegative(v.term):
            return made(w, stmt, v.grades, args, v.term, shape=v.shape, squares=v.squares)
        opposite = apply("neg", (v.term,))
        if near.nonnegative(opposite):
            return made(w, stmt, v.grades, args, opposite, shape=v.shape)
    if near.nonzero(v.term):
        return made(w, stmt, at_least(v.grades, "smooth"), args, term_of("abs", args), shape=v.shape)
    kink(w, stmt, v, "abs", f"{shown(v.term)} = 0")
    return made(w, stmt, at_least(v.grades, "lip"), args, term_of("abs", args), shape=v.shape)


def extreme(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    a, b = args
    op = stmt.op
    assert isinstance(op, ir.Prim)
    t = stmt.vars[0].type
    shape = shape_of(args, types_of(stmt))
    grades: Grades = joined((a.grades, b.grades))
    if a.term is None or b.term is None or not t.is_float or not grades:
        return plain_result(w, stmt, grades, args)
    if a.term is b.term:
        return made(w, stmt, a.grades, args, a.term, shape=shape, squares=a.squares)
    gap = apply("sub", (a.term, b.term))
    near, exact = valued.at(w, w.near, gap), valued.at(w, w.exact, gap)
    first, second = (a, b) if op.name == "max" else (b, a)
    if exact.nonzero(gap):
        if near.nonnegative(gap):
            return made(w, stmt, first.grades, args, first.term, shape=shape, squares=first.squares)
        if near.nonnegative(apply("sub", (b.term, a.term))):
            return made(w, stmt, second.grades, args, second.term, shape=shape, squares=second.squares)
    if near.nonzero(gap):
        return made(w, stmt, at_least(grades, "smooth"), args, term_of(op.name, args), shape=shape)
    moved = Value(grades, chains(grades, args, stmt.span, op.name, False))
    kink(w, stmt, moved, op.name, f"{shown(a.term)} = {shown(b.term)}")
    return made(w, stmt, at_least(grades, "lip"), args, term_of(op.name, args), shape=shape)


def step(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    """floor and its like: constant where the argument stays between two whole numbers."""
    op = stmt.op
    assert isinstance(op, ir.Prim)
    v = args[0]
    grades = flat_of(args)
    term = term_of(op.name, args)
    if v.term is not None and grades:
        i = w.exact.interval(v.term)
        if i.lo != -INFINITE and i.hi != INFINITE:
            value = steady(op.name, i)
            if value is not None:
                return made(w, stmt, {}, (), number(value), shape=v.shape)
        if op.name == "sign" and w.near.nonzero(v.term):
            # The same number on each side of where nothing is.
            return made(w, stmt, at_least(v.grades, "smooth"), args, term, shape=v.shape)
        jumping(w, stmt, v, op.name)
    return made(w, stmt, grades, args, term, shape=v.shape)


def steady(name: str, i: Interval) -> Fraction | None:
    lo, hi = Fraction(i.lo), Fraction(i.hi)
    if name == "floor":
        k = math.floor(lo)
        return Fraction(k) if hi < k + 1 or (hi == k + 1 and i.hi_open) else None
    if name == "ceil":
        k = math.ceil(hi)
        return Fraction(k) if lo > k - 1 or (lo == k - 1 and i.lo_open) else None
    if name == "trunc":
        k = math.trunc(lo)
        if (lo > -1 and hi < 1) or (lo >= 0 and (hi < k + 1 or (hi == k + 1 and i.hi_open))):
            return Fraction(k)
    if name == "sign":
        if lo > 0 or (lo == 0 and i.lo_open):
            return Fraction(1)
        if hi < 0 or (hi == 0 and i.hi_open):
            return Fraction(-1)
    return None


def hypot(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    grades: Grades = joined(v.grades for v in args)
    if grades and not any(v.term is not None and w.near.nonzero(v.term) for v in args):
        moved = Value(grades, chains(grades, args, stmt.span, "hypot", False))
        kink(w, stmt, moved, "hypot", "both arguments = 0")
        return plain_result(w, stmt, at_least(grades, "lip"), args)
    return plain_result(w, stmt, at_least(grades, "smooth"), args)


def atan2(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    y, x = args
    grades: Grades = joined((y.grades, x.grades))
    smooth = (x.term is not None and w.near.positive(x.term)) or (y.term is not None and w.near.nonzero(y.term))
    if grades and not smooth:
        moved = Value(grades, chains(grades, args, stmt.span, "atan2", False))
        jumping(w, stmt, Value(grades, moved.steps, y.term), "atan2",
                "`atan2` jumps by a full turn where its first argument changes sign and its second is negative")
    return plain_result(w, stmt, at_least(grades, "smooth" if smooth else "jump"), args)


def copysign(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    x, y = args
    grades: Grades = joined((at_least(x.grades, "lip"), flat_of((y,))))
    if y.term is not None and (w.near.positive(y.term) or w.near.positive(apply("neg", (y.term,)))):
        grades = at_least(x.grades, "lip")
    elif y.grades:
        grades = at_least(joined((x.grades, y.grades)), "jump")
    return plain_result(w, stmt, grades, args)


def remainder(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    """x % y is x while it stays between 0 and y."""
    x, y = args
    t = stmt.vars[0].type
    grades: Grades = joined((x.grades, y.grades))
    if not t.is_float or not grades or x.term is None or y.term is None:
        return plain_result(w, stmt, grades, args)
    if w.exact.nonnegative(x.term) and w.exact.positive(apply("sub", (y.term, x.term))):
        return made(w, stmt, x.grades, args, x.term, shape=x.shape)
    jumping(w, stmt, Value(grades, chains(grades, args, stmt.span, "%", False), x.term), "%")
    return plain_result(w, stmt, at_least(grades, "jump"), args)


def fma(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    a, b, c = args
    term = None
    if a.term is not None and b.term is not None and c.term is not None:
        term = apply("add", (apply("mul", (a.term, b.term)), c.term))
    return made(w, stmt, joined((times(a.grades, b.grades), c.grades)), args, term,
                shape=shape_of(args, types_of(stmt)))


def ldexp(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    return plain_result(w, stmt, joined(v.grades for v in args), args)


def cast(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    v = args[0]
    op = stmt.op
    assert isinstance(op, ir.Prim)
    before, after = op.args[0].type, stmt.vars[0].type
    if v.cond is not None:
        grades = flat_of(args)
        unit = Interval(Fraction(0), Fraction(1), False, False)
        return made(w, stmt, grades, args, shape=v.shape, bounds=(unit, unit)) if after.dtype != "bool" else v
    if after.dtype == "bool":
        return w.unknown(flat_of(args), args, stmt.span, "cast", after, shape=v.shape)
    if before.is_float and not after.is_float:
        if v.grades:
            jumping(w, stmt, v, f"{after.dtype}")
        term = apply("trunc", (v.term,)) if v.term is not None else None
        return made(w, stmt, flat_of(args), args, term, shape=v.shape)
    if not before.is_float and not after.is_float and before.dtype != after.dtype:
        narrow = before.dtype not in ("i64",) or after.dtype not in ("i64",)
        return made(w, stmt, v.grades, args, None if narrow else v.term, shape=v.shape)
    return Value(v.grades, v.steps, v.term, shape=v.shape, rows=v.rows, squares=v.squares, origin=v.origin)


# ---------------------------------------------------------------- conditions


def comparison(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    op = stmt.op
    assert isinstance(op, ir.Prim)
    a, b = args = [shifts.settled(w, v) for v in args]
    shape = shape_of(args, types_of(stmt))
    under = joined((a.grades, b.grades))
    if a.cond is not None and b.cond is not None and op.name in ("eq", "ne"):
        return logic(w, stmt, args)
    if a.cond is not None or b.cond is not None or a.term is None or b.term is None:
        grades = flat_of(args)
        return w.unknown(grades, args, stmt.span, op.name, stmt.vars[0].type, shape=shape)
    cond = chosen(op.name, a.term, b.term) or compare(op.name, a.term, b.term)
    if under:
        if w.exact.assume(cond, False).impossible:
            cond = TRUE
        elif w.exact.assume(cond).impossible:
            cond = FALSE
    grades = flat_of(args) if cond not in (TRUE, FALSE) else {}
    if not grades:
        return Value(cond=cond, shape=shape)
    return Value(grades, chains(under, args, stmt.span, op.name, False), None, cond, under, shape)


def chosen(op: str, a: Term, b: Term) -> Cond | None:
    """A comparison of a number with one that a condition chooses, as the tag of a sum type: a question about the
    condition; None for others."""
    for select, other in ((a, b), (b, a)):
        if select.op == "select" and other.op == "number" and select.whole and select.size < CONDITIONS * 4:
            assert select.cond is not None
            sides = [chosen(op, t, b) if select is a else chosen(op, a, t) for t in select.args]
            plain = [compare(op, t, b) if select is a else compare(op, a, t) for t in select.args]
            first, second = (s or p for s, p in zip(sides, plain, strict=True))
            if first in (TRUE, FALSE) or second in (TRUE, FALSE):
                return disj(conj(select.cond, first), conj(negate(select.cond), second))
    return None


def logic(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    op = stmt.op
    assert isinstance(op, ir.Prim)
    conds = [v.cond for v in args]
    shape = shape_of(args, types_of(stmt))
    found: Cond | None = None
    if all(c is not None for c in conds):
        known = [c for c in conds if c is not None]
        match op.name, known:
            case "and", [a, b]:
                found = conj(a, b)
            case "or", [a, b]:
                found = disj(a, b)
            case "not", [a]:
                found = negate(a)
            case ("xor" | "ne"), [a, b]:
                found = disj(conj(a, negate(b)), conj(negate(a), b))
            case "eq", [a, b]:
                found = disj(conj(a, b), conj(negate(a), negate(b)))
    if found is None or large(found):
        return w.unknown(flat_of(args), args, stmt.span, op.name, stmt.vars[0].type, shape=shape)
    grades = flat_of(args) if found not in (TRUE, FALSE) else {}
    under = joined(v.under for v in args)
    return Value(grades, chains(under, args, stmt.span, op.name, False), None, found, under, shape)


def not_finite(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    """Real numbers are finite: nothing is nan but what has no value."""
    v = args[0]
    if v.finite or (v.grades and better(worst(v.grades), "cont")):
        return Value(cond=FALSE, shape=v.shape)
    return w.unknown(flat_of(args), args, stmt.span, "isnan", stmt.vars[0].type, shape=v.shape)


def select_(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    c, a, b = args
    cond = c.cond if c.cond is not None else w.undecided("the condition", c.grades)
    t = stmt.vars[0].type
    if cond == TRUE and len({x.rank for x in types_of(stmt)}) == 1:
        return a
    if cond == FALSE and len({x.rank for x in types_of(stmt)}) == 1:
        return b
    shape = shape_of(args, types_of(stmt))
    sides = [v if t.rank == kind.rank or shape is None else
             Value(v.grades, v.steps, v.term, v.cond, v.under, shape, squares=v.squares)
             for v, kind in zip((a, b), types_of(stmt)[1:], strict=True)]
    sides = [Value(v.grades, v.steps, v.term, v.cond, v.under, shape, squares=v.squares) if t.rank else v
             for v in sides]
    return w.choice(stmt, c, cond, sides[0], sides[1], t, False, "select")


def check(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    """A check gives its first argument. What is behind it knows that it holds."""
    op = stmt.op
    assert isinstance(op, ir.Prim)
    v = args[0]
    cond: Cond | None = None
    if op.name == "assert":
        cond = v.cond
    elif all(a.term is not None for a in args):
        terms = [a.term for a in args if a.term is not None]
        match op.name:
            case "check_index":
                cond = conj(compare("<=", ZERO, terms[0]), compare("<", terms[0], terms[1]))
            case "check_size":
                cond = compare("<=", ZERO, terms[0])
            case "check_divisor":
                cond = compare("!=", terms[0], ZERO)
            case "check_equal":
                cond = compare("==", terms[0], terms[1])
            case "check_range":
                sign = "<" if op.attr("open") else "<="
                (low, others), (high, _) = limited(terms[1]), limited(terms[2])
                cond = conj(*(disj(*others, compare(sign, a, b)) for a, b in ((low, terms[0]), (terms[0], high))
                              if a.op != "nonfinite" and b.op != "nonfinite"))
    for part in cond.parts if isinstance(cond, And) else (cond,):
        part = w.universal.get(part, part) if part is not None else None
        if part is not None and part not in (TRUE, FALSE):
            w.near, w.exact = w.near.assume(part), w.exact.assume(part)
    return v


def limited(limit: Term) -> tuple[Term, list[Cond]]:
    """A limit, and where there is none: of what a sum's constructor holds, where the value is another one."""
    others: list[Cond] = []
    while limit.op == "select" and limit.cond is not None and limit.args[1].op == "nonfinite":
        others.append(negate(limit.cond))
        limit = limit.args[0]
    return limit, others


def all_(w: Walker, stmt: ir.Stmt, args: Sequence[Value]) -> Value:
    """Whether all elements are so: then the one that stands for all is."""
    v = args[0]
    grades = flat_of(args)
    if v.cond is None or stmt.vars[0].type.rank:
        return w.unknown(grades, args, stmt.span, "all", stmt.vars[0].type)
    op = stmt.op
    assert isinstance(op, ir.Prim)
    found = w.unknown(grades, args, stmt.span, op.name, stmt.vars[0].type)
    if op.name == "all" and found.cond is not None:
        w.universal[found.cond] = v.cond
    return found


Rule = Callable[["Walker", ir.Stmt, Sequence[Value]], Value]
RULES: dict[str, Rule] = {
    "add": add, "sub": sub, "mul": mul, "scaled": mul, "div": div, "pow": pow_, "neg": neg, "sqrt": sqrt,
    "abs": abs_, "max": extreme, "min": extreme, "floor": step, "ceil": step, "round": step, "trunc": step,
    "sign": step, "hypot": hypot, "atan2": atan2, "atan2pi": atan2, "copysign": copysign, "mod": remainder,
    "rem": remainder, "fma": fma, "ldexp": ldexp, "cast": cast, "and": logic, "or": logic, "xor": logic,
    "not": logic, "isnan": not_finite, "isinf": not_finite, "select": select_, "all": all_, "any": all_,
    **dict.fromkeys(COMPARISONS, comparison),
    **dict.fromkeys(("check_index", "check_slice", "check_equal", "check_divisor", "check_size", "check_pivot",
                     "check_settled", "check_range", "assert"), check),
    **ARRAYS,
}

