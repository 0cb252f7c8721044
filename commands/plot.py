"""Pictures of costs over a range of sizes, on both axes by powers of ten: lines of text, or an SVG file."""
from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from ..lang.diagnostics.render import clean
from .options import Usage
from .output import fail

if TYPE_CHECKING:
    from ..costs import EntryCost
    from ..lang.formulas import Formula

POINTS = 24
WIDTH, HEIGHT = 64, 16
MARKS = "*o+x#@"
COLORS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
DEFAULT = (1, 1000)
Sweep = tuple[str, int, int]
Curve = tuple[str, list[tuple[int, float]]]


def swept(text: str) -> Sweep:
    """`n=10..1000`: name, first and last size."""
    found = re.fullmatch(r"(\w+'*)=(\d{1,9})\.\.(\d{1,9})", text.strip())
    if found is None or not 1 <= int(found[2]) < int(found[3]):
        raise Usage(f"`--sizes` cannot be `{text}`", "write a name and two sizes from 1: --sizes n=10..1000")
    return found[1], int(found[2]), int(found[3])


def check_target(target: str, entries: int) -> None:
    """Raises Usage when a picture of so many entries cannot go there."""
    if target != "-" and not target.endswith(".svg"):
        raise Usage(f"`--plot` cannot write `{target}`", "name an .svg file, or `-` for the terminal")
    if target != "-" and entries > 1:
        raise Usage("a file holds the picture of one entry", "name it: --entry E")


def plot(entries: Sequence[EntryCost], sizes: Mapping[str, int], sweep: Sweep | None, target: str, metric: str) -> int:
    """Print or write the picture; of several entries only where it is printed."""
    for entry in entries:
        name, first, last = sweep if sweep is not None else (free_size(entry, sizes), *DEFAULT)
        if name not in entry.sizes and not any(name in op.symbols for op in entry.ops):
            raise Usage(f"`{entry.definition.name}` has no size `{name}`",
                        f"its sizes are {', '.join(entry.sizes)}" if entry.sizes else "it has none")
        title = f"{entry.definition.name}: {metric} over {name}"
        found = curves(entry, metric, dict(sizes), name, first, last)
        if target == "-":
            print("\n".join(text_picture(title, found, first, last)))
            continue
        try:
            Path(target).write_text(svg_picture(title, found, first, last), encoding="utf-8")
        except OSError as error:
            raise fail("U104", f"cannot write `{clean(target)}`: {error.strerror or error}",
                       "check where it goes") from None
    return 0


def free_size(entry: EntryCost, sizes: Mapping[str, int]) -> str:
    """The size that is swept where nobody says which."""
    free = [name for name in entry.sizes if name not in sizes]
    if not free:
        raise Usage(f"`{entry.definition.name}` has no size to sweep", "leave one out of `--size`")
    return free[0]


def curves(entry: EntryCost, metric: str, sizes: dict[str, int], name: str, first: int, last: int) -> list[Curve]:
    """A curve to each operator. Sizes that are not given are 10, symbols 1."""
    points = sorted({round(math.exp(math.log(first) + k * math.log(last / first) / (POINTS - 1)))
                     for k in range(POINTS)})
    found = []
    for op in entry.ops:
        formula = next(f for m, f in op.costs.items() if m == metric)
        found.append((op.op, [(point, value(formula, {**sizes, name: point}, entry)) for point in points]))
    return found


def value(formula: Formula, numbers: Mapping[str, int], entry: EntryCost) -> float:
    from ..costs import SUBSCRIPTS
    from ..lang.sizes import SizeAtom, SizeVar

    given = {name[0] + name[1:].translate(SUBSCRIPTS): n for name, n in numbers.items()} | dict(numbers)
    env: dict[SizeAtom, int] = {
        a: given.get(a.name, 10 if a.name in entry.sizes else 1) for a in formula.atoms() if isinstance(a, SizeVar)}
    return float(formula.at(env))


def bounds(found: Sequence[Curve]) -> tuple[float, float]:
    """Powers of ten below and above all values that are not zero."""
    values = [y for _, line in found for _, y in line if y > 0] or [1.0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def text_picture(title: str, found: Sequence[Curve], first: int, last: int) -> list[str]:
    low, high = bounds(found)
    grid = [[" "] * WIDTH for _ in range(HEIGHT)]
    for number, (_, line) in enumerate(found):
        for x, y in line:
            if y > 0:
                column = round((WIDTH - 1) * math.log(x / first) / math.log(last / first))
                row = round((HEIGHT - 1) * (math.log10(y) - low) / (high - low))
                grid[HEIGHT - 1 - row][column] = MARKS[number % len(MARKS)]
    out = [title, ""]
    for k, cells in enumerate(grid):
        label = f"1e{high:.0f}" if k == 0 else f"1e{low:.0f}" if k == HEIGHT - 1 else ""
        out.append(f"{label:>5} |{''.join(cells).rstrip()}")
    out.append(f"{'':5} +{'-' * WIDTH}")
    out.append(f"{'':7}{first}{last!s:>{WIDTH - len(str(first))}}")
    out.append(f"{'':7}" + "  ".join(f"{MARKS[k % len(MARKS)]} {name}" for k, (name, _) in enumerate(found)))
    return out


def svg_picture(title: str, found: Sequence[Curve], first: int, last: int) -> str:
    """A picture of 720 by 440 points, a line to each operator."""
    low, high = bounds(found)
    left, top, width, height = 70, 40, 480, 340

    def at(x: float, y: float) -> tuple[float, float]:
        return (left + width * math.log(x / first) / math.log(last / first),
                top + height * (1 - (math.log10(y) - low) / (high - low)))

    parts = [f'<text x="{left}" y="24" font-size="16">{escape(title)}</text>',
             f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#888"/>']
    for power in range(int(low), int(high) + 1):
        _, y = at(first, 10.0 ** power)
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{left + width}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">1e{power}</text>')
    ticks = sorted({first, last, *(10 ** k for k in range(10) if first < 10 ** k < last)})
    for tick in ticks:
        x, _ = at(tick, 10.0 ** low)
        parts.append(f'<text x="{x:.1f}" y="{top + height + 18}" text-anchor="middle">{tick}</text>')
    for k, (name, line) in enumerate(found):
        color = COLORS[k % len(COLORS)]
        points = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in line if y > 0)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        y_text = top + 16 + 20 * k
        parts.append(f'<text x="{left + width + 16}" y="{y_text}" fill="{color}">{escape(name)}</text>')
    body = "\n".join(parts)
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="720" height="440" font-family="sans-serif" '
            f'font-size="12">\n<rect width="720" height="440" fill="white"/>\n{body}\n</svg>\n')
