"""Automatic snapshots in the installed system, by sanoid's timer."""

from __future__ import annotations

from installer.plan.layout import Layout
from installer.plan.operation import Layer, Operation
from installer.plan.steps import target_file
from installer.recipe.model import Snapshots

KEPT = {
    Snapshots.HOURLY: {"hourly": 24, "daily": 7, "weekly": 4, "monthly": 0, "yearly": 0},
    Snapshots.DAILY: {"hourly": 0, "daily": 7, "weekly": 4, "monthly": 0, "yearly": 0},
}
"""How many are kept of each age."""


def operations(layout: Layout) -> list[Operation]:
    """Return sanoid's configuration; without it the timer does nothing."""
    policies = {
        f"{name}/{dataset.name}": dataset.snapshots
        for name, pool in layout.recipe.pool.items()
        for dataset in pool.dataset
        if dataset.snapshots
    }
    if not policies:
        return []
    lines = []
    for dataset, policy in policies.items():
        lines += [f"[{dataset}]", f"use_template = {policy}", "recursive = yes", ""]
    for policy in dict.fromkeys(policies.values()):
        lines += [f"[template_{policy}]", *(f"{age} = {count}" for age, count in KEPT[policy].items())]
        lines += ["autosnap = yes", "autoprune = yes", ""]
    return [
        target_file(Layer.SYSTEM, "/etc/sanoid/sanoid.conf", "Say what is snapshotted, and how often", "\n".join(lines))
    ]
