"""Storage without a system: every recipe in stacks/ with the real tools, each over what the one before it left."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
import tomlkit

from installer.recipe.load import parse
from installer.recipe.model import Firmware, Recipe
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
    volume = Volume.make(
        folder / "volume.img", {**texts, "secrets.toml": tomlkit.dumps({"passphrase": SECRETS["passphrase"]})}
    )
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
        machine.console.output("umount /mnt && chmod 600 /stacks/secrets.toml")
        yield machine.console


@pytest.mark.parametrize("stack", STACKS, ids=lambda path: path.stem)
def test_stack_is_made_closed_and_importable_again(live: Console, stack: Path) -> None:
    """fault 24, fault 25, fault 26, fault 27"""
    recipe = parse(stack.read_text())
    erase = " ".join(f"--erase {disk.serial}" for disk in recipe.disks.values())
    secrets = "--secrets /stacks/secrets.toml" if needed(recipe) else ""
    made = live.run(f"zroot apply /stacks/{stack.name} {secrets} {erase}", within=INSTALL)
    assert made.status == 0, made.output
    assert live.output("ls /dev/mapper") == "control", "a mapping is still open"
    assert live.output("zpool list -H -o name") == "", "the pool is still imported"
    assert_importable(live, recipe)


def assert_importable(live: Console, recipe: Recipe) -> None:
    """Open what the recipe made, by hand, and look at the pool; then close it."""
    opened = []
    for name, layer in recipe.crypt.items():
        number = [partition.name for partition in recipe.partition].index(layer.over.removeprefix("partition.")) + 1
        for role, disk in recipe.disks.items():
            device = f"/dev/disk/by-id/virtio-{disk.serial}-part{number}"
            live.output(f"{passphrase(layer.secret)} | cryptsetup open --key-file - {device} {name}-{role}", within=300)
            opened.append(f"{name}-{role}")
    (pool, layout), *_ = recipe.pool.items()
    live.output(f"zpool import -d /dev/mapper -d /dev/disk/by-id -N {pool}", within=300)
    status = live.output(f"zpool status {pool}")
    assert "state: ONLINE" in status, status
    for vdev in layout.vdevs:
        kind = {"striped-mirrors": "mirror-1", "single": "", "stripe": ""}.get(vdev.kind, f"{vdev.kind}-0")
        assert kind in status, status
    live.output(f"zpool export {pool}", within=300)
    for name in opened:
        live.output(f"cryptsetup close {name}", within=300)


def passphrase(name: str) -> str:
    """Return the command that prints a secret of the secrets file, without a newline."""
    program = f"import tomllib; print(tomllib.load(open('/stacks/secrets.toml', 'rb'))['{name}'], end='')"
    return f'python3 -c "{program}"'
