"""Dialogues: the real cryptsetup on plain files, and programs that ask badly."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from installer.errors import ZrootError
from installer.masking import SECRETS
from installer.process import HangError, ProgramError, wait
from installer.run import dialogue
from installer.run.dialogue import Answer, Dialogue, RefusedSecretError, UnknownPromptError, converse
from tests.needs import require

CANARY = "  c4n4ry.*+(\\d)['\"`$(id);|&^] "
"""Shell and pattern characters, quotes, and spaces at both ends."""


@pytest.fixture(autouse=True)
def _canary() -> Iterator[None]:
    SECRETS.register(CANARY)
    yield
    SECRETS.clear()


@pytest.fixture
def device(tmp_path: Path) -> str:
    require("cryptsetup")
    file = tmp_path / "device"
    with file.open("wb") as opened:
        opened.truncate(32 * 1024**2)
    return str(file)


def luks_format(device: str, passphrase: str = CANARY) -> Dialogue:
    return Dialogue(
        [
            "cryptsetup",
            "luksFormat",
            "--type=luks2",
            "--batch-mode",
            "--verify-passphrase",
            "--pbkdf=pbkdf2",
            "--pbkdf-force-iterations=1000",
            device,
        ],
        [Answer(f"Enter passphrase for {device}: ", passphrase), Answer("Verify passphrase: ", passphrase)],
    )


def finish(*running: Dialogue) -> None:
    left = list(running)
    while left:
        wait(left, 0.05)
        left = [one for one in left if one.poll() is None]


def opens(device: str, passphrase: str) -> None:
    argv = ["cryptsetup", "open", "--test-passphrase", "--type=luks2", device]
    converse(argv, [Answer(f"Enter passphrase for {device}: ", passphrase)])


def test_formats_and_opens_with_every_odd_character(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 45, fault 48: and asks in English whatever the language of whoever started us."""
    monkeypatch.setenv("LANGUAGE", "de")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    finish(luks_format(device))
    opens(device, CANARY)
    with pytest.raises(RefusedSecretError, match="did not accept"):
        opens(device, CANARY.strip())


@pytest.mark.needs("cryptsetup")
def test_formats_several_members_side_by_side_from_one_thread(tmp_path: Path) -> None:
    devices = []
    for name in "abc":
        (tmp_path / name).write_bytes(b"")
        with (tmp_path / name).open("wb") as opened:
            opened.truncate(32 * 1024**2)
        devices.append(str(tmp_path / name))
    finish(*(luks_format(one) for one in devices))
    for one in devices:
        opens(one, CANARY)


def test_a_long_passphrase_arrives_whole(device: str) -> None:
    """fault 44: 512 bytes are what cryptsetup takes; one more is refused before anything is started."""
    longest = "ä" * 256
    finish(luks_format(device, longest))
    opens(device, longest)
    with pytest.raises(RefusedSecretError):
        opens(device, longest[:-1])
    with pytest.raises(ZrootError, match="cannot be typed"):
        luks_format(device, longest + "x")


@pytest.mark.parametrize("text", ["", "tab\there", "line\nend", "erase\x15all", "del\x7f"])
def test_what_a_terminal_would_eat_is_never_typed(text: str) -> None:
    """fault 44"""
    with pytest.raises(ZrootError, match="cannot be typed"):
        converse(["true"], [Answer("x", text)])


def test_the_two_passphrases_differ(device: str) -> None:
    """fault 42"""
    with pytest.raises(RefusedSecretError, match="did not accept") as caught:
        converse(
            ["cryptsetup", "luksFormat", "--type=luks2", "--batch-mode", "--verify-passphrase", device],
            [Answer(f"Enter passphrase for {device}: ", "one passphrase"), Answer("Verify passphrase: ", "another")],
        )
    assert "do not match" in caught.value.message


def test_last_words_are_heard_however_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said between pexpect's look for output and its question whether the program still lives."""
    go = tmp_path / "go"
    ends = ["sh", "-c", f"until [ -e {go} ]; do sleep 0.01; done; echo last-$((1 + 1))-words; exit 3"]
    running = Dialogue(ends, [])
    alive = type(running._child).isalive
    asked = []

    def asked_late(child: Any) -> bool:
        asked.append(child)  # twice in each look, and only the second time it is too late to look for output again
        if len(asked) > 1:
            go.touch()
            while not child.has_ended():
                time.sleep(0.01)
        return alive(child)

    monkeypatch.setattr(type(running._child), "isalive", asked_late)
    with pytest.raises(ProgramError, match="last-2-words"):
        finish(running)


def test_nothing_shows_the_secret(device: str) -> None:
    """fault 74, fault 75"""
    lines: list[str] = []
    answer = Answer(f"Enter passphrase for {device}: ", CANARY)
    assert "c4n4ry" not in repr(answer)
    finish(luks_format(device))
    completed = converse(["cryptsetup", "open", "--test-passphrase", device], [answer], on_output=lines.append)
    assert "c4n4ry" not in completed.out + "".join(lines)


PROLOGUE = """
import sys, termios, time
def ask(prompt, *, slow=0.0, hide=True, flush=True):
    sys.stdout.write(prompt); sys.stdout.flush()
    time.sleep(slow)
    before = termios.tcgetattr(0)
    if hide:
        after = termios.tcgetattr(0)
        after[3] &= ~termios.ECHO
        termios.tcsetattr(0, termios.TCSAFLUSH if flush else termios.TCSANOW, after)
    line = sys.stdin.readline().rstrip("\\n")
    termios.tcsetattr(0, termios.TCSAFLUSH, before)
    print()
    return line
"""


def program(tmp_path: Path, body: str) -> list[str]:
    file = tmp_path / "program.py"
    file.write_text(PROLOGUE + body)
    return [sys.executable, str(file)]


@pytest.mark.parametrize("slow", [0.0, 0.7])
def test_types_only_once_the_program_listens(tmp_path: Path, slow: float) -> None:
    """fault 50: what is typed before the echo is off is thrown away by cryptsetup and zfs."""
    argv = program(tmp_path, f"sys.exit(0 if ask('Key: ', slow={slow}) == {CANARY!r} else 9)")
    assert converse(argv, [Answer("Key: ", CANARY)], timeout=10).status == 0


def test_a_program_that_does_not_hide_the_secret_does_not_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogue, "ECHO_OFF", 0.5)
    argv = program(tmp_path, "ask('Key: ', hide=False)")
    with pytest.raises(UnknownPromptError, match="without hiding"):
        converse(argv, [Answer("Key: ", CANARY)], timeout=10)


def test_the_same_prompt_again_means_a_wrong_secret(tmp_path: Path) -> None:
    argv = program(tmp_path, "ask('Key: ')\nask('Key: ')")
    with pytest.raises(RefusedSecretError):
        converse(argv, [Answer("Key: ", CANARY)], timeout=10)


def test_the_same_prompt_twice_in_the_plan_is_answered_twice(tmp_path: Path) -> None:
    argv = program(tmp_path, "sys.exit(0 if ask('Key: ') + ask('Key: ') == 'onetwo' else 9)")
    assert converse(argv, [Answer("Key: ", "one"), Answer("Key: ", "two")], timeout=10).status == 0


@pytest.mark.parametrize("prompt", ["Continue creating array? ", "Really erase [y/N]", "Other key: ", "Sure (yes/no)"])
def test_an_unknown_prompt_is_shown_and_never_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prompt: str
) -> None:
    """fault 49"""
    monkeypatch.setattr(dialogue, "QUIET", 0.5)
    touched = tmp_path / "touched"
    body = f"print('Some words: first')\nask({prompt!r}, hide=False)\nopen({str(touched)!r}, 'w')"
    with pytest.raises(UnknownPromptError) as caught:
        converse(program(tmp_path, body), [Answer("Key: ", CANARY)], timeout=10)
    assert prompt.strip() in caught.value.message
    time.sleep(0.2)
    assert not touched.exists()


def test_a_silent_program_is_not_taken_for_an_asking_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialogue, "QUIET", 0.2)
    body = "ask('Key: ')\nsys.stdout.write('Deriving the key'); sys.stdout.flush()\ntime.sleep(0.8)"
    assert converse(program(tmp_path, body), [Answer("Key: ", CANARY)], timeout=10).status == 0


def test_a_prompt_out_of_turn_stops_the_dialogue(tmp_path: Path) -> None:
    with pytest.raises(UnknownPromptError, match="out of turn"):
        converse(program(tmp_path, "ask('Second: ')"), [Answer("First: ", "x"), Answer("Second: ", "y")], timeout=10)


def test_a_program_that_never_asked_has_not_done_what_was_planned(tmp_path: Path) -> None:
    with pytest.raises(UnknownPromptError, match="ended without asking"):
        converse(["true"], [Answer("Key: ", CANARY)])


def test_a_failing_program_says_why_without_the_secret(tmp_path: Path) -> None:
    argv = program(tmp_path, "print('no such', ask('Key: '))\nsys.exit(3)")
    with pytest.raises(ProgramError, match="status 3") as caught:
        converse(argv, [Answer("Key: ", CANARY)], timeout=10)
    assert "no such <secret>" in caught.value.message


def test_a_dialogue_that_hangs_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(HangError, match=r"longer than 0.8 seconds"):
        converse(program(tmp_path, "time.sleep(60)"), [Answer("Key: ", CANARY)], timeout=0.8)
    assert time.monotonic() - began < 5


def test_a_plain_answer_is_given_where_the_program_shows_what_is_typed(tmp_path: Path) -> None:
    """tcplay asks for the passphrase twice, then whether it may erase the device."""
    body = (
        "ask('Passphrase: ')\nask('Repeat passphrase: ')\nsys.exit(0 if ask('Sure? (y/n) ', hide=False) == 'y' else 9)"
    )
    secret = [Answer("Passphrase: ", CANARY), Answer("Repeat passphrase: ", CANARY)]
    argv = program(tmp_path, body)
    assert converse(argv, [*secret, Answer("Sure? (y/n) ", "y", hidden=False)], timeout=10).status == 0
