"""`make test-all`: every test in a virtual machine, file by file, in as many sittings as it takes; and its record.

A file that has passed is not run again while it, and what decides about installed systems, is as it was: hours of
emulation end in a power cut, or in a test that fails, sooner than in a record. When every file has passed, commit and
day go on record. The status is 1 without a record, or if what it tested is no longer what there is.
"""

from __future__ import annotations

import datetime
import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.vm.conftest import rank
from tests.vm.places import CACHE, ROOT

RECORD = "tests/vm/LAST-FULL-RUN"
"""Kept in the repository: a line with the commit and the day."""
PASSED = CACHE / "full-run-passed"
"""A line for each file that has passed: what it was run on, and its name."""
TESTED = ("installer/plan", "installer/run", "iso")
FILES = "tests/vm/test_*.py"
SHOWN = 10
NOTHING_TO_RUN = 5
"""Status of a pytest that left every test of a file out: it has none in a virtual machine."""

Run = Callable[[Path], int]


def run_file(file: Path) -> int:
    """Run the tests of a file, once more where the emulator failed, and return pytest's status."""
    once_more = ("--reruns", "1", "--only-rerun", "the emulator lost a race")
    return subprocess.run([sys.executable, "-m", "pytest", *once_more, "-m", "vm", str(file)], check=False).returncode


def full_run(today: datetime.date, root: Path = ROOT, passed: Path = PASSED, run: Run = run_file) -> list[str]:
    """Run what has not passed yet, put it on record if nothing is left, and return the files that failed."""
    commit = _git(root, "rev-parse", "HEAD").strip()
    different = changed("HEAD", root=root)
    if different:
        print(f"This run will not be on record: {listed(different)} differ from the last commit.", flush=True)
    failed = []
    for file in sorted(root.glob(FILES), key=rank):
        line = f"{_state(file, root=root)} {file.name}"
        if not different and passed.exists() and line in passed.read_text().splitlines():
            print(f"{file.name} has passed before.", flush=True)
        elif run(file) not in (0, NOTHING_TO_RUN):
            failed.append(file.name)
        elif not different:
            passed.parent.mkdir(parents=True, exist_ok=True)
            with passed.open("a") as lines:
                lines.write(f"{line}\n")
    if not failed and not different:
        (root / RECORD).write_text(f"{commit} {today:%Y-%m-%d}\n")
    return failed


def summary(root: Path = ROOT) -> tuple[str, bool]:
    """Return words about the last full run, and whether what it tested is what there is now."""
    try:
        commit, day = (root / RECORD).read_text().split()
    except (OSError, ValueError):
        return "No full run is on record.", False
    words = f"Last full run: commit {commit[:12]}, {day}."
    try:
        different = changed(commit, root=root)
    except subprocess.CalledProcessError:
        return f"{words} This repository does not have that commit.", False
    if different:
        return f"{words} Changed since, and not tested as a whole: {listed(different)}.", False
    return f"{words} {', '.join(TESTED)} are as they were then.", True


def changed(commit: str, *, root: Path) -> list[str]:
    """Return the files that are tested by booting and differ from a commit, new ones included."""
    names = _git(root, "diff", "--name-only", commit, "--", *TESTED)
    new = _git(root, "ls-files", "--others", "--exclude-standard", "--", *TESTED)
    return sorted({*names.splitlines(), *new.splitlines()})


def listed(names: list[str]) -> str:
    """Name files, not too many."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _state(file: Path, *, root: Path) -> str:
    """Return one word for a test's file and everything it is run on."""
    tested = _git(root, "ls-tree", "HEAD", *TESTED).encode()
    return hashlib.sha256(tested + file.read_bytes()).hexdigest()


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Run everything and print what failed and what is on record."""
    failed = full_run(datetime.datetime.now(datetime.UTC).date())
    text, current = summary()
    print(f"Failed: {', '.join(failed)}." if failed else "Every file has passed.")
    print(text)
    return 1 if failed or not current else 0


if __name__ == "__main__":
    sys.exit(main())
