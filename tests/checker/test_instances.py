"""Terms of one shape are inferred once: types, uses, bounds, messages are those of inferring each."""
from __future__ import annotations

import re

import pytest
from dad import driver
from dad.checker.instances import Copy
from dad.checker.result import Checked, GlobalRef, LocalRef
from dad.lang.diagnostics.render import render_full
from dad.lang.source import Source
from dad.lang.surface import ast, parser
from dad.lang.surface.walk import descendants
from dad.tests.front.long_programs import HEAD, broken, program


def plain(x: object) -> str:
    """As text, without the numbers of variables."""
    return re.sub(r"uid=-?\d+", "", repr(x))


def told(text: str) -> list[object]:
    return findings(driver.check(Source("a.dad", text)))


def findings(checking: driver.Checking) -> list[object]:
    """All that is found out of a program, node by node."""
    said: list[object] = [render_full(checking.diagnostics)]
    checked = checking.checked
    if checked is None:
        return said
    numbers: dict[object, int] = {}
    for node in descendants(checking.program):
        t = checked.types.get(node)  # type: ignore[call-overload]  # a node that is no expression has none
        said.append((type(node).__name__, node.span.start, node.span.end, plain(t), node in checked.proved,
                     node in checked.patterns, *used(checked, node, numbers)))
    said.append(sorted((b.span.start, b.span.end, b.array, b.text, b.axis, b.size, b.proved, b.why)
                       for b in checked.bounds))
    said.append(sorted(checked.flat.items()))
    said += [(d.qualified, plain(d.scheme.type), d.entry) for d in checked.definitions.values()]
    return said


def used(checked: Checked, node: ast.Node, numbers: dict[object, int]) -> tuple[object, ...]:
    binding = checked.bindings.get(node)
    use = checked.uses.get(node)
    target = use.target if use is not None else None
    where: object = plain(target)
    if isinstance(target, LocalRef):
        where = numbers.setdefault(target.key, len(numbers))
    elif isinstance(target, GlobalRef):
        where = target.definition.qualified
    return (None if binding is None else numbers.setdefault(binding.key, len(numbers)), where,
            None if use is None else [(v.name, plain(t)) for v, t in use.types.items()],
            None if use is None else [(v.name, str(s)) for v, s in use.sizes.items()])


def plainly(text: str, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    with monkeypatch.context() as only:
        only.setattr(parser, "SHORT", 1 << 60)
        return told(text)


@pytest.mark.parametrize("seed", range(12))
def test_same_findings(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = program(seed)
    for version in (text, program(seed, mistakes=1 + seed % 3), broken(text, seed)):
        assert told(version) == plainly(version, monkeypatch)


def copies(text: str) -> list[Copy]:
    checking = driver.check(Source("a.dad", text))
    assert not checking.diagnostics
    return [node.__dict__["instance"].found for node in descendants(checking.program)
            if "instance" in node.__dict__ and node.__dict__["instance"].found is not None]


def body(*terms: str, header: str = "def f (x: [20]f64) (y: [20]f64) (n: i64)") -> str:
    return f"{HEAD}{header} =\n  " + "\n  + ".join(terms) + "\n"


def test_one_plan_for_names_that_mean_alike() -> None:
    text = body(*(f"angle {a}[{k}] {b}[{k + 1}] {k}.5 {a}[3]" for k in range(12) for a in "xy" for b in "xy"))
    found = copies(text)
    assert len({copy.plan for copy in found}) == 1
    assert len(found) == 47


def test_other_types_have_other_plans(monkeypatch: pytest.MonkeyPatch) -> None:
    lets = "".join(f"  let a{k} = x[{k}] * 2\n  let b{k} = n * {k}\n" for k in range(20))
    sums = " + ".join(f"a{k} * a{k}" for k in range(20)), " + ".join(f"b{k} * b{k}" for k in range(20))
    text = f"{HEAD}def f (x: [20]f64) (n: i64) =\n{lets}  in ({sums[0]}, {sums[1]})\n"
    assert told(text) == plainly(text, monkeypatch)
    assert {str(copy.plan.type) for copy in copies(text)} >= {"Scalar(name='f64')"}


def test_an_index_outside_of_the_axis_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = [f"sin (x[{k % 20}] * 2)" for k in range(60)]
    terms[31] = "sin (x[20] * 2)"
    text = body(*terms)
    (message,) = [d.message for d in driver.check(Source("a.dad", text)).diagnostics]
    assert message == "the index 20 is outside the array"
    assert told(text) == plainly(text, monkeypatch)


def test_a_name_that_is_bound_anew_means_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    lets = "".join(f"  let t = exp (t * x[{k % 20}]) + {k}.5\n" for k in range(40))
    text = f"{HEAD}def f (x: [20]f64) =\n  let t = x[0]\n{lets}  in t\n"
    assert told(text) == plainly(text, monkeypatch)
    assert len(copies(text)) > 30


def test_a_tree_checked_twice_has_two_sets_of_tables() -> None:
    """Both are complete, in whichever order what is below a term is asked for."""
    from dad.checker import check
    from dad.lang.diagnostics.report import Reporter

    text = body(*(f"sin (x[{k % 20}] * {k}.5)" for k in range(60)))
    tree = parser.parse(Source("a.dad", text), Reporter())
    results = [check(tree, Reporter()) for _ in range(2)]
    last = tree.declarations[-1]
    assert isinstance(last, ast.Def)
    nodes = [node for node in descendants(last.body) if isinstance(node, (ast.Apply, ast.Index, ast.Lit))]
    for result in results:
        assert result is not None
        assert all(node in result.types for node in nodes)
