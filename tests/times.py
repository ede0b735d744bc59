"""Where the time of `make test` goes: its steps and machines write it down while they run; printed at the end.

`begin` forgets what there was, `step NAME COMMAND...` runs a command, `show` prints the table. One JSON object a line,
so that programs side by side can write to one file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path(__file__).parents[1] / ".cache/times.jsonl"


@dataclass(frozen=True)
class Lap:
    """How long something took."""

    kind: str
    """step, machine, or a part of one: indented in the table"""
    name: str
    began: float
    """Seconds since the epoch."""
    seconds: float


def note(lap: Lap, file: Path = FILE) -> None:
    """Write a lap down."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    with os.fdopen(fd, "wb") as lines:
        lines.write(json.dumps(asdict(lap)).encode() + b"\n")


@contextmanager
def timed(kind: str, name: str, file: Path = FILE, *, at_least: float = 0) -> Iterator[None]:
    """Write down how long the block took, however it ended, if that was at least so many seconds."""
    began, clock = time.time(), time.monotonic()
    try:
        yield
    finally:
        seconds = time.monotonic() - clock
        if seconds >= at_least:
            note(Lap(kind, name, began, round(seconds, 1)), file)


def read(file: Path = FILE) -> list[Lap]:
    """Return the laps in the order in which they began."""
    if not file.exists():
        return []
    return sorted((Lap(**json.loads(line)) for line in file.read_text().splitlines()), key=lambda lap: lap.began)


def table(laps: Iterable[Lap]) -> str:
    """Return the laps as text: from the start in minutes, how long in seconds, and what."""
    laps = list(laps)
    if not laps:
        return "No time was written down."
    start = min(lap.began for lap in laps)
    rows = [f"{'from':>6} {'seconds':>8}  where the time goes"]
    for lap in laps:
        minutes, seconds = divmod(int(lap.began - start), 60)
        indent = {"step": "", "machine": "  "}.get(lap.kind, "    ")
        rows.append(f"{minutes:>3}:{seconds:02} {lap.seconds:>8.1f}  {indent}{lap.name}")
    whole = max(lap.began + lap.seconds for lap in laps) - start
    rows.append(f"{'':>6} {whole:>8.1f}  whole: {whole / 60:.1f} minutes")
    return "\n".join(rows)


def main(words: list[str]) -> int:
    """Carry out one of the three words; return the exit status."""
    match words:
        case ["begin"]:
            FILE.unlink(missing_ok=True)
        case ["step", name, *command]:
            with timed("step", name):
                return subprocess.run(command, check=False).returncode
        case ["show"]:
            print(table(read()))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
