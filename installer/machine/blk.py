"""The one adapter to blkinfo and pyudev; nothing else in the project sees their objects."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

import blkinfo
import pyudev

from installer.errors import Refusal
from installer.machine.recording import Device

ATTRIBUTES = (
    "dev",
    "size",
    "ro",
    "removable",
    "partition",
    "serial",
    "device/serial",
    "device/model",
    "loop/backing_file",
    "queue/logical_block_size",
    "queue/physical_block_size",
    "queue/rotational",
)
PROPERTIES = ("ID_", "DM_", "MD_", "SCSI_", "LVM_", "DEV", "MAJOR", "MINOR", "PART")
"""Beginnings of the udev properties that are recorded; local rules may set others, which are private."""

UNTESTED = ("fd", "sr", "loop", "nbd", "ram", "zram")
"""Devices that are never opened: a floppy drive takes seconds to answer, and none of these is ever offered."""

BYSTANDERS = ("systemd-udevd", "(udev-worker)", "multipathd")
"""Programs that open every disk as it appears, and let it go by themselves."""

SYS_BLOCK = Path("/sys/block")


def listed() -> tuple[str, ...]:
    """Return the kernel names of the disks that blkinfo knows; raises Refusal if it finds none.

    blkinfo hides the members of arrays and multipath devices behind these, so the names of what lies below count too.
    """
    try:
        # Without filters: is_mounted raises TypeError on any partitioned disk, empty never matches (blkinfo 0.2.0).
        disks = blkinfo.BlkDiskInfo().get_disks()
    except KeyError:
        disks = []  # a device appeared between its two calls of lsblk
    if not disks and SYS_BLOCK.is_dir() and any(SYS_BLOCK.iterdir()):
        raise Refusal(
            "The disks of this machine cannot be listed.",
            message="The kernel has block devices, but lsblk names none.",
            hint="Run `lsblk` to see why, and try again.",
        )
    return tuple(sorted({str(name) for disk in disks for name in (disk["kname"], *disk["parents"])}))


def devices() -> dict[str, Device]:
    """Return every block device by kernel name, as udev and /sys describe it."""
    openers = _openers()
    found = {}
    for device in pyudev.Context().list_devices(subsystem="block"):
        folder = SYS_BLOCK.parent / "class" / "block" / device.sys_name
        found[device.sys_name] = Device(
            properties=_properties(device),
            attributes=_attributes(device),
            holders=_names(folder / "holders"),
            slaves=_names(folder / "slaves"),
            busy=not device.sys_name.startswith(UNTESTED) and _busy(str(device.device_node)),
            openers=openers.get(str(device.device_node), ()),
        )
    return found


def _properties(device: pyudev.Device) -> dict[str, str]:
    found = {}
    for key in device.properties:
        if key.startswith(PROPERTIES):
            try:
                found[key] = device.properties[key]
            except UnicodeDecodeError:
                continue  # a GPT name may hold anything (pyudev 0.24)
    return found


def _attributes(device: pyudev.Device) -> dict[str, str]:
    found = {}
    for name in ATTRIBUTES:
        try:
            value = device.attributes.get(name)
        except OSError:
            continue  # an empty drive answers with an error
        if value is not None:
            found[name] = value.decode("utf-8", "backslashreplace").strip()
    return found


def _names(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(os.listdir(folder)))
    except OSError:
        return ()


def _busy(node: str) -> bool:
    """Ask the kernel whether somebody has claimed the device; reading only, so that udev sees no change."""
    try:
        os.close(os.open(node, os.O_RDONLY | os.O_EXCL | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def _openers() -> dict[str, tuple[str, ...]]:
    """Return which programs have which device open, as far as this user may see."""
    found: dict[str, set[str]] = {}
    for process in _processes():
        try:
            name = (process / "comm").read_text(errors="replace").strip()
            targets = {os.readlink(link) for link in (process / "fd").iterdir()}
        except OSError:
            continue  # it ended, or belongs to somebody else
        for target in targets:
            if target.startswith("/dev/") and name not in BYSTANDERS:
                found.setdefault(target, set()).add(name)
    return {node: tuple(sorted(names)) for node, names in found.items()}


def _processes() -> Iterable[Path]:
    own = str(os.getpid())
    return (path for path in Path("/proc").iterdir() if path.name.isdigit() and path.name != own)
