"""Elementwise primitives on scalars, as LLVM instructions."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from ....lang.core import ir
from ....lang.core.ir import AttrValue
from ..loops import tree
from .kernels import table
from .kernels.table import Symbol

LLVM = {"f64": "double", "f32": "float", "f16": "half", "bool": "i1"} | {
    f"{s}{b}": f"i{b}" for s in "iu" for b in (8, 16, 32, 64)}
MEMORY = LLVM | {"bool": "i8"}
SUFFIX = {"f64": "f64", "f32": "f32", "f16": "f16"}
SIZES = {"f64": 8, "f32": 4, "f16": 2, "bool": 1} | {f"{s}{b}": b // 8 for s in "iu" for b in (8, 16, 32, 64)}
INTRINSICS = {"sqrt": "sqrt", "floor": "floor", "ceil": "ceil", "round": "rint", "trunc": "trunc", "abs": "fabs"}
FLOAT_OPS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
INT_OPS = {"add": "add", "sub": "sub", "mul": "mul", "band": "and", "bor": "or", "bxor": "xor"}
COMPARE = {"eq": ("oeq", "eq"), "ne": ("une", "ne"), "lt": ("olt", "lt"), "le": ("ole", "le"), "gt": ("ogt", "gt"),
           "ge": ("oge", "ge")}

IN_SINGLE = {*FLOAT_OPS, *INTRINSICS, *table.PRIMITIVES, "neg", "scaled", "max", "min", "sign", "isnan", "isinf",
             "copysign", "fma", "rsqrt", "rem", "mod", "ldexp"}
"""What single precision computes for half precision; the rest is called back as it is."""

Emit = Callable[[str], str]  # an instruction's text, without its name; gives the name


class Scalars:
    """Writes one primitive; `line` adds an instruction, `declared` collects what the module must declare."""

    def __init__(self, line: Emit, declare: Callable[[str, str], None], need: Callable[[str], None],
                 host: Callable[[str, tuple[tuple[str, AttrValue], ...], str, tuple[str, ...]], str]) -> None:
        self.line = line
        self.declare = declare
        self.need = need
        self.host = host

    def prim(self, name: str, out: str, dtypes: tuple[str, ...], args: tuple[str, ...],
             attrs: tuple[tuple[str, AttrValue], ...]) -> str:
        """The name of the result, of dtype `out`; `args` are LLVM values of `dtypes`."""
        d = dtypes[0]
        t = LLVM[d]
        line = self.line
        if name in COMPARE:
            ordered, kind = COMPARE[name]
            if d in ir.FLOATS:
                return line(f"fcmp {ordered} {t} {args[0]}, {args[1]}")
            unsigned = d[0] == "u" or d == "bool"
            prefix = "" if kind in ("eq", "ne") else "u" if unsigned else "s"
            return line(f"icmp {prefix}{kind} {t} {args[0]}, {args[1]}")
        if name == "select":
            t = LLVM[out]
            return line(f"select i1 {args[0]}, {t} {args[1]}, {t} {args[2]}")
        if name in ("and", "or", "xor"):
            return line(f"{name} i1 {args[0]}, {args[1]}")
        if name == "not":
            return line(f"xor i1 {args[0]}, true")
        if name == "cast":
            return self.cast(args[0], d, out)
        if name == "bitcast":
            return line(f"bitcast {t} {args[0]} to {LLVM[out]}")
        if d == "f16":
            return self.half(name, out, dtypes, args, attrs)
        return self.float(name, out, d, args, attrs) if d in ir.FLOATS else self.integer(name, out, d, args, attrs)

    # ------------------------------------------------------------ floats

    def half(self, name: str, out: str, dtypes: tuple[str, ...], args: tuple[str, ...],
             attrs: tuple[tuple[str, AttrValue], ...]) -> str:
        """Computed in single precision and rounded."""
        if name not in IN_SINGLE:
            return self.host(name, attrs, out, args)
        wide = tuple(self.line(f"fpext half {a} to float") if d == "f16" else a
                     for a, d in zip(args, dtypes, strict=True))
        result = self.prim(name, "f32" if out == "f16" else out,
                           tuple("f32" if d == "f16" else d for d in dtypes), wide, attrs)
        return self.line(f"fptrunc float {result} to half") if out == "f16" else result

    def intrinsic(self, name: str, d: str, *args: str) -> str:
        t = LLVM[d]
        full = f"llvm.{name}.{SUFFIX[d]}"
        self.declare(full, f"declare {t} @{full}({', '.join([t] * len(args))})")
        return self.call(full, t, *((t, a) for a in args))

    def libm(self, name: str, d: str, *args: str) -> str:
        return self.c_function(name, d, *((LLVM[d], a) for a in args))

    def c_function(self, name: str, d: str, *args: tuple[str, str]) -> str:
        """A function of C's library of mathematics; arguments are types and values."""
        t = LLVM[d]
        full = name + ("f" if d == "f32" else "")
        self.declare(full, f"declare {t} @{full}({', '.join(kind for kind, _ in args)}) nounwind memory(none)")
        return self.call(full, t, *args)

    def call(self, name: str, t: str, *args: tuple[str, str]) -> str:
        return self.line(f"call {t} @{name}({', '.join(f'{kind} {a}' for kind, a in args)})")

    def kernel(self, name: str, d: str, *args: str) -> str:
        """A function of our own, which other functions of vectors stand for in loops (see `kernels.table`)."""
        what = Symbol(name, d, 1)
        self.declare(str(what), what.declaration())
        return self.call(str(what), LLVM[d], *((LLVM[d], a) for a in args))

    def float(self, name: str, out: str, d: str, args: tuple[str, ...],
              attrs: tuple[tuple[str, AttrValue], ...]) -> str:
        t = LLVM[d]
        line = self.line
        x = args[0]
        y = args[1] if len(args) > 1 else ""
        if name in FLOAT_OPS:
            return line(f"{FLOAT_OPS[name]} {t} {x}, {y}")
        if name in INTRINSICS:
            return self.intrinsic(INTRINSICS[name], d, x)
        if name in table.PRIMITIVES:
            return self.kernel(table.named(name, dict(attrs)), d, *args)
        match name:
            case "neg":
                return line(f"fneg {t} {x}")
            case "scaled":
                zero = line(f"fcmp oeq {t} {x}, {number(0.0, d)}")
                product = line(f"fmul {t} {x}, {y}")
                return line(f"select i1 {zero}, {t} {x}, {t} {product}")
            case "max" | "min":
                wins = line(f"fcmp {'oge' if name == 'max' else 'ole'} {t} {x}, {y}")
                other = line(f"fcmp uno {t} {y}, {y}")
                first = line(f"or i1 {wins}, {other}")
                return line(f"select i1 {first}, {t} {x}, {t} {y}")
            case "sign":
                positive = line(f"fcmp ogt {t} {x}, {number(0.0, d)}")
                negative = line(f"fcmp olt {t} {x}, {number(0.0, d)}")
                bad = line(f"fcmp uno {t} {x}, {x}")
                down = line(f"select i1 {negative}, {t} {number(-1.0, d)}, {t} {number(0.0, d)}")
                up = line(f"select i1 {positive}, {t} {number(1.0, d)}, {t} {down}")
                return line(f"select i1 {bad}, {t} {x}, {t} {up}")
            case "isnan":
                return line(f"fcmp uno {t} {x}, {x}")
            case "isinf":
                size = self.intrinsic("fabs", d, x)
                return line(f"fcmp oeq {t} {size}, {number(float('inf'), d)}")
            case "copysign":
                return self.intrinsic("copysign", d, x, y)
            case "fma":
                return self.intrinsic("fma", d, *args)
            case "rsqrt":
                return line(f"fdiv {t} {number(1.0, d)}, {self.intrinsic('sqrt', d, x)}")
            case "rem":
                return self.libm("fmod", d, x, y)
            case "mod":
                return self.float_mod(d, x, y)
            case "nextafter":
                return self.libm("nextafter", d, x, y)
            case "ldexp":
                return self.c_function("ldexp", d, (LLVM[d], x), ("i32", y))
            case _:
                return self.host(name, attrs, out, args)

    def float_mod(self, d: str, x: str, y: str) -> str:
        t, line = LLVM[d], self.line
        zero = number(0.0, d)
        r = self.libm("fmod", d, x, y)
        some = line(f"fcmp une {t} {r}, {zero}")
        below = line(f"fcmp olt {t} {y}, {zero}")
        negative = line(f"fcmp olt {t} {r}, {zero}")
        differ = line(f"xor i1 {below}, {negative}")
        wrong = line(f"and i1 {some}, {differ}")
        moved = line(f"fadd {t} {r}, {y}")
        here = line(f"select i1 {wrong}, {t} {moved}, {t} {r}")
        signed = self.intrinsic("copysign", d, zero, y)
        return line(f"select i1 {some}, {t} {here}, {t} {signed}")

    # ------------------------------------------------------------ integers

    def integer(self, name: str, out: str, d: str, args: tuple[str, ...],
                attrs: tuple[tuple[str, AttrValue], ...]) -> str:
        t = LLVM[d]
        line = self.line
        x = args[0]
        y = args[1] if len(args) > 1 else ""
        unsigned = d[0] == "u"
        bits = SIZES[d] * 8
        if name in INT_OPS:
            return line(f"{INT_OPS[name]} {t} {x}, {y}")
        match name:
            case "neg":
                return line(f"sub {t} 0, {x}")
            case "bnot":
                return line(f"xor {t} {x}, -1")
            case "max" | "min":
                first = line(f"icmp {'u' if unsigned else 's'}{'ge' if name == 'max' else 'le'} {t} {x}, {y}")
                return line(f"select i1 {first}, {t} {x}, {t} {y}")
            case "abs":
                if unsigned:
                    return x
                negative = line(f"icmp slt {t} {x}, 0")
                return line(f"select i1 {negative}, {t} {line(f'sub {t} 0, {x}')}, {t} {x}")
            case "sign":
                positive = line(f"icmp {'ugt' if unsigned else 'sgt'} {t} {x}, 0")
                up = line(f"zext i1 {positive} to {t}")
                if unsigned:
                    return up
                negative = line(f"icmp slt {t} {x}, 0")
                return line(f"select i1 {negative}, {t} -1, {t} {up}")
            case "div" | "mod" | "rem" | "quot":
                return self.division(name, d, x, y)
            case "shl" | "shr" | "ushr":
                inside = line(f"icmp ult {t} {y}, {bits}")
                if name == "shr" and not unsigned:
                    safe = line(f"select i1 {inside}, {t} {y}, {t} {bits - 1}")
                    return line(f"ashr {t} {x}, {safe}")
                safe = line(f"select i1 {inside}, {t} {y}, {t} 0")
                shifted = line(f"{'shl' if name == 'shl' else 'lshr'} {t} {x}, {safe}")
                return line(f"select i1 {inside}, {t} {shifted}, {t} 0")
            case "popc" | "clz" | "ctz":
                full = f"llvm.{ {'popc': 'ctpop', 'clz': 'ctlz', 'ctz': 'cttz'}[name] }.{t}"
                more = "" if name == "popc" else ", i1 false"
                self.declare(full, f"declare {t} @{full}({t}{', i1' if more else ''})")
                count = line(f"call {t} @{full}({t} {x}{more})")
                if bits == 32:
                    return count
                return line(f"{'trunc' if bits == 64 else 'zext'} {t} {count} to i32")
            case "mul_hi":
                wide = f"i{2 * bits}"
                product = line(f"mul {wide} {line(f'zext {t} {x} to {wide}')}, {line(f'zext {t} {y} to {wide}')}")
                return line(f"trunc {wide} {line(f'lshr {wide} {product}, {bits}')} to {t}")
            case "pow":
                self.need(f"pow_{d}")
                return line(f"call {t} @pow_{d}({t} {x}, {t} {y})")
            case _:
                return self.host(name, attrs, out, args)

    def division(self, name: str, d: str, x: str, y: str) -> str:
        """0 where the divisor is 0; -1 divides by negation, which wraps."""
        t, line = LLVM[d], self.line
        none = line(f"icmp eq {t} {y}, 0")
        if d[0] == "u":
            safe = line(f"select i1 {none}, {t} 1, {t} {y}")
            result = line(f"{'udiv' if name in ('div', 'quot') else 'urem'} {t} {x}, {safe}")
            return line(f"select i1 {none}, {t} 0, {t} {result}")
        minus = line(f"icmp eq {t} {y}, -1")
        special = line(f"or i1 {none}, {minus}")
        safe = line(f"select i1 {special}, {t} 1, {t} {y}")
        q, r = line(f"sdiv {t} {x}, {safe}"), line(f"srem {t} {x}, {safe}")
        if name in ("div", "mod"):
            some = line(f"icmp ne {t} {r}, 0")
            differ = line(f"icmp slt {t} {line(f'xor {t} {r}, {safe}')}, 0")
            wrong = line(f"and i1 {some}, {differ}")
            q = line(f"sub {t} {q}, {line(f'zext i1 {wrong} to {t}')}")
            r = line(f"select i1 {wrong}, {t} {line(f'add {t} {r}, {safe}')}, {t} {r}")
        if name in ("mod", "rem"):
            return line(f"select i1 {special}, {t} 0, {t} {r}")
        negated = line(f"select i1 {minus}, {t} {line(f'sub {t} 0, {x}')}, {t} {q}")
        return line(f"select i1 {none}, {t} 0, {t} {negated}")

    # ------------------------------------------------------------ conversions

    def cast(self, x: str, d: str, out: str) -> str:
        t, to, line = LLVM[d], LLVM[out], self.line
        if d == out:
            return x
        if d in ir.FLOATS:
            if out == "f16" and d == "f64":
                return self.half_of_double(x)
            if out == "f64" and d == "f16":
                x, t = line(f"fpext half {x} to float"), "float"
            if out in ir.FLOATS:
                wide = SIZES[out] > SIZES[d]
                return line(f"{'fpext' if wide else 'fptrunc'} {t} {x} to {to}")
            if out == "bool":
                return line(f"fcmp une {t} {x}, {number(0.0, d)}")
            if d != "f64":
                x = self.cast(x, d, "f64")
            size = self.intrinsic("fabs", "f64", x)
            finite = line(f"fcmp one double {size}, {number(float('inf'), 'f64')}")
            x = line(f"select i1 {finite}, double {x}, double 0.0")
            kind = "u" if out == "u64" else "s"
            full = f"llvm.fpto{kind}i.sat.i64.f64"
            self.declare(full, f"declare i64 @{full}(double)")
            whole = line(f"call i64 @{full}(double {x})")
            if out == "u64":
                signed = "llvm.fptosi.sat.i64.f64"
                self.declare(signed, f"declare i64 @{signed}(double)")
                low = line(f"call i64 @{signed}(double {x})")
                negative = line(f"fcmp olt double {x}, 0.0")
                return line(f"select i1 {negative}, i64 {low}, i64 {whole}")
            return whole if to == "i64" else line(f"trunc i64 {whole} to {to}")
        if out == "f16":
            return line(f"fptrunc float {self.cast(x, d, 'f32')} to half")
        if out in ir.FLOATS:
            return line(f"{'sitofp' if d in ir.SIGNED else 'uitofp'} {t} {x} to {to}")
        if out == "bool":
            return line(f"icmp ne {t} {x}, 0")
        if d == "bool":
            return line(f"zext i1 {x} to {to}")
        if t == to:
            return x
        if SIZES[out] < SIZES[d]:
            return line(f"trunc {t} {x} to {to}")
        return line(f"{'sext' if d in ir.SIGNED else 'zext'} {t} {x} to {to}")


    def half_of_double(self, x: str) -> str:
        """Rounded once: to single precision with an odd last bit where that is not exact, then to half."""
        line = self.line
        near = line(f"fptrunc double {x} to float")
        back = line(f"fpext float {near} to double")
        inexact = line(f"fcmp one double {back}, {x}")
        size, given = self.intrinsic("fabs", "f64", back), self.intrinsic("fabs", "f64", x)
        beyond = line(f"fcmp ogt double {size}, {given}")
        bits = line(f"bitcast float {near} to i32")
        even = line(f"xor i1 {line(f'trunc i32 {bits} to i1')}, true")
        step = line(f"select i1 {beyond}, i32 -1, i32 1")
        wrong = line(f"and i1 {inexact}, {even}")
        odd = line(f"add i32 {bits}, {line(f'select i1 {wrong}, i32 {step}, i32 0')}")
        return line(f"fptrunc float {line(f'bitcast i32 {odd} to float')} to half")


def number(value: int | float | bool, dtype: str) -> str:
    """A constant as LLVM writes it."""
    import struct

    if dtype == "bool":
        return "true" if value else "false"
    if dtype not in ir.FLOATS:
        bits = SIZES[dtype] * 8
        return str((int(value) + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1))
    if dtype == "f16":
        return "0xH" + struct.pack(">e", half(value)).hex().upper()
    if dtype == "f32":
        value = struct.unpack(">f", single(value))[0]
    return "0x" + struct.pack(">d", value).hex().upper()


def single(value: float) -> bytes:
    import struct

    try:
        return struct.pack(">f", value)
    except OverflowError:
        return struct.pack(">f", float("inf") if value > 0 else float("-inf"))


def half(value: float) -> float:
    import struct

    try:
        struct.pack(">e", value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return value


def called_back(node: tree.Scalar) -> bool:
    """Whether the host runs this primitive."""
    return _called_back(node.name, node.out.dtype, tuple(a.dtype for a in node.args), node.attrs)


@cache
def _called_back(name: str, out: str, dtypes: tuple[str, ...], attrs: tuple[Any, ...]) -> bool:
    seen: list[str] = []

    def host(called: str, *_: Any) -> str:
        seen.append(called)
        return "%h"

    Scalars(lambda _: "%v", lambda *_: None, lambda _: None, host).prim(
        name, out, dtypes, tuple("%x" for _ in dtypes), attrs)
    return bool(seen)
