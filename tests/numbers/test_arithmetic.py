"""Random arithmetic over all types of integers: the interpreter and emitted code against Python's unbounded integers.

One program computes the expressions on scalars, under `map`, and in a loop; each of its parameters and literals is of
one of the eleven scalar types, conversions join them. `reference` computes with Python's integers, rounded into the
type after each step. Floats only compare the two ways of running, to the last bit. No run may print a warning.
"""

from __future__ import annotations

import math
import warnings
from random import Random
from typing import Any

import dad
import numpy as np
import pytest
from dad.lang.intrinsics import LIMITS

INTEGERS = tuple(LIMITS)
TYPES = (*INTEGERS, "f16", "f32", "f64", "bool")
NUMPY = {"f16": "float16", "f32": "float32", "f64": "float64", "bool": "bool_"}
ARITHMETIC = ("+", "-", "*", "/", "%", "//", "%%", "&", "|", "^", "<<", ">>", ">>>", "**")


def dtype(name: str) -> np.dtype[Any]:
    return np.dtype(NUMPY.get(name, f"{'int' if name[0] == 'i' else 'uint'}{name[1:]}"))


def wrapped(value: int, kind: str) -> int:
    bits = int(kind[1:])
    value %= 1 << bits
    return value - (1 << bits) if kind[0] == "i" and value >> bits - 1 else value


def floored(a: int, b: int) -> int:
    return a // b


def truncated(a: int, b: int) -> int:
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def binary(op: str, a: int, b: int, kind: str) -> int:
    bits = int(kind[1:])
    unsigned = a % (1 << bits)
    match op:
        case "+":
            value = a + b
        case "-":
            value = a - b
        case "*":
            value = a * b
        case "/":
            value = floored(a, b)
        case "%":
            value = a - b * floored(a, b)
        case "//":
            value = truncated(a, b)
        case "%%":
            value = a - b * truncated(a, b)
        case "&":
            value = a & b
        case "|":
            value = a | b
        case "^":
            value = a ^ b
        case "<<":
            value = a << b
        case ">>":
            value = a >> b
        case ">>>":
            value = unsigned >> b
        case "**":
            value = pow(a, b, 1 << bits)
        case "max":
            value = max(a, b)
        case "min":
            value = min(a, b)
        case _:
            raise AssertionError(op)
    return wrapped(value, kind)


class Expressions:
    """Makes an expression of a type: its text, and what it is worth for the arguments at hand."""

    def __init__(self, rng: Random, arguments: dict[str, tuple[str, int]]) -> None:
        self.rng = rng
        self.arguments = arguments
        """Type and value of each name."""

    def literal(self, kind: str) -> tuple[str, int]:
        low, high = LIMITS[kind]
        value = self.rng.choice((0, 1, 2, 7, high, high - 1, low, low + 1, self.rng.randint(low, high)))
        text = self.rng.choice((f"{abs(value)}{kind}", f"0x{abs(value):x}{kind}", f"0b{abs(value):b}{kind}"))
        return (text if value >= 0 else f"(-{text})"), value

    def made(self, kind: str, depth: int) -> tuple[str, int]:
        if depth == 0:
            names = [n for n, (k, _) in self.arguments.items() if k == kind]
            if names and self.rng.randrange(3):
                name = self.rng.choice(names)
                return name, self.arguments[name][1]
            return self.literal(kind)
        choice = self.rng.randrange(12)
        if choice < 6:
            return self.operation(kind, depth)
        if choice == 6:
            text, value = self.made(kind, depth - 1)
            return self.rng.choice(
                ((f"(-{text})", wrapped(-value, kind)), (f"(!{text})", wrapped(~value, kind)),
                 (f"(abs {text})", wrapped(abs(value), kind)),
                 (f"({kind}.sgn {text})", (value > 0) - (value < 0)))
            )
        if choice < 9:
            other = self.rng.choice(INTEGERS)
            text, value = self.made(other, depth - 1)
            return f"({self.rng.choice((kind, f'{kind}.{other}'))} {text})", wrapped(value, kind)
        if choice == 9:
            (x, a), (y, b) = self.made(kind, depth - 1), self.made(kind, depth - 1)
            test, holds = self.truth(depth - 1)
            return f"(if {test} then {x} else {y})", a if holds else b
        if choice == 10:
            test, holds = self.truth(depth - 1)
            return f"({kind}.bool {test})", int(holds)
        text, value = self.made(kind, depth - 1)
        bits = int(kind[1:])
        unsigned = value % (1 << bits)
        name, count = self.rng.choice((
            ("popc", unsigned.bit_count()), ("clz", bits - unsigned.bit_length()),
            ("ctz", (unsigned & -unsigned).bit_length() - 1 if unsigned else bits)))  # fmt: skip
        return f"({kind}.i32 ({kind}.{name} {text}))", wrapped(count, kind)

    def operation(self, kind: str, depth: int) -> tuple[str, int]:
        x, a = self.made(kind, depth - 1)
        op = self.rng.choice((*ARITHMETIC, "max", "min"))
        if op in ("max", "min"):
            y, b = self.made(kind, depth - 1)
            return f"({op} {x} {y})", binary(op, a, b, kind)
        if op in ("<<", ">>", ">>>"):
            bits = int(kind[1:])
            y, b = self.made(kind, depth - 1)
            y, b = f"({y} % {bits}{kind})", b % bits
        elif op == "**":
            y, b = self.made(kind, depth - 1)
            y, b = f"({y} & 15{kind})", b & 15
        else:
            y, b = self.made(kind, depth - 1)
            if op in ("/", "%", "//", "%%") and b == 0:
                y, b = f"({y} | 1{kind})", 1
        if self.rng.randrange(4) == 0:
            return f"({x} {kind}.{op} {y})", binary(op, a, b, kind)
        return f"({x} {op} {y})", binary(op, a, b, kind)

    def truth(self, depth: int) -> tuple[str, bool]:
        kind = self.rng.choice(INTEGERS)
        (x, a), (y, b) = self.made(kind, depth), self.made(kind, depth)
        name, holds = self.rng.choice(
            (("==", a == b), ("!=", a != b), ("<", a < b), ("<=", a <= b), (">", a > b), (">=", a >= b))
        )
        return f"({x} {name} {y})", holds


def program(rng: Random) -> tuple[str, list[Any], list[tuple[str, int]]]:
    arguments: dict[str, tuple[str, int]] = {}
    for k in range(8):
        kind = rng.choice(INTEGERS)
        low, high = LIMITS[kind]
        arguments[f"x{k}"] = (kind, rng.choice((0, 1, high, low, rng.randint(low, high), rng.randint(low, high))))
    expressions = Expressions(rng, arguments)
    results = []
    texts = []
    for _ in range(6):
        kind = rng.choice(INTEGERS)
        text, value = expressions.made(kind, 3)
        texts.append(text)
        results.append((kind, value))
    body = "(" + ",\n   ".join(texts) + ")"
    params = " ".join(f"({n}: {k})" for n, (k, _) in arguments.items())
    arrays = " ".join(f"({n}: [n]{k})" for n, (k, _) in arguments.items())
    zipped = "xs"
    rows = " ".join(f"let {n} = {n}s[i]" for n in arguments)
    arrays = " ".join(f"({n}s: [n]{k})" for n, (k, _) in arguments.items())
    del zipped
    text = (
        f"def f {params} =\n  {body}\n"
        f"entry once {params} = f {' '.join(arguments)}\n"
        f"entry many [n] {arrays} =\n  map (\\i -> {rows} in f {' '.join(arguments)}) (iota n)\n"
    )
    values = [dtype(k).type(v) for k, v in arguments.values()]
    return text, values, results


@pytest.mark.parametrize("seed", range(60))
def test_integers(seed: int) -> None:
    text, values, expected = program(Random(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for target in ("native", "numpy", "interp"):
            module = dad.compile(text, target=target)
            got = module.once(*values)
            assert [(int(g), np.asarray(g).dtype) for g in got] == [(v, dtype(k)) for k, v in expected], text
            columns = module.many(*[np.array([v, v]) for v in values])
            for column, (kind, value) in zip(columns, expected, strict=True):
                assert (column.dtype, column.tolist()) == (dtype(kind), [value, value]), text


FLOATS = (0.0, -0.0, 1.0, -1.5, 2.5, 300.7, -300.7, 3e9, -3e9, 1e19, -1e19, 1e30, math.inf, -math.inf, math.nan)


@pytest.mark.parametrize("of", TYPES)
def test_every_conversion_is_the_same_both_ways(of: str) -> None:
    """Of literals, scalars and arrays; what is out of range, too."""
    text = "".join(
        f"entry one_{to} (x: {of}) = {to}.{of} x\nentry all_{to} [n] (xs: [n]{of}) = map {to} xs\n" for to in TYPES
    )
    if of[0] == "f":
        largest = float(np.finfo(dtype(of)).max)
        values = np.array([x for x in FLOATS if abs(x) < largest or not math.isfinite(x)], dtype(of))
    elif of == "bool":
        values = np.array([False, True])
    else:
        low, high = LIMITS[of]
        values = np.array(sorted({low, low + 1, 0, 1, 100, high - 1, high}), dtype(of))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick, slow = dad.compile(text), dad.compile(text, target="interp")
        for to in TYPES:
            expected = getattr(slow, f"all_{to}")(values)
            assert expected.dtype == dtype(to)
            np.testing.assert_array_equal(getattr(quick, f"all_{to}")(values), expected)
            singles = [getattr(quick, f"one_{to}")(v) for v in values]
            np.testing.assert_array_equal(np.array(singles), expected)
            if of != "bool" and of[0] != "f" and to[0] != "f" and to != "bool":
                assert expected.tolist() == [wrapped(int(v), to) for v in values]


@pytest.mark.parametrize("kind", INTEGERS)
@pytest.mark.parametrize("op", ["/", "%", "//", "%%"])
def test_division_by_zero_is_an_error(kind: str, op: str) -> None:
    text = (
        f"entry one (x: {kind}) (y: {kind}) = x {op} y\n"
        f"entry all [n] (xs: [n]{kind}) (ys: [n]{kind}) = map2 ({op}) xs ys\n"
        f"entry whole [n] (xs: [n]{kind}) (ys: [n]{kind}) = xs {op} ys\n"
        f"entry member (x: {kind}) (y: {kind}) = x {kind}.{op} y\n"
    )
    number = dtype(kind).type
    for target in ("native", "numpy", "interp"):
        module = dad.compile(text, target=target)
        three, zero = np.array([3, 3], dtype(kind)), np.array([1, 0], dtype(kind))
        for run, x, y in (
            (module.one, number(3), number(0)),
            (module.member, number(3), number(0)),
            (module.all, three, zero),
            (module.whole, three, zero),
        ):
            with pytest.raises(dad.RunError, match="division by zero"):
                run(x, y)
