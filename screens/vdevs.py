"""What else serves a pool beside its data: special, dedup, log, cache and spare vdevs, each on whole disks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from installer.recipe.model import VdevKind, VdevRole
from screens.answers import Answers, survives, topology

SUPPORT = (VdevRole.SPECIAL, VdevRole.DEDUP, VdevRole.LOG, VdevRole.CACHE, VdevRole.SPARE)
CARRYING = (VdevRole.SPECIAL, VdevRole.DEDUP)
"""Without any one of these a pool is lost, as without its data."""


class Support(NamedTuple):
    """A vdev beside the data."""

    role: VdevRole
    kind: VdevKind
    roles: str
    """Its disks."""
    width: int = 1
    """Disks of a mirror, where it has some; of several, each has as many."""

    @property
    def carries(self) -> bool:
        """Whether the pool is lost with it."""
        return self.role in CARRYING

    @property
    def words(self) -> str:
        """What a drawing calls it."""
        mirrored = {VdevKind.MIRROR: f"{self.role} mirror", VdevKind.STRIPED_MIRRORS: f"{self.role} mirrors"}
        return mirrored.get(self.kind, str(self.role))

    @property
    def survives(self) -> int:
        """Return how many of its disks may fail, whichever they are."""
        return self.width - 1


def support(answers: Answers) -> tuple[Support, ...]:
    """Return the vdevs beside the data, each built so that it survives what the data survive, if its disks allow."""
    keeps, _ = survives(topology(answers), count=len(answers.data))
    return tuple(_made(role, roles, keeps) for role in SUPPORT if (roles := answers.roles(role)))


def _made(role: VdevRole, roles: str, keeps: int) -> Support:
    count = len(roles)
    if count == 1:
        return Support(role, VdevKind.SINGLE, roles)
    if role in (VdevRole.CACHE, VdevRole.SPARE) or (role in CARRYING and not keeps):
        return Support(role, VdevKind.STRIPE, roles)
    if role in CARRYING and count > keeps + 1 and count % (keeps + 1) == 0:
        return Support(role, VdevKind.STRIPED_MIRRORS, roles, keeps + 1)
    return Support(role, VdevKind.MIRROR, roles, count)


def fault(answers: Answers) -> str:
    """Say what the pool would be lost with sooner than with its data, or that there are none; nothing if all fits."""
    if not answers.data:
        return "No disk is left for the data: give one of them back its use."
    keeps, _ = survives(topology(answers), count=len(answers.data))
    for one in support(answers):
        if one.carries and one.survives != keeps:
            return (
                f"The pool is lost with its {one.role} vdev. With {_number(len(one.roles))} that survives "
                f"{_failed(one.survives)}, while the data survive {_failed(keeps)}. "
                f"Give it {keeps + 1} disks, or {2 * keeps + 2}."
            )
    return ""


def _number(count: int) -> str:
    return f"{count} disk{'s' if count > 1 else ''}"


def _failed(count: int) -> str:
    return f"{count} failed disk{'s' if count > 1 else ''}" if count else "no failed disk"


def entries(answers: Answers) -> Iterator[dict[str, Any]]:
    """Give the vdevs beside the data in the words of a recipe."""
    for one in support(answers):
        over = [f"crypt.{name}" for name in _layers(one)] if answers.encryption.luks else _disks(one)
        width = {"width": one.width} if one.kind is VdevKind.STRIPED_MIRRORS and one.width != 2 else {}
        yield {"kind": str(one.kind), "over": over[0] if len(over) == 1 else over, "role": str(one.role)} | width


def layers(answers: Answers) -> Mapping[str, str]:
    """Return what the encryption of these vdevs lies over, by the name of each of its layers: a disk has its own."""
    if not answers.encryption.luks:
        return {}
    return {
        name: disk
        for one in support(answers)
        for name, disk in zip(_layers(one), _disks(one), strict=True)
    }  # fmt: skip


def _layers(one: Support) -> list[str]:
    return (
        [str(one.role)] if len(one.roles) == 1 else [f"{one.role}{number}" for number in range(1, len(one.roles) + 1)]
    )


def _disks(one: Support) -> list[str]:
    return [f"disk.{role}" for role in one.roles]


def taken_whole(roles: str) -> str:
    """Say of disks that they have no partitions of their own."""
    return f"Disk{'s' if len(roles) > 1 else ''} {listed(roles)}: no table, the pool takes {_them(roles)} whole."


def _them(roles: str) -> str:
    return "them" if len(roles) > 1 else "it"


def listed(roles: str) -> str:
    """Name disks in a sentence: `c`, `c and d`, `c, d and e`."""
    *first, last = list(roles) or ["no disk"]
    return f"{', '.join(first)} and {last}" if first else last
