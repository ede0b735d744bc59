"""`make bench-disks`: storage alone, RAID-Z2 over LUKS, made over ever more disks in machines of one kind.

Ratios are to the fewest disks of the same round. Keys are derived cheaply: what a key costs is known, and the same for
each disk; what the installer does besides for each of them is what is looked for.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import tomlkit

from installer.recipe.model import Firmware
from tests.vm import installs
from tests.vm.bench.figures import by_layer, comparison, ratio
from tests.vm.installs import SECRETS, Copy, quick
from tests.vm.places import ISO, RESULTS
from tests.vm.qemu import Bus, Disk, blank
from tests.vm.volume import MIB, SLOT, Volume

AIMS = {4: 1.0, 12: 1.3, 24: 1.8}
"""Disks, and how many times what four of them take they may take."""
GIB = 0.5
HEADER = 16
"""MiB"""
RECIPE = """
zroot = 1
title = "RAID-Z2 over LUKS"
unattended = true
after = "poweroff"
partition = [{ name = "pool", size = "rest", type = "8309" }]

[disks]

[crypt.pool]
over = "partition.pool"
secret = "passphrase"

[pool.tank]
vdevs = [{ kind = "raidz2", over = "crypt.pool" }]
dataset = [{ name = "data" }]

[swap]
kind = "none"

[system]
source = "none"

[boot]
loader = "none"
"""


def serials(count: int) -> dict[str, str]:
    """Return the serial numbers of so many disks by their roles."""
    return {f"d{number:02}": f"ZROOT-VM-{number:02}" for number in range(1, count + 1)}


def recipe(count: int) -> str:
    """Return the recipe over so many disks."""
    made = tomlkit.parse(RECIPE)
    for role, serial in serials(count).items():
        made["disks"][role] = tomlkit.inline_table().add("serial", serial)
    quick(made)
    return tomlkit.dumps(made)


def disks(folder: Path, count: int) -> dict[str, Disk]:
    """Return so many disks by their roles, all on one SCSI controller: the chipset has no slot for each."""
    # After the slot of the volume: QEMU's names are made of the slots, whatever the bus.
    return {
        role: Disk(image=folder / f"{role}.qcow2", slot=slot, bus=Bus.SCSI, serial=serial)
        for slot, (role, serial) in enumerate(serials(count).items(), SLOT + 1)
    }


def machine(count: int, *, processors: int) -> Copy:
    """Return a machine with so many blank disks."""
    folder = RESULTS / f"bench-{count}-disks"
    shutil.rmtree(folder, ignore_errors=True)
    blanks = {
        role: blank(disk.image, gib=GIB, slot=disk.slot, bus=disk.bus, serial=disk.serial)
        for role, disk in disks(folder, count).items()
    }
    return Copy(folder=folder, iso=ISO, firmware=Firmware.BIOS, disks=blanks, nvram=None, processors=processors)


def measured(count: int, *, processors: int) -> dict[str, float]:
    """Replay the recipe over so many disks and return its seconds by layer."""
    made = machine(count, processors=processors)
    secrets = {"passphrase": SECRETS["passphrase"]}
    # The same for every count. The undo kit takes each LUKS header: a full volume could not even take the result.
    room = MIB + HEADER * max(AIMS)
    volume = Volume.make(made.folder / "volume.img", installs.files(recipe(count), secrets), mib=room)
    installs.replay(made, volume)
    result = volume.result()
    return by_layer(result["layers"], result["seconds"])


def main() -> int:
    """Measure in rounds and print the table."""
    parser = argparse.ArgumentParser(prog="make bench-disks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--processors", type=int, default=2, help="of each machine")
    asked = parser.parse_args()
    runs: dict[int, list[dict[str, float]]] = {count: [] for count in AIMS}
    for number in range(1, asked.rounds + 1):
        for count in AIMS:
            runs[count].append(measured(count, processors=asked.processors))
            print(f"round {number}, {count} disks: {sum(runs[count][-1].values()):.1f} s", flush=True)
    print(f"\n{comparison({f'{count} disks': some for count, some in runs.items()})}\n")
    for count, aim in list(AIMS.items())[1:]:
        print(f"{count} disks take {ratio(runs[4], runs[count]):.2f} times as long as 4; the aim is {aim}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
