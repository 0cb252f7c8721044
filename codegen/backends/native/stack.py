"""How far the stack of a thread may grow."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

MARGIN = 1 << 18
"""Bytes left for what functions without calls take, and for callbacks."""
UNKNOWN = 1 << 62
"""Where the system does not say how large a stack is: no calls inside calls."""


def lowest() -> int:
    """The address that machine code of this thread may not go below."""
    bounds = _bounds()
    if bounds is None:
        return UNKNOWN
    low, size = bounds
    return low + min(MARGIN, size // 4)


def _bounds() -> tuple[int, int] | None:
    """Lowest address and size of this thread's stack."""
    if sys.platform == "win32":
        low, high = ctypes.c_size_t(), ctypes.c_size_t()
        ctypes.windll.kernel32.GetCurrentThreadStackLimits(ctypes.byref(low), ctypes.byref(high))
        return low.value, high.value - low.value
    library: Any = ctypes.CDLL(None)
    if hasattr(library, "pthread_get_stackaddr_np"):
        library.pthread_self.restype = ctypes.c_void_p
        me = ctypes.c_void_p(library.pthread_self())
        library.pthread_get_stackaddr_np.restype = ctypes.c_void_p
        library.pthread_get_stacksize_np.restype = ctypes.c_size_t
        size = int(library.pthread_get_stacksize_np(me))
        return int(library.pthread_get_stackaddr_np(me)) - size, size
    if not hasattr(library, "pthread_getattr_np"):
        return None
    attributes = (ctypes.c_char * 256)()
    library.pthread_self.restype = ctypes.c_void_p
    if library.pthread_getattr_np(ctypes.c_void_p(library.pthread_self()), attributes):
        return None
    start, length = ctypes.c_void_p(), ctypes.c_size_t()
    failed = library.pthread_attr_getstack(attributes, ctypes.byref(start), ctypes.byref(length))
    library.pthread_attr_destroy(attributes)
    return None if failed or not start.value else (start.value, length.value)
