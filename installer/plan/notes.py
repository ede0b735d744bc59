"""What a person should know before consenting."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from installer.machine import words
from installer.machine.holders import HolderKind, memberships
from installer.machine.words import both_sizes
from installer.plan import nixos, sources
from installer.plan.encryption import kdf_memory
from installer.plan.fit import REDUNDANT, vdev_disks
from installer.plan.layout import MIB, Layout, overhead
from installer.recipe import stack
from installer.recipe.model import CryptKind, SwapKind, Vdev, VdevRole

DISK_SPEED = 100_000_000
"""Bytes a second."""

About = Callable[[Layout], Iterator[str]]


def notes(layout: Layout, about: tuple[About, ...] | None = None) -> tuple[str, ...]:
    """Return the notes of a plan, each one sentence or two; all of them, or those about some of it."""
    return tuple(dict.fromkeys(note for each in about or ABOUT for note in each(layout)))


def _erased(layout: Layout) -> Iterator[str]:
    """Fault 28."""
    for role, disk in layout.disks.items():
        contents = words.contents(disk)
        if contents != "empty":
            yield f"Everything on disk {role} is erased: {contents}."


def _torn_out(layout: Layout) -> Iterator[str]:
    chosen = {disk.name for disk in layout.disks.values()}
    for role, disk in layout.disks.items():
        for one in memberships(disk, layout.machine):
            others = [name for name in one.disks if name not in chosen]
            if others and one.kind is not HolderKind.LVM_VG:
                what = "pool" if one.kind is HolderKind.ZPOOL else "md array"
                yield f"The {what} {one.name} loses its part on disk {role}; its rest is on {', '.join(others)}."


def _failures(layout: Layout) -> Iterator[str]:
    """Say what a failed disk takes with it; a pool over other pools or arrays lives and dies with those."""
    for name, pool in layout.recipe.pool.items():
        vdevs = stack.carrying(pool)
        members = [device for vdev in vdevs for device in layout.vdev_members(vdev.over)]
        kept = min(stack.survives(layout.recipe, vdev) for vdev in vdevs)
        if not all(device.role for device in members):
            continue
        if kept:
            yield f"Any {kept} of the {len(members)} members of the pool {name} may fail without loss."
        else:
            disks = "its disk" if len(members) == 1 else f"one of its {len(members)} members"
            yield f"The pool {name} has no redundancy: if {disks} fails, all of it is lost. Keep a copy elsewhere."
    for name in layout.recipe.raid:
        if stack.members(layout.recipe, layout.recipe.raid[name].over) == 1:
            yield f"The md array {name} has a single member; it can be grown when a second disk comes."


def _unused(layout: Layout) -> Iterator[str]:
    """Fault 14."""
    if layout.extents:
        end = layout.extents[-1].start + layout.extents[-1].size + MIB
        smallest = min(layout.disks[role].size for role in layout.table_roles)
        for role in layout.table_roles:
            disk = layout.disks[role]
            if disk.size - smallest >= MIB and any(extent.partition.size == "rest" for extent in layout.extents):
                yield f"Disk {role} is larger than the smallest disk: {both_sizes(disk.size - end)} of it stay unused."
    for name, pool in layout.recipe.pool.items():
        for vdev in pool.vdevs:
            yield from _unused_of_vdev(layout, name, vdev)
            sectors = {disk.physical_sector for disk in vdev_disks(layout, vdev).values()}
            if len(sectors) > 1 and pool.ashift is None:
                yield f"The members' physical sectors differ; the largest ({max(sectors)} bytes) counts for the pool."


def _unused_of_vdev(layout: Layout, pool: str, vdev: Vdev) -> Iterator[str]:
    """Whole disks of a vdev with redundancy all count as the smallest."""
    whole = [device for device in layout.vdev_members(vdev.over) if device.name == device.role]
    smallest = min((device.size for device in whole), default=0)
    for device in whole if vdev.kind in REDUNDANT else ():
        if device.size - smallest >= MIB:
            yield (
                f"Disk {device.role} is larger than the smallest disk of its {vdev.kind} in pool {pool}:"
                f" {both_sizes(device.size - smallest)} of it stay unused."
            )


def _log(layout: Layout) -> Iterator[str]:
    for name, pool in layout.recipe.pool.items():
        for vdev in pool.vdevs:
            if vdev.role is VdevRole.LOG and stack.survives(layout.recipe, vdev) == 0:
                yield (
                    f"The log of pool {name} is not mirrored: if it fails in the moment in which the machine stops,"
                    " the last seconds of what databases and others had written for certain are lost."
                )


def _large_sectors(layout: Layout) -> Iterator[str]:
    if not layout.bios and layout.uefi and "bios" in layout.recipe.boot.firmware:
        yield "BIOS cannot start from disks with sectors of 4096 bytes, so the system will start by UEFI only."


def _key_derivation(layout: Layout) -> Iterator[str]:
    """Fault 51."""
    for name, crypt in layout.recipe.crypt.items():
        memory = kdf_memory(layout, crypt)
        asked = (crypt.unlock == "passphrase" and crypt.kind is not CryptKind.TCRYPT) or crypt.recovery
        if asked and memory < crypt.kdf.memory:
            yield (
                f"crypt.{name}: the passphrase is stretched with {memory // MIB} MiB of memory instead of"
                f" {crypt.kdf.memory // MIB} MiB: a quarter of what this machine has, so that it can be done at boot."
            )


def _integrity(layout: Layout) -> Iterator[str]:
    for name, crypt in layout.recipe.crypt.items():
        if crypt.kind is CryptKind.LUKS2_INTEGRITY:
            below = max(layout.members(crypt.over), key=lambda device: device.size)
            yield (
                f"crypt.{name} keeps a sum of every sector, so the whole of each device is written once before it can"
                f" be used: {both_sizes(below.size)}, {_duration(below.size)}. Later each write reaches the disk twice,"
                f" through a journal, and {both_sizes(overhead(crypt.kind, below.size))} of the device hold the sums."
            )


def _truecrypt(layout: Layout) -> Iterator[str]:
    for name, crypt in layout.recipe.crypt.items():
        if crypt.kind is CryptKind.TCRYPT:
            yield (
                f"crypt.{name}: TrueCrypt, which ended in 2014, stretches a passphrase with 1000 rounds of SHA-512."
                " That slows nobody down today: only a long random passphrase protects it, of 64 bytes at most."
            )
            below = max(layout.members(crypt.over), key=lambda device: device.size)
            if not crypt.discard:
                yield (
                    f"crypt.{name} has discard = false, so that nobody sees how much of a volume is in use: all of each"
                    f" device is filled with random bytes first, {both_sizes(below.size)}, {_duration(below.size)}."
                )


def _duration(size: int) -> str:
    """Say how long the writing of a whole device takes, as a hard disk does it."""
    minutes = size // DISK_SPEED // 60 + 1
    return f"about {minutes} minutes" if minutes < 120 else f"about {round(minutes / 60)} hours"


def _discard(layout: Layout) -> Iterator[str]:
    for name, crypt in layout.recipe.crypt.items():
        if crypt.discard and crypt.unlock != "random":
            yield (
                f"crypt.{name} passes discards on to the disks: it keeps SSDs fast, and lets whoever has the disk see"
                " how much of it is in use, and where, but nothing of what it says."
            )


def _clear_boot(layout: Layout) -> Iterator[str]:
    if layout.encrypted_root and layout.recipe.boot.loader == "systemd-boot" and stack.has_system(layout.recipe):
        yield (
            "The kernels on the ESPs are neither encrypted nor authenticated: whoever has the machine in hand can"
            " change what starts."
        )
    if layout.encrypted_root and any(
        mount.point == "/boot" and not stack.encrypted(layout.recipe, f"raid.{mount.layer}")
        for mount in layout.mounts
        if mount.kind != "zfs"
    ):
        yield "/boot is neither encrypted nor authenticated: whoever has the machine in hand can change what starts."


def _swap_volume(layout: Layout) -> Iterator[str]:
    if layout.recipe.swap.kind is SwapKind.ZVOL:
        yield (
            "Swap on a ZFS volume can deadlock when memory runs out (openzfs issue 7734) and cannot hold a hibernated"
            " system. Compressed memory (zram) or a partition with a random key is safer."
        )


def _modules(layout: Layout) -> Iterator[str]:
    if not layout.machine.zfs:
        yield "The ZFS module is not loaded on this machine: the plan can be read, but not be carried out here."


def _image(layout: Layout) -> Iterator[str]:
    if layout.recipe.system.source == "live" and not layout.machine.image:
        yield "This machine was not started from zroot's medium: the plan can be read, but there is no system to copy."


def _source(layout: Layout) -> Iterator[str]:
    """Fault 64."""
    for source in sources.needed(layout):
        if stack.tarball_address(source.place):
            yield f"The system comes over the network, from {source.place.partition('/dists/')[0]}: it takes a while."
        elif not source.sha256:
            yield f"The recipe names no sum of the tarball {source.place}: it is unpacked as it is, unchecked."


def _rolled_back(layout: Layout) -> Iterator[str]:
    persist = layout.recipe.persist
    if persist and layout.recipe.system.source != "nixos":
        yield (
            f"At every start the root file system goes back to {layout.root_dataset}@{persist.snapshot}: what is not"
            f" kept in {persist.folder} or on a dataset of its own is gone, updates too. zroot-commit takes the running"
            " system as the new state to go back to; a second entry of the boot menu starts without going back."
        )


def _by_hand(layout: Layout) -> Iterator[str]:
    """The last note: what the plan leaves to do."""
    if layout.recipe.system.source == "nixos":
        yield nixos.go_on(layout)


ABOUT: tuple[About, ...] = (
    _erased,
    _torn_out,
    _failures,
    _unused,
    _large_sectors,
    _key_derivation,
    _integrity,
    _truecrypt,
    _log,
    _discard,
    _clear_boot,
    _swap_volume,
    _rolled_back,
    _modules,
    _image,
    _by_hand,
    _source,
)
OF_DISKS: tuple[About, ...] = (_torn_out, _failures, _unused)
OF_SWAP: tuple[About, ...] = (_swap_volume,)
