"""What a run left open: closed before the next one begins, and proved to be closed when one ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from installer.errors import Failure, ZrootError
from installer.plan.operation import Commands, Effect, Layer, Operation, Plan
from installer.process import ProgramError, run
from installer.run.durable import detach
from installer.run.facts import with_facts
from installer.run.holders import holders, mounted_under, words
from installer.run.journal import JOURNAL, Journal


def close(run_folder: Path, state: Path, *, notice: Callable[[str], None]) -> bool:
    """Close what an interrupted run of this same system left open, so that its disks can be used again (fault 59).

    Returns whether the machine may no longer be as it was. Only what that run's own plan would have closed at its end:
    what cannot be closed is found by the probe that comes next, which refuses the disk and says why.
    """
    points = [run_folder / name for name in ("journal", "volume", "found")]
    mounted = any(os.path.ismount(point) for point in points)
    for point in points:
        detach(point)
    if not (state / JOURNAL).exists():
        return mounted
    try:
        journal, plan = Journal.open(state)
    except ZrootError:
        return mounted
    if not journal.begun:
        return mounted
    notice("An earlier installation was not finished. What it left open is closed first.")
    for point_below in mounted_under(plan.target) if plan.target else ():
        _try(("umount", point_below))
    for operation in _closing(plan):
        if isinstance(operation.action, Commands) and not _is_closed(operation, journal):
            for command in operation.action.commands:
                if command.argv[0] != "umount":
                    _try(tuple(with_facts(word, journal.facts) for word in command.argv))
    return True


def require_closed(plan: Plan, journal: Journal) -> None:
    """Prove that nothing of the new system is open any more; raises Failure naming what is and who holds it."""
    open_still = [one.title for one in _closing(plan) if one.done and not _is_closed(one, journal)]
    mounts = mounted_under(plan.target) if plan.target else ()
    if open_still or mounts:
        raise Failure(
            "The new system is written, but it is not closed.",
            message="\n".join(
                [
                    *(f"Not done: {title}." for title in open_still),
                    *(f"Still mounted: {mount}." for mount in mounts),
                    words(holders([plan.target])) if plan.target else "",
                ]
            ).strip(),
            hint="End what holds it, then resume: only the closing is left to do.",
        )


def _closing(plan: Plan) -> Iterator[Operation]:
    return (one for one in plan.operations if one.effect is Effect.CLOSE and one.layer is Layer.FINISH)


def _is_closed(operation: Operation, journal: Journal) -> bool:
    """Tell whether an operation's probe says that it is done; without a probe nobody can."""
    if not operation.done:
        return False
    try:
        run([with_facts(word, journal.facts) for word in operation.done], timeout=60)
    except ProgramError:
        return False
    return True


def _try(argv: tuple[str, ...]) -> None:
    try:
        run(argv, timeout=60)
    except ZrootError:
        return
