"""How soon something is seen: after the command, and after a key while the machine does not answer.

Seconds of a processor are measured: those by the clock say more of what else the machine does. `make bench-screens`
gives both.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

from installer.machine.model import Machine
from screens.app import Guided
from tests.screens.bench import BARE, first_picture
from tests.screens.house import SMALL, Demo, Picture, settle, until

TIMES = 4.0
"""How many times what Textual and pydantic need to be loaded; about two when this was written."""
REPAINT = 0.1
"""Seconds of a processor from a key to what it changes."""
BLOCKED = 5.0
"""Seconds by the clock: whoever waited for the probe would wait ten."""


def test_the_first_picture_is_not_far_behind_what_is_loaded_for_it() -> None:
    began = time.monotonic()
    bare = min(_bare() for _ in range(2))
    ours = min(first_picture().work for _ in range(2))
    print(f"\nfirst picture: {ours:.2f} s of a processor, {ours / bare:.1f} times the bare libraries")
    assert ours < TIMES * bare, time.monotonic() - began


def _bare() -> float:
    code = f"{BARE}\nimport time; print(time.process_time())"
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


class Blocked(Demo):
    """A machine whose disks do not answer."""

    def __init__(self) -> None:
        super().__init__("synthetic-two-blank")
        self.let = threading.Event()

    def machine(self) -> Machine:
        """Wait until the test is over; ten seconds would be too few on a machine that has a lot else to do."""
        self.let.wait(100)
        return super().machine()


def test_keys_repaint_at_once_while_the_probe_is_blocked() -> None:
    async def run() -> None:
        client = Blocked()
        app = Guided(client)
        async with app.run_test(size=SMALL) as pilot:
            await until(pilot, lambda: bool(app.screen.focused))
            await settle(pilot)
            for key in ("down", "up", "tab", "f1", "escape", "f10", "tab", "tab", "f10", "escape", "shift+tab"):
                shown, began, worked = Picture.of(pilot), time.monotonic(), time.process_time()
                await pilot.press(key)
                await until(pilot, lambda shown=shown: Picture.of(pilot) != shown)  # type: ignore[misc]
                took, work = time.monotonic() - began, time.process_time() - worked
                new = 5 if key in ("f1", "escape", "f10") else 1  # a screen that has to be made
                assert work < REPAINT * new, f"{key}: {work:.3f} s of a processor"
                assert took < BLOCKED, f"{key}: {took:.1f} s"
                assert app.desk.machine is None, "it is no longer blocked: the test proves nothing"
            client.let.set()

    asyncio.run(run())
