"""Fixtures of the tests in virtual machines: the ISO, installed machines, boots that several tests look at."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from installer.recipe.model import Firmware
from tests import times
from tests.vm import installs
from tests.vm.installs import Installed
from tests.vm.life import Life
from tests.vm.lives import STARTS
from tests.vm.places import ISO

Installs = Callable[[Firmware], Installed]
Lives = Mapping[Firmware, Life]

ORDER = (
    "boot",
    "second_pool",
    "installed",
    "initramfs",
    "live",
    "identity",
    "secrets",
    "nixos",
    "stacks",
    "resume",
    "dirty",
    "media",
    "keyboard",
)
"""The most important first, for what a time budget leaves out is at the end; and the short ones of many last, so that
two workers end at about the same time."""

OVER = "minutes for virtual machines are over"

LONGEST = 5400
"""Seconds for one test, the installation it may have to make first included; every wait in it is bounded by itself."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vm-budget", type=float, default=0, metavar="MINUTES", help="start no virtual machine test after this long"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STARTED] = time.monotonic()
    config.stash[BEGAN] = time.time()


STARTED = pytest.StashKey[float]()
BEGAN = pytest.StashKey[float]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by importance; a session-wide file order, so that tests elsewhere keep their place before these."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here) and item.get_closest_marker("vm"):
            item.add_marker(pytest.mark.timeout(LONGEST))
    items.sort(key=lambda item: rank(item.path) if item.path.is_relative_to(here) else -1)


def rank(path: Path) -> int:
    """Return the place of a file of tests among the others."""
    name = path.stem.removeprefix("test_")
    return ORDER.index(name) if name in ORDER else len(ORDER)


@pytest.fixture(autouse=True)
def _within_budget(request: pytest.FixtureRequest) -> None:
    """Leave out what the time budget has no room for; the summary names it."""
    minutes = request.config.getoption("--vm-budget", default=0)
    if not minutes or not request.node.get_closest_marker("vm"):
        return
    if time.monotonic() - request.config.stash[STARTED] > minutes * 60:
        pytest.skip(f"the {minutes:g} {OVER}; make test-all has no such limit")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in full what was not run, for a skip must not pass for a success; and where the time went."""
    skipped = terminalreporter.getreports("skipped")
    if left_out := [report.nodeid for report in skipped if OVER in str(report.longrepr)]:
        terminalreporter.section("NOT RUN, the time budget was used up", yellow=True)
        for name in left_out:
            terminalreporter.write_line(name)
    laps = times.read()
    if any(lap.kind == "machine" and lap.began > terminalreporter.config.stash[BEGAN] for lap in laps):
        terminalreporter.section("where the time went")
        terminalreporter.write_line(times.table(laps))


@pytest.fixture(scope="session")
def iso() -> Path:
    """The image under test."""
    if not ISO.exists():
        pytest.fail(f"{ISO.name} is missing: run `make iso` first", pytrace=False)
    return ISO


@pytest.fixture(scope="session")
def installed(iso: Path) -> Installs:
    """The shipped recipe, installed by this firmware."""
    return lambda firmware: installs.install(iso, firmware)


@pytest.fixture(scope="session")
def lives(installed: Installs) -> Lives:
    """The machines of both firmwares; each start is made once, whoever looks at it."""
    return {firmware: Life(partial(installed, firmware), "life", starts) for firmware, starts in STARTS.items()}


@pytest.fixture
def bios(lives: Lives) -> Life:
    """The machine that was installed by BIOS."""
    return lives[Firmware.BIOS]


@pytest.fixture
def uefi(lives: Lives) -> Life:
    """The machine that was installed by UEFI."""
    return lives[Firmware.UEFI]
