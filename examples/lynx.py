"""Lynx and hare: the Lotka–Volterra equations fitted to furs of the Hudson's Bay Company, 1900 to 1920.

The equations are solved by Runge–Kutta steps in a loop; the gradient of the likelihood goes back through all of them.
Data: data/lynx_hare.csv (see data/README.md). The program: lynx.dad. The picture: build/lynx.png.
"""
from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize

from common import Array, Layout, check_gradient, columns, load, picture, say

STEPS_PER_YEAR = 10


def start(hares: Array, lynx: Array) -> dict[str, Any]:
    """A guess: the rates of textbooks, the first counts, and errors of about a third."""
    return {
        "birth": np.log(0.5), "hunting": np.log(0.025), "feeding": np.log(0.025), "death": np.log(0.8),
        "start": {"hare": np.log(hares[0]), "lynx": np.log(lynx[0])},
        "noise": {"hare": np.log(0.3), "lynx": np.log(0.3)},
    }


def fit(module: Any, hares: Array, lynx: Array) -> dict[str, Any]:
    """The parameters of greatest likelihood, as a record of logarithms."""
    guess = start(hares, lynx)
    layout = Layout(guess)

    def loss(vector: Array) -> tuple[float, Array]:
        value, gradient = module.loss.value_and_grad(layout.unflatten(vector), hares, lynx, STEPS_PER_YEAR)
        return float(value), layout.flatten(gradient)

    check_gradient(loss, layout.flatten(guess))
    result = minimize(loss, layout.flatten(guess), jac=True, method="L-BFGS-B",
                      options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-7})
    say("fitted", f"in {result.nit} steps of L-BFGS-B; log likelihood {-result.fun:.2f}")
    return layout.unflatten(result.x)


def tell(model: dict[str, Any]) -> None:
    """The fit in the words of a trapper."""
    rate = {name: float(np.exp(model[name])) for name in ("birth", "hunting", "feeding", "death")}
    say("", f"hares alone grow by {rate['birth']:.2f} a year, lynx without hares die at {rate['death']:.2f} a year; "
            f"meetings cost hares {rate['hunting']:.4f} and feed lynx {rate['feeding']:.4f}")
    say("", f"they balance at {rate['death'] / rate['feeding']:.0f} thousand hares and "
            f"{rate['birth'] / rate['hunting']:.0f} thousand lynx; furs scatter around the curves by "
            f"{np.expm1(np.exp(model['noise']['hare'])):.0%} and {np.expm1(np.exp(model['noise']['lynx'])):.0%}")


def draw(module: Any, model: dict[str, Any], years: Array, hares: Array, lynx: Array) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    each_year = 12
    moments = (years.size - 1) * each_year + 1
    path = module.trajectory(model, moments, 1.0 / each_year, 2)
    time = years[0] + np.arange(moments) / each_year
    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    for name, counts, colour in (("hare", hares, "tab:brown"), ("lynx", lynx, "tab:blue")):
        axes.plot(time, np.exp(getattr(path, name)), color=colour, label=f"{name}, fitted")
        axes.plot(years, counts, "o", color=colour, markersize=5, label=f"{name}, furs")
    axes.set(xlabel="year", ylabel="thousands of pelts",
             title="Furs of the Hudson's Bay Company and the Lotka–Volterra equations")
    axes.set_xticks(years[::4])
    axes.set_ylim(0, 95)
    axes.legend(ncols=2, frameon=False)
    picture(figure, "lynx")
    pyplot.close(figure)


def main() -> None:
    print("Lynx and hare: how do they live on each other?")
    data = columns("lynx_hare")
    module = load("lynx")
    model = fit(module, data["hare"], data["lynx"])
    tell(model)
    draw(module, model, data["year"], data["hare"], data["lynx"])


if __name__ == "__main__":
    main()
