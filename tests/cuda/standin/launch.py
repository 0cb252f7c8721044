"""`RawModule` and `RawKernel`: texts of CUDA C, and their launches with checked arguments."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import compiled
from .arrays import ndarray
from .compiled import Undefined
from .gpu import GPU, CompileException, CUDADriverError, ready_stream
from .memory import COUNTS, DEVICE, MemoryPointer


def word(value: Any, kind: str, size: int, what: str) -> bytes:
    """The bytes of an argument that a kernel's parameter of this type receives. Stricter than CuPy, which passes on
    what it gets: the types must be the same.
    """
    if isinstance(value, np.ndarray):
        raise TypeError(f"{what}: Unsupported type {type(value)}")
    pointer = kind.startswith("*")
    if value is None:
        value, known = np.uint64(0), True
    elif isinstance(value, ndarray):
        known = kind in ("*void", "*u1", "*i1", "*struct", "*word") or kind == "*" + short(value.dtype)
        if not pointer or not known:
            raise TypeError(f"{what} is {kind}, not an array of {value.dtype}")
        value = np.uint64(value.data.ptr)
    elif isinstance(value, MemoryPointer):
        value = np.uint64(value.ptr)
    elif type(value) in (int, float, bool):
        value = {int: np.int64, float: np.float64, bool: np.bool_}[type(value)](value)
    elif not isinstance(value, np.generic):
        raise TypeError(f"Unsupported type {type(value)}")
    if pointer:
        if value.dtype.kind not in "iu" or value.dtype.itemsize != 8:
            raise TypeError(f"{what} is a pointer, not {value.dtype}")
        address = int(value)
        if address and DEVICE.block_at(address) is None:
            raise Undefined(f"{what}: {address:#x} is no address of the device")
    elif short(value.dtype) != kind and not (kind in ("word", "struct") and value.dtype.itemsize == size):
        raise TypeError(f"{what} is {kind}, not {value.dtype}")
    made = value.tobytes()
    if len(made) != size:
        raise TypeError(f"{what} has {size} bytes, not {len(made)}")
    return bytes(made)


def short(dtype: np.dtype[Any]) -> str:
    """`f8`, `i4`, `bool` …; halves are words of two bytes in a text without headers.

    >>> short(np.dtype(np.float64)), short(np.dtype(np.float16)), short(np.dtype(np.bool_))
    ('f8', 'u2', 'bool')
    """
    if dtype == np.bool_:
        return "bool"
    return "u2" if dtype == np.float16 else f"{dtype.kind}{dtype.itemsize}"


def three(sizes: Any) -> tuple[int, int, int]:
    if not isinstance(sizes, tuple):
        raise TypeError(f"expected tuple, got {type(sizes).__name__}")
    made = tuple(int(n) for n in sizes) + (1,) * (3 - len(sizes))
    return made[0], made[1], made[2]


class Function:
    """A kernel that can be launched."""

    def __init__(self, kernel: compiled.Kernel) -> None:
        self.kernel = kernel
        self.name = kernel.name
        self.max_dynamic_shared_size_bytes = 49152 - kernel.shared_size
        self.num_regs, self.local_size_bytes, self.shared_size_bytes = 32, 0, kernel.shared_size

    @property
    def attributes(self) -> dict[str, int]:
        return {"num_regs": self.num_regs, "local_size_bytes": 0, "shared_size_bytes": self.shared_size_bytes,
                "max_threads_per_block": self.kernel.most_threads}

    def __call__(self, grid: Any, block: Any, args: Sequence[Any], *, shared_mem: int = 0) -> None:
        GPU.ask()
        ready_stream()
        g, b = three(grid), three(block)
        threads = b[0] * b[1] * b[2]
        if min(*g, *b) < 1 or b[0] > 1024 or b[1] > 1024 or b[2] > 64 or threads > 1024 or g[0] > 2**31 - 1 or \
                g[1] > 65535 or g[2] > 65535:
            raise CUDADriverError(1)
        if threads > self.kernel.most_threads:
            raise CUDADriverError(701)
        if shared_mem > self.max_dynamic_shared_size_bytes or shared_mem + self.kernel.shared_size > 232448:
            raise CUDADriverError(1)
        if len(args) != len(self.kernel.parameters):
            raise TypeError(f"kernel {self.name} has {len(self.kernel.parameters)} parameters, not {len(args)}")
        words = [word(value, kind, size, f"argument {k} of kernel {self.name}") for k, (value, kind, size) in
                 enumerate(zip(args, self.kernel.parameters, self.kernel.sizes, strict=True))]
        COUNTS.launches += 1
        COUNTS.launched.append(self.name)
        self.kernel.launch(g, b, words, shared_mem)


class Module:
    """`cupy.cuda.Module`: code that is there already. What runs here is the text that it was made of, from `IMAGES`."""

    def __init__(self) -> None:
        self.made: compiled.Program | None = None

    def load(self, cubin: bytes) -> None:
        if not isinstance(cubin, bytes):
            raise TypeError(f"Argument 'cubin' has incorrect type (expected bytes, got {type(cubin).__name__})")
        GPU.ask()
        if not GPU.images:
            raise CUDADriverError(222)
        if cubin not in IMAGES:
            raise CUDADriverError(200)
        GPU.loaded.append(cubin)
        self.made = compiled.program(IMAGES[cubin])

    def get_function(self, name: str) -> Function:
        assert self.made is not None
        if name not in self.made.kernels:
            raise CUDADriverError(500)
        return Function(self.made.kernels[name])


IMAGES: dict[bytes, str] = {}
"""The texts that images were made of."""


PENDING: list[weakref.ref[RawModule]] = []
LOCK = threading.RLock()


class RawModule:
    """`cupy.RawModule` of a text: compiled when a kernel is asked for, together with all others that are there."""

    def __init__(self, *, code: str, options: tuple[str, ...] = (), backend: str = "nvrtc") -> None:
        if not isinstance(options, tuple):
            raise TypeError(f"Argument 'options' has incorrect type (expected tuple, got {type(options).__name__})")
        self.code, self.options, self.backend = code, options, backend
        self.made: compiled.Program | None = None
        PENDING.append(weakref.ref(self))

    def compile(self, log_stream: Any = None) -> None:
        with LOCK:
            self.compile_all()

    def compile_all(self) -> None:
        GPU.ask()
        if self.made is not None:
            return
        with contextlib.suppress(compiled.CompileError):  # then this one alone says what is wrong with it
            compiled.prepare([m.code for ref in PENDING if (m := ref()) is not None and "#include" not in m.code])
        PENDING.clear()
        if "#include" in self.code:
            raise CompileException("cannot open source file: texts stand alone", self.code, "kernels.cu", self.options)
        try:
            self.made = compiled.program(self.code)
        except compiled.CompileError as error:
            raise CompileException(str(error), self.code, "kernels.cu", self.options) from None

    def get_function(self, name: str) -> Function:
        self.compile()
        assert self.made is not None
        if name not in self.made.kernels:
            raise CUDADriverError(500)
        return Function(self.made.kernels[name])


class RawKernel:
    """`cupy.RawKernel`."""

    def __init__(self, code: str, name: str, options: tuple[str, ...] = (), backend: str = "nvrtc") -> None:
        self.module = RawModule(code=code, options=options)
        self.name = name

    def compile(self, log_stream: Any = None) -> None:
        self.module.compile()

    @property
    def kernel(self) -> Function:
        return self.module.get_function(self.name)

    def __call__(self, grid: Any, block: Any, args: Sequence[Any], *, shared_mem: int = 0) -> None:
        self.kernel(grid, block, args, shared_mem=shared_mem)
