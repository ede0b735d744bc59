"""Datasets, volumes, and what is mounted under the target."""

from __future__ import annotations

from collections.abc import Iterable

from installer.plan.delegation import delegated
from installer.plan.devices import settled
from installer.plan.layout import Layout, Mount
from installer.plan.opening import systemd_properties
from installer.plan.operation import Command, Effect, Layer, Operation
from installer.plan.pools import encryption_properties, load_key, new_key
from installer.plan.steps import command, programs
from installer.recipe.model import Dataset


def operations(layout: Layout, pool: str) -> list[Operation]:
    """Return what creates the datasets of one pool, parents first, without mounting any."""
    found: list[Operation] = []
    for dataset in with_parents(layout.recipe.pool[pool].dataset):
        whole = f"{pool}/{dataset.name}"
        found.append(_create(layout, whole, dataset))
        if dataset.encryption:
            found.append(load_key(whole, dataset.encryption))
        if dataset.snapshot:
            found.append(_snapshot(f"{whole}@{dataset.snapshot}"))
        found += delegated(whole, dataset.allow)
    if pool == layout.root_pool:
        found.append(_bootfs(layout))
    return [*found, *delegated(pool, layout.recipe.pool[pool].allow)]


def with_parents(datasets: Iterable[Dataset]) -> list[Dataset]:
    """Return datasets with their parents before them; a parent that is not listed only carries what it contains."""
    listed = {dataset.name: dataset for dataset in datasets}
    found: dict[str, Dataset] = {}
    for name in listed:
        parts = name.split("/")
        for depth in range(1, len(parts) + 1):
            one = "/".join(parts[:depth])
            found.setdefault(one, listed.get(one) or Dataset(name=one, canmount="off"))
    return list(found.values())


def _properties(layout: Layout, whole: str, dataset: Dataset) -> dict[str, str]:
    found: dict[str, str] = {}
    if not dataset.size:
        root = whole == layout.root_dataset
        canmount = dataset.canmount or ("noauto" if root else None)
        mountpoint = "legacy" if dataset.legacy else dataset.mount or ("/" if root else None)
        found |= {"canmount": canmount} if canmount else {}
        found |= {"mountpoint": mountpoint} if mountpoint else {}
    found |= dict(dataset.properties) | encryption_properties(dataset.encryption)
    return found | systemd_properties(layout, whole)


def _create(layout: Layout, whole: str, dataset: Dataset) -> Operation:
    # -u: a dataset that ZFS mounts at once would lie under the root file system, which is mounted later.
    kind = ("-V", str(dataset.size)) if dataset.size else ("-u",)
    properties = _properties(layout, whole, dataset)
    options = tuple(word for key, value in properties.items() for word in ("-o", f"{key}={value}"))
    return programs(
        Layer.DATASETS,
        f"create/{whole}",
        f"Create the {'volume' if dataset.size else 'dataset'} {whole}",
        Command(argv=("zfs", "create", *kind, *options, whole), dialogue=new_key(dataset.encryption)),
        *([settled()] if dataset.size else []),
        done=("zfs", "list", "-H", "-o", "name", whole),
        secrets=(dataset.encryption.secret,) if dataset.encryption else (),
    )


def _snapshot(name: str) -> Operation:
    return programs(
        Layer.DATASETS,
        f"snapshot/{name}",
        f"Take the snapshot {name}",
        command("zfs", "snapshot", name),
        done=("zfs", "list", "-H", "-t", "snapshot", "-o", "name", name),
    )


def _bootfs(layout: Layout) -> Operation:
    return programs(
        Layer.DATASETS,
        f"bootfs/{layout.root_pool}",
        f"Name {layout.root_dataset} as the root file system",
        command("zpool", "set", f"bootfs={layout.root_dataset}", layout.root_pool),
    )


def mount(layout: Layout, mounted: Mount) -> Operation:
    """Return what mounts a file system under the target."""
    point = f"{layout.target}{mounted.point}".rstrip("/")
    mounting = (
        ("mount", "--types", mounted.kind, mounted.source, point)
        if mounted.legacy
        else ("zfs", "mount", mounted.source)
    )
    return programs(
        Layer.DATASETS,
        f"mount/{mounted.source.removeprefix('/dev/md/')}",
        f"Mount {mounted.source} as {mounted.point} of the new system",
        command("mkdir", "--parents", point),
        command(*mounting),
        effect=Effect.OPEN,
        done=("mountpoint", "--quiet", point),
    )


def files(layout: Layout, name: str) -> list[Operation]:
    """Return what makes the sparse files that serve as devices."""
    devices = layout.members(f"file.{name}")
    return [
        programs(
            Layer.DATASETS,
            f"files/{name}",
            f"Make the files of {name}",
            command("mkdir", "--parents", devices[0].path.rpartition("/")[0]),
            command("truncate", f"--size={devices[0].size}", *(device.path for device in devices)),
        )
    ]
