"""What users may do with datasets without being root (zfs allow)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from installer.plan.operation import Layer, Operation
from installer.plan.steps import command, programs

MOUNT = ("mount",)
WITH_MOUNT = {"create", "clone", "destroy", "receive", "rollback"}
"""Permissions that ZFS grants only beside `mount`, although nobody but root mounts anything on Linux."""


def delegated(dataset: str, allow: Mapping[str, tuple[str, ...]]) -> Iterator[Operation]:
    """Give what lets users manage a dataset and all below it."""
    for user, permissions in allow.items():
        needed = MOUNT if WITH_MOUNT & set(permissions) else ()
        words = ",".join(dict.fromkeys((*permissions, *needed)))
        yield programs(
            Layer.DATASETS,
            f"allow/{user}/{dataset}",
            f"Let user {user} manage {dataset} without being root",
            command("zfs", "allow", "-u", user, words, dataset),
        )
