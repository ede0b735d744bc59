"""The pictures of README: `make pictures` writes them anew, from the states that the tests look at."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from tests.screens.catalogue import STATES
from tests.screens.house import perform

FOLDER = Path(__file__).parent / "pictures"
SHOWN = ("disks", "encryption", "pool", "review")
FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Textual's pictures name fonts on somebody's server; a reader's own do as well."""


def main() -> None:
    """Write a picture of the typical state of each screen that README shows."""
    for name, state in STATES:
        if name in SHOWN and state.name == "typical":

            async def take(pilot: Pilot[Any], name: str = name) -> None:
                (FOLDER / f"{name}.svg").write_text(FONT.sub("", pilot.app.export_screenshot(title="zroot")))

            FOLDER.mkdir(exist_ok=True)
            perform(state, take)


if __name__ == "__main__":
    main()
