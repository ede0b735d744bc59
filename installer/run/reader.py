"""One reader of the engine: starts it, follows what it says, answers it. Made anew after a crash, it finds the run."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import installer
from installer.errors import Exit, Refusal, ZrootError
from installer.plan.operation import Plan
from installer.process import Detached, detach
from installer.recipe.secrets import Secret
from installer.run import control, lock
from installer.run.apply import EVENTS, RUN, SOCKET, state_of_disks
from installer.run.before import digest
from installer.run.events import Begun, Ended, Stamped
from installer.run.events import read as read_events
from installer.run.journal import PLAN, Journal

UNIT = "zroot-engine"
SYSTEMD = Path("/run/systemd/system")
"""Exists where systemd runs the machine."""

PACKAGES = Path(installer.__file__).parents[1]
"""Where the engine's program is found, wherever the person who starts it stands."""

LOG = "engine.log"
"""What the engine and its starter print: empty as long as all goes well."""

RECIPE = "records/recipe.toml"
SEEN = "seen"
LAST_LINES = 20
ESCAPES = {"\\": "\\\\", '"': '\\"'}


class Reader:
    """What the engine in one run folder says, and how to answer it."""

    def __init__(self, run: Path = RUN) -> None:
        self._run = run
        self._offset = 0
        self._inode = 0
        self._starter: Detached | None = None
        self._log_from = 0
        self._begun = False
        self._ended = False

    def start(
        self,
        recipe: str,
        *,
        secrets: Mapping[str, Secret],
        erase: Sequence[str],
        resume: bool = False,
        reviewed: Plan | None = None,
    ) -> None:
        """Start the engine in a unit of its own, out of reach of this terminal and this session. Raises Refusal.

        The engine refuses any other plan than the one that was reviewed, if one was.
        """
        try:
            self._run.mkdir(mode=0o700, exist_ok=True)
            with lock.locked(self._run):
                # Of its own name: another interface may start at the same moment, and only one of them gets the lock.
                descriptor, file = tempfile.mkstemp(prefix="recipe-", suffix=".toml", dir=self._run)
                with os.fdopen(descriptor, "w") as stream:
                    stream.write(recipe)
                if not resume:
                    (self._run / EVENTS).unlink(missing_ok=True)
                self._offset = _size(self._run / EVENTS)
                self._inode = (self._run / EVENTS).stat().st_ino if self._offset else 0
            self._log_from = _size(self._run / LOG)
            self._begun = self._ended = False
            argv = self._argv(Path(file), reviewed) + [f"--erase={identity}" for identity in erase]
            argv += ["--resume"] if resume else []
            self._starter = detach(argv, stdin=_toml(secrets).encode(), log=self._run / LOG, folder=PACKAGES)
        except OSError as error:
            raise Refusal(
                "The engine cannot be started.", message=str(error), hint="zroot has to be started by root."
            ) from None

    def _engine(self, recipe: Path, reviewed: Plan | None) -> list[str]:
        argv = [sys.executable, "-m", "installer.run.engine", str(recipe)]
        return [*argv, f"--reviewed={digest(reviewed)}"] if reviewed else argv

    def _argv(self, recipe: Path, reviewed: Plan | None) -> list[str]:
        argv = self._engine(recipe, reviewed)
        if SYSTEMD.is_dir():
            # --pipe hands our standard input over; without a unit of its own, logind would end it with the session.
            unit = ["systemd-run", f"--unit={UNIT}", "--collect", "--quiet", f"--working-directory={PACKAGES}"]
            return [*unit, "--pipe", "--", *argv]
        return argv

    def new_events(self) -> list[Stamped]:
        """Return what the engine said since the last call; its last event is always Ended, even if it was killed."""
        # Asked before the events are read: whoever is gone now has said all that it will ever say.
        gone = self._gone()
        found = self._read()
        for stamped in found:
            self._begun = self._begun or isinstance(stamped.what, Begun)
            self._ended = isinstance(stamped.what, Ended) or (self._ended and not isinstance(stamped.what, Begun))
        if gone and not self._ended and (self._starter or self._offset):
            self._ended = True
            found.append(Stamped(at=round(self.now(), 3), what=self._last_words()))
        return found

    def answer(self, word: str) -> None:
        """Say `retry` or `stop`; raises ZrootError if no engine listens."""
        try:
            control.say(self._run / SOCKET, word)
        except OSError:
            raise ZrootError("The engine does not run any more.", hint="Its last words are in the events.") from None

    def running(self) -> bool:
        """Tell whether an engine has begun here and not said its last word."""
        last = self._last()
        return last is not None and not isinstance(last.what, Ended) and lock.held(self._run)

    def at_work(self) -> bool:
        """Tell whether an engine is at work here: whoever looked at the disks then would disturb it."""
        return not self._gone()

    def found(self) -> bool:
        """Tell whether there is a run to show: one under way, or one whose end nobody has seen yet."""
        told = self._told()
        if not told:
            return False
        if not isinstance(told[-1].what, Ended) and lock.held(self._run):
            return True
        return any(isinstance(stamped.what, Begun) for stamped in told) and not self._is_seen(told[-1])

    def seen(self) -> None:
        """Remember that the end of the present run has been seen."""
        if last := self._last():
            (self._run / SEEN).touch(mode=0o600)
            (self._run / SEEN).write_text(str(last.at))

    def now(self) -> float:
        """Return the time by which events are stamped: seconds since 1970."""
        return time.time()

    def plan(self) -> Plan | None:
        """Return the plan of the present run, once it has begun."""
        try:
            return Plan.model_validate_json((self._run / "state" / PLAN).read_bytes())
        except (OSError, ValueError):
            return None

    def recipe(self) -> str:
        """Return the recipe of the present run; empty as long as nothing has begun."""
        try:
            return (self._run / RECIPE).read_text()
        except OSError:
            return ""

    def report(self) -> str:
        """Return all that is worth sending to somebody who can help; it holds no secret."""
        names = (RECIPE, "state/journal.jsonl", LOG, EVENTS)
        parts = [f"zroot {installer.__version__}\n"]
        for name in names:
            try:
                parts.append(f"\n===== {name}\n{(self._run / name).read_text(errors='replace')}")
            except OSError:
                continue
        return "".join(parts)

    def _gone(self) -> bool:
        return (self._starter is None or self._starter.ended) and not lock.held(self._run)

    def _read(self) -> list[Stamped]:
        path = self._run / EVENTS
        inode = path.stat().st_ino if path.exists() else 0
        if inode != self._inode:
            self._inode = inode
            self._offset = 0  # a new run begins a file of its own
        found = list(read_events(path, offset=self._offset)) if path.exists() else []
        self._offset = found[-1][1] if found else self._offset
        return [stamped for stamped, _ in found]

    def _last(self) -> Stamped | None:
        told = self._told()
        return told[-1] if told else None

    def _told(self) -> list[Stamped]:
        try:
            return [stamped for stamped, _ in read_events(self._run / EVENTS)]
        except OSError:  # there are none, or they are only for root
            return []

    def _is_seen(self, last: Stamped) -> bool:
        try:
            return (self._run / SEEN).read_text() == str(last.at)
        except OSError:
            return False

    def _last_words(self) -> Ended:
        """Say for an engine that is gone without a word what it or its starter printed, and how the disks are."""
        printed = list(self._printed())[-LAST_LINES:]
        if not self._begun:
            words = ["The engine ended before it began. Nothing was written.", *printed]
            return Ended(status="refused", exit=Exit.REFUSED, words="\n".join(words))
        words = ["The engine was ended in the middle of its work, by the kernel or by somebody.", *printed]
        try:
            journal, plan = Journal.open(self._run / "state")
        except (ZrootError, OSError):
            words.append("The disks are partly written.")
        else:
            words.append(state_of_disks(plan, journal))
        return Ended(status="failed", exit=Exit.FAILED, words="\n".join(words))

    def _printed(self) -> Iterator[str]:
        try:
            with (self._run / LOG).open("rb") as file:
                file.seek(self._log_from)
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return
        yield from (line for line in lines if line.strip())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _toml(secrets: Mapping[str, Secret]) -> str:
    """Write secrets for the engine's standard input; none of them holds a control character."""
    return "".join(
        f'{name} = "{"".join(ESCAPES.get(char, char) for char in secret.reveal())}"\n'
        for name, secret in secrets.items()
    )
