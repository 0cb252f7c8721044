"""Simplification: folding, copies, common subexpressions, algebra, invariant code motion, dead code.

In: a program. Out: an equal one. Each function is swept forward and then rid of dead code (`dead`). The forward sweep
rewrites each statement by the rules of `algebra` and `arrays`, recognises folds (`folds`), replaces a statement that an
enclosing or earlier one already computes (`keys`: whole maps, loops and branches too, so that what derivative code
recomputes merges with the primal), and moves statements that cannot fail out of the bodies of maps and loops on whose
variables they don't depend. It never moves code out of a branch, never drops or moves a check that could fail, and
works through blocks statement by statement: cost grows with length, recursion only with nesting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import is_

from ...lang.core import ir
from ...lang.core.build import Fresh, result_types, zero
from ...lang.core.ir import Atom, Block, Const, Lambda, Op, Prim, Stmt, Var
from ...lang.core.walk import called, free_in_op, next_id
from ...lang.source import Span
from . import arrays as _arrays  # noqa: F401  (declares its rules)
from .algebra import rewrite
from .dead import remove_dead, without_dead
from .effects import Effects, callees_first, reachable
from .facts import Facts, Signatures
from .folds import recognise
from .keys import Key, Nest, key_of_prim
from .sizes import CHECKS, Known, Signature, Size

ROUNDS = 10
REWRITES = 40  # of one statement


def simplify(program: ir.Program, *, broadcasting: bool = False) -> ir.Program:
    """The same program, simpler. `broadcasting`: it went through `vectorize`, so that elementwise operands of one
    rank may have axes of size one, and rules that would take one operand's shape for the result's are left out."""
    functions = dict(program.functions)
    calls = {name: called(f) for name, f in functions.items()}
    order = callees_first(calls)
    settled: set[str] = set()
    for name in order:
        known = functions[name].known.get("simple")
        if known is not None and known[0] == broadcasting and all(
            functions.get(other) is f and other in settled for other, f in known[1].items()
        ):
            settled.add(name)
    if len(settled) == len(functions):
        return program
    effects = Effects(program)
    signatures = Signatures(broadcasting)
    for name in order:
        if name not in settled:
            functions[name] = _function(functions[name], effects, signatures, broadcasting)
            effects.refresh(functions[name])
        signatures.declare(functions[name])
    for name in order:  # of recursive functions more may be known the next time: they may turn out not to fail
        if name not in reachable(calls, calls[name]):
            callees = {other: functions[other] for other in called(functions[name]) if other in functions}
            functions[name].known["simple"] = (broadcasting, callees)
    return ir.Program(functions)


def _function(
    function: ir.Function, effects: Effects, signatures: Mapping[str, Signature], broadcasting: bool
) -> ir.Function:
    function = remove_dead(function, effects)
    for _ in range(ROUNDS):
        swept = Simplifier(function, effects, signatures, broadcasting).function()
        # One sweep does nearly all that there is to do; without some of their results, operations may be alike.
        function, narrowed = without_dead(swept, effects)
        if not narrowed:
            break
    return function


@dataclass(slots=True)
class Frame:
    """A block being written."""

    barrier: bool
    """Statements may not move out of it: a function's body, an arm of a branch."""
    stmts: list[Stmt] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)


class Simplifier(Facts):
    """One forward sweep over a function; also what the rules ask and write with."""

    def __init__(
        self, function: ir.Function, effects: Effects, signatures: Mapping[str, Signature], broadcasting: bool
    ) -> None:
        super().__init__(function, signatures, broadcasting)
        self.source = function
        self.effects = effects
        self.fresh = Fresh(next_id(function))
        self.frames: list[Frame] = []
        self.computed: dict[Key, tuple[Var, ...]] = {}
        self.alike: dict[Key, list[Nest]] = {}
        """Operations with blocks by what is quickly seen of them."""
        self.written: set[Var] = set(function.params)
        """Variables that are bound by now, of those that sizes may be: integers."""
        self.span: Span | None = None
        self._stmt: Stmt | None = None
        self._key: Key = None

    def function(self) -> ir.Function:
        f = self.source
        body = self.block(f.body, barrier=True)
        if body is f.body and all(a is None or self.resolve(a) is a for axes in f.dims for a in axes):
            return f
        dims = tuple(tuple(None if a is None else self.resolve(a) for a in axes) for axes in f.dims)
        return ir.Function(f.name, f.params, body, f.source_name, dims, f.again)

    # ------------------------------------------------------------ what rules use

    def emit(self, op: Prim, name: str = "t") -> Atom:
        """Write a primitive of a rule's making; the atom that has its value."""
        simple = self.reduce(op)
        if not isinstance(simple, Prim):
            return simple
        known = self.lookup(simple)
        if known is not None:
            return known[0]
        var = self.fresh.var(name, result_types(simple)[0])
        self.write((var,), simple)
        return var

    def atom_of(self, size: Size) -> Atom:
        return self.emit(Prim("dim", (size.var,), (("axis", size.axis),)), "n") if isinstance(size, tuple) else size

    def in_scope(self, var: Var) -> bool:
        return var in self.written and self.level[var] < len(self.frames)

    # ------------------------------------------------------------ blocks

    def block(self, block: Block, *, barrier: bool = False, known: Known | None = None) -> Block:
        """The block, swept; `known` is what holds at its head."""
        frame = Frame(barrier)
        self.frames.append(frame)
        if known is None:
            known = Known(self.known)
        self.known = known
        outer = self._stmt, self.span
        for stmt in block.stmts:
            op = stmt.op
            self._stmt = stmt
            if isinstance(op, Prim):
                self.span = stmt.span
                args = self.resolved(op.args)
                self.prim_stmt(stmt.vars, op if args is op.args else Prim(op.name, args, op.attrs))
            else:
                self.stmt(stmt)
        results = self.resolved(block.results)
        self._stmt, self.span = outer
        self.frames.pop()
        if self.frames:
            for key in frame.keys:
                if isinstance(key, Nest):
                    self.alike[key.sketch].remove(key)
                else:
                    del self.computed[key]
        assert known.outer is not None
        self.known = known.outer
        stmts = frame.stmts
        if results is block.results and len(stmts) == len(block.stmts) and all(map(is_, stmts, block.stmts)):
            return block
        return Block(tuple(stmts), results)

    def resolved(self, many: tuple[Atom, ...]) -> tuple[Atom, ...]:
        """The atoms that stand for these by now: the same tuple if nothing changes."""
        env = self.env
        for atom in many:
            if isinstance(atom, Var) and atom in env:
                return tuple([self.resolve(a) for a in many])
        return many

    def shapes(self, shapes: tuple[tuple[Atom, ...], ...]) -> tuple[tuple[Atom, ...], ...]:
        made = tuple([self.resolved(shape) for shape in shapes])
        return shapes if all(map(is_, made, shapes)) else made

    def replace(self, var: Var, atom: Atom) -> None:
        self.env[var] = self.resolve(atom)

    # ------------------------------------------------------------ statements

    def stmt(self, stmt: Stmt) -> None:
        self._stmt = stmt
        self.span = stmt.span
        vars = stmt.vars
        match stmt.op:
            case Prim(name, args, attrs):
                self.prim_stmt(vars, Prim(name, self.resolved(args), attrs))
            case ir.Call(function, args, types):
                self.put(vars, ir.Call(function, self.resolved(args), types))
            case ir.If() as op:
                self.branch(vars, op)
            case ir.Map() as op:
                self.map(vars, op)
            case ir.Reduce() | ir.Scan() as op:
                self.fold(vars, op)
            case ir.Loop() as op:
                self.loop(vars, op)
            case ir.Diff(mode, body, args, seeds) as op:
                self.put(vars, ir.Diff(mode, self.lambda_(op, body), self.resolved(args), self.resolved(seeds)))
            case ir.Custom(mode, body, rule, args) as op:
                inside = self.lambda_(op, body, barrier=True)
                self.put(vars, ir.Custom(mode, inside, self.lambda_(op, rule, barrier=True), self.resolved(args)))

    def prim_stmt(self, vars: tuple[Var, ...], op: Prim) -> None:
        simple = self.reduce(op)
        if isinstance(simple, Prim):
            self.put(vars, simple)
            if simple.name in CHECKS:
                self.learn(simple)
        else:
            self.replace(vars[0], simple)

    def reduce(self, op: Prim) -> Atom | Prim:
        """Apply rules until none fits."""
        if op.name in CHECKS:
            passed = self.lookup(op)
            if passed is not None:  # rather than find that it holds: what depends on the first check still does
                return passed[0]
        for _ in range(REWRITES):
            simpler = rewrite(self, op)
            if simpler is None:
                return op
            if not isinstance(simpler, Prim):
                return self.resolve(simpler)
            op = Prim(simpler.name, self.resolved(simpler.args), simpler.attrs)
        return op

    def learn(self, op: Prim) -> None:
        """After a check what it checked is known, until the end of the block."""
        args = op.args
        if op.name == "assert" and args[0].type == ir.BOOL:
            self.assume(args[0], True)
        if any(a.type != ir.I64 for a in args):
            return
        match op.name:
            case "check_equal":
                (x, p), (y, q) = self.affine(args[0]), self.affine(args[1])
                if x is None:
                    (x, p), (y, q) = (y, q), (x, p)
                if x is not None and x != y:
                    self.known.equal[x] = (y, q - p)
            case "check_index":
                self._compare("ge", args[0], Const(0, "i64"))
                self._compare("lt", args[0], args[1])
            case "check_size":
                self._compare("ge", args[0], Const(0, "i64"))
            case "check_divisor":
                self._compare("ne", args[0], Const(0, "i64"))

    def supposing(self, cond: Atom, truth: bool) -> Known:
        """What is known in a block that runs when `cond` has this value."""
        outer, self.known = self.known, Known(self.known)
        self.assume(cond, truth)
        known, self.known = self.known, outer
        return known

    def put(self, vars: tuple[Var, ...], op: Op) -> None:
        """Write a statement, unless what it computes is there already."""
        known = self.lookup(op)
        if known is None:
            self.write(vars, op)
            return
        for var, same in zip(vars, known, strict=True):
            self.replace(var, same)

    def lookup(self, op: Op) -> tuple[Var, ...] | None:
        if isinstance(op, Prim):
            self._key = key = key_of_prim(op)
            return self.computed.get(key)
        self._key = nest = Nest(op)
        for other in self.alike.get(nest.sketch, ()):
            if nest.same(other):
                return other.vars
        return None

    def write(self, vars: tuple[Var, ...], op: Op) -> None:
        """Append the statement just looked up to the outermost block where it can stand."""
        frames = self.frames
        here = level = len(frames) - 1
        if not frames[level].barrier:
            needed = max([self.level[v] for v in free_in_op(op)], default=0)
            while level > needed and not frames[level].barrier:
                level -= 1
            if level < here and not (self.effects.total(op) and self.inside(op)):
                level = here
        frame = frames[level]
        stmt = self._stmt
        if stmt is None or stmt.vars is not vars or (stmt.op is not op and stmt.op != op):
            stmt = Stmt(vars, op, self.span)
        frame.stmts.append(stmt)
        key = self._key
        frame.keys.append(key)
        if isinstance(key, Nest):
            key.vars = vars
            self.alike.setdefault(key.sketch, []).append(key)
        else:
            self.computed[key] = vars
        if isinstance(op, Prim):
            var = vars[0]
            self.origin[var] = op
            self.level[var] = level
            if var.type is ir.I64:
                self.written.add(var)
        else:
            self._bind(vars, op, level)
            self.written.update(vars)

    # ------------------------------------------------------------ branches

    def branch(self, vars: tuple[Var, ...], op: ir.If) -> None:
        cond = self.resolve(op.cond)
        if isinstance(cond, Const):
            self.splice(vars, op.then if cond.value else op.orelse)
            return
        assert isinstance(cond, Var)
        arms = []
        for arm, truth in ((op.then, True), (op.orelse, False)):
            known = self.supposing(cond, truth)
            self.env[cond] = Const(truth, "bool")
            arms.append(self.block(arm, barrier=True, known=known))
            del self.env[cond]
        then, orelse = arms
        seen: dict[tuple[Atom, Atom], Var] = {}
        for var, yes, no in zip(vars, then.results, orelse.results, strict=True):
            earlier = seen.setdefault((yes, no), var)
            if yes == no and self._outside(yes):
                self.replace(var, yes)
            elif earlier is not var:
                self.replace(var, earlier)
            elif var.type.rank == 0 and self._outside(yes) and self._outside(no):
                self.replace(var, self.emit(Prim("select", (cond, yes, no)), var.name))
        self.put(vars, ir.If(cond, then, orelse))

    def _outside(self, atom: Atom) -> bool:
        return isinstance(atom, Const) or self.level[atom] < len(self.frames)

    def splice(self, vars: tuple[Var, ...], block: Block) -> None:
        """Run a nested block's statements here, where it surely runs once."""
        for stmt in block.stmts:
            self.stmt(stmt)
        for var, result in zip(vars, block.results, strict=True):
            self.replace(var, result)

    # ------------------------------------------------------------ maps and folds

    def lambda_(self, op: Op, body: Lambda, *, barrier: bool = False) -> Lambda:
        self.bind_params(op, len(self.frames))
        self.written.update(body.params)
        return self.same_lambda(body, self.block(body.body, barrier=barrier))

    def same_lambda(self, lam: Lambda, body: Block) -> Lambda:
        return lam if body is lam.body else Lambda(lam.params, body)

    def map(self, vars: tuple[Var, ...], op: ir.Map) -> None:
        sources = self.resolved(op.arrays)
        op = ir.Map(sources, op.body, self.shapes(op.shapes))
        first: dict[Atom, Var] = {}
        for param, array in zip(op.body.params, sources, strict=True):
            earlier = first.setdefault(array, param)
            made = self.prim(array)
            if made is not None and made.name == "replicate":
                self.env[param] = self.resolve(made.args[1])
            elif made is not None and made.name == "zeros_like" and param.type.rank == 0:
                self.env[param] = Const(zero(param.type.dtype), param.type.dtype)
            elif earlier is not param:
                self.env[param] = earlier
        span = self.span
        body = self.lambda_(op, op.body)
        self.span = span
        seen: dict[Atom, Var] = {}
        for var, result in zip(vars, body.body.results, strict=True):
            if isinstance(result, Var) and result in body.params:
                self.replace(var, sources[body.params.index(result)])
            elif self._outside(result):
                length = self.atom_of(self._length(sources))
                self.replace(var, self.emit(Prim("replicate", (length, result)), var.name))
            else:
                earlier_var = seen.setdefault(result, var)
                if earlier_var is not var:
                    self.replace(var, earlier_var)
        self.put(vars, ir.Map(sources, body, op.shapes))

    def fold(self, vars: tuple[Var, ...], op: ir.Reduce | ir.Scan) -> None:
        op = type(op)(self.resolved(op.arrays), self.resolved(op.neutral), op.body)
        span = self.span
        op = type(op)(op.arrays, op.neutral, self.lambda_(op, op.body))
        self.span = span
        known = recognise(self, op)
        if known is None:
            self.put(vars, op)
            return
        for var, atom in zip(vars, known, strict=True):
            self.replace(var, atom)

    # ------------------------------------------------------------ loops

    def loop(self, vars: tuple[Var, ...], op: ir.Loop) -> None:
        count = None if op.count is None else self.resolve(op.count)
        init = self.resolved(op.init)
        stacked = self.shapes(op.collect_shapes)
        if isinstance(count, Const) and count.value <= 1:
            self.few(vars, op, init, stacked, int(count.value))
            return
        op = ir.Loop(count, op.cond, op.index, op.params, init, op.body, stacked, op.ragged, op.part)
        self.bind_params(op, len(self.frames))
        self.written.update((op.index, *op.params))
        self.states(vars, op)
        span = self.span
        cond = op.cond
        if cond is not None:
            self.written.update(cond.params)
            cond = self.same_lambda(cond, self.block(cond.body))
        if cond is not None and isinstance(cond.body.results[0], Const) and not cond.body.results[0].value:
            self.span = span
            self.few(vars, op, init, stacked, 0)
            return
        known = None
        if cond is not None:
            # Inside, the condition holds of the state.
            self.env.update(zip(cond.params, op.params, strict=True))
            known = self.supposing(cond.body.results[0], True)
            for param in cond.params:
                del self.env[param]
        body = self.block(op.body, known=known)
        self.span = span
        self.put(vars, ir.Loop(count, cond, op.index, op.params, init, body, stacked, op.ragged, op.part))

    def states(self, vars: tuple[Var, ...], op: ir.Loop) -> None:
        """States that keep their first value, and states that always equal another one."""
        seen: dict[tuple[Atom, Atom], int] = {}
        for k, (param, first) in enumerate(zip(op.params, op.init, strict=True)):
            following = self.resolve(op.body.results[k])
            j = seen.setdefault((first, following), k)
            if following in (param, first):
                known, outside = -1, first
            elif j != k:
                known, outside = j, vars[j]
            else:
                continue
            self.replace(vars[k], outside)
            self.env[param] = first if known < 0 else self.resolve(op.params[known])
            if op.cond is not None:
                self.env[op.cond.params[k]] = first if known < 0 else self.resolve(op.cond.params[known])

    def few(
        self,
        vars: tuple[Var, ...],
        op: ir.Loop,
        init: tuple[Atom, ...],
        shapes: tuple[tuple[Atom, ...], ...],
        count: int,
    ) -> None:
        """A loop that runs once, or not at all."""
        states = len(op.params)
        if count == 1:
            for var, atom in zip((op.index, *op.params), (Const(0, "i64"), *init), strict=True):
                self.env[var] = atom
            for stmt in op.body.stmts:
                self.stmt(stmt)
            results = self.resolved(op.body.results)
            rows = [self.emit(Prim("stack", (row,)), "row") for row in results[states:]]
        else:
            results, rows = init, []
            for var, shape in zip(vars[states:], shapes, strict=False):
                row: Atom = Const(zero(var.type.dtype), var.type.dtype)
                for size in (*reversed(shape), Const(0, "i64")):
                    row = self.emit(Prim("replicate", (size, row)), var.name)
                rows.append(row)
        ran = () if op.count is not None else (Const(0, "i64"),)
        for var, atom in zip(vars, (*results[:states], *rows, *ran), strict=True):
            self.replace(var, atom)
