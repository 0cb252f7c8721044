"""Checks that IR is well formed: what every pass may rely on, and must hand on.

In: a program. Out: nothing, or `VerifyError` naming function, statement and reason. Checked are: every variable bound
once in its function and used only where it is in scope, with one type; operand types of primitives (by their own typing
rules), maps, folds, loops, branches and derivatives; calls, of functions that exist, with matching types; shapes, one
size to an axis. Relies on `lang.prims` having been imported, as it is by whoever builds IR.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from . import ir
from .build import result_types
from .ir import Atom, Block, Const, Function, Lambda, Op, Program, Stmt, Type, Var
from .primitive import PRIMITIVES, PrimTypeError
from .text import show


class VerifyError(Exception):
    """Ill-formed IR: a compiler's mistake, never a user's."""


class _Mistake(Exception):
    """A reason, before it is known which statement it belongs to."""


def verify(program: Program) -> None:
    """Raises `VerifyError` when the program is ill-formed.

    >>> verify(Program({}))
    """
    for name, function in program.functions.items():
        checker = _Checker(program, function)
        try:
            if name != function.name:
                raise _Mistake(f"it is listed as {name}")
            checker.function()
        except _Mistake as mistake:
            raise VerifyError(f"function {function.name}: {mistake}") from None


class _Checker:
    """One function. `scope`: the variables in scope; `trail`: their ids in order; `bound`: ids of all ever bound."""

    def __init__(self, program: Program, function: Function) -> None:
        self.program = program
        self.here = function
        self.scope: dict[int, Var] = {}
        self.trail: list[int] = []
        self.bound: set[int] = set()

    def function(self) -> None:
        self.bind(self.here.params)
        self.stmts(self.here.body)
        self.dims()

    def dims(self) -> None:
        dims = self.here.dims
        if not dims:
            return
        if len(dims) != len(self.here.params):
            raise _Mistake(f"dims for {len(dims)} of {len(self.here.params)} parameters")
        for param, sizes in zip(self.here.params, dims, strict=True):
            if len(sizes) != param.type.rank:
                raise _Mistake(f"{len(sizes)} dims of {param}: {param.type}")
            for size in sizes:
                if size is not None:
                    self.typed(size, ir.I64, f"a dim of {param}")

    # ------------------------------------------------------------ scopes

    def bind(self, variables: Sequence[Var]) -> None:
        for var in variables:
            if var.id in self.bound:
                raise _Mistake(f"{var} is bound twice")
            if var.type.dtype not in ir.DTYPES or var.type.rank < 0:
                raise _Mistake(f"{var} has the type {var.type}")
            self.bound.add(var.id)
            self.scope[var.id] = var
            self.trail.append(var.id)

    def use(self, atom: Atom) -> Type:
        match atom:
            case Const(value, dtype):
                self.constant(value, dtype)
            case Var(id):
                if id not in self.scope:
                    reason = "used out of its scope" if id in self.bound else "not bound"
                    raise _Mistake(f"{atom} is {reason}")
                if self.scope[id].type != atom.type:
                    raise _Mistake(f"{atom} is bound with type {self.scope[id].type} and used with type {atom.type}")
        return atom.type

    def constant(self, value: int | float | bool, dtype: str) -> None:
        if dtype not in ir.DTYPES:
            raise _Mistake(f"a constant of the type {dtype}")
        fits: type = bool if dtype == "bool" else float if dtype in ir.FLOATS else int
        if type(value) is not fits:
            raise _Mistake(f"the constant {value!r} is no {dtype}")
        if fits is int:
            bits = int(dtype[1:])
            low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype in ir.SIGNED else (0, (1 << bits) - 1)
            if not low <= value <= high:
                raise _Mistake(f"the constant {value!r} does not fit in {dtype}")

    def typed(self, atom: Atom, type: Type, what: str) -> None:
        if self.use(atom) != type:
            raise _Mistake(f"{what} has type {atom.type}, not {type}")

    def all_typed(self, atoms: Sequence[Atom], types: Sequence[Type], what: str) -> None:
        if len(atoms) != len(types):
            raise _Mistake(f"{len(atoms)} {what}s for {len(types)}")
        for atom, type in zip(atoms, types, strict=True):
            self.typed(atom, type, what)

    # ------------------------------------------------------------ blocks

    def stmts(self, block: Block) -> tuple[Type, ...]:
        """Checks a block and leaves its variables in scope; the types of its results."""
        for stmt in block.stmts:
            try:
                self.op(stmt.op)
                self.results(stmt)
                self.bind(stmt.vars)
            except (_Mistake, PrimTypeError) as mistake:
                text = show(Block((stmt,), ())).split("\n")[0]
                raise VerifyError(f"function {self.here.name}: in `{text}`: {mistake}") from None
        return tuple(self.use(atom) for atom in block.results)

    def results(self, stmt: Stmt) -> None:
        types = result_types(stmt.op)
        if len(types) != len(stmt.vars):
            raise _Mistake(f"{len(types)} results for {len(stmt.vars)} variables")
        for var, type in zip(stmt.vars, types, strict=True):
            if var.type != type:
                raise _Mistake(f"{var} has type {var.type}, its value {type}")

    def block(self, block: Block, params: Sequence[Var] = ()) -> tuple[Type, ...]:
        """The types of the results of a nested block that binds `params` at its head."""
        outside = len(self.trail)
        self.bind(params)
        types = self.stmts(block)
        while len(self.trail) > outside:
            del self.scope[self.trail.pop()]
        return types

    def expect_params(self, function: Lambda, types: Sequence[Type], what: str) -> None:
        found = tuple(p.type for p in function.params)
        if found != tuple(types):
            raise _Mistake(f"{what} has parameters of types ({listed(found)}), given ({listed(types)})")

    # ------------------------------------------------------------ operations

    def op(self, op: Op) -> None:
        match op:
            case ir.Prim(name, args, attrs):
                for arg in args:
                    self.use(arg)
                if name not in PRIMITIVES:
                    raise _Mistake(f"no primitive {name}")
                if list(attrs) != sorted(dict(attrs).items()):
                    raise _Mistake("attributes are not sorted by name, or come twice")
            case ir.Call():
                self.call(op)
            case ir.If(cond, then, orelse):
                self.typed(cond, ir.BOOL, "the condition")
                yes, no = self.block(then), self.block(orelse)
                if yes != no:
                    raise _Mistake(f"branches have types ({listed(yes)}) and ({listed(no)})")
            case ir.Map(arrays, body, shapes):
                self.expect_params(body, self.rows(arrays), "the function")
                self.shapes(shapes, self.block(body.body, body.params))
            case ir.Reduce(arrays, neutral, body) | ir.Scan(arrays, neutral, body):
                state = [self.use(atom) for atom in neutral]
                self.expect_params(body, [*state, *self.rows(arrays)], "the operator")
                self.state(self.block(body.body, body.params), state)
            case ir.Loop():
                self.loop(op)
            case ir.Diff():
                self.diff(op)
            case ir.Custom():
                self.custom(op)
            case _:
                assert_never(op)

    def rows(self, arrays: Sequence[Atom]) -> list[Type]:
        """The types of elements along axis 0."""
        if not arrays:
            raise _Mistake("no arrays")
        types = [self.use(array) for array in arrays]
        for type in types:
            if type.rank == 0:
                raise _Mistake(f"an operand of type {type} where an array is needed")
        return [Type(type.dtype, type.rank - 1) for type in types]

    def shapes(self, shapes: Sequence[Sequence[Atom]], rows: Sequence[Type]) -> None:
        if len(shapes) != len(rows):
            raise _Mistake(f"{len(shapes)} shapes for {len(rows)} results")
        for shape, row in zip(shapes, rows, strict=True):
            if len(shape) != row.rank:
                raise _Mistake(f"a shape of {len(shape)} sizes for a result of type {row}")
            for size in shape:
                self.typed(size, ir.I64, "a size")

    def state(self, found: Sequence[Type], expected: Sequence[Type]) -> None:
        if tuple(found) != tuple(expected):
            raise _Mistake(f"the next state has types ({listed(found)}), not ({listed(expected)})")

    def call(self, op: ir.Call) -> None:
        callee = self.program.functions.get(op.function)
        if callee is None:
            raise _Mistake(f"no function {op.function}")
        self.all_typed(op.args, [p.type for p in callee.params], "argument")
        if op.types != callee.result_types:
            raise _Mistake(f"results of types ({listed(op.types)}) from a function of ({listed(callee.result_types)})")

    def loop(self, op: ir.Loop) -> None:
        if (op.count is None) == (op.cond is None):
            raise _Mistake("a loop has either a count or a condition")
        if op.count is not None:
            self.typed(op.count, ir.I64, "the count")
        if op.index.type != ir.I64:
            raise _Mistake(f"the index has type {op.index.type}")
        state = [p.type for p in op.params]
        self.all_typed(op.init, state, "initial value")
        if op.cond is not None:
            self.expect_params(op.cond, state, "the condition")
            if self.block(op.cond.body, op.cond.params) != (ir.BOOL,):
                raise _Mistake("the condition does not give one bool")
        results = self.block(op.body, (op.index, *op.params))
        self.state(results[:len(state)], state)
        self.shapes(op.collect_shapes, results[len(state):])

    def diff(self, op: ir.Diff) -> None:
        params = [p.type for p in op.body.params]
        self.all_typed(op.args, params, "argument")
        results = self.block(op.body.body, op.body.params)
        seeded = params if op.mode == "jvp" else results
        self.all_typed(op.seeds, [type for type in seeded if type.is_float], "seed")

    def custom(self, op: ir.Custom) -> None:
        args = [self.use(atom) for atom in op.args]
        self.expect_params(op.body, args, "the function")
        values = self.block(op.body.body, op.body.params)
        given, wanted = (args, values) if op.mode == "jvp" else (values, args)
        self.expect_params(op.rule, [*args, *values, *(t for t in given if t.is_float)], "the rule")
        found = self.block(op.rule.body, op.rule.params)
        if found != tuple(t for t in wanted if t.is_float):
            raise _Mistake(f"the rule gives types ({listed(found)})")


def listed(types: Sequence[Type]) -> str:
    return ", ".join(map(str, types))
