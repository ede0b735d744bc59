"""`make vm-guided`: the guided install by hand, over the serial line of a virtual machine with two blank disks.

`python -m tests.vm.guided --installed` starts the same machine from its disks alone.
"""

from __future__ import annotations

import argparse
import shutil
import sys

from installer.recipe.model import Firmware
from tests.vm.demo import say
from tests.vm.installs import DISK_GIB, SERIALS, Copy, empty
from tests.vm.places import ISO, RESULTS
from tests.vm.qemu import Disk, Medium

FOLDER = RESULTS / "by-hand"
SIZE = (80, 24)
"""What a serial line is taken for: it cannot tell how large the terminal at its end is."""
KEYS = "Ctrl-a x ends the machine at once, as a power cut does; Ctrl-a Ctrl-a sends one Ctrl-a."


def installed() -> Copy | None:
    """Return the machine of the last time; none if there was none."""
    images = {role: FOLDER / f"{role}.qcow2" for role in SERIALS}
    if not all(image.exists() for image in images.values()):
        return None
    disks = {role: Disk(image=images[role], slot=slot, serial=SERIALS[role]) for slot, role in enumerate(SERIALS)}
    return Copy(folder=FOLDER, iso=ISO, firmware=Firmware.UEFI, disks=disks, nvram=FOLDER / "nvram.fd")


def main() -> int:
    """Hand the machine over to this terminal; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.vm.guided", description="The guided install by hand.")
    parser.add_argument(
        "--installed", action="store_true", help="start from the disks of the last time, without the ISO"
    )
    options = parser.parse_args()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        say("This needs a terminal: the screens of the install are drawn on it.")
        return 2
    columns, lines = shutil.get_terminal_size()
    if columns < SIZE[0] or lines < SIZE[1]:
        say(f"This terminal has {columns} columns and {lines} lines. A serial line needs {SIZE[0]} and {SIZE[1]}.")
        return 2
    if options.installed:
        machine = installed()
        if machine is None:
            say("There is nothing to start: `make vm-guided` comes first.")
            return 2
        say(f"Starting from the disks in {FOLDER}. {KEYS}")
        return machine.machine("boot").on_this_terminal()
    machine = empty(FOLDER, iso=ISO, firmware=Firmware.UEFI, processors=2)
    say(f"Two blank disks of {DISK_GIB} GiB, serial numbers {' and '.join(SERIALS.values())}. {KEYS}")
    print("The firmware and the kernel come first; the first screen takes one to three minutes where there is no KVM.")
    status = machine.live("install", medium=Medium.CD).on_this_terminal()
    print("\x1b[0m\x1b[?25h\x1b[?1049l")  # whatever the machine had switched on
    say(f"The machine is off. Its disks are in {FOLDER}")
    print("To start what is installed on them:  .venv/bin/python -m tests.vm.guided --installed")
    return status


if __name__ == "__main__":
    sys.exit(main())
