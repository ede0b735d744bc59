"""What each chosen disk is for: the field that says it in a line, and the window in which it is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.events import Click, DescendantFocus
from textual.screen import ModalScreen
from textual.widgets import Static

from installer.machine import words
from installer.plan import fit
from installer.recipe.model import VdevRole
from screens import compose as composing
from screens import fitting, topology
from screens.answers import ROLES, Answers
from screens.answers import topology as chosen_topology
from screens.desk import Desk
from screens.disklist import bus, cut, label, model
from screens.fields import Accepted, Changed, Field, Pick, Press
from screens.step import Help, Step
from screens.vdevs import fault, listed, support

SHOWN = 6
"""Disks in sight at once: the rest of the window needs room as well."""
Given = tuple[tuple[str, VdevRole], ...]
"""The uses of disks, by their identities."""

WORDS: Mapping[VdevRole, str] = {
    VdevRole.DATA: "data",
    VdevRole.SPECIAL: "special",
    VdevRole.DEDUP: "dedup",
    VdevRole.LOG: "log",
    VdevRole.CACHE: "cache",
    VdevRole.SPARE: "spare",
}
WHY: Mapping[VdevRole, str] = {
    VdevRole.DATA: "Holds files, and starts the machine: /boot and a boot loader are on each of these disks.",
    VdevRole.SPECIAL: (
        "Holds names, sizes and block lists of all files: what makes a hard disk seek. Costs fast disks, as many as "
        "survive what the data survive: the pool is lost with them. Beside a raidz it stays for ever."
    ),
    VdevRole.DEDUP: (
        "Blocks that come twice are stored once, in the whole pool; this holds the table of them. Costs memory and "
        "time at every write, and the pool is lost with it. For much that is alike only."
    ),
    VdevRole.LOG: (
        "What databases and NFS must have on disk at once goes here first: a small, quick SSD that keeps its data "
        "without power. Costs little; but give it two disks: where one alone dies with a power cut, the last writes "
        "are lost."
    ),
    VdevRole.CACHE: (
        "A second copy of what is read often, where memory is too small for that. Costs some memory for all that it "
        "holds, and helps later, when it has filled. It may fail without harm."
    ),
    VdevRole.SPARE: (
        "Takes the place of the first data disk that fails, while nobody is there. Costs a disk as large as those, "
        "that does nothing until then; it has no boot loader."
    ),
}
"""What each use is good for, and what it costs."""
GENERAL = (
    "A pool can have more than its data: disks that make it quicker, or that wait for another one to fail. The pool "
    "takes such a disk whole. It has no part of /boot and no boot loader, and with LUKS the same passphrase opens it. "
    "Nothing of this is needed: with one kind of disks let all of them hold data."
)
RECIPES = (
    "Two uses for one disk, such as a log and a cache on one SSD, take a recipe of your own: "
    "pool-of-many-kinds.toml shows how."
)
NONE = "special, dedup, log, cache and spare make a pool quicker or wait for a failure. Space opens the list of disks."


class Uses(Pick):
    """The uses of all disks in a line; space opens the window."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space,right,left", "choose", "Uses", key_display="Space")]

    def __init__(self, answers: Answers) -> None:
        super().__init__([(answers.uses, summary(answers))], answers.uses)

    def show(self, answers: Answers) -> None:
        """Say what the answers come to."""
        self.offer([(answers.uses, summary(answers))], answers.uses)

    def render(self) -> Content:
        return Content(f"{self.choices[self.index][1]} ▼")

    def action_choose(self) -> None:
        if isinstance(step := self.screen, Step):
            self.app.push_screen(Window(step.desk, step.collect()), self._chosen)

    def on_click(self, event: Click) -> None:
        self.action_choose()

    def _chosen(self, uses: Given | None) -> None:
        if uses is not None:
            self.offer([(uses, "")], uses)
            self.post_message(Changed(self))


class Window(ModalScreen[Given | None]):
    """A line for each disk, and below what the choice comes to; leaves with none if nothing is to change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("f1", "help", "Help", key_display="F1"),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]
    AUTO_FOCUS = "Pick"
    CSS = """
    Window { align: center middle; }
    Window > Vertical { width: 76; max-width: 100%; height: auto; max-height: 100%; border: solid $primary;
        padding: 0 1; }
    Window #rows { scrollbar-size: 1 1; }
    Window #rows .label { width: 48; }
    Window #why { height: auto; min-height: 3; margin-top: 1; }
    Window #result { height: auto; margin-top: 1; }
    Window #wrong { height: auto; color: $error; text-style: bold; }
    Window #uses-buttons { height: 1; margin-top: 1; }
    Window Press { width: auto; margin-right: 2; }
    """

    def __init__(self, desk: Desk, answers: Answers) -> None:
        super().__init__()
        self._desk, self._first = desk, answers

    def compose(self) -> ComposeResult:
        choices = list(WORDS.items())
        with Vertical() as window:
            window.border_title = Content("Uses of the disks")
            window.border_subtitle = Content("F1 help   Esc leaves them as they were")
            with VerticalScroll(id="rows", can_focus=False) as rows:
                rows.styles.height = min(len(self._first.disks), SHOWN)
                for role, identity in zip(ROLES, self._first.disks, strict=False):
                    pick = Pick(choices, self._first.use(identity))
                    yield Field(f"use-{role}", f"{role}  {self._named(identity)}", pick)
            yield Static("", id="why", markup=False)
            yield Static("", id="result", markup=False)
            yield Static("", id="wrong", markup=False)
            with Horizontal(id="uses-buttons"):
                yield Press("Save", id="save")
                yield Press("All for data", id="plain")
                yield Press("Leave it", id="leave")

    def on_mount(self) -> None:
        self._redraw()

    def _named(self, identity: str) -> str:
        disks = self._desk.machine.disks if self._desk.machine else ()
        disk = next((disk for disk in disks if disk.identity == identity), None)
        if disk is None:
            return cut(identity, 40)
        twin = cut(label(disk), 15, keep_end=True)
        return f"{cut(model(disk), 12):<12} {words.size(disk.size):>8} {bus(disk):<6} {twin}"

    def _written(self) -> Answers:
        uses = [field.control.answer() for field in self.query(Field)]
        given = zip(self._first.disks, uses, strict=False)
        return self._first.model_copy(
            update={"uses": tuple((name, use) for name, use in given if use is not VdevRole.DATA)}
        )

    def _redraw(self) -> None:
        answers = self._written()
        for field in self.query(Field):
            field.reason = WHY[field.control.answer()]
        self._explain()
        wrong = problem(answers, self._desk)
        lines = list(result(answers, self._desk))
        # What it holds does not matter where it cannot be made.
        self.query_one("#result", Static).update(Content("\n".join(lines[:1] if wrong else lines)))
        self.query_one("#wrong", Static).update(Content(f"! {wrong}" if wrong else ""))
        self.query_one("#wrong").display = bool(wrong)

    def _explain(self) -> None:
        field = self._field()
        self.query_one("#why", Static).update(Content(field.reason if field else ""))

    def _field(self) -> Field | None:
        return next((field for field in self.query(Field) if field.control is self.focused), None)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        self._explain()

    def on_changed(self, event: Changed) -> None:
        event.stop()
        self._redraw()

    def on_accepted(self, event: Accepted) -> None:
        event.stop()
        self.query_one("#save").focus()

    def on_press_pressed(self, event: Press.Pressed) -> None:
        event.stop()
        match event.button.id:
            case "save" if problem(self._written(), self._desk):
                self.app.bell()
            case "save":
                self.dismiss(self._written().uses)
            case "plain":
                self.dismiss(())
            case "leave":
                self.dismiss(None)

    def action_help(self) -> None:
        said = "\n".join(f"{WORDS[use]}: {why}" for use, why in WHY.items())
        self.app.push_screen(Help("Uses of the disks", f"{GENERAL}\n\n{said}\n\n{RECIPES}", "", ""))


def summary(answers: Answers) -> str:
    """Say in a line what the disks are for."""
    found = support(answers)
    if not found:
        return "all hold data"
    data = f"data {answers.data}" if answers.data else "no data"
    return ", ".join([data, *(f"{WORDS[one.role]} {one.roles}" for one in found)])


def result(answers: Answers, desk: Desk) -> Iterator[str]:
    """Say what a pool of these disks is, holds and survives."""
    laid = fitting.layout(answers, desk.machine) if desk.machine else None
    members = laid.pool_members(laid.root_pool) if laid else ()
    kind, others = chosen_topology(answers), support(answers)
    if not answers.data:
        return
    parts = [f"{kind} of {listed(answers.data)}", *(f"{one.words} {listed(one.roles)}" for one in others)]
    yield f"{'Pool':<10}{', '.join(parts)}"
    size = members[0].size if members else None
    for name, said in topology.facts(kind, count=len(answers.data), member=size, others=others):
        if name != "Later":
            yield f"{name:<10}{said}"


def problem(answers: Answers, desk: Desk) -> str:
    """Say what is wrong with the uses of disks; nothing if the pool can be made of them."""
    if said := fault(answers):
        return said
    laid = fitting.layout(answers, desk.machine) if desk.machine else None
    if laid is None:
        return ""
    if (unlike := fitting.unequal(laid)) and not answers.allow_unequal:
        return f"{unlike.title} {unlike.message} Give one of them another use, or allow it in step 1 (Disks)."
    return next((composing.beside(refusal) for refusal in (*fit.too_small(laid), *fitting.of_vdevs(laid))), "")
