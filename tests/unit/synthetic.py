"""Recordings made by hand, for what the project's virtual machines cannot show.

`python tests/unit/synthetic.py` writes them to tests/machines/; a test holds the files to this code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from installer.machine.recording import (
    CMDLINE,
    IMAGE,
    MDSTAT,
    MEMINFO,
    MOUNTINFO,
    SECURE_BOOT,
    SWAPS,
    ZFS_MODULE,
    Device,
    Recording,
    Said,
    dump,
)

FOLDER = Path(__file__).parents[1] / "machines"
GIB = 1024**3
LIVE_IMAGE = "/run/initramfs/live/LiveOS/squashfs.img"


class Block(NamedTuple):
    """A device as lsblk prints it, and every device in it as udev describes it."""

    entry: dict[str, Any]
    devices: dict[str, Device]


def block(  # noqa: PLR0913 - a device has many facts, and every test names the few that matter to it
    name: str,
    *children: Block,
    size: int = 6 * GIB,
    kind: str = "disk",
    links: tuple[str, ...] = (),
    properties: dict[str, str] | None = None,
    attributes: dict[str, str] | None = None,
    busy: bool = False,
    openers: tuple[str, ...] = (),
    **columns: Any,
) -> Block:
    """Make a device; `columns` are lsblk's, with underscores for hyphens and `maj_min` for `maj:min`."""
    told = {key.replace("maj_min", "maj:min").replace("_", "-"): value for key, value in columns.items()}
    entry = {"name": name, "kname": name, "path": f"/dev/{name}", "type": kind, "size": size, "mountpoints": [None]}
    entry |= told
    if children:
        entry["children"] = [child.entry for child in children]
    known = dict(properties or {})
    if links:
        known["DEVLINKS"] = " ".join(links)
    attributes = {"size": str(size // 512), **(attributes or {})}
    device = Device(properties=known, attributes=attributes, busy=busy, openers=openers)
    devices = {str(entry["kname"]): device}
    for child in children:
        devices |= child.devices
    return Block(entry, devices)


def virtio(name: str, *children: Block, serial: str = "", slot: int = 4, **facts: Any) -> Block:
    """Make a virtio disk with the links that udev gives to one."""
    links = [f"/dev/disk/by-path/{kind}0000:00:{slot:02x}.0" for kind in ("pci-", "virtio-pci-")]
    properties = {"ID_PATH": f"pci-0000:00:{slot:02x}.0"}
    if serial:
        links.append(f"/dev/disk/by-id/virtio-{serial}")
        properties["ID_SERIAL"] = serial
    return block(name, *children, links=tuple(links), properties=properties, **facts)


def part(disk: str, number: int, *children: Block, size: int = GIB, fstype: str = "", **facts: Any) -> Block:
    """Make a partition."""
    return block(f"{disk}{number}", *children, kind="part", size=size, fstype=fstype or None, **facts)


def machine(*blocks: Block, **facts: Any) -> Recording:
    """Make a recording of a zroot live system by BIOS with 2 GiB, unless `facts` say otherwise."""
    files = {MEMINFO: "MemTotal:        2015420 kB\n", ZFS_MODULE: "2.3.2-2\n"} | facts.pop("files", {})
    devices: dict[str, Device] = {}
    for found in blocks:
        devices |= found.devices
    entries = [found.entry for found in blocks]
    listed = tuple(sorted(entry["kname"] for entry in entries if entry["type"] in ("disk", "rom")))
    facts = {"listed": listed, "kernel": "6.12.0-amd64", "files": files} | facts
    return Recording(lsblk={"blockdevices": entries}, devices=devices, **facts)


def live_cd() -> tuple[Block, Block]:
    """Make the CD and the loop that zroot's own live system runs from."""
    cd = block("sr0", kind="rom", size=700 * 1024**2, fstype="iso9660", label="ZROOT-LIVE", maj_min="11:0", tran="sata")
    loop = block("loop0", kind="loop", size=600 * 1024**2, maj_min="7:0", attributes={"loop/backing_file": LIVE_IMAGE})
    return cd, loop


LIVE_FILES = {
    MOUNTINFO: (
        "22 1 0:20 / / rw - overlay LiveOS_rootfs rw\n"
        "30 22 11:0 / /run/initramfs/live rw - iso9660 /dev/sr0 rw\n"
        "31 22 7:0 / /run/rootfsbase rw - squashfs /dev/loop0 rw\n"
    ),
    CMDLINE: "root=live:CDLABEL=ZROOT-LIVE rd.live.image rd.live.overlay.overlayfs=1 console=ttyS0",
    IMAGE: f'mirror = "http://deb.example.org/debian"\nsecurity = ""\nimage = "{LIVE_IMAGE}"\n',
    SWAPS: "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
    MDSTAT: "Personalities : [raid1] \nunused devices: <none>\n",
}


def two_blank_disks() -> Recording:
    """The machine of the main job: two empty virtio disks, BIOS, started from our CD."""
    disks = (virtio("vda", serial="disk-a", slot=4), virtio("vdb", serial="disk-b", slot=5))
    return machine(*live_cd(), *disks, files=LIVE_FILES)


def two_blank_disks_uefi() -> Recording:
    """The same by UEFI, Secure Boot off."""
    files = {**LIVE_FILES, SECURE_BOOT: "0600000000"}
    disks = (virtio("vda", serial="disk-a", slot=4), virtio("vdb", serial="disk-b", slot=5))
    return machine(*live_cd(), *disks, files=files, efi=True)


def secure_boot() -> Recording:
    """Secure Boot on, so the kernel refused the zfs module; run without root."""
    files = {key: text for key, text in two_blank_disks().files.items() if key != ZFS_MODULE}
    told = machine(*live_cd(), virtio("vda", serial="disk-a"), efi=True, euid=1000)
    commands = {"modinfo -F version zfs": Said(status=0, out="2.3.2-2\n")}
    files[SECURE_BOOT] = "0600000001"
    return told.model_copy(update={"files": files, "commands": commands})


def earlier_install() -> Recording:
    """Two disks with zroot's own layout of an earlier install (md half assembled), and a third with a data pool.

    vda and vdb: BIOS boot, ESP, md member, LUKS. vdc: LVM over LUKS, open, and a volume group that reaches vdd.
    vde: one half of the exported pool tank.
    """
    md = block(
        "md127",
        kind="raid1",
        size=GIB,
        fstype="ext4",
        label="boot",
        properties={"ID_FS_TYPE": "ext4", "MD_LEVEL": "raid1", "MD_UUID": "3f8b3c11:11111111:22222222:33333333"},
    )
    disks = [_installed("vda", "disk-a", md, 4), _installed("vdb", "disk-b", md, 5)]
    lv = block(
        "dm-1", kind="lvm", size=20 * GIB, path="/dev/mapper/data--vg-home", properties={"DM_VG_NAME": "data-vg"}
    )
    lv.entry["name"] = "data--vg-home"
    lv.entry["kname"] = "dm-1"
    crypt = block("old", lv, kname="dm-0", kind="crypt", path="/dev/mapper/old", fstype="LVM2_member")
    disks.append(virtio("vdc", part("vdc", 1, crypt, fstype="crypto_LUKS"), serial="disk-c", slot=6, pttype="gpt"))
    disks.append(virtio("vdd", part("vdd", 1, lv, fstype="LVM2_member"), serial="disk-d", slot=7, pttype="gpt"))
    tank = part("vde", 1, fstype="zfs_member", label="tank", uuid="9543521387711123456")
    disks.append(virtio("vde", tank, serial="disk-e", slot=8, pttype="gpt"))
    files = {**LIVE_FILES, MDSTAT: _MDSTAT}
    return machine(*live_cd(), *disks, files=files, commands={"zpool import": Said(status=0, out=_ZPOOL_IMPORT)})


_MDSTAT = """\
Personalities : [raid1]
md127 : active (auto-read-only) raid1 vdb3[1] vda3[0]
      1046528 blocks super 1.2 [2/2] [UU]

unused devices: <none>
"""
_ZPOOL_IMPORT = """\
   pool: tank
     id: 9543521387711123456
  state: DEGRADED
status: One or more devices are missing from the system.
 action: The pool can be imported despite missing or damaged devices.  The
\tfault tolerance of the pool may be compromised if imported.
   see: https://openzfs.github.io/openzfs-docs/msg/ZFS-8000-2Q
 config:

\ttank                      DEGRADED
\t  mirror-0                DEGRADED
\t    virtio-disk-e         ONLINE
\t    11211351234567890123  UNAVAIL
\tlogs
\t  nvme9n1                 UNAVAIL
"""


def _installed(disk: str, serial: str, md: Block, slot: int) -> Block:
    partitions = (
        part(disk, 1, size=1024**2, parttype="21686148-6449-6e6f-744e-656564454649"),
        part(disk, 2, size=512 * 1024**2, fstype="vfat", parttype="c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
        part(disk, 3, md, fstype="linux_raid_member", label="any:boot", uuid="3f8b3c11-1111-1111-2222-222233333333"),
        part(disk, 4, size=3 * GIB, fstype="crypto_LUKS", uuid=f"aaaaaaaa-0000-4000-8000-00000000000{slot}"),
    )
    return virtio(disk, *partitions, serial=serial, slot=slot, pttype="gpt", ptuuid=f"bbbb{slot}")


def odd_disks() -> Recording:
    """Disks that are hard to tell apart, and things that are no disks."""
    by_id, by_path = "/dev/disk/by-id/", "/dev/disk/by-path/"

    def sata(name: str, serial: str, wwn: str, port: int, *extra: str, **facts: Any) -> Block:
        links = (
            f"{by_id}ata-WDC_WD40EFRX_{serial}",
            f"{by_id}wwn-{wwn}",
            f"{by_path}pci-0000:00:17.0-ata-{port}",
            *extra,
        )
        properties = {"ID_SERIAL_SHORT": serial, "ID_WWN": wwn, "ID_BUS": "ata"}
        return block(
            name, size=4000787030016, model="WDC WD40EFRX", vendor="ATA     ", tran="sata", links=links,
            properties=properties, **facts,
        )  # fmt: skip

    def nvme(name: str, namespace: int) -> Block:
        links = (
            f"{by_id}nvme-SAMSUNG_MZVL_S64",
            f"{by_id}nvme-SAMSUNG_MZVL_S64_{namespace}",
            f"{by_id}nvme-eui.00253{namespace}",
            f"{by_path}pci-0000:01:00.0-nvme-{namespace}",
        )
        properties = {"ID_SERIAL_SHORT": "S64", "ID_WWN": f"eui.00253{namespace}"}
        return block(name, size=1000204886016, model="SAMSUNG MZVL", tran="nvme", links=links, properties=properties)

    odd = r"dead/../../beef"
    return machine(
        sata("sda", "WD-TWIN1", "0x50014ee2b1", 1),
        sata("sdb", "WD-TWIN2", "0x50014ee2b2", 2),
        sata("sdc", "SAME", "0x50014ee2b3", 3),
        sata("sdd", "SAME", "0x50014ee2b4", 4),
        sata("sde", "ZERO1", "0x0000000000000000", 5),
        sata("sdf", "ZERO2", "0x0000000000000000", 6),
        block(
            "nvme2n1",
            model="QEMU NVMe Ctrl",
            tran="nvme",
            links=(f"{by_id}nvme-QEMU_NVMe_Ctrl_dead_.._.._beef", f"{by_path}pci-0000:02:00.0-nvme-1"),
            properties={"ID_SERIAL_SHORT": odd},
        ),
        block(
            "sdg",
            model="\x1b[31mRed' \"Disk\u202e",
            tran="usb",
            links=(f"{by_id}usb-SanDisk__a__b_-0:0",),
            properties={"ID_SERIAL_SHORT": "' a  b\x07"},
        ),
        nvme("nvme0n1", 1),
        nvme("nvme0n2", 2),
        virtio("vda", slot=9),
        virtio("vdb", slot=10),
        block("sdh", size=0, model="Multi-Card", tran="usb", removable=True),
        block("sdi", size=8 * GIB, ro=True, attributes={"ro": "1"}, model="Locked stick", tran="usb"),
        block("sdj", size=409_600, model="Seed", tran="usb"),
        block("fd0", size=4096),
        block("nbd0"),
        block("zram0", size=GIB, mountpoints=["[SWAP]"]),
        block("ram0", size=0),
        block("zd0"),
        block("mmcblk0", size=32 * GIB),
        block("mmcblk0boot0", size=4 * 1024**2),
        block("loop3", kind="loop", size=GIB),
        files={**LIVE_FILES, MOUNTINFO: "22 1 0:20 / / rw - overlay LiveOS_rootfs rw\n"},
    )


def many_disks() -> Recording:
    """A storage server by UEFI: twelve SAS disks, eight NVMe disks, two SATA disks with an old system, a stick."""

    def disk(name: str, model: str, serial: str, *children: Block, tran: str, place: str, **facts: Any) -> Block:
        kind = {"nvme": "nvme", "sata": "ata", "sas": "scsi", "usb": "usb"}[tran]
        links = (f"/dev/disk/by-id/{kind}-{model.replace(' ', '_')}_{serial}", f"/dev/disk/by-path/pci-0000:{place}")
        properties = {"ID_SERIAL_SHORT": serial}
        return block(name, *children, model=model, tran=tran, links=links, properties=properties, **facts)

    sas = [
        disk(f"sd{letter}", "ST18000NM004J", f"ZR5{number:05}", tran="sas", place=f"3b:00.0-sas-phy{number}-lun-0",
             vendor="SEAGATE ", size=18000207937536, phy_sec=4096, rota=True)
        for number, letter in enumerate("abcdefghijkl")
    ]  # fmt: skip
    nvme = [
        disk(f"nvme{number}n1", "SAMSUNG MZQL23T8HCLS-00A07", f"S64HNE0R{number:06}", tran="nvme",
             place=f"{number + 65:x}:00.0-nvme-1", size=3840755982336)
        for number in range(8)
    ]  # fmt: skip
    old = [
        disk(name, "INTEL SSDSC2KG240G8", serial, _old(name, 1), tran="sata", place=f"00:17.0-ata-{port}",
             size=240057409536, pttype="gpt")
        for name, serial, port in (("sdm", "PHYG0000001", 1), ("sdn", "PHYG0000002", 2))
    ]  # fmt: skip
    stick = disk("sdo", "Ultra Fit", "4C5300012", _stick("sdo", 1), tran="usb", place="00:14.0-usb-0:3:1.0",
                 size=30752636928, pttype="dos", vendor="SanDisk ", removable=True)  # fmt: skip
    files = {**LIVE_FILES, SECURE_BOOT: "0600000000", MEMINFO: "MemTotal:       263842180 kB\n"}
    return machine(*live_cd(), *sas, *nvme, *old, stick, files=files, efi=True)


def _old(disk: str, number: int) -> Block:
    return part(disk, number, size=200 * GIB, fstype="ext4", label="old-root")


def _stick(disk: str, number: int) -> Block:
    return part(disk, number, size=28 * GIB, fstype="vfat", label="BACKUP")


def long_names() -> Recording:
    """Disks whose every name is as long as its standard allows: 40 characters of model, 20 and 30 of serial."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    by_id, by_path = "/dev/disk/by-id/", "/dev/disk/by-path/"

    def disk(name: str, number: int, *children: Block, tran: str, serial: str, size: int) -> Block:
        model = f"Model With Quite A Long Marketing Name {number}"[:40]
        links = (
            f"{by_id}{tran}-{model.replace(' ', '_')}_{serial}",
            f"{by_path}pci-0000:0{number}:00.0-{tran}-1",
        )
        facts = {"vendor": "VENDORXY", "pttype": "gpt"} if children else {"vendor": "VENDORXY"}
        return block(name, *children, model=model, tran=tran, links=links, size=size,
                     properties={"ID_SERIAL_SHORT": serial}, **facts)  # fmt: skip

    label = "a-label-of-a-file-system-with-thirty-six"
    return machine(
        *live_cd(),
        disk("nvme0n1", 1, tran="nvme", serial=f"{letters[:18]}01", size=15362991415296),
        disk("nvme1n1", 2, tran="nvme", serial=f"{letters[:18]}02", size=15362991415296),
        disk("sda", 3, *(part("sda", number, fstype="ext4", label=f"{label}{number}") for number in range(1, 8)),
             tran="usb", serial=f"{letters}{letters}"[:58] + "03", size=2000398934016),
        disk("sdb", 4, part("sdb", 1, fstype="zfs_member", label="a-pool-with-a-name-that-nobody-would-type-twice"),
             part("sdb", 2, fstype="LVM2_member"), tran="usb", serial=f"{letters[:28]}04", size=2000398934016),
        files=LIVE_FILES,
    )  # fmt: skip


FIXTURES = {
    "synthetic-two-blank": two_blank_disks,
    "synthetic-two-blank-uefi": two_blank_disks_uefi,
    "synthetic-secure-boot": secure_boot,
    "synthetic-earlier-install": earlier_install,
    "synthetic-odd-disks": odd_disks,
    "synthetic-many-disks": many_disks,
    "synthetic-long-names": long_names,
}


def zpool_status(name: str, guid: str, *paths: str) -> Said:
    """Make what `zpool status -j` says of a draid pool with a log: the inner vdev lacks its type (openzfs #18431)."""
    leaves = {path: {"name": path, "vdev_type": "disk", "path": path, "state": "ONLINE"} for path in paths[1:]}
    log = {"name": paths[0], "path": paths[0], "state": "ONLINE"}
    pool = {
        "name": name,
        "state": "ONLINE",
        "pool_guid": guid,
        "vdevs": {name: {"vdevs": {"draid1-0": {"vdevs": leaves}}}},
        "logs": {paths[0]: log},
    }
    return Said(status=0, out=json.dumps({"output_version": {"vers_major": 0}, "pools": {name: pool}}))


if __name__ == "__main__":
    for fixture, make in FIXTURES.items():
        (FOLDER / f"{fixture}.json").write_text(dump(make()))
