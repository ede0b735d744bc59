"""Every recipe that ships: it is said what it is, and it is taken from Welcome to the plan, with keys alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from installer.machine.offer import offers
from installer.recipe.load import parse
from installer.recipe.secrets import Kind, SecretNeed, needed
from installer.recipe.write import rebind
from installer.run import shelf
from installer.run.client import Found
from screens import about, naming
from screens.answers import Answers
from screens.consent import Consent
from screens.desk import Desk
from screens.replay import Recipes, Replay
from screens.review import Review
from screens.reviewing import Reviewed
from screens.roles import Roles
from screens.welcome import Welcome
from tests.screens.house import Picture, recorded, settle, until
from tests.screens.step_alone import Alone, drive
from tests.screens.test_flows import Machines, Walk, walked, walking

SHIPPED: Mapping[str, Found] = {one.where.removesuffix(", comes with zroot"): one for one in shelf.shipped()}
RECIPES = Path(__file__).parents[2] / "recipes"
MACHINE = "synthetic-many-disks"
REFUSED = {"debian-from-mirror.toml": "no Debian mirror is known here to install from"}
"""What a machine that is not zroot's medium cannot do, and the words for it."""
FAST = ("debian-from-mirror.toml", "truecrypt-mirror.toml")


def words(need: SecretNeed) -> str:
    """Return what is typed for a secret."""
    return "her own password" if need.kind is Kind.PASSWORD else f"horse for {need.name}"


async def to_review(walk: Walk, name: str) -> Reviewed:
    """Replay a recipe: choose it, a disk for each of its roles, type each secret twice."""
    recipe = parse(SHIPPED[name].text)
    await walk.at(Welcome)
    walk.step.query_one("#replay").focus()
    await walk.press("enter")
    await walk.at(Replay)
    await until(walk.pilot, lambda: walk.step.query_one(Recipes).option_count == len(SHIPPED))
    await walk.press(*["down"] * list(SHIPPED).index(name), "enter")
    await walk.at(Roles)
    for number, _ in enumerate(recipe.disks, start=1):
        await walk.press(*["right"] * number, "enter")
    for need in needed(recipe):
        for _ in range(2):
            await walk.write(words(need))
            await walk.press("enter")
    await walk.press("enter")
    await walk.at(Review)
    await until(walk.pilot, lambda: walk.step.reviewed is not None)
    await settle(walk.pilot)
    reviewed = walk.step.reviewed
    assert isinstance(reviewed, Reviewed)
    return reviewed


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=() if one in FAST else pytest.mark.sweep) for one in sorted(SHIPPED)]
)
def test_comes_to_its_plan_or_to_a_refusal_with_the_reason(name: str) -> None:
    client = Machines(MACHINE)
    chosen = [offer.disk.identity for offer in offers(recorded(MACHINE)) if offer.usable]
    recipe = parse(SHIPPED[name].text)

    async def run() -> None:
        async with walking(client) as walk:
            reviewed = await to_review(walk, name)
            bound = dict(zip(recipe.disks, chosen, strict=False))
            assert reviewed.install.recipe == rebind(SHIPPED[name].text, bound)
            if name in REFUSED:
                assert reviewed.plan is None
                assert [one for one in reviewed.problems if REFUSED[name] in one.words]
                assert REFUSED[name] in " ".join(Picture.of(walk.pilot).text.split())
            else:
                assert reviewed.problems == ()
                assert reviewed.plan
                assert {disk.role for disk in reviewed.plan.disks} == set(recipe.disks)
                assert not [need for need in needed(recipe) if words(need) in reviewed.plan.model_dump_json()]
                await walk.press("f10")
                await walk.at(Consent)
            assert client.started == []

    walked(run)


def test_back_from_review_finds_everything_as_it_was_typed() -> None:
    name = "truecrypt-mirror.toml"

    async def run() -> None:
        async with walking(Machines(MACHINE)) as walk:
            first = await to_review(walk, name)
            await walk.press("escape")
            await walk.at(Roles)
            assert walk.step.focused.id == "next"
            await walk.press("enter")
            await walk.at(Review)
            await until(walk.pilot, lambda: walk.step.reviewed is not None)
            assert walk.step.reviewed.install.recipe == first.install.recipe
            assert walk.step.reviewed.plan == first.plan

    walked(run)


# What is said of each.

TEXTS = (
    "ZFS+TrueCrypt: best of both worlds",
    "How I Do Encrypted, Mirrored ZFS Root on Linux",
    "Mounting Encrypted ZFS Datasets at Boot",
    "Encrypting ZFS pools using lofi crypto",
    "Introducing Sparse Encrypted ZFS Pools",
    "ZFS with LUKS and Impermanence",
)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_it_is_said_what_it_is_and_where_it_comes_from(name: str) -> None:
    said = dict(about.lines(SHIPPED[name]))
    recipe = parse(SHIPPED[name].text)
    assert said["What"].endswith(".")
    assert str(len(recipe.disks)) in said["Needs"]
    assert all(need.name in said["Needs"] for need in needed(recipe))
    title = said["After"].partition('"')[2].partition('"')[0]
    assert title in TEXTS or said["After"].startswith("none of the texts")


def test_what_is_told_goes_with_the_mark() -> None:
    async def steps(alone: Alone) -> None:
        await alone.until(lambda: alone.step.query_one(Recipes).option_count == len(SHIPPED))
        seen = set()
        for name in SHIPPED:
            await alone.until(lambda name=name: f"File    {name}" in alone.text())  # type: ignore[misc]
            text = alone.text()
            assert "Another file" in text, f"no room for what is told of {name}"
            assert all(line in text for line in ("What    ", "After   ", "System  ", "Needs   "))
            seen.add(text)
            await alone.press("down")
        assert len(seen) == len(SHIPPED)

    drive(Replay, steps)


def test_a_recipe_of_a_stick_says_what_its_own_comment_says() -> None:
    text = SHIPPED["debian-luks-mirror.toml"].text
    own = Found(
        title="Mine", where="mine.toml, on /dev/sdb1", text=f"# [bold]Two\u0085\u200b words\n# more[/]\n\n{text}"
    )
    assert dict(about.lines(own))["What"] == "[bold]Two?? words more[/]"
    assert "After" not in dict(about.lines(own))
    saved = own.model_copy(update={"text": text[text.index("zroot = 1") :]})
    assert "What" not in dict(about.lines(saved))
    assert about.lines(own.model_copy(update={"text": "zroot ="})) == (("File", own.where),)


# Names and keyboard.


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_other_names_change_nothing_else(name: str) -> None:
    text = SHIPPED[name].text
    found = naming.names(text)
    assert naming.renamed(text, found) == text
    if parse(text).system.source == "none":
        assert found == {}
        return
    new = {"hostname": "hobbit", "user": "ann", "keymap": "de"}
    assert found.keys() == new.keys()
    assert (found["user"], found["keymap"]) == ("user", "us")
    made, before = naming.renamed(text, new).splitlines(), text.splitlines()
    changed = [(old, now) for old, now in zip(before, made, strict=True) if old != now]
    assert sorted(now for _, now in changed) == ['hostname = "hobbit"', 'keymap = "de"', 'name = "ann"']
    system = parse("\n".join(made)).system
    assert system.user
    assert (system.hostname, system.user.name, system.keymap) == ("hobbit", "ann", "de")


def shown(name: str) -> type[Roles]:
    def make(desk: Desk, answers: Answers) -> Roles:
        return Roles(desk, answers, found=SHIPPED[name])

    return make  # type: ignore[return-value]


def test_names_can_be_changed_and_are_checked_at_once() -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("right", "enter", "right", "right", "enter")
        assert alone.focus() == "secret-passphrase", "names have a good answer already"
        for _ in range(2):
            await alone.write("correct horse battery")
            await alone.press("enter")
        for _ in range(2):
            await alone.write("pass word")
            await alone.press("enter")
        await alone.go("system-hostname")
        await alone.write("-bad")
        assert "letters, digits and hyphens" in " ".join(alone.problem("system-hostname").split())
        await alone.press("f10")
        assert alone.left == []
        await alone.press("home", "ctrl+k")
        assert "Type a name" in alone.problem("system-hostname")
        await alone.write("hobbit")
        await alone.leave("f10")
        install, kept = alone.left[0].given  # type: ignore[misc]
        bound = {"a": "disk-a", "b": "disk-b"}
        text = SHIPPED["debian-luks-mirror.toml"].text.replace('hostname = "debian"', 'hostname = "hobbit"')
        assert install.recipe == rebind(text, bound)
        again = Roles(alone.step.desk, Answers(), found=SHIPPED["debian-luks-mirror.toml"], filled=kept)
        await alone.pilot.app.push_screen(again)
        await alone.pilot.pause()
        assert again.values()["system-hostname"] == "hobbit"

    drive(shown("debian-luks-mirror.toml"), steps, Answers())


@pytest.mark.parametrize(
    ("name", "keymap", "asked"),
    [
        ("debian-luks-mirror.toml", "us", False),
        ("debian-luks-mirror.toml", "de", True),
        ("truecrypt-mirror.toml", "de", False),
    ],
)
def test_another_keyboard_at_boot_than_here_is_a_question(name: str, keymap: str, asked: bool) -> None:
    async def steps(alone: Alone) -> None:
        assert ("Keyboard at boot" in alone.text()) == asked
        if asked:
            assert "us, as the recipe says" in alone.text()
            await alone.go("system-keymap")
            await alone.press("right")
            assert "de, as it is here" in alone.text()
            assert alone.step._called()["keymap"] == "de"  # type: ignore[attr-defined]

    drive(shown(name), steps, Answers(keymap=keymap))
