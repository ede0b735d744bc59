"""A pool that the user makes later does not keep the root pool from being imported (BOOT: zpool.cache)."""

from __future__ import annotations

import pytest

from tests.vm.life import Life
from tests.vm.test_boot import BY_BIOS

pytestmark = [pytest.mark.vm, BY_BIOS]

REBUILD = 1200.0
"""Seconds for dracut under emulation."""


def test_second_pool_and_own_initramfs_boot_the_same(bios: Life) -> None:
    made = bios["healthy"]
    assert made["tank"] == "ONLINE"
    assert made["rebuilt"] == "status 0"
    assert bios["after the cut"]["tank"].splitlines()[0] == "ONLINE"
    found = bios["without a"]
    assert found["pool"] == "DEGRADED", "without the second pool the root pool is imported all the same"


def test_trouble_is_mailed_to_root(bios: Life) -> None:
    """By both who watch: zed, when a member fails, and mdadm, asked for a test message."""
    mails = bios["healthy"]["mails"]
    assert "TestMessage event on /dev/md" in mails
    assert "ZFS device fault for pool" in mails
    assert mails.endswith("ONLINE")
