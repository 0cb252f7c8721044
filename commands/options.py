"""What stands on a command line: options by a small table, the rest in order.

Written by hand because `dad check` answers while one types, and because a value such as -1.5 is not an option here.
"""
from __future__ import annotations

import re
from collections.abc import Sequence

from ..lang.record import dataclass


@dataclass(frozen=True)
class Option:
    """`--long`, `-s`; with `argument` (its name in the help) it takes a value, one of `choices` if there are any."""

    long: str
    help: str
    argument: str | None = None
    choices: tuple[str, ...] = ()
    short: str | None = None
    default: str | None = None


@dataclass(frozen=True)
class Command:
    """`usage` as in `dad check FILE…`; `about` is one sentence."""

    name: str
    usage: str
    about: str
    options: tuple[Option, ...] = ()
    details: str = ""
    planned: tuple[str, ...] = ()
    """Options of later versions, so that the answer is a better one than that there is no such thing."""

    def help(self) -> str:
        lines = [f"usage: {self.usage}", "", self.about]
        if self.options:
            lines += ["", "options:"]
            for option in self.options:
                names = (f"-{option.short}, " if option.short else "    ") + f"--{option.long}"
                names += f" {option.argument}" if option.argument else ""
                choices = f" ({', '.join(option.choices)})" if option.choices else ""
                lines.append(f"  {names:26} {option.help}{choices}")
        if self.details:
            lines += ["", self.details]
        return "\n".join(lines)


class Usage(Exception):
    """A command line that cannot be understood: `message`, what to do, and a code."""

    def __init__(self, message: str, help: str, code: str = "U001") -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.code = code


@dataclass(frozen=True)
class Given:
    """The options that were given, by long name, and the other words in order."""

    options: dict[str, str]
    words: tuple[str, ...]

    def has(self, name: str) -> bool:
        return name in self.options

    def get(self, name: str, default: str) -> str:
        return self.options.get(name, default)


NEGATIVE = re.compile(r"-(\d|f(32|64)\.)")  # a value such as -1.5, not an option


def parse(args: Sequence[str], command: Command) -> Given:
    """Split `args` into options and words. `--` ends the options; `-` alone is a word, and so are negative numbers.

    Raises Usage for options that the command does not have, and for values that an option does not take.
    """
    options: dict[str, str] = {}
    words: list[str] = []
    at = 0
    while at < len(args):
        arg = args[at]
        at += 1
        if arg == "--":
            words += args[at:]
            break
        if not arg.startswith("-") or arg == "-" or NEGATIVE.match(arg):
            words.append(arg)
            continue
        name, equals, value = arg.partition("=")
        option = find(name, command)
        if option.argument is None:
            if equals:
                raise Usage(f"`{name}` takes no value", help_line(command))
            options[option.long] = ""
            continue
        if not equals:
            if at >= len(args):
                raise Usage(f"`{name}` needs a value: {option.argument}", help_line(command))
            value = args[at]
            at += 1
        if option.choices and value not in option.choices:
            raise Usage(f"`{name}` cannot be `{value}`", suggestion(value, option.choices)
                        or f"one of {', '.join(option.choices)}")
        options[option.long] = value
    return Given(options, tuple(words))


def find(name: str, command: Command) -> Option:
    for option in command.options:
        if name == f"--{option.long}" or (option.short and name == f"-{option.short}"):
            return option
    if name in command.planned:
        raise Usage(f"`dad {command.name} {name}` is not in this version of Dad", help_line(command), "U002")
    names = [f"--{option.long}" for option in command.options]
    raise Usage(f"`dad {command.name}` has no option `{name}`", suggestion(name, names) or help_line(command))


def help_line(command: Command) -> str:
    return f"usage: {command.usage}"


def suggestion(word: str, known: Sequence[str]) -> str:
    """`did you mean …?`, or nothing where no known word is near."""
    from difflib import get_close_matches  # only those who slipped pay for it

    near = get_close_matches(word[:100], known, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else ""
