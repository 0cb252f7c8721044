"""Folds and scans with operators on the device: the same bits in every order of threads, and those of a fold from the
left where the operator is associative to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dad.codegen.backends.cuda.device import folds
from dad.codegen.runtime import device_folds
from dad.tests.cuda.call import ORDERS, SIZES, Call, bits, device
from dad.tests.cuda.standin import set_order

# f(x) = a x + b modulo 2**64, composed: associative, does not commute, and its neutral element is no zero
TEXT = folds.TEXT + """
struct Line { unsigned long long a, b; };
struct Then { __device__ Line operator()(const Line &f, const Line &g) const { return {f.a * g.a, f.b * g.a + g.b}; } };
struct Lines { const unsigned long long *x; long long n; static constexpr bool starts = true;
  __device__ Line operator()(long long row, long long i) const { return {x[row * n + i] | 1, x[row * n + i] >> 7}; }
  __device__ Line start(long long) const { return {1, 0}; } };
struct Total { unsigned long long *to;
  __device__ void operator()(long long row, const Line &s) const { to[2 * row] = s.a; to[2 * row + 1] = s.b; } };
struct Prefix { unsigned long long *to; long long n;
  __device__ void operator()(long long row, long long i, const Line &s) const {
    to[2 * (row * n + i)] = s.a; to[2 * (row * n + i) + 1] = s.b; } };
extern "C" __global__ void fold(const unsigned long long *x, unsigned long long *to, long long rows, long long n,
                                int each, Line *part) {
  dad_fold(Lines{x, n}, Then{}, Total{to}, rows, n, each, part); }
extern "C" __global__ void fold_more(unsigned long long *to, const Line *from, long long rows, long long n, int each,
                                     Line *part) {
  dad_fold(dad_stored<Line>{from, n}, Then{}, Total{to}, rows, n, each, part); }
extern "C" __global__ void scan(const unsigned long long *x, unsigned long long *to, long long rows, long long n,
                                int each, const Line *before) {
  dad_scan(Lines{x, n}, Then{}, Prefix{to, n}, rows, n, each, before); }
extern "C" __global__ void totals(const unsigned long long *x, unsigned long long *, long long rows, long long n,
                                  int each, Line *part) {
  dad_fold(Lines{x, n}, Then{}, Total{0}, rows, n, each, part); }
extern "C" __global__ void more(const Line *from, Line *to, long long rows, long long n, int each,
                                const Line *before) {
  dad_scan(dad_stored<Line>{from, n}, Then{}, dad_storing<Line>{to, n}, rows, n, each, before); }
extern "C" __global__ void more_totals(const Line *from, Line *, long long rows, long long n, int each, Line *part) {
  dad_fold(dad_stored<Line>{from, n}, Then{}, Total{0}, rows, n, each, part); }

struct Sum { float x; signed char k; };
struct Add { __device__ Sum operator()(const Sum &a, const Sum &b) const {
  return {a.x + b.x, (signed char)(a.k + b.k)}; } };
struct Terms { const float *x; long long n; static constexpr bool starts = true;
  __device__ Sum operator()(long long row, long long i) const { return {x[row * n + i], (signed char)i}; }
  __device__ Sum start(long long row) const { return {(float)row, 1}; } };
struct Put { float *x; signed char *k;
  __device__ void operator()(long long row, const Sum &s) const { x[row] = s.x; k[row] = s.k; } };
extern "C" __global__ void small(const float *x, float *a, signed char *b, long long rows, long long n, int each,
                                 Sum *part) {
  dad_fold(Terms{x, n}, Add{}, Put{a, b}, rows, n, each, part); }
"""


def lines(x: Any) -> Any:
    """Prefixes of one row."""
    mask, a, b, out = (1 << 64) - 1, 1, 0, []
    for v in x.tolist():
        a, b = a * (v | 1) & mask, (b * (v | 1) + (v >> 7)) & mask
        out.append((a, b))
    return np.array(out, np.uint64).reshape(len(x), 2)


def check(call: Any, rng: Any, rows: int, n: int) -> None:
    x = rng.integers(0, 1 << 63, (rows, n), np.uint64)
    at, prefixes, total = call.put(x), call.room("u64", (rows, n, 2)), call.room("u64", (rows, 2))
    device_folds.launch_fold(call, "fold", "fold_more", (np.int64(at), np.int64(total.data.ptr)),
                             (np.int64(total.data.ptr),), rows, n, 16)
    device_folds.launch_scan(call, ("scan", "totals", "more", "more_totals"),
                             (np.int64(at), np.int64(prefixes.data.ptr)), (), rows, n, 16)
    for row in range(rows):
        want = lines(x[row])
        assert (prefixes.get()[row] == want).all()
        assert (total.get()[row] == (want[-1] if n else [1, 0])).all()


def test_operators_that_do_not_commute() -> None:
    rng = np.random.default_rng(12)
    with device() as cupy:
        call = Call(cupy, TEXT)
        for n in (*SIZES, 256, 257, 10_000):
            for order in ORDERS:
                set_order(order, n)
                check(call, rng, 1, n)
        check(call, rng, 5, 300)
        check(call, rng, 3, 4099)


def test_tiles_of_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """What large arrays do, at small ones."""
    rng = np.random.default_rng(13)
    monkeypatch.setattr(device_folds, "fold_each", lambda n, ordered=1: 1)
    monkeypatch.setattr(device_folds, "FOLD_GRID", 7)
    with device() as cupy:
        call = Call(cupy, TEXT)
        check(call, rng, 1, 70_000)
        check(call, rng, 3, 600)


def test_states_of_several_dtypes_have_the_same_bits_in_any_order() -> None:
    rng = np.random.default_rng(14)
    x = rng.normal(size=(3, 1000)).astype(np.float32)
    seen = set()
    with device() as cupy:
        call = Call(cupy, TEXT)
        for order in ORDERS:
            set_order(order, 5)
            a, b = call.room("f32", (3,)), call.room("i8", (3,))
            device_folds.launch_fold(call, "small", "", (np.int64(call.put(x)), np.int64(a.data.ptr),
                                                         np.int64(b.data.ptr)), (), 3, 1000, 8)
            seen.add(bits(a.get()).tobytes())
            assert (b.get() == np.int64(1 + 999 * 500).astype(np.int8)).all()
            assert np.allclose(a.get(), x.sum(1) + np.arange(3), 1e-4, 1e-4)
    assert len(seen) == 1
