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
    """`def f(x):` and the body on the next line; other heads of definitions."""
    if place.tokens[0].kind not in ("DEF", "ENTRY"):
        return False
    if [token.kind for token in place.tokens[1:4:2]] == ["LPAR", "COLON"]:
        place.report.error("E010", "this definition has no name", place.span(place.tokens[1]),
                           "a name is expected here", help=f"write `{place.tokens[0].text} name (x: f64) = …`")
        return True
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
                continue
            place.report.error("E010", "the body of a definition follows `=`, not `:`", place.span(token),
                               "read as the beginning of the result's type",
                               help=f"write `{place.tokens[0].text} {place.tokens[1].text} (x: f64) = …`")
            return True
    return not depth and place.at > 1 and _head(place)


def _told(place: Place, token: Token, said: tuple[str, str, str] | None) -> bool:
    """Reports what is wrong, what stands there and what to write, if that is known."""
    if said is None:
        return False
    place.report.error("E010", said[0], place.span(token), said[1], help=said[2])
    return True


def _head(place: Place) -> bool:
    """What does not fit between the name of a definition and its `=`."""
    token, word, name = place.token, place.tokens[0].text, place.tokens[1].text
    said = None
    if token.kind == "ARROW" and "COLON" in place.kinds:
        said = "the type of the result follows a colon", "not an arrow", f"write `{word} {name} … : f64 = …`"
    elif place.tokens[2].kind == "LESSTHAN":
        token = place.tokens[2]
        said = "parameters for types have a quote, and no brackets", "read as an operator", \
            f"write `{word} {name} 'a (x: a) : a = …`"
    elif "EQUAL" in place.kinds and place.at > 2 and not place.ended:
        body = next((each for each in place.tokens[2:place.at + 1] if place.first_on_line(each)), None)
        if body is not None:
            token = body
            said = ("`=` is missing before the body of this definition", "`=` expected before this",
                    "write `=` behind the head")
    return _told(place, token, said)


def _match(place: Place) -> bool:
    """`match x with | p -> e`, `match x { p => e }`, `case x of`."""
    token = place.token
    if place.at > 1 and place.tokens[place.at - 2].kind == "CASE" and place.tokens[place.at - 1].kind == "NAME" \
            and token.kind in ("NAME", "UNDERSCORE", "LPAR", "INT"):
        name = place.tokens[place.at - 1]
        place.report.error("E010", "constructors begin with `#`", place.span(name), "read as a name",
                           help=f"write `case #{name.text} …`")
        return True
    if token.kind == "CASE" and "MATCH" in place.kinds:
        place.report.error("E010", "cases follow a `match`", place.span(token), "no `match` before it",
                           help="write `match e case p -> …`")
        return True
    for at in range(place.at, -1, -1):
        if place.tokens[at].kind == "CASE":
            return False
        if place.tokens[at].kind == "MATCH":
            break
    else:
        return False
    opened = next((each for each in place.tokens[at + 1:place.at + 1] if each.kind in ("WITH", "LBRACE")), None)
    if opened is None or not (token.text in ("=>", "->") or token.kind == "VBAR" or token is opened):
        return False
    place.report.error("E010", "each case of a `match` begins with `case`", place.span(opened), "the cases follow here",
                       others=[(place.span(place.tokens[at]), "this `match`")], help="write `match e case p -> …`")
    return True


def _type(place: Place) -> bool:
    """Types of other languages."""
    token, before = place.token, place.before
    opener = place.openers[-1] if place.openers else None
    kinds = [each.kind for each in place.tokens[:place.at]]
    said = None
    if token.kind == "VBAR" and place.tokens[0].kind == "TYPE" and before is not None:
        token = next((each for each in place.tokens[3:] if each.kind == "NAME"), token)
        said = "constructors begin with `#`", "this name", f"write `#{token.text} … | …`"
    elif token.kind in ("LESSTHAN", "REL") and kinds[-2:] in (["COLON", "NAME"], ["ARROW", "NAME"]) \
            and "OP" not in place.kinds:
        said = ("types take no `<…>`", "not expected here",
                "an array is `[n]f64`; arguments of other types follow them, as in `pair f64`")
    elif token.kind == "COMMA" and opener is not None and opener.kind == "LBRACE" and any(
            each is opener and place.tokens[k - 1].text in _SCALARS for k, each in enumerate(place.tokens)):
        said = "a refinement is one bound or a range", "a second one cannot follow", \
            "write `f64{>0}`, `f64{>=0}` or `f64{0..1}`"
    elif kinds[-1:] == ["RSQB"] and {"QUALIFIER", "STAR"} <= place.kinds and "OP" not in place.kinds:
        said = "the type of the elements is missing", "expected before this", "write `[n]f64`"
    return _told(place, token, said)


def _record(place: Place) -> bool:
    """`{r with a = 1}`, `{let x = 1}`"""
    token = place.token
    opener = place.openers[-1] if place.openers else None
    if opener is None or opener.kind != "LBRACE":
        return False
    before = place.tokens[place.at - 1]
    if token.kind in ("WITH", "VBAR") and place.tokens[place.at - 2] is opener and before.kind == "NAME":
        said = "a record is changed without braces", f"write `{before.text} with field = value`"
    elif token.kind in ("LET", "IF", "LOOP", "MATCH", "FOR") and before is opener:
        said = "braces hold the fields of a record", f"write `{token.text} …` without braces"
    else:
        return False
    place.report.error("E010", said[0], place.span(token), "not expected here", help=said[1])
    return True


def _module(place: Place) -> bool:
    """`module M = struct … end`"""
    word = next((each for each in place.tokens[place.at - 1:place.at + 1] if each.text in ("struct", "sig")), None)
    if place.tokens[0].kind != "MODULE" or word is None:
        return False
    place.report.error("E010", "the declarations of a module stand in braces", place.span(word), "no word begins them",
                       help="write `module M = { … }`")
    return True


def _for(place: Place) -> bool:
    """A `for` that begins a statement, and a generator."""
    if place.token.kind == "EQUAL" and {"IN", "LESSTHAN"} <= place.kinds:
        place.report.error("E010", "an index goes below a number, an element through an array",
                           place.span(place.token), "not expected here", help="write `for i < n` or `for x in xs`")
        return True
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
    if not place.first_on_line(place.token) and "OP" in place.kinds:
        place.report.error("E010", "a comprehension stands in brackets", place.span(place.token),
                           "`[` … `]` are missing", help="write `[x * x for x in xs]`")
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
    """`let a, b = x`, `\\a, b -> x`, `= a, b`"""
    at = place.at
    if place.token.kind == "COMMA" and {"ARROW", "UNDERSCORE"} <= place.kinds:
        place.report.error("E010", "parameters stand one after the other", place.span(place.token),
                           "no comma between them", help="write `\\x y -> …`; of a pair `\\(x, y) -> …`")
        return True
    if place.token.kind == "COMMA" and not place.openers and {"$END", "OP"} <= place.kinds:
        place.report.error("E010", "a tuple stands in parentheses", place.span(place.token), "not expected here",
                           help="write `(a, b)`")
        return True
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
    said = {"VBAR": ("there are no bars around an absolute value, nor around parameters",
                     "write `abs x`; an anonymous function is written `\\x -> …`"),
            "TILDE": ("negation is written `!`", "write `!x`")}.get(token.kind)
    if token.kind == "STRING" and before is not None and before.kind == "LBRACE":
        said = ("a record has names, not strings", "write `{name = value}`")
    if token.kind == "ELLIPSIS" and before is not None and before.kind in ("INDEX", "COMMA"):
        said = ("an index says something of each axis", "write one `:` for each axis that stays: `x[:, 0]`")
    if token.kind == "LSQB" and before is not None and before.kind == "DOT":
        said = ("an element is taken without a dot", "write `xs[i]`")
    if token.kind == "DOT" and place.tokens[place.at + 1].kind in ("NAT", "INT") and "INT" in place.kinds:
        said = ("a fraction needs a digit before its point", f"write `0.{place.tokens[place.at + 1].text}`")
    if place.ended and before is not None and before.text in ("++", "--"):
        token, said = before, ("values never change", "write `x + 1`, and give it a name with `let`")
    if said is None or (token.kind in ("VBAR", "TILDE") and not {"INT", "IF"} <= place.kinds):
        return False
    return _told(place, token, (said[0], "not expected here", said[1]))


RULES: tuple[Callable[[Place], bool], ...] = (
    _import, _header, _match, _array_type, _type, _record, _module, _for, _if, _named_argument, _assignment, _unpacked,
    _symbols)
