"""Three of GradBench's objectives for HIPS autograd, as somebody would write them who knows it well: vectorised.

Comes in: arrays from the seeded generators below. Goes out: values and gradients to compare with and race against.
The same functions over plain NumPy (`gmm_value`, `lse_value`, `kmeans_value`) are written the slow, obvious way; they
say what is meant, and both sides are checked against them.

GradBench: https://github.com/gradbench/gradbench (evals gmm, lse, kmeans).
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import autograd
import autograd.numpy as anp
import numpy as np
import numpy.typing as npt
from autograd.scipy.special import logsumexp

Array = npt.NDArray[np.float64]


class GmmParameters(NamedTuple):
    """A mixture of k Gaussians in d dimensions: unnormalised log weights, means, and inverse covariance factors: the
    logarithms of their diagonals, and what lies below the diagonals, column by column.
    """

    alpha: Array  # [k]
    mu: Array  # [k, d]
    q: Array  # [k, d]
    l: Array  # [k, d (d-1) / 2]


class GmmInput(NamedTuple):
    parameters: GmmParameters
    x: Array  # [n, d]
    gamma: float
    m: int


def gmm_input(d: int, k: int, n: int, seed: int = 0) -> GmmInput:
    """Like GradBench's generator: means uniform in [0, 1), all else standard normal, Wishart prior gamma = 1, m = 0."""
    random = np.random.default_rng(seed)
    parameters = GmmParameters(random.standard_normal(k), random.random((k, d)), random.standard_normal((k, d)),
                               random.standard_normal((k, d * (d - 1) // 2)))
    return GmmInput(parameters, random.standard_normal((n, d)), 1.0, 0)


def lse_input(n: int, seed: int = 0) -> Array:
    """A vector of n standard normal numbers, ten times as wide: the shift by the maximum matters."""
    return 10.0 * np.random.default_rng(seed).standard_normal(n)


class KmeansInput(NamedTuple):
    points: Array  # [n, d]
    centroids: Array  # [k, d]


def kmeans_input(k: int, n: int, d: int, seed: int = 0) -> KmeansInput:
    """Points uniform in the unit cube; the centroids are k of them, so that each is nearest to at least one point."""
    random = np.random.default_rng(seed)
    points = random.random((n, d))
    return KmeansInput(points, points[random.choice(n, k, replace=False)] + 1e-3 * random.standard_normal((k, d)))


# ---------------------------------------------------------------- the prior's constant


def log_gamma_distribution(a: float, p: int) -> float:
    """The logarithm of the multivariate gamma function of order p."""
    return 0.25 * p * (p - 1) * math.log(math.pi) + sum(math.lgamma(a + 0.5 * (1 - j)) for j in range(1, p + 1))


def wishart_constant(d: int, gamma: float, m: int) -> float:
    """What the Wishart prior adds once to each component; it depends on no parameter."""
    n = d + m + 1
    return n * d * math.log(gamma / math.sqrt(2)) - log_gamma_distribution(0.5 * n, d)


# ---------------------------------------------------------------- autograd


def factor_index(d: int) -> npt.NDArray[np.int64]:
    """Where entry (r, c) of a factor lies in [0, the row of l]: 0 above and on the diagonal."""
    index = np.zeros((d, d), dtype=np.int64)
    rows, columns = np.tril_indices(d, -1)
    order = np.lexsort((rows, columns))
    index[rows[order], columns[order]] = 1 + np.arange(rows.size)
    return index


def gmm_objective(input: GmmInput) -> Callable[[Any], Any]:
    """The log posterior as a function of the parameters; what depends on the data's shape is done once."""
    x = input.x
    n, d = x.shape
    k = input.parameters.alpha.shape[0]
    index = factor_index(d)
    gamma, m = input.gamma, input.m
    constant = -0.5 * n * d * math.log(2 * math.pi) + k * wishart_constant(d, gamma, m)
    diagonal = np.eye(d)

    def objective(parameters: Any) -> Any:
        alpha, mu, q, below = parameters
        sums = anp.sum(q, axis=1)
        scales = anp.exp(q)
        padded = anp.concatenate((anp.zeros((k, 1)), below), axis=1)
        factors = padded[:, index] + scales[:, :, None] * diagonal
        # [k, n, d]: what is far from its mean, in units of the component's spread; one matrix product a component.
        whitened = anp.matmul(x[None] - mu[:, None], anp.swapaxes(factors, 1, 2))
        inner = alpha + sums - 0.5 * anp.transpose(anp.sum(whitened * whitened, axis=2))
        prior = 0.5 * gamma**2 * (anp.sum(scales**2) + anp.sum(below**2)) - m * anp.sum(sums)
        return constant + anp.sum(logsumexp(inner, axis=1)) - n * logsumexp(alpha) - prior

    return objective


def lse_objective(x: Any) -> Any:
    """log Σ exp x, shifted by the maximum; from its parts, as GradBench asks."""
    a = anp.max(x)
    return a + anp.log(anp.sum(anp.exp(x - a)))


def kmeans_objective(input: KmeansInput) -> Callable[[Any], Any]:
    """Σᵢ minⱼ |pᵢ - cⱼ|² as a function of the centroids, by broadcasting the differences."""
    points = input.points[:, None]

    def objective(centroids: Any) -> Any:
        return anp.sum(anp.min(anp.sum((points - centroids)**2, axis=2), axis=1))

    return objective


def kmeans_objective_of_products(input: KmeansInput) -> Callable[[Any], Any]:
    """The same with the square multiplied out, so that a matrix product does most of it."""
    points = input.points
    squares = np.sum(points**2)

    def objective(centroids: Any) -> Any:
        distances = anp.sum(centroids**2, axis=1) - 2.0 * anp.dot(points, centroids.T)
        return squares + anp.sum(anp.min(distances, axis=1))

    return objective


def value_and_gradient(objective: Callable[[Any], Any]) -> Callable[[Any], tuple[float, Any]]:
    """autograd's own `value_and_grad` with respect to the first argument."""
    result: Callable[[Any], tuple[float, Any]] = autograd.value_and_grad(objective)
    return result


def gradient(objective: Callable[[Any], Any]) -> Callable[[Any], Any]:
    result: Callable[[Any], Any] = autograd.grad(objective)
    return result


# ---------------------------------------------------------------- plain NumPy, the obvious way


def log_sum_exp(values: Array) -> float:
    top = float(values.max())
    return top + math.log(float(np.exp(values - top).sum()))


def gmm_value(input: GmmInput) -> float:
    """The log posterior, point by point and component by component."""
    alpha, mu, q, below = input.parameters
    n, d = input.x.shape
    k = alpha.shape[0]
    factors = np.zeros((k, d, d))
    for component in range(k):
        at = 0
        for column in range(d):
            factors[component, column, column] = math.exp(q[component, column])
            for row in range(column + 1, d):
                factors[component, row, column] = below[component, at]
                at += 1
    total = -0.5 * n * d * math.log(2 * math.pi) - n * log_sum_exp(alpha)
    for point in input.x:
        whitened = np.einsum("krc,kc->kr", factors, point - mu)
        total += log_sum_exp(alpha + q.sum(axis=1) - 0.5 * (whitened**2).sum(axis=1))
    total -= 0.5 * input.gamma**2 * float((np.exp(q)**2).sum() + (below**2).sum()) - input.m * q.sum()
    return float(total + k * wishart_constant(d, input.gamma, input.m))


def lse_value(x: Array) -> float:
    return log_sum_exp(x)


def kmeans_value(input: KmeansInput) -> float:
    return float(sum(((point - input.centroids)**2).sum(axis=1).min() for point in input.points))


def agreement(found: Array | float, expected: Array | float) -> float:
    """The largest difference, relative to the largest expected number."""
    scale = float(np.max(np.abs(expected), initial=0.0)) or 1.0
    return float(np.max(np.abs(np.asarray(found) - np.asarray(expected)), initial=0.0)) / scale


def main() -> None:
    """Checks the autograd side alone: values against plain NumPy, gradients against central differences."""
    from timing import duration, seconds

    def differences(name: str, objective: Callable[[Any], Any], at: Array, gradient: Array, value: float) -> None:
        direction = np.random.default_rng(1).standard_normal(at.shape)
        h = 1e-6
        slope = float(objective(at + h * direction) - objective(at - h * direction)) / (2 * h)
        print(f"{name}: value {value:.12g}, slope off by {agreement(float((gradient * direction).sum()), slope):.1e}")

    mixture = gmm_input(10, 25, 1000)
    objective = gmm_objective(mixture)
    value, slopes = value_and_gradient(objective)(tuple(mixture.parameters))
    assert agreement(value, gmm_value(mixture)) < 1e-12
    for position, part in enumerate(GmmParameters._fields):
        def along(moved: Array, position: int = position) -> Any:
            return objective(tuple(moved if each == position else other
                                   for each, other in enumerate(mixture.parameters)))
        differences(f"gmm {part}", along, mixture.parameters[position], slopes[position], value)
    vector = lse_input(100_000)
    value, slope = value_and_gradient(lse_objective)(vector)
    assert agreement(value, lse_value(vector)) < 1e-12
    differences("lse", lse_objective, vector, slope, value)
    clusters = kmeans_input(100, 10_000, 8)
    by_differences, by_products = kmeans_objective(clusters), kmeans_objective_of_products(clusters)
    for name, objective_of_centroids in (("kmeans", by_differences), ("kmeans, products", by_products)):
        value, slope = value_and_gradient(objective_of_centroids)(clusters.centroids)
        assert agreement(value, kmeans_value(clusters)) < 1e-12
        differences(name, objective_of_centroids, clusters.centroids, slope, value)
    runs: list[tuple[str, Callable[[], Any]]] = [
        ("gmm", lambda: gradient(objective)(tuple(mixture.parameters))),
        ("lse", lambda: gradient(lse_objective)(vector)),
        ("kmeans", lambda: gradient(by_differences)(clusters.centroids)),
        ("kmeans, products", lambda: gradient(by_products)(clusters.centroids)),
    ]
    for name, run in runs:
        print(f"{name}: gradient in {duration(min(seconds(run) for _ in range(9)))} (best of 9)")


if __name__ == "__main__":
    main()
