"""Programs written to be difficult for many threads: kernels do in every order of threads what the interpreter does.

Each entry takes `n` fractions and `n` whole numbers, for several `n`. Failures are compared in full, results within a
tolerance, and results of different orders bit for bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dad
import numpy as np
import pytest
from dad.tests.cuda.agreement import leaves
from dad.tests.cuda.campaign import ORDERS
from dad.tests.cuda.standin import compiled, installed

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.dad"))
SIZES = (0, 1, 33)
TOLERANCE = {8: 1e-9, 4: 1e-5, 2: 3e-3}


def outcome(function: Any, n: int) -> Any:
    rng = np.random.default_rng(n)
    try:
        return function(rng.uniform(0, 1.2, n), rng.integers(0, 11, n))
    except dad.RunError as error:
        return error


def same(want: Any, got: Any, bits: bool) -> bool:
    if isinstance(want, dad.RunError) or isinstance(got, dad.RunError):
        return getattr(want, "args", None) == getattr(got, "args", 0)
    for x, y in zip(leaves(want), leaves(got), strict=True):
        if (x.dtype, x.shape) != (y.dtype, y.shape):
            return False
        if bits or x.dtype.kind != "f":
            if not np.array_equal(x, y, equal_nan=x.dtype.kind == "f"):
                return False
            continue
        near = TOLERANCE[x.dtype.itemsize]
        if not np.allclose(x.astype(float), y.astype(float), near, near, equal_nan=True):
            return False
    return True


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_every_order_gives_what_the_interpreter_gives(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled.MODE, "flags", compiled.QUICK)
    host = dad.load(path, target="interp")
    first = {(name, n): outcome(getattr(host, name), n) for name in host.entries for n in SIZES}
    failures = sum(isinstance(x, dad.RunError) for x in first.values())
    assert failures > 10 if path.stem == "failures" else failures < len(first) / 4
    for order in ORDERS:
        with installed(*order):
            device = dad.load(path, target="cuda")
            for (name, n), want in first.items():
                got = outcome(getattr(device, name), n)
                assert same(want, got, bits=order != ORDERS[0]), f"{path.stem} {name} {n} {order}: {got} is not {want}"
                first[name, n] = got
