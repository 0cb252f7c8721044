"""Whatever the text: diagnostics and nothing else, soon, and again the same."""
from __future__ import annotations

import re
import time

from dad.lang.diagnostics.codes import CODES
from dad.lang.diagnostics.render import render_concise, render_full, render_json
from dad.lang.diagnostics.report import Diagnostic, Reporter
from dad.lang.source import Source
from dad.lang.surface.lexer import tokenize
from dad.lang.surface.parser import parse, parse_expression, parse_type
from dad.lang.surface.show import show_ast, show_tokens
from dad.lang.surface.walk import descendants
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PROGRAM = """\
-- | A program that uses most of the language.
import "lib/vectors"
type state [n] 'a = {pos: [n]a, vel: [n]a, kind: #free | #fixed f64}

-- | Sum of squares.
#[inline]
def energy [n] 'a: float (k: a{>0}) (s: state [n] a) : a @ smooth(s) =
  let {pos, vel = v, kind = _} = s
  let half (x: a) : a = x / 2
  in k * sum (map (\\x -> x ** 2) pos) + half (sum [w * w for w in v])

entry run [n] (p: param [n]f64) (xs: data [n][3]f64{0..1}) (steps: i64) : [n]f64 =
  let out = replicate n 0.0
  let (out, _) = loop (acc, i) = (out, 0i64) while i < steps && !(acc[0] > 1e-3) do
    let acc[i %% n] = if p[i] == 0 then -xs[i, 1] else xs[i][2] |> f64.sin
    in (acc with [0] = 1_000, i + 1)
  in match xs[0, :] case (0, #none) -> out case _ -> (out :> [n]f64) @ C1
"""
CHARACTERS = st.characters(codec=None) | st.sampled_from(
    "()[]{}'\"`\\#-+*/=<>!|&^.,:;@?_ \n\t0129afxXeE\0\r\ufeff\u202e\ud800")
WORDS = """
    def entry type let in if then else loop for while do match case with import open local module val assert true false
    x y f n M.x f64 i64 'a 'b: ( ) [ ] { } , : :> . .. ... ..< = == -> - + * ** < > <= >= && || |> <| | ^ ! \\ @ #a
    #[inline] ??? 1 2.5 0x1f 1e5 1f32 'c' "s" `f` param data _ ? ?[k]. -- /* // x[ )[ .0 .y"""
TOKENS = st.sampled_from(["-- |", "\n", "\n\n", *WORDS.split()])
PIECES = [piece for piece in re.split(r"(\s+|\b)", PROGRAM) if piece]


def examined(text: str) -> list[Diagnostic]:
    """Parses and shows the text in all ways; what must hold for any text is asserted here."""
    source, report = Source("any.dad", text), Reporter()
    start = time.process_time()
    program = parse(source, report)
    assert time.process_time() - start < 2.0
    for node in descendants(program):
        assert 0 <= node.span.start <= node.span.end <= len(text)
    for found in report.diagnostics:
        assert found.code in CODES
        assert found.span is not None
        for label in found.labels:
            assert 0 <= label.span.start <= label.span.end <= len(text)
    for told in (render_full(report.diagnostics), render_concise(report.diagnostics), render_json(report.diagnostics),
                 show_ast(program), show_tokens(source)):
        assert all(c.isprintable() or c == "\n" for c in told)
    again = Reporter()
    assert show_ast(parse(Source("any.dad", text), again)) == show_ast(program)
    assert [str(each.message) for each in again.diagnostics] == [str(each.message) for each in report.diagnostics]
    return report.diagnostics


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(CHARACTERS, max_size=200))
def test_any_text(text: str) -> None:
    examined(text)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(TOKENS, max_size=40))
def test_any_tokens(tokens: list[str]) -> None:
    examined(" ".join(tokens))
    examined("def f = " + "".join(tokens))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(TOKENS, max_size=20))
def test_any_bare_tokens(tokens: list[str]) -> None:
    for read in (parse_expression, parse_type):
        report = Reporter()
        made = read(Source("any.dad", " ".join(tokens)), report)
        assert (made is not None) or report.failed or "--" in "".join(tokens)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_broken_programs(data: st.DataObject) -> None:
    pieces = list(PIECES)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(pieces) - 1))
        action = data.draw(st.integers(0, 3))
        if action == 0:
            del pieces[at]
        elif action == 1:
            pieces.insert(at, data.draw(TOKENS))
        elif action == 2:
            pieces[at] = data.draw(st.sampled_from(PIECES))
        else:
            pieces[at:at] = pieces[at:at + data.draw(st.integers(1, 30))]
    examined("".join(pieces))


def test_the_program_itself_is_fine() -> None:
    assert examined(PROGRAM) == []


def test_every_prefix() -> None:
    for end in range(0, len(PROGRAM), 3):
        examined(PROGRAM[:end])


def test_tokens_cover_the_text() -> None:
    """Between tokens stand only blanks and comments, and each token's text is what its place says."""
    tokens = tokenize(Source("any.dad", PROGRAM), Reporter())
    end = 0
    for token in tokens:
        assert not PROGRAM[end:token.start].strip() or PROGRAM[end:token.start].lstrip().startswith("--")
        assert PROGRAM[token.start:token.end] == token.text
        end = token.end


def test_shown_tokens_and_trees() -> None:
    source = Source("t.dad", "def f x = x.y")
    assert show_tokens(source).split("\n") == [
        "1:1 DEF def", "1:5 NAME f", "1:7 NAME x", "1:9 EQUAL =", "1:11 NAME x", "1:12 DOT .", "1:13 NAME y"]
    assert show_ast(parse(source, Reporter())) == """\
Program
  declarations: Def kind='def' name='f'
    params: PName name='x'
    body: Field name='y'
      record: Name name='x'"""


def test_long_programs_do_not_recurse() -> None:
    program = parse(Source("t.dad", "def f a = " + "+".join(["a"] * 20_000)), Reporter())
    assert sum(1 for _ in descendants(program)) > 40_000
    assert show_ast(program).count("BinOp") == 19_999
