"""Recipes that are there to be replayed: those that ship, and those on sticks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import installer
from installer.errors import ZrootError, literal
from installer.frozen import Frozen
from installer.machine.model import Machine
from installer.recipe.load import parse, read_text
from installer.run.durable import mounted
from installer.run.resume import interrupted
from installer.run.saving import places

SHIPPED = (Path("/opt/zroot/recipes"), Path(installer.__file__).parents[1] / "recipes")
"""On the live system, and in a source tree."""

POINT = "shelf"
FIRST = "debian-luks-mirror.toml"
"""The recipe that zroot is made for stands before the others."""
MOST = 50
"""Recipes that are read from one stick at most."""


class Found(Frozen):
    """A recipe and where it is."""

    title: str
    where: str
    text: str
    unfinished: bool = False
    """Whether this is an installation that was cut off and can be resumed."""


def shipped() -> tuple[Found, ...]:
    """Return the recipes that come with zroot."""
    folder = next((folder for folder in SHIPPED if folder.is_dir()), None)
    return tuple(_in(folder, "comes with zroot")) if folder else ()


def on_sticks(machine: Machine, *, run: Path) -> tuple[Found, ...]:
    """Return the recipes on sticks and volumes labelled ZROOT, which are mounted read-only for it."""
    found: list[Found] = []
    run.mkdir(mode=0o700, exist_ok=True)
    for place in places(machine, chosen=(), run=run):
        if place.device:
            try:
                with mounted(place.device, run / POINT, writable=False) as point:
                    found += _in(point, f"on {place.device}")
            except (ZrootError, OSError):
                continue  # not readable: it offers nothing
    return tuple(found)


def cut_off(machine: Machine, *, run: Path) -> tuple[Found, ...]:
    """Return the installation that was interrupted on this machine, if its journal is found."""
    plan = interrupted(run, disks=lambda: machine.disks)
    if plan is None:
        return ()
    return (Found(title=plan.title, where="was interrupted", text=plan.recipe, unfinished=True),)


def read(path: str) -> Found:
    """Read a recipe from a file; raises Refusals."""
    text = read_text(Path(path))
    return Found(title=parse(text, source=path).title, where=path, text=text)


def _in(folder: Path, where: str) -> Iterator[Found]:
    """Give the recipes in a folder; what is no recipe is passed over."""
    for file in sorted(folder.glob("*.toml"), key=lambda file: (file.name != FIRST, file.name))[:MOST]:
        if file.name == "secrets.toml" or file.name.startswith("."):
            continue
        try:
            text = read_text(file)
            title = parse(text, source=file.name).title
        except ZrootError:
            continue
        yield Found(title=title, where=f"{literal(file.name)[1:-1]}, {where}", text=text)
