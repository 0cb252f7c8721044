"""Python names for the program's names: ASCII, lower case, never a keyword, a builtin or a name of the module."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata

RESERVED = frozenset({*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "np", "math", "annotations"})


def mangled(name: str) -> str:
    """An identifier of [a-z0-9_] that reads like `name`; different names may give the same.

    >>> mangled("Δx'")
    'delta_x_'
    >>> mangled("__class__"), mangled("lambda"), mangled("7")
    ('class_', 'lambda_', 'v7')
    """
    letters = []
    for char in unicodedata.normalize("NFKD", name):
        if char.isascii():
            letters.append(char)
        elif char.isalpha():
            letters.append(unicodedata.name(char, "x").split(" WITH")[0].rsplit(" ", 1)[-1] + "_")
    text = re.sub(r"[^a-z0-9_]", "_", "".join(letters).lower()).strip("_")[:40]
    if name.endswith("__") or name.endswith("'"):
        text += "_"
    if not text or text == "_":
        return "v"
    if text[0].isdigit():
        text = f"v{text}"
    return f"{text.rstrip('_')}_" if text in RESERVED else text


class Names:
    """Gives each asker a name that nobody has yet."""

    def __init__(self, taken: frozenset[str] = RESERVED) -> None:
        self.taken = set(taken)
        self.next: dict[str, int] = {}

    def new(self, name: str) -> str:
        base = mangled(name)
        if base not in self.taken:
            self.taken.add(base)
            return base
        number = self.next.get(base, 2)
        while (found := f"{base.rstrip('_')}_{number}") in self.taken:
            number += 1
        self.next[base] = number + 1
        self.taken.add(found)
        return found
