"""The journal: what began and ended, on disk before anything depends on it, without secrets.

A line costs a write to a stick, so only what must be there waits for the disks (`flush`): facts before their use, the
beginning of what destroys, or of what must not be done twice, and the end of what was brought to the disks. Every other
line goes along with the next of these. A power failure so loses the last lines and never one in between, and what they
told of is what a resumed run repeats: what can be done again, what the machine itself tells (opened, mounted, closed),
and checks.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from installer.errors import Refusal, ZrootError
from installer.frozen import Frozen
from installer.plan.operation import Plan

FORMAT = 1
JOURNAL = "journal.jsonl"
PLAN = "plan.json"


class Header(Frozen):
    """The first line."""

    record: Literal["header"] = "header"
    format: int = FORMAT
    zroot: str
    install_id: str
    plan: str
    """SHA-256 of plan.json."""


class FactMade(Frozen):
    record: Literal["fact"] = "fact"
    name: str
    value: str


class Began(Frozen):
    record: Literal["began"] = "began"
    operation: str


class Over(Frozen):
    """An operation finished."""

    record: Literal["ended"] = "ended"
    operation: str
    seconds: float


class Broke(Frozen):
    """An operation failed."""

    record: Literal["failed"] = "failed"
    operation: str
    seconds: float
    title: str


Record = Annotated[Header | FactMade | Began | Over | Broke, Field(discriminator="record")]
ADAPTER: TypeAdapter[Record] = TypeAdapter(Record)


class Journal:
    """The records of one run, kept in a folder and, once there is one, in a second place that survives a reboot."""

    def __init__(self, folder: Path, header: Header, records: tuple[Record, ...] = ()) -> None:
        self.folder = folder
        self.header = header
        self.facts: dict[str, str] = {}
        self.begun: set[str] = set()
        self.ended: dict[str, float] = {}
        """Seconds by operation."""
        self.failed = ""
        self.mirrored: Path | None = None
        self.mirror_lost = ""
        """Why the second copy is no longer written."""
        self._late: list[bytes] = []
        """Lines that are not on the disks yet, and of the second copy not even written: FAT may put the new length of a
        file on the disk before its content."""
        for record in records:
            self._remember(record)

    @classmethod
    def create(cls, folder: Path, plan: Plan, *, install_id: str) -> Journal:
        """Begin a journal beside a copy of the plan; whatever journal was there before is gone."""
        content = plan.model_dump_json(indent=1).encode()
        digest = hashlib.sha256(content).hexdigest()
        header = Header(zroot=plan.zroot, install_id=install_id, plan=digest)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / JOURNAL).unlink(missing_ok=True)
        _write(folder / PLAN, content)
        _write(folder / JOURNAL, _line(header))
        return cls(folder, header)

    @classmethod
    def open(cls, folder: Path) -> tuple[Journal, Plan]:
        """Read a journal and its plan.

        A last line that was cut off by a power failure is dropped. Raises Refusal if the journal is damaged before its
        end, was written by another version, or its plan is not the one that it names.
        """
        content = (folder / JOURNAL).read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        header, records = _read(folder, whole)
        plan = (folder / PLAN).read_bytes()
        if hashlib.sha256(plan).hexdigest() != header.plan:
            raise Refusal(f"The plan in {folder} is not the one that the journal beside it was written for.")
        if whole != content:
            _write(folder / JOURNAL, whole)
        return cls(folder, header, records), Plan.model_validate_json(plan)

    def add_fact(self, name: str, value: str) -> None:
        """Record a fact; it may be used once `flush` returned."""
        self._append(FactMade(name=name, value=value))

    def begin(self, operation: str) -> None:
        """Record that an operation begins. What destroys, or must not be done twice, does so after `flush`."""
        self._append(Began(operation=operation))

    def end(self, operation: str, *, seconds: float) -> None:
        """Record that an operation finished."""
        self._append(Over(operation=operation, seconds=round(seconds, 3)))

    def fail(self, operation: str, *, seconds: float, title: str) -> None:
        """Record that an operation failed."""
        self._append(Broke(operation=operation, seconds=round(seconds, 3), title=title))
        self.flush()

    def flush(self) -> None:
        """Bring every line to the disks."""
        lines, self._late = self._late, []
        if not lines:
            return
        self._keep(b"", flush=True)
        if self.mirrored:
            try:
                _append(self.mirrored / JOURNAL, b"".join(lines), flush=True)
            except OSError as error:  # a stick that was pulled out ends the second copy, not the installation
                self.mirror_lost = f"The journal in {self.mirrored} cannot be written any more: {error.strerror}."
                self.mirrored = None

    def mirror(self, folder: Path) -> None:
        """Keep a second copy in this folder from now on. Raises OSError."""
        self.flush()
        folder.mkdir(mode=0o700, exist_ok=True)
        # The plan first: a journal without its plan is of no use, a plan without journal says nothing.
        for name in (PLAN, JOURNAL):
            _write(folder / name, (self.folder / name).read_bytes())
        self.mirrored = folder

    def stop_mirroring(self) -> None:
        """Complete the second copy, and write to the first place only from now on."""
        self.flush()
        self.mirrored = None

    def _append(self, record: Record) -> None:
        line = _line(record)
        self._keep(line)  # at once: an engine that is killed has lost nothing
        self._late.append(line)
        self._remember(record)

    def _keep(self, line: bytes, *, flush: bool = False) -> None:
        try:
            _append(self.folder / JOURNAL, line, flush=flush)
        except OSError as error:
            raise ZrootError(f"The journal in {self.folder} cannot be written: {error.strerror}.") from None

    def _remember(self, record: Record) -> None:
        match record:
            case FactMade():
                self.facts[record.name] = record.value
            case Began():
                self.begun.add(record.operation)
                self.ended.pop(record.operation, None)
            case Over():
                self.ended[record.operation] = record.seconds
            case Broke():
                self.failed = record.operation


def _read(folder: Path, content: bytes) -> tuple[Header, tuple[Record, ...]]:
    lines = content.splitlines()
    try:
        records = [ADAPTER.validate_json(line) for line in lines]
    except ValidationError:
        raise Refusal(
            f"The journal in {folder} is damaged or was written by another version of zroot.",
            hint="Resume with the version that began the installation, or apply the recipe again from the start.",
        ) from None
    if not records or not isinstance(records[0], Header):
        raise Refusal(f"The journal in {folder} is empty.", hint="Apply the recipe again from the start.")
    if records[0].format != FORMAT:
        raise Refusal(
            f"The journal in {folder} has format {records[0].format}; this zroot understands format {FORMAT} only.",
            hint="Resume with the version that began the installation, or apply the recipe again from the start.",
        )
    return records[0], tuple(records[1:])


def _line(record: Record) -> bytes:
    return ADAPTER.dump_json(record) + b"\n"


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and have it on disk before returning."""
    fresh = path.with_name(path.name + ".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(fd)
    fresh.replace(path)
    _sync_folder(path.parent)


def _append(path: Path, lines: bytes, *, flush: bool) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
    try:
        os.write(fd, lines)
        if flush:
            os.fsync(fd)
    finally:
        os.close(fd)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
