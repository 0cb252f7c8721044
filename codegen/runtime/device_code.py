"""Kernels on a card: from code that lies beside the module where it fits, else compiled by CuPy; and what went wrong.

`images` are those that `dad build` has written, each with its architecture (0 for PTX), the name of its file and the
SHA-256 of that: a file that is not the module's own is left alone. A file has code of one program after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .errors import DeviceError

NO_CARD = frozenset({3, 34, 35, 46, 100, 101, 803, 804})
"""Status of CUDA where there is no card, or no driver for it."""
NO_FIT = frozenset({200, 209, 218, 222, 223})
"""Status of CUDA where code is not for this card or this driver."""
ON_PROCESSOR = 'the same program runs on the processor, with target "native" or "numpy"'


class OnDevice:
    """Inside, what CUDA and CuPy say when something is missing is a DeviceError that says what to do."""

    def __enter__(self) -> OnDevice:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        found = None if error is None else device_error(error)
        if found is not None:
            raise found from error


def device_error(error: BaseException) -> DeviceError | None:
    """What an exception of CuPy means; None where it is of another kind."""
    name, said, status = type(error).__name__, str(error), getattr(error, "status", None)
    first = said.strip().split("\n")[0]
    if name == "OutOfMemoryError" or status == 2:
        return DeviceError("U115", f"the GPU has not enough memory: {first}; use smaller data or f32, end other "
                                   "programs on the card (nvidia-smi lists them), or give back what CuPy keeps: "
                                   "cupy.get_default_memory_pool().free_all_blocks()")
    if name in ("CUDARuntimeError", "CUDADriverError"):
        if status in NO_CARD:
            return DeviceError("U113", f"no GPU of NVIDIA can be used here: {first}; install a card's driver "
                                       f"(nvidia-smi shows both), or: {ON_PROCESSOR}")
        if status in NO_FIT:
            return DeviceError("U114", f"the kernels do not fit to this card or its driver: {first}; install a newer "
                                       f"driver, or build the module again; {ON_PROCESSOR}")
    if name == "CompileException" and "gpu-architecture" in said:
        return DeviceError("U114", "the compiler that CuPy has (NVRTC) knows no code for this card; install the CuPy "
                                   f"of another version of CUDA (cupy-cuda12x for cards before Turing); {ON_PROCESSOR}")
    if isinstance(error, (ImportError, RuntimeError, OSError)) and "nvrtc" in said.lower():
        return DeviceError("U116", f"the module has no code for this card, and CuPy has no compiler: {first}; "
                                   'pip install "cupy-cuda13x[ctk]", or build the module again where "dad-lang[cuda]" '
                                   "is installed")
    if isinstance(error, ImportError) and any(word in said.lower() for word in ("cublas", "cusolver", "cudart")):
        return DeviceError("U112", f'CuPy does not find libraries of CUDA: {first}; pip install "cupy-cuda13x[ctk]"')
    return None


def fitting_images(images: Sequence[tuple[int, str, str, Sequence[int]]], capability: str
                   ) -> list[tuple[int, str, str, Sequence[int]]]:
    """The images that a card can run, the best first: code for its generation and not for a later card of it, then
    PTX, which its driver compiles.

    >>> made = [(75, "m.sm_75.cubin", "", ()), (90, "m.sm_90.cubin", "", ()), (0, "m.ptx", "", ())]
    >>> [[name for _, name, *_ in fitting_images(made, card)] for card in ("90", "86", "70")]
    [['m.sm_90.cubin', 'm.ptx'], ['m.ptx'], []]
    """
    card = int(capability)
    oldest = min((image[0] for image in images if image[0]), default=0)
    fitting = [image for image in images if image[0] // 10 == card // 10 and image[0] <= card]
    assembly = [image for image in images if image[0] == 0 and oldest <= card]
    return sorted(fitting, reverse=True) + assembly


class KernelCode:
    """The programs of a module on a card, each loaded when one of its kernels is wanted first: from an image beside
    the module, whose `file` this is, else compiled by CuPy, which keeps what it has compiled by its text. Images are
    rows of architecture, name, SHA-256 and the sizes of the programs' parts. Raises DeviceError.
    """

    def __init__(self, cupy: Any, sources: Sequence[str], options: Sequence[str],
                 images: Sequence[tuple[int, str, str, Sequence[int]]], file: str) -> None:
        with OnDevice():
            capability = cupy.cuda.Device().compute_capability
        self.cupy = cupy
        self.images = [image for row in fitting_images(images, capability) for image in image_of(row, file)]
        # compiled when asked for
        self.raw = [cupy.RawModule(code=source, options=tuple(options)) for source in sources]
        self.modules: dict[int, Any] = {}

    def function(self, number: int, name: str) -> Any:
        """The kernel of this name, which belongs to a program."""
        with OnDevice():
            if number not in self.modules:
                self.modules[number] = self.loaded(number)
            return self.modules[number].get_function(plain_kernel(name))

    def loaded(self, number: int) -> Any:
        while self.images:
            data, bounds = self.images[0]
            try:
                module = self.cupy.cuda.Module()  # RawModule knows files by their paths, also when they are other ones
                module.load(data[bounds[number]:bounds[number + 1]])
                return module
            except Exception as error:
                if getattr(error, "status", None) not in NO_FIT:
                    raise
                self.images.pop(0)
        self.raw[number].compile()
        return self.raw[number]

    def ahead(self, numbers: Sequence[int]) -> None:
        """Compile these programs side by side: a call will want most of them. What goes wrong is said when it does."""
        import os
        from concurrent.futures import ThreadPoolExecutor
        from contextlib import suppress

        many = min(len(numbers), os.cpu_count() or 1)
        if self.images or many < 3:
            return
        device = self.cupy.cuda.Device()

        def compile_one(number: int) -> None:
            with suppress(Exception), device:
                self.raw[number].compile()

        with OnDevice(), ThreadPoolExecutor(many) as pool:
            list(pool.map(compile_one, numbers))


def plain_kernel(name: str) -> str:
    """What a kernel is called in its own text.

    >>> plain_kernel("k12_more"), plain_kernel("dad_tiles")
    ('k_more', 'dad_tiles')
    """
    base = name.partition("_")[0]
    return "k" + name[len(base):] if base[:1] == "k" and base[1:].isdigit() else name


def image_of(row: tuple[int, str, str, Sequence[int]], file: str) -> list[tuple[bytes, list[int]]]:
    """The bytes of an image and where its parts begin; none where the file is not the module's own."""
    import hashlib
    import os
    from itertools import accumulate

    try:
        with open(os.path.join(os.path.dirname(file), row[1]), "rb") as image:
            data = image.read()
    except OSError:
        return []
    return [(data, [0, *accumulate(row[3])])] if hashlib.sha256(data).hexdigest() == row[2] else []
