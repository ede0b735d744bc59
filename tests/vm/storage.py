"""A live system with four blank disks, for storage without a system: made, opened and closed again within one start."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from installer.recipe.model import Firmware
from tests.vm.installs import INSTALL
from tests.vm.kvm import accelerator
from tests.vm.places import RESULTS
from tests.vm.qemu import Machine, blank
from tests.vm.serial import Console
from tests.vm.volume import Volume

DISKS = "/dev/disk/by-id/virtio-STACK-"
FOLDER = "/stacks"
"""Where the files are."""


@contextlib.contextmanager
def live(name: str, *, iso: Path, files: Mapping[str, str]) -> Iterator[Console]:
    """Give the shell of a live system with the disks STACK-A to STACK-D and some files."""
    folder = RESULTS / name
    volume = Volume.make(folder / "volume.img", files)
    disks = [
        blank(folder / f"{role}.qcow2", gib=1.5, slot=slot, serial=f"STACK-{role.upper()}")
        for slot, role in enumerate("abcd")
    ]
    machine = Machine(
        folder=folder / "live",
        disks=[*disks, volume.disk()],
        firmware=Firmware.BIOS,
        iso=iso,
        accelerator=accelerator(iso),
    )
    with machine:
        console = machine.console
        console.live_shell(within=INSTALL)
        console.output(f"mkdir {FOLDER} && mount --options ro /dev/disk/by-label/ZROOT /mnt && cp /mnt/* {FOLDER}")
        console.output(f"umount /mnt && chmod 600 {FOLDER}/*")
        yield console
