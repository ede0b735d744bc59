"""What lies over a disk and has to be taken down before the disk is free, leaf first."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from installer.frozen import Frozen
from installer.machine.model import Disk, Machine, Node, Pool


class HolderKind(StrEnum):
    ZPOOL = "zpool"
    LVM_LV = "lvm-lv"
    LVM_VG = "lvm-vg"
    CRYPT = "crypt"
    MD = "md"
    MPATH = "mpath"
    BCACHE = "bcache"
    LOOP = "loop"
    MAPPING = "mapping"
    """Any other device-mapper target: kpartx partitions, Ventoy, dm-integrity."""


class Holder(Frozen):
    """Something assembled, opened or imported over one or more disks."""

    kind: HolderKind
    name: str
    """Kernel name; of a pool or a volume group its own name."""
    path: str
    """What a command is given: /dev/md127, /dev/mapper/x; of a pool or a volume group its name."""
    disks: tuple[str, ...]
    """Kernel names of every disk below it, sorted."""


def nodes(disk: Disk) -> dict[str, tuple[Node, int]]:
    """Return everything over a disk by kernel name, with how high it lies at most (1 is directly on the disk)."""
    found: dict[str, tuple[Node, int]] = {}
    waiting = [(child, 1) for child in disk.children]
    while waiting:
        node, height = waiting.pop(0)
        if node.name not in found or found[node.name][1] < height:
            found[node.name] = (node, height)
        waiting.extend((child, height + 1) for child in node.children)
    return found


def devices(disk: Disk) -> tuple[Disk | Node, ...]:
    """Return a disk and everything over it, each once."""
    return (disk, *(node for node, _ in nodes(disk).values()))


class _Whole:
    """What is asked of all disks for each of them, so that the tree is gone through once and not once a disk."""

    def __init__(self, disks: tuple[Disk, ...], pools: tuple[Pool, ...]) -> None:
        self.disks = disks
        self.pools = pools
        self.members = [(pool, tuple(member.device for member in pool.members)) for pool in pools]
        """The devices of each pool."""
        self.under: dict[str, list[str]] = {}
        """Names of the disks that a device lies on or is."""
        self.raids: dict[str, dict[str, str]] = {}
        """Labels by device name, of the parts of each md array, by the UUID that they all carry."""
        for disk in disks:
            for device in devices(disk):
                self.under.setdefault(device.name, []).append(disk.name)
                if device.fstype == "linux_raid_member" and device.uuid:
                    self.raids.setdefault(device.uuid, {})[device.name] = device.label


_known = [_Whole((), ())]
"""Of the machine that was asked about last: a plan asks for hundreds of devices of one."""


def _whole(machine: Machine) -> _Whole:
    known = _known[0]
    if known.disks is not machine.disks or known.pools is not machine.pools:
        known = _known[0] = _Whole(machine.disks, machine.pools)
    return known


def disks_under(names: set[str], machine: Machine) -> tuple[str, ...]:
    """Return the disks that any of these devices lies on or is."""
    under = _whole(machine).under
    return tuple(sorted({disk for name in names for disk in under.get(name, ())}))


def holders(disk: Disk, machine: Machine) -> tuple[Holder, ...]:
    """Return what is active over a disk, in the order in which it is taken down."""
    over = nodes(disk)
    heights = {disk.name: 0, **{name: height for name, (_, height) in over.items()}}
    found: list[tuple[float, Holder]] = []
    for node, height in over.values():
        if kind := _kind(node):
            found.append((height, _holder(kind, node.name, node.path, {node.name}, machine)))
    active_groups = {node.group for node, _ in over.values() if node.group}
    for group in machine.groups:
        if group.name in active_groups:
            found.append(
                (_above(group.members, heights), _named(HolderKind.LVM_VG, group.name, group.members, machine))
            )
    for pool, members in _whole(machine).members:
        if pool.imported and not heights.keys().isdisjoint(members):
            found.append((_above(members, heights), _named(HolderKind.ZPOOL, pool.name, members, machine)))
    return tuple(holder for _, holder in sorted(found, key=lambda pair: -pair[0]))


def memberships(disk: Disk, machine: Machine) -> tuple[Holder, ...]:
    """Return the arrays, volume groups and pools that a disk carries a part of, active or not, sorted by kind and name.

    Erasing the disk takes that part away from them; `disks` says which other disks they lie on.
    """
    own = {disk.name, *nodes(disk)}
    found = [*_raids(own, machine)]
    for group in machine.groups:
        if own & set(group.members):
            found.append(_named(HolderKind.LVM_VG, group.name, group.members, machine))
    for pool, members in _whole(machine).members:
        if not own.isdisjoint(members):
            found.append(_named(HolderKind.ZPOOL, pool.name, members, machine))
    return tuple(sorted(found, key=lambda holder: (holder.kind, holder.name, holder.disks)))


def _raids(own: set[str], machine: Machine) -> Iterator[Holder]:
    """Yield the md arrays with a part among these devices: all parts of one carry its UUID."""
    for uuid, members in _whole(machine).raids.items():
        if own & members.keys():
            name = next(filter(None, members.values()), uuid)
            yield _holder(HolderKind.MD, name, name, set(members), machine)


def _kind(node: Node) -> HolderKind | None:
    """Tell how a device is taken down; a partition goes with what it is a part of."""
    if node.kind == "part" and not node.name.startswith("dm-"):
        return None
    if node.name.startswith("md"):
        return HolderKind.MD
    known = {
        "crypt": HolderKind.CRYPT,
        "lvm": HolderKind.LVM_LV,
        "mpath": HolderKind.MPATH,
        "bcache": HolderKind.BCACHE,
        "loop": HolderKind.LOOP,
    }
    return known.get(node.kind, HolderKind.MAPPING)


def _above(members: tuple[str, ...], heights: dict[str, int]) -> float:
    """Return a height just above the highest of these members, and below what lies on them."""
    return max(heights.get(member, 0) for member in members) + 0.5


def _named(kind: HolderKind, name: str, members: tuple[str, ...], machine: Machine) -> Holder:
    return _holder(kind, name, name, set(members), machine)


def _holder(kind: HolderKind, name: str, path: str, members: set[str], machine: Machine) -> Holder:
    return Holder(kind=kind, name=name, path=path, disks=disks_under(members, machine))
