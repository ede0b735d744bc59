"""The undo kit: what can be saved of the old order before the first write, with words on how to use it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ParamSpec

from installer.errors import ZrootError
from installer.machine.model import Disk, Node
from installer.machine.words import describe
from installer.plan.operation import Commands, Operation
from installer.process import Completed, Program, finish

P = ParamSpec("P")

HEADER = 16 * 1024**2
"""Bytes of a LUKS2 header, in the live system's memory."""
RESERVE = 64 * 1024**2
"""Bytes that must stay free beside the journal."""

LISTINGS = {
    "lsblk.txt": ("lsblk", "--output", "NAME,SIZE,TYPE,FSTYPE,LABEL,UUID,PARTLABEL,PARTUUID,SERIAL,MOUNTPOINT"),
    "mdadm-detail.txt": ("mdadm", "--detail", "--scan"),
    "mdadm-examine.txt": ("mdadm", "--examine", "--scan"),
    "zpool-import.txt": ("zpool", "import"),
}

WORDS = """\
What zroot saved of these disks before it wrote to them:

{disks}

table-ROLE.gpt    The partition table. Put it back:  sgdisk --load-backup=table-ROLE.gpt DISK
table-ROLE.mbr    The same for an older table:       sfdisk DISK < table-ROLE.mbr
luks-NAME.img     The header of an encrypted partition as it was. Put it back:
                  cryptsetup luksHeaderRestore PARTITION --header-backup-file luks-NAME.img
new-NAME.img      The header of a member of the new system. Without its header an encrypted partition is lost;
                  with this copy and a passphrase that was valid then, it can be opened. Keep it safe.
*.txt             What the machine looked like: devices, arrays, pools.

A table that is put back brings the partitions back, not what has been overwritten inside them.
Stop at the first doubt: every write makes a rescue harder.
{problems}"""


@dataclass(frozen=True)
class _Saving:
    """A program that saves something, and what follows when it has ended."""

    what: str
    program: Program
    kept: Callable[[Completed], None]


class UndoKit:
    """A folder with the kit; trouble in making it is written into it and told, and stops nothing.

    What saves something runs beside what else there is to do, until `end`.
    """

    def __init__(self, folder: Path, *, notice: Callable[[str], None]) -> None:
        self._folder = folder
        self._notice = notice
        self._problems: list[str] = []
        self._under_way: list[_Saving] = []

    def begin(self) -> None:
        """Start what lists arrays and pools. A look at the machine would take it for somebody who uses the disks."""
        for name, argv in LISTINGS.items():
            # All at once: each looks at every disk. zpool import exits with 1 where there is nothing to import.
            self._start(name, argv, partial(_put_out, self._folder / name), success=(0, 1))

    def save(self, disks: Mapping[str, Disk], *, copy_to: Path | None) -> None:
        """Save tables and headers of the chosen disks (by role) and the listings, and copy all to a second folder."""
        shutil.rmtree(self._folder, ignore_errors=True)  # of an earlier run: these disks are no longer as it says
        self._folder.mkdir(mode=0o700)
        for role, disk in disks.items():
            if disk.table:
                self._table(role, disk)
            for node in _luks(disk):
                self._header(node.path, f"luks-{node.name}", copy_to=None)
        self.end()
        self._explain(disks)
        if copy_to:
            self._try(f"a copy in {copy_to}", _copy, self._folder, copy_to)

    def after(self, operation: Operation, *, copy_to: Path | None) -> None:
        """Begin to save the header of a member that has just been made."""
        self._finish([saving for saving in self._under_way if saving.program.ended])
        if not isinstance(operation.action, Commands):
            return
        formats = [command.argv for command in operation.action.commands if command.argv[1:2] == ("luksFormat",)]
        for argv in formats:
            name = f"new-{operation.id.rpartition('/')[2]}"
            if not (self._folder / f"{name}.img").exists():
                self._folder.mkdir(mode=0o700, exist_ok=True)
                self._header(argv[-1], name, copy_to=copy_to)

    def end(self) -> None:
        """Wait for all that is being saved."""
        self._finish(list(self._under_way))

    def _start(
        self, what: str, argv: Sequence[str], kept: Callable[[Completed], None], *, success: Sequence[int] = (0,)
    ) -> None:
        def start() -> None:
            self._under_way.append(_Saving(what, Program(argv, timeout=60, success=success), kept))

        self._try(what, start)

    def _finish(self, some: list[_Saving]) -> None:
        for saving in some:
            self._under_way.remove(saving)
            self._try(saving.what, _keep, saving)

    def _table(self, role: str, disk: Disk) -> None:
        what = f"the table of disk {role}"
        if disk.table == "gpt":
            self._start(what, ["sgdisk", f"--backup={self._folder}/table-{role}.gpt", disk.link], lambda said: None)
        else:
            self._start(what, ["sfdisk", "--dump", disk.link], partial(_put_out, self._folder / f"table-{role}.mbr"))

    def _header(self, device: str, name: str, *, copy_to: Path | None) -> None:
        what = f"the header of {device}"
        file, part = self._folder / f"{name}.img", self._folder / f"{name}.part"

        def start() -> None:
            free = shutil.disk_usage(self._folder).free - HEADER * len(self._under_way)
            if free < RESERVE:
                raise ZrootError("there is not enough memory left")
            part.unlink(missing_ok=True)  # of an engine that was killed: cryptsetup would not write over it
            self._start(what, ["cryptsetup", "luksHeaderBackup", device, "--header-backup-file", str(part)], kept)

        def kept(said: Completed) -> None:
            part.rename(file)
            if copy_to:
                self._try(f"a copy in {copy_to}", _copy_file, file, copy_to)

        self._try(what, start)

    def _try(self, what: str, save: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            save(*args, **kwargs)
        except (ZrootError, OSError) as error:
            reason = error.title if isinstance(error, ZrootError) else str(error)
            self._problems.append(f"Not saved: {what}: {reason}")
            self._notice(f"The undo kit lacks {what}: {reason}")

    def _explain(self, disks: Mapping[str, Disk]) -> None:
        listed = "\n".join(f"  {role}: {describe(disk)}" for role, disk in disks.items())
        problems = "\n".join(["", *self._problems, ""]) if self._problems else ""
        _put(self._folder / "README.txt", WORDS.format(disks=listed, problems=problems))


def _luks(device: Disk | Node) -> Iterator[Node]:
    for child in device.children:
        if child.fstype == "crypto_LUKS":
            yield child
        yield from _luks(child)


def _keep(saving: _Saving) -> None:
    saving.kept(finish(saving.program))


def _put_out(path: Path, said: Completed) -> None:
    _put(path, said.out)


def _put(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _copy(source: Path, target: Path) -> None:
    for file in source.iterdir():
        _copy_file(file, target)


def _copy_file(file: Path, target: Path) -> None:
    target.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(file, target / file.name)
