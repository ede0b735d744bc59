"""The last characters of the disks' identities: as many as tell each from all others."""

from __future__ import annotations

from collections.abc import Collection

LEAST = 4


def ends(identities: Collection[str]) -> dict[str, str]:
    """Return the end of each identity that has to be typed: four characters, more where two end alike.

    An identity that another one ends with is typed whole. Upper and lower case are the same.
    """
    return {identity: _end(identity, [other for other in identities if other != identity]) for identity in identities}


def agreed(typed: str, identity: str, end: str) -> bool:
    """Tell whether what was typed means this identity: its end, or more of it."""
    meant = typed.strip().casefold()
    return len(meant) >= len(end.strip()) and identity.strip().casefold().endswith(meant)


def _end(identity: str, others: Collection[str]) -> str:
    folded = [other.casefold() for other in others]
    for length in range(LEAST, len(identity)):
        end = identity[-length:]
        if end == end.strip() and not any(other.endswith(end.casefold()) for other in folded):
            return end
    return identity
