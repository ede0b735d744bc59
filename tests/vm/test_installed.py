"""What README and boot.md say of an installed machine that runs: who may log in, discards, updates of boot loaders."""

from __future__ import annotations

import pytest

from tests.vm.installs import USER
from tests.vm.life import Life
from tests.vm.test_boot import BY_BIOS

pytestmark = [pytest.mark.vm, BY_BIOS]


def test_the_user_may_log_in_over_ssh(bios: Life) -> None:
    assert bios["healthy"]["ssh user"].split() == [USER, "status", "0"]


def test_root_may_not_log_in_over_ssh_even_with_its_password(bios: Life) -> None:
    assert bios["healthy"]["ssh root"].split() == ["status", "255"]


def test_discards_reach_the_disks(bios: Life) -> None:
    """A file of 128 MiB on both disks, written and removed."""
    assert int(bios["healthy"]["given back"]) > 200


def test_an_update_of_grub_and_shim_reaches_every_disk(bios: Life) -> None:
    assert bios["healthy"]["update"].split() == ["core", "core", "grub", "shim", "grub", "shim"]
