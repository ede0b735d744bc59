"""A system that is at every start as it was installed: the choice, what it keeps, and the recipe of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.recipe import rules
from installer.recipe.load import load, parse
from installer.recipe.stack import mounts
from installer.recipe.write import dump
from screens import compose, forgetting
from screens.answers import LAYOUTS, Answers, Dataset, Datasets, Encryption
from screens.system import System
from tests.screens.catalogue import FULL, KERNELS, changed
from tests.screens.step_alone import Alone, drive

SHIPPED = load(Path(__file__).parents[2] / "recipes" / "debian-impermanent.toml")
FORGETS = changed(FULL, forgets=True)
LISTS = {
    "separate": LAYOUTS[Datasets.SEPARATE],
    "simple": LAYOUTS[Datasets.SIMPLE],
    "none": (),
    "own": (
        Dataset(name="data", mount="/srv"),
        Dataset(name="keep", mount="/persist"),
        Dataset(name="x", mount="none"),
    ),
}


def test_one_key_makes_it_and_says_what_it_costs() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("forgets")
        assert "zroot-commit" in alone.text(), "in the help of the field"
        assert "GRUB's second entry" not in " ".join(alone.text().split())
        await alone.press("right")
        said = " ".join(alone.text().split())
        assert "Undone: all else, updates too" in said
        assert "GRUB's second entry starts with what changed" in said
        assert (await alone.leave("f10")) == FORGETS

    drive(System, steps, FULL)


def test_without_it_the_recipe_has_none_of_it() -> None:
    assert compose.recipe(FULL).persist is None
    assert "persist" not in dump(compose.recipe(FULL))


def test_what_is_kept_is_what_the_shipped_recipe_keeps() -> None:
    assert SHIPPED.persist
    assert compose.recipe(FORGETS).persist == SHIPPED.persist
    own = {mount for _, mount, _ in mounts(compose.recipe(FORGETS))}
    assert {mount for _, mount, _ in mounts(SHIPPED)} <= own


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("encryption", list(Encryption))
def test_with_every_list_of_datasets_the_same_is_kept_once(name: str, encryption: Encryption) -> None:
    answers = changed(FORGETS, datasets=LISTS[name], encryption=encryption)
    made = compose.recipe(answers)
    points = [mount for _, mount, _ in mounts(made)]
    assert rules.check(made) == ()
    assert len(points) == len(set(points))
    assert {"/home", "/root", "/srv", "/var/log", "/persist"} <= set(points)
    assert parse(dump(made)) == made


def test_what_has_a_dataset_is_not_on_the_list_too() -> None:
    answers = changed(
        FORGETS, datasets=(Dataset(name="local", mount="/usr/local"), Dataset(name="m", mount="/var/mail"))
    )
    kept = forgetting.persist(answers)["keep"]
    assert set(forgetting.KEPT) - set(kept) == {"/usr/local/", "/var/mail/"}
    assert compose.problems(answers) == {}


def test_a_dataset_inside_what_is_kept_is_told_beside_the_choice() -> None:
    answers = changed(FORGETS, datasets=(Dataset(name="cups", mount="/var/spool/cups"),))

    async def steps(alone: Alone) -> None:
        await alone.press("f10")
        assert alone.left == []
        assert alone.focus() == "forgets"
        assert "/var/spool/cups is mounted in /var/spool" in " ".join(alone.problem("forgets").split())

    drive(System, steps, answers)


@pytest.mark.parametrize(("answers", "told"), [(changed(KERNELS, forgets=True), True), (FORGETS, False)])
def test_only_grub_has_the_menu_for_it(answers: Answers, told: bool) -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("f10")
        assert bool(alone.left) != told
        if told:
            assert "Only GRUB's menu" in alone.problem("forgets")
            await alone.press("left", "f10")
            await alone.until(lambda: bool(alone.left))

    drive(System, steps, answers, machine="synthetic-two-blank-uefi")
