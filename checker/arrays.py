"""Arrays: indexing, slices, updates, ranges, comprehensions; and which indices are proved inside their axis.

The size of a slice is the difference of its bounds where both are size expressions; otherwise the expression opens a
size. An index is proved when, as a polynomial, it stays between 0 and the axis for all values of the loop indices in
it.
"""
from __future__ import annotations

from collections.abc import Sequence

from ..lang.sizes import OversizedSize, Size, SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import I64, Array, Derived, Error, Fun, Meta, Scalar, Tuple, Type
from . import patterns
from .context import Because, BoundsJob, Checker, name_of

ONE = Size.constant(1)
ZERO = Size.constant(0)


# ---------------------------------------------------------------- index and slice


def infer_index(c: Checker, e: ast.Index, want: Type | None = None) -> Type:
    from .infer import infer

    array = infer(c, e.array)
    return indexed(c, e, e.array, array, e.indices, e.span)


def indexed(c: Checker, node: ast.Exp, array_exp: ast.Exp, array: Type, indices: Sequence[ast.IndexArg],
            span: Span) -> Type:
    """The type of `array[indices]`; every index takes one axis, every slice keeps one."""
    kept: list[Size] = []
    t = array
    for axis, index in enumerate(indices):
        t = c.solver.prune(t)
        if isinstance(t, (Meta, Derived)):
            fresh = Array(c.solver.size_meta("", array_exp.span, f"the size of `{name_of(array_exp.span.text)}`"),
                          c.solver.meta())
            if not c.unify(t, fresh, array_exp.span, Because(title="this is indexed, so it is an array")):
                t = Error()
            else:
                t = fresh
        if not isinstance(t, Array):
            _not_indexable(c, array_exp, array, t, axis, indices)
            for rest in indices[axis:]:
                _infer_arg(c, rest)
            return Error()
        if isinstance(index, ast.Slice):
            kept.append(_slice(c, node, index, array_exp, axis, t.size))
        else:
            _index(c, index, array_exp, axis, t.size)
        t = t.element
    for size in reversed(kept):
        t = Array(size, t)
    return t


def _infer_arg(c: Checker, index: ast.IndexArg) -> None:
    from .infer import infer

    if isinstance(index, ast.Slice):
        for part in (index.start, index.stop, index.step):
            if part is not None:
                infer(c, part)
    else:
        infer(c, index)


def _not_indexable(c: Checker, e: ast.Exp, whole: Type, t: Type, axis: int, indices: Sequence[ast.IndexArg]) -> None:
    if isinstance(t, Error):
        return
    shown = c.show(whole)
    if axis > 0:
        c.error("E211",
                f"{len(indices)} indices, but `{name_of(e.span.text)}` has {axis} {'axis' if axis == 1 else 'axes'}",
                indices[axis].span, "no axis is left for this index", others=[(e.span, f"this is {shown}")],
                help="remove the index")
    elif isinstance(t, Tuple):
        index = indices[0]
        c.error("E210", "a tuple is not indexed with brackets", e.span, f"this is {shown}",
                help=f"write `{e.span.text}.{index.span.text}`" if isinstance(index, ast.Lit)
                else "its parts are `.0`, `.1`, …")
    else:
        c.error("E210", f"only arrays have indices, and this is {shown}", e.span, "not an array",
                help="put a space before the bracket to pass an array as an argument" if isinstance(t, Fun) else None)


COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})


def _index(c: Checker, index: ast.Exp, array: ast.Exp, axis: int, size: Size) -> None:
    from .calls import size_of
    from .clashes import Kind
    from .infer import blame, infer

    if isinstance(index, ast.BinOp) and index.op in COMPARISONS:
        c.error("E212", "a condition is no index", index.span, "this is true or false",
                help="keep the elements for which it holds: `filter (\\x -> x > 0) xs`")
        return
    t = c.solver.prune(infer(c, index, I64))
    if not isinstance(t, Scalar) or c.solver.require(t, Kind("int")) is not None:
        c.unify(t, I64, blame(index).span, Because("", None, title="an index is an integer", code="E212"))
    value = size_of(c, index)
    c.bounds.append(BoundsJob(index, index, array, axis, size, value, c.facts, c.given))


def _slice(c: Checker, node: ast.Exp, s: ast.Slice, array: ast.Exp, axis: int, size: Size) -> Size:
    """The size of one sliced axis."""
    from .calls import size_of
    from .infer import check
    from .typexp import combine

    because = Because("", None, title="the bounds of a slice are i64", code="E212")
    for part in (s.start, s.stop, s.step):
        if part is not None:
            check(c, part, I64, because)
    step = ONE if s.step is None else size_of(c, s.step)
    if step is not None and step.value == 0:
        assert s.step is not None
        c.error("E309", "the step of a slice is zero", s.step.span, "no step", help="write 1, or leave it out")
        return c.solver.size_meta()
    start = ZERO if s.start is None else size_of(c, s.start)
    stop = size if s.stop is None else size_of(c, s.stop)
    if step is not None and step.value == 1 and start is not None and stop is not None:
        length = stop - start
        for part, value in ((s.start, start), (s.stop, stop)):
            if part is not None and value.value is not None and value.value < 0:
                c.error("E305", f"the bound {value} is negative", part.span, "slices count from the front",
                        help=f"count from the length: `length {array.span.text} - {-value.value}`")
                return c.solver.size_meta()
        c.bounds.append(BoundsJob(s, node, array, axis, size, None, (*c.facts, start, length, size - stop), c.given))
        if length.value is not None and length.value < 0:
            c.error("E305", "the slice ends before it begins", s.span, f"from {start} to {stop}")
            return c.solver.size_meta()
        return length
    if step is not None and step.value is not None and s.start is None and s.stop is None:
        # Every k-th element, from either end.
        c.bounds.append(BoundsJob(s, node, array, axis, size, None, (*c.facts, ZERO, ZERO, ZERO), c.given))
        return combine("/", size + Size.constant(abs(step.value) - 1), Size.constant(abs(step.value)))
    if step is not None and step.value is not None and step.value > 1 and start is not None and stop is not None:
        parts = (start, stop - start, size - stop)
        c.bounds.append(BoundsJob(s, node, array, axis, size, None, (*c.facts, *parts), c.given))
        return combine("/", stop - start + step - ONE, step)
    missing = [" ".join(part.span.text.split()) for part, known in
               ((s.start, start), (s.stop, stop), (s.step, step if step is None or step.value is not None else None))
               if part is not None and known is None]
    unknown = f"`{missing[0]}`" if missing else "where it ends"
    c.bounds.append(BoundsJob(s, node, array, axis, size, None, c.facts, c.given, unknown))
    var = c.solver.size_var(name_of(f"{array.span.text}[{s.span.text}]"), s.span, "the size of this slice")
    c.opened[node] = (*c.opened.get(node, ()), var)
    return Size.of(var)


def infer_index_section(c: Checker, e: ast.IndexSection, want: Type | None = None) -> Type:
    known = c.solver.prune(want) if want is not None else None
    array: Type = known.param if isinstance(known, Fun) else c.solver.meta()
    return Fun(array, indexed(c, e, e, array, e.indices, e.span))


def infer_update_exp(c: Checker, e: ast.Update, want: Type | None = None) -> Type:
    return infer_update(c, e, e.base, e.indices, e.value)


def infer_update(c: Checker, node: ast.Exp, base: ast.Exp, indices: Sequence[ast.IndexArg], value: ast.Exp) -> Type:
    from .infer import check, infer

    array = infer(c, base)
    sliced = {s for s in indices if isinstance(s, ast.Slice)}
    before = c.opened.get(node, ())
    part = indexed(c, node, base, array, indices, node.span)
    axes: list[tuple[Size, Size]] = []
    if sliced:
        # How much a slice replaces is compared when the program runs, where it is not known to fit.
        opened = {v for v in c.opened.pop(node, ()) if v not in before}
        if before:
            c.opened[node] = before
        part = _loosened(c, part, len(sliced), axes)
    check(c, value, part, Because("what is replaced is {expected}", base.span, title="the new value does not fit"))
    if sliced:
        c.at_end.append(lambda: _replaced(c, sliced, opened, axes, value, base))
    return array


def _loosened(c: Checker, t: Type, count: int, axes: list[tuple[Size, Size]]) -> Type:
    """The type with unknown sizes for its first axes."""
    t = c.solver.prune(t)
    if count == 0 or not isinstance(t, Array):
        return t
    axes.append((c.solver.size_meta(), t.size))
    return Array(axes[-1][0], _loosened(c, t.element, count - 1, axes))


def _replaced(c: Checker, sliced: set[ast.Slice], opened: set[SizeVar], axes: list[tuple[Size, Size]],
              value: ast.Exp, base: ast.Exp) -> None:
    """Whether a new part certainly fits, certainly does not, or is to be compared."""
    for found, wanted in axes:
        found, wanted = c.solver.size(found), c.solver.size(wanted)
        difference = found - wanted
        if difference.value is not None and difference.terms and not opened & set(wanted.atoms()):
            c.error("E301", f"the new part has size {found}, and what it replaces has size {wanted}", value.span,
                    "this does not fit", others=[(base.span, f"a slice of size {wanted} of this")],
                    help="give as many elements as the slice has")
            return
        if difference.terms:
            c.loose_slices.update(sliced)


# ---------------------------------------------------------------- ranges


def infer_range(c: Checker, e: ast.Range, want: Type | None = None) -> Type:
    from .calls import size_of
    from .clashes import Kind
    from .infer import check, infer

    t = infer(c, e.start)
    bad = c.solver.require(t, Kind("int"))
    if bad is not None and not isinstance(bad, Error):
        c.error("E202", f"a range counts integers, not {c.show(bad)}", e.start.span, f"this is {c.show(bad)}",
                help="make the range of integers and convert: `map f64 (0..<n)`")
        t = Error()
    for part in (e.second, e.end):
        if part is not None:
            check(c, part, t, Because("the range starts with {expected}", e.start.span))
    start, end = size_of(c, e.start), size_of(c, e.end)
    if e.second is None and e.kind in ("...", "..<") and start is not None and end is not None:
        length = end - start + (ONE if e.kind == "..." else ZERO)
        if length.value is not None and length.value < 0:
            c.error("E305", f"this range is empty by {-length.value}: it counts upwards", e.span,
                    f"from {start} to {end}",
                    help=f"to count downwards: `{start}..{start - ONE}{'...' if e.kind == '...' else '..>'}{end}`")
            return Array(ZERO, t)
        if (start.value is not None and start.value in (0, 1)) or nonnegative(c, length, c.facts):
            return Array(length, t)
    var = c.solver.size_var(name_of(e.span.text), e.span, "the size of this range")
    c.opened[e] = (var,)
    return Array(Size.of(var), t)


# ---------------------------------------------------------------- comprehensions and loop indices


def infer_count(c: Checker, clause: ast.ForBelow) -> tuple[Type, Size | None]:
    """The bound of `for i < n`: its type, any integer type, which is the index's too; and as a size if it is i64.

    A bound that is a literal has the type that the index turns out to have.
    """
    from .calls import size_of
    from .clashes import Kind
    from .infer import infer

    t = c.solver.prune(infer(c, clause.bound))
    if isinstance(t, Error):
        return t, None
    if isinstance(t, Scalar) and t != I64 and c.solver.require(t, Kind("int")) is None:
        return t, None
    if isinstance(t, Meta) and t.uid in c.solver.kinds and c.solver.require(t, Kind("int")) is None:
        return t, size_of(c, clause.bound)
    return I64, bound_size(c, clause, t)


def infer_bound(c: Checker, clause: ast.ForBelow) -> Size:
    """The bound of an axis, `[… for i < n]`, as a size."""
    from .infer import infer

    return bound_size(c, clause, infer(c, clause.bound, I64))


def bound_size(c: Checker, clause: ast.ForBelow, found: Type) -> Size:
    from .calls import argument_size
    from .infer import blame

    because = Because("", None, title="an index counts in i64", code="E212")
    if not c.unify(found, I64, blame(clause.bound).span, because):
        return c.solver.size_meta()
    return argument_size(c, clause.bound)


def infer_elements(c: Checker, clause: ast.ForIn) -> Type:
    """The type of the elements that `p in xs` runs over."""
    from .infer import infer

    t = c.solver.prune(infer(c, clause.array))
    bound = index_bound(c, clause.array)
    size = _below(c, bound) if bound is not None else None
    if size is not None:
        c.index_params[clause.pattern] = size
    if isinstance(t, (Meta, Derived)):
        fresh = Array(c.solver.size_meta(), c.solver.meta())
        c.unify(t, fresh, clause.array.span, Because())
        t = fresh
    if isinstance(t, Array):
        return t.element
    if not isinstance(t, Error):
        c.error("E210", f"`in` runs over an array, and this is {c.show(t)}", clause.array.span, "not an array",
                help=f"to count, write `{clause.pattern.span.text} < {clause.array.span.text}`" if t == I64 else None)
    return Error()


def bind_index(c: Checker, clause: ast.ForBelow, bound: Size | None, counted: Type = I64) -> None:
    local = c.local(clause, clause.name, clause.span, counted, f"the index `{clause.name}`")
    local.below = bound
    if bound is not None:
        # Where the body runs, there is at least one index.
        c.facts = (*c.facts, bound - ONE)


def infer_comprehension(c: Checker, e: ast.Comprehension, want: Type | None = None) -> Type:
    from .infer import infer

    mark, facts = len(c.undo), c.facts
    sizes: list[Size] = []
    c.solver.level += 1
    for clause in e.clauses:
        if isinstance(clause, ast.ForBelow):
            c.solver.level -= 1
            bound = infer_bound(c, clause)
            c.solver.level += 1
            sizes.append(bound)
            bind_index(c, clause, bound)
        else:
            # The array of the first clause stands outside: a size that it opens is that of the result.
            outside = not sizes
            c.solver.level -= outside
            element = infer_elements(c, clause)
            c.solver.level += outside
            array = c.solver.prune(c.types[clause.array])
            sizes.append(array.size if isinstance(array, Array) else c.solver.size_meta())
            patterns.bind(c, clause.pattern, element, "loop")
    body = infer(c, e.body)
    c.leave(mark)
    c.facts = facts
    c.solver.level -= 1
    t = body
    for k, size in enumerate([*reversed(sizes), None]):
        known = c.solver.prune(t)
        if isinstance(known, Array) and c.is_inner(known.size):
            _irregular(c, e, known.size, k)
            return Error()
        if size is not None:
            t = Array(size, t)
    element = c.solver.prune(body)
    while isinstance(element, Array):
        if c.is_inner(element.size):
            _irregular(c, e, element.size, 0)
            return Error()
        element = c.solver.prune(element.element)
    return t


def _irregular(c: Checker, e: ast.Comprehension, size: Size, depth: int) -> None:
    c.error("E302", "the rows of this array would have different lengths", e.body.span if depth == 0 else e.span,
            f"a row has size {c.solver.size(size)}, which is known only inside",
            notes=["an array is a box: all rows have one length, known where the array is made"],
            help="make rows of one length and choose with `if`, or fold instead of building an array")


TABULATIONS = {"tabulate": 1, "tabulate_2d": 2, "tabulate_3d": 3}
MAPS = frozenset({"map", "map1", "map2", "map3", "map4", "map5"})


def index_facts(c: Checker, f: ast.Exp, arguments: Sequence[ast.Exp]) -> list[tuple[int, ast.Exp]]:
    """For `tabulate n (\\i -> …)` and `map (\\i -> …) (iota n)`: which parameters of the lambda stay below what."""
    if not isinstance(f, ast.Name) or f.qualifier or _meant_otherwise(c, f.name):
        return []
    if f.name in TABULATIONS and len(arguments) == TABULATIONS[f.name] + 1 and isinstance(arguments[-1], ast.Lambda):
        return list(enumerate(arguments[:-1]))
    if f.name in MAPS and len(arguments) > 1 and isinstance(arguments[0], ast.Lambda):
        found = [(k, index_bound(c, array)) for k, array in enumerate(arguments[1:])]
        return [(k, bound) for k, bound in found if bound is not None]
    return []


def _meant_otherwise(c: Checker, name: str) -> bool:
    return name in c.names or c.file.value(name) is not None


def index_bound(c: Checker, array: ast.Exp) -> ast.Exp | None:
    """Of `iota n`, `indices xs` and `0..<n`: the size, or the array of the size, that the elements stay below."""
    match array:
        case ast.Apply(function=ast.Name(name="iota" | "indices" as name, qualifier=()), arguments=(bound,)):
            return None if _meant_otherwise(c, name) else bound
        case ast.Range(start=ast.Lit(value=0), second=None, end=bound, kind="..<"):
            return bound
    return None


def pending_index(c: Checker, bounds: Sequence[tuple[int, ast.Exp]], argument: ast.Exp) -> None:
    """Remember that parameters of the lambda that follows are indices below what `bounds` says."""
    if not isinstance(argument, ast.Lambda):
        return
    for k, bound in bounds:
        size = _below(c, bound)
        if size is not None and k < len(argument.params) and isinstance(argument.params[k], ast.PName):
            c.index_params[argument.params[k]] = size
            c.facts = (*c.facts, size - ONE)


def _below(c: Checker, bound: ast.Exp) -> Size | None:
    from .calls import size_of

    t = c.solver.prune(c.types.get(bound, Error()))
    if isinstance(t, Array):
        return c.solver.size(t.size)
    return size_of(c, bound) if t == I64 or isinstance(t, Meta) else None


def conditions(c: Checker, e: ast.Exp, holds: bool) -> tuple[Size, ...]:
    """Sizes that are at least 0 where the condition holds, or where it does not; none if they are too large to keep."""
    try:
        return _conditions(c, e, holds)
    except OversizedSize:
        return ()


def _conditions(c: Checker, e: ast.Exp, holds: bool) -> tuple[Size, ...]:
    from .calls import size_of

    match e:
        case ast.UnOp(op="!", operand=operand):
            return _conditions(c, operand, not holds)
        case ast.BinOp(op="&&" | "||" as op, left=left, right=right):
            both = (op == "&&") == holds
            return (*_conditions(c, left, holds), *_conditions(c, right, holds)) if both else ()
        case ast.BinOp(op="<" | "<=" | ">" | ">=" | "==" | "!=" as written, left=left, right=right):
            relation: str = written
            if I64 not in (c.solver.prune(c.types.get(left, Error())), c.solver.prune(c.types.get(right, Error()))):
                return ()
            if not holds:
                relation = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}[relation]
            one, other = size_of(c, left), size_of(c, right)
            if one is None or other is None or relation == "!=":
                return ()
            if relation == "==":
                return (one - other, other - one)
            if relation in (">", ">="):
                one, other = other, one
            return (other - one - (ONE if relation in ("<", ">") else ZERO),)
        case _:
            return ()


# ---------------------------------------------------------------- proofs


def nonnegative(c: Checker, s: Size, facts: Sequence[Size], given: Sequence[Size] = ()) -> bool:
    """Whether the polynomial is at least 0, given facts that are, for all values of the indices and sizes in it.

    `given` is what conditions say of the very values that are meant: nothing may be concluded for other ones.
    """
    try:
        return _always(c, s, facts) or any(_always(c, s - known, facts) for known in given)
    except OversizedSize:
        return False


def _always(c: Checker, s: Size, facts: Sequence[Size]) -> bool:
    plain = [f for f in (c.solver.size(f) for f in facts) if not any(a in c.indices for a in f.atoms())]
    least = _extreme(c, c.solver.size(s), plain)
    if least is None:
        return False
    if _follows(c, least, plain):
        return True
    # Facts about indices that depend on other indices, at their least.
    useful = [bound for bound in (_extreme(c, c.solver.size(f), plain) for f in facts) if bound is not None]
    return any(_clearly(c, least - one - other) for k, one in enumerate(useful) for other in useful[k:])


def _follows(c: Checker, s: Size, facts: Sequence[Size]) -> bool:
    """At least 0 by itself, or by one of the facts."""
    return _clearly(c, s) or any(_clearly(c, s - fact) for fact in facts)


def _extreme(c: Checker, s: Size, facts: Sequence[Size]) -> Size | None:
    """A lower bound of `s` without loop indices: each at its first or last value, the innermost first."""
    for _ in range(16):
        indices = [a for a in s.atoms() if isinstance(a, SizeVar) and a in c.indices]
        if not indices:
            return s
        var = max(indices, key=lambda a: a.uid)
        coefficient = ZERO
        for monomial, factor in s.terms:
            count = sum(1 for a in monomial if a == var)
            if count > 1:
                return None
            if count == 1:
                rest = list(monomial)
                rest.remove(var)
                part = Size.constant(factor)
                for a in rest:
                    part = part * Size.of(a)
                coefficient = coefficient + part
        if not coefficient.terms:
            return None
        if _follows(c, coefficient, facts):
            s = s.substitute({var: ZERO})
        elif _follows(c, -coefficient, facts):
            s = s.substitute({var: c.solver.size(c.indices[var]) - ONE})
        else:
            return None
    return None


def _clearly(c: Checker, s: Size) -> bool:
    """Every term is a product of sizes with a coefficient of at least 0."""
    for monomial, coefficient in s.terms:
        if coefficient < 0:
            return False
        for a in monomial:
            if not isinstance(a, SizeVar) or a.fixed or a in c.values:
                return False
    return True


def prove(c: Checker, job: BoundsJob) -> bool:
    """Whether the index or slice is inside its axis. Reports constants that are outside for certain."""
    size = c.solver.size(job.size)
    if job.unknown:
        return False
    if isinstance(job.node, ast.Slice):
        start, length, rest = job.facts[-3:]
        for part, what in ((start, "starts"), (rest, "ends")):
            amount = c.solver.size(part).value
            if amount is not None and amount < 0:
                c.error("E305", f"the slice {what} outside the array", job.node.span, "this slice",
                        others=[(job.array.span, f"axis {job.axis} has size {size}")])
                return False
        given = (*job.facts[:-3], size)
        return all(nonnegative(c, part, given, job.given) for part in (start, length, rest))
    if job.value is None:
        return False
    value = c.solver.size(job.value)
    if value.value is not None:
        number = value.value
        if number < 0:
            c.error("E305", f"the index {number} is negative", job.index.span, "arrays count from 0",
                    others=[(job.array.span, f"axis {job.axis} has size {size}")],
                    help=f"count from the end with `length`: `{job.array.span.text}[{size}{number}]`")
            return False
        if size.value is not None and number >= size.value:
            c.error("E305", f"the index {number} is outside the array", job.index.span,
                    f"the last index is {size.value - 1}" if size.value else "there is no index",
                    others=[(job.array.span, f"axis {job.axis} has size {size}")])
            return False
        if size.value is not None:
            return True
    facts = (*job.facts, size)
    return nonnegative(c, value, facts, job.given) and nonnegative(c, size - ONE - value, facts, job.given)


__all__ = ["Scalar", "infer_comprehension", "infer_index", "infer_range", "nonnegative", "prove"]
