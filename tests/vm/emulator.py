"""The QEMU that runs the machines: the installed one, or a newer one that tests/vm/newer-qemu has unpacked."""

from __future__ import annotations

from pathlib import Path

from tests.vm.places import CACHE

INSTALLED = "qemu-system-x86_64"
NEWER = CACHE / "qemu"


def qemu(root: Path = NEWER) -> list[str]:
    """Return the beginning of QEMU's command line.

    A program of another Debian runs with that Debian's loader and libraries, and must be told where its firmware is.
    """
    program = root / "usr/bin" / INSTALLED
    if not program.exists():
        return [INSTALLED]
    libraries = root / "usr/lib/x86_64-linux-gnu"
    firmware = [argument for name in ("qemu", "seabios") for argument in ("-L", str(root / "usr/share" / name))]
    return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries), str(program), *firmware]
