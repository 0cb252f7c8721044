"""Kernels of programs: in three orders, under sanitisers, for cards. `campaign` does more of them."""

from __future__ import annotations

import re
import sys
from collections import Counter
from typing import Any

import pytest
from dad.codegen.backends.cuda import nvrtc
from dad.tests.cuda import campaign
from dad.tests.cuda.standin import COUNTS, GPU, Undefined, compiled, installed
from dad.tests.cuda.standin.modules import make
from dad.tests.native.sanitised import Job, files, generated

LARGEST = 600


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled.MODE, "flags", compiled.QUICK)


def few(count: int) -> list[Job]:
    return list(generated(0, 30, LARGEST))[:count]


def texts(jobs: list[Job]) -> list[str]:
    with installed():
        return [text for job in jobs for text in
                campaign.emitted(job.program, [name for name, _ in job.calls])[1].sources]


def test_kernels_do_what_the_interpreter_does_in_every_order() -> None:
    jobs = [*few(6), *files(["programs/regressions"], "extremes")]
    if compiled.compiler() is None:  # then each text declares what it launches
        for text in texts(jobs):
            assert text.count('extern "C" __global__') == len(compiled.KERNEL.findall(text))
            assert "#include" not in text
        return
    assert campaign.examine(jobs) == []
    assert COUNTS.launches > 0


def test_what_is_wrong_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with code that counts on the order of threads, and with a result that is another one."""
    job = few(1)[0]
    if compiled.compiler() is None:
        return

    def broken(program: Any, names: Any) -> tuple[Any, Any]:
        functions, made = emit(program, names)
        first = next(iter(functions))

        def other(*leaves: Any) -> tuple[Any, ...]:
            results = functions[first](*leaves)
            return tuple(x + (order_now() == "reverse") for x in results)

        return functions | {first: other}, made

    def order_now() -> str:
        return compiled.MODE.order[0]

    emit = campaign.emitted
    monkeypatch.setattr(campaign, "emitted", broken)
    wrong = campaign.examine([job])
    assert wrong
    assert all(" reverse" in each for each in wrong)

    def undefined(*leaves: Any) -> tuple[Any, ...]:
        raise Undefined("kernel k1: no")

    def failing(program: Any, names: Any) -> tuple[Any, Any]:
        return dict.fromkeys(names, undefined), emit(program, names)[1]

    monkeypatch.setattr(campaign, "emitted", failing)
    assert "Undefined: kernel k1: no" in campaign.examine([job])[0]


def test_a_card_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another stand-in is the card here: what runs on it is emitted and imported anew."""
    if compiled.compiler() is None:
        return
    for name, module in make().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(GPU, "loaded", [])
    compiled.set_order("reverse")
    assert campaign.examine(few(1), campaign.ORDERS[:1], on_card=True) == []
    monkeypatch.setattr(GPU, "devices", 0)
    assert "DeviceError: U113: " in campaign.examine(few(1), (), on_card=True)[0]
    compiled.set_order("forward")


@pytest.mark.parametrize("sanitiser", sorted(campaign.SANITISERS))
def test_sanitisers_find_nothing(sanitiser: str) -> None:
    if compiled.compiler() is None:
        assert campaign.SANITISERS[sanitiser]
        return
    done = campaign.start(["--count", "10", "--largest", str(LARGEST), "--sanitiser", sanitiser], sanitiser)
    told = f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    assert done.returncode == 0, told
    programs, calls = re.findall(r"(\d+) programs, (\d+) calls, 0 wrong", done.stdout)[0]
    assert int(programs) > 1, told
    assert int(calls) > 3, told


def test_cards_take_kernels() -> None:
    cards = campaign.ForCards((75,), processes=1)
    done: Counter[str] = Counter()
    for text in texts(few(2)):
        cards.take("few", text)
    assert cards.end(done) == []
    assert not nvrtc.installed() or done["kernels for sm_75"] > 2
    assert not nvrtc.installed() or "nothing" in campaign.for_card('extern "C" __global__ void f() { nothing; }', 90)
