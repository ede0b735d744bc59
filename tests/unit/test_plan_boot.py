"""What the installed system starts with: the same host id everywhere, and no key outside what is encrypted."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from installer.machine.model import Firmware
from installer.plan.operation import Commands, Operation, Plan, WriteFile
from tests.unit.plans import MIRROR, argv, commands, machine, operation, plan, position, recipe, refusal
from tests.unit.test_plan_golden import CASES, plan_of

ROOT = Path(__file__).parents[2]
DRACUT = ROOT / "iso/target/usr/lib/dracut/modules.d/95zroot"
NATIVE = (
    MIRROR.replace('[crypt.pool]\nover = "partition.pool"\n', "").replace('"crypt.pool"', '"partition.pool"')
    + '[pool.rpool.encryption]\nsecret = "passphrase"\n'
)


def files(made: Plan) -> dict[str, str]:
    return {one.action.path: one.action.content for one in made.operations if isinstance(one.action, WriteFile)}


def hands_on_secrets(one: Operation) -> bool:
    """Say whether an operation puts a secret anywhere but on a terminal, or a password as anything but its hash."""
    if not isinstance(one.action, Commands):
        return True
    return any(
        command.output or ("%{" in (command.stdin or "") and not command.hashed) for command in one.action.commands
    )


@pytest.mark.parametrize("case", CASES)
def test_no_key_is_written_where_a_thief_reads_it(case: str) -> None:
    """fault 54: not into the initramfs, the ESP, /boot or any other file."""
    made = plan_of(case)
    assert not [one.id for one in made.operations if one.secrets and hands_on_secrets(one)]
    entries = [line.split() for line in files(made).get("/mnt/zroot/etc/crypttab", "").splitlines()[1:]]
    asked = {f"/dev/mapper/{name}" for name, _, key, _ in entries if key == "none"}
    assert {key for _, _, key, _ in entries} <= {"none", "/dev/urandom"} | asked
    for one in made.operations:
        if one.id == "boot/initramfs/complete":
            (archive,) = [command for command in commands(made, one.id) if command.argv[0] == "cpio"]
            listed = set((archive.stdin or "").split())
            assert listed <= {"etc", "etc/zroot"} | {f"etc/{name}" for name in ("hostid", "hostname")} | {
                f"etc/zroot/{name}" for name in ("members", "keymap")
            }


@pytest.mark.parametrize("case", CASES)
def test_the_targets_own_initramfs_opens_what_the_installers_opens(case: str, tmp_path: Path) -> None:
    """The next kernel update makes the list anew, from what the plan wrote into /etc."""
    written = files(plan_of(case))
    listed = [content for path, content in written.items() if path.endswith("/etc/zroot/members")]
    tables = [tmp_path / name for name in ("crypttab", "mdadm.conf")]
    for path, name in zip(tables, ("crypttab", "mdadm/mdadm.conf"), strict=True):
        path.write_text(written.get(f"/mnt/zroot/etc/{name}", ""))
    remade = subprocess.run(
        ["bash", "-c", f'. "{DRACUT}/module-setup.sh"; members "$@"', "members", *map(str, tables)],
        capture_output=True,
        text=True,
        check=True,
    )
    # A system that is not the image's gets no list from the installer: its initramfs is made in it, by this alone.
    assert not listed or listed == [remade.stdout]
    assert not remade.stderr


@pytest.mark.parametrize("case", CASES)
def test_keys_of_datasets_are_asked_for_and_never_read_from_a_file(case: str) -> None:
    """fault 55: a key file that is missing when the machine starts."""
    said = [word for one in plan_of(case).operations for word in one.model_dump_json().split('"')]
    assert {word for word in said if word.startswith("keylocation=")} <= {"keylocation=prompt"}


def test_a_recipe_cannot_name_a_key_file() -> None:
    """fault 55"""
    body = MIRROR.replace('mount = "/"', 'mount = "/"\nproperties = { keylocation = "file:///etc/zfs/key" }')
    assert "keylocation: the recipe has the key encryption for this" in refusal(recipe(body), machine())


@pytest.mark.parametrize("key", ["/etc/keys/pool", "partition.key", "raid.boot"])
def test_a_recipe_cannot_take_a_key_from_where_it_lies_in_clear(key: str) -> None:
    """fault 54"""
    partition = '[[partition]]\nname = "key"\nsize = "64M"\ntype = "8300"\n'
    body = MIRROR.replace('[[partition]]\nname = "pool"', f'{partition}[[partition]]\nname = "pool"')
    body = body.replace('over = "partition.pool"', f'over = "partition.pool"\nkey = "{key}"\nkey-size = "64K"')
    assert "crypt.pool.key" in refusal(recipe(body), machine())


def test_keys_of_native_encryption_are_asked_for_at_boot() -> None:
    """fault 55"""
    assert "keylocation=prompt" in argv(plan(recipe(NATIVE), machine()), "pools/create/rpool")


def test_live_system_pool_target_and_initramfs_have_one_host_id() -> None:
    """fault 56: another one, and the next start refuses the pool or forces its import."""
    made = plan(recipe(MIRROR), machine())
    assert argv(made, "pools/hostid")[-1] == argv(made, "system/write/hostid")[-1] == "@{hostid}"
    assert position(made, "pools/hostid") < position(made, "pools/create/rpool")
    assert argv(made, "boot/initramfs/complete")[1] == "/mnt/zroot/etc/hostid"
    assert [fact.name for fact in made.facts].count("hostid") == 1


def test_pool_is_exported_after_everything_on_it_is_unmounted() -> None:
    """fault 56: a pool that was not exported belongs to the live system still."""
    made = plan(recipe(MIRROR), machine())
    export = position(made, "finish/export/rpool")
    assert all(position(made, one.id) < export for one in made.operations if one.id.startswith("finish/unmount"))
    assert operation(made, "finish/export/rpool").done == ("test", "!", "-e", "/proc/spl/kstat/zfs/rpool")
    assert not [one.id for one in made.operations if "zpool import -f" in " ".join(one.model_dump_json().split('","'))]


def test_what_is_closed_at_the_end_is_closed_again_while_somebody_holds_it() -> None:
    """fault 58"""
    made = plan(recipe(MIRROR), machine())
    closing = [one for one in made.operations if one.id.startswith(("finish/export", "finish/close"))]
    assert {one.id for one in closing} >= {"finish/export/rpool", "finish/close/pool-a", "finish/close/pool-b"}
    assert all(command.retries >= 10 for one in closing for command in commands(made, one.id))


@pytest.mark.parametrize(("firmware", "entries"), [(Firmware.BIOS, 0), (Firmware.UEFI, 2)])
def test_nothing_that_must_succeed_writes_to_the_firmware(firmware: Firmware, entries: int) -> None:
    """fault 70, fault 71: a BIOS has nowhere to write to; another firmware may be full, or refuse."""
    made = plan(recipe(MIRROR), machine(firmware=firmware))
    writing = [
        one
        for one in made.operations
        if any(word in one.model_dump_json() for word in ("efibootmgr", "efivars", "bootctl"))
    ]
    assert [one.optional for one in writing] == [True] * entries
    # It may fail: what every firmware finds by itself is there by then.
    assert all(position(made, one.id) > position(made, "boot/grub/install") for one in writing)


def test_whoever_looks_at_a_new_partition_is_waited_for() -> None:
    """fault 41: udev does, and on a desktop its automounter."""
    made = plan(recipe(MIRROR), machine(live=False))
    for name in ("partitions/clear/a", "partitions/clear/b"):
        assert all(command.retries >= 10 for command in commands(made, name))


def test_the_live_system_mounts_nothing_by_itself() -> None:
    """fault 41"""
    packages = (ROOT / "iso" / "packages.list").read_text().split()
    assert not {"udisks2", "gvfs", "udiskie", "autofs", "usbmount"} & set(packages)
