"""Ask the tools about this machine, changing nothing."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from installer import __version__, process
from installer.errors import Refusal, ZrootError
from installer.machine import blk, recording
from installer.machine.model import Machine
from installer.machine.read import read
from installer.machine.recording import Recording, Said
from installer.process import Program

LSBLK = ("lsblk", "--json", "--bytes", "--output-all")

ASKED = (("pvs", "--reportformat", "json", "-o", "pv_name,vg_name"), ("modinfo", "-F", "version", "zfs"))
ASKED_OF_ZFS = (("zpool", "status", "-j"), ("zpool", "import"))
"""`zpool import` without a name lists pools and imports none."""


def probe() -> Machine:
    """Return this machine; raises Refusal if its disks cannot be listed."""
    return read(record())


def record() -> Recording:
    """Return what the tools say about this machine; raises Refusal if its disks cannot be listed."""
    settle()
    files = _files()
    questions = ASKED + (ASKED_OF_ZFS if recording.ZFS_MODULE in files else ())
    # Side by side with the listing below: `zpool import` reads the labels of every disk.
    asked = {" ".join(argv): _begin(argv) for argv in questions}
    names, tree = _consistent_listing()
    said = {question: answer for question, running in asked.items() if (answer := _answer(running)) is not None}
    return Recording(
        zroot=__version__,
        listed=names,
        lsblk=tree,
        devices=blk.devices(),
        files=files,
        commands=said,
        efi=Path("/sys/firmware/efi").is_dir(),
        euid=os.geteuid(),
        kernel=os.uname().release,
    )


def settle() -> None:
    """Wait until udev has described every device that the kernel has announced, ten seconds at most."""
    _answer(_begin(("udevadm", "settle", "--timeout=10")))


def _consistent_listing() -> tuple[tuple[str, ...], dict[str, Any]]:
    """List the disks by blkinfo and by lsblk, once more if a device came or went in between."""
    try:
        names, tree = _listing()
        if _whole_disks(tree) <= set(names):
            return names, tree
    except Refusal:
        pass
    settle()
    return _listing()


def _whole_disks(tree: dict[str, Any]) -> set[str]:
    return {entry["kname"] for entry in tree["blockdevices"] if entry["type"] == "disk"}


def _listing() -> tuple[tuple[str, ...], dict[str, Any]]:
    # Status 1 and no output is its answer on a machine without any block device.
    lsblk = Program(LSBLK, timeout=60, success=(0, 1))  # beside blkinfo, which starts lsblk twice itself
    try:
        names = blk.listed()
    finally:
        said = process.finish(lsblk).out
    tree: dict[str, Any] = json.loads(said) if said.strip() else {"blockdevices": []}
    return names, tree


def _begin(argv: tuple[str, ...]) -> Program | None:
    """Start a program that may end with any status; None if it is not installed."""
    try:
        return Program(argv, timeout=60, success=tuple(range(256)))
    except ZrootError:
        return None


def _answer(running: Program | None) -> Said | None:
    """Return what a program says; None if there is none or it hangs."""
    try:
        done = process.finish(running) if running else None
    except ZrootError:
        return None
    return Said(status=done.status, out=done.out) if done else None


def _files() -> dict[str, str]:
    read_as_they_are = (recording.MDSTAT, recording.SWAPS, recording.ZFS_MODULE)
    found = {path: text for path in read_as_they_are if (text := _text(path)) is not None}
    if (text := _text(recording.CMDLINE)) is not None:
        found[recording.CMDLINE] = recording.without_secrets(text)
    if (text := _text(recording.MOUNTINFO)) is not None:
        found[recording.MOUNTINFO] = recording.local_mounts(text)
    if (text := _text(recording.MEMINFO)) is not None:
        found[recording.MEMINFO] = "".join(line for line in text.splitlines(True) if line.startswith("MemTotal:"))
    if (text := _text(recording.IMAGE)) is not None:
        found[recording.IMAGE] = recording.without_user(text)
    with contextlib.suppress(OSError):
        found[recording.SECURE_BOOT] = Path(recording.SECURE_BOOT).read_bytes().hex()
    return found


def _text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="backslashreplace")
    except OSError:
        return None
