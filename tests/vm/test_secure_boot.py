"""Under Secure Boot the medium starts, through shim, and says what is wrong: ZFS cannot be loaded there."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.errors import Exit
from installer.recipe.model import Firmware
from tests.vm import installs
from tests.vm.installs import RECIPE, empty, files, prepared
from tests.vm.kvm import accelerator
from tests.vm.places import RESULTS
from tests.vm.qemu import Machine, Medium
from tests.vm.screen import Terminal
from tests.vm.serial import LIVE_PROMPT
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]


def test_secure_boot_ends_in_our_explanation(iso: Path) -> None:
    """fault 68"""
    disks = empty(RESULTS / "secure-boot", iso=iso, firmware=Firmware.UEFI)
    volume = Volume.make(disks.folder / "volume.img", files(prepared(RECIPE.read_text(), unattended=False)))
    machine = Machine(
        folder=disks.folder / "live",
        disks=[*disks.disks.values(), volume.disk()],
        firmware=Firmware.UEFI,
        secure_boot=True,
        iso=iso,
        medium=Medium.CD,
        accelerator=accelerator(iso),
    )
    with machine:
        screen = Terminal(machine)
        screen.wait_for("Secure Boot is on, so the kernel refuses the ZFS module.", within=installs.INSTALL)
        screen.press("f9")
        machine.console.take_shell(LIVE_PROMPT, within=120)
        machine.console.output("mount --options ro /dev/disk/by-label/ZROOT /mnt")
        erase = " ".join(f"--erase {serial}" for serial in installs.SERIALS.values())
        refused = machine.console.run(f"zroot apply /mnt/recipe.toml --secrets /mnt/secrets.toml {erase}", within=300)
        assert refused.status == Exit.REFUSED
        assert "Switch Secure Boot off" in refused.output
        assert machine.console.output("wipefs --no-act /dev/vda /dev/vdb") == ""
        machine.power_off()
