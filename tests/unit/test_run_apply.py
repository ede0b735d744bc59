"""`zroot apply` from refusals to result, with a plan of harmless programs on files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from run_house import RECIPE, House
from run_plans import note, operation, times

from installer.errors import Exit, Refusal, Refusals
from installer.machine.model import Disk, Machine, Node
from installer.plan.operation import Commands, Effect, Layer, Operation
from installer.process import run
from installer.recipe.load import parse
from installer.run import apply as applying
from installer.run import before, undo
from installer.run.apply import Outcome
from installer.run.control import say
from installer.run.events import Ask, Ended, Event, Notice


def test_a_whole_run_leaves_a_result_events_and_an_undo_kit(house: House) -> None:
    outcome = house.apply()
    assert (outcome.status, outcome.exit, outcome.failed_step) == ("done", Exit.DONE, "")
    assert outcome.install_id
    assert list(outcome.durations) == ["a", "b"]
    assert isinstance(house.events[-1], Ended)
    kit = house.run / "undo"
    assert (kit / "table-a.gpt").stat().st_size > 10_000
    assert "NAME" in (kit / "lsblk.txt").read_text()
    assert "sgdisk --load-backup" in (kit / "README.txt").read_text()
    assert json.loads(outcome.model_dump_json())["status"] == "done"


def test_the_undo_kit_brings_the_old_table_back(house: House) -> None:
    house.plan = house.planned(operation("wipe", ("sgdisk", "--zap-all", house.disk.link), destroys=("a",)))
    assert house.apply().status == "done"
    run(["sgdisk", f"--load-backup={house.run}/undo/table-a.gpt", house.disk.link])
    assert "11111111-2222-3333-4444-555555555555" in run(["sgdisk", "--print", house.disk.link]).out


@pytest.mark.needs("cryptsetup")
def test_the_header_of_an_encrypted_partition_is_saved_before_and_after(tmp_path: Path) -> None:
    image = tmp_path / "luks"
    with image.open("wb") as file:
        file.truncate(32 * 1024**2)
    argv = ("cryptsetup", "luksFormat", "--batch-mode", "--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000", str(image))
    run(argv, stdin=b"passphrase")
    node = Node(name="vda2", path=str(image), kind="part", size=1, fstype="crypto_LUKS")
    told: list[str] = []
    kit = undo.UndoKit(tmp_path / "undo", notice=told.append)
    kit.begin()
    kit.save({"a": Disk(name="vda", path="/x", link="/x", size=1, children=(node,))}, copy_to=tmp_path / "stick")
    kit.after(operation("encryption/format/pool-a", argv), copy_to=tmp_path / "stick")
    kit.after(operation("encryption/open/pool-a", ("true",)), copy_to=tmp_path / "stick")
    kit.end()
    assert not [words for words in told if "header" in words]
    assert not list((tmp_path / "undo").glob("*.part"))
    for folder in ("undo", "stick"):
        for name in ("luks-vda2.img", "new-pool-a.img"):
            run(["cryptsetup", "luksUUID", str(tmp_path / folder / name)])


def test_what_the_undo_kit_lacks_is_told_and_stops_nothing(house: House) -> None:
    house.machine = house.machine.model_copy(
        update={"disks": (house.disk.model_copy(update={"table": "dos", "children": ()}),)}
    )
    os.truncate(house.disk.path, 0)
    outcome = house.apply()
    assert outcome.status == "done"
    assert any(isinstance(event, Notice) and "lacks the table of disk a" in event.text for event in house.events)
    assert "Not saved" in (house.run / "undo/README.txt").read_text()


def test_without_consent_nothing_is_written(house: House) -> None:
    outcome = house.apply(erase=())
    assert (outcome.status, outcome.exit) == ("refused", Exit.REFUSED)
    assert "--erase SER1AL" in outcome.words
    assert times(house.folder, "a") == 0
    assert not (house.run / "undo").exists()


def test_consent_for_another_disk_is_a_mistake(house: House) -> None:
    outcome = house.apply(erase=("SER1AL", "OTHER"))
    assert outcome.exit == Exit.REFUSED
    assert "OTHER" in outcome.words


def test_an_unattended_recipe_is_its_own_consent(house: House) -> None:
    assert house.apply(erase=(), recipe=RECIPE.replace("title", "unattended = true\ntitle")).status == "done"


def test_missing_secrets_and_programs_are_refused_together(house: House) -> None:
    house.plan = house.planned(operation("a", ("no-such-program",), destroys=("a",)))
    outcome = house.apply(secrets={})
    assert outcome.exit == Exit.REFUSED
    assert '"passphrase" is missing' in outcome.words
    assert "no-such-program" in outcome.words


@pytest.mark.parametrize("passphrase", ["echo it is", 'say "so"\\'])
def test_a_passphrase_that_is_a_part_of_the_plan_is_refused(house: House, passphrase: str) -> None:
    """fault 75"""
    house.plan = house.planned(operation("a", ("echo", f"we {passphrase} here")))
    outcome = house.apply(secrets={"passphrase": passphrase})
    assert outcome.exit == Exit.REFUSED
    assert "would not stay one" in outcome.words
    assert passphrase not in outcome.words


def test_not_being_root_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 80"""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in house.apply().words


def test_no_zfs_module_is_refused(house: House) -> None:
    """fault 80"""
    house.machine = house.machine.model_copy(update={"zfs": False})
    outcome = house.apply()
    assert outcome.exit == Exit.REFUSED
    assert "ZFS module" in outcome.words


def test_a_plan_that_changes_before_the_first_write_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 4, fault 35"""
    other = house.planned(note("a", house.folder, destroys=("a",)))
    monkeypatch.setattr(before, "make_plan", lambda recipe, machine: other)
    outcome = house.apply()
    assert outcome.exit == Exit.REFUSED
    assert "changed" in outcome.words
    assert times(house.folder, "a") == 0


def test_a_link_that_leads_to_another_disk_is_refused(house: House) -> None:
    """fault 4"""
    link = house.folder / "by-id"
    link.symlink_to(house.folder / "another")
    house.disk = house.disk.model_copy(update={"link": str(link)})
    house.machine = house.machine.model_copy(update={"disks": (house.disk,)})
    house.plan = house.planned(note("a", house.folder, destroys=("a",)))
    outcome = house.apply()
    assert outcome.exit == Exit.REFUSED
    assert "leads to another disk" in outcome.words


def test_a_failure_says_step_state_and_how_to_go_on_and_then_goes_on(house: House) -> None:
    gate = house.folder / "gate"
    house.plan = house.planned(
        note("a", house.folder, destroys=("a",)), operation("b", ("ls", str(gate))), note("c", house.folder)
    )
    outcome = house.apply()
    assert (outcome.status, outcome.exit, outcome.failed_step) == ("failed", Exit.FAILED, "b")
    assert "Disks a are partly written: 1 of 3 steps" in outcome.words
    assert "--resume" in outcome.words
    gate.touch()
    again = house.apply(resume=True)
    assert again.status == "done"
    assert again.install_id == outcome.install_id
    assert times(house.folder, "a") == 1


def test_what_could_be_done_without_is_named_at_the_end(house: House) -> None:
    extra = operation("packages/install", ("false",), layer=Layer.SYSTEM)
    house.plan = house.planned(
        note("a", house.folder, destroys=("a",)), extra.model_copy(update={"optional": True}), note("c", house.folder)
    )
    outcome = house.apply()
    assert outcome.status == "done"
    assert f"Not done, because it failed: {extra.title}." in outcome.words
    assert times(house.folder, "c") == 1


def test_the_last_words_of_a_run_are_kept_for_the_greeting(house: House) -> None:
    kept = house.run / "last-run.txt"
    house.apply(erase=())
    assert not kept.exists()
    under_way: list[str] = []
    assert house.apply(show=lambda event: under_way.append(kept.read_text() if kept.exists() else "")).status == "done"
    assert "began and has not ended" in under_way[-1]
    house.apply(erase=())
    assert "The installation is finished" in kept.read_text()


def test_a_failure_before_anything_was_destroyed_says_so(house: House) -> None:
    house.plan = house.planned(operation("close", ("false",), effect=Effect.CLOSE), note("a", house.folder))
    outcome = house.apply()
    assert outcome.exit == Exit.FAILED
    assert "Nothing on the disks was changed." in outcome.words


def test_a_mistake_of_ours_becomes_a_result_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Machine:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(applying, "probe", broken)
    assert "ZeroDivisionError" in house.apply().words


def test_somebody_who_attends_may_have_a_step_tried_again(house: House) -> None:
    gate = house.folder / "gate"
    house.plan = house.planned(note("a", house.folder), operation("b", ("ls", str(gate))))

    def mend(event: Event) -> None:
        house.events.append(event)
        if isinstance(event, Ask):
            gate.touch()
            say(house.run / applying.SOCKET, "retry")

    assert house.apply(attended=True, show=mend).status == "done"
    assert times(house.folder, "a") == 1


def test_nobody_is_asked_when_nobody_attends(house: House) -> None:
    house.plan = house.planned(operation("b", ("false",)))
    assert house.apply().exit == Exit.FAILED
    assert not any(isinstance(event, Ask) for event in house.events)


def test_a_second_apply_touches_neither_the_events_nor_the_socket_of_the_first(house: House) -> None:
    """fault 79"""
    inner: list[Outcome] = []
    words: list[str] = []

    def again(event: Event) -> None:
        if getattr(event, "operation", "") == "a" and not inner:
            inner.append(house.apply(show=lambda event: words.append(str(event))))

    assert house.apply(show=again).status == "done"
    assert inner[0].exit == Exit.REFUSED
    assert "Another zroot" in inner[0].words
    assert words == []


def test_success_is_never_reported_while_something_is_still_open(house: House) -> None:
    """fault 57"""
    close = operation("finish/export/rpool", ("true",), effect=Effect.CLOSE, done=("false",), layer=Layer.FINISH)
    house.plan = house.planned(note("a", house.folder, destroys=("a",)), close)
    outcome = house.apply()
    assert outcome.exit == Exit.FAILED
    assert "is not closed" in outcome.words


def test_no_artefact_of_a_run_holds_the_canary(house: House) -> None:
    """fault 74, fault 75, fault 76: in a failing run too."""
    feed = operation("feed", ("cat", "-"), secrets=("passphrase",), destroys=("a",))
    action = Commands(commands=tuple(one.model_copy(update={"stdin": "%{passphrase}\n"}) for one in _commands(feed)))
    house.plan = house.planned(feed.model_copy(update={"action": action}), operation("b", ("false",)))
    outcome = house.apply()
    artefacts = [file.read_text(errors="replace") for file in house.run.rglob("*") if file.is_file()]
    assert outcome.failed_step == "b"
    assert "<secret>" in "".join(artefacts)
    assert not any("c4n4ry" in text for text in [*artefacts, str(house.events), outcome.model_dump_json()])


def _commands(of: Operation) -> tuple[object, ...]:
    assert isinstance(of.action, Commands)
    return of.action.commands


def test_the_recipe_of_these_tests_is_a_recipe() -> None:
    parse(RECIPE)
    assert issubclass(Refusals, Refusal)
