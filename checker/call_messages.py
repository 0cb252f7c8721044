"""The sentences about calls: arguments that do not fit, operands that do not go together."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import (
    BOOL,
    F64,
    FLOATS,
    I64,
    INTEGERS,
    Abstract,
    Array,
    Error,
    Fun,
    Meta,
    Record,
    Scalar,
    Sum,
    Tuple,
    Type,
    TypeVar,
    sizes_of,
)
from . import clashes, derivative_messages
from .clashes import Clash
from .messages import REQUIREMENTS, declaration, plural, report, short, show, size_clash
from .result import BuiltinRef

if TYPE_CHECKING:
    from .constraints import Arithmetic, Base
    from .context import Checker, Context


# ---------------------------------------------------------------- arguments


def callee(f: ast.Exp) -> str:
    if isinstance(f, ast.BinOp):
        return f.op.strip("`")
    text = " ".join(f.span.text.split())
    return text if len(text) <= 30 else "this function"


def argument(c: Checker, problem: Clash, context: Context, f: ast.Exp, function: Type, k: int,
             arguments: Sequence[ast.Exp], given: Sequence[tuple[ast.Exp, Type]]) -> None:
    """An argument that does not fit its parameter; two arguments in the wrong order are recognised."""
    name = callee(f)
    found = context.found
    swapped = _swapped(c, k, f, function, arguments, found) if not isinstance(problem, clashes.SizeClash) else None
    if swapped is not None:
        first, second = sorted((k, swapped))
        texts = [short(a.span.text) for a in arguments]
        texts[first], texts[second] = texts[second], texts[first]
        c.error("E404", f"arguments {first + 1} and {second + 1} of `{name}` are in the wrong order",
                arguments[first].span,
                f"this is {show(c, _type_of(c, arguments[first], found))}",
                others=[(arguments[second].span, f"this is {show(c, _type_of(c, arguments[second], found))}")],
                notes=[f"`{name}` : {show(c, _declared(c, f, function))}"], help=f"write `{name} {' '.join(texts)}`")
        return
    others: list[tuple[Span, str]] = []
    notes: list[str] = []
    element = c.solver.prune(problem.type) if isinstance(problem, clashes.KindClash) else None
    if isinstance(element, Array) and name in ("sum", "product", "maximum", "minimum"):
        text = short(context.span.text)
        c.error("E215", f"`{name}` folds numbers, and the elements are {show(c, element)}", context.span,
                f"this is {show(c, found)}",
                help=f"fold each row, `map {name} {text}`, or everything, `{name} (flatten {text})`")
        return
    place = _parameter_span(c, f, k)
    if place is not None and place.source is context.span.source:
        others.append((place, f"`{name}` takes {show(c, _parameter(c, f, function, k))} here"))
    else:
        notes.append(f"`{name}` : {show(c, _declared(c, f, function))}")
    if isinstance(problem, clashes.SizeClash):
        wanted = set(c.solver.size(problem.expected).atoms())
        for other, t in given:
            if other is not arguments[k] and wanted & {a for s in sizes_of(c.solver.zonk(t)) for a in s.atoms()}:
                others.append((other.span, f"this is {show(c, t)}"))
    else:
        others += [(other.span, f"this is {show(c, t)}") for other, t in given
                   if isinstance(c.solver.prune(t), Fun) and other is not arguments[k]]
    more, help = derivative_messages.seed_advice(c, f, k, arguments, found, context.expected)
    report(c, problem, context, others, notes=[*notes, *more], help=help)


def tuple_for_arguments(c: Checker, f: ast.Exp, function: Type, argument: ast.Exp) -> bool:
    """Report `max(x, y)`, the way other languages write arguments; whether it was one."""
    if not isinstance(argument, ast.TupleExp):
        return False
    params = parameter_types(c, function)
    if not 2 <= len(argument.items) <= len(params):
        return False
    use = c.uses.get(f)
    first = params[0] if use is None or use.scheme is None else parameter_types(c, use.scheme.type)[0]
    overloaded = use is not None and isinstance(use.target, BuiltinRef) and use.scheme is None
    if not overloaded and isinstance(c.solver.prune(first), (Meta, TypeVar, Tuple, Error)):
        return False
    name = callee(f)
    items = " ".join(short(" ".join(i.span.text.split())) for i in argument.items)
    c.error("E407", f"`{name}` takes its arguments one after the other, not as a tuple", argument.span,
            f"this is one argument, a tuple of {len(argument.items)}", help=f"write `{name} {items}`")
    return True


def _type_of(c: Checker, e: ast.Exp, otherwise: Type) -> Type:
    return c.types.get(e, otherwise)


def _swapped(c: Checker, k: int, f: ast.Exp, function: Type, arguments: Sequence[ast.Exp], found: Type) -> int | None:
    """The argument that argument `k` should change places with, when then all would fit."""
    from .infer import infer
    from .names import instantiate

    use = c.uses.get(f)
    if use is not None and use.scheme is not None:
        _, _, function = instantiate(c, use.scheme, callee(f), f.span)
    params = parameter_types(c, function)
    if len(arguments) > len(params):
        return None
    types: list[Type] = []
    for n, e in enumerate(arguments):
        if n != k and e not in c.types:
            if c.failed:
                return None
            infer(c, e)
        types.append(found if n == k else c.types[e])
    if any(isinstance(c.solver.prune(t), Error) for t in types):
        return None
    wanted = Tuple(tuple(params[:len(types)]))
    for j in range(len(types)):
        if j == k or c.solver.fits(types[j], types[k]):
            continue
        order = list(types)
        order[j], order[k] = order[k], order[j]
        if c.solver.fits(Tuple(tuple(order)), wanted):
            return j
    return None


def parameter_types(c: Checker, function: Type) -> list[Type]:
    params: list[Type] = []
    t = c.solver.prune(function)
    while isinstance(t, Fun):
        params.append(t.param)
        t = c.solver.prune(t.result)
    return params


def _definition(c: Checker, f: ast.Exp) -> object:
    from .result import GlobalRef

    use = c.uses.get(f)
    if use is not None and isinstance(use.target, GlobalRef) and use.seen is None:
        return use.target.definition
    return None


def _declared(c: Checker, f: ast.Exp, function: Type) -> Type:
    """The type of a function as it was declared, before this call fixed anything."""
    use = c.uses.get(f)
    scheme = (use.seen or use.scheme) if use is not None else None
    return scheme.type if scheme is not None else function


def _parameter(c: Checker, f: ast.Exp, function: Type, k: int) -> Type:
    params = parameter_types(c, _declared(c, f, function))
    return params[k] if k < len(params) else Error()


def _parameter_span(c: Checker, f: ast.Exp, k: int) -> Span | None:
    from .result import Definition

    definition = _definition(c, f)
    if isinstance(definition, Definition) and k < len(definition.node.params):
        return definition.node.params[k].span
    return None


INFIX = {"and": "write `&&`", "or": "write `||`", "is": "write `==`", "xor": "on bools write `!=`", "mod": "write `%`",
         "div": "write `/`, or `//`, which rounds towards zero", "as": "write `i64 x`, `f64 n`"}
"""Words that other languages write between operands."""


def too_many_arguments(c: Checker, f: ast.Exp, function: Type, k: int, arguments: Sequence[ast.Exp],
                       result: Type) -> None:
    name = callee(f)
    if k == 0:
        shown = show(c, function)
        text = f.span.text
        word = arguments[0]
        if isinstance(word, ast.Name) and not word.qualifier and word.name in INFIX and word.name not in c.names \
                and c.file.value(word.name) is None:
            c.error("E015", f"`{word.name}` is no operator of Dad", word.span, "this word", help=INFIX[word.name])
            c.unknown.add(word.name)
            return
        indexed = isinstance(c.solver.prune(function), Array)
        hint = "to index, write the bracket without a space: `xs[i]`" if indexed else None
        if isinstance(f, ast.Lit):
            hint = f"to multiply, write `{text} * {arguments[0].span.text}`"
        c.error("E403", f"`{name}` is not a function", f.span, f"this is {shown}",
                others=[(arguments[0].span, "so this cannot be its argument")], help=hint)
        return
    from .result import Definition

    definition = _definition(c, f)
    others = [(definition.node.name_span, f"`{name}` is defined here")] if isinstance(definition, Definition) else []
    extra = arguments[k].span.to(arguments[-1].span)
    help = "remove what is too much, or add parentheses"
    second = arguments[k - 1]
    if isinstance(second, ast.Name) and isinstance(c.solver.prune(c.types.get(second, Error())), Fun):
        help = f"did you mean `{name} ({' '.join(a.span.text for a in arguments[k - 1:])})`?"
    c.error("E401", f"`{name}` takes {plural(k, 'argument')}, {len(arguments)} given", extra, "too much",
            others=others, notes=[f"after {plural(k, 'argument')} it has given {show(c, result)}"], help=help)


# ---------------------------------------------------------------- operators


WORDS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}


def operands_agree(c: Checker, a: Arithmetic, left: Type, right: Type) -> bool:
    return same_operands(c, a.op, left, right, a.span, a.left_span, a.right_span, a)


def same_operands(c: Checker, op: str, left: Type, right: Type, span: Span, left_span: Span, right_span: Span,
                  a: Arithmetic | None = None) -> bool:
    """Unify the operands of an operator, or say how they differ."""
    from .context import Because, Context

    context = Context(right_span, Because(), right, left)
    try:
        c.solver.unify(right, left, context)
        return True
    except Clash as problem:
        whole_left, whole_right = (a.left, a.right) if a is not None else (left, right)
        _operand_clash(c, problem, op, whole_left, whole_right, left, right, span, left_span, right_span)
        return False


def _operand_clash(c: Checker, problem: Clash, op: str, whole_left: Type, whole_right: Type, left: Type, right: Type,
                   span: Span, left_span: Span, right_span: Span) -> None:
    from .context import Because, Context

    one, other = show(c, whole_left), show(c, whole_right)
    others = [(left_span, f"this is {one}")] if left_span is not right_span else []
    context = Context(right_span, Because(), whole_right, whole_left)
    if isinstance(problem, clashes.SizeClash):
        size_clash(c, problem.found, problem.expected, context, others,
                   [f"`{op}` compares values of one shape" if op in ("==", "!=") else
                    f"`{op}` goes element by element, so both sides have one shape"], None)
        return
    if isinstance(problem, (clashes.Escape, clashes.Occurs)):
        report(c, problem, context, others)
        return
    left, right = c.solver.prune(left), c.solver.prune(right)
    while isinstance(left, Array) and isinstance(right, Array):
        left, right = c.solver.prune(left.element), c.solver.prune(right.element)
    if isinstance(problem, clashes.KindClash) and problem.kind.literal and isinstance(problem.type, Scalar) \
            and problem.type.name in INTEGERS and problem.kind.because is not None:
        shown = show(c, problem.type)
        rest = left_span if problem.kind.because is right_span or problem.kind.because == right_span else right_span
        c.error("E204", f"a fraction does not fit into {problem.type.name}", problem.kind.because,
                "this number has a fractional part",
                others=[(rest, f"this is {shown}")] if rest is not problem.kind.because else [],
                help=f"convert the integer: `f64 {short(rest.text)}`")
        return
    if isinstance(left, Scalar) and isinstance(right, Scalar) and {left.name, right.name} <= FLOATS | INTEGERS:
        integer, text = (left, left_span.text) if left.name in INTEGERS else (right, right_span.text)
        target = right if integer is left else left
        if (left.name in INTEGERS and right.name in INTEGERS) or (left.name in FLOATS and right.name in FLOATS):
            help = f"convert one of them: `{left.name} {short(right_span.text)}`"
        else:
            help = f"convert the integer: `{target.name} {short(text)}`"
        label = f"this is {other}"
        if left_span is right_span:  # `(+)` as a function: its operands stand nowhere
            label = "its operands"
            help = f"convert one of them first, such as by `{target.name}` or `map {target.name}`"
        c.error("E203", f"`{op}` on {one} and {other}: number types never convert silently", right_span, label,
                others=others, help=help)
        return
    if isinstance(left, TypeVar) or isinstance(right, TypeVar):
        var = left if isinstance(left, TypeVar) else right
        assert isinstance(var, TypeVar)
        more = [(var.origin,
                 f"`{var.name}` is any {var.constraint or 'type'} that a caller chooses")] if var.origin else []
        if isinstance(problem, clashes.KindClash):
            cls = problem.kind.cls
            c.error("E215", f"`{var.name}` need not be {REQUIREMENTS[cls]}", right_span,
                    f"this is {other}", others=[*others, *more], help=declaration(var.name, cls))
            return
        c.error("E223", f"`{op}` on {one} and {other}", right_span, f"this is {other}", others=[*others, *more],
                help=_into(var, left, left_span) or _into(var, right, right_span)
                or "give both one type in the signature")
        return
    if isinstance(left, Array) != isinstance(right, Array) and not isinstance(left, (Tuple, Record, Fun)) \
            and not isinstance(right, (Tuple, Record, Fun)):
        c.error("E202", f"`{op}` on {one} and {other}: the shapes have different numbers of axes", right_span,
                f"this is {other}", others=others,
                help=f"say which axis is meant, such as `map (\\row -> row {op} v) rows`; only scalars spread "
                     "by themselves" + ("\na matrix times a vector is `matvec m v`" if op == "*" else ""))
        return
    if op in ("==", "!=", "<", "<=", ">", ">="):
        c.error("E220", f"`{op}` compares two values of one type, not {one} and {other}", right_span,
                f"this is {other}", others=others,
                help=None if op in ("==", "!=") or isinstance(right, Fun) else _operator_help(right))
        return
    bad_left = isinstance(left, (Tuple, Record, Sum, Fun)) or left == BOOL
    place, text = (left_span, one) if bad_left else (right_span, other)
    c.error("E202", f"`{op}` takes numbers or arrays of numbers, not {text}", place, f"this is {text}",
            others=[(right_span, f"this is {other}")] if bad_left else others,
            help=f"a negative argument stands in parentheses: `{short(left_span.text)} (-{short(right_span.text)})`"
            if op == "-" and isinstance(left, Fun) else _operator_help(left if bad_left else right))


def _into(var: TypeVar, t: Type, span: Span) -> str | None:
    """How a number becomes one of a generic type."""
    if t == I64 and var.constraint is not None:
        return f"convert the integer: `from_i64 {short(span.text)}`"
    if t == F64 and var.constraint == "float":
        return f"convert the number: `from_f64 {short(span.text)}`"
    return None


def _operator_help(t: Type) -> str | None:
    match t:
        case Fun():
            return "apply the function first; is an argument missing, or are parentheses?"
        case Sum():
            return "take it apart with `match`"
        case Record():
            return "take its fields, such as `p.x`"
        case Tuple(items=()):
            return "leave `()` out, where no argument is missing"
        case Tuple():
            return "take the tuple apart: `let (a, b) = …`; arguments are written one after the other: `f a b`"
        case Scalar("bool"):
            return "turn a bool into a number with `if b then 1 else 0`"
        case _:
            return None


def not_arithmetic(c: Checker, a: Arithmetic, bad: Type) -> None:
    if isinstance(bad, Error):
        return
    shown = show(c, bad)
    if isinstance(bad, TypeVar):
        others = [(bad.origin, "declared here")] if bad.origin is not None else []
        c.error("E215", f"`{bad.name}` need not be {REQUIREMENTS[a.cls]}", a.span, f"`{a.op}` needs one",
                others=others, help=declaration(bad.name, a.cls))
    elif a.cls in ("int", "bits", "float") and isinstance(bad, (Scalar, Meta)) and bad != BOOL:
        kind = {"int": "integers", "bits": "integers or bools", "float": "floats"}[a.cls]
        help = None
        if a.op in ("//", "%%"):
            help = f"use `{'/' if a.op == '//' else '%'}`, or `floor (x / y)`"
        elif a.op == "^":
            help = "to take a power, write `x ** y`"
        elif a.op in ("&", "|"):
            help = f"to join two conditions, write `a {a.op * 2} b`"
        elif a.cls == "float":
            help = "convert: `f64 n`"
        c.error("E202", f"`{a.op}` takes {kind}, not {shown}", a.span, f"applied to {shown}", help=help)
    else:
        c.error("E202", f"`{a.op}` takes numbers or arrays of numbers, not {shown}", a.span, f"applied to {shown}",
                others=[(a.left_span, f"this is {show(c, a.left)}")] if a.left_span is not a.span else [],
                help=_operator_help(bad))


def wrong_result(c: Checker, a: Arithmetic, t: Type) -> None:
    from .context import Because, Context

    context = Context(a.span, Because(), t, a.result)
    try:
        c.solver.unify(a.result, t, context)
    except Clash as problem:
        report(c, problem, context, [], notes=[f"`{a.op}` gives {show(c, t)} here"])


def wrong_base(c: Checker, b: Base, bad: Type) -> None:
    if isinstance(bad, Error):
        return
    shown, name = show(c, b.type), b.name
    wanted = {"num": "numbers", "float": "floats", "int": "integers", "scalar": "scalars"}[b.cls]
    if isinstance(bad, TypeVar):
        others = [(bad.origin, "declared here")] if bad.origin is not None else []
        c.error("E215", f"`{bad.name}` need not be {REQUIREMENTS[b.cls]}", b.span, f"`{name}` needs one",
                others=others, help=declaration(bad.name, b.cls))
        return
    if b.cls == "float" and isinstance(bad, Scalar) and bad.name in INTEGERS:
        c.error("E203", f"`{name}` takes floats, not {shown}", b.span, f"applied to {shown}",
                help="convert the integer: `f64 n`" if shown == bad.name else "convert its elements: `map f64 xs`")
        return
    if name == "-":
        c.error("E202", f"`-` takes numbers or arrays of numbers, not {shown}", b.span, f"this is {shown}",
                help=_operator_help(bad) or ("write `!` for \"not\"" if bad == BOOL else None))
        return
    c.error("E202", f"`{name}` takes {wanted} or arrays of them, not {shown}", b.span, f"applied to {shown}",
            help=_operator_help(bad))


def not_comparable(c: Checker, op: str, t: Type, other: Type, place: Span, op_span: Span) -> None:
    if isinstance(t, Error) or isinstance(c.solver.prune(other), Error):
        return
    shown = show(c, t)
    if isinstance(t, TypeVar):
        others = [(t.origin, "declared here")] if t.origin is not None else []
        c.error("E215", f"`{t.name}` need not be a number", place, f"`{op}` compares numbers", others=others,
                help=f"declare it as `'{t.name}: num`")
    elif isinstance(t, Array):
        c.error("E220", f"`{op}` compares numbers, not arrays", place, f"this is {shown}",
                help=f"compare elements: `map2 ({op}) xs ys`")
    else:
        sum_ = isinstance(t, Sum) or (isinstance(t, Meta) and t.uid in c.solver.variants)
        c.error("E220", f"`{op}` compares numbers, not {'a sum type' if sum_ else shown}", place, f"this is {shown}",
                help="constructors have no order; take them apart with `match`" if sum_ else None)


def not_equal(c: Checker, op: str, part: Type, whole: Type, place: Span) -> None:
    """`==` on values that hold functions, or values of any type."""
    shown = show(c, whole)
    if isinstance(part, TypeVar):
        others = [(part.origin, "declared here")] if part.origin is not None else []
        c.error("E215", f"`{part.name}` may be a type of functions, which `{op}` cannot compare", place,
                f"this is {shown}", others=others,
                help=f"declare it as `'{part.name}: num`, or take the comparison as an argument")
        return
    if isinstance(part, Abstract):
        c.error("E220", f"`{op}` cannot compare {shown}: its module does not say what it is", place,
                f"this is {shown}", help="let the module have a function that compares its values")
        return
    inside = "functions" if part is whole else f"{shown}, which holds functions"
    c.error("E220", f"`{op}` cannot compare {inside}", place, f"this is {shown}",
            help="compare what the functions give")
