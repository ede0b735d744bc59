"""What all tests share: `@pytest.mark.needs("sgdisk")`, and outcomes that are kept for the table of faults."""

from __future__ import annotations

import os

import pytest

from tests.faults.results import Recorder
from tests.needs import reason


def pytest_configure(config: pytest.Config) -> None:
    # Where sgdisk and its like are, which an ordinary user's PATH leaves out.
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    config.addinivalue_line("markers", "needs(*names): runs these programs; skipped where they are not installed")
    # Of processes side by side, the one that started the others hears of everything.
    if not config.option.collectonly and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip where something is missing, so that pytest names the test and not the place that looked."""
    for item in items:
        for marker in item.iter_markers("needs"):
            if words := reason(*marker.args):
                item.add_marker(pytest.mark.skip(reason=words))
