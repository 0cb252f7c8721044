"""Bounds of floats are checked on devices as elsewhere, with the same words."""
from __future__ import annotations

import dad
import numpy as np
import pytest
from dad.tests.cuda.standin import installed

PROGRAM = """
entry loss [n] (scale: f64{>0}) (xs: [n]f64{-10..10}) : f64{>=0} = sum (map (\\x -> (scale * x) ** 2) xs)
"""


def test_bounds_on_devices() -> None:
    xs = np.linspace(-1, 1, 3000)
    bad = xs.copy()
    bad[2100] = 11
    with installed():
        said = []
        for target in ("cuda", "interp"):
            module = dad.compile(PROGRAM, target=target)
            assert module.loss(2.0, xs) == pytest.approx(4 * np.sum(xs * xs))
            for arguments in ((-2.0, xs), (2.0, bad), (np.nan, xs)):
                with pytest.raises(dad.RunError) as failure:
                    module.loss(*arguments)
                said.append(str(failure.value))
        assert said[:3] == said[3:]
        assert "`xs[2100]` of `loss` is 11, but must be in -10..10" in said[1]
