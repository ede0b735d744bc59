"""A terminal may become smaller and larger at any moment: what was on the screen, and the focus, are there again."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from screens.step import TooSmall
from tests.screens.catalogue import DEEDS
from tests.screens.house import LARGE, SMALL, State, perform, pictures, settle

TINY = (60, 15)


@pytest.mark.parametrize(("name", "state"), DEEDS)
def test_content_and_focus_stay(name: str, state: State) -> None:
    """fault 78"""

    async def resize(pilot: Pilot[Any]) -> None:
        screen, focused = pilot.app.screen, pilot.app.screen.focused
        for size, picture in ((TINY, None), (LARGE, pictures(state)[1]), (TINY, None), (SMALL, pictures(state)[0])):
            await pilot.resize_terminal(*size)
            seen = await settle(pilot)
            if picture is None:
                assert isinstance(pilot.app.screen, TooSmall)
                assert "Too small" in seen.text
            else:
                assert pilot.app.screen is screen
                assert screen.focused is focused
                assert seen.text == picture.text

    pictures(state)  # before: one app cannot show two states at once
    perform(state, resize)
