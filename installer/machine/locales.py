"""The locales that the installed system can have, in the words of the C library: the live system is the same one."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from installer.machine.said import clean
from installer.recipe.syntax import LOCALE

FOLDER = Path("/usr/share/i18n")
HEAD = 4096
"""Bytes of a locale's source in which it says whose language it is."""
SAID = re.compile(r'^(language|territory)\s+"(.*)"', re.MULTILINE)


def locales(folder: Path = FOLDER) -> dict[str, str]:
    """Return the locales in UTF-8, each with its language and country; nothing without the C library's list."""
    try:
        lines = (folder / "SUPPORTED").read_text().splitlines()
    except OSError:
        return {}
    names = [name for name, _, charmap in (line.partition(" ") for line in lines) if charmap == "UTF-8"]
    return {name: _words(folder, name) for name in sorted({"C.UTF-8", *names}) if re.match(LOCALE, name)}


def _words(folder: Path, name: str) -> str:
    source = name.replace(".UTF-8", "")
    try:
        with (folder / "locales" / source).open("rb") as file:
            head = file.read(HEAD).decode(errors="replace")
    except OSError:
        return ""
    said = dict(SAID.findall(head))
    text = ", ".join(word for word in (said.get("language", ""), said.get("territory", "")) if word)
    # A console's font has few letters with accents.
    return clean(unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode())
