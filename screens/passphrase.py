"""What can be said of a passphrase without showing it: places and kinds of characters, never the characters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from installer.recipe.secrets import Kind, Secret
from screens import compose as composing

SHORT = 15
"""Characters; two or three words."""
FEW = 4
"""Different characters."""

KINDS: Mapping[str, Callable[[str], bool]] = {
    "small letters": str.islower,
    "capitals": str.isupper,
    "digits": str.isdigit,
    "spaces": str.isspace,
}


def secret(text: str, before: Secret | None) -> Secret | None:
    """Return what was typed as a secret: the one that it was before, if it is the same; none if nothing was typed."""
    if before and before.reveal() == text:
        return before
    return Secret(text) if text else None


def fault(text: str, kind: Kind) -> str:
    """Say why a passphrase cannot be taken; nothing if it can."""
    return composing.secret_problem(text, kind) if text else "Type one: 8 characters or more, several words are best."


def difference(text: str, again: str) -> str:
    """Say where the second entry departs from the first; nothing if they are the same."""
    if text == again:
        return ""
    if not again:
        return "Type it a second time."
    if text.startswith(again):
        return f"The same so far; {len(text) - len(again)} to go."
    place = next((place for place, pair in enumerate(zip(text, again, strict=False), 1) if pair[0] != pair[1]), 0)
    return f"It is not the same from character {place or len(text) + 1} on."


def strength(text: str) -> str:
    """Say what a passphrase is made of, and what makes it easy to guess: there is no honest number for that."""
    kinds = [name for name, holds in KINDS.items() if any(map(holds, text))]
    if not all(any(holds(char) for holds in KINDS.values()) for char in text):
        kinds.append("others")
    warning = _warning(text, kinds)
    return f"{len(text)} character{'s' if len(text) != 1 else ''}: {', '.join(kinds)}.{' ' if warning else ''}{warning}"


def _warning(text: str, kinds: list[str]) -> str:
    different = len(set(text))
    if different <= FEW:
        return f"Only {different} different: allowed, but soon guessed."
    if kinds == ["digits"]:
        return "Digits alone are soon guessed: add words."
    if len(text) < SHORT:
        return "Short: allowed, but four words are far harder to guess."
    if text != text.strip():
        return "It begins or ends with a space."
    return ""
