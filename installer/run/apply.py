"""The whole of `zroot apply`: every refusal first, then the plan, and words for however it ends."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from installer.errors import Exit, Failure, Refusal, Refusals, Stopped, ZrootError
from installer.frozen import Frozen
from installer.machine.greeting import LAST_RUN
from installer.machine.model import Machine
from installer.machine.obstacles import obstacles
from installer.machine.probe import probe
from installer.masking import SECRETS
from installer.plan.build import make_plan
from installer.plan.choose import choose
from installer.plan.operation import Operation, Plan
from installer.recipe.load import parse
from installer.recipe.secrets import Secret
from installer.run import before, leftovers, sources
from installer.run import resume as resuming
from installer.run.control import STOP, Control, StopAsked
from installer.run.durable import Durable
from installer.run.events import Ask, Begun, Ended, Event, EventLog, Notice
from installer.run.executor import Executor, StepError
from installer.run.files import save
from installer.run.journal import JOURNAL, PLAN, Journal
from installer.run.lock import locked, looking
from installer.run.undo import UndoKit

RUN = Path("/run/zroot")
"""State of the engine: root only, gone after a restart."""

EVENTS = "events.jsonl"
SOCKET = "control"
RETRY = "retry"


class Outcome(Frozen):
    """How a run ended, for a person and for zroot-result.json."""

    status: Literal["done", "refused", "failed", "stopped"]
    exit: int
    words: str
    """What happened, in which state the disks are, what to do next."""
    install_id: str = ""
    failed_step: str = ""
    seconds: float = 0
    layers: dict[str, float] = Field(default_factory=dict)
    """Seconds by layer; operations side by side count once. What is missing to `seconds` is the engine's own time."""
    durations: dict[str, float] = Field(default_factory=dict)
    """Seconds by operation."""


def apply(  # noqa: PLR0913 - the options of the command
    recipe_text: str,
    *,
    source: str,
    secrets: Mapping[str, Secret],
    erase: Sequence[str],
    events: Path | None,
    resume: bool,
    show: Callable[[Event], None] | None = None,
    attended: bool = False,
    reviewed: str = "",
    seen: Machine | None = None,
) -> Outcome:
    """Carry a recipe out on this machine and return how it ended; raises nothing that a person could mend.

    erase names the disks that may be erased, by their identities. events is where the JSON lines go (/run/zroot if
    None); show gets every event as well. attended means that somebody answers over the socket in /run/zroot.
    reviewed is the digest of the plan that a person has agreed to: no other one is carried out. seen is the machine for
    which the disks to erase were shown just now; it is looked at once more before the first write in any case.
    """
    for secret in secrets.values():
        SECRETS.register(secret.reveal())
    if os.geteuid() != 0:
        return _outcome(Refusal("This needs root: disks cannot be changed without it.", hint="Start it with sudo."))
    RUN.mkdir(mode=0o700, exist_ok=True)
    try:
        # Before the events and the socket are touched: they may be another engine's.
        with locked(RUN):
            log = EventLog(events or RUN / EVENTS, fresh=events is None and not resume, echo=show)
            control = Control(RUN / SOCKET) if attended else None
            run = Run(recipe_text, source=source, secrets=secrets, log=log, control=control)
            return _carried_out(run, log, erase=erase, resume=resume, reviewed=reviewed, seen=seen)
    except Refusal as refusal:
        return _outcome(refusal)


def _carried_out(  # noqa: PLR0913 - as many as above
    run: Run, log: EventLog, *, erase: Sequence[str], resume: bool, reviewed: str, seen: Machine | None
) -> Outcome:
    began = time.monotonic()
    try:
        with run.stop_asked.by_signals():
            if resume:
                run.resume()
            else:
                run.begin(erase, reviewed=reviewed, seen=seen)
        outcome = Outcome(status="done", exit=Exit.DONE, words="The installation is finished; everything is closed.")
    except ZrootError as error:
        outcome = _outcome(error)
    except Exception as error:  # a mistake of ours must reach the reader and the result file like any other failure
        outcome = mistake(error)
    outcome = run.completed(outcome).model_copy(update={"seconds": round(time.monotonic() - began, 3)})
    log.emit(Ended(status=outcome.status, exit=outcome.exit, words=outcome.words))
    log.close()
    if outcome.install_id:
        _remember(outcome.words)
    return outcome


def mistake(error: Exception) -> Outcome:
    """Return the outcome of a mistake of ours; the traceback goes to standard error, in a service to the journal."""
    print(SECRETS.mask("".join(traceback.format_exception(error))), file=sys.stderr)
    title = f"zroot itself made a mistake: {type(error).__name__}."
    return _outcome(Failure(title, message=str(error), hint="Please report it, with the recipe and the journal."))


class Run:
    """What one `apply` works with."""

    def __init__(
        self, recipe_text: str, *, source: str, secrets: Mapping[str, Secret], log: EventLog, control: Control | None
    ) -> None:
        self._text = recipe_text
        self._source = source
        self._secrets = secrets
        self._log = log
        self._control = control
        self._state = RUN / "state"
        self._executor: Executor | None = None
        self._journal: Journal | None = None
        self._plan: Plan | None = None
        self._failed = ""
        self._undo = UndoKit(RUN / "undo", notice=self._notice)
        self.stop_asked = StopAsked(control, again=self._still_waiting)

    def begin(self, erase: Sequence[str], *, reviewed: str = "", seen: Machine | None = None) -> None:
        """Carry the recipe out from its start."""
        recipe = parse(self._text, source=self._source)
        changed = leftovers.close(RUN, self._state, notice=self._notice)
        plan = make_plan(recipe, self._machine() if changed or seen is None else self._fit(seen))
        before.require_reviewed(plan, reviewed)
        before.require_consent(recipe, plan, erase)
        before.require_ready(recipe, plan, self._secrets, notice=self._notice)
        sources.require(plan, notice=self._notice)
        before.require_unchanged(recipe, plan, machine := self._machine())
        self._undo.begin()
        journal = Journal.create(self._state, plan, install_id=str(uuid.uuid4()))
        journal.add_fact("install-id", journal.header.install_id)
        durable = Durable(journal, folder=RUN, notice=self._notice)
        durable.begin(plan)
        self._undo.save(before.disks(plan, machine), copy_to=self._undo_copy(durable))
        self._execute(plan, journal, durable, resumed=False)

    def resume(self) -> None:
        """Go on with the plan of an interrupted run."""
        recipe = parse(self._text, source=self._source)
        machine = self._machine()
        journal, plan = resuming.find(recipe, self._state, disks=lambda: choose(recipe, machine).values())
        resuming.check_disks(plan, journal, machine)
        before.require_ready(recipe, plan, self._secrets, notice=self._notice)
        durable = Durable(journal, folder=RUN, notice=self._notice)
        durable.begin(plan)
        self._execute(plan, journal, durable, resumed=True)

    def completed(self, outcome: Outcome) -> Outcome:
        """Add to the outcome what only the run knows: the state of the disks above all."""
        journal, plan = self._journal, self._plan
        if not journal or not plan:
            return outcome
        words = outcome.words
        if outcome.status != "done":
            words += "\n" + state_of_disks(plan, journal)
        else:
            left_out = [one.title for one in plan.operations if one.optional and one.id not in journal.ended]
            words += "".join(f"\nNot done, because it failed: {title}. The log says why." for title in left_out)
        # Whatever went wrong after the first step began is a failure, also where a room below speaks of a refusal.
        late = {"status": "failed", "exit": Exit.FAILED} if outcome.status == "refused" and journal.begun else {}
        return outcome.model_copy(
            update={
                **late,
                "words": words,
                "install_id": journal.header.install_id,
                "failed_step": self._failed,
                "layers": {layer: round(took, 3) for layer, took in self._executor.layers.items()}
                if self._executor
                else {},
                "durations": dict(journal.ended),
            }
        )

    def _machine(self) -> Machine:
        with looking(RUN):
            machine = probe()
        return self._fit(machine)

    @staticmethod
    def _fit(machine: Machine) -> Machine:
        if problems := obstacles(machine):
            raise Refusals(problems)
        return machine

    def _execute(self, plan: Plan, journal: Journal, durable: Durable, *, resumed: bool) -> None:
        self._plan, self._journal = plan, journal
        save(str(RUN / "records"), {}, within="")
        recipe_file = RUN / "records/recipe.toml"
        recipe_file.touch(mode=0o600)
        recipe_file.write_text(self._text)

        def finished(operation: Operation) -> None:
            durable.after(operation)
            self._undo.after(operation, copy_to=self._undo_copy(durable))

        executor = self._executor = Executor(
            plan,
            journal=journal,
            secret=lambda name: self._secrets[name].reveal(),
            log=self._log,
            records={
                "recipe.toml": recipe_file,
                PLAN: self._state / PLAN,
                JOURNAL: self._state / JOURNAL,
                "log.jsonl": self._log.path,
            },
            stopping=self.stop_asked,
            finished=finished,
        )
        _remember("An installation began and has not ended. If it was cut off, go on with: zroot apply RECIPE --resume")
        count = len(plan.operations)
        self._log.emit(Begun(install_id=journal.header.install_id, title=plan.title, operations=count, resumed=resumed))
        done = False
        try:
            self._until_done(executor)
            leftovers.require_closed(plan, journal)
            done = True
        finally:
            self._undo.end()  # while its second copy can still be written
            durable.end(remove=done)
        (self._state / JOURNAL).unlink()

    def _until_done(self, executor: Executor) -> None:
        """Execute; after a failure go on as somebody who is there decides. With nobody there a failure ends the run."""
        while True:
            try:
                executor.execute()
            except StepError as error:
                self._failed = error.operation.id
                if not self._control:
                    raise
                question = f"{error}\n{disks_in_words(executor.plan, self._journal)}" if self._journal else str(error)
                self._log.emit(Ask(question=question, answers=(RETRY, STOP)))
                if self._control.answer((RETRY, STOP), stopping=self.stop_asked) == STOP:
                    raise
            else:
                self._failed = ""
                return

    def _undo_copy(self, durable: Durable) -> Path | None:
        return durable.volume / "zroot-undo" if durable.volume else None

    def _still_waiting(self) -> None:
        busy = ", ".join(self._executor.busy) if self._executor else ""
        self._notice(f"Stopping once this is over: {busy}." if busy else "Stopping at the next safe point.")

    def _notice(self, text: str) -> None:
        self._log.emit(Notice(text=text))


def _remember(words: str) -> None:
    """Leave the last words of a run for the greeting of the live system; the events may be elsewhere or begun anew."""
    file = RUN / LAST_RUN.name
    with contextlib.suppress(OSError):
        file.touch(mode=0o600)
        file.write_text(words + "\n")


def state_of_disks(plan: Plan, journal: Journal) -> str:
    """Say in which state an unfinished run leaves the disks, and how to go on."""
    if not _destroying(plan, journal):
        return disks_in_words(plan, journal)
    return (
        f"{disks_in_words(plan, journal)}\n"
        "Go on with the same command as before and --resume: zroot apply RECIPE ... --resume\n"
        f"Or start over by applying the recipe again. What was saved of the old order is in {RUN / 'undo'}."
    )


def disks_in_words(plan: Plan, journal: Journal) -> str:
    """Say in which state the disks are."""
    destroying = _destroying(plan, journal)
    if not destroying:
        return "Nothing on the disks was changed."
    roles = sorted({role for one in destroying for role in one.destroys})
    done = sum(one.id in journal.ended for one in plan.operations)
    return (
        f"Disks {', '.join(roles)} are partly written: {done} of {len(plan.operations)} steps are done. "
        "They hold neither the old content nor a system that starts."
    )


def _destroying(plan: Plan, journal: Journal) -> list[Operation]:
    return [one for one in plan.operations if one.destroys and one.id in journal.begun]


def _outcome(error: ZrootError) -> Outcome:
    words = SECRETS.mask(str(error))
    if isinstance(error, Stopped):
        return Outcome(status="stopped", exit=error.exit, words=words)
    if isinstance(error, Failure):
        return Outcome(status="failed", exit=error.exit, words=words)
    return Outcome(status="refused", exit=Exit.REFUSED, words=words)
