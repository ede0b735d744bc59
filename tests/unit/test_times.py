"""The table of where the time went."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.times import Lap, note, read, table, timed


def test_laps_side_by_side_stand_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    file = tmp_path / "laps"
    for lap in (Lap("machine", "life-uefi healthy", 160, 90), Lap("step", "image", 100, 59.5)):
        note(lap, file)
    assert table(read(file)).splitlines()[1:] == [
        "  0:00     59.5  image",
        "  1:00     90.0    life-uefi healthy",
        "          150.0  whole: 2.5 minutes",
    ]


def test_what_failed_has_its_time_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), timed("step", "broken", tmp_path / "laps"):
        _ = 1 / 0
    (lap,) = read(tmp_path / "laps")
    assert (lap.kind, lap.name) == ("step", "broken")
    assert lap.seconds >= 0
