"""What a test needs from the machine: without it the test is skipped, and the reason names the Debian package."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from ctypes.util import find_library

import pytest

PACKAGES = {
    "apt-get": "apt",
    "curl": "curl",
    "cryptsetup": "cryptsetup-bin",
    "git": "git",
    "mdadm": "mdadm",
    "mkfs.fat": "dosfstools",
    "nix-instantiate": "nix-bin",
    "openssl": "openssl",
    "pgrep": "procps",
    "sgdisk": "gdisk",
    "systemd-escape": "systemd",
    "udevadm": "udev",
    "unsquashfs": "squashfs-tools",
    "umockdev-run": "umockdev",
    "zstd": "zstd",
}
"""Programs that the tests run for real, by the package that has each."""

LIBRARIES = {"udev": "libudev1"}
"""The same for libraries. tests/host-packages.list names all these packages."""


def reason(*names: str) -> str:
    """Return in words what has to be installed for these programs and libraries; nothing if they are there."""
    places: list[tuple[dict[str, str], Callable[[str], object]]] = [(PACKAGES, shutil.which), (LIBRARIES, find_library)]
    if unknown := [name for name in names if not any(name in packages for packages, _ in places)]:
        raise ValueError(f"no package is known for {', '.join(unknown)}")
    missing = [packages[name] for packages, find in places for name in names if name in packages and not find(name)]
    return f"needs the Debian package {' and '.join(missing)}" if missing else ""


def require(*names: str) -> None:
    """Skip what a fixture serves if something is missing; a test says it with the marker `needs`."""
    if words := reason(*names):
        pytest.skip(words)
