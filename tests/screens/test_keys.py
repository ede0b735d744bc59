"""Keys and help of every screen: what the key line lists works, and F1 says something of each field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from installer.recipe.reasons import REASONS
from screens.compose import field_of
from screens.datasets import Edit
from screens.fields import Field
from screens.step import Help, Step
from screens.uses import Window
from tests.screens.catalogue import DEEDS, SCREENS
from tests.screens.house import Picture, Stage, State, perform, settle


def shown(screen: Any) -> Mapping[tuple[str, str], list[str]]:
    """Return the keys that the key line lists, by what it says of them."""
    found: dict[tuple[str, str], list[str]] = {}
    for _, binding, enabled, _ in screen.active_bindings.values():
        if binding.show and enabled and not binding.system:
            found.setdefault((binding.key_display or binding.key, binding.description), []).append(binding.key)
    return found


def all_work(state: State) -> None:
    """Press each key in a screen of its own: something is seen to happen, or the screen is left."""
    known: list[tuple[str, str]] = []

    async def list_keys(pilot: Pilot[Any]) -> None:
        known.extend(shown(pilot.app.screen))

    perform(state, list_keys)
    for words in known:

        async def press(pilot: Pilot[Any], words: tuple[str, str] = words) -> None:
            app = pilot.app
            assert isinstance(app, Stage)
            front = app.screen
            for entry in front.query(Input).results(Input):
                if entry.password and not entry.value:
                    entry.value = "typed"  # or there is nothing to show
            before = await settle(pilot)
            for key in both_ways(shown(front)[words]):
                await pilot.press(key)
                if app.left or app.screen is not front or Picture.of(pilot) != before or await settle(pilot) != before:
                    return
            pytest.fail(f"{words} does nothing:\n{Picture.of(pilot).text}")

        perform(state, press)


def both_ways(keys: list[str]) -> list[str]:
    """Return the keys, and the opposite of what cannot go further at the beginning."""
    opposite = {"up": "down", "pageup": "pagedown", "left": "right"}
    return [*keys, *(opposite[key] for key in keys if key in opposite)]


@pytest.mark.parametrize(("name", "state"), DEEDS)
def test_every_key_of_the_key_line_works(name: str, state: State) -> None:
    all_work(state)


@pytest.mark.parametrize(("name", "state"), DEEDS)
def test_every_field_has_help_and_the_reasons_of_the_recipe(name: str, state: State) -> None:
    async def ask(pilot: Pilot[Any]) -> None:
        screen = pilot.app.screen
        if not isinstance(screen, Step | Edit | Window):
            return  # a window explains itself
        fields = [field for field in screen.query(Field).results(Field) if field.control in screen.focus_chain]
        for field in fields:
            assert field.reason, f"{field.answers} has no help"
            reasons = [REASONS[path] for path in REASONS if path[:4] != "pool" and field_of(path) == field.answers]
            reasons += [text for path, text in REASONS.items() if path.rpartition(".")[2] == field.answers]
            assert not reasons or any(text in field.reason for text in reasons), f"{field.answers}: {field.reason}"
            field.control.focus()
            await pilot.pause()
            await pilot.press("f1")
            await settle(pilot)
            assert isinstance(pilot.app.screen, Help)
            said = " ".join(str(one.render()) for one in pilot.app.screen.query(Static).results(Static))
            assert field.reason in " ".join(said.split())
            await pilot.press("escape")
            await settle(pilot)
            assert screen.focused is field.control

    perform(state, ask)


def test_no_key_for_a_disk_is_listed_before_there_is_one() -> None:
    looking = next(state for state in SCREENS["disks"] if state.name == "looking")

    async def read(pilot: Pilot[Any]) -> None:
        assert {said for _, said in shown(pilot.app.screen)} == {"Help", "Back", "Next"}

    perform(looking, read)
