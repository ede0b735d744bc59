"""The encryption screen: choices, the passphrase twice, and the keyboard at boot."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from installer.errors import Refusal
from installer.recipe import keymap
from installer.recipe.secrets import Secret
from screens import compose
from screens.answers import Encryption
from screens.encryption import Encrypt
from screens.passphrase import difference, strength
from tests.screens.house import BOTH
from tests.screens.step_alone import MACHINES, TWO, Alone, Demo, drive

PASSPHRASE = "correct horse battery"
KEYMAPS = Path(__file__).parents[1] / "unit" / "recipes" / "keymaps"
GIVEN = TWO.model_copy(update={"passphrase": Secret(PASSPHRASE)})


class Compiled(Demo):
    """A machine whose keymaps are those that ckbcomp once made."""

    def __init__(self, *, wait: threading.Event | None = None, wrong: bool = False) -> None:
        super().__init__(MACHINES / "synthetic-two-blank.json")
        self._wait, self._wrong = wait, wrong

    def typeable(self, name: str) -> frozenset[str] | None:
        """Return the characters, when the test allows it."""
        if self._wait:
            self._wait.wait(10)
        if self._wrong:
            raise Refusal(f'system.keymap: there is no keyboard layout "{name}".')
        return keymap.typeable((KEYMAPS / f"{name}.kmap").read_text())


def test_passphrase_typed_twice_is_the_answer() -> None:
    async def steps(alone: Alone) -> None:
        assert alone.focus() == "passphrase"
        await alone.write(PASSPHRASE)
        await alone.press("enter")
        assert alone.focus() == "again"
        await alone.write(PASSPHRASE)
        await alone.press("enter")
        assert alone.focus() == "next"
        assert PASSPHRASE not in alone.text()
        answers = await alone.leave("enter")
        assert answers.passphrase
        assert answers.passphrase.reveal() == PASSPHRASE
        assert answers.passphrase_again is None

    drive(Encrypt, steps)


def test_second_entry_that_differs_is_told_at_once_and_by_its_place() -> None:
    async def steps(alone: Alone) -> None:
        await alone.write(PASSPHRASE)
        await alone.press("enter")
        await alone.write("corr")
        assert alone.problem("again") == ""
        await alone.write("x")
        assert "from character 5 on" in alone.problem("again")
        await alone.press("f10")
        assert not alone.left

    drive(Encrypt, steps)


def test_unconfirmed_passphrase_comes_back_unconfirmed() -> None:
    """Back is exact, and what was typed once only must not pass for confirmed."""

    async def there(alone: Alone) -> None:
        await alone.write(PASSPHRASE)
        await alone.press("enter")
        await alone.write("corr")
        back = await alone.leave("escape")

        async def again(alone: Alone) -> None:
            assert alone.field("passphrase").control.answer() == PASSPHRASE
            assert alone.field("again").control.answer() == "corr"
            assert alone.focus() == "again"
            await alone.press("f10")
            assert not alone.left

        found.append((back, again))

    found: list[tuple[object, object]] = []
    drive(Encrypt, there)
    answers, again = found[0]
    drive(Encrypt, again, answers)  # type: ignore[arg-type]


def test_confirmed_passphrase_comes_back_confirmed() -> None:
    async def steps(alone: Alone) -> None:
        assert alone.focus() == "next"
        assert (await alone.leave("enter")) == GIVEN

    drive(Encrypt, steps, GIVEN)


def test_changed_passphrase_voids_the_second_entry() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("passphrase")
        await alone.press("end", "x")
        assert alone.problem("again") == ""
        await alone.press("f10")
        assert "1 to go" in alone.problem("again")
        await alone.go("passphrase")
        await alone.press("home", "x")
        assert "from character 1 on" in alone.problem("again")

    drive(Encrypt, steps, GIVEN)


def test_f2_shows_both_and_hides_them_again() -> None:
    async def steps(alone: Alone) -> None:
        assert "F2" in alone.text()
        await alone.press("f2")
        assert alone.text().count(PASSPHRASE) == 2
        await alone.press("f2")
        assert PASSPHRASE not in alone.text()

    drive(Encrypt, steps, GIVEN)


def test_key_device_asks_for_a_recovery_passphrase_of_its_own() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("encryption")
        assert "Recovery" not in alone.text()
        await alone.press("right")
        await alone.press("f10")
        assert not alone.left
        assert alone.focus() == "recovery"
        await alone.write(PASSPHRASE)
        await alone.press("enter")
        assert "must not be the passphrase" in alone.problem("recovery")
        await alone.write("x")
        await alone.press("enter")
        assert alone.focus() == "recovery_again"
        await alone.write(f"{PASSPHRASE}x")
        answers = await alone.leave("f10")
        assert answers.encryption is Encryption.KEY_DEVICE
        assert answers.recovery
        assert answers.recovery.reveal() == f"{PASSPHRASE}x"
        assert answers.recovery_again is None

    drive(Encrypt, steps, GIVEN)


def test_without_encryption_nothing_is_asked() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("encryption")
        await alone.press("left")
        text = alone.text()
        assert "whoever gets a disk" in text
        assert not any(word in text for word in ("Passphrase", "Discard", "F2", "keyboard"))
        answers = await alone.leave("f10")
        assert answers.encryption is Encryption.NONE

    drive(Encrypt, steps)


@pytest.mark.parametrize("size", BOTH)
def test_each_choice_is_explained_in_four_lines_that_fit(size: tuple[int, int]) -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("encryption")
        seen = set()
        for _ in Encryption:
            lines = alone.text().splitlines()
            first = next(number for number, line in enumerate(lines) if line.startswith("  Hides"))
            assert [line.split()[0] for line in lines[first : first + 4]] == ["Hides", "Shows", "Costs", "Suits"]
            seen.add("\n".join(lines[first : first + 4]))
            await alone.press("right")
        assert len(seen) == len(Encryption)

    drive(Encrypt, steps, GIVEN, size=size)


def test_characters_that_the_keymap_lacks_are_named_by_their_places() -> None:
    answers = GIVEN.model_copy(update={"keymap": "ru"})

    async def steps(alone: Alone) -> None:
        await alone.until(lambda: "has no key for characters 1, 2" in alone.problem("passphrase"))
        await alone.press("f10")
        assert not alone.left

    drive(Encrypt, steps, answers, client=Compiled())


def test_next_waits_for_the_keymap_and_no_key_does() -> None:
    wait = threading.Event()
    answers = GIVEN.model_copy(update={"keymap": "de"})

    async def steps(alone: Alone) -> None:
        await alone.press("f10")
        assert not alone.left
        assert "still being read" in alone.problem("passphrase")
        wait.set()
        await alone.until(lambda: bool(alone.left))

    try:
        drive(Encrypt, steps, answers, client=Compiled(wait=wait))
    finally:
        wait.set()


def test_keymap_that_does_not_exist_is_said() -> None:
    async def steps(alone: Alone) -> None:
        await alone.until(lambda: 'no keyboard layout "xx"' in alone.problem("passphrase"))

    drive(Encrypt, steps, GIVEN.model_copy(update={"keymap": "xx"}), client=Compiled(wrong=True))


@pytest.mark.parametrize(("console", "said"), [(True, "twice here is the test"), (False, "proves nothing about")])
def test_what_typing_proves_depends_on_the_terminal(console: bool, said: str) -> None:
    client = Compiled()
    client.console = console

    async def steps(alone: Alone) -> None:
        assert said in " ".join(alone.text().split())

    drive(Encrypt, steps, GIVEN.model_copy(update={"keymap": "de"}), client=client)


def test_console_that_does_not_take_the_layout_proves_nothing() -> None:
    class Stubborn(Compiled):
        console = True

        def use_keymap(self, keymap: str) -> bool:
            raise Refusal("loadkeys ended with status 1.")

    async def steps(alone: Alone) -> None:
        await alone.until(lambda: "did not take the layout" in alone.text())
        assert "proves nothing" in " ".join(alone.text().split())
        assert (await alone.leave("f10")).passphrase == GIVEN.passphrase

    drive(Encrypt, steps, GIVEN.model_copy(update={"keymap": "de"}), client=Stubborn())


def test_length_rules_are_the_tools() -> None:
    async def steps(alone: Alone) -> None:
        await alone.write("short")
        assert "fewer than 8" in alone.problem("passphrase")
        await alone.write("er by")
        assert alone.problem("passphrase") == ""
        assert "Short: allowed" in alone.text()

    drive(Encrypt, steps)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("aaaaaaaaaa", "Only 1 different"),
        ("0123456789012345678", "Digits alone"),
        ("correct horse", "Short"),
        ("correct horse battery ", "begins or ends with a space"),
        ("correct Horse battery 9 \u00e9 %", "27 characters: small letters, capitals, digits, spaces, others."),
    ],
)
def test_strength_says_what_is_easy_to_guess(text: str, said: str) -> None:
    assert said in strength(text)
    assert not any(word in strength(text) for word in text.split())


@pytest.mark.parametrize(
    ("again", "said"),
    [("abc", ""), ("", "second time"), ("ab", "1 to go"), ("abcd", "character 4"), ("axc", "character 2")],
)
def test_difference(again: str, said: str) -> None:
    assert said in difference("abc", again)
    assert bool(said) == bool(difference("abc", again))


def test_integrity_has_its_cost_beside_it_and_no_discard() -> None:
    async def steps(alone: Alone) -> None:
        assert "each disk is written once" in alone.text()
        assert not alone.step.query_one("#field-discard").display
        made = compose.document(await alone.leave("f10"))
        assert made["crypt"]["pool"] == {"over": "partition.pool", "kind": "luks2-integrity", "discard": False}
        assert made["pool"]["rpool"]["properties"] == {"autotrim": "off"}

    drive(Encrypt, steps, GIVEN.model_copy(update={"encryption": Encryption.INTEGRITY}))
