"""Sentences of the grammar by the thousand, whole and broken: `python tests/front/fuzz.py --seconds 60 [--seed N]`.

`tests/fuzz.py` breaks the programs that exist; this one makes programs that nobody wrote. It walks the parser's own
tables at random, so that every construct meets every other, which mutation of examples does not reach. Each sentence
must parse without a syntax error, and neither it nor a broken copy, nor a broken copy of a program of the project,
may make the parser or the checker raise anything but `Diagnostics` or take more than two seconds.
"""
from __future__ import annotations

import argparse
import random
import re
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from dad.checker import check
from dad.lang.diagnostics.render import render_full
from dad.lang.diagnostics.report import Diagnostic, Diagnostics, Reporter
from dad.lang.source import Source
from dad.lang.surface.lexer import KEYWORDS, PUNCTUATION
from dad.lang.surface.machine import Tables, load, next_state
from dad.lang.surface.parser import parse

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 2.0
NAMES = ("data", "param", "x", "y", "n", "xs", "f", "map", "sum", "f64", "i64", "s'", "g")
"""The first two qualify a type when they stand after a colon."""
SPELLED: dict[str, tuple[str, ...]] = {
    "NAME": NAMES, "NAT": ("0", "1"),
    "INT": ("0", "1", "0x1f", "2i32", "300u8"), "FLOAT": ("2.5", "1e-3", "1f32"), "STRING": ('"s"',), "CHAR": ("'c'",),
    "TYVAR": ("'a", "'^b"), "CONSTR": ("#some", "#none"), "ATTR": ("#[inline]",), "BACKTICK": ("`f`",),
    "OP": ("+", "/", "**", "==", "&&", "|>", "<|", "+++"), "REL": (">", ">=", "<="), "UNDERSCORE": ("_",),
    **{word.upper(): (word,) for word in KEYWORDS},
    **{kind: (text,) for text, kind in PUNCTUATION.items() if kind not in ("REL", "OP")},
}
# The same words, but only where they touch or follow the word before in a certain way.
SPELLED_AFTER = {"INDEX": "[", "IS": ":", "QUALIFIER": "param"}
CLOSING = ("RPAR", "RSQB", "RBRACE", "IN", "ELSE", "THEN", "DO", "EQUAL", "CASE", "NAME", "INT", "UNDERSCORE", "ARROW")
"""What leads towards the end of a sentence, best first."""


def sentence(rng: random.Random, tables: Tables, length: int) -> tuple[str, bool]:
    """A declaration made by a random walk, and whether it came to an end; after `length` words it is led to one."""
    states = [tables.starts["declaration"][0]]
    words: list[str] = []
    previous = ""
    brackets = 0
    for _ in range(length + 200):
        fitting = [kind for kind in tables.terminals
                   if next_state(tables, list(states), kind, "declaration") is not None]
        if "$END" in fitting and (len(words) >= length or rng.random() < 0.05):
            return "".join(words).strip(), True
        fitting = [kind for kind in fitting if kind != "$END" and _spaced(kind, previous)
                   and not (kind == "QUALIFIER" and brackets)]  # inside brackets a colon belongs to a slice
        if not fitting:
            break
        if len(words) >= length:
            fitting = [kind for kind in CLOSING if kind in fitting][:1] or fitting
        kind = rng.choice(fitting)
        next_state(tables, states, kind, "declaration")
        choices = NAMES[2:] if kind == "NAME" and previous == "COLON" else SPELLED.get(kind, ())
        text = "float" if previous == "IS" else SPELLED_AFTER.get(kind) or rng.choice(choices)
        words.append(text if kind == "INDEX" or previous == "DOT" else " " + text)
        previous = kind
        brackets += (kind in ("LSQB", "INDEX")) - (kind == "RSQB")
    return "".join(words).strip(), False


def _spaced(kind: str, previous: str) -> bool:
    """Words whose kind depends on what stands beside them are taken where the lexer will see them so."""
    if kind == "INDEX":
        return previous in ("NAME", "RPAR", "RSQB", "RBRACE", "NAT", "STRING")
    if kind == "NAT" or previous == "DOT":
        return previous == "DOT" and kind in ("NAT", "NAME", "LSQB", "LPAR")
    return (kind != "QUALIFIER" or previous == "COLON") and not kind == previous == "QUALIFIER"


def broken(rng: random.Random, text: str, others: Sequence[str]) -> str:
    """The text with a few pieces gone, doubled, or taken from elsewhere."""
    pieces = re.findall(r"\w+|\s+|[^\w\s]", text)
    for _ in range(rng.randint(1, 5)):
        if not pieces:
            break
        at = rng.randrange(len(pieces))
        action = rng.randrange(4)
        if action == 0:
            del pieces[at]
        elif action == 1:
            pieces[at:at] = pieces[at:at + rng.randint(1, 8)] * rng.choice((1, 1, 30))
        elif action == 2:
            pieces[at] = rng.choice(re.findall(r"\w+|\s+|[^\w\s]", rng.choice(others)) or ["("])
        else:
            pieces[at] = rng.choice("()[]{}'\"`\\#-=<>|.:@?_\n\0é\u202e\ud800")
    return "".join(pieces)


def examine(text: str) -> tuple[list[Diagnostic], bool]:
    """Parses, checks and renders. Gives what the parser said and whether anything was wrong.

    Raises whatever escapes, and AssertionError when it took too long.
    """
    report = Reporter()
    start = time.process_time()
    program = parse(Source("<fuzz>", text), report)
    syntax = list(report.diagnostics)
    try:
        if not report.failed:
            check(program, report)
    except Diagnostics as found:
        report.diagnostics += found.diagnostics
    render_full(report.diagnostics)
    assert time.process_time() - start < LIMIT, "took too long"
    return syntax, report.failed


def corpus() -> list[str]:
    outside = {"build", ".venv", ".tree"}
    return [path.read_text("utf-8") for path in sorted(ROOT.rglob("*.dad"))
            if not outside & set(path.relative_to(ROOT).parts)]


def run(seconds: float, seed: int) -> int:
    """Fuzzes for that long; returns the exit status."""
    rng, tables, programs = random.Random(seed), load(), corpus()
    sentences = rejected = texts = 0
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        text, whole = sentence(rng, tables, rng.choice((5, 20, 60)))
        try:
            syntax = [d for d in examine(text)[0] if d.code in ("E010", "E011", "E012", "E013", "E015", "E023")]
            assert not (whole and syntax) or _semantic(text), render_full(syntax)
            sentences += whole
            texts += 2
            for source in (text, rng.choice(programs)[:4000]):
                text = broken(rng, source, [*programs, source])
                rejected += examine(text)[1]
        except Exception:
            traceback.print_exc()
            print(f"\nfuzz: after {sentences} sentences (seed {seed}), by this text:\n{text!r}")
            return 1
    print(f"fuzz: {sentences} sentences parsed, {rejected} of {texts} broken texts rejected, nothing escaped "
          f"(seed {seed})")
    return 0


def _semantic(text: str) -> bool:
    """Sentences of the grammar that builders refuse: ranges without end, refinements that are none."""
    return ".." in text or "{" in text


def main() -> int:
    arguments = argparse.ArgumentParser(description="Parse random sentences; only diagnostics may escape.")
    arguments.add_argument("--seconds", type=float, default=60.0)
    arguments.add_argument("--seed", type=int, default=None, help="default: a new one each time")
    options = arguments.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    return run(options.seconds, seed)


if __name__ == "__main__":
    sys.exit(main())
