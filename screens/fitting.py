"""Whether the answers so far fit the machine: the engine's own rules, asked before everything is answered."""

from __future__ import annotations

from installer.errors import Refusal, Refusals
from installer.machine.model import Disk, Machine
from installer.machine.offer import reasons
from installer.plan import fit, notes, teardown
from installer.plan.choose import choose, differences
from installer.plan.layout import Layout
from installer.recipe.model import Disk as Selector
from installer.recipe.write import selector
from screens import compose as composing
from screens.answers import Answers

NAMELESS = "It has no serial, WWN or place of its own by which a recipe could name it."


def refusals(disk: Disk, machine: Machine) -> tuple[str, ...]:
    """Say why a disk cannot be chosen; nothing if it can."""
    found = reasons(disk, machine)
    if not found and differences(Selector(**dict([selector(disk.identity)])), disk):
        return (NAMELESS,)
    return found


def layout(answers: Answers, machine: Machine) -> Layout | None:
    """Lay what is answered so far over the chosen disks; nothing without disks for data, or where a disk is gone.

    What is not answered yet, or wrongly, stands as it does at first.
    """
    for known, on, laid in RECENT:
        if on is machine and known == answers:
            return laid
    found = _layout(composing.so_far(answers, ()), machine) if answers.data else None
    RECENT.append((answers, machine, found))
    del RECENT[:-4]
    return found


RECENT: list[tuple[Answers, Machine, Layout | None]] = []
"""A screen asks for the same layout several times while it draws itself."""


def _layout(answers: Answers, machine: Machine) -> Layout | None:
    for known in (answers, _mended(answers)):
        try:
            made = composing.recipe(known)
            return Layout(made, machine, choose(made, machine))
        except Refusals:
            continue
    return None


def _mended(answers: Answers) -> Answers:
    fields = Answers.model_fields
    wrong = composing.problems(answers).keys() & (fields.keys() - {"disks"})
    # A fixed address has no default, and the disks do not care.
    mended = {name: fields[name].default for name in wrong} | {"static": False}
    return composing.so_far(answers.model_copy(update=mended), ())


def missing(answers: Answers, machine: Machine) -> tuple[str, ...]:
    """Name the chosen disks that are not there any more, or cannot be used."""
    there = {disk.identity for disk in machine.disks if not refusals(disk, machine)}
    return tuple(identity for identity in answers.disks if identity not in there)


def of_disks(laid: Layout) -> tuple[Refusal, ...]:
    """Return what keeps the answers from these disks, and other disks would mend."""
    found = (problem for rule in (teardown.refusals, *fit.OF_DISKS) for problem in rule(laid))
    # The firmware is chosen on a later screen, which nobody could reach if this one refused it.
    return tuple(problem for problem in found if not problem.title.startswith("This machine starts by"))


def unequal(laid: Layout) -> Refusal | None:
    """Return what is wrong with disks of unlike sizes, whether they are allowed or not."""
    pools = {name: pool.model_copy(update={"allow_unequal": False}) for name, pool in laid.recipe.pool.items()}
    strict = Layout(laid.recipe.model_copy(update={"pool": pools}), laid.machine, laid.disks)
    return next(fit.unequal(strict), None)


def of_vdevs(laid: Layout) -> tuple[Refusal, ...]:
    """Return what keeps disks from the uses that they were given."""
    return tuple(problem for problem in fit.refusals(laid) if ".vdevs[" in problem.title)


def notes_of_disks(laid: Layout) -> tuple[str, ...]:
    """Return what a person should know of this choice of disks."""
    return notes.notes(laid, notes.OF_DISKS)
