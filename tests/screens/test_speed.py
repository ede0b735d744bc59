"""How soon something is seen: after the command, and after a key while the machine does not answer.

A processor's time is compared with what the libraries alone take in the same run; `make bench-screens` gives figures.
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
        """Wait until a test lets it go on; never for ever, or a test that failed would hang."""
        self.let.wait(100)
        return super().machine()


def test_keys_repaint_while_the_probe_is_blocked() -> None:
    async def run() -> None:
        client = Blocked()
        app = Guided(client)
        async with app.run_test(size=SMALL) as pilot:
            await until(pilot, lambda: bool(app.screen.focused))
            await settle(pilot)
            for key in ("down", "up", "tab", "f1", "escape", "f10", "tab", "tab", "f10", "escape", "shift+tab"):
                shown = Picture.of(pilot)
                await pilot.press(key)
                await until(pilot, lambda shown=shown: Picture.of(pilot) != shown)  # type: ignore[misc]
                assert app.desk.machine is None, "it is no longer blocked: the test proves nothing"
            client.let.set()
            await until(pilot, lambda: app.desk.machine is not None)

    asyncio.run(run())


class Late(Demo):
    """A machine whose disks answer when somebody has just quit."""

    app: Guided | None = None

    def machine(self) -> Machine:
        """Wait until the first screen is being taken away."""
        while self.app is None or self.app.is_running:
            time.sleep(0.001)
        return super().machine()


def test_an_answer_that_comes_after_quit_is_nobody_s() -> None:
    async def run() -> None:
        client = Late("synthetic-two-blank")
        client.app = app = Guided(client)
        async with app.run_test(size=SMALL) as pilot:
            await until(pilot, lambda: bool(app.screen.focused))
        assert app.desk.machine is None

    asyncio.run(run())
