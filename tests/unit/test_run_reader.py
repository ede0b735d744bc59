"""Every start ends in a last event, and whoever comes later finds the run: with real engine processes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from run_house import RECIPE, House
from run_plans import note, operation

from installer.errors import Exit, Refusal
from installer.masking import SECRETS
from installer.plan.build import make_plan
from installer.plan.operation import Plan
from installer.recipe.load import parse
from installer.recipe.secrets import Secret
from installer.recipe.write import rebind
from installer.run import engine
from installer.run.apply import EVENTS
from installer.run.before import digest
from installer.run.client import Client, Recorded
from installer.run.events import Ask, Begun, Ended, EventLog, Stamped, Started
from installer.run.lock import LOCK, held, locked
from installer.run.shelf import SHIPPED

ROOT = Path(__file__).parents[2]
MACHINE = ROOT / "tests/machines/synthetic-two-blank.json"
SECRET = {"passphrase": Secret("c4n4ry passphrase"), "user-password": Secret("c4n4ry password")}
LONGEST = 60
"""Seconds that a real engine may take to start and refuse on a busy machine."""


@pytest.fixture(autouse=True)
def _no_secrets() -> Iterator[None]:
    yield
    SECRETS.clear()


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(MACHINE, tmp_path / "run")


def identities(client: Recorded) -> list[str]:
    return [disk.identity for disk in client.machine().disks if disk.kind == "disk"][:2]


def mirror(client: Recorded) -> str:
    first, second = identities(client)
    return rebind((SHIPPED[1] / "debian-luks-mirror.toml").read_text(), {"a": first, "b": second})


def planned(client: Recorded) -> Plan:
    return make_plan(parse(mirror(client)), client.machine())


def last_words(client: Client) -> Ended:
    """Follow an engine until its last event; it must come."""
    told: list[Stamped] = []
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        told += client.new_events()
        if told and isinstance(told[-1].what, Ended):
            assert client.new_events() == []
            return told[-1].what
        time.sleep(0.05)
    raise AssertionError(f"no last event: {told}")


def test_the_engine_of_a_recorded_machine_checks_everything_and_refuses(recorded: Recorded) -> None:
    recorded.start(mirror(recorded), secrets=SECRET, erase=identities(recorded), reviewed=planned(recorded))
    ended = last_words(recorded)
    assert (ended.status, ended.exit) == ("refused", Exit.REFUSED)
    assert ended.words == "This is a recorded machine: nothing was written."
    assert not recorded.running()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda how: how.update(erase=()), "you have not agreed"),
        (lambda how: how.update(secrets={}), '"passphrase" is missing'),
        (lambda how: how.update(recipe="zroot = 1"), "title is missing"),
        (lambda how: how.update(reviewed=how["reviewed"].model_copy(update={"title": "Other"})), "another plan"),
    ],
)
def test_what_the_engine_refuses_it_refuses_on_a_recorded_machine_too(
    recorded: Recorded, change: Callable[[dict[str, object]], None], words: str
) -> None:
    how: dict[str, object] = {"secrets": SECRET, "erase": identities(recorded), "reviewed": planned(recorded)}
    change(how)
    recipe = how.pop("recipe", mirror(recorded))
    recorded.start(recipe, **how)  # type: ignore[arg-type]
    assert words in last_words(recorded).words


def test_no_trace_of_a_refused_start_holds_a_secret(recorded: Recorded, tmp_path: Path) -> None:
    recorded.start(mirror(recorded), secrets=SECRET, erase=identities(recorded))
    last_words(recorded)
    assert not any("c4n4ry" in file.read_text() for file in (tmp_path / "run").iterdir() if file.is_file())


def test_an_engine_that_cannot_even_start_is_told_by_its_log(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = [sys.executable, "-c", "import sys; sys.exit('no such module')"]
    monkeypatch.setattr(recorded, "_argv", lambda recipe, reviewed: argv)
    recorded.start(mirror(recorded), secrets={}, erase=())
    ended = last_words(recorded)
    assert (ended.status, ended.exit) == ("refused", Exit.REFUSED)
    assert "Nothing was written" in ended.words
    assert "no such module" in ended.words


def test_an_engine_that_was_killed_gets_last_words_with_the_state_of_the_disks(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.plan = house.planned(note("a", house.folder, destroys=("a",)), operation("b", ("false",)))
    house.apply()
    told = (house.run / EVENTS).read_text().splitlines(keepends=True)
    (house.run / EVENTS).write_text("".join(line for line in told if '"ended"' not in line))
    client = Client(house.run)
    assert client.found()
    assert not client.running()
    ended = last_words(client)
    assert (ended.status, ended.exit) == ("failed", Exit.FAILED)
    assert "1 of 2 steps are done" in ended.words


def test_a_start_leaves_the_events_of_a_running_engine_alone(recorded: Recorded, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / EVENTS).write_text("its events\n")
    with locked(run), pytest.raises(Refusal, match="Another zroot"):
        recorded.start(mirror(recorded), secrets=SECRET, erase=())
    assert (run / EVENTS).read_text() == "its events\n"
    assert not list(run.glob("recipe-*"))


def test_two_engines_at_once_is_one_too_many_and_the_second_says_so(
    recorded: Recorded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(mirror(recorded))
    run.mkdir()
    log = EventLog(run / EVENTS)
    log.close()
    reading, writing = os.pipe()
    os.close(writing)
    with pytest.MonkeyPatch.context() as patch, locked(run):
        patch.setattr(sys, "stdin", os.fdopen(reading))
        assert engine.main([str(recipe), f"--machine={MACHINE}", f"--run={run}"]) == Exit.REFUSED
    assert (run / EVENTS).read_text() == ""
    assert "Another zroot" in capsys.readouterr().out


def test_a_lock_that_is_only_looked_at_stops_nobody(tmp_path: Path) -> None:
    assert not held(tmp_path)
    with locked(tmp_path):
        assert held(tmp_path)
    assert not held(tmp_path)
    (tmp_path / LOCK).write_text("1\n")  # of a process that lives, and has nothing to do with us
    assert not held(tmp_path)


def test_a_finished_run_is_found_until_it_was_seen(house: House) -> None:
    client = Client(house.run)
    assert not client.found()
    house.apply()
    assert client.found()
    client.seen()
    assert not client.found()
    assert not Client(house.run).found()
    house.apply()
    assert client.found()
    house.apply(erase=())
    assert not client.found()  # refused before it began: nothing to come back to


def test_a_run_under_way_is_found_with_all_that_it_said(house: House) -> None:
    seen: list[tuple[bool, bool, int]] = []

    def look(event: object) -> None:
        if isinstance(event, Started):
            fresh = Client(house.run)
            seen.append((fresh.running(), fresh.found(), len(fresh.new_events())))
            assert fresh.plan() == house.plan

    house.apply(show=look)
    assert all(running and found and told for running, found, told in seen)
    assert len(seen) == 2


def test_a_resumed_run_is_followed_from_where_it_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = house.folder / "gate"
    house.plan = house.planned(note("a", house.folder, destroys=("a",)), operation("b", ("ls", str(gate))))
    house.apply()
    client = Client(house.run)
    monkeypatch.setattr("installer.run.reader.detach", lambda argv, **how: None)
    client.start(RECIPE, secrets={}, erase=(), resume=True)
    gate.touch()
    house.apply(resume=True)
    told = [stamped.what for stamped in client.new_events()]
    assert [event.resumed for event in told if isinstance(event, Begun)] == [True]
    assert [event.status for event in told if isinstance(event, Ended)] == ["done"]
    again = [stamped.what for stamped in Client(house.run).new_events()]
    assert [event.status for event in again if isinstance(event, Ended)] == ["failed", "done"]


def test_an_engine_that_waits_says_in_which_state_the_disks_are(house: House) -> None:
    house.plan = house.planned(note("a", house.folder, destroys=("a",)), operation("b", ("false",)))

    def stop(event: object) -> None:
        if isinstance(event, Ask):
            assert "Failed: Do b." in event.question
            assert "Disks a are partly written: 1 of 2 steps" in event.question
            Client(house.run).answer("stop")

    assert house.apply(attended=True, show=stop).status == "failed"


def test_a_report_has_what_was_done_and_said(house: House) -> None:
    house.plan = house.planned(operation("b", ("false",)))
    house.apply()
    report = Client(house.run).report()
    assert all(part in report for part in ("records/recipe.toml", "zroot = 1", EVENTS, "Do b"))
    assert "c4n4ry" not in report


def test_a_plan_that_is_not_the_reviewed_one_is_refused_by_the_engine(house: House) -> None:
    """fault 35"""
    from installer.run.apply import apply

    def started(reviewed: str) -> str:
        return apply(
            RECIPE,
            source="recipe",
            secrets={"passphrase": Secret("a passphrase")},
            erase=("SER1AL",),
            events=None,
            resume=False,
            reviewed=reviewed,
        ).status

    assert started("0" * 64) == "refused"
    assert started(digest(house.plan)) == "done"
