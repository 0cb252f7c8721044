"""A CAD sketch: a five-sided plate drawn by hand, made exact by Gauss–Newton with derivatives from Dad.

Each side has two end points of its own; joints, lengths, angles and one level side bind them: 20 unknowns and as many
equations. The columns of the Jacobian are directional derivatives, `residuals.jvp`. The program: sketch.dad. The
picture: build/sketch.png.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from common import Array, load, picture, say

Indices = npt.NDArray[np.int64]

# The corners as somebody clicked them, in millimetres, anticlockwise from the origin.
DRAWN = np.array([[2.0, -3.0], [74.0, 4.0], [85.0, 44.0], [58.0, 71.0], [12.0, 63.0]])
LENGTHS = {0: 80.0, 1: 50.0, 2: 40.0, 4: 60.0}  # of sides, by number
TURNS = {(0, 1): 90.0, (1, 2): 45.0, (2, 3): 75.0}  # from one side to the next, in degrees


@dataclass(frozen=True)
class Sketch:
    """End points, two to each side, and the constraints as records of arrays, in the program's order."""

    points: Array  # [2 sides, 2]
    joined: dict[str, Indices]
    level: dict[str, Indices]
    apart: dict[str, Any]
    turned: dict[str, Any]

    @property
    def constraints(self) -> tuple[dict[str, Any], ...]:
        return self.joined, self.level, self.apart, self.turned


def sketch() -> Sketch:
    sides = len(DRAWN)
    gap = 3.0 * np.sin(np.arange(4 * sides)).reshape(2 * sides, 2)  # a hand does not hit the same spot twice
    ends = np.array([corner % sides for side in range(sides) for corner in (side, side + 1)])
    numbers = np.arange(sides)
    measured, turns = np.array(list(LENGTHS)), np.array(list(TURNS))
    return Sketch(
        points=DRAWN[ends] + gap,
        joined={"first": 2 * numbers + 1, "second": 2 * ((numbers + 1) % sides)},
        level={"first": np.array([0]), "second": np.array([1])},
        apart={"start": 2 * measured, "end": 2 * measured + 1, "length": np.array(list(LENGTHS.values()))},
        turned={"start1": 2 * turns[:, 0], "end1": 2 * turns[:, 0] + 1, "start2": 2 * turns[:, 1],
                "end2": 2 * turns[:, 1] + 1, "angle": np.radians(list(TURNS.values()))})


def jacobian(module: Any, points: Array, constraints: tuple[dict[str, Any], ...]) -> Array:
    """The derivatives of all residuals with respect to all coordinates: one `jvp` a coordinate, one column each."""
    columns = []
    for index in range(points.size):
        direction = np.zeros(points.size)
        direction[index] = 1.0
        _, column = module.residuals.jvp(points, *constraints, direction.reshape(points.shape))
        columns.append(column)
    return np.stack(columns, axis=1)


def check_jacobian(module: Any, points: Array, constraints: tuple[dict[str, Any], ...]) -> None:
    """Compares it with central differences."""
    exact = jacobian(module, points, constraints)
    differences = np.empty_like(exact)
    step = 1e-4
    for index in range(points.size):
        moved = np.zeros(points.size)
        moved[index] = step
        above = module.residuals(points + moved.reshape(points.shape), *constraints)
        below = module.residuals(points - moved.reshape(points.shape), *constraints)
        differences[:, index] = (np.asarray(above) - np.asarray(below)) / (2 * step)
    error = float(np.max(np.abs(exact - differences)) / np.max(np.abs(differences)))
    rows, across = exact.shape
    say("Jacobian", f"{rows} × {across} by jvp; {error:.1e} from central differences, relative to the largest")
    if not error < 1e-6:
        raise SystemExit(f"the Jacobian is not that of the residuals: relative error {error:.1e}")


def solve(module: Any, drawn: Sketch) -> Array:
    """Gauss–Newton: go where the linearised residuals are least, until none is above 1e-10."""
    points = drawn.points
    norms = []
    for _ in range(30):
        residuals = np.asarray(module.residuals(points, *drawn.constraints))
        norms.append(float(np.max(np.abs(residuals))))
        if norms[-1] < 1e-10:
            break
        step, *_ = np.linalg.lstsq(jacobian(module, points, drawn.constraints), -residuals, rcond=None)
        points = points + step.reshape(points.shape)
    say("solved", f"in {len(norms) - 1} steps of Gauss–Newton; largest residual "
                  + " → ".join(f"{norm:.0e}" for norm in norms))
    if not norms[-1] < 1e-10:
        raise SystemExit("Gauss–Newton did not reach a solution")
    return points


def tell(points: Array) -> None:
    """The solved sketch in the words of whoever will saw it."""
    corners = points[::2]
    edges = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(edges[:, 0], edges[:, 1])
    area = 0.5 * float(np.sum(corners[:, 0] * np.roll(corners[:, 1], -1) - np.roll(corners[:, 0], -1) * corners[:, 1]))
    say("", "corners at " + ", ".join(f"({x + 0.0:.2f}, {y + 0.0:.2f})" for x, y in np.round(corners, 9)) + " mm")
    say("", "sides of " + ", ".join(f"{length:.2f}" for length in lengths) + f" mm around {area:.0f} mm²")


def draw(drawn: Array, solved: Array) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 5), layout="constrained")
    for points, colour, label in ((drawn, "silver", "as drawn"), (solved, "tab:blue", "as solved")):
        for side in range(len(points) // 2):
            ends = points[2 * side:2 * side + 2]
            axes.plot(ends[:, 0], ends[:, 1], "o-", color=colour, label=label if side == 0 else None)
    centre = solved.mean(axis=0)
    for side, length in LENGTHS.items():
        middle = solved[2 * side:2 * side + 2].mean(axis=0)
        outward = (middle - centre) / np.linalg.norm(middle - centre)
        x, y = middle + 4 * outward
        axes.text(x, y, f"{length:g}", ha="center", va="center")
    for (side, _), turn in TURNS.items():
        corner = solved[2 * side + 1]
        x, y = corner + 0.25 * (centre - corner)
        axes.text(x, y, f"{180 - turn:g}°", ha="center", va="center", color="tab:blue")
    axes.set_aspect("equal")
    axes.set(xlabel="mm", ylabel="mm", title="A sketch and its constraints")
    axes.legend(frameon=False, loc="center")
    picture(figure, "sketch")
    pyplot.close(figure)


def main() -> None:
    print("A CAD sketch: where do the corners go?")
    module = load("sketch")
    drawn = sketch()
    check_jacobian(module, drawn.points, drawn.constraints)
    solved = solve(module, drawn)
    tell(solved)
    draw(drawn.points, solved)


if __name__ == "__main__":
    main()
