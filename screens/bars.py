"""A disk as a bar: its partitions in proportion, each with its name below it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from installer.machine import words
from installer.machine.model import Disk
from installer.plan.contents import contents
from installer.plan.layout import MIB, Layout
from installer.recipe.size import UNITS, Size

FREE, TAKEN, POOL = "░▒█"
"""What pieces are drawn with: the only three blocks that every console font has."""
NARROWEST = 3
"""Columns of a piece; where there are too many pieces, the last ones are drawn as one."""
BRIEF = (
    (r"EFI system partition", "EFI"),
    (r"BIOS boot partition", "BIOS boot"),
    (r"member of ZFS pool", "pool"),
    (r"member of RAID", "RAID"),
    (r"LVM volume group", "LVM"),
    (r"Windows file system \((.+)\)", r"\1"),
    (r"(?:encrypted|Linux|macOS) \((.+)\)", r"\1"),
    (r"reserved by Windows", "reserved"),
    (r"nothing known", "?"),
)
"""What stands under a narrow piece."""
FREE_FROM = 16 * MIB
"""Bytes; less is what alignment leaves."""


@dataclass(frozen=True)
class Piece:
    """A part of a disk."""

    label: str
    size: int
    fill: str


def before(disk: Disk) -> tuple[Piece, ...]:
    """Return what a disk is divided into now. Where between the partitions its free space lies is not known."""
    parts = sorted((node for node in disk.children if node.kind == "part"), key=lambda node: node.number)
    if not parts:
        return (Piece(words.contents(disk), disk.size, FREE if words.contents(disk) == "empty" else TAKEN),)
    pieces = [
        Piece(f"{node.number} {_brief(words.holds(node))} {short(node.size)}", node.size, TAKEN) for node in parts
    ]
    free = disk.size - sum(node.size for node in parts)
    if free > FREE_FROM:
        pieces.append(Piece(f"free {short(free)}", free, FREE))
    return tuple(pieces)


def after(laid: Layout, role: str) -> tuple[Piece, ...]:
    """Return what a disk will be divided into; one that the pool takes whole has no parts."""
    if role not in laid.table_roles:
        return (Piece(contents(laid, role)[0], laid.disks[role].size, POOL),)
    *first, last = [
        Piece(f"{extent.partition.name} {short(extent.size)}", extent.size, TAKEN) for extent in laid.extents
    ]
    pieces = [*first, replace(last, fill=POOL)]
    surplus = laid.disks[role].size - laid.extents[-1].start - laid.extents[-1].size - MIB
    if surplus > FREE_FROM:
        pieces.append(Piece(f"unused {short(surplus)}", surplus, FREE))
    return tuple(pieces)


def draw(pieces: Sequence[Piece], width: int) -> tuple[str, str]:
    """Return the bar and the line of labels below it, both so many columns wide."""
    pieces = _few(pieces, width // NARROWEST)
    widths = _widths(pieces, width)
    bar = "".join(piece.fill * (columns - 1) + "│" for piece, columns in zip(pieces, widths, strict=True))
    bar = bar[:-1] + pieces[-1].fill
    labels = "".join(_fitted(piece.label, columns) for piece, columns in zip(pieces, widths, strict=True))
    return bar, labels.rstrip()


def short(count: int) -> str:
    """Write a size as a recipe does where that is short, else with a decimal."""
    exact = str(Size(count))
    return exact if len(exact) < 5 and exact[-1] in UNITS else words.binary_size(count)


def _brief(said: str) -> str:
    for long, brief in BRIEF:
        said = re.sub(long, brief, said)
    return said


def _few(pieces: Sequence[Piece], most: int) -> Sequence[Piece]:
    if len(pieces) <= most:
        return pieces
    shown, rest = pieces[: most - 1], pieces[most - 1 :]
    return (*shown, Piece(f"{len(rest)} more", _sum(rest), TAKEN))


def _widths(pieces: Sequence[Piece], width: int) -> list[int]:
    """Give each piece room for its label, cutting the longest first, and share what is left by size."""
    widths = [max(len(piece.label) + 1, NARROWEST) for piece in pieces]
    while sum(widths) > width and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1
    rest, total = width - sum(widths), max(_sum(pieces), 1)
    widths = [columns + rest * piece.size // total for columns, piece in zip(widths, pieces, strict=True)]
    largest = max(range(len(pieces)), key=lambda place: pieces[place].size)
    widths[largest] += width - sum(widths)
    return widths


def _fitted(label: str, columns: int) -> str:
    if len(label) < columns:
        return label.ljust(columns)
    cut = label[: columns - 1]
    # Half a number would be another number.
    whole = cut if label[columns - 1] == " " else cut.rpartition(" ")[0]
    return (whole or cut).ljust(columns)


def _sum(pieces: Iterable[Piece]) -> int:
    return sum(piece.size for piece in pieces)
