"""On a line of 115200 baud, 11 kB a second: what a screen, a key and a second of progress cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.run.events import Output, Progress
from tests.screens.line import KEYS, MACHINE, Line, on_a_line
from tests.screens.runs import COPY, COPYING, SINCE, Told

SCREEN, KEY, SECOND = 6000, 1100, 1000
"""Bytes that a new screen, a key in a field (a tenth of a second) and a second of progress may cost."""
WORDS = "correct horse battery"
FOLLOW = f"""
import pathlib, sys, time
from installer.run.client import Recorded
from screens.app import Guided
class Busy(Recorded):
    def now(self): return {SINCE + 100} + time.monotonic() % 1000
Guided(Busy(pathlib.Path("{MACHINE}"), pathlib.Path(sys.argv[1]))).run(mouse=False)
"""


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    with on_a_line() as line:
        line.shows("can be used")
        yield line


@pytest.mark.sweep
def test_screens_and_keys_are_short(line: Line) -> None:
    """From Welcome to the consent and back, as somebody would type it."""
    new, keys = {}, {}

    def go(key: str, text: str) -> None:
        new[text] = line.cost(key, shows=text)
        same(line)

    def press(*pressed: str) -> None:
        for key in pressed:
            # How many pictures a text costs that comes all at once depends on how fast the machine draws.
            keys[f"{len(keys)} {key}"] = line.cost(key) / (1 if key in KEYS else len(key))

    go("f1", "Esc leaves this help")
    go("escape", "Guided install")
    go("f10", "step 1 of")
    press("space", "down", "space")
    go("f10", "step 2 of")
    press("tab", "right", "left")
    go("f10", "step 3 of")
    go("f10", "step 4 of")
    press("c", WORDS[1:], "enter", WORDS, "enter")
    go("f10", "step 5 of")
    press("tab", "tab")
    go("f10", "step 6 of")
    go("f10", "step 7 of")
    press("h", "obbit", "enter", "a", "nn", "enter")
    go("f10", "of them destroy")
    go("f10", "Erase these disks")
    press("tab", "s", "k-a", "enter", "sk-b", "enter")
    go("escape", "of them destroy")
    go("escape", "step 7 of")
    print(f"\nbytes of a screen: {new}\nbytes of a key: {keys}")
    assert max(new.values()) < SCREEN
    assert max(keys.values()) < KEY


def same(line: Line) -> None:
    """Look whether the terminal shows what it would show if everything were written again."""
    shown, cursor = line.text, line.cursor
    assert line.cost("\x0c") > 200  # Ctrl-L
    assert (line.text, line.cursor) == (shown, cursor)


@pytest.mark.sweep
def test_a_second_of_progress_is_short(tmp_path: Path) -> None:
    told = Told(tmp_path)
    with told.under_way(*COPYING), on_a_line(("-c", FOLLOW, str(told.folder))) as line:
        line.shows("63 %")
        line.settle()
        before, began = line.bytes, time.monotonic()
        for number in range(40):
            told.tell(Progress(operation=COPY.id, percent=64 + number // 2), a_line(number))
            line.during(0.1)
        line.shows("83 %")
        each = (line.bytes - before) / (time.monotonic() - began)
    print(f"\nbytes of a second of progress: {each:.0f}")
    assert each < SECOND


def a_line(number: int) -> Output:
    """Let a program print something that fills a line."""
    return Output(operation=COPY.id, lines=(f"{number} " + "copied some file or other " * 3,))


def test_ctrl_l_heals_what_something_else_wrote(line: Line) -> None:
    line.settle()
    shown = line.text
    line.spoil("kernel: something else")
    assert line.text != shown
    line.cost("\x0c")
    assert line.text == shown
