"""Models as statisticians write them, compared with SciPy's densities; their gradients with differences."""
from __future__ import annotations

from itertools import product
from typing import Any

import dad
import numpy as np
import pytest
from dad.tests.models.harness import check, check_vmap, close, load
from scipy import special, stats

pytestmark = pytest.mark.usefixtures("target")


def test_eight_schools(random: np.random.Generator) -> None:
    m = load("eight_schools")
    y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    sigma = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    p: dict[str, Any] = {"mu": 1.0, "log_tau": 0.3, "eta": random.standard_normal(8)}
    theta = 1 + np.exp(0.3) * p["eta"]
    expected = (stats.norm.logpdf(1, 0, 5) + stats.cauchy.logpdf(np.exp(0.3), 0, 5) + 0.3
                + stats.norm.logpdf(p["eta"]).sum() + stats.norm.logpdf(y, theta, sigma).sum())
    close(m.log_prob(p, y, sigma), expected)
    close(m.generated(p), theta)
    check(m.log_prob, p, y, sigma)
    assert np.isfinite(m.log_prob.grad(dict(p, eta=[]), [], []).mu)


def test_hierarchical(random: np.random.Generator) -> None:
    m = load("hierarchical")
    county = np.array([0, 1, 1, 2, 0])
    x, y = random.random(5), random.random(5)
    p: dict[str, Any] = {"mu_a": 0.1, "log_sigma_a": 0.2, "a": random.standard_normal(3), "b": 0.3, "log_sigma_y": -0.2}

    def normal(mean: Any, log_sd: float, x: Any) -> Any:
        return -0.5 * ((x - mean) / np.exp(log_sd)) ** 2 - log_sd

    expected = (normal(p["a"][county] + 0.3 * x, -0.2, y).sum() + normal(0.1, 0.2, p["a"]).sum()
                + normal(0, 0, 0.3) + normal(0, 2, 0.1))
    close(m.lp(p, county, x, y), expected)
    check(m.lp, p, county, x, y)
    with pytest.raises(dad.RunError, match="out of bounds"):
        m.lp(p, county + 1, x, y)


def test_gaussian_process(random: np.random.Generator) -> None:
    m = load("gaussian_process")
    x = np.sort(random.random(9))
    y = np.sin(5 * x)
    h = {"log_alpha": 0.1, "log_rho": -1.0, "log_sigma": -1.0}
    k = np.exp(0.2) * np.exp(-0.5 * ((x[:, None] - x) / np.exp(-1)) ** 2) + np.eye(9) * (np.exp(-2) + 1e-9)
    close(m.log_marginal(h, x, y), stats.multivariate_normal.logpdf(y, np.zeros(9), k))
    check(m.log_marginal, h, x, y)
    assert m.log_marginal(h, [], []) == 0
    check(m.log_marginal, h, np.ones(1), np.ones(1))


def test_hidden_markov(random: np.random.Generator) -> None:
    m = load("hidden_markov")
    k, n = 3, 6
    transitions, mu, y = random.standard_normal((k, k)), random.standard_normal(k), random.standard_normal(n)
    p, density = special.softmax(transitions, 1), stats.norm.pdf(y[:, None], mu)
    alpha = density[0] / k
    for t in range(1, n):
        alpha = (alpha @ p) * density[t]
    close(m.forward(transitions, mu, y), np.log(alpha.sum()))
    check(m.forward, transitions, mu, y)

    def weight(path: tuple[int, ...]) -> float:
        steps = sum(np.log(p[path[t - 1], path[t]] * density[t, path[t]]) for t in range(1, n))
        return float(np.log(density[0, path[0]]) + steps)

    assert tuple(m.viterbi(transitions, mu, y)) == max(product(range(k), repeat=n), key=weight)
    check_vmap(m.viterbi, transitions, mu, y)


def test_autoregression(random: np.random.Generator) -> None:
    m = load("autoregression")
    y = random.standard_normal(9)
    close(m.ar1(0.1, 0.5, 0.2, 1.0, y), stats.t.logpdf(y[1:], np.e, 0.1 + 0.5 * y[:-1], np.exp(0.2)).sum())
    check(m.ar1, 0.1, 0.5, 0.2, 1.0, y)
    assert m.ar1(0.1, 0.5, 0.2, 1.0, [1.0]) == 0


def test_change_point(random: np.random.Generator) -> None:
    m = load("autoregression")
    counts = random.integers(0, 9, 12)
    parts = [stats.poisson.logpmf(counts[:s], 3).sum() + stats.poisson.logpmf(counts[s:], 1).sum() for s in range(12)]
    close(m.change(np.log(3), 0.0, counts), special.logsumexp(parts) - np.log(12) - 3 - 1 + np.log(3))
    check(m.change, np.log(3), 0.0, counts)


def test_softmax_regression(random: np.random.Generator) -> None:
    m = load("softmax_regression")
    p: dict[str, Any] = {"beta": random.standard_normal((3, 2)), "z": random.standard_normal(2)}
    x, y = random.standard_normal((6, 2)), random.integers(0, 3, 6)
    pi = m.simplex(p["z"])
    close(pi.sum(), 1.0)
    columns = [(m.simplex(p["z"] + h) - m.simplex(p["z"] - h))[:2] / 2e-6 for h in 1e-6 * np.eye(2)]
    likelihood = special.log_softmax(x @ p["beta"].T + np.log(pi), 1)[np.arange(6), y].sum()
    prior = stats.dirichlet.logpdf(pi, [2, 2, 2]) - 0.5 * (p["beta"] ** 2).sum()
    close(m.lp(p, x, y), likelihood + prior + np.linalg.slogdet(np.array(columns))[1], 1e-6)
    check(m.lp, p, x, y)


def test_logistic(random: np.random.Generator) -> None:
    m = load("logistic")
    x, beta, y = random.standard_normal((8, 3)), random.standard_normal(3), random.random(8) > 0.5
    eta = 0.2 + x @ beta
    expected = np.where(y, special.log_expit(eta), special.log_expit(-eta)).sum() - np.log1p(beta * beta).sum()
    close(m.logpost(beta, 0.2, x, y), expected)
    close(m.accuracy(beta, 0.2, x, y), np.mean((eta > 0) == y))
    check(m.logpost, beta, 0.2, x, y)
    np.testing.assert_array_equal(m.logpost.grad(np.zeros(0), 0.2, np.zeros((3, 0)), y[:3]).beta, [])


def test_kmeans(random: np.random.Generator) -> None:
    m = load("kmeans")
    points = random.standard_normal((30, 2))
    centres = points[:4].copy()

    def step(centres: Any) -> Any:
        owner = ((points[:, None] - centres) ** 2).sum(-1).argmin(1)
        return np.stack([points[owner == k].mean(0) if (owner == k).any() else centres[k] for k in range(4)]), owner

    close(m.step(centres, points), step(centres))
    close(m.lloyd(centres, points, 2), step(step(centres)[0])[0])
    check(m.cost, centres, points)
    check_vmap(m.lloyd, centres, points, np.int32(2))
    close(m.step(centres, points[:0])[0], centres)


def test_counts_and_categories(random: np.random.Generator) -> None:
    m = load("likelihoods")
    x, y, exposure = random.standard_normal(7), random.integers(0, 6, 7), random.random(7) + 1
    mu, phi = exposure * np.exp(0.1 + 0.2 * x), np.exp(0.3)
    p = {"alpha": 0.1, "beta": 0.2, "log_phi": 0.3}
    close(m.nbreg(p, x, y, exposure), stats.nbinom.logpmf(y, phi, phi / (phi + mu)).sum())
    check(m.nbreg, p, x, y, exposure)
    rows, beta, raw = random.standard_normal((7, 2)), random.standard_normal(2), np.array([-1.0, 0.1, 0.2, -0.3])
    cuts = np.array([-np.inf, -1, *(np.cumsum(np.exp(raw[1:])) - 1), np.inf])
    grade = np.minimum(y, 4)
    upper, lower = special.expit(cuts[grade + 1] - rows @ beta), special.expit(cuts[grade] - rows @ beta)
    close(m.ordlogit(beta, raw, rows, grade), np.log(upper - lower).sum())
    check(m.ordlogit, beta, raw, rows, grade)


def test_filters(random: np.random.Generator) -> None:
    m = load("likelihoods")
    y = random.standard_normal(9)
    covariance = 1e3 + np.exp(0.1) * (1 + np.minimum.outer(np.arange(9), np.arange(9))) + np.exp(-0.2) * np.eye(9)
    close(m.kalman(0.1, -0.2, y), stats.multivariate_normal.logpdf(y, np.zeros(9), covariance), 1e-8)
    y[3] = np.nan
    seen = np.arange(9) != 3
    expected = stats.multivariate_normal.logpdf(y[seen], np.zeros(8), covariance[np.ix_(seen, seen)])
    close(m.kalman(0.1, -0.2, y), expected, 1e-8)
    check(m.kalman, 0.1, -0.2, y)
    check(m.kalman2, np.array([0.1, 0.2, 0.3]), random.standard_normal((6, 2)))
    check(m.sir_fit, np.log(0.6), np.log(0.2), np.array([1, 2, 2, 4, 6, 9, 12, 20]), 1000.0)


def test_learning(random: np.random.Generator) -> None:
    m = load("learning")
    x = random.standard_normal(8)
    spectrum = np.fft.fft(x)
    close(m.fft({"re": x, "im": 0 * x}), {"re": spectrum.real, "im": spectrum.imag})
    check(m.power, x)
    assert m.adam([-1.0, 1.0, 0.5], 0.02, 2000)[1] < 1e-2
    check(m.rb, x[:3])
    draws, accepted = m.hmc(np.zeros(3), 0.2, 8, 100, 1)
    assert draws.shape == (100, 3)
    assert 0.5 < accepted <= 1
    plane = random.random((4, 6))
    close(m.pool(plane), plane.reshape(2, 2, 3, 2).max((1, 3)))
    check(m.pool, plane)
    check(m.conv, plane, random.random((3, 3)))
    check(m.attention, *random.standard_normal((3, 4, 2)))
    check(m.layernorm, x, 2.0)


def test_capture_recapture(random: np.random.Generator) -> None:
    m = load("capture_recapture")
    a, b, histories = random.standard_normal(4), random.standard_normal(4), random.integers(0, 2, (7, 5))
    phi, p = special.expit(a), special.expit(b)

    def likelihood(history: Any) -> float:
        """Over all times of death."""
        if not history.any():
            return 1.0
        first, last = np.flatnonzero(history)[[0, -1]]
        total = 0.0
        for end in range(last, 5):
            seen = np.prod([phi[i] * (p[i] if history[i + 1] else 1 - p[i]) for i in range(first, end)])
            total += seen * (1 - phi[end] if end < 4 else 1)
        return float(total)

    close(m.survival(a, b, histories), np.log([likelihood(h) for h in histories]).sum())
    check(m.survival, a, b, histories)
    counts = random.integers(0, 4, (3, 2))
    parts = [[stats.poisson.logpmf(n, 2) + stats.binom.logpmf(row, n, 0.4).sum() for n in range(13)] for row in counts]
    close(m.abundance(np.log(2), special.logit(0.4), counts, 12), special.logsumexp(parts, axis=1).sum())
    check(m.abundance, np.log(2), special.logit(0.4), counts, 12)


def test_correlations(random: np.random.Generator) -> None:
    m = load("correlations")
    z, log_sigma, y = 0.5 * random.standard_normal(3), np.array([0.1, -0.2, 0.3]), random.standard_normal((4, 3))
    w = np.tanh(z)
    r01, r02 = w[:2]
    r12 = w[2] * np.sqrt((1 - r01 ** 2) * (1 - r02 ** 2)) + r01 * r02  # from the partial correlation given the first
    correlation = np.array([[1, r01, r02], [r01, 1, r12], [r02, r12, 1]])
    scale = np.exp(log_sigma)
    jacobian = np.log1p(-w ** 2).sum() + 0.5 * np.log1p(-w[:2] ** 2).sum() - 0.5 * np.log1p(-w[0] ** 2)
    factor = np.linalg.cholesky(correlation)
    prior = 3 * np.log(factor[1, 1]) + 2 * np.log(factor[2, 2])
    density = stats.multivariate_normal.logpdf(y, np.zeros(3), correlation * np.outer(scale, scale)).sum()
    close(m.log_prob(z, log_sigma, 2.0, y), jacobian + prior + density)
    check(m.log_prob, z, log_sigma, 2.0, y)


def test_a_linear_system(random: np.random.Generator) -> None:
    m = load("correlations")
    a, h, y = np.array([[1, 0.1], [-0.2, 0.9]]), np.array([[1.0, 0.3]]), random.standard_normal((6, 1))
    q, r = np.exp(-0.5), np.exp(0.1)
    state, means = np.eye(2), []  # the states as sums of independent noise, one block of columns to each time
    columns = [state]
    for _ in range(6):
        columns = [a @ c for c in columns] + [np.sqrt(q) * np.eye(2)]
        means.append(np.hstack([h @ c for c in columns] + [np.zeros((1, 2 * (7 - len(columns))))]))
    rows = np.vstack(means)
    covariance = rows @ rows.T + r * np.eye(6)
    system = {"A": a, "H": h, "log_q": -0.5, "log_r": 0.1}
    close(m.filtered(system, y), stats.multivariate_normal.logpdf(y[:, 0], np.zeros(6), covariance))
    check(m.filtered, system, y)
    y[2] = np.nan
    seen = np.arange(6) != 2
    expected = stats.multivariate_normal.logpdf(y[seen, 0], np.zeros(5), covariance[np.ix_(seen, seen)])
    close(m.filtered(system, y), expected)
