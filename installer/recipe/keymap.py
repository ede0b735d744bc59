"""Which characters a console keymap can type: the prompt at boot has no other keyboard."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping

from installer.errors import Refusal
from installer.recipe.model import Recipe
from installer.recipe.secrets import Kind, Secret, needed

# loadkeys numbers its tables by modifier: 0 plain, 1 shift, 2 altgr, 3 both. The others need control or alt, or a
# toggle between two layouts of which nothing at the prompt says where it stands.
TABLES = range(4)
MODIFIERS = {"plain": 0, "shift": 1, "altgr": 2}

_PUNCTUATION = " !\"#$%&'()*+,-./0123456789:;<=>?@[\\]^_`{|}~"
_SYMBOLS = """space exclam quotedbl numbersign dollar percent ampersand apostrophe parenleft parenright asterisk plus
    comma minus period slash zero one two three four five six seven eight nine colon semicolon less equal greater
    question at bracketleft backslash bracketright asciicircum underscore grave braceleft bar braceright asciitilde"""
US = frozenset(_PUNCTUATION + string.ascii_letters)
"""What the keymap "us" can type, for everybody knows it: ckbcomp takes six seconds on a slow machine."""
NAMES = dict(zip(_SYMBOLS.split(), _PUNCTUATION, strict=True))
"""Symbol names of loadkeys; ckbcomp writes most characters as U+xxxx."""


def command(keymap: str) -> tuple[str, ...]:
    """Return the program that compiles an XKB layout (`de`, `fr:oss`) for the console; `typeable` reads its output."""
    return ("ckbcomp", "-compact", *keymap.split(":"))


def typeable(keymap_text: str) -> frozenset[str]:
    """Return the characters that one key gives, alone or with shift and AltGr; dead keys and sequences do not count."""
    return frozenset(_characters(keymap_text))


def _characters(text: str) -> Iterator[str]:
    columns = list(range(256))
    for line in map(str.strip, text.splitlines()):
        if line.startswith("keymaps"):
            columns = list(_tables(line.removeprefix("keymaps")))
        match = re.match(r"([a-z\s]*?)\s*keycode\s+\d+\s*=(.*)", line)
        if not match:
            continue
        modifiers, symbols = match[1].split(), match[2].split()
        if not modifiers:
            # A key with a single symbol gives the same one whatever is held down.
            yield from _known(symbol for table, symbol in zip(columns, symbols, strict=False) if table in TABLES)
        elif all(modifier in MODIFIERS for modifier in modifiers):
            yield from _known(symbols[:1])


def _tables(ranges: str) -> Iterator[int]:
    """Read the numbers of the tables that the columns stand for: `0-4,6,8`."""
    for part in ranges.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _known(symbols: Iterator[str] | list[str]) -> Iterator[str]:
    for symbol in symbols:
        word = symbol.removeprefix("+")
        number = re.fullmatch(r"U\+([0-9a-fA-F]{1,6})", word)
        char = chr(int(number[1], 16)) if number else NAMES.get(word, word if re.fullmatch("[a-zA-Z]", word) else "")
        if char and char.isprintable():
            yield char


def untypeable(text: str, known: frozenset[str]) -> str:
    """Name the places of the characters that a keymap does not have (`characters 3, 7`), and never the characters."""
    places = [str(number) for number, char in enumerate(text, 1) if char not in known]
    return f"character{'s' if len(places) > 1 else ''} {', '.join(places)}" if places else ""


def check_typeable(recipe: Recipe, secrets: Mapping[str, Secret], known: frozenset[str]) -> tuple[Refusal, ...]:
    """Refuse passphrases with characters that the recipe's keymap does not have; places are named, never characters."""
    keymap = recipe.system.keymap
    latin = set("abcdefghijklmnopqrstuvwxyz") <= known
    problems = []
    for need in needed(recipe):
        if need.kind is Kind.PASSWORD or need.name not in secrets:
            continue
        if which := untypeable(secrets[need.name].reveal(), known):
            problems.append(
                Refusal(
                    f'The secret "{need.name}" cannot be typed at boot: the keymap "{keymap}" has no key for {which}.',
                    message="" if latin else "This keymap has no Latin letters.",
                    hint="Choose another passphrase, or the keymap of the keyboard that it will be typed on"
                    + ("." if latin else " (us has all of ASCII)."),
                )
            )
    return tuple(problems)
