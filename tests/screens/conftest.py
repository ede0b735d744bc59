"""What has to be ended after the tests of the screens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.screens.house import STUDIOS


@pytest.fixture(scope="session", autouse=True)
def end_of_the_studio() -> Iterator[None]:
    """Close the app that the pictures are taken with."""
    yield
    while STUDIOS:
        STUDIOS.pop().close()
