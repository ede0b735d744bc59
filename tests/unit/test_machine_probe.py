"""The probe itself: the adapter to blkinfo and pyudev, against fakes and against umockdev."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from installer import __version__, process
from installer.errors import Refusal
from installer.machine import blk, hotplug, probe, recording
from installer.machine.read import read
from installer.machine.recording import Said

LSBLK = {"blockdevices": [{"name": "vda", "kname": "vda", "type": "disk", "size": 10}]}

UMOCKDEV = """\
P: /devices/pci0000:00/0000:00:04.0/virtio1/block/vdx
N: vdx
S: disk/by-id/virtio-odd
S: disk/by-path/pci-0000:00:04.0
E: DEVLINKS=/dev/disk/by-id/virtio-odd /dev/disk/by-path/pci-0000:00:04.0
E: DEVNAME=/dev/vdx
E: DEVTYPE=disk
E: ID_SERIAL=odd
E: MAJOR=252
E: MINOR=0
E: SUBSYSTEM=block
E: SECRET_OF_A_LOCAL_RULE=canary
A: dev=252:0\\n
A: ro=0\\n
A: removable=0\\n
A: size=20971520\\n
A: queue/logical_block_size=4096\\n
A: queue/physical_block_size=4096\\n
A: queue/rotational=0\\n

P: /devices/pci0000:00/0000:00:04.0/virtio1/block/vdx/vdx1
N: vdx1
E: DEVNAME=/dev/vdx1
E: DEVTYPE=partition
E: ID_FS_TYPE=crypto_LUKS
E: ID_PART_ENTRY_NUMBER=1
E: MAJOR=252
E: MINOR=1
E: SUBSYSTEM=block
A: dev=252:1\\n
A: partition=1\\n
A: ro=0\\n
A: size=2048\\n
"""

REPLAY = """\
import os
from installer import __version__, process
from installer.machine import probe, recording
# The mocked /sys is reached through the environment, which programs of ours do not inherit.
process.ENVIRONMENT.update({key: os.environ[key] for key in ("LD_PRELOAD", "UMOCKDEV_DIR")})
print(recording.dump(probe.record()))
"""


@pytest.mark.needs("umockdev-run")
def test_records_what_udev_says(tmp_path: Path) -> None:
    """lsblk, blkinfo and pyudev see one mocked disk with 4096-byte sectors; its size is still in 512-byte units."""
    (tmp_path / "disk.umockdev").write_text(UMOCKDEV)
    done = subprocess.run(
        ["umockdev-run", "--device", tmp_path / "disk.umockdev", "--", sys.executable, "-c", REPLAY],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
    (tmp_path / "machine.json").write_text(done.stdout)
    told = recording.load(tmp_path / "machine.json")
    assert "canary" not in done.stdout
    assert told.listed == ("vdx",)
    assert told.zroot == __version__
    (found,) = read(told).disks
    assert (found.size, found.logical_sector, found.serial) == (20971520 * 512, 4096, "odd")
    assert found.link == "/dev/disk/by-id/virtio-odd"


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Replace every program by one that lsblk alone answers; return what was asked."""
    asked: list[tuple[str, ...]] = []

    def start(argv: tuple[str, ...], **_: object) -> tuple[str, ...]:
        asked.append(argv)
        return argv

    def finish(argv: tuple[str, ...]) -> process.Completed:
        return process.Completed(argv=argv, status=0, out=json.dumps(LSBLK) if argv[0] == "lsblk" else "", err="")

    monkeypatch.setattr(probe, "Program", start)
    monkeypatch.setattr(process, "finish", finish)
    monkeypatch.setattr(blk, "devices", dict)
    return asked


@pytest.mark.parametrize("first", [(), Refusal("The disks of this machine cannot be listed.")])
def test_lists_once_more_when_a_disk_came_in_between(
    monkeypatch: pytest.MonkeyPatch, tools: list[tuple[str, ...]], first: tuple[str, ...] | Refusal
) -> None:
    answers: list[tuple[str, ...] | Refusal] = [first, ("vda",)]

    def listed() -> tuple[str, ...]:
        answer = answers.pop(0)
        if isinstance(answer, Refusal):
            raise answer
        return answer

    monkeypatch.setattr(blk, "listed", listed)
    assert probe.record().listed == ("vda",)
    assert [argv[0] for argv in tools].count("udevadm") == 2


def test_a_second_empty_list_is_an_error(monkeypatch: pytest.MonkeyPatch, tools: list[tuple[str, ...]]) -> None:
    def listed() -> tuple[str, ...]:
        raise Refusal("The disks of this machine cannot be listed.")

    monkeypatch.setattr(blk, "listed", listed)
    with pytest.raises(Refusal, match="cannot be listed"):
        probe.record()
    assert tools


@pytest.mark.parametrize("loaded", [True, False])
def test_asks_zpool_only_where_the_module_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tools: list[tuple[str, ...]], loaded: bool
) -> None:
    """Without the module zpool may load it; and never is anything imported."""
    monkeypatch.setattr(blk, "listed", lambda: ("vda",))
    monkeypatch.setattr(probe, "_files", lambda: {recording.ZFS_MODULE: "2.3.2"} if loaded else {})
    told = probe.record()
    asked = [argv for argv in tools if argv[0] == "zpool"]
    assert asked == ([("zpool", "status", "-j"), ("zpool", "import")] if loaded else [])
    assert ("zpool import" in told.commands) is loaded


@pytest.mark.usefixtures("tools")
def test_a_missing_or_hanging_tool_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    finish = process.finish

    def start(argv: tuple[str, ...], **_: object) -> tuple[str, ...]:
        if argv[0] == "pvs":
            raise Refusal("The program pvs is missing.")
        return argv

    def hang(argv: tuple[str, ...]) -> process.Completed:
        if argv == ("zpool", "import"):
            raise process.HangError("It has not ended after 60 seconds.")
        return finish(argv)  # type: ignore[arg-type]

    monkeypatch.setattr(probe, "Program", start)
    monkeypatch.setattr(process, "finish", hang)
    monkeypatch.setattr(probe, "_files", lambda: {recording.ZFS_MODULE: "2.3.2"})
    monkeypatch.setattr(blk, "listed", lambda: ("vda",))
    assert set(probe.record().commands) == {"modinfo -F version zfs", "zpool status -j"}


class FakeBlkinfo:
    """blkinfo as its traps have it: nothing found, or an error when a device appears between its two calls."""

    def __init__(self, disks: list[dict[str, object]] | None) -> None:
        self._disks = disks

    def BlkDiskInfo(self) -> FakeBlkinfo:  # noqa: N802 - blkinfo's name
        if self._disks is None:
            raise KeyError("sdz")
        return self

    def get_disks(self) -> list[dict[str, object]]:
        return self._disks or []


@pytest.mark.parametrize("disks", [[], None])
def test_no_disks_from_blkinfo_is_an_error_while_the_kernel_has_some(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, disks: list[dict[str, object]] | None
) -> None:
    monkeypatch.setattr(blk, "blkinfo", FakeBlkinfo(disks))
    monkeypatch.setattr(blk, "SYS_BLOCK", tmp_path)
    assert blk.listed() == ()
    (tmp_path / "vda").mkdir()
    with pytest.raises(Refusal, match="cannot be listed"):
        blk.listed()


def test_members_that_blkinfo_hides_behind_an_array_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 11, fault 12: they must be seen to be refused"""
    array = {"kname": "md0", "parents": ["sda", "sdb"]}
    monkeypatch.setattr(blk, "blkinfo", FakeBlkinfo([array, {"kname": "sdc", "parents": []}]))
    assert blk.listed() == ("md0", "sda", "sdb", "sdc")


def test_machine_here_can_be_recorded_and_read() -> None:
    """On any machine with lsblk and /sys, root or not."""
    told = probe.record()
    assert read(told).kernel == os.uname().release
    assert all(isinstance(answer, Said) for answer in told.commands.values())


class FakeMonitor:
    def __init__(self, answers: list[object]) -> None:
        self._answers = answers

    def poll(self, _seconds: float) -> object:
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, OSError):
            raise answer
        return answer


@pytest.mark.parametrize(
    ("answers", "changed", "monitors"),
    [([], False, 1), (["event"], True, 1), (["event", "event"], True, 1), ([OSError(105, "overflow")], True, 2)],
)
def test_an_event_or_a_dead_monitor_means_something_changed(
    monkeypatch: pytest.MonkeyPatch, answers: list[object], changed: bool, monitors: int
) -> None:
    made: list[FakeMonitor] = []

    def listening(_self: hotplug.Watch) -> FakeMonitor:
        made.append(FakeMonitor(answers))
        return made[-1]

    monkeypatch.setattr(hotplug.Watch, "_listening", listening)
    watch = hotplug.Watch()
    assert watch.wait(0) is changed
    assert watch.wait(0) is False
    assert len(made) == monitors


@pytest.mark.needs("udev")
def test_a_monitor_can_be_had_without_root() -> None:
    assert hotplug.Watch().wait(0) in (True, False)
