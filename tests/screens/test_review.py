"""Review: the plan and nothing but the plan, or every problem with the step to go back to; and the typed consent."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import pytest
from textual.widgets import Static

from installer.errors import Refusal
from installer.machine.model import Machine
from installer.plan.build import make_plan
from installer.plan.operation import Plan
from installer.plan.render import action, as_json, as_sh
from installer.recipe.load import parse
from installer.recipe.secrets import Secret
from screens.answers import Answers
from screens.consent import Consent
from screens.desk import Desk
from screens.fields import Press
from screens.paper import Paper
from screens.review import Review
from screens.reviewing import Install, Reviewed, install, review
from screens.step import Move
from tests.screens.step_alone import MACHINES, TWO, Alone, Demo, drive

FULL = TWO.model_copy(update={"hostname": "frodo", "user": "ann", "passphrase": Secret("correct horse battery")})


class Movable(Demo):
    """A recorded machine that a test changes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(MACHINES / "synthetic-two-blank.json", folder)
        self.present: Machine | None = None

    def machine(self) -> Machine:
        """Return the machine as it is now."""
        return self.present or super().machine()

    def without(self, identity: str) -> Machine:
        """Take a disk away."""
        machine = self.machine()
        disks = tuple(disk for disk in machine.disks if disk.identity != identity)
        self.present = machine.model_copy(update={"disks": disks})
        return self.present

    def changed(self, identity: str, **update: object) -> Machine:
        """Let a disk be another one."""
        machine = self.machine()
        disks = (disk.model_copy(update=update) if disk.identity == identity else disk for disk in machine.disks)
        self.present = machine.model_copy(update={"disks": tuple(disks)})
        return self.present


@pytest.fixture
def movable(tmp_path: Path) -> Movable:
    return Movable(tmp_path)


def plan_of(answers: Answers = FULL) -> Plan:
    return make_plan(parse(install(answers).recipe), Demo(MACHINES / "synthetic-two-blank.json").machine())


def paper(alone: Alone, name: str) -> str:
    """Return a pane's text without its line breaks."""
    return " ".join(alone.step.query_one(f"#{name}", Paper).text().split())


async def reviewed(alone: Alone) -> None:
    await alone.until(lambda: isinstance(alone.step, Review) and alone.step.reviewed is not None)
    shown = [paper for paper in alone.step.query(Paper) if paper.id == "plan" or alone.step.reviewed.plan]
    await alone.until(lambda: all(paper.text() for paper in shown))  # laid out
    await alone.pilot.pause()


def flat(text: str) -> str:
    return " ".join(text.split())


# The plan.


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_every_step_stands_there_in_its_order_with_its_commands(size: tuple[int, int]) -> None:
    async def steps(alone: Alone) -> None:
        await reviewed(alone)
        text, place = paper(alone, "plan").replace(" ", ""), 0
        for operation in plan_of().operations:
            place = text.index(operation.title.replace(" ", ""), place)
            for line in action(operation):
                # A path that is longer than a line is cut, so blanks do not count.
                place = text.index(line.replace(" ", ""), place)

    drive(Review, steps, FULL, size=size)


def test_what_destroys_says_so_by_a_sign_and_in_words() -> None:
    async def steps(alone: Alone) -> None:
        await reviewed(alone)
        destroying = sum(bool(operation.destroys) for operation in plan_of().operations)
        assert paper(alone, "plan").count("!! DESTROYS what is on disk") == destroying

    drive(Review, steps, FULL)


def test_disks_are_shown_before_and_after_and_notes_above_the_plan() -> None:
    async def steps(alone: Alone) -> None:
        await reviewed(alone)
        plan = plan_of()
        for disk in plan.disks:
            assert flat(f"{disk.description} before {disk.before} after") in paper(alone, "disks")
            assert all(flat(line) in paper(alone, "disks") for line in disk.after)
        text = paper(alone, "plan")
        assert all(0 < text.index(flat(note)) < text.index("Teardown") for note in plan.notes)

    drive(Review, steps, FULL)


def test_arrows_and_page_keys_scroll_the_plan_wherever_the_focus_is() -> None:
    async def steps(alone: Alone) -> None:
        await reviewed(alone)
        plan = alone.step.query_one("#plan", Paper)
        assert alone.focus() == "next"
        await alone.press("down", "pagedown")
        assert plan.scroll_offset.y > 5
        assert alone.focus() == "next"
        await alone.press("home")
        assert plan.scroll_offset.y == 0
        await alone.press("shift+tab", "down")
        assert alone.step.query_one("#disks", Paper).scroll_offset.y == 1

    drive(Review, steps, FULL)


def test_next_gives_what_was_on_the_screen() -> None:
    async def steps(alone: Alone) -> None:
        await reviewed(alone)
        assert await alone.leave("f10") == FULL
        given = alone.left[0].given
        assert isinstance(given, Reviewed)
        assert given.plan == plan_of()
        assert given.install == install(FULL)

    drive(Review, steps, FULL)


def test_what_is_saved_gives_the_same_plan_byte_for_byte(tmp_path: Path) -> None:
    async def steps(alone: Alone) -> None:
        await reviewed(alone)
        await alone.press("f2")
        await alone.press("enter")
        await alone.until(lambda: "Saved: zroot-frodo.toml and zroot-frodo.sh" in alone.text())
        recipe = (tmp_path / "zroot-frodo.toml").read_text()
        assert as_json(make_plan(parse(recipe), alone.step.desk.client.machine())) == as_json(plan_of())
        assert (tmp_path / "zroot-frodo.sh").read_text() == as_sh(plan_of())
        assert "correct horse" not in recipe + (tmp_path / "zroot-frodo.sh").read_text()

    drive(Review, steps, FULL, client=Movable(tmp_path))


def test_a_recipe_and_its_secrets_are_reviewed_like_answers() -> None:
    made = install(FULL)

    async def steps(alone: Alone) -> None:
        await reviewed(alone)
        assert await alone.leave("f10") == Answers()
        given = alone.left[0].given
        assert isinstance(given, Reviewed)
        assert given.plan == plan_of()

    drive(functools.partial(Review, install=made), steps, Answers())  # type: ignore[arg-type]


# Problems.


@pytest.mark.parametrize(
    ("changes", "said", "step"),
    [
        ({"hostname": "-bad"}, "system.hostname", 7),
        ({"passphrase": None}, 'The secret "passphrase" is missing', 4),
        ({"disks": ("disk-a", "disk-x")}, "No disk of this machine answers to role b", 1),
        ({"esp_size": "6G"}, "too small", 1),
        ({"esp_size": "1M"}, "partition", 2),
        ({"user": "root"}, "system.user.name", 7),
    ],
)
def test_a_problem_stands_there_with_the_step_to_go_back_to(
    changes: Mapping[str, object], said: str, step: int
) -> None:
    async def steps(alone: Alone) -> None:
        await reviewed(alone)
        assert said in paper(alone, "plan")
        assert "--disk" not in paper(alone, "plan")
        assert not alone.step.query_one("#next").display
        assert alone.focus() == "there"
        await alone.leave("enter")
        assert (alone.left[0].move, alone.left[0].to) == (Move.BACK, step)

    drive(Review, steps, FULL.model_copy(update=changes))


def test_all_problems_are_listed_at_once() -> None:
    async def steps(alone: Alone) -> None:
        await reviewed(alone)
        text = paper(alone, "plan")
        assert '"passphrase" is missing' in text
        assert "answers to role b" in text
        assert "3 things to mend" in text
        await alone.press("f10", "f2")
        assert alone.left == []

    drive(Review, steps, FULL.model_copy(update={"passphrase": None, "disks": ("disk-a", "disk-x")}))


def test_a_machine_that_is_not_known_yet_is_waited_for() -> None:
    class Blind(Demo):
        def machine(self) -> Machine:
            raise Refusal("lsblk hangs.")

    desk = Desk(Blind(MACHINES / "synthetic-two-blank.json"))

    async def steps(alone: Alone) -> None:
        await alone.pilot.app.push_screen(waiting := Review(desk, FULL))
        await alone.pilot.pause()
        assert "Looking at the disks" in alone.text()
        waiting.machine_lost("lsblk hangs.")
        await alone.pilot.pause()
        assert "lsblk hangs." in alone.text()
        waiting.machine_changed(alone.step.desk.client.machine())
        await alone.until(lambda: waiting.reviewed is not None)

    drive(Review, steps, FULL)


def test_a_disk_that_vanishes_turns_the_plan_into_a_problem_and_back(movable: Movable) -> None:
    async def steps(alone: Alone) -> None:
        await reviewed(alone)
        whole = movable.machine()
        alone.step.machine_changed(movable.without("disk-b"))
        await alone.until(lambda: "answers to role b" in paper(alone, "plan"))
        alone.step.machine_changed(whole)
        await alone.until(lambda: bool(alone.step.query_one("#next").display))

    drive(Review, steps, FULL, client=movable)


# Consent.


def consent(desk: Desk, answers: Answers) -> Consent:
    assert desk.machine
    found = review(answers, desk.machine, desk.client)
    assert found.plan
    return Consent(desk, answers, reviewed=found, plan=found.plan)


def asking(client: Movable) -> object:
    """Make the screen once its machine is known."""

    def make(desk: Desk, answers: Answers) -> Consent:
        desk.machine = client.machine()
        return consent(desk, answers)

    return make


def disabled(alone: Alone) -> bool:
    return alone.step.query_one("#next", Press).disabled


async def agree(alone: Alone) -> None:
    await alone.press("tab")
    await alone.write("sk-a")
    await alone.press("enter")
    await alone.write("SK-B")
    await alone.press("enter")


def test_back_has_the_focus_and_nothing_is_typed_yet(movable: Movable) -> None:
    async def steps(alone: Alone) -> None:
        assert alone.focus() == "back"
        assert disabled(alone)
        await alone.press("f10")
        assert alone.left == []
        await alone.leave("enter")
        assert alone.left[0].move is Move.BACK

    drive(asking(movable), steps, FULL, client=movable)  # type: ignore[arg-type]


def test_the_ends_of_all_names_have_to_be_typed(movable: Movable) -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("tab")
        await alone.write("sk-a")
        assert disabled(alone)
        await alone.press("enter")
        await alone.write("sk-a")
        assert disabled(alone)
        assert "does not end like this" in alone.problem("disk-b")
        await alone.press("f10")
        assert alone.left == []
        await alone.press(*["backspace"] * 4)
        assert alone.problem("disk-b") == ""
        await alone.write("sk-b")
        assert not disabled(alone)
        await alone.press("enter")
        assert alone.focus() == "next"
        await alone.leave("enter")
        assert alone.left[0].move is Move.NEXT

    drive(asking(movable), steps, FULL, client=movable)  # type: ignore[arg-type]


def test_disks_that_end_alike_need_more_to_be_typed(movable: Movable) -> None:
    movable.changed("disk-b", serial="other-sk-a", link="/dev/disk/by-id/virtio-other-sk-a")
    answers = FULL.model_copy(update={"disks": ("disk-a",)})

    async def steps(alone: Alone) -> None:
        await alone.press("tab")
        await alone.write("sk-a")
        assert disabled(alone)
        await alone.press("home")
        await alone.write("i")
        assert not disabled(alone)

    drive(asking(movable), steps, answers, client=movable)  # type: ignore[arg-type]


@pytest.mark.parametrize("agreed", [False, True])
def test_a_disk_that_vanishes_makes_the_consent_void(movable: Movable, agreed: bool) -> None:
    """fault 35"""

    async def steps(alone: Alone) -> None:
        if agreed:
            await agree(alone)
        alone.step.machine_changed(movable.without("disk-b"))
        await alone.until(lambda: "Nothing was written." in alone.text())
        assert "answers to role b" in flat(alone.text())
        assert alone.focus() == "back"
        assert disabled(alone)
        await alone.press("f10")
        assert alone.left == []

    drive(asking(movable), steps, FULL, client=movable)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [{"fstype": "ext4", "label": "precious"}, {"size": 7 * 1024**3}, {"link": "/dev/disk/by-path/other"}],
)
def test_a_disk_that_changed_unnoticed_is_noticed_when_install_is_pressed(
    movable: Movable, change: Mapping[str, object]
) -> None:
    """fault 4, fault 35"""

    async def steps(alone: Alone) -> None:
        await agree(alone)
        movable.changed("disk-b", **change)
        await alone.press("enter")
        await alone.until(lambda: "Go back: the plan is made anew" in flat(alone.text()))
        assert alone.left == []
        assert disabled(alone)

    drive(asking(movable), steps, FULL, client=movable)  # type: ignore[arg-type]


def test_a_change_that_changes_nothing_leaves_what_was_typed(movable: Movable) -> None:
    async def steps(alone: Alone) -> None:
        await agree(alone)
        alone.step.machine_changed(movable.machine())
        await alone.pilot.app.workers.wait_for_complete(
            [worker for worker in alone.pilot.app.workers if worker.name == "plan"]
        )
        await alone.pilot.pause()
        assert not disabled(alone)
        await alone.leave("enter")
        assert alone.left[0].move is Move.NEXT

    drive(asking(movable), steps, FULL, client=movable)  # type: ignore[arg-type]


def test_what_would_be_lost_is_said(movable: Movable) -> None:
    movable.changed("disk-a", fstype="ext4")

    async def steps(alone: Alone) -> None:
        assert "Erases: Linux (ext4)." in alone.text()
        assert "for good" in str(alone.step.query_one("#asked", Static).render())

    drive(asking(movable), steps, FULL, client=movable)  # type: ignore[arg-type]


def test_an_install_never_shows_its_secrets() -> None:
    made = Install(recipe="zroot = 1", secrets={"passphrase": Secret("correct horse")})
    assert "correct horse" not in repr(made)
