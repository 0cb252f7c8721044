"""Formulas of sizes: what `dad cost` prints. Polynomials as in `sizes`, over a whole number.

Beside the operators of size expressions, terms that are no polynomials are kept as they are: `max`, `min`, and
comparisons, which are 1 where they hold and 0 where they do not.

>>> n = Formula.of(SizeVar("n", 1))
>>> str(n * (n + 1) * (2 * n + 1) / 6)
'n³/3 + n²/2 + n/6'
>>> i = SizeVar("i", 2)
>>> str(summed(Formula.of(i) * 6 + 1, i, n))
'3·n² - 2·n'
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from math import comb, gcd

from .sizes import Monomial, Opaque, Size, SizeAtom, SizeVar

POWERS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
OPERATORS: dict[str, Callable[[int, int], int]] = {
    "max": max, "min": min,
    "eq": lambda x, y: int(x == y), "ne": lambda x, y: int(x != y),
    "lt": lambda x, y: int(x < y), "le": lambda x, y: int(x <= y),
    "/": lambda x, y: x // y if y else 0, "%": lambda x, y: x % y if y else 0,
    "//": lambda x, y: int(Fraction(x, y)) if y else 0, "%%": lambda x, y: x - y * int(Fraction(x, y)) if y else 0,
    "**": lambda x, y: x ** y if y >= 0 else 0,
}
SIGNS = {"eq": "=", "ne": "≠", "lt": "<", "le": "≤", "/": "/", "%": "%", "//": "//", "%%": "%%", "**": "**"}


class Formula:
    """`top / below`, in lowest terms. Raises `OversizedSize` where a polynomial grows beyond the limits of sizes."""

    __slots__ = ("below", "top")

    def __init__(self, top: Size, below: int = 1) -> None:
        if below != 1:
            shared = gcd(below, *(c for _, c in top.terms))
            if shared != 1:
                top = Size(tuple((m, c // shared) for m, c in top.terms))
                below //= shared
        self.top = top
        self.below = below

    @staticmethod
    def of(value: int | SizeAtom | Size) -> Formula:
        if isinstance(value, int):
            return Formula(Size.constant(value))
        return Formula(value if isinstance(value, Size) else Size.of(value))

    @property
    def value(self) -> int | Fraction | None:
        """The number, when it is one."""
        number = self.top.value
        return None if number is None else number if self.below == 1 else Fraction(number, self.below)

    def __add__(self, other: Formula | int) -> Formula:
        if isinstance(other, int):
            if not other:
                return self
            other = Formula.of(other)
        if self.below == other.below:
            return Formula(self.top + other.top, self.below)
        left, right = Size.constant(other.below), Size.constant(self.below)
        return Formula(self.top * left + other.top * right, self.below * other.below)

    def __neg__(self) -> Formula:
        return Formula(-self.top, self.below)

    def __sub__(self, other: Formula | int) -> Formula:
        return self + -other

    def __mul__(self, other: Formula | int) -> Formula:
        if isinstance(other, int):
            other = Formula.of(other)
        return Formula(self.top * other.top, self.below * other.below)

    def __truediv__(self, number: int) -> Formula:
        return Formula(self.top, self.below * number)

    __radd__ = __add__
    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and (self.top, self.below) == (other.top, other.below)

    def __hash__(self) -> int:
        return hash((self.top, self.below))

    # ------------------------------------------------------------ parts

    def terms(self) -> list[tuple[Monomial, Fraction]]:
        return [(m, Fraction(c, self.below)) for m, c in self.top.terms]

    def atoms(self) -> dict[SizeAtom, None]:
        """Every atom, once, those inside opaque terms included, in order."""
        return dict.fromkeys(self.top.atoms())

    def substitute(self, env: Mapping[SizeAtom, Formula]) -> Formula:
        """Atoms replaced by formulas; those inside opaque terms by whole polynomials only."""
        if not any(a in env for a in self.atoms()):
            return self
        total = Formula.of(0)
        for monomial, coefficient in self.top.terms:
            product = Formula.of(coefficient)
            for atom in monomial:
                product = product * replaced(atom, env)
            total = total + product
        return total / self.below

    def at(self, values: Mapping[SizeAtom, int]) -> int | Fraction:
        """The number at these values of the variables, which must all be there."""
        found = Fraction(evaluated(self.top, values), self.below)
        return int(found) if found.denominator == 1 else found

    def __str__(self) -> str:
        return written(self, "·", power=lambda name, k: name + str(k).translate(POWERS) if k > 1 else name)

    def python(self) -> str:
        """As an expression of Python.

        >>> (Formula.of(SizeVar("n", 1)) * Formula.of(SizeVar("n", 1)) / 2).python()
        'n**2/2'
        """
        return written(self, "*", power=lambda name, k: f"{name}**{k}" if k > 1 else name)

    def __repr__(self) -> str:
        return f"Formula({self})"


def replaced(atom: SizeAtom, env: Mapping[SizeAtom, Formula]) -> Formula:
    found = env.get(atom)
    if found is not None:
        return found
    if isinstance(atom, Opaque):
        return opaque(atom.op, *(Formula(o).substitute(env) for o in atom.operands))
    return Formula.of(atom)


def opaque(op: str, left: Formula, right: Formula) -> Formula:
    """The term `left op right`, worked out as far as that is possible."""
    if op in ("ge", "gt"):
        return opaque("le" if op == "ge" else "lt", right, left)
    x, y = left.value, right.value
    if isinstance(x, int) and isinstance(y, int):
        return Formula.of(OPERATORS[op](x, y))
    difference = (left - right).value
    if difference is not None:
        match op:
            case "max" | "min":
                return left if (difference >= 0) == (op == "max") else right
            case "eq" | "ne" | "lt" | "le":
                numerator = difference.numerator if isinstance(difference, Fraction) else difference
                return Formula.of(OPERATORS[op](numerator, 0))
    if op in ("/", "//") and right.value == 1:
        return left
    if left.below != 1 or right.below != 1:  # only comparisons and extremes of costs get here
        return opaque(op, left * (left.below * right.below), right * (left.below * right.below)) / (
            left.below * right.below if op in ("max", "min") else 1)
    return Formula.of(Opaque(op, (left.top, right.top)))


def evaluated(size: Size, values: Mapping[SizeAtom, int]) -> int:
    total = 0
    for monomial, coefficient in size.terms:
        product = coefficient
        for atom in monomial:
            if not product:
                break
            product *= number(atom, values)
        total += product
    return total


def number(atom: SizeAtom, values: Mapping[SizeAtom, int]) -> int:
    if isinstance(atom, Opaque):
        left, right = (evaluated(o, values) for o in atom.operands)
        return OPERATORS[atom.op](left, right)
    return values[atom]


# ------------------------------------------------------------------ sums over an index


def summed(formula: Formula, index: SizeVar, count: Formula) -> Formula:
    """The sum over `index` from 0 to `count` - 1, by Faulhaber's formula; the index is in no opaque term."""
    total = Formula.of(0)
    for monomial, coefficient in formula.top.terms:
        power = sum(atom == index for atom in monomial)
        rest = Formula(Size(((tuple(a for a in monomial if a != index), coefficient),)))
        total = total + rest * power_sum(power, count)
    return total / formula.below


def power_sum(power: int, count: Formula) -> Formula:
    """0ᵖ + 1ᵖ + … + (count - 1)ᵖ.

    >>> str(power_sum(1, Formula.of(SizeVar("n", 1))))
    'n²/2 - n/2'
    """
    total = Formula.of(0)
    for k in range(power + 1):
        term = Formula.of(1)
        for _ in range(power + 1 - k):
            term = term * count
        share = bernoulli(k) * comb(power + 1, k) / (power + 1)
        total = total + term * share.numerator / share.denominator
    return total


def bernoulli(k: int) -> Fraction:
    """Bernoulli numbers, B₁ = -1/2."""
    found = [Fraction(1)]
    for m in range(1, k + 1):
        found.append(-sum((comb(m + 1, j) * found[j] for j in range(m)), Fraction(0)) / (m + 1))
    return found[k]


# ------------------------------------------------------------------ text


def written(formula: Formula, times: str, power: Callable[[str, int], str]) -> str:
    if not formula.top.terms:
        return "0"
    text = ""
    for monomial, coefficient in formula.terms():
        factors = [power(name, k) for name, k in counted([atom_text(a, times, power) for a in monomial])]
        top, below = abs(coefficient.numerator), coefficient.denominator
        if top != 1 or not factors:
            factors.insert(0, str(top))
        term = times.join(factors) + (f"/{below}" if below != 1 else "")
        sign = " - " if coefficient < 0 else " + "
        text += (sign if text else "-" if coefficient < 0 else "") + term
    return text


def counted(names: Sequence[str]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return list(counts.items())


def atom_text(atom: SizeAtom, times: str, power: Callable[[str, int], str]) -> str:
    if not isinstance(atom, Opaque):
        return str(Size.of(atom))
    left, right = (written(Formula(o), times, power) for o in atom.operands)
    if atom.op in ("max", "min"):
        return f"{atom.op}({left}, {right})"
    if atom.op in ("/", "//", "%", "%%", "**"):
        left, right = (f"({text})" if " " in text else text for text in (left, right))
    if atom.op in ("eq", "ne", "lt", "le"):
        return f"[{left} {SIGNS[atom.op]} {right}]" if times == "·" else f"({left} {PYTHON[atom.op]} {right})"
    if atom.op == "/" or atom.op == "//":
        return f"⌊{left}/{right}⌋" if times == "·" else f"({left} // {right})"
    return f"({left} {SIGNS[atom.op] if times == '·' else PYTHON.get(atom.op, SIGNS[atom.op])} {right})"


PYTHON = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "/": "//"}
