"""The error that a failed run-time check raises, in every back end."""

from __future__ import annotations


class RunError(Exception):
    """A check of the program did not hold: `code` R101 index, R102 slice, R103 sizes differ, R104 division by zero,
    R105 negative size, R106 assertion, R107 matrix without a factor, R108 search that has not
    converged, R109 nan or infinity, R110 recursion too deep; `message` says it in words; `where` is `file:line`, or
    empty.

    >>> str(RunError("R101", "index 5 is out of bounds for axis 0 of `xs` with size 3", "model.dad:12"))
    'R101: index 5 is out of bounds for axis 0 of `xs` with size 3 (model.dad:12)'
    """

    def __init__(self, code: str, message: str, where: str = "") -> None:
        super().__init__(code, message, where)
        self.code = code
        self.message = message
        self.where = where

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + (f" ({self.where})" if self.where else "")


class DadArgumentError(TypeError, ValueError):
    """An entry point was called with arguments that don't fit: `code` A101 rank, A102 type, A103 size, A104 missing or
    unexpected argument or field, A105 a transform that this module does not have; `message` is in the source's words.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class DeviceError(RuntimeError):
    """A GPU, or what it needs, is not there or not enough: `code` U112 no CuPy, U113 no GPU, U114 code that does not
    fit to the card, U115 memory, U116 no compiler; `message` says what to do.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
