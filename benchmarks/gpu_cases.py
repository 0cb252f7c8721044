"""What `gpu.py` measures: arguments, Dad's function, and the same with JAX and PyTorch as somebody writes it who knows
them well. All compute in double precision; a peer gives the same numbers as one tuple of arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """`entry` of `gpu.dad`, its value and gradient or, if `plain`, its value. `jax` and `torch` are given their module
    and give a function of arrays; `bytes` are what the fastest possible code moves, 0 where that is no measure."""

    name: str
    entry: str
    plain: bool
    arguments: Callable[[int], tuple[Any, ...]]
    size: int
    jax: Callable[[Any], Callable[..., Any]]
    torch: Callable[[Any], Callable[..., Any]]
    bytes: Callable[[int], int] = lambda n: 0


def random(n: int) -> Any:
    return np.random.default_rng(n)


# ------------------------------------------------------------------ arguments


def chain(n: int) -> tuple[Any, ...]:
    return 0.75, random(n).normal(size=n), random(n + 1).normal(size=n)


def gmm(n: int) -> tuple[Any, ...]:
    rng = random(n)
    return rng.normal(size=(n, 8)), rng.normal(size=16), rng.normal(size=(16, 8)), rng.normal(size=(16, 8)) * 0.1


def kmeans(n: int) -> tuple[Any, ...]:
    return random(n).normal(size=(n, 8)), random(n + 1).normal(size=(32, 8))


def triangles(n: int) -> tuple[Any, ...]:
    """A grid of squares, each of two triangles, a little out of shape."""
    side = max(1, int((n / 2) ** 0.5))
    i, j = (a.ravel() for a in np.meshgrid(np.arange(side), np.arange(side), indexing="ij"))
    a, b, c, d = (r * (side + 1) + s for r, s in ((i, j), (i + 1, j), (i, j + 1), (i + 1, j + 1)))
    corners = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
    plain = np.stack(np.meshgrid(np.arange(side + 1.0), np.arange(side + 1.0), indexing="ij"), -1).reshape(-1, 2)
    x = plain + random(n).uniform(-0.1, 0.1, plain.shape)
    p = plain[corners]
    rest = np.linalg.inv(np.stack([p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]], -1))
    return x, corners, np.ascontiguousarray(rest), np.full(len(corners), 0.5)


def elements(n: int) -> tuple[Any, ...]:
    x, corners, rest, areas = triangles(n)
    return np.ascontiguousarray(x[corners].reshape(-1, 6)), rest, areas


def ode(n: int) -> tuple[Any, ...]:
    return 100, random(n).uniform(0.5, 1.5, (n, 4))


def hmm(n: int) -> tuple[Any, ...]:
    rng = random(n)
    return (rng.integers(0, 4, (n, 50)), np.full(3, 1 / 3), rng.dirichlet(np.ones(3), 3),
            rng.dirichlet(np.ones(4), 3))


# ------------------------------------------------------------------ the same with JAX


def jax_energy(np_: Any, c: Any, rest: Any, area: Any) -> Any:
    edges = np_.stack([np_.stack([c[2] - c[0], c[4] - c[0]]), np_.stack([c[3] - c[1], c[5] - c[1]])])
    f = edges @ rest
    volume = np_.log(f[0, 0] * f[1, 1] - f[0, 1] * f[1, 0])
    return area * (0.5 * ((f * f).sum() - 2) - volume + volume**2)


def jax_chain(jax: Any) -> Any:
    def run(a: Any, x: Any, y: Any) -> Any:
        t = a * x + y
        return t * (1.5 - 0.5 * t * t) + x * y

    return run


def jax_gmm(jax: Any) -> Any:
    def value(weights: Any, means: Any, scales: Any, x: Any) -> Any:
        whitened = (x[:, None, :] - means) * jax.numpy.exp(-scales)
        logs = jax.nn.log_softmax(weights) + (-scales - 0.5 * whitened**2).sum(-1)
        return jax.scipy.special.logsumexp(logs, axis=1).sum()

    return lambda x, w, m, s: jax.value_and_grad(value, (0, 1, 2))(w, m, s, x)


def jax_kmeans(jax: Any) -> Any:
    def value(centers: Any, x: Any) -> Any:
        return ((x[:, None, :] - centers) ** 2).sum(-1).min(1).sum()

    return lambda x, c: jax.value_and_grad(value)(c, x)


def jax_mesh(jax: Any) -> Any:
    def value(x: Any, corners: Any, rest: Any, areas: Any) -> Any:
        each = jax.vmap(lambda c, r, a: jax_energy(jax.numpy, c, r, a))
        return each(x[corners].reshape(-1, 6), rest, areas).sum()

    return jax.value_and_grad(value)


def jax_hessians(jax: Any) -> Any:
    return jax.vmap(jax.hessian(lambda c, r, a: jax_energy(jax.numpy, c, r, a)))


def step(r: Any, u: Any, v: Any, h: float) -> tuple[Any, Any]:
    def slope(u: Any, v: Any) -> tuple[Any, Any]:
        return r[0] * u - r[1] * u * v, r[3] * u * v - r[2] * v

    a, b = slope(u, v)
    c, d = slope(u + h / 2 * a, v + h / 2 * b)
    e, f = slope(u + h / 2 * c, v + h / 2 * d)
    p, q = slope(u + h * e, v + h * f)
    return u + h / 6 * (a + 2 * c + 2 * e + p), v + h / 6 * (b + 2 * d + 2 * f + q)


def jax_ode(jax: Any) -> Any:
    def value(rates: Any, steps: int) -> Any:
        start = (jax.numpy.ones(len(rates)), jax.numpy.full(len(rates), 0.5))
        (u, v), _ = jax.lax.scan(lambda s, _: (step(rates.T, s[0], s[1], 0.01), None), start, None, length=steps)
        return (u**2 + v**2).sum()

    return lambda steps, rates: jax.value_and_grad(value)(rates, 100)


def jax_hmm(jax: Any) -> Any:
    def value(start: Any, moves: Any, emits: Any, symbols: Any) -> Any:
        def one(state: Any, w: Any) -> Any:
            p, total = state
            following = (p @ moves) * emits.T[w]
            norm = following.sum(-1)
            return (following / norm[:, None], total + jax.numpy.log(norm)), None

        begin = (jax.numpy.broadcast_to(start, (len(symbols), 3)), jax.numpy.zeros(len(symbols)))
        return jax.lax.scan(one, begin, symbols.T)[0][1].sum()

    return lambda symbols, s, m, e: jax.value_and_grad(value, (0, 1, 2))(s, m, e, symbols)


# ------------------------------------------------------------------ the same with PyTorch


def with_gradient(torch: Any, value: Callable[..., Any], *params: Any) -> Any:
    held = [p.detach().requires_grad_() for p in params]
    result = value(*held)
    return result, torch.autograd.grad(result, held)


def torch_gmm(torch: Any) -> Any:
    def run(x: Any, weights: Any, means: Any, scales: Any) -> Any:
        def value(w: Any, m: Any, s: Any) -> Any:
            logs = torch.log_softmax(w, 0) + (-s - 0.5 * ((x[:, None, :] - m) * torch.exp(-s)) ** 2).sum(-1)
            return torch.logsumexp(logs, 1).sum()

        return with_gradient(torch, value, weights, means, scales)

    return run


def torch_kmeans(torch: Any) -> Any:
    return lambda x, c: with_gradient(torch, lambda c: ((x[:, None, :] - c) ** 2).sum(-1).amin(1).sum(), c)


def torch_mesh(torch: Any) -> Any:
    each = torch.vmap(lambda c, r, a: jax_energy(torch, c, r, a))

    def run(x: Any, corners: Any, rest: Any, areas: Any) -> Any:
        return with_gradient(torch, lambda x: each(x[corners].reshape(-1, 6), rest, areas).sum(), x)

    return run


def torch_hessians(torch: Any) -> Any:
    return torch.vmap(torch.func.hessian(lambda c, r, a: jax_energy(torch, c, r, a)))


def torch_ode(torch: Any) -> Any:
    def value(rates: Any) -> Any:
        u, v = torch.ones_like(rates[:, 0]), torch.full_like(rates[:, 0], 0.5)
        for _ in range(100):
            u, v = step(rates.T, u, v, 0.01)
        return (u**2 + v**2).sum()

    return lambda steps, rates: with_gradient(torch, value, rates)


def torch_hmm(torch: Any) -> Any:
    def run(symbols: Any, start: Any, moves: Any, emits: Any) -> Any:
        def value(start: Any, moves: Any, emits: Any) -> Any:
            p, total = start.expand(len(symbols), 3), torch.zeros_like(symbols[:, 0], dtype=start.dtype)
            for w in symbols.T:
                p = (p @ moves) * emits.T[w]
                norm = p.sum(-1)
                p, total = p / norm[:, None], total + torch.log(norm)
            return total.sum()

        return with_gradient(torch, value, start, moves, emits)

    return run


CASES = (
    Case("chain, 5e7 numbers", "chain", True, chain, 50_000_000, jax_chain, jax_chain, lambda n: 24 * n),
    Case("gmm gradient, n=1e6 d=8 k=16", "gmm", False, gmm, 1_000_000, jax_gmm, torch_gmm),
    Case("kmeans gradient, n=1e6 d=8 k=32", "kmeans", False, kmeans, 1_000_000, jax_kmeans, torch_kmeans),
    Case("mesh gradient, 1e6 triangles", "mesh", False, triangles, 1_000_000, jax_mesh, torch_mesh),
    Case("element Hessians, 1e6 triangles", "hessians", True, elements, 1_000_000, jax_hessians, torch_hessians,
         lambda n: (6 + 4 + 1 + 36) * 8 * n),
    Case("ODE gradient, 1e4 systems", "ode", False, ode, 10_000, jax_ode, torch_ode),
    Case("HMM gradient, 1e5 sequences", "hmm", False, hmm, 100_000, jax_hmm, torch_hmm),
)
