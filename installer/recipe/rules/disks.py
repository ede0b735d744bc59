"""Rules on disks, partitions, md arrays and encryption."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from installer.recipe.model import After, Crypt, CryptKind, Disk, Recipe, Result
from installer.recipe.rules.rule import rule, rules_in
from installer.recipe.size import Size
from installer.recipe.stack import everything_below, members, uses

KEY_DEVICE = Size.parse("32M")
KDF_MEMORY = (Size.parse("16M"), Size.parse("4G"))
LONGEST_KEY = Size.parse("8M")


@rule(
    reason="zroot never guesses which disk to erase.",
    remedy="Bind it with --disk ROLE=SERIAL (`zroot disks` lists the serials), or write a selector into the recipe.",
)
def disk_not_chosen(recipe: Recipe) -> Iterator[str]:
    for role, disk in recipe.disks.items():
        if not disk.bound:
            yield f"disks.{role}: no disk is chosen for this role."


@rule(
    reason="It would be erased for nothing.",
    remedy="Remove the role, or describe partitions or a layer that lies over it.",
)
def disk_used_by_nobody(recipe: Recipe) -> Iterator[str]:
    used = {reference for _, reference in uses(recipe)}
    for role in recipe.disks:
        if not recipe.partition and f"disk.{role}" not in used:
            yield f"disks.{role}: nothing lies over this disk."


@rule(reason="One disk cannot play two roles.", remedy="Name a different disk for each role.")
def disk_chosen_twice(recipe: Recipe) -> Iterator[str]:
    # Only those that say the same serial, or the same without one, can be one disk; ninety roles make 4005 pairs.
    alike: dict[object, list[str]] = {}
    for role, disk in recipe.disks.items():
        if disk.bound:
            alike.setdefault(disk.serial or disk, []).append(role)
    for roles in alike.values():
        for first, second in itertools.combinations(roles, 2):
            if _same_disk(recipe.disks[first], recipe.disks[second]):
                yield f"disks.{second}: it selects the same disk as disks.{first}."


def _same_disk(one: Disk, other: Disk) -> bool:
    by_model = (one.model, one.min_size, one.max_size, one.transport)
    # Two disks of one machine may have one serial (card readers, LUNs); then more must be said to tell them apart.
    return one == other or (
        bool(one.serial)
        and one.serial == other.serial
        and by_model == (other.model, other.min_size, other.max_size, other.transport)
        and not _differ(one.wwn, other.wwn)
        and not _differ(one.by_path, other.by_path)
        and not _differ(one.by_id, other.by_id)
    )


def _differ(one: str | None, other: str | None) -> bool:
    return bool(one and other and one != other)


@rule(
    reason="Nobody is there to see which disk a model or a size happens to match.",
    remedy="Select it by serial, wwn, by-id or by-path, or set unattended = false.",
)
def unattended_disk_not_identified(recipe: Recipe) -> Iterator[str]:
    for role, disk in recipe.disks.items():
        if recipe.unattended and disk.bound and not disk.identifies:
            yield f"disks.{role}: the recipe is unattended, and this selector does not name one disk."


@rule(
    reason="With no result left on the volume, a machine that starts from it again would be installed again, for ever.",
    remedy='Set after = "poweroff", or result = "volume".',
)
def unattended_for_ever(recipe: Recipe) -> Iterator[str]:
    if recipe.unattended and recipe.result is Result.NONE and recipe.after is not After.POWEROFF:
        yield f'after: "{recipe.after}" does not go with unattended = true and result = "none".'


@rule(reason="No disk has such a size.", remedy="Exchange min-size and max-size.")
def disk_size_range_empty(recipe: Recipe) -> Iterator[str]:
    for role, disk in recipe.disks.items():
        if disk.min_size and disk.max_size and disk.min_size > disk.max_size:
            yield f"disks.{role}: min-size {disk.min_size} is more than max-size {disk.max_size}."


@rule(
    reason="The last partition takes what the others leave, so that the same recipe fits disks of any size.",
    remedy='Give the last partition size = "rest", and every other a size such as "1G".',
)
def rest_is_not_last(recipe: Recipe) -> Iterator[str]:
    sizes = [partition.size for partition in recipe.partition]
    for number, size in enumerate(sizes[:-1]):
        if size == "rest":
            yield f'partition[{number}].size: "rest" stands before the last partition.'
    if sizes and sizes[-1] != "rest":
        yield f'partition[{len(sizes) - 1}].size: the last partition is {sizes[-1]}, not "rest".'


@rule(reason="A partition without room holds nothing.", remedy='Say at least "1M".')
def partition_too_small(recipe: Recipe) -> Iterator[str]:
    for number, partition in enumerate(recipe.partition):
        if partition.size != "rest" and partition.size < Size.parse("1M"):
            yield f"partition[{number}].size: {partition.size} is less than 1M."


@rule(
    reason="Firmware and boot loaders write to partitions of these types.",
    remedy="Use a partition of another type: fd00 for md, 8309 for LUKS, bf00 for ZFS.",
)
def layer_on_boot_partition(recipe: Recipe) -> Iterator[str]:
    reserved = {f"partition.{p.name}": p.type for p in recipe.partition if p.type in ("ef00", "ef02")}
    for place, reference in uses(recipe):
        if reference in reserved:
            yield f"{place}: {reference} has the type {reserved[reference]}."


RAID_MEMBERS = {0: 2, 1: 1, 10: 4}
"""Fewest members by level: level 1 may begin with one disk and be grown when a second one comes."""


@rule(
    reason="An array with fewer members is no array: level 0 needs two, level 10 four or another even number.",
    remedy="Add disks, or choose level 1, which may begin with one.",
)
def raid_members_too_few(recipe: Recipe) -> Iterator[str]:
    for name, raid in recipe.raid.items():
        count = members(recipe, raid.over)
        if count < RAID_MEMBERS[raid.level] or (raid.level == 10 and count % 2):
            yield f"raid.{name}: level {raid.level} over {count} device{'s' if count > 1 else ''}."


@rule(reason="There is nothing to mount without a file system.", remedy='Set filesystem = "ext4", or remove mount.')
def raid_mounted_without_filesystem(recipe: Recipe) -> Iterator[str]:
    for name, raid in recipe.raid.items():
        if raid.mount and raid.filesystem == "none":
            yield f"raid.{name}.mount: the array has no file system."


@rule(
    reason="The file system and the layer above would overwrite each other.",
    remedy='Set filesystem = "none" and remove mount, or let the layer above use another device.',
)
def raid_filesystem_under_layer(recipe: Recipe) -> Iterator[str]:
    for place, reference in uses(recipe):
        kind, name = reference.split(".", 1)
        if kind == "raid" and (recipe.raid[name].filesystem != "none" or recipe.raid[name].mount):
            yield f"{place}: {reference} has a file system of its own."


@rule(
    reason="A layer that a key device opens needs to know which one (key) and how many bytes of it (key-size).",
    remedy='Set unlock = "key-device", key = "crypt.NAME" and key-size = "1M" together, or none of them.',
)
def key_device_incomplete(recipe: Recipe) -> Iterator[str]:
    for name, crypt in recipe.crypt.items():
        wanted = crypt.unlock == "key-device"
        if wanted != (crypt.key is not None) or wanted != (crypt.key_size is not None):
            yield f'crypt.{name}: unlock = "{crypt.unlock}" does not go with its key and key-size.'


@rule(
    reason="The key must itself be protected by a passphrase, and be one device whatever disk is missing.",
    remedy='Let key name a crypt layer with kind = "luks2" and unlock = "passphrase" over a raid of level 1.',
)
def key_device_unfit(recipe: Recipe) -> Iterator[str]:
    for name, crypt in recipe.crypt.items():
        if crypt.key is None:
            continue
        kind, _, key_name = crypt.key.partition(".")
        key = recipe.crypt.get(key_name) if kind == "crypt" else None
        if key is None or key.unlock != "passphrase":
            yield f"crypt.{name}.key: {crypt.key} is not opened by a passphrase."
        elif key.kind is not CryptKind.LUKS2:
            yield f'crypt.{name}.key: {crypt.key} has kind = "{key.kind}".'
        elif members(recipe, crypt.key) != 1:
            yield f"crypt.{name}.key: {crypt.key} has {members(recipe, crypt.key)} members."
        else:
            for raid in (layer[5:] for layer in everything_below(recipe, crypt.key) if layer.startswith("raid.")):
                if recipe.raid[raid].level != 1:
                    yield f"crypt.{name}.key: raid.{raid} has level {recipe.raid[raid].level}."


@rule(
    reason="A recovery passphrase replaces a key device that is lost; what a passphrase opens needs no second one.",
    remedy='Remove recovery, or set unlock = "key-device".',
)
def recovery_without_key_device(recipe: Recipe) -> Iterator[str]:
    for name, crypt in recipe.crypt.items():
        if crypt.recovery and crypt.unlock != "key-device":
            yield f'crypt.{name}.recovery: it does not go with unlock = "{crypt.unlock}".'


@rule(
    reason="It is for the day when the key device is damaged or its passphrase forgotten, and is kept somewhere else.",
    remedy='Name another secret, such as recovery = "recovery-passphrase".',
)
def recovery_is_the_passphrase(recipe: Recipe) -> Iterator[str]:
    asked = {crypt.secret for crypt in recipe.crypt.values() if crypt.unlock == "passphrase"}
    for name, crypt in recipe.crypt.items():
        if crypt.recovery in asked:
            yield f'crypt.{name}.recovery: "{crypt.recovery}" is asked for at every boot already.'


@rule(
    reason="A LUKS2 header alone takes 16 MiB, and cryptsetup reads no key of more than 8 MiB.",
    remedy="Give the key device a partition of 32M or more, and use a key-size of 8M at most.",
)
def key_device_too_small(recipe: Recipe) -> Iterator[str]:
    for name, crypt in recipe.crypt.items():
        if crypt.key_size is not None and not 64 <= crypt.key_size <= LONGEST_KEY:
            yield f"crypt.{name}.key-size: {crypt.key_size} is not between 64B and {LONGEST_KEY}."
        below = everything_below(recipe, crypt.key) if crypt.key else ()
        for partition in recipe.partition:
            if f"partition.{partition.name}" in below and partition.size != "rest" and partition.size < KEY_DEVICE:
                yield f"crypt.{name}.key: partition.{partition.name} is {partition.size}, less than {KEY_DEVICE}."


@rule(
    reason="Below 16 MiB a passphrase is quickly guessed; above 4 GiB cryptsetup refuses.",
    remedy='Say between "16M" and "4G"; 512M is the default.',
)
def kdf_memory_out_of_range(recipe: Recipe) -> Iterator[str]:
    for name, crypt in recipe.crypt.items():
        if not KDF_MEMORY[0] <= crypt.kdf.memory <= KDF_MEMORY[1]:
            yield f"crypt.{name}.kdf.memory: {crypt.kdf.memory} is not between {KDF_MEMORY[0]} and {KDF_MEMORY[1]}."


@rule(
    reason="Its key is thrown away at shutdown, and with it everything on the layer.",
    remedy='Set unlock = "passphrase".',
)
def random_key_for_data(recipe: Recipe) -> Iterator[str]:
    for place, reference in uses(recipe):
        kind, _, name = reference.partition(".")
        if kind == "crypt" and recipe.crypt[name].unlock == "random" and place != "swap.over":
            yield f"{place}: {reference} gets a new random key at every start."


@rule(
    reason="dm-integrity keeps a sum for every sector and cannot let go of any.",
    remedy="Set discard = false, and leave autotrim off.",
)
def integrity_with_discard(recipe: Recipe) -> Iterator[str]:
    for name, crypt in recipe.crypt.items():
        if crypt.kind is CryptKind.LUKS2_INTEGRITY and crypt.discard:
            yield f"crypt.{name}.discard: it cannot be used with luks2-integrity."


@rule(
    reason="A TrueCrypt volume is AES-XTS under a key that is made of a passphrase as TrueCrypt does it.",
    remedy='Remove cipher and kdf and set unlock = "passphrase"; or use kind = "luks2".',
)
def truecrypt_has_no_choices(recipe: Recipe) -> Iterator[str]:
    plain = Crypt(over="partition.any")
    for name, crypt in recipe.crypt.items():
        said = {"unlock": crypt.unlock != "passphrase", "cipher": crypt.cipher != plain.cipher}
        said["kdf"] = crypt.kdf != plain.kdf
        if crypt.kind is CryptKind.TCRYPT and any(said.values()):
            yield f"crypt.{name}: TrueCrypt does not take its {' and '.join(key for key in said if said[key])}."


@rule(
    reason="The sums are made over AES-XTS, which needs no nonce that must never come twice; and they are to last.",
    remedy='Remove cipher, and set unlock to "passphrase" or "key-device"; or use kind = "luks2".',
)
def integrity_of_another_cipher(recipe: Recipe) -> Iterator[str]:
    for name, crypt in recipe.crypt.items():
        if crypt.kind is CryptKind.LUKS2_INTEGRITY:
            if crypt.cipher != "aes-xts-plain64":
                yield f'crypt.{name}.cipher: "{crypt.cipher}" does not go with luks2-integrity.'
            if crypt.unlock == "random":
                yield f"crypt.{name}.unlock: a key that is new at every start does not go with luks2-integrity."


RULES = rules_in(vars())
