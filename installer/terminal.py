"""The events of a run as lines on a terminal."""

from __future__ import annotations

import contextlib
from typing import TextIO

from installer.errors import ZrootError
from installer.run.consoles import plain
from installer.run.events import Begun, Ended, Event, Failed, Finished, Notice, Output, Progress, Started, Working

STEP = 10
"""Per cent between two lines of progress."""


class Terminal:
    """A reader of events; losing it changes nothing in the run."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._operations = 0
        self._percent = 0

    def show(self, event: Event) -> None:
        """Write what a person who waits wants to know."""
        line = self._line(event)
        if line:
            # The terminal is gone (ssh, a closed pipe); the run is not.
            with contextlib.suppress(OSError, ValueError):
                print(line, file=self._out, flush=True)

    def _line(self, event: Event) -> str:  # noqa: PLR0911 - one for each event
        match event:
            case Begun():
                self._operations = event.operations
                return f"{'Going on with' if event.resumed else 'Installing'}: {plain(event.title)}"
            case Started():
                self._percent = 0
                return f"[{event.number}/{self._operations}] {plain(event.title)}"
            case Progress() if event.percent >= self._percent + STEP:
                self._percent = event.percent
                return f"    {event.percent} %"
            case Output():
                return "\n".join(f"    {plain(line)}" for line in event.lines)
            case Working():
                return f"    {event.minutes} min"
            case Finished() if event.seconds >= 1:
                return f"    done in {event.seconds:.0f} s"
            case Failed():
                failure = str(ZrootError(event.title, message=event.message, hint=event.hint))
                return f"{failure}\nIt can be done without, so the installation goes on." if event.optional else failure
            case Notice():
                return event.text
            case Ended() if event.status == "done":
                return event.words
        return ""
