"""Rules on pools, vdevs, datasets and swap."""

from __future__ import annotations

import re
from collections.abc import Iterator

from installer.recipe.model import Pool, Recipe, SwapKind, Vdev, VdevKind, VdevRole
from installer.recipe.rules.rule import rule, rules_in
from installer.recipe.size import Size
from installer.recipe.stack import (
    MINIMUM,
    as_tuple,
    carrying,
    encrypted,
    everything_below,
    has_system,
    members,
    mounts,
    root,
    root_encrypted,
    survives,
    under_pool,
)

OWN_KEYS = {
    "ashift": "ashift",
    "bootfs": "bootfs",
    "encryption": "encryption",
    "keyformat": "encryption",
    "keylocation": "encryption",
    "pbkdf2iters": "encryption.iterations",
}
DRAID = (VdevKind.DRAID1, VdevKind.DRAID2, VdevKind.DRAID3)
NEVER = ("altroot", "cachefile", "readonly", "guid", "version")
SYSTEM_FOLDERS = r"/(?:bin|boot/.*|dev|efi|etc|lib|lib32|lib64|libx32|proc|run|sbin|sys|usr|var/lib/dpkg)(?:/.*)?"
ALLOWED_FOLDERS = r"/usr/(?:local|src)(?:/.*)?"


def _vdevs(recipe: Recipe) -> Iterator[tuple[str, Vdev, int]]:
    for name, pool in recipe.pool.items():
        for number, vdev in enumerate(pool.vdevs):
            count = sum(members(recipe, reference) for reference in as_tuple(vdev.over))
            yield f"pool.{name}.vdevs[{number}]", vdev, count


@rule(
    reason="single is one device; stripe and mirror need two, striped-mirrors four and a multiple of their width;"
    " raidz and draid need one more than their parity, and raidz1 of two is better made a mirror.",
    remedy="Add disks, or choose a kind that fits them.",
)
def vdev_members_wrong(recipe: Recipe) -> Iterator[str]:
    for place, vdev, count in _vdevs(recipe):
        least = MINIMUM[vdev.kind]
        width = vdev.width or 2
        wrong = count < least or (vdev.kind is VdevKind.SINGLE and count > 1)
        if vdev.kind is VdevKind.STRIPED_MIRRORS:
            wrong = count < 2 * width or count % width != 0
        # Spares and caches are counted one by one, whatever kind they are said to be.
        if wrong and vdev.role not in (VdevRole.SPARE, VdevRole.CACHE):
            yield f'{place}: "{vdev.kind}" over {count} member{"s" if count != 1 else ""}.'


@rule(reason="Only striped-mirrors are made of groups of a width.", remedy="Remove width, or use striped-mirrors.")
def vdev_width_without_groups(recipe: Recipe) -> Iterator[str]:
    for place, vdev, _ in _vdevs(recipe):
        if vdev.width is not None and vdev.kind is not VdevKind.STRIPED_MIRRORS:
            yield f'{place}.width: it does not go with kind = "{vdev.kind}".'


@rule(
    reason="A group of a draid is data and parity, and its spare space is taken from all members alike.",
    remedy="Say fewer data or spares, or add disks: data + parity + spares are at most the number of members.",
)
def draid_does_not_fit(recipe: Recipe) -> Iterator[str]:
    for place, vdev, count in _vdevs(recipe):
        if vdev.kind in DRAID and count >= MINIMUM[vdev.kind]:
            needed = (vdev.data or 1) + survives(recipe, vdev) + vdev.spares
            if needed > count:
                said = f"{vdev.data or 1} data, {survives(recipe, vdev)} parity and {vdev.spares} spares"
                yield f"{place}: {said} are more than its {count} members."


@rule(
    reason="Only a draid spreads its data and spare space over groups that can be chosen.",
    remedy='Remove data and spares, or use kind = "draid1", "draid2" or "draid3"; a spare disk has role = "spare".',
)
def draid_words_without_draid(recipe: Recipe) -> Iterator[str]:
    for place, vdev, _ in _vdevs(recipe):
        if vdev.kind not in DRAID and (vdev.data is not None or vdev.spares):
            yield f'{place}: data and spares do not go with kind = "{vdev.kind}".'


@rule(
    reason="Spare and cache devices stand alone; log, special and dedup devices may be mirrors, never raidz.",
    remedy='Use kind = "mirror" (two or more), "single" or "stripe".',
)
def vdev_kind_does_not_fit_role(recipe: Recipe) -> Iterator[str]:
    plain = {VdevKind.SINGLE, VdevKind.STRIPE}
    mirrored = plain | {VdevKind.MIRROR, VdevKind.STRIPED_MIRRORS}
    for place, vdev, _ in _vdevs(recipe):
        if vdev.role is not VdevRole.DATA:
            fits = plain if vdev.role in (VdevRole.SPARE, VdevRole.CACHE) else mirrored
            if vdev.kind not in fits:
                yield f'{place}.kind: "{vdev.kind}" does not go with role = "{vdev.role}".'


@rule(reason="The other roles only serve a pool's data.", remedy='Add a vdev with role = "data".')
def pool_without_data(recipe: Recipe) -> Iterator[str]:
    for name, pool in recipe.pool.items():
        if all(vdev.role is not VdevRole.DATA for vdev in pool.vdevs):
            yield f"pool.{name}.vdevs: none of them holds data."


@rule(
    reason="A pool dies with any one of its data, special or dedup vdevs: the weakest decides for all.",
    remedy="Give all of them the same redundancy, or make two pools.",
)
def pool_of_unlike_vdevs(recipe: Recipe) -> Iterator[str]:
    for name, pool in recipe.pool.items():
        kept = {survives(recipe, vdev) for vdev in carrying(pool)}
        if len(kept) > 1:
            yield f"pool.{name}.vdevs: some survive {min(kept)} failed members, others {max(kept)}."


@rule(
    reason="The system is installed into one root file system.",
    remedy='Give one pool bootfs = "ROOT/debian", or set source = "none" for storage alone.',
)
def root_is_not_one(recipe: Recipe) -> Iterator[str]:
    pools = [name for name, pool in recipe.pool.items() if pool.bootfs]
    if has_system(recipe) and len(pools) != 1:
        yield f"pool: {'no pool has' if not pools else ' and '.join(pools) + ' each have'} a bootfs."


@rule(
    reason="bootfs is the dataset that the machine starts from.",
    remedy='List it with mount = "/" and canmount = "noauto", so that only the chosen system is mounted there.',
)
def root_is_not_mountable(recipe: Recipe) -> Iterator[str]:
    for name, pool in recipe.pool.items():
        if pool.bootfs is None:
            continue
        dataset = next((dataset for dataset in pool.dataset if dataset.name == pool.bootfs), None)
        if dataset is None:
            yield f"pool.{name}.bootfs: {pool.bootfs} is not among the pool's datasets."
        elif dataset.size or dataset.mount not in ("/", "legacy") or dataset.canmount == "off":
            yield f"pool.{name}.bootfs: {pool.bootfs} cannot be mounted at /."


@rule(
    reason="The table of file systems says where each of its entries is mounted.",
    remedy='Give the dataset its mount point (mount = "/home"), or remove legacy.',
)
def legacy_without_a_place(recipe: Recipe) -> Iterator[str]:
    for name, pool in recipe.pool.items():
        for number, dataset in enumerate(pool.dataset):
            if dataset.legacy and not (dataset.mount or "").startswith("/"):
                yield f"pool.{name}.dataset[{number}].legacy: {dataset.name} has no mount point of its own."


@rule(reason="The later one would hide the other.", remedy='Choose another mount point, or canmount = "noauto".')
def mount_point_twice(recipe: Recipe) -> Iterator[str]:
    seen: dict[str, str] = {}
    for place, mount, _ in mounts(recipe):
        if mount in seen:
            yield f"{place}: {mount} is the mount point of {seen[mount].removesuffix('.mount')} as well."
        seen.setdefault(mount, place)


@rule(
    reason="The system needs this folder before it mounts datasets, or fills it itself.",
    remedy="Choose another mount point; /home, /srv, /opt, /usr/local and most of /var are fine.",
)
def mount_point_of_the_system(recipe: Recipe) -> Iterator[str]:
    for place, mount, _ in mounts(recipe):
        if re.fullmatch(SYSTEM_FOLDERS, mount) and not re.fullmatch(ALLOWED_FOLDERS, mount):
            yield f"{place}: {mount} belongs to the system."


@rule(reason="Said twice, the two could differ.", remedy="Use the key that the recipe has for it.")
def property_has_a_key(recipe: Recipe) -> Iterator[str]:
    for place, properties, own in _properties(recipe):
        for name in properties:
            if name in own:
                yield f"{place}.{name}: the recipe has the key {own[name]} for this."


@rule(reason="zroot sets it, or nobody can.", remedy="Remove it.")
def property_is_not_yours(recipe: Recipe) -> Iterator[str]:
    for place, properties, _ in _properties(recipe):
        for name in properties:
            if name in NEVER:
                yield f"{place}.{name}: it cannot be set by a recipe."


def _properties(recipe: Recipe) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    for name, pool in recipe.pool.items():
        yield f"pool.{name}.properties", pool.properties, OWN_KEYS
        yield f"pool.{name}.filesystem", pool.filesystem, OWN_KEYS
        for number, dataset in enumerate(pool.dataset):
            own = OWN_KEYS | {"mountpoint": "mount", "canmount": "canmount", "volsize": "size"}
            yield f"pool.{name}.dataset[{number}].properties", dataset.properties, own


@rule(
    reason="A volume (a dataset with a size) is a block device: it is not mounted, and nothing lies in it.",
    remedy="Remove size, or remove mount and canmount and rename what lies below.",
)
def volume_as_file_system(recipe: Recipe) -> Iterator[str]:
    for name, pool in recipe.pool.items():
        for number, dataset in enumerate(pool.dataset):
            place = f"pool.{name}.dataset[{number}]"
            if dataset.size and (dataset.mount or dataset.canmount):
                yield f"{place}: {dataset.name} has a size and is to be mounted."
            inside = [other.name for other in pool.dataset if other.name.startswith(f"{dataset.name}/")]
            if dataset.size and inside:
                yield f"{place}: {inside[0]} lies in the volume {dataset.name}."


@rule(reason="zfs takes whole blocks only.", remedy='Say a multiple of 1M, such as "4G".')
def volume_size_uneven(recipe: Recipe) -> Iterator[str]:
    for name, pool in recipe.pool.items():
        for number, dataset in enumerate(pool.dataset):
            if dataset.size is not None and (dataset.size == 0 or dataset.size % Size.parse("1M")):
                yield f"pool.{name}.dataset[{number}].size: {dataset.size} is not a multiple of 1M."


@rule(
    reason="autotrim cannot reach the disk through an encryption layer that keeps discards to itself.",
    remedy="Set discard = true on the crypt layer, or remove autotrim.",
)
def autotrim_without_discard(recipe: Recipe) -> Iterator[str]:
    for name, pool in recipe.pool.items():
        for layer in _crypt_layers(recipe, name, pool):
            if not recipe.crypt[layer].discard:
                yield f"pool.{name}.properties.autotrim: crypt.{layer} has discard = false."


def _crypt_layers(recipe: Recipe, name: str, pool: Pool) -> list[str]:
    if pool.properties.get("autotrim") != "on":
        return []
    below = [layer for reference in under_pool(recipe, name) for layer in everything_below(recipe, reference)]
    return [layer.removeprefix("crypt.") for layer in dict.fromkeys(below) if layer.startswith("crypt.")]


@rule(
    reason="Memory would be written to the disk in clear text, the keys and secrets of the encrypted root among it.",
    remedy="Use zram or random-key, or let the swap lie over a crypt layer.",
)
def swap_in_clear_text(recipe: Recipe) -> Iterator[str]:
    swap, found = recipe.swap, root(recipe)
    if found is None or not root_encrypted(recipe):
        return
    if swap.kind is SwapKind.RAID and swap.over and not encrypted(recipe, swap.over):
        yield f"swap.over: {swap.over} is not encrypted, the root file system is."
    name, pool = found
    covered = pool.encryption or all(encrypted(recipe, reference) for reference in under_pool(recipe, name))
    if swap.kind is SwapKind.ZVOL and not covered:
        yield f"swap: a volume of pool.{name} would not be encrypted, the root file system is."


@rule(
    reason="Each kind of swap needs keys of its own, and no others.",
    remedy="zram: size if you like. random-key: over a partition. raid: over a raid or a crypt on one. zvol: size.",
)
def swap_keys_wrong(recipe: Recipe) -> Iterator[str]:
    swap = recipe.swap
    below = {layer.split(".")[0] for layer in everything_below(recipe, swap.over)} if swap.over else set()
    fits = {
        SwapKind.NONE: not swap.over and not swap.size,
        SwapKind.ZRAM: not swap.over,
        SwapKind.RANDOM_KEY: below == {"partition"} and not swap.size,
        SwapKind.RAID: "raid" in below and not below & {"zvol", "file"} and not swap.size,
        SwapKind.ZVOL: bool(swap.size) and not swap.over,
    }
    if not fits[swap.kind]:
        given = [f"{key} = {value}" for key, value in (("over", swap.over), ("size", swap.size)) if value]
        yield f'swap: kind = "{swap.kind}" with {" and ".join(given) or "neither over nor size"}.'


RULES = rules_in(vars())
