"""`zroot apply` from refusals to result, with a plan of harmless programs on files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from run_plans import note, operation, plan, times

from installer.errors import Exit, Refusal, Refusals
from installer.machine.model import Disk, Firmware, Machine, Node
from installer.masking import SECRETS
from installer.plan.operation import ChosenDisk, Commands, Effect, Fact, FactKind, Layer, Operation, Plan
from installer.plan.render import from_json
from installer.process import run
from installer.recipe.load import parse
from installer.recipe.secrets import Secret
from installer.run import apply as applying
from installer.run import before, durable, leftovers, resume, undo
from installer.run import client as clients
from installer.run.apply import Outcome, apply
from installer.run.control import say
from installer.run.durable import ESP, Durable
from installer.run.events import Ask, Ended, Event, Notice
from installer.run.facts import FACT
from installer.run.journal import JOURNAL, Journal

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*/plan.json"))
CANARY = 'c4n4ry.*+($x)"\\ '
RECIPE = """
zroot = 1
title = "For tests"
[disks]
a = { serial = "SER1AL" }
[[partition]]
name = "esp"
size = "512M"
type = "ef00"
[[partition]]
name = "pool"
size = "rest"
type = "8309"
[crypt.pool]
over = "partition.pool"
[pool.rpool]
vdevs = [{ kind = "single", over = "crypt.pool" }]
[system]
source = "none"
[boot]
loader = "none"
"""


class House:
    """A machine with one disk (a file), a folder for the engine's state, and a plan that a test chooses."""

    def __init__(self, folder: Path, partitioned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.run = folder / "run"
        image = folder / "disk"
        shutil.copyfile(partitioned, image)
        self.disk = Disk(
            name="vda",
            path=str(image),
            link=str(image),
            serial="SER1AL",
            size=64 * 1024**2,
            table="gpt",
            table_uuid="11111111-2222-3333-4444-555555555555",
        )
        self.machine = Machine(disks=(self.disk,), firmware=Firmware.UEFI, memory=2**31)
        self.plan = self.planned(note("a", folder, destroys=("a",)), note("b", folder))
        self.events: list[Event] = []
        monkeypatch.setattr(applying, "RUN", self.run)
        monkeypatch.setattr(applying, "probe", lambda: self.machine)
        monkeypatch.setattr(applying, "make_plan", lambda recipe, machine: self.plan)
        monkeypatch.setattr(before, "make_plan", lambda recipe, machine: self.plan)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(durable, "VOLUME", str(folder / "no-volume"))
        monkeypatch.setattr(resume, "VOLUME", str(folder / "no-volume"))

    def planned(self, *operations: Operation, facts: tuple[Fact, ...] = ()) -> Plan:
        chosen = ChosenDisk(role="a", identity="SER1AL", link=self.disk.link, size=self.disk.size, description="A disk")
        return plan(*operations, facts=facts, recipe=RECIPE).model_copy(update={"disks": (chosen,)})

    def apply(  # noqa: PLR0913 - as many as the command has
        self,
        *,
        erase: tuple[str, ...] = ("SER1AL",),
        secrets: Mapping[str, str] | None = None,
        recipe: str = RECIPE,
        resume: bool = False,
        attended: bool = False,
        show: Callable[[Event], None] | None = None,
    ) -> Outcome:
        given = {"passphrase": CANARY} if secrets is None else secrets
        return apply(
            recipe,
            source="recipe",
            secrets={name: Secret(value) for name, value in given.items()},
            erase=erase,
            events=None,
            resume=resume,
            attended=attended,
            show=show or self.events.append,
        )


@pytest.fixture(scope="module")
def partitioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with a table; made once, because sgdisk sleeps for a second after it wrote."""
    image = tmp_path_factory.mktemp("disk") / "image"
    image.touch()
    os.truncate(image, 64 * 1024**2)
    run(["sgdisk", "--new=1:0:+8M", "--disk-guid=11111111-2222-3333-4444-555555555555", str(image)])
    return image


@pytest.fixture
def house(tmp_path: Path, partitioned: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    yield House(tmp_path, partitioned, monkeypatch)
    SECRETS.clear()


def test_a_whole_run_leaves_a_result_events_and_an_undo_kit(house: House) -> None:
    outcome = house.apply()
    assert (outcome.status, outcome.exit, outcome.failed_step) == ("done", Exit.DONE, "")
    assert outcome.install_id
    assert list(outcome.durations) == ["a", "b"]
    assert isinstance(house.events[-1], Ended)
    kit = house.run / "undo"
    assert (kit / "table-a.gpt").stat().st_size > 10_000
    assert "sgdisk --load-backup" in (kit / "README.txt").read_text()
    assert json.loads(outcome.model_dump_json())["status"] == "done"


def test_the_undo_kit_brings_the_old_table_back(house: House) -> None:
    house.plan = house.planned(operation("wipe", ("sgdisk", "--zap-all", house.disk.link), destroys=("a",)))
    assert house.apply().status == "done"
    run(["sgdisk", f"--load-backup={house.run}/undo/table-a.gpt", house.disk.link])
    assert "11111111-2222-3333-4444-555555555555" in run(["sgdisk", "--print", house.disk.link]).out


def test_the_header_of_an_encrypted_partition_is_saved_before_and_after(tmp_path: Path) -> None:
    image = tmp_path / "luks"
    with image.open("wb") as file:
        file.truncate(32 * 1024**2)
    argv = ("cryptsetup", "luksFormat", "--batch-mode", "--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000", str(image))
    run(argv, stdin=b"passphrase")
    node = Node(name="vda2", path=str(image), kind="part", size=1, fstype="crypto_LUKS")
    told: list[str] = []
    kit = undo.UndoKit(tmp_path / "undo", notice=told.append)
    kit.save({"a": Disk(name="vda", path="/x", link="/x", size=1, children=(node,))}, copy_to=tmp_path / "stick")
    kit.after(operation("encryption/format/pool-a", argv), copy_to=tmp_path / "stick")
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
    """fault 75."""
    house.plan = house.planned(operation("a", ("echo", f"we {passphrase} here")))
    outcome = house.apply(secrets={"passphrase": passphrase})
    assert outcome.exit == Exit.REFUSED
    assert "would not stay one" in outcome.words
    assert passphrase not in outcome.words


def test_not_being_root_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 80."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "root" in house.apply().words


def test_no_zfs_module_is_refused(house: House) -> None:
    """fault 80."""
    house.machine = house.machine.model_copy(update={"zfs": False})
    outcome = house.apply()
    assert outcome.exit == Exit.REFUSED
    assert "ZFS module" in outcome.words


def test_a_plan_that_changes_before_the_first_write_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 4, 35."""
    other = house.planned(note("a", house.folder, destroys=("a",)))
    monkeypatch.setattr(before, "make_plan", lambda recipe, machine: other)
    outcome = house.apply()
    assert outcome.exit == Exit.REFUSED
    assert "changed" in outcome.words
    assert times(house.folder, "a") == 0


def test_a_link_that_leads_to_another_disk_is_refused(house: House) -> None:
    """fault 4."""
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


def test_stopping_is_no_success_and_can_be_resumed(house: House) -> None:
    """fault 61, 63."""

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
    """fault 79."""
    inner: list[Outcome] = []
    words: list[str] = []

    def again(event: Event) -> None:
        if getattr(event, "operation", "") == "a" and not inner:
            inner.append(house.apply(show=lambda event: words.append(str(event))))

    assert house.apply(show=again).status == "done"
    assert inner[0].exit == Exit.REFUSED
    assert "Another zroot" in inner[0].words
    assert words == []


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


def test_success_is_never_reported_while_something_is_still_open(house: House) -> None:
    """fault 57."""
    close = operation("finish/export/rpool", ("true",), effect=Effect.CLOSE, done=("false",), layer=Layer.FINISH)
    house.plan = house.planned(note("a", house.folder, destroys=("a",)), close)
    outcome = house.apply()
    assert outcome.exit == Exit.FAILED
    assert "is not closed" in outcome.words


def test_what_an_interrupted_run_left_open_is_closed_before_a_new_one(house: House) -> None:
    """fault 59."""
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


def test_no_artefact_of_a_run_holds_the_canary(house: House) -> None:
    """fault 74, 75, 76: in a failing run too."""
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


def test_a_screen_starts_the_engine_apart_and_hands_it_the_secrets_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fault 75."""
    from installer.recipe.secrets import parse_secrets

    started: list[tuple[list[str], bytes]] = []
    monkeypatch.setattr(clients, "detach", lambda argv, *, stdin, log: started.append((argv, stdin)))
    monkeypatch.setattr(clients, "SYSTEMD", tmp_path)
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


def test_the_recipe_of_these_tests_is_a_recipe() -> None:
    parse(RECIPE)
    assert issubclass(Refusals, Refusal)
