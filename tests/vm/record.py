"""`python -m tests.vm.record`: records of virtual machines with odd disks, for tests/machines/.

They are what the tools of the live system say there, so that planning is tested without a machine against more than
what somebody imagined.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from installer.recipe.model import Firmware
from tests.vm import installs
from tests.vm.kvm import accelerator
from tests.vm.places import ISO, RESULTS, ROOT
from tests.vm.qemu import Bus, Disk, Machine, blank

FOLDER = RESULTS / "record"


def odd() -> Sequence[Disk]:
    """Return disks of every bus: without a serial, with one like a path, with large sectors."""
    return [
        blank(FOLDER / "plain.qcow2", gib=8, slot=0),
        blank(FOLDER / "nvme.qcow2", gib=8, slot=1, bus=Bus.NVME, serial="dead/../../beef"),
        blank(FOLDER / "4kn.qcow2", gib=8, slot=2, bus=Bus.SCSI, serial="LARGE-SECTORS", sector=4096),
        blank(FOLDER / "scsi.qcow2", gib=8, slot=3, bus=Bus.SCSI, serial="with space"),
        blank(FOLDER / "stick.qcow2", gib=2, slot=4, bus=Bus.USB, serial="STICK"),
    ]


def earlier() -> Sequence[Disk]:
    """Return the disks of an installed machine: md, LUKS and ZFS on both."""
    return list(installs.install(ISO, Firmware.BIOS).copy("record").disks.values())


def record(name: str, disks: Sequence[Disk], firmware: Firmware) -> None:
    """Boot the live system over these disks and keep what `zroot record` prints."""
    machine = Machine(
        folder=FOLDER / name,
        disks=disks,
        firmware=firmware,
        nvram=FOLDER / name / "nvram.fd" if firmware is Firmware.UEFI else None,
        iso=ISO,
        accelerator=accelerator(ISO),
    )
    with machine:
        machine.console.live_shell(within=installs.INSTALL)
        said = machine.console.output("zroot record", within=300)
    # Which mirror the image was built from is a fact of the computer that built it.
    said = re.sub(r"://[^/]+/debian", "://deb.example.org/debian", said)
    (ROOT / "tests/machines" / f"{name}.json").write_text(said + "\n")


def main() -> int:
    """Record both machines."""
    record("vm-odd-disks-uefi", odd(), Firmware.UEFI)
    record("vm-earlier-install-bios", earlier(), Firmware.BIOS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
