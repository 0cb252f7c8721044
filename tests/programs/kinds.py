"""The types of generated programs: sizes are sums of the program's size parameters and a constant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dim:
    """constant + sum of factor × name; a name may be a product of sizes, `n*m`."""

    constant: int
    terms: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        parts = [name if k == 1 else f"{k}*{name}" for name, k in self.terms]
        if self.constant > 0 or not parts:
            parts.append(str(self.constant))
        return "+".join(parts)

    def __add__(self, other: Dim) -> Dim:
        counts = dict(self.terms)
        for name, k in other.terms:
            counts[name] = counts.get(name, 0) + k
        return Dim(self.constant + other.constant, tuple(sorted((n, k) for n, k in counts.items() if k)))

    @property
    def least(self) -> int:
        return self.constant

    def at(self, sizes: dict[str, int]) -> int:
        total = self.constant
        for name, k in self.terms:
            for factor in name.split("*"):
                k *= sizes[factor]
            total += k
        return total


def dim(name: str | int, more: int = 0) -> Dim:
    return Dim(name) if isinstance(name, int) else Dim(more, ((name, 1),))


@dataclass(frozen=True)
class Scalar:
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Array:
    size: Dim
    element: Type

    def __str__(self) -> str:
        return f"[{self.size}]{self.element}"


@dataclass(frozen=True)
class Tuple:
    items: tuple[Type, ...]

    def __str__(self) -> str:
        return "(" + ", ".join(map(str, self.items)) + ")"


@dataclass(frozen=True)
class Record:
    """`name` with its sizes, as a program writes the type; fields in alphabetical order."""

    name: str
    fields: tuple[tuple[str, Type], ...]

    def __str__(self) -> str:
        return f"({self.name})" if " " in self.name else self.name


@dataclass(frozen=True)
class Sum:
    """`name` with its sizes; `cases` are constructors and what they hold."""

    name: str
    cases: tuple[tuple[str, tuple[Type, ...]], ...]

    def __str__(self) -> str:
        return f"({self.name})" if " " in self.name else self.name

    @property
    def text(self) -> str:
        """What it stands for."""
        return " | ".join(" ".join([f"#{case}", *map(str, items)]) for case, items in self.cases)


Type = Scalar | Array | Tuple | Record | Sum
F64, F32, I64, I32, BOOL = (Scalar(n) for n in ("f64", "f32", "i64", "i32", "bool"))
