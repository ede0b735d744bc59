"""Where to save something: a list of places, and then its name there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from installer.errors import ZrootError
from installer.plan.operation import Plan
from installer.plan.render import as_sh
from installer.recipe.load import parse
from installer.run.client import Place
from screens.desk import Desk
from screens.theme import Options
from screens.threads import tell


class Keep(ModalScreen[None]):
    """Saves files to a place that a person chooses."""

    CSS = """
    Keep { align: center middle; }
    Keep > Vertical { width: 76; max-width: 100%; height: auto; max-height: 90%; border: solid $primary; padding: 0 1; }
    Keep OptionList { height: auto; max-height: 10; border: none; padding: 0; margin: 1 0; }
    Keep #said { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,f2", "dismiss(None)", "Back")]

    def __init__(self, desk: Desk, what: str, files: Mapping[str, str | Path], plan: Plan | None) -> None:
        super().__init__()
        self._desk = desk
        self._what = what
        self._files = files
        self._chosen = [disk.identity for disk in plan.disks] if plan else []
        self._places: Sequence[Place] = ()

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(f"Save {self._what}: arrows, Enter to save, Esc to leave", markup=False)
            yield Options(markup=False)
            yield Static("", id="said", markup=False)

    def on_mount(self) -> None:
        self._places = self._desk.client.places(self._desk.machine, self._chosen)
        options = self.query_one(OptionList)
        options.add_options([Option(place.words) for place in self._places])
        options.highlighted = 0
        options.focus()
        sticks = any(place.device for place in self._places)
        self._say("" if sticks else "Plug a stick in (FAT or ext4) and open this again to have it in the list.")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._say("Saving ...")
        self.save(self._places[event.option_index])

    @work(thread=True, exclusive=True, name="save")
    def save(self, place: Place) -> None:
        """Write the files; a stick is mounted for it, which takes a moment."""
        try:
            names = self._desk.client.save(place, self._files)
        except ZrootError as error:
            said = str(error)
        else:
            tops = list(dict.fromkeys(name.partition("/")[0] for name in names))
            where = f"on {place.device}. It can be removed." if place.device else f"in {place.folder}."
            said = f"Saved: {' and '.join(tops)} {where}"
        tell(self, self._say, said)

    def _say(self, words: str) -> None:
        self.query_one("#said", Static).update(Content(words))


def recipe_files(plan: Plan) -> dict[str, str]:
    """Return the recipe and the script of a plan, by the names that they get."""
    name = f"zroot-{parse(plan.recipe).system.hostname}" if plan.target else "zroot-storage"
    return {f"{name}.toml": plan.recipe, f"{name}.sh": as_sh(plan)}
