"""The key device: one passphrase opens it, it opens the members, and it is closed again; lost, it is done without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest, installs
from tests.vm.guest import HEALTH
from tests.vm.installs import Copy, empty, prepared, quick
from tests.vm.places import RESULTS, ROOT
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]

RECIPE = ROOT / "recipes/debian-key-device.toml"
RECOVERY_PROMPT = "Recovery passphrase for "
RECOVERY = r"""R7"$(id)'\b[a-z]+ {1,2} `true`|^&;#%~"""
"""A canary, like the others."""
SECRETS = {**installs.SECRETS, "recovery-passphrase": RECOVERY}
QUESTIONS = {**HEALTH, "mappings": "ls /dev/mapper"}


@pytest.fixture(scope="module")
def installed_by_key(iso: Path) -> Copy:
    """Return the recipe installed by BIOS; a test that writes to its disks takes a copy."""
    machine = empty(RESULTS / "key-device", iso=iso, firmware=Firmware.BIOS)
    recipe = prepared(RECIPE.read_text(), change=quick)
    installs.replay(machine, Volume.make(machine.folder / "volume.img", installs.files(recipe, SECRETS)))
    return machine


def copy(machine: Copy, name: str) -> Copy:
    """Return the machine with its writes going elsewhere."""
    folder = machine.folder / f"disks-{name}"
    folder.mkdir()
    return replace(machine, disks={role: disk.overlay(folder) for role, disk in machine.disks.items()})


def test_one_passphrase_opens_every_member_and_the_key_device_is_closed(installed_by_key: Copy) -> None:
    found = guest.boot(copy(installed_by_key, "both").machine("both"), QUESTIONS)
    guest.assert_healthy(found)
    assert found["arrays"].count("[UU]") == 2, found["arrays"]
    assert found["mappings"].split() == ["control", "pool-a", "pool-b"]


@pytest.mark.parametrize("missing", ["a", "b"])
def test_either_disk_may_be_missing(installed_by_key: Copy, missing: str) -> None:
    name = f"without-{missing}"
    found = guest.boot(copy(installed_by_key, name).machine(name, without=[missing]), QUESTIONS)
    assert found.prompts == 1
    assert found["pool"] == "DEGRADED", found["status"]
    assert "ext4" in found["boot"]
    assert found["mappings"].split() == ["control", "pool-b" if missing == "a" else "pool-a"]
    assert found["failed"] == ""


def test_a_damaged_key_device_is_said_to_be_and_the_recovery_passphrase_opens_the_members(
    installed_by_key: Copy,
) -> None:
    damaged = copy(installed_by_key, "damaged")
    with damaged.machine("damage") as machine:
        guest.unlock(machine)
        guest.log_in(machine)
        # The array writes to both disks, and the header lies there twice.
        machine.console.output("dd if=/dev/zero of=/dev/md/key bs=1M count=16 conv=fsync status=none")
        machine.power_off()
    with damaged.machine("recovery") as machine:
        machine.console.wait_for(RECOVERY_PROMPT, within=guest.TO_PROMPT)
        machine.console.secret("not the recovery passphrase")
        machine.console.wait_for("this passphrase does not open it", within=300)
        machine.console.wait_for(RECOVERY_PROMPT, within=60)
        machine.console.secret(RECOVERY)
        guest.log_in(machine)
        console = machine.console.text()
        found = guest.ask(machine, QUESTIONS)
        machine.power_off()
    assert "the key device key is damaged" in console
    assert guest.PROMPT not in console
    assert found["pool"] == "ONLINE", found["status"]
    assert "ext4" in found["boot"]
    assert found["failed"] == ""
