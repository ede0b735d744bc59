"""What goes over the line: of each picture only what is new.

A serial line carries 11 kB a second. Textual writes the whole screen whenever the layout changes, and several times
while a screen is made: 18 kB for one key. It has no public place to do this in, so what it is about to write is read
as far as it is understood, and else passed on as it is; tests/screens/test_line.py holds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Size

END = "\x1b[0m"
REST = "\x1b[K"
"""Clears the rest of a line."""
GAP = 6
"""Cells that did not change are written again rather than gone round, if there are no more of them."""


class Cell(NamedTuple):
    """A character and the sequence that its look begins with; the second half of a wide character is empty."""

    char: str
    look: str


BLANK = Cell(" ", "")
UNKNOWN = Cell("?", "unknown")


class News(CompositorUpdate):
    """What has to be written so that the terminal shows a picture."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment(self._text)

    def render_segments(self, console: Console) -> str:
        """Return it, escape sequences and all."""
        return self._text


class Wire:
    """Knows what the terminal shows."""

    def __init__(self) -> None:
        self._shown: list[list[Cell]] = []

    def forget(self) -> None:
        """Take it that the terminal shows anything at all, and write everything the next time."""
        self._shown = []

    def whole(self, size: Size) -> News | None:
        """Return everything that was written to a terminal of this size."""
        if not self._fits(size):
            return None
        lines = enumerate(self._shown)
        return News("".join(_line(y, line, [UNKNOWN] * size.width) for y, line in lines if UNKNOWN not in line))

    def news(self, update: RenderableType, size: Size, console: Console) -> RenderableType:
        """Return what is shorter than an update and does the same on a terminal of this size."""
        if not self._fits(size):
            self._shown = [[UNKNOWN] * size.width for _ in range(size.height)]
        colours = console._color_system
        wanted: dict[int, list[Cell]] = {}
        match update:
            case LayoutUpdate(strips=strips, region=region) if region == size.region:
                wanted = {y: cells((one for strip in line for one in strip), colours) for y, line in enumerate(strips)}
            case ChopsUpdate(chops=chops, spans=spans):
                for y, first, end in spans:
                    line = wanted.setdefault(y, list(self._shown[y]))
                    for x, strip in chops[y].items():
                        new = cells(strip, colours) if strip is not None and x < end else []
                        # What lies outside of the span may have something in front of it.
                        start, stop = max(x, first), min(x + len(new), end)
                        if stop > start:
                            line[start:stop] = new[start - x : stop - x]
                            _mend(line, start)
                            _mend(line, stop)
        if not wanted or any(len(line) != size.width for line in wanted.values()):
            self.forget()
            return update
        text = "".join(_line(y, line, self._shown[y]) for y, line in wanted.items())
        for y, line in wanted.items():
            self._shown[y] = line
        return News(text)

    def _fits(self, size: Size) -> bool:
        return bool(self._shown) and len(self._shown) == size.height and len(self._shown[0]) == size.width


def cells(segments: Iterable[Segment], colours: ColorSystem | None) -> list[Cell]:
    """Return the cells of a part of a line, on a terminal with this system of colours, if any."""
    found: list[Cell] = []
    for text, style, control in segments:
        if control:
            continue
        look = _look(style, colours) if style else ""
        for char in text:
            width = 1 if char < "\x7f" else get_character_cell_size(char)
            if not width and found:  # an accent belongs to what it stands on
                found[-1] = Cell(found[-1].char + char, found[-1].look)
            elif width:
                found.append(Cell(char, look))
                found += [Cell("", look)] * (width - 1)
    return found


def _mend(line: list[Cell], place: int) -> None:
    """Blank the halves of wide characters on both sides of a cut."""
    if 0 < place < len(line) and not line[place].char and not _wide(line[place - 1]):
        line[place] = Cell(" ", line[place].look)
    if 0 < place < len(line) and line[place].char and _wide(line[place - 1]):
        line[place - 1] = Cell(" ", line[place - 1].look)


def _wide(cell: Cell) -> bool:
    return cell.char > "\x7f" and get_character_cell_size(cell.char[0]) == 2


@lru_cache(512)
def _look(style: Style, colours: ColorSystem | None) -> str:
    """Return the sequence that a style begins with: without default colours, because each run ends with a reset."""
    names = ("bold", "dim", "italic", "underline", "blink", "reverse", "strike")
    color, bgcolor = (one if one and not one.is_default else None for one in (style.color, style.bgcolor))
    plain = Style(color=color, bgcolor=bgcolor, **{name: getattr(style, name) or None for name in names})
    return plain.render("x", color_system=colours).partition("x")[0]


def _line(y: int, now: list[Cell], shown: list[Cell]) -> str:
    """Write what is new in a line."""
    rest = len(now)
    while rest and now[rest - 1] == BLANK:
        rest -= 1
    parts = [_written(y, start, now[start:end]) for start, end in _changes(now[:rest], shown)]
    if any(cell != BLANK for cell in shown[rest:]):
        parts.append(f"\x1b[{y + 1};{rest + 1}H{REST}")
    return "".join(parts)


def _changes(now: list[Cell], shown: list[Cell]) -> list[tuple[int, int]]:
    """Return where runs of new cells begin and end; never within a wide character."""
    found: list[tuple[int, int]] = []
    for place, (new, old) in enumerate(zip(now, shown, strict=False)):
        if new == old:
            continue
        start = place
        while start and not (now[start].char and shown[start].char):
            start -= 1
        end = place + 1
        while end < len(now) and not (now[end].char and shown[end].char):
            end += 1
        if found and start - found[-1][1] <= GAP and UNKNOWN not in now[found[-1][1] : start]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _written(y: int, x: int, run: list[Cell]) -> str:
    """Write cells, a look once for all that follow each other."""
    parts, look = [f"\x1b[{y + 1};{x + 1}H"], ""
    for cell in run:
        if cell.look != look:
            parts.append((END if look else "") + cell.look)
            look = cell.look
        parts.append(cell.char)
    return "".join(parts) + (END if look else "")
