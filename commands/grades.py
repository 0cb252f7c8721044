"""What `dad check --explain`, `--trust` and `dad show --stage grades` say of grades."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..graded import smoothness
from .options import suggestion
from .output import fail

if TYPE_CHECKING:
    from ..grades.report import Graded, Report, Step
    from ..lang.source import Span


def shown(report: Report) -> Iterator[str]:
    """Each definition with the grade in each of its parameters, and the branches and domains behind these."""
    for name, graded in report.functions.items():
        where = f"{graded.span.line}: " if graded.span is not None else ""
        yield f"{where}{name} : {grades_of(graded)}"
        for b in graded.branches:
            if b.span is not None and b.kind != "step":
                verdict = "kink" if b.kind == "kink" else b.grade if b.proved else b.allowed or "not shown"
                yield f"  {place(b.span)} {b.kind} {b.condition}, on {', '.join(b.roots)}: {verdict}"
        for o in graded.obligations:
            if o.span is not None:
                yield f"  {place(o.span)} {o.what} {o.argument}: needs {o.needs}; {o.known}"
        for p in graded.promises:
            said = f"`{p.by}` needs {p.wanted}" if p.kind == "demand" else f"{p.wanted} promised"
            yield f"  {place(p.span)} {said}: {'holds' if p.holds else 'does not hold'}"


def grades_of(graded: Graded) -> str:
    """`theta C1, sigma smooth`"""
    if graded.unknown:
        return graded.unknown
    if not graded.roots:
        return "no float parameters"
    return smoothness(graded)


def place(span: Span | None) -> str:
    if span is None:
        return ""
    line, column = span.source.position(span.start)
    return f"{line}:{column}"


def explained(report: Report, what: str) -> str:
    """The chains of grades of a definition, or of a name bound at a line: from each parameter to it."""
    name, colon, number = what.partition(":")
    line = int(number) if number.isdecimal() else 0
    if colon and not line:
        raise fail("U307", f"`{what}` is no name with a line", "such as `--explain loss` or `--explain y:12`")
    from ..grades.lattice import published

    lines: list[str] = []
    for graded in report.functions.values():
        if graded.name == name and (not line or (graded.span is not None and graded.span.line == line)):
            lines.append(f"{name} : {grades_of(graded)}")
            lines += chains({r.name: graded.chains[r.name] for r in graded.roots if r.name in graded.chains})
            lines += behind(graded)
        found: dict[tuple[str, int], Mapping[str, Step]] = {}
        for span, bound, steps in graded.steps:
            if bound == name and span is not None and (not line or span.line == line):
                found[graded.name, span.line] = steps
        for (owner, at), steps in found.items():
            known = ", ".join(f"{r} {published(s.grade)}" for r, s in steps.items())
            lines.append(f"{name}, line {at} of {owner} : {known}")
            lines += chains(steps)
    if not lines:
        names = [g.name for g in report.functions.values()]
        names += [bound for g in report.functions.values() for _, bound, _ in g.steps]
        raise fail("U307", f"nothing called `{name}` depends on a parameter" + (f" at line {line}" if line else ""),
                   suggestion(name, list(dict.fromkeys(names))))
    return "\n".join(lines)


def chains(steps: Mapping[str, Step]) -> Iterator[str]:
    from ..grades.lattice import published

    for root, step in steps.items():
        yield f"  in {root}:"
        for link in step.chain():
            where = f"  line {link.span.line}" if link.span is not None and not link.span.source.shipped else ""
            yield f"    {published(link.grade):8}{link.what}{where}"


def behind(graded: Graded) -> Iterator[str]:
    for b in graded.branches:
        if b.span is not None and b.kind != "step":
            verdict = f"{b.grade}, proved" if b.proved and b.kind != "kink" else b.why
            yield f"  {b.kind} at line {b.span.line}, {b.condition}: {verdict}"


def trusted(report: Report) -> str:
    """Everything that nobody proves: assumptions, accepted jumps, stopped derivatives, rules of the program's own."""
    lines: dict[str, None] = {}
    for graded in report.functions.values():
        for t in graded.trusted:
            reason = f': "{t.reason}"' if t.reason else ""
            where = f"{t.span.source.name}:{place(t.span)}" if t.span is not None else ""
            lines[f"{where} {t.kind} {t.what}{reason}"] = None
    return "\n".join(lines) if lines else "nothing is taken on trust"
