"""md arrays, and the file systems on them."""

from __future__ import annotations

from installer.plan.devices import settled
from installer.plan.layout import Layout
from installer.plan.names import array_path, fact
from installer.plan.operation import Effect, Layer, Operation
from installer.plan.steps import command, programs


def operations(layout: Layout, name: str) -> list[Operation]:
    """Return what makes one array and keeps it assembled."""
    found = [_create(layout, name), _assemble(layout, name)]
    if layout.recipe.raid[name].filesystem != "none":
        found.append(_format(layout, name))
    return found


def _create(layout: Layout, name: str) -> Operation:
    """Make the array; its first synchronisation goes on in the background and is not waited for.

    --assume-clean would save it, but the halves differ wherever nothing was written yet, and every later check of
    the array would report that as damage.
    """
    raid = layout.recipe.raid[name]
    members = layout.members(raid.over)
    (array,) = layout.members(f"raid.{name}")
    return programs(
        Layer.RAID,
        f"create/{name}",
        f"Create the md array {name}",
        # All that mdadm would ask about is said: its questions differ between 4.2, 4.4 and 4.5.
        command(
            "mdadm",
            "--create",
            array.path,
            "--run",
            # Only before it is told their number does mdadm believe that one member is meant.
            *(["--force"] if len(members) == 1 else []),
            f"--level={raid.level}",
            f"--metadata={raid.metadata}",
            "--bitmap=none" if raid.level == 0 else "--bitmap=internal",
            "--homehost=any",
            f"--name={name}",
            f"--uuid={fact('md', name)}",
            f"--raid-devices={len(members)}",
            *(member.path for member in members),
        ),
        settled(),
        destroys=array.roles,
        done=("test", "-b", array.path),
    )


def _assemble(layout: Layout, name: str) -> Operation:
    members = layout.members(layout.recipe.raid[name].over)
    return programs(
        Layer.RAID,
        f"assemble/{name}",
        f"Assemble the md array {name}",
        command(
            "mdadm",
            "--assemble",
            array_path(name),
            "--run",
            "--homehost=any",
            f"--uuid={fact('md', name)}",
            *(member.path for member in members),
        ),
        settled(),
        effect=Effect.OPEN,
        done=("test", "-b", array_path(name)),
    )


def _format(layout: Layout, name: str) -> Operation:
    raid = layout.recipe.raid[name]
    (array,) = layout.members(f"raid.{name}")
    return programs(
        Layer.RAID,
        f"format/{name}",
        f"Make the {raid.filesystem} file system of {name}",
        # The array's data begin where an earlier array's did, so its file system is back (fault 25).
        command("wipefs", "--all", array.path),
        command(
            f"mkfs.{raid.filesystem}",
            "-q",
            # Nothing left for the kernel to initialise in the background of the installation.
            "-E",
            "lazy_itable_init=0,lazy_journal_init=0",
            "-U",
            fact("fs", name),
            "-L",
            name[:16],
            array.path,
        ),
        destroys=array.roles,
    )
