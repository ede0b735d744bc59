"""Of a recipe that is replayed: which disks its roles are, and the secrets that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from installer.machine.model import Machine
from installer.machine.offer import offers
from installer.machine.words import describe
from installer.plan.choose import said
from installer.recipe.load import parse
from installer.recipe.secrets import Kind, Secret, needed
from installer.recipe.write import rebind
from installer.run.client import Found
from screens import compose as composing
from screens import naming
from screens.answers import Answers
from screens.desk import Desk
from screens.fields import Changed, Entry, Field, Pick
from screens.reviewing import Install
from screens.step import Left, Move, Step

FRESH = "Nothing is written before you have seen the plan and agreed to it."
AGAIN = (
    "This goes on with an installation that was cut off, by the plan that was agreed to then; it is checked that these "
    "are its disks. Type the same secrets as before."
)

HELP_DISK = "What the recipe does to this disk is done to the one that you choose. All that is on it will be erased."
HELP_NAMES = "What stands here is from the recipe."
HELP_KEYMAP = "On another keyboard than the one here the same keys may be other characters."
HELP_SECRET = "The recipe only names it, and it is kept nowhere. F2 shows it."  # noqa: S105 - words
HELP_AGAIN = "A mistake in the first one would lock you out. F2 shows both."


class Roles(Step):
    """Disks for the roles, values for the secrets."""

    title_words = "Replay: disks and secrets"
    general_help = (
        "A recipe calls its disks by roles: a, b, ... Choose a disk for each role that has none. Where the recipe "
        "names a disk itself you may still choose another one. Names of the machine and its user can be changed too; "
        "all else is as the recipe says, and a copy of it with other words can be read by its path.\n\n"
        "Secrets are typed twice. They go to the engine and into no file. F2 shows or hides them."
    )
    CSS = """
    Roles #recipe { height: auto; text-style: bold; }
    Roles #rule { height: auto; margin-bottom: 1; }
    Roles .purpose { height: auto; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("f2", "show", "Show or hide", key_display="F2")]

    def __init__(
        self, desk: Desk, answers: Answers, *, found: Found, filled: Mapping[str, Secret] | None = None
    ) -> None:
        super().__init__(desk, answers)
        self._found = found
        self._recipe = parse(found.text, source=found.where)
        self._needed = needed(self._recipe)
        self._names = {} if found.unfinished else naming.names(found.text)
        """What the recipe says of names and keyboard."""
        self._filled = {name: secret.reveal() for name, secret in (filled or {}).items()}
        """What was on this screen when it was left before."""

    @property
    def needless(self) -> bool:
        """Whether there is nothing to ask."""
        return not self._needed and (self._found.unfinished or all(one.bound for one in self._recipe.disks.values()))

    def body(self) -> ComposeResult:
        yield Static(Content(f"{self._recipe.title} ({self._found.where})"), id="recipe")
        yield Static(AGAIN if self._found.unfinished else FRESH, id="rule", markup=False)
        with Vertical(classes="words"):
            for role in () if self._found.unfinished else self._recipe.disks:
                name = field_name("role", role)
                pick = Pick(self._choices(role), self._filled.get(name, ""))
                yield Field(name, f"Disk {role}", pick, help=HELP_DISK)
            yield from self._naming()
        for need in self._needed:
            name = field_name("secret", need.name)
            # The user may get another name on this very screen.
            purpose = need.purpose.replace(f"the user {self._names.get('user')}", "the user")
            yield Static(Content(f"{need.name}: {purpose}"), classes="purpose")
            again = Entry(self._filled.get(f"{name}-again", ""), secret=True)
            yield Field(name, "Value", Entry(self._filled.get(name, ""), secret=True), help=HELP_SECRET)
            yield Field(f"{name}-again", "The same again", again, help=HELP_AGAIN)

    def _naming(self) -> ComposeResult:
        for name, label, longest in (("hostname", "Host name", 253), ("user", "User", 32)):
            if name in self._names:
                place = field_name("system", name)
                entry = Entry(self._filled.get(place, self._names[name]), longest=longest)
                yield Field(
                    place, label, entry, reason="system.hostname" if name == "hostname" else "", help=HELP_NAMES
                )
        here, there = self.first.keymap, self._names.get("keymap", self.first.keymap)
        asks = any(need.kind is not Kind.PASSWORD for need in self._needed)
        if asks and here != there:
            place = field_name("system", "keymap")
            layouts = [(there, f"{there}, as the recipe says"), (here, f"{here}, as it is here")]
            pick = Pick(layouts, self._filled.get(place, there))
            yield Field(place, "Keyboard at boot", pick, reason="system.keymap", help=HELP_KEYMAP)

    def _called(self) -> dict[str, str]:
        """Return the names and the keyboard as they stand on the screen."""
        values = self.values()
        stand = {name: values.get(field_name("system", name), said) for name, said in self._names.items()}
        return {name: value.strip() for name, value in stand.items()}

    def _choices(self, role: str) -> list[tuple[str, str]]:
        selector = self._recipe.disks[role]
        machine = self.desk.machine
        usable = [offer.disk for offer in offers(machine) if offer.usable] if machine else []
        first = f"as the recipe says: {said(selector)}" if selector.bound else "choose a disk"
        return [("", first), *((disk.identity, describe(disk)) for disk in usable)]

    def on_mount(self) -> None:
        self.call_after_refresh(self._read_desk)

    def _read_desk(self) -> None:
        """Offer the disks of a machine that became known while this screen was being made."""
        if self.desk.machine:
            self._offer()

    def machine_changed(self, machine: Machine) -> None:
        self._offer()
        self._show_problems(self.first, only=None)

    def _offer(self) -> None:
        for role in () if self._found.unfinished else self._recipe.disks:
            pick = self.query_one(f"#field-{field_name('role', role)}", Field).control
            if isinstance(pick, Pick):
                pick.offer(self._choices(role), pick.answer())

    def collect(self) -> Answers:
        return self.first

    def values(self) -> dict[str, str]:
        """Return what stands on the screen, by the names of its fields."""
        return {field.answers: str(field.control.answer()) for field in self.fields()}

    def problems(self, answers: Answers) -> Mapping[str, str]:
        named = {field_name("system", name): said for name, said in naming.wrong(self._called()).items()}
        return {**self._wrong_roles(), **named, **self._wrong_secrets()}

    def _wrong_roles(self) -> dict[str, str]:
        values = self.values()
        taken: dict[str, str] = {}
        wrong: dict[str, str] = {}
        for role, selector in {} if self._found.unfinished else self._recipe.disks.items():
            name = field_name("role", role)
            chosen = values[name]
            if not chosen and not selector.bound:
                wrong[name] = "Choose a disk: left and right go through them."
            elif chosen in taken:
                wrong[name] = f"This is disk {taken[chosen]} already. Choose another one."
            elif chosen:
                taken[chosen] = role
        return wrong

    def _wrong_secrets(self) -> dict[str, str]:
        values = self.values()
        wrong: dict[str, str] = {}
        for need in self._needed:
            name = field_name("secret", need.name)
            typed, again = values[name], values[f"{name}-again"]
            if fault := composing.secret_problem(typed, need.kind):
                wrong[name] = fault
            elif typed != again:
                wrong[f"{name}-again"] = "Type it a second time." if not again else "The two differ."
        return wrong

    def on_changed(self, event: Changed) -> None:
        # A second typing that is still too short is no mistake yet.
        event.prevent_default()
        field = self._field_of(event.of)
        if field and not field.answers.endswith("-again"):
            self._show_problems(self.first, only=field)
        elif field:
            first = self.values()[field.answers.removesuffix("-again")]
            typed = str(field.control.answer())
            field.say("" if first.startswith(typed) else self.problems(self.first).get(field.answers, ""))

    def action_show(self) -> None:
        for entry in self.query(Entry):
            entry.password = not entry.password

    def action_next(self) -> None:
        if self.problems(self.first):
            super().action_next()  # says where
            return
        values = self.values()
        roles = {} if self._found.unfinished else self._recipe.disks
        bound = {role: values[field_name("role", role)] for role in roles if values[field_name("role", role)]}
        install = Install(
            recipe=rebind(naming.renamed(self._found.text, self._called()), bound, source=self._found.where),
            secrets={need.name: Secret(values[field_name("secret", need.name)]) for need in self._needed},
            resume=self._found.unfinished,
        )
        self.dismiss(Left(self.first, Move.NEXT, given=(install, self._kept())))

    def action_back(self) -> None:
        self.dismiss(Left(self.first, Move.BACK, given=(None, self._kept())))

    def _kept(self) -> dict[str, Secret]:
        return {name: Secret(value) for name, value in self.values().items()}


def field_name(kind: str, name: str) -> str:
    """Return the name of the field of a role or a secret."""
    return f"{kind}-{name}".replace("_", "-")
