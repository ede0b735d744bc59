"""One engine at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from installer.errors import Refusal


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold the lock of this machine's engine; raises Refusal naming the process that has it.

    The kernel lets it go with the process, however that ends. The file stays: without it, two could hold a lock.
    """
    fd = os.open(run / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            raise Refusal(
                "Another zroot is at work on this machine.",
                message=f"Its process is {pid}.",
                hint="Wait for it to end, or stop it first.",
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)
