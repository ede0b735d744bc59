"""`make test-all`: every test in a virtual machine, file by file, in as many sittings as it takes; and its record.

A file that has passed is not run again while it, and what decides about installed systems, is as it was: hours of
emulation end in a power cut, or in a test that fails, sooner than in a record. What has passed is kept in the
repository, so that the next sitting may be on another machine. When every file has passed, commit and day go on
record. The status is 1 without a record, or if what it tested is no longer what there is.

With names, `python -m tests.vm.full_run test_boot.py ...`, a sitting is those files alone. Run `make iso` before, as
`make test-all` does: what has passed is said of what is committed, and not of an image from earlier.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.vm.conftest import rank
from tests.vm.life import SESSION_NAME
from tests.vm.places import ROOT

RECORD = "tests/vm/LAST-FULL-RUN"
"""Kept in the repository: a line with the commit and the day."""
PASSED = "tests/vm/FULL-RUN-SO-FAR"
"""Kept in the repository too: a line for each file that has passed, with what it was run on and the day."""
TESTED = ("installer/plan", "installer/run", "iso")
FILES = "tests/vm/test_*.py"
SHOWN = 10
NOTHING_TO_RUN = 5
"""Status of a pytest that left every test of a file out: it has none in a virtual machine."""

ONE_SITTING = {**os.environ, SESSION_NAME: uuid.uuid4().hex}
"""Machines that several files look at are started once in a sitting."""

Run = Callable[[Path], int]


def run_file(file: Path) -> int:
    """Run the tests of a file, once more where the emulator failed; print all of it at its end, return its status."""
    once_more = ("--reruns", "1", "--only-rerun", "the emulator lost a race")
    print(f"{file.name} begins.", flush=True)
    began = time.monotonic()
    argv = [sys.executable, "-m", "pytest", *once_more, "-m", "vm", str(file)]
    done = subprocess.run(argv, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ONE_SITTING)
    # In one piece: another file is run beside it.
    words = f"{file.name} took {(time.monotonic() - began) / 60:.1f} minutes.\n"
    sys.stdout.buffer.write(done.stdout + words.encode())
    sys.stdout.buffer.flush()
    return done.returncode


def full_run(today: datetime.date, root: Path = ROOT, run: Run = run_file, only: Collection[str] = ()) -> list[str]:
    """Run what has not passed yet, put it on record if nothing is left, and return the files that failed."""
    commit = _git(root, "rev-parse", "HEAD").strip()
    different = changed("HEAD", root=root)
    if different:
        print(f"This run will not be on record: {listed(different)} differ from the last commit.", flush=True)
    news = not summary(root)[1]
    files = [file for file in _files(root) if not only or file.name in only]
    before = {} if different else passed(root)
    for file in files:
        if file.name in before:
            print(f"{file.name} has passed before.", flush=True)
    failed = []
    for file, status in _side_by_side(run, [file for file in files if file.name not in before]):
        if status not in (0, NOTHING_TO_RUN):
            failed.append(file.name)
        elif not different:
            _note(root, file, today)
            news = True
    if news and not different and len(passed(root)) == len(_files(root)):
        (root / RECORD).write_text(f"{commit} {today:%Y-%m-%d}\n")
    return sorted(failed)


def _side_by_side(run: Run, files: Sequence[Path]) -> Iterator[tuple[Path, int]]:
    """Run files two at a time, for a machine under emulation has one processor; yield each with its status."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = {pool.submit(run, file): file for file in files}
        for over in as_completed(running):
            yield running[over], over.result()


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


def _files(root: Path) -> list[Path]:
    return sorted(root.glob(FILES), key=lambda file: (rank(file), file.name))


def passed(root: Path) -> dict[str, str]:
    """Return the lines of the files that have passed as they are, and on what there is, by name."""
    if not (root / PASSED).exists():
        return {}
    lines = {line.split()[0]: line for line in (root / PASSED).read_text().splitlines()}
    return {
        file.name: lines[file.name]
        for file in _files(root)
        if lines.get(file.name, "").split()[1:2] == [_state(file, root=root)]
    }


def _note(root: Path, file: Path, today: datetime.date) -> None:
    """Write down that a file has passed, and forget what passed on another state."""
    lines = {**passed(root), file.name: f"{file.name} {_state(file, root=root)} {today:%Y-%m-%d}"}
    (root / PASSED).write_text("".join(f"{line}\n" for _, line in sorted(lines.items())))


def _state(file: Path, *, root: Path) -> str:
    """Return one word for a test's file and everything it is run on."""
    tested = _git(root, "ls-tree", "HEAD", *TESTED).encode()
    return hashlib.sha256(tested + file.read_bytes()).hexdigest()


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True).stdout


def main() -> int:
    """Run what is named, or everything, and print what failed, what is left and what is on record."""
    files = {file.name for file in _files(ROOT)}
    if unknown := set(sys.argv[1:]) - files:
        print(f"Not among the tests in virtual machines: {', '.join(sorted(unknown))}.", file=sys.stderr)
        return 2
    failed = full_run(datetime.datetime.now(datetime.UTC).date(), only=sys.argv[1:])
    left = sorted(files - set(passed(ROOT)))
    print(f"Failed: {', '.join(failed)}." if failed else "Nothing failed.")
    print(f"Not passed yet, {len(left)} of {len(files)}: {', '.join(left)}." if left else "Every file has passed.")
    text, current = summary()
    print(text)
    return 1 if failed or not current else 0


if __name__ == "__main__":
    sys.exit(main())
