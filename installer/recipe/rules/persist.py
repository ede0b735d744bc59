"""Rules on a root file system that is rolled back at every start, and on what is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

from installer.recipe.model import Dataset, Recipe
from installer.recipe.rules.rule import rule, rules_in
from installer.recipe.stack import datasets_above, has_system, mounts, root

OF_THE_SYSTEM = "|".join(
    (
        r"/(?:bin|boot|dev|lib|lib32|lib64|libx32|proc|run|sbin|sys|tmp)(?:/.*)?",
        r"/(?:etc|usr|var|var/lib)",
        r"/usr/(?!(?:local|src)(?:/|$)).*",
        r"/var/lib/(?:apt|dpkg|systemd/deb-.*|zroot)(?:/.*)?",
        r"/var/lib/systemd",
        r"/etc/(?:crypttab|fstab|hostid|systemd/system|zfs|zroot)(?:/.*)?",
    )
)
"""What is read before anything kept is in place, or must change together with the packages."""
AUTOMATIC = "com.sun:auto-snapshot"


def _root_dataset(recipe: Recipe) -> tuple[str, str, Dataset | None]:
    """Return the root's pool, its name in that pool, and its entry; empty where there is none."""
    found = root(recipe)
    if found is None:
        return "", "", None
    name, pool = found
    return name, pool.bootfs or "", next((one for one in pool.dataset if one.name == pool.bootfs), None)


@rule(
    reason="What is rolled back is the root file system of an installed system, by an entry of GRUB's menu; another"
    " entry starts without. NixOS does it by its own configuration.",
    remedy='Set boot.loader = "grub", or remove the table persist.',
)
def rollback_without_a_menu(recipe: Recipe) -> Iterator[str]:
    if not recipe.persist or recipe.system.source == "nixos":
        return
    if not has_system(recipe):
        yield 'persist: with source = "none" there is no root file system to roll back.'
    elif recipe.boot.loader != "grub":
        yield f'persist: it does not go with boot.loader = "{recipe.boot.loader}".'


@rule(
    reason="What is kept must lie on a dataset that is not rolled back.",
    remedy='Give a dataset of its own the mount point that persist.folder names: mount = "/persist".',
)
def persist_folder_unfit(recipe: Recipe) -> Iterator[str]:
    if not recipe.persist:
        return
    points = {point for _, point, pool in mounts(recipe) if pool}
    folder = recipe.persist.folder
    if folder == "/" or folder not in points:
        yield f"persist.folder: {folder} is not the mount point of a dataset beside the root's."


def _keeps(recipe: Recipe) -> list[tuple[str, str]]:
    """Return each path that is kept, without the slash that marks a folder, with the place of its key."""
    kept = recipe.persist.keep if recipe.persist else ()
    return [(f"persist.keep[{number}]", path.rstrip("/")) for number, path in enumerate(kept)]


@rule(
    reason="Only what lies on the root file system itself is rolled back; another file system stays as it is.",
    remedy="Remove it from persist.keep, or name the folders beside the mount points one by one.",
)
def kept_path_is_not_rolled_back(recipe: Recipe) -> Iterator[str]:
    points = [point for _, point, _ in mounts(recipe) if point != "/"]
    for place, path in _keeps(recipe):
        for point in points:
            if f"{path}/".startswith(f"{point}/"):
                yield f"{place}: {path} lies on the file system mounted at {point}."
            elif point.startswith(f"{path}/"):
                yield f"{place}: the file system of {point} is mounted in {path}."


@rule(
    reason="The machine reads it before anything kept is in place, or it must change together with the packages.",
    remedy="Change it, then run zroot-commit: it makes the running system the one that every start goes back to.",
)
def kept_path_of_the_system(recipe: Recipe) -> Iterator[str]:
    for place, path in _keeps(recipe):
        if recipe.system.source != "nixos" and re.fullmatch(OF_THE_SYSTEM, path):
            yield f"{place}: {path} belongs to the system."


@rule(reason="One of the two would hide the other.", remedy="Remove the inner one, or one of two alike.")
def kept_path_twice(recipe: Recipe) -> Iterator[str]:
    kept = _keeps(recipe)
    for number, (place, path) in enumerate(kept):
        for other_number, (_, other) in enumerate(kept):
            if path.startswith(f"{other}/") or (path == other and other_number < number):
                yield f"{place}: {path} is kept with {other} already."


@rule(
    reason="A rollback destroys every snapshot that is newer than the one it goes back to: these would be gone with"
    " the next start.",
    remedy="Snapshot the datasets that are kept (home, persist, log) one by one; zroot takes the blank state itself.",
)
def snapshots_of_a_rolled_back_root(recipe: Recipe) -> Iterator[str]:
    if not recipe.persist:
        return
    name, bootfs, dataset = _root_dataset(recipe)
    if not dataset:
        return
    pool = recipe.pool[name]
    above = datasets_above(pool, bootfs)
    for one in above:
        if one.snapshots:
            yield f'pool.{name}: snapshots = "{one.snapshots}" of {one.name} reaches the root file system.'
    said = [pool.filesystem, *(one.properties for one in above)]
    automatic = [properties[AUTOMATIC] for properties in said if AUTOMATIC in properties]
    if automatic and automatic[-1] != "false":
        yield f"pool.{name}: {AUTOMATIC} is {automatic[-1]} for {bootfs}."
    if recipe.system.source != "nixos" and dataset.snapshot == recipe.persist.snapshot:
        yield f"pool.{name}: the snapshot {dataset.snapshot} of {bootfs} would be empty; Debian cannot start from that."


RULES = rules_in(vars())
