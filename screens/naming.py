"""What a replayed recipe says of names and keyboard, and the same recipe with others; all else in it stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit

from installer.recipe.load import parse
from installer.recipe.stack import has_system
from screens import compose as composing
from screens.answers import Answers

PLACES: Mapping[str, tuple[str, ...]] = {
    "hostname": ("system", "hostname"),
    "user": ("system", "user", "name"),
    "keymap": ("system", "keymap"),
}
"""Where the recipe has them, by the names of the answers of the guided install."""


def names(text: str) -> dict[str, str]:
    """Return those that stand in a recipe; none where it installs no system."""
    document = tomlkit.parse(text)
    found = {name: _value(document, place) for name, place in PLACES.items()}
    return {name: value for name, value in found.items() if value} if has_system(parse(text)) else {}


def renamed(text: str, new: Mapping[str, str]) -> str:
    """Return the recipe with other names, its comments kept; the same text if they are the same."""
    before = names(text)
    changed = {name: value for name, value in new.items() if value != before[name]}
    if not changed:
        return text
    document = tomlkit.parse(text)
    for name, value in changed.items():
        *tables, key = PLACES[name]
        table: Any = document
        for part in tables:
            table = table[part]
        table[key] = value
    return tomlkit.dumps(document)


def wrong(new: Mapping[str, str]) -> dict[str, str]:
    """Say what is wrong with names, in the words of the guided install."""
    found = composing.problems(Answers(**{"hostname": "debian", "user": "user", **new}))
    return {name: found[name][0] if value else "Type a name." for name, value in new.items() if name in found}


def _value(document: Any, place: tuple[str, ...]) -> str:
    for part in place:
        document = document.get(part, {}) if hasattr(document, "get") else {}
    return str(document) if isinstance(document, str) else ""
