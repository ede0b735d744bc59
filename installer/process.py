"""The only gate to other programs: absolute paths, a minimal environment, no shell, no secret that gets out."""

from __future__ import annotations

import codecs
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from installer.errors import Refusal, ZrootError
from installer.masking import SECRETS, MaskedStream

PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C", "LANG": "C", "TERM": "dumb", "DEBIAN_FRONTEND": "noninteractive"}
"""All that a program is told. Nothing is inherited: with LANGUAGE=de cryptsetup asks in German even under C.UTF-8."""

AFTER_KILL = 10.0
"""Seconds to wait for a killed program. One that sleeps in the kernel (a pool whose disk is gone) never dies."""

PACKAGES = {
    "bash": "bash",
    "blkid": "util-linux",
    "blockdev": "util-linux",
    "chpasswd": "passwd",
    "ckbcomp": "console-setup",
    "cryptsetup": "cryptsetup-bin",
    "curl": "curl",
    "dracut": "dracut",
    "efibootmgr": "efibootmgr",
    "grub-install": "grub2-common",
    "integritysetup": "cryptsetup-bin",
    "ip": "iproute2",
    "loadkeys": "kbd",
    "lsblk": "util-linux",
    "lvs": "lvm2",
    "lvchange": "lvm2",
    "vgchange": "lvm2",
    "mdadm": "mdadm",
    "mkfs.ext4": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "mkfs.fat": "dosfstools",
    "mkfs.vfat": "dosfstools",
    "partprobe": "parted",
    "setpriv": "util-linux",
    "sfdisk": "fdisk",
    "sgdisk": "gdisk",
    "tcplay": "tcplay",
    "udevadm": "udev",
    "unsquashfs": "squashfs-tools",
    "wipefs": "util-linux",
    "zdb": "zfsutils-linux",
    "zfs": "zfsutils-linux",
    "zgenhostid": "zfsutils-linux",
    "zpool": "zfsutils-linux",
}


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A program that ended: status is negative for a signal; out and err are masked text."""

    argv: tuple[str, ...]
    status: int
    out: str
    err: str


class ProgramError(ZrootError):
    """A program ended with a status that does not mean success."""

    def __init__(self, completed: Completed) -> None:
        name = Path(completed.argv[0]).name
        how = (
            f"ended with status {completed.status}"
            if completed.status >= 0
            else f"was killed by signal {-completed.status}"
        )
        said = (completed.err.strip() or completed.out.strip()).splitlines()[-20:]
        super().__init__(f"{name} {how}.", message="\n".join(["Command: " + " ".join(completed.argv), *said]))
        self.completed = completed


class HangError(ZrootError):
    """A program did not end in its time, or cannot be ended at all."""


class Lines:
    """Text in pieces, handed on by the line; a carriage return ends a line too, as progress displays use it."""

    def __init__(self, receive: Callable[[str], None] | None) -> None:
        self._receive = receive
        self._rest = ""

    def feed(self, text: str) -> None:
        """Take a piece and hand on the lines that it completes, without empty ones."""
        *lines, self._rest = (self._rest + text).replace("\r", "\n").split("\n")
        for line in lines:
            if line and self._receive:
                self._receive(line)

    def close(self) -> None:
        """Hand on the last line, which had no end."""
        self.feed("\n")


class Running(Protocol):
    """A program under way, advanced by whoever polls it: many of them need only one thread."""

    argv: tuple[str, ...]

    def poll(self) -> Completed | None:
        """Advance without blocking; return the result once it is there. Raises ProgramError, HangError."""

    def fds(self) -> list[int]:
        """File descriptors that become readable when there is something to do."""

    def kill(self) -> None:
        """Kill the program and everything it started."""


def which(program: str) -> str:
    """Return the absolute path of a program; raises Refusal naming the Debian package that has it."""
    path = shutil.which(program, path=PATH)
    if path is None:
        package = PACKAGES.get(Path(program).name)
        hint = f"Install the Debian package {package}." if package else "Install the package that has it."
        raise Refusal(f"The program {program} is missing.", hint=hint)
    return path


def guarded(argv: Sequence[str]) -> list[str]:
    """Return the argv that is really started; raises RuntimeError if a secret stands in it.

    setpriv has the kernel kill the program if the engine dies: a resumed run must not meet the first one's programs.
    """
    if any(SECRETS.found_in(argument) for argument in argv):
        raise RuntimeError(f"a secret was about to be passed to {argv[0]} as an argument, where every user can read it")
    program = which(argv[0])
    return [which("setpriv"), "--pdeathsig", "KILL", "--", program, *argv[1:]]


class Deadline:
    """The time a program has, and what is said when it is over."""

    def __init__(self, program: str, seconds: float) -> None:
        self.program = Path(program).name
        self.seconds = seconds
        self.ends = time.monotonic() + seconds
        self.killed = False

    def check(self, kill: Callable[[], None]) -> None:
        """Kill when the time is over; raises HangError when even that did not help."""
        if time.monotonic() < self.ends:
            return
        if not self.killed:
            self.killed = True
            self.ends = time.monotonic() + AFTER_KILL
            kill()
            return
        raise HangError(
            f"{self.program} hangs and cannot be ended.",
            message=f"It took longer than {self.seconds:g} seconds, was killed, and the kernel still holds it.",
            hint="A disk or a pool no longer answers. Read the kernel's messages, mend the disk, restart the machine.",
        )

    def overrun(self) -> HangError:
        """Return the error for a program that had to be killed."""
        return HangError(
            f"{self.program} was killed because it took longer than {self.seconds:g} seconds.",
            hint="A disk or the network may not answer. Look at the kernel's messages before you try again.",
        )


class Program:
    """A program whose output is read from pipes."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes | None = None,
        timeout: float = 600,
        success: Sequence[int] = (0,),
        on_output: Callable[[str], None] | None = None,
    ) -> None:
        self.argv = tuple(argv)
        self._success = tuple(success)
        started = guarded(argv)
        source = _in_memory(stdin) if stdin is not None else os.open(os.devnull, os.O_RDONLY)
        try:
            self._child = (
                subprocess.Popen(  # a session of its own: Ctrl-C must not reach a program in the middle of its work
                    started,
                    stdin=source,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=ENVIRONMENT,
                    start_new_session=True,  # Ctrl-C must not reach a program in the middle of its work
                )
            )
        finally:
            os.close(source)
        self._deadline = Deadline(argv[0], timeout)
        self._ended = os.pidfd_open(self._child.pid)
        assert self._child.stdout is not None  # noqa: S101 - for mypy
        assert self._child.stderr is not None  # noqa: S101 - for mypy
        self._pipes = [_Pipe(self._child.stdout.fileno(), on_output), _Pipe(self._child.stderr.fileno(), on_output)]

    def poll(self) -> Completed | None:
        """Advance without blocking; return the result once it is there. Raises ProgramError, HangError."""
        status = self._child.poll()  # before reading: what it wrote is then all there
        for pipe in self._pipes:
            pipe.read()
        if status is None:
            self._check_deadline()
            return None
        # A daemon that it left behind may keep the pipes open, so the end of the program counts, not theirs.
        out, err = (pipe.close() for pipe in self._pipes)
        self._release()
        if self._deadline.killed:
            raise self._deadline.overrun()
        completed = Completed(argv=self.argv, status=status, out=out, err=err)
        if status not in self._success:
            raise ProgramError(completed)
        return completed

    @property
    def ended(self) -> bool:
        """Whether it has ended; poll then gives the result at once."""
        return self._child.poll() is not None

    def fds(self) -> list[int]:
        """File descriptors that become readable when there is something to do."""
        return [self._ended, *(pipe.fd for pipe in self._pipes if not pipe.at_end)]

    def kill(self) -> None:
        """Kill the program and everything it started that stayed in its session's group."""
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGKILL)

    def _check_deadline(self) -> None:
        try:
            self._deadline.check(self.kill)
        except HangError:
            self._release()
            raise

    def _release(self) -> None:
        os.close(self._ended)
        for stream in (self._child.stdout, self._child.stderr):
            if stream:
                stream.close()


class _Pipe:
    """One output of a program: read without blocking, masked, by the line."""

    def __init__(self, fd: int, on_output: Callable[[str], None] | None) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self.at_end = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._masked = MaskedStream(SECRETS)
        self._lines = Lines(on_output)
        self._text: list[str] = []

    def read(self) -> None:
        while not self.at_end:
            try:
                data = os.read(self.fd, 65536)
            except BlockingIOError:
                return
            self.at_end = not data
            self._take(self._masked.feed(self._decoder.decode(data, final=self.at_end)))

    def close(self) -> str:
        self._take(self._masked.close())
        self._lines.close()
        return "".join(self._text)

    def _take(self, text: str) -> None:
        self._text.append(text)
        self._lines.feed(text)


def _in_memory(content: bytes) -> int:
    """Put standard input into anonymous memory: no file, and no pipe that could fill up and block both sides."""
    fd = os.memfd_create("stdin")
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def wait(running: Sequence[Running], seconds: float) -> None:
    """Sleep until one of the programs has something to do, at most this long."""
    select.select([fd for one in running for fd in one.fds()], [], [], seconds)


def finish(running: Running) -> Completed:
    """Wait for one program. Raises ProgramError, HangError."""
    while (completed := running.poll()) is None:
        wait([running], 0.5)
    return completed


def run(
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    timeout: float = 600,
    success: Sequence[int] = (0,),
    on_output: Callable[[str], None] | None = None,
) -> Completed:
    """Run a program to its end.

    timeout is in seconds; on_output gets every line, masked, as it comes.
    Raises Refusal if the program is missing, ProgramError for a status not in success, HangError after the timeout.
    """
    return finish(Program(argv, stdin=stdin, timeout=timeout, success=success, on_output=on_output))


class Detached:
    """A program that outlives this one; while this one lives, it can tell whether that one has ended."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._child.poll() is not None


def detach(argv: Sequence[str], *, stdin: bytes, log: Path, folder: Path = Path("/")) -> Detached:
    """Start a program that outlives this one, in a folder; it reads stdin from memory, writes to a log of mode 0600."""
    source = _in_memory(stdin)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        child = subprocess.Popen(
            [which(argv[0]), *argv[1:]],
            stdin=source,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=ENVIRONMENT,
            start_new_session=True,
        )
    finally:
        os.close(source)
        os.close(output)
    return Detached(child)


def login_shell() -> None:
    """Let a person work in a shell on this terminal until they leave it. Raises Refusal if there is none."""
    told = {name: os.environ[name] for name in ("TERM", "HOME", "USER", "LANG", "SSH_CONNECTION") if name in os.environ}
    home = os.environ.get("HOME", "/")
    shell = [which("bash"), "--login"]
    # The live system's profile starts the guided install on a console; not inside of itself.
    subprocess.run(
        shell, env={"PATH": PATH, "ZROOT_SHELL": "1"} | told, cwd=home if os.path.isdir(home) else "/", check=False
    )
