"""Old Faithful: a mixture of two bivariate Gaussians, fitted by SciPy's L-BFGS-B with gradients from Dad.

Data: data/old_faithful.csv, 272 eruptions (see data/README.md). The program: faithful.dad. The picture:
build/faithful.png.
"""
from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize

from common import Array, Layout, check_gradient, columns, load, picture, say


def start() -> dict[str, Array]:
    """A guess from a glance at the data: short eruptions and short waits, long ones and long waits."""
    return {
        "weight": np.zeros(2),
        "duration": np.array([2.0, 4.5]), "log_duration_sd": np.log([0.5, 0.5]),
        "waiting": np.array([55.0, 80.0]), "log_waiting_sd": np.log([8.0, 8.0]),
        "slope": np.zeros(2),
    }


def fit(module: Any, durations: Array, waitings: Array) -> dict[str, Any]:
    """The parameters of greatest likelihood, as a record."""
    layout = Layout(start())

    def loss(vector: Array) -> tuple[float, Array]:
        value, gradient = module.loss.value_and_grad(layout.unflatten(vector), durations, waitings)
        return float(value), layout.flatten(gradient)

    check_gradient(loss, layout.flatten(start()))
    result = minimize(loss, layout.flatten(start()), jac=True, method="L-BFGS-B",
                      options={"maxiter": 500, "ftol": 1e-14, "gtol": 1e-9})
    say("fitted", f"in {result.nit} steps of L-BFGS-B; log likelihood {-result.fun * durations.size:.2f}")
    return layout.unflatten(result.x)


def shares(mixture: dict[str, Any]) -> Array:
    weights = np.exp(mixture["weight"] - np.max(mixture["weight"]))
    return np.asarray(weights / weights.sum())


def tell(mixture: dict[str, Any]) -> None:
    """The fit in the words of a park ranger."""
    for kind in np.argsort(mixture["duration"]):
        spread = np.exp(mixture["log_duration_sd"][kind])
        share = shares(mixture)[kind]
        say("", f"{share:.0%} of eruptions last {mixture['duration'][kind]:.2f} ± {spread:.2f} minutes; "
                f"then wait {mixture['waiting'][kind]:.0f} ± {np.exp(mixture['log_waiting_sd'][kind]):.0f} minutes, "
                f"{mixture['slope'][kind]:.1f} more for each minute that it lasted longer")


def draw(module: Any, mixture: dict[str, Any], durations: Array, waitings: Array) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    across, up = np.linspace(1.0, 5.6, 160), np.linspace(38.0, 102.0, 160)
    height = np.asarray(module.density(mixture, across, up))
    figure, axes = pyplot.subplots(figsize=(7, 5), layout="constrained")
    axes.contourf(across, up, height, levels=14, cmap="YlGnBu", alpha=0.7)
    axes.contour(across, up, height, levels=14, colors="white", linewidths=0.5)
    axes.scatter(durations, waitings, s=12, color="black", alpha=0.6, linewidths=0)
    for kind, share in enumerate(shares(mixture)):
        reach = 2 * np.exp(mixture["log_duration_sd"][kind]) * np.array([-1.0, 1.0])
        middle, waiting = mixture["duration"][kind], mixture["waiting"][kind]
        axes.plot(middle + reach, waiting + mixture["slope"][kind] * reach, color="firebrick", linewidth=1.5)
        axes.plot(middle, waiting, "o", color="firebrick")
        axes.annotate(f"{share:.0%}", (middle, waiting), xytext=(0, -62), textcoords="offset points", ha="center",
                      color="firebrick", bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8})
    axes.set(xlabel="duration of the eruption (minutes)", ylabel="wait until the next (minutes)",
             title="Old Faithful, 272 eruptions, and a mixture of two Gaussians")
    picture(figure, "faithful")
    pyplot.close(figure)


def main() -> None:
    print("Old Faithful: which kinds of eruptions are there?")
    data = columns("old_faithful")
    durations, waitings = data["eruptions"], data["waiting"]
    module = load("faithful")
    mixture = fit(module, durations, waitings)
    tell(mixture)
    draw(module, mixture, durations, waitings)


if __name__ == "__main__":
    main()
