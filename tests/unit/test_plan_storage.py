"""The storage layers: what is said to the tools, and in which order."""

from __future__ import annotations

import pytest

from installer.machine.model import Array, Node, VolumeGroup
from installer.plan.names import partition_path
from installer.plan.operation import Command, Commands, Effect, Operation, Plan, WriteFile
from installer.run.executor import batches
from tests.unit.plans import (
    GIB,
    MIRROR,
    argv,
    commands,
    data,
    disk,
    layout,
    machine,
    operation,
    plan,
    position,
    recipe,
)


@pytest.mark.parametrize(
    ("link", "partition"),
    [
        ("/dev/disk/by-id/ata-S1", "/dev/disk/by-id/ata-S1-part3"),
        ("/dev/disk/by-path/pci-0000:00:04.0", "/dev/disk/by-path/pci-0000:00:04.0-part3"),
        ("/dev/sda", "/dev/sda3"),
        ("/dev/nvme0n1", "/dev/nvme0n1p3"),
        ("/dev/mmcblk0", "/dev/mmcblk0p3"),
        ("/dev/loop0", "/dev/loop0p3"),
    ],
)
def test_partition_names(link: str, partition: str) -> None:
    """fault 21"""
    assert partition_path(link, 3) == partition


def test_members_of_each_layer() -> None:
    mirror = layout(recipe(MIRROR), machine())
    assert [one.path for one in mirror.members("crypt.pool")] == ["/dev/mapper/pool-a", "/dev/mapper/pool-b"]
    (boot,) = mirror.members("raid.boot")
    assert (boot.path, boot.roles) == ("/dev/md/boot", ("a", "b"))
    assert mirror.root_dataset == "rpool/ROOT/debian"
    assert mirror.encrypted_root
    assert [mount.point for mount in mirror.mounts] == ["/", "/boot"]


def earlier_install() -> tuple[Node, ...]:
    array = Node(name="md127", path="/dev/md127", kind="raid1", size=GIB)
    volume = Node(name="dm-1", path="/dev/mapper/vg-data", kind="lvm", size=GIB, group="vg")
    mapping = Node(name="dm-0", path="/dev/mapper/old", kind="crypt", size=GIB, children=(volume,))
    return (
        Node(name="sda1", path="/dev/sda1", kind="part", size=GIB, number=1, children=(array,)),
        Node(name="sda2", path="/dev/sda2", kind="part", size=GIB, number=2, children=(mapping,)),
    )


def test_holders_of_chosen_disks_are_taken_down_leaf_first() -> None:
    """fault 23, fault 24, fault 27"""
    dirty = machine(
        disk("sda", children=earlier_install()),
        disk("sdb"),
        disk("sdc", children=(Node(name="md1", path="/dev/md1", kind="raid1", size=GIB),)),
        arrays=(Array(name="md127", level="raid1", active=True, members=("sda1",)),),
        groups=(VolumeGroup(name="vg", members=("dm-0",)),),
    )
    made = plan(recipe(MIRROR), dirty)
    closing = [one for one in made.operations if one.effect is Effect.CLOSE and one.layer == "teardown"]
    names = [one.id for one in closing]
    assert names.index("teardown/close/vg") < names.index("teardown/close/old")
    assert argv(made, "teardown/close/old") == ("cryptsetup", "close", "old")
    assert argv(made, "teardown/close/md127") == ("mdadm", "--stop", "/dev/md127")
    assert not any("md1" in one.id.split("/") for one in closing)
    assert position(made, "teardown/close/md127") < position(made, "teardown/wipe/a")


def test_old_partitions_are_emptied_before_their_disk_and_all_before_the_table() -> None:
    """fault 24, fault 25, fault 26, fault 27"""
    made = plan(recipe(MIRROR), machine(disk("sda", children=earlier_install()), disk("sdb")))
    wipe = commands(made, "teardown/wipe/a")
    cleared = [one.argv[-1] for one in wipe if one.argv[:2] == ("zpool", "labelclear")]
    link = "/dev/disk/by-id/ata-SA"
    assert cleared == [f"{link}-part1", f"{link}-part2", link]
    programs = [one.argv[0] for one in wipe]
    assert programs.index("mdadm") < programs.index("wipefs") < programs.index("sgdisk") < programs.index("blkdiscard")
    assert position(made, "teardown/blank/a") < position(made, "partitions/table/a")


def test_new_partitions_are_emptied_and_proved_empty_before_anything_is_made_on_them() -> None:
    """fault 25: signatures come back at the same offsets."""
    made = plan(recipe(MIRROR), machine())
    proof = position(made, "partitions/blank/b")
    assert position(made, "partitions/clear/b") < proof
    assert all(proof < position(made, later) for later in ("partitions/format/esp-a", "raid/create/boot"))
    assert commands(made, "partitions/blank/a")[1].success == (2,)
    # Once it is proved, never again: a resumed run finds there what it has made since.
    assert operation(made, "partitions/blank/a").effect is Effect.PROVE


def test_journal_has_a_place_as_soon_as_there_are_partitions() -> None:
    made = plan(recipe(MIRROR), machine())
    assert position(made, "partitions/format/esp-a") < position(made, "raid/create/boot")


def test_both_ends_are_zeroed_for_zfs_has_labels_there() -> None:
    """fault 26: labelclear is not enough."""
    made = plan(recipe(MIRROR), machine())
    for step, size in (("teardown/wipe/a", 8 * GIB), ("partitions/clear/a", 6653 * 1024**2)):
        offsets = {word for one in commands(made, step) if one.argv[0] == "blkdiscard" for word in one.argv}
        assert {"--offset=0", f"--offset={size - 1024**2}"} <= offsets


def test_clone_has_guids_of_its_own_in_one_call() -> None:
    clone = commands(plan(recipe(MIRROR), machine()), "partitions/clone/b")[0]
    assert clone.argv[1:] == (
        "--load-backup=/run/zroot/table-@{disk-guid.a}",
        "--randomize-guids",
        "--disk-guid=@{disk-guid.b}",
        "/dev/disk/by-id/ata-SB",
    )


def test_the_table_that_is_cloned_is_saved_again_after_a_restart_which_forgets_it() -> None:
    """By a name of this run's own: an earlier run may have left another table in the same memory."""
    made = plan(recipe(MIRROR), machine())
    saving = operation(made, "partitions/save/table")
    assert saving.effect is Effect.OPEN
    assert saving.done == ("test", "-e", "/run/zroot/table-@{disk-guid.a}")
    assert position(made, "partitions/table/a") < position(made, saving.id) < position(made, "partitions/clone/b")
    alone = plan(recipe(ENCRYPTED_DATA + data("single", "crypt.data"), disks="a"), machine(disk("sda")))
    assert not [one for one in alone.operations if one.id == saving.id]


ENCRYPTED_DATA = """
[[partition]]
name = "esp"
size = "512M"
type = "ef00"
[[partition]]
name = "data"
size = "rest"
type = "8309"

[crypt.data]
over = "partition.data"
"""


def test_many_disks_take_no_more_turns_than_few() -> None:
    """What a disk needs runs side by side with what the others need; in turn, 24 disks took minutes."""
    turns = {}
    for roles in ("abcd", "abcdefghijklmnopqrstuvwx"):
        made = plan(
            recipe(ENCRYPTED_DATA + data("raidz2", "crypt.data"), disks=roles),
            machine(*(disk(f"sd{role}") for role in roles)),
        )
        turns[len(roles)] = [batch[0].id.rpartition("/")[0] for batch in batches(made.operations)]
        waits = sum("settle" in command.argv for one in made.operations for command in _commands(one))
        # One in the middle of emptying each disk, and four for all of them.
        assert waits == len(roles) + 4
    assert turns[4] == turns[24]


def _commands(one: Operation) -> tuple[Command, ...]:
    return one.action.commands if isinstance(one.action, Commands) else ()


def test_kernel_that_keeps_the_old_table_is_asked_again() -> None:
    """fault 40"""
    made = plan(recipe(MIRROR), machine())
    table, reread = commands(made, "partitions/table/a")[:2]
    assert table.success == (0, 4)
    assert reread.argv[0] == "blockdev"
    assert reread.retries > 0


def test_every_partition_is_awaited_under_its_link_and_its_disk() -> None:
    """fault 38, fault 39"""
    awaited = operation(plan(recipe(MIRROR), machine()), "partitions/await").action
    link = "/dev/disk/by-id/ata-SB"
    assert (f"{link}-part4", link, 4) in awaited.devices  # type: ignore[union-attr]


VDEVS = [
    ("single", "a", ["{a}"]),
    ("stripe", "ab", ["{a}", "{b}"]),
    ("mirror", "abc", ["mirror", "{a}", "{b}", "{c}"]),
    ("striped-mirrors", "abcd", ["mirror", "{a}", "{b}", "mirror", "{c}", "{d}"]),
    ("raidz1", "abc", ["raidz1", "{a}", "{b}", "{c}"]),
    ("raidz2", "abcd", ["raidz2", "{a}", "{b}", "{c}", "{d}"]),
    ("raidz3", "abcde", ["raidz3", "{a}", "{b}", "{c}", "{d}", "{e}"]),
    ("draid2", "abcde", ["draid2", "{a}", "{b}", "{c}", "{d}", "{e}"]),
]


@pytest.mark.parametrize(("kind", "roles", "expected"), VDEVS)
def test_vdevs(kind: str, roles: str, expected: list[str]) -> None:
    made = plan(
        recipe(data(kind, *(f"disk.{role}" for role in roles)), disks=roles),
        machine(*(disk(f"sd{role}") for role in roles)),
    )
    paths = {role: f"/dev/disk/by-id/ata-S{role.upper()}" for role in roles}
    words = argv(made, "pools/create/tank")
    assert list(words[words.index("tank") + 1 :]) == [word.format(**paths) for word in expected]


@pytest.mark.parametrize(
    ("more", "word"),
    [("", "draid2"), (", spares = 1", "draid2:1s"), (", data = 2, spares = 1", "draid2:2d:1s")],
)
def test_draid_in_the_words_of_zpool(more: str, word: str) -> None:
    body = data("draid2", *(f"disk.{role}" for role in "abcde")).replace('"draid2"', f'"draid2"{more}')
    made = plan(recipe(body, disks="abcde"), machine(*(disk(f"sd{role}") for role in "abcde")))
    words = argv(made, "pools/create/tank")
    assert words[words.index("tank") + 1] == word
    assert made.disks[0].after == (f"whole disk: {word} of pool tank",)


def test_folders_are_given_to_their_owners_at_the_end() -> None:
    body = data("mirror", "disk.a", "disk.b") + '\n[[pool.tank.dataset]]\nname = "data"\nowner = "1000:1000"\n'
    made = plan(recipe(body), machine())
    assert argv(made, "finish/owner/tank/data") == ("chown", "1000:1000", "/mnt/zroot/tank/data")
    assert position(made, "datasets/mount/tank/data") < position(made, "finish/owner/tank/data")


def test_nothing_is_mounted_before_the_root_file_system() -> None:
    body = MIRROR + '\n[[pool.rpool.dataset]]\nname = "home"\nmount = "/home"\n'
    made = plan(recipe(body), machine())
    creates = [one for one in made.operations if one.id.startswith("datasets/create/")]
    assert all(argv(made, one.id)[2] == "-u" for one in creates)
    root, boot, home = (f"datasets/mount/{name}" for name in ("rpool/ROOT/debian", "boot", "rpool/home"))
    assert position(made, root) < position(made, boot) < position(made, home)


def test_top_dataset_that_is_mounted_gets_its_place_after_creation() -> None:
    made = plan(recipe(data("mirror", "disk.a", "disk.b")), machine())
    assert "mountpoint=none" in argv(made, "pools/create/tank")
    assert argv(made, "pools/mountpoint/tank") == ("zfs", "set", "-u", "mountpoint=/tank", "tank")


def test_missing_parents_are_made_once_and_carry_nothing() -> None:
    body = MIRROR + '\n[[pool.rpool.dataset]]\nname = "ROOT/other"\nmount = "/srv"\n'
    made = plan(recipe(body), machine())
    assert argv(made, "datasets/create/rpool/ROOT") == ("zfs", "create", "-u", "-o", "canmount=off", "rpool/ROOT")


def native() -> Operation:
    body = MIRROR.replace('over = "crypt.pool"', 'over = "partition.pool"')
    body = body.replace('[crypt.pool]\nover = "partition.pool"\n', "")
    body = body.replace('bootfs = "ROOT/debian"', 'bootfs = "ROOT/debian"\nencryption = { secret = "passphrase" }')
    made = plan(recipe(body), machine())
    assert [one.prompt for one in commands(made, "pools/create/rpool")[0].dialogue] == [
        "Enter new passphrase:",
        "Re-enter new passphrase:",
    ]
    return operation(made, "pools/unlock/rpool")


def test_key_of_native_encryption_is_loaded_again_after_a_restart() -> None:
    unlock = native()
    assert unlock.effect is Effect.OPEN
    assert unlock.done == ("zfs", "get", "-H", "-o", "property,value", "keystatus", "rpool")
    assert unlock.done_says not in "keystatus\tunavailable"


def test_host_id_of_a_strange_system_is_left_alone() -> None:
    ids = [one.id for one in plan(recipe(data("mirror", "disk.a", "disk.b")), machine(live=False)).operations]
    assert "pools/hostid" not in ids


def test_layers_come_after_those_that_they_need() -> None:
    body = (
        """
[crypt.vault]
over = "zvol.tank/vault"

[pool.inner]
vdevs = [{ kind = "single", over = "crypt.vault" }]
"""
        + data("single", "disk.a")
        + '\n[[pool.tank.dataset]]\nname = "vault"\nsize = "1G"\n'
    )
    assert layout(recipe(body, disks="a"), machine()).order == ("pool.tank", "crypt.vault", "pool.inner")


def clear_mirror(swap: str) -> str:
    """Return the mirror without encryption, with an array for swap."""
    body = MIRROR.replace('[crypt.pool]\nover = "partition.pool"\n', "").replace('"crypt.pool"', '"partition.pool"')
    return '\n[[partition]]\nname = "swap"\nsize = "1G"\ntype = "fd00"\n' + body + swap


def content(made: Plan, path: str) -> str:
    action = operation(made, f"system/write{path}").action
    assert isinstance(action, WriteFile)
    return action.content


def test_swap_on_a_clear_array_is_made_once_and_named_by_the_array() -> None:
    body = clear_mirror('[raid.swap]\nover = "partition.swap"\n[swap]\nkind = "raid"\nover = "raid.swap"\n')
    made = plan(recipe(body), machine())
    assert argv(made, "datasets/swap/swap")[-1] == "/dev/md/swap"
    assert "/dev/md/swap none swap sw,nofail 0 0\n" in content(made, "/etc/fstab")


def test_random_swap_beside_a_clear_root_still_has_its_crypttab() -> None:
    made = plan(recipe(clear_mirror('[swap]\nkind = "random-key"\nover = "partition.swap"\n')), machine())
    assert "swap-b /dev/disk/by-id/ata-SB-part1 /dev/urandom swap," in content(made, "/etc/crypttab")
    assert "/dev/mapper/swap-a none swap" in content(made, "/etc/fstab")
    assert content_of_early(made) == ""


def content_of_early(made: Plan) -> str:
    action = operation(made, "boot/write/members").action
    assert isinstance(action, WriteFile)
    return action.content


def test_swap_with_a_random_key_is_neither_formatted_opened_nor_closed_by_us() -> None:
    swap = '[raid.swap]\nover = "partition.swap"\n[crypt.swap]\nover = "raid.swap"\nunlock = "random"\n'
    made = plan(recipe(clear_mirror(swap + '[swap]\nkind = "raid"\nover = "crypt.swap"\n')), machine())
    assert content(made, "/etc/crypttab").splitlines()[1:] == [
        "swap /dev/md/swap /dev/urandom swap,cipher=aes-xts-plain64,size=512,nofail"
    ]
    assert not [one.id for one in made.operations if "cryptsetup" in one.model_dump_json() or "mkswap" in str(one)]
