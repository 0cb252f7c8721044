"""Reference meanings of integer arithmetic where NumPy raises, warns or leaves the result to the machine."""

from __future__ import annotations

from typing import Any

from .common import NUMPY_NAMES


def power(x: Any, y: Any) -> Any:
    """Floats: IEEE power. Integers: wraps; a negative exponent gives 1 / x**-y rounded towards zero (0 for x = 0)."""
    import numpy as np

    x, y = np.broadcast_arrays(x, y)
    with np.errstate(all="ignore"):
        if x.dtype.kind == "f":
            return np.power(x, y)[()]
        out = np.empty(x.shape, x.dtype)
        for k in np.ndindex(x.shape):
            out[k] = _integer_power(int(x[k]), int(y[k]), x.dtype.itemsize * 8, x.dtype.kind == "i")
        return out[()]


def _integer_power(x: int, y: int, bits: int, signed: bool) -> int:
    if y < 0:
        return {1: 1, -1: -1 if y % 2 else 1}.get(x, 0)
    wrapped = pow(x, y, 1 << bits)
    return wrapped - (1 << bits) if signed and wrapped >> (bits - 1) else wrapped


def quotient(x: Any, y: Any) -> Any:
    """x / y rounded towards zero; 0 where y is 0, wraps around for the most negative number over -1."""
    import numpy as np

    with np.errstate(all="ignore"):
        remainder = np.fmod(x, y)
        return np.floor_divide(np.subtract(x, remainder), y)


def _in_range(x: Any, y: Any) -> Any:
    import numpy as np

    bits = np.asarray(x).dtype.itemsize * 8
    return (np.asarray(y) >= 0) & (np.asarray(y) < bits)


def shift_left(x: Any, y: Any) -> Any:
    """x times 2**y, wrapping around; 0 when y is not in 0 .. bits-1."""
    import numpy as np

    inside = _in_range(x, y)
    zero = np.zeros_like(y)
    return np.where(inside, np.left_shift(x, np.where(inside, y, zero)), np.zeros_like(x))[()]


def shift_right(x: Any, y: Any) -> Any:
    """Arithmetic shift; when y is not in 0 .. bits-1 only the sign is left: 0 or -1."""
    import numpy as np

    top = np.full_like(y, np.asarray(x).dtype.itemsize * 8 - 1)
    inside = _in_range(x, y)
    shifted = np.right_shift(x, np.where(inside, y, top))
    return np.where(inside | (np.asarray(x) < 0), shifted, np.zeros_like(x))[()]


def shift_right_zero(x: Any, y: Any) -> Any:
    """Shift that fills with zeros, whatever the sign."""
    import numpy as np

    x, y = np.asarray(x), np.asarray(y)
    unsigned = np.dtype(f"u{x.dtype.itemsize}")
    inside = _in_range(x, y)
    shifted = np.right_shift(x.view(unsigned), np.where(inside, y, np.zeros_like(y)).astype(unsigned))
    return np.where(inside, shifted, np.zeros_like(shifted)).view(x.dtype)[()]


def convert(x: Any, to: str) -> Any:
    """Floats to integers: truncated, saturated at 64 bits, wrapped to the width; nan, inf give 0. To bool: x != 0."""
    import numpy as np

    x = np.asarray(x)
    target = np.dtype(NUMPY_NAMES[to])
    with np.errstate(all="ignore"):
        if x.dtype.kind == "f" and target.kind in "iu":
            whole = np.trunc(np.where(np.isfinite(x), x, np.zeros_like(x))).astype(np.float64)
            wide = np.where(whole >= 2.0**63, np.int64(2**63 - 1), 0).astype(np.int64)
            small = np.where(whole >= 2.0**63, 0.0, np.maximum(whole, -(2.0**63))).astype(np.int64)
            signed = np.where(whole >= 2.0**63, wide, small)
            if to != "u64":
                return signed.astype(target)[()]
            big = np.where(whole >= 2.0**64, 0.0, np.maximum(whole, 0.0)).astype(np.uint64)
            big = np.where(whole >= 2.0**64, np.uint64(2**64 - 1), big)
            return np.where(whole >= 2.0**63, big, signed.astype(np.uint64))[()]
        return x.astype(target)[()]
