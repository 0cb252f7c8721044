"""What passes know of a function's values: definitions and sizes (`sizes`), and ranges of integers.

In: a function. Out: an object that answers in addition
- `bounds(i)`: sizes and constants that an integer is not below, and not above, by where it comes from: an index of a
  map or loop, a state that only grows, a remainder, an operand of a check passed before, or of a branch taken;
- `in_range(i, n)`: whether 0 <= i < n follows.

`Simplifier` (module `simplify`) extends it and keeps it true while rewriting; `fuse` only asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ...lang.core import ir
from ...lang.core.ir import Atom, Const, Op, Prim, Var
from ...lang.core.walk import scopes
from .sizes import PATIENCE, Bounds, Dim, Known, Linear, Origin, Signature, Size, Sizes

# Primitives that read or write at places given by numbers, apart from those that `inside` looks at.
PLACES = frozenset(("slice", "gather", "update_slice", "accumulate_slice", "accumulate_at", "max_at", "min_at", "take",
                    "put", "put_add"))
LINKS = 3  # how many clamped indices are looked at inside each other
OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}


class Facts(Sizes):
    early = False
    """Whether the question is about running something where it might not have run at all."""
    links = 0
    """How many clamped indices are being looked at inside each other."""

    # ------------------------------------------------------------ ranges

    def assume(self, cond: Atom, truth: bool) -> None:
        """Take note that `cond` has this value in the block being looked at."""
        pending = [(cond, truth)]
        while pending:
            atom, holds = pending.pop()
            op = self.prim(self.resolve(atom))
            if op is None:
                continue
            args = [self.resolve(a) for a in op.args]
            if op.name == "not":
                pending.append((args[0], not holds))
            elif op.name == ("and" if holds else "or"):
                pending += [(a, holds) for a in args]
            elif len(args) == 2 and args[0].type == args[1].type == ir.I64:
                self._compare(op.name if holds else OPPOSITE.get(op.name, ""), args[0], args[1])

    def _compare(self, name: str, x: Atom, y: Atom) -> None:
        match name:
            case "lt" | "le":
                self._order(x, y, int(name == "lt"))
            case "gt" | "ge":
                self._order(y, x, int(name == "gt"))
            case "eq":
                self._order(x, y, 0)
                self._order(y, x, 0)
            case "ne":
                for a, b in ((x, y), (y, x)):
                    lowers, uppers = self.bounds(a)
                    if self.affine(b) in lowers:
                        self._order(b, a, 1)
                    if self.affine(b) in uppers:
                        self._order(a, b, 1)

    def _order(self, x: Atom, y: Atom, gap: int) -> None:
        """x + gap <= y"""
        (p, m), (q, n) = self.affine(x), self.affine(y)
        if p is not None:
            self.known.bound(p, upper=(q, n - m - gap))
        if q is not None:
            self.known.bound(q, lower=(p, m - n + gap))

    def nonnegative(self, atom: Atom) -> bool:
        return any(self._is_nonnegative(low) for low in self.bounds(atom)[0])

    def _is_nonnegative(self, low: Linear) -> bool:
        return low[1] >= 0 and (low[0] is None or isinstance(low[0], Dim))

    def is_positive(self, low: Linear) -> bool:
        return self._is_nonnegative((low[0], low[1] - 1))

    def in_range(self, i: Atom, n: Size) -> bool:
        """Whether 0 <= i < n is certain."""
        lowers, uppers = self.bounds(i)
        base, offset = self.affine(n)
        return any(map(self._is_nonnegative, lowers)) and any(b == base and o < offset for b, o in uppers)

    def inside(self, op: Op) -> bool:
        """Whether all reads and writes of places in `op` are in range for good.

        That there is no check at a place does not say so: it may be that the place is never reached, in a map over
        nothing, or that a branch or an earlier check is what makes it safe. What is assumed here does not count.
        """
        known, self.known = self.known, Known(None)
        self.early = True
        safe = self._inside(op)
        self.early = False
        self.known = known
        return safe

    def _inside(self, op: Op) -> bool:
        match op:
            case Prim(name="index" | "update" | "accumulate" as name, args=args):
                array, indices = self.resolve(args[0]), args[1 if name == "index" else 2 :]
                assert isinstance(array, Var)
                return all(self.in_range(self.resolve(i), self.size(array, axis)) for axis, i in enumerate(indices))
            case Prim(name=name):
                return name not in PLACES
            case _:
                return all(self._inside(stmt.op) for _, block in scopes(op) for stmt in block.stmts)

    def bounds(self, atom: Atom, patience: int = PATIENCE) -> Bounds:
        """Lower and upper bounds of an i64 scalar; each holds."""
        base, offset = self.affine(atom)
        lowers: list[Linear] = [(base, offset)]
        uppers: list[Linear] = [(base, offset)]
        if isinstance(base, Dim):
            lowers.append((None, offset))
        known_lowers, known_uppers = self.known.bounds_of(base)
        lowers += [(b, o + offset) for b, o in known_lowers]
        uppers += [(b, o + offset) for b, o in known_uppers]
        if isinstance(base, Var) and patience > 0:
            more_lowers, more_uppers = self._bounds_of(base, patience - 1)
            lowers += [(b, o + offset) for b, o in more_lowers]
            uppers += [(b, o + offset) for b, o in more_uppers]
        return lowers, uppers

    def _bounds_of(self, var: Var, patience: int) -> Bounds:
        origin = self.origin.get(var)
        if origin is None:
            return [], []
        below: list[Linear] = []
        if isinstance(origin, Origin):
            if not origin.parameter:
                return [], []
            match origin.op:
                case ir.Map(arrays=arrays):
                    iota = self.prim(self.resolve(arrays[origin.k]), "iota")
                    if iota is not None:
                        base, offset = self.affine(self.resolve(iota.args[0]))
                        return [(None, 0)], [(base, offset - 1)]
                case ir.Loop(count=count) if origin.k == -1:
                    if count is not None:
                        base, offset = self.affine(self.resolve(count))
                        below = [(base, offset - 1)]
                    return [(None, 0)], below
                case ir.Loop(init=init, body=body, params=params) if var.type == ir.I64 and var in params:
                    # A state that only grows stays above its first value, one that only shrinks below it.
                    first = self.bounds(self.resolve(init[origin.k]), patience // 2)
                    step = self.prim(body.results[origin.k])
                    if step is not None and step.name in ("add", "sub") and step.args[0] == var:
                        by = step.args[1]
                        if isinstance(by, Const):
                            grows = (by.value >= 0) == (step.name == "add")
                            return (first[0], []) if grows else ([], first[1])
            return [], []
        op = origin
        if var.type != ir.I64:
            return [], []
        args = [self.resolve(a) for a in op.args]
        match op.name:
            case "check_size":
                return [(None, 0)], []
            case "mod":
                # 0 <= x mod n < n for n > 0; that a size is not 0 has been checked where this runs at all.
                base, offset = self.affine(args[1])
                if self._is_nonnegative((base, offset - int(self.early))):
                    return [(None, 0)], [(base, offset - 1)]
            case "add" | "sub" | "min" | "max":
                xs, ys = self.bounds(args[0], patience // 2), self.bounds(args[1], patience // 2)
                lowers, uppers = _combine(op.name, xs, ys)
                if op.name == "max":
                    uppers = uppers + self._linked(xs[1], ys[1], 1) + self._linked(ys[1], xs[1], 1)
                if op.name == "min":
                    lowers = lowers + self._linked(xs[0], ys[0], 0) + self._linked(ys[0], xs[0], 0)
                return lowers, uppers
        return [], []

    def _linked(self, xs: list[Linear], ys: list[Linear], side: int) -> list[Linear]:
        """Bounds of a clamped index: max (i - 1) 0 <= i, since 0 <= i; min (i + 1) (n - 1) >= i, since i <= n - 1."""
        pick = max if side else min
        found: list[Linear] = []
        if self.links >= LINKS:  # bounds of bounds may lead back to where they are asked for
            return found
        self.links += 1
        for base, offset in xs:
            if isinstance(base, Var):
                bounds = self.bounds(base, 1)
                for other, more in ys:
                    for q, reach in bounds[1 - side]:
                        if q == other and q != base:
                            shift = pick(offset, more - reach)
                            found += [(b, o + shift) for b, o in bounds[side]]
        self.links -= 1
        return found


def _combine(name: str, xs: Bounds, ys: Bounds) -> Bounds:
    (x_low, x_high), (y_low, y_high) = xs, ys
    match name:
        case "add":
            return _sums(x_low, y_low), _sums(x_high, y_high)
        case "sub":
            return _differences(x_low, y_high), _differences(x_high, y_low)
        case "min":
            return _weaker(x_low, y_low, min), x_high + y_high
        case _:
            return x_low + y_low, _weaker(x_high, y_high, max)


def _sums(xs: list[Linear], ys: list[Linear]) -> list[Linear]:
    return [(p if q is None else q, m + n) for p, m in xs for q, n in ys if p is None or q is None]


def _differences(xs: list[Linear], ys: list[Linear]) -> list[Linear]:
    return [(None if p == q else p, m - n) for p, m in xs for q, n in ys if q is None or p == q]


def _weaker(xs: list[Linear], ys: list[Linear], pick: Callable[[int, int], int]) -> list[Linear]:
    return [(p, pick(m, n)) for p, m in xs for q, n in ys if p == q]


class Signatures(Mapping[str, Signature]):
    """What is known of the shapes of results, of functions as they are declared: worked out when somebody asks.

    To a function only those are known that were declared before it.
    """

    def __init__(self, broadcasting: bool = False) -> None:
        self.broadcasting = broadcasting
        self.functions: dict[str, tuple[int, ir.Function]] = {}
        self.made: dict[str, Signature] = {}
        self.until: int | None = None

    def declare(self, function: ir.Function) -> None:
        self.functions[function.name] = (len(self.functions), function)

    def __contains__(self, name: object) -> bool:
        found = self.functions.get(str(name))
        return found is not None and (self.until is None or found[0] < self.until)

    def __getitem__(self, name: str) -> Signature:
        made = self.made.get(name)
        if made is None:
            number, function = self.functions[name]
            until, self.until = self.until, number
            made = self.made[name] = Facts(function, self, self.broadcasting).signature(function)
            self.until = until
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(self.functions)

    def __len__(self) -> int:
        return len(self.functions)
