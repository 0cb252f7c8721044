"""`dad build`: write `model.py` and `model.pyi`. Files appear whole or not at all; only Dad's own are replaced."""
from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from .. import driver
from ..lang.diagnostics.render import clean
from .options import Command, Given, Option, Usage, help_line, parse
from .output import fail, read

if TYPE_CHECKING:
    from ..codegen.backends.entry import Module
    from ..codegen.lower import Kind
    from ..lang.diagnostics.report import Diagnostics

TARGETS = ("numpy", "native", "cuda")
IMPORTED = {"numpy": ("interface", "codegen.passes.differentiate", "codegen.backends.numpy"),
            "native": ("modules", "codegen.passes.differentiate", "codegen.backends.native.call"),
            "cuda": ("interface", "codegen.passes.differentiate", "codegen.backends.cuda.module")}
"""What is imported before the first stage, so that no stage is charged for it."""
COMMAND = Command(
    "build", "dad build FILE -o DIR [--target numpy|native|cuda] [--with KINDS]",
    "Write the program as a Python module, with its type stub, into a folder; the module needs NumPy alone, with\n"
    "`--target native` also llvmlite and dad-lang: it is compiled where it runs; with `--target cuda` also CuPy and a\n"
    "GPU, for which code is written beside it where NVRTC is installed: no GPU is needed here.",
    (Option("output", "the folder, made when it is missing", "DIR", short="o"),
     Option("target", "what to make (numpy)", "TARGET", TARGETS),
     Option("with", "more derivatives, with commas: hessian, hvp, jacobian, jacfwd, jacrev, laplacian", "KINDS"),
     Option("report", "say what each kernel needs of a GPU: registers, shared memory, spills (with `--target cuda`)"),
     Option("time", "say how long each stage takes; without -o nothing is written, and `native` may be timed too"),
     Option("verify", "check the compiler's own work after every pass")))


def main(args: Sequence[str]) -> int:
    given = parse(args, COMMAND)
    if len(given.words) != 1:
        raise Usage("`dad build` takes one file", help_line(COMMAND))
    if given.has("time"):
        return timed(given)
    if given.has("report") and given.get("target", "numpy") != "cuda":
        raise Usage("`--report` goes with `--target cuda`", help_line(COMMAND))
    if not given.get("output", "") and not given.has("report"):
        raise Usage("`dad build` needs a folder to write to", help_line(COMMAND))
    build(given)
    return 0


def build(given: Given) -> None:
    path = given.words[0]
    name = module_name("stdin" if path == "-" else Path(path).stem)
    from ..interface import transforms_of

    kinds = wanted_kinds(given.get("with", ""))
    known: dict[str, Literal["numpy", "native", "cuda"]] = {"native": "native", "cuda": "cuda"}
    target = known.get(given.get("target", ""), "numpy")
    module = driver.compile_source(read(path), transforms=lambda checked: transforms_of(checked, kinds),
                                   verify=given.has("verify"), target=target, promises=True)
    files: dict[str, str | bytes] = {f"{name}.py": module.python, f"{name}.pyi": module.stub}
    if target == "cuda":
        files |= images(given, name, module)
    if not given.get("output", ""):
        return
    for written in write_all(Path(given.options["output"]), files):
        print(f"wrote {clean(str(written))}")


def images(given: Given, name: str, module: Module) -> dict[str, str | bytes]:
    """Code for GPUs, and the module that knows of it. Says what kernels need, if that is asked for, and where there is
    no compiler; raises Diagnostics (U116) where a report needs it.
    """
    from ..codegen.backends.cuda import images, nvrtc

    if not nvrtc.installed():
        if given.has("report"):
            raise fail("U116", f"{nvrtc.MISSING}: it says what kernels need", nvrtc.HELP)
        print(f"note[U116]: {nvrtc.MISSING}: no code for GPUs lies beside the module, CuPy compiles it at the first "
              f"call; {nvrtc.HELP}")
        return {}
    from ..codegen.backends.native import store

    def read(key: str) -> tuple[dict[str, object], bytes] | None:
        found = store.read(key)
        return None if found is None else (found.about, found.code)

    kept = images.Kept(read, lambda key, about, code: store.write([key], about, code))
    made = images.images(name, module.kernels, kept=kept)
    if given.has("report"):
        print(images.report(made.usage, images.users(module.python)))
    return {f"{name}.py": images.known(module.python, made.table), **made.files}


def timed(given: Given) -> int:
    """Build, and say how long each stage took: for `native` what a load and the first gradients compile."""
    from ..lang.clock import stage, timing

    target = given.get("target", "numpy")
    if target == "native":
        from ..modules import wanted

        wanted(target)
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


def write_all(folder: Path, files: Mapping[str, str | bytes]) -> list[Path]:
    """Write texts, and what belongs to them, into a folder: all is checked before anything is touched, each file
    appears at once and whole. What an earlier build has written beside its module, and this one has not, is removed.

    Raises Diagnostics U104 where the system refuses, U105 for a file that Dad has not written, U106 for a link.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = {folder / name: text for name, text in files.items()}
        earlier = "".join(path.read_text(encoding="utf-8") for path, text in paths.items()
                          if isinstance(text, str) and check_free(path, text))
        for path, data in paths.items():
            if isinstance(data, bytes):
                check_own(path, data, earlier)
        written = write_checked(paths)
        for name in dict.fromkeys(re.findall(r"'([\w.-]+\.(?:cubin|ptx))'", earlier)):
            left = folder / name
            if left not in paths and left.is_file() and not left.is_symlink() and digest(left.read_bytes()) in earlier:
                left.unlink()
        return written
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise fail("U104", f"cannot write into `{clean(str(folder))}`: {why}", "give another folder with -o") from None


def check_free(path: Path, text: str) -> bool:
    """Refuse to replace what Dad has not written: its files begin with one line, up to the version. True: there is one.
    """
    if path.is_symlink():
        raise fail("U106", f"`{clean(str(path))}` is a symbolic link", "remove the link, or build into another folder")
    if not path.exists():
        return False
    head = mark(text.splitlines()[0])
    if not path.is_file():
        raise fail("U105", f"`{clean(str(path))}` is in the way", "move it away, or build into another folder")
    with path.open("rb") as file:
        first = file.readline(1000)
    if not first.startswith(head.encode()):
        raise not_ours(path)
    return True


def check_own(path: Path, data: bytes, earlier: str) -> None:
    """The same for what is no text: modules of earlier builds, of this `earlier` text, name the SHA-256 of theirs."""
    if path.is_symlink():
        raise fail("U106", f"`{clean(str(path))}` is a symbolic link", "remove the link, or build into another folder")
    if not path.exists():
        return
    found = path.read_bytes() if path.is_file() else b""
    if found != data and digest(found) not in earlier:
        raise not_ours(path)


def not_ours(path: Path) -> Diagnostics:
    return fail("U105", f"`{clean(str(path))}` was not written by `dad build`; it stays as it is",
                "move it away, or build into another folder")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def mark(line: str) -> str:
    """The part of the first line that is the same in all versions."""
    return re.split(r"\d", line, maxsplit=1)[0]


def write_checked(files: Mapping[Path, str | bytes]) -> list[Path]:
    temporary: list[tuple[str, Path]] = []
    umask = os.umask(0)
    os.umask(umask)
    try:
        for path, text in files.items():
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            temporary.append((name, path))
            with os.fdopen(handle, "wb") as file:
                file.write(text if isinstance(text, bytes) else text.encode())
            os.chmod(name, 0o666 & ~umask)
        for name, path in temporary:
            os.replace(name, path)
        return list(files)
    except BaseException:
        for name, _ in temporary:
            with contextlib.suppress(OSError):
                os.unlink(name)
        raise
