"""Differentiability of dependence: `param` and `data` respected, and no derivative that is lost without a word.

After a definition is typed, its body is evaluated over the abstract values of `flow`: what depends on what,
differentiably or not. Calls are followed into the definitions that they call, with what is actually passed, so a
function needs no annotations for its callers to be checked. Loops run until nothing new is found.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..lang.sizes import SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import Scalar, Type
from . import flow_builtins
from .context import Checker
from .flow import (
    NOTHING,
    TAG,
    Closure,
    Flow,
    Function,
    Known,
    Loss,
    Operation,
    Partial,
    Parts,
    Root,
    Unknown,
    Value,
    axes,
    copied,
    flat,
    has_floats,
    held,
    join,
    lose,
    losses_of,
    parted,
    project,
    rooted,
    smooth_base,
    union,
)
from .result import BuiltinRef, Definition, GlobalRef, LocalRef, SizeRef
from .rounds import Rounds
from .scope import Session

if TYPE_CHECKING:
    from ..lang.surface.terms import Instance

MAX_NESTED = 100
"""Definitions inside each other that are followed; functions that give functions could go on for ever."""
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})


def check_definition(c: Checker, definition: Definition) -> None:
    """Report misuse of `param` and `data`, and derivatives that are lost, in one definition."""
    session = c.session
    walk = Walk(c)
    args: list[Value] = []
    roots: list[list[Root]] = []
    for k, (name, t) in enumerate(zip(definition.param_names, definition.param_types, strict=True)):
        pattern = definition.node.params[k]
        kind = definition.activities[k]
        shown = name if name != "_" else " ".join(pattern.span.text.split())
        if kind == "param" and not has_floats(t):
            c.error("E507", f"`{shown}` is declared `param`, but {c.show(t)} has no derivative", pattern.span,
                    "nothing here can be differentiated", help="remove `param`, or declare it `data`")
        root = Root(next(session.uids), kind, shown, pattern.span)
        roots.append([root])
        if kind == "param" and definition.entry:
            value, roots[-1] = parted(t, root, pattern, session.uids)
            args.append(value)
        else:
            args.append(rooted(t, root))
        for size in axes(t):
            walk.sizes[size] = [*walk.sizes.get(size, ()), *roots[-1]]
        if kind == "data":
            walk.fixed.update((id(v), root) for v in _with_parts(args[-1]))
    if c.failed:
        return
    result = walk.enter(definition, tuple(args))
    if definition.entry and not c.failed:
        _all_reach(c, definition, roots, flat(result))


def _all_reach(c: Checker, definition: Definition, roots: Sequence[Sequence[Root]], result: Flow) -> None:
    """Every `param` of an entry reaches its result differentiably; of other parameters it is noted if they do not."""
    for k, (parts, t) in enumerate(zip(roots, definition.param_types, strict=True)):
        lost = [r for r in parts if r not in result.active]
        if not lost or not has_floats(t):
            continue
        if len(lost) < len(parts):
            named = ", ".join(f"`{root.name}`" for root in lost[:4]) + (", …" if len(lost) > 4 else "")
            message, losses = _unreached(definition, named, lost, result)
            span = lost[0].span if len(lost) == 1 else definition.node.params[k].span
            parts_are = "this part of the gradient is" if len(lost) == 1 else "these parts of the gradient are"
            c.warning("W111", message, span, f"{parts_are} always zero",
                      others=[(loss.span, f"here it is lost: {loss.how}") for loss in losses],
                      help="use what is not used, or make it a parameter of its own, declared `data`")
            continue
        name, pattern = definition.param_names[k], definition.node.params[k]
        shown = name if name != "_" else " ".join(pattern.span.text.split())
        message, losses = _unreached(definition, f"`{shown}`", parts, result)
        if parts[0].kind != "param":
            c.session.tables.flat[definition.qualified, shown] = (message, *((losses[0].span, losses[0].how)
                                                                             if losses else (None, "")))
            continue
        # The definition keeps its meaning: who uses it is checked, and so are grades.
        c.session.report.error("E510", message, pattern.span, "its gradient would be zero",
                               others=[(loss.span, f"here it is lost: {loss.how}") for loss in losses],
                               help="let it enter the result smoothly, or declare it `data`" if losses
                               else "use it, or declare it without `param`")


def _unreached(definition: Definition, named: str, roots: Sequence[Root], result: Flow) -> tuple[str, list[Loss]]:
    """What is to be said of a parameter, or a part of one, that the result does not depend on; the first losses."""
    losses = sorted({loss for root in roots for loss in losses_of(result, root)}, key=lambda loss: loss.start)
    way = " in a differentiable way" if losses else ""
    return f"the result of `{definition.name}` does not depend on {named}{way}", losses[:3]


STEPS = (ast.LetPat, ast.LetFun, ast.LetUpdate, ast.Assert, ast.Assume, ast.Ascribe, ast.Coerce, ast.GradeAscribe,
         ast.Attributed, ast.LocalOpen)
"""What is walked in a loop: each has a body that is its value."""


class Walk:
    """The evaluation of one definition and of what it calls."""

    def __init__(self, c: Checker) -> None:
        self.c = c
        self.session: Session = c.session
        self.calls: list[Span] = []
        self.memo: dict[tuple[int, Definition, tuple[Value, ...]], Value] = {}
        self.instances: dict[tuple[Any, ...], tuple[Flow, list[Value]]] = {}
        """What instances of shapes depend on, by what they are of and by what their names stand for."""
        self.rounds = Rounds()
        self.taken: list[Span] = []
        self.nested = 0
        self.reported: set[tuple[str, int]] = set()
        self.seed = Root(0, "variable", "the seed", Span(c.session.text, 0, 0))
        """What derivative rules are given, to see whether it reaches what they give."""
        self.sizes: dict[SizeVar, list[Root]] = {}
        """Whose axes have these sizes."""
        self.fixed: dict[int, Root] = {}
        """By identity: parameters that are `data`, and their parts. Elements of them, and loops from them, are free."""

    # ------------------------------------------------------------ application

    def enter(self, definition: Definition, args: tuple[Value, ...]) -> Value:
        key = (self.rounds.current, definition, args)
        known = self.memo.get(key)
        if known is None:
            known = self.run_definition(definition, args)
            self.memo[key] = known
        return known

    def run_definition(self, definition: Definition, args: tuple[Value, ...]) -> Value:
        def run(given: tuple[Value, ...]) -> Value:
            if self.nested > MAX_NESTED:
                return union(flat(a) for a in given)
            env: dict[int, Value] = {}
            for p, v in zip(definition.node.params, given, strict=True):
                self.bind(env, p, v)
            self.nested += 1
            result = self.value(env, definition.node.body)
            self.nested -= 1
            return result

        node = definition.node
        if not definition.recursive:
            return run(args)
        return self.rounds.result(node, Known(definition), args, run, lambda: self.own_derivative(node))

    def run_closure(self, f: Closure, args: tuple[Value, ...]) -> Value:
        def run(given: tuple[Value, ...]) -> Value:
            env = dict(f.env)
            for p, v in zip(f.params, given, strict=True):
                self.bind(env, p, v)
            return self.value(env, f.body)

        node = f.recursive
        return run(args) if node is None else self.rounds.result(node, f, args, run, lambda: self.own_derivative(node))

    def own_derivative(self, node: ast.Def | ast.LetFun) -> None:
        self.report("E512", f"`{node.name}` takes its own derivative, so it would need derivatives of every order",
                    self.taken[-1], "the derivative runs through the function that takes it",
                    [(node.name_span, "the function")], "differentiate another function, or say how often in a loop")

    def apply(self, f: Value, args: Sequence[Value], spans: Sequence[Span], span: Span) -> Value:
        """`f` applied to any number of arguments."""
        given, places = tuple(args), tuple(spans)
        while given:
            if isinstance(f, Partial):
                given, places, f = (*f.given, *given), (*f.spans, *places), f.function
            match f:
                case Closure(params=params):
                    arity = len(params)
                case Known(definition):
                    arity = len(definition.node.params)
                    if arity == 0:
                        f = self.enter(definition, ())
                        continue
                case Operation(arity=arity):
                    pass
                case Unknown(flow):
                    return union([flow, *(flat(g) for g in given)])
                case _:
                    return union([flat(f), *(flat(g) for g in given)])
            if len(given) < arity:
                return Partial(f, given, places)
            now, given = given[:arity], given[arity:]
            here, places = places[:arity], places[arity:]
            f = self.call(f, now, here, span)
        return f

    def call(self, f: Function, args: tuple[Value, ...], spans: Sequence[Span], span: Span) -> Value:
        match f:
            case Closure():
                known = f.memo.get((self.rounds.current, args))
                if known is None:
                    known = f.memo[self.rounds.current, args] = self.run_closure(f, args)
                return known
            case Known(definition):
                self.respect(definition, args, spans)
                self.calls.append(span)
                result = self.enter(definition, args)
                self.calls.pop()
                return result
            case Operation(run=run):
                return run(args, span)
            case _:
                return union(flat(a) for a in args)

    def respect(self, definition: Definition, args: tuple[Value, ...], spans: Sequence[Span]) -> None:
        """The callee's `param` and `data`."""
        for k, kind in enumerate(definition.activities):
            if kind == "plain":
                continue
            flow = flat(args[k])
            declared = definition.node.params[k].span
            name = definition.param_names[k]
            if kind == "data":
                moving = sorted((r for r in flow.active if r.kind in ("param", "variable")), key=lambda r: r.uid)
                if moving:
                    root = moving[0]
                    what = f"the `param` `{root.name}`" if root.kind == "param" else \
                        f"`{root.name}`, which is differentiated"
                    self.report("E505", f"`{definition.name}` holds `{name}` fixed, but this depends on {what}",
                                spans[k],
                                "its derivative would be lost here",
                                [(declared, f"`{name}` is declared `data` here"),
                                 (root.span, "the differentiated value comes from here")],
                                f"remove `data` from `{name}`, or pass `stop_grad (…)` where it is meant to be fixed")
            elif flow.active and all(r.kind == "data" for r in flow.active):
                root = min(flow.active, key=lambda r: r.uid)
                self.report("E506", f"`{definition.name}` differentiates `{name}`, but this is data", spans[k],
                            f"comes from `{root.name}` only",
                            [(declared, f"`{name}` is declared `param` here"), (root.span, "declared `data` here")],
                            "remove the qualifier on one side")

    def outside(self, span: Span) -> tuple[Span, str]:
        """The place in the program for one in the library, and how derivatives end in the call there."""
        if not span.source.shipped:
            return span, ""
        user = next((s for s in self.calls if not s.source.shipped), span)
        return user, "it is held fixed inside this call"

    def report(self, code: str, message: str, span: Span, label: str, others: list[tuple[Span, str]],
               help: str) -> None:
        key = (code, span.start)
        if self.rounds.quiet or key in self.reported:
            return
        self.reported.add(key)
        if self.calls:
            others = [*others, (self.calls[0], "in this call")]
            if span.source is not self.calls[0].source:
                span, others = self.calls[0], others[:-1]
        self.c.error(code, message, span, label, others=[o for o in others if o[0].source is span.source], help=help)

    # ------------------------------------------------------------ patterns

    def bind(self, env: dict[int, Value], p: ast.Pattern, v: Value) -> None:
        match p:
            case ast.PName():
                env[self.session.tables.bindings[p].key] = v
            case ast.PAscribe(pattern=inner):
                self.bind(env, inner, v)
            case ast.PTuple(items=items):
                for k, inner in enumerate(items):
                    self.bind(env, inner, project(v, str(k)))
            case ast.PRecord(fields=fields):
                for name, inner in fields:
                    self.bind(env, inner, project(v, name))
            case ast.PConstr(name=name, arguments=arguments):
                for k, inner in enumerate(arguments):
                    self.bind(env, inner, project(v, held(name, k)))
            case _:
                return

    # ------------------------------------------------------------ expressions

    def value(self, env: dict[int, Value], e: ast.Exp) -> Value:
        while isinstance(e, STEPS):
            match e:
                case ast.LetPat(pattern=p, value=v, body=body):
                    self.bind(env, p, self.value(env, v))
                case ast.LetFun(params=params, value=v, body=body):
                    env[self.session.tables.bindings[e].key] = Closure(
                        params, v, env, e if e in self.session.tables.recursive else None)
                case ast.LetUpdate(name=name, value=v, body=body):
                    new = join(self.value(env, name), self.value(env, v))
                    env[self.session.tables.bindings[e].key] = join(new, self.indices(env, e.indices))
                case ast.Assert(body=body):
                    self.value(env, e.condition)
                case ast.Ascribe(operand=body) | ast.Coerce(operand=body) | ast.GradeAscribe(operand=body) \
                        | ast.Assume(body=body) | ast.Attributed(operand=body) | ast.LocalOpen(body=body):
                    pass
            e = body
        return self.plain(env, e)

    def instance(self, env: dict[int, Value], e: ast.Exp, instance: Instance) -> Value:
        """An instance of a shape is walked through where no other of the same types had the same values."""
        plan = instance.found.plan
        values = [env.get(ref.key, NOTHING) for ref in instance.found.locals]
        key = (plan, self.rounds.current, *map(id, values))
        known = self.instances.get(key)
        if known is not None:
            return known[0]
        said = len(self.reported), len(self.session.report.diagnostics)
        result = self.by_form(env, e)
        if isinstance(result, Flow) and said == (len(self.reported), len(self.session.report.diagnostics)) \
                and result.lost <= union(flat(v) for v in values).lost:
            self.instances[key] = result, values  # which are kept, so that their identities stay theirs
        return result

    def plain(self, env: dict[int, Value], e: ast.Exp) -> Value:
        instance = e.__dict__.get("instance")
        if instance is None:
            return self.by_form(env, e)
        result = self.by_form(env, e) if instance.found is None else self.instance(env, e, instance)
        if self.nested == 1:  # in the definition itself; kept for edits
            again = instance.flow is not None and instance.flow[0] is self
            instance.flow = self, None if again else env, result
        return result

    def by_form(self, env: dict[int, Value], e: ast.Exp) -> Value:
        match e:
            case ast.Name():
                return self.name(env, e)
            case ast.Field() if e in self.session.tables.uses:
                return self.name(env, e)
            case ast.Lit():
                return NOTHING
            case ast.Apply(function=f, arguments=arguments):
                function = self.value(env, f)
                args = [self.value(env, a) for a in arguments]
                result = self.apply(function, args, [a.span for a in arguments], e.span)
                return self.typed(e, result, f"becomes {{}} by `{_word(f)}`")
            case ast.BinOp():
                return self.operators(env, e)
            case ast.Index(array=array, indices=indices):
                return join(self.value(env, array), self.indices(env, indices))
            case ast.TupleExp(items=items):
                return Parts(tuple((str(k), self.value(env, i)) for k, i in enumerate(items)))
            case ast.RecordExp(fields=fields):
                return Parts(tuple(sorted(((n, self.value(env, v)) for n, v in fields), key=lambda f: f[0])))
            case ast.ArrayLit(items=items):
                out: Value = NOTHING
                for i in items:
                    out = join(out, self.value(env, i))
                return out
            case ast.Lambda(params=params, body=body):
                return Closure(params, body, env)
            case ast.UnOp(operand=operand):
                return self.value(env, operand)
            case ast.OpSection():
                return self.section(env, e)
            case ast.FieldSection(path=path):
                return Operation(1, lambda args, _: _path(args[0], path))
            case ast.IndexSection(indices=indices):
                chosen = self.indices(env, indices)
                return Operation(1, lambda args, _: join(args[0], chosen))
            case ast.If(condition=condition, then=then, orelse=orelse):
                chosen = lose(self.value(env, condition), condition.span, "it only chooses a branch")
                return join(join(self.value(env, then), self.value(env, orelse)), chosen)
            case ast.Match(scrutinee=scrutinee, cases=cases):
                matched = self.value(env, scrutinee)
                out = NOTHING
                for case in cases:
                    inside = dict(env)
                    self.bind(inside, case.pattern, matched)
                    out = join(join(out, self.value(inside, case.body)), union(looked_at(case.pattern, matched)))
                return out
            case ast.Constr(name=name, arguments=arguments):
                payload = {held(name, k): self.value(env, a) for k, a in enumerate(arguments)}
                known = rooted(self.session.types[e], None)
                names = [n for n, _ in known.items] if isinstance(known, Parts) else list(payload)
                return Parts(tuple((n, payload.get(n, NOTHING)) for n in names))
            case ast.Comprehension(body=body, clauses=clauses):
                inner = dict(env)
                counted: Value = NOTHING
                for clause in clauses:
                    counted = join(counted, self.clause(inner, clause))
                return join(self.value(inner, body), counted)
            case ast.Loop():
                return self.loop(env, e)
            case ast.Field(record=record, name=name):
                return project(self.value(env, record), name)
            case ast.Update(base=base, indices=indices, value=v):
                return join(join(self.value(env, base), self.value(env, v)), self.indices(env, indices))
            case ast.RecordUpdate(base=base, path=path, value=v):
                return _replace(self.value(env, base), path, self.value(env, v))
            case ast.Range():
                ends = [self.value(env, part) for part in (e.start, e.second, e.end) if part is not None]
                return union(lose(end, e.span, "it only bounds a range") for end in ends)
            case _:
                return NOTHING

    def name(self, env: dict[int, Value], e: ast.Node) -> Value:
        use = self.session.tables.uses.get(e)
        match use.target if use is not None else None:
            case LocalRef(key=key):
                return env.get(key, NOTHING)
            case GlobalRef(definition=definition):
                return self.enter(definition, ()) if not definition.node.params else Known(definition)
            case BuiltinRef(name=name):
                return flow_builtins.builtin(self, name, e)
            case SizeRef(var=var):
                return lose(Flow(frozenset(self.sizes.get(var, ()))), e.span, "only the length of an axis is taken")
            case _:
                return NOTHING

    def typed(self, e: ast.Exp, v: Value, how: str) -> Value:
        """Integers and bools carry no derivative."""
        t = self.session.types.get(e)
        if isinstance(v, Flow) and v.active and not smooth_base(t):
            return lose(v, e.span, how.format(_base(t)))
        return v

    def indices(self, env: dict[int, Value], indices: Sequence[ast.IndexArg]) -> Flow:
        flows = []
        for i in indices:
            parts = (i.start, i.stop, i.step) if isinstance(i, ast.Slice) else (i,)
            flows += [lose(self.value(env, p), p.span, "it only chooses an element") for p in parts if p is not None]
        return union(flows)

    def operators(self, env: dict[int, Value], e: ast.BinOp) -> Value:
        spine = [e]
        while isinstance(spine[-1].left, ast.BinOp):
            spine.append(spine[-1].left)
        left = self.value(env, spine[-1].left)
        for node in reversed(spine):
            right = self.value(env, node.right)
            left = self.operator(env, node, left, right)
        return left

    def operator(self, env: dict[int, Value], e: ast.BinOp, left: Value, right: Value) -> Value:
        spans = (e.left.span, e.right.span)
        match e.op:
            case "|>":
                return self.typed(e, self.apply(right, (left,), spans[:1], e.span), "becomes {}")
            case "<|":
                return self.typed(e, self.apply(left, (right,), spans[1:], e.span), "becomes {}")
            case ">->" | "<-<":
                first, second = (left, right) if e.op == ">->" else (right, left)
                return Operation(1, lambda args, span: self.apply(
                    second, (self.apply(first, args, (span,), span),), (span,), span))
        if e in self.session.tables.uses:
            return self.typed(e, self.apply(self.name(env, e), (left, right), spans, e.span), "becomes {}")
        both = union((flat(left), flat(right)))
        if e.op in COMPARISONS:
            return lose(both, e.span, "it is only compared")
        return self.typed(e, both, "becomes {}")

    def section(self, env: dict[int, Value], e: ast.OpSection) -> Value:
        left = self.value(env, e.left) if e.left is not None else None
        right = self.value(env, e.right) if e.right is not None else None
        target = self.name(env, e) if e in self.session.tables.uses else None

        def run(args: tuple[Value, ...], span: Span) -> Value:
            rest = list(args)
            a = left if left is not None else rest.pop(0)
            b = right if right is not None else rest.pop(0)
            if target is not None:
                return self.apply(target, (a, b), (span, span), span)
            both = union((flat(a), flat(b)))
            return lose(both, e.span, "it is only compared") if e.op in COMPARISONS else both

        arity = (left is None) + (right is None)
        return Operation(arity, run) if arity else run((), e.span)

    def clause(self, env: dict[int, Value], clause: ast.ForBelow | ast.ForIn) -> Flow:
        """Bind what the clause binds; what says how often there is something to bind."""
        if isinstance(clause, ast.ForBelow):
            env[self.session.tables.bindings[clause].key] = NOTHING
            return lose(self.value(env, clause.bound), clause.bound.span, "it only says how often")
        self.bind(env, clause.pattern, copied(self.value(env, clause.array)))
        return NOTHING

    def loop(self, env: dict[int, Value], e: ast.Loop) -> Value:
        state = self.value(env, e.init) if e.init is not None else self.pattern_value(env, e.pattern)
        for _ in range(64):
            inner = dict(env)
            self.bind(inner, e.pattern, copied(state))
            chosen = NOTHING
            if isinstance(e.form, ast.While):
                chosen = lose(self.value(inner, e.form.condition), e.form.condition.span, "it only ends the loop")
            else:
                chosen = self.clause(inner, e.form)
            after = join(join(state, self.value(inner, e.body)), chosen)
            if after == state:
                break
            state = after
        return state

    def pattern_value(self, env: dict[int, Value], p: ast.Pattern) -> Value:
        match p:
            case ast.PName():
                return self.name(env, p)
            case ast.PAscribe(pattern=inner):
                return self.pattern_value(env, inner)
            case ast.PTuple(items=items):
                return Parts(tuple((str(k), self.pattern_value(env, i)) for k, i in enumerate(items)))
            case ast.PRecord(fields=fields):
                return Parts(tuple(sorted(((n, self.pattern_value(env, i)) for n, i in fields), key=lambda f: f[0])))
            case _:
                return NOTHING


def looked_at(p: ast.Pattern, v: Value) -> Iterator[Flow]:
    """What a pattern compares: numbers of constructors, and literals."""
    match p:
        case ast.PAscribe(pattern=inner):
            yield from looked_at(inner, v)
        case ast.PTuple(items=items):
            for k, inner in enumerate(items):
                yield from looked_at(inner, project(v, str(k)))
        case ast.PRecord(fields=fields):
            for name, inner in fields:
                yield from looked_at(inner, project(v, name))
        case ast.PConstr(name=name, arguments=arguments):
            yield lose(project(v, TAG), p.span, "it only chooses a case")
            for k, inner in enumerate(arguments):
                yield from looked_at(inner, project(v, held(name, k)))
        case ast.PLit():
            yield lose(v, p.span, "it is only compared")
        case _:
            return


def _with_parts(v: Value) -> list[Value]:
    return [v, *(x for _, part in v.items for x in _with_parts(part))] if isinstance(v, Parts) else [v]


def _path(v: Value, path: Sequence[str]) -> Value:
    for name in path:
        v = project(v, name)
    return v


def _replace(v: Value, path: Sequence[str], new: Value) -> Value:
    if not path:
        return new
    if isinstance(v, Parts):
        return Parts(tuple((n, _replace(x, path[1:], new) if n == path[0] else x) for n, x in v.items))
    return join(v, new)


def _word(e: ast.Exp) -> str:
    text = " ".join(e.span.text.split())
    return text if len(text) <= 24 else text[:23] + "…"


def _base(t: Type | None) -> str:
    from ..lang.types import Array

    while isinstance(t, Array):
        t = t.element
    return "a bool" if t == Scalar("bool") else f"an {t.name}" if isinstance(t, Scalar) else "another type"

