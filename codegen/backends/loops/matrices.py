"""Products, triangles, systems of equations and Cholesky's factor as loops, large ones by routines of BLAS and LAPACK.

Matrices lie row by row; Fortran has them column by column and sees the transposed ones: products and triangular systems
are given to it turned round, and nothing is copied. Small matrices of known size are computed with where they stand;
else there is one function for each primitive and dtype in the program (`Lowering.shared`), which decides at run time.
`factors` has the rest.

Loops do the operations of the records in `lang.prims.matrix_reference`, but for the order of sums in a Cholesky factor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ....lang.core import ir
from ....lang.core.ir import AttrValue, Var
from . import tree
from .arrays import rule
from .emitter import Emitter, small
from .tree import Code, Imm, Operand, Reg
from .values import ONE, ZERO, Lazy, Shape, Stored

if TYPE_CHECKING:
    from .lower import Lowering

PRODUCT = 12**3
"""Multiplications from which a library's product is faster than loops."""
SOLVING = 16**3
"""The same of triangular systems, the order squared times the columns."""
FACTOR = 24
"""Orders from which a library's factors are faster than loops."""
LIBRARY = ("f64", "f32")
"""What BLAS and LAPACK compute with."""


class Matrices:
    """Writes loops over matrices of one dtype."""

    def __init__(self, e: Emitter, dtype: str) -> None:
        self.e, self.dtype = e, dtype

    def number(self, value: float) -> Imm:
        return Imm(value, self.dtype)

    def do(self, name: str, *args: Operand) -> Operand:
        return self.e.scalar(name, self.dtype, *args)

    def ask(self, name: str, *args: Operand) -> Operand:
        return self.e.scalar(name, "bool", *args)

    def both(self, x: Operand, y: Operand) -> Operand:
        return self.ask("and", x, y)

    # ------------------------------------------------------------ memory

    def rows(self, base: Reg, rows: Operand, columns: Operand) -> Stored:
        """A matrix that lies row by row."""
        return Stored(base, (rows, columns), (columns, ONE), True)

    def columns(self, base: Reg, rows: Operand, columns: Operand) -> Stored:
        """A matrix that lies column by column."""
        return Stored(base, (rows, columns), (ONE, rows), False)

    def room(self, count: Operand, dtype: str = "") -> Reg:
        base = self.e.reg(dtype or self.dtype, pointer=True)
        self.e.add(tree.Alloc(base, count))
        return base

    def get(self, x: Stored, *at: Operand) -> Operand:
        return self.e.read(x, at)

    def put(self, x: Stored, *at: Operand, value: Operand) -> None:
        self.e.write(x, at, value)

    def change(self, x: Stored, *at: Operand, less: Operand, times: Operand) -> None:
        """x[at] -= less * times"""
        self.put(x, *at, value=self.do("sub", self.get(x, *at), self.do("mul", less, times)))

    # ------------------------------------------------------------ control

    @contextmanager
    def each(self, *counts: Operand, start: Operand = ZERO, parallel: bool = True) -> Iterator[list[Operand]]:
        """Loops; the last index begins at `start`, and its count is where it ends."""
        *outer, end = counts
        with self.e.nest([*outer, self.e.minus(end, start)], parallel=parallel) as (*at, k):
            yield [*at, self.e.plus(start, k)]

    @contextmanager
    def when(self, cond: Operand) -> Iterator[None]:
        with self.e.block() as code:
            yield
        self.e.add(tree.Choice(cond, code, (), [], (), ()))

    def choose(self, cond: Operand, then: Callable[[], Sequence[Operand]], orelse: Callable[[], Sequence[Operand]],
               ) -> tuple[Reg, ...]:
        with self.e.block() as first:
            x = then()
        with self.e.block() as second:
            y = orelse()
        outs = tuple(self.e.like(v) for v in x)
        self.e.add(tree.Choice(cond, first, tuple(x), second, tuple(y), outs))
        return outs

    def counted(self, count: Operand, start: Sequence[Operand], step: Callable[..., Sequence[Operand]]
                ) -> tuple[Operand, ...]:
        """A loop with state: `step` of the index and the state gives the next one."""
        with self.e.fold(count, start) as f:
            f.next = tuple(step(f.index, *f.state))
        return f.outs

    def all(self, x: Stored, good: Callable[[Operand], Operand]) -> Operand:
        """Whether all elements of a matrix are so."""
        def row(i: Operand, so_far: Operand) -> Sequence[Operand]:
            return self.counted(x.shape[1], [so_far], lambda j, now: [self.both(now, good(self.get(x, i, j)))])

        return self.counted(x.shape[0], [Imm(True, "bool")], row)[0]

    def finite(self, x: Stored) -> Operand:
        return self.all(x, lambda v: self.ask("lt", self.do("abs", v), self.number(float("inf"))))

    def fill(self, x: Stored, value: float) -> None:
        with self.each(*x.shape) as at:
            self.put(x, *at, value=self.number(value))

    def copy(self, source: Stored, target: Stored) -> None:
        """Line by line as they lie in the target."""
        if target.packed:
            with self.each(*target.shape) as (i, j):
                self.put(target, i, j, value=self.get(source, i, j))
        else:
            with self.each(*reversed(target.shape)) as (j, i):
                self.put(target, i, j, value=self.get(source, i, j))

    # ------------------------------------------------------------ libraries

    def linked(self, large: Operand) -> Operand:
        """Whether this is large, and there is a library."""
        some = Reg(self.e.reg("bool").id, "bool")
        self.e.add(tree.Linked(some))
        return self.both(large, some)

    def run(self, name: str, *args: Operand | str, info: bool = False) -> Operand:
        """Call a routine: letters are `str`, sizes `i64`."""
        given: list[Operand] = []
        for x in args:
            if isinstance(x, str):
                given.append(Imm(ord(x), "i8"))
            elif x.dtype == "i64" and not (isinstance(x, Reg) and x.pointer):
                given.append(self.short(x))
            else:
                given.append(x)
        said = self.e.reg("i32") if info else None
        self.e.add(tree.Library(("d" if self.dtype == "f64" else "s") + name, tuple(given), said))
        return Imm(True, "bool") if said is None else self.ask("eq", said, Imm(0, "i32"))

    def short(self, x: Operand) -> Operand:
        return Imm(x.value, "i32") if isinstance(x, Imm) else self.e.scalar("cast", "i32", x, attrs=(("to", "i32"),))

    def host(self, name: str, args: Sequence[Stored], out: Stored, attrs: tuple[tuple[str, AttrValue], ...] = ()
             ) -> None:
        """The primitive, called back; all matrices lie row by row."""
        made = self.e.reg(self.dtype, pointer=True)
        sizes = tuple(self.e.reg("i64") for _ in out.shape)
        self.e.add(tree.Host(name, attrs, tuple((x.base, *x.shape) for x in args), ((made, *sizes),)))
        self.e.add(tree.Copy(out.base, made, self.e.product(out.shape)))


# ------------------------------------------------------------------ functions that a program shares


Build = Callable[[Matrices, Sequence[Reg]], Sequence[Operand]]


def shared(lo: Lowering, name: str, dtype: str, kinds: str, build: Build) -> str:
    """The name of the function that `build` writes of its parameters: `p` is an array, `n` a size."""
    full = f"%{name}_{dtype}"
    if full not in lo.shared:
        e = Emitter()
        params = [e.reg("i64") if kind == "n" else e.reg(dtype, pointer=True) for kind in kinds]
        mark = Reg(e.reg("u8").id, "u8", True)
        body: Code = [tree.Mark(mark)]
        e.code = body
        lo.shared[full] = tree.Function(full, tuple(params), body, ())  # it may call itself
        results = build(Matrices(e, dtype), params)
        body.append(tree.Release(mark))
        lo.shared[full] = tree.Function(full, tuple(params), body, tuple(results))
    return full


def invoke(e: Emitter, function: str, args: Sequence[Operand], outs: Sequence[Reg] = ()) -> None:
    e.add(tree.Invoke(function, tuple(args), tuple(outs)))


def given(lo: Lowering, atom: ir.Atom) -> tuple[Stored, bool]:
    """A matrix in memory, and whether it lies column by column."""
    x = lo.stored(atom)
    if not x.packed and x.strides[0] == ONE and x.strides[1] == x.shape[0] and x.shape[1] != ONE:
        return x, True
    return lo.e.contiguous(x), False


def packed(lo: Lowering, atom: ir.Atom) -> Stored:
    return lo.e.contiguous(lo.stored(atom))


def fixed(*shapes: Shape) -> bool:
    """Whether all are small and of known size."""
    return all(small(shape) for shape in shapes)


# ------------------------------------------------------------------ products


@rule("matmul")
def _matmul(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    a, b = lo.cheap(op.args[0]), lo.cheap(op.args[1])
    shape = (*a.shape[:-1], b.shape[-1])
    work = e.product((*shape, a.shape[-1]))
    if len(shape) > 2 or var.type.dtype not in LIBRARY or (isinstance(work, Imm) and int(work.value) < PRODUCT):
        _few(lo, var, a, b)
        return
    out = lo.fresh(var, shape)
    (x, tx), (y, ty) = given(lo, op.args[0]), given(lo, op.args[1])
    name = f"matmul{'_t' * tx}{'_by_t' * ty}"
    function = shared(lo, name, out.dtype, "pppnnn",
                      lambda w, p: product(w, p[0], p[1], p[2], (p[3], p[4], p[5]), tx, ty))
    invoke(e, function, [x.base, y.base, out.base, shape[0], x.shape[1], shape[1]])


def _few(lo: Lowering, var: Var, a: Stored | Lazy, b: Stored | Lazy) -> None:
    """A product as loops where it stands."""
    e = lo.e
    out = lo.fresh(var, (*a.shape[:-1], b.shape[-1]))
    zero = Imm(0.0 if out.dtype in ir.FLOATS else 0, out.dtype)
    if not small(out.shape):  # row by row: each number gets its terms in the same order, side by side in memory
        b = e.contiguous(b)
        e.fill(out, zero)
        with e.nest(out.shape[:-1]) as ix, e.fold(a.shape[-1], []) as f:
            row = e.part(out, ix)
            x = e.read(a, [*ix, f.index])
            with e.nest(row.shape) as at:
                term = e.scalar("mul", out.dtype, x, e.read(b, [*ix[:-1], f.index, *at]))
                e.write(row, at, e.scalar("add", out.dtype, e.read(row, at), term))
        return
    with e.nest(out.shape) as ix:
        lanes = ix[:-2]
        with e.fold(a.shape[-1], [zero]) as f:
            x, y = e.read(a, [*lanes, ix[-2], f.index]), e.read(b, [*lanes, f.index, ix[-1]])
            f.next = (e.scalar("add", out.dtype, f.state[0], e.scalar("mul", out.dtype, x, y)),)
        e.write(out, ix, f.outs[0])


def product(w: Matrices, left: Reg, right: Reg, target: Reg, shape: Shape, tx: bool = False, ty: bool = False
            ) -> Sequence[Operand]:
    """out = x y, of m rows, k, and n columns; `tx` and `ty`: x and y lie column by column."""
    e = w.e
    m, k, n = shape
    a = (w.columns if tx else w.rows)(left, m, k)
    b = (w.columns if ty else w.rows)(right, k, n)
    out = w.rows(target, m, n)

    def loops() -> Sequence[Operand]:
        lines = b
        if ty:
            lines = w.rows(w.room(e.times(k, n)), k, n)
            w.copy(b, lines)
        w.fill(out, 0.0)
        with w.each(m) as (i,), e.fold(k, []) as f:
            x = w.get(a, i, f.index)
            with w.each(n) as (j,):
                term = w.do("mul", x, w.get(lines, f.index, j))
                w.put(out, i, j, value=w.do("add", w.get(out, i, j), term))
        return ()

    def routine() -> Sequence[Operand]:
        w.run("gemm", "NT"[ty], "NT"[tx], n, m, k, w.number(1.0), b.base, k if ty else n, a.base, m if tx else k,
                  w.number(0.0), out.base, n)
        return ()

    work = e.times(e.times(m, k), n)
    w.choose(w.linked(w.ask("ge", work, Imm(PRODUCT, "i64"))), routine, loops)
    return ()


@rule("triangle")
def _triangle(lo: Lowering, var: Var, op: ir.Prim) -> None:
    e = lo.e
    x = lo.array(op.args[0])
    part = str(op.attr("part"))
    dtype = var.type.dtype

    def at(indices: Sequence[Operand]) -> Operand:
        i, j = indices[-2:]
        value = e.read(x, indices)
        if part == "lower_half":
            half = e.scalar("div", dtype, value, Imm(2.0, dtype))
            value = e.scalar("select", dtype, e.scalar("eq", "bool", i, j), half, value)
        inside = {"lower": "ge", "lower_half": "ge", "strict_lower": "gt", "upper": "le", "strict_upper": "lt"}[part]
        return e.scalar("select", dtype, e.scalar(inside, "bool", i, j), value, Imm(0.0, dtype))

    lo.lazy(var, Lazy(dtype, x.shape, at), op.args)


# ------------------------------------------------------------------ triangular systems


@rule("solve_triangular")
def _solve_triangular(lo: Lowering, var: Var, op: ir.Prim) -> None:
    upper = bool(op.attr("upper"))
    l, turned = given(lo, op.args[0])
    rhs = lo.cheap(op.args[1])
    out = lo.fresh(var, rhs.shape)
    lo.e.store(rhs, out)
    if fixed(l.shape, out.shape) or out.dtype not in LIBRARY:
        triangular(Matrices(lo.e, out.dtype), l, out, upper)
        return
    name = f"solve_{'upper' if upper else 'lower'}{'_t' * turned}"
    function = shared(lo, name, out.dtype, "ppnn", lambda w, p: whole_triangle(w, p, upper, turned))
    invoke(lo.e, function, [l.base, out.base, *out.shape])


def whole_triangle(w: Matrices, p: Sequence[Reg], upper: bool, turned: bool) -> Sequence[Operand]:
    """X with L X = B, in the place of B, of n rows and m columns."""
    n, m = p[2:]
    l, x = (w.columns if turned else w.rows)(p[0], n, n), w.rows(p[1], n, m)

    def routine() -> Sequence[Operand]:
        with_nan(w, l, x)
        side = "LU"[upper] if turned else "UL"[upper]
        w.run("trsm", "R", side, "NT"[turned], "N", m, n, w.number(1.0), l.base, n, x.base, m)
        return ()

    def loops() -> Sequence[Operand]:
        triangular(w, l, x, upper)
        return ()

    work = w.e.times(w.e.times(n, n), m)
    w.choose(w.linked(w.ask("ge", work, Imm(SOLVING, "i64"))), routine, loops)
    return ()


def with_nan(w: Matrices, l: Stored, x: Stored) -> None:
    """x all nan where a number on the diagonal is zero."""
    n = l.shape[0]
    fine = w.counted(n, [Imm(True, "bool")], lambda i, so_far: [
        w.both(so_far, w.ask("ne", w.get(l, i, i), w.number(0.0)))])[0]
    with w.when(w.ask("not", fine)):
        w.fill(x, float("nan"))


def triangular(w: Matrices, l: Stored, x: Stored, upper: bool) -> None:
    """Substitution, row after row."""
    e = w.e
    n, m = x.shape
    with_nan(w, l, x)
    last = e.minus(n, ONE)
    with e.fold(n, []) as f:
        i = e.minus(last, f.index) if upper else f.index
        with e.fold(f.index, []) as g:
            j = e.plus(e.plus(i, ONE), g.index) if upper else g.index
            factor = w.get(l, i, j)
            with w.each(m) as (k,):
                w.change(x, i, k, less=factor, times=w.get(x, j, k))
        pivot = w.get(l, i, i)
        with w.each(m) as (k,):
            w.put(x, i, k, value=w.do("div", w.get(x, i, k), pivot))


# ------------------------------------------------------------------ Cholesky's factor


@rule("cholesky")
def _cholesky(lo: Lowering, var: Var, op: ir.Prim) -> None:
    a = packed(lo, op.args[0])
    out = lo.fresh(var, a.shape)
    w = Matrices(lo.e, out.dtype)
    if fixed(a.shape) or out.dtype not in LIBRARY:
        symmetric(w, a, out)
        root(w, out)
        return
    function = shared(lo, "cholesky", out.dtype, "ppn", whole_root)
    invoke(lo.e, function, [a.base, out.base, a.shape[0]])


def symmetric(w: Matrices, a: Stored, out: Stored) -> None:
    """out = (a + aᵀ) / 2"""
    with w.each(*out.shape) as (i, j):
        both = w.do("add", w.get(a, i, j), w.get(a, j, i))
        w.put(out, i, j, value=w.do("div", both, w.number(2.0)))


def whole_root(w: Matrices, p: Sequence[Reg]) -> Sequence[Operand]:
    """The lower factor of a symmetric part; from the pivot on that is not positive, nan."""
    n = p[2]
    a, out = w.rows(p[0], n, n), w.rows(p[1], n, n)
    symmetric(w, a, out)

    def routine() -> Sequence[Operand]:
        fine = w.run("potrf", "U", n, out.base, n, info=True)
        good = w.counted(n, [fine], lambda i, so_far: [
            w.both(so_far, w.ask("gt", w.get(out, i, i), w.number(0.0)))])[0]
        with w.when(good), w.e.fold(n, []) as f, w.each(n, start=w.e.plus(f.index, ONE)) as (j,):
            w.put(out, f.index, j, value=w.number(0.0))
        with w.when(w.ask("not", good)):
            symmetric(w, a, out)
        return (good,)

    large = w.ask("ge", n, Imm(FACTOR, "i64"))
    done, = w.choose(w.linked(large), routine, lambda: (Imm(False, "bool"),))
    with w.when(w.ask("not", done)):
        root(w, out)
    return ()


def root(w: Matrices, x: Stored) -> None:
    """The factor in the place of a symmetric matrix: as an upper one, row by row, which is turned over in the end."""
    e = w.e
    n = x.shape[0]

    def row(k: Operand, failed: Operand) -> Sequence[Operand]:
        pivot = w.get(x, k, k)
        fine = w.both(w.ask("lt", k, failed), w.ask("gt", pivot, w.number(0.0)))
        with w.when(fine):
            length = w.do("sqrt", pivot)
            w.put(x, k, k, value=length)
            after = e.plus(k, ONE)
            with w.each(n, start=after) as (j,):
                w.put(x, k, j, value=w.do("div", w.get(x, k, j), length))
            with e.fold(e.minus(n, after), []) as f:
                i = e.plus(after, f.index)
                factor = w.get(x, k, i)
                with w.each(n, start=i) as (j,):
                    w.change(x, i, j, less=factor, times=w.get(x, k, j))
        return [e.scalar("select", "i64", fine, failed, e.scalar("min", "i64", failed, k))]

    failed = w.counted(n, [n], row)[0]
    with e.fold(n, []) as f, w.each(n, start=f.index) as (j,):
        i = f.index
        lost = w.ask("ge", i, failed)
        value = w.do("select", lost, w.number(float("nan")), w.get(x, i, j))
        w.put(x, i, j, value=w.number(0.0))
        w.put(x, j, i, value=value)

