"""Two installations from one ISO share nothing that should tell machines apart."""

from __future__ import annotations

import re

import pytest

from installer.recipe.model import Firmware
from tests.vm.conftest import Boots
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


@pytest.mark.parametrize("firmware", Firmware)
def test_packages_are_as_debian_made_them(boots: Boots, firmware: Firmware) -> None:
    changed = [line for line in boots(firmware)["packages"].splitlines() if not re.match(r"\S+ +c ", line)]
    assert not changed
