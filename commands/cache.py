"""`dad cache`: where machine code is kept, how much of it, and why code of a program is not there."""
from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .. import driver
from ..lang.diagnostics.render import clean
from .options import Command, Usage, help_line, parse, suggestion
from .output import read

if TYPE_CHECKING:
    from ..lang.core import ir

WORDS = ("clear", "verify", "why")
COMMAND = Command(
    "cache", "dad cache [clear | verify | why FILE]",
    "Say where machine code is kept and how much of it there is; empty the folder, check its entries, or say which\n"
    "code of a program is there and why other code is not.",
    details="The folder is DAD_CACHE_DIR, else `dad` in the user's folder for caches. DAD_CACHE=0 does without;\n"
            "DAD_CACHE_SIZE is how many megabytes it may hold (512); what was not used for longest goes first.")


def main(args: Sequence[str]) -> int:
    from ..modules import wanted

    given = parse(args, COMMAND)
    wanted("native")
    match given.words:
        case ():
            lines = list(about())
        case ("clear",):
            lines = list(clear())
        case ("verify",):
            return verify()
        case ("why", path):
            lines = list(why(path))
        case ("why", *_):
            raise Usage("`dad cache why` takes one file", help_line(COMMAND))
        case (word, *_):
            raise Usage(f"`dad cache` cannot do `{clean(word)}`", suggestion(word, WORDS) or help_line(COMMAND))
    print("\n".join(lines))
    return 0


def about() -> Iterator[str]:
    from ..codegen.backends.native import store

    path = store.folder()
    if path is None:
        yield "machine code is not kept: DAD_CACHE is 0"
        return
    yield f"folder   {clean(str(path))}"
    if reason := store.refused(path):
        yield f"not used: {clean(reason)}"
        return
    count, size = store.size(path)
    yield f"entries  {count}"
    yield f"size     {megabytes(size)} of at most {megabytes(store.limit())}"


def clear() -> Iterator[str]:
    from ..codegen.backends.native import store

    path = store.usable(False)
    count = 0 if path is None else store.clear(path)
    yield f"removed {count} {'entry' if count == 1 else 'entries'}"


def verify() -> int:
    from ..codegen.backends.native import store, why

    path = store.usable(False)
    good, bad = (0, []) if path is None else why.sound(path)
    for file in bad:
        store.remove(file)
        print(f"removed {clean(file.name)}: it is not what it says", file=sys.stderr)
    print(f"{good} {'entry is' if good == 1 else 'entries are'} sound")
    return 1 if bad else 0


def why(path: str) -> Iterator[str]:
    from ..codegen.backends.native.why import answers

    for title, program, roots in programs(path):
        yield title
        for answer in answers(program, roots):
            what = " and ".join(clean(name) for name in answer.names if name in program.functions)
            yield f"  {what or 'all of it'}, tier {answer.tier}: {answer.missing or 'in the cache'}"


def programs(path: str) -> Iterator[tuple[str, ir.Program, list[str]]]:
    """What is compiled together when it is first asked for: each entry, and each gradient."""
    from ..codegen.lower import Lowering, Transform
    from ..interface import possible

    checked = driver.check(read(path)).require()
    with driver.without_collection():
        lowering = Lowering(checked)
        for d in checked.entries:
            lowered = lowering.lowered(d)
            roots = [lowered.entries[d.qualified]]
            yield f"entry {d.name}", driver.optimised(lowered.program, roots), roots
            for kind, wrt in possible(d):
                if kind == "value_and_grad":
                    t = Transform(d.name, kind, wrt)
                    lowered = lowering.lowered(d, t)
                    roots = [lowered.transforms[t]]
                    yield f"gradient of {d.name}", driver.optimised(lowered.program, roots), roots


def megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MB"
