"""Derivative functions of called functions: a function keeps its boundary, and its derivatives are functions beside it.

In: a call, by function name and which arguments vary (for reverse mode also which results have a cotangent). Out: the
names of `f_jvp`, or of `f_fwd` and `f_bwd`, made once for each such pattern. Between `f_fwd` and `f_bwd` the values
pass that the reverse sweep reads. Of a recursive function they are two arrays that hold everything (`tape`), since how
much there is to remember is known only when it has run. Of a function that is to run again there is no `f_fwd`: its
`f_bwd` takes the arguments.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence

from ...lang.core import ir
from ...lang.core.build import Builder, Fresh
from ...lang.core.ir import Atom, Block, Const, Function, Lambda, Op, Stmt, Type, Var
from ...lang.core.walk import Renamer, called, callees, next_id, summary
from .absorbing import absorbing
from .activity import varying
from .adjoint import Read, Scope, as_read, bound_in
from .extents import Dim, Extents, Size
from .jvp import jvp_lambda
from .prune import prune
from .recompute import Reads, Rerun
from .tape import TAPE, record, replay
from .vjp import Returned, Reverse, Schedule, Split, prepared, vjp_lambda

Pattern = tuple[bool, ...]
SplitKey = tuple[str, Pattern, Pattern, bool, Pattern, Schedule, Pattern]
"""Function, which arguments vary, which results have a cotangent, whether cotangents of arrays come back whole, which
cotangents so far are given, how its loops go backwards, which results surely have a cotangent other than zero."""


MOST = 2
"""Values to a statement of the source that a forward run may pass on to the backward run. A function that calls another
one twice passes on twice as many: in a chain of such functions, every level would double what is written down. Where
there would be more, the function runs again, and those that call it begin anew.
"""


class Derived:
    """`body_of` gives a function with no derivative left to take in it; `declare` receives each new function."""

    def __init__(self, functions: dict[str, Function], body_of: Callable[[str], Function],
                 declare: Callable[[Function], None]) -> None:
        self.functions = functions
        self.body_of = body_of
        self.declare = declare
        self.names = set(functions)
        self.patterns: dict[tuple[str, Pattern], Pattern] = {}
        self.pending: dict[tuple[str, Pattern], Pattern] = {}
        self.visited: set[tuple[str, Pattern]] = set()
        self.forwards: dict[tuple[str, Pattern], str] = {}
        self.splits: dict[SplitKey, Split] = {}
        self.read: dict[tuple[str, Pattern], Pattern] = {}
        self.doubts: dict[str, bool] = {}
        self.recursion: dict[str, bool] = {}
        self.extents: dict[str, int] = {}

    def new_name(self, name: str, suffix: str) -> str:
        """A name that no function has: `f_jvp`, `f_jvp_2` …"""
        found, count = f"{name}_{suffix}", 1
        while found in self.names:
            count += 1
            found = f"{name}_{suffix}_{count}"
        self.names.add(found)
        return found

    def recursive(self, name: str) -> bool:
        """Whether a call of the function can lead back to it."""
        if name not in self.recursion:
            seen: set[str] = set()
            pending = list(called(self.body_of(name)))
            while pending:
                here = pending.pop()
                if here not in seen:
                    seen.add(here)
                    pending.extend(called(self.body_of(here)))
            self.recursion[name] = name in seen
        return self.recursion[name]

    def extent(self, name: str) -> int:
        """How many statements the function and all that it calls have, each counted once."""
        found = self.extents.get(name)
        if found is None:
            seen, pending, found = {name}, [name], 0
            while pending:
                known = summary(self.body_of(pending.pop()))
                found += known.size
                new = [name for name in known.calls if name not in seen]
                seen.update(new)
                pending.extend(new)
            self.extents[name] = found
        return found

    # ------------------------------------------------------------ activity

    def varying_results(self, function: str, active: Pattern) -> Pattern:
        """Which results vary when these arguments do: of recursive functions the least fixpoint."""
        key = (function, active)
        if key in self.patterns:
            return self.patterns[key]
        if self.pending:
            return self._assume(key)
        while True:
            before = dict(self.pending)
            self.visited.clear()
            self._assume(key)
            if self.pending == before:
                break
        # The last round confirmed everything that was assumed on the way.
        self.patterns.update(self.pending)
        self.pending.clear()
        return self.patterns[key]

    def _assume(self, key: tuple[str, Pattern]) -> Pattern:
        """What is known in this round; each function is looked at once a round."""
        if key not in self.visited:
            self.visited.add(key)
            f = self.body_of(key[0])
            self.pending.setdefault(key, (False,) * len(f.body.results))
            marked = varying(f.body, [p for p, a in zip(f.params, key[1], strict=True) if a], self)
            self.pending[key] = tuple(isinstance(x, Var) and x in marked for x in f.body.results)
        return self.pending[key]

    # ------------------------------------------------------------ forward mode

    def jvp_function(self, function: str, active: Pattern) -> str:
        key = (function, active)
        found = self.forwards.get(key)
        if found is not None:
            return found
        f = self.body_of(function)
        name = self.forwards[key] = self.new_name(function, "jvp")
        inputs = [p for p, a in zip(f.params, active, strict=True) if a]
        lam = jvp_lambda(Lambda(f.params, f.body), Fresh(next_id(f)), self, inputs, zeros=False)
        dims = f.dims and f.dims + tuple(d for d, a in zip(f.dims, active, strict=True) if a)
        self.declare(Function(name, lam.params, lam.body, f.source_name, dims, f.again))
        return name

    # ------------------------------------------------------------ rules of the program's own

    def transposed(self, op: ir.Custom, supply: Fresh) -> Lambda:
        """A rule for one mode is linear in its seeds: the rule for the other mode is its transpose, the reverse
        derivative of the rule in the seeds, at 0.
        """
        rule = Renamer(supply).function(op.rule)
        count = len(op.args) + len(op.body.body.results)
        fixed, seeds = rule.params[:count], rule.params[count:]
        like = [p for p in (fixed[:len(op.args)] if op.mode == "jvp" else fixed[len(op.args):]) if p.type.is_float]
        linear = vjp_lambda(Lambda(seeds, rule.body), supply, self)
        zeros = Builder(supply)
        start = Renamer(supply, {p: zeros.zeros_like(x) for p, x in zip(seeds, like, strict=True)})
        back = tuple(start.binder(p) for p in linear.params[len(seeds):])
        body = start.block(linear.body)
        made = Block((*zeros.stmts, *body.stmts), body.results[len(rule.body.results):])
        return Lambda((*fixed, *back), made)

    # ------------------------------------------------------------ reverse mode

    def surely_read(self, function: str, surely: Pattern) -> Pattern:
        key = (function, surely)
        found = self.read.get(key)
        if found is None:
            f = self.body_of(function)
            found = self.read[key] = (False,) * len(f.params)  # while it is looked at: recursion
            _, read = absorbing(f.params, f.body, surely, self)
            found = self.read[key] = tuple([p in read for p in f.params])
        return found

    def doubtful(self, function: str) -> bool:
        """Whether it matters which of a function's results have cotangents that are not zero."""
        found = self.doubts.get(function)
        if found is None:
            f = self.body_of(function)
            found = self.doubts[function] = bool(absorbing(f.params, f.body, (False,) * len(f.body.results), self)[0])
        return found

    def runs_again(self, function: str) -> bool:
        return self.body_of(function).again != ""

    def split(self, function: str, active: Pattern, wanted: Pattern, once: bool, carried: Pattern = (),
              schedule: Schedule = "", surely: Pattern = ()) -> Split:
        recursive = self.recursive(function)
        again = self.body_of(function).again
        if recursive or not any(surely) or not self.doubtful(function):
            surely = (False,) * len(wanted)
        key = (function, active, wanted, once or recursive, () if recursive else carried, schedule, surely)
        found = self.splits.get(key)
        if found is None:
            if recursive:
                found = self._recursive_split(key) if again or schedule else self._taped_split(key)
            else:
                found = (None if again else self._split(key)) or self._split_again(key, again or "plain")
            self.splits[key] = found
        return found

    def _calls_recursive(self, stmt: Stmt) -> bool:
        """What must not run again on the way back."""
        return any(map(self.recursive, callees(Block((stmt,), ()))))

    def _swept(self, key: SplitKey, given: Sequence[int] = (), once: bool = False
               ) -> tuple[Function, Block, Scope, list[Stmt], list[Var], Fresh]:
        """The function, its body after preparations, the scope of its reverse sweep, forward statements, seeds.

        `given`: parameters whose cotangents so far are given. `once`: recursive calls do not run again.
        """
        function, active, wanted, dense, _, schedule, surely = key
        f = self.body_of(function)
        if f.again:
            schedule = "" if f.again == "plain" else f.again
        supply = Fresh(next_id(f))
        inputs = [p for p, a in zip(f.params, active, strict=True) if a]
        body, varied = prepared(f.body, inputs, supply, self, schedule)
        reverse = Reverse(supply, self, varied, absorbing(f.params, body, surely, self), schedule)
        if once:
            reverse.once = lambda stmt: self._calls_recursive(stmt) or any(v in reverse.trimmed for v in stmt.vars)
        # Called in loops, the function must not make a whole array for every element that it reads: see `adjoint`.
        local = f.params if dense else tuple(p for p in f.params if not p.type.rank)
        scope = Scope("function", Builder(supply), [*local, *bound_in(body)])
        scope.given = {f.params[k]: supply.var(f.params[k].name + "_adj", f.params[k].type) for k in given}
        seeds = reverse.seeds(scope, body.results, wanted)
        return f, body, scope, reverse.sweep(scope, body.stmts), seeds, supply

    def _split(self, key: SplitKey) -> Split | None:
        """None where too many values would have to be passed on: see `MOST`."""
        f, body, scope, forward, seeds, supply = self._swept(key)
        returned, results = self._leaving(f, scope)
        tail = Builder(supply, forward[-1].span if forward else None)
        sizes = _Measured(tail, f, forward)
        back = Rerun(supply, {}, sizes).block(prune(scope.b.block(results)))
        read_back = Reads(None).block(back)
        passed = [k for k, p in enumerate(f.params) if p in read_back]
        saved = [v for v in read_back if v not in f.params and v not in seeds]
        if len(saved) > MOST * self.extent(f.name):
            return None
        measured = [s.vars[0] for s in tail.stmts if s.vars[0] in read_back]
        stmts = [*forward, *prune(Block(tuple(tail.stmts), tuple(measured))).stmts]
        forward_name = f.name
        if saved:
            forward_name = self.new_name(f.name, "fwd")
            more = Block(tuple(stmts), (*body.results, *saved))
            self.declare(Function(forward_name, f.params, more, f.source_name, f.dims))
        backward_name = self.new_name(f.name, "bwd")
        params = (*(f.params[k] for k in passed), *saved, *seeds)
        head = Builder(supply, tail.span)
        dims = _shared_sizes(head, params, sizes)
        back = Block((*head.stmts, *back.stmts), back.results)
        self.declare(Function(backward_name, params, back, f.source_name, dims))
        types = tuple(x.type for x in results)
        return Split(forward_name, tuple(v.type for v in saved), backward_name, tuple(passed), tuple(returned), types)

    def _leaving(self, f: Function, scope: Scope) -> tuple[list[Returned], list[Atom]]:
        """The cotangents of parameters as results."""
        returned: list[Returned] = []
        results: list[Atom] = []
        for k, p in enumerate(f.params):
            adjoint = scope.adjoints.get(p)
            if adjoint is None:
                continue
            if p in scope.local or p in scope.given:
                scope.dense(p)
            if adjoint.dense is not None:
                returned.append(Returned(k, carried=p in scope.given))
                results.append(adjoint.dense)
            for part in adjoint.reads:
                read: Read = as_read(scope.b, p, part)
                returned.append(Returned(k, len(read.indices), read.holes))
                results.extend((*read.indices, read.value))
        return returned, results

    def _split_again(self, key: SplitKey, again: str) -> Split:
        """Nothing is kept: the backward function takes the arguments and runs the function again."""
        # Whole arrays are handed through if the function makes whole arrays anyway.
        f = self.body_of(key[0])
        offered = [k for k, there in enumerate(key[4]) if there]
        cheap = [k for k in offered if key[3] or not f.params[k].type.rank]
        f, _, scope, forward, seeds, supply = self._swept(key, cheap)
        whole = [p for p, adjoint in scope.adjoints.items() if adjoint.dense is not None]
        if any(f.params[k] in whole for k in offered if k not in cheap):
            _, _, scope, forward, seeds, supply = self._swept(key, [k for k in offered if f.params[k] in whole])
        carried = [k for k, p in enumerate(f.params) if p in scope.given and p in scope.adjoints]
        returned, results = self._leaving(f, scope)
        back = Rerun(supply, {}).block(prune(Block((*forward, *scope.b.stmts), tuple(results))))
        read = Reads(None).block(back)
        passed = tuple(k for k, p in enumerate(f.params) if p in read)
        name = self.new_name(f.name, "bwd")
        params = (*(f.params[k] for k in passed), *seeds, *(scope.given[f.params[k]] for k in carried))
        self.declare(Function(name, params, back, f.source_name, again="log" if again == "log" else "plain"))
        return Split(f.name, (), name, passed, tuple(returned), tuple(x.type for x in results), tuple(carried))

    def _taped_split(self, key: SplitKey) -> Split:
        """Of a recursive function: `f_fwd` returns all that it remembers in the two arrays of a tape (`tape`)."""
        function, active, *_ = key
        f = self.body_of(function)
        chosen = [k for k, a in enumerate(active) if a]
        types: tuple[Type, ...] = tuple(f.params[k].type for k in chosen)
        forward_name, backward_name = self.new_name(function, "fwd"), self.new_name(function, "bwd")
        self.recursion[forward_name] = self.recursion[backward_name] = True
        alone = not any(function in called(self.body_of(g)) for g in called(f) if g != function)
        passed: tuple[int, ...] = () if alone else tuple(range(len(f.params)))
        while True:
            # Which arguments the way back reads depends on which ones its recursive calls read.
            split = Split(forward_name, TAPE, backward_name, passed, tuple(Returned(k) for k in chosen), types)
            self.splits[key] = split
            f, body, scope, forward, seeds, supply = self._swept(key, once=True)
            results = []
            for k in chosen:
                ct = scope.take(f.params[k])
                results.append(scope.b.zeros_like(f.params[k]) if ct is None else ct)
            tail = Builder(supply, forward[-1].span if forward else None)
            back = Rerun(supply, {}, _Measured(tail, f, forward)).block(prune(scope.b.block(results)))
            read = Reads(None).block(back)
            needed = tuple(k for k, p in enumerate(f.params) if p in read)
            if set(needed) <= set(passed):
                break
            passed = tuple(sorted({*passed, *needed}))
        saved = [v for v in read if v not in f.params and v not in seeds]
        tape = record(tail, saved)
        more = prune(Block(tuple(tail.stmts), (*saved, *tape)))
        self.declare(Function(forward_name, f.params, Block((*forward, *more.stmts), (*body.results, *tape)),
                              f.source_name, f.dims))
        given = [supply.var("tape", t) for t in TAPE]
        head = Builder(supply, tail.span)
        replay(head, saved, given)
        block = prune(Block((*head.stmts, *back.stmts), back.results))
        self.declare(Function(backward_name, (*(f.params[k] for k in passed), *given, *seeds), block, f.source_name))
        return split

    def _recursive_split(self, key: SplitKey) -> Split:
        # The signature does not depend on the body: arguments, then cotangents, to cotangents of active arguments.
        function, active, *_ = key
        f = self.body_of(function)
        chosen = [k for k, a in enumerate(active) if a]
        types: tuple[Type, ...] = tuple(f.params[k].type for k in chosen)
        name = self.new_name(function, "bwd")
        split = Split(function, (), name, tuple(range(len(f.params))), tuple(Returned(k) for k in chosen), types)
        self.splits[key] = split
        f, _, scope, forward, seeds, supply = self._swept(key)
        results = []
        for k in chosen:
            ct = scope.take(f.params[k])
            results.append(scope.b.zeros_like(f.params[k]) if ct is None else ct)
        block = prune(Block((*forward, *scope.b.stmts), tuple(results)))
        again = Rerun(supply, {}).block(block)
        self.declare(Function(name, (*f.params, *seeds), again, f.source_name))
        return split


def _shared_sizes(head: Builder, params: Sequence[Var], sizes: Extents) -> tuple[tuple[Atom | None, ...], ...]:
    """`dims` of a function with these parameters: what is known of arguments and of values that were kept for it."""
    first: dict[Size, tuple[Var, int]] = {}
    read: dict[Size, Atom] = {}
    for p in params:
        for axis, size in enumerate(sizes.shape(p)):
            if isinstance(size, Const):
                read[size] = size
            elif size is not None and size not in first:
                first[size] = (p, axis)
            elif size is not None and size not in read:
                read[size] = head.dim(*first[size])
    return tuple(tuple(None if size is None else read.get(size) for size in sizes.shape(p)) for p in params)


class _Measured(Extents):
    """Sizes of a function's own values at the end of its forward run, where all are at hand: as few as possible."""

    def __init__(self, outer: Builder, f: Function, forward: Sequence[Stmt]) -> None:
        super().__init__(outer)
        known = f.dims or ((),) * len(f.params)
        for p, dims in zip(f.params, known, strict=True):
            sizes = [None] * p.type.rank if len(dims) < p.type.rank else dims
            self._bind(p, tuple(Dim(p, k) if size is None else size for k, size in enumerate(sizes)), None)
        self.define(forward)

    def _value(self, n: Atom) -> Size | None:
        return n

    def _define(self, vars: Sequence[Var], op: Op) -> None:
        if isinstance(op, ir.If | ir.Custom):
            # Sizes that are worked out inside are not at hand behind it.
            for v in vars:
                self.unknown(v)
        else:
            super()._define(vars, op)
        for v in vars:
            self._bind(v, tuple(Dim(v, k) if size is None else size for k, size in enumerate(self.shapes[v])), v)

