"""What a run decides: how often each comparison of active values goes either way, and how near it comes to its switch.

In: a program as lowered, a function of it, which of its parameters are active. Out: the program with a function that
takes the same arguments and gives, for every place that decides by an active value, three counts and a distance; and
what these places are. It is code like any other, so every back end runs it at its own speed.

    f x = if x < k then a else b        f' x = let d = x - k
                                               in (i64 (d < 0), i64 (d > 0), i64 (d == 0), abs d)

Maps return an array of each number, which is summed (the distance: its minimum); folds and loops carry the numbers
along; a call calls the watched version of the function. The condition of a `while` is asked once more in its body and
behind the loop. Of a derivative inside of the program the function itself is watched, of a `Custom` nothing is: its
derivative is its rule, whatever its code decides.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, assert_never

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh, i64
from ...lang.core.ir import Atom, Block, Const, Function, Program, Stmt, Type, Var
from ...lang.core.walk import callees, next_id, scopes
from ...lang.record import dataclass
from ...lang.source import Span
from .activity import Marker
from .extremes import extremes

Kind = Literal["comparison", "kink", "step", "choice"]
Env = dict[Var, Atom]
Key = tuple[int, ...]
"""A place that decides: the identity of its statement; before it, of one in the library, that of the user's call."""
Numbers = tuple[Atom, Atom, Atom, Atom]
"""How often below the switch, above, on it; the least distance."""
NOTHING: Numbers = (i64(0), i64(0), i64(0), Const(float("inf"), "f64"))
TYPES = (ir.I64, ir.I64, ir.I64, ir.F64)
COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
KINKS = ("abs", "sign", "max", "min", "hypot", "copysign", "atan2", "atan2pi")
STEPS = ("floor", "ceil", "trunc", "round", "mod", "rem", "cast")
CHOICES = ("maximum", "minimum", "argmax", "argmin", "argsort", "cummax", "cummin")
WATCHED = "__watched"


@dataclass(frozen=True)
class Site:
    """A place that decides: a comparison, a kink (`abs`, `max`), a step (`floor`), a choice among elements (`argmax`).
    """

    kind: Kind
    name: str
    """The primitive."""
    span: Span | None
    function: str
    """What the program calls the function that it stands in."""
    call: Span | None = None
    """Where the user calls the function of the library that it stands in; `function` is the user's then."""


def certificate(program: Program, name: str, active: Sequence[bool], serial: bool = False
                ) -> tuple[Program, str, tuple[Site, ...]]:
    """The program with the function `name`__certificate: results are the counts, three to a site, and the distances.

    `active` says of each parameter whether decisions by it are watched. `serial`: numbers are carried through a loop
    in place of a map, which machine code does twenty times as fast as it sums arrays of them.
    """
    return written(watching(program, name, active), name, serial)


def watching(program: Program, name: str, active: Sequence[bool]) -> Watch:
    """What is active in the program when these parameters of the function are, and what it decides by them."""
    watch = Watch(extremes(program))
    watch.enter(name, tuple(active))
    watch.settle()
    return watch


def written(watch: Watch, name: str, serial: bool = False) -> tuple[Program, str, tuple[Site, ...]]:
    whole = watch.program
    functions = dict(whole.functions)
    for function in whole.functions.values():
        if watch.keys[function.name]:
            functions[function.name + WATCHED] = watch.watched(function, serial)
    function = whole.functions[name]
    b = Builder(Fresh(next_id(function)))
    keys = watch.keys[name]
    sites = tuple(watch.site(key) for key in keys)
    numbers: Sequence[Atom] = ()
    if keys:
        types = function.result_types + TYPES * len(keys)
        numbers = b.bind(ir.Call(name + WATCHED, function.params, types))[len(function.result_types):]
    counts = [numbers[4 * k + j] for k in range(len(keys)) for j in range(3)]
    least = [numbers[4 * k + 3] for k in range(len(keys))]
    results = (_stacked(b, counts, "i64"), _stacked(b, least, "f64"))
    made = name + "__certificate"
    dims = tuple((None,) * p.type.rank for p in function.params)
    functions[made] = Function(made, function.params, b.block(results), function.source_name, dims)
    return Program(_in_order(functions)), made, sites


def steps(program: Program, name: str, made: str, active: Sequence[bool]) -> tuple[Program, str]:
    """The program with a function that takes the arguments and a weight for each distance, and gives the gradient of
    the weighted sum of distances in the floats of the active parameters: it makes a step of parameters of a distance.
    """
    function = program.functions[made]
    b = Builder(Fresh(next_id(function)))
    weights = b.fresh("weights", Type("f64", 1))
    moving = [k for k, (p, on) in enumerate(zip(function.params, active, strict=True)) if on and p.type.is_float]
    inner = b.nested()
    own = {k: b.like(function.params[k]) for k in moving}
    args = tuple(own.get(k, p) for k, p in enumerate(function.params))
    _, least = inner.bind(ir.Call(made, args, function.result_types))
    body = ir.Lambda(tuple(own.values()), inner.block([least]))
    found = b.bind(ir.Diff("vjp", body, tuple(function.params[k] for k in moving), (weights,)))
    step = name + "__certificate_steps"
    dims = tuple((None,) * p.type.rank for p in (*function.params, weights))
    functions = {**program.functions,
                 step: Function(step, (*function.params, weights), b.block(found[1:]), function.source_name, dims)}
    return Program(functions), step


def _stacked(b: Builder, atoms: Sequence[Atom], dtype: str) -> Atom:
    if atoms:
        return b.prim("stack", *atoms)
    return b.prim("replicate", i64(0), Const(0.0 if dtype == "f64" else 0, dtype))


def _in_order(functions: dict[str, Function]) -> dict[str, Function]:
    """Callees first."""
    found: dict[str, Function] = {}
    entered: dict[str, None] = {}
    todo = [(name, False) for name in reversed(functions)]
    while todo:
        name, done = todo.pop()
        if done:
            found.setdefault(name, functions[name])
        elif name not in entered:
            entered[name] = None
            todo.append((name, True))
            todo.extend((callee, False) for callee in callees(functions[name].body) if callee in functions)
    return found


class _Active(Marker):
    """What varies, where derivatives are still to be taken, and in the conditions of loops."""

    def results(self, op: ir.Op) -> Sequence[bool]:
        match op:
            case ir.Diff(mode, body, args, seeds):
                self.bind(body.params, args)
                self.block(body.body)
                values = [self.active(a) for a in body.body.results]
                moving = any(values) or any(map(self.active, (*args, *seeds)))
                of = body.body.results if mode == "jvp" else body.params
                return [*values, *(moving for a in of if a.type.is_float)]
            case ir.Loop(cond=ir.Lambda(params, body), params=state):
                found = super().results(op)
                self.bind(params, state)
                self.block(body)
                return found
        return super().results(op)


class Watch:
    """What is active in which function, and where that decides something."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.inputs: dict[str, tuple[bool, ...]] = {}
        """Which parameters are active in some call."""
        self.results: dict[tuple[str, tuple[bool, ...]], tuple[bool, ...]] = {}
        self.active: dict[str, set[Var]] = {}
        self.keys: dict[str, tuple[Key, ...]] = {}
        """What decides in a function or in what it calls, in order."""
        self.stmts: dict[int, tuple[Stmt, Function]] = {}
        self.calls: dict[int, tuple[Stmt, Function]] = {}

    # ------------------------------------------------------------ what is active

    def enter(self, name: str, active: tuple[bool, ...]) -> None:
        self.varying_results(name, active)
        changed = True
        while changed:  # what is active in a recursive call may be found after the call was passed
            before = dict(self.inputs)
            self.results.clear()
            for function, inputs in before.items():
                self.varying_results(function, inputs)
            changed = before != self.inputs

    def varying_results(self, function: str, varying: tuple[bool, ...]) -> tuple[bool, ...]:
        known = self.inputs.get(function, (False,) * len(varying))
        inputs = tuple(a or b for a, b in zip(known, varying, strict=True))
        self.inputs[function] = inputs
        found = self.results.get((function, varying))
        if found is None:
            body = self.program.functions[function]
            self.results[function, varying] = found = tuple(a.type.is_float and any(varying)
                                                            for a in body.body.results)
            marked = self.marked(body, varying)
            found = tuple(isinstance(a, Var) and a in marked for a in body.body.results)
            self.results[function, varying] = found
        return found

    def marked(self, function: Function, inputs: tuple[bool, ...]) -> set[Var]:
        marker = _Active({p for p, on in zip(function.params, inputs, strict=True) if on and p.type.is_float}, self)
        marker.block(function.body)
        return marker.marked

    # ------------------------------------------------------------ where something is decided

    def settle(self) -> None:
        for name, function in self.program.functions.items():
            self.active[name] = self.marked(function, self.inputs[name]) if name in self.inputs else set()
        own: dict[str, dict[Key, None]] = {}
        calls: dict[str, list[tuple[Stmt, str]]] = {}
        for name, function in self.program.functions.items():
            own[name], calls[name] = {}, []
            if name in self.inputs:
                self.survey(function, function.body, own[name], calls[name])
        changed = True
        while changed:
            changed = False
            for name, found in own.items():
                size = len(found)
                for stmt, callee in calls[name]:
                    found.update(dict.fromkeys(self.through(stmt, tuple(own[callee]))))
                changed = changed or len(found) != size
        self.keys = {name: tuple(found) for name, found in own.items()}

    def through(self, call: Stmt, keys: Sequence[Key]) -> tuple[Key, ...]:
        """These places of a function as its caller knows them: each call of the library has places of its own."""
        if not written_by_user(call):
            return tuple(keys)
        return tuple((id(call), *key) if len(key) == 1 and not written_by_user(self.stmts[key[0]][0]) else key
                     for key in keys)

    def survey(self, function: Function, block: Block, own: dict[Key, None], calls: list[tuple[Stmt, str]]) -> None:
        for stmt in block.stmts:
            op = stmt.op
            if isinstance(op, ir.Prim):
                if kind_of(op) and any(a in self.active[function.name] for a in op.args if isinstance(a, Var)):
                    own[id(stmt),] = None
                    self.stmts[id(stmt)] = stmt, function
            elif isinstance(op, ir.Call):
                calls.append((stmt, op.function))
                self.calls[id(stmt)] = stmt, function
            elif not isinstance(op, ir.Custom):
                for inner in blocks_of(op):
                    self.survey(function, inner, own, calls)

    def site(self, key: Key) -> Site:
        stmt, function = self.stmts[key[-1]]
        call = None
        if len(key) > 1:
            caller, function = self.calls[key[0]]
            call = caller.span
        assert isinstance(stmt.op, ir.Prim)
        kind = kind_of(stmt.op)
        assert kind is not None
        return Site(kind, stmt.op.name, stmt.span, function.source_name or function.name, call)

    def watched(self, function: Function, serial: bool) -> Function:
        writer = _Writer(self, function, serial)
        b = Builder(Fresh(next_id(function)))
        env: Env = {p: p for p in function.params}
        results, numbers = writer.block(b, function.body, env)
        results += flat(numbers, self.keys[function.name])
        dims = tuple(tuple(d if d is None or isinstance(d, Const) else env.get(d, d) for d in row)
                     for row in function.dims)
        return Function(function.name + WATCHED, function.params, b.block(results), function.source_name, dims)


def written_by_user(stmt: Stmt) -> bool:
    return stmt.span is not None and not stmt.span.source.shipped


def kind_of(op: ir.Prim) -> Kind | None:
    """What sort of decision a primitive takes; None where it takes none that is watched."""
    if not op.args or not op.args[0].type.is_float:
        return None
    if op.name in COMPARISONS:
        return "comparison"
    if op.name in KINKS:
        return "kink"
    if op.name == "cast":
        return "step" if op.attr("to") in ir.INTEGERS else None
    if op.name in STEPS:
        return "step"
    return "choice" if op.name in CHOICES and op.args[0].type.rank == 1 else None


def blocks_of(op: ir.Op) -> tuple[Block, ...]:
    return tuple(block for _, block in scopes(op))


Stats = dict[Key, Numbers]


def flat(numbers: Stats, keys: Sequence[Key]) -> list[Atom]:
    return [atom for key in keys for atom in numbers.get(key, NOTHING)]


def grouped(keys: Sequence[Key], atoms: Sequence[Atom]) -> Stats:
    return {key: (atoms[4 * k], atoms[4 * k + 1], atoms[4 * k + 2], atoms[4 * k + 3]) for k, key in enumerate(keys)}


class _Writer:
    """Writes one function anew, with numbers."""

    def __init__(self, watch: Watch, function: Function, serial: bool) -> None:
        self.watch = watch
        self.active = watch.active[function.name]
        self.serial = serial

    def block(self, b: Builder, block: Block, env: Env) -> tuple[list[Atom], Stats]:
        """Writes the statements; the block's results and the numbers of all that it decides."""
        numbers: Stats = {}
        for stmt in block.stmts:
            before = b.span
            b.span = stmt.span
            self.stmt(b, stmt, env, numbers)
            b.span = before
        return [self.atom(a, env) for a in block.results], numbers

    def atom(self, atom: Atom, env: Env) -> Atom:
        return env.get(atom, atom) if isinstance(atom, Var) else atom

    def atoms(self, atoms: Sequence[Atom], env: Env) -> tuple[Atom, ...]:
        return tuple([self.atom(a, env) for a in atoms])

    def bind(self, b: Builder, stmt: Stmt, op: ir.Op, env: Env, more: Sequence[Type] = ()) -> list[Var]:
        """The statement with this operation, which has `more` results than it had; these."""
        variables = [b.like(v) for v in stmt.vars]
        extra = [b.fresh("seen", type) for type in more]
        # A `while` gives its number of iterations last.
        last = variables[-1:] if isinstance(op, ir.Loop) and op.count is None else []
        first = variables[:len(variables) - len(last)]
        states = len(op.params) - len(more) if isinstance(op, ir.Loop) else len(first)
        b.stmts.append(Stmt((*first[:states], *extra, *first[states:], *last), op, stmt.span))
        env.update(zip(stmt.vars, variables, strict=True))
        return extra

    def binders(self, b: Builder, params: Sequence[Var], env: Env) -> tuple[Var, ...]:
        made = tuple(b.like(p) for p in params)
        env.update(zip(params, made, strict=True))
        return made

    def plain(self, b: Builder, function: ir.Lambda, env: Env) -> ir.Lambda:
        """A copy of a function that is not watched."""
        inner = b.nested()
        params = self.binders(inner, function.params, env)
        results, _ = _Copy(self.watch, self.active).block(inner, function.body, env)
        return ir.Lambda(params, inner.block(results))

    # ------------------------------------------------------------ statements

    def stmt(self, b: Builder, stmt: Stmt, env: Env, numbers: Stats) -> None:
        op = stmt.op
        match op:
            case ir.Prim(name, args, attrs):
                if id(stmt) in self.watch.stmts:
                    given = self.atoms(args, env)
                    self.add(b, numbers, {(id(stmt),): observed(b, op, given)})
                self.bind(b, stmt, ir.Prim(name, self.atoms(args, env), attrs), env)
            case ir.Call(function, args, types):
                keys = self.watch.through(stmt, self.watch.keys[function])
                if not keys:
                    self.bind(b, stmt, ir.Call(function, self.atoms(args, env), types), env)
                    return
                more = TYPES * len(keys)
                made = ir.Call(function + WATCHED, self.atoms(args, env), (*types, *more))
                extra = self.bind(b, stmt, made, env, more)
                self.add(b, numbers, grouped(keys, extra))
            case ir.If(cond, then, orelse):
                left, right = b.nested(), b.nested()
                yes, seen = self.block(left, then, env)
                no, other = self.block(right, orelse, env)
                keys = tuple({**seen, **other})
                branch = ir.If(self.atom(cond, env), left.block(yes + flat(seen, keys)),
                               right.block(no + flat(other, keys)))
                self.add(b, numbers, grouped(keys, self.bind(b, stmt, branch, env, TYPES * len(keys))))
            case ir.Map():
                self.map(b, stmt, op, env, numbers)
            case ir.Reduce() | ir.Scan():
                self.fold(b, stmt, op, env, numbers)
            case ir.Loop():
                self.loop(b, stmt, op, env, numbers)
            case ir.Diff(mode, body, args, seeds):
                given, inside = self.atoms(args, env), dict(env)
                inside.update(zip(body.params, given, strict=True))
                _, seen = self.block(b, body.body, inside)
                self.add(b, numbers, seen)
                self.bind(b, stmt, ir.Diff(mode, self.plain(b, body, env), given, self.atoms(seeds, env)), env)
            case ir.Custom(mode, body, rule, args, origin):
                self.bind(b, stmt, ir.Custom(mode, self.plain(b, body, env), self.plain(b, rule, env),
                                             self.atoms(args, env), origin), env)
            case _:
                assert_never(op)

    def add(self, b: Builder, numbers: Stats, more: Stats) -> None:
        for key, new in more.items():
            old = numbers.get(key)
            numbers[key] = new if old is None else merged(b, old, new)

    def map(self, b: Builder, stmt: Stmt, op: ir.Map, env: Env, numbers: Stats) -> None:
        if self.serial and self.decides(op.body.body):
            self.one_by_one(b, stmt, op, env, numbers)
            return
        inner = b.nested()
        params = self.binders(inner, op.body.params, env)
        results, seen = self.block(inner, op.body.body, env)
        keys = tuple(seen)
        shapes = tuple(self.atoms(shape, env) for shape in op.shapes) + ((),) * (4 * len(keys))
        made = ir.Map(self.atoms(op.arrays, env), ir.Lambda(params, inner.block(results + flat(seen, keys))), shapes)
        rows = self.bind(b, stmt, made, env, [Type(t.dtype, 1) for t in TYPES] * len(keys))
        self.add(b, numbers, {key: totals(b, found) for key, found in grouped(keys, rows).items()})

    def decides(self, block: Block) -> bool:
        return any(id(stmt) in self.watch.stmts if isinstance(stmt.op, ir.Prim)
                   else bool(self.watch.keys[stmt.op.function]) if isinstance(stmt.op, ir.Call)
                   else any(map(self.decides, blocks_of(stmt.op))) and not isinstance(stmt.op, ir.Custom)
                   for stmt in block.stmts)

    def one_by_one(self, b: Builder, stmt: Stmt, op: ir.Map, env: Env, numbers: Stats) -> None:
        """A map as a loop that collects its rows."""
        arrays = self.atoms(op.arrays, env)
        size = b.dim(arrays[0])
        inner = b.nested()
        index = inner.fresh("i", ir.I64)
        for p, array in zip(op.body.params, arrays, strict=True):
            env[p] = inner.prim("index", array, index, as_=p.name)
        results, seen = self.block(inner, op.body.body, env)
        keys, carried, total = self.carried(inner, seen)
        body = inner.block((*flat(total, keys), *results))
        shapes = tuple(self.atoms(shape, env) for shape in op.shapes)
        made = ir.Loop(size, None, index, carried, tuple(flat({}, keys)), body, shapes)
        self.add(b, numbers, grouped(keys, self.bind(b, stmt, made, env, TYPES * len(keys))))

    def carried(self, b: Builder, seen: Stats) -> tuple[tuple[Key, ...], tuple[Var, ...], Stats]:
        """Variables that carry numbers through a loop, and the numbers after a round that has added these."""
        keys = tuple(seen)
        carried = tuple(b.fresh("seen", t) for _ in keys for t in TYPES)
        return keys, carried, {key: merged(b, start, seen[key]) for key, start in grouped(keys, carried).items()}

    def fold(self, b: Builder, stmt: Stmt, op: ir.Reduce | ir.Scan, env: Env, numbers: Stats) -> None:
        """Numbers go along with what is folded: those of both sides and of the operator itself."""
        inner = b.nested()
        count = len(op.neutral)
        params = self.binders(inner, op.body.params, env)
        results, seen = self.block(inner, op.body.body, env)
        keys = tuple(seen)
        arrays, neutral = self.atoms(op.arrays, env), self.atoms(op.neutral, env)
        kind: Callable[..., ir.Op] = ir.Reduce if isinstance(op, ir.Reduce) else ir.Scan
        if not keys:
            self.bind(b, stmt, kind(arrays, neutral, ir.Lambda(params, inner.block(results))), env)
            return
        left = tuple(inner.fresh("seen", t) for _ in keys for t in TYPES)
        right = tuple(inner.fresh("seen", t) for _ in keys for t in TYPES)
        first, second = grouped(keys, left), grouped(keys, right)
        both = {key: merged(inner, merged(inner, first[key], second[key]), seen[key]) for key in keys}
        body = ir.Lambda((*params[:count], *left, *params[count:], *right), inner.block(results + flat(both, keys)))
        none = flat({}, keys)
        size = b.dim(arrays[0])
        nothing = tuple(b.prim("replicate", size, start) for start in none)
        made = kind((*arrays, *nothing), (*neutral, *none), body)
        if isinstance(op, ir.Reduce):
            found: Sequence[Atom] = self.bind(b, stmt, made, env, TYPES * len(keys))
        else:
            rows = self.bind(b, stmt, made, env, [Type(t.dtype, 1) for t in TYPES] * len(keys))
            found = self.last(b, size, rows, none)
        self.add(b, numbers, grouped(keys, found))

    def last(self, b: Builder, size: Atom, rows: Sequence[Atom], none: Sequence[Atom]) -> Sequence[Atom]:
        """The last elements, or these where there are no elements."""
        some = b.nested()
        at = some.sub(size, i64(1))
        results = [some.prim("index", row, at) for row in rows]
        return b.bind(ir.If(b.prim("gt", size, i64(0)), some.block(results), Block((), tuple(none))))

    def loop(self, b: Builder, stmt: Stmt, op: ir.Loop, env: Env, numbers: Stats) -> None:
        inner = b.nested()
        count = None if op.count is None else self.atom(op.count, env)
        init = self.atoms(op.init, env)
        shapes = tuple(self.atoms(shape, env) for shape in op.collect_shapes)
        cond = None if op.cond is None else self.plain(b, op.cond, env)
        index, *params = self.binders(inner, (op.index, *op.params), env)
        seen: Stats = {}
        if op.cond is not None:
            self.add(inner, seen, self.asked(inner, op.cond, params, env))
        results, of_body = self.block(inner, op.body, env)
        self.add(inner, seen, of_body)
        keys, carried, total = self.carried(inner, seen)
        width = len(op.params)
        body = inner.block((*results[:width], *flat(total, keys), *results[width:]))
        if cond is not None:
            cond = ir.Lambda((*cond.params, *(b.fresh("seen", t) for _ in keys for t in TYPES)), cond.body)
        start = (*init, *flat({}, keys))
        made = ir.Loop(count, cond, index, (*params, *carried), start, body, shapes, op.ragged, op.part)
        extra = self.bind(b, stmt, made, env, TYPES * len(keys))
        self.add(b, numbers, grouped(keys, extra))
        if op.cond is not None:
            self.add(b, numbers, self.asked(b, op.cond, [env[v] for v in stmt.vars[:width]], env))

    def asked(self, b: Builder, cond: ir.Lambda, state: Sequence[Atom], env: Env) -> Stats:
        """What the condition of a `while` decides in this state."""
        inside = dict(env)
        inside.update(zip(cond.params, state, strict=True))
        return self.block(b, cond.body, inside)[1]


class _Copy(_Writer):
    """Writes code anew as it is."""

    def __init__(self, watch: Watch, active: set[Var]) -> None:
        self.watch = watch
        self.active = active
        self.serial = False

    def add(self, b: Builder, numbers: Stats, more: Stats) -> None:
        pass

    def called(self, function: str) -> tuple[int, ...]:
        return ()

    def stmt(self, b: Builder, stmt: Stmt, env: Env, numbers: Stats) -> None:
        op = stmt.op
        match op:
            case ir.Prim(name, args, attrs):
                self.bind(b, stmt, ir.Prim(name, self.atoms(args, env), attrs), env)
            case ir.Diff(mode, body, args, seeds):
                self.bind(b, stmt, ir.Diff(mode, self.plain(b, body, env), self.atoms(args, env),
                                           self.atoms(seeds, env)), env)
            case _:
                super().stmt(b, stmt, env, numbers)

    def asked(self, b: Builder, cond: ir.Lambda, state: Sequence[Atom], env: Env) -> Stats:
        return {}


def merged(b: Builder, x: Numbers, y: Numbers) -> Numbers:
    return b.add(x[0], y[0]), b.add(x[1], y[1]), b.add(x[2], y[2]), least(b, x[3], y[3])


def least(b: Builder, x: Atom, y: Atom) -> Atom:
    """The smaller of two distances."""
    if x == NOTHING[3]:
        return y
    return x if y == NOTHING[3] else b.prim("min", x, y)


def totals(b: Builder, rows: Sequence[Atom]) -> Numbers:
    """The numbers of all elements of arrays, of any rank."""
    found = []
    for k, row in enumerate(rows):
        while row.type.rank:
            row = b.prim("minimum" if k == 3 else "sum", row, axis=0)
        found.append(row)
    return found[0], found[1], found[2], found[3]


# ------------------------------------------------------------------ what a decision is


def observed(b: Builder, op: ir.Prim, args: Sequence[Atom]) -> Numbers:
    """The numbers of one primitive: how far from deciding otherwise its arguments are, and on which side."""
    args = [b.prim("cast", a, to="f64") if a.type.is_float and a.type.dtype != "f64" else a for a in args]
    x = args[0]
    zero = Const(0.0, "f64")
    match op.name:
        case "abs" | "sign":
            return sided(b, x)
        case "copysign":
            return sided(b, args[1])
        case "hypot":
            return sided(b, b.prim("hypot", *args))
        case "atan2" | "atan2pi":  # it jumps behind the origin only
            front = b.prim("ge", args[1], zero)
            return sided(b, b.select(front, Const(float("inf"), "f64"), x))
        case "round":
            return stepped(b, b.sub(x, Const(0.5, "f64")), Const(1.0, "f64"))
        case "mod" | "rem":
            return stepped(b, b.div(x, args[1]), b.prim("abs", args[1]))
        case "floor" | "ceil" | "trunc" | "cast":
            return stepped(b, x, Const(1.0, "f64"))
        case "maximum" | "argmax" | "minimum" | "argmin":
            return chosen(b, x, op.name in ("minimum", "argmin"))
        case "argsort":
            return sorted_gaps(b, x)
        case "cummax" | "cummin":
            return running(b, x, op)
    return sided(b, b.sub(x, args[1]))


def sided(b: Builder, d: Atom) -> Numbers:
    zero = Const(0.0, "f64")
    sides: list[Atom] = [b.prim("cast", b.prim(name, d, zero), to="i64") for name in ("lt", "gt", "eq")]
    return totals(b, [*sides, b.prim("abs", d)])


def stepped(b: Builder, x: Atom, scale: Atom) -> Numbers:
    """On a step where the number is whole."""
    distance = b.prim("abs", b.sub(x, b.prim("round", x)))
    zero = Const(0.0, "f64")
    away: Atom = b.prim("cast", b.prim("gt", distance, zero), to="i64")
    on: Atom = b.prim("cast", b.prim("eq", distance, zero), to="i64")
    none = b.sub(away, away) if away.type.rank else i64(0)
    return totals(b, [none, away, on, b.mul(distance, scale)])


def chosen(b: Builder, x: Atom, smallest: bool) -> Numbers:
    """The best element and the next one."""
    worst = Const(float("inf" if smallest else "-inf"), "f64")
    some = b.nested()
    best = "minimum" if smallest else "maximum"
    at = some.prim("argmin" if smallest else "argmax", x, axis=0)
    first = some.prim("index", x, at)
    second = some.prim(best, some.prim("update", x, worst, at), axis=0)
    gap = some.prim("abs", some.sub(first, second))
    numbers = sided(some, gap)
    found = b.bind(ir.If(b.prim("gt", b.dim(x), i64(1)), some.block(numbers), Block((), NOTHING)))
    return found[0], found[1], found[2], found[3]


def sorted_gaps(b: Builder, x: Atom) -> Numbers:
    """What is next to each other in order."""
    some = b.nested()
    order = some.prim("argsort", x, axis=0)
    count = some.sub(some.dim(x), i64(1))
    high = some.prim("gather", x, some.prim("slice", order, i64(1), count, i64(1), axis=0))
    low = some.prim("gather", x, some.prim("slice", order, i64(0), count, i64(1), axis=0))
    numbers = sided(some, some.sub(high, low))
    found = b.bind(ir.If(b.prim("gt", b.dim(x), i64(1)), some.block(numbers), Block((), NOTHING)))
    return found[0], found[1], found[2], found[3]


def running(b: Builder, x: Atom, op: ir.Prim) -> Numbers:
    """Each element and the best one before it."""
    some = b.nested()
    count = some.sub(some.dim(x), i64(1))
    best = some.bind(ir.Prim(op.name, (x,), op.attrs), "best")[0]
    before = some.prim("slice", best, i64(0), count, i64(1), axis=0)
    numbers = sided(some, some.sub(some.prim("slice", x, i64(1), count, i64(1), axis=0), before))
    found = b.bind(ir.If(b.prim("gt", b.dim(x), i64(1)), some.block(numbers), Block((), NOTHING)))
    return found[0], found[1], found[2], found[3]
