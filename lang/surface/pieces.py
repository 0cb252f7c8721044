"""Cutting a text where declarations begin at the start of a line, before anything is read.

In: a text. Out: pieces that can be read one by one, and kept while the text around them is edited. No token crosses the
end of a line but a documentation comment, so a piece that begins with a declaration's word, after comments and
attributes of its own, has the same tokens whatever stands before it. Whether a declaration really begins there (the
body of a module may stand at the start of lines as well) is seen when the piece before has been read: see
`parser.parse`.
"""
from __future__ import annotations

import re

_BEGIN = re.compile(r"^(?:def|entry|type|import|open|local|module|val|include|let)(?![A-Za-z0-9_'])", re.MULTILINE)


def pieces(text: str) -> list[tuple[int, int]]:
    """Offsets where pieces begin, each with the offset of the word that makes it one; the first piece begins at 0.

    Empty lines belong to the piece before.

    >>> pieces("-- | One.\\ndef a = 1\\n-- | Two.\\ndef b = 2")
    [(0, 10), (20, 30)]
    """
    found: list[tuple[int, int]] = []
    before = 0
    for match in _BEGIN.finditer(text):
        word = match.start()
        begin = line = word
        while line > before:
            line, end = text.rfind("\n", 0, line - 1) + 1, line
            stripped = text[line:end].strip()
            if stripped.startswith(("--", "#[")):
                begin = line
            elif stripped:
                break
        found.append((begin, word))
        before = match.end()
    if found and not text[:found[0][0]].strip():
        found[0] = (0, found[0][1])
    elif not found or found[0][0] > 0:
        found.insert(0, (0, -1))
    return found
