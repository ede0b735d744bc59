"""A recipe and a machine make exactly one plan."""

from __future__ import annotations

import re
from collections.abc import Iterator

import installer
from installer.errors import Refusals, ZrootError
from installer.machine import words
from installer.machine.model import Machine
from installer.plan import (
    boot,
    datasets,
    encryption,
    finish,
    fit,
    nixos,
    partitions,
    persist,
    pools,
    raid,
    sources,
    swap,
    system,
    teardown,
)
from installer.plan.choose import choose
from installer.plan.contents import contents
from installer.plan.layout import Layout
from installer.plan.notes import notes
from installer.plan.operation import ChosenDisk, Fact, FactKind, Operation, Plan
from installer.recipe import rules, stack
from installer.recipe.model import Recipe
from installer.recipe.write import dump

PLACEHOLDER = re.compile(r"@\{([A-Za-z0-9_.:/-]+)\}")
FACTS = {
    "install-id": (FactKind.UUID, "tells this installation from every other when it is resumed"),
    "hostid": (FactKind.HOSTID, "tells ZFS which system has a pool in use"),
    "machine-id": (FactKind.MACHINE_ID, "tells the installed system from every other"),
    "disk-guid": (FactKind.UUID, "names the partition table of a disk"),
    "esp": (FactKind.FAT_SERIAL, "names an EFI system partition"),
    "md": (FactKind.UUID, "names an md array"),
    "fs": (FactKind.UUID, "names a file system"),
    "luks": (FactKind.UUID, "names an encrypted member"),
}
"""Kind and use of a fact, by what stands before the dot in its name."""


def make_plan(recipe: Recipe, machine: Machine) -> Plan:
    """Return the plan of a recipe for a machine; raises Refusals with all problems at once."""
    rules.require(recipe)
    layout = Layout(recipe, machine, choose(recipe, machine))
    if problems := fit.refusals(layout):
        raise Refusals(problems)
    operations = tuple(_operations(layout))
    return Plan(
        zroot=installer.__version__,
        title=recipe.title,
        recipe=dump(recipe),
        disks=tuple(
            ChosenDisk(
                role=role,
                identity=disk.identity,
                link=disk.link,
                size=disk.size,
                description=words.describe(disk),
                before=words.contents(disk),
                after=contents(layout, role),
            )
            for role, disk in layout.disks.items()
        ),
        facts=_facts(operations),
        secrets=tuple(dict.fromkeys(secret for operation in operations for secret in operation.secrets)),
        notes=notes(layout),
        operations=_unique(operations),
        target=layout.target if stack.has_system(recipe) else "",
        sources=sources.needed(layout),
        after=recipe.after,
    )


def _operations(layout: Layout) -> Iterator[Operation]:
    yield from teardown.operations(layout)
    yield from partitions.operations(layout)
    yield from _storage(layout)
    yield from swap.operations(layout)
    if layout.recipe.system.source == "nixos":
        yield from nixos.operations(layout)
    else:
        yield from system.operations(layout)
        yield from persist.operations(layout)
        yield from boot.operations(layout)
    yield from finish.operations(layout)


def _storage(layout: Layout) -> Iterator[Operation]:
    """Yield every layer after those that it needs; the mounts come as late as they can, by their paths."""
    made: set[str] = set()
    mounted: set[str] = set()

    def mounts() -> Iterator[Operation]:
        for mount in layout.mounts:
            if mount.source not in mounted and made & {f"pool.{mount.layer}", f"raid.{mount.layer}"}:
                mounted.add(mount.source)
                yield datasets.mount(layout, mount)

    for layer in layout.order:
        kind, name = layer.split(".", 1)
        match kind:
            case "raid":
                yield from raid.operations(layout, name)
            case "crypt":
                yield from encryption.operations(layout, name)
            case "file":
                yield from mounts()
                yield from datasets.files(layout, name)
            case "pool":
                if not any(one.startswith("pool.") for one in made):
                    yield from pools.hostid(layout)
                yield from pools.operations(layout, name)
                yield from datasets.operations(layout, name)
        made.add(layer)
    yield from mounts()


def _facts(operations: tuple[Operation, ...]) -> tuple[Fact, ...]:
    text = "".join(operation.model_dump_json() for operation in operations)
    names = dict.fromkeys(["install-id", *PLACEHOLDER.findall(text)])
    found = []
    for name in names:
        kind, why = FACTS[name.partition(".")[0]]
        found.append(Fact(name=name, kind=kind, why=why))
    return tuple(found)


def _unique(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    ids = [operation.id for operation in operations]
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise ZrootError(
            "The recipe's names make two steps of the plan the same.",
            message=", ".join(twice),
            hint="Give one of the layers another name.",
        )
    return operations
