"""The kernels of a module as programs that are compiled apart: what is called compiles, and what an edit leaves alone
does not compile again.

In: texts of kernels as functions of the host launch them, functions of threads, pieces of the device library. Out:
texts, each once, and *programs*: the kernel of a loop, or the kernels of a fold, or those of a piece of the library,
with the texts that they need. In a kernel registers are numbered anew, in the order in which they stand, its checks
too, and it is called `k`: so kernels that do the same are one, and a program has the same text whatever else the module
holds.

A name that begins with `dad_` or `table_` is declared by the text that mentions it first: texts stand in an order in
which each may be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from . import preamble
from .cuts import in_parts

REGISTER = re.compile(r"\b(at_[pr]|[pr])(\d+)\b")
SITE = re.compile(r"\bdad_fail\(c, (\d+)\)")
VALUE = re.compile(r"\bc->values\[(\d+)\]")
BASE = re.compile(r"k\d+")
MENTIONED = re.compile(r"'(k\d+)((?:_\w+)?)'")
NAME = re.compile(r"\b(?:dad|table)_\w+")
KERNEL = re.compile(r'extern "C" __global__ void (?:__launch_bounds__\(\d+\) )?(\w+)\(')
GLOBAL = 'extern "C" __global__'


@dataclass(frozen=True)
class Program:
    """What is compiled at once: `kernels` as the host calls them, numbers of `texts`, and numbers from 1 of the checks
    that these call `DAD_SITE_…`, in a `head`; `sites` are the module's numbers of these checks, which the text does
    not know. Kernels that only differ in these are one, under other names: `also`."""

    kernels: tuple[str, ...]
    texts: tuple[int, ...]
    head: str
    sites: tuple[int, ...]
    also: tuple[tuple[tuple[str, ...], tuple[int, ...]], ...] = ()

    def names(self) -> tuple[str, ...]:
        """All names of its kernels."""
        return (*self.kernels, *(name for names, _ in self.also for name in names))

    def checks(self) -> dict[str, tuple[int, ...]]:
        """The module's numbers of the checks, by what names of kernels begin with."""
        return {name.partition("_")[0]: sites for names, sites in ((self.kernels, self.sites), *self.also)
                for name in names if sites}


@dataclass(frozen=True)
class Programs:
    texts: tuple[str, ...]
    programs: tuple[Program, ...]

    def each(self) -> tuple[tuple[tuple[str, ...], str], ...]:
        """The kernels and the whole text of each."""
        return tuple((p.kernels, p.head + "".join(self.texts[k] for k in p.texts)) for p in self.programs)


@dataclass(frozen=True)
class Apart:
    """A text that knows nothing of its module: checks are `DAD_SITE_name_1` …, which `sites` says."""

    text: str
    sites: tuple[int, ...]

    def head(self, name: str, before: int) -> str:
        """Numbers of its checks behind so many others."""
        return "".join(f"#define DAD_SITE_{name}_{k} {before + k}\n" for k in range(1, len(self.sites) + 1))


def apart(text: str, name: str) -> Apart:
    """The checks of a text by numbers of its own.

    >>> apart("if (!p3) return dad_fail(c, 17);", "k")
    Apart(text='if (!p3) return dad_fail(c, DAD_SITE_k_1);', sites=(17,))
    """
    sites: dict[int, int] = {}

    def own(found: re.Match[str]) -> str:
        return f"dad_fail(c, DAD_SITE_{name}_{sites.setdefault(int(found[1]), len(sites) + 1)})"

    made = SITE.sub(own, text)
    return Apart(made, tuple(sites))


def renumbered(text: str, base: str) -> str:
    """A kernel with registers in the order in which they stand, called `k`.

    >>> renumbered("void k7(double *p12, long long r9) { p12[r9] = 0; }", "k7")
    'void k(double *p0, long long r1) { p0[r1] = 0; }'
    """
    numbers: dict[str, int] = {}
    made = REGISTER.sub(lambda found: f"{found[1]}{numbers.setdefault(found[2], len(numbers))}", text)
    return re.sub(rf"\b{base}(?=_|\b)", "k", made)


Own = tuple[str, list[tuple[list[str], tuple[int, ...]]]]
"""The text of a kernel, and the names by which it is launched, with the module's numbers of its checks."""


def shared(kernels: Sequence[tuple[str, str]]) -> tuple[dict[str, Own], dict[str, str]]:
    """Kernels that are different, by text; and what each kernel is called now."""
    units: dict[str, list[tuple[str, str]]] = {}
    for name, text in kernels:
        found = BASE.match(name)
        assert found, name
        units.setdefault(found[0], []).append((name.removeprefix(found[0]), text))
    known: dict[Apart, str] = {}
    made: dict[str, Own] = {}
    names: dict[str, str] = {}
    for base, parts in units.items():
        unit = apart(in_parts(renumbered("\n".join(text for _, text in parts), base)), "k")
        if unit not in known:
            known[unit] = f"k{len(known) + 1}"
            ends = [f"{known[unit]}{end.removeprefix('k')}" for end in KERNEL.findall(unit.text)]
            made.setdefault(unit.text, (unit.text, []))[1].append((ends, unit.sites))
        names[base] = known[unit]
    return made, names


def renamed(python: str, names: Mapping[str, str]) -> str:
    """Text of the host that launches the kernels by their new names."""
    return MENTIONED.sub(lambda found: f"'{names.get(found[1], found[1])}{found[2]}'", python)


def split(text: str) -> tuple[str, str]:
    """A piece of the device library without its kernels, and these."""
    rest: list[str] = []
    kernels: list[str] = []
    to = rest
    for line in text.split("\n"):
        if line.startswith(GLOBAL):
            to = kernels
        to.append(line)
        if line == "}":
            to = rest
    return "\n".join(rest).strip("\n"), "\n".join(kernels)


def programs(kernels: Mapping[str, Own], functions: Mapping[str, tuple[str, str]],
             special: Iterable[str], helpers: Iterable[str], library: Iterable[str]) -> Programs:
    """All of a module. `functions` are those of threads, heads and bodies by name; of the other texts each may mention
    those before it."""
    texts = [preamble.TYPES + preamble.STATE, preamble.HALF, *special, *helpers]
    of_library: list[str] = []
    for piece in library:
        rest, own = split(piece)
        texts += [rest] if rest else []
        of_library += [own] if own else []
    bodies: dict[int, int] = {}
    named: dict[int, str] = {}
    ends = {name: apart(in_parts(body), name) for name, (_, body) in functions.items()}
    for name, (head, _) in functions.items():
        bodies[len(texts)] = len(texts) + len(functions)
        named[len(texts)] = name
        texts.append(head)
    texts += [end.text for end in ends.values()]
    makers: dict[str, int] = {}
    needs: list[set[int]] = []
    for k, text in enumerate(texts):
        mentioned = set(NAME.findall(text))
        needs.append({makers.setdefault(name, k) for name in mentioned} - {k})

    def needed(text: str) -> tuple[list[int], list[str]]:
        """Texts, and the functions among them, by name."""
        found: set[int] = set()
        pending = [0, *(makers[name] for name in set(NAME.findall(text)) if name in makers)]
        while pending:
            k = pending.pop()
            if k not in found:
                found.add(k)
                pending += needs[k]
                if k in bodies:
                    pending.append(bodies[k])
        return sorted(found), sorted(named[k] for k in found if k in named)

    made: list[Program] = []
    every = [f"{text.rstrip()}\n" for text in texts]
    units = [*kernels.values()]
    units += [(text, [(KERNEL.findall(text), ())]) for text in dict.fromkeys(of_library)]
    for text, launched in units:
        which, called = needed(text)
        (names, sites), *others = launched
        head = Apart(text, sites).head("k", 0)
        more: list[int] = []
        for name in called:
            head += ends[name].head(name, len(sites) + len(more))
            more += ends[name].sites
        said = [int(k) for each in (text, *(texts[k] for k in which)) for k in VALUE.findall(each)]
        if max(said, default=0) > 0:
            head = f"#define DAD_VALUES {max(said) + 1}\n{head}"
        also = tuple((tuple(other), (*own, *more)) for other, own in others)
        made.append(Program(tuple(names), (*which, len(every)), head, (*sites, *more), also))
        every.append(f"{text.rstrip()}\n")
    used = sorted({k for p in made for k in p.texts})
    place = {k: j for j, k in enumerate(used)}
    return Programs(tuple(every[k] for k in used),
                    tuple(Program(p.kernels, tuple(place[k] for k in p.texts), p.head, p.sites, p.also)
                          for p in made))


def reached(roots: Mapping[str, str], python: Sequence[str], made: Programs) -> dict[str, tuple[int, ...]]:
    """Numbers of the programs that a root may launch, as far as its text and that of what it calls say so; `roots` are
    functions of the host, whose texts are `python`."""
    where = {kernel: k for k, p in enumerate(made.programs) for kernel in p.names()}
    bases = {match[0]: k for name, k in where.items() if (match := BASE.match(name))}
    own: dict[str, tuple[set[int], set[str]]] = {}
    for text in python:
        name = text.removeprefix("def ").partition("(")[0]
        found = {bases[base] for base, _ in MENTIONED.findall(text) if base in bases}
        own[name] = found, set(re.findall(r"\b_f\d+\b", text)) - {name}
    reach: dict[str, tuple[int, ...]] = {}
    for root, function in roots.items():
        seen: set[str] = set()
        pending = [function]
        numbers: set[int] = set()
        while pending:
            here = pending.pop()
            if here not in seen:
                seen.add(here)
                numbers |= own[here][0]
                pending += sorted(own[here][1])
        reach[root] = tuple(sorted(numbers))
    return reach
