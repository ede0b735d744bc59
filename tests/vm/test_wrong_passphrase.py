"""A wrong passphrase is said to be wrong, and never becomes a silent degraded import or an endless wait."""

from __future__ import annotations

import shlex

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest
from tests.vm.conftest import Installs
from tests.vm.guest import PROMPT
from tests.vm.installs import PASSPHRASE

pytestmark = pytest.mark.vm

REASON = "this passphrase does not open it"
OFFER = "r and Enter reboots"
UNLOCK = 300.0
"""Seconds for both members to be tried."""


def test_three_wrong_ones_give_the_reason_and_an_offer_and_the_right_one_still_works(installed: Installs) -> None:
    copy = installed(Firmware.BIOS).copy("wrong-passphrase")
    with copy.machine("boot") as machine:
        console = machine.console
        for _ in range(3):
            guest.unlock(machine, "not the passphrase")
            console.wait_for(REASON, within=UNLOCK)
        console.wait_for(OFFER, within=60)
        console.secret("")
        found = guest.look(machine)
        assert found.console.count(PROMPT) == 4
        assert found["pool"] == "ONLINE", found["status"]
        machine.power_off()


@pytest.mark.slow
def test_the_offer_to_reboot_reboots(installed: Installs) -> None:
    copy = installed(Firmware.BIOS).copy("reboot-offer")
    with copy.machine("boot") as machine:
        for _ in range(3):
            guest.unlock(machine, "not the passphrase")
            machine.console.wait_for(REASON, within=UNLOCK)
        machine.console.wait_for(OFFER, within=60)
        machine.console.secret("r")
        machine.wait_off(within=120)


@pytest.mark.slow
def test_a_member_with_another_passphrase_is_named_and_the_rest_comes_up(installed: Installs) -> None:
    copy = installed(Firmware.BIOS).copy("odd-member")
    with copy.machine("change") as machine:
        guest.unlock(machine)
        guest.log_in(machine)
        console = machine.console
        console.output(f"printf %s {shlex.quote(PASSPHRASE)} > /run/old; printf %s 'another passphrase' > /run/new")
        device = "$(cryptsetup status pool-b | sed -n 's/^ *device: *//p')"
        console.output(
            f"cryptsetup luksChangeKey --batch-mode --pbkdf-memory 65536 --pbkdf-force-iterations 4 "
            f"--key-file /run/old {device} /run/new",
            within=300,
        )
        machine.power_off()
    with copy.machine("boot") as machine:
        found = guest.look(machine)
        assert f"pool-b: {REASON}" in found.console
        assert found["pool"] == "DEGRADED", found["status"]
        assert found.prompts == 1
        machine.power_off()
