"""The sentences of the checker: what was expected and found, where each size came from, what to type next."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..lang.sizes import Opaque, Size, SizeAtom, SizeMeta, SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import (
    BOOL,
    FLOATS,
    INTEGERS,
    Array,
    Error,
    Fun,
    Meta,
    Record,
    Scalar,
    Tangent,
    Tuple,
    Type,
    TypeVar,
    map_type,
    sizes_of,
)
from ..lang.types import (
    show as show_type,
)
from . import unify
from .scope import nearest
from .unify import Clash, Kind

if TYPE_CHECKING:
    from .constraints import Arithmetic, Base
    from .context import Because, Checker, Context


# ---------------------------------------------------------------- types and sizes in words


def show(c: Checker, t: Type) -> str:
    """The type in Dad's syntax; what is not known yet is `_`, a literal's type `number`."""
    sizes: dict[SizeAtom, Size] = {}

    def leaf(inner: Type) -> Type | None:
        if isinstance(inner, Meta):
            kind = c.solver.kinds.get(inner.uid)
            word = "_" if kind is None or kind.cls == "scalar" else {"num": "number", "int": "integer", "float": "float"}[kind.cls]
            return TypeVar(word, -1)
        if isinstance(inner, Fun):
            return Fun(map_type(inner.param, leaf, size), map_type(inner.result, leaf, size),
                       inner.name if inner.size_var is not None else None)
        return None

    def size(s: Size) -> Size:
        for atom in s.atoms():
            if isinstance(atom, SizeMeta) and atom not in sizes:
                sizes[atom] = Size.of(SizeVar("_", -atom.uid))
        return s.substitute(sizes)

    return show_type(map_type(c.solver.zonk(t), leaf, size))


def described(c: Checker, t: Type) -> str:
    """As `show`, with an article where the type is only known to be some number."""
    text = show(c, t)
    return {"number": "a number", "integer": "an integer", "float": "a float", "_": "any type"}.get(text, text)


def show_size(c: Checker, s: Size) -> str:
    s = c.solver.size(s)
    env: dict[SizeAtom, Size] = {a: Size.of(SizeVar("_", -a.uid)) for a in s.atoms() if isinstance(a, SizeMeta)}
    return str(s.substitute(env))


def origins(c: Checker, sizes: Sequence[Size], spans: Sequence[Span] = ()) -> list[tuple[Span, str]]:
    """Where each size variable in these sizes came from, and what it is."""
    out: list[tuple[Span, str]] = []
    seen: set[int] = set()
    for s in sizes:
        for atom in c.solver.size(s).atoms():
            if isinstance(atom, Opaque) or atom.uid in seen or atom.origin is None:
                continue
            seen.add(atom.uid)
            if isinstance(atom, SizeVar) and all(atom.origin.start != p.start or atom.origin.end != p.end for p in spans):
                what = atom.why if atom.name in atom.why or not atom.why else f"`{atom.name}`: {atom.why}"
                out.append((atom.origin, what or f"the size `{atom.name}`"))
    return out


def an(word: str) -> str:
    return f"an {word}" if word[:1] in "aeiou" and not word.startswith("u") else f"a {word}"


def plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


# ---------------------------------------------------------------- two types that do not fit


def clash(c: Checker, problem: Clash, context: Context) -> None:
    """Report a failed unification at its place, with the reason why another type was expected."""
    because = context.because
    others: list[tuple[Span, str]] = []
    if because.span is not None and because.label:
        expected = described(c, context.expected)
        others.append((because.span, because.label.replace("{expected}", expected) if "{" in because.label
                       else because.label if " is " in because.label else f"{because.label}: {expected}"))
    report(c, problem, context, others, because.title, because.code, because.help or None)


def report(c: Checker, problem: Clash, context: Context, others: list[tuple[Span, str]], title: str = "", code: str = "",
           help: str | None = None, notes: Sequence[str] = ()) -> None:
    found, expected = show(c, context.found), described(c, context.expected)
    span = context.span
    all_notes = [title] if title else []
    all_notes += notes
    match problem:
        case unify.SizeClash(one, other):
            size_clash(c, one, other, context, others, all_notes, help)
        case unify.Escape(size):
            c.error("E302", f"the size {show_size(c, size)} differs from call to call", span, f"this is {found}",
                    others=[*others, *origins(c, [size])],
                    notes=[*all_notes, "elements of an array, and results of a function given as an argument, have one size "
                                       "that is known outside"],
                    help=help or "give the size as an argument from outside, or fold instead of building an array")
        case unify.Occurs():
            c.error("E213", "this type would contain itself", span, f"this is {found}",
                    others=others, notes=all_notes, help="is a function applied to itself, or an array put into itself?")
        case unify.KindClash(t, kind):
            kind_clash(c, problem, t, kind, context, others, all_notes, code, help)
        case unify.TypeClash(a, b):
            a, b = c.solver.prune(a), c.solver.prune(b)
            mixed = _conversion(a, b, context.span.text if c.solver.prune(context.found) == a else None)
            whole = c.solver.prune(context.found)
            if mixed and isinstance(whole, Array) and c.solver.prune(whole.element) == a and isinstance(b, Scalar):
                mixed = f"convert its elements: `map {b.name} {_short(context.span.text)}`"
            inner = ""
            if show(c, a) != found and not isinstance(a, Meta):
                inner = f"inside, {show(c, a)} meets {show(c, b)}"
                all_notes.append(inner)
            if isinstance(b, TypeVar) or isinstance(a, TypeVar):
                rigid = b if isinstance(b, TypeVar) else a
                assert isinstance(rigid, TypeVar)
                if rigid.origin is not None:
                    others.append((rigid.origin, f"`{rigid.name}` is any type that a caller chooses"))
                code = code or "E223"
            if isinstance(a, Fun) and not isinstance(b, (Fun, Meta)) and c.solver.prune(context.found) == a:
                c.error(code or "E402", f"too few arguments: expected {expected}, found a function", span, f"this is {found}",
                        others=others, notes=all_notes, help=help or advice(c, a, b, context))
                return
            main = code or ("E203" if mixed else "E201")
            c.error(main, f"expected {expected}, found {found}", span, f"this is {found}", others=others, notes=all_notes,
                    help=help or mixed or advice(c, a, b, context))


def kind_clash(c: Checker, problem: Clash, t: Type, kind: Kind, context: Context, others: list[tuple[Span, str]],
               notes: list[str], code: str, help: str | None) -> None:
    assert isinstance(problem, unify.KindClash)
    found, expected = show(c, context.found), show(c, context.expected)
    wanted = {"num": "a number", "float": "a float", "int": "an integer", "scalar": "a scalar"}[kind.cls]
    shown = show(c, t)
    if kind.because is not None and kind.literal and isinstance(t, Scalar) and t.name in INTEGERS:
        c.error("E204", f"a fraction does not fit into {t.name}", kind.because, "this number has a fractional part",
                others=[(context.span, f"this is {shown}"), *others] if context.span is not kind.because else others, notes=notes,
                help=help or "convert the integer to a float, such as `f64 n`")
        return
    if isinstance(t, TypeVar):
        if t.origin is not None:
            others = [*others, (t.origin, "declared here")]
        c.error("E215", f"`{t.name}` need not be {wanted}", context.span, f"this is {found}", others=others, notes=notes,
                help=help or f"declare it as `'{t.name}: {'float' if kind.cls == 'float' else 'num'}`")
        return
    if kind.literal:
        c.error(code or "E201", f"expected {expected if problem.flipped else wanted}, found "
                f"{found if problem.flipped else shown}",
                context.span, f"this is {found}", others=others, notes=notes, help=help)
        return
    c.error(code or "E215", f"expected {wanted}, found {shown}", context.span, f"this is {found}", others=others, notes=notes,
            help=help or (f"convert it: `f64 {context.span.text}`" if kind.cls == "float" and isinstance(t, Scalar) else None))


def _conversion(found: Type, expected: Type, text: str | None) -> str | None:
    """What to write where two number types meet."""
    if isinstance(found, Scalar) and isinstance(expected, Scalar):
        number = FLOATS | INTEGERS
        if found.name in number and expected.name in number:
            inner = text if text is not None and (text.isidentifier() or text.startswith("(")) else f"({text})" if text else "…"
            if inner == "…":
                return f"convert one of them: `{expected.name} …`"
            note = " (it cuts the fraction off)" if found.name in FLOATS and expected.name in INTEGERS else ""
            return f"convert it: `{expected.name} {inner}`{note}"
    return None


def advice(c: Checker, found: Type, expected: Type, context: Context) -> str | None:
    """A next step for two types that differ in kind."""
    found, expected = c.solver.prune(found), c.solver.prune(expected)
    text = context.span.text
    if isinstance(found, Fun) and not isinstance(expected, Fun):
        missing = 0
        t: Type = found
        while isinstance(t, Fun):
            missing, t = missing + 1, c.solver.prune(t.result)
        return f"this is a function that waits for {plural(missing, 'more argument')}; apply it, or write a lambda"
    if isinstance(found, Scalar) and isinstance(expected, Array):
        return f"make an array of it: `replicate n {text}` or `[{text}]`" if len(text) < 20 else "make an array: `replicate n x`"
    if isinstance(found, Array) and isinstance(expected, Scalar):
        return "take an element, `xs[i]`, or fold the array, `sum xs`"
    if isinstance(found, Array) and isinstance(expected, Fun):
        return "a function comes here; are the arguments in the right order?"
    if isinstance(found, Scalar) and found == BOOL:
        return "turn a bool into a number with `if b then 1 else 0`"
    if isinstance(expected, Scalar) and expected == BOOL:
        return "compare with something, such as `x != 0`"
    if isinstance(found, Record) and isinstance(expected, Record):
        return _record_difference(found, expected)
    if isinstance(found, Tuple) and isinstance(expected, Tuple):
        return f"the tuples have {len(found.items)} and {len(expected.items)} parts"
    return None


def _record_difference(found: Record, expected: Record) -> str | None:
    have, want = [f for f, _ in found.fields], [f for f, _ in expected.fields]
    missing = [f"`{f}`" for f in want if f not in have]
    extra = [f"`{f}`" for f in have if f not in want]
    parts = []
    if missing:
        parts.append(f"add {', '.join(missing)}")
    if extra:
        parts.append(f"remove {', '.join(extra)}")
    return " and ".join(parts) or None


# ---------------------------------------------------------------- sizes


RESULT = "the result is declared here"


def size_clash(c: Checker, one: Size, other: Size, context: Context, others: list[tuple[Span, str]], notes: list[str],
               help: str | None) -> None:
    found, expected = show(c, context.found), show(c, context.expected)
    one, other = c.solver.size(one), c.solver.size(other)
    difference = one - other
    amount = difference.value
    if amount is not None:
        more = "more" if amount > 0 else "less"
        how = f"sizes differ by {abs(amount)}: [{show_size(c, one)}] is {abs(amount)} {more} than [{show_size(c, other)}]"
    else:
        how = f"sizes differ: [{show_size(c, one)}] and [{show_size(c, other)}]"
        if show_size(c, one) == show_size(c, other):
            notes = [*notes, "they are written alike, but are two values: each evaluation opens a size of its own"]
            help = help or "give the value a name with `let`, and use the name twice"
        else:
            shown = difference if difference.terms[0][1] > 0 else -difference
            notes = [*notes, f"their difference, {show_size(c, shown)}, is not known to be 0"]
    label = f"this is {found}" if not isinstance(context.found, Error) and "?" not in found else ""
    spans = [context.span, *(s for s, _ in others)]
    if not others and "?" not in expected:
        notes = [f"expected {expected}, found {found}", *notes]
    c.error("E301", how, context.span, label, others=[*others, *origins(c, [one, other], spans)], notes=notes,
            help=help or _size_help(c, one, other, context))


def _size_help(c: Checker, found: Size, expected: Size, context: Context) -> str | None:
    text = context.span.text
    simple = text if text.isidentifier() else None
    if context.because.label == RESULT:
        return f"declare the result as {show(c, context.found)}, or change what is computed"
    amount = (found - expected).value
    name = simple or "xs"
    if amount == 1:
        return f"drop one element: `init {name}` without the last, `tail {name}` without the first" if simple \
            else "drop one element: `init` takes the last away, `tail` the first"
    if amount is not None and amount > 1:
        return f"take what fits: `{name}[:{show_size(c, expected)}]` or `{name}[{amount}:]`"
    if amount is not None and amount < 0:
        return f"the other side is {-amount} longer: shorten it, or add elements here with `concat`"
    shown = show(c, context.expected)
    if "_" in shown or "?" in shown:
        return "if they are equal for a reason that the compiler cannot see, say so with `:>`, which checks at run time"
    return f"if they are equal for a reason that the compiler cannot see, write `{simple or '(…)'} :> {shown}`; " \
           "it is checked at run time"


def unsolved_size(c: Checker, found: Size, expected: Size, context: Context) -> None:
    c.error("E303", f"sizes cannot be inferred: [{found}] = [{expected}] has more than one solution", context.span,
             f"this is {show(c, context.found)}",
            help="write the type that you mean, such as `(unflatten xs : [2][3]f64)`")


# ---------------------------------------------------------------- arguments


def callee(f: ast.Exp) -> str:
    if isinstance(f, ast.BinOp):
        return f.op.strip("`")
    text = " ".join(f.span.text.split())
    return text if len(text) <= 30 else "this function"


def argument(c: Checker, problem: Clash, context: Context, f: ast.Exp, function: Type, k: int,
             arguments: Sequence[ast.Exp], given: Sequence[tuple[ast.Exp, Type]]) -> None:
    """An argument that does not fit its parameter; two arguments in the wrong order are recognised."""
    from .infer import infer

    name = callee(f)
    params = parameter_types(c, function)
    found = context.found
    swapped = _swapped(c, k, arguments, found, params, infer) if not isinstance(problem, unify.SizeClash) else None
    if swapped is not None:
        first, second = sorted((k, swapped))
        texts = [_short(a.span.text) for a in arguments]
        texts[first], texts[second] = texts[second], texts[first]
        c.error("E404", f"arguments {first + 1} and {second + 1} of `{name}` are in the wrong order", arguments[first].span,
                f"this is {show(c, _type_of(c, arguments[first], found))}",
                others=[(arguments[second].span, f"this is {show(c, _type_of(c, arguments[second], found))}")],
                notes=[f"`{name}` : {show(c, _declared(c, f, function))}"], help=f"write `{name} {' '.join(texts)}`")
        return
    if name in ("grad", "value_and_grad") and k == 0 and isinstance(f, ast.Name):
        result = c.solver.prune(found)
        if isinstance(result, Fun) and not isinstance(problem, unify.Escape):
            out = c.solver.prune(result.result)
            if isinstance(out, (Array, Tuple, Record, Scalar)) and out not in (Scalar("f64"), Scalar("f32")):
                gives = show(c, out) if "_" not in show(c, out) else "an array" if isinstance(out, Array) else "several values"
                c.error("E503", f"`{name}` needs a function to one float; this one gives {gives}", context.span,
                        f"this is {show(c, found)}", help=_gradient_help(out))
                return
    others: list[tuple[Span, str]] = []
    notes: list[str] = []
    place = _parameter_span(c, f, k)
    if place is not None and place.source is context.span.source:
        others.append((place, f"`{name}` takes {show(c, _parameter(c, f, function, k))} here"))
    else:
        notes.append(f"`{name}` : {show(c, _declared(c, f, function))}")
    if isinstance(problem, unify.SizeClash):
        wanted = set(c.solver.size(problem.expected).atoms())
        for other, t in given:
            if other is not arguments[k] and wanted & {a for s in sizes_of(c.solver.zonk(t)) for a in s.atoms()}:
                others.append((other.span, f"this is {show(c, t)}"))
    else:
        others += [(other.span, f"this is {show(c, t)}") for other, t in given
                   if isinstance(c.solver.prune(t), Fun) and other is not arguments[k]]
    report(c, problem, context, others, notes=notes)


def _gradient_help(out: Type) -> str:
    if isinstance(out, Scalar):
        return f"a derivative needs a float: convert the result, `f64 (…)`, if a number that depends on it smoothly is meant, \
not {out.name}"
    return "use `vjp f x dy`, or fold the result to one number, such as `sum`"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if text.isidentifier() or text.startswith("(") or (len(text) <= 30 and text.startswith("[")) else \
        f"({text})" if len(text) <= 40 and not text.startswith("\\") else "(…)"


def _type_of(c: Checker, e: ast.Exp, otherwise: Type) -> Type:
    return c.types.get(e, otherwise)


def _swapped(c: Checker, k: int, arguments: Sequence[ast.Exp], found: Type, params: Sequence[Type],
             infer: object) -> int | None:
    from .infer import infer as infer_type

    for j, other in enumerate(arguments):
        if j == k or j >= len(params) or k >= len(params):
            continue
        if other not in c.types:
            if c.failed:
                return None
            infer_type(c, other)
        t = c.types[other]
        known_found, known_t = c.solver.prune(found), c.solver.prune(t)
        if any(isinstance(x, Error) or (isinstance(x, Meta) and x.uid not in c.solver.kinds) for x in (known_found, known_t)):
            continue
        if c.solver.fits(found, params[j]) and c.solver.fits(t, params[k]) and not c.solver.fits(t, found):
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
    if use is not None and isinstance(use.target, GlobalRef):
        return use.target.definition
    return None


def _declared(c: Checker, f: ast.Exp, function: Type) -> Type:
    """The type of a function as it was declared, before this call fixed anything."""
    use = c.uses.get(f)
    return use.scheme.type if use is not None and use.scheme is not None else function


def _parameter(c: Checker, f: ast.Exp, function: Type, k: int) -> Type:
    params = parameter_types(c, _declared(c, f, function))
    return params[k] if k < len(params) else Error()


def _parameter_span(c: Checker, f: ast.Exp, k: int) -> Span | None:
    from .result import Definition

    definition = _definition(c, f)
    if isinstance(definition, Definition) and k < len(definition.node.params):
        return definition.node.params[k].span
    return None


def too_many_arguments(c: Checker, f: ast.Exp, function: Type, k: int, arguments: Sequence[ast.Exp], result: Type) -> None:
    name = callee(f)
    if k == 0:
        shown = show(c, function)
        text = f.span.text
        hint = "to index, write the bracket without a space: `xs[i]`" if isinstance(c.solver.prune(function), Array) else None
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
    if isinstance(problem, unify.SizeClash):
        size_clash(c, problem.found, problem.expected, context, others,
                   [f"`{op}` goes element by element, so both sides have one shape"], None)
        return
    if isinstance(problem, (unify.Escape, unify.Occurs)):
        report(c, problem, context, others)
        return
    left, right = c.solver.prune(left), c.solver.prune(right)
    while isinstance(left, Array) and isinstance(right, Array):
        left, right = c.solver.prune(left.element), c.solver.prune(right.element)
    if isinstance(problem, unify.KindClash) and problem.kind.literal and isinstance(problem.type, Scalar) \
            and problem.type.name in INTEGERS and problem.kind.because is not None:
        shown = show(c, problem.type)
        rest = left_span if problem.kind.because is right_span or problem.kind.because == right_span else right_span
        c.error("E204", f"a fraction does not fit into {problem.type.name}", problem.kind.because, "this number has a fractional part",
                others=[(rest, f"this is {shown}")] if rest is not problem.kind.because else [],
                help=f"convert the integer: `f64 {_short(rest.text)}`")
        return
    if isinstance(left, Scalar) and isinstance(right, Scalar) and {left.name, right.name} <= FLOATS | INTEGERS:
        integer, text = (left, left_span.text) if left.name in INTEGERS else (right, right_span.text)
        target = right if integer is left else left
        if (left.name in INTEGERS and right.name in INTEGERS) or (left.name in FLOATS and right.name in FLOATS):
            help = f"convert one of them: `{left.name} {_short(right_span.text)}`"
        else:
            help = f"convert the integer: `{target.name} {_short(text)}`"
        c.error("E203", f"`{op}` on {one} and {other}: number types never convert silently", right_span, f"this is {other}",
                others=others, help=help)
        return
    if isinstance(left, TypeVar) or isinstance(right, TypeVar):
        var = left if isinstance(left, TypeVar) else right
        assert isinstance(var, TypeVar)
        more = [(var.origin, f"`{var.name}` is any {var.constraint or 'type'} that a caller chooses")] if var.origin else []
        if isinstance(problem, unify.KindClash):
            need = "float" if problem.kind.cls == "float" else "num"
            c.error("E215", f"`{var.name}` need not be {'a float' if need == 'float' else 'a number'}", right_span,
                    f"this is {other}", others=[*others, *more], help=f"declare it as `'{var.name}: {need}`")
            return
        c.error("E223", f"`{op}` on {one} and {other}", right_span, f"this is {other}", others=[*others, *more],
                help="give both one type in the signature")
        return
    if isinstance(left, Array) != isinstance(right, Array) and not isinstance(left, (Tuple, Record, Fun)) \
            and not isinstance(right, (Tuple, Record, Fun)):
        c.error("E202", f"`{op}` on {one} and {other}: the shapes have different numbers of axes", right_span,
                f"this is {other}", others=others,
                help=f"say which axis is meant with `map`, such as `map (\\row -> row {op} v) rows`; only scalars spread by themselves")
        return
    bad_left = isinstance(left, (Tuple, Record, Fun)) or left == BOOL
    place, text = (left_span, one) if bad_left else (right_span, other)
    c.error("E202", f"`{op}` takes numbers or arrays of numbers, not {text}", place, f"this is {text}",
            others=[(right_span, f"this is {other}")] if bad_left else others, help=_operator_help(left if bad_left else right))


def _operator_help(t: Type) -> str | None:
    match t:
        case Fun():
            return "apply the function first; is an argument missing, or are parentheses?"
        case Record():
            return "take its fields, such as `p.x`"
        case Tuple():
            return "take the tuple apart: `let (a, b) = …`"
        case Scalar("bool"):
            return "turn a bool into a number with `if b then 1 else 0`"
        case _:
            return None


def not_arithmetic(c: Checker, a: Arithmetic, bad: Type) -> None:
    if isinstance(bad, Error):
        return
    shown = show(c, bad)
    if isinstance(bad, TypeVar):
        need = "num" if a.cls != "float" else "float"
        others = [(bad.origin, "declared here")] if bad.origin is not None else []
        c.error("E215", f"`{bad.name}` need not be {'a float' if need == 'float' else 'a number'}", a.span, f"`{a.op}` needs one",
                others=others, help=f"declare it as `'{bad.name}: {need}`")
    elif a.cls in ("int", "float") and isinstance(bad, (Scalar, Meta)) and bad != BOOL:
        kind = "integers" if a.cls == "int" else "floats"
        help = None
        if a.op in ("//", "%%"):
            help = f"use `{'/' if a.op == '//' else '%'}`, or `floor (x / y)`"
        elif a.op == "^":
            help = "to take a power, write `x ** y`"
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
    wanted = {"num": "numbers", "float": "floats", "int": "integers"}[b.cls]
    if isinstance(bad, TypeVar):
        others = [(bad.origin, "declared here")] if bad.origin is not None else []
        c.error("E215", f"`{bad.name}` need not be {'a float' if b.cls == 'float' else 'a number'}", b.span, f"`{name}` needs one",
                others=others, help=f"declare it as `'{bad.name}: {b.cls}`")
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
    elif op in ("==", "!=") and isinstance(t, (Array, Tuple, Record)):
        help = "compare elements: `and (map2 (==) xs ys)`" if isinstance(t, Array) else "compare the parts, joined by `&&`"
        c.error("E606", f"`{op}` on {shown} is not supported yet", place, f"this is {shown}", help=help)
    elif isinstance(t, Array):
        c.error("E220", f"`{op}` compares numbers, not arrays", place, f"this is {shown}",
                help=f"compare elements: `map2 ({op}) xs ys`")
    else:
        c.error("E220", f"`{op}` compares {'numbers' if op not in ('==', '!=') else 'scalars'}, not {shown}", place,
                f"this is {shown}")


# ---------------------------------------------------------------- records


def no_field(c: Checker, t: Type, name: str, span: Span, record_span: Span) -> Error:
    if isinstance(t, Error):
        return t
    shown = show(c, t)
    if isinstance(t, Record):
        fields = [f for f, _ in t.fields]
        meant = nearest(name, fields)
        return c.error("E207", f"there is no field `{name}` in {shown}", span, "no such field",
                       others=[(record_span, f"this is {shown}")] if record_span is not span else [],
                       notes=[f"its fields are {', '.join(f'`{f}`' for f in fields)}"],
                       help=f"did you mean `{meant}`?" if meant else None)
    if isinstance(t, Tuple):
        return c.error("E207", f"a tuple of {len(t.items)} has no part `{name}`", span, "no such part",
                       others=[(record_span, f"this is {shown}")] if record_span is not span else [],
                       help=f"its parts are `.0` to `.{len(t.items) - 1}`" if t.items else None)
    help = None
    if isinstance(t, Array) and isinstance(c.solver.prune(t.element), Record):
        help = f"take an element, or all of them: `map (.{name}) {record_span.text}`"
    elif isinstance(t, Array) and name in ("T", "transpose"):
        help = f"write `transpose {record_span.text}`"
    elif isinstance(t, Array) and name in ("shape", "size", "length"):
        help = f"write `length {record_span.text}`"
    elif isinstance(t, Array) and name in ("sum", "mean", "max", "min"):
        full = {"max": "maximum", "min": "minimum"}.get(name, name)
        help = f"write `{full} {record_span.text}`"
    return c.error("E208", f"only records have fields, and this is {shown}", record_span, f"this is {shown}",
                   others=[(span, "the field")] if span is not record_span else [], help=help)


__all__ = ["Because", "Tangent", "argument", "clash", "no_field", "not_arithmetic", "not_comparable", "operands_agree", "origins",
           "report", "same_operands", "show", "show_size", "size_clash", "too_many_arguments", "unsolved_size", "wrong_base",
           "wrong_result"]
