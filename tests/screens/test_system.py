"""The system screen: what has no default is asked for, and what is wrong is told beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.machine.locales import locales
from installer.recipe.secrets import Secret
from screens import compose as composing
from screens.answers import Answers, Encryption
from screens.system import System
from tests.screens.step_alone import MACHINES, TWO, Alone, Demo, drive

PASSWORD = "open sesame"
GIVEN = TWO.model_copy(update={"passphrase": Secret("correct horse battery")})
WHOLE = GIVEN.model_copy(update={"hostname": "frodo", "user": "ann"})


class Known(Demo):
    """A machine that knows its locales and its interfaces."""

    def __init__(self) -> None:
        super().__init__(MACHINES / "synthetic-two-blank.json")

    def locales(self) -> dict[str, str]:
        """Return a few."""
        return {"de_DE.UTF-8": "German, Germany", "en_US.UTF-8": "American English, United States"}

    def interfaces(self) -> list[str]:
        """Return two."""
        return ["enp1s0", "enp2s0"]


def test_only_host_name_and_user_must_be_typed() -> None:
    async def steps(alone: Alone) -> None:
        assert alone.focus() == "hostname"
        await alone.write("frodo")
        await alone.press("enter")
        assert alone.focus() == "user"
        await alone.write("ann")
        await alone.press("enter")
        assert alone.focus() == "next"
        answers = await alone.leave("enter")
        assert answers == WHOLE
        assert composing.problems(answers) == {}

    drive(System, steps, GIVEN)


def test_what_is_missing_is_named_at_next() -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("f10")
        assert alone.focus() == "hostname"
        assert alone.problem("hostname") == "! Type a name: letters, digits and hyphens."
        assert alone.problem("user") == "! Type a name: small letters, digits, _ and -."
        assert not alone.left

    drive(System, steps, GIVEN)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("hostname", "-frodo", "no hyphen at an end"),
        ("hostname", "localhost", "stands for every machine"),
        ("user", "Ann", "small letters"),
        ("user", "root", "is taken"),
        ("ssh_key", "ssh-ed25519 AAAA", "damaged"),
        ("user_password", "abc", "fewer than 4"),
    ],
)
def test_bad_answer_is_told_at_once(name: str, text: str, said: str) -> None:
    async def steps(alone: Alone) -> None:
        await alone.go(name)
        await alone.press("home", "ctrl+k")
        await alone.write(text)
        assert said in " ".join(alone.problem(name).split())
        assert "system." not in alone.problem(name)

    drive(System, steps, WHOLE)


def test_password_of_its_own_is_typed_twice_and_never_shown() -> None:
    async def steps(alone: Alone) -> None:
        assert "The same again" not in alone.text()
        assert "F2" not in alone.text()
        await alone.go("user_password")
        await alone.write(PASSWORD)
        await alone.press("enter")
        assert alone.focus() == "again"
        await alone.write("open x")
        assert "from character 6 on" in alone.problem("again")
        assert PASSWORD not in alone.text()
        await alone.press("home", "ctrl+k")
        await alone.write(PASSWORD)
        await alone.press("f2")
        assert alone.text().count(PASSWORD) == 2
        answers = await alone.leave("f10")
        assert answers.user_password
        assert answers.user_password.reveal() == PASSWORD
        assert composing.secrets(answers)["user-password"].reveal() == PASSWORD

    drive(System, steps, WHOLE)


@pytest.mark.parametrize(("key", "needed"), [("", True), ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== ann", False)])
def test_without_a_passphrase_the_user_needs_a_password_or_a_key(key: str, needed: bool) -> None:
    answers = WHOLE.model_copy(update={"encryption": Encryption.NONE, "ssh_key": key})

    async def steps(alone: Alone) -> None:
        assert (alone.focus() == "user_password") == needed
        await alone.press("f10")
        assert ("password or an ssh key" in " ".join(alone.problem("user_password").split())) == needed

    drive(System, steps, answers)


def test_fixed_address_asks_for_what_it_needs() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("static")
        assert "Gateway" not in alone.text()
        await alone.press("space")
        assert alone.field("interface").control.answer() == "enp1s0"
        await alone.press("enter")
        assert alone.focus() == "address"
        await alone.write("192.0.2.10")
        assert "prefix length" in alone.problem("address")
        await alone.write("/24")
        assert alone.problem("address") == ""
        await alone.go("gateway")
        await alone.write("198.51.100.1")
        assert "is not in 192.0.2.0/24" in alone.problem("gateway")
        await alone.press("home", "ctrl+k")
        await alone.write("192.0.2.1")
        answers = await alone.leave("f10")
        network = composing.recipe(answers).system.network
        assert (network.interface, network.address, network.gateway) == ("enp1s0", "192.0.2.10/24", "192.0.2.1")

    drive(System, steps, WHOLE, client=Known())


def test_fixed_address_that_was_given_up_leaves_no_trace_in_the_recipe() -> None:
    typed = WHOLE.model_copy(update={"interface": "enp1s0", "address": "192.0.2.10/24", "static": False})
    assert composing.recipe(typed) == composing.recipe(WHOLE)


def test_language_is_found_by_its_name() -> None:
    async def steps(alone: Alone) -> None:
        await alone.until(lambda: "American English" in alone.text())
        await alone.go("locale")
        await alone.press("space")
        await alone.write("germ")
        await alone.press("enter")
        assert "de_DE.UTF-8  German, Germany" in alone.text()
        assert (await alone.leave("f10")).locale == "de_DE.UTF-8"

    drive(System, steps, WHOLE, client=Known())


def test_language_that_the_new_system_cannot_have_is_told() -> None:
    async def steps(alone: Alone) -> None:
        await alone.until(lambda: "American English" not in alone.text() and bool(alone.step._locales))  # type: ignore[attr-defined]
        await alone.press("f10")
        assert "choose one of the list" in alone.problem("locale")

    drive(System, steps, WHOLE.model_copy(update={"locale": "tlh_QO.UTF-8"}), client=Known())


def test_back_keeps_what_is_wrong_too() -> None:
    half = Answers(
        disks=TWO.disks, hostname="-", user="", static=True, interface="enp7s0", address="x", user_password=Secret("ab")
    )
    half = half.model_copy(update={"user_password_again": Secret("a")})

    async def steps(alone: Alone) -> None:
        answers = await alone.leave("escape")
        assert answers.user_password_again
        assert answers.user_password_again.reveal() == "a"
        assert answers.model_copy(update={"user_password_again": half.user_password_again}) == half

    drive(System, steps, half)


def test_locales_are_read_from_the_c_library(tmp_path: Path) -> None:
    (tmp_path / "locales").mkdir()
    (tmp_path / "SUPPORTED").write_text("de_DE.UTF-8 UTF-8\nde_DE ISO-8859-1\naa_ER UTF-8\nnb_NO.UTF-8 UTF-8\n")
    (tmp_path / "locales" / "nb_NO").write_text('% head\nlanguage   "Norwegian Bokm\u00e5l"\nterritory  "Norway"\n')
    assert locales(tmp_path) == {"C.UTF-8": "", "de_DE.UTF-8": "", "nb_NO.UTF-8": "Norwegian Bokmal, Norway"}
    assert locales(tmp_path / "none") == {}
