"""`dad build --target cuda`: modules that run as they are, code for cards beside them, what is said where something is
missing.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import dad
import numpy as np
import pytest
from dad.cli import main
from dad.codegen.backends.cuda import images, nvrtc
from dad.lang.diagnostics.report import Diagnostics
from dad.tests.cuda.standin import COUNTS, DEVICE, GPU, compiled, installed
from dad.tests.cuda.standin.launch import IMAGES

PROGRAM = """\
entry norm [n] (xs: [n]f64) : f64 = sqrt (sum (xs * xs))
entry pick [n] (xs: [n]f64) (i: i64) : f64 = xs[i]
entry scale [n] (k: f64) (xs: [n]f64) : [n]f64 = map (\\x -> k * x) xs
"""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "model.dad"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def build(source: Path, *options: str) -> Path:
    folder = source.parent / "out"
    assert main(["build", str(source), "-o", str(folder), "--target", "cuda", *options]) == 0
    return folder


def imported(folder: Path) -> Any:
    """The module, as Python imports it; `cupy` must be there."""
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def no_nvrtc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvrtc, "library", lambda: None)


@pytest.mark.usefixtures("no_nvrtc")
def test_a_module_runs_as_it_is(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build(source)
    said = capsys.readouterr().out
    assert said.startswith("note[U116]: NVRTC, the compiler for GPUs, is not installed: no code for GPUs lies beside")
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == ["model.py", "model.pyi"]
    assert "import dad" not in (folder / "model.py").read_text(encoding="utf-8")
    if compiled.compiler() is None:
        return
    xs = np.arange(1000.0)
    with installed("random", 3) as cupy:
        module = imported(folder)
        assert module.norm(xs) == np.sqrt(np.sum(xs * xs))
        assert isinstance(module.norm(xs), float)
        np.testing.assert_allclose(module.norm.grad(xs), xs / np.sqrt(np.sum(xs * xs)), rtol=1e-12)
        there = cupy.asarray(xs)
        COUNTS.clear()
        scaled = module.scale(2.0, there)
        assert isinstance(scaled, cupy.ndarray)
        assert COUNTS.synchronisations <= 1  # whether a check has failed, at the end
        assert COUNTS.to_device == 0
        np.testing.assert_array_equal(scaled.get(), 2 * xs)
        with pytest.raises(module.RunError, match=r"R101: index 1000 is out of bounds .*model.dad:2"):
            module.pick(xs, 1000)
        assert module.pick(xs, 999) == 999
        with pytest.raises(module.DadArgumentError, match="A101"):
            module.norm(cupy.zeros((2, 2)))
        with pytest.raises(module.DadArgumentError, match="A102"):
            module.scale(2.0, cupy.zeros(2, np.complex128))


@pytest.mark.usefixtures("no_nvrtc")
def test_what_is_missing_is_said_with_a_code(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", None)
        with pytest.raises(ImportError, match=r"U112: this module runs on a GPU through CuPy, and .*pip install"):
            imported(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "cupy", raising=False)
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(Diagnostics) as caught:
            dad.load(source, target="cuda")
    assert [d.code for d in caught.value.diagnostics] == ["U112"]
    with installed():
        module = imported(folder)
        GPU.devices = 0
        with pytest.raises(module.DeviceError, match="U113: no GPU of NVIDIA can be used here"):
            module.norm(np.ones(3))
    if compiled.compiler() is not None:
        with installed() as cupy:
            module = imported(folder)
            given = cupy.ones(10**5)
            DEVICE.limit = DEVICE.used + 2**22
            assert module.norm(given) == np.sqrt(1e5)
            with pytest.raises(module.DeviceError, match="U115: the GPU has not enough memory: Out of memory"):
                module.norm(np.ones(10**6))
            DEVICE.limit = 1 << 30
            assert module.norm(np.ones(10**6)) == 1e3
    capsys.readouterr()
    assert main(["build", str(source), "--target", "cuda", "--report"]) == 1
    assert "error[U116]: NVRTC, the compiler for GPUs, is not installed: it says what kernels need" in \
        capsys.readouterr().err


def test_code_for_cards_lies_beside_the_module(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source.write_text("entry after (x: i64) : i64 = x + 1\n", encoding="utf-8")
    if not nvrtc.installed():  # then the texts that it would get are all there is to see
        assert images.known(f"a{images.NO_IMAGES}b", ((90, "m", "0", (3,)),)) == \
            "a\n_IMAGES = (\n    (90, 'm', '0', (3,)),\n)\nb"
        return
    folder = build(source, "--report")
    said = capsys.readouterr().out
    head = r"^kernel +registers: sm_75  sm_90  sm_120  shared  spilled  stack  in"
    assert re.search(rf"{head}\nk1 .*  after$", said, re.MULTILINE)
    names = ["model.ptx", "model.py", "model.pyi", "model.sm_120.cubin", "model.sm_75.cubin", "model.sm_90.cubin"]
    assert sorted(path.name for path in folder.iterdir()) == names
    source.write_text("entry after (x: i64) : i64 = x + 2\n", encoding="utf-8")
    build(source)  # what an earlier build has written is replaced
    (folder / "model.ptx").write_text("mine", encoding="utf-8")
    assert main(["build", str(source), "-o", str(folder), "--target", "cuda"]) == 1
    assert "error[U105]: " in capsys.readouterr().err
    (folder / "model.ptx").unlink()
    build(source)
    if compiled.compiler() is not None:
        with installed():
            module = imported(folder)
            sizes = next(row[3] for row in module._IMAGES if row[0] == 90)  # one program after the other
            assert len(sizes) == len(module._program.sources)
            image = (folder / "model.sm_90.cubin").read_bytes()[:sizes[0]]
            IMAGES[image] = module._program.sources[0]
            GPU.architecture, GPU.loaded = "90", []
            assert module.after(5) == 7
            assert GPU.loaded == [image]
    with pytest.MonkeyPatch.context() as patch:  # files of an earlier build do not stay
        patch.setattr(nvrtc, "library", lambda: None)
        build(source)
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == ["model.py", "model.pyi"]


def test_the_demo_says_when_there_is_no_gpu() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "examples" / "demo.py")], capture_output=True, text=True,
                          check=False, env={"DAD_TARGET": "cuda", "PYTHONPATH": str(ROOT / ".tree"), "PATH": "",
                               "CUDA_VISIBLE_DEVICES": ""})
    assert done.returncode == 1
    assert re.match(r"There is no GPU here: [^\n]*\n\nerror\[U11[23]\]: ", done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_commands_run_on_the_device(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source.write_text(PROGRAM + "\n-- ==\n-- entry: norm\n-- input { [3.0, 4.0] } output { 5.0 }\n", encoding="utf-8")
    with installed():
        GPU.devices = 0
        for command in (["run", str(source), "norm", "[3.0, 4.0]"], ["test", str(source)]):
            assert main([*command, "--target", "cuda"]) == 1
            assert capsys.readouterr().err.startswith("error[U113]: no GPU of NVIDIA can be used here: cudaErrorNo")
    if compiled.compiler() is None:
        return
    with installed():
        assert main(["run", str(source), "norm", "[3.0, 4.0]", "--grad", "--target", "cuda"]) == 0
        assert re.match(r"value    5.0\ngradient \[0.60*\d, 0.8\]\n$", capsys.readouterr().out)
        assert main(["test", str(source), "--target", "cuda"]) == 0
        assert main(["run", str(source), "pick", "[3.0, 4.0]", "2", "--target", "cuda"]) == 1
        assert "error[R101]: index 2 is out of bounds" in capsys.readouterr().err
