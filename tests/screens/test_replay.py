"""Replay: a recipe is chosen, its roles and secrets are filled in, and nothing of that gets lost on the way back."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Static

from installer.machine.model import Machine
from installer.recipe.load import parse
from installer.recipe.write import rebind
from installer.run import shelf
from installer.run.client import Found
from screens.answers import Answers
from screens.desk import Desk
from screens.replay import Recipes, Replay
from screens.reviewing import Install
from screens.roles import Roles
from screens.step import Move
from tests.screens.step_alone import MACHINES, Alone, Demo, drive

SHIPPED = {one.title: one for one in shelf.shipped()}
MIRROR, SINGLE = SHIPPED["Debian on a LUKS mirror, md /boot"], SHIPPED["Debian on one LUKS disk, md /boot"]
BOUND = rebind(MIRROR.text, {"a": "disk-a", "b": "disk-b"})
PASSPHRASE, PASSWORD = "correct horse battery", "a password"


class Shelf(Demo):
    """A machine with recipes of its own."""

    def __init__(self, *found: Found) -> None:
        super().__init__(MACHINES / "synthetic-two-blank.json")
        self.found = found

    def recipes(self, machine: Machine | None) -> tuple[Found, ...]:
        """Return those of the test."""
        return (*self.found, MIRROR)


def found(alone: Alone) -> Found:
    given = alone.left[0].given
    assert isinstance(given, Found)
    return given


async def listed(alone: Alone, count: int) -> None:
    await alone.until(lambda: alone.step.query_one(Recipes).option_count == count)


# The list.


def test_the_first_recipe_takes_one_key() -> None:
    async def steps(alone: Alone) -> None:
        await listed(alone, len(SHIPPED))
        await alone.leave("enter")
        assert found(alone) == MIRROR

    drive(Replay, steps)


def test_recipes_of_sticks_and_one_that_was_cut_off_are_named_as_such() -> None:
    stick = Found(title="Mine", where="mine.toml, on /dev/sdb1", text=BOUND)
    cut = Found(title="Half", where="was interrupted", text=BOUND, unfinished=True)

    async def steps(alone: Alone) -> None:
        await listed(alone, 3)
        assert "RESUME: Half" in alone.text()
        assert "File    was interrupted" in alone.text()
        await alone.press("down")
        await alone.until(lambda: "mine.toml, on /dev/sdb1" in alone.text())
        await alone.leave("f10")
        assert found(alone) == stick

    drive(Replay, steps, client=Shelf(cut, stick))


def test_a_stick_that_comes_later_does_not_move_the_mark() -> None:
    client = Shelf(SINGLE)

    async def steps(alone: Alone) -> None:
        await listed(alone, 2)
        await alone.press("down")
        client.found = (Found(title="New", where="new.toml, on /dev/sdb1", text=BOUND), SINGLE)
        alone.step.machine_changed(client.machine())
        await listed(alone, 3)
        await alone.leave("enter")
        assert found(alone) == MIRROR

    drive(Replay, steps, client=client)


def test_a_path_can_be_typed(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(BOUND)

    async def steps(alone: Alone) -> None:
        await listed(alone, len(SHIPPED))
        await alone.press("tab")
        alone.field("path").control.value = str(file)  # type: ignore[union-attr]
        await alone.press("enter")
        await alone.until(lambda: bool(alone.left))
        assert found(alone).text == BOUND

    drive(Replay, steps)


@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), ("zroot = 1", "is missing"), ("[", "TOML")])
def test_a_file_that_is_no_recipe_is_said_beside_the_field(tmp_path: Path, content: str | None, said: str) -> None:
    file = tmp_path / "mine.toml"
    if content is not None:
        file.write_text(content)

    async def steps(alone: Alone) -> None:
        await listed(alone, len(SHIPPED))
        await alone.press("tab")
        alone.field("path").control.value = str(file)  # type: ignore[union-attr]
        await alone.press("enter")
        await alone.until(lambda: said in alone.problem("path"))
        assert alone.left == []

    drive(Replay, steps)


# Roles and secrets.


def roles(of: Found) -> object:
    def make(desk: Desk, answers: Answers) -> Roles:
        desk.machine = desk.client.machine()
        return Roles(desk, answers, found=of)

    return make


def given(alone: Alone) -> Install:
    left = alone.left[0].given
    assert isinstance(left, tuple)
    assert isinstance(left[0], Install)
    return left[0]


async def fill(alone: Alone) -> None:
    """Choose both disks and type both secrets twice, by keys alone."""
    await alone.press("right", "enter", "right", "right", "enter")
    for text in (PASSPHRASE, PASSPHRASE, PASSWORD, PASSWORD):
        await alone.write(text)
        await alone.press("enter")


def test_roles_and_secrets_make_an_installation() -> None:
    async def steps(alone: Alone) -> None:
        await fill(alone)
        assert alone.focus() == "next"
        await alone.leave("enter")
        install = given(alone)
        assert install.recipe == BOUND
        assert {name: secret.reveal() for name, secret in install.secrets.items()} == {
            "passphrase": PASSPHRASE,
            "user-password": PASSWORD,
        }
        assert PASSPHRASE not in repr(alone.left[0])

    drive(roles(MIRROR), steps)  # type: ignore[arg-type]


def test_nothing_is_chosen_before_somebody_chooses() -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("f10")
        assert alone.left == []
        assert "Choose a disk" in alone.problem("role-a")
        assert "Choose a disk" in alone.problem("role-b")
        assert "fewer than 8" in alone.problem("secret-passphrase")

    drive(roles(MIRROR), steps)  # type: ignore[arg-type]


def test_a_disk_is_one_role_and_two_typings_are_one_secret() -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("right", "enter", "right")
        assert "This is disk a already" in alone.problem("role-b")
        await alone.press("right", "enter")
        assert alone.problem("role-b") == ""
        await alone.write(PASSPHRASE)
        await alone.press("enter")
        await alone.write("correct h")
        assert alone.problem("secret-passphrase-again") == ""
        await alone.write("x")
        assert "differ" in alone.problem("secret-passphrase-again")

    drive(roles(MIRROR), steps)  # type: ignore[arg-type]


def test_a_role_that_names_its_disk_needs_no_answer_and_the_recipe_stays_as_it_is() -> None:
    of = Found(title="Mine", where="mine.toml", text=BOUND)

    async def steps(alone: Alone) -> None:
        assert "as the recipe says" in alone.text()
        for text in (PASSPHRASE, PASSPHRASE, PASSWORD, PASSWORD):
            await alone.write(text)
            await alone.press("enter")
        await alone.leave("enter")
        assert given(alone).recipe == BOUND

    drive(roles(of), steps)  # type: ignore[arg-type]


def test_only_secrets_are_asked_for_to_go_on_with_what_was_cut_off() -> None:
    of = Found(title="Half", where="was interrupted", text=BOUND, unfinished=True)

    async def steps(alone: Alone) -> None:
        assert "goes on with an installation that was cut off" in " ".join(alone.text().split())
        assert not list(alone.step.query("#field-role-a"))
        for text in (PASSPHRASE, PASSPHRASE, PASSWORD, PASSWORD):
            await alone.write(text)
            await alone.press("enter")
        await alone.leave("enter")
        assert given(alone).resume

    drive(roles(of), steps)  # type: ignore[arg-type]


def test_back_keeps_what_was_typed() -> None:
    async def steps(alone: Alone) -> None:
        await fill(alone)
        await alone.leave("escape")
        assert alone.left[0].move is Move.BACK
        left = alone.left[0].given
        assert isinstance(left, tuple)
        again = Roles(alone.step.desk, Answers(), found=MIRROR, filled=left[1])
        await alone.pilot.app.push_screen(again)
        await alone.pilot.pause()
        assert dict(again.problems(Answers())) == {}
        assert again.values()["role-b"] == "disk-b"

    drive(roles(MIRROR), steps)  # type: ignore[arg-type]


def test_secrets_are_hidden_until_somebody_asks() -> None:
    async def steps(alone: Alone) -> None:
        await fill(alone)
        assert PASSPHRASE not in alone.text()
        await alone.press("f2")
        await alone.until(lambda: PASSPHRASE in alone.text())

    drive(roles(MIRROR), steps)  # type: ignore[arg-type]


def test_a_disk_that_vanishes_is_no_longer_offered() -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("right", "enter", "right", "right")
        machine = alone.step.desk.client.machine()
        left = machine.model_copy(update={"disks": tuple(one for one in machine.disks if one.identity != "disk-b")})
        alone.step.desk.machine = left
        alone.step.machine_changed(left)
        assert "Choose a disk" in alone.problem("role-b")
        assert "disk-b" not in alone.text()

    drive(roles(MIRROR), steps)  # type: ignore[arg-type]


def test_a_recipe_that_leaves_nothing_open_asks_nothing() -> None:
    recipe = parse(BOUND)
    assert recipe.disks
    desk = Desk(Demo(MACHINES / "synthetic-two-blank.json"))
    clear = (
        BOUND.partition("[crypt.pool]")[0] + '[pool.rpool]\nvdevs = [{ kind = "mirror", over = "partition.pool" }]\n'
    )
    clear += '[system]\nsource = "none"\n[boot]\nloader = "none"\n'
    assert Roles(desk, Answers(), found=Found(title="x", where="y", text=clear)).needless
    assert not Roles(desk, Answers(), found=MIRROR).needless


def test_a_title_that_looks_like_markup_is_literal() -> None:
    of = Found(title="x", where="[bold]here[/]", text=BOUND)

    async def steps(alone: Alone) -> None:
        assert "[bold]here[/]" in str(alone.step.query_one("#recipe", Static).render())

    drive(roles(of), steps)  # type: ignore[arg-type]
