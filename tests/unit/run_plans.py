"""Plans of harmless programs for the tests of run/."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from installer.plan.operation import Command, Commands, Effect, Fact, FactKind, Layer, Operation, Plan
from installer.run import facts
from installer.run.events import Event, EventLog, read
from installer.run.executor import Executor
from installer.run.journal import JOURNAL, Journal


def operation(name: str, *argvs: tuple[str, ...], **more: object) -> Operation:
    commands = Commands(commands=tuple(Command(argv=argv) for argv in argvs))
    values = {"id": name, "layer": Layer.SYSTEM, "title": f"Do {name}", "action": commands, **more}
    return Operation.model_validate(values)


def note(name: str, folder: Path, **more: object) -> Operation:
    """An operation that leaves one line in `ran` each time that it runs."""
    return operation(name, ("/usr/bin/tee", "--append", f"{folder}/ran.{name}"), **more).model_copy(
        update={
            "action": Commands(
                commands=(Command(argv=("/usr/bin/tee", "--append", f"{folder}/ran.{name}"), stdin="once\n"),)
            )
        }
    )


def times(folder: Path, name: str) -> int:
    ran = folder / f"ran.{name}"
    return len(ran.read_text().splitlines()) if ran.exists() else 0


def plan(*operations: Operation, facts: tuple[Fact, ...] = (), target: str = "", recipe: str = "") -> Plan:
    return Plan(
        zroot="0",
        title="A plan for tests",
        recipe=recipe,
        disks=(),
        facts=(Fact(name="install-id", kind=FactKind.UUID, why="the run's name"), *facts),
        secrets=(),
        notes=(),
        operations=operations,
        target=target,
        after="stay",
    )


def journal(folder: Path, of: Plan) -> Journal:
    """The journal in a folder: opened if it is there, else begun."""
    if (folder / JOURNAL).exists():
        return Journal.open(folder)[0]
    return Journal.create(folder, of, install_id="test")


def execute(
    of: Plan,
    folder: Path,
    *,
    secrets: Mapping[str, str] | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Journal:
    """Carry a plan out with its journal and events in a folder."""
    kept = journal(folder, of)
    log = EventLog(folder / "events.jsonl")
    try:
        Executor(
            of,
            journal=kept,
            secret=lambda name: (secrets or {})[name],
            log=log,
            records={"plan.json": folder / "plan.json", "missing": folder / "missing"},
            stopping=stopping,
        ).execute()
    finally:
        log.close()
    return kept


def events(folder: Path) -> list[Event]:
    return [stamped.what for stamped, _ in read(folder / "events.jsonl")]


__all__ = ["Effect", "FactKind", "events", "execute", "facts", "journal", "note", "operation", "plan", "times"]
