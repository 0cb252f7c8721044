"""The LALR machine: runs the shipped tables over tokens, without recursion.

The tables come from `tables.json` (see `tables.py`); the machine knows nothing of the language. It keeps, beside the
value of each symbol on its stack, where the symbol begins and ends and how deeply it is nested, so that actions can
make spans and a limit on nesting needs no walk over the tree.
"""
from __future__ import annotations

import json
import os.path
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .lexer import Token

MAX_DEPTH = 256

Action = Callable[[list[Any], int, int], Any]


class Tables(NamedTuple):
    """`actions[state][terminal]`: 2s shifts to s, 2r+1 reduces by r; `defaults[state]` reduces on others, or is -1."""

    terminals: tuple[str, ...]
    rules: tuple[tuple[str, int, int], ...]
    depths: tuple[int, ...]
    actions: tuple[dict[str, int], ...]
    defaults: tuple[int, ...]
    gotos: tuple[dict[int, int], ...]
    starts: dict[str, tuple[int, int]]
    operand: int
    """The number of the symbol `operand`."""


class Failure(NamedTuple):
    """The token number `at` fits nowhere, or (`deep`) `token` spans a symbol that is nested too deeply."""

    token: Token
    at: int
    deep: bool = False


_loaded: Tables | None = None


def load() -> Tables:
    """The shipped tables, read once per process."""
    global _loaded
    if _loaded is None:
        with open(os.path.join(os.path.dirname(__file__), "tables.json"), encoding="ascii") as file:
            raw = json.load(file)
        terminals = tuple(raw["terminals"])
        _loaded = Tables(
            terminals, tuple((action, length, symbol) for action, length, symbol in raw["rules"]), tuple(raw["depths"]),
            tuple({terminals[row[i]]: row[i + 1] for i in range(0, len(row), 2)} for _, row in raw["states"]),
            tuple(default for default, _ in raw["states"]),
            tuple(dict(zip(row[::2], row[1::2], strict=True)) for row in raw["gotos"]),
            {name: (first, last) for name, (first, last) in raw["starts"].items()},
            len(terminals) + raw["nonterminals"].index("operand"))
    return _loaded


def run(tables: Tables, start: str, tokens: Sequence[Token], actions: Sequence[Action | None]) -> Any:
    """The value of the tokens as a `start` symbol, or a `Failure` at the first token that does not fit.

    `tokens` ends with a token of kind `$END`; `actions` has one entry per rule, None to pass a single value on.
    """
    made = measured(tables, start, tokens, actions)
    return made if isinstance(made, Failure) else made[0]


def measured(tables: Tables, start: str, tokens: Sequence[Token], actions: Sequence[Action | None]
             ) -> tuple[Any, int] | Failure:
    """The same, and how deeply the value is nested.

    A token whose text is a `Term` stands for several, of which its kind is the first's (see `terms`). Where an operand
    may stand it is one; elsewhere its tokens take its place.
    """
    rules, depths, rows, defaults, gotos = tables.rules, tables.depths, tables.actions, tables.defaults, tables.gotos
    state, last = tables.starts[start]
    states = [state]
    values: list[Any] = []
    begins: list[int] = []
    ends: list[int] = []
    levels: list[int] = []
    for at, token in enumerate(tokens):
        kind, text, begin, end = token
        while True:
            action = rows[state].get(kind, -1)
            if action < 0:
                default = defaults[state]
                if default < 0:
                    if kind == "$END" and state == last:
                        return values[0], levels[0]
                    return Failure(token, at)
                rule = default
            elif action & 1:
                rule = action >> 1
            else:
                if text.__class__ is not str:
                    several: Any = text
                    term = several.read() if tables.operand in gotos[state] else None
                    if term is not None:
                        state = gotos[state][tables.operand]
                        states.append(state)
                        values.append(term[0])
                        begins.append(begin)
                        ends.append(end)
                        levels.append(term[1])
                        break
                    assert isinstance(tokens, list)
                    tokens[at:at + 1] = several.tokens()
                    token = tokens[at]
                    _, text, begin, end = token
                state = action >> 1
                states.append(state)
                values.append(token)
                begins.append(begin)
                ends.append(end)
                levels.append(0)
                break
            _, length, symbol = rules[rule]
            make = actions[rule]
            if length == 1:
                if make is not None:
                    values[-1] = make(values[-1:], begins[-1], ends[-1])
                    level = levels[-1] = levels[-1] + depths[rule]
                    if level > MAX_DEPTH:
                        return Failure(Token("", "", begins[-1], ends[-1]), at, deep=True)
                states.pop()
                state = gotos[states[-1]][symbol]
                states.append(state)
                continue
            assert make is not None
            if length:
                value = make(values[-length:], begins[-length], ends[-1])
                level = max(levels[-length:]) + depths[rule]
                first = begins[-length]
                final = ends[-1]
                del states[-length:], values[-length:], begins[-length:], ends[-length:], levels[-length:]
                if level > MAX_DEPTH:
                    return Failure(Token("", "", first, final), at, deep=True)
            else:
                first = final = ends[-1] if ends else begin
                value = make([], first, final)
                level = 0
            state = gotos[states[-1]][symbol]
            states.append(state)
            values.append(value)
            begins.append(first)
            ends.append(final)
            levels.append(level)
    raise AssertionError("tokens must end with $END")


def expected(tables: Tables, start: str, tokens: Sequence[Token]) -> set[str]:
    """The kinds of token that could follow `tokens`, which fit so far.

    The machine reduces before it looks whether a token fits, so at a failure its stack has lost what could have come
    instead; hence the tokens are run again, without actions, and every kind is tried on a copy of the states.
    """
    states = [tables.starts[start][0]]
    for token in tokens:
        next_state(tables, states, token.kind, start)
    return {kind for kind in tables.terminals if next_state(tables, list(states), kind, start) is not None}


def next_state(tables: Tables, states: list[int], kind: str, start: str) -> int | None:
    """Moves the states over one token and gives the new one; None where it does not fit (the states are spent then)."""
    while True:
        state = states[-1]
        action = tables.actions[state].get(kind, -1)
        if action < 0:
            action = 2 * tables.defaults[state] + 1
            if action < 0:
                return state if kind == "$END" and state == tables.starts[start][1] else None
        if not action & 1:
            states.append(action >> 1)
            return states[-1]
        _, length, symbol = tables.rules[action >> 1]
        if length:
            del states[-length:]
        states.append(tables.gotos[states[-1]][symbol])
