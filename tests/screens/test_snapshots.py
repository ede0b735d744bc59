"""tests/screens/golden: a folder a screen, a file for each state and size: what is seen, and below it the styles.

`ZROOT_UPDATE_GOLDEN=1 pytest tests/screens/test_snapshots.py` writes what is seen now; read the difference.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest
from textual.screen import Screen

from tests.screens.catalogue import LOOKS, SCREENS, STATES
from tests.screens.house import LARGE, SMALL, State, pictures

FOLDER = Path(__file__).parent / "golden"
CODE = Path(__file__).parents[2] / "screens"


@pytest.mark.parametrize(("name", "state"), LOOKS)
def test_looks_as_recorded(name: str, state: State) -> None:
    """fault 78: on the smallest terminal and on a larger one."""
    for (width, height), picture in zip((SMALL, LARGE), pictures(state), strict=True):
        path = FOLDER / name / f"{state.name}@{width}x{height}.txt"
        if os.environ.get("ZROOT_UPDATE_GOLDEN"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(picture.golden())
        assert picture.golden() == path.read_text(), f"{path} differs"


def test_every_screen_is_looked_at() -> None:
    assert {name for name in files() if screens_of(name)} == set(SCREENS)


def files() -> list[str]:
    return sorted(path.stem for path in CODE.glob("*.py") if not path.stem.startswith("__"))


def screens_of(name: str) -> list[str]:
    """Name the screens that a file of screens/ defines, windows in front of others included."""
    module = importlib.import_module(f"screens.{name}")
    defined = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]
    return [one.__name__ for one in defined if issubclass(one, Screen)]


def test_no_golden_file_is_left_over() -> None:
    known = {f"{name}/{state.name}" for name, state in STATES}
    assert {f"{path.parent.name}/{path.name.partition('@')[0]}" for path in FOLDER.glob("*/*.txt")} == known
