"""The kinds of action, each as a generator that hands back control whenever it has to wait.

It yields the program that it waits for, or None where only time can tell; whoever drives it may drive others meanwhile.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from installer.errors import ZrootError
from installer.plan.operation import (
    Action,
    AwaitDevices,
    Command,
    Commands,
    CopyImage,
    Exchange,
    Operation,
    Plan,
    SaveRecords,
    WriteFile,
)
from installer.process import Completed, Program, ProgramError, Running
from installer.run import files, flush
from installer.run.dialogue import REFUSALS, Answer, Dialogue, RefusedSecretError
from installer.run.facts import with_facts, with_secrets
from installer.run.passwords import hashed

T = TypeVar("T")
Steps = Generator[Running | None, None, T]

COPY_TIMEOUT = 4 * 3600
"""Seconds; a slow USB stick read under emulation is no fault."""

SYNC = 600
"""Seconds for a slow disk to take what is in memory."""
TRIES = 5

QUEUE = "64"
"""MiB for each of unsquashfs's two queues, which are 256 by default: too much beside ZFS in a machine of 2 GiB."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What an action may use and whom it tells."""

    facts: Mapping[str, str]
    secret: Callable[[str], str]
    """Name to value."""
    target: str
    records: Mapping[str, Path]
    """Names of the files that SaveRecords saves, and where they are now."""
    output: Callable[[str], None]
    progress: Callable[[int], None]

    def fill(self, text: str) -> str:
        """Put the facts into a text."""
        return with_facts(text, self.facts)


def carry_out(action: Action, work: Work) -> Steps[None]:
    """Carry an action out; raises ZrootError if it fails."""
    try:
        match action:
            case Commands():
                for command in action.commands:
                    yield from _command(command, work)
            case WriteFile():
                files.write(work.fill(action.path), work.fill(action.content), mode=action.mode, within=work.target)
            case CopyImage():
                yield from _copy_image(action, work)
            case AwaitDevices():
                yield from _await_devices(action, work)
            case SaveRecords():
                files.save(work.fill(action.folder), work.records, within=work.target)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise ZrootError(f"{where}{error.strerror or error}.") from None


def holds(operation: Operation, work: Work) -> Steps[bool]:
    """Run an operation's probe, which changes nothing; tell whether its effect is there."""
    try:
        completed = yield from _finish(Program([work.fill(word) for word in operation.done], timeout=120))
    except ProgramError:
        return False
    return operation.done_says in completed.out


def sync(plan: Plan, operations: Collection[Operation], facts: Mapping[str, str]) -> Steps[None]:
    """Bring to the disks what operations wrote; by programs, because a disk that is gone must not hang the engine."""
    # Side by side; then the devices below.
    for running in [Program(argv, timeout=SYNC) for argv in flush.file_systems(plan)]:
        yield from _finish(running)
    for left in range(TRIES, -1, -1):
        devices = flush.devices(plan, operations, facts)
        try:
            yield from _finish(Program(["sync", *devices], timeout=SYNC)) if devices else ()
            return
        except ProgramError:
            # A partition is gone for a moment whenever udev has the kernel read the table anew.
            if not left:
                raise
        yield from pause(1)


def pause(seconds: float) -> Steps[None]:
    """Let time pass."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield None


def _finish(running: Running) -> Steps[Completed]:
    while (completed := running.poll()) is None:
        yield running
    return completed


def _command(command: Command, work: Work) -> Steps[None]:
    for left in range(command.retries, -1, -1):
        try:
            completed = yield from _finish(_start(command, work))
            if command.output:
                files.write(work.fill(command.output), completed.out, mode=0o644, within=work.target)
            return
        except RefusedSecretError as error:
            raise _in_words(command, error) from None
        except ProgramError as error:
            if not left:
                raise _in_words(command, error) from None
            work.output(f"{error.title} Trying again.")
        yield from pause(1)


def _in_words(command: Command, error: ZrootError) -> ZrootError:
    """Say what it means where a secret was not taken: typed on a terminal, or a key that the program read itself."""
    taken = isinstance(error, ProgramError) and not any(words in error.message for words in REFUSALS)
    if taken or not command.refused:
        return error
    return RefusedSecretError(
        command.refused,
        message=error.message or error.title,
        hint="Resume with the one that it was encrypted with. If it is lost, apply the recipe again: it starts over.",
    )


def _start(command: Command, work: Work) -> Running:
    argv = [work.fill(word) for word in command.argv]
    if command.dialogue:
        answers = [_answer(one, work) for one in command.dialogue]
        return Dialogue(argv, answers, timeout=command.timeout, success=command.success, on_output=work.output)
    stdin = None
    if command.stdin is not None:
        # What stores a password is given its hash: what is not one yet becomes one here.
        secret = hashed(work.secret) if command.hashed else work.secret
        stdin = with_secrets(work.fill(command.stdin), secret).encode()
    return Program(argv, stdin=stdin, timeout=command.timeout, success=command.success, on_output=work.output)


def _answer(exchange: Exchange, work: Work) -> Answer:
    prompt = work.fill(exchange.prompt)
    if exchange.answer:
        return Answer(prompt, exchange.answer, hidden=False)
    return Answer(prompt, work.secret(exchange.secret))


def _copy_image(action: CopyImage, work: Work) -> Steps[None]:
    # The list goes in as standard input: one path a line, wildcards and all, and no file to clean up.
    excluded = "".join(f"{path}\n" for path in action.without)
    argv = ["unsquashfs", "-force", "-quiet", "-percentage", "-data-queue", QUEUE, "-frag-queue", QUEUE]
    argv += ["-exclude-file", "/dev/stdin", "-dest", action.target, action.image]

    def listen(line: str) -> None:
        if line.isdigit():
            work.progress(int(line))
        else:
            work.output(line)

    yield from _finish(Program(argv, stdin=excluded.encode(), timeout=COPY_TIMEOUT, on_output=listen))


def _await_devices(action: AwaitDevices, work: Work) -> Steps[None]:
    until = time.monotonic() + action.timeout
    devices = [(work.fill(link), disk, number) for link, disk, number in action.devices]
    while missing := [device for device in devices if not _is_there(*device)]:
        if time.monotonic() > until:
            raise ZrootError(
                f"Devices did not appear within {action.timeout} seconds.",
                message="\n".join(_what_is_there(*device) for device in missing),
                hint="The kernel may still use the old partition table because something holds the disk.",
            )
        yield from pause(0.05)


def _is_there(link: str, disk: str, number: int) -> bool:
    if number == 0:
        return os.path.exists(link)
    return located(link) == (os.path.basename(os.path.realpath(disk)), number)


def _what_is_there(link: str, disk: str, number: int) -> str:
    if not os.path.exists(link):
        return f"{link} does not exist."
    return f"{link} leads to {os.path.realpath(link)}, which is not partition {number} of {disk}."


def located(link: str, *, sysfs: Path = Path("/sys/class/block")) -> tuple[str, int] | None:
    """Return (kernel name of the disk, partition number) of the partition that a link leads to, if it does.

    A link left over from the previous table, or a label that another disk has too, leads somewhere else (fault 39).
    """
    folder = (sysfs / os.path.basename(os.path.realpath(link))).resolve()
    try:
        return folder.parent.name, int((folder / "partition").read_text())
    except (OSError, ValueError):
        return None
