"""Every code that Dad can report, with its explanation: the one registry behind `dad explain` and the documentation.

A stage that reports something new adds an entry in its section here and nowhere else; a test compares this table with the
codes that occur in the tree, both ways.

    E0xx  lexical and syntax errors          E5xx  differentiation and activity
    E1xx  names, imports, modules            E6xx  parses, but is not supported yet
    E2xx  types                              Wxxx  warnings
    E3xx  sizes                              Rxxx  run-time checks that failed
    E4xx  application and patterns           Axxx  arguments given from Python
                                             Uxxx  command usage, files
"""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """`example` shows the mistake as a person would type it, `fix` what to type instead."""

    code: str
    title: str
    explanation: str
    example: str = ""
    fix: str = ""


CODES: dict[str, Code] = {}


def code(code: str, title: str, explanation: str, example: str = "", fix: str = "") -> None:
    """Declare a code. Raises `ValueError` when it is declared twice: two meanings of one code help nobody."""
    if code in CODES:
        raise ValueError(f"{code} is declared twice")
    CODES[code] = Code(code, title, explanation, example, fix)


def explain(code: str) -> str:
    """The text of `dad explain CODE`; raises `KeyError` for a code that does not exist.

    >>> explain("E001").splitlines()[0]
    'E001: character that Dad does not use'
    """
    entry = CODES[code.strip().upper()]
    parts = [f"{entry.code}: {entry.title}", "", entry.explanation]
    if entry.example:
        parts += ["", "For example:", "", *("    " + line for line in entry.example.splitlines())]
    if entry.fix:
        parts += ["", "What to do: " + entry.fix]
    return "\n".join(parts)


# ---------------------------------------------------------------- E0xx: lexical and syntax errors

code("E001", "character that Dad does not use",
     "The text contains a character that begins no word, number, operator or bracket of the language.",
     "def price (x: f64) = x * 2€", "remove the character, or put it into a string or a comment.")
code("E002", "string or character literal that does not end",
     "A literal opened with a quote must be closed by the same quote on the same line.",
     'import "prelude', "add the closing quote.")
code("E003", "number that cannot be read",
     "Digits are followed by something that fits no kind of number. Numbers are `12`, `1_000`, `0xff`, `0b101`, `2.5`, `1e-3`, "
     "`0x1.8p3`, optionally followed by a type: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64. A fraction has a digit on both "
     "sides of its point.",
     "def half = 1.", "write `1.0`; for a name, do not begin with a digit.")
code("E004", "invisible control character",
     "Characters that reorder, hide or end text (bidirectional controls, NUL, escape, unpaired surrogates) make a program look "
     "different from what the compiler reads. They are refused everywhere, in comments and strings too.",
     "", "delete the character; in strings write it as an escape such as `\\u{202E}`.")
code("E005", "name with letters outside ASCII",
     "Names consist of the letters a-z and A-Z, digits, `_` and `'`. Comments and strings may contain any letter.",
     "def naïve (σ: f64) = σ", "spell the letter out, such as `sigma`.")
code("E006", "file too large",
     "A source file may have 4 MB and a million tokens. Data belongs in files that the program receives, not in its text.",
     "", "pass the data as an argument of an entry, or split the file.")
code("E007", "nesting too deep",
     "Expressions, types and patterns may be nested 256 levels deep.",
     "-" * 40 + "… x", "give the inner parts names with `let`.")
code("E008", "literal too long",
     "A number may be written with at most 400 characters.",
     "", "shorten the number; no type of the language can hold it.")
code("E009", "unknown escape in a literal",
     "In strings and characters a backslash is followed by one of `n t r 0 \\ \" '`, by `xHH` or by `u{HHHH}`.",
     'let path = "C:\\data"', "write `\\\\` for one backslash.")
code("E010", "syntax error",
     "At this place the language allows other words than the one that was found. The message lists what could stand here.",
     "def f (x: f64) = x +", "complete the expression, or remove what is too much.")
code("E011", "brackets that do not match",
     "Every `(`, `[` and `{` is closed by its partner, in the reverse order of opening.",
     "def f (x: f64) = (x + 1", "add the missing bracket, or remove the one that is too much.")
code("E012", "`let` without a body",
     "`let` gives a name to a value for the expression that follows. A sequence of lets ends with `in` and the result.",
     "def f (x: f64) =\n  let y = x * x", "add `in` and the expression that uses the name.")
code("E013", "`if` without `else`",
     "`if` is an expression: it has a value in both cases.",
     "def f (x: f64) = if x > 0 then x", "add `else` and the other value.")
code("E014", "`=` where a comparison or a `let` is meant",
     "`=` gives a name to a value, after `let`, `def`, `entry` or `type`. Equality is tested with `==`. "
     "Values never change, so there is no assignment.",
     "def f (x: f64) = if x = 0 then 1 else x", "write `==` to compare, or `let name = value` to give a name.")
code("E015", "word of another language",
     "The word or operator has this meaning in other languages; Dad writes it differently.",
     "def f (x: f64) = lambda y: x + y", "write it Dad's way, as the message says.")
code("E016", "comment of another language",
     "Comments begin with `--` and go to the end of the line; documentation comments with `-- |`.",
     "// the price of an option", "begin the comment with `--`.")
code("E017", "`loop` without `do`",
     "A loop is `loop p = init for i < n do body`, `loop p = init for x in xs do body`, or `loop p = init while c do body`.",
     "def f (n: i64) = loop x = 1 for i < n x * 2", "put `do` between the loop's head and its body.")
code("E018", "number type that does not exist",
     "Numbers may be followed by one of i8 i16 i32 i64 u8 u16 u32 u64 f32 f64. Half precision (`f16`) does not exist.",
     "def x = 1.5f16", "use `f32`.")
code("E019", "operators that need parentheses",
     "Operators of one precedence that do not associate, such as two comparisons, cannot stand side by side.",
     "def f (x: f64) = 0 < x < 1", "write `0 < x && x < 1`, or add parentheses.")
code("E020", "attribute that does not exist",
     "Attributes in `#[…]` are instructions to the compiler. One that it does not know is refused, not ignored.",
     "#[fast]\ndef f (x: f64) = x", "remove the attribute or correct its name.")
code("E021", "unknown smoothness grade",
     "After `@` stands a grade: none, affine, smooth, C2, C1, lip, cont, flat, jump, opaque.",
     "def f (x: f64) : f64 @ C3 = x", "use one of the grades.")
code("E022", "ambiguous type parameter constraint",
     "A type parameter in a header may be constrained to `num` or `float`.",
     "def f 'a: real (x: a) = x", "write `'a: num` or `'a: float`.")
code("E023", "declaration expected",
     "A file is a sequence of declarations: `def`, `entry`, `type`, `import`, `open`, `local`, `module`.",
     "1 + 2", "begin with `def name = …`.")
code("E024", "number out of range",
     "The number is larger than the largest f64, about 1.8e308.",
     "def big = 1e999", "write `f64.inf` for infinity.")

# ---------------------------------------------------------------- E1xx: names, imports, modules

code("E191", "imports in a circle",
     "Files may import each other only without circles: what a file defines must not depend on itself.",
     'a.dad: import "b"\nb.dad: import "a"', "move what both files need into a third one.")
code("E192", "import outside the program's folder",
     "An import names a file in the folder of the main file or below it, so that checking a program reads nothing else.",
     'import "../../elsewhere/lib"', "copy the file below the program's folder.")
code("E193", "imported file that does not exist",
     "An import is a path relative to the importing file, without `.dad`.",
     'import "lib.dad"', 'write `import "lib"`, and check the folder.')

# ---------------------------------------------------------------- E2xx: types

# ---------------------------------------------------------------- E3xx: sizes

# ---------------------------------------------------------------- E4xx: application and patterns

# ---------------------------------------------------------------- E5xx: differentiation and activity

# ---------------------------------------------------------------- E6xx: parses, but is not supported yet

code("E690", "form that has no compiled code yet",
     "The program is well typed, but this version cannot compile this form.",
     "(x, y) |> someOperator", "write it with a lambda or a named function.")
code("E691", "function chosen at run time",
     "Functions exist at compile time only: an `if` or a `loop` can choose or carry data, not functions.",
     "let f = if c then sin else cos in f x", "apply the functions inside: `if c then sin x else cos x`.")
code("E692", "size that is not known where it is needed",
     "A size parameter is used as a number, but no argument has it as a size, and it belongs to a value made further inside.",
     "def f [n] (x: f64) : [n]f64 = replicate n x   -- used where n is not known",
     "pass the size as an argument: `def f (n: i64) (x: f64) : [n]f64 = replicate n x`.")

# ---------------------------------------------------------------- Wxxx: warnings

# ---------------------------------------------------------------- Rxxx: run-time checks that failed

# ---------------------------------------------------------------- Axxx: arguments given from Python

# ---------------------------------------------------------------- Uxxx: command usage, files

code("U101", "file that cannot be read", "The file does not exist, is a folder, or may not be read.", "dad check modle.dad",
     "check the path and its permissions.")
code("U102", "file that is not text", "Dad programs are UTF-8 text.", "dad check model.zip", "save the file as UTF-8.")
code("U103", "file too large", "A Dad file has at most 4 MB: a program is text for people, data belong into data files.",
     "dad check generated.dad", "split it into files that import each other; pass data as arguments.")
code("U001", "command line that cannot be understood",
     "The command, one of its options or its number of arguments is not one that Dad has. Nothing was done.",
     "dad chek model.dad", "`dad help` lists the commands, `dad help COMMAND` the options of one.")
code("U002", "not in this version of Dad",
     "The command or target is part of the plan of the language and not of the version that is installed.",
     "dad build model.dad -o out --target cuda", "the message lists what there is.")
code("U003", "no such code", "`dad explain` is given a code of a message, as it stands in brackets: error[E301].",
     "dad explain E999", "`dad explain` alone lists all codes.")
code("U104", "output that cannot be written",
     "`dad build` could not write its files: the folder does not exist and cannot be made, is a file, or may not be written.",
     "dad build model.dad -o model.dad", "give a folder of yours, such as `-o build`.")
code("U105", "file in the way that Dad has not written",
     "`dad build` replaces files that begin with the line that it puts at the head of its own, and no others: a `model.py` of "
     "yours beside `model.dad` is never lost.",
     "dad build model.dad -o .", "build into another folder, or move the file away.")
code("U106", "output behind a link",
     "Where `dad build` would write there is a symbolic link. It is not followed: the file that it points to may be anything.",
     "dad build model.dad -o out", "remove the link.")
code("U107", "name that cannot be a module",
     "`dad build` names the Python module after the file; the name must hold at least one letter or digit and must not be a "
     "word of Python.",
     "dad build class.dad -o out", "rename the file.")
code("U301", "value that cannot be read",
     "Values on the command line, in test blocks and in data files are written as in Futhark: `3`, `2.5f32`, `true`, `[1, 2]`, "
     "`[[1.0], [2.0]]`, `empty([0][2]f64)`, and also `(1, 2.0)` and `{x = 1, y = 2.0}`.",
     "dad run model.dad loss [1.0 2.0]", "put commas between elements, and quote the whole value in the shell.")
code("U302", "value of another type than the entry takes",
     "A value must have the rank and element type of the parameter. A number without a suffix takes the type that is wanted, "
     "but a fraction is never an integer, and a number with a suffix must agree.",
     "dad run model.dad count 2.5", "write the value in the parameter's type, which the message shows.")
code("U303", "data file that cannot be read",
     "`@file` is replaced by the values in the file, text in the notation of values, or one array in NumPy's .npy format.",
     "dad run model.dad loss @data.csv", "save the array with numpy.save, or write the values as text.")
code("U304", "wrong number of values", "An entry takes one value for each of its parameters.",
     "dad run model.dad loss", "give the values in the order of the parameters, separated by blanks.")
code("U305", "no such entry", "Only definitions that begin with `entry` can be run from outside.",
     "dad run model.dad los 1.0", "choose one of the entries listed, or write `entry` in place of `def`.")
code("U306", "no derivative with respect to these parameters",
     "`--grad` needs an entry whose result is one float, with at least one float parameter that is not declared `data`.",
     "dad run model.dad count 3 --grad", "make the entry's result a float, such as the sum of what it returns now.")
code("U401", "test block that cannot be read",
     "A test block is a comment at the beginning of lines: any words, a line with `-- ==`, then `-- entry: names` (`main` when "
     "left out) and cases: `-- input { values } output { values }`; `@ file` may stand for the braces, `auto output` or "
     "`error: regex` for the output.",
     "-- ==\n-- input { 1 2 output { 3 }", "close every brace, and write `entry:` before the cases.")
code("U402", "test that failed", "What an entry gave is not what its test block expects.",
     "-- input { 1 } output { 2 }", "correct the program, or the expectation.")
code("U900", "mistake in Dad itself",
     "The compiler met a state that it should never be in. Whatever the program says, this is not your mistake.",
     "", "please report it, with the program and the text that DAD_DEBUG=1 adds.")
