"""From Welcome: which recipe is to be carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from installer.errors import Refusals, ZrootError
from installer.machine.model import Machine
from installer.run.client import Found
from screens import about
from screens.answers import Answers
from screens.desk import Desk
from screens.fields import Accepted, Entry, Field
from screens.step import Left, Move, Step
from screens.theme import Options
from screens.threads import tell


class Recipes(Options):
    """The recipes that were found; at its ends the arrows go on to the next control."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "further(1)", show=False),
        Binding("up", "further(-1)", show=False),
    ]

    def action_further(self, by: int) -> None:
        """Move the mark, or leave the list."""
        place = -1 if self.highlighted is None else self.highlighted
        if 0 <= place + by < self.option_count:
            self.highlighted = place + by
        elif by > 0:
            self.screen.focus_next()
        else:
            self.screen.focus_previous()


class Replay(Step):
    """Recipes that ship, those on sticks, an installation that was cut off, and any other file."""

    title_words = "Replay a recipe"
    general_help = (
        "A recipe is a whole installation in one text file. Those that come with zroot name no disks: you choose them "
        "on the next screen. What you saved on a stick (any FAT or ext4 stick, or a volume labelled ZROOT) is listed "
        "too. Secrets never stand in a recipe; you are asked for them.\n\n"
        "Below the list stands what the marked one makes, and the text that it follows. Some of it no question of the "
        "guided install leads to: pools in volumes and files, TrueCrypt, other systems, storage alone.\n\n"
        "After that you see the whole plan, and nothing is written before you have agreed to it."
    )
    CSS = """
    Replay Recipes { height: auto; max-height: 45%; border: none; padding: 0; margin-bottom: 1; }
    Replay #about, Replay #about Horizontal, Replay #about .said { height: auto; }
    Replay #about { margin-bottom: 1; }
    Replay #about .word { width: 8; text-style: bold; }
    Replay #about .said { width: 1fr; }
    Replay #looking { height: auto; margin-bottom: 1; }
    """

    def __init__(self, desk: Desk, answers: Answers) -> None:
        super().__init__(desk, answers)
        self._found: Sequence[Found] = ()
        self._about: Sequence[tuple[tuple[str, str], ...]] = ()
        """What is said of each."""
        self._problem = ""

    def body(self) -> ComposeResult:
        yield Static("", id="looking", markup=False)
        yield Recipes(markup=False)
        yield Vertical(id="about")
        yield Field(
            "path", "Another file", Entry(hint="/root/zroot-NAME.toml"), help="The path of a recipe. Enter reads it."
        )

    def collect(self) -> Answers:
        return self.first

    def problems(self, answers: Answers) -> Mapping[str, str]:
        return {"path": self._problem} if self._problem else {}

    def first_focus(self) -> Widget:
        return self.query_one(Recipes)

    def on_mount(self) -> None:
        self.look(self.desk.machine)

    def machine_changed(self, machine: Machine) -> None:
        self.look(machine)

    @work(thread=True, exclusive=True, name="recipes")
    def look(self, machine: Machine | None) -> None:
        """Look for recipes; sticks are mounted for it, which takes seconds."""
        tell(self, self._say, "Looking for recipes, on sticks too ...")
        found = self.desk.client.recipes(machine)
        tell(self, self._list, found, [about.lines(one) for one in found])

    def _list(self, found: Sequence[Found], said: Sequence[tuple[tuple[str, str], ...]]) -> None:
        recipes = self.query_one(Recipes)
        here = recipes.highlighted
        marked = self._found[here].where if here is not None and here < len(self._found) else ""
        self._found, self._about = found, said
        recipes.clear_options()
        recipes.add_options([Option(_worded(one)) for one in found])
        if found:
            recipes.highlighted = next((place for place, one in enumerate(found) if one.where == marked), 0)
        self._say("" if found else "No recipe was found. Type the path of one.")

    def _say(self, words: str) -> None:
        said = self.query_one("#looking", Static)
        said.update(Content(words))
        said.display = bool(words)

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Say below the list what the marked recipe is."""
        box = self.query_one("#about")
        box.remove_children()
        if event.option_index < len(self._about):
            box.mount(*(_row(word, said) for word, said in self._about[event.option_index]))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._take(self._found[event.option_index])

    def on_accepted(self, event: Accepted) -> None:
        event.prevent_default()
        self.action_next()

    def action_next(self) -> None:
        """Take the file that was typed, else the recipe that is marked."""
        path = str(self.query_one("#field-path", Field).control.answer()).strip()
        place = self.query_one(Recipes).highlighted
        if path:
            self.read(path)
        elif place is not None and self._found:
            self._take(self._found[place])
        else:
            self._fail("There is no recipe to choose. Type the path of one.")

    @work(thread=True, exclusive=True, name="read")
    def read(self, path: str) -> None:
        """Read a file."""
        try:
            found = self.desk.client.read_recipe(path)
        except ZrootError as error:
            first = error.problems[0] if isinstance(error, Refusals) else error
            tell(self, self._fail, " ".join(str(first).split()))
        else:
            tell(self, self._take, found)

    def _take(self, found: Found) -> None:
        self.dismiss(Left(self.first, Move.NEXT, given=found))

    def _fail(self, words: str) -> None:
        field = self.query_one("#field-path", Field)
        self._problem = words
        field.say(words)
        self._problem = ""
        field.control.focus()
        self.app.bell()


def _worded(found: Found) -> str:
    return f"{'RESUME: ' if found.unfinished else ''}{found.title}"


def _row(word: str, said: str) -> Horizontal:
    return Horizontal(Static(word, classes="word", markup=False), Static(said, classes="said", markup=False))
