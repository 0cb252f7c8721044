"""Tier 1 in the background: one thread, which begins when there is something to do and ends when there is nothing.

It takes LLVM's lock for one step after the other and never keeps the interpreter from ending for longer than a step.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine import Engine


class Ending(Exception):
    """The interpreter ends: nobody will run what is being compiled."""


class _Worker:
    def __init__(self) -> None:
        self.jobs: deque[weakref.ref[Engine]] = deque()
        self.changed = threading.Condition()
        self.thread: threading.Thread | None = None
        self.ending = False

    def later(self, engine: Engine) -> None:
        with self.changed:
            if self.ending:
                return
            self.jobs.append(weakref.ref(engine))
            if self.thread is None:
                self.thread = threading.Thread(target=self.run, name="dad tier 1", daemon=True)
                self.thread.start()

    def run(self) -> None:
        while True:
            with self.changed:
                if self.ending or not self.jobs:
                    self.thread = None
                    self.changed.notify_all()
                    return
                engine = self.jobs.popleft()()
            if engine is not None:
                try:
                    engine.promote()
                except Exception as error:  # tier 0 is as good, but slower
                    engine.trouble = error
            del engine

    def settle(self, seconds: float | None = None) -> bool:
        """Wait until there is nothing to do; False if that took longer than so many seconds."""
        with self.changed:
            return self.changed.wait_for(lambda: self.thread is None, seconds)

    def end(self) -> None:
        with self.changed:
            self.ending = True
            self.jobs.clear()
            thread = self.thread
        if thread is not None:
            thread.join()


_worker = _Worker()


def later(engine: Engine) -> None:
    """Have the program compiled for tier 1 soon, unless it is gone by then."""
    _worker.later(engine)


def go_on() -> None:
    """Between two steps of the work: raises Ending in the thread when the interpreter ends."""
    if _worker.ending and threading.current_thread() is _worker.thread:
        raise Ending


def settle(seconds: float | None = None) -> bool:
    """Wait until all programs have the code that they are waiting for."""
    return _worker.settle(seconds)


def _anew() -> None:
    global _worker
    _worker = _Worker()


atexit.register(lambda: _worker.end())
os.register_at_fork(after_in_child=_anew)
