"""What goes over the line: less than Textual would write, and the terminal shows the same."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import pyte
import pytest
from rich.color import Color, ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region, Size
from textual.strip import Strip

from screens.wire import News, Wire, cells

SIZE = Size(24, 5)
STYLES = (
    Style(),
    Style(bold=True),
    Style(reverse=True),
    Style(color="blue", bgcolor=Color.default()),
    Style(bgcolor="red"),
)
CHARS = ("a", "b", " ", "  ", "      ", "─", "«")


def chances(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311


def line(chance: random.Random, width: int, chars: Sequence[str] = CHARS) -> Strip:
    segments: list[Segment] = []
    left = width
    while left:
        text = chance.choice(chars) * chance.randint(1, 4)
        segment = Segment(text, chance.choice(STYLES))
        if (wide := segment.cell_length) <= left:
            segments.append(segment)
            left -= wide
    return Strip(segments)


def screen(chance: random.Random, chars: Sequence[str] = CHARS) -> LayoutUpdate:
    """Return a whole screen."""
    return LayoutUpdate([[line(chance, SIZE.width, chars)] for _ in range(SIZE.height)], SIZE.region)


def update(chance: random.Random, known: bool) -> LayoutUpdate | ChopsUpdate:
    """Return a whole screen, or a few spans of one as Textual cuts them."""
    if not known or chance.random() < 0.5:
        return screen(chance)
    start = chance.randint(1, 15)
    width = chance.randint(1, SIZE.width - start - 1)
    ends = [start, start + width, SIZE.width]
    chops: list[Mapping[int, Strip | None]] = [
        {0: None, start: line(chance, width), start + width: None} for _ in range(SIZE.height)
    ]
    lines = sorted(chance.sample(range(SIZE.height), chance.randint(1, SIZE.height)))
    return ChopsUpdate(chops, [(y, start, start + width) for y in lines], [ends for _ in range(SIZE.height)])


class Terminal:
    def __init__(self) -> None:
        self.screen = pyte.Screen(*SIZE)
        self._stream = pyte.Stream(self.screen)

    def take(self, text: str) -> None:
        self._stream.feed(text.replace("\n", "\r\n"))

    def shows(self) -> list[list[tuple[object, ...]]]:
        blank = self.screen.default_char
        return [[tuple(self.screen.buffer[y].get(x, blank)) for x in range(SIZE.width)] for y in range(SIZE.height)]


def assert_same(short: Terminal, plain: Terminal) -> None:
    assert not [
        (x, y, one, other)
        for y, lines in enumerate(zip(short.shows(), plain.shows(), strict=True))
        for x, (one, other) in enumerate(zip(*lines, strict=True))
        if one != other
    ]


@pytest.mark.parametrize("seed", range(10))
def test_the_terminal_shows_what_textual_would_have_shown(seed: int) -> None:
    chance, console, wire = chances(seed), Console(color_system="standard", force_terminal=True), Wire()
    plain, short = Terminal(), Terminal()
    for number in range(30):
        if chance.random() < 0.1:
            wire.forget()
        whole = update(chance, known=bool(number))
        if isinstance(whole, ChopsUpdate) and not wire._shown:
            continue
        news = wire.news(whole, SIZE, console)
        assert isinstance(news, News)
        plain.take(whole.render_segments(console))
        short.take(news.render_segments(console))
        assert_same(short, plain)


@pytest.mark.parametrize("seed", range(5))
def test_wide_characters_stay_whole(seed: int) -> None:
    chance, console, wire = chances(seed), Console(color_system="standard", force_terminal=True), Wire()
    short = Terminal()
    for _ in range(10):
        whole, plain = screen(chance, (*CHARS, "世", "世")), Terminal()
        news = wire.news(whole, SIZE, console)
        assert isinstance(news, News)
        plain.take(whole.render_segments(console))
        short.take(news.render_segments(console))
        assert_same(short, plain)


def test_what_is_drawn_over_half_a_wide_character_leaves_a_blank() -> None:
    console, wire, terminal = Console(), Wire(), Terminal()
    wide = Strip([Segment("世" * 12)])
    part = ChopsUpdate([{0: None, 3: Strip([Segment("ab")]), 5: None}] * 5, [(1, 3, 5)], [[3, 5, 24]] * 5)
    for one in (LayoutUpdate([[wide]] * 5, SIZE.region), part):
        news = wire.news(one, SIZE, console)
        assert isinstance(news, News)
        terminal.take(news.render_segments(console))
    assert terminal.screen.display[1].startswith("世 ab 世")


def test_what_is_not_new_is_not_written() -> None:
    console, wire = Console(), Wire()
    whole = screen(chances(1))
    first = wire.news(whole, SIZE, console)
    again = wire.news(whole, SIZE, console)
    assert isinstance(first, News)
    assert isinstance(again, News)
    assert again.render_segments(console) == ""
    everything = wire.whole(SIZE)
    assert everything
    assert everything.render_segments(console) == first.render_segments(console)


def test_a_part_of_a_screen_that_nobody_knows_leaves_the_rest_alone() -> None:
    console, wire, terminal = Console(), Wire(), Terminal()
    part = ChopsUpdate([{0: None, 2: Strip([Segment("ab")]), 4: None}] * 5, [(1, 2, 4)], [[2, 4, 24]] * 5)
    news = wire.news(part, SIZE, console)
    assert isinstance(news, News)
    terminal.take("x" * 48 + news.render_segments(console))
    assert [line.rstrip() for line in terminal.screen.display[:2]] == ["x" * 24, "xxab" + "x" * 20]


@pytest.mark.parametrize("what", [Text("words"), LayoutUpdate([[Strip([Segment("short")])]], Region(0, 0, 24, 5))])
def test_what_it_does_not_understand_goes_on_as_it_is(what: Text | LayoutUpdate) -> None:
    assert Wire().news(what, SIZE, Console()) is what


def test_an_accent_belongs_to_its_letter() -> None:
    assert [cell.char for cell in cells([Segment("e\u0301a")], None)] == ["e\u0301", "a"]


def test_without_colours_no_colour_is_written() -> None:
    """fault 78"""
    look = [Segment("a", Style(color="blue", bold=True))]
    assert [cell.look for cell in cells(look, None)] in ([""], ["\x1b[1m"])
    assert "34" in cells(look, ColorSystem.STANDARD)[0].look


def test_another_size_is_another_terminal() -> None:
    console, wire = Console(), Wire()
    wire.news(screen(chances(1)), SIZE, console)
    small = LayoutUpdate([[Strip([Segment("abc")])]], Region(0, 0, 3, 1))
    news = wire.news(small, Size(3, 1), console)
    assert isinstance(news, News)
    assert "abc" in news.render_segments(console)
