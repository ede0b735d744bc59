"""The first screen: the keyboard, what this machine is, what stands in the way, and where to go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static
from textual.worker import get_current_worker

from installer.errors import ZrootError
from installer.machine import words
from installer.machine.model import Machine, Network
from installer.machine.obstacles import obstacles, warnings
from installer.machine.offer import offers
from installer.recipe.keyboards import KEYBOARDS
from screens.answers import Answers
from screens.ask import Ask
from screens.fields import Changed, Field, Lookup, Press
from screens.step import Left, Move, Step
from screens.threads import tell

LOOK_AGAIN = 10.0
"""Seconds between two looks at the network: an address may come late."""
CHOICES = (
    ("next", "Guided install", "Asks, shows the whole plan, writes when you agree."),
    (Move.REPLAY, "Replay a recipe", "Carry out a recipe that was written before."),
    (Move.SHELL, "Shell", "Leave it with exit to come back here."),
)


class Welcome(Step):
    """Keyboard, machine, and the three ways to go on."""

    title_words = "Welcome"
    general_help = (
        "zroot installs Debian with its root on ZFS. The guided install asks about disks, encryption, pool, boot "
        "loader and system, shows every command that it would run, and begins when you have named the disks to erase. "
        "What it makes is a recipe, which can be saved and replayed on other machines.\n\n"
        "The keyboard layout comes first because the passphrase is typed on it, now and whenever the machine starts. "
        "On the machine's own console it takes effect at once."
    )
    CSS = """
    Welcome .fact { height: auto; }
    Welcome .fact .label { width: 22; }
    Welcome .fact .told { width: 1fr; height: auto; }
    Welcome #title { height: 1; margin-bottom: 1; text-style: bold; }
    Welcome #firmware { margin-top: 1; }
    Welcome #obstacles { height: auto; color: $error; text-style: bold; }
    Welcome #warnings { height: auto; }
    Welcome #ways { margin: 1 0 0 0; text-style: bold; height: 1; }
    Welcome .way { height: auto; }
    Welcome .way Press { width: 22; }
    Welcome .way .told { width: 1fr; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Quit", key_display="Esc"),
        Binding("f9", "shell", "Shell", key_display="F9"),
    ]

    def body(self) -> ComposeResult:
        yield Static("Debian with its root on ZFS.", id="title", markup=False)
        known = [(code, f"{name}  {code}") for code, name in KEYBOARDS.items()]
        yield Field(
            "keymap",
            "Keyboard layout",
            Lookup(known, self.first.keymap, title="Keyboard layout", free=True),
            reason="system.keymap",
            help="Not in the list: type it as X knows it, such as de:neo.",
        )
        yield Static("", id="loaded", classes="problem", markup=False)
        for name in ("firmware", "disks", "network", "last"):
            with Horizontal(classes="fact", id=name):
                yield Static("", classes="label", markup=False)
                yield Static("", classes="told", markup=False)
        yield Static("", id="obstacles", markup=False)
        yield Static("", id="warnings", markup=False)
        yield Static("How do you want to go on?", id="ways", markup=False)
        for name, said, explained in CHOICES:
            with Horizontal(classes="way"):
                yield Press(said, id=str(name))
                yield Static(explained, classes="told", markup=False)

    def buttons(self) -> ComposeResult:
        yield Press("Quit", id="back")

    def on_mount(self) -> None:
        self._network: Network | None = None
        self._loaded = ""
        self._unknown: dict[str, str] = {}
        self._last_run = self.desk.client.last_run()
        self.look_at_network()
        self.set_interval(LOOK_AGAIN, self.look_at_network)

    def problems(self, answers: Answers) -> Mapping[str, str]:
        found = dict(super().problems(answers))
        if said := self._unknown.get(answers.keymap):
            found.setdefault("keymap", said)
        return found

    # What is said of the machine.

    def redraw(self, answers: Answers) -> None:
        machine = self.desk.machine
        self._fact("firmware", *self._machine(machine))
        self._fact("disks", "Disks", _disks(machine) if machine else "")
        self._fact("network", "Network", _network(self._network) if self._network else "")
        self._fact("last", "Last run", self._last_run)
        found = [f"! {problem.title} {problem.hint}" for problem in obstacles(machine)] if machine else []
        if found:
            found.append("  Nothing can be installed here before that is mended. A recipe can be made all the same.")
        self._lines("obstacles", found)
        self.query_one("#ways").display = not found  # room for the problems
        self._lines("warnings", [f"• {warning}" for warning in warnings(machine)] if machine else [])
        self._lines("loaded", [self._loaded] if self._loaded else [])

    def _machine(self, machine: Machine | None) -> tuple[str, str]:
        if machine:
            return "This machine", f"{words.firmware(machine)}; {words.binary_size(machine.memory)} of memory"
        if self.desk.trouble:
            return "This machine", "! " + " ".join(self.desk.trouble.split("\n"))
        return "This machine", "Looking at its firmware, memory and disks. You can go on meanwhile."

    def _fact(self, place: str, label: str, told: str) -> None:
        row = self.query_one(f"#{place}")
        row.display = bool(told)
        row.query_one(".label", Static).update(Content(label))
        row.query_one(".told", Static).update(Content(told))

    def _lines(self, place: str, lines: list[str]) -> None:
        static = self.query_one(f"#{place}", Static)
        static.update(Content("\n".join(lines)))
        static.display = bool(lines)

    def machine_changed(self, machine: Machine) -> None:
        self.redraw(self.collect())

    def machine_lost(self, trouble: str) -> None:
        self.redraw(self.collect())

    @work(thread=True, name="network", group="network", exclusive=True)
    def look_at_network(self) -> None:
        """Ask for the addresses of this machine, which may come late."""
        worker = get_current_worker()
        found = self.desk.client.network()
        if not worker.is_cancelled:
            tell(self, self._know_network, found)

    def _know_network(self, found: Network) -> None:
        if found != self._network:
            self._network = found
            self.redraw(self.collect())

    # The keyboard.

    def on_changed(self, event: Changed) -> None:
        keymap = self.collect().keymap
        if "keymap" not in self.problems(self.collect()):
            self._loaded = "This console is given the layout." if self.desk.client.on_console() else ""
            self.use_keymap(keymap)

    @work(thread=True, name="keymap", group="keymap", exclusive=True)
    def use_keymap(self, keymap: str) -> None:
        """Give the console this layout; elsewhere, see whether there is such a layout at all."""
        worker = get_current_worker()
        client, problem, loaded = self.desk.client, "", False
        try:
            loaded = client.use_keymap(keymap)
            if not loaded and keymap not in KEYBOARDS:
                client.typeable(keymap)
        except ZrootError as error:
            problem = " ".join(part for part in (error.title, error.hint) if part)
        if not worker.is_cancelled:
            tell(self, self._know_keymap, keymap, problem, loaded)

    def _know_keymap(self, keymap: str, problem: str, loaded: bool) -> None:
        if problem:
            self._unknown[keymap] = problem
        self._loaded = "This console has the layout now." if loaded else ""
        answers = self.collect()
        self._show_problems(answers)
        self.redraw(answers)

    # Ways to leave.

    def on_press_pressed(self, event: Press.Pressed) -> None:
        # Step's own handler runs as well, and knows the other buttons.
        if event.button.id in (Move.REPLAY, Move.SHELL):
            self.dismiss(Left(self.collect(), Move(event.button.id)))

    def action_shell(self) -> None:
        self.dismiss(Left(self.collect(), Move.SHELL))

    def action_back(self) -> None:
        self.app.push_screen(
            Ask(
                "Leave zroot?",
                "What you have answered so far is not kept. Type zroot to come back.",
                [("stay", "Stay"), ("leave", "Leave")],
            ),
            self._leave,
        )

    def _leave(self, answer: str | None) -> None:
        if answer == "leave":
            self.dismiss(Left(self.collect(), Move.QUIT))


def _disks(machine: Machine) -> str:
    real = [offer for offer in offers(machine) if offer.disk.kind == "disk" and offer.disk.size]
    usable = sum(offer.usable for offer in real)
    if not real:
        return "none were found"
    return f"{usable} can be used" + (f", {len(real) - usable} cannot" if len(real) > usable else "")


def _network(network: Network) -> str:
    if not network.addresses:
        return "no address; none is needed"
    shown = ", ".join(f"{found.address} ({found.interface})" for found in network.addresses[:3])
    ssh = f"\nYou can go on over ssh: log in at {network.addresses[0].address} and type zroot." if network.ssh else ""
    return shown + ssh
