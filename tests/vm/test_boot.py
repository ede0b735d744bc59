"""The main job: an installed machine comes up, with both disks and with either one pulled out, by BIOS and by UEFI."""

from __future__ import annotations

import re

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest
from tests.vm.conftest import Boots, Installs
from tests.vm.guest import HEALTH, Findings

pytestmark = pytest.mark.vm

FIRMWARE = pytest.mark.parametrize("firmware", list(Firmware))

WAIT = 20
"""Seconds that the recipe gives a missing disk (boot.wait)."""


@FIRMWARE
def test_both_disks_give_one_prompt_and_a_healthy_system(boots: Boots, firmware: Firmware) -> None:
    found = boots(firmware)
    guest.assert_healthy(found)


@FIRMWARE
def test_without_the_second_disk_it_comes_up_degraded(installed: Installs, boots: Boots, firmware: Firmware) -> None:
    """fault 72"""
    copy = installed(firmware).copy("without-b")
    assert_degraded(guest.boot(copy.machine("boot", without=["b"])), "b")


@FIRMWARE
def test_without_the_first_disk_it_comes_up_and_heals_when_it_is_back(
    installed: Installs, boots: Boots, firmware: Firmware
) -> None:
    """fault 72"""
    copy = installed(firmware).copy("without-a")
    with copy.machine("degraded", without=["a"]) as machine:
        assert_degraded(guest.look(machine), "a")
        machine.console.output("dd if=/dev/urandom of=/home/new bs=1M count=32 status=none; sync; sha256sum /home/new")
        machine.power_off()
    with copy.machine("healed") as machine:
        found = guest.look(machine)
        assert found.prompts == 1
        command = offered_command(found)
        if "[UU]" not in found["arrays"]:
            assert command, "the array is not complete and no command that mends it was printed at login"
            machine.console.output(command)
        machine.console.output(
            "udevadm settle; mdadm --wait /dev/md/boot || true; zpool wait -t resilver rpool", within=600
        )
        again = guest.ask(machine, HEALTH)
        assert "[UU]" in again["arrays"], again["arrays"]
        assert again["pool"] == "ONLINE", again["status"]
        assert "resilvered" in again["status"]
        assert re.search(r"with 0 errors", again["status"])
        machine.power_off()


def assert_degraded(found: Findings, missing: str) -> None:
    """Assert that it is up without that disk, after the time that it has, and that the console says why."""
    assert found["pool"] == "DEGRADED", found["status"]
    assert "ext4" in found["boot"], "/boot is not mounted"
    assert found.prompts == 1
    assert re.search(rf"pool-{missing} did not appear within {WAIT} seconds", found.console), (
        "the reason is not on the console"
    )
    assert found["waited"] == "", "something else waited for the disk too, and longer"


def offered_command(found: Findings) -> str:
    """Return the command that the login message offers to mend the array, or nothing."""
    offer = re.search(r"with: sudo (mdadm --manage \S+ --re-add \S+)", found.console)
    return offer.group(1) if offer else ""
