"""Programs that this process has compiled, by their code: another one with that code gets theirs, with data of its own.

In: a program as lowered, of which `lang.core.data` says what is code. What passes, loops and assembly come to follows
from that alone, so none of it is made again for a program with other rows, other constants, or other places in its
text.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass

from ....lang.core import ir
from ....lang.core.data import outline
from ....lang.source import Span
from . import jit, threads
from .engine import Engine
from .units import Units

MOST = 64
"""Programs that are remembered."""
LINES = 400_000
"""Lines of assembly that they have in all."""


@dataclass(slots=True)
class Known:
    program: ir.Program
    units: Units
    spans: list[Span | None]
    weight: int
    fails: frozenset[Span]
    """Where failures may be."""


_known: OrderedDict[Hashable, Known] = OrderedDict()


def engine(program: ir.Program, roots: Collection[str], tier: int | None,
           optimised: Callable[[ir.Program, Sequence[str]], ir.Program]) -> Engine:
    """The machine code of a program as lowered; `optimised` takes it through all passes."""
    now = outline(program)
    key = (now.key, tuple(sorted(roots)), threads.number() > 1, threads.chosen())
    with jit.LOCK:
        known = _known.get(key)
        if known is not None:
            _known.move_to_end(key)
    if known is not None:
        moved = places(known.spans, now.spans, known.fails)
        if moved is not None:
            made = Engine(known.program, tier, roots, known.units, now.tables)
            made.places = moved
            return made
    made = Engine(optimised(program, tuple(roots)), tier, roots)
    fails = frozenset(site.span for k in made.units.units for site in k.unit.sites if site.span is not None)
    with jit.LOCK:
        _known[key] = Known(made.program, made.units, now.spans, made.units.weight(), fails)
        _known.move_to_end(key)
        total = sum(k.weight for k in _known.values())
        while len(_known) > 1 and (len(_known) > MOST or total > LINES):
            total -= _known.popitem(last=False)[1].weight
    return made


def places(before: Sequence[Span | None], now: Sequence[Span | None], wanted: frozenset[Span]
           ) -> dict[Span, Span] | None:
    """Where these places of one program are in another with the same code, by the statements that stand there; None
    where one place is now two, or where none of these statements stands and others have moved.
    """
    found: dict[Span, Span] = {}
    moved = False
    for old, new in zip(before, now, strict=True):
        if old is None or new is None or not wanted:
            continue
        moved = moved or old != new
        if old in wanted and found.setdefault(old, new) != new:
            return None
    return None if moved and len(found) < len(wanted) else {old: new for old, new in found.items() if old != new}


def forget() -> None:
    """Remember nothing: for tests."""
    _known.clear()
