"""What the built-in names mean: their signatures, parsed when first used, and which rule types an overloaded one.

The signatures stand in `lang.intrinsics` and in the records of `lang.prims`. An elementwise primitive is overloaded:
it takes a scalar or an array of any rank and has a result of the same shape.
"""
from __future__ import annotations

from ..lang.intrinsics import CONSTANTS, CONVERTIBLE, LIMITS, MEMBER_ALIASES, SIGNATURES
from ..lang.members import MEMBERS, signature
from ..lang.types import FLOATS
from .elementwise import ELEMENTWISE
from .result import BuiltinRef
from .scope import Builtin

DERIVATIVES = frozenset({"grad", "value_and_grad", "jvp", "jvp2", "vjp", "vjp2", "jacobian", "jacfwd", "jacrev",
                         "hessian", "laplacian", "divergence"})


def primitives() -> dict[str, tuple[str, str, int]]:
    """Elementwise primitives that programs may name: constraint, result (`a` or `bool`), number of arguments."""
    return ELEMENTWISE


def find(name: str) -> Builtin | None:
    """The built-in function of this name."""
    if name in SIGNATURES:
        return Builtin(BuiltinRef(name), None, "scheme")
    if name in CONVERTIBLE:
        return Builtin(BuiltinRef("cast", name), None, "cast", 1)
    entry = primitives().get(name)
    if entry is not None:
        return Builtin(BuiltinRef(name), None, "elementwise", entry[2])
    return None


def member(module: str, name: str) -> Builtin | None:
    """`f64.sin`, `f64.i32`, `i32.max`, `f64.pi`, `i64.highest`."""
    if name in CONVERTIBLE:
        return Builtin(BuiltinRef("cast", module), None, f"from {name}", 1)
    if module in FLOATS and name in CONSTANTS:
        return Builtin(BuiltinRef(name, module), None, "constant")
    if name in ("highest", "lowest") and (module in FLOATS or module in LIMITS):
        return Builtin(BuiltinRef(name, module), None, "constant")
    if name == "num_bits" and (module in FLOATS or module in LIMITS):
        return Builtin(BuiltinRef(name, module), None, "constant")
    if signature(module, name) is not None:
        return Builtin(BuiltinRef(name, module), None, "member")
    name = MEMBER_ALIASES.get(name, name)
    entry = primitives().get(name)
    if module == "bool":
        return None
    if entry is not None and (entry[0] != "float" or module in FLOATS):
        return Builtin(BuiltinRef(name, module), None, "elementwise", entry[2])
    if name in FOLDS:
        return Builtin(BuiltinRef(name, module), None, "scheme")
    return None


FOLDS = ("sum", "product", "maximum", "minimum")


def member_names(module: str) -> list[str]:
    """All members of the module of a type of numbers, or of `bool`."""
    if module == "bool":
        return list(CONVERTIBLE)
    own = [n for n, (cls, _, _) in primitives().items() if cls != "float" or module in FLOATS]
    more = [n for n, (modules, _) in MEMBERS.items() if module in modules]
    constants = [*(CONSTANTS if module in FLOATS else ()), "highest", "lowest", "num_bits"]
    return [*own, *more, *CONVERTIBLE, *MEMBER_ALIASES, *FOLDS, *constants]


def names() -> list[str]:
    return [*SIGNATURES, *CONVERTIBLE, *primitives()]
