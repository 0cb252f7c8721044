"""Random sums of geometric constraint terms: one text of Dad, and the same expression for peers.

A kind is a Python function over numbers of any sort, which it gets from a module of functions `m`: written once, it is
Dad's text (`Words`), CasADi's or JAX's expression, or the graph of operations from which straight-line C with its
gradient is written. `Program(size, seed)` is a sum of terms until there are `size` operations, over 50 inputs.
"""
from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

INPUTS = 50
FUNCTIONS = ("sqrt", "sin", "cos", "exp", "log", "atan2", "tanh")


# ------------------------------------------------------------------ kinds: coordinates first, then constants


def _between(m: Any, ax: Any, ay: Any, bx: Any, by: Any) -> Any:
    return m.sqrt((ax - bx) * (ax - bx) + (ay - by) * (ay - by))


def distance(m: Any, ax: Any, ay: Any, bx: Any, by: Any, d: Any) -> Any:
    e = m.let("e", _between(m, ax, ay, bx, by) - d)
    return e * e


def squared_distance(m: Any, ax: Any, ay: Any, bx: Any, by: Any, d: Any) -> Any:
    e = m.let("e", (ax - bx) * (ax - bx) + (ay - by) * (ay - by) - d * d)
    return e * e


def angle(m: Any, ax: Any, ay: Any, bx: Any, by: Any, cx: Any, cy: Any, turn: Any) -> Any:
    ux, uy = m.let("ux", ax - bx), m.let("uy", ay - by)
    vx, vy = m.let("vx", cx - bx), m.let("vy", cy - by)
    e = m.let("e", m.atan2(ux * vy - uy * vx, ux * vx + uy * vy) - turn)
    return e * e


def cosine(m: Any, ax: Any, ay: Any, bx: Any, by: Any, cx: Any, cy: Any, c: Any) -> Any:
    ux, uy = m.let("ux", ax - bx), m.let("uy", ay - by)
    vx, vy = m.let("vx", cx - bx), m.let("vy", cy - by)
    e = m.let("e", (ux * vx + uy * vy) / m.sqrt((ux * ux + uy * uy) * (vx * vx + vy * vy)) - c)
    return e * e


def collinear(m: Any, ax: Any, ay: Any, bx: Any, by: Any, cx: Any, cy: Any, w: Any) -> Any:
    e = m.let("e", (bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
    return w * e * e


def perpendicular(m: Any, ax: Any, ay: Any, bx: Any, by: Any, cx: Any, cy: Any, dx: Any, dy: Any, w: Any) -> Any:
    e = m.let("e", (bx - ax) * (dx - cx) + (by - ay) * (dy - cy))
    return w * e * e


def parallel(m: Any, ax: Any, ay: Any, bx: Any, by: Any, cx: Any, cy: Any, dx: Any, dy: Any, w: Any) -> Any:
    e = m.let("e", (bx - ax) * (dy - cy) - (by - ay) * (dx - cx))
    return w * e * e


def midpoint(m: Any, ax: Any, ay: Any, bx: Any, by: Any, cx: Any, cy: Any, w: Any) -> Any:
    ex, ey = m.let("ex", (ax + bx) * 0.5 - cx), m.let("ey", (ay + by) * 0.5 - cy)
    return w * (ex * ex + ey * ey)


def on_circle(m: Any, px: Any, py: Any, cx: Any, cy: Any, r: Any, w: Any) -> Any:
    e = m.let("e", _between(m, px, py, cx, cy) - r)
    return w * e * e


def from_line(m: Any, px: Any, py: Any, ax: Any, ay: Any, bx: Any, by: Any, h: Any) -> Any:
    dx, dy = m.let("dx", bx - ax), m.let("dy", by - ay)
    e = m.let("e", (dx * (py - ay) - dy * (px - ax)) / m.sqrt(dx * dx + dy * dy) - h)
    return e * e


def tangent(m: Any, cx: Any, cy: Any, ax: Any, ay: Any, bx: Any, by: Any, r: Any) -> Any:
    dx, dy = m.let("dx", bx - ax), m.let("dy", by - ay)
    away = m.let("away", (dx * (cy - ay) - dy * (cx - ax)) / m.sqrt(dx * dx + dy * dy))
    e = m.let("e", away * away - r * r)
    return e * e


def equal_lengths(m: Any, ax: Any, ay: Any, bx: Any, by: Any, cx: Any, cy: Any, dx: Any, dy: Any, w: Any) -> Any:
    e = m.let("e", _between(m, ax, ay, bx, by) - _between(m, cx, cy, dx, dy))
    return w * e * e


def area(m: Any, ax: Any, ay: Any, bx: Any, by: Any, cx: Any, cy: Any, s: Any) -> Any:
    e = m.let("e", ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)) * 0.5 - s)
    return e * e


def level(m: Any, ay: Any, by: Any, w: Any) -> Any:
    e = m.let("e", ay - by)
    return w * e * e


def offset(m: Any, ax: Any, bx: Any, d: Any, w: Any) -> Any:
    e = m.let("e", bx - ax - d)
    return w * e * e


def coincident(m: Any, ax: Any, ay: Any, bx: Any, by: Any, w: Any) -> Any:
    return w * (1.0 - m.exp(-((ax - bx) * (ax - bx) + (ay - by) * (ay - by))))


def apart(m: Any, ax: Any, ay: Any, bx: Any, by: Any, s: Any) -> Any:
    near = m.let("near", s / ((ax - bx) * (ax - bx) + (ay - by) * (ay - by) + 0.1))
    cubed = m.let("cubed", near * near * near)
    return cubed * cubed - cubed


def robust(m: Any, ax: Any, ay: Any, bx: Any, by: Any, d: Any) -> Any:
    e = m.let("e", _between(m, ax, ay, bx, by) - d)
    return m.sqrt(1.0 + e * e) - 1.0


def direction(m: Any, ax: Any, ay: Any, bx: Any, by: Any, turn: Any) -> Any:
    return 1.0 - m.cos(m.atan2(by - ay, bx - ax) - turn)


def ratio(m: Any, ax: Any, ay: Any, bx: Any, by: Any, cx: Any, cy: Any, dx: Any, dy: Any, k: Any) -> Any:
    e = m.let("e", m.log(_between(m, ax, ay, bx, by) / _between(m, cx, cy, dx, dy)) - k)
    return e * e


def ellipse(m: Any, px: Any, py: Any, cx: Any, cy: Any, a: Any, b: Any) -> Any:
    u, v = m.let("u", (px - cx) / a), m.let("v", (py - cy) / b)
    e = m.let("e", u * u + v * v - 1.0)
    return e * e


def volume(m: Any, ax: Any, ay: Any, az: Any, bx: Any, by: Any, bz: Any, cx: Any, cy: Any, cz: Any, v: Any) -> Any:
    e = m.let("e", ax * (by * cz - bz * cy) - ay * (bx * cz - bz * cx) + az * (bx * cy - by * cx) - v)
    return e * e


def soft_stop(m: Any, a: Any, b: Any, k: Any, w: Any) -> Any:
    return w * m.log(1.0 + m.exp(k * (a - b)))


def wave(m: Any, ax: Any, ay: Any, bx: Any, by: Any, k: Any) -> Any:
    return m.sin(k * (ax - bx)) * m.tanh(ay * by)


KINDS: tuple[Callable[..., Any], ...] = (
    distance, squared_distance, angle, cosine, collinear, perpendicular, parallel, midpoint, on_circle, from_line,
    tangent, equal_lengths, area, level, offset, coincident, apart, robust, direction, ratio, ellipse, volume,
    soft_stop, wave)


def names_of(kind: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """Names of the coordinates and of the constants of a kind."""
    names = list(kind.__code__.co_varnames[1:kind.__code__.co_argcount])
    count = 1 if kind not in (offset, on_circle, ellipse, soft_stop) else 2
    return names[:-count], names[-count:]


# ------------------------------------------------------------------ Dad's text


class Word:
    """An expression in Dad."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __neg__(self) -> Word:
        return Word(f"(-{self.text})")


def _operator(symbol: str, turned: bool = False) -> Callable[[Any, Any], Word]:
    def write(x: Any, y: Any) -> Word:
        x, y = (y, x) if turned else (x, y)
        return Word(f"({word(x)} {symbol} {word(y)})")

    return write


def word(x: Any) -> str:
    return x.text if isinstance(x, Word) else repr(float(x))


for _name, _symbol in (("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/")):
    setattr(Word, f"__{_name}__", _operator(_symbol))
    setattr(Word, f"__r{_name}__", _operator(_symbol, True))


class Words:
    """The functions that kinds use, as words of Dad; `let` gives names."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def let(self, name: str, value: Word) -> Word:
        self.lines.append(f"  let {name} = {bare(value.text)}")
        return Word(name)

    def __getattr__(self, name: str) -> Any:
        return lambda *xs: Word(f"({name} {' '.join(map(word, xs))})")


def bare(text: str) -> str:
    """Without parentheses around the whole."""
    if not text.startswith("("):
        return text
    depth = 0
    for k, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if depth == 0:
            return text[1:-1] if k == len(text) - 1 else text
    return text


def definition(kind: Callable[..., Any]) -> str:
    """The kind in Dad."""
    names = [n for part in names_of(kind) for n in part]
    words = Words()
    result = kind(words, *map(Word, names))
    head = f"def {kind.__name__} {' '.join(f'({n}: f64)' for n in names)} : f64 ="
    last = ("  in " if words.lines else "  ") + bare(result.text)
    return "\n".join([head, *words.lines, last])


# ------------------------------------------------------------------ programs


@dataclass(frozen=True)
class Term:
    kind: Callable[..., Any]
    inputs: tuple[int, ...]
    constants: tuple[float, ...]

    @property
    def line(self) -> str:
        """In Dad."""
        shown = " ".join([*(f"x[{k}]" for k in self.inputs),
                          *(f"({c})" if c < 0 else str(c) for c in self.constants)])
        return f"{self.kind.__name__} {shown}"


def term(random: Random) -> Term:
    kind = random.choice(KINDS)
    coordinates, constants = names_of(kind)
    places = random.sample(range(INPUTS), len(coordinates))
    return Term(kind, tuple(places), tuple(round(random.uniform(0.5, 2.0), 4) for _ in constants))


@dataclass
class Program:
    """A sum of terms with about `size` operations."""

    size: int
    seed: int
    terms: list[Term] = field(default_factory=list)

    def __post_init__(self) -> None:
        random = Random(self.seed)
        count = 0
        while count < self.size:
            one = term(random)
            self.terms.append(one)
            count += OPERATIONS[one.kind] + 1

    @property
    def text(self) -> str:
        used = {t.kind for t in self.terms}
        parts = [definition(kind) for kind in KINDS if kind in used]
        lines = "\n".join(f"  + {t.line}" for t in self.terms[1:])
        parts.append(f"entry energy (x: param [{INPUTS}]f64) : f64 =\n  {self.terms[0].line}\n{lines}")
        return "\n\n".join(parts) + "\n"

    def expression(self, m: Any, x: Sequence[Any]) -> Any:
        """The sum over numbers of the sort that `m` has functions of."""
        total: Any = None
        for t in self.terms:
            value = t.kind(m, *(x[k] for k in t.inputs), *t.constants)
            total = value if total is None else total + value
        return total

    def edits(self, count: int, seed: int = 1) -> Iterator[tuple[str, str]]:
        """What was done and the text after it, one edit after the other: a constant, other inputs, another kind of
        term, a term more, a term less."""
        random = Random(seed)
        for k in range(count):
            at = random.randrange(1, len(self.terms))
            old = self.terms[at]
            match ("constant", "inputs", "kind", "more", "less")[k % 5]:
                case "constant":
                    what = "constant"
                    self.terms[at] = Term(old.kind, old.inputs, tuple(c + 0.125 for c in old.constants))
                case "inputs":
                    what = "inputs"
                    self.terms[at] = Term(old.kind, tuple(random.sample(range(INPUTS), len(old.inputs))), old.constants)
                case "kind":
                    what = "kind"
                    self.terms[at] = term(random)
                case "more":
                    what = "a term more"
                    self.terms.insert(at, term(random))
                case _:
                    what = "a term less"
                    del self.terms[at]
            yield what, self.text


class Plain:
    """Functions of another module, for kinds: names by `names`, nothing to `let`."""

    def __init__(self, module: Any, **names: str) -> None:
        for name in FUNCTIONS:
            setattr(self, name, getattr(module, names.get(name, name)))

    def let(self, _: str, value: Any) -> Any:
        return value


def point(seed: int = 0) -> list[float]:
    """Inputs where every term is smooth."""
    random = Random(seed)
    return [random.uniform(-1.0, 1.0) + 0.01 * k for k in range(INPUTS)]


# ------------------------------------------------------------------ straight-line C


class Node:
    """An operation of a graph; equal ones are one."""

    __slots__ = ("args", "graph", "id", "op")

    def __init__(self, graph: Graph, id: int, op: str, args: tuple[Any, ...]) -> None:
        self.graph, self.id, self.op, self.args = graph, id, op, args

    def __add__(self, y: Any) -> Node:
        return self.graph.node("+", self, y)

    def __sub__(self, y: Any) -> Node:
        return self.graph.node("-", self, y)

    def __mul__(self, y: Any) -> Node:
        return self.graph.node("*", self, y)

    def __truediv__(self, y: Any) -> Node:
        return self.graph.node("/", self, y)

    def __radd__(self, y: float) -> Node:
        return self.graph.node("+", y, self)

    def __rsub__(self, y: float) -> Node:
        return self.graph.node("-", y, self)

    def __rmul__(self, y: float) -> Node:
        return self.graph.node("*", y, self)

    def __rtruediv__(self, y: float) -> Node:
        return self.graph.node("/", y, self)

    def __neg__(self) -> Node:
        return self.graph.node("neg", self)


class Graph:
    """Operations in order."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.known: dict[tuple[Any, ...], Node] = {}

    def node(self, op: str, *args: Any) -> Node:
        key = (op, *((a.id, "n") if isinstance(a, Node) else a for a in args))
        if key not in self.known:
            self.known[key] = Node(self, len(self.nodes), op, args)
            self.nodes.append(self.known[key])
        return self.known[key]

    def let(self, _: str, value: Node) -> Node:
        return value

    def __getattr__(self, name: str) -> Any:
        if name not in FUNCTIONS:
            raise AttributeError(name)
        return lambda *xs: self.node(name, *xs)

    def gradient(self, result: Node) -> dict[int, Any]:
        """Adjoints of all nodes, by number, as nodes."""
        adjoint: dict[int, Any] = {result.id: 1.0}
        for n in reversed(self.nodes[:result.id + 1]):
            if n.id in adjoint:
                for x, slope in zip(n.args, self.slopes(n), strict=True):
                    if isinstance(x, Node) and slope is not None:
                        part = slope if adjoint[n.id] == 1.0 else adjoint[n.id] * slope
                        adjoint[x.id] = part if x.id not in adjoint else adjoint[x.id] + part
        return adjoint

    def slopes(self, n: Node) -> tuple[Any, ...]:
        x, y = n.args[0], n.args[-1]
        match n.op:
            case "+":
                return 1.0, 1.0
            case "-":
                return 1.0, -1.0
            case "*":
                return y, x
            case "/":
                return 1.0 / y, -(n / y)
            case "neg":
                return (-1.0,)
            case "sqrt":
                return (0.5 / n,)
            case "sin":
                return (self.cos(x),)
            case "cos":
                return (-self.sin(x),)
            case "exp":
                return (n,)
            case "log":
                return (1.0 / x,)
            case "tanh":
                return (1.0 - n * n,)
            case "atan2":
                size = x * x + y * y
                return y / size, -(x / size)
        return (None,) * len(n.args)


OPERATIONS: dict[Callable[..., Any], int] = {}
for _kind in KINDS:
    _graph = Graph()
    _names = [n for part in names_of(_kind) for n in part]
    _kind(_graph, *(_graph.node("input", _n) for _n in _names))
    OPERATIONS[_kind] = len(_graph.nodes) - len(_names)


def straight_line(program: Program, chunk: int = 40) -> str:
    """C of value and gradient, `void energy(const double *x, double *out)`: value, then the gradient. Nothing
    but assignments, in functions of so many terms: compilers take too long for longer ones."""
    parts: list[str] = ["#include <math.h>"]
    heads = []
    for start in range(0, len(program.terms), chunk):
        graph = Graph()
        x = [graph.node("input", k) for k in range(INPUTS)]
        total: Any = None
        for t in program.terms[start:start + chunk]:
            value = t.kind(graph, *(x[k] for k in t.inputs), *t.constants)
            total = value if total is None else total + value
        adjoint = graph.gradient(total)
        needed = reachable([total, *(adjoint[n.id] for n in x if n.id in adjoint)])
        heads.append(f"part{start}")
        lines = [f"static __attribute__((noinline)) void part{start}(const double *x, double *out) {{"]
        lines += [f"  const double t{n.id} = {c(n)};" for n in graph.nodes if n.id in needed]
        lines.append(f"  out[0] += {name(total)};")
        lines += [f"  out[{1 + k}] += {name(adjoint[n.id])};" for k, n in enumerate(x) if n.id in adjoint]
        parts.append("\n".join([*lines, "}"]))
    body = "\n".join(f"  {h}(x, out);" for h in heads)
    parts.append(f"void energy(const double *x, double *out) {{\n  for (int k = 0; k <= {INPUTS}; k++) out[k] = 0;\n"
                 f"{body}\n}}")
    return "\n\n".join(parts) + "\n"


def reachable(roots: Sequence[Any]) -> set[int]:
    found: set[int] = set()
    pending = [r for r in roots if isinstance(r, Node)]
    while pending:
        n = pending.pop()
        if n.id not in found:
            found.add(n.id)
            pending += [a for a in n.args if isinstance(a, Node)]
    return found


def name(x: Any) -> str:
    return f"t{x.id}" if isinstance(x, Node) else repr(float(x))


def c(n: Node) -> str:
    if n.op == "input":
        return f"x[{n.args[0]}]"
    args = [name(a) for a in n.args]
    if n.op in "+-*/":
        return f"{args[0]} {n.op} {args[1]}"
    return f"-{args[0]}" if n.op == "neg" else f"{n.op}({', '.join(args)})"


def plain_value(program: Program, x: Sequence[float]) -> float:
    """The sum, by Python's functions."""
    return float(program.expression(Plain(math), x))


def renamed(text: str, suffix: str) -> str:
    """The same text with other names of functions, of the same length."""
    used = [k.__name__ for k in KINDS]
    return re.sub(rf"\b(?:{'|'.join(used)})\b", lambda m: m.group() + suffix, text)
