"""Application and operators: arguments against parameters, sizes of results, what an argument's value is as a size."""
from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ..lang.sizes import OversizedSize, Size, SizeAtom, SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import BOOL, I64, INTEGERS, Array, Derived, Error, Fun, Meta, Scalar, Tuple, Type, TypeVar
from . import arrays, call_messages, derivative_messages, messages, overloads
from .clashes import Clash, Kind
from .constraints import Arithmetic, Base, Equality
from .context import Because, Checker, Context, name_of
from .names import meaning_type, member_size
from .scope import Global, Local, Sealed, SizeParam
from .typexp import SIZE_OPERATORS, combine, converts, field_size

ARITHMETIC = {"+": "num", "-": "num", "*": "num", "/": "num", "%": "num", "**": "num", "//": "int", "%%": "int",
              "&": "bits", "|": "bits", "^": "bits", "<<": "int", ">>": "int", ">>>": "int"}
COMPARISONS = frozenset({"<", "<=", ">", ">="})
EQUALITY = frozenset({"==", "!="})
LOGIC = frozenset({"&&", "||"})
PIPES = frozenset({"|>", "<|", ">->", "<-<"})


# ---------------------------------------------------------------- application


def infer_apply(c: Checker, e: ast.Apply, want: Type | None = None) -> Type:
    from .infer import infer

    function = overloads.of_function(c, e) or infer(c, e.function)
    t = apply(c, e.function, function, e.arguments, e.span, want)
    return c.open_inner(e, t, f"the size of what `{name_of(e.function.span.text)}` returns here")


def apply(c: Checker, f: ast.Exp, function: Type, arguments: Sequence[ast.Exp], span: Span, want: Type | None = None
          ) -> Type:
    """The type of `f` applied to the arguments; lambdas last, when the others have said what they take.

    `want`: what the result is for, which may say it too: `xs |> map (\\x -> …)`.
    """
    from .infer import infer

    result = function
    late: list[tuple[int, ast.Exp, Type]] = []
    given: list[tuple[ast.Exp, Type]] = []
    facts = arrays.index_facts(c, f, arguments)
    failed = False
    if len(arguments) == 1 and call_messages.tuple_for_arguments(c, f, function, arguments[0]):
        infer(c, arguments[0])
        return Error()
    for k, argument in enumerate(arguments):
        result = c.solver.prune(result)
        if isinstance(result, Meta) and result.uid not in c.solver.kinds:
            fresh = Fun(c.solver.meta(), c.solver.meta())
            result = fresh if c.unify(result, fresh, f.span, Because()) else Error()
        if not isinstance(result, Fun):
            if not isinstance(result, Error):
                call_messages.too_many_arguments(c, f, function, k, arguments, result)
            for rest in arguments[k:]:
                c.solver.unify(infer(c, rest), Error())  # nothing is asked of it any more
            return Error()
        if isinstance(argument, (ast.Lambda, ast.OpSection, ast.Hole)):
            late.append((k, argument, result.param))
        else:
            t = infer(c, argument, result.param)
            given.append((argument, t))
            if not _argument(c, f, function, k, arguments, t, result.param, given):
                for rest in [*(a for _, a, _ in late), *arguments[k + 1:]]:
                    if rest not in c.types:
                        infer(c, rest)
                return Error()
        result = result_for(c, result, argument)
    if late and isinstance(want, Fun) and isinstance(result, Fun):
        piped, taken = c.solver.prune(want.param), c.solver.prune(result.param)
        if isinstance(piped, Array) and isinstance(taken, Array) and isinstance(c.solver.prune(taken.element), Meta):
            with suppress(Clash):  # which is reported when the types are compared as a whole
                c.solver.unify(piped.element, taken.element)
    for k, argument, param in late:
        saved = c.facts
        arrays.pending_index(c, facts, argument)
        t = infer(c, argument, param)
        c.facts = saved
        if not _argument(c, f, function, k, arguments, t, param, given):
            failed = True
    return Error() if failed else result


def _argument(c: Checker, f: ast.Exp, function: Type, k: int, arguments: Sequence[ast.Exp], found: Type, param: Type,
              given: list[tuple[ast.Exp, Type]]) -> bool:
    from .infer import blame

    if k == 0 and derivative_messages.wrong_function(c, f, arguments, found):
        return False
    span = blame(arguments[k]).span
    context = Context(span, Because(), found, param)
    try:
        c.solver.unify(found, param, context)
    except Clash as clash:
        call_messages.argument(c, clash, context, f, function, k, arguments, given)
        return False
    return True


def result_for(c: Checker, function: Fun, argument: ast.Exp) -> Type:
    """The result of applying the function to this argument; sizes that the call finds out are of an inner scope."""
    env: dict[SizeAtom, Size] = {}
    for path, v in function.parts:
        env[v] = _held(c, argument, path, v)
    if function.size_var is not None:
        env[function.size_var] = argument_size(c, argument)
    for v in function.exists:
        env[v] = Size.of(c.solver.size_var(v.name, v.origin, v.why, c.solver.level + 1))
    return c.solver.substitute(function.result, env) if env else function.result


def _held(c: Checker, e: ast.Exp, path: tuple[str, ...], v: SizeVar) -> Size:
    """The size at a path in an argument; one that only the call knows where the argument does not show it."""
    whole: ast.Exp | None = e
    for k, name in enumerate(path):
        match whole:
            case ast.TupleExp(items=items):
                whole = items[int(name)]
            case ast.RecordExp(fields=fields):
                whole = dict(fields).get(name)
            case ast.Name() | ast.Field():
                for rest in path[k:]:
                    whole = ast.Field(whole.span, whole, rest, whole.span)
                break
            case _:
                whole = None
                break
    known = size_of(c, whole) if whole is not None else None
    return known if known is not None else Size.of(c.solver.size_var(v.name, v.origin, v.why, c.solver.level + 1))


def argument_size(c: Checker, e: ast.Exp) -> Size:
    """The value of an i64 argument as a size: a polynomial where it is one, otherwise a name for it."""
    known = size_of(c, e)
    if known is None:
        match e:
            case ast.Lit(value=int(value)) if not isinstance(value, bool):
                known = Size.constant(value)
            case ast.Name(name=name, qualifier=()):
                local = c.names.get(name)
                if isinstance(local, Local) and local.scheme is None:
                    t = c.solver.prune(local.type)
                    known = c.value_size(local) if isinstance(t, Scalar) and t.name in INTEGERS else None
    if known is not None:
        return known
    if isinstance(c.types.get(e), Error):
        return c.solver.size_meta()
    var = c.solver.size_var(name_of(e.span.text), e.span, f"the value of `{' '.join(e.span.text.split())}`")
    c.size_values[var] = e
    c.values.add(var)
    return Size.of(var)


def bound(c: Checker, name: str) -> bool:
    """Whether the program itself gives the name a meaning."""
    return name in c.names or c.file.value(name) is not None


def size_of(c: Checker, e: ast.Exp) -> Size | None:
    """The polynomial that an i64 expression is, or None: also when it would be too large to keep."""
    try:
        return _size_of(c, e)
    except OversizedSize:
        return None


def _size_of(c: Checker, e: ast.Exp) -> Size | None:
    match e:
        case ast.Lit(value=int(value), suffix=None | "i64") if not isinstance(value, bool):
            return Size.constant(value)
        case ast.Name(name=name, qualifier=()):
            meaning = c.names.get(name)
            if isinstance(meaning, SizeParam):
                return meaning.size
            if isinstance(meaning, Local):
                if meaning.scheme is not None:
                    return None
                t = c.solver.prune(meaning.type)
                if t == I64 or isinstance(t, Meta):
                    return c.value_size(meaning)
                return None
            if meaning is None:
                found = c.file.value(name)
                return found.constant if isinstance(found, (Global, Sealed)) else None
            return None
        case ast.Field() if (held := field_size(c, e)) is not None:
            return held
        case ast.Name() | ast.Field():
            return member_size(c, e)
        case ast.UnOp(op="-", operand=operand):
            inner = _size_of(c, operand)
            return None if inner is None else -inner
        case ast.BinOp(op=op, left=left, right=right) if op in SIZE_OPERATORS and c.file.value(op) is None:
            one = _size_of(c, left)
            other = _size_of(c, right) if one is not None else None
            return None if one is None or other is None else combine(op, one, other)
        case ast.Ascribe(operand=operand):
            return _size_of(c, operand)
        case ast.Apply(function=ast.Name(name=name, qualifier=qualifier), arguments=(ast.Name(qualifier=()) as operand,)
                       ) if converts(name, qualifier) and not any(bound(c, x) for x in (name, *qualifier)):
            local = c.names.get(operand.name)
            if isinstance(local, Local) and local.scheme is None:
                t = c.solver.prune(local.type)
                return c.value_size(local) if isinstance(t, Scalar) and t.name in INTEGERS else None
            return _size_of(c, operand)
        case ast.Apply(function=ast.Name(name="min" | "max" as name, qualifier=() | ("i64",)), arguments=(left, right)
                       ) if name not in c.names and c.file.value(name) is None:
            one = _size_of(c, left)
            other = _size_of(c, right) if one is not None else None
            return None if one is None or other is None else combine(name, one, other)
        case ast.Apply(function=ast.Name(name="length", qualifier=()) as f, arguments=(array,)):
            if "length" in c.names or c.file.value("length") is not None:
                return None
            del f
            t = c.solver.prune(c.types.get(array, Error()))
            if isinstance(t, Array):
                size = c.solver.size(t.size)
                return size
            return None
        case _:
            return None


# ---------------------------------------------------------------- operators


FOREIGN_OPERATORS = {
    **{op: ("E014", f"there is no assignment `{op}`",
            f"values never change; give the new one a name: `let y = x {op[:-1]} … in …`")
       for op in ("+=", "-=", "*=", "**=", "//=", "%=")},
    "=>": ("E015", "arrows are written `->`", "an anonymous function is written `\\x -> …`"),
}
"""Operators of other languages that parse, unless the program defines them."""


def infer_binop(c: Checker, e: ast.BinOp, want: Type | None = None) -> Type:
    """Chains such as `a + b + c + …` lean left; they are walked in a loop."""
    from .infer import infer

    spine = [e]
    while isinstance(spine[-1].left, ast.BinOp):
        spine.append(spine[-1].left)
    first = spine[-1]
    if first.op in FOREIGN_OPERATORS and c.file.value(first.op) is None and first.op not in c.names:
        _binop(c, first, Error())  # what stands on its sides is no expression
        return Error()
    left = infer(c, first.left)
    known = ""
    for node in reversed(spine):
        if node.op == known:  # the arithmetic of numbers, as one operand before
            right = infer(c, node.right)
            left = arithmetic(c, known, left, right, node.op_span, node.left.span, node.right.span)
        else:
            left = _binop(c, node, left)
            op = node.op
            known = op if op in ARITHMETIC and op not in c.names and c.file.value(op) is None else ""
        c.types[node] = left
    return left


def _binop(c: Checker, e: ast.BinOp, left: Type) -> Type:
    from .infer import check, infer

    op = e.op.strip("`")
    if op in FOREIGN_OPERATORS and c.file.value(op) is None and op not in c.names:
        code, message, help = FOREIGN_OPERATORS[op]
        return c.error(code, message, e.op_span, "this operator", help=help)
    if op in c.names or c.file.value(op) is not None or e.op.startswith("`"):
        function = meaning_type(c, e, op, e.op_span)
        return _apply_operator(c, e, function, left)
    if op in PIPES:
        return _pipe(c, e, left)
    if op in LOGIC:
        because = Because("", None, title=f"`{op}` takes two bools", code="E202")
        c.unify(left, BOOL, e.left.span, because)
        given = c.given
        c.given = (*given, *arrays.conditions(c, e.left, op == "&&"))
        check(c, e.right, BOOL, because)
        c.given = given
        return BOOL
    right = infer(c, e.right)
    if op in ARITHMETIC:
        return arithmetic(c, op, left, right, e.op_span, e.left.span, e.right.span)
    if op in COMPARISONS or op in EQUALITY:
        compare(c, op, left, right, e.op_span, e.left.span, e.right.span)
        return BOOL
    function = meaning_type(c, e, op, e.op_span)
    return _apply_operator(c, e, function, left)


def _apply_operator(c: Checker, e: ast.BinOp, function: Type, left: Type) -> Type:
    """A user's operator, or a function between backticks."""
    from .infer import infer

    right = c.types.get(e.right)
    if right is None:
        right = infer(c, e.right)
    result: Type = c.solver.prune(function)
    for k, (argument, t) in enumerate(((e.left, left), (e.right, right))):
        result = c.solver.prune(result)
        if isinstance(result, Meta):
            fresh = Fun(c.solver.meta(), c.solver.meta())
            c.unify(result, fresh, e.op_span, Because())
            result = fresh
        if not isinstance(result, Fun):
            if not isinstance(result, Error):
                c.error("E403", f"`{e.op}` is not a function of two arguments", e.op_span,
                        f"this is {c.show(function)}")
            return Error()
        operands = (e.left, e.right)
        context = Context(argument.span, Because(), t, result.param)
        try:
            c.solver.unify(t, result.param, context)
        except Clash as clash:
            call_messages.argument(c, clash, context, e, function, k, operands, [])
            return Error()
        result = result_for(c, result, argument)
    return c.open_inner(e, result, f"the size of what `{e.op}` returns here")


def arithmetic(c: Checker, op: str, left: Type, right: Type, span: Span, left_span: Span, right_span: Span) -> Type:
    left, right = c.solver.prune(left), c.solver.prune(right)
    cls = ARITHMETIC[op]
    if isinstance(left, Scalar) and left == right and left.name != "bool" and cls == "num":
        return left
    result = c.solver.meta()
    c.solver.add(Arithmetic(c, op, cls, left, right, result, span, left_span, right_span))
    return c.solver.prune(result)


def compare(c: Checker, op: str, left: Type, right: Type, span: Span, left_span: Span, right_span: Span) -> None:
    left, right = c.solver.prune(left), c.solver.prune(right)
    if op in EQUALITY:
        if call_messages.same_operands(c, op, left, right, span, left_span, right_span):
            c.solver.add(Equality(c, left, op, left_span, span))
        return
    for t, other, place in ((left, right, left_span), (right, left, right_span)):
        if isinstance(t, (Array, Tuple, Fun)) or not isinstance(t, (Scalar, TypeVar, Meta, Error, Derived)):
            call_messages.not_comparable(c, op, t, other, place, span)
            return
    if not call_messages.same_operands(c, op, left, right, span, left_span, right_span):
        return
    left = c.solver.prune(left)
    if isinstance(left, Derived):
        c.solver.add(Base(c, left, "scalar", op, span))
        return
    bad = c.solver.require(left, Kind("ordered", because=span))
    if bad is not None:
        call_messages.not_comparable(c, op, bad, right, left_span, span)


def _pipe(c: Checker, e: ast.BinOp, left: Type) -> Type:
    """`x |> f` is `f x`, `f <| x` too; `f >-> g` applies f first, `g <-< f` the same."""
    from .infer import infer

    if e.op == "|>":
        wanted = Fun(left, c.solver.meta()) if isinstance(e.right, (ast.Lambda, ast.Apply)) else None
        function = infer(c, e.right, wanted)
        return _apply_one(c, e, e.right, function, e.left, left)
    if e.op == "<|":
        function = c.solver.prune(left)
        argument = infer(c, e.right, function.param if isinstance(function, Fun) else None)
        return _apply_one(c, e, e.left, function, e.right, argument)
    right = infer(c, e.right)
    (first, first_exp), (second, second_exp) = (((left, e.left), (right, e.right)) if e.op == ">->"
                                                else ((right, e.right), (left, e.left)))
    source, middle, target = c.solver.meta(), c.solver.meta(), c.solver.meta()
    if not c.unify(first, Fun(source, middle), first_exp.span,
                   Because(title=f"`{e.op}` composes functions", code="E403")):
        return Error()
    because = Because(f"gives {c.show(middle)}", first_exp.span, title=f"the functions around `{e.op}` do not fit")
    if not c.unify(second, Fun(middle, target), second_exp.span, because):
        return Error()
    return Fun(source, target)


def _apply_one(c: Checker, e: ast.BinOp, f: ast.Exp, function: Type, argument: ast.Exp, t: Type) -> Type:
    function = c.solver.prune(function)
    if isinstance(function, Meta) and function.uid not in c.solver.kinds:
        fresh = Fun(c.solver.meta(), c.solver.meta())
        c.unify(function, fresh, f.span, Because())
        function = fresh
    if not isinstance(function, Fun):
        if not isinstance(function, Error) and not c.said(f.span):
            c.error("E403", f"`{e.op}` needs a function here, found {messages.described(c, function)}", f.span,
                    "not a function",
                    others=[(argument.span, "the value that is passed on")])
        return Error()
    context = Context(argument.span, Because(), t, function.param)
    try:
        c.solver.unify(t, function.param, context)
    except Clash as clash:
        call_messages.argument(c, clash, context, f, function, 0, (argument,), [])
        return Error()
    result = result_for(c, function, argument)
    return c.open_inner(e, result, f"the size of what `{name_of(f.span.text)}` returns here")


def infer_unop(c: Checker, e: ast.UnOp, want: Type | None = None) -> Type:
    from .infer import blame, infer

    if e.op == "!":
        t = c.solver.prune(infer(c, e.operand, want))
        may_be_int = t != BOOL if isinstance(t, Scalar) else isinstance(t, Meta) and t.uid in c.solver.kinds
        if may_be_int and c.solver.require(t, Kind("int")) is None:
            return t  # every bit turned
        c.unify(t, BOOL, blame(e.operand).span, Because("", None, title="`!` takes a bool or an integer", code="E202"))
        return BOOL
    t = infer(c, e.operand, want)
    known = c.solver.prune(t)
    if isinstance(known, Error):
        return Error()
    base = Base(c, t, "num", "-", e.operand.span)
    if known == BOOL:
        call_messages.wrong_base(c, base, known)
        return Error()
    if isinstance(e.operand, ast.Lit):
        c.negated.add(e.operand)
    c.solver.add(base)
    return t


def infer_op_section(c: Checker, e: ast.OpSection, want: Type | None = None) -> Type:
    from .infer import infer

    op = e.op.strip("`")
    known = c.solver.prune(want) if want is not None else None
    hint = known.param if isinstance(known, Fun) else None
    left: Type = infer(c, e.left) if e.left is not None else c.solver.meta()
    right: Type = infer(c, e.right) if e.right is not None else c.solver.meta()
    left_span = e.left.span if e.left is not None else e.span
    right_span = e.right.span if e.right is not None else e.span
    if hint is not None:
        missing = left if e.left is None else right if e.right is None else None
        if missing is not None:
            c.solver.unify(missing, hint)
    result: Type
    if op in c.names or c.file.value(op) is not None or e.op.startswith("`"):
        result = c.solver.meta()
        function = meaning_type(c, e, op, e.span)
        if not c.unify(function, Fun(left, Fun(right, result)), e.span, Because()):
            return Error()
    elif op in ARITHMETIC:
        result = arithmetic(c, op, left, right, e.span, left_span, right_span)
    elif op in COMPARISONS or op in EQUALITY:
        compare(c, op, left, right, e.span, left_span, right_span)
        result = BOOL
    elif op in LOGIC:
        c.unify(left, BOOL, left_span, Because(title=f"`{op}` takes two bools", code="E202"))
        c.unify(right, BOOL, right_span, Because(title=f"`{op}` takes two bools", code="E202"))
        result = BOOL
    elif op in PIPES:
        a, b, z = c.solver.meta(), c.solver.meta(), c.solver.meta()
        shapes: dict[str, tuple[Type, Type, Type]] = {"|>": (a, Fun(a, b), b), "<|": (Fun(a, b), a, b),
                                 ">->": (Fun(a, b), Fun(b, z), Fun(a, z)), "<-<": (Fun(b, z), Fun(a, b), Fun(a, z))}
        first, second, result = shapes[op]
        title = Because(title=f"`{op}` applies or composes functions", code="E403")
        if not (c.unify(left, first, left_span, title) and c.unify(right, second, right_span, title)):
            return Error()
    else:
        function = meaning_type(c, e, op, e.span)
        result = c.solver.meta()
        c.unify(function, Fun(left, Fun(right, result)), e.span, Because())
    t = result
    if e.right is None:
        t = Fun(right, t)
    if e.left is None:
        t = Fun(left, t)
    return t
