"""The ISO on other media than a CD."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest, installs
from tests.vm.installs import RECIPE, empty, files, prepared, quick
from tests.vm.places import RESULTS
from tests.vm.qemu import Medium
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]


@pytest.mark.parametrize("firmware", [Firmware.BIOS, Firmware.UEFI])
def test_installs_from_a_usb_disk(iso: Path, firmware: Firmware) -> None:
    """fault 1: the stick is a disk like the others, and is left alone."""
    machine = empty(RESULTS / f"usb-{firmware}", iso=iso, firmware=firmware)
    recipe = prepared(RECIPE.read_text(), change=quick)
    volume = Volume.make(machine.folder / "volume.img", files(recipe))
    installs.replay(machine, volume, medium=Medium.USB)
    guest.assert_healthy(guest.boot(machine.machine("boot")))
