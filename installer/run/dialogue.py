"""Programs that ask for a passphrase on a terminal: known prompts are answered, any other stops the run."""

from __future__ import annotations

import os
import select
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pexpect

from installer.errors import ZrootError
from installer.masking import SECRETS, MaskedStream
from installer.process import ENVIRONMENT, Completed, Deadline, Lines, ProgramError, Running, finish, guarded

REFUSALS = (
    "No key available with this passphrase.",
    "Passphrases do not match.",
    "No device header detected with this passphrase.",
    "Incorrect password or not a TrueCrypt volume",
    "Incorrect key provided for",
    "Provided keys do not match.",
    "Passphrase too short",
)
"""What cryptsetup, tcplay and zfs say to a secret that they do not take."""

QUIET = 5.0
"""Seconds after which an unfinished line that looks like a prompt is taken for one."""

PROMPT_ENDS = (":", "?", "]", ")", ">")

ECHO_OFF = 30.0
"""Seconds in which a program that asked has to switch the terminal's echo off."""

LONGEST = 512
"""Bytes; cryptsetup silently cuts what is typed beyond."""


@dataclass(frozen=True)
class Answer:
    """What is typed at one prompt."""

    prompt: str
    text: str = field(repr=False)
    hidden: bool = True
    """Whether the program must switch the terminal's echo off first."""


class RefusedSecretError(ZrootError):
    """A program did not accept the secret that was typed."""


class UnknownPromptError(ZrootError):
    """A program asked something that the plan has no answer for."""


class Dialogue:
    """A program on a terminal of its own, polled like any other."""

    def __init__(
        self,
        argv: Sequence[str],
        answers: Sequence[Answer],
        *,
        timeout: float = 600,
        success: Sequence[int] = (0,),
        on_output: Callable[[str], None] | None = None,
    ) -> None:
        self.argv = tuple(argv)
        self._success = tuple(success)
        for answer in answers:
            _check_typeable(answer.text)
        self._left = list(answers)
        self._prompts = sorted({answer.prompt for answer in answers}, key=len, reverse=True)
        self._answered: set[str] = set()
        self._typing: Answer | None = None
        self._log = _Log(on_output)
        self._quiet_since = time.monotonic()
        self._line = ""
        self._deadline = Deadline(argv[0], timeout)
        self._echo_deadline = 0.0
        self._child = _Child(guarded(argv))
        self._child.logfile_read = self._log

    def poll(self) -> Completed | None:
        """Advance without blocking; return the result once it is there.

        Raises ProgramError, HangError, RefusedSecretError, UnknownPromptError.
        """
        try:
            return self._advance()
        except ZrootError:
            self.kill()
            raise
        except (pexpect.ExceptionPexpect, OSError) as error:
            # pexpect's own words hold the end of the conversation, a secret perhaps: they go no further.
            self.kill()
            raise ZrootError(f"The conversation with {self.argv[0]} broke off ({type(error).__name__}).") from None

    def fds(self) -> list[int]:
        """File descriptors that become readable when there is something to do."""
        return [self._child.ended] if self._child.flag_eof else [self._child.ended, self._child.child_fd]

    def kill(self) -> None:
        """Kill the program; its terminal goes with it."""
        self._child.end()

    def _advance(self) -> Completed | None:
        while True:
            if self._typing and not self._type():
                break
            patterns = [*self._prompts, *REFUSALS, pexpect.EOF, pexpect.TIMEOUT]
            found = patterns[self._child.expect_exact(patterns, timeout=0)]
            if found is pexpect.TIMEOUT:
                self._check_for_unknown_prompt()
                break
            if found is pexpect.EOF:
                if self._child.has_ended():
                    return self._end()
                break
            self._hear(str(found))
        self._deadline.check(self._child.kill_program)
        return None

    def _hear(self, words: str) -> None:
        expected = self._left[0].prompt if self._left else None
        if words == expected:
            self._typing = self._left.pop(0)
            self._echo_deadline = time.monotonic() + ECHO_OFF
            return
        if words in REFUSALS or words in self._answered:
            said = words if words in REFUSALS else f"It asked again: {words.strip()}"
            raise RefusedSecretError(f"{self._program} did not accept the secret.", message=said)
        raise UnknownPromptError(
            f"{self._program} asks out of turn, and zroot does not guess.", message=f"It asked: {words.strip()}"
        )

    def _type(self) -> bool:
        """Type the answer once the echo is off; tell whether that has been done.

        The terminal starts with its echo on (pexpect's echo=False would take away the only sign): cryptsetup and zfs
        throw away what was typed before they switch it off, and what is typed with the echo on ends up in the log.
        """
        assert self._typing is not None  # noqa: S101 - for mypy
        if self._typing.hidden and self._child.echoes():
            if time.monotonic() > self._echo_deadline:
                raise UnknownPromptError(
                    f"{self._program} asks for a secret without hiding it, so it was not typed.",
                    message=f"It asked: {self._typing.prompt.strip()}",
                )
            return False
        self._child.sendline(self._typing.text)
        self._answered.add(self._typing.prompt)
        self._typing = None
        self._line = ""
        return True

    def _check_for_unknown_prompt(self) -> None:
        line = str(self._child.buffer).replace("\r", "\n").rpartition("\n")[2]
        if line != self._line:
            self._line = line
            self._quiet_since = time.monotonic()
            return
        if line.rstrip().endswith(PROMPT_ENDS) and time.monotonic() - self._quiet_since > QUIET:
            raise UnknownPromptError(
                f"{self._program} asks something that the plan has no answer for.",
                message=f"It asked: {SECRETS.mask(line).strip()}",
                hint="Another version of the program may ask other questions. Nothing was answered.",
            )

    def _end(self) -> Completed:
        status = self._child.end()
        out = self._log.close()
        if self._deadline.killed:
            raise self._deadline.overrun()
        completed = Completed(argv=self.argv, status=status, out=out, err="")
        if status not in self._success:
            raise ProgramError(completed)
        if self._left:
            # A format that never asked took its key from somewhere else: what it made is not what was planned.
            raise UnknownPromptError(f"{self._program} ended without asking: {self._left[0].prompt.strip()}")
        return completed

    @property
    def _program(self) -> str:
        return os.path.basename(self.argv[0])


class _Child(pexpect.spawn):  # type: ignore[misc] # pexpect has no types
    """pexpect's child whose end is told by the kernel: pexpect's own isalive() blocks once the terminal is closed."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.ended = -1
        super().__init__(
            argv[0],
            list(argv[1:]),
            env=ENVIRONMENT,
            dimensions=(24, 4000),  # a prompt with a long device name must not be wrapped
            encoding="utf-8",
            codec_errors="backslashreplace",
        )
        self.delaybeforesend = None
        self.ptyproc.delayafterclose = 0
        self.ended = os.pidfd_open(self.pid)

    def read_nonblocking(self, size: int = 1, timeout: float | None = -1) -> str:
        try:
            return str(super().read_nonblocking(size, timeout))
        except pexpect.EOF:
            # pexpect 4.9 looks for output, then whether the program has ended: its last words may come in between.
            if not select.select([self.child_fd], [], [], 0)[0]:
                raise
            self.flag_eof = False
            return str(super().read_nonblocking(size, timeout))

    def isalive(self) -> bool:
        return not self.has_ended()

    def has_ended(self) -> bool:
        return self.ended < 0 or bool(select.select([self.ended], [], [], 0)[0])

    def echoes(self) -> bool:
        try:
            return bool(self.getecho())
        except termios.error:  # the program has just gone; the next read says so
            return True

    def kill_program(self) -> None:
        if not self.has_ended():
            self.ptyproc.kill(9)

    def end(self) -> int:
        """Kill it if need be and return its status, negative for a signal; one the kernel holds is left behind."""
        if self.ended < 0:
            return -9
        self.kill_program()
        if not select.select([self.ended], [], [], 1)[0]:
            return -9
        self.ptyproc.isalive()  # reaps it, and no longer blocks
        os.close(self.ended)
        self.ended = -1
        self.close()
        status = self.ptyproc.exitstatus
        return int(status) if status is not None else -int(self.ptyproc.signalstatus)


class _Log:
    """What pexpect read, masked and handed on by the line; never what it sent."""

    def __init__(self, on_output: Callable[[str], None] | None) -> None:
        self._masked = MaskedStream(SECRETS)
        self._lines = Lines(on_output)
        self._text: list[str] = []

    def write(self, text: str) -> None:
        self._take(self._masked.feed(text))

    def flush(self) -> None:
        """Do nothing; pexpect calls it after every write."""

    def close(self) -> str:
        self._take(self._masked.close())
        self._lines.close()
        return "".join(self._text).replace("\r\n", "\n")

    def _take(self, text: str) -> None:
        self._text.append(text)
        self._lines.feed(text)


def _check_typeable(text: str) -> None:
    if not 0 < len(text.encode()) <= LONGEST or any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise ZrootError(
            "A secret cannot be typed on a terminal.",
            message=f"It must have 1 to {LONGEST} bytes and no control characters: a terminal eats them.",
        )


def converse(
    argv: Sequence[str],
    answers: Sequence[Answer],
    *,
    timeout: float = 600,
    success: Sequence[int] = (0,),
    on_output: Callable[[str], None] | None = None,
) -> Completed:
    """Run one program to its end, answering its prompts in order. Raises what Dialogue.poll raises."""
    dialogue: Running = Dialogue(argv, answers, timeout=timeout, success=success, on_output=on_output)
    return finish(dialogue)
