"""Fusion: maps that index become maps over the arrays they index, and a map over a map becomes one map.

In: a simplified program. Out: an equal one, that computes nothing twice.

    map (iota n) \\i -> … x[i] …     ->  map (iota n, x) \\i e -> … e …          n = the length of x
    map (iota n) \\i -> … x[j, i] …  ->  map (iota n, x[j]) \\i e -> … e …       j from outside the map
    map (iota n) \\i -> … x[i, k] …  ->  map (iota n, x) \\i e -> … e[k] …       k from inside the map
    map (is) \\i -> x[i]             ->  gather x is
    map g (map f xs)                ->  map (g . f) xs                         when nobody else reads the inner one

Whole arrays instead of indices are what lets back ends vectorise and derivatives stay dense: the adjoint of `e` above
is one array, that of `x[i]` a scatter. If x is longer than n, or read at i + c, the map is over a slice of it: a read
that is unchecked and runs for every i shows that the slice is inside. Reads deeper inside, that might not run, need a
proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ...lang.core import ir
from ...lang.core.build import Fresh, i64, result_types
from ...lang.core.ir import Atom, Block, Lambda, Op, Prim, Stmt, Var
from ...lang.core.walk import atoms, called, next_id, scopes, summary
from ...lang.source import Span
from .effects import Effects, callees_first
from .facts import Facts, Signatures
from .sizes import PATIENCE, Dim, Signature
from .substitute import Substitution

ROUNDS = 4  # fused maps bring maps together that stood in different bodies


def fuse(program: ir.Program) -> ir.Program:
    """The program with maps fused; leaves operands that are no longer read to `simplify`."""
    if not any(ir.Map in summary(f).ops for f in program.functions.values()):
        return program
    effects = Effects(program)
    functions = dict(program.functions)
    signatures = Signatures()
    for name in callees_first({name: called(f) for name, f in functions.items()}):
        if ir.Map in summary(functions[name]).ops:
            functions[name] = _function(functions[name], effects, signatures)
        signatures.declare(functions[name])
    return ir.Program(functions)


def _function(function: ir.Function, effects: Effects, signatures: Mapping[str, Signature]) -> ir.Function:
    for _ in range(ROUNDS):
        body = _Fusion(function, effects, signatures).body()
        if body == function.body:
            break
        function = replace(function, body=body)
    return function


@dataclass(slots=True)
class _MapOver:
    """A map over an iota that is being rewritten: arrays that it gets in addition, and what they replace."""

    index: Var
    """The parameter that runs over the iota."""
    length: Atom
    level: int
    """Variables of this level or deeper are bound inside the map."""
    trusted: bool = True
    """No statement of the body so far may fail, so that reads need nothing that the body checks."""
    arrays: list[Atom] = field(default_factory=list)
    params: list[Var] = field(default_factory=list)
    known: dict[tuple[Atom, ...], Var] = field(default_factory=dict)
    before: list[Stmt] = field(default_factory=list)


class _Fusion(Facts):
    def __init__(self, function: ir.Function, effects: Effects, signatures: Mapping[str, Signature]) -> None:
        super().__init__(function, signatures)
        self.source = function
        self.effects = effects
        self.fresh = Fresh(next_id(function))
        self.uses: dict[Var, int] = {}
        self.maps: list[_MapOver] = []
        self.safe: dict[int, tuple[Op, bool]] = {}
        self.depth = -1
        self._count(function.body)

    def _count(self, block: Block) -> None:
        pending = [block]
        while pending:
            here = pending.pop()
            for stmt in here.stmts:
                self._count_uses(stmt.op, 1)
                pending.extend(inner for _, inner in scopes(stmt.op))
            for atom in here.results:
                self._use(atom, 1)

    def _count_uses(self, op: Op, by: int) -> None:
        for atom in atoms(op):
            self._use(atom, by)

    def _use(self, atom: Atom, by: int) -> None:
        if isinstance(atom, Var):
            self.uses[atom] = self.uses.get(atom, 0) + by

    def body(self) -> Block:
        """The function's body, done; what `env` says is put in last, everywhere at once."""
        body = self.block(self.source.body)
        return Substitution({var: self.resolve(var) for var in self.env}).block(body) if self.env else body

    # ------------------------------------------------------------ blocks

    def block(self, block: Block) -> Block:
        self.depth += 1
        out: list[Stmt] = []
        made: dict[Var, int] = {}
        for stmt in block.stmts:
            self.stmt(stmt, out, made)
        self.depth -= 1
        return Block(tuple(s for s in out if s is not GONE), block.results)

    def stmt(self, stmt: Stmt, out: list[Stmt], made: dict[Var, int]) -> None:
        op = stmt.op
        match op:
            case Prim(name="index"):
                element = self.read(op, stmt.span)
                if isinstance(element, Var):
                    self.env[stmt.vars[0]] = element
                    return
                op = element
            case ir.Map():
                before: list[Stmt] = []
                op = self.map(op, before, stmt.span)
                out.extend(before)
                gathered = self.gathered(op)
                if gathered is not None:
                    out.extend(Stmt(new.vars, new.op, stmt.span) for new in gathered[:-1])
                    op = gathered[-1].op
            case Prim() | ir.Call():
                pass
            case _:
                op = self.nested(op)
        if isinstance(op, ir.Map):
            op = self.vertical(op, out, made)
            made.update(dict.fromkeys(stmt.vars, len(out)))
        if self.maps and self.depth == self.maps[-1].level and not self.harmless(op):
            self.maps[-1].trusted = False
        out.append(Stmt(stmt.vars, op, stmt.span))

    def nested(self, op: Op) -> Op:
        match op:
            case ir.If(cond, then, orelse):
                return ir.If(cond, self.block(then), self.block(orelse))
            case ir.Reduce(arrays, neutral, body) | ir.Scan(arrays, neutral, body):
                return type(op)(arrays, neutral, self.function(body))
            case ir.Loop(count, cond, index, params, init, body, shapes, ragged, part):
                test = None if cond is None else self.function(cond)
                return ir.Loop(count, test, index, params, init, self.block(body), shapes, ragged, part)
            case ir.Diff(mode, body, args, seeds):
                return ir.Diff(mode, self.function(body), args, seeds)
            case ir.Custom(mode, body, rule, args):
                return ir.Custom(mode, self.function(body), self.function(rule), args)
            case _:
                return op

    def function(self, body: Lambda) -> Lambda:
        return Lambda(body.params, self.block(body.body))

    # ------------------------------------------------------------ indices to arrays

    def map(self, op: ir.Map, before: list[Stmt], span: Span | None) -> ir.Map:
        """The map with its body done; what its new arrays are made of goes to `before`."""
        over = None
        for param, array in zip(op.body.params, op.arrays, strict=True):
            iota = self.prim(array, "iota")
            if iota is not None and over is None:
                over = _MapOver(param, iota.args[0], self.depth + 1)
        if over is None:
            return ir.Map(op.arrays, self.function(op.body), op.shapes)
        self.maps.append(over)
        body = self.block(op.body.body)
        self.maps.pop()
        before.extend(over.before)
        return ir.Map((*op.arrays, *over.arrays), Lambda((*op.body.params, *over.params), body), op.shapes)

    def read(self, op: Prim, span: Span | None) -> Prim | Var:
        """`index` by the parameters of open maps, from outside those maps; outer maps first, whose rows inner ones
        get."""
        found: Prim | Var = op
        for over in self.maps:
            if isinstance(found, Prim):
                found = self._read_in(over, found, span)
        return found

    def _read_in(self, over: _MapOver, op: Prim, span: Span | None) -> Prim | Var:
        x, *indices = [self.resolve(a) for a in op.args]
        if not isinstance(x, Var) or not self._outside(x, over):
            return op
        for position, index in enumerate(indices):
            offset = self._shift(index, over.index)
            if offset is not None and offset >= 0:
                others = indices[:position] + indices[position + 1 :]
                outer = self._row(over, x, position, others)
                key = (x, i64(position), i64(offset), *(others if outer else ()))
                element = over.known.get(key)
                if element is None:
                    element = self._mapped(over, x, position, offset, others if outer else [], span)
                    if element is None:
                        continue
                    over.known[key] = element
                self._count_uses(op, -1)
                if outer:
                    return element
                rest = Prim("index", (element, *others))
                self._count_uses(rest, 1)
                return rest
        return op

    def _shift(self, index: Atom, base: Var) -> int | None:
        """c if `index` is base + c; checks in between hide it, for they may fail."""
        shift = 0
        for _ in range(PATIENCE):
            if index == base:
                return shift
            made = self.prim(index)
            if made is None or made.name not in ("add", "sub") or not isinstance(made.args[1], ir.Const):
                return None
            by = int(made.args[1].value)
            index, shift = self.resolve(made.args[0]), shift + (by if made.name == "add" else -by)
        return None

    def _outside(self, atom: Atom, over: _MapOver) -> bool:
        return not isinstance(atom, Var) or self.level.get(atom, 0) < over.level

    def _mapped(
        self, over: _MapOver, x: Var, position: int, offset: int, others: list[Atom], span: Span | None
    ) -> Var | None:
        """A new parameter for x[…, i + offset, …], or None if it is not certain that all of these elements exist."""
        size = self.size(x, position)
        whole = offset == 0 and self.same(size, over.length)
        if not whole and not self._fits(over, size, offset):
            return None
        rank = x.type.rank
        first = [k for k in range(len(others) + 1) if k != position] if others else []
        rest = [k for k in range(rank) if k != position and k not in first]
        array: Atom = x

        def write(op: Prim) -> Var:
            var = self.fresh.var(x.name, result_types(op)[0])
            over.before.append(Stmt((var,), op, span))
            self._bind((var,), op, over.level - 1)
            self._count_uses(op, 1)
            return var

        perm = (*first, position, *rest)
        if perm != tuple(range(rank)):
            array = write(Prim("transpose", (array,), (("perm", perm),)))
        if others:
            array = write(Prim("index", (array, *others)))
        if not whole:
            array = write(Prim("slice", (array, i64(offset), over.length, i64(1)), (("axis", 0),)))
        element = self.fresh.var(f"{x.name}_{over.index.name}", ir.Type(x.type.dtype, array.type.rank - 1))
        self.level[element] = over.level
        for axis in range(element.type.rank):
            self.sizes[Dim(element, axis)] = self.of(array, axis + 1)
        over.arrays.append(array)
        self._use(array, 1)
        over.params.append(element)
        return element

    def _row(self, over: _MapOver, x: Var, position: int, others: list[Atom]) -> bool:
        """Whether x may be read at the `others` before the map: they are from outside, and in range for good."""
        axes = [axis for axis in range(len(others) + 1) if axis != position]
        self.early = True
        safe = [self.in_range(i, self.size(x, axis)) for axis, i in zip(axes, others, strict=True)]
        self.early = False
        return all(safe) and all(self._outside(i, over) for i in others)

    def _certain(self, over: _MapOver) -> bool:
        """Whether what is read here is read for every element, whatever checks and branches in the body find."""
        return self.depth == over.level and over.trusted

    def _fits(self, over: _MapOver, size: Atom | Dim, offset: int) -> bool:
        """Whether offset, …, offset + length - 1 are indices of an axis of this size."""
        if self._certain(over):
            return True
        (base, length), (limit, more) = self.affine(over.length), self.affine(size)
        return base == limit and length + offset <= more

    # ------------------------------------------------------------ gather

    def gathered(self, op: ir.Map) -> list[Stmt] | None:
        """map (is, js) (\\i j -> x[i, j]) = gather x is js; checks of the indices become checks of the index arrays."""
        whole: dict[Atom, Atom] = dict(zip(op.body.params, op.arrays, strict=True))
        stmts: list[Stmt] = []
        *checks, last = op.body.body.stmts or (None,)
        if last is None or op.body.body.results != last.vars:
            return None
        for check in checks:
            assert check is not None
            made = check.op
            if not isinstance(made, Prim) or made.name != "check_index" or made.args[0] not in whole:
                return None
            if isinstance(made.args[1], Var) and self.level.get(made.args[1], 0) > self.depth:
                return None
            lifted = Prim(made.name, (whole[made.args[0]], *made.args[1:]), made.attrs)
            var = self.fresh.var(check.vars[0].name, result_types(lifted)[0])
            self._bind((var,), lifted, self.depth)
            stmts.append(Stmt((var,), lifted, check.span))
            whole[check.vars[0]] = var
        read = last.op
        if not isinstance(read, Prim) or read.name != "index" or len(read.args) < 2:
            return None
        x, *indices = read.args
        if x in whole or not all(i in whole and whole[i].type == ir.Type("i64", 1) for i in indices):
            return None
        if any(self.prim(whole[i], "iota") is not None for i in indices):
            return None
        gather = Prim("gather", (x, *(whole[i] for i in indices)))
        stmts.append(Stmt(last.vars, gather, last.span))
        return stmts

    # ------------------------------------------------------------ map after map

    def vertical(self, op: ir.Map, out: list[Stmt], made: dict[Var, int]) -> ir.Map:
        """Take in the maps of this block whose results only this map reads."""
        while True:
            found = next(
                (a for a in op.arrays if isinstance(a, Var) and a in made and self._only_here(a, op, out, made)), None
            )
            if found is None:
                return op
            producer = out[made[found]]
            assert isinstance(producer.op, ir.Map)
            op = self._joined(producer, producer.op, op)
            out[made[found]] = GONE
            for var in producer.vars:
                del made[var]

    def _only_here(self, array: Var, op: ir.Map, out: list[Stmt], made: dict[Var, int]) -> bool:
        at = made[array]
        producer = out[at]
        if any(self.uses.get(v, 0) != op.arrays.count(v) for v in producer.vars):
            return False
        if self.harmless(producer.op):
            return True
        # A producer that may fail stays before everything else that may.
        return self.harmless(op) and all(s is GONE or self.harmless(s.op) for s in out[at + 1 :])

    def harmless(self, op: Op) -> bool:
        """Whether an operation can't fail; remembered, because a map that grows step by step is asked about at each."""
        known = self.safe.get(id(op))
        if known is None:
            known = self.safe[id(op)] = (op, self.effects.harmless(op))
        return known[1]

    def _joined(self, producer: Stmt, first: ir.Map, second: ir.Map) -> ir.Map:
        elements = dict(zip(producer.vars, first.body.body.results, strict=True))
        arrays, params = list(first.arrays), list(first.body.params)
        for param, array in zip(second.body.params, second.arrays, strict=True):
            if isinstance(array, Var) and array in elements:
                self.env[param] = elements[array]
                self._use(array, -1)
                self._use(elements[array], 1)
            else:
                arrays.append(array)
                params.append(param)
        body = Block(first.body.body.stmts + second.body.body.stmts, second.body.body.results)
        joined = ir.Map(tuple(arrays), Lambda(tuple(params), body), second.shapes)
        self.safe[id(joined)] = (joined, self.harmless(first) and self.harmless(second))
        return joined


GONE = Stmt((), Prim("removed", ()))
