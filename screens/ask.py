"""A question in the middle of the screen. The safe answer has the focus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from screens.fields import Press


class Ask(ModalScreen[str]):
    """Asks, and gives back the id of the answer; Esc gives the first one, which is the safe one."""

    CSS = """
    Ask { align: center middle; }
    Ask > Vertical { width: 64; max-width: 100%; height: auto; border: double $primary; padding: 1 2; }
    Ask Static { height: auto; }
    Ask #words { margin: 1 0; }
    Ask Horizontal { height: 1; }
    Ask Press { width: auto; margin-right: 2; }
    """
    AUTO_FOCUS = "Press"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "safe", "Back"),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]

    def __init__(self, question: str, words: str, answers: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._question, self._words, self._answers = question, words, list(answers)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(Content.styled(self._question, "bold"))
            yield Static(Content(self._words), id="words")
            with Horizontal():
                for name, words in self._answers:
                    yield Press(words, id=name)

    def on_press_pressed(self, event: Press.Pressed) -> None:
        event.stop()
        self.dismiss(event.button.id or "")

    def action_safe(self) -> None:
        self.dismiss(self._answers[0][0])
