"""`make bench`: an unattended install by step, beside the floor that the same machine allows."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from installer.plan.operation import Layer
from installer.recipe.model import Firmware
from tests.vm import installs
from tests.vm.installs import RECIPE, empty, files, prepared
from tests.vm.places import ISO, RESULTS
from tests.vm.volume import Volume

ENGINE = "engine"
"""What is left of an install's time when its operations are taken away."""


def by_layer(durations: Mapping[str, float], total: float) -> dict[str, float]:
    """Return seconds for each layer, in their order, and what the engine itself took.

    durations has the seconds of each operation by its id (layer/verb/object). Where operations ran side by side they
    add up to more than the time that went by; the engine's share is then not negative but 0.
    """
    layers: dict[str, float] = {layer.value: 0.0 for layer in Layer}
    for operation, seconds in durations.items():
        layers[operation.split("/", 1)[0]] += seconds
    layers[ENGINE] = max(0.0, total - sum(layers.values()))
    return layers


def table(install: Mapping[str, float], floor: Mapping[str, float]) -> str:
    """Return a Markdown table: step, seconds of the install, seconds of the floor, and how many times the floor."""
    rows = ["| step | install | floor | times |", "|---|---:|---:|---:|"]
    for name, seconds in [*install.items(), ("**whole**", sum(install.values()))]:
        bare = floor.get(name, 0.0) if name in install else sum(floor.values())
        times = f"{seconds / bare:.1f}" if bare else ""
        rows.append(f"| {name} | {seconds:.1f} s | {f'{bare:.1f} s' if bare else ''} | {times} |")
    return "\n".join(rows)


def main() -> int:
    """Install once and print the table."""
    machine = empty(RESULTS / "bench", iso=ISO, firmware=Firmware.BIOS)
    volume = Volume.make(machine.folder / "volume.img", files(prepared(RECIPE.read_text())))
    installs.replay(machine, volume)
    result = volume.result()
    durations: dict[str, float] = result["durations"]
    print(table(by_layer(durations, float(result.get("seconds", sum(durations.values())))), floor={}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
