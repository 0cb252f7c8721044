"""Folds and prefixes along one axis (attribute `axis`), with closed-form derivatives.

Over nothing: sum 0, prod 1, maximum the lowest value, minimum the highest one, all
true, any false, argmax and argmin 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..core import ir
from ..core.cost import elements
from ..core.ir import Atom, Block, Const, Loop, Type
from ..core.primitive import Attrs, Infer, Jvp, Primitive, Shape, Vjp, register
from .common import axis_of, expect_count, expect_same, fail, from_front, number, spread, to_front

if TYPE_CHECKING:
    from ..core.build import Builder

NUMBERS = ir.FLOATS + ir.INTEGERS
ZERO, ONE = Const(0, "i64"), Const(1, "i64")


def along_axis(dtypes: Sequence[str], result: str | None = None, keep: bool = False) -> Infer:
    """One array of a dtype among `dtypes`; the axis is folded away, unless `keep`."""

    def infer(args: Sequence[Type], attrs: Attrs) -> Type:
        expect_count(args, 1)
        axis_of(attrs, args[0])
        if args[0].dtype not in dtypes:
            raise fail(f"operand of type {args[0]}")
        return Type(result or args[0].dtype, args[0].rank - (not keep))

    return infer


def axis_in(attrs: Attrs) -> int:
    axis = attrs["axis"]
    assert isinstance(axis, int)
    return axis


def ufunc(name: str, **options: Any) -> Callable[..., Any]:
    def evaluate(x: Any, axis: int) -> Any:
        import numpy as np

        with np.errstate(all="ignore"):
            return getattr(np, name)(x, axis=axis, **options)

    return evaluate


def same_dtype_fold(name: str) -> Callable[..., Any]:
    """sum, prod, cumsum, cumprod: NumPy would widen small integers."""

    def evaluate(x: Any, axis: int) -> Any:
        import numpy as np

        with np.errstate(all="ignore"):
            return getattr(np, name)(x, axis=axis, dtype=x.dtype)

    return evaluate


def _each_once(shapes: Sequence[Shape], result: Shape, attrs: Attrs) -> Any:
    """One operation for each element of the operand."""
    return elements(shapes[0])


Rule = Callable[["Builder", Atom, Atom, Atom, int], Atom]


def declare(
    name: str,
    evaluate: Callable[..., Any],
    jvp: Rule,
    vjp: Rule,
    *,
    keep: bool = False,
    grade: str,
    doc: str,
) -> None:
    """`jvp` and `vjp` are given array, result, (co)tangent and axis."""

    def forward(
        b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
    ) -> Atom | None:
        dx = tangents[0]
        return None if dx is None else jvp(b, args[0], r, dx, axis_in(attrs))

    def backward(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
        return [vjp(b, args[0], r, ct, axis_in(attrs))]

    forward_rule: Jvp = forward
    backward_rule: Vjp = backward
    register(
        Primitive(
            name,
            along_axis(NUMBERS, keep=keep),
            evaluate,
            jvp=forward_rule,
            vjp=backward_rule,
            flops=_each_once,
            grade=grade,
            doc=doc,
        )
    )


# ------------------------------------------------------------------ sum and cumsum


def _reverse_along(b: Builder, x: Atom, axis: int) -> Atom:
    return from_front(b, b.prim("reverse", to_front(b, x, axis)), axis)


def _cumsum_vjp(b: Builder, x: Atom, r: Atom, ct: Atom, axis: int) -> Atom:
    # the cotangent of x[i] is the sum of ct[k] over k >= i
    return _reverse_along(b, b.prim("cumsum", _reverse_along(b, ct, axis), axis=axis), axis)


declare(
    "sum",
    same_dtype_fold("sum"),
    lambda b, x, r, dx, axis: b.prim("sum", dx, axis=axis),
    lambda b, x, r, ct, axis: spread(b, ct, x, axis),
    grade="affine",
    doc="",
)
declare(
    "cumsum",
    same_dtype_fold("cumsum"),
    lambda b, x, r, dx, axis: b.prim("cumsum", dx, axis=axis),
    _cumsum_vjp,
    keep=True,
    grade="affine",
    doc="",
)

# ------------------------------------------------------------------ sums in an order that is given


def _ordered_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_count(args, 2)
    expect_same(args[1], Type("i64", 1), "the places")
    return along_axis(NUMBERS)(args[:1], attrs)


def _ordered(x: Any, places: Any, axis: int) -> Any:
    import numpy as np

    with np.errstate(all="ignore"):
        sums = np.cumsum(np.take(x, places, axis), axis, x.dtype)
        return np.take(sums, -1, axis) if len(places) else np.sum(x, axis, x.dtype)


def _ordered_jvp(b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
                 ) -> Atom | None:
    dx = tangents[0]
    return None if dx is None else b.prim("ordered_sum", dx, args[1], axis=axis_in(attrs))


def _ordered_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    return [spread(b, ct, args[0], axis_in(attrs)), None]


register(
    Primitive(
        "ordered_sum",
        _ordered_type,
        _ordered,
        numpy="_ordered_sum({0}, {1}, {axis})",
        jvp=_ordered_jvp,
        vjp=_ordered_vjp,
        flops=_each_once,
        grade="affine",
        doc="A sum along an axis, added one after the other; the places, each of them once, say in which order.",
    )
)


# ------------------------------------------------------------------ prod and cumprod


def _row_before(b: Builder, row_of: Atom, value: float) -> Atom:
    """One row of `value`, in an array of the shape of `row_of`'s rows."""
    return b.full(number(value, row_of), (ONE, *b.shape(row_of)[1:]))


def _shifted(b: Builder, prefixes: Atom, first: float) -> Atom:
    """Prefixes before each element, along axis 0: the prefixes moved one place on, `first` before the first."""
    longer = b.prim("concat", _row_before(b, prefixes, first), prefixes)
    return b.prim("slice", longer, ZERO, b.dim(prefixes), ONE, axis=0)


def _others(b: Builder, x: Atom, axis: int) -> Atom:
    """To each element the product of the others along `axis`, without dividing, so exact where elements are zero."""
    front = to_front(b, x, axis)
    before = _shifted(b, b.prim("cumprod", front, axis=0), 1.0)
    after = b.prim("reverse", _shifted(b, b.prim("cumprod", b.prim("reverse", front), axis=0), 1.0))
    return from_front(b, b.mul(before, after), axis)


declare(
    "prod",
    same_dtype_fold("prod"),
    lambda b, x, r, dx, axis: b.prim("sum", b.mul(dx, _others(b, x, axis)), axis=axis),
    lambda b, x, r, ct, axis: b.mul(spread(b, ct, x, axis), _others(b, x, axis)),
    grade="smooth",
    doc="The derivative of a product in an element is the product of the others, also where elements are 0.",
)


def _recurrence(b: Builder, factors: Atom, terms: Atom) -> Atom:
    """Along axis 0, s[k] = factors[k] * s[k-1] + terms[k] with s[-1] = 0; all of s. Exact where factors are zero."""
    start = b.full(number(0.0, terms), b.shape(terms)[1:])
    index = b.fresh("k", ir.I64)
    state = b.fresh("s", start.type)
    inner = b.nested()
    here = inner.add(inner.mul(inner.prim("index", factors, index), state), inner.prim("index", terms, index))
    body: Block = inner.block([here, here])
    loop = Loop(b.dim(terms), None, index, (state,), (start,), body, (b.shape(terms)[1:],))
    return b.bind(loop, ("last", "s"))[1]


def _cumprod_jvp(b: Builder, x: Atom, r: Atom, dx: Atom, axis: int) -> Atom:
    # dy[k] = x[k] * dy[k-1] + y[k-1] * dx[k]
    front = to_front(b, x, axis)
    before = _shifted(b, to_front(b, r, axis), 1.0)
    return from_front(b, _recurrence(b, front, b.mul(before, to_front(b, dx, axis))), axis)


def _cumprod_vjp(b: Builder, x: Atom, r: Atom, ct: Atom, axis: int) -> Atom:
    # s[i] = ct[i] + x[i+1] * s[i+1]; the cotangent of x[i] is y[i-1] * s[i]
    backwards = b.prim("reverse", to_front(b, x, axis))
    sums = _recurrence(b, _shifted(b, backwards, 0.0), b.prim("reverse", to_front(b, ct, axis)))
    before = _shifted(b, to_front(b, r, axis), 1.0)
    return from_front(b, b.mul(before, b.prim("reverse", sums)), axis)


declare(
    "cumprod",
    same_dtype_fold("cumprod"),
    _cumprod_jvp,
    _cumprod_vjp,
    keep=True,
    grade="smooth",
    doc="Exact where elements are 0.",
)

# ------------------------------------------------------------------ extremes


def _extreme(name: str) -> Callable[..., Any]:
    def evaluate(x: Any, axis: int) -> Any:
        import numpy as np

        return getattr(np, f"f{name}").reduce(x, axis=axis, initial=_worst(name, x.dtype))

    return evaluate


def _worst(name: str, dtype: Any) -> Any:
    """The extreme of nothing: lowest value for max, highest for min."""
    import numpy as np

    if dtype.kind == "f":
        return dtype.type(-np.inf if name == "max" else np.inf)
    return dtype.type(np.iinfo(dtype).min if name == "max" else np.iinfo(dtype).max)


def _ties(b: Builder, x: Atom, r: Atom, axis: int) -> tuple[Atom, Atom]:
    """Which elements attain the extreme, and how many along the axis (at least 1, also when there are no elements)."""
    tie = b.prim("eq", x, spread(b, r, x, axis))
    count = b.prim("sum", b.prim("cast", tie, to=x.type.dtype), axis=axis)
    return tie, b.prim("max", count, number(1.0, count))


def _extreme_jvp(b: Builder, x: Atom, r: Atom, dx: Atom, axis: int) -> Atom:
    tie, count = _ties(b, x, r, axis)
    return b.div(b.prim("sum", b.select(tie, dx, number(0.0, dx)), axis=axis), count)


def _extreme_vjp(b: Builder, x: Atom, r: Atom, ct: Atom, axis: int) -> Atom:
    tie, count = _ties(b, x, r, axis)
    return b.select(tie, spread(b, b.div(ct, count), x, axis), number(0.0, ct))


for _name in ("maximum", "minimum"):
    declare(
        _name,
        _extreme(_name[:3]),
        _extreme_jvp,
        _extreme_vjp,
        grade="lip",
        doc=f"Elements that tie for the {_name} share the derivative equally. nan is passed over.",
    )


def _running(name: str) -> Callable[..., Any]:
    def evaluate(x: Any, axis: int) -> Any:
        import numpy as np

        if x.dtype.kind == "f":
            x = getattr(np, name)(x, _worst(name[1:], x.dtype))
        return getattr(np, name).accumulate(x, axis=axis)

    return evaluate


def _leaders(b: Builder, x: Atom, r: Atom, better: str, worst: float) -> tuple[Atom, ...]:
    """Index arrays, one to each axis: the first place along axis 0 that attained the running extreme `r` of `x`."""
    first = b.prim(better, x, _shifted(b, r, worst))
    sizes = b.shape(x)
    place = _positions(b, sizes, 0)
    leader = b.prim("cummax", b.select(first, place, ZERO), axis=0)
    return (leader, *(_positions(b, sizes, axis) for axis in range(1, len(sizes))))


def _positions(b: Builder, sizes: Sequence[Atom], axis: int) -> Atom:
    """An array of shape `sizes` holding the index along `axis`."""
    spreadout = b.prim("iota", sizes[axis])
    for k, size in enumerate(sizes):
        if k != axis:
            spreadout = b.prim("replicate", size, spreadout)
    # The axes are now: the others from last to first, then `axis`.
    order = [*reversed([k for k in range(len(sizes)) if k != axis]), axis]
    perm = tuple(order.index(k) for k in range(len(sizes)))
    return spreadout if perm == tuple(range(len(sizes))) else b.prim("transpose", spreadout, perm=perm)


def _running_jvp(better: str, worst: float) -> Rule:
    def rule(b: Builder, x: Atom, r: Atom, dx: Atom, axis: int) -> Atom:
        leaders = _leaders(b, to_front(b, x, axis), to_front(b, r, axis), better, worst)
        return from_front(b, b.prim("gather", to_front(b, dx, axis), *leaders), axis)

    return rule


def _running_vjp(better: str, worst: float) -> Rule:
    def rule(b: Builder, x: Atom, r: Atom, ct: Atom, axis: int) -> Atom:
        front = to_front(b, x, axis)
        leaders = _leaders(b, front, to_front(b, r, axis), better, worst)
        return from_front(b, b.prim("accumulate_at", b.zeros_like(front), to_front(b, ct, axis), *leaders), axis)

    return rule


for _name, _better, _worst_value in (("cummax", "gt", -math.inf), ("cummin", "lt", math.inf)):
    declare(
        _name,
        _running("fmax" if _name == "cummax" else "fmin"),
        _running_jvp(_better, _worst_value),
        _running_vjp(_better, _worst_value),
        keep=True,
        grade="lip",
        doc="The derivative goes to the first place that attained the running extreme. nan is passed over.",
    )


def _arg(name: str) -> Callable[..., Any]:
    def evaluate(x: Any, axis: int) -> Any:
        import numpy as np

        if x.shape[axis] == 0:
            return np.zeros(x.shape[:axis] + x.shape[axis + 1 :], np.int64)[()]
        return getattr(np, name)(x, axis=axis)

    return evaluate


for _name in ("argmax", "argmin"):
    register(
        Primitive(
            _name,
            along_axis(NUMBERS, "i64"),
            _arg(_name),
            flops=_each_once,
            flat=True,
            grade="flat",
            doc="The first place of the extreme; of nan, if there is one; 0 when there are no elements.",
        )
    )
for _name in ("all", "any"):
    register(Primitive(_name, along_axis(("bool",)), ufunc(_name), flat=True, grade="flat"))
