"""Places that survive a power failure: the ZROOT volume if it can be written, else the first ESP."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from installer.errors import ZrootError
from installer.plan.operation import Commands, Operation, Plan
from installer.process import run
from installer.run.actions import located
from installer.run.journal import Journal

VOLUME = "/dev/disk/by-label/ZROOT"
FOLDER = "zroot-journal"
ESP = "partitions/format/esp-"
"""How the ids of the operations begin that format an ESP; the device is the last word of such a command."""


@contextmanager
def mounted(device: str, point: Path, *, writable: bool) -> Iterator[Path]:
    """Mount a foreign file system: nothing in it may be run or be a device. Raises ZrootError."""
    attach(device, point, writable=writable)
    try:
        yield point
    finally:
        detach(point)


def attach(device: str, point: Path, *, writable: bool) -> None:
    """Mount a device, unless an earlier run left it mounted there. Raises ZrootError."""
    point.mkdir(mode=0o700, exist_ok=True)
    if not os.path.ismount(point):
        options = f"{'rw' if writable else 'ro'},nosuid,nodev,noexec"
        run(["mount", "--options", options, device, str(point)], timeout=60)


def detach(point: Path) -> None:
    """Unmount, if it is mounted. Raises ZrootError."""
    if os.path.ismount(point):
        run(["umount", str(point)], timeout=60)


class Durable:
    """Keeps the journal in a second place from the moment on that there is one."""

    def __init__(self, journal: Journal, *, folder: Path, notice: Callable[[str], None]) -> None:
        self._journal = journal
        self._volume = folder / "volume"
        self._esp = folder / "journal"
        self._notice = notice
        self.volume: Path | None = None
        """The mounted ZROOT volume, if it can be written."""

    def begin(self, plan: Plan) -> None:
        """Use the ZROOT volume if there is one that can be written and is not about to be erased."""
        if not os.path.exists(VOLUME) or in_plan(VOLUME, plan):
            return
        try:
            attach(VOLUME, self._volume, writable=True)
            self._mirror(self._volume)
            self.volume = self._volume
        except (ZrootError, OSError):
            self._notice("The ZROOT volume cannot be written: the journal goes to the first EFI system partition.")

    def after(self, operation: Operation) -> None:
        """Look whether a finished operation has made a place, and whether the one in use is still good."""
        if self._journal.mirror_lost:
            self._notice(f"{self._journal.mirror_lost} After a restart this installation cannot be resumed from it.")
            self._journal.mirror_lost = ""
        if self._journal.mirrored or not operation.id.startswith(ESP) or not isinstance(operation.action, Commands):
            return
        try:
            attach(operation.action.commands[-1].argv[-1], self._esp, writable=True)
            self._mirror(self._esp)
        except (ZrootError, OSError) as error:
            self._notice(f"No journal on the EFI system partition ({error}). After a restart, start over.")

    def end(self, *, remove: bool) -> None:
        """Let the places go.

        The journal is removed after success: the new system has it in /var/log/zroot, an ESP can be read by everybody,
        and a journal left behind would offer itself to a later --resume.
        """
        self._journal.stop_mirroring()
        for point in (self._volume, self._esp):
            try:
                if remove and os.path.ismount(point):
                    shutil.rmtree(point / FOLDER, ignore_errors=True)
                detach(point)
            except ZrootError as error:
                self._notice(str(error))

    def _mirror(self, point: Path) -> None:
        self._journal.mirror(point / FOLDER)
        self._notice(f"The journal is kept on the {'ZROOT volume' if point == self._volume else 'ESP'} too.")


def in_plan(link: str, plan: Plan) -> bool:
    """Tell whether a volume lies on a disk of the plan."""
    return _disk(link) in {_disk(chosen.link) for chosen in plan.disks}


def _disk(link: str) -> str:
    """Return the kernel name of the disk that a link to it or to one of its partitions leads to."""
    partition = located(link)
    return partition[0] if partition else os.path.basename(os.path.realpath(link))
