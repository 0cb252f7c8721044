"""What the documents show is what happens: the README's program and message, and every example in a docstring."""
from __future__ import annotations

import doctest
import importlib
import re
from contextlib import nullcontext
from pathlib import Path

import dad
import numpy as np
import pytest
from dad import driver
from dad.lang.diagnostics.render import render_full
from dad.lang.diagnostics.report import Diagnostic
from dad.lang.source import Source
from dad.tests.cuda.standin import installed

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
FOLDERS = ("lang", "checker", "codegen", "commands", "testing")
MODULES = sorted(
    ".".join(("dad", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
    for path in [*(p for f in FOLDERS for p in (ROOT / f).rglob("*.py")), *ROOT.glob("*.py")]
    if path.name != "__main__.py")
ON_DEVICE = "dad.codegen.runtime.device"
"""What imports CuPy begins so."""


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    return [text for kind, text in found if kind == language]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    with installed() if name.startswith(ON_DEVICE) else nullcontext():
        assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_first_program_of_the_readme(tmp_path: Path) -> None:
    program = next(b for b in blocks("") if "entry loss" in b)
    (tmp_path / "model.dad").write_text(program, encoding="utf-8")
    value, gradient = dad.load(tmp_path / "model.dad").loss.value_and_grad([0.0, 1.0], [1, 2, 3], [2, 4, 6])
    assert value == pytest.approx(14 / 3)
    np.testing.assert_allclose(gradient, [-4, -28 / 3])
    assert "(4.666…, array([-4., -9.33…]))" in README


def test_the_branch_of_the_readme() -> None:
    program = next(b for b in blocks("") if "entry slopes" in b)
    np.testing.assert_allclose(dad.compile(program).slopes([-1.0, 0.0, 4.0]), [0.0, 0.0, 0.25])


def test_the_message_of_the_readme() -> None:
    """The program below has the two lines that the message shows, at their numbers."""
    text = """


entry loss [n] (theta: param [2]f64) (t: data [n]f64) (y: data [n]f64) : f64 =
  let fit = [theta[0] + theta[1] * t[i] for i < n]
  let slope = [fit[i+1] - fit[i] for i < n-1]
  let r = map2 (-) y slope
  in sum (map2 (*) r r)
"""
    assert_shown("model.dad", text)


def test_the_promise_of_the_readme() -> None:
    text = """-- errors beyond a width count less
def cost (width: f64{>0}) (x: f64) : f64 @ C1(x) =
  if abs x < width then x**2 else width * abs x
"""
    assert_shown("robust.dad", text)
    mended = text.replace("else width * abs x", re.findall(r"`(else .*?)` it is C1", README)[0])
    assert not messages(driver.check(Source("robust.dad", mended)))


def messages(checking: driver.Checking) -> tuple[Diagnostic, ...]:
    """What `dad check` says."""
    return tuple(checking.diagnostics) or driver.promises(checking)


def assert_shown(name: str, text: str) -> None:
    shown = render_full(messages(driver.check(Source(name, text)))).strip()
    assert shown in [block.strip() for block in blocks("") if block.startswith("error[")]
