"""The derivatives of GradBench's evals with JAX, as somebody would write them who knows it well.

Comes in: a name of an eval and the arguments of Dad's entry (`tool.EVALS`). Goes out: a function that computes the same
numbers, compiled and timed to completion, as one flat array; None where JAX has no such thing (reverse mode through an
unbounded `while`) or where it is not installed.
"""
from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

Run = Callable[[], Any]


def gradient(module: str, function: str, arguments: Sequence[Any]) -> Run | None:
    """What computes the derivative that Dad's `function` of `module` computes, at the same arguments."""
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    try:
        jax: Any = import_module("jax")
    except ImportError:
        return None
    jax.config.update("jax_enable_x64", True)
    make = MAKERS.get((module, function))
    if make is None:
        return None
    derivative, given = make(jax, *arguments)
    compiled, placed = jax.jit(derivative), jax.device_put(given)
    return lambda: jax.block_until_ready(compiled(*placed))


def flat(jax: Any, tree: Any) -> Any:
    return jax.numpy.concatenate([jax.numpy.ravel(x) for x in jax.tree_util.tree_leaves(tree)])


# ------------------------------------------------------------------ arrays


def lse(jax: Any, x: Any) -> Any:
    return jax.grad(lambda v: jax.scipy.special.logsumexp(v)), (x,)


def llsq(jax: Any, x: Any, n: int) -> Any:
    t = -1 + np.arange(n) * 2 / (n - 1)

    def objective(x: Any, t: Any) -> Any:
        value, _ = jax.lax.scan(lambda total, c: (c + t * total, None), jax.numpy.zeros_like(t), x[::-1])
        return 0.5 * jax.numpy.sum((jax.numpy.sign(t) - value) ** 2)

    return jax.grad(objective), (x, t)


def gmm(jax: Any, theta: Any, x: Any, gamma: float, m: int) -> Any:
    xp = jax.numpy
    n, d = x.shape
    k = len(theta["alpha"])
    columns, rows = np.triu_indices(d, 1)
    place = np.zeros((d, d), dtype=np.int64)
    place[rows, columns] = 1 + np.arange(rows.size)

    def objective(theta: Any, x: Any) -> Any:
        alpha, mu, q, below = theta["alpha"], theta["mu"], theta["q"], theta["l"]
        scales = xp.exp(q)
        padded = xp.concatenate((xp.zeros((k, 1)), below), axis=1)
        factors = padded[:, place] + scales[:, :, None] * np.eye(d)
        white = xp.matmul(x[None] - mu[:, None], xp.swapaxes(factors, 1, 2))
        sums = xp.sum(q, axis=1)
        inner = alpha + sums - 0.5 * xp.transpose(xp.sum(white**2, axis=2))
        prior = 0.5 * gamma**2 * (xp.sum(scales**2) + xp.sum(below**2)) - m * xp.sum(sums)
        norm = jax.scipy.special.logsumexp
        return xp.sum(norm(inner, axis=1)) - n * norm(alpha) - prior

    def slope(theta: Any, x: Any) -> Any:
        found = jax.grad(objective)(theta, x)
        return flat(jax, [found[name] for name in ("alpha", "mu", "q", "l")])

    return slope, (theta, x)


def kmeans(jax: Any, centroids: Any, points: Any) -> Any:
    xp = jax.numpy

    def direction(centroids: Any, points: Any) -> Any:
        def cost(c: Any) -> Any:
            far = xp.sum(points**2, axis=1)[:, None] + xp.sum(c**2, axis=1)[None] - 2 * points @ c.T
            return xp.sum(xp.min(far, axis=1))

        slope, curvature = jax.jvp(jax.grad(cost), (centroids,), (xp.ones_like(centroids),))
        return slope / curvature

    return direction, (centroids, points)


# ------------------------------------------------------------------ loops


def lstm(jax: Any, layers: Any, ends: Any, start: Any, text: Any) -> Any:
    xp = jax.numpy
    count = len(start["hidden"])
    gates, outer = ("forget", "ingate", "outgate", "change"), ("in_weight", "out_weight", "out_bias")

    def objective(layers: Any, ends: Any, start: Any, text: Any) -> Any:
        def read(memory: Any, both: Any) -> Any:
            character, following = both
            hidden, cell = [], []
            x = character * ends["in_weight"]
            for i in range(count):
                w = {name: values[i] for name, values in layers["weight"].items()}
                b = {name: values[i] for name, values in layers["bias"].items()}
                forget = jax.nn.sigmoid(x * w["forget"] + b["forget"])
                ingate = jax.nn.sigmoid(memory[0][i] * w["ingate"] + b["ingate"])
                outgate = jax.nn.sigmoid(x * w["outgate"] + b["outgate"])
                change = xp.tanh(memory[0][i] * w["change"] + b["change"])
                cell.append(memory[1][i] * forget + ingate * change)
                x = outgate * xp.tanh(cell[-1])
                hidden.append(x)
            guess = x * ends["out_weight"] + ends["out_bias"]
            norm = xp.log(2.0 + xp.sum(xp.exp(guess)))
            return (xp.stack(hidden), xp.stack(cell)), xp.sum(following * (guess - norm))

        _, parts = jax.lax.scan(read, (start["hidden"], start["cell"]), (text[:-1], text[1:]))
        return -xp.sum(parts) / ((len(text) - 1) * text.shape[1])

    def slope(*given: Any) -> Any:
        layers, ends = jax.grad(objective, argnums=(0, 1))(*given)
        inner = [layers[part][gate] for part in ("weight", "bias") for gate in gates]
        return flat(jax, [*inner, *(ends[name] for name in outer)])

    return slope, (layers, ends, start, text)


def ode(jax: Any, x: Any, s: int) -> Any:
    xp = jax.numpy
    h = 2.0 / s

    def objective(x: Any) -> Any:
        def slope(y: Any) -> Any:
            return x * xp.concatenate((xp.ones(1), y[:-1]))

        def step(y: Any, _: Any) -> Any:
            k1 = slope(y)
            k2 = slope(y + h / 2 * k1)
            k3 = slope(y + h / 2 * k2)
            k4 = slope(y + h * k3)
            return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

        return jax.lax.scan(step, xp.zeros_like(x), None, length=s)[0][-1]

    return jax.grad(objective), (x,)


def det(jax: Any, a: Any) -> Any:
    """Laplace's expansion, the recursion run by the compiler down to four columns, over arrays of choices below."""
    xp = jax.numpy
    n = len(a)

    def minors(columns: Any, row: int) -> Any:
        """Determinants of the rows from `row` on in the given columns, [..., n - row] of them."""
        width = n - row
        if width == 1:
            return a_ref[0][row][columns[..., 0]]
        rest = np.stack([np.delete(columns, k, axis=-1) for k in range(width)], axis=-2)
        signs = np.where(np.arange(width) % 2, -1.0, 1.0)
        return xp.sum(signs * a_ref[0][row][columns] * minors(rest, row + 1), axis=-1)

    a_ref: list[Any] = [None]

    def objective(a: Any) -> Any:
        a_ref[0] = a
        return minors(np.arange(n), 0)

    return jax.grad(objective), (a,)


# ------------------------------------------------------------------ Jacobians


def ba(jax: Any, cameras: Any, points: Any, weights: Any, seen: Any) -> Any:
    xp = jax.numpy

    def residual(all15: Any, feature: Any) -> Any:
        rotation, centre, focal = all15[:3], all15[3:6], all15[6]
        principal, radial, x, weight = all15[7:9], all15[9:11], all15[11:14], all15[14]
        x = x - centre
        square = rotation @ rotation
        safe = xp.where(square == 0.0, 1.0, square)
        angle = xp.sqrt(safe)
        axis = rotation / angle
        turned = xp.cos(angle) * x + xp.sin(angle) * xp.cross(axis, x) + (1.0 - xp.cos(angle)) * (axis @ x) * axis
        turned = xp.where(square == 0.0, x + xp.cross(rotation, x), turned)
        flat = turned[:2] / turned[2]
        r2 = flat @ flat
        return weight * (focal * (1.0 + radial[0] * r2 + radial[1] * r2 * r2) * flat + principal - feature)

    def jacobian(cameras: Any, points: Any, weights: Any, camera: Any, point: Any, feature: Any) -> Any:
        fields = [cameras[k][camera] for k in ("rotation", "centre", "focal", "principal", "radial")]
        columns = [f if f.ndim == 2 else f[:, None] for f in fields]
        inputs = xp.concatenate([*columns, points[point], weights[:, None]], axis=1)
        blocks = jax.vmap(jax.jacrev(residual))(inputs, feature)
        return xp.concatenate([blocks.ravel(), -2.0 * weights])

    return jacobian, (cameras, points, weights, seen["camera"], seen["point"], seen["feature"])


def hand(jax: Any, model: Any) -> Callable[[Any], Any]:
    xp = jax.numpy
    parents = [int(p) for p in model["parents"]]
    bones = len(parents)

    def turn(x: Any, z: Any) -> Any:
        sx, cx, sz, cz = xp.sin(x), xp.cos(x), xp.sin(z), xp.cos(z)
        zero, one = xp.zeros(()), xp.ones(())
        return xp.stack([xp.stack([cz, -sz * cx, sz * sx, zero]), xp.stack([sz, cz * cx, -cz * sx, zero]),
                         xp.stack([zero, sx, cx, zero]), xp.stack([zero, zero, zero, one])])

    def skin(theta: Any) -> Any:
        turns = []
        for bone in range(bones):
            finger, joint = divmod(bone - 2, 4)
            first = 6 + 4 * finger
            if bone < 2 or finger >= 5 or joint == 3:
                turns.append(xp.eye(4))
            elif joint == 0:
                turns.append(turn(theta[first], theta[first + 1]))
            else:
                turns.append(turn(theta[first + 1 + joint], xp.zeros(())))
        relatives = xp.matmul(model["base_relatives"], xp.stack(turns))
        absolutes: list[Any] = []
        for bone, parent in enumerate(parents):
            absolutes.append(relatives[bone] if parent == -1 else absolutes[parent] @ relatives[bone])
        transforms = xp.matmul(xp.stack(absolutes), model["inverse_base_absolutes"])
        bent = xp.einsum("vk,krc,vc->vr", model["weights"], transforms[:, :3], model["base_positions"])
        if model["is_mirrored"]:
            bent = bent * xp.array([-1.0, 1.0, 1.0])
        axis = theta[:3]
        square = axis @ axis
        angle = xp.sqrt(xp.where(square > 0, square, 1.0))
        u = axis / angle
        zero = xp.zeros(())
        cross = xp.stack([xp.stack([zero, -u[2], u[1]]), xp.stack([u[2], zero, -u[0]]), xp.stack([-u[1], u[0], zero])])
        rotation = xp.cos(angle) * xp.eye(3) + (1 - xp.cos(angle)) * xp.outer(u, u) + xp.sin(angle) * cross
        return theta[3:6] + bent @ xp.where(angle < 0.0001, xp.eye(3), rotation).T

    return skin


def ht(jax: Any, theta: Any, model: Any, nearest: Any, measured: Any) -> Any:
    skin = hand(jax, model)
    return jax.jacfwd(lambda theta: (measured - skin(theta)[nearest]).ravel()), (theta,)


def ht_inside(jax: Any, theta: Any, us: Any, model: Any, nearest: Any, measured: Any) -> Any:
    xp = jax.numpy
    skin = hand(jax, model)
    corners = model["triangles"][nearest]

    def objective(theta: Any, us: Any) -> Any:
        points = skin(theta)
        u, v = us[:, :1], us[:, 1:]
        return (measured - (u * points[corners[:, 0]] + v * points[corners[:, 1]]
                            + (1.0 - u - v) * points[corners[:, 2]])).ravel()

    def jacobian(theta: Any, us: Any) -> Any:
        def column(turned: Any, moved: Any) -> Any:
            return jax.jvp(objective, (theta, us), (turned, xp.broadcast_to(moved, us.shape)))[1]

        turned = xp.concatenate([xp.zeros((2, 26)), xp.eye(26)])
        moved = xp.concatenate([xp.eye(2), xp.zeros((26, 2))])
        return jax.vmap(column)(turned, moved).T

    return jacobian, (theta, us)


# ------------------------------------------------------------------ minimisers


def argmin(jax: Any, gradient: Any, f: Any, start: Any, bounded: bool = False) -> Any:
    """Gradient descent that steps further after ten steps downhill. `bounded`: with a limit to its steps, so that
    reverse mode has room for them."""
    xp = jax.numpy
    slope = gradient(f)

    def length(x: Any) -> Any:
        square = xp.sum(x * x)
        return xp.where(square > 0, xp.sqrt(xp.where(square > 0, square, 1.0)), 0.0)

    def step(s: Any) -> Any:
        x, value, g, rate, streak, _ = s

        def move(_: Any) -> Any:
            moved = x - rate * g
            new = f(moved)

            def better(_: Any) -> Any:
                return moved, new, slope(moved), rate, streak + 1, True

            def worse(_: Any) -> Any:
                return x, value, g, rate / 2, 0, True

            return jax.lax.cond(length(moved - x) <= 1e-5, lambda _: (x, value, g, rate, streak, False),
                                lambda _: jax.lax.cond(new < value, better, worse, None), None)

        return jax.lax.cond(length(g) <= 1e-5, lambda _: (x, value, g, rate, streak, False),
                            lambda _: jax.lax.cond(streak == 10, lambda _: (x, value, g, 2 * rate, 0, True), move,
                                                   None), None)

    first = (start, f(start), slope(start), 1e-5, 0, True)
    return jax.lax.while_loop(lambda s: s[5], step, first)[0]


def saddle(jax: Any, start: Any) -> Any:
    xp = jax.numpy
    forward = jax.jacfwd

    def height(x: Any, y: Any) -> Any:
        return x @ x - y @ y

    def run(start: Any) -> Any:
        def highest(x: Any) -> Any:
            return height(x, argmin(jax, forward, lambda y: -height(x, y), start))

        x = argmin(jax, forward, highest, start)
        return xp.concatenate([x, argmin(jax, forward, lambda y: -height(x, y), start)])

    return run, (start,)


def particle(inner: str) -> Callable[..., Any]:
    def make(jax: Any, w: Any) -> Any:
        xp = jax.numpy
        gradient = {"f": jax.jacfwd, "r": jax.grad}[inner]

        def potential(w: Any, x: Any) -> Any:
            return (1.0 / xp.sqrt(xp.sum((x - xp.stack([10.0, 10.0 - w])) ** 2))
                    + 1.0 / xp.sqrt(xp.sum((x - xp.array([10.0, 0.0])) ** 2)))

        def miss(w: Any) -> Any:
            dt = 0.1

            def step(s: Any) -> Any:
                x, v = s
                return x + dt * v, v - dt * gradient(lambda x: potential(w[0], x))(x)

            x, v = jax.lax.while_loop(lambda s: s[0][1] + dt * s[1][1] > 0.0, step,
                                      (xp.array([0.0, 8.0]), xp.array([0.75, 0.0])))
            rest = -x[1] / v[1]
            return (x[0] + rest * v[0]) ** 2

        return lambda w: argmin(jax, jax.jacfwd, miss, w), (np.array([w]),)

    return make


MAKERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("lse", "gradient"): lse,
    ("llsq", "gradient"): llsq,
    ("gmm", "jacobian"): gmm,
    ("kmeans", "dir"): kmeans,
    ("lstm", "jacobian"): lstm,
    ("ode", "gradient"): ode,
    ("det", "gradient"): det,
    ("ba", "jacobian"): ba,
    ("ht", "jacobian"): ht,
    ("ht", "jacobian_inside"): ht_inside,
    ("saddle", "ff"): saddle,
    ("particle", "ff"): particle("f"),
    ("particle", "fr"): particle("r"),
}
