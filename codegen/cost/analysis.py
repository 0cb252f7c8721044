"""From IR to formulas: what a function of a program costs, in the sizes and whole numbers that it is given.

In: a program after all passes, the name of a function, and what is known of its arguments. Out: operations on floats
and bytes as formulas, line by line. They are exact: a run costs what they give, once each symbol has its value, and
`Watch` tells the interpreter that counts (`counted`) how to find that. What is not a polynomial of sizes is a symbol:
the iterations of a `while`, how often a branch is taken, a size that only the data decide.

A body of a map or loop is looked at once. Its cost is a polynomial of what stays the same from iteration to iteration,
of the number of the iteration, and of what changes otherwise; the sum over all iterations is taken term by term: times
their number, by Faulhaber's formula, or as a new symbol. A state of a loop is a number like any other if it stays or
grows by the same amount each time. Functions are looked at once, their parameters symbols themselves.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from ...lang.core import cost as costs
from ...lang.core import ir
from ...lang.core.ir import Atom, Block, Stmt, Var
from ...lang.core.walk import callees
from ...lang.formulas import Formula, power_sum
from ...lang.sizes import Monomial, Opaque, Size, SizeAtom, SizeVar
from ...lang.source import Span
from ..passes.saved import sweeps
from .transfer import shape_of, value_of
from .values import OUTSIDE, POSITION, Abstract, Cost, Kept, Key, Kind, Metric, Place, Symbol, Watch, first

LONG = 40
"""A formula of more terms becomes a symbol at the end of an iteration or a function."""
HOLDS = "how often the condition holds"


@dataclass(frozen=True, slots=True)
class Summary:
    """What a function costs, in its formal parameters and symbols, and what is known of its results."""

    formals: tuple[Abstract, ...]
    cost: Cost
    results: tuple[Abstract, ...]
    counts: dict[Formula, None]


@dataclass
class Found:
    """The cost of a function, the symbols in it, and the trip counts that are taken not to be negative."""

    cost: Cost
    symbols: dict[SizeVar, Symbol]
    counts: dict[Formula, None]
    watch: Watch

    def total(self, metric: Metric) -> Formula:
        return added(formula for (m, _), formula in self.cost.items() if m == metric)


def added(formulas: Iterable[Formula]) -> Formula:
    total = Formula.of(0)
    for formula in formulas:
        total = total + formula
    return total


def analyse(program: ir.Program, function: str, args: Sequence[Abstract], careful: bool = False,
            kept: Kept | None = None) -> Found:
    """The cost of one call of `function`. Symbols of the arguments count as known.

    `careful`: nothing is taken not to be negative; formulas say `max`. `kept`: of a program with marks around its
    reverse sweeps, what waits for each of them; then `saved` is counted too.
    """
    return Analysis(program, careful, kept).found(function, args)


def kept_values(program: ir.Program, roots: Sequence[str]) -> Kept:
    """What each reverse sweep of a marked program keeps of the forward run."""
    return {(sweep.function, sweep.mark): [(k.var, k.span) for k in sweep.kept if not k.given]
            for sweep in sweeps(program, roots)}


class Analysis:
    """Summaries of a program's functions, made when they are asked for."""

    def __init__(self, program: ir.Program, careful: bool = False, kept: Kept | None = None) -> None:
        self.program = program
        self.kept: Kept = kept or {}
        self.careful = careful
        self.summaries: dict[str, Summary] = {}
        self.symbols: dict[SizeVar, Symbol] = {}
        self.watch = Watch()
        self.next = 1_000_000
        self.recursions: dict[frozenset[str], Recursion] = {}
        self.families = families(program)

    def fresh(self, name: str, span: Span | None = None, why: str = "") -> SizeVar:
        self.next += 1
        return SizeVar(name, self.next, span, why)

    def found(self, function: str, args: Sequence[Abstract]) -> Found:
        params = self.program.functions[function].params
        body = Body(self, "", {})
        body.env.update(zip(params, args, strict=True))
        call = ir.Call(function, params, self.program.functions[function].result_types)
        body.call(Stmt((params[0] if params else OUTSIDE,), call), call)
        return Found(body.cost, self.symbols, body.counts, self.watch)

    def summary(self, name: str) -> Summary:
        found = self.summaries.get(name)
        if found is None:
            body, formals = self.body(name)
            results = body.block(self.program.functions[name].body)
            called = self.program.functions[name].source_name or name
            for key, formula in body.cost.items():
                if len(formula.top.terms) > LONG:
                    body.cost[key] = body.given_up(None, formula, f"the cost of `{called}`", 0)
            found = self.summaries[name] = Summary(formals, body.cost, tuple(results), body.counts)
        return found

    def body(self, name: str) -> tuple[Body, tuple[Abstract, ...]]:
        """A function about to be looked at, its parameters symbols; axes that are known to be equal share one."""
        function = self.program.functions[name]
        known = function.dims or ((),) * len(function.params)
        body = Body(self, name, {})
        shared: dict[Atom, Formula] = {}
        formals = []
        for param, dims in zip(function.params, known, strict=True):
            sizes = []
            for axis in range(param.type.rank):
                equal = dims[axis] if axis < len(dims) else None
                if isinstance(equal, ir.Const):
                    sizes.append(Formula.of(int(equal.value)))
                    continue
                size = None if equal is None else shared.get(equal)
                if size is None:
                    var = self.fresh(f"{param.name}.{axis}")
                    self.watch.bound.setdefault((name, param), []).append((axis, var))
                    size = Formula.of(var)
                    if equal is not None:
                        shared[equal] = size
                sizes.append(size)
            value = None
            if param.type.rank == 0 and param.type.dtype in ("i64", "bool"):
                var = self.fresh(param.name)
                self.watch.bound.setdefault((name, param), []).append((None, var))
                value = Formula.of(var)
            formals.append(Abstract(tuple(sizes), value))
        body.env.update(zip(function.params, formals, strict=True))
        return body, tuple(formals)


@dataclass
class Recursion:
    """The functions of a family, what each costs by itself, and how they call each other."""

    members: frozenset[str]
    parts: dict[str, tuple[Cost, tuple[Abstract, ...]]] = field(default_factory=dict)
    calls: list[tuple[str, Sequence[Abstract]]] = field(default_factory=list)


class Body:
    """The body of one function. `levels` counts the loops around what is looked at; symbols know theirs."""

    def __init__(self, owner: Analysis, name: str, env: dict[Var, Abstract], family: Recursion | None = None) -> None:
        self.owner = owner
        self.name = name
        self.env = env
        self.family = family
        self.cost: Cost = {}
        self.counts: dict[Formula, None] = {}
        self.level = 0
        self.born: dict[SizeVar, int] = {}
        self.bound: dict[Var, int] = {}
        self.limits: dict[SizeAtom, Formula] = {}
        """Numbers of iterations, and what they are below."""

    # ------------------------------------------------------------ symbols

    def symbol(self, kind: Kind, what: str, span: Span | None, level: int, most: Formula | None = None) -> Formula:
        var = self.owner.fresh(kind, span, what)
        self.born[var] = level
        self.owner.symbols[var] = Symbol(var, kind, span, most, what)
        return Formula.of(var)

    def watched(self, var: Var, axis: int | None, kind: Kind, what: str, span: Span | None,
                most: Formula | None = None) -> Formula:
        """A symbol for a number or a size that only the run knows."""
        made = self.symbol(kind, what, span, self.bound.get(var, self.level), most)
        symbol = made.top.atom
        assert isinstance(symbol, SizeVar)
        self.owner.watch.bound.setdefault((self.name, var), []).append((axis, symbol))
        return made

    def age(self, atom: SizeAtom) -> int:
        """The level of an atom: how many loops it changes in."""
        if isinstance(atom, Opaque):
            return max((self.age(a) for o in atom.operands for a in o.atoms()), default=0)
        return self.born.get(atom, 0) if isinstance(atom, SizeVar) else 0

    # ------------------------------------------------------------ values

    def abstract(self, atom: Atom) -> Abstract:
        if isinstance(atom, Var):
            return self.env[atom]
        number = atom.value if atom.dtype in ("i64", "bool") else None
        return Abstract((), None if number is None else Formula.of(int(number)))

    def number(self, atom: Atom, span: Span | None = None) -> Formula:
        """The value of an i64 or bool scalar."""
        found = self.abstract(atom)
        if found.value is None:
            assert isinstance(atom, Var)
            what = f"the value of `{atom.name}`"
            found = Abstract((), self.watched(atom, None, "value", what, span))
            self.env[atom] = found
        assert found.value is not None
        return found.value

    def bind(self, var: Var, value: Abstract) -> None:
        self.env[var] = value
        self.bound[var] = self.level

    def measured(self, var: Var, shape: Sequence[Formula | None], value: Formula | None, span: Span | None) -> None:
        """Bind a variable; sizes that are not known become symbols."""
        self.bound[var] = self.level
        sizes = [self.watched(var, axis, "size", f"the length of `{var.name}`", span) if size is None else size
                 for axis, size in enumerate(shape)]
        self.env[var] = Abstract(tuple(sizes), value)

    # ------------------------------------------------------------ costs

    def spend(self, metric: Metric, place: Place, amount: Formula | int) -> None:
        if isinstance(amount, int):
            if not amount:
                return
            amount = Formula.of(amount)
        before = self.cost.get((metric, place))
        self.cost[metric, place] = amount if before is None else before + amount

    def apart(self) -> Cost:
        """From here on costs are counted anew; returns those so far."""
        before, self.cost = self.cost, {}
        return before

    # ------------------------------------------------------------ statements

    def block(self, block: Block) -> list[Abstract]:
        for stmt in block.stmts:
            self.stmt(stmt)
        return [self.abstract(a) for a in block.results]

    def stmt(self, stmt: Stmt) -> None:
        match stmt.op:
            case ir.Prim() as op:
                self.primitive(stmt, op)
            case ir.If() as op:
                self.branch(stmt, op)
            case ir.Map() as op:
                self.map(stmt, op)
            case ir.Reduce() | ir.Scan() as op:
                self.fold(stmt, op)
            case ir.Loop() as op:
                self.loop(stmt, op)
            case ir.Call() as op:
                self.call(stmt, op)
            case ir.Custom(_, body, _, args):
                for param, arg in zip(body.params, args, strict=True):
                    self.bind(param, self.abstract(arg))
                for var, result in zip(stmt.vars, self.block(body.body), strict=True):
                    self.bind(var, result)
            case ir.Diff():
                raise AssertionError("derivatives are taken before costs are counted")
            case _:
                assert_never(stmt.op)

    def primitive(self, stmt: Stmt, op: ir.Prim) -> None:
        (var,) = stmt.vars
        for value, span in self.owner.kept.get((self.name, var), ()):
            amount = costs.elements(self.env[value].shape) * costs.BYTES[value.type.dtype]
            self.spend("saved", Place.of(span), amount)
        args = [self.abstract(a) for a in op.args]
        shape = shape_of(op, args, lambda k: self.number(op.args[k], stmt.span), var.type.rank)
        self.measured(var, shape, value_of(op, args, var.type), stmt.span)
        types = [a.type for a in op.args]
        shapes = [a.shape for a in args]
        mine = self.env[var].shape
        if var.type.rank or any(t.rank for t in types):
            self.spend("bytes", Place.of(stmt.span), costs.traffic(op, types, shapes, var.type, mine))
        self.spend("flops", Place.of(stmt.span), costs.flops(op, types, shapes, var.type, mine))

    def branch(self, stmt: Stmt, op: ir.If) -> None:
        cond = self.abstract(op.cond).value
        decided = None if cond is None else cond.value
        if decided is not None:
            results = self.block(op.then if decided else op.orelse)
            for var, result in zip(stmt.vars, results, strict=True):
                self.bind(var, result)
            return
        before = self.apart()
        arms = [self.block(op.then)]
        costs_of = [self.apart()]
        arms.append(self.block(op.orelse))
        costs_of.append(self.cost)
        self.cost = before
        span = stmt.span
        taken = cond

        def truth() -> Formula:
            nonlocal taken
            if taken is None:
                assert isinstance(op.cond, Var)
                taken = self.watched(op.cond, None, "branch", HOLDS, span, Formula.of(1))
                self.env[op.cond] = Abstract((), taken)
            return taken

        for metric, place in dict.fromkeys((*costs_of[0], *costs_of[1])):
            yes, no = (c.get((metric, place), Formula.of(0)) for c in costs_of)
            self.spend(metric, place, yes if yes == no else no + truth() * (yes - no))
        for var, x, y in zip(stmt.vars, arms[0], arms[1], strict=True):
            sizes = [a if a == b else b + truth() * (a - b) for a, b in zip(x.shape, y.shape, strict=True)]
            value = None
            if x.value is not None and y.value is not None and not var.type.rank:
                value = x.value if x.value == y.value else y.value + truth() * (x.value - y.value)
            self.bind(var, Abstract(tuple(sizes), value))

    # ------------------------------------------------------------ maps and folds

    def rows(self, params: Sequence[Var], arrays: Sequence[Atom], index: SizeVar) -> None:
        """Parameters that are elements of arrays."""
        for param, atom in zip(params, arrays, strict=True):
            array = self.abstract(atom)
            value = None
            if array.value is not None and len(array.shape) == 1:
                value = array.value.substitute({POSITION: Formula.of(index)})
            self.bind(param, Abstract(array.shape[1:], value))

    def enter(self, stmt: Stmt, trips: Formula) -> SizeVar:
        """Into a body that runs so often: the number of the iteration."""
        self.level += 1
        index = self.owner.fresh("i")
        self.born[index] = self.level
        self.limits[index] = trips
        self.owner.watch.indices.setdefault((self.name, first(stmt)), []).append(index)
        return index

    def leave(self, stmt: Stmt, before: Cost, cost: Cost, trips: Formula, index: SizeVar) -> None:
        """Out of a body that cost this much in one iteration."""
        self.level -= 1
        self.cost = before
        for (metric, place), formula in self.repeated(stmt, cost, trips, index, False).items():
            self.spend(metric, place, formula)

    def repeated(self, stmt: Stmt, cost: Cost, trips: Formula, index: SizeVar, tests: bool) -> Cost:
        return {key: self.sum_over(stmt, formula, trips, index, tests) for key, formula in cost.items()}

    def sum_over(self, stmt: Stmt, formula: Formula, trips: Formula, index: SizeVar, tests: bool) -> Formula:
        total = Formula.of(0)
        if len(formula.top.terms) > LONG and not tests:
            what = "the cost of an iteration"
            formula = self.given_up(first(stmt), formula, what, self.level + 1)
        for monomial, coefficient in formula.top.terms:
            inner = tuple(a for a in monomial if self.age(a) > self.level)
            outer = Formula(Size(((tuple(a for a in monomial if self.age(a) <= self.level), coefficient),)))
            if all(a == index for a in inner):
                total = total + outer * power_sum(len(inner), trips)
            else:
                total = total + outer * self.sum_of(stmt, inner, trips, tests)
        return total / formula.below

    def given_up(self, var: Var | int | None, formula: Formula, what: str, level: int) -> Formula:
        """A symbol for a formula that is too long, of an iteration (`var` as in `Key`) or of the whole function."""
        made = self.symbol("total", what, None, level)
        symbol = made.top.atom
        assert isinstance(symbol, SizeVar)
        self.owner.watch.ends.setdefault((self.name, var), []).append((symbol, formula))
        return made

    def sum_of(self, stmt: Stmt, product: Monomial, trips: Formula, tests: bool) -> Formula:
        """The symbol for the sum of a product over the iterations."""
        key = (self.name, first(stmt))
        entries = self.owner.watch.totals.setdefault(key, [])
        for var, other, other_tests in entries:
            if other == product and other_tests == tests:
                return Formula.of(var)
        kind, span, most, what = self.described(product)
        made = self.symbol(kind, what, span or stmt.span, self.level, None if most is None else most * trips)
        symbol = made.top.atom
        assert isinstance(symbol, SizeVar)
        entries.append((symbol, product, tests))
        return made

    def described(self, product: Monomial) -> tuple[Kind, Span | None, Formula | None, str]:
        """Kind, place, bound and words for the sum of a product of symbols over many runs."""
        if all(isinstance(a, Opaque) and a.op in ("eq", "ne", "lt", "le") for a in product):
            return "branch", None, Formula.of(1), HOLDS
        inside = dict.fromkeys(a for atom in product for a in Size.of(atom).atoms())
        symbols = [self.owner.symbols.get(a) for a in inside if isinstance(a, SizeVar)]
        found = [s for s in symbols if s is not None]
        if len(product) == 1 and len(found) == 1:
            (one,) = found
            what = one.what
            if one.kind in ("size", "value"):
                return "total", one.span, None, what if what.startswith("the sum of ") else f"the sum of {what}"
            most = one.most if one.most is None or not any(self.age(a) > self.level for a in one.most.atoms()) else None
            return one.kind, one.span, most, what
        names = " times ".join(s.what.removeprefix("the sum of ") for s in found) or "sizes that differ"
        return "total", found[0].span if found else None, None, f"the sum of {names}"

    def moved(self, stmt: Stmt, atoms: Sequence[Atom], length: Formula) -> None:
        """Elements that enter a body as numbers are read; arrays are only looked at there."""
        place = Place.of(stmt.span)
        for atom in atoms:
            if atom.type.rank == 1:
                self.spend("bytes", place, length * costs.BYTES[atom.type.dtype])

    def stacked(self, stmt: Stmt, var: Var) -> None:
        """A result that is a stack of rows is written."""
        shape = self.env[var].shape
        self.spend("bytes", Place.of(stmt.span), costs.elements(shape) * costs.BYTES[var.type.dtype])

    def map(self, stmt: Stmt, op: ir.Map) -> None:
        trips = self.abstract(op.arrays[0]).shape[0]
        sizes = [tuple(self.number(n, stmt.span) for n in row) for row in op.shapes]
        before = self.apart()
        index = self.enter(stmt, trips)
        self.rows(op.body.params, op.arrays, index)
        results = self.block(op.body.body)
        self.leave(stmt, before, self.cost, trips, index)
        for var, row, result in zip(stmt.vars, sizes, results, strict=True):
            value = None
            if not row and result.value is not None:
                moved = result.value.substitute({index: Formula.of(POSITION)})
                if all(self.age(a) <= self.level for a in moved.atoms()):
                    value = moved
            self.bind(var, Abstract((trips, *row), value))
            self.stacked(stmt, var)
        self.moved(stmt, op.arrays, trips)

    def fold(self, stmt: Stmt, op: ir.Reduce | ir.Scan) -> None:
        trips = self.abstract(op.arrays[0]).shape[0]
        count = len(op.neutral)
        start = [self.abstract(a) for a in op.neutral]
        before = self.apart()
        index = self.enter(stmt, trips)
        for param, value in zip(op.body.params[:count], start, strict=True):
            self.bind(param, Abstract(value.shape))
        self.rows(op.body.params[count:], op.arrays, index)
        self.block(op.body.body)
        self.leave(stmt, before, self.cost, trips, index)
        for var, value in zip(stmt.vars, start, strict=True):
            whole = value.shape if isinstance(op, ir.Reduce) else (trips, *value.shape)
            self.bind(var, Abstract(whole))
            if isinstance(op, ir.Scan):
                self.stacked(stmt, var)
        self.moved(stmt, op.arrays, trips)

    # ------------------------------------------------------------ loops

    def loop(self, stmt: Stmt, op: ir.Loop) -> None:
        from .loops import loop

        loop(self, stmt, op)

    def trips(self, count: Formula) -> Formula:
        """A number of iterations: not negative, for certain, by assumption, or by `max`."""
        from .loops import trips

        return trips(self, count)

    # ------------------------------------------------------------ calls

    def call(self, stmt: Stmt, op: ir.Call) -> None:
        from .calls import call

        call(self, stmt, op)


def families(program: ir.Program) -> Mapping[str, frozenset[str]]:
    """Of each recursive function, those that it may call and that may lead back to it, itself included."""
    reached: dict[str, set[str]] = {}
    direct = {name: set(callees(f.body)) for name, f in program.functions.items()}
    for name in direct:
        seen: set[str] = set()
        pending = list(direct[name])
        while pending:
            here = pending.pop()
            if here not in seen:
                seen.add(here)
                pending.extend(direct[here])
        reached[name] = seen
    return {name: frozenset(other for other in seen if name in reached[other])
            for name, seen in reached.items() if name in seen}


__all__ = ["Analysis", "Body", "Found", "Key", "Recursion", "Summary", "analyse", "kept_values"]
