"""Who may import whom: the table of rooms in ARCHITECTURE.md, asserted over every Python file of the package.

Comes in: the text of the files, read with `ast`, nothing is imported. Goes out: one failure per file, with its lines.
Imports inside functions and under TYPE_CHECKING count like any other: a wall has no back door.
"""
from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Room → the rooms that it may import, itself understood. Names are those of modules without the leading `dad.`; a name
# stands for all that lies below it, and the longest fitting name decides.
FRONT = ("lang.record", "lang.source", "lang.diagnostics", "lang.surface")
TYPES = (*FRONT, "lang.types", "lang.sizes")
WALLS: dict[str, tuple[str, ...]] = {
    "lang": (),
    "lang.intrinsics": (),
    "lang.record": (),
    "lang.source": ("lang.record",),
    "lang.diagnostics": ("lang.record", "lang.source"),
    "lang.surface": ("lang.record", "lang.source", "lang.diagnostics"),
    "lang.types": (*FRONT, "lang.sizes"),
    "lang.sizes": (*FRONT, "lang.types"),
    "lang.core": TYPES,
    "lang.prims": (*TYPES, "lang.core"),
    "formatter": FRONT,
    "checker": ("lang",),
    "codegen": (),
    "codegen.lower": ("lang", "checker"),
    "codegen.passes": ("lang",),
    "codegen.interp": ("lang", "codegen.runtime"),
    "codegen.trap": ("lang", "codegen.interp", "codegen.runtime"),
    "codegen.cost": ("lang", "codegen.passes", "codegen.interp", "codegen.runtime"),
    "codegen.sparsity": ("lang", "codegen.interp", "codegen.runtime"),
    "codegen.backends": ("lang", "codegen.passes", "codegen.runtime"),
    "codegen.backends.native": ("lang", "codegen.passes", "codegen.backends.loops", "codegen.runtime"),
    "codegen.backends.c": ("lang", "codegen.backends.loops", "codegen.runtime"),
    "codegen.backends.cuda": ("lang", "codegen.passes", "codegen.backends.loops", "codegen.backends.native.kernels",
                              "codegen.backends.c", "codegen.backends.numpy", "codegen.backends.entry",
                              "codegen.runtime"),
    "codegen.runtime": (),
    "grades": ("lang",),
    "stdlib": (),
}

# The faces may import everything: the modules at the root, and these folders.
FACES = ("commands", "testing")

# So may what is not part of the package; nothing of the package may import it in turn.
FREE = ("tests", "examples", "benchmarks")

# What a room may use besides Python's own library: two of the compiler's dependencies, but for emitted modules' helpers
# and for grades, which count in 50 digits.
DEPENDENCIES = {"lark", "numpy"}
GRADES_DEPENDENCIES = {"mpmath", "flint"}
RUNTIME_DEPENDENCIES = {"numpy", "cupy", "cupyx"}
NATIVE_DEPENDENCIES = {"numpy", "llvmlite"}
GRADES_DEPENDENCIES = {"numpy", "mpmath"}


def files() -> list[Path]:
    """The Python files of the package, without tests, examples, benchmarks and what is hidden or built."""
    return sorted(path for path in ROOT.rglob("*.py")
                  if not any(part.startswith(".") or part in (*FREE, "build", "dist", "__pycache__")
                             for part in path.relative_to(ROOT).parts))


def module_name(path: Path) -> str:
    """`codegen.lower` for codegen/lower.py, `codegen` for codegen/__init__.py, "" for the root's __init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def imports(tree: ast.AST, package: list[str]) -> Iterator[tuple[int, str]]:
    """Line and full name of each import; names of this package begin with `dad`, relative ones resolved from `package`.

    `from a import b` is an import of `a.b` where that is a module, else of `a`.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = [node.module] if node.module else []
            if node.level:
                above = package[:len(package) - (node.level - 1)]
                base = ["dad", *above, *base]
            name = ".".join(base)
            for alias in node.names:
                inner = f"{name}.{alias.name}"
                local = inner.removeprefix("dad.")
                yield node.lineno, inner if inner != local and is_module(local) else name


def room(name: str) -> str | None:
    """The room of a module, None for the faces at the root."""
    fitting = [each for each in WALLS if name == each or name.startswith(each + ".")]
    return max(fitting, key=len, default=None)


def within(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == each or name.startswith(each + ".") for each in rooms)


def violations(name: str, text: str, package: list[str]) -> list[str]:
    """What is wrong with the imports of the module `name`, one sentence each."""
    home = room(name)
    found = []
    for line, target in imports(ast.parse(text), package):
        top, _, local = target.partition(".")
        if top == "dad":
            if home is None:
                if within(local, FREE):
                    found.append(f"line {line}: the package imports {target}, which is not installed with it")
            elif not within(local, (home, *WALLS[home])):
                found.append(f"line {line}: {home} may not import {target}")
        elif top not in sys.stdlib_module_names:
            allowed = {"codegen.runtime": RUNTIME_DEPENDENCIES,
                       "codegen.backends.native": NATIVE_DEPENDENCIES,
                       "grades": GRADES_DEPENDENCIES}.get(home or "", DEPENDENCIES)
            if top not in allowed:
                found.append(f"line {line}: {home or 'dad'} may not depend on {top}")
    return found


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_respect_the_walls(path: Path) -> None:
    name = module_name(path)
    package = list(path.relative_to(ROOT).parent.parts)
    assert violations(name, path.read_text(encoding="utf-8"), package) == []


def test_every_folder_has_a_room() -> None:
    homeless = {module_name(path) for path in files() if len(path.relative_to(ROOT).parts) > 1}
    assert sorted(name for name in homeless if room(name) is None and not within(name, FACES)) == []


@pytest.mark.parametrize(("name", "text"), [
    ("lang.types", "from ..checker import infer"),
    ("lang.surface.parser", "from ..core import ir"),
    ("lang.core.ir", "from ..prims import table"),
    ("checker.infer", "from ..codegen import lower"),
    ("checker.infer", "def f() -> None:\n    from dad.codegen.passes import jvp"),
    ("codegen.passes.jvp", "from ...checker import infer"),
    ("codegen.passes.jvp", "from ..backends import numpy"),
    ("codegen.interp", "from .lower import lower"),
    ("codegen.passes.jvp", "from ...testing import values"),
    ("codegen.backends.numpy", "from ...checker import infer"),
    ("codegen.runtime.arguments", "from ...lang import types"),
    ("codegen.runtime.arguments", "import lark"),
    ("codegen.passes.jvp", "import scipy.linalg"),
    ("lang.types", "from .. import driver"),
    ("lang.types", "import dad"),
])
def test_the_test_sees_a_breach(name: str, text: str) -> None:
    assert len(violations(name, text, name.split(".")[:-1])) == 1


@pytest.mark.parametrize(("name", "text"), [
    ("driver", "from .codegen.backends import numpy\nfrom .checker import infer"),
    ("lang.prims.unary", "from ..core import ir\nfrom ..types import Type\nfrom . import table"),
    ("lang.surface.parser", "from ..source import Span\nfrom .ast import Node\nimport lark"),
    ("codegen.backends.numpy", "from ..passes import vmap\nfrom ...lang.core import ir\nimport numpy as np"),
    ("codegen.lower", "from ..checker import infer\nfrom ..lang.core import ir"),
])
def test_the_test_lets_pass_what_may(name: str, text: str) -> None:
    assert violations(name, text, name.split(".")[:-1]) == []


def test_check_does_not_load_what_it_does_not_need(tmp_path: Path) -> None:
    """`dad check` answers while one types: NumPy alone would cost more than all the rest of it."""
    program = tmp_path / "small.dad"
    program.write_text("def square (x: f64) : f64 = x * x\n", encoding="utf-8")
    script = ("import sys\nfrom dad.cli import main\nstatus = main(['check', sys.argv[1]])\n"
              "heavy = sorted({'numpy', 'scipy', 'matplotlib', 'lark', 'llvmlite', 'mpmath'} & set(sys.modules))\n"
              "print('heavy:', heavy, 'status:', status)")
    environment = {"PYTHONPATH": str(ROOT / ".tree"), "PATH": ""}
    result = subprocess.run([sys.executable, "-c", script, str(program)], capture_output=True, text=True,
                            env=environment, check=False)
    assert result.stdout.splitlines()[-1:] == ["heavy: [] status: 0"], result.stderr
