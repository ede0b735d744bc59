"""What became of each test the last time that it ran here, for the table of faults."""

from __future__ import annotations

import datetime
import fcntl
import json
from contextlib import suppress
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[2] / ".cache/results.json"

KNOWN_WRONG = "known wrong"

Results = dict[str, tuple[str, str]]
"""What became of a test, and the day, by the test's node ID."""


class Recorder:
    """Listens to a run of pytest and adds it to what earlier runs left."""

    def __init__(self, file: Path = RESULTS) -> None:
        self.file = file
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst of a test's three parts: its preparation, itself, and what cleans up."""
        name = ungrouped(report.nodeid)
        before = self.outcomes.get(name, "passed")
        # A test that is run once more begins anew.
        self.outcomes[name] = before if before != "passed" and report.when != "setup" else _outcome(report)

    def pytest_sessionfinish(self) -> None:
        """Write it down; a folder that belongs to root, after it built the image, is no reason to fail."""
        if self.outcomes:
            with suppress(PermissionError):
                remember(self.outcomes, self.file)


def ungrouped(nodeid: str) -> str:
    """Return a node ID without the group that pytest-xdist hangs on to it: `test_boot.py::test_up[bios]@bios`."""
    return nodeid.rpartition("@")[0] if nodeid.rfind("@") > nodeid.rfind("]") else nodeid


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail") and report.skipped:
        return KNOWN_WRONG
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].replace("Skipped:", "skipped:", 1)
    return report.outcome


def remember(outcomes: dict[str, str], file: Path = RESULTS) -> None:
    """Add outcomes to a file; several pytests end at the same time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    today = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = recorded(file) | {nodeid: (outcome, today) for nodeid, outcome in outcomes.items()}
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(known, indent=0, sort_keys=True))
        fresh.replace(file)


def recorded(file: Path = RESULTS) -> Results:
    """Return what is known of each test."""
    if not file.exists():
        return {}
    return {nodeid: (outcome, day) for nodeid, (outcome, day) in json.loads(file.read_text()).items()}
