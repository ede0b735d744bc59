"""Seed 004 as it is: storage for NixOS, its configuration on it, and what is to be run in NixOS's own installer.

nixos-install itself needs a network and NixOS; here a program of that name looks at what it would find.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest
import tomlkit

from installer.recipe.model import Firmware
from tests.vm import storage
from tests.vm.installs import INSTALL, PASSPHRASE, PASSWORD, SECRETS, prepared, quick
from tests.vm.places import ROOT
from tests.vm.serial import Console
from tests.vm.storage import DISKS, FOLDER

pytestmark = pytest.mark.vm

RECIPE = ROOT / "recipes/nixos-impermanent.toml"
OPEN = f"cryptsetup open --key-file - {DISKS}A-part2 cryptroot-a"
STUB = """#!/bin/sh
set -e
echo "$@" > /tmp/arguments
findmnt --list --noheadings --output TARGET,SOURCE | grep '^/mnt' > /tmp/mounts
cp /mnt/etc/nixos/*.nix /tmp
touch /mnt/left-by-the-installation /mnt/etc/nixos/kept
"""


@pytest.fixture(scope="module")
def live(iso: Path) -> Generator[Console]:
    """A live system with the recipe, the passphrase, and a stand-in for nixos-install."""
    text = prepared(RECIPE.read_text(), unattended=False, after="stay", change=quick, serials={"a": "STACK-A"})
    files = {"nixos.toml": text, "secrets.toml": tomlkit.dumps(SECRETS), "stub": STUB}
    files |= {"passphrase": PASSPHRASE, "password": PASSWORD}
    with storage.live("nixos", iso=iso, files=files, firmware=Firmware.UEFI, gib=8) as console:
        console.output(f"install -m 755 {FOLDER}/stub /usr/local/sbin/nixos-install")
        yield console


def test_nixos(live: Console, tmp_path: Path) -> None:
    """Made and closed; opened again by the script on the ESP; what was installed into the root is gone at the start."""
    made = live.run(f"zroot apply {FOLDER}/nixos.toml --secrets {FOLDER}/secrets.toml --erase STACK-A", within=INSTALL)
    assert made.status == 0, made.output
    assert live.output("ls /dev/mapper") == "control"
    assert live.output("zpool list -H -o name") == ""

    live.output("mkdir -p /esp && mount /dev/disk/by-label/ESP-A /esp")
    live.output(f"cat {FOLDER}/passphrase | sh /esp/zroot-nixos.sh", within=600)
    assert live.output("cat /tmp/arguments") == "--root /mnt --no-root-passwd"
    mounts = dict(line.split() for line in live.output("cat /tmp/mounts").splitlines())
    assert mounts["/mnt"] == "rpool/local/root"
    assert mounts["/mnt/nix"] == "rpool/local/nix"
    assert mounts["/mnt/etc/nixos"] == "rpool/safe/persist[/etc/nixos]"
    assert "/mnt/boot" in mounts
    assert live.output("zpool list -H -o name") == ""
    for name in ("configuration.nix", "hardware-configuration.nix"):
        (tmp_path / name).write_text(live.output(f"cat /tmp/{name}"))
        program = shutil.which("nix-instantiate")
        assert program, "nix-bin is missing: iso/host-packages tests/host-packages.list installs it"
        subprocess.run([program, "--parse", str(tmp_path / name)], check=True, capture_output=True)
    for link in set(live.output("grep -oh '/dev/disk/by-uuid/[^\"]*' /tmp/hardware-configuration.nix").splitlines()):
        live.output(f"test -b {link}")

    # What the service in the initramfs does, and then what is mounted there.
    live.output(f"cat {FOLDER}/passphrase | {OPEN}", within=300)
    live.output("zpool import -N -d /dev/mapper rpool && zfs rollback -r rpool/local/root@blank")
    live.output("mount -t zfs rpool/local/root /mnt && mkdir /tmp/kept && mount -t zfs rpool/safe/persist /tmp/kept")
    assert live.output("ls -A /mnt") == ""
    assert live.output("ls /tmp/kept/etc/nixos/kept /tmp/kept/var/log/zroot/plan.json")
    password = "/tmp/kept/etc/nixos-secrets/user"
    assert live.output(f"stat --format '%a %U' {password}") == "600 root"
    assert live.output(f"cut -c 1-3 {password}") == "$y$"
    assert live.run(f"grep -rF -f {FOLDER}/passphrase -f {FOLDER}/password /tmp/kept").status == 1
    live.output("umount /mnt /tmp/kept && zpool export rpool && cryptsetup close cryptroot-a", within=300)
