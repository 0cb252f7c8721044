"""`dad build`: write `model.py` and `model.pyi`. Files appear whole or not at all; only Dad's own are replaced."""
from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .. import driver
from ..lang.diagnostics.render import clean
from .options import Command, Given, Option, Usage, help_line, parse
from .output import fail, read

if TYPE_CHECKING:
    from ..codegen.lower import Kind

TARGETS = ("numpy", "native")
IMPORTED = {"numpy": ("interface", "codegen.passes.differentiate", "codegen.backends.numpy"),
            "native": ("modules", "codegen.passes.differentiate", "codegen.backends.native.call")}
"""What is imported before the first stage, so that no stage is charged for it."""
PLANNED_TARGETS = ("cuda",)
COMMAND = Command(
    "build", "dad build FILE -o DIR [--target numpy|native] [--with KINDS]",
    "Write the program as a Python module, with its type stub, into a folder; the module needs NumPy alone, with\n"
    "`--target native` also llvmlite and dad-lang: it is compiled where it runs.",
    (Option("output", "the folder, made when it is missing", "DIR", short="o"),
     Option("target", "what to make (numpy)", "TARGET", (*TARGETS, *PLANNED_TARGETS)),
     Option("with", "more derivatives, with commas: hessian, hvp, jacobian, jacfwd, jacrev, laplacian", "KINDS"),
     Option("time", "say how long each stage takes; without -o nothing is written, and `native` may be timed too"),
     Option("verify", "check the compiler's own work after every pass")))


def main(args: Sequence[str]) -> int:
    given = parse(args, COMMAND)
    if len(given.words) != 1:
        raise Usage("`dad build` takes one file", help_line(COMMAND))
    if given.has("time"):
        return timed(given)
    if not given.get("output", ""):
        raise Usage("`dad build` needs a folder to write to", help_line(COMMAND))
    target = given.get("target", "numpy")
    if target not in TARGETS:
        raise Usage(f"the target {target} is not in this version of Dad", f"there is {', '.join(TARGETS)}", "U002")
    build(given)
    return 0


def build(given: Given) -> None:
    path = given.words[0]
    name = module_name("stdin" if path == "-" else Path(path).stem)
    from ..interface import transforms_of

    kinds = wanted_kinds(given.get("with", ""))
    target: Literal["numpy", "native"] = "native" if given.get("target", "") == "native" else "numpy"
    module = driver.compile_source(read(path), transforms=lambda checked: transforms_of(checked, kinds),
                                   verify=given.has("verify"), target=target)
    if not given.get("output", ""):
        return
    for written in write_all(Path(given.options["output"]), {f"{name}.py": module.python, f"{name}.pyi": module.stub}):
        print(f"wrote {clean(str(written))}")


def timed(given: Given) -> int:
    """Build, and say how long each stage took: for `native` what a load and the first gradients compile."""
    from ..lang.clock import stage, timing

    target = given.get("target", "numpy")
    if target == "native":
        from ..modules import wanted

        wanted(target)
    elif target not in TARGETS:
        raise Usage(f"the target {target} is not in this version of Dad", f"there is {', '.join(TARGETS)}", "U002")
    with timing() as table:
        with stage("imports"):
            for name in IMPORTED[target]:
                import_module(f"..{name}", __package__)
        if target == "native":
            load(given.words[0])
        if target != "native" or given.get("output", ""):
            build(given)
    print(table)
    return 0


def load(path: str) -> None:
    from ..interface import possible
    from ..modules import Module

    module = Module(read(path), "native", "program", tier=0)
    for entry in module.entries.values():
        for kind, wrt in possible(entry.definition):
            if kind == "value_and_grad":
                entry.compiled_for(kind, wrt)


def wanted_kinds(text: str) -> set[Kind]:
    """What is derived: the usual kinds, and those of a list with commas."""
    from ..codegen.lower import KINDS
    from ..interface import USUAL

    names = {word.strip() for word in text.split(",")} - {""}
    more = [kind for kind in KINDS if kind not in USUAL]
    unknown = sorted(names - set(KINDS) - {"grad"})
    if unknown:
        raise Usage(f"there is no derivative `{clean(unknown[0])}` to build",
                    f"`--with` takes a list of {', '.join(more)}, with commas between them")
    return {*USUAL, *(kind for kind in more if kind in names)}


def module_name(stem: str) -> str:
    """A name that Python can import, near the file's. Raises Diagnostics (U107) where nothing of it can stay.

    >>> module_name("my-model"), module_name("2d"), module_name("class")
    ('my_model', '_2d', 'class_')
    """
    name = re.sub(r"\W", "_", stem, flags=re.ASCII)
    if not name.strip("_"):
        raise fail("U107", f"`{clean(stem)}` cannot be the name of a Python module", "rename the file")
    if name[0].isdigit():
        name = "_" + name
    return name + "_" if iskeyword(name) else name


def write_all(folder: Path, files: dict[str, str]) -> list[Path]:
    """Write texts into a folder: all is checked before anything is touched, each file appears at once and whole.

    Raises Diagnostics U104 where the system refuses, U105 for a file that Dad has not written, U106 for a link.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = {folder / name: text for name, text in files.items()}
        for path, text in paths.items():
            check_free(path, text)
        return write_checked(paths)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise fail("U104", f"cannot write into `{clean(str(folder))}`: {why}", "give another folder with -o") from None


def check_free(path: Path, text: str) -> None:
    """Refuse to replace what Dad has not written: its files begin with one line, up to the version."""
    if path.is_symlink():
        raise fail("U106", f"`{clean(str(path))}` is a symbolic link", "remove the link, or build into another folder")
    if not path.exists():
        return
    head = mark(text.splitlines()[0])
    if not path.is_file():
        raise fail("U105", f"`{clean(str(path))}` is in the way", "move it away, or build into another folder")
    with path.open("rb") as file:
        first = file.readline(1000)
    if not first.startswith(head.encode()):
        raise fail("U105", f"`{clean(str(path))}` was not written by `dad build`; it stays as it is",
                   "move it away, or build into another folder")


def mark(line: str) -> str:
    """The part of the first line that is the same in all versions."""
    return re.split(r"\d", line, maxsplit=1)[0]


def write_checked(files: dict[Path, str]) -> list[Path]:
    temporary: list[tuple[str, Path]] = []
    umask = os.umask(0)
    os.umask(umask)
    try:
        for path, text in files.items():
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            temporary.append((name, path))
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            os.chmod(name, 0o666 & ~umask)
        for name, path in temporary:
            os.replace(name, path)
        return list(files)
    except BaseException:
        for name, _ in temporary:
            with contextlib.suppress(OSError):
                os.unlink(name)
        raise
