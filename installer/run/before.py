"""What must hold before the first write: consent, secrets, programs, and the machine still as it was planned for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence

from pydantic import TypeAdapter

from installer.errors import Refusal, Refusals
from installer.machine.model import Disk, Machine
from installer.masking import SECRETS
from installer.plan.build import make_plan
from installer.plan.operation import Commands, CopyImage, Plan
from installer.plan.render import as_json
from installer.process import which
from installer.recipe import keymap
from installer.recipe.model import Recipe
from installer.recipe.secrets import Kind, Secret, check_secrets, needed
from installer.recipe.stack import has_system
from installer.run import keyboard

TEXT = TypeAdapter(str)


def digest(plan: Plan) -> str:
    """Return what tells a plan from every other one."""
    return hashlib.sha256(as_json(plan).encode()).hexdigest()


def require_reviewed(plan: Plan, reviewed: str) -> None:
    """Refuse a plan that is not the one that a person has seen (fault 35); raises Refusal. Empty: nobody looked."""
    if reviewed and digest(plan) != reviewed:
        raise Refusal(
            "The machine changed since the plan was shown: it would now be another plan.",
            hint="Look at the new plan, and agree to it if it is what you want.",
        )


def require_consent(recipe: Recipe, plan: Plan, erase: Sequence[str]) -> None:
    """Refuse unless every disk may be erased: named, or the recipe is for unattended use; raises Refusals."""
    chosen = {disk.identity: disk for disk in plan.disks}
    problems = [
        Refusal(
            f"You named a disk to erase that this recipe does not use: {name}.",
            hint="It uses: " + ", ".join(chosen) + ".",
        )
        for name in erase
        if name not in chosen
    ]
    if not recipe.unattended:
        problems += [
            Refusal(
                f"Disk {disk.role} would be erased, and you have not agreed to that: {disk.description}.",
                hint=f"If that is what you want: --erase {disk.identity}",
            )
            for disk in plan.disks
            if disk.identity not in erase
        ]
    if problems:
        raise Refusals(tuple(problems))


def require_ready(recipe: Recipe, plan: Plan, secrets: Mapping[str, Secret], *, notice: Callable[[str], None]) -> None:
    """Find what would only be found after the first write, or at the first start; raises Refusals."""
    if problems := ready_problems(recipe, plan, secrets, notice=notice):
        raise Refusals(problems)


def ready_problems(
    recipe: Recipe, plan: Plan, secrets: Mapping[str, Secret], *, notice: Callable[[str], None]
) -> tuple[Refusal, ...]:
    """Return what is wrong with the secrets, and the programs and the image that are missing."""
    return (
        *secret_problems(recipe, plan, secrets, notice=notice),
        *_missing_programs(plan),
        *_missing_image(plan),
    )


def secret_problems(
    recipe: Recipe, plan: Plan, secrets: Mapping[str, Secret], *, notice: Callable[[str], None]
) -> tuple[Refusal, ...]:
    """Return what is wrong with the secrets: missing, unfit, part of the plan, not to be typed at the first start."""
    return (
        *check_secrets(recipe, secrets),
        *_leaks(recipe, plan, secrets, notice=notice),
        *_untypeable(recipe, secrets, notice=notice),
    )


def require_unchanged(recipe: Recipe, plan: Plan, machine: Machine) -> None:
    """Look again right before the first write: names move, disks come and go (faults 4 and 35); raises Refusal."""
    if make_plan(recipe, machine) != plan:
        raise Refusal(
            "The machine changed while the installation was prepared.", hint="Check the disks and start again."
        )
    for role, disk in disks(plan, machine).items():
        if os.path.realpath(disk.link) != os.path.realpath(disk.path):
            raise Refusal(
                f"The name of disk {role} leads to another disk now.",
                message=f"{disk.link} leads to {os.path.realpath(disk.link)}, not to {disk.path}.",
                hint="Start again; the disks are then chosen anew.",
            )


def disks(plan: Plan, machine: Machine) -> dict[str, Disk]:
    """Return the disks of a plan by role."""
    by_link = {disk.link: disk for disk in machine.disks}
    return {chosen.role: by_link[chosen.link] for chosen in plan.disks}


def _leaks(
    recipe: Recipe, plan: Plan, secrets: Mapping[str, Secret], *, notice: Callable[[str], None]
) -> list[Refusal]:
    """Refuse a passphrase that is part of the plan: it would stand in arguments, records and on screens (fault 75).

    A weak password of a user ("debian") may be such a word; only its hash ever leaves this process, but it cannot be
    told from the word in what programs print.
    """
    # With quotes and backslashes as they are in the text, and as JSON writes them.
    text = plan.recipe + plan.model_dump_json()
    problems = []
    for need in needed(recipe):
        value = secrets[need.name].reveal() if need.name in secrets else ""
        if not value or (value not in text and TEXT.dump_json(value)[1:-1].decode() not in text):
            continue
        if need.kind is Kind.PASSWORD:
            SECRETS.forget(value)
            notice(f'The password "{need.name}" is a word of the plan: whoever guesses will find it.')
            continue
        title = f'The secret "{need.name}" also occurs in the recipe or in the plan, so it would not stay one.'
        problems.append(Refusal(title, hint="Choose another one."))
    return problems


def _untypeable(recipe: Recipe, secrets: Mapping[str, Secret], *, notice: Callable[[str], None]) -> Sequence[Refusal]:
    """Refuse what the keyboard of the prompt at boot cannot type, and keymaps that nobody knows (faults 46 and 47)."""
    if not has_system(recipe):
        return ()
    name = recipe.system.keymap
    try:
        known = keyboard.typeable(name)
    except Refusal as refusal:
        return (refusal,)
    if known is None:
        program = keymap.command(name)[0]
        notice(f'It was not checked whether the keymap "{name}" can type the passphrase: {program} is missing here.')
        return ()
    return keymap.check_typeable(recipe, secrets, known)


def _missing_programs(plan: Plan) -> list[Refusal]:
    actions = [one.action for one in plan.operations if isinstance(one.action, Commands)]
    commands = [command for action in actions for command in action.commands]
    programs = {"setpriv", "sync", *(program for command in commands for program in command.programs)}
    if any(isinstance(one.action, CopyImage) for one in plan.operations):
        programs.add("unsquashfs")
    problems = []
    for program in sorted(programs | {one.done[0] for one in plan.operations if one.done}):
        try:
            which(program)
        except Refusal as refusal:
            problems.append(refusal)
    return problems


def _missing_image(plan: Plan) -> list[Refusal]:
    images = [one.action.image for one in plan.operations if isinstance(one.action, CopyImage)]
    return [
        Refusal(
            "The image of the system to install is not there.",
            message=image,
            hint='Start this machine from zroot\'s medium; another system can prepare storage alone (source = "none").',
        )
        for image in images
        if not os.path.exists(image)
    ]
