"""`make bench`: an unattended install by step, beside the floor that the same machine allows, and beside debootstrap.

The floor is what no installer can avoid: the plan's own storage commands and the same unsquashfs, run bare, one after
another, by a shell on the same live system over the same kind of disks. debootstrap lays the same packages into the
same pool, over the network; it is given up when the comparison is decided.
"""

from __future__ import annotations

import sys
import time

from installer.plan.operation import Layer
from installer.recipe.model import Firmware
from tests.vm import installs
from tests.vm.bench.figures import ENGINE, laps, table
from tests.vm.bench.pairs import measured_install
from tests.vm.installs import RECIPE, empty, prepared, quick
from tests.vm.places import ISO, RESULTS
from tests.vm.serial import ConsoleError
from tests.vm.volume import Volume

DECIDED = 5
"""How many times the whole install debootstrap may take before it is stopped: that is the aim."""

SCRIPT = "zroot plan /mnt/recipe.toml --format sh"
# Everything of the printed plan until the image is copied, with the time at each heading.
FLOOR = (
    f"{{ {SCRIPT} "
    r"""| sed -e '/^# Mount .*proc for programs/,$d' -e 's/^### \(.*\)/date "+at %s.%N \1"/';"""
    """ echo 'date "+at %s.%N end"'; } > /tmp/floor.sh"""
)
# A progress bar drawn on a serial line costs the floor what the installer never pays.
RUN = "bash /tmp/floor.sh > /tmp/floor.log 2>&1 && grep '^at ' /tmp/floor.log || { tail /tmp/floor.log; false; }"
STORAGE = f"{SCRIPT} | sed -e '/^# Copy the live system/,$d' > /tmp/storage.sh"
# Kernels by their version are in the updates, which debootstrap does not read; the packages without one bring another.
DEBOOTSTRAP = (
    "debootstrap --components=main,contrib,non-free-firmware "
    "--include=$(dpkg-query --show --showformat '${Package}\\n' | grep --invert-match '^linux-.*-[0-9]' | paste -sd ,) "
    "trixie /mnt/zroot $(sed -n 's/^deb \\([^ ]*\\) .*/\\1/p' /etc/apt/sources.list | head -n 1)"
)
STOPPED = 124
"""Status of timeout(1) when the time was over."""
PLAIN = "correct-horse-battery"
"""A passphrase that a shell script can be fed; the canaries of the tests are not needed here."""


def measured_floor() -> dict[str, float]:
    """Run the bare commands on a machine of the same kind and return their seconds by layer."""
    machine = empty(RESULTS / "floor", iso=ISO, firmware=Firmware.BIOS, processors=2)
    recipe = prepared(RECIPE.read_text(), unattended=False)
    volume = Volume.make(machine.folder / "volume.img", {"recipe.toml": recipe})
    with machine.live("floor", volume=volume) as live:
        live.console.live_shell(within=installs.INSTALL)
        live.console.output("mount --options ro /dev/disk/by-label/ZROOT /mnt")
        live.console.output(FLOOR, within=300)
        text = live.console.output(f"umount /mnt; printf '{PLAIN}\\n{PLAIN}\\n' | {RUN}", within=installs.INSTALL)
        live.power_off()
    floor = laps(text)
    floor.pop(Layer.TEARDOWN.value, None)  # blank disks need none
    return floor


def measured_debootstrap(limit: float) -> tuple[float, bool]:
    """Lay the live system's packages into the pool by debootstrap; return its seconds, and whether it ended by itself.

    The network is QEMU's own, the mirror the image's. What the installer does besides is not even counted.
    """
    machine = empty(RESULTS / "debootstrap", iso=ISO, firmware=Firmware.BIOS, processors=2)
    recipe = prepared(RECIPE.read_text(), unattended=False, change=quick)
    volume = Volume.make(machine.folder / "volume.img", {"recipe.toml": recipe})
    live = machine.live("debootstrap", volume=volume)
    live.network, live.memory = True, 4096
    with live:
        console = live.console
        console.live_shell(within=installs.INSTALL)
        console.output("mount --options ro /dev/disk/by-label/ZROOT /mnt")
        console.output(STORAGE, within=300)
        console.output(
            f"umount /mnt; printf '{PLAIN}\\n{PLAIN}\\n' | bash /tmp/storage.sh > /dev/null", within=installs.INSTALL
        )
        console.output("apt-get --quiet update && apt-get --quiet --yes install debootstrap", within=installs.INSTALL)
        began = time.monotonic()
        command = f"timeout {limit:.0f} {DEBOOTSTRAP} > /tmp/debootstrap.log 2>&1"
        status = console.run(command, within=limit + installs.INSTALL).status
        seconds = time.monotonic() - began
        if status not in (0, STOPPED):
            raise ConsoleError(f"debootstrap failed:\n{console.output('tail /tmp/debootstrap.log')}")
    return seconds, status == 0


def main() -> int:
    """Measure all three and print the table."""
    install = measured_install(ISO, RESULTS / "bench")
    floor = measured_floor()
    whole = sum(install.values())
    print(table(install, floor))
    print(f"\nThe engine's own time is {100 * install[ENGINE] / whole:.1f} % of the whole.", flush=True)
    seconds, ended = measured_debootstrap(DECIDED * whole)
    took = f"took {seconds:.0f} s" if ended else f"had not ended after {seconds:.0f} s"
    print(
        f"debootstrap of the same packages {took}: {'' if ended else 'more than '}{seconds / whole:.1f} times as long."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
