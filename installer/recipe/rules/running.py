"""Rules on what the installed system does with its pools: unlocking, delegation, snapshots."""

from __future__ import annotations

from collections.abc import Iterator

from installer.recipe.model import NativeEncryption, Recipe
from installer.recipe.rules.rule import rule, rules_in
from installer.recipe.stack import has_system, root

MOUNTING = ("mount", "mountpoint", "canmount", "rename", "share", "sharenfs", "sharesmb")


def _encryptions(recipe: Recipe) -> Iterator[tuple[str, str, NativeEncryption]]:
    """Give each native encryption: where it stands, its dataset's whole name, and itself."""
    for name, pool in recipe.pool.items():
        if pool.encryption:
            yield f"pool.{name}.encryption", name, pool.encryption
        for number, dataset in enumerate(pool.dataset):
            if dataset.encryption:
                yield f"pool.{name}.dataset[{number}].encryption", f"{name}/{dataset.name}", dataset.encryption


@rule(
    reason="The root file system is unlocked before any service could start, and without it there is nothing to start.",
    remedy="Remove services, or name them where another dataset is encrypted.",
)
def services_wait_for_the_root(recipe: Recipe) -> Iterator[str]:
    found = root(recipe)
    boots = f"{found[0]}/{found[1].bootfs}/" if found else ""
    for place, dataset, encryption in _encryptions(recipe):
        if encryption.services and boots.startswith(f"{dataset}/"):
            yield f"{place}.services: the root file system is in {dataset}."


@rule(
    reason="They are work of the installed system, and none is installed.",
    remedy='Remove them, or install a system: source = "live".',
)
def services_without_a_system(recipe: Recipe) -> Iterator[str]:
    if has_system(recipe):
        return
    for place, _, encryption in _encryptions(recipe):
        if encryption.services:
            yield f"{place}.services: nothing starts them."
    for name, pool in recipe.pool.items():
        for number, dataset in enumerate(pool.dataset):
            if dataset.snapshots:
                yield f"pool.{name}.dataset[{number}].snapshots: nothing takes them."


@rule(
    reason="The machine asks for the keys of file systems only, so that this volume would never be there.",
    remedy="Encrypt a dataset that it lies in, or put a crypt layer over the volume.",
)
def volume_with_a_key_of_its_own(recipe: Recipe) -> Iterator[str]:
    for name, pool in recipe.pool.items():
        for number, dataset in enumerate(pool.dataset):
            if has_system(recipe) and dataset.size and dataset.encryption:
                yield f"pool.{name}.dataset[{number}].encryption: {dataset.name} is a volume."


@rule(
    reason="On Linux nobody but root mounts a file system, whatever zfs allow says; and these end in a mount.",
    remedy="Remove it: create, destroy, snapshot, rollback, clone, send, receive, hold and release work without.",
)
def mount_delegated(recipe: Recipe) -> Iterator[str]:
    for name, pool in recipe.pool.items():
        places = [(f"pool.{name}.allow", pool.allow)]
        places += [(f"pool.{name}.dataset[{number}].allow", one.allow) for number, one in enumerate(pool.dataset)]
        for place, allow in places:
            for user, permissions in allow.items():
                for word in permissions:
                    if word in MOUNTING:
                        yield f'{place}: user {user} cannot be given "{word}".'


RULES = rules_in(vars())
