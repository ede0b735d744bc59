"""The rules of the house that no linter knows. ruff, mypy and import-linter run beside the tests: `make check`."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = 400
LOCKS = ["requirements.lock", "requirements-dev.lock"]

COMMON = {"/", "/tmp", "/root", "/home", "/opt", "/srv", "/mnt", "/var/tmp", "/usr/src"}
"""Folders that every machine has, so that their names may stand in a file."""

HOSTS = re.compile(
    r"(?:deb|ftp|security|snapshot)\.(?:[a-z]{2}\.)?debian\.org|pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)"
)


def tracked() -> list[Path]:
    """Return the files of the repository that exist, new ones that are not ignored included."""
    argv = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split("\0")
    return [ROOT / name for name in sorted(set(names)) if name and (ROOT / name).is_file()]


def texts() -> dict[str, str]:
    """Return the text of every tracked text file by its name."""
    found = {}
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            found[str(path.relative_to(ROOT))] = content.decode(errors="replace")
    return found


def requirements(lock: str) -> dict[str, list[str]]:
    """Return the hashes of each `name==version` in a lock file."""
    lines = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    entries = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return {entry[0]: [word for word in entry if word.startswith("--hash=sha256:")] for entry in entries}


def test_no_file_is_too_long() -> None:
    too_long = [
        (name, text.count("\n")) for name, text in texts().items() if name.endswith(".py") and text.count("\n") > LINES
    ]
    assert not too_long


def test_no_path_of_this_machine() -> None:
    places = {str(ROOT), str(ROOT.parent), str(Path.home())} - COMMON
    assert not [(name, place) for name, text in texts().items() for place in places if f"{place}/" in text]


def test_no_host_name_of_a_mirror_or_registry() -> None:
    assert not [(name, found.group()) for name, text in texts().items() if (found := HOSTS.search(text))]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_locked_by_version_and_hash(lock: str) -> None:
    entries = requirements(lock)
    assert entries
    assert not [
        entry for entry, hashes in entries.items() if not re.fullmatch(r"[a-z0-9-]+==[\w.]+", entry) or not hashes
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_index_and_no_folder(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|--(?:index-url|extra-index-url|find-links|trusted-host)", text)


def test_locks_have_every_dependency_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {"requirements.lock": project["dependencies"]}
    wanted["requirements-dev.lock"] = project["dependencies"] + project["optional-dependencies"]["dev"]
    for lock, dependencies in wanted.items():
        locked = {entry.split("==")[0] for entry in requirements(lock)}
        assert {re.split(r"[^\w-]", dependency)[0] for dependency in dependencies} <= locked, (
            f"run make lock for {lock}"
        )


def test_development_uses_the_versions_that_are_shipped() -> None:
    assert set(requirements("requirements.lock")) <= set(requirements("requirements-dev.lock"))


def test_every_target_of_the_makefile_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in ("iso", "vm", "test", "test-fast", "test-all", "faults", "bench"):
        assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), target
