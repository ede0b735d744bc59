"""A plan for people and for files; plan/script.py makes the shell script of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby

from pydantic import ValidationError

from installer.errors import Refusal
from installer.machine.words import both_sizes
from installer.plan.names import plain
from installer.plan.operation import (
    AwaitDevices,
    Command,
    Commands,
    CopyImage,
    Effect,
    Operation,
    Plan,
    SaveRecords,
    WriteFile,
)
from installer.plan.script import as_sh

__all__ = ["action", "as_json", "as_sh", "as_text", "conditions", "from_json"]

AFTER = {
    "reboot": "After a replay the machine restarts.",
    "poweroff": "After a replay the machine is switched off.",
    "stay": "",
}


def as_json(plan: Plan) -> str:
    """Write a plan in the one way that it can be written."""
    return json.dumps(plan.model_dump(mode="json"), sort_keys=True, indent=1, ensure_ascii=True) + "\n"


def from_json(text: str) -> Plan:
    """Read what as_json wrote; raises Refusal."""
    try:
        return Plan.model_validate_json(text)
    except ValidationError as error:
        raise Refusal(
            "This is no plan of this version of zroot.",
            message=str(error.errors()[0]["msg"]),
            hint="Make the plan again from its recipe.",
        ) from None


def as_text(plan: Plan) -> str:
    """Write a plan for a person: each disk before and after, then every step in order."""
    lines = [plain(plan.title), ""]
    for disk in plan.disks:
        lines.append(f"Disk {disk.role}: {plain(disk.description)}")
        lines.append(f"    {plain(disk.link)}, {both_sizes(disk.size)}")
        lines.append(f"    now:    {plain(disk.before)}")
        lines += [
            f"    {'after:' if number == 0 else '      '}  {plain(line)}" for number, line in enumerate(disk.after)
        ]
    if plan.notes:
        lines += ["", "To know before you agree:", *(f"  - {plain(note)}" for note in plan.notes)]
    if plan.secrets:
        lines += ["", f"Secrets that will be asked for: {', '.join(plan.secrets)}"]
    numbered = list(enumerate(plan.operations, 1))
    for layer, steps in groupby(numbered, lambda pair: pair[1].layer):
        lines += ["", layer.value.capitalize()]
        for number, operation in steps:
            lines += _step(number, operation)
    if after := AFTER.get(plan.after):
        lines += ["", after]
    return "\n".join(lines) + "\n"


def _step(number: int, operation: Operation) -> Iterator[str]:
    marks = [f"DESTROYS {', '.join(operation.destroys)}"] if operation.destroys else []
    marks += conditions(operation)
    yield f"{number:4}  {plain(operation.title)}" + (f"  [{'; '.join(marks)}]" if marks else "")
    for line in action(operation):
        yield f"        {plain(line)}"


def conditions(operation: Operation) -> list[str]:
    """Say under which conditions an operation is not carried out, or may go wrong."""
    found = ["unless it is so already"] if operation.effect in (Effect.OPEN, Effect.CLOSE) and operation.done else []
    return [*found, "may fail"] if operation.optional else found


def action(operation: Operation) -> Iterator[str]:
    """Give what an operation does, a line for each command, file or device."""
    match operation.action:
        case Commands(commands=commands):
            yield from map(_command, commands)
        case WriteFile(path=path, mode=mode):
            yield f"write {path} (mode {mode:04o})"
        case CopyImage(image=image, target=target):
            yield f"copy {image} to {target}"
        case AwaitDevices(devices=devices):
            for link, _, _ in devices:
                yield f"wait for {link}"
        case SaveRecords(folder=folder):
            yield f"save recipe, plan, journal and log to {folder}"


def _command(command: Command) -> str:
    typed = ", ".join(dict.fromkeys(one.secret or one.answer for one in command.dialogue))
    return " ".join(command.argv) + (f"   (types {typed})" if typed else "")
