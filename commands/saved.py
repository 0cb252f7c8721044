"""`dad show --stage saved`: what reverse mode keeps of each entry's forward run, and what it computes again instead."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .. import driver
from ..lang.sizes import Size, SizeVar
from ..lang.source import Span

if TYPE_CHECKING:
    from ..checker.result import Checked, Definition
    from ..codegen.passes.saved import Kept, Sweep

READERS = 3
TEXT = 40
"""Longer source texts are cut."""


def lines(checked: Checked, entries: Sequence[Definition], verify: bool = False) -> Iterator[str]:
    """For each entry: what the derivatives in it keep, and what its own gradient does."""
    for definition in entries:
        parts = [*_sweeps(checked, definition, None, verify)]
        for kind, wrt in _gradient(definition):
            parts += _sweeps(checked, definition, (kind, wrt), verify)
        if not parts:
            yield f"{definition.name}: no reverse mode, and no parameter of it has a gradient"
        for title, sweep in parts:
            yield from _shown(title, sweep)


def _gradient(definition: Definition) -> Sequence[tuple[str, tuple[str, ...]]]:
    from ..interface import possible

    found = [(kind, wrt) for kind, wrt in possible(definition) if kind in ("value_and_grad", "vjp")]
    return found[:1]


def _sweeps(checked: Checked, definition: Definition, of: tuple[str, tuple[str, ...]] | None, verify: bool
            ) -> Iterator[tuple[str, Sweep]]:
    from ..codegen.lower import Transform, lower
    from ..codegen.passes.saved import sweeps
    from ..interface import axis_formulas

    wanted = []
    if of is not None:
        wanted.append(Transform(definition.name, "value_and_grad" if of[0] == "value_and_grad" else "vjp", of[1]))
    made = lower(checked, wanted, [definition])
    root = made.transforms[wanted[0]] if wanted else made.entries[definition.qualified]
    program = driver.optimised(made.program, [root], verify=verify, marked=True)
    found = sweeps(program, [root], {root: axis_formulas(definition)})
    outer = max((sweep.site for sweep in found), default=0)
    for sweep in found:
        # A derivative of the entry as a whole is taken last, after those that stand in it.
        own = of is not None and sweep.site == outer and sweep.function == root
        if of is None:
            yield f"{definition.name}: a derivative in it{_at(sweep.span)}", sweep
        elif own:
            name = "gradient" if of[0] == "value_and_grad" else "reverse mode"
            yield f"{definition.name}: {name} with respect to {', '.join(of[1])}", sweep


def _at(span: Span | None) -> str:
    return f", line {span.line}" if span is not None else ""


def _shown(title: str, sweep: Sweep) -> Iterator[str]:
    yield title
    for kind, count, span in sweep.within:
        each = f"elements of the map{_at(span)}" if kind == "map" else f"iterations of the loop{_at(span)}"
        yield f"  once for each of the {count} {each}"
    held = [k for k in sweep.kept if not k.given]
    small = [k for k in held if not k.type.rank and not k.type.is_float]
    rows = [_row(k) for k in held if k not in small]
    if small:
        total = sum((k.bytes for k in small), Size(()))
        rows.append((f"{len(small)} sizes and counts" if len(small) > 1 else "a size", f"{total} bytes", "", ""))
    widths = [max((len(row[c]) for row in rows), default=0) for c in range(3)]
    for row in rows:
        yield "  " + "  ".join(x.ljust(w) for x, w in zip(row, (*widths, 0), strict=True)).rstrip()
    yield f"  kept in all: {sweep.total} bytes" if held else "  nothing is kept"
    given = sorted({k.var.name for k in sweep.kept if k.given and (k.type.rank or k.type.is_float)})
    if given:
        yield f"  read again of the arguments: {', '.join(given)}"
    if sweep.again:
        yield f"  computed again: {_places(sweep.again)}"
    yield from _symbols(sweep)


def _row(kept: Kept) -> tuple[str, str, str, str]:
    """What it is, bytes, where it is made, who reads it."""
    name = kept.var.name
    if kept.stack is not None:
        name = f"{_row_name(kept)} of each iteration"
    sizes = "".join(f"[{size}]" for size in kept.shape)
    place = f"line {kept.span.line}" if kept.span is not None else ""
    readers = _places(kept.readers)
    return f"{name}: {sizes}{kept.type.dtype}", f"{kept.bytes} bytes", place, f"read by the adjoint of {readers}"


def _row_name(kept: Kept) -> str:
    name = kept.var.name
    return name[:-1] if name.endswith("s") and len(name) > 1 else name


def _places(spans: Sequence[Span]) -> str:
    """Lines with their texts, the innermost of each line."""
    texts: dict[int, dict[str, None]] = {}
    for span in spans:
        text = " ".join(span.text.split())
        texts.setdefault(span.line, {})[text if len(text) <= TEXT else text[:TEXT - 1] + "…"] = None
    shown = [f"line {line} ({', '.join(list(found)[:READERS])}{', …' if len(found) > READERS else ''})"
             for line, found in sorted(texts.items())]
    return ", ".join(shown)


def _symbols(sweep: Sweep) -> Iterator[str]:
    found: dict[str, str] = {}
    for size in (sweep.total, *(k.bytes for k in sweep.kept), *(count for _, count, _ in sweep.within)):
        for atom in size.atoms():
            if isinstance(atom, SizeVar) and "@" in atom.name:
                found[atom.name] = atom.why
    for name, why in sorted(found.items()):
        yield f"  {name}: {why}"
