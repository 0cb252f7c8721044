"""The derivatives of GradBench's evals with PyTorch, as somebody would write them who knows it well: eager, one thread.

Comes in: a name of an eval and the arguments of Dad's entry (`tool.EVALS`). Goes out: a function that computes the same
numbers as one flat array; None where nobody would use PyTorch, or where it is not installed.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np

Run = Callable[[], Any]


def gradient(module: str, function: str, arguments: Sequence[Any]) -> Run | None:
    """What computes the derivative that Dad's `function` of `module` computes, at the same arguments."""
    make = MAKERS.get((module, function))
    if make is None:
        return None
    try:
        torch: Any = import_module("torch")
    except ImportError:
        return None
    torch.set_num_threads(1)
    return make(torch, *arguments)


def reverse(torch: Any, objective: Callable[..., Any], *arrays: Any) -> Run:
    """The gradient of a function of arrays, flat."""
    leaves = [torch.tensor(np.asarray(a), requires_grad=True) for a in arrays]

    def run() -> Any:
        return np.concatenate([g.numpy().ravel() for g in torch.autograd.grad(objective(*leaves), leaves)])

    return run


def lse(torch: Any, x: Any) -> Run:
    return reverse(torch, lambda v: torch.logsumexp(v, 0), x)


def llsq(torch: Any, x: Any, n: int) -> Run:
    t = torch.tensor(-1 + np.arange(n) * 2 / (n - 1))
    signs, exponents = torch.sign(t), torch.arange(len(x), dtype=torch.float64)
    return reverse(torch, lambda v: 0.5 * torch.sum((signs - torch.pow(t[:, None], exponents) @ v) ** 2), x)


def gmm(torch: Any, theta: Any, x: Any, gamma: float, m: int) -> Run:
    n, d = x.shape
    k = len(theta["alpha"])
    columns, rows = np.triu_indices(d, 1)
    place = np.zeros((d, d), dtype=np.int64)
    place[rows, columns] = 1 + np.arange(rows.size)
    where, unit, points = torch.tensor(place), torch.eye(d, dtype=torch.float64), torch.tensor(x)

    def objective(alpha: Any, mu: Any, q: Any, below: Any) -> Any:
        scales = torch.exp(q)
        padded = torch.cat((torch.zeros((k, 1), dtype=torch.float64), below), dim=1)
        factors = padded[:, where] + scales[:, :, None] * unit
        white = torch.matmul(points[None] - mu[:, None], factors.transpose(1, 2))
        sums = torch.sum(q, dim=1)
        inner = alpha + sums - 0.5 * torch.sum(white**2, dim=2).T
        prior = 0.5 * gamma**2 * (torch.sum(scales**2) + torch.sum(below**2)) - m * torch.sum(sums)
        return torch.sum(torch.logsumexp(inner, 1)) - n * torch.logsumexp(alpha, 0) - prior

    return reverse(torch, objective, *(theta[name] for name in ("alpha", "mu", "q", "l")))


def kmeans(torch: Any, centroids: Any, points: Any) -> Run:
    at, given = torch.tensor(centroids), torch.tensor(points)

    def cost(c: Any) -> Any:
        far = torch.sum(given**2, 1)[:, None] + torch.sum(c**2, 1)[None] - 2 * given @ c.T
        return torch.sum(torch.min(far, 1).values)

    def run() -> Any:
        slope, curvature = torch.func.jvp(torch.func.grad(cost), (at,), (torch.ones_like(at),))
        return (slope / curvature).numpy().ravel()

    return run


def ode(torch: Any, x: Any, s: int) -> Run:
    h = 2.0 / s
    one = torch.ones(1, dtype=torch.float64)

    def objective(x: Any) -> Any:
        def slope(y: Any) -> Any:
            return x * torch.cat((one, y[:-1]))

        y = torch.zeros_like(x)
        for _ in range(s):
            k1 = slope(y)
            k2 = slope(y + h / 2 * k1)
            k3 = slope(y + h / 2 * k2)
            k4 = slope(y + h * k3)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return y[-1]

    return reverse(torch, objective, x)


def det(torch: Any, a: Any) -> Run:
    """Laplace's expansion, by rows over arrays of choices."""
    n = len(a)
    levels: list[tuple[Any, Any]] = []
    columns = np.arange(n)
    for width in range(n, 0, -1):
        levels.append((torch.tensor(columns), torch.tensor(np.where(np.arange(width) % 2, -1.0, 1.0))))
        if width > 1:
            columns = np.stack([np.delete(columns, k, axis=-1) for k in range(width)], axis=-2)

    def objective(a: Any) -> Any:
        minors = a[n - 1][levels[-1][0][..., 0]]
        for row in range(n - 2, -1, -1):
            chosen, signs = levels[row]
            minors = torch.sum(signs * a[row][chosen] * minors, -1)
        return minors

    return reverse(torch, objective, a)


MAKERS: dict[tuple[str, str], Callable[..., Run]] = {
    ("lse", "gradient"): lse,
    ("llsq", "gradient"): llsq,
    ("gmm", "jacobian"): gmm,
    ("kmeans", "dir"): kmeans,
    ("ode", "gradient"): ode,
    ("det", "gradient"): det,
}
