"""What a recipe is, in a few lines: from its first comment, its disks and its secrets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from installer.errors import ZrootError
from installer.recipe.load import parse
from installer.recipe.model import Recipe
from installer.recipe.secrets import needed
from installer.recipe.write import HEADER
from installer.run.client import Found

SOURCE = "# Source: "
"""How the line of the first comment begins that says which text a recipe follows."""
SYSTEMS = {
    "live": "Debian, from the medium",
    "debootstrap": "Debian, over the network",
    "tarball": "what a tarball holds",
    "nixos": "NixOS, which its own installer then puts there",
    "none": "none: disks and pools alone",
}


def lines(found: Found) -> tuple[tuple[str, str], ...]:
    """Return what there is to know of a recipe before it is chosen: a word, and what it says."""
    try:
        recipe = parse(found.text, source=found.where)
    except ZrootError:
        return (("File", found.where),)
    return tuple(_lines(found, recipe))


def _lines(found: Found, recipe: Recipe) -> Iterator[tuple[str, str]]:
    if said := first_comment(found.text):
        yield "What", said
    if source := next((line for line in comment(found.text) if line.startswith(SOURCE)), ""):
        yield "After", printable(source.removeprefix(SOURCE).removesuffix("."))
    yield "System", SYSTEMS[recipe.system.source]
    count = len(recipe.disks)
    secrets = [need.name for need in needed(recipe)]
    asked = f"; typed: {', '.join(secrets)}" if secrets else ""
    yield "Needs", f"{count} disk{'s' if count > 1 else ''}: {', '.join(recipe.disks)}{asked}"
    yield "File", found.where


def first_comment(text: str) -> str:
    """Return the first paragraph of the comment that a recipe begins with; nothing of what zroot writes itself."""
    said: list[str] = []
    for line in comment(text):
        words = line.removeprefix("#").strip()
        if not words or line.strip() == HEADER.strip():
            break
        said.append(words)
    return printable(" ".join(said))


def comment(text: str) -> Iterator[str]:
    """Give the lines of the comment that a recipe begins with."""
    return itertools.takewhile(lambda line: line.startswith("#"), text.split("\n"))


def printable(text: str) -> str:
    """Return a text fit for a terminal: what comes from a stick may hold anything."""
    return "".join(char if char.isprintable() else "?" for char in text)
