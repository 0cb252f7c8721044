"""Primitives of linear algebra: products, triangular and general systems, factorisations, determinants.

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
from ..core.primitive import Attrs, Primitive, Shape, register
from . import matrix_reference as reference
from .common import expect_attrs, expect_count, fail, number, tangent_or_zero

if TYPE_CHECKING:
    from ..core.build import Builder

PARTS = ("lower", "lower_half", "strict_lower", "upper", "strict_upper")


# ------------------------------------------------------------------ typing and small idioms


def _matrices(count: int, drop: int = 0, extra: Callable[[Attrs], None] | None = None) -> Callable[..., Type]:
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


def _spread(b: Builder, value: Atom, like: Atom) -> Atom:
    """A scalar at every place of a matrix."""
    return b.full(value, b.shape(like))


def _sum(b: Builder, x: Atom) -> Atom:
    return b.prim("sum", b.prim("sum", x, axis=0), axis=0)


# ------------------------------------------------------------------ products and triangles


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
        _matrices(2),
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
        _matrices(1, extra=_triangle_attrs),
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


def _triangular_jvp(
    b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
) -> Atom | None:
    # dX = L⁻¹ (dB - tri(dL) X)
    (l, rhs), (dl, drhs) = args, tangents
    if dl is None and drhs is None:
        return None
    change = tangent_or_zero(b, drhs, rhs)
    if dl is not None:
        change = b.sub(change, product(b, part(b, dl, "upper" if attrs["upper"] else "lower"), r))
    return b.prim("solve_triangular", l, change, upper=bool(attrs["upper"]))


def _triangular_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    # B_adj = L⁻ᵀ X_adj, L_adj = - tri(B_adj Xᵀ)
    upper = bool(attrs["upper"])
    rhs_adj = b.prim("solve_triangular", transposed(b, args[0]), ct, upper=not upper)
    l_adj = b.neg(part(b, product(b, rhs_adj, transposed(b, r)), "upper" if upper else "lower"))
    return [l_adj, rhs_adj]


register(
    Primitive(
        "solve_triangular",
        _matrices(2, extra=_upper_attrs),
        reference.solve_triangular,
        "_solve_triangular({0}, {1}, {upper})",
        flops=lambda shapes, result, _: elements(result) * shapes[0][-1],
        jvp=_triangular_jvp,
        vjp=_triangular_vjp,
        doc="X with L X = B, where of L only the lower triangle is read, or only the upper one; nan where a number "
        "on the diagonal is zero.",
    )
)


def _solve_jvp(
    b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
) -> Atom | None:
    # dX = A⁻¹ (dB - dA X)
    (a, rhs), (da, drhs) = args, tangents
    if da is None and drhs is None:
        return None
    change = tangent_or_zero(b, drhs, rhs)
    if da is not None:
        change = b.sub(change, product(b, da, r))
    return b.prim("solve", a, change)


def _solve_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    # B_adj = A⁻ᵀ X_adj, A_adj = - B_adj Xᵀ
    rhs_adj = b.prim("solve", transposed(b, args[0]), ct)
    return [b.neg(product(b, rhs_adj, transposed(b, r))), rhs_adj]


register(
    Primitive(
        "solve",
        _matrices(2),
        reference.solve,
        "_solve({0}, {1})",
        flops=lambda shapes, result, _: eliminations(shapes[0]) + 2 * elements(result) * shapes[0][-1],
        jvp=_solve_jvp,
        vjp=_solve_vjp,
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
        _matrices(1),
        reference.inverse,
        "_inverse({0})",
        flops=lambda shapes, result, _: 2 * elements(result) * shapes[0][-1],
        jvp=_inverse_jvp,
        vjp=_inverse_vjp,
        doc="A⁻¹.",
    )
)

# ------------------------------------------------------------------ determinants


def _log_det_jvp(
    b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
) -> Atom | None:
    if tangents[0] is None:
        return None
    return _sum(b, b.mul(transposed(b, b.prim("inverse", args[0])), tangents[0]))


def _log_det_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    return [b.mul(ct, transposed(b, b.prim("inverse", args[0])))]


register(
    Primitive(
        "log_det",
        _matrices(1, drop=2),
        reference.log_det,
        "_log_det({0})",
        flops=lambda shapes, result, _: eliminations(shapes[0]),
        jvp=_log_det_jvp,
        vjp=_log_det_vjp,
        doc="log |det A|; -inf for a singular matrix, whose derivative is nan.",
    )
)


def _det_jvp(
    b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
) -> Atom | None:
    if tangents[0] is None:
        return None
    return _sum(b, b.mul(b.prim("cofactors", args[0]), tangents[0]))


def _det_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    return [b.mul(ct, b.prim("cofactors", args[0]))]


register(
    Primitive(
        "det",
        _matrices(1, drop=2),
        reference.det,
        "_det({0})",
        flops=lambda shapes, result, _: eliminations(shapes[0]),
        jvp=_det_jvp,
        vjp=_det_vjp,
        doc="The determinant; its derivative is the matrix of cofactors.",
    )
)


def _cofactors_jvp(
    b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
) -> Atom | None:
    # C = det A · A⁻ᵀ: dC = tr(A⁻¹ dA) C - C dAᵀ A⁻ᵀ
    da = tangents[0]
    if da is None:
        return None
    across = transposed(b, b.prim("inverse", args[0]))
    growth = _sum(b, b.mul(across, da))
    return b.sub(b.mul(growth, r), product(b, product(b, r, transposed(b, da)), across))


def _cofactors_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    across = transposed(b, b.prim("inverse", args[0]))
    growth = _sum(b, b.mul(ct, r))
    turned = product(b, product(b, across, transposed(b, ct)), r)
    return [b.sub(b.mul(growth, across), turned)]


register(
    Primitive(
        "cofactors",
        _matrices(1),
        reference.cofactors,
        "_cofactors({0})",
        flops=lambda shapes, result, _: 2 * elements(result) * shapes[0][-1],
        jvp=_cofactors_jvp,
        vjp=_cofactors_vjp,
        doc="det A · A⁻ᵀ, also where A is singular; its own derivative is nan there.",
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
        _matrices(1),
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
        _matrices(1),
        reference.orthogonal,
        "_orthogonal({0})",
        flops=lambda shapes, result, _: 4 * elements(shapes[0]) * shapes[0][-1],
        jvp=_orthogonal_jvp,
        vjp=_orthogonal_vjp,
        doc="Q of A = Q R, R upper triangular with a positive diagonal; A has at least as many rows as columns.",
    )
)


def _gaps(b: Builder, values: Atom) -> Atom:
    """1 / (λ_j - λ_i) at i, j, and 0 where the two are equal."""
    n = b.dim(values)
    across = b.prim("replicate", n, values)
    difference = b.sub(across, transposed(b, across))
    same = b.prim("eq", difference, number(0.0, values))
    apart = b.select(same, number(1.0, values), difference)
    return b.select(same, number(0.0, values), b.div(number(1.0, values), apart))


def _split(b: Builder, r: Atom) -> tuple[Atom, Atom]:
    """The eigenvalues and the matrix of eigenvectors of an `eigen`."""
    n = b.dim(r, 1)
    one, zero = Const(1, "i64"), Const(0, "i64")
    return b.prim("index", r, zero), b.prim("slice", r, one, n, one, axis=0)


def _joined(b: Builder, values: Atom, vectors: Atom) -> Atom:
    return b.prim("concat", b.prim("stack", values), vectors)


def _diagonal(b: Builder, x: Atom) -> Atom:
    n = b.dim(x)
    places = b.prim("iota", n)
    return b.prim("gather", x, places, places)


def _eigen_jvp(
    b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
) -> Atom | None:
    # With M = Vᵀ dA V: dλ = diag M, dV = V (gaps ∘ M)
    if tangents[0] is None:
        return None
    values, v = _split(b, r)
    m = product(b, product(b, transposed(b, v), symmetric(b, tangents[0])), v)
    return _joined(b, _diagonal(b, m), product(b, v, b.mul(_gaps(b, values), m)))


def _eigen_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    # A_adj = V (diag λ_adj + gaps ∘ Vᵀ V_adj) Vᵀ, its symmetric part
    values, v = _split(b, r)
    values_adj, v_adj = _split(b, ct)
    mixed = b.mul(_gaps(b, values), product(b, transposed(b, v), v_adj))
    places = b.prim("iota", b.dim(values))
    inner = b.prim("accumulate_at", mixed, values_adj, places, places)
    return [symmetric(b, product(b, product(b, v, inner), transposed(b, v)))]


register(
    Primitive(
        "eigen",
        _matrices(1),
        reference.eigen,
        "_eigen({0})",
        flops=lambda shapes, result, _: 9 * elements(shapes[0]) * shapes[0][-1],
        jvp=_eigen_jvp,
        vjp=_eigen_vjp,
        grade="cont",
        doc="Of a symmetric matrix, (A + Aᵀ) / 2: the eigenvalues in ascending order as the first row, and below it "
        "the matrix whose columns are the eigenvectors, of which the component of largest modulus is positive. Where "
        "two eigenvalues are equal, the derivative of their vectors leaves out what they exchange.",
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
        grade="jump",
        doc="Given a matrix and what was computed from it: the number of the pivot that is not positive (`cholesky`) "
        "or is zero, or -1. Only a result with nan is looked into.",
    )
)

MATRIX_PRIMITIVES = (
    "matmul", "triangle", "solve_triangular", "solve", "inverse", "log_det", "det", "cofactors", "cholesky",
    "orthogonal", "eigen",
)  # fmt: skip
"""Those that take matrices and run on stacks of them; `failed_pivot` too."""
