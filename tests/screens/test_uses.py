"""What disks are for beside the data: the window, what is said of it, and the recipe and the plan that come of it."""

from __future__ import annotations

import itertools

import pytest
from textual.widgets import Static

from installer.machine.model import Machine
from installer.plan.build import make_plan
from installer.plan.operation import Commands
from installer.recipe import rules
from installer.recipe.load import parse
from installer.recipe.model import VdevKind, VdevRole
from installer.recipe.secrets import Secret
from installer.recipe.write import dump
from screens import compose as composing
from screens import topology
from screens.answers import Answers, Encryption, topologies
from screens.bootloader import table
from screens.disks import Disks
from screens.fields import Pick
from screens.layout import Layout
from screens.pool import PoolStep
from screens.redundancy import Redundancy
from screens.uses import Uses, Window, summary
from screens.vdevs import fault, support
from tests.screens.catalogue import MANY_USES, NONE, USES, changed
from tests.screens.step_alone import MACHINES, Alone, Demo, drive

OLD, MANY = "synthetic-earlier-install", "synthetic-many-disks"
FIVE = changed(USES, uses=())


def machine(name: str = OLD) -> Machine:
    return Demo(MACHINES / f"{name}.json").machine()


def uses(roles: str) -> Answers:
    """Return answers for disks a, b, ... each with a use: d data, s special, u dedup, l log, c cache, p spare."""
    known = {"s": VdevRole.SPECIAL, "u": VdevRole.DEDUP, "l": VdevRole.LOG, "c": VdevRole.CACHE, "p": VdevRole.SPARE}
    names = [f"disk-{number}" for number in range(len(roles))]
    given = tuple((name, known[role]) for name, role in zip(names, roles, strict=True) if role in known)
    return changed(FIVE, disks=tuple(names), uses=given)


async def choose(alone: Alone, *turns: int) -> None:
    """Open the window and turn the use of each disk so many places."""
    await alone.go("Uses")
    await alone.press("space")
    assert isinstance(alone.pilot.app.screen, Window)
    for by in turns:
        for _ in range(abs(by)):
            await alone.press("right" if by > 0 else "left")
        await alone.press("down")


async def save(alone: Alone) -> None:
    alone.pilot.app.screen.query_one("#save").focus()
    await alone.press("enter")


def wrong(alone: Alone) -> str:
    said = alone.pilot.app.screen.query_one("#wrong", Static)
    return str(said.render()) if said.display else ""


def test_all_disks_hold_data_and_nobody_is_asked() -> None:
    async def steps(alone: Alone) -> None:
        assert "all hold data" in alone.text()
        assert alone.focus() == "next"
        assert await alone.leave("enter") == FIVE

    drive(PoolStep, steps, FIVE, machine=OLD)


def test_disks_get_uses_and_drawing_and_numbers_follow_at_once() -> None:
    async def steps(alone: Alone) -> None:
        await choose(alone, 0, 0, 1, 1)
        window = alone.pilot.app.screen
        assert "Pool      mirror of a, b and e, special mirror c and d" in alone.text()
        assert "The pool is lost with its special vdev" in wrong(alone)
        await alone.press("right", "right", "right")
        assert "log e" in alone.text()
        assert "log e may fail" in alone.text()
        assert not wrong(alone)
        assert "What databases and NFS" in str(window.query_one("#why", Static).render())
        await save(alone)
        assert alone.focus() == "uses"
        assert "data ab, special cd, log e" in alone.text()
        for drawn in ("┌ mirror ┐", "┌ special mirror ┐", "┌ log ┐"):
            assert drawn in alone.text()
        assert "any one of 4 disks; or one in each vdev" in alone.text()
        assert await alone.leave("f10") == USES

    drive(PoolStep, steps, FIVE.model_copy(update={"topology": VdevKind.MIRROR}), machine=OLD)


def test_the_recommended_topology_follows_the_disks_with_data() -> None:
    async def steps(alone: Alone) -> None:
        assert "< raidz2" in alone.text()
        await choose(alone, 0, 0, 0, 0, -1)
        assert "Pool      raidz2 of a, b, c and d, spare e" in alone.text()
        await save(alone)
        assert "any 2 of 4 disks" in alone.text()
        await choose(alone, 0, 0, 0, -1)
        await save(alone)
        assert "< raidz1" in alone.text()
        assert "spare d and e may fail without harm" in alone.text()
        assert (await alone.leave("f10")).topology is None

    drive(PoolStep, steps, FIVE, machine=OLD)


def test_esc_leaves_them_and_a_button_gives_all_back_to_the_data() -> None:
    async def steps(alone: Alone) -> None:
        await choose(alone, 1)
        await alone.press("escape")
        assert summary(alone.step.collect()) == "data ab, special cd, log e"
        await choose(alone)
        alone.pilot.app.screen.query_one("#plain").focus()
        await alone.press("enter")
        assert "all hold data" in alone.text()
        assert (await alone.leave("f10")).uses == ()

    drive(PoolStep, steps, USES, machine=OLD)


def test_what_the_pool_would_be_lost_with_is_refused_in_the_window_and_on_the_screen() -> None:
    weak = changed(USES, uses=USES.uses[1:])

    async def steps(alone: Alone) -> None:
        assert alone.focus() == "uses"
        await alone.press("f10")
        assert "With 1 disk that survives no failed disk, while the data survive 1 failed disk." in alone.problem(
            "uses"
        )
        assert "Give it 2 disks, or 4." in alone.problem("uses")
        assert not alone.problem("topology")
        await choose(alone)
        await save(alone)
        assert isinstance(alone.pilot.app.screen, Window)
        await alone.press("escape")
        assert not alone.left

    drive(PoolStep, steps, weak, machine=OLD)


def test_some_disk_must_hold_data() -> None:
    nothing = changed(USES, disks=USES.disks[2:])

    async def here(alone: Alone) -> None:
        await choose(alone, *[2] * 5)
        assert "No disk is left for the data" in wrong(alone)

    async def disks(alone: Alone) -> None:
        assert alone.focus() == "uses"
        await alone.press("f10")
        assert "No disk is left for the data" in alone.problem("uses")
        assert not alone.left

    async def drawn(alone: Alone) -> None:
        assert alone.text()

    drive(PoolStep, here, FIVE, machine=OLD)
    drive(Disks, disks, nothing, machine=OLD)
    for step in (Layout, Redundancy, PoolStep):
        drive(step, drawn, nothing, machine=OLD)


def test_a_spare_that_is_too_small_is_refused() -> None:
    small = changed(NONE, disks=("ZR500000", "ZR500001", "PHYG0000001"), uses=(("PHYG0000001", VdevRole.SPARE),))

    async def steps(alone: Alone) -> None:
        await alone.press("f10")
        assert "is smaller than every member" in alone.problem("uses")
        assert "pool." not in alone.problem("uses")

    drive(PoolStep, steps, small, machine=MANY)


def test_a_small_disk_among_large_ones_finds_a_use_where_it_was_chosen() -> None:
    unlike = changed(NONE, disks=("ZR500000", "ZR500001", "PHYG0000001"))

    async def steps(alone: Alone) -> None:
        assert alone.field("uses").display
        await alone.press("f10")
        assert "give one another use" in alone.problem("allow_unequal")
        await choose(alone, 0, 0, -2)
        await save(alone)
        assert not alone.field("allow_unequal").display
        assert "data ab, cache c" in alone.text()
        answers = await alone.leave("f10")
        assert answers.uses == (("PHYG0000001", VdevRole.CACHE),)
        assert not answers.allow_unequal

    async def back(alone: Alone) -> None:
        await choose(alone, 0, 0, 2)
        assert "differ by more than 10 percent" in wrong(alone)

    drive(Disks, steps, unlike, machine=MANY)
    drive(PoolStep, back, changed(unlike, uses=(("PHYG0000001", VdevRole.CACHE),)), machine=MANY)


def test_like_disks_are_not_asked_for_on_the_first_screen() -> None:
    async def steps(alone: Alone) -> None:
        assert not alone.field("uses").display

    drive(Disks, steps, FIVE, machine=OLD)


def test_the_other_screens_say_which_disks_start_the_machine() -> None:
    async def layout(alone: Alone) -> None:
        text = str(alone.step.query_one("#cloned", Static).render())
        assert "cloned with sgdisk to b (disk-b), with GUIDs of its own. Disks c, d and e: no table" in text

    async def boot(alone: Alone) -> None:
        text = " ".join(alone.text().split())
        assert "over disks a and b" in text
        assert "special mirror c and d: one of them may fail as well" in text
        assert "2 │ lost │ lost" in text

    drive(Layout, layout, USES, machine=OLD)
    drive(Redundancy, boot, USES, machine=OLD)
    assert [row[0] for row in table(USES, None)[1:]] == ["a", "b"]


@pytest.mark.parametrize("encryption", list(Encryption))
def test_the_recipe_is_good_and_the_plan_names_every_vdev(encryption: Encryption) -> None:
    more = {"recovery": Secret("kept in a drawer"), "user_password": Secret("own password 1")}
    answers = changed(MANY_USES, encryption=encryption, **more)
    made = composing.recipe(answers)
    assert composing.problems(answers) == {}
    assert parse(dump(made)) == made
    plan = make_plan(made, machine(MANY))
    assert len(plan.disks) == 13
    (create,) = [
        command.argv
        for operation in plan.operations
        if isinstance(operation.action, Commands)
        for command in operation.action.commands
        if command.argv[:2] == ("zpool", "create")
    ]
    words = [word for word in create if "/" not in word]
    assert words[words.index("rpool") + 1 :] == ["raidz2", "special", "mirror", "log", "mirror", "cache", "spare"]
    paths = [word for word in create if word.startswith("/dev/")]
    assert len(paths) == 13
    assert all(path.startswith("/dev/mapper/") for path in paths) == encryption.luks
    roles = {role for operation in plan.operations for role in operation.destroys}
    assert roles == set("abcdefghijklm")


def test_dedup_is_on_where_a_disk_was_given_to_it_and_nowhere_else() -> None:
    assert composing.recipe(uses("dduu")).pool["rpool"].filesystem["dedup"] == "on"
    assert "dedup" not in composing.recipe(uses("ddss")).pool["rpool"].filesystem


@pytest.mark.parametrize("data", range(1, 8))
def test_what_is_said_agrees_with_the_rules_of_recipes(data: int) -> None:
    """Whatever is not refused here is a recipe without problems, and what is refused here the rules refuse."""
    for kind, extra in itertools.product(topologies(data), ("", "s", "ss", "sss", "ssss", "uu", "l", "ll", "cc", "pp")):
        answers = changed(uses("d" * data + extra), topology=kind)
        found = [said for said in rules.check(composing.recipe(answers)) if "vdevs" in said.title]
        assert bool(found) == bool(fault(answers)), (kind, extra, found)


@pytest.mark.parametrize("width", [55, 75, 115])
def test_every_drawing_with_other_vdevs_has_every_disk_once_and_fits(width: int) -> None:
    for roles in ("dl", "ddssl", "sddsl", "ddddddpcsss", "d" * 12 + "s" * 6 + "llccp"):
        answers = uses(roles)
        for kind in topologies(len(answers.data)):
            chosen = changed(answers, topology=kind)
            count, others = len(chosen.data), support(chosen)
            art = topology.drawing(kind, count=count, pool="rpool", width=width, roles=chosen.data, others=others)
            text = topology.picture(
                art, topology.facts(kind, count=count, member=10**12, others=others), width=width
            )  # fmt: skip
            assert max(map(len, text.splitlines())) <= width
            inside = " ".join(art[1:]).translate(dict.fromkeys(map(ord, "│║─┌┐└┘"), " "))
            letters = sorted(word for word in inside.split() if word.isalpha() and len(word) == 1)
            assert letters == list("abcdefghijklmnopqrstuvwxyz"[: len(roles)])


def test_one_disk_has_no_line_for_uses() -> None:
    async def steps(alone: Alone) -> None:
        assert not alone.step.query(Uses)
        assert not [pick for pick in alone.step.query(Pick) if "data" in str(pick.render())]

    drive(PoolStep, steps, changed(FIVE, disks=("disk-a",)), machine=OLD)
