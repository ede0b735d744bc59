"""Every screen in every state can be drawn by a console: its glyphs, its colours, and none of them needed."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.style import Style
from textual.pilot import Pilot

from tests.screens.catalogue import DEEDS, LOOKS
from tests.screens.house import Picture, State, perform, pictures, settle

CONTROLS = "☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼⌂"
"""What CP437 has in the places of the control characters, 1 to 31 and 127; Python's codec gives the controls."""
CP437 = frozenset(bytes(range(32, 127)).decode("ascii") + bytes(range(128, 256)).decode("cp437") + CONTROLS) - {"\xa0"}
FONTS = frozenset("£§«°±»π•←↑→↓─│┌┐└┘├┤┬┴┼═║╔╗╘╙╚╛╝╞╟╠╡╣╦╧╨╩╪╬█░▒■▲▼♦" + bytes(range(32, 127)).decode("ascii"))
"""What every font of Debian's console-setup-linux 1.221 has that writes CP437's characters at all: all 456 files of
/usr/share/consolefonts but Ethiopian, which has no lines, and Lat38, which has no « ». test_fonts_have_the_glyphs
reads them again where they are installed."""
DEFAULTS = ((7, 0), (15, 0), (0, 15), (0, 7))
"""What terminals use for text and background when nothing is said: white on black, or black on white."""
BUDGET = CP437 & FONTS
FOLDER = Path("/usr/share/consolefonts")
WITHOUT = ("Ethiopian", "Lat38")


@pytest.mark.parametrize(("name", "state"), LOOKS)
def test_every_glyph_is_in_every_font(name: str, state: State) -> None:
    """fault 78"""
    for picture in pictures(state):
        assert not set(picture.text) - BUDGET - {"\n"}


@pytest.mark.parametrize(("name", "state"), LOOKS)
def test_no_cell_hides_what_it_says(name: str, state: State) -> None:
    """fault 78"""
    for picture in pictures(state):
        assert not list(hidden(picture))


def hidden(picture: Picture) -> Iterator[tuple[int, int, str]]:
    """Give the cells whose character has the colour of what is behind it."""
    for y, line in enumerate(picture.lines, start=1):
        for x, (char, style) in enumerate(line, start=1):
            if char != " " and any(fore == back for fore, back in shades(style)):
                yield x, y, char


def shades(style: Style) -> Iterator[tuple[int, int]]:
    """Give both colours of a style on consoles, dark and light terminals, with sixteen and with eight colours."""
    fore, back = (color.number if color and not color.is_default else None for color in (style.color, style.bgcolor))
    for default_fore, default_back in DEFAULTS:
        pair = default_fore if fore is None else fore, default_back if back is None else back
        yield pair
        if not style.bold:  # eight colours: bold is what makes one bright
            yield pair[0] % 8, pair[1] % 8


@pytest.mark.parametrize(("name", "state"), DEEDS)
def test_every_focus_is_seen_without_colours_and_has_the_cursor(name: str, state: State) -> None:
    """fault 78: tab goes through each screen; no two looks are alike, and the cursor is where the focus is."""

    async def walk(pilot: Pilot[Any]) -> None:
        screen = pilot.app.screen
        first, seen = screen.focused, set[object]()
        assert first is not None
        for _ in range(len(screen.focus_chain)):
            picture = await settle(pilot)
            look = tuple(tuple((char, *marks(style)) for char, style in line) for line in picture.lines)
            assert look not in seen, f"{screen.focused} looks like another focus"
            seen.add(look)
            assert screen.focused
            assert screen.focused.region.contains_point(pilot.app.cursor_position)
            await pilot.press("tab")
        await settle(pilot)
        assert screen.focused is first

    perform(state, walk)


def marks(style: Style) -> tuple[bool, ...]:
    """Return what is left of a style without colours."""
    return bool(style.reverse), bool(style.bold), bool(style.underline)


@pytest.mark.skipif(not FOLDER.is_dir(), reason="console-setup-linux is not installed here")
def test_fonts_have_the_glyphs() -> None:
    for path in sorted(FOLDER.glob("*.psf.gz")):
        if not path.name.startswith(WITHOUT):
            assert not BUDGET - glyphs(gzip.decompress(path.read_bytes())), path.name


def glyphs(font: bytes) -> set[str]:
    """Return the characters of a console font, PSF 1 or 2, from its Unicode table."""
    if font[:2] == b"\x36\x04":
        count = 512 if font[2] & 1 else 256
        table = font[4 + count * font[3] :]
        codes = struct.unpack(f"<{len(table) // 2}H", table)
        return {chr(code) for code in codes if code < 0xFFFE}
    header, count, size = (struct.unpack_from("<I", font, place)[0] for place in (8, 16, 20))
    return {
        char for glyph in font[header + count * size :].split(b"\xff") for char in glyph.partition(b"\xfe")[0].decode()
    }
