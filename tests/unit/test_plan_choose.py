"""Which disk a role means."""

from __future__ import annotations

import pytest

from installer.errors import Refusals
from installer.machine.model import Disk, Node
from installer.plan.choose import choose
from installer.recipe.load import parse
from tests.unit.plans import GIB, MIRROR, data, disk, machine, recipe, refusal

ONE = data("single", "disk.a")


def chosen(selector: str, *disks: Disk) -> str:
    return choose(parse(recipe(ONE, disks="a", a=selector)), machine(*disks))["a"].name


@pytest.mark.parametrize(
    "selector",
    [
        'serial = "SB"',
        'wwn = "0x5000c500a0b1c2d3"',
        'by-id = "ata-SB"',
        'by-id = "/dev/disk/by-id/ata-SB"',
        'by-path = "pci-0000:00:05.0"',
        'model = "Big"',
        'min-size = "10G"',
        'max-size = "12G"\nmin-size = "9G"',
        'transport = "nvme"',
    ],
)
def test_every_selector_finds_its_disk(selector: str) -> None:
    other = disk("sda", model="Small", wwn="0x5000c500a0b1c2d4")
    wanted = disk(
        "sdb",
        model="Big",
        wwn="0x5000c500a0b1c2d3",
        by_path=("/dev/disk/by-path/pci-0000:00:05.0",),
        size=11 * GIB,
        transport="nvme",
    )
    assert chosen(selector, other, wanted) == "sdb"


def test_everything_that_a_selector_says_must_hold() -> None:
    with pytest.raises(Refusals) as refused:
        chosen('serial = "SA"\nmin-size = "9G"', disk("sda"), disk("sdb"))
    assert "/dev/sda" in str(refused.value)
    assert "it is smaller: 8.6 GB (8.0 GiB)" in str(refused.value)


def test_refuses_several_matches_and_lists_them() -> None:
    with pytest.raises(Refusals) as refused:
        chosen('transport = "sata"', disk("sda"), disk("sdb"))
    assert "2 answer to transport" in str(refused.value)
    assert "serial SA" in str(refused.value)
    assert "serial SB" in str(refused.value)


def test_unusable_disk_does_not_make_a_selector_ambiguous() -> None:
    reader = disk("sdb", size=0)
    assert chosen('transport = "sata"', disk("sda"), reader) == "sda"


def test_near_misses_come_with_what_differs() -> None:
    words = refusal(recipe(ONE, disks="a", a='serial = "SX"\nmodel = "Same"'), machine(disk("sda", model="Same")))
    assert 'serial = "SX"' in words
    assert "its serial is" in words
    assert "its model" not in words


def test_refuses_two_selectors_on_one_disk() -> None:
    """fault 5: a disk has many names."""
    one = disk("sda", wwn="0x5000c500a0b1c2d3")
    words = refusal(recipe(MIRROR, a='serial = "SA"', b='wwn = "0x5000c500a0b1c2d3"'), machine(one, disk("sdb")))
    assert "Roles a and b are the same disk" in words


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"mounts": ("/data",)}, "mounted at /data"),
        ({"read_only": True}, "read-only"),
        ({"size": 0}, "no capacity"),
        ({"kind": "rom"}, "optical drive"),
        ({"children": (Node(name="sda1", path="/dev/sda1", kind="part", size=1, mounts=("/",)),)}, "running system"),
    ],
)
def test_refuses_unusable_disk_with_its_reason(facts: dict[str, object], reason: str) -> None:
    """fault 13, fault 22"""
    assert reason in refusal(recipe(ONE, disks="a"), machine(disk("sda", **facts), disk("sdb")))


def test_refuses_live_medium() -> None:
    """fault 1"""
    assert "live medium" in refusal(recipe(ONE, disks="a"), machine(disk("sda"), disk("sdb"), live_medium=("sda",)))


def test_unbound_role_names_the_remedy_and_the_disks() -> None:
    with pytest.raises(Refusals) as refused:
        chosen("", disk("sda"), disk("sdb", read_only=True))
    assert "--disk a=SERIAL" in str(refused.value)
    assert "serial SA" in str(refused.value)
    assert "serial SB" not in str(refused.value)


def test_all_problems_are_found_at_once() -> None:
    words = refusal(recipe(MIRROR, a='serial = "X"', b='serial = "Y"'), machine())
    assert "role a" in words
    assert "role b" in words


def test_control_characters_of_a_selector_do_not_reach_the_terminal() -> None:
    words = refusal(recipe(ONE, disks="a"), machine(disk("sdb", model="A\u001b[2JB")))
    assert "\u001b" not in words
