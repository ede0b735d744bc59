"""Other recipes than the shipped mirror, installed and booted: every layer's other choices, few machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from installer.recipe.model import Firmware
from tests.vm import guest, installs
from tests.vm.guest import HEALTH, Findings
from tests.vm.installs import RECIPE, SECRETS, SERIALS, Copy, empty, prepared, quick
from tests.vm.places import RESULTS, ROOT
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]

SINGLE = ROOT / "recipes/debian-luks-single.toml"
FOUR = {role: f"ZROOT-VM-{role.upper()}" for role in "abcd"}
QUESTIONS = {**HEALTH, "swap": "swapon --show=NAME,TYPE --noheadings --raw", "address": "ip -brief -4 address"}


def install(  # noqa: PLR0913 - what variants vary
    name: str,
    *,
    iso: Path,
    text: str,
    change: installs.Change,
    firmware: Firmware = Firmware.BIOS,
    serials: Mapping[str, str] = SERIALS,
    network: bool = False,
) -> Copy:
    """Replay a changed recipe onto blank disks and return them."""
    machine = replace(empty(RESULTS / f"variant-{name}", iso=iso, firmware=firmware, serials=serials), network=network)
    volume = Volume.make(
        machine.folder / "volume.img", installs.files(prepared(text, change=change, serials=serials), SECRETS)
    )
    installs.replay(machine, volume)
    return machine


def swap_partition(recipe: tomlkit.TOMLDocument, code: str) -> None:
    """Put a partition for swap before the pool's."""
    recipe["partition"].insert(3, {"name": "swap", "size": "512M", "type": code})


def native(recipe: tomlkit.TOMLDocument) -> None:
    """ZFS's own encryption, swap with a new key at each boot, a fixed address, a package from the network."""
    pool = recipe["pool"]["rpool"]
    del recipe["crypt"]
    swap_partition(recipe, "8200")
    recipe["partition"][4]["type"] = "bf00"
    pool["vdevs"] = [{"kind": "mirror", "over": "partition.pool"}]
    pool["encryption"] = {"iterations": 100_000}
    recipe["swap"] = {"kind": "random-key", "over": "partition.swap"}
    recipe["system"]["network"] = {
        "interface": "ens3",
        "address": "10.0.2.77/24",
        "gateway": "10.0.2.2",
        "dns": ["10.0.2.3"],
    }
    recipe["system"]["packages"] = ["tree"]


def single(recipe: tomlkit.TOMLDocument) -> None:
    """One disk, swap on a zvol."""
    quick(recipe)
    recipe["swap"] = {"kind": "zvol", "size": "512M"}


def raidz2(recipe: tomlkit.TOMLDocument) -> None:
    """Any two of four disks may die; swap is mirrored and encrypted."""
    recipe["pool"]["rpool"]["vdevs"] = [{"kind": "raidz2", "over": "crypt.pool"}]
    swap_partition(recipe, "fd00")
    recipe["raid"]["swap"] = {"over": "partition.swap", "level": 1}
    recipe["crypt"]["swap"] = {"over": "raid.swap", "kind": "luks2"}
    recipe["swap"] = {"kind": "raid", "over": "crypt.swap"}
    quick(recipe)


def striped_mirrors(recipe: tomlkit.TOMLDocument) -> None:
    """Two mirrors of two disks."""
    recipe["pool"]["rpool"]["vdevs"] = [{"kind": "striped-mirrors", "over": "crypt.pool"}]
    quick(recipe)


def assert_up(found: Findings, *, pool: str = "ONLINE") -> None:
    """One prompt, /boot mounted, nothing failed."""
    assert found.prompts == 1
    assert found["pool"] == pool, found["status"]
    assert "ext4" in found["boot"]
    assert found["failed"] == ""
    assert found["state"] == "running"


def test_native_encryption_with_random_key_swap_fixed_address_and_a_package(iso: Path) -> None:
    machine = install("native", iso=iso, text=RECIPE.read_text(), change=native, network=True)
    found = guest.boot(machine.machine("boot"), {**QUESTIONS, "package": "command -v tree"})
    assert_up(found)
    assert len(found["swap"].splitlines()) == 2, found["swap"]
    assert "10.0.2.77/24" in found["address"]
    assert found["package"] == "/usr/bin/tree"
    without = guest.boot(machine.machine("without-a", without=["a"]), QUESTIONS)
    assert without["pool"] == "DEGRADED", without["status"]
    assert without.prompts == 1


def test_one_disk_with_swap_on_a_zvol(iso: Path) -> None:
    serials = {"a": SERIALS["a"]}
    machine = install(
        "single", iso=iso, text=SINGLE.read_text(), change=single, firmware=Firmware.UEFI, serials=serials
    )
    found = guest.boot(machine.machine("boot"), QUESTIONS)
    assert_up(found)
    assert found["swap"].startswith("/dev/zd"), found["swap"]


@pytest.mark.parametrize("kind", [raidz2, striped_mirrors])
def test_four_disks_come_up_with_any_one_missing(iso: Path, kind: installs.Change) -> None:
    recipe: Any = tomlkit.parse(RECIPE.read_text())
    for role in FOUR:
        recipe["disks"][role] = {}
    machine = install(kind.__name__, iso=iso, text=tomlkit.dumps(recipe), change=kind, serials=FOUR)
    found = guest.boot(machine.machine("boot"), QUESTIONS)
    assert_up(found)
    if kind is raidz2:
        assert found["swap"].startswith("/dev/dm-"), found["swap"]
    for role in FOUR:
        copy = replace(machine, disks={r: disk.overlay(fresh(machine, role)) for r, disk in machine.disks.items()})
        without = guest.boot(copy.machine(f"without-{role}", without=[role]), QUESTIONS)
        assert without["pool"] == "DEGRADED", without["status"]
        assert without.prompts == 1
        assert "ext4" in without["boot"]


def fresh(machine: Copy, role: str) -> Path:
    """Return a folder for the overlays of a boot without this disk."""
    folder = machine.folder / f"disks-without-{role}"
    folder.mkdir()
    return folder
