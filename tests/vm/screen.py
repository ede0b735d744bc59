"""The serial console as a terminal shows it: for what draws a whole screen instead of lines."""

from __future__ import annotations

import re
import string
import time

import pyte

from tests.vm.qemu import Machine
from tests.vm.serial import DEAD, ConsoleError

COLUMNS, LINES = 80, 24
REDRAW = 20.0
"""Seconds without what is waited for, after which the screen is drawn again."""
KEYS = {
    "enter": "\r",
    "tab": "\t",
    "space": " ",
    "escape": "\x1b",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "pagedown": "\x1b[6~",
    "f1": "\x1bOP",
    "f9": "\x1b[20~",
    "f10": "\x1b[21~",
    "ctrl-l": "\x0c",
}
"""What a vt220 sends."""
QUIET = 4
"""Looks without anything new after which a screen is taken to be finished."""
NAMED = ("tab", "up", "down", "left", "right", "f1", "f9", "f10")
RENAMED = {" ": "spc", "space": "spc", "enter": "ret", "escape": "esc", "pagedown": "pgdn"}
SIGNS = {
    "-_": "minus",
    "=+": "equal",
    "[{": "bracket_left",
    "]}": "bracket_right",
    ";:": "semicolon",
    "'\"": "apostrophe",
    "`~": "grave_accent",
    "\\|": "backslash",
    ",<": "comma",
    ".>": "dot",
    "/?": "slash",
}
QEMU_KEYS = {
    **{key: (key,) for key in (*string.ascii_lowercase, *string.digits, *NAMED)},
    **{key: (name,) for key, name in RENAMED.items()},
    **{letter.upper(): ("shift", letter) for letter in string.ascii_lowercase},
    **{sign: ("shift", digit) for sign, digit in zip("!@#$%^&*()", "1234567890", strict=True)},
    **{signs[0]: (name,) for signs, name in SIGNS.items()},
    **{signs[1]: ("shift", name) for signs, name in SIGNS.items()},
}
"""What an American keyboard has, by QEMU's names."""


class Screen(pyte.Screen):
    """A screen that takes what the line garbles as a terminal does.

    The emulated UART sends a byte twice now and then (seen: `ESC [ 11 ; ; 3 H`), and pyte fails on a third number.
    """

    def cursor_position(self, line: int | None = None, column: int | None = None, *more: int) -> None:
        """Go to the place that the first number and the last one name."""
        super().cursor_position(line, more[-1] if more else column)


class Terminal:
    """What stands on the screen of somebody at the serial line, and that person's keys."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._offset = 0
        self._screen = Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)
        self.keys = 0
        """How many keys were pressed."""
        self.redraws = False
        """Whether something runs there that draws its screen again on Ctrl-L: the emulated line loses bytes."""

    @property
    def text(self) -> str:
        """The screen as it is now."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def wait_for(self, *texts: str | re.Pattern[str], within: float) -> str:
        """Wait until one of the texts stands on the screen and return it; within is in seconds. Raises ConsoleError."""
        patterns = [text if isinstance(text, re.Pattern) else re.compile(re.escape(text)) for text in texts]
        began = time.monotonic()
        ends, again = began + within, began + REDRAW
        while True:
            self._look()
            if found := next((match for one in patterns if (match := one.search(self.text))), None):
                return found.group()
            if dead := next((text for text in DEAD if text in self.text), ""):
                raise self._machine.console.error(f"the machine printed {dead!r} instead of {texts}:\n{self.text}")
            if self.redraws and time.monotonic() > again:
                again += REDRAW
                self._redraw()
            if time.monotonic() > ends:
                words = f"{within:g} seconds went by without {texts}; the screen is:\n{self.text}"
                raise self._machine.console.error(words)

    def settle(self) -> None:
        """Wait until nothing has come for a second: keys that come while a screen is made are lost."""
        last, quiet = "", 0
        while quiet < QUIET:
            self._look()
            quiet, last = (quiet + 1, last) if self.text == last else (0, self.text)

    def press_until(self, key: str, *texts: str | re.Pattern[str]) -> None:
        """Press a key until one of the texts is there, again where the line lost it. Raises ConsoleError."""
        for last in (False, False, True):
            self.settle()
            self.press(key)
            try:
                self.wait_for(*texts, within=3 * REDRAW)
            except ConsoleError:
                if last:
                    raise
            else:
                return

    def press(self, *keys: str) -> None:
        """Press keys by name, one after the other."""
        for key in keys:
            self.keys += 1
            self._machine.console.send(KEYS[key])

    def type(self, text: str) -> None:
        """Type a text."""
        self.keys += len(text)
        self._machine.console.send(text)

    def _redraw(self) -> None:
        self._machine.console.send(KEYS["ctrl-l"])

    def _look(self) -> None:
        """Take in what has come since the last look, from the log: the console hands on plain text only."""
        self._machine.console.drain(0.3)
        with self._machine.log.open("rb") as log:
            log.seek(self._offset)
            new = log.read()
        self._offset += len(new)
        self._stream.feed(new)


class Vga(Terminal):
    """The machine's own screen and keyboard, as long as a root shell on the serial line is ready to look at it."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self._text = ""

    @property
    def text(self) -> str:
        """The screen as it is now."""
        return self._text

    def press(self, *keys: str) -> None:
        """Press keys by name, one after the other."""
        for key in keys:
            self.keys += 1
            self._machine.press(*QEMU_KEYS[key])

    def type(self, text: str) -> None:
        """Type a text."""
        self.press(*text)

    def _redraw(self) -> None:
        """Nothing is lost on the way to this screen."""

    def _look(self) -> None:
        # The kernel keeps what a console shows: four bytes a character (vcs(4)).
        columns = "$(stty --file /dev/tty1 size | cut -d ' ' -f 2)"
        lines = f'iconv -f UTF-32LE -t UTF-8 /dev/vcsu1 | LC_ALL=C.UTF-8 sed "s/.\\{{{columns}\\}}/&\\n/g"'
        self._text = self._machine.console.run(lines, within=60).output
