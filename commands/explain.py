"""`dad explain`: what a code means, with an example and what to do; without a code, the list of all."""
from __future__ import annotations

from collections.abc import Sequence

from ..lang.diagnostics.codes import CODES, explain
from .options import Command, Usage, parse, suggestion

COMMAND = Command("explain", "dad explain [CODE…]", "Explain the code of a message; without one, list all codes.")


def main(args: Sequence[str]) -> int:
    codes = parse(args, COMMAND).words
    if not codes:
        for code in sorted(CODES):
            print(f"{code}  {CODES[code].title}")
        return 0
    texts = []
    for code in codes:
        plain = code.strip().strip("[]").upper()
        if plain not in CODES:
            near = suggestion(plain, sorted(CODES))
            raise Usage(f"there is no code `{code}`", near or "`dad explain` lists all codes", "U003")
        texts.append(explain(plain))
    print("\n\n".join(texts))
    return 0
