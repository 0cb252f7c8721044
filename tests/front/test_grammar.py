"""What parses, and to which tree: every construct of the language once, and the precedences that people rely on.

`brief` writes a tree with all its parentheses; the tables below say which text becomes which tree.
"""
from __future__ import annotations

import pytest
from dad.lang.diagnostics.report import Reporter
from dad.lang.source import Source
from dad.lang.surface import ast
from dad.lang.surface.lexer import tokenize
from dad.lang.surface.parser import parse, parse_declaration, parse_expression, parse_signature, parse_type


def program(text: str) -> ast.Program:
    """The tree of a file that must parse without a word."""
    report = Reporter()
    made = parse(Source("t.dad", text), report)
    assert report.diagnostics == []
    return made


def definition(text: str) -> ast.Def:
    made = program(text).declarations[-1]
    assert isinstance(made, ast.Def)
    return made


def expression(text: str) -> ast.Exp:
    report = Reporter()
    made = parse_expression(Source("t.dad", text), report)
    assert report.diagnostics == []
    assert made is not None
    return made


def index(node: ast.Exp | ast.Slice) -> str:
    if not isinstance(node, ast.Slice):
        return brief(node)
    parts = [brief(part) if part is not None else "" for part in (node.start, node.stop, node.step)]
    return ":".join(parts)


def pattern(node: ast.Pattern) -> str:
    match node:
        case ast.PName(_, name):
            return name
        case ast.PWild():
            return "_"
        case ast.PTuple(_, items):
            return "(" + ", ".join(map(pattern, items)) + ")"
        case ast.PRecord(_, fields):
            return "{" + ", ".join(f"{name} = {pattern(p)}" for name, p in fields) + "}"
        case ast.PLit(_, value):
            return brief(value)
        case ast.PConstr(_, name, arguments):
            return f"#{name}" + "".join(" " + pattern(each) for each in arguments)
        case ast.PAscribe(_, inner, type):
            return f"({pattern(inner)} : {typ(type)})"


def typ(node: ast.TypeExp | ast.TSizeArg) -> str:
    match node:
        case ast.TName(_, name, qualifier, arguments):
            return ".".join((*qualifier, name)) + "".join(f" {typ(each)}" for each in arguments)
        case ast.TSizeArg(_, size):
            return f"[{brief(size) if size is not None else ''}]"
        case ast.TVar(_, name):
            return f"'{name}"
        case ast.TArray(_, size, element):
            return f"[{brief(size) if size is not None else ''}]({typ(element)})"
        case ast.TTuple(_, items):
            return "(" + ", ".join(map(typ, items)) + ")"
        case ast.TRecord(_, fields):
            return "{" + ", ".join(f"{name}: {typ(each)}" for name, each in fields) + "}"
        case ast.TFun(_, name, param, result):
            return f"({f'{name}: ' if name else ''}{typ(param)} -> {typ(result)})"
        case ast.TSum(_, constructors):
            return " | ".join(f"#{name}" + "".join(f" {typ(each)}" for each in types) for name, types in constructors)
        case ast.TExists(_, sizes, body):
            return "?" + "".join(f"[{size.name}]" for size in sizes) + f".{typ(body)}"
        case ast.TUnique(_, inner):
            return f"*{typ(inner)}"
        case ast.TRefined(_, inner, op, bounds):
            return f"{typ(inner)}{{{'..'.join(map(brief, bounds)) if op == '..' else op + brief(bounds[0])}}}"
        case ast.TGraded(_, inner, grades):
            return f"({' @ '.join([typ(inner), *map(grade, grades)])})"
        case ast.TQualified(_, activity, inner):
            return f"{activity} {typ(inner)}"


def brief(node: ast.Exp) -> str:
    """The tree as text with all parentheses."""
    match node:
        case ast.Lit(_, value, suffix):
            return (str(value).lower() if isinstance(value, bool) else repr(value)) + (suffix or "")
        case ast.Text(_, text):
            return repr(text)
        case ast.Name(_, name, qualifier):
            return "::".join((*qualifier, name))
        case ast.Hole():
            return "???"
        case ast.TupleExp(_, items):
            return "(" + ", ".join(map(brief, items)) + ")"
        case ast.RecordExp(_, fields):
            return "{" + ", ".join(f"{name} = {brief(each)}" for name, each in fields) + "}"
        case ast.ArrayLit(_, items):
            return "[" + ", ".join(map(brief, items)) + "]"
        case ast.Comprehension(_, body, clauses):
            return f"[{brief(body)} for {', '.join(map(clause, clauses))}]"
        case ast.Apply(_, function, arguments):
            return "(" + " ".join(map(brief, (function, *arguments))) + ")"
        case ast.BinOp(_, op, _, left, right):
            return f"({brief(left)} {op} {brief(right)})"
        case ast.UnOp(_, op, operand):
            return f"({op}{brief(operand)})"
        case ast.OpSection(_, op, left, right):
            return f"({brief(left) + ' ' if left else ''}{op}{' ' + brief(right) if right else ''})"
        case ast.FieldSection(_, path):
            return f"(.{'.'.join(path)})"
        case ast.IndexSection(_, indices):
            return f"(.[{', '.join(map(index, indices))}])"
        case ast.Lambda(_, params, result, body):
            ascribed = f" : {typ(result)}" if result else ""
            return f"(\\{' '.join(map(pattern, params))}{ascribed} -> {brief(body)})"
        case ast.LetPat(_, sizes, bound, value, body):
            opened = "".join(f"[{size.name}] " for size in sizes)
            return f"let {opened}{pattern(bound)} = {brief(value)} in {brief(body)}"
        case ast.LetFun(_, name, _, sizes, types, params, result, value, body):
            header = [name, *(f"[{s.name}]" for s in sizes), *(f"'{t.name}" for t in types), *map(pattern, params)]
            return f"let {' '.join(header)}{f' : {typ(result)}' if result else ''} = {brief(value)} in {brief(body)}"
        case ast.LetUpdate(_, name, indices, value, body):
            return f"let {name.name}[{', '.join(map(index, indices))}] = {brief(value)} in {brief(body)}"
        case ast.If(_, condition, then, orelse):
            return f"(if {brief(condition)} then {brief(then)} else {brief(orelse)})"
        case ast.Match(_, scrutinee, cases):
            return f"(match {brief(scrutinee)}" + "".join(
                f" case {pattern(each.pattern)} -> {brief(each.body)}" for each in cases) + ")"
        case ast.Loop(_, sizes, bound, init, form, body):
            opened = "".join(f"[{size.name}] " for size in sizes)
            start = f" = {brief(init)}" if init else ""
            return f"(loop {opened}{pattern(bound)}{start} {clause(form)} do {brief(body)})"
        case ast.Index(_, array, indices):
            return f"{brief(array)}[{', '.join(map(index, indices))}]"
        case ast.Field(_, record, name, _):
            return f"{brief(record)}.{name}"
        case ast.Update(_, base, indices, value):
            return f"({brief(base)} with [{', '.join(map(index, indices))}] = {brief(value)})"
        case ast.RecordUpdate(_, base, path, value):
            return f"({brief(base)} with {'.'.join(path)} = {brief(value)})"
        case ast.Ascribe(_, operand, type):
            return f"({brief(operand)} : {typ(type)})"
        case ast.Coerce(_, operand, type):
            return f"({brief(operand)} :> {typ(type)})"
        case ast.GradeAscribe(_, operand, grades):
            return f"({brief(operand)} @ {', '.join(map(grade, grades))})"
        case ast.Assume(_, said, _, reason, body):
            return f"(assume {grade(said)} {reason!r} in {brief(body)})"
        case ast.Range(_, start, second, end, kind):
            return f"({brief(start)}{'..' + brief(second) if second else ''}{kind}{brief(end)})"
        case ast.Constr(_, name, arguments):
            return "(" + " ".join([f"#{name}", *map(brief, arguments)]) + ")" if arguments else f"#{name}"
        case ast.Assert(_, condition, body):
            return f"(assert {brief(condition)} {brief(body)})"
        case ast.LocalOpen(_, opened, body):
            return f"{'.'.join((*opened.qualifier, opened.name))}.({brief(body)})"
        case ast.Attributed(_, attribute, operand):
            return f"(#[{attribute.text}] {brief(operand)})"


def clause(node: ast.ForBelow | ast.ForIn | ast.While) -> str:
    match node:
        case ast.ForBelow(_, name, bound):
            return f"{name} < {brief(bound)}"
        case ast.ForIn(_, bound, array):
            return f"{pattern(bound)} in {brief(array)}"
        case ast.While(_, condition):
            return f"while {brief(condition)}"


def grade(node: ast.Grade) -> str:
    said = [*node.params, *([] if node.tolerance is None else [str(node.tolerance)]),
            *([] if node.reason is None else [repr(node.reason)])]
    of = f" in {', '.join(n.name for n in node.of)}" if node.of else ""
    return node.name + (f"({', '.join(said)}{of})" if said else "")


@pytest.mark.parametrize(("text", "tree"), [
    # precedences, lowest to highest, and associativity
    ("a + b * c - d", "((a + (b * c)) - d)"),
    ("a ** b ** c", "((a ** b) ** c)"),
    ("a * b ** c", "(a * (b ** c))"),
    ("a << b + c", "(a << (b + c))"),
    ("a & b << c", "(a & (b << c))"),
    ("a == b & c", "(a == (b & c))"),
    ("a && b == c || d", "((a && (b == c)) || d)"),
    ("x |> f |> g", "((x |> f) |> g)"),
    ("f <| g <| x", "(f <| (g <| x))"),
    ("x |> f <| y", "(x |> (f <| y))"),
    ("a || b |> f", "((a || b) |> f)"),
    ("f >-> g >-> h", "((f >-> g) >-> h)"),
    ("f >-> g <| x", "((f >-> g) <| x)"),
    ("a +++ b *. c", "(a +++ (b *. c))"),
    ("a `f` b + c", "(a `f` (b + c))"),
    ("a `M.f` b", "(a `M.f` b)"),
    ("a %% b // c", "((a %% b) // c)"),
    # unary operators bind tighter than all others, application tighter still
    ("-x ** 2", "((-x) ** 2)"),
    ("-f x", "(-(f x))"),
    ("f -x", "(f - x)"),
    ("f (-x)", "(f (-x))"),
    ("a - -1", "(a - -1)"),
    ("!a && !b", "((!a) && (!b))"),
    ("-1i8", "-1i8"), ("-(1)", "(-1)"), ("- 2.5", "-2.5"),
    # application, indexing, fields
    ("f x y", "(f x y)"),
    ("f [1, 2]", "(f [1, 2])"),
    ("f xs[0]", "(f xs[0])"),
    ("f [1,2][0]", "(f [1, 2][0])"),
    ("(f x)[1]", "(f x)[1]"),
    ("a[i][j]", "a[i][j]"),
    ("a[i, j]", "a[i, j]"),
    ("a[1:2]", "a[1:2:]"), ("a[:]", "a[::]"), ("a[:, 0]", "a[::, 0]"), ("a[::2]", "a[::2]"), ("a[i:j:-1]", "a[i:j:-1]"),
    ("a[:j]", "a[:j:]"), ("a[i:]", "a[i::]"), ("a[lo:data[i]]", "a[lo:data[i]:]"),
    ("x.0.1", "x.0.1"), ("(f x).y.z[0].w", "(f x).y.z[0].w"), ("xs[i].y[j]", "xs[i].y[j]"),
    ("f64.sin x", "(f64::sin x)"), ("f64.pi", "f64::pi"), ("i64.max a b", "(i64::max a b)"),
    ("m.weight", "m.weight"), ("f x.y", "(f x.y)"),
    # literals
    ("1_000i32", "1000i32"), ("0xff", "255"), ("0b1010u8", "10u8"), ("1e-3", "0.001"), ("2.5f32", "2.5f32"),
    ("1f32", "1.0f32"), ("0x1.8p1", "3.0"), ("0x1.8p1f64", "3.0f64"), ("true", "true"), ("'a'", "97"),
    ('"a\\tb\\u{e9}"', "'a\\tbé'"), ("'\\''", "39"), ("'\\n'", "10"), ("()", "()"), ("???", "???"),
    # tuples, arrays, records, trailing commas
    ("(a, b, c)", "(a, b, c)"), ("(a, b,)", "(a, b)"), ("[a, b,]", "[a, b]"), ("[]", "[]"), ("{}", "{}"),
    ("{x = 1, y}", "{x = 1, y = y}"), ("{x = 1,}", "{x = 1}"), ("[[1, 2], [3, 4]]", "[[1, 2], [3, 4]]"),
    # comprehensions
    ("[x[i] * y[j] for i < n, j < m]", "[(x[i] * y[j]) for i < n, j < m]"),
    ("[x + 1 for x in xs]", "[(x + 1) for x in xs]"),
    ("[a for (a, b) in zip xs ys, i < n + 1]", "[a for (a, b) in (zip xs ys), i < (n + 1)]"),
    ("[let y = x in y for x in xs]", "[let y = x in y for x in xs]"),
    # functions and sections
    ("\\x -> x + 1", "(\\x -> (x + 1))"), ("\\(x, y) _ -> x", "(\\(x, y) _ -> x)"),
    ("\\(x: f64) : f64 -> x", "(\\(x : f64) : f64 -> x)"), ("map (\\x -> x) xs", "(map (\\x -> x) xs)"),
    ("xs |> map \\x -> x", "(xs |> (map (\\x -> x)))"),
    ("f a \\x -> g \\y -> y + 1", "(f a (\\x -> (g (\\y -> (y + 1)))))"),
    ("(+)", "(+)"), ("(-)", "(-)"), ("(1 +)", "(1 +)"), ("(+ 1)", "(+ 1)"), ("(`f` x)", "(`f` x)"), ("(x -)", "(x -)"),
    ("(+ x * 2)", "(+ (x * 2))"), ("(f64.+)", "(f64.+)"), ("(<)", "(<)"), ("(> 0)", "(> 0)"), ("(|)", "(|)"),
    ("(.a.b)", "(.a.b)"), ("(.0)", "(.0)"), ("(.[i, j])", "(.[i, j])"), ("(.[0])", "(.[0])"),
    # let
    ("let x = 1 in x", "let x = 1 in x"),
    ("let x = 1 let y = x in y", "let x = 1 in let y = x in y"),
    ("let (x, _) = p in x", "let (x, _) = p in x"),
    ("let {a, b = (c: f64)} = r in c", "let {a = a, b = (c : f64)} = r in c"),
    ("let x : f64 = 1 in x", "let (x : f64) = 1 in x"),
    ("let [n] (xs: [n]i64) = ys in n", "let [n] (xs : [n](i64)) = ys in n"),
    ("let f x = x in f", "let f x = x in f"),
    ("let f [n] 'a (x: [n]a) : a = x[0] in f", "let f [n] 'a (x : [n](a)) : a = x[0] in f"),
    ("let (<+>) x y = x in 1 <+> 2", "let <+> x y = x in (1 <+> 2)"),
    ("let a[i] = v in a", "let a[i] = v in a"), ("let a[i, 0] = v let b = a in b", "let a[i, 0] = v in let b = a in b"),
    # control
    ("if a then b else c + d", "(if a then b else (c + d))"),
    ("1 + if a then b else c", "(1 + (if a then b else c))"),
    ("if a then b else if c then d else e", "(if a then b else (if c then d else e))"),
    ("match x case 0 -> a case -1 -> b case _ -> c", "(match x case 0 -> a case -1 -> b case _ -> c)"),
    ("match s case #circle r -> r case #rect {w, h} -> w * h",
     "(match s case #circle r -> r case #rect {w = w, h = h} -> (w * h))"),
    ("match x case (a, 'c') -> a case true -> b", "(match x case (a, 99) -> a case true -> b)"),
    ("loop x = 1 for i < n do x * 2", "(loop x = 1 i < n do (x * 2))"),
    ("loop (a, b) = (0, 1) for i < n do (b, a + b)", "(loop (a, b) = (0, 1) i < n do (b, (a + b)))"),
    ("loop acc for x in xs do acc + x", "(loop acc x in xs do (acc + x))"),
    ("loop x = 1 while x < 10 do x * 2", "(loop x = 1 while (x < 10) do (x * 2))"),
    ("loop [k] (xs: [k]i64) = ys for (a, b) in ps do xs", "(loop [k] (xs : [k](i64)) = ys (a, b) in ps do xs)"),
    # updates
    ("a with [i] = v", "(a with [i] = v)"), ("a with [i, j] = v + 1", "(a with [i, j] = (v + 1))"),
    ("a with [0] = 1 with [1] = 2", "((a with [0] = 1) with [1] = 2)"),
    ("r with f.g = v", "(r with f.g = v)"), ("r with 0 = v", "(r with 0 = v)"),
    ("x + a with [i] = v |> f", "((x + a) with [i] = (v |> f))"), ("a with [1:3] = v", "(a with [1:3:] = v)"),
    # ranges
    ("0..<n", "(0..<n)"), ("a...b", "(a...b)"), ("n..>0", "(n..>0)"), ("0..2..<n + 1", "(0..2..<(n + 1))"),
    ("10..9...1", "(10..9...1)"), ("0...-1", "(0...-1)"), ("f (0..<n)", "(f (0..<n))"),
    # types on expressions
    ("x : f64", "(x : f64)"), ("xs :> [n]f64", "(xs :> [n](f64))"),
    ("(if a then b else c) @ C1", "((if a then b else c) @ C1)"),
    ("(e @ C1(x, y))", "(e @ C1(x, y))"), ("x + 1 : f64", "((x + 1) : f64)"),
    # constructors, assertions, attributes
    ("#some 1 x", "(#some 1 x)"), ("#none", "#none"), ("f #none x", "(f #none x)"), ("f (#some x)", "(f (#some x))"),
    ("assert (n > 0) x", "(assert (n > 0) x)"), ("#[unroll] x", "(#[unroll] x)"),
    ("#[incremental_flattening(only_inner)] f x", "(#[incremental_flattening(only_inner)] (f x))"),
    ('assume continuous(k) "tabulated" in k', "(assume continuous(k) 'tabulated' in k)"),
    ('let v = x assume C1(v, x) "so" let y = 2 in y', "let v = x in (assume C1(v, x) 'so' in let y = 2 in y)"),
    ('assume C1(y in x, d) "so" in y', "(assume C1(y in x, d) 'so' in y)"),
    ("assume (continuous k)", "(assume (continuous k))"),
    ('(e) @ C1(x, m.weight) @ approx(1e-8) @ allow(jump, "known")',
     "(((e @ C1(x, m.weight)) @ approx(1e-08)) @ allow(jump, 'known'))"),
    # words that are names elsewhere
    ("param + data * num", "(param + (data * num))"), ("data x", "(data x)"), ("x' + _y", "(x' + _y)"),
    ("a = b", None), ("a b = c", None),
])
def test_expressions(text: str, tree: str | None) -> None:
    if tree is None:
        report = Reporter()
        source = Source("t.dad", text)
        assert (parse_expression(source, report) is None) == report.failed
    else:
        assert brief(expression(text)) == tree


@pytest.mark.parametrize(("text", "tree"), [
    ("f64", "f64"), ("[n]f64", "[n](f64)"), ("[n][m]f64", "[n]([m](f64))"), ("[]f64", "[](f64)"),
    ("[n+1][2*n]f64", "[(n + 1)]([(2 * n)](f64))"), ("*[n]f64", "*[n](f64)"),
    ("(f64, i64)", "(f64, i64)"), ("(f64, i64,)", "(f64, i64)"), ("()", "()"), ("{}", "{}"),
    ("{a: f64, b: [n]i64}", "{a: f64, b: [n](i64)}"), ("{0: f64, 1: i64,}", "(f64, i64)"),
    ("a -> b -> c", "(a -> (b -> c))"), ("(a -> b) -> c", "((a -> b) -> c)"),
    ("(n: i64) -> [n]f64", "(n: i64 -> [n](f64))"),
    ("[n]a -> a", "([n](a) -> a)"), ("mixture [k][d]", "mixture [k] [d]"), ("mixture[k][d]", "mixture [k] [d]"),
    ("pair f64 (a, b)", "pair f64 (a, b)"), ("[n]pair f64", "[n](pair f64)"), ("M.t [n]", "M.t [n]"),
    ("list 'a", "list 'a"),
    ("?[k].[k]f64", "?[k].[k](f64)"), ("?[k][l].([k]f64, [l]f64)", "?[k][l].([k](f64), [l](f64))"),
    ("#circle f64 | #square [2]f64 | #none", "#circle f64 | #square [2](f64) | #none"),
    ("f64{>0}", "f64{>0}"), ("f64{>=0}", "f64{>=0}"), ("f64{<1}", "f64{<1}"), ("f64{<= -1}", "f64{<=-1}"),
    ("f64{0..1}", "f64{0..1}"), ("f64{-1..1}", "f64{-1..1}"), ("f64{>-1}", "f64{>-1}"), ("[n]f64{>0}", "[n](f64{>0})"),
    ("f64{lo..hi}", "f64{lo..hi}"), ("pair f64{>0} i64", "pair f64{>0} i64"),
])
def test_types(text: str, tree: str) -> None:
    report = Reporter()
    made = parse_type(Source("t.dad", text), report)
    assert report.diagnostics == []
    assert made is not None
    assert typ(made) == tree


def header(node: ast.Def) -> str:
    words = [node.kind, node.name, *(f"[{size.name}]" for size in node.sizes)]
    words += [f"'{t.lifted}{t.name}" + (f": {t.constraint}" if t.constraint else "") for t in node.type_params]
    words += map(pattern, node.params)
    result = f" : {typ(node.result)}" if node.result else ""
    return " ".join(words) + result + (f" @ {', '.join(map(grade, node.grades))}" if node.grades else "")


@pytest.mark.parametrize(("text", "said"), [
    ("def f = 1", "def f"),
    ("def f x y = 1", "def f x y"),
    ("def f (x: f64) (y: [n]f64) : f64 = 1", "def f (x : f64) (y : [n](f64)) : f64"),
    ("entry f [n][m] (a: [n][m]f64) = 1", "entry f [n] [m] (a : [n]([m](f64)))"),
    ("def f [n] 'a 'b: float (x: [n]a) : b = 1", "def f [n] 'a 'b: float (x : [n](a)) : b"),
    ("def f 'a : num (x: a) = x", "def f 'a: num (x : a)"),
    ("def e 'a : a = ???", "def e 'a : a"),
    ("def f '^a '~b (x: a) = x", "def f '^a '~b (x : a)"),
    ("def f (x: param f64) (y: data [n]f64) (z: param (mixture [k])) = 1",
     "def f (x : param f64) (y : data [n](f64)) (z : param mixture [k])"),
    ("def f (x: param mixture [k][d]) (y: data *[n]f64) = 1", "def f (x : param mixture [k] [d]) (y : data *[n](f64))"),
    ("def f (x: param f64{>0}) = x", "def f (x : param f64{>0})"),
    ("def f (x: param) (y: data) = 1", "def f (x : param) (y : data)"),
    ("def f param data = param", "def f param data"),
    ("def f (x: f64) : f64 @ C1(x), smooth(y, z) = x", "def f (x : f64) : f64 @ C1(x), smooth(y, z)"),
    ("def f (g: f64 -> f64 @ C1 @ approx(1e-9)) (h: (f64 -> f64 @ lip)) = 1",
     "def f (g : ((f64 -> f64) @ C1 @ approx(1e-09))) (h : ((f64 -> f64) @ lip))"),
    ("def f (x: f64) @ lip = x", "def f (x : f64) @ lip"),
    ("def f ((a, b): (f64, f64)) {x, y} _ () = a", "def f ((a, b) : (f64, f64)) {x = x, y = y} _ ()"),
    ("def (+++) x y = x", "def +++ x y"), ("def (-) x y = x", "def - x y"), ("def (`f`) x y = x", "def f x y"),
    ("def x +++ y = x", "def +++ x y"), ("def (x: f64) <> (y: f64) : bool = true", "def <> (x : f64) (y : f64) : bool"),
    ("let f x = x", "def f x"), ("let (<>) x y = x", "def <> x y"),
    ("def f (g: a -> b) (h: (n: i64) -> [n]f64) = g", "def f (g : (a -> b)) (h : (n: i64 -> [n](f64)))"),
])
def test_headers(text: str, said: str) -> None:
    assert header(definition(text)) == said


def test_type_declarations() -> None:
    made = program("type t = f64\ntype mixture [k] [d] = {w: [k]f64, m: [k][d]f64}\n"
                   "type^ f 'a = a -> a\ntype~ l 'a = ?[n].[n]a")
    assert [(d.name, d.lifted, [s.name for s in d.sizes], [p.name for p in d.type_params], typ(d.body))
            for d in made.declarations if isinstance(d, ast.TypeDef)] == [
        ("t", "", [], [], "f64"), ("mixture", "", ["k", "d"], [], "{w: [k](f64), m: [k]([d](f64))}"),
        ("f", "^", [], ["a"], "(a -> a)"), ("l", "~", [], ["a"], "?[n].[n](a)")]


def test_other_declarations() -> None:
    made = program('import "a/b"\nopen import "c"\nlocal import "d"\nopen M\nopen M.N\nlocal def f = 1\nlocal open M\n'
                   'module M = { def x = 1\n def y = 2 }\nmodule type T = { type t val f : t -> t }\n'
                   'module N = import "e"\nopen { def z = 1 }\ndef last = 1')
    kinds = [type(d.declaration if isinstance(d, ast.Local) else d).__name__ for d in made.declarations]
    assert kinds == ["Import", "Open", "Import", "Open", "Open", "Def", "Open", "ModuleDef", "ModuleTypeDef",
                     "ModuleDef", "Open", "Def"]
    modules = [d for d in made.declarations if isinstance(d, ast.ModuleDef)]
    assert [(d.name, type(d.body).__name__) for d in modules] == [("M", "ModBody"), ("N", "ModImport")]


def module(text: str) -> ast.ModuleDef:
    (made,) = program(text).declarations
    assert isinstance(made, ast.ModuleDef)
    return made


def names(body: ast.ModuleExp) -> list[str]:
    assert isinstance(body, ast.ModBody)
    return [str(getattr(d.declaration if isinstance(d, ast.Local) else d, "name", "")) for d in body.declarations]


@pytest.mark.parametrize(("text", "found"), [
    ("module M = {}", []), ("module M = {def x = 1 def y = 2}", ["x", "y"]),
    ("module M : S with t = {x: f64} with u = i32 = {\n  type t = {x: f64}\n  #[inline] def f (x: t) = x.x\n}",
     ["t", "f"]),
    ("module M = {\n  let f x =\n    let y = x\n    in y\n  let g = 2\n  local def h = {a = 1}\n}", ["f", "g", "h"]),
    ("module M = {\n  module N = { def z = 1 }\n  open { def w = 2 }\n  module type S = { val x : i32 }\n}",
     ["N", "", "S"]),
])
def test_bodies_of_modules(text: str, found: list[str]) -> None:
    assert names(module(text).body) == found


def test_module_expressions() -> None:
    made = module("module F (P: S) (Q: {type t}) : {type u} = G (H P) (\\(R: S) : (S -> T) -> {def x = 1}) (M : S)")
    assert [p.name for p in made.params] == ["P", "Q"]
    assert isinstance(made.ascription, ast.SigBody)
    assert isinstance(made.body, ast.ModApply)
    assert isinstance(made.body.argument, ast.ModAscribe)
    assert isinstance(made.body.function, ast.ModApply)
    function = made.body.function.argument
    assert isinstance(function, ast.ModLambda)
    assert isinstance(function.ascription, ast.SigArrow)
    assert names(function.body) == ["x"]


def test_module_types() -> None:
    (made,) = program("module type S = {\n  -- | A type.\n  type t\n  type^ u [n] 'a\n  val f [n] 'a : [n]a -> t\n"
                      "  val +: t -> t\n  val (*.) : t\n  #[inline] module N : { val z : i32 }\n"
                      "  include T with M.t 'a = [3]a\n  type v = {a: i32}\n}").declarations
    assert isinstance(made, ast.ModuleTypeDef)
    assert isinstance(made.body, ast.SigBody)
    said = [(type(s).__name__, str(getattr(s, "name", ""))) for s in made.body.specs]
    assert said == [("TypeSpec", "t"), ("TypeSpec", "u"), ("ValSpec", "f"), ("ValSpec", "+"), ("ValSpec", "*."),
                    ("ModuleSpec", "N"), ("Include", ""), ("TypeDef", "v")]
    (arrow,) = program("module type A = (P: S) -> T -> U with t = i32").declarations
    assert isinstance(arrow, ast.ModuleTypeDef)
    assert isinstance(arrow.body, ast.SigArrow)
    assert arrow.body.name == "P"
    assert isinstance(arrow.body.result, ast.SigArrow)


def test_a_mistake_in_a_module_loses_one_declaration() -> None:
    report = Reporter()
    made = parse(Source("t.dad", "module M = {\n  def a = 1\n  def b = (1\n  def c = 3\n}\ndef d = 4\n"), report)
    assert [d.span.line for d in report.diagnostics if d.span] == [3]
    inner, outer = made.declarations
    assert isinstance(inner, ast.ModuleDef)
    assert names(inner.body) == ["a", "b", "c"]
    assert isinstance(inner.body, ast.ModBody)
    assert isinstance(inner.body.declarations[1], ast.Unread)
    assert isinstance(outer, ast.Def)


def test_a_module_left_open_ends_at_the_margin() -> None:
    report = Reporter()
    made = parse(Source("t.dad", "module M = {\n  def a = 1\n\n-- | Next.\ndef d = 4\n"), report)
    assert [(d.code, d.span.line) for d in report.diagnostics if d.span] == [("E011", 1)]
    assert [d.doc for d in made.declarations if isinstance(d, ast.Def)] == ["Next."]


@pytest.mark.parametrize(("text", "said"), [
    ("x M.+ y", "(x M.+ y)"), ("x m.n.+. y * z", "(x m.n.+. (y * z))"), ("(M.+) x", "((M.+) x)"),
    ("x `M.f` y", "(x `M.f` y)"), ("a..<b", "(a..<b)"),
])
def test_operators_of_modules(text: str, said: str) -> None:
    assert brief(expression(text)) == said


def test_local_open() -> None:
    made = expression("M.N.(x + y)")
    assert isinstance(made, ast.LocalOpen)
    assert (made.module.qualifier, made.module.name) == (("M",), "N")


def test_documentation_and_attributes() -> None:
    made = program("-- | About the file.\n\n-- | Squares.\n-- Any number.\n#[inline]\ndef sq x = x * x -- a comment\n"
                   "-- | A type.\ntype t = f64\n-- ==\n-- input { 1 }")
    assert made.doc == "About the file."
    square, named = made.declarations
    assert isinstance(square, ast.Def)
    assert isinstance(named, ast.TypeDef)
    assert square.doc == "Squares.\nAny number."
    assert [each.text for each in square.attributes] == ["inline"]
    assert named.doc == "A type."
    assert program("-- | Of the definition.\ndef f = 1").doc is None


def test_old_top_level_let() -> None:
    made = program("let a = 1\nlet b =\n  let c = a\n  in c\n"
                   "let d (x: f64) =\n  loop s = x for y in ys do\n  s + y\nlet e = 2\n")
    assert [d.name for d in made.declarations if isinstance(d, ast.Def)] == ["a", "b", "d", "e"]
    unindented = definition("def f =\nlet a = 1\nlet b = 2\nin a + b")
    assert brief(unindented.body) == "let a = 1 in let b = 2 in (a + b)"


def test_every_mistake_of_a_file_is_found() -> None:
    report = Reporter()
    text = "def a = (1\ndef b = 2\ndef c = if\n\ndef d = [1, 2\n  def e = 3\ntype t = \ndef f = 4"
    made = parse(Source("t.dad", text), report)
    assert [d.name for d in made.declarations if isinstance(d, ast.Def)] == ["b", "e", "f"]
    assert [d.span.line for d in report.diagnostics if d.span] == [1, 3, 5, 7]


def test_spans_cover_their_text() -> None:
    source = Source("t.dad", "def f x =\n  (x + 1) * g x.y[0]")
    made = parse(source, Reporter()).declarations[0]
    assert isinstance(made, ast.Def)
    body = made.body
    assert isinstance(body, ast.BinOp)
    assert (made.span.text, made.name_span.text, body.op_span.text) == (source.text, "f", "*")
    assert (body.left.span.text, body.right.span.text) == ("(x + 1)", "g x.y[0]")


def test_signatures() -> None:
    made = parse_signature("map 'a 'b [n] (f: a -> b) (xs: [n]a) : [n]b")
    assert header(made) == "def map [n] 'a 'b (f : (a -> b)) (xs : [n](a)) : [n](b)"
    assert header(parse_signature("'a: float (x: a) : a")) == "def  'a: float (x : a) : a"
    assert header(parse_signature("(**) 'a: num (x: a) (y: a) : a")).startswith("def ** 'a: num")
    assert header(parse_signature("(n: i64) : [n]i64")) == "def  (n : i64) : [n](i64)"


def test_one_declaration_from_its_tokens() -> None:
    source, report = Source("t.dad", "-- | Doc.\ndef f = 1"), Reporter()
    made = parse_declaration(source, tokenize(source, report), report)
    assert isinstance(made, ast.Def)
    assert (made.name, made.doc) == ("f", "Doc.")


def test_layout_of_text_does_not_matter() -> None:
    for text in ("\ufeffdef f = 1", "def f =\r\n  1\r\n", "def\tf\t=\t1", "def f = 1 --", "def f = 1\n-- no newline"):
        assert brief(definition(text).body) == "1"
