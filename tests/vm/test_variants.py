"""The other shipped recipes of one pool, installed and booted: every layer's other choices, few machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import tomlkit

from installer.recipe.model import Firmware
from tests.vm import guest, installs
from tests.vm.guest import HEALTH, Findings
from tests.vm.installs import SECRETS, SERIALS, Copy, empty, prepared, quick
from tests.vm.places import RESULTS, ROOT
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]

MIRROR = ROOT / "recipes/debian-luks-mirror.toml"
SINGLE = ROOT / "recipes/debian-luks-single.toml"
NATIVE = ROOT / "recipes/debian-native-mirror.toml"
RAIDZ2 = ROOT / "recipes/debian-luks-raidz2.toml"
STRIPED = ROOT / "recipes/debian-luks-striped-mirrors.toml"
FOUR = {role: f"ZROOT-VM-{role.upper()}" for role in "abcd"}
QUESTIONS = {**HEALTH, "swap": "swapon --show=NAME,TYPE --noheadings --raw", "address": "ip -brief -4 address"}
RAW_SEND = {
    "sent": "echo here is the canary > /home/canary && zfs snapshot rpool/home@sent"
    " && zfs send --raw rpool/home@sent > /run/stream && wc -c < /run/stream",
    "the canary in clear": "grep --count 'here is the canary' /run/stream",
    "received": "zfs receive -u rpool/received < /run/stream"
    " && zfs get -H -o value encryption,keystatus rpool/received",
    "mounted without its key": "zfs mount rpool/received 2> /dev/null && echo mounted || echo refused",
    # A copy left behind would be asked for at the next start.
    "the copy removed": "zfs destroy -r rpool/received",
}
"""The dataset's stream as it is on the disks, received where nobody has given the key."""


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


def native(recipe: tomlkit.TOMLDocument) -> None:
    """A cheap key, a fixed address, a package from the network."""
    recipe["pool"]["rpool"]["encryption"]["iterations"] = 100_000
    recipe["system"]["network"] = {
        "interface": "ens3",
        "address": "10.0.2.77/24",
        "gateway": "10.0.2.2",
        "dns": ["10.0.2.3"],
    }
    recipe["system"]["packages"] = ["tree"]


def single(recipe: tomlkit.TOMLDocument) -> None:
    """Swap on a zvol."""
    quick(recipe)
    recipe["swap"] = {"kind": "zvol", "size": "512M"}


def with_log_and_cache(recipe: tomlkit.TOMLDocument) -> None:
    """What the guided install makes of two more disks with these uses."""
    for role, use in (("c", "log"), ("d", "cache")):
        recipe["crypt"][use] = {"over": f"disk.{role}"}
        recipe["pool"]["rpool"]["vdevs"].append({"kind": "single", "over": f"crypt.{use}", "role": use})
    quick(recipe)


def assert_up(found: Findings, *, pool: str = "ONLINE") -> None:
    """One prompt, /boot mounted, nothing failed."""
    assert found.prompts == 1
    assert found["pool"] == pool, found["status"]
    assert "ext4" in found["boot"]
    assert found["failed"] == ""
    assert found["state"] == "running"


def test_native_encryption_with_random_key_swap_fixed_address_and_a_package(iso: Path) -> None:
    machine = install("native", iso=iso, text=NATIVE.read_text(), change=native, network=True)
    found = guest.boot(machine.machine("boot"), {**QUESTIONS, "package": "command -v tree", **RAW_SEND})
    assert_up(found)
    assert len(found["swap"].splitlines()) == 2, found["swap"]
    assert "10.0.2.77/24" in found["address"]
    assert found["package"] == "/usr/bin/tree"
    assert found["the canary in clear"] == "0"
    assert found["received"].split() == ["aes-256-gcm", "unavailable"]
    assert found["mounted without its key"] == "refused"
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


@pytest.mark.parametrize("recipe", [RAIDZ2, STRIPED], ids=["raidz2", "striped_mirrors"])
def test_four_disks_come_up_with_any_one_missing(iso: Path, recipe: Path) -> None:
    machine = install(recipe.stem, iso=iso, text=recipe.read_text(), change=quick, serials=FOUR)
    found = guest.boot(machine.machine("boot"), QUESTIONS)
    assert_up(found)
    losses = [[role] for role in FOUR]
    if recipe is RAIDZ2:
        assert found["swap"].startswith("/dev/dm-"), found["swap"]
        losses.append(["a", "c"])
    for lost in losses:
        name = "-".join(lost)
        copy = replace(machine, disks={r: disk.overlay(fresh(machine, name)) for r, disk in machine.disks.items()})
        without = guest.boot(copy.machine(f"without-{name}", without=lost), QUESTIONS)
        assert without["pool"] == "DEGRADED", without["status"]
        assert without.prompts == 1
        assert "ext4" in without["boot"]


def test_a_root_with_log_and_cache_starts_with_them_and_without(iso: Path) -> None:
    machine = install("uses", iso=iso, text=MIRROR.read_text(), change=with_log_and_cache, serials=FOUR)
    found = guest.boot(machine.machine("boot"), QUESTIONS)
    assert_up(found)
    assert "log-c" in found["status"]
    assert "cache-d" in found["status"]
    without = guest.boot(machine.machine("without-c-d", without=["c", "d"]), QUESTIONS)
    assert without.prompts == 1
    assert without["pool"] == "DEGRADED", without["status"]
    assert "imported without its log device" in without.console


def fresh(machine: Copy, name: str) -> Path:
    """Return a folder for the overlays of a boot without some disks."""
    folder = machine.folder / f"disks-without-{name}"
    folder.mkdir(exist_ok=True)
    return folder
