r"""The text form of IR: `show` prints it, `parse` reads it back, and `parse(show(program)) == program`.

    def f "model.f" (xs.0: []f64, k.1: f64) {
      let n.2: i64 = dim xs.0 {axis = 0}
      let ys.3: []f64 = map (xs.0) shapes (()) \(x.4: f64) {
        let y.5: f64 = mul x.4 k.1
        return y.5
      }
      let s.6: f64, i.7: i64 = for n.2 \(k.8: i64, a.9: f64, b.10: i64) from (0.0, 3) shapes () {
        return a.9 k.8
      }
      return ys.3 s.6
    } dims ((n.2) ())

A variable is `name.id` and has its type where it is bound; a name that is no identifier stands in quotes. Literals are
`true`, `3` (i64), `0.1` `inf` `nan` (f64), and `3:i8`, `0.1:f32` of other types; floats are written so that they read
back exactly. Lists of atoms need no commas. Line breaks mean nothing, `--` begins a comment. Spans are not in the text.
"""
from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, TypeVar, assert_never

from . import ir
from .ir import Atom, AttrValue, Block, Const, Function, Lambda, Op, Program, Stmt, Type, Var

NAME = re.compile(r"[^\W\d][\w']*")
TOKEN = re.compile(r"""
    (?P<space>(?:\s|--[^\n]*)+)
  | (?P<var>(?:[^\W\d][\w']*|"(?:[^"\\]|\\.)*")\.\d+)
  | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<type>(?:\[\])+\w+)
  | (?P<number>-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?\b|inf\b|nan\b))
  | (?P<name>[^\W\d][\w']*)
  | (?P<mark>[(){}\\:,=_])
""", re.VERBOSE)


class TextError(Exception):
    """Text that is no IR; says the line. A mistake of whoever wrote the text by hand, or of `show`."""


# ------------------------------------------------------------------ printing


def show(item: Program | Function | Block) -> str:
    """The text of a program, a function or a block; ends without a newline."""
    match item:
        case Program(functions):
            return "\n\n".join(show(function) for function in functions.values())
        case Function():
            return "\n".join(_function_lines(item))
        case Block():
            return "\n".join(_block_lines(item, ""))


def _function_lines(function: Function) -> Iterator[str]:
    source = f" {_quoted(function.source_name)}" if function.source_name else ""
    yield f"def {_name(function.name)}{source} ({_binders(function.params)}) {{"
    yield from _block_lines(function.body, "  ")
    dims = " ".join(f"({' '.join('_' if size is None else _atom(size) for size in shape)})" for shape in function.dims)
    again = f" again {function.again}" if function.again else ""
    yield (f"}} dims ({dims})" if function.dims else "}") + again


def _block_lines(block: Block, indent: str) -> Iterator[str]:
    for stmt in block.stmts:
        yield from _stmt_lines(stmt, indent)
    yield f"{indent}return {_atoms(block.results)}".rstrip()


def _stmt_lines(stmt: Stmt, indent: str) -> Iterator[str]:
    head = f"{indent}let {_binders(stmt.vars)} ="
    match stmt.op:
        case ir.Prim(name, args, attrs):
            shown = f" {{{', '.join(f'{key} = {_attr(value)}' for key, value in attrs)}}}" if attrs else ""
            yield f"{head} {name} {_atoms(args)}".rstrip() + shown
        case ir.Call(function, args, types):
            yield f"{head} call {_name(function)} ({_atoms(args)}) : ({' '.join(map(str, types))})"
        case ir.If(cond, then, orelse):
            yield f"{head} if {_atom(cond)} {{"
            yield from _block_lines(then, indent + "  ")
            yield f"{indent}}} else {{"
            yield from _block_lines(orelse, indent + "  ")
            yield indent + "}"
        case ir.Map(arrays, body, shapes):
            yield from _with_lambda(f"{head} map ({_atoms(arrays)}) shapes {_shapes(shapes)} ", body, indent)
        case ir.Reduce(arrays, neutral, body):
            yield from _with_lambda(f"{head} reduce ({_atoms(arrays)}) neutral ({_atoms(neutral)}) ", body, indent)
        case ir.Scan(arrays, neutral, body):
            yield from _with_lambda(f"{head} scan ({_atoms(arrays)}) neutral ({_atoms(neutral)}) ", body, indent)
        case ir.Loop(count, cond, index, params, init, body, shapes, ragged, part):
            if count is not None:
                start = f"{head} for {_atom(count)} "
            else:
                start = f"{head} while "
            if cond is not None:
                *lines, last = _with_lambda(start, cond, indent)
                yield from lines
                start = last + " "
            head_params = f"\\({_binders((index, *params))}) from ({_atoms(init)}) shapes {_shapes(shapes)} "
            yield f"{start}{head_params}{'ragged ' if ragged else ''}{part}{' ' if part else ''}{{"
            yield from _block_lines(body, indent + "  ")
            yield indent + "}"
        case ir.Diff(mode, body, args, seeds):
            yield from _with_lambda(f"{head} {mode} ({_atoms(args)}) seeds ({_atoms(seeds)}) ", body, indent)
        case ir.Custom(mode, body, rule, args):
            *lines, last = _with_lambda(f"{head} custom ({_atoms(args)}) ", body, indent)
            yield from lines
            yield from _with_lambda(f"{last} {mode} ", rule, indent)
        case _:
            assert_never(stmt.op)


def _with_lambda(start: str, body: Lambda, indent: str) -> Iterator[str]:
    yield f"{start}\\({_binders(body.params)}) {{"
    yield from _block_lines(body.body, indent + "  ")
    yield indent + "}"


def _binders(variables: Iterable[Var]) -> str:
    return ", ".join(f"{_atom(var)}: {var.type}" for var in variables)


def _atoms(atoms: Iterable[Atom]) -> str:
    return " ".join(map(_atom, atoms))


def _shapes(shapes: Iterable[Sequence[Atom]]) -> str:
    return f"({' '.join(f'({_atoms(shape)})' for shape in shapes)})"


def _atom(atom: Atom) -> str:
    match atom:
        case Var(id, name, _):
            return f"{_name(name)}.{id}"
        case Const(value, dtype):
            literal = str(value).lower() if isinstance(value, bool) else repr(value)
            return literal if dtype == _default_dtype(value) else f"{literal}:{dtype}"


def _default_dtype(value: int | float | bool) -> str:
    return "bool" if isinstance(value, bool) else "i64" if isinstance(value, int) else "f64"


def _attr(value: AttrValue) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return repr(value)
        case str():
            return _quoted(value)
        case tuple():
            return f"({' '.join(map(repr, value))})"
        case ir.Table(name=name, dtype=dtype, values=values):
            return f"{_quoted(name)} {dtype} ({' '.join(map(repr, values))})"


def _quoted(text: str) -> str:
    return json.dumps(text)


def _name(name: str) -> str:
    return name if NAME.fullmatch(name) and name not in ("inf", "nan") else _quoted(name)


# ------------------------------------------------------------------ reading

T = TypeVar("T")


def parse(text: str) -> Program:
    """The program whose text this is. Raises `TextError`, with the line, for anything else."""
    return _Parser(text).program()


class _Parser:
    """Recursive descent on nesting, a loop on the length of blocks and lists."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        self.at = 0
        self.vars: dict[int, Var] = {}
        offset = 0
        while offset < len(text):
            found = TOKEN.match(text, offset)
            if found is None:
                raise self.error(f"unexpected {text[offset]!r}", offset)
            kind = found.lastgroup
            assert kind is not None
            if kind != "space":
                self.tokens.append((kind, found.group(), offset))
            offset = found.end()
        self.tokens.append(("end", "", len(text)))

    # ------------------------------------------------------------ tokens

    def error(self, reason: str, offset: int | None = None) -> TextError:
        if offset is None:
            offset = self.tokens[self.at][2]
        return TextError(f"line {self.text.count(chr(10), 0, offset) + 1}: {reason}")

    @property
    def kind(self) -> str:
        return self.tokens[self.at][0]

    @property
    def token(self) -> str:
        return self.tokens[self.at][1]

    def next(self, kind: str) -> str:
        if self.kind != kind:
            raise self.error(f"expected a {kind}, found {self.token!r}")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def expect(self, token: str) -> None:
        if self.token != token or self.kind == "string":
            raise self.error(f"expected {token!r}, found {self.token!r}")
        self.at += 1

    def accept(self, token: str) -> bool:
        if self.token != token or self.kind == "string":
            return False
        self.at += 1
        return True

    def listed(self, item: Callable[[], T]) -> tuple[T, ...]:
        """Items in parentheses, with or without commas between them."""
        self.expect("(")
        items = []
        while not self.accept(")"):
            items.append(item())
            self.accept(",")
        return tuple(items)

    # ------------------------------------------------------------ functions and blocks

    def program(self) -> Program:
        functions: dict[str, Function] = {}
        while self.kind != "end":
            function = self.function()
            if function.name in functions:
                raise self.error(f"function {function.name} is defined twice")
            functions[function.name] = function
        return Program(functions)

    def function(self) -> Function:
        self.vars = {}
        self.expect("def")
        name = self.identifier()
        source_name = json.loads(self.next("string")) if self.kind == "string" else ""
        params = self.listed(self.binder)
        body = self.braced()
        dims = self.listed(lambda: self.listed(self.known_size)) if self.accept("dims") else ()
        again: Literal["", "plain", "sqrt", "log"] = ""
        if self.accept("again"):
            word = self.next("name")
            again = "sqrt" if word == "sqrt" else "log" if word == "log" else "plain"
        return Function(name, params, body, source_name, dims, again)

    def known_size(self) -> Atom | None:
        return None if self.accept("_") else self.atom()

    def identifier(self) -> str:
        return self.unquoted(self.next("string" if self.kind == "string" else "name"))

    def unquoted(self, text: str) -> str:
        return str(json.loads(text)) if text.startswith('"') else text

    def braced(self) -> Block:
        self.expect("{")
        block = self.block()
        self.expect("}")
        return block

    def block(self) -> Block:
        stmts = []
        while self.accept("let"):
            variables: list[tuple[str, int, Type]] = []
            while not self.accept("="):
                variables.append(self.declared())
                self.accept(",")
            op = self.op()
            stmts.append(Stmt(tuple(self.bound(v) for v in variables), op))
        self.expect("return")
        results = []
        while self.token != "}":
            results.append(self.atom())
            self.accept(",")
        return Block(tuple(stmts), tuple(results))

    def lambda_(self) -> Lambda:
        self.expect("\\")
        return Lambda(self.listed(self.binder), self.braced())

    # ------------------------------------------------------------ operations

    def op(self) -> Op:
        keyword = self.next("name")
        match keyword:
            case "call":
                return ir.Call(self.identifier(), self.atoms(), self.call_types())
            case "if":
                cond = self.atom()
                then = self.braced()
                self.expect("else")
                return ir.If(cond, then, self.braced())
            case "map":
                arrays = self.atoms()
                shapes = self.shapes()
                return ir.Map(arrays, self.lambda_(), shapes)
            case "reduce" | "scan":
                arrays = self.atoms()
                self.expect("neutral")
                neutral = self.atoms()
                return (ir.Reduce if keyword == "reduce" else ir.Scan)(arrays, neutral, self.lambda_())
            case "for":
                return self.loop(self.atom(), None)
            case "while":
                return self.loop(None, self.lambda_())
            case "jvp" | "vjp":
                args = self.atoms()
                self.expect("seeds")
                seeds = self.atoms()
                return ir.Diff("jvp" if keyword == "jvp" else "vjp", self.lambda_(), args, seeds)
            case "custom":
                args = self.atoms()
                body = self.lambda_()
                mode = self.next("name")
                return ir.Custom("jvp" if mode == "jvp" else "vjp", body, self.lambda_(), args)
            case _:
                args_found = []
                while self.kind in ("var", "number") or self.token in ("true", "false"):
                    args_found.append(self.atom())
                return ir.Prim(keyword, tuple(args_found), self.attrs())

    def call_types(self) -> tuple[Type, ...]:
        self.expect(":")
        return self.listed(self.type)

    def loop(self, count: Atom | None, cond: Lambda | None) -> Op:
        self.expect("\\")
        declared = self.listed(self.declared)
        self.expect("from")
        init = self.atoms()
        shapes = self.shapes()
        ragged = self.token == "ragged"
        if ragged:
            self.expect("ragged")
        part: Literal["", "pieces", "piece", "log"] = ""
        for word in ("pieces", "piece", "log"):
            if self.accept(word):
                part = word
        index, *params = [self.bound(v) for v in declared]
        return ir.Loop(count, cond, index, tuple(params), init, self.braced(), shapes, ragged, part)

    def shapes(self) -> tuple[tuple[Atom, ...], ...]:
        self.expect("shapes")
        return self.listed(self.atoms)

    def attrs(self) -> tuple[tuple[str, AttrValue], ...]:
        attrs: list[tuple[str, AttrValue]] = []
        if self.accept("{"):
            while not self.accept("}"):
                key = self.next("name")
                self.expect("=")
                attrs.append((key, self.attr_value()))
                self.accept(",")
        return tuple(attrs)

    def attr_value(self) -> AttrValue:
        if self.kind == "string":
            text = self.unquoted(self.next("string"))
            return self.table(text) if self.token in ir.DTYPES else text
        if self.token == "(":
            return self.listed(self.integer)
        if self.accept("true"):
            return True
        return False if self.accept("false") else self.integer()

    def table(self, name: str) -> ir.Table:
        dtype = self.next("name")
        values = [float(text) if dtype in ir.FLOATS else int(text)
                  for text in self.listed(lambda: self.next("number"))]
        return ir.Table(name, dtype, tuple(values))

    def integer(self) -> int:
        try:
            return int(self.next("number"))
        except ValueError:
            raise self.error("expected a whole number") from None

    # ------------------------------------------------------------ variables, atoms, types

    def declared(self) -> tuple[str, int, Type]:
        name, _, id = self.next("var").rpartition(".")
        self.expect(":")
        return self.unquoted(name), int(id), self.type()

    def bound(self, declared: tuple[str, int, Type]) -> Var:
        name, id, type = declared
        var = Var(id, name, type)
        self.vars[id] = var
        return var

    def binder(self) -> Var:
        return self.bound(self.declared())

    def atoms(self) -> tuple[Atom, ...]:
        return self.listed(self.atom)

    def atom(self) -> Atom:
        if self.kind == "var":
            id = int(self.token.rpartition(".")[2])
            if id not in self.vars:
                raise self.error(f"{self.token} is not bound")
            self.at += 1
            return self.vars[id]
        if self.token in ("true", "false"):
            value: int | float | bool = self.next("name") == "true"
        else:
            text = self.next("number")
            value = float(text) if set(text) & set(".en") else int(text)
        dtype = self.next("name") if self.accept(":") else _default_dtype(value)
        return Const(value, dtype)

    def type(self) -> Type:
        text = self.next("type" if self.kind == "type" else "name")
        dtype = text.lstrip("[]")
        if dtype not in ir.DTYPES:
            raise self.error(f"no type {text}")
        return Type(dtype, (len(text) - len(dtype)) // 2)
