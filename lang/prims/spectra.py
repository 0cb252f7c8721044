"""Primitives of linear algebra: eigenvalues of symmetric matrices, singular values, and their vectors.

Rules of derivatives: M. Giles, An extended collection of matrix derivative results (2008), sections 3.1 and 3.2;
J. Townsend, Differentiating the singular value decomposition (2016). See Note [Equal eigenvalues].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.cost import elements
from ..core.ir import Atom, Const
from ..core.primitive import Attrs, Primitive, register
from . import matrix_reference as reference
from .common import number
from .matrices import matrices, product, rows, symmetric, transposed

if TYPE_CHECKING:
    from ..core.build import Builder

ZERO, ONE = Const(0, "i64"), Const(1, "i64")


def _columns(b: Builder, values: Atom, count: Atom) -> Atom:
    """A matrix with `values[j]` all along column `j`."""
    return b.prim("replicate", count, values)


def _gaps(b: Builder, values: Atom, squared: bool = False) -> Atom:
    """1 / (λ_j - λ_i) at i, j, or of their squares, and 0 where the two are equal as far as their digits go."""
    across = _columns(b, values, b.dim(values))
    down = transposed(b, across)
    difference = b.sub(across, down)
    largest = b.prim("maximum", b.prim("abs", values), axis=0)
    slack = b.mul(largest, number(reference.TOLERANCE[values.type.dtype], values))
    same = b.prim("le", b.prim("abs", difference), slack)
    if squared:
        difference = b.mul(difference, b.add(across, down))
    apart = b.select(same, number(1.0, values), difference)
    return b.select(same, number(0.0, values), b.div(number(1.0, values), apart))


def _split(b: Builder, r: Atom) -> tuple[Atom, Atom]:
    """The eigenvalues and the matrix of eigenvectors of an `eigen`."""
    return b.prim("index", r, ZERO), rows(b, r, ONE, b.dim(r, 1))


def _joined(b: Builder, values: Atom, vectors: Atom) -> Atom:
    return b.prim("concat", b.prim("stack", values), vectors)


def _diagonal(b: Builder, x: Atom) -> Atom:
    n = b.dim(x)
    places = b.prim("iota", n)
    return b.prim("gather", x, places, places)


def _with_diagonal(b: Builder, x: Atom, values: Atom) -> Atom:
    """x + diag values"""
    places = b.prim("iota", b.dim(values))
    return b.prim("accumulate_at", x, values, places, places)


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
    inner = _with_diagonal(b, b.mul(_gaps(b, values), product(b, transposed(b, v), v_adj)), values_adj)
    return [symmetric(b, product(b, product(b, v, inner), transposed(b, v)))]


def _along(args: Sequence[Atom], tangents: Sequence[Atom | None]) -> tuple[str, tuple[Atom, ...]]:
    """The eigenvectors that the outermost direction asks for; see Note [Equal eigenvalues]."""
    return ("eigen", (args[0],)) if tangents[0] is None else ("eigen_toward", (args[0], tangents[0]))


register(
    Primitive(
        "eigen",
        matrices(1),
        reference.eigen,
        "_eigen({0})",
        flops=lambda shapes, result, _: 9 * elements(shapes[0]) * shapes[0][-1],
        jvp=_eigen_jvp,
        vjp=_eigen_vjp,
        toward=_along,
        grade="jump",
        doc="Of a symmetric matrix, (A + Aᵀ) / 2: the eigenvalues in ascending order as the first row, and below it "
        "the matrix whose columns are the eigenvectors, of which the component of largest modulus is positive. Where "
        "two eigenvalues are equal, the derivative of their vectors leaves out what they exchange.",
    )
)


def _toward_jvp(
    b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
) -> Atom | None:
    if tangents[0] is None:
        return None if tangents[1] is None else b.zeros_like(r)
    return _eigen_jvp(b, args, r, tangents, attrs)


def _toward_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    return [*_eigen_vjp(b, args, r, ct, attrs), b.zeros_like(args[1])]


register(
    Primitive(
        "eigen_toward",
        matrices(2),
        reference.eigen_toward,
        "_eigen_toward({0}, {1})",
        flops=lambda shapes, result, _: 9 * elements(shapes[0]) * shapes[0][-1],
        jvp=_toward_jvp,
        vjp=_toward_vjp,
        toward=_along,
        grade="jump",
        doc="`eigen` of A, with the vectors of equal eigenvalues turned such that each stays one when A moves along D. "
        "Its derivative in A is that of `eigen`, in D nothing.",
    )
)

# ------------------------------------------------------------------ singular values


def _svd_parts(b: Builder, r: Atom, a: Atom) -> tuple[Atom, Atom, Atom]:
    """s, U and V of an `svd` of `a`."""
    n, m = b.dim(a), b.dim(a, 1)
    return b.prim("index", r, ZERO), rows(b, r, ONE, n), rows(b, r, b.add(n, ONE), m)


def _inverse_values(b: Builder, s: Atom) -> Atom:
    """1 / s, and 0 where s is 0"""
    none = b.prim("eq", s, number(0.0, s))
    return b.select(none, number(0.0, s), b.div(number(1.0, s), b.select(none, number(1.0, s), s)))


def _beside(b: Builder, u: Atom, x: Atom) -> Atom:
    """(I - U Uᵀ) x"""
    return b.sub(x, product(b, u, product(b, transposed(b, u), x)))


def _svd_jvp(b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs) -> Atom | None:
    # With P = Uᵀ dA V: ds = diag P, dU = U (F ∘ (P S + S Pᵀ)) + (I - U Uᵀ) dA V S⁻¹, dV = V (F ∘ (S P + Pᵀ S))
    da = tangents[0]
    if da is None:
        return None
    (a,) = args
    s, u, v = _svd_parts(b, r, a)
    n, m = b.dim(a), b.dim(a, 1)
    moved = product(b, da, v)
    p = product(b, transposed(b, u), moved)
    f, wide = _gaps(b, s, squared=True), _columns(b, s, m)
    ps, sp = b.mul(p, wide), b.mul(transposed(b, wide), p)
    outside = b.mul(_beside(b, u, moved), _columns(b, _inverse_values(b, s), n))
    du = b.add(product(b, u, b.mul(f, b.add(ps, transposed(b, ps)))), outside)
    dv = product(b, v, b.mul(f, b.add(sp, transposed(b, sp))))
    return b.prim("concat", _joined(b, _diagonal(b, p), du), dv)


def _svd_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    # A_adj = U ((F ∘ (Uᵀ U_adj - U_adjᵀ U)) S + diag s_adj + S (F ∘ (Vᵀ V_adj - V_adjᵀ V))) Vᵀ
    #       + (I - U Uᵀ) U_adj S⁻¹ Vᵀ
    (a,) = args
    s, u, v = _svd_parts(b, r, a)
    s_adj, u_adj, v_adj = _svd_parts(b, ct, a)
    n, m = b.dim(a), b.dim(a, 1)
    f, wide = _gaps(b, s, squared=True), _columns(b, s, m)
    by_u, by_v = product(b, transposed(b, u), u_adj), product(b, transposed(b, v), v_adj)
    turned_u = b.mul(b.mul(f, b.sub(by_u, transposed(b, by_u))), wide)
    turned_v = b.mul(transposed(b, wide), b.mul(f, b.sub(by_v, transposed(b, by_v))))
    inner = product(b, u, _with_diagonal(b, b.add(turned_u, turned_v), s_adj))
    outside = b.mul(_beside(b, u, u_adj), _columns(b, _inverse_values(b, s), n))
    return [product(b, b.add(inner, outside), transposed(b, v))]


register(
    Primitive(
        "svd",
        matrices(1),
        reference.svd,
        "_svd({0})",
        flops=lambda shapes, result, _: 14 * elements(shapes[0]) * shapes[0][-1],
        jvp=_svd_jvp,
        vjp=_svd_vjp,
        grade="jump",
        doc="A = U S Vᵀ, of an A with at least as many rows as columns: the singular values in descending order as the "
        "first row, below it the columns of U, below these those of V, of which the component of largest modulus is "
        "positive. Where two singular values are equal, the derivative of their vectors leaves out what they exchange.",
    )
)

# Note [Equal eigenvalues]
#
# Where eigenvalues are equal, their vectors are any basis of a plane, and derivatives of the vectors do not exist.
# What exists is the derivative of what does not depend on the basis: of the trace of f(A), of the projector onto the
# plane. With the exchange inside of the plane left out, first derivatives of such functions are right. Second
# derivatives need more: that of the trace of f(A) along D has f'' times all of Vᵀ D V inside the plane, of which the
# eigenvalues' tangents are the diagonal. So forward mode, which knows D, turns the basis until the rest of that block
# is zero (`eigen_toward`): then the diagonal is all there is. Where several directions are at work, the outermost is
# followed, since derivatives in the others do not depend on the basis any more. So `hessian` and `hvp` are right, and
# all that ends in forward mode. Reverse over forward mode is right for symmetric functions of the eigenvalues, and
# leaves the block's other entries out for projectors; reverse over reverse mode leaves them out.
