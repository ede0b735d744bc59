"""Replay of a ZROOT volume: what the consoles say, what is left on the volume, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from run_house import CANARY, RECIPE, House
from run_plans import note, operation, times

from installer.errors import Exit, ZrootError
from installer.machine.model import Machine, Node
from installer.run import apply as applying
from installer.run import before, durable, leftovers, replay
from installer.run.consoles import Consoles
from installer.run.durable import ESP
from installer.run.events import Output, Started, Working
from installer.run.journal import JOURNAL
from installer.run.replay import Display

UNATTENDED = RECIPE.replace("title", 'unattended = true\nafter = "reboot"\ntitle')
DEVICE = "/dev/vdz"


class Heard(Consoles):
    """Consoles that remember; a key is pressed where a test says so."""

    def __init__(self) -> None:
        super().__init__(())
        self.said = ""
        self.pressed = False

    def say(self, text: str) -> None:
        self.said += text + "\n"

    def key(self, seconds: float) -> bool:
        return self.pressed


class Site:
    """A machine, a volume that is a folder, and consoles."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        self.house = house
        self.monkeypatch = monkeypatch
        self.consoles = Heard()
        self.started: list[tuple[str, ...]] = []
        self.writable = True
        self.volume = house.folder / "volume"
        self.volume.mkdir()
        self.put("secrets.toml", f"passphrase = '{CANARY}'\n")
        self.put("recipe.toml", UNATTENDED)
        monkeypatch.setattr(replay, "RUN", house.run)
        monkeypatch.setattr(replay, "POINT", self.volume)
        monkeypatch.setattr(replay, "COUNTDOWN", 5)
        monkeypatch.setattr(replay, "mounted", self._mounted)
        monkeypatch.setattr(replay, "volumes", lambda: (DEVICE,))
        monkeypatch.setattr(replay, "probe", lambda: house.machine)
        monkeypatch.setattr(replay, "make_plan", lambda recipe, machine: house.plan)
        monkeypatch.setattr(replay, "choose", lambda recipe, machine: {"a": machine.disks[0]})
        monkeypatch.setattr(replay, "run", self.started.append)
        monkeypatch.setattr(Consoles, "active", classmethod(lambda cls: self.consoles))

    @contextmanager
    def _mounted(self, device: str, point: Path, *, writable: bool) -> Iterator[Path]:
        if writable and not self.writable:
            raise ZrootError("mount ended with status 32.")
        yield point

    def put(self, name: str, text: str) -> None:
        (self.volume / name).write_text(text)
        (self.volume / name).chmod(0o600)

    def start(self) -> int:
        """Start the machine with the volume in it; the folder /run is new."""
        for name in ("state/journal.jsonl", "state/plan.json"):
            (self.house.run / name).unlink(missing_ok=True)
        self.consoles.said = ""
        return replay.main()

    @property
    def result(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.volume / replay.RESULT).read_text())
        return found


@pytest.fixture
def site(house: House, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(house, monkeypatch)


def test_volume_is_replayed_after_the_disks_were_named(site: Site) -> None:
    assert site.start() == Exit.DONE
    assert "everything on these disks will be erased:\n    a: A disk" in site.consoles.said
    assert site.consoles.said.endswith("result: ok\n")
    assert (site.result["status"], site.result["failed_step"]) == ("done", "")
    assert site.started == [("systemctl", "--no-block", "reboot")]
    assert site.start() == Exit.REFUSED
    assert "has been replayed" in site.consoles.said


def test_the_machine_is_looked_at_when_disks_are_named_and_right_before_the_first_write(site: Site) -> None:
    looks: list[str] = []
    for where, room in (("replay", replay), ("apply", applying)):
        site.monkeypatch.setattr(room, "probe", lambda where=where: looks.append(where) or site.house.machine)
    assert site.start() == Exit.DONE
    assert looks == ["replay", "apply"]


def test_after_an_earlier_run_was_closed_the_machine_is_looked_at_again(site: Site) -> None:
    looks: list[str] = []
    site.monkeypatch.setattr(applying, "probe", lambda: looks.append("apply") or site.house.machine)
    site.monkeypatch.setattr(leftovers, "close", lambda *told, notice: True)
    assert site.start() == Exit.DONE
    assert looks == ["apply", "apply"]


def test_disks_that_changed_during_the_countdown_are_not_written_to(site: Site) -> None:
    """fault 4, fault 35: what was named is what may be erased, and nothing that took its place."""
    other = site.house.planned(note("a", site.house.folder, destroys=("a",)))
    site.monkeypatch.setattr(before, "make_plan", lambda recipe, machine: other)
    assert site.start() == Exit.REFUSED
    assert "The machine changed" in site.consoles.said
    assert times(site.house.folder, "a") == 0


def test_a_key_stops_a_replay_before_anything_is_written(site: Site) -> None:
    site.consoles.pressed = True
    assert site.start() == Exit.STOPPED
    assert "Nothing was written" in site.consoles.said
    assert times(site.house.folder, "a") == 0
    assert not (site.volume / replay.RESULT).exists()


def test_a_recipe_that_is_attended_is_left_to_a_person(site: Site) -> None:
    site.put("recipe.toml", RECIPE)
    assert site.start() == Exit.REFUSED
    assert "unattended = true" in site.consoles.said
    assert site.started == []


def test_two_volumes_are_refused(site: Site) -> None:
    site.monkeypatch.setattr(replay, "volumes", lambda: ("/dev/vdy", "/dev/vdz"))
    assert site.start() == Exit.REFUSED
    assert "2 volumes labelled ZROOT" in site.consoles.said


def test_a_volume_on_a_disk_that_would_be_erased_is_refused(site: Site) -> None:
    part = Node(name="vdz", path=DEVICE, kind="part", size=1)
    site.house.machine = machine_with(site, part)
    assert site.start() == Exit.REFUSED
    assert "a disk that it erases" in site.consoles.said
    assert times(site.house.folder, "a") == 0


def machine_with(site: Site, part: Node) -> Machine:
    disk = site.house.disk.model_copy(update={"children": (part,)})
    return site.house.machine.model_copy(update={"disks": (disk,)})


def cut_off(site: Site) -> None:
    """Let a replay from a CD fail after the ESP has been made, and put the ESP where a restarted machine has it."""
    esp = site.house.folder / "esp"
    device = f"{site.house.folder}/vda1"

    def attach(device: str, point: Path, *, writable: bool) -> None:
        esp.mkdir(exist_ok=True)
        point.symlink_to(esp)

    for module in (durable, leftovers):
        site.monkeypatch.setattr(module, "detach", lambda point: point.unlink(missing_ok=True))
    site.monkeypatch.setattr(durable, "attach", attach)
    site.writable = False
    site.house.plan = site.house.planned(
        note("a", site.house.folder, destroys=("a",)),
        operation(f"{ESP}a", ("touch", device)),
        operation("b", ("ls", f"{site.house.folder}/gate")),
    ).model_copy(update={"recipe": UNATTENDED})
    assert site.start() == Exit.FAILED
    assert "result: failed (step b)" in site.consoles.said
    assert site.started == []
    assert (esp / durable.FOLDER / JOURNAL).exists()
    site.house.machine = machine_with(site, Node(name="vda1", path=device, kind="part", size=1, fstype="vfat"))
    site.monkeypatch.setattr(applying, "choose", lambda recipe, machine: {"a": machine.disks[0]})
    (site.house.folder / "gate").touch()


def test_a_replay_from_a_cd_goes_on_from_the_journal_on_the_esp(site: Site) -> None:
    """fault 60"""
    cut_off(site)
    assert site.start() == Exit.DONE
    assert "resuming: A plan for tests" in site.consoles.said
    assert "will be erased" not in site.consoles.said
    assert times(site.house.folder, "a") == 1
    assert f"could not be written to {DEVICE}" in site.consoles.said
    assert site.started == [], "the volume would be replayed again"


def test_the_journal_of_another_recipe_is_no_reason_to_resume(site: Site) -> None:
    """fault 60"""
    cut_off(site)
    site.put("recipe.toml", UNATTENDED.replace("512M", "600M"))
    assert site.start() == Exit.DONE
    assert "will be erased" in site.consoles.said
    assert "earlier installation" not in site.consoles.said
    assert times(site.house.folder, "a") == 2


def broken(*arguments: object) -> Machine:
    raise ZeroDivisionError("oops")


@pytest.mark.parametrize("place", ["read_volume", "make_plan"])
def test_a_mistake_of_ours_ends_in_words_and_in_a_result(
    site: Site, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    site.monkeypatch.setattr(replay, place, broken)
    assert site.start() != Exit.DONE
    assert "zroot itself made a mistake: ZeroDivisionError." in site.consoles.said
    assert site.consoles.said.endswith("result: failed\n")
    assert "Traceback" not in site.consoles.said
    assert "Traceback" in capsys.readouterr().err
    assert site.result["status"] == "failed"
    assert site.started == []


def test_a_mistake_inside_the_run_shows_no_traceback_either(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.monkeypatch.setattr(applying, "probe", broken)
    site.start()
    assert "Traceback" not in site.consoles.said
    assert "Traceback" in capsys.readouterr().err
    assert "ZeroDivisionError" in str(site.result["words"])


def test_without_a_result_only_being_off_says_that_it_failed(site: Site) -> None:
    site.put("recipe.toml", UNATTENDED.replace('"reboot"', '"poweroff"').replace("title", 'result = "none"\ntitle'))
    site.house.plan = site.house.planned(operation("b", ("false",), destroys=("a",)))
    assert site.start() == Exit.FAILED
    assert not (site.volume / replay.RESULT).exists()
    assert site.started == [("systemctl", "--no-block", "poweroff")]


def test_a_long_step_is_heard_with_its_last_words() -> None:
    consoles = Heard()
    display = Display(consoles)
    for event in (
        Started(operation="a", title="Install Debian", number=1),
        Working(operation="a", minutes=1),
        Output(operation="a", lines=("Setting up zfs", "  Building initial module", "")),
        Output(operation="b", lines=("of another",)),
        Output(operation="a", lines=("",)),
        Working(operation="a", minutes=2),
    ):
        display.show(event)
    assert consoles.said.split("\n") == ["[1/0] Install Debian", "    1 min", "    2 min: Building initial module", ""]


def test_what_a_program_prints_cannot_command_a_console(tmp_path: Path) -> None:
    console = tmp_path / "console"
    console.touch()
    Consoles((console,)).say("Setting up\ta\x1b[2Jb")
    assert console.read_bytes() == b"\rzroot: Setting up      a?[2Jb\r\n"
