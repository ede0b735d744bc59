"""A Debian of another release, from a tarball on the volume: installed, and started with one prompt."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import tomlkit

from installer.recipe.model import Firmware
from tests.vm import guest, installs
from tests.vm.guest import HEALTH
from tests.vm.installs import SECRETS, empty, prepared, quick
from tests.vm.places import RESULTS, ROOT
from tests.vm.tarball import SUITE, debian_tarball
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]

RECIPE = ROOT / "recipes/debian-from-tarball.toml"
QUESTIONS = {
    **HEALTH,
    "release": ". /etc/os-release && echo $VERSION_CODENAME",
    "features": "zpool get -H -o value compatibility rpool",
    "ZFS": "zfs version | head -n 1",
    "host keys": "ls /etc/ssh/ssh_host_*_key.pub | wc -l",
    "family": "dpkg-query --search /usr/lib/zroot/boot-refresh; cat /etc/zroot/boot",
    "network": "networkctl --no-legend --no-pager list | wc -l; readlink /etc/resolv.conf",
}


@pytest.fixture(scope="module")
def tarball() -> Path:
    """The tarball, made on this machine."""
    return debian_tarball()


def test_another_release_from_a_tarball_starts_with_one_prompt(iso: Path, tarball: Path) -> None:
    """fault 69"""

    def change(recipe: tomlkit.TOMLDocument) -> None:
        quick(recipe)
        with tarball.open("rb") as file:
            recipe["system"]["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()

    machine = empty(RESULTS / "tarball", iso=iso, firmware=Firmware.BIOS)
    recipe = prepared(RECIPE.read_text(), change=change)
    volume = Volume.make(
        machine.folder / "volume.img", installs.files(recipe, SECRETS), large={"debian.tar.zst": tarball}
    )
    installs.replay(machine, volume)
    found = guest.boot(machine.machine("boot"), QUESTIONS)
    guest.assert_healthy(found)
    assert found["release"] == SUITE
    assert found["features"] == "openzfs-2.1-linux"
    assert found["ZFS"].startswith("zfs-2.1."), found["ZFS"]
    assert int(found["host keys"]) >= 3
    assert len([line for line in found["family"].splitlines() if line.startswith(("bios ", "esp "))]) == 4
    without = guest.boot(machine.machine("without-a", without=["a"]), HEALTH)
    assert without["pool"] == "DEGRADED", without["status"]
    assert without.prompts == 1
    assert "ext4" in without["boot"]


def test_another_tarball_than_the_recipe_means_is_refused_before_anything_is_written(iso: Path, tarball: Path) -> None:
    def change(recipe: tomlkit.TOMLDocument) -> None:
        recipe["system"]["sha256"] = "0" * 64

    machine = empty(RESULTS / "tarball-refused", iso=iso, firmware=Firmware.BIOS)
    files = installs.files(prepared(RECIPE.read_text(), change=change), SECRETS)
    volume = Volume.make(machine.folder / "volume.img", files, large={"debian.tar.zst": tarball})
    with machine.live("refused", volume=volume) as live:
        live.console.wait_for("zroot: result: failed", within=installs.INSTALL)
    assert volume.result()["exit"] == 2
    assert "is not the one that the recipe means" in volume.result()["words"]
