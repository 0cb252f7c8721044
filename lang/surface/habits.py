"""What people write who know Python and NumPy, where it is a syntax error here, and what to write instead.

Each rule looks at the place where the parser stopped and says one thing, or nothing; `syntax_errors` tries them all.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .lexer import Token
    from .syntax_errors import Place

ASSIGNMENTS = {"+=": "+", "-=": "-", "*=": "*", "/=": "/", "**=": "**", "//=": "//", "%=": "%"}
LIBRARIES = frozenset({"numpy", "np", "math", "torch", "jax", "scipy", "random", "functools", "itertools", "sys"})
_SCALARS = frozenset({"f64", "f32", "i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8", "bool"})


def _import(place: Place) -> bool:
    first = place.tokens[0]
    if first.kind != "IMPORT" or place.token.kind != "NAME" or place.at != 1:
        return False
    if not place.first_on_line(first):
        return True  # `from math import sin`: said where the line begins
    name = place.token.text
    place.report.error("E010", "an import names a file, as a string", place.span(place.token), "not a string",
                       help="functions of arrays and numbers need no import: write `sum xs`, `sin x`"
                       if name in LIBRARIES else f'write `import "{name}"`')
    return True


def _header(place: Place) -> bool:
    """`def f(x):` and the body on the next line."""
    if place.tokens[0].kind not in ("DEF", "ENTRY"):
        return False
    depth = 0
    for at, token in enumerate(place.tokens[:place.at + 1]):
        if token.kind in ("LPAR", "LSQB", "INDEX", "LBRACE"):
            depth += 1
        elif token.kind in ("RPAR", "RSQB", "RBRACE"):
            depth -= 1
        elif token.kind == "EQUAL" and not depth:
            return False
        elif token.kind == "COLON" and not depth:
            following = place.tokens[at + 1]
            if place.tokens[at - 1].kind not in ("RPAR", "NAME") or not (
                    following.kind == "$END" or place.first_on_line(following)):
                return False
            place.report.error("E010", "the body of a definition follows `=`, not `:`", place.span(token),
                               "read as the beginning of the result's type",
                               help=f"write `{place.tokens[0].text} {place.tokens[1].text} (x: f64) = …`")
            return True
    return False


def _for(place: Place) -> bool:
    """A `for` that begins a statement, and a generator."""
    if place.token.kind not in ("FOR", "WHILE") or "LOOP" in place.kinds:
        return False
    opener = place.openers[-1] if place.openers else None
    if opener is not None and opener.kind in ("LSQB", "INDEX", "LBRACE"):
        return False
    if opener is not None:
        place.report.error("E010", "a comprehension stands in brackets", place.span(place.token),
                           "`[` … `]` are missing", others=[(place.span(opener), "inside this")],
                           help="write `sum [x * x for x in xs]`")
        return True
    if not place.first_on_line(place.token):
        return False
    place.report.error("E017", f"`{place.token.text}` belongs to a `loop`", place.span(place.token), "here",
                       help=f"write `loop x = start {place.token.text} … do …`, where `x` is what the loop changes")
    return True


def _if(place: Place) -> bool:
    """`a if c else b`, and `[a for x in xs if c]`."""
    if place.token.kind != "IF" or "OP" not in place.kinds:
        return False
    opener = place.openers[-1] if place.openers else None
    inside = next((at for at, token in enumerate(place.tokens) if token is opener), -1) + 1
    if opener is not None and opener.kind == "LSQB" and any(
            token.kind == "FOR" for token in place.tokens[inside:place.at]):
        place.report.error("E010", "a comprehension takes no condition", place.span(place.token), "not after `for`",
                           help="keep the elements first: `[x * x for x in filter (\\x -> x > 0) xs]`")
        return True
    place.report.error("E015", "there is no `a if c else b`", place.span(place.token), "here an operator could follow",
                       help="write `if c then a else b`")
    return True


def _named_argument(place: Place) -> bool:
    before = place.before
    if place.token.kind != "EQUAL" or before is None or before.kind != "NAME" or place.at < 2:
        return False
    previous = place.tokens[place.at - 2]
    called = previous.kind in ("COMMA", "LPAR") and place.openers and place.openers[-1].kind == "LPAR"
    if not called and not (before.text in ("axis", "dtype", "keepdims") and not place.first_on_line(before)):
        return False
    folding = before.text in ("axis", "keepdims")
    place.report.error("E015", "arguments have no names", place.span(before).to(place.span(place.token)), "named here",
                       help="fold the rows with `map sum xss`, the columns with `map sum (transpose xss)`" if folding
                       else "write the values one after the other, in the order of the parameters: `f a b`")
    return True


def _assignment(place: Place) -> bool:
    """`y += x`, `let y == x`, `x[0] = y`."""
    token = place.token
    if token.text in ASSIGNMENTS:
        name = place.before.text if place.before is not None and place.before.kind == "NAME" else "x"
        place.report.error("E014", f"there is no assignment `{token.text}`", place.span(token), "values never change",
                           help=f"give the new value a name: `let {name} = {name} {ASSIGNMENTS[token.text]} … in …`")
        return True
    if token.text == "==" and "EQUAL" in place.kinds:
        place.report.error("E014", "a name is given with `=`, not `==`", place.span(token), "this compares",
                           help="write `=`")
        return True
    if token.kind != "EQUAL" or place.before is None or place.before.kind != "RSQB" or "OP" not in place.kinds:
        return False
    line = _line(place)
    if len(line) < 3 or line[0].kind != "NAME" or line[1].kind != "INDEX":
        return False
    text = "".join(each.text for each in line)
    place.report.error("E014", "to replace an element, write `let`", place.span(token), "there is no assignment",
                       help=f"write `let {text} = … in …`: the array with this element replaced")
    return True


def _line(place: Place) -> list[Token]:
    """The tokens of this line before the place."""
    at = place.at
    while at > 0 and not place.first_on_line(place.tokens[at]):
        at -= 1
    return list(place.tokens[at:place.at])


def _unpacked(place: Place) -> bool:
    """`let a, b = x`"""
    at = place.at
    if place.token.kind != "COMMA" or at < 2 or place.tokens[at - 2].kind != "LET":
        return False
    names = [place.tokens[at - 1].text]
    while place.tokens[at].kind == "COMMA" and place.tokens[at + 1].kind in ("NAME", "UNDERSCORE"):
        names.append(place.tokens[at + 1].text)
        at += 2
    place.report.error("E010", "a tuple is taken apart in parentheses", place.span(place.token), "not expected here",
                       help=f"write `let ({', '.join(names)}) = …`")
    return True


def _array_type(place: Place) -> bool:
    """`[f64]`"""
    at = place.at
    if at < 3 or [token.kind for token in place.tokens[at - 3:at]] != ["LSQB", "NAME", "RSQB"]:
        return False
    name = place.tokens[at - 2].text
    if name not in _SCALARS or place.kinds.isdisjoint(("QUALIFIER", "STAR")):
        return False
    place.report.error("E010", "the brackets of an array's type hold its size", place.span(place.tokens[at - 2]),
                       "this is a type", help=f"write `[]{name}`, or `[n]{name}` with the size `n`")
    return True


def _symbols(place: Place) -> bool:
    """Things that stand where an expression is expected."""
    token, before = place.token, place.before
    said = {"VBAR": ("there are no bars around an absolute value", "write `abs x`"),
            "TILDE": ("negation is written `!`", "write `!x`")}.get(token.kind)
    if token.kind == "STRING" and before is not None and before.kind == "LBRACE":
        said = ("a record has names, not strings", "write `{name = value}`")
    if token.kind == "ELLIPSIS" and before is not None and before.kind in ("INDEX", "COMMA"):
        said = ("an index says something of each axis", "write one `:` for each axis that stays: `x[:, 0]`")
    if said is None or (token.kind in ("VBAR", "TILDE") and not {"INT", "IF"} <= place.kinds):
        return False
    place.report.error("E010", said[0], place.span(token), "not expected here", help=said[1])
    return True


RULES: tuple[Callable[[Place], bool], ...] = (
    _import, _header, _for, _if, _named_argument, _assignment, _unpacked, _array_type, _symbols)
