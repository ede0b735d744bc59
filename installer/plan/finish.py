"""Finish: the records, the snapshot, and everything closed again."""

from __future__ import annotations

from installer.plan import nixos, persist
from installer.plan.layout import Device, Layout
from installer.plan.names import TARGET
from installer.plan.operation import Command, Effect, Layer, Operation, SaveRecords
from installer.plan.steps import command, programs


def operations(layout: Layout) -> list[Operation]:
    """Return what ends the installation: afterwards nothing of it is open, mounted or imported."""
    installed = layout.recipe.system.source != "none"
    return [
        *_owners(layout),
        *persist.kept(layout),
        *(_records(layout) if installed else []),
        *persist.blank(layout),
        *_unmount(layout),
        *[step for layer in reversed(layout.order) for step in _close(layout, layer)],
    ]


def _owners(layout: Layout) -> list[Operation]:
    """Give folders to their owners; after the system was copied, which has folders of the same names."""
    points = {mount.source: mount.point for mount in layout.mounts}
    return [
        programs(
            Layer.FINISH,
            f"owner/{name}/{dataset.name}",
            f"Give {points[f'{name}/{dataset.name}']} to the user {dataset.owner}",
            command("chown", dataset.owner, TARGET + points[f"{name}/{dataset.name}"]),
        )
        for name, pool in layout.recipe.pool.items()
        for dataset in pool.dataset
        if dataset.owner
    ]


def _records(layout: Layout) -> list[Operation]:
    if layout.recipe.system.source == "nixos":
        return nixos.records(layout)
    return [
        Operation(
            id="finish/save/records",
            layer=Layer.FINISH,
            title="Keep recipe, plan, journal and log in the new system",
            action=SaveRecords(folder=f"{TARGET}/var/log/zroot"),
        ),
        programs(
            Layer.FINISH,
            "snapshot/install",
            "Take the snapshot of the fresh system",
            command("zfs", "snapshot", f"{layout.root_dataset}@install"),
            done=("zfs", "list", "-H", "-t", "snapshot", f"{layout.root_dataset}@install"),
        ),
    ]


def _unmount(layout: Layout) -> list[Operation]:
    names = {"none": (), "nixos": ("boot",)}.get(layout.recipe.system.source, ("run", "dev", "sys", "proc"))
    points = [f"{TARGET}/{name}" for name in names]
    points += [
        TARGET + mount.point.rstrip("/") for mount in reversed(layout.mounts) if mount.legacy or mount.kind != "zfs"
    ]
    return [
        programs(
            Layer.FINISH,
            f"unmount{point}",
            f"Unmount {point}",
            _patient("umount", point),
            effect=Effect.CLOSE,
        )
        for point in points
    ]


def _export(pool: str) -> Operation:
    return programs(
        Layer.FINISH,
        f"export/{pool}",
        f"Export the pool {pool}",
        _patient("zpool", "export", pool),
        effect=Effect.CLOSE,
        # The kernel has this folder as long as the pool is imported, also where zpool itself would hang.
        done=("test", "!", "-e", f"/proc/spl/kstat/zfs/{pool}"),
    )


def _close(layout: Layout, layer: str) -> list[Operation]:
    """Take one layer down; what lies over it is closed by now."""
    kind, name = layer.split(".", 1)
    if kind == "pool":
        return [_export(name)]
    if kind == "crypt" and layout.recipe.crypt[name].unlock != "random":
        # udev looks at each of them for a moment first, so in turn they would take seconds.
        return [
            _closed("close", device, "Close", "cryptsetup", "close", device.name, together=f"finish/close/{name}")
            for device in layout.members(layer)
        ]
    if kind == "raid":
        return [
            _closed("stop", device, "Stop the array", "mdadm", "--stop", device.path)
            for device in layout.members(layer)
        ]
    return []


def _closed(verb: str, device: Device, words: str, *argv: str, together: str = "") -> Operation:
    return programs(
        Layer.FINISH,
        f"{verb}/{device.name}",
        f"{words} {device.name}",
        _patient(*argv),
        effect=Effect.CLOSE,
        done=("test", "!", "-e", device.path),
        together=together,
    )


def _patient(*argv: str) -> Command:
    """A program that fails while udev still looks at the device, and succeeds a moment later."""
    return Command(argv=argv, retries=10)
