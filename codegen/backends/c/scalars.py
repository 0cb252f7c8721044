"""Elementwise primitives on scalars, as C expressions.

Nothing here is undefined in C: integers wrap by way of unsigned ones, shifts and divisions look at their second
operand first, and what does not fit into an integer becomes its nearest one. Half precision lives in registers as
`float`, rounded after each operation.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isnan
from struct import pack, unpack

from ....lang.core import ir
from ....lang.core.ir import AttrValue

Attrs = tuple[tuple[str, AttrValue], ...]

INTEGERS = {f"{s}{b}": f"{'u' * (s == 'u')}int{b}_t" for s in "iu" for b in (8, 16, 32, 64)}
REGISTER = {"f64": "double", "f32": "float", "f16": "float", "bool": "bool"} | INTEGERS
"""The type of a scalar while it is computed with."""
MEMORY = REGISTER | {"f16": "dad_half"}
CELL = {d: d for d in MEMORY} | {"bool": "b"}
"""The member of a cell."""
LIBM = {
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log2": "log2", "log10": "log10", "log1p": "log1p",
    "sin": "sin", "cos": "cos", "tan": "tan", "asin": "asin", "acos": "acos", "atan": "atan", "sinh": "sinh",
    "cosh": "cosh", "tanh": "tanh", "asinh": "asinh", "acosh": "acosh", "atanh": "atanh", "cbrt": "cbrt",
    "hypot": "hypot", "atan2": "atan2", "erf": "erf", "erfc": "erfc", "nextafter": "nextafter", "pow": "pow",
    "rem": "fmod", "sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "round": "rint", "trunc": "trunc", "abs": "fabs",
    "copysign": "copysign", "fma": "fma", "ldexp": "ldexp",
}
OPERATORS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
BITS = {"band": "&", "bor": "|", "bxor": "^"}
COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
LOGIC = {"and": "&", "or": "|", "xor": "^"}

FLOAT_RULES = {
    "neg": "-x",
    "scaled": "x == 0 ? x : x * y",
    "max": "x >= y || y != y ? x : y",
    "min": "x <= y || y != y ? x : y",
    "sign": "x != x ? x : (@T)((x > 0) - (x < 0))",
    "isnan": "x != x",
    "isinf": "fabs@S(x) == INFINITY",
    "rsqrt": "1 / sqrt@S(x)",
}
"""Results of floats `x` and `y` of type @T; @S is the ending of functions of the library."""
FLOAT_BODIES = {
    "mod": """
  @T r = fmod@S(x, y);
  if (r == 0) return copysign@S((@T)0, y);
  return (y < 0) != (r < 0) ? r + y : r;
""",
    "sigmoid": """
  @T e = exp@S(-fabs@S(x));
  return (x >= 0 ? 1 : e) / (1 + e);
""",
}
INTEGER_RULES = {
    "add": "(@T)((@W)x + (@W)y)", "sub": "(@T)((@W)x - (@W)y)", "mul": "(@T)((@W)x * (@W)y)",
    "neg": "(@T)(0 - (@W)x)", "bnot": "(@T)~x",
    "max": "x >= y ? x : y", "min": "x <= y ? x : y",
    "abs": "x < 0 ? (@T)(0 - (@W)x) : x", "sign": "(@T)((x > 0) - (x < 0))",
    "shl": "(@U)y < @B ? (@T)((@W)x << y) : 0",
    "ushr": "(@U)y < @B ? (@T)((@U)x >> y) : 0",
    "quot": "y == 0 ? 0 : @M ? (@T)(0 - (@W)x) : (@T)(x / y)",
    "rem": "y == 0 || @M ? 0 : (@T)(x % y)",
}
"""The same of integers; @U is the unsigned type, @W one at least as wide as `int`, @B counts bits, @M asks whether the
divisor is -1."""
INTEGER_BODIES = {
    "shr": """
  if (!@N) return (@U)y < @B ? (@T)(x >> y) : 0;
  int by = (@U)y < @B ? (int)y : @B - 1;
  return x < 0 ? (@T)~((@U)~x >> by) : (@T)(x >> by);
""",
    "div": """
  if (y == 0) return 0;
  if (@M) return (@T)(0 - (@W)x);
  return (@T)(x / y - (x % y != 0 && (x % y < 0) != (y < 0)));
""",
    "mod": """
  if (y == 0 || @M) return 0;
  @T r = (@T)(x % y);
  return r != 0 && (r < 0) != (y < 0) ? (@T)(r + y) : r;
""",
    "pow": """
  if (@N && y < 0) return x == 1 ? 1 : @N && x == (@T)-1 ? (@T)(y & 1 ? -1 : 1) : 0;
  @W base = (@W)x, result = 1;
  for (@U left = (@U)y; left; left >>= 1) {
    if (left & 1) result = (@W)(result * base);
    base = (@W)(base * base);
  }
  return (@T)result;
""",
    "popc": """
  int32_t count = 0;
  for (@U left = (@U)x; left; left &= (@U)(left - 1)) count++;
  return count;
""",
    "clz": """
  int32_t count = @B;
  for (@U left = (@U)x; left; left >>= 1) count--;
  return count;
""",
    "ctz": """
  int32_t count = 0;
  if (!x) return @B;
  for (@U left = (@U)x; !(left & 1); left >>= 1) count++;
  return count;
""",
    "mul_hi": """
  const uint64_t low = ((uint64_t)1 << @B / 2) - 1;
  uint64_t a = (@U)x & low, b = (@U)x >> @B / 2, c = (@U)y & low, d = (@U)y >> @B / 2;
  uint64_t middle = (a * c >> @B / 2) + (b * c & low) + (a * d & low);
  return (@T)(b * d + (b * c >> @B / 2) + (a * d >> @B / 2) + (middle >> @B / 2));
""",
}
TO_INTEGER = """static int64_t dad_to_i64(double x) {
  if (!(fabs(x) < INFINITY)) return 0;
  return x >= 0x1p63 ? INT64_MAX : x <= -0x1p63 ? INT64_MIN : (int64_t)x;
}
static uint64_t dad_to_u64(double x) {
  if (!(fabs(x) < INFINITY) || x < 0) return (uint64_t)dad_to_i64(x);
  return x >= 0x1p64 ? UINT64_MAX : (uint64_t)x;
}
"""
HOST_HALF = ("nextafter", "polygamma")
"""Primitives that are not computed in single precision."""


class Scalars:
    """Writes expressions. `needed` collects the functions they call, by name; `host` calls back, and gives a name."""

    def __init__(self, needed: dict[str, str], host: Callable[[str, Attrs, str, tuple[str, ...], tuple[str, ...]], str]
                 ) -> None:
        self.needed = needed
        self.host = host

    def prim(self, name: str, out: str, dtypes: tuple[str, ...], args: tuple[str, ...], attrs: Attrs) -> str:
        """An expression of dtype `out`; `args` are names and literals of `dtypes`."""
        d = dtypes[0]
        x, y = args[0], args[1] if len(args) > 1 else ""
        if name in COMPARE:
            return f"{x} {COMPARE[name]} {y}"
        if name == "select":
            return f"{x} ? {y} : {args[2]}"
        if name in LOGIC:
            return f"{x} {LOGIC[name]} {y}"
        if name == "not":
            return f"!{x}"
        if name == "cast":
            return self.cast(x, d, out)
        if name == "bitcast":
            return self.bitcast(x, d, out)
        if d == "f16":
            if name in HOST_HALF:
                return self.host(name, attrs, out, dtypes, args)
            single = tuple("f32" if t == "f16" else t for t in dtypes)
            made = self.prim(name, "f32" if out == "f16" else out, single, args, attrs)
            return f"dad_rounded({made})" if out == "f16" else made
        if d in ir.FLOATS:
            return self.float(name, out, dtypes, args, attrs)
        return self.integer(name, out, dtypes, args, attrs)

    def float(self, name: str, out: str, dtypes: tuple[str, ...], args: tuple[str, ...], attrs: Attrs) -> str:
        d = dtypes[0]
        ending = "f" if d == "f32" else ""
        if name in OPERATORS:
            return f"{args[0]} {OPERATORS[name]} {args[1]}"
        if name == "neg":
            return f"-{args[0]}"
        if name in LIBM:
            return f"{LIBM[name]}{ending}({', '.join(args)})"
        if name not in FLOAT_RULES and name not in FLOAT_BODIES:
            return self.host(name, attrs, out, dtypes, args)
        body = FLOAT_BODIES.get(name) or f"\n  return {FLOAT_RULES[name]};\n"
        return self.call(name, out, d, args, body.replace("@T", REGISTER[d]).replace("@S", ending))

    def integer(self, name: str, out: str, dtypes: tuple[str, ...], args: tuple[str, ...], attrs: Attrs) -> str:
        d = dtypes[0]
        if name in BITS:
            return f"({REGISTER[d]})({args[0]} {BITS[name]} {args[1]})"
        if name not in INTEGER_RULES and name not in INTEGER_BODIES:
            return self.host(name, attrs, out, dtypes, args)
        body = INTEGER_BODIES.get(name) or f"\n  return {INTEGER_RULES[name]};\n"
        bits = int(d[1:])
        signed = d[0] == "i"
        for key, text in (("@T", REGISTER[d]), ("@U", f"uint{bits}_t"), ("@W", f"uint{max(bits, 32)}_t"),
                          ("@B", str(bits)), ("@M", "y == -1" if signed else "false"),
                          ("@N", "true" if signed else "false")):
            body = body.replace(key, text)
        return self.call(name, out, d, args, body)

    def call(self, name: str, out: str, d: str, args: tuple[str, ...], body: str) -> str:
        """A call of a function with this body."""
        t = REGISTER[d]
        params = ", ".join(f"{t} {p}" for p in "xy"[:len(args)])
        full = f"dad_{name}_{d}"
        self.needed.setdefault(full, f"static inline {REGISTER[out]} {full}({params}) {{{body}}}\n")
        return f"{full}({', '.join(args)})"

    # ------------------------------------------------------------ conversions

    def cast(self, x: str, d: str, out: str) -> str:
        if d == out:
            return x
        if out == "bool":
            return f"{x} != 0"
        if out == "f16":
            return f"dad_rounded({x})"
        if d in ir.FLOATS and out not in ir.FLOATS:
            self.needed.setdefault("to_integer", TO_INTEGER)
            return f"({REGISTER[out]})dad_to_{'u64' if out == 'u64' else 'i64'}({x})"
        return f"({REGISTER[out]}){x}"

    def bitcast(self, x: str, d: str, out: str) -> str:
        full = f"dad_bits_{d}_{out}"
        before, after = ("dad_half" if t == "f16" else REGISTER[t] for t in (d, out))
        given = "dad_to_half(x)" if d == "f16" else "x"
        result = "dad_of_half(y)" if out == "f16" else "y"
        head = f"static inline {REGISTER[out]} {full}({REGISTER[d]} x)"
        self.needed.setdefault(full, f"{head} {{\n  {before} z = {given};\n  {after} y;\n"
                                     f"  memcpy(&y, &z, sizeof y);\n  return {result};\n}}\n")
        return f"{full}({x})"


def number(value: int | float | bool, dtype: str) -> str:
    """A constant as C writes it."""
    if dtype == "bool":
        return "true" if value else "false"
    if dtype in ir.FLOATS:
        return _float(rounded(float(value), dtype), "" if dtype == "f64" else "f")
    bits = int(dtype[1:])
    if dtype[0] == "u":
        return f"{int(value) % (1 << bits)}{'u' if bits < 64 else 'ull'}"
    whole = (int(value) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
    if whole == -1 << 63:
        return "INT64_MIN"
    ending = "ll" if bits == 64 and abs(whole) >= 1 << 31 else ""
    return f"({whole}{ending})" if whole < 0 else f"{whole}{ending}"


def rounded(value: float, dtype: str) -> float:
    """The number of `dtype` that is nearest."""
    code = {"f64": "d", "f32": "f", "f16": "e"}[dtype]
    try:
        return float(unpack(code, pack(code, value))[0])
    except OverflowError:
        return inf if value > 0 else -inf


def half_bits(value: float) -> int:
    """The bits of a number in half precision."""
    return int(unpack("H", pack("e", rounded(value, "f16")))[0])


def _float(value: float, ending: str) -> str:
    if isnan(value):
        return "NAN"
    if abs(value) == inf:
        return "INFINITY" if value > 0 else "(-INFINITY)"
    shown = value.hex() if value != int(value) or abs(value) >= 1e6 else repr(value)
    return f"({shown}{ending})" if shown.startswith("-") else f"{shown}{ending}"
