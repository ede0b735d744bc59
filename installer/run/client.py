"""All that a screen may ask of the engine: start it, follow its events, answer it. A lost screen changes nothing."""

from __future__ import annotations

import tempfile
import time
import zoneinfo
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from threading import Lock
from typing import Protocol

from installer.errors import Refusal
from installer.machine import network, recording
from installer.machine.greeting import last_run
from installer.machine.hotplug import Watch
from installer.machine.locales import locales
from installer.machine.model import Machine, Network
from installer.machine.probe import probe
from installer.machine.read import read
from installer.plan.operation import Plan
from installer.process import login_shell, run
from installer.recipe.model import Recipe
from installer.recipe.secrets import Secret
from installer.run import blink, console, saving, shelf
from installer.run.apply import RUN
from installer.run.before import ready_problems, secret_problems
from installer.run.keyboard import typeable
from installer.run.lock import looking
from installer.run.reader import Reader
from installer.run.saving import Place
from installer.run.shelf import Found

__all__ = ["Changes", "Client", "Found", "Place", "Recorded", "Still"]

INTERFACES = Path("/sys/class/net")


class Client(Reader):
    """The way from the screens to the engine and to this machine."""

    def __init__(self, run: Path = RUN) -> None:
        super().__init__(run)
        self._keymaps: dict[str, frozenset[str] | None] = {}
        self._keyboard = Lock()
        self._loaded = ""
        """Layout that the console was given; what it had before is not known."""

    def machine(self) -> Machine:
        """Look at this machine, which takes seconds; raises ZrootError, also as long as an engine is at work."""
        with looking(self._run):
            if self.at_work():
                raise Refusal("The disks are not looked at while an installation is under way.")
            return probe()

    def changes(self) -> Changes:
        """Return what tells that disks came or went; made before the first look, so that nothing is missed."""
        return Watch()

    def network(self) -> Network:
        """Say where this machine can be reached; nothing where that cannot be told."""
        return network.network()

    def last_run(self) -> str:
        """Return what the last installation of this boot said at its end; nothing if there was none."""
        return last_run()

    def use_keymap(self, keymap: str) -> bool:
        """Give the console this keyboard layout, after some seconds; return whether this terminal has one.

        Raises ZrootError.
        """
        if not (here := console.real_console()):
            return False
        with self._keyboard:
            if keymap != self._loaded:
                self._loaded = ""
                console.use_keymap(keymap, here)
                self._loaded = keymap
        return True

    def blink(self, path: str, stop: Callable[[], bool]) -> None:
        """Make a disk's light blink by reading it, some seconds or until told to stop; raises Refusal."""
        blink.blink(path, stop=stop)

    def timezones(self) -> list[str]:
        """Name the time zones that this system knows."""
        return sorted(zoneinfo.available_timezones()) or ["Etc/UTC"]

    def locales(self) -> dict[str, str]:
        """Return the locales that the new system can have, and their words; nothing where that is not known."""
        return locales()

    def interfaces(self) -> list[str]:
        """Name the wired network interfaces of this machine."""
        try:
            return sorted(path.name for path in INTERFACES.iterdir() if path.name.startswith(("en", "eth")))
        except OSError:
            return []

    def on_console(self) -> bool:
        """Tell whether this terminal is the machine's own screen and keyboard, and no ssh or serial line."""
        return bool(console.real_console())

    def on_serial_line(self) -> bool:
        """Tell whether this terminal is a serial line."""
        return console.serial_line()

    def typeable(self, keymap: str) -> frozenset[str] | None:
        """Return the characters that a keymap can type, after some seconds the first time; none if it cannot be known.

        Raises ZrootError if there is no such keymap.
        """
        if keymap not in self._keymaps:
            self._keymaps[keymap] = typeable(keymap)
        return self._keymaps[keymap]

    def refusals(self, recipe: Recipe, plan: Plan, secrets: Mapping[str, Secret]) -> tuple[Refusal, ...]:
        """Return what the engine would refuse before it writes, after some seconds."""
        return ready_problems(recipe, plan, secrets, notice=lambda text: None)

    def places(self, machine: Machine | None, chosen: Collection[str] = ()) -> tuple[Place, ...]:
        """Return where files can be kept; never on the chosen disks, which are named by their identities."""
        return saving.places(machine, chosen=chosen, run=self._run)

    def save(self, place: Place, files: Mapping[str, str | Path]) -> tuple[str, ...]:
        """Keep files in a place, which takes seconds; return their names there. Raises ZrootError."""
        return saving.save(place, files, run=self._run)

    def undo_kit(self) -> dict[str, Path]:
        """Name the files of the undo kit and where they are now; none if there is no kit."""
        folder = self._run / "undo"
        return {f"zroot-undo/{file.name}": file for file in sorted(folder.glob("*"))}

    def recipes(self, machine: Machine | None) -> tuple[Found, ...]:
        """Return the recipes that can be replayed, after some seconds: cut off ones, those on sticks, shipped ones."""
        if machine is None:
            return shelf.shipped()
        return (*shelf.cut_off(machine, run=self._run), *shelf.on_sticks(machine, run=self._run), *shelf.shipped())

    def read_recipe(self, path: str) -> Found:
        """Read a recipe from a file; raises Refusals."""
        return shelf.read(path)

    def shell(self) -> None:
        """Let a person work in a shell on this terminal; raises Refusal if there is none."""
        login_shell()

    def restart(self) -> None:
        """Start this machine anew. Raises ZrootError."""
        run(("systemctl", "--no-block", "reboot"), timeout=60)

    def power_off(self) -> None:
        """Switch this machine off. Raises ZrootError."""
        run(("systemctl", "--no-block", "poweroff"), timeout=60)


class Recorded(Client):
    """The same over a recorded machine: everything can be looked at and answered, and the engine refuses."""

    def __init__(self, recording: Path, run: Path | None = None) -> None:
        super().__init__(run or Path(tempfile.mkdtemp(prefix="zroot-demo-")))
        self._recording = recording.absolute()

    def _argv(self, recipe: Path, reviewed: Plan | None) -> list[str]:
        # The engine's own program, which checks everything and then refuses: it is told of no machine but this file.
        return [*self._engine(recipe, reviewed), f"--machine={self._recording}", f"--run={self._run}"]

    def machine(self) -> Machine:
        """Return the recorded machine; raises Refusal if the file is none."""
        return read(recording.load(self._recording))

    def refusals(self, recipe: Recipe, plan: Plan, secrets: Mapping[str, Secret]) -> tuple[Refusal, ...]:
        """Return what is wrong with the secrets: programs and image are those of another machine."""
        return secret_problems(recipe, plan, secrets, notice=lambda text: None)

    def places(self, machine: Machine | None, chosen: Collection[str] = ()) -> tuple[Place, ...]:
        """Return a folder of this machine: the sticks of the recorded one are not there."""
        return (Place(words=f"the folder {self._run}", folder=str(self._run)),)

    def recipes(self, machine: Machine | None) -> tuple[Found, ...]:
        """Return the recipes that ship."""
        return shelf.shipped()

    def shell(self) -> None:
        """Refuse: there is no machine to have a shell on."""
        raise Refusal("This is a recorded machine: it has no shell.")

    def restart(self) -> None:
        """Refuse: it would be the wrong machine."""
        raise Refusal("This is a recorded machine: it cannot be restarted.")

    def power_off(self) -> None:
        """Refuse: it would be the wrong machine."""
        raise Refusal("This is a recorded machine: it cannot be switched off.")

    def changes(self) -> Changes:
        """Return what never tells of a change."""
        return Still()

    def network(self) -> Network:
        """Return nothing: a recording has no addresses."""
        return Network()

    def last_run(self) -> str:
        """Return nothing: nothing was ever installed."""
        return ""

    def use_keymap(self, keymap: str) -> bool:
        """Leave the console alone: it is not the recorded machine's."""
        return False

    def blink(self, path: str, stop: Callable[[], bool]) -> None:
        """Take the time that it takes."""
        until = time.monotonic() + blink.SECONDS
        while not stop() and time.monotonic() < until:
            time.sleep(0.02)

    def interfaces(self) -> list[str]:
        """Return none: a recording does not name them."""
        return []

    def locales(self) -> dict[str, str]:
        """Return none: they are not this machine's either."""
        return {}


class Changes(Protocol):
    """Tells that disks came or went."""

    def wait(self, seconds: float) -> bool:
        """Wait at most this long; return whether something changed."""


class Still:
    """A machine on which nothing changes."""

    def wait(self, seconds: float) -> bool:
        """Wait, and return that nothing changed."""
        time.sleep(seconds)
        return False
