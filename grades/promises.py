"""What a program says of its own smoothness: promises of expressions, demands of definitions, what is to be trusted.

These are primitives that lowering writes for this room alone (`lang/prims/promises.py` has their attributes).
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..lang.core import ir
from ..lang.core.walk import callees, free_in_op
from .lattice import Grade, Grades, at_least, better, join, joined, shown, worst
from .recursion import root_value
from .report import Promise, Step, Trusted
from .values import Value

if TYPE_CHECKING:
    from ..lang.source import Span
    from .walk import Walker

SIGNS = {"positive": (0.0, True), "nonnegative": (0.0, False)}


def text(op: ir.Prim, name: str) -> str:
    found = op.attr(name)
    assert isinstance(found, str)
    return found


def around(block: ir.Block) -> dict[int, tuple[str, float, str]]:
    """Statements, by their number, whose jumps an `approx` or `allow` of this block excuses: those that the promise's
    expression consists of."""
    marks: dict[int, tuple[str, float, str]] = {}
    for at, stmt in enumerate(block.stmts):
        op = stmt.op
        if not isinstance(op, ir.Prim) or op.name != "promise" or text(op, "kind") not in ("approx", "allow"):
            continue
        tolerance = text(op, "tolerance")
        mark = text(op, "kind"), float(tolerance) if tolerance else float("inf"), text(op, "reason")
        wanted = {a for a in op.args[:1] if isinstance(a, ir.Var)}
        whole: Span | None = None
        for k in range(at - 1, -1, -1):
            other = block.stmts[k]
            if wanted.isdisjoint(other.vars) or (whole is not None and not inside(other.span, whole)):
                continue
            whole = whole or other.span
            marks[k] = mark
            wanted.update(free_in_op(other.op))
    return marks



def inside(span: Span | None, outer: Span | None) -> bool:
    if span is None or outer is None or span.source is not outer.source:
        return False
    return outer.start <= span.start and span.end <= outer.end


def promise(w: Walker, stmt: ir.Stmt, values: Sequence[Value]) -> Value:
    op = stmt.op
    assert isinstance(op, ir.Prim)
    value, kind, grade = values[0], text(op, "kind"), text(op, "grade")
    reason = text(op, "reason")
    name = op.args[0].name if isinstance(op.args[0], ir.Var) else ""
    if stmt.span is not None and stmt.span.text.lstrip("( ").split(")")[0].strip() != name and kind == "promise":
        name = ""  # what lowering calls it, no name of the program's
    if kind in ("approx", "allow"):
        trust(w, stmt.span, kind, f"jumps up to {text(op, 'tolerance')}" if kind == "approx" else grade, reason)
        return value
    if kind == "assume":
        trust(w, stmt.span, kind, f"{grade} {name}", reason)
        # Where it is said in what, the grade is that of a function of these values.
        given = at_least(joined(v.grades for v in values[1:]), grade) if values[1:] else None
        return assumed(w, value, grade, stmt.span, given)
    wanted: dict[str, None] = {}
    for other in values[1:]:
        wanted.update(dict.fromkeys(other.grades))
    roots = tuple(wanted) if values[1:] else tuple(value.grades)
    found = {root: value.grades[root] for root in roots if root in value.grades}
    if not w.quiet:
        holds = all(better(g, grade) for g in found.values())
        chains = {root: value.steps[root] for root in found if root in value.steps}
        w.promises.append(Promise(stmt.span, "expression", grade, roots, shown(found), holds, what=name, chains=chains))
    return value


def trust(w: Walker, span: Span | None, kind: str, what: str, reason: str = "") -> None:
    if not w.quiet and span is not None and not span.source.shipped:
        w.trusted.setdefault((kind, span.source.name, span.start, what), Trusted(span, kind, what, reason))


def assumed(w: Walker, value: Value, grade: Grade, span: Span | None, given: Grades | None = None) -> Value:
    """The value, of which a grade or a sign is trusted: in all roots, or as `given` says of each."""
    if value.term is not None and grade in ("positive", "nonnegative", "nonzero"):
        from .terms import ZERO, compare

        cond = compare({"positive": ">", "nonnegative": ">=", "nonzero": "!="}[grade], value.term, ZERO)
        w.near, w.exact = w.near.assume(cond), w.exact.assume(cond)
        return value
    trusted = {root: grade if given is None else given.get(root, here) for root, here in value.grades.items()}
    grades: Grades = {root: here if better(here, trusted[root]) else trusted[root]
                      for root, here in value.grades.items()}
    steps = {root: step if step.grade == grades[root] else Step(span, "assume", grades[root], step)
             for root, step in value.steps.items()}
    # A formula would show the prover what the program says it may not look at.
    if grades == value.grades or value.term is None:
        return value
    term = w.fresh(value.term.name or "value", grades, w.bounds(value), cell=value.shape is not None)
    return Value(grades, steps, term, shape=value.shape)


def demand(w: Walker, stmt: ir.Stmt, values: Sequence[Value]) -> Value:
    """A function that somebody needs to have a grade: it is walked with its own parameters for roots."""
    op = stmt.op
    assert isinstance(op, ir.Prim)
    if w.quiet:
        return Value()
    name, grade = text(op, "function"), text(op, "grade")
    function = w.program.functions[name]
    own = function.params[len(values):]
    wanted = text(op, "of").split(",") if text(op, "of") else None
    state = w.activity, w.near, w.exact, w.branches, w.obligations
    w.activity, w.branches, w.obligations = {}, {}, {}
    held = [Value(term=v.term, cond=v.cond, shape=v.shape, rows=None, squares=v.squares) for v in values]
    ends = tuple(w.ends(v) for v in values)
    args: list[Value] = []
    moving: list[str] = []
    for p in own:
        if p.type.is_float and (wanted is None or any(p.name == n or p.name.startswith(n + "_") for n in wanted)):
            args.append(root_value(w, p.name, p))
            moving.append(p.name)
        else:
            args.append(w.unknown({}, (), None, p.name, p.type,
                                  shape=tuple(w.count() for _ in range(p.type.rank)) if p.type.rank else None))
    results = w.function(name, [*held, *args], None)
    found: dict[str, Grade] = {}
    chains: dict[str, Step] = {}
    for v in results:
        for root, here in v.grades.items():
            total = join(found.get(root, "none"), here)
            if root in v.steps and total != found.get(root):
                chains[root] = v.steps[root]
            found[root] = total
    holds = all(better(g, grade) for g in found.values())
    w.promises.append(Promise(
        stmt.span, "demand", grade, tuple(moving), shown(found), holds, text(op, "by"), text(op, "parameter"), chains,
        tuple(w.branches.values()), tuple(w.obligations.values()), function=name, held=len(values), bounds=ends,
        calls=tuple(s for s in w.calls if not s.source.shipped), waits=waits(w, name)))
    inner, domains = w.branches, w.obligations
    w.activity, w.near, w.exact, w.branches, w.obligations = state
    for key, branch in inner.items():
        w.branches.setdefault(key, branch)
    for key, obligation in domains.items():
        w.obligations.setdefault(key, obligation)
    return Value()


def waits(w: Walker, name: str) -> bool:
    """Whether the function calls one that the definition is given and of which its type says nothing."""
    seen: dict[str, None] = {}
    todo = [name]
    while todo:
        here = todo.pop()
        if here in seen:
            continue
        seen[here] = None
        given = w.given.get(here)
        if given is not None and not given.shipped and given.grade == "opaque":
            return True
        if here in w.program.functions:
            todo += callees(w.program.functions[here].body)
    return False


def stop_grad(w: Walker, stmt: ir.Stmt, values: Sequence[Value]) -> Value:
    """Held fixed, by the program's own decision: no root moves it."""
    value = values[0]
    if not value.grades:
        return value
    op = stmt.op
    assert isinstance(op, ir.Prim)
    trust(w, stmt.span, "stop_grad", ", ".join(value.grades))
    t = op.args[0].type
    found = w.unknown({}, (), stmt.span, "stop_grad", t, bounds=w.bounds(value), shape=value.shape)
    found.finite = better(worst(value.grades), "cont")
    found.held = value.grades
    return found


RULES: dict[str, Callable[[Walker, ir.Stmt, Sequence[Value]], Value]] = {
    "promise": promise, "demand": demand, "stop_grad": stop_grad}
