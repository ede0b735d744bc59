"""The list of datasets on the pool screen, and the window in which one of them is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from screens.answers import Dataset
from screens.fields import Accepted, Changed, Entry, Field, Press
from screens.step import Help

NAME = 20
"""Columns of a name in the list."""
LONGEST = 36
HELP = (
    "A dataset is a file system inside the pool. It shares the space with all others, unless a quota is set later, and "
    "has snapshots and properties of its own: compression, say. A rollback of the system does not touch it. It costs "
    "next to nothing; but a file that is moved from one dataset to another is copied."
)
NAMES = (
    "A slash puts it inside another one, whose properties it takes over: srv/photos lies in srv. Letters, digits and "
    "- _ . : are allowed."
)
MOUNTS = "The folder where its files are seen. With none it is made and not mounted: for what is mounted by hand."

Check = Callable[[Dataset], Mapping[str, str]]
"""Says what is wrong with a dataset among the others: by `name` and `mount`."""


def line(dataset: Dataset) -> str:
    """Write a dataset as a line of the list; of a long name the end is left out."""
    name = dataset.name if len(dataset.name) <= LONGEST else f"{dataset.name[: LONGEST - 3]}..."
    return f"{name.ljust(NAME - 1)} {dataset.mount}"


class Row(Static, can_focus=True):
    """A dataset in the list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "edit", "Edit", key_display="Enter"),
        Binding("delete", "remove", "Remove", key_display="Del"),
    ]

    class Chosen(Message):
        """A dataset is to be edited, or removed."""

        def __init__(self, row: Row, *, remove: bool) -> None:
            super().__init__()
            self.place = row.place
            self.remove = remove

    def __init__(self, dataset: Dataset, place: int) -> None:
        super().__init__(Content(line(dataset)))
        self.place = place

    def action_edit(self) -> None:
        self.post_message(self.Chosen(self, remove=False))

    def action_remove(self) -> None:
        self.post_message(self.Chosen(self, remove=True))


@dataclass(frozen=True)
class Edited:
    """What became of a dataset: as it is now, or none if it was removed."""

    dataset: Dataset | None


class Edit(ModalScreen[Edited | None]):
    """Name and mount point of one dataset; leaves with none if nothing is to change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("f1", "help", "Help", key_display="F1"),
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]
    AUTO_FOCUS = "Entry"
    CSS = """
    Edit { align: center middle; }
    Edit > Vertical { width: 70; max-width: 100%; height: auto; border: solid $primary; padding: 0 1; }
    Edit .row { height: auto; }
    Edit #said, Edit #edit-buttons { height: auto; margin-top: 1; }
    Edit Press { width: auto; margin-right: 2; }
    """

    def __init__(self, pool: str, dataset: Dataset | None, *, check: Check) -> None:
        super().__init__()
        self._pool, self._dataset, self._check = pool, dataset, check

    def compose(self) -> ComposeResult:
        before = self._dataset or Dataset(name="", mount="")
        with Vertical() as window:
            window.border_title = Content("Dataset")
            window.border_subtitle = Content("F1 help   Esc leaves it as it was")
            entry = Entry(before.name, hint="srv/photos", longest=180)
            yield Field("name", f"Name in {self._pool}"[:19], entry, help=NAMES)
            entry = Entry(before.mount, hint="/srv/photos", longest=180)
            yield Field("mount", "Mount point", entry, help=MOUNTS)
            yield Static(
                "A dataset has snapshots, a quota and properties of its own. Mount point: a folder, or none.",
                id="said",
                markup=False,
            )
            with Horizontal(id="edit-buttons"):
                yield Press("Save", id="save")
                if self._dataset:
                    yield Press("Remove", id="remove")
                yield Press("Leave it", id="leave")

    def action_help(self) -> None:
        field = next((field for field in self.query(Field) if field.control is self.focused), None)
        self.app.push_screen(Help("Dataset", HELP, field.label if field else "", field.reason if field else ""))

    def on_changed(self, event: Changed) -> None:
        event.stop()
        self._show(self._problems(), only=event.of)

    def on_accepted(self, event: Accepted) -> None:
        event.stop()
        fields = list(self.query(Field))
        place = next(number for number, field in enumerate(fields) if field.control is event.of)
        if place + 1 < len(fields):
            fields[place + 1].control.focus()
        else:
            self.query_one("#save").focus()

    def on_press_pressed(self, event: Press.Pressed) -> None:
        event.stop()
        match event.button.id:
            case "save":
                self._save()
            case "remove":
                self.dismiss(Edited(None))
            case "leave":
                self.dismiss(None)

    def _written(self) -> Dataset:
        name, mount = (field.control.answer().strip() for field in self.query(Field))
        return Dataset(name=name, mount=mount)

    def _problems(self) -> Mapping[str, str]:
        return self._check(self._written())

    def _show(self, problems: Mapping[str, str], *, only: object = None) -> None:
        for field in self.query(Field):
            if only in (None, field.control):
                field.say(problems.get(field.answers, ""))

    def _save(self) -> None:
        problems = self._problems()
        if problems:
            self._show(problems)
            next(field for field in self.query(Field) if field.answers in problems).control.focus()
            self.app.bell()
        else:
            self.dismiss(Edited(self._written()))


def fault(dataset: Dataset, others: Sequence[Dataset], *, taken: Mapping[str, str]) -> Mapping[str, str]:
    """Say what is plainly wrong with a dataset; `taken` has the names and mount points that are not datasets'."""
    found = {}
    names = {"ROOT", "ROOT/debian", *taken, *(other.name for other in others)}
    mounts = {**{other.mount: other.name for other in others}, **taken}
    if not dataset.name:
        found["name"] = "Type a name."
    elif dataset.name in names:
        found["name"] = f"There is a {dataset.name} already."
    if not dataset.mount:
        found["mount"] = "Type a folder, such as /srv, or none."
    elif dataset.mount.startswith("/") and dataset.mount in mounts:
        found["mount"] = f"{dataset.mount} is the mount point of {mounts[dataset.mount]} already."
    return found
