"""Files written into the new system: whole or not at all, and never through a link that leads out of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from installer.errors import ZrootError


def write(path: str, content: str, *, mode: int, within: str) -> None:
    """Write a file and its missing folders (0755). A link in its place is replaced, not followed.

    within is the target's root, or empty; a path below it must not leave it. Raises ZrootError, OSError.
    """
    file = Path(path)
    _check(file, within)
    _make_folders(file.parent, 0o755)
    _put(file, content.encode(), mode)


def save(folder: str, records: Mapping[str, Path], *, within: str) -> None:
    """Copy records into a folder (0700), each with mode 0600. Raises ZrootError, OSError."""
    place = Path(folder)
    _check(place / "record", within)
    _make_folders(place, 0o755)
    place.chmod(0o700)
    for name, source in records.items():
        if source.exists():
            _put(place / name, source.read_bytes(), 0o600)


def _check(file: Path, within: str) -> None:
    if not file.is_absolute() or ".." in file.parts:
        raise ZrootError(f"{file} is not a plain absolute path; nothing was written there.")
    if not within or not file.is_relative_to(within):
        return
    root = Path(within).resolve()
    if not file.parent.resolve().is_relative_to(root):
        raise ZrootError(
            f"A link on the way to {file} leads out of the new system, so the file was not written.",
            message=f"It leads to {file.parent.resolve()}.",
        )


def _make_folders(folder: Path, mode: int) -> None:
    for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        missing.mkdir()
        missing.chmod(mode)


def _put(file: Path, content: bytes, mode: int) -> None:
    fresh = file.with_name(f".{file.name}.zroot")
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(fd, "wb") as stream:
            stream.write(content)
            os.fchmod(fd, mode)
        fresh.replace(file)
    except OSError as error:
        # A file system that is full names no file, and half a file would take what room it has left.
        fresh.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(file)) from None
