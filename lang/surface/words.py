"""The words of a long declaration, found quickly: what `lexer.tokenize` finds, or None where anything is out of the
ordinary.

One regular expression splits the text, and each word becomes one character that says what it is, so that what repeats
can be looked for in a string. Names are alike, numbers of one type are alike, and every operator, bracket and keyword
is itself. Strings, attributes, type variables, forbidden characters and mistakes are left to `tokenize`.
"""
from __future__ import annotations

import re
from functools import lru_cache
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple

from .lexer import FORBIDDEN, KEYWORDS, MAX_NAME, MODULES, PUNCTUATION, Token

_SYMBOL = r"[-+*/%=!><|&^]"
_SYMBOLS = r"[-+*/%=!><|&^.]"
_WORD = r"[A-Za-z_][A-Za-z0-9_']*"
_SPACE = r"[ \t\r\n\f\v]*+(?:--(?!\ \|)[^\n]*+[ \t\r\n\f\v]*+)*+"
_QUICK = rf"""{_SPACE}(?:
    [A-Za-z_][A-Za-z0-9_']*+(?!\w)
  | [()\[\]{{}},]
  | (?<=[^.]\.)[0-9]+(?!\w)
  | [0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?:[iu](?:8|16|32|64)|f(?:16|32|64))?(?!\w|\.(?!\.))
  | [0-9][\w.]*
  | \.\.\.|\.\.<|\.\.>|\.\.|->|:>|=(?=[-!](?!{_SYMBOLS}))|[:.@\\]
  | {_SYMBOL}{_SYMBOLS}*
  | \Z
  | [\s\S])"""
_UNUSUAL = rf"--\ \||[A-Za-z0-9_']\.{_SYMBOL}"
"""A documentation comment; an operator of a module, `M.+`."""
_NUMBER = r"([0-9]+)(\.[0-9]+)?([eE][-+]?[0-9]+)?([iuf][0-9]+)?"

NAME, INT, FLOAT, NAT, BAD = "n", "i", "f", "N", "\0"
INDEX = "I"
MAX_OPERATORS = 2000


class Info(NamedTuple):
    """What a word is; where its text has spaces or comments before it, they are left off."""

    sign: str
    word: str
    length: int


KINDS: dict[str, str] = {NAME: "NAME", INT: "INT", FLOAT: "FLOAT", NAT: "NAT", INDEX: "INDEX"}
"""By sign: the kind of token."""
SUFFIXES: dict[str, str | None] = {INT: None, FLOAT: None}
"""By sign of a number: the type written after it."""
_signs: dict[str, str] = {}


def sign(word: str) -> str:
    """The sign of a word that is neither a name nor a number: a character of its own.

    The fixed words come first, and have small ones: expressions that look for them are made and run faster.
    """
    made = _signs.get(word)
    if made is None:
        if len(_signs) > MAX_OPERATORS:
            return BAD
        made = _signs[word] = chr((0x80 if len(_signs) < 0x80 else 0xE000) + len(_signs))
        KINDS[made] = KEYWORDS.get(word) or ("UNDERSCORE" if word == "_" else "NAME" if word.isidentifier()
                                             else PUNCTUATION.get(word, "OP"))
    return made


for _fixed in (*KEYWORDS, *PUNCTUATION, "+", "/", "**", "%", "==", "!=", "&&", "||", "|>", "<|"):
    sign(_fixed)
_OWN = frozenset((*KEYWORDS, *MODULES, "_", "param", "data"))
"""Words that look like names and are told apart: some rules ask for them."""
for _suffix in ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16", "f32", "f64"):
    for _kind in ("INT", "FLOAT") if _suffix[0] == "f" else ("INT",):
        _made = sign(f"{_kind} {_suffix}")
        KINDS[_made], SUFFIXES[_made] = "FLOAT" if _suffix[0] == "f" else "INT", _suffix


class _Infos(dict[str, Info]):
    """By the text that the expression found."""

    def __init__(self, space: re.Pattern[str], number: re.Pattern[str]) -> None:
        super().__init__()
        self.space, self.number = space, number

    def __missing__(self, text: str) -> Info:
        word = text.lstrip(" \t\r\n\f\v")
        if word[:2] == "--":
            space = self.space.match(text)
            word = text[space.end():] if space is not None else text
        first = word[:1]
        if not word:
            made = ""
        elif first.isalpha() or first == "_":
            made = BAD if len(word) > MAX_NAME or not word.isascii() else sign(word) if word in _OWN else NAME
        elif first.isdigit():
            made = self._number(word)
        elif text == "[":
            made = INDEX
        else:
            made = sign(word) if word.isascii() and word not in ('"', "'", "#", "`", "?", "~", "$", ";") else BAD
        found = self[text] = Info(made, word, len(word))
        return found

    def _number(self, word: str) -> str:
        match = self.number.fullmatch(word)
        if match is None or len(word) > 40 or not word.isascii():
            return BAD
        whole, fraction, power, suffix = match.groups()
        integer = fraction is None and power is None
        if (integer and len(whole) > 15) or (suffix is not None and suffix[0] != "f" and not integer):
            return BAD
        if not integer and float(word[:len(word) - len(suffix or "")]) == float("inf"):
            return BAD
        return (INT if integer else FLOAT) if suffix is None else sign(f"{'INT' if integer else 'FLOAT'} {suffix}")


@lru_cache(maxsize=1)
def _expressions() -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str], re.Pattern[str], re.Pattern[str],
                            re.Pattern[str]]:
    ends = "".join((NAME, NAT, *(sign(w) for w in (*MODULES, "param", "data", ")", "]", "}"))))
    return (re.compile(_QUICK, re.VERBOSE), re.compile(_UNUSUAL, re.VERBOSE), re.compile(_SPACE, re.VERBOSE),
            re.compile(_NUMBER), re.compile(f"(?<![{ends}]){INDEX}"), re.compile(f"{sign('.')}{INT}"))


class Words:
    """The words of a text from some offset on: their signs as one string, and where each begins and ends."""

    __slots__ = ("ends", "infos", "signs")

    def __init__(self, signs: str, infos: list[Info], ends: list[int]) -> None:
        self.signs, self.infos, self.ends = signs, infos, ends

    def start(self, at: int) -> int:
        return self.ends[at] - self.infos[at][2]

    def tokens(self, begin: int, end: int) -> list[Token]:
        return [Token(KINDS[s], word, end - length, end) for s, (_, word, length), end in zip(
            self.signs[begin:end], self.infos[begin:end], self.ends[begin:end], strict=True)]


def words(text: str, begin: int, end: int | None = None) -> Words | None:
    """The words from `begin` on, and before `end`; None where `tokenize` is to look at the text.

    >>> [token.kind for token in words("def f (x: f64) = x[0] + 1.5", 0).tokens(8, 14)]
    ['NAME', 'INDEX', 'INT', 'RSQB', 'OP', 'FLOAT']
    """
    quick, unusual, space, number, index, projection = _expressions()
    last = len(text) if end is None else end
    if unusual.search(text, begin, last) or FORBIDDEN.search(text, begin, last):
        return None
    known = _Infos(space, number)
    found = quick.findall(text, begin, last)
    infos = list(map(known.__getitem__, found))
    signs = "".join(map(itemgetter(0), infos))
    if BAD in signs:
        return None
    ends = list(accumulate(map(len, found), initial=begin))
    del ends[0], ends[len(signs):], infos[len(signs):]
    for match in reversed(list(projection.finditer(signs))):
        at = match.end() - 1
        if ends[at] - infos[at][2] == ends[at - 1]:
            signs = f"{signs[:at]}{NAT}{signs[at + 1:]}"
    signs = index.sub(sign("["), signs)
    return Words(signs, infos, ends)


__all__ = ["FLOAT", "INDEX", "INT", "KINDS", "NAME", "NAT", "SUFFIXES", "Words", "sign", "words"]
