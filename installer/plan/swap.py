"""Swap: what has to be made before the system is there; crypttab and fstab do the rest at each boot."""

from __future__ import annotations

from installer.plan.devices import settled
from installer.plan.layout import Layout
from installer.plan.names import fact, zvol_path
from installer.plan.operation import Layer, Operation
from installer.plan.steps import command, programs
from installer.recipe.model import SwapKind


def operations(layout: Layout) -> list[Operation]:
    """Return what makes the swap space: nothing for zram, nor for partitions with a new key at each boot."""
    swap = layout.recipe.swap
    if swap.kind is SwapKind.ZVOL:
        return _volume(layout)
    if swap.kind is not SwapKind.RAID or not swap.over:
        return []
    layer, name = swap.over.split(".", 1)
    if layer == "crypt" and layout.recipe.crypt[name].unlock == "random":
        return []
    return [
        programs(
            Layer.DATASETS,
            f"swap/{device.name}",
            f"Make swap space on {device.name}",
            command("mkswap", "--label", "swap", "--uuid", fact("fs", device.name), device.path),
            destroys=device.roles,
            together="datasets/swap",
        )
        for device in layout.members(swap.over)
    ]


def _volume(layout: Layout) -> list[Operation]:
    name = f"{layout.root_pool}/swap"
    # Blocks of a page's size, written at once and cached nowhere: what little can be done against openzfs#7734.
    properties = {
        "volblocksize": "4K",
        "compression": "zle",
        "logbias": "throughput",
        "sync": "always",
        "primarycache": "metadata",
        "secondarycache": "none",
        "com.sun:auto-snapshot": "false",
    }
    options = [word for key, value in properties.items() for word in ("-o", f"{key}={value}")]
    return [
        programs(
            Layer.DATASETS,
            f"create/{name}",
            f"Create the volume {name}",
            command("zfs", "create", *options, "-V", str(layout.recipe.swap.size), name),
            settled(),
            done=("zfs", "list", "-H", "-o", "name", name),
        ),
        programs(
            Layer.DATASETS,
            f"swap/{name}",
            f"Make swap space on {name}",
            command("mkswap", "--force", zvol_path(name)),
        ),
    ]
