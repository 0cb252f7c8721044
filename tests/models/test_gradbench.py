"""The programs of GradBench as a Futhark user writes them, compared with plain NumPy."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import dad
import numpy as np
import pytest
from dad.tests.models.harness import check, check_vmap, close

HERE = Path(__file__).parent


def load(name: str) -> Any:
    return dad.load(HERE / f"{name}.dad")


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_polynomial_fit(random: np.random.Generator) -> None:
    m = load("polynomial_fit")
    x = random.standard_normal(5)
    t = -1 + np.arange(20) * 2 / 19
    powers = np.vander(t, 5, increasing=True)
    residuals = np.sign(t) + np.sin(t) - powers @ x
    close(m.primal(20, x), 0.5 * (residuals**2).sum())
    close(m.gradient(20, x), -powers.T @ residuals)
    check(m.primal, 20, x)
    assert m.gradient(20, []).shape == (0,)


def test_lstm(random: np.random.Generator) -> None:
    m = load("lstm")
    layers, d, n = 2, 3, 5
    weights, ends = random.standard_normal((layers, 2, 4, d)), random.standard_normal((3, d))
    state, sequence = random.standard_normal((layers, 2, d)), random.standard_normal((n, d))

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    expected, now = 0.0, state.copy()
    for t in range(n - 1):
        x = sequence[t] * ends[0]
        for layer in range(layers):
            hidden, cell = now[layer]
            w, b = weights[layer]
            cell = cell * sigmoid(x * w[0] + b[0]) + sigmoid(hidden * w[1] + b[1]) * np.tanh(hidden * w[3] + b[3])
            x = sigmoid(x * w[2] + b[2]) * np.tanh(cell)
            now[layer] = x, cell
        y = x * ends[1] + ends[2]
        expected -= np.sum(sequence[t + 1] * (y - np.log(np.exp(y).sum() + 2))) / (d * (n - 1))
    close(m.objective(weights, ends, state, sequence), expected)
    check(m.objective, weights, ends, state, sequence)


def test_runge_kutta(random: np.random.Generator) -> None:
    m = load("runge_kutta")
    x = random.random(3)
    close(m.primal(x, 400), np.array([2 * x[0], 2 * x[0] * x[1], 4 / 3 * x.prod()]), 1e-6)
    check(m.primal, random.random(6), 8)
    check(m.gradient, random.random(6), 8)
    check(m.gradient, random.random(1), 3)


def test_bundle_adjustment(random: np.random.Generator) -> None:
    m = load("bundle_adjustment")
    cameras, points = random.standard_normal((2, 11)) * 0.3, random.standard_normal((4, 3))
    cameras[:, 6] = 100
    points[:, 2] += 10
    weights, features = random.random(5), random.standard_normal((5, 2))
    seen = np.array([[0, 0], [1, 1], [0, 2], [1, 3], [0, 0]])

    def project(camera: Any, point: Any) -> Any:
        angle = np.linalg.norm(camera[:3])
        axis, x = camera[:3] / angle, point - camera[3:6]
        x = x * np.cos(angle) + np.cross(axis, x) * np.sin(angle) + axis * (axis @ x) * (1 - np.cos(angle))
        q = x[:2] / x[2]
        return q * (1 + camera[9] * (q @ q) + camera[10] * (q @ q) ** 2) * camera[6] + camera[7:9]

    args = cameras, points, weights, seen, features
    errors = [w * (project(cameras[c], points[p]) - f) for w, (c, p), f in zip(weights, seen, features, strict=True)]
    close(m.residuals(*args), (np.array(errors), 1 - weights**2))
    check(m.residuals, *args)
    jacobian = m.jacobian(*args)
    for k in range(11):
        ahead, behind = cameras.copy(), cameras.copy()
        ahead[:, k] += 1e-6
        behind[:, k] -= 1e-6
        difference = (m.residuals(ahead, *args[1:])[0] - m.residuals(behind, *args[1:])[0]) / 2e-6
        np.testing.assert_allclose(jacobian[:, :, k], difference, rtol=1e-5, atol=1e-5)
    cameras[:, :3] = 0
    assert np.isfinite(m.jacobian(*args)).all()
    assert m.jacobian(cameras, points, weights[:0], seen[:0], features[:0]).shape == (0, 2, 15)


def test_hand_tracking(random: np.random.Generator) -> None:
    m = load("hand_tracking")
    bones, n = 4, 5
    theta, parents = random.standard_normal((bones, 3)), np.array([-1, 0, 1, 0], np.int32)
    args = (theta, parents, random.standard_normal((bones, 4, 4)), random.standard_normal((bones, 4, 4)),
            random.random((n, bones)), random.standard_normal((n, 4)), random.standard_normal((n, 3)))
    check(m.objective, *args)
    for k, column in enumerate(m.jac(*args)):
        direction = np.eye(3 * bones)[k].reshape(bones, 3)
        close(m.objective.jvp(args, direction)[1], column)


def test_particle() -> None:
    m = load("particle")
    close(m.value_f(0.3), m.value_r(0.3))
    slopes = [entry(0.3) for entry in (m.d_ff, m.d_fr, m.d_rf, m.d_rr)]
    difference = (m.value_f(0.3 + 1e-6) - m.value_f(0.3 - 1e-6)) / 2e-6
    np.testing.assert_allclose(slopes, difference, rtol=1e-5)
    check_vmap(m.d_rr, 0.3)
