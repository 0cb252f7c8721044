"""What kind of device there is, none included, what goes wrong with it, and its streams.

Here all is done at once; copies to the host that nobody has waited for have not arrived.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from .memory import COUNTS, DEVICE


class CUDARuntimeError(RuntimeError):
    """`cupy.cuda.runtime.CUDARuntimeError`: `status` is the number."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(MESSAGES[status])

    def __reduce__(self) -> Any:
        return CUDARuntimeError, (self.status,)


class CUDADriverError(RuntimeError):
    """`cupy.cuda.driver.CUDADriverError`."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(MESSAGES[status])


class CompileException(Exception):
    """`cupy.cuda.compiler.CompileException`."""

    def __init__(self, msg: str, source: str, name: str, options: Sequence[str], backend: str = "nvrtc") -> None:
        self._msg, self.source, self.name, self.options, self.backend = msg, source, name, options, backend
        super().__init__(msg)

    def get_message(self) -> str:
        return self._msg


MESSAGES = {
    1: "CUDA_ERROR_INVALID_VALUE: invalid argument",
    2: "cudaErrorMemoryAllocation: out of memory",
    35: "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version",
    100: "cudaErrorNoDevice: no CUDA-capable device is detected",
    200: "CUDA_ERROR_INVALID_IMAGE: device kernel image is invalid",
    209: "CUDA_ERROR_NO_BINARY_FOR_GPU: no kernel image is available for execution on the device",
    218: "CUDA_ERROR_INVALID_PTX: a PTX JIT compilation failed",
    222: "CUDA_ERROR_UNSUPPORTED_PTX_VERSION: the provided PTX was compiled with an unsupported toolchain.",
    301: "CUDA_ERROR_FILE_NOT_FOUND: file not found",
    500: "CUDA_ERROR_NOT_FOUND: named symbol not found",
    700: "cudaErrorIllegalAddress: an illegal memory access was encountered",
    701: "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES: too many resources requested for launch",
}


class Gpu:
    """What there is: `devices` cards of one `architecture`; `status` is the error of every call where something is
    wrong. `images` says whether modules that lie in files can be loaded.
    """

    def __init__(self) -> None:
        self.devices = 1
        self.architecture = "90"
        self.status = 0
        self.images = True
        self.loaded: list[bytes] = []

    def ask(self) -> None:
        """What every call does first."""
        if self.status:
            raise CUDARuntimeError(self.status)
        if not self.devices:
            raise CUDARuntimeError(100)


GPU = Gpu()

# ------------------------------------------------------------------ streams


class Stream:
    """A queue of work; here all is done at once, but copies to the host arrive when somebody waits for them."""

    null: Stream
    current: Stream

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False) -> None:
        GPU.ask()
        self.ptr = 0 if null else id(self)
        self.device_id = 0
        self.pending: list[tuple[int, bytes]] = []

    def synchronize(self) -> None:
        COUNTS.synchronisations += 1
        for place, data in self.pending:
            ctypes.memmove(place, data, len(data))
        self.pending.clear()

    def use(self) -> Stream:
        Stream.current = self
        return self

    def __enter__(self) -> Stream:
        self.before = Stream.current
        Stream.current = self
        return self

    def __exit__(self, *_: object) -> None:
        Stream.current = self.before

    @property
    def done(self) -> bool:
        return not self.pending

    def record(self, event: Event | None = None) -> Event:
        return event or Event()

    def wait_event(self, event: Event) -> None:
        pass


class ExternalStream(Stream):
    """A stream that another library has made."""

    def __init__(self, ptr: int, device_id: int = -1) -> None:
        super().__init__()
        self.ptr = ptr


class Event:
    """A moment in a stream."""

    done = True

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        GPU.ask()

    def record(self, stream: Stream | None = None) -> None:
        pass

    def synchronize(self) -> None:
        COUNTS.synchronisations += 1


class Device:
    """The card."""

    def __init__(self, device: int | None = None) -> None:
        self.id = 0 if device is None else int(device)

    @property
    def compute_capability(self) -> str:
        GPU.ask()
        return GPU.architecture

    @property
    def mem_info(self) -> tuple[int, int]:
        GPU.ask()
        return DEVICE.limit - DEVICE.used, DEVICE.limit

    @property
    def attributes(self) -> dict[str, int]:
        return {"MultiProcessorCount": 4, "MaxThreadsPerBlock": 1024, "WarpSize": 32,
                "MaxSharedMemoryPerBlockOptin": 232448, "MaxSharedMemoryPerBlock": 49152}

    def synchronize(self) -> None:
        GPU.ask()
        Stream.current.synchronize()

    def use(self) -> Device:
        GPU.ask()
        return self

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __hash__(self) -> int:
        return self.id

    def __enter__(self) -> Device:
        GPU.ask()
        return self

    def __exit__(self, *_: object) -> None:
        pass


def ready_stream() -> Stream:
    """The stream of this thread."""
    if Stream.current is None:
        Stream.null = Stream.current = Stream(null=True)
    return Stream.current
