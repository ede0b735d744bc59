"""What stands in the way of any installation on this machine, whatever the recipe says."""

from __future__ import annotations

from installer.errors import Refusal
from installer.machine.model import Machine

NEEDED = 1500 * 1024**2
"""Bytes. A machine sold with 2 GiB shows less: firmware, kernel and graphics take their part."""


def obstacles(machine: Machine) -> tuple[Refusal, ...]:
    """Return every reason why `zroot apply` cannot work here; each says what to do."""
    found = []
    if not machine.root:
        found.append(
            Refusal(
                "This needs root: disks cannot be changed without it.",
                hint="Start it with sudo, or from a root shell.",
            )
        )
    if not machine.zfs and machine.secure_boot:
        found.append(
            Refusal(
                "Secure Boot is on, so the kernel refuses the ZFS module.",
                message="The module was built with this image and nobody that this firmware trusts has signed it.",
                hint="Switch Secure Boot off in the firmware's setup, then start again.",
            )
        )
    elif not machine.zfs:
        found.append(
            Refusal(
                f"The ZFS module is missing for the running kernel {machine.kernel or '(unknown)'}.",
                hint="Use zroot's own live image, or install zfs-dkms and run `modprobe zfs`.",
            )
        )
    return tuple(found)


def warnings(machine: Machine) -> tuple[str, ...]:
    """Return what a person should know before choosing disks."""
    found = []
    if machine.memory and machine.memory < NEEDED:
        found.append("There is little memory: 2 GiB are needed, or the system may stop in the middle of its work.")
    if machine.medium_lost:
        found.append(
            "The medium that this system was started from cannot be found. Unplug it, or take care not to choose it."
        )
    return tuple(found)
