"""Installed machines: made once by a replay from the labelled volume, kept by content, booted from copies."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tomlkit

from installer.recipe.model import Firmware
from tests.vm.kvm import accelerator
from tests.vm.places import CACHE, RESULTS, ROOT, digest, only_one
from tests.vm.qemu import Disk, Machine, Medium, blank
from tests.vm.serial import ConsoleError
from tests.vm.volume import Volume

RECIPE = ROOT / "recipes/debian-luks-mirror.toml"
SERIALS = {"a": "ZROOT-VM-A", "b": "ZROOT-VM-B"}
USER = "user"

PASSPHRASE = r"""k7$(touch /x)`id`'"\.*+?[z]{2}|^&;<#%~!> 9"""
PASSWORD = r"""p4'"$HOME\d+(.*)|[^ ]; &#%!u"""
"""Canaries: full of what a shell, a regular expression, TOML or a terminal might take for its own."""
SECRETS = {"passphrase": PASSPHRASE, "user-password": PASSWORD}

DISK_GIB = 8
INSTALL = 2400.0
"""Seconds within which a replay must end, with room for an emulator on a busy machine."""

Change = Callable[[tomlkit.TOMLDocument], None]


def prepared(
    text: str,
    *,
    unattended: bool = True,
    after: str = "poweroff",
    change: Change | None = None,
    serials: Mapping[str, str] = SERIALS,
) -> str:
    """Return a recipe bound to the disks of these machines, with its consoles on the serial line."""
    recipe = tomlkit.parse(text)
    recipe["unattended"] = unattended
    recipe["after"] = after
    for role, serial in serials.items():
        # Inline: tomlkit moves a table to the end, and the first disk would be the last.
        recipe["disks"][role] = tomlkit.inline_table().add("serial", serial)
    arguments = [*recipe["boot"]["arguments"], "console=tty0", "console=ttyS0,115200"]
    recipe["boot"]["arguments"] = arguments
    if change:
        change(recipe)
    return tomlkit.dumps(recipe)


def quick(recipe: tomlkit.TOMLDocument) -> None:
    """Derive keys cheaply: an emulator needs a minute for what a processor does in two seconds."""
    for layer in recipe["crypt"].values():
        layer["kdf"] = {"memory": "64M", "iterations": 4, "parallel": 2}


def files(recipe: str, secrets: Mapping[str, str] = SECRETS) -> dict[str, str]:
    """Return what lies on the volume."""
    return {"recipe.toml": recipe, "secrets.toml": tomlkit.dumps(dict(secrets))}


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A copy of an installed machine that may be written to, for any number of boots one after another."""

    folder: Path
    iso: Path
    firmware: Firmware
    disks: Mapping[str, Disk]
    nvram: Path | None
    processors: int = 1
    """One is enough beside another machine; a machine that is alone gets two."""
    network: bool = False
    """Whether its machines have QEMU's own network."""

    def machine(self, label: str, *, without: Sequence[str] = (), extra: Sequence[Disk] = ()) -> Machine:
        """Return a machine with these disks, in their own slots, without some of them."""
        present = [disk for role, disk in self.disks.items() if role not in without]
        return Machine(
            folder=self.folder / label,
            disks=[*present, *extra],
            firmware=self.firmware,
            nvram=self.nvram,
            accelerator=accelerator(self.iso),
            network=self.network,
            processors=self.processors,
        )

    def further(self, name: str, *, slot: int) -> Disk:
        """Return a further disk of 2 GiB, blank when it is first asked for."""
        disk = Disk(image=self.folder / f"{name}.qcow2", slot=slot, serial=f"ZROOT-VM-{name.upper()}")
        return disk if disk.image.exists() else blank(disk.image, gib=2, slot=slot, serial=disk.serial)

    def live(self, label: str, *, volume: Volume | None = None, medium: Medium = Medium.DIRECT) -> Machine:
        """Return a machine with these disks that boots the ISO."""
        machine = self.machine(label, extra=[volume.disk()] if volume else [])
        machine.iso = self.iso
        machine.medium = medium
        return machine


@dataclass(frozen=True, kw_only=True)
class Installed:
    """A finished installation: its disks stay as they are, every use makes a copy."""

    folder: Path
    iso: Path
    firmware: Firmware

    @property
    def volume(self) -> Volume:
        """The volume that it was installed from, with the result on it."""
        return Volume(self.folder / "volume.img")

    @property
    def console(self) -> Path:
        """The console of the installation."""
        return self.folder / "install/console.log"

    def kept(self, name: str, session: str) -> Copy:
        """Return the copy that this run of the tests has made for whoever asks first, with what it was used for."""
        mark = RESULTS / f"{name}-{self.firmware}/session"
        if not mark.exists() or mark.read_text() != session:
            self.copy(name)
            mark.write_text(session)
        return self._copy(mark.parent)

    def copy(self, name: str) -> Copy:
        """Return a copy with the name of whoever asks for it."""
        folder = RESULTS / f"{name}-{self.firmware}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for disk in _disks(self.folder).values():
            disk.overlay(folder)
        if self.firmware is Firmware.UEFI:
            shutil.copyfile(self.folder / "nvram.fd", folder / "nvram.fd")
        return self._copy(folder)

    def _copy(self, folder: Path) -> Copy:
        disks = {role: disk.over(folder) for role, disk in _disks(self.folder).items()}
        nvram = folder / "nvram.fd" if self.firmware is Firmware.UEFI else None
        return Copy(folder=folder, iso=self.iso, firmware=self.firmware, disks=disks, nvram=nvram)


def empty(
    folder: Path, *, iso: Path, firmware: Firmware, serials: Mapping[str, str] = SERIALS, processors: int = 1
) -> Copy:
    """Return a machine with blank disks."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    disks = {
        role: blank(disk.image, gib=DISK_GIB, slot=disk.slot, serial=disk.serial)
        for role, disk in _disks(folder, serials).items()
    }
    nvram = folder / "nvram.fd" if firmware is Firmware.UEFI else None
    return Copy(folder=folder, iso=iso, firmware=firmware, disks=disks, nvram=nvram, processors=processors)


def install(iso: Path, firmware: Firmware, *, change: Change = quick) -> Installed:
    """Return the shipped recipe installed from this ISO by this firmware; made only if it is not there yet."""
    recipe = prepared(RECIPE.read_text(), change=change)
    key = hashlib.sha256(f"{digest(iso)} {firmware} {DISK_GIB} {json.dumps(SECRETS)} {recipe}".encode()).hexdigest()[
        :16
    ]
    folder = CACHE / f"installed-{firmware}-{key}"
    with only_one(f"install-{firmware}"):
        if not folder.exists():
            for older in CACHE.glob(f"installed-{firmware}-*"):
                shutil.rmtree(older)
            unfinished = CACHE / f"installing-{firmware}"
            machine = empty(unfinished, iso=iso, firmware=firmware)
            replay(machine, Volume.make(unfinished / "volume.img", files(recipe)), medium=Medium.CD)
            unfinished.rename(folder)
    return Installed(folder=folder, iso=iso, firmware=firmware)


def replay(disks: Copy, volume: Volume, *, label: str = "install", medium: Medium = Medium.DIRECT) -> Path:
    """Replay the recipe of the volume onto the disks and return the console's log. Raises ConsoleError if it fails."""
    with disks.live(label, volume=volume, medium=medium) as machine:
        said = machine.console.wait_for("zroot: result: ok", "zroot: result: failed", within=INSTALL)
        if said.endswith("ok"):
            machine.wait_off(within=300)
    if said.endswith("failed") or volume.result()["exit"] != 0:
        # As it lies there: on a full volume it is empty.
        words = volume.read("zroot-result.json").decode(errors="replace")
        raise ConsoleError(f"the replay failed; its console is in {machine.log}, its result is:\n{words}")
    return machine.log


def _disks(folder: Path, serials: Mapping[str, str] = SERIALS) -> dict[str, Disk]:
    return {
        role: Disk(image=folder / f"{role}.qcow2", slot=slot, serial=serial)
        for slot, (role, serial) in enumerate(serials.items())
    }
