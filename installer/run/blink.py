"""Make a disk's light blink by reading it: the only sign that a person in front of the machine can see."""

from __future__ import annotations

import errno
import mmap
import os
import time
from collections.abc import Callable

from installer.errors import Refusal

SECONDS = 5.0
BLOCK = 1024**2
"""Bytes read at once. Large, so that each read takes the disk long enough for a light."""
ON, OFF = 0.4, 0.3
"""Seconds of reading and of rest: a light that only glows looks like any other busy disk's."""
STEPS = 61
"""Places on the disk, far apart: neither its cache nor ours has them."""


def blink(path: str, *, stop: Callable[[], bool], seconds: float = SECONDS) -> int:
    """Read a disk here and there until the time is up or `stop` says so; return how many bytes were read.

    Nothing is ever written. Raises Refusal if the disk cannot be read.
    """
    try:
        fd = _open(path)
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        return _blink(fd, os.lseek(fd, 0, os.SEEK_END), stop=stop, until=time.monotonic() + seconds)
    except OSError as error:
        raise _unreadable(path, error) from None
    finally:
        os.close(fd)


def _open(path: str) -> int:
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        # Past the page cache, or the second round would light nothing.
        return os.open(path, flags | os.O_DIRECT)
    except OSError:
        return os.open(path, flags)  # tmpfs and some drivers know no direct reading


def _blink(fd: int, size: int, *, stop: Callable[[], bool], until: float) -> int:
    block = min(BLOCK, size // 4096 * 4096)
    if not block:
        raise OSError("there is nothing on it to read")
    places = max(size // block, 1)
    total, number = 0, 0
    with mmap.mmap(-1, block) as buffer:  # direct reading wants its buffer on a page
        while not stop() and time.monotonic() < until:
            rest_from = time.monotonic() + ON
            while not stop() and time.monotonic() < min(rest_from, until):
                place = (number * (places // STEPS + 1)) % places
                total += os.preadv(fd, [buffer], place * block)
                number += 1
            while not stop() and time.monotonic() < min(rest_from + OFF, until):
                time.sleep(0.02)
    return total


def _unreadable(path: str, error: OSError) -> Refusal:
    hint = "Only root may read disks." if error.errno in (errno.EACCES, errno.EPERM) else ""
    return Refusal(f"{path} cannot be read.", message=error.strerror or str(error), hint=hint)
