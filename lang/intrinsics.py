"""Names that every program knows and that are not primitives of the IR: second-order array combinators, array functions
whose lowering needs more than one statement, and the differential operators.

Each has its type in Dad's own syntax; `codegen/lower` holds their lowering under the same name. Primitives that
programs may name carry their signature in their own record (`lang.prims`). Everything else in the prelude is written
in Dad. `tangent a` is the type of tangents of `a`, `derivative a b` that of derivatives of functions from `a` to
`b`, and `number a` that of the numbers in `a` (`lang.types`).
"""
from __future__ import annotations

import math

SIGNATURES: dict[str, str] = {
    # combinators
    "map": "'a 'b [n] (f: a -> b) (xs: [n]a) : [n]b",
    "map2": "'a 'b 'c [n] (f: a -> b -> c) (xs: [n]a) (ys: [n]b) : [n]c",
    "map3": "'a 'b 'c 'd [n] (f: a -> b -> c -> d) (xs: [n]a) (ys: [n]b) (zs: [n]c) : [n]d",
    "map4": "'a 'b 'c 'd 'e [n] (f: a -> b -> c -> d -> e) (xs: [n]a) (ys: [n]b) (zs: [n]c) (vs: [n]d) : [n]e",
    "map5": "'a 'b 'c 'd 'e 'g [n] (f: a -> b -> c -> d -> e -> g) "
            "(xs: [n]a) (ys: [n]b) (zs: [n]c) (vs: [n]d) (ws: [n]e) : [n]g",
    "reduce": "'a [n] (op: a -> a -> a) (ne: a) (xs: [n]a) : a",
    "reduce_comm": "'a [n] (op: a -> a -> a) (ne: a) (xs: [n]a) : a",
    "scan": "'a [n] (op: a -> a -> a) (ne: a) (xs: [n]a) : [n]a",
    "tabulate": "'a (n: i64) (f: i64 -> a) : [n]a",
    # array functions
    "length": "'a [n] (xs: [n]a) : i64",
    "iota": "(n: i64) : [n]i64",
    "replicate": "'a (n: i64) (x: a) : [n]a",
    "concat": "'a [n] [m] (xs: [n]a) (ys: [m]a) : [n+m]a",
    "transpose": "'a [n] [m] (xs: [n][m]a) : [m][n]a",
    "reverse": "'a [n] (xs: [n]a) : [n]a",
    "rotate": "'a [n] (k: i64) (xs: [n]a) : [n]a",
    "flatten": "'a [n] [m] (xs: [n][m]a) : [n*m]a",
    "unflatten": "'a [n] [m] (xs: [n*m]a) : [n][m]a",
    "zip": "'a 'b [n] (xs: [n]a) (ys: [n]b) : [n](a, b)",
    "zip3": "'a 'b 'c [n] (xs: [n]a) (ys: [n]b) (zs: [n]c) : [n](a, b, c)",
    "unzip": "'a 'b [n] (xs: [n](a, b)) : ([n]a, [n]b)",
    "unzip3": "'a 'b 'c [n] (xs: [n](a, b, c)) : ([n]a, [n]b, [n]c)",
    "scatter": "'a [n] [m] (dest: [n]a) (is: [m]i64) (vs: [m]a) : [n]a",
    "filter": "'a [n] (p: a -> bool) (xs: [n]a) : ?[k].[k]a",
    "partition": "'a [n] (p: a -> bool) (xs: [n]a) : ?[k].([k]a, [n-k]a)",
    "partition2": "'a [n] (p: a -> bool) (q: a -> bool) (xs: [n]a) : ?[k][l].([k]a, [l]a, [n-k-l]a)",
    "reduce_by_index": "'a [n] [m] (dest: [m]a) (op: a -> a -> a) (ne: a) (is: [n]i64) (xs: [n]a) : [m]a",
    "hist": "'a [n] (op: a -> a -> a) (ne: a) (m: i64) (is: [n]i64) (xs: [n]a) : [m]a",
    "argsort": "'a: num [n] (xs: [n]a) : [n]i64",
    # reductions that have closed-form derivatives
    "sum": "'a: num [n] (xs: [n]a) : a",
    "product": "'a: num [n] (xs: [n]a) : a",
    "maximum": "'a: num [n] (xs: [n]a) : a",
    "minimum": "'a: num [n] (xs: [n]a) : a",
    "all": "'a [n] (f: a -> bool) (xs: [n]a) : bool",
    "any": "'a [n] (f: a -> bool) (xs: [n]a) : bool",
    "and": "[n] (xs: [n]bool) : bool",
    "or": "[n] (xs: [n]bool) : bool",
    "argmax": "'a: num [n] (xs: [n]a) : i64",
    "argmin": "'a: num [n] (xs: [n]a) : i64",
    # linear algebra
    "matmul": "'a: num [n] [m] [p] (a: [n][m]a) (b: [m][p]a) : [n][p]a",
    "cholesky": "'a: float [n] (matrix: [n][n]a) : [n][n]a",
    "solve": "'a: float [n] (matrix: [n][n]a) (b: [n]a) : [n]a",
    "solve_many": "'a: float [n] [m] (matrix: [n][n]a) (b: [n][m]a) : [n][m]a",
    "solve_lower": "'a: float [n] (matrix: [n][n]a) (b: [n]a) : [n]a",
    "solve_upper": "'a: float [n] (matrix: [n][n]a) (b: [n]a) : [n]a",
    "solve_lower_many": "'a: float [n] [m] (matrix: [n][n]a) (b: [n][m]a) : [n][m]a",
    "solve_upper_many": "'a: float [n] [m] (matrix: [n][n]a) (b: [n][m]a) : [n][m]a",
    "inverse": "'a: float [n] (matrix: [n][n]a) : [n][n]a",
    "det": "'a: float [n] (matrix: [n][n]a) : a",
    "logdet": "'a: float [n] (matrix: [n][n]a) : a",
    "slogdet": "'a: float [n] (matrix: [n][n]a) : (a, a)",
    "lu": "'a: float [n] (matrix: [n][n]a) : ([n][n]a, [n][n]a, [n]i64)",
    "svd": "'a: float [n] [m] (matrix: [n][m]a) : ([n][m]a, [m]a, [m][m]a)",
    "orthogonal": "'a: float [n] [m] (matrix: [n][m]a) : [n][m]a",
    "eigen": "'a: float [n] (matrix: [n][n]a) : ([n]a, [n][n]a)",
    # numbers of the type that is wanted, in generic definitions
    "from_i64": "'a: num (n: i64) : a",
    "from_f64": "'a: float (x: f64) : a",
    # differential operators
    "jvp": "'a 'b (f: a -> b) (x: a) (dx: tangent a) : tangent b",
    "jvp2": "'a 'b (f: a -> b) (x: a) (dx: tangent a) : (b, tangent b)",
    "vjp": "'a 'b (f: a -> b) (x: a) (dy: tangent b) : tangent a",
    "vjp2": "'a 'b (f: a -> b) (x: a) (dy: tangent b) : (b, tangent a)",
    "grad": "'a 'b: float (f: a -> b) (x: a) : tangent a",
    "value_and_grad": "'a 'b: float (f: a -> b) (x: a) : (b, tangent a)",
    "jacobian": "'a 'b (f: a -> b) (x: a) : derivative a b",
    "jacfwd": "'a 'b (f: a -> b) (x: a) : derivative a b",
    "jacrev": "'a 'b (f: a -> b) (x: a) : derivative a b",
    "hessian": "'a 'b: float (f: a -> b) (x: a) : derivative a a",
    "laplacian": "'a 'b: float (f: a -> b) (x: a) : b",
    "divergence": "'a (f: a -> tangent a) (x: a) : number a",
    "vmap": "'a 'b [n] (f: a -> b) (xs: [n]a) : [n]b",
    "stop_grad": "'^a (x: a) : a",
    "with_jvp": "'a 'b (f: a -> b) (rule: a -> tangent a -> tangent b) (x: a) : b",
    "with_vjp": "'a 'b (f: a -> b) (rule: a -> tangent b -> tangent a) (x: a) : b",
    # implicit differentiation; what begins with `_` is for the library, which searches with it
    "implicit": "'a (r: a -> tangent a) (x: a) : a",
    "_implicit": "'a (r: a -> a) (x: a) : a",
    "_step": "'a (r: a -> a) (x: a) : a",
    "_descent": "'a 'b: float (f: a -> b) (damping: f64) (x: a) : a",
    "_slope": "'a 'b: float (f: a -> b) (x: a) : a",
    "_along": "'a (x: a) (t: f64) (d: a) : a",
    "_relative": "'a (d: a) (x: a) : f64",
    "_square": "'a (x: a) : f64",
    "_floats": "'a (x: a) : ?[k].[k]f64",
    "_with_floats": "'a [k] (x: a) (v: [k]f64) : a",
    "_precision": "'a (x: a) : f64",
    "_fixpoint_found": "'a (x: a) (off: f64) (tolerance: f64) (iterations: i64) : a",
    "_root_found": "'a (x: a) (off: f64) (tolerance: f64) (iterations: i64) : a",
    "_minimiser_found": "'a (x: a) (off: f64) (tolerance: f64) (iterations: i64) : a",
}

CONVERTIBLE = ("f64", "f32", "f16", "i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8", "bool")
"""`f64 x` and `f64.i32 x` convert; `f64.sin`, `f64.pi` and the like are module members of the same names."""

CONSTANTS: dict[str, float] = {
    "pi": 3.141592653589793,
    "e": 2.718281828459045,
    "inf": float("inf"),
    "nan": float("nan"),
    "epsilon": 2.220446049250313e-16,
}
"""Members of the float modules, `f64.pi`; rounded for f32 and f16, whose `epsilon` is their own."""

LIMITS: dict[str, tuple[int, int]] = {
    **{f"i{bits}": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"u{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32, 64)},
}
"""The least and the greatest number of each integer type."""

LARGEST: dict[str, float] = {"f16": 65519.99, "f32": 3.4028235677973366e38, "f64": 1.7976931348623157e308}
"""The largest fractions that a float type rounds to a number; greater ones would become infinite."""


def wrapped(value: int, dtype: str) -> int:
    """A written number as it is held: `-1u8` is 255.

    >>> wrapped(-1, "u8"), wrapped(-1, "i8")
    (255, -1)
    """
    low, high = LIMITS[dtype]
    return value + high + 1 if value < low == 0 else value


MEMBER_ALIASES: dict[str, str] = {"sgn": "sign"}
"""Futhark's names of members that are called differently here: `f64.sgn`."""


def constant(name: str, dtype: str) -> int | float:
    """The value of the constant `dtype.name`: `constant("highest", "i32")` is 2147483647.

    The highest and the lowest float are infinite.
    """
    if name in ("highest", "lowest"):
        high = name == "highest"
        return LIMITS[dtype][high] if dtype in LIMITS else math.inf if high else -math.inf
    if name == "num_bits":
        return int(dtype[1:])
    if name == "epsilon":
        return {"f64": 2.0**-52, "f32": 2.0**-23, "f16": 2.0**-10}[dtype]
    return CONSTANTS[name]
