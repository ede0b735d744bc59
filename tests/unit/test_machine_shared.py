"""Machines that nobody here wrote, replayed where shared/machines lies beside the checkout."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from installer.machine import blk, words
from installer.machine.holders import HolderKind, holders, memberships
from installer.machine.model import Disk, Machine, Node
from installer.machine.offer import Offer, offers
from installer.machine.read import read
from installer.machine.recording import MOUNTINFO, SWAPS, Device, Recording, local_mounts

SHARED = Path(__file__).parents[2].parent / "shared" / "machines"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="shared/machines is not beside this checkout")
Replay = Callable[[str], Machine]
NAMES = sorted(path.stem for path in SHARED.glob("*.json"))


@pytest.fixture(scope="module")
def sysroots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack the recorded machines."""
    folder = tmp_path_factory.mktemp("sysroots")
    with tarfile.open(SHARED / "sysroots.tar.xz") as archive:
        archive.extractall(folder, filter="tar")
    return folder


@pytest.fixture
def recorded(sysroots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Recording]:
    """Make a Recording of a machine, blkinfo included: its lsblk is pointed at the sysroot."""

    def record(name: str) -> Recording:
        shim = tmp_path / "lsblk"
        shim.write_text(f'#!/bin/sh\nexec /usr/bin/lsblk --sysroot {sysroots / name} "$@"\n')
        shim.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        root = sysroots / name
        files = {
            MOUNTINFO: local_mounts((root / "proc/self/mountinfo").read_text()),
            SWAPS: (root / "proc/swaps").read_text(),
        }
        return Recording(
            listed=blk.listed(),
            lsblk=json.loads((SHARED / f"{name}.json").read_text()),
            devices=dict(_devices(root)),
            files={path: text for path, text in files.items() if text},
        )

    return record


def _devices(root: Path) -> Iterator[tuple[str, Device]]:
    for node in (root / "dev").iterdir():
        if node.is_file():
            lines = node.read_text(errors="backslashreplace").splitlines()
            folder = root / "sys/block" / node.name
            attributes = {
                key: (folder / key).read_text(errors="backslashreplace").strip()
                for key in blk.ATTRIBUTES
                if (folder / key).is_file()
            }
            properties = dict(line.partition("=")[::2] for line in lines if line.startswith(blk.PROPERTIES))
            yield node.name, Device(properties=properties, attributes=attributes)


@pytest.fixture
def machine(recorded: Callable[[str], Recording]) -> Replay:
    return lambda name: read(recorded(name))


def by_name(machine: Machine) -> dict[str, Offer]:
    return {offer.disk.name: offer for offer in offers(machine)}


def usable(machine: Machine) -> set[str]:
    return {offer.disk.name for offer in offers(machine) if offer.usable}


def disk(machine: Machine, name: str) -> Disk:
    return next(disk for disk in machine.disks if disk.name == name)


@pytest.mark.parametrize(
    ("name", "disks"),
    [
        ("subiquity-simple", 1),
        ("subiquity-virtio", 1),
        ("subiquity-existing-partitions", 5),
        ("subiquity-lp1999173-raid1", 2),
        ("curtin-ventoy", 2),
        ("curtin-dmcrypt", 6),
        ("curtin-imsm", 5),
        ("curtin-multipath", 2),
        ("curtin-zfs", 3),
        ("curtin-4ksectors", 1),
        ("curtin-win10_bitlocker", 1),
        ("curtin-nvme_uuid", 1),
        ("curtin-msdos_mbr_extended", 2),
        ("curtin-mdadm_bcache", 8),
    ],
)
def test_counts_the_disks_and_no_floppy_array_or_cache(machine: Replay, name: str, disks: int) -> None:
    assert [found.kind for found in machine(name).disks].count("disk") == disks


def test_every_recorded_machine_is_covered() -> None:
    assert len(NAMES) == 14


@pytest.mark.parametrize("name", NAMES)
def test_never_offers_what_is_mounted_or_the_medium_or_no_disk(machine: Replay, name: str) -> None:
    """fault 1, fault 13, fault 22"""
    found = machine(name)
    for offer in offers(found):
        mounted = _mounted(offer.disk)
        if mounted or offer.disk.name in found.live_medium or offer.disk.kind != "disk":
            assert not offer.usable
            assert all(reason.endswith(".") for reason in offer.reasons)


def _mounted(device: Disk | Node) -> bool:
    return bool(device.mounts) or any(_mounted(child) for child in device.children)


@pytest.mark.parametrize("name", NAMES)
def test_every_link_and_identity_names_one_disk(machine: Replay, name: str) -> None:
    """fault 7"""
    disks = machine(name).disks
    for kind in ("link", "identity"):
        named = [getattr(found, kind) for found in disks]
        assert len(named) == len(set(named))


@pytest.mark.parametrize(
    ("name", "medium"),
    [
        ("subiquity-simple", ("sr0",)),
        ("subiquity-existing-partitions", ("vda",)),
        ("subiquity-lp1999173-raid1", ("sr0",)),
        ("curtin-multipath", ("sr0",)),
        ("curtin-4ksectors", ("sr0",)),
        ("curtin-win10_bitlocker", ("sr0",)),
        ("curtin-msdos_mbr_extended", ("sr0",)),
        ("curtin-ventoy", ("sdb",)),
    ],
)
def test_finds_the_live_medium(machine: Replay, name: str, medium: tuple[str, ...]) -> None:
    """fault 1, fault 2, fault 3: also a whole virtio disk, and Ventoy's stick behind a mapping"""
    assert machine(name).live_medium == medium


def test_ventoy_stick_is_refused_as_the_medium(machine: Replay) -> None:
    """fault 3"""
    found = by_name(machine("curtin-ventoy"))
    assert found["sdb"].reasons == ("This system was started from it: it is the live medium.",)
    assert found["sdb"].disk.transport == "usb"
    assert found["sda"].usable


def test_an_active_volume_group_is_a_holder_and_no_reason(machine: Replay) -> None:
    """fault 23"""
    found = machine("curtin-ventoy")
    assert [(h.kind, h.path) for h in holders(disk(found, "sda"), found)] == [
        (HolderKind.LVM_LV, "/dev/mapper/ubuntu--vg-ubuntu--lv"),
        (HolderKind.LVM_VG, "ubuntu-vg"),
    ]


def test_misses_no_medium_where_it_is_mounted_or_the_system_is_installed(machine: Replay) -> None:
    """fault 3"""
    assert not machine("subiquity-simple").medium_lost
    assert not machine("curtin-zfs").medium_lost


@pytest.mark.parametrize(
    ("name", "disk_name"),
    [("subiquity-virtio", "vda"), ("subiquity-lp1999173-raid1", "vda"), ("subiquity-lp1999173-raid1", "vdb")],
)
def test_virtio_without_serial_goes_by_path(machine: Replay, name: str, disk_name: str) -> None:
    """fault 9"""
    found = disk(machine(name), disk_name)
    assert found.serial == ""
    assert found.link == found.identity
    assert found.link.startswith("/dev/disk/by-path/pci-")
    assert "no serial, /dev/disk/by-path/" in words.describe(found)


def test_arrays_volumes_and_mappings_are_taken_down_leaf_first(machine: Replay) -> None:
    """fault 23, fault 24"""
    found = machine("curtin-dmcrypt")
    order = [(h.kind, h.name) for h in holders(disk(found, "vdd"), found)]
    kinds = [kind for kind, _ in order]
    assert kinds.index(HolderKind.CRYPT) < kinds.index(HolderKind.LVM_LV)
    assert max(i for i, k in enumerate(kinds) if k == HolderKind.LVM_LV) < kinds.index(HolderKind.LVM_VG)
    assert kinds.index(HolderKind.LVM_VG) < kinds.index(HolderKind.MD)
    group = next(h for h in holders(disk(found, "vdd"), found) if h.kind == HolderKind.LVM_VG)
    assert group.name == "vg1"
    assert group.disks == ("vda", "vdc", "vdd", "vde")
    assert {array.level for array in found.arrays} == {"raid0", "raid1", "raid5", "raid6"}


def test_a_mount_high_above_a_disk_refuses_it(machine: Replay) -> None:
    """fault 22: vdc's part of vg1 is mounted, through two arrays"""
    found = by_name(machine("curtin-dmcrypt"))
    assert "/dev/mapper/vg1-lv1 is mounted at /media/root-ro/srv/data." in found["vdc"].reasons


def test_firmware_raid_members_are_refused_alone(machine: Replay) -> None:
    """fault 12"""
    found = machine("curtin-imsm")
    offered = by_name(found)
    for name in ("nvme0n1", "nvme1n1"):
        assert "RAID of the firmware (Intel)" in offered[name].reasons[0]
    assert usable(found) == {"sdb", "sdc"}
    assert "its root" in " ".join(offered["sda"].reasons)
    assert [offered[name].disk.transport for name in ("sdc", "nvme0n1", "nvme1n1")] == ["usb", "nvme", "nvme"]
    assert {array.level for array in found.arrays} == {"raid0", "container"}


def test_multipath_is_not_offered_as_two_disks(machine: Replay) -> None:
    """fault 7, fault 11"""
    found = machine("curtin-multipath")
    for name in ("sda", "sdb"):
        assert "one path to the multipath device /dev/mapper/mpatha" in by_name(found)[name].reasons[0]
        assert disk(found, name).ambiguous == ("serial-a", "0x0000000000000064")
        assert disk(found, name).link.startswith("/dev/disk/by-path/")
    assert usable(found) == set()


def test_members_of_the_running_pool_are_refused(machine: Replay) -> None:
    """fault 29: no mountpoint shows on the disk"""
    found = machine("curtin-zfs")
    assert [(pool.name, pool.imported) for pool in found.pools] == [("rpool", True)]
    assert "It belongs to the imported pool rpool." in by_name(found)["vda"].reasons[0]
    assert holders(disk(found, "vda"), found)[0].kind == HolderKind.ZPOOL
    assert words.contents(disk(found, "vda")) == "member of ZFS pool rpool, 2 partitions"


def test_reads_native_4k_sectors(machine: Replay) -> None:
    """fault 16, fault 17"""
    assert disk(machine("curtin-4ksectors"), "sda").logical_sector == 4096


def test_says_that_windows_is_there(machine: Replay) -> None:
    """fault 28"""
    found = machine("curtin-win10_bitlocker")
    assert words.contents(disk(found, "sda")) == "Windows (NTFS, BitLocker), EFI system partition, 4 partitions"
    assert by_name(found)["sda"].usable


def test_nvme_larger_than_2_tib_is_named_by_its_serial(machine: Replay) -> None:
    """fault 19, fault 21"""
    found = disk(machine("curtin-nvme_uuid"), "nvme0n1")
    assert found.size > 2 * 1024**4
    assert found.transport == "nvme"
    assert found.link == "/dev/disk/by-id/nvme-SAMSUNG_MZPLL3T2HAJQ-00005_S4CCNE0M300015"
    assert words.describe(found) == "SAMSUNG MZPLL3T2HAJQ-00005, 3.2 TB, NVMe, serial S4CCNE0M300015"
    assert [node.number for node in found.children] == [1, 2, 3]


def test_reads_logical_partitions(machine: Replay) -> None:
    found = disk(machine("curtin-msdos_mbr_extended"), "sda")
    assert found.table == "dos"
    assert [node.number for node in found.children] == [1, 2, 5]


def test_bcache_is_over_its_parts_and_no_disk(machine: Replay) -> None:
    found = machine("curtin-mdadm_bcache")
    assert [array.level for array in found.arrays] == ["raid5"]
    assert "bcache0" not in by_name(found)
    assert not by_name(found)["vdc"].usable
    assert {h.kind for h in holders(disk(found, "vde"), found)} == {HolderKind.BCACHE, HolderKind.MD}
    assert "its root" in " ".join(by_name(found)["vda"].reasons)


def test_an_array_over_two_disks_names_both(machine: Replay) -> None:
    """fault 24"""
    found = machine("subiquity-existing-partitions")
    (array,) = holders(disk(found, "vdc"), found)
    assert (array.kind, array.path, array.disks) == (HolderKind.MD, "/dev/md127", ("vdc", "vdd"))
    (member,) = memberships(disk(found, "vdc"), found)
    assert (member.kind, member.name, member.disks) == (HolderKind.MD, "ringil:foobar", ("vdc", "vdd"))
    assert usable(found) == {"vdb", "vdc", "vdd", "vde"}
    assert words.contents(disk(found, "vde")) == "LVM volume group amazing-vg, 1 partition"


@pytest.mark.parametrize("name", NAMES)
def test_words_are_plain(machine: Replay, name: str) -> None:
    found = machine(name)
    for offer in offers(found):
        said = [words.describe(offer.disk), words.contents(offer.disk), *offer.reasons]
        assert all(text and text.isprintable() and "  " not in text for text in said)
