"""Writes `elementwise.py`: the signatures of the elementwise primitives, read from their records.

The records import slowly beside a check of a few milliseconds, and the checker needs three words of each. A test
compares the table with the records; `python -m dad.checker.elementwise_table` writes it again.
"""
from __future__ import annotations

import re
from pathlib import Path

HEADER = '''"""Elementwise primitives that programs may name: constraint, result (`a` or `bool`), number of arguments.

Generated from the records in `lang.prims` by `python -m dad.checker.elementwise_table`; do not edit.
"""
from __future__ import annotations

ELEMENTWISE: dict[str, tuple[str, str, int]] = {
'''


def table() -> dict[str, tuple[str, str, int]]:
    """What the records say; raises `ValueError` for a signature that is not elementwise."""
    from ..lang.prims import PRIMITIVES

    found: dict[str, tuple[str, str, int]] = {}
    for name, record in PRIMITIVES.items():
        if record.signature is None:
            continue
        shape = re.fullmatch(r"'a: (\w+)((?: \(\w+: a\))+) : (a|bool)", record.signature)
        if shape is None or not record.elementwise:
            raise ValueError(f"primitive {name}: signature {record.signature!r} is not elementwise")
        found[name] = (shape.group(1), shape.group(3), shape.group(2).count("("))
    return found


def main() -> None:
    rows = "".join(f'    "{name}": ("{cls}", "{result}", {arity}),\n' for name, (cls, result, arity) in table().items())
    Path(__file__).with_name("elementwise.py").write_text(HEADER + rows + "}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
