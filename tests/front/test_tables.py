"""The shipped tables are those of the grammar, and reading them is cheap."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from dad.lang.surface import tables
from dad.lang.surface.build import Builder
from dad.lang.surface.machine import load


def test_tables_belong_to_the_grammar() -> None:
    built = tables.text(tables.build((tables.HERE / "grammar.lark").read_text("ascii")))
    assert built == (tables.HERE / "tables.json").read_text("ascii"), "run `python -m dad.lang.surface.tables`"


def test_tables_do_not_depend_on_the_run() -> None:
    code = ("import hashlib; from dad.lang.surface import tables; "
            "made = tables.text(tables.build((tables.HERE / 'grammar.lark').read_text())); "
            "print(hashlib.sha256(made.encode()).hexdigest())")
    path = str(Path(tables.__file__).resolve().parents[2] / ".tree")
    seen = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True,
                           env={"PYTHONHASHSEED": seed, "PYTHONPATH": path}).stdout for seed in ("1", "2")}
    assert len(seen) == 1


def test_every_action_has_a_method_and_every_method_a_rule() -> None:
    used = {name for name, _, _ in load().rules if name}
    assert {name for name in used if not callable(getattr(Builder, name, None))} == set()
    helpers = {"span", "at", "attribute"}
    public = {name for name in dir(Builder) if not name.startswith("_") and callable(getattr(Builder, name))}
    assert public - used - helpers == set()


def test_sideways_rules_exist() -> None:
    assert {""} | {name for name, _, _ in load().rules} >= tables.SIDEWAYS


def test_conflicts_are_only_where_bodies_reach_right() -> None:
    """Where lark shifts although it could reduce: after an operand, an expression that ends a construct, or a type."""
    import logging

    from lark import Lark, logger

    messages: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    keep = Keep()
    level = logger.level
    logger.addHandler(keep)
    logger.setLevel(logging.DEBUG)
    try:
        Lark((tables.HERE / "grammar.lark").read_text("ascii"), parser="lalr", lexer="basic", start=list(tables.STARTS),
             debug=True)
    finally:
        logger.removeHandler(keep)
        logger.setLevel(level)
    conflicts = {line.strip(" *<>") for message in messages for line in message.split("\n") if line.startswith(" *")}
    assert conflicts == {
        "case : CASE pat ARROW exp", "let_body : IN exp", "operand : ATTR exp",
        "lambda : BACKSLASH params1 lambda_result ARROW exp", "operand : IF exp THEN exp ELSE exp",
        "operand : LOOP loop_pattern loop_form DO exp", "operand : MATCH exp cases", "simple : chain",
        "modexp : BACKSLASH modparam lambda_ascription ARROW modexp",
        "type : type_term",
        "sum : sum_clauses"}


def test_tables_are_small_ascii_json() -> None:
    content = (tables.HERE / "tables.json").read_bytes()
    assert content.isascii()
    assert len(content) < 60_000
    assert set(json.loads(content)) == {"terminals", "nonterminals", "rules", "depths", "states", "gotos", "starts"}


def test_parser_imports_no_generator() -> None:
    """Neither lark nor anything heavy is loaded to parse; the budget of `dad check` depends on it."""
    code = ("import sys, dad.lang.surface.parser as p; from dad.lang.source import Source; "
            "from dad.lang.diagnostics.report import Reporter; p.parse(Source('a', 'def f = 1'), Reporter()); "
            "print(sorted({'lark', 'numpy', 'pickle', 'sqlite3', 'asyncio'} & set(sys.modules)))")
    path = str(Path(tables.__file__).resolve().parents[2] / ".tree")
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True,
                          env={"PYTHONPATH": path})
    assert told.stdout.strip() == "[]"
