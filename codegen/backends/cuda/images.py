"""What `dad build --target cuda` writes beside a module: its kernels as code for cards, and what they need.

In: the text of the kernels. Out: files (cubins for `nvrtc.ARCHITECTURES`, PTX of the first of them) and a table of them
for the module, with their SHA-256, so that it takes no others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from . import nvrtc
from .nvrtc import Usage

NO_IMAGES = "\n_IMAGES = ()\n"
"""What modules are emitted with."""
OPTIONS = ("--fmad=false",)
"""As at run time, so that a card gives the bits that a processor gives."""


@dataclass(frozen=True)
class Images:
    """`files` by name; `table` as the module holds it: architecture (0: PTX), name, SHA-256; `usage` by architecture.
    """

    files: dict[str, bytes]
    table: tuple[tuple[int, str, str], ...]
    usage: dict[int, tuple[Usage, ...]]


def images(name: str, text: str, options: Sequence[str] = OPTIONS) -> Images:
    """The images of a module of this name; none where NVRTC is not installed.

    A text without kernels has none. Raises nvrtc.CompileError.
    """
    if not nvrtc.installed() or "__global__" not in text:
        return Images({}, (), {})
    made = [nvrtc.compiled(text, a, options) for a in nvrtc.ARCHITECTURES if a in nvrtc.supported()]
    files = {f"{name}.sm_{code.architecture}.cubin": (code.architecture, code.cubin) for code in made}
    files[f"{name}.ptx"] = (0, made[0].ptx)
    return Images({file: data for file, (_, data) in files.items()},
                  tuple((a, file, hashlib.sha256(data).hexdigest()) for file, (a, data) in files.items()),
                  {code.architecture: code.usage for code in made})


def known(module: str, table: tuple[tuple[int, str, str], ...]) -> str:
    """The text of a module that knows of these images.

    >>> known("import cupy\\n_IMAGES = ()\\n", ((90, "m.sm_90.cubin", "00"),))
    "import cupy\\n_IMAGES = (\\n    (90, 'm.sm_90.cubin', '00'),\\n)\\n"
    """
    before, none, behind = module.partition(NO_IMAGES)
    assert none, "a module without a place for images"
    lines = "".join(f"    {row!r},\n" for row in table)
    return f"{before}\n_IMAGES = (\n{lines})\n{behind}"


def report(usage: dict[int, tuple[Usage, ...]]) -> str:
    """A table of what kernels need, a line to a kernel and architecture.

    >>> print(report({90: (Usage("k1", 40, 2048, 0, 0), Usage("k12", 255, 0, 48, 96))}))
    kernel  card   registers  shared  spilled  stack
    k1      sm_90         40    2048        0      0
    k12     sm_90        255       0       48     96
    """
    rows = [(u.kernel, f"sm_{a}", *map(str, (u.registers, u.shared, u.spilled, u.stack)))
            for a, used in usage.items() for u in used]
    rows = sorted(rows, key=lambda row: (len(row[0]), row[0], int(row[1][3:])))
    head = ("kernel", "card", "registers", "shared", "spilled", "stack")
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(w) if k < 2 else cell.rjust(w) for k, (cell, w) in
                               enumerate(zip(row, widths, strict=True))) for row in (head, *rows))
