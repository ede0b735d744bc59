"""Layout: the table before and after, sizes that are checked as they are typed, swap, and what is cloned where."""

from __future__ import annotations

import pytest
from test_disks import GIB, With, disk, now_has

from installer.machine.model import Machine, Node
from installer.plan.build import make_plan
from installer.recipe.model import SwapKind
from installer.recipe.secrets import Secret
from screens import bars
from screens import compose as composing
from screens.answers import Answers, Encryption
from screens.bars import Piece
from screens.layout import Layout, Picture
from tests.screens.step_alone import TWO, Alone, drive

BIG = 100 * GIB


def said(alone: Alone) -> str:
    """Return the screen as one line of words, without what scrolls it."""
    return " ".join(alone.text().replace("█", " ").replace("░", " ").split())


async def typed(alone: Alone, name: str, text: str) -> None:
    """Put a text in the place of what stands in a field."""
    alone.field(name).control.focus()
    await alone.press("end", "ctrl+u")
    await alone.write(text)


def test_shows_each_disk_before_and_after_on_the_smallest_screen() -> None:
    async def steps(alone: Alone) -> None:
        text = alone.text()
        assert text.count("empty") == 2
        assert text.count("bios 1M esp 512M   boot 1G     pool 4.5 GiB") == 2
        assert "Left for the pool: 4.5 GiB of 6.0 GiB on each disk." in said(alone)
        assert "made on disk a (disk-a) and cloned with sgdisk to b (disk-b), with GUIDs of its own." in said(alone)
        assert alone.step.query_one("#body").max_scroll_y == 0
        assert alone.focus() == "next"

    drive(Layout, steps)


def test_names_what_is_there_now() -> None:
    async def steps(alone: Alone) -> None:
        for label in ("1 BIOS boot 1M 2 EFI 512M 3 RAID any:boot", "4 LUKS 3G free 1.5 GiB"):
            assert alone.text().count(label) == 2

    drive(Layout, steps, machine="synthetic-earlier-install")


def test_sizes_are_checked_as_they_are_typed() -> None:
    async def steps(alone: Alone) -> None:
        await typed(alone, "boot_size", "1400M")
        assert alone.problem("boot_size") == ""
        assert "pool 4.1 GiB" in alone.text()
        for wrong, why in (("2", "whole number with a unit"), ("", "whole number"), ("8M", "8M is too little")):
            await typed(alone, "boot_size", wrong)
            assert why in alone.problem("boot_size")
            assert "when the sizes above are right" in alone.text()
        await typed(alone, "boot_size", "3G")
        assert "Disk a is too small for this recipe. It has 6.4 GB (6.0 GiB)" in alone.problem("boot_size")
        await alone.press("f10")
        assert not alone.left
        await typed(alone, "boot_size", "1G")
        await typed(alone, "esp_size", "100M")
        assert "100M is too little. At least 260M." in alone.problem("esp_size")
        await typed(alone, "esp_size", "300M")
        assert (await alone.leave("f10")).esp_size == "300M"

    drive(Layout, steps)


def test_one_size_that_is_too_large_is_taken_back_in_another() -> None:
    async def steps(alone: Alone) -> None:
        await typed(alone, "boot_size", "1500M")
        await typed(alone, "esp_size", "1G")
        assert "too small" in alone.problem("boot_size")
        await typed(alone, "esp_size", "260M")
        assert alone.problem("boot_size") == ""

    drive(Layout, steps)


def test_the_size_of_swap_is_asked_where_it_means_something() -> None:
    async def steps(alone: Alone) -> None:
        size = alone.field("swap_size")
        alone.field("swap").control.focus()
        seen = []
        for _ in SwapKind:
            seen.append((alone.step.collect().swap, size.display))
            await alone.press("right")
        assert dict(seen) == {
            SwapKind.ZRAM: False,
            SwapKind.NONE: False,
            SwapKind.RANDOM_KEY: True,
            SwapKind.RAID: True,
            SwapKind.ZVOL: True,
        }

    drive(Layout, steps, Answers(disks=("S-SDA", "S-SDB")), client=With(disk("sda", size=BIG), disk("sdb", size=BIG)))


def test_swap_in_the_pool_comes_with_its_warning() -> None:
    async def steps(alone: Alone) -> None:
        assert "Swap on a ZFS volume can deadlock" in said(alone)
        assert "The swap volume takes 300M of the pool." in said(alone)
        await typed(alone, "swap_size", "4G")
        assert "holds 4.5 GiB, and 4.0 GiB of it are the least" in alone.problem("swap_size")

    drive(Layout, steps, TWO.model_copy(update={"swap": SwapKind.ZVOL, "swap_size": "300M"}))


@pytest.mark.parametrize("encryption", list(Encryption))
@pytest.mark.parametrize("swap", list(SwapKind))
def test_every_swap_makes_a_plan(swap: SwapKind, encryption: Encryption) -> None:
    """No choice of this screen is refused later, and none puts clear text beside an encrypted root."""
    machine: Machine = With(disk("sda", size=BIG), disk("sdb", size=BIG)).machine()
    answers = Answers(
        disks=("S-SDA", "S-SDB"),
        swap=swap,
        encryption=encryption,
        passphrase=Secret("correct horse"),
        recovery=Secret("kept in a drawer"),
        user_password=Secret("battery staple"),
        hostname="frodo",
        user="ann",
    )
    assert composing.problems(answers) == {}
    make_plan(composing.recipe(answers), machine)


def test_a_mirror_of_swap_needs_two_disks() -> None:
    async def steps(alone: Alone) -> None:
        alone.field("swap").control.focus()
        kinds = set()
        for _ in SwapKind:
            kinds.add(alone.step.collect().swap)
            await alone.press("right")
        assert kinds == set(SwapKind) - {SwapKind.RAID}
        assert "There is no other disk to clone it to." in said(alone)

    drive(Layout, steps, Answers(disks=("disk-a",)))


def test_back_is_exact() -> None:
    given = TWO.model_copy(update={"esp_size": "oops", "boot_size": "2G", "swap": SwapKind.RAID, "swap_size": "1G"})

    async def steps(alone: Alone) -> None:
        assert alone.focus() == "esp_size"
        assert await alone.leave("escape") == given

    drive(Layout, steps, given)


def test_a_chosen_disk_that_goes_is_named() -> None:
    client = With(disk("sda"), disk("sdb"))

    async def steps(alone: Alone) -> None:
        await now_has(alone, client, disk("sda"))
        assert "S-SDB is not there any more" in said(alone)
        await alone.press("f10")
        assert not alone.left
        await now_has(alone, client, disk("sda"), disk("sdb"))
        await alone.leave("f10")

    drive(Layout, steps, Answers(disks=("S-SDA", "S-SDB")), client=client)


def test_many_disks_are_all_reached_by_arrows() -> None:
    disks = [disk(f"sd{chr(97 + n)}", size=6 * GIB + n * GIB // 8) for n in range(24)]

    async def steps(alone: Alone) -> None:
        alone.field("swap").control.focus()
        for number in range(24):
            await alone.press("down")
            picture = alone.pilot.app.focused
            assert isinstance(picture, Picture)
            assert picture.role == "abcdefghijklmnopqrstuvwx"[number]
            assert f"{picture.role}  {disks[number].name}" in alone.text()
        assert "unused 2.9 GiB" in alone.text()
        await alone.press("down")
        assert alone.focus() == "next"

    drive(Layout, steps, Answers(disks=tuple(one.serial for one in disks), allow_unequal=True), client=With(*disks))


def test_a_bar_is_as_wide_as_it_may_be_and_names_what_has_room() -> None:
    bar, labels = bars.draw([Piece("one 1M", 1, "▒"), Piece("two 1G", 1000, "█")], 40)
    assert bar == "▒" * 6 + "│" + "█" * 33
    assert labels == "one 1M two 1G"
    _, labels = bars.draw([Piece("name 512M", 1, "▒"), Piece("another 16G", 9, "▒")], 16)
    assert labels == "name    another", "never half a number"
    many = [Piece(f"{n} part", n, "▒") for n in range(1, 60)]
    bar, labels = bars.draw(many, 66)
    assert len(bar) == 66
    assert len(labels) <= 66


def test_free_space_counts_and_an_extended_partition_does_not() -> None:
    parts = (
        Node(name="sda1", path="/dev/sda1", kind="part", number=1, size=GIB, fstype="ext4"),
        Node(name="sda2", path="/dev/sda2", kind="part", number=2, size=1024),
        Node(name="sda5", path="/dev/sda5", kind="part", number=5, size=2 * GIB, fstype="xfs"),
    )
    labels = [piece.label for piece in bars.before(disk("sda", children=parts, table="dos"))]
    assert labels == ["1 ext4 1G", "2 ? 1K", "5 xfs 2G", "free 3.0 GiB"]
