"""What is wrong, as data: a `Diagnostic` holds code, labels at every place that matters, notes and a next step.

Prose is made from it by `render`; codes and their explanations are declared in `codes`.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ..record import dataclass
from ..source import Span

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Label:
    """A place and what to say about it. The primary label is where the reader should look first."""

    span: Span
    text: str = ""
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake. `notes` say why (expected, found, origins of sizes); `help` says what to type next."""

    code: str
    message: str
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    severity: Severity = "error"

    @property
    def span(self) -> Span | None:
        for label in self.labels:
            if label.primary:
                return label.span
        return self.labels[0].span if self.labels else None


class Diagnostics(Exception):
    """The one exception that bad source raises; `.diagnostics` holds every finding of the run."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        from .render import render_full  # the terminal text is only made when somebody reads it

        return render_full(self.diagnostics)


class Reporter:
    """Collects diagnostics of a run; stages append and go on."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def error(self, code: str, message: str, span: Span | None, label: str = "", *,
              others: Iterable[tuple[Span, str]] = (), notes: Iterable[str] = (), help: str | None = None) -> None:
        self._add("error", code, message, span, label, others, notes, help)

    def warning(self, code: str, message: str, span: Span | None, label: str = "", *,
                others: Iterable[tuple[Span, str]] = (), notes: Iterable[str] = (), help: str | None = None) -> None:
        self._add("warning", code, message, span, label, others, notes, help)

    def _add(self, severity: Severity, code: str, message: str, span: Span | None, label: str,
             others: Iterable[tuple[Span, str]], notes: Iterable[str], help: str | None) -> None:
        labels = [Label(span, label, primary=True)] if span is not None else []
        labels += [Label(place, text) for place, text in others]
        self.diagnostics.append(Diagnostic(code, message, tuple(labels), tuple(notes), help, severity))

    @property
    def failed(self) -> bool:
        return any(d.severity == "error" for d in self.diagnostics)

    def raise_if_failed(self) -> None:
        if self.failed:
            raise Diagnostics(self.diagnostics)
