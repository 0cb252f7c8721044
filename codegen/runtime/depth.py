"""Deep recursion: room for it while an entry runs, and the error where there is too much.

Calls of functions of the program are calls of Python functions, which need no more of the machine's own stack however
deep they are; what bounds them is Python's limit, and memory.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from .errors import RunError

LEVELS = 20_000
"""How many calls may be inside each other."""


class Room:
    """`with Room(frames):` Python code may nest so much deeper than it does now.

    The limit is one for all threads: the last to leave sets it back.
    """

    lock = threading.Lock()
    users = 0
    before = 0

    def __init__(self, frames: int) -> None:
        self.frames = frames

    def __enter__(self) -> None:
        here, depth = sys._getframe(), 0
        while here.f_back is not None:
            here, depth = here.f_back, depth + 1
        with Room.lock:
            if not Room.users:
                Room.before = sys.getrecursionlimit()
            Room.users += 1
            sys.setrecursionlimit(max(sys.getrecursionlimit(), depth + self.frames))

    def __exit__(self, *_: object) -> None:
        with Room.lock:
            Room.users -= 1
            if not Room.users:
                sys.setrecursionlimit(Room.before)


def deep(function: Callable[..., Any], recursive: Sequence[Sequence[str]]) -> Callable[..., Any]:
    """`function`, with room for calls inside calls.

    `recursive` are the functions that may call themselves: Python's name, the source's name, and where the call stands.
    """
    known = {python: (name, where) for python, name, where in recursive}

    def run(*values: Any) -> Any:
        with Room(LEVELS):
            try:
                return function(*values)
            except RecursionError as error:
                counts: dict[str, int] = {}
                here = error.__traceback__
                while here is not None:
                    name = here.tb_frame.f_code.co_name
                    if name in known:
                        counts[name] = counts.get(name, 0) + 1
                    here = here.tb_next
                if not counts:
                    raise
            most = max(counts, key=counts.__getitem__)
            raise too_deep(*known[most], counts[most])

    return run


def too_deep(name: str, where: str, levels: int) -> RunError:
    return RunError("R110", f"`{name}` called itself {levels:,} levels deep", where)
