"""A plan as a shell script that a careful person could read and run by hand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import groupby

from installer.plan.names import STATE, plain
from installer.plan.operation import (
    AwaitDevices,
    Command,
    Commands,
    CopyImage,
    Effect,
    FactKind,
    Operation,
    Plan,
    SaveRecords,
    WriteFile,
)

NEWLINE = "\n"
PLACEHOLDER = re.compile(r"([@%])\{([A-Za-z0-9_.:/-]+)\}")
MAKERS = {
    FactKind.UUID: "$(cat /proc/sys/kernel/random/uuid)",
    FactKind.HOSTID: "$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')",
    FactKind.FAT_SERIAL: "$(od -An -N4 -tx4 /dev/urandom | tr -d ' ' | tr a-f A-F)",
    FactKind.MACHINE_ID: "$(tr -d - </proc/sys/kernel/random/uuid)",
}
FUNCTIONS = f"""\
again() {{ # COUNT COMMAND...: once more after a second, at most COUNT times
    left=$1; shift
    until "$@"; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1)); sleep 1
    done
}}
status() {{ # "STATUSES" COMMAND...: succeeds if the command ends with one of them
    good=$1; shift; ended=0
    "$@" || ended=$?
    case " $good " in *" $ended "*) ;; *) return 1 ;; esac
}}
mkdir -p -m 0700 {STATE}
"""


def as_sh(plan: Plan) -> str:
    """Write a plan as a script for bash, which asks for the secrets first."""
    lines = [
        "#!/bin/bash",
        f"# {plain(plan.title)}",
        f"# Made by zroot {plan.zroot}. Run by hand it cannot be resumed.",
    ]
    for disk in plan.disks:
        lines += ["#", f"# ERASES disk {disk.role}: {plain(disk.description)}", f"#     {plain(disk.link)}"]
    lines += ["#", *(f"# {plain(note)}" for note in plan.notes)]
    lines += ["set -eu", FUNCTIONS]
    for fact in plan.facts:
        lines.append(f"{_variable('@', fact.name)}={MAKERS[fact.kind]} # {plain(fact.why)}")
    hashes = _hashes(plan)
    for secret in plan.secrets:
        prompt = f"{secret}{' (its crypt(3) hash: mkpasswd)' if secret in hashes else ''}: "
        lines.append(f"IFS= read -rsp {shlex.quote(prompt)} {_variable('%', secret)}; echo")
    for layer, operations in groupby(plan.operations, lambda operation: operation.layer):
        lines += ["", f"### {layer.value}"]
        for operation in operations:
            lines += ["", f"# {plain(operation.title)}", *_operation(operation)]
    return "\n".join(lines) + "\n"


def _hashes(plan: Plan) -> set[str]:
    """Name the secrets that a program takes as hashes, which zroot itself would make."""
    return {
        match[2]
        for operation in plan.operations
        if isinstance(operation.action, Commands)
        for command in operation.action.commands
        if command.hashed
        for match in PLACEHOLDER.finditer(command.stdin or "")
    }


def _variable(sign: str, name: str) -> str:
    return f"{'fact' if sign == '@' else 'secret'}_{re.sub('[^A-Za-z0-9]', '_', name)}"


def word(text: str) -> str:
    """Quote a text for the shell; its facts and secrets become variables."""
    quoted = [(f'"{piece}"' if known else shlex.quote(piece)) for piece, known in _pieces(text)]
    return "".join(quoted) or "''"


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Split a text into literal pieces, and variables where facts and secrets stand."""
    end = 0
    for match in PLACEHOLDER.finditer(text):
        if match.start() > end:
            yield text[end : match.start()], False
        yield f"${{{_variable(match[1], match[2])}}}", True
        end = match.end()
    if end < len(text):
        yield text[end:], False


def _operation(operation: Operation) -> Iterator[str]:
    lines = list(_action(operation))
    if operation.done and operation.effect in (Effect.OPEN, Effect.CLOSE):
        probe = " ".join(map(word, operation.done)) + " >/dev/null 2>&1"
        if operation.done_says:
            probe = f"{' '.join(map(word, operation.done))} | grep -qF {word(operation.done_says)}"
        lines = [f"{probe} || {{", *lines, "}"]
    if operation.optional:
        lines = ["{", *lines, "} || echo 'This may fail; going on.'"]
    yield from lines


def _action(operation: Operation) -> Iterator[str]:
    match operation.action:
        case Commands(commands=commands):
            yield from map(_command, commands)
        case WriteFile(path=path, mode=mode, content=content):
            yield f"mkdir -p {word(path.rpartition('/')[0])}"
            yield f"cat >{word(path)} {_here(content)}"
            yield f"chmod {mode:04o} {word(path)}"
        case CopyImage(image=image, target=target, without=without):
            copying = f"unsquashfs -force -quiet -exclude-file /dev/stdin -dest {word(target)} {word(image)}"
            yield f"{copying} {_here(NEWLINE.join(without))}"
        case AwaitDevices(devices=devices, timeout=timeout):
            for link, _, _ in devices:
                yield f"again {timeout} test -e {word(link)}"
        case SaveRecords(folder=folder):
            yield f": # zroot would save its recipe, plan, journal and log to {plain(folder)} here"


def _here(content: str) -> str:
    """Return a here-document with a content; one without a newline at its end gets one."""
    end = "END"
    while end in content:
        end += "_"
    if not PLACEHOLDER.search(content):
        return f"<<'{end}'\n{content.removesuffix(NEWLINE)}\n{end}"
    pieces = [piece if known else re.sub(r"([\\$`])", r"\\\1", piece) for piece, known in _pieces(content)]
    return f"<<{end}\n{''.join(pieces).removesuffix(NEWLINE)}\n{end}"


def _command(command: Command) -> str:
    line = " ".join(map(word, command.argv))
    if command.success != (0,):
        line = f"status {shlex.quote(' '.join(map(str, command.success)))} {line}"
    if command.retries:
        line = f"again {command.retries} {line}"
    if command.dialogue:
        # Not on a terminal cryptsetup and zfs ask nothing, and read one line; tcplay reads them all.
        answers = [one.answer or word(f"%{{{one.secret}}}") for one in command.dialogue]
        if all(one.secret for one in command.dialogue):
            answers = list(dict.fromkeys(answers))
        line = f"printf '%s\\n' {' '.join(answers)} | {line}"
    elif command.stdin is not None:
        line = f"printf '%s' {word(command.stdin)} | {line}"
    return line + (f" >{word(command.output)}" if command.output else "")
