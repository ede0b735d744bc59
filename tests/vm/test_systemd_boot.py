"""systemd-boot: every ESP holds the kernels, so each disk starts the machine alone, also after an update."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest, installs
from tests.vm.guest import HEALTH, Findings
from tests.vm.installs import Copy, empty, prepared, quick
from tests.vm.places import RESULTS, ROOT
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]

RECIPE = ROOT / "recipes/debian-luks-mirror-systemd-boot.toml"
COMPARE = (
    "for serial in $(sed -n 's/^systemd-boot //p' /etc/zroot/boot); do"
    " mount -o ro /dev/disk/by-uuid/${serial%????}-${serial#????} /mnt || continue;"
    " cmp /mnt/EFI/debian/vmlinuz-$(uname -r) /boot/vmlinuz-$(uname -r) &&"
    " cmp /mnt/EFI/debian/initrd.img-$(uname -r) /boot/initrd.img-$(uname -r) && echo same; umount /mnt; done"
)
"""Says `same` for each ESP whose kernel and initramfs are those of /boot."""
QUESTIONS = {
    **{name: question for name, question in HEALTH.items() if name not in ("boot", "arrays")},
    "loader": "tr -d '\\0' < /sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f",
    "entries": "efibootmgr | grep -c 'Debian on disk'",
    "mounted": "findmnt --noheadings --types vfat,autofs --output TARGET,SOURCE | grep -v /proc",
    "esps": COMPARE,
}


@pytest.fixture(scope="module")
def installed_by_systemd_boot(iso: Path) -> Copy:
    """Return the recipe installed by UEFI; a test that writes to its disks takes a copy."""
    machine = empty(RESULTS / "systemd-boot", iso=iso, firmware=Firmware.UEFI)
    recipe = prepared(RECIPE.read_text(), change=quick)
    installs.replay(machine, Volume.make(machine.folder / "volume.img", installs.files(recipe)))
    return machine


def copy(machine: Copy, name: str) -> Copy:
    """Return the machine with its writes going elsewhere."""
    folder = machine.folder / f"disks-{name}"
    folder.mkdir()
    return replace(machine, disks={role: disk.overlay(folder) for role, disk in machine.disks.items()})


def assert_up(found: Findings, *, pool: str) -> None:
    """One prompt, started by systemd-boot, nothing failed, and no ESP mounted."""
    assert found.prompts == 1
    assert found["pool"] == pool, found["status"]
    assert found["root"] == "rpool/ROOT/debian"
    assert "systemd-boot" in found["loader"]
    assert found["mounted"] == ""
    assert found["failed"] == ""


def test_both_disks_hold_the_kernel_and_have_their_entry(installed_by_systemd_boot: Copy) -> None:
    found = guest.boot(copy(installed_by_systemd_boot, "both").machine("both"), QUESTIONS)
    assert_up(found, pool="ONLINE")
    assert found["entries"] == "2"
    assert found["esps"].split() == ["same", "same"]


def test_without_the_first_disk_the_second_one_starts(installed_by_systemd_boot: Copy) -> None:
    found = guest.boot(copy(installed_by_systemd_boot, "without-a").machine("without-a", without=["a"]), QUESTIONS)
    assert_up(found, pool="DEGRADED")
    assert found["esps"].split()[-1] == "same"


def test_an_initramfs_made_anew_reaches_every_esp_and_starts(installed_by_systemd_boot: Copy) -> None:
    updated = copy(installed_by_systemd_boot, "updated")
    with updated.machine("update") as machine:
        guest.unlock(machine)
        guest.log_in(machine)
        console = machine.console
        console.output("dracut --force --quiet /boot/initrd.img-$(uname -r) $(uname -r)", within=1800)
        assert "differ" in console.run(COMPARE).output
        # As apt calls it: what dracut's trigger makes anew calls no kernel hook.
        console.output("/usr/lib/zroot/boot-refresh --if-changed", within=300)
        assert console.output(COMPARE).split() == ["same", "same"]
        machine.power_off()
    assert_up(guest.boot(updated.machine("boot"), QUESTIONS), pool="ONLINE")
