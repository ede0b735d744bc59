"""The guided install on a terminal line of its own: every byte that it writes, when, and what then stands there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyte

ROOT = Path(__file__).parents[2]
MACHINE = ROOT / "tests/machines/synthetic-two-blank.json"
QUIET = 3, 0.04
"""Looks, and seconds between them, at which nothing came and the program had nothing to do: then a change is over."""
LONG = 60.0
"""Seconds after which nothing more is to be expected, on a machine that has a lot else to do."""
KEYS = {"enter": "\r", "tab": "\t", "space": " ", "escape": "\x1b", "up": "\x1b[A", "down": "\x1b[B",
        "right": "\x1b[C", "left": "\x1b[D", "f1": "\x1bOP", "f10": "\x1b[21~"}  # fmt: skip
"""What a vt220 sends."""


class Line:
    """A program on a terminal of 80 by 24, and the person in front of it."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self._process, self._terminal = process, terminal
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)
        self.since = time.monotonic()
        self.bytes = 0
        """How many came so far."""

    @property
    def text(self) -> str:
        """What stands on the screen."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def cursor(self) -> tuple[int, int]:
        """Column and line of the cursor, from 0."""
        return self._screen.cursor.x, self._screen.cursor.y

    def work(self) -> float:
        """Return the seconds of a processor that the program has had, whatever else the machine did meanwhile."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def send(self, *keys: str) -> None:
        """Press keys by name, or type a text."""
        for key in keys:
            os.write(self._terminal, KEYS.get(key, key).encode())

    def until(self, holds: Callable[[], bool]) -> None:
        """Read until something is so."""
        ends = time.monotonic() + LONG
        while not holds():
            assert time.monotonic() < ends, f"It never came to it:\n{self.text}"
            self._read(0.05)

    def shows(self, text: str) -> None:
        """Read until a text stands on the screen."""
        self.until(lambda: text in self.text)

    def settle(self) -> None:
        """Read until nothing more comes, because the program waits for a key."""
        looks, seconds = QUIET
        left = looks
        while left:
            left = looks if self._read(seconds) or self._busy() else left - 1

    def cost(self, *keys: str, shows: str = "") -> int:
        """Press keys and return the bytes that came of it, until the screen shows a text and rests."""
        self.settle()
        before = self.bytes
        self.send(*keys)
        if shows:
            self.shows(shows)
        else:
            self.until(lambda: self.bytes > before)
        self.settle()
        return self.bytes - before

    def spoil(self, text: str) -> None:
        """Let somebody else write on the terminal."""
        self._stream.feed(f"\x1b[12;12H{text}".encode())

    def during(self, seconds: float) -> int:
        """Return the bytes that come in a time."""
        before, ends = self.bytes, time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self._read(left)
        return self.bytes - before

    def _busy(self) -> bool:
        """Tell whether a thread of the program runs or would run if there were a processor for it."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/stat")
        return any(task.read_text().rpartition(")")[2].split()[0] == "R" for task in tasks)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._terminal], [], [], seconds)[0]:
            return False
        try:
            new = os.read(self._terminal, 65536)
        except OSError:  # the other end is closed
            new = b""
        self.bytes += len(new)
        self._stream.feed(new)
        return bool(new)


@contextlib.contextmanager
def on_a_line(
    argv: Sequence[str] = ("-m", "screens", f"--machine={MACHINE}"), *, env: Mapping[str, str] | None = None
) -> Iterator[Line]:
    """Start a Python program on a line."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    known = {name: value for name, value in os.environ.items() if not name.startswith(("TEXTUAL", "COLORTERM"))}
    process = subprocess.Popen(
        [sys.executable, *argv], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env=known | {"TERM": "vt220", "PYTHONPATH": str(ROOT), "NO_COLOR": ""} | dict(env or {}),
    )  # fmt: skip
    os.close(theirs)
    try:
        yield Line(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
