"""From what is to be installed to the plan that a person agrees to, or to everything that stands in the way of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from installer.errors import Refusal, Refusals, ZrootError
from installer.machine import words
from installer.machine.model import Machine
from installer.machine.obstacles import obstacles
from installer.plan.build import make_plan
from installer.plan.operation import ChosenDisk, Operation, Plan
from installer.plan.render import action, conditions
from installer.recipe.load import parse
from installer.recipe.model import Recipe
from installer.recipe.secrets import Secret, check_secrets
from installer.recipe.write import dump
from installer.run.client import Client
from screens import compose as composing
from screens.answers import Answers
from screens.paper import Line, Look

NOWHERE = -1
OPTION = re.compile(r": --[a-z]+ \S+( in the recipe)?")
STEPS: Mapping[int, tuple[str, tuple[str, ...]]] = {
    0: ("Welcome", ("keymap",)),
    1: ("Disks", ("disks",)),
    2: ("Layout", ("esp_size", "boot_size", "swap", "swap_size")),
    3: ("/boot", ("metadata",)),
    4: ("Encryption", ("encryption", "passphrase", "discard", "home", "home_passphrase", "home_services")),
    5: (
        "Pool",
        (
            "pool", "topology", "uses", "ashift", "autotrim", "compression", "acltype", "xattr", "dnodesize",
            "relatime", "datasets",
        ),
    ),
    6: ("Boot loader", ("loader", "firmware", "timeout", "arguments", "serial_console")),
    7: (
        "System",
        (
            "hostname", "user", "user_password", "ssh_key", "locale", "timezone", "static", "interface", "address",
            "gateway", "dns", "forgets",
        ),
    ),
}  # fmt: skip
"""The answers that each step asks for, by its number."""

BEGINNINGS: Mapping[str, int] = {
    f'The secret "{composing.PASSPHRASE}"': 4,
    f'The secret "{composing.HOME}"': 4,
    f'The secret "{composing.USER_PASSWORD}"': 7,
    "There is already a pool": 5,
    "This machine starts by": 6,
    "crypt.": 4,
    "swap": 2,
    "partition": 2,
    "Disk": 1,
    "Role": 1,
    "No disk": 1,
    "The disk": 1,
    "The members": 1,
    "There is already a device": 1,
    "BIOS cannot start": 1,
}
"""How refusals begin that name no answer, and the step where they can be mended."""


@dataclass(frozen=True)
class Install:
    """What is to be installed, wherever it comes from: a recipe, and the secrets that it names."""

    recipe: str
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    resume: bool = False
    """Whether it goes on with an installation that was cut off."""


@dataclass(frozen=True)
class Problem:
    """What stands in the way, and the number of the step where it can be mended."""

    words: str
    step: int = NOWHERE


@dataclass(frozen=True)
class Reviewed:
    """What a person looks at before they agree: the plan, or every problem at once."""

    install: Install
    plan: Plan | None = None
    problems: tuple[Problem, ...] = ()


def install(answers: Answers) -> Install:
    """Return what the answers come to; raises Refusals with what is wrong with their syntax."""
    return Install(recipe=dump(composing.recipe(answers)), secrets=composing.secrets(answers))


def review(source: Answers | Install, machine: Machine, client: Client) -> Reviewed:
    """Make the plan, or find every problem; takes up to some seconds."""
    made = source if isinstance(source, Install) else Install(recipe="")
    problems: list[ZrootError] = list(obstacles(machine))
    try:
        made = source if isinstance(source, Install) else install(source)
        recipe = parse(made.recipe)
        plan = _plan(recipe, machine, made, problems)
    except Refusals as error:
        return Reviewed(install=made, problems=_listed([*problems, *error.problems], source))
    if plan:
        problems += client.refusals(recipe, plan, made.secrets)
    return Reviewed(install=made, plan=None if problems else plan, problems=_listed(problems, source))


def _plan(recipe: Recipe, machine: Machine, made: Install, problems: list[ZrootError]) -> Plan | None:
    """Make the plan; where there is none, the secrets are looked at all the same."""
    try:
        return make_plan(recipe, machine)
    except Refusals as error:
        problems += [*error.problems, *check_secrets(recipe, made.secrets)]
    except ZrootError as error:
        problems.append(error)
    return None


def _listed(problems: Iterable[ZrootError], source: Answers | Install) -> tuple[Problem, ...]:
    answered = isinstance(source, Answers)
    return tuple(Problem(words=_said(one), step=step_of(one) if answered else NOWHERE) for one in problems)


def _said(problem: ZrootError) -> str:
    """Say a problem without what only the command line understands."""
    hint = "" if problem.hint.startswith("Give it in the secrets file") else OPTION.sub(".", problem.hint)
    return "\n".join(part for part in (problem.title, problem.message, hint) if part)


def step_of(problem: ZrootError) -> int:
    """Return the number of the step whose answers a problem is about."""
    answer = composing.field_of(problem.title) if isinstance(problem, Refusal) else ""
    if answer:
        return next((number for number, (_, asked) in STEPS.items() if answer in asked), NOWHERE)
    return next((number for start, number in BEGINNINGS.items() if problem.title.startswith(start)), NOWHERE)


# How it is written.


def problem_lines(problems: Sequence[Problem]) -> Iterator[Line]:
    """Write every problem and the step to go back to."""
    count = len(problems)
    yield Line(
        f"{count} thing{'s' if count > 1 else ''} to mend before there is a plan. Nothing was written.",
        look=Look.STRONG,
    )
    for problem in problems:
        yield Line("")
        first, *rest = problem.words.splitlines()
        yield Line(f"! {first}", hang=2, look=Look.DANGER)
        for line in rest:
            yield Line(line, indent=2)
        if problem.step in STEPS:
            number = f" {problem.step}" if problem.step else ""
            yield Line(f"« Back to step{number}: {STEPS[problem.step][0]}", indent=2, look=Look.STRONG)


def disk_lines(disk: ChosenDisk) -> Iterator[Line]:
    """Write what a disk holds before and after."""
    yield Line(f"Disk {disk.role}", look=Look.STRONG)
    yield Line(disk.description, indent=1)
    yield Line("before", look=Look.STRONG)
    yield Line(disk.before or "empty", indent=1)
    yield Line("after", look=Look.STRONG)
    for line in disk.after:
        yield Line(line, indent=1, hang=3)
    yield Line("")


def plan_lines(plan: Plan) -> Iterator[Line]:
    """Write the notes and then every operation in its order, with its commands."""
    if plan.notes:
        yield Line("Before you agree", look=Look.STRONG)
        for note in plan.notes:
            yield Line(f"• {note}", hang=2)
        yield Line("")
    numbered = list(enumerate(plan.operations, 1))
    for layer, steps in groupby(numbered, lambda pair: pair[1].layer):
        yield Line(layer.value.capitalize(), look=Look.STRONG)
        for number, operation in steps:
            yield from operation_lines(number, operation)
        yield Line("")


def operation_lines(number: int, operation: Operation) -> Iterator[Line]:
    """Write one operation; what it destroys is said by a sign and in words."""
    unless = conditions(operation)
    yield Line(f"{number:3} {operation.title}" + (f" ({', '.join(unless)})" if unless else ""), hang=4)
    if operation.destroys:
        disks = f"disk{'s' if len(operation.destroys) > 1 else ''} {', '.join(operation.destroys)}"
        yield Line(f"!! DESTROYS what is on {disks}", indent=4, hang=3, look=Look.DANGER)
    for line in action(operation):
        yield Line(line, indent=6, hang=2)


def summary(plan: Plan) -> str:
    """Say in a line how much will be done."""
    destroying = sum(bool(operation.destroys) for operation in plan.operations)
    disks = f"{len(plan.disks)} disk{'s' if len(plan.disks) > 1 else ''}"
    return f"{len(plan.operations)} steps; {destroying} of them destroy what is on {disks}. Nothing is written yet."


def holds(disk: ChosenDisk) -> str:
    """Say what would be lost with a disk."""
    return "It is empty." if disk.before in ("", "empty") else f"Erases: {disk.before}."


def difference(old: Plan, new: Plan) -> str:
    """Say in a sentence why a plan is not the one that was agreed to."""
    if [disk.link for disk in old.disks] != [disk.link for disk in new.disks]:
        return "A disk has another name now."
    changed = [disk.role for disk, now in zip(old.disks, new.disks, strict=True) if disk != now]
    if changed:
        return f"What is on disk {', '.join(changed)} has changed."
    return "The machine has changed, and the plan with it."


def size(disk: ChosenDisk) -> str:
    """Say how large a disk is, both ways."""
    return words.both_sizes(disk.size)
