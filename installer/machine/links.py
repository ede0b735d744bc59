"""Which of a disk's names are its own, and which one commands use."""

from __future__ import annotations

import re
from collections import Counter

from installer.machine.model import Disk
from installer.machine.tree import Tree

BY_ID = "/dev/disk/by-id/"
BY_PATH = "/dev/disk/by-path/"
BUSES = ("nvme-", "ata-", "scsi-", "virtio-", "usb-", "mmc-", "ieee1394-")
"""Beginnings of by-id links, the best first."""
WORLD_WIDE = ("wwn-", "scsi-3", "nvme-eui.", "nvme-uuid.", "nvme-nvme.")
"""Beginnings of by-id links made from a WWN: nothing that a person can read on the disk's label."""


def name(disks: tuple[Disk, ...], tree: Tree) -> tuple[Disk, ...]:
    """Give every disk the links, the identity and the stable link that are its own alone."""
    links = {disk.name: frozenset(tree.device(disk.name).properties.get("DEVLINKS", "").split()) for disk in disks}
    shared = _more_than_one(link for own in links.values() for link in own)
    ambiguous = _more_than_one(told for disk in disks for told in {disk.serial, disk.wwn} if told)
    return tuple(_named(disk, links[disk.name] - shared, ambiguous) for disk in disks)


def _more_than_one(names: object) -> frozenset[str]:
    counted = Counter(names)  # type: ignore[call-overload]
    return frozenset(name for name, count in counted.items() if count > 1)


def _named(disk: Disk, links: frozenset[str], ambiguous: frozenset[str]) -> Disk:
    usable = sorted(link for link in links if link.isprintable() and link.isascii())
    by_id = tuple(sorted((link for link in usable if link.startswith(BY_ID)), key=lambda link: _rank(link, disk)))
    by_path = tuple(link for link in usable if link.startswith(BY_PATH))
    # A disk whose WWN is all zeros has a link made from it, which the next such disk takes over.
    by_id = tuple(link for link in by_id if disk.wwn or not _is_world_wide(link))
    return disk.model_copy(
        update={
            "by_id": by_id,
            "by_path": by_path,
            "link": next(iter(by_id + by_path), disk.path),
            "ambiguous": tuple(told for told in (disk.serial, disk.wwn) if told in ambiguous),
        }
    )


def _rank(link: str, disk: Disk) -> tuple[bool, bool, int, str]:
    """Order links: not from a WWN, with the serial in it, by bus, then by name."""
    rest = link.removeprefix(BY_ID)
    bus = next((place for place, start in enumerate(BUSES) if rest.startswith(start)), len(BUSES))
    # udev writes an underscore for every character that it does not trust.
    serial = re.sub(r"[^\w#+\-.:=@]", "_", disk.serial)
    return (_is_world_wide(link), not serial or serial not in rest, bus, rest)


def _is_world_wide(link: str) -> bool:
    return link.removeprefix(BY_ID).startswith(WORLD_WIDE)
