"""Replay of a recipe from a volume labelled ZROOT, when the live system starts and nobody is there."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from installer.errors import Exit, Refusal, ZrootError
from installer.machine.model import Disk, Machine, Node
from installer.machine.probe import probe
from installer.plan.build import make_plan
from installer.plan.choose import choose
from installer.plan.operation import Plan
from installer.process import run
from installer.recipe.load import parse, read_text
from installer.recipe.model import After, Recipe, Result
from installer.recipe.secrets import Secret, load_secrets
from installer.run.apply import RUN, Outcome, apply, mistake
from installer.run.consoles import Consoles
from installer.run.durable import FOLDER, mounted
from installer.run.events import Begun, Ended, Event, Failed, Finished, Notice, Output, Progress, Started, Working
from installer.run.resume import find

LABEL = "ZROOT"
POINT = Path("/run/zroot-replay")
RESULT = "zroot-result.json"
COUNTDOWN = 15
"""Seconds in which any key stops a replay."""


@dataclass(frozen=True)
class Volume:
    """What a ZROOT volume says."""

    device: str
    text: str
    recipe: Recipe
    secrets: Mapping[str, Secret]
    unfinished: bool
    """Whether it holds the journal of an installation that was cut off; a CD cannot, then an ESP may."""


@dataclass
class Display:
    """Draws the events of a run as lines on the consoles."""

    consoles: Consoles
    operations: int = 0
    percent: int = 0
    heard: dict[str, str] = field(default_factory=dict)
    """The last words of each operation's programs."""

    def show(self, event: Event) -> None:
        """Print what a person in front of the machine would want to know, and no more."""
        text = self._text(event)
        if text:
            self.consoles.say(text)

    def _text(self, event: Event) -> str:  # noqa: PLR0911 - one for each event
        match event:
            case Begun():
                self.operations = event.operations
                return f"{'resuming' if event.resumed else 'installing'}: {event.title}"
            case Started():
                self.percent = 0
                return f"[{event.number}/{self.operations}] {event.title}"
            case Progress() if event.percent >= self.percent + 10:
                self.percent = event.percent - event.percent % 10
                return f"    {self.percent} %"
            case Output():
                words = [line.strip() for line in event.lines if line.strip()]
                self.heard |= {event.operation: words[-1]} if words else {}
            case Working():
                return ": ".join(filter(None, (f"    {event.minutes} min", self.heard.get(event.operation))))
            case Finished() if event.seconds >= 1:
                return f"    done in {event.seconds:.0f} s"
            case Failed():
                return str(ZrootError(event.title, message=event.message, hint=event.hint))
            case Notice():
                return event.text
            case Ended():
                return event.words
        return ""


def volumes() -> tuple[str, ...]:
    """Return the devices of all file systems labelled ZROOT."""
    listed = run(("blkid", "--match-token", f"LABEL={LABEL}", "--output", "device"), success=(0, 2))
    return tuple(listed.out.split())


def read_volume(device: str) -> Volume:
    """Read a volume without writing to it. Raises Refusal for what is not to be replayed."""
    with mounted(device, POINT, writable=False):
        if (POINT / RESULT).exists():
            raise Refusal(
                f"The volume {device} has been replayed: it holds {RESULT}.",
                hint=f"To replay it again, remove {RESULT} from it and restart this machine.",
            )
        path = POINT / "recipe.toml"
        if not path.exists():
            raise Refusal(f"The volume {device} has no recipe.toml.", hint="Put the recipe there and restart.")
        text = read_text(path)
        secrets = POINT / "secrets.toml"
        return Volume(
            device=device,
            text=text,
            recipe=parse(text, source="recipe.toml"),
            secrets=load_secrets(secrets) if secrets.exists() else {},
            unfinished=(POINT / FOLDER).exists(),
        )


def refuse_own_disk(device: str, plan: Plan, machine: Machine) -> None:
    """Raise Refusal if the volume lies on a disk that the plan erases."""
    links = {chosen.link for chosen in plan.disks}
    for disk in machine.disks:
        if disk.link in links and os.path.realpath(device) in {os.path.realpath(path) for path in _paths(disk)}:
            raise Refusal(
                f"The recipe lies on {disk.path}, a disk that it erases.", hint="Put it on a volume of its own."
            )


def _paths(node: Disk | Node) -> list[str]:
    return [node.path, *(path for child in node.children for path in _paths(child))]


def counted_down(plan: Plan, consoles: Consoles) -> bool:
    """Name the disks and give a person 15 seconds; return False if a key was pressed."""
    consoles.say(f"In {COUNTDOWN} seconds everything on these disks will be erased:")
    for chosen in plan.disks:
        consoles.say(f"    {chosen.role}: {chosen.description}")
    consoles.say("Press any key to stop.")
    with consoles.single_keys():
        for left in range(COUNTDOWN, 0, -1):
            if left % 5 == 0:
                consoles.say(f"    {left} ...")
            if consoles.key(1):
                return False
    return True


def write_result(device: str, outcome: Outcome) -> None:
    """Leave the result on the volume. Raises ZrootError or OSError."""
    with mounted(device, POINT, writable=True):
        fd = os.open(POINT / RESULT, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(fd, "w") as file:
            json.dump(outcome.model_dump(mode="json"), file, indent=1)
            file.flush()
            os.fsync(fd)


def replay(volume: Volume, consoles: Consoles) -> Outcome | None:
    """Carry a volume's recipe out; None if a person stopped it before anything was written. Raises ZrootError."""
    if not volume.recipe.unattended:
        raise Refusal(
            "The recipe on the ZROOT volume does not say `unattended = true`, so nothing was started.",
            hint=f"Mount {volume.device} and use `zroot apply` on its recipe.toml.",
        )
    machine = probe()
    unfinished = volume.unfinished or interrupted(volume.recipe, machine)
    if not unfinished:
        plan = make_plan(volume.recipe, machine)
        refuse_own_disk(volume.device, plan, machine)
        if not counted_down(plan, consoles):
            consoles.say("Stopped by a key. Nothing was written.")
            return None
    return apply(
        volume.text,
        source="recipe.toml",
        secrets=volume.secrets,
        erase=(),
        events=None,
        resume=unfinished,
        show=Display(consoles).show,
        # What was named is what is erased: if the machine changed since, the engine refuses instead of choosing anew.
        seen=machine,
    )


def interrupted(recipe: Recipe, machine: Machine) -> bool:
    """Tell whether the recipe's disks hold the journal of an installation of this same recipe.

    Brought to a folder of its own: the journal of another recipe must not stay where the engine looks for one.
    """
    RUN.mkdir(mode=0o700, exist_ok=True)
    with TemporaryDirectory(dir=RUN, ignore_cleanup_errors=True) as folder:
        try:
            find(recipe, Path(folder) / "state", disks=lambda: choose(recipe, machine).values())
        except Refusal:
            return False
    return True


def carry_out(volume: Volume, consoles: Consoles) -> int:
    """Replay a volume, leave the result on it and end as the recipe says; return the exit status."""
    outcome: Outcome | None
    try:
        outcome = replay(volume, consoles)
    except ZrootError as error:
        outcome = Outcome(status="refused", exit=error.exit, words=str(error))
        consoles.say(outcome.words)
    except Exception as error:  # nobody is there to see a traceback: it must end in words and in a result
        outcome = mistake(error)
        consoles.say(outcome.words)
    if outcome is None:
        return Exit.STOPPED
    left = volume.recipe.result is Result.NONE or result_left(volume.device, outcome, consoles)
    done = outcome.exit == Exit.DONE
    step = f" (step {outcome.failed_step})" if outcome.failed_step else ""
    consoles.say("result: ok" if done else f"result: failed{step}")
    after = volume.recipe.after
    if not done:
        # What is open, and the log in memory, are worth more to a person than a machine that is off. Where no result
        # could be left, being off is the only sign there is.
        after = After.POWEROFF if volume.recipe.result is Result.NONE else After.STAY
    if not left:
        after = After.STAY  # without its result, the volume would be replayed again after a restart
    if after is not After.STAY:
        run(("systemctl", "--no-block", str(after)))
    return outcome.exit


def result_left(device: str, outcome: Outcome, consoles: Consoles) -> bool:
    """Leave the result on the volume; say why and return False where that cannot be done."""
    try:
        write_result(device, outcome)
    except (ZrootError, OSError) as error:
        consoles.say(f"{RESULT} could not be written to {device}.\n{error}")
        return False
    return True


def main() -> int:
    """Look for a volume and replay it; return an exit status for the service."""
    consoles = Consoles.active()
    found: tuple[str, ...] = ()
    try:
        found = volumes()
        if not found:
            return Exit.DONE
        if len(found) > 1:
            raise Refusal(
                f"There are {len(found)} volumes labelled {LABEL}: {', '.join(found)}.",
                hint="Leave one of them in and restart this machine.",
            )
        return carry_out(read_volume(found[0]), consoles)
    except (ZrootError, OSError) as error:
        words = str(error)
    except Exception as error:
        outcome = mistake(error)
        words = outcome.words
        if len(found) == 1:
            with contextlib.suppress(ZrootError, OSError):
                write_result(found[0], outcome)
    consoles.say(words)
    consoles.say("result: failed")
    return Exit.REFUSED


if __name__ == "__main__":
    raise SystemExit(main())
