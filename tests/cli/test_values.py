"""The notation of values: what is read, what is refused and with which words; printing is the inverse of reading."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from dad.lang import types as ty
from dad.lang.diagnostics.report import Diagnostic, Reporter
from dad.lang.sizes import Size
from dad.lang.source import Source
from dad.testing.literals import Number, parse_value, parse_values
from dad.testing.values import DTYPES, convert, mismatch, natural, show_value
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

F64, F32, I64, I32 = ty.F64, ty.Scalar("f32"), ty.I64, ty.Scalar("i32")
TOLERANCE = {"f64": 2e-3, "f32": 2e-3}


def array(element: ty.Type, rank: int = 1) -> ty.Type:
    return element if rank == 0 else ty.Array(Size.constant(1), array(element, rank - 1))


def record(**fields: ty.Type) -> ty.Type:
    return ty.Record(tuple(sorted(fields.items())))


def read(text: str, wanted: ty.Type) -> Any:
    """The value; an assertion shows what was wrong."""
    report = Reporter()
    literal = parse_value(Source("<test>", text), report)
    assert literal is not None, report.diagnostics
    value = convert(literal, wanted, report)
    assert report.diagnostics == []
    return value


def refused(text: str, wanted: ty.Type = F64) -> Diagnostic:
    report = Reporter()
    literal = parse_value(Source("<test>", text), report)
    if literal is not None:
        assert convert(literal, wanted, report) is None
    assert report.diagnostics
    return report.diagnostics[0]


@pytest.mark.parametrize(("text", "wanted", "value"), [
    ("3", F64, 3.0), ("3", I64, 3), ("3i32", I32, 3), ("2.5f32", F32, 2.5), ("-1", I64, -1), ("+1", I64, 1),
    ("1_000", I64, 1000), ("0xff", I64, 255), ("-0b101", I64, -5), ("1e-3", F64, 1e-3), ("1E3", F64, 1000.0),
    ("0x1.8p3", F64, 12.0), ("f64.inf", F64, math.inf), ("-f32.inf", F32, -math.inf), ("true", ty.BOOL, True),
    ("false", ty.BOOL, False), ("((3))", I64, 3), ("-9223372036854775808", I64, -2**63),
    ("18446744073709551615", ty.Scalar("u64"), 2**64 - 1), ("  3 -- three", I64, 3), ("2f64", F64, 2.0),
])
def test_scalars(text: str, wanted: ty.Type, value: float) -> None:
    result = read(text, wanted)
    assert isinstance(wanted, ty.Scalar)
    assert result.dtype == DTYPES[wanted.name]
    assert result == value


def test_nan_is_read() -> None:
    assert math.isnan(read("f64.nan", F64))


@pytest.mark.parametrize(("text", "wanted", "value"), [
    ("[1, 2]", array(F64), [1.0, 2.0]), ("[[1], [2]]", array(I64, 2), [[1], [2]]), ("[true]", array(ty.BOOL), [True]),
    ("[]", array(F64), []), ("empty([0]f64)", array(F64), []), ("empty(f64)", array(F64), []),
])
def test_arrays(text: str, wanted: ty.Type, value: list[Any]) -> None:
    assert read(text, wanted).tolist() == value


def test_arrays_without_elements_keep_their_shape() -> None:
    assert read("empty([0][2]f64)", array(F64, 2)).shape == (0, 2)
    assert read("[[], []]", array(F64, 2)).shape == (2, 0)
    assert read("[]", array(F64, 2)).shape == (0, 0)


def test_tuples_and_records() -> None:
    assert read("(1, 2.5)", ty.Tuple((I64, F64))) == (1, 2.5)
    assert read("()", ty.UNIT) == ()
    value = read("{y = [1, 2], x = 3}", record(x=I64, y=array(F64)))
    assert value["x"] == 3
    assert value["y"].tolist() == [1.0, 2.0]


def test_an_array_of_records_is_a_record_of_arrays() -> None:
    wanted = array(record(x=I64, y=array(F64)))
    value = read("[{x = 1, y = [1, 2]}, {y = [3, 4], x = 2}]", wanted)
    assert value["x"].tolist() == [1, 2]
    assert value["y"].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert show_value(value, wanted) == "[{x = 1, y = [1.0, 2.0]}, {x = 2, y = [3.0, 4.0]}]"


@pytest.mark.parametrize(("text", "wanted", "code", "words"), [
    ("2.5", I64, "U302", "expected i64, found `2.5`"),
    ("3i32", I64, "U302", "found i32 `3i32`"),
    ("3", ty.BOOL, "U302", "expected bool"),
    ("true", F64, "U302", "found bool `true`"),
    ("9223372036854775808", I64, "U302", "in the range of i64"),
    ("1e39", F32, "U302", "expected f32"),
    ("1" + "0" * 390, F64, "U302", "in the range of f64"),
    ("[1, 2]", F64, "U302", "found an array of 2"),
    ("1", array(F64), "U302", "expected an array"),
    ("[[1, 2], [3]]", array(F64, 2), "U302", "a row of 2 elements like the first, found one of 1"),
    ("[1, true]", array(I64), "U302", "found bool `true`"),
    ("empty([0]f32)", array(F64), "U302", "found [0]f32"),
    ("(1, 2)", F64, "U302", "found a tuple of 2"),
    ("{x = 1}", record(y=I64), "U302", "a record with y, found a record with x"),
    ("{}", ty.Tuple((I64, I64)), "U302", "found a record with no fields"),
])
def test_values_that_do_not_fit(text: str, wanted: ty.Type, code: str, words: str) -> None:
    found = refused(text, wanted)
    assert found.code == code
    assert words in found.labels[0].text


@pytest.mark.parametrize(("text", "words"), [
    ("", "0 values"), ("1 2", "2 values"), ("1.", "`1.` is not a number"), (".5", "`.5` is not a number"),
    ("1abc", "`1abc` is not a number"), ("1e", "is not a number"), ("0x", "is not a number"), ("-", "is not a number"),
    ("abc", "`abc` is not a value"), ("[1,", "text ends"), ("[1 2]", "expected `,`"), ("(1", "expected `,`"),
    ("{x}", "expected `=`"), ("{1 = 2}", "name of a field"), ("{x = 1, x = 2}", "`x` twice"),
    ("]", "`]` is not a value"),
    ("$", "`$` is not a value"), ("\0", "is not a value"), ("\ud800", "is not a value"), ('"a', "is not a value"),
    ("2.5i32", "fraction with the suffix of an integer"), ("1e999", "beyond the range"),
    ("0x1p9999", "beyond the range"),
    ("9" * 500, "500 characters"), ("[" * 100, "64 deep"), ("(" * 100_000, "64 deep"),
    ("empty(3)", "expected a type"),
    ("empty([2]f64)", "dimension of size 0"), ("empty([0]f80)", "`f80` is not a type"),
    ("empty([-1]f64)", "size of an axis"), ("empty([n]f64)", "size of an axis"),
    ("empty([9999999999999999]f64)", "size of an axis"), ("empty", "expected `(`"),
    ("empty(" + "[0]" * 40 + "f64)", "32 axes"), ("٣", "`٣` is not a number"),
])
def test_values_that_cannot_be_read(text: str, words: str) -> None:
    found = refused(text)
    assert found.code == "U301"
    assert words in found.message


def test_several_values() -> None:
    report = Reporter()
    found = parse_values(Source("<test>", "1 [2] -- three\n 3f32"), report)
    assert report.diagnostics == []
    assert found is not None
    assert len(found) == 3
    assert isinstance(found[2], Number)
    assert found[2].suffix == "f32"


@pytest.mark.parametrize(("value", "text"), [
    (1.0, "1.0"), (3, "3"), (True, "true"), (np.float32(0.1), "0.1f32"), (np.int32(3), "3i32"), (1e300, "1e300"),
    (-0.0, "-0.0"), (math.nan, "f64.nan"), (-math.inf, "-f64.inf"), (np.float32(math.inf), "f32.inf"),
    (np.zeros((0, 2)), "empty([0][2]f64)"), (np.array([[1, 2]], np.int32), "[[1i32, 2i32]]"), ((1, 2.0), "(1, 2.0)"),
    ({"x": 1}, "{x = 1}"), ((), "()"), ([(1, 2)], "[(1, 2)]"), (1e16, "1e16"), (1e-7, "1e-07"),
])
def test_printing(value: Any, text: str) -> None:
    assert show_value(value) == text


def test_long_arrays_are_cut_in_messages() -> None:
    assert show_value(np.arange(100), limit=3) == "[0, 1, 2, …]"


# ---------------------------------------------------------------- comparison


@pytest.mark.parametrize(("expected", "found"), [
    (np.float64(1.0), np.float64(1.0015)), (np.float64(0.0), np.float64(1e-3)),
    (np.float64(math.nan), np.float64(math.nan)),
    (np.float64(math.inf), np.float64(math.inf)), (np.float64(1000.0), np.float64(1001.0)), (np.int64(3), np.int64(3)),
    (np.zeros((0, 2)), np.zeros((0, 2))), ({"x": np.int64(1)}, {"x": np.int64(1)}), ((), ()), ([], []),
])
def test_what_agrees(expected: Any, found: Any) -> None:
    assert mismatch(expected, found, tolerance=TOLERANCE) is None


@pytest.mark.parametrize(("expected", "found", "text"), [
    (np.float64(1.0), np.float64(1.1), "expected 1.0, found 1.1"),
    (np.float64(math.inf), np.float64(1e308), "expected f64.inf, found 1e308"),
    (np.float64(1e308), np.float64(math.inf), "expected 1e308, found f64.inf"),
    (np.float64(math.inf), np.float64(-math.inf), "expected f64.inf, found -f64.inf"),
    (np.float64(math.nan), np.float64(1.0), "expected f64.nan, found 1.0"),
    (np.float64(1.0), np.float64(math.nan), "expected 1.0, found f64.nan"),
    (np.array([1, 2, 3]), np.array([1, 5, 6]), "expected 2, found 5 at [1] (and 1 more)"),
    (np.zeros((2, 1)), np.ones((2, 1)), "expected 0.0, found 1.0 at [0, 0] (and 1 more)"),
    (np.zeros(2), np.zeros(3), "expected shape [2], found [3]"),
    (np.float64(1.0), np.float32(1.0), "expected f64, found f32"),
    ({"x": {"y": np.zeros(1)}}, {"x": {"y": np.ones(1)}}, "expected 0.0, found 1.0 at .x.y[0]"),
    ((np.int64(1), np.int64(2)), (np.int64(1), np.int64(3)), "expected 2, found 3 at .1"),
    ([{"x": np.int64(1)}], [{"x": np.int64(2)}], "expected 1, found 2 at [0].x"),
    ([], [np.int64(1)], "expected [], found [1]"),
    (np.bool_(True), np.bool_(False), "expected true, found false"),
])
def test_what_differs(expected: Any, found: Any, text: str) -> None:
    assert mismatch(expected, found, tolerance=TOLERANCE) == text


# ---------------------------------------------------------------- round trips and arbitrary text

SCALARS = st.sampled_from(sorted(DTYPES))
ARRAYS = SCALARS.flatmap(lambda name: hnp.arrays(DTYPES[name], hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)))


def type_of(value: Any) -> ty.Type:
    if isinstance(value, dict):
        return record(**{name: type_of(item) for name, item in value.items()})
    if isinstance(value, tuple):
        return ty.Tuple(tuple(type_of(item) for item in value))
    name = next(name for name, dtype in DTYPES.items() if value.dtype == dtype)
    return array(ty.Scalar(name), value.ndim)


TREES = st.recursive(ARRAYS, lambda inner: st.one_of(
    st.lists(inner, min_size=2, max_size=3).map(tuple),
    st.dictionaries(st.sampled_from(["a", "b'", "_c"]), inner)), max_leaves=4)


def bits(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: bits(item) for name, item in sorted(value.items())}
    if isinstance(value, tuple):
        return tuple(bits(item) for item in value)
    item = np.asarray(value)
    plain = np.where(np.isnan(item), 0, item) if item.dtype.kind == "f" else item  # nan has many forms
    return item.dtype, item.shape, plain.tobytes()


@given(TREES)
@settings(max_examples=200, deadline=None)
@example(np.array(3.4028235e38, np.float32))
@example(np.array(65504, np.float16))
def test_reading_is_the_inverse_of_printing(value: Any) -> None:
    wanted = type_of(value)
    assert bits(read(show_value(value, wanted), wanted)) == bits(value)
    assert bits(natural(value, wanted)) == bits(value)


FRAGMENTS = st.sampled_from(["[", "]", "(", ")", "{", "}", ",", "=", "1", "-2.5", "f64", "f32.nan", "true", "empty",
                             " ", "--", "\n", "x", "0x", "i32", "1e5", "_", "'", "\0", "é", "[0]", "..", "9" * 50])


@given(st.one_of(st.text(), st.lists(FRAGMENTS, max_size=30).map("".join)),
       st.sampled_from([F64, I32, array(F64, 2), record(x=I64), ty.UNIT, ty.BOOL]))
@settings(max_examples=500, deadline=None)
def test_any_text_gives_values_or_diagnostics(text: str, wanted: ty.Type) -> None:
    report = Reporter()
    source = Source("<test>", text)
    for literal in parse_values(source, report) or []:
        convert(literal, wanted, report)
    for found in report.diagnostics:
        assert found.code in ("U301", "U302")
        assert found.span is not None
        assert 0 <= found.span.start <= found.span.end <= len(text) + 1
