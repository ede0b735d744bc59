"""A machine with one disk that is a file, and `apply` on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from run_plans import note, plan

from installer.machine.model import Disk, Firmware, Machine
from installer.plan.operation import ChosenDisk, Fact, Operation, Plan
from installer.process import run
from installer.recipe.secrets import Secret
from installer.run import apply as applying
from installer.run import before, durable, resume
from installer.run.apply import Outcome, apply
from installer.run.events import Event
from tests.needs import require

CANARY = 'c4n4ry.*+($x)"\\ '
RECIPE = """
zroot = 1
title = "For tests"
[disks]
a = { serial = "SER1AL" }
[[partition]]
name = "esp"
size = "512M"
type = "ef00"
[[partition]]
name = "pool"
size = "rest"
type = "8309"
[crypt.pool]
over = "partition.pool"
[pool.rpool]
vdevs = [{ kind = "single", over = "crypt.pool" }]
[system]
source = "none"
[boot]
loader = "none"
"""


class House:
    """A machine with one disk (a file), a folder for the engine's state, and a plan that a test chooses."""

    def __init__(self, folder: Path, partitioned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.run = folder / "run"
        image = folder / "disk"
        shutil.copyfile(partitioned, image)
        self.disk = Disk(
            name="vda",
            path=str(image),
            link=str(image),
            serial="SER1AL",
            size=64 * 1024**2,
            table="gpt",
            table_uuid="11111111-2222-3333-4444-555555555555",
        )
        self.machine = Machine(disks=(self.disk,), firmware=Firmware.UEFI, memory=2**31)
        self.plan = self.planned(note("a", folder, destroys=("a",)), note("b", folder))
        self.events: list[Event] = []
        monkeypatch.setattr(applying, "RUN", self.run)
        monkeypatch.setattr(applying, "probe", lambda: self.machine)
        monkeypatch.setattr(applying, "make_plan", lambda recipe, machine: self.plan)
        monkeypatch.setattr(before, "make_plan", lambda recipe, machine: self.plan)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(durable, "VOLUME", str(folder / "no-volume"))
        monkeypatch.setattr(resume, "VOLUME", str(folder / "no-volume"))

    def planned(self, *operations: Operation, facts: tuple[Fact, ...] = ()) -> Plan:
        chosen = ChosenDisk(role="a", identity="SER1AL", link=self.disk.link, size=self.disk.size, description="A disk")
        return plan(*operations, facts=facts, recipe=RECIPE).model_copy(update={"disks": (chosen,)})

    def apply(  # noqa: PLR0913 - as many as the command has
        self,
        *,
        erase: tuple[str, ...] = ("SER1AL",),
        secrets: Mapping[str, str] | None = None,
        recipe: str = RECIPE,
        resume: bool = False,
        attended: bool = False,
        show: Callable[[Event], None] | None = None,
    ) -> Outcome:
        given = {"passphrase": CANARY} if secrets is None else secrets
        return apply(
            recipe,
            source="recipe",
            secrets={name: Secret(value) for name, value in given.items()},
            erase=erase,
            events=None,
            resume=resume,
            attended=attended,
            show=show or self.events.append,
        )


def partitioned_disk(folder: Path) -> Path:
    """Make a disk with a table; once for many tests, because sgdisk sleeps for a second after it wrote."""
    require("sgdisk")
    image = folder / "image"
    image.touch()
    os.truncate(image, 64 * 1024**2)
    run(["sgdisk", "--new=1:0:+8M", "--disk-guid=11111111-2222-3333-4444-555555555555", str(image)])
    return image
