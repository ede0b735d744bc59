"""Where the tests find and leave things."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
ISO = ROOT / "dist/zroot-amd64.iso"
CACHE = ROOT / ".cache/vm"
RESULTS = CACHE / "results"
"""One folder for each machine that was started: console.log, and the disks while it runs."""
