"""The record of the last full run, in a repository of its own."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import pytest

from tests.vm.full_run import NOTHING_TO_RUN, PASSED, RECORD, full_run, summary

DAY = datetime.date(2026, 3, 1)
TESTS = ("test_boot.py", "test_other.py")


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)


def change(root: Path, name: str, *, commit: bool = True) -> None:
    (root / name).write_text("two\n")
    if commit:
        git(root, "add", name)
        git(root, "commit", "--quiet", "--message", "two")


class Runner:
    """Runs nothing: says which files it was asked for, and fails those that it is told to fail."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[str] = []

    def run(self, *only: str, statuses: dict[str, int] | None = None) -> list[str]:
        def run(file: Path) -> int:
            self.asked.append(file.name)
            return (statuses or {}).get(file.name, 0)

        self.asked = []
        return full_run(DAY, self.root, run, only)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tests = [f"tests/vm/{name}" for name in TESTS]
    for name in ("installer/plan/a.py", "installer/run/b.py", "iso/build", "README.md", *tests, RECORD):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    return tmp_path


@pytest.fixture
def runner(root: Path) -> Runner:
    return Runner(root)


def test_without_a_record_the_summary_fails(root: Path) -> None:
    assert summary(root) == ("No full run is on record.", False)


def test_a_full_run_is_on_record_until_what_it_tested_changes(root: Path, runner: Runner) -> None:
    assert runner.run() == []
    assert runner.asked == list(TESTS)
    words, current = summary(root)
    assert current
    assert "2026-03-01" in words
    change(root, "README.md")
    assert summary(root)[1]
    change(root, "installer/plan/a.py", commit=False)
    assert summary(root)[0].endswith("not tested as a whole: installer/plan/a.py.")
    git(root, "commit", "--all", "--quiet", "--message", "two")
    assert not summary(root)[1]


def test_a_sitting_with_nothing_to_do_leaves_the_record_as_it_is(root: Path, runner: Runner) -> None:
    runner.run()
    record = (root / RECORD).read_text()
    change(root, "README.md")
    runner.run()
    assert runner.asked == []
    assert (root / RECORD).read_text() == record


def test_a_new_file_is_a_change(root: Path, runner: Runner) -> None:
    runner.run()
    (root / "iso/new").touch()
    assert summary(root)[0].endswith(": iso/new.")


def test_what_is_not_committed_is_not_put_on_record(
    root: Path, runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    change(root, "iso/build", commit=False)
    runner.run()
    assert "will not be on record: iso/build" in capsys.readouterr().out
    assert summary(root) == ("No full run is on record.", False)
    git(root, "checkout", "--quiet", "iso/build")
    runner.run()
    assert runner.asked == list(TESTS), "what passed on another state counts for nothing"


def test_a_file_that_failed_keeps_the_run_from_the_record_and_alone_is_run_again(root: Path, runner: Runner) -> None:
    assert runner.run(statuses={"test_other.py": 1}) == ["test_other.py"]
    assert not summary(root)[1]
    assert runner.run(statuses={"test_other.py": NOTHING_TO_RUN}) == []
    assert runner.asked == ["test_other.py"]
    assert summary(root)[1]


@pytest.mark.parametrize("name", ["installer/run/b.py", "iso/build"])
def test_what_was_tested_before_a_change_is_tested_again(root: Path, runner: Runner, name: str) -> None:
    runner.run(statuses={"test_other.py": 1})
    change(root, name)
    runner.run()
    assert runner.asked == list(TESTS)


def test_a_changed_test_is_run_again_and_the_others_are_not(root: Path, runner: Runner) -> None:
    runner.run()
    change(root, "tests/vm/test_boot.py")
    runner.run()
    assert runner.asked == ["test_boot.py"]


def test_a_sitting_may_be_some_of_the_files(root: Path, runner: Runner) -> None:
    runner.run("test_other.py")
    assert runner.asked == ["test_other.py"]
    assert not summary(root)[1]
    runner.run()
    assert runner.asked == ["test_boot.py"]
    assert summary(root)[1]


def test_what_has_passed_goes_along_with_the_repository(root: Path, runner: Runner, tmp_path: Path) -> None:
    runner.run(statuses={"test_other.py": 1})
    git(root, "add", PASSED)
    git(root, "commit", "--quiet", "--message", "so far")
    elsewhere = tmp_path / "elsewhere"
    git(root, "clone", "--quiet", str(root), str(elsewhere))
    there = Runner(elsewhere)
    there.run()
    assert there.asked == ["test_other.py"]


def test_a_commit_of_another_repository_is_none(root: Path) -> None:
    (root / RECORD).write_text(f"{'0' * 40} 2026-03-01\n")
    assert summary(root) == (
        "Last full run: commit 000000000000, 2026-03-01. This repository does not have that commit.",
        False,
    )
