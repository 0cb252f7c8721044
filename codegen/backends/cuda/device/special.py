"""Elementary and special functions as CUDA C, from the kernels that machine code has.

A kernel is a Python function that writes the operations of one number (`native/kernels`). Here they are written as CUDA
C, one operation to a line, multiplications as `__dmul_rn`, which no compiler joins with an addition. So a function has
the same bits on every card and on the CPU, whatever the options; `fma` stands where a kernel asks for it. Functions of
`f32` compute in double precision and round.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from math import isinf, isnan

from ...native.kernels import trigonometric
from ...native.kernels.builder import Builder, Kernel, Value, bits_of
from ...native.kernels.catalog import PRIMITIVES, RESULTS, meaning, named
from ...native.kernels.coefficients import PI_2_PAIR, TWO_OVER_PI_BITS

TYPES = {"f": "double", "i": "long long", "m": "bool"}
OPERATORS = {"fadd": "+", "fsub": "-", "fdiv": "/", "and": "&", "or": "|", "xor": "^"}
COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
WRAPPING = {"add": "+", "sub": "-", "mul": "*", "shl": "<<", "lshr": ">>"}
"""Operations of whole numbers that are done without a sign."""

BITS = """\
static __device__ __forceinline__ double dad_number(long long i) {
  union { long long i; double x; } u; u.i = i; return u.x;
}
static __device__ __forceinline__ long long dad_bits(double x) {
  union { long long i; double x; } u; u.x = x; return u.i;
}
"""

_OPERATION = re.compile(r"(\w+)(?: (o\w\w|u\w\w|s\w\w|eq|ne))? (double|i64|i1) (\S+), (\S+)$")
_SELECT = re.compile(r"select i1 (\S+), (?:double|i64|i1) (\S+), (?:double|i64|i1) (\S+)$")
_BITCAST = re.compile(r"bitcast (double|i64) (\S+) to (double|i64)$")
_NEGATION = re.compile(r"fneg double (\S+)$")


def knows(primitive: str) -> bool:
    """Whether the primitive is one of these functions."""
    return primitive in PRIMITIVES


def function(primitive: str, attrs: Mapping[str, object], dtype: str) -> str:
    """What the function of a primitive is called; `dtype` is f64 or f32.

    >>> function("exp", {}, "f32"), function("polygamma", {"order": 2}, "f64")
    ('dad_exp_f32', 'dad_polygamma_2_f64')
    """
    return f"dad_{named(primitive, attrs)}_{dtype}"


def text(names: Iterable[str]) -> str:
    """CUDA C of the functions with these names, after everything that they call."""
    return "\n".join(pieces(names).values())


def pieces(names: Iterable[str]) -> dict[str, str]:
    """The same, each function by its name."""
    found: dict[str, str] = {}
    for name in names:
        kernel, dtype = name.removeprefix("dad_").rsplit("_", 1)
        if RESULTS.get(kernel, 1) > 1:
            raise ValueError(f"{name} gives more than one number")
        found |= _pieces(kernel)
        if dtype == "f32":
            params, args = (", ".join(f"{t}x{k}" for k in range(meaning(kernel)[1])) for t in ("float ", ""))
            found[name] = (f"static __device__ __forceinline__ float {name}({params}) {{ "
                           f"return (float)dad_{kernel}_f64({args}); }}\n")
    return {"bits": BITS} | found if found else {}


@cache
def _pieces(kernel: str) -> dict[str, str]:
    write, arity = meaning(kernel)
    b = Writer()
    args = [Value(b, f"x{k}", "f") for k in range(arity)]
    found = write(b, *args)
    assert isinstance(found, Value)
    params = ", ".join(f"double x{k}" for k in range(arity))
    name = f"dad_{kernel}_f64"
    inline = "__forceinline__" if len(b.lines) < LONG and not b.pieces else "__noinline__"
    own = f"static __device__ {inline} double {name}({params}) {{\n" + b.body(f"return {found.text};")
    return {**b.pieces, name: own}


LONG = 120
"""Lines of a function that does not become part of those that call it."""


class Writer(Builder):
    """Writes the operations of a kernel for one number as CUDA C."""

    def __init__(self) -> None:
        super().__init__(1, True)
        self.indent = "  "
        self.pieces: dict[str, str] = {}
        """Functions that are called, by name, in the order in which they may stand."""

    def body(self, last: str) -> str:
        return "\n".join([*self.lines, f"  {last}", "}", ""])

    def add(self, line: str) -> None:
        self.lines.append(self.indent + line)

    def fresh(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"

    # ------------------------------------------------------------ single operations

    def op(self, text: str, kind: str) -> Value:
        return self.bind(_expression(text), kind)

    def bind(self, expression: str, kind: str) -> Value:
        name = self.fresh("v")
        self.add(f"const {TYPES[kind]} {name} = {expression};")
        return Value(self, name, kind)

    def line(self, text: str) -> str:
        raise AssertionError(f"no instruction of another machine belongs here: {text}")

    def value(self, x: Value | float, kind: str = "f") -> Value:
        if isinstance(x, Value):
            return x
        return Value(self, literal(x, kind), kind)

    def intrinsic(self, name: str, *args: Value) -> Value:
        return self.bind(f"{name}({', '.join(a.text for a in args)})", "f")

    def any(self, cond: Value) -> str:
        return cond.text

    # ------------------------------------------------------------ control

    def when(self, cond: Value, usual: Sequence[Value], compute: Callable[[], Sequence[Value]]) -> list[Value]:
        return self.under(cond, usual, compute)

    def under(self, cond: Value, usual: Sequence[Value], compute: Callable[[], Sequence[Value]]) -> list[Value]:
        """`usual`, or, if `cond` holds, what `compute` gives."""
        names = [self.fresh("w") for _ in usual]
        for name, x in zip(names, usual, strict=True):
            self.add(f"{TYPES[x.kind]} {name} = {x.text};")
        self.add(f"if ({cond.text}) {{")
        self.indent += "  "
        for name, x in zip(names, compute(), strict=True):
            self.add(f"{name} = {x.text};")
        self.indent = self.indent[:-2]
        self.add("}")
        return [Value(self, name, x.kind) for name, x in zip(names, usual, strict=True)]

    def loop(self, start: Sequence[Value], going: Callable[..., Value], step: Callable[..., Sequence[Value]]
             ) -> list[Value]:
        state = []
        for x in start:
            name = self.fresh("s")
            self.add(f"{TYPES[x.kind]} {name} = {x.text};")
            state.append(Value(self, name, x.kind))
        self.add("for (;;) {")
        self.indent += "  "
        self.add(f"if (!({going(*state).text})) break;")
        after = [self.bind(x.text, x.kind) for x in step(*state)]
        for x, y in zip(state, after, strict=True):
            self.add(f"{x.text} = {y.text};")
        self.indent = self.indent[:-2]
        self.add("}")
        return state

    def call(self, function: Kernel, *args: Value, **numbers: int) -> tuple[Value, ...]:
        name = "_".join(["dad_in", function.__name__, *map(str, numbers.values())])
        count = self.inner(name, function, len(args), numbers)
        return self.results(f"{name}({', '.join(a.text for a in args)})", count)

    def results(self, call: str, count: int) -> tuple[Value, ...]:
        got = self.fresh("c")
        self.add(f"const dad_numbers_{count} {got} = {call};")
        return tuple(Value(self, f"{got}.x{k}", "f") for k in range(count))

    def inner(self, name: str, function: Kernel, arity: int, numbers: Mapping[str, int]) -> int:
        """A function of its own for what a kernel calls; how many numbers it gives."""
        made = _inner(name, function, arity, tuple(numbers.items()))
        self.pieces |= made[0]
        return made[1]

    def rarely(self, cond: Value, x: Value, usual: Sequence[Value], helper: str) -> list[Value]:
        assert helper == trigonometric.FAR
        self.pieces |= {f"numbers_{len(usual)}": numbers(len(usual)), helper: reduce_far()}
        return self.under(cond, usual, lambda: self.results(f"{helper}({x.text})", len(usual)))


@cache
def _inner(name: str, function: Kernel, arity: int, orders: tuple[tuple[str, int], ...]
           ) -> tuple[dict[str, str], int]:
    b = Writer()
    found = function(b, *(Value(b, f"x{k}", "f") for k in range(arity)), **dict(orders))
    values = found if isinstance(found, tuple) else (found,)
    kind = f"dad_numbers_{len(values)}"
    params = ", ".join(f"double x{k}" for k in range(arity))
    given = ", ".join(x.text for x in values)
    own = f"static __device__ __noinline__ {kind} {name}({params}) {{\n" + b.body(f"return {kind}{{{given}}};")
    return {**b.pieces, f"numbers_{len(values)}": numbers(len(values)), name: own}, len(values)


def numbers(count: int) -> str:
    """What a function with several results gives."""
    return f"struct dad_numbers_{count} {{ double {', '.join(f'x{k}' for k in range(count))}; }};\n"


# ------------------------------------------------------------------ operations


def _expression(text: str) -> str:
    """One instruction of LLVM on numbers as an expression of C."""
    if found := _SELECT.match(text):
        return f"{found[1]} ? {found[2]} : {found[3]}"
    if found := _BITCAST.match(text):
        return f"{'dad_bits' if found[3] == 'i64' else 'dad_number'}({found[2]})"
    if found := _NEGATION.match(text):
        return f"-{found[1]}"
    found = _OPERATION.match(text)
    assert found, text
    name, how, kind, x, y = found.groups()
    if how is not None:
        if how == "uno":
            return f"{x} != {x} || {y} != {y}" if x != y else f"{x} != {x}"
        return f"{x} {COMPARE[how if how in COMPARE else how[1:]]} {y}"
    if name == "fmul":
        return f"__dmul_rn({x}, {y})"
    if name in WRAPPING:
        return f"(long long)((unsigned long long){x} {WRAPPING[name]} {y})"
    if name == "sdiv":
        return f"{x} / {y}"
    joined = f"{x} {OPERATORS[name]} {y}"
    return f"({joined})" if kind == "i1" else joined


def literal(x: float, kind: str) -> str:
    """A constant.

    >>> literal(0.5, "f"), literal(float("nan"), "f"), literal(-3, "i")
    ('0.5', 'dad_number(0x7ff8000000000000ll)', '(-3ll)')
    """
    if kind == "m":
        return "true" if x else "false"
    if kind == "i":
        whole = int(x)
        return f"{whole}ll" if whole >= 0 else f"({whole}ll)"
    number = float(x)
    if isnan(number) or isinf(number):
        bits = bits_of(number)
        return f"dad_number(0x{bits:016x}ll)" if bits < 1 << 63 else f"(-dad_number(0x{bits - (1 << 63):016x}ll))"
    shown = repr(number)
    return f"({shown})" if shown.startswith("-") else shown


# ------------------------------------------------------------------ large angles


def reduce_far() -> str:
    """x = m 2**e: bits of 2/pi from the one that makes 2 of it, 192 of them, times m, are x 2/pi modulo 4."""
    table = ", ".join(str(byte) for byte in TWO_OVER_PI_BITS)
    high, low = (repr(v) for v in PI_2_PAIR)
    return f"""
__constant__ unsigned char dad_two_over_pi[{len(TWO_OVER_PI_BITS)}] = {{{table}}};
static __device__ __noinline__ dad_numbers_3 {trigonometric.FAR}(double x) {{
  const double bad = dad_number(0x7ff8000000000000ll);
  if (!(fabs(x) < dad_number(0x7ff0000000000000ll))) return dad_numbers_3{{bad, bad, 0.0}};
  const unsigned long long bits = (unsigned long long)dad_bits(x);
  const unsigned long long m = (bits & 0xfffffffffffffull) | 0x10000000000000ull;
  const long long e = (long long)(bits >> 52 & 2047) - 1075;
  const int from = 978 - e > 1200 ? 1200 : (int)(978 - e);
  unsigned int w[7], p[6] = {{0, 0, 0, 0, 0, 0}};
  for (int k = 0; k < 7; k++) {{
    const unsigned char *at = dad_two_over_pi + (from >> 3) + 4 * k;
    w[k] = (unsigned int)at[0] | (unsigned int)at[1] << 8 | (unsigned int)at[2] << 16 | (unsigned int)at[3] << 24;
  }}
  for (int k = 0, by = from & 7; k < 6; k++)
    w[k] = (unsigned int)(((unsigned long long)w[k + 1] << 32 | w[k]) >> by);
  for (int j = 0; j < 2; j++) {{
    unsigned long long carry = 0;
    const unsigned long long part = j ? m >> 32 : m & 0xffffffffull;
    for (int k = 0; k + j < 6; k++) {{
      carry += w[k] * part + p[k + j];
      p[k + j] = (unsigned int)carry;
      carry >>= 32;
    }}
  }}
  // p / 2**190 is the angle in quarters of a turn, modulo 4: the nearest whole number, and what is left
  const unsigned int top = p[5] + 0x20000000u;
  const long long q = top >> 30;
  p[5] = (p[5] - (top & 0xc0000000u));
  const bool below = p[5] >> 31;
  if (below) {{
    unsigned long long carry = 1;
    for (int k = 0; k < 6; k++) {{
      carry += (unsigned int)~p[k];
      p[k] = (unsigned int)carry;
      carry >>= 32;
    }}
  }}
  int zeros = 0;
  for (int k = 5; k >= 0 && !p[k]; k--) zeros += 32;
  if (zeros < 192) for (unsigned int v = p[5 - zeros / 32]; !(v >> 31); v <<= 1) zeros++;
  unsigned int left[4];
  for (int k = 0; k < 4; k++) {{
    const int at = 5 - k - zeros / 32, by = zeros & 31;
    const unsigned int here = at >= 0 ? p[at] : 0, next = at >= 1 ? p[at - 1] : 0;
    left[k] = by ? here << by | next >> (32 - by) : here;
  }}
  const unsigned long long first = (unsigned long long)left[0] << 32 | left[1];
  const unsigned long long second = (unsigned long long)left[2] << 32 | left[3];
  const double scale = dad_number((972 - (long long)zeros) << 52);
  const double h = __dmul_rn((double)(first >> 11), scale);
  const double rest53 = (double)((first << 42 | second >> 22) & 0x1fffffffffffffull);
  const double l = __dmul_rn(__dmul_rn(rest53, {2.0**-53!r}), scale);
  const double r0 = __dmul_rn(h, {high});
  const double lost = fma(h, {high}, -r0) + (__dmul_rn(h, {low}) + __dmul_rn(l, {high}));
  const double r = r0 + lost, rest = lost - (r - r0);
  const bool turn = below != (x < 0.0);
  return dad_numbers_3{{turn ? -r : r, turn ? -rest : rest, (double)(x < 0.0 ? -q : q)}};
}}
"""
