"""The text of the runtime helpers that a module uses, and of what they use: modules stand on NumPy alone.

Reads the files of `codegen.runtime` once; a helper is a function, class or constant at the top of one of them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILES = ("errors", "numbers", "special", "probability", "matrices", "arrays", "checks", "arguments", "depth",
         "results", "path", "entry")
DEVICE_FILES = (*FILES, "device_code", "device_numbers", "device_memory", "device_sorting", "device_folds",
                "device_scatters", "device_additions", "device_sums", "device_matrices", "device_primitives", "device")
"""With what drives a GPU."""
PACKAGE = "dad.codegen.runtime"


@dataclass(frozen=True)
class Helper:
    file: str
    text: str
    uses: frozenset[str]


@cache
def helpers(files: tuple[str, ...] = FILES) -> dict[str, Helper]:
    """All helpers by name, in the order in which their text may stand."""
    folder = Path(__file__).parent.parent.parent / "runtime"
    found: dict[str, Helper] = {}
    for file in files:
        source = (folder / f"{file}.py").read_text(encoding="utf-8")
        lines = source.splitlines()
        for node in ast.parse(source).body:
            names = _defined(node)
            if not names:
                continue
            assert node.end_lineno is not None
            uses = frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))
            text = "\n".join(lines[node.lineno - 1 : node.end_lineno])
            for name in names:
                found[name] = Helper(file, text, uses - set(names))
    return found


def _defined(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=[ast.Tuple(elts=parts)]):
            return [part.id for part in parts if isinstance(part, ast.Name)]
    return []


def closure(names: Iterable[str], files: tuple[str, ...] = FILES) -> list[str]:
    """These helpers and those that they use, in text order."""
    known = helpers(files)
    pending, needed = [n for n in names if n in known], set()
    while pending:
        name = pending.pop()
        if name not in needed:
            needed.add(name)
            pending.extend(n for n in known[name].uses if n in known)
    return [name for name in known if name in needed]


def standalone(names: Iterable[str], files: tuple[str, ...] = FILES) -> str:
    """The text of the helpers."""
    known = helpers(files)
    blocks = []
    for name in closure(names, files):
        blocks.append(known[name].text)
    return "\n\n\n".join(dict.fromkeys(blocks))


def linked(names: Iterable[str], files: tuple[str, ...] = FILES) -> str:
    """Imports of the helpers from the installed package."""
    known = helpers(files)
    by_file: dict[str, list[str]] = {}
    for name in closure(names, files):
        if name in set(names):
            by_file.setdefault(known[name].file, []).append(name)
    return "\n".join(f"from {PACKAGE}.{file} import {', '.join(sorted(found))}" for file, found in by_file.items())
