"""What lies over what: questions about a recipe that need no machine."""

from __future__ import annotations

from collections.abc import Iterator

from installer.recipe.model import Crypt, Dataset, Firmware, Pool, Raid, Recipe, Vdev, VdevKind, VdevRole

MINIMUM = {
    VdevKind.SINGLE: 1,
    VdevKind.STRIPE: 2,
    VdevKind.MIRROR: 2,
    VdevKind.STRIPED_MIRRORS: 4,
    VdevKind.RAIDZ1: 2,
    VdevKind.RAIDZ2: 3,
    VdevKind.RAIDZ3: 4,
    VdevKind.DRAID1: 2,
    VdevKind.DRAID2: 3,
    VdevKind.DRAID3: 4,
}
"""Fewest members that zpool takes: parity + 1 for raidz and draid."""


def uses(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Give each use of a layer: where it stands (`crypt.pool.over`), and the reference."""
    for name, raid in recipe.raid.items():
        yield f"raid.{name}.over", raid.over
    for name, crypt in recipe.crypt.items():
        yield f"crypt.{name}.over", crypt.over
    for name, pool in recipe.pool.items():
        for number, vdev in enumerate(pool.vdevs):
            for reference in as_tuple(vdev.over):
                yield f"pool.{name}.vdevs[{number}].over", reference
    if recipe.swap.over:
        yield "swap.over", recipe.swap.over


def as_tuple(over: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return one reference or several as several."""
    return (over,) if isinstance(over, str) else over


def exists(recipe: Recipe, reference: str) -> bool:
    """Say whether a reference names a layer of the recipe."""
    return reference in layers(recipe)


def layers(recipe: Recipe) -> tuple[str, ...]:
    """Name every layer that another may lie over."""
    found = [f"disk.{name}" for name in recipe.disks]
    found += [f"partition.{partition.name}" for partition in recipe.partition]
    for kind, table in (("raid", recipe.raid), ("crypt", recipe.crypt), ("file", recipe.file)):
        found += [f"{kind}.{name}" for name in table]
    for pool_name, pool in recipe.pool.items():
        found += [f"zvol.{pool_name}/{dataset.name}" for dataset in pool.dataset if dataset.size]
    return tuple(found)


def below(recipe: Recipe, reference: str) -> tuple[str, ...]:
    """Name the layers directly under a layer; a zvol lies on its pool's, a file on its folder's pool's."""
    kind, name = reference.split(".", 1)
    match kind:
        case "raid" | "crypt":
            table: dict[str, Raid] | dict[str, Crypt] = recipe.raid if kind == "raid" else recipe.crypt
            return (table[name].over,) if name in table else ()
        case "zvol":
            return under_pool(recipe, name.partition("/")[0])
        case "file":
            return under_pool(recipe, holder(recipe, recipe.file[name].folder)) if name in recipe.file else ()
    return ()


def under_pool(recipe: Recipe, pool: str) -> tuple[str, ...]:
    """Name the layers directly under a pool."""
    return (
        tuple(reference for vdev in recipe.pool[pool].vdevs for reference in as_tuple(vdev.over))
        if pool in recipe.pool
        else ()
    )


def mounts(recipe: Recipe) -> Iterator[tuple[str, str, str]]:
    """Give what is mounted by itself: the key that says so, the mount point, and the pool's name if it is a dataset."""
    for name, raid in recipe.raid.items():
        if raid.mount:
            yield f"raid.{name}.mount", raid.mount, ""
    for name, pool in recipe.pool.items():
        top = pool.filesystem.get("mountpoint", "none" if pool.bootfs else f"/{name}")
        if top.startswith("/") and pool.filesystem.get("canmount", "on") == "on":
            yield f"pool.{name}", top, name
        for number, dataset in enumerate(pool.dataset):
            boots = dataset.name == pool.bootfs
            if dataset.mount and dataset.mount.startswith("/") and (boots or dataset.canmount in (None, "on")):
                yield f"pool.{name}.dataset[{number}].mount", dataset.mount, name


def holder(recipe: Recipe, folder: str) -> str:
    """Name the pool with the file system nearest above a folder, or nothing."""
    above = [(mount, pool) for _, mount, pool in mounts(recipe) if f"{folder}/".startswith(mount.rstrip("/") + "/")]
    return max(above, key=lambda found: len(found[0]), default=("", ""))[1]


def everything_below(recipe: Recipe, reference: str) -> tuple[str, ...]:
    """Name a layer and all that it lies on, however deep; a circle ends where it began."""
    found: dict[str, None] = {}
    todo = [reference]
    while todo:
        layer = todo.pop()
        if layer not in found:
            found[layer] = None
            todo.extend(below(recipe, layer))
    return tuple(found)


def members(recipe: Recipe, reference: str) -> int:
    """Count the devices that a reference stands for."""
    kind, name = reference.split(".", 1)
    match kind:
        case "partition":
            return len(disks_with_table(recipe))
        case "crypt" if name in recipe.crypt and reference not in everything_below_strictly(recipe, reference):
            return members(recipe, recipe.crypt[name].over)
        case "file" if name in recipe.file:
            return recipe.file[name].count
    return 1


def carrying(pool: Pool) -> tuple[Vdev, ...]:
    """Return the vdevs without any one of which a pool is lost."""
    return tuple(vdev for vdev in pool.vdevs if vdev.role not in (VdevRole.LOG, VdevRole.CACHE, VdevRole.SPARE))


def survives(recipe: Recipe, vdev: Vdev) -> int:
    """Count the members of a vdev of which any may fail."""
    match vdev.kind:
        case VdevKind.SINGLE | VdevKind.STRIPE:
            return 0
        case VdevKind.MIRROR:
            return sum(members(recipe, reference) for reference in as_tuple(vdev.over)) - 1
        case VdevKind.STRIPED_MIRRORS:
            return (vdev.width or 2) - 1
    return int(vdev.kind[-1])


def everything_below_strictly(recipe: Recipe, reference: str) -> set[str]:
    """Name all that a layer lies on; itself too only if the layers run in a circle."""
    return {layer for lower in below(recipe, reference) for layer in everything_below(recipe, lower)}


def disks_with_table(recipe: Recipe) -> tuple[str, ...]:
    """Name the roles whose disks are partitioned: all but those that a layer takes whole."""
    whole = {reference.removeprefix("disk.") for _, reference in uses(recipe)}
    return tuple(role for role in recipe.disks if role not in whole) if recipe.partition else ()


def encrypted(recipe: Recipe, reference: str) -> bool:
    """Say whether what is written to a layer reaches the disks encrypted."""
    return any(layer.startswith("crypt.") for layer in everything_below(recipe, reference))


def root(recipe: Recipe) -> tuple[str, Pool] | None:
    """Return the pool that has the root file system, with its name."""
    return next(((name, pool) for name, pool in recipe.pool.items() if pool.bootfs), None)


def datasets_above(pool: Pool, name: str) -> tuple[Dataset, ...]:
    """Return a dataset and the listed ones that it lies in."""
    return tuple(dataset for dataset in pool.dataset if f"{name}/".startswith(f"{dataset.name}/"))


def root_encrypted(recipe: Recipe) -> bool:
    """Say whether some of the root file system cannot be read without a secret."""
    found = root(recipe)
    if found is None:
        return False
    name, pool = found
    native = pool.encryption or any(dataset.encryption for dataset in datasets_above(pool, pool.bootfs or ""))
    return bool(native) or any(encrypted(recipe, reference) for reference in under_pool(recipe, name))


def has_system(recipe: Recipe) -> bool:
    """Say whether an operating system is installed, rather than storage alone."""
    return recipe.system.source != "none"


def starts_by(recipe: Recipe, firmware: Firmware) -> bool:
    """Say whether the installed system must start by a firmware."""
    return has_system(recipe) and recipe.boot.loader != "none" and firmware in recipe.boot.firmware


def tarball_address(tarball: str) -> bool:
    """Say whether a tarball comes over the network."""
    return tarball.startswith(("http://", "https://"))


def tarball_on_volume(tarball: str) -> bool:
    """Say whether a tarball lies on the volume labelled ZROOT."""
    return "/" not in tarball
