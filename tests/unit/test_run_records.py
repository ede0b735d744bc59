"""Journal, events, lock and holders: what a run leaves behind and what it looks at."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_plans import operation, plan

from installer.errors import Refusal
from installer.masking import SECRETS
from installer.run.control import Control, StopAsked, say
from installer.run.events import EventLog, Finished, Notice, Output, Started, Working, read
from installer.run.holders import holders, mounted_devices, mounted_under, words
from installer.run.journal import JOURNAL, PLAN, Journal
from installer.run.lock import locked


@pytest.fixture(autouse=True)
def _no_secrets() -> Iterator[None]:
    yield
    SECRETS.clear()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def begun(folder: Path) -> Journal:
    journal = Journal.create(folder, plan(operation("a", ("true",)), operation("b", ("true",))), install_id="id")
    journal.add_fact("hostid", "0badc0de")
    journal.begin("a")
    journal.end("a", seconds=1.5)
    journal.begin("b")
    return journal


def test_a_journal_read_again_says_the_same(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    again, of = Journal.open(tmp_path)
    assert (again.header, again.facts, again.begun, again.ended) == (
        journal.header,
        {"hostid": "0badc0de"},
        {"a", "b"},
        {"a": 1.5},
    )
    assert [one.id for one in of.operations] == ["a", "b"]
    assert {mode(tmp_path / name) for name in (JOURNAL, PLAN)} == {0o600}


@pytest.mark.parametrize("kept", range(1, 30, 4))
def test_a_last_line_cut_off_by_a_power_failure_is_dropped(tmp_path: Path, kept: int) -> None:
    """fault 62"""
    begun(tmp_path)
    content = (tmp_path / JOURNAL).read_bytes()
    last = content.splitlines(keepends=True)[-1]
    (tmp_path / JOURNAL).write_bytes(content[: -len(last)] + last[:kept])
    journal, _ = Journal.open(tmp_path)
    assert journal.begun == {"a"}
    journal.begin("b")
    assert Journal.open(tmp_path)[0].begun == {"a", "b"}


@pytest.mark.parametrize(
    ("change", "words_expected"),
    [
        (lambda text: text.replace('"format":1', '"format":7'), "format 7"),
        (lambda text: text.replace('"began"', '"started"'), "another version"),
        (lambda text: text.replace('{"record":"ended"', '{"rec\nord":"ended"'), "damaged"),
        (lambda text: "", "empty"),
    ],
)
def test_a_journal_of_another_version_is_refused_in_words(tmp_path: Path, change: object, words_expected: str) -> None:
    """fault 62"""
    begun(tmp_path)
    (tmp_path / JOURNAL).write_text(change((tmp_path / JOURNAL).read_text()))  # type: ignore[operator]
    with pytest.raises(Refusal, match=words_expected):
        Journal.open(tmp_path)


def test_a_plan_that_was_changed_is_not_carried_out(tmp_path: Path) -> None:
    begun(tmp_path)
    (tmp_path / PLAN).write_text((tmp_path / PLAN).read_text().replace("true", "false"))
    with pytest.raises(Refusal, match="not the one"):
        Journal.open(tmp_path)


def test_the_second_copy_of_a_journal_can_be_opened_like_the_first(tmp_path: Path) -> None:
    journal = begun(tmp_path / "run")
    (tmp_path / "esp").mkdir()
    journal.mirror(tmp_path / "esp/zroot-journal")
    journal.end("b", seconds=2)
    journal.flush()
    copy, _ = Journal.open(tmp_path / "esp/zroot-journal")
    assert copy.ended == journal.ended == {"a": 1.5, "b": 2}


def test_a_line_that_nothing_depends_on_is_written_with_the_next_that_matters(tmp_path: Path) -> None:
    """The second copy gets lines only with their fsync: FAT may put a file's length on the disk before its content."""
    journal = begun(tmp_path / "run")
    journal.mirror(tmp_path / "stick")
    copy = tmp_path / "stick" / JOURNAL
    before = copy.read_bytes()
    journal.end("b", seconds=2)
    assert copy.read_bytes() == before
    assert Journal.open(tmp_path / "run")[0].ended == {"a": 1.5, "b": 2}
    journal.fail("b", seconds=2, title="No")
    assert copy.read_bytes() == (tmp_path / "run" / JOURNAL).read_bytes()
    journal.begin("b")
    journal.stop_mirroring()
    assert copy.read_bytes() == (tmp_path / "run" / JOURNAL).read_bytes()


def test_losing_the_second_copy_does_not_end_the_run(tmp_path: Path) -> None:
    journal = begun(tmp_path / "run")
    journal.mirror(tmp_path / "stick")
    (tmp_path / "stick" / JOURNAL).unlink()
    journal.end("b", seconds=2)
    journal.flush()
    assert "b" in journal.ended
    assert "cannot be written" in journal.mirror_lost


def test_events_come_out_as_they_went_in_masked_and_for_root_only(tmp_path: Path) -> None:
    """fault 74, fault 77"""
    SECRETS.register('c4n4ry"\\')
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.emit(Notice(text='it is c4n4ry"\\!'))
    log.output("a", 'c4n4ry"\\ again')
    log.emit(Finished(operation="a", seconds=1))
    log.close()
    assert [stamped.what for stamped, _ in read(path)] == [
        Notice(text="it is <secret>!"),
        Output(operation="a", lines=("<secret> again",)),
        Finished(operation="a", seconds=1),
    ]
    assert mode(path) == 0o600


def test_output_is_batched_and_never_lost(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    for number in range(1000):
        log.output("a", str(number))
    log.close()
    outputs = [stamped.what for stamped, _ in read(tmp_path / "events.jsonl")]
    assert len(outputs) < 10
    assert [line for output in outputs for line in output.lines] == [str(n) for n in range(1000)]  # type: ignore[union-attr]


def test_a_silent_operation_is_said_to_go_on_and_its_last_words_are_not_kept_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DKMS compiles for an hour and prints nothing."""
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    path, begun = tmp_path / "events.jsonl", Started(operation="a", title="A", number=1)
    log = EventLog(path)
    log.emit(begun)
    log.output("a", "at once")
    log.output("a", "with its neighbours")
    log.tick()
    first = [begun, Output(operation="a", lines=("at once",))]
    assert [stamped.what for stamped, _ in read(path)] == first
    for now in (1001, 1059, 1060, 1061, 1119, 1185, 1186):  # noqa: B007 - the clock
        log.tick()
    log.emit(Finished(operation="a", seconds=186))
    now = 2000
    log.tick()
    assert [stamped.what for stamped, _ in read(path)] == [
        *first,
        Output(operation="a", lines=("with its neighbours",)),
        Working(operation="a", minutes=1),
        Working(operation="a", minutes=3),
        Finished(operation="a", seconds=186),
    ]


def test_a_terminal_that_hung_up_does_not_end_the_run(tmp_path: Path) -> None:
    """fault 61: the ssh connection is gone, the installation goes on to its safe point."""

    def gone(event: object) -> None:
        raise OSError(5, "Input/output error")

    log = EventLog(tmp_path / "events.jsonl", echo=gone)
    log.emit(Notice(text="one"))
    assert len(list(read(tmp_path / "events.jsonl"))) == 1


def test_a_reader_goes_on_where_it_was_and_leaves_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.emit(Notice(text="one"))
    offset = list(read(path))[-1][1]
    log.emit(Notice(text="two"))
    with path.open("a") as file:
        file.write('{"at":1,"what":{"eve')
    assert [stamped.what for stamped, _ in read(path, offset=offset)] == [Notice(text="two")]


def test_a_second_engine_is_refused_and_told_who_has_the_lock(tmp_path: Path) -> None:
    """fault 79"""
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from installer.run.lock import locked\n"
        "with locked(Path(sys.argv[2])): print('held', flush=True); time.sleep(60)"
    )
    root = str(Path(__file__).parents[2])
    other = subprocess.Popen([sys.executable, "-c", code, root, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(Refusal) as caught, locked(tmp_path):
        pass
    assert str(other.pid) in caught.value.message
    other.kill()
    other.wait()
    other.stdout.close()
    with locked(tmp_path), pytest.raises(Refusal), locked(tmp_path):
        pass


def test_whoever_keeps_a_folder_busy_is_named(tmp_path: Path) -> None:
    """fault 57, fault 58"""
    busy = tmp_path / "busy"
    busy.mkdir()
    opened = busy / "file"
    opened.touch()
    with opened.open() as file:
        sitting = subprocess.Popen(["sleep", "30"], cwd=busy)
        reading = subprocess.Popen(["sleep", "31"], stdin=file)
    try:
        found = {holder.pid: holder for holder in holders([str(busy)])}
        assert found[sitting.pid].how == f"works in {busy}"
        assert found[reading.pid].how == f"has {opened} open"
        assert f"Process {sitting.pid} (sleep) works in {busy}." in words(tuple(found.values()))
        assert not holders([str(tmp_path / "other")])
    finally:
        for child in (sitting, reading):
            child.kill()
            child.wait()


def test_mount_points_come_deepest_first(tmp_path: Path) -> None:
    lines = ["1 0 0:1 / / rw - x x rw", "2 1 0:2 / /mnt/z rw - x x rw", "3 2 0:3 / /mnt/z/boot rw - x x rw"]
    (tmp_path / "mountinfo").write_text("\n".join([*lines, "4 1 0:4 / /mnt/zz rw - x x rw"]))
    assert mounted_under("/mnt/z", proc=tmp_path) == ("/mnt/z/boot", "/mnt/z")


def test_mount_points_on_devices_are_told_from_those_of_zfs_and_the_kernel(tmp_path: Path) -> None:
    points = {"9:1": "/mnt/z/boot", "0:55": "/mnt/z", "0:6": "/mnt/z/dev", "253:1": "/mnt/z/a\\040b", "8:1": "/mnt/zz"}
    lines = [f"{n} 1 {device} / {point} rw - x x rw" for n, (device, point) in enumerate(points.items())]
    (tmp_path / "mountinfo").write_text("\n".join(lines))
    assert mounted_devices("/mnt/z", proc=tmp_path) == ("/mnt/z/a b", "/mnt/z/boot")


def test_a_word_over_the_socket_asks_to_stop(tmp_path: Path) -> None:
    path = tmp_path / "control"
    control = Control(path)
    asked = StopAsked(control, again=lambda: None)
    assert not asked()
    say(path, "stop")
    assert asked()
    assert asked()
    assert mode(path) == 0o600


def test_an_answer_is_waited_for_and_other_words_are_ignored(tmp_path: Path) -> None:
    control = Control(tmp_path / "control")
    for word in ("nonsense", "retry"):
        say(tmp_path / "control", word)
    asked = StopAsked(control, again=lambda: None)
    assert control.answer(("retry", "stop"), stopping=asked) == "retry"
    say(tmp_path / "control", "stop")
    assert control.answer(("retry", "stop"), stopping=asked) == "stop"


def test_signals_ask_to_stop_and_say_what_is_waited_for() -> None:
    """fault 61"""
    heard: list[str] = []
    asked = StopAsked(None, again=lambda: heard.append("still waiting"))
    with asked.by_signals():
        for number in (1, 2, 15):
            os.kill(os.getpid(), number)
            assert asked()
            assert asked()
    assert len(heard) == 3


def test_the_lock_is_not_inherited_by_programs(tmp_path: Path) -> None:
    with locked(tmp_path):
        fd = os.open(tmp_path / "lock", os.O_RDWR)
        child = subprocess.Popen(["sleep", "30"])
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(fd)
        child.kill()
        child.wait()
