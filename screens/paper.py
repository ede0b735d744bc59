"""Long text that scrolls: wrapped to the width that there is, drawn by the line, however long it gets."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from installer.plan.names import plain


class Look(StrEnum):
    """How a line stands out. It never means anything that its words do not say."""

    PLAIN = "plain"
    STRONG = "strong"
    DANGER = "danger"
    GOOD = "good"


@dataclass(frozen=True)
class Line:
    """A line before it is wrapped: indented by so many columns, and what follows by more."""

    text: str
    indent: int = 0
    hang: int = 0
    look: Look = Look.PLAIN

    def wrapped(self, width: int) -> list[str]:
        """Return the lines that it takes; words longer than a line (paths) are cut."""
        text = plain(self.text)
        if not text.strip():
            return [""]
        return textwrap.wrap(
            text,
            max(width, self.indent + self.hang + 4),
            initial_indent=" " * self.indent,
            subsequent_indent=" " * (self.indent + self.hang),
            break_on_hyphens=False,
        )


class Paper(ScrollView, can_focus=True):
    """Lines of text; arrows and page keys scroll it while it has the focus."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"paper--{look}" for look in Look}
    DEFAULT_CSS = """
    Paper { height: 1fr; width: 1fr; scrollbar-size: 1 1; overflow-x: hidden; overflow-y: auto; }
    Paper > .paper--strong { text-style: bold; }
    Paper > .paper--danger { color: $error; text-style: bold; }
    Paper > .paper--good { color: $success; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def __init__(self, *, id: str, follow: bool = False, focus: bool = True) -> None:
        super().__init__(id=id)
        self.can_focus = focus
        self._follow = follow
        """Whether the end stays in sight while lines are added, as long as nobody scrolled away from it."""
        self._lines: list[Line] = []
        self._drawn: list[tuple[str, Look]] = []
        self._end = 0
        """How far it could be scrolled when it was last measured: a smaller terminal moves the end away."""

    def write(self, lines: Iterable[Line]) -> None:
        """Put these lines in the place of all others."""
        self._lines = list(lines)
        self._wrap()

    def add(self, lines: Iterable[Line]) -> None:
        """Put lines at the end."""
        fresh = list(lines)
        if not fresh:
            return
        at_end = self.scroll_offset.y >= self.max_scroll_y
        self._lines += fresh
        self._drawn += self._broken(fresh)
        self._measure()
        if self._follow and at_end:
            self.scroll_end(animate=False)

    def text(self) -> str:
        """Return everything as it is drawn."""
        return "\n".join(line for line, _ in self._drawn)

    def on_resize(self, event: Resize) -> None:
        self._wrap()

    def _wrap(self) -> None:
        at_end = self._follow and self.scroll_offset.y >= min(self._end, self.max_scroll_y)
        self._drawn = self._broken(self._lines)
        self._measure()
        if at_end:
            self.scroll_end(animate=False)

    def _broken(self, lines: Iterable[Line]) -> list[tuple[str, Look]]:
        # The scroll bar comes and goes with the number of lines; its column is left free either way.
        # Before it is laid out it has no width; a Resize follows, and until then nothing is drawn a letter to a line.
        width = self.outer_size.width - self.gutter.width - 1 if self.outer_size else 80
        return [(text, line.look) for line in lines for text in line.wrapped(width)]

    def _measure(self) -> None:
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._drawn))
        self._end = self.max_scroll_y
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        place = y + self.scroll_offset.y
        text, look = self._drawn[place] if place < len(self._drawn) else ("", Look.PLAIN)
        style = self.get_component_rich_style(f"paper--{look}") if look is not Look.PLAIN else self.rich_style
        return Strip([Segment(text, style)]).adjust_cell_length(self.size.width, self.rich_style)
