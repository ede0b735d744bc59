"""What a disk will hold afterwards, in words."""

from __future__ import annotations

from installer.machine.words import binary_size
from installer.plan.layout import Layout
from installer.plan.pools import vdev_word
from installer.recipe.model import SwapKind, Vdev, VdevRole
from installer.recipe.stack import as_tuple

TYPES = {"ef00": "EFI system partition", "ef02": "BIOS boot partition"}


def contents(layout: Layout, role: str) -> tuple[str, ...]:
    """Return a line for each partition of a disk, or one for the whole disk."""
    if role not in layout.table_roles:
        return (f"whole disk: {_use(layout, f'disk.{role}')}",)
    return tuple(
        f"{extent.number}  {extent.partition.name}, {binary_size(extent.size)}: "
        + (TYPES.get(extent.partition.type) or _use(layout, f"partition.{extent.partition.name}"))
        for extent in layout.extents
    )


def _use(layout: Layout, reference: str) -> str:
    """Say what lies over a layer, up to the top."""
    return next((use for about in (_raid, _crypt, _pool, _swap) if (use := about(layout, reference))), "unused")


def _raid(layout: Layout, reference: str) -> str:
    for name, raid in layout.recipe.raid.items():
        if raid.over == reference:
            held = f"{raid.filesystem} mounted at {raid.mount}" if raid.mount else _use(layout, f"raid.{name}")
            return f"RAID{raid.level} {name}, {held}"
    return ""


def _crypt(layout: Layout, reference: str) -> str:
    for name, crypt in layout.recipe.crypt.items():
        if crypt.over == reference:
            key = "new key at each boot" if crypt.unlock == "random" else crypt.kind.upper()
            return f"encrypted ({key}), {_use(layout, f'crypt.{name}')}"
        if crypt.key == reference:
            return f"key of {name}"
    return ""


def _pool(layout: Layout, reference: str) -> str:
    for name, pool in layout.recipe.pool.items():
        for vdev in pool.vdevs:
            if reference in as_tuple(vdev.over):
                return f"{_part(vdev)} of pool {name}"
    return ""


def _swap(layout: Layout, reference: str) -> str:
    swap = layout.recipe.swap
    if swap.over != reference:
        return ""
    return "swap with a new key at each boot" if swap.kind is SwapKind.RANDOM_KEY else "swap"


def _part(vdev: Vdev) -> str:
    return vdev_word(vdev) if vdev.role is VdevRole.DATA else f"{vdev.role.value} ({vdev_word(vdev)})"
