"""Tests that run kernels need a C++ compiler; where there is none, the others here are run, and it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from dad.tests.cuda.standin.compiled import compiler

ALONE = frozenset({"test_build", "test_campaign", "test_nvrtc", "test_standin"})
"""Modules whose tests look themselves whether there is a compiler, and do what they can without."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if compiler() is not None:
        return
    here = Path(__file__).parent
    left = [item for item in items if item.path.parent == here and item.path.stem not in ALONE]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def pytest_report_header() -> str:
    return "" if compiler() is not None else "no C++ compiler: kernels are not run"
