"""Type expressions and size expressions: from syntax to types and polynomials.

A `TypeContext` says what names mean where the type stands and what an anonymous size `[]` becomes there: a size of
its own (parameters of definitions), an unknown (inside bodies), or a size that callers open (results).
"""
from __future__ import annotations

from collections.abc import Callable

from ..lang.record import dataclass, field
from ..lang.sizes import Opaque, Size, SizeAtom, SizeVar
from ..lang.source import Span
from ..lang.surface import ast
from ..lang.types import (
    DERIVED,
    FLOATS,
    INTEGERS,
    MAX_CONSTRUCTORS,
    SCALARS,
    UNIT,
    Array,
    Derived,
    Error,
    Fun,
    Record,
    Scalar,
    Sum,
    Tuple,
    Type,
    TypeVar,
    derived,
    substituted,
)
from .clashes import CONSTRAINTS
from .context import Checker
from .messages import plural, too_large
from .paths import exported_type, exported_value, no_member, path_of, structure_at
from .scope import FileScope, Global, Local, Sealed, SizeParam, TypeEntry, nearest

Anonymous = Callable[[Span], Size]


@dataclass(eq=False)
class TypeContext:
    c: Checker
    file: FileScope
    anonymous: Anonymous
    sizes: dict[str, Size] = field(default_factory=dict)
    """Size parameters of an abbreviation that is being expanded; otherwise the checker's scope has the names."""
    types: dict[str, Type] = field(default_factory=dict)
    expanding: tuple[str, ...] = ()
    closed: bool = False
    """Only `sizes` and `types` are visible, no locals (inside an abbreviation)."""


def elaborate(x: TypeContext, t: ast.TypeExp) -> Type:
    """The type that an expression denotes; `Error` after a report."""
    match t:
        case ast.TName():
            return _name(x, t)
        case ast.TVar(name=name):
            return _variable(x, name, t.span)
        case ast.TArray(size=size, element=element):
            n = x.anonymous(t.span) if size is None else size_of_type(x, size)
            inner = elaborate(x, element)
            return Array(n, inner)
        case ast.TTuple(items=items):
            return Tuple(tuple(elaborate(x, i) for i in items)) if items else UNIT
        case ast.TRecord(fields=fields):
            return _record(x, t, fields)
        case ast.TFun(name=name, param=param, result=result):
            return _function(x, name, param, result)
        case ast.TUnique(type=inner):
            return elaborate(x, inner)
        case ast.TRefined(type=inner):
            return _refined(x, t, elaborate(x, inner))
        case ast.TGraded(type=inner):
            from .contracts import graded

            base = elaborate(x, inner)
            graded(x, t, base)
            return base
        case ast.TQualified(activity=activity, type=inner):
            x.c.error("E508", f"`{activity}` stands only on parameters of definitions", t.span, "not here",
                      help=f"remove `{activity}`")
            return elaborate(x, inner)
        case ast.TExists(sizes=sizes, body=body):
            saved = dict(x.sizes)
            for binder in sizes:
                x.sizes[binder.name] = x.anonymous(binder.span)
            opened = elaborate(x, body)
            x.sizes = saved
            return opened
        case ast.TSum(constructors=constructors):
            return _sum(x, t, constructors)


def _name(x: TypeContext, t: ast.TName) -> Type:
    if not t.qualifier:
        if t.name in x.expanding and t.name not in x.types:
            x.c.error("E222", f"type `{t.name}` contains itself", t.span, "here it refers to itself",
                      help="recursive types do not exist; use arrays and indices")
            return Error()
        if t.name in x.types:
            return _no_arguments(x, t, x.types[t.name])
        if not x.closed and t.name in x.c.type_names:
            return _no_arguments(x, t, x.c.type_names[t.name])
        entry = x.file.type(t.name)
        if entry is not None:
            return _expand(x, t, entry)
        if t.name in SCALARS:
            return _no_arguments(x, t, Scalar(t.name))
        if t.name in DERIVED and t.arguments:
            return _derived(x, t)
    else:
        return _member(x, t)
    later = x.file.declared_later(t.name)
    if later is not None:
        x.c.error("E106", f"type `{t.name}` is used before its declaration", t.span, "not declared yet",
                  others=[(later, "declared here")], help="move the declaration above this use")
        return Error()
    if x.file.lacks(t.name) or t.name in x.c.unknown:
        x.c.failed = True
        return Error()
    x.c.unknown.add(t.name)
    candidates = [*x.types, *x.c.type_names, *x.file.type_names(), *SCALARS]
    meant = FOREIGN.get(t.name) or nearest(t.name, candidates)
    help = f"did you mean `{meant}`?" if meant else None
    before = x.c.span.source.text[:t.span.start]
    if before.rstrip().endswith(":") and "\n" in before[len(before.rstrip()):]:
        help = "the body of a definition follows `=`, not `:`; a name inside of it is given with `let`"
    elif t.name in ("data", "param"):
        help = f"write `{t.name} f64`: the type follows"
    elif meant is None and t.name.lower() in ("array", "list", "vector", "matrix", "vec", "tensor", "ndarray"):
        help = "the type of an array is `[n]f64`, that of a matrix `[n][m]f64`"
    elif meant is None and len(t.name) == 1 and t.name.islower():
        help = f"to make it a type parameter, write `'{t.name}` after the definition's name"
    x.c.error("E102", f"unknown type `{t.name}`", t.span, "not a type in scope", help=help)
    return Error()


def _derived(x: TypeContext, t: ast.TName) -> Type:
    """`tangent a`, `derivative a b`"""
    count, _ = DERIVED[t.name]
    wrong = next((a for a in t.arguments if isinstance(a, ast.TSizeArg)), None)
    if wrong is not None or len(t.arguments) != count:
        shown = " ".join("ab"[:count])
        x.c.error("E109", f"`{t.name}` takes {plural(count, 'type')}, got {len(t.arguments)}" if wrong is None else
                  f"`{t.name}` takes {plural(count, 'type')}, no size", t.span if wrong is None else wrong.span,
                  "this does not fit", help=f"write `{t.name} {shown}`, with what is longer than a word in parentheses")
        return Error()
    return derived(t.name, tuple(elaborate(x, a) for a in t.arguments if not isinstance(a, ast.TSizeArg)))


def _member(x: TypeContext, t: ast.TName) -> Type:
    """`M.t`"""
    module = structure_at(x.c.session, x.file, t.qualifier, t.span, x.c.error)
    if module is None:
        x.c.failed = True
        return Error()
    entry = exported_type(module, t.name)
    if entry is None:
        no_member(module, t.qualifier, t.name, "types", t.span, x.c.error)
        x.c.failed = True
        return Error()
    return _expand(x, t, entry)


FOREIGN = {"float": "f64", "double": "f64", "real": "f64", "float64": "f64", "float32": "f32",
           "float16": "f16", "half": "f16", "int": "i64", "int64": "i64",
           "int32": "i32", "integer": "i64", "boolean": "bool", "Float": "f64", "Int": "i64", "Bool": "bool",
           "usize": "i64", "number": "f64"}


def _no_arguments(x: TypeContext, t: ast.TName, result: Type) -> Type:
    if t.arguments:
        word = t.arguments[0].span.text
        x.c.error("E109", f"`{t.name}` takes no arguments", t.arguments[0].span, "this is too much",
                  help=f"write `[n]{t.name}` for an array" if isinstance(t.arguments[0], ast.TSizeArg) else
                  f"write `{word} {t.name}`" if word in ("data", "param") else None)
        return Error()
    return result


def _variable(x: TypeContext, name: str, span: Span) -> Type:
    found = x.types.get(name) or (None if x.closed else x.c.type_names.get(name))
    if found is None:
        x.c.error("E102", f"unknown type parameter `'{name}`", span, "not declared",
                  help=f"declare it after the definition's name: `'{name}`")
        return Error()
    return found


def _record(x: TypeContext, t: ast.TRecord, fields: tuple[tuple[str, ast.TypeExp], ...]) -> Type:
    seen: dict[str, Type] = {}
    for name, inner in fields:
        if name in seen:
            x.c.error("E209", f"field `{name}` occurs twice", inner.span, "the second one", help="rename or remove one")
            continue
        seen[name] = elaborate(x, inner)
    return Record.of(seen.items())


def _sum(x: TypeContext, t: ast.TSum, constructors: tuple[tuple[str, tuple[ast.TypeExp, ...]], ...]) -> Type:
    seen: dict[str, tuple[Type, ...]] = {}
    for name, payload in constructors:
        if name in seen:
            x.c.error("E209", f"constructor `#{name}` occurs twice", t.span, "in this sum type",
                      help="rename or remove one")
            continue
        seen[name] = tuple(elaborate(x, inner) for inner in payload)
    if len(seen) > MAX_CONSTRUCTORS:
        x.c.error("E224", f"a sum type of {len(seen)} constructors", t.span, f"at most {MAX_CONSTRUCTORS} are possible",
                  help="let constructors hold numbers, or sums of their own")
        return Error()
    return Sum.of(seen.items())


def _function(x: TypeContext, name: str | None, param: ast.TypeExp, result: ast.TypeExp) -> Type:
    """A function's type. Sizes that its result leaves open are found out by each call."""
    param_type = elaborate(x, param)
    var: SizeVar | None = None
    saved, outside = dict(x.sizes), x.anonymous
    if name is not None and param_type == Scalar("i64"):
        var = x.c.solver.size_var(name, param.span, f"the argument `{name}` of a function", 0)
        x.sizes[name] = Size.of(var)
    exists: list[SizeVar] = []

    def found_by_the_call(span: Span) -> Size:
        name = span.text if span.text.isidentifier() else "k"
        exists.append(x.c.solver.size_var(name, span, "a size that the function finds out", 1 << 30))
        return Size.of(exists[-1])

    if not isinstance(result, ast.TFun):  # the sizes of further parameters are the callers'
        x.anonymous = found_by_the_call
    result_type = elaborate(x, result)
    x.sizes, x.anonymous = saved, outside
    return Fun(param_type, result_type, name, var, tuple(exists))


def _refined(x: TypeContext, t: ast.TRefined, base: Type) -> Type:
    floats = base.name in FLOATS if isinstance(base, Scalar) else \
        isinstance(base, TypeVar) and base.constraint == "float"
    if not isinstance(base, Error) and not floats:
        x.c.error("E215", f"only floats can be refined by bounds, not {x.c.show(base)}", t.span, "a refinement",
                  help="remove the braces")
    x.c.session.contracted += 1
    return base


def _expand(x: TypeContext, t: ast.TName, entry: TypeEntry) -> Type:
    if isinstance(entry.body, Error):
        x.c.failed = True
        return Error()
    x.c.session.contracted += bool(entry.contracts)
    sizes = [a for a in t.arguments if isinstance(a, ast.TSizeArg)]
    types = [a for a in t.arguments if not isinstance(a, ast.TSizeArg)]
    if len(sizes) != len(entry.sizes) or len(types) != len(entry.types):
        wanted = [plural(len(entry.sizes), "size")] * bool(entry.sizes) + [plural(len(entry.types), "type")] * bool(
            entry.types)
        given = [plural(len(sizes), "size")] * bool(sizes) + [plural(len(types), "type")] * bool(types)
        example = " ".join([t.name, *(f"[{s.name}]" for s in entry.sizes), *(v.name for v in entry.types)])
        x.c.error("E109", f"`{t.name}` takes {' and '.join(wanted) or 'no arguments'}", t.span,
                  f"given {' and '.join(given) or 'none'}", others=[(entry.span, "declared here")],
                  help=f"write `{example}`")
        return Error()
    if not t.arguments and not entry.open:
        return entry.body
    size_env: dict[SizeAtom, Size] = {}
    for var, size in zip(entry.sizes, sizes, strict=True):
        size_env[var] = x.anonymous(size.span) if size.size is None else size_of_type(x, size.size)
    type_env = {var: elaborate(x, argument) for var, argument in zip(entry.types, types, strict=True)}
    size_env.update((var, x.anonymous(t.span)) for var in entry.open)
    made = substituted(entry.body, type_env, size_env)
    if x.c.solver.too_large(made):
        too_large(x.c, t.span)
        return Error()
    return made


def size_of_type(x: TypeContext, e: ast.Exp) -> Size:
    """The polynomial of a size expression in a type; a fresh unknown after a report."""
    size = _size(x, e)
    if size is not None and size.value is not None and size.value < 0:
        x.c.error("E308", f"the size {size} is negative", e.span, "an array cannot have this size")
        size = None
    return size if size is not None else x.c.solver.size_meta()


def _size(x: TypeContext, e: ast.Exp) -> Size | None:
    match e:
        case ast.Lit(value=int(value), suffix=None | "i64") if not isinstance(value, bool):
            return Size.constant(value)
        case ast.Name(name=name, qualifier=()):
            return _size_name(x, name, e.span)
        case ast.Field() if not x.closed and (held := field_size(x.c, e)) is not None:
            return held
        case ast.Name() | ast.Field():
            return _size_member(x, e)
        case ast.UnOp(op="-", operand=operand):
            inner = _size(x, operand)
            return None if inner is None else -inner
        case ast.BinOp(op=op, left=left, right=right) if op in SIZE_OPERATORS:
            one, other = _size(x, left), _size(x, right)
            if one is None or other is None:
                return None
            return combine(op, one, other)
        case ast.Ascribe(operand=operand):
            return _size(x, operand)
        case ast.Apply(function=ast.Name(name=name, qualifier=qualifier), arguments=arguments):
            found = _size_call(x, name, qualifier, arguments)
            if found is not None:
                return found
        case _:
            pass
    x.c.error("E304", "this is not a size expression", e.span,
              "sizes are made of names and their fields, numbers, arithmetic, `length`, `min`, `max` and conversions",
              help="give the value a name with `let` and use the name as the size")
    return None


def _size_call(x: TypeContext, name: str, qualifier: tuple[str, ...], arguments: tuple[ast.Exp, ...]) -> Size | None:
    """`i64.i32 n`, `length xs`, `i64.max n m` as sizes."""
    c = x.c
    argument = arguments[0]
    if len(arguments) == 1 and converts(name, qualifier):
        if not isinstance(argument, ast.Name) or argument.qualifier:
            return _size(x, argument) if name == "i64" else None
        local = None if x.closed or argument.name in x.sizes else c.names.get(argument.name)
        if not isinstance(local, Local) or local.scheme is not None:
            return _size(x, argument)
        if qualifier:
            c.solver.unify(local.type, Scalar(name))
        return c.value_size(local)
    if name in ("min", "max") and qualifier in ((), ("i64",)) and len(arguments) == 2:
        one, other = _size(x, arguments[0]), _size(x, arguments[1])
        return None if one is None or other is None else combine(name, one, other)
    if name == "length" and not qualifier and isinstance(argument, ast.Name) and not x.closed:
        local = c.names.get(argument.name)
        t = c.solver.prune(local.type) if isinstance(local, Local) else Error()
        return c.solver.size(t.size) if isinstance(t, Array) else None
    return None


def converts(name: str, qualifier: tuple[str, ...]) -> bool:
    """Whether a function of this name turns integers into i64."""
    return (qualifier == ("i64",) and name in INTEGERS) or (name == "i64" and not qualifier)


def field_size(c: Checker, e: ast.Field) -> Size | None:
    """The value of `p.x.n` as a size, when it is an i64 field of a bound name."""
    path: list[str] = []
    inner: ast.Exp = e
    while isinstance(inner, ast.Field):
        path.insert(0, inner.name)
        inner = inner.record
    local = c.names.get(inner.name) if isinstance(inner, ast.Name) and not inner.qualifier else None
    if not isinstance(local, Local) or local.scheme is not None:
        return None
    t = c.solver.prune(local.type)
    for name in path:
        match t:
            case Record(fields):
                t = c.solver.prune(dict(fields).get(name, Error()))
            case Tuple(items) if name.isdigit() and int(name) < len(items):
                t = c.solver.prune(items[int(name)])
            case _:
                return None
    return c.field_size(local, tuple(path), e.span) if t == Scalar("i64") else None


SIZE_OPERATORS = ("+", "-", "*", "/", "%", "**", "//", "%%")


def combine(op: str, one: Size, other: Size) -> Size:
    """The size that an operator makes of two: a polynomial, a number, or a term of its own."""
    match op:
        case "+":
            return (one + other).as_written(op, one, other)
        case "-":
            return one - other
        case "*":
            return (one * other).as_written(op, one, other)
        case "min" | "max" if one.value is not None and other.value is not None:
            return Size.constant(min(one.value, other.value) if op == "min" else max(one.value, other.value))
        case "min" | "max":
            return one if one == other else Size.of(Opaque(op, (one, other)))
    if op == "**":
        if one.value is not None and other.value is not None and 0 <= other.value < 64:
            return Size.constant(int(one.value ** other.value))
        return Size.of(Opaque(op, (one, other)))
    quotient = one.divided(other)
    if quotient is not None:
        return quotient if op in ("/", "//") else Size.constant(0)
    divisor = other.value
    if op in ("/", "%") and divisor is not None and divisor > 1:
        # What is a multiple of the divisor comes out, or goes: (2*n + 1) / 2 is n.
        multiple = Size(tuple((m, k // divisor) for m, k in one.terms if k % divisor == 0))
        if multiple.terms:
            rest = combine(op, one - multiple * other, other)
            return multiple + rest if op == "/" else rest
    if one.value is not None and other.value is not None and other.value > 0 and one.value >= 0:
        return Size.constant(one.value // other.value if op in ("/", "//") else one.value % other.value)
    return Size.of(Opaque(op, (one, other)))


def _size_member(x: TypeContext, e: ast.Name | ast.Field) -> Size | None:
    """`[M.n]`"""
    path = path_of(e)
    found = None
    if path is not None and (x.closed or path[0] not in x.c.names):
        module = structure_at(x.c.session, x.file, path[:-1], e.span, x.c.error)
        if module is None:
            x.c.failed = True
            return None
        found = exported_value(module, path[-1])
        if found is None:
            no_member(module, path[:-1], path[-1], "values", e.span, x.c.error)
            x.c.failed = True
            return None
    if isinstance(found, (Global, Sealed)) and found.constant is not None:
        return found.constant
    x.c.error("E304", f"`{e.span.text}` is not known as a size", e.span,
              "only definitions that are plain numbers are" if found is not None else "this is not the name of a value",
              help="give its value a name with `let` and use the name as the size")
    return None


def _size_name(x: TypeContext, name: str, span: Span) -> Size | None:
    c = x.c
    if name in x.sizes:
        return x.sizes[name]
    meaning: object = None if x.closed else c.names.get(name)
    if meaning is None:
        meaning = x.file.value(name)
    match meaning:
        case SizeParam(size=size):
            return size
        case Local():
            return local_size(c, meaning, span)
        case Global(constant=Size() as size) | Sealed(constant=Size() as size):
            return size
        case Global(definition=None):
            return None
        case Global() | Sealed():
            c.error("E304", f"`{name}` is not known as a size", span, "only definitions of i64 values are",
                    help=f"give its value a name inside the definition: `let {name}' = {name}`")
            return None
    if name in c.type_names:
        c.error("E304", f"`{name}` is a type, not a size", span, "used as a size")
        return None
    if name in c.unknown:
        c.failed = True
        return None
    c.unknown.add(name)
    known = [n for n, m in c.names.items() if isinstance(m, (SizeParam, Local))] if not x.closed else list(x.sizes)
    meant = nearest(name, known)
    c.error("E103", f"unknown size `{name}`", span, "not declared",
            help=f"did you mean `{meant}`?" if meant else f"declare it: write `[{name}]` after the definition's name")
    return None


def local_size(c: Checker, local: Local, span: Span) -> Size | None:
    """The value of a name as a size, when it is an i64."""
    if local.scheme is not None:
        c.error("E304", f"`{local.name}` is a function, not a size", span, "used as a size")
        return None
    t = c.solver.prune(local.type)
    if isinstance(t, Error):
        return None
    if not c.solver.fits(t, Scalar("i64")):
        c.error("E304", f"`{local.name}` is not an i64, so it is no size", span, f"this is {c.show(t)}",
                others=[(local.span, "bound here")])
        return None
    c.solver.unify(t, Scalar("i64"))
    return c.value_size(local)


def type_var(c: Checker, p: ast.TypeParam) -> TypeVar:
    constraint = p.constraint
    if constraint is not None and constraint not in CONSTRAINTS:
        span = p.constraint_span or p.span
        c.error("E215", f"unknown constraint `{constraint}`", span, "a type parameter can be `num`, `int` or `float`",
                help="write `num` for any number, `int` for integers, `float` for f64, f32 and f16")
        constraint = None
    return TypeVar(p.name, next(c.session.uids), constraint, p.span, p.lifted)


__all__ = ["Derived", "TypeContext", "combine", "elaborate", "local_size", "size_of_type", "type_var"]
