"""The abstract interpreter: what is known of the values of a function, statement by statement.

Two sets of facts go along. `exact` holds where a statement is computed. `near` holds there and at the edge of it:
behind `if x > 0` it says `x >= 0`. What an arm is near the boundary of its condition is found with `near`, so that the
arm may be continued across it; whether an argument is inside its domain is asked of `exact`.

An arm behind a condition that no root moves has one set: no boundary is crossed while the roots move.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..lang.core import ir
from ..lang.core.primitive import PRIMITIVES
from ..lang.source import Span
from . import recursion
from .effort import Effort
from .facts import Facts, forget
from .intervals import INFINITE, POSITIVE, Interval
from .kinks import KINKS, opened, piece, polished
from .lattice import Grade, Grades, at_least, better, join, joined, shown, worst
from .prove import EFFORT, Verdict, across
from .report import Branch, Graded, Obligation, Promise, Root, Step, Trusted
from .terms import (
    FALSE,
    TRUE,
    And,
    Compare,
    Cond,
    Or,
    Term,
    Unknown,
    atom,
    atoms,
    compared,
    conj,
    disj,
    large,
    negate,
    number,
    select,
    show,
    show_condition,
    subterms,
)
from .values import Value, chains, closure, order, replaced, replaced_in

if TYPE_CHECKING:
    from collections.abc import Hashable

    from .kinks import Smooth
    from .shifts import Sum

BUDGET = 5_000
"""Statements that are walked with all that is known of a call's arguments; beyond, functions are walked once."""
STATEMENT, CALLED = 10, 60
"""Work for a statement; and how much must be left for each that is walked so, that something is left for its branches.
"""
DEEPEST = 60


@dataclass(frozen=True, slots=True)
class Given:
    """A function that a definition is given: what it is called, the grade that its type promises."""

    name: str
    grade: Grade
    shipped: bool = False
    """Or one of the library that is not looked into: a search, a sampler."""


def steep(term: Term | None) -> bool:
    """Whether a formula has primitives whose slope may be infinite at the end of their domain, but roots."""
    return term is None or any(t.op in PRIMITIVES and PRIMITIVES[t.op].singular and t.op != "sqrt"
                               for t in subterms([term]))


def pointed(cond: Cond) -> bool:
    """Whether a condition holds, or fails, on thin sets: arms are not looked at on these."""
    match cond:
        case Compare(op):
            return op in ("==", "!=")
        case And(parts) | Or(parts):
            return any(map(pointed, parts))
        case _:
            return True


SEARCHES = ("prelude___newton", "prelude___descended")
"""What the library looks for roots and minima with."""


class Walker:
    """Walks functions of one program."""

    def __init__(self, program: ir.Program, given: Mapping[str, Given] | None = None) -> None:
        self.program = program
        self.given = dict(given or {})
        self.near: Facts = Facts({}, frozenset(), False, {})
        self.exact: Facts = self.near
        self.activity: dict[Term, Grades] = {}
        """Of each atom that moves with a root: its grades."""
        self.cells: set[Term] = set()
        """Atoms that stand for an element of an array."""
        self.arrays: set[Term] = set()
        """Of these, those of parameters, whose names everybody knows."""
        self.nested = 0
        """Maps around what is walked."""
        self.made: list[Term] = []
        self.own: set[Term] = set()
        """Atoms that were made once, for one value; an element `x[0]` is the same one wherever it is read."""
        self.quiet = 0
        """Above zero while something is walked that will be walked again: nothing is noted down."""
        self.trusting = 0
        """Above zero in rules of the compiler's own, whose domains are checked otherwise."""
        self.alias: dict[str, tuple[str, ...]] = {}
        """Roots of inner walks: what they are called outside."""
        self.lenient: list[tuple[str, float, str]] = []
        """Promises `approx` and `allow` around the statement that is walked."""
        self.left = int(min(BUDGET, Effort.left / CALLED))
        self.counter = 0
        self.where: list[str] = []
        """Functions that are being walked."""
        self.calls: list[Span] = []
        """The calls that lead here."""
        self.open: dict[str, recursion.Open] = {}
        """Recursive functions that are being walked."""
        self.recursions = 0
        self.unfolding = 0
        """How many calls of functions that are being walked are followed, one in the other."""
        self.following = False
        self.called: dict[Term, tuple[str, tuple[Value, ...], int]] = {}
        """Atoms that stand for results of such calls."""
        self.dead = False
        """Behind a call that has not come to an end yet, as far as is known."""
        self.summaries: dict[tuple[str, tuple[recursion.Known, ...]], recursion.Found] = {}
        self.circles: dict[str, frozenset[str]] | None = None
        self.verdicts: dict[Hashable, Verdict] = {}
        self.polished: dict[Hashable, Smooth | None] = {}
        self.within_term: dict[Term, frozenset[Term]] = {}
        self.alive: list[Facts] = []
        """Facts that verdicts are known by, which must not give their place in memory to others."""
        self.valued: dict[Hashable, Facts] = {}
        self.divisors: dict[Term, list[Term]] = {}
        """What formulas divide by, looked for once."""
        self.places: dict[Term, tuple[Term, tuple[Term, ...]]] = {}
        """Atoms that stand for the element of an array at a place: the cell of the array, the place."""
        self.sums: dict[Term, Sum] = {}
        """Of atoms that are sums: what they are sums of."""
        self.lengths: dict[Term, Grades] = {}
        """Roots of sums of squares that may be 0: the grades of what is squared."""
        self.universal: dict[Cond, Cond] = {}
        """What holds of each element where a condition holds that says `all`."""
        self.branches: dict[object, Branch] = {}
        self.obligations: dict[object, Obligation] = {}
        self.trusted: dict[object, Trusted] = {}
        self.promises: list[Promise] = []
        self.bound: list[tuple[Span | None, str, Mapping[str, Step]]] = []

    # ------------------------------------------------------------ atoms and facts

    def fresh(self, name: str, grades: Grades, bounds: tuple[Interval, Interval] | None = None, *,
              integer: bool = False, cell: bool = False, key: Hashable = None) -> Term:
        """An atom that stands for a value with these grades, and lies in these intervals (`near`, `exact`)."""
        own = key is None
        if own:
            self.counter += 1
            key = ("value", self.counter, name, integer)
        made = atom(key, name, integer)
        if own:
            self.own.add(made)
        if grades:
            self.activity[made] = grades
        elif made in self.activity:
            del self.activity[made]
        if cell:
            self.cells.add(made)
        self.made.append(made)
        if bounds is not None:
            self.within(made, bounds)
        return made

    def within(self, term: Term, bounds: tuple[Interval, Interval]) -> None:
        near, exact = bounds
        if not trivial(near):
            self.near = self.near.within(term, near.lo, near.hi, near.lo_open, near.hi_open)
        if not trivial(exact):
            self.exact = self.exact.within(term, exact.lo, exact.hi, exact.lo_open, exact.hi_open)

    def bounds(self, value: Value) -> tuple[Interval, Interval] | None:
        if value.term is None:
            return None
        return self.near.interval(value.term), self.exact.interval(value.term)

    def ends(self, value: Value) -> tuple[float, float, bool, bool] | None:
        """The interval of a value, for who looks for points in it."""
        if value.term is None:
            return None
        i = self.exact.interval(value.term)
        return float(i.lo), float(i.hi), i.lo_open, i.hi_open

    def active(self, term: Term) -> bool:
        return bool(self.activity.get(term))

    def order(self, term: Term) -> float:
        return order(self.activity.get(term, {}))

    def unknown(self, grades: Grades, of: Iterable[Value], span: Span | None, what: str, t: ir.Type, *,
                bounds: tuple[Interval, Interval] | None = None, shape: tuple[Value, ...] | None = None,
                squares: Grades | None = None, named: bool = False) -> Value:
        """A value that is looked into no further: an atom, or an array with a cell of its own."""
        steps = chains(grades, of, span, what, named)
        if t.dtype == "bool":
            cond = self.undecided(what, grades, cell=t.rank > 0)
            return Value(grades, steps, None, cond, under=grades, shape=shape)
        term = self.fresh(what, grades, bounds, integer=not t.is_float, cell=t.rank > 0)
        return Value(grades, steps, term, shape=shape, squares=squares)

    def next(self) -> int:
        self.counter += 1
        return self.counter

    # ------------------------------------------------------------ functions and blocks

    def function(self, name: str, args: Sequence[Value], span: Span | None) -> list[Value]:
        """The results of a call."""
        found = recursion.call(self, name, args, span)
        if found is not None:
            return found
        if self.left <= 0 or Effort.left < 0 or len(self.where) > DEEPEST:
            return recursion.once(self, name, args, span)
        function = self.program.functions[name]
        if name.startswith(SEARCHES) and not any(v.grades for v in args):
            # Steps of a search that is held fixed: what counts is the equation that its result solves.
            found = [self.unknown({}, (), span, "x", t, shape=args[-1].shape if t.rank else None)
                     for t in function.result_types]
            for v in found:
                v.held = args[-1].held
            return found
        self.left -= len(function.body.stmts)
        self.where.append(name)
        if span is not None:
            self.calls.append(span)
        results = self.block(function.body, dict(zip(function.params, args, strict=True)))
        if span is not None:
            self.calls.pop()
        self.where.pop()
        return results

    def foreign(self, name: str, args: Sequence[Value], span: Span | None, types: Sequence[ir.Type]) -> list[Value]:
        """The results of a function that the definition is given: what its type promises is trusted."""
        given = self.given.get(name) or Given(name, "opaque")
        results = []
        for t in types:
            parts = [at_least(v.grades, given.grade) for v in args]
            grades = joined(parts) if t.is_float else flat(parts)
            results.append(self.unknown(grades, args, span, given.name, t))
        return results

    def size(self, dim: ir.Atom | None, known: dict[ir.Var, Value]) -> Value:
        """A size of a parameter; equal ones are the same."""
        if isinstance(dim, ir.Const):
            return constant(dim)
        if dim is None:
            return self.count()
        if dim not in known:
            known[dim] = self.count()
        return known[dim]

    def count(self) -> Value:
        """A number of elements, of which nothing is known."""
        term = self.fresh("n", {}, integer=True)
        self.near = self.near.within(term, 0, float("inf"))
        self.exact = self.exact.within(term, 0, float("inf"))
        return Value(term=term)

    def block(self, block: ir.Block, env: dict[ir.Var, Value]) -> list[Value]:
        from .promises import around

        marks = around(block)
        for k, stmt in enumerate(block.stmts):
            lenient = marks.get(k)
            if lenient is not None:
                self.lenient.append(lenient)
            values = self.statement(stmt, env)
            if lenient is not None:
                self.lenient.pop()
            for var, value in zip(stmt.vars, values, strict=True):
                env[var] = value
                if not self.quiet and value.steps and stmt.span is not None and not stmt.span.source.shipped:
                    self.bound.append((stmt.span, var.name, value.steps))
        return [polished(self, self.atom(a, env)) for a in block.results]

    def atoms(self, term: Term) -> frozenset[Term]:
        """The atoms of a formula, looked for once."""
        found = self.within_term.get(term)
        if found is None:
            found = self.within_term[term] = atoms(term)
        return found

    def atom(self, atom_: ir.Atom, env: Mapping[ir.Var, Value]) -> Value:
        return env[atom_] if isinstance(atom_, ir.Var) else constant(atom_)

    def statement(self, stmt: ir.Stmt, env: dict[ir.Var, Value]) -> list[Value]:
        from . import derived, loops, promises, rules

        Effort.spend(STATEMENT)
        match stmt.op:
            case ir.Prim(name, args):
                values = [self.atom(a, env) for a in args]
                rule = promises.RULES.get(name)
                if rule is not None:
                    return [rule(self, stmt, values)]
                return [rules.primitive(self, stmt, values)]
            case ir.Call(function, args, types) if function not in self.program.functions:
                return self.foreign(function, [self.atom(a, env) for a in args], stmt.span, types)
            case ir.Call(function, args):
                return self.function(function, [self.atom(a, env) for a in args], stmt.span)
            case ir.If():
                return self.branch(stmt, stmt.op, env)
        dead = self.dead
        match stmt.op:
            case ir.Map():
                found = loops.map_(self, stmt, stmt.op, env)
            case ir.Reduce() | ir.Scan():
                found = loops.fold(self, stmt, stmt.op, env)
            case ir.Loop():
                found = loops.loop(self, stmt, stmt.op, env)
            case ir.Diff():
                found = derived.diff(self, stmt, stmt.op, env)
            case ir.Custom():
                found = derived.custom(self, stmt, stmt.op, env)
        self.dead = dead  # the body may never have run
        return found

    # ------------------------------------------------------------ branches

    def branch(self, stmt: ir.Stmt, op: ir.If, env: dict[ir.Var, Value]) -> list[Value]:
        c = self.atom(op.cond, env)
        cond = c.cond if c.cond is not None else self.undecided("the condition", c.grades)
        near, exact = self.near, self.exact
        there, elsewhere = exact.assume(cond), exact.assume(cond, False)
        if cond == TRUE or elsewhere.impossible:
            return self.block(op.then, dict(env))
        if cond == FALSE or there.impossible:
            return self.block(op.orelse, dict(env))
        before, dead, start = self.recursions, self.dead, len(self.made)
        fixed = not c.grades
        continuous = set(c.under) >= set(c.grades) and all(better(g, "cont") for g in c.under.values())
        self.dead = False
        self.near, self.exact = near.assume(cond if fixed else closure(cond, continuous)), there
        then = self.block(op.then, dict(env))
        inside = self.near, self.exact
        opposite = negate(cond)
        ended, self.dead = not self.dead, False
        self.near, self.exact = near.assume(opposite if fixed else closure(opposite, continuous)), elsewhere
        orelse = self.block(op.orelse, dict(env))
        outside = self.near, self.exact
        self.near, self.exact = near, exact
        self.recall(start)
        recursive = self.recursions > before
        if self.dead and ended:
            self.dead = dead
            return then
        if not ended and not self.dead:
            self.dead = dead
            return orelse
        self.dead = self.dead or dead
        results = []
        for var, a, b in zip(stmt.vars, then, orelse, strict=True):
            v = self.choice(stmt, c, cond, a, b, var.type, recursive, "if", (inside[1], outside[1]), start)
            if v.term is not None and v.term.op == "atom" and a.term is not None and b.term is not None \
                    and v.term is not a.term:
                i, o = [(f.interval(a.term)) for f in inside], [f.interval(b.term) for f in outside]
                self.within(v.term, (hull(i[0], o[0]), hull(i[1], o[1])))
            elif v.term is not None and v.term.op == "select":
                self.keep(a, start, inside)
                self.keep(b, start, outside)
            results.append(v)
        return results

    def keep(self, v: Value, start: int, facts: tuple[Facts, Facts]) -> None:
        """Where atoms of an arm lie that stand for nothing outside of it: formulas of the arm still have them."""
        if v.term is None or facts[1].impossible:
            return
        inside = self.atoms(v.term)
        for made in self.made[start:] if inside else ():
            if made in inside and made in self.own:
                self.within(made, (facts[0].interval(made), facts[1].interval(made)))

    def recall(self, start: int) -> None:
        """Where elements lie that were read since: formulas keep them beyond the arm or the body that read them."""
        for made in self.made[start:]:
            if made in self.places:
                cell, _ = self.places[made]
                self.within(made, (self.near.interval(cell), self.exact.interval(cell)))

    def choice(self, stmt: ir.Stmt, c: Value, cond: Cond, a: Value, b: Value, t: ir.Type, recursive: bool, kind: str,
               facts: tuple[Facts, Facts] | None = None, start: int | None = None) -> Value:
        """`if c then a else b`; `facts` hold in the arms. `recursive`: an arm calls the function itself. `start`: how
        many atoms there were before the arms."""
        shape = same_shape(a, b)
        grades: Grades = joined((a.grades, b.grades))
        if a is b or (t.rank == 0 and a.term is not None and a.term is b.term):
            return Value(grades, chains(grades, (a, b), stmt.span, "if", False), a.term, shape=a.shape,
                         squares=a.squares)
        squares = joined((a.squares, b.squares)) if a.squares is not None and b.squares is not None else None
        span = stmt.span
        if t.dtype == "bool":
            return self.truth(c, cond, a, b, t, shape)
        same = recursion.pushed(self, a, b) if c.grades else None
        if same is not None:
            name, k, passed = same
            args = [self.choice(stmt, c, cond, x, y, kind_, False, kind, facts) for x, y, kind_ in passed]
            return self.function(name, args, span)[k]
        if c.grades:
            moving = set(c.grades)
            unfolded = None
            if t.is_float and not t.rank and start is not None and recursion.calling(self, a, b):
                unfolded = recursion.beside(self, cond, (a, b), set(self.made[:start]))
            if unfolded is not None and unfolded[0].term is not None and unfolded[1].term is not None:
                verdict = self.verdict(cond, unfolded[0].term, unfolded[1].term)
                grades = joined((grades, *(v.grades for v in unfolded)))
            elif not t.is_float or recursive or (t.rank and shape is None) or a.term is None or b.term is None:
                why = "the arms are whole numbers" if not t.is_float else \
                    "an arm calls the function itself" if recursive else "the sizes of the arms may differ"
                verdict = Verdict("jump", False, why, show_condition(cond))
            else:
                verdict = self.verdict(cond, a.term, b.term)
            close = verdict.grade == "cont" and better(worst(grades), "lip") and not pointed(cond) \
                and not steep(a.term) and not steep(b.term)
            if verdict.proved and facts is not None and not better(worst(grades), "lip"):
                # What the arms are up to the boundary is the prover's finding; inside they may be better.
                a, b = opened(self, a, facts[0]), opened(self, b, facts[1])
                grades = joined((a.grades, b.grades))
            grades = self.behind(grades, moving, c, verdict, close)
            span = stmt.span
            if t.is_float:
                self.note_branch(stmt, kind, c, cond, verdict, grades)
            leniently = self.pardon(stmt, verdict, grades, joined((a.grades, b.grades)), moving)
            if leniently is not None:
                grades = leniently
        of = (a, b, deciding(c)) if c.grades else (a, b)
        steps = chains(grades, of, span, f"`{kind}`", False)
        if not t.is_float:
            term: Term | None = None
            if a.term is not None and b.term is not None and t.rank == 0:
                term = select(cond, a.term, b.term)
            elif t.rank or a.term is None:
                term = self.fresh("if", grades, integer=True, cell=t.rank > 0)
            return Value(grades, steps, term, shape=shape)
        term = select(cond, a.term, b.term) if a.term is not None and b.term is not None and \
            (not t.rank or shape is not None) else self.fresh("if", grades, cell=t.rank > 0)
        return Value(grades, steps, term, shape=shape, squares=squares)

    def truth(self, c: Value, cond: Cond, a: Value, b: Value, t: ir.Type, shape: tuple[Value, ...] | None) -> Value:
        """A condition that another one chooses: `a && b` is an `if`."""
        grades = flat((c.grades, a.grades, b.grades))
        under = joined((c.under, a.under, b.under))
        found: Cond | None = None
        if a.cond is not None and b.cond is not None:
            found = disj(conj(cond, a.cond), conj(negate(cond), b.cond))
            if b.cond == FALSE:
                found = conj(cond, a.cond)
            elif a.cond == TRUE:
                found = disj(cond, b.cond)
            if large(found):  # conditions of conditions double with each step
                found = self.undecided("the condition", grades)
        return Value(grades, chains(under, (c, a, b), None, "if", False), None, found, under, shape)

    def undecided(self, name: str, grades: Grades, *, cell: bool = False) -> Unknown:
        """A condition that is not looked into, and moves with these roots; of an array of them that of an element."""
        return Unknown(("bool", self.next()), (self.fresh(name, grades, cell=cell),) if grades or cell else ())

    def verdict(self, cond: Cond, a: Term, b: Term, near: Facts | None = None, effort: int = EFFORT) -> Verdict:
        """What the prover says across the boundary of a condition."""
        near = self.near if near is None else near
        key = (cond, a, b, id(near))
        found = self.verdicts.get(key)
        if found is None:
            found = across(cond, (a,), (b,), near, self.active, self.order, effort)
            if not found.proved and not found.difference:
                found = self.through(cond, a, b, near) or found
            self.verdicts[key] = found
            self.alive.append(near)
        return found

    def through(self, cond: Cond, a: Term, b: Term, near: Facts) -> Verdict | None:
        """What the prover says of the arms as functions of something smooth that the condition compares, `r` in
        `r < 1`: then it does not matter how that moves, as where its slope is 0."""
        sides = [s for s in compared(cond) for s in (s, *s.args) if s.args and s.cond is None]
        inside = set(subterms([a, b]))
        for s in dict.fromkeys(sides):
            if s not in inside or s.op in KINKS or not any(map(self.active, self.atoms(s))) \
                    or any(piece(self, t, near) != "smooth" for t in subterms([s])):
                continue
            grades = at_least(joined(self.activity.get(t, {}) for t in self.atoms(s)), "smooth")
            u = self.fresh(show(s), grades, key=("through", s.id))
            i = near.interval(s)
            known = near.within(u, i.lo, i.hi, i.lo_open, i.hi_open)
            by = {s: u}
            found = across(replaced_in(cond, by), (replaced(a, by),), (replaced(b, by),), known, self.active,
                           self.order, EFFORT // 2)
            if found.proved:
                return found
        return None

    def behind(self, arms: Grades, moving: Iterable[str], c: Value, verdict: Verdict, close: bool) -> Grades:
        """Grades of a branch from those of its arms, in the roots that move its condition; `close`: the arms meet, and
        an infinite slope that the prover sees is none, as that of a root of a sum of squares.
        """
        found = dict(arms)
        for root in moving:
            if verdict.proved:
                here = arms.get(root, "none")
                crossing = "lip" if close else verdict.tight
                if not better(c.under.get(root, "cont"), "cont"):
                    crossing = "jump"
                found[root] = here if crossing in ("none", "affine") else join(here, crossing)
            else:
                found[root] = join(arms.get(root, "none"), "flat")
        return found

    def pardon(self, stmt: ir.Stmt, verdict: Verdict, grades: Grades, arms: Grades, moving: Iterable[str]
               ) -> Grades | None:
        """The grades if somebody around has said that this boundary does not count."""
        if not self.lenient or (verdict.proved and verdict.grade == "smooth"):
            return None
        return {root: join("smooth", arms.get(root, "none")) if root in set(moving) else grade
                for root, grade in grades.items()}

    def note_branch(self, stmt: ir.Stmt, kind: str, c: Value, cond: Cond, verdict: Verdict, grades: Grades) -> None:
        if self.quiet:
            return
        span = self.place(stmt.span)
        key = (kind, id(stmt.op), *self.where[-1:])
        before = self.branches.get(key)
        if before is not None and (not before.proved or better(verdict.grade, before.grade)) and verdict.proved:
            return
        allowed = self.lenient[-1][0] if self.lenient else ""
        roots = self.seen(c.grades)
        self.branches[key] = Branch(
            span, kind, shown_condition(cond), roots, verdict.grade, verdict.proved, verdict.why, verdict.boundary,
            self.where[-1] if self.where else "", dict(c.steps), site=stmt, raw=stmt.span,
            difference=verdict.difference, allowed=allowed,
            tolerance=self.lenient[-1][1] if self.lenient else INFINITE)

    def seen(self, roots: Iterable[str]) -> tuple[str, ...]:
        """Roots as they are called outside of derivatives and functions that are walked by themselves."""
        found: dict[str, None] = {}
        for root in roots:
            found.update(dict.fromkeys(self.seen(self.alias[root]) if root in self.alias else (root,)))
        return tuple(found)

    def place(self, span: Span | None) -> Span | None:
        """Where the user's program is: of something in the library, the call that leads there."""
        if span is not None and span.source.shipped:
            for call in reversed(self.calls):
                if not call.source.shipped:
                    return call
        return span


# ---------------------------------------------------------------- small things


def shown_condition(cond: Cond) -> str:
    """As the source would say it, where that is known."""
    return "the condition" if any(isinstance(part, Unknown) for part in (cond, *getattr(cond, "parts", ()))) \
        else show_condition(cond)


def deciding(c: Value) -> Value:
    """A condition whose chains say how it depends on roots; how smoothly is of no account unless it jumps itself."""
    return Value(c.grades, {root: dependence(step) if better(c.under.get(root, "cont"), "cont") else step
                            for root, step in c.steps.items()})


def dependence(step: Step) -> Step:
    """The chain of a step without its grades."""
    found: Step | None = None
    for link in step.chain():
        found = Step(link.span, link.what, "affine", found)
    assert found is not None
    return found


def constant(const: ir.Const) -> Value:
    if const.dtype == "bool":
        return Value(cond=TRUE if const.value else FALSE)
    value = const.value
    return Value(term=number(value if isinstance(value, float) else int(value)),
                 squares={} if value >= 0 else None)


def flat(several: Iterable[Grades]) -> dict[str, Grade]:
    return {root: "flat" for grades in several for root in grades}


def trivial(i: Interval) -> bool:
    return i.lo == -float("inf") and i.hi == float("inf")


def hull(a: Interval, b: Interval) -> Interval:
    lo, lo_open = min((a.lo, a.lo_open), (b.lo, b.lo_open))
    hi, closed = max((a.hi, not a.hi_open), (b.hi, not b.hi_open))
    return Interval(lo, hi, lo_open, not closed)


def same_shape(a: Value, b: Value) -> tuple[Value, ...] | None:
    """The shape of two arrays that have the same one."""
    if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return None
    if all(m.term is not None and m.term is n.term for m, n in zip(a.shape, b.shape, strict=True)):
        return a.shape
    return None


def grade_function(program: ir.Program, function: str, roots: Sequence[Root | None], span: Span | None, name: str,
                   given: Mapping[str, Given] | None = None, positive: Iterable[str] = ()) -> Graded:
    """The grades of a function of the program; `roots` has one entry to a parameter, None for those held fixed.

    `positive`: roots that are taken to be so, to find out what would follow.
    """
    forget()
    w = Walker(program, given)
    code = program.functions[function]
    known: dict[ir.Var, Value] = {}
    args = []
    for k, p in enumerate(code.params):
        root = roots[k]
        dims = code.dims[k] if k < len(code.dims) else (None,) * p.type.rank
        shape = tuple(w.size(d, known) for d in dims) if p.type.rank else None
        grades: Grades = {} if root is None else {root.name: "affine"}
        v = w.unknown(grades, (), None, p.name if root is None else root.name, p.type, shape=shape)
        if root is not None:
            v.steps = {root.name: Step(root.span, root.name, "affine")}
            if root.name in positive and v.term is not None:
                w.within(v.term, (POSITIVE, POSITIVE))
        if p.type.rank and v.term is not None:
            w.arrays.add(v.term)
        args.append(v)
    w.where.append(function)
    results = w.block(code.body, dict(zip(code.params, args, strict=True)))
    found = joined(v.grades for v in results)
    ends: dict[str, Step] = {}
    for v in results:
        for root_name, step in v.steps.items():
            if v.grades[root_name] == found[root_name]:
                ends.setdefault(root_name, step)
    return Graded(name, span, tuple(r for r in roots if r is not None), shown(found),
                  tuple(shown(v.grades) for v in results), ends,
                  tuple(w.branches.values()), tuple(w.obligations.values()), tuple(w.trusted.values()),
                  tuple(w.promises), tuple(w.bound), function=function, program=program,
                  params=tuple(r.name if r is not None else None for r in roots),
                  searches=frozenset(g.name for g in (given or {}).values() if g.shipped),
                  bounds=lambda: tuple(w.ends(v) for v in args))
