"""Which disk of the machine each role of the recipe means: exactly one, or a refusal that says what came near."""

from __future__ import annotations

from collections.abc import Mapping

from installer.errors import Refusal, Refusals, literal
from installer.machine import words
from installer.machine.model import Disk, Machine
from installer.machine.offer import Offer, offers
from installer.plan.names import plain
from installer.recipe.model import Disk as Selector
from installer.recipe.model import Recipe

SHOWN = 5
"""Near misses listed at most."""


def choose(recipe: Recipe, machine: Machine) -> dict[str, Disk]:
    """Return the disk of each role, in the recipe's order; raises Refusals."""
    offered = offers(machine)
    problems: list[Refusal] = []
    chosen: dict[str, Disk] = {}
    for role, selector in recipe.disks.items():
        try:
            chosen[role] = _choose(role, selector, offered)
        except Refusal as refusal:
            problems.append(refusal)
    problems += _shared(chosen)
    if problems:
        raise Refusals(tuple(problems))
    return chosen


def _choose(role: str, selector: Selector, offered: tuple[Offer, ...]) -> Disk:
    if not selector.bound:
        raise Refusal(
            f"Role {role} of the recipe has no disk yet.",
            message=_listed([offer.disk for offer in offered if offer.usable], "Disks that may be used:"),
            hint=f"Say which disk it is: --disk {role}=SERIAL",
        )
    # The serial first: to put into words how each disk differs from each role takes long where there are many.
    near = [offer for offer in offered if selector.serial in (None, offer.disk.serial)]
    matching = [offer for offer in near if not differences(selector, offer.disk)]
    usable = [offer for offer in matching if offer.usable]
    if len(usable) == 1:
        return usable[0].disk
    if usable:
        raise Refusal(
            f"Role {role} means exactly one disk, but {len(usable)} answer to {said(selector)}.",
            message=_listed([offer.disk for offer in usable], "They are:"),
            hint=f"Name one of them: --disk {role}=SERIAL, or by-path in the recipe where serials are the same.",
        )
    if matching:
        raise Refusal(
            f"The disk of role {role} may not be used.",
            message="\n".join(f"{_named(offer.disk)}: {' '.join(offer.reasons)}" for offer in matching),
            hint="Choose another disk, or remove the reason.",
        )
    raise Refusal(
        f"No disk of this machine answers to role {role}: {said(selector)}.",
        message=_near_misses(selector, offered),
        hint=f"Attach the disk, or choose another one: --disk {role}=SERIAL",
    )


def differences(selector: Selector, disk: Disk) -> tuple[str, ...]:
    """Say how a disk differs from a selector; nothing means that it matches."""
    compared = (
        ("serial", selector.serial, disk.serial),
        ("WWN", selector.wwn, disk.wwn),
        ("model", selector.model, disk.model),
        ("transport", selector.transport, disk.transport),
    )
    found = [
        f"its {what} is {literal(have) if have else 'not known'}"
        for what, want, have in compared
        if want not in (None, have)
    ]
    for what, name, links in (("by-id", selector.by_id, disk.by_id), ("by-path", selector.by_path, disk.by_path)):
        if name is not None and _link_name(name) not in map(_link_name, links):
            found.append(f"its {what} names are {plain(', '.join(map(_link_name, links))) or 'not known'}")
    if selector.min_size is not None and disk.size < selector.min_size:
        found.append(f"it is smaller: {words.both_sizes(disk.size)}")
    if selector.max_size is not None and disk.size > selector.max_size:
        found.append(f"it is larger: {words.both_sizes(disk.size)}")
    return tuple(found)


def _link_name(link: str) -> str:
    return link.rpartition("/")[2]


def said(selector: Selector) -> str:
    """Write a selector as the recipe does."""
    values = selector.model_dump(exclude_none=True, by_alias=True)
    return ", ".join(f"{key} = {literal(str(value))}" for key, value in values.items())


def _near_misses(selector: Selector, offered: tuple[Offer, ...]) -> str:
    """List the disks that differ least, usable ones first, with what differs."""
    disks = [offer for offer in offered if offer.disk.kind == "disk" and offer.disk.size]
    ranked = sorted(disks, key=lambda offer: (len(differences(selector, offer.disk)), not offer.usable))
    lines = [f"{_named(offer.disk)}: {', '.join(differences(selector, offer.disk))}." for offer in ranked[:SHOWN]]
    return "\n".join(["What comes nearest:", *lines]) if lines else "No disks were found at all."


def _named(disk: Disk) -> str:
    return plain(f"{disk.path} ({words.describe(disk)})")


def _listed(disks: list[Disk], heading: str) -> str:
    return "\n".join([heading, *map(_named, disks)]) if disks else "This machine has no disk that may be used."


def _shared(chosen: Mapping[str, Disk]) -> list[Refusal]:
    """Refuse roles that mean the same disk, through whatever names (fault 5)."""
    roles: dict[str, list[str]] = {}
    for role, disk in chosen.items():
        roles.setdefault(disk.name, []).append(role)
    return [
        Refusal(
            f"Roles {' and '.join(same)} are the same disk: {_named(chosen[same[0]])}.",
            message="A mirror of a disk with itself protects from nothing.",
            hint=f"Name another disk: --disk {same[-1]}=SERIAL",
        )
        for same in roles.values()
        if len(same) > 1
    ]
