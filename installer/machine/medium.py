"""Where the running live system came from: the medium must never be offered."""

from __future__ import annotations

from pathlib import PurePosixPath

from installer.machine.said import Mount
from installer.machine.tree import Tree

MEDIUM_MOUNTS = (
    "/run/initramfs/live",  # dracut
    "/run/initramfs/isoscan",
    "/run/live/medium",  # live-boot
    "/run/live/findiso",
    "/lib/live/mount/medium",
    "/cdrom",  # casper
    "/isodevice",
    "/run/archiso/bootmnt",
)
IMAGE_MOUNTS = ("/", "/run/rootfsbase", "/rofs", "/run/archiso/airootfs")
"""Where a live system mounts its root image, from a loop over a file on the medium."""
NOT_ON_DISK = ("overlay", "tmpfs", "ramfs", "rootfs", "squashfs", "erofs")


def disks(tree: Tree, squashfs: str) -> tuple[str, ...]:
    """Return the kernel names of the disks that carry the live system; none if this is none or it cannot be found.

    squashfs is the path of the running image, empty if not known.
    """
    found = _mounted_at(tree, MEDIUM_MOUNTS) | _behind_image(tree)
    if squashfs and (mount := _containing(tree, squashfs)) and mount.point != "/":
        found.add(_device(tree, mount))
    if not found:
        found = _told_by_cmdline(tree)
    # Ventoy maps the image file's blocks on its stick; with the system in memory the mapping alone is left.
    found |= {tree.kname(entry) for _, entry in tree.pairs() if entry.get("name") == "ventoy"}
    return tuple(sorted({disk for name in _with_backing(tree, found - {""}) for disk in tree.below(name)}))


def is_live(tree: Tree, squashfs: str) -> bool:
    """Tell whether the running root is an image rather than an installed system."""
    roots = [mount.kind for mount in tree.mount_table if mount.point == "/"]
    return bool(squashfs) or (bool(roots) and roots[-1] in NOT_ON_DISK)


def _named(tree: Tree) -> set[str]:
    return {tree.kname(entry) for _, entry in tree.pairs()}


def _mounted_at(tree: Tree, points: tuple[str, ...]) -> set[str]:
    return {name for name in _named(tree) if set(tree.mounts(name)).intersection(points)}


def _behind_image(tree: Tree) -> set[str]:
    """Follow the loop that the root image is mounted from to the file behind it."""
    loops = {name for name in _mounted_at(tree, IMAGE_MOUNTS) if name.startswith("loop")}
    return _with_backing(tree, loops) - loops


def _with_backing(tree: Tree, names: set[str]) -> set[str]:
    """Add the devices that hold the files behind loops, as far down as it goes."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        found.add(name)
        backing = tree.device(name).attributes.get("loop/backing_file", "")
        if backing and (mount := _containing(tree, backing)) and (below := _device(tree, mount)):
            waiting |= {below} - found
    return found


def _containing(tree: Tree, path: str) -> Mount | None:
    """Return the mount that a path lies in; the last one wins, as it hides those before."""
    parents = [str(parent) for parent in (PurePosixPath(path), *PurePosixPath(path).parents)]
    around = [mount for mount in tree.mount_table if mount.point in parents]
    return max(reversed(around), key=lambda mount: len(mount.point), default=None)


def _device(tree: Tree, mount: Mount) -> str:
    numbers = {str(entry.get("maj:min")).strip(): tree.kname(entry) for _, entry in tree.pairs()}
    return numbers.get(mount.device) or tree.resolve(mount.source)


def _told_by_cmdline(tree: Tree) -> set[str]:
    """Find the medium that was copied to memory and let go by the label that the boot loader was told."""
    for word in tree.cmdline.split():
        if not word.startswith("root=live:"):
            continue
        key, _, value = word.removeprefix("root=live:").rpartition("=")
        if not key:
            return {tree.resolve(value)}
        column = "uuid" if key == "UUID" else "label"
        return {tree.kname(entry) for _, entry in tree.pairs() if entry.get(column) == value}
    return set()
