"""Bring to the disks what an installation has written, and nothing else of this machine.

`sync` alone would write out every file system, and a slow stick somewhere holds it up for minutes. Nor would it have
the disks empty their own caches: it writes out what block devices have in memory and leaves it at that.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from installer.plan.operation import Commands, Operation, Plan
from installer.run.facts import with_facts
from installer.run.holders import mounted_devices

POOLS = Path("/proc/spl/kstat/zfs")
"""The kernel has a folder in it for each imported pool, also where zpool itself would hang."""
SYSFS = Path("/sys/class/block")
DEV = Path("/dev")


def file_systems(plan: Plan) -> tuple[tuple[str, ...], ...]:
    """Return the programs that write out the file systems of the new system, each by itself."""
    pools = [name for name in _pools(plan) if (POOLS / name).is_dir()]
    points = mounted_devices(plan.target) if plan.target else ()
    found = [("zpool", "sync", *pools)] if pools else []
    return (*found, ("sync", "--file-system", *points)) if points else tuple(found)


def devices(plan: Plan, operations: Iterable[Operation], facts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the devices that are written out and whose caches are emptied: fsync of a block device does both.

    They are the disks of the plan with their partitions, and whatever else the operations name: arrays, volumes. A
    tool that wrote to one of them may have left that in memory, if somebody else had the device open at its end.
    """
    chosen = [name for disk in plan.disks for name in (disk.link, *_partitions(disk.link))]
    named = {with_facts(word, facts) for one in operations for word in _words(one)}
    there = [*sorted(name for name in named if _is_block(name)), *filter(os.path.exists, chosen)]
    return tuple(dict.fromkeys(os.path.realpath(name) for name in there))


def _pools(plan: Plan) -> Iterator[str]:
    """Give the pools that the plan closes at its end."""
    for one in plan.operations:
        for command in one.action.commands if isinstance(one.action, Commands) else ():
            if command.argv[:2] == ("zpool", "export"):
                yield command.argv[-1]


def _words(operation: Operation) -> Iterator[str]:
    for command in operation.action.commands if isinstance(operation.action, Commands) else ():
        for word in command.argv:
            value = word.rpartition("=")[2]
            if value.startswith("/dev/"):
                yield value


def _partitions(link: str) -> list[str]:
    name = os.path.basename(os.path.realpath(link))
    return sorted(str(DEV / number.parent.name) for number in (SYSFS / name).glob(f"{name}*/partition"))


def _is_block(path: str) -> bool:
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except OSError:
        return False
