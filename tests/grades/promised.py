"""The promises of a program put to the test: those that are kept against the oracle, those that are refused by their
witnesses, which have to reproduce.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

from dad.grades.report import Promise
from dad.tests.grades.trial import Subject


class Promises:
    """Of a text whose definition `f` is a sequence of `let`s. `counts`: what came of them."""

    def __init__(self, text: str, lines: int = 2) -> None:
        self.subject = Subject(text, "f")
        self.lines = lines
        self.counts: Counter[str] = Counter()

    def wrong(self, rng: Random) -> Iterator[str]:
        """Promises that are kept and false, witnesses that do not reproduce."""
        for name, found in self.subject.report.functions.items():
            for promise in found.promises:
                about = self.about(name, promise)
                if about is None or not promise.roots:
                    continue
                shown = f"{promise.kind} {promise.wanted} of {', '.join(promise.roots)} in {name}"
                if promise.holds:
                    self.counts["kept"] += 1
                    for what in self.violations(about, promise, rng, self.lines):
                        yield f"{shown} is kept: {what}"
                elif promise.code:
                    for what in self.refused(about, promise, rng):
                        yield f"{shown} is refused: {what}"

    def about(self, name: str, promise: Promise) -> Subject | None:
        """The definition of which something is promised; of an expression, the lines of it down to there."""
        if promise.kind == "promise":
            return self.subject if name == "f" else Subject(self.subject.text, name)
        if promise.kind == "demand" or name != "f" or promise.span is None:
            return None
        lines = self.subject.text.splitlines()
        last = lines[promise.span.line - 1].strip()
        if not last.startswith("let "):
            return None
        text = "\n".join([*lines[:promise.span.line], f"  in {last.split()[1]}"])
        return Subject(text, "f")

    def violations(self, about: Subject, promise: Promise, rng: Random, lines: int) -> list[str]:
        roots = set(about.oracle.roots)
        claims = dict.fromkeys(roots, "jump") | {root: promise.wanted for root in promise.roots if root in roots}
        return [str(v) for v in about.oracle.violations(claims, rng, lines)]

    def refused(self, about: Subject, promise: Promise, rng: Random) -> Iterator[str]:
        self.counts["refused"] += 1
        blame = promise.blame
        witness = blame.witness if blame is not None else None
        if blame is not None and witness is not None:
            self.counts["witnesses"] += 1
            seen, what = (None, "")
            if promise.span is not None and blame.span is not None and promise.kind == "expression" \
                    and stripped(promise.span.text) == stripped(blame.span.text):
                seen, what = about.reproduced(witness, (witness.order, witness.jump))
            elif witness.effect is not None and promise.kind != "expression":
                seen, what = about.reproduced(witness, witness.effect)
            elif witness.effect is not None:
                seen, what = self.subject.reproduced(witness, witness.effect)
            self.counts["reproduced" if seen else "seen inside alone" if seen is None else "not reproduced"] += 1
            if seen is False:
                yield f"{what}: {blame.condition}, {witness}"
            if seen:
                return
        self.counts["domains" if promise.code[0] == "D" else "kinks without a witness" if blame is not None
                    and blame.proved and witness is None else "unknown" if witness is None else "inside"] += 1
        if promise.code[0] != "D" and not self.violations(about, promise, rng, self.lines):
            self.counts["false alarms"] += 1


def stripped(text: str) -> str:
    """
    >>> stripped("((if a then b else c)) @ C1(x)")
    'if a then b else c'
    """
    return text.rsplit(" @ ", 1)[0].strip("() ").removesuffix(")")
