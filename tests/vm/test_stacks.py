"""Storage without a system: every recipe in stacks/ with the real tools, each over what the one before it left."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
import tomlkit

from installer.machine.model import Disk
from installer.machine.model import Firmware as HostFirmware
from installer.machine.model import Machine as Host
from installer.plan.layout import Layout
from installer.plan.names import TARGET
from installer.recipe.load import parse
from installer.recipe.model import CryptKind, Firmware, Pool, Recipe
from installer.recipe.secrets import needed
from tests.vm.installs import INSTALL, SECRETS
from tests.vm.kvm import accelerator
from tests.vm.places import RESULTS
from tests.vm.qemu import Machine, blank
from tests.vm.serial import Console
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]

STACKS = sorted((Path(__file__).parent / "stacks").glob("*.toml"))


@pytest.fixture(scope="module")
def live(iso: Path) -> Generator[Console]:
    """A live system with four disks and all the recipes at /stacks."""
    folder = RESULTS / "stacks"
    texts = {path.name: path.read_text() for path in STACKS}
    secrets = {f"{path.stem}.secrets": tomlkit.dumps(secrets_of(path)) for path in STACKS}
    volume = Volume.make(folder / "volume.img", {**texts, **secrets})
    disks = [
        blank(folder / f"{role}.qcow2", gib=1.5, slot=slot, serial=f"STACK-{role.upper()}")
        for slot, role in enumerate("abcd")
    ]
    machine = Machine(
        folder=folder / "live",
        disks=[*disks, volume.disk()],
        firmware=Firmware.BIOS,
        iso=iso,
        accelerator=accelerator(iso),
    )
    with machine:
        machine.console.live_shell(within=INSTALL)
        machine.console.output("mkdir /stacks && mount --options ro /dev/disk/by-label/ZROOT /mnt && cp /mnt/* /stacks")
        machine.console.output("umount /mnt && chmod 600 /stacks/*.secrets")
        yield machine.console


@pytest.mark.parametrize("stack", STACKS, ids=lambda path: path.stem)
def test_stack_is_made_closed_and_importable_again(live: Console, stack: Path) -> None:
    """fault 24, fault 25, fault 26, fault 27"""
    recipe = parse(stack.read_text())
    erase = " ".join(f"--erase {disk.serial}" for disk in recipe.disks.values())
    secrets = f"--secrets /stacks/{stack.stem}.secrets" if needed(recipe) else ""
    made = live.run(f"zroot apply /stacks/{stack.name} {secrets} {erase}", within=INSTALL)
    assert made.status == 0, made.output
    assert live.output("ls /dev/mapper") == "control", "a mapping is still open"
    assert live.output("zpool list -H -o name") == "", "the pool is still imported"
    assert_importable(live, stack)


def secrets_of(stack: Path) -> dict[str, str]:
    """Return the secrets that a recipe names, each another one."""
    names = [need.name for need in needed(parse(stack.read_text()))]
    return {name: SECRETS.get(name, f"{name} and a word more") for name in names}


def assert_importable(live: Console, stack: Path) -> None:
    """Open what the recipe made, by hand and from the bottom up, and look at its pools; then close it."""
    layout = laid_out(parse(stack.read_text()))
    opened = []
    for layer in layout.order:
        kind, name = layer.split(".", 1)
        if kind == "crypt":
            crypt = layout.recipe.crypt[name]
            # A key file of a TrueCrypt volume is something else, and its passphrase a line.
            how = "--type tcrypt --disable-veracrypt" if crypt.kind is CryptKind.TCRYPT else "--key-file -"
            for below, device in zip(layout.members(crypt.over), layout.members(layer), strict=True):
                typed = passphrase(stack, crypt.secret)
                live.output(f"{typed} | cryptsetup open {how} {below.path} {device.name}", within=300)
                opened.append(f"cryptsetup close {device.name}")
        elif kind == "pool":
            live.output(f"zpool import -d /dev/mapper -d /dev/disk/by-id -N -R {TARGET} {name}", within=300)
            opened.append(f"zpool export {name}")
            assert_pool(live, name, layout.recipe.pool[name])
            if layout.recipe.file:
                live.output("zfs mount -a")
    for command in reversed(opened):
        live.output(command, within=300)


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


def passphrase(stack: Path, name: str) -> str:
    """Return the command that prints a secret of a stack, without a newline."""
    program = f"import tomllib; print(tomllib.load(open('/stacks/{stack.stem}.secrets', 'rb'))['{name}'], end='')"
    return f'python3 -c "{program}"'
