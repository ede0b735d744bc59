"""What becomes of three wrong passphrases, and of one member with another passphrase; test_boot has the rest."""

from __future__ import annotations

import shlex

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest
from tests.vm.conftest import Installs
from tests.vm.installs import PASSPHRASE
from tests.vm.lives import OFFER, REASON, UNLOCK

pytestmark = [pytest.mark.vm, pytest.mark.slow]


def test_the_offer_to_reboot_reboots(installed: Installs) -> None:
    copy = installed(Firmware.BIOS).copy("reboot-offer")
    with copy.machine("boot") as machine:
        for _ in range(3):
            guest.unlock(machine, "not the passphrase")
            machine.console.wait_for(REASON, within=UNLOCK)
        machine.console.wait_for(OFFER, within=60)
        machine.console.secret("r")
        machine.wait_off(within=120)


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
