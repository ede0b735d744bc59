"""Machines and recipes to plan with."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from installer.errors import Refusals
from installer.machine.model import Disk, Firmware, Machine
from installer.plan.build import make_plan
from installer.plan.choose import choose
from installer.plan.layout import Layout
from installer.plan.operation import Command, Commands, Operation, Plan
from installer.recipe.load import parse
from installer.recipe.model import Recipe
from installer.recipe.write import rebind

RECIPES = Path(__file__).parents[2] / "recipes"
GIB = 1024**3
TABLE = """
[[partition]]
name = "bios"
size = "1M"
type = "ef02"
[[partition]]
name = "esp"
size = "512M"
type = "ef00"
[[partition]]
name = "boot"
size = "1G"
type = "fd00"
[[partition]]
name = "pool"
size = "rest"
type = "8309"
"""
MIRROR = (
    TABLE
    + """
[raid.boot]
over = "partition.boot"
filesystem = "ext4"
mount = "/boot"

[crypt.pool]
over = "partition.pool"

[pool.rpool]
bootfs = "ROOT/debian"
vdevs = [{ kind = "mirror", over = "crypt.pool" }]

[[pool.rpool.dataset]]
name = "ROOT/debian"
mount = "/"

[system.user]
name = "user"
password = "user-password"
"""
)
DATA = """
[pool.tank]
vdevs = [{ kind = "KIND", over = ["OVER"] }]

[system]
source = "none"

[boot]
loader = "none"

[swap]
kind = "none"
"""


def recipe(body: str, *, disks: str = "ab", **selectors: str) -> str:
    """Return a recipe whose roles select the serials SA, SB, ... unless a selector is given for the role."""
    chosen = {role: selectors.get(role, f'serial = "S{role.upper()}"') for role in disks}
    return (
        'zroot = 1\ntitle = "Test"\n' + "".join(f"\n[disks.{role}]\n{line}\n" for role, line in chosen.items()) + body
    )


def data(kind: str, *over: str) -> str:
    """Return a recipe's body with a pool for data alone."""
    return DATA.replace("KIND", kind).replace('"OVER"', ", ".join(f'"{one}"' for one in over))


def disk(name: str, **facts: Any) -> Disk:
    """Return a disk with the serial S and its letter: sda has SA."""
    serial = facts.setdefault("serial", f"S{name[-1].upper()}")
    link = f"/dev/disk/by-id/ata-{serial}"
    defaults = {"path": f"/dev/{name}", "link": link, "by_id": (link,), "size": 8 * GIB, "transport": "sata"}
    return Disk.model_validate({"name": name, **defaults, **facts})


def machine(*disks: Disk, **facts: Any) -> Machine:
    """Return a machine of our live system, with two disks unless some are given."""
    defaults = {"firmware": Firmware.UEFI, "memory": 4 * GIB, "live": True, "image": "/live.squashfs", "kernel": "6.12"}
    return Machine.model_validate({"disks": disks or (disk("sda"), disk("sdb")), **defaults, **facts})


def layout(text: str, machine: Machine) -> Layout:
    parsed = parse(text)
    return Layout(parsed, machine, choose(parsed, machine))


def plan(text: str, machine: Machine) -> Plan:
    return make_plan(parse(text), machine)


def refusal(text: str, machine: Machine) -> str:
    """Return the words with which a recipe is refused."""
    try:
        plan(text, machine)
    except Refusals as refusals:
        return str(refusals)
    raise AssertionError("it was not refused")


def operation(plan: Plan, name: str) -> Operation:
    return next(one for one in plan.operations if one.id == name)


def commands(plan: Plan, name: str) -> tuple[Command, ...]:
    action = operation(plan, name).action
    assert isinstance(action, Commands)
    return action.commands


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """Return the first command of an operation."""
    return commands(plan, name)[0].argv


def position(plan: Plan, name: str) -> int:
    return [one.id for one in plan.operations].index(name)


def bound(path: Path) -> str:
    """Return a shipped recipe with the serials SERIAL-A, SERIAL-B, ... for its roles."""
    text = path.read_text()
    return rebind(text, {role: f"SERIAL-{role.upper()}" for role in parse(text).disks})


def laid_over_the_mirror(path: Path) -> Recipe:
    """Return the shipped mirror with the tables of a file laid over its own; "(removed)" removes one."""
    base = tomllib.loads(bound(RECIPES / "debian-luks-mirror.toml"))
    return Recipe.model_validate(_overlay(base, tomllib.loads(path.read_text())))


def _overlay(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    merged = base | {
        key: _overlay(base.get(key, {}), value) for key, value in change.items() if isinstance(value, dict)
    }
    merged |= {key: value for key, value in change.items() if not isinstance(value, dict)}
    return {key: value for key, value in merged.items() if value != "(removed)"}
