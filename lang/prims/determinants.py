"""Determinants: polynomials, so differentiable at singular matrices too.

The derivative of det A is the matrix of cofactors C = det A · A⁻ᵀ; that of C along D is, for an A with an inverse,
tr(A⁻¹ D) C - C Dᵀ A⁻ᵀ, which `cofactors_along` computes from singular values without dividing by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.cost import elements
from ..core.ir import Atom
from ..core.primitive import Attrs, Primitive, register
from . import matrix_reference as reference
from .matrices import eliminations, matrices, product, transposed

if TYPE_CHECKING:
    from ..core.build import Builder


def _sum(b: Builder, x: Atom) -> Atom:
    return b.prim("sum", b.prim("sum", x, axis=0), axis=0)


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
        matrices(1, drop=2),
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
        matrices(1, drop=2),
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
    return None if tangents[0] is None else b.prim("cofactors_along", args[0], tangents[0])


def _cofactors_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    # The second derivative of det is symmetric: the adjoint of dA -> dC is itself.
    return [b.prim("cofactors_along", args[0], ct)]


register(
    Primitive(
        "cofactors",
        matrices(1),
        reference.cofactors,
        "_cofactors({0})",
        flops=lambda shapes, result, _: 2 * elements(result) * shapes[0][-1],
        jvp=_cofactors_jvp,
        vjp=_cofactors_vjp,
        doc="det A · A⁻ᵀ, also where A is singular.",
    )
)


def _third(b: Builder, a: Atom, d: Atom, e: Atom) -> Atom:
    """The third derivative of det along D and E; with X = A⁻¹ and L the second one, along E,

    tr(X D) L - tr(X E X D) C - L Dᵀ Xᵀ + C Dᵀ Xᵀ Eᵀ Xᵀ
    """
    across = transposed(b, b.prim("inverse", a))
    c, l = b.prim("cofactors", a), b.prim("cofactors_along", a, e)
    turned = product(b, product(b, across, transposed(b, e)), across)
    first = b.sub(b.mul(_sum(b, b.mul(across, d)), l), b.mul(_sum(b, b.mul(turned, d)), c))
    over = transposed(b, d)
    return b.add(b.sub(first, product(b, product(b, l, over), across)), product(b, product(b, c, over), turned))


def _along_jvp(
    b: Builder, args: Sequence[Atom], r: Atom, tangents: Sequence[Atom | None], attrs: Attrs
) -> Atom | None:
    (a, d), (da, dd) = args, tangents
    by_matrix = None if da is None else _third(b, a, d, da)
    by_direction = None if dd is None else b.prim("cofactors_along", a, dd)
    if by_matrix is None or by_direction is None:
        return by_direction if by_matrix is None else by_matrix
    return b.add(by_matrix, by_direction)


def _along_vjp(b: Builder, args: Sequence[Atom], r: Atom, ct: Atom, attrs: Attrs) -> Sequence[Atom | None]:
    a, d = args
    return [_third(b, a, d, ct), b.prim("cofactors_along", a, ct)]


register(
    Primitive(
        "cofactors_along",
        matrices(2),
        reference.cofactors_along,
        "_cofactors_along({0}, {1})",
        flops=lambda shapes, result, _: 8 * elements(result) * shapes[0][-1],
        jvp=_along_jvp,
        vjp=_along_vjp,
        doc="The derivative of the cofactors of A along D, also where A is singular; its own derivative in A is nan "
        "there.",
    )
)
register(
    Primitive(
        "det_sign",
        matrices(1, drop=2),
        reference.det_sign,
        "_det_sign({0})",
        flops=lambda shapes, result, _: eliminations(shapes[0]),
        flat=True,
        grade="flat",
        doc="-1, 0 or 1: the sign of the determinant, also where it is no number of the type.",
    )
)
