"""Two ways of computing the same thing, timed side by side in one process.

Comes in: pairs of functions without arguments. Goes out: times and ratios. The two take turns (peer, ours, ours, peer
…), so that whatever else the machine does falls on both; the ratio is taken within each round, and its median is the
figure to quote: it does not move when the machine slows down for a second.
"""
from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

Thunk = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """Seconds of each round, the peer's and ours, and the name of what was timed."""

    name: str
    peer: tuple[float, ...]
    ours: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median over the rounds of ours / peer: below 1, we are faster."""
        return statistics.median(ours / peer for ours, peer in zip(self.ours, self.peer, strict=True))

    @property
    def best_ratio(self) -> float:
        """Our fastest round over the peer's fastest."""
        return min(self.ours) / min(self.peer)


def seconds(function: Thunk) -> float:
    start = perf_counter()
    function()
    return perf_counter() - start


def compare(name: str, peer: Thunk, ours: Thunk, budget: float = 4.0, least: int = 7, most: int = 200) -> Comparison:
    """Times both in turns until `budget` seconds are spent, at least `least` and at most `most` rounds of each.

    Each runs once before, untimed, so that compilation and first touches of memory stay out.
    """
    peer()
    ours()
    peer_times: list[float] = []
    our_times: list[float] = []
    enabled = gc.isenabled()
    gc.disable()
    try:
        start = perf_counter()
        while len(peer_times) < least or (len(peer_times) < most and perf_counter() - start < budget):
            # Who goes first changes from round to round: the second finds the caches as the first left them.
            if len(peer_times) % 2 == 0:
                peer_times.append(seconds(peer))
                our_times.append(seconds(ours))
            else:
                our_times.append(seconds(ours))
                peer_times.append(seconds(peer))
            gc.collect(0)
    finally:
        if enabled:
            gc.enable()
    return Comparison(name, tuple(peer_times), tuple(our_times))


def duration(value: float) -> str:
    """`1.23 ms`: three significant digits in a fitting unit."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if abs(value) >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need to be; the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        first, *others = (text.ljust(width) if column == 0 else text.rjust(width)
                          for column, (text, width) in enumerate(zip(row, widths, strict=True)))
        return "  ".join((first, *others)).rstrip()

    return "\n".join((line(header), "  ".join("-" * width for width in widths), *map(line, rows)))


def report(comparisons: Sequence[Comparison], peer: str, ours: str) -> str:
    """The comparisons as a table; ratios are ours / peer."""
    rows = [(each.name, duration(min(each.peer)), duration(min(each.ours)),
             duration(statistics.median(each.peer)), duration(statistics.median(each.ours)),
             f"{each.best_ratio:.2f}", f"{each.ratio:.2f}", str(len(each.peer)))
            for each in comparisons]
    header = ("gradient of", f"{peer} best", f"{ours} best", f"{peer} median", f"{ours} median",
              "best ratio", "median ratio", "rounds")
    return table(header, rows)
