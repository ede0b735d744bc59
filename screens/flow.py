"""What comes after the answers: consent, the engine's work and its end; and the way there from a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from installer.recipe.secrets import Secret
from installer.run.client import Found
from screens.answers import Answers
from screens.consent import Consent
from screens.done import Done
from screens.following import Run
from screens.progress import Progress
from screens.replay import Replay
from screens.review import Review
from screens.reviewing import Install, Reviewed
from screens.roles import Roles
from screens.step import Left, Move

if TYPE_CHECKING:
    from screens.app import Guided


class To(StrEnum):
    """Where the wizard goes on."""

    BACK = "back"
    """To where it came from."""
    START = "start"
    END = "end"


async def carry_out(app: Guided, answers: Answers, reviewed: Reviewed) -> To:
    """Ask for consent to what was reviewed, and install."""
    if reviewed.plan is None:
        return To.BACK
    left: Left = await app.push_screen_wait(
        Consent(app.desk, answers, reviewed=reviewed, plan=reviewed.plan),
    )
    if left.move is not Move.NEXT:
        return To.BACK
    return await follow(app, answers, Progress(app.desk, answers, install=reviewed.install, plan=reviewed.plan))


async def reopen(app: Guided, answers: Answers) -> To:
    """Show the run that is there, if there is one: under way, or at an end that nobody has seen."""
    looking = app.run_worker(app.desk.client.found, thread=True, name="look for a run")
    if not await looking.wait():
        return To.START
    return await follow(app, answers, Progress(app.desk, answers))


async def follow(app: Guided, answers: Answers, progress: Progress) -> To:
    """Show a run until somebody leaves it; a resumed one is another."""
    while True:
        left: Left = await app.push_screen_wait(progress)
        if left.move is Move.NEXT and isinstance(left.given, Run):
            await app.push_screen_wait(Done(app.desk, answers, run=left.given, plan=progress.plan))
            app.desk.client.seen()
            return To.END
        app.desk.client.seen()
        if left.move is not Move.REPLAY or not isinstance(left.given, Install):
            return To.BACK if left.move is Move.BACK else To.START
        found = Found(title=progress.run.title, where="was interrupted", text=left.given.recipe, unfinished=True)
        install, _ = await _asked(app, answers, found, {})
        if install is None:
            return To.START
        progress = Progress(app.desk, answers, install=install)


async def replay(app: Guided, answers: Answers) -> To:
    """Choose a recipe, fill it in, review it, install it; each Back leads to the screen before as it was."""
    while True:
        left: Left = await app.push_screen_wait(Replay(app.desk, answers))
        if left.move is not Move.NEXT or not isinstance(left.given, Found):
            return To.START
        to = await _replay(app, answers, left.given)
        if to is not To.BACK:
            return to


async def _replay(app: Guided, answers: Answers, found: Found) -> To:
    filled: Mapping[str, Secret] = {}
    while True:
        install, filled = await _asked(app, answers, found, filled)
        if install is None:
            return To.BACK
        if install.resume:
            return await follow(app, answers, Progress(app.desk, answers, install=install))
        to = await _review(app, answers, install)
        if to is not To.BACK or Roles(app.desk, answers, found=found).needless:
            return to


async def _asked(
    app: Guided, answers: Answers, found: Found, filled: Mapping[str, Secret]
) -> tuple[Install | None, Mapping[str, Secret]]:
    """Ask which disks a recipe's roles are, and for its secrets; where there is nothing to ask, ask nothing."""
    roles = Roles(app.desk, answers, found=found, filled=filled)
    if roles.needless:
        return Install(recipe=found.text, resume=found.unfinished), filled
    left: Left = await app.push_screen_wait(roles)
    assert isinstance(left.given, tuple)  # noqa: S101 - for mypy
    install, kept = left.given
    return install, kept


async def _review(app: Guided, answers: Answers, install: Install) -> To:
    while True:
        left: Left = await app.push_screen_wait(Review(app.desk, answers, install=install))
        if left.move is not Move.NEXT or not isinstance(left.given, Reviewed):
            return To.BACK
        to = await carry_out(app, answers, left.given)
        if to is not To.BACK:
            return to
