"""The primitives, one record to each: type, meaning, derivative, code, grade, sample points.

Importing this package fills `lang.core.primitive.PRIMITIVES`. Tables: `elementwise` (arithmetic, functions, comparisons),
`structural` (making, reading and writing arrays), `reductions` (folds and prefixes), `checks` (run-time checks).
NumPy is imported only when a record is evaluated.
"""

from __future__ import annotations

from ..core.primitive import PRIMITIVES, Primitive
from . import checks, elementwise, reductions, structural

__all__ = ["PRIMITIVES", "Primitive", "checks", "elementwise", "reductions", "structural"]
