"""Where the tests find and leave things."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
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


@cache
def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def extracted(iso: Path, name: str) -> Path:
    """Return a copy of a file of the ISO, made only if it is not there yet."""
    copy = CACHE / f"iso-{digest(iso)[:16]}" / Path(name).name
    with only_one("extract"):
        if not copy.exists():
            for older in CACHE.glob("iso-*"):
                if older != copy.parent:
                    shutil.rmtree(older)
            copy.parent.mkdir(exist_ok=True)
            fresh = copy.with_name(copy.name + ".new")
            argv = ["xorriso", "-osirrox", "on", "-indev", str(iso), "-extract", f"/{name}", str(fresh)]
            subprocess.run(argv, check=True, capture_output=True)
            fresh.chmod(0o644)
            fresh.rename(copy)
    return copy
