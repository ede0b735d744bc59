"""Storage without a system: every recipe in stacks/ with the real tools, each over what the one before it left."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from installer.machine.model import Disk
from installer.machine.model import Firmware as HostFirmware
from installer.machine.model import Machine as Host
from installer.plan.layout import Layout
from installer.plan.names import TARGET
from installer.recipe.load import parse
from installer.recipe.model import Crypt, CryptKind, Pool, Recipe
from tests.vm import storage
from tests.vm.serial import Console
from tests.vm.storage import DISKS, apply, passphrase

pytestmark = pytest.mark.vm

STACKS = sorted((Path(__file__).parent / "stacks").glob("*.toml"))


@pytest.fixture(scope="module")
def live(iso: Path) -> Generator[Console]:
    """A live system with four disks and all the recipes at /stacks."""
    files = {name: text for stack in STACKS for name, text in storage.files_of(stack).items()}
    with storage.live("stacks", iso=iso, files=files) as console:
        yield console


@pytest.mark.parametrize("stack", STACKS, ids=lambda path: path.stem)
def test_stack_is_made_closed_and_importable_again(live: Console, stack: Path) -> None:
    """fault 24, fault 25, fault 26, fault 27"""
    empty_other_disks(live, parse(stack.read_text()))
    apply(live, stack)
    assert live.output("ls /dev/mapper") == "control", "a mapping is still open"
    assert live.output("zpool list -H -o name") == "", "the pool is still imported"
    assert live.output("grep --no-messages '^md' /proc/mdstat; true") == "", "an array still runs"
    assert_importable(live, stack)


def empty_other_disks(live: Console, recipe: Recipe) -> None:
    """Forget what an earlier stack left on disks that this one does not take: its pool might have the same name."""
    taken = {disk.serial for disk in recipe.disks.values()}
    for letter in "ABCD":
        if f"STACK-{letter}" not in taken:
            live.output(f"blkdiscard --force {DISKS}{letter} && blockdev --rereadpt {DISKS}{letter}", within=300)
    live.output("udevadm settle", within=300)


def assert_importable(live: Console, stack: Path) -> None:
    """Open what the recipe made, by hand and from the bottom up, and look at its pools; then close it."""
    layout = laid_out(parse(stack.read_text()))
    opened = []
    for layer in layout.order:
        kind, name = layer.split(".", 1)
        if kind == "raid":
            array, members = layout.members(layer)[0].path, layout.members(layout.recipe.raid[name].over)
            live.output(f"mdadm --assemble {array} {' '.join(member.path for member in members)}", within=300)
            opened.append(f"mdadm --stop {array}")
        elif kind == "crypt":
            crypt = layout.recipe.crypt[name]
            for below, device in zip(layout.members(crypt.over), layout.members(layer), strict=True):
                live.output(f"{unlocking(stack, layout, crypt)} {below.path} {device.name}", within=300)
                opened.append(f"cryptsetup close {device.name}")
                if crypt.recovery:
                    recovery = passphrase(stack, crypt.recovery)
                    live.output(f"{recovery} | cryptsetup open --test-passphrase --key-file - {below.path}", within=300)
        elif kind == "pool":
            live.output(f"zpool import -d /dev/mapper -d /dev/disk/by-id -N -R {TARGET} {name}", within=300)
            opened.append(f"zpool export {name}")
            assert_pool(live, name, layout.recipe.pool[name])
            if layout.recipe.file:
                live.output("zfs mount -a")
    for command in reversed(opened):
        live.output(command, within=300)


def unlocking(stack: Path, layout: Layout, crypt: Crypt) -> str:
    """Return the command that opens a member by hand; the device and its mapping are still to be named."""
    if crypt.key and crypt.key_size:
        key = layout.members(crypt.key)[0].path
        return f"cryptsetup open --key-file {key} --keyfile-size {int(crypt.key_size)}"
    # A key file of a TrueCrypt volume is something else, and its passphrase a line.
    how = "--type tcrypt --disable-veracrypt" if crypt.kind is CryptKind.TCRYPT else "--key-file -"
    return f"{passphrase(stack, crypt.secret)} | cryptsetup open {how}"


def laid_out(recipe: Recipe) -> Layout:
    """Return where a recipe's layers lie on this machine's disks."""
    disks = {
        role: Disk(name=role, path=f"/dev/{role}", link=f"/dev/disk/by-id/virtio-{disk.serial}", size=2**30)
        for role, disk in recipe.disks.items()
    }
    return Layout(recipe, Host(disks=tuple(disks.values()), firmware=HostFirmware.BIOS, memory=2**31), disks)


def assert_pool(live: Console, name: str, pool: Pool) -> None:
    """Everything of the pool is there, of the kind and in the role that the recipe says."""
    status = live.output(f"zpool status {name}")
    assert "state: ONLINE" in status, status
    for vdev in pool.vdevs:
        kind = {"striped-mirrors": "mirror-1", "single": "", "stripe": ""}.get(vdev.kind, vdev.kind)
        role = {"data": "", "log": "logs", "spare": "spares"}.get(vdev.role, vdev.role)
        assert kind in status, status
        assert role in status, status
    for user, permissions in pool.allow.items():
        said = live.output(f"zfs allow {name}")
        assert user in said, said
        assert all(word in said for word in permissions), said
