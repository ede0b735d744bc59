"""All that a screen may ask of the engine: start it, follow its events, answer it. A lost screen changes nothing."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
import zoneinfo
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from installer.errors import ZrootError
from installer.machine import recording
from installer.machine.hotplug import Watch
from installer.machine.model import Machine
from installer.machine.probe import probe
from installer.machine.read import read
from installer.process import detach
from installer.recipe.secrets import Secret
from installer.recipe.syntax import LOCALE
from installer.run import control
from installer.run.apply import EVENTS, RUN, SOCKET
from installer.run.events import Ended, Stamped
from installer.run.events import read as read_events
from installer.run.keyboard import typeable

UNIT = "zroot-engine"
SYSTEMD = Path("/run/systemd/system")
"""Exists where systemd runs the machine."""

LOCALES = Path("/usr/share/i18n/SUPPORTED")
"""What locale-gen knows: the live system is the installed one."""
INTERFACES = Path("/sys/class/net")

ESCAPES = {"\\": "\\\\", '"': '\\"'}


class Client:
    """One reader of the engine. Made anew after a crash, it finds the run and all that it said."""

    def __init__(self, run: Path = RUN) -> None:
        self._run = run
        self._offset = 0
        self._keymaps: dict[str, frozenset[str] | None] = {}

    def start(self, recipe: str, *, secrets: Mapping[str, Secret], erase: Sequence[str], resume: bool = False) -> None:
        """Start the engine in a unit of its own, out of reach of this terminal and this session. Raises OSError."""
        self._run.mkdir(mode=0o700, exist_ok=True)
        file = self._run / "recipe.toml"
        file.touch(mode=0o600)
        file.write_text(recipe)
        (self._run / EVENTS).unlink(missing_ok=True)
        self._offset = 0
        argv = [sys.executable, "-m", "installer.run.engine", str(file)]
        argv += [f"--erase={identity}" for identity in erase]
        argv += ["--resume"] if resume else []
        if SYSTEMD.is_dir():
            # --pipe hands our standard input over; without a unit of its own, logind would end it with the session.
            argv = ["systemd-run", f"--unit={UNIT}", "--collect", "--quiet", "--pipe", "--", *argv]
        detach(argv, stdin=_toml(secrets).encode(), log=self._run / "engine.log")

    def new_events(self) -> list[Stamped]:
        """Return what the engine said since the last call."""
        path = self._run / EVENTS
        if not path.exists():
            return []
        found = list(read_events(path, offset=self._offset))
        self._offset = found[-1][1] if found else self._offset
        return [stamped for stamped, _ in found]

    def answer(self, word: str) -> None:
        """Say `retry` or `stop`; raises ZrootError if no engine listens."""
        try:
            control.say(self._run / SOCKET, word)
        except OSError:
            raise ZrootError("The engine does not run any more.", hint="Its last words are in the events.") from None

    def machine(self) -> Machine:
        """Look at this machine, which takes seconds; raises ZrootError."""
        return probe()

    def changes(self) -> Changes:
        """Return what tells that disks came or went; made before the first look, so that nothing is missed."""
        return Watch()

    def timezones(self) -> list[str]:
        """Name the time zones that this system knows."""
        return sorted(zoneinfo.available_timezones()) or ["Etc/UTC"]

    def locales(self) -> list[str]:
        """Name the locales that the installed system can have; empty where that is not known."""
        try:
            lines = LOCALES.read_text().splitlines()
        except OSError:
            return []
        found = [name for name, _, charmap in (line.partition(" ") for line in lines) if charmap == "UTF-8"]
        return sorted({"C.UTF-8", *(name for name in found if re.match(LOCALE, name))})

    def interfaces(self) -> list[str]:
        """Name the wired network interfaces of this machine."""
        try:
            return sorted(path.name for path in INTERFACES.iterdir() if path.name.startswith(("en", "eth")))
        except OSError:
            return []

    def on_console(self) -> bool:
        """Tell whether this terminal is the machine's own screen and keyboard, and no ssh or serial line."""
        try:
            return re.fullmatch(r"/dev/tty\d+", os.ttyname(0)) is not None
        except OSError:
            return False

    def typeable(self, keymap: str) -> frozenset[str] | None:
        """Return the characters that a keymap can type, after some seconds the first time; none if it cannot be known.

        Raises ZrootError if there is no such keymap.
        """
        if keymap not in self._keymaps:
            self._keymaps[keymap] = typeable(keymap)
        return self._keymaps[keymap]

    def running(self) -> bool:
        """Tell whether an engine has begun here and not said its last word."""
        path = self._run / EVENTS
        if not path.exists():
            return False
        last = None
        for stamped, _ in read_events(path):
            last = stamped.what
        return last is not None and not isinstance(last, Ended) and _alive(self._run / "lock")


class Recorded(Client):
    """The same over a recorded machine: everything can be looked at and answered, and the engine refuses."""

    def __init__(self, recording: Path, run: Path | None = None) -> None:
        super().__init__(run or Path(tempfile.mkdtemp(prefix="zroot-demo-")))
        self._recording = recording

    def machine(self) -> Machine:
        """Return the recorded machine; raises Refusal if the file is none."""
        return read(recording.load(self._recording))

    def changes(self) -> Changes:
        """Return what never tells of a change."""
        return Still()

    def interfaces(self) -> list[str]:
        """Return none: a recording does not name them."""
        return []


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


def _alive(lock: Path) -> bool:
    try:
        os.kill(int(lock.read_text()), 0)
    except (OSError, ValueError):
        return False
    return True


def _toml(secrets: Mapping[str, Secret]) -> str:
    """Write secrets for the engine's standard input; none of them holds a control character."""
    return "".join(
        f'{name} = "{"".join(ESCAPES.get(char, char) for char in secret.reveal())}"\n'
        for name, secret in secrets.items()
    )
