"""What the initramfs of the image must not hold, and what each installed machine's own must."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.vm.archive import contents
from tests.vm.installs import SECRETS
from tests.vm.life import Life
from tests.vm.lives import OWN_AT
from tests.vm.places import extracted
from tests.vm.test_boot import BY_BIOS

pytestmark = [pytest.mark.vm, BY_BIOS]

OF_ONE_MACHINE = (
    "etc/hostid",
    "etc/hostname",
    "etc/crypttab",
    "etc/mdadm.conf",
    "etc/mdadm/mdadm.conf",
    "etc/vconsole.conf",
    "etc/zfs/zpool.cache",
    "etc/zroot/members",
    "etc/zroot/keymap",
)


@pytest.fixture(scope="module")
def generic(iso: Path) -> bytes:
    """The initramfs in the image, which every target starts with."""
    squashfs = extracted(iso, "LiveOS/squashfs.img")
    listed = subprocess.run(["unsquashfs", "-l", str(squashfs), "boot"], check=True, capture_output=True, text=True)
    (name,) = (line for line in listed.stdout.splitlines() if "boot/initrd.img-" in line)
    argv = ["unsquashfs", "-cat", str(squashfs), name.removeprefix("squashfs-root/")]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def scratch(life: Life, what: str, *, offset: int) -> bytes:
    """Return what the machine has written to its scratch disk, from so many MiB on."""
    disk = life.copy("healthy").folder / "scratch.qcow2"
    raw = disk.with_suffix(".raw")
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(disk), str(raw)], check=True)
    with raw.open("rb") as file:
        file.seek(offset * 1024**2)
        return file.read(int(life["healthy"][what]))


def assert_of_this_machine(found: Mapping[str, bytes], life: Life) -> None:
    """Its hostid, its members, its name."""
    # gethostid(3) reads the file as a number of this machine's byte order.
    assert f"{int.from_bytes(found['etc/hostid'], 'little'):08x}" == life["healthy"]["hostid"]
    uuids = life["healthy"]["LUKS UUIDs"].split()
    assert len(uuids) == 2
    assert all(uuid in found["etc/zroot/members"].decode() for uuid in uuids)
    assert found["etc/hostname"].decode().strip() == "debian"


def test_initramfs_of_the_image_holds_nothing_of_one_machine(generic: bytes) -> None:
    found = contents(generic)
    # dracut puts an empty machine-id there, which names nobody.
    assert found.pop("etc/machine-id", b"") == b""
    assert not [name for name in OF_ONE_MACHINE if name in found]
    assert any(name.endswith(("zfs.ko", "zfs.ko.xz")) for name in found)
    assert [name for name in found if name.endswith("/zroot-root")]


def test_initramfs_of_a_fresh_system_is_the_image_s_and_its_own_files(bios: Life, generic: bytes) -> None:
    fresh = scratch(bios, "fresh", offset=0)
    assert fresh.startswith(generic)
    own = contents(fresh[len(generic) :])
    assert len(own) < 20
    assert_of_this_machine(own, bios)


def test_no_initramfs_holds_a_secret(bios: Life, generic: bytes) -> None:
    """fault 54: packed as they are, a search of the disks would not find it."""
    fresh, own = scratch(bios, "fresh", offset=0), scratch(bios, "own", offset=OWN_AT)
    for image in (fresh, fresh[len(generic) :], own):
        found = contents(image)
        assert found
        for secret in SECRETS.values():
            assert not [name for name, content in found.items() if secret.encode() in content]


def test_initramfs_that_the_system_makes_itself_has_the_same(bios: Life) -> None:
    assert_of_this_machine(contents(scratch(bios, "own", offset=OWN_AT)), bios)
