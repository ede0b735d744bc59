"""The same recipe on disks that are full of an earlier installation."""

from __future__ import annotations

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest, installs
from tests.vm.conftest import Installs
from tests.vm.guest import HEALTH, IDENTITY
from tests.vm.installs import RECIPE, files, prepared, quick
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]


def test_reinstall_over_md_luks_and_zfs(installed: Installs) -> None:
    """fault 24, fault 25, fault 26, fault 27, fault 59"""
    copy = installed(Firmware.BIOS).copy("dirty")
    before = guest.boot(copy.machine("before"), IDENTITY)
    recipe = prepared(RECIPE.read_text(), change=quick)
    installs.replay(copy, Volume.make(copy.folder / "volume.img", files(recipe)))
    found = guest.boot(copy.machine("boot"), {**HEALTH, **IDENTITY})
    guest.assert_healthy(found)
    for what in ("LUKS UUIDs", "disk GUIDs", "pool GUID"):
        assert found[what] != before[what], f"the old {what} is still there"
