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
from tests.vm.screen import Terminal

pytestmark = [pytest.mark.vm, pytest.mark.slow]

SCREEN = 120.0
"""Seconds for a screen to follow another one, on an emulator that starts programs in the background."""
USER = "anna"


def step(screen: Terminal, number: int, focused: str = "") -> None:
    """Wait for a step, and until the focus is where typing begins: what is typed before that is lost."""
    screen.wait_for(f"step {number} of", within=SCREEN)
    if focused:
        focus(screen, focused)


def focus(screen: Terminal, label: str) -> None:
    """Wait until a field has the focus."""
    screen.wait_for(re.compile(rf"{label} +»"), within=SCREEN)


def answer(screen: Terminal) -> None:
    """Go from the first screen to the review and type nothing that has a good answer already."""
    screen.wait_for("Keyboard layout", within=installs.INSTALL)
    screen.wait_for("can be used", within=SCREEN)
    screen.press("f10")
    screen.redraws = True
    step(screen, 1)
    for key, then in (("space", r">\[a\]"), ("down", r">\[ \]"), ("space", r">\[b\]")):
        screen.press(key)
        screen.wait_for(re.compile(then), within=SCREEN)
    screen.press("f10")
    step(screen, 2)
    screen.press("f10")
    step(screen, 3)
    screen.press("f10")
    step(screen, 4, "Passphrase")
    screen.type(PASSPHRASE)
    screen.press("enter")
    focus(screen, "The same again")
    screen.type(PASSPHRASE)
    screen.press("enter", "f10")
    step(screen, 5)
    screen.press("f10")
    step(screen, 6)
    screen.press("f10")
    step(screen, 7, "Host name")
    screen.type("guided")
    screen.press("enter")
    focus(screen, "User")
    screen.type(USER)
    screen.press("enter", "f10")
    screen.wait_for("of them destroy what is on 2 disks", within=SCREEN)


def agree(screen: Terminal) -> None:
    """Type the ends of the serial numbers that the screen asks for."""
    screen.press("f10")
    screen.wait_for("Erase these disks?", within=SCREEN)
    ends = [serial[-4:] for serial in SERIALS.values()]
    screen.press("tab")
    for end in ends:
        screen.type(end)
        screen.press("enter")
    screen.press("f10")


def picture(machine: Machine, name: str) -> None:
    """Keep what the machine's own screen shows."""
    machine.qmp("screendump", filename=str(machine.folder / f"{name}.png"), format="png")


def test_guided_install_from_the_first_screen_to_login(iso: Path) -> None:
    copy = empty(RESULTS / "guided", iso=iso, firmware=Firmware.BIOS)
    with copy.live("install") as machine:
        screen = Terminal(machine)
        answer(screen)
        picture(machine, "first-screen")
        agree(screen)
        screen.wait_for("Copy the live system", within=SCREEN * 5)
        screen.wait_for("Done", "failed", within=installs.INSTALL)
        assert "failed" not in screen.text, screen.text
        screen.press("enter")  # Restart has the focus
        machine.wait_off(within=300)
    with copy.machine("boot") as machine:
        guest.unlock(machine)
        machine.console.log_in(USER, PASSPHRASE, within=guest.TO_LOGIN)
        prompts = machine.console.text().count(guest.PROMPT)
        found = guest.Findings(machine.console.text(), 0, 0, guest.ask(machine, HEALTH))
        assert prompts == 1
        guest.assert_healthy(found)
        assert machine.console.output("hostname") == "guided"
        machine.power_off()
