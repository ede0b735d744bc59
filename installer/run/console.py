"""The console that a person sits at: whether it is a real one, and its keyboard."""

from __future__ import annotations

import os
import re

from installer.process import run
from installer.run.keyboard import compiled

REAL = re.compile(r"/dev/tty[0-9]+")
"""Consoles with a keyboard of their own; serial lines and ssh have the one of the machine at the other end."""


SERIAL = re.compile(r"/dev/(tty(S|AMA|USB)|hvc)[0-9]+")


def serial_line(fd: int = 2) -> bool:
    """Tell whether a descriptor is open on a serial line: whoever installs over one wants to unlock over it too."""
    try:
        return bool(SERIAL.fullmatch(os.ttyname(fd)))
    except OSError:
        return False


def real_console(fd: int = 2) -> str:
    """Return the device of the real console that a descriptor is open on; nothing on ssh and serial lines.

    The screens are drawn on standard error.
    """
    try:
        name = os.ttyname(fd)
    except OSError:
        return ""
    return name if REAL.fullmatch(name) else ""


def use_keymap(name: str, device: str) -> None:
    """Give a console the keyboard layout that the installed system will have; compiling it takes seconds.

    Raises Refusal if there is no such layout, ZrootError if it cannot be loaded.
    """
    run(("loadkeys", "--quiet", f"--console={device}"), stdin=compiled(name).encode(), timeout=30)
