"""Which disks may be offered for an installation, and why not the others."""

from __future__ import annotations

from collections.abc import Iterator

from installer.frozen import Frozen
from installer.machine import words
from installer.machine.holders import devices
from installer.machine.model import Disk, Machine, Node

SMALLEST = 64 * 1024**2
"""Bytes. Below this it is a card reader's memory or a seed image; a key device may well be this small."""


class Offer(Frozen):
    """A disk, and the reasons in words why it may not be used."""

    disk: Disk
    reasons: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether an installation may take this disk."""
        return not self.reasons


def offers(machine: Machine) -> tuple[Offer, ...]:
    """Return every disk of a machine, in the order in which lsblk lists them."""
    return tuple(Offer(disk=disk, reasons=reasons(disk, machine)) for disk in machine.disks)


def reasons(disk: Disk, machine: Machine) -> tuple[str, ...]:
    """Say why a disk may not be used; nothing if it may.

    Arrays, volume groups and mappings that merely lie over it are no reason: plan/ takes them down or refuses.
    """
    if disk.kind != "disk":
        return (words.not_a_disk(disk.kind),)
    if disk.size == 0:
        return ("It reports no capacity: there is no card or medium in it.",)
    if disk.name in machine.live_medium:
        return ("This system was started from it: it is the live medium.",)
    return tuple(_reasons(disk, machine))


def _reasons(disk: Disk, machine: Machine) -> Iterator[str]:
    if disk.read_only:
        yield "It is read-only."
    if disk.size < SMALLEST:
        yield f"It is too small: {words.size(disk.size)}, and {words.size(SMALLEST)} is the least that is of any use."
    yield from _member_reasons(disk)
    over = devices(disk)
    for device in over:
        for point in device.mounts:
            yield (
                f"The running system is on it: {device.path} is its root."
                if point == "/"
                else (f"{device.path} is mounted at {point}.")
            )
        if device.name in machine.swaps:
            yield f"{device.path} is in use as swap."
    names = {device.name for device in over}
    used = {pool.name: {member.device for member in pool.members} & names for pool in machine.pools if pool.imported}
    for pool, members in used.items():
        if members:
            yield f"It belongs to the imported pool {pool}. Export the pool if this disk is really to be erased."
    explained = set(machine.swaps).union(*used.values())
    yield from (_held(device) for device in over if _is_held(device, explained))


def _member_reasons(disk: Disk) -> Iterator[str]:
    mappings = [child.path for child in disk.children if child.kind == "mpath"]
    if mappings or disk.fstype == "mpath_member":
        over = f" {mappings[0]}" if mappings else ""
        yield f"It is one path to the multipath device{over}. zroot does not install on multipath devices."
    if disk.fstype.endswith("_raid_member") and disk.fstype != "linux_raid_member":
        yield (
            f"It belongs to a RAID of the firmware ({words.firmware_raid(disk.fstype)}). "
            "Dissolve that RAID in the firmware's setup to use the disk on its own."
        )


def _is_held(device: Disk | Node, explained: set[str]) -> bool:
    """Tell whether somebody holds a device, other than what lies over it, a mount, swap or a pool."""
    if device.children or device.mounts or device.name in explained:
        return False
    return device.busy or bool(device.openers)


def _held(device: Disk | Node) -> str:
    by = ", ".join(device.openers) or "the kernel or another program"
    return f"{device.path} is held open by {by}."
