"""Which results of a run depend on which inputs, and how few directions tell all derivatives apart.

The pattern is found by running the program once, at the point where derivatives are wanted, with a set of inputs beside
each float: a result has those of its operands, what moves elements about moves the sets, and what no rule is known for
mixes all. So the pattern holds every derivative that is not zero there; it may hold some that are. Sets are integers,
one bit to an input.

Columns that meet in no row may share a direction (Curtis, Powell & Reid, *On the estimation of sparse Jacobian
matrices*, 1974). Of a symmetric matrix each entry stands in two places, and one of them is enough: a star colouring
(Gebremedhin, Manne & Pothen, *What color is your Jacobian?*, SIAM Review 47, 2005, section 4) needs fewer.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..lang.core import ir
from ..lang.core.primitive import PRIMITIVES
from ..lang.core.walk import free_vars
from .interp import FRAMES, Run, Steps, Value, argument
from .runtime.depth import LEVELS, Room


class Inputs(int):
    """A set of inputs. Its sum is the union, so that what adds numbers unites sets."""

    def __add__(self, other: int) -> Inputs:
        return Inputs(int(self) | int(other))

    __radd__ = __add__


EMPTY = Inputs(0)
MOVES = frozenset({
    "index", "update", "accumulate", "slice", "update_slice", "accumulate_slice", "gather", "accumulate_at", "scatter",
    "select", "sum", "ordered_sum", "cumsum", "replicate", "stack", "concat", "transpose", "reverse", "rotate",
    "reshape"})
"""Primitives that, on arrays of sets, do to sets what they do to numbers: they move elements about and add them."""
SUMS = {"prod": "sum", "maximum": "sum", "minimum": "sum", "cumprod": "cumsum", "cummax": "cumsum", "cummin": "cumsum"}
"""Primitives whose result depends on all that such a sum adds."""

MAX_PATHS = 20_000_000

Sets = Any  # an object array of Inputs, Inputs where the rank is 0, or None: no input


class Dependence(Run):
    """One activation of one function, with the sets of its floats beside the values."""

    def __init__(self, program: ir.Program, env: dict[ir.Var, Value], steps: Steps, sets: dict[ir.Var, Sets]) -> None:
        super().__init__(program, env, steps)
        self.sets = sets

    def set_of(self, atom: ir.Atom) -> Sets:
        return self.sets.get(atom) if isinstance(atom, ir.Var) else None

    def results(self, block: ir.Block) -> tuple[Sets, ...]:
        return tuple(self.set_of(a) for a in block.results)

    def give(self, variables: Sequence[ir.Var], sets: Sequence[Sets]) -> None:
        for var, found in zip(variables, sets, strict=True):
            self.sets[var] = found

    # ------------------------------------------------------------ operations

    def perform(self, stmt: ir.Stmt) -> tuple[Value, ...]:
        match stmt.op:
            case ir.Prim() as op:
                values = self.op(op)
                self.give(stmt.vars, [self.primitive(op, values[0])])
                return values
            case ir.Call(function, args, _):
                return self.function(stmt, self.program.functions[function], args)
            case ir.If(cond, then, orelse):
                arm = then if self.value(cond) else orelse
                values = self.block(arm)
                self.give(stmt.vars, self.results(arm))
                return values
            case ir.Map() as op:
                return self.each(stmt, op)
            case ir.Reduce() | ir.Scan() as op:
                return self.folded(stmt, op)
            case ir.Loop() as op:
                return self.repeated(stmt, op)
            case ir.Custom(_, body, rule, args) as op:  # its derivative is another function than its value
                values = self.op(op)
                captured = [v for lam in (body, rule) for v in free_vars(lam.body, lam.params)]
                mixed = union(self.set_of(a) for a in (*args, *captured))
                self.give(stmt.vars, [filled(v, mixed) for v in values])
                return values
            case _:
                values = self.op(stmt.op)
                mixed = union(self.set_of(a) for a in stmt.op.args)
                self.give(stmt.vars, [filled(v, mixed) for v in values])
                return values

    def primitive(self, op: ir.Prim, value: Value) -> Sets:
        record = PRIMITIVES[op.name]
        sets = [self.set_of(a) for a in op.args]
        if record.flat or all(s is None for s in sets) or np.asarray(value).dtype.kind != "f":
            return None
        if record.partials is not None or op.name == "cast":
            return united(sets, np.shape(value))
        name = SUMS.get(op.name, op.name)
        if name in MOVES:
            given = [self.value(a) if not a.type.is_float else empty(np.shape(self.value(a))) if s is None else s
                     for a, s in zip(op.args, sets, strict=True)]
            try:
                found = PRIMITIVES[name].evaluate(*given, **dict(op.attrs))
            except (TypeError, ValueError, OverflowError):  # it does something with numbers that sets cannot do
                found = None
            if isinstance(found, int) and not np.ndim(value):
                return Inputs(found)
            if isinstance(found, np.ndarray) and found.dtype == object and found.shape == np.shape(value):
                return found
        return filled(value, union(sets))

    def function(self, stmt: ir.Stmt, function: ir.Function, args: Sequence[ir.Atom]) -> tuple[Value, ...]:
        self.steps.depth += 1
        env = dict(zip(function.params, self.values(args), strict=True))
        sets = dict(zip(function.params, [self.set_of(a) for a in args], strict=True))
        inside = Dependence(self.program, env, self.steps, sets)
        values = inside.block(function.body)
        self.steps.depth -= 1
        self.give(stmt.vars, inside.results(function.body))
        return values

    def each(self, stmt: ir.Stmt, op: ir.Map) -> tuple[Value, ...]:
        arrays = self.values(op.arrays)
        over = [self.set_of(a) for a in op.arrays]
        rows, found = [], []
        for k, row in enumerate(self.rows(arrays)):
            self.give(op.body.params, [None if s is None else s[k] for s in over])
            rows.append(self.apply(op.body, row))
            found.append(self.results(op.body.body))
        values = tuple(self.stacked([row[k] for row in rows], result.type, op.shapes[k])
                       for k, result in enumerate(op.body.body.results))
        self.give(stmt.vars, [together([row[k] for row in found], v) for k, v in enumerate(values)])
        return values

    def folded(self, stmt: ir.Stmt, op: ir.Reduce | ir.Scan) -> tuple[Value, ...]:
        over = [self.set_of(a) for a in op.arrays]
        state, sets = self.values(op.neutral), [self.set_of(a) for a in op.neutral]
        history, found = [], []
        for k, row in enumerate(self.rows(self.values(op.arrays))):
            self.give(op.body.params, [*sets, *(None if s is None else s[k] for s in over)])
            state = self.apply(op.body, state + row)
            sets = list(self.results(op.body.body))
            history.append(state)
            found.append(sets)
        if isinstance(op, ir.Reduce):
            self.give(stmt.vars, sets)
            return state
        shapes = [np.shape(neutral) for neutral in self.values(op.neutral)]
        values = tuple(np.array([row[k] for row in history], state[k].dtype).reshape((len(history), *shapes[k]))
                       for k in range(len(op.neutral)))
        self.give(stmt.vars, [together([row[k] for row in found], v) for k, v in enumerate(values)])
        return values

    def repeated(self, stmt: ir.Stmt, op: ir.Loop) -> tuple[Value, ...]:
        states = len(op.params)
        state, sets = self.values(op.init), [self.set_of(a) for a in op.init]
        collected: list[tuple[Value, ...]] = []
        found: list[tuple[Sets, ...]] = []
        done = 0
        while True:
            if op.cond is not None:
                self.give(op.cond.params, sets)
            if not self.goes_on(op, state, done):
                break
            self.bind((op.index, *op.params), (np.int64(done), *state))
            self.give(op.params, sets)
            results = self.block(op.body)
            here = self.results(op.body)
            state, sets = results[:states], list(here[:states])
            collected.append(results[states:])
            found.append(here[states:])
            done += 1
        stacks = tuple(self.stacked([row[k] for row in collected], atom.type, op.collect_shapes[k])
                       for k, atom in enumerate(op.body.results[states:]))
        stacked = [together([row[k] for row in found], v) for k, v in enumerate(stacks)]
        self.give(stmt.vars, [*sets, *stacked, *([] if op.count is not None else [None])])
        return state + stacks + (() if op.count is not None else (np.int64(done),))


# ---------------------------------------------------------------- sets


def empty(shape: tuple[int, ...]) -> Sets:
    made = np.empty(shape, object)
    made[...] = EMPTY
    return made if shape else EMPTY


def union(sets: Any) -> Inputs:
    total = 0
    for each in sets:
        if each is not None:
            for one in np.asarray(each, object).flat:
                total |= int(one)
    return Inputs(total)


def filled(value: Value, inputs: Inputs) -> Sets:
    if np.asarray(value).dtype.kind != "f":
        return None
    if not np.ndim(value):
        return inputs
    made = np.empty(np.shape(value), object)
    made[...] = inputs
    return made


def united(sets: Sequence[Sets], shape: tuple[int, ...]) -> Sets:
    """The union, element by element, a scalar meeting each."""
    total = empty(shape)
    for each in sets:
        if each is not None:
            total = total + each
    return total


def together(rows: Sequence[Sets], value: Value) -> Sets:
    """Rows stacked along a new first axis; `value` is the array that they belong to."""
    if all(row is None for row in rows):
        return None
    made = empty(np.shape(value))
    for k, row in enumerate(rows):
        if row is not None:
            made[k] = row
    return made


# ---------------------------------------------------------------- patterns


def dependence(program: ir.Program, function: str, args: Sequence[Value], active: Sequence[int]) -> list[Sets]:
    """For each result of a call the inputs that each of its elements depends on.

    Inputs are the elements of the parameters whose numbers are `active`, counted in this order, arrays row by row.
    """
    params = program.functions[function].params
    values = [argument(p, a) for p, a in zip(params, args, strict=True)]
    sets: dict[ir.Var, Sets] = {}
    count = 0
    for k in active:
        made = np.empty(np.shape(values[k]), object)
        for place in np.ndindex(made.shape):
            made[place] = Inputs(1 << count)
            count += 1
        sets[params[k]] = made if made.shape else made[()]
    with np.errstate(all="ignore"), Room(FRAMES * LEVELS):
        run = Dependence(program, dict(zip(params, values, strict=True)), Steps(), sets)
        run.block(program.functions[function].body)
    return list(run.results(program.functions[function].body))


def columns_of(inputs: int) -> list[int]:
    """The numbers in a set, in order."""
    found = []
    while inputs:
        low = inputs & -inputs
        found.append(low.bit_length() - 1)
        inputs ^= low
    return found


# ---------------------------------------------------------------- colours


def column_colours(rows: Sequence[Sequence[int]], count: int) -> list[int]:
    """A colour to each of `count` columns, so that columns that meet in a row differ; columns with many come first."""
    meets: list[list[int]] = [[] for _ in range(count)]
    for number, row in enumerate(rows):
        for column in row:
            meets[column].append(number)
    used: list[int] = [0] * len(rows)
    colours = [0] * count
    for column in sorted(range(count), key=lambda c: -len(meets[c])):
        taken = 0
        for row_number in meets[column]:
            taken |= used[row_number]
        colour = (~taken & (taken + 1)).bit_length() - 1
        colours[column] = colour
        for row_number in meets[column]:
            used[row_number] |= 1 << colour
    return colours


def star_colours(rows: Sequence[Sequence[int]]) -> list[int]:
    """Colours of a symmetric pattern: neighbours differ, and no path of four has only two colours.

    Where neighbours are too many to look at all paths, columns that meet differ, as for any matrix.
    """
    neighbours = [[j for j in row if j != i] for i, row in enumerate(rows)]
    if sum(len(around) ** 3 for around in neighbours) > MAX_PATHS and \
            sum(len(neighbours[w]) ** 2 for around in neighbours for w in around) > MAX_PATHS:
        return column_colours(rows, len(rows))
    colours = [-1] * len(rows)
    for v in sorted(range(len(rows)), key=lambda i: -len(neighbours[i])):
        taken = 0
        for w in neighbours[v]:
            if colours[w] >= 0:
                taken |= 1 << colours[w]
            for x in neighbours[w]:
                if x == v or colours[x] < 0:
                    continue
                # v - w - x: v may have the colour of x only where neither closes a path of two colours.
                if colours[w] < 0 or any(y not in (w, v) and colours[y] == colours[w] for y in neighbours[x]):
                    taken |= 1 << colours[x]
        for w in neighbours[v]:
            # x - w - v with x of v's colour, and v - w' with w' of w's colour, is such a path too.
            if colours[w] >= 0 and sum(colours[u] == colours[w] for u in neighbours[v]) > 1:
                for x in neighbours[w]:
                    if x != v and colours[x] >= 0:
                        taken |= 1 << colours[x]
        colours[v] = (~taken & (taken + 1)).bit_length() - 1
    return colours


def entries(rows: Sequence[Sequence[int]], colours: Sequence[int], products: Callable[[int], Any], symmetric: bool
            ) -> list[float]:
    """The entries of a matrix, row by row, from its products with the sums of the columns of each colour.

    Each is read where it stands alone in its row; of a symmetric matrix that may be its mirror image.
    """
    alone: list[dict[int, int]] = []
    for row in rows:
        seen: dict[int, int] = {}
        for column in row:
            seen[colours[column]] = seen.get(colours[column], 0) + 1
        alone.append(seen)
    known = [np.asarray(products(colour)) for colour in range(max(colours, default=-1) + 1)]
    found = []
    for i, row in enumerate(rows):
        for j in row:
            if alone[i][colours[j]] == 1:
                found.append(known[colours[j]][i])
            else:
                assert symmetric, "columns of a colour meet in no row"
                assert alone[j][colours[i]] == 1, "the colouring is a star colouring"
                found.append(known[colours[i]][j])
    return found
