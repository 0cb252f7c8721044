"""What `dad build --target native` writes: a module that runs in a process of its own, and does what NumPy's does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from dad import __version__
from dad.cli import main
from dad.codegen.backends.native.built import Built

PROGRAM = """type point = {x: f64, y: f64}
def go (n: i64) : f64 = if n == 0 then 0 else 1 + go (n - 1)

entry f' (p: point) (n: i64) : f64 = (loop s = p.x for i < n do s * p.y + f64 i) + sin p.x

entry printf [n] (xs: [n]f64) (k: i64) : f64 =
  sum xs +
  xs[k]

entry nested (n: i64) : f64 = go n
"""
USE = """
import sys
import {module} as m
import numpy as np
print([name for name in dir(m) if not name.startswith("_")])
f = next(e for e in vars(m).values() if isinstance(e, m.Entry) and e.__name__ == "f'")
for _ in range(3):
    print(round(f({{"x": 1.0, "y": 2.0}}, 3), 12), f.grad({{"x": 1.0, "y": 2.0}}, 3))
print(m.printf([1, 2, 3], 1), m.printf.grad([1, 2, 3], 1), m.printf.vmap([[1, 2, 3]], [1]))
print(m.printf.jvp([1, 2, 3], 1, [1, 0, 0]), m.nested(100))
for call in (lambda: m.printf([1, 2], 2), lambda: m.nested(-1), lambda: m.printf("a", 1),
             lambda: m.printf.hessian([1], 0)):
    try:
        call()
    except (m.RunError, m.DadArgumentError) as error:
        print(type(error).__name__, error)
"""


def ran(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    (folder / "model.dad").write_text(PROGRAM, encoding="utf-8")
    for target in ("numpy", "native"):
        path = folder / f"by_{target}.dad"
        path.write_text(PROGRAM, encoding="utf-8")
        assert main(["build", str(path), "-o", str(folder), "--target", target]) == 0
    return folder


def test_it_does_what_the_numpy_module_does(built: Path) -> None:
    said = {target: ran(built, USE.format(module=f"by_{target}")) for target in ("numpy", "native")}
    texts = [re.sub(r"(19|20),\d{3} levels", "N levels", each.stdout.replace(target, "TARGET")).splitlines()
             for target, each in said.items()]
    assert not said["native"].stderr
    assert len(texts[1]) == 9 + 1
    assert texts[1][1:] == texts[0][1:]
    assert "RunError R101: index 2 is out of bounds for axis 0 of `xs` with size 2" in said["native"].stdout
    assert "by_native.dad:8)" in said["native"].stdout
    assert "R110: `go` called itself" in said["native"].stdout


def test_its_stub_is_that_of_the_numpy_module(built: Path) -> None:
    assert (built / "by_native.pyi").read_text() == (built / "by_numpy.pyi").read_text()


def test_the_same_program_gives_the_same_text(built: Path, tmp_path: Path) -> None:
    assert main(["build", str(built / "by_native.dad"), "-o", str(tmp_path), "--target", "native"]) == 0
    assert (tmp_path / "by_native.py").read_bytes() == (built / "by_native.py").read_bytes()
    assert "needs NumPy, llvmlite and dad-lang" in (built / "by_native.py").read_text()


def test_without_llvmlite_it_says_what_to_install(built: Path) -> None:
    found = ran(built, "import sys\nsys.modules['llvmlite'] = None\nimport by_native")
    assert found.returncode == 1
    assert "ImportError: U111: this module needs NumPy, llvmlite and dad-lang" in found.stderr
    assert 'pip install "dad-lang[native]"' in found.stderr


def test_another_version_does_not_read_it() -> None:
    with pytest.raises(ImportError, match=f"U111: this module was built by dad 0.0.1, and dad {__version__} is there"):
        Built("0.0.1", __version__, "", (), "")
