"""Builds the parser's tables: `grammar.lark` in, `tables.json` out, with lark as the generator.

Run `python -m dad.lang.surface.tables` after editing the grammar. The tables are shipped, so that the compiler neither
imports lark nor spends time on the grammar; they are plain ASCII text, the same for the same grammar, so that a test
can compare them. Shift/reduce conflicts are resolved by shifting (see the head of the grammar); reduce/reduce
conflicts are errors.

The file holds: `symbols` (terminals, then nonterminals), `rules` as [action, length, symbol], `depths` (the rules that
count as a level of nesting), `states` as [default rule or -1, flat list of terminal, action …], `gotos` as a flat
list of nonterminal, state … per state, and `starts` as [first, last state] per start symbol. An action `2 * s` shifts
to state s, `2 * r + 1` reduces by rule r; what the default rule covers is left out.
"""
from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
STARTS = ("declaration", "signature", "exp", "type")

# Rules that only pass on, collect or continue sideways: the depth of their result is that of its deepest part. All
# others make a node around their parts and count as one level towards the nesting limit.
SIDEWAYS = frozenset({
    "", "one", "push", "push_after", "first", "second", "second_alone", "empty", "nothing", "chain_one", "chain_more",
    "climb", "let_", "name", "int_", "float_", "apply", "type_name",
})


def build(grammar: str) -> dict[str, Any]:
    """The tables of a grammar, as they go into the file. Raises lark's errors on a grammar that is not LALR(1)."""
    from lark import Lark

    frontend: Any = Lark(grammar, parser="lalr", lexer="basic", start=list(STARTS), maybe_placeholders=False).parser
    table = frontend.parser._parse_table
    rules = sorted({target for row in table.states.values() for kind, target in row.values() if kind.name == "Reduce"},
                   key=lambda rule: (rule.origin.name, rule.order))
    shifted = {name for row in table.states.values() for name, (kind, _) in row.items() if kind.name == "Shift"}
    terminals = ["$END", *sorted(name for name in shifted if name.isupper())]
    nonterminals = sorted({rule.origin.name for rule in rules})
    numbers = {name: at for at, name in enumerate([*terminals, *nonterminals])}
    rule_numbers = {rule: at for at, rule in enumerate(rules)}
    order = _order(table)
    states: list[list[Any]] = []
    gotos: list[list[int]] = []
    for state in order:
        actions: dict[int, int] = {}
        goto: list[int] = []
        for name, (kind, target) in sorted(table.states[state].items()):
            if kind.name == "Reduce":
                actions[numbers[name]] = 2 * rule_numbers[target] + 1
            elif name in shifted and name.isupper():
                actions[numbers[name]] = 2 * order[target]
            elif name in numbers:
                goto += [numbers[name], order[target]]
        reductions = Counter(action for action in actions.values() if action % 2)
        default = max(reductions, key=lambda action: (reductions[action], -action)) if reductions else -1
        kept = [number for pair in sorted(actions.items()) if pair[1] != default for number in pair]
        states.append([default // 2 if default >= 0 else -1, kept])
        gotos.append(goto)
    described = [[_action(rule), len(rule.expansion), numbers[rule.origin.name]] for rule in rules]
    return {
        "terminals": terminals, "nonterminals": nonterminals, "rules": described,
        "depths": [0 if rule[0] in SIDEWAYS else 1 for rule in described],
        "states": states, "gotos": gotos,
        "starts": {name: [order[table.start_states[name]], order[table.end_states[name]]] for name in STARTS},
    }


def _order(table: Any) -> dict[Any, int]:
    """States numbered in the order in which a walk from the starts meets them: lark's own numbers change every run."""
    order: dict[Any, int] = {}
    pending = [table.start_states[name] for name in STARTS]
    for state in pending:
        if state in order:
            continue
        order[state] = len(order)
        pending += [target for _, (kind, target) in sorted(table.states[state].items()) if kind.name == "Shift"]
    return order


def _action(rule: Any) -> str:
    if rule.alias:
        return str(rule.alias)
    if len(rule.expansion) != 1:
        raise ValueError(f"{rule.origin.name}: only an alternative of one symbol may have no action")
    return ""


def text(tables: dict[str, Any]) -> str:
    """The tables as they stand in the file: ASCII, one part per line."""
    parts = (f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'))}" for key, value in tables.items())
    return "{" + ",\n".join(parts) + "}\n"


def main() -> None:
    tables = text(build((HERE / "grammar.lark").read_text("ascii")))
    (HERE / "tables.json").write_text(tables, "ascii")


if __name__ == "__main__":
    main()
