"""Small inputs for GradBench's functions, and the answers, by plain NumPy and never by Dad.

Gradients are by complex steps: a program of analytic functions at x + ih has its derivative in the imaginary part of
its value, to the last digit, as nothing is subtracted (Squire and Trapp, SIAM Review 40, 1998). The objectives below
therefore take complex numbers; where they branch, they look at the real part.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any

import numpy as np

STEP = 1e-100


def complex_step(objective: Callable[[Any], Any], x: Any) -> Any:
    """The derivative of `objective` at `x`, the axes of `x` last."""
    x = np.asarray(x, dtype=np.float64)
    slopes = []
    for k in range(x.size):
        ahead = x.astype(np.complex128)
        ahead.flat[k] += 1j * STEP
        slopes.append(np.imag(objective(ahead)) / STEP)
    slope = np.stack(slopes, axis=-1)
    return slope.reshape(slope.shape[:-1] + x.shape)


def logsumexp(x: Any) -> Any:
    top = x.real.max()
    return top + np.log(np.exp(x - top).sum())


# ---------------------------------------------------------------- one number from many


def hello(function: str, x: Any) -> Any:
    return x**2 if function == "square" else 2 * x


def lse(function: str, given: Any) -> Any:
    x = np.array(given["x"])
    value = math.log(math.fsum(map(math.exp, x)))
    return value if function == "primal" else np.exp(x - value)


def llsq(function: str, given: Any) -> Any:
    x, n = np.array(given["x"]), given["n"]
    t = -1 + np.arange(n) * 2 / (n - 1)
    powers = t[:, None] ** np.arange(len(x))
    residuals = np.sign(t) - powers @ x
    return 0.5 * (residuals**2).sum() if function == "primal" else -powers.T @ residuals


def determinant(a: Any) -> Any:
    """By Leibniz: all permutations, with their signs."""
    n = len(a)
    total = 0.0
    for p in permutations(range(n)):
        inversions = sum(p[i] > p[j] for i in range(n) for j in range(i + 1, n))
        total = total + (-1) ** inversions * np.prod([a[i, p[i]] for i in range(n)])
    return total


def det(function: str, given: Any) -> Any:
    a = np.array(given["A"]).reshape(given["ell"], -1)
    return determinant(a) if function == "primal" else complex_step(determinant, a).ravel()


def mixture(parameters: Any, given: Any) -> Any:
    """The log posterior of a mixture whose parameters stand one after the other: alpha, mu, q, l."""
    d, k, m, gamma = given["d"], given["k"], given["m"], given["gamma"]
    alpha, mu, q, below = np.split(parameters, [k, k + k * d, k + 2 * k * d])
    mu, q, below = mu.reshape(k, d), q.reshape(k, d), below.reshape(k, -1)
    total = -logsumexp(alpha) * given["n"]
    factors = []
    for c in range(k):
        factor = np.diag(np.exp(q[c]))
        columns, rows = np.triu_indices(d, 1)
        factor[rows, columns] = below[c]
        factors.append(factor)
    for x in np.array(given["x"]):
        terms = [alpha[c] + q[c].sum() - 0.5 * ((factors[c] @ (x - mu[c])) ** 2).sum() for c in range(k)]
        total += logsumexp(np.array(terms)) - 0.5 * d * math.log(2 * math.pi)
    degrees = d + m + 1
    log_gamma = d * (d - 1) / 4 * math.log(math.pi) + sum(math.lgamma((degrees - j) / 2) for j in range(d))
    for c in range(k):
        # The logarithm of Wishart's density with that many degrees of freedom at F'F, for the scale 1 / gamma**2.
        total += m * q[c].sum() - 0.5 * gamma**2 * (factors[c] ** 2).sum()
        total += degrees * d * (math.log(gamma) - 0.5 * math.log(2)) - log_gamma
    return total


def gmm(function: str, given: Any) -> Any:
    parts = {name: np.array(given[name], dtype=np.float64) for name in ("alpha", "mu", "q", "l")}
    flat = np.concatenate([part.ravel() for part in parts.values()])
    if function == "objective":
        return mixture(flat, given).real
    slope = np.split(complex_step(lambda p: mixture(p, given), flat), np.cumsum([p.size for p in parts.values()])[:-1])
    return {name: piece.reshape(part.shape) for piece, (name, part) in zip(slope, parts.items(), strict=True)}


def kmeans(function: str, given: Any) -> Any:
    """Newton's direction from a centroid is half of what leads to the mean of its points, as the cost is quadratic."""
    points, centroids = np.array(given["points"]), np.array(given["centroids"])
    squares = ((points[:, None] - centroids) ** 2).sum(axis=2)
    if function == "cost":
        return squares.min(axis=1).sum()
    nearest = squares.argmin(axis=1)
    return np.stack([c - points[nearest == k].mean(axis=0) for k, c in enumerate(centroids)])


# ---------------------------------------------------------------- loops


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def network(parameters: Any, given: Any) -> Any:
    """The loss of the recurrent network, its parameters as one vector."""
    state, sequence = np.array(given["state"], dtype=parameters.dtype), np.array(given["sequence"])
    characters, units = sequence.shape
    layers = len(state) // 2
    main, ends = parameters[:8 * layers * units].reshape(layers, 8, units), parameters[8 * layers * units:]
    into, out, bias = ends.reshape(3, units)
    total = 0.0
    for t in range(characters - 1):
        x = sequence[t] * into
        for layer in range(layers):
            wf, wi, wo, wc, bf, bi, bo, bc = main[layer]
            hidden, cell = state[2 * layer], state[2 * layer + 1]
            cell = cell * sigmoid(x * wf + bf) + sigmoid(hidden * wi + bi) * np.tanh(hidden * wc + bc)
            x = sigmoid(x * wo + bo) * np.tanh(cell)
            state[2 * layer], state[2 * layer + 1] = x, cell
        guess = x * out + bias
        total -= (sequence[t + 1] * (guess - np.log(np.exp(guess).sum() + 2))).sum()
    return total / ((characters - 1) * units)


def lstm(function: str, given: Any) -> Any:
    parameters = np.concatenate([np.array(given["main_params"]).ravel(), np.array(given["extra_params"]).ravel()])
    if function == "objective":
        return network(parameters, given)
    return complex_step(lambda p: network(p, given), parameters)


def runge_kutta(x: Any, steps: int) -> Any:
    """Classical steps from 0 until 2, one element after the other."""

    def slope(y: Any) -> Any:
        return np.array([x[i] * (y[i - 1] if i > 0 else 1) for i in range(len(x))])

    y, h = 0 * x, 2 / steps
    for _ in range(steps):
        k1 = slope(y)
        k2 = slope(y + h * k1 / 2)
        k3 = slope(y + h * k2 / 2)
        k4 = slope(y + h * k3)
        y = y + h * (k1 + 2 * k2 + 2 * k3 + k4) / 6
    return y


def ode(function: str, given: Any) -> Any:
    x, s = np.array(given["x"]), given["s"]
    return runge_kutta(x, s) if function == "primal" else complex_step(lambda x: runge_kutta(x, s)[-1], x)


# ---------------------------------------------------------------- geometry


def rotated(axis: Any, x: Any) -> Any:
    angle = np.sqrt((axis**2).sum())
    if angle == 0:
        return x + np.cross(axis, x)
    axis = axis / angle
    return x * np.cos(angle) + np.cross(axis, x) * np.sin(angle) + axis * (axis @ x) * (1 - np.cos(angle))


def seen(parameters: Any, feature: Any) -> Any:
    """A reprojection error from the 11 parameters of a camera, the 3 of a point, and a weight."""
    camera, point, weight = parameters[:11], parameters[11:14], parameters[14]
    x = rotated(camera[:3], point - camera[3:6])
    flat = x[:2] / x[2]
    square = (flat**2).sum()
    return weight * (flat * (1 + camera[9] * square + camera[10] * square**2) * camera[6] + camera[7:9] - feature)


def ba(function: str, given: Any) -> Any:
    n, m, p, feature = given["n"], given["m"], given["p"], np.array(given["feat"])
    parameters = np.array([*given["cam"], *given["x"], given["w"]])
    if function == "objective":
        return {"reproj_error": {"elements": seen(parameters, feature), "repeated": p},
                "w_err": {"element": 1 - given["w"] ** 2, "repeated": p}}
    block = complex_step(lambda q: seen(q, feature), parameters)
    rows, columns, values = [0], [], []
    for i in range(p):
        for row in block:
            columns += [*range(11 * (i % n), 11 * (i % n) + 11),
                        *range(11 * n + 3 * (i % m), 11 * n + 3 * (i % m) + 3), 11 * n + 3 * m + i]
            values += list(row)
            rows.append(len(columns))
    for i in range(p):
        columns.append(11 * n + 3 * m + i)
        values.append(-2 * given["w"])
        rows.append(len(columns))
    return {name: [*numbers[:30], numbers[-1]]
            for name, numbers in (("rows", rows), ("cols", columns), ("vals", values))}


def hand(theta: Any, us: Any, given: Any) -> Any:
    """Residuals of the hand, bone by bone and point by point."""
    model = given["data"]["model"]
    absolutes: list[Any] = []
    for i, (parent, base) in enumerate(zip(model["parents"], model["base_relatives"], strict=True)):
        finger, joint = divmod(i - 2, 4)
        bend = spread = 0.0 * theta[0]
        if i >= 2 and joint < 3:
            bend = theta[6 + 4 * finger + joint + (joint > 0)]
            spread = theta[7 + 4 * finger] if joint == 0 else spread
        turn = np.eye(4, dtype=theta.dtype)
        around_x, around_z = np.eye(3, dtype=theta.dtype), np.eye(3, dtype=theta.dtype)
        around_x[1:, 1:] = [[np.cos(bend), -np.sin(bend)], [np.sin(bend), np.cos(bend)]]
        around_z[:2, :2] = [[np.cos(spread), -np.sin(spread)], [np.sin(spread), np.cos(spread)]]
        turn[:3, :3] = around_z @ around_x
        absolutes.append((absolutes[parent] if parent >= 0 else np.eye(4)) @ np.array(base) @ turn)
    skin = []
    for place, weights in zip(model["base_positions"], model["weights"], strict=True):
        bent = sum(w * (a @ np.array(inverse) @ np.array(place))[:3]
                   for w, a, inverse in zip(weights, absolutes, model["inverse_base_absolutes"], strict=True))
        if model["is_mirrored"]:
            bent = bent * np.array([-1, 1, 1])
        small = abs(theta[:3]).max() < 1e-5
        skin.append((bent if small else rotated(theta[:3], bent)) + theta[3:6])
    residuals = []
    for i, (number, point) in enumerate(zip(given["data"]["correspondences"], given["data"]["points"], strict=True)):
        if us is None:
            found = skin[number]
        else:
            a, b, c = (skin[k] for k in model["triangles"][number])
            found = us[i, 0] * a + us[i, 1] * b + (1 - us[i].sum()) * c
        residuals.append(np.array(point) - found)
    return np.concatenate(residuals)


def ht(function: str, given: Any) -> Any:
    theta = np.array(given["theta"])
    us = np.array(given["us"]) if given["us"] else None
    if function == "objective":
        return hand(theta, us, given)
    by_theta = complex_step(lambda t: hand(t, us, given), theta)
    if us is None:
        return by_theta
    by_us = complex_step(lambda u: hand(theta, u, given), us)
    return np.concatenate([by_us.sum(axis=1), by_theta], axis=1)


# ---------------------------------------------------------------- minimisation


def descend(f: Callable[[Any], float], slope_of: Callable[[Any], Any], x: Any) -> Any:
    """GradBench's minimiser: steps that double after ten successes in a row and halve after a failure."""
    value, slope, rate, streak = f(x), slope_of(x), 1e-5, 0
    while np.linalg.norm(slope) > 1e-5:
        if streak == 10:
            rate, streak = 2 * rate, 0
            continue
        ahead = x - rate * slope
        if np.linalg.norm(ahead - x) <= 1e-5:
            break
        if f(ahead) < value:
            x, value, slope, streak = ahead, f(ahead), slope_of(ahead), streak + 1
        else:
            rate, streak = rate / 2, 0
    return x


def saddle(_function: str, given: Any) -> Any:
    """The function is |x|² - |y|²; the inner maximiser ends at the same place whatever x is."""
    start = np.array(given["start"])
    y = descend(lambda y: y @ y, lambda y: 2 * y, start)
    return np.concatenate([descend(lambda x: x @ x - y @ y, lambda x: 2 * x, start), y])


def miss(w: Any) -> Any:
    x, v = np.array([0.0 * w, 8.0]), np.array([0.75 + 0.0 * w, 0.0])
    while (x + 0.1 * v)[1].real > 0:
        # The gradient of 1 / |x - c| is -(x - c) / |x - c|³.
        away = [x - np.array([10, 10 - w]), x - np.array([10, 0])]
        x, v = x + 0.1 * v, v + 0.1 * sum(a / (a**2).sum() ** 1.5 for a in away)
    return (x[0] - x[1] / v[1] * v[0]) ** 2


def particle(_function: str, given: Any) -> Any:
    def slope(w: Any) -> Any:
        return complex_step(lambda w: miss(w[0]), w)

    return descend(lambda w: miss(w[0]).real, slope, np.array([given["w"]]))[0]


# ---------------------------------------------------------------- inputs


def inputs() -> Iterator[tuple[str, str, Any]]:
    """Modules, functions and inputs, as GradBench's evals make them, only smaller."""
    random = np.random.default_rng(31337)

    def normal(*shape: int) -> Any:
        return random.standard_normal(shape).tolist()

    def uniform(*shape: int) -> Any:
        return random.random(shape).tolist()

    for x in (1.0, -4.0):
        yield from ((("hello", function, x)) for function in ("square", "double"))
    for n in (1, 300):
        given = {"x": (100 * random.random(n) - 50).tolist()}
        yield from (("lse", function, given) for function in ("primal", "gradient"))
    for n, m in ((2, 1), (33, 12)):
        given = {"x": uniform(m), "n": n}
        yield from (("llsq", function, given) for function in ("primal", "gradient"))
    for d, k, m, gamma in ((2, 3, 0, 1.0), (3, 2, 2, 0.7), (1, 1, 0, 1.3)):
        given = {"d": d, "k": k, "n": 7, "x": normal(7, d), "m": m, "gamma": gamma, "mu": uniform(k, d),
                 "q": normal(k, d), "l": normal(k, d * (d - 1) // 2), "alpha": normal(k)}
        yield from (("gmm", function, given) for function in ("objective", "jacobian"))
    points = uniform(60, 3)
    yield from (("kmeans", function, {"points": points, "centroids": points[-5:]}) for function in ("cost", "dir"))
    given = {"main_params": normal(4, 12), "extra_params": normal(3, 3), "state": normal(4, 3),
             "sequence": normal(6, 3)}
    yield from (("lstm", function, given) for function in ("objective", "jacobian"))
    # Beyond n = 4 s the gradient is zero.
    for n, s in ((1, 1), (8, 2), (6, 9)):
        yield from (("ode", function, {"x": uniform(n), "s": s}) for function in ("primal", "gradient"))
    for ell in (1, 2, 5):
        yield from (("det", function, {"A": uniform(ell * ell), "ell": ell}) for function in ("primal", "gradient"))
    for turn in (normal(3), [0.0, 0.0, 0.0]):
        given = {"n": 3, "m": 5, "p": 14, "cam": [*turn, *normal(3), 50.0, *normal(2), 0.1, -0.02],
                 "x": [0.3, -0.2, 12.0], "w": 0.7, "feat": normal(2)}
        yield from (("ba", function, given) for function in ("objective", "jacobian"))
    for measured, inside, mirrored in ((4, False, False), (3, True, True)):
        given = {"theta": normal(26), "us": uniform(measured, 2) if inside else [], "data": {
            "model": {"bone_count": 22, "bone_names": [f"bone{i}" for i in range(22)],
                      "parents": [-1, 0, *(1 if i % 4 == 2 else i - 1 for i in range(2, 22))],
                      "base_relatives": normal(22, 4, 4), "inverse_base_absolutes": normal(22, 4, 4),
                      "base_positions": [[*place, 1.0] for place in normal(6, 3)], "weights": uniform(6, 22),
                      "triangles": [[0, 1, 2], [3, 4, 5], [1, 3, 5], [0, 2, 4]], "is_mirrored": mirrored},
            "correspondences": random.integers(0, 4, measured).tolist(), "points": normal(measured, 3)}}
        yield from (("ht", function, given) for function in ("objective", "jacobian"))
    for mode in ("rr", "ff", "fr", "rf"):
        yield "saddle", mode, {"start": [1.0, 1.0]}
        yield "saddle", mode, {"start": [0.3, -0.7]}
        yield "particle", mode, {"w": 0.207}
    yield "particle", "fr", {"w": 1.0}


ANSWERS: dict[str, Callable[[str, Any], Any]] = {
    "hello": hello, "lse": lse, "llsq": llsq, "gmm": gmm, "kmeans": kmeans, "lstm": lstm, "ode": ode, "det": det,
    "ba": ba, "ht": ht, "saddle": saddle, "particle": particle,
}
