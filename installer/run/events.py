"""What a run says while it goes on: JSON lines, appended to a file that any number of readers may follow."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from installer.frozen import Frozen
from installer.masking import SECRETS

BATCH = 0.5
"""Seconds between two events of one operation's output: a serial line carries 11 kB a second."""
MINUTE = 60.0


class Begun(Frozen):
    """A run began, or went on."""

    event: Literal["begun"] = "begun"
    install_id: str
    title: str
    operations: int
    resumed: bool


class Started(Frozen):
    event: Literal["started"] = "started"
    operation: str
    title: str
    number: int
    """From 1, of Begun.operations."""


class Output(Frozen):
    """Lines that an operation's programs printed, masked."""

    event: Literal["output"] = "output"
    operation: str
    lines: tuple[str, ...]


class Progress(Frozen):
    event: Literal["progress"] = "progress"
    operation: str
    percent: int


class Working(Frozen):
    """An operation is still under way, said once a minute: DKMS compiles for an hour and prints nothing."""

    event: Literal["working"] = "working"
    operation: str
    minutes: int
    """Since it was started."""


class Finished(Frozen):
    event: Literal["finished"] = "finished"
    operation: str
    seconds: float
    already: bool = False
    """Nothing had to be done: it was finished before, or the machine is so already."""


class Failed(Frozen):
    event: Literal["failed"] = "failed"
    operation: str
    title: str
    message: str
    hint: str
    optional: bool
    """The run goes on without it."""


class Notice(Frozen):
    """A sentence that belongs to no operation."""

    event: Literal["notice"] = "notice"
    text: str


class Ask(Frozen):
    """The engine waits for one of these answers; only when an interface started it."""

    event: Literal["ask"] = "ask"
    question: str
    answers: tuple[str, ...]


class Ended(Frozen):
    """The last event of a run."""

    event: Literal["ended"] = "ended"
    status: Literal["done", "refused", "failed", "stopped"]
    exit: int
    words: str
    """What happened, in which state the disks are, what to do next."""


Event = Annotated[
    Begun | Started | Output | Progress | Working | Finished | Failed | Notice | Ask | Ended,
    Field(discriminator="event"),
]


class Stamped(Frozen):
    """An event and when it happened: seconds since 1970."""

    at: float
    what: Event


ADAPTER: TypeAdapter[Stamped] = TypeAdapter(Stamped)


class EventLog:
    """The writer: one line for each event, masked, in a file that only root reads."""

    def __init__(self, path: Path, *, fresh: bool = False, echo: Callable[[Event], None] | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh:
            path.unlink(missing_ok=True)
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        os.fchmod(self._file, 0o600)
        self._echo = echo
        self._lines: dict[str, list[str]] = {}
        self._flushed: dict[str, float] = {}
        self._started: dict[str, float] = {}
        self._minutes: dict[str, int] = {}

    def emit(self, event: Event) -> None:
        """Append an event. A full disk loses the event, not the run."""
        operation = getattr(event, "operation", "")
        if isinstance(event, Started):
            self._started[operation], self._minutes[operation] = time.monotonic(), 0
        elif isinstance(event, Finished | Failed):
            self._flush(operation)
            self._started.pop(operation, None)
        self._write(event)

    def output(self, operation: str, line: str) -> None:
        """Add a line of output; it is written with its neighbours, twice a second at most."""
        self._lines.setdefault(operation, []).append(line)
        self._flush_due(operation)

    def tick(self) -> None:
        """Write what is due although nothing happens: the last words before a silence, and that it goes on."""
        for operation in list(self._lines):
            self._flush_due(operation)
        for operation, began in self._started.items():
            minutes = int((time.monotonic() - began) / MINUTE)
            if minutes > self._minutes[operation]:
                self._minutes[operation] = minutes
                self._write(Working(operation=operation, minutes=minutes))

    def close(self) -> None:
        """Write what is left."""
        for operation in list(self._lines):
            self._flush(operation)
        os.close(self._file)

    def _flush_due(self, operation: str) -> None:
        if time.monotonic() - self._flushed.get(operation, 0) >= BATCH:
            self._flush(operation)

    def _flush(self, operation: str) -> None:
        lines = self._lines.pop(operation, None)
        self._flushed[operation] = time.monotonic()
        if lines:
            self._write(Output(operation=operation, lines=tuple(lines)))

    def _write(self, event: Event) -> None:
        masked = _masked(event)
        line = ADAPTER.dump_json(Stamped(at=round(time.time(), 3), what=masked)) + b"\n"
        with contextlib.suppress(OSError):
            os.write(self._file, line)
        if self._echo:
            with contextlib.suppress(OSError):  # a terminal that hung up
                self._echo(masked)


def _masked(event: Event) -> Event:
    """Mask every text before it becomes JSON, where quotes and backslashes would hide a secret from a plain search."""
    texts = {key: value for key, value in event if isinstance(value, str) and key != "event"}
    changed: dict[str, object] = {key: SECRETS.mask(value) for key, value in texts.items()}
    if isinstance(event, Output):
        changed["lines"] = tuple(SECRETS.mask(line) for line in event.lines)
    return event.model_copy(update=changed)


def read(path: Path, *, offset: int = 0) -> Iterator[tuple[Stamped, int]]:
    """Yield the events from a byte offset on, each with the offset behind it; an unfinished line is left for later.

    A line that is no event is passed over: a full disk may have cut one off in its middle.
    """
    with path.open("rb") as file:
        file.seek(offset)
        for line in file:
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            try:
                stamped = ADAPTER.validate_json(line)
            except ValidationError:
                continue
            yield stamped, offset
