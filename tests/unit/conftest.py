"""A machine whose one disk is a file, for the tests of whole runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from run_house import House, partitioned_disk

from installer.masking import SECRETS


@pytest.fixture(scope="session")
def partitioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return partitioned_disk(tmp_path_factory.mktemp("disk"))


@pytest.fixture
def house(tmp_path: Path, partitioned: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    yield House(tmp_path, partitioned, monkeypatch)
    SECRETS.clear()
