"""The gate to other programs, with real programs."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer import process
from installer.errors import Refusal
from installer.masking import SECRETS, MaskedStream, Masker
from installer.process import HangError, Lines, Program, ProgramError, run, wait

CANARY = "  c4n4ry.*+(\\d)['\"`$;|&] "


@pytest.fixture(autouse=True)
def _no_secrets() -> Iterator[None]:
    yield
    SECRETS.clear()


def test_returns_what_the_program_said_and_tells_it_line_by_line() -> None:
    lines: list[str] = []
    completed = run(["printf", "one\\ntwo\\rthree"], on_output=lines.append)
    assert (completed.status, completed.out) == (0, "one\ntwo\rthree")
    assert lines == ["one", "two", "three"]


def test_a_program_inherits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 48, fault 75: neither a language nor a secret of ours."""
    monkeypatch.setenv("LANGUAGE", "de")
    monkeypatch.setenv("ZROOT_PASSWORD", "x")
    assert dict(line.split("=", 1) for line in run(["env"]).out.splitlines()) == process.ENVIRONMENT


def test_a_program_has_no_terminal_and_no_file_of_ours() -> None:
    out = run(["ls", "-l", "/proc/self/fd"]).out
    assert "/dev/pts" not in out
    assert "0 -> /dev/null" in out
    assert len([line for line in out.splitlines() if "->" in line]) == 4  # 0, 1, 2 and the folder that ls reads


@pytest.mark.needs("pgrep")
def test_a_signal_to_our_group_does_not_reach_the_program() -> None:
    """fault 61: Ctrl-C goes to the foreground group of the terminal."""
    pid_group = run(["ps", "-o", "pgid=", "-p", str(os.getpid())]).out.split()
    assert run(["ps", "-o", "pgid=", "-C", "ps"]).out.split()[0] not in pid_group


def test_standard_input_may_be_larger_than_a_pipe() -> None:
    text = b"x" * 1_000_000
    assert len(run(["cat"], stdin=text).out) == len(text)


def test_another_status_than_expected_is_an_error_in_words() -> None:
    with pytest.raises(ProgramError, match="ls ended with status 2") as caught:
        run(["ls", "/nowhere/at/all"])
    assert "No such file" in caught.value.message
    assert run(["ls", "/nowhere/at/all"], success=(0, 2)).status == 2


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PATH", "/nowhere")
    with pytest.raises(Refusal) as caught:
        run(["sgdisk", "--version"])
    assert "gdisk" in caught.value.hint


@pytest.mark.needs("pgrep")
def test_a_program_that_takes_too_long_is_killed_with_all_it_started() -> None:
    """fault 36"""
    began = time.monotonic()
    with pytest.raises(HangError, match=r"sleep was killed .* longer than 0.3 seconds"):
        run(["sleep", "98765"], timeout=0.3)
    with pytest.raises(HangError):
        run(["sh", "-c", "sleep 98765; true"], timeout=0.3)
    assert time.monotonic() - began < 5
    time.sleep(0.1)
    assert run(["pgrep", "-f", "^sleep 98765"], success=(0, 1)).status == 1


def test_a_program_that_cannot_be_killed_does_not_hang_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 36: a pool whose disk is gone leaves zpool asleep in the kernel."""
    monkeypatch.setattr(process, "AFTER_KILL", 0.3)
    real_kill, pids = os.killpg, []
    monkeypatch.setattr(os, "killpg", lambda pid, number: pids.append(pid))
    began = time.monotonic()
    with pytest.raises(HangError, match="cannot be ended"):
        run(["sleep", "30"], timeout=0.2)
    assert time.monotonic() - began < 3
    real_kill(pids[0], 9)


@pytest.mark.needs("pgrep")
def test_no_program_outlives_an_engine_that_was_killed() -> None:
    """fault 60: a resumed run must not meet the copy that the first one began."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); from installer.process import run; run(['sleep', '54321'])"
    engine = subprocess.Popen([sys.executable, "-c", code, str(Path(__file__).parents[2])])
    asleep = ["pgrep", "--full", "^(/usr)?(/bin/)?sleep 54321"]
    for _ in range(100):
        if run(asleep, success=(0, 1)).status == 0:
            break
        time.sleep(0.05)
    engine.kill()
    engine.wait()
    time.sleep(0.2)
    assert run(asleep, success=(0, 1)).status == 1


def test_a_daemon_that_keeps_the_pipe_open_does_not_delay_the_end() -> None:
    began = time.monotonic()
    assert run(["sh", "-c", "sleep 5 & echo done"]).out == "done\n"
    assert time.monotonic() - began < 2


def test_many_programs_run_from_one_thread() -> None:
    running = [Program(["sleep", "0.4"]) for _ in range(5)]
    began = time.monotonic()
    left = list(running)
    while left:
        wait(left, 0.1)
        left = [one for one in left if one.poll() is None]
    assert time.monotonic() - began < 1.5


def test_no_file_descriptor_is_left_behind() -> None:
    run(["true"])
    before = os.listdir("/proc/self/fd")
    for _ in range(20):
        run(["true"])
    assert len(os.listdir("/proc/self/fd")) <= len(before) + 1


def test_a_secret_in_an_argument_is_refused() -> None:
    """fault 75: every user of the machine reads /proc/PID/cmdline."""
    SECRETS.register(CANARY)
    with pytest.raises(RuntimeError) as caught:
        run(["echo", f"--passphrase={CANARY}"])
    assert "c4n4ry" not in str(caught.value)


def test_a_secret_that_a_program_prints_is_masked_everywhere() -> None:
    """fault 74, fault 76"""
    SECRETS.register(CANARY)
    lines: list[str] = []
    completed = run(["tee", "/dev/stderr"], stdin=f"a{CANARY}b\n".encode(), on_output=lines.append)
    assert (completed.out, completed.err) == ("a<secret>b\n", "a<secret>b\n")
    assert lines == ["a<secret>b", "a<secret>b"]


@pytest.mark.parametrize("seed", range(20))
def test_a_secret_is_masked_however_the_text_is_cut(seed: int) -> None:
    """fault 76: the redaction holds across chunk boundaries."""
    chance = random.Random(seed)  # noqa: S311
    masker = Masker()
    secrets = [CANARY, "aaab", "aaabaaab", "ab.*"]
    for secret in secrets:
        masker.register(secret)
    text = "".join(chance.choice([*secrets, "aa", "a", "x\n", " ", CANARY[:5]]) for _ in range(60))
    stream, pieces, rest = MaskedStream(masker), [], text
    while rest:
        size = chance.randrange(1, 9)
        pieces.append(stream.feed(rest[:size]))
        rest = rest[size:]
    masked = "".join([*pieces, stream.close()])
    assert masked == masker.mask(text)
    assert not any(secret in masked for secret in secrets)


def test_the_longest_of_two_secrets_is_masked_whole() -> None:
    masker = Masker()
    masker.register("correct")
    masker.register("correct horse")
    stream = MaskedStream(masker)
    assert stream.feed("correct ho") + stream.feed("rse, correct") + stream.close() == "<secret>, <secret>"


def test_text_that_only_begins_like_a_secret_is_not_lost() -> None:
    masker = Masker()
    masker.register("secret-x")
    stream = MaskedStream(masker)
    assert stream.feed("my secret-") + stream.feed("y") + stream.feed(" secre") + stream.close() == "my secret-y secre"


def test_characters_cut_in_two_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "odd"
    file.write_bytes("ä€".encode() + b"\xff\n")
    assert run(["cat", str(file)]).out == "ä€\\xff\n"


def test_progress_lines_end_with_a_carriage_return() -> None:
    lines: list[str] = []
    display = Lines(lines.append)
    for piece in ("10", "%\r20%", "\r\n", "rest"):
        display.feed(piece)
    display.close()
    assert lines == ["10%", "20%", "rest"]
