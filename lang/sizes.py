"""Sizes of arrays: polynomials with integer coefficients over atoms, kept in normal form.

Two sizes are equal when they are equal as polynomials, so equality is equality of normal forms. Atoms are size
variables (declared, opened, or to be inferred) and opaque terms such as `n / k`, which are equal only to themselves.

>>> n = Size.of(SizeVar("n", 1))
>>> n + Size.constant(1) == Size.constant(1) + n
True
>>> str(n * n - n + Size.constant(2))
'n*n - n + 2'
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping

from .record import dataclass, field
from .source import Span


@dataclass(frozen=True, slots=True)
class SizeVar:
    """A known, rigid size: declared (`[n]`), a name in scope used as a size, or opened from a value.

    Equal by `uid`. `origin` is where it was introduced, `why` says in words what it is (`the size of xs`). `fixed`: it
    is the value of a definition, one number wherever it is mentioned.
    """

    name: str = field(compare=False)
    uid: int
    origin: Span | None = field(default=None, compare=False)
    why: str = field(default="", compare=False)
    fixed: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class SizeMeta:
    """A size to be inferred by the checker."""

    uid: int
    origin: Span | None = field(default=None, compare=False)
    why: str = field(default="", compare=False)
    name: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Opaque:
    """A size expression outside polynomials: `quot n k` …; equal when operator and operands are."""

    op: str
    operands: tuple[Size, ...]
    weight: int = field(init=False, compare=False, default=0)
    shown: str = field(init=False, compare=False, default="")

    def __post_init__(self) -> None:
        total = 1 + sum(map(weight, self.operands))
        if total > MAX_WEIGHT:
            raise OversizedSize
        if any(o.written is not None for o in self.operands):  # nobody takes apart what stands in here
            object.__setattr__(self, "operands", tuple([Size(o.terms) for o in self.operands]))
        object.__setattr__(self, "weight", total)
        object.__setattr__(self, "shown", _name(self))


SizeAtom = SizeVar | SizeMeta | Opaque

MAX_TERMS = 500
MAX_DEGREE = 64
MAX_WEIGHT = 100
LARGEST = 1 << 63


class OversizedSize(Exception):
    """A polynomial that grew beyond the limits: `(a+b+c+d) * (a+b+c+d) * …` has more terms at every step.

    Coefficients stay below what an i64 holds: a size computed at run time would wrap around, and the two would differ.
    """


def weight(size: Size) -> int:
    """How much there is of a size, what stands inside opaque terms included."""
    total = len(size.terms)
    for monomial, _ in size.terms:
        for atom in monomial:
            total += atom.weight if isinstance(atom, Opaque) else 1
    return total

Monomial = tuple[SizeAtom, ...]


def _key(atom: SizeAtom) -> tuple[int, int, str]:
    match atom:
        case SizeVar(uid=uid):
            return (0, uid, "")
        case SizeMeta(uid=uid):
            return (1, uid, "")
        case Opaque():
            return (2, 0, atom.shown)


@dataclass(frozen=True, slots=True)
class Size:
    """`terms` maps sorted products of atoms to non-zero coefficients.

    They are sorted, so equality and hashing are structural. `written` is how a type in the source writes the size, a
    sum or a product of two: equal sizes may be written differently, and only taking one apart goes by it.
    """

    terms: tuple[tuple[Monomial, int], ...]
    written: tuple[str, Size, Size] | None = field(default=None, compare=False)

    def as_written(self, op: str, left: Size, right: Size) -> Size:
        """The same size, written `left op right`."""
        return Size(self.terms, (op, left._as_part(2), right._as_part(2)))

    def _as_part(self, depth: int) -> Size:
        """The size as a part of another. How it is written is kept to some depth: parts may occur again and again."""
        if self.written is None or not depth:
            return self if self.written is None else Size(self.terms)
        op, left, right = self.written
        return Size(self.terms, (op, left._as_part(depth - 1), right._as_part(depth - 1)))

    @staticmethod
    def _make(terms: Mapping[Monomial, int]) -> Size:
        kept = [(m, c) for m, c in terms.items() if c]
        if len(kept) > MAX_TERMS or any(not -LARGEST < c < LARGEST for _, c in kept):
            raise OversizedSize
        kept.sort(key=lambda t: (-len(t[0]), tuple(_key(a) for a in t[0])))
        return Size(tuple(kept))

    @staticmethod
    def constant(value: int) -> Size:
        return Size((((), value),)) if value else Size(())

    @staticmethod
    def of(atom: SizeAtom) -> Size:
        return Size((((atom,), 1),))

    @property
    def value(self) -> int | None:
        """The number, when it is one."""
        if not self.terms:
            return 0
        if len(self.terms) == 1 and not self.terms[0][0]:
            return self.terms[0][1]
        return None

    @property
    def atom(self) -> SizeAtom | None:
        """The atom, when the size is just one."""
        if len(self.terms) == 1 and self.terms[0][1] == 1 and len(self.terms[0][0]) == 1:
            return self.terms[0][0][0]
        return None

    def __add__(self, other: Size) -> Size:
        terms = dict(self.terms)
        for m, c in other.terms:
            terms[m] = terms.get(m, 0) + c
        return Size._make(terms)

    def __neg__(self) -> Size:
        return Size(tuple((m, -c) for m, c in self.terms))

    def __sub__(self, other: Size) -> Size:
        return self + -other

    def __mul__(self, other: Size) -> Size:
        terms: dict[Monomial, int] = {}
        for m1, c1 in self.terms:
            for m2, c2 in other.terms:
                m = tuple(sorted(m1 + m2, key=_key)) if m1 and m2 else m1 or m2
                if len(m) > MAX_DEGREE:
                    raise OversizedSize
                terms[m] = terms.get(m, 0) + c1 * c2
        return Size._make(terms)

    def linear(self, atom: SizeAtom) -> tuple[Size, Size] | None:
        """`(c, r)` where this size is `c * atom + r` and neither mentions the atom."""
        factor: dict[Monomial, int] = {}
        rest: dict[Monomial, int] = {}
        for monomial, coefficient in self.terms:
            others = list(monomial)
            if atom in others:
                others.remove(atom)
                factor[tuple(others)] = coefficient
            else:
                rest[monomial] = coefficient
        found = Size._make(factor), Size._make(rest)
        return None if any(atom in part.atoms() for part in found) or not factor else found

    def divided(self, other: Size) -> Size | None:
        """The size that `other` times it is this one, when `other` is one product and every term has it as a factor."""
        if len(other.terms) != 1:
            return None
        ((factors, divisor),) = other.terms
        terms: dict[Monomial, int] = {}
        for monomial, coefficient in self.terms:
            rest = list(monomial)
            for factor in factors:
                if factor not in rest:
                    return None
                rest.remove(factor)
            if coefficient % divisor:
                return None
            terms[tuple(rest)] = coefficient // divisor
        return Size._make(terms)

    def atoms(self) -> Iterator[SizeAtom]:
        """Every atom that occurs, those inside opaque terms included; repeated where it is repeated."""
        for monomial, _ in self.terms:
            for atom in monomial:
                yield atom
                if isinstance(atom, Opaque):
                    for operand in atom.operands:
                        yield from operand.atoms()

    def substitute(self, env: Mapping[SizeAtom, Size]) -> Size:
        """Replace atoms; `env` is applied once, not to its own results."""
        if self.written is not None:
            op, left, right = self.written
            return Size(self.terms).substitute(env).as_written(op, left.substitute(env), right.substitute(env))
        if not any(a in env or isinstance(a, Opaque) for m, _ in self.terms for a in m):
            return self
        alone = self.atom
        if alone is not None and alone in env:
            return env[alone]
        total = Size(())
        for monomial, coefficient in self.terms:
            product = Size.constant(coefficient)
            for atom in monomial:
                if atom in env:
                    product = product * env[atom]
                elif isinstance(atom, Opaque):
                    product = product * Size.of(Opaque(atom.op, tuple(o.substitute(env) for o in atom.operands)))
                else:
                    product = product * Size.of(atom)
            total = total + product
        return total

    def solve_for(self, atom: SizeAtom) -> Size | None:
        """The value of `atom` that makes this size zero, when it occurs once, linearly, with coefficient ±1."""
        found: int | None = None
        rest: dict[Monomial, int] = {}
        for monomial, coefficient in self.terms:
            if monomial == (atom,):
                found = coefficient
            elif any(a == atom or (isinstance(a, Opaque) and atom in Size.of(a).atoms()) for a in monomial):
                return None
            else:
                rest[monomial] = coefficient
        if found not in (1, -1):
            return None
        return -Size._make(rest) if found == 1 else Size._make(rest)

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        parts: list[str] = []
        for monomial, coefficient in self.terms:
            factors = [_name(a) for a in monomial]
            if abs(coefficient) != 1 or not factors:
                factors.insert(0, str(abs(coefficient)))
            sign = ("-" if coefficient < 0 else "") if not parts else (" - " if coefficient < 0 else " + ")
            parts.append(sign + "*".join(factors))
        return "".join(parts)


def _name(atom: SizeAtom) -> str:
    match atom:
        case SizeVar(name=name):
            return name
        case SizeMeta(uid=uid, name=name):
            return name or f"?{uid}"
        case Opaque(op, operands):
            shown = [str(o) for o in operands]
            return f"({f' {op} '.join(shown)})" if len(operands) == 2 else f"{op}({', '.join(shown)})"
