"""Two installations from one ISO share nothing that should tell machines apart."""

from __future__ import annotations

import re

import pytest

from installer.recipe.model import Firmware
from tests.vm.conftest import Lives
from tests.vm.guest import IDENTITY
from tests.vm.life import Life

pytestmark = pytest.mark.vm


@pytest.mark.parametrize("what", list(IDENTITY))
def test_two_installs_share_no(lives: Lives, what: str) -> None:
    one, other = (lives[firmware]["healthy"][what].split() for firmware in Firmware)
    assert one
    assert other
    assert not set(one) & set(other)


@pytest.mark.parametrize("what", ["LUKS UUIDs", "FAT serials", "disk GUIDs", "partition GUIDs"])
def test_two_disks_of_one_machine_share_no(lives: Lives, what: str) -> None:
    values = lives[Firmware.BIOS]["healthy"][what].split()
    assert len(values) >= 2
    assert len(set(values)) == len(values)


def test_packages_are_as_debian_made_them(uefi: Life) -> None:
    changed = [line for line in uefi["healthy"]["packages"].splitlines() if not re.match(r"\S+ +c ", line)]
    assert not changed
