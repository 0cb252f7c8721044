"""Text that remembers its structure: expressions, lines and parameters stand between invisible marks.

Generators write f-strings; a mark around each expression they make is all that is needed to find the tree again, in
which a failing program is cut down (`shrink`). `plain` takes the marks away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OPEN, KEY, CLOSE = "\x02", "\x03", "\x04"
MARKS = re.compile(f"{OPEN}[^{KEY}]*{KEY}|{CLOSE}")


def marked(key: str, text: str) -> str:
    """`text` as one part; `key` says what it is: `t` and a type, `l` for a line, `p` and the name of a parameter."""
    return f"{OPEN}{key}{KEY}{text}{CLOSE}"


def plain(text: str) -> str:
    return MARKS.sub("", text)


@dataclass(frozen=True)
class Part:
    """One marked part: its key, where it stands in the marked text, marks included, and how many parts surround it."""

    key: str
    start: int
    end: int
    depth: int


def parts(text: str) -> list[Part]:
    """All marked parts, in the order in which they begin.

    >>> [(p.key, p.depth) for p in parts(marked("a", "1 + " + marked("b", "2")))]
    [('a', 0), ('b', 1)]
    """
    found: list[Part] = []
    open_: list[tuple[str, int, int]] = []
    for mark in MARKS.finditer(text):
        if mark.group() == CLOSE:
            key, start, at = open_.pop()
            found[at] = Part(key, start, mark.end(), len(open_))
        else:
            open_.append((mark.group()[1:-1], mark.start(), len(found)))
            found.append(Part("", 0, 0, 0))
    return found
