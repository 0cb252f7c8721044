"""Sums of two-factor products as the NumPy call that computes them fastest: `@` where BLAS can, `einsum` where it
can't.

Labels of the specification fall into four groups: *batch* (in both factors and the result), *summed* (in both, not in
the result), and those of one factor alone. With labels of each factor alone it is a matrix product; without, a
row-wise dot product.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from .syntax import binary, call, const, list_, method, tuple_


def transposed(x: ast.expr, perm: Sequence[int]) -> ast.expr:
    if list(perm) == list(range(len(perm))):
        return x
    if len(perm) == 2:
        return ast.Attribute(x, "T", ast.Load())
    return method(x, "transpose", *(const(p) for p in perm))


def _ordered(x: ast.expr, labels: str, wanted: str) -> ast.expr:
    return transposed(x, [labels.index(label) for label in wanted])


def contracted(spec: str, x: ast.expr, y: ast.expr) -> ast.expr:
    """`spec` is `ab,bc->ac`; every label of a factor is in the other or in the result."""
    inputs, out = spec.split("->")
    of_x, of_y = inputs.split(",")
    batch = "".join(label for label in out if label in of_x and label in of_y)
    summed = "".join(label for label in of_x if label in of_y and label not in out)
    rows = "".join(label for label in of_x if label not in of_y)
    columns = "".join(label for label in of_y if label not in of_x)
    einsum = call("np.einsum", ast.Constant(spec), x, y)
    if batch:
        if not rows or not columns:
            return einsum
        if len(rows) == len(columns) == len(summed) == 1:
            product = binary("@", _ordered(x, of_x, batch + rows + summed), _ordered(y, of_y, batch + summed + columns))
        else:
            product = call(
                "contracted",
                _ordered(x, of_x, batch + rows + summed),
                _ordered(y, of_y, batch + summed + columns),
                const(len(batch)),
                const(len(rows)),
                const(len(columns)),
            )
        return _ordered(product, batch + rows + columns, out)
    if not rows and not columns:
        if len(summed) == 1:
            return binary("@", x, y)
        return call("np.vdot", x, y) if of_x == of_y else einsum
    if len(summed) == 1 and len(rows) <= 1 and len(columns) <= 1:
        if out == columns + rows and rows and columns:
            return binary("@", _ordered(y, of_y, columns + summed), _ordered(x, of_x, summed + rows))
        return binary("@", _ordered(x, of_x, rows + summed), _ordered(y, of_y, summed + columns))
    axes = tuple_([list_([const(of_x.index(s)) for s in summed]), list_([const(of_y.index(s)) for s in summed])])
    return _ordered(call("np.tensordot", x, y, axes=axes), rows + columns, out)
