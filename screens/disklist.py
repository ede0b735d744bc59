"""The list of disks: a line for each, chosen and un-chosen with space, steady when disks come and go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.events import Click
from textual.geometry import Offset, Size
from textual.message import Message

from installer.machine import words
from installer.machine.model import Disk
from screens.answers import ROLES
from screens.fields import Accepted, Changed, Own

OTHER_LINES = 15
"""Lines of the terminal that the rest of the screen needs."""
FEWEST = 4
MARK, NAME, SIZE, BUS = 5, 8, 8, 6
"""Columns of what has the same width on every terminal."""


@dataclass(frozen=True)
class Line:
    """A disk of the list, and why it cannot be chosen."""

    disk: Disk
    reasons: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What the disk is known by."""
        return self.disk.identity


class DiskList(Own):
    """Every disk, those that can be chosen first. Its answer is the chosen identities in the order of choosing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "choose", "Choose", key_display="Space"),
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "move(-1000)", show=False),
        Binding("end", "move(1000)", show=False),
        Binding("enter", "accept", show=False),
    ]

    class Moved(Message):
        """Another disk is in focus."""

    class Refused(Message):
        """A disk was to be chosen that cannot be."""

        def __init__(self, reason: str) -> None:
            super().__init__()
            self.reason = reason

    def __init__(self, chosen: Sequence[str]) -> None:
        super().__init__()
        self.lines: tuple[Line, ...] = ()
        self._chosen = list(chosen)
        self._place = 0
        self._first = 0

    def answer(self) -> tuple[str, ...]:
        """Return the identities of the chosen disks."""
        return tuple(self._chosen)

    @property
    def at(self) -> Line | None:
        """The line in focus."""
        return self.lines[self._place] if self.lines else None

    def show(self, lines: Iterable[Line]) -> tuple[str, ...]:
        """Show these disks; the cursor stays on the same one. Return what became of the chosen ones, in sentences."""
        before = self.at
        known = {line.identity: line for line in self.lines}
        self.lines = tuple(sorted(lines, key=_group))
        now = {line.identity: line for line in self.lines}
        said = []
        for identity in list(self._chosen):
            line = now.get(identity) or self._renamed(known.get(identity))
            if line and not line.reasons:
                self._chosen[self._chosen.index(identity)] = line.identity
                continue
            self._chosen.remove(identity)
            why = " ".join(line.reasons) if line else "It is gone."
            said.append(f"{named(known[identity].disk) if identity in known else identity} is un-chosen. {why}")
        self._place = self._again(before)
        self._scroll()
        self.refresh(layout=True)
        return tuple(said)

    def _again(self, before: Line | None) -> int:
        """Find the place of the disk that the cursor was on; where it is gone, what is there instead."""
        same = before and (next((line for line in self.lines if line.identity == before.identity), None)
                           or self._renamed(before))  # fmt: skip
        return self.lines.index(same) if same else max(min(self._place, len(self.lines) - 1), 0)

    def _renamed(self, before: Line | None) -> Line | None:
        """Find a disk that another name tells now: a second one with the same serial came, or went."""
        if before is None:
            return None
        old = before.disk
        facts = (old.name, old.serial, old.wwn, old.size)
        found = (
            line for line in self.lines if facts == (line.disk.name, line.disk.serial, line.disk.wwn, line.disk.size)
        )
        return next(found, None)

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to choose only where there is something to choose from."""
        return bool(self.lines) if action == "choose" else super().check_action(action, parameters)

    def action_move(self, by: int) -> None:
        place = min(max(self._place + by, 0), max(len(self.lines) - 1, 0))
        if place == self._place and abs(by) == 1:
            self.app.action_focus_next() if by > 0 else self.app.action_focus_previous()
            return
        self._place = place
        self._scroll()
        self.refresh()
        self.post_message(self.Moved())

    def action_page(self, by: int) -> None:
        self.action_move(by * max(self._shown() - 1, 2))

    def action_choose(self) -> None:
        line = self.at
        if line is None:
            return
        if line.reasons:
            self.post_message(self.Refused(f"{named(line.disk)} cannot be used. {' '.join(line.reasons)}"))
            return
        if line.identity in self._chosen:
            self._chosen.remove(line.identity)
        elif len(self._chosen) == len(ROLES):
            self.post_message(
                self.Refused(f"More than {len(ROLES)} disks cannot be chosen here; a recipe can name them.")
            )
            return
        else:
            self._chosen.append(line.identity)
        self.refresh()
        self.post_message(Changed(self))

    def action_accept(self) -> None:
        self.post_message(Accepted(self))

    def on_click(self, event: Click) -> None:
        place = self._first + event.y - 1
        if 0 <= place < len(self.lines):
            self._place = place
            self.post_message(self.Moved())
            self.action_choose()

    # Drawing

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Take a line for each disk and one for the heads, as far as the terminal has them."""
        return 1 + min(max(len(self.lines), 2), max(viewport.height - OTHER_LINES, FEWEST))

    def on_resize(self) -> None:
        self._scroll()
        self.refresh()

    def cursor(self) -> Offset:
        """Return the place of the line in focus."""
        return Offset(0, 1 + self._place - self._first)

    def _shown(self) -> int:
        return max(self.size.height - 1, 1)

    def _scroll(self) -> None:
        shown = self._shown()
        self._first = min(max(self._first, self._place - shown + 1), self._place)
        self._first = max(min(self._first, len(self.lines) - shown), 0)

    def render(self) -> Content:
        width = self.size.width
        columns = _columns(width)
        above, below = self._first, len(self.lines) - self._first - self._shown()
        head = _row(columns, ("", "Disk", "Model", "Size", "Bus", "Serial", "On it now"))
        rows = [Content.styled(_marked(head, above, below, width), "bold")]
        for place in range(self._first, min(self._first + self._shown(), len(self.lines))):
            rows.append(self._drawn(self.lines[place], columns, width, focused=place == self._place))
        return Content("\n").join(rows)

    def _drawn(self, line: Line, columns: Sequence[int], width: int, *, focused: bool) -> Content:
        disk = line.disk
        pointer = ">" if focused else " "
        if line.reasons:
            room = NAME + 1 + columns[2]
            size = f"{words.size(disk.size):>{SIZE}}"
            text = f"{pointer} -  {cut(disk.name, room):<{room}} {size} {' '.join(line.reasons)}"
        else:
            role = f"[{ROLES[self._chosen.index(line.identity)]}]" if line.identity in self._chosen else "[ ]"
            cells = (disk.name, model(disk), _size(disk), bus(disk), label(disk), words.contents(disk))
            text = _row(columns, (f"{pointer}{role}", *cells))
        style = "$primary reverse" if focused and self.has_focus else "bold" if line.identity in self._chosen else ""
        return Content.styled(cut(text, width).ljust(width), style)


def named(disk: Disk) -> str:
    """Name a disk in a sentence."""
    return f"{disk.name} ({label(disk)})" if disk.kind == "disk" else disk.name


def model(disk: Disk) -> str:
    """Return the model as the list shows it."""
    return disk.model or ("virtual disk" if disk.transport == "virtio" else "unknown")


def bus(disk: Disk) -> str:
    """Return how the disk is attached, in a word."""
    called = words.TRANSPORTS.get(disk.transport, disk.transport)
    return called if len(called) <= BUS else disk.transport


def label(disk: Disk) -> str:
    """Return what tells the disk from its twins, as short as it can be said."""
    identity = disk.identity
    if identity == disk.serial:
        return identity
    return identity.rpartition("/")[2] if identity.startswith("/dev/") else identity


def cut(text: str, width: int, *, keep_end: bool = False) -> str:
    """Shorten a text to so many columns; two dots stand for the rest."""
    if len(text) <= width:
        return text
    return f"..{text[len(text) - width + 2 :]}" if keep_end else f"{text[: max(width - 2, 0)]}.."[:width]


def _group(line: Line) -> int:
    """Put the disks first that can be used, then those that cannot, then what is no disk."""
    return 0 if not line.reasons else 1 if line.disk.kind == "disk" and line.disk.size else 2


def _columns(width: int) -> tuple[int, ...]:
    rest = width - MARK - NAME - SIZE - BUS - 5
    about = max(rest * 3 // 10, 8)
    return MARK - 1, NAME, about, SIZE, BUS, about, max(rest - 2 * about, 8)


def _row(columns: Sequence[int], cells: Sequence[str]) -> str:
    sized = [
        cut(cell, width, keep_end=number == 5) for number, (cell, width) in enumerate(zip(cells, columns, strict=True))
    ]
    return " ".join(
        cell.rjust(width) if number == 3 else cell.ljust(width)
        for number, (cell, width) in enumerate(zip(sized, columns, strict=True))
    )


def _size(disk: Disk) -> str:
    return words.size(disk.size)


def _marked(head: str, above: int, below: int, width: int) -> str:
    """Write into the heads how many lines are out of sight."""
    hidden = [f"↑ {above}" if above else "", f"↓ {below}" if below > 0 else ""]
    words_ = " ".join(filter(None, hidden))
    return head.ljust(width)[: width - len(words_)] + words_
