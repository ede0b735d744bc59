"""The machine as zroot understands it; every value is literal text or bytes counted from the tools' own words."""

from __future__ import annotations

from enum import StrEnum

from installer.frozen import Frozen


class Firmware(StrEnum):
    BIOS = "bios"
    UEFI = "uefi"


class Node(Frozen):
    """A partition, mapping, array or volume somewhere above a disk."""

    name: str
    """Kernel name: `vda1`, `dm-0`, `md127`."""
    path: str
    kind: str
    """lsblk's type: part, crypt, raid1, lvm, mpath, loop ..."""
    size: int
    fstype: str = ""
    label: str = ""
    uuid: str = ""
    part_label: str = ""
    part_type: str = ""
    part_uuid: str = ""
    number: int = 0
    """Partition number; 0 for anything else."""
    mounts: tuple[str, ...] = ()
    children: tuple[Node, ...] = ()


class Disk(Frozen):
    """A whole disk."""

    name: str
    path: str
    """/dev/vda: for words only; commands use `link`."""
    link: str
    """The stable name for commands: by-id (serial), else by-id (wwn), else by-path; `path` where udev made none."""
    by_id: tuple[str, ...] = ()
    by_path: tuple[str, ...] = ()
    serial: str = ""
    wwn: str = ""
    model: str = ""
    vendor: str = ""
    transport: str = ""
    size: int
    logical_sector: int = 512
    physical_sector: int = 512
    rotational: bool = False
    removable: bool = False
    read_only: bool = False
    kind: str = "disk"
    """lsblk's type: disk, rom, loop ..."""
    fstype: str = ""
    label: str = ""
    uuid: str = ""
    table: str = ""
    """gpt, dos or empty."""
    table_uuid: str = ""
    mounts: tuple[str, ...] = ()
    children: tuple[Node, ...] = ()

    @property
    def identity(self) -> str:
        """What consent names: serial, else WWN, else by-path, else the kernel's path."""
        return self.serial or self.wwn or next(iter(self.by_path), self.path)


class Member(Frozen):
    """A device that belongs to a pool or an array, as the tool printed it."""

    path: str
    state: str = ""


class Pool(Frozen):
    name: str
    guid: str = ""
    state: str = ""
    imported: bool
    members: tuple[Member, ...] = ()


class Array(Frozen):
    """An md array known to the kernel."""

    name: str
    """md127"""
    level: str
    active: bool
    members: tuple[str, ...]
    """Kernel names."""


class Machine(Frozen):
    """Everything that planning asks of a machine."""

    disks: tuple[Disk, ...]
    firmware: Firmware
    memory: int
    """Bytes."""
    secure_boot: bool = False
    root: bool = True
    """Whether the probe ran with the rights to see and change everything."""
    zfs: bool = True
    """Whether the zfs module is loaded or can be."""
    pools: tuple[Pool, ...] = ()
    arrays: tuple[Array, ...] = ()
    swaps: tuple[str, ...] = ()
    """Kernel names of active swap devices."""
    live_medium: tuple[str, ...] = ()
    """Kernel names of the disks that carry the running live system."""
    live: bool = False
    """Whether this is zroot's own live system."""
    image: str = ""
    """Path of the squashfs that the live system runs from."""
    kernel: str = ""
    """Release of the running kernel: `uname -r`."""
    os_mirror: str = ""
    """Debian mirror that the live image names, without credentials."""
