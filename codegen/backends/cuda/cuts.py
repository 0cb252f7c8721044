"""Long functions of threads in parts: time of NVIDIA's assembler grows with the square of what lives in one function.

In: the text of functions. Out: the same, where a run of many lines without control in a long function is cut into
functions that are called, one after the other. What one part computes and others read goes through cells in the
thread's memory, where it would have gone anyway: a function has 255 registers. A cell is used again when nobody reads
its number any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ..c.scalars import CELL, REGISTER

LONG, PART, LEAST = 2500, 300, 60
"""Lines of a function that is cut, of a part, and of a run that is worth a part."""
KINDS = "|".join(sorted({*REGISTER.values(), "dad_half"}))
FUNCTION = re.compile(r"(?:DAD_DEVICE|static __device__) bool (\w+)\((.*)\) \{$")
DEFINED = re.compile(rf"  ((?:{KINDS})(?: \*)?) ?([rp]\d+) = (.*);$")
STORED = re.compile(r"  ([rp]\d+\[.*\]) = (.*);$")
PARAMETER = re.compile(rf"((?:{KINDS})(?: \*)?) ?([rp]\d+)$")
NAME = re.compile(r"\b[rp]\d+\b")
WORD = re.compile(r"(?<![\w.>])[A-Za-z_]\w*\b(?! ?\()")
PLAIN = re.compile(rf"(?:[rp]\d+|table_\w+|INFINITY|NAN|INT64_M\w+|UINT64_MAX|true|false|{KINDS})$")
CHANGED = re.compile(r"^ +([rp]\d+) = ", re.MULTILINE)
FIELDS = {REGISTER[d]: CELL[d] for d in ("f64", "f32", "i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8", "bool")}


def in_parts(text: str) -> str:
    """All functions of a text, the long ones in parts."""
    if text.count("\n") < LONG:
        return text
    made: list[str] = []
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        head = FUNCTION.match(lines[at])
        end = lines.index("}", at) if head else at
        if head and end - at > LONG:
            made += cut(head[1], head[2], lines[at], lines[at + 1:end])
        else:
            made += lines[at:end + 1]
        at = end + 1
    return "\n".join(made)


def cut(name: str, parameters: str, head: str, lines: Sequence[str]) -> Iterator[str]:
    """A function in parts, which stand before it."""
    kinds = {found[2]: found[1] for p in parameters.split(", ") if (found := PARAMETER.match(p))}
    changed = set(CHANGED.findall("\n".join(lines)))
    given = set(kinds)
    plain: list[bool] = []
    for line in lines:
        made = DEFINED.match(line)
        right = f"{made[3]}" if made else line if STORED.match(line) else None
        ok = right is not None and all(map(PLAIN.match, WORD.findall(right))) and (
            kinds.keys() >= set(NAME.findall(right)))
        if made:
            kinds[made[2]] = made[1]
            ok = ok and made[2] not in changed
        plain.append(ok)
    where = list(runs(plain))
    if not where:
        yield from (head, *lines, "}")
        return
    part_of = {k: number for number, (first, last) in enumerate(where) for k in range(first, last)}
    makers: dict[str, int] = {}
    readers: dict[str, set[int]] = {}
    last_read: dict[str, int] = {}
    for k, line in enumerate(lines):
        here = part_of.get(k, -1)
        made = DEFINED.match(line)
        if made and here >= 0:
            makers[made[2]] = here
        for word in NAME.findall(line[made.end(2):] if made else line):
            readers.setdefault(word, set()).add(here)
            last_read[word] = k
    kept = {word for word, part in makers.items() if readers.get(word, set()) - {part}}
    cells: dict[str, int] = {}
    free: list[int] = []
    size = 0
    body: list[str] = []
    at = 0
    for number, (first, last) in enumerate(where):
        body += lines[at:first]
        at = last
        inside = lines[first:last]
        own = [made[2] for line in inside if (made := DEFINED.match(line))]
        wanted = dict.fromkeys(word for line in inside for word in NAME.findall(line) if word not in own)
        loaded = [word for word in wanted if word in cells and word not in given]
        passed = [word for word in wanted if word not in loaded]
        formal = ", ".join(["dad_thread *c", "dad_cell *held", *(f"{kinds[word]} {word}" for word in passed)])
        stores = []
        for word in own:
            if word in kept:
                if not free:
                    free.append(size)
                    size += 1
                cells[word] = free.pop()
                stores.append(f"  held[{cells[word]}].{field(kinds[word])} = {word};")
        yield f"DAD_CALLED void {name}_part{number}({formal}) {{"
        yield from (f"  {load(word, kinds, cells)}" for word in loaded)
        yield from inside
        yield from stores
        yield "}"
        body.append(f"  {name}_part{number}({', '.join(['c', 'held', *passed])});")
        for word in own:
            if word in kept and -1 in readers[word]:
                body.append(f"  {load(word, kinds, cells)}")
        free += [cells.pop(word) for word in [word for word in cells if last_read[word] < last]]
    body += lines[at:]
    yield from (head, f"  dad_cell held[{max(size, 1)}];", *body, "}")


def runs(plain: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where parts begin and end."""
    first = 0
    for k, ok in enumerate([*plain, False]):
        if ok:
            continue
        count = k - first
        if count >= LEAST:
            parts = -(-count // PART)
            for j in range(parts):
                yield first + count * j // parts, first + count * (j + 1) // parts
        first = k + 1


def field(kind: str) -> str:
    return "p" if kind.endswith("*") else FIELDS[kind]


def load(word: str, kinds: Mapping[str, str], cells: Mapping[str, int]) -> str:
    kind = kinds[word]
    cast = f"({kind})" if kind.endswith("*") else ""
    return f"{kind} {word} = {cast}held[{cells[word]}].{field(kind)};"
