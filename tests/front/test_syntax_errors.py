"""What a person reads who made a mistake: code, sentence, place and next step."""
from __future__ import annotations

import pytest
from dad.lang.diagnostics.render import render_full
from dad.lang.diagnostics.report import Diagnostic, Reporter
from dad.lang.source import Source
from dad.lang.surface.parser import parse, parse_expression, parse_type


def mistakes(text: str) -> list[Diagnostic]:
    report = Reporter()
    parse(Source("t.dad", text), report)
    return report.diagnostics


# text, code, message, what the first label stands under, a part of the help
SLIPS = [
    ("def f (x: f64) = if x = 0 then 1 else x", "E014", "`=` does not compare", "=", "equality is `==`"),
    ("def f x =\n  a = 3\n  in a", "E014", "to give the name `a` to a value, write `let`", "=", "let a"),
    ("def g x = x\nh y = y + 1\ndef k = 2", "E014", "a definition of `h` begins with `def`", "h", "def h"),
    ("def f x = x := 3", "E015", "there is no assignment `:=`", ":=", "let name"),
    ("def f (x: f64) =\n  let y = x * x", "E012", "this `let` has no body", "let", "add `in`"),
    ("def f x =\n  let y = x * x\n  y + 1", "E012", "`in` is missing before the body of this `let`", "y",
     "write `in y"),
    ("def f x = (let y = 3)", "E012", "this `let` has no body", "let", "add `in`"),
    ("def f x = let y = 1, z = 2 in y", "E012", "one `let` gives one name", ",", "let a = 1 let b = 2"),
    ("def f x = x in y", "E012", "this `in` belongs to no `let`", "in", "remove it"),
    ("def f x = if x > 0 then 1", "E013", "`if` without `else`", "1", "if c then a else b"),
    ("def f x = (if x > 0 then 1)", "E013", "`if` without `else`", ")", "if c then a else b"),
    ("def f x = if x > 0: 1 else: 2", "E013", "`if` without `then`", ":", "if c then a else b"),
    ("def f x = if x > 0 { 1 } else { 2 }", "E013", "`if` without `then`", None, "if c then a else b"),
    ("def f x = 1 else 3", "E013", "this `else` belongs to no `if`", "else", "if c then a else b"),
    ("def f x = if x > 0 then 1 elif x < 3 then 2 else 3", "E015", "`elif` is no word of Dad", "elif", "else if"),
    ("def f x = lambda y: x + y", "E015", "`lambda` is no word of Dad", "lambda", "\\x -> …"),
    ("def f (x: f64) { return x }", "E015", "`return` is no word of Dad", "return", "after `=`"),
    ("def f x = \\y => y", "E015", "arrows are written `->`", "=>", "`->`"),
    ("def f x = x ? 1 : 2", "E015", "there is no `? :`", "?", "if c then a else b"),
    ("def f x = map (y -> y + 1) x", "E010", "unexpected `->`", "->", "\\x -> …"),
    ("def f x = match x | 1 -> 2 | _ -> 3", "E010", "each case of a `match` begins with `case`", "->", "case p"),
    ("def f n = loop x = 1 for i < n x * 2", "E017", "`loop` without `do`", "2", "for i < n do"),
    ("def f n = loop x = 1 while x < 10\n  x * 2", "E017", "`loop` without `do`", "x", "for i < n do"),
    ("def f n = for i < n do x", "E017", "`for` belongs to a `loop`", "for", "loop x = start for"),
    ("def f (x: f64 = x + 1", "E011", "`)` is missing before `=`", "=", "add `)`"),
    ("def f x = (x + 1", "E011", "`(` is never closed", "(", "add `)`"),
    ("def f x = [x + 1)", "E011", "`[` is closed by `)`", ")", "write `]`"),
    ("def f x = x + 1)", "E011", "`)` closes nothing", ")", "remove it"),
    ("module M = { def x = 1", "E011", "`{` is never closed", "{", "add `}`"),
    ("// hello\ndef f x = x", "E016", "comments begin with `--`, not with `//`", "//", "`--`"),
    ("def f x = x\n// hello, there\ndef g = 2", "E016", "comments begin with `--`, not with `//`", "//", "`--`"),
    ("def f x = x /* why */ + 1)", "E016", "comments begin with `--`, not with `/*`", "/*", "`--`"),
    ("# hello\ndef f x = x", "E016", "comments begin with `--`, not with `#`", "# hello", "`--`"),
    ("def f x = x +", "E010", "an expression expected, but the declaration ends", "+", None),
    ("def let x = 3", "E010", "`let` is a word of the language and cannot be a name", "let", "let_"),
    ("def f (match: f64) = 2", "E010", "`match` is a word of the language and cannot be a name", "match", "match_"),
    ("def f x =\n  let val = x\n  in val + 1", "E010", "`val` is a word of the language and cannot be a name", "val",
     "val_"),
    ("def f x =\n  let module = x\n  let def = 3\n  in module * def + open", "E010",
     "`module` is a word of the language and cannot be a name", "module", "module_"),
    ("def f x = x * type", "E010", "`type` is a word of the language and cannot be a name", "type", "type_"),
    ("def f (include: f64) = include", "E010", "`include` is a word of the language and cannot be a name", "include",
     "include_"),
    ("def f = {open = 1}", "E010", "`open` is a word of the language and cannot be a name", "open", "open_"),
    ("def f (val: f64) = val", "E010", "`val` is a word of the language and cannot be a name", "val", "val_"),
    ("type r = {\n  x: f64,\n  type: i64}", "E010",
     "`type` is a word of the language and cannot be a name", "type", "type_"),
    ("def f (r: r) = r.def + 1", "E010", "`def` is a word of the language and cannot be a name", "def", "def_"),
    ("def f (loop: f64) = 2", "E010", "`loop` is a word of the language and cannot be a name", "loop", "loop_"),
    ("def entry = 3", "E010", "`entry` is a word of the language and cannot be a name", "entry", "entry_"),
    ("def f x = x\ndef = 3", "E010", "a name expected, but found `=`", "=", "def name"),
    ("def f x = 'abc'", "E010", "strings are written with double quotes", "'abc'", '"abc"'),
    ("def f x = [1, 2,, 3]", "E010", "`]` or an expression expected, but found `,`", ",", "remove one"),
    ("def f (x: ) = 3", "E010", "a type expected, but found `)`", ")", None),
    ("def f x = {a = 1, b: 2}", "E010", None, ":", "{name = value}"),
    ("type t = {a: f64, b}", "E010", "`:` expected, but found `}`", "}", "{name: type}"),
    ("import prelude", "E010", "an import names a file, as a string", "prelude", 'import "prelude"'),
    ("def ", "E010", "a name expected, but the declaration ends", "def", "def name"),
    ("def f x = 0..1", "E010", "a range needs an end", "..", "a..<b"),
    ("def f x = 0 < x < 1", "E019", "comparisons cannot be chained: `<` is followed by `<`", "<", "a < b && b < c"),
    ("def f x = 0..<2..<3", "E019", "this range has too many ends", "..<", None),
    ("#[fast]\ndef f x = x", "E020", "there is no attribute `fast`", "#[fast]", "inline"),
    ("def f x : f64 @ C9 = x", "E021", "there is no grade `C9`", "C9", "lip"),
    ("def f 'a: real (x: a) = x", "E022", "there is no constraint `real`", "real", "`num`"),
    ("fn f (x) = 3", "E023", "a declaration is expected here, not `fn`", "fn", "`def`"),
    ("1 + 2", "E023", "a declaration is expected here, not `1`", "1", "def name"),
    ("def f = (M x).(x + 1)", "E010", None, "(M x)", "remove the dot"),
    ("def f {x = a, x = b} = a", "E209", "field `x` is matched twice", "b", "remove one"),
    # lexical
    ("def f x = x $ y", "E001", "`$` (U+0024) means nothing in Dad", "$", "parentheses"),
    ("def f x = x × y", "E001", "`×` (U+00D7) means nothing in Dad", "×", "*"),
    ("def f x = x;", "E001", "`;` (U+003B) means nothing in Dad", ";", "let a"),
    ('def f x = "abc', "E002", "this string does not end", '"abc', "close it"),
    ("def f x = 1.", "E003", "a fraction needs a digit after its point: `1.`", "1.", "`1.0`"),
    ("def f = 12abc", "E003", "`12abc` is not a number", "12abc", "write `12 * abc`"),
    ("def f = 0x", "E003", "`0x` is not a number", "0x", "1_000"),
    ("def f = 1.5f", "E003", "`1.5f` is not a number", "1.5f", "`1.5f32`"),
    ("def f = 1.e5", "E003", "a fraction needs a digit after its point: `1.e5`", "1.e5", "`1.0e5`"),
    ("def f = 1 -- \u202e", "E004", "invisible control character U+202E in the text", "\u202e", "delete"),
    ("def f = \ud800", "E004", "invisible unpaired surrogate U+D800 in the text", "\ud800", "delete"),
    ("def f = 1\0", "E004", "invisible control character U+0000 in the text", "\0", "delete"),
    ("def f = 1 -- a\rdef g = 2", "E004", "invisible control character U+000D in the text", "\r", "delete"),
    ("def σ = 1", "E005", "the name `σ` has letters outside ASCII", "σ", "spell"),
    ("def naïve' = 1", "E005", "the name `naïve'` has letters outside ASCII", "naïve'", "spell"),
    ("def f = " + "9" * 401, "E008", "this number has 401 characters; 400 are the limit", "9" * 40, None),
    ('def f = "a\\q"', "E009", "unknown escape `\\q`", "\\q", "\\n"),
    ("def f = 1.5f80", "E018", "there is no number type `f80`", "1.5f80", "f64"),
    ("def f = 1i63", "E018", "there is no number type `i63`", "1i63", "i64"),
    ("def f = 1e999", "E024", "the number 1e999 is beyond the range of f64", "1e999", "inf"),
    ("def f = " + "(" * 300 + "1" + ")" * 300, "E007", "this is nested more than 256 levels deep", None, "let"),
    ("def f a = " + "- " * 3000 + "a", "E007", "this is nested more than 256 levels deep", None, "let"),
    ("def f a = " + " <| ".join(["a"] * 300), "E007", "this is nested more than 256 levels deep", None, "let"),
]


@pytest.mark.parametrize(("text", "code", "message", "under", "help"), SLIPS,
                         ids=[f"{s[1]} {s[0][:30]!a}" for s in SLIPS])
def test_slips(text: str, code: str, message: str | None, under: str | None, help: str | None) -> None:
    first = mistakes(text)[0]
    assert (first.code, first.message if message else None) == (code, message)
    assert first.span is not None
    if under is not None:
        assert first.span.text == under
    if help is not None:
        assert help in (first.help or "")


@pytest.mark.parametrize("text", [s[0] for s in SLIPS if s[1] not in ("E001", "E002", "E003", "E004")])
def test_one_mistake_is_told_once(text: str) -> None:
    assert len(mistakes(text)) == 1


def test_both_places_are_shown() -> None:
    assert render_full(mistakes("def f (x: f64) =\n  sum [x for i < 3\n  + 1")) == """\
error[E011]: `[` is never closed
  --> t.dad:2:7
   |
 2 |   sum [x for i < 3
   |       ^ opened here
 3 |   + 1
   |     - the declaration ends here without `]`
   |
   = help: add `]`"""
    assert render_full(mistakes("def f x =\n  if x > 0 then 1\n\ndef g = 2")) == """\
error[E013]: `if` without `else`
  --> t.dad:2:17
   |
 2 |   if x > 0 then 1
   |   --            ^ the declaration ends here without `else`
   |   |
   |   this `if`
   |
   = help: an `if` has a value in both cases: `if c then a else b`"""


def test_limits() -> None:
    assert [d.code for d in mistakes("x" * 4_000_001)] == ["E006"]
    assert [d.code for d in mistakes("def f a = " + "(" * 200 + "1" + ")" * 200)] == []
    assert [d.code for d in mistakes("def f a = " + "+".join(["a"] * 50_000))] == []
    assert [d.code for d in mistakes("def f a = " + "\n".join(f"let x{i} = a" for i in range(5000)) + " in a")] == []
    assert [d.code for d in mistakes("def f a = a" + " with [0] = 1" * 300)] == ["E007"]


def test_floods_are_cut_off() -> None:
    for text in ("€" * 100_000, "\x01" * 100_000, "def " * 100_000, "`" * 10_000):
        assert 0 < len(mistakes(text)) <= 101


def test_bare_expressions_and_types() -> None:
    for read, text in ((parse_expression, "1 +"), (parse_expression, ""), (parse_type, "[n"), (parse_type, "1")):
        report = Reporter()
        assert read(Source("t.dad", text), report) is None
        assert len(report.diagnostics) == 1
