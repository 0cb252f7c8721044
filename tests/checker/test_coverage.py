"""The search for cases that are missing, against trying every value of small types."""
from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random

import pytest
from dad.checker.coverage import Con, Pattern, Search, shown, signature
from dad.lang.types import BOOL, I64, Record, Sum, Tuple, Type

COLOR = Sum((("blue", ()), ("green", (BOOL,)), ("red", ())))
NESTED = Sum((("leaf", (COLOR,)), ("none", ()), ("pair", (BOOL, COLOR))))
TYPES: tuple[Type, ...] = (BOOL, COLOR, NESTED, Tuple((BOOL, COLOR)), Record((("x", BOOL), ("y", Tuple((BOOL, BOOL))))),
                           Tuple((COLOR, NESTED)), Tuple((I64, BOOL)))
NUMBERS = (0, 1, 2, 3, 4)
"""Enough of them: patterns are made of three."""


def values(t: Type) -> list[Con]:
    if t == I64:
        return [Con(n) for n in NUMBERS]
    return [Con(key, parts) for key, types in signature(t) or ()
            for parts in itertools.product(*(values(u) for u in types))]


def fits(p: Pattern, value: Con) -> bool:
    if p is None:
        return True
    inner = ((a, b) for a, b in zip(p.parts, value.parts, strict=True) if b is not None)
    return p.key == value.key and all(fits(a, b) for a, b in inner)


def random_pattern(rng: Random, t: Type) -> Pattern:
    if rng.randrange(3) == 0:
        return None
    if t == I64:
        return Con(rng.randrange(3))
    shape = signature(t)
    assert shape is not None
    key, types = rng.choice(shape)
    return Con(key, tuple(random_pattern(rng, u) for u in types))


def matrices() -> Iterator[tuple[Type, list[Pattern]]]:
    rng = Random(3)
    for _ in range(400):
        t = rng.choice(TYPES)
        yield t, [random_pattern(rng, t) for _ in range(rng.randrange(9))]


def test_what_is_missing_is_missing() -> None:
    covered = 0
    for t, patterns in matrices():
        left = [v for v in values(t) if not any(fits(p, v) for p in patterns)]
        found = Search().missing([(p,) for p in patterns], (t,))
        assert (found is None) == (not left), (t, patterns)
        if found is None:
            covered += 1
            continue
        example = [v for v in values(t) if fits(found[0], v)]
        assert example, found
        assert all(v in left for v in example), f"{shown(found[0], t)} is covered"
    assert 40 < covered < 360


def test_a_case_is_of_use_when_it_fits_something_new() -> None:
    for t, patterns in matrices():
        for k, p in enumerate(patterns):
            new = any(fits(p, v) and not any(fits(q, v) for q in patterns[:k]) for v in values(t))
            assert Search().useful([(q,) for q in patterns[:k]], (p,), (t,)) == new, (t, patterns[:k], p)


@pytest.mark.parametrize(("pattern", "t", "text"), [
    (None, BOOL, "_"),
    (Con("green", (Con(True),)), COLOR, "#green true"),
    (Con("pair", (None, Con("green", (None,)))), NESTED, "#pair _ (#green _)"),
    (Con("tuple", (Con(3), None)), Tuple((I64, BOOL)), "(3, _)"),
])
def test_patterns_are_shown_as_they_are_written(pattern: Pattern, t: Type, text: str) -> None:
    assert shown(pattern, t) == text
