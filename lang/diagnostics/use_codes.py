"""Codes of what goes wrong when programs are used: Rxxx, Gxxx, Axxx and Uxxx, declared when this is imported."""
# ruff: noqa: E501 - explanations are prose, and whole sentences on a line are easier to edit
from __future__ import annotations

from .registry import code

# ---------------------------------------------------------------- Rxxx: run-time checks that failed

code("R101", "index out of bounds",
     "An index is at least 0 and less than the size of its axis. The message names array, axis, index and size.",
     "def f (xs: [3]f64) (i: i64) = xs[i]   -- called with i = 3",
     "check the index before, or loop over the array's own size: `[xs[i] for i < n]`.")
code("R102", "slice out of bounds",
     "All elements that a slice `a[i:j:s]` takes must exist.",
     "def f (xs: [3]f64) (k: i64) = xs[0:k]   -- called with k = 4",
     "bound the slice by the array's size, such as `xs[0:i64.min k n]`.")
code("R103", "sizes that differ",
     "Two sizes that must be equal were not: of a cast `:>`, of arrays that are zipped, or of arguments of one function.",
     "def f [n][m] (xs: [n]f64) (ys: [m]f64) = map2 (+) xs (ys :> [n]f64)   -- called with n = 2, m = 3",
     "give arrays of equal sizes; the message shows where each size came from.")
code("R104", "integer division by zero",
     "Integers have no infinity: dividing by zero, or taking the remainder, stops the program. Floats give inf or nan.",
     "def f (a: i64) (b: i64) = a / b   -- called with b = 0", "test the divisor before dividing.")
code("R105", "negative size",
     "A size given to `iota`, `replicate` or a range was negative.",
     "def f (n: i64) = iota (n - 1)   -- called with n = 0", "test the size before, or use `i64.max 0 n`.")
code("R106", "assertion that failed",
     "The condition of an `assert` was false.",
     "def f (x: f64) = assert (x > 0) (log x)   -- called with x = 0.0",
     "look at what the assertion asks of the arguments.")

code("R107", "matrix without a factor or an inverse",
     "A matrix given to `cholesky` was not positive definite, or one given to `solve`, `inverse` or a triangular system "
     "was singular. Elimination shows it at the pivot of the number given.",
     "def f (a: [2][2]f64) = cholesky a   -- called with [[1, 2], [2, 1]]",
     "add a small number to the diagonal (`jitter`), or look for rows that depend on each other.")
code("R108", "search that has not converged",
     "`fixpoint`, `solve` or `argmin` ended without a result: the last step was larger than the tolerance, or not a number, "
     "after as many iterations as are allowed or where no step goes further. There may be no solution, or none that can be "
     "reached from the first guess.",
     "def f (x: f64) = solve (\\y -> y * y + x) 1   -- called with x = 1.0",
     "start nearer to the solution; or say how exact the result has to be, with `fixpoint_with`, `root_with` or "
     "`minimiser_with`.")
code("R109", "operation without a finite result",
     "Under `--trap-nonfinite` (`trap_nonfinite=True` in Python) a run stops at the first operation that makes an infinity or nan of "
     "finite numbers, or nan of infinities. The message names the operation, its operands, whether it is the program's own or "
     "belongs to a derivative (tangent, adjoint), and in which iterations and elements it happened. Literals such as "
     "`f64.inf` and arguments do not trap; what a branch that is not taken would give does not either.",
     "def f (xs: [2]f64) = sum (log xs)   -- called with [1.0, 0.0]",
     "test the operands before, give the function an argument inside of its domain, or use a form that does not overflow, such "
     "as `log1p`, `logsumexp` or a difference of logarithms.")
code("R111", "number outside of its bounds",
     "The type of a parameter, a result or a `let` says between which bounds its floats are, `f64{>0}`, and one of them is outside, or "
     "is not a number. The message names it, with its place if it is in an array. Bounds are looked at when a function is entered, "
     "and when it returns.",
     "entry f (sigma: f64{>0}) : f64 = log sigma   -- called with sigma = -1.0",
     "look at where the number comes from; a parameter that is searched for is kept positive by `exp`.")
code("R110", "recursion too deep",
     "A function called itself more levels deep than there is room for: 20,000 calls may be inside each other. Often the condition that "
     "ends it never holds. A call whose result is the function's own result is no level deeper: such a function runs as a loop. "
     "The derivative of other recursion runs the function again at each level: n calls in a row cost n² of them.",
     "def f (n: i64) : i64 = if n == 0 then 0 else 1 + f (n - 1)   -- called with n = -1",
     "look at what ends the recursion; give the result so far as an argument, so that the call comes last: "
     "`def f (n: i64) (sum: i64) : i64 = if n == 0 then sum else f (n - 1) (sum + 1)`; or write a `loop`.")

# ---------------------------------------------------------------- Gxxx: dad grad-check

code("G101", "derivative that differs from differences",
     "`dad grad-check` found that a derivative of an entry is not what differences of its values say, at two series of steps and on both "
     "sides of the point. No derivative rule of the program explains it.",
     "", "see whether the program is smooth at the point given; if it is, Dad has made a mistake: please report it.")
code("G102", "derivative rule that is wrong",
     "`dad grad-check` compared a rule given to `with_jvp` or `with_vjp` with differences of the function that it belongs to, at a point "
     "that it receives when an entry runs. They differ. One number of the argument is changed at a time; the message names it, the number "
     "that the rule gives and the one that it should give.",
     "entry f (x: f64) : f64 = with_vjp (\\x -> x * x) (\\x dy -> x * dy) x",
     "correct the rule. Where the rule is another derivative on purpose, as in a straight-through estimator, write `#[surrogate]` before "
     "the function: `#[surrogate] def rounded = with_vjp round (\\_ dy -> dy)`.")
code("G103", "nothing to compare derivatives at",
     "`dad grad-check` tried the inputs of the entry's test blocks and random ones. The program failed at all of them, or its result was "
     "not finite.",
     "", "give the entry a test block with inputs that suit it.")

code("G104", "derivative rule that was not compared",
     "`dad grad-check` compares rules at the points that they receive when entries run. No entry calls this function, or it has no finite "
     "values around the points that it received.",
     "def sq = with_vjp (\\x -> x * x) (\\x dy -> x * dy)   -- in a program without entries that use it",
     "write an entry that calls it, with a test block.")

# ---------------------------------------------------------------- Axxx: arguments given from Python

code("A101", "argument of the wrong rank or kind",
     "An array has another number of axes than the parameter's type says, or the value is no array at all.",
     "entry f [n] (xs: [n]f64) : f64 = sum xs\nm.f(np.zeros((2, 3)))",
     "pass an array of the rank shown; `np.ravel` or indexing changes it.")
code("A102", "argument of the wrong element type",
     "The elements cannot be taken without loss: floats for integers, integers too large, complex numbers, text.",
     "entry f (n: i64) : i64 = n\nm.f(2.5)", "convert before the call, for example by `x.astype(np.int64)`.")
code("A103", "argument of the wrong size",
     "A size in a parameter's type is fixed, or occurs in several arguments that disagree about it.",
     "entry f [n] (xs: [n]f64) (ys: [n]f64) : f64 = sum (map2 (*) xs ys)\nm.f(np.zeros(3), np.zeros(4))",
     "pass arrays whose sizes agree; the message shows where each size came from.")
code("A104", "wrong arguments",
     "An argument or field is missing, there is one too many, or one has a name that the entry does not have.",
     "entry f (x: f64) (y: f64) : f64 = x + y\nm.f(1.0)", "pass the arguments that the message lists.")
code("A105", "transform that was not built",
     "A module written by `dad build` holds the transforms that were asked for when it was built.",
     "model.loss.hessian(theta)   # model.py was built without it",
     "build it again with the transform, or load the source with `dad.load`.")

code("A107", "derivative that is zero by construction",
     "The result depends on none of the parameters in a differentiable way: only through comparisons, roundings, "
     "conversions to integers or `stop_grad`. A gradient of zeros would be returned, and no fit would move.",
     "entry steps (x: f64) : f64 = floor x\nm.steps.grad(1.5)",
     "let the parameter enter smoothly, or differentiate with respect to another one.")
code("A106", "derivative that a parameter does not have",
     "Derivatives are taken with respect to floats that are not declared `data`.",
     "entry loss (theta: param f64) (y: data f64) : f64 = …\nm.loss.grad(1.0, 2.0, wrt=(\"y\",))",
     "leave `wrt` out, or declare the parameter `param`.")

code("A108", "array that results cannot be written to",
     "`into` writes results into arrays of the caller, which must be writable, aligned, contiguous and apart from each "
     "other.", "entry f [n] (xs: [n]f64) : [n]f64 = xs\nm.f.into(x, out=y[::2])",
     "pass arrays that `np.empty` or `np.empty_like` made.")

# ---------------------------------------------------------------- Uxxx: command usage, files

code("U110", "target that does not exist",
     "This version compiles for `native` (machine code, which needs llvmlite), `numpy` (vectorised NumPy code) and "
     "`interp` (the reference interpreter, slow).", 'dad.load("model.dad", target="gpu")',
     'use `target="numpy"`, or install llvmlite for `native`: pip install "dad-lang[native]".')
code("U111", "built module that cannot be used here",
     "A module that `dad build --target native` has written holds the program and compiles it where it is imported. That "
     "needs llvmlite and the version of Dad that has written it: another one may read the program differently.",
     "dad build model.dad -o out --target native", 'pip install "dad-lang[native]", build the module again with the '
     "version that is installed, or build it with `--target numpy`.")

code("U112", "CuPy that is missing",
     "The target `cuda` runs on a GPU through CuPy, which is not installed, or does not find the libraries of CUDA that it needs "
     "(cuBLAS, cuSOLVER). `dad build --target cuda` needs neither; the module that it writes does.",
     'dad.load("model.dad", target="cuda")   # without CuPy',
     'pip install "cupy-cuda13x[ctk]" (`cupy-cuda12x` for drivers of CUDA 12), or use another target.')
code("U113", "GPU that is missing",
     "CUDA finds no card of NVIDIA, or no driver, or one that is older than CuPy wants. A module for GPUs can be built here, not run.",
     "m.f(x)   # of a module for the target cuda, on a laptop",
     "`nvidia-smi` shows card and driver. Without them use `target=\"native\"` or `\"numpy\"`: the program is the same.")
code("U114", "code that does not fit to the GPU",
     "Machine code is for one generation of cards, and PTX for drivers that are not older than the compiler that wrote it. The module "
     "tries what lies beside it, then compiles; the compiler of CUDA 13 knows cards from Turing on (compute capability 7.5).",
     "m.f(x)   # on a card of 2016", "install a newer driver, or the CuPy of another version of CUDA (`cupy-cuda12x` for older cards).")
code("U115", "not enough memory on the GPU",
     "The card has less free memory than the call needs. The message says how much was asked for; other programs on the card, and "
     "CuPy itself, which keeps what was freed, may hold the rest.",
     "m.f(cupy.zeros(10**11))",
     "use smaller data or f32, end other programs on the card, or call `cupy.get_default_memory_pool().free_all_blocks()`.")
code("U116", "compiler for GPUs that is missing",
     "NVRTC, NVIDIA's compiler, is not installed. `dad build --target cuda` writes the module without code for cards beside it, and says "
     "so; the module has CuPy compile it at the first call, which needs NVRTC on that machine.",
     "dad build model.dad -o out --target cuda", 'pip install "dad-lang[cuda]" before `dad build`, or "cupy-cuda13x[ctk]" where '
     "the module runs.")

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
     "dad show model.dad --stage memory", "the message lists what there is.")
code("U003", "no such code", "`dad explain` is given a code of a message, as it stands in brackets: error[E301].",
     "dad explain E999", "`dad explain` alone lists all codes.")
code("U104", "output that cannot be written",
     "`dad build` or `dad fmt` could not write a file: the folder does not exist and cannot be made, is a file, or may not "
     "be written.",
     "dad build model.dad -o model.dad", "give a folder of yours, such as `-o build`.")
code("U105", "file in the way that Dad has not written",
     "`dad build` replaces files that begin with the line that it puts at the head of its own, and no others: a `model.py` of "
     "yours beside `model.dad` is never lost.",
     "dad build model.dad -o .", "build into another folder, or move the file away.")
code("U106", "output behind a link",
     "Where `dad build` would write there is a symbolic link. It is not followed: the file that it points to may be anything.",
     "dad build model.dad -o out", "remove the link.")
code("U107", "name that cannot be a module",
     "`dad build` names the Python module after the file: characters that a name of Python cannot have become `_`. The name "
     "must hold at least one letter or digit of ASCII.",
     "dad build … -o out", "rename the file.")
code("U301", "value that cannot be read",
     "Values on the command line, in test blocks and in data files are written as in Futhark: `3`, `2.5f32`, `true`, `[1, 2]`, "
     "`[[1.0], [2.0]]`, `empty([0][2]f64)`, and also `(1, 2.0)`, `{x = 1, y = 2.0}` and `#circle 2.0`.",
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
code("U307", "nothing of that name to explain",
     "`dad check --explain` takes the name of a definition, or a name and the line where it is bound, of something that depends on a "
     "float parameter.",
     "dad check model.dad --explain loss:99", "name a definition, or a `let` with its line; `dad show --stage grades` lists definitions.")
code("U401", "test block that cannot be read",
     "A test block is a comment at the beginning of lines: any words, a line with `-- ==`, then `-- entry: names` (`main` when "
     "left out) and cases: `-- input { values } output { values }`; `@ file` may stand for the braces, `auto output` or "
     "`error: regex` for the output.",
     "-- ==\n-- input { 1 2 output { 3 }", "close every brace, and write `entry:` before the cases.")
code("U900", "mistake in Dad itself",
     "The compiler met a state that it should never be in. Whatever the program says, this is not your mistake.",
     "", "please report it, with the program and the text that DAD_DEBUG=1 adds.")
code("U901", "not enough memory", "The machine has less memory than the program or its data need.", "", "use smaller data.")
code("U905", "mistake in the formatter",
     "`dad fmt` reads what it has made before it writes anything. The new text did not say the same as the old one, or a "
     "comment was missing: the file stays as it is. This is not your mistake.",
     "", "please report it, with the program.")
