"""`make vm`: a recipe becomes two disks that boot, watched on this terminal.

Two blank disks and a volume labelled ZROOT in a virtual machine; the live ISO replays the recipe with nobody attached;
the machine starts from the disks alone, the passphrase is typed at its prompt, and `zpool status` is shown.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from installer.recipe.model import Firmware
from tests.vm import guest, installs
from tests.vm.installs import RECIPE, USER, empty, files, prepared
from tests.vm.places import ISO, RESULTS
from tests.vm.qemu import Medium
from tests.vm.serial import ConsoleError, plain
from tests.vm.volume import Volume


class Follow(threading.Thread):
    """Shows a console's log on this terminal while it grows."""

    def __init__(self, log: Path) -> None:
        super().__init__(daemon=True)
        self._log = log
        self._over = threading.Event()

    def __enter__(self) -> Follow:
        self._log.unlink(missing_ok=True)
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Print what comes, without the escape sequences that would redraw this terminal."""
        offset = 0
        while True:
            over = self._over.is_set()
            if self._log.exists():
                with self._log.open("rb") as file:
                    file.seek(offset)
                    text = file.read()
                offset += len(text)
                sys.stdout.write(plain(text.decode(errors="replace")))
                sys.stdout.flush()
            if over:
                return
            self._over.wait(0.2)


def say(text: str) -> None:
    """Print a line that stands out from the console of the machine."""
    print(f"\n=== {text}", flush=True)


def main() -> int:
    """Show the main job; return the exit status."""
    began = time.monotonic()
    machine = empty(RESULTS / "demo", iso=ISO, firmware=Firmware.UEFI, processors=2)
    volume = Volume.make(machine.folder / "volume.img", files(prepared(RECIPE.read_text(), after="reboot")))
    try:
        say(f"Replaying {RECIPE.name} from the labelled volume onto two blank disks, without a network")
        with Follow(machine.folder / "install/console.log"):
            installs.replay(machine, volume, medium=Medium.CD)
        replayed = time.monotonic()
        say(f"Installed in {replayed - began:.0f} seconds. Now the same machine without the ISO")
        with Follow(machine.folder / "boot/console.log"), machine.machine("boot") as booted:
            guest.unlock(booted)
            guest.log_in(booted)
            booted.console.output("zpool status", within=60)
            booted.power_off()
    except ConsoleError as error:
        say(f"It did not work: {error}")
        return 1
    say(f"Done in {time.monotonic() - began:.0f} seconds. Disks, consoles and result are in {machine.folder}")
    print(f"The passphrase was: {installs.PASSPHRASE}\nThe password of {USER} was: {installs.PASSWORD}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
