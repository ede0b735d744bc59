"""Disks: what is offered and why not, the order of choosing, disks that come and go, and what does not fit."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from installer.errors import Refusal
from installer.machine.model import Disk, Machine, Node
from screens.answers import Answers
from screens.disklist import DiskList
from screens.disks import Disks
from screens.fields import Tick
from tests.screens.house import BOTH
from tests.screens.step_alone import MACHINES, Alone, Demo, drive

GIB = 1024**3
NOTHING = Answers()


def disk(name: str, **facts: object) -> Disk:
    """Make a blank disk of 6 GiB with a serial."""
    known: dict[str, object] = {
        "name": name,
        "path": f"/dev/{name}",
        "link": f"/dev/disk/by-id/ata-{name}",
        "by_id": (f"/dev/disk/by-id/ata-{name}",),
        "by_path": (f"/dev/disk/by-path/pci-{name}",),
        "serial": f"S-{name.upper()}",
        "model": "WDC WD40",
        "transport": "sata",
        "size": 6 * GIB,
    }
    return Disk.model_validate(known | facts)


class With(Demo):
    """A machine with these disks."""

    def __init__(self, *disks: Disk) -> None:
        super().__init__(MACHINES / "synthetic-two-blank.json")
        self.disks = disks
        self.read: list[str] = []
        self.fails = ""
        self.stopped = threading.Event()

    def machine(self) -> Machine:
        """Return the machine of the two blank disks, with others."""
        return super().machine().model_copy(update={"disks": self.disks})

    def blink(self, path: str, stop: Callable[[], bool]) -> None:
        """Remember the disk, and wait until the key is pressed again."""
        self.read.append(path)
        if self.fails:
            raise Refusal(self.fails)
        for _ in range(1000):
            if stop():
                self.stopped.set()
                return
            threading.Event().wait(0.01)


async def now_has(alone: Alone, client: With, *disks: Disk) -> None:
    """Let the app find these disks, as its watch would tell it."""
    client.disks = disks
    alone.pilot.app._know(client.machine(), "")  # type: ignore[attr-defined]
    await alone.pilot.pause()


def at(alone: Alone) -> str:
    """Name the disk in focus."""
    line = alone.step.query_one(DiskList).at
    assert line
    return line.disk.name


def said(alone: Alone) -> str:
    """Return the screen as one line of words."""
    return " ".join(alone.text().split())


def test_order_of_choosing_gives_the_roles() -> None:
    async def steps(alone: Alone) -> None:
        assert alone.focus() == "disks"
        await alone.press("down", "space", "up", "space")
        assert ">[b] vda" in alone.text()
        assert " [a] vdb" in alone.text()
        await alone.press("down", "space")
        assert " [a] vda" in alone.text()
        await alone.press("space", "enter")
        assert alone.focus() == "next"
        answers = await alone.leave("enter")
        assert answers.disks == ("disk-a", "disk-b")

    drive(Disks, steps, NOTHING)


def test_two_disks_take_five_keys() -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("space", "down", "space", "enter")
        assert (await alone.leave("enter")).disks == ("disk-a", "disk-b")

    drive(Disks, steps, NOTHING)


def test_back_is_exact() -> None:
    async def steps(alone: Alone) -> None:
        assert alone.focus() == "next"
        assert (await alone.leave("escape")).disks == ("disk-b", "disk-a")

    drive(Disks, steps, Answers(disks=("disk-b", "disk-a")))


def test_nothing_chosen_does_not_go_on() -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("f10")
        assert not alone.left
        assert "Choose at least one disk" in alone.problem("disks")
        await alone.press("space")
        assert alone.problem("disks") == ""

    drive(Disks, steps, NOTHING)


def test_what_cannot_be_used_stays_in_sight_with_the_reason() -> None:
    async def steps(alone: Alone) -> None:
        assert "It is an optical drive." in alone.text()
        await alone.press("end")
        assert at(alone) == "loop0"
        await alone.press("space")
        assert "loop0 cannot be used. It is a loop device" in said(alone)
        assert alone.step.query_one(DiskList).answer() == ()

    drive(Disks, steps, NOTHING)


def test_the_cursor_reaches_every_disk_and_the_details_follow() -> None:
    async def steps(alone: Alone) -> None:
        names = []
        for _ in range(40):
            names.append(at(alone))
            assert f"/dev/{names[-1]}:" in alone.text()
            await alone.press("down")
            if alone.focus() != "disks":
                break
        assert len(names) == len(set(names)) == 22

    drive(Disks, steps, NOTHING, machine="synthetic-odd-disks")


def test_twins_are_told_apart() -> None:
    same = {"serial": "SAME", "ambiguous": ("SAME",)}
    client = With(
        disk("sda", wwn="0x50014ee2b0000001", **same),
        disk("sdb", wwn="0x50014ee2b0000002", **same),
        disk("sdc", **same),
    )

    async def steps(alone: Alone) -> None:
        text = alone.text()
        for name in ("2b0000001", "2b0000002", "pci-sdc"):
            assert name in text
        await alone.press("space", "down", "down", "space")
        assert (await alone.leave("f10")).disks == ("0x50014ee2b0000001", "/dev/disk/by-path/pci-sdc")

    drive(Disks, steps, NOTHING, client=client)


def test_a_disk_without_any_name_cannot_be_chosen() -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("space")
        assert "by which a recipe could name it" in said(alone)
        assert alone.step.query_one(DiskList).answer() == ()

    drive(Disks, steps, NOTHING, client=With(disk("sda", serial="", by_path=(), by_id=(), link="/dev/sda")))


def test_cursor_stays_on_its_disk_when_others_come_and_go() -> None:
    sda, sdb, sdc = disk("sda"), disk("sdb"), disk("sdc")
    client = With(sdb)

    async def steps(alone: Alone) -> None:
        await alone.press("space")
        await now_has(alone, client, sda, sdb, sdc)
        assert at(alone) == "sdb"
        assert "sda (S-SDA) was attached." in said(alone)
        assert "sdc (S-SDC) was attached." in said(alone)
        await now_has(alone, client, sdb, sdc)
        assert at(alone) == "sdb"
        assert "sda (S-SDA) is gone." in said(alone)
        assert alone.step.query_one(DiskList).answer() == ("S-SDB",)

    drive(Disks, steps, NOTHING, client=client)


def test_a_chosen_disk_that_goes_is_un_chosen_and_named() -> None:
    sda, sdb = disk("sda"), disk("sdb")
    client = With(sda, sdb)

    async def steps(alone: Alone) -> None:
        await alone.press("space", "down", "space", "tab")
        await now_has(alone, client, sdb)
        assert "! sda (S-SDA) is un-chosen. It is gone." in alone.text()
        assert ">[a] sdb" in alone.text()
        await now_has(alone, client, sdb.model_copy(update={"mounts": ("/mnt",)}))
        assert "sdb (S-SDB) is un-chosen. /dev/sdb is mounted at /mnt." in said(alone)
        assert "Choose at least one disk" in alone.problem("disks")
        await alone.press("f10")
        assert not alone.left

    drive(Disks, steps, NOTHING, client=client)


def test_an_answer_whose_disk_went_meanwhile_is_void() -> None:
    async def steps(alone: Alone) -> None:
        assert "gone-disk is un-chosen. It is gone." in said(alone)
        assert (await alone.leave("escape")).disks == ("disk-a",)

    drive(Disks, steps, Answers(disks=("disk-a", "gone-disk")))


def test_a_twin_that_comes_changes_the_name_and_not_the_choice() -> None:
    alone_here = disk("sda", serial="SAME", wwn="0x50014ee2b0000001")
    twins = (
        alone_here.model_copy(update={"ambiguous": ("SAME",)}),
        disk("sdb", serial="SAME", wwn="0x50014ee2b0000002", ambiguous=("SAME",)),
    )
    client = With(alone_here)

    async def steps(alone: Alone) -> None:
        await alone.press("space")
        await now_has(alone, client, *twins)
        assert "un-chosen" not in alone.text()
        assert (await alone.leave("f10")).disks == ("0x50014ee2b0000001",)

    drive(Disks, steps, NOTHING, client=client)


def test_one_disk_is_allowed_and_its_price_said() -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("space")
        assert "no redundancy: if its disk fails, all of it is lost" in said(alone)
        assert "it can be grown when a second disk comes" in said(alone)
        await alone.leave("f10")

    drive(Disks, steps, NOTHING)


def test_unlike_sizes_are_told_in_numbers_and_can_be_allowed() -> None:
    client = With(disk("sda"), disk("sdb", size=12 * GIB))

    async def steps(alone: Alone) -> None:
        assert not alone.field("allow_unequal").display
        await alone.press("space", "down", "space")
        problem = alone.problem("allow_unequal")
        assert "differ by more than 10 percent" in problem
        assert "6.4 GB (6.0 GiB)" in problem
        assert "12.9 GB (12.0 GiB)" in problem
        await alone.press("f10")
        assert alone.focus() == "allow_unequal"
        await alone.press("space")
        assert alone.problem("allow_unequal") == ""
        assert "6.4 GB (6.0 GiB) of it stay unused" in said(alone)
        answers = await alone.leave("f10")
        assert answers.allow_unequal

    async def taken_back(alone: Alone) -> None:
        assert alone.step.query_one(Tick).answer()
        await alone.press("shift+tab", "shift+tab", "shift+tab", "down", "space")
        assert not (await alone.leave("escape")).allow_unequal

    drive(Disks, steps, NOTHING, client=client)
    drive(Disks, taken_back, Answers(disks=("S-SDA", "S-SDB"), allow_unequal=True), client=client)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"logical_sector": 4096}, "sectors of different sizes. Disk a: 512 bytes. Disk b: 4096 bytes."),
        ({"size": 5 * GIB}, "Disk b is too small for this recipe. It has 5.4 GB (5.0 GiB); the recipe needs"),
    ],
)
def test_what_does_not_fit_together_is_said_as_the_engine_says_it(facts: dict[str, object], words: str) -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("f10")
        assert not alone.left
        assert words in said(alone)

    answers = Answers(disks=("S-SDA", "S-SDB"), allow_unequal=True)
    drive(Disks, steps, answers, client=With(disk("sda"), disk("sdb", **facts)))


def test_a_group_that_reaches_another_disk_is_a_problem() -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("down", "down", "space")
        assert "data-vg lies on it and also on vdd" in said(alone)
        await alone.press("f10")
        assert not alone.left

    drive(Disks, steps, NOTHING, machine="synthetic-earlier-install")


def test_blinks_without_standing_in_the_way_and_stops_on_the_key() -> None:
    client = With(disk("sda"), disk("sdb"))

    async def steps(alone: Alone) -> None:
        await alone.press("down", "b")
        await alone.until(lambda: client.read == ["/dev/disk/by-id/ata-sdb"])
        assert "Reading sdb (S-SDB) for five seconds" in said(alone)
        await alone.press("up", "space")
        assert ">[a] sda" in alone.text(), "keys work meanwhile"
        await alone.press("b")
        await alone.until(client.stopped.is_set)
        assert "is not read any more" in said(alone)

    drive(Disks, steps, NOTHING, client=client)


def test_says_why_a_disk_cannot_be_read() -> None:
    client = With(disk("sda"), disk("sdh", size=0))
    client.fails = "/dev/sda cannot be read."

    async def steps(alone: Alone) -> None:
        await alone.press("b")
        await alone.until(lambda: "! /dev/sda cannot be read." in alone.text())
        await alone.press("end", "b")
        assert "There is nothing in sdh (S-SDH) to read." in said(alone)
        assert len(client.read) == 1

    drive(Disks, steps, NOTHING, client=client)


def test_details_name_every_partition() -> None:
    parts = tuple(
        Node(name=f"sda{n}", path=f"/dev/sda{n}", kind="part", number=n, size=GIB, fstype="ntfs", part_label=f"L{n}")
        for n in range(1, 13)
    )

    async def steps(alone: Alone) -> None:
        assert "more lines: d)" in alone.text()
        await alone.press("d")
        assert 'Windows file system (NTFS) "L1"' in alone.text()
        await alone.press("pagedown")
        assert '"L12"' in alone.text()
        await alone.press("escape")
        assert alone.focus() == "disks"

    drive(Disks, steps, NOTHING, client=With(disk("sda", children=parts, table="gpt")))


@pytest.mark.parametrize("size", [*BOTH, pytest.param((60, 20), marks=pytest.mark.sweep)])
def test_many_disks_scroll(size: tuple[int, int]) -> None:
    client = With(*(disk(f"sd{chr(97 + n)}") for n in range(24)))

    async def steps(alone: Alone) -> None:
        if size[1] < 40:
            assert "↓" in alone.text()
        await alone.press("end")
        assert at(alone) == "sdx"
        assert ">[ ] sdx" in alone.text()
        assert "↓" not in alone.text()
        for _ in range(24):
            await alone.press("space", "up")
        answers = alone.step.collect()
        assert answers.disks[0] == "S-SDX"
        assert len(answers.disks) == 24
        assert "Any 2 of the 24 members" in said(alone)

    drive(Disks, steps, NOTHING, client=client, size=size)


def test_the_words_of_a_machine_are_never_markup() -> None:
    async def steps(alone: Alone) -> None:
        assert "[red]x[/" in alone.text()

    drive(Disks, steps, NOTHING, client=With(disk("sda", model="[red]x[/red] [@click=quit]")), size=(120, 40))
