"""Structural primitives and reductions: meaning, tangents against differences, and that reverse mode is the transpose.

Cases are small random arrays, of size 0 and 1 too, with zeros for `prod` and ties for the extremes. For each:
the tangent J v is compared with a difference of the primitive itself, and <J v, w> with <v, J^T w>.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from dad.codegen import interp
from dad.lang.core import ir
from dad.lang.core.build import Builder, Fresh
from dad.lang.core.primitive import PRIMITIVES
from dad.lang.core.verify import verify
from dad.lang.prims.common import NUMPY_NAMES

Array = Any
Case = tuple[list[Array], dict[str, Any]]
SIZES = (0, 1, 2, 5)
rng = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def numbers_of_its_own(request: pytest.FixtureRequest) -> None:
    """What a test draws does not depend on which tests ran before it."""
    global rng
    rng = np.random.default_rng(list(request.node.name.encode()))


def floats(*shape: int) -> Array:
    return rng.normal(size=shape)[()]


def index(high: int, *shape: int) -> Array:
    """Indices below `high`, or -1 when there are none."""
    return rng.integers(0, high, shape)[()] if high else np.full(shape, -1)[()]


def i64(value: int) -> Array:
    return np.int64(value)


def along(make: Callable[..., Array]) -> Callable[[int], list[Case]]:
    """Every axis of arrays of rank 1, 2, 3 with `n` along that axis."""

    def cases(n: int) -> list[Case]:
        return [
            ([make(*shape)], {"axis": axis})
            for shape, axis in [((n,), 0), ((n, 3), 0), ((3, n), 1), ((n, 0), 0), ((2, n, 3), 1), ((2, 3, n), 2)]
        ]

    return cases


def with_zeros(*shape: int) -> Array:
    return floats(*shape) * rng.integers(0, 4, shape).clip(0, 1)


def slices(n: int) -> list[Case]:
    """Array, start, count, step."""
    found: list[Case] = [
        ([floats(n), i64(0), i64(n), i64(1)], {"axis": 0}),
        ([floats(3, n), i64(n), i64(0), i64(1)], {"axis": 1}),
    ]
    if n > 1:
        found += [
            ([floats(n), i64(n - 1), i64(n), i64(-1)], {"axis": 0}),
            ([floats(n, 2), i64(1), i64((n - 1) // 2), i64(2)], {"axis": 0}),
            ([floats(2, n, 2), i64(n - 1), i64(2), i64(-1)], {"axis": 1}),
        ]
    return found


def into_slices(n: int) -> list[Case]:
    """Array, new part, start, step, from the same slices."""
    found = []
    for (x, start, count, step), attrs in slices(n):
        axis = attrs["axis"]
        assert isinstance(axis, int)
        part = (*x.shape[:axis], int(count), *x.shape[axis + 1 :])
        found.append(([x, floats(*part), start, step], attrs))
    return found


def into_places(n: int) -> list[Case]:
    if n == 0:
        return []
    return [
        ([floats(n), floats(), i64(n - 1)], {}),
        ([floats(n, 3), floats(3), i64(0)], {}),
        ([floats(n, 3), floats(), i64(n - 1), i64(2)], {}),
        ([floats(n, 3), floats(), i64(0), i64(-1 + 1)], {}),
    ]


def many_places(n: int, with_values: bool) -> list[Case]:
    found: list[Case] = []
    for x, indices, row in [
        (floats(4), [index(4, n)], ()),
        (floats(4, 3), [index(4, n)], (3,)),
        (floats(4, 3), [index(4, n), index(3, n)], ()),
        (floats(n), [index(n, 6) - (index(3, 6) == 0)], ()),
        (floats(4, 2), [index(4, 2, n)], (2,)),
        (floats(4, 3), [index(4), index(3)], ()),
    ]:
        values = [floats(*np.shape(indices[0]), *row)] if with_values else []
        found.append(([x, *values, *indices], {}))
    return found


def far_apart(n: int) -> list[Case]:
    """The same, with values of which no two are near each other."""
    def turned(x: Array) -> Array:
        return rng.permutation(x.size).reshape(x.shape)

    return [([turned(x) + 0.25, turned(values) - 0.25, *indices], attrs)
            for (x, values, *indices), attrs in many_places(n, True)]


def scatters(n: int) -> list[Case]:
    return [
        ([floats(n), index(n + 2, 6) - 1, floats(6)], {}),
        ([floats(4, 3), index(4, n), floats(n, 3)], {}),
        ([floats(4), np.array([1, 1, 7, -1, 1]), floats(5)], {}),
    ]


def regular(n: int) -> Array:
    """A square matrix far from singular, with eigenvalues apart."""
    return 0.3 * floats(n, n).reshape(n, n) + np.diag(2.0 + np.arange(n))


def on_matrices(make: Callable[[int], list[Array]], **attrs: Any) -> Callable[[int], list[Case]]:
    return lambda n: [(make(n), attrs)]


def triangles(n: int) -> list[Case]:
    parts = ("lower", "strict_lower", "upper", "strict_upper", "lower_half")
    return [([floats(n, n).reshape(n, n)], {"part": part}) for part in parts]


def shapes(count: int) -> Callable[[int], list[Any]]:
    """Positive arguments, of which the last is an array, or the first."""
    return lambda n: [
        ([*(1 + abs(floats()) for _ in range(count - 1)), 1 + abs(floats(n))], {}),
        ([1 + abs(floats(n)), *(1 + abs(floats()) for _ in range(count - 1))], {}),
    ]


PROMISE = {"kind": "promise", "grade": "C1", "of": "x", "tolerance": "", "reason": ""}
CASES: dict[str, Callable[[int], list[Case]]] = {
    "promise": lambda n: [([floats(n), floats(2)], PROMISE), ([floats(n)], PROMISE)],
    "replicate": lambda n: [([i64(n), floats()], {}), ([i64(n), floats(3)], {}), ([i64(2), floats(n, 2)], {})],
    "concat": lambda n: [
        ([floats(n), floats(2)], {}),
        ([floats(n, 3), floats(0, 3), floats(1, 3)], {}),
        ([floats(n)], {}),
    ],
    "transpose": lambda n: [
        ([floats(n)], {"perm": (0,)}),
        ([floats(n, 3)], {"perm": (1, 0)}),
        ([floats(2, n, 3)], {"perm": (2, 0, 1)}),
    ],
    "reverse": lambda n: [([floats(n)], {}), ([floats(n, 2)], {})],
    "rotate": lambda n: [(args, {}) for args in ([floats(n), i64(0)], [floats(n), i64(7)], [floats(n, 2), i64(-1)])],
    "reshape": lambda n: [
        ([floats(n), i64(n), i64(1)], {}),
        ([floats(n, 6), i64(3), i64(n), i64(2)], {}),
        ([floats(1, 1)], {}),
    ],
    "stack": lambda n: [([floats(), floats()], {}), ([floats(n), floats(n), floats(n)], {}), ([floats(n, 2)], {})],
    "slice": slices,
    "update_slice": into_slices,
    "accumulate_slice": into_slices,
    "index": lambda n: [([x, *at], {}) for (x, _, *at), _ in into_places(n)],
    "update": into_places,
    "accumulate": into_places,
    "gather": lambda n: many_places(n, False),
    "accumulate_at": lambda n: many_places(n, True),
    "max_at": far_apart,
    "min_at": far_apart,
    "scatter": scatters,
    "sum": along(floats),
    "prod": lambda n: along(floats)(n) + along(with_zeros)(n),
    "maximum": along(floats),
    "minimum": along(floats),
    "cumsum": along(floats),
    "cumprod": lambda n: along(floats)(n) + along(with_zeros)(n),
    "cummax": along(floats),
    "cummin": along(floats),
    "matmul": lambda n: [([floats(n, 3), floats(3, 2)], {}), ([floats(2, n), floats(n, n).reshape(n, n)], {})],
    "triangle": triangles,
    "solve_triangular": lambda n: [
        ([regular(n), floats(n, 2)], {"upper": False}),
        ([regular(n), floats(n, 1)], {"upper": True}),
    ],
    "solve": lambda n: [([regular(n), floats(n, 2)], {}), ([regular(n), floats(n, 0)], {})],
    "inverse": on_matrices(lambda n: [regular(n)]),
    "det": on_matrices(lambda n: [regular(n)]),
    "log_det": on_matrices(lambda n: [regular(n)]),
    "cofactors": on_matrices(lambda n: [regular(n)]),
    "cholesky": on_matrices(lambda n: [regular(n)]),
    "orthogonal": lambda n: [([regular(n)], {}), ([np.concatenate([regular(n), floats(2, n)])], {})],
    "cofactors_along": lambda n: [([regular(n), floats(n, n).reshape(n, n)], {})],
    "lu": on_matrices(lambda n: [regular(n)]),
    "svd": lambda n: [([regular(n)], {}), ([np.concatenate([regular(n), floats(2, n)])], {})],
    "eigen": on_matrices(lambda n: [regular(n)]),
    "eigen_toward": lambda n: [([regular(n), floats(n, n).reshape(n, n)], {})],
    "polygamma": lambda n: [([2 + abs(floats(n))], {"order": 1}), ([2 + abs(floats())], {"order": 2})],
    "polygamma_rise": lambda n: [
        ([2 + abs(floats(n)), abs(floats())], {"order": 0}),
        ([abs(floats()) + 1, abs(floats(n)) + 1], {"order": 2}),
    ],
    "lbeta": shapes(2),
    "gamma_density": shapes(2),
    "gamma_shape": lambda n: [([*args], {"order": 1}) for args, _ in shapes(2)(n)],
    "gammainc": shapes(2),
    "gammaincc": shapes(2),
    "gamma_moved": lambda n: [],  # the argument that it moves along is not in its value
    "beta_density": lambda n: [([*args, np.float64(0.3)], {}) for args, _ in shapes(2)(n)],
    "beta_shape": lambda n: [([*args, np.float64(0.3)], {"first": 1, "second": 0}) for args, _ in shapes(2)(n)],
    "betainc": lambda n: [([*args, np.float64(0.3)], {}) for args, _ in shapes(2)(n)],
    **{
        name: lambda n: [([floats(n)], {})]
        for name in (
            "bell", "ndtr", "log_ndtr", "inverse_mills", "mills_excess",
            "bessel_i0", "bessel_i1", "log_i0", "bessel_ratio",
        )
    },
    **{
        name: lambda n: [([1 / (1 + abs(floats(n)))], {})]
        for name in ("ndtri", "ndtri_slope", "erfinv", "erfinv_slope", "trigamma")
    },
    "bessel_order": lambda n: [([floats(n)], {"order": 2}), ([floats()], {"order": 5})],
    "bessel_spread": lambda n: [([2 + abs(floats(n))], {})],
    "ldexp": lambda n: [([x, k], {}) for x in (floats(n), floats()) for k in (np.int32(3), np.full(n, -2, np.int32))],
    "cast": lambda n: [([floats(n)], {"to": "f64"}), ([floats()], {"to": "f32"})],
    "select": lambda n: [
        ([floats(n) > 0, floats(n), floats(n)], {}),
        ([floats() > 0, floats(n), floats()], {}),
        ([floats(n, 2) > 0, floats(), floats()], {}),
        ([np.bool_(False), floats(n), floats()], {}),
    ],
    "ordered_sum": lambda n: [([floats(*shape), np.arange(n)[::-1]], {"axis": axis})
                              for shape, axis in (((n,), 0), ((n, 3), 0), ((3, n), 1))],
}
RULES = [p.name for p in PRIMITIVES.values() if p.jvp is not None]


def test_every_rule_has_cases() -> None:
    assert sorted(RULES) == sorted(CASES)


def variables(b: Builder, values: Sequence[Array]) -> list[ir.Var]:
    names = {numpy: name for name, numpy in NUMPY_NAMES.items()} | {"bool": "bool"}
    return [b.fresh("x", ir.Type(names[np.asarray(v).dtype.name], np.ndim(v))) for v in values]


def run(b: Builder, params: Sequence[ir.Var], results: Sequence[ir.Atom], values: Sequence[Array]) -> tuple[Array, ...]:
    program = ir.Program({"f": ir.Function("f", tuple(params), b.block(results))})
    verify(program)
    return interp.run(program, "f", values)


def is_active(x: Array) -> bool:
    return bool(np.asarray(x).dtype.kind == "f")


def value(name: str, args: Sequence[Array], attrs: dict[str, Any]) -> Array:
    return PRIMITIVES[name].evaluate(*args, **attrs)


def tangent(name: str, args: Sequence[Array], attrs: dict[str, Any], tangents: Sequence[Array | None]) -> Array:
    """J v; None where the rule says it is zero."""
    b = Builder(Fresh())
    xs = variables(b, args)
    given = [t for t in tangents if t is not None]
    supply = iter(ts := variables(b, given))
    atoms = [None if t is None else next(supply) for t in tangents]
    result = b.bind(ir.Prim(name, tuple(xs), tuple(sorted(attrs.items()))))[0]
    rule = PRIMITIVES[name].jvp
    assert rule is not None
    out = rule(b, xs, result, atoms, attrs)
    if out is None:
        return None
    assert out.type == result.type
    return run(b, [*xs, *ts], [out], [*args, *given])[0]


def cotangents(name: str, args: Sequence[Array], attrs: dict[str, Any], ct: Array) -> list[Array | None]:
    b = Builder(Fresh())
    xs = variables(b, args)
    result = b.bind(ir.Prim(name, tuple(xs), tuple(sorted(attrs.items()))))[0]
    seed = b.fresh("ct", result.type)
    rule = PRIMITIVES[name].vjp
    assert rule is not None
    outs = rule(b, xs, result, seed, attrs)
    assert len(outs) == len(args)
    for x, out in zip(xs, outs, strict=True):
        assert out is None or out.type == x.type
        assert x.type.is_float or out is None
    values = iter(run(b, [*xs, seed], [o for o in outs if o is not None], [*args, ct]))
    return [None if out is None else next(values) for out in outs]


def everything(name: str) -> list[tuple[list[Array], dict[str, Any]]]:
    return [case for n in SIZES for case in CASES[name](n)]


@pytest.mark.parametrize("name", RULES)
def test_inferred_type_is_that_of_the_value(name: str) -> None:
    for args, attrs in everything(name):
        b = Builder(Fresh())
        xs = variables(b, args)
        type = b.bind(ir.Prim(name, tuple(xs), tuple(attrs.items())))[0].type
        got = np.asarray(value(name, args, attrs))
        assert (got.ndim, got.dtype.name) == (type.rank, NUMPY_NAMES[type.dtype])


@pytest.mark.parametrize("name", RULES)
def test_tangent_is_the_difference(name: str) -> None:
    for args, attrs in everything(name):
        vs = [rng.normal(size=np.shape(x))[()] if is_active(x) else None for x in args]
        got = tangent(name, args, attrs, vs)
        h = 1e-3

        def at(step: float, args: Any = args, attrs: Any = attrs, vs: Any = vs) -> Array:
            return value(name, [x if v is None else x + step * v for x, v in zip(args, vs, strict=True)], attrs)

        rough = attrs.get("to") == "f32"
        if name in ("maximum", "minimum", "cummax", "cummin"):
            h = 1e-9
        with np.errstate(all="ignore"):
            expected = np.nan_to_num(
                (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
            )  # extremes of nothing
        assert np.shape(got) == np.shape(expected)
        np.testing.assert_allclose(
            got, expected, rtol=1e-6, atol=1e-3 if rough else 1e-6, err_msg=f"{name}{args}{attrs}"
        )


@pytest.mark.parametrize("name", RULES)
def test_reverse_is_the_transpose(name: str) -> None:
    for args, attrs in everything(name):
        vs = [rng.normal(size=np.shape(x))[()] if is_active(x) else None for x in args]
        out = np.asarray(tangent(name, args, attrs, vs))
        w = rng.normal(size=out.shape).astype(out.dtype)[()]
        back = cotangents(name, args, attrs, w)
        for x, ct in zip(args, back, strict=True):
            assert (ct is not None) == is_active(x)
            assert ct is None or np.shape(ct) == np.shape(x)
        forward = float(np.sum(out * w))
        backward = sum([float(np.sum(v * np.asarray(ct))) for v, ct in zip(vs, back, strict=True) if v is not None])
        assert forward == pytest.approx(backward, rel=1e-5 if attrs.get("to") == "f32" else 1e-10, abs=1e-10), (
            f"{name}{args}{attrs}"
        )


@pytest.mark.parametrize("name", RULES)
def test_symbolic_zeros(name: str) -> None:
    """A tangent that is None counts as zeros; all None gives None."""
    for args, attrs in everything(name):
        active = [k for k, x in enumerate(args) if is_active(x)]
        assert tangent(name, args, attrs, [None] * len(args)) is None
        for k in active:
            sparse = [rng.normal(size=np.shape(x))[()] if j == k else None for j, x in enumerate(args)]
            dense = [np.zeros(np.shape(x))[()] if j in active and j != k else sparse[j] for j, x in enumerate(args)]
            np.testing.assert_allclose(tangent(name, args, attrs, sparse), tangent(name, args, attrs, dense))


# ------------------------------------------------------------------ the special points of the table


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("maximum", [1.0, 3.0, 3.0, 0.0], [0, 0.5, 0.5, 0]),
        ("minimum", [1.0, 1.0, 1.0, 2.0], [1 / 3, 1 / 3, 1 / 3, 0]),
        ("maximum", [2.0], [1]),
        ("maximum", [], []),
        ("maximum", [-np.inf, -np.inf], [0.5, 0.5]),
        ("prod", [2.0, 0.0, 3.0], [0, 6, 0]),
        ("prod", [0.0, 0.0, 3.0], [0, 0, 0]),
        ("prod", [5.0], [1]),
        ("prod", [], []),
    ],
)
def test_special_folds(name: str, x: list[float], expected: list[float], axis: int) -> None:
    array = np.array(x)
    args = [array[:, None] if axis == 0 else array[None, :]]
    gradient = np.asarray(cotangents(name, args, {"axis": axis}, np.ones(1))[0])
    np.testing.assert_allclose(gradient.ravel(), np.array(expected, np.float64))
    each = [tangent(name, args, {"axis": axis}, [np.reshape(row, args[0].shape)])[0] for row in np.eye(len(x))]
    np.testing.assert_allclose(np.array(each), np.array(expected, np.float64))


def test_running_extreme_belongs_to_the_first() -> None:
    x = np.array([1.0, 1.0, 0.0, 2.0, 2.0, 1.0])
    assert tangent("cummax", [x], {"axis": 0}, [np.arange(6.0)]).tolist() == [0, 0, 0, 3, 3, 3]
    back = cotangents("cummax", [x], {"axis": 0}, np.ones(6))[0]
    assert back is not None
    assert back.tolist() == [3, 0, 0, 3, 0, 0]


def test_a_side_not_taken_keeps_its_infinity() -> None:
    taken = tangent(
        "select",
        [np.array([True, False]), np.ones(2), np.ones(2)],
        {},
        [None, np.array([1.0, np.inf]), np.array([np.nan, 2.0])],
    )
    assert taken.tolist() == [1, 2]


# ------------------------------------------------------------------ meanings


def test_meanings() -> None:
    x = np.arange(6.0).reshape(2, 3)
    ones = np.array([1, 1, 1])
    cases: list[tuple[str, list[Any], dict[str, Any], Any]] = [
        ("iota", [i64(3)], {}, [0, 1, 2]),
        ("iota", [i64(0)], {}, []),
        ("dim", [x], {"axis": 1}, 3),
        ("zeros_like", [x], {}, [[0, 0, 0], [0, 0, 0]]),
        ("stop_grad", [x], {}, x.tolist()),
        ("replicate", [i64(2), ones], {}, [[1, 1, 1], [1, 1, 1]]),
        ("stack", [i64(1), i64(2)], {}, [1, 2]),
        ("concat", [ones, ones[:1]], {}, [1, 1, 1, 1]),
        ("reverse", [x], {}, [[3, 4, 5], [0, 1, 2]]),
        ("rotate", [np.arange(5), i64(2)], {}, [2, 3, 4, 0, 1]),
        ("rotate", [np.arange(5), i64(-1)], {}, [4, 0, 1, 2, 3]),
        ("slice", [np.arange(9), i64(7), i64(3), i64(-2)], {"axis": 0}, [7, 5, 3]),
        ("index", [x, i64(1)], {}, [3, 4, 5]),
        ("update", [np.arange(3), i64(9), i64(1)], {}, [0, 9, 2]),
        ("accumulate", [np.arange(3), i64(9), i64(1)], {}, [0, 10, 2]),
        ("update_slice", [np.arange(4), ones[:2], i64(3), i64(-2)], {"axis": 0}, [0, 1, 2, 1]),
        ("gather", [x, np.array([1, 0, -1]), np.array([2, 0, 0])], {}, [5, 0, 0]),
        ("accumulate_at", [np.zeros(3), np.ones(4), np.array([1, 1, -1, 2])], {}, [0, 2, 1]),
        ("max_at", [np.array([2.0, np.nan, 0.0]), np.array([1.0, 4.0, np.nan, 9.0]), np.array([0, 1, 2, -1])], {},
         [2, 4, 0]),
        ("min_at", [np.arange(3), np.array([5, -1, -2]), np.array([0, 1, 1])], {}, [0, -2, 2]),
        ("scatter", [np.zeros(3, np.int64), np.array([0, 0, 3, -1]), np.array([1, 2, 3, 4])], {}, [2, 0, 0]),
        ("ordered_sum", [np.array([1.0, 1e20, -1e20]), np.array([1, 2, 0])], {"axis": 0}, 1),
        ("ordered_sum", [np.array([1.0, 1e20, -1e20]), np.array([0, 1, 2])], {"axis": 0}, 0),
        ("argmax", [np.array([1.0, 3.0, 3.0])], {"axis": 0}, 1),
        ("argmin", [np.array([1, 0, 0])], {"axis": 0}, 1),
        ("argmax", [np.zeros((0, 2))], {"axis": 0}, [0, 0]),
        ("all", [np.zeros(0, bool)], {"axis": 0}, True),
        ("any", [np.zeros(0, bool)], {"axis": 0}, False),
        ("sum", [np.array([100, 100], np.int8)], {"axis": 0}, -56),
        ("prod", [np.zeros(0, np.int32)], {"axis": 0}, 1),
        ("maximum", [np.zeros(0, np.int16)], {"axis": 0}, -(2**15)),
        ("minimum", [np.zeros(0, np.uint8)], {"axis": 0}, 255),
        ("maximum", [np.zeros(0)], {"axis": 0}, -np.inf),
        ("cumprod", [np.array([2, 3, 4])], {"axis": 0}, [2, 6, 24]),
        ("cummin", [np.array([2, 3, 1])], {"axis": 0}, [2, 2, 1]),
    ]
    for name, args, attrs, expected in cases:
        assert np.asarray(value(name, args, attrs)).tolist() == expected, name
