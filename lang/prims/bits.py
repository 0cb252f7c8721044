"""Elementwise primitives on the representation of numbers: bits, neighbours, exact scaling and fused multiplication."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ..core import ir
from ..core.ir import Atom, Type
from ..core.primitive import Attrs, Primitive, register
from .common import NUMPY_NAMES, elementwise_rank, expect_attrs, expect_count, fail, one, same_dtype, unbroadcast
from .declare import ANY, binary, lazily, ufunc

if TYPE_CHECKING:
    from ..core.build import Builder


def _unsigned(x: Any) -> tuple[list[int], int, Any]:
    """The elements read as unsigned integers, how many bits each has, and the elements' shape."""
    import numpy as np

    x = np.asarray(x)
    bits = x.dtype.itemsize * 8
    return [int(v) % (1 << bits) for v in x.reshape(-1)], bits, x.shape


# ------------------------------------------------------------------ counting bits


def _counted(count: Callable[[int, int], int]) -> Callable[[Any], Any]:
    def evaluate(x: Any) -> Any:
        import numpy as np

        values, bits, shape = _unsigned(x)
        return np.array([count(v, bits) for v in values], np.int32).reshape(shape)[()]

    return evaluate


for _name, _count, _doc in (
    ("popc", lambda v, bits: v.bit_count(), "How many bits are set."),
    ("clz", lambda v, bits: bits - v.bit_length(), "How many zeros stand before the first bit that is set."),
    ("ctz", lambda v, bits: (v & -v).bit_length() - 1 if v else bits, "How many zeros follow the last bit set."),
):
    register(
        Primitive(
            _name,
            same_dtype(1, ir.INTEGERS, "i32"),
            _counted(_count),
            f"_{_name}({{0}})",
            elementwise=True,
            flat=True,
            grade="flat",
            doc=_doc,
        )
    )


def _mul_hi(x: Any, y: Any) -> Any:
    import numpy as np

    x, y = np.broadcast_arrays(x, y)
    (xs, bits, shape), (ys, _, _) = _unsigned(x), _unsigned(y)
    high = np.array([a * b >> bits for a, b in zip(xs, ys, strict=True)], np.dtype(f"u{bits // 8}"))
    return high.view(x.dtype).reshape(shape)[()]


register(
    Primitive(
        "mul_hi",
        same_dtype(2, ir.INTEGERS),
        _mul_hi,
        "_mul_hi({0}, {1})",
        elementwise=True,
        flat=True,
        grade="flat",
        commutative=True,
        doc="The upper half of the product; signed numbers are multiplied as the unsigned ones of the same bits.",
    )
)

# ------------------------------------------------------------------ the same bits as another type


def _bitcast_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_count(args, 1)
    expect_attrs(attrs, to=str)
    to = str(attrs["to"])
    if to not in ir.DTYPES or "bool" in (to, args[0].dtype) or to[1:] != args[0].dtype[1:]:
        raise fail(f"the bits of {args[0]} as {to}")
    return Type(to, args[0].rank)


def _bitcast(x: Any, to: str) -> Any:
    import numpy as np

    return np.asarray(x).view(NUMPY_NAMES[to])[()]


register(
    Primitive(
        "bitcast",
        _bitcast_type,
        _bitcast,
        "_bitcast({0}, '{to}')",
        flops=0,
        elementwise=True,
        flat=True,
        grade="flat",
        doc="The number of type `to` that has the same bits.",
    )
)

# ------------------------------------------------------------------ neighbours and scaling

binary(
    "nextafter",
    lambda b, x, y, r: one(r),
    lambda b, x, y, r: None,
    lambda mp, x, y: x,
    numpy="np.nextafter({0}, {1})",
    grade="jump",
    doc="The float next to `x` in the direction of `y`. Its derivative is 1 in `x` and 0 in `y`.",
)


def _ldexp_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_count(args, 2)
    expect_attrs(attrs)
    if not args[0].is_float or args[1].dtype != "i32":
        raise fail(f"operands of types {args[0]}, {args[1]}")
    return Type(args[0].dtype, elementwise_rank(args))


def _ldexp_jvp(
    b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
) -> Atom | None:
    dx = tangents[0]
    return None if dx is None else b.prim("ldexp", dx, args[1])


def _ldexp_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    return [unbroadcast(b, b.prim("ldexp", ct, args[1]), args[0]), None]


register(
    Primitive(
        "ldexp",
        _ldexp_type,
        ufunc("ldexp"),
        "np.ldexp({0}, {1})",
        elementwise=True,
        jvp=_ldexp_jvp,
        vjp=_ldexp_vjp,
        doc="x * 2**n, rounded once.",
    )
)

# ------------------------------------------------------------------ fused multiplication and addition


def _fma(x: Any, y: Any, z: Any) -> Any:
    import numpy as np

    x, y, z = np.broadcast_arrays(x, y, z)
    out = np.empty(x.shape, x.dtype)
    with np.errstate(all="ignore"):
        for k in np.ndindex(x.shape):
            out[k] = _exact_fma(x[k], y[k], z[k])
    return out[()]


def _exact_fma(x: Any, y: Any, z: Any) -> Any:
    """x * y + z in exact arithmetic, rounded once to the type of `x`, halves to even."""
    import numpy as np

    if not (math.isfinite(x) and math.isfinite(y)):
        return x * y + z
    if not math.isfinite(z):
        return z
    exact = Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
    if exact == 0:
        return x * y + z
    try:
        near = x.dtype.type(float(exact))
    except OverflowError:
        return x.dtype.type(math.inf if exact > 0 else -math.inf)
    candidates = [near, np.nextafter(near, -np.inf, dtype=x.dtype), np.nextafter(near, np.inf, dtype=x.dtype)]
    if not math.isfinite(near):
        return near
    finite = [c for c in candidates if math.isfinite(c)]

    def distance(c: Any) -> tuple[Fraction, int]:
        return abs(Fraction(float(c)) - exact), int(_bitcast(c, f"u{c.dtype.itemsize * 8}")) & 1

    return min(finite, key=distance)


register(
    Primitive(
        "fma",
        same_dtype(3, ir.FLOATS),
        _fma,
        "_fma({0}, {1}, {2})",
        flops=2,
        elementwise=True,
        mp=lambda mp, x, y, z: x * y + z,
        sample=(ANY, ANY, ANY),
        partials=lazily(
            [lambda b, args, r: args[1], lambda b, args, r: args[0], lambda b, args, r: one(r)]
        ),
        doc="x * y + z, rounded once.",
    )
)
