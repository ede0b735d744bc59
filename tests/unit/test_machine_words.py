"""What a person reads: sizes, what a disk holds, and the greeting of the live console."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import (
    GIB,
    earlier_install,
    live_cd,
    machine,
    two_blank_disks,
    virtio,
)

from installer.machine import greeting as greetings
from installer.machine import words
from installer.machine.greeting import greeting, last_run
from installer.machine.holders import nodes
from installer.machine.read import read


@pytest.mark.parametrize(
    ("count", "decimal", "binary"),
    [
        (0, "0 bytes", "0 bytes"),
        (999, "999 bytes", "999 bytes"),
        (1000204886016, "1.0 TB", "931.5 GiB"),
        (999_999_999, "1.0 GB", "953.7 MiB"),
        (2 * GIB, "2.1 GB", "2.0 GiB"),
    ],
)
def test_writes_sizes_for_people(count: int, decimal: str, binary: str) -> None:
    assert (words.size(count), words.binary_size(count)) == (decimal, binary)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"fstype": "ext4"}, "Linux (ext4)"),
        ({"fstype": "BitLocker"}, "Windows (BitLocker)"),
        ({"fstype": "zfs_member", "label": "tank"}, "member of ZFS pool tank"),
        ({"fstype": "isw_raid_member"}, "member of a firmware RAID (Intel)"),
        ({"fstype": "crypto_LUKS"}, "encrypted (LUKS)"),
        ({"pttype": "gpt"}, "an empty partition table"),
        ({}, "empty"),
    ],
)
def test_says_what_a_whole_disk_holds(facts: dict[str, str], text: str) -> None:
    """fault 28"""
    assert words.contents(read(machine(virtio("vda", **facts))).disks[0]) == text


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


def test_partition_and_what_lies_above_it_in_words() -> None:
    disks = {disk.name: disk for disk in read(earlier_install()).disks}
    told = [words.holds(node) for node, _ in nodes(disks["vdc"]).values()]
    assert told == ["encrypted (LUKS)", "open encryption: LVM volume group data-vg", "LVM volume"]
    assert words.holds(disks["vda"].children[0]) == "BIOS boot partition"
    assert words.holds(disks["vda"].children[1]) == "EFI system partition"
    assert words.holds(disks["vda"].children[2].children[0]) == "md array: Linux (ext4)"
