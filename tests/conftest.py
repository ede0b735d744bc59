"""What all tests share: `@pytest.mark.needs("sgdisk")`."""

from __future__ import annotations

import pytest

from tests.needs import require


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*names): runs these programs; skipped where they are not installed")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        require(*marker.args)
