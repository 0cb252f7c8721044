"""Grades of generated programs against 50 digits, by the thousand: `python -m dad.tests.grades.campaign --count 1000`.

`--first N` begins at seed N, `--seed N` shows one program with its grades. Exit status 1 when anything was wrong.
"""
from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from random import Random

from dad.driver import deepen
from dad.grades.lattice import better
from dad.tests.grades.generated import Program
from dad.tests.grades.trial import Subject


def trial(seed: int, lines: int = 2, budget: int | None = None) -> tuple[Subject, list[str]]:
    """A program and what is wrong with its grades."""
    subject = Subject(Program(seed, budget).text, "f")
    assert not subject.checking.diagnostics, (seed, subject.checking.diagnostics)
    return subject, list(subject.wrong(Random(seed), lines))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--lines", type=int, default=2)
    options = parser.parse_args(argv)
    if options.seed is not None:
        subject, wrong = trial(options.seed, max(options.lines, 8))
        print(subject.text, subject.graded.grades, subject.graded.unknown, *wrong, sep="\n")
        return int(bool(wrong))
    counts: Counter[str] = Counter()
    failed = 0
    start = time.process_time()
    for seed in range(options.first, options.first + options.count):
        if seed > options.first and (seed - options.first) % 100 == 0:
            print(f"… {seed - options.first} programs, {failed} wrong", file=sys.stderr, flush=True)
        try:
            subject, wrong = trial(seed, options.lines)
        except Exception as error:  # a campaign goes on: what went wrong is shown, and counted as failed
            failed += 1
            print(f"seed {seed}: {type(error).__name__}: {error}", flush=True)
            continue
        if wrong:
            failed += 1
            print(f"seed {seed}: {subject.graded.grades}\n{subject.text}" + "\n".join(f"  {w}" for w in wrong[:3]),
                  flush=True)
        grades = subject.graded.grades.values()
        counts["C1 in every root" if all(better(g, "C1") for g in grades) else
               "lip in every root" if all(better(g, "lip") for g in grades) else "jump or cont"] += 1
        counts["branches"] += len(subject.graded.branches)
        counts["witnesses"] += sum(b.witness is not None for b in subject.graded.branches)
        counts["unknown"] += bool(subject.graded.unknown)
    print(f"{options.count} programs, {failed} wrong, {dict(counts)}, {time.process_time() - start:.0f} s of computing")
    return int(failed > 0)


if __name__ == "__main__":
    deepen()
    sys.exit(main())
