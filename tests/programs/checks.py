"""What a generated program is put through: both targets, derivatives both ways, `vmap`, the built module.

Each function raises AssertionError, with what disagrees, or returns. A `Run` holds the program compiled for both.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import dad
import numpy as np
from dad import driver
from dad.interface import usual_transforms
from dad.lang.source import Source
from dad.tests.programs.generate import Generated
from dad.tests.programs.programs import arguments, has_floats, tangent

Outcome = tuple[str, Any]


class Run:
    """A program and both its modules; `built`: the NumPy side is the text that `dad build` writes."""

    def __init__(self, program: Generated, built: bool = False) -> None:
        self.program = program
        self.built = built
        self.tolerance = 1e-11 if program.floats == "f64" else 2e-4

    @cached_property
    def interpreted(self) -> Any:
        return dad.compile(self.program.text, target="interp")

    @cached_property
    def compiled(self) -> Any:
        if not self.built:
            return dad.compile(self.program.text)
        text = build(self.program.text)
        return Namespace(executed(text))


class Namespace:
    def __init__(self, names: dict[str, Any]) -> None:
        self.__dict__.update(names)


def build(text: str) -> str:
    return driver.compile_source(Source("generated.dad", text), transforms=usual_transforms).python


def executed(text: str) -> dict[str, Any]:
    """The names that a built module defines; it may import NumPy and Python's library, but nothing of dad."""

    def importing(name: str, *rest: Any) -> Any:
        assert name.split(".")[0] != "dad", f"a built module imports {name}"
        return builtins.__import__(name, *rest)

    names: dict[str, Any] = {"__name__": "generated", "__builtins__": {**vars(builtins), "__import__": importing}}
    exec(builtins.compile(text, "generated.py", "exec"), names)
    return names


# ---------------------------------------------------------------- values


def leaves(value: Any) -> Iterator[Any]:
    match value:
        case Mapping():
            for item in value.values():
                yield from leaves(item)
        case tuple() | list():
            for item in value:
                yield from leaves(item)
        case _:
            yield np.asarray(value)


def outcome(call: Callable[..., Any], *args: Any) -> Outcome:
    """The leaves of the result, or the code of the run-time error; a built module has an error class of its own."""
    try:
        return "value", list(leaves(call(*args)))
    except Exception as error:
        if type(error).__name__ != "RunError":
            raise
        return "error", error.args[0]


def agree(left: Outcome, right: Outcome, tolerance: float, what: str) -> None:
    assert left[0] == right[0], f"{what}: {left} and {right}"
    if left[0] == "error":
        assert left == right, f"{what}: {left} and {right}"
        return
    assert len(left[1]) == len(right[1]), f"{what}: {left} and {right}"
    for x, y in zip(left[1], right[1], strict=True):
        assert x.shape == y.shape, f"{what}: shapes {x.shape} and {y.shape}"
        assert x.dtype == y.dtype, f"{what}: {x.dtype} and {y.dtype}"
        if x.dtype.kind != "f":
            assert np.array_equal(x, y), f"{what}: {x} and {y}"
            continue
        finite = np.isfinite(x) & np.isfinite(y)
        assert np.array_equal(x[~finite], y[~finite], equal_nan=True), f"{what}: {x} and {y}"
        scale = 1 + np.max(np.abs(x[finite]), initial=0.0)
        assert np.all(np.abs(x - y)[finite] <= tolerance * scale), f"{what}: {x} and {y}"


def floats(value: Any) -> list[Any]:
    return [x for x in leaves(value) if x.dtype.kind == "f"]


def seeds(value: Any, rng: np.random.Generator) -> Any:
    """A cotangent for a value as an entry returns it."""
    if isinstance(value, tuple):
        if hasattr(value, "_fields"):
            return {f: seeds(getattr(value, f), rng) for f in value._fields}
        return tuple(seeds(v, rng) for v in value)
    x = np.asarray(value)
    if x.dtype.kind != "f":
        return ()
    return np.asarray(rng.uniform(-1, 1, x.shape), x.dtype)[()]


def dot(xs: Sequence[Any], ys: Sequence[Any]) -> tuple[float, float]:
    """The inner product, and that of absolute values, which says how exact it can be."""
    assert [x.shape for x in xs] == [y.shape for y in ys]
    products = [np.asarray(x, float) * np.asarray(y, float) for x, y in zip(xs, ys, strict=True)]
    return float(sum(map(np.sum, products))), float(sum(np.sum(np.abs(p)) for p in products))


# ---------------------------------------------------------------- checks


def without_diagnostics(program: Generated) -> None:
    checking = driver.check(Source("generated.dad", program.text))
    assert not checking.diagnostics, dad.Diagnostics(checking.diagnostics)


def same_values(run: Run, sizes: dict[str, int], seed: int) -> bool:
    """The interpreter and NumPy code agree; whether there is a value to differentiate."""
    args = arguments(run.program, sizes, seed)
    before = list(leaves(args))
    copies = [x.copy() for x in before]
    expected, found = outcome(run.interpreted.main, *args), outcome(run.compiled.main, *args)
    agree(expected, found, run.tolerance, "interpreter and NumPy")
    assert all(np.array_equal(x, y) for x, y in zip(before, copies, strict=True)), "arguments were written to"
    return expected[0] == "value" and all(np.all(np.isfinite(x)) for x in expected[1])


def derivatives(run: Run, sizes: dict[str, int], seed: int) -> None:
    """jvp and vjp: one is the other's transpose, on each target; the targets agree; differences where it is smooth."""
    program = run.program
    args, rng = arguments(program, sizes, seed), np.random.default_rng(seed)
    active = [t for _, t in program.params if has_floats(t)]
    directions = tuple(tangent(t, sizes, rng) for t in active)
    cotangent = seeds(run.interpreted.main(*args), rng)
    forward, reverse = [], []
    for module in (run.interpreted, run.compiled):
        forward.append(outcome(module.main.jvp, *args, directions))
        reverse.append(outcome(module.main.vjp, *args, cotangent))
    loose = 10 * run.tolerance
    agree(forward[0], forward[1], loose, "jvp by interpreter and NumPy")
    agree(reverse[0], reverse[1], loose, "vjp by interpreter and NumPy")
    if "error" in (forward[0][0], reverse[0][0]):
        assert forward[0] == reverse[0], f"jvp and vjp: {forward[0]} and {reverse[0]}"
        return
    for module in (run.interpreted, run.compiled):
        ahead, size = dot(floats(module.main.jvp(*args, directions)[1]), floats(cotangent))
        back, other = dot(floats(directions), floats(module.main.vjp(*args, cotangent)[1]))
        if np.isfinite([ahead, back]).all():
            assert abs(ahead - back) <= loose * (1 + size + other), f"transposes: {ahead} and {back}"
    if program.smooth and program.floats == "f64":
        differences(run, args, directions, floats(run.compiled.main.jvp(*args, directions)[1]))


def differences(run: Run, args: Sequence[Any], directions: Sequence[Any], slopes: Sequence[Any]) -> None:
    rest = iter(floats(directions))
    steps = [next(rest) if x.dtype.kind == "f" else None for x in leaves(args)]

    def at(h: float) -> list[Any]:
        return floats(run.compiled.main(*moved(args, iter(steps), h)))

    def central(h: float) -> list[Any]:
        return [(x - y) / (2 * h) for x, y in zip(at(h), at(-h), strict=True)]

    once = [[(4 * b - a) / 3 for a, b in zip(central(h), central(h / 2), strict=True)] for h in (2e-3, 1e-3)]
    for slope, a, b in zip(slopes, *once, strict=True):
        expected = (16 * b - a) / 15
        scale = 1 + np.max(np.abs(expected), initial=0.0)
        uncertain = np.abs(a - b) > 1e-6 * scale  # a kink, or too curved for these steps
        wrong = (np.abs(slope - expected) > 1e-5 * scale) & ~uncertain
        assert not np.any(wrong), f"jvp and differences: {slope} and {expected}"


def moved(value: Any, steps: Iterator[Any], h: float) -> Any:
    match value:
        case dict():
            return {key: moved(item, steps, h) for key, item in value.items()}
        case tuple() | list():
            return type(value)(moved(v, steps, h) for v in value)
    step = next(steps)
    return value if step is None else (value + h * step)


def mapped(run: Run, sizes: dict[str, int], seed: int, rows: int = 3) -> None:
    """`vmap` gives what a loop of calls does."""
    each = [arguments(run.program, sizes, seed + k) for k in range(rows)]
    single = [outcome(run.compiled.main, *args) for args in each]
    whole = outcome(run.compiled.main.vmap, *[stacked(values) for values in zip(*each, strict=True)])
    codes = [code for kind, code in single if kind == "error"]
    if codes:
        assert whole[0] == "error", f"vmap: {whole}, but a call fails with {codes}"
        assert whole[1] in codes, f"vmap: {whole}, but a call fails with {codes}"
        return
    stacks = [np.stack(parts) for parts in zip(*(parts for _, parts in single), strict=True)]
    agree(("value", stacks), whole, run.tolerance, "vmap and a loop of calls")


def stacked(values: Sequence[Any]) -> Any:
    first = values[0]
    match first:
        case dict():
            return {key: stacked([v[key] for v in values]) for key in first}
        case tuple():
            return tuple(stacked(parts) for parts in zip(*values, strict=True))
    return np.stack(values)


def second_derivatives(run: Run, sizes: dict[str, int], seed: int) -> None:
    """Forward over reverse, reverse over reverse and reverse over forward give the same product with the Hessian."""
    program = run.program
    args, rng = arguments(program, sizes, seed), np.random.default_rng(seed)
    types = dict(program.params)
    along = [tangent(types[name], sizes, rng) for name in program.second]
    loose = 100 * run.tolerance
    for module in (run.interpreted, run.compiled):
        try:
            products = module.second(*args, *along)
        except dad.RunError as error:
            agree(("error", error.code), outcome(run.interpreted.main, *args), loose, "second derivatives")
            continue
        ways = [("value", list(leaves(p))) for p in products]
        agree(ways[0], ways[1], loose, "forward over reverse and reverse over reverse")
        agree(ways[0], ways[2], loose, "forward over reverse and reverse over forward")
