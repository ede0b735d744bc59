"""The live system is a guest on other people's disks: it imports, opens and assembles nothing by itself."""

from __future__ import annotations

import pytest

from tests.vm import installs
from tests.vm.life import Life
from tests.vm.test_boot import BY_BIOS

pytestmark = [pytest.mark.vm, BY_BIOS]


def test_live_system_touches_nothing_of_what_it_finds(bios: Life) -> None:
    """An installed pair, a pool in clear and a volume group, none of them closed in order."""
    assert bios["healthy"]["tank"] == "ONLINE"
    copy = bios.copy("healthy")
    live = copy.live("live")
    live.disks = [*live.disks, *(copy.further(name, slot=slot) for slot, name in enumerate(("tank", "lvm"), start=2))]
    with live:
        live.console.live_shell(within=installs.INSTALL)
        ask = live.console.output
        signatures = set(ask("blkid --output export | sed -n 's/^TYPE=//p'", within=300).split())
        assert {"linux_raid_member", "crypto_LUKS", "zfs_member", "LVM2_member"} <= signatures
        assert ask("grep --no-messages '^md' /proc/mdstat; true") == ""
        assert ask("dmsetup ls") == "No devices found"
        assert ask("zpool list -H -o name") == ""
        assert ask("swapon --show --noheadings | grep -v zram; true") == ""
        assert ask("findmnt --noheadings --types ext4,vfat,zfs --output TARGET; true") == ""
        live.pull_plug()
