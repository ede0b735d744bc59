"""/home with a passphrase of its own: beside an encrypted root, and as all that is encrypted."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.recipe import rules
from installer.recipe.load import load, parse
from installer.recipe.model import NativeEncryption, Recipe, SwapKind
from installer.recipe.secrets import Kind, Secret, needed
from installer.recipe.write import dump
from screens import compose
from screens.answers import LAYOUTS, Answers, Dataset, Datasets, Encryption
from screens.encryption import Encrypt
from screens.layout import Layout
from screens.pool import PoolStep
from screens.reviewing import review
from screens.system import System
from tests.screens.catalogue import FULL, HOME, WORDS, changed
from tests.screens.house import Demo, recorded, swept
from tests.screens.step_alone import Alone, drive
from tests.screens.test_encryption import Compiled

SHIPPED = load(Path(__file__).parents[2] / "recipes" / "debian-native-home.toml")
OWN = "a stable of her own"
ALONE = changed(HOME, encryption=Encryption.NONE, passphrase=None, user_password=WORDS)


def of_home(recipe: Recipe) -> NativeEncryption | None:
    """Return the encryption of the dataset at /home."""
    return next(one.encryption for one in recipe.pool["rpool"].dataset if one.mount == "/home")


async def tick(alone: Alone) -> None:
    await alone.go("home")
    await alone.press("space")


@pytest.mark.parametrize("encryption", swept(list(Encryption), keep=1))
def test_it_is_ticked_and_typed_twice_beside_whatever_the_rest_is(encryption: Encryption) -> None:
    first = changed(FULL, encryption=encryption, recovery=Secret("kept in a drawer"), user_password=WORDS)

    async def steps(alone: Alone) -> None:
        assert "Passphrase of /home" not in alone.text()
        await tick(alone)
        await alone.press("enter")
        assert alone.focus() == "home_passphrase"
        for _ in range(2):
            await alone.write(OWN)
            await alone.press("enter")
        assert alone.focus() == "next"
        assert OWN not in alone.text()
        answers = await alone.leave("enter")
        assert answers == changed(first, home=True, home_passphrase=answers.home_passphrase)
        made = compose.recipe(answers)
        assert of_home(made) == NativeEncryption(secret="home-passphrase", wait=120)
        assert compose.secrets(answers)["home-passphrase"].reveal() == OWN
        assert rules.check(made) == ()
        assert parse(dump(made)) == made

    drive(Encrypt, steps, first)


def test_without_the_tick_nothing_of_it_is_in_the_recipe() -> None:
    left = changed(HOME, home=False, home_services="smbd.service")
    assert compose.recipe(left) == compose.recipe(FULL)
    assert compose.secrets(left).keys() == compose.secrets(FULL).keys()


def test_alone_it_is_what_the_shipped_recipe_does() -> None:
    made = compose.recipe(ALONE)
    own, shipped = of_home(made), of_home(SHIPPED)
    assert own
    assert shipped
    assert own.model_copy(update={"secret": shipped.secret}) == shipped
    assert made.crypt == SHIPPED.crypt == {}
    assert [vdev.over for vdev in made.pool["rpool"].vdevs] == [vdev.over for vdev in SHIPPED.pool["rpool"].vdevs]
    assert {need.kind for need in needed(made)} == {Kind.ZFS, Kind.PASSWORD}
    found = review(ALONE, recorded("synthetic-two-blank"), Demo("synthetic-two-blank"))
    assert found.problems == ()
    assert found.plan


def test_alone_the_four_lines_say_what_it_hides_and_f2_shows_it() -> None:
    async def steps(alone: Alone) -> None:
        assert "whoever gets a disk" in alone.text()
        await tick(alone)
        text = alone.text()
        assert "In /home: contents, names and rights of files" in text
        assert "ssh keys in /home wait too" in text
        assert "about the keyboard at boot" in text
        await alone.go("home_passphrase")
        await alone.write(OWN)
        await alone.press("f2")
        assert OWN in alone.text()

    drive(Encrypt, steps, changed(FULL, encryption=Encryption.NONE))


def test_the_same_rules_as_for_the_other_passphrase() -> None:
    async def steps(alone: Alone) -> None:
        await tick(alone)
        await alone.press("f10")
        assert alone.focus() == "home_passphrase"
        await alone.write("short")
        assert "fewer than 8" in alone.problem("home_passphrase")
        await alone.write("er by")
        assert "Short: allowed" in alone.text()
        await alone.press("enter")
        await alone.write("shorx")
        assert "from character 5 on" in alone.problem("home_passphrase_again")
        back = await alone.leave("escape")
        assert back.home_passphrase_again
        assert back.home_passphrase_again.reveal() == "shorx"

    drive(Encrypt, steps, FULL)


def test_characters_that_the_keymap_lacks_are_named() -> None:
    async def steps(alone: Alone) -> None:
        await alone.until(lambda: "has no key for characters 1, 3" in alone.problem("home_passphrase"))
        await alone.press("f10")
        assert not alone.left

    drive(Encrypt, steps, changed(ALONE, keymap="ru"), client=Compiled())


def test_how_long_and_what_waits_is_said_and_kept() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("home_wait")
        assert "zroot-key@tank-home.target" in " ".join(alone.text().split())
        await alone.press("right")
        await alone.go("home_services")
        await alone.write("smbd")
        assert "smbd" in alone.problem("home_services")
        await alone.write(".service nmbd.service")
        assert alone.problem("home_services") == ""
        answers = await alone.leave("f10")
        found = next(one.encryption for one in compose.recipe(answers).pool["tank"].dataset if one.mount == "/home")
        assert found
        assert (found.wait, found.services) == (300, ("smbd.service", "nmbd.service"))

    drive(Encrypt, steps, changed(HOME, pool="tank"))


def test_no_dataset_for_home_is_told_where_the_datasets_are() -> None:
    answers = changed(HOME, datasets=(Dataset(name="srv", mount="/srv"),))

    async def steps(alone: Alone) -> None:
        await alone.press("f10")
        assert not alone.left
        assert "No dataset has the mount point /home" in " ".join(alone.problem("datasets").split())

    drive(PoolStep, steps, answers)
    found = review(answers, recorded("synthetic-two-blank"), Demo("synthetic-two-blank"))
    assert [problem.step for problem in found.problems] == [5]
    assert compose.problems(changed(answers, forgets=True)) == {}, "there it has one"


def test_swap_never_holds_home_in_the_clear() -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("f10")
        assert not alone.left
        assert "Choose another kind of swap in step 2" in " ".join(alone.problem("home").split())

    zvol = changed(ALONE, swap=SwapKind.ZVOL, swap_size="300M")
    drive(Encrypt, steps, zvol)
    found = review(zvol, recorded("synthetic-two-blank"), Demo("synthetic-two-blank"))
    assert [problem.step for problem in found.problems] == [2]
    mirrored = changed(ALONE, swap=SwapKind.RAID, swap_size="300M")
    assert compose.recipe(mirrored).swap.over == "crypt.swap"

    async def told(alone: Alone) -> None:
        assert "new key each start" in alone.text()

    drive(Layout, told, mirrored)


def test_the_password_of_the_user_is_not_that_of_home() -> None:
    async def steps(alone: Alone) -> None:
        assert alone.focus() == "user_password"
        await alone.press("f10")
        assert not alone.left

    drive(System, steps, changed(ALONE, user_password=None))


@pytest.mark.parametrize("layout", list(Datasets))
def test_both_layouts_have_a_home_to_encrypt(layout: Datasets) -> None:
    answers: Answers = changed(HOME, datasets=LAYOUTS[layout])
    assert of_home(compose.recipe(answers))
