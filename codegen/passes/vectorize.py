"""Maps become array operations: every value in a map nest gets one leading axis to each map it depends on.

In: a program without `Diff`. Out: a program of the same meaning in which elementwise primitives broadcast axes of
size one, with the primitives of `lang.prims.batched`, and without `Map`, `Reduce` and `Scan` except where lanes
cannot run together (arrays inside them differ in size, or a recursive call depends on the lane); those maps stay and
become loops.

What does not depend on a map is computed once, outside it. A branch whose condition depends on the lane becomes a
selection: both arms run, checks count only where the arm is taken. A loop whose trip count depends on the lane runs
while any lane is active, and lanes that have ended keep their state. Calls get copies of the callee, one to each
pattern of dependence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...lang.core import ir
from ...lang.core.build import Fresh, i64, zero
from ...lang.core.ir import Atom, Block, Const, Function, Lambda, Program, Stmt, Type, Var
from ...lang.core.primitive import PRIMITIVES
from ...lang.core.walk import callees, next_id
from ...lang.prims import batched as _records
from .batching import active_lanes, apply, same_in_all
from .broadcasts import relax
from .contract import contract
from .lanes import ZERO, CannotVectorize, Context, Lanes, Levels, Writer, block_may_fail, prune, union
from .rows import sum_rows
from .strips import strips

__all__ = ["vectorize"]
assert _records  # imported for its records

Env = dict[Var, Lanes]


def vectorize(program: Program) -> Program:
    """The program in array code; functions keep their names and order, copies stand before their first caller."""
    return _Vectorizer(program).run()


@dataclass(frozen=True, slots=True)
class _Copy:
    name: str
    levels: tuple[Levels, ...]
    """Of each result, in the numbering of the copy."""


class _Vectorizer:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.done: dict[str, Function] = {}
        self.copies: dict[tuple[object, ...], _Copy] = {}
        self.recursive = _recursive(program)
        self.fallible = _fallible(program, self.recursive)

    def run(self) -> Program:
        for function in self.program.functions.values():
            self.function(function)
        return Program(self.done)

    def function(self, function: Function) -> None:
        b = Writer(Fresh(next_id(function)))
        env: Env = {p: Lanes(p) for p in function.params}
        b.same = _same_sizes(function, env)
        results = self.block(function.body, env, Context(), b)
        body = Block(tuple(b.stmts), tuple(r.atom for r in results))
        self.finish(replace(function, body=body), b.supply)

    def finish(self, function: Function, supply: Fresh) -> None:
        body = prune(function.body, self.fallible)
        body = prune(contract(prune(relax(body, supply), self.fallible), supply), self.fallible)
        body = prune(strips(function, sum_rows(body, supply), supply), self.fallible)
        self.done[function.name] = replace(function, body=body, dims=())

    # ------------------------------------------------------------ statements

    def block(self, block: Block, env: Env, ctx: Context, b: Writer) -> list[Lanes]:
        for stmt in block.stmts:
            b.span = stmt.span
            for var, value in zip(stmt.vars, self.op(stmt, env, ctx, b), strict=True):
                env[var] = value
        return [self.atom(a, env) for a in block.results]

    def atom(self, atom: Atom, env: Env) -> Lanes:
        return env[atom] if isinstance(atom, Var) else Lanes(atom)

    def atoms(self, atoms: Sequence[Atom], env: Env) -> list[Lanes]:
        return [self.atom(a, env) for a in atoms]

    def op(self, stmt: Stmt, env: Env, ctx: Context, b: Writer) -> Sequence[Lanes]:
        match stmt.op:
            case ir.Prim(name, args, attrs):
                lanes = self.atoms(args, env)
                if PRIMITIVES[name].elementwise and not PRIMITIVES[name].fails:
                    return [b.elementwise(name, lanes, dict(attrs), stmt.vars[0].name)]
                return [apply(b, ctx, name, lanes, dict(attrs))]
            case ir.Map():
                return self.map(stmt.op, env, ctx, b)
            case ir.Reduce() | ir.Scan():
                return self.fold(stmt.op, env, ctx, b)
            case ir.If():
                return self.branch(stmt.op, env, ctx, b)
            case ir.Loop():
                return self.loop(stmt.op, stmt.vars, env, ctx, b)
            case ir.Call():
                return self.call(stmt.op, stmt.vars, env, ctx, b)
            case ir.Diff() | ir.Custom():
                raise AssertionError("derivatives are taken before vectorisation")

    # ------------------------------------------------------------ map

    def map(self, op: ir.Map, env: Env, ctx: Context, b: Writer) -> list[Lanes]:
        if ctx.levels:
            return self.lanes(op, env, ctx, b)
        trial = b.nested()
        try:
            results = self.lanes(op, env, ctx, trial)
        except CannotVectorize:
            return self.kept_map(op, env, ctx, b)
        b.adopt(trial)
        return results

    def lanes(self, op: ir.Map, env: Env, ctx: Context, b: Writer) -> list[Lanes]:
        """The body once, for all elements: axis 0 of the arrays becomes the axis of a new level."""
        arrays = self.atoms(op.arrays, env)
        first = arrays[0]
        size = b.prim("dim", first.atom, axis=len(first.levels), as_="n")
        level = max(ctx.levels, default=-1) + 1
        inner = ctx.inside(level, size)
        for param, array in zip(op.body.params, arrays, strict=True):
            env[param] = Lanes(array.atom, (*array.levels, level), self.counted(array, level, b))
        results = self.block(op.body.body, env, inner, b)
        mapped = []
        for result in results:
            levels = union([result.levels, (level,)])
            mapped.append(Lanes(b.spread(result, levels, inner.sizes), levels[:-1]))
        return mapped

    def counted(self, array: Lanes, level: int, b: Writer) -> tuple[int, int] | None:
        """Whether the mapped array is `iota`, so that its elements are the level's index."""
        if array.levels or not isinstance(array.atom, Var):
            return None
        made = b.made(array.atom)
        return (level, 0) if isinstance(made, ir.Prim) and made.name == "iota" else None

    def kept_map(self, op: ir.Map, env: Env, ctx: Context, b: Writer) -> list[Lanes]:
        inner = b.nested()
        params = tuple(inner.like(p) for p in op.body.params)
        env.update({p: Lanes(v) for p, v in zip(op.body.params, params, strict=True)})
        results = self.block(op.body.body, env, ctx, inner)
        body = Lambda(params, inner.block([r.atom for r in results]))
        shapes = [[self.atom(s, env).atom for s in shape] for shape in op.shapes]
        arrays = [self.atom(a, env).atom for a in op.arrays]
        return [Lanes(v) for v in b.map(arrays, body, shapes, [_name(r.atom) for r in results])]

    # ------------------------------------------------------------ reduce, scan

    def fold(self, op: ir.Reduce | ir.Scan, env: Env, ctx: Context, b: Writer) -> Sequence[Lanes]:
        """for i < n: acc = body(acc, x[i]); a scan collects acc."""
        count = len(op.neutral)
        index = b.fresh("i", ir.I64)
        params, elements = op.body.params[:count], op.body.params[count:]
        reads = tuple(
            Stmt((e,), ir.Prim("index", (array, index))) for e, array in zip(elements, op.arrays, strict=True)
        )
        results = op.body.body.results
        shapes: tuple[tuple[Atom, ...], ...] = ()
        if isinstance(op, ir.Scan):
            results = results + results
            shapes = tuple(self.shape_of(a, env, b) for a in op.neutral)
        array = self.atom(op.arrays[0], env)
        size = b.prim("dim", array.atom, axis=len(array.levels), as_="n")
        trips = b.fresh("n", ir.I64)
        env[trips] = Lanes(size)
        loop = ir.Loop(trips, None, index, params, op.neutral, Block(reads + op.body.body.stmts, results), shapes)
        made = self.loop(loop, (), env, ctx, b)
        return made[count:] if isinstance(op, ir.Scan) else made

    def shape_of(self, atom: Atom, env: Env, b: Writer) -> tuple[Atom, ...]:
        """The shape of a source value as source atoms."""
        value = self.atom(atom, env)
        sizes = []
        for axis in range(value.rank):
            size = b.fresh("n", ir.I64)
            env[size] = Lanes(b.dim(value.atom, axis + len(value.levels)))
            sizes.append(size)
        return tuple(sizes)

    # ------------------------------------------------------------ if

    def branch(self, op: ir.If, env: Env, ctx: Context, b: Writer) -> list[Lanes]:
        cond = self.atom(op.cond, env)
        return self.selected(op, cond, env, ctx, b) if cond.levels else self.chosen(op, cond, env, ctx, b)

    def chosen(self, op: ir.If, cond: Lanes, env: Env, ctx: Context, b: Writer) -> list[Lanes]:
        """The condition is the same in all lanes: a branch stays one."""
        arms = [b.nested(), b.nested()]
        results = [self.block(block, env, ctx, arm) for block, arm in zip((op.then, op.orelse), arms, strict=True)]
        levels = [union([x.levels, y.levels]) for x, y in zip(*results, strict=True)]
        blocks = [
            arm.block([arm.spread(r, want, ctx.sizes) for r, want in zip(part, levels, strict=True)])
            for arm, part in zip(arms, results, strict=True)
        ]
        vars = b.bind(ir.If(cond.atom, *blocks), [_name(r.atom) for r in results[0]])
        return [Lanes(v, want) for v, want in zip(vars, levels, strict=True)]

    def selected(self, op: ir.If, cond: Lanes, env: Env, ctx: Context, b: Writer) -> list[Lanes]:
        """Both arms run, and each lane selects; checks count only in lanes that take the arm."""
        negated = b.elementwise("not", [cond])
        taken, passed = (
            side if ctx.mask is None else b.elementwise("and", [ctx.mask, side]) for side in (cond, negated)
        )
        then = self.block(op.then, env, replace(ctx, mask=taken), b)
        orelse = self.block(op.orelse, env, replace(ctx, mask=passed), b)
        return [b.choose(cond, x, y) for x, y in zip(then, orelse, strict=True)]

    # ------------------------------------------------------------ loops

    def loop(self, op: ir.Loop, names: Sequence[Var], env: Env, ctx: Context, b: Writer) -> Sequence[Lanes]:
        """What the state depends on is a fixpoint: the body is written until it gives back what it was given."""
        init = self.atoms(op.init, env)
        levels = [i.levels for i in init]
        count = None if op.count is None else self.atom(op.count, env)
        lanes: Levels = ()
        if count is not None and not count.levels:
            lanes = ()  # lanes that don't take part run along
        elif ctx.mask is not None:
            lanes = ctx.mask.levels if count is None else union([count.levels, ctx.mask.levels])
        elif count is not None:
            lanes = count.levels
        while True:
            attempt = self.attempt(op, env, ctx, b.nested(), levels, lanes)
            if attempt.levels == levels and attempt.lanes == lanes:
                break
            levels, lanes = attempt.levels, attempt.lanes
        return self.written(op, attempt, init, count, env, ctx, b)

    def attempt(self, op: ir.Loop, env: Env, ctx: Context, b: Writer, levels: list[Levels], lanes: Levels) -> _Attempt:
        """The body, given that state k has `levels[k]` and that iteration ends separately in `lanes`."""
        masked = bool(lanes)
        if masked and op.ragged and any(p.type.rank for p in op.params):
            raise CannotVectorize("arrays of the state have other sizes in other lanes")
        if masked:
            levels = [union([own, lanes]) for own in levels]
        params = [
            b.fresh(p.name, Type(p.type.dtype, p.type.rank + len(own)))
            for p, own in zip(op.params, levels, strict=True)
        ]
        state = [Lanes(p, own) for p, own in zip(params, levels, strict=True)]
        index = b.fresh(op.index.name, ir.I64)
        active = b.fresh("active", Type("bool", len(lanes)))
        inner = replace(ctx, mask=Lanes(active, lanes)) if masked else ctx
        env[op.index] = Lanes(index)
        env.update(zip(op.params, state, strict=True))
        results = self.block(op.body, env, inner, b)
        new, rows = results[: len(params)], results[len(params) :]
        if masked:
            on = Lanes(active, lanes)
            new = [b.choose(on, x, old) for x, old in zip(new, state, strict=True)]
            rows = [b.choose(on, r, Lanes(Const(zero(r.atom.type.dtype), r.atom.type.dtype))) for r in rows]
        met = lanes
        going: Lanes | None = None
        tested = Writer(b.supply, b.span, b.outer)
        if op.cond is not None:
            going = self.condition(op.cond, new if masked else state, env, inner, b if masked else tested)
            met = union([lanes, going.levels])
        found = [union([own, r.levels, met]) for own, r in zip(levels, new, strict=True)]
        return _Attempt(b, params, index, active, new, rows, going, tested, found, met)

    def condition(self, cond: Lambda, state: Sequence[Lanes], env: Env, ctx: Context, b: Writer) -> Lanes:
        env.update(zip(cond.params, state, strict=True))
        return self.block(cond.body, env, ctx, b)[0]

    def written(
        self, op: ir.Loop, made: _Attempt, init: list[Lanes], count: Lanes | None, env: Env, ctx: Context, b: Writer
    ) -> list[Lanes]:
        body, lanes = made.body, made.lanes
        starts = [b.spread(i, want, ctx.sizes) for i, want in zip(init, made.levels, strict=True)]
        ends = [body.spread(r, want, ctx.sizes) for r, want in zip(made.new, made.levels, strict=True)]
        own_shapes = [same_in_all(self.atoms(shape, env)) for shape in op.collect_shapes]
        shapes = [
            (*(ctx.sizes[level] for level in row.levels), *shape)
            for row, shape in zip(made.rows, own_shapes, strict=True)
        ]
        params, rows = list(made.params), [r.atom for r in made.rows]
        cond: Lambda | None = None
        trips: Atom | None = None if count is None else count.atom
        if lanes and count is not None:
            trips = self.longest(b, ctx, count)
            counted = self.counted_lanes(b, ctx, count)
            going = body.elementwise("lt", [Lanes(made.index), counted])
            body = _prefixed(body, made.active, body.spread(going, lanes, ctx.sizes))
        elif lanes:
            assert op.cond is not None
            assert made.going is not None
            first = self.condition(
                op.cond, [Lanes(s, own) for s, own in zip(starts, made.levels, strict=True)], env, ctx, b
            )
            if ctx.mask is not None:
                first = b.elementwise("and", [ctx.mask, first])
            still = body.elementwise("and", [Lanes(made.active, lanes), made.going])
            done = body.fresh("trips", Type("i64", len(lanes)))
            step = body.elementwise("cast", [Lanes(made.active, lanes)], {"to": "i64"})
            params += [done, made.active]
            starts += [
                b.prim("broadcast", i64(0), *(ctx.sizes[k] for k in lanes), axes=tuple(range(len(lanes)))),
                b.spread(first, lanes, ctx.sizes),
            ]
            ends += [body.prim("add", done, step.atom), body.spread(still, lanes, ctx.sizes)]
            tested = b.nested()
            copies = tuple(tested.like(p) for p in params)
            cond = Lambda(copies, tested.block([tested.prim("any_lane", copies[-1])]))
        elif op.cond is not None:
            assert made.going is not None
            fresh = tuple(b.like(p) for p in params)
            rename = dict(zip(params, fresh, strict=True))
            cond = _renamed_condition(made.tested, made.going.atom, fresh, rename)
        names = [p.name for p in params] + [_name(r) for r in rows] + ([] if count is not None else ["trips"])
        block = body.block([*ends, *rows])
        loop = ir.Loop(trips, cond, made.index, tuple(params), tuple(starts), block, tuple(shapes), op.ragged)
        vars = b.bind(loop, names)
        final = [Lanes(v, own) for v, own in zip(vars, made.levels, strict=False)]
        stacks = [self.stacked(b, v, row) for v, row in zip(vars[len(params) :], made.rows, strict=False)]
        if count is not None:
            return final + stacks
        return [*final, *stacks, Lanes(vars[len(op.params)], lanes) if lanes else Lanes(vars[-1])]

    def stacked(self, b: Writer, stack: Var, row: Lanes) -> Lanes:
        """Rows came one an iteration, so that axis is first; lanes come before own axes."""
        lead = len(row.levels)
        if not lead:
            return Lanes(stack)
        perm = (*range(1, lead + 1), 0, *range(lead + 1, stack.type.rank))
        return Lanes(b.prim("transpose", stack, perm=perm), row.levels)

    def counted_lanes(self, b: Writer, ctx: Context, count: Lanes) -> Lanes:
        return count if ctx.mask is None else b.elementwise("select", [ctx.mask, count, ZERO])

    def longest(self, b: Writer, ctx: Context, count: Lanes) -> Atom:
        most = self.counted_lanes(b, ctx, count).atom
        while most.type.rank:
            most = b.prim("maximum", most, axis=0)
        return most

    # ------------------------------------------------------------ calls

    def call(self, op: ir.Call, names: Sequence[Var], env: Env, ctx: Context, b: Writer) -> list[Lanes]:
        args = self.atoms(op.args, env)
        levels = union(a.levels for a in args)
        active = active_lanes(b, ctx, levels) if op.function in self.fallible else None
        masked = union([levels, active.levels]) if active is not None else levels
        total = ctx.doubtful or ctx.mask is not None or levels != ctx.levels
        if not masked and active is None and not (total and op.function not in self.recursive):
            return [
                Lanes(v)
                for v in b.bind(ir.Call(op.function, tuple(a.atom for a in args), op.types), [v.name for v in names])
            ]
        if op.function in self.recursive:
            raise CannotVectorize("a recursive call depends on the lane")
        local = {level: k for k, level in enumerate(masked)}
        patterns = tuple(tuple(local[level] for level in a.levels) for a in args)
        mask = None if active is None else tuple(local[level] for level in active.levels)
        copy = self.copy(op.function, patterns, mask, len(masked), total)
        operands = [ctx.sizes[level] for level in masked] + ([active.atom] if active is not None else [])
        operands += [a.atom for a in args]
        result_levels = [tuple(masked[k] for k in own) for own in copy.levels]
        types = tuple(Type(t.dtype, t.rank + len(own)) for t, own in zip(op.types, result_levels, strict=True))
        vars = b.bind(ir.Call(copy.name, tuple(operands), types), [v.name for v in names])
        return [Lanes(v, own) for v, own in zip(vars, result_levels, strict=True)]

    def copy(self, name: str, patterns: tuple[Levels, ...], mask: Levels | None, count: int, total: bool) -> _Copy:
        """The callee for arguments with these levels (numbered from 0), and for lanes of which `mask` says the active
        ones.
        """
        key = (name, patterns, mask, count, total)
        if key in self.copies:
            return self.copies[key]
        function = self.program.functions[name]
        b = Writer(Fresh(next_id(function)))
        sizes = {level: b.fresh("n", ir.I64) for level in range(count)}
        active = None if mask is None else b.fresh("active", Type("bool", len(mask)))
        params = [
            b.fresh(p.name, Type(p.type.dtype, p.type.rank + len(own)))
            for p, own in zip(function.params, patterns, strict=True)
        ]
        env: Env = {p: Lanes(v, own) for p, v, own in zip(function.params, params, patterns, strict=True)}
        b.same = _same_sizes(function, env)
        b.sizes.update(sizes.values())
        ctx = Context(dict(sizes), None if active is None or mask is None else Lanes(active, mask), total)
        results = self.block(function.body, env, ctx, b)
        fresh_name = f"{name}_lanes"
        number = 2
        while fresh_name in self.program.functions or fresh_name in self.done:
            fresh_name, number = f"{name}_lanes{number}", number + 1
        head = (*sizes.values(), *((active,) if active is not None else ()), *params)
        body = Block(tuple(b.stmts), tuple(r.atom for r in results))
        self.finish(Function(fresh_name, head, body, function.source_name), b.supply)
        if name in self.fallible:
            self.fallible |= {fresh_name}
        made = self.copies[key] = _Copy(fresh_name, tuple(r.levels for r in results))
        return made


def _same_sizes(function: Function, env: Env) -> dict[tuple[Atom, int], Atom | tuple[Atom, int]]:
    """For axes of parameters: the constant, or the first parameter's axis, that has the same size."""
    known: dict[tuple[Atom, int], Atom | tuple[Atom, int]] = {}
    first: dict[Atom, tuple[Atom, int]] = {}
    for param, sizes in zip(function.params, function.dims, strict=False):
        value = env[param]
        for axis, size in enumerate(sizes):
            here = (value.atom, axis + len(value.levels))
            if isinstance(size, Const):
                known[here] = size
            elif size is not None:
                known[here] = first.setdefault(size, here)
    return known


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A loop body as written for the levels it was given."""

    body: Writer
    params: list[Var]
    index: Var
    active: Var
    new: list[Lanes]
    rows: list[Lanes]
    going: Lanes | None
    tested: Writer
    levels: list[Levels]
    lanes: Levels


def _prefixed(body: Writer, var: Var, value: Atom) -> Writer:
    """`body` with `var` bound to `value` at its head: the statements that compute `value` were written last."""
    if isinstance(value, Const):
        value = body.prim("broadcast", value, axes=())
    needed: set[Var] = {value} if isinstance(value, Var) else set()
    first: list[Stmt] = []
    rest: list[Stmt] = []
    for stmt in reversed(body.stmts):
        if any(v in needed for v in stmt.vars):
            first.append(stmt)
            assert isinstance(stmt.op, ir.Prim)
            needed.update(a for a in stmt.op.args if isinstance(a, Var))
        else:
            rest.append(stmt)
    moved = Writer(body.supply, body.span)
    moved.stmts = [*reversed(first), Stmt((var,), ir.Prim("broadcast", (value,), (("axes", ()),))), *reversed(rest)]
    return moved


def _renamed_condition(tested: Writer, result: Atom, params: tuple[Var, ...], rename: dict[Var, Var]) -> Lambda:
    from ...lang.core.walk import Renamer

    renamer = Renamer(tested.supply, rename)
    return Lambda(params, renamer.block(tested.block([result])))


def _name(atom: Atom) -> str:
    return atom.name if isinstance(atom, Var) else "t"


def _recursive(program: Program) -> frozenset[str]:
    """Functions that reach themselves."""
    calls = {name: set(callees(f.body)) for name, f in program.functions.items()}
    found = set()
    for name in calls:
        seen: set[str] = set()
        pending = list(calls[name])
        while pending:
            here = pending.pop()
            if here not in seen:
                seen.add(here)
                pending.extend(calls.get(here, ()))
        if name in seen:
            found.add(name)
    return frozenset(found)


def _fallible(program: Program, recursive: frozenset[str]) -> frozenset[str]:
    """Functions that may raise; recursive ones may fail to end."""
    found: frozenset[str] = recursive
    while True:
        more = frozenset(name for name, f in program.functions.items() if block_may_fail(f.body, found)) | recursive
        if more == found:
            return found
        found = more
