"""What all tests share: `@pytest.mark.needs("sgdisk")`, and outcomes that are kept for the table of faults."""

from __future__ import annotations

import pytest

from tests.faults.results import Recorder
from tests.needs import require


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*names): runs these programs; skipped where they are not installed")
    # Of processes side by side, the one that started the others hears of everything.
    if not config.option.collectonly and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        require(*marker.args)
