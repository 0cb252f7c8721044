"""A stand-in for CuPy and a CUDA device, on the processor: emitted modules run on it as they are.

    with installed() as cupy:               # `import cupy` finds it
        module = cupy.RawModule(code=text)  # compiled by the C++ compiler of this machine
        module.get_function("k")((4,), (256,), (x, np.int64(n)))

`device.h` is CUDA C for a C++ compiler, `machine.cpp` runs threads as fibers, `compiled` compiles texts, many at a
time (`prepare`), `memory` is the device's memory, `arrays` its arrays, `gpu`, `launch` and
`modules` the rest of CuPy. Where CuPy or a GPU
would fail it fails, and in more cases: see `compiled.Undefined`. `COUNTS` tells of launches and synchronisations.
"""

from .compiled import Undefined, prepare, set_order
from .gpu import GPU
from .memory import COUNTS, DEVICE
from .modules import installed

__all__ = ["COUNTS", "DEVICE", "GPU", "Undefined", "installed", "prepare", "set_order"]
