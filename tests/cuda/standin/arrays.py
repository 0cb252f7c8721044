"""Arrays of the stand-in for CuPy: numbers in the device's memory, and functions that take them and nothing else.

NumPy does the work. What CuPy refuses is refused: arrays of NumPy where the device's are wanted, and the silent way
back (`numpy.asarray` of an array of the device). A result is always an array of the device, also one number.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from . import memory
from .memory import COUNTS, MemoryPointer, UnownedMemory

DTYPES = frozenset("?bhilqBHILQefdFD")
"""Those of numbers that a GPU has."""


def host(x: Any) -> Any:
    """What NumPy computes with instead. Raises TypeError for arrays of NumPy."""
    if isinstance(x, ndarray):
        return x._host
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {type(x)}")
    if isinstance(x, (list, tuple)):
        return type(x)(map(host, x))
    return x


def back(x: Any) -> Any:
    """The result of a computation, on the device."""
    if isinstance(x, (np.ndarray, np.generic)):
        return placed(np.asarray(x))
    if isinstance(x, tuple):
        parts = [back(each) for each in x]
        return type(x)(*parts) if hasattr(x, "_fields") else tuple(parts)
    if isinstance(x, list):
        return [back(each) for each in x]
    return x


def placed(values: np.ndarray[Any, Any]) -> ndarray:
    """A copy in new memory of the device."""
    made = ndarray(values.shape, values.dtype, order="F" if fortran(values) else "C")
    made._host[...] = values
    return made


def fortran(values: np.ndarray[Any, Any]) -> bool:
    return bool(values.flags.f_contiguous and not values.flags.c_contiguous)


def computed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of NumPy, for arrays of the device."""
    def call(*args: Any, **named: Any) -> Any:
        out = named.pop("out", None)
        with np.errstate(all="ignore"):
            made = function(*map(host, args), **{k: host(v) for k, v in named.items()})
        if out is None:
            return back(made)
        if not isinstance(out, ndarray):
            raise TypeError("out must be an array of the device")
        out._host[...] = made
        return out

    call.__name__ = getattr(function, "__name__", "call")
    return call


class ndarray:
    """`cupy.ndarray`."""

    __array_priority__ = 100
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]  # as those of NumPy

    def __init__(self, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None, order: str = "C"
                 ) -> None:
        shape = (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(n) for n in shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        if self.dtype.char not in DTYPES:
            raise TypeError(f"Unsupported dtype {self.dtype}")
        plan: Any = np.lib.stride_tricks.as_strided(np.empty(1, self.dtype), shape, [0] * len(shape))
        count = int(np.prod(shape, dtype=np.int64))
        if strides is None:
            strides = np.empty(shape, np.int8, order="F" if order == "F" else "C").strides if count < 1 << 20 else None
            strides = tuple(s * self.dtype.itemsize for s in strides) if strides is not None else dense(
                shape, self.dtype.itemsize, order)
        extent = sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + self.dtype.itemsize if count else 0
        self.data: MemoryPointer = memory.alloc(extent) if memptr is None else memptr
        if extent:
            memory.within(self.data.ptr, extent)
        raw: Any = (ctypes.c_char * max(extent, 1)).from_address(self.data.ptr) if extent else b"\0" * plan.itemsize
        flat: Any = np.frombuffer(raw, np.uint8)
        self._host: Any = np.ndarray(shape, self.dtype, flat, 0, strides) if count else np.empty(shape, self.dtype)
        self._base: ndarray | None = None

    @classmethod
    def of(cls, view: Any, base: ndarray) -> ndarray:
        """A view of another array's memory."""
        made = cls.__new__(cls)
        made.dtype, made._host, made._base = view.dtype, view, base
        offset = view.__array_interface__["data"][0] - base.data.ptr if view.size else 0
        made.data = base.data + offset
        return made

    # -------------------------------------------------------------- what it is

    shape = property(lambda self: self._host.shape)
    strides = property(lambda self: self._host.strides)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    itemsize = property(lambda self: self.dtype.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    flags = property(lambda self: self._host.flags)
    base = property(lambda self: self._base)

    @property
    def device(self) -> Any:
        return self.data.device

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self.shape, "typestr": self.dtype.str, "descr": self.dtype.descr, "stream": 1, "version": 3,
                "strides": None if self.flags.c_contiguous else self.strides, "data": (self.data.ptr, False)}

    def __array__(self, *args: Any, **named: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy "
                        "array explicitly.")

    def __dlpack__(self, **named: Any) -> Any:
        return self._host.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)

    # -------------------------------------------------------------- to the host and back

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> Any:
        COUNTS.synchronisations += 1
        COUNTS.to_host += 1
        if out is None:
            return np.array(self._host, order=order)  # type: ignore[call-overload]  # order is one of NumPy's
        if not isinstance(out, np.ndarray) or out.shape != self.shape or out.dtype != self.dtype:
            raise TypeError("Only numpy.ndarray of the same shape and dtype can be obtained from cupy.ndarray")
        out[...] = self._host
        return out

    def set(self, arr: Any, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype or arr.shape != self.shape:
            raise (TypeError if arr.dtype != self.dtype else ValueError)(
                f"{arr.dtype} array of shape {arr.shape} cannot be set to {self.dtype} array of shape {self.shape}")
        if not (self.flags.c_contiguous or self.flags.f_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        COUNTS.to_device += 1
        self._host[...] = arr

    def item(self) -> Any:
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __int__(self) -> int:
        return int(self.get())

    def __index__(self) -> int:
        return int(self.get().__index__())

    def __float__(self) -> float:
        return float(self.get())

    def __bool__(self) -> bool:
        return bool(self.get())

    def __len__(self) -> int:
        return len(self._host)

    def __repr__(self) -> str:
        return repr(self._host)

    def __iter__(self) -> Iterator[ndarray]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[k] for k in range(len(self)))

    # -------------------------------------------------------------- parts and shapes

    def __getitem__(self, key: Any) -> ndarray:
        key = host(key)
        wanted = key if isinstance(key, tuple) else (key,)
        if any(isinstance(k, (list, np.ndarray)) for k in wanted):
            return placed(np.asarray(self._host[key]))
        found = self._host[(*wanted, ...)] if Ellipsis not in wanted else self._host[key]
        return ndarray.of(found, self)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._host[host(key)] = host(value)

    def reshape(self, *shape: Any, order: str = "C") -> ndarray:
        wanted = shape[0] if len(shape) == 1 and not isinstance(shape[0], (int, np.integer)) else shape
        return self.viewed(self._host.reshape(wanted, order=order))

    def viewed(self, made: Any) -> ndarray:
        """A view where NumPy gave one, else new memory."""
        return ndarray.of(made, self) if np.shares_memory(made, self._host) or not made.size else placed(made)

    def ravel(self, order: str = "C") -> ndarray:
        return self.viewed(self._host.ravel(order))

    def flatten(self, order: str = "C") -> ndarray:
        return placed(self._host.flatten(order))

    def transpose(self, *axes: Any) -> ndarray:
        return ndarray.of(self._host.transpose(*axes), self)

    T = property(lambda self: self.transpose())

    def swapaxes(self, a: int, b: int) -> ndarray:
        return ndarray.of(self._host.swapaxes(a, b), self)

    def squeeze(self, axis: Any = None) -> ndarray:
        return ndarray.of(self._host.squeeze(axis), self)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> ndarray:
        return ndarray.of(self._host.diagonal(offset, axis1, axis2), self)

    def view(self, dtype: Any = None) -> ndarray:
        return ndarray.of(self._host.view() if dtype is None else self._host.view(dtype), self)

    def astype(self, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy: bool = True
               ) -> ndarray:
        if not copy and self.dtype == np.dtype(dtype):
            return self
        with np.errstate(all="ignore"):
            return placed(self._host.astype(dtype))

    def copy(self, order: str = "C") -> ndarray:
        return placed(np.array(self._host, order=order))  # type: ignore[call-overload]  # order is one of NumPy's

    def fill(self, value: Any) -> None:
        self._host.fill(host(value))

    def dot(self, b: Any, out: Any = None) -> Any:
        return computed(np.dot)(self, b, out=out)


def dense(shape: Sequence[int], itemsize: int, order: str) -> tuple[int, ...]:
    """Strides of an array without gaps."""
    strides: list[int] = []
    step = itemsize
    for n in (shape if order == "F" else reversed(shape)):
        strides.append(step)
        step *= max(n, 1)
    return tuple(strides if order == "F" else reversed(strides))


def _operator(name: str) -> Callable[..., Any]:
    plain = getattr(np.ndarray, name)

    def call(self: ndarray, *others: Any) -> Any:
        if any(isinstance(x, np.ndarray) for x in others):
            raise TypeError(f"Unsupported type {np.ndarray}")
        with np.errstate(all="ignore"):
            made = plain(self._host, *map(host, others))
        if made is NotImplemented:
            return made
        return self if name.startswith("__i") and name != "__invert__" else back(made)

    return call


TWO_SIDED = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor", "lshift", "rshift")
ONE_SIDED = ("matmul", "rmatmul", "eq", "ne", "lt", "le", "gt", "ge", "neg", "pos", "abs", "invert")
for _name in [*(f"__{way}{name}__" for name in TWO_SIDED for way in ("", "r", "i")),
              *(f"__{name}__" for name in ONE_SIDED)]:
    setattr(ndarray, _name, _operator(_name))


def _method(name: str) -> Callable[..., Any]:
    return computed(lambda x, *args, **named: getattr(x, name)(*args, **named))


METHODS = ("sum", "prod", "max", "min", "argmax", "argmin", "mean", "any", "all", "cumsum", "cumprod", "clip", "take",
           "repeat", "nonzero", "argsort", "conj", "trace", "round", "var", "std")
for _name in METHODS:
    setattr(ndarray, _name, _method(_name))


def _sort(self: ndarray, axis: int = -1) -> None:
    self._host.sort(axis=axis, kind="stable")


ndarray.sort = _sort  # type: ignore[attr-defined]  # CuPy sorts in place, always stably

# ------------------------------------------------------------------ making arrays


def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return ndarray(shape, dtype, order=order)


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> ndarray:
    made = ndarray(shape, np.asarray(host(fill_value)).dtype if dtype is None else dtype, order=order)
    made._host[...] = host(fill_value)
    return made


def zeros(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return full(shape, 0, dtype, order)


def ones(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return full(shape, 1, dtype, order)


def empty_like(a: ndarray, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> ndarray:
    if not isinstance(a, ndarray):
        raise TypeError(f"Unsupported type {type(a)}")
    return ndarray(a.shape if shape is None else shape, a.dtype if dtype is None else dtype)


def zeros_like(a: ndarray, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> ndarray:
    made = empty_like(a, dtype, order, subok, shape)
    made.fill(0)
    return made


def ones_like(a: ndarray, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None) -> ndarray:
    made = empty_like(a, dtype, order, subok, shape)
    made.fill(1)
    return made


def full_like(a: ndarray, fill_value: Any, dtype: Any = None) -> ndarray:
    made = empty_like(a, dtype)
    made.fill(fill_value)
    return made


def asarray(a: Any, dtype: Any = None, order: str | None = None, *, blocking: bool = False) -> ndarray:
    """Of anything: arrays of the device as they are, others copied to it."""
    if isinstance(a, ndarray) and order in (None, "K", "A"):
        return a if dtype is None or a.dtype == np.dtype(dtype) else a.astype(dtype)
    if isinstance(a, ndarray):
        fits = a.flags.f_contiguous if order == "F" else a.flags.c_contiguous
        if fits and (dtype is None or a.dtype == np.dtype(dtype)):
            return a
        return placed(np.asarray(a._host, dtype, order="F" if order == "F" else "C"))
    shared = getattr(a, "__cuda_array_interface__", None)
    if shared is not None:
        made = foreign(shared, a)
        return made if dtype is None or made.dtype == np.dtype(dtype) else made.astype(dtype)
    if isinstance(a, (list, tuple)) and any(isinstance(x, ndarray) for x in a):
        return placed(np.asarray(np.stack([asarray(x)._host for x in a]), dtype))
    values = np.asarray(a, dtype)
    if values.dtype.char not in DTYPES:
        raise ValueError(f"Unsupported dtype {values.dtype}")
    COUNTS.to_device += 1
    return placed(np.asarray(values, order="F" if order == "F" else "C"))


def foreign(shared: dict[str, Any], owner: object) -> ndarray:
    """An array of another library's memory, as `__cuda_array_interface__` tells of it."""
    dtype = np.dtype(shared["typestr"])
    shape = shared["shape"]
    strides = shared.get("strides") or dense(shape, dtype.itemsize, "C")
    size = sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + dtype.itemsize if all(shape) else 0
    return ndarray(shape, dtype, MemoryPointer(UnownedMemory(shared["data"][0], size, owner), 0), strides)


def array(obj: Any, dtype: Any = None, copy: bool = True, order: str | None = "K", subok: bool = False, ndmin: int = 0
          ) -> ndarray:
    made = asarray(obj, dtype, order)
    return made.copy() if copy and (made is obj or hasattr(obj, "__cuda_array_interface__")) else made


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    return asarray(a, dtype, "C")


def asfortranarray(a: Any, dtype: Any = None) -> ndarray:
    return asarray(a, dtype, "F")


def asnumpy(a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True) -> Any:
    if isinstance(a, ndarray):
        return a.get(order=order, out=out)
    return np.asarray(a)


def from_dlpack(array: Any) -> ndarray:
    """An array of another library of the device, without a copy."""
    kind, _ = array.__dlpack_device__()
    if kind != 2:
        raise TypeError(f"CPU arrays cannot be directly imported to CuPy. Use `cupy.array(numpy.from_dlpack(input))` "
                        f"instead (device type {kind}).")
    if isinstance(array, ndarray):
        return ndarray.of(array._host.view(), array)

    class Held:
        def __dlpack__(self, **named: Any) -> Any:
            return array.__dlpack__(stream=1)

        def __dlpack_device__(self) -> tuple[int, int]:
            return (1, 0)

    view = np.from_dlpack(Held())
    pointer = UnownedMemory(view.__array_interface__["data"][0], view.nbytes, (array, view))
    return ndarray(view.shape, view.dtype, MemoryPointer(pointer, 0), view.strides)
