"""Every loop in parts, however short: thresholds are taken down to the least."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

from dad.codegen.backends.loops import spread
from dad.codegen.backends.native import context, programs, threads, threads_text


@contextmanager
def in_parts(count: int) -> Iterator[None]:
    """So many threads for programs that are compiled and run inside; each index is a part where it can be one."""
    helper = context.SPREAD.replace(str(context.LEAST), "0")
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(spread, "LEAST", 0))
        stack.enter_context(mock.patch.object(spread, "SMALLEST", 128))
        stack.enter_context(mock.patch.dict(context.HELPERS, {"spread": helper}))
        stack.callback(threads.use, None)
        stack.callback(programs.forget)
        programs.forget()
        threads.use(count)
        words = threads.pool().words
        stack.callback(words.__setitem__, threads_text.PIECE, threads_text.USUAL_PIECE)
        words[threads_text.PIECE] = 1
        yield
