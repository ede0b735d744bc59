"""Where the tests find and leave things."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
ISO = ROOT / "dist/zroot-amd64.iso"
CACHE = ROOT / ".cache/vm"
RESULTS = CACHE / "results"
"""One folder for each machine that was started: console.log, and the disks while it runs."""


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """Let one process at a time do what has this name; the others wait for it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
