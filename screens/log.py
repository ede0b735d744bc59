"""The full log of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

from screens import theme
from screens.following import Run
from screens.paper import Line, Paper
from screens.theme import Bar


class Log(ModalScreen[None]):
    """Everything that was said so far; what comes is added while its end is in sight."""

    CSS = "Log { background: ansi_default; } Log Paper { padding: 0 2; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f3", "dismiss(None)", "Back", key_display="Esc"),
        Binding("enter", "dismiss(None)", show=False),
    ]

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run
        self._last: Line | None = None

    def compose(self) -> ComposeResult:
        yield Bar(id="bar")
        yield Paper(id="log", follow=True)
        yield Static(theme.keys({"Esc": "Back", "↑↓ PgUp PgDn Home End": "Scroll"}), id="keys")

    def on_mount(self) -> None:
        self.query_one(Bar).title = "Log"
        paper = self.query_one(Paper)
        paper.write(self._run.log)
        self._last = self._run.log[-1] if self._run.log else None
        paper.focus()
        self.call_after_refresh(lambda: paper.scroll_end(animate=False))

    def refresh_lines(self) -> None:
        """Add what has been said since the last time."""
        fresh = _after(self._run.log, self._last)
        if fresh:
            self._last = fresh[-1]
            self.query_one(Paper).add(fresh)


def _after(lines: Sequence[Line], last: Line | None) -> Sequence[Line]:
    """Return what stands behind a line, which is told by being that very object."""
    for place in range(len(lines) - 1, -1, -1):
        if lines[place] is last:
            return lines[place + 1 :]
    return lines
