"""Why code of a program is, or is not, in the cache: what differs from the nearest entry."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ....lang.core import ir
from . import jit, store
from .objects import Object, packed_object, unpacked
from .threads import looped
from .units import Keyed, units_of

WORDS = {"compiler": "by another version of Dad's compiler", "llvm": "by another version of LLVM",
         "triple": "for another system", "cpu": "for another processor",
         "features": "for a processor that can do other things"}
MOST = 5000
"""Entries that are looked at."""


@dataclass(frozen=True)
class Answer:
    """Of one unit: its functions, the tier, and what is missing; nothing when it is there."""

    names: tuple[str, ...]
    tier: int
    missing: str


def answers(program: ir.Program, roots: Collection[str]) -> list[Answer]:
    """For each unit of a program, and for all as one unit at tier 1."""
    known = list(entries())
    units = units_of(looped(program), roots)
    found = [Answer(k.unit.names, 0, missing(k, 0, known)) for k in units.units]
    return [*found, Answer((), 1, missing(units.group_outline(), 1, known))]


def entries() -> Iterator[Object]:
    """What the cache has, the latest first."""
    path = store.usable(False)
    if path is None:
        return
    seen: set[int] = set()
    for file in sorted(store.files(path), key=lambda f: -f.used)[:MOST]:
        if file.inode not in seen and file.name.endswith(store.SUFFIX):
            seen.add(file.inode)
            entry = store.opened(path / file.name)
            made = None if entry is None else packed_object(entry)
            if made is not None:
                yield made


def missing(k: Keyed, tier: int, known: list[Object]) -> str:
    """Why this unit is not in the cache; empty when it is."""
    environment = jit.environment()
    key = environment.key(k.digest, tier)
    path = store.usable(False)
    if path is None:
        return "the cache is not used"
    if (path / (key + store.SUFFIX)).exists():
        entry = store.read(key)
        made = None if entry is None else unpacked(entry)
        return "" if made is not None and key in made.units else "its entry is damaged; it will be replaced"
    same = [made for made in known for unit in made.units.values() if unit.digest == k.digest]
    for made in same:
        if made.tier == tier:
            return "it was compiled " + " and ".join(
                f"{words} ({theirs or 'unknown'}, here {here})" if name in ("llvm", "triple", "cpu") else words
                for name, words in WORDS.items()
                if (theirs := made.environment.get(name, "")) != (here := getattr(environment, name)))
    if same:
        return f"it was compiled for tier {same[0].tier} only"
    if tier:
        if any(set(k.unit.names) == set(unit.names) for made in known if made.tier for unit in made.units.values()):
            return "the code of one of its functions changed since it was last compiled"
        return "it was never compiled, or its entry was removed; it is compiled when calls took long enough"
    if any(k.unit.names[0] in unit.names for made in known for unit in made.units.values()):
        return "its code changed since it was last compiled"
    return "it was never compiled, or its entry was removed"


def sound(path: Path) -> tuple[int, list[Path]]:
    """How many entries are what they say, and the files that are not."""
    good: set[int] = set()
    bad = []
    for file in store.files(path):
        if file.inode in good or file.name.startswith(store.TEMPORARY):
            continue
        entry = store.opened(path / file.name)
        units = [] if entry is None else entry.about.get("units")
        if units is not None and file.name.removesuffix(store.SUFFIX) not in list(units):
            bad.append(path / file.name)
        else:
            good.add(file.inode)
    return len(good), bad
