"""Everything zroot refuses or fails with, as sentences for a person."""

from __future__ import annotations

import json
import unicodedata
from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses of the `zroot` command, as the outside world relies on them."""

    DONE = 0
    REFUSED = 2
    FAILED = 3
    STOPPED = 130


class ZrootError(Exception):
    """A sentence for a person: what happened (title), the particulars (message), what to do next (hint)."""

    exit = Exit.REFUSED

    def __init__(self, title: str, *, message: str = "", hint: str = "") -> None:
        super().__init__(title)
        self.title = title
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(part for part in (self.title, self.message, self.hint) if part)


class Refusal(ZrootError):
    """Nothing was written: the recipe, the machine or the consent does not allow the installation."""


class Refusals(Refusal):
    """Several refusals found together, so that a person can mend them all at once."""

    def __init__(self, problems: tuple[ZrootError, ...]) -> None:
        count = len(problems)
        super().__init__(f"{count} problem{'s' if count > 1 else ''} found; nothing was written.")
        self.problems = problems

    def __str__(self) -> str:
        return "\n\n".join([str(problem) for problem in self.problems] + [self.title])


class Failure(ZrootError):
    """Something was written before it went wrong."""

    exit = Exit.FAILED


class Stopped(ZrootError):
    """The user stopped the run at a safe point."""

    exit = Exit.STOPPED


def literal(value: object, *, longest: int = 60) -> str:
    """Write a value from outside as one harmless line: quoted, shortened, without control and direction characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = "".join("?" if unicodedata.category(char).startswith("C") else char for char in text[: 4 * longest])
    text = text if len(text) <= longest else text[: longest - 3] + "..."
    return f'"{text}"' if isinstance(value, str) else text
