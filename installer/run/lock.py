"""One engine at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from installer.errors import Refusal

LOCK = "lock"
LOOK = "look"
PATIENCE = 0.5
"""Seconds: whoever only asks whether the lock is held has it for a moment."""


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold the lock of this machine's engine; raises Refusal naming the process that has it.

    The kernel lets it go with the process, however that ends. The file stays: without it, two could hold a lock.
    """
    fd = os.open(run / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        if not _taken(fd):
            pid = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            raise Refusal(
                "Another zroot is at work on this machine.",
                message=f"Its process is {pid}.",
                hint="Wait for it to end, or stop it first.",
            )
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


def held(run: Path) -> bool:
    """Tell whether an engine is at work there. Asked of the kernel: a process id in a file may be another's by now."""
    try:
        fd = os.open(run / LOCK, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


@contextmanager
def looking(run: Path) -> Iterator[None]:
    """Look at the disks one at a time, on this whole machine: who looks claims each of them for a moment.

    Two interfaces (a console, a serial line) that notice the same new disk would take each other for its users.
    """
    try:
        run.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(run / LOOK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:  # not root: then nobody can claim a disk either
        yield
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _taken(fd: int) -> bool:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        else:
            return True
