"""The modules of the stand-in: `cupy` and what lies below it, as far as emitted modules and their tests go.

`installed()` puts them where `import cupy` finds them. `GPU` says what kind of device there is, none included, and what
goes wrong with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.machinery
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import arrays, compiled, memory
from .arrays import back, computed, host, ndarray
from .gpu import (
    GPU,
    CompileException,
    CUDADriverError,
    CUDARuntimeError,
    Device,
    Event,
    ExternalStream,
    Stream,
    ready_stream,
)
from .launch import Function, Module, RawKernel, RawModule
from .memory import COUNTS, DEVICE, MemoryPointer, OutOfMemoryError

INSTEAD: dict[str, Any] = {}
"""What copies and fills do where calls are only planned: `copy`, `fill`."""


def memcpy(dst: int, src: int, size: int, kind: int) -> None:
    """Between the host (addresses of NumPy's memory) and the device."""
    GPU.ask()
    if kind in (1, 3):
        memory.within(dst, size)
    if kind in (2, 3):
        memory.within(src, size)
    if kind == 2:
        COUNTS.synchronisations += 1
        COUNTS.to_host += 1
    COUNTS.to_device += kind == 1
    ctypes.memmove(dst, src, size)


def memcpy_async(dst: int, src: int, size: int, kind: int, stream: int = 0) -> None:
    if INSTEAD:
        INSTEAD["copy"](dst, size, kind)
        return
    if kind != 2:
        memcpy(dst, src, size, kind)
        return
    GPU.ask()
    memory.within(src, size)
    COUNTS.to_host += 1
    ready_stream().pending.append((dst, ctypes.string_at(src, size)))


def memset(dst: int, value: int, size: int, stream: int = 0) -> None:
    GPU.ask()
    memory.within(dst, size)
    if INSTEAD:
        INSTEAD["fill"](size)
        return
    ctypes.memset(dst, value, size)


def device_count() -> int:
    if GPU.status:
        raise CUDARuntimeError(GPU.status)
    if not GPU.devices:
        raise CUDARuntimeError(100)
    return GPU.devices


def properties(_: int) -> dict[str, Any]:
    GPU.ask()
    return {"name": b"none", "major": int(GPU.architecture[:-1]), "minor": int(GPU.architecture[-1]),
            "totalGlobalMem": DEVICE.limit, "multiProcessorCount": 4, "warpSize": 32, "maxThreadsPerBlock": 1024,
            "sharedMemPerBlock": 49152, "sharedMemPerBlockOptin": 232448}


def available() -> bool:
    return not GPU.status and GPU.devices > 0


class MemoryPool:
    """What CuPy keeps of freed memory: here nothing."""

    def __init__(self, allocator: Any = None) -> None:
        self.malloc = memory.alloc

    def used_bytes(self) -> int:
        return DEVICE.used

    def total_bytes(self) -> int:
        return DEVICE.used

    def free_all_blocks(self, stream: Any = None) -> None:
        pass

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        DEVICE.limit = size or 1 << 33

    def get_limit(self) -> int:
        return DEVICE.limit


POOL = MemoryPool()


class PinnedMemoryPointer:
    """Memory of the host that the device writes to without a stop on the way."""

    def __init__(self, size: int) -> None:
        self.held = (ctypes.c_char * max(size, 1))()
        self.ptr, self.size_ = ctypes.addressof(self.held), size

    def size(self) -> int:
        return self.size_

    def __buffer__(self, flags: int) -> memoryview:
        return memoryview(self.held)


# ------------------------------------------------------------------ linear algebra


FAILING = ["ignore"]


@contextlib.contextmanager
def errstate(*, linalg: str) -> Iterator[None]:
    """`cupyx.errstate`: whether factorisations that fail say so, for which they wait."""
    FAILING.append(linalg)
    try:
        yield
    finally:
        FAILING.pop()


def factorized(function: Any) -> Any:
    """A function of `numpy.linalg` as CuPy has it: halves are refused, and a matrix without a factor gives rubbish,
    unless `errstate` says otherwise."""
    def call(*args: Any, **named: Any) -> Any:
        given = [host(a) for a in args]
        if any(isinstance(a, np.ndarray) and a.dtype == np.float16 for a in given):
            raise TypeError("Array type float16 is unsupported in linalg")
        with np.errstate(all="ignore"):
            try:
                return back(function(*given, **named))
            except np.linalg.LinAlgError:
                if FAILING[-1] == "raise":
                    raise
                first = given[-1] if function is np.linalg.solve else given[0]
                return back(np.full(np.shape(first), np.nan, first.dtype))

    return call


def words(text: str) -> list[str]:
    return text.split()


ELEMENTWISE = words("""
add subtract multiply divide true_divide floor_divide negative power remainder mod fmod absolute abs sign exp expm1
exp2 log log1p log2 log10 sqrt cbrt square reciprocal sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh
arccosh arctanh hypot floor ceil rint trunc maximum minimum fmax fmin isnan isinf isfinite logical_and logical_or
logical_not logical_xor equal not_equal less less_equal greater greater_equal bitwise_and bitwise_or bitwise_xor
invert left_shift right_shift copysign nextafter ldexp logaddexp signbit
""")
STRUCTURAL = words("""
where concatenate stack broadcast_to transpose swapaxes moveaxis expand_dims squeeze tile repeat roll flip take
take_along_axis sum prod max min amax amin argmax argmin mean any all cumsum cumprod argsort sort searchsorted unique
bincount nonzero count_nonzero diag eye identity arange linspace tril triu trace dot matmul inner outer tensordot
einsum vdot reshape ravel clip nan_to_num argwhere flatnonzero diagonal array_equal allclose isclose interp lexsort
diff
""")
TYPES = words("""
bool_ int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128 dtype newaxis inf
nan pi e intp
""")
VIEWS = words("""
broadcast_to transpose swapaxes moveaxis expand_dims squeeze reshape ravel diagonal
""")
FACTORS = words("""
cholesky eigh eigvalsh inv qr solve svd det slogdet lstsq pinv matrix_rank norm
""")
OWN = words("""
ndarray empty full zeros ones empty_like zeros_like ones_like full_like asarray array ascontiguousarray asfortranarray
asnumpy from_dlpack
""")


def stable_argsort(a: Any, axis: Any = -1, kind: Any = None) -> Any:
    return np.argsort(a, axis, kind="stable")


def module(name: str, **attributes: Any) -> types.ModuleType:
    made = types.ModuleType(name)
    made.__spec__ = importlib.machinery.ModuleSpec(name, None)
    vars(made).update(attributes)
    return made


def make() -> dict[str, types.ModuleType]:
    """All modules, by name."""
    runtime = module(
        "cupy.cuda.runtime", CUDARuntimeError=CUDARuntimeError, getDeviceCount=device_count, memcpy=memcpy,
        memcpyAsync=memcpy_async, memset=memset, memsetAsync=memset, memcpyHostToHost=0, memcpyHostToDevice=1,
        memcpyDeviceToHost=2, memcpyDeviceToDevice=3, getDeviceProperties=properties, getDevice=lambda: 0,
        deviceSynchronize=lambda: Device().synchronize(), streamSynchronize=lambda ptr: ready_stream().synchronize(),
        runtimeGetVersion=lambda: 13000, driverGetVersion=lambda: 13000, is_hip=False,
        memGetInfo=lambda: Device().mem_info)
    driver = module("cupy.cuda.driver", CUDADriverError=CUDADriverError, get_build_version=lambda: 13000)
    compiler = module("cupy.cuda.compiler", CompileException=CompileException)
    pointers = module("cupy.cuda.memory", OutOfMemoryError=OutOfMemoryError, MemoryPointer=MemoryPointer,
                      UnownedMemory=memory.UnownedMemory, alloc=memory.alloc, MemoryPool=MemoryPool)
    cuda = module(
        "cupy.cuda", runtime=runtime, driver=driver, compiler=compiler, memory=pointers, Stream=Stream,
        ExternalStream=ExternalStream, Event=Event, Device=Device, alloc=memory.alloc, MemoryPointer=MemoryPointer,
        UnownedMemory=memory.UnownedMemory, is_available=available,
        get_current_stream=lambda device_id=-1: ready_stream(), Function=Function, Module=Module, MemoryPool=MemoryPool,
        alloc_pinned_memory=PinnedMemoryPointer, get_device_id=lambda: 0, get_cuda_path=lambda: None)
    linalg = module("cupy.linalg", **{name: factorized(getattr(np.linalg, name)) for name in FACTORS})
    functions = {name: computed(getattr(np, name)) for name in (*ELEMENTWISE, *STRUCTURAL)}
    functions["argsort"] = computed(stable_argsort)
    functions["sort"] = computed(lambda a, axis=-1, kind=None: np.sort(a, axis, kind="stable"))
    made = {name: getattr(arrays, name) for name in OWN} | {name: viewing(getattr(np, name)) for name in VIEWS}
    cupy = module("cupy", cuda=cuda, linalg=linalg, RawModule=RawModule, RawKernel=RawKernel, is_available=available,
                  get_default_memory_pool=lambda: POOL, get_array_module=array_module, __version__="14.2.0", fuse=None,
                  **{name: getattr(np, name) for name in TYPES}, **{**functions, **made})
    cupy.__path__ = []
    cuda.__path__ = []
    extra = module("cupyx.scipy.linalg", solve_triangular=solve_triangular, lu_factor=lu_factor, lu_solve=lu_solve)
    scipy = module("cupyx.scipy", linalg=extra)
    cupyx = module("cupyx", scipy=scipy, scatter_add=scatter_add, empty_pinned=np.empty, zeros_pinned=np.zeros,
                   errstate=errstate)
    return {m.__name__: m for m in (cupy, cuda, runtime, driver, compiler, pointers, linalg, cupyx, scipy, extra)}


def viewing(function: Any) -> Any:
    def call(a: ndarray, *args: Any, **named: Any) -> ndarray:
        if not isinstance(a, ndarray):
            raise TypeError(f"Unsupported type {type(a)}")
        return a.viewed(function(a._host, *args, **named))

    return call


def array_module(*args: Any) -> Any:
    return sys.modules["cupy"] if any(isinstance(a, ndarray) for a in args) else np


def scatter_add(a: ndarray, slices: Any, value: Any) -> None:
    np.add.at(a._host, host(slices), host(value))


def solve_triangular(a: ndarray, b: ndarray, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False,
                     overwrite_b: bool = False, check_finite: bool = False) -> Any:
    from scipy.linalg import solve_triangular as solve

    with np.errstate(all="ignore"):
        try:
            return back(solve(host(a), host(b), trans, lower, unit_diagonal, check_finite=False))
        except np.linalg.LinAlgError:
            return back(np.full(b.shape, np.nan, b.dtype))


def lu_factor(a: ndarray, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    from scipy.linalg import lu_factor as factor

    with np.errstate(all="ignore"):
        return back(tuple(factor(host(a), check_finite=False)))


def lu_solve(lu_and_piv: Any, b: ndarray, trans: int = 0, overwrite_b: bool = False, check_finite: bool = True) -> Any:
    from scipy.linalg import lu_solve as solve

    return back(solve(tuple(map(host, lu_and_piv)), host(b), trans, check_finite=False))


@contextlib.contextmanager
def installed(order: str = "forward", seed: int = 0) -> Iterator[types.ModuleType]:
    """`cupy` is the stand-in inside; threads run in this order."""
    modules = make()
    before = {name: found for name, found in sys.modules.items() if name.split(".")[0] in ("cupy", "cupyx")}
    state, limit = dict(vars(GPU)), DEVICE.limit
    for name in before:
        del sys.modules[name]
    sys.modules.update(modules)
    Stream.null = Stream.current = None  # type: ignore[assignment]  # made when it is asked for
    if compiled.compiler() is not None:
        compiled.set_order(order, seed)
    COUNTS.clear()
    try:
        yield modules["cupy"]
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] in ("cupy", "cupyx")]:
            del sys.modules[name]
        sys.modules.update(before)
        vars(GPU).update(state)
        DEVICE.limit = limit
        if compiled.compiler() is not None:
            compiled.set_order("forward")
