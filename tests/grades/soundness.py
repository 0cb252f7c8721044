"""Generated branches, and whether a verdict holds at their boundaries: one-sided differences of high precision.

Comes in: a seed. Goes out: what the prover says of a random branch, and where that is wrong. The arms are made to meet
often: one is the other with a multiple of a power of what is compared, the same with the boundary put in, or another
way to write it. Points lie on the boundary as it was made, at places where several things vanish, and where a random
line crosses it. Along random lines through such a point the values on both sides, and their differences up to the
claimed order, have to agree.
"""
from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import mpmath
from dad.grades.facts import NO_FACTS
from dad.grades.prove import Verdict, across
from dad.grades.terms import PI, And, Compare, Cond, Not, Or, Term
from dad.tests.grades.formulas import F, atom, iff, op

DIGITS = 110
NAMES = ("x", "y", "z", "w")
ATOMS = [atom(n) for n in NAMES]
mp = mpmath.mp.clone()
mp.dps = DIGITS
_ZERO = mp.mpf(10) ** -90


class Undefined(Exception):
    """No real value there."""


def value(term: Term, point: dict[str, Any], memo: dict[int, Any] | None = None) -> Any:
    """A term in high precision."""
    memo = {} if memo is None else memo
    if term.id not in memo:
        memo[term.id] = _value(term, point, memo)
    return memo[term.id]


def _value(term: Term, point: dict[str, Any], memo: dict[int, Any]) -> Any:
    match term.op:
        case "number":
            return mp.mpf(term.value.numerator) / term.value.denominator
        case "atom":
            return point[term.name]
        case "constant":
            return mp.pi if term.name == "pi" else mp.e
        case "select":
            assert term.cond is not None
            return value(term.args[0 if holds(term.cond, point, memo) else 1], point, memo)
    args = [value(a, point, memo) for a in term.args]
    try:
        out = _FUNCTIONS[term.op](*args)
    except (ZeroDivisionError, ValueError, OverflowError) as error:
        raise Undefined from error
    if isinstance(out, mp.mpc) or not mp.isfinite(out):
        raise Undefined
    return out


def _divide(a: Any, b: Any) -> Any:
    if abs(b) < _ZERO:
        raise Undefined
    return a / b


def _power(a: Any, b: Any) -> Any:
    if b == mp.floor(b):
        return a ** int(b) if a or b >= 0 else _divide(a, a)
    if a < 0 and abs(a) < _ZERO:
        a = mp.mpf(0)
    return a ** b


def _root(a: Any) -> Any:
    return mp.sqrt(a if abs(a) > _ZERO else 0)


_FUNCTIONS: dict[str, Any] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "div": _divide, "pow": _power,
    "neg": lambda a: -a, "abs": abs, "max": max, "min": min, "exp": mp.exp, "log": mp.log, "sqrt": _root,
    "sin": mp.sin, "cos": mp.cos, "tanh": mp.tanh, "atan": mp.atan, "log1p": lambda a: mp.log(1 + a),
    "expm1": lambda a: mp.exp(a) - 1, "sigmoid": lambda a: 1 / (1 + mp.exp(-a)), "floor": mp.floor,
    "softplus": lambda a: mp.log(1 + mp.exp(a)), "erf": mp.erf, "hypot": lambda a, b: _root(a * a + b * b),
    "sign": lambda a: mp.sign(a) if abs(a) > _ZERO else mp.mpf(0), "asinh": mp.asinh, "atan2": mp.atan2,
    "copysign": lambda a, b: abs(a) if b > -_ZERO else -abs(a),
    "cbrt": lambda a: mp.sign(a) * mp.cbrt(abs(a)), "cosh": mp.cosh, "sinh": mp.sinh,
}


def holds(cond: Cond, point: dict[str, Any], memo: dict[int, Any]) -> bool:
    match cond:
        case Compare(sign, a, b):
            gap = value(a, point, memo) - value(b, point, memo)
            if abs(gap) < _ZERO:
                return sign in ("<=", "==")
            return bool(gap < 0) if sign in ("<", "<=") else sign == "!="
        case And(parts):
            return all(holds(p, point, memo) for p in parts)
        case Or(parts):
            return any(holds(p, point, memo) for p in parts)
        case Not(part):
            return not holds(part, point, memo)
    raise AssertionError(cond)


# ------------------------------------------------------------------ branches

class Branch:
    """if cond then a else b, where `given` holds. `loci`: variables with the value that they have on the boundary."""

    def __init__(self, seed: int) -> None:
        self.random = r = random.Random(seed)
        self.atoms = r.sample(ATOMS, r.choice((1, 2, 2, 3)))
        self.given: list[Cond] = []
        self.positive: list[F] = []
        for a in self.atoms:
            if r.random() < 0.3:
                strict = r.random() < 0.7
                self.given.append(a > 0 if strict else a >= 0)
                if strict:
                    self.positive.append(a)
        self.loci: list[tuple[F, F]] = []
        self.cond, gap = self.condition()
        first = self.arm(r.choice((1, 2, 2, 3)))
        second = self.other(first, gap)
        self.then, self.orelse = (first, second) if r.random() < 0.5 else (second, first)

    def leaf(self) -> F:
        r = self.random
        return r.choice(self.atoms) if r.random() < 0.8 else op("add", r.choice((0, 1, 2, -1, 0.5, 3)), 0)

    def arm(self, depth: int) -> F:
        r = self.random
        if depth == 0:
            return self.leaf()
        a = self.arm(depth - 1)
        kind = r.randrange(21)
        if kind < 3:
            return a + self.arm(depth - 1)
        if kind < 6:
            return a * self.arm(depth - 1)
        if kind < 8:
            return a - self.arm(depth - 1)
        if kind == 8:
            return op(r.choice(("sin", "cos", "tanh", "atan", "sigmoid", "softplus", "erf", "asinh")), a)
        if kind == 9:
            return op("exp", op("sin", a)) if r.random() < 0.5 else op("exp", a * 0.25)
        if kind == 10:
            return op("abs", a)
        if kind == 11:
            return a / self.divisor(depth - 1)
        if kind == 12:
            return op(r.choice(("max", "min")), a, self.arm(depth - 1))
        if kind == 13:
            return op("sqrt", r.choice((a * a + 1, a * a, op("abs", a), a * a + self.arm(depth - 1) ** 2)))
        if kind == 14:
            return op("log", r.choice((a * a + 1, *(p for p in self.positive))))
        if kind == 15:
            return a ** r.choice((2, 3)) if r.random() < 0.6 else op("abs", a) ** r.choice((0.5, 1.5, 2.5, 3))
        if kind == 18:
            base = r.choice((*self.positive, op("exp", a), op("abs", a) + 1, a * a + 1))
            exponents: list[F | float] = [*self.atoms, 0.5, -1.5, self.atoms[0] * 2]
            return base ** r.choice(exponents)
        if kind == 19:
            u, v = self.arm(depth - 1), self.arm(depth - 1)
            return r.choice((lambda: op("log", (u * u + 1) / (v * v + 1)), lambda: op("sqrt", u * u * v * v),
                             lambda: op("sqrt", u * v), lambda: op("exp", op("log", u * v) * 0.5),
                             lambda: op("log", u / v), lambda: op("sqrt", (u - v) ** 2), lambda: op("abs", u * v),
                             lambda: op("exp", op("log", u * u) * 0.5), lambda: op("log", op("abs", u))))()
        if kind == 16:
            return op(r.choice(("floor", "sign", "cbrt")), a)
        if kind == 17:
            return op("copysign", a, self.arm(depth - 1)) if r.random() < 0.5 else op("atan2", a, self.arm(depth - 1))
        return iff(self.simple(), a, self.arm(depth - 1))

    def divisor(self, depth: int) -> F:
        r = self.random
        if self.positive and r.random() < 0.4:
            return r.choice(self.positive)
        return r.choice((lambda: self.arm(depth) ** 2 + 1, lambda: op("exp", self.leaf()), lambda: self.arm(depth)))()

    def simple(self) -> Cond:
        r = self.random
        a, b = r.choice(self.atoms), self.leaf()
        return r.choice((a < b, a <= b, a > b, a >= b, a * b > 0, a.eq(b), op("floor", a) <= 0,
                         op("log", op("abs", a)) < b, op("sign", a) > b, 1 / a > b))

    def edge(self, var: F) -> F:
        """What a variable is on the boundary: a formula in the others."""
        r = self.random
        others = [a for a in self.atoms if a is not var]
        choice = r.randrange(7)
        if not others or choice == 0:
            return op("add", r.choice((0, 0, 1, -1, 2, 0.5)), 0)
        other = r.choice(others)
        if choice < 4:
            return other
        return r.choice((other * other, other + 1, other * r.choice(others), op("sin", other), -other,
                         op("exp", other * 0.5), other / (r.choice(others) ** 2 + 1), op("abs", other)))

    def condition(self) -> tuple[Cond, F]:
        r = self.random
        var = r.choice(self.atoms)
        g = self.edge(var)
        gap = var - g
        self.loci.append((var, g))
        kind = r.randrange(14)
        if kind < 4:
            cond = r.choice((var < g, var <= g, var > g, var >= g))
        elif kind == 4:
            cond = r.choice((op("exp", var) < op("exp", g), var ** 3 < g ** 3, op("tanh", gap) > 0, gap ** 3 <= 0,
                             op("exp", gap) > 1, op("atan", gap) < 0))
        elif kind == 5:
            cond = r.choice((var * var < g * g, op("abs", var) <= op("abs", g)))
            self.loci.append((var, -g))
            gap = var * var - g * g
        elif kind == 6:
            other = r.choice(self.atoms)
            cond, gap = gap * other < 0, gap * other
            self.loci.append((other, op("add", 0, 0)))
        elif kind == 7:
            cond = r.choice((gap.eq(0), gap.ne(0), gap * gap <= 0, gap * gap > 0))
        elif kind == 8:
            cond = And((r.choice((var < g, var >= g)), self.simple()))
        elif kind == 9:
            cond = Or((r.choice((var < g, var >= g)), self.simple()))
        elif kind == 10:
            cond = r.choice((op("max", gap, 0) > 0, op("max", gap, 0).eq(0), op("abs", gap) - gap > 0,
                             op("min", gap, r.choice(self.atoms)) < 0))
        elif kind == 11:
            scale = self.divisor(1)
            cond = gap * scale < 0 if r.random() < 0.5 else gap / scale < 0
        elif kind == 12:
            gap = sum((a * a for a in self.atoms), op("sub", 0, 1))
            cond = gap < 0
        else:
            h = self.edge(var)
            self.loci.append((var, h))
            cond = And((var > g, var < h)) if r.random() < 0.5 else (var - g) * (var - h) < 0
            gap = (var - g) * (var - h)
        return cond, gap

    def other(self, first: F, gap: F) -> F:
        """An arm that meets the first one, or not."""
        r = self.random
        kind = r.randrange(10)
        power = r.choice((0, 1, 1, 2, 2, 2, 3, 3, 4))
        if kind == 0:
            return self.arm(2)
        if kind == 1:
            var, g = self.loci[0]
            return F(_replaced(first.term, var.term, g.term))
        if kind == 2:
            return iff(self.simple(), first, first + gap ** max(power, 1))
        if kind == 3:
            return first + r.choice((op("sin", gap), op("abs", gap), op("expm1", gap), op("sin", gap) - gap,
                                     op("cos", gap) - 1, op("sqrt", op("abs", gap)), op("abs", gap) ** 1.5,
                                     op("log1p", gap * gap), op("sin", gap) / gap - 1, op("max", gap, 0) ** 2,
                                     (op("cos", gap) - 1) / gap, gap / (gap * gap + self.arm(1) ** 2)))
        if kind == 4:
            return first + gap ** power / self.divisor(2)
        return first + gap ** power * self.arm(r.choice((0, 1, 2)))

    def verdict(self) -> Verdict:
        facts = NO_FACTS
        for cond in self.given:
            facts = facts.assume(cond)
        return across(self.cond, [self.then.term], [self.orelse.term], facts, lambda a: True)

    # ---- points

    def points(self, count: int) -> list[tuple[dict[str, Any], bool]]:
        """Points on the boundary, and whether they are like all around them."""
        r = self.random
        out: list[tuple[dict[str, Any], bool]] = []
        names = [a.term.name for a in self.atoms]
        for i in range(count):
            special = i % 3 == 2
            point = {n: mp.mpf(r.choice((0, 0, 1, -1)) if special and r.random() < 0.6 else r.uniform(-2.5, 2.5))
                     for n in names}
            for cond in self.given:
                assert isinstance(cond, Compare)
                name = (cond.a if cond.a.op == "atom" else cond.b).name
                point[name] = abs(point[name]) or (mp.mpf("0.7") if cond.op == "<" else mp.mpf(0))
            var, g = r.choice(self.loci)
            if i % 4 == 3:
                crossed = self.crossing(point, names)
                if crossed is not None:
                    out.append((crossed, True))
                continue
            try:
                point[var.term.name] = value(g.term, point)
                if all(holds(c, point, {}) for c in self.given):
                    out.append((point, not special))
            except Undefined:
                continue
        return out

    def crossing(self, point: dict[str, Any], names: list[str]) -> dict[str, Any] | None:
        """Where the condition changes on a random line."""
        r = self.random
        at = Line(point, {n: mp.mpf(r.uniform(-1, 1)) for n in names}).at
        steps = [mp.mpf(k) / 4 for k in range(-12, 13)]
        try:
            truths = [holds(self.cond, at(s), {}) for s in steps]
            for (low, a), (high, b) in itertools.pairwise(zip(steps, truths, strict=True)):
                if a != b:
                    for _ in range(330):
                        middle = (low + high) / 2
                        if holds(self.cond, at(middle), {}) == a:
                            low = middle
                        else:
                            high = middle
                    found = {n: p if abs(p) > mp.mpf(10) ** -60 else mp.mpf(0) for n, p in at(low).items()}
                    return found if all(holds(c, found, {}) for c in self.given) else None
        except Undefined:
            return None
        return None


class Wild(Branch):
    """Branches at zeros of sines and of other functions, whose arms have limits that are no power series."""

    def condition(self) -> tuple[Cond, F]:
        r = self.random
        var = r.choice(self.atoms)
        g = self.edge(var)
        kind = r.randrange(6)
        if kind == 0:
            gap = op("sin", r.choice((var - g, var * 2, var * g)))
            self.loci += [(var, g), (var, op("add", 0, 0))]
        elif kind == 1:
            gap = op("cos", var - g)
            self.loci.append((var, g + F(PI) / 2))
        elif kind == 2:
            gap = op("sin", var) - op("sin", g)
            self.loci.append((var, g))
        elif kind == 3:
            gap = op("exp", var - g) + var - g - 1
            self.loci.append((var, g))
        else:
            gap = var - g
            self.loci.append((var, g))
        return r.choice((gap < 0, gap <= 0, gap > 0, gap >= 0, gap.ne(0))), gap

    def other(self, first: F, gap: F) -> F:
        r = self.random
        a = r.choice((self.leaf(), op("add", r.choice((1, 2)), 0)))
        n = r.choice((1, 1, 2, 3))
        flat = op("exp", -r.choice((1 / op("abs", gap), 1 / gap, 1 / gap ** 2, a * a / gap ** 2, (a * a + 1) / gap)))
        wave = op(r.choice(("sin", "cos")), r.choice((1 / gap, a / gap, 1 / gap ** 2, op("log", op("abs", gap)))))
        power = op("abs", gap) ** r.choice((*self.positive, a * a + 1, op("exp", a), a * a + 0.5))
        kind = r.randrange(8)
        if kind < 2:
            return first + flat * r.choice((a, 1 / gap, wave, op("add", 1, 0)))
        if kind < 4:
            return first + gap ** r.choice((0, 1, 2, 3, 4, 5)) * wave
        if kind == 4:
            return first + power * r.choice((a, gap, op("add", 1, 0)))
        if kind == 5:
            return first + op("sqrt", op("abs", gap)) * gap ** n + flat
        return super().other(first, gap)


def _replaced(term: Term, old: Term, new: Term) -> Term:
    from dad.grades.terms import apply, select

    if term is old:
        return new
    if not term.args:
        return term
    args = [_replaced(a, old, new) for a in term.args]
    if term.cond is not None:
        return select(term.cond, args[0], args[1])
    return apply(term.op, args)


class Line:
    """A point and a direction."""

    def __init__(self, point: dict[str, Any], way: dict[str, Any]) -> None:
        self.point, self.way = point, way

    def at(self, s: Any) -> dict[str, Any]:
        return {n: p + s * self.way[n] for n, p in self.point.items()}

    def along(self, term: Term) -> Callable[[Any], Any]:
        return lambda s: value(term, self.at(s))


ORDERS = {"smooth": 4, "C4": 4, "C3": 3, "C2": 2, "C1": 1, "lip": 0, "cont": 0}


def sides(f: Any, order: int, digits: int = 18) -> tuple[Any, Any, Any]:
    """For k = order: the k-th difference quotients of f on both sides of 0, and how large they are beside an error."""
    h = mp.mpf(10) ** -digits
    right, left = [f(h * (j + 1)) for j in range(order + 1)], [f(-h * (j + 1)) for j in range(order + 1)]
    for _ in range(order):
        right = [(b - a) / h for a, b in itertools.pairwise(right)]
        left = [(a - b) / h for a, b in itertools.pairwise(left)]
    return right[0], left[0], max(abs(right[0]), abs(left[0]), mp.mpf(1))


def violation(branch: Branch, found: Verdict, points: int = 9) -> str | None:
    """A place where the verdict is wrong."""
    if not found.proved:
        return None
    order = ORDERS[found.grade]
    whole = iff(branch.cond, branch.then, branch.orelse).term
    names = [a.term.name for a in branch.atoms]
    r = branch.random
    for point, plain in branch.points(points):
        way = {n: mp.mpf(r.uniform(-1, 1)) for n in names}
        bounded = [n for n in names if abs(point[n]) < 1e-12 and any(_about(c, n) for c in branch.given)]
        for n in bounded:
            way[n] = mp.mpf(0)

        plain = plain and not found.why.startswith("both arms are the same")
        line = Line(point, way)
        f = line.along(whole)
        try:
            h = mp.mpf(10) ** -18
            before, here, after = (holds(branch.cond, line.at(s), {}) for s in (-h, mp.mpf(0), h))
            if before == here == after:
                continue  # not on the boundary
            arms = (branch.then if after else branch.orelse,) if before == after else (branch.then, branch.orelse)
            if (not plain or before == after) and not all(_steady(line.along(t.term), order) for t in arms):
                continue  # an arm has a kink of its own, which is not the branch's
            for k in range(order + 1):
                right, left, size = sides(f, k)
                if abs(right - left) > size * mp.mpf("1e-5"):
                    nearer = sides(f, k, 30) if k < 3 else (right, left)
                    if abs(nearer[0] - nearer[1]) < abs(right - left) / 2:
                        continue  # it goes to 0 slowly, as t ** 0.1 does
                    return f"order {k} at {_shown(point)} along {_shown(way)}: {mp.nstr(right, 8)}, {mp.nstr(left, 8)}"
                if k == 0:
                    middle = f(mp.mpf(0))
                    if abs(middle - right) > size * mp.mpf("1e-5"):
                        return f"value at {_shown(point)}: {mp.nstr(middle, 8)}, beside {mp.nstr(right, 8)}"
            if found.grade == "lip" or found.bounded:
                right, left, size = sides(f, order + 1)
                if max(abs(right), abs(left)) > 5e8 * (1 + abs(f(mp.mpf(0)))):
                    return f"slope at {_shown(point)}: {mp.nstr(right, 8)}, {mp.nstr(left, 8)}"
        except Undefined:
            continue
    return None


def _about(cond: Cond, name: str) -> bool:
    return isinstance(cond, Compare) and name in (cond.a.name if cond.a.op == "atom" else "",
                                                  cond.b.name if cond.b.op == "atom" else "")


def _steady(f: Any, order: int) -> bool:
    """Whether an arm by itself is smooth there."""
    for k in range(order + 2):
        right, left, size = sides(f, k)
        if abs(right - left) > size * mp.mpf("1e-5") or size > 1e8:
            return False
        if k == 0 and abs(f(mp.mpf(0)) - right) > size * mp.mpf("1e-5"):
            return False
    return True


def _shown(point: dict[str, Any]) -> str:
    return ", ".join(f"{n}={mp.nstr(v, 6)}" for n, v in point.items())
