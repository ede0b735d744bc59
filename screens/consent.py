"""After Review: nothing is erased before somebody has typed how each disk's identity ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from installer.errors import ZrootError
from installer.machine.model import Machine
from installer.plan.operation import ChosenDisk, Plan
from screens.answers import Answers
from screens.desk import Desk
from screens.ends import agreed, ends
from screens.fields import Changed, Entry, Field, Press
from screens.reviewing import Reviewed, difference, holds, review
from screens.step import Left, Move, Step
from screens.threads import tell

ASKED = (
    "Everything on {disks} will be lost, for good.\n"
    "To agree, type the last characters of {whose} {number}. Nothing is written yet."
)
ONCE_MORE = "Looking at the disks once more ..."
VOID = "{why} Nothing was written. Go back: the plan is made anew, and you can agree to that one."


class Consent(Step):
    """One line to type for each disk that is erased."""

    title_words = "Erase these disks?"
    number = 8
    general_help = (
        "This is the last screen before anything is written. For each disk, type the last characters of its serial "
        "number (of its WWN or its place, if it has none), as they are printed on its label and shown here: four, or "
        "more where another disk of this machine ends alike. Upper and lower case are the same.\n\n"
        "If a disk comes, goes or changes meanwhile, your consent is void and nothing is written."
    )
    CSS = """
    Consent #asked { height: auto; margin-bottom: 1; text-style: bold; }
    Consent .disk { height: auto; }
    Consent Field { margin-bottom: 1; }
    Consent Entry { max-width: 34; }
    Consent #next { color: $error; text-style: bold; }
    Consent #next:disabled { color: ansi_default; text-style: dim; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("f10", "next", "Erase and install", key_display="F10")]

    def __init__(self, desk: Desk, answers: Answers, *, reviewed: Reviewed, plan: Plan) -> None:
        super().__init__(desk, answers)
        self._reviewed = reviewed
        self._plan = plan
        identities = [disk.identity for disk in desk.machine.disks] if desk.machine else []
        self._ends = ends(dict.fromkeys([*identities, *(disk.identity for disk in plan.disks)]))
        self._void = ""
        self._looking = False

    def body(self) -> ComposeResult:
        several = len(self._plan.disks) > 1
        known = all(disk.description.endswith(f"serial {disk.identity}") for disk in self._plan.disks)
        words = ASKED.format(
            disks="these disks" if several else "this disk",
            whose="each" if several else "its",
            number="serial number" if known else "name (serial number, WWN or place)",
        )
        yield Static(words, id="asked", markup=False)
        for disk in self._plan.disks:
            yield Static(Content(f"Disk {disk.role}: {disk.description}\n{holds(disk)}"), classes="disk")
            yield Field(_name(disk), self._label(disk), Entry(longest=200), help=self._help(disk))

    def buttons(self) -> ComposeResult:
        yield Press("Back", id="back")
        yield Press("Erase and install", id="next")

    def _label(self, disk: ChosenDisk) -> str:
        end = self._ends[disk.identity]
        return f"All of it: {len(end)} signs" if end == disk.identity else f"Last {len(end)} characters"

    def _help(self, disk: ChosenDisk) -> str:
        return f"Of {disk.identity}. Upper and lower case are the same."

    def collect(self) -> Answers:
        return self.first

    def first_focus(self) -> Widget:
        return self.query_one("#back")

    def redraw(self, answers: Answers) -> None:
        self.query_one("#next").disabled = bool(self._void or self._looking or self.problems(answers))

    def problems(self, answers: Answers) -> Mapping[str, str]:
        typed = {field.answers: str(field.control.answer()) for field in self.fields()}
        return {
            _name(disk): f"The name of disk {disk.role} does not end like this."
            for disk in self._plan.disks
            if not agreed(typed.get(_name(disk), ""), disk.identity, self._ends[disk.identity])
        }

    def on_changed(self, event: Changed) -> None:
        # Nothing is wrong yet while it is being typed.
        event.prevent_default()
        for disk in self._plan.disks:
            field = self.query_one(f"#field-{_name(disk)}", Field)
            long_enough = len(str(field.control.answer()).strip()) >= len(self._ends[disk.identity])
            field.say(self.problems(self.first).get(field.answers, "") if long_enough else "")
        self.redraw(self.first)
        self.show_keys()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "next":
            return self.is_mounted and not self.query_one("#next").disabled
        return True

    def action_next(self) -> None:
        if self._void or self._looking:
            return
        if self.problems(self.first):
            super().action_next()  # says where
            return
        self._looking = True
        self._say(ONCE_MORE)
        self.redraw(self.first)
        self.look(None)

    def machine_changed(self, machine: Machine) -> None:
        if not self._looking:
            self.look(machine)

    def machine_lost(self, trouble: str) -> None:
        self._end(trouble)

    @work(thread=True, name="plan")
    def look(self, machine: Machine | None) -> None:
        """Make the plan again: of this look at the machine, or of a fresh one before the consent is given."""
        try:
            found = review(self._reviewed.install, machine or self.desk.client.machine(), self.desk.client)
        except ZrootError as error:
            tell(self, self._end, str(error))
        else:
            tell(self, self._compare, found, given=machine is None)

    def _compare(self, found: Reviewed, *, given: bool) -> None:
        if found.plan is None:
            self._end(" ".join(found.problems[0].words.splitlines()))
        elif found.plan != self._plan:
            self._end(difference(self._plan, found.plan))
        elif given and not self._void:
            self._looking = False
            self.redraw(self.first)
            if self.app.screen is self:
                self.dismiss(Left(self.first, Move.NEXT, given=self._reviewed))

    def _end(self, why: str) -> None:
        """Take the consent back: what was agreed to is no longer what would be done."""
        self._void, self._looking = why, False
        for entry in self.query(Entry):
            entry.value = ""
            entry.disabled = True
        self._say(VOID.format(why=why))
        self.redraw(self.first)
        self.query_one("#back").focus()
        self.show_keys()

    def _say(self, words: str) -> None:
        self.query_one("#asked", Static).update(Content(words))


def _name(disk: ChosenDisk) -> str:
    return f"disk-{disk.role}"
