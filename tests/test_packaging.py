"""pyproject.toml and the folders say the same: nothing on disk is left out of the wheel, and nothing is named twice."""
from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOT_PACKAGES = {"tests", "examples", "benchmarks", "build", "dist", "docs"}

# Every .py file at the root is shipped in the wheel, so that each must be meant.
ROOT_MODULES = {"__init__.py", "__main__.py", "certificate.py", "cli.py", "costs.py", "driver.py", "graded.py",
                "interface.py", "modules.py", "sparse.py"}


def project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def on_disk() -> set[str]:
    """The packages found in the tree: each folder with Python files, outside tests, examples and the like."""
    folders = {path.parent.relative_to(ROOT) for path in ROOT.rglob("*.py")}
    return {".".join(("dad", *folder.parts)) for folder in folders
            if not any(part.startswith(".") or part == "__pycache__" or part.endswith(".egg-info")
                       for part in folder.parts)
            and (not folder.parts or folder.parts[0] not in NOT_PACKAGES)}


def folder_of(package: str) -> Path:
    return ROOT.joinpath(*package.split(".")[1:])


def test_packages_are_named() -> None:
    named: list[str] = project()["tool"]["setuptools"]["packages"]
    assert len(named) == len(set(named))
    assert set(named) == on_disk()


def test_packages_have_an_init() -> None:
    assert [name for name in sorted(on_disk()) if not (folder_of(name) / "__init__.py").is_file()] == []


def test_root_modules_are_known() -> None:
    assert {path.name for path in ROOT.glob("*.py")} == ROOT_MODULES


@pytest.mark.parametrize(("package", "patterns"), project()["tool"]["setuptools"]["package-data"].items())
def test_package_data_exists(package: str, patterns: list[str]) -> None:
    empty = [pattern for pattern in patterns if not any(folder_of(package).glob(pattern))]
    assert empty == []


def test_data_files_are_shipped() -> None:
    """What lies beside the modules (grammar, tables, Dad sources) is covered by a pattern of its package."""
    data: dict[str, list[str]] = project()["tool"]["setuptools"]["package-data"]
    forgotten = []
    for package in on_disk() - {"dad"}:
        for path in folder_of(package).iterdir():
            if path.is_file() and path.suffix not in (".py", ".pyc", ".md") \
                    and not any(path.match(pattern) for pattern in data.get(package, [])):
                forgotten.append(str(path.relative_to(ROOT)))
    assert forgotten == []


def test_version_is_written_once() -> None:
    """`__version__` in the root's __init__.py; pyproject.toml reads it there."""
    assert "version" not in project()["project"]
    assert project()["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "dad.__version__"}
    written = []
    for package in on_disk():
        for path in folder_of(package).glob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) \
                        and any(isinstance(target, ast.Name) and target.id in ("__version__", "VERSION")
                                for target in node.targets):
                    written.append(str(path.relative_to(ROOT)))
    assert written == ["__init__.py"]


def test_the_compiler_depends_on_lark_mpmath_and_numpy_alone() -> None:
    dependencies: list[str] = project()["project"]["dependencies"]
    assert sorted(each.split(">")[0] for each in dependencies) == ["lark", "mpmath", "numpy"]
