"""A pool that the user makes later does not keep the root pool from being imported (BOOT: zpool.cache)."""

from __future__ import annotations

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest
from tests.vm.conftest import Installs
from tests.vm.qemu import blank

pytestmark = pytest.mark.vm

REBUILD = 1200.0
"""Seconds for dracut under emulation."""


def test_second_pool_and_own_initramfs_boot_the_same(installed: Installs) -> None:
    copy = installed(Firmware.BIOS).copy("second-pool")
    tank = blank(copy.folder / "tank.qcow2", gib=2, slot=2, serial="ZROOT-VM-TANK")
    with copy.machine("create", extra=[tank]) as machine:
        guest.unlock(machine)
        guest.log_in(machine)
        machine.console.output("zpool create tank /dev/disk/by-id/virtio-ZROOT-VM-TANK && echo kept > /tank/file")
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
