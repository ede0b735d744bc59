"""`make bench-screens`: how long the first picture takes, what it would take at the least, and what a key costs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.screens.line import on_a_line

BARE = "import textual.app, textual.widgets\nfrom pydantic import BaseModel\nclass A(BaseModel):\n    a: int"
ROUNDS = 7
KEYS = 20


@dataclass(frozen=True)
class Took:
    """Seconds by the clock, and of a processor."""

    clock: float
    work: float


def first_picture() -> Took:
    """Start the guided install on a terminal and wait for its first question."""
    with on_a_line() as line:
        line.shows("Keyboard layout")
        return Took(time.monotonic() - line.since, line.work())


def key() -> float:
    """Return the seconds of a processor from a key to what it changes."""
    with on_a_line() as line:
        line.shows("can be used")
        line.settle()
        before = line.work()
        for name in ("down", "up") * KEYS:
            line.cost(name)
        return (line.work() - before) / (2 * KEYS)


def libraries() -> float:
    """Return the seconds that the libraries need to be loaded, by the clock."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", BARE], check=True)
    return time.monotonic() - began


def main() -> int:
    """Measure and print."""
    took = [first_picture() for _ in range(ROUNDS)]
    bare = [libraries() for _ in range(ROUNDS)]
    clock, work = (statistics.median(getattr(one, name) for one in took) for name in ("clock", "work"))
    print(f"first picture: {clock:.2f} s by the clock, {work:.2f} s of a processor")
    print(f"a key: {1000 * key():.0f} ms of a processor")
    print(f"Textual and pydantic alone: {statistics.median(bare):.2f} s by the clock")
    return 0


if __name__ == "__main__":
    sys.exit(main())
