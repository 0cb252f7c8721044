"""Array code as readable Python that needs NumPy alone.

`module` puts the module together from `functions` (statements, in-place updates by `memory`), `loops`, `expressions`
(one rule to a primitive), `contraction` (matrix products), `helpers` (the text of runtime functions used) and `stub`.
"""

from __future__ import annotations

from .module import emit_module

__all__ = ["emit_module"]
