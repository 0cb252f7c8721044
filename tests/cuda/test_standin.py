"""The stand-in for CuPy and a GPU: it runs kernels as CUDA says, in any order, and finds what CUDA leaves undefined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dad.tests.cuda.standin import COUNTS, DEVICE, GPU, Undefined, compiled, installed, prepare

ORDERS = [("forward", 0), ("reverse", 0), ("random", 1), ("random", 2)]
GOOD = r"""
typedef double Row[32];
extern "C" __global__ void axpy(float a, const float *__restrict__ x, float *y, long long n) {
  for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; i += (long long)gridDim.x * blockDim.x)
    y[i] = a * x[i] + y[i];
}
extern "C" __global__ void __launch_bounds__(256) block_sums(const double *x, double *sums, long long n) {
  __shared__ double part[256];
  extern __shared__ double copy[];
  const int t = threadIdx.x;
  double sum = 0;
  for (long long i = blockIdx.x * 256ll + t; i < n; i += gridDim.x * 256ll) sum += x[i];
  part[t] = copy[t] = sum;
  __syncthreads();
  for (int k = 128; k > 0; k >>= 1) {
    if (t < k) part[t] += part[t + k];
    __syncthreads();
  }
  if (t == 0) sums[blockIdx.x] = part[0] + 0 * copy[255];
}
template <class T> __device__ T warp_sum(T x) {
  for (int k = 16; k > 0; k >>= 1) x += __shfl_xor_sync(0xffffffffu, x, k);
  return x;
}
extern "C" __global__ void warps(const double *x, double *d, float *f, long long *l, int *i, unsigned *votes) {
  const int t = threadIdx.x;
  d[t] = warp_sum(x[t]);
  f[t] = warp_sum((float)x[t]);
  l[t] = warp_sum((long long)1 << 40);
  i[t] = __shfl_up_sync(0xffffffffu, t, 3);
  i[32 + t] = __shfl_down_sync(0xffffffffu, t, 3, 8);
  i[64 + t] = __shfl_sync(0xffffffffu, t, 5, 16);
  votes[0] = __ballot_sync(0xffffffffu, t % 3 == 0);
  votes[1] = __any_sync(0xffffffffu, t == 7);
  votes[2] = __all_sync(0xffffffffu, t < 31);
  votes[3] = __reduce_add_sync(0xffffffffu, (unsigned)t);
  if (t < 8) i[96 + t] = __shfl_sync(0xffu, t, 7 - t);
  votes[4 + t % 4] = __match_any_sync(0xffffffffu, t % 4);
}
extern "C" __global__ void counted(const int *x, unsigned *bins, double *sum, int *least, unsigned long long *most) {
  const int t = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(&bins[x[t]], 1u);
  atomicAdd(sum, 0.5);
  atomicMin(least, x[t] - 5);
  atomicMax(most, (unsigned long long)x[t]);
  unsigned long long *words = (unsigned long long *)&sum[1];
  unsigned long long old = *words, seen;
  do {
    seen = old;
    old = atomicCAS(words, seen, __double_as_longlong(__longlong_as_double(seen) + 0.25));
  } while (old != seen);
}
extern "C" __global__ void last_block(double *parts, double *sum, unsigned *finished) {
  __shared__ bool last;
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = blockIdx.x;
    __threadfence();
    last = atomicAdd(finished, 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    double all = 0;
    for (unsigned k = 0; k < gridDim.x; k++) all += parts[k];
    *sum = all;
  }
}
extern "C" __global__ void scalars(double *to, bool yes, int small, unsigned char byte, float single, long long large) {
  to[0] = yes; to[1] = small; to[2] = byte; to[3] = single; to[4] = (double)large; to[5] = min(small, 3);
}
extern "C" __global__ void agreed(int *to) {
  to[threadIdx.x] = __syncthreads_count(threadIdx.x < 5) + 100 * __syncthreads_or(threadIdx.x == 63)
                    + 1000 * __syncthreads_and(threadIdx.x < 63);
}
"""
BAD = r"""
extern "C" __global__ void no_barrier(const double *x, double *y) {
  __shared__ double held[64];
  held[threadIdx.x] = x[threadIdx.x];
  y[threadIdx.x] = held[(threadIdx.x + 1) % 64];
}
extern "C" __global__ void some_at_a_barrier(double *y) {
  if (threadIdx.x < 32) __syncthreads();
  y[threadIdx.x] = 1;
}
extern "C" __global__ void two_barriers(double *y) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  y[threadIdx.x] = 1;
}
extern "C" __global__ void beyond(const double *x, double *y, long long n) {
  if (threadIdx.x <= n) y[threadIdx.x] = x[0];
}
extern "C" __global__ void lane_outside_of_mask(int *y) { y[threadIdx.x] = __shfl_sync(0xffffu, 1, 0); }
extern "C" __global__ void half_a_warp(int *y) { if (threadIdx.x < 16) y[threadIdx.x] = __shfl_sync(0xffffffffu, 1, 0);
  else __syncthreads(); }
extern "C" __global__ void different(int *y) {
  if (threadIdx.x < 16) y[threadIdx.x] = __shfl_sync(0xffffffffu, 1, 0);
  else
    y[threadIdx.x] = __shfl_sync(0xffffffffu, 1, 1);
}
extern "C" __global__ void shared_before(double *y) {
  __shared__ double held[4];
  y[threadIdx.x] = held[threadIdx.x];
  held[threadIdx.x] = 1;
}
extern "C" __global__ void by_zero(int *y, int zero) { y[0] = 7 / zero; }
"""


def kernels(cupy: Any, text: str) -> Any:
    return cupy.RawModule(code=text, options=("--std=c++17", "--fmad=false")).get_function


needs_compiler = compiled.compiler() is not None
"""Without a C++ compiler these tests have nothing to run; what else there is to test is."""


def test_all_texts_are_compiled_in_one_run() -> None:
    assert [name for _, name in compiled.KERNEL.findall(GOOD)] == [
        "axpy", "block_sums", "warps", "counted", "last_block", "scalars", "agreed"]
    if needs_compiler:
        prepare([GOOD, BAD])
        assert compiled.program(GOOD).kernels["axpy"].parameters == ["f4", "*f4", "*f4", "i8"]
        assert compiled.program(BAD).kernels["by_zero"].parameters == ["*i4", "i4"]


def test_macros_belong_to_their_text() -> None:
    body = 'extern "C" __global__ void size(int *x) { x[0] = SIZE; }'
    default = f"#ifndef SIZE\n#define SIZE 1\n#endif\n{body}"
    texts = [f"#define SIZE 7\n{default}", default]
    if not needs_compiler:
        return
    prepare(texts)
    with installed():
        import cupy

        found = cupy.zeros(1, np.int32)
        for text, size in zip(texts, (7, 1), strict=True):
            cupy.RawModule(code=text).get_function("size")((1,), (1,), (found,))
            assert found.get()[0] == size


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_right_kernels_give_the_same_in_every_order(order: tuple[str, int]) -> None:
    if not needs_compiler:
        return
    rng = np.random.default_rng(3)
    with installed(*order) as cupy:
        get = kernels(cupy, GOOD)
        x, y = (rng.standard_normal(1000).astype(np.float32) for _ in range(2))
        there = cupy.asarray(y)
        get("axpy")((3,), (128,), (np.float32(2.5), cupy.asarray(x), there, np.int64(1000)))
        np.testing.assert_array_equal(there.get(), np.float32(2.5) * x + y)

        many = rng.integers(-50, 50, 5000).astype(float)
        sums = cupy.empty(7)
        get("block_sums")((7,), (256,), (cupy.asarray(many), sums, np.int64(5000)), shared_mem=2048)
        assert np.isfinite(sums.get()).all()
        assert sums.get().sum() == many.sum()

        t = np.arange(32)
        d, f, l = cupy.empty(32), cupy.empty(32, np.float32), cupy.empty(32, np.int64)
        i, votes = cupy.empty(128, np.int32), cupy.empty(8, np.uint32)
        get("warps")((1,), (32,), (cupy.asarray(t * 1.0), d, f, l, i, votes))
        assert (d.get() == 496).all()
        assert (f.get() == 496).all()
        assert (l.get() == 32 << 40).all()
        i = i.get()
        np.testing.assert_array_equal(i[:32], np.where(t < 3, t, t - 3))
        np.testing.assert_array_equal(i[32:64], np.where(t % 8 < 5, t + 3, t))
        np.testing.assert_array_equal(i[64:96], t // 16 * 16 + 5)
        np.testing.assert_array_equal(i[96:104], 7 - np.arange(8))
        votes = votes.get()
        np.testing.assert_array_equal(votes[:4], [0x49249249, 1, 0, 496])
        np.testing.assert_array_equal(votes[4:], [0x11111111 << k for k in range(4)])

        numbers = rng.integers(0, 10, 512).astype(np.int32)
        bins, sum_, least, most = (cupy.zeros(n, t) for n, t in ((10, "u4"), (2, "f8"), (1, "i4"), (1, "u8")))
        get("counted")((4,), (128,), (cupy.asarray(numbers), bins, sum_, least, most))
        np.testing.assert_array_equal(bins.get(), np.bincount(numbers, minlength=10))
        np.testing.assert_array_equal(sum_.get(), [256, 128])
        assert (least.item(), most.item()) == (-5, 9)

        total, finished = cupy.zeros(()), cupy.zeros(1, np.uint32)
        get("last_block")((9,), (64,), (cupy.empty(9), total, finished))
        assert float(total) == 36

        to = cupy.empty(6)
        get("scalars")((1,), (1,), (to, np.bool_(True), np.int32(-2), np.uint8(200), np.float32(0.5), 2**40))
        np.testing.assert_array_equal(to.get(), [1, -2, 200, 0.5, 2.0**40, -2])
        to = cupy.empty(64, np.int32)
        get("agreed")((1,), (64,), (to,))
        assert (to.get() == 105).all()


def test_a_missing_barrier_shows_in_some_order() -> None:
    if not needs_compiler:
        return
    x = np.arange(64.0)
    wrong = []
    for order in ORDERS:
        with installed(*order) as cupy:
            y = cupy.empty(64)
            kernels(cupy, BAD)("no_barrier")((1,), (64,), (cupy.asarray(x), y))
            wrong.append(int((y.get() != (x + 1) % 64).sum()))
    assert wrong[0] == 63
    assert max(wrong[2:]) > 10


def undefined(name: str, *args: Any, threads: int = 64) -> str:
    with installed() as cupy, pytest.raises(Undefined) as caught:
        kernels(cupy, BAD)(name)((1,), (threads,), [a(cupy) if callable(a) else a for a in args])
    return str(caught.value)


def test_what_is_undefined_ends_the_launch() -> None:
    if not needs_compiler:
        return

    def doubles(cupy: Any) -> Any:
        return cupy.empty(64)

    def ints(cupy: Any) -> Any:
        return cupy.empty(64, np.int32)

    assert "waits at the barrier on line 8, which thread 32, that has ended" in undefined("some_at_a_barrier", doubles)
    assert "wait at barriers on lines 13 and 15" in undefined("two_barriers", doubles)
    assert "no device memory at" in undefined("beyond", doubles, doubles, np.int64(64), threads=65)
    assert "a lane is not in the mask" in undefined("lane_outside_of_mask", ints)
    assert "which thread 16, that waits on line 24" in undefined("half_a_warp", ints, threads=32)
    assert "lanes 0 and 16 of a warp do different things" in undefined("different", ints, threads=32)
    assert "a division of integers by zero" in undefined("by_zero", ints, np.int32(0), threads=1)
    with installed() as cupy:
        y = cupy.empty(4)
        kernels(cupy, BAD)("shared_before")((2,), (4,), (y,))
        assert (y.get().view(np.uint8) == 0xCB).all()


def test_arguments_must_be_what_kernels_take() -> None:
    if not needs_compiler:
        return
    with installed() as cupy:
        axpy = kernels(cupy, GOOD)("axpy")
        x, n = cupy.zeros(3, np.float32), np.int64(3)
        for wrong, said in [((np.float32(1), np.zeros(3, np.float32), x, n), "Unsupported type"),
                            ((np.float64(1), x, x, n), "argument 0 of kernel axpy is f4, not float64"),
                            ((np.float32(1), cupy.zeros(3), x, n), r"argument 1 of kernel axpy is \*f4, not an array"),
                            ((np.float32(1), x, x, np.int32(3)), "argument 3 of kernel axpy is i8, not int32"),
                            ((np.float32(1), x, x), "has 4 parameters, not 3")]:
            with pytest.raises(TypeError, match=said):
                axpy((1,), (32,), wrong)
        with pytest.raises(Undefined, match="no address of the device"):
            axpy((1,), (32,), (np.float32(1), np.int64(4096), x, n))
        axpy((1,), (32,), (np.float32(1), np.int64(x.data.ptr), x.data, n))
        for grid, block in [((1,), (1025,)), ((0,), (1,)), ((1, 65536), (1,))]:
            with pytest.raises(cupy.cuda.driver.CUDADriverError):
                axpy(grid, block, (np.float32(1), x, x, n))
        with pytest.raises(cupy.cuda.driver.CUDADriverError):
            kernels(cupy, GOOD)("block_sums")((1,), (512,), (cupy.zeros(1), cupy.zeros(1), n))
        with pytest.raises(cupy.cuda.driver.CUDADriverError):
            kernels(cupy, GOOD)("nobody")
        with pytest.raises(cupy.cuda.compiler.CompileException, match="nonsense"):
            kernels(cupy, 'extern "C" __global__ void f(double *x) { nonsense(x); }')("f")


def test_arrays_keep_to_the_device() -> None:
    with installed() as cupy:
        x = cupy.asarray([[1.0, 2.0], [3.0, 4.0]])
        with pytest.raises(TypeError, match="Implicit conversion"):
            np.asarray(x)
        with pytest.raises(TypeError, match="Unsupported type"):
            cupy.matmul(x, np.eye(2))
        with pytest.raises(TypeError, match="Unsupported type"):
            x + np.eye(2)
        assert np.isnan(cupy.empty(5).get()).all()
        assert cupy.sum(x).shape == ()
        assert float(x[1, 0]) == 3
        row = x[1]
        row[...] = 7.0
        np.testing.assert_array_equal(x.get(), [[1, 2], [7, 7]])
        assert row.data.ptr == x.data.ptr + 16
        assert x.T.strides == (8, 16)
        again = cupy.from_dlpack(x)
        assert again.data.ptr == x.data.ptr
        foreign = type("Foreign", (), {"__cuda_array_interface__": x.__cuda_array_interface__})()
        shared = cupy.asarray(foreign)
        assert shared.data.ptr == x.data.ptr
        with pytest.raises(TypeError, match="CPU arrays"):
            cupy.from_dlpack(np.zeros(3))
        assert np.isnan(cupy.linalg.cholesky(cupy.asarray([[1.0, 2.0], [2.0, 1.0]])).get()).all()


def test_memory_is_counted_and_can_run_out() -> None:
    with installed() as cupy:
        before = DEVICE.used
        x = cupy.empty(1000)
        assert DEVICE.used == before + 8000
        assert COUNTS.allocations == 1
        del x
        assert DEVICE.used == before
        DEVICE.limit = before + 1000
        with pytest.raises(cupy.cuda.memory.OutOfMemoryError, match="allocating 8,000 bytes"):
            cupy.empty(1000)


def test_copies_to_the_host_arrive_when_somebody_waits() -> None:
    with installed() as cupy:
        x, to = cupy.asarray([1.0, 2.0]), np.zeros(2)
        stream = cupy.cuda.get_current_stream()
        cupy.cuda.runtime.memcpyAsync(to.ctypes.data, x.data.ptr, 16, 2, stream.ptr)
        assert (to == 0).all()
        COUNTS.clear()
        stream.synchronize()
        np.testing.assert_array_equal(to, [1, 2])
        assert COUNTS.synchronisations == 1
        with pytest.raises(AssertionError, match="not in a block"):
            cupy.cuda.runtime.memcpy(x.data.ptr, to.ctypes.data, 24, 1)


def test_there_may_be_no_gpu() -> None:
    with installed() as cupy:
        GPU.devices = 0
        assert not cupy.is_available()
        module = cupy.RawModule(code=GOOD)
        with pytest.raises(cupy.cuda.runtime.CUDARuntimeError, match="no CUDA-capable device"):
            module.get_function("axpy")
    assert GPU.devices == 1
