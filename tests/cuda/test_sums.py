"""Sums on the device: NumPy's bits, whatever the order of threads, the number of rows and of blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dad.codegen.backends.cuda.device import sums
from dad.codegen.runtime import device_sums
from dad.tests.cuda.call import DTYPES, ORDERS, SIZES, Call, bits, device
from dad.tests.cuda.standin import set_order

KERNELS = """
struct Of {{ const {T} *x; long long n;
  __device__ void operator()(long long row, long long i, dad_sums_{D} &v) const {{ v.x0 = x[row * n + i]; }} }};
extern "C" __global__ void of_{D}(const {T} *x, long long rows, long long n, int depth, int steps, {T} *to) {{
  dad_sum_nodes_{D}<{U}>(Of{{x, n}}, rows, n, depth, steps, to);
}}
"""
TWO = """
struct Two { const double *x; long long n;
  __device__ void operator()(long long row, long long i, dad_sums_f64_f32 &v) const {
    v.x0 = x[row * n + i] * 2; v.x1 = (float)x[row * n + i]; } };
extern "C" __global__ void two(const double *x, long long rows, long long n, int depth, int steps, double *a,
                               float *b) {
  dad_sum_nodes_f64_f32<1>(Two{x, n}, rows, n, depth, steps, a, b);
}
"""


def one(dtype: str, unrolled: int) -> str:
    text = KERNELS.format(T=sums.REGISTER[dtype], D=dtype, U=unrolled)
    return sums.text((dtype,)) + text


def numbers(rng: Any, shape: tuple[int, ...], dtype: str) -> Any:
    x = rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4, shape)
    return x.astype(DTYPES[dtype])


@pytest.mark.parametrize("dtype", ["f64", "f32"])
def test_sums_have_the_bits_of_numpy(dtype: str) -> None:
    rng = np.random.default_rng(1)
    with device() as cupy:
        call = Call(cupy, one(dtype, 4))
        for n in (*SIZES, 8191, 20011):
            x = numbers(rng, (1, n), dtype)
            for order in ORDERS[:3 if n < 5000 else 1]:
                set_order(order, n)
                out = call.room(dtype, (1,))
                device_sums.launch_sums(call, f"of_{dtype}", [np.int64(call.put(x))], 1, n, [(out.data.ptr, dtype)])
                assert (bits(out.get()) == bits(np.sum(x, axis=1))).all(), (n, order)


@pytest.mark.parametrize(("rows", "n"), [(0, 5), (3, 0), (37, 1), (300, 9), (17, 130), (5, 1000), (3, 4100), (9, 2049)])
def test_sums_of_rows(rows: int, n: int) -> None:
    rng = np.random.default_rng(2)
    x = numbers(rng, (rows, n), "f64")
    with device() as cupy:
        call = Call(cupy, one("f64", 1))
        out = call.room("f64", (rows,))
        device_sums.launch_sums(call, "of_f64", [np.int64(call.put(x))], rows, n, [(out.data.ptr, "f64")])
        assert (bits(out.get()) == bits(np.sum(x, axis=1))).all()


def test_several_nodes_to_a_warp(monkeypatch: pytest.MonkeyPatch) -> None:
    """What large sums do, at small ones."""
    rng = np.random.default_rng(3)
    with device() as cupy:
        call = Call(cupy, one("f64", 4))
        for warps, steps, grid in ((1, 6, 1), (2, 3, 2), (64, 2, 3)):
            monkeypatch.setattr(device_sums, "SUM_WARPS", warps)
            monkeypatch.setattr(device_sums, "SUM_STEPS", steps)
            monkeypatch.setattr(device_sums, "SUM_GRID", grid)
            for rows, n in ((1, 9000), (2, 16400), (3, 1111)):
                x = numbers(rng, (rows, n), "f64")
                out = call.room("f64", (rows,))
                device_sums.launch_sums(call, "of_f64", [np.int64(call.put(x))], rows, n, [(out.data.ptr, "f64")])
                assert (bits(out.get()) == bits(np.sum(x, axis=1))).all(), (warps, rows, n)


def test_sums_side_by_side() -> None:
    rng = np.random.default_rng(4)
    with device() as cupy:
        call = Call(cupy, sums.text(("f64", "f32")) + TWO)
        for rows, n in ((1, 5), (2, 3000), (1, 12345)):
            x = numbers(rng, (rows, n), "f64")
            a, b = call.room("f64", (rows,)), call.room("f32", (rows,))
            device_sums.launch_sums(call, "two", [np.int64(call.put(x))], rows, n,
                                    [(a.data.ptr, "f64"), (b.data.ptr, "f32")])
            assert (bits(a.get()) == bits(np.sum(x * 2, axis=1))).all()
            assert (bits(b.get()) == bits(np.sum(x.astype(np.float32), axis=1))).all()


def test_depth_is_where_all_nodes_are_long() -> None:
    def nodes(n: int, depth: int) -> list[int]:
        if depth == 0:
            return [n]
        left = n // 2 // 8 * 8
        return [*nodes(left, depth - 1), *nodes(n - left, depth - 1)]

    for n in (0, 5, 128, 129, 135, 136, 143, 144, 272, 1000, 5000, 12345, 99999):
        depth = device_sums.sum_depth(n)
        assert all(min(nodes(n, d)) > 128 for d in range(depth))
        assert max(nodes(n, depth)) <= 143
