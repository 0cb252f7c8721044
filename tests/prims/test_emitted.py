"""Every primitive in emitted NumPy code does what its record says: on scalars, on arrays, and inside a map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from dad.codegen.backends.entry import EntrySpec, TupleSpec
from dad.codegen.backends.numpy import emit_module
from dad.codegen.interp import dtype_of
from dad.codegen.runtime.errors import RunError
from dad.lang.core import ir
from dad.lang.core.build import Builder, Fresh
from dad.lang.core.primitive import PRIMITIVES, Primitive, PrimTypeError
from dad.lang.prims import probability
from dad.lang.prims.checks import MESSAGES, message_of
from dad.lang.prims.common import NUMPY_NAMES

# The functions of probability have slow references, and tests of their own in tests/numbers.
ELEMENTWISE = [
    p
    for p in PRIMITIVES.values()
    if p.elementwise and not p.fails and p.name not in ("cast", "select", *probability.NAMES)
]
NUMBERS = (
    -np.inf,
    -1e300,
    -1000.0,
    -7.5,
    -2.0,
    -0.7,
    -0.0,
    0.0,
    1e-310,
    0.3,
    1.0,
    2.5,
    3.0,
    40.0,
    1e20,
    np.inf,
    np.nan,
)
WHOLE = (-128, -127, -9, -3, -1, 0, 1, 2, 5, 7, 8, 100, 127)
NEAR_THE_ENDS = (0, 1, 2, 77)
"""How far from the least and the greatest number of a type."""
ATTRIBUTES: dict[str, dict[str, Any]] = {"polygamma": {"order": 2}}
SECOND: dict[str, str] = {"ldexp": "i32"}
"""The type of the second operand, where it is not that of the first."""


def attributes(p: Primitive, dtype: str) -> dict[str, Any]:
    """Attributes with which the primitive takes this type."""
    if p.name == "bitcast":
        return {"to": f"u{dtype[1:]}" if dtype[0] in "fi" else f"i{dtype[1:]}"}
    return ATTRIBUTES.get(p.name, {})


def emitted(program: ir.Program) -> Any:
    """The Python function that stands for the IR function `f`."""
    module = emit_module(program, [EntrySpec("f", "f", (), TupleSpec(()))], "test")
    space: dict[str, Any] = {}
    exec(compile(module.linked, "<emitted>", "exec"), space)
    return space["_f"]


def call(function: Any, args: Sequence[Any]) -> Any:
    with np.errstate(all="ignore"):
        return function(*args)


def straight(name: str, types: Sequence[ir.Type], attrs: dict[str, Any]) -> ir.Program:
    b = Builder(Fresh())
    params = [b.fresh("x", t) for t in types]
    result = b.bind(ir.Prim(name, tuple(params), tuple(sorted(attrs.items()))), "y")
    return ir.Program({"f": ir.Function("f", tuple(params), b.block(result))})


def mapped(name: str, types: Sequence[ir.Type], attrs: dict[str, Any]) -> ir.Program:
    b = Builder(Fresh())
    arrays = [b.fresh("xs", ir.Type(t.dtype, t.rank + 1)) for t in types]
    params = [b.fresh("x", t) for t in types]
    inner = b.nested()
    result = inner.bind(ir.Prim(name, tuple(params), tuple(sorted(attrs.items()))), "y")
    shape = b.shape(arrays[0])[1:] if types[0].rank else ()
    made = b.map(arrays, ir.Lambda(tuple(params), inner.block(result)), [shape])
    return ir.Program({"f": ir.Function("f", tuple(arrays), b.block(made))})


def same(got: Any, expected: Any, name: str) -> None:
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape, name
    if expected.dtype.kind == "f":
        assert got.dtype == expected.dtype
        rtol = 1e-13 if expected.dtype == np.float64 else 1e-6
        np.testing.assert_allclose(got, expected, rtol=rtol, atol=1e-15 * rtol, err_msg=name)
    else:
        assert got.dtype.kind == expected.dtype.kind
        assert got.tolist() == expected.tolist(), name


def interesting(dtype: str, few: bool = False) -> Any:
    """Values of a type: small ones, ends of the range, and what is special."""
    kind = np.dtype(NUMPY_NAMES[dtype])
    if kind.kind == "b":
        return np.array([False, True])
    if kind.kind == "f":
        with np.errstate(all="ignore"):
            return np.array(NUMBERS[::2] if few else NUMBERS).astype(kind)
    low, high = (int(v) for v in (np.iinfo(kind).min, np.iinfo(kind).max))
    ends = [high - k for k in NEAR_THE_ENDS] + [low + k for k in NEAR_THE_ENDS]
    found = sorted({v for v in (*WHOLE, 31, 32, 63, 64, *ends) if low <= v <= high})
    return np.array(found[::3] if few else found, kind)


def operands(p: Primitive, dtype: str) -> list[Any] | None:
    """All combinations of interesting values, as columns; None where the primitive has no such operands."""
    for count in (1, 2, 3):
        dtypes = [dtype, SECOND.get(p.name, dtype), dtype][:count]
        try:
            p.infer([ir.Type(d) for d in dtypes], attributes(p, dtype))
        except PrimTypeError:
            continue
        rows = np.meshgrid(*[interesting(d, few=count == 3) for d in dtypes], indexing="ij")
        return [row.reshape(-1) for row in rows]
    return None


@pytest.mark.parametrize("dtype", ir.DTYPES)
@pytest.mark.parametrize("p", ELEMENTWISE, ids=lambda p: p.name)
def test_elementwise(p: Primitive, dtype: str) -> None:
    columns = operands(p, dtype)
    if columns is None:
        return
    if p.name in ("div", "mod", "quot", "rem") and dtype not in ir.FLOATS:
        keep = columns[1] != 0  # a check stands before
        columns = [c[keep] for c in columns]
    attrs = attributes(p, dtype)
    types = types_of([c[0] for c in columns])
    expected = p.evaluate(*columns, **attrs)
    whole = emitted(straight(p.name, types_of(columns), attrs))
    same(call(whole, columns), expected, p.name)
    same(call(emitted(mapped(p.name, types, attrs)), columns), expected, p.name)
    scalar = emitted(straight(p.name, types, attrs))
    for k in range(len(columns[0])):
        same(call(scalar, [c[k] for c in columns]), expected[k], f"{p.name} {[c[k] for c in columns]}")


@pytest.mark.parametrize("to", ir.DTYPES)
@pytest.mark.parametrize("of", ir.DTYPES)
def test_cast(of: str, to: str) -> None:
    row = interesting(of)
    if of[0] == "f":
        with np.errstate(all="ignore"):
            row = np.append(row, np.array([1e19, 300.7, -300.7, 2.0**31, 2.0**63, 2.0**64]).astype(row.dtype))
    expected = PRIMITIVES["cast"].evaluate(row, to=to)
    same(call(emitted(straight("cast", [ir.Type(of, 1)], {"to": to})), [row]), expected, of + to)
    scalar = emitted(straight("cast", [ir.Type(of)], {"to": to}))
    for x, y in zip(row, expected, strict=True):
        same(call(scalar, [x]), y, f"{x} from {of} to {to}")


def test_select() -> None:
    c, x, y = np.array([True, False]), np.array([1.0, np.nan]), np.array([np.inf, 2.0])
    types = [ir.BOOL, ir.F64, ir.F64]
    assert call(emitted(straight("select", [ir.Type(t.dtype, 1) for t in types], {})), [c, x, y]).tolist() == [1, 2]
    assert call(emitted(mapped("select", types, {})), [c, x, y]).tolist() == [1, 2]
    assert [call(emitted(straight("select", types, {})), row) for row in zip(c, x, y, strict=True)] == [1, 2]


I64 = ir.I64
MANY = ir.Type("i64", 1)
VECTOR, MATRIX = ir.Type("f64", 1), ir.Type("f64", 2)
X = np.array([3.0, 1.0, 2.0, 3.0, -1.0])
M = np.arange(12.0).reshape(4, 3) % 5
REGULAR = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, -0.25], [0.5, -0.25, 2.0]])
SINGULAR = np.array([[4.0, 2.0, 0.5], [2.0, 1.0, 0.25], [0.5, 0.25, 0.0]])
def turned(n: int) -> Any:
    """All places, in another order."""
    return np.random.default_rng(n).permutation(n)


LARGE = np.sin(np.arange(130 * 130.0).reshape(130, 130)) / 130 + np.eye(130)
ARRAYS: list[tuple[str, list[Any], dict[str, Any]]] = [
    ("iota", [4], {}),
    ("replicate", [3, 2.5], {}),
    ("replicate", [2, X], {}),
    ("zeros_like", [M], {}),
    ("dim", [M], {"axis": 1}),
    ("stack", [X, X], {}),
    ("stack", [1.0, 2.0, 3.0], {}),
    ("stop_grad", [X], {}),
    ("concat", [X, X], {}),
    ("concat", [M, M, M], {}),
    ("transpose", [M], {"perm": (1, 0)}),
    ("reverse", [M], {}),
    ("rotate", [X, 2], {}),
    ("rotate", [X, -7], {}),
    ("reshape", [M, 2, 6], {}),
    ("reshape", [M, 3, 2, 2], {}),
    ("index", [X, 3], {}),
    ("index", [M, 3], {}),
    ("index", [M, 2, 1], {}),
    ("update", [X, 9.0, 3], {}),
    ("update", [M, np.ones(3), 3], {}),
    ("accumulate", [M, 9.0, 2, 1], {}),
    ("accumulate", [M, np.ones(3), 0], {}),
    ("slice", [X, 1, 3, 1], {"axis": 0}),
    ("slice", [X, 4, 3, -2], {"axis": 0}),
    ("slice", [X, 4, 5, -1], {"axis": 0}),
    ("slice", [M, 0, 2, 2], {"axis": 1}),
    ("slice", [M, 4, 0, 1], {"axis": 0}),
    ("update_slice", [X, np.zeros(3), 4, -2], {"axis": 0}),
    ("update_slice", [M, np.zeros((4, 2)), 0, 2], {"axis": 1}),
    ("accumulate_slice", [M, np.ones((2, 3)), 1, 2], {"axis": 0}),
    ("gather", [X, np.array([4, 0, -1, 0])], {}),
    ("gather", [M, np.array([3, 0, -1])], {}),
    ("gather", [M, np.array([3, 0, -1]), np.array([2, -1, 0])], {}),
    ("accumulate_at", [X, np.ones(4), np.array([4, 0, -1, 0])], {}),
    ("accumulate_at", [M, np.ones((3, 3)), np.array([3, 3, -1])], {}),
    ("accumulate_at", [M, np.ones(3), np.array([3, 3, -1]), np.array([2, 2, 0])], {}),
    *[(name, [x, *given], {}) for name in ("max_at", "min_at") for x, given in (
        (X, (np.array([0.5, np.nan, 9.0, -9.0]), np.array([4, 0, -1, 0]))),
        (M, (np.ones((3, 3)), np.array([3, 3, -1]))), (M, (np.ones(3), np.array([3, 3, -1]), np.array([2, 2, 0]))),
        (np.zeros(0), (np.zeros(0), np.zeros(0, np.int64))))],
    ("scatter", [X, np.array([0, 0, 9, -1]), np.array([1.0, 2.0, 3.0, 4.0])], {}),
    ("scatter", [M, np.array([0, 0, 9]), np.ones((3, 3))], {}),
    *[(name, [x], {"axis": axis}) for name in ("sum", "prod", "maximum", "minimum", "argmax", "argmin")
      for x, axis in ((X, 0), (M, 0), (M, 1), (np.zeros(0), 0), (np.zeros((2, 0)), 1), (np.array([1, np.nan, 3]), 0))],
    *[("ordered_sum", [x, turned(x.shape[axis])], {"axis": axis})
      for x, axis in ((X, 0), (M, 0), (M, 1), (np.zeros(0), 0), (np.zeros((2, 0)), 1), (np.array([1, np.nan, 3]), 0),
                      (X.astype("float32"), 0), (np.arange(120, 127, dtype="int8"), 0))],
    *[(name, [x], {"axis": axis}) for name in ("cumsum", "cumprod", "cummax", "cummin")
      for x, axis in ((X, 0), (M, 0), (M, 1), (np.zeros(0), 0), (np.array([1, np.nan, 3]), 0))],
    *[(name, [x.astype(dtype)], {"axis": 0})
      for name in ("sum", "prod", "maximum", "minimum", "cumsum", "cumprod", "cummax")
      for dtype in ("int8", "int64", "uint8", "float32") for x in (abs(X) + 60, np.zeros(0))],
    *[(name, [x], {"axis": 0}) for name in ("all", "any") for x in (X > 0, X > 5, np.zeros(0, bool))],
    ("all", [M > 0], {"axis": 1}),
    ("matmul", [M, M.T], {}),
    *[("triangle", [M[:3]], {"part": p}) for p in ("lower", "strict_lower", "upper", "strict_upper", "lower_half")],
    *[("solve_triangular", [A, M[:3]], {"upper": upper}) for A in (REGULAR, SINGULAR) for upper in (False, True)],
    *[("solve_triangular", [LARGE, np.ones((130, 2))], {"upper": upper}) for upper in (False, True)],
    *[("solve", [A, M[:3]], {}) for A in (REGULAR, SINGULAR)],
    *[(name, [A], {}) for name in ("inverse", "det", "log_det", "cholesky") for A in (REGULAR, SINGULAR)],
    ("cofactors", [REGULAR], {}),
    ("cholesky", [np.diag([1.0, -1.0, 2.0])], {}),
    ("cofactors", [np.diag([1.0, 0.0, 0.0])], {}),
    ("orthogonal", [M + np.eye(4)[:, :3]], {}),
    ("eigen", [REGULAR], {}),
    ("eigen", [np.eye(3)], {}),
    ("eigen_toward", [REGULAR, np.ones((3, 3))], {}),
    *[("cofactors_along", [A, M[:3]], {}) for A in (REGULAR, SINGULAR, np.zeros((3, 3)), np.diag([1.0, 0.0, 0.0]))],
    ("svd", [REGULAR], {}),
    ("svd", [M + np.eye(4)[:, :3]], {}),
    *[("lu", [A], {}) for A in (REGULAR, SINGULAR, -REGULAR.T)],
    *[("det_sign", [A], {}) for A in (REGULAR, SINGULAR, -REGULAR.T, 1e200 * REGULAR)],
    *[("failed_pivot", [A, R], {"kind": kind}) for kind in ("general", "cholesky", "triangular")
      for A in (REGULAR, SINGULAR, np.full((3, 3), np.nan)) for R in (A, np.full((3, 3), np.nan))],
    *[(name, [np.zeros((0, 0))], {}) for name in ("inverse", "det", "det_sign", "log_det", "cholesky", "eigen",
                                                "lu", "svd")],
]  # fmt: skip


def as_values(args: Sequence[Any]) -> list[Any]:
    return [np.int64(a) if isinstance(a, int) else np.float64(a) if isinstance(a, float) else a for a in args]


def types_of(args: Sequence[Any]) -> list[ir.Type]:
    names = {numpy: name for name, numpy in NUMPY_NAMES.items()} | {"bool": "bool"}
    return [ir.Type(names[np.asarray(a).dtype.name], np.ndim(a)) for a in args]


@pytest.mark.parametrize(("name", "given", "attrs"), ARRAYS, ids=lambda x: x if isinstance(x, str) else "")
def test_arrays(name: str, given: list[Any], attrs: dict[str, Any]) -> None:
    args = as_values(given)
    expected = PRIMITIVES[name].evaluate(*args, **attrs)
    before = [np.copy(a) for a in args]
    same(call(emitted(straight(name, types_of(args), attrs)), args), expected, name)
    for a, b in zip(args, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("name", "given", "attrs"), ARRAYS, ids=lambda x: x if isinstance(x, str) else "")
def test_arrays_in_a_map(name: str, given: list[Any], attrs: dict[str, Any]) -> None:
    """Two rows, the second one the first reversed along every axis; sizes are the same in both."""
    args = as_values(given)
    floats = [np.asarray(a).dtype.kind == "f" for a in args]
    other = [np.flip(a) if is_float else a for a, is_float in zip(args, floats, strict=True)]
    expected = np.stack([PRIMITIVES[name].evaluate(*row, **attrs) for row in (args, other)])
    types = types_of(args)
    b = Builder(Fresh())
    arrays = [b.fresh("xs", ir.Type(t.dtype, t.rank + f)) for t, f in zip(types, floats, strict=True)]
    count = b.fresh("ns", ir.Type("i64", 1))
    elements = [b.fresh("x", t) for t, f in zip(types, floats, strict=True) if f]
    k = b.fresh("k", ir.I64)
    supply = iter(elements)
    inner = b.nested()
    mixed = [next(supply) if f else a for a, f in zip(arrays, floats, strict=True)]
    result = inner.bind(ir.Prim(name, tuple(mixed), tuple(sorted(attrs.items()))), "y")
    sizes = [ir.Const(n, "i64") for n in expected.shape[1:]]
    mapping = [a for a, f in zip(arrays, floats, strict=True) if f]
    made = b.map([count, *mapping], ir.Lambda((k, *elements), inner.block(result)), [sizes])
    program = ir.Program({"f": ir.Function("f", (count, *arrays), b.block(made))})
    rows = [np.stack([a, o]) if f else a for a, o, f in zip(args, other, floats, strict=True)]
    same(call(emitted(program), [np.arange(2), *rows]), expected, name)


CHECKS: list[tuple[str, list[float], dict[str, Any], bool]] = [
    ("check_index", [2, 3], {"what": "xs", "axis": 0}, True),
    ("check_index", [3, 3], {"what": "xs", "axis": 0}, False),
    ("check_index", [-1, 3], {"what": 'x`"{s}', "axis": 1}, False),
    ("check_slice", [1, 2, 1, 3], {"what": "xs", "axis": 0}, True),
    ("check_slice", [3, 0, 1, 3], {"what": "xs", "axis": 0}, True),
    ("check_slice", [2, 3, -1, 3], {"what": "xs", "axis": 0}, True),
    ("check_slice", [1, 3, 1, 3], {"what": "xs", "axis": 0}, False),
    ("check_slice", [1, -1, 1, 3], {"what": "xs", "axis": 0}, False),
    ("check_equal", [3, 3], {"what": "sizes"}, True),
    ("check_equal", [3, 4], {"what": "sizes"}, False),
    ("check_divisor", [1], {}, True),
    ("check_divisor", [0], {}, False),
    ("check_pivot", [-1], {"what": "a"}, True),
    ("check_pivot", [2], {"what": "a"}, False),
    ("check_settled", [0, 1, 5], {"what": "root"}, True),
    ("check_settled", [2, 1, 5], {"what": "root"}, False),
    ("check_settled", [1.0001, 1, 5], {"what": "root"}, False),
    ("check_range", [2, 1, 3, 4, 0], {"what": "xs[][]", "bound": "in 1..3", "open": False, "shown": ""}, True),
    ("check_range", [1, 1, 3, 4, 1], {"what": "xs[][]", "bound": "> x", "open": True, "shown": "low"}, False),
    ("check_range", [4, 1, 3, 4, 2], {"what": "xs[][]", "bound": "in x..y", "open": False, "shown": "both"}, False),
    ("check_size", [0], {"what": "iota"}, True),
    ("check_size", [-1], {"what": "iota"}, False),
]


def test_a_number_is_told_from_the_one_that_it_is_compared_with() -> None:
    said = message_of("check_settled", [1.0001, 1.0, 5], {"what": "root"})
    assert said == "`root` has not converged: off by 1.0001 after 5 iterations, where 1 is asked"
    said = message_of("check_range", [1 + 2**-52, 0.0, 1.0], {"what": "x", "bound": "<= y", "open": 0, "shown": "high"})
    assert said == "x is 1.0000000000000002, but must be <= y, which is 1"


def check_types(name: str, count: int) -> list[ir.Type]:
    """The types of a check's operands."""
    floats = {"check_settled": count, "check_range": 3}.get(name, 0)
    return [ir.F64] * floats + [ir.I64] * (count - floats)


@pytest.mark.parametrize(("name", "args", "attrs", "holds"), CHECKS)
def test_checks(name: str, args: list[float], attrs: dict[str, Any], holds: bool) -> None:
    """The same outcome and the same words as the reference, alone and for the last of three elements."""
    good = next(a for n, a, _, h in CHECKS if n == name and h)
    columns = [np.array([g, g, a]) for g, a in zip(good, args, strict=True)]
    types = check_types(name, len(args))
    columns = [c.astype(dtype_of(t)) for c, t in zip(columns, types, strict=True)]
    for program, values in (
        (straight(name, types, attrs), [c[-1] for c in columns]),
        (mapped(name, types, attrs), columns),
    ):
        if holds:
            assert np.ravel(call(emitted(program), values))[-1] == args[0]
            continue
        with pytest.raises(RunError) as caught:
            call(emitted(program), values)
        assert (caught.value.code, caught.value.message) == (MESSAGES[name][0], message_of(name, args, attrs))


def test_tiny_negative_arguments_of_polygamma() -> None:
    """Near the pole at 0 from the left, where the cotangent overflows."""
    x = np.array([-5e-324, -1e-310])
    for order in (1, 2):
        expected = PRIMITIVES["polygamma"].evaluate(x, order=order)
        assert not any(map(math.isnan, expected))
        same(call(emitted(straight("polygamma", [VECTOR], {"order": order})), [x]), expected, "polygamma")
