"""Who keeps a mount point, a pool or a device busy, in words."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from installer.frozen import Frozen


class Holder(Frozen):
    """A process and how it holds something."""

    pid: int
    name: str
    how: str


def holders(paths: Sequence[str], *, proc: Path = Path("/proc")) -> tuple[Holder, ...]:
    """Return the processes that use one of these paths or anything below, this one and its mounts excepted."""
    own_mounts = _namespace(proc / "self")
    found: dict[int, Holder] = {}
    for process in sorted((one for one in proc.iterdir() if one.name.isdigit()), key=lambda one: int(one.name)):
        if process.name == str(os.getpid()):
            continue
        how = next(_uses(process, paths, own_mounts), None)
        if how:
            pid = int(process.name)
            found[pid] = Holder(pid=pid, name=_name(process), how=how)
    return tuple(found.values())


def words(found: Sequence[Holder]) -> str:
    """Describe the holders, one a line; empty if there is none."""
    return "\n".join(f"Process {holder.pid} ({holder.name}) {holder.how}." for holder in found)


def mounted_under(path: str, *, proc: Path = Path("/proc/self")) -> tuple[str, ...]:
    """Return the mount points at and below a path, deepest first."""
    return tuple(sorted((point for point in _mount_points(proc) if _below(point, path)), key=len, reverse=True))


def mounted_devices(path: str, *, proc: Path = Path("/proc/self")) -> tuple[str, ...]:
    """Return the mount points at and below a path that lie on a block device: neither ZFS nor the kernel's own.

    A file system without a device has the major number 0.
    """
    lines = [line.split(" ") for line in _mount_lines(proc)]
    found = {_unescaped(fields[4]) for fields in lines if not fields[2].startswith("0:")}
    return tuple(sorted(point for point in found if _below(point, path)))


def _uses(process: Path, paths: Sequence[str], own_mounts: str) -> Iterator[str]:
    for link, sentence in (("root", "has its root in"), ("cwd", "works in"), ("exe", "runs from")):
        target = _target(process / link)
        if any(_below(target, path) for path in paths):
            yield f"{sentence} {target}"
    for target in _open_files(process):
        if any(_below(target, path) for path in paths):
            yield f"has {target} open"
    # A service with a mount namespace of its own (PrivateTmp, ProtectSystem) got copies of all mounts when it started.
    if _namespace(process) not in ("", own_mounts):
        for point in _mount_points(process):
            if any(_below(point, path) for path in paths):
                yield f"has {point} in a mount namespace of its own"


def _open_files(process: Path) -> list[str]:
    try:
        return [_target(link) for link in (process / "fd").iterdir()]
    except OSError:  # it ended while we looked
        return []


def _mount_points(process: Path) -> list[str]:
    return [_unescaped(line.split(" ")[4]) for line in _mount_lines(process)]


def _mount_lines(process: Path) -> list[str]:
    try:
        return (process / "mountinfo").read_text(errors="backslashreplace").splitlines()
    except OSError:
        return []


def _unescaped(point: str) -> str:
    return point.replace("\\040", " ")


def _namespace(process: Path) -> str:
    return _target(process / "ns/mnt")


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return "ended meanwhile"


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _below(target: str, path: str) -> bool:
    return target == path or target.startswith(path.rstrip("/") + "/")
