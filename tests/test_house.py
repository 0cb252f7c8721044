"""House rules that a machine can watch: what no file of the project may say.

The forbidden words are put together from pieces, so that this file does not break its own rules.
"""
from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Places of one machine, and hosts of package registries: a clone must make sense anywhere.
FORBIDDEN_TEXT = ("../" + "shared", "/wo" + "rk/", ".lib" + "rary", "py" + "pi.org", "python" + "hosted.org",
                  "npm" + "js.org", "proxy." + "golang.org", "ana" + "conda.org", "/ro" + "ot/", "/ho" + "me/")


def tracked() -> list[Path]:
    """The files that git knows of, those about to be added included."""
    listing = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                             capture_output=True, check=True).stdout.decode()
    paths = (ROOT / name for name in listing.split("\0") if name)
    return sorted(path for path in paths if path.is_file() and ".tree" not in path.parts)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    """The file as text; pictures and other binary files have none to speak of."""
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode("utf-8")


PYTHON = [path for path in tracked() if path.suffix == ".py"]


def test_no_file_names_places_outside() -> None:
    found = [f"{name(path)}: {word}" for path in tracked() for word in FORBIDDEN_TEXT if word in text_of(path)]
    assert found == []


def test_files_end_with_a_newline() -> None:
    assert [name(path) for path in tracked() if (text := text_of(path)) and not text.endswith("\n")] == []


@pytest.mark.parametrize("path", PYTHON, ids=name)
def test_python(path: Path) -> None:
    """Every module opens with its reason, but empty package markers. Nothing is evaluated that came as text, nothing
    loaded that could run code of its own. No promise without a body, and no test that does not run.
    """
    text = text_of(path)
    tree = ast.parse(text)
    assert not text.strip() or ast.get_docstring(tree), "no docstring at the head of the module"
    evaluated: list[int] = []
    imported: set[str] = set()
    undone: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="eval")):
                evaluated.append(node.lineno)
            case ast.Import():
                imported.update(alias.name.split(".")[0] for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                imported.add(module.split(".")[0])
            case ast.Name(id="NotImplementedError" as word):
                undone.add(word)
            case ast.Attribute(attr="skip" | "skipif" | "xfail" | "importorskip" | "skipTest" as word):
                undone.add(word)
    assert evaluated == []
    assert imported & {"pickle", "marshal", "shelve", "dill"} == set()
    assert undone == set()
