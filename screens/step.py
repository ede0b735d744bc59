"""A step of the guided install: what all of its screens have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.events import DescendantFocus
from textual.geometry import Size
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from screens import compose as composing
from screens import theme
from screens.answers import Answers
from screens.desk import Desk
from screens.fields import Accepted, Changed, Field, Press
from screens.theme import Bar

if TYPE_CHECKING:
    from installer.machine.model import Machine


class Move(StrEnum):
    """Where a person wants to go."""

    NEXT = "next"
    BACK = "back"
    REPLAY = "replay"
    SHELL = "shell"
    QUIT = "quit"


@dataclass(frozen=True)
class Left:
    """How a screen was left: with these answers, that way."""

    answers: Answers
    move: Move
    to: int = -1
    """Back to the step of this number; -1: to the one before."""
    given: object = None
    """What else the screen found out for the next one."""


class Body(VerticalScroll, inherit_bindings=False):
    """What a screen asks. Arrows go from field to field where it is too long as well, and it follows them."""


class Step(Screen[Left]):
    """One screen of questions. It is made from answers and dismisses once, with new ones."""

    title_words: ClassVar[str] = ""
    number: ClassVar[int] = 0
    """Of the steps that have one, from 1."""
    general_help: ClassVar[str] = ""
    """What F1 says about the screen as a whole."""
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", key_display="F1"),
        Binding("escape", "back", "Back", key_display="Esc"),
        Binding("f10", "next", "Next", key_display="F10"),
        Binding("up", "app.focus_previous", "up", show=False),
        Binding("down", "app.focus_next", "down", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
    ]

    def __init__(self, desk: Desk, answers: Answers) -> None:
        super().__init__()
        self.desk = desk
        self.first = answers
        """As they were when the screen was made."""

    # What a screen says.

    def body(self) -> ComposeResult:
        """Give the widgets of the screen."""
        raise NotImplementedError

    def collect(self) -> Answers:
        """Return the answers as they stand on the screen."""
        given = {field.answers: field.control.answer() for field in self.fields()}
        known = {name: value for name, value in given.items() if name in Answers.model_fields}
        return self.first.model_copy(update=known)

    def problems(self, answers: Answers) -> Mapping[str, str]:
        """Say what is wrong, by the name of the field; what other screens ask is not looked at."""
        own = {field.answers for field in self.fields()}
        found = composing.problems(composing.so_far(answers, own))
        return {name: said[0] for name, said in found.items() if name in own}

    def redraw(self, answers: Answers) -> None:
        """Draw again what depends on answers; called after every change, and once at the start."""

    def machine_changed(self, machine: Machine) -> None:
        """Take a new look at the machine: a disk came or went."""

    def machine_lost(self, trouble: str) -> None:
        """Say that the machine could not be looked at."""

    def first_focus(self) -> Widget:
        """Return what has the focus at first: the first field that still needs an answer, else Next."""
        problems = self.problems(self.collect())
        waiting = (field.control for field in self.fields() if field.answers in problems and field.display)
        return next(waiting, self.query_one("#next"))

    # How it works.

    def compose(self) -> ComposeResult:
        yield Bar(id="bar")
        with Body(id="body", can_focus=False):
            yield from self.body()
        with Horizontal(id="buttons"):
            yield from self.buttons()
        yield Static("", id="help", markup=False)
        yield Static("", id="keys", markup=False)

    def buttons(self) -> ComposeResult:
        """Give the buttons; `next` and `back` are known."""
        yield Press("Next", id="next")
        yield Press("Back", id="back")

    def fields(self) -> Iterator[Field]:
        """Give the fields of the screen, as far as they are shown."""
        yield from self.query(Field).results(Field)

    def on_mount(self) -> None:
        bar = self.query_one(Bar)
        bar.title, bar.number, bar.steps = self.title_words, self.number, self.desk.steps
        self.redraw(self.collect())
        self.show_keys()
        self.call_after_refresh(lambda: self.first_focus().focus())

    def on_screen_resume(self) -> None:
        if not fits(self.app.size):
            self.app.push_screen(TooSmall())
        elif self.is_mounted:
            self.show_keys()

    def on_screen_suspend(self) -> None:
        # A window in front has keys of its own; those of this screen do nothing meanwhile.
        if self.is_attached:
            self.query_one("#keys", Static).update("", layout=False)

    def show_keys(self) -> None:
        """List the keys that work."""
        shown: dict[str, str] = {}
        for _, binding, enabled, _ in self.active_bindings.values():
            if binding.show and enabled:
                shown.setdefault(binding.key_display or binding.key, binding.description)
        self.query_one("#keys", Static).update(theme.keys(shown), layout=False)

    def on_changed(self, event: Changed) -> None:
        answers = self.collect()
        self._show_problems(answers, only=self._field_of(event.of))
        self.redraw(answers)

    def on_accepted(self, event: Accepted) -> None:
        self._go_on(after=self._field_of(event.of))

    def on_press_pressed(self, event: Press.Pressed) -> None:
        match event.button.id:
            case "next":
                self.action_next()
            case "back":
                self.action_back()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        field = self._field_of(event.widget)
        self.query_one("#help", Static).update(Content(field.reason if field else ""), layout=False)
        self.show_keys()

    def action_next(self) -> None:
        answers = self.collect()
        problems = self._show_problems(answers)
        if problems:
            wrong = next((field for field in self.fields() if field.answers in problems), None)
            if wrong:
                wrong.control.focus()
            self.app.bell()
        else:
            self.dismiss(Left(answers, Move.NEXT))

    def action_back(self) -> None:
        self.dismiss(Left(self.collect(), Move.BACK))

    def action_page(self, by: int) -> None:
        """Scroll a body that is longer than the screen."""
        body = self.query_one("#body")
        body.scroll_relative(y=by * max(body.size.height - 1, 1), animate=False)

    def action_help(self) -> None:
        field = self._field_of(self.focused) if self.focused else None
        self.app.push_screen(Help(self.title_words, self.general_help, field.label if field else "", self._said(field)))

    def _said(self, field: Field | None) -> str:
        return field.reason if field else ""

    def _field_of(self, widget: Widget | None) -> Field | None:
        return next((one for one in widget.ancestors_with_self if isinstance(one, Field)), None) if widget else None

    def _show_problems(self, answers: Answers, *, only: Field | None = None) -> Mapping[str, str]:
        problems = self.problems(answers)
        for field in self.fields():
            if only in (None, field):
                field.say(problems.get(field.answers, ""))
        return problems

    def _go_on(self, *, after: Field | None) -> None:
        """Move to the next field that has no good answer yet, else to Next; stay where the answer is wrong."""
        problems = self._show_problems(self.collect(), only=after)
        if after and after.answers in problems:
            self.app.bell()
            return
        fields = list(self.fields())
        later = fields[fields.index(after) + 1 :] if after in fields else fields
        waiting = next((field.control for field in later if field.answers in problems and field.display), None)
        (waiting or self.query_one("#next")).focus()


class Help(ModalScreen[None]):
    """What F1 says."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f1,enter,space", "dismiss(None)", "Back")]

    def __init__(self, title: str, general: str, field: str, said: str) -> None:
        super().__init__()
        self._texts = [text for text in (title.upper(), general, f"{field}: {said}" if said else "", KEYS) if text]

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            for text in self._texts:
                yield Static(Content(text))


KEYS = (
    "Keys: Tab, up and down go from field to field. Left, right and space change a choice. "
    "Enter accepts a field, and at [ Next ] the screen. Esc goes back; nothing is lost. Esc leaves this help."
)


SMALLEST = Size(60, 20)
"""Columns and lines: below this the widgets no longer fit."""


def fits(size: Size) -> bool:
    """Tell whether a screen of this size can be used."""
    return size.width >= SMALLEST.width and size.height >= SMALLEST.height


class TooSmall(Screen[None]):
    """Shown while the terminal is too small, over whatever else is shown; nothing below it is lost."""

    def compose(self) -> ComposeResult:
        yield Static(f"Too small: {SMALLEST.width} x {SMALLEST.height} at least.", markup=False)

    def on_resize(self) -> None:
        self._leave()

    def on_screen_resume(self) -> None:
        self._leave()

    def _leave(self) -> None:
        if self.is_current and fits(self.app.size):
            self.dismiss(None)
