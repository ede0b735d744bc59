"""The end of an installation: what was proved, what is where, and what to do now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from installer.errors import ZrootError
from installer.plan.operation import AwaitDevices, Effect, Layer, Operation, Plan
from installer.recipe.load import parse
from installer.recipe.secrets import Kind, needed
from screens.answers import Answers
from screens.desk import Desk
from screens.fields import Press
from screens.following import Run, State, clock
from screens.keep import Keep
from screens.log import Log
from screens.paper import Line, Look, Paper
from screens.shell import open_shell
from screens.step import Left, Move, Step
from screens.threads import tell

CLOSED = "Prove that all of it is closed: pools, encryption, arrays"
"""What the engine proves itself before it says that it is done."""


class Done(Step):
    """All is written, checked and closed."""

    title_words = "Done"
    general_help = (
        "The installation is finished and closed. Restart starts the new system from its disks. If the machine starts "
        "from the installer's medium again, remove it, or put the disks first in the firmware's boot order.\n\n"
        "F2 saves the headers of the encrypted members and what was saved of the old order. Without its header an "
        "encrypted member is lost; keep the copy somewhere safe."
    )
    CSS = """
    Done #body { overflow: hidden; }
    Done #head { height: 1; text-style: bold; color: $success; margin-bottom: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "save", "Save headers", key_display="F2"),
        Binding("f3", "log", "Log", key_display="F3"),
        Binding("f4", "shell", "Shell", key_display="F4"),
        Binding("up", "scroll('up')", "Scroll", key_display="↑↓"),
        Binding("down", "scroll('down')", show=False),
        Binding("pageup", "scroll('page_up')", show=False),
        Binding("pagedown", "scroll('page_down')", show=False),
    ]

    def __init__(self, desk: Desk, answers: Answers, *, run: Run, plan: Plan | None) -> None:
        super().__init__(desk, answers)
        self._run = run
        self._plan = plan

    def body(self) -> ComposeResult:
        yield Static("", id="head", markup=False)
        yield Paper(id="told", focus=False)

    def buttons(self) -> ComposeResult:
        yield Press("Restart", id="restart")
        yield Press("Power off", id="power")
        yield Press("Shell", id="shell")
        yield Press("Save headers", id="save")
        yield Press("Leave", id="leave")

    def collect(self) -> Answers:
        return self.first

    def first_focus(self) -> Widget:
        return self.query_one("#restart")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "scroll":
            return self.is_mounted and self.query_one("#told", Paper).max_scroll_y > 0
        return action not in ("back", "next", "page") and (action != "save" or bool(self.desk.client.undo_kit()))

    def on_mount(self) -> None:
        took = clock(self._run.ended_at - self._run.began_at)
        self.query_one("#head", Static).update(Content(f"{self._run.title} is installed. It took {took}."))
        self.query_one("#save").display = bool(self.desk.client.undo_kit())
        self.query_one("#told", Paper).write(self._told())

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_keys)

    def _told(self) -> Iterator[Line]:
        yield Line("Now", look=Look.STRONG)
        asked = " It asks for the passphrase at its start." if self._plan and asks(self._plan) else ""
        yield Line(f"Remove the installer's medium when the machine restarts.{asked}")
        yield Line("")
        yield Line("What is where", look=Look.STRONG)
        if self._plan and self._plan.target:
            yield Line("Recipe, plan, journal and log: in /var/log/zroot of the new system, for root only.", hang=2)
        else:
            yield Line("Recipe, plan, journal and log: in the memory of this system, in /run/zroot.", hang=2)
        if self.desk.client.undo_kit():
            yield Line(
                "Headers of the encrypted members, and what was saved of the old order: in the memory of this system, "
                "which forgets it at the restart. F2 saves it to a stick.",
                hang=2,
            )
        if any("ZROOT volume too" in notice for notice in self._run.notices):
            yield Line("The same stands on the ZROOT volume, in zroot-undo.", hang=2)
        yield Line("")
        yield Line("What was proved", look=Look.STRONG)
        for title in (*proved(self._plan, self._run), CLOSED):
            yield Line(f"[x] {title}", hang=4)

    def on_press_pressed(self, event: Press.Pressed) -> None:
        match event.button.id:
            case "restart":
                self.end("restart")
            case "power":
                self.end("power_off")
            case "leave":
                self.dismiss(Left(self.first, Move.NEXT))
            case "shell" | "save":
                getattr(self, f"action_{event.button.id}")()

    @work(thread=True, exclusive=True, name="end")
    def end(self, how: str) -> None:
        """Restart the machine, or switch it off."""
        self.desk.client.seen()
        try:
            getattr(self.desk.client, how)()
        except ZrootError as error:
            tell(self, self._say, str(error))
        else:
            tell(self, self._say, "It will happen in a moment.")

    def action_save(self) -> None:
        self.app.push_screen(Keep(self.desk, "headers and undo kit", self.desk.client.undo_kit(), self._plan))

    def action_log(self) -> None:
        self.app.push_screen(Log(self._run))

    def action_shell(self) -> None:
        self._say(open_shell(self.app, self.desk))

    def action_scroll(self, how: str) -> None:
        getattr(self.query_one("#told", Paper), f"scroll_{how}")(animate=False)

    def _say(self, words: str) -> None:
        self.query_one("#help", Static).update(Content(words))


def asks(plan: Plan) -> bool:
    """Tell whether the new system asks for a passphrase when it starts."""
    return bool(plan.target) and any(need.kind is not Kind.PASSWORD for need in needed(parse(plan.recipe)))


def proved(plan: Plan | None, run: Run) -> Iterator[str]:
    """Name what was checked, as far as it was found to be so."""
    for operation in plan.operations if plan else ():
        stage = run.stages.get(operation.id)
        if _proves(operation) and stage and stage.state is State.DONE:
            yield operation.title


def _proves(operation: Operation) -> bool:
    """Tell whether an operation says something about the new system: not that the disks were empty, or of a wait."""
    if operation.effect is Effect.OPEN:
        return operation.layer is Layer.ENCRYPTION
    if operation.effect not in (Effect.CHECK, Effect.PROVE) or "/settle/" in operation.id:
        return False
    return operation.layer not in (Layer.TEARDOWN, Layer.PARTITIONS) or isinstance(operation.action, AwaitDevices)
