"""What the live console says before anybody has typed anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import live_cd, machine, two_blank_disks

from installer.machine import greeting as greetings
from installer.machine.greeting import greeting, last_run
from installer.machine.read import read


def test_console_says_how_to_replay() -> None:
    text = greeting(read(two_blank_disks()))
    for needed in (
        "serial disk-a",
        "serial disk-b",
        "Firmware: BIOS",
        "1.9 GiB",
        "ZROOT",
        "recipe.toml",
        "zroot apply",
    ):
        assert needed in text
    assert "sr0" not in text
    assert "No disks were found." in greeting(read(machine(live_cd()[0])))


def test_nothing_was_written_only_where_no_installation_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greetings, "LAST_RUN", tmp_path / "last-run.txt")
    found = read(two_blank_disks())
    assert "Nothing has been written to any disk." in greeting(found, last_run=last_run())
    (tmp_path / "last-run.txt").write_text("The disks are full.\nDisks a, b are partly written: " + "9 of 12 " * 20)
    text = greeting(found, last_run=last_run())
    assert "Nothing has been written" not in text
    assert "Last run: The disks are full.\nDisks a, b are partly written" in text
    assert max(map(len, text.splitlines())) < 80
