"""A pool as a drawing: its vdevs as boxes, its disks by their roles, and what follows from that in numbers."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from installer.machine import words
from installer.recipe.model import VdevKind, VdevRole
from screens.answers import ROLES, survives, usable
from screens.vdevs import Support, listed

WORDS: Mapping[VdevKind, str] = {
    VdevKind.SINGLE: "one disk",
    VdevKind.STRIPE: "stripe: each disk adds its space",
    VdevKind.MIRROR: "mirror: every disk holds everything",
    VdevKind.STRIPED_MIRRORS: "striped mirrors: pairs of disks",
    VdevKind.RAIDZ1: "raidz1: one disk's worth of parity",
    VdevKind.RAIDZ2: "raidz2: two disks' worth of parity",
    VdevKind.RAIDZ3: "raidz3: three disks' worth of parity",
    VdevKind.DRAID2: "draid2: as raidz2, with a spread spare",
}
LATER: Mapping[VdevKind, str] = {
    VdevKind.SINGLE: "it becomes a mirror with a second disk",
    VdevKind.STRIPE: "disks can be added, and not one taken out",
    VdevKind.MIRROR: "disks can be attached and detached",
    VdevKind.STRIPED_MIRRORS: "pairs can be added and removed",
    VdevKind.RAIDZ1: "disks can be added; the parity stays",
    VdevKind.RAIDZ2: "disks can be added; the parity stays",
    VdevKind.RAIDZ3: "disks can be added; the parity stays",
    VdevKind.DRAID2: "disks can be replaced, and none added",
}
"""What zpool attach, add and remove can do with it; raidz takes a single disk since OpenZFS 2.3."""
CELL = 4
"""Columns that a disk takes in its box."""
LABEL = 10
LEAST = 26
"""Columns below which sentences stand under the drawing rather than beside it."""


def vdevs(kind: VdevKind, roles: str) -> list[tuple[str, str]]:
    """Return the vdevs of a pool: what each is called, and the roles of its disks."""
    match kind:
        case VdevKind.SINGLE | VdevKind.STRIPE:
            return [("disk", role) for role in roles]
        case VdevKind.STRIPED_MIRRORS:
            return [("mirror", roles[start : start + 2]) for start in range(0, len(roles), 2)]
    return [(str(kind), roles)]


def drawing(  # noqa: PLR0913 - what there is to a pool
    kind: VdevKind, *, count: int, pool: str, width: int, roles: str = ROLES, others: Sequence[Support] = ()
) -> list[str]:
    """Draw a pool as lines of at most so many columns; its data are on the first disks of `roles`."""
    found = [*vdevs(kind, roles[:count]), *((one.words, one.roles) for one in others)]
    boxes = [box(name, disks, width=width - 4) for name, disks in found]
    rows = [_beside(row) for row in _rows(boxes, width=width - 4)]
    title = pool if len(pool) <= width - 6 else f"{pool[: width - 9]}..."
    inner = max(len(title) + 2, *(len(line) for row in rows for line in row)) + 2
    body = [f"║ {line.ljust(inner - 2)} ║" for row in rows for line in row]
    return [f"╔ {title} ".ljust(inner + 1, "═") + "╗", *body, f"╚{'═' * inner}╝"]


def box(name: str, roles: str, *, width: int) -> list[str]:
    """Draw one vdev, its disks in as many lines as they need."""
    per_line = max(1, min(len(roles), (width - 4) // CELL))
    parts = [roles[start : start + per_line] for start in range(0, len(roles), per_line)]
    lines = ["".join(role.center(CELL) for role in part) for part in parts]
    inner = max(len(name) + 2, len(lines[0]))
    lines = [line.ljust(len(lines[0])) for line in lines]
    return [
        f"┌ {name} ".ljust(inner + 1, "─") + "┐",
        *(f"│{line.center(inner)}│" for line in lines),
        f"└{'─' * inner}┘",
    ]


def _rows(boxes: Sequence[list[str]], *, width: int) -> Iterator[list[list[str]]]:
    """Give as many boxes in a row as there is room for; one of several lines stands alone."""
    row: list[list[str]] = []
    for one in boxes:
        full = row and sum(len(other[0]) + 1 for other in row) + len(one[0]) > width
        if row and (full or len(row[0]) != len(one)):
            yield row
            row = []
        row.append(one)
    yield row


def _beside(boxes: Sequence[list[str]]) -> list[str]:
    return [" ".join(parts) for parts in zip(*boxes, strict=True)]


def facts(kind: VdevKind, *, count: int, member: int | None, others: Sequence[Support] = ()) -> list[tuple[str, str]]:
    """Say what a pool of so many members of a size holds and survives; the size is none where it is not known."""
    if member is None:
        space = "not known: a disk is not there (see Disks)"
    elif count == 1:
        space = f"about {words.size(member)}"
    else:
        space = f"about {words.size(usable(kind, count=count, size=member))} of {words.size(member * count)}"
    said = [("Space", space), ("Survives", losses(kind, count=count, others=others))]
    said += [("" if number else "Besides", text) for number, text in enumerate(beside(others))]
    return [*said, ("Later", LATER[kind])]


def losses(kind: VdevKind, *, count: int, others: Sequence[Support] = ()) -> str:
    """Say how many of the disks may fail with which the pool lives."""
    surely, at_best = survives(kind, count=count)
    if carrying := [one for one in others if one.carries]:
        surely = min(surely, *(one.survives for one in carrying))
        count += sum(len(one.roles) for one in carrying)
        if surely:
            any_of = f"any {surely} of {count} disks" if surely > 1 else f"any one of {count} disks"
            return f"{any_of}; or {'one' if surely == 1 else surely} in each vdev"
    if not surely:
        return "no failed disk: then all is lost" if count > 1 else "nothing: if the disk fails, all is lost"
    any_of = f"any {surely} of {count} disks" if surely > 1 else f"any one of {count} disks"
    if kind is VdevKind.DRAID2:
        return f"{any_of}; a third once the spare is filled"
    return any_of if at_best == surely else f"{any_of}; {at_best}, one of each pair"


def beside(others: Sequence[Support]) -> Iterator[str]:
    """Say of the vdevs that hold no file what their loss comes to."""
    spare = [one for one in others if one.role in (VdevRole.CACHE, VdevRole.SPARE)]
    if spare:
        yield f"{' and '.join(f'{one.role} {listed(one.roles)}' for one in spare)} may fail without harm"
    for one in others:
        if one.role is VdevRole.LOG and one.survives:
            yield f"log {listed(one.roles)}: all but one may fail"
        elif one.role is VdevRole.LOG:
            yield f"log {one.roles} may fail; with a power cut, the last writes are lost"


def picture(art: Sequence[str], said: Sequence[tuple[str, str]], *, width: int) -> str:
    """Lay sentences beside a drawing, or below it where there is no room."""
    wide = max(map(len, art))
    room = width - wide - 3
    lines = _sentences(said, width=room) if room >= LABEL + LEAST else []
    if not lines or len(lines) > len(art):
        return "\n".join([*art, *_sentences(said, width=width)])
    above = [""] * (len(lines) < len(art))
    beside = itertools.zip_longest(art, [*above, *lines], fillvalue="")
    return "\n".join(f"{left}   {right}".rstrip() for left, right in beside)


def _sentences(said: Sequence[tuple[str, str]], *, width: int) -> list[str]:
    return [
        line
        for name, text in said
        for line in textwrap.wrap(
            f"{name.ljust(LABEL)}{text}", width, subsequent_indent=" " * LABEL, break_on_hyphens=False
        )
    ]
