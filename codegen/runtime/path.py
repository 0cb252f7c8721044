"""The way of one call: leaves in, through a function of array code, a value out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .arguments import Leaves
from .errors import DadArgumentError
from .results import Builder, check_target, owned

if TYPE_CHECKING:
    from .entry import Entry


class Path:
    """What calls of one function go through: leaves in, a value of type `spec` out.

    A function may know how to do all of that itself: then its `direct` gives the function that does, which turns to
    `slowly` when leaves have to be converted or refused. It is asked for at the second call.
    """

    def __init__(self, entry: Entry, function: Callable[..., Any], inputs: Leaves, spec: Any) -> None:
        self.entry, self.function, self.inputs, self.spec = entry, function, inputs, spec
        self.builder = Builder(spec)
        self.call: Callable[..., Any] = self.first
        self.writers: dict[tuple[bool, ...], Callable[..., Any]] = {}

    def first(self, *leaves: Any) -> Any:
        self.call = self.second
        return self.slowly(*leaves)

    def second(self, *leaves: Any) -> Any:
        make = getattr(self.function, "direct", None)
        call = (make(self.inputs, self.spec, self.slowly) if make else None) or self.slowly
        self.become(call)
        watch = getattr(self.function, "watch", None)
        if watch is not None:
            watch(call, self.become)
        return self.call(*leaves)

    def become(self, call: Callable[..., Any]) -> None:
        self.call = call

    def write(self, leaves: Sequence[Any], targets: Sequence[Any]) -> None:
        """Write the results into these arrays, where there is one and not None."""
        wanted = tuple([target is not None for target in targets])
        given = [target for target in targets if target is not None]
        for k, target in enumerate(given):
            if any(np.may_share_memory(target, other) for other in given[:k]):
                raise DadArgumentError("A108", "the arrays in `out` overlap")
        if wanted not in self.writers:
            slow = partial(self.write_slowly, wanted)
            make = getattr(self.function, "direct", None)
            self.writers[wanted] = (make(self.inputs, None, slow, wanted) if make else None) or slow
        self.writers[wanted](*leaves, *given)

    def write_slowly(self, wanted: Sequence[bool], *leaves: Any) -> None:
        count = len(self.inputs.leaves)
        targets = iter(leaves[count:])
        values = self.inputs.converted(leaves[:count])
        results = self.entry.run(self.function, values)
        pairs = [(next(targets), result) for is_wanted, result in zip(wanted, results, strict=True) if is_wanted]
        for target, result in pairs:
            check_target(target, np.asarray(result))
        for target, result in pairs:
            np.copyto(target, result)

    def slowly(self, *leaves: Any) -> Any:
        if len(leaves) != len(self.inputs.leaves):  # of an entry all of whose leaves are its arguments
            self.entry.arguments(leaves, {})
        values = self.inputs.converted(leaves)
        return self.builder.build(owned(self.entry.run(self.function, values), values))
