"""Recording -> Machine. Pure: the same recording gives the same machine anywhere."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from installer.machine import links, medium, pools, recording, said
from installer.machine.model import Array, Disk, Firmware, Machine, Node, VolumeGroup
from installer.machine.recording import Device, Recording
from installer.machine.said import clean
from installer.machine.tree import Tree

WHOLE = ("disk", "rom", "loop")
"""lsblk's types of what stands on its own."""

NOT_A_DISK = {
    r"fd\d+": "floppy",
    r"nbd\d+": "nbd",
    r"zram\d+": "zram",
    r"ram\d+": "ram",
    r"zd\d+": "zvol",
    r"bcache\d+": "bcache",
    r"mmcblk\d+(boot\d+|rpmb)": "mmc-boot",
}
"""What lsblk calls a disk and is none, by kernel name."""


def read(said_by_tools: Recording) -> Machine:
    """Understand a recording. Everything in the result is literal text, cleaned of control characters."""
    tree = Tree(said_by_tools)
    disks = links.name(tuple(_disk(entry, tree) for entry in tree.entries if _counts(entry, tree)), tree)
    image = _image(said_by_tools)
    squashfs = clean(image.get("image"))
    medium_disks = medium.disks(tree, squashfs)
    files = said_by_tools.files
    secure_boot = bytes.fromhex(files.get(recording.SECURE_BOOT, ""))[-1:] == b"\x01"
    return Machine(
        disks=disks,
        firmware=Firmware.UEFI if said_by_tools.efi else Firmware.BIOS,
        memory=_memory(files.get(recording.MEMINFO, "")),
        secure_boot=secure_boot,
        root=said_by_tools.euid == 0,
        zfs=_zfs(said_by_tools, secure_boot),
        pools=pools.read(said_by_tools, tree),
        arrays=_arrays(files.get(recording.MDSTAT, ""), tree),
        groups=_groups(said_by_tools, tree),
        swaps=tree.swaps,
        live_medium=medium_disks,
        medium_lost=not medium_disks and medium.is_live(tree, squashfs),
        live=recording.IMAGE in files,
        image=squashfs,
        kernel=clean(said_by_tools.kernel),
        os_mirror=recording.without_user(clean(image.get("mirror"))),
        security_mirror=recording.without_user(clean(image.get("security"))),
    )


def _counts(entry: dict[str, Any], tree: Tree) -> bool:
    """Tell whether an entry of lsblk's top level stands for a disk, offered or not."""
    name = tree.kname(entry)
    if entry["type"] == "loop" or _kind(entry, tree) in ("ram", "zram"):
        return tree.size(entry) > 0  # the kernel keeps empty ones ready
    return entry["type"] in WHOLE and name in tree.listed


def _kind(entry: dict[str, Any], tree: Tree) -> str:
    for pattern, kind in NOT_A_DISK.items():
        if re.fullmatch(pattern, tree.kname(entry)):
            return kind
    return clean(entry["type"])


def _disk(entry: dict[str, Any], tree: Tree) -> Disk:
    name = tree.kname(entry)
    device = tree.device(name)
    serial = _first(device, "SCSI_IDENT_SERIAL", "ID_SCSI_SERIAL", "ID_SERIAL_SHORT", "ID_SERIAL") or clean(
        device.attributes.get("serial") or device.attributes.get("device/serial") or entry.get("serial")
    )
    wwn = _first(device, "ID_WWN_WITH_EXTENSION", "ID_WWN") or clean(entry.get("wwn"))
    return Disk(
        name=name,
        path=f"/dev/{name.replace('!', '/')}",
        link=f"/dev/{name.replace('!', '/')}",
        serial=serial,
        wwn="" if _says_nothing(wwn) else wwn,
        model=clean(entry.get("model") or device.attributes.get("device/model") or device.properties.get("ID_MODEL")),
        vendor=clean(entry.get("vendor") or device.properties.get("ID_VENDOR")),
        transport=_transport(entry, device, name),
        size=tree.size(entry),
        logical_sector=tree.number(entry, "queue/logical_block_size", "log-sec") or 512,
        physical_sector=tree.number(entry, "queue/physical_block_size", "phy-sec") or 512,
        rotational=bool(tree.number(entry, "queue/rotational", "rota")),
        removable=bool(tree.number(entry, "removable", "rm")),
        read_only=bool(tree.number(entry, "ro", "ro")),
        kind=_kind(entry, tree),
        fstype=_fact(entry, device, "ID_FS_TYPE", "fstype"),
        label=clean(entry.get("label") or device.properties.get("ID_FS_LABEL")),
        uuid=_fact(entry, device, "ID_FS_UUID", "uuid"),
        table=_table(_fact(entry, device, "ID_PART_TABLE_TYPE", "pttype")),
        table_uuid=_fact(entry, device, "ID_PART_TABLE_UUID", "ptuuid"),
        mounts=tree.mounts(name),
        busy=device.busy,
        openers=tuple(clean(opener) for opener in device.openers),
        children=_children(entry, tree),
    )


def _children(entry: dict[str, Any], tree: Tree) -> tuple[Node, ...]:
    return tuple(_node(child, tree) for child in tree.children(entry))


def _node(entry: dict[str, Any], tree: Tree) -> Node:
    name = tree.kname(entry)
    device = tree.device(name)
    kind = NOT_A_DISK[r"bcache\d+"] if name.startswith("bcache") else clean(entry["type"])
    return Node(
        name=name,
        path=clean(entry.get("path")) or f"/dev/{name}",
        kind=kind,
        size=tree.size(entry),
        fstype=_fact(entry, device, "ID_FS_TYPE", "fstype"),
        label=clean(entry.get("label") or device.properties.get("ID_FS_LABEL")),
        uuid=_fact(entry, device, "ID_FS_UUID", "uuid"),
        part_label=clean(entry.get("partlabel") or device.properties.get("ID_PART_ENTRY_NAME")),
        part_type=_fact(entry, device, "ID_PART_ENTRY_TYPE", "parttype"),
        part_uuid=_fact(entry, device, "ID_PART_ENTRY_UUID", "partuuid"),
        number=_partition_number(device, name) if kind == "part" else 0,
        mounts=tree.mounts(name),
        group=_group(device, entry) if kind == "lvm" else "",
        busy=device.busy,
        openers=tuple(clean(opener) for opener in device.openers),
        children=_children(entry, tree),
    )


def _fact(entry: dict[str, Any], device: Device, key: str, column: str) -> str:
    """Take a fact from udev, and from lsblk where udev has none."""
    return clean(device.properties.get(key) or entry.get(column))


def _first(device: Device, *keys: str) -> str:
    return next((value for key in keys if (value := clean(device.properties.get(key)))), "")


def _says_nothing(wwn: str) -> bool:
    """Tell whether a WWN is all zeros, as cheap controllers report for every disk."""
    return not re.sub(r"^(0x|eui\.|naa\.|uuid\.|nvme\.|t10\.)", "", wwn).strip("0-")


def _transport(entry: dict[str, Any], device: Device, name: str) -> str:
    by_name = {"vd": "virtio", "nvme": "nvme", "mmcblk": "mmc"}
    told = clean(entry.get("tran")) or next((kind for start, kind in by_name.items() if name.startswith(start)), "")
    return told or clean(device.properties.get("ID_BUS"))


def _table(told: str) -> str:
    return {"PMBR": "dos"}.get(told, told)


def _partition_number(device: Device, name: str) -> int:
    told = device.properties.get("ID_PART_ENTRY_NUMBER") or device.properties.get("PARTN")
    told = told or device.attributes.get("partition") or (re.findall(r"\d+$", name) or ["0"])[0]
    return int(told) if told.isdigit() else 0


def _group(device: Device, entry: dict[str, Any]) -> str:
    """Name the volume group: device-mapper writes `group-volume`, with hyphens inside a name doubled."""
    told = clean(device.properties.get("DM_VG_NAME"))
    return told or re.split(r"(?<!-)-(?!-)", clean(entry["name"]))[0].replace("--", "-")


def _memory(meminfo: str) -> int:
    found = re.search(r"^MemTotal:\s*(\d+) kB", meminfo, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _zfs(said_by_tools: Recording, secure_boot: bool) -> bool:
    """Tell whether the module is loaded or could be: under Secure Boot the kernel refuses one made by DKMS."""
    installed = said_by_tools.commands.get("modinfo -F version zfs")
    can_be_loaded = installed is not None and installed.status == 0 and not secure_boot
    return recording.ZFS_MODULE in said_by_tools.files or can_be_loaded


def _image(said_by_tools: Recording) -> dict[str, Any]:
    """Read /etc/zroot-image, which our ISO lays down: mirror, security (mirrors) and image (path of the squashfs)."""
    try:
        return tomllib.loads(said_by_tools.files.get(recording.IMAGE, ""))
    except tomllib.TOMLDecodeError:
        return {}


def _arrays(mdstat: str, tree: Tree) -> tuple[Array, ...]:
    """Take the arrays from mdstat, and those that only lsblk shows (a recording without mdstat) from there."""
    told = said.arrays(mdstat)
    members: dict[str, set[str]] = {}
    levels = {}
    for parent, entry in tree.pairs():
        name = tree.kname(entry)
        if name.startswith("md") and parent is not None and entry["type"] != "part":
            members.setdefault(name, set()).add(tree.kname(parent))
            levels[name] = clean(entry["type"])
    known = {array.name for array in told}
    seen = (
        Array(name=name, level=levels[name], active=True, members=tuple(sorted(members[name])))
        for name in sorted(members)
        if name not in known
    )
    return (*told, *seen)


def _groups(said_by_tools: Recording, tree: Tree) -> tuple[VolumeGroup, ...]:
    """Take the volume groups from pvs where LVM is installed, and from the volumes that are active."""
    found: dict[str, set[str]] = {}
    if answer := said_by_tools.commands.get("pvs --reportformat json -o pv_name,vg_name"):
        for name, paths in said.volume_groups(answer.out).items():
            found.setdefault(clean(name), set()).update(filter(None, map(tree.resolve, paths)))
    for parent, entry in _volumes(tree):
        found.setdefault(_group(tree.device(tree.kname(entry)), entry), set()).add(tree.kname(parent))
    return tuple(VolumeGroup(name=name, members=tuple(sorted(found[name]))) for name in sorted(found))


def _volumes(tree: Tree) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (physical volume, logical volume), without the volumes over volumes of thin pools and snapshots."""
    for parent, entry in tree.pairs():
        if entry["type"] == "lvm" and parent is not None and parent["type"] != "lvm":
            yield parent, entry
