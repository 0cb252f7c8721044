"""Code for cards: compiled without one, found beside a module, refused with a reason."""

from __future__ import annotations

import doctest
import hashlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from dad.codegen.backends.cuda import images, nvrtc
from dad.codegen.runtime import device_code
from dad.codegen.runtime.device_code import KernelCode, OnDevice, device_error, fitting_images
from dad.codegen.runtime.errors import DeviceError
from dad.tests.cuda.standin import DEVICE, GPU, compiled, installed
from dad.tests.cuda.standin.launch import IMAGES

TEXT = r"""
extern "C" __global__ void twice(const double *x, double *y, long long n) {
  long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  if (i < n) y[i] = 2 * x[i];
}
extern "C" __global__ void heavy(double *y) {
  __shared__ double held[64];
  double many[40];
  for (int k = 0; k < 40; k++) many[(k * (int)y[0]) % 40] = y[k];
  held[threadIdx.x] = many[(int)y[1] % 40];
  __syncthreads();
  y[threadIdx.x] = held[63 - threadIdx.x];
}
"""


def test_texts_become_code_for_every_card() -> None:
    if not nvrtc.installed():  # then a module is built without
        assert images.images("m", [(("twice",), TEXT)]).files == {}
        return
    kernels = [(("twice", "heavy"), TEXT)]
    made = images.images("m", kernels)
    assert list(made.files) == ["m.sm_75.cubin", "m.sm_90.cubin", "m.sm_120.cubin", "m.ptx"]
    assert all(data.startswith(b"\x7fELF") for name, data in made.files.items() if name.endswith(".cubin"))
    assert b".target sm_75" in made.files["m.ptx"]
    digests = [hashlib.sha256(made.files[name]).hexdigest() for _, name, *_ in made.table]
    assert digests == [d for _, _, d, _ in made.table]
    assert made.files == images.images("m", kernels, ("--fmad=false",)).files
    heavy = made.usage[90][0]
    assert (heavy.kernel, heavy.shared, heavy.stack >= 320) == ("heavy", 512, True)
    assert images.report(made.usage, {}).startswith("kernel  registers: sm_75  sm_90  sm_120  shared  spilled")
    assert images.images("m", []).files == {}
    with pytest.raises(nvrtc.CompileError, match=r'kernels.cu\(1\): error: identifier "nothing" is undefined'):
        nvrtc.compiled('extern "C" __global__ void f(double *x) { *x = nothing; }', 90)
    with pytest.raises(nvrtc.CompileError, match="sm_35"):
        nvrtc.compiled(TEXT, 35)


@pytest.mark.parametrize("module", [nvrtc, images, device_code], ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def written(folder: Path) -> list[tuple[int, str, str, tuple[int, ...]]]:
    """Images as `dad build` writes them, which the stand-in knows."""
    table: list[tuple[int, str, str, tuple[int, ...]]] = []
    for architecture, name in ((75, "m.sm_75.cubin"), (90, "m.sm_90.cubin"), (0, "m.ptx")):
        path = folder / name
        path.write_bytes(f"image {name}".encode())
        IMAGES[path.read_bytes()] = TEXT
        table.append((architecture, name, hashlib.sha256(path.read_bytes()).hexdigest(), (len(path.read_bytes()),)))
    return table


def runs(cupy: Any, module: Any) -> bool:
    x, y = cupy.asarray([1.0, 2.0]), cupy.empty(2)
    module.function(0, "twice")((1,), (32,), (x, y, 2))
    return list(y.get()) == [2, 4]


@pytest.mark.parametrize(("card", "wanted"), [("90", "m.sm_90.cubin"), ("75", "m.sm_75.cubin"), ("86", "m.ptx"),
                                              ("120", "m.ptx"), ("70", None)])
def test_a_card_gets_the_image_that_fits(card: str, wanted: str | None, tmp_path: Path) -> None:
    table = written(tmp_path)
    assert [name for _, name, *_ in fitting_images(table, card)][:1] == ([wanted] if wanted else [])
    if compiled.compiler() is None:
        return
    with installed() as cupy:
        GPU.architecture, GPU.loaded = card, []
        assert runs(cupy, KernelCode(cupy, [TEXT], (), table, str(tmp_path / "m.py")))
        assert GPU.loaded == ([f"image {wanted}".encode()] if wanted else [])


def test_images_of_another_module_are_left_alone(tmp_path: Path) -> None:
    table = written(tmp_path)
    (tmp_path / "m.sm_90.cubin").write_bytes(b"of an earlier build")
    (tmp_path / "m.ptx").unlink()
    if compiled.compiler() is None:
        return
    with installed() as cupy:
        GPU.loaded = []
        assert runs(cupy, KernelCode(cupy, [TEXT], (), table, str(tmp_path / "m.py")))
        assert GPU.loaded == []
        GPU.images = False  # and of a driver that is too old for them
        assert runs(cupy, KernelCode(cupy, [TEXT], (), written(tmp_path), str(tmp_path / "m.py")))


def test_what_is_missing_has_a_code(tmp_path: Path) -> None:
    with installed() as cupy:
        GPU.devices = 0
        with pytest.raises(DeviceError, match=r"U113: no GPU of NVIDIA can be used here: cudaErrorNoDevice.*-smi"):
            KernelCode(cupy, [TEXT], (), (), "")
    with installed() as cupy:
        GPU.status = 35
        with pytest.raises(DeviceError, match=r'U113: .*cudaErrorInsufficientDriver.*with target "native"'):
            KernelCode(cupy, [TEXT], (), (), "")
    with installed() as cupy:
        DEVICE.limit = 1000
        with pytest.raises(DeviceError, match=r"U115: .*allocating 80,000 bytes.*free_all_blocks"), OnDevice():
            cupy.zeros(10000)
    with installed() as cupy:
        error = cupy.cuda.driver.CUDADriverError(209)
        found = device_error(error)
        assert found is not None
        assert found.code == "U114"
        refused = cupy.cuda.compiler.CompileException(
            "nvrtc: error: invalid value for --gpu-architecture (-arch)", "", "k.cu", ())
        assert str(device_error(refused)).startswith("U114: the compiler that CuPy has (NVRTC) knows no code")
        assert device_error(cupy.cuda.compiler.CompileException("syntax error", "", "k.cu", ())) is None
        assert device_error(cupy.cuda.runtime.CUDARuntimeError(700)) is None
    assert str(device_error(RuntimeError("CuPy failed to load libnvrtc.so.13"))).startswith("U116: ")
    assert str(device_error(ImportError("libcublas.so.13: cannot open"))).startswith("U112: ")
    assert device_error(ValueError("nvrtc")) is None
    with pytest.raises(ValueError, match="other"), OnDevice():
        raise ValueError("other")
