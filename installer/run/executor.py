"""Carries a plan out, operation by operation, and knows after any interruption where to go on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from installer.errors import Stopped, ZrootError
from installer.plan.operation import Effect, Operation, Plan
from installer.process import Running, wait
from installer.run import actions, facts
from installer.run.actions import Steps, Work
from installer.run.events import EventLog, Failed, Finished, Progress, Started
from installer.run.holders import holders, words
from installer.run.journal import Journal

TICK = 0.1
"""Seconds between two looks at what no file descriptor announces: timeouts, pauses, echo."""

COMMIT_EVERY = 5.0
"""Seconds of work that a power failure may undo, if nothing destructive is among it."""


class StepError(ZrootError):
    """An operation failed."""

    def __init__(self, operation: Operation, cause: ZrootError) -> None:
        super().__init__(
            f"Failed: {operation.title}.",
            message="\n".join(part for part in (cause.title, cause.message) if part),
            hint=cause.hint,
        )
        self.operation = operation


class Executor:
    """One run of a plan, fresh or resumed: the journal tells which."""

    def __init__(  # noqa: PLR0913 - what a run consists of
        self,
        plan: Plan,
        *,
        journal: Journal,
        secret: Callable[[str], str],
        log: EventLog,
        records: Mapping[str, Path],
        stopping: Callable[[], bool] = lambda: False,
        finished: Callable[[Operation], None] = lambda operation: None,
    ) -> None:
        self.plan = plan
        self.busy: tuple[str, ...] = ()
        """Titles of the operations under way."""
        self.layers: dict[str, float] = {}
        """Seconds by layer until its operations were safe on the disks, side by side counted once."""
        self._places = {operation.id: place for place, operation in enumerate(plan.operations)}
        self._journal = journal
        self._secret = secret
        self._log = log
        self._records = records
        self._stopping = stopping
        self._finished = finished
        self._spans: list[tuple[float, float]] = []
        """From when until when programs worked for each operation of the present batch: to see whether it is done, to
        do it, to bring it to the disks, to save the header of a member."""
        self._over: list[Operation] = []
        """Operations of the present batch that are over, done now or before."""
        self._recording = False
        """Whether an operation waits for its line in the journal to be on the disks."""
        self._opened = False
        """Whether this run has carried out an OPEN."""
        self._unsynced: dict[str, float] = {}
        """Seconds by operation: created or proved, but perhaps not on the disks yet, so the journal does not say so."""
        self._synced_at = time.monotonic()

    def execute(self) -> None:
        """Carry out what is left of the plan.

        Raises StepError for a failed operation, Stopped between two operations if `stopping` says so, and ZrootError
        if the plan mentions a fact that it does not declare.
        """
        self._make_facts()
        try:
            for batch in batches(self.plan.operations):
                self._side_by_side(batch)
                layer = batch[0].layer
                self.layers[layer] = round(self.layers.get(layer, 0.0) + covered(self._spans), 3)
                self._spans.clear()
        except ZrootError:
            with contextlib.suppress(ZrootError):  # a disk that no longer answers is the first error's business
                self._commit_now()
            raise
        self._commit_now()

    def _make_facts(self) -> None:
        mentioned = {match[1] for match in facts.FACT.finditer(self.plan.model_dump_json(include={"operations"}))}
        if unknown := sorted(mentioned - {fact.name for fact in self.plan.facts}):
            raise ZrootError(f"The plan mentions facts that it does not declare: {', '.join(unknown)}.")
        for fact in self.plan.facts:
            if fact.name not in self._journal.facts:
                self._journal.add_fact(fact.name, facts.make(fact))
        self._journal.flush()

    def _side_by_side(self, batch: tuple[Operation, ...]) -> None:
        """Carry a batch out, and have on the disks what came before it and what it made, where that matters."""
        if any(one.effect is Effect.CLOSE or one.destroys for one in batch):
            # What went before may have been the proof that a disk is empty, which nobody could repeat after this.
            self._commit_now()
        waiting, failures = self._drive(batch)
        if not failures and any(one.destroys for one in batch):
            self._commit_now()
        for operation in self._over:
            self._finished(operation)
        self._over.clear()
        if failures:
            raise failures[0]
        if waiting:
            raise Stopped("Stopped between two steps, as asked.")

    def _drive(self, batch: tuple[Operation, ...]) -> tuple[list[Operation], list[ZrootError]]:
        """Drive several operations from this one thread; after a failure the others end, and none begins.

        Returns those that have not begun, and the failures.
        """
        waiting = list(batch)
        active: dict[str, Steps[None]] = {}
        failures: list[ZrootError] = []
        memory = available_memory()
        while True:
            if not failures and not self._stopping():
                while waiting and _fits(waiting[0], [one for one in batch if one.id in active], memory=memory):
                    operation = waiting.pop(0)
                    active[operation.id] = self._carry_out(operation)
            self.busy = tuple(operation.title for operation in batch if operation.id in active)
            if not active:
                return waiting, failures
            running = _advance(active, failures)
            if self._recording:  # for all that begin at this moment together
                self._journal.flush()
                self._recording = False
            elif active:
                self._wait(running)

    def _carry_out(self, operation: Operation) -> Steps[None]:
        work, looked = self._work(operation), time.monotonic()
        if not (yield from self._needed(operation, work)):
            if operation.effect is Effect.CREATE and operation.id not in self._journal.ended:
                self._unsynced[operation.id] = 0
            self._log.emit(Finished(operation=operation.id, seconds=0, already=True))
            self._over.append(operation)
            self._spans.append((looked, time.monotonic()))
            return
        number = self._places[operation.id] + 1
        self._log.emit(Started(operation=operation.id, title=operation.title, number=number))
        self._journal.begin(operation.id)
        if operation.destroys or (operation.effect is Effect.CREATE and operation.done):
            # Who resumes must know that the disk is not as it was, and must look before doing it a second time.
            self._recording = True
            yield None
        began = time.monotonic()
        try:
            yield from actions.carry_out(operation.action, work)
        except ZrootError as error:
            self._fail(operation, error, seconds=time.monotonic() - began)
            return
        seconds = time.monotonic() - began
        self._opened = self._opened or operation.effect is Effect.OPEN
        if operation.effect in (Effect.CREATE, Effect.PROVE):
            self._unsynced[operation.id] = seconds
            if time.monotonic() - self._synced_at > COMMIT_EVERY:
                yield from self._commit()
        else:
            self._journal.end(operation.id, seconds=seconds)
        self._log.emit(Finished(operation=operation.id, seconds=round(seconds, 3)))
        self._over.append(operation)
        self._spans.append((looked, time.monotonic()))

    def _wait(self, running: list[Running]) -> None:
        wait(running, TICK)
        self._log.tick()

    def _commit_now(self) -> None:
        began = time.monotonic()
        for running in self._commit():
            self._wait([running] if running else [])
        self._spans.append((began, time.monotonic()))

    def _commit(self) -> Steps[None]:
        """Bring what was created to the disks, then into the journal: what it calls finished survives a power failure.

        Once after destructive operations that ran side by side, else a few seconds' worth of work together: each sync
        makes the pools write a transaction group. What is lost in between is carried out again, as if it had been
        interrupted.
        """
        if not self._unsynced:
            return
        finished, self._unsynced = self._unsynced, {}
        operations = [self.plan.operations[self._places[name]] for name in finished]
        yield from actions.sync(self.plan, operations, self._journal.facts)
        self._synced_at = time.monotonic()
        for name, seconds in finished.items():
            self._journal.end(name, seconds=seconds)
        self._journal.flush()

    def _needed(self, operation: Operation, work: Work) -> Steps[bool]:
        """Tell whether an operation has to be carried out now, as Effect says."""
        journal = self._journal
        match operation.effect:
            case Effect.CHECK:
                return True
            case Effect.PROVE:
                return operation.id not in journal.ended
            case Effect.CREATE if operation.id in journal.ended or operation.id not in journal.begun:
                return operation.id not in journal.ended
            case Effect.CLOSE if self._closed_for_good(operation):
                return False
        if not operation.done:
            return True
        return not (yield from actions.holds(operation, work))

    def _closed_for_good(self, operation: Operation) -> bool:
        """Tell whether a resumed run can leave a CLOSE alone.

        What was taken down before the first write must not be taken down again once something later has been created:
        by then its name may belong to the new system. What this run itself has opened must be closed again.
        """
        later = self.plan.operations[self._places[operation.id] + 1 :]
        created = any(one.effect is Effect.CREATE and one.id in self._journal.begun for one in later)
        return operation.id in self._journal.ended and created and not self._opened

    def _fail(self, operation: Operation, error: ZrootError, *, seconds: float) -> None:
        if operation.effect is Effect.CLOSE and self.plan.target:
            error.message = "\n".join([error.message, words(holders([self.plan.target]))]).strip()
        self._journal.fail(operation.id, seconds=seconds, title=error.title)
        self._log.emit(
            Failed(
                operation=operation.id,
                title=error.title,
                message=error.message,
                hint=error.hint,
                optional=operation.optional,
            )
        )
        if not operation.optional:
            raise StepError(operation, error) from error

    def _work(self, operation: Operation) -> Work:
        percent = -1

        def progress(value: int) -> None:
            nonlocal percent
            if value != percent:
                percent = value
                self._log.emit(Progress(operation=operation.id, percent=value))

        return Work(
            facts=self._journal.facts,
            secret=self._secret,
            target=self.plan.target,
            records=self._records,
            output=lambda line: self._log.output(operation.id, line),
            progress=progress,
        )


def batches(operations: tuple[Operation, ...]) -> Iterator[tuple[Operation, ...]]:
    """Group neighbours that may run side by side; every other operation is alone."""
    for key, group in groupby(enumerate(operations), lambda pair: pair[1].together or pair[0]):
        del key
        yield tuple(operation for _, operation in group)


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Return the seconds during which at least one of the spans lasted: side by side counts once, in turn twice."""
    total, until = 0.0, 0.0
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total


def _advance(active: dict[str, Steps[None]], failures: list[ZrootError]) -> list[Running]:
    """Let every operation go on as far as it can; return the programs that they wait for."""
    waited_for = []
    for name, steps in list(active.items()):
        try:
            running = next(steps)
        except StopIteration:
            del active[name]
        except ZrootError as error:
            del active[name]
            failures.append(error)
        else:
            waited_for += [running] if running else []
    return waited_for


def _fits(operation: Operation, active: list[Operation], *, memory: int) -> bool:
    return not active or sum(one.memory for one in active) + operation.memory <= memory


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Return the bytes of memory that programs can still have."""
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    return int(fields["MemAvailable"].split()[0]) * 1024
