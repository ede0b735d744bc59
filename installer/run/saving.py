"""Where a recipe, a script or a report can be kept, and how it gets there."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from itertools import count
from pathlib import Path, PurePosixPath

from installer.errors import ZrootError
from installer.frozen import Frozen
from installer.machine import words
from installer.machine.model import Disk, Machine, Node
from installer.run.durable import mounted

LABEL = "ZROOT"
FILE_SYSTEMS = ("vfat", "exfat", "ext4", "ext3", "ext2")
HOME = Path("/root")
POINT = "saving"
"""Where a stick is mounted, in the run folder, and only for as long as it takes."""


class Place(Frozen):
    """Somewhere to write files to."""

    words: str
    folder: str = ""
    """Of this system; empty for a device."""
    device: str = ""
    """A file system that is mounted for the purpose."""


def places(machine: Machine | None, *, chosen: Collection[str], run: Path) -> tuple[Place, ...]:
    """Return where files can go: sticks first, then this system's own memory. chosen names disks by identity."""
    found = [place for disk in machine.disks for place in _of(disk, machine, chosen)] if machine else []
    own = HOME if os.geteuid() == 0 and os.access(HOME, os.W_OK) else run
    lost = ", which forgets it at the next start" if machine and machine.live else ""
    return (*found, Place(words=f"the folder {own} of this system{lost}", folder=str(own)))


def _of(disk: Disk, machine: Machine, chosen: Collection[str]) -> Iterator[Place]:
    """Give the file systems of a disk that may be written to: of a stick any, of another disk those labelled ZROOT."""
    if disk.identity in chosen or disk.name in machine.live_medium or disk.read_only or disk.kind != "disk":
        return
    stick = disk.removable or disk.transport == "usb"
    bearers: tuple[Disk | Node, ...] = disk.children or (disk,)
    for bearer in bearers:
        if bearer.fstype in FILE_SYSTEMS and (stick or bearer.label == LABEL):
            named = f" {bearer.label}" if bearer.label else ""
            yield Place(words=f"{bearer.path}, {bearer.fstype}{named} on {words.describe(disk)}", device=bearer.path)


def save(place: Place, files: Mapping[str, str | Path], *, run: Path) -> tuple[str, ...]:
    """Write files (name to text, or to a file to copy) and return their names there; nothing is ever overwritten.

    Where one of the names is taken all of them get a number. Raises ZrootError.
    """
    try:
        if not place.device:
            return _write(Path(place.folder), files)
        with mounted(place.device, run / POINT, writable=True) as point:
            return _write(point, files)
    except OSError as error:
        raise ZrootError(
            f"It cannot be saved there: {error.strerror or error}.", hint="Choose another place."
        ) from None


def _write(folder: Path, files: Mapping[str, str | Path]) -> tuple[str, ...]:
    names = next(names for number in count(1) if not _taken(folder, names := _numbered(files, number)))
    for name, content in zip(names, files.values(), strict=True):
        file = folder / name
        if file.parent != folder:
            file.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content.read_bytes())
            stream.flush()
            os.fsync(descriptor)
    return names


def _taken(folder: Path, names: tuple[str, ...]) -> bool:
    return any(os.path.lexists(folder / PurePosixPath(name).parts[0]) for name in names)


def _numbered(names: Mapping[str, str | Path], number: int) -> tuple[str, ...]:
    """Put a number behind the first part of each name: `zroot-a-2.toml`, `undo-2/table`."""
    if number == 1:
        return tuple(names)
    found = []
    for name in names:
        first, *rest = PurePosixPath(name).parts
        top = PurePosixPath(first)
        found.append("/".join([f"{top.stem}-{number}{top.suffix}", *rest]))
    return tuple(found)
