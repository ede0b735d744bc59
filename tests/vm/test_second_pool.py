"""A pool that the user makes later does not keep the root pool from being imported (BOOT: zpool.cache)."""

from __future__ import annotations

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest
from tests.vm.conftest import Installs
from tests.vm.qemu import Machine, blank

pytestmark = pytest.mark.vm

REBUILD = 1200.0
"""Seconds for dracut under emulation."""


MAIL = "/var/mail/root"


def assert_trouble_is_mailed_to_root(machine: Machine) -> None:
    """Both who watch: zed, when a member fails, and mdadm, asked for a test message."""
    console = machine.console
    console.output("mdadm --monitor --scan --oneshot --test", within=300)
    console.output("zpool offline -f rpool pool-b", within=300)
    for word in ("TestMessage event on /dev/md", "ZFS device fault for pool"):
        console.output(f"timeout 300 sh -c 'until grep -q \"^Subject: .*{word}\" {MAIL}; do sleep 1; done'", within=400)
    console.output("zpool clear rpool && zpool wait -t resilver rpool", within=600)
    assert console.output("zpool list -H -o health rpool") == "ONLINE"


def test_second_pool_and_own_initramfs_boot_the_same(installed: Installs) -> None:
    copy = installed(Firmware.BIOS).copy("second-pool")
    tank = blank(copy.folder / "tank.qcow2", gib=2, slot=2, serial="ZROOT-VM-TANK")
    with copy.machine("create", extra=[tank]) as machine:
        guest.unlock(machine)
        guest.log_in(machine)
        machine.console.output("zpool create tank /dev/disk/by-id/virtio-ZROOT-VM-TANK && echo kept > /tank/file")
        assert_trouble_is_mailed_to_root(machine)
        machine.console.output("dracut --force --kver $(uname -r)", within=REBUILD)
        machine.power_off()
    with copy.machine("boot", extra=[tank]) as machine:
        found = guest.look(machine)
        guest.assert_healthy(found)
        assert machine.console.output("zpool list -H -o health tank; cat /tank/file").split() == ["ONLINE", "kept"]
        machine.power_off()
    found = guest.boot(copy.machine("without-tank"))
    assert found["pool"] == "ONLINE", found["status"]
    assert found.prompts == 1
