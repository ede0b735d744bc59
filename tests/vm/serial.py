"""The serial console of a virtual machine: wait for text, type, log in, run commands."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from pexpect import EOF, TIMEOUT
from pexpect.socket_pexpect import SocketSpawn

RACE = re.compile(r"Oops: int3|EFLAGS: (?!00[0-3])[0-9a-f]{8}")
"""A kernel that QEMU's emulation of several processors has killed (7.2). It ran into the breakpoint that another
processor had just taken away after patching a jump label: seen once in some sixty boots. Or it goes on after a
cmpxchg16b with half an address for its flags, and ends in a double fault: seen once in all; flags above bit 21 no
processor has. No kernel of ours does either by itself, and nothing that zroot writes can cause it."""

DEAD = (
    "Kernel panic - not syncing",
    "You are in emergency mode",
    "Entering emergency mode",
    "Press Enter for maintenance",
    "Press Enter for system maintenance",
    "Give root password for maintenance",
    "Cannot open access to console",
    "dracut:/#",
    "grub rescue>",
    "UEFI Interactive Shell",
)
"""What a machine prints when it will never get any further: no test waits any longer for something else."""

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC and other strings; systemd 257 sends them for every unit
    r"|\x1b[ -/]+[0-~]"  # character sets
    r"|\x1b[0-OQ-WYZ\\a-~]"
    r"|[\r\x00\x07]"
)
_UNFINISHED = re.compile(r"\x1b[^\x1b]{0,200}(?:\x1b)?\Z")


LIVE_PROMPT = re.compile(r"root@zroot-live:[^#]*# ")
SHELL_KEY = "\x1b[20~"
"""F9, as a vt220 sends it."""

# The quotes keep the echo of the line that starts the shell from looking like its prompt.
SHELL = "env PS1='shell'-waits TERM=dumb LC_ALL=C SYSTEMD_COLORS=0 PAGER=cat sh"


class ConsoleError(AssertionError):
    """The machine did not do what was waited for; shows the end of the console and where all of it is."""


class StatusError(ConsoleError):
    """A command in the machine ended with a status other than 0."""


@dataclass(frozen=True)
class Outcome:
    """What a command in the machine printed, and its exit status."""

    status: int
    output: str


def plain(text: str) -> str:
    """Return text without escape sequences, carriage returns and bells."""
    return _ESCAPES.sub("", text)


class _PlainSpawn(SocketSpawn):  # type: ignore[misc]
    """Hands on plain text only: an escape sequence inside a word would hide it from every expectation."""

    _held = ""

    def read_nonblocking(self, size: int = 1, timeout: float | None = -1) -> str:
        received: bytes = super().read_nonblocking(size, timeout)  # pexpect 4.9 decodes for its other spawns only
        text = plain(self._held + self._decoder.decode(received))
        unfinished = _UNFINISHED.search(text)
        self._held = unfinished.group() if unfinished else ""
        return text[: unfinished.start()] if unfinished else text


class Console:
    """A console on a UNIX socket; everything that it says is logged by QEMU itself."""

    def __init__(self, connection: socket.socket, *, log: Path) -> None:
        self._log = log
        self._spawn = _PlainSpawn(
            connection, maxread=65536, timeout=60, encoding="utf-8", codec_errors="backslashreplace", use_poll=True
        )
        self._commands = 0

    def wait_for(self, *texts: str | re.Pattern[str], within: float) -> str:
        """Wait until one of the texts is printed and return the text found; within is in seconds.

        Raises ConsoleError when the time is up, the machine goes off, or it prints one of DEAD.
        """
        patterns = [text if isinstance(text, re.Pattern) else re.compile(re.escape(text)) for text in texts]
        dead = [re.compile(re.escape(text)) for text in DEAD if text not in texts]
        wanted = " or ".join(repr(pattern.pattern.replace("\\", "")) for pattern in patterns)
        found = self._spawn.expect_list([*patterns, *dead, EOF, TIMEOUT], timeout=within)
        if found < len(patterns):
            return str(self._spawn.after)
        if self._spawn.after is TIMEOUT:
            raise self.error(f"{within:g} seconds went by without {wanted}")
        if self._spawn.after is EOF:
            raise self.error(f"the machine went off before it printed {wanted}")
        raise self.error(f"the machine printed {self._spawn.after!r} instead of {wanted}")

    def wait_for_end(self, *, within: float) -> None:
        """Read on until the machine is off; within is in seconds. Raises ConsoleError if it stays on or gets stuck."""
        dead = [re.compile(re.escape(text)) for text in DEAD]
        found = self._spawn.expect_list([EOF, *dead, TIMEOUT], timeout=within)
        if found:
            reason = "still on" if self._spawn.after is TIMEOUT else f"stuck at {self._spawn.after!r}"
            raise self.error(f"after {within:g} seconds at most the machine should be off, and it is {reason}")

    def line(self, text: str = "") -> None:
        """Type a line."""
        self._spawn.send(text + "\r")

    def send(self, keys: str) -> None:
        """Send what keys send, and nothing after it."""
        self._spawn.send(keys)

    def drain(self, seconds: float) -> None:
        """Take what comes within this time: a machine whose console nobody reads stands still."""
        with contextlib.suppress(TIMEOUT, EOF):
            self._spawn.read_nonblocking(65536, seconds)

    def live_shell(self, *, within: float) -> None:
        """Leave the guided install for its shell, as a person with a keyboard does, and make it ready for run()."""
        self.wait_for("Keyboard layout", within=within)
        self.send(SHELL_KEY)
        self.take_shell(LIVE_PROMPT, within=120)

    def secret(self, text: str) -> None:
        """Type a line at a prompt that has just appeared.

        The guest prints the prompt and only then switches echo off and throws away what was typed early. Nothing
        outside shows when it has done so, so this is the one place that waits for time instead of state.
        """
        time.sleep(2)
        self.line(text)

    def log_in(self, user: str, password: str, *, within: float) -> None:
        """Log in at the prompt, become root by sudo and leave a shell ready for run(); within is in seconds."""
        self.wait_for("login:", within=within)
        self.secret(user)
        self.wait_for("Password:", within=60)
        self.secret(password)
        if self.wait_for("$ ", "Login incorrect", within=120) == "Login incorrect":
            raise self.error(f"{user} cannot log in")
        # The quotes keep the echo of this line from looking like the prompt.
        self.line(f"exec sudo -k -p 'sudo'-password: -- {SHELL}")
        self.wait_for("sudo-password:", within=60)
        self.secret(password)
        self.settle()

    def take_shell(self, prompt: str | re.Pattern[str], *, within: float) -> None:
        """Make a root shell that is waiting at its prompt ready for run(); within is in seconds."""
        self.wait_for(prompt, within=within)
        self.line(f"exec {SHELL}")
        self.settle()

    def settle(self) -> None:
        """Wait for the shell's prompt and make it silent: no echo, no kernel messages in its output."""
        self.wait_for("shell-waits", within=120)
        self.line("PS1=; stty -echo cols 1000; set +m; dmesg --console-off; printf 'shell-%s\\n' ready")
        self.wait_for("shell-ready", within=120)

    def run(self, command: str, *, within: float = 120) -> Outcome:
        """Run a command in the shell, standard error included in its output; within is in seconds."""
        self._commands += 1
        name = f"{self._commands:04d}"
        self.line(f"printf 'begin-%s\\n' {name}; {{ {command}\n}} 2>&1 < /dev/null; printf '\\nend-%s-%d\\n' {name} $?")
        self.wait_for(f"begin-{name}\n", within=within)
        ended = re.compile(rf"\nend-{name}-(\d+)\n")
        self.wait_for(ended, within=within)
        status = ended.search(str(self._spawn.after))
        assert status
        return Outcome(int(status.group(1)), str(self._spawn.before).strip("\n"))

    def output(self, command: str, *, within: float = 120) -> str:
        """Run a command and return its output. Raises StatusError unless it ends with status 0."""
        outcome = self.run(command, within=within)
        if outcome.status:
            raise StatusError(f"{command}\nended with status {outcome.status}:\n{outcome.output}")
        return outcome.output

    def text(self) -> str:
        """Return everything that the console has said since the machine was started, as plain text."""
        return plain(self._log.read_text(encoding="utf-8", errors="backslashreplace")) if self._log.exists() else ""

    def error(self, message: str) -> ConsoleError:
        """Return an error with the end of the console, and whether it was the emulator's."""
        if found := RACE.search(self.text()):
            message += f" ({found[0]!r}: the emulator lost a race)"
        tail = "\n".join(self.text().splitlines()[-40:])
        return ConsoleError(f"{message}\nThe whole console is in {self._log}; it ends with:\n{tail}")
