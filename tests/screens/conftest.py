"""What the tests of the screens share, and what has to be ended after them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from textual import _wait

from installer.run.client import Still
from tests.screens.house import STUDIOS


@pytest.fixture(scope="session", autouse=True)
def end_of_the_studio() -> Iterator[None]:
    """Close the app that the pictures are taken with."""
    yield
    while STUDIOS:
        STUDIOS.pop().close()


@pytest.fixture(scope="session", autouse=True)
def nobody_waits_for_a_disk() -> Iterator[None]:
    """Let an app end at once: it waits for the thread that waits for disks."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Still, "wait", lambda self, seconds: bool(time.sleep(0.01)))
        yield


@pytest.fixture(scope="session", autouse=True)
def keys_follow_one_another_quickly() -> Iterator[None]:
    """Look for an idle app every hundredth of a second: Textual looks every fiftieth, twice for each key."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_wait, "SLEEP_GRANULARITY", _wait.SLEEP_GRANULARITY / 2)
        patched.setattr(_wait, "SLEEP_IDLE", _wait.SLEEP_IDLE / 2)
        yield
