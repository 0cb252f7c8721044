"""Linear algebra that every program knows, as statements of IR: each call says where it failed, and of what."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...lang.core.build import Builder, i64
from ...lang.core.ir import Atom
from ...lang.prims.matrices import identity, part, rows
from .frame import Frame
from .values import TupV, Value, the_atom

if TYPE_CHECKING:
    from .builtins import Inst

Rule = Callable[[Frame, "Inst", list[Value]], Value]

WRONG = {
    "cholesky": "the matrix is not positive definite",
    "general": "the matrix is singular",
    "triangular": "the triangular matrix is singular",
}


def checked(f: Frame, kind: str, matrix: Atom, result: Atom) -> Atom:
    """`result`, after a check that the matrix had it."""
    text = " ".join(f.b.span.text.split()) if f.b.span is not None else ""
    call = text if len(text) <= 40 else text[:39] + "…"
    pivot = f.b.prim("failed_pivot", matrix, result, kind=kind, as_="pivot")
    f.b.prim("check_pivot", pivot, what=f"{WRONG[kind]}, in `{call}`")
    return result


def _column(b: Builder, x: Atom) -> Atom:
    return b.prim("reshape", x, b.dim(x), i64(1))


def _vector(b: Builder, x: Atom) -> Atom:
    return b.prim("reshape", x, b.dim(x))


def _atoms(args: Sequence[Value]) -> list[Atom]:
    return [the_atom(a) for a in args]


def _solved(kind: str, many: bool, **attrs: bool) -> Rule:
    def rule(f: Frame, inst: Inst, args: list[Value]) -> Value:
        matrix, rhs = _atoms(args)
        name = "solve" if kind == "general" else "solve_triangular"
        found = f.b.prim(name, matrix, rhs if many else _column(f.b, rhs), as_="x", **attrs)
        checked(f, kind, matrix, found)
        return found if many else _vector(f.b, found)

    return rule


def _factored(name: str, kind: str) -> Rule:
    def rule(f: Frame, inst: Inst, args: list[Value]) -> Value:
        (matrix,) = _atoms(args)
        return checked(f, kind, matrix, f.b.prim(name, matrix))

    return rule


def _plain(name: str) -> Rule:
    return lambda f, inst, args: f.b.prim(name, *_atoms(args))


def _lu(f: Frame, inst: Inst, args: list[Value]) -> Value:
    (matrix,) = _atoms(args)
    n = f.b.dim(matrix)
    packed = f.b.prim("lu", matrix)
    both = rows(f.b, packed, i64(0), n)
    lower = f.b.add(part(f.b, both, "strict_lower"), identity(f.b, both))
    order = f.b.prim("argmax", rows(f.b, packed, n, n), axis=1)
    return TupV((lower, part(f.b, both, "upper"), order))


def _slogdet(f: Frame, inst: Inst, args: list[Value]) -> Value:
    (matrix,) = _atoms(args)
    return TupV((f.b.prim("det_sign", matrix), f.b.prim("log_det", matrix)))


def _svd(f: Frame, inst: Inst, args: list[Value]) -> Value:
    (matrix,) = _atoms(args)
    n, m = f.b.dim(matrix), f.b.dim(matrix, 1)
    packed = f.b.prim("svd", matrix)
    left, right = rows(f.b, packed, i64(1), n), rows(f.b, packed, f.b.add(n, i64(1)), m)
    return TupV((left, f.b.prim("index", packed, i64(0)), right))


def _eigen(f: Frame, inst: Inst, args: list[Value]) -> Value:
    (matrix,) = _atoms(args)
    both = f.b.prim("eigen", matrix)
    vectors = f.b.prim("slice", both, i64(1), f.b.dim(matrix), i64(1), axis=0)
    return TupV((f.b.prim("index", both, i64(0)), vectors))


RULES: dict[str, tuple[int, Rule]] = {
    "matmul": (2, _plain("matmul")),
    "cholesky": (1, _factored("cholesky", "cholesky")),
    "inverse": (1, _factored("inverse", "general")),
    "solve": (2, _solved("general", False)),
    "solve_many": (2, _solved("general", True)),
    "solve_lower": (2, _solved("triangular", False, upper=False)),
    "solve_upper": (2, _solved("triangular", False, upper=True)),
    "solve_lower_many": (2, _solved("triangular", True, upper=False)),
    "solve_upper_many": (2, _solved("triangular", True, upper=True)),
    "det": (1, _plain("det")),
    "logdet": (1, _plain("log_det")),
    "orthogonal": (1, _plain("orthogonal")),
    "lu": (1, _lu),
    "slogdet": (1, _slogdet),
    "svd": (1, _svd),
    "eigen": (1, _eigen),
}
