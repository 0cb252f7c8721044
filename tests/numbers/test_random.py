"""The standard library's random numbers: moments and distributions for fixed seeds, and what generators promise.

Bounds are five standard errors of what is measured, so a wrong distribution fails and a seed rarely does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dad
import numpy as np
import pytest

FILE = Path(__file__).parent / "random.dad"
N = 20_000


@pytest.fixture(scope="module")
def module() -> Any:
    return dad.load(FILE)


@pytest.fixture(scope="module")
def slow() -> Any:
    return dad.load(FILE, target="interp")


def moments(x: Any, mean: float, variance: float, kurtosis: float = 3.0) -> None:
    """Mean and variance are as they should be; `kurtosis` is the fourth moment over the squared variance."""
    assert abs(x.mean() - mean) < 5 * np.sqrt(variance / x.size)
    assert abs(x.var() - variance) < 5 * variance * np.sqrt((kurtosis - 1) / x.size)


@pytest.mark.parametrize("seed", [1, 2])
def test_continuous_distributions(module: Any, seed: int) -> None:
    moments(module.uniforms(N, seed), 0.5, 1 / 12, 1.8)
    moments(module.uniforms32(N, seed).astype(float), 0.5, 1 / 12, 1.8)
    moments(module.ranges(N, seed), 1, 16 / 12, 1.8)
    for name in ("normals", "normals32", "singly"):
        moments(getattr(module, name)(N, seed).astype(float), 0, 1)
    moments(module.exponentials(N, seed), 1, 1, 9)
    for shape in (0.3, 1.0, 2.5, 40.0):
        moments(module.gammas(N, seed, shape), shape, shape, 3 + 6 / shape)
    moments(module.betas(N, seed, 2.0, 3.0), 0.4, 0.04)
    moments(module.students(N, seed, 12.0), 0, 1.2, 4)


@pytest.mark.parametrize("name", ["uniforms", "normals"])
def test_empirical_distribution(module: Any, name: str) -> None:
    """Kolmogorov's distance from the true one."""
    from math import erf, sqrt

    x = np.sort(getattr(module, name)(N, 5))
    true = x if name == "uniforms" else np.array([0.5 * (1 + erf(v / sqrt(2))) for v in x])
    assert np.abs(true - (np.arange(N) + 0.5) / N).max() < 2 / np.sqrt(N)


def test_ranges(module: Any) -> None:
    for name in ("uniforms", "uniforms32"):
        x = getattr(module, name)(200_000, 3)
        assert x.min() >= 0
        assert x.max() < 1
    assert (module.gammas(N, 1, 0.05) >= 0).all()
    assert module.uniforms32(8, 3).dtype == np.float32


@pytest.mark.parametrize(("low", "high"), [(0, 5), (-3, 3), (7, 7), (0, 2**62 + 2**61), (-(2**63), 2**63 - 1)])
def test_integers_are_fair(module: Any, low: int, high: int) -> None:
    x = module.integers(N, 4, low, high)
    assert x.min() >= low
    assert x.max() <= high
    count = high - low + 1
    if count < 10:
        found = np.bincount(x - low, minlength=count)
        assert (np.abs(found - N / count) < 5 * np.sqrt(N / count) + 1).all()
    else:
        scaled = (x.astype(float) - low) / count
        moments(scaled, 0.5, 1 / 12, 1.8)


def test_discrete_distributions(module: Any) -> None:
    for rate in (0.5, 3.0, 9.9, 10.1, 60.0):
        moments(module.poissons(N, 6, rate), rate, rate, 3 + 1 / rate)
    moments(module.coins(N, 6, 0.3), 0.3, 0.21)
    weights = np.array([1.0, 2.0, 0.0, 3.0])
    found = np.bincount(module.choices(N, 6, weights), minlength=4)
    expected = N * weights / 6
    assert (np.abs(found - expected) <= 5 * np.sqrt(expected)).all()


def test_vectors(module: Any) -> None:
    alpha = np.array([1.0, 2.0, 3.0])
    x = module.dirichlets(N, 7, alpha)
    np.testing.assert_allclose(x.sum(1), 1)
    for k in range(3):
        mean = alpha[k] / 6
        moments(x[:, k], mean, mean * (1 - mean) / 7, 4)
    mean, covariance = np.array([1.0, -1.0]), np.array([[2.0, 0.5], [0.5, 1.0]])
    x = module.vectors(N, 7, mean, covariance)
    np.testing.assert_allclose(x.mean(0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(x.T), covariance, atol=0.08)


def test_permutations(module: Any) -> None:
    assert sorted(module.permutation(100, 1)) == list(range(100))
    first = [int(module.permutation(4, s)[0]) for s in range(400)]
    assert (np.abs(np.bincount(first) - 100) < 45).all()
    xs = np.arange(10.0)
    assert sorted(module.shuffled(xs, 3)) == list(xs)


def test_generators_are_independent_and_repeatable(module: Any) -> None:
    a, b = module.halves(N, 1)
    for x, y in ((a, b), (a, module.uniforms(N, 1)), (module.uniforms(N, 1), module.uniforms(N, 2)), (a[1:], a[:-1])):
        assert abs(np.corrcoef(x, y)[0, 1]) < 5 / np.sqrt(N)
    assert len(set(np.ravel(module.families(50, 20, 9)))) == 1000
    np.testing.assert_array_equal(module.normals(10, 3), module.normals(20, 3)[:10])


def test_both_ways_of_running_agree(module: Any, slow: Any) -> None:
    for name, args in (
        ("uniforms", ()), ("normals", ()), ("normals32", ()), ("gammas", (0.4,)), ("gammas", (3.0,)),
        ("poissons", (4.0,)), ("poissons", (40.0,)), ("integers", (0, 2**62 + 2**61)), ("students", (3.0,)),
    ):  # fmt: skip
        np.testing.assert_allclose(getattr(module, name)(9, 2, *args), getattr(slow, name)(9, 2, *args), rtol=1e-6)


def test_derivatives_with_respect_to_parameters(module: Any) -> None:
    in_mean, in_deviation, z = module.slopes(3)
    assert in_mean == pytest.approx(2 * (1 + 2 * z))
    assert in_deviation == pytest.approx(2 * (1 + 2 * z) * z)
    mean, covariance, d = np.array([1.0, -1.0]), np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[0.3, 0.1], [0.1, -0.2]])
    slope = np.sum(module.slope_of_covariance(3, mean, covariance) * d)
    values = [module.value_of_covariance(3, mean, covariance + h * d) for h in (1e-6, -1e-6)]
    assert slope == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-7)
