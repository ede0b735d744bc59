"""The executor against real programs, without disks."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_plans import events, execute, journal, note, operation, plan, times

from installer.errors import Stopped, ZrootError
from installer.plan.operation import Command, Commands, Effect, Fact, FactKind, Layer, Operation, WriteFile
from installer.run import actions
from installer.run.events import Failed, Finished, Output
from installer.run.executor import StepError, covered
from installer.run.journal import JOURNAL


def test_carries_operations_out_in_order_and_journals_their_durations(tmp_path: Path) -> None:
    of = plan(
        operation("a", ("mkdir", f"{tmp_path}/d")),
        operation("b", ("touch", f"{tmp_path}/d/f")),
        operation("c", ("sleep", "0.2")),
    )
    kept = execute(of, tmp_path)
    assert (tmp_path / "d/f").exists()
    assert list(kept.ended) == ["a", "b", "c"]
    assert kept.ended["c"] >= 0.2


def test_side_by_side_counts_once_and_in_turn_counts_twice() -> None:
    assert covered([(1, 3), (2, 4)]) == 3
    assert covered([(4, 5), (1, 3)]) == 3
    assert covered([(1, 9), (2, 3)]) == 8
    assert covered([]) == 0


def test_a_created_thing_is_never_created_twice(tmp_path: Path) -> None:
    of = plan(note("a", tmp_path), note("b", tmp_path))
    execute(of, tmp_path)
    execute(of, tmp_path)
    assert (times(tmp_path, "a"), times(tmp_path, "b")) == (1, 1)


def test_an_interrupted_create_is_run_again_unless_its_probe_finds_it_done(tmp_path: Path) -> None:
    of = plan(
        note("unknown", tmp_path),
        note("done", tmp_path, done=("true",)),
        note("undone", tmp_path, done=("false",)),
        note("says-other", tmp_path, done=("echo", "unavailable"), done_says="there"),
    )
    kept = journal(tmp_path, of)
    for one in of.operations:
        kept.begin(one.id)
    execute(of, tmp_path)
    assert [times(tmp_path, one.id) for one in of.operations] == [1, 0, 1, 1]


def test_a_fresh_create_does_not_trust_its_probe(tmp_path: Path) -> None:
    execute(plan(note("a", tmp_path, done=("true",))), tmp_path)
    assert times(tmp_path, "a") == 1


def test_open_and_close_go_by_their_probes_and_checks_always_run(tmp_path: Path) -> None:
    of = plan(
        note("open", tmp_path, effect=Effect.OPEN, done=("true",)),
        note("reopen", tmp_path, effect=Effect.OPEN, done=("false",)),
        note("close", tmp_path, effect=Effect.CLOSE, done=("true",)),
        note("check", tmp_path, effect=Effect.CHECK),
    )
    execute(of, tmp_path)
    execute(of, tmp_path)
    assert [times(tmp_path, one.id) for one in of.operations] == [0, 2, 0, 2]


def test_a_proof_is_repeated_until_it_succeeded_and_never_afterwards(tmp_path: Path) -> None:
    """What it proved lasts; its probe would say nothing about it."""
    gate = tmp_path / "gate"
    of = plan(
        note("proof", tmp_path, effect=Effect.PROVE, done=("true",)),
        operation("fails", ("ls", str(gate)), effect=Effect.PROVE),
        note("check", tmp_path, effect=Effect.CHECK),
    )
    journal(tmp_path, of).begin("proof")
    with pytest.raises(StepError):
        execute(of, tmp_path)
    gate.touch()
    kept = execute(of, tmp_path)
    execute(of, tmp_path)
    assert (times(tmp_path, "proof"), times(tmp_path, "check")) == (1, 2)
    assert set(kept.ended) == {"proof", "fails", "check"}


def test_a_resumed_run_leaves_the_teardown_alone_once_something_was_created(tmp_path: Path) -> None:
    """The array stopped before the first write may have given its name to the new one."""
    of = plan(
        note("stop-old-array", tmp_path, effect=Effect.CLOSE, done=("false",)),
        note("create", tmp_path),
        operation("break", ("false",)),
    )
    for _ in range(2):
        with pytest.raises(StepError):
            execute(of, tmp_path)
    assert times(tmp_path, "stop-old-array") == 1


def test_a_resumed_run_closes_again_what_it_opened_again(tmp_path: Path) -> None:
    of = plan(
        note("open", tmp_path, effect=Effect.OPEN, done=("false",)),
        note("format", tmp_path),
        note("close", tmp_path, effect=Effect.CLOSE, done=("false",)),
        note("later", tmp_path),
    )
    execute(of, tmp_path)
    execute(of, tmp_path)
    assert (times(tmp_path, "open"), times(tmp_path, "close"), times(tmp_path, "format")) == (2, 2, 1)


def test_facts_are_made_once_and_journaled_before_their_first_use(tmp_path: Path) -> None:
    made = (
        Fact(name="md.boot", kind=FactKind.UUID, why=""),
        Fact(name="hostid", kind=FactKind.HOSTID, why=""),
        Fact(name="esp.a", kind=FactKind.FAT_SERIAL, why=""),
        Fact(name="machine-id", kind=FactKind.MACHINE_ID, why=""),
    )
    path = f"{tmp_path}/used"
    content = "@{md.boot} @{hostid} @{esp.a} @{machine-id} @{md.boot}"
    write = Operation(id="w", layer=Layer.SYSTEM, title="w", action=WriteFile(path=path, content=content))
    of = plan(operation("a", ("grep", "--quiet", "@{hostid}", f"{tmp_path}/{JOURNAL}")), write, facts=made)
    kept = execute(of, tmp_path)
    used = Path(path).read_text().split()
    assert used == [kept.facts[name] for name in ("md.boot", "hostid", "esp.a", "machine-id", "md.boot")]
    assert re.fullmatch("[0-9a-f]{8}", used[1])
    assert used[1] != "00000000"
    assert re.fullmatch("[0-9A-F]{8}", used[2])
    assert re.fullmatch("[0-9a-f]{32}", used[3])
    assert execute(of, tmp_path).facts == kept.facts


def test_an_undeclared_fact_stops_the_run_before_anything_happens(tmp_path: Path) -> None:
    of = plan(note("a", tmp_path), operation("b", ("echo", "@{nobody}")))
    with pytest.raises(ZrootError, match="nobody"):
        execute(of, tmp_path)
    assert times(tmp_path, "a") == 0


def test_a_secret_reaches_standard_input_and_no_file_of_ours(tmp_path: Path) -> None:
    """fault 74, fault 75: not the journal, the plan or the events."""
    canary = 's3cr3t.*+($x)"\\'
    action = Commands(commands=(Command(argv=("tee", f"{tmp_path}/../fed.{tmp_path.name}"), stdin="%{pass}\n"),))
    of = plan(Operation(id="a", layer=Layer.SYSTEM, title="a", action=action, secrets=("pass",)))
    from installer.masking import SECRETS

    SECRETS.register(canary)
    try:
        execute(of, tmp_path, secrets={"pass": canary})
    finally:
        SECRETS.clear()
    assert Path(f"{tmp_path}/../fed.{tmp_path.name}").read_text() == canary + "\n"
    assert not any("s3cr3t" in file.read_text() for file in tmp_path.iterdir())
    assert any(isinstance(event, Output) and event.lines == ("<secret>",) for event in events(tmp_path))


def test_the_last_words_before_a_silence_are_told_while_it_lasts(tmp_path: Path) -> None:
    """A program that waits until its words have come out would wait for ever if they came with the next ones."""
    patient = f'echo one; echo two; until grep --quiet two "{tmp_path}/events.jsonl"; do sleep 0.05; done'
    execute(plan(operation("a", ("timeout", "20", "sh", "-c", patient))), tmp_path)
    assert [event.lines for event in events(tmp_path) if isinstance(event, Output)] == [("one",), ("two",)]


def test_a_failed_operation_ends_the_run_and_an_optional_one_does_not(tmp_path: Path) -> None:
    of = plan(operation("nvram", ("false",), optional=True), operation("b", ("false",)), note("c", tmp_path))
    with pytest.raises(StepError) as caught:
        execute(of, tmp_path)
    assert caught.value.operation.id == "b"
    assert [(event.operation, event.optional) for event in events(tmp_path) if isinstance(event, Failed)] == [
        ("nvram", True),
        ("b", False),
    ]
    assert times(tmp_path, "c") == 0


def test_a_command_is_retried_as_often_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 58: udev still holds the device."""
    paused: list[float] = []
    monkeypatch.setattr(actions, "pause", lambda seconds: iter(paused.append(seconds) or ()))
    fails_once = tmp_path / "fails-once"
    fails_once.write_text("#!/bin/sh\nmkdir " + str(tmp_path / "seen") + " 2>/dev/null && exit 5\nexit 0\n")
    fails_once.chmod(0o755)
    action = Commands(commands=(Command(argv=(str(fails_once),), retries=1),))
    kept = execute(plan(Operation(id="a", layer=Layer.SYSTEM, title="a", action=action)), tmp_path)
    assert "a" in kept.ended
    assert paused == [1]


def test_neighbours_run_side_by_side_as_far_as_memory_allows(tmp_path: Path) -> None:
    meets = "touch $1; until [ -e 0 ] && [ -e 1 ] && [ -e 2 ] && [ -e 3 ]; do sleep 0.02; done"
    waits = "mkdir alone && sleep 0.1 && rmdir alone"  # fails if somebody else is there

    def one(n: int, script: str, **more: object) -> Operation:
        return operation(str(n), ("sh", "-euc", f"cd {tmp_path}; {script}", "sh", str(n)), together="x", **more)

    execute(plan(*(one(n, meets) for n in range(4))), tmp_path / "beside")
    execute(plan(*(one(n, waits, memory=2**50) for n in range(3))), tmp_path / "apart")


def test_after_a_failure_the_neighbours_end_and_none_begins(tmp_path: Path) -> None:
    of = plan(
        operation("bad", ("false",), together="x"),
        operation("good", ("sleep", "0.5"), together="x"),
        operation("waits", ("sleep", "0"), together="x", memory=2**50),
    )
    with pytest.raises(StepError):
        execute(of, tmp_path)
    kept = journal(tmp_path, of)
    assert set(kept.ended) == {"good"}
    assert kept.begun == {"bad", "good"}
    assert times(tmp_path, "waits") == 0


def test_what_is_not_on_the_disks_is_not_in_the_journal(tmp_path: Path) -> None:
    """fault 60: files are synced together, all before anything is destroyed or closed, destructive steps at once."""

    def ended(*names: str) -> tuple[tuple[str, ...], ...]:
        return tuple(("grep", "--quiet", f'"ended","operation":"{name}"', f"{tmp_path}/{JOURNAL}") for name in names)

    def not_ended(name: str) -> tuple[str, ...]:
        return (
            "grep",
            "--quiet",
            "--invert-match",
            "--null-data",
            f'"ended","operation":"{name}"',
            f"{tmp_path}/{JOURNAL}",
        )

    of = plan(
        note("file", tmp_path),
        operation("not yet", not_ended("file"), effect=Effect.CHECK),
        operation("wipe", *ended("file"), destroys=("a",)),
        operation("now both", *ended("file", "wipe"), effect=Effect.CHECK),
        note("file2", tmp_path),
        operation("close", *ended("file2"), effect=Effect.CLOSE),
        note("last", tmp_path),
    )
    assert set(execute(of, tmp_path).ended) == {one.id for one in of.operations}


def test_stops_between_operations_only(tmp_path: Path) -> None:
    """fault 61, fault 63: what is under way ends, nothing else begins, and it is no success."""
    asked = tmp_path / "asked"
    of = plan(operation("a", ("touch", str(asked))), note("b", tmp_path))
    with pytest.raises(Stopped) as caught:
        execute(of, tmp_path, stopping=asked.exists)
    assert caught.value.exit == 130
    assert list(journal(tmp_path, of).ended) == ["a"]
    assert times(tmp_path, "b") == 0
    execute(of, tmp_path)
    assert times(tmp_path, "b") == 1


def test_skipped_operations_count_for_the_reader_too(tmp_path: Path) -> None:
    of = plan(note("a", tmp_path), note("b", tmp_path))
    execute(of, tmp_path)
    execute(of, tmp_path)
    finished = [(event.operation, event.already) for event in events(tmp_path) if isinstance(event, Finished)]
    assert finished == [("a", False), ("b", False), ("a", True), ("b", True)]


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from run_plans import execute, note, operation, plan
folder = Path(sys.argv[1])
steps = []
for n in range(12):
    steps.append(note(f"c{n}", folder, destroys=("a",) if n % 3 else ()))
    steps.append(operation(f"s{n}", ("sleep", "0.02"), together="t" if n % 2 else ""))
execute(plan(*steps), folder)
"""


def left_open(path: Path, destructive: set[str]) -> list[str]:
    """Name the destructive steps whose end was not in the journal when the next step began: they would run again."""
    open_, found = "", []
    for line in path.read_text().splitlines():
        record = json.loads(line)
        name = record.get("operation", "")
        if record["record"] == "began":
            found += [open_] if open_ not in ("", name) else []
            open_ = name if name in destructive else ""
        elif record["record"] == "ended" and name == open_:
            open_ = ""
    return found


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.sweep) for seed in (1, 2))])
def test_no_finished_step_runs_twice_however_often_the_engine_is_killed(tmp_path: Path, seed: int) -> None:
    """fault 60: SIGKILL at random instants, then resume, until it is through."""
    path = tmp_path / JOURNAL

    def lines() -> int:
        return path.read_bytes().count(b"\n") if path.exists() else 0

    chance = random.Random(seed)  # noqa: S311
    argv = [sys.executable, "-c", CHILD, str(tmp_path), str(Path(__file__).parent)]
    counts: dict[str, int] = {}
    for attempt in range(40):
        child = subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
        kill_at, moment = lines() + chance.randint(1, 7), chance.random() * 0.03
        while attempt < 6 and lines() < kill_at and child.poll() is None:
            time.sleep(0.002)
        if attempt < 6:
            time.sleep(moment)
            child.kill()
        status = child.wait()
        assert {name: times(tmp_path, name) for name in counts} == counts
        if path.exists():
            ended = journal(tmp_path, plan()).ended
            counts = {name: times(tmp_path, name) for name in ended if name.startswith("c")}
        if status == 0:
            break
    assert len(counts) == 12
    assert not left_open(path, {f"c{n}" for n in range(12) if n % 3})
    assert attempt > 0, "the first run was never interrupted: the test proves nothing"
