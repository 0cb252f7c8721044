"""The cache on the disk: what it keeps, what it refuses, and who may touch it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import dad
import pytest
from dad.cli import main
from dad.codegen.backends.native import engine, objects, store
from dad.codegen.backends.native.units import Keyed

PROGRAM = """def g (x: f64) : f64 = loop y = x for i < 3 do y * x + 1
entry f [n] (xs: [n]f64) : f64 = sum (map g xs)
"""
EDITED = PROGRAM.replace("+ 1", "+ 2")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache that no process has seen."""
    monkeypatch.delenv("DAD_CACHE", raising=False)
    monkeypatch.setenv("DAD_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(objects, "_objects", type(objects._objects)())
    return tmp_path / "cache"


@pytest.fixture
def compiles(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many units were compiled, each time."""
    found: list[int] = []
    real = engine.compiled

    def compiled(units: dict[str, Keyed], tier: int) -> objects.Object:
        found.append(len(units))
        return real(units, tier)

    monkeypatch.setattr(engine, "compiled", compiled)
    return found


def run(text: str = PROGRAM) -> float:
    objects._objects.clear()
    return float(dad.compile(text, target="native", tier=0).f([1.0, 2.0]))


def entries(folder: Path) -> list[Path]:
    """The files of units: kernels are kept beside them."""
    found = []
    for file in sorted(folder.iterdir()):
        entry = store.opened(file)
        if entry is None or "units" in entry.about:
            found.append(file)
    return found


def test_a_second_program_compiles_nothing(folder: Path, compiles: list[int]) -> None:
    assert run() == run() == 27.0
    assert compiles == [1]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in entries(folder))
    assert folder.stat().st_mode & 0o777 == 0o700


def test_names_and_lines_are_not_code(folder: Path, compiles: list[int]) -> None:
    run()
    assert run("\n\n-- moved\n" + PROGRAM.replace("g ", "other ").replace("xs", "numbers")) == 27.0
    assert compiles == [1]
    assert run(EDITED) == run(EDITED) != 27.0
    assert compiles == [1, 1]


def damaged(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(file: Path) -> None:
        file.write_bytes(change(file.read_bytes()))

    return damage


def resealed(body: bytes) -> bytes:
    """A body with a head that is right."""
    return store.MAGIC + sha256(body).digest() + len(body).to_bytes(8, "little") + body


def described(text: bytes) -> Callable[[bytes], bytes]:
    return lambda data: resealed(len(text).to_bytes(4, "little") + text)


@pytest.mark.parametrize("damage", [
    damaged(lambda d: b""),
    damaged(lambda d: d[:20]),
    damaged(lambda d: d[:-1]),
    damaged(lambda d: d + b"x"),
    damaged(lambda d: d[:-100] + bytes([d[-100] ^ 1]) + d[-99:]),
    damaged(lambda d: b"other" + d[5:]),
    damaged(lambda d: d[:store.HEAD - 8] + (1 << 60).to_bytes(8, "little") + d[store.HEAD:]),
    damaged(lambda d: resealed(b"\xff\xff\xff\xff" + d[store.HEAD + 4:])),
    damaged(described(b"{}")),
    damaged(described(b"[" * 100_000)),
    damaged(described(b'{"tier": 0, "environment": 3, "units": []}')),
    damaged(described(b'{"tier": 1e999, "environment": {}, "units": {"a": [1]}}')),
    lambda file: file.chmod(0o622),
    lambda file: (file.rename(file.with_suffix(".real")), file.symlink_to(file.with_suffix(".real")))[0],
    lambda file: (file.unlink(), file.mkdir())[0],
    lambda file: (file.unlink(), os.system(f"mkfifo '{file}'"))[0],
], ids=lambda _: "")
def test_what_is_no_entry_is_compiled_again(folder: Path, compiles: list[int],
                                            damage: Callable[[Path], None]) -> None:
    run()
    for file in entries(folder):
        damage(file)
    assert run() == 27.0
    assert compiles == [1, 1]


def test_damage_is_repaired(folder: Path, compiles: list[int]) -> None:
    run()
    for file in entries(folder):
        file.write_bytes(file.read_bytes()[:-1])
    run()
    assert run() == 27.0
    assert compiles == [1, 1]


def test_code_of_another_machine_is_not_loaded(folder: Path, compiles: list[int]) -> None:
    run()
    for file in entries(folder):
        entry = store.opened(file)
        assert entry is not None
        entry.about["environment"]["cpu"] = "z80"
        file.write_bytes(store.packed(entry.about, entry.code))
    assert run() == 27.0
    assert compiles == [1, 1]


@pytest.mark.parametrize("spoil", [
    lambda path: path.chmod(0o777),
    lambda path: path.chmod(0o750),
    lambda path: (path.rename(path.with_name("real")), path.symlink_to(path.with_name("real")))[0],
    lambda path: (path.rename(path.with_name("real")), path.write_text("a file"))[0],
], ids=["open to all", "open to a group", "a link", "a file"])
def test_a_folder_of_others_is_not_used(folder: Path, compiles: list[int], spoil: Callable[[Path], None],
                                        capsys: pytest.CaptureFixture[str]) -> None:
    run()
    spoil(folder)
    assert run() == 27.0
    assert compiles == [1, 1]
    assert main(["cache"]) == 0
    assert "not used: " in capsys.readouterr().out


def test_a_folder_that_cannot_be(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DAD_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert run() == 27.0
    monkeypatch.setenv("DAD_CACHE_DIR", "x" * 5000)
    assert run() == 27.0


def test_off(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DAD_CACHE", "0")
    assert run() == 27.0
    assert not folder.exists()
    assert main(["cache"]) == 0
    assert "DAD_CACHE is 0" in capsys.readouterr().out


def test_the_oldest_go_first(folder: Path) -> None:
    for k in range(10):
        store.write([f"{k:064}", f"{k + 100:064}"], {}, bytes(1000))
        for name in (f"{k:064}", f"{k + 100:064}"):
            os.utime(folder / f"{name}.o", (k, k))
    count, size = store.size(folder)
    assert count == 10
    store.evict(folder, size // 2)
    left = sorted(int(file.name.removesuffix(".o")) for file in folder.iterdir())
    assert left == [6, 7, 8, 9, 106, 107, 108, 109]


def test_what_was_left_half_written_goes(folder: Path) -> None:
    store.write(["a" * 64], {}, b"code")
    for name, age in ((".new-1-a", 0), (".new-2-b", 10_000_000)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age,) * 2)
    store.evict(folder, store.LIMIT)
    assert sorted(file.name for file in folder.iterdir()) == [".new-1-a", "a" * 64 + ".o"]


def test_processes_that_write_at_once(folder: Path) -> None:
    """All write the same entries and read them while others replace them."""
    code = ("import os\nfrom dad.codegen.backends.native import store\n"
            "for k in range(200):\n"
            "    key = f'{k % 7:064}'\n"
            "    store.write([key, key[::-1]], {'k': k % 7}, bytes([k % 7]) * 5000)\n"
            "    found = store.read(key)\n"
            "    assert found is not None and found.code == bytes([k % 7]) * 5000, k\n")
    running = [subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ)) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert not [file for file in folder.iterdir() if file.name.startswith(store.TEMPORARY)]


def test_the_command_knows_fused_loops(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.dad"
    file.write_text("entry f [n] (x: [n]f64) (y: [n]f64) : f64 = sum (map2 (*) x y) + sum (map (\\a -> a * a) x)")
    assert dad.load(file, target="native", tier=0).entries["f"].function is not None
    assert main(["cache", "why", str(file)]) == 0
    assert "  f, tier 0: in the cache\n" in capsys.readouterr().out


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.dad"
    file.write_text(PROGRAM)

    def said(*args: str, status: int = 0) -> str:
        assert main(["cache", *args]) == status
        return capsys.readouterr().out

    assert "  f, tier 0: it was never compiled" in said("why", str(file))
    assert dad.load(file, target="native", tier=0).entries["f"].function is not None
    assert "  f, tier 0: in the cache\n  all of it, tier 1: it was compiled for" not in said("why", str(file))
    assert "  f, tier 0: in the cache\n" in said("why", str(file))
    assert dad.load(file, target="native", tier=1).entries["f"].function is not None
    assert "  all of it, tier 1: in the cache\n" in said("why", str(file))
    file.write_text(EDITED)
    assert "  f, tier 0: its code changed since it was last compiled\n" in said("why", str(file))
    assert "  all of it, tier 1: the code of one of its functions changed" in said("why", str(file))
    file.write_text(PROGRAM)
    for path in entries(folder):
        entry = store.opened(path)
        assert entry is not None
        entry.about["environment"] |= {"cpu": "z80", "compiler": "an older one"}
        path.unlink()
        path.with_name("f" * 64 + ".o").write_bytes(store.packed(entry.about, entry.code))
    text = said("why", str(file))
    assert "it was compiled" in text
    assert "for another processor (z80, here " in text
    before = store.size(folder)[0]
    assert before
    assert f"entries  {before}\n" in said()
    assert "sound" in said("verify", status=1)
    assert said("clear").startswith("removed ")
    assert store.size(folder) == (0, 0)
    assert main(["cache", "wy"]) == 2
    assert "did you mean `why`" in capsys.readouterr().err
