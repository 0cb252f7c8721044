"""What people type who come from other languages, and what to type instead.

`WORDS` serves the parser (a foreign word near a syntax error is most likely its cause) and the checker (an unknown
name may be a foreign word); `OPERATORS` likewise.
"""
from __future__ import annotations

WORDS: dict[str, str] = {
    "return": "the value of a definition is the expression after `=`; there is no `return`",
    "use": "functions of the library need no import", "using": "functions of the library need no import",
    "from": "an import is `import \"file\"`; functions of arrays and numbers need none",
    "lambda": "an anonymous function is written `\\x -> …`",
    "elif": "write `else if`", "elsif": "write `else if`", "elseif": "write `else if`",
    "fn": "definitions begin with `def`, anonymous functions are `\\x -> …`",
    "fun": "definitions begin with `def`, anonymous functions are `\\x -> …`",
    "func": "definitions begin with `def`", "function": "definitions begin with `def`",
    "var": "names are given with `let name = value in …` and never change",
    "const": "names are given with `let name = value in …` and never change",
    "mut": "values never change; a loop carries them: `loop x = start for i < n do …`",
    "where": "helpers come before their use: `let helper = … in …`",
    "not": "negation is `!`", "and": "conjunction is `&&`", "or": "disjunction is `||`",
    "xor": "on booleans write `!=`",
    "True": "write `true`", "False": "write `false`", "None": "`()` is the empty value",
    "null": "`()` is the empty value",
    "switch": "write `match e case p -> …`", "of": "write `match e case p -> …`",
    "begin": "blocks need no brackets: `let … in …`", "end": "blocks need no brackets: `let … in …`",
    "foreach": "write `loop acc = start for x in xs do …`",
    "enum": "sums are `type name = #a f64 | #b f64`",
    "struct": "records are `type name = {field: type}`", "record": "records are `type name = {field: type}`",
    "class": "records are `type name = {field: type}`", "data": "types are declared with `type name = …`",
    "pass": "every expression has a value; `()` is the empty one",
    "int": "the integer types are i8 i16 i32 i64 u8 u16 u32 u64",
    "float": "the floating-point types are f16, f32 and f64",
    "double": "write `f64`", "len": "write `length xs`", "range": "write `iota n` or `a..<b`", "pow": "write `x ** y`",
    "unsafe": "there is nothing to switch off: bounds that can be proved are not checked",
}

OPERATORS: dict[str, str] = {
    "=>": "write `->`", ":=": "names are given with `let name = value in …`",
    "<>": "inequality is `!=`", "/=": "inequality is `!=`", "===": "equality is `==`", "!==": "inequality is `!=`",
    "+=": "values never change; a loop carries them: `loop x = start for i < n do x + 1`",
    "-=": "values never change; a loop carries them", "*=": "values never change; a loop carries them",
    "<-": "for `a < -b` put a space after `<`; a comprehension is `[x * x for x in xs]`, an update `a with [i] = v`",
    "!!": "an element is `xs[i]`", "^^": "a power is `x ** y`",
    "=-": "put a space before `-`", ">-": "put a space before `-`", "*-": "put a space before `-`",
    "/-": "put a space before `-`", "+-": "put a space before `-`", "**-": "put a space before `-`",
    "/*": "comments begin with `--`",
}
