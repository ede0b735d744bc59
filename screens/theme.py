"""How every screen looks: sixteen colours at most, and nothing that is lost without them.

A colour that fills is given as foreground and turned round (`reverse`): where there are no colours, the bar is still a
bar and the focus is still seen.
"""

from __future__ import annotations

import dataclasses

from rich.color import Color
from rich.segment import Segment, Segments
from rich.style import Style
from textual.content import Content
from textual.reactive import reactive
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.style import Style as VisualStyle
from textual.theme import BUILTIN_THEMES
from textual.widget import Widget
from textual.widgets import OptionList

THEME = dataclasses.replace(BUILTIN_THEMES["ansi-dark"], name="zroot", primary="ansi_cyan", secondary="ansi_blue")
"""The terminal's own colours: its background stays, whether light or dark."""

CSS = """
Screen { scrollbar-size: 1 1; }
Bar { height: 1; color: ansi_blue; background: ansi_bright_white; text-style: reverse bold; }
#body { height: 1fr; padding: 1 2 0 2; scrollbar-size: 1 1; }
#help { height: 2; padding: 0 2; }
#buttons { height: 1; padding: 0 2; hatch: "─" $primary; }
#buttons Press { margin-right: 2; width: auto; }
#keys { height: 1; padding: 0 1; }
.words { height: auto; margin-bottom: 1; }

Field { height: auto; }
Field .row { height: auto; }
Field .label { width: 20; }
Field .mark { width: 2; height: 1; color: $primary; text-style: bold; }
Field.-here .label { text-style: bold; }
Field Entry { width: 1fr; max-width: 54; }
Field Pick { width: 1fr; height: auto; }
Field .problem { color: $error; text-style: bold; padding-left: 22; height: auto; }
Pick:focus, Press:focus { color: $primary; text-style: reverse; }

Entry, Entry:focus { color: ansi_default; background: ansi_default; background-tint: transparent; text-style: bold; }
Entry > .input--cursor { color: ansi_default; background: ansi_default; text-style: reverse; }
Entry > .input--selection { color: $primary; background: ansi_default; text-style: reverse; }
Entry > .input--placeholder, Entry > .input--line { color: ansi_default; text-style: not bold; }

OptionList { scrollbar-size: 1 1; }
OptionList > .option-list--option-highlighted { color: $primary; background: ansi_default; }

Search, Help, TooSmall { align: center middle; }
Search > Vertical { width: 70; max-width: 100%; height: 20; border: solid $primary; padding: 0 1; }
Search OptionList { height: 1fr; border: none; padding: 0; }
Search #none { height: auto; }
Help > VerticalScroll { width: 76; max-width: 100%; height: auto; max-height: 90%; border: solid $primary;
    padding: 0 1; scrollbar-size: 1 1; }
Help Static { height: auto; max-width: 71; margin-bottom: 1; }
Help Static:last-of-type { margin-bottom: 0; }
TooSmall Static { width: auto; }
"""


class Rail(ScrollBarRender):
    """A scroll bar of whole cells: Textual's own has eighths of blocks, which no console font knows."""

    @classmethod
    def render_bar(  # noqa: PLR0913, PLR0917 - as Textual calls it
        cls,
        size: int = 25,
        virtual_size: float = 50,
        window_size: float = 20,
        position: float = 0,
        thickness: int = 1,
        vertical: bool = True,
        back_color: Color | None = None,
        bar_color: Color | None = None,
    ) -> Segments:
        """Draw the part that is seen as a full block on a light one."""
        first, last = 0, 0
        if window_size and size and virtual_size > window_size:
            length = max(1, min(size - 1, round(size * window_size / virtual_size)))
            first = round((size - length) * position / (virtual_size - window_size))
            last = first + length
        style = Style(meta={"@mouse.down": "grab"})
        segments = [Segment(("█" if first <= cell < last else "░") * (thickness if vertical else 1), style)
                    for cell in range(size)]  # fmt: skip
        if vertical:
            return Segments(segments, new_lines=True)
        return Segments([*segments, Segment.line()] * thickness, new_lines=False)


ScrollBar.renderer = Rail


class Options(OptionList):
    """A list whose marked line is seen without colours; Textual drops `reverse` of a part of a widget."""

    def get_visual_style(self, *component_classes: str, partial: bool = False) -> VisualStyle:
        """Return the style of a part."""
        style = super().get_visual_style(*component_classes, partial=partial)
        # A list that cannot have the focus is steered from the field above it.
        marked = "option-list--option-highlighted" in component_classes and (self.has_focus or not self.can_focus)
        return style + VisualStyle(reverse=True) if marked else style


class Bar(Widget):
    """The first line: what this screen asks, and how far along it is."""

    title: reactive[str] = reactive("")
    number: reactive[int] = reactive(0)
    steps: reactive[int] = reactive(0)

    def render(self) -> Content:
        """Fill the whole line: only text is turned round, not what is left of it."""
        left, right = f" zroot  {self.title}", ""
        if self.number:
            done = "█" * self.number + "░" * (self.steps - self.number)
            right = f"step {self.number} of {self.steps}  {done} "
        room = self.size.width - len(left)
        return Content(left + (right if len(right) < room else "").rjust(room))


def keys(known: dict[str, str]) -> Content:
    """Write the keys that work and what each does."""
    parts: list[str | tuple[str, str]] = []
    for key, words in known.items():
        parts += [(f" {key} ", "reverse"), f" {words}   "]
    return Content.assemble(*parts)
