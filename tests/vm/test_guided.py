"""The guided install over the serial line, from the first screen to the login of the new system."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest, installs
from tests.vm.guest import HEALTH
from tests.vm.installs import PASSPHRASE, SERIALS, empty
from tests.vm.places import RESULTS
from tests.vm.qemu import Machine
from tests.vm.screen import Terminal, Vga

pytestmark = [pytest.mark.vm, pytest.mark.slow]

SCREEN = 120.0
"""Seconds for a screen to follow another one, on an emulator that starts programs in the background."""
USER = "anna"


def focus(screen: Terminal, label: str) -> None:
    """Wait until a field has the focus."""
    screen.wait_for(re.compile(rf"{label} +»"), within=SCREEN)


def fill(screen: Terminal, label: str, text: str) -> None:
    """Type into a field once it has the focus."""
    focus(screen, label)
    screen.settle()
    screen.type(text)
    screen.settle()


def answer(screen: Terminal) -> None:
    """Go from the first screen to the review and type nothing that has a good answer already."""
    screen.wait_for("Keyboard layout", within=installs.INSTALL)
    screen.wait_for("can be used", within=SCREEN)
    screen.redraws = True
    screen.press_until("f10", "step 1 of")
    screen.press_until("space", re.compile(r">\[a\]"))
    screen.press_until("down", re.compile(r">\[ \]"))
    screen.press_until("space", re.compile(r">\[b\]"))
    for number in (2, 3, 4):
        screen.press_until("f10", f"step {number} of")
    fill(screen, "Passphrase", PASSPHRASE)
    screen.press("enter")
    fill(screen, "The same again", PASSPHRASE)
    screen.press("enter")
    for number in (5, 6, 7):
        screen.press_until("f10", f"step {number} of")
    fill(screen, "Host name", "guided")
    screen.press("enter")
    fill(screen, "User", USER)
    screen.press("enter")
    screen.press_until("f10", "of them destroy what is on 2 disks")


def agree(screen: Terminal) -> None:
    """Type the ends of the serial numbers that the screen asks for."""
    screen.press_until("f10", "Erase these disks?")
    first, *_ = SERIALS.values()
    screen.press_until("tab", f"Of {first}.")
    for serial in SERIALS.values():
        screen.wait_for(f"Of {serial}.", within=SCREEN)  # the help of the field that has the focus
        screen.settle()
        screen.type(serial[-4:])
        screen.press("enter")
    screen.settle()


def picture(machine: Machine, name: str) -> None:
    """Keep what the machine's own screen shows."""
    machine.qmp("screendump", filename=str(machine.folder / f"{name}.png"), format="png")


def test_guided_install_from_the_first_screen_to_login(iso: Path) -> None:
    copy = empty(RESULTS / "guided", iso=iso, firmware=Firmware.BIOS)
    with copy.live("install") as machine:
        screen = Terminal(machine)
        answer(screen)
        agree(screen)
        screen.press_until("f10", "Copy the live system", "of the steps")
        screen.wait_for("Done", "failed", within=installs.INSTALL)
        assert "failed" not in screen.text, screen.text
        screen.press("enter")  # Restart has the focus
        machine.wait_off(within=300)
    with copy.machine("boot") as machine:
        guest.unlock(machine)
        machine.console.log_in(USER, PASSPHRASE, within=guest.TO_LOGIN)
        prompts = machine.console.text().count(guest.PROMPT)
        found = guest.Findings(machine.console.text(), guest.ask(machine, HEALTH))
        assert prompts == 1
        guest.assert_healthy(found)
        assert machine.console.output("hostname") == "guided"
        machine.power_off()


def test_guided_install_on_the_machine_s_own_screen(iso: Path) -> None:
    """As far as README has pictures of it: the review, and the progress while the system is copied."""
    copy = empty(RESULTS / "guided-vga", iso=iso, firmware=Firmware.BIOS)
    with copy.live("install") as machine:
        machine.console.live_shell(within=installs.INSTALL)
        screen = Vga(machine)
        answer(screen)
        screen.settle()
        picture(machine, "console-review")
        agree(screen)
        screen.press_until("f10", "Teardown")
        screen.wait_for(re.compile(r"\[>\] Copy the live system to the new root +[1-9]\d %"), within=installs.INSTALL)
        picture(machine, "console-progress")
