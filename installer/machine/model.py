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
    group: str = ""
    """Volume group of an LVM volume."""
    busy: bool = False
    """Whether the kernel refused to open it for one user alone: mounted, claimed by a layer above, or held open."""
    openers: tuple[str, ...] = ()
    """Names of the programs that have it open."""
    children: tuple[Node, ...] = ()


class Disk(Frozen):
    """A whole disk."""

    name: str
    path: str
    """/dev/vda: for words only; commands use `link`."""
    link: str
    """The stable name for commands: by-id (serial), else by-id (wwn), else by-path; `path` where udev made none."""
    by_id: tuple[str, ...] = ()
    """Full paths under /dev/disk/by-id that udev gave to this disk and to no other one."""
    by_path: tuple[str, ...] = ()
    """Full paths under /dev/disk/by-path, likewise."""
    serial: str = ""
    wwn: str = ""
    """Empty too where the disk says nothing but zeros."""
    ambiguous: tuple[str, ...] = ()
    """Serial and WWN of this disk that another disk has as well: they name neither."""
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
    """disk, or why it is none: rom, floppy, loop, nbd, zram, ram, zvol, bcache, mmc-boot, dm."""
    fstype: str = ""
    label: str = ""
    uuid: str = ""
    table: str = ""
    """gpt, dos or empty."""
    table_uuid: str = ""
    mounts: tuple[str, ...] = ()
    busy: bool = False
    openers: tuple[str, ...] = ()
    children: tuple[Node, ...] = ()

    @property
    def identity(self) -> str:
        """What consent names: serial, else WWN, else by-path, else the kernel's path; never what two disks share."""
        names = (self.serial, self.wwn, *self.by_path, self.path)
        return next(name for name in names if name and name not in self.ambiguous)


class Member(Frozen):
    """A device that belongs to a pool or an array, as the tool printed it."""

    path: str
    state: str = ""
    device: str = ""
    """Kernel name of the device it was found to be; empty for a file or a missing one."""


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


class VolumeGroup(Frozen):
    """An LVM volume group, active or not."""

    name: str
    members: tuple[str, ...]
    """Kernel names of its physical volumes."""


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
    groups: tuple[VolumeGroup, ...] = ()
    swaps: tuple[str, ...] = ()
    """Kernel names of active swap devices."""
    live_medium: tuple[str, ...] = ()
    """Kernel names of the disks that carry the running live system."""
    medium_lost: bool = False
    """Whether this is a live system whose medium cannot be found (copied to memory, or hidden by a boot loader)."""
    live: bool = False
    """Whether this is zroot's own live system."""
    image: str = ""
    """Path of the squashfs that the live system runs from."""
    kernel: str = ""
    """Release of the running kernel: `uname -r`."""
    os_mirror: str = ""
    """Debian mirror that the live image names, without credentials."""
    security_mirror: str = ""
    """Where it gets security updates from, likewise."""


class Address(Frozen):
    """An address that other machines can use."""

    interface: str
    address: str


class Network(Frozen):
    """How this machine can be reached."""

    addresses: tuple[Address, ...] = ()
    ssh: bool = False
    """Whether something listens on ssh's port for other machines."""
