"""Commands on block devices that several layers need: waiting for them, emptying them, proving them empty."""

from __future__ import annotations

from installer.plan.operation import Command, Effect, Layer, Operation
from installer.plan.steps import command, programs

ENDS = 1024**2
"""Bytes zeroed at either end: ZFS keeps two labels of 256 KiB there, md and GPT their blocks."""


def settled() -> Command:
    """Return the wait for udev to have made its links."""
    return command("udevadm", "settle", "--timeout=60")


def seen(layer: Layer, name: str, what: str) -> Operation:
    """Return the wait for udev as an operation of its own: one for all that was done side by side."""
    return programs(layer, f"settle/{name}", f"Wait until udev has seen {what}", settled(), effect=Effect.CHECK)


def reread(disk: str) -> Command:
    """Return the order to the kernel to forget the table that it knew."""
    # Whoever has a partition open makes the kernel keep the old table; udev does, after each change (fault 40).
    return Command(argv=("blockdev", "--rereadpt", disk), retries=20)


def forget(paths: tuple[str, ...]) -> tuple[Command, ...]:
    """Return the commands that remove labels, superblocks and signatures from devices, partitions before their disk."""
    return (
        # Status 1: there was no label. What matters is proved afterwards, by `blank`.
        *(Command(argv=("zpool", "labelclear", "-f", path), success=(0, 1, 255)) for path in paths),
        # Whenever a writer closes the disk, udev has the kernel read its table anew, and for a moment the partitions
        # are gone: mdadm and wipefs then fail to open what was there before and is there again a second later.
        settled(),
        Command(argv=("mdadm", "--zero-superblock", *paths), retries=10),
        Command(argv=("wipefs", "--all", *paths), retries=10),
    )


def zero_ends(path: str, size: int) -> tuple[Command, ...]:
    """Return the commands that zero the first and the last MiB of a device of `size` bytes.

    labelclear trusts what the first label says, and leaves others that a later table brings to light
    (openzfs#14869, openzfs#18027). Without --force blkdiscard refuses a device that somebody holds.
    """
    if size <= 2 * ENDS:
        return (Command(argv=("blkdiscard", "--zeroout", path), retries=10),)
    return tuple(
        Command(argv=("blkdiscard", "--zeroout", f"--offset={offset}", f"--length={ENDS}", path), retries=10)
        for offset in (0, size - ENDS)
    )


def blank(path: str) -> tuple[Command, ...]:
    """Return the proof that a device exists and that nothing is recognised on it."""
    # wipefs --no-act ends with 0 whatever it finds; blkid ends with 2 where it finds nothing.
    return (
        command("test", "-b", path),
        Command(argv=("blkid", "--probe", "--no-part-details", path), success=(2,)),
    )
