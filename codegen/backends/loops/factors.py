"""Elimination, systems of equations, determinants, and factors with orthogonal matrices.

Elimination is by rows, with pivoting, in loops or by LAPACK, which gets a matrix column by column so that it takes the
pivots that loops take. Orthogonal factors, eigenvectors and singular vectors are LAPACK's, or called back without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ....lang.core import ir
from ....lang.core.ir import AttrValue, Var
from ....lang.prims.matrix_reference import TOLERANCE
from .arrays import rule
from .matrices import FACTOR, LIBRARY, Matrices, fixed, invoke, packed, product, shared, symmetric, triangular
from .tree import Imm, Operand, Reg
from .values import ONE, ZERO, Shape, Stored

if TYPE_CHECKING:
    from .lower import Lowering

BLOCK = 64
"""Columns that LAPACK works on at once, at most."""
Written = Callable[[Matrices, Stored, Stored], None]


def on_one(name: str, shape: Callable[[Lowering, Stored], Shape], write: Written, *, inline: bool = True) -> None:
    """The rule of a primitive of one matrix: `write` gives the code of the result."""

    def lower(lo: Lowering, var: Var, op: ir.Prim) -> None:
        a = packed(lo, op.args[0])
        out = lo.fresh(var, shape(lo, a))
        if out.dtype not in LIBRARY or (inline and fixed(a.shape, out.shape)):
            if inline:
                write(Matrices(lo.e, out.dtype), a, out)
            else:
                Matrices(lo.e, out.dtype).host(name, [a], out, op.attrs)
            return
        n, m = a.shape

        def build(w: Matrices, p: Sequence[Reg]) -> Sequence[Operand]:
            write(w, w.rows(p[0], p[2], p[3]), w.rows(p[1], p[4], p[5]))
            return ()

        function = shared(lo, name, out.dtype, "ppnnnn", build)
        invoke(lo.e, function, [a.base, out.base, n, m, *out.shape])

    rule(name)(lower)


def square(lo: Lowering, a: Stored) -> Shape:
    return a.shape


# ------------------------------------------------------------------ elimination


def upright(w: Matrices, a: Stored) -> Stored:
    """A copy of the matrix, column by column."""
    made = w.columns(w.room(w.e.product(a.shape)), *a.shape)
    w.copy(a, made)
    return made


def copied(w: Matrices, a: Stored) -> Stored:
    """A copy of the matrix, row by row; small ones in registers."""
    made = w.e.alloc(w.dtype, a.shape)
    w.copy(a, made)
    return made


def eliminated(w: Matrices, a: Stored, beside: Stored | None, factors: bool = False) -> tuple[Operand, Operand]:
    """Upper triangular form in the place of a matrix, with rows of `beside` moved along: the sign of the order of rows,
    and the number of the first pivot that is zero, or -1. With `factors` a pivot that is zero stops nothing, the
    factors lie below the diagonal, and only the order of rows is done to `beside`."""
    e = w.e
    n = a.shape[0]

    def step(k: Operand, sign: Operand, failed: Operand) -> Sequence[Operand]:
        if not factors:
            go = w.ask("lt", failed, ZERO)
            return w.choose(go, lambda: work(k, sign, failed), lambda: (sign, failed))
        return work(k, sign, failed)

    def work(k: Operand, sign: Operand, failed: Operand) -> Sequence[Operand]:
        after = e.plus(k, ONE)

        def larger(i: Operand, at: Operand, best: Operand) -> Sequence[Operand]:
            row = e.plus(after, i)
            size = w.do("abs", w.get(a, row, k))
            wins = w.ask("or", w.ask("gt", size, best), w.both(w.ask("isnan", size), w.ask("eq", best, best)))
            return e.scalar("select", "i64", wins, row, at), w.do("select", wins, size, best)

        at, best = w.counted(e.minus(n, after), [k, w.do("abs", w.get(a, k, k))], larger)
        moved = w.ask("ne", at, k)
        with w.when(moved):
            for x in (a, beside):
                if x is not None:
                    with w.each(x.shape[1]) as (j,):
                        upper, lower = w.get(x, k, j), w.get(x, at, j)
                        w.put(x, k, j, value=lower)
                        w.put(x, at, j, value=upper)
        sign = w.do("select", moved, w.do("neg", sign), sign)
        none = w.ask("eq", best, w.number(0.0))
        with w.when(w.ask("not", none)):
            pivot = w.get(a, k, k)
            with e.fold(e.minus(n, after), []) as f:
                i = e.plus(after, f.index)
                factor = w.do("div", w.get(a, i, k), pivot)
                if factors:
                    w.put(a, i, k, value=factor)
                with w.each(n, start=after if factors else k) as (j,):
                    w.change(a, i, j, less=factor, times=w.get(a, k, j))
                if beside is not None and not factors:
                    with w.each(beside.shape[1]) as (j,):
                        w.change(beside, i, j, less=factor, times=w.get(beside, k, j))
        first = w.both(none, w.ask("lt", failed, ZERO))
        return sign, e.scalar("select", "i64", first, k, failed)

    sign, failed = w.counted(n, [w.number(1.0), Imm(-1, "i64")], step)
    return sign, failed


def large(w: Matrices, n: Operand) -> Operand:
    """Whether a library is to do it."""
    return w.linked(w.ask("ge", n, Imm(FACTOR, "i64")))


def pivots(w: Matrices, n: Operand) -> Reg:
    return w.room(n, "i32")


@rule("solve")
def _solve(lo: Lowering, var: Var, op: ir.Prim) -> None:
    a, rhs = packed(lo, op.args[0]), lo.cheap(op.args[1])
    out = lo.fresh(var, rhs.shape)
    lo.e.store(rhs, out)
    w = Matrices(lo.e, out.dtype)
    if fixed(a.shape, out.shape) or out.dtype not in LIBRARY:
        solved(w, copied(w, a), out)
        return

    def build(w: Matrices, p: Sequence[Reg]) -> Sequence[Operand]:
        n, m = p[2:]
        system(w, w.rows(p[0], n, n), w.rows(p[1], n, m))
        return ()

    invoke(lo.e, shared(lo, "solve", out.dtype, "ppnn", build), [a.base, out.base, *out.shape])


def solved(w: Matrices, a: Stored, x: Stored) -> None:
    """X with A X = B, in the place of B; of A nothing is left."""
    _, failed = eliminated(w, a, x)
    fine = w.ask("lt", failed, ZERO)
    with w.when(fine):
        triangular(w, a, x, True)
    with w.when(w.ask("not", fine)):
        w.fill(x, float("nan"))


def system(w: Matrices, a: Stored, x: Stored) -> None:
    n, m = x.shape

    def routine() -> Sequence[Operand]:
        f, order = upright(w, a), pivots(w, n)
        fine = w.run("getrf", n, n, f.base, n, order, info=True)

        def one() -> Sequence[Operand]:
            w.run("getrs", "N", n, m, f.base, n, order, x.base, n, info=True)
            return ()

        def several() -> Sequence[Operand]:
            turned = upright(w, x)
            w.run("getrs", "N", n, m, f.base, n, order, turned.base, n, info=True)
            w.copy(turned, x)
            return ()

        with w.when(fine):
            w.choose(w.ask("eq", m, ONE), one, several)
        with w.when(w.ask("not", fine)):
            w.fill(x, float("nan"))
        return ()

    def loops() -> Sequence[Operand]:
        solved(w, copied(w, a), x)
        return ()

    w.choose(large(w, n), routine, loops)


def _inverse(w: Matrices, a: Stored, out: Stored) -> None:
    e = w.e
    n = out.shape[0]

    def routine() -> Sequence[Operand]:
        f, order = upright(w, a), pivots(w, n)
        fine = w.run("getrf", n, n, f.base, n, order, info=True)
        size = e.times(n, Imm(BLOCK, "i64"))
        with w.when(fine):
            w.run("getri", n, f.base, n, order, w.room(size), size, info=True)
            w.copy(f, out)
        with w.when(w.ask("not", fine)):
            w.fill(out, float("nan"))
        return ()

    def loops() -> Sequence[Operand]:
        unit(w, out)
        solved(w, copied(w, a), out)
        return ()

    decided(w, n, routine, loops)


def decided(w: Matrices, n: Operand, routine: Callable[[], Sequence[Operand]], loops: Callable[[], Sequence[Operand]]
            ) -> tuple[Operand, ...]:
    """By a routine where the order is large; of known order there is nothing to decide."""
    return tuple(loops()) if isinstance(n, Imm) else w.choose(large(w, n), routine, loops)


def unit(w: Matrices, x: Stored) -> None:
    """The matrix with ones on the diagonal."""
    with w.each(*x.shape) as (i, j):
        w.put(x, i, j, value=w.do("select", w.ask("eq", i, j), w.number(1.0), w.number(0.0)))


on_one("inverse", square, _inverse)


def diagonal(w: Matrices, a: Stored) -> tuple[Stored, Operand]:
    """A triangular form of the matrix, and the sign of the order of its rows."""
    n = a.shape[0]

    def routine() -> Sequence[Operand]:
        f, order = upright(w, a), pivots(w, n)
        w.run("getrf", n, n, f.base, n, order, info=True)

        def turn(k: Operand, sign: Operand) -> Sequence[Operand]:
            row = w.e.scalar("cast", "i64", w.e.read(Stored(order, (n,), (ONE,), True), [k]), attrs=(("to", "i64"),))
            return [w.do("select", w.ask("eq", row, w.e.plus(k, ONE)), sign, w.do("neg", sign))]

        return f.base, w.counted(n, [w.number(1.0)], turn)[0]

    def loops() -> Sequence[Operand]:
        f = copied(w, a)
        sign, _ = eliminated(w, f, None)
        return f.base, sign

    base, sign = decided(w, n, routine, loops)
    assert isinstance(base, Reg)
    return w.rows(base, n, n), sign


def _of_diagonal(name: str, start: float, take: Callable[[Matrices, Operand, Operand], Operand],
                 end: Callable[[Matrices, Operand, Operand], Operand]) -> None:
    """The rule of a number that the diagonal of a triangular form gives."""

    def write(w: Matrices, a: Stored) -> Operand:
        f, sign = diagonal(w, a)
        n = a.shape[0]
        total = w.counted(n, [w.number(start)], lambda k, now: [take(w, now, w.get(f, k, k))])[0]
        return end(w, total, sign)

    def lower(lo: Lowering, var: Var, op: ir.Prim) -> None:
        a = packed(lo, op.args[0])
        dtype = var.type.dtype
        if fixed(a.shape) or dtype not in LIBRARY:
            lo.env[var] = write(Matrices(lo.e, dtype), a)
            return
        function = shared(lo, name, dtype, "pn", lambda w, p: [write(w, w.rows(p[0], p[1], p[1]))])
        result = lo.e.reg(dtype)
        invoke(lo.e, function, [a.base, a.shape[0]], [result])
        lo.env[var] = result

    rule(name)(lower)


_of_diagonal("det", 1.0, lambda w, total, x: w.do("mul", total, x), lambda w, total, sign: w.do("mul", total, sign))
_of_diagonal("log_det", 0.0, lambda w, total, x: w.do("add", total, w.do("log", w.do("abs", x))),
             lambda w, total, sign: total)
_of_diagonal("det_sign", 1.0, lambda w, total, x: w.do("mul", total, w.do("sign", x)),
             lambda w, total, sign: w.do("mul", total, sign))


def _twice(lo: Lowering, a: Stored) -> Shape:
    return lo.e.times(Imm(2, "i64"), a.shape[0]), a.shape[1]


def _lu(w: Matrices, a: Stored, out: Stored) -> None:
    """L below the diagonal of U, and under them the order of rows as a matrix."""
    e = w.e
    n = a.shape[0]
    top = w.rows(out.base, n, n)
    order = w.rows(e.shift(out.base, e.times(n, n)), n, n)
    unit(w, order)

    def routine() -> Sequence[Operand]:
        f, given = upright(w, a), pivots(w, n)
        w.run("getrf", n, n, f.base, n, given, info=True)
        w.copy(f, top)
        with e.fold(n, []) as k:
            row = e.read(Stored(given, (n,), (ONE,), True), [k.index])
            at = e.minus(e.scalar("cast", "i64", row, attrs=(("to", "i64"),)), ONE)
            with w.each(n) as (j,):
                upper, lower = w.get(order, k.index, j), w.get(order, at, j)
                w.put(order, k.index, j, value=lower)
                w.put(order, at, j, value=upper)
        return ()

    def loops() -> Sequence[Operand]:
        w.copy(a, top)
        eliminated(w, top, order, factors=True)
        return ()

    decided(w, n, routine, loops)


on_one("lu", _twice, _lu)

# ------------------------------------------------------------------ what went wrong


@rule("failed_pivot")
def _failed_pivot(lo: Lowering, var: Var, op: ir.Prim) -> None:
    kind = str(op.attr("kind"))
    a, result = packed(lo, op.args[0]), packed(lo, op.args[1])

    def build(w: Matrices, p: Sequence[Reg]) -> Sequence[Operand]:
        return [failed(w, w.rows(p[0], p[2], p[2]), w.rows(p[1], p[2], p[3]), kind)]

    function = shared(lo, f"failed_{kind}", a.dtype, "ppnn", build)
    out = lo.e.reg("i64")
    invoke(lo.e, function, [a.base, result.base, *result.shape], [out])
    lo.env[var] = out


def failed(w: Matrices, a: Stored, result: Stored, kind: str) -> Operand:
    """The number of the pivot that is zero or not positive, or -1."""
    e = w.e
    n = a.shape[0]
    minus = Imm(-1, "i64")

    def first(x: Stored, bad: Callable[[Operand], Operand]) -> Operand:
        def one(i: Operand, found: Operand) -> Sequence[Operand]:
            here = w.both(w.ask("lt", found, ZERO), bad(w.get(x, i, i)))
            return [e.scalar("select", "i64", here, i, found)]

        return w.counted(n, [minus], one)[0]

    def general() -> Sequence[Operand]:
        return [eliminated(w, copied(w, a), None)[1]]

    suspect = w.ask("not", w.all(result, lambda v: w.ask("eq", v, v)))
    if kind == "triangular":
        suspect = w.ask("or", suspect, w.ask("ge", first(a, lambda v: w.ask("eq", v, w.number(0.0))), ZERO))

    def look() -> Sequence[Operand]:
        if kind == "general":
            return w.choose(w.finite(a), general, lambda: [minus])
        if kind == "cholesky":
            return w.choose(w.finite(a), lambda: [first(result, lambda v: w.ask("isnan", v))], lambda: [minus])
        return w.choose(w.finite(a), lambda: [first(a, lambda v: w.ask("eq", v, w.number(0.0)))], lambda: [minus])

    return w.choose(suspect, look, lambda: [minus])[0]


# ------------------------------------------------------------------ orthogonal factors


def by_library(w: Matrices, name: str, a: Sequence[Stored], out: Stored, routine: Callable[[], Sequence[Operand]],
               attrs: tuple[tuple[str, AttrValue], ...] = ()) -> None:
    """By a routine wherever there are any, else called back."""

    def called() -> Sequence[Operand]:
        w.host(name, a, out, attrs)
        return ()

    w.choose(w.linked(w.ask("gt", out.shape[1], ZERO)), routine, called)


def _orthogonal(w: Matrices, a: Stored, out: Stored) -> None:
    e = w.e
    n, m = a.shape

    def routine() -> Sequence[Operand]:
        q, scales = upright(w, a), w.room(m)
        size = e.times(m, Imm(BLOCK, "i64"))
        space, signs = w.room(size), Stored(w.room(m), (m,), (ONE,), True)
        w.run("geqrf", n, m, q.base, n, scales, space, size, info=True)
        with w.each(m) as (j,):
            below = w.ask("lt", w.get(q, j, j), w.number(0.0))
            e.write(signs, [j], w.do("select", below, w.number(-1.0), w.number(1.0)))
        w.run("orgqr", n, m, m, q.base, n, scales, space, size, info=True)
        with w.each(n, m) as (i, j):
            w.put(out, i, j, value=w.do("mul", w.get(q, i, j), e.read(signs, [j])))
        return ()

    by_library(w, "orthogonal", [a], out, routine)


on_one("orthogonal", square, _orthogonal, inline=False)


def largest(w: Matrices, x: Stored, j: Operand) -> Operand:
    """-1 where the component of largest modulus of a column is negative, else 1."""
    def one(i: Operand, best: Operand, value: Operand) -> Sequence[Operand]:
        here = w.get(x, i, j)
        size = w.do("abs", here)
        wins = w.ask("gt", size, best)
        return w.do("select", wins, size, best), w.do("select", wins, here, value)

    value = w.counted(x.shape[0], [w.number(-1.0), w.number(1.0)], one)[1]
    return w.do("select", w.ask("lt", value, w.number(0.0)), w.number(-1.0), w.number(1.0))


def below(w: Matrices, out: Stored, start: Operand, count: Operand) -> Stored:
    """Rows of a matrix."""
    return w.rows(w.e.shift(out.base, w.e.times(start, out.shape[1])), count, out.shape[1])


def _more(*more: int) -> Callable[[Lowering, Stored], Shape]:
    """One row and so many times as many as the matrix has rows and columns."""
    def shape(lo: Lowering, a: Stored) -> Shape:
        total: Operand = ONE
        for times, size in zip(more, a.shape, strict=True):
            total = lo.e.plus(total, size if times else ZERO)
        return total, a.shape[1]

    return shape


def spectrum(w: Matrices, a: Stored, out: Stored) -> None:
    """Eigenvalues of the symmetric part as the first row, below it the matrix of eigenvectors."""
    e = w.e
    n = a.shape[0]
    vectors = below(w, out, ONE, n)

    def routine() -> Sequence[Operand]:
        held = w.room(e.times(n, n))
        symmetric(w, a, w.rows(held, n, n))
        v = w.columns(held, n, n)
        square = e.times(n, n)
        size = e.plus(e.plus(ONE, e.times(Imm(6, "i64"), n)), e.times(Imm(2, "i64"), square))
        whole = e.plus(Imm(3, "i64"), e.times(Imm(5, "i64"), n))

        def usual() -> Sequence[Operand]:
            return [w.run("syevd", "V", "L", n, held, n, out.base, w.room(size), size, w.room(whole, "i32"), whole,
                              info=True)]

        fine = w.choose(w.finite(w.rows(held, n, n)), usual, lambda: [Imm(False, "bool")])[0]
        with w.when(fine), e.fold(n, []) as f:
            sign = largest(w, v, f.index)
            with w.each(n) as (i,):
                w.put(vectors, i, f.index, value=w.do("mul", w.get(v, i, f.index), sign))
        with w.when(w.ask("not", fine)):
            w.fill(out, float("nan"))
        return ()

    by_library(w, "eigen", [a], out, routine)


on_one("eigen", _more(1, 0), spectrum, inline=False)


@rule("eigen_toward")
def _eigen_toward(lo: Lowering, var: Var, op: ir.Prim) -> None:
    a, d = packed(lo, op.args[0]), packed(lo, op.args[1])
    out = lo.fresh(var, _more(1, 0)(lo, a))
    if out.dtype not in LIBRARY:
        Matrices(lo.e, out.dtype).host("eigen_toward", [a, d], out)
        return

    def build(w: Matrices, p: Sequence[Reg]) -> Sequence[Operand]:
        """Where eigenvalues are equal, which is rare, all of it is called back."""
        n = p[3]
        a, d, out = w.rows(p[0], n, n), w.rows(p[1], n, n), w.rows(p[2], w.e.plus(n, ONE), n)
        spectrum(w, a, out)
        size = w.counted(n, [w.number(0.0)], lambda k, most: [w.do("max", most, w.do("abs", w.get(out, ZERO, k)))])[0]
        slack = w.do("mul", size, w.number(TOLERANCE[w.dtype]))

        def gap(k: Operand, apart: Operand) -> Sequence[Operand]:
            step = w.do("sub", w.get(out, ZERO, w.e.plus(k, ONE)), w.get(out, ZERO, k))
            return [w.both(apart, w.ask("gt", step, slack))]

        apart = w.counted(w.e.minus(n, ONE), [Imm(True, "bool")], gap)[0]
        with w.when(w.ask("not", apart)):
            w.host("eigen_toward", [a, d], out)
        return ()

    invoke(lo.e, shared(lo, "eigen_toward", out.dtype, "pppn", build), [a.base, d.base, out.base, a.shape[0]])


def singular(w: Matrices, a: Stored, out: Stored) -> None:
    """Singular values as the first row, below it U, below that V."""
    e = w.e
    n, m = a.shape
    u, v = below(w, out, ONE, n), below(w, out, e.plus(ONE, n), m)

    def routine() -> Sequence[Operand]:
        # LAPACK sees the transposed matrix, whose left factor V it leaves column by column, and Uᵀ so that it is U
        # row by row
        square = e.times(m, m)
        size = e.plus(e.plus(e.times(Imm(4, "i64"), square), e.times(Imm(7, "i64"), m)), e.times(Imm(BLOCK, "i64"),
                                                                                              e.plus(n, m)))

        def usual() -> Sequence[Operand]:
            held = w.room(e.times(n, m))
            w.copy(a, w.rows(held, n, m))
            left = w.columns(w.room(square), m, m)
            eight = e.times(Imm(8, "i64"), m)
            good = w.run("gesdd", "S", m, n, held, m, out.base, left.base, m, u.base, m, w.room(size), size,
                             w.room(eight, "i32"), info=True)
            with w.when(good):
                w.copy(left, v)
            return [good]

        fine = w.choose(w.finite(a), usual, lambda: [Imm(False, "bool")])[0]
        with w.when(fine), e.fold(m, []) as f:
            sign = largest(w, v, f.index)
            for x in (u, v):
                with w.each(x.shape[0]) as (i,):
                    w.put(x, i, f.index, value=w.do("mul", w.get(x, i, f.index), sign))
        with w.when(w.ask("not", fine)):
            w.fill(out, float("nan"))
        return ()

    by_library(w, "svd", [a], out, routine)


on_one("svd", _more(1, 1), singular, inline=False)


# ------------------------------------------------------------------ cofactors


def _cofactors(w: Matrices, a: Stored, out: Stored) -> None:
    """From singular values, so that the matrix may be singular: det U · det V · U diag (products of the others) Vᵀ."""
    e = w.e
    n = a.shape[0]

    def routine() -> Sequence[Operand]:
        whole = w.rows(w.room(e.times(e.plus(ONE, e.plus(n, n)), n)), e.plus(ONE, e.plus(n, n)), n)
        singular(w, a, whole)
        u, v = below(w, whole, ONE, n), below(w, whole, e.plus(ONE, n), n)
        sign: Operand = w.number(1.0)
        for x in (u, v):
            f, turn = diagonal(w, x)
            sign = w.do("mul", sign, turn)
            sign = w.counted(n, [sign], lambda k, now, f=f: [
                w.do("mul", now, w.do("sign", w.get(f, k, k)))])[0]
        others = Stored(w.room(n), (n,), (ONE,), True)

        def before(k: Operand, so_far: Operand) -> Sequence[Operand]:
            e.write(others, [k], so_far)
            return [w.do("mul", so_far, w.get(whole, ZERO, k))]

        def after(k: Operand, so_far: Operand) -> Sequence[Operand]:
            at = e.minus(e.minus(n, ONE), k)
            e.write(others, [at], w.do("mul", e.read(others, [at]), so_far))
            return [w.do("mul", so_far, w.get(whole, ZERO, at))]

        w.counted(n, [sign], before)
        w.counted(n, [w.number(1.0)], after)
        with w.each(n, n) as (i, j):
            w.put(u, i, j, value=w.do("mul", w.get(u, i, j), e.read(others, [j])))
        product(w, u.base, v.base, out.base, (n, n, n), False, True)
        return ()

    by_library(w, "cofactors", [a], out, routine)


on_one("cofactors", square, _cofactors, inline=False)
