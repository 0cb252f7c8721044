"""What `dad build --target cuda` writes beside a module: its kernels as code for cards, and what they need.

In: the texts of programs of kernels. Out: files (cubins for `nvrtc.ARCHITECTURES`, PTX of the first of them), each with
the code of one program after the other, and a table of them for the module, with their SHA-256, so that it takes no
others. Programs are compiled side by side, on all processors, and kept by what they are made of: after an edit only
those are compiled that it has changed.
"""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from typing import Any

from ...runtime.device_code import plain_kernel
from . import nvrtc
from .nvrtc import Code, Usage

NO_IMAGES = "\n_IMAGES = ()\n"
"""What modules are emitted with."""
OPTIONS = ("--fmad=false",)
"""As at run time, so that a card gives the bits that a processor gives."""
Kernels = Sequence[tuple[tuple[str, ...], str]]
"""Names of kernels as the module calls them, and the text that makes them."""
Table = tuple[tuple[int, str, str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class Images:
    """`files` by name; `table` as the module holds it: architecture (0: PTX), name, SHA-256, bytes of each program;
    `usage` by architecture.
    """

    files: dict[str, bytes]
    table: Table
    usage: dict[int, tuple[Usage, ...]]


@dataclass(frozen=True)
class Kept:
    """Where code is kept: what is there by a name, with a description, and a way to put it there."""

    read: Callable[[str], tuple[dict[str, Any], bytes] | None] = lambda key: None
    write: Callable[[str, dict[str, Any], bytes], None] = lambda key, about, code: None


def images(name: str, kernels: Kernels, options: Sequence[str] = OPTIONS, kept: Kept | None = None) -> Images:
    """The images of a module of this name; none where NVRTC is not installed.

    A module without kernels has none. Raises nvrtc.CompileError.
    """
    if not nvrtc.installed() or not kernels:
        return Images({}, (), {})
    wanted = [a for a in nvrtc.ARCHITECTURES if a in nvrtc.supported()]
    jobs = [(text, a) for a in wanted for _, text in kernels]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        made = list(pool.map(lambda job: code(job[0], job[1], options, kept or Kept()), jobs))
    files: dict[str, bytes] = {}
    table: list[tuple[int, str, str, tuple[int, ...]]] = []
    usage: dict[int, tuple[Usage, ...]] = {}
    of = {a: made[k * len(kernels):(k + 1) * len(kernels)] for k, a in enumerate(wanted)}
    parts = [(a, f"{name}.sm_{a}.cubin", [c.cubin for c in of[a]]) for a in wanted]
    for a, file, each in [*parts, (0, f"{name}.ptx", [c.ptx for c in of[wanted[0]]])]:
        files[file] = b"".join(each)
        table.append((a, file, hashlib.sha256(files[file]).hexdigest(), tuple(map(len, each))))
    for a in wanted:
        found = [named(u, names) for (names, _), c in zip(kernels, of[a], strict=True) for u in c.usage]
        usage[a] = tuple(sorted(found, key=lambda u: (len(u.kernel), u.kernel)))
    return Images(files, tuple(table), usage)


def named(used: Usage, names: Sequence[str]) -> Usage:
    """With the name by which the module knows the kernel."""
    name = next((name for name in names if plain_kernel(name) == used.kernel), used.kernel)
    return Usage(name, used.registers, used.shared, used.spilled, used.stack)


def code(text: str, architecture: int, options: Sequence[str], kept: Kept) -> Code:
    """Code of a program, made now if it is not kept. PTX is kept for the oldest architecture alone."""
    what = repr(("cuda", nvrtc.version(), nvrtc.options_of(architecture, options), text))
    key = hashlib.sha256(what.encode()).hexdigest()
    found = kept.read(key)
    if found is not None:
        about, data = found
        size = about["cubin"]
        return Code(architecture, data[:size], data[size:], tuple(Usage(*row) for row in about["usage"]))
    made = nvrtc.compiled(text, architecture, options)
    ptx = made.ptx if architecture == nvrtc.ARCHITECTURES[0] else b""
    kept.write(key, {"cubin": len(made.cubin), "usage": [list(astuple(u)) for u in made.usage]}, made.cubin + ptx)
    return Code(architecture, made.cubin, ptx, made.usage)


def known(module: str, table: Table) -> str:
    """The text of a module that knows of these images.

    >>> known("import cupy\\n_IMAGES = ()\\n", ((90, "m.sm_90.cubin", "00", (9,)),))
    "import cupy\\n_IMAGES = (\\n    (90, 'm.sm_90.cubin', '00', (9,)),\\n)\\n"
    """
    before, none, behind = module.partition(NO_IMAGES)
    assert none, "a module without a place for images"
    lines = "".join(f"    {row!r},\n" for row in table)
    return f"{before}\n_IMAGES = (\n{lines})\n{behind}"


def users(module: str) -> dict[str, list[str]]:
    """Which entries and derivatives of a module launch a kernel, by the kernel's name."""
    reached: dict[str, set[str]] = {}
    entries: dict[str, str] = {}
    for node in ast.parse(module).body:
        match node:
            case ast.FunctionDef(name=name):
                words = [n.id if isinstance(n, ast.Name) else n.value for n in ast.walk(node)
                         if isinstance(n, ast.Name | ast.Constant)]
                reached[name] = {word for word in words if isinstance(word, str)}
            case ast.Assign([ast.Name(id=name)], ast.Call(ast.Name(id="DeviceEntry"), [_, first, *_], keywords)):
                entries[name] = function_in(first)
                for keyword in keywords:
                    match keyword:
                        case ast.keyword("transforms", ast.Dict(kinds, functions)):
                            for kind, made in zip(kinds, functions, strict=True):
                                if isinstance(kind, ast.Constant):
                                    entries[f"{name}.{kind.value!s}"] = function_in(made)
    found: dict[str, list[str]] = {}
    for entry, root in entries.items():
        seen: set[str] = set()
        pending = [root]
        while pending:
            here = pending.pop()
            if here not in seen:
                seen.add(here)
                pending += sorted(reached.get(here, ()))
        for name in seen:
            found.setdefault(name, []).append(entry)
    return found


def function_in(made: ast.expr) -> str:
    """The function of which this makes one of leaves."""
    match made:
        case ast.Call(args=[ast.Name(id=name), *_]):
            return name
    raise AssertionError(ast.unparse(made))


def report(usage: dict[int, tuple[Usage, ...]], users: Mapping[str, Sequence[str]]) -> str:
    """A table of what kernels need: registers of a thread on each kind of card, bytes of shared memory of a block,
    bytes of a thread that are spilled and that its stack has, on the card where it is most, and who launches it.

    >>> print(report({75: (Usage("k1", 42, 2048, 0, 0), Usage("k12", 255, 0, 48, 96)),
    ...               90: (Usage("k1", 40, 2048, 0, 0), Usage("k12", 255, 0, 40, 96))}, {"k1": ["f", "f.jvp"]}))
    kernel  registers: sm_75  sm_90  shared  spilled  stack  in
    k1                    42     40    2048        0      0  f, f.jvp
    k12                  255    255       0       48     96
    """
    rows: dict[str, list[Usage]] = {}
    for used in usage.values():
        for u in used:
            rows.setdefault(u.kernel, []).append(u)
    cards = [f"sm_{a}" for a in usage]
    if cards:
        cards[0] = f"registers: {cards[0]}"
    table = [["kernel", *cards, "shared", "spilled", "stack", "in"]]
    for kernel, each in rows.items():
        most = (max(getattr(u, what) for u in each) for what in ("shared", "spilled", "stack"))
        table.append([kernel, *(str(u.registers) for u in each), *map(str, most),
                      ", ".join(users.get(kernel, users.get(kernel.partition("_")[0], ())))])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    ends = (0, len(table[0]) - 1)
    return "\n".join("  ".join(cell.ljust(w) if k in ends else cell.rjust(w) for k, (cell, w) in
                               enumerate(zip(row, widths, strict=True))).rstrip() for row in table)
