"""What may be said to a running engine: over a socket that only root can open, or by signals."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

STOP = "stop"


class Control:
    """The engine's ear: `stop` at any time, and answers when it asks."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._words: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        mask = os.umask(0o177)
        try:
            self._socket.bind(str(path))
        finally:
            os.umask(mask)

    def stop_heard(self) -> bool:
        """Tell whether somebody has said `stop` since the start; other words are kept for who asked for them."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._words.append(self._socket.recv(64).decode(errors="replace"))
        return STOP in self._words

    def answer(self, answers: Sequence[str], *, stopping: Callable[[], bool]) -> str:
        """Wait for one of these answers; a wish to stop is one."""
        while not stopping():
            if word := next((word for word in self._words if word in answers), ""):
                self._words.clear()
                return word
            self._words.clear()
            select.select([self._socket], [], [], 0.5)
        return STOP


class StopAsked:
    """Whether somebody asked the run to stop, by a signal or over the socket; each new signal is answered in words."""

    def __init__(self, control: Control | None, *, again: Callable[[], None]) -> None:
        self._control = control
        self._again = again
        self._signals = 0
        self._answered = 0

    def __call__(self) -> bool:
        if self._answered < self._signals:
            self._answered = self._signals
            self._again()
        return self._signals > 0 or bool(self._control and self._control.stop_heard())

    @contextmanager
    def by_signals(self) -> Iterator[None]:
        """Take SIGINT, SIGTERM and SIGHUP as the wish to stop at the next safe point, instead of dying from them."""
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self._on_signal) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        # No word from here: the signal may have come in the middle of another one being written.
        self._signals += 1


def say(path: Path, word: str) -> None:
    """Say a word to a running engine. Raises OSError if none listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
        speaker.connect(str(path))
        speaker.send(word.encode())
