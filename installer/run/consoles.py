"""The consoles of a live system: say something on all of them, and notice a key on any."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import tty
from collections.abc import Iterator
from pathlib import Path

ACTIVE = Path("/sys/class/tty/console/active")


class Consoles:
    """The terminals that the kernel was told to use as consoles, opened without becoming theirs."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self._fds = []
        for path in paths:
            with contextlib.suppress(OSError):
                self._fds.append(os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))

    @classmethod
    def active(cls) -> Consoles:
        """Open the consoles of this machine; tty0 stands for whichever is in front, and tty1 is."""
        try:
            names = ACTIVE.read_text().split()
        except OSError:
            names = []
        return cls(tuple(Path("/dev") / name.replace("tty0", "tty1") for name in names))

    def say(self, text: str) -> None:
        """Print lines, each marked as ours: kernel messages come in between."""
        for line in text.splitlines():
            content = f"\rzroot: {plain(line)}\r\n".encode(errors="replace")
            for fd in self._fds:
                with contextlib.suppress(OSError):
                    os.write(fd, content)

    @contextlib.contextmanager
    def single_keys(self) -> Iterator[None]:
        """Let every key be noticed at once, without Enter and without echo."""
        before = []
        for fd in self._fds:
            with contextlib.suppress(termios.error):
                before.append((fd, termios.tcgetattr(fd)))
                tty.setcbreak(fd)
                termios.tcflush(fd, termios.TCIFLUSH)
        try:
            yield
        finally:
            for fd, attributes in before:
                with contextlib.suppress(termios.error):
                    termios.tcsetattr(fd, termios.TCSAFLUSH, attributes)

    def key(self, seconds: float) -> bool:
        """Wait for a key at most this long and say whether one came."""
        ready, _, _ = select.select(self._fds, [], [], seconds)
        for fd in ready:
            with contextlib.suppress(OSError):
                if os.read(fd, 64):
                    return True
        return False


def plain(line: str) -> str:
    """Return a line without what a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in line.expandtabs())
