"""What a test needs from the machine: without it the test is skipped, and the reason names the Debian package."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from ctypes.util import find_library

import pytest

PACKAGES = {
    "apt-get": "apt",
    "cryptsetup": "cryptsetup-bin",
    "git": "git",
    "mdadm": "mdadm",
    "mkfs.fat": "dosfstools",
    "nix-instantiate": "nix-bin",
    "openssl": "openssl",
    "sgdisk": "gdisk",
    "udevadm": "udev",
    "umockdev-run": "umockdev",
    "zstd": "zstd",
}
"""Programs that the tests run for real, by the package that has each; tests/host-packages.list names those packages."""

LIBRARIES = {"udev": "libudev1"}


def missing(*names: str) -> list[str]:
    """Return the packages without which these programs and libraries are not there."""
    places: list[tuple[dict[str, str], Callable[[str], object]]] = [(PACKAGES, shutil.which), (LIBRARIES, find_library)]
    return [found[name] for found, look in places for name in names if name in found and not look(name)]


def require(*names: str) -> None:
    """Skip the test, or everything that a fixture serves, if something is missing; else do nothing."""
    if packages := missing(*names):
        pytest.skip(f"needs the Debian package {' and '.join(packages)}")
