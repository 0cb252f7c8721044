"""The sentences of the checker: what was expected and found, where each size came from, what to type next."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..lang.sizes import MAX_DEGREE, MAX_TERMS, Opaque, Size, SizeAtom, SizeMeta, SizeVar
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
    Sum,
    Tuple,
    Type,
    TypeVar,
    map_type,
    sizes_of,
)
from ..lang.types import (
    show as show_type,
)
from . import builtins, clashes, variants
from .clashes import Clash, Kind
from .scope import nearest, prelude_names

if TYPE_CHECKING:
    from .context import Checker, Context
    from .scope import Session


# ---------------------------------------------------------------- types and sizes in words


def show(c: Checker, t: Type) -> str:
    """The type in Dad's syntax; what is not known yet is `_`, a literal's type `number`."""
    if c.solver.too_large(t):
        return "a type too large to show"
    sizes: dict[SizeAtom, Size] = {}

    def leaf(inner: Type) -> Type | None:
        if isinstance(inner, Meta):
            if inner.uid in c.solver.variants:
                return open_sum(inner.uid)
            kind = c.solver.kinds.get(inner.uid)
            words = {"num": "number", "ordered": "number", "int": "integer", "float": "float", "bits": "integer"}
            return TypeVar(words.get(kind.cls, "_") if kind is not None else "_", -1)
        if isinstance(inner, Fun):
            return Fun(map_type(inner.param, leaf, size), map_type(inner.result, leaf, size),
                       inner.name if inner.size_var is not None or inner.parts else None, exists=inner.exists)
        return None

    def open_sum(uid: int) -> Type:
        """The constructors met so far; there may be more."""
        cases = [(name, tuple(map_type(c.solver.zonk(i), leaf, size) for i in payload))
                 for name, payload in sorted(c.solver.variants[uid].constructors.items())]
        return TypeVar(show_type(Sum(tuple(cases))) + " | …", -1)

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
            if isinstance(atom,
                          SizeVar) and all(atom.origin.start != p.start or atom.origin.end != p.end for p in spans):
                what = atom.why if atom.name in atom.why or not atom.why else f"`{atom.name}`: {atom.why}"
                out.append((atom.origin, what or f"the size `{atom.name}`"))
    return out


def short(text: str) -> str:
    text = " ".join(text.split())
    plain = text.isidentifier() or text.replace(".", "", 1).isalnum()
    if plain or text.startswith("(") or (len(text) <= 30 and text.startswith("[")):
        return text
    return f"({text})" if len(text) <= 40 and not text.startswith("\\") else "(…)"


def plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def oversized(session: Session, span: Span) -> None:
    session.report.error("E225", "a size in here grows too large", span, "in this definition",
                         notes=[f"sizes are polynomials of at most {MAX_TERMS} terms and degree {MAX_DEGREE}, "
                                "with coefficients that fit into i64"],
                         help="pass the size as an i64 argument instead of computing it in types")


def too_large(c: Checker, span: Span) -> None:
    """Said once to a definition: all that uses the type is too large as well."""
    if c.oversized:
        return
    c.oversized = True
    c.error("E224", f"a type of more than {clashes.MAX_TYPE:,} parts, or {clashes.MAX_NESTING} deep", span,
            "here it grows too large",
            help="tuples of tuples of tuples double at every step: use arrays, or records with fewer parts")


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


def report(c: Checker, problem: Clash, context: Context, others: list[tuple[Span, str]], title: str = "",
           code: str = "",
           help: str | None = None, notes: Sequence[str] = ()) -> None:
    found, expected = show(c, context.found), described(c, context.expected)
    span = context.span
    all_notes = [title] if title else []
    all_notes += notes
    match problem:
        case clashes.SizeClash(one, other):
            size_clash(c, one, other, context, others, all_notes, help)
        case clashes.TypeEscape(var):
            if var.origin is not None:
                others.append((var.origin, f"`{var.name}` is any type that a caller of this function chooses"))
            c.error("E223", f"this would have to be of type `{var.name}`, which is known only inside the function",
                    span, f"this is {found}", others=others,
                    notes=[*all_notes, "what stands outside of the function has one type"],
                    help=f"pass it as an argument, or leave out `'{var.name}`: types of local functions are inferred")
        case clashes.Escape(size):
            sizes = [s for t in (context.found, context.expected) for s in sizes_of(c.solver.zonk(t))]
            given = next((a for s in sizes for a in s.atoms() if isinstance(a, SizeMeta) and a in c.anonymous), None)
            if given is not None:
                why = f"{given.why} is the caller's choice"
                help = help or "if both are equal, name it, `[n]` in place of `[]`, and write `… :> [n]_`, which is " \
                    "checked at run time"
            else:
                why = "elements of an array, and results of a function given as an argument, have one size that is " \
                    "known outside"
            c.error("E302", f"the size {show_size(c, size)} differs from call to call", span, f"this is {found}",
                    others=[*others, *origins(c, [size])], notes=[*all_notes, why],
                    help=help or "give the size as an argument from outside, or fold instead of building an array")
        case clashes.TooLarge():
            too_large(c, span)
        case clashes.Occurs():
            c.error("E213", "this type would contain itself", span, f"this is {found}",
                    others=others, notes=all_notes,
                    help="is a function applied to itself, or an array put into itself?")
        case variants.NoConstructor(name, whole):
            no_constructor(c, name, whole, span, others, all_notes)
        case variants.Payload(name, given, wanted, whole):
            wrong_payload(c, name, given, wanted, whole, span, others, all_notes)
        case clashes.KindClash(t, kind):
            kind_clash(c, problem, t, kind, context, others, all_notes, code, help)
        case clashes.TypeClash(a, b):
            a, b = c.solver.prune(a), c.solver.prune(b)
            mixed = _conversion(a, b, context.span.text if c.solver.prune(context.found) == a else None)
            whole = c.solver.prune(context.found)
            if mixed and isinstance(whole, Array) and c.solver.prune(whole.element) == a and isinstance(b, Scalar):
                mixed = f"convert its elements: `map {b.name} {short(context.span.text)}`"
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
                c.error(code or "E402", f"too few arguments: expected {expected}, found a function", span,
                        f"this is {found}",
                        others=others, notes=all_notes, help=help or advice(c, a, b, context))
                return
            main = code or ("E203" if mixed else "E201")
            c.error(main, f"expected {expected}, found {found}", span, f"this is {found}", others=others,
                    notes=all_notes,
                    help=help or mixed or advice(c, a, b, context))


REQUIREMENTS = {"num": "a number", "float": "a float", "int": "an integer", "bits": "an integer", "scalar": "a number",
                "ordered": "a number"}
"""What a value need not be when its type is a parameter that is not declared so."""


def declaration(name: str, cls: str) -> str:
    """How to declare a type parameter that must be of a kind."""
    return f"declare it as `'{name}: { {'bits': 'int', 'scalar': 'num', 'ordered': 'num'}.get(cls, cls)}`"


def kind_clash(c: Checker, problem: Clash, t: Type, kind: Kind, context: Context, others: list[tuple[Span, str]],
               notes: list[str], code: str, help: str | None) -> None:
    assert isinstance(problem, clashes.KindClash)
    found, expected = show(c, context.found), show(c, context.expected)
    wider = {"bits": "an integer or a bool", "scalar": "a scalar", "ordered": "a scalar"}
    wanted = wider.get(kind.cls) or REQUIREMENTS[kind.cls]
    shown = show(c, t)
    if kind.because is not None and kind.literal and isinstance(t, Scalar) and t.name in INTEGERS:
        c.error("E204", f"a fraction does not fit into {t.name}", kind.because, "this number has a fractional part",
                others=[(context.span, f"this is {shown}"), *others] if context.span is not kind.because else others,
                notes=notes,
                help=help or "convert the integer to a float, such as `f64 n`")
        return
    if isinstance(t, TypeVar):
        if t.origin is not None:
            others = [*others, (t.origin, "declared here")]
        c.error("E215", f"`{t.name}` need not be {REQUIREMENTS[kind.cls]}", context.span, f"this is {found}",
                others=others, notes=notes, help=help or declaration(t.name, kind.cls))
        return
    if kind.literal:
        c.error(code or "E201", f"expected {expected if problem.flipped else wanted}, found "
                f"{found if problem.flipped else shown}",
                context.span, f"this is {found}", others=others, notes=notes, help=help)
        return
    c.error(code or "E215", f"expected {wanted}, found {shown}", context.span, f"this is {found}", others=others,
            notes=notes,
            help=help or (f"convert it: `{_over(c, context.found)}f64 {context.span.text}`"
                          if kind.cls == "float" and isinstance(t, Scalar) else None))


def _over(c: Checker, t: Type) -> str:
    """What makes a function of scalars one of values of this type."""
    t = c.solver.prune(t)
    if not isinstance(t, Array):
        return ""
    inner = _over(c, t.element)
    return f"map ({inner.strip()}) " if inner else "map "


def _conversion(found: Type, expected: Type, text: str | None) -> str | None:
    """What to write where two number types meet."""
    if isinstance(found, Scalar) and isinstance(expected, Scalar):
        number = FLOATS | INTEGERS
        if found.name in number and expected.name in number:
            inner = text if text is not None and (text.isidentifier()
                                                  or text.startswith("(")) else f"({text})" if text else "…"
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
        one = text if len(text) < 20 else "x"
        return f"make an array of it: `replicate n {short(one)}` or `[{one}]`"
    if isinstance(found, Array) and isinstance(expected, Scalar):
        return "take an element, `xs[i]`, or fold the array, `sum xs`"
    if isinstance(found, Array) and isinstance(expected, Fun):
        return "a function comes here; are the arguments in the right order?"
    if isinstance(found, Scalar) and found == BOOL:
        return "turn a bool into a number with `if b then 1 else 0`"
    if isinstance(expected, Scalar) and expected == BOOL:
        return "compare with something, such as `x != 0`"
    if isinstance(found, Sum) and isinstance(expected, Sum):
        return _sum_difference(found, expected)
    if isinstance(found, Record) and isinstance(expected, Record):
        return _record_difference(found, expected)
    if isinstance(found, Tuple) and isinstance(expected, Tuple):
        return f"the tuples have {len(found.items)} and {len(expected.items)} parts"
    return None


def _sum_difference(found: Sum, expected: Sum) -> str | None:
    have, want = dict(found.constructors), dict(expected.constructors)
    unshared = [f"#{n}" for n in want if n not in have] + [f"#{n}" for n in have if n not in want]
    if unshared:
        return f"unshared constructors: {', '.join(unshared)}; a `match` turns values of one type into the other"
    unlike = [f"`#{n}`" for n in want if len(have[n]) != len(want[n])]
    return f"{', '.join(unlike)} do not hold the same number of values" if unlike else None


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
        how = f"sizes differ by {abs(amount)}: " \
              f"[{show_size(c, one)}] is {abs(amount)} {more} than [{show_size(c, other)}]"
    else:
        how = f"sizes differ: [{show_size(c, one)}] and [{show_size(c, other)}]"
        together = next((e for e, made in c.opened.items() if one.atom in made and other.atom in made), None)
        if together is not None:
            known = {ast.Loop: "the loop", ast.If: "the `if`", ast.Match: "the `match`"}
            what = known.get(type(together), "this value")
            notes = [*notes, f"{what} gives arrays whose sizes are not known to be equal"]
            if isinstance(together, ast.Loop):
                help = help or "if each iteration keeps them equal, say so: `loop [n] (xs: [n]t, ys: [n]u) = … do …`"
        elif show_size(c, one) == show_size(c, other):
            notes = [*notes, "they are written alike, but are two values: each evaluation opens a size of its own"]
            help = help or "give the value a name with `let`, and use the name twice"
        else:
            shown = difference if difference.terms[0][1] > 0 else -difference
            opened = {v for found_here in c.opened.values() for v in found_here}
            values = [a for s in (one, other) for a in s.atoms() if isinstance(a, SizeVar) and a in opened]
            if values:
                notes = [*notes, *(f"`{v.name}` is {v.why}" for v in dict.fromkeys(values) if v.why)]
                help = help or opened_help(c, context)
            notes = [*notes, f"their difference, {show_size(c, shown)}, is not known to be 0"]
    label = f"this is {found}" if not isinstance(context.found, Error) and "?" not in found else ""
    spans = [context.span, *(s for s, _ in others)]
    if not others and "?" not in expected:
        notes = [f"expected {expected}, found {found}", *notes]
    c.error("E301", how, context.span, label, others=[*others, *origins(c, [one, other], spans)], notes=notes,
            help=help or _size_help(c, one, other, context))


def opened_help(c: Checker, context: Context) -> str:
    """For a size that only the run knows: it cannot be declared, only asserted."""
    shown = show(c, context.expected)
    simple = context.span.text if context.span.text.isidentifier() else "(…)"
    if "?" in shown:
        return "only the run knows this size: if it is right, say so with `:>`, which is checked at run time"
    return f"only the run knows this size: if it is right, write `{simple} :> {shown}`, which is checked at run time"


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
    elif name == "astype":
        help = f"write `f64 {record_span.text}`" if isinstance(t, Scalar) else f"write `map f64 {record_span.text}`"
    elif isinstance(t, Array) and name == "dot":
        help = f"write `dot {record_span.text} ys`"
    elif isinstance(t, Array) and name in ("sum", "mean", "max", "min"):
        full = {"max": "maximum", "min": "minimum"}.get(name, name)
        help = f"write `{full} {record_span.text}`"
    elif name in ("map", "filter"):
        help = f"functions come first: `{name} f {record_span.text}`"
    elif name in prelude_names() or builtins.find(name) is not None:
        help = f"functions come first: `{name} {record_span.text}`"
    return c.error("E208", f"only records have fields, and this is {shown}", record_span, f"this is {shown}",
                   others=[(span, "the field")] if span is not record_span else [], help=help)


# ---------------------------------------------------------------- sums


def no_constructor(c: Checker, name: str, sum: Type, span: Span, others: Sequence[tuple[Span, str]] = (),
                   notes: Sequence[str] = ()) -> Error:
    """`#name` where the sum has other constructors."""
    known = c.solver.prune(sum)
    names = [n for n, _ in known.constructors] if isinstance(known, Sum) else []
    meant = nearest(name, names)
    listed = [f"its constructors are {', '.join(f'`#{n}`' for n in names)}"] if not (isinstance(known, Sum)
                                                                                     and known.name is None) else []
    return c.error("E242", f"{show(c, sum)} has no constructor `#{name}`", span, "no such constructor",
                   others=list(others), notes=[*notes, *listed], help=f"did you mean `#{meant}`?" if meant else None)


def wrong_payload(c: Checker, name: str, given: int, wanted: int, sum: Type, span: Span,
                  others: Sequence[tuple[Span, str]] = (), notes: Sequence[str] = (), pattern: bool = False) -> Error:
    """`#name` with more or fewer values than it holds."""
    holds = plural(wanted, "value") if wanted else "no value"
    few = given < wanted
    told = f"this pattern cannot match: `#{name}` holds {holds}, not {given}" if pattern else \
        f"`#{name}` holds {holds}, not {given}"
    return c.error("E243", told, span, f"{'too few' if few else 'too many'} here",
                   others=list(others), notes=[*notes, f"the type is {show(c, sum)}"],
                   help=f"one value may be a tuple: `#{name} (a, b)` holds one" if given and wanted == 1 else None)
