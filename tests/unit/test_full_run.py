"""The record of the last full run, in a repository of its own."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import pytest

from tests.vm.full_run import RECORD, begin, record, summary

DAY = datetime.date(2026, 3, 1)


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("installer/plan/a.py", "installer/run/b.py", "iso/build", "README.md", RECORD):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "one")
    return tmp_path


@pytest.fixture
def began(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / "began"


def test_without_a_record_the_summary_fails(root: Path) -> None:
    assert summary(root) == ("No full run is on record.", False)


def test_a_full_run_is_on_record_until_what_it_tested_changes(root: Path, began: Path) -> None:
    begin(root, began)
    record(DAY, root, began)
    words, current = summary(root)
    assert current
    assert "2026-03-01" in words
    (root / "README.md").write_text("two\n")
    assert summary(root)[1]
    (root / "installer/plan/a.py").write_text("two\n")
    assert summary(root)[0].endswith("not tested as a whole: installer/plan/a.py.")
    git(root, "commit", "--all", "--quiet", "--message", "two")
    assert not summary(root)[1]


def test_a_new_file_is_a_change(root: Path, began: Path) -> None:
    begin(root, began)
    record(DAY, root, began)
    (root / "iso/new").touch()
    assert summary(root)[0].endswith(": iso/new.")


def test_what_is_not_committed_is_not_put_on_record(root: Path, began: Path) -> None:
    (root / "iso/build").write_text("two\n")
    assert "will not be on record: iso/build" in begin(root, began)
    record(DAY, root, began)
    assert summary(root) == ("No full run is on record.", False)


def test_the_commit_on_record_is_the_one_that_the_run_began_with(root: Path, began: Path) -> None:
    begin(root, began)
    (root / "iso/build").write_text("two\n")
    git(root, "commit", "--all", "--quiet", "--message", "two")
    record(DAY, root, began)
    assert not summary(root)[1]


def test_a_commit_of_another_repository_is_none(root: Path) -> None:
    (root / RECORD).write_text(f"{'0' * 40} 2026-03-01\n")
    assert summary(root) == (
        "Last full run: commit 000000000000, 2026-03-01. This repository does not have that commit.",
        False,
    )
