"""Reading and offering machines: disks made up for one rule each."""

from __future__ import annotations

import json

import pytest
from synthetic import (
    LIVE_FILES,
    LIVE_IMAGE,
    block,
    earlier_install,
    machine,
    odd_disks,
    part,
    secure_boot,
    two_blank_disks,
    virtio,
    zpool_status,
)

from installer.machine import recording, said, words
from installer.machine.holders import HolderKind, holders, memberships
from installer.machine.model import Disk, Firmware, Machine
from installer.machine.obstacles import obstacles, warnings
from installer.machine.offer import offers
from installer.machine.read import read
from installer.machine.recording import MOUNTINFO, SWAPS, Said


def disk(found: Machine, name: str) -> Disk:
    return next(disk for disk in found.disks if disk.name == name)


def reasons(found: Machine, name: str) -> str:
    return " ".join(next(offer.reasons for offer in offers(found) if offer.disk.name == name))


def test_offers_the_blank_disks_and_not_the_medium() -> None:
    """fault 1"""
    found = read(two_blank_disks())
    assert {offer.disk.name for offer in offers(found) if offer.usable} == {"vda", "vdb"}
    assert found.live_medium == ("sr0",)
    assert found.live
    assert not found.medium_lost
    assert found.image == LIVE_IMAGE
    assert (found.firmware, found.memory, found.zfs) == (Firmware.BIOS, 2015420 * 1024, True)
    assert disk(found, "vda").link == "/dev/disk/by-id/virtio-disk-a"
    assert words.describe(disk(found, "vda")) == "Virtual disk, 6.4 GB, virtio, serial disk-a"
    assert words.contents(disk(found, "vda")) == "empty"


def test_medium_on_a_partition_of_a_raid_refuses_every_disk_below() -> None:
    """fault 2"""
    md = block("md0", kind="raid1", maj_min="9:0", fstype="ext4")
    mounts = (
        "30 22 9:0 / /run/initramfs/isoscan rw - ext4 /dev/md0 rw\n31 22 7:0 / /run/initramfs/live rw - iso9660 x rw\n"
    )
    found = read(
        machine(
            virtio("vda", part("vda", 1, md, fstype="linux_raid_member"), serial="a"),
            virtio("vdb", part("vdb", 1, md, fstype="linux_raid_member"), serial="b", slot=5),
            virtio("vdc", serial="c", slot=6),
            files={MOUNTINFO: mounts},
        )
    )
    assert found.live_medium == ("vda", "vdb")
    assert "live medium" in reasons(found, "vdb")
    assert reasons(found, "vdc") == ""


def test_follows_an_iso_file_through_its_loop_to_the_disk() -> None:
    """fault 3"""
    loop = block("loop1", kind="loop", maj_min="7:1", attributes={"loop/backing_file": "/run/stick/zroot.iso"})
    stick = block("sda", part("sda", 1, maj_min="8:1"), tran="usb")
    mounts = (
        "30 22 8:1 / /run/stick rw - exfat /dev/sda1 rw\n31 22 7:1 / /run/initramfs/live rw - iso9660 /dev/loop1 rw\n"
    )
    found = read(machine(stick, loop, virtio("vda", serial="a"), files={MOUNTINFO: mounts}))
    assert "sda" in found.live_medium
    assert "vda" not in found.live_medium


def test_follows_the_root_image_to_a_medium_mounted_anywhere() -> None:
    """fault 3"""
    loop = block("loop0", kind="loop", maj_min="7:0", attributes={"loop/backing_file": "/media/odd/fs.squashfs"})
    mounts = "30 22 8:1 / /media/odd rw - vfat /dev/sda1 rw\n31 22 7:0 / /rofs rw - squashfs /dev/loop0 rw\n"
    told = machine(block("sda", part("sda", 1, maj_min="8:1")), loop, virtio("vda"), files={MOUNTINFO: mounts})
    assert read(told).live_medium == ("sda",)


def test_bcache_lies_over_its_parts() -> None:
    cached = block("bcache0", mountpoints=["/srv"])
    found = read(machine(virtio("vda", fstype="bcache"), virtio("vdb", part("vdb", 1, fstype="bcache")), cached))
    assert [disk.name for disk in found.disks] == ["vda", "vdb"]
    assert reasons(found, "vda") == "/dev/bcache0 is mounted at /srv."
    assert holders(disk(found, "vdb"), found)[0].disks == ("vda", "vdb")


def test_medium_copied_to_memory_is_found_by_its_label_or_reported() -> None:
    """fault 3"""
    files = {**LIVE_FILES, MOUNTINFO: "22 1 0:20 / / rw - overlay LiveOS_rootfs rw\n"}
    stick = block("sda", part("sda", 1, fstype="iso9660", label="ZROOT-LIVE"), tran="usb")
    assert read(machine(stick, virtio("vda"), files=files)).live_medium == ("sda",)
    lost = read(machine(virtio("vda"), files=files))
    assert lost.medium_lost
    assert "cannot be found" in warnings(lost)[0]


def test_ventoy_in_memory_is_found_by_its_mapping() -> None:
    """fault 3"""
    mapping = block("ventoy", kind="dm", kname="dm-0", path="/dev/mapper/ventoy")
    assert read(machine(block("sdb", part("sdb", 1, mapping)), virtio("vda"))).live_medium == ("sdb",)


def test_twins_are_told_apart_by_their_serials() -> None:
    """fault 6"""
    found = read(odd_disks())
    assert words.describe(disk(found, "sda")) == "WDC WD40EFRX, 4.0 TB, SATA, serial WD-TWIN1"
    assert words.describe(disk(found, "sdb")) == "WDC WD40EFRX, 4.0 TB, SATA, serial WD-TWIN2"


def test_shared_serial_is_no_identity() -> None:
    """fault 7"""
    found = read(odd_disks())
    for name, wwn in (("sdc", "0x50014ee2b3"), ("sdd", "0x50014ee2b4")):
        assert disk(found, name).identity == wwn
        assert disk(found, name).link == f"/dev/disk/by-id/wwn-{wwn}"
        assert "serial SAME like another disk" in words.describe(disk(found, name))
    assert disk(found, "nvme0n2").identity == "eui.002532"
    assert disk(found, "nvme0n2").link == "/dev/disk/by-id/nvme-SAMSUNG_MZVL_S64_2"


def test_wwn_of_zeros_is_no_name() -> None:
    """fault 8"""
    found = read(odd_disks())
    for name, serial in (("sde", "ZERO1"), ("sdf", "ZERO2")):
        assert disk(found, name).wwn == ""
        assert disk(found, name).identity == serial
    alone = block("sda", links=("/dev/disk/by-id/wwn-0x0000000000000000",), properties={"ID_WWN": "0x0000000000000000"})
    assert disk(read(machine(alone)), "sda").link == "/dev/sda"


def test_disk_without_serial_goes_by_path() -> None:
    """fault 9"""
    found = read(odd_disks())
    assert disk(found, "vda").link == disk(found, "vda").identity == "/dev/disk/by-path/pci-0000:00:09.0"


def test_odd_serials_are_kept_and_control_characters_are_not() -> None:
    """fault 10"""
    found = read(odd_disks())
    assert disk(found, "nvme2n1").serial == "dead/../../beef"
    assert disk(found, "nvme2n1").link == "/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_dead_.._.._beef"
    assert disk(found, "sdg").serial == "' a  b"
    assert disk(found, "sdg").model == "[31mRed' \"Disk"


@pytest.mark.parametrize(
    ("kind", "fstype", "why"),
    [
        ("mpath", "mpath_member", "one path to the multipath device /dev/mapper/both"),
        ("raid1", "isw_raid_member", "a RAID of the firmware (Intel)"),
        ("raid1", "ddf_raid_member", "a RAID of the firmware (DDF)"),
    ],
)
def test_two_disks_below_what_is_one_are_refused(kind: str, fstype: str, why: str) -> None:
    """fault 11, fault 12"""
    both = block("dm-0", kind=kind, path="/dev/mapper/both")
    disks = [virtio(name, both, fstype=fstype, serial=name, slot=slot) for slot, name in enumerate(("vda", "vdb"), 4)]
    found = read(machine(*disks, virtio("vdc", serial="c", slot=6)))
    assert why in reasons(found, "vda")
    assert why in reasons(found, "vdb")
    assert reasons(found, "vdc") == ""


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("sdh", "no capacity"),
        ("sdi", "read-only"),
        ("sdj", "too small: 409.6 kB"),
        ("fd0", "floppy"),
        ("nbd0", "network block device"),
        ("zram0", "compressed memory"),
        ("zd0", "volume of a ZFS pool"),
        ("mmcblk0boot0", "boot area"),
        ("loop3", "loop device"),
    ],
)
def test_refuses_what_is_no_disk(name: str, why: str) -> None:
    """fault 13"""
    assert why in reasons(read(odd_disks()), name)


def test_empty_memory_devices_are_not_listed() -> None:
    assert "ram0" not in {disk.name for disk in read(odd_disks()).disks}


def test_a_device_that_blkinfo_does_not_list_is_no_disk() -> None:
    assert read(machine(virtio("vda"), virtio("vdb", slot=5), listed=("vda",))).disks[-1].name == "vda"


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"mountpoints": ["/mnt/a b"]}, "/dev/vda1 is mounted at /mnt/a b."),
        ({"mountpoints": ["[SWAP]"]}, "/dev/vda1 is in use as swap."),
        ({"busy": True}, "/dev/vda1 is held open by the kernel or another program."),
        ({"openers": ("qemu-system-x86",)}, "/dev/vda1 is held open by qemu-system-x86."),
    ],
)
def test_refuses_a_disk_in_use(facts: dict[str, object], why: str) -> None:
    """fault 22"""
    used = virtio("vda", part("vda", 1, **facts), busy=True)
    found = read(machine(used, virtio("vdb", slot=5)))
    assert reasons(found, "vda") == why
    assert reasons(found, "vdb") == ""


def test_mounts_of_this_moment_count_where_lsblk_is_silent() -> None:
    """fault 22: btrfs mounts under a device number of its own, and swap may be known to the kernel alone"""
    files = {
        MOUNTINFO: "40 22 0:44 /sub /data\\040one rw - btrfs /dev/vda1 rw\n",
        SWAPS: "Filename Type Size Used Priority\n/dev/vdb partition 1 0 -2\n",
    }
    found = read(machine(virtio("vda", part("vda", 1)), virtio("vdb", slot=5), files=files))
    assert reasons(found, "vda") == "/dev/vda1 is mounted at /data one."
    assert found.swaps == ("vdb",)
    assert reasons(found, "vdb") == "/dev/vdb is in use as swap."


def test_what_assembled_itself_is_a_holder_and_no_reason() -> None:
    """fault 23, fault 24"""
    found = read(earlier_install())
    assert {offer.disk.name for offer in offers(found) if offer.usable} == {"vda", "vdb", "vdc", "vdd", "vde"}
    (md,) = holders(disk(found, "vda"), found)
    assert (md.kind, md.path, md.disks) == (HolderKind.MD, "/dev/md127", ("vda", "vdb"))
    assert [(h.kind, h.path, h.disks) for h in holders(disk(found, "vdc"), found)] == [
        (HolderKind.LVM_LV, "/dev/mapper/data--vg-home", ("vdc", "vdd")),
        (HolderKind.LVM_VG, "data-vg", ("vdc", "vdd")),
        (HolderKind.CRYPT, "/dev/mapper/old", ("vdc",)),
    ]
    assert holders(disk(found, "vde"), found) == ()


def test_an_inactive_volume_group_still_reaches_its_other_disk() -> None:
    """fault 23"""
    pvs = {"report": [{"pv": [{"pv_name": f"/dev/vd{x}1", "vg_name": "data"} for x in "ab"]}]}
    command = "pvs --reportformat json -o pv_name,vg_name"
    disks = [virtio(f"vd{x}", part(f"vd{x}", 1, fstype="LVM2_member"), slot=slot) for slot, x in enumerate("ab", 4)]
    found = read(machine(*disks, commands={command: Said(status=0, out=json.dumps(pvs))}))
    assert holders(disk(found, "vda"), found) == ()
    (group,) = memberships(disk(found, "vda"), found)
    assert (group.kind, group.name, group.disks) == (HolderKind.LVM_VG, "data", ("vda", "vdb"))


def test_an_unassembled_array_still_reaches_its_other_disk() -> None:
    """fault 24"""
    raid = {"fstype": "linux_raid_member", "uuid": "3f8b-1", "label": "any:0"}
    found = read(machine(virtio("vda", **raid), virtio("vdb", part("vdb", 1, **raid), slot=5), virtio("vdc", slot=6)))
    assert [h.disks for h in memberships(disk(found, "vda"), found)] == [("vda", "vdb")]
    assert memberships(disk(found, "vdc"), found) == ()


@pytest.mark.parametrize("path", ["/dev/vda", "/dev/mapper/old", "/dev/disk/by-id/virtio-disk-a"])
def test_member_of_an_imported_pool_is_refused_whatever_its_path(path: str) -> None:
    """fault 29"""
    crypt = block("dm-0", kind="crypt", path="/dev/mapper/old")
    used = virtio("vda", part("vda", 1, crypt), serial="disk-a")
    status = zpool_status("tank", "77", "/dev/vdz1", path, "/files/0")
    found = read(machine(used, virtio("vdb", slot=5), commands={"zpool status -j": status}))
    assert "imported pool tank" in reasons(found, "vda")
    assert reasons(found, "vdb") == ""
    assert HolderKind.ZPOOL in {holder.kind for holder in holders(disk(found, "vda"), found)}
    assert [member.path for member in found.pools[0].members] == [path, "/files/0", "/dev/vdz1"]


def test_pool_member_is_known_by_the_guid_in_its_label() -> None:
    """fault 29: what zpool prints may be a name that no longer exists; fault 30: a namesake is another pool"""
    mine = virtio("vda", part("vda", 1, fstype="zfs_member", label="tank", uuid="77"))
    namesake = virtio("vdb", part("vdb", 1, fstype="zfs_member", label="tank", uuid="88"), slot=5)
    status = zpool_status("tank", "77", "/dev/gone", "/dev/disk/by-id/old-name")
    found = read(machine(mine, namesake, commands={"zpool status -j": status}))
    assert "imported pool tank" in reasons(found, "vda")
    assert reasons(found, "vdb") == ""
    assert [(pool.guid, pool.imported) for pool in found.pools] == [("77", True), ("88", False)]


def test_importable_pools_are_known_with_their_members() -> None:
    """fault 30"""
    (tank,) = read(earlier_install()).pools
    assert (tank.name, tank.guid, tank.state, tank.imported) == ("tank", "9543521387711123456", "DEGRADED", False)
    assert [(member.path, member.device, member.state) for member in tank.members] == [
        ("virtio-disk-e", "vde", "ONLINE"),
        ("11211351234567890123", "", "UNAVAIL"),
        ("nvme9n1", "", "UNAVAIL"),
        ("/dev/vde1", "vde1", ""),
    ]


def test_says_what_stands_in_the_way() -> None:
    """fault 68, fault 80"""
    problems = obstacles(read(secure_boot()))
    assert [problem.title.split(":")[0].split(",")[0] for problem in problems] == [
        "This needs root",
        "Secure Boot is on",
    ]
    assert all(problem.hint for problem in problems)
    assert obstacles(read(two_blank_disks())) == ()
    without = machine(virtio("vda")).model_copy(update={"files": {}})
    assert "module is missing for the running kernel 6.12.0-amd64" in obstacles(read(without))[0].title


def test_a_signed_module_that_is_loaded_works_under_secure_boot() -> None:
    """fault 68"""
    told = machine(virtio("vda"), efi=True, files={recording.SECURE_BOOT: "0600000001"})
    assert read(told).secure_boot
    assert obstacles(read(told)) == ()


@pytest.mark.parametrize(
    ("text", "array"),
    [
        ("md0 : active raid1 sdb1[1] sda1[0](F)\n", ("raid1", True, ("sda1", "sdb1"))),
        ("md127 : active (auto-read-only) raid10 vdb[1] vda[0]\n", ("raid10", True, ("vda", "vdb"))),
        ("md127 : inactive sda[0](S)\n", ("", False, ("sda",))),
        ("md_d0 : active (read-only) linear nvme0n1p2[0]\n", ("linear", True, ("nvme0n1p2",))),
    ],
)
def test_reads_mdstat(text: str, array: tuple[object, ...]) -> None:
    (found,) = said.arrays(f"Personalities : [raid1]\n{text}      1 blocks super 1.2\n\nunused devices: <none>\n")
    assert (found.level, found.active, found.members) == array


@pytest.mark.parametrize("text", ["", "no pools available\n", "no pools available to import\n", '{"pools": {}}', "[]"])
def test_no_pools_is_no_error(text: str) -> None:
    assert said.imported_pools(text) == said.importable_pools(text) == ()
