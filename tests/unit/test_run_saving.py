"""Where recipes, scripts and reports are kept, and the shelf that recipes are taken from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from run_plans import note
from run_plans import plan as planned

from installer.errors import Refusals, ZrootError
from installer.machine.model import Disk, Firmware, Machine, Node
from installer.run import saving, shelf
from installer.run.journal import Journal
from installer.run.saving import Place, places, save

ROOT = Path(__file__).parents[2]


def disk(name: str, *partitions: Node, **more: object) -> Disk:
    values = {"name": name, "path": f"/dev/{name}", "link": f"/dev/{name}", "serial": f"S-{name}", "size": 2**33}
    return Disk.model_validate(values | {"children": partitions} | more)


def part(name: str, fstype: str, label: str = "") -> Node:
    return Node(name=name, path=f"/dev/{name}", kind="part", size=2**30, fstype=fstype, label=label)


def machine(*disks: Disk, medium: tuple[str, ...] = ()) -> Machine:
    return Machine(disks=disks, firmware=Firmware.BIOS, memory=2**31, live_medium=medium)


@pytest.mark.parametrize(
    ("found", "offered"),
    [
        (disk("sdb", part("sdb1", "vfat"), removable=True), ["/dev/sdb1"]),
        (disk("sdb", part("sdb1", "ext4"), transport="usb"), ["/dev/sdb1"]),
        (disk("sdb", fstype="vfat", label="STICK", removable=True), ["/dev/sdb"]),
        (disk("vdc", part("vdc1", "vfat", "ZROOT")), ["/dev/vdc1"]),
        (disk("vdc", fstype="ext4", label="ZROOT"), ["/dev/vdc"]),
        (disk("sdb", part("sdb1", "ext4")), []),
        (disk("sdb", part("sdb1", "ntfs"), removable=True), []),
        (disk("sdb", part("sdb1", "vfat"), removable=True, read_only=True), []),
        (disk("sr0", fstype="iso9660", label="ZROOT", kind="rom"), []),
        (disk("chosen", part("chosen1", "vfat"), removable=True), []),
        (disk("medium", part("medium1", "vfat"), removable=True), []),
    ],
)
def test_files_go_to_sticks_and_to_zroot_volumes_and_never_to_chosen_disks(
    found: Disk, offered: list[str], tmp_path: Path
) -> None:
    given = places(machine(found, medium=("medium",)), chosen=("S-chosen",), run=tmp_path)
    assert [place.device for place in given if place.device] == offered
    assert given[-1].folder


def test_nothing_is_overwritten_and_the_names_stay_together(tmp_path: Path) -> None:
    place = Place(words="here", folder=str(tmp_path))
    (tmp_path / "zroot-a.sh").write_text("somebody's")
    first = save(place, {"zroot-a.toml": "recipe", "zroot-a.sh": "script"}, run=tmp_path)
    again = save(place, {"zroot-a.toml": "recipe", "zroot-a.sh": "script"}, run=tmp_path)
    assert (first, again) == (("zroot-a-2.toml", "zroot-a-2.sh"), ("zroot-a-3.toml", "zroot-a-3.sh"))
    assert (tmp_path / "zroot-a.sh").read_text() == "somebody's"
    assert (tmp_path / "zroot-a-2.toml").read_text() == "recipe"
    assert (tmp_path / "zroot-a-2.toml").stat().st_mode & 0o077 == 0


def test_a_folder_is_copied_with_its_files(tmp_path: Path) -> None:
    (tmp_path / "header.img").write_bytes(b"\0\1\2")
    place = Place(words="here", folder=str(tmp_path))
    for expected in ("undo", "undo-2"):
        assert save(place, {"undo/header.img": tmp_path / "header.img"}, run=tmp_path) == (f"{expected}/header.img",)
        assert (tmp_path / expected / "header.img").read_bytes() == b"\0\1\2"


def test_a_link_on_a_stick_leads_nowhere(tmp_path: Path) -> None:
    """fault 33"""
    (tmp_path / "zroot-a.toml").symlink_to(tmp_path / "elsewhere")
    save(Place(words="here", folder=str(tmp_path)), {"zroot-a.toml": "recipe"}, run=tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_place_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(ZrootError, match="cannot be saved there"):
        save(Place(words="gone", folder=str(tmp_path / "gone")), {"a": "b"}, run=tmp_path)


@pytest.fixture
def stick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is there whenever /dev/sdb1 is mounted."""
    folder = tmp_path / "stick"
    folder.mkdir()

    @contextmanager
    def mounted(device: str, point: Path, *, writable: bool) -> Iterator[Path]:
        assert device == "/dev/sdb1"
        assert not writable
        yield folder

    monkeypatch.setattr(shelf, "mounted", mounted)
    return folder


def test_recipes_are_found_on_a_stick_and_what_is_none_is_passed_over(stick: Path, tmp_path: Path) -> None:
    text = (ROOT / "recipes/debian-luks-single.toml").read_text()
    for name, content in {"mine.toml": text, "secrets.toml": "a = 'b'", "other.toml": "[x", "notes.txt": "no"}.items():
        (stick / name).write_text(content)
    found = shelf.on_sticks(machine(disk("sdb", part("sdb1", "vfat"), removable=True)), run=tmp_path)
    assert [(one.where, one.text) for one in found] == [("mine.toml, on /dev/sdb1", text)]


def test_the_recipes_that_ship_are_found() -> None:
    titles = [one.title for one in shelf.shipped()]
    assert "Debian on a LUKS mirror, md /boot" in titles


def test_an_installation_that_was_cut_off_is_found_by_its_journal(tmp_path: Path) -> None:
    recipe = (ROOT / "recipes/debian-luks-single.toml").read_text()
    journal = Journal.create(tmp_path / "state", planned(note("a", tmp_path), recipe=recipe), install_id="x")
    assert shelf.cut_off(machine(), run=tmp_path) == ()
    journal.begin("a")
    (found,) = shelf.cut_off(machine(), run=tmp_path)
    assert (found.text, found.unfinished) == (recipe, True)


def test_a_recipe_is_read_from_a_path_or_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text((ROOT / "recipes/debian-luks-single.toml").read_text())
    assert shelf.read(str(file)).text == file.read_text()
    with pytest.raises(Refusals):
        shelf.read(str(tmp_path / "missing.toml"))


def test_a_stick_is_mounted_with_care(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from installer.run import durable

    said: list[list[str]] = []
    monkeypatch.setattr(durable, "run", lambda argv, **how: said.append(list(argv)))
    save(Place(words="stick", device="/dev/sdb1"), {"a.toml": "b"}, run=tmp_path)
    assert said[0][:4] == ["mount", "--options", "rw,nosuid,nodev,noexec", "/dev/sdb1"]
    assert (tmp_path / saving.POINT / "a.toml").exists()
