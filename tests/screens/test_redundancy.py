"""/boot and redundancy: the array and its metadata, the loaders of each disk, and what survives which failure."""

from __future__ import annotations

import pytest
from test_disks import With, disk

from installer.recipe.model import Firmware, VdevKind
from screens.answers import Answers, Loader, survives, topologies
from screens.redundancy import Redundancy, Row, rows
from tests.screens.step_alone import TWO, Alone, drive


def said(alone: Alone) -> str:
    """Return the screen as one line of words."""
    return " ".join(alone.text().split())


def test_each_metadata_has_its_reason() -> None:
    async def steps(alone: Alone) -> None:
        assert "md array (RAID1, ext4) over both disks" in said(alone)
        alone.field("metadata").control.focus()
        await alone.press("right")
        assert "At the end of the device" in said(alone)
        await alone.press("left")
        assert "At the start of the device" in said(alone)
        await alone.press("left")
        assert (await alone.leave("f10")).metadata == "1.0"

    drive(Redundancy, steps)


def test_one_disk_has_an_array_that_can_grow() -> None:
    async def steps(alone: Alone) -> None:
        assert "with a single member" in said(alone)
        assert "so a second disk can be added to it later" in said(alone)
        assert "1 │ lost │ lost │ lost │ no │ no" in said(alone)

    drive(Redundancy, steps, Answers(disks=("disk-a",)))


def test_with_systemd_boot_there_is_nothing_to_choose() -> None:
    async def steps(alone: Alone) -> None:
        assert alone.focus() == "next"
        assert not alone.field("metadata").display
        assert "Nothing is to be chosen here" in said(alone)
        assert "Each disk has an EFI partition with systemd-boot and every kernel" in said(alone)
        assert "md array" not in said(alone)
        assert "1 │ works │ on 1 disk │ on 1 disk │ never │ starts" in said(alone)

    answers = TWO.model_copy(update={"loader": Loader.SYSTEMD_BOOT})
    drive(Redundancy, steps, answers, machine="synthetic-two-blank-uefi")


def test_the_table_follows_the_topology_and_the_firmware() -> None:
    async def mirror(alone: Alone) -> None:
        assert "1 │ works │ on 1 disk │ on 1 disk │ starts │ starts" in said(alone)
        assert "Each disk has GRUB for BIOS and an EFI partition with GRUB for UEFI." in said(alone)

    async def stripe(alone: Alone) -> None:
        assert "1 │ lost │ on 1 disk │ on 1 disk │ no │ no" in said(alone)

    async def bios(alone: Alone) -> None:
        assert "1 │ works │ on 1 disk │ none │ starts │ never" in said(alone)

    drive(Redundancy, mirror)
    drive(Redundancy, stripe, TWO.model_copy(update={"topology": VdevKind.STRIPE}))
    drive(Redundancy, bios, TWO.model_copy(update={"firmware": (Firmware.BIOS,)}))


def test_large_sectors_start_by_uefi_only() -> None:
    client = With(disk("sda", logical_sector=4096), disk("sdb", logical_sector=4096))

    async def steps(alone: Alone) -> None:
        assert "1 │ works │ on 1 disk │ on 1 disk │ never │ starts" in said(alone)
        assert "GRUB for BIOS" not in said(alone)

    drive(Redundancy, steps, Answers(disks=("S-SDA", "S-SDB")), client=client)


def test_numbers_that_come_to_the_same_share_a_row() -> None:
    assert rows(VdevKind.STRIPED_MIRRORS, count=6, bios=True, uefi=True) == (
        Row("none", "whole", "whole", "whole", "starts", "starts"),
        Row("1", "works", "on 5 disks", "on 5 disks", "starts", "starts"),
        Row("2 to 3", "may work", "on the rest", "on the rest", "may start", "may start"),
        Row("4 to 5", "lost", "on the rest", "on the rest", "no", "no"),
        Row("6", "lost", "lost", "lost", "no", "no"),
    )


@pytest.mark.parametrize("count", range(1, 9))
def test_no_topology_promises_more_than_it_keeps(count: int) -> None:
    for kind in topologies(count):
        always, at_best = survives(kind, count=count)
        found = {row.failed: row for row in rows(kind, count=count, bios=True, uefi=True)}
        for failed in range(count + 1):
            row = next(row for span, row in found.items() if failed in _span(span))
            assert (row.pool in ("whole", "works")) == (failed <= always)
            assert (row.bios == "no") == (failed > at_best)
            assert (row.boot == "lost") == (failed == count)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_the_longest_table_fits(size: tuple[int, int]) -> None:
    async def steps(alone: Alone) -> None:
        assert alone.step.query_one("#body").max_scroll_y == 0
        assert "It may work: as long as no mirror loses both of its disks." in said(alone)

    disks = tuple(f"sd{chr(97 + n)}" for n in range(24))
    answers = Answers(disks=tuple(f"S-{name.upper()}" for name in disks), topology=VdevKind.STRIPED_MIRRORS)
    drive(Redundancy, steps, answers, client=With(*map(disk, disks)), size=size)


def _span(said_: str) -> range:
    first, _, last = said_.partition(" to ")
    return range(1) if first == "none" else range(int(first), int(last or first) + 1)
