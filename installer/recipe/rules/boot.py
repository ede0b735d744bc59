"""Rules on firmware, boot loader and /boot."""

from __future__ import annotations

from collections.abc import Iterator

from installer.recipe.model import Firmware, Recipe
from installer.recipe.rules.rule import rule, rules_in
from installer.recipe.size import Size
from installer.recipe.stack import datasets_above, encrypted, has_system, root, starts_by, under_pool

SMALLEST_ESP = Size.parse("260M")
ESP_FOR_KERNELS = Size.parse("1G")
OWN_ARGUMENTS = ("root", "rootfstype", "ro", "rw", "bootfs", "zfs", "rd.luks", "luks", "rd.md", "spl.spl_hostid")


@rule(
    reason="UEFI starts from a partition of type ef00 with FAT32, which on disks with 4 KiB sectors takes 260 MiB."
    " Firmware writes to it, so it must not be half of an md array.",
    remedy='Add a partition "esp" with type = "ef00" and size = "512M", or remove "uefi" from boot.firmware.',
)
def esp_unfit(recipe: Recipe) -> Iterator[str]:
    if not starts_by(recipe, Firmware.UEFI):
        return
    esp = next((p for p in recipe.partition if f"partition.{p.name}" == recipe.boot.esp), None)
    if esp is None:
        yield f"boot.esp: {recipe.boot.esp} is not a partition."
    elif esp.type != "ef00":
        yield f"boot.esp: {recipe.boot.esp} has the type {esp.type}."
    elif esp.size != "rest" and esp.size < SMALLEST_ESP:
        yield f"boot.esp: {recipe.boot.esp} is {esp.size}, less than {SMALLEST_ESP}."


@rule(
    reason="systemd-boot reads kernels from the ESP alone: two, and a third at an update, each with its initramfs.",
    remedy='Give the ESP size = "1G", or set loader = "grub".',
)
def esp_without_room_for_kernels(recipe: Recipe) -> Iterator[str]:
    if recipe.boot.loader != "systemd-boot" or not has_system(recipe):
        return
    for partition in recipe.partition:
        if (
            f"partition.{partition.name}" == recipe.boot.esp
            and partition.size != "rest"
            and partition.size < ESP_FOR_KERNELS
        ):
            yield f"boot.esp: {recipe.boot.esp} is {partition.size}, less than {ESP_FOR_KERNELS}."


@rule(
    reason="On a GPT disk, GRUB for BIOS has nowhere else to put its core.",
    remedy='Add a partition with type = "ef02" and size = "1M", or remove "bios" from boot.firmware.',
)
def bios_partition_missing(recipe: Recipe) -> Iterator[str]:
    grub = recipe.boot.loader == "grub"
    if grub and starts_by(recipe, Firmware.BIOS) and all(p.type != "ef02" for p in recipe.partition):
        yield "boot.firmware: bios is wanted, and no partition has the type ef02."


@rule(reason="systemd-boot is a UEFI program.", remedy='Set firmware = ["uefi"], or loader = "grub".')
def systemd_boot_by_bios(recipe: Recipe) -> Iterator[str]:
    if recipe.boot.loader == "systemd-boot" and starts_by(recipe, Firmware.BIOS):
        yield "boot.firmware: bios does not go with systemd-boot."


@rule(
    reason="GRUB opens neither argon2 LUKS nor encrypted datasets, and reads a pool only if it has no newer features.",
    remedy='Put /boot on a raid with ext4; or, not encrypted, in a pool with the property compatibility = "grub2".',
)
def boot_unreadable_for_grub(recipe: Recipe) -> Iterator[str]:
    if recipe.boot.loader != "grub" or not has_system(recipe) or root(recipe) is None:
        return
    for name, raid in recipe.raid.items():
        if raid.mount == "/boot":
            if encrypted(recipe, raid.over):
                yield f"raid.{name}: /boot lies over an encrypted layer."
            return
    pool_name, dataset_name = _dataset_with_boot(recipe)
    pool = recipe.pool[pool_name]
    where = f"pool.{pool_name}: /boot lies in {pool_name}/{dataset_name}"
    if any(encrypted(recipe, reference) for reference in under_pool(recipe, pool_name)):
        yield f"{where}, over an encrypted layer."
    elif pool.encryption or any(dataset.encryption for dataset in datasets_above(pool, dataset_name)):
        yield f"{where}, which is encrypted."
    elif not pool.properties.get("compatibility", "").startswith("grub2"):
        yield f'{where}, and the pool has no compatibility = "grub2".'


def _dataset_with_boot(recipe: Recipe) -> tuple[str, str]:
    for name, pool in recipe.pool.items():
        for dataset in pool.dataset:
            if dataset.mount == "/boot":
                return name, dataset.name
    found = root(recipe)
    return (found[0], found[1].bootfs or "") if found else ("", "")


@rule(
    reason="/boot must be whole on every disk, or the machine does not start without the first one.",
    remedy='Set level = 1 and filesystem = "ext4".',
)
def boot_raid_not_mirrored(recipe: Recipe) -> Iterator[str]:
    for name, raid in recipe.raid.items():
        if raid.mount == "/boot" and raid.level != 1:
            yield f"raid.{name}.level: /boot on a raid of level {raid.level}."


@rule(
    reason="zroot sets it from the layers above; two of them would contradict each other.",
    remedy="Remove the argument.",
)
def argument_is_not_yours(recipe: Recipe) -> Iterator[str]:
    for argument in recipe.boot.arguments:
        key = argument.partition("=")[0]
        if key in OWN_ARGUMENTS or key.startswith(("rd.luks.", "luks.", "rd.md.", "bootfs.", "zfs_force")):
            yield f'boot.arguments: "{argument}" belongs to zroot.'


RULES = rules_in(vars())
