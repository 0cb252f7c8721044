"""Entry points from Python: every array-like that fits is taken, everything else is refused in the source's words."""

from __future__ import annotations

import array
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import dad
import numpy as np
import pytest
from dad.codegen.backends.entry import (
    ArrayOf,
    ArraySpec,
    DimSpec,
    EntrySpec,
    ParamSpec,
    RecordSpec,
    ScalarSpec,
    TupleSpec,
    ValueSpec,
)
from dad.codegen.backends.numpy import emit_module
from dad.codegen.backends.numpy.stub import attribute
from dad.codegen.runtime.errors import DadArgumentError
from dad.lang.core.text import parse

N = DimSpec("n", ((1, ("n",)),))
D = DimSpec("d", ((1, ("d",)),))
N1 = DimSpec("n+1", ((1, ("n",)), (1, ())))
THREE = DimSpec("3", ((3, ()),))
POINT = RecordSpec("point", (("x", ScalarSpec("f64")), ("tag", ScalarSpec("i64"))))


def identity(*values: tuple[str, ValueSpec], types: str, **transforms: str) -> Any:
    """An entry that gives back its arguments; `types` are those of its leaves in the IR's notation."""
    leaves = [t.strip() for t in types.split(",")]
    params = ", ".join(f"v.{k}: {t}" for k, t in enumerate(leaves))
    text = f"def f ({params}) {{ return {' '.join(f'v.{k}' for k in range(len(leaves)))} }}"
    spec = EntrySpec("f", "f", tuple(ParamSpec(n, v) for n, v in values), TupleSpec(tuple(v for _, v in values)))
    space: dict[str, Any] = {"__name__": "emitted"}
    exec(emit_module(parse(text), [spec], "test").linked, space)
    return space["f"]


def refused(entry: Any, *args: Any, **named: Any) -> str:
    with pytest.raises(DadArgumentError) as caught:
        entry(*args, **named)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, ValueError)
    return str(caught.value)


MATRIX = identity(("x", ArraySpec("f64", (N, D))), types="[][]f64")


class Arraylike:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.value, dtype)


class OnlyDLPack:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __dlpack__(self, **options: Any) -> Any:
        return self.value.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.value.__dlpack_device__()


WIDE = np.arange(24.0).reshape(4, 6)


@pytest.mark.parametrize("given", [
    WIDE, WIDE.T, WIDE[::2, ::-1], WIDE[:0], WIDE[:, :0], WIDE.astype(">f8"), WIDE.astype(np.float32), WIDE.astype(int),
    np.asfortranarray(WIDE), WIDE.tolist(), [tuple(row) for row in WIDE.tolist()], Arraylike(WIDE), OnlyDLPack(WIDE),
    memoryview(WIDE),  # type: ignore[arg-type]  # arrays do have the buffer protocol np.broadcast_to(WIDE[0], (4, 6)),
    np.frombuffer(b"x" + WIDE.tobytes(), "u1")[1:].view("f8").reshape(4, 6),
    WIDE.astype(np.uint8), [[1, 2.5]],
])  # fmt: skip
def test_any_layout_of_the_right_type(given: Any) -> None:
    (result,) = MATRIX(given)
    want = given.value if isinstance(given, Arraylike | OnlyDLPack) else given
    np.testing.assert_array_equal(result, np.asarray(want, np.float64))
    assert result.dtype == np.float64
    assert result.flags.c_contiguous
    assert result.flags.writeable
    assert not isinstance(want, np.ndarray) or not np.shares_memory(result, want)


def test_read_only_arguments_are_fine_and_results_are_not() -> None:
    given = WIDE.copy()
    given.flags.writeable = False
    (result,) = MATRIX(given)
    result[0, 0] = 99.0
    assert given[0, 0] == 0.0


@pytest.mark.parametrize(("given", "message"), [
    (np.ones(3), "A101: argument `x`: expected [n][d]f64, found float64 array of shape (3,)"),
    (np.float64(1), "A101: argument `x`: expected [n][d]f64, found float64 scalar"),
    (1.0, "A101: argument `x`: expected [n][d]f64, found a value of type float"),
    ([1.0, 2.0], "A101: argument `x`: expected [n][d]f64, found a value of shape (2,)"),
    ([[1.0], [2.0, 3.0]], "A101: argument `x`: expected [n][d]f64, found a value of type list that is no array"),
    (WIDE.astype(complex), "A102: argument `x`: expected [n][d]f64, found complex128 array of shape (4, 6)"),
    (WIDE.astype(str), "A102: argument `x`: expected [n][d]f64, found <U32 array of shape (4, 6)"),
    (WIDE.astype(object), "A102: argument `x`: expected [n][d]f64, found object array of shape (4, 6)"),
    (WIDE > 1, "A102: argument `x`: expected [n][d]f64, found bool array of shape (4, 6)"),
    (WIDE.astype("M8[s]"), "A102: argument `x`: expected [n][d]f64, found datetime64[s] array of shape (4, 6)"),
    (np.array([[2**53 + 1]]), "A102: argument `x`: 9007199254740993 does not fit f64 exactly"),
    ([["a"]], "A102: argument `x`: expected [n][d]f64, found <U1 values"),
    (None, "A101: argument `x`: expected [n][d]f64, found a value of type NoneType"),
])  # fmt: skip
def test_what_is_refused_and_how(given: Any, message: str) -> None:
    assert refused(MATRIX, given) == message


@pytest.mark.parametrize(("dtype", "good", "bad"), [
    ("f64", [1.5, 2, np.float32(1.5), np.int8(3), np.array(2.5), float("nan")],
     [1j, "1", None, [1.0], 2**60 + 1, True]),
    ("f32", [1.5, 2, 0.1, np.float32(0.1), np.float16(1.5)], [np.float64(0.1), np.array(0.1), 2**30 + 1, 1j]),
    ("i64", [3, np.int8(3), np.uint32(3), -(2**63)], [3.0, 2**63, np.uint64(3), True, 10**30]),
    ("i32", [3, -(2**31), np.int16(3)], [2**31, np.int64(3), 1.0]),
    ("u8", [0, 255], [-1, 256, np.int8(1)]),
    ("u64", [0, 2**64 - 1, np.uint8(4)], [-1, 2**64]),
    ("bool", [True, False, np.bool_(True), np.array(False)], [0, 1, 1.0, None]),
])  # fmt: skip
def test_scalars(dtype: str, good: list[Any], bad: list[Any]) -> None:
    entry = identity(("x", ScalarSpec(dtype)), types=dtype)
    for value in good:
        (result,) = entry(value)
        if dtype == "f32":
            assert result == np.float32(value)
            assert type(result) is np.float32
        else:
            assert result == value or value != value
        if dtype in ("f64", "i64", "bool"):
            assert type(result) is {"f64": float, "i64": int, "bool": bool}[dtype]
    for value in bad:
        assert refused(entry, value)[:4] in ("A101", "A102")


def test_sizes_agree_and_messages_say_where_they_come_from() -> None:
    entry = identity(("xs", ArraySpec("f64", (N, THREE))), ("ys", ArraySpec("f64", (N1,))), types="[][]f64, []f64")
    entry(np.ones((2, 3)), np.ones(3))
    assert refused(entry, np.ones((2, 3)), np.ones(4)) == (
        "A103: argument `ys`: axis 0 has size 4, but `n+1` is 3 (`n` is 2 from axis 0 of `xs`)"
    )
    assert refused(entry, np.ones((2, 4)), np.ones(3)) == "A103: argument `xs`: axis 1 has size 4, but it must be 3"
    same = identity(("xs", ArraySpec("f64", (N,))), ("ys", ArraySpec("f64", (N,))), types="[]f64, []f64")
    assert refused(same, np.ones(3), np.ones(4)) == (
        "A103: argument `ys`: axis 0 has size 4, but `n` is 3 (from axis 0 of `xs`)"
    )


def test_a_size_may_be_an_argument() -> None:
    entry = identity(("xs", ArraySpec("f64", (N,))), ("n", ScalarSpec("i64")), types="[]f64, i64")
    entry([1.0, 2.0], 2)
    assert refused(entry, [1.0, 2.0], 3) == "A103: argument `xs`: axis 0 has size 2, but `n` is 3 (from argument `n`)"


def test_arguments_by_name() -> None:
    entry = identity(("a", ScalarSpec("f64")), ("b", ScalarSpec("f64")), types="f64, f64")
    assert entry(b=1.0, a=2.0) == (2.0, 1.0)
    assert refused(entry, 1.0) == "A104: argument `b` of `f` is missing"
    assert refused(entry, 1.0, 2.0, 3.0) == "A104: `f` takes 2 arguments, got 3"
    assert refused(entry, 1.0, a=2.0) == "A104: argument `a` is given twice"
    assert refused(entry, 1.0, c=2.0) == "A104: `f` has no parameter `c`; it has `a`, `b`"


@dataclass
class PointClass:
    x: float
    tag: int


PointTuple = namedtuple("PointTuple", ["tag", "x"])


@pytest.mark.parametrize("given", [{"x": 1.5, "tag": 2}, PointClass(1.5, 2), PointTuple(2, 1.5),
                                   np.array((1.5, 2), [("x", "f8"), ("tag", "i8")])])  # fmt: skip
def test_records_in_any_form(given: Any) -> None:
    (point,) = identity(("p", POINT), types="i64, f64")(given)
    assert point == (1.5, 2)
    assert point.tag == 2
    assert type(point).__name__ == "point"


def test_fields_that_python_cannot_name_come_back() -> None:
    names = ("lambda", "x'", "_y", "x")
    record = RecordSpec("prior", tuple((name, ScalarSpec("f64")) for name in names))
    entry = identity(("p", record), types="f64, f64, f64, f64")
    (point,) = entry({"lambda": 1.0, "x'": 2.0, "_y": 3.0, "x": 4.0})
    assert (point.lambda_, point.x_, point.y_, point.x) == (1.0, 2.0, 3.0, 4.0)
    assert entry(point) == (point,)
    assert [attribute(name, k) for k, name in enumerate(names)] == list(point._fields)


def test_records_with_wrong_fields() -> None:
    entry = identity(("p", POINT), types="i64, f64")
    assert refused(entry, {"x": 1.0}) == "A104: argument `p`: field `tag` is missing in a value of type dict"
    assert refused(entry, {"x": 1.0, "tag": 1, "z": 0}) == "A104: argument `p`: unexpected field `z`; it has `x`, `tag`"
    assert refused(entry, {"x": 1.0, "tag": 1.5}) == "A102: argument `p.tag`: expected i64, found a value of type float"
    assert refused(entry, 3).startswith("A104: argument `p`: field `x` is missing")


ROWS: list[Any] = [
    {"x": [1.0, 2.0], "tag": [3, 4]},
    PointClass(np.array([1.0, 2.0]), array.array("q", [3, 4])),  # type: ignore[arg-type]
    [{"x": 1.0, "tag": 3}, {"x": 2.0, "tag": 4}],
    [PointClass(1.0, 3), PointClass(2.0, 4)],
    np.array([(1.0, 3), (2.0, 4)], [("x", "f8"), ("tag", "i8")]),
]


@pytest.mark.parametrize("given", ROWS)
def test_arrays_of_records_in_any_form(given: Any) -> None:
    (points,) = identity(("ps", ArrayOf((N,), POINT)), types="[]i64, []f64")(given)
    np.testing.assert_array_equal(points.x, [1.0, 2.0])
    np.testing.assert_array_equal(points.tag, [3, 4])


def test_arrays_of_records_empty_and_of_different_lengths() -> None:
    entry = identity(("ps", ArrayOf((N,), POINT)), types="[]i64, []f64")
    assert entry([])[0].tag.shape == (0,)
    assert refused(entry, {"x": [1.0], "tag": [1, 2]}) == (
        "A103: argument `ps.x`: axis 0 has size 1, but `n` is 2 (from axis 0 of `ps.tag`)"
    )


def test_tuples() -> None:
    pair = TupleSpec((ScalarSpec("f64"), ArraySpec("i64", (N,))))
    entry = identity(("p", pair), types="f64, []i64")
    ((x, ys),) = entry((1, [2, 3]))
    assert x == 1.0
    assert ys.tolist() == [2, 3]
    assert refused(entry, (1.0,)) == "A104: argument `p`: expected a tuple of 2, found one of 1"
    assert refused(entry, 7) == "A102: argument `p`: expected a tuple of 2, found a value of type int"


def test_no_two_results_share_memory() -> None:
    text = "def f (x.0: []f64) { let y.1: []f64 = add x.0 1.0 return x.0 y.1 y.1 x.0 }"
    vector = ArraySpec("f64", (N,))
    spec = EntrySpec("f", "f", (ParamSpec("x", vector),), TupleSpec((vector,) * 4))
    space: dict[str, Any] = {}
    exec(emit_module(parse(text), [spec], "test").linked, space)
    given = np.ones(3)
    results = space["f"](given)
    for k, x in enumerate(results):
        assert not any(np.shares_memory(x, y) for y in (*results[:k], given))


# ------------------------------------------------------------------ transforms

SOURCE = """
type model [d] = {slope: [d]f64, kind: i64, base: f64}
entry loss [n][d] (m: param (model [d])) (scale: param f64) (xs: data [n][d]f64) (ys: data [n]f64) : f64 =
  scale * sum [(sum [m.slope[j] * xs[i,j] for j < d] + m.base - ys[i])**2 for i < n]
entry both (x: f64) : (f64, f64) = (x * x, x)
"""


@pytest.fixture(scope="module")
def module() -> Any:
    import dad

    return dad.compile(SOURCE)


XS, YS = np.arange(6.0).reshape(3, 2), np.array([1.0, 0.5, -1.0])
MODEL = {"slope": [0.5, -1.0], "kind": 1, "base": 0.25}


def test_gradients_have_the_structure_of_the_parameters(module: Any) -> None:
    value, gradient = module.loss.value_and_grad(MODEL, 2.0, XS, YS)
    assert value == pytest.approx(module.loss(MODEL, 2.0, XS, YS))
    assert gradient._fields == ("m", "scale")
    assert gradient.m.kind == ()
    assert gradient.scale == pytest.approx(value / 2.0)
    h = 1e-6
    moved = module.loss(MODEL | {"base": 0.25 + h}, 2.0, XS, YS) - module.loss(MODEL | {"base": 0.25 - h}, 2.0, XS, YS)
    assert gradient.m.base == pytest.approx(moved / (2 * h), rel=1e-6)
    only = module.loss.grad(MODEL, 2.0, XS, YS, wrt="scale")
    assert only == pytest.approx(gradient.scale)


def test_jvp_and_vjp_agree(module: Any) -> None:
    tangents = {"m": {"slope": [1.0, 2.0], "kind": (), "base": -1.0}, "scale": 0.5}
    value, tangent = module.loss.jvp((MODEL, 2.0, XS, YS), tangents)
    again, gradient = module.loss.vjp((MODEL, 2.0, XS, YS), 1.0)
    assert value == again
    dot = gradient.m.slope @ np.array([1.0, 2.0]) - gradient.m.base + 0.5 * gradient.scale
    assert tangent == pytest.approx(dot)


def test_vmap_over_any_axis(module: Any) -> None:
    squares, same = module.both.vmap(np.arange(4.0))
    assert squares.tolist() == [0.0, 1.0, 4.0, 9.0]
    assert same.tolist() == [0.0, 1.0, 2.0, 3.0]
    many = np.stack([XS, XS + 1], axis=1)
    losses = module.loss.vmap(MODEL, 2.0, many, YS, in_axes=(None, None, 1, None))
    assert losses == pytest.approx([module.loss(MODEL, 2.0, XS, YS), module.loss(MODEL, 2.0, XS + 1, YS)])


def test_transforms_that_were_not_built_say_so() -> None:
    entry = identity(("a", ScalarSpec("f64")), types="f64")
    with pytest.raises(DadArgumentError, match="A105: `f` was built without `value_and_grad`"):
        entry.grad(1.0)


def test_vmap_shares_sizes() -> None:
    """A parameter that is a size of the result cannot differ between the elements of one array."""
    module = dad.compile(
        "entry f (n: i64) (c: f64) : [n]f64 = loop xs = replicate n c for i < n do xs with [i] = f64 i * c\n"
        "entry g (n: i64) : [n]i64 = iota n"
    )
    np.testing.assert_array_equal(module.f.vmap([2, 2], [3.0, 1.0]), [[0, 3], [0, 1]])
    np.testing.assert_array_equal(module.g.vmap([2, 2, 2]), [[0, 1]] * 3)
    with pytest.raises(DadArgumentError, match="the same for all elements; found 2 and 3"):
        module.g.vmap([2, 3])


@pytest.mark.parametrize("target", ["numpy", "native", "interp"])
def test_vmap_where_only_a_result_knows_its_size(target: str) -> None:
    module = dad.compile(
        "entry f [n] (xs: [n]f64) : []f64 = filter (> 0) xs\n"
        "entry g (n: i64) (c: f64) : [2 * n]f64 = replicate (2 * n) c\n", target=target)
    np.testing.assert_array_equal(module.f.vmap([[1.0, -2.0, 3.0], [2.0, 3.0, -4.0]]), [[1, 3], [2, 3]])
    assert module.f.vmap(np.zeros((0, 3))).shape == (0, 0)
    np.testing.assert_array_equal(module.g.vmap([1, 1], [3.0, 4.0]), [[3, 3], [4, 4]])
    with pytest.raises(dad.RunError, match="R103: the elements of an array differ in size: 3 and 2 differ"):
        module.f.vmap([[1.0, -2.0, 3.0], [2.0, 3.0, 4.0]])
