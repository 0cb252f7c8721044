"""Cuts a failing program down to a small one that fails in the same way.

Parts are left out or replaced by smaller ones: lines and parameters go, an expression becomes one of its own parts of
the same type, or a constant. Whether what is left still is a program, the compiler says.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dad.tests.programs import marks
from dad.tests.programs.programs import Generated

if TYPE_CHECKING:
    from dad.tests.programs.campaign import Case

CONSTANTS = {"f64": ("0.5",), "f32": ("0.5f32",), "i64": ("1", "0"), "i32": ("1",), "bool": ("true", "false")}


def shrunk(made: Generated, case: Case, error: BaseException, seconds: float = 60.0) -> Generated:
    """The smallest program found in this time."""
    from dad.tests.programs.campaign import failure, kind_of

    wanted = kind_of(error)
    deadline = time.monotonic() + seconds
    progress = True
    while progress and time.monotonic() < deadline:
        progress = False
        for smaller in candidates(made):
            found = failure(smaller, case)
            if found is not None and kind_of(found) == wanted:
                made, progress = smaller, True
                break
            if time.monotonic() > deadline:
                break
    return made


def candidates(made: Generated) -> Iterator[Generated]:
    """Smaller programs, the much smaller ones first."""
    text = made.marked
    found = marks.parts(text)
    for name, _ in made.params:
        kept = tuple(p for p in made.params if p[0] != name)
        smaller = without(text, [p for p in found if p.key == f"p{name}"])
        if kept and not re.search(rf"\b{name}\b", marks.plain(smaller)):
            yield Generated(smaller, kept, made.floats)
    choices: list[tuple[int, str]] = []
    for part in found:
        inside = text[part.start : part.end]
        length = len(marks.plain(inside))
        if part.key == "l":
            choices.append((length, without(text, [part])))
        elif part.key.startswith("t"):
            for new in (*constants(part.key[1:]), *same_type(text, part, found)):
                shorter = length - len(marks.plain(new))
                if shorter > 0:
                    marked = new if new.startswith(marks.OPEN) else marks.marked(part.key, new)
                    choices.append((shorter, text[: part.start] + marked + text[part.end :]))
    for _, smaller in sorted(choices, key=lambda c: -c[0]):
        yield Generated(smaller, made.params, made.floats)


def without(text: str, parts: list[marks.Part]) -> str:
    for part in sorted(parts, key=lambda p: -p.start):
        text = text[: part.start] + text[part.end :]
    return text


def same_type(text: str, part: marks.Part, found: list[marks.Part]) -> Iterator[str]:
    for other in found:
        if part.start < other.start and other.end < part.end and other.key == part.key:
            yield text[other.start : other.end]


def constants(type: str) -> tuple[str, ...]:
    """Constants of a type, as operands: `[n]f64` is `(replicate (n) 0.5)`."""
    if type in CONSTANTS:
        return CONSTANTS[type]
    size = re.match(r"\[([^\]]*)\](.*)", type)
    if size:
        return tuple(f"(replicate ({size[1]}) {c})" for c in constants(size[2])[:1])
    if re.fullmatch(r"\((f64|f32|i64|bool)(, (f64|f32|i64|bool))+\)", type):
        return ("(" + ", ".join(CONSTANTS[t][0] for t in type[1:-1].split(", ")) + ")",)
    return ()
