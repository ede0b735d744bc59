"""The keyboard layout of the system is the layout at the passphrase prompt, on the screen as on the serial line."""

from __future__ import annotations

import shlex

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest
from tests.vm.conftest import Installs
from tests.vm.guest import TO_LOGIN, TO_PROMPT
from tests.vm.installs import PASSPHRASE
from tests.vm.test_second_pool import REBUILD

pytestmark = [pytest.mark.vm, pytest.mark.slow]

AZERTY = "aqwzaqwz"
KEYS = ("q", "a", "z", "w", "q", "a", "z", "w")
"""Where a French keyboard has these letters, by the names of an American one."""


def test_a_french_passphrase_is_typed_on_a_french_keyboard(installed: Installs) -> None:
    """fault 46"""
    copy = installed(Firmware.BIOS).copy("keyboard")
    with copy.machine("change") as machine:
        guest.unlock(machine)
        guest.log_in(machine)
        console = machine.console
        console.output(f"printf %s {shlex.quote(PASSPHRASE)} > /run/old; printf %s {AZERTY} > /run/new")
        for member in ("pool-a", "pool-b"):
            device = f"$(cryptsetup status {member} | sed -n 's/^ *device: *//p')"
            console.output(
                f"cryptsetup luksAddKey --batch-mode --pbkdf-memory 65536 --pbkdf-force-iterations 4 "
                f"--key-file /run/old {device} /run/new",
                within=300,
            )
        console.output("sed -i 's/^XKBLAYOUT=.*/XKBLAYOUT=\"fr\"/' /etc/default/keyboard")
        console.output("dracut --force --kver $(uname -r)", within=REBUILD)
        machine.power_off()
    with copy.machine("boot") as machine:
        machine.console.wait_for(guest.PROMPT, within=TO_PROMPT)
        for key in (*KEYS, "ret"):
            machine.press(key)
        machine.console.wait_for("login:", within=TO_LOGIN)
