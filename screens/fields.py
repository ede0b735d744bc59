"""The controls of every screen. Plain glyphs, no border, and each works with arrows, space, Enter and Tab alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Click, DescendantBlur, DescendantFocus, Focus
from textual.geometry import Offset
from textual.message import Message
from textual.reactive import reactive
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from installer.recipe.reasons import REASONS
from screens.theme import Options


class Changed(Message):
    """An answer changed."""

    def __init__(self, control: Widget) -> None:
        super().__init__()
        self.of = control


class Accepted(Message):
    """Enter was pressed in a control: the focus goes on."""

    def __init__(self, control: Widget) -> None:
        super().__init__()
        self.of = control


class Entry(Input):
    """A line of text."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"input--line"}

    def __init__(self, value: str = "", *, secret: bool = False, hint: str = "", longest: int = 512) -> None:
        said = f"({hint})" if hint else ""  # without colours it would look like an answer
        super().__init__(
            value, password=secret, placeholder=said, max_length=longest, compact=True, select_on_focus=not secret
        )
        self.cursor_blink = False

    def answer(self) -> Any:
        """Return the text."""
        return self.value

    def render_line(self, y: int) -> Strip:
        """Draw what is still empty as a line to write on: a field is a field without colours too."""
        strip, width = super().render_line(y), self.size.width
        cursor = self.cursor_screen_offset.x - self.content_region.x + 1 if self.has_focus else 0
        written = min(max(len(strip.text.rstrip()), cursor), width)
        line = Segment("_" * (width - written), self.get_component_rich_style("input--line"))
        return strip if y else Strip([*strip.crop(0, written).extend_cell_length(written), line])

    @property
    def cursor_screen_offset(self) -> Offset:
        """Where the cursor is; Textual names the cell behind it at the end of the text."""
        x, y, _, _ = self.content_region
        return Offset(x + self._position_to_cell(self.cursor_position) - self.scroll_offset.x, y)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(Changed(self))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(Accepted(self))


class Pick(Static, can_focus=True):
    """One of a few choices; left, right and space go through them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,space", "turn(1)", "Change", key_display="← →"),
        Binding("left", "turn(-1)", "Change", key_display="← →"),
        Binding("enter", "accept", "accept", show=False),
    ]
    index: reactive[int] = reactive(0, layout=True)

    def __init__(self, choices: Sequence[tuple[Any, str]], value: Any) -> None:
        super().__init__()
        self.choices = list(choices)
        self.set_reactive(Pick.index, self._place(value))

    def answer(self) -> Any:
        """Return the value of the choice."""
        return self.choices[self.index][0]

    def offer(self, choices: Sequence[tuple[Any, str]], value: Any) -> None:
        """Change what can be chosen, as other answers require."""
        self.choices = list(choices)
        self.set_reactive(Pick.index, self._place(value))
        self.refresh(layout=True)

    def _place(self, value: Any) -> int:
        return next((place for place, (known, _) in enumerate(self.choices) if known == value), 0)

    def render(self) -> Content:
        words = self.choices[self.index][1]
        return Content(f"< {words} >" if len(self.choices) > 1 else f"  {words}")

    def watch_index(self) -> None:
        self.post_message(Changed(self))

    def action_turn(self, by: int) -> None:
        self.index = (self.index + by) % len(self.choices)

    def action_accept(self) -> None:
        self.post_message(Accepted(self))

    def on_click(self, event: Click) -> None:
        self.action_turn(1)


class Tick(Pick):
    """Yes or no."""

    def __init__(self, words: str, value: bool) -> None:
        super().__init__([(False, f"[ ] {words}"), (True, f"[x] {words}")], value)

    def render(self) -> Content:
        return Content(self.choices[self.index][1])


class Lookup(Pick):
    """One of many: space opens a list that can be searched, and takes what is typed if the list is not complete."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space,right,left", "look_up", "List", key_display="Space")]

    def __init__(self, choices: Sequence[tuple[Any, str]], value: Any, *, title: str, free: bool = False) -> None:
        super().__init__(choices, value)
        self._title, self._free = title, free
        if value not in [known for known, _ in choices]:
            self.choices.append((value, str(value)))
            self.set_reactive(Pick.index, len(self.choices) - 1)

    def render(self) -> Content:
        return Content(f"{self.choices[self.index][1]} ▼")

    def action_look_up(self) -> None:
        self.app.push_screen(Search(self._title, self.choices, self.answer(), free=self._free), self._found)

    def on_click(self, event: Click) -> None:
        self.action_look_up()

    def _found(self, value: Any) -> None:
        if value is None:
            return
        if value not in [known for known, _ in self.choices]:
            self.choices.append((value, str(value)))
        self.index = self._place(value)
        self.refresh()


class Search(ModalScreen[Any]):
    """A list that is narrowed down by typing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("pageup", "move(-10)", show=False),
    ]

    def __init__(self, title: str, choices: Iterable[tuple[Any, str]], value: Any, *, free: bool) -> None:
        super().__init__()
        self._title = title
        self._value = value
        """What is chosen already."""
        self._choices = list(choices)
        self._free = free
        self._shown: list[Any] = []

    def compose(self) -> ComposeResult:
        with Vertical() as window:
            window.border_title = Content(self._title)
            window.border_subtitle = Content("↑↓ choose   Enter takes it   Esc leaves")
            yield Entry(hint="type to search")
            options = Options(markup=False)
            options.can_focus = False
            yield options
            yield Static("", id="none", markup=False)

    def on_mount(self) -> None:
        self._narrow("")

    def on_changed(self, event: Changed) -> None:
        event.stop()
        self._narrow(self.query_one(Entry).value)

    def on_accepted(self, event: Accepted) -> None:
        event.stop()
        place = self.query_one(OptionList).highlighted
        typed = self.query_one(Entry).value.strip()
        if place is not None and self._shown:
            self.dismiss(self._shown[place])
        elif self._free and typed:
            self.dismiss(typed)

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        if self._shown:
            options.highlighted = min(max((options.highlighted or 0) + by, 0), len(self._shown) - 1)

    def _narrow(self, text: str) -> None:
        wanted = text.strip().lower()
        found = [(value, words) for value, words in self._choices if wanted in f"{value} {words}".lower()]
        self._shown = [value for value, _ in found]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(words) for _, words in found])
        if found:
            options.highlighted = self._shown.index(self._value) if self._value in self._shown and not wanted else 0
        typed = "Enter takes it as it is typed." if self._free else "Type less, or something else."
        self.query_one("#none", Static).update("" if found else f"The list has nothing like this. {typed}")


class Press(Static, can_focus=True):
    """A button."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "press", "press", show=False),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    class Pressed(Message):
        """The button was pressed."""

        def __init__(self, button: Press) -> None:
            super().__init__()
            self.button = button

    def __init__(self, words: str, *, id: str) -> None:
        # What is written later is no markup either: brackets are a button's.
        super().__init__(Content(f"[ {words} ]"), id=id, markup=False)

    def action_press(self) -> None:
        self.post_message(self.Pressed(self))

    def on_click(self, event: Click) -> None:
        self.action_press()


class Own(Widget, can_focus=True):
    """A control that one screen makes for itself."""

    def answer(self) -> Any:
        """Return what it stands at."""
        raise NotImplementedError

    def cursor(self) -> Offset:
        """Return the place in it that the terminal's own cursor is to mark."""
        return Offset(0, 0)


Control = Entry | Pick | Own


class Field(Vertical):
    """A label, a control, and below it what is wrong with the answer."""

    def __init__(self, name: str, label: str, control: Control, *, reason: str = "", help: str = "") -> None:
        super().__init__(id=f"field-{name.replace('_', '-')}")
        self.answers = name
        """Name of the answer that it gives."""
        self.control = control
        self._label = label
        self.reason = " ".join(part for part in (REASONS.get(reason, ""), help) if part)
        """Why the default is what it is, and what else there is to know: the help of this field."""

    def compose(self) -> ComposeResult:
        with Horizontal(classes="row"):
            yield Static(self._label, classes="label", markup=False)
            yield Static("", classes="mark", markup=False)
            yield self.control
        yield Static("", classes="problem", markup=False)

    @property
    def label(self) -> str:
        """The words before the control."""
        return self._label

    def say(self, problem: str) -> None:
        """Show what is wrong, or nothing."""
        message = self.query_one(".problem", Static)
        if message.display or problem:  # a new layout takes long
            message.update(Content(f"! {problem}") if problem else "")
            message.display = bool(problem)

    def on_mount(self) -> None:
        self.query_one(".problem").display = False

    def on_focus(self, event: Focus) -> None:
        self.control.focus()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        self.add_class("-here")
        self.query_one(".mark", Static).update("»", layout=False)

    def on_descendant_blur(self, event: DescendantBlur) -> None:
        self.remove_class("-here")
        self.query_one(".mark", Static).update("", layout=False)
