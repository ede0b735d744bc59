"""A power failure at every moment of a run: what the journal on the stick says, and what a resumed run makes of it.

Nothing is started: operations write their names into a list, which stands for the disks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from run_plans import operation, plan

from installer.plan.operation import Action, Commands, Effect, Fact, FactKind, Operation, Plan
from installer.run import actions
from installer.run.actions import Work
from installer.run.events import EventLog
from installer.run.executor import Executor, batches
from installer.run.journal import JOURNAL, PLAN, Journal

PROBE = ("true",)
"""Stands for any probe: the list below answers."""


def step(name: str, **more: object) -> Operation:
    return operation(name, ("note", name), **more)


STEPS = plan(
    step("close old", effect=Effect.CLOSE),
    step("wipe a", destroys=("a",), together="wipe"),
    step("wipe b", destroys=("b",), together="wipe"),
    step("blank a", effect=Effect.PROVE, together="blank"),
    step("blank b", effect=Effect.PROVE, together="blank"),
    step("use @{md}", destroys=("a", "b")),
    step("format", destroys=("a",)),
    step("add a key", done=PROBE),
    step("test it", effect=Effect.PROVE),
    step("open", effect=Effect.OPEN, done=PROBE),
    step("file 1"),
    step("file 2"),
    step("look", effect=Effect.CHECK),
    step("swap", destroys=("a",)),
    step("snapshot", done=PROBE),
    step("close", effect=Effect.CLOSE, done=PROBE),
    facts=(Fact(name="md", kind=FactKind.UUID, why=""),),
)
ONCE = [one.id for one in STEPS.operations if one.effect is Effect.CREATE and one.done]
LASTING = [one for one in STEPS.operations if one.effect in (Effect.CREATE, Effect.PROVE)]


@dataclass
class Moment:
    """What a power failure would leave: the journal on the stick, what was done, and how much of it is surely there."""

    journal: bytes
    plan: bytes
    done: list[str]
    safe: int


@dataclass
class World:
    """The disks, and the stick with the second copy of the journal."""

    stick: Path
    done: list[str] = field(default_factory=list)
    safe: int = 0
    """How many of these have been brought to the disks."""
    moments: list[Moment] = field(default_factory=list)

    def look(self) -> None:
        if (self.stick / JOURNAL).exists():
            files = [(self.stick / name).read_bytes() for name in (JOURNAL, PLAN)]
            self.moments.append(Moment(*files, list(self.done), self.safe))

    def carry_out(self, action: Action, work: Work) -> Iterator[None]:
        assert isinstance(action, Commands)
        self.look()
        yield None
        self.done.append(work.fill(action.commands[0].argv[1]))
        self.look()
        yield None

    def holds(self, one: Operation, work: Work) -> Iterator[None]:
        yield None
        return one.id in self.done  # type: ignore[return-value]

    def sync(self, *told: object) -> Iterator[None]:
        self.look()
        self.safe = len(self.done)
        yield None
        self.look()

    def run(self, of: Plan, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
        for name in ("carry_out", "holds", "sync"):
            monkeypatch.setattr(actions, name, getattr(self, name))
        monkeypatch.setattr("installer.run.executor.TICK", 0)
        kept = Journal.open(folder)[0] if (folder / JOURNAL).exists() else Journal.create(folder, of, install_id="x")
        kept.mirror(self.stick)
        log = EventLog(folder / "events.jsonl", echo=lambda event: self.look())
        run = Executor(of, journal=kept, secret=str, log=log, records={})
        run.execute()
        log.close()
        return kept


def resumed(moment: Moment, folder: Path, monkeypatch: pytest.MonkeyPatch, *, lost: bool) -> tuple[Journal, World]:
    """Resume from the stick; of what was not brought to the disks all is there, or nothing."""
    (folder / "state").mkdir(parents=True)
    for name, content in ((JOURNAL, moment.journal), (PLAN, moment.plan)):
        (folder / "state" / name).write_bytes(content)
    world = World(folder / "stick", moment.done[: moment.safe] if lost else list(moment.done))
    return world.run(STEPS, folder / "state", monkeypatch), world


@pytest.mark.parametrize("lost", [False, True])
def test_a_power_failure_at_any_moment_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: bool
) -> None:
    """fault 60, fault 62: lines that were not on the stick yet are lost."""
    first = World(tmp_path / "stick")
    first.run(STEPS, tmp_path / "state", monkeypatch)
    assert len(first.moments) > 4 * len(STEPS.operations)
    for number, moment in enumerate(first.moments):
        # Whoever finds this journal knows which disks are no longer as they were.
        destroyed = {one.id for one in STEPS.operations if one.destroys and one.id in moment.done}
        assert all(f'"began","operation":"{name}"' in moment.journal.decode() for name in destroyed)
        journal, world = resumed(moment, tmp_path / str(number), monkeypatch, lost=lost)
        fact = f"use {journal.facts['md']}"
        done = ["use @{md}" if name == fact else name for name in world.done]
        # A fact that something was made with has not become another one.
        assert not [name for name in done if name.startswith("use ") and name != "use @{md}"]
        # What must not be done twice was not, and nothing is missing.
        assert {name: done.count(name) for name in ONCE} == dict.fromkeys(ONCE, 1)
        assert {one.id for one in LASTING} <= set(done)
        assert {one.id for one in LASTING} <= set(journal.ended)
        # Whatever was done again was followed by all that lies over it.
        last = {name: place for place, name in enumerate(done)}
        places = [[last[one.id] for one in batch if one in LASTING] for batch in batches(STEPS.operations)]
        places = [batch for batch in places if batch]
        assert all(max(before) < min(after) for before, after in pairwise(places))
        # Nobody looks whether a disk is blank once something was made on it.
        assert max(last["blank a"], last["blank b"]) < done.index("use @{md}")


def test_lines_that_need_not_be_there_at_once_wait_for_one_that_must(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a write to a stick, which takes as long as many of the steps themselves."""
    flushed: list[int] = []
    flush = Journal.flush

    def counted(journal: Journal) -> None:
        before = (world.stick / JOURNAL).read_bytes() if (world.stick / JOURNAL).exists() else b""
        flush(journal)
        if journal.mirrored and (world.stick / JOURNAL).read_bytes() != before:
            flushed.append(1)

    monkeypatch.setattr(Journal, "flush", counted)
    world = World(tmp_path / "stick")
    kept = world.run(STEPS, tmp_path / "state", monkeypatch)
    kept.stop_mirroring()
    lines = (tmp_path / "state" / JOURNAL).read_bytes().splitlines()
    assert (tmp_path / "stick" / JOURNAL).read_bytes().splitlines() == lines
    assert len(flushed) < len(lines) / 2
