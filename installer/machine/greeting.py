"""What the live console says before anybody has typed anything."""

from __future__ import annotations

import textwrap
from pathlib import Path

from installer.errors import ZrootError
from installer.machine import words
from installer.machine.model import Machine
from installer.machine.obstacles import obstacles, warnings
from installer.machine.offer import Offer, offers
from installer.machine.probe import probe

WIDTH = 78
LAST_RUN = Path("/run/zroot/last-run.txt")
"""What the last installation of this boot said at its end; missing while nothing has been written to any disk."""

REPLAY = (
    "To replay a recipe, give this machine a volume labelled ZROOT (a USB stick, a CD, a virtual disk) with "
    "recipe.toml on it and, if it needs any, secrets.toml. If the recipe says `unattended = true`, start the machine "
    "with that volume plugged in and wait. Otherwise, or to try first, log in here and use:"
)
COMMANDS = (
    ("zroot disks", "every disk, whether it may be used, and why not"),
    ("zroot check RECIPE", "is it valid, and which disks would it take?"),
    ("zroot plan RECIPE", "everything that would be done; nothing is written"),
    ("zroot apply RECIPE", "carry it out, after you have named the disks to erase"),
)


def greeting(machine: Machine, *, last_run: str = "") -> str:
    """Return the text for the console, plain characters, 78 columns at most; last_run is what `last_run()` gives."""
    title = "zroot: Debian with its root on ZFS."
    said = "\n".join(map(_wrapped, f"Last run: {last_run}".splitlines()))
    parts = [
        f"{title}\n\n{said}" if last_run else f"{title} Nothing has been written to any disk.",
        f"Firmware: {words.firmware(machine)}.  Memory: {words.binary_size(machine.memory)}.",
    ]
    parts += [_wrapped(f"{problem.title} {problem.hint}") for problem in obstacles(machine)]
    parts += [_wrapped(warning) for warning in warnings(machine)]
    parts += [_disks(offers(machine)), _wrapped(REPLAY)]
    parts += ["\n".join(f"  {command:<20} {what}" for command, what in COMMANDS)]
    return "\n\n".join(parts) + "\n"


def last_run() -> str:
    """Return what the last installation of this boot said at its end; nothing if there was none."""
    try:
        return LAST_RUN.read_text().strip()
    except FileNotFoundError:
        return ""
    except OSError:
        return "only root can read what it said."


def _disks(found: tuple[Offer, ...]) -> str:
    shown = [offer for offer in found if offer.disk.kind == "disk" and offer.disk.size]
    if not shown:
        return "No disks were found."
    return "Disks:\n" + "\n".join(_disk(offer) for offer in shown)


def _disk(offer: Offer) -> str:
    disk = offer.disk
    lines = [
        f"{disk.path}: {words.describe(disk)}",
        f"    {'may be used' if offer.usable else 'may not be used'}; holds: {words.contents(disk)}",
        *(f"    {reason}" for reason in offer.reasons),
    ]
    return "\n".join(_wrapped(line.strip(), indent="  " if line[0] == "/" else "      ") for line in lines)


def _wrapped(text: str, *, indent: str = "") -> str:
    following = indent + ("  " if indent else "")
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=following, break_on_hyphens=False, break_long_words=False
    )


def main() -> None:
    """Print the greeting of this machine, or why there is none."""
    try:
        print(greeting(probe(), last_run=last_run()))
    except ZrootError as error:
        print(error)


if __name__ == "__main__":
    main()
