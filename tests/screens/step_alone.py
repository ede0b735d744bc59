"""One step of the guided install by itself: made from answers, driven by keys, and what it gave back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Static

from installer.run.client import Recorded
from screens import app as guided
from screens.answers import Answers
from screens.app import Guided
from screens.fields import Field, Press
from screens.step import Left, Step

MACHINES = Path(__file__).parents[1] / "machines"
TWO = Answers(disks=("disk-a", "disk-b"))
"""Of the machines with blank disks."""


class Alone:
    """A step on the screen, its machine known."""

    def __init__(self, pilot: Pilot[int], step: Step) -> None:
        self.pilot = pilot
        self.step = step
        self.left: list[Left] = []

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until what they did is done."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def write(self, text: str) -> None:
        """Put a text into what has the focus, as a terminal pastes it: a key at a time takes seconds."""
        assert self.pilot.app.focused
        self.pilot.app.focused.post_message(Paste(text))
        await self.pilot.pause()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what a thread does."""
        for _ in range(200):
            if holds():
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"it did not come to it:\n{self.text()}")

    def text(self) -> str:
        """Return what stands on the screen."""
        return "\n".join(strip.text.rstrip() for strip in self.pilot.app.screen._compositor.render_strips())

    def field(self, name: str) -> Field:
        """Return the field of an answer."""
        return self.step.query_one(f"#field-{name.replace('_', '-')}", Field)

    async def go(self, where: str) -> None:
        """Give a field, or what a selector finds, the focus."""
        found = self.step.query(where).first() if where[0].isupper() or where[0] == "#" else self.field(where).control
        found.focus()
        await self.pilot.pause()

    def problem(self, name: str) -> str:
        """Return what is said beside a field."""
        beside = self.field(name).query_one(".problem", Static)
        return str(beside.render()) if beside.display else ""

    def focus(self) -> str:
        """Name the field or the button that has the focus."""
        focused = self.pilot.app.focused
        if isinstance(focused, Press):
            return str(focused.id)
        fields = focused.ancestors_with_self if focused else ()
        return next((one.answers for one in fields if isinstance(one, Field)), type(focused).__name__)

    async def leave(self, key: str) -> Answers:
        """Leave by a key, and return the answers as the wizard gets them."""
        await self.press(key)
        await self.until(lambda: bool(self.left))
        return self.left[0].answers


class Demo(Recorded):
    """A recorded machine, without the one that the test runs on."""

    console = False

    def on_console(self) -> bool:
        """Say what the test wants."""
        return self.console

    def use_keymap(self, keymap: str) -> bool:
        """Do nothing, and say the same."""
        return self.console


@contextlib.asynccontextmanager
async def shown(
    step: type[Step], answers: Answers, *, machine: str, size: tuple[int, int], client: Recorded | None = None
) -> AsyncIterator[Alone]:
    """Show one step over a recorded machine."""
    app = Guided(client or Demo(MACHINES / f"{machine}.json"), answers=answers)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(guided, "STEPS", ())
        patched.setattr(app, "guide", lambda: None)
        async with app.run_test(size=size) as pilot:
            made = step(app.desk, answers)
            alone = Alone(pilot, made)
            app.push_screen(made, lambda left: alone.left.append(left) if left else None)
            await alone.until(lambda: app.desk.machine is not None and made.is_mounted)
            await pilot.pause()
            yield alone


def drive(  # noqa: PLR0913 - what a test may choose
    step: type[Step],
    steps: Callable[[Alone], Awaitable[None]],
    answers: Answers = TWO,
    *,
    machine: str = "synthetic-two-blank",
    size: tuple[int, int] = (80, 24),
    client: Recorded | None = None,
) -> None:
    """Show a step and do something with it."""

    async def run() -> None:
        async with shown(step, answers, machine=machine, size=size, client=client) as alone:
            await steps(alone)

    asyncio.run(run())
