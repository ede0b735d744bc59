"""What the configuration that zroot writes for NixOS can say."""

from __future__ import annotations

from collections.abc import Iterator

from installer.recipe.model import CryptKind, Firmware, Recipe, SwapKind
from installer.recipe.rules.rule import rule, rules_in
from installer.recipe.stack import as_tuple, mounts, root

MACHINE_ID = "/etc/machine-id"


@rule(
    reason="zroot makes the storage of such a system and writes the configuration that goes with it; what it cannot say"
    " there would be missing at the first start.",
    remedy='Begin with recipes/nixos-impermanent.toml; or set source = "none", and write the configuration yourself.',
)
def nixos_unfit(recipe: Recipe) -> Iterator[str]:
    if recipe.system.source != "nixos":
        return
    yield from _start(recipe)
    yield from _layers(recipe)
    yield from _datasets(recipe)
    yield from _kept(recipe)
    if recipe.system.packages:
        yield "system.packages: these are names of Debian packages."


def _start(recipe: Recipe) -> Iterator[str]:
    if recipe.boot.loader != "systemd-boot" or recipe.boot.firmware != (Firmware.UEFI,):
        yield 'boot: loader = "systemd-boot" with firmware = ["uefi"] is what it starts by.'
    if recipe.swap.kind not in (SwapKind.NONE, SwapKind.ZRAM):
        yield f'swap: kind = "{recipe.swap.kind}"; zram and none are possible.'


def _layers(recipe: Recipe) -> Iterator[str]:
    for name in recipe.raid:
        yield f"raid.{name}: md arrays are not possible."
    for name, crypt in recipe.crypt.items():
        if crypt.kind is not CryptKind.LUKS2 or crypt.unlock != "passphrase" or not crypt.over.startswith("partition."):
            yield f"crypt.{name}: LUKS2 over partitions, opened by a passphrase, is possible."
    for name, pool in recipe.pool.items():
        if not pool.bootfs:
            yield f"pool.{name}: only the root's pool is possible."
        if pool.encryption or any(dataset.encryption for dataset in pool.dataset):
            yield f"pool.{name}: ZFS's own encryption is not possible."
        for vdev in pool.vdevs:
            for over in as_tuple(vdev.over):
                if not over.startswith(("crypt.", "partition.")):
                    yield f"pool.{name}: {over} cannot carry it."


def _datasets(recipe: Recipe) -> Iterator[str]:
    found = root(recipe)
    if found is None:
        return
    name, pool = found
    points = {point for _, point, _ in mounts(recipe)}
    if "/nix" not in points:
        yield f"pool.{name}: /nix needs a dataset of its own, for all of the system is there."
    for dataset in pool.dataset:
        boots = dataset.name == pool.bootfs
        placed = (dataset.mount or "").startswith("/") and (boots or dataset.canmount in (None, "on"))
        if placed and not dataset.legacy:
            yield f"pool.{name}: {dataset.name} needs legacy = true, for systemd mounts it."
        if boots and recipe.persist and dataset.snapshot != recipe.persist.snapshot:
            yield f'pool.{name}: {dataset.name} needs snapshot = "{recipe.persist.snapshot}", to be rolled back to.'


def _kept(recipe: Recipe) -> Iterator[str]:
    if not recipe.persist:
        yield "persist: the table is missing."
        return
    for number, path in enumerate(recipe.persist.keep):
        if not path.endswith("/") and path != MACHINE_ID:
            yield f"persist.keep[{number}]: {path} is a single file; folders and {MACHINE_ID} are possible."


RULES = rules_in(vars())
