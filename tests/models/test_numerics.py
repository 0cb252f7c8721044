"""Numerical methods and array algorithms, compared with NumPy, SciPy and known answers."""
from __future__ import annotations

from typing import Any

import dad
import numpy as np
import pytest
from dad.tests.models.harness import check, check_vmap, close, load
from scipy import special, stats
from scipy.integrate import solve_ivp
from scipy.interpolate import BSpline, CubicSpline
from scipy.spatial.transform import Rotation

pytestmark = pytest.mark.usefixtures("target")


def test_nbody(random: np.random.Generator) -> None:
    m = load("nbody")

    def vectors() -> dict[str, Any]:
        return {axis: random.standard_normal(4) for axis in "xyz"}

    bodies: dict[str, Any] = {"pos": vectors(), "vel": vectors(), "mass": random.random(4)}
    mass = bodies["mass"]
    at = np.stack([bodies["pos"][axis] for axis in "xyz"], 1)
    apart = np.sqrt(((at[:, None] - at) ** 2).sum(-1) + 1e-6)
    kinetic = 0.5 * (mass * sum(bodies["vel"][axis] ** 2 for axis in "xyz")).sum()
    energy = kinetic - np.triu(np.outer(mass, mass) / apart, 1).sum()
    close(m.final_energy(bodies, 0.001, 0), energy)
    close(m.final_energy(bodies, 0.001, 50), energy, 1e-3)
    check(m.final_energy, bodies, 0.01, 5)
    check(m.simulate, bodies, 0.01, 3)
    check(m.initial_x, bodies, 0.01, 3)


def test_stencils(random: np.random.Generator) -> None:
    m = load("stencils")
    u, v = random.random(9), np.zeros(9)
    v[:] = u
    for _ in range(5):
        v[1:-1] += 0.2 * (v[:-2] - 2 * v[1:-1] + v[2:])
    close(m.heat1(0.2, u, 5), v)
    check(m.misfit, 0.2, u, 0 * u, 5)
    plane = random.random((4, 5))
    expected = plane
    for _ in range(3):
        expected = expected + 0.1 * (sum(np.roll(expected, k, a) for k in (1, -1) for a in (0, 1)) - 4 * expected)
    close(m.heat2(0.1, plane, 3), expected)
    check(m.heat2, 0.1, plane, 3)
    check(m.wave, 0.3, random.random(6), 6)
    close(m.heat1(0.2, [1.0], 3), np.ones(1))
    assert m.heat2(0.1, np.zeros((0, 3)), 2).shape == (0, 3)


def test_kepler() -> None:
    m = load("kepler")
    mean = np.linspace(0.1, 3, 7)
    at = m.eccentric(0.5, mean)
    close(at - 0.5 * np.sin(at), mean)
    close(m.d_de(0.5, mean), np.sin(at) / (1 - 0.5 * np.cos(at)), 1e-7)
    close(m.d_dm(0.5, mean), 1 / (1 - 0.5 * np.cos(at)), 1e-7)
    check(m.eccentric, 0.5, mean)
    assert len(set(m.iters(0.9, mean))) > 1
    assert m.d_de(0.5, []).shape == (0,)


def test_pendulum() -> None:
    m = load("pendulum")

    def exact(g: float) -> Any:
        found = solve_ivp(lambda _, y: [y[1], -g * np.sin(y[0]) - 0.1 * y[1]], (0, 2), [1, 0], rtol=1e-12, atol=1e-12)
        return found.y[:, -1]

    args = (9.8, 0.1, 1.0, 1e-9, 2.0)
    close(m.pendulum(*args)[:2], tuple(exact(9.8)), 1e-7)
    _, slope = m.pendulum.jvp(args, (1.0, 0.0, 0.0))
    expected = (exact(9.8 + 1e-4) - exact(9.8 - 1e-4)) / 2e-4
    np.testing.assert_allclose(slope[:2], expected, rtol=1e-5)
    _, gradient = m.pendulum.vjp(args, (1.0, 0.0, None))
    np.testing.assert_allclose(gradient.g, expected[0], rtol=1e-5)
    check_vmap(m.pendulum, *args)


def test_splines(random: np.random.Generator) -> None:
    m = load("splines")
    weights, knots, at = random.random(7), np.array([0, 0, 0, 0, 0.2, 0.5, 0.7, 1, 1, 1, 1.0]), random.random(11)
    close(m.deboor(3, weights, knots, at), BSpline(knots, weights, 3)(at))
    check(m.deboor, 3, weights, knots, at)
    x, y = np.sort(random.random(6)), random.random(6)
    inside = np.linspace(x[0], x[-1], 9)
    close(m.cubic(y, x, inside), CubicSpline(x, y, bc_type="natural")(inside))
    check(m.cubic, y, x, inside[1:-1] * 0.99 + 0.005 * x[-1])
    check(m.curvature, y, x)


def test_mesh(random: np.random.Generator) -> None:
    m = load("mesh")
    p, u = random.standard_normal((5, 3)), random.standard_normal(5)
    triangles = np.array([[0, 1, 2], [2, 1, 3], [3, 4, 0]])
    corners = p[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    close(m.area(p, triangles), 0.5 * np.linalg.norm(normals, axis=1).sum())
    close(m.volume(p, triangles), np.linalg.det(corners).sum() / 6)
    check(m.area, p, triangles)
    check(m.volume, p, triangles)
    check(m.dirichlet, u, p, triangles)
    check_vmap(m.laplacian_apply, u, p, triangles)
    direction = random.standard_normal((5, 3))
    difference = (m.area.grad(p + 1e-5 * direction, triangles) - m.area.grad(p - 1e-5 * direction, triangles)) / 2e-5
    close(m.hess_vec(p, direction, triangles), difference, 1e-6)
    close(m.area.grad(p, triangles[:0]), 0 * p)
    with pytest.raises(dad.RunError, match="index 5 is out of bounds for axis 0 of `p` with size 5"):
        m.area(p, triangles + 1)


def test_power_iteration(random: np.random.Generator) -> None:
    m = load("power_iteration")
    x = random.standard_normal((40, 4)) * [3, 1, 0.5, 0.2]
    values, vectors = np.linalg.eigh(np.cov(x.T))
    vector, value, _ = m.power(x, np.ones(4), 1e-10)
    close(abs(vector), abs(vectors[:, -1]), 1e-7)
    close(value, values[-1])
    check_vmap(m.power, x, np.ones(4), 1e-8)
    check(m.top, x.T @ x / 40, np.ones(4), 5)


def test_conjugate_gradient(random: np.random.Generator) -> None:
    m = load("conjugate_gradient")
    b, a = random.standard_normal(8), 2.5 * np.eye(8) - np.eye(8, k=1) - np.eye(8, k=-1)
    close(m.solve_(0.5, b), np.linalg.solve(a, b))
    close(m.dense(a, b), np.linalg.solve(a, b))
    check(m.solve_, 0.5, b)
    assert m.count_iter(0.5, b) <= 10
    assert m.solve_(0.5, []).shape == (0,)


def test_gauss_jordan(random: np.random.Generator) -> None:
    m = load("gauss_jordan")
    a, b = random.standard_normal((5, 5)), random.standard_normal(5)
    a[0, 0] = 0
    close(m.inverse(a), np.linalg.inv(a), 1e-8)
    close(m.solve_sys(a, b), np.linalg.solve(a, b), 1e-8)
    close(m.det(a), np.linalg.det(a))
    far = a + 3 * np.eye(5)[::-1]
    check(m.inverse, far)
    check(m.solve_sys, far, b)
    close(m.det.grad(far), np.linalg.det(far) * np.linalg.inv(far).T, 1e-8)
    assert m.det(np.zeros((0, 0))) == 1
    close(m.det.grad([[2.0]]), np.ones((1, 1)))


def test_newton() -> None:
    m = load("newton")
    start = np.array([1.0, 2.0])
    close(m.root(2.0, start), np.ones(2))
    check(m.root, 2.0, start)
    t = np.linspace(0, 3, 20)
    found, cost = m.fit_exp(t, 2 * np.exp(-1.3 * t) + 0.5, np.array([1.0, 1, 0]))
    close(found, np.array([2, 1.3, 0.5]), 1e-6)
    assert cost < 1e-12


def test_dynamic_programming(random: np.random.Generator) -> None:
    m = load("dynamic_programming")
    a, b = random.integers(0, 3, 9).astype(np.int32), random.integers(0, 3, 7).astype(np.int32)
    table = np.add.outer(np.arange(10), np.arange(8))
    for i in range(9):
        for j in range(7):
            table[i + 1, j + 1] = min(table[i, j + 1] + 1, table[i + 1, j] + 1, table[i, j] + (a[i] != b[j]))
    assert m.edit(a, b) == table[-1, -1]
    check_vmap(m.edit, a, b)
    check(m.soft_dtw, 0.5, random.random(4), random.random(3))


def test_sorting(random: np.random.Generator) -> None:
    m = load("sorting")
    x, keys = random.standard_normal(9), random.integers(-9, 9, 16).astype(np.int32)
    order = np.argsort(keys, kind="stable")
    close(m.isort(x), np.sort(x))
    close(m.sort_pairs(keys, np.arange(16.0)), (keys[order], order.astype(float)))
    close(m.ranks(x), np.argsort(np.argsort(x)))
    for values in (x, x[:8], x[:1]):
        close(m.median(values), np.median(values))
        check(m.median, values)
    check_vmap(m.bitonic_sort, keys)


def test_integers() -> None:
    m = load("integers")
    state, high = 42, []
    for _ in range(9):
        state = (state * 1103515245 + 12345) & 0xFFFFFFFF
        high.append(state >> 16 & 0x7FFF)
    assert m.lcg(42, 9).tolist() == high
    state, found = 7, m.lcg64(7, 9)
    for value in found:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        assert int(value) % 2**64 == state
    assert abs(m.monte_carlo_pi(1, 3000) - np.pi) < 0.1
    assert m.fib(50) == 12586269025
    assert m.powmod(3, 200, 1000007) == pow(3, 200, 1000007)
    assert m.popcount([0, 5, 255]).tolist() == [0, 2, 8]
    check_vmap(m.powmod, 3, 200, 1000007)
    check_vmap(m.sieve, 30)


def test_grids(random: np.random.Generator) -> None:
    m = load("grids")
    board = random.random((6, 7)) > 0.5
    around = sum(np.roll(board.astype(int), (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)
    assert (m.life(board, 1) == ((around == 3) | (board & (around == 2)))).all()

    def depth(start: complex) -> int:
        z, steps = start, 0
        while steps < 30 and abs(z) ** 2 < 4:
            z, steps = start + z * z, steps + 1
        return steps

    picture = [[depth(complex(-2 + x * 3 / 12, -1 + y * 2 / 8)) for x in range(12)] for y in range(8)]
    assert m.mandelbrot(12, 8, 30, -2.0, -1.0, 1.0, 1.0).tolist() == picture


def test_black_scholes(random: np.random.Generator) -> None:
    m = load("grids")
    s, x, t = random.random(9) * 20 + 90, random.random(9) * 20 + 90, random.random(9) + 0.1
    d1 = (np.log(s / x) + 0.07 * t) / (0.2 * np.sqrt(t))
    price = s * stats.norm.cdf(d1) - x * np.exp(-0.05 * t) * stats.norm.cdf(d1 - 0.2 * np.sqrt(t))
    close(m.black_scholes(0.05, 0.2, s, x, t), price, 1e-4)
    close(m.delta(0.05, 0.2, s, x, t), stats.norm.cdf(d1), 1e-3)
    close(m.gamma(0.05, 0.2, s, x, t), stats.norm.pdf(d1) / (s * 0.2 * np.sqrt(t)), 1e-3)
    check(m.black_scholes, 0.05, 0.2, s, x, t)
    assert m.gamma(0.05, 0.2, [], [], []).shape == (0,)


def test_scans(random: np.random.Generator) -> None:
    m = load("scans")
    x, a, flags = random.standard_normal(8), random.standard_normal(8), random.random(8) > 0.6
    expected, state = np.zeros(8), 0.0
    for k in range(8):
        state = a[k] * state + x[k]
        expected[k] = state
    close(m.linrec(a, x), expected)
    check(m.linrec, a, x)
    check(m.segsum, flags, x)
    packed, count = m.filter_pos(x)
    close(packed[:count], x[x > 0])
    close(m.running_max(x), np.maximum.accumulate(x))
    check(m.running_max, x)
    matrices = random.standard_normal((4, 2, 2))
    close(m.matprod(matrices), np.linalg.multi_dot(list(matrices)))
    check(m.matprod, matrices)
    check(m.matscan, matrices)
    close(m.matprod(matrices[:0]), np.eye(2))
    bins, weights = random.integers(0, 4, 9), random.random(9)
    close(m.weighted_hist(4, bins, weights), np.bincount(bins, weights, 4))
    check(m.weighted_hist, 4, bins, weights)
    with pytest.raises(dad.RunError, match="index 3 is out of bounds for axis 0 of `h` with size 3"):
        m.weighted_hist(3, [3], [1.0])


def test_quadrature(random: np.random.Generator) -> None:
    m = load("quadrature")
    a, b = random.standard_normal(5), random.standard_normal(4)
    close(m.polyval(a, b), np.polyval(a[::-1], b))
    close(m.polymul(a, b), np.convolve(a, b))
    check(m.polyval, a, b)
    check(m.polymul, a, b)
    close(m.gauss_int(1.0, 0.0, 1.0), np.sqrt(np.pi / 2) * special.erf(np.sqrt(0.5)))
    check(m.gauss_int, 1.0, 0.0, 1.0)
    close(m.ellipse(2.0, 1.0), 8 * special.ellipe(0.75))
    check(m.ellipse, 2.0, 1.0)
    v = m.implied_vol(0.8)
    close(v * np.exp(-v) + v, 0.8)


def test_complement_and_assertion() -> None:
    m = dad.compile("entry bits (x: i32) (b: bool) : (i32, bool, i64) = (!x, !b, !5)\n"
                    "entry root (x: f64) : f64 = assert (x >= 0) (sqrt x)")
    assert m.bits(5, True) == (-6, False, -6)
    with pytest.raises(dad.RunError, match="assertion failed: x >= 0"):
        m.root(-1.0)


def test_as_rigid_as_possible(random: np.random.Generator) -> None:
    m = load("rigid")
    rest = np.array([[0, 0, 0], [1, 0, 0.1], [1, 1, 0], [0, 1, 0.2], [0.5, 0.5, 0.6]])
    edges = np.array([[0, 1], [1, 2], [2, 3], [3, 0], [0, 4], [1, 4], [2, 4], [3, 4]])
    turned = Rotation.from_rotvec([0.3, -0.8, 0.5])
    close(m.arap(turned.apply(rest) + 2, rest, edges), 0.0)
    moved = rest + 0.1 * random.standard_normal((5, 3))
    expected = 0.0
    for i in range(5):
        mine = [(a, b) if a == i else (b, a) for a, b in edges if i in (a, b)]
        a, b = (np.array([x[i] - x[j] for i, j in mine]) for x in (rest, moved))
        expected += Rotation.align_vectors(b, a)[1] ** 2
    close(m.arap(moved, rest, edges), expected, 1e-7)
    check(m.arap, moved, rest, edges)


def test_cameras_and_angles(random: np.random.Generator) -> None:
    m = load("rigid")
    w, points = np.array([0.3, -0.2, 0.5]), random.standard_normal((4, 3))
    at = np.array([0.1, 0.2, -5.0])
    seen = Rotation.from_rotvec(w).apply(points) + at
    close(m.project(w, at, 2.0, points), -2 * seen[:, :2] / seen[:, 2:])
    check(m.project, w, at, 2.0, points)
    still = m.project.jacobian(np.zeros(3), at, 2.0, points, wrt=("w",))
    near = [(m.project(d, at, 2.0, points) - m.project(-d, at, 2.0, points)) / 2e-4 for d in 1e-4 * np.eye(3)]
    close(still, np.stack(near, -1), 1e-6)
    u, v = random.standard_normal((2, 4, 3)) / 4
    close(m.angles(u, v), np.arccos((u * v).sum(1)))
    check(m.angles, u, v)
    long = (1 + 1e-12) * np.eye(3)
    np.testing.assert_array_equal(m.angles(long, long), 0)
    for slopes in m.angles.vjp(long, long, np.ones(3))[1]:
        np.testing.assert_array_equal(slopes, 0)


def test_double_pendulum(random: np.random.Generator) -> None:
    m = load("double_pendulum")
    arms: dict[str, Any] = {"m1": 1.0, "m2": 0.7, "l1": 1.2, "l2": 0.8}
    start = np.array([1.0, 0.5, 0.1, -0.2])

    def flow(_: float, s: Any) -> Any:
        m1, m2, l1, l2 = arms.values()
        d, w1, w2 = s[0] - s[1], s[2], s[3]
        mass = np.array([[(m1 + m2) * l1, m2 * l2 * np.cos(d)], [l1 * np.cos(d), l2]])
        force = np.array([-m2 * l2 * w2 ** 2 * np.sin(d) - (m1 + m2) * 9.81 * np.sin(s[0]),
                          l1 * w1 ** 2 * np.sin(d) - 9.81 * np.sin(s[1])])
        return [w1, w2, *np.linalg.solve(mass, force)]

    expected = solve_ivp(flow, (0, 0.5), start, rtol=1e-10, atol=1e-10).y[:, -1]
    end = m.trajectory(arms, start, 0.01, 50)
    close(end, expected, 1e-6)
    close(m.energy(arms, end), m.energy(arms, start), 1e-6)
    check(m.trajectory, arms, start, 0.05, 5)
