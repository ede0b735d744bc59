"""The partition table: made on the first disk, cloned to the others, and the ESPs.

sgdisk makes the whole table in one call and, as the seed does it, saves it from the first disk and loads it on the
others, with fresh GUIDs in the same call, so that at no moment two disks have the same ones. It sleeps for a second
whenever it has written: disks are written side by side, and udev is waited for once.
"""

from __future__ import annotations

from installer.plan.devices import blank, reread, seen, zero_ends
from installer.plan.layout import MIB, Device, Layout
from installer.plan.names import STATE, esp_label, fact, partition_path
from installer.plan.operation import AwaitDevices, Command, Effect, Layer, Operation
from installer.plan.steps import command, programs


def operations(layout: Layout) -> list[Operation]:
    """Return what gives the disks their partitions."""
    if not layout.table_roles:
        return []
    first, *others = layout.table_roles
    esp = layout.recipe.boot.esp
    return [
        _table(layout, first),
        *([_save(layout, first)] if others else []),
        *(_clone(layout, first, role) for role in others),
        seen(Layer.PARTITIONS, "tables", "the new partition tables"),
        _await(layout),
        *(_clear(layout, role) for role in layout.table_roles),
        *(_proof(layout, role) for role in layout.table_roles),
        # Before everything else, because the journal of the installation goes there.
        *(
            _esp(device)
            for device in (layout.members(esp) if layout.has_partition(esp.removeprefix("partition.")) else ())
        ),
    ]


def _table(layout: Layout, role: str) -> Operation:
    disk = layout.disks[role]
    arguments = ["--clear", f"--set-alignment={MIB // disk.logical_sector}", f"--disk-guid={fact('disk-guid', role)}"]
    for extent in layout.extents:
        number, partition = extent.number, extent.partition
        arguments += [
            f"--new={number}:0:+{extent.size // MIB}M",
            f"--typecode={number}:{partition.type}",
            f"--change-name={number}:{partition.name}",
        ]
    return programs(
        Layer.PARTITIONS,
        f"table/{role}",
        f"Make the partition table of disk {role}",
        _sgdisk(*arguments, disk.link),
        reread(disk.link),
        destroys=(role,),
    )


def _sgdisk(*arguments: str) -> Command:
    # Status 4 may only mean that the kernel kept the old table for a moment (fault 40). If the table was not written,
    # the disk has none, because it was emptied before: then no partition appears, and the wait for them fails.
    return Command(argv=("sgdisk", *arguments), success=(0, 4))


def _saved(first: str) -> str:
    # With the table's own GUID in its name: an earlier run of this live system may have left another table.
    return f"{STATE}/table-{fact('disk-guid', first)}"


def _save(layout: Layout, first: str) -> Operation:
    return programs(
        Layer.PARTITIONS,
        "save/table",
        f"Save the partition table of disk {first} for the others",
        command("sgdisk", f"--backup={_saved(first)}", layout.disk_path(first)),
        # Not on any disk: after a restart it is made again, for the disks that have no table yet.
        effect=Effect.OPEN,
        done=("test", "-e", _saved(first)),
    )


def _clone(layout: Layout, first: str, role: str) -> Operation:
    disk = layout.disk_path(role)
    guid = f"--disk-guid={fact('disk-guid', role)}"
    return programs(
        Layer.PARTITIONS,
        f"clone/{role}",
        f"Clone the partition table to disk {role}, with GUIDs of its own",
        # On a disk of another size sgdisk puts the second header where that disk ends.
        _sgdisk(f"--load-backup={_saved(first)}", "--randomize-guids", guid, disk),
        reread(disk),
        destroys=(role,),
        together="partitions/clone",
    )


def _await(layout: Layout) -> Operation:
    return Operation(
        id="partitions/await",
        layer=Layer.PARTITIONS,
        title="Wait for the partitions to appear",
        action=AwaitDevices(
            devices=tuple(
                (partition_path(layout.disk_path(role), extent.number), layout.disk_path(role), extent.number)
                for role in layout.table_roles
                for extent in layout.extents
            )
        ),
        effect=Effect.CHECK,
    )


def _partitions(layout: Layout, role: str) -> list[tuple[str, int]]:
    disk = layout.disk_path(role)
    return [(partition_path(disk, extent.number), extent.size) for extent in layout.extents]


def _clear(layout: Layout, role: str) -> Operation:
    """Empty the new partitions: what an earlier table had at the same offsets is back (faults 24 to 27)."""
    partitions = _partitions(layout, role)
    return programs(
        Layer.PARTITIONS,
        f"clear/{role}",
        f"Remove what earlier contents of disk {role} left inside its new partitions",
        Command(argv=("wipefs", "--all", *(path for path, _ in partitions)), retries=10),
        *(zeroing for path, size in partitions for zeroing in zero_ends(path, size)),
        destroys=(role,),
        together="partitions/clear",
    )


def _proof(layout: Layout, role: str) -> Operation:
    return programs(
        Layer.PARTITIONS,
        f"blank/{role}",
        f"Prove that the new partitions of disk {role} are empty",
        *(proof for path, _ in _partitions(layout, role) for proof in blank(path)),
        effect=Effect.PROVE,
        together="partitions/blank",
    )


def _esp(esp: Device) -> Operation:
    # mkfs.fat must be told of 4Kn before it counts clusters (fault 18).
    sector = ("-S", str(esp.logical_sector)) if esp.logical_sector != 512 else ()
    return programs(
        Layer.PARTITIONS,
        f"format/esp-{esp.role}",
        f"Format the EFI system partition of disk {esp.role}",
        command("mkfs.fat", "-F", "32", *sector, "-n", esp_label(esp.role), "-i", fact("esp", esp.role), esp.path),
        destroys=(esp.role,),
        together="partitions/format",
    )
