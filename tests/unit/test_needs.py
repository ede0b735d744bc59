"""What tests need from the machine is asked for before them, and its absence is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.needs import LIBRARIES, PACKAGES, reason, require

ROOT = Path(__file__).parents[2]
OF_EVERY_DEBIAN = {"apt"}


def test_every_package_that_a_test_may_need_is_asked_for() -> None:
    listed = (ROOT / "tests/host-packages.list").read_text().splitlines()
    assert {*PACKAGES.values(), *LIBRARIES.values()} <= {*listed, *OF_EVERY_DEBIAN}


def test_what_is_missing_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert reason("sgdisk", "mkfs.fat") == "needs the Debian package gdisk and dosfstools"
    with pytest.raises(pytest.skip.Exception, match="needs the Debian package gdisk"):
        require("sgdisk")
    for name in ("sgdisk", "mkfs.fat"):
        (tmp_path / name).touch(mode=0o755)
    assert reason("sgdisk", "mkfs.fat") == ""


def test_a_need_that_nobody_can_meet_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="sgdiks"):
        reason("sgdiks")
