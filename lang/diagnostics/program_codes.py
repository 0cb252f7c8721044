"""Codes of what is wrong with a program before it runs: E0xx to E6xx and Wxxx, declared when this is imported."""
# ruff: noqa: E501 - explanations are prose, and whole sentences on a line are easier to edit
from __future__ import annotations

from .registry import code

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
     "Numbers may be followed by one of i8 i16 i32 i64 u8 u16 u32 u64 f16 f32 f64.",
     "def x = 1.5f80", "use `f64`.")
code("E019", "operators that need parentheses",
     "Operators of one precedence that do not associate, such as two comparisons, cannot stand side by side.",
     "def f (x: f64) = 0 < x < 1", "write `0 < x && x < 1`, or add parentheses.")
code("E020", "attribute that does not exist",
     "Attributes in `#[…]` are instructions to the compiler. One that it does not know is refused, not ignored.",
     "#[fast]\ndef f (x: f64) = x", "remove the attribute or correct its name.")
code("E021", "unknown smoothness grade",
     "After `@` stands a grade: none, affine, smooth, C2, C1, lip, cont, flat, jump, opaque.",
     "def f (x: f64) : f64 @ C3 = x", "use one of the grades.")
code("E027", "argument of a grade that does not fit",
     "A grade may say of which parameters it is promised, `C1(x, m.weight)`. `approx` says up to which size a jump is taken for "
     "none, `allow` which grade is accepted, and why. `nondet` is no grade: it stands alone in the head of a definition.",
     "def f (x: f64) : f64 @ approx(tiny) = x", 'write `@ approx(1e-8)` or `@ allow(jump, "reason")`.')
code("E028", "assumption that says nothing",
     "`assume continuous(x) \"reason\" in e` is taken on trust: in `e`, x is continuous in all that it depends on. What may be "
     "assumed are grades and signs of local values, each with its reason, which `dad check --trust` lists.",
     'def f (x: f64) : f64 = assume differentiable(x) "measured" in x',
     "assume continuous, lipschitz, C1, C2, smooth, affine, flat, none, positive, nonnegative or nonzero of a name.")
code("E022", "ambiguous type parameter constraint",
     "A type parameter in a header may be constrained to `num`, `int` or `float`.",
     "def f 'a: real (x: a) = x", "write `'a: num`, `'a: int` or `'a: float`.")
code("E023", "declaration expected",
     "A file is a sequence of declarations: `def`, `entry`, `type`, `import`, `open`, `local`, `module`.",
     "1 + 2", "begin with `def name = …`.")
code("E024", "number out of range",
     "The number is larger than the largest f64, about 1.8e308.",
     "def big = 1e999", "write `f64.inf` for infinity.")
code("E025", "too many mistakes",
     "After a hundred declarations of a file that do not parse, the rest is not looked at: it is likely not a Dad program.",
     "", "mend the first ones and check again; one mistake often explains many.")
code("E026", "name too long",
     "A name may have 200 characters.", "", "choose a shorter one.")

# ---------------------------------------------------------------- E1xx: names, imports, modules

code("E191", "imports in a circle",
     "Files may import each other only without circles: what a file defines must not depend on itself.",
     'a.dad: import "b"\nb.dad: import "a"', "move what both files need into a third one.")
code("E194", "imports nested too deeply",
     "A file may import one that imports another, and so on, 100 deep.", "", "import what is needed directly.")
code("E192", "import outside the program's folder",
     "An import names a file in the folder of the main file or below it, so that checking a program reads nothing else.",
     'import "../../elsewhere/lib"', "copy the file below the program's folder.")
code("E199", "too many errors",
     "After a thousand errors the rest of a program is not checked: the first few often explain all others.",
     "", "mend the first ones and check again.")
code("E193", "imported file that does not exist",
     "An import is a path relative to the importing file, without `.dad`.",
     'import "lib.dad"', 'write `import "lib"`, and check the folder.')

code("E101", "unknown name",
     "The name is bound neither by a parameter, `let`, pattern or loop around it, nor by a definition above it, nor does the "
     "prelude have it. Numeric functions need no module: `sin x`, not `math.sin(x)`.",
     "def f (x: f64) = sinn x", "correct the spelling, or define the name above.")
code("E102", "unknown type",
     "Types are f64 f32 i64 i32 i16 i8 u64 u32 u16 u8 bool, arrays, tuples, records, functions, type parameters declared with a "
     "quote, and abbreviations declared with `type` above their use.",
     "def f (x: float) = x", "write f64, or declare the type.")
code("E103", "unknown size",
     "A name in brackets in a type is a size. It is declared after the definition's name, as in `def f [n] (xs: [n]f64)`, or is an "
     "i64 value in scope.",
     "def f (xs: [n]f64) = sum xs", "declare it: `def f [n] (xs: [n]f64)`.")
code("E104", "defined twice",
     "A file defines each name once. Definitions of the prelude and of imported files may be redefined.",
     "def f (x: f64) = x\ndef f (x: f64) = 2 * x", "rename one of the two.")
code("E105", "bound twice",
     "The names of one pattern, or of one function's parameters, are different.",
     "def f (x: f64) (x: f64) = x", "rename one, or write `_` for a value that is not used.")
code("E106", "used before its definition",
     "A definition sees the declarations above it, so that programs read from top to bottom.",
     "def f (x: f64) = g x\ndef g (x: f64) = 2 * x", "move the definition up.")
code("E107", "not a member of a module",
     "The module has no value or type of this name, or has it as `local`, or is seen through a module type that does not name it. "
     "The modules `f64`, `i32` and so on hold the numeric functions of that type, its constants and conversions to it; they are "
     "rarely needed: `sin x` works at every float type.",
     "def f (x: f64) = f64.sinus x", "correct the name, or leave the module away.")
code("E108", "import without a place to start from",
     "`import` looks for files beside the importing file. A program given as text has no such place.",
     'import "lib"', "load the program from a file.")
code("E109", "wrong arguments of a type",
     "An abbreviation is used with as many sizes and types as it was declared with.",
     "type vec [n] = [n]f64\ndef f (x: vec) = x", "give each size in brackets: `vec [n]`.")

code("E110", "unknown module",
     "No module of this name is in scope. Modules are declared above their use, come with an import, or are those of the types of "
     "numbers, such as `f64`.",
     "def f (x: f64) = Vector.norm x", "correct the name, declare the module, or import the file that has it.")
code("E111", "parametric module where a plain one is needed, or the other way round",
     "A parametric module `module F (P: S) = …` has members only when it is applied to a module; a plain module takes no argument.",
     "module F (P: {val x : f64}) = { def y = P.x }\ndef z = F.y", "apply it: `module M = F A`, then `M.y`.")
code("E112", "unknown module type",
     "No module type of this name is in scope. Module types are declared by `module type S = {…}`; the prelude has `from_prim`, "
     "`numeric`, `integral`, `real` and `float`.",
     "module F (P: Numeric) = { def two (x: P.t) = x P.+ x }", "correct the name, or declare the module type.")
code("E113", "wrong use of a module type",
     "`S with t = …` says what a closed type of S is: S must have the type, with the same parameters, and not say already what "
     "it is. `include S` takes the type of a plain module.",
     "module type S = { type t }\nmodule A : S with u = f64 = { type t = f64 }", "name a type that S declares as `type t`.")
code("E114", "module that does not fit its module type",
     "A module ascribed a module type, or given to a parametric module, must have everything that the module type names: types "
     "with the same parameters, values of at least as general a type, modules that fit. It may have more, which is then hidden.",
     "module type S = { val f : f64 -> f64 }\nmodule A : S = { def g (x: f64) = x }", "add or change what does not fit, or leave it "
     "out of the module type.")
code("E115", "too many applications of parametric modules",
     "Each application of a parametric module checks a copy of its body. Parametric modules that apply each other several times "
     "multiply.",
     "", "apply once, give the result a name, and use the name.")

code("E116", "type with functions that does not say so",
     "Functions exist while compiling only: none is put into an array or chosen at run time. A type whose values are or hold "
     "functions is declared with `type^`, and a type parameter that may be one with `'^a`.",
     "type update = f64 -> f64", "write `type^ update = f64 -> f64`.")

# ---------------------------------------------------------------- E2xx: types

code("E201", "types differ",
     "An expression has another type than its place asks for. The message shows both, and where the expectation comes from.",
     "def f [n] (xs: [n]f64) : f64 = xs", "change the expression, or the type that is written.")
code("E202", "operator on values that it does not take",
     "Arithmetic works on numbers and on arrays of numbers: two scalars, two arrays of one shape, or a scalar and an array. "
     "There is no other spreading of arrays over axes; `map` says which axis is meant.",
     "def f (p: {x: f64}) = p + 1", "take the numbers out first, or use `map`.")
code("E203", "number types do not convert by themselves",
     "An f64 is never silently cut down to an integer, nor an integer rounded to a float. Literals adapt to what is around them; "
     "values are converted by the name of the type.",
     "def f (x: f64) (n: i64) = x * n", "write `x * f64 n`.")
code("E204", "number that its type cannot hold",
     "A literal is outside the range of the type that it has at this place, or has a fractional part where integers are counted.",
     "def f (i: i32) = i + 3000000000", "use a larger type, or a float.")
code("E205", "condition that is no bool",
     "`if`, `while` and `assert` ask a question; numbers are not answers.",
     "def f (n: i64) = if n then 1 else 2", "write the comparison: `if n != 0 then …`.")
code("E206", "branches of different types",
     "`if` is an expression; whichever branch is taken, it has one type.",
     "def f (x: f64) = if x > 0 then x else false", "make both branches of one type.")
code("E207", "no such field",
     "The record, or tuple, has no part of this name.",
     "def f (p: {x: f64}) = p.y", "use one of the fields that the message lists.")
code("E208", "field of something that is no record",
     "Only records have fields, and tuples have `.0`, `.1` and so on. Where a parameter's record type cannot be inferred, "
     "it is written.",
     "def f (xs: [3]f64) = xs.x", "take an element of the array first, or write the parameter's type.")
code("E209", "field given twice",
     "A record has one value to each field.", "def p = {x = 1, x = 2}", "remove one.")
code("E210", "index of something that is no array",
     "Brackets after a value, without a space, take an element of an array.",
     "def f (x: f64) = x[0]", "index an array; for parts of a tuple write `.0`.")
code("E211", "more indices than axes",
     "Each index takes one axis of the array.", "def f (xs: [3]f64) = xs[0, 1]", "remove an index.")
code("E212", "index that is no i64",
     "Indices, bounds of slices and loop counters are i64.", "def f (xs: [3]f64) (x: f64) = xs[x]", "convert: `xs[i64 x]`.")
code("E213", "type that would contain itself",
     "Following the uses of a value, its type would have to be a part of itself.", "def f x = x x",
     "a function cannot take itself; was a different argument meant?")
code("E214", "type that nothing determines",
     "Nothing says what the elements of an empty array are.", "def f = length []", "write the type: `([] : [0]f64)`.")
code("E215", "requirement that a type does not meet",
     "A type parameter stands for any type, unless it is declared `'a: num` (all numbers), `'a: int` (integers) or "
     "`'a: float` (f64, f32). What is done with a value needs such a declaration.",
     "def twice 'a (x: a) = x + x", "write `'a: num`.")
code("E216", "function where a value is needed",
     "Functions exist while compiling: they are passed as arguments and named. They cannot be used in arrays, and what an `if` or "
     "a `match` gives, and the state of a `loop`, may not be of function type: which function is meant would be known only at run time. The same holds "
     "for a type parameter declared `'^a`, which may be functional.",
     "def f (c: bool) (x: f64) = (if c then sin else cos) x", "choose between the results: `if c then sin x else cos x`.")
code("E217", "typed hole",
     "`???` stands for an expression that is still to be written. The message says which type it has and what fits.",
     "def f (x: f64) : f64 = x + ???", "replace it.")
code("E218", "elements of different types",
     "All elements of an array have one type and one shape.", "def xs = [1, true]", "use a tuple for values of different types.")
code("E219", "loop that changes the type of its state",
     "What an iteration leaves is what the next one finds, so it has the same type, sizes included. A size that changes is "
     "declared: `loop [k] (xs: [k]f64) = …`.",
     "def f [n] (xs: [n]f64) = loop ys = xs for i < 3 do concat ys [0.0]", "name the size of the state.")
code("E220", "values that cannot be compared",
     "`<` and its like compare numbers. `==` and `!=` compare any two values of one type, but not functions.", "def f [n] (xs: [n]f64) (ys: [n]f64) = xs < ys",
     "compare elements: `map2 (<) xs ys`.")
code("E221", "entry that cannot be called from outside",
     "An entry takes and gives values: numbers, bools, arrays, tuples and records of them. Functions and values of any type stay "
     "inside the program.",
     "entry f (g: f64 -> f64) = g 1", "declare it with `def`, and an entry that calls it.")
code("E222", "type that contains itself",
     "An abbreviation stands for its text; it cannot occur in itself.", "type tree = {left: tree, value: f64}",
     "use arrays and indices.")
code("E223", "type that a caller chooses",
     "A type parameter may become any type, so it is equal to no other type.", "def f 'a (x: a) : f64 = x",
     "write the type that is meant, or return the parameter's type.")

code("E241", "sum type that nothing determines",
     "A constructor may belong to many sum types. Which one is meant is said by an annotation: of a parameter, of a result, or of "
     "the expression.",
     "def f x = match x case #some y -> y + 1 case #none -> 0", "write `def f (x: #some i64 | #none) = …`.")
code("E242", "no such constructor",
     "The sum type has no constructor of this name.", "type shape = #circle f64 | #square f64\ndef s : shape = #cirle 1.0",
     "use one of the constructors that the message lists.")
code("E243", "constructor with too many or too few values",
     "A constructor holds as many values as its sum type says, in a value as in a pattern.",
     "type shape = #circle f64 | #square f64\ndef s : shape = #circle 1.0 2.0", "give as many values as the type says.")

code("E117", "array of values whose sizes might differ",
     "All elements of an array have one shape. Values of a closed type `type~ t`, or of a type parameter `'~a`, may hold arrays "
     "of sizes that their type does not say.",
     "module F (P: {type~ t  val x : t}) = { def xs = [P.x, P.x] }", "let the type say its sizes: `type t [n]`.")

# ---------------------------------------------------------------- E3xx: sizes

code("E233", "function for a type parameter that stands for values",
     "A type parameter declared `'a` stands for types of values: numbers, arrays, tuples, records. It cannot be instantiated with a "
     "functional type. One declared `'^a` can, and may then not be chosen by `if`, carried by a loop or put into an array.",
     "def pair 'a (x: a) : (a, a) = (x, x)\ndef f = pair (\\(x: f64) -> x)", "declare it `'^a`, or give a value.")
code("E231", "recursive function whose type must be written",
     "What the header of a recursive function leaves open has one type for all of its calls. Where a call inside its body may need "
     "another size or type, the header must say how it depends on the arguments.",
     "def total [n] (xs: [n]f64) = if n == 0 then xs else total (tail xs)",
     "write the type: `def total [n] (xs: [n]f64) : []f64 = …`.")
code("E232", "value that is defined by itself",
     "Only functions can mention themselves: a call happens when the function is applied, with other arguments. A value would be "
     "needed before it is there.",
     "def x : f64 = x + 1", "name the parameters: `def f (n: i64) : f64 = …`.")
code("E224", "type too large",
     "A type may have at most 20,000 parts, nested at most 256 deep, and a sum type 256 constructors. Pairs of pairs of pairs double at "
     "every step, and no memory would hold them.",
     "def p0 x = (x, x)\ndef p1 x = p0 (x, x)   -- and so on, twenty times",
     "use arrays, or records with fewer parts.")
code("E225", "size too large",
     "Sizes are polynomials. One with more than 500 terms, of a degree over 64, or with a coefficient that no i64 holds is refused: "
     "products of sums grow with every factor.",
     "def f [a][b][c] (x: [(a+b+c)*(a+b+c)*(a+b+c)*…]f64) = x", "give the size a name: pass it as an i64 argument `(n: i64)`.")
code("E226", "contract in the type of a function",
     "Bounds are checked where a value is handed over, grades where a function is. What a function takes and gives once it is called "
     "is seen by neither.",
     "def f (g: f64{>0} -> f64) : f64 = g 1",
     "check the value where the function is called; let the definition that takes the function say its grade.")
code("E227", "bound that is no number",
     "A float is refined by numbers: `f64{>0}`, `{>=0}`, `{<1}`, `{<=1}`, or `{0..1}`, where both ends belong to the range. They may "
     "be computed, from definitions that are numbers and from parameters further left.",
     "def f (x: f64{>zero}) : f64 = x", "write a number; the smaller one of a range comes first.")
code("E301", "sizes differ",
     "Sizes are compared as polynomials: `1+n` is `n+1`. The message shows both in normal form, how much they differ, and where "
     "each name in them comes from.",
     "def f [n] (xs: [n]f64) = map2 (+) xs (concat xs [1.0])",
     "shorten one (`init ys`, `ys[:n]`, `xs[1:]`), or, where the sizes are equal for a reason that the compiler cannot "
     "see, write `ys :> [n]f64`, which is checked at run time.")
code("E302", "size that is known only inside",
     "Arrays are boxes: all rows have one length. A size that depends on the element at hand has no name outside.",
     "def f [n] (ks: [n]i64) = map (\\k -> iota k) ks", "make rows of one length, or fold over them.")
code("E303", "size that cannot be inferred",
     "The sizes of the arguments leave more than one solution.", "def f (xs: [6]f64) = unflatten xs",
     "write the type: `(unflatten xs : [2][3]f64)`.")
code("E304", "not a size",
     "Sizes in types are made of numbers, names of i64 values, and + - * / %.", "def f [n] (x: f64) (ys: [x]f64) = ys",
     "give the value a name with `let`, and use the name.")
code("E305", "outside the array",
     "The index, slice or range is outside for every input, so the program would always fail here.",
     "def f (xs: [3]f64) = xs[3]", "indices go from 0 to the size less 1.")
code("E306", "size that no argument shows",
     "Callers do not pass sizes; they are read off the arguments, or off what is asked of the result, so each must occur in "
     "the type of a parameter or of the result. An entry is called from outside and reads them off its arguments alone.",
     "def count [n] (x: f64) : i64 = n", "take it as a value: `def count (n: i64) (x: f64) : i64`.")
code("E308", "negative size",
     "No array has fewer than 0 elements.", "def f (xs: [-1]f64) = xs", "correct the size.")
code("E309", "slice with step zero",
     "A slice moves by its step.", "def f (xs: [3]f64) = xs[0:3:0]", "leave the step away, or write another one.")

# ---------------------------------------------------------------- E4xx: application and patterns

code("E401", "too many arguments",
     "The function gives a result that is no function before all arguments are used.",
     "def f (x: f64) = sin x x", "remove an argument, or add parentheses: `f (g x)`, not `f g x`.")
code("E402", "too few arguments",
     "A function with fewer arguments than it takes is a function that waits for the rest; here a value is needed.",
     "def add (x: f64) (y: f64) = x + y\ndef f (x: f64) : f64 = add x", "give the remaining arguments.")
code("E403", "not a function",
     "What stands before an argument is a function.", "def f (x: f64) = x 2", "to multiply, write `x * 2`.")
code("E404", "arguments in the wrong order",
     "Each of two arguments fits the other's place.", "def f [n] (xs: [n]f64) = map xs sin", "swap them: `map sin xs`.")
code("E405", "pattern of another shape",
     "A pattern takes a value apart the way it was put together.", "def f (p: (f64, f64)) = let (a, b, c) = p in a",
     "give every part a name, or `_`.")
code("E406", "pattern that does not fit every value",
     "Patterns of `let`, parameters and loops fit all values of their type. Numbers do not, nor does one constructor of several.",
     "def f (1: i64) = 2", "take the value apart with `match`, which has a case for each.")
code("E407", "arguments written as a tuple",
     "Arguments stand one after the other, separated by spaces. Parentheses and commas make one value, a tuple.",
     "def f (x: f64) = max(x, 2.0)", "write `max x 2.0`.")
code("E408", "`match` with a case missing",
     "The cases of a `match` fit every value of the type that is matched. The message shows a value that none of them fits.",
     "type shape = #circle f64 | #square f64\ndef area (s: shape) = match s case #circle r -> 3.14 * r * r",
     "add the case, or `case _ -> …` for all that is left.")
code("E409", "`match` too large to check",
     "Whether the cases of a `match` fit every value takes exponential time in the worst case, and the search is bounded.",
     "", "match in steps: the outer constructors first, what they hold in a `match` of its own.")

# ---------------------------------------------------------------- E5xx: differentiation and activity

code("E501", "derivative with respect to data",
     "A parameter declared `data` is held fixed; what is computed from it alone has no derivative.",
     "entry f (x: data f64) = grad (\\t -> t * t) x", "declare the parameter `param`, or leave `data` away.")
code("E502", "nothing to differentiate with respect to",
     "Integers and bools have no tangents.", "def f (n: i64) = grad (\\k -> f64 k) n", "differentiate with respect to floats.")
code("E503", "derivative of something that is no function of numbers",
     "Differential operators take a function of one value; several parameters are a tuple of them, or a lambda holds all "
     "but one fixed. `grad`, `value_and_grad`, `hessian`, `hvp` and `laplacian` need a function to one float. Of others, "
     "`jacobian` gives all derivatives, `vjp` multiplies by a cotangent and `jvp` by a tangent.",
     "def f [n] (xs: [n]f64) = grad (map sin) xs", "use `jacobian`, or fold the result: `sum`.")
code("E504", "derivative that is zero by construction",
     "The result does not depend on the argument, or only through operations without derivative: conversion to integers, "
     "comparison, rounding, `stop_grad`.",
     "def f (x: f64) = grad (\\t -> floor t) x", "let the result depend on the argument smoothly.")
code("E505", "differentiated value for a `data` parameter",
     "A function that declares a parameter `data` holds it fixed, so a derivative through it would be lost.",
     "def scale (s: data f64) (x: f64) = s * x\nentry f (p: param f64) = scale p p",
     "declare the function's parameter without `data`, or pass `stop_grad x`.")
code("E506", "data for a `param` parameter",
     "A function that declares a parameter `param` is meant to be differentiated with respect to it; data is held fixed.",
     "def loss (p: param f64) = p * p\nentry f (x: data f64) = loss x", "leave the qualifier away on one side.")
code("E507", "`param` without floats",
     "`param` asks for a derivative, and integers and bools have none.", "entry f (n: param i64) = f64 n",
     "declare it plain or `data`.")
code("E508", "`param` or `data` in another place than a parameter",
     "The qualifiers stand before the type of a parameter of a definition.", "def f (x: f64) : param f64 = x", "remove it.")
code("E509", "grade of a parameter that does not exist",
     "The names after a grade are parameters of the definition.", "def f (x: f64) : f64 @ smooth(y) = x", "correct the name.")
code("E511", "grade of what is no function",
     "Behind the type of a parameter, `@` says how smooth a function is that is given. A value has no grade of its own: it has one "
     "in the parameters of the definition that computes it.",
     "def f (x: f64 @ C1) : f64 = x", "promise it of the result: `def f (x: f64) : f64 @ C1(x) = x`.")
code("E510", "parameter that loses its derivative",
     "Every parameter that an entry declares `param` reaches the result through differentiable operations; otherwise its gradient "
     "would be zero for a reason that is easily overlooked.",
     "entry f (p: param f64) (x: f64) = if p > 0 then x else -x", "let it enter the result smoothly, or declare it `data`.")

code("E512", "function that takes its own derivative",
     "A recursive function that differentiates its own recursive call would need its derivatives of every order: how many is known "
     "only when it runs, and code for each must be written before.",
     "def f (x: f64) (n: i64) : f64 = if n == 0 then x else grad (\\y -> f y (n - 1)) x",
     "differentiate another function; or write the recursion as a loop, and take derivatives of a fixed order of it.")
code("E513", "definition that uses what is not determined",
     "Where the head of a definition says `@ nondet`, numbers that many iterations add to one place are added in the order in "
     "which they come on a GPU, so that the last digits may differ from run to run. Whoever uses such a definition says so, too: "
     "what says nothing gives the same bits in every run.",
     "def count (k: [9]i64) (x: [9]f64) : [3]f64 @ nondet = hist (+) 0 3 k x\ndef first (k: [9]i64) (x: [9]f64) = (count k x)[0]",
     "say `@ nondet` in the head of the definition, behind its result type, or use one that is determined.")

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
code("E693", "too many versions of functions",
     "A function that is given other functions is written out once for each of them; a program whose functions are passed to "
     "themselves again and again needs too many.",
     "def t1 f x = t0 (t0 f) x   -- and so on, with t0, t1, … passed to each other",
     "pass data instead of functions, or call in a loop; let a recursive call pass on the functions and types that it was given.")

code("E694", "program too deep",
     "Functions may call each other through 1,000 functions, and what stands in each other may be so deep that the compiler's own "
     "stack holds it.",
     "def f1 x = f0 x\ndef f2 x = f1 x   -- and so on, thousands of times", "use a loop, or let functions call fewer others in a row.")
code("E695", "recursive function that gives a function",
     "Functions exist at compile time only, and how often a recursive function calls itself is known only when it runs. So what a "
     "recursive call gives must be data.",
     "def compose (n: i64) : f64 -> f64 = if n == 0 then \\x -> x else \\x -> sin (compose (n - 1) x)",
     "take all arguments at once: `def compose (n: i64) (x: f64) : f64 = …`.")

# ---------------------------------------------------------------- Sxxx, Dxxx: smoothness and domains

code("S101", "less smooth than promised",
     "A grade after `@` is a promise, and a function such as `lbfgs` demands one of the function that it is given. Here the value is "
     "known to be less smooth: it has a kink, or a derivative that jumps where a condition changes. `dad check --explain NAME:LINE` "
     "prints how the grade comes about.",
     "def f (x: f64) : f64 @ C1 = abs x",
     "promise what holds (`@ lip`), or write a smooth formula in its place: `sqrt (x * x + 0.01)`, `softplus` for `max 0`.")
code("S102", "discontinuous where a grade is promised",
     "The value jumps where a condition, an index or a step such as `floor` changes with a parameter. The gradient is that of the arm "
     "that is taken, so it does not see the jump, and a search that follows it can stall there. Where a point was found at which the "
     "value jumps, it is shown.",
     "def f (x: f64) : f64 @ C1 = if x < 1 then x else x + 1",
     "make the arms meet where the condition changes, blend them (`sigmoid ((x - k) / width)`), or say that the gradient may miss it: "
     "`(if …) @ allow(jump, \"why\")`.")
code("S103", "smoothness that is not shown",
     "A branch on a parameter is examined: it is proved to be smooth across its boundary, refuted with a point at which it jumps, or "
     "neither. Here it is neither, and a promise needs a proof.",
     "def f (x: f64) (g: f64 -> f64) : f64 @ C1(x) = if x < 0 then g x else g (-x)",
     "write the condition or the arms in a simpler way; or say what is known: `assume continuous(y) \"reason\"`, "
     "`(e) @ allow(jump, \"reason\")`.")
code("S104", "function of which nothing is known",
     "A parameter that is a function may be anything, unless its type says how smooth it is.",
     "def f (g: f64 -> f64) (x: f64) : f64 @ C1 = g x",
     "say what is needed of it: `(g: f64 -> f64 @ C1)`; whoever calls it is asked for that.")
code("S105", "promise that cannot be checked by itself",
     "A definition is looked at by itself, and this one depends on the types that it is used at.",
     "def f 'a (x: a) (y: f64) : f64 @ C1 = y",
     "give its parameters types, or promise the grade of a definition that uses it.")
code("S110", "what a branch on a parameter does to derivatives",
     "A note of `dad check --notes`: how smooth a branch is across its boundary, where a kink lies, or that nothing could be shown. "
     "Nothing is wrong as long as nobody needs more.",
     "def f (x: f64) = if x < 0 then 0.0 else x * x",
     "nothing, or promise the grade that you rely on, and have it checked.")
code("D201", "argument that may lie outside of a function's domain",
     "`log`, `sqrt`, `/`, `**` and others are defined, or smooth, on a part of the numbers only. What is known of signs and bounds "
     "(of refinements such as `f64{>0}`, of conditions and `assert`s before, of `exp` and squares) does not show that the argument lies "
     "there for all values of the parameters.",
     "def f (x: f64) : f64 @ smooth = log x",
     "say what is so: `(x: f64{>0})`, `assert (x > 0) …`; or make it so: `log (x * x + 1)`.")
code("D202", "infinite slope at the end of a domain",
     "At the end of its domain the function has a value, and an infinite slope: `sqrt` at 0, `asin` at 1.",
     "def f (x: f64{>=0}) : f64 @ C1 = sqrt x",
     "keep away from the end (`f64{>0}`), add a small number (`sqrt (x + 1e-9)`), or write `norm u` for the root of a sum of squares.")

# ---------------------------------------------------------------- Wxxx: warnings

code("W102", "name that means the prelude's function in its own definition",
     "A definition that takes the name of a function of the prelude sees the older meaning in its own body, as in Futhark: it can "
     "wrap what it replaces. It does not call itself.",
     "def sum [n] (xs: [n]f64) : f64 = if n == 0 then 0 else sum xs",
     "choose another name if the definition should call itself; otherwise nothing.")
code("W111", "part of a parameter that loses its derivative",
     "A parameter that is declared `param` may be a tuple or a record. The result does not depend differentiably on this part of it, "
     "so this part of the gradient is always zero.",
     "entry f (p: param {rate: f64, limit: f64}) (x: f64) = p.rate * x",
     "use the part, or make it a parameter of its own, declared `data`.")

code("W110", "case that is never reached",
     "The cases of a `match` are tried from top to bottom, and those above fit every value that this one fits.",
     "def f (n: i64) : i64 = match n case _ -> 0 case 1 -> 2", "remove the case, or move it up.")
