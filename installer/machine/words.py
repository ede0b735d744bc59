"""Every sentence about a device and a machine. Plain characters only: they reach serial lines."""

from __future__ import annotations

from installer.machine.model import Disk, Firmware, Machine, Node

TRANSPORTS = {
    "nvme": "NVMe",
    "sata": "SATA",
    "ata": "ATA",
    "sas": "SAS",
    "scsi": "SCSI",
    "usb": "USB",
    "mmc": "SD card or eMMC",
    "iscsi": "iSCSI",
    "fc": "Fibre Channel",
}
NOT_A_DISK = {
    "rom": "It is an optical drive.",
    "floppy": "It is a floppy drive.",
    "loop": "It is a loop device: a file and not a disk.",
    "nbd": "It is a network block device.",
    "zram": "It is compressed memory and not a disk.",
    "ram": "It is memory and not a disk.",
    "zvol": "It is a volume of a ZFS pool and not a disk.",
    "bcache": "It is a cached device over other disks.",
    "mmc-boot": "It is a boot area of an eMMC and not a disk.",
}
FIRMWARE_RAIDS = {"isw": "Intel", "ddf": "DDF", "lsi_mega": "LSI", "via": "VIA", "nvidia": "NVIDIA"}
LINUX = ("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "bcachefs", "reiserfs", "nilfs2")
MACOS = ("apfs", "hfsplus", "hfs")
MICROSOFT_RESERVED = "e3c9e316-0b5c-4db8-817d-f92df00215ae"
EFI_SYSTEM = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
PART_TYPES = {
    MICROSOFT_RESERVED: "reserved by Windows",
    EFI_SYSTEM: "EFI system partition",
    "21686148-6449-6e6f-744e-656564454649": "BIOS boot partition",
}
"""What partitions without a file system are for."""
LAYERS = {"crypt": "open encryption", "lvm": "LVM volume", "mpath": "multipath device"}
"""What lies above partitions, by lsblk's type."""


def size(count: int) -> str:
    """Write a size as disks are sold: 1.0 TB."""
    return _scaled(count, 1000, ("bytes", "kB", "MB", "GB", "TB", "PB"))


def binary_size(count: int) -> str:
    """Write a size as memory is counted: 2.0 GiB."""
    return _scaled(count, 1024, ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"))


def both_sizes(count: int) -> str:
    """Write a size both ways, for where a recipe's binary units meet a disk's label: 1.0 TB (931.5 GiB)."""
    return f"{size(count)} ({binary_size(count)})"


def _scaled(count: int, step: int, units: tuple[str, ...]) -> str:
    value, unit = float(count), 0
    while unit + 1 < len(units) and value >= step - (0.05 if unit else 0):
        value, unit = value / step, unit + 1
    return f"{count} {units[0]}" if unit == 0 else f"{value:.1f} {units[unit]}"


def describe(disk: Disk) -> str:
    """Name a disk so that no other one answers to it: model, size, bus and its own name."""
    vendor = "" if disk.vendor in ("", "ATA", "NVMe") or disk.model.startswith(disk.vendor) else f"{disk.vendor} "
    nameless = "Virtual disk" if disk.transport == "virtio" else "Disk of unknown model"
    called = f"{vendor}{disk.model}" if disk.model else nameless
    bus = TRANSPORTS.get(disk.transport, disk.transport)
    return ", ".join(part for part in (called, size(disk.size), bus, _own_name(disk)) if part)


def _own_name(disk: Disk) -> str:
    if not disk.serial:
        return f"no serial, {disk.wwn or disk.identity}"
    if disk.serial in disk.ambiguous:
        return f"serial {disk.serial} like another disk, {disk.identity}"
    return f"serial {disk.serial}"


def not_a_disk(kind: str) -> str:
    """Say what something is that lsblk lists beside the disks."""
    return NOT_A_DISK.get(kind, "It is no disk of its own.")


def firmware_raid(fstype: str) -> str:
    """Name the maker of a firmware RAID by the signature of its members."""
    maker = fstype.removesuffix("_raid_member")
    return FIRMWARE_RAIDS.get(maker, maker)


def contents(disk: Disk) -> str:
    """Say what is on a disk and would be lost: systems first, then members of larger things, then partitions."""
    partitions = [node for node in disk.children if node.kind == "part"]
    # Of a partitioned disk the signature on the whole is the image's own (an ISO) or a leftover.
    bearers: list[Disk | Node] = [*partitions] or [disk]
    found = dict.fromkeys(word for word in (_windows(partitions), *map(_content, bearers)) if word)
    if partitions:
        count = len(partitions)
        found[f"{count} partition{'s' if count > 1 else ''}"] = None
    elif not found and disk.table:
        found["an empty partition table"] = None
    return ", ".join(found) or "empty"


def holds(node: Node) -> str:
    """Say what a partition holds; of a layer above one, what it is and holds."""
    layer = (
        "" if node.kind == "part" else "md array" if node.name.startswith("md") else LAYERS.get(node.kind, node.kind)
    )
    inside = _windows([node]) or _content(node) or PART_TYPES.get(node.part_type.lower(), "")
    return ": ".join(part for part in (layer, inside) if part) or "nothing known"


def _windows(partitions: list[Node]) -> str:
    kinds = {node.fstype for node in partitions}
    if not kinds & {"ntfs", "BitLocker"}:
        return ""
    signs = [sign for sign, kind in (("NTFS", "ntfs"), ("BitLocker", "BitLocker")) if kind in kinds]
    is_system = "BitLocker" in kinds or any(node.part_type.lower() == MICROSOFT_RESERVED for node in partitions)
    return f"{'Windows' if is_system else 'Windows file system'} ({', '.join(signs)})"


def _content(device: Disk | Node) -> str:
    """Say what one partition or whole disk holds; nothing where _windows has said it or it is not worth a word."""
    kind, label = device.fstype, device.label
    if kind in MACOS:
        return f"macOS ({kind})"
    if kind in LINUX:
        return f"Linux ({kind})"
    said = {
        "zfs_member": f"member of ZFS pool {label}".strip(),
        "linux_raid_member": _raid(device),
        "LVM2_member": _group(device),
        "crypto_LUKS": "encrypted (LUKS)",
        "bcache": "part of a bcache",
        "mpath_member": "one path of a multipath device",
        "swap": "swap",
        "iso9660": f"medium {label}".strip(),
        "vfat": _fat(device),
        "exfat": f"exFAT {label}".strip(),
        "ntfs": "" if isinstance(device, Node) else "Windows file system (NTFS)",
        "BitLocker": "" if isinstance(device, Node) else "Windows (BitLocker)",
    }
    if kind in said:
        return said[kind]
    return f"member of a firmware RAID ({firmware_raid(kind)})" if kind.endswith("_raid_member") else kind


def _fat(device: Disk | Node) -> str:
    if isinstance(device, Node) and device.part_type.lower() == EFI_SYSTEM:
        return "EFI system partition"
    return f"FAT {device.label}".strip()


def _raid(device: Disk | Node) -> str:
    name = device.label or next((child.name for child in device.children), "")
    return f"member of RAID {name}".strip()


def _group(device: Disk | Node) -> str:
    group = next((child.group for child in device.children if child.group), "")
    return f"LVM volume group {group}" if group else "LVM"


def firmware(machine: Machine) -> str:
    """Say how the machine starts."""
    if machine.firmware is Firmware.BIOS:
        return "BIOS"
    return "UEFI, Secure Boot on" if machine.secure_boot else "UEFI, Secure Boot off"
