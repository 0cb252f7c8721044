"""Matrices in machine code, with BLAS and LAPACK and without: values, failures, places, empty ones."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dad
import numpy as np
import pytest
from dad.codegen.backends.loops import factors, matrices
from dad.codegen.backends.loops.lower import lower
from dad.codegen.backends.native import library, symbols
from dad.codegen.backends.native.llvm import unit
from dad.codegen.backends.native.units import targets
from dad.codegen.runtime import matrices as numpy_code
from dad.lang.core import ir
from dad.tests.prims import test_emitted

from .agreement import native

SIZES = (0, 1, 2, 5, 18)
CALLED = ("cofactors", "orthogonal", "eigen", "eigen_toward", "svd")
"""What is called back where there is no library: slow."""
NAMES = ("matmul", "solve", "solve_triangular", "inverse", "det", "log_det", "det_sign", "cholesky", "cofactors",
         "orthogonal", "eigen", "eigen_toward", "svd", "lu", "triangle")


@pytest.fixture(params=["library", "loops"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With routines for all sizes, and on a machine without SciPy."""
    if request.param == "library":
        monkeypatch.setattr(matrices, "PRODUCT", 1)
        monkeypatch.setattr(matrices, "SOLVING", 1)
        monkeypatch.setattr(matrices, "FACTOR", 1)
        monkeypatch.setattr(factors, "FACTOR", 1)
    else:
        monkeypatch.setattr(library, "addresses", dict)
    return str(request.param)


def arguments(name: str, n: int, dtype: str) -> tuple[list[Any], dict[str, Any]]:
    rng = np.random.default_rng(n)
    a = rng.standard_normal((n, n)) / 2 + 2 * np.eye(n)
    spd = a @ a.T + np.eye(n)
    rhs = rng.standard_normal((n, 3 if n % 2 else 1))
    match name:
        case "matmul" | "solve":
            found: list[Any] = [a, rhs]
        case "solve_triangular":
            return [a.astype(dtype), rhs.astype(dtype)], {"upper": n % 2 == 0}
        case "cholesky" | "eigen":
            found = [spd]
        case "eigen_toward":
            found = [spd if n % 2 else np.eye(n), a]
        case "orthogonal" | "svd":
            found = [rng.standard_normal((n + 2, n))]
        case "triangle":
            return [a.astype(dtype)], {"part": "lower_half"}
        case _:
            found = [a]
    return [x.astype(dtype) for x in found], {}


def function_of(name: str, args: list[Any], attrs: dict[str, Any], called: str) -> ir.Function:
    made = test_emitted.straight(name, test_emitted.types_of(args), attrs).functions["f"]
    return ir.Function(called, made.params, made.body)


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_values(way: str, dtype: str) -> None:
    functions = {}
    for name in NAMES:
        for n in (1, 2):
            functions[f"{name}{n}"] = function_of(name, *arguments(name, n, dtype), f"{name}{n}")
    compiled = native(ir.Program(functions), functions)
    for name in NAMES:
        for n in SIZES[:-1 - (way == "loops")] if name in CALLED else SIZES:
            args, attrs = arguments(name, n, dtype)
            with np.errstate(all="ignore"):
                want = np.asarray(np.matmul(*args) if name == "matmul" else getattr(numpy_code, name)(*args, **attrs))
            got = np.asarray(compiled[f"{name}{2 - n % 2}"](*args)[0])
            assert (got.shape, got.dtype) == (want.shape, want.dtype), (name, n)
            if name == "eigen_toward" and n % 2 == 0:
                got, want = got[:1], want[:1]  # of equal ones any basis will do as well
            scale = 1 + np.max(np.abs(want), initial=0)
            assert np.allclose(got, want, rtol=0, atol=scale * (1e-12 if dtype == "f8" else 2e-4)), (name, n)


def test_nothing_is_called_back_where_there_are_routines() -> None:
    """But for what LAPACK does not have; without it orthogonal factors are called back too."""
    functions = {name: function_of(name, *arguments(name, 5, "f8"), name) for name in NAMES}
    program = lower(ir.Program(functions))
    called = {call.name for name in program.functions for call in targets(unit(program, (name,)))}
    assert called == {"orthogonal", "eigen", "eigen_toward", "svd", "cofactors"}
    for name in ("matmul", "solve", "cholesky", "lu", "log_det", "triangle"):
        alone = lower(ir.Program({name: functions[name]}))
        assert not [c for f in alone.functions for c in targets(unit(alone, (f,)))]


def failing(size: int) -> list[tuple[str, Any, str, int]]:
    """Entry, matrix, code, pivot."""
    good = np.eye(size) * 2
    negative, zero, dependent = good.copy(), good.copy(), np.ones((size, size))
    negative[size - 2, size - 2], zero[size - 2, size - 2] = -1, 0
    return [("c", negative, "R107", size - 2), ("s", dependent, "R107", 1), ("t", zero, "R107", size - 2),
            ("i", np.zeros((size, size)), "R107", 0)]


SOURCE = r"""
entry c [n] (a: [n][n]f64) : [n][n]f64 = cholesky a
entry s [n] (a: [n][n]f64) : [n]f64 = solve a (map (\_ -> 1.0) a)
entry t [n] (a: [n][n]f64) : [n]f64 = solve_lower a (map (\_ -> 1.0) a)
entry i [n] (a: [n][n]f64) : [n][n]f64 = inverse a
entry d [n] (a: [n][n]f64) : f64 = logdet a
entry many [m] [n] (a: [m][n][n]f64) (b: [m][n]f64) : [m]f64 = map (\(c, x) -> logdet c + dot x (solve c x)) (zip a b)
entry across [n] [m] (a: [n][m]f64) : [m][m]f64 = matmul (transpose a) a
entry over [n] [m] (a: [n][m]f64) : [n][n]f64 = matmul a (transpose a)
"""


@pytest.mark.parametrize("size", [4, 30])
def test_failures_are_those_of_the_interpreter(size: int) -> None:
    text = SOURCE
    made, oracle = dad.compile(text, target="native", tier=0), dad.compile(text, target="interp")
    for name, a, code, pivot in failing(size):
        said = []
        for module in (made, oracle):
            with pytest.raises(dad.RunError) as caught:
                getattr(module, name)(a)
            said.append((caught.value.code, caught.value.message))
        assert said[0] == said[1]
        assert said[0][0] == code
        assert str(pivot) in said[0][1]
    assert made.d(np.zeros((size, size))) == -np.inf
    bad = np.full((size, size), np.nan)
    assert np.isnan(made.c(bad)).any()
    assert np.isnan(made.s(bad)).any()


@pytest.mark.parametrize("size", [3, 20])
def test_maps_and_views(size: int) -> None:
    """Matrices of a stack, and products of transposed ones: the gradients too."""
    text = SOURCE
    rng = np.random.default_rng(size)
    a = rng.standard_normal((size, size + 2))
    stack = rng.standard_normal((4, size, size)) + 3 * np.eye(size)
    x = rng.standard_normal((4, size))
    made, other = dad.compile(text, target="native", tier=0), dad.compile(text, target="numpy")
    assert np.allclose(made.across(a), a.T @ a, rtol=1e-13)
    assert np.allclose(made.over(a), a @ a.T, rtol=1e-13)
    found, wanted = made.many.vjp(stack, x, np.ones(4)), other.many.vjp(stack, x, np.ones(4))
    for got, want in zip(found[1], wanted[1], strict=True):
        assert np.allclose(got, want, rtol=1e-9, atol=1e-9)


def test_the_same_bits_on_every_run() -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((80, 80))
    made = dad.compile(SOURCE, target="native", tier=0)
    first = made.c(a @ a.T + np.eye(80)), made.over(a)
    for _ in range(5):
        again = made.c(a @ a.T + np.eye(80)), made.over(a)
        assert all(np.array_equal(x, y) for x, y in zip(first, again, strict=True))


def test_only_listed_routines_have_addresses() -> None:
    assert all(library.address(name) for name in library.ROUTINES)
    for name in ("dgesv", "system", "zgemm", ""):
        with pytest.raises(symbols.ForeignSymbol):
            library.address(name)


def test_capsules_of_other_types_are_refused() -> None:
    from scipy.linalg import cython_blas, cython_lapack

    pointer: Callable[[Any, int], int] = library.pointer
    assert pointer(cython_blas.__pyx_capi__["dgemm"], 13)
    for capsule, count in ((cython_blas.__pyx_capi__["ddot"], 5), (cython_blas.__pyx_capi__["dgemm"], 12),
                           (cython_lapack.__pyx_capi__["dlamch"], 1)):
        with pytest.raises(ValueError, match="a routine of type"):
            pointer(capsule, count)


def test_the_library_runs_in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the environment says how many."""
    found: list[tuple[str, int]] = []

    class Code:
        def __init__(self, path: str) -> None:
            self.path = path

        def scipy_openblas_set_num_threads(self, count: Any) -> None:
            found.append((self.path, count.value))

    monkeypatch.setattr(ctypes, "CDLL", Code)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [self / "libscipy_openblas.so"])
    library.one_thread()
    assert {count for _, count in found} == {1}
    found.clear()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    library.one_thread()
    assert found == []
