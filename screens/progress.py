"""The installation under way: drawn from the engine's events, whoever started it and whenever."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from installer.errors import ZrootError
from installer.plan.operation import Plan
from installer.run.events import Ended, Stamped
from screens import running
from screens.answers import Answers
from screens.ask import Ask
from screens.desk import Desk
from screens.fields import Press
from screens.following import Run
from screens.keep import Keep
from screens.log import Log
from screens.paper import Line, Look, Paper
from screens.reviewing import Install
from screens.shell import open_shell
from screens.step import Left, Move, Step
from screens.threads import tell

EVERY = 0.5
"""Seconds between two looks at the events; a serial line carries 11 kB in one."""

LATER = "Resume goes on now. After a restart, Replay a recipe on the first screen finds this installation."

STATE_WORDS = ("Disks ", "Nothing on the disks")
"""How the sentences begin that say in which state the disks are."""


STOP = (
    "Stop the installation after the step under way?",
    "The disks then hold neither the old content nor a system that starts. The installation can be resumed.",
    [("go", "Go on"), ("halt", "Stop")],
)


class Mode(StrEnum):
    """What the screen is about."""

    RUNNING = "running"
    ASKED = "asked"
    BROKEN = "broken"
    """Ended before its end, after writing began."""
    REFUSED = "refused"
    """Ended, and nothing was written."""


BUTTONS = {
    Mode.RUNNING: ("log", "shell", "stop"),
    Mode.ASKED: ("retry", "later", "shell", "report"),
    Mode.BROKEN: ("resume", "shell", "report", "leave"),
    Mode.REFUSED: ("return", "report"),
}
"""By their ids; the first has the focus."""


class Progress(Step):
    """Steps, time, the last output; and when something fails, what and how to go on."""

    title_words = "Installing"
    general_help = (
        "The engine works by itself: closing this screen (Ctrl+Q), a lost connection or a crash change nothing. Open "
        "zroot again and it is here, with all that was said.\n\n"
        "[x] done   [>] running   [ ] waiting   [!] failed   [-] left out: it may fail, and the rest goes on.\n\n"
        "F3 shows the full log. F9 stops after the step under way; the installation can then be resumed. "
        "The time left is a guess from the steps done so far."
    )
    CSS = """
    Progress #body { overflow: hidden; padding: 0 2; }
    Progress #title { height: 1; text-style: bold; }
    Progress #head { height: 1; margin-bottom: 1; }
    Progress #work { height: 1fr; }
    Progress #parts { height: 1fr; }
    Progress #layers { width: 27; }
    Progress #steps { width: 1fr; height: 100%; border-left: solid $primary; padding-left: 1; }
    Progress #output { height: 1; text-style: bold underline; }
    Progress #tail { height: 4; }
    Progress #tail.-tall { height: 10; }
    Progress #tail.-short { height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f3", "log", "Log", key_display="F3"),
        Binding("f4", "shell", "Shell", key_display="F4"),
        Binding("f9", "stop", "Stop", key_display="F9"),
        Binding("up", "scroll('up')", "Scroll", key_display="↑↓"),
        Binding("down", "scroll('down')", show=False),
        Binding("pageup", "scroll('page_up')", show=False),
        Binding("pagedown", "scroll('page_down')", show=False),
    ]

    def __init__(
        self, desk: Desk, answers: Answers, *, install: Install | None = None, plan: Plan | None = None
    ) -> None:
        """Follow the run that is there; with an install, start it first: fresh with its reviewed plan, else resumed."""
        super().__init__(desk, answers)
        self._install = install
        self._reviewed = plan
        self.plan = plan
        """Of the run that is shown, once it is known."""
        self.run = Run()
        self._mode = Mode.RUNNING
        self._stopping = False
        self._over = False
        self._reading = False
        """Whether a look at the events is under way, or a start of the engine."""
        self._shown = ""
        if plan:
            self.run.know(plan)

    def body(self) -> ComposeResult:
        yield Static("", id="title", markup=False)
        yield Static("", id="head", markup=False)
        with Vertical(id="work"):
            with Horizontal(id="parts"):
                yield Static("", id="layers", markup=False)
                yield Static("", id="steps", markup=False)
            yield Static("Output", id="output", markup=False)
            yield Static("", id="tail", markup=False)
        yield Paper(id="trouble", focus=False)

    def buttons(self) -> ComposeResult:
        yield Press("Log", id="log")
        yield Press("Retry", id="retry")
        yield Press("Resume", id="resume")
        yield Press("Resume later", id="later")
        yield Press("Back to the plan" if self._reviewed else "Back", id="return")
        yield Press("Shell", id="shell")
        yield Press("Stop ...", id="stop")
        yield Press("Save report", id="report")
        yield Press("Leave", id="leave")

    def collect(self) -> Answers:
        return self.first

    def first_focus(self) -> Widget:
        return self.query_one(f"#{BUTTONS[self._mode][0]}")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("back", "next", "page"):
            return False
        if action == "scroll":
            return self._mode is not Mode.RUNNING
        return action != "stop" or (self._mode is Mode.RUNNING and self.run.begun and not self._stopping)

    def on_mount(self) -> None:
        self._enter(Mode.RUNNING)
        self._draw()
        if self._install:
            self._begin(self._install)
        self.set_interval(EVERY, self._look)

    def on_resize(self) -> None:
        tail = self.query_one("#tail")
        tail.set_class(self.size.height >= 36, "-tall")
        tail.set_class(self.size.height < 23, "-short")
        self.call_after_refresh(self._draw)

    # The engine.

    @work(thread=True, name="engine")
    def start(self, install: Install) -> None:
        """Start the engine; it goes on by itself."""
        plan = self._reviewed
        erase = [disk.identity for disk in plan.disks] if plan and not install.resume else []
        try:
            self.desk.client.start(
                install.recipe,
                secrets=install.secrets,
                erase=erase,
                resume=install.resume,
                reviewed=None if install.resume else plan,
            )
        except ZrootError as error:
            ended = Ended(status="refused", exit=error.exit, words=str(error))
            tell(self, self._take, [Stamped(at=self.desk.client.now(), what=ended)], None)
        else:
            tell(self, self._take, [], None)

    def _begin(self, install: Install) -> None:
        self._reading = True
        self.start(install)

    def _look(self) -> None:
        if not self._reading and not self.run.ended:
            self._reading = True
            self.read()
        elif not self.run.ended:
            self._draw()

    @work(thread=True, name="events")
    def read(self) -> None:
        """Read what the engine said since the last time."""
        fresh = self.desk.client.new_events()
        plan = self.desk.client.plan() if fresh and self.plan is None else None
        tell(self, self._take, fresh, plan)

    def _take(self, fresh: Sequence[Stamped], plan: Plan | None) -> None:
        self._reading = False
        if plan:
            self.plan = plan
            self.run.know(plan)
        for stamped in fresh:
            self.run.take(stamped)
        if not self.is_mounted:
            return
        if self._finished():
            return
        self._change()
        self._draw()
        self._show_stop()
        for screen in self.app.screen_stack:
            if isinstance(screen, Log):
                screen.refresh_lines()

    def _finished(self) -> bool:
        """Make room for the last screen once all is done; a log that is being read stays until it is left."""
        done = bool(self.run.ended and self.run.ended.status == "done") and self.app.screen is self
        if done and not self._over:
            self._over = True
            self.dismiss(Left(self.first, Move.NEXT, given=self.run))
        return done

    def on_screen_resume(self) -> None:
        self._finished()

    # What is shown.

    def _change(self) -> None:
        """Go over to what the run asks for now."""
        mode, words = Mode.RUNNING, ""
        if ended := self.run.ended:
            mode, words = (Mode.REFUSED if ended.status == "refused" else Mode.BROKEN), ended.words
        elif ask := self.run.ask:
            mode, words = Mode.ASKED, ask.question
        if mode is not self._mode or words != self._shown:
            self._shown = words
            self._stopping = self._stopping and mode is Mode.RUNNING
            later = [Line(""), Line(LATER)] if mode is Mode.BROKEN else []
            self.query_one("#trouble", Paper).write([*_trouble(words), *later])
            self._enter(mode)

    def _enter(self, mode: Mode) -> None:
        self._mode = mode
        for press in self.query(Press):
            press.display = press.id in BUTTONS[mode]
        self._show_stop()
        self.query_one("#work").display = mode is Mode.RUNNING
        self.query_one("#trouble").display = mode is not Mode.RUNNING
        self.call_after_refresh(lambda: self.first_focus().focus())
        self.show_keys()

    def _show_stop(self) -> None:
        """Offer to stop as long as there is something to stop."""
        can = bool(self.check_action("stop", ()))
        stop = self.query_one("#stop")
        if self._mode is Mode.RUNNING and stop.display != can:
            if stop.has_focus:
                self.query_one("#log").focus()
            stop.display = can
            self.show_keys()

    def _draw(self) -> None:
        now, width = self.desk.client.now(), max(self.size.width - 4, 20)
        what = {
            Mode.RUNNING: self.run.title or "Starting",
            Mode.ASKED: "A step failed. The engine waits for you.",
            Mode.BROKEN: "The installation is not finished.",
            Mode.REFUSED: "The engine refused. Nothing was written.",
        }[self._mode]
        self._write("title", Content(what))
        self._write("head", running.head(self.run, width=width, now=now, stopping=self._stopping))
        self.query_one("#head").display = self._mode is not Mode.REFUSED
        if self._mode is Mode.RUNNING:
            steps = self.query_one("#steps")
            size = steps.scrollable_content_region
            self._write("layers", running.layers(self.run))
            self._write("steps", running.steps(self.run, width=size.width, height=size.height))
            self._write("tail", running.tail(self.run, width=width, height=self.query_one("#tail").size.height))

    def _write(self, name: str, content: Content) -> None:
        """Change a text only where it changed: every cell that is drawn again goes over the line."""
        static = self.query_one(f"#{name}", Static)
        if static.content != content:
            static.update(content)

    def _say(self, words: str) -> None:
        self.query_one("#help", Static).update(Content(words))

    # What a person does.

    def on_press_pressed(self, event: Press.Pressed) -> None:
        match event.button.id:
            case "retry":
                self._answer("retry")
            case "later":
                self._answer("stop")
            case "resume":
                self._resume()
            case "log" | "shell" | "stop" | "report":
                getattr(self, f"action_{event.button.id}")()
            case "return":
                self.dismiss(Left(self.first, Move.BACK))
            case "leave":
                self.dismiss(Left(self.first, Move.QUIT))

    def action_log(self) -> None:
        self.app.push_screen(Log(self.run))

    def action_shell(self) -> None:
        self._say(open_shell(self.app, self.desk))

    def action_stop(self) -> None:
        if self.check_action("stop", ()):
            self.app.push_screen(Ask(*STOP), self._stop)

    def _stop(self, answer: str | None) -> None:
        if answer == "halt" and self._mode is Mode.RUNNING:
            self._stopping = True
            self._answer("stop")
            self._draw()
            self._show_stop()

    def action_report(self) -> None:
        self.app.push_screen(Keep(self.desk, "report", {"zroot-report.txt": self.desk.client.report()}, self.plan))

    def action_scroll(self, how: str) -> None:
        getattr(self.query_one("#trouble", Paper), f"scroll_{how}")(animate=False)

    def _answer(self, word: str) -> None:
        try:
            self.desk.client.answer(word)
        except ZrootError as error:
            self._say(str(error))

    def _resume(self) -> None:
        """Go on with the same secrets if they are still known here, else ask for them again."""
        known = self._install
        if known is None:
            install = Install(recipe=self.desk.client.recipe(), resume=True)
            self.dismiss(Left(self.first, Move.REPLAY, given=install))
            return
        self._install = Install(recipe=known.recipe, secrets=known.secrets, resume=True)
        self.run.ended = None
        self._shown = ""
        self._enter(Mode.RUNNING)
        self._begin(self._install)


def _trouble(words: str) -> list[Line]:
    lines = []
    for number, line in enumerate(words.splitlines()):
        look = Look.PLAIN
        if number == 0:
            look = Look.DANGER
        elif line.startswith((*STATE_WORDS, "Command:")):
            look = Look.STRONG
        lines.append(Line(line, hang=2 if line.startswith("Command:") else 0, look=look))
    return lines
