"""Operators that would be cheaper: matrices of derivatives of which only a part is used.

In: a program before derivatives are taken, functions already one where they are small. A *matrix of derivatives* is a
map over all directions whose body takes a derivative there, whatever the source calls it. Out: what is used of each:

    the elements h[i][i], summed up                      its trace: `laplacian`, `divergence`
    the elements h[i][i]                                 its diagonal
    a row times a vector, of every row, summed up        its product with a vector: `hvp`, `jvp`, `vjp`
    all of it, and fewer outputs than inputs             the other mode: `jacrev`, `grad`; or `jacfwd`

and the program with the cheaper operator in its place, so that the cost of both can be told.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Atom, Block, Const, Lambda, Prim, Stmt, Var
from ...lang.core.walk import Renamer, atoms, free_in_op, next_id, scopes
from ...lang.source import Span


@dataclass(frozen=True)
class Hint:
    """What is the matter with the matrix that is made at `span`, and the operator that would do `instead`; `program`
    has it in its place, where that could be written."""

    span: Span | None
    reason: str
    instead: str
    program: ir.Program | None
    mode: bool = False
    """Which is cheaper depends on sizes."""
    trace: bool = False
    """The operator that is meant never has all directions in memory, whatever becomes of the matrix."""


@dataclass(frozen=True)
class Matrix:
    """`stmt` maps over directions; in its body `taken` takes the derivative, whose result is the row.

    `second`: of a gradient. `transposed`: rows are inputs, as forward mode gives them.
    """

    stmt: Stmt
    op: ir.Map
    taken: Stmt
    diff: ir.Diff
    second: bool
    transposed: bool

    @property
    def name(self) -> str:
        return "Hessian" if self.second else "Jacobian"


def hints(program: ir.Program) -> list[Hint]:
    """What would be cheaper, in the order of the program."""
    found = []
    for function in program.functions.values():
        for matrix in matrices(function.body):
            hint = Uses(program, function, matrix).hint()
            if hint is not None:
                found.append(hint)
    return found


# ------------------------------------------------------------------ matrices of derivatives


def matrices(block: Block, chosen: bool = False) -> Iterator[Matrix]:
    """Maps over directions; not where the program itself chooses between two modes by sizes."""
    decided: dict[Var, bool] = {}
    for stmt in block.stmts:
        if isinstance(stmt.op, Prim) and stmt.op.name in ("le", "lt", "ge", "gt"):
            decided[stmt.vars[0]] = stmt.op.args[0].type == ir.I64
        if isinstance(stmt.op, ir.Map) and not chosen:
            made = matrix_of(stmt, stmt.op)
            if made is not None:
                yield made
                continue
        mode_choice = isinstance(stmt.op, ir.If) and isinstance(stmt.op.cond, Var) and decided.get(stmt.op.cond, False)
        for _, inner in scopes(stmt.op):
            yield from matrices(inner, chosen or mode_choice)


def matrix_of(stmt: Stmt, op: ir.Map) -> Matrix | None:
    if len(op.arrays) != 1 or len(stmt.vars) != 1 or op.body.params[0].type != ir.I64:
        return None
    (direction,) = op.body.params
    varying: set[Var] = {direction}
    for inner in op.body.body.stmts:
        if isinstance(inner.op, ir.Diff):
            diff = inner.op
            fixed = not any(isinstance(a, Var) and a in varying for a in diff.args)
            varies = any(isinstance(a, Var) and a in varying for a in diff.seeds)
            free = free_in_op(ir.Diff(diff.mode, diff.body, (), ()))
            (result,) = op.body.body.results
            derived = inner.vars[len(diff.body.body.results):]
            if fixed and varies and result in derived and len(derived) == 1 and not any(v in varying for v in free):
                if len(diff.args) != 1 or diff.args[0].type.rank != 1 or len(diff.seeds) != 1:
                    return None
                second = any(isinstance(s.op, ir.Diff) and s.op.mode == "vjp" for s in diff.body.body.stmts)
                return Matrix(stmt, op, inner, diff, second, diff.mode == "jvp")
        if any(v in varying for v in free_in_op(inner.op)):
            varying.update(inner.vars)
    return None


# ------------------------------------------------------------------ what becomes of one


class Uses:
    """All places that read a matrix: elements on its diagonal, products of rows with a vector, or the rest."""

    def __init__(self, program: ir.Program, function: ir.Function, matrix: Matrix) -> None:
        self.program, self.function, self.matrix = program, function, matrix
        self.aliases: dict[Var, bool] = {matrix.stmt.vars[0]: False}
        """The matrix under its names; True where rows and columns have changed places."""
        self.diagonal: list[Stmt] = []
        self.products: list[tuple[Stmt, Atom, bool]] = []
        self.whole = False
        self.stmts: dict[Var, Stmt] = {}
        self.readers: dict[Var, list[Stmt]] = {}
        self.returned: set[Atom] = set()
        self.mapped: dict[Atom, Stmt] = {}
        """The map that a value is the one result of, in its body."""
        self.survey(function.body)
        self.look(function.body)

    def survey(self, block: Block) -> None:
        self.returned.update(block.results)
        for stmt in block.stmts:
            for var in stmt.vars:
                self.stmts[var] = stmt
            for atom in atoms(stmt.op):
                if isinstance(atom, Var):
                    self.readers.setdefault(atom, []).append(stmt)
            if isinstance(stmt.op, ir.Map) and len(stmt.vars) == 1:
                self.mapped[stmt.op.body.body.results[0]] = stmt
            for _, inner in scopes(stmt.op):
                self.survey(inner)

    def look(self, block: Block) -> None:
        for stmt in block.stmts:
            if stmt is self.matrix.stmt:
                continue
            read = [a for a in atoms(stmt.op) if isinstance(a, Var) and a in self.aliases]
            if read:
                self.use(stmt, read[0])
            for _, inner in scopes(stmt.op):
                self.look(inner)
        if any(a in self.aliases for a in block.results):
            self.whole = True

    def use(self, stmt: Stmt, alias: Var) -> None:
        match stmt.op:
            case Prim("dim"):
                pass
            case Prim("transpose"):
                self.aliases[stmt.vars[0]] = not self.aliases[alias]
            case Prim("index", (_, i, j)) if i == j:
                self.diagonal.append(stmt)
            case Prim("index", (_, i, j)):
                self.elements(stmt, i, j, self.aliases[alias])
            case Prim("index", (_, i)):
                self.row(stmt.vars[0], i, stmt, self.aliases[alias], None)
            case ir.Map() as op:
                self.rows(stmt, op, alias)
            case _:
                self.whole = True

    def rows(self, stmt: Stmt, op: ir.Map, alias: Var) -> None:
        """A map over the rows, perhaps beside their numbers."""
        numbers = [p for p, a in zip(op.body.params, op.arrays, strict=True)
                   if isinstance(a, Var) and isinstance((made := self.stmts.get(a)), Stmt)
                   and isinstance(made.op, Prim) and made.op.name == "iota"]
        for param, array in zip(op.body.params, op.arrays, strict=True):
            if array == alias:
                self.row(param, numbers[0] if numbers else None, stmt, self.aliases[alias], op)
        if any(a in self.aliases for _, block in scopes(op) for s in block.stmts for a in atoms(s.op)):
            self.whole = True

    def row(self, row: Var, number: Atom | None, stmt: Stmt, flipped: bool, op: ir.Map | None) -> None:
        readers = self.readers.get(row, [])
        if row in self.returned or not readers:
            self.whole = True
        for reader in readers:
            match reader.op:
                case Prim("index", (_, j)) if number is not None and j == number:
                    self.diagonal.append(stmt if op is not None else reader)
                case Prim("mul", args) if op is not None and self.summed(reader, op):
                    other = args[0] if args[1] == row else args[1]
                    inside = {v for s in op.body.body.stmts for v in s.vars} | set(op.body.params)
                    if other == row or other in inside or other.type.rank != 1:
                        self.whole = True
                    else:
                        self.products.append((stmt, other, flipped))
                case Prim("dim"):
                    pass
                case _:
                    self.whole = True

    def elements(self, stmt: Stmt, i: Atom, j: Atom, flipped: bool) -> None:
        """map (\\i -> sum (map (\\j -> m[i, j] * v[j]) (iota n))) (iota m), or with m[j, i]."""
        product = self.only(stmt.vars[0])
        terms = None if product is None else self.mapped.get(product.vars[0])
        total = None if terms is None else self.only(terms.vars[0])
        whole = None if total is None else self.mapped.get(total.vars[0])
        if product is None or terms is None or total is None or whole is None or not (
                isinstance(product.op, Prim) and product.op.name == "mul"
                and isinstance(total.op, Prim) and total.op.name == "sum"):
            self.whole = True
            return
        inner, outer = (m.op.body.params if isinstance(m.op, ir.Map) else () for m in (terms, whole))
        other = product.op.args[0] if product.op.args[1] == stmt.vars[0] else product.op.args[1]
        read = self.stmts.get(other) if isinstance(other, Var) else None
        number = j if i in outer else i
        if read is None or not isinstance(read.op, Prim) or read.op.name != "index" or read.op.args[1:] != (number,) \
                or number not in inner or not {i, j} <= {*inner, *outer} or read.op.args[0].type.rank != 1 \
                or not self.plain(whole) or read.op.args[0] not in free_in_op(whole.op):
            self.whole = True
            return
        self.products.append((whole, read.op.args[0], flipped != (number == i)))

    def plain(self, stmt: Stmt) -> bool:
        """Whether a map runs over numbers alone."""
        assert isinstance(stmt.op, ir.Map)
        return all(isinstance(a, Var) and isinstance((s := self.stmts.get(a)), Stmt) and isinstance(s.op, Prim)
                   and s.op.name == "iota" for a in stmt.op.arrays)

    def only(self, var: Var) -> Stmt | None:
        """The one statement that reads a variable, if nothing else does."""
        readers = self.readers.get(var, [])
        return readers[0] if len(readers) == 1 and (var not in self.returned) else None

    def summed(self, product: Stmt, op: ir.Map) -> bool:
        """Whether all that becomes of a product is its sum, which is the result of the map."""
        readers = self.readers.get(product.vars[0], [])
        if len(readers) != 1 or product.vars[0] in self.returned:
            return False
        made = readers[0]
        return isinstance(made.op, Prim) and made.op.name == "sum" and op.body.body.results == made.vars

    # ------------------------------------------------------------ what to do instead

    def hint(self) -> Hint | None:
        matrix = self.matrix
        if self.whole or not (self.diagonal or self.products):
            return self.other_mode() if self.whole else None
        if self.diagonal and not self.products:
            return self.trace()
        vectors = {v for _, v, _ in self.products}
        if self.diagonal or len(vectors) != 1 or len({f for _, _, f in self.products}) != 1 or len(self.products) != 1:
            return None
        (stmt, vector, flipped), = self.products
        by_columns = matrix.transposed != flipped  # rows of the map are columns of the matrix, and stay so
        mode = "jvp" if matrix.second or not by_columns else "vjp"
        instead = "hvp f x v" if matrix.second else f"{mode} f x v"
        how = ", transposed," if mode == "vjp" and not matrix.second else ""
        reason = f"this {matrix.name}{how} is only multiplied by a vector"
        if matrix.second and matrix.diff.mode != "jvp":
            return Hint(matrix.stmt.span, reason, instead, None)
        changed = self.replaced(stmt, lambda b: self.direction(b, mode, vector))
        return Hint(matrix.stmt.span, reason, instead, changed)

    def direction(self, b: Builder, mode: str, vector: Atom) -> Atom | None:
        """The one derivative in place of all."""
        diff = self.matrix.diff
        wanted = "jvp" if mode == "jvp" else "vjp"
        copy = Renamer(b.supply).function(diff.body)
        before = [s for s in self.matrix.op.body.body.stmts
                  if any(v in diff.args for v in s.vars)]  # an argument made in the body cannot be used outside
        if before:
            return None
        out = b.bind(ir.Diff("jvp" if wanted == "jvp" else "vjp", copy, diff.args, (vector,)), "d")
        return out[len(copy.body.results)]

    def trace(self) -> Hint | None:
        matrix = self.matrix
        sums = []
        for stmt in self.diagonal:
            around = self.around(stmt)
            readers = [] if around is None else self.readers.get(around.vars[0], [])
            if around is None or len(readers) != 1 or around.vars[0] in self.returned or not (
                    isinstance(readers[0].op, Prim) and readers[0].op.name in ("sum", "add")):
                unit = "(hvp f x e)[i]" if matrix.second else "(jvp f x e)[i]"
                return Hint(matrix.stmt.span, f"of this {matrix.name} only the diagonal is used", unit, None)
            sums.append(readers[0])
        instead = "laplacian f x" if matrix.second else "divergence f x"
        changed = None
        if len(sums) == 1 and isinstance(sums[0].op, Prim) and sums[0].op.name == "sum":
            changed = self.replaced(sums[0], self.summed_directions)
        return Hint(matrix.stmt.span, f"of this {matrix.name} only the trace is used", instead, changed, trace=True)

    def around(self, stmt: Stmt) -> Stmt | None:
        """The map over the diagonal that an element is the result of, or the statement that reads it in a loop."""
        if isinstance(stmt.op, ir.Map):
            return stmt
        return self.mapped.get(stmt.vars[0], stmt)

    def summed_directions(self, b: Builder) -> Atom | None:
        """The sum over all directions e of the derivative of float number d in direction d; no row is kept."""
        matrix = self.matrix
        if matrix.second and matrix.diff.mode != "jvp":
            return None
        copy = Renamer(b.supply)
        lam = copy.function(matrix.op.body)
        (d,) = lam.params
        inner = Builder(b.supply, b.span)
        inner.stmts.extend(lam.body.stmts)
        value = self.twice(inner, lam) if matrix.second else None
        if value is None:
            value = inner.prim("index", lam.body.results[0], d)
        (terms,) = b.bind(ir.Map(matrix.op.arrays, Lambda((d,), inner.block([value])), ((),)), "terms")
        return b.prim("sum", terms, axis=0)

    def twice(self, b: Builder, lam: Lambda) -> Atom | None:
        """The second derivative in one direction, forward twice: jvp (\\x -> jvp f x e) x e."""
        (last,) = [s for s in b.stmts if isinstance(s.op, ir.Diff) and lam.body.results[0] in s.vars]
        outer = last.op
        assert isinstance(outer, ir.Diff)
        body = outer.body.body
        if len(body.stmts) != 1 or not isinstance(body.stmts[0].op, ir.Diff):
            return None
        gradient = body.stmts[0].op
        if gradient.mode != "vjp" or gradient.args != outer.body.params or len(gradient.body.body.results) != 1:
            return None
        (x,), (e,) = outer.args, outer.seeds
        first = Builder(b.supply, b.span)
        point = first.fresh("x", x.type)
        _, slope = first.bind(ir.Diff("jvp", gradient.body, (point,), (e,)), "d")
        b.stmts.remove(last)
        _, second = b.bind(ir.Diff("jvp", Lambda((point,), first.block([slope])), (x,), (e,)), "d")
        return second

    def other_mode(self) -> Hint | None:
        """All rows, in the mode that has fewer of them."""
        matrix, diff = self.matrix, self.matrix.diff
        if matrix.second:
            return None
        outputs = [a for a in diff.body.body.results if a.type.is_float]
        if len(outputs) != 1:
            return None
        if diff.mode == "jvp" and not outputs[0].type.rank:
            def gradient(b: Builder) -> Atom:
                copy = Renamer(b.supply).function(diff.body)
                one = Const(1.0, outputs[0].type.dtype)
                return b.bind(ir.Diff("vjp", copy, diff.args, (one,)), "d")[len(copy.body.results)]

            changed = self.replaced(matrix.stmt, gradient)
            return Hint(matrix.stmt.span, "this Jacobian is of a function with one result", "grad f x", changed)
        if outputs[0].type.rank != 1:
            return None
        length = matrix.op.shapes[0][0]
        source = matrix.op.arrays[0]
        iota = self.stmts.get(source) if isinstance(source, Var) else None
        if iota is None or not isinstance(iota.op, Prim) or iota.op.name != "iota" or iota.op.args[0] == length:
            return None
        count = iota.op.args[0]

        def other(b: Builder) -> Atom:
            copy = Renamer(b.supply).function(diff.body)
            numbers = b.prim("iota", length)
            inner = b.nested()
            d = b.fresh("d", ir.I64)
            seed = inner.prim("cast", inner.prim("eq", numbers, d), to=outputs[0].type.dtype)
            made = inner.bind(ir.Diff("vjp" if diff.mode == "jvp" else "jvp", copy, diff.args, (seed,)), "d")
            row = made[len(copy.body.results)]
            (rows,) = b.bind(ir.Map((numbers,), Lambda((d,), inner.block([row])), ((count,),)), "rows")
            return b.prim("transpose", rows, perm=(1, 0))

        changed = self.replaced(matrix.stmt, other)
        instead = "jacrev f x" if diff.mode == "jvp" else "jacfwd f x"
        reason = f"this Jacobian takes a pass for each {'input' if diff.mode == 'jvp' else 'output'}"
        return Hint(matrix.stmt.span, reason, instead, changed, mode=True)

    def replaced(self, stmt: Stmt, write: Callable[[Builder], Atom | None]) -> ir.Program | None:
        """The program with other statements in place of one."""
        b = Builder(Fresh(next_id(self.function)), self.matrix.stmt.span)
        value = write(b)
        if not isinstance(value, Var):
            return None
        *stmts, last = b.stmts
        vars = tuple(stmt.vars[0] if v == value else v for v in last.vars)
        block = swapped(self.function.body, stmt, (*stmts, Stmt(vars, last.op, last.span)))
        f = self.function
        functions = dict(self.program.functions)
        functions[f.name] = ir.Function(f.name, f.params, block, f.source_name, f.dims)
        return ir.Program(functions)


def swapped(block: Block, stmt: Stmt, news: Sequence[Stmt]) -> Block:
    """The block with `news` in place of `stmt`, at whatever depth."""
    out: list[Stmt] = []
    for old in block.stmts:
        if old is stmt:
            out.extend(news)
        else:
            out.append(Stmt(old.vars, inside(old.op, stmt, news), old.span))
    return Block(tuple(out), block.results)


def inside(op: ir.Op, stmt: Stmt, news: Sequence[Stmt]) -> ir.Op:
    def function(lam: Lambda) -> Lambda:
        return Lambda(lam.params, swapped(lam.body, stmt, news))

    match op:
        case ir.If(cond, then, orelse):
            return ir.If(cond, swapped(then, stmt, news), swapped(orelse, stmt, news))
        case ir.Map(arrays, lam, shapes):
            return ir.Map(arrays, function(lam), shapes)
        case ir.Reduce(arrays, neutral, lam) | ir.Scan(arrays, neutral, lam):
            return type(op)(arrays, neutral, function(lam))
        case ir.Loop(count, cond, index, params, init, body, shapes, ragged):
            return ir.Loop(count, cond and function(cond), index, params, init, swapped(body, stmt, news), shapes,
                           ragged)
        case ir.Diff(mode, lam, args, seeds):
            return ir.Diff(mode, function(lam), args, seeds)
        case _:
            return op
