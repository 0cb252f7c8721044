"""Expressions to values: one case to a form of the syntax.

Chains that programs write long (lets, operators) are walked in loops; only nesting recurses.
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from ...checker.result import BuiltinRef, GlobalRef, LocalRef, SizeRef, Use
from ...lang import types as ty
from ...lang.core import ir
from ...lang.core.build import i64
from ...lang.core.ir import Atom, Lambda
from ...lang.sizes import Size, SizeVar
from ...lang.source import Span
from ...lang.surface import ast
from ...lang.surface.build_grades import PROPERTIES
from . import access, ranges, sums, tables
from .builtins import BINARY, arithmetic, builtin_value, loop_over, unary, wrapped
from .choice import branch, ragged_branch
from .frame import Frame
from .functions import apply, closure, definition_value, stuck
from .patterns import as_i64, axes, bind, bind_key, open_sizes, project
from .promises import assumed, promised
from .values import UNIT, FunV, RecV, TupV, Value, from_type, leaves, rebuild, the_atom


def expression(f: Frame, e: ast.Exp) -> Value:
    """The value of `e`; statements that compute it are written to the frame's block."""
    rows: set[ast.Exp] | None = None
    while True:  # lets, one after another
        match e:
            case ast.LetPat(sizes=binders, pattern=pattern, value=value, body=body):
                if rows is None:
                    rows = tables.let_rows(f, e)
                if e in rows:
                    e = body
                    continue
                v = expression(f, value)
                if binders:
                    wanted = [u.target.var for u in (f.checked.uses.get(b) for b in binders)
                              if u is not None and isinstance(u.target, SizeRef)]
                    open_sizes(f, [(f.concrete(f.checked.patterns[pattern]), v)], wanted)
                bind(f, pattern, v)
                e = body
            case ast.LetFun(params=params, value=value, body=body):
                bind_key(f, f.checked.bindings[e].key, closure(f, e, params, value))
                e = body
            case ast.LetUpdate(name=name, indices=indices, value=value, body=body):
                base = expression(f, name)
                new = access.update(f, e, name.name, base, index_args(f, indices), expression(f, value))
                bind_key(f, f.checked.bindings[e].key, new)
                e = body
            case ast.Assert(condition=condition, body=body):
                c = the_atom(expression(f, condition))
                f.at(condition.span).prim("assert", c, what=f"assertion failed: {on_one_line(condition.span.text)}")
                e = body
            case ast.GradeAscribe() if f.specialiser.promises:
                break
            case ast.Ascribe(type=written) if written in f.checked.contracts:
                break
            case ast.Ascribe(operand=operand) | ast.GradeAscribe(operand=operand) | ast.Attributed(operand=operand):
                e = operand
            case ast.Assume(grade=grade, body=body):
                if f.specialiser.promises:
                    assumed(f, e, PROPERTIES[grade.name], partial(expression, f))
                e = body
            case ast.LocalOpen(body=body):
                e = body
            case _:
                break
    result = plain(f, e)
    opened = f.checked.opened.get(e)
    if opened:
        open_sizes(f, [(f.type_of(e), result)], opened)
    return result


def plain(f: Frame, e: ast.Exp) -> Value:
    if f.given and e in f.given:
        return f.given[e]
    match e:
        case ast.Lit(value=value):
            t = f.type_of(e)
            dtype = t.name if isinstance(t, ty.Scalar) else "f64"
            return ir.Const(float(value) if dtype in ir.FLOATS else wrapped(value, dtype), dtype)
        case ast.Text(value=text):
            return string(f, text)
        case ast.Name():
            return use_value(f, f.checked.uses[e], e.span)
        case ast.Field() if e in f.checked.uses:
            return use_value(f, f.checked.uses[e], e.span)
        case ast.TupleExp(items=items):
            return TupV(tuple([expression(f, i) for i in items]))
        case ast.RecordExp(fields=fields):
            given = [(name, expression(f, v)) for name, v in fields]
            return RecV(tuple(sorted(given, key=lambda field: field[0])))
        case ast.ArrayLit(items=items):
            return array_literal(f, e, items)
        case ast.Comprehension(body=body, clauses=clauses):
            return comprehension(f, f.type_of(e), clauses, body)
        case ast.Apply(function=function, arguments=arguments):
            # Arguments first: the function's instance may need sizes that they open.
            args = [argument(f, a) for a in arguments]
            fun = expression(f, function)
            f.at(e.span)
            if f.specialiser.promises:
                f.specialiser.applied = fun, [a.span for a in arguments]
            return apply(f, fun, args)
        case ast.BinOp(op="<|", left=function, right=given) if e not in f.checked.uses:
            x = argument(f, given)
            return apply(f, expression(f, function), [x])
        case ast.BinOp():
            return operators(f, e)
        case ast.UnOp(op=op, operand=operand):
            x = expression(f, operand)
            return unary(f.at(e.span), op, the_atom(x))
        case ast.OpSection():
            return section(f, e)
        case ast.FieldSection(path=path):
            return FunV(1, ("field", path), (), lambda g, _, args: project(args[0], path))
        case ast.IndexSection(indices=indices):
            return index_section(f, e, indices)
        case ast.Lambda(params=params, body=body):
            return closure(f, e, params, body)
        case ast.If(condition=condition, then=then, orelse=orelse):
            cond = the_atom(expression(f, condition))
            choose = ragged_branch if f.checked.opened.get(e) else branch
            return choose(f, cond, lambda g: expression(g, then), lambda g: expression(g, orelse), e.span)
        case ast.Loop():
            return loop(f, e)
        case ast.Constr(name=name, arguments=arguments):
            return sums.construct(f, f.type_of(e), name, [expression(f, a) for a in arguments])
        case ast.Match(scrutinee=scrutinee, cases=cases):
            return sums.match(f, e, expression(f, scrutinee), [c.pattern for c in cases],
                              [partial(run_body, body=c.body) for c in cases])
        case ast.Index(array=array, indices=indices):
            return access.index(f, e, array.span.text, expression(f, array), index_args(f, indices))
        case ast.Field(record=record, name=name):
            return project(expression(f, record), (name,))
        case ast.Update(base=base, indices=indices, value=value):
            x = expression(f, base)
            return access.update(f, e, base.span.text, x, index_args(f, indices), expression(f, value))
        case ast.RecordUpdate(base=base, path=path, value=value):
            return record_update(expression(f, base), path, expression(f, value))
        case ast.Ascribe(operand=operand, type=written):
            v = expression(f, operand)
            text = on_one_line(operand.span.text)
            text = text if len(text) <= 40 else text[:39] + "…"
            ranges.check(f, f.checked.contracts[written], v, f.type_of(e), text, "", e.span)
            return v
        case ast.GradeAscribe(operand=operand, grades=grades, names=names):
            v, of = expression(f, operand), [(name.span.text, expression(f, name)) for name in names]
            for grade in grades:
                v = promised(f, v, grade, of, e.span)
            return v
        case ast.Coerce(operand=operand):
            return coerce(f, e, expression(f, operand))
        case ast.Range():
            return range_value(f, e)
        case _:
            raise stuck(e.span, "E690", "this cannot be compiled yet", "here", "see `dad explain E690`")


def run_body(g: Frame, body: ast.Exp) -> Value:
    return expression(g, body)


def argument(f: Frame, e: ast.Exp) -> Value:
    """An argument; when its value serves as a size, the size is known from here on."""
    value = expression(f, e)
    note_size(f, e, value)
    return value


def note_size(f: Frame, e: ast.Exp, value: Value) -> None:
    for var in f.specialiser.sizes_of_expression(e):
        f.sizes[var] = as_i64(f, the_atom(value))


def use_value(f: Frame, use: Use, span: Span) -> Value:
    match use.target:
        case LocalRef(key=key):
            value = f.local(key)
            if isinstance(value, FunV) and value.generic is not None and (use.types or use.sizes):
                return value.generic(value, f, use, span)
            return value
        case GlobalRef(definition=definition):
            f.at(span)
            return definition_value(f, definition, use, span)
        case BuiltinRef(name=name, dtype=dtype):
            return builtin_value(f, name, dtype, use, span)
        case SizeRef(var=var):
            return f.size_atom(var)


# ---------------------------------------------------------------- records, arrays


def record_update(value: Value, path: Sequence[str], new: Value) -> Value:
    if not path:
        return new
    if isinstance(value, TupV):
        at = int(path[0])
        items = value.items
        return TupV((*items[:at], record_update(items[at], path[1:], new), *items[at + 1:]))
    assert isinstance(value, RecV)
    return RecV(tuple([(n, record_update(v, path[1:], new) if n == path[0] else v) for n, v in value.fields]))


def array_literal(f: Frame, e: ast.ArrayLit, items: Sequence[ast.Exp]) -> Value:
    if not items:
        t = f.type_of(e)

        def empty(t: ir.Type, sizes: tuple[Size, ...]) -> Atom:
            return f.b.full(ir.Const(0.0 if t.is_float else t.dtype != "bool" and 0, t.dtype), f.shape(sizes))

        return from_type(t, empty)
    rows_of_tables = tables.items(f, items)
    if rows_of_tables is not None:
        return rows_of_tables
    rows = [expression(f, i) for i in items]
    columns = zip(*(leaves(r) for r in rows), strict=True)
    f.at(e.span)
    return rebuild(rows[0], iter([f.b.prim("stack", *column, as_="xs") for column in columns]))


def string(f: Frame, text: str) -> Atom:
    """The bytes of a string in UTF-8."""
    content = text.encode()
    if not content:
        return f.b.full(ir.Const(0, "u8"), [i64(0)])
    return f.b.prim("stack", *(ir.Const(byte, "u8") for byte in content), as_="text")


def on_one_line(text: str) -> str:
    """An operand as it is quoted in a message: without the parentheses around it."""
    words = " ".join(text.split())
    return words[1:-1] if words.startswith("(") and words.endswith(")") else words


def coerce(f: Frame, e: ast.Coerce, value: Value) -> Value:
    """`e :> t`: every axis whose size is known from `t` is compared; sizes that only `t` names are read off."""
    b = f.at(e.span)
    t = f.type_of(e)
    unknown = {a for s in ty.sizes_of(t) for a in s.atoms()
               if isinstance(a, SizeVar) and not a.fixed and a not in f.sizes}
    open_sizes(f, [(t, value)], unknown)
    for size, atom, axis in axes(t, value):
        if not isinstance(atom, ir.Const):
            b.prim("check_equal", b.dim(atom, axis), f.size(size), what=f"axis {axis} must have size {size}")
    return value


def index_args(f: Frame, indices: Sequence[ast.IndexArg]) -> list[access.IndexArg]:
    made: list[access.IndexArg] = []
    for i in indices:
        if isinstance(i, ast.Slice):
            start, stop, step = (None if part is None else as_i64(f, the_atom(expression(f, part)))
                                 for part in (i.start, i.stop, i.step))
            made.append(access.SliceArg(i, start, stop, step))
        else:
            made.append(access.PlainArg(i, as_i64(f, the_atom(expression(f, i)))))
    return made


def index_section(f: Frame, e: ast.IndexSection, indices: Sequence[ast.IndexArg]) -> FunV:
    args = index_args(f, indices)
    atoms = tuple(a for arg in args for a in arg.atoms())

    def invoke(g: Frame, captured: tuple[Value, ...], values: list[Value]) -> Value:
        supply = iter([the_atom(c) for c in captured])
        return access.index(g, e, "the array", values[0], [a.over(supply) for a in args])

    return FunV(1, ("index", id(e)), atoms, invoke)


def comprehension(f: Frame, t: ty.Type, clauses: Sequence[ast.ForBelow | ast.ForIn], body: ast.Exp) -> Value:
    if not clauses:
        return expression(f, body)
    assert isinstance(t, ty.Array)
    first, rest = clauses[0], clauses[1:]
    match first:
        case ast.ForBelow(bound=bound):
            count = the_atom(expression(f, bound))
            length = f.b.prim("check_size", as_i64(f, count), what=bound.span.text)
            rows: Value = f.at(first.span).prim("iota", length, as_="is")
            dtype = count.type.dtype
        case ast.ForIn(array=array):
            rows = expression(f, array)
            dtype = "i64"

    def row(g: Frame, element: Value) -> Value:
        match first:
            case ast.ForBelow():
                i = the_atom(element)
                bind_key(g, g.checked.bindings[first].key, i if dtype == "i64" else g.b.prim("cast", i, to=dtype))
            case ast.ForIn(pattern=pattern):
                bind(g, pattern, element)
        return comprehension(g, t.element, rest, body)

    return loop_over(f, [rows], t.element, lambda g, elements: row(g, elements[0]))


def range_value(f: Frame, e: ast.Range) -> Value:
    """`a..b..<c` is `a + i*(b-a)` for i below the number of steps that stay on this side of the end.

    As in Futhark a range goes the way its form says, and its end does not lie behind its start.
    """
    start = the_atom(expression(f, e.start))
    second = None if e.second is None else the_atom(expression(f, e.second))
    end = the_atom(expression(f, e.end))
    b = f.at(e.span)
    text = on_one_line(e.span.text)

    def ahead(what: str, x: Atom, y: Atom) -> None:
        b.prim("assert", b.prim("le", x, y), what=f"Range {text} is invalid: it {what}")

    def wide(x: Atom) -> Atom:
        return as_i64(f, x)

    if second is None:
        down = e.kind == "..>"
        first, last = (end, start) if down else (start, end)
        count = b.prim("check_size", b.sub(wide(last), wide(first)), what=f"Range {text} is invalid")
        if e.kind == "...":
            count = b.add(count, i64(1))
        i = b.prim("iota", count, as_="is")
        if start.type.dtype != "i64":
            i = b.prim("cast", i, to=start.type.dtype)
        if down:
            return b.sub(start, i)
        return i if isinstance(start, ir.Const) and start.value == 0 else b.add(start, i)
    b.prim("assert", b.prim("ne", start, second), what=f"Range {text} is invalid: its step is zero")
    step = b.sub(wide(second), wide(start))
    upward = b.prim("lt", start, second)
    span = b.sub(wide(end), wide(start))
    if e.kind == "...":
        reached = b.select(upward, b.prim("le", start, end), b.prim("le", end, start))
        b.prim("assert", reached, what=f"Range {text} is invalid: it goes away from its end")
        count = b.add(b.prim("div", span, step), i64(1))
    else:
        way = upward if e.kind == "..<" else b.prim("not", upward)
        b.prim("assert", way, what=f"Range {text} is invalid: `{e.kind}` goes the other way")
        first, last = (start, end) if e.kind == "..<" else (end, start)
        ahead("goes away from its end", first, last)
        # the number of steps is the distance divided by the step, rounded up
        count = b.neg(b.prim("div", b.neg(span), step))
    i = b.prim("iota", count, as_="is")
    i = b.add(wide(start), b.mul(i, step))
    return i if start.type.dtype == "i64" else b.prim("cast", i, to=start.type.dtype)


# ---------------------------------------------------------------- operators


def operators(f: Frame, e: ast.BinOp) -> Value:
    """An infix expression; `a + b + c + …` leans left and is walked as a list."""
    spine: list[ast.BinOp] = []
    at: ast.Exp = e
    while isinstance(at, ast.BinOp):
        spine.append(at)
        at = at.left
    start = end = len(spine)
    if len(spine) >= tables.ROWS:  # a long sum may be tables: the longest part of it that is + and - of numbers
        plus = [node.op in ("+", "-") and node not in f.checked.uses for node in spine]
        start, end = max(runs(plus), key=lambda run: run[1] - run[0], default=(end, end))
    value = tables.summed(f, spine[start:end])
    if value is None:
        start, value = len(spine), expression(f, at)
    for node in reversed(spine[:start]):
        value = infix(f, node, value)
    return value


def runs(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where flags are set: from, to."""
    start = None
    for k, flag in enumerate((*flags, False)):
        if flag and start is None:
            start = k
        elif not flag and start is not None:
            yield start, k
            start = None


def infix(f: Frame, e: ast.BinOp, left: Value) -> Value:
    use = f.checked.uses.get(e)
    if use is not None:
        note_size(f, e.left, left)
        right = argument(f, e.right)
        return apply(f, use_value(f, use, e.op_span), [left, right])
    match e.op:
        case "|>":
            note_size(f, e.left, left)
        case "&&":
            no = ir.Const(False, "bool")
            return branch(f, the_atom(left), lambda g: expression(g, e.right), lambda g: no, e.span)
        case "||":
            yes = ir.Const(True, "bool")
            return branch(f, the_atom(left), lambda g: yes, lambda g: expression(g, e.right), e.span)
    right = expression(f, e.right)
    f.at(e.span)
    return infix_values(f, e.op, left, right)


def infix_values(f: Frame, op: str, left: Value, right: Value) -> Value:
    match op:
        case "|>":
            return apply(f, right, [left])
        case "<|":
            return apply(f, left, [right])
        case ">->":
            return composed(left, right)
        case "<-<":
            return composed(right, left)
        case _:
            return arithmetic(f.b, op, left, right)


def composed(first: Value, second: Value) -> FunV:
    def run(g: Frame, captured: tuple[Value, ...], args: list[Value]) -> Value:
        return apply(g, captured[1], [apply(g, captured[0], args)])

    return FunV(1, "composed", (first, second), run)


def section(f: Frame, e: ast.OpSection) -> Value:
    use = f.checked.uses.get(e)
    if use is not None:
        function = use_value(f, use, e.span)
    elif e.op in ("&&", "||"):
        logical = "and" if e.op == "&&" else "or"
        function = FunV(2, ("op", e.op), (), lambda g, _, args: g.b.prim(logical, the_atom(args[0]), the_atom(args[1])))
    elif e.op in BINARY or e.op in ("|>", "<|", ">->", "<-<"):
        op = e.op
        function = FunV(2, ("op", op), (), lambda g, _, args: infix_values(g, op, args[0], args[1]))
    else:
        raise stuck(e.span, "E690", f"the operator `{e.op}` cannot be used like this yet", "here", "write a lambda")
    if e.left is not None:
        return apply(f, function, [expression(f, e.left)])
    if e.right is not None:
        right = expression(f, e.right)
        captured = (function, right)
        return FunV(1, "section", captured, lambda g, held, args: apply(g, held[0], [args[0], held[1]]))
    return function


# ---------------------------------------------------------------- control flow


def loop(f: Frame, e: ast.Loop) -> Value:
    init = expression(f, e.init) if e.init is not None else initial(f, e.pattern)
    start = leaves(init)
    g = f.nested()
    b = g.b
    params = tuple(b.fresh("s", a.type) for a in start)
    state = rebuild(init, iter(params))
    index = b.fresh("i", ir.I64)
    count: Atom | None = None
    cond: Lambda | None = None

    def bind_state(h: Frame, value: Value) -> None:
        wanted = [u.target.var for u in (h.checked.uses.get(s) for s in e.sizes)
                  if u is not None and isinstance(u.target, SizeRef)]
        wanted.extend(h.checked.loop_sizes.get(e, ()))
        if wanted:
            open_sizes(h, [(h.concrete(h.checked.patterns[e.pattern]), value)], wanted)
        bind(h, e.pattern, value)

    match e.form:
        case ast.ForBelow(bound=bound):
            bound_atom = the_atom(expression(f, bound))
            count = as_i64(f, bound_atom)
            dtype = bound_atom.type.dtype
            bind_state(g, state)
            bind_key(g, g.checked.bindings[e.form].key, index if dtype == "i64" else b.prim("cast", index, to=dtype))
        case ast.ForIn(pattern=pattern, array=array):
            rows = expression(f, array)
            count = length(f, f.type_of(array), rows)
            bind_state(g, state)
            bind(g, pattern, rebuild(rows, iter([b.prim("index", a, index) for a in leaves(rows)])))
        case ast.While(condition=condition):
            h = f.nested()
            h_params = tuple(h.b.fresh("s", a.type) for a in start)
            bind_state(h, rebuild(init, iter(h_params)))
            test = the_atom(expression(h, condition))
            cond = Lambda(h_params, h.b.block([test]))
            bind_state(g, state)
    result = expression(g, e.body)
    if len(leaves(result)) != len(start):
        raise stuck(e.span, "E691", "a loop cannot carry functions", "here", "carry the data that the function needs")
    ragged = bool(e.sizes or f.checked.loop_sizes.get(e))
    node = ir.Loop(count, cond, index, params, tuple(start), b.block(leaves(result)), (), ragged)
    results = f.at(e.span).bind(node, [p.name for p in params] + (["n"] if count is None else [])) if start else ()
    return rebuild(init, iter(results[:len(start)])) if start else UNIT


def initial(f: Frame, pattern: ast.Pattern) -> Value:
    """`loop acc for …` starts from the `acc` in scope."""
    match pattern:
        case ast.PName():
            return use_value(f, f.checked.uses[pattern], pattern.span)
        case ast.PAscribe(pattern=inner):
            return initial(f, inner)
        case ast.PTuple(items=items):
            return TupV(tuple([initial(f, i) for i in items]))
        case ast.PRecord(fields=fields):
            return RecV(tuple(sorted(((n, initial(f, p)) for n, p in fields), key=lambda field: field[0])))
        case _:
            return UNIT


def length(f: Frame, t: ty.Type, rows: Value) -> Atom:
    atoms = leaves(rows)
    if atoms:
        return f.b.dim(atoms[0], 0)
    return f.size(t.size) if isinstance(t, ty.Array) else i64(0)
