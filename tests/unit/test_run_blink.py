"""The light of a disk: reading only, in bursts, and over at once when it is to stop."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from installer.errors import Refusal
from installer.run.blink import BLOCK, blink


def test_reads_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    content = os.urandom(3 * BLOCK + 512)
    disk.write_bytes(content)
    modes = []
    opened = os.open

    def open_(path: str, flags: int) -> int:
        modes.append(flags & os.O_ACCMODE)
        return opened(path, flags)

    with monkeypatch.context() as patched:
        patched.setattr("installer.run.blink.os.open", open_)
        assert blink(str(disk), stop=lambda: False, seconds=0.1) >= BLOCK
    assert set(modes) == {os.O_RDONLY}
    assert disk.read_bytes() == content


def test_stops_when_it_is_told_to(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(2 * BLOCK))
    began = time.monotonic()
    rounds = iter([False, False, False])
    assert blink(str(disk), stop=lambda: next(rounds, True), seconds=60) > 0
    assert time.monotonic() - began < 10


def test_reads_with_a_rest_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(BLOCK))
    now, slept = [0.0], [0.0]

    def clock() -> float:
        now[0] += 0.01
        return now[0]

    def sleep(seconds: float) -> None:
        slept[0] += seconds
        now[0] += seconds

    monkeypatch.setattr("installer.run.blink.time.monotonic", clock)
    monkeypatch.setattr("installer.run.blink.time.sleep", sleep)
    blink(str(disk), stop=lambda: False, seconds=5)
    assert slept[0] > 0.5


def test_says_why_a_disk_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="missing cannot be read"):
        blink(str(tmp_path / "missing"), stop=lambda: False)
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(Refusal, match="empty cannot be read"):
        blink(str(empty), stop=lambda: False)
