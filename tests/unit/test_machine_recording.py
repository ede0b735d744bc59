"""Recordings: replayed as they were written, kept without secrets, and refused when they are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from synthetic import (
    FIXTURES,
    FOLDER,
    earlier_install,
)

from installer.errors import Refusal
from installer.machine import recording, said
from installer.machine.greeting import greeting
from installer.machine.read import read
from installer.machine.recording import Recording


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_every_recording_replays(path: Path) -> None:
    told = recording.load(path)
    assert recording.dump(told) == path.read_text(), "a recording is kept as it was written"
    found = read(told)
    assert found.disks
    assert len({disk.link for disk in found.disks}) == len({disk.identity for disk in found.disks}) == len(found.disks)
    text = greeting(found)
    assert text.isascii()
    assert max(map(len, text.splitlines())) < 80
    assert not {char for char in text if not char.isprintable()} - {"\n"}


@pytest.mark.parametrize("name", FIXTURES)
def test_synthetic_recordings_are_what_the_code_makes(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text() == recording.dump(FIXTURES[name]())


def test_command_line_is_recorded_without_secrets() -> None:
    """fault 74"""
    line = (
        "BOOT_IMAGE=/k root=live:CDLABEL=Z rd.live.image rd.luks.key=/k:UUID=1 ip=dhcp password=canary "
        "systemd.set_credential=x:canary inst.wifi=canary rd.live.overlay.overlayfs=1 console=ttyS0"
    )
    kept = recording.without_secrets(line)
    assert kept == "root=live:CDLABEL=Z rd.live.image rd.live.overlay.overlayfs=1 console=ttyS0"


def test_mounts_are_recorded_without_options_and_network() -> None:
    """fault 74"""
    text = (
        "22 1 0:20 / / rw,relatime shared:1 - overlay over rw,lowerdir=/x\n"
        "30 22 8:1 / /data rw,nosuid shared:5 - ext4 /dev/sda1 rw,errors=remount-ro\n"
        "31 22 0:50 / /srv rw - cifs //host/share rw,username=canary,password=canary\n"
    )
    kept = recording.local_mounts(text)
    assert "canary" not in kept
    assert [(mount.device, mount.point, mount.kind) for mount in said.mounts(kept)] == [
        ("0:20", "/", "overlay"),
        ("8:1", "/data", "ext4"),
    ]
    assert (
        recording.without_user('mirror = "https://me:canary@deb.example.org/x"')
        == 'mirror = "https://deb.example.org/x"'
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("not json", "not a recorded machine"),
        ('{"recording": 2, "lsblk": {"blockdevices": []}}', "recording"),
        ('{"lsblk": {}}', "lists of devices"),
        ('{"lsblk": {"blockdevices": [{"name": "sda", "children": [1]}]}}', "kname"),
        (f'{{"lsblk": {{"blockdevices": []}}, "files": {{"{recording.SECURE_BOOT}": "?"}}}}', "hexadecimal"),
        ('{"lsblk": {"blockdevices": []}, "surprise": 1}', "surprise"),
        (b"\xff\xfe", "not a recorded machine"),
    ],
)
def test_refuses_what_is_no_recording(tmp_path: Path, content: str | bytes, why: str) -> None:
    path = tmp_path / "machine.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(Refusal, match=why):
        recording.load(path)


@pytest.mark.parametrize("make", [lambda path: path, lambda path: path.mkdir() or path])
def test_refuses_a_recording_that_is_no_file(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(Refusal, match="not a file"):
        recording.load(make(tmp_path / "machine"))


def test_reading_is_pure() -> None:
    told = earlier_install()
    before = recording.dump(told)
    assert read(told) == read(Recording.model_validate_json(before))
    assert recording.dump(told) == before
