"""A pool over encrypted files: what the files can go through, and where they can be taken (issue 4, row 6)."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

from tests.vm import storage
from tests.vm.serial import Console
from tests.vm.storage import DISKS, apply, passphrase

pytestmark = [pytest.mark.vm, pytest.mark.slow]

STACK = Path(__file__).parent / "stacks/21-sparse-files.toml"
FOLDER = "/mnt/zroot/srv/szpools"
COPIES = "/elsewhere"
SIX = range(1, 7)
SUM = "sha256sum < /mnt/zroot/szpool/file"


@pytest.fixture(scope="module")
def live(iso: Path) -> Generator[Console]:
    """A live system in which the pool has been made and closed."""
    with storage.live("sparse-files", iso=iso, files=storage.files_of(STACK)) as console:
        apply(console, STACK)
        yield console


def open_files(live: Console, folder: str, numbers: Iterable[int]) -> None:
    for number in numbers:
        typed = passphrase(STACK, "files-passphrase")
        live.output(f"{typed} | cryptsetup open --key-file - {folder}/szpool-{number} sz-{number}", within=300)


def open_pool(live: Console, *, options: str = "") -> None:
    live.output("udevadm settle", within=300)
    live.output(f"zpool import {options} -R /mnt/zroot -d /dev/mapper szpool", within=300)


def close_pool(live: Console, numbers: Iterable[int]) -> None:
    live.output("zpool export szpool", within=300)
    for number in numbers:
        live.output(f"cryptsetup close sz-{number}", within=300)


def test_files_are_damaged_mended_added_and_copied(live: Console) -> None:
    live.output("zpool import -N -R /mnt/zroot -d /dev/disk/by-id base && zfs mount -a")
    open_files(live, FOLDER, SIX)
    open_pool(live)
    live.output("dd if=/dev/urandom of=/mnt/zroot/szpool/file bs=1M count=200 && sync", within=600)
    written = live.output(SUM, within=300)
    close_pool(live, SIX)

    assert_two_damaged_files_are_mended(live, written)
    assert_a_seventh_file_is_taken_in(live)
    assert_copies_can_be_opened_elsewhere(live, written)


def assert_two_damaged_files_are_mended(live: Console, written: str) -> None:
    """Their labels stay: a member that is not recognised any more is replaced, which other tests show."""
    for number in (2, 5):
        live.output(f"dd if=/dev/urandom of={FOLDER}/szpool-{number} bs=1M seek=24 count=100 conv=notrunc", within=300)
    open_files(live, FOLDER, SIX)
    open_pool(live)
    live.output("zpool scrub -w szpool", within=900)
    status = live.output("zpool status -v szpool")
    assert "with 0 errors" in status, status
    assert "repaired 0B" not in status, status
    assert "No known data errors" in status, status
    assert live.output(SUM, within=300) == written
    live.output("zpool clear szpool && zpool scrub -w szpool", within=900)
    status = live.output("zpool status szpool")
    assert "repaired 0B" in status, status
    assert "state: ONLINE" in status, status


def assert_a_seventh_file_is_taken_in(live: Console) -> None:
    """RAID-Z expansion of ZFS 2.3, by the commands of pools.md."""
    room = int(live.output("zpool list -H -p -o size szpool"))
    typed = passphrase(STACK, "files-passphrase")
    cheap = "--pbkdf argon2id --pbkdf-memory 32768 --pbkdf-parallel 1 --pbkdf-force-iterations 4"
    live.output(f"truncate --size=160M {FOLDER}/szpool-7")
    live.output(f"{typed} | cryptsetup luksFormat --type luks2 {cheap} --key-file - {FOLDER}/szpool-7", within=300)
    open_files(live, FOLDER, [7])
    live.output("zpool attach -w szpool raidz2-0 /dev/mapper/sz-7", within=1800)
    status = live.output("zpool status szpool")
    assert "sz-7" in status, status
    assert "expanded raidz2-0" in status, status
    # zpool attach -w ends with the copying; the room is there a few transaction groups later.
    grown = f"until [ $(zpool list -H -p -o size szpool) -gt {room} ]; do sleep 1; done"
    live.output(f"timeout 120 sh -c '{grown}' || zpool list -v szpool", within=300)
    assert int(live.output("zpool list -H -p -o size szpool")) > room, live.output("zpool list -v szpool")
    close_pool(live, range(1, 8))


def assert_copies_can_be_opened_elsewhere(live: Console, written: str) -> None:
    """Five of the seven, on another disk, on a system with another host id, and the originals gone."""
    live.output(f"mkfs.ext4 -q {DISKS}C && mkdir -p {COPIES} && mount {DISKS}C {COPIES}")
    kept = (1, 3, 4, 6, 7)
    for number in kept:
        live.output(f"cp --sparse=always {FOLDER}/szpool-{number} {COPIES}", within=600)
    live.output("zpool destroy base")
    live.output("zgenhostid -f")
    open_files(live, COPIES, kept)
    open_pool(live, options="-o readonly=on")
    status = live.output("zpool status szpool")
    assert "state: DEGRADED" in status, status
    assert live.output(SUM, within=300) == written
    close_pool(live, kept)
    live.output(f"umount {COPIES}")
