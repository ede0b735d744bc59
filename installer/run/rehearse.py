"""The engine over a recorded machine: everything that comes before the first write, and then a refusal.

It knows no executor and carries no operation out, so there is nothing in it that could write to a device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from installer.errors import Refusal, Refusals, ZrootError
from installer.machine import recording
from installer.machine.obstacles import obstacles
from installer.machine.read import read
from installer.masking import SECRETS
from installer.plan.build import make_plan
from installer.recipe.load import parse
from installer.recipe.secrets import Secret
from installer.run import before
from installer.run.events import Ended, EventLog, Notice

RECORDED = Refusal("This is a recorded machine: nothing was written.")


def rehearse(  # noqa: PLR0913 - the options of the engine
    recipe_text: str,
    *,
    source: str,
    machine: Path,
    log: EventLog,
    secrets: Mapping[str, Secret],
    erase: Sequence[str],
    reviewed: str,
) -> Ended:
    """Make the plan, check consent and secrets, and refuse; the refusal is the last event."""
    for secret in secrets.values():
        SECRETS.register(secret.reveal())
    error: ZrootError = RECORDED
    try:
        _check(recipe_text, source=source, machine=machine, log=log, secrets=secrets, erase=erase, reviewed=reviewed)
    except ZrootError as found:
        error = found
    ended = Ended(status="refused", exit=error.exit, words=SECRETS.mask(str(error)))
    log.emit(ended)
    return ended


def _check(  # noqa: PLR0913 - as many as above
    recipe_text: str,
    *,
    source: str,
    machine: Path,
    log: EventLog,
    secrets: Mapping[str, Secret],
    erase: Sequence[str],
    reviewed: str,
) -> None:
    recipe = parse(recipe_text, source=source)
    recorded = read(recording.load(machine))
    if problems := obstacles(recorded):
        raise Refusals(problems)
    plan = make_plan(recipe, recorded)
    before.require_reviewed(plan, reviewed)
    before.require_consent(recipe, plan, erase)
    wrong = before.secret_problems(recipe, plan, secrets, notice=lambda text: log.emit(Notice(text=text)))
    if wrong:
        raise Refusals(wrong)
