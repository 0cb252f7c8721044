"""Broken programs by the thousand: whatever the text says, only diagnostics may come out.

`python tests/fuzz.py --seconds 60 [--seed N]`, `make fuzz`. Comes in: every Dad program of the project, standard
library and literate tests included. Each round takes one or two, breaks them (characters, tokens, lines, nesting, bytes
that are no text) and checks the result; what still checks is compiled as well. Goes out: exit status 1 and the shortest
text found for the first case where something else than `Diagnostics` escapes, or where ten seconds are not enough. The
case at hand is kept in build/fuzz/last.dad, should Python itself go down.
"""
from __future__ import annotations

import argparse
import faulthandler
import random
import re
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from dad import driver
from dad.lang.diagnostics.report import Diagnostics
from dad.lang.source import Source

ROOT = Path(__file__).resolve().parent.parent
TIME_LIMIT = 10.0
TOKEN = re.compile(r"\w+|\s+|[^\w\s]+")
ODDITIES: tuple[str, ...] = (
    *"\0\ufeff\r\t\u2028é𝛌\u202e'\"`[](){}_=:,;-!@", "#[", "???", "--", "-- ==", "-- |", "0x", "1e999", "9" * 400,
    "0.0.0", "1_000", "..", "...", "..<", ":>", "->", "**", "&&", "|>", "{>0}", "?[k].", "'a", "a" * 3000, "i64", "f64",
    "[n]", "[n+1]", "[0]", "\\x -> ", "let", "in", "loop", "for", "while", "do", "if", "then", "else", "match", "case",
    "def", "entry", "type", "module", "open", "local", 'import "x"', "with [0] =", "param", "data", "grad", "vmap")


class TookTooLong(Exception):
    """Raised by the alarm; not an Exception that the compiler would catch, since it catches none broadly."""


def corpus() -> list[str]:
    """The texts to break: programs, and blocks of Dad in Markdown."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(ROOT.rglob("*.dad"))
             if not {"build", ".venv", ".tree"} & set(path.relative_to(ROOT).parts)]
    for path in sorted((ROOT / "tests").rglob("*.md")):
        texts += re.findall(r"^```dad[^\n]*\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return texts


# ---------------------------------------------------------------- mutations: text to text

Mutation = Callable[[random.Random, str, Sequence[str]], str]


def cut(rng: random.Random, text: str, _: Sequence[str]) -> str:
    """Without a stretch of characters."""
    start = rng.randrange(len(text) + 1)
    return text[:start] + text[start + rng.choice((1, 1, 2, 5, 40)):]


def truncate(rng: random.Random, text: str, _: Sequence[str]) -> str:
    return text[:rng.randrange(len(text) + 1)]


def insert(rng: random.Random, text: str, _: Sequence[str]) -> str:
    """With something odd in the middle."""
    at = rng.randrange(len(text) + 1)
    return text[:at] + rng.choice(ODDITIES) + text[at:]


def swap_token(rng: random.Random, text: str, others: Sequence[str]) -> str:
    """One token replaced by one from anywhere."""
    tokens: list[str] = TOKEN.findall(text)
    if not tokens:
        return text
    tokens[rng.randrange(len(tokens))] = rng.choice(TOKEN.findall(rng.choice(others)) or ["x"])
    return "".join(tokens)


def move_token(rng: random.Random, text: str, _: Sequence[str]) -> str:
    tokens: list[str] = TOKEN.findall(text)
    if len(tokens) < 2:
        return text
    token = tokens.pop(rng.randrange(len(tokens)))
    tokens.insert(rng.randrange(len(tokens)), token)
    return "".join(tokens)


def repeat(rng: random.Random, text: str, _: Sequence[str]) -> str:
    """A stretch twice over, or many times."""
    start = rng.randrange(len(text) + 1)
    stretch = text[start:start + rng.choice((1, 3, 20, 200))]
    return text[:start] + stretch * rng.choice((2, 2, 3, 50)) + text[start:]


def shuffle_lines(rng: random.Random, text: str, _: Sequence[str]) -> str:
    lines = text.splitlines(keepends=True)
    first = rng.randrange(len(lines) + 1)
    part = lines[first:first + rng.choice((2, 3, 8))]
    rng.shuffle(part)
    return "".join(lines[:first] + part + lines[first + len(part):])


def splice(rng: random.Random, text: str, others: Sequence[str]) -> str:
    """The beginning of one program and the end of another."""
    other = rng.choice(others)
    return text[:rng.randrange(len(text) + 1)] + other[rng.randrange(len(other) + 1):]


def nest(rng: random.Random, text: str, _: Sequence[str]) -> str:
    """Far too deep: brackets, operators or lambdas."""
    opening, closing = rng.choice((("(", ")"), ("[", "]"), ("{a = ", "}"), ("-", ""), ("\\x -> ", ""), ("1 + ", ""),
                                   ("f (", ")"), ("if x then ", " else 0"), ("let x = ", " in x"), ("[]", "f64")))
    depth = rng.choice((3, 100, 300, 5000))
    at = rng.randrange(len(text) + 1)
    return text[:at] + opening * depth + "x" + closing * rng.choice((depth, depth, 0)) + text[at:]


MUTATIONS: tuple[Mutation, ...] = (cut, cut, truncate, insert, insert, swap_token, swap_token, swap_token, move_token,
                                   repeat, shuffle_lines, splice, nest)


def broken(rng: random.Random, texts: Sequence[str]) -> str:
    """A program with one to six things wrong with it."""
    text = rng.choice(texts)
    if len(text) > 1500 and rng.random() < 0.7:  # a stretch of a long program: more cases a second
        start = text.find("\n\n", rng.randrange(len(text)))
        text = text[max(start, 0):][:1500]
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        text = rng.choice(MUTATIONS)(rng, text, texts)
    return text[:60_000]


# ---------------------------------------------------------------- what must hold


def examine(text: str) -> str:
    """Checks the text and compiles it if it checks; returns what became of it. Raises what should not have escaped."""
    try:
        checking = driver.check(Source("<fuzz>", text))
    except Diagnostics:
        return "rejected"
    for diagnostic in checking.diagnostics:
        str(diagnostic)
    if checking.checked is None:
        if not checking.diagnostics:
            raise AssertionError("rejected without a word")
        return "rejected"
    try:
        driver.compile_source(Source("<fuzz>", text))
    except Diagnostics:
        return "rejected by lowering"
    return "compiled"


def examine_bytes(content: bytes) -> str:
    """The same for the content of a file, which need not be text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.dad"
        path.write_bytes(content)
        try:
            return examine(driver.read(path).text)
        except Diagnostics:
            return "rejected unread"


def limited(action: Callable[[], str]) -> str:
    """Runs the action under the time limit."""
    def alarm(_signal: int, _frame: FrameType | None) -> None:
        raise TookTooLong(f"more than {TIME_LIMIT:g} seconds")

    before = signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT)
    try:
        return action()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def failure(text: str) -> str | None:
    """The kind of failure of a text: the exception and where it was raised; None when all is well."""
    try:
        limited(partial(examine, text))
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        return f"{type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}"
    return None


def shrink(text: str, kind: str, budget: float = 20.0) -> str:
    """A shorter text that fails in the same way: whole stretches are left out, ever shorter ones."""
    deadline = time.monotonic() + budget
    length = max(len(text) // 2, 1)
    while time.monotonic() < deadline:
        at = 0
        while at < len(text) and time.monotonic() < deadline:
            shorter = text[:at] + text[at + length:]
            if failure(shorter) == kind:
                text = shorter
            else:
                at += length
        if length == 1:
            break
        length = max(length // 2, 1)
    return text


def run(seconds: float, seed: int) -> int:
    """Fuzzes for that long; returns the exit status."""
    rng = random.Random(seed)
    texts = corpus()
    last = ROOT / "build" / "fuzz" / "last.dad"
    last.parent.mkdir(parents=True, exist_ok=True)
    outcomes: Counter[str] = Counter()
    deadline = time.monotonic() + seconds
    for text in texts:
        outcomes[limited(partial(examine, text))] += 1
    while time.monotonic() < deadline:
        text = broken(rng, texts)
        last.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
        try:
            if rng.random() < 0.05:
                content = bytearray(text.encode("utf-8", errors="surrogatepass"))
                for _ in range(rng.choice((1, 5))):
                    content.insert(rng.randrange(len(content) + 1), rng.randrange(256))
                outcomes[limited(partial(examine_bytes, bytes(content)))] += 1
            else:
                outcomes[limited(partial(examine, text))] += 1
        except Exception as error:
            traceback.print_exc()
            kind = failure(text)
            shown = shrink(text, kind) if kind is not None else text
            (last.parent / "failure.dad").write_text(shown, encoding="utf-8", errors="surrogatepass", newline="")
            print(f"\nfuzz: {type(error).__name__} escaped after {sum(outcomes.values())} programs (seed {seed}); "
                  f"the text is in build/fuzz/failure.dad:\n{shown!r}")
            return 1
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    print(f"fuzz: {sum(outcomes.values())} programs in {seconds:g} s, nothing but diagnostics escaped "
          f"({told}; seed {seed})")
    return 0


def main() -> int:
    faulthandler.enable()
    arguments = argparse.ArgumentParser(description="Break programs; only diagnostics may escape.")
    arguments.add_argument("--seconds", type=float, default=60.0)
    arguments.add_argument("--seed", type=int, default=None, help="default: a new one each time")
    options = arguments.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    return run(options.seconds, seed)


if __name__ == "__main__":
    sys.exit(main())
