"""Which commit the last full run of all tests was of, and whether what it tested has changed since.

`make test-all` notes the commit when it begins, records it when every test has passed, and ends with the summary, whose
status is 1 if there is no record or if what decides about installed systems is no longer what was tested.
"""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

from tests.vm.places import CACHE, ROOT

RECORD = "tests/vm/LAST-FULL-RUN"
"""Kept in the repository: a line with the commit and the day."""
BEGAN = CACHE / "full-run-began"
TESTED = ("installer/plan", "installer/run", "iso")
SHOWN = 10


def begin(root: Path = ROOT, began: Path = BEGAN) -> str:
    """Note what is about to be tested, and return words about it."""
    began.unlink(missing_ok=True)
    if different := changed("HEAD", root=root):
        return f"This run will not be on record: {listed(different)} differ from the last commit."
    began.parent.mkdir(parents=True, exist_ok=True)
    began.write_text(_git(root, "rev-parse", "HEAD"))
    return summary(root)[0]


def record(day: datetime.date, root: Path = ROOT, began: Path = BEGAN) -> None:
    """Put on record that all tests have passed on what was there when they began."""
    if began.exists():
        (root / RECORD).write_text(f"{began.read_text().strip()} {day:%Y-%m-%d}\n")
        began.unlink()


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


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True).stdout


def main(words: list[str]) -> int:
    """Carry out `begin`, `record`, or, without a word, print the summary."""
    match words:
        case ["begin"]:
            print(begin())
        case ["record"]:
            record(datetime.datetime.now(datetime.UTC).date())
        case _:
            text, current = summary()
            print(text)
            return 0 if current else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
