"""Where every layer of a recipe lies on the chosen disks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from installer.frozen import Frozen
from installer.machine import words
from installer.machine.model import Disk, Machine
from installer.plan.names import TARGET, array_path, mapping_path, partition_path, zvol_path
from installer.recipe import stack
from installer.recipe.model import CryptKind, Dataset, Firmware, Partition, Pool, Recipe

MIB = 1024**2
LUKS_HEADER = 16 * MIB
TRUECRYPT_HEADERS = 256 * 1024
"""Bytes: two headers at the beginning and their copies at the end, 64 KiB each."""


class Device(Frozen):
    """One member of a layer."""

    name: str
    """Layer and suffix: `pool-a`; the layer's name alone where a layer has a single member (`boot`)."""
    path: str
    """The stable path that commands use."""
    suffix: str = ""
    """What tells the members of a layer apart: the disk's role, or a number for files."""
    role: str = ""
    """Role of the one disk it lies on; empty for what spans several (an array, a zvol)."""
    roles: tuple[str, ...]
    """Roles of all disks under it."""
    size: int
    """Bytes, as far as they can be known before it exists."""
    logical_sector: int
    physical_sector: int


class Extent(Frozen):
    """A partition's place in the table, the same on every disk; start and size are bytes."""

    partition: Partition
    number: int
    start: int
    size: int


class Mount(Frozen):
    """A file system of the recipe and where the installed system has it."""

    point: str
    """As in the installed system: `/`, `/boot`."""
    source: str
    """Dataset, or the device's path."""
    kind: str
    """`zfs` or the file system's type."""
    layer: str
    """Name of the pool or of the md array."""
    legacy: bool
    """Whether `mount` mounts it and /etc/fstab must name it, because ZFS does not."""


class Layout:
    """A recipe laid over the chosen disks of a machine."""

    target = TARGET

    def __init__(self, recipe: Recipe, machine: Machine, disks: Mapping[str, Disk]) -> None:
        self.recipe = recipe
        self.machine = machine
        self.disks = {role: disks[role] for role in recipe.disks}

    # Disks and partitions

    def disk_path(self, role: str) -> str:
        """Return the stable path of a role's disk."""
        return self.disks[role].link

    def whereabouts(self, device: Device) -> str:
        """Say in words on which disks a device lies."""
        if len(device.roles) > 1:
            return f"disks {', '.join(device.roles)}"
        (role,) = device.roles
        return f"disk {role} ({words.describe(self.disks[role])})"

    @cached_property
    def table_roles(self) -> tuple[str, ...]:
        """Roles of the disks that get the partition table: all but those that a layer takes whole."""
        return stack.disks_with_table(self.recipe)

    @cached_property
    def extents(self) -> tuple[Extent, ...]:
        """Partitions in order, sized for the smallest disk, every start and end on a whole MiB."""
        sizes = [self.disks[role].size for role in self.table_roles]
        # The first MiB holds the table, the last one its copy; on 4Kn disks too.
        room = (min(sizes, default=0) // MIB - 2) * MIB
        fixed = sum(whole_mib(p.size) for p in self.recipe.partition if p.size != "rest")
        extents, start = [], MIB
        for number, partition in enumerate(self.recipe.partition, 1):
            size = max(0, room - fixed) if partition.size == "rest" else whole_mib(partition.size)
            extents.append(Extent(partition=partition, number=number, start=start, size=size))
            start += size
        return tuple(extents)

    def has_partition(self, name: str) -> bool:
        """Say whether the table has a partition of that name."""
        return any(extent.partition.name == name for extent in self.extents)

    def extent(self, name: str) -> Extent:
        """Return a partition's place; KeyError where the table has no such partition."""
        for extent in self.extents:
            if extent.partition.name == name:
                return extent
        raise KeyError(name)

    def partition_number(self, name: str) -> int:
        """Return a partition's number, from 1."""
        return self.extent(name).number

    # Layers

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Arrays, encryption, files and pools (`raid.boot`, `pool.rpool`), each after those that it needs.

        A pool in an encrypted volume of another pool comes after that pool; taking down goes the other way.
        """
        recipe = self.recipe
        waiting = [f"raid.{name}" for name in recipe.raid] + [f"crypt.{name}" for name in recipe.crypt]
        waiting += [f"file.{name}" for name in recipe.file] + [f"pool.{name}" for name in recipe.pool]
        found: list[str] = []
        while waiting:
            layer = next(one for one in waiting if not set(needed(recipe, one)) & set(waiting))
            waiting.remove(layer)
            found.append(layer)
        return tuple(found)

    def members(self, reference: str) -> tuple[Device, ...]:
        """Return the devices that a reference stands for, in the order of the recipe's disks."""
        layer, name = reference.split(".", 1)
        return {
            "disk": self._disk,
            "partition": self._partition,
            "raid": self._raid,
            "crypt": self._crypt,
            "zvol": self._zvol,
            "file": self._file,
        }[layer](name)

    def _disk(self, role: str) -> tuple[Device, ...]:
        disk = self.disks[role]
        return (self._on_disk(disk, role, name=role, path=disk.link, size=disk.size),)

    def _partition(self, name: str) -> tuple[Device, ...]:
        extent = self.extent(name)
        return tuple(
            self._on_disk(
                self.disks[role],
                role,
                name=f"{name}-{role}",
                path=partition_path(self.disk_path(role), extent.number),
                size=extent.size,
            )
            for role in self.table_roles
        )

    def _on_disk(self, disk: Disk, role: str, *, name: str, path: str, size: int) -> Device:
        return Device(
            name=name,
            path=path,
            suffix=role,
            role=role,
            roles=(role,),
            size=size,
            logical_sector=disk.logical_sector,
            physical_sector=disk.physical_sector,
        )

    def _raid(self, name: str) -> tuple[Device, ...]:
        raid = self.recipe.raid[name]
        below = self.members(raid.over)
        copies = {0: 1, 1: len(below), 10: 2}[raid.level]
        size = min(device.size for device in below) * len(below) // copies
        return (spanning(name, array_path(name), below, size=size),)

    def _crypt(self, name: str) -> tuple[Device, ...]:
        def over(device: Device) -> Device:
            member = f"{name}-{device.suffix}" if device.suffix else name
            size = max(0, device.size - overhead(self.recipe.crypt[name].kind, device.size))
            return device.model_copy(update={"name": member, "path": mapping_path(member), "size": size})

        return tuple(over(device) for device in self.members(self.recipe.crypt[name].over))

    def _zvol(self, name: str) -> tuple[Device, ...]:
        pool, _, volume = name.partition("/")
        below = self.pool_members(pool)
        size = next((dataset.size for dataset in self.recipe.pool[pool].dataset if dataset.name == volume), None)
        device = spanning(volume.rpartition("/")[2], zvol_path(name), below, size=size or 0)
        return (device.model_copy(update={"logical_sector": 512, "physical_sector": 4096}),)

    def _file(self, name: str) -> tuple[Device, ...]:
        file = self.recipe.file[name]
        roles = tuple(self.disks)
        return tuple(
            Device(
                name=f"{name}-{number}",
                path=f"{self.target}{file.folder.rstrip('/')}/{name}-{number}",
                suffix=str(number),
                roles=roles,
                size=file.size,
                logical_sector=512,
                physical_sector=4096,
            )
            for number in range(1, file.count + 1)
        )

    def pool_members(self, pool: str) -> tuple[Device, ...]:
        """Return every device of a pool, vdev after vdev."""
        return tuple(device for vdev in self.recipe.pool[pool].vdevs for device in self.vdev_members(vdev.over))

    def vdev_members(self, over: str | tuple[str, ...]) -> tuple[Device, ...]:
        """Return the devices of one vdev, which lies over one layer or several."""
        return tuple(device for reference in stack.as_tuple(over) for device in self.members(reference))

    # The root file system and what is mounted with it

    @cached_property
    def root_pool(self) -> str:
        """Name of the pool that has the root file system, or nothing."""
        found = stack.root(self.recipe)
        return found[0] if found else ""

    @cached_property
    def root_dataset(self) -> str:
        """Whole name of the root file system (`rpool/ROOT/debian`), or nothing."""
        return f"{self.root_pool}/{self.recipe.pool[self.root_pool].bootfs}" if self.root_pool else ""

    @property
    def bios(self) -> bool:
        """Whether the installed system starts by BIOS, which cannot read disks with sectors of 4096 bytes."""
        readable = all(self.disks[role].logical_sector == 512 for role in self.table_roles)
        return readable and stack.starts_by(self.recipe, Firmware.BIOS)

    @property
    def uefi(self) -> bool:
        """Whether the installed system starts by UEFI."""
        return stack.starts_by(self.recipe, Firmware.UEFI)

    @property
    def esps(self) -> tuple[Device, ...]:
        """EFI system partitions, one for each disk with a table; none where the system does not start by UEFI."""
        return self.members(self.recipe.boot.esp) if self.uefi else ()

    @cached_property
    def encrypted_root(self) -> bool:
        """Whether some of the root file system cannot be read without a secret."""
        return stack.root_encrypted(self.recipe)

    @cached_property
    def mounts(self) -> tuple[Mount, ...]:
        """File systems that installing mounts under the target, in the order of mounting."""
        found = [
            Mount(point=raid.mount, source=array_path(name), kind=raid.filesystem, layer=name, legacy=True)
            for name, raid in self.recipe.raid.items()
            if raid.mount
        ]
        for name, pool in self.recipe.pool.items():
            if top_is_mounted(name, pool):
                point = pool_mountpoint(name, pool)
                found.append(Mount(point=point, source=name, kind="zfs", layer=name, legacy=False))
            for dataset in pool.dataset:
                whole = f"{name}/{dataset.name}"
                point = "/" if whole == self.root_dataset else mountpoint(name, pool, dataset)
                if dataset.size or not point.startswith("/") or dataset.canmount == "off":
                    continue
                if dataset.canmount == "noauto" and whole != self.root_dataset:
                    continue
                legacy = dataset.legacy or dataset.mount == "legacy"
                found.append(Mount(point=point, source=whole, kind="zfs", layer=name, legacy=legacy))
        return tuple(sorted(found, key=lambda mount: (mount.point.rstrip("/").count("/"), mount.point)))


def needed(recipe: Recipe, layer: str) -> tuple[str, ...]:
    """Return the layers that must be there before another; a volume or a folder stands for its pool."""
    kind, name = layer.split(".", 1)
    if kind == "file":
        return (f"pool.{stack.holder(recipe, recipe.file[name].folder)}",)
    lower = stack.under_pool(recipe, name) if kind == "pool" else stack.below(recipe, layer)
    if kind == "crypt" and (key := recipe.crypt[name].key):
        lower = (*lower, key)
    return tuple(
        f"pool.{reference.removeprefix('zvol.').partition('/')[0]}" if reference.startswith("zvol.") else reference
        for reference in lower
    )


def overhead(kind: CryptKind, size: int) -> int:
    """Return the bytes of a device that its encryption takes."""
    match kind:
        case CryptKind.TCRYPT:
            return TRUECRYPT_HEADERS
        case CryptKind.LUKS2_INTEGRITY:
            # A sum of 32 bytes for each sector of 4096, and a journal.
            return LUKS_HEADER + size // 129 + min(size // 100, 64 * MIB)
    return LUKS_HEADER


def spanning(name: str, path: str, below: tuple[Device, ...], *, size: int) -> Device:
    """Return a device that lies over several others."""
    return Device(
        name=name,
        path=path,
        roles=tuple(dict.fromkeys(role for device in below for role in device.roles)),
        size=size,
        logical_sector=max(device.logical_sector for device in below),
        physical_sector=max(device.physical_sector for device in below),
    )


def whole_mib(size: int) -> int:
    """Round a size up to a whole MiB."""
    return -(-size // MIB) * MIB


def mountpoint(pool_name: str, pool: Pool, dataset: Dataset) -> str:
    """Return where a dataset is mounted in the installed system: a path, `none` or `legacy`, inherited as ZFS does."""
    said = {other.name: other.mount for other in pool.dataset}
    below: list[str] = []
    name = dataset.name
    while name:
        if value := said.get(name):
            return value if not value.startswith("/") else "/".join([value.rstrip("/"), *below]) or "/"
        name, _, last = name.rpartition("/")
        below.insert(0, last)
    top = pool_mountpoint(pool_name, pool)
    return top if not top.startswith("/") else "/".join([top.rstrip("/"), *below])


def pool_mountpoint(name: str, pool: Pool) -> str:
    """Return the mount point of a pool's top dataset: as said, none where it holds the root, else ZFS's own."""
    return pool.filesystem.get("mountpoint") or ("none" if pool.bootfs else f"/{name}")


def top_is_mounted(name: str, pool: Pool) -> bool:
    """Say whether a pool's top dataset is a file system that is mounted."""
    canmount = pool.filesystem.get("canmount", "off" if pool.bootfs else "on")
    return canmount == "on" and pool_mountpoint(name, pool).startswith("/")
