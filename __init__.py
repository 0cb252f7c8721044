"""Dad: a differentiable array language with types you can trust.

>>> import dad
>>> m = dad.compile("entry square (x: param f64) : f64 = x * x")
>>> m.square(3.0)
9.0
>>> m.square.grad(3.0)
6.0
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .codegen.runtime.errors import DadArgumentError, DeviceError, RunError
    from .lang.clock import timing
    from .lang.diagnostics.report import Diagnostics
    from .modules import Live, compile, load

__all__ = ["DadArgumentError", "DeviceError", "Diagnostics", "Live", "RunError", "compile", "load", "timing"]


def __getattr__(name: str) -> Any:
    """`import dad` costs nothing until something is used: the command line only checks, most of the time."""
    if name in ("load", "compile", "Live"):
        from . import modules

        return getattr(modules, name)
    if name == "timing":
        from .lang.clock import timing

        return timing
    if name == "Diagnostics":
        from .lang.diagnostics.report import Diagnostics

        return Diagnostics
    if name in ("DadArgumentError", "DeviceError", "RunError"):
        from .codegen.runtime import errors

        return getattr(errors, name)
    raise AttributeError(f"module 'dad' has no attribute {name!r}")
