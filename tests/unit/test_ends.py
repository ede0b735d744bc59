"""What has to be typed so that a disk may be erased."""

from __future__ import annotations

import pytest

from screens.ends import agreed, ends


@pytest.mark.parametrize(
    ("identities", "expected"),
    [
        (["S4EWNX0R123456", "S4EWNX0R654321"], ["3456", "4321"]),
        (["S4EWNX0R123456", "S9EWNX0R123456"], ["4EWNX0R123456", "9EWNX0R123456"]),
        (["AB-0001", "AC-0001", "XX-9999"], ["B-0001", "C-0001", "9999"]),
        (["abc-0001", "ABD-0001"], ["c-0001", "D-0001"]),
        (["S-00Ab", "T-00aB"], ["S-00Ab", "T-00aB"]),
        (["S1", "XS1", "S2"], ["S1", "XS1", "S2"]),
        (["/dev/disk/by-path/pci-0000:00:07.0", "/dev/disk/by-path/pci-0000:00:08.0"], ["07.0", "08.0"]),
        (["abc"], ["abc"]),
        ([], []),
    ],
)
def test_an_end_is_as_long_as_it_takes(identities: list[str], expected: list[str]) -> None:
    assert ends(identities) == dict(zip(identities, expected, strict=True))


def test_no_other_disk_is_meant_by_what_is_typed() -> None:
    machine = ["S1", "XS1", "aXS1", "WD-0001", "wd-0001x", "0001", "S4EWNX0R123456", "xs4ewnx0r123456"]
    told = ends(machine)
    for identity in machine:
        assert [other for other in machine if agreed(told[identity], other, told[other])] == [identity]


def test_an_end_never_begins_with_a_blank_that_nobody_sees() -> None:
    assert ends(["disk 0 1 2"]) == {"disk 0 1 2": "0 1 2"}


@pytest.mark.parametrize("typed", ["3456", "3456 ", " 3456", "R123456", "r123456", "S4EWNX0R123456"])
def test_more_than_the_end_and_blanks_around_it_are_fine(typed: str) -> None:
    assert agreed(typed, "S4EWNX0R123456", "3456")


@pytest.mark.parametrize("typed", ["", " ", "345", "456", "x3456", "xS4EWNX0R123456", "6543", "S4EW"])
def test_anything_else_is_no_consent(typed: str) -> None:
    assert not agreed(typed, "S4EWNX0R123456", "3456")
