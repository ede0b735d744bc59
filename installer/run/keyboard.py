"""The keyboard of the prompt at boot: what a keymap can type, asked of the program that compiles it."""

from __future__ import annotations

from installer.errors import Refusal
from installer.process import ProgramError, run, which
from installer.recipe import keymap


def typeable(name: str) -> frozenset[str] | None:
    """Return the characters that a keymap can type, after some seconds; none where its compiler is missing.

    Raises Refusal if there is no such keymap.
    """
    if name == "us":
        return keymap.US
    try:
        which(keymap.command(name)[0])
    except Refusal:
        return None
    return keymap.typeable(compiled(name))


def compiled(name: str) -> str:
    """Return a keymap as the console takes it, after some seconds; raises Refusal if there is no such keymap."""
    try:
        done = run(keymap.command(name), timeout=60)
    except ProgramError as error:
        raise _unknown(name, error.message) from None
    # A variant that a layout does not have is only warned of, and the plain layout printed.
    if 'Can not find "' in done.err:
        raise _unknown(name, done.err.splitlines()[0])
    return done.out


def _unknown(name: str, said: str) -> Refusal:
    return Refusal(
        f'system.keymap: there is no keyboard layout "{name}".',
        message=said,
        hint='Write a layout as X knows it, with a variant if need be: "us", "de", "fr:oss".',
    )
