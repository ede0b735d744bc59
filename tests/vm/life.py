"""The life of an installed machine: its starts one after another, each done once in a run, whoever looks at it.

A start costs minutes, so each serves as many questions as it can bear; the tests read the answers. They lie in files,
for the tests of one machine may be run by several processes.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.vm import guest
from tests.vm.guest import Act, Findings
from tests.vm.installs import Copy, Installed
from tests.vm.places import only_one
from tests.vm.qemu import Disk, Machine
from tests.vm.serial import RACE, ConsoleError

SESSION_NAME = "ZROOT_VM_SESSION"
SESSION = os.environ.get(SESSION_NAME) or os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
"""Of this run of the tests; its processes share it."""

Meet = Callable[[Machine], None]
"""What happens between power and login."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """One start: which disks are there, what happens until login, what is done then, and how it ends."""

    acts: Mapping[str, Act] = field(default_factory=dict)
    without: Sequence[str] = ()
    late: Sequence[str] = ()
    """Roles of disks that are not there at first; what happens until login plugs them in."""
    meet: Meet = guest.enter
    cut: bool = False
    """Whether the power goes away at the end, instead of an orderly end."""
    fresh: bool = False
    """Whether it is the first start of a copy of its own, instead of the one after the starts above it."""
    new_nvram: bool = False
    """Whether the firmware has forgotten everything, for this start alone."""
    extra: Sequence[str] = ()
    """Names of disks that belong to nobody yet: 2 GiB each, kept from start to start."""
    processors: int = 1


class Life:
    """The starts of one installed machine, carried out when somebody asks for their findings."""

    def __init__(self, installed: Callable[[], Installed], name: str, starts: Mapping[str, Start]) -> None:
        self._installed = installed
        self._name = name
        self._starts = starts

    def __getitem__(self, name: str) -> Findings:
        """Return what was found in a start; those before it are made first. Raises ConsoleError if one failed."""
        with only_one(f"{self._name}-{self._installed().firmware}"):
            for each in self._before(name):
                found = self._findings(each)
        return found

    def _before(self, name: str) -> list[str]:
        if self._starts[name].fresh:
            return [name]
        chain = [each for each, start in self._starts.items() if not start.fresh]
        return chain[: chain.index(name) + 1]

    def copy(self, name: str) -> Copy:
        """Return the disks of a start: those of the chain, or a copy of its own."""
        own = f"{self._name}-{name}" if self._starts[name].fresh else self._name
        return self._installed().kept(own, SESSION)

    def _findings(self, name: str) -> Findings:
        copy = self.copy(name)
        file = copy.folder / f"{name}.json"
        if not file.exists():
            try:
                found = self._carry_out(copy, name)
            except ConsoleError as error:
                # Once more, if it was the emulator's fault; else whoever else asks for it is told at once.
                if not RACE.search(str(error)):
                    file.write_text(json.dumps({"error": str(error)}))
                raise
            file.write_text(json.dumps({"console": found.console, "answers": dict(found.answers)}))
        kept = json.loads(file.read_text())
        if "error" in kept:
            raise ConsoleError(kept["error"])
        return Findings(kept["console"], kept["answers"])

    def _carry_out(self, copy: Copy, name: str) -> Findings:
        start = self._starts[name]
        extra = [copy.further(disk, slot=slot) for slot, disk in enumerate(start.extra, start=2)]
        machine = copy.machine(name, without=[*start.without, *start.late], extra=extra)
        if start.new_nvram:
            machine.nvram = None  # one of its own, made anew
        machine.late = [copy.disks[role] for role in start.late]
        machine.processors = start.processors
        with machine:
            start.meet(machine)
            console = machine.console.text()
            answers = guest.ask(machine, start.acts)
            if start.cut:
                machine.pull_plug()
            else:
                machine.power_off()
        return Findings(console, answers)


def appears(role: str, *, after: float) -> Meet:
    """Return a start in which a disk appears so many seconds after the kernel did; the rest is as usual."""

    def meet(machine: Machine) -> None:
        machine.console.wait_for("Loading initial ramdisk", within=guest.TO_PROMPT)
        time.sleep(after)  # the disk is late by the clock, as a slow spindle is
        plug(machine, role)
        guest.enter(machine)

    return meet


def plug(machine: Machine, role: str) -> Disk:
    """Plug the late disk of this role in, named by the last letter of its serial number."""
    (disk,) = (one for one in machine.late if one.serial and one.serial.endswith(f"-{role.upper()}"))
    machine.plug_in(disk)
    return disk
