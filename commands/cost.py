"""`dad cost`: operations, bytes and what reverse mode saves, of entries and their derivatives, as formulas of sizes."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import driver
from .options import Command, Given, Option, Usage, help_line, parse, suggestion
from .output import fail, read, signature

if TYPE_CHECKING:
    from ..checker.result import Checked, Definition
    from ..codegen.cost.values import Symbol
    from ..costs import Advice, EntryCost, Line, OpCost
    from ..lang.formulas import Formula

LINES = 6
OPS = ("primal", "grad", "hvp", "hessian", "jacobian", "laplacian")
HEADS = {"flops": "flops", "bytes": "bytes moved", "saved": "bytes saved"}
COMMAND = Command(
    "cost", "dad cost FILE [--entry E] [--ops OPS] [--size n=100,m=20] [--plot FILE] [--format FORMAT]",
    "What entries and their derivatives cost: operations on floats, bytes moved, bytes that reverse mode saves.",
    (Option("entry", "only these entries, separated by commas", "E"),
     Option("ops", f"only these of {', '.join(OPS)}", "OPS"),
     Option("wrt", "differentiate with respect to these parameters", "NAMES"),
     Option("size", "numbers in place of sizes: n=100,m=20", "SIZES"),
     Option("plot", "a picture over a range of sizes: an .svg file, or - for the terminal", "FILE"),
     Option("sizes", "the range of a picture: n=10..1000", "RANGE"),
     Option("metric", "what the picture shows", "METRIC", ("flops", "bytes", "saved")),
     Option("lines", f"how many lines of the program to show for each operator ({LINES})", "N"),
     Option("format", "how to print", "FORMAT", ("full", "json"))),
    "Symbols in formulas (k1: iterations of a `while`, b1: how often a branch is taken …) are explained below them;\n"
    "--size takes them too.")


def main(args: Sequence[str]) -> int:
    given = parse(args, COMMAND)
    if len(given.words) != 1:
        raise Usage("`dad cost` takes one file", help_line(COMMAND))
    ops = chosen_ops(given)
    sizes = numbers(given.get("size", ""))
    lines = whole(given.get("lines", str(LINES)), "--lines")
    from .plot import check_target, plot, swept

    sweep = swept(given.options["sizes"]) if given.has("sizes") else None
    if sweep is not None and not given.has("plot"):
        raise Usage("`--sizes` goes with `--plot`", help_line(COMMAND))
    from ..costs import entry_costs

    source = read(given.words[0])
    checked = driver.check(source).require()
    entries = chosen(checked, given)
    wrt = named(given, entries) if given.has("wrt") else None
    plotting = given.has("plot")
    if plotting:
        check_target(given.options["plot"], len(entries))
    found = entry_costs(source, [d.name for d in entries], ops or OPS, wrt, {} if plotting else sizes)
    refuse(found, ops)
    known(found, sizes)
    if plotting:
        return plot(found, sizes, sweep, given.options["plot"], given.get("metric", "flops"))
    if given.get("format", "full") == "json":
        print(json.dumps([as_json(entry) for entry in found], indent=2, ensure_ascii=False))
    else:
        print("\n\n".join("\n".join(report(entry, lines, bool(ops))) for entry in found))
    return 0


# ---------------------------------------------------------------- what is asked


def chosen_ops(given: Given) -> tuple[str, ...]:
    ops = tuple(word for word in given.get("ops", "").split(",") if word)
    for op in ops:
        if op not in OPS:
            raise Usage(f"`--ops` cannot be `{op}`", suggestion(op, OPS) or f"one or more of {', '.join(OPS)}")
    if given.has("ops") and not ops:
        raise Usage("`--ops` names no operator", f"one or more of {', '.join(OPS)}")
    return tuple(dict.fromkeys(ops))


def chosen(checked: Checked, given: Given) -> tuple[Definition, ...]:
    names = [d.name for d in checked.entries]
    if not names:
        raise fail("U305", "the program has no entry", "write `entry` in place of `def`")
    if not given.has("entry"):
        return checked.entries
    wanted = given.options["entry"].split(",")
    for name in wanted:
        if name not in names:
            raise fail("U305", f"there is no entry `{name}`",
                       suggestion(name, names) or f"the entries are {', '.join(names)}")
    return tuple(d for d in checked.entries if d.name in wanted)


def named(given: Given, entries: Sequence[Definition]) -> tuple[str, ...]:
    wrt = tuple(word for word in given.options["wrt"].split(",") if word)
    for definition in entries:
        for name in wrt:
            if name not in definition.param_names:
                raise fail("U306", f"`{definition.name}` has no parameter `{name}`",
                           suggestion(name, definition.param_names) or f"its head is: {signature(definition)}")
    if not wrt:
        raise Usage("`--wrt` names no parameter", help_line(COMMAND))
    return wrt


def numbers(text: str) -> dict[str, int]:
    """`n=100,m=20` by name."""
    found = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise Usage(f"`{part}` is no size", "write `--size n=100,m=20`")
        found[name.strip().translate(PLAIN)] = whole(value, "--size")
    return found


PLAIN = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def whole(text: str, option: str) -> int:
    if not re.fullmatch(r"\d{1,12}", text.strip()):
        raise Usage(f"`{option}` needs whole numbers, not `{text}`", help_line(COMMAND))
    return int(text)


def refuse(found: Sequence[EntryCost], asked: Sequence[str]) -> None:
    """An operator that was asked for and that no entry has is a mistake."""
    for op in asked:
        if all(op in entry.refused for entry in found):
            entry = found[0]
            raise fail("U306", f"`{entry.definition.name}` has no {op}: {entry.refused[op]}",
                       f"its head is: {signature(entry.definition)}")


def known(found: Sequence[EntryCost], sizes: Mapping[str, int]) -> None:
    names = list(dict.fromkeys(name for e in found for name in (*e.sizes, *(s for o in e.ops for s in o.symbols))))
    for name in sizes:
        if name not in names:
            raise Usage(f"there is no size `{name}`", suggestion(name, names)
                        or (f"the sizes are {', '.join(names)}" if names else "nothing here depends on a size"))


# ---------------------------------------------------------------- text


def report(entry: EntryCost, lines: int, asked: bool) -> list[str]:
    """A table of the operators, what its symbols mean, and the lines that cost most."""
    out = [signature(entry.definition), ""]
    rows = [("", *HEADS.values())]
    rows += [(op.op, *(shown(op.costs[metric]) for metric in op.costs)) for op in entry.ops]
    out += table(rows)
    out += [f"  {op:9}  none: {why}" for op, why in entry.refused.items() if asked or op != "jacobian"]
    symbols = {name: symbol for op in entry.ops for name, symbol in op.symbols.items()}
    used = {str(a) for op in entry.ops for f in op.costs.values() for a in atom_names(f)}
    for name, symbol in symbols.items():
        if pretty(name) in used:
            out.append(f"  {pretty(name)}: {meaning(symbol)}")
    assumed = list(dict.fromkeys(f"{a} ≥ 0" for op in entry.ops for a in op.assumed))
    if assumed:
        out.append(f"  where {', '.join(assumed)}")
    for op in entry.ops:
        out += line_rows(op, lines)
    for advice in entry.advice:
        out += ["", *note(advice)]
    return out


def note(advice: Advice) -> list[str]:
    """What would be cheaper, where, and by how much."""
    place = "" if advice.span is None else f"line {advice.span.line}: "
    lines = [f"  note: {place}{advice.reason}; `{advice.instead}` {advice.verdict}"]
    if advice.span is not None:
        lines.append(f"        {clipped(advice.span.text)}")
    for metric, (now, then) in advice.costs.items():
        lines.append(f"        {HEADS[metric]}: {shown(then)} in place of {shown(now)}")
    return lines


def atom_names(formula: Formula) -> list[str]:
    from ..lang.sizes import SizeVar

    return [a.name for a in formula.atoms() if isinstance(a, SizeVar)]


def pretty(name: str) -> str:
    from ..costs import SUBSCRIPTS

    return name[0] + name[1:].translate(SUBSCRIPTS)


def shown(formula: Formula) -> str:
    value = formula.value
    return f"{value:,}" if isinstance(value, int) else str(formula)


def meaning(symbol: Symbol) -> str:
    text = symbol.what
    if symbol.span is not None and not symbol.span.source.shipped:
        text += f" at line {symbol.span.line}"
    return text + (f", at most {shown(symbol.most)}" if symbol.most is not None else "")


WIDE = 120


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows under their heads; where that is too wide, a line to each cell."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    if sum(widths) + 2 * len(widths) > WIDE:
        heads, *rest = rows
        width = max(map(len, heads[1:]))
        return [*([f"  {heads[0]}"] if heads[0] else []), *(line for row in rest for line in (
            f"  {row[0]}  {row[4] if len(row) > 4 else ''}".rstrip(),
            *(f"    {head.ljust(width)}  {cell}" for head, cell in zip(heads[1:4], row[1:4], strict=True) if cell)))]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows]


def line_rows(op: OpCost, count: int) -> list[str]:
    """The lines of the program that cost most."""
    found = op.lines[:count]
    if not found:
        return []
    rows = [(f"{op.op} by line", *HEADS.values(), "")]
    rows += [(line_name(line), *(shown(line.costs[m]) if m in line.costs else "" for m in op.costs), clipped(line.text))
             for line in found]
    left = len(op.lines) - len(found)
    return ["", *table(rows), *([f"  and {left} more lines"] if left else [])]


def line_name(line: Line) -> str:
    return str(line.number) if line.number else "the operator"


def clipped(text: str) -> str:
    from ..lang.diagnostics.render import clean

    text = clean(text)
    return text if len(text) <= 60 else text[:59] + "…"


# ---------------------------------------------------------------- JSON


def as_json(entry: EntryCost) -> dict[str, Any]:
    return {
        "entry": entry.definition.name,
        "sizes": list(entry.sizes),
        "ops": [op_json(op) for op in entry.ops],
        "refused": entry.refused,
        "notes": [{"line": None if a.span is None else a.span.line, "reason": a.reason, "instead": a.instead,
                   "verdict": a.verdict,
                   **{m: {"now": formula_json(now), "then": formula_json(then)} for m, (now, then) in a.costs.items()}}
                  for a in entry.advice],
    }


def op_json(op: OpCost) -> dict[str, Any]:
    return {
        "op": op.op,
        **{metric: formula_json(op.costs[metric]) for metric in op.costs},
        "symbols": {name: {"kind": s.kind, "means": meaning(s)} for name, s in op.symbols.items()},
        "not_negative": [str(a.python()) for a in op.assumed],
        "lines": [{"line": line.number, **{m: formula_json(f) for m, f in line.costs.items()}} for line in op.lines],
    }


def formula_json(formula: Formula) -> int | str:
    value = formula.value
    return value if isinstance(value, int) else plain(formula.python())


def plain(text: str) -> str:
    """Symbols as they are typed: k1."""
    return text.translate(PLAIN)
