"""Where an installation that was cut off left its journal, and whether these are its disks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from installer.errors import Refusal, Refusals, ZrootError
from installer.machine.model import Disk, Machine
from installer.plan.operation import ChosenDisk, Plan
from installer.recipe.load import parse
from installer.recipe.model import Recipe
from installer.run.durable import FOLDER, VOLUME, mounted
from installer.run.journal import JOURNAL, PLAN, Journal

NO_JOURNAL = Refusal(
    "There is no journal of an interrupted installation.",
    message="None is in the memory of this system, on a ZROOT volume, or on an EFI system partition of the disks.",
    hint="Apply the recipe again without --resume; it starts over.",
)


def find(recipe: Recipe, state: Path, *, disks: Callable[[], Iterable[Disk]]) -> tuple[Journal, Plan]:
    """Find the journal of an interrupted run of this recipe and bring it to `state`.

    Looked for in this order: `state` itself, the ZROOT volume, the ESPs of the recipe's disks, which `disks` gives.
    Raises Refusal.
    """
    if not (state / JOURNAL).exists():
        point = state.parent / "found"
        if not any(_fetch(device, point, state) for device in _places(disks)):
            raise NO_JOURNAL
    journal, plan = Journal.open(state)
    if parse(plan.recipe) != recipe:
        raise Refusal(
            "This is not the recipe of the interrupted installation.",
            message=f"That one is: {plan.title}.",
            hint=f"Its recipe is in {state / PLAN}. Or apply this one without --resume; it starts over.",
        )
    return journal, plan


def interrupted(run: Path, *, disks: Callable[[], Iterable[Disk]]) -> Plan | None:
    """Return the plan of an interrupted installation, looked for as `find` does; none if there is none."""
    run.mkdir(mode=0o700, exist_ok=True)
    with TemporaryDirectory(dir=run, ignore_cleanup_errors=True) as folder:
        state, point = run / "state", Path(folder) / "found"
        if not (state / JOURNAL).exists():
            # To a folder of its own: the journal of another recipe must not stay where the engine looks for one.
            state = Path(folder) / "state"
            if not any(_fetch(device, point, state) for device in _places(disks)):
                return None
        try:
            journal, plan = Journal.open(state)
        except (ZrootError, OSError):
            return None
        return plan if journal.begun else None


def check_disks(plan: Plan, journal: Journal, machine: Machine) -> None:
    """Refuse disks that are not the ones of the interrupted installation; raises Refusals."""
    problems = tuple(problem for chosen in plan.disks for problem in _problems(chosen, plan, journal, machine))
    if problems:
        raise Refusals(problems)


def _problems(chosen: ChosenDisk, plan: Plan, journal: Journal, machine: Machine) -> Iterator[Refusal]:
    found = [disk for disk in machine.disks if (disk.identity, disk.size) == (chosen.identity, chosen.size)]
    if not found:
        yield Refusal(
            f"Disk {chosen.role} of the interrupted installation is not there: {chosen.description}.",
            hint="Attach it and resume again.",
        )
        return
    fact = f"disk-guid.{chosen.role}"
    if not _written(fact, plan, journal):
        return  # the table had not been made yet: the disk is told by its identity and size alone
    if all(disk.table_uuid.lower() != journal.facts[fact].lower() for disk in found):
        yield Refusal(
            f"Disk {chosen.role} does not carry the interrupted installation any more: {chosen.description}.",
            message=f"Its partition table is {found[0].table_uuid or 'missing'}, not {journal.facts[fact]}.",
            hint="Something else wrote to it since. Apply the recipe without --resume to start over.",
        )


def _written(fact: str, plan: Plan, journal: Journal) -> bool:
    users = [one.id for one in plan.operations if f"@{{{fact}}}" in one.model_dump_json(include={"action"})]
    return any(user in journal.ended for user in users)


def _places(disks: Callable[[], Iterable[Disk]]) -> Iterator[str]:
    if os.path.exists(VOLUME):
        yield VOLUME
    for disk in disks():
        yield from (node.path for node in disk.children if node.fstype == "vfat")


def _fetch(device: str, point: Path, state: Path) -> bool:
    try:
        with mounted(device, point, writable=False) as place:
            if not (place / FOLDER / JOURNAL).exists():
                return False
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in (PLAN, JOURNAL):
                (state / name).touch(mode=0o600)
                (state / name).write_bytes((place / FOLDER / name).read_bytes())
            return True
    except (ZrootError, OSError):
        return False  # not a file system, or not one of ours: look further
