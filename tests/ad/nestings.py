"""Random nestings of differential operators with values in closed form.

An expression is a number, a variable, a sum, product, sine or cosine, or a derivative `D` of an expression by a
variable at a point, in which outer variables may occur anywhere. In a program each `D` is one of many operators over
one of many carriers (scalars, arrays, records, tuples with integers, loops, maps, functions passed on). Here it is
taken by rule, so that a program that confuses the perturbations of two derivatives has another value.
"""
from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mpmath import mp


@dataclass(frozen=True)
class Node:
    """`op` is `+`, `*`, `sin`, `cos`, or `D`: order, variable, body, point."""

    op: str
    args: tuple[Exp, ...]


Exp = float | str | Node

# ---------------------------------------------------------------- meaning


def add(a: Exp, b: Exp) -> Exp:
    if a == 0.0:
        return b
    return a if b == 0.0 else Node("+", (a, b))


def mul(a: Exp, b: Exp) -> Exp:
    if a == 0.0 or b == 0.0:
        return 0.0
    if a == 1.0:
        return b
    return a if b == 1.0 else Node("*", (a, b))


def plain(e: Exp) -> Exp:
    """The expression without `D`."""
    if not isinstance(e, Node):
        return e
    if e.op != "D":
        return Node(e.op, tuple(plain(a) for a in e.args))
    order, name, body, at = e.args
    assert isinstance(name, str)
    assert isinstance(order, float)
    slope = plain(body)
    for _ in range(int(order)):
        slope = derivative(slope, name)
    return substituted(slope, name, plain(at))


def derivative(e: Exp, name: str) -> Exp:
    """By a variable, of an expression without `D`."""
    if not isinstance(e, Node):
        return 1.0 if e == name else 0.0
    inner = [derivative(a, name) for a in e.args]
    match e.op:
        case "+":
            return add(inner[0], inner[1])
        case "*":
            return add(mul(inner[0], e.args[1]), mul(e.args[0], inner[1]))
        case "sin":
            return mul(Node("cos", e.args), inner[0])
        case _:
            return mul(mul(-1.0, Node("sin", e.args)), inner[0])


def substituted(e: Exp, name: str, at: Exp) -> Exp:
    if isinstance(e, Node):
        return Node(e.op, tuple(substituted(a, name, at) for a in e.args))
    return at if e == name else e


def value(e: Exp, env: Mapping[str, float]) -> mp.mpf:
    """Of an expression without `D`, in high precision; equal parts are evaluated once."""
    known: dict[int, mp.mpf] = {}

    def of(x: Exp) -> mp.mpf:
        if isinstance(x, str):
            return mp.mpf(env[x])
        if not isinstance(x, Node):
            return mp.mpf(x)
        if id(x) not in known:
            parts = [of(a) for a in x.args]
            known[id(x)] = (parts[0] + parts[1] if x.op == "+" else parts[0] * parts[1] if x.op == "*"
                            else mp.sin(parts[0]) if x.op == "sin" else mp.cos(parts[0]))
        return known[id(x)]

    return of(e)


# ---------------------------------------------------------------- programs

Carrier = Callable[[str, str, str], str]
"""Variable, body and point to the text of a derivative."""

FIRST: tuple[Carrier, ...] = (
    lambda v, b, at: f"grad (\\{v} -> {b}) {at}",
    lambda v, b, at: f"(value_and_grad (\\{v} -> {b}) {at}).1",
    lambda v, b, at: f"jvp (\\{v} -> {b}) {at} 1",
    lambda v, b, at: f"(jvp2 (\\{v} -> {b}) {at} 1).1",
    lambda v, b, at: f"vjp (\\{v} -> {b}) {at} 1",
    lambda v, b, at: f"jacobian (\\{v} -> {b}) {at}",
    lambda v, b, at: f"jacfwd (\\{v} -> {b}) {at}",
    lambda v, b, at: f"jacrev (\\{v} -> {b}) {at}",
    lambda v, b, at: f"divergence (\\{v} -> {b}) {at}",
    lambda v, b, at: f"(jmp (\\{v} -> {b}) {at} [0, 1])[1]",
    lambda v, b, at: f"(mjp (\\{v} -> {b}) {at} [1, 2])[0]",
    lambda v, b, at: f"(grad (\\p -> let {v} = p[1] in {b} * p[0]) [1, {at}])[1]",
    lambda v, b, at: f"(jacfwd (\\p -> let {v} = p[1] in [p[0], {b}]) [3, {at}])[1][1]",
    lambda v, b, at: f"(jacrev (\\p -> let {v} = p[1] in [p[0], {b}]) [3, {at}])[1][1]",
    lambda v, b, at: f"(grad (\\(p: {{low: f64, high: f64, k: i64}}) -> let {v} = p.high in {b} + f64 p.k * p.low) "
                     f"{{low = 1, high = {at}, k = 2}}).high",
    lambda v, b, at: f"jvp (\\(p: {{low: f64, high: f64, k: i64}}) -> let {v} = p.high in {b} + f64 p.k * p.low) "
                     f"{{low = 1, high = {at}, k = 2}} {{low = 0, high = 1, k = ()}}",
    lambda v, b, at: f"(grad (\\(k, {v}) -> f64 k * {b}) (1i64, {at})).1",
    lambda v, b, at: f"(vjp (\\{v} -> ({b}, 3i64, {v})) {at} (1, (), 0))",
    lambda v, b, at: f"sum (map (\\at -> grad (\\{v} -> {b}) at) [{at}])",
    lambda v, b, at: f"(grad (\\ws -> sum (map (\\{v} -> {b}) ws)) [{at}, 0])[0]",
    lambda v, b, at: f"(let f = \\{v} -> {b} in grad f {at})",
    lambda v, b, at: f"slope (\\{v} -> {b}) {at}",
    lambda v, b, at: f"({at} `along`) (\\{v} -> {b})",
    lambda v, b, at: f"({at} |> grad (\\{v} -> {b}))",
    lambda v, b, at: f"(loop found = 0 for i < 2 do if i == 0 then found else grad (\\{v} -> {b}) {at})",
    lambda v, b, at: f"(let at = {at} in if at > 100 then 0 else jvp (\\{v} -> {b}) at 1)",
    lambda v, b, at: f"grad (\\{v} -> (\\w -> w) ({b})) {at}",
    lambda v, b, at: f"grad (\\{v} -> loop total = 0 for w in [0, {b}] do total + w) {at}",
    lambda v, b, at: f"jvp (\\{v} -> reduce (+) 0 [{b}, {v}]) {at} 1 - 1",
)
SECOND: tuple[Carrier, ...] = (
    lambda v, b, at: f"hessian (\\{v} -> {b}) {at}",
    lambda v, b, at: f"laplacian (\\{v} -> {b}) {at}",
    lambda v, b, at: f"hvp (\\{v} -> {b}) {at} 1",
    lambda v, b, at: f"grad (grad (\\{v} -> {b})) {at}",
    lambda v, b, at: f"jvp (grad (\\{v} -> {b})) {at} 1",
    lambda v, b, at: f"grad (\\{v}' -> jvp (\\{v} -> {b}) {v}' 1) {at}",
    lambda v, b, at: f"jvp (\\{v}' -> jvp (\\{v} -> {b}) {v}' 1) {at} 1",
    lambda v, b, at: f"twice slope (\\{v} -> {b}) {at}",
    lambda v, b, at: f"(hessian (\\p -> let {v} = p[1] in p[0] * {b}) [1, {at}])[1][1]",
    lambda v, b, at: f"(hessian (\\(k, {v}) -> f64 k * {b}) (1i64, {at})).1.1",
    lambda v, b, at: f"laplacian (\\({v}, k, w) -> f64 k * {b} + w) ({at}, 1i64, 2)",
    lambda v, b, at: f"divergence (grad (\\{v} -> {b})) {at}",
)

PRELUDE = """
def slope (f: f64 -> f64) (x: f64) : f64 = grad f x
def along (x: f64) (f: f64 -> f64) : f64 = jvp f x 1
def twice '^a (f: a -> a) (x: a) = f (f x)
"""


class Writer:
    """Expressions with random nestings, and their texts with random carriers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names = 0

    def expression(self, scope: tuple[str, ...], nested: int, size: int) -> Exp:
        if nested and self.random.random() < 0.6:
            return self.derivative(scope, nested)
        if size <= 0:
            return self.random.choice(scope) if self.random.random() < 0.8 else self.random.choice((0.5, 2.0, 1.5))
        op = self.random.choice(("+", "*", "*", "sin", "cos"))
        if op in ("sin", "cos"):
            return Node(op, (self.expression(scope, nested, size - 1),))
        left = self.random.randint(0, nested)
        return Node(op, (self.expression(scope, left, size - 1), self.expression(scope, nested - left, size - 1)))

    def derivative(self, scope: tuple[str, ...], nested: int) -> Node:
        self.names += 1
        name = f"v{self.names}"
        inner = self.expression((*scope, name, name), nested - 1, 2)
        body = Node("*", (name, Node("+", (inner, name))))  # so that there is something to differentiate
        order = 1.0 if self.random.random() < 0.7 else 2.0
        return Node("D", (order, name, body, self.expression(scope, 0, 1)))

    def text(self, e: Exp) -> str:
        if not isinstance(e, Node):
            return str(e)
        if e.op == "D":
            order, name, body, at = e.args
            assert isinstance(name, str)
            carrier = self.random.choice(FIRST if order == 1.0 else SECOND)
            return f"({carrier(name, self.text(body), self.text(at))})"
        parts = [self.text(a) for a in e.args]
        return f"({parts[0]} {e.op} {parts[1]})" if e.op in "+*" else f"({e.op} {parts[0]})"


def program(seed: int, count: int, nested: int) -> tuple[str, list[Exp]]:
    """A program of entries `e0`, `e1`, …, functions of `x`, and what they are."""
    writer = Writer(seed)
    made = [writer.derivative(("x",), nested) for _ in range(count)]
    entries = [f"entry e{k} (x: f64) : f64 = {writer.text(e)}" for k, e in enumerate(made)]
    return "\n".join([PRELUDE, *entries]) + "\n", list(made)
