"""Kernels as programs of their own: equal ones are one, texts do not depend on the rest of a module, long ones are cut,
and what is kept is not compiled again.
"""

from __future__ import annotations

import doctest
from collections.abc import Callable
from random import Random
from types import ModuleType

import pytest
from dad import driver
from dad.codegen.backends.cuda import cuts, images, nvrtc, programs
from dad.codegen.backends.entry import Module
from dad.interface import USUAL, transforms_of
from dad.lang.source import Source
from dad.tests.ad.generate import Generator
from dad.tests.cuda.agreement import agree
from dad.tests.cuda.standin import installed

NORM = "entry norm [n] (x: [n]f64) : f64 = sum (map (\\t -> t * t + sin t) x)\n"
PICK = "entry pick [n] (x: [n]f64) (k: [n]i64) : [n]f64 = map (\\i -> x[i]) k\n"


def built(text: str) -> Module:
    return driver.compile_source(Source("m.dad", text), transforms=lambda c: transforms_of(c, set(USUAL)),
                                 target="cuda", promises=True)


def test_texts_stand_once_and_know_nothing_of_the_rest() -> None:
    alone, both = built(PICK), built(NORM + "\n\n" + PICK)
    texts = {text for _, text in alone.kernels}
    assert len(texts) == len(alone.kernels)
    assert texts <= {text for _, text in both.kernels}  # so nothing is compiled again that is as before
    assert both.python.count("struct dad_run {") == 1
    assert all(text.count("struct dad_run {") == 1 for _, text in both.kernels)
    launched = {name for names, _ in both.kernels for name in names}
    assert all(f"'{name}'" in both.python for name in launched)


def test_an_edit_of_one_function_leaves_the_code_of_others_alone() -> None:
    """Also where it has more checks than before, and calls functions that others call too."""
    shared = "def far (n: i64) (x: []f64) : f64 = if n < 2 then x[n] else far (n / 2) x + x[n % 3]\n\n"
    use = "entry use [m] (k: [m]i64) (x: []f64) : [m]f64 = map (\\i -> far i x + x[i]) k\n\n"
    edited = "entry first [n] (x: [n]f64) (k: [n]i64) : [n]f64 = map (\\i -> x[i] + x[x.len - k[i]] + {}) k\n\n"
    edited = edited.replace("x.len", "n")
    first, second = "x[i + 1]", "1 / x[i - 1] * x[i + 2]"
    before, after = (built(edited.format(what) + shared + use + PICK) for what in (first, second))
    kept = {text for _, text in before.kernels} & {text for _, text in after.kernels}
    changed = [names for names, text in after.kernels if text not in kept]
    own = {text for _, text in built(edited.format(second)).kernels}
    assert changed
    assert all(text in own for names, text in after.kernels if text not in kept)


@pytest.mark.parametrize("module", [programs, cuts], ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_long_functions_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same results, whatever the length from which they are cut."""
    counted: list[int] = []

    def counting(text: str, function: Callable[[str], str] = cuts.in_parts) -> str:
        made = function(text)
        counted.append(made.count("_part0("))
        return made

    monkeypatch.setattr(cuts, "LONG", 10)
    monkeypatch.setattr(cuts, "PART", 4)
    monkeypatch.setattr(cuts, "LEAST", 3)
    monkeypatch.setattr(programs, "in_parts", counting)
    with installed():
        for seed in (1, 2, 5):
            generator = Generator(Random(seed), dtype="f32" if seed == 5 else "f64", nested=False)
            agree(generator.program(), "f", generator.arguments(), 1e-4 if seed == 5 else 1e-9)
    assert any(counted)


def test_what_is_kept_is_not_compiled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    if not nvrtc.installed():  # then nothing is compiled at all
        assert images.images("m", built(PICK).kernels).files == {}
        return
    store: dict[str, tuple[dict[str, object], bytes]] = {}
    kept = images.Kept(store.get, lambda key, about, code: store.update({key: (about, code)}))
    monkeypatch.setattr(nvrtc, "ARCHITECTURES", (90,))
    text = 'extern "C" __global__ void k(double *x) { x[threadIdx.x] *= 2; }\n'
    kernels = [(("k1",), text), (("k2",), text.replace("2", "3"))]
    first = images.images("m", kernels, kept=kept)
    assert len(store) == 2
    monkeypatch.setattr(nvrtc, "compiled", None)
    assert images.images("m", kernels, kept=kept) == first
    assert [u.kernel for u in first.usage[90]] == ["k1", "k2"]
    assert [len(row[3]) for row in first.table] == [2, 2]
