"""Special functions of arrays, as emitted modules compute them, against mpmath."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from dad.codegen.runtime import special

RANGES = ((-30, -6), (-6, -1), (-1, 1), (1e-12, 1e-6), (0.9, 1.1), (1.9, 2.1), (1, 2.5), (2.5, 6), (6, 27), (27, 300))
FUNCTIONS = {"erf": mpmath.erf, "erfc": mpmath.erfc, "lgamma": lambda x: mpmath.re(mpmath.loggamma(x))}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_within_a_few_units_of_the_last_place(name: str) -> None:
    rng = np.random.default_rng(5)
    for low, high in RANGES:
        x = rng.uniform(low, high, 60)
        with np.errstate(all="ignore"):
            got = getattr(special, name)(x)
        with mpmath.workdps(40):
            true = [FUNCTIONS[name](v) for v in x]
        expected = np.array([float(t) for t in true])
        size = np.abs(expected)
        if name == "lgamma" and (low < 0 or low >= 2.5):  # between the poles there are more zeros: errors are absolute
            size = np.maximum(size, 50 if low < 0 else 8)
        assert (np.abs(got - expected) <= 8 * np.spacing(size)).all(), (low, high)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arrays_are_like_scalars_at_the_edges(name: str) -> None:
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -1e-310, 1e-300, 1.0, 2.0, -1.0, -2.0, 6.0, 27.5, 1e307, -1e9]
    function: Any = getattr(special, name)
    with np.errstate(all="ignore"):
        single = [function(np.float64(v)) for v in edges]
        np.testing.assert_allclose(function(np.array(edges)), single, rtol=1e-14, atol=1e-300)
        assert function(np.array(edges, np.float32)).dtype == np.float32
        assert function(np.zeros((0, 3))).shape == (0, 3)
