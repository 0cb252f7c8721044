"""What `dad build --target cuda` writes beside a module: its kernels as code for cards, and what they need.

In: the text of the kernels. Out: files (cubins for `nvrtc.ARCHITECTURES`, PTX of the first of them) and a table of them
for the module, with their SHA-256, so that it takes no others.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import nvrtc
from .nvrtc import Usage

NO_IMAGES = "\n_IMAGES = ()\n"
"""What modules are emitted with."""
OPTIONS = ("--fmad=false",)
"""As at run time, so that a card gives the bits that a processor gives."""


@dataclass(frozen=True)
class Images:
    """`files` by name; `table` as the module holds it: architecture (0: PTX), name, SHA-256; `usage` by architecture.
    """

    files: dict[str, bytes]
    table: tuple[tuple[int, str, str], ...]
    usage: dict[int, tuple[Usage, ...]]


def images(name: str, text: str, options: Sequence[str] = OPTIONS) -> Images:
    """The images of a module of this name; none where NVRTC is not installed.

    A text without kernels has none. Raises nvrtc.CompileError.
    """
    if not nvrtc.installed() or "__global__" not in text:
        return Images({}, (), {})
    wanted = [a for a in nvrtc.ARCHITECTURES if a in nvrtc.supported()]
    with ThreadPoolExecutor(len(wanted)) as pool:
        made = list(pool.map(lambda a: nvrtc.compiled(text, a, options), wanted))
    files = {f"{name}.sm_{code.architecture}.cubin": (code.architecture, code.cubin) for code in made}
    files[f"{name}.ptx"] = (0, made[0].ptx)
    return Images({file: data for file, (_, data) in files.items()},
                  tuple((a, file, hashlib.sha256(data).hexdigest()) for file, (a, data) in files.items()),
                  {code.architecture: code.usage for code in made})


def known(module: str, table: tuple[tuple[int, str, str], ...]) -> str:
    """The text of a module that knows of these images.

    >>> known("import cupy\\n_IMAGES = ()\\n", ((90, "m.sm_90.cubin", "00"),))
    "import cupy\\n_IMAGES = (\\n    (90, 'm.sm_90.cubin', '00'),\\n)\\n"
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
        table.append([kernel, *(str(u.registers) for u in each), *map(str, most), ", ".join(users.get(kernel, ()))])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    ends = (0, len(table[0]) - 1)
    return "\n".join("  ".join(cell.ljust(w) if k in ends else cell.rjust(w) for k, (cell, w) in
                               enumerate(zip(row, widths, strict=True))).rstrip() for row in table)
