"""The pool screen: the drawing and its numbers, properties, and the list of datasets."""

from __future__ import annotations

import pytest
from textual.widgets import Static

from installer.machine.model import Machine
from installer.recipe.model import VdevKind
from screens import compose as composing
from screens import topology
from screens.answers import LAYOUTS, Answers, Dataset, Datasets, topologies, usable
from screens.datasets import Edit, Row
from screens.fields import Entry, Press
from screens.pool import PoolStep
from tests.screens.step_alone import MACHINES, TWO, Alone, Demo, drive

MANY = Answers(disks=("disk-a", "disk-b", "disk-c", "disk-d"))
WHOLE = TWO.model_copy(update={"hostname": "frodo", "user": "ann"})


async def open_options(alone: Alone) -> None:
    await alone.go("#options")
    await alone.press("enter")


def test_accepted_as_it_is() -> None:
    async def steps(alone: Alone) -> None:
        assert alone.focus() == "next"
        assert await alone.leave("enter") == TWO

    drive(PoolStep, steps)


def test_drawing_and_numbers_follow_the_choice() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("topology")
        assert "mirror" in alone.text()
        assert "about 4.8 GB of 9.6 GB" in alone.text()
        assert "any one of 2 disks" in alone.text()
        await alone.press("right")
        assert alone.text().count("┌ disk ┐") == 2
        assert "about 9.6 GB of 9.6 GB" in alone.text()
        assert "then all is lost" in alone.text()
        assert (await alone.leave("f10")).topology is VdevKind.STRIPE

    drive(PoolStep, steps)


def test_numbers_are_those_of_the_layout() -> None:
    """The larger the other partitions, the smaller the pool."""

    async def steps(alone: Alone) -> None:
        assert "about 1.6 GB of 3.2 GB" in alone.text()

    drive(PoolStep, steps, TWO.model_copy(update={"boot_size": "4G"}))


def test_recommended_topology_goes_with_the_number_of_disks() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("topology")
        await alone.press("right", "left")
        assert (await alone.leave("f10")).topology is None

    drive(PoolStep, steps)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 26])
@pytest.mark.parametrize("width", [55, 75, 115])
def test_every_drawing_has_every_disk_once_and_fits(count: int, width: int) -> None:
    for kind in topologies(count):
        art = topology.drawing(kind, count=count, pool="p" * 64, width=width)
        text = topology.picture(art, topology.facts(kind, count=count, member=10**12), width=width)
        assert max(map(len, text.splitlines())) <= width
        inside = " ".join(art[1:]).translate(dict.fromkeys(map(ord, "│║─┌┐└┘"), " "))
        roles = sorted(word for word in inside.split() if word.isalpha() and len(word) == 1)
        assert roles == list("abcdefghijklmnopqrstuvwxyz"[:count]), kind


@pytest.mark.parametrize(
    ("kind", "count", "said"),
    [
        (VdevKind.SINGLE, 1, "if the disk fails, all is lost"),
        (VdevKind.STRIPE, 2, "no failed disk"),
        (VdevKind.MIRROR, 3, "any 2 of 3"),
        (VdevKind.STRIPED_MIRRORS, 6, "any one of 6 disks; 3, one of each pair"),
        (VdevKind.RAIDZ3, 8, "any 3 of 8"),
        (VdevKind.DRAID2, 12, "any 2 of 12 disks; a third once the spare is filled"),
    ],
)
def test_losses(kind: VdevKind, count: int, said: str) -> None:
    assert said in topology.losses(kind, count=count)


@pytest.mark.parametrize(("count", "tenths"), [(6, 30), (11, 80), (12, 88), (24, 184)])
def test_draid_has_a_spare_and_two_of_parity_in_each_group(count: int, tenths: int) -> None:
    assert usable(VdevKind.DRAID2, count=count, size=10) == tenths
    assert composing.document(Answers(disks=tuple("abcdefghijklmnopqrstuvwx"[:count]), topology=VdevKind.DRAID2))[
        "pool"
    ]["rpool"]["vdevs"] == [{"kind": "draid2", "over": "crypt.pool", "spares": 1}]


def test_draid_is_offered_where_it_makes_sense_and_never_first() -> None:
    assert VdevKind.DRAID2 not in topologies(5)
    assert VdevKind.DRAID2 in topologies(6)
    assert topologies(26)[0] is VdevKind.RAIDZ2


def test_options_open_in_place_and_come_back() -> None:
    async def steps(alone: Alone) -> None:
        assert "compression  " not in alone.text()
        await open_options(alone)
        assert "12, as the disks' sectors" in alone.text()
        await alone.go("compression")
        assert "gives up by itself" in alone.text()
        await alone.press("right")
        await alone.go("ashift")
        await alone.press("left")
        await alone.go("#options")
        await alone.press("enter")
        assert "changed: ashift, compression" in alone.text()
        answers = await alone.leave("f10")
        assert (answers.compression, answers.ashift) == ("zstd", 16)

    drive(PoolStep, steps)


def test_blocks_smaller_than_sectors_are_refused_where_they_are_chosen() -> None:
    async def steps(alone: Alone) -> None:
        assert alone.focus() == "ashift"
        await alone.press("f10")
        assert not alone.left
        assert "sectors of 4096 bytes: 12 at least" in alone.problem("ashift")

    class LargeSectors(Demo):
        def machine(self) -> Machine:
            found = super().machine()
            disks = (disk.model_copy(update={"logical_sector": 4096}) for disk in found.disks)
            return found.model_copy(update={"disks": tuple(disks)})

    client = LargeSectors(MACHINES / "synthetic-two-blank-uefi.json")
    drive(PoolStep, steps, TWO.model_copy(update={"ashift": 9}), client=client)


def test_autotrim_says_that_it_needs_discard() -> None:
    async def steps(alone: Alone) -> None:
        await open_options(alone)
        assert "autotrim stays off" in alone.text()

    drive(PoolStep, steps, TWO.model_copy(update={"discard": False}))


def test_name_of_a_pool_that_is_there_is_refused() -> None:
    async def steps(alone: Alone) -> None:
        assert alone.focus() == "pool"
        await alone.press("f10")
        assert "already a pool called tank" in alone.problem("pool")

    answers = TWO.model_copy(update={"pool": "tank"})
    drive(PoolStep, steps, answers, machine="synthetic-earlier-install")


def test_bad_name_of_a_pool_is_told_at_once() -> None:
    async def steps(alone: Alone) -> None:
        for name in ("", "mirror1", "9lives", "a b"):
            await alone.go("pool")
            await alone.press("home", "ctrl+k")
            await alone.write(name)
            assert "name" in alone.problem("pool")
            assert "pool." not in alone.problem("pool")

    drive(PoolStep, steps)


def rows(alone: Alone) -> list[str]:
    return [" ".join(str(row.render()).split()) for row in alone.step.query(Row)]


def test_layout_can_be_chosen_and_what_was_edited_stays_a_choice() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("Row")
        await alone.press("delete")
        edited = ["home/root /root", "srv /srv", "var/log /var/log", "var/cache /var/cache"]
        assert rows(alone) == edited
        await alone.go("datasets")
        await alone.press("left")
        assert rows(alone) == ["home /home"]
        await alone.press("right")
        assert rows(alone) == edited
        answers = await alone.leave("f10")
        assert answers.datasets == LAYOUTS[Datasets.SEPARATE][1:]

    drive(PoolStep, steps)


def test_dataset_is_added_renamed_and_removed() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("#add")
        await alone.press("enter")
        await alone.write("srv/photos")
        await alone.press("enter")
        await alone.write("/srv/photos")
        await alone.press("enter", "enter")
        assert rows(alone)[-1] == "srv/photos /srv/photos"
        assert alone.focus() == "Row"
        await alone.press("enter", "tab", "delete")
        await alone.write("/photos")
        await alone.press("enter", "enter")
        assert rows(alone)[-1] == "srv/photos /photos"
        await alone.press("enter", "escape")
        assert rows(alone)[-1] == "srv/photos /photos"
        await alone.press("enter", "tab", "tab", "tab", "enter")
        assert len(rows(alone)) == 5
        assert (await alone.leave("f10")).datasets == LAYOUTS[Datasets.SEPARATE]

    drive(PoolStep, steps)


BAD = (
    ("", "/x", "name", "Type a name"),
    ("x", "", "mount", "Type a folder"),
    ("home", "/x", "name", "There is a home already"),
    ("ROOT", "/x", "name", "already"),
    ("my photos", "/x", "name", "letters, digits"),
    ("x", "/home", "mount", "the mount point of home already"),
    ("x", "/", "mount", "the root file system"),
    ("x", "/boot", "mount", "the md array of /boot"),
    ("x", "/usr", "mount", "belongs to the system"),
    ("x", "photos", "mount", "an absolute path"),
)


def test_bad_dataset_is_told_beside_its_entry() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("#add")
        await alone.press("enter")
        window = alone.pilot.app.screen
        assert isinstance(window, Edit)
        for name, mount, where, said in BAD:
            for key, text in (("name", name), ("mount", mount)):
                window.query_one(f"#field-{key} Entry", Entry).value = text
            window.query_one("#save", Press).focus()
            await alone.press("enter")
            assert said in str(window.query_one(f"#field-{where} .problem", Static).render())
            assert alone.pilot.app.screen is window

    drive(PoolStep, steps)


def test_datasets_of_the_answers_are_checked_before_the_host_name_is_known() -> None:
    clash = TWO.model_copy(update={"datasets": (Dataset(name="a", mount="/home"), Dataset(name="b", mount="/home"))})

    async def steps(alone: Alone) -> None:
        await alone.press("f10")
        assert not alone.left
        assert "/home is the mount point of" in alone.problem("datasets")

    drive(PoolStep, steps, clash)


def test_what_is_edited_gives_a_recipe_without_problems() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("#add")
        await alone.press("enter")
        await alone.write("data/deep/photos")
        await alone.press("enter")
        await alone.write("/photos")
        await alone.press("enter", "enter")
        answers = await alone.leave("f10")
        assert list(composing.problems(answers)) == [""]  # the passphrase, which another screen asks
        made = composing.recipe(answers)
        assert made.pool["rpool"].dataset[-1].mount == "/photos"

    drive(PoolStep, steps, WHOLE)


def test_sentences_keep_their_place_beside_a_wide_drawing() -> None:
    answers = Answers(disks=tuple(f"ZR5{number:05}" for number in range(6)), topology=VdevKind.STRIPED_MIRRORS)

    async def steps(alone: Alone) -> None:
        text = alone.text()
        kind = VdevKind.STRIPED_MIRRORS
        art = topology.drawing(kind, count=6, pool="rpool", width=75)
        said = topology.facts(kind, count=6, member=18 * 10**12)
        for line in topology.picture(art, said, width=75).splitlines():
            assert f"  {line}" in text

    drive(PoolStep, steps, answers, machine="synthetic-many-disks")
    long = answers.model_copy(update={"topology": VdevKind.STRIPE})

    async def below(alone: Alone) -> None:
        assert "\n  Survives  no failed disk" in alone.text()

    drive(PoolStep, below, long, machine="synthetic-many-disks", size=(60, 24))


def test_many_disks_stay_readable() -> None:
    async def steps(alone: Alone) -> None:
        assert "raidz2" in alone.text()
        assert "any 2 of 4 disks" in alone.text()

    drive(PoolStep, steps, MANY, machine="synthetic-earlier-install", size=(60, 20))
