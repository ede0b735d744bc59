"""Going on after an interruption, and readers that come and go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from run_house import CANARY, RECIPE, House
from run_plans import note, operation, plan, times

from installer.errors import Exit, Refusals
from installer.machine.model import Node
from installer.plan.operation import Commands, Effect, Fact, FactKind, Layer
from installer.plan.render import from_json
from installer.recipe.secrets import Secret
from installer.run import apply as applying
from installer.run import client as clients
from installer.run import durable, leftovers, reader, resume
from installer.run.durable import ESP, Durable
from installer.run.events import Event, Notice
from installer.run.facts import FACT
from installer.run.journal import JOURNAL, Journal

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*/plan.json"))


def test_stopping_is_no_success_and_can_be_resumed(house: House) -> None:
    """fault 61, fault 63"""

    def stop(event: Event) -> None:
        house.events.append(event)
        if getattr(event, "operation", "") == "a":
            os.kill(os.getpid(), 15)

    outcome = house.apply(show=stop)
    assert (outcome.status, outcome.exit) == ("stopped", Exit.STOPPED)
    assert (times(house.folder, "a"), times(house.folder, "b")) == (1, 0)
    assert any(isinstance(event, Notice) and "Stopping once this is over" in event.text for event in house.events)
    assert house.apply(resume=True).status == "done"
    assert (times(house.folder, "a"), times(house.folder, "b")) == (1, 1)


def test_resume_without_a_journal_says_so(house: House) -> None:
    outcome = house.apply(resume=True)
    assert outcome.exit == Exit.REFUSED
    assert "no journal" in outcome.words


def test_a_finished_run_leaves_nothing_to_resume(house: House) -> None:
    house.apply()
    assert house.apply(resume=True).exit == Exit.REFUSED


def test_resume_refuses_another_recipe(house: House) -> None:
    house.plan = house.planned(note("a", house.folder, destroys=("a",)), operation("b", ("false",)))
    house.apply()
    outcome = house.apply(resume=True, recipe=RECIPE.replace("512M", "600M"))
    assert "not the recipe" in outcome.words


def test_resume_accepts_only_disks_that_carry_the_journaled_table(house: House) -> None:
    guid = "@{disk-guid.a}"
    table = operation("table", ("sgdisk", "--clear", f"--disk-guid={guid}", house.disk.link), destroys=("a",))
    facts = (Fact(name="disk-guid.a", kind=FactKind.UUID, why=""),)
    house.plan = house.planned(table, operation("b", ("false",)), facts=facts)
    assert house.apply().failed_step == "b"
    outcome = house.apply(resume=True)
    assert "does not carry the interrupted installation" in outcome.words
    kept, of = Journal.open(house.run / "state")
    written = house.disk.model_copy(update={"table_uuid": kept.facts["disk-guid.a"].upper()})
    resume.check_disks(of, kept, house.machine.model_copy(update={"disks": (written,)}))
    smaller = written.model_copy(update={"size": 1})
    with pytest.raises(Refusals, match="1 problem"):
        resume.check_disks(of, kept, house.machine.model_copy(update={"disks": (smaller,)}))


def test_resume_finds_the_journal_on_the_esp_after_a_restart(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 60: /run is gone, the ESP is not."""
    esp = house.folder / "esp"
    mounts: list[str] = []

    def attach(device: str, point: Path, *, writable: bool) -> None:
        mounts.append(device)
        esp.mkdir(exist_ok=True)
        if not point.is_symlink():
            point.symlink_to(esp)

    monkeypatch.setattr(durable, "attach", attach)
    monkeypatch.setattr(durable, "detach", lambda point: point.unlink(missing_ok=True))
    monkeypatch.setattr(leftovers, "detach", lambda point: point.unlink(missing_ok=True))
    gate = house.folder / "gate"
    house.plan = house.planned(
        note("a", house.folder, destroys=("a",)),
        operation(f"{ESP}a", ("touch", f"{house.folder}/vda1")),
        note("b", house.folder),
        operation("c", ("ls", str(gate))),
    )
    assert house.apply().failed_step == "c"
    assert mounts == [f"{house.folder}/vda1"]
    (house.run / "state" / JOURNAL).unlink()  # the restart
    (house.run / "state/plan.json").unlink()
    gate.touch()
    part = Node(name="vda1", path=f"{house.folder}/vda1", kind="part", size=1, fstype="vfat")
    house.machine = house.machine.model_copy(update={"disks": (house.disk.model_copy(update={"children": (part,)}),)})
    monkeypatch.setattr(applying, "choose", lambda recipe, machine: {"a": machine.disks[0]})
    outcome = house.apply(resume=True)
    assert outcome.status == "done", outcome.words
    assert (times(house.folder, "a"), times(house.folder, "b")) == (1, 1)
    monkeypatch.setattr(os.path, "ismount", lambda point: True)
    assert not (house.run / "journal").exists()


def test_a_zroot_volume_on_a_disk_that_is_erased_is_left_alone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts: list[str] = []
    monkeypatch.setattr(durable, "VOLUME", house.disk.link)
    monkeypatch.setattr(durable, "attach", lambda device, point, *, writable: mounts.append(device))
    house.apply()
    assert mounts == []


def test_the_journal_is_removed_from_the_durable_place_after_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "attach", lambda device, point, *, writable: point.mkdir(exist_ok=True))
    monkeypatch.setattr(durable, "detach", lambda point: None)
    monkeypatch.setattr(os.path, "ismount", lambda point: Path(point).exists())
    format_esp = operation(f"{ESP}a", ("mkfs.fat", "/dev/vda2"))
    journal = Journal.create(tmp_path / "state", plan(format_esp), install_id="x")
    place = Durable(journal, folder=tmp_path, notice=lambda text: None)
    place.after(format_esp)
    assert (tmp_path / "journal" / durable.FOLDER / JOURNAL).exists()
    place.end(remove=False)
    assert (tmp_path / "journal" / durable.FOLDER / JOURNAL).exists()
    place.end(remove=True)
    assert not (tmp_path / "journal" / durable.FOLDER).exists()


def test_what_an_interrupted_run_left_open_is_closed_before_a_new_one(house: House) -> None:
    """fault 59"""
    is_open = house.folder / "open"
    house.plan = house.planned(
        operation("open", ("touch", str(is_open)), effect=Effect.OPEN),
        note("a", house.folder, destroys=("a",)),
        operation("b", ("false",)),
        operation(
            "finish/close/x",
            ("rm", str(is_open)),
            effect=Effect.CLOSE,
            layer=Layer.FINISH,
            done=("test", "!", "-e", str(is_open)),
        ),
    )
    house.apply()
    assert is_open.exists()
    house.plan = house.planned(operation("check", ("test", "!", "-e", str(is_open))))
    assert house.apply().status == "done"


def test_a_screen_starts_the_engine_apart_and_hands_it_the_secrets_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fault 75"""
    from installer.recipe.secrets import parse_secrets

    started: list[tuple[list[str], bytes]] = []
    monkeypatch.setattr(reader, "detach", lambda argv, *, stdin, log, folder: started.append((argv, stdin)))
    monkeypatch.setattr(reader, "SYSTEMD", tmp_path)
    client = clients.Client(tmp_path / "run")
    client.start(RECIPE, secrets={"passphrase": Secret(CANARY)}, erase=["SER1AL"])
    argv, stdin = started[0]
    assert argv[:2] == ["systemd-run", "--unit=zroot-engine"]
    assert "--erase=SER1AL" in argv
    assert "c4n4ry" not in " ".join(argv)
    assert parse_secrets(stdin.decode(), source="")["passphrase"].reveal() == CANARY
    assert not client.running()
    with pytest.raises(Exception, match="does not run"):
        client.answer("stop")


def test_a_reader_made_anew_finds_all_that_was_said(house: House) -> None:
    house.apply()
    client = clients.Client(house.run)
    told = client.new_events()
    assert [stamped.what for stamped in told] == house.events
    assert client.new_events() == []
    assert not client.running()


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.parent.name)
def test_every_plan_keeps_to_what_the_engine_relies_on(file: Path) -> None:
    """The journal finds the ESP, the undo kit the new header, and every fact is declared."""
    of = from_json(file.read_text())
    declared = {fact.name for fact in of.facts}
    assert {match[1] for match in FACT.finditer(of.model_dump_json())} <= declared
    for one in of.operations:
        if one.id.startswith(ESP) or (isinstance(one.action, Commands) and "luksFormat" in str(one.action)):
            assert isinstance(one.action, Commands)
            devices = [c.argv[-1] for c in one.action.commands if "luksFormat" in c.argv or one.id.startswith(ESP)]
            assert devices
            assert all(device.startswith("/") for device in devices)
