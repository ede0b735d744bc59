"""Seed 000's last wish: authenticated encryption under ZFS, what it notices, and what it costs beside plain LUKS2."""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
import tomlkit

from installer.recipe.model import Firmware
from tests.vm import guest, installs, storage
from tests.vm.installs import INSTALL, PASSPHRASE, SERIALS, empty, prepared, quick
from tests.vm.places import RESULTS, ROOT
from tests.vm.qemu import blank
from tests.vm.serial import Console
from tests.vm.storage import DISKS, FOLDER
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]

MIB = 64
"""What is written each time."""
TIMES = 3
RECIPE = """
zroot = 1
title = "The same pool twice: over LUKS2, and over LUKS2 with integrity"

[disks.a]
serial = "STACK-A"
[disks.b]
serial = "STACK-B"

[[partition]]
name = "plain"
size = "320M"
type = "8309"
[[partition]]
name = "sums"
size = "320M"
type = "8309"
[[partition]]
name = "unused"
size = "rest"
type = "8300"

[crypt.plain]
over = "partition.plain"
discard = false
kdf = { memory = "64M", iterations = 4, parallel = 2 }

[crypt.sums]
over = "partition.sums"
kind = "luks2-integrity"
discard = false
kdf = { memory = "64M", iterations = 4, parallel = 2 }

[pool.plain]
vdevs = [{ kind = "mirror", over = "crypt.plain" }]
filesystem = { compression = "off" }

[pool.sums]
vdevs = [{ kind = "mirror", over = "crypt.sums" }]
filesystem = { compression = "off" }

[swap]
kind = "none"

[system]
source = "none"

[boot]
loader = "none"
"""


@pytest.fixture(scope="module")
def live(iso: Path) -> Generator[Console]:
    """A live system on which both pools have been made and are imported."""
    secrets = {"secrets.toml": tomlkit.dumps({"passphrase": PASSPHRASE}), "passphrase": PASSPHRASE}
    with storage.live("integrity", iso=iso, files={"recipe.toml": RECIPE} | secrets) as console:
        erase = "--erase STACK-A --erase STACK-B"
        made = console.run(f"zroot apply {FOLDER}/recipe.toml --secrets {FOLDER}/secrets.toml {erase}", within=INSTALL)
        assert made.status == 0, made.output
        for number, name in enumerate(("plain", "sums"), 1):
            for disk in "AB":
                opening = f"cryptsetup open --key-file - {DISKS}{disk}-part{number} {name}-{disk.lower()}"
                console.output(f"cat {FOLDER}/passphrase | {opening}", within=300)
            console.output(f"zpool import -d /dev/mapper {name}", within=300)
        yield console


def test_cost_of_integrity_beside_plain_luks(live: Console, capsys: pytest.CaptureFixture[str]) -> None:
    """The same amount, in turn, so that whatever else the machine does meets both; the figures are always shown."""
    live.output(f"dd if=/dev/urandom of=/dev/shm/file bs=1M count={MIB}", within=600)
    seconds = {"plain": 0.0, "sums": 0.0}
    for _ in range(TIMES):
        for name in seconds:
            written = live.output(f"dd if=/dev/shm/file of=/{name}/file bs=1M conv=fsync 2>&1", within=600)
            seconds[name] += float(re.findall(r"([0-9.]+) s,", written)[-1])
            live.output(f"rm /{name}/file; zpool sync {name}", within=600)
    ratio = seconds["sums"] / seconds["plain"]
    with capsys.disabled():
        print(f"\nwriting {TIMES * MIB} MiB: LUKS2 {seconds['plain']:.1f} s, with integrity {seconds['sums']:.1f} s")
        print(f"integrity costs {ratio:.2f} times the time of plain LUKS2")
    assert ratio > 0.5, "that cannot be: was the second pool made with integrity at all?"


def test_a_changed_sector_is_noticed_below_zfs_and_mended_by_it(live: Console) -> None:
    """What dm-crypt alone would decrypt to nonsense, dm-integrity refuses to give out; the other copy mends it."""
    live.output("dd if=/dev/urandom of=/sums/file bs=1M count=32 conv=fsync", within=600)
    before = live.output("sha256sum /sums/file", within=300)
    live.output("zpool export sums && cryptsetup close sums-b", within=300)
    # A few sectors in every second MiB, away from header and labels.
    damage = f"dd if=/dev/urandom of={DISKS}B-part2 bs=4096 count=16 conv=notrunc,fsync oflag=direct seek="
    live.output(f"for at in $(seq 8192 512 76800); do {damage}$at status=none; done", within=600)
    live.output(f"cat {FOLDER}/passphrase | cryptsetup open --key-file - {DISKS}B-part2 sums-b", within=300)
    live.output("zpool import -d /dev/mapper sums && zpool scrub -w sums", within=600)
    status = live.output("zpool status sums")
    assert "with 0 errors" in status, status
    assert "INTEGRITY AEAD ERROR" in live.output("dmesg")
    assert live.output("sha256sum /sums/file", within=300) == before


def with_integrity(recipe: tomlkit.TOMLDocument) -> None:
    """What the guided install makes of this choice."""
    quick(recipe)
    recipe["crypt"]["pool"]["kind"] = "luks2-integrity"
    recipe["crypt"]["pool"]["discard"] = False
    recipe["pool"]["rpool"]["properties"]["autotrim"] = "off"


def test_a_system_over_integrity_starts(iso: Path) -> None:
    """The initramfs has dm-integrity; the disk is small, because all of it is written once."""
    serials = {"a": SERIALS["a"]}
    machine = empty(RESULTS / "integrity-root", iso=iso, firmware=Firmware.UEFI, serials=serials)
    small = blank(machine.disks["a"].image, gib=6, slot=machine.disks["a"].slot, serial=serials["a"])
    machine = replace(machine, disks={"a": small})
    recipe = prepared((ROOT / "recipes/debian-luks-single.toml").read_text(), change=with_integrity, serials=serials)
    installs.replay(machine, Volume.make(machine.folder / "volume.img", installs.files(recipe)))
    found = guest.boot(machine.machine("boot"), {**guest.HEALTH, "layers": "dmsetup table"})
    assert found.prompts == 1
    assert found["pool"] == "ONLINE", found["status"]
    assert "integrity" in found["layers"], found["layers"]
    assert found["failed"] == ""
    assert found["state"] == "running"
