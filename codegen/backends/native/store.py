"""The cache on the disk: a private folder of entries that are named by what they were made of.

An entry is a line that says so, the SHA-256 and the length of what follows, the length of a description in JSON, the
description, and object code. Whatever is not exactly that is no entry: it is made again, and replaced. Nobody else may
be able to write here: a folder or a file that is a link, belongs to another or is open to others is not used.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

MAGIC = b"dad object 1\n"
HEAD = len(MAGIC) + 32 + 8
LARGEST = 256 << 20
LIMIT = 512 << 20
"""Bytes in the folder, unless DAD_CACHE_SIZE says how many megabytes."""
SUFFIX = ".o"
TEMPORARY = ".new-"
OLD = 3600.0
"""Seconds: a file that is being written is not older."""
WRITES = 64
"""So often the size of the folder is looked at."""

_writes = os.urandom(1)[0] % WRITES
"""Counted from anywhere: processes that write little look now and then, and the others need not wait for it first."""


@dataclass(frozen=True)
class Entry:
    about: dict[str, Any]
    code: bytes


def folder() -> Path | None:
    """The folder of the cache: DAD_CACHE_DIR, else `dad` in the user's folder of caches; None if DAD_CACHE is 0."""
    if os.environ.get("DAD_CACHE", "").strip().lower() in ("0", "off", "no", "false"):
        return None
    if named := os.environ.get("DAD_CACHE_DIR"):
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME", "")
    try:
        return (Path(home) if os.path.isabs(home) else Path.home() / ".cache") / "dad"
    except RuntimeError:
        return None


def refused(path: Path) -> str:
    """Why the folder is not used; empty when there is no reason."""
    try:
        about = os.lstat(path)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        return f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
    if stat.S_ISLNK(about.st_mode):
        return f"{path} is a link"
    if not stat.S_ISDIR(about.st_mode):
        return f"{path} is not a folder"
    if hasattr(os, "geteuid") and about.st_uid != os.geteuid():
        return f"{path} belongs to another user"
    if os.name == "posix" and about.st_mode & 0o077:
        return f"others have access to {path}: chmod 700"
    return ""


def usable(create: bool) -> Path | None:
    """The folder, if it can be used."""
    path = folder()
    if path is None:
        return None
    if create and not os.path.lexists(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass
        except (OSError, ValueError):
            return None
    return None if refused(path) else path


def read(key: str) -> Entry | None:
    """The entry of this name, if there is one and it is sound."""
    path = usable(False)
    if path is None:
        return None
    found = opened(path / (key + SUFFIX))
    if found is not None:
        touch(path / (key + SUFFIX))
    return found


def opened(file: Path) -> Entry | None:
    data = content(file)
    return None if data is None else parsed(data)


def content(file: Path) -> bytes | None:
    """The bytes of a file that is ours alone."""
    try:
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
                         | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError):
        return None
    try:
        about = os.fstat(handle)
        foreign = hasattr(os, "geteuid") and about.st_uid != os.geteuid()
        if not stat.S_ISREG(about.st_mode) or foreign or about.st_size > LARGEST or (
                os.name == "posix" and about.st_mode & 0o022):
            return None
        with os.fdopen(os.dup(handle), "rb") as stream:
            return stream.read(LARGEST + 1)
    except OSError:
        return None
    finally:
        os.close(handle)


def parsed(data: bytes) -> Entry | None:
    if len(data) < HEAD + 4 or not data.startswith(MAGIC):
        return None
    body = memoryview(data)[HEAD:]
    length = int.from_bytes(data[HEAD - 8:HEAD], "little")
    if length != len(body) or sha256(body).digest() != data[len(MAGIC):HEAD - 8]:
        return None
    size = int.from_bytes(body[:4], "little")
    if size > len(body) - 4:
        return None
    try:
        about = json.loads(bytes(body[4:4 + size]))
    except (ValueError, RecursionError):
        return None
    return Entry(about, bytes(body[4 + size:])) if isinstance(about, dict) else None


def packed(about: dict[str, Any], code: bytes) -> bytes:
    described = json.dumps(about, sort_keys=True).encode()
    body = len(described).to_bytes(4, "little") + described + code
    return MAGIC + sha256(body).digest() + len(body).to_bytes(8, "little") + body


def write(keys: Sequence[str], about: dict[str, Any], code: bytes) -> None:
    """Keep object code under all these names. A disk that is full or read-only only means that nothing is kept."""
    global _writes
    path = usable(True)
    if path is None or len(code) > limit() // 4:
        return
    temporary = path / f"{TEMPORARY}{os.getpid()}-{os.urandom(8).hex()}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        handle = os.open(temporary, flags, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(packed(about, code))
        for k, key in enumerate(keys):
            file = path / (key + SUFFIX)
            if k == len(keys) - 1:
                os.replace(temporary, file)
            else:
                other = path / f"{temporary.name}-{k}"
                os.link(temporary, other)
                os.replace(other, file)
                other.unlink(missing_ok=True)  # it is there still if both were the same file
    except (OSError, ValueError):
        pass
    finally:
        remove(temporary)
    _writes += 1
    if _writes % WRITES == 0:
        evict(path, limit())


def limit() -> int:
    try:
        return int(float(os.environ["DAD_CACHE_SIZE"]) * (1 << 20))
    except (KeyError, ValueError, OverflowError):
        return LIMIT


def touch(file: Path) -> None:
    """Say that the entry was used, at most once in an hour."""
    with suppress(OSError):
        if time.time() - os.lstat(file).st_mtime > OLD:
            os.utime(file)


@dataclass(frozen=True)
class File:
    name: str
    inode: int
    size: int
    used: float


def files(path: Path) -> Iterator[File]:
    """The entries of the folder, by their names; an object under several names is several files of one inode."""
    try:
        with os.scandir(path) as found:
            for item in found:
                try:
                    about = item.stat(follow_symlinks=False)
                except OSError:
                    continue
                if stat.S_ISREG(about.st_mode) and (item.name.endswith(SUFFIX) or item.name.startswith(TEMPORARY)):
                    yield File(item.name, about.st_ino, about.st_size, about.st_mtime)
    except OSError:
        return


def size(path: Path) -> tuple[int, int]:
    """Entries and bytes in the folder."""
    found = {f.inode: f.size for f in files(path)}
    return len(found), sum(found.values())


def evict(path: Path, most: int) -> None:
    """Remove what was not used for longest, until at most four fifths of `most` bytes are left, if there are more."""
    groups: dict[int, list[File]] = {}
    for file in files(path):
        groups.setdefault(file.inode, []).append(file)
    total = sum(g[0].size for g in groups.values())
    goal = most * 4 // 5 if total > most else total
    now = time.time()
    for group in sorted(groups.values(), key=lambda g: g[0].used):
        left = group[0].name.startswith(TEMPORARY)
        if total <= goal and not left:
            continue
        if left and now - group[0].used < OLD:
            continue
        for file in group:
            remove(path / file.name)
        total -= group[0].size


def clear(path: Path) -> int:
    """Remove all entries; how many there were."""
    count = size(path)[0]
    for file in list(files(path)):
        remove(path / file.name)
    return count


def remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink()
