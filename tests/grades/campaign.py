"""Grades of generated programs against 100 digits, by the thousand: `python -m dad.tests.grades.campaign --count 1000`.

Programs of even seeds promise things, rightly or not. `--first N` begins at seed N, `--seed N` shows one program with
its grades, `--varied` is for the programs of `varied.py`. Exit status 1 when anything was wrong.
"""
from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from random import Random

from dad.driver import deepen
from dad.grades.lattice import better, worst
from dad.tests.grades.generated import Program
from dad.tests.grades.promised import Promises
from dad.tests.grades.trial import Subject
from dad.tests.grades.varied import Varied


def trial(seed: int, lines: int = 2, budget: int | None = None, counts: Counter[str] | None = None,
          family: type[Program] = Program) -> tuple[Subject, list[str]]:
    """A program and what is wrong with its grades; what came of its promises is added to the counts."""
    tried = Promises(family(seed, budget, promises=seed % 2 == 0).text, lines)
    subject = tried.subject
    assert not subject.checking.diagnostics, (seed, subject.checking.diagnostics)
    wrong = list(subject.wrong(Random(seed), lines))
    if seed % 2 == 0:
        wrong += tried.wrong(Random(seed))
    if counts is not None:
        counts.update(tried.counts)
    return subject, wrong


def kinds(subject: Subject) -> Iterator[str]:
    """How a program is counted: by its grade in all roots together, in each root, by its branches."""
    graded = subject.graded
    if graded.unknown:
        yield "not looked at"
        return
    yield f"programs {kind(worst(graded.grades))}"
    yield from (f"roots {kind(graded.grades.get(root.name, 'none'))}" for root in graded.roots)
    yield from ("branches" if branch.proved else "branches not proved" for branch in graded.branches)


def kind(grade: str) -> str:
    for best in ("C2", "C1", "lip", "cont"):
        if better(grade, best):
            return f">= {best}" if best[0] == "C" and best != "cont" else best
    return "flat" if grade == "flat" else "jump"


def said(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--lines", type=int, default=2)
    parser.add_argument("--varied", action="store_true")
    options = parser.parse_args(argv)
    family = Varied if options.varied else Program
    if options.seed is not None:
        subject, wrong = trial(options.seed, max(options.lines, 8), family=family)
        print(subject.text, subject.graded.grades, subject.graded.unknown, *wrong, sep="\n")
        return int(bool(wrong))
    counts: Counter[str] = Counter()
    promises: Counter[str] = Counter()
    failed = 0
    start = time.process_time()
    for seed in range(options.first, options.first + options.count):
        if seed > options.first and (seed - options.first) % 100 == 0:
            print(f"… {seed - options.first} programs, {failed} wrong", file=sys.stderr, flush=True)
        try:
            subject, wrong = trial(seed, options.lines, counts=promises, family=family)
        except Exception as error:  # a campaign goes on: what went wrong is shown, and counted as failed
            failed += 1
            print(f"seed {seed}: {type(error).__name__}: {error}", flush=True)
            continue
        if wrong:
            failed += 1
            print(f"seed {seed}: {subject.graded.grades}\n{subject.text}" + "\n".join(f"  {w}" for w in wrong[:3]),
                  flush=True)
        counts.update(kinds(subject))
    print(f"{options.count} programs, {failed} wrong, {time.process_time() - start:.0f} s of computing")
    print(f"  graded: {said(counts)}")
    print(f"  promises: {said(promises)}")
    return int(failed > 0)


if __name__ == "__main__":
    deepen()
    sys.exit(main())
