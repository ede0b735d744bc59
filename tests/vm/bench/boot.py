"""`make bench-boot`: from power-on to the login prompt, ours beside a plain Debian 13 on ext4, alternating.

Ours is the shipped recipe by BIOS, with the tests' quick key derivation: what argon2 costs is the recipe's choice. The
time from the passphrase prompt until it is answered is taken away: it is a person's. Both have one processor and wait
for 3 seconds in GRUB's menu. Where other work runs beside, the processor's seconds are steadier than the clock's.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from installer.recipe.model import Firmware
from tests.vm.bench import plain
from tests.vm.guest import HEALTH, PROMPT, ask
from tests.vm.installs import PASSPHRASE, PASSWORD, USER, install
from tests.vm.kvm import accelerator
from tests.vm.places import ISO, RESULTS
from tests.vm.qemu import Machine

PAIRS = 2
AIM = 1.3
COSTLY = 5
PATIENCE = 3600.0
"""Seconds for one step of a start: a machine that has to share its processor is measured all the same."""
MENU_OVER = "Loading Linux"
LOGIN = "login:"
QUESTIONS = {
    "state": HEALTH["state"],
    "failed": HEALTH["failed"],
    "shares": "systemd-analyze time",
    "blame": "systemd-analyze blame --no-pager",
    "chain": "systemd-analyze critical-chain --no-pager getty.target | grep -v '^$'",
    # When the login prompt came, by the machine's own clock, which starts with the kernel.
    "getty": "systemctl show --property=ActiveEnterTimestampMonotonic --value serial-getty@ttyS0",
    "journal": "journalctl --boot --output=short-monotonic --no-hostname --no-pager",
}
LINE = re.compile(
    r"^\[ *(?P<at>\d+\.\d+)\] systemd\[1\]: (?P<verb>Starting|Finished|Started) (?P<unit>[\w@.\\-]+\.\w+)\b"
)


@dataclass(frozen=True)
class Mark:
    """When something was seen on the console: seconds since power-on, and the processor's seconds until then."""

    name: str
    at: float
    worked: float


@dataclass(frozen=True)
class Boot:
    """One start, without the person's share, and what the machine told of it."""

    marks: Sequence[Mark]
    answers: Mapping[str, str]

    @property
    def login(self) -> Mark:
        """The login prompt, the last mark."""
        return self.marks[-1]


def without_person(marks: Sequence[Mark], answered: float | None) -> list[Mark]:
    """Return the marks as if the prompt had been answered in the moment when it appeared."""
    asked = next((mark.at for mark in marks if mark.name == PROMPT), None)
    if asked is None or answered is None:
        return list(marks)
    return [Mark(mark.name, mark.at - (answered - asked if mark.at > asked else 0.0), mark.worked) for mark in marks]


def initramfs_units(journal: str) -> dict[str, float]:
    """Return the seconds of each unit that systemd started and finished before it changed its root."""
    began: dict[str, float] = {}
    took: dict[str, float] = {}
    for line in journal.splitlines():
        if "Switching root" in line:
            return took
        if not (found := LINE.match(line)):
            continue
        at, unit = float(found["at"]), found["unit"]
        if found["verb"] == "Starting":
            began.setdefault(unit, at)
        elif unit in began:
            took.setdefault(unit, at - began[unit])
    return {}


def ratios(what: str, ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Return the pairs as a Markdown table with the ratio of each and their median."""
    rows = [f"| {what} | ours | plain | times |", "|---|---:|---:|---:|"]
    pairs = list(zip(ours, theirs, strict=True))
    rows += [f"| {number} | {a:.1f} s | {b:.1f} s | {a / b:.2f} |" for number, (a, b) in enumerate(pairs, 1)]
    return "\n".join([*rows, f"| **median** | | | {statistics.median(a / b for a, b in pairs):.2f} |"])


def start(machine: Machine, *, passphrase: str | None) -> Boot:
    """Start a machine, log in, ask it and power it off."""
    marks: list[Mark] = []
    answered = None
    with machine:
        power_on = time.monotonic()

        def mark(text: str) -> None:
            machine.console.wait_for(text, within=PATIENCE)
            marks.append(Mark(text, time.monotonic() - power_on, machine.worked()))

        mark(MENU_OVER)
        if passphrase is not None:
            mark(PROMPT)
            machine.console.secret(passphrase)
            answered = time.monotonic() - power_on
        mark(LOGIN)
        machine.console.line()  # for another prompt
        machine.console.log_in(USER, PASSWORD, within=PATIENCE)
        answers = ask(machine, QUESTIONS)
        machine.power_off(within=PATIENCE)
    for name in ("blame", "journal"):
        (machine.folder / name).write_text(answers[name])
    return Boot(without_person(marks, answered), answers)


def described(name: str, boot: Boot) -> str:
    """Return what one start says of itself."""
    kernel = int(boot.answers["getty"]) / 1_000_000
    lines = [f"== {name}: {boot.login.at:.1f} s; {boot.answers['state']}", boot.answers["failed"]]
    lines += [f"{mark.name:>16} {mark.at:6.1f} s, {mark.worked:6.1f} s of a processor" for mark in boot.marks]
    lines += [f"the login prompt came {kernel:.1f} s after the kernel had begun (with the prompt's time)"]
    lines += [boot.answers["shares"], "costliest:", *boot.answers["blame"].splitlines()[:COSTLY]]
    if units := initramfs_units(boot.answers["journal"]):
        costly = sorted(units.items(), key=lambda item: -item[1])[:COSTLY]
        lines += ["costliest in the initramfs:", *(f"{seconds:8.3f}s {unit}" for unit, seconds in costly)]
    return "\n".join([*filter(None, lines), boot.answers["chain"]])


def machines() -> tuple[Callable[[], Machine], Callable[[], Machine]]:
    """Return what makes a machine of ours and what makes a plain one, the disks as the last start has left them."""
    ours, theirs = install(ISO, Firmware.BIOS).copy("bench-boot"), plain.installed(ISO)
    folder = RESULTS / "bench-boot-plain"
    folder.mkdir(parents=True, exist_ok=True)
    disk = theirs.overlay(folder)

    def our_machine() -> Machine:
        machine = ours.machine("boot")
        machine.processors = 1
        return machine

    def plain_machine() -> Machine:
        return Machine(folder=folder, disks=[disk], accelerator=accelerator(ISO), processors=1)

    return our_machine, plain_machine


def main() -> int:
    """Measure both in pairs and print what they took."""
    options = argparse.ArgumentParser(description="Measure the start of the installed machine beside a plain Debian.")
    options.add_argument("--pairs", type=int, default=PAIRS)
    pairs = options.parse_args().pairs
    our_machine, plain_machine = machines()
    ours: list[Boot] = []
    theirs: list[Boot] = []
    for number in range(pairs + 1):
        ours.append(start(our_machine(), passphrase=PASSPHRASE))
        print(described(f"ours, {number}", ours[-1]), end="\n\n", flush=True)
        theirs.append(start(plain_machine(), passphrase=None))
        print(described(f"plain, {number}", theirs[-1]), end="\n\n", flush=True)
    # The first start of a new system does what is done once: caches of the linker, of the journal, of hardware.
    ours, theirs = ours[1:], theirs[1:]
    print(ratios("to the login prompt", [boot.login.at for boot in ours], [boot.login.at for boot in theirs]))
    print()
    print(ratios("of a processor", [boot.login.worked for boot in ours], [boot.login.worked for boot in theirs]))
    print(f"\nThe aim is {AIM} at most.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
