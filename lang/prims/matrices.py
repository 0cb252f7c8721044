"""Primitives of linear algebra: products, triangular and general systems, factorisations by elimination and QR.

Determinants are in `determinants`, eigenvalues and singular values in `spectra`.

The last two axes of an operand are a matrix; axes in front, which only vectorised code has, are lanes and broadcast.
All are total: a matrix that has no factor or inverse gives nan, `failed_pivot` finds out where it went wrong, and
`check_pivot` says so. The rules of derivatives are those of

    M. Giles, An extended collection of matrix derivative results for forward and reverse mode AD (2008),
    I. Murray, Differentiation of the Cholesky decomposition (arXiv:1602.07527, 2016), section 3,
    S. Walter & L. Lehmann, Algorithmic differentiation of linear algebra functions with application in optimum
    experimental design (arXiv:1001.1654, 2010), section 2.1 (QR).

Notation: `x_adj` is the adjoint of `x`, `dx` its tangent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..core.cost import elements
from ..core.ir import Atom, Const, Type
from ..core.primitive import Attrs, Jvp, Primitive, Shape, Vjp, register
from . import matrix_reference as reference
from .common import apply, expect_attrs, expect_count, fail, number, tangent_or_zero

if TYPE_CHECKING:
    from ..core.build import Builder

PARTS = ("lower", "lower_half", "strict_lower", "upper", "strict_upper")


# ------------------------------------------------------------------ typing and small idioms


def matrices(count: int, drop: int = 0, extra: Callable[[Attrs], None] | None = None) -> Callable[..., Type]:
    """`count` matrices of floats of one dtype; the result has the largest rank, less `drop` axes."""

    def infer(args: Sequence[Type], attrs: Attrs) -> Type:
        expect_count(args, count)
        if extra is None:
            expect_attrs(attrs)
        else:
            extra(attrs)
        for arg in args:
            if arg.rank < 2 or not arg.is_float or arg.dtype != args[0].dtype:
                raise fail(f"operands of types {', '.join(map(str, args))}")
        return Type(args[0].dtype, max(arg.rank for arg in args) - drop)

    return infer


def _triangle_attrs(attrs: Attrs) -> None:
    expect_attrs(attrs, part=str)
    if attrs["part"] not in PARTS:
        raise fail(f"no part {attrs['part']!r}")


def _upper_attrs(attrs: Attrs) -> None:
    expect_attrs(attrs, upper=bool)


def transposed(b: Builder, x: Atom) -> Atom:
    return b.prim("transpose", x, perm=(1, 0))


def product(b: Builder, x: Atom, y: Atom) -> Atom:
    return b.prim("matmul", x, y)


def part(b: Builder, x: Atom, which: str) -> Atom:
    return b.prim("triangle", x, part=which)


def symmetric(b: Builder, x: Atom) -> Atom:
    """(x + xᵀ) / 2"""
    return b.mul(number(0.5, x), b.add(x, transposed(b, x)))


# ------------------------------------------------------------------ products and triangles


def _matmul_type(args: Sequence[Type], attrs: Attrs) -> Type:
    """Of integers too."""
    expect_count(args, 2)
    expect_attrs(attrs)
    if any(a.rank < 2 or a.dtype == "bool" or a.dtype != args[0].dtype for a in args):
        raise fail(f"operands of types {', '.join(map(str, args))}")
    return Type(args[0].dtype, max(a.rank for a in args))


def _matmul_jvp(
    b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
) -> Atom | None:
    (x, y), (dx, dy) = args, tangents
    left = None if dx is None else product(b, dx, y)
    right = None if dy is None else product(b, x, dy)
    return right if left is None else left if right is None else b.add(left, right)


def _matmul_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    x, y = args
    return [product(b, ct, transposed(b, y)), product(b, transposed(b, x), ct)]


def eliminations(shape: Shape) -> Any:
    """Of Gaussian elimination: n³ 2/3 - n²/2 - n/6 operations (Golub & Van Loan, Matrix Computations, 3.2)."""
    n = shape[-1]
    return elements(shape[:-2]) * n * (n - 1) * (4 * n + 1) / 6


def roots(shape: Shape) -> Any:
    """Of Cholesky's factor: n³/3 + n²/2 + n/6 operations, square roots included."""
    n = shape[-1]
    return elements(shape[:-2]) * n * (n + 1) * (2 * n + 1) / 6


register(
    Primitive(
        "matmul",
        _matmul_type,
        reference.matmul,
        "np.matmul({0}, {1})",
        flops=lambda shapes, result, _: 2 * elements(result) * shapes[0][-1],
        jvp=_matmul_jvp,
        vjp=_matmul_vjp,
        doc="The product of two matrices.",
    )
)
register(
    Primitive(
        "triangle",
        matrices(1, extra=_triangle_attrs),
        reference.triangle,
        "_triangle({0}, '{part}')",
        jvp=lambda b, args, r, tangents, attrs: (
            None if tangents[0] is None else part(b, tangents[0], str(attrs["part"]))
        ),
        vjp=lambda b, args, r, ct, attrs: [part(b, ct, str(attrs["part"]))],
        grade="affine",
        doc="The matrix with zeros outside of a triangle: `lower`, `upper`, without the diagonal `strict_lower`, "
        "`strict_upper`, with half of it `lower_half`.",
    )
)

# ------------------------------------------------------------------ systems of equations


def _solved(name: str, tri: Callable[[Builder, Atom, Attrs], Atom]) -> tuple[Jvp, Vjp]:
    """The rules of X = A⁻¹ B, where `tri` of a matrix is the part that is read of A."""

    def across(attrs: Attrs) -> Attrs:
        return {"upper": not attrs["upper"]} if attrs else attrs

    def jvp(b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs) -> Atom | None:
        # dX = A⁻¹ (dB - tri(dA) X)
        (a, rhs), (da, drhs) = args, tangents
        if da is None and drhs is None:
            return None
        change = tangent_or_zero(b, drhs, rhs)
        if da is not None:
            change = b.sub(change, product(b, tri(b, da, attrs), r))
        return apply(b, name, [a, change], attrs)

    def vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
        # B_adj = A⁻ᵀ X_adj, A_adj = - tri(B_adj Xᵀ)
        rhs_adj = apply(b, name, [transposed(b, args[0]), ct], across(attrs))
        return [b.neg(tri(b, product(b, rhs_adj, transposed(b, r)), attrs)), rhs_adj]

    return jvp, vjp


_jvp, _vjp = _solved("solve_triangular", lambda b, x, attrs: part(b, x, "upper" if attrs["upper"] else "lower"))
register(
    Primitive(
        "solve_triangular",
        matrices(2, extra=_upper_attrs),
        reference.solve_triangular,
        "_solve_triangular({0}, {1}, {upper})",
        flops=lambda shapes, result, _: elements(result) * shapes[0][-1],
        jvp=_jvp,
        vjp=_vjp,
        doc="X with L X = B, where of L only the lower triangle is read, or only the upper one; nan where a number "
        "on the diagonal is zero.",
    )
)

_jvp, _vjp = _solved("solve", lambda b, x, attrs: x)
register(
    Primitive(
        "solve",
        matrices(2),
        reference.solve,
        "_solve({0}, {1})",
        flops=lambda shapes, result, _: eliminations(shapes[0]) + 2 * elements(result) * shapes[0][-1],
        jvp=_jvp,
        vjp=_vjp,
        doc="X with A X = B.",
    )
)


def _inverse_jvp(
    b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
) -> Atom | None:
    return None if tangents[0] is None else b.neg(product(b, product(b, r, tangents[0]), r))


def _inverse_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    across = transposed(b, r)
    return [b.neg(product(b, product(b, across, ct), across))]


register(
    Primitive(
        "inverse",
        matrices(1),
        reference.inverse,
        "_inverse({0})",
        flops=lambda shapes, result, _: 2 * elements(result) * shapes[0][-1],
        jvp=_inverse_jvp,
        vjp=_inverse_vjp,
        doc="A⁻¹.",
    )
)

# ------------------------------------------------------------------ factorisations


def _cholesky_jvp(
    b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
) -> Atom | None:
    # dL = L Φ(L⁻¹ dA L⁻ᵀ), Φ: the lower triangle with half of the diagonal
    if tangents[0] is None:
        return None
    left = b.prim("solve_triangular", r, symmetric(b, tangents[0]), upper=False)
    both = b.prim("solve_triangular", r, transposed(b, left), upper=False)
    return product(b, r, part(b, both, "lower_half"))


def _cholesky_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    # A_adj is the symmetric part of L⁻ᵀ Φ(Lᵀ L_adj) L⁻¹
    across = transposed(b, r)
    inner = part(b, product(b, across, ct), "lower_half")
    left = b.prim("solve_triangular", across, inner, upper=True)
    return [symmetric(b, b.prim("solve_triangular", across, transposed(b, left), upper=True))]


register(
    Primitive(
        "cholesky",
        matrices(1),
        reference.cholesky,
        "_cholesky({0})",
        flops=lambda shapes, result, _: roots(shapes[0]),
        jvp=_cholesky_jvp,
        vjp=_cholesky_vjp,
        doc="The lower triangular L with L Lᵀ = (A + Aᵀ) / 2; from the pivot on that is not positive, nan.",
    )
)


def _orthogonal_jvp(
    b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
) -> Atom | None:
    # With C = dA R⁻¹ and M = Qᵀ C: dQ = C - Q (triu M + (stril M)ᵀ)
    da = tangents[0]
    if da is None:
        return None
    upper = product(b, transposed(b, r), args[0])
    c = transposed(b, b.prim("solve_triangular", transposed(b, upper), transposed(b, da), upper=False))
    m = product(b, transposed(b, r), c)
    kept = b.add(part(b, m, "upper"), transposed(b, part(b, m, "strict_lower")))
    return b.sub(c, product(b, r, kept))


def _orthogonal_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    # C_adj = Q_adj - Q (triu G + stril(Gᵀ)) with G = Qᵀ Q_adj; A_adj = C_adj R⁻ᵀ
    across = transposed(b, r)
    upper = product(b, across, args[0])
    g = product(b, across, ct)
    kept = b.add(part(b, g, "upper"), part(b, transposed(b, g), "strict_lower"))
    c_adj = b.sub(ct, product(b, r, kept))
    return [transposed(b, b.prim("solve_triangular", upper, transposed(b, c_adj), upper=True))]


register(
    Primitive(
        "orthogonal",
        matrices(1),
        reference.orthogonal,
        "_orthogonal({0})",
        flops=lambda shapes, result, _: 4 * elements(shapes[0]) * shapes[0][-1],
        jvp=_orthogonal_jvp,
        vjp=_orthogonal_vjp,
        doc="Q of A = Q R, R upper triangular with a positive diagonal; A has at least as many rows as columns.",
    )
)


def identity(b: Builder, like: Atom) -> Atom:
    """The identity matrix of the size of a square one."""
    n = b.dim(like)
    places = b.prim("replicate", n, b.prim("iota", n))
    return b.prim("cast", b.prim("eq", places, transposed(b, places)), to=like.type.dtype)


def rows(b: Builder, x: Atom, start: Atom, count: Atom) -> Atom:
    """`count` rows from `start`, where several matrices stand below each other."""
    return b.prim("slice", x, start, count, Const(1, "i64"), axis=0)


def _lu_parts(b: Builder, r: Atom) -> tuple[Atom, Atom, Atom]:
    """L, U and P of an `lu`."""
    n = b.dim(r, 1)
    both = rows(b, r, Const(0, "i64"), n)
    return b.add(part(b, both, "strict_lower"), identity(b, both)), part(b, both, "upper"), rows(b, r, n, n)


def _lu_jvp(b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs) -> Atom | None:
    # With T = L⁻¹ P dA U⁻¹: dL = L stril T, dU = triu T U
    if tangents[0] is None:
        return None
    l, u, p = _lu_parts(b, r)
    left = b.prim("solve_triangular", l, product(b, p, tangents[0]), upper=False)
    t = transposed(b, b.prim("solve_triangular", transposed(b, u), transposed(b, left), upper=False))
    both = b.add(product(b, l, part(b, t, "strict_lower")), product(b, part(b, t, "upper"), u))
    return b.prim("concat", both, b.zeros_like(p))


def _lu_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    # T_adj = stril(Lᵀ L_adj) + triu(U_adj Uᵀ), A_adj = Pᵀ L⁻ᵀ T_adj U⁻ᵀ
    l, u, p = _lu_parts(b, r)
    both = rows(b, ct, Const(0, "i64"), b.dim(p))
    low = part(b, product(b, transposed(b, l), part(b, both, "strict_lower")), "strict_lower")
    high = part(b, product(b, part(b, both, "upper"), transposed(b, u)), "upper")
    left = b.prim("solve_triangular", transposed(b, l), b.add(low, high), upper=True)
    right = transposed(b, b.prim("solve_triangular", u, transposed(b, left), upper=True))
    return [product(b, transposed(b, p), right)]


register(
    Primitive(
        "lu",
        matrices(1),
        reference.lu,
        "_lu({0})",
        flops=lambda shapes, result, _: eliminations(shapes[0]),
        jvp=_lu_jvp,
        vjp=_lu_vjp,
        grade="jump",
        doc="Of a square matrix, P A = L U by elimination with pivoting by rows: one square above the other, L below "
        "its diagonal of ones together with U, and P. Where a pivot is zero, the derivative is nan.",
    )
)

# ------------------------------------------------------------------ what went wrong


def _failed_type(args: Sequence[Type], attrs: Attrs) -> Type:
    expect_count(args, 2)
    expect_attrs(attrs, kind=str)
    if attrs["kind"] not in ("cholesky", "general", "triangular"):
        raise fail(f"no kind {attrs['kind']!r}")
    return Type("i64", args[0].rank - 2)


register(
    Primitive(
        "failed_pivot",
        _failed_type,
        reference.failed_pivot,
        "_failed_pivot({0}, {1}, '{kind}')",
        moves="none",
        flat=True,
        grade="flat",
        doc="Given a matrix and what was computed from it: the number of the pivot that is not positive (`cholesky`) "
        "or is zero, or -1. Only a result with nan is looked into.",
    )
)

MATRIX_PRIMITIVES = (
    "matmul", "triangle", "solve_triangular", "solve", "inverse", "log_det", "det_sign", "det", "cofactors",
    "cofactors_along", "cholesky", "orthogonal", "lu", "eigen", "eigen_toward", "svd",
)  # fmt: skip
"""Those that take matrices and run on stacks of them; `failed_pivot` too."""
