"""A live system with four blank disks, for storage without a system: made, opened and closed again within one start."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import tomlkit

from installer.recipe.load import parse
from installer.recipe.model import Firmware
from installer.recipe.secrets import needed
from tests.vm.installs import INSTALL, SECRETS
from tests.vm.kvm import accelerator
from tests.vm.places import RESULTS
from tests.vm.qemu import Machine, blank
from tests.vm.serial import Console
from tests.vm.volume import Volume

DISKS = "/dev/disk/by-id/virtio-STACK-"
FOLDER = "/stacks"
"""Where the files are."""
IN_TURN = (
    'for one in blkdiscard blockdev cryptsetup zpool; do eval "$one() { flock /run/zroot/look $one \\"\\$@\\"; }"; done'
)
"""Has each of these wait until nobody looks at the disks. The interfaces on the consoles do so whenever one comes, and
not while an engine works, but they know nothing of a test: whoever looks claims each disk for a moment, and holds each
pool that could be imported, so that another import says "no such pool available" (EEXIST in ZFS's spa_load)."""


@contextlib.contextmanager
def live(
    name: str, *, iso: Path, files: Mapping[str, str], firmware: Firmware = Firmware.BIOS, gib: float = 1.5
) -> Iterator[Console]:
    """Give the shell of a live system with the disks STACK-A to STACK-D and some files."""
    # Two processes may each have one of these machines at the same time.
    folder = RESULTS / f"{name}{os.environ.get('PYTEST_XDIST_WORKER', '')}"
    volume = Volume.make(folder / "volume.img", files)
    disks = [
        blank(folder / f"{role}.qcow2", gib=gib, slot=slot, serial=f"STACK-{role.upper()}")
        for slot, role in enumerate("abcd")
    ]
    machine = Machine(
        folder=folder / "live",
        disks=[*disks, volume.disk()],
        firmware=firmware,
        iso=iso,
        accelerator=accelerator(iso),
    )
    with machine:
        console = machine.console
        console.live_shell(within=INSTALL)
        console.output(f"mkdir {FOLDER} && mount --options ro /dev/disk/by-label/ZROOT /mnt && cp /mnt/* {FOLDER}")
        # The interfaces on the consoles look at such a volume too, whenever one appears.
        console.output(f"timeout 60 sh -c 'until umount /mnt; do sleep 1; done' && chmod 600 {FOLDER}/*")
        console.output(IN_TURN)
        yield console


def secrets_of(stack: Path) -> dict[str, str]:
    """Return the secrets that a recipe names, each another one."""
    names = [need.name for need in needed(parse(stack.read_text()))]
    return {name: SECRETS.get(name, f"{name} and a word more") for name in names}


def files_of(stack: Path) -> dict[str, str]:
    """Return what a stack needs in the live system: its recipe, its secrets, and each secret as a file of its own."""
    secrets = secrets_of(stack)
    alone = {f"{stack.stem}.{name}": secret for name, secret in secrets.items()}
    return {stack.name: stack.read_text(), f"{stack.stem}.secrets": tomlkit.dumps(secrets), **alone}


def passphrase(stack: Path, name: str) -> str:
    """Return the command that prints a secret of a stack in the live system, without a newline."""
    return f"cat {FOLDER}/{stack.stem}.{name}"


def apply(console: Console, stack: Path) -> None:
    """Carry a stack's recipe out."""
    recipe = parse(stack.read_text())
    erase = " ".join(f"--erase {disk.serial}" for disk in recipe.disks.values())
    secrets = f"--secrets {FOLDER}/{stack.stem}.secrets" if needed(recipe) else ""
    made = console.run(f"zroot apply {FOLDER}/{stack.name} {secrets} {erase}", within=INSTALL)
    assert made.status == 0, made.output
