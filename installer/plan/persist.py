"""A root file system that is rolled back at every start: the list of what is kept, and the blank state."""

from __future__ import annotations

from installer.plan.layout import Layout
from installer.plan.operation import Layer, Operation
from installer.plan.steps import command, in_target, programs, target_file
from installer.recipe.model import Persist

PROGRAM = "/usr/lib/zroot/persist"
"""Reads the list: makes the units of the installed system, fills the folder, copies files in and out (iso/target)."""


def operations(layout: Layout) -> list[Operation]:
    """Return what says to the installed system what it keeps; before GRUB's menu is written, which goes by it."""
    persist = layout.recipe.persist
    if persist is None:
        return []
    return [
        target_file(
            Layer.SYSTEM, "/etc/zroot/persist", "List what is kept when the root is rolled back", listing(persist)
        )
    ]


def listing(persist: Persist) -> str:
    """Return the list, a word and a path a line."""
    lines = [
        "# What outlives the rollback of the root file system; see /usr/share/doc/zroot/impermanence.md.",
        f"folder {persist.folder}",
        f"snapshot {persist.snapshot}",
        *(f"keep {path}" for path in persist.keep),
    ]
    return "\n".join(lines) + "\n"


def kept(layout: Layout) -> list[Operation]:
    """Return what fills the folder from the finished system; NixOS is not there yet, and its blank state is empty."""
    persist = layout.recipe.persist
    if persist is None or layout.recipe.system.source == "nixos":
        return []
    title = f"Copy what is kept to {persist.folder}"
    return [programs(Layer.FINISH, "persist/keep", title, in_target(PROGRAM, "prepare"))]


def blank(layout: Layout) -> list[Operation]:
    """Return what takes the blank state; the last snapshot, for going back to it destroys every newer one."""
    persist = layout.recipe.persist
    if persist is None or layout.recipe.system.source == "nixos":
        return []
    name = f"{layout.root_dataset}@{persist.snapshot}"
    return [
        programs(
            Layer.FINISH,
            "snapshot/blank",
            f"Take the state {name}, to which every start goes back",
            command("zfs", "snapshot", name),
            done=("zfs", "list", "-H", "-t", "snapshot", "-o", "name", name),
        )
    ]
