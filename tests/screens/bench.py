"""`make bench-screens`: how long the first picture takes, what it would take at the least, and what a key costs.

With ninety disks too: the plan for them (at most a second), and a key on its review (at most 100 ms).
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from installer.machine.recording import dump
from tests.screens import many
from tests.screens.line import Line, on_a_line

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
        return _each(line, ("down", "up") * KEYS)


def plan(machine: Path, recipe: Path) -> Took:
    """Make a plan by `zroot plan`."""
    began, before = time.monotonic(), _work_of_children()
    argv = [sys.executable, "-m", "installer.cli", "plan", str(recipe), f"--machine={machine}"]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return Took(time.monotonic() - began, _work_of_children() - before)


def review_key(machine: Path, recipe: Path) -> float:
    """Return the seconds of a processor of a key that scrolls the plan, or leads to the disks and on."""
    with on_a_line(("-m", "tests.screens.many", str(machine), str(recipe))) as line:
        line.shows("Nothing is written yet")
        return _each(line, ("down", "up", "tab") * KEYS)


def _work_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _median(took: Sequence[Took]) -> str:
    clock, work = (statistics.median(getattr(one, name) for one in took) for name in ("clock", "work"))
    return f"{clock:.2f} s by the clock, {work:.2f} s of a processor"


def _each(line: Line, keys: tuple[str, ...]) -> float:
    line.settle()
    before = line.work()
    for name in keys:
        line.cost(name)
    return (line.work() - before) / len(keys)


def libraries() -> float:
    """Return the seconds that the libraries need to be loaded, by the clock."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", BARE], check=True)
    return time.monotonic() - began


def main() -> int:
    """Measure and print."""
    took = [first_picture() for _ in range(ROUNDS)]
    bare = [libraries() for _ in range(ROUNDS)]
    print(f"first picture: {_median(took)}")
    print(f"a key: {1000 * key():.0f} ms of a processor")
    print(f"Textual and pydantic alone: {statistics.median(bare):.2f} s by the clock")
    with tempfile.TemporaryDirectory() as folder:
        _with_many_disks(Path(folder))
    return 0


def _with_many_disks(folder: Path) -> None:
    machine, recipe = folder / "machine.json", folder / "recipe.toml"
    machine.write_text(dump(many.recording()))
    for name, text in many.recipes().items():
        recipe.write_text(text)
        print(f"{many.COUNT} disks, {name}: zroot plan {_median([plan(machine, recipe) for _ in range(ROUNDS)])}")
        print(f"    a key on the review: {1000 * review_key(machine, recipe):.0f} ms of a processor")


if __name__ == "__main__":
    sys.exit(main())
