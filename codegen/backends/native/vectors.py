"""Elementwise primitives on vectors, as LLVM instructions: the operations of `scalars`, in each lane."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....lang.core import ir
from ..loops import tree
from ..loops.tree import Operand
from .kernels import table
from .scalars import COMPARE, FLOAT_OPS, INT_OPS, INTRINSICS, LLVM, SIZES, SUFFIX, number

if TYPE_CHECKING:
    from .llvm import FunctionWriter


class Elementwise(ABC):
    """Writes one primitive for `width` lanes."""

    def __init__(self, w: FunctionWriter, width: int) -> None:
        self.w, self.width = w, width

    @abstractmethod
    def vector(self, x: Operand) -> str:
        """A vector of its numbers."""

    def type(self, dtype: str) -> str:
        return f"<{self.width} x {LLVM[dtype]}>"

    def constant(self, text: str, dtype: str) -> str:
        return "<" + ", ".join([f"{LLVM[dtype]} {text}"] * self.width) + ">"

    def gathered(self, numbers: Sequence[str], t: str) -> str:
        made = "poison"
        for k, x in enumerate(numbers):
            made = self.w.line(f"insertelement <{self.width} x {t}> {made}, {t} {x}, i64 {k}")
        return made

    def joined(self, parts: list[str], wide: int, t: str) -> str:
        """Vectors one behind the other."""
        w = self.w
        if len(parts) == 1:
            return parts[0]
        if len(parts) & (len(parts) - 1):
            made = "poison"
            for k, part in enumerate(parts):
                for j in range(wide):
                    one = w.line(f"extractelement <{wide} x {t}> {part}, i64 {j}")
                    made = w.line(f"insertelement <{self.width} x {t}> {made}, {t} {one}, i64 {k * wide + j}")
            return made
        while len(parts) > 1:
            lanes = "<" + ", ".join(f"i32 {k}" for k in range(2 * wide)) + ">"
            parts = [w.line(f"shufflevector <{wide} x {t}> {x}, <{wide} x {t}> {y}, <{2 * wide} x i32> {lanes}")
                     for x, y in zip(parts[::2], parts[1::2], strict=True)]
            wide *= 2
        return parts[0]

    def intrinsic(self, name: str, d: str, *args: str) -> str:
        t = self.type(d)
        full = f"llvm.{name}.v{self.width}{SUFFIX[d]}"
        self.w.declare(full, f"declare {t} @{full}({', '.join([t] * len(args))})")
        return self.w.line(f"call {t} @{full}({', '.join(f'{t} {a}' for a in args)})")

    def floats(self, node: tree.Scalar) -> str | None:
        line, name, d = self.w.line, node.name, node.args[0].dtype
        m = f"<{self.width} x i1>"
        args = [self.vector(a) for a in node.args]
        t = self.type(d)
        x, y = args[0], args[-1]
        if name in COMPARE:
            return line(f"fcmp {COMPARE[name][0]} {t} {x}, {y}")
        if name in FLOAT_OPS:
            return line(f"{FLOAT_OPS[name]} {t} {x}, {y}")
        if name in INTRINSICS:
            return self.intrinsic(INTRINSICS[name], d, x)
        if name in table.PRIMITIVES:
            return self.kernel(table.named(name, dict(node.attrs)), d, args)

        def c(value: float) -> str:
            return self.constant(number(value, d), d)

        match name:
            case "neg":
                return line(f"fneg {t} {x}")
            case "scaled":
                zero = line(f"fcmp oeq {t} {x}, {c(0.0)}")
                product = line(f"fmul {t} {x}, {y}")
                return line(f"select {m} {zero}, {t} {x}, {t} {product}")
            case "max" | "min":
                wins = line(f"fcmp {'oge' if name == 'max' else 'ole'} {t} {x}, {y}")
                other = line(f"fcmp uno {t} {y}, {y}")
                return line(f"select {m} {line(f'or {m} {wins}, {other}')}, {t} {x}, {t} {y}")
            case "sign":
                positive = line(f"fcmp ogt {t} {x}, {c(0.0)}")
                negative = line(f"fcmp olt {t} {x}, {c(0.0)}")
                bad = line(f"fcmp uno {t} {x}, {x}")
                down = line(f"select {m} {negative}, {t} {c(-1.0)}, {t} {c(0.0)}")
                up = line(f"select {m} {positive}, {t} {c(1.0)}, {t} {down}")
                return line(f"select {m} {bad}, {t} {x}, {t} {up}")
            case "isnan":
                return line(f"fcmp uno {t} {x}, {x}")
            case "isinf":
                return line(f"fcmp oeq {t} {self.intrinsic('fabs', d, x)}, {c(float('inf'))}")
            case "copysign":
                return self.intrinsic("copysign", d, x, y)
            case "fma":
                return self.intrinsic("fma", d, *args)
            case "rsqrt":
                return line(f"fdiv {t} {c(1.0)}, {self.intrinsic('sqrt', d, x)}")
            case "cast" if node.out.dtype in ir.FLOATS and d != node.out.dtype:
                wide = SIZES[node.out.dtype] > SIZES[d]
                return line(f"{'fpext' if wide else 'fptrunc'} {t} {x} to {self.type(node.out.dtype)}")
            case "cast" if node.out.dtype == d:
                return x
        return None

    def others(self, node: tree.Scalar) -> str | None:
        """Of whole numbers and truth values."""
        line, name, d = self.w.line, node.name, node.args[0].dtype
        t, m = self.type(d), f"<{self.width} x i1>"
        unsigned = d[0] == "u" or d == "bool"
        if name == "select":
            of = self.type(node.out.dtype)
            c, x, y = (self.vector(a) for a in node.args)
            return line(f"select {m} {c}, {of} {x}, {of} {y}")
        if name not in COMPARE and name not in INT_OPS and name not in (
                "and", "or", "xor", "not", "neg", "bnot", "max", "min", "cast"):
            return None
        args = [self.vector(a) for a in node.args]
        x, y = args[0], args[-1]
        if name in COMPARE:
            kind = COMPARE[name][1]
            prefix = "" if kind in ("eq", "ne") else "u" if unsigned else "s"
            return line(f"icmp {prefix}{kind} {t} {x}, {y}")
        if name in INT_OPS:
            return line(f"{INT_OPS[name]} {t} {x}, {y}")
        match name:
            case "and" | "or" | "xor":
                return line(f"{name} {t} {x}, {y}")
            case "not":
                return line(f"xor {t} {x}, {self.constant('true', 'bool')}")
            case "neg":
                return line(f"sub {t} zeroinitializer, {x}")
            case "bnot":
                return line(f"xor {t} {x}, {self.constant('-1', d)}")
            case "max" | "min":
                first = line(f"icmp {'u' if unsigned else 's'}{'ge' if name == 'max' else 'le'} {t} {x}, {y}")
                return line(f"select {m} {first}, {t} {x}, {t} {y}")
            case _:
                return self.cast(x, d, node.out.dtype)

    def cast(self, x: str, d: str, out: str) -> str | None:
        line, t, to = self.w.line, self.type(d), self.type(out)
        if out == "f16":
            return None
        if t == to:
            return x
        if out in ir.FLOATS:
            return line(f"{'sitofp' if d in ir.SIGNED else 'uitofp'} {t} {x} to {to}")
        if out == "bool":
            return line(f"icmp ne {t} {x}, zeroinitializer")
        if d == "bool":
            return line(f"zext {t} {x} to {to}")
        if SIZES[out] < SIZES[d]:
            return line(f"trunc {t} {x} to {to}")
        return line(f"{'sext' if d in ir.SIGNED else 'zext'} {t} {x} to {to}")

    def kernel(self, name: str, d: str, args: Sequence[str]) -> str:
        """A function of our own, for as many numbers at a time as it takes."""
        return self.kernels(name, d, args, 1)[0]

    def kernels(self, name: str, d: str, args: Sequence[str], results: int) -> list[str]:
        """The same, of a function that gives so many numbers."""
        w, t = self.w, LLVM[d]
        what = table.Symbol(name, d, self.width if w.module.whole and self.width <= 8 else table.lanes(d))
        if self.width == 1 or what.lanes == 1:
            what = table.Symbol(name, d, 1)
        w.declare(str(what), what.declaration())

        def called(given: Sequence[str]) -> list[str]:
            made = w.line(f"call {what.result} @{what}({', '.join(f'{what.type} {x}' for x in given)})")
            return [made] if results == 1 else [w.line(f"extractvalue {what.result} {made}, {k}")
                                                for k in range(results)]

        if what.lanes == 1:
            each = [called([w.line(f"extractelement {self.type(d)} {a}, i64 {k}") for a in args])
                    for k in range(self.width)]
            return [self.gathered(numbers, t) for numbers in zip(*each, strict=True)]
        parts = []
        for start in range(0, self.width, what.lanes):
            if self.width == what.lanes:
                parts.append(called(args))
                continue
            lanes = [start + j if start + j < self.width else start for j in range(what.lanes)]
            order = "<" + ", ".join(f"i32 {k}" for k in lanes) + ">"
            parts.append(called([w.line(
                f"shufflevector {self.type(d)} {a}, {self.type(d)} poison, <{what.lanes} x i32> {order}")
                for a in args]))
        return [self.together(list(part), what, d) for part in zip(*parts, strict=True)]

    def together(self, parts: list[str], what: table.Symbol, d: str) -> str:
        """What a function gave, so many numbers at a time, as one vector."""
        w, t = self.w, LLVM[d]
        if self.width % what.lanes:
            made = "poison"
            for k in range(self.width):
                one = w.line(f"extractelement {what.type} {parts[k // what.lanes]}, i64 {k % what.lanes}")
                made = w.line(f"insertelement {self.type(d)} {made}, {t} {one}, i64 {k}")
            return made
        return self.joined(parts, what.lanes, t)
