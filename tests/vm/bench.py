"""`make bench`: an unattended install by step, beside the floor that the same machine allows.

The floor is what no installer can avoid: the plan's own storage commands and the same unsquashfs, run bare, one after
another, by a shell on the same live system over the same kind of disks.
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Mapping

from installer.plan.operation import Layer
from installer.recipe.model import Firmware
from tests.vm import installs
from tests.vm.installs import RECIPE, empty, files, prepared
from tests.vm.places import ISO, RESULTS
from tests.vm.volume import Volume

ENGINE = "engine"
"""What is left of an install's time when its operations are taken away: probing, planning, journal, records."""

WHOLE = "**whole**"

# Everything of the printed plan until the image is copied, with the time at each heading.
FLOOR = (
    "{ zroot plan /mnt/recipe.toml --format sh "
    r"""| sed -e '/^# Mount .*proc for programs/,$d' -e 's/^### \(.*\)/date "+at %s.%N \1"/';"""
    """ echo 'date "+at %s.%N end"'; } > /tmp/floor.sh"""
)
PROMPT = re.compile(r"root@zroot-live:[^#]*# ")
PLAIN = "correct-horse-battery"
"""A passphrase that a shell script can be fed; the canaries of the tests are not needed here."""


def by_layer(layers: Mapping[str, float], total: float) -> dict[str, float]:
    """Return seconds for each layer, in their order, and what the engine itself took."""
    found = {layer.value: layers.get(layer, 0.0) for layer in Layer}
    found[ENGINE] = max(0.0, total - sum(found.values()))
    return found


def laps(text: str) -> dict[str, float]:
    """Return the seconds between the marks of a floor: lines `at SECONDS NAME`, the last one `end`."""
    marks = [(name, float(at)) for at, name in re.findall(r"^at ([\d.]+) (\S+)$", text, re.MULTILINE)]
    return {name: after - at for (name, at), (_, after) in itertools.pairwise(marks)}


def table(install: Mapping[str, float], floor: Mapping[str, float]) -> str:
    """Return a Markdown table: step, seconds of the install, seconds of the floor, and how many times the floor."""
    rows = ["| step | install | floor | times |", "|---|---:|---:|---:|"]
    for name, seconds in [*install.items(), (WHOLE, sum(install.values()))]:
        bare = sum(floor.values()) if name == WHOLE else floor.get(name, 0.0)
        times = f"{seconds / bare:.2f}" if bare else ""
        rows.append(f"| {name} | {seconds:.1f} s | {f'{bare:.1f} s' if bare else ''} | {times} |")
    return "\n".join(rows)


def measured_install() -> dict[str, float]:
    """Replay the shipped recipe onto blank disks and return its seconds by layer."""
    machine = empty(RESULTS / "bench", iso=ISO, firmware=Firmware.BIOS)
    volume = Volume.make(machine.folder / "volume.img", files(prepared(RECIPE.read_text())))
    installs.replay(machine, volume)
    result = volume.result()
    return by_layer(result["layers"], result["seconds"])


def measured_floor() -> dict[str, float]:
    """Run the bare commands on a machine of the same kind and return their seconds by layer."""
    machine = empty(RESULTS / "floor", iso=ISO, firmware=Firmware.BIOS)
    recipe = prepared(RECIPE.read_text(), unattended=False)
    volume = Volume.make(machine.folder / "volume.img", {"recipe.toml": recipe})
    with machine.live("floor", volume=volume) as live:
        live.console.take_shell(PROMPT, within=installs.INSTALL)
        live.console.output("mount --options ro /dev/disk/by-label/ZROOT /mnt")
        live.console.output(FLOOR, within=300)
        text = live.console.output(
            f"umount /mnt; printf '{PLAIN}\\n{PLAIN}\\n' | bash /tmp/floor.sh", within=installs.INSTALL
        )
        live.power_off()
    floor = laps(text)
    floor.pop(Layer.TEARDOWN.value, None)  # blank disks need none
    return floor


def main() -> int:
    """Measure both and print the table."""
    install = measured_install()
    floor = measured_floor()
    print(table(install, floor))
    print(f"\nThe engine's own time is {100 * install[ENGINE] / sum(install.values()):.1f} % of the whole.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
