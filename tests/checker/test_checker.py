"""The tables that lowering reads, bounds proofs, imports, the prelude, and that no program makes the checker raise."""
from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import dad
import pytest
from dad import driver
from dad.checker import Checked, check, scope
from dad.checker.result import BuiltinRef, GlobalRef, LocalRef, SizeRef
from dad.checker.scope import library_declaration, library_index, library_names, nearest
from dad.lang.diagnostics.render import render_full
from dad.lang.diagnostics.report import Reporter
from dad.lang.source import Source, Span
from dad.lang.surface import ast
from dad.lang.surface.parser import parse
from dad.lang.types import I64, Array, Error, Meta, Type, map_type, show


def run(text: str, resolve: Callable[[str, Span], ast.Program | None] | None = None) -> tuple[Checked | None, Reporter]:
    report = Reporter()
    tree = parse(Source("test.dad", text), report)
    return check(tree, report, resolve_import=resolve), report


def accepted(text: str) -> Checked:
    checked, report = run(text)
    assert checked is not None, render_full(report.diagnostics)
    return checked


def codes(text: str) -> list[str]:
    return [d.code for d in run(text)[1].diagnostics]


def proved(text: str) -> list[str]:
    return sorted(node.span.text for node in accepted(text).proved)


# ---------------------------------------------------------------- bounds


@pytest.mark.parametrize(("program", "expected"), [
    ("def f [n] (xs: [n]f64) = [xs[i] for i < n]", ["i"]),
    ("def f [n] (xs: [n]f64) = [xs[i+1] - xs[i] for i < n - 1]", ["i", "i+1"]),
    ("def f [n] (xs: [n]f64) = [xs[i-1] for i < n]", []),
    ("def f [n] (xs: [n]f64) = [xs[n-1-i] for i < n]", ["n-1-i"]),
    ("def f [n] (xs: [n+1]f64) = loop s = 0.0 for i < n do s + xs[i+1]", ["i+1"]),
    ("def f [n] (xs: [n]f64) = [xs[0] for i < n]", ["0"]),
    ("def f [n] (xs: [n]f64) = xs[0]", []),
    ("def f (xs: [3]f64) = xs[0] + xs[2]", ["0", "2"]),
    ("def f [n][m] (a: [n*m]f64) = [a[i*m + j] for i < n, j < m]", ["i*m + j"]),
    ("def f [n] (a: [n][n]f64) = [sum [a[i,j] for j < i] for i < n]", ["i", "j"]),
    ("def f [n] (xs: [n]f64) = tabulate n (\\i -> xs[i])", ["i"]),
    ("def f [n] (xs: [n]f64) = map (\\i -> xs[i]) (iota n)", ["i"]),
    ("def f [n] (xs: [n]f64) = map (\\i -> xs[i]) (indices xs)", ["i"]),
    ("def f [n] (xs: [n]f64) = map (\\i -> xs[i]) (0..<n)", ["i"]),
    ("def f (n: i64) (xs: [5]f64) = [xs[i] for i < n]", []),
    ("def f (n: i64) = let xs = replicate n 1.0 in [xs[i] for i < n]", ["i"]),
    ("def f [n] (xs: [n]f64) (ks: [n]i64) = [xs[ks[i]] for i < n]", ["i"]),
    ("def f [n] (xs: [n]f64) = xs[:n]", [":n"]),
    ("def f [n] (xs: [n+2]f64) = xs[1:n+1]", []),
    ("def f [n] (xs: [n]f64) = xs[1:]", []),
    # `n+1` is the length of something, `n` need not be: it may be -1.
    ("def f [n] (xs: [n+1]f64) = xs[0]", []),
    ("def f [n][m] (xs: [n+m]f64) = xs[:n]", []),
    ("def f [n][m] (xs: [n+m]f64) (ys: [n]f64) = xs[:n]", []),
    ("def f [n][m] (xs: [n+m]f64) (ys: [n]f64) (zs: [m]f64) = xs[:n]", [":n"]),
])
def test_indices_are_proved_or_left_to_a_run_time_check(program: str, expected: list[str]) -> None:
    assert proved(program) == expected


# ---------------------------------------------------------------- tables


def _definite(t: Type) -> bool:
    found: list[Type] = []

    def leaf(inner: Type) -> Type | None:
        if isinstance(inner, (Meta, Error)):
            found.append(inner)
        return None

    map_type(t, leaf, lambda s: s)
    return not found


SAMPLE = """
type point = {x: f64, y: f64}
def scale k (p: point) = {x = k * p.x, y = k * p.y}
def steps (n: i64) (f: f64 -> f64) (x: f64) =
  let g y = f y
  let (a, b) = loop (u, v) = (x, 0.0) for i < n do (g u, v + f64 i)
  in a + b
entry run [n] (ps: [n]point) (k: f64) = map (scale k) ps
entry walk (x: f64) = steps 3 (\\t -> t / 2) x + sum (iota (length [x, 2]) |> map f64)
entry any_number x = x + 1
"""


def test_every_type_in_the_tables_is_known() -> None:
    checked = accepted(SAMPLE)
    assert all(_definite(t) for t in checked.types.values())
    assert all(_definite(t) for t in checked.patterns.values())
    for use in checked.uses.values():
        assert all(_definite(t) for t in use.types.values())


def test_every_name_has_a_meaning() -> None:
    from dad.lang.surface import ast as syntax

    checked = accepted(SAMPLE)
    names = [e for e in checked.types if isinstance(e, syntax.Name)]
    assert names
    for e in names:
        assert isinstance(checked.uses[e].target, (LocalRef, GlobalRef, BuiltinRef, SizeRef))


def test_an_entry_without_annotation_takes_f64() -> None:
    entry = next(d for d in accepted(SAMPLE).entries if d.name == "any_number")
    assert show(entry.scheme.type) == "(x: f64) -> f64"
    assert entry.scheme.type_vars == ()


def test_definitions_come_in_the_order_of_dependence() -> None:
    names = list(accepted("def f x = norm [x]\nentry g (x: f64) = f x").definitions)
    assert names.index("prelude__dot") < names.index("prelude__norm") < names.index("f") < names.index("g")


def test_sizes_of_values_are_recorded() -> None:
    checked = accepted("def f (x: f64) (n: i64) = (iota (i64 x), iota n)")
    assert [e.span.text for e in checked.size_values.values()] == ["(i64 x)"]
    assert "n" in [v.name for v in checked.binding_sizes.values()]


def test_sizes_that_a_result_opens_are_recorded() -> None:
    checked = accepted("def f (n: i64) : []i64 = iota n\ndef g (n: i64) = sum (f n)")
    assert [e.span.text for e in checked.opened] == ["(f n)"]


def test_a_result_may_contain_a_polymorphic_function() -> None:
    checked = accepted("def twice f x = f (f x)\ndef pair x = (x, twice)\ndef use = ((pair true).1) (+ 1) 2i64")
    assert show(checked.definitions["use"].scheme.type) == "i64"


def test_a_local_function_may_be_polymorphic() -> None:
    checked = accepted("def f (x: f64) = let pair y = (y, y) in (pair x, pair true)")
    ((_, scheme),) = checked.schemes.items()
    assert len(scheme.type_vars) == 1


# ---------------------------------------------------------------- imports and the prelude


def test_imports_bring_definitions_and_types() -> None:
    library = "type vec = [2]f64\ndef scale (k: f64) (v: vec) : vec = k * v\nlocal def hidden = 1"
    report = Reporter()
    tree = parse(Source("lib.dad", library), report)
    checked, found = run('import "lib"\nentry f (v: vec) = scale 2 v', lambda path, span: tree)
    assert checked is not None, render_full(found.diagnostics)
    assert "lib__scale" in checked.definitions
    _, found = run('import "lib"\ndef f = hidden', lambda path, span: tree)
    assert [d.code for d in found.diagnostics] == ["E101"]


def test_an_import_that_was_reported_is_not_reported_again() -> None:
    assert run('import "lib"\ndef f = 1', lambda path, span: None)[1].diagnostics == []


def test_files_that_are_not_there() -> None:
    """What the library has needs no import, and who imports it is told so."""
    for path, words in (("optimise", "needs no import: write `optimise.NAME`"), ("beside", "relative to this file")):
        found = driver.check(Source("main.dad", f'import "{path}"\nentry f (x: f64) : f64 = x')).diagnostics
        assert [d.code for d in found] == ["E193"]
        assert words in (found[0].help or "")


def test_every_definition_of_the_prelude_checks_and_has_documentation() -> None:
    text, index = library_index("prelude")
    values = index["values"]
    accepted("\n".join(f"def use_{k} = {name}" for k, name in enumerate(values) if name.isidentifier()))
    checked = accepted(text)
    assert len(checked.definitions) >= len(values)
    for definition in checked.definitions.values():
        assert definition.node.doc, definition.name


def test_names_of_the_prelude_may_be_redefined() -> None:
    checked = accepted("def norm (x: f64) = x\ndef f = norm 2\ndef map (x: f64) = x\ndef g = map 3")
    assert show(checked.definitions["f"].scheme.type) == "f64"
    assert "prelude__norm" not in checked.definitions


# ---------------------------------------------------------------- one mistake, one message


@pytest.mark.parametrize(("program", "expected"), [
    ("def f (x: f64) = let y = x + true in y * y + sin y", ["E202"]),
    ("def f (x: foo) = x + 1\ndef g = f 2", ["E102"]),
    ("def f (x: f64) = nope x\ndef g = f 1 + f 2", ["E101"]),
    ("type t = {x: nope}\ndef f (p: t) = p.x + p.y", ["E102"]),
    ("def f (xs: [k]f64) (ys: [k]f64) = map2 (+) xs ys", ["E103"]),
    ("def f = 1 + true\ndef g = 2 + false", ["E202", "E202"]),
    ("def f x = x.y.z", ["E208"]),
    ("def f [n] (xs: [n]f64) = sum (map (\\x -> x + undefined) xs)", ["E101"]),
    ("def f 'a (x: a) = x < x", ["E215"]),
    ("def f (x: f64) = let (a, b) = nope x in a + b", ["E101"]),
    ("def f (x: f64) = ??? + ???", ["E217", "E217"]),
    ("def f (x: f64) = vjp (\\y -> (y, y)) x 1", ["E201"]),
    ("def f (x: f64) = x +\ndef g (x: f64) = f x", ["E010"]),
    ("def (+++) x = (x\ndef g (x: f64) = x +++ x\ntype t = {a}\ndef f (x: t) = x.a", ["E011", "E010"]),
    ("module M = { def a = 1 +\n def b = 2 }\ndef g = M.a + M.b + M.c", ["E010", "E107"]),
    ("module type S = { val x }\nmodule M : S = { def y = 2 }\ndef g = M.x + N.y\nmodule N = { def y = 2 }}",
     ["E010", "E011"]),
    ("open M {\ndef g = half 3", ["E011"]),
    ("def f = -9223372036854775808", []),
    ("def f = 9223372036854775808", ["E204"]),
])
def test_one_mistake_gives_one_message(program: str, expected: list[str]) -> None:
    assert codes(program) == expected


def test_all_mistakes_of_a_file_are_found_in_the_order_of_the_source() -> None:
    program = "def a = nope\ndef b (x: f64) = x + true\ndef c = a + 1\ndef d [n] (xs: [n]f64) : f64 = xs"
    assert codes(program) == ["E101", "E202", "E201"]


# ---------------------------------------------------------------- it never raises


CORPUS = sorted((Path(__file__).parent).glob("*/*.md"))


def _programs() -> list[str]:
    out = [SAMPLE, Path(dad.__file__).parent.joinpath("stdlib", "prelude.dad").read_text(encoding="utf-8")]
    for path in CORPUS:
        blocks = path.read_text(encoding="utf-8").split("```dad\n")[1:]
        out += [block.split("```")[0] for block in blocks]
    return out


def test_broken_programs_never_make_it_raise() -> None:
    """Programs with tokens dropped, doubled, exchanged: diagnostics, or a result, and nothing else."""
    source = random.Random(7)
    programs = _programs()
    for _ in range(400):
        words = source.choice(programs).split(" ")
        for _ in range(source.randint(1, 3)):
            k, j = source.randrange(len(words)), source.randrange(len(words))
            match source.randrange(3):
                case 0:
                    words[k] = ""
                case 1:
                    words[k] += " " + words[j]
                case _:
                    words[k], words[j] = words[j], words[k]
        text = " ".join(words)
        checked, report = run(text)
        assert (checked is None) == report.failed
        render_full(report.diagnostics)


def test_long_blocks_and_chains_do_not_recurse() -> None:
    lets = "\n".join(f"  let x{k + 1} = x{k} + 1" for k in range(5000))
    accepted(f"def f (x0: f64) =\n{lets}\n  in x5000")
    accepted("def f (x: f64) = " + " + ".join(["x"] * 5000))
    accepted("def f (x: f64) = x " + "|> sin " * 3000)


def test_suggestions() -> None:
    assert nearest("lenght", ["length", "log"]) == "length"
    assert nearest("sinn", ["sign", "sin"]) == "sin"
    assert nearest("x", ["y"]) is None
    assert nearest("Sum", ["sum"]) == "sum"


def test_types_of_expressions_mention_only_sizes_in_scope() -> None:
    checked = accepted("def f [n] (xs: [n]f64) = let ys = xs[1:] in map (+ 1) ys")
    definition = checked.definitions["f"]
    result = definition.result_type
    assert isinstance(result, Array)
    assert str(result.size) == "n - 1"
    assert definition.scheme.size_vars[0] in list(result.size.atoms())
    assert I64 not in definition.param_types


def test_the_table_of_elementwise_primitives_is_fresh() -> None:
    """After adding a primitive: `python -m dad.checker.elementwise_table`."""
    from dad.checker.elementwise import ELEMENTWISE
    from dad.checker.elementwise_table import table

    assert table() == ELEMENTWISE


def test_checking_imports_neither_numpy_nor_lark_nor_the_primitives() -> None:
    import subprocess
    import sys

    script = ("import sys\nfrom dad.lang.source import Source\nfrom dad.lang.surface.parser import parse\n"
              "from dad.lang.diagnostics.report import Reporter\nfrom dad.checker import check\nr = Reporter()\n"
              "check(parse(Source('x', 'def f x = grad (exp >-> norm) [x]'), r), r)\n"
              "assert not {'numpy', 'lark', 'dad.lang.prims'} & set(sys.modules), r.diagnostics\n")
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(("program", "expected"), [
    # The gradient at points of the data, as in physics-informed networks, and iterations that start from data.
    ("entry f [n] (t: param f64) (xs: data [n]f64) = sum (map (\\x -> grad (\\u -> sin (t * u)) x) xs)", []),
    ("entry f (t: param f64) (x0: data f64) = loop x = x0 for _i < 9 do x - grad (\\u -> t * u * u) x", []),
    ("entry f (p: data {x: f64}) = grad (\\t -> t * t) p.x", ["E501"]),
    # Parts of a record are followed one by one.
    ("def g (c: data f64) (x: f64) = c * x\nentry f (p: param {x: f64}) (d: data {c: f64}) = g d.c p.x", []),
    ("def g (c: data f64) (x: f64) = c * x\nentry f (p: param {x: f64}) = let (a, b) = (p.x, 2.0) in g b a", []),
    ("def g (c: data f64) (x: f64) = c * x\nentry f (p: param {x: f64}) = let (a, b) = (p.x, 2.0) in g a b", ["E505"]),
    # Through functions given as arguments, loops, reductions and tuples of arrays.
    ("def twice f x = f (f x)\nentry f (p: param f64) = twice (\\x -> x * p) 1", []),
    ("entry f [n] (p: param f64) (xs: [n]f64) = loop s = 0 for x in xs do s + p * x", []),
    ("entry f [n] (p: param f64) (xs: [n]f64) = reduce (+) 0 (map (* p) xs)", []),
    ("entry f [n] (p: param f64) (xs: [n]f64) = let (a, _) = unzip (map (\\x -> (x, p)) xs) in sum a", ["E510"]),
    ("entry f [n] (p: param [n]f64) = p[argmax p]", []),
    ("entry f [n] (p: param [n]f64) = argmax p", ["E510"]),
    ("entry f (p: param f64) = stop_grad p * 2", ["E510"]),
    ("entry f (p: param f64) = (value_and_grad (\\t -> t * t) p).1", []),
    ("entry f (p: param f64) = loop x = 1.0 while x < p do x * 2", ["E510"]),
])
def test_dependence_is_followed(program: str, expected: list[str]) -> None:
    assert codes(program) == expected


# ---------------------------------------------------------------- modules of the library


def test_modules_of_the_library_are_read_as_far_as_they_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch
                                                                 ) -> None:
    (tmp_path / "prelude.dad").write_text("-- | Twice.\ndef twice 'a: num (x: a) : a = x + x\n", encoding="utf-8")
    (tmp_path / "shapes.dad").write_text(
        "-- | Shapes.\n\n-- | A side.\ntype side = f64\n\n-- | Of a square.\ndef area (x: side) : f64 = square x\n\n"
        "local def square (x: f64) = x * x\n\n-- | Rounds it.\ndef round x = floor x\n\n"
        "-- | What has an area.\nmodule type FLAT = { type t  val area : t -> f64 }\n\n"
        "-- | Does not check.\ndef wrong = 1 + true\n", encoding="utf-8")
    monkeypatch.setattr(scope, "LIBRARY", str(tmp_path))
    cached = (library_names, library_index, library_declaration)
    try:
        for function in cached:
            function.cache_clear()
        checked = accepted("def f (x: shapes.side) = shapes.area (twice x)\ndef g = shapes.(round 1.5)\n"
                           "module Flat : { type t  val area : t -> f64 } = { type t = f64  def area = shapes.area }")
        assert set(checked.definitions) == {"f", "g", "Flat__area", "shapes__area", "shapes__square", "shapes__round",
                                            "prelude__twice"}
        assert codes("def f = shapes.square 1") == ["E107"]
        assert codes("module shapes = { def area = 1 }\ndef f = shapes.area + 1\ndef g = shapes.round 2") == ["E107"]
        assert codes("def f = shape.area 1.0") == ["E101"]
    finally:
        for function in cached:
            function.cache_clear()
