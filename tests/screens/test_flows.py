"""Whole ways through the guided install, on several machines: forwards, back and forth, and every way to be refused."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Input, Static

from installer.machine.model import Machine
from installer.plan.operation import Plan
from installer.plan.render import as_json
from installer.recipe.model import Firmware, SwapKind
from installer.recipe.secrets import Secret
from screens.answers import Answers, Encryption, Loader
from screens.app import STEPS, Guided
from screens.bootloader import Bootloader
from screens.consent import Consent
from screens.encryption import Encrypt
from screens.fields import Field
from screens.layout import Layout
from screens.pool import PoolStep
from screens.review import Review
from screens.reviewing import Install, review
from screens.step import Step
from screens.system import System
from tests.screens.catalogue import FULL, KERNELS, MANY_USES, TWO, USES
from tests.screens.house import SMALL, Demo, Picture, State, keys, on_stage, recorded, settle, swept, until

BESIDES = 20
"""Keys that somebody may have to press beside those that write: choosing two disks, Enter and Next."""
WORDS, NAME, USER = "correct horse battery", "hobbit", "ann"
MACHINES = (
    "synthetic-two-blank",
    "synthetic-two-blank-uefi",
    "synthetic-many-disks",
    "synthetic-long-names",
    "synthetic-earlier-install",
)
OTHER = FULL.model_copy(
    update={
        "keymap": "de",
        "disks": ("disk-b", "disk-a"),
        "esp_size": "300M",
        "boot_size": "700M",
        "swap": SwapKind.RAID,
        "swap_size": "600M",
        "metadata": "1.0",
        "encryption": Encryption.NATIVE,
        "passphrase": Secret("another horse"),
        "home": True,
        "home_passphrase": Secret("a stable of her own"),
        "home_wait": 300,
        "home_services": "smbd.service",
        "pool": "tank",
        "ashift": 13,
        "autotrim": False,
        "compression": "zstd",
        "firmware": (Firmware.BIOS,),
        "timeout": "7",
        "arguments": "quiet debug",
        "serial_console": True,
        "user_password": Secret("own password 1"),
        "locale": "de_AT.UTF-8",
        "timezone": "Europe/Vienna",
        "static": True,
        "interface": "eth0",
        "address": "192.0.2.7/24",
        "gateway": "192.0.2.1",
        "dns": "192.0.2.2 192.0.2.3",
        "forgets": True,
    }
)
"""As little as possible is as it is by itself."""


class Machines(Demo):
    """A recorded machine that can change, and that remembers whether anything was started."""

    def __init__(self, machine: str = "synthetic-two-blank") -> None:
        super().__init__(machine)
        self.present = recorded(machine)
        self.started: list[str] = []

    def machine(self) -> Machine:
        """Return the machine as it is now."""
        return self.present

    def start(self, recipe: str, **how: Any) -> None:
        """Remember it."""
        self.started.append(recipe)


class Walk:
    """Somebody at the keyboard."""

    def __init__(self, app: Guided, pilot: Pilot[int]) -> None:
        self.app, self.pilot = app, pilot
        self.keys = 0

    @property
    def step(self) -> Any:
        """The screen in front."""
        return self.app.screen

    async def press(self, *pressed: str) -> None:
        """Press keys."""
        self.keys += len(pressed)
        await self.pilot.press(*pressed)

    async def write(self, text: str) -> None:
        """Type a text: pasted at once, because a key at a time takes seconds, and counted."""
        assert self.app.focused
        self.keys += len(text)
        self.app.focused.post_message(Paste(text))
        await self.pilot.pause()

    async def at(self, step: type[Step]) -> None:
        """Wait for a screen that can be answered."""
        await until(self.pilot, lambda: isinstance(self.step, step) and self.step.focused is not None)
        await settle(self.pilot)

    async def planned(self) -> Plan:
        """Wait for the plan at Review."""
        await self.at(Review)
        await until(self.pilot, lambda: self.step.reviewed is not None)
        await settle(self.pilot)
        assert self.step.reviewed.plan, Picture.of(self.pilot).text
        return self.step.reviewed.plan  # type: ignore[no-any-return]

    async def forwards(self, last: type[Step] = Review) -> None:
        """Accept every screen before one as it is."""
        for step in STEPS[: STEPS.index(last)]:
            await self.at(step)
            await self.press("f10")
        await self.at(last)


@contextlib.asynccontextmanager
async def walking(client: Demo, answers: Answers | None = None) -> AsyncIterator[Walk]:
    app = Guided(client, answers=answers)
    async with app.run_test(size=SMALL) as pilot:
        walk = Walk(app, pilot)
        await until(pilot, lambda: app.desk.machine is not None)
        yield walk


def walked(walk: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(walk())


@pytest.mark.parametrize("machine", swept(MACHINES, keep=1))
def test_forwards_with_two_disks_a_passphrase_a_name_and_a_user(machine: str) -> None:
    async def run() -> None:
        async with walking(Machines(machine)) as walk:
            await walk.at(STEPS[0])
            await walk.press("f10")
            await walk.at(STEPS[1])
            await walk.press("space", "down", "space", "f10")
            for step in STEPS[2:4]:
                await walk.at(step)
                await walk.press("f10")
            await walk.at(Encrypt)
            for _ in range(2):
                await walk.write(WORDS)
                await walk.press("enter")
            await walk.press("f10")
            for step in STEPS[5:7]:
                await walk.at(step)
                await walk.press("f10")
            await walk.at(System)
            for word in (NAME, USER):
                await walk.write(word)
                await walk.press("enter")
            await walk.press("f10")
            plan = await walk.planned()
            written = 2 * len(WORDS) + len(NAME) + len(USER)
            print(f"\n{machine}: {walk.keys} keys, {written} of them write")
            assert walk.keys - written <= BESIDES
            assert len(plan.disks) == 2
            assert NAME in plan.recipe

    walked(run)


WAYS: Sequence[tuple[str, Answers]] = (
    ("synthetic-two-blank", OTHER),
    (
        "synthetic-two-blank-uefi",
        FULL.model_copy(
            update={
                "encryption": Encryption.NONE,
                "user_password": Secret("own password 1"),
                "swap": SwapKind.ZVOL,
                "swap_size": "300M",
                "loader": Loader.SYSTEMD_BOOT,
            }
        ),
    ),
    ("synthetic-earlier-install", FULL.model_copy(update={"disks": ("disk-a", "disk-b"), "hostname": "x" * 63})),
    ("synthetic-many-disks", MANY_USES),
)


@pytest.mark.parametrize(("machine", "answers"), swept(WAYS, keep=0))
def test_back_and_forth_every_answer_is_as_it_was(machine: str, answers: Answers) -> None:
    async def run() -> None:
        async with walking(Machines(machine), answers) as walk:
            seen: dict[type[Step], str] = {}
            for step in STEPS[:-1]:
                await walk.at(step)
                assert walk.step.collect() == answers
                seen[step] = Picture.of(walk.pilot).text
                await walk.press("f10")
            await walk.at(Review)
            for step in reversed(STEPS[:-1]):
                await walk.press("escape")
                await walk.at(step)
                assert walk.step.first == walk.step.collect() == answers
                assert Picture.of(walk.pilot).text == seen[step]
            await walk.forwards()
            assert walk.step.first == answers

    walked(run)


BAD: Sequence[tuple[type[Step], str, str, Mapping[str, object]]] = (
    (Layout, "esp_size", "5Q", {}),
    (Layout, "boot_size", "1K", {}),
    (Layout, "swap_size", "much", {"swap": SwapKind.RAID}),
    (Encrypt, "passphrase", "short", {"passphrase": None}),
    (PoolStep, "pool", "mirror", {}),
    (Bootloader, "timeout", "99999", {}),
    (Bootloader, "arguments", "a;b", {}),
    (System, "hostname", "-bad", {}),
    (System, "user", "Ann", {}),
    (System, "ssh_key", "no key", {}),
    (System, "address", "192.0.2.300", {"static": True, "gateway": "192.0.2.1"}),
    (System, "gateway", "nowhere", {"static": True, "address": "192.0.2.7/24"}),
    (System, "dns", "nowhere", {"static": True, "address": "192.0.2.7/24", "gateway": "192.0.2.1"}),
)


@pytest.mark.parametrize(
    ("step", "name", "typed", "given"), swept(BAD, keep=3), ids=[f"{one[1]} {one[2]}" for one in BAD]
)
def test_bad_input_is_told_beside_its_field_and_again_at_review(
    step: type[Step], name: str, typed: str, given: Mapping[str, object]
) -> None:
    place = f"#field-{name.replace('_', '-')}"
    state = State("bad", step, FULL.model_copy(update=dict(given)), focus=f"{place} Input")

    async def run() -> None:
        async with on_stage(state) as pilot:
            screen: Any = pilot.app.screen
            screen.query_one(f"{place} Input", Input).value = ""
            await pilot.press(*keys(typed))
            await settle(pilot)
            field = screen.query_one(place, Field)
            beside = field.query_one(".problem", Static)
            assert beside.display
            words = str(beside.render()).removeprefix("! ")
            assert screen.problems(screen.collect())[name] == words
            await pilot.press("f10")
            await settle(pilot)
            assert pilot.app.screen is screen, "it was accepted"
            assert screen.focused is field.control
            found = review(screen.collect(), recorded(state.machine), screen.desk.client)
            assert found.plan is None
            assert [problem.step for problem in found.problems] == [screen.number]

    walked(run)


def test_no_disk_and_two_different_passphrases_are_refused() -> None:
    async def run() -> None:
        async with on_stage(State("none", STEPS[1], keys=("f10",))) as pilot:
            assert isinstance(pilot.app.screen, STEPS[1])
            assert "!" in Picture.of(pilot).text
        typed = (*keys("long enough"), "enter", *keys("long enouhg"), "f10")
        async with on_stage(State("differ", Encrypt, TWO, keys=typed)) as pilot:
            assert isinstance(pilot.app.screen, Encrypt)
            assert pilot.app.screen.query_one("#field-again .problem").display

    walked(run)


SAVED: Sequence[tuple[str, Answers]] = (
    ("synthetic-two-blank", OTHER),
    ("synthetic-two-blank", FULL),
    ("synthetic-two-blank-uefi", KERNELS),
    ("synthetic-earlier-install", USES),
    ("synthetic-many-disks", MANY_USES.model_copy(update={"loader": Loader.SYSTEMD_BOOT})),
    ("synthetic-earlier-install", FULL.model_copy(update={"disks": ("disk-a", "disk-b")})),
)


@pytest.mark.parametrize(("machine", "answers"), swept(SAVED, keep=1))
def test_the_recipe_that_review_saves_gives_the_same_plan(machine: str, answers: Answers) -> None:
    async def run() -> None:
        client = Machines(machine)
        async with on_stage(State("save", Review, answers, machine, ready=_planned), client=client) as pilot:
            screen: Any = pilot.app.screen
            await pilot.press("f2")
            await settle(pilot)
            await pilot.press("enter")
            await until(pilot, lambda: "Saved: " in Picture.of(pilot).text)
            (saved,) = map(str, Path(client.places(None)[0].folder).glob("*.toml"))
            found = client.read_recipe(saved)
            again = review(Install(recipe=found.text, secrets=_secrets(screen)), client.machine(), client)
            assert again.plan
            assert as_json(again.plan) == as_json(screen.reviewed.plan)

    walked(run)


def _planned(screen: Any) -> bool:
    return screen.reviewed is not None


def _secrets(screen: Any) -> Mapping[str, Secret]:
    return screen.reviewed.install.secrets  # type: ignore[no-any-return]


def test_a_disk_that_goes_between_review_and_consent_stops_everything() -> None:
    async def run() -> None:
        client = Machines()
        async with walking(client, FULL) as walk:
            await walk.forwards()
            await walk.planned()
            left = tuple(disk for disk in client.present.disks if disk.identity != "disk-b")
            client.present = client.present.model_copy(update={"disks": left})
            await walk.press("f10")
            await walk.at(Consent)
            await walk.press("tab", *keys("sk-a"), "enter", *keys("sk-b"), "f10")
            await until(walk.pilot, lambda: "Nothing was written" in Picture.of(walk.pilot).text)
            await walk.press("f10")
            await settle(walk.pilot)
            assert isinstance(walk.step, Consent)
            assert not client.started
            await walk.press("enter")  # Back has the focus
            await walk.at(Review)
            await until(walk.pilot, lambda: walk.step.reviewed is not None)
            assert not walk.step.reviewed.plan or not client.started

    walked(run)


def test_disks_that_end_alike_ask_for_more() -> None:
    async def run() -> None:
        client = Machines()
        names = {"disk-a": "AAAA1-1234", "disk-b": "AAAA2-1234"}
        disks = tuple(
            disk.model_copy(update={"serial": names.get(disk.identity, disk.serial)}) for disk in client.present.disks
        )
        client.present = client.present.model_copy(update={"disks": disks})
        answers = FULL.model_copy(update={"disks": tuple(names.values())})
        async with walking(client, answers) as walk:
            await walk.forwards()
            await walk.planned()
            await walk.press("f10")
            await walk.at(Consent)
            assert "Last 6 characters" in Picture.of(walk.pilot).text
            await walk.press("tab", *keys("1234"), "tab", *keys("1234"), "f10")
            await settle(walk.pilot)
            assert isinstance(walk.step, Consent)
            assert not client.started

    walked(run)
