"""Step: the plan itself, before anybody agrees to it; or everything that stands in its way."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import DescendantFocus
from textual.widget import Widget
from textual.widgets import Static

from installer.machine.model import Machine
from screens.answers import Answers
from screens.desk import Desk
from screens.fields import Press
from screens.keep import Keep, recipe_files
from screens.paper import Line, Paper
from screens.reviewing import (
    NOWHERE,
    STEPS,
    Install,
    Problem,
    Reviewed,
    disk_lines,
    plan_lines,
    problem_lines,
    review,
    summary,
)
from screens.step import Left, Move, Step
from screens.threads import tell

AHEAD = "Nothing is written before you have typed, on the next screen, how the disks' serial numbers end."


class Review(Step):
    """What will be done to which disk, command by command."""

    title_words = "Review"
    number = 8
    general_help = (
        "This is the plan itself: every command in its order, as it will be carried out. On the left each disk as it "
        "is now and as it will be. !! DESTROYS marks the steps after which the old content is gone.\n\n"
        "Nothing is written before you have typed the ends of the disks' serial numbers on the next screen. F2 saves "
        "the recipe and the plan as a shell script, on a stick too: the recipe, replayed, gives the same plan.\n\n"
        "Up, down, PgUp and PgDn scroll the plan; Tab leads to the disks and to the buttons."
    )
    CSS = """
    Review #body { overflow: hidden; padding: 0 2; }
    Review #about { height: auto; max-height: 2; }
    Review #panes { height: 1fr; }
    Review #left { width: 34%; min-width: 26; max-width: 44; }
    Review #right { width: 1fr; border-left: solid $primary; padding-left: 1; }
    Review .heading { height: 1; text-style: bold underline; }
    Review Vertical:focus-within .heading { text-style: reverse bold; color: $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f10", "next", "Install ...", key_display="F10"),
        Binding("f2", "save", "Save", key_display="F2"),
        Binding("up", "scroll('up')", "Scroll", key_display="↑↓ PgUp PgDn"),
        Binding("down", "scroll('down')", show=False),
        Binding("pageup", "scroll('page_up')", show=False),
        Binding("pagedown", "scroll('page_down')", show=False),
        Binding("home", "scroll('home')", show=False),
        Binding("end", "scroll('end')", show=False),
    ]

    def __init__(self, desk: Desk, answers: Answers, *, install: Install | None = None) -> None:
        super().__init__(desk, answers)
        self._source: Answers | Install = install or answers
        self._problems: tuple[Problem, ...] = ()
        self.reviewed: Reviewed | None = None
        """What is on the screen, once the plan has been made; the wizard takes it from here."""

    def body(self) -> ComposeResult:
        yield Static("", id="about", markup=False)
        with Horizontal(id="panes"):
            with Vertical(id="left"):
                yield Static("Disks", classes="heading", markup=False)
                yield Paper(id="disks")
            with Vertical(id="right"):
                yield Static("Plan", classes="heading", id="what", markup=False)
                yield Paper(id="plan", focus=False)

    def buttons(self) -> ComposeResult:
        yield Press("Install ...", id="next")
        yield Press("Go there", id="there")
        yield Press("Save", id="save")
        yield Press("Back", id="back")

    def collect(self) -> Answers:
        return self.first

    def first_focus(self) -> Widget:
        return next(iter(self.query("#next, #there, #back").filter(".-shown")), self.query_one("#back"))

    def on_mount(self) -> None:
        self._show(None)
        self.machine_lost(self.desk.trouble)
        self.call_after_refresh(self._read_desk)

    def _read_desk(self) -> None:
        """Begin with the machine that is known already, or became known while this screen was being made."""
        if self.desk.machine and not self.reviewed:
            self.make(self.desk.machine)

    def machine_changed(self, machine: Machine) -> None:
        self.make(machine)

    def machine_lost(self, trouble: str) -> None:
        self._about(trouble or "Looking at the disks ...")

    @work(thread=True, exclusive=True, name="plan")
    def make(self, machine: Machine) -> None:
        """Make the plan; a later look at the machine makes it anew."""
        found = review(self._source, machine, self.desk.client)
        tell(self, self._show, found)

    def _show(self, found: Reviewed | None) -> None:
        same = found is not None and self.reviewed == found
        self.reviewed = found
        plan = found.plan if found else None
        self._problems = found.problems if found else ()
        step = self._wrong_step()
        for name, wanted in {"next": bool(plan), "save": bool(plan), "there": step != NOWHERE, "back": True}.items():
            button = self.query_one(f"#{name}", Press)
            button.display = wanted
            button.set_class(wanted, "-shown")
        if step in STEPS:
            self.query_one("#there", Press).update(f"[ Back to {STEPS[step][0]} ]")
        self.query_one("#left").display = bool(plan)
        if same:
            return
        self.query_one("#what", Static).update("Plan" if plan else "Problems" if self._problems else "")
        if plan:
            self._about(f"{plan.title}\n{summary(plan)}")
            self.query_one("#disks", Paper).write(line for disk in plan.disks for line in disk_lines(disk))
            self.query_one("#plan", Paper).write(plan_lines(plan))
        else:
            self._about("" if found else "Making the plan ...")
            self.query_one("#plan", Paper).write(problem_lines(self._problems) if found else [Line("")])
        self.call_after_refresh(lambda: self.first_focus().focus())
        self.show_keys()

    def _about(self, words: str) -> None:
        self.query_one("#about", Static).update(Content(words))

    def _wrong_step(self) -> int:
        return next((problem.step for problem in self._problems if problem.step != NOWHERE), NOWHERE)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("next", "save"):
            return bool(self.reviewed and self.reviewed.plan)
        return True

    def on_press_pressed(self, event: Press.Pressed) -> None:
        match event.button.id:
            case "there":
                self.dismiss(Left(self.first, Move.BACK, to=self._wrong_step()))
            case "save":
                self.action_save()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        event.prevent_default()
        super().on_descendant_focus(event)
        if self.reviewed and self.reviewed.plan:
            self.query_one("#help", Static).update(AHEAD)

    def action_next(self) -> None:
        if self.reviewed and self.reviewed.plan:
            self.dismiss(Left(self.first, Move.NEXT, given=self.reviewed))

    def action_save(self) -> None:
        if self.reviewed and self.reviewed.plan:
            self.app.push_screen(
                Keep(self.desk, "recipe and script", recipe_files(self.reviewed.plan), self.reviewed.plan)
            )

    def action_scroll(self, how: str) -> None:
        getattr(self.query_one("#plan", Paper), f"scroll_{how}")(animate=False)
