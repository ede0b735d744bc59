"""Known secrets, and text without them."""

from __future__ import annotations

SHORTEST_SECRET = 4
"""Characters below which a value cannot be told from ordinary text; the rules for secrets refuse such ones."""


class Masker:
    """Known secrets, and the text without them. Plain search, longest first: a secret may look like a pattern."""

    MASK = "<secret>"

    def __init__(self) -> None:
        self._values: list[str] = []

    def register(self, value: str) -> None:
        """Mask this value from now on."""
        if len(value) >= SHORTEST_SECRET and value not in self._values:
            self._values = sorted([*self._values, value], key=len, reverse=True)

    def forget(self, value: str) -> None:
        """Do not mask this value any more."""
        self._values = [other for other in self._values if other != value]

    def clear(self) -> None:
        """Forget every value."""
        self._values = []

    def found_in(self, text: str) -> bool:
        """Tell whether a known secret occurs in the text."""
        return any(value in text for value in self._values)

    def mask(self, text: str) -> str:
        """Return the text with every known secret replaced."""
        stream = MaskedStream(self)
        return stream.feed(text) + stream.close()

    def first(self, text: str) -> tuple[int, str] | None:
        """Find the leftmost secret, the longest if several begin there: (index, value)."""
        found = [(text.find(value), -len(value), value) for value in self._values if value in text]
        return (min(found)[0], min(found)[2]) if found else None

    def held_from(self, text: str) -> int:
        """Index from which the end of the text could be the beginning of a secret."""
        longest = len(self._values[0]) - 1 if self._values else 0
        for index in range(max(0, len(text) - longest), len(text)):
            if any(value.startswith(text[index:]) and value != text[index:] for value in self._values):
                return index
        return len(text)


class MaskedStream:
    """Text that arrives in pieces, masked even where a secret is cut in two."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = ""

    def feed(self, text: str) -> str:
        """Take a piece, give back what can no longer be part of a secret."""
        return self._masked(self._held + text, ended=False)

    def close(self) -> str:
        """Give back what was held."""
        return self._masked(self._held, ended=True)

    def _masked(self, text: str, *, ended: bool) -> str:
        safe = ""
        while True:
            held = len(text) if ended else self._masker.held_from(text)
            found = self._masker.first(text)
            if found is None or found[0] >= held:
                self._held = text[held:]
                return safe + text[:held]
            safe += text[: found[0]] + Masker.MASK
            text = text[found[0] + len(found[1]) :]


SECRETS = Masker()
"""The secrets of this process. Whoever reads one from outside registers it here at once."""
