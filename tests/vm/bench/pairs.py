"""`make bench BASE=...`: an unattended install by another image and by this checkout's, again and again in turn.

BASE is a revision, whose image is built in a worktree of its own under .cache/bench, or an image. Recipe, machines and
what drives them are this checkout's for both.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import tomlkit

from installer.recipe.model import Firmware
from tests.vm import installs
from tests.vm.bench.figures import by_layer, comparison, ratio
from tests.vm.installs import RECIPE, Change, empty, files, prepared, quick
from tests.vm.places import ISO, RESULTS, ROOT
from tests.vm.volume import Volume

WORKTREES = ROOT / ".cache/bench"
STAGES = ("base", "boot", "python")
"""Of an image: what another revision may have in common with this one. Each is made again if its inputs differ."""

BASE, HERE = "base", "this"


def unchanged(_: tomlkit.TOMLDocument) -> None:
    """Take the recipe as it is shipped."""


def measured_install(iso: Path, folder: Path, *, change: Change = unchanged, processors: int = 2) -> dict[str, float]:
    """Replay the shipped recipe onto blank disks and return its seconds by layer."""
    machine = empty(folder, iso=iso, firmware=Firmware.BIOS, processors=processors)
    volume = Volume.make(machine.folder / "volume.img", files(prepared(RECIPE.read_text(), change=change)))
    installs.replay(machine, volume)
    result = volume.result()
    return by_layer(result["layers"], result["seconds"])


def image_of(base: str) -> Path:
    """Return the image that a BASE means, built first if it is a revision."""
    if base.endswith(".iso"):
        return Path(base).resolve(strict=True)
    commit = _git("rev-parse", "--verify", "--end-of-options", f"{base}^{{commit}}")
    tree = WORKTREES / commit[:12]
    if not tree.exists():
        _git("worktree", "prune")
        _git("worktree", "add", "--quiet", "--detach", str(tree), commit)
    if not (stages := tree / ".cache/iso").exists():
        _share_stages(stages)
    print(f"=== Building the image of {commit[:12]} in {tree.relative_to(ROOT)}", flush=True)
    subprocess.run(["make", "--no-print-directory", "--directory", str(tree), "iso"], check=True)
    return tree / "dist/zroot-amd64.iso"


def _git(*arguments: str) -> str:
    ran = subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return ran.stdout.strip()


def _share_stages(stages: Path) -> None:
    """Give another image the stages of this one, so that a Debian is not made twice."""
    stages.mkdir(parents=True)
    root = () if os.geteuid() == 0 else ("sudo",)
    for name in STAGES:
        for stage in (ROOT / ".cache/iso").glob(f"{name}-*"):
            subprocess.run([*root, "cp", "--archive", "--reflink=auto", str(stage), str(stages)], check=True)


def main() -> int:
    """Install in turn and print the seconds by layer, and the ratio pair by pair."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("base", help="a revision, or the path of an image (.iso)")
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--processors", type=int, default=2, help="of each machine")
    parser.add_argument("--quick", action="store_true", help="derive keys cheaply")
    asked = parser.parse_args()
    images = {BASE: image_of(asked.base), HERE: ISO}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in images}
    for number in range(1, asked.pairs + 1):
        for name, image in images.items():
            folder = RESULTS / f"bench-{name}"
            change = quick if asked.quick else unchanged
            runs[name].append(measured_install(image, folder, change=change, processors=asked.processors))
        base, here = (sum(some[-1].values()) for some in runs.values())
        print(f"pair {number}: {base:.1f} s by the base, {here:.1f} s by this one, {here / base:.2f}", flush=True)
    print(f"\n{comparison(runs)}\n\nThe median of the pairs is {ratio(runs[BASE], runs[HERE]):.2f}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
