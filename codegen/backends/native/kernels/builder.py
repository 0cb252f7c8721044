"""Writes a kernel once, as LLVM assembly for any number of lanes.

A kernel is a Python function of a `Builder` and of `Value`s: numbers (doubles), whole numbers (64 bits) or conditions,
one to a lane. For one lane the types are `double`, `i64` and `i1`, for more they are vectors of these. Each operation
is the same IEEE operation in every lane, whatever the number of lanes, so the bits of a result depend on the arguments
alone.

`mad` is a fused multiply-add where the CPU has one; where the error of a product is needed it comes from there, or from
Dekker's splitting (Dekker, A Floating-Point Technique for Extending the Available Precision, 1971).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

Pair = tuple["Value", "Value"]
"""A number as an unevaluated sum: the first is the sum, rounded."""

MAGIC = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to a whole number
SPLIT = 134217729.0  # 2**27 + 1
LETTER = {"f": "double", "i": "i64", "m": "i1"}


class Value:
    """One number, whole number or condition to each lane; `kind` is `f`, `i` or `m`."""

    __slots__ = ("b", "kind", "text")

    def __init__(self, b: Builder, text: str, kind: str) -> None:
        self.b, self.text, self.kind = b, text, kind

    def _with(self, floats: str, whole: str, other: Value | float) -> Value:
        y = self.b.value(other, self.kind)
        return self.b.op(f"{floats if self.kind == 'f' else whole} {self.b.type(self.kind)} {self.text}, {y.text}",
                         self.kind)

    def __add__(self, other: Value | float) -> Value:
        return self._with("fadd", "add", other)

    def __sub__(self, other: Value | float) -> Value:
        return self._with("fsub", "sub", other)

    def __mul__(self, other: Value | float) -> Value:
        return self._with("fmul", "mul", other)

    def __truediv__(self, other: Value | float) -> Value:
        return self._with("fdiv", "sdiv", other)

    def __and__(self, other: Value | int) -> Value:
        return self._with("and", "and", other)

    def __or__(self, other: Value | int) -> Value:
        return self._with("or", "or", other)

    def __xor__(self, other: Value | int) -> Value:
        return self._with("xor", "xor", other)

    def __lshift__(self, by: int) -> Value:
        return self._with("shl", "shl", by)

    def __rshift__(self, by: int) -> Value:
        """Zeros come in."""
        return self._with("lshr", "lshr", by)

    def __neg__(self) -> Value:
        return self.b.op(f"fneg {self.b.type('f')} {self.text}", "f")

    def __lt__(self, other: Value | float) -> Value:
        return self.b.compare("olt", self, other)

    def __le__(self, other: Value | float) -> Value:
        return self.b.compare("ole", self, other)

    def __gt__(self, other: Value | float) -> Value:
        return self.b.compare("ogt", self, other)

    def __ge__(self, other: Value | float) -> Value:
        return self.b.compare("oge", self, other)

    def equals(self, other: Value | float) -> Value:
        return self.b.compare("oeq", self, other)

    def differs(self, other: Value | float) -> Value:
        return self.b.compare("une", self, other)

    def bits(self) -> Value:
        return self.b.op(f"bitcast {self.b.type('f')} {self.text} to {self.b.type('i')}", "i")

    def number(self) -> Value:
        """The number that has these bits."""
        return self.b.op(f"bitcast {self.b.type('i')} {self.text} to {self.b.type('f')}", "f")


class Builder:
    def __init__(self, lanes: int, fma: bool) -> None:
        self.lanes, self.fma = lanes, fma
        self.lines: list[str] = []
        self.declared: set[str] = set()
        self.helpers: set[str] = set()
        self.functions: dict[str, tuple[str, int]] = {}
        """Texts of what `call` calls, and how many results they have."""
        self.count = 0
        self.label = "entry"

    # ------------------------------------------------------------ text

    def type(self, kind: str) -> str:
        return LETTER[kind] if self.lanes == 1 else f"<{self.lanes} x {LETTER[kind]}>"

    def op(self, text: str, kind: str) -> Value:
        return Value(self, self.line(text), kind)

    def line(self, text: str) -> str:
        self.count += 1
        self.lines.append(f"  %v{self.count} = {text}")
        return f"%v{self.count}"

    def value(self, x: Value | float, kind: str = "f") -> Value:
        """A constant in every lane, unless it is a value already."""
        if isinstance(x, Value):
            return x
        one = hexadecimal(x) if kind == "f" else str(int(x)) if kind == "i" else ("true" if x else "false")
        return Value(self, one if self.lanes == 1 else f"splat ({LETTER[kind]} {one})", kind)

    def intrinsic(self, name: str, *args: Value) -> Value:
        suffix = "f64" if self.lanes == 1 else f"v{self.lanes}f64"
        t = self.type("f")
        self.declared.add(f"declare {t} @llvm.{name}.{suffix}({', '.join([t] * len(args))})")
        return self.op(f"call {t} @llvm.{name}.{suffix}({', '.join(f'{t} {a.text}' for a in args)})", "f")

    def compare(self, how: str, x: Value, y: Value | float) -> Value:
        other = self.value(y, x.kind)
        if x.kind == "f":
            return self.op(f"fcmp {how} {self.type('f')} {x.text}, {other.text}", "m")
        how = {"oeq": "eq", "une": "ne"}.get(how, "s" + how[1:])
        return self.op(f"icmp {how} {self.type('i')} {x.text}, {other.text}", "m")

    # ------------------------------------------------------------ single operations

    def where(self, cond: Value, x: Value | float, y: Value | float) -> Value:
        kind = x.kind if isinstance(x, Value) else y.kind if isinstance(y, Value) else "f"
        t = self.type(kind)
        return self.op(f"select {self.type('m')} {cond.text}, {t} {self.value(x, kind).text}, "
                       f"{t} {self.value(y, kind).text}", kind)

    def both(self, x: Value, y: Value) -> Value:
        return self.op(f"and {self.type('m')} {x.text}, {y.text}", "m")

    def either(self, x: Value, y: Value) -> Value:
        return self.op(f"or {self.type('m')} {x.text}, {y.text}", "m")

    def opposite(self, x: Value) -> Value:
        return self.op(f"xor {self.type('m')} {x.text}, {self.value(1, 'm').text}", "m")

    def nan(self, x: Value) -> Value:
        return self.op(f"fcmp uno {self.type('f')} {x.text}, {x.text}", "m")

    def abs(self, x: Value) -> Value:
        return self.intrinsic("fabs", x)

    def sqrt(self, x: Value) -> Value:
        return self.intrinsic("sqrt", x)

    def copysign(self, size: Value | float, sign: Value) -> Value:
        return self.intrinsic("copysign", self.value(size), sign)

    def mad(self, x: Value, y: Value | float, z: Value | float) -> Value:
        """`x * y + z`, with one rounding or two."""
        if not self.fma:
            return x * y + z
        return self.intrinsic("fma", x, self.value(y), self.value(z))

    def less_product(self, z: Value | float, x: Value, y: Value | float) -> Value:
        """`z - x * y`, with one rounding or two."""
        return self.mad(-x, y, z)

    def rounded(self, x: Value) -> Pair:
        """The nearest whole number, for |x| < 2**51: as a number, and as a 64-bit whole number."""
        moved = x + MAGIC
        return moved - MAGIC, moved.bits() - bits_of(MAGIC)

    def small_whole(self, n: Value) -> Value:
        """The number of a whole number from 0 below 2**52."""
        return (n | bits_of(4503599627370496.0)).number() - 4503599627370496.0

    def power_of_two(self, n: Value) -> Value:
        """2**n for whole numbers from -1022 to 1023."""
        return ((n + 1023) << 52).number()

    def scaled(self, x: Value, n: Value) -> Value:
        """`x * 2**n` with one rounding, for 1/4 <= |x| <= 4 and n from -2044 to 2044."""
        half = ((n + 4096) >> 1) - 2048
        return x * self.power_of_two(half) * self.power_of_two(n - half)

    # ------------------------------------------------------------ polynomials

    def poly(self, x: Value, coefficients: Sequence[float], square: Value | None = None) -> Value:
        """The polynomial with these coefficients, constant first: even and odd powers apart, which halves the wait."""
        if len(coefficients) < 5:
            return self.horner(x, coefficients)
        square = square if square is not None else x * x
        return self.mad(self.horner(square, coefficients[1::2]), x, self.horner(square, coefficients[::2]))

    def horner(self, x: Value, coefficients: Sequence[float]) -> Value:
        total = self.value(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            total = self.mad(total, x, c)
        return total

    # ------------------------------------------------------------ sums of two numbers

    def two_sum(self, x: Value, y: Value | float) -> Pair:
        """Knuth, The Art of Computer Programming 2, section 4.2.2."""
        y = self.value(y)
        s = x + y
        back = s - x
        return s, (x - (s - back)) + (y - back)

    def fast_two_sum(self, x: Value | float, y: Value) -> Pair:
        """For |x| >= |y|."""
        x = self.value(x)
        s = x + y
        return s, y - (s - x)

    def two_product(self, x: Value, y: Value | float) -> Pair:
        y = self.value(y)
        p = x * y
        if self.fma:
            return p, self.intrinsic("fma", x, y, -p)
        (xh, xl), (yh, yl) = self.halves(x), self.halves(y)
        return p, ((xh * yh - p) + xh * yl + xl * yh) + xl * yl

    def halves(self, x: Value) -> Pair:
        t = x * SPLIT
        high = t - (t - x)
        return high, x - high

    def remainder(self, n: Value, q: Value, d: Value) -> Value:
        """`n - q * d`, exact when q is n / d rounded."""
        if self.fma:
            return self.intrinsic("fma", -q, d, n)
        p, e = self.two_product(q, d)
        return (n - p) - e

    def quotient(self, n: Pair, d: Pair) -> Pair:
        """n / d to about twice the precision; one division."""
        inverse = self.value(1.0) / d[0]
        q = n[0] * inverse
        rest = self.remainder(n[0], q, d[0]) + (n[1] - q * d[1])
        return q, rest * inverse

    def product(self, x: Pair, y: Pair) -> Pair:
        p, e = self.two_product(x[0], y[0])
        return self.fast_two_sum(p, e + (x[0] * y[1] + x[1] * y[0]))

    # ------------------------------------------------------------ control

    def any(self, cond: Value) -> str:
        """Whether it holds in one lane at least."""
        if self.lanes == 1:
            return cond.text
        mask = self.line(f"bitcast {self.type('m')} {cond.text} to i{self.lanes}")
        return self.line(f"icmp ne i{self.lanes} {mask}, 0")

    def begin(self, label: str) -> None:
        self.lines.append(f"{label}:")
        self.label = label

    def when(self, cond: Value, usual: Sequence[Value], compute: Callable[[], Sequence[Value]]) -> list[Value]:
        """`usual`, but where `cond` what `compute` gives; it runs only if there is such a lane."""
        some = self.any(cond)
        self.count += 1
        before, then, join = self.label, f"then{self.count}", f"join{self.count}"
        self.lines.append(f"  br i1 {some}, label %{then}, label %{join}")
        self.begin(then)
        chosen = [self.where(cond, x, y) for x, y in zip(compute(), usual, strict=True)]
        end = self.label
        self.lines.append(f"  br label %{join}")
        self.begin(join)
        return [self.op(f"phi {self.type(y.kind)} [{y.text}, %{before}], [{x.text}, %{end}]", y.kind)
                for x, y in zip(chosen, usual, strict=True)]

    def loop(self, start: Sequence[Value], going: Callable[..., Value], step: Callable[..., Sequence[Value]]
             ) -> list[Value]:
        """In each lane, `step` of the state as long as it is `going`. The state must get there in every lane."""
        self.count += 1
        before, head, body, done = self.label, *(f"{name}{self.count}" for name in ("head", "body", "done"))
        self.lines.append(f"  br label %{head}")
        self.begin(head)
        patch = len(self.lines)
        self.lines += [""] * len(start)
        state = []
        for x in start:
            self.count += 1
            state.append(Value(self, f"%s{self.count}", x.kind))
        cond = going(*state)
        self.lines.append(f"  br i1 {self.any(cond)}, label %{body}, label %{done}")
        self.begin(body)
        after = [self.where(cond, x, y) for x, y in zip(step(*state), state, strict=True)]
        latch = self.label
        self.lines.append(f"  br label %{head}")
        for k, (x, y, z) in enumerate(zip(state, start, after, strict=True)):
            self.lines[patch + k] = (f"  {x.text} = phi {self.type(x.kind)} [{y.text}, %{before}], "
                                     f"[{z.text}, %{latch}]")
        self.begin(done)
        return state

    def call(self, function: Kernel, *args: Value, **numbers: int) -> tuple[Value, ...]:
        """What a function of numbers gives, as code of its own: once in a module, however often it is called."""
        name = "_".join(["in", function.__name__, *map(str, numbers.values()), str(self.lanes)])
        t = self.type("f")
        if name not in self.functions:
            inner = Builder(self.lanes, self.fma)
            params = [Value(inner, f"%x{k}", "f") for k in range(len(args))]
            found = function(inner, *params, **numbers)
            values = found if isinstance(found, tuple) else (found,)
            kind = "{" + ", ".join([t] * len(values)) + "}"
            result = "undef"
            for k, value in enumerate(values):
                result = inner.line(f"insertvalue {kind} {result}, {t} {value.text}, {k}")
            head = f"define internal {kind} @{name}({', '.join(f'{t} {p.text}' for p in params)}) nounwind noinline {{"
            text = "\n".join([head, "entry:", *inner.lines, f"  ret {kind} {result}", "}", ""])
            self.declared |= inner.declared
            self.helpers |= inner.helpers
            self.functions |= inner.functions
            self.functions[name] = text, len(values)
        count = self.functions[name][1]
        kind = "{" + ", ".join([t] * count) + "}"
        got = self.line(f"call {kind} @{name}({', '.join(f'{t} {x.text}' for x in args)})")
        return tuple(self.op(f"extractvalue {kind} {got}, {k}", "f") for k in range(count))

    # ------------------------------------------------------------ the rare case

    def rarely(self, cond: Value, x: Value, usual: Sequence[Value], helper: str) -> list[Value]:
        """`usual`, but where `cond` what function `helper` of one number gives for `x`, lane by lane."""
        self.helpers.add(helper)
        results = "{" + ", ".join(["double"] * len(usual)) + "}"
        if self.lanes == 1:
            some = cond.text
        else:
            mask = self.line(f"bitcast {self.type('m')} {cond.text} to i{self.lanes}")
            some = self.line(f"icmp ne i{self.lanes} {mask}, 0")
        self.count += 1
        before, rare, join = self.label, f"rare{self.count}", f"join{self.count}"
        self.lines += [f"  br i1 {some}, label %{rare}, label %{join}, !prof !0", f"{rare}:"]
        changed = [v.text for v in usual]
        t = self.type("f")
        for lane in range(self.lanes):
            one = x.text if self.lanes == 1 else self.line(f"extractelement {t} {x.text}, i64 {lane}")
            got = self.line(f"call {results} @{helper}(double {one})")
            for k in range(len(usual)):
                part = self.line(f"extractvalue {results} {got}, {k}")
                changed[k] = part if self.lanes == 1 else self.line(
                    f"insertelement {t} {changed[k]}, double {part}, i64 {lane}")
        changed = [self.line(f"select {self.type('m')} {cond.text}, {t} {c}, {t} {u.text}")
                   for c, u in zip(changed, usual, strict=True)]
        self.lines += [f"  br label %{join}", f"{join}:"]
        self.label = join
        return [self.op(f"phi {t} [{u.text}, %{before}], [{c}, %{rare}]", "f")
                for c, u in zip(changed, usual, strict=True)]


Kernel = Callable[..., Value | tuple[Value, ...]]


def hexadecimal(x: float) -> str:
    return f"0x{bits_of(x):016X}"


def bits_of(x: float) -> int:
    return int.from_bytes(struct.pack(">d", x), "big")
