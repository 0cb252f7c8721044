"""Cutting a text where declarations begin at the start of a line, before anything is read.

In: a text. Out: pieces that can be read one by one, and kept while the text around them is edited. No token crosses the
end of a line but a documentation comment, so a piece that begins with a declaration's word, after comments and
attributes of its own, has the same tokens whatever stands before it. Whether a declaration really begins there (the
body of a module may stand at the start of lines as well) is seen when the piece before has been read: see
`parser.parse`.
"""
from __future__ import annotations

import re
from typing import NamedTuple

_BEGIN = re.compile(r"^(?:def|entry|type|import|open|local|module|val|include|let)(?![A-Za-z0-9_'])", re.MULTILINE)
_ATTRIBUTES = re.compile(r"(?:#\[[^\]\n]*\]\s*)+(?:--.*)?")
"""A line of attributes alone; in `#[inline] f x` the attribute is of an expression, which belongs to what is above."""


class Cut(NamedTuple):
    """A piece begins at `begin`, because of the word at `word`. From `end` on it has only comments and empty lines."""

    begin: int
    word: int
    end: int


def pieces(text: str) -> list[Cut]:
    """Where pieces begin, with the documentation and attributes of their declarations, and one at the end of the text.

    >>> pieces("-- | One.\\ndef a = 1\\n-- words\\n-- | Two.\\ndef b = 2")
    [Cut(begin=0, word=10, end=20), Cut(begin=29, word=39, end=48), Cut(begin=48, word=48, end=48)]
    """
    found: list[Cut] = []
    begin, word, before = 0, -1, 0
    for match in _BEGIN.finditer(text):
        here, end = _leading(text, match.start(), before)
        before = match.end()
        if word < 0 and not end and ("-- |" in text[here:match.start()] or not text[:here].strip()):
            word = match.start()  # a comment about the file may be among those before the first declaration
            continue
        found.append(Cut(begin, word, end))
        begin, word = here, match.start()
    last = len(text)
    found.append(Cut(begin, word, max(_leading(text, last, before)[1], begin)))
    found.append(Cut(last, last, last))
    return found


def _leading(text: str, word: int, before: int) -> tuple[int, int]:
    """Where the documentation of what begins at `word` begins, and the comments and empty lines in front of it."""
    begin = line = word
    if text[word - 1:word] not in ("", "\n"):
        return word, word
    while line > before:
        start = text.rfind("\n", 0, line - 1) + 1
        stripped = text[start:line].strip()
        if start < before or (stripped and not stripped.startswith("--") and not _ATTRIBUTES.fullmatch(stripped)):
            break
        if stripped.startswith(("-- |", "#[")):
            begin = start
        line = start
    return begin, line
