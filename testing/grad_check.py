"""`dad grad-check`: derivatives of entries, and every derivative rule of the program by itself, against differences.

In: a checked program. Out: a finding for each rule, and for each entry, whose derivative differs. The derivatives run
on the interpreter, at the inputs of their test blocks and at random ones; whenever a function with a rule is met
(`ir.Custom`), in values or in derivatives, it is compared there, at the point that it receives, with its surroundings
as they are. So a wrong rule is found where it is, also if its error does not reach the result.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import modules
from ..checker.result import BuiltinRef, Checked, Definition
from ..codegen import interp
from ..codegen.lower import Transform, lower
from ..codegen.lower.rules import paths
from ..codegen.lower.values import Value, from_type, leaves
from ..codegen.passes.differentiate import differentiate
from ..codegen.passes.extremes import extremes
from ..codegen.passes.tail_calls import tail_calls
from ..codegen.runtime.depth import LEVELS, Room
from ..codegen.runtime.errors import DadArgumentError, RunError
from ..lang import types as ty
from ..lang.core import ir
from ..lang.core.walk import scopes
from ..lang.diagnostics.report import Diagnostic, Label, Reporter
from ..lang.source import Source, Span
from ..lang.surface.ast import Attributed
from ..lang.surface.walk import descendants
from .blocks import parse_blocks
from .properties import Drawn, Undrawn
from .runner import Problem, Suite
from .slopes import compare

Array = Any
TOLERANCE = {"f64": 1e-5, "f32": 2e-2, "f16": 0.3}
"""Relative, by the coarsest type met."""
STEPS = 500_000
"""What the interpreter may do for one point."""
POINTS = 40
"""Of one rule in one entry: points that it is compared at."""
COORDINATES = 8
"""Numbers that are changed one at a time; of more, some are, and two random mixtures of all."""
RULES = ("with_jvp", "with_vjp")
ATTEMPTS = 8
"""Random inputs tried for one that gives a finite result."""


@dataclass(frozen=True)
class Options:
    """`tolerance` is relative; by default that of `TOLERANCE`."""

    seed: int = 0
    points: int = 5
    tolerance: float | None = None


@dataclass
class Site:
    """A rule of the program, and what became of it."""

    origin: ir.Origin
    mode: str
    surrogate: bool
    seen: set[bytes] = field(default_factory=set)
    compared: int = 0
    wrong: int = 0
    finding: Mismatch | None = None


@dataclass(frozen=True)
class Mismatch:
    """`given` is what a derivative says at `where`, `expected` what differences say."""

    where: str
    given: float
    expected: float
    at: str


@dataclass
class Report:
    """Findings, and for each entry and rule what was compared."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def grad_check(source: Source, checked: Checked, entries: Sequence[Definition], options: Options) -> Report:
    """Compare all derivatives of these entries. Raises Diagnostics for test blocks that cannot be read."""
    report, reporter = Report(), Reporter()
    blocks = parse_blocks(source, reporter)
    reporter.raise_if_failed()
    loaded = modules.Module(source, "numpy", "grad-check")
    suite = Suite(Path(source.name).parent, {d.name: d for d in checked.entries}, {"numpy": loaded})
    marked = list(surrogates(checked))
    sites: dict[tuple[Span, Span], Site] = {}
    with np.errstate(all="ignore"):
        for definition in entries:
            wrt = varied(definition)
            if not wrt or not floats_in(definition.result_type):
                report.lines.append(f"{definition.name}: nothing to differentiate")
                continue
            given: list[Sequence[Any]] = []
            for block in blocks:
                for case in block.cases:
                    if any(name == definition.name for name, _ in case.entries) and len(given) < options.points:
                        try:
                            given.append(suite.arguments(case, definition))
                        except Problem:
                            continue
            entry = loaded.entries[definition.name]
            Checking(report, checked, definition, wrt, entry, sites, marked, options).run(given)
    for site in sites.values():
        describe(report, site)
    reached = {site.origin.place for site in sites.values()}
    if len(entries) == len(checked.entries):
        for span in written(checked):
            if span not in reached and not inside(span, marked):
                report.diagnostics.append(unreached(span, "no entry reaches it"))
    return report


def written(checked: Checked) -> Iterator[Span]:
    """The places where the program gives functions rules."""
    for definition in checked.definitions.values():
        for node in descendants(definition.node):
            use = checked.uses.get(node)
            target = use.target if use is not None else None
            if isinstance(target, BuiltinRef) and target.name in RULES and not node.span.source.shipped:
                yield node.span


def unreached(span: Span, why: str) -> Diagnostic:
    return Diagnostic("G104", "this derivative rule was not compared", (Label(span, why, primary=True),), (),
                      "write an entry that calls the function, with inputs in a test block", "warning")


def varied(definition: Definition) -> tuple[str, ...]:
    """The parameters that may be differentiated."""
    triples = zip(definition.param_names, definition.param_types, definition.activities, strict=True)
    return tuple(name for name, t, kind in triples if kind != "data" and floats_in(t))


def floats_in(t: ty.Type) -> bool:
    return any(a.type.is_float for a in leaves(form(t)))


def form(t: ty.Type) -> Value:
    return from_type(t, lambda made, _: ir.Var(0, "x", made))


def surrogates(checked: Checked) -> Iterator[Span]:
    """The places marked `#[surrogate]`: definitions and expressions."""
    for definition in checked.definitions.values():
        node = definition.node
        if any(a.text == "surrogate" for a in node.attributes):
            yield node.span
        for inner in descendants(node):
            if isinstance(inner, Attributed) and inner.attribute.text == "surrogate":
                yield inner.span


def inside(span: Span, marked: Sequence[Span]) -> bool:
    return any(m.source is span.source and m.start <= span.start and span.end <= m.end for m in marked)


def describe(report: Report, site: Site) -> None:
    """The line, and the finding if there is one, for a rule."""
    place = site.origin.rule
    name = f"the rule at {place.source.name}:{place.line}"
    if site.surrogate:
        report.lines.append(f"{name}: marked `surrogate`, not compared")
        return
    found = site.finding
    if found is None and not site.compared:
        report.diagnostics.append(unreached(site.origin.place, "differences cannot tell what its slope is"))
        return
    if found is None:
        report.lines.append(f"{name}: agrees at {counted(site.compared, 'point')}")
        return
    what = "`with_jvp`" if site.mode == "jvp" else "`with_vjp`"
    labels = [Label(place, f"{found.where} should be {found.expected:.8g}", primary=True)]
    if site.origin.place != place:
        labels.append(Label(site.origin.place, "it belongs to this function"))
    report.diagnostics.append(Diagnostic(
        "G102", f"the rule of this {what} is wrong: {found.where} is {found.given:.8g}, by differences "
        f"{found.expected:.8g}", tuple(labels),
        (f"at {found.at}", f"wrong at {site.wrong} of {counted(site.compared, 'point')}"),
        "correct the rule; where another derivative is meant, write `#[surrogate]` before the function"))


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


# ---------------------------------------------------------------- vectors of floats


def flat(values: Sequence[Array]) -> Array:
    """All floats of some values, one after the other."""
    parts = [np.ravel(np.asarray(v)).astype(float) for v in values if is_float(v)]
    return np.concatenate(parts) if parts else np.zeros(0)


def is_float(value: Array) -> bool:
    return np.asarray(value).dtype.kind == "f"


def shifted(values: Sequence[Array], by: Array) -> list[Array]:
    """The values with `by` added to their floats."""
    made, start = [], 0
    for v in values:
        if is_float(v):
            v = np.asarray(v)
            part = by[start:start + v.size].reshape(v.shape)
            start += v.size
            v = (v.astype(float) + part).astype(v.dtype)[()]
        made.append(v)
    return made


def like(values: Sequence[Array], vector: Array) -> list[Array]:
    """The vector's numbers in the shapes of the floats of `values`."""
    zeros = [np.zeros_like(v) for v in values if is_float(v)]
    return shifted(zeros, vector)


def labels_of(values: Sequence[Array], names: Sequence[str]) -> list[str]:
    """What each float of the values is called."""
    found: list[str] = []
    for v, name in zip(values, names, strict=True):
        if is_float(v):
            shape = np.shape(v)
            found += [name + (f"[{', '.join(map(str, i))}]" if i else "") for i in np.ndindex(*shape)]
    return found


def tolerance_of(values: Sequence[Array], options: Options) -> tuple[float, float]:
    """The tolerance, and how values are rounded, by the coarsest type of floats among these."""
    sizes = [np.asarray(v).dtype.itemsize for v in values if is_float(v)]
    name = {8: "f64", 4: "f32", 2: "f16"}[min(sizes, default=8)]
    rounding = {"f64": 2.0**-52, "f32": 2.0**-23, "f16": 2.0**-10}[name]
    return TOLERANCE[name] if options.tolerance is None else options.tolerance, rounding


def shown(values: Sequence[Array], names: Sequence[str], limit: int = 6) -> str:
    """`x = 1.5, y[0] = 2`: the numbers of a point, as many as are good to read."""
    texts: list[str] = []
    for v, name in zip(values, names, strict=True):
        array = np.asarray(v)
        for i in np.ndindex(*array.shape):
            if len(texts) == limit:
                return ", ".join(texts) + ", …"
            place = f"[{', '.join(map(str, i))}]" if i else ""
            number = array[i].item()
            texts.append(f"{name or 'x'}{place} = {number:.6g}" if isinstance(number, float)
                         else f"{name or 'x'}{place} = {str(number).lower()}")
    return ", ".join(texts) or "its only point"


def directions(count: int, draw: np.random.Generator) -> list[tuple[int | None, Array]]:
    """Coordinates to go along, by number, and random mixtures where there are too many."""
    chosen = list(range(count)) if count <= COORDINATES else sorted(draw.choice(count, COORDINATES - 2, replace=False))
    found: list[tuple[int | None, Array]] = [(int(k), np.eye(1, count, int(k))[0]) for k in chosen]
    if count > COORDINATES:
        found += [(None, draw.standard_normal(count)) for _ in range(2)]
    return found


def first_step(x: Array, k: int | None) -> float:
    size = abs(float(x[k])) if k is not None else float(np.median(np.abs(x)))
    return 0.1 * max(size, 0.1) * (1 if k is not None else 0.3)


# ---------------------------------------------------------------- one entry


class Checking:
    """The comparisons of one entry."""

    def __init__(self, report: Report, checked: Checked, definition: Definition, wrt: tuple[str, ...], entry: Any,
                 sites: dict[tuple[Span, Span], Site], marked: Sequence[Span], options: Options) -> None:
        self.report, self.definition, self.wrt, self.entry = report, definition, wrt, entry
        self.sites, self.marked, self.options, self.flat = sites, marked, options, checked.flat
        transforms = [Transform(definition.name, "jvp", wrt), Transform(definition.name, "vjp", wrt)]
        lowered = lower(checked, transforms, [definition])
        self.program = differentiate(tail_calls(extremes(lowered.program)))
        self.primal = lowered.entries[definition.qualified]
        self.jvp, self.vjp = (lowered.transforms[t] for t in transforms)
        self.names: list[str] = []
        self.active: list[bool] = []
        for name, t in zip(definition.param_names, definition.param_types, strict=True):
            made = form(t)
            self.names += paths(made, name)
            self.active += [name in wrt and a.type.is_float for a in leaves(made)]
        self.results = list(paths(form(definition.result_type), "result"))
        self.draw = np.random.default_rng(options.seed)
        self.mine: dict[int, Site] = {}
        self.budget: dict[int, int] = {}
        self.findings: list[Mismatch] = []
        self.special: Mismatch | None = None
        """Something that differs at a point, but not very near it."""
        self.compared = 0
        self.slow = False
        """Whether an input was left out because it takes the interpreter too long."""

    def run(self, given: Sequence[Sequence[Any]]) -> None:
        points = 0
        for values in given:
            points += self.attempt(values)
        tried = 0
        while points < self.options.points and tried < ATTEMPTS * self.options.points:
            try:
                values = self.random(given, tried)
            except Undrawn as problem:
                self.report.lines.append(f"{self.definition.name}: {problem}" if not given else
                                         f"{self.definition.name}: at the inputs of its tests alone")
                break
            points += self.attempt(values)
            tried += 1
        self.conclude(points)

    def random(self, given: Sequence[Sequence[Any]], tried: int) -> Sequence[Any]:
        """Arguments near given ones, or made up; every other time without negative numbers."""
        if given and tried % 3:
            near = self.entry.inputs.converted(self.entry.parts(list(given[tried % len(given)])))
            noise = [self.draw.standard_normal(np.shape(v)) for v in near]
            return Ready([(np.asarray(v) * (1 + 0.3 * e) + 0.05 * e).astype(np.asarray(v).dtype)[()] if a else v
                          for v, e, a in zip(near, noise, self.active, strict=True)])
        drawn = Small(self.draw, 4, positive=tried % 2 == 1)
        return [drawn.value(t) for t in self.definition.param_types]

    def attempt(self, values: Sequence[Any]) -> bool:
        """Compare at one point; whether there was something finite to compare."""
        try:
            args = list(values) if isinstance(values, Ready) else \
                self.entry.inputs.converted(self.entry.parts(list(values)))
            if not np.all(np.isfinite(flat(self.entry.run(self.entry.function, args)))):
                return False
            results = self.call(self.primal, args)
            found = self.entry_point(args, results)
            if found and not self.entry_point(*self.beside(args)):
                self.special = self.special or found[0]
            else:
                self.findings += found
            return True
        except interp.OutOfSteps:
            self.slow = True
            return False
        except (RunError, DadArgumentError):
            return False

    def beside(self, args: Sequence[Array]) -> tuple[list[Array], tuple[Array, ...]]:
        """A point very near another one, and the results there."""
        made = []
        for v, active in zip(args, self.active, strict=True):
            e = self.draw.standard_normal(np.shape(v)) * 1e-3
            made.append((np.asarray(v) * (1 + e) + e).astype(np.asarray(v).dtype)[()] if active else v)
        return made, self.call(self.primal, made)

    def call(self, function: str, args: Sequence[Array]) -> tuple[Array, ...]:
        f = self.program.functions[function]
        env = dict(zip(f.params, [interp.argument(p, a) for p, a in zip(f.params, args, strict=True)], strict=True))
        steps = interp.Steps(STEPS)
        with Room(interp.FRAMES * LEVELS):
            return Watched(self, self.program, env, steps).block(f.body)

    # ------------------------------------------------------------ the entry as a whole

    def entry_point(self, args: list[Array], results: Sequence[Array]) -> list[Mismatch]:
        """What differs at one point."""
        findings: list[Mismatch] = []
        picked = [a for a, active in zip(args, self.active, strict=True) if active]
        names = labels_of(picked, [n for n, active in zip(self.names, self.active, strict=True) if active])
        x, y = flat(picked), flat(results)
        tolerance, rounding = tolerance_of([*picked, *results], self.options)
        weights = np.ones(1) if y.size == 1 else self.draw.standard_normal(y.size)
        back = flat(self.call(self.vjp, [*args, *like(results, weights)])[len(results):])
        outputs = labels_of(results, self.results)

        def moved(direction: Array, t: float) -> Array:
            rest = iter(shifted(picked, t * direction))
            here = [next(rest) if active else a for a, active in zip(args, self.active, strict=True)]
            try:
                return flat(self.entry.run(self.entry.function, here))
            except RunError:
                return np.full(y.shape, np.nan)

        for k, direction in directions(x.size, self.draw):
            ahead = flat(self.call(self.jvp, [*args, *like(picked, direction)])[len(results):])

            def along(t: float, direction: Array = direction) -> Array:
                out = moved(direction, t)
                return np.concatenate([out, [out @ weights]]) if out.shape == y.shape else np.full(y.size + 1, np.nan)

            verdict = compare(along, first_step(x, k), np.concatenate([ahead, [back @ direction]]), tolerance,
                              rounding)
            if verdict is None:
                continue
            self.compared += 1
            for bad in np.flatnonzero(verdict.wrong):
                to = names[k] if k is not None else "a mixture of all numbers"
                what = f"the derivative of `{outputs[bad]}` with respect to `{to}`, in forward mode," \
                    if bad < y.size else f"the derivative with respect to `{to}`, in reverse mode,"
                number = ahead[bad] if bad < y.size else back @ direction
                findings.append(Mismatch(what, float(number), float(verdict.expected[bad]), shown(args, self.names)))
                break
        return findings

    def conclude(self, points: int) -> None:
        name = self.definition.name
        if not points and self.slow:
            self.report.lines.append(f"{name}: takes too long to be compared; give it a test block with smaller inputs")
            return
        if not points:
            span = self.definition.node.name_span
            self.report.diagnostics.append(Diagnostic(
                "G103", f"no input was found at which `{name}` has a finite value",
                (Label(span, "not compared", primary=True),), (), "give it a test block with inputs", "warning"))
            return
        wrong = any(site.finding is not None for site in self.mine.values())
        replaced = any(site.surrogate for site in self.mine.values())
        if self.findings and not wrong:
            stopped = next((s for s in stops(self.program)), None)
            if replaced or stopped is not None:
                why = "functions marked `surrogate`" if stopped is None else f"`stop_grad` in line {stopped.line}"
                self.report.lines.append(f"{name}: not compared as a whole, because of {why}")
                return
            self.report.diagnostics.append(self.differs(self.findings[0]))
            return
        if self.special is not None and not (wrong or replaced):
            found = self.special
            where = Label(self.definition.node.name_span, "in this entry", primary=True)
            self.report.diagnostics.append(Diagnostic(
                "G101", f"the derivative of `{name}` differs at one point: {found.where} is {found.given:.8g}, by "
                f"differences {found.expected:.8g}", (where,),
                (f"at {found.at}", "very near this point derivatives agree with differences"),
                "a branch, or a loop that ends early, may hide there what the result depends on", "warning"))
        if not wrong:
            self.report.lines.append(f"{name}: derivatives agree with differences at {counted(points, 'point')}")

    def differs(self, found: Mismatch) -> Diagnostic:
        reasons = [self.flat.get((self.definition.qualified, name)) for name in self.wrt]
        known = [reason for reason in reasons if reason is not None]
        help = "let it enter smoothly; `solve f x0` has the derivative of a solution, however that is found" \
            if known else "if the program is smooth there, this is a mistake in Dad: please report it"
        return Diagnostic(
            "G101", f"the derivative of `{self.definition.name}` differs: {found.where} is {found.given:.8g}, by "
            f"differences {found.expected:.8g}",
            (Label(self.definition.node.name_span, "in this entry", primary=True),), (f"at {found.at}", *known), help)

    # ------------------------------------------------------------ a rule

    def rule_point(self, run: interp.Run, op: ir.Custom, results: Sequence[Array]) -> None:
        origin = op.origin
        assert origin is not None
        key = (origin.place, origin.rule)
        site = self.sites.get(key)
        if site is None:
            surrogate = inside(origin.place, self.marked) or inside(origin.rule, self.marked)
            site = self.sites[key] = Site(origin, op.mode, surrogate)
        self.mine[id(site)] = site
        left = self.budget.get(id(site), POINTS)
        args = run.values(op.args)
        mark = b"".join(np.asarray(a).tobytes() for a in args)
        if site.surrogate or not left or mark in site.seen or not np.all(np.isfinite(flat([*args, *results]))):
            return
        self.budget[id(site)] = left - 1
        site.seen.add(mark)
        found = self.compared_rule(run, op, args, results)
        site.compared += found is not None
        if found:
            site.wrong += 1
            site.finding = site.finding or found[0]

    def compared_rule(self, run: interp.Run, op: ir.Custom, args: Sequence[Array], results: Sequence[Array]
                      ) -> list[Mismatch] | None:
        origin = op.origin
        assert origin is not None
        x, y = flat(args), flat(results)
        inputs, outputs = labels_of(args, origin.args), labels_of(results, origin.results)
        tolerance, rounding = tolerance_of([*args, *results], self.options)

        def ruled(seed: Array) -> Array:
            seeds = like(args if op.mode == "jvp" else results, seed)
            return flat(self.local(run).apply(op.rule, [*args, *results, *seeds]))

        def function(direction: Array, t: float) -> Array:
            try:
                out = flat(self.local(run).apply(op.body, shifted(args, t * direction)))
            except (RunError, interp.OutOfSteps):
                return np.full(y.shape, np.nan)
            return out if out.shape == y.shape else np.full(y.shape, np.nan)

        def along(direction: Array, t: float) -> Array:
            return function(direction, t) if op.mode == "jvp" else weights @ function(direction, t)

        if op.mode == "vjp":
            if y.size <= COORDINATES:
                weights, called = np.eye(y.size), [of(name, "dy") for name in outputs]
            else:
                weights, called = self.draw.standard_normal((3, y.size)), ["a mixture of all numbers"] * 3
            backs = [ruled(w) for w in weights]
        found: list[Mismatch] = []
        told = 0
        at = shown(args, ["x" + name for name in origin.args])
        for k, direction in directions(x.size, self.draw):
            to = "a mixture of all numbers" if k is None else of(inputs[k], "x")
            given = ruled(direction) if op.mode == "jvp" else np.array([back @ direction for back in backs])
            verdict = compare(partial(along, direction), first_step(x, k), given, tolerance, rounding)
            if verdict is None:
                continue
            told += 1
            for bad in np.flatnonzero(verdict.wrong):
                if op.mode == "jvp":
                    where = f"{of(outputs[bad], 'the tangent of the result')} when {to} changes"
                else:
                    where = f"{of('' if k is None else inputs[k], 'the cotangent of x')} for {called[bad]} = 1" \
                        if k is not None and y.size <= COORDINATES else f"the cotangent of {to}, along {called[bad]},"
                found.append(Mismatch(where, float(given[bad]), float(verdict.expected[bad]), at))
        return found if told else None

    def local(self, run: interp.Run) -> interp.Run:
        """To run a part once more, with what surrounds it, but without notes taken."""
        return interp.Run(self.program, dict(run.env), interp.Steps(STEPS))


def of(path: str, what: str) -> str:
    return f"{what}{path}" if not path or path[0] in ".[" else f"{what} {path}"


def stops(program: ir.Program) -> Iterator[Span]:
    """Where the program itself, not the library, holds something fixed."""
    pending = [f.body for f in program.functions.values()]
    while pending:
        for stmt in pending.pop().stmts:
            if isinstance(stmt.op, ir.Prim) and stmt.op.name == "stop_grad" and stmt.span is not None \
                    and not stmt.span.source.shipped:
                yield stmt.span
            pending.extend(inner for _, inner in scopes(stmt.op))


class Watched(interp.Run):
    """A run that tells of every function with a rule that it meets."""

    def __init__(self, checking: Checking, program: ir.Program, env: interp.Env, steps: interp.Steps) -> None:
        super().__init__(program, env, steps)
        self.checking = checking

    def op(self, op: ir.Op) -> tuple[Array, ...]:
        if isinstance(op, ir.Call):
            function = self.program.functions[op.function]
            env = dict(zip(function.params, self.values(op.args), strict=True))
            self.steps.depth += 1
            results = Watched(self.checking, self.program, env, self.steps).block(function.body)
            self.steps.depth -= 1
            return results
        return super().op(op)

    def custom(self, op: ir.Custom) -> tuple[Array, ...]:
        results = super().custom(op)
        if op.origin is not None:
            self.checking.rule_point(self, op, results)
        return results


class Ready(list[Any]):
    """Arguments as leaves already."""


class Small(Drawn):
    """Random values for entries: sizes from 1, floats of all usual magnitudes."""

    def __init__(self, generator: np.random.Generator, size: int, positive: bool) -> None:
        super().__init__(generator, size)
        self.positive = positive

    def length(self, size: str) -> int:
        if size.isidentifier():
            return self.sizes.setdefault(size, int(self.generator.integers(1, self.size + 1)))
        return super().length(size)

    def scalars(self, name: str, shape: tuple[int, ...]) -> Any:
        made = np.asarray(super().scalars(name, shape))
        if name in ty.FLOATS:
            scale = self.generator.choice([0.1, 1.0, 3.0])
            made = np.asarray(self.generator.normal(0.0, scale, shape)).astype(made.dtype)
        if self.positive and name != "bool":
            made = np.abs(made)
        return made if shape else made[()]
