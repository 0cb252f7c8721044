"""The primitives, one record to each: type, meaning, derivative, code, grade, sample points.

Importing this package fills `lang.core.primitive.PRIMITIVES`. Tables: `elementwise` (arithmetic, comparisons),
`functions` (of real numbers), `probability`, `bits` (their representation), `structural` (making and rearranging
arrays), `access` (reading and writing parts), `binned` (extremes of what goes to a place), `reductions` (folds and
prefixes), `ordering` (where elements go), `checks` (run-time checks), `promises` (what is said of smoothness),
`matrices`, `determinants` and `spectra` (linear algebra), `batched` (what only vectorised code uses). Reference
meanings: `special`, `decimals`, `bessel`, `integers`, `matrix_reference`.
NumPy is imported only when a record is evaluated.
"""

from __future__ import annotations

from ..core.primitive import PRIMITIVES, Primitive
from . import (
    access,
    batched,
    binned,
    bits,
    checks,
    determinants,
    elementwise,
    functions,
    matrices,
    ordering,
    probability,
    promises,
    reductions,
    spectra,
    structural,
)

__all__ = [
    "PRIMITIVES",
    "Primitive",
    "access",
    "batched",
    "binned",
    "bits",
    "checks",
    "determinants",
    "elementwise",
    "functions",
    "matrices",
    "ordering",
    "probability",
    "promises",
    "reductions",
    "spectra",
    "structural",
]
