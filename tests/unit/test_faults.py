"""The table of faults: every test that holds one says so in one spelling, and the table says what is so."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import table
from tests.faults.results import recorded, remember
from tests.faults.table import docstrings, faults, misspelt, named, outcome

ROOT = Path(__file__).parents[2]


def test_every_docstring_names_its_faults_in_one_spelling() -> None:
    assert not [(name, wrong) for name, text in docstrings() if (wrong := misspelt(text))]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("fault 45, fault 48: what it says", []),
        ("a double fault ends it, and 3 others", []),
        ("fault 14, and no two disks alike", []),
        ("Fault 21.", ["Fault 21"]),
        ("Faults 23, 24 and 27.", ["Faults 23, 24 and 27"]),
        ("faults 24 to 27", ["faults 24 to 27"]),
        ("fault 74, 75", ["fault 74, 75"]),
        ("fault 74/75", ["fault 74/75"]),
        ("fault #9, fault-10, fault\n11", ["fault #9", "fault-10", "fault\n11"]),
    ],
)
def test_other_spellings_are_told(text: str, wrong: list[str]) -> None:
    assert misspelt(text) == wrong


def test_every_fault_that_a_test_names_is_in_the_table() -> None:
    assert set(named()) <= {fault.number for fault in faults()}
    assert [fault.number for fault in faults()] == list(range(1, len(faults()) + 1))


def test_what_is_held_has_a_test_and_what_is_not_says_why() -> None:
    tests = named()
    for fault in faults():
        assert bool(tests.get(fault.number)) is (fault.held != "none"), fault
        assert bool(fault.why) is (fault.held != "held"), fault
        assert fault.words, fault
        assert set(fault.need.split()) <= {"F", "R", "C", "S", "never", "0600"}, fault


def test_a_docstring_makes_a_test_the_holder_of_its_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_it.py").write_text(
        'def test_a():\n    """fault 7, fault 8: and again fault 7"""\n\n\ndef helper():\n    """fault 7"""\n'
    )
    monkeypatch.setattr(table, "docstrings", lambda: docstrings(folder))
    assert named() == {7: ["tests/test_it.py::test_a"], 8: ["tests/test_it.py::test_a"]}


def test_outcomes_are_told_by_their_cases() -> None:
    cases, day = ["t.py::a[1]", "t.py::a[2]"], "2026-01-01"
    passed = dict.fromkeys(cases, ("passed", day))
    assert outcome("t.py::a", cases, {}, {}) == "not run here"
    assert outcome("t.py::a", cases, {}, {"t.py": day}) == f"not run here, passed in the full run ({day})"
    assert outcome("t.py::a", cases, passed, {"t.py": day}) == "passed"
    assert outcome("t.py::a", cases, {**passed, cases[0]: ("failed", day)}, {}) == "1 failed, 1 passed"
    assert outcome("t.py::a", cases, {cases[0]: ("passed", day)}, {}) == "1 not run here, 1 passed"


CASES = """
import pytest

def test_passes(): pass

def test_fails(): assert False

def test_is_skipped(): pytest.skip("needs the moon")

@pytest.mark.xfail(strict=True)
def test_is_known_wrong(): assert False

@pytest.mark.xfail(strict=True)
def test_is_right_by_now(): pass

@pytest.fixture
def broken(): raise OSError

def test_has_no_ground(broken): pass

@pytest.fixture
def litter():
    yield
    raise OSError

def test_leaves_litter(litter): pass
"""


def test_a_run_of_pytest_leaves_its_outcomes(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(CASES)
    (tmp_path / "conftest.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom pathlib import Path\n"
        "from tests.faults.results import Recorder\n"
        f"def pytest_configure(config): config.pluginmanager.register(Recorder(Path({str(tmp_path / 'results')!r})))\n"
    )
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path]
    subprocess.run(argv, cwd=tmp_path, capture_output=True, check=False)
    assert {name.split("::")[1]: told for name, (told, _) in recorded(tmp_path / "results").items()} == {
        "test_passes": "passed",
        "test_fails": "failed",
        "test_is_skipped": "skipped: needs the moon",
        "test_is_known_wrong": "known wrong",
        "test_is_right_by_now": "failed",
        "test_has_no_ground": "failed",
        "test_leaves_litter": "failed",
    }


def test_the_newest_outcome_counts_and_the_others_stay(tmp_path: Path) -> None:
    file, today = tmp_path / "results.json", f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    file.write_text(json.dumps({"a": ["failed", "2026-01-01"], "b": ["passed", "2026-01-01"]}))
    remember({"a": "passed"}, file)
    assert recorded(file) == {"a": ("passed", today), "b": ("passed", "2026-01-01")}
