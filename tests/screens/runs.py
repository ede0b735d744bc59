"""Runs that screens follow: an events file, a plan and a lock as an engine leaves them, without an engine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from installer.errors import Refusal
from installer.plan.operation import CopyImage, Plan
from installer.plan.render import from_json
from installer.recipe.secrets import Secret
from installer.run.apply import EVENTS
from installer.run.client import Recorded
from installer.run.events import (
    ADAPTER,
    Ask,
    Begun,
    Ended,
    Event,
    Failed,
    Finished,
    Notice,
    Output,
    Progress,
    Stamped,
    Started,
)
from installer.run.journal import PLAN as PLAN_FILE
from installer.run.lock import locked
from installer.run.reader import RECIPE
from screens.answers import Answers
from screens.desk import Desk
from screens.fields import Press
from screens.progress import Progress as ProgressScreen
from tests.screens.step_alone import Alone, drive

MACHINES = Path(__file__).parents[1] / "machines"
PLAN: Plan = from_json((Path(__file__).parents[1] / "golden/mirror-virtio/plan.json").read_text())
COPY = next(one for one in PLAN.operations if isinstance(one.action, CopyImage))
SINCE = 1000.0
"""When every run here begins, in seconds since 1970."""

BEGUN = Begun(install_id="11111111-2222", title=PLAN.title, operations=len(PLAN.operations), resumed=False)
DONE = Ended(status="done", exit=0, words="The installation is finished; everything is closed.")
QUESTION = """\
Failed: Create the pool rpool.
zpool ended with status 1.
Command: zpool create -f -o ashift=12 -o autotrim=on rpool mirror /dev/mapper/pool-a /dev/mapper/pool-b
cannot create 'rpool': no such pool or dataset
Look at the kernel's messages.
Disks a, b are partly written: 23 of 86 steps are done. They hold neither the old content nor a system that starts."""
ASK = Ask(question=QUESTION, answers=("retry", "stop"))
POOL = next(one.id for one in PLAN.operations if one.id.startswith("pools/create"))
WRONG = Failed(operation=POOL, title="zpool ended with status 1.", message="no such pool", hint="", optional=False)
BROKEN = Ended(
    status="failed",
    exit=3,
    words=f"{QUESTION}\nGo on with the same command as before and --resume: zroot apply RECIPE ... --resume",
)


def until(operation: str) -> list[Event]:
    """Return what is said until an operation begins, that included."""
    told: list[Event] = [BEGUN, Notice(text="The journal is kept on the ESP too.")]
    for number, one in enumerate(PLAN.operations, 1):
        told.append(Started(operation=one.id, title=one.title, number=number))
        if one.id == operation:
            return told
        told.append(Finished(operation=one.id, seconds=1.0))
    return told


COPYING: list[Event] = [
    *until(COPY.id),
    Progress(operation=COPY.id, percent=63),
    Output(
        operation=COPY.id, lines=("mke2fs 1.47.2 (1-Jan-2025)", "Creating filesystem with 262144 4k blocks", "x" * 200)
    ),
]
FAILED: list[Event] = [*until(POOL), WRONG]


class Told(Recorded):
    """A client of a run that a test tells; what it is asked to do is kept."""

    def __init__(self, folder: Path, machine: str = "synthetic-two-blank") -> None:
        super().__init__(MACHINES / f"{machine}.json", folder / "run")
        self.folder = folder / "run"
        self.folder.mkdir()
        self.time = SINCE + 187
        self.answers: list[str] = []
        self.started: list[Mapping[str, object]] = []
        self.ends: list[str] = []
        self.kit: dict[str, Path] = {}

    def now(self) -> float:
        """Return a time that stands still."""
        return self.time

    def tell(self, *events: Event, every: float = 1.0) -> None:
        """Append events, as the engine does."""
        with (self.folder / EVENTS).open("ab") as file:
            for number, event in enumerate(events):
                file.write(ADAPTER.dump_json(Stamped(at=SINCE + number * every, what=event)) + b"\n")

    def keep_plan(self, plan: Plan = PLAN) -> None:
        """Leave plan and recipe where an engine leaves them."""
        for name, text in {f"state/{PLAN_FILE}": plan.model_dump_json(), RECIPE: plan.recipe}.items():
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(text)

    @contextlib.contextmanager
    def under_way(self, *events: Event) -> Iterator[None]:
        """Be a run that goes on, as long as this lasts."""
        with locked(self.folder):
            self.keep_plan()
            self.tell(*events)
            yield

    def answer(self, word: str) -> None:
        """Keep what was said to the engine."""
        self.answers.append(word)

    def start(
        self,
        recipe: str,
        *,
        secrets: Mapping[str, Secret],
        erase: Sequence[str],
        resume: bool = False,
        reviewed: Plan | None = None,
    ) -> None:
        """Keep what was to be started."""
        self.started.append(
            {
                "recipe": recipe,
                "secrets": {name: secret.reveal() for name, secret in secrets.items()},
                "erase": tuple(erase),
                "resume": resume,
                "reviewed": reviewed,
            }
        )
        self._begun = self._ended = False

    def undo_kit(self) -> dict[str, Path]:
        """Name what the test put there."""
        return self.kit

    def shell(self) -> None:
        """Refuse as the demo does."""
        raise Refusal("This is a recorded machine: it has no shell.")

    def restart(self) -> None:
        """Keep that it was asked for."""
        self.ends.append("restart")

    def power_off(self) -> None:
        """Keep that it was asked for."""
        self.ends.append("power off")


# A screen over a run.


def words(alone: Alone) -> str:
    return " ".join(alone.text().split())


def buttons(alone: Alone) -> list[str]:
    return [str(press.id) for press in alone.step.query(Press) if press.display]


async def drawn(alone: Alone, *said: str) -> None:
    await alone.until(lambda: all(one in words(alone) for one in said))


async def focused(alone: Alone, name: str) -> None:
    await alone.until(lambda: alone.focus() == name)


def show(told: Told, steps: Callable[[Alone], object], size: tuple[int, int] = (80, 24), **how: object) -> None:
    """Show the screen; the machine is not looked at while an engine is at work, so it is told."""

    def make(desk: Desk, answers: Answers) -> ProgressScreen:
        desk.machine = told.machine()
        return ProgressScreen(desk, answers, **how)  # type: ignore[arg-type]

    drive(make, steps, client=told, size=size)  # type: ignore[arg-type]


def follow(
    told: Told, events: Sequence[Event], steps: Callable[[Alone], object], size: tuple[int, int] = (80, 24)
) -> None:
    """Show a run that is under way."""
    with told.under_way(*events):
        show(told, steps, size=size)
