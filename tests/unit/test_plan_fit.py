"""What keeps a recipe from a machine, and what a person is told before consenting."""

from __future__ import annotations

from typing import Any

import pytest

from installer.machine.model import Disk, Firmware, Machine, Member, Node, Pool, VolumeGroup
from tests.unit.plans import GIB, MIRROR, TABLE, argv, commands, data, disk, machine, plan, recipe, refusal

FOUR_K: dict[str, Any] = {"logical_sector": 4096, "physical_sector": 4096}


def pair(**facts: Any) -> tuple[Disk, Disk]:
    return disk("sda", **facts), disk("sdb", **facts)


def test_refuses_small_disk_with_the_numbers() -> None:
    """fault 20"""
    words = refusal(recipe(MIRROR), machine(disk("sda"), disk("sdb", size=2 * GIB)))
    assert "Disk b is too small" in words
    assert "2.1 GB (2.0 GiB)" in words
    assert "5.5 GiB" in words


def test_mirror_of_slightly_unequal_disks_has_the_smaller_size() -> None:
    """fault 14"""
    made = plan(recipe(MIRROR), machine(disk("sda", size=8 * GIB + 64 * 1024**2), disk("sdb")))
    assert "--new=4:0:+6653M" in argv(made, "partitions/table/a")
    assert any("Disk a is larger" in note and "64.0 MiB" in note for note in made.notes)


def test_refuses_disks_more_than_ten_percent_apart_unless_allowed() -> None:
    """fault 14"""
    unequal = machine(disk("sda"), disk("sdb", size=12 * GIB))
    words = refusal(recipe(MIRROR), unequal)
    assert "differ by more than 10 percent" in words
    assert "allow-unequal = true" in words
    allowed = MIRROR.replace('bootfs = "ROOT/debian"', 'bootfs = "ROOT/debian"\nallow-unequal = true')
    plan(recipe(allowed), unequal)


def test_refuses_different_logical_sectors_in_one_table() -> None:
    """fault 16"""
    words = refusal(recipe(MIRROR), machine(disk("sda"), disk("sdb", **FOUR_K)))
    assert "sectors of different sizes" in words


def test_refuses_different_logical_sectors_in_one_vdev() -> None:
    """fault 16"""
    words = refusal(recipe(data("mirror", "disk.a", "disk.b")), machine(disk("sda"), disk("sdb", **FOUR_K)))
    assert "pool.tank.vdevs[0]" in words


def test_tells_what_stays_unused_of_a_larger_whole_disk() -> None:
    """fault 14"""
    made = plan(recipe(data("mirror", "disk.a", "disk.b")), machine(disk("sda"), disk("sdb", size=8 * GIB + 2**28)))
    assert any("Disk b is larger than the smallest disk of its mirror" in note for note in made.notes)
    assert any("256.0 MiB) of it stay unused" in note for note in made.notes)


def test_refuses_a_spare_that_fits_nowhere_with_the_numbers() -> None:
    body = data("mirror", "disk.a", "disk.b").replace(
        "vdevs = [", 'vdevs = [{ kind = "single", over = "disk.c", role = "spare" }, '
    )
    three = (disk("sda"), disk("sdb"))
    words = refusal(recipe(body, disks="abc"), machine(*three, disk("sdc", size=4 * GIB)))
    assert "is smaller than every member" in words
    assert "4.3 GB (4.0 GiB), the smallest member 8.6 GB (8.0 GiB)" in words
    plan(recipe(body, disks="abc"), machine(*three, disk("sdc")))


def test_refuses_an_owner_of_what_is_not_mounted() -> None:
    body = data("mirror", "disk.a", "disk.b") + '[[pool.tank.dataset]]\nname = "v"\nsize = "1G"\nowner = "1000"\n'
    assert "pool.tank.dataset[0].owner: v is not mounted" in refusal(recipe(body), machine())


CRYPT = '[[partition]]\nname = "data"\nsize = "rest"\ntype = "8300"\n\n[crypt.data]\nover = "partition.data"\n'


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('kind = "luks2-integrity"', "written once before it can be used: 8.6 GB (8.0 GiB), about 2 minutes"),
        ('kind = "tcrypt"', "filled with random bytes first, 8.6 GB (8.0 GiB)"),
        ('kind = "tcrypt"', "only a long random passphrase protects it"),
    ],
)
def test_says_what_an_encryption_costs(more: str, words: str) -> None:
    text = recipe(CRYPT + more + "\ndiscard = false\n" + data("mirror", "crypt.data"))
    assert any(words in note for note in plan(text, machine()).notes)


def test_tells_what_a_log_without_a_mirror_risks() -> None:
    body = data("mirror", "disk.a", "disk.b").replace(
        "vdevs = [", 'vdevs = [{ kind = "single", over = "disk.c", role = "log" }, '
    )
    made = plan(recipe(body, disks="abc"), machine(disk("sda"), disk("sdb"), disk("sdc")))
    assert any("The log of pool tank is not mirrored" in note for note in made.notes)


def test_larger_physical_sector_decides_ashift() -> None:
    """fault 16"""
    made = plan(recipe(data("mirror", "disk.a", "disk.b")), machine(disk("sda"), disk("sdb", physical_sector=8192)))
    assert "ashift=13" in argv(made, "pools/create/tank")
    assert any("8192 bytes" in note for note in made.notes)


def test_refuses_large_sectors_on_bios() -> None:
    """fault 17"""
    words = refusal(recipe(MIRROR), machine(*pair(**FOUR_K), firmware=Firmware.BIOS))
    assert "BIOS cannot start from disks with sectors of 4096 bytes" in words


def test_large_sectors_on_uefi_get_no_bios_loader_and_a_fat_of_their_sectors() -> None:
    """fault 18"""
    made = plan(recipe(MIRROR), machine(*pair(**FOUR_K)))
    assert argv(made, "partitions/format/esp-a")[:5] == ("mkfs.fat", "-F", "32", "-S", "4096")
    assert "--set-alignment=256" in argv(made, "partitions/table/a")
    assert any("UEFI only" in note for note in made.notes)


def test_refuses_firmware_that_the_recipe_does_not_prepare_for() -> None:
    words = refusal(recipe(MIRROR + '\n[boot]\nfirmware = ["uefi"]\n'), machine(firmware=Firmware.BIOS))
    assert "starts by BIOS" in words


def test_refuses_secure_boot() -> None:
    """fault 68"""
    assert "Secure Boot" in refusal(recipe(MIRROR), machine(secure_boot=True))
    plan(recipe(data("mirror", "disk.a", "disk.b")), machine(secure_boot=True))


def other_pool(*members: str, imported: bool = False) -> Machine:
    pool = Pool(name="rpool", imported=imported, members=tuple(Member(path=f"/dev/{m}", device=m) for m in members))
    return machine(*pair(), disk("sdc"), pools=(pool,))


def test_old_pool_of_the_same_name_wholly_on_chosen_disks_is_erased() -> None:
    """fault 30"""
    plan(recipe(MIRROR), other_pool("sda", "sdb"))


@pytest.mark.parametrize("members", [("sdc",), ("sda", "sdc"), ()])
def test_refuses_name_of_a_pool_elsewhere(members: tuple[str, ...]) -> None:
    """fault 30"""
    assert "already a pool called rpool" in refusal(recipe(MIRROR), other_pool(*members))


def test_refuses_name_of_an_imported_pool() -> None:
    """fault 29"""
    assert "is imported" in refusal(recipe(MIRROR), other_pool("sdc", imported=True))


def test_refuses_mapping_names_that_a_disk_which_stays_has() -> None:
    open_mapping = Node(name="dm-0", path="/dev/mapper/pool-a", kind="crypt", size=GIB)
    assert "/dev/mapper/pool-a" in refusal(recipe(MIRROR), machine(*pair(), disk("sdc", children=(open_mapping,))))


def test_refuses_array_name_that_a_disk_which_stays_has() -> None:
    array = Node(name="md127", path="/dev/md127", kind="raid1", size=GIB)
    old = disk("sdc", fstype="linux_raid_member", label="any:boot", uuid="u", children=(array,))
    assert "already a device called boot" in refusal(recipe(MIRROR), machine(*pair(), old))


def test_argon2_is_capped_by_the_machines_memory() -> None:
    """fault 51"""
    made = plan(recipe(MIRROR), machine(memory=1 * GIB))
    assert "--pbkdf-memory=262144" in argv(made, "encryption/format/pool-a")
    assert any("256 MiB of memory instead of 512 MiB" in note for note in made.notes)
    assert not any("instead of" in note for note in plan(recipe(MIRROR), machine(memory=2 * GIB)).notes)


def test_other_systems_that_are_erased_are_named() -> None:
    """fault 28"""
    windows = disk(
        "sda", table="gpt", children=(Node(name="sda1", path="/dev/sda1", kind="part", size=GIB, fstype="BitLocker"),)
    )
    made = plan(recipe(MIRROR), machine(windows, disk("sdb")))
    assert any("Everything on disk a is erased: Windows" in note for note in made.notes)


def test_refuses_volume_group_that_reaches_another_disk() -> None:
    """fault 23"""
    group = VolumeGroup(name="vg", members=("sda", "sdc"))
    words = refusal(recipe(MIRROR), machine(*pair(), disk("sdc"), groups=(group,)))
    assert "vg lies on it and also on sdc" in words


def test_refuses_active_array_that_reaches_another_disk() -> None:
    """fault 23"""
    array = Node(name="md0", path="/dev/md0", kind="raid1", size=GIB)
    member = {"fstype": "linux_raid_member", "uuid": "u", "label": "host:0", "children": (array,)}
    words = refusal(recipe(MIRROR), machine(disk("sda", **member), disk("sdb"), disk("sdc", **member)))
    assert "md0 lies on it and also on sdc" in words


def test_part_of_an_inactive_array_elsewhere_is_told() -> None:
    member = {"fstype": "linux_raid_member", "uuid": "u", "label": "host:store"}
    made = plan(recipe(MIRROR), machine(disk("sda", **member), disk("sdb"), disk("sdc", **member)))
    assert any("host:store loses its part on disk a" in note for note in made.notes)


def test_swap_on_a_volume_comes_with_its_warning() -> None:
    made = plan(recipe(MIRROR + '\n[swap]\nkind = "zvol"\nsize = "1G"\n'), machine())
    assert any("deadlock" in note for note in made.notes)
    assert commands(made, "datasets/swap/rpool/swap")[0].argv[0] == "mkswap"


def test_discard_note_only_where_discards_pass() -> None:
    assert any("discards" in note for note in plan(recipe(MIRROR), machine()).notes)
    silent = MIRROR.replace('over = "partition.pool"', 'over = "partition.pool"\ndiscard = false')
    made = plan(recipe(silent), machine())
    assert not any("discards" in note for note in made.notes)
    assert "--allow-discards" not in argv(made, "encryption/open/pool-a")


def test_table_is_only_for_disks_that_no_layer_takes_whole() -> None:
    body = TABLE.replace("8309", "bf00") + data("mirror", "partition.pool").replace(
        '["partition.pool"] }', '["partition.pool"] }, { kind = "single", over = "disk.c", role = "log" }'
    )
    made = plan(recipe(body, disks="abc"), machine(*pair(), disk("sdc")))
    ids = [one.id for one in made.operations]
    assert "partitions/clone/b" in ids
    assert "partitions/clone/c" not in ids
    assert "teardown/wipe/c" in ids
    assert argv(made, "pools/create/tank")[-2:] == ("log", "/dev/disk/by-id/ata-SC")
    assert "/dev/disk/by-id/ata-SC-part1" in argv(made, "pools/import/tank")
