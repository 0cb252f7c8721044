"""The command line: finds the command, runs it, and turns whatever ends it into a message and a status.

Status: 0 fine, 1 diagnostics, 2 wrong use, 3 a mistake in Dad itself. No traceback reaches a user, unless DAD_DEBUG=1
asks for it.
"""
from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

COMMANDS = {
    "check": "report every mistake of a program, or its entries and their types",
    "explain": "explain the code of a message",
    "fmt": "write programs in Dad's style",
    "build": "write a Python module and its type stub",
    "grad-check": "compare derivatives, and derivative rules, with differences",
    "run": "call an entry with values from the command line",
    "show": "print a stage of the compiler: tokens, ast, types, ir, python",
    "cost": "what entries and their derivatives cost, as formulas of the sizes",
    "cache": "what is kept of machine code: where, how much, why not",
    "test": "run the test blocks (`-- ==`) of programs",
}
PLANNED = ("stage", "bench", "lsp", "repl", "doc", "new")


def overview() -> str:
    lines = ["usage: dad COMMAND …", "", "commands:"]
    lines += [f"  {name:10} {about}" for name, about in COMMANDS.items()]
    lines += ["", "`dad help COMMAND` shows the options of one; `dad --version` the version."]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name); the status is returned, nothing is raised."""
    args = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character gets its number
    try:
        status = run(args)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `dad show … | head`: whoever read has seen enough
        close_quietly()
        return 141
    except OSError as error:
        return say("U104", f"the output cannot be written: {error.strerror or error}", "check where it goes", 1)
    except MemoryError:
        return say("U901", "there is not enough memory for this", "use smaller data", 1)
    except Exception as error:
        return internal(error)


def program() -> int:
    """`dad` as a process of its own, which ends behind this: nobody needs to look for garbage once more."""
    status = main()
    gc.freeze()
    return status


def run(args: list[str]) -> int:
    """One command; what is wrong with its use or its program is printed here."""
    from .commands.options import Usage
    from .lang.diagnostics.report import Diagnostics

    try:
        return dispatch(args)
    except Usage as error:
        return say(error.code, error.message, error.help, 2)
    except Diagnostics as error:
        from .commands.output import show_diagnostics

        show_diagnostics(error.diagnostics, sys.stderr)
        return 1


def dispatch(args: list[str]) -> int:
    from .commands.options import Usage, suggestion

    name, rest = (args[0], args[1:]) if args else ("help", [])
    if name in ("-V", "--version", "version"):
        from . import __version__

        print(f"dad {__version__}")
        return 0
    if name in ("-h", "--help", "help"):
        if rest and rest[0] in COMMANDS:
            name, rest = rest[0], ["--help"]
        else:
            print(overview())
            return 0
    if name in COMMANDS:
        module = import_module(f".commands.{name.replace('-', '_')}", __package__)
        before = rest[:rest.index("--")] if "--" in rest else rest
        if "--help" in before or "-h" in before:
            print(module.COMMAND.help())
            return 0
        return int(module.main(rest))
    if name in PLANNED:
        raise Usage(f"`dad {name}` is not in this version of Dad", f"there is {', '.join(COMMANDS)}", "U002")
    raise Usage(f"`dad` has no command `{name}`", suggestion(name, [*COMMANDS, *PLANNED])
                or f"one of {', '.join(COMMANDS)}; `dad help` explains them")


def say(code: str, message: str, help: str, status: int) -> int:
    from .commands.output import show_diagnostics
    from .lang.diagnostics.report import Diagnostic

    try:
        show_diagnostics([Diagnostic(code, message, help=help)], sys.stderr)
    except OSError:
        close_quietly()
    return status


def close_quietly() -> None:
    """Nothing more is written, also not when Python flushes its streams at the end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def internal(error: Exception) -> int:
    """What to say of an exception that should not have happened."""
    if os.environ.get("DAD_DEBUG"):
        import traceback

        traceback.print_exc()
    text = " ".join(str(error).split())[:200]
    return say("U900", f"internal error: {type(error).__name__}" + (f": {text}" if text else ""),
               "this is a mistake in Dad, not in your program: please report it with the program"
               " and the output under DAD_DEBUG=1", 3)
