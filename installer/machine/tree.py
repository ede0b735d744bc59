"""What lsblk and udev said, joined by kernel name, with the edges that lsblk does not draw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from installer.machine import recording, said
from installer.machine.recording import Device, Recording
from installer.machine.said import Mount, clean

Entry = dict[str, Any]
"""One device as lsblk prints it in JSON."""


class Tree:
    """Devices by kernel name; `entries` are those that stand on nothing else."""

    def __init__(self, told: Recording) -> None:
        self.listed = frozenset(told.listed)
        self.cmdline = told.files.get(recording.CMDLINE, "")
        self.mount_table: tuple[Mount, ...] = said.mounts(told.files.get(recording.MOUNTINFO, ""))
        self._devices = told.devices
        self._entries: list[Entry] = told.lsblk.get("blockdevices", [])
        self._grafts = self._find_grafts()
        grafted = {self.kname(entry) for entries in self._grafts.values() for entry in entries}
        self.entries = tuple(entry for entry in self._entries if self.kname(entry) not in grafted)
        self._paths = self._index_paths()
        self._mounts = self._index_mounts()
        self.swaps = self._find_swaps(told.files.get(recording.SWAPS, ""))

    def kname(self, entry: Entry) -> str:
        """Return the kernel's name of a device."""
        return clean(entry["kname"])

    def device(self, name: str) -> Device:
        """Return what udev and /sys say of a device; nothing where they are silent."""
        return self._devices.get(name, Device())

    def size(self, entry: Entry) -> int:
        """Return the size in bytes; /sys counts in 512-byte units whatever the sector."""
        told = self.device(self.kname(entry)).attributes.get("size", "")
        return int(told) * 512 if told.isdigit() else int(entry.get("size") or 0)

    def number(self, entry: Entry, attribute: str, column: str) -> int:
        """Return a number from /sys, and from lsblk's column where /sys has none."""
        told = self.device(self.kname(entry)).attributes.get(attribute, "")
        return int(told) if told.isdigit() else int(entry.get(column) or 0)

    def mounts(self, name: str) -> tuple[str, ...]:
        """Return where a device is mounted."""
        return self._mounts.get(name, ())

    def children(self, entry: Entry) -> tuple[Entry, ...]:
        """Return what lies directly on a device."""
        return (*entry.get("children", []), *self._grafts.get(self.kname(entry), ()))

    def pairs(self) -> Iterator[tuple[Entry | None, Entry]]:
        """Yield every device with the one it lies on; a device on several comes once for each."""
        waiting: list[tuple[Entry | None, Entry]] = [(None, entry) for entry in self.entries]
        while waiting:
            parent, entry = waiting.pop(0)
            yield parent, entry
            waiting.extend((entry, child) for child in self.children(entry))

    def resolve(self, path: str) -> str:
        """Return the kernel name of a device by any of its paths; empty if there is none."""
        return self._paths.get(path, "")

    def below(self, name: str) -> tuple[str, ...]:
        """Return the names of what stands on nothing else under a device, itself if it does so."""
        return tuple(self.kname(entry) for entry in self.entries if name in self._names(entry))

    def _names(self, entry: Entry) -> set[str]:
        return {self.kname(entry)}.union(*(self._names(child) for child in self.children(entry)))

    def _find_grafts(self) -> dict[str, list[Entry]]:
        """Attach loops to the device behind them, and bcache to its parts where the kernel draws no link."""
        known = {self.kname(entry): entry for entry in self._all()}
        paths = {str(entry.get("path")): name for name, entry in known.items()}
        grafts: dict[str, list[Entry]] = {}
        for entry in self._entries:
            name = self.kname(entry)
            backing = paths.get(self.device(name).attributes.get("loop/backing_file", ""))
            if backing and backing != name:
                grafts.setdefault(backing, []).append(entry)
            if name.startswith("bcache"):
                for part, below in known.items():
                    if below.get("fstype") == "bcache":
                        grafts.setdefault(part, []).append(entry)
        return grafts

    def _all(self) -> Iterator[Entry]:
        waiting = list(self._entries)
        while waiting:
            entry = waiting.pop()
            yield entry
            waiting.extend(entry.get("children", []))

    def _index_paths(self) -> dict[str, str]:
        paths: dict[str, str] = {}
        # Mappings last: where a disk and the multipath device over it claim one link, udev gives it to the mapping.
        for name in sorted(self._devices, key=lambda name: (name.startswith("dm-"), name)):
            for link in self._devices[name].properties.get("DEVLINKS", "").split():
                paths[link] = name
        for entry in self._all():
            paths[str(entry.get("path"))] = self.kname(entry)
            paths["/dev/" + self.kname(entry).replace("!", "/")] = self.kname(entry)
        return paths

    def _index_mounts(self) -> dict[str, tuple[str, ...]]:
        numbers = {str(entry.get("maj:min")).strip(): self.kname(entry) for entry in self._all()}
        found: dict[str, list[str]] = {}
        for mount in self.mount_table:
            # btrfs and others mount under a device number that no block device has: their source tells.
            name = numbers.get(mount.device) or self.resolve(mount.source)
            if name:
                found.setdefault(name, []).append(clean(mount.point))
        for entry in self._all():
            told = entry.get("mountpoints") or [entry.get("mountpoint")]
            points = [clean(point) for point in told if point and point != "[SWAP]"]
            found.setdefault(self.kname(entry), []).extend(points)
        return {name: tuple(dict.fromkeys(points)) for name, points in found.items()}

    def _find_swaps(self, swaps: str) -> tuple[str, ...]:
        told = {self.resolve(path) for path in said.swaps(swaps)}
        seen = {
            self.kname(entry)
            for entry in self._all()
            if "[SWAP]" in (entry.get("mountpoints") or [entry.get("mountpoint")])
        }
        return tuple(sorted((told | seen) - {""}))
