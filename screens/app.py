"""The guided install: one wizard over frozen answers. It yields a recipe, shows its plan, draws the events."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

os.environ.setdefault("TEXTUAL_DISABLE_KITTY_KEY", "1")  # consoles and serial lines do not know it

from rich.console import RenderableType
from textual import work
from textual.app import App
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.geometry import Offset
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import get_current_worker

from installer.errors import ZrootError
from installer.machine.model import Machine
from installer.run.client import Client
from screens import flow, theme
from screens.answers import Answers
from screens.bootloader import Bootloader
from screens.desk import Desk
from screens.disks import Disks
from screens.encryption import Encrypt
from screens.fields import Own
from screens.flow import To
from screens.layout import Layout
from screens.pool import PoolStep
from screens.redundancy import Redundancy
from screens.review import Review
from screens.reviewing import Reviewed
from screens.shell import open_shell
from screens.step import Help, Left, Move, Step, TooSmall, fits
from screens.system import System
from screens.threads import tell
from screens.welcome import Welcome
from screens.wire import Wire

STEPS: Sequence[type[Step]] = (Welcome, Disks, Layout, Redundancy, Encrypt, PoolStep, Bootloader, System, Review)
"""In their order."""


class Guided(App[int]):
    """The app: holds the machine as it is now, the way to the engine, and the wizard."""

    ENABLE_COMMAND_PALETTE = False
    CSS = theme.CSS
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+l", "paint", "paint", show=False, priority=True)]

    def __init__(self, client: Client, *, answers: Answers | None = None) -> None:
        super().__init__(ansi_color=True)
        self.register_theme(theme.THEME)
        self.theme = theme.THEME.name
        self.animation_level = "none"
        self.desk = Desk(client, steps=sum(1 for step in STEPS if step.number))
        self.answers = answers or Answers(serial_console=client.on_serial_line())
        self._wire = Wire()
        self._painted: Screen[Any] | None = None
        """What was written to the terminal last."""

    def on_mount(self) -> None:
        self.app_resume_signal.subscribe(self, lambda _: self.action_paint())
        self.watch_machine()
        self.guide()

    @work(name="wizard")
    async def guide(self) -> None:
        """Go through the steps; Back shows the one before as it was left. A run that is there comes first."""
        place, answers = 0, self.answers
        to = await flow.reopen(self, answers)
        while to is not To.END and place < len(STEPS):
            left: Left = await self.push_screen_wait(STEPS[place](self.desk, answers))
            answers = left.answers
            match left.move:
                case Move.QUIT:
                    break
                case Move.SHELL:
                    await self.lend()
                case Move.REPLAY:
                    to = await flow.replay(self, answers)
                case Move.BACK:
                    place = max(place - 1, 0) if left.to < 0 else _place(left.to)
                case Move.NEXT if isinstance(left.given, Reviewed):
                    to = await flow.carry_out(self, answers, left.given)
                    place = 0 if to is To.START else place
                case Move.NEXT:
                    place += 1
        self.exit(0)

    async def lend(self) -> None:
        """Lend the terminal to a shell, or say why not."""
        if trouble := open_shell(self, self.desk):
            await self.push_screen_wait(Help("Shell", trouble, "", ""))

    @work(name="machine", thread=True)
    def watch_machine(self) -> None:
        """Look at the machine, and again whenever a disk came or went; never in the way of a key."""
        worker = get_current_worker()
        changes = self.desk.client.changes()
        client = self.desk.client
        changed = True
        while not worker.is_cancelled:
            # Whoever looked at the disks while an engine works would disturb it; what changes then is seen afterwards.
            if changed and not client.at_work():
                changed = False
                try:
                    machine = client.machine()
                except ZrootError as error:
                    tell(self, self._know, None, str(error))
                else:
                    tell(self, self._know, machine, "")
            changed = changes.wait(1.0) or changed

    def _know(self, machine: Machine | None, trouble: str) -> None:
        self.desk.machine, self.desk.trouble = machine, trouble
        for screen in self.screen_stack:
            if isinstance(screen, Step) and screen.is_mounted:
                # One that is not mounted yet reads the desk when it is.
                screen.machine_changed(machine) if machine else screen.machine_lost(trouble)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        # A new screen is written whole: what a line has garbled does not stay for long.
        if self._painted is not screen:
            self._painted = screen
            self._wire.forget()
        if renderable is not None and not (self.is_headless or self._batch_count):
            renderable = self._wire.news(renderable, self.size, self.console)
        super()._display(screen, renderable)

    def action_paint(self) -> None:
        """Write the whole screen again: something else may have written over it."""
        super()._display(self.screen, self._wire.whole(self.size))

    def on_resize(self, event: Resize) -> None:
        self.action_paint()
        if not fits(event.size) and not isinstance(self.screen, TooSmall):
            self.push_screen(TooSmall())

    @property
    def cursor_position(self) -> Offset:
        """Where the terminal's own cursor belongs: at the focus, which screen readers and braille lines follow."""
        focused = self.screen.focused if self.screen_stack else None
        if isinstance(focused, Input):
            return focused.cursor_screen_offset
        if isinstance(focused, Own):
            return focused.content_region.offset + focused.cursor()
        return focused.content_region.offset if focused else Offset(0, 0)

    @cursor_position.setter
    def cursor_position(self, place: Offset) -> None:
        """Textual's widgets set it too early, before they have their place."""


def _place(number: int) -> int:
    """Return the place of the step with a number."""
    return next((place for place, step in enumerate(STEPS) if step.number == number), 0)
