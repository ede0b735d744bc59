"""Two installations from one ISO share nothing that should tell machines apart."""

from __future__ import annotations

import re

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest
from tests.vm.conftest import Boots, Installs
from tests.vm.guest import IDENTITY

pytestmark = pytest.mark.vm


@pytest.mark.parametrize("what", list(IDENTITY))
def test_two_installs_share_no(boots: Boots, what: str) -> None:
    one, other = (boots(firmware)[what].split() for firmware in Firmware)
    assert one
    assert other
    assert not set(one) & set(other)


@pytest.mark.parametrize("what", ["LUKS UUIDs", "FAT serials", "disk GUIDs", "partition GUIDs"])
def test_two_disks_of_one_machine_share_no(boots: Boots, what: str) -> None:
    values = boots(Firmware.BIOS)[what].split()
    assert len(values) >= 2
    assert len(set(values)) == len(values)


@pytest.mark.slow
def test_packages_are_as_debian_made_them(installed: Installs) -> None:
    copy = installed(Firmware.BIOS).copy("verify")
    with copy.machine("boot") as machine:
        guest.unlock(machine)
        guest.log_in(machine)
        said = machine.console.run("dpkg --verify", within=1200).output
        machine.power_off()
    changed = [line for line in said.splitlines() if not re.match(r"\S+ +c ", line)]
    assert not changed
