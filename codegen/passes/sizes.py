"""Where values come from, and what their sizes are.

In: a function. Out: an object that answers, without changing the program,
- `prim(x)`: the primitive that defines `x`, if one does;
- `size(x, axis)`: the atom that the length of an axis equals, or the `Dim` of the value it came from;
- `affine(n)`, `same(m, n)`: sizes as base + constant, and whether two are provably one.

Answers name variables that are in scope wherever the value asked about is. The shapes of loop states are found by
induction: assumed to stay what they were at first, then checked on the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ...lang.core import ir
from ...lang.core.ir import Atom, Const, Op, Var
from ...lang.core.walk import scopes
from ...lang.prims import PRIMITIVES

SAME_SHAPE = frozenset(
    (
        "zeros_like",
        "reverse",
        "rotate",
        "update",
        "accumulate",
        "update_slice",
        "accumulate_slice",
        "accumulate_at",
        "max_at",
        "min_at",
        "scatter",
        "cumsum",
        "cumprod",
        "cummax",
        "cummin",
        "argsort",
        "stop_grad",
    )
)
REDUCING = frozenset(("sum", "ordered_sum", "prod", "maximum", "minimum", "all", "any", "argmax", "argmin"))
CHECKS = frozenset(
    ("check_index", "check_slice", "check_equal", "check_divisor", "check_size", "check_pivot", "check_settled",
     "check_range", "assert")
)
LOOPS_TRUSTED = 6  # nesting of loops below which shapes of states are found by induction: each level may look twice
BOUNDS = 6  # how many assumed bounds of a value are remembered in a block
PATIENCE = 12  # how far chains of index arithmetic are followed


class Dim(NamedTuple):
    """The length of `axis` of a value of which no more is known."""

    var: Var
    axis: int


Size = Atom | Dim
Base = Atom | Dim | None
Linear = tuple[Base, int]  # base + constant; the base None is zero
Bounds = tuple[list[Linear], list[Linear]]  # lower and upper ones, each of which holds


@dataclass(slots=True)
class Origin:
    """Where a variable comes from: result or parameter number `k` of an operation; a loop's index is parameter -1."""

    op: Op
    k: int
    parameter: bool = False


# What a function's callers may know of the shape of a result, axis by axis: a constant, the axis of a parameter, or the
# value of a parameter (axis None).
Signature = tuple[tuple[Const | tuple[int, int | None] | None, ...], ...]


class Known:
    """What holds in a block by checks passed and branches taken, on top of what holds in the block around it."""

    def __init__(self, outer: Known | None) -> None:
        self.outer = outer
        self.equal: dict[Base, Linear] = {}
        self.bounds: dict[Base, Bounds] = {}

    def equal_of(self, base: Base) -> Linear | None:
        here: Known | None = self
        while here is not None:
            if base in here.equal:
                return here.equal[base]
            here = here.outer
        return None

    def bounds_of(self, base: Base) -> Bounds:
        lowers: list[Linear] = []
        uppers: list[Linear] = []
        here: Known | None = self
        while here is not None:
            if base in here.bounds:
                lowers += here.bounds[base][0]
                uppers += here.bounds[base][1]
            here = here.outer
        return lowers, uppers

    def bound(self, base: Base, *, lower: Linear | None = None, upper: Linear | None = None) -> None:
        """Add a bound; of many, the latest are remembered."""
        lowers, uppers = self.bounds.setdefault(base, ([], []))
        for bounds, new in ((lowers, lower), (uppers, upper)):
            if new is not None and new not in bounds:
                bounds.append(new)
                del bounds[:-BOUNDS]


class Sizes:
    def __init__(self, function: ir.Function, signatures: Mapping[str, Signature], broadcasting: bool = False) -> None:
        self.env: dict[Var, Atom] = {}
        self.origin: dict[Var, Origin | ir.Prim] = {}
        """Where variables come from; of the result of a primitive, that primitive."""
        self.level: dict[Var, int] = dict.fromkeys(function.params, 0)
        self.sizes: dict[Dim, Size] = {}
        self.known = Known(None)
        self.broadcasting = broadcasting
        self.signatures = signatures
        self._loops = 0
        for param, dims in zip(function.params, function.dims, strict=False):
            for axis, atom in enumerate(dims):
                if atom is not None:
                    self.sizes[Dim(param, axis)] = atom
        self._survey(function.body, 0)

    # ------------------------------------------------------------ definitions

    def resolve(self, atom: Atom) -> Atom:
        """The atom that stands for this one by now."""
        while isinstance(atom, Var):
            known = self.env.get(atom)
            if known is None:
                return atom
            atom = known
        return atom

    def prim(self, atom: Atom, name: str | None = None) -> ir.Prim | None:
        """The primitive (of this name) whose result `atom` is."""
        if isinstance(atom, Var):
            origin = self.origin.get(atom)
            if isinstance(origin, ir.Prim) and (name is None or origin.name == name):
                return origin
        return None

    def _bind(self, vars: tuple[Var, ...], op: Op, level: int) -> None:
        if isinstance(op, ir.Prim):
            self.origin[vars[0]] = op
            self.level[vars[0]] = level
            return
        for k, var in enumerate(vars):
            self.origin[var] = Origin(op, k)
            self.level[var] = level

    def bind_params(self, op: Op, level: int) -> None:
        """Note the variables that the blocks of `op` bind at their heads."""
        match op:
            case ir.Map(body=body) | ir.Reduce(body=body) | ir.Scan(body=body) | ir.Diff(body=body):
                params: tuple[tuple[Var, ...], ...] = (body.params,)
            case ir.Custom(_, lam, rule, _):
                params = (lam.params, rule.params)
            case ir.Loop(cond=cond, params=state, index=index):
                params = (state, cond.params if cond is not None else ())
                self.origin[index] = Origin(op, -1, True)
                self.level[index] = level
            case _:
                return
        for vars in params:
            for k, var in enumerate(vars):
                self.origin[var] = Origin(op, k, True)
                self.level[var] = level

    def _survey(self, block: ir.Block, level: int) -> None:
        """Take note of what is known before any statement is looked at: all but where scalar floats come from, since
        no size depends on them.
        """
        for stmt in block.stmts:
            op = stmt.op
            if isinstance(op, ir.Prim):
                var = stmt.vars[0]
                type = var.type
                if type.rank or not type.is_float:
                    self.origin[var] = op
                    self.level[var] = level
                continue
            self._bind(stmt.vars, op, level)
            self.bind_params(op, level + 1)
            if isinstance(op, ir.Loop):
                self._survey_loop(stmt.vars, op, level)
                continue
            for _, inner in scopes(op):
                self._survey(inner, level + 1)
            if isinstance(op, ir.If | ir.Map | ir.Scan):
                # Asked now, in the order of the program, so that the answers' recursion goes by nesting, not by length.
                for var in stmt.vars:
                    for axis in range(var.type.rank):
                        self.size(var, axis)

    def _survey_loop(self, vars: tuple[Var, ...], op: ir.Loop, level: int) -> None:
        if op.cond is not None:
            self._survey(op.cond.body, level + 1)
        shaped = [(k, axis) for k, p in enumerate(op.params) for axis in range(p.type.rank)]
        trusted = shaped if self._loops < LOOPS_TRUSTED else []
        known = len(self.sizes)
        self._loops += 1
        while True:
            for k, axis in trusted:
                size = self.of(op.init[k], axis)
                self.sizes[Dim(op.params[k], axis)] = size
                if op.cond is not None:
                    self.sizes[Dim(op.cond.params[k], axis)] = size
            self._survey(op.body, level + 1)
            kept = [
                (k, axis)
                for k, axis in trusted
                if self.same(self.of(op.body.results[k], axis), self.of(op.init[k], axis))
            ]
            if len(kept) == len(trusted):
                break
            while len(self.sizes) > known:  # what was concluded from a false assumption
                self.sizes.popitem()
            trusted = []
        self._loops -= 1
        for k, axis in trusted:
            self.sizes[Dim(vars[k], axis)] = self.of(op.init[k], axis)

    # ------------------------------------------------------------ sizes

    def signature(self, function: ir.Function) -> Signature:
        """What is known of the shapes of this function's results, for its callers."""
        params = {param: k for k, param in enumerate(function.params)}

        def told(size: Size) -> Const | tuple[int, int | None] | None:
            if isinstance(size, Const):
                return size
            if isinstance(size, Var):
                if size in params:
                    return params[size], None
                base, offset = self.affine(size)
                if offset != 0 or not isinstance(base, Dim):
                    return None
                size = base
            return (params[size.var], size.axis) if size.var in params else None

        return tuple(
            tuple(told(self.of(result, axis)) for axis in range(result.type.rank)) for result in function.body.results
        )

    def of(self, atom: Atom, axis: int) -> Size:
        """The length of an axis of an array."""
        atom = self.resolve(atom)
        assert isinstance(atom, Var)
        return self.size(atom, axis)

    def size(self, var: Var, axis: int) -> Size:
        """The atom that the length of `axis` of `var` equals, else the `Dim` of the value that it was taken over
        from."""
        here = Dim(var, axis)
        passed: list[Dim] = []
        while True:
            known = self.sizes.get(here)
            if known is None:
                known = self._step(here)
                if known is None:
                    result: Size = here
                    break
                passed.append(here)
            if not isinstance(known, Dim):
                result = self.resolve(known)
                break
            base = self.resolve(known.var)
            assert isinstance(base, Var)
            following = Dim(base, known.axis)
            if following == here:
                result = here
                break
            here = following
        for dim in passed:
            self.sizes[dim] = result
        return result

    def _step(self, here: Dim) -> Size | None:
        """One step towards where a size comes from; None at the end."""
        var, axis = here
        origin = self.origin.get(var)
        if origin is None:
            return None
        if isinstance(origin, ir.Prim):
            return self._prim_size(origin, var, axis)
        k = origin.k
        match origin.op:
            case ir.If(_, then, orelse):
                ours, theirs = self.of(then.results[k], axis), self.of(orelse.results[k], axis)
                seen = ours.var if isinstance(ours, Dim) else ours
                outside = isinstance(seen, Const) or self.level.get(seen, 0) <= self.level[var]
                return ours if outside and self._always_same(ours, theirs) else None
            case ir.Map(arrays, _, shapes):
                if origin.parameter:
                    return self._at(arrays[k], axis + 1)
                if axis > 0:
                    return shapes[k][axis - 1]
                return self._length(arrays)
            case ir.Reduce(arrays, neutral, _) | ir.Scan(arrays, neutral, _) as op:
                if origin.parameter:
                    return (
                        self._at(neutral[k], axis) if k < len(neutral) else self._at(arrays[k - len(neutral)], axis + 1)
                    )
                if isinstance(op, ir.Reduce):
                    return self._at(neutral[k], axis)
                return self._length(arrays) if axis == 0 else self._at(neutral[k], axis - 1)
            case ir.Loop(count=count, init=init, collect_shapes=shapes):
                row = k - len(init)
                if origin.parameter or not 0 <= row < len(shapes):
                    return None
                if axis > 0:
                    return shapes[row][axis - 1]
                return count if count is not None and self.nonnegative(self.resolve(count)) else None
            case ir.Call(name, args, _) if name in self.signatures:
                match self.signatures[name][k][axis]:
                    case (parameter, None):
                        return self.resolve(args[parameter])
                    case (parameter, int() as place):
                        return self._at(args[parameter], place)
                    case known:
                        return known
            case ir.Custom(args=args):
                if origin.parameter and k < len(args):
                    return self._at(args[k], axis)
            case ir.Diff(mode, body, args, _):
                if origin.parameter:
                    return self._at(args[k], axis)
                back = k - len(body.body.results)
                if mode == "vjp" and back >= 0:
                    floats = [arg for arg, p in zip(args, body.params, strict=True) if p.type.is_float]
                    return self._at(floats[back], axis)
        return None

    def _at(self, atom: Atom, axis: int) -> Dim:
        """The next place to look, left to the caller's loop."""
        var = self.resolve(atom)
        assert isinstance(var, Var)
        return Dim(var, axis)

    def _length(self, arrays: tuple[Atom, ...]) -> Size:
        """The common length of arrays, as an atom if one of them tells."""
        first: Size | None = None
        for array in arrays:
            size = self.of(array, 0)
            if not isinstance(size, Dim):
                return size
            first = first or size
        assert first is not None
        return first

    def _prim_size(self, op: ir.Prim, var: Var, axis: int) -> Size | None:
        args = op.args
        if op.name in SAME_SHAPE:
            return self._at(args[0], axis)
        if op.name in REDUCING:
            along = op.attr("axis")
            assert isinstance(along, int)
            return self._at(args[0], axis if axis < along else axis + 1)
        match op.name:
            case "iota":
                return args[0]
            case "replicate":
                return args[0] if axis == 0 else self._at(args[1], axis - 1)
            case "stack":
                return Const(len(args), "i64") if axis == 0 else self._at(args[0], axis - 1)
            case "concat":
                return self._at(args[0], axis) if axis > 0 or len(args) == 1 else None
            case "reshape":
                return args[1 + axis]
            case "transpose":
                perm = op.attr("perm")
                assert isinstance(perm, tuple)
                return self._at(args[0], perm[axis])
            case "slice":
                return args[2] if axis == op.attr("axis") else self._at(args[0], axis)
            case "index":
                return self._at(args[0], axis + len(args) - 1)
            case "gather":
                common = args[1].type.rank if len(args) > 1 else 0
                return self._at(args[1], axis) if axis < common else self._at(args[0], axis - common + len(args) - 1)
        if PRIMITIVES[op.name].elementwise and not self.broadcasting:
            for arg in args:
                if arg.type.rank == var.type.rank:
                    return self._at(arg, axis)
        return None

    # ------------------------------------------------------------ sizes as base + constant

    def affine(self, size: Size) -> Linear:
        """`size` as a base and a constant, in a normal form: equal results mean equal sizes."""
        offset = 0
        for _ in range(PATIENCE):
            if isinstance(size, Dim):
                known = self.size(*size)
                if isinstance(known, Dim):
                    size = known
                    break
                if self._reads(known, size):
                    break
                size = known
            size = self.resolve(size)
            if isinstance(size, Const):
                return (None, offset + int(size.value))
            op = self.prim(size)
            if op is None:
                break
            match op.name, [self.resolve(a) for a in op.args]:
                case "add", [x, Const(value)] if op.args[1].type == ir.I64:
                    size, offset = x, offset + int(value)
                case "add", [Const(value), x] if op.args[0].type == ir.I64:
                    size, offset = x, offset + int(value)
                case "sub", [x, Const(value)] if op.args[1].type == ir.I64:
                    size, offset = x, offset - int(value)
                case "dim", [Var() as x]:
                    axis = op.attr("axis")
                    assert isinstance(axis, int)
                    dim = Dim(x, axis)
                    known = self.size(x, axis)
                    if isinstance(known, Dim) or known == size:
                        size = known if isinstance(known, Dim) else dim
                        break
                    size = known
                case name, [x, *_] if name in CHECKS and x.type.rank == 0:
                    size = x
                case _:
                    break
        base: Base = size
        tied = self.known.equal_of(base)
        while tied is not None:
            base, offset = tied[0], offset + tied[1]
            tied = self.known.equal_of(base)
        return base, offset

    def _always_same(self, m: Size, n: Size) -> bool:
        """`same` without what run-time checks of the current block have found: a fact for good."""
        known, self.known = self.known, Known(None)
        same = self.same(m, n)
        self.known = known
        return same

    def _reads(self, atom: Atom, dim: Dim) -> bool:
        """Whether `atom` is the very `dim` statement that reads this length."""
        op = self.prim(atom, "dim")
        return op is not None and self.resolve(op.args[0]) == dim.var and op.attr("axis") == dim.axis

    def nonnegative(self, atom: Atom) -> bool:
        """Whether an integer is certainly not negative; `Facts` knows."""
        base, offset = self.affine(atom)
        return offset >= 0 and (base is None or isinstance(base, Dim))

    def same(self, m: Size, n: Size) -> bool:
        """Whether two sizes are provably equal."""
        return m == n or self.affine(m) == self.affine(n)
