"""The command line: wording, exit statuses, and no traceback ever."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import installer.machine.probe
import installer.run.apply
from installer import cli
from installer.errors import Exit
from installer.masking import SECRETS
from installer.plan.render import from_json
from installer.recipe.load import parse
from installer.run.apply import Outcome
from installer.run.events import Begun, Ended, Failed, Notice, Output, Started, Working
from installer.terminal import Terminal

ROOT = Path(__file__).parents[2]
MAIN = str(ROOT / "recipes" / "debian-luks-mirror.toml")
MACHINE = str(ROOT / "tests" / "machines" / "synthetic-two-blank.json")
BOUND = [MAIN, "--disk", "a=disk-a", "--disk", "b=disk-b"]
ON_MACHINE = ["--machine", MACHINE]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["version"]) == Exit.DONE
    assert capsys.readouterr().out.startswith("zroot ")


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out)["title"] == "zroot recipe"


def test_schema_starts_without_the_engine() -> None:
    script = "import sys; from installer import cli; cli.main(['schema']); print('\\n', *sys.modules, file=sys.stderr)"
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(found.stderr.split())
    assert "installer.recipe.model" in loaded
    assert not {name for name in loaded if name.startswith(("installer.run", "installer.plan", "installer.machine"))}
    assert not loaded & {"pexpect", "pyudev", "blkinfo", "tomlkit", "textual", "subprocess"}


def test_lists_the_disks(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["disks", *ON_MACHINE]) == Exit.DONE
    out = capsys.readouterr().out
    assert "serial disk-a" in out
    assert "may be used" in out


def test_lists_the_disks_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["disks", "--json", *ON_MACHINE]) == Exit.DONE
    found = json.loads(capsys.readouterr().out)
    assert {entry["disk"]["serial"]: entry["usable"] for entry in found}["disk-a"] is True


def test_check_says_which_disks_it_would_take(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", *BOUND, *ON_MACHINE]) == Exit.DONE
    out = capsys.readouterr().out
    assert "valid" in out
    assert "Disk a would be erased" in out
    assert "disk-b" in out
    assert "Secret passphrase" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", MAIN, *ON_MACHINE], "--disk ROLE=SERIAL"),
        (["check", "/nonexistent.toml"], "No such file"),
        (["check", MAIN, "--disk", "a"], "no role and serial"),
        (["check", MAIN, "--disk", "a=1", "--disk", "a=2"], "twice"),
        (["check", MAIN, "--disk", "z=1"], "Its disks are: a, b."),
        (["check", MAIN, "--disk", "a=disk-a", "--disk", "b=nothing", *ON_MACHINE], "disk-b"),
        (["check", MAIN, "--disk", "a=disk-a", "--disk", "b=disk-a", *ON_MACHINE], "same disk"),
        (["plan", *BOUND, "--machine", "/nonexistent.json"], "nonexistent.json"),
        (["plan", *BOUND, "--machine", MAIN], "recorded machine"),
    ],
)
def test_refusals_go_to_stderr_with_status_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == Exit.REFUSED
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err


@pytest.mark.parametrize("arguments", [["frobnicate"], ["plan"], ["apply", MAIN, "--era", "X"], ["disks", "--yaml"]])
def test_wrong_usage_is_a_refusal_too(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == Exit.REFUSED
    assert "usage: zroot" in capsys.readouterr().err


def test_plan_is_the_same_bytes_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    written = []
    for _ in range(2):
        assert cli.main(["plan", "--format", "json", *BOUND, *ON_MACHINE]) == Exit.DONE
        written.append(capsys.readouterr().out)
    assert written[0] == written[1]
    assert {disk.identity for disk in from_json(written[0]).disks} == {"disk-a", "disk-b"}


@pytest.mark.parametrize(("form", "begins"), [("text", "Debian on a LUKS mirror"), ("sh", "#!/bin/bash")])
def test_plan_in_its_other_forms(form: str, begins: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "--format", form, *BOUND, *ON_MACHINE]) == Exit.DONE
    assert capsys.readouterr().out.startswith(begins)


def test_mistake_of_ours_is_an_apology_and_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """fault 77"""
    canary = r".*+(tell nobody)"

    def broken() -> str:
        raise KeyError(canary)

    monkeypatch.setattr("installer.recipe.schema.as_text", broken)
    monkeypatch.setattr(cli, "STATE", tmp_path)
    SECRETS.register(canary)
    try:
        assert cli.main(["schema"]) == Exit.REFUSED
    finally:
        SECRETS.forget(canary)
    err = capsys.readouterr().err
    assert "Sorry" in err
    assert "Traceback" not in err
    (report,) = tmp_path.iterdir()
    assert str(report) in err
    assert report.stat().st_mode & 0o777 == 0o600
    assert "KeyError" in report.read_text()
    assert "tell nobody" not in report.read_text()


def test_mistake_of_ours_after_writing_began_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    monkeypatch.setattr(cli, "STATE", tmp_path)
    monkeypatch.setattr(cli, "JOURNAL", journal)
    monkeypatch.setattr(installer.run.apply, "apply", lambda *args, **options: 1 // 0)
    assert cli.main(["apply", *BOUND]) == Exit.REFUSED
    journal.touch()
    assert cli.main(["apply", *BOUND]) == Exit.FAILED


@pytest.mark.parametrize("stop", [KeyboardInterrupt, EOFError])
def test_stopping_is_no_success(stop: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 63"""

    def interrupted() -> str:
        raise stop

    monkeypatch.setattr("installer.recipe.schema.as_text", interrupted)
    assert cli.main(["schema"]) == Exit.STOPPED


def test_reader_that_has_seen_enough_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    found = subprocess.run(
        [sys.executable, "-m", "installer.cli", "schema"], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert found.stderr == b""
    assert found.returncode == Exit.DONE


def test_journal_is_where_the_engine_keeps_it() -> None:
    from installer.run.journal import JOURNAL

    assert cli.STATE == installer.run.apply.RUN
    assert cli.JOURNAL == installer.run.apply.RUN / "state" / JOURNAL


# apply


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the engine was asked to do; nothing is done."""
    calls: list[dict[str, Any]] = []

    def apply(text: str, **options: Any) -> Outcome:
        calls.append({"text": text, **options})
        return Outcome(status="done", exit=Exit.DONE, words="done")

    monkeypatch.setattr(installer.run.apply, "apply", apply)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return calls


def test_apply_hands_over_what_was_said(applied: list[dict[str, Any]], tmp_path: Path) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text("passphrase = 'from a file'\n")
    secrets.chmod(0o600)
    erase = ["--erase", "disk-a", "--erase", "disk-b"]
    assert cli.main(["apply", *BOUND, *erase, "--secrets", str(secrets), "--events", "/run/e", "--resume"]) == Exit.DONE
    (call,) = applied
    assert parse(call["text"]).disks["a"].serial == "disk-a"
    assert call["erase"] == ["disk-a", "disk-b"]
    assert call["secrets"]["passphrase"].reveal() == "from a file"
    assert call["events"] == Path("/run/e")
    assert call["resume"] is True


def test_apply_reads_secrets_from_a_descriptor(applied: list[dict[str, Any]]) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"passphrase = 'from a pipe'\n")
    os.close(writer)
    cli.main(["apply", *BOUND, "--secrets-fd", str(reader)])
    assert applied[0]["secrets"]["passphrase"].reveal() == "from a pipe"


def test_apply_reads_secrets_from_the_systemd_credential(
    applied: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "zroot.secrets").write_text("passphrase = 'from systemd'\n")
    (tmp_path / "zroot.secrets").chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    cli.main(["apply", *BOUND])
    assert applied[0]["secrets"]["passphrase"].reveal() == "from systemd"


def test_apply_with_nobody_attached_asks_nothing(
    applied: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt: pytest.fail("asked"))
    cli.main(["apply", *BOUND])
    assert applied[0]["secrets"] == {}


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> list[str]:
    prompts: list[str] = []
    left = list(lines)

    def getpass(prompt: str) -> str:
        prompts.append(prompt)
        return left.pop(0)

    monkeypatch.setattr("sys.stdin", Keyboard())
    monkeypatch.setattr("getpass.getpass", getpass)
    monkeypatch.setattr(cli, "_refuse_early", lambda recipe, erase: None)
    return prompts


def test_asks_for_each_missing_secret_twice(applied: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = typed(monkeypatch, "correct horse", "correct horse", "hunter2", "hunter2")
    assert cli.main(["apply", *BOUND]) == Exit.DONE
    assert applied[0]["secrets"]["passphrase"].reveal() == "correct horse"
    assert "encrypted devices" in prompts[0]


def test_asks_again_where_the_two_differ_or_it_is_unfit(
    applied: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """fault 42, fault 43"""
    typed(monkeypatch, "short", "correct horse", "correct hose", "correct horse", "correct horse", "word", "word")
    assert cli.main(["apply", *BOUND]) == Exit.DONE
    err = capsys.readouterr().err
    assert "fewer than 8" in err
    assert "differ" in err
    assert "horse" not in err


def test_gives_up_after_three_tries(applied: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "short", "short", "short")
    assert cli.main(["apply", *BOUND]) == Exit.REFUSED
    assert applied == []


def test_missing_consent_is_said_before_anything_is_asked(
    applied: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from installer.machine import read, recording

    machine = read.read(recording.load(Path(MACHINE)))
    monkeypatch.setattr(installer.machine.probe, "probe", lambda: machine)
    monkeypatch.setattr("installer.machine.obstacles.obstacles", lambda machine: ())
    monkeypatch.setattr("sys.stdin", Keyboard())
    monkeypatch.setattr("getpass.getpass", lambda prompt: pytest.fail("asked"))
    assert cli.main(["apply", *BOUND, "--erase", "disk-a"]) == Exit.REFUSED
    assert "--erase disk-b" in capsys.readouterr().err


def test_apply_refuses_a_broken_recipe_before_it_asks(
    applied: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Keyboard())
    assert cli.main(["apply", MAIN]) == Exit.REFUSED
    assert applied == []


def test_exit_status_is_the_run_s(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failed = Outcome(status="failed", exit=Exit.FAILED, words="Disks a, b are partly written.")
    monkeypatch.setattr(installer.run.apply, "apply", lambda text, **options: failed)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert cli.main(["apply", *BOUND]) == Exit.FAILED
    assert "partly written" in capsys.readouterr().err


# events on the terminal


def test_terminal_shows_the_run() -> None:
    out = io.StringIO()
    terminal = Terminal(out)
    for event in (
        Begun(install_id="1", title="Debian", operations=2, resumed=False),
        Started(operation="x", title="Format \x1b[31mpool-a", number=1),
        Output(operation="x", lines=("one", "two\x07")),
        Working(operation="x", minutes=1),
        Failed(operation="x", title="It failed.", message="", hint="Do this.", optional=True),
        Notice(text="Disks differ."),
        Ended(status="done", exit=0, words="Finished."),
    ):
        terminal.show(event)
    assert out.getvalue().splitlines() == [
        "Installing: Debian",
        "[1/2] Format ?[31mpool-a",
        "    one",
        "    two?",
        "    1 min",
        "It failed.",
        "Do this.",
        "It can be done without, so the installation goes on.",
        "Disks differ.",
        "Finished.",
    ]


def test_lost_terminal_does_not_stop_the_run() -> None:
    """fault 61"""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    Terminal(Gone()).show(Notice(text="still here?"))
