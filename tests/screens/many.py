"""A server with ninety disks, the recipes that are planned for it, and the review of one of them on this terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import tomlkit

from installer.machine.recording import MEMINFO, Recording
from installer.recipe.load import parse
from installer.recipe.secrets import Secret, needed
from installer.run.client import Recorded
from screens.app import Guided
from screens.review import Review
from screens.reviewing import Install
from tests.unit.synthetic import LIVE_FILES, Block, block, live_cd, machine

COUNT = 90
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SHIPPED = Path(__file__).parents[2] / "recipes"
ALL, TWO = "RAID-Z2 over all", "a mirror over two"
WORDS = "correct horse battery"


def serial(number: int) -> str:
    """Return the serial number of a disk."""
    return f"ZR9{number:05}"


def recording() -> Recording:
    """Record the server: SAS disks, UEFI, 256 GiB."""
    files = {**LIVE_FILES, MEMINFO: "MemTotal:       263842180 kB\n"}
    return machine(*live_cd(), *(_disk(number) for number in range(COUNT)), files=files, efi=True)


def recipes() -> dict[str, str]:
    """Return recipes by what they make: storage over all disks, and a system on two of them."""
    two = tomlkit.parse((SHIPPED / "debian-luks-mirror.toml").read_text())
    whole = tomlkit.parse((SHIPPED / "luks-integrity-mirror.toml").read_text())
    whole["crypt"].clear()
    whole["crypt"]["all"] = {"over": "partition.pool", "secret": "passphrase"}
    (pool,) = whole["pool"].values()
    pool["vdevs"] = [{"kind": "raidz2", "over": "crypt.all"}]
    return {ALL: _bound(whole, range(COUNT)), TWO: _bound(two, (COUNT // 2, COUNT - 1))}


def _bound(recipe: tomlkit.TOMLDocument, numbers: Any) -> str:
    recipe["disks"].clear()
    for number in numbers:
        recipe["disks"][f"d{number:02}"] = tomlkit.inline_table().add("serial", serial(number))
    return tomlkit.dumps(recipe)


def _disk(number: int) -> Block:
    name = "sd" + (LETTERS[number // 26 - 1] if number >= len(LETTERS) else "") + LETTERS[number % 26]
    by_id = f"/dev/disk/by-id/scsi-SSEAGATE_ST18000NM004J_{serial(number)}"
    by_path = f"/dev/disk/by-path/pci-0000:3b:00.0-sas-phy{number}-lun-0"
    return block(
        name, size=18000207937536, model="ST18000NM004J", vendor="SEAGATE ", tran="sas", phy_sec=4096, rota=True,
        links=(by_id, by_path), properties={"ID_SERIAL_SHORT": serial(number)},
    )  # fmt: skip


class Reviewing(Guided):
    """The app with the review instead of the wizard."""

    def __init__(self, recorded: Path, recipe: str) -> None:
        super().__init__(Recorded(recorded))
        secrets = {need.name: Secret(WORDS) for need in needed(parse(recipe))}
        self._install = Install(recipe=recipe, secrets=secrets)

    # Textual calls Guided.on_mount too, whatever stands here.
    def guide(self) -> None:  # type: ignore[override]
        """Show the one screen."""
        self.push_screen(Review(self.desk, self.answers, install=self._install))


if __name__ == "__main__":
    Reviewing(Path(sys.argv[1]), Path(sys.argv[2]).read_text()).run()
