"""Numbers that the host has while a program runs on a GPU, computed as kernels compute them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arguments import DTYPES


def neutral(op: str, dtype: str) -> Any:
    """What an operation leaves as it is."""
    if op == "mul":
        return 1
    kind = DTYPES[dtype]
    if kind.kind == "f":
        return -np.inf if op == "max" else np.inf
    return np.iinfo(kind).min if op == "max" else np.iinfo(kind).max


def host_number(x: Any, dtype: str) -> Any:
    """A number as code of the host has it: integers of 64 bits and truth values are Python's, others NumPy's. Halves
    are single there, as kernels take them."""
    if dtype == "i64":
        return int(x)
    return bool(x) if dtype == "bool" else np.float32(x) if dtype == "f16" else DTYPES[dtype].type(x)


def _wrapped(x: int) -> int:
    """A whole number as 64 bits hold it."""
    return x if -9223372036854775808 <= x < 9223372036854775808 else (x + 9223372036854775808) % (1 << 64) - (1 << 63)


def _quot(x: int, y: int) -> int:
    return 0 if y == 0 else _wrapped(abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1))


def _rem(x: int, y: int) -> int:
    return 0 if y == 0 else abs(x) % abs(y) * (1 if x >= 0 else -1)


def _div(x: int, y: int) -> int:
    return 0 if y == 0 else _wrapped(x // y)


def _mod(x: int, y: int) -> int:
    return 0 if y == 0 else x % y


def _shl(x: int, y: int) -> int:
    return _wrapped(x << y & (1 << 64) - 1) if 0 <= y < 64 else 0


def _shr(x: int, y: int) -> int:
    return x >> (y if 0 <= y < 64 else 63)
