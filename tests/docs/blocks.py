"""The code blocks of the documentation, and what each of them really does.

The word after the fence says what a block is:

    dad            a program: it checks, is formatted, and its test blocks pass; with a name (`dad shapes.dad`) it is a
                   file that later blocks of the page import. Followed by a `text` block: the messages it gives
    values         lines `expression   = value`: each is evaluated on all targets
    signatures     lines `name … : type`: the headers of definitions of the library, as they stand there
    console        `$ dad …` commands and what they print; the files are the programs above, `example.dad` if unnamed
    python         lines at the prompt `>>>` and what they print, in the folder of the files
    text           after a `dad` block: what the checker says

`actual(page)` is the page as it should read: equal to the page, or somebody has to look at the difference.
"""
from __future__ import annotations

import doctest
import io
import os
import re
import shlex
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import dad
from dad import driver, modules
from dad.cli import main
from dad.formatter.formatted import formatted
from dad.lang import members
from dad.lang.diagnostics.render import render_full
from dad.lang.diagnostics.report import Reporter
from dad.lang.intrinsics import SIGNATURES
from dad.lang.prims import PRIMITIVES
from dad.lang.source import Source
from dad.lang.surface import ast
from dad.lang.surface.parser import parse
from dad.testing.runner import run_file
from dad.testing.values import show_value

LIBRARY = Path(dad.__file__).parent / "stdlib"
_FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
_VALUE = re.compile(r"^(.*?)\s{2,}= (.*)$")


def actual(page: str, folder: Path) -> str:
    """The page with what its blocks really say; `AssertionError` where a program does not do what it should."""
    state = Page(folder)
    blocks = list(_FENCE.finditer(page))
    out: list[str] = []
    done = 0
    for number, block in enumerate(blocks):
        following = blocks[number + 1] if number + 1 < len(blocks) else None
        refused = following is not None and following[1] == "text" and not page[block.end():following.start()].strip()
        text = state.block(block[1], block[2], refused)
        out += [page[done:block.start()], f"```{block[1]}\n{text}```"]
        done = block.end()
    return "".join(out) + page[done:]


class Page:
    """The files that the blocks of a page have made so far, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.messages: str | None = None
        self.names: dict[str, object] = {"dad": dad}

    def block(self, kind: str, text: str, refused: bool) -> str:
        word, _, name = kind.partition(" ")
        rules: dict[str, Callable[[str], str]] = {
            "values": self.values, "signatures": self.signatures, "console": self.console, "python": self.python,
            "text": self.text}
        if word == "dad":
            return self.program(text, name or "example.dad", refused)
        assert word in rules, f"a block of an unknown kind: {kind!r}\n{text}"
        return rules[word](text)

    def program(self, text: str, name: str, refused: bool) -> str:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        if refused:
            path.write_text(text, encoding="utf-8")
            with chdir(self.folder):
                checking = driver.check(driver.read(name))
                self.messages = render_full([*checking.diagnostics, *driver.promises(checking)]).strip() + "\n"
            return text
        driver.deepen()
        tidy = formatted(Source(name, text))
        assert tidy.text is not None, render_full(list(tidy.diagnostics)) + "\n" + text
        path.write_text(tidy.text, encoding="utf-8")
        with chdir(self.folder):
            checking = driver.check(driver.read(name))
            said = [*checking.diagnostics, *driver.promises(checking)]
            assert not said, render_full(said)
            result = run_file(name)
        problems = [f"{each.name}: {each.problem}" for each in result.outcomes if each.problem]
        assert not result.diagnostics, render_full(list(result.diagnostics))
        assert not problems, "\n".join([*problems, text])
        return tidy.text

    def text(self, text: str) -> str:
        assert self.messages is not None, f"nothing was refused before this block:\n{text}"
        said, self.messages = self.messages, None
        return said

    def values(self, text: str) -> str:
        lines = [_VALUE.match(line) for line in text.splitlines()]
        assert all(lines), f"lines are like `expression   = value`:\n{text}"
        expressions = [line[1].strip() for line in lines if line]
        program = "\n".join(f"entry v{k} = {expression}" for k, expression in enumerate(expressions))
        source = Source("values.dad", program)
        checking = driver.check(source)
        assert checking.checked is not None, render_full(checking.diagnostics)
        types = {d.name: d.result_type for d in checking.checked.entries}
        shown: list[list[str]] = []
        for target in ("interp", "numpy", "native"):
            made = modules.Module(source, modules.wanted(target), "test").entries
            shown.append([rounded(show_value(made[f"v{k}"](), types[f"v{k}"])) for k in range(len(expressions))])
        assert shown[0] == shown[1] == shown[2], [each for each in zip(expressions, *shown, strict=True)
                                                  if len(set(each[1:])) > 1]
        width = max(map(len, expressions)) + 3
        return "".join(f"{each:{width}}= {value}\n" for each, value in zip(expressions, shown[0], strict=True))

    def signatures(self, text: str) -> str:
        known = library()
        lines = []
        for line in text.splitlines():
            name = line.split()[0] if line.strip() else ""
            assert not name or name in known, f"there is no {name} in the library"
            lines.append(f"{name} {known[name]}" if name else "")
        return "".join(line + "\n" for line in lines)

    def console(self, text: str) -> str:
        out: list[str] = []
        for line in text.splitlines():
            if line.startswith("$ "):
                words = shlex.split(line[2:])
                assert words[0] == "dad", line
                said = io.StringIO()
                with chdir(self.folder), redirect_stdout(said), redirect_stderr(said):
                    main(words[1:])
                out += [line, *said.getvalue().rstrip().splitlines()]
        return "".join(line.rstrip() + "\n" for line in out)

    def python(self, text: str) -> str:
        test = doctest.DocTestParser().get_doctest(text, self.names, "page", None, 0)
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
        said = io.StringIO()
        with chdir(self.folder):
            failed = runner.run(test, out=said.write, clear_globs=False).failed
        self.names.update(test.globs)
        assert not failed, said.getvalue()
        return text


def rounded(text: str) -> str:
    """Fractions to twelve digits: the last ones may differ between machines and targets."""
    return re.sub(r"\d+\.\d+(?:e[-+]?\d+)?(?![\df])", lambda found: repr(float(f"{float(found[0]):.12g}")), text)


# ---------------------------------------------------------------- what there is


@cache
def library() -> dict[str, str]:
    """The header of every public name without its name, by the name: of a module of the library with the module."""
    found = {name: text for name, text in SIGNATURES.items() if name[0].isalpha()}
    found |= {name: each.signature for name, each in PRIMITIVES.items() if each.signature}
    for path in sorted(LIBRARY.glob("*.dad")):
        prefix = "" if path.stem == "prelude" else path.stem + "."
        for declaration in parse(Source(path.name, path.read_text(encoding="utf-8")), Reporter()).declarations:
            found |= {prefix + name: header for name, header in headers(declaration) if name[0] != "_"}
    return found


def headers(declaration: ast.Decl) -> list[tuple[str, str]]:
    """What a declaration of the library adds to it."""
    match declaration:
        case ast.Def(name=name, body=body, name_span=where):
            text = where.source.text[where.end:body.span.start].lstrip(")").strip().removesuffix("=").strip()
            return [(name, " ".join(text.split()))]
        case ast.TypeDef(name=name, body=body):
            return [(name, "= " + " ".join(body.span.text.split()))]
        case ast.ModuleTypeDef(name=name) | ast.ModuleDef(name=name):
            return [(name, "")]
    return []


def member_names() -> set[str]:
    """The members of the modules of numbers that are no functions of every program."""
    return {name for name in members.MEMBERS if name[0].isalpha()}


def page_folder(root: Path, name: str) -> Path:
    """An empty folder for the files of a page."""
    folder = root / name
    os.makedirs(folder)
    return folder
