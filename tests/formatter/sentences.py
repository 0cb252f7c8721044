"""Texts for the formatter: random sentences of the grammar itself, and programs with other spaces and more comments.

A sentence is a random derivation of `grammar.lark`, so every alternative of every rule turns up. Not all of them parse
(where two readings are possible the parser takes one): those that don't are left out by the tests.
"""
from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import Any

import dad.lang.surface
from dad.lang.diagnostics.report import Reporter
from dad.lang.source import Source
from dad.lang.surface.lexer import tokenize

GRAMMAR = Path(dad.lang.surface.__file__).with_name("grammar.lark")
WORDS: dict[str, list[str]] = {
    "NAME": ["x", "y", "f", "long_name", "xs'", "M", "f64", "smooth"], "NAT": ["0", "12"],
    "INT": ["0", "12", "1_000", "0xff", "3i32"],
    "FLOAT": ["1.5", "2e-3", "1f32"], "STRING": ['"a b"', '"--"'], "CHAR": ["'c'", "'\\n'"], "TYVAR": ["'a", "'^b"],
    "IS": [":"], "CONSTR": ["#some", "#none"], "ATTR": ["#[inline]", "#[unroll]"], "HOLE": ["???"],
    "BACKTICK": ["`f`", "`M.g`"], "OP": ["+", "*", "/", "**", "&&", "|>", "<|", "==", "+.", "<<", "||"],
    "REL": [">", "<=", ">="], "QUALIFIER": ["param", "data"], "INDEX": ["["], "UNDERSCORE": ["_"], "TRUE": ["true"],
    "FALSE": ["false"], "ASSUME": ["assume"],
    "BODY": ["{ def x = 1 }", "{ }", "{ type t = i64 def x : t = 1 let y = x }"],
}


@cache
def rules() -> tuple[dict[str, list[tuple[str, ...]]], dict[str, str]]:
    """The alternatives of each nonterminal, and the texts of terminals that stand for themselves."""
    from lark import Lark

    made: Any = Lark(GRAMMAR.read_text("ascii"), parser="lalr", lexer="basic", maybe_placeholders=False,
                     start=["declaration", "exp", "type"]).parser
    found: dict[str, list[tuple[str, ...]]] = {}
    for rule in made.parser._parse_table.states.values():
        for _, target in rule.values():
            if hasattr(target, "expansion"):
                alternatives = found.setdefault(target.origin.name, [])
                symbols = tuple(symbol.name for symbol in target.expansion)
                if symbols not in alternatives:
                    alternatives.append(symbols)
    texts = {t.name: t.pattern.value for t in made.lexer_conf.terminals if t.pattern}
    return {name: sorted(each) for name, each in sorted(found.items())}, texts


@cache
def heights() -> dict[str, int]:
    """How deep the shallowest derivation of each nonterminal is."""
    alternatives, _ = rules()
    known: dict[str, int] = {}
    while len(known) < len(alternatives):
        found = {name: min(_height(symbols, known) for symbols in each) + 1 for name, each in alternatives.items()}
        known = {name: height for name, height in found.items() if height < 99}
    return known


def _height(symbols: tuple[str, ...], known: dict[str, int]) -> int:
    """Of an alternative; `assert` and `assume` count as deeper than they are, or every short operand would be one."""
    alternatives, _ = rules()
    height = max((known.get(s, 99) if s in alternatives else 0 for s in symbols), default=0)
    return height + 5 * len({"ASSERT", "ASSUME"} & {*symbols})


def declaration(rng: random.Random) -> str:
    """A random declaration; often a small one around an expression or a type."""
    depth = rng.choice([6, 12, 25])
    match rng.randrange(4):
        case 0:
            return "def x = " + sentence(rng, rng.choice(["exp", "atom"]), depth)
        case 1:
            return "type t = " + sentence(rng, "type", depth)
        case 2:
            return sentence(rng, "declaration", depth)
    return f"def f {sentence(rng, 'ppat', depth)} = f[{sentence(rng, 'indices', 8)}]"


def sentence(rng: random.Random, start: str, depth: int) -> str:
    """A random sentence: any alternative down to about this depth, as long as it is not long; then the shallowest."""
    alternatives, texts = rules()
    height = heights()
    words: list[str] = []
    pending = [(start, 0)]
    while pending:
        symbol, level = pending.pop()
        if symbol not in alternatives:
            text = rng.choice(WORDS[symbol]) if symbol in WORDS else texts[symbol]
            if symbol == "INDEX" or (symbol == "NAT" and words and words[-1] == "."):
                words[-1:] = [words[-1] + text] if words else [text]
            else:
                words.append(text)
            continue
        choices = alternatives[symbol]
        if level >= depth or len(words) + len(pending) > 150:
            least = min(_height(each, height) for each in choices)
            choices = [each for each in choices if _height(each, height) == least]
        pending += [(each, level + 1) for each in reversed(rng.choice(choices))]
    return " ".join(words)


def respaced(rng: random.Random, text: str, breaks: float, remarks: float) -> str:
    """The text with other line breaks and more comments where it has spaces; its documentation stays where it is."""
    out: list[str] = []
    done = 0
    number = 0
    for token in tokenize(Source("respaced.dad", text), Reporter()):
        gap = text[done:token.start]
        if gap and done and "--" not in gap and token.kind != "DOC" and not text[:done].rstrip().endswith("\n") \
                and "\n\n" not in gap and not _after_documentation(text, done):
            gap = " " * rng.choice([1, 1, 1, 2, 5]) if token.start - done and "\n" not in gap else gap
            if rng.random() < remarks:
                number += 1
                gap += rng.choice([f"-- c{number}\n    ", f"\n  -- c{number}\n  ", f"\n\n  -- c{number}\n\n   ",
                                   f"-- c{number}\n -- and {number}\n  "])
            elif rng.random() < breaks:
                gap = rng.choice(["\n  ", "\n     ", "\n\n  "])
        out += [gap, text[token.start:token.end]]
        done = token.end
    return "".join(out) + text[done:]


def _after_documentation(text: str, end: int) -> bool:
    line = text[text.rfind("\n", 0, end) + 1:end]
    return line.lstrip().startswith("--")
