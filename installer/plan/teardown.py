"""Taking down what lies over the chosen disks, and emptying them: these disks only, leaf first.

Old labels and superblocks are removed where they are known to be, then proved to be gone. Those that the new table
uncovers are the business of partitions.py.
"""

from __future__ import annotations

from collections.abc import Callable

from installer.errors import Refusal
from installer.machine.holders import Holder, HolderKind, holders, memberships, nodes
from installer.machine.model import Disk
from installer.plan.devices import blank, forget, reread, seen, zero_ends
from installer.plan.layout import Layout
from installer.plan.names import partition_path
from installer.plan.operation import Command, Effect, Layer, Operation
from installer.plan.steps import command, programs


def operations(layout: Layout) -> list[Operation]:
    """Return what frees and empties the chosen disks."""
    return [
        *(_close(holder) for holder in _leaf_first(layout)),
        *(_wipe(role, disk) for role, disk in layout.disks.items()),
        seen(Layer.TEARDOWN, "disks", "that the disks are empty"),
        *(_proof(role, disk) for role, disk in layout.disks.items()),
    ]


def refusals(layout: Layout) -> tuple[Refusal, ...]:
    """Return what cannot be taken down, or would be torn out of something on a disk that was not chosen."""
    chosen = {disk.name for disk in layout.disks.values()}
    found = {}
    for role, disk in layout.disks.items():
        active = holders(disk, layout.machine)
        groups = [one for one in memberships(disk, layout.machine) if one.kind is HolderKind.LVM_VG]
        for holder in (*active, *groups):
            if holder.kind in FOLLOWS:
                continue
            others = [name for name in holder.disks if name not in chosen]
            if others:
                found[holder.kind, holder.name] = Refusal(
                    f"Disk {role} cannot be erased: {called(holder)} lies on it and also on {', '.join(others)}.",
                    message=f"{disk.path} carries a part of the {WORDS[holder.kind]} {called(holder)}.",
                    hint="Choose all of these disks, or take it apart yourself first.",
                )
            elif holder.kind not in CLOSERS:
                found[holder.kind, holder.name] = Refusal(
                    f"Disk {role} cannot be erased: the {WORDS[holder.kind]} {called(holder)} is active on it.",
                    hint="Take it down yourself, then start again.",
                )
    return tuple(found.values())


WORDS = {
    HolderKind.ZPOOL: "imported pool",
    HolderKind.LVM_LV: "LVM volume",
    HolderKind.LVM_VG: "LVM volume group",
    HolderKind.CRYPT: "open encryption",
    HolderKind.MD: "md array",
    HolderKind.MPATH: "multipath device",
    HolderKind.BCACHE: "bcache device",
    HolderKind.LOOP: "loop device",
    HolderKind.MAPPING: "mapping",
}
FOLLOWS = {HolderKind.LVM_LV}
"""Volumes go with their group."""


def called(holder: Holder) -> str:
    """Name a holder as people know it: a mapping by its own name, not by the kernel's."""
    mapper, slash, name = holder.path.partition("/dev/mapper/")
    return name if slash and not mapper else holder.name


CLOSERS: dict[HolderKind, Callable[[Holder], tuple[str, ...]]] = {
    HolderKind.CRYPT: lambda holder: ("cryptsetup", "close", called(holder)),
    HolderKind.MAPPING: lambda holder: ("dmsetup", "remove", called(holder)),
    HolderKind.LVM_VG: lambda holder: ("vgchange", "--activate=n", holder.name),
    HolderKind.MD: lambda holder: ("mdadm", "--stop", holder.path),
}


def _leaf_first(layout: Layout) -> list[Holder]:
    """Return every holder once; what lies over several chosen disks comes before what is below it on any."""
    found: dict[tuple[str, str], Holder] = {}
    for disk in layout.disks.values():
        for holder in holders(disk, layout.machine):
            if holder.kind not in FOLLOWS:
                found.setdefault((holder.kind, holder.name), holder)
    return list(found.values())


def _close(holder: Holder) -> Operation:
    probe = () if holder.kind is HolderKind.LVM_VG else ("test", "!", "-e", holder.path)
    return programs(
        Layer.TEARDOWN,
        f"close/{called(holder)}",
        f"Take down the {WORDS[holder.kind]} {called(holder)}",
        # udev and automounters let go of a device only after a moment (fault 58).
        Command(argv=CLOSERS[holder.kind](holder), retries=10),
        effect=Effect.CLOSE,
        done=probe,
    )


def _wipe(role: str, disk: Disk) -> Operation:
    partitions = sorted(node.number for node, _ in nodes(disk).values() if node.kind == "part" and node.number)
    paths = (*(partition_path(disk.link, number) for number in partitions), disk.link)
    return programs(
        Layer.TEARDOWN,
        f"wipe/{role}",
        f"Erase all labels and signatures on disk {role}",
        *forget(paths),
        command("sgdisk", "--zap-all", disk.link),
        *zero_ends(disk.link, disk.size),
        reread(disk.link),
        destroys=(role,),
        together="teardown/wipe",
    )


def _proof(role: str, disk: Disk) -> Operation:
    return programs(
        Layer.TEARDOWN,
        f"blank/{role}",
        f"Prove that nothing is recognised on disk {role} any more",
        *blank(disk.link),
        effect=Effect.PROVE,
        together="teardown/blank",
    )
