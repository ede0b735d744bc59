"""How devices, mappings and facts are called, and how what a device says is shown."""

from __future__ import annotations

TARGET = "/mnt/zroot"
STATE = "/run/zroot"
"""Folder of the engine's state while it runs, mode 0700."""


def partition_path(disk: str, number: int) -> str:
    """Return the path of a disk's partition: `-partN` after udev's links, else as the kernel names it."""
    if disk.startswith("/dev/disk/by-"):
        return f"{disk}-part{number}"
    # The kernel puts a p between a name that ends in a digit (nvme0n1, mmcblk0, loop0) and the number.
    return f"{disk}p{number}" if disk[-1].isdigit() else f"{disk}{number}"


def mapping_path(name: str) -> str:
    """Return where an open mapping appears."""
    return f"/dev/mapper/{name}"


def array_path(name: str) -> str:
    """Return where an assembled md array appears."""
    return f"/dev/md/{name}"


def zvol_path(dataset: str) -> str:
    """Return where a volume of a pool appears."""
    return f"/dev/zvol/{dataset}"


def esp_label(role: str) -> str:
    """Return the label of a disk's EFI system partition; FAT takes eleven characters at most."""
    return f"ESP-{role}".upper()[:11]


def fact(kind: str, name: str) -> str:
    """Return the placeholder of a fact: `@{luks.pool-a}`."""
    return f"@{{{kind}.{name}}}"


def plain(text: str) -> str:
    """Make one line of a text, without anything that a terminal would act upon."""
    return "".join(char if char.isprintable() else "?" for char in text)
