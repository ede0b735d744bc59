"""Where the blocks of a file lie on the members of a pool, as zdb tells it.

Pure: text in, offsets out. The arithmetic is that of OpenZFS: vdev.c puts labels and boot area before the data,
vdev_raidz.c deals a block out in columns.
"""

from __future__ import annotations

import re
from typing import Any

from installer.frozen import Frozen

FRONT = 4 * 1024**2
"""Bytes at the beginning of each member: two labels of 256 KiB and the boot area."""

SWAPPED = 1 << 20
"""raidz1 exchanges its first two columns in every second MiB, so that the parity does not stay on one member."""

ROLES = ("dedup", "special", "logs", "cache", "spares")
"""Headings in zpool status, over the vdevs that are not for data."""

Tree = dict[str, Any]
"""What zdb says of a pool, by its indentation: texts, and dictionaries of them."""

KEY = re.compile(r"^( *)([^:]+(?:\[\d+\])?): ?(.*)$")
BLOCK = re.compile(
    r"^ *(?P<file>[0-9a-f]+) +L0 (?P<vdev>[0-9]+):(?P<address>[0-9a-f]+):(?P<taken>[0-9a-f]+)"
    r" (?P<logical>[0-9a-f]+)L/(?P<physical>[0-9a-f]+)P "
)


class Member(Frozen):
    """A device of a vdev."""

    guid: str
    path: str
    kind: str
    """`disk` or `file`; anything else stands in for a device (`spare`, `replacing`)."""


class Vdev(Frozen):
    """A top-level vdev of a pool."""

    number: int
    kind: str
    parity: int
    ashift: int
    role: str
    """`data`, or as zpool status has it: `logs`, `special`, `dedup`."""
    members: tuple[Member, ...]


class Block(Frozen):
    """One block of a file: where it begins in the file, and its place on a vdev; all in bytes."""

    file: int
    vdev: int
    address: int
    size: int


class Piece(Frozen):
    """A run of bytes that a member holds in clear: where in the file, where on the device, how many."""

    file: int
    device: int
    size: int


class Column(Frozen):
    """A member's share of a block of a raidz."""

    member: int
    address: int
    size: int


def vdevs(config: str, status: str) -> tuple[Vdev, ...]:
    """Read the top-level vdevs from `zdb -C`, and what they are for from `zpool status -g`, which alone says it.

    What is left of removed ones is passed over.
    """
    tree = _tree(config).get("MOS Configuration", {}).get("vdev_tree", {})
    found = [child for child in _children(tree) if child.get("type") not in ("hole", "indirect", "missing")]
    roles = _roles(status)
    return tuple(_vdev(child, roles.get(child["guid"], "data")) for child in found)


def _roles(status: str) -> dict[str, str]:
    role, found = "data", {}
    for words in filter(None, (line.split() for line in status.splitlines())):
        if words[0] in ROLES:
            role = words[0]
        found[words[0]] = role
    return found


def _vdev(tree: Tree, role: str) -> Vdev:
    children = _children(tree) or [tree]
    return Vdev(
        number=int(tree["id"]),
        kind=tree["type"],
        parity=int(tree.get("nparity", 0)),
        ashift=int(tree["ashift"]),
        role=role,
        members=tuple(Member(guid=child["guid"], path=child.get("path", ""), kind=child["type"]) for child in children),
    )


def _children(tree: Tree) -> list[Tree]:
    return [value for key, value in tree.items() if key.startswith("children[")]


def _tree(text: str) -> Tree:
    """Read zdb's indented `key: value` lines into dictionaries."""
    root: Tree = {}
    open_ones: list[tuple[int, Tree]] = [(-1, root)]
    for line in text.splitlines():
        found = KEY.match(line.rstrip())
        if not found:
            continue
        depth, key, value = len(found[1]), found[2], found[3]
        while open_ones[-1][0] >= depth:
            open_ones.pop()
        if value:
            open_ones[-1][1][key] = value.strip("'")
        else:
            inner: Tree = {}
            open_ones[-1][1][key] = inner
            open_ones.append((depth, inner))
    return root


def blocks(text: str) -> tuple[Block, ...]:
    """Read the data blocks of a file from `zdb -ddddd DATASET OBJECT`; only those that are stored as they are."""
    found = (BLOCK.match(line) for line in text.splitlines())
    return tuple(
        Block(
            file=int(one["file"], 16),
            vdev=int(one["vdev"]),
            address=int(one["address"], 16),
            size=int(one["physical"], 16),
        )
        for one in found
        if one and one["logical"] == one["physical"]
    )


def piece(vdev: Vdev, member: int, block: Block) -> Piece | None:
    """Say which part of a block a member holds in clear; none where it holds parity or nothing of it."""
    if vdev.kind == "mirror":
        return Piece(file=block.file, device=FRONT + block.address, size=block.size)
    offset = block.file
    for column in columns(vdev, block)[vdev.parity :]:
        if column.member == member and column.size:
            return Piece(file=offset, device=FRONT + column.address, size=column.size)
        offset += column.size
    return None


def columns(vdev: Vdev, block: Block) -> tuple[Column, ...]:
    """Deal a block of a raidz out to its members: parity first, then the data in the order of the file."""
    width, parity, sector = len(vdev.members), vdev.parity, 1 << vdev.ashift
    first, sectors = block.address >> vdev.ashift, -(-block.size // sector)
    rows, rest = divmod(sectors, width - parity)
    longer = rest + parity if rest else 0
    found = []
    for number in range(width if rows else longer):
        place = first % width + number
        row = first // width + place // width
        size = (rows + (number < longer)) * sector
        found.append(Column(member=place % width, address=row * sector, size=size))
    if parity == 1 and block.address & SWAPPED:
        # Both are of one size, so only their places change.
        found[:2] = [found[1], found[0]]
    return tuple(found)
