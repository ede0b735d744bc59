"""What the tests of all screens share: a screen over a recorded machine, driven by keys, and what is then to be seen.

Everything waits on a state and never on the clock: `settle` returns when nothing is left to be drawn.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from rich.style import Style
from textual.pilot import Pilot
from textual.screen import Screen

from installer.machine.model import Machine
from installer.run.client import Client, Place, Recorded
from screens.answers import Answers
from screens.app import Guided
from screens.desk import Desk

MACHINES = Path(__file__).parents[1] / "machines"
SMALL, LARGE = (80, 24), (120, 40)
NAMES = {" ": "space", "-": "minus", "/": "slash", ".": "full_stop", "=": "equals_sign", ",": "comma",
         ":": "colon", "_": "underscore", "@": "at", "*": "asterisk", "+": "plus"}  # fmt: skip
"""Of the keys that Textual does not call by their character."""
PATIENCE = 3000
"""Rounds of a hundredth of a second: what takes longer hangs."""
COLOURS = [
    f"{bright}{name}"
    for bright in ("", "bright-")
    for name in ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
]
BOTH = (SMALL, pytest.param(LARGE, marks=pytest.mark.sweep))
"""For a test whose second size make test-fast leaves out."""
PLAIN = Style.null()
WATCHERS = ("machine", "wizard")
"""Workers that never end."""

T = TypeVar("T")


@dataclass(frozen=True)
class State:
    """A screen in one state: how it is made, and the keys that lead there."""

    name: str
    make: Callable[[Desk, Answers], Screen[Any]]
    answers: Answers = Answers()  # noqa: RUF009 - it is frozen
    machine: str = "synthetic-two-blank"
    focus: str = ""
    """Selector of what has the focus when the keys are pressed; empty: what has it at first."""
    keys: tuple[str, ...] = ()
    known: bool = True
    """Whether the machine has been looked at already."""
    client: Callable[[], AbstractContextManager[Client]] | None = None
    """Opens the client, if a recorded machine is not all that there is: a run, say."""
    ready: Callable[[Any], bool] = bool
    """Tells of the screen when there is something to look at."""


class Demo(Recorded):
    """A recorded machine that says nothing of the one that the tests run on."""

    def __init__(self, machine: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="zroot-test-")
        super().__init__(MACHINES / f"{machine}.json", Path(self._folder.name))

    def timezones(self) -> list[str]:
        """Name a few."""
        return ["Africa/Cairo", "America/New_York", "Asia/Tokyo", "Etc/UTC", "Europe/Berlin", "Europe/Vienna"]

    def locales(self) -> dict[str, str]:
        """Name a few."""
        return {"C.UTF-8": "", "de_AT.UTF-8": "German, Austria", "en_US.UTF-8": "English, United States"}

    def on_console(self) -> bool:
        """Say that this is a serial line."""
        return False

    def typeable(self, keymap: str) -> frozenset[str] | None:
        """Know what a US keyboard types, whatever the layout."""
        return frozenset(chr(number) for number in range(32, 127))

    def places(self, machine: Machine | None, chosen: Collection[str] = ()) -> tuple[Place, ...]:
        """Name a folder that is called the same in every run."""
        return (Place(words="the folder /tmp/zroot-demo", folder=str(self._run)),)


class Stage(Guided):
    """The app with one screen instead of the wizard."""

    def __init__(self) -> None:
        super().__init__(Demo("synthetic-two-blank"))
        self.left: list[Any] = []
        """What the screens gave back."""

    # Textual calls Guided.on_mount too, whatever stands here.
    def guide(self) -> None:  # type: ignore[override]
        """Begin no wizard."""

    def watch_machine(self) -> None:  # type: ignore[override]
        """Leave the desk as it is."""

    async def show(self, state: State, client: Client) -> None:
        """Show a screen in a state, but for its keys."""
        self.desk = Desk(client, steps=self.desk.steps, machine=recorded(state.machine) if state.known else None)
        await self.push_screen(state.make(self.desk, state.answers), self.left.append)

    async def clear(self) -> None:
        """Take every screen away."""
        while len(self.screen_stack) > 1:
            await self.pop_screen()


@functools.cache
def recorded(name: str) -> Machine:
    """Return a recorded machine."""
    return Demo(name).machine()


def keys(text: str) -> list[str]:
    """Return the keys that type a text."""
    return [NAMES.get(char, char) for char in text]


def swept(cases: Sequence[Any], *, keep: int) -> list[Any]:
    """Mark all but the first cases as a sweep, which make test-fast leaves out."""
    rest = (one if isinstance(one, tuple) else (one,) for one in cases[keep:])
    return [*cases[:keep], *(pytest.param(*one, marks=pytest.mark.sweep) for one in rest)]


async def until(pilot: Pilot[Any], holds: Callable[[], bool]) -> None:
    """Wait until something is so."""
    for _ in range(PATIENCE):
        await pilot.pause()
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"It never came to it:\n{Picture.of(pilot).text}")


async def settle(pilot: Pilot[Any]) -> Picture:
    """Wait until no work is under way and two looks show the same; return that."""
    seen: list[Picture] = []

    def still() -> bool:
        busy = any(worker.is_running for worker in pilot.app.workers if worker.name not in WATCHERS)
        seen.append(Picture.of(pilot))
        return not busy and len(seen) > 1 and seen[-1] == seen[-2]

    await until(pilot, still)
    return seen[-1]


@contextlib.asynccontextmanager
async def on_stage(
    state: State, *, size: tuple[int, int] = SMALL, client: Client | None = None
) -> AsyncIterator[Pilot[Any]]:
    """Show a state in an app of its own."""
    app = Stage()
    with contextlib.nullcontext(client) if client else opened(state) as told:
        async with app.run_test(size=size) as pilot:
            await app.show(state, told)
            await arrive(pilot, state)
            yield pilot


def opened(state: State) -> AbstractContextManager[Client]:
    """Open the client of a state."""
    return state.client() if state.client else contextlib.nullcontext(Demo(state.machine))


async def arrive(pilot: Pilot[Any], state: State) -> Picture:
    """Press the keys of a state that is shown."""
    await until(pilot, lambda: state.ready(pilot.app.screen))
    await settle(pilot)
    if state.focus:
        pilot.app.screen.query(state.focus).first().focus()
        await pilot.pause()
    for key in state.keys:
        await pilot.press(key)
    seen = await settle(pilot)
    assert len(pilot.app.screen_stack) > 1, "the keys have left the screen"
    return seen


class Studio:
    """One app for the pictures of all states: to start it takes longer than to look."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._context = contextvars.copy_context()
        self._app = Stage()
        self._open = contextlib.AsyncExitStack()
        self._pilot = self._run(self._open.enter_async_context(self._app.run_test(size=SMALL)))

    def look(self, state: State) -> tuple[Picture, Picture]:
        """Return how a state looks on a small and on a large terminal."""
        return self._run(self._look(state))

    def perform(self, state: State, steps: Callable[[Pilot[Any]], Awaitable[None]]) -> None:
        """Do something with a state on a small terminal."""

        async def run() -> None:
            await self._pilot.resize_terminal(*SMALL)
            self._app.left.clear()
            with opened(state) as client:
                await self._app.show(state, client)
                await arrive(self._pilot, state)
                await steps(self._pilot)
                await self._app.clear()

        self._run(run())

    def close(self) -> None:
        """End the app; raises what it died of."""
        try:
            self._run(self._open.aclose())
        finally:
            self._loop.close()

    async def _look(self, state: State) -> tuple[Picture, Picture]:
        pilot = self._pilot
        await pilot.resize_terminal(*SMALL)
        with opened(state) as client:
            await self._app.show(state, client)
            small = await arrive(pilot, state)
            await pilot.resize_terminal(*LARGE)
            large = await settle(pilot)
            await self._app.clear()
        return small, large

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(self._loop.create_task(work, context=self._context))


STUDIOS: list[Studio] = []
"""The one that is open, if any."""


def perform(state: State, steps: Callable[[Pilot[Any]], Awaitable[None]]) -> None:
    """Do something with a state, in the app that is open."""
    with _studio() as studio:
        studio.perform(state, steps)


@functools.cache
def pictures(state: State) -> tuple[Picture, Picture]:
    """Return how a state looks on a small and on a large terminal."""
    with _studio() as studio:
        return studio.look(state)


@contextlib.contextmanager
def _studio() -> Iterator[Studio]:
    """Give the app that is open; one in which something went wrong is closed."""
    if not STUDIOS:
        STUDIOS.append(Studio())
    try:
        yield STUDIOS[0]
    except BaseException:
        STUDIOS.pop().close()
        raise


@dataclass(frozen=True)
class Picture:
    """What is to be seen: lines of runs of cells, each a text and its style, no two neighbours of the same style."""

    runs: tuple[tuple[tuple[str, Style | None], ...], ...]

    @classmethod
    def of(cls, pilot: Pilot[Any]) -> Picture:
        """Take it from the screen as it was last laid out."""
        strips = pilot.app.screen._compositor.render_strips()
        return cls(tuple(tuple((text, style) for text, style, _ in strip.simplify()) for strip in strips))

    @functools.cached_property
    def lines(self) -> tuple[tuple[tuple[str, Style], ...], ...]:
        """Return lines of cells, each a character and its style."""
        return tuple(tuple((char, style or PLAIN) for text, style in line for char in text) for line in self.runs)

    @property
    def text(self) -> str:
        """Return the characters alone."""
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self.runs)

    def styles(self) -> Iterator[str]:
        """Give the runs of cells of one look, line by line; what looks plain is left out."""
        for number, line in enumerate(self.lines, start=1):
            runs: list[tuple[int, int, str]] = []
            for place, (char, style) in enumerate(line, start=1):
                look = looks(char, style)
                if char == " " and not look:
                    continue
                if runs and runs[-1][2] == look:
                    runs[-1] = (runs[-1][0], place, look)
                else:
                    runs.append((place, place, look))
            said = [f"{first}-{last} {look}" for first, last, look in runs if look]
            if said:
                yield f"{number}: {', '.join(said)}"

    def golden(self) -> str:
        """Write it as text: what is seen, and below it how."""
        return f"{self.text.rstrip()}\n\n--- styles\n" + "".join(f"{line}\n" for line in self.styles())


def looks(char: str, style: Style) -> str:
    """Name the look of a cell; of a blank one only what fills it counts."""
    filled = bool(style.reverse or style.underline)
    fore = _colour(style.color) if char.strip() or filled else ""
    back = _colour(style.bgcolor)
    marks = [word for word in ("bold", "dim", "italic", "underline", "reverse", "blink") if getattr(style, word)]
    if not char.strip() and not filled:
        marks = []
    return " ".join(part for part in (fore, f"on {back}" if back else "", *marks) if part)


def _colour(color: Any) -> str:
    if color is None or color.is_default:
        return ""
    return COLOURS[color.number] if color.number is not None and color.number < len(COLOURS) else str(color.name)
