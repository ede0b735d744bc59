"""The volume labelled ZROOT: a small FAT disk with a recipe and its secrets, and later the result."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.vm.qemu import Disk

SLOT = 14
"""Far from the disks that are installed on, so that it takes no slot of theirs."""

MIB = 192
"""Room for the undo kit as well: each LUKS header takes 16 MiB."""


class Volume:
    """A FAT image with the label ZROOT, read and written from outside while no machine uses it."""

    def __init__(self, image: Path) -> None:
        self.image = image

    @classmethod
    def make(
        cls, image: Path, files: Mapping[str, str], *, large: Mapping[str, Path] | None = None, mib: int = MIB
    ) -> Volume:
        """Make the image with these text files at its top, and copies of these large ones."""
        large = large or {}
        image.unlink(missing_ok=True)
        image.parent.mkdir(parents=True, exist_ok=True)
        with image.open("wb") as sparse:
            sparse.truncate(mib * 1024**2 + sum(path.stat().st_size * 102 // 100 for path in large.values()))
        subprocess.run(["mkfs.fat", "-n", "ZROOT", str(image)], check=True, capture_output=True, env=_environment())
        volume = cls(image)
        for name, text in files.items():
            volume._mtools("mcopy", "-o", "-", f"::{name}", stdin=text.encode())
        for name, path in large.items():
            volume._mtools("mcopy", "-o", str(path), f"::{name}")
        return volume

    def disk(self) -> Disk:
        """Return the disk that carries it in a machine."""
        return Disk(image=self.image, slot=SLOT, serial="ZROOT-VOLUME")

    def read(self, name: str) -> bytes:
        """Return the content of a file on it. Raises FileNotFoundError."""
        try:
            return self._mtools("mtype", f"::{name}")
        except subprocess.CalledProcessError:
            raise FileNotFoundError(f"{name} is not on the ZROOT volume {self.image}") from None

    def result(self) -> dict[str, Any]:
        """Return zroot-result.json. Raises FileNotFoundError."""
        result: dict[str, Any] = json.loads(self.read("zroot-result.json"))
        return result

    def unpack(self, folder: Path) -> list[Path]:
        """Copy all files of it into a folder and return them."""
        folder.mkdir(parents=True, exist_ok=True)
        self._mtools("mcopy", "-s", "-n", "-o", "::*", str(folder))
        return [path for path in sorted(folder.rglob("*")) if path.is_file()]

    def _mtools(self, program: str, *arguments: str, stdin: bytes = b"") -> bytes:
        argv = [program, "-i", str(self.image), *arguments]
        return subprocess.run(argv, check=True, capture_output=True, input=stdin, env=_environment()).stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "MTOOLS_SKIP_CHECK": "1"}
