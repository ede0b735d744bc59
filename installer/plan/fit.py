"""Whether a recipe fits the chosen disks and their machine; everything is checked before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from installer.errors import Refusal
from installer.machine.holders import devices, disks_under
from installer.machine.model import Disk, Firmware
from installer.machine.words import both_sizes
from installer.plan import bootable, teardown
from installer.plan.layout import LUKS_HEADER, MIB, Layout
from installer.plan.names import mapping_path
from installer.recipe import stack
from installer.recipe.model import Vdev, VdevKind, VdevRole

LEAST_SYSTEM = 4 * 1024 * MIB
"""Bytes of pool below which an installed system has no room to be updated."""
LEAST_MEMBER = 64 * MIB
"""Bytes; ZFS takes nothing smaller as a member."""
UNEQUAL = 1.10
REDUNDANT = set(VdevKind) - {VdevKind.SINGLE, VdevKind.STRIPE}


def refusals(layout: Layout) -> tuple[Refusal, ...]:
    """Return everything that keeps this recipe from this machine."""
    found = [problem for rule in RULES for problem in rule(layout)]
    return (*bootable.refusals(layout), *found, *teardown.refusals(layout))


def too_small(layout: Layout) -> Iterator[Refusal]:
    """Refuse disks without room (fault 20); the last partition is the rest of the smallest one."""
    if not layout.extents:
        return
    *fixed, rest = layout.extents
    needed = 2 * MIB + sum(extent.size for extent in fixed) + _least(layout, rest.partition.name)
    for role in layout.table_roles:
        size = layout.disks[role].size
        if size < needed:
            yield Refusal(
                f"Disk {role} is too small for this recipe.",
                message=f"It has {both_sizes(size)}; the recipe needs {both_sizes(needed)}.",
                hint="Choose a larger disk, or make the partitions smaller.",
            )


def _least(layout: Layout, partition: str) -> int:
    """Return the bytes that the rest of the disk must have at least."""
    if not layout.root_pool:
        return LEAST_MEMBER + LUKS_HEADER
    below = {lower for over in stack.under_pool(layout.recipe, layout.root_pool) for lower in _below(layout, over)}
    return LEAST_SYSTEM if f"partition.{partition}" in below else LEAST_MEMBER + LUKS_HEADER


def _below(layout: Layout, reference: str) -> tuple[str, ...]:
    return stack.everything_below(layout.recipe, reference)


def unequal(layout: Layout) -> Iterator[Refusal]:
    """Refuse disks far apart in size (fault 14)."""
    for name, pool in layout.recipe.pool.items():
        for vdev in pool.vdevs:
            disks = vdev_disks(layout, vdev)
            if vdev.kind not in REDUNDANT or pool.allow_unequal or not disks:
                continue
            small, large = min(disks.values(), key=_size), max(disks.values(), key=_size)
            if large.size > small.size * UNEQUAL:
                yield Refusal(
                    f"The disks under the {vdev.kind} of pool {name} differ by more than 10 percent.",
                    message=f"{small.path} has {both_sizes(small.size)}, {large.path} has {both_sizes(large.size)}.",
                    hint="Choose disks of one size, or say allow-unequal = true in the pool: the difference is unused.",
                )


def _size(disk: Disk) -> int:
    return disk.size


def vdev_disks(layout: Layout, vdev: Vdev) -> dict[str, Disk]:
    """Return the disks that the members of a vdev lie on, each member on one."""
    return {device.role: layout.disks[device.role] for device in layout.vdev_members(vdev.over) if device.role}


def _mixed_sectors(layout: Layout) -> Iterator[Refusal]:
    """Fault 16: a table counts in sectors, so disks of different ones cannot share it; nor can a vdev's members."""
    groups = {"The disks that share the partition table": {role: layout.disks[role] for role in layout.table_roles}}
    for name, pool in layout.recipe.pool.items():
        for number, vdev in enumerate(pool.vdevs):
            groups[f"The members of pool.{name}.vdevs[{number}]"] = vdev_disks(layout, vdev)
    for what, disks in groups.items():
        if len({disk.logical_sector for disk in disks.values()}) > 1:
            yield Refusal(
                f"{what} have sectors of different sizes.",
                message="\n".join(f"Disk {role}: {disk.logical_sector} bytes." for role, disk in disks.items()),
                hint="Choose disks with the same sector size; many disks can be reformatted to another one.",
            )
            return


def _firmware(layout: Layout) -> Iterator[Refusal]:
    boot = layout.recipe.boot
    if not stack.has_system(layout.recipe) or boot.loader == "none":
        return
    machine = layout.machine.firmware
    large_sectors = [role for role in layout.table_roles if layout.disks[role].logical_sector != 512]
    if machine.value not in [firmware.value for firmware in boot.firmware]:
        yield Refusal(
            f"This machine starts by {machine.value.upper()}, and the recipe prepares the disks for another firmware.",
            hint=f'Add "{machine.value}" to boot.firmware, or change the firmware setting of the machine.',
        )
    elif large_sectors and (machine is Firmware.BIOS or not layout.uefi):
        yield Refusal(
            f"BIOS cannot start from disks with sectors of 4096 bytes: disk {', '.join(large_sectors)}.",
            hint="Start the machine by UEFI, or choose disks with sectors of 512 bytes.",
        )


def _secure_boot(layout: Layout) -> Iterator[Refusal]:
    """Fault 68."""
    if layout.machine.secure_boot and layout.root_pool and stack.has_system(layout.recipe):
        yield Refusal(
            "Secure Boot is on, and the installed system could not load ZFS under it.",
            message="Its kernel refuses modules that nobody whom this firmware trusts has signed.",
            hint="Switch Secure Boot off in the firmware's setup, then start again.",
        )


def pool_names(layout: Layout) -> Iterator[Refusal]:
    """Refuse the name of a pool that does not lie wholly on the chosen disks: it is somebody's data (fault 30)."""
    chosen = {disk.name for disk in layout.disks.values()}
    for pool in layout.machine.pools:
        if pool.name not in layout.recipe.pool:
            continue
        under = disks_under({member.device for member in pool.members if member.device}, layout.machine)
        if pool.imported or not under or not chosen.issuperset(under):
            where = ", ".join(under) or "disks that were not found"
            yield Refusal(
                f"There is already a pool called {pool.name} on this machine.",
                message=f"It lies on {where}{' and is imported' if pool.imported else ''}.",
                hint="Give the recipe's pool another name, or detach those disks.",
            )


def _device_names(layout: Layout) -> Iterator[Refusal]:
    """Refuse names that another device has, on disks that stay: commands would reach that one instead."""
    mappings = {mapping_path(device.name) for name in layout.recipe.crypt for device in layout.members(f"crypt.{name}")}
    chosen = {disk.name for disk in layout.disks.values()}
    for disk in layout.machine.disks:
        if disk.name in chosen:
            continue
        for node in devices(disk):
            array = node.label.rpartition(":")[2] if node.fstype == "linux_raid_member" and node.children else ""
            if node.path in mappings or array in layout.recipe.raid:
                name = array or node.path
                yield Refusal(
                    f"There is already a device called {name} on {disk.path}, which was not chosen.",
                    hint="Close it, or give the recipe's layer another name.",
                )


def _owners(layout: Layout) -> Iterator[Refusal]:
    """Refuse an owner for what is mounted nowhere: it is its folder that belongs to somebody."""
    mounted = {mount.source for mount in layout.mounts}
    for name, pool in layout.recipe.pool.items():
        for number, dataset in enumerate(pool.dataset):
            if dataset.owner and f"{name}/{dataset.name}" not in mounted:
                yield Refusal(
                    f"pool.{name}.dataset[{number}].owner: {dataset.name} is not mounted by itself.",
                    hint="Remove owner, or give the dataset a mount point.",
                )


def _spares(layout: Layout) -> Iterator[Refusal]:
    """Refuse a spare that is too small to take any member's place."""
    for name, pool in layout.recipe.pool.items():
        data = [one for vdev in pool.vdevs if vdev.role is VdevRole.DATA for one in layout.vdev_members(vdev.over)]
        smallest = min(device.size for device in data)
        for number, vdev in enumerate(pool.vdevs):
            for spare in layout.vdev_members(vdev.over) if vdev.role is VdevRole.SPARE else ():
                if spare.size < smallest:
                    yield Refusal(
                        f"pool.{name}.vdevs[{number}]: the spare {spare.path} is smaller than every member.",
                        message=f"It has {both_sizes(spare.size)}, the smallest member {both_sizes(smallest)}.",
                        hint="Choose a spare that is as large as the largest member that it may replace.",
                    )


Rule = Callable[[Layout], Iterator[Refusal]]
RULES: tuple[Rule, ...] = (
    too_small,
    unequal,
    _mixed_sectors,
    _firmware,
    _secure_boot,
    pool_names,
    _device_names,
    _owners,
    _spares,
)
OF_DISKS: tuple[Rule, ...] = (_mixed_sectors, _firmware, _device_names, unequal, too_small)
"""Those that another choice of disks mends."""
