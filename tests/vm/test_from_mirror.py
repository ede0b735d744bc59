"""A system from a Debian mirror over the network: refused without one, installed and started with one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest, installs
from tests.vm.guest import HEALTH
from tests.vm.installs import SECRETS, Copy, empty, prepared, quick
from tests.vm.places import RESULTS, ROOT
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]

RECIPE = ROOT / "recipes/debian-from-mirror.toml"
HOURS = 3 * 3600.0
"""Seconds: hundreds of packages are installed one by one, and DKMS compiles ZFS, perhaps under emulation."""


def machine_and_volume(name: str, iso: Path) -> tuple[Copy, Volume]:
    machine = empty(RESULTS / name, iso=iso, firmware=Firmware.BIOS)
    files = installs.files(prepared(RECIPE.read_text(), change=quick), SECRETS)
    return machine, Volume.make(machine.folder / "volume.img", files)


def test_without_a_network_it_is_refused_before_anything_is_written(iso: Path) -> None:
    """fault 64"""
    machine, volume = machine_and_volume("from-mirror-refused", iso)
    with machine.live("refused", volume=volume) as live:
        live.console.wait_for("zroot: result: failed", within=installs.INSTALL)
    assert volume.result()["exit"] == 2
    assert "dists/trixie/InRelease does not answer" in volume.result()["words"]


@pytest.mark.timeout(int(2 * HOURS))
def test_a_system_from_a_mirror_starts_with_one_prompt(iso: Path) -> None:
    machine, volume = machine_and_volume("from-mirror", iso)
    live = replace(machine, network=True).live("install", volume=volume)
    live.memory = 4096
    with live:
        said = live.console.wait_for("zroot: result: ok", "zroot: result: failed", within=HOURS)
        if said.endswith("ok"):
            live.wait_off(within=300)
    assert volume.result()["exit"] == 0, volume.result()["words"]
    found = guest.boot(machine.machine("boot"), {**HEALTH, "release": ". /etc/os-release && echo $VERSION_CODENAME"})
    guest.assert_healthy(found)
    assert found["release"] == "trixie"
