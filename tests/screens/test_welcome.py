"""Welcome: the keyboard first, what the machine is and lacks, and the ways to go on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from textual.pilot import Pilot

from installer.errors import Refusal
from installer.machine.model import Address, Machine, Network
from screens.answers import Answers
from screens.app import Guided
from screens.step import Move
from screens.welcome import Welcome
from tests.screens.step_alone import MACHINES, Alone, Demo, drive

BLANK = MACHINES / "synthetic-two-blank.json"


class Machines(Demo):
    """A machine with a network and a console, as a test wants them."""

    def __init__(self, *, network: Network | None = None, said: str = "", console: bool = False) -> None:
        super().__init__(BLANK)
        self.console = console
        self.keymaps: list[str] = []
        self._network, self._said = network or Network(), said

    def network(self) -> Network:
        """Return what the test wants."""
        return self._network

    def last_run(self) -> str:
        """Return what the test wants."""
        return self._said

    def use_keymap(self, keymap: str) -> bool:
        """Remember it."""
        self.keymaps.append(keymap)
        return self.console

    def typeable(self, keymap: str) -> frozenset[str] | None:
        """Know the layouts of the list and de:neo_qwertz, as far as these tests go."""
        if keymap != "de:neo_qwertz":
            raise Refusal(f'system.keymap: there is no keyboard layout "{keymap}".', hint="Write another.")
        return frozenset()


def test_says_what_the_machine_is() -> None:
    async def steps(alone: Alone) -> None:
        text = alone.text()
        assert "BIOS; 1.9 GiB of memory" in text
        assert "2 can be used" in text
        assert alone.focus() == "next"
        assert "Last run" not in text

    drive(Welcome, steps, Answers())


def test_names_addresses_and_ssh_only_where_it_runs() -> None:
    found = (Address(interface="eth0", address="192.0.2.10"),)

    async def with_ssh(alone: Alone) -> None:
        await alone.until(lambda: "192.0.2.10 (eth0)" in alone.text())
        assert "over ssh: log in at 192.0.2.10" in alone.text()

    async def without(alone: Alone) -> None:
        await alone.until(lambda: "192.0.2.10 (eth0)" in alone.text())
        assert "ssh" not in alone.text()

    drive(Welcome, with_ssh, Answers(), client=Machines(network=Network(addresses=found, ssh=True)))
    drive(Welcome, without, Answers(), client=Machines(network=Network(addresses=found)))


def test_says_what_stands_in_the_way_and_goes_on_all_the_same() -> None:
    async def steps(alone: Alone) -> None:
        text = " ".join(alone.text().split())
        assert "This needs root" in text
        assert "Switch Secure Boot off" in text
        await alone.leave("f10")
        assert alone.left[0].move is Move.NEXT

    drive(Welcome, steps, Answers(), machine="synthetic-secure-boot")


def test_says_how_the_last_run_ended() -> None:
    async def steps(alone: Alone) -> None:
        assert "Disks a, b are partly written." in alone.text()

    drive(Welcome, steps, Answers(), client=Machines(said="It stopped.\nDisks a, b are partly written."))


def test_keymap_takes_effect_on_the_console_at_once() -> None:
    client = Machines(console=True)

    async def steps(alone: Alone) -> None:
        await alone.press("up", "space")
        await alone.write("fr:oss")
        await alone.press("enter")
        await alone.until(lambda: "This console has the layout now." in alone.text())
        assert client.keymaps == ["fr:oss"]
        answers = await alone.leave("f10")
        assert answers.keymap == "fr:oss"

    drive(Welcome, steps, Answers(), client=client)


def test_a_layout_that_is_not_in_the_list_is_looked_up() -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("up", "space")
        await alone.write("de:neo_qwertz")
        await alone.press("enter")
        await alone.leave("f10")
        assert alone.left[0].answers.keymap == "de:neo_qwertz"

    async def wrong(alone: Alone) -> None:
        await alone.press("up", "space")
        await alone.write("xx")
        await alone.press("enter")
        await alone.until(lambda: 'no keyboard layout "xx"' in alone.problem("keymap"))
        await alone.press("f10")
        assert not alone.left
        assert alone.focus() == "keymap"

    drive(Welcome, steps, Answers(), client=Machines())
    drive(Welcome, wrong, Answers(), client=Machines())


@pytest.mark.parametrize(("keys", "move"), [(("right",), Move.REPLAY), (("down", "down"), Move.SHELL)])
def test_other_ways_to_go(keys: tuple[str, ...], move: Move) -> None:
    async def steps(alone: Alone) -> None:
        await alone.press(*keys)
        await alone.leave("enter")
        assert alone.left[0].move is move

    drive(Welcome, steps, Answers())


def test_quits_only_after_a_question_whose_safe_answer_has_the_focus() -> None:
    async def steps(alone: Alone) -> None:
        for refusal in (("escape", "enter"), ("escape", "escape")):
            await alone.press(*refusal)
            assert not alone.left
            assert alone.pilot.app.screen is alone.step
        await alone.press("escape", "right")
        await alone.leave("enter")
        assert alone.left[0].move is Move.QUIT

    drive(Welcome, steps, Answers())


class Blocked(Demo):
    """A machine whose disks do not answer until they are let."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__(BLANK)
        self.let = threading.Event()
        self._fails = fails

    def machine(self) -> Machine:
        """Wait, then look or fail."""
        self.let.wait(30)
        if self._fails:
            raise Refusal("The disks of this machine cannot be listed.", hint="Run `lsblk` to see why.")
        return super().machine()


def test_paints_and_takes_keys_while_the_probe_is_blocked() -> None:
    async def run() -> None:
        client = Blocked()
        app = Guided(client)
        async with app.run_test(size=(80, 24)) as pilot:
            try:
                await _until(pilot, lambda: "Looking at its firmware" in _text(app))
                await pilot.press("down")
                await _until(pilot, lambda: app.focused is not None and app.focused.id == "replay")
                assert app.desk.machine is None
            finally:
                client.let.set()
            await _until(pilot, lambda: "2 can be used" in _text(app))
            assert app.focused
            assert app.focused.id == "replay", "the focus stays"

    asyncio.run(run())


def test_says_why_the_machine_could_not_be_looked_at() -> None:
    async def run() -> None:
        client = Blocked(fails=True)
        client.let.set()
        app = Guided(client)
        async with app.run_test(size=(80, 24)) as pilot:
            await _until(pilot, lambda: "! The disks of this machine cannot be listed." in _text(app))

    asyncio.run(run())


def _text(app: Guided) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def _until(pilot: Pilot[int], holds: Callable[[], bool]) -> None:
    for _ in range(200):
        await pilot.pause(0.01)
        if holds():
            return
    raise AssertionError("it did not come to it")
