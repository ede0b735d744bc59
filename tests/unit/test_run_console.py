"""The console that a person sits at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest

from installer.errors import Refusal
from installer.process import Completed, ProgramError
from installer.run import console, keyboard


class Programs:
    """Stands for ckbcomp and loadkeys, and remembers how they were called."""

    def __init__(self, compiled: str = "keycode 16 = a\n", *, status: int = 0, err: str = "") -> None:
        self.calls: list[tuple[tuple[str, ...], bytes | None]] = []
        self._compiled, self._status, self._err = compiled, status, err

    def __call__(self, argv: Sequence[str], *, stdin: bytes | None = None, **rest: Any) -> Completed:
        self.calls.append((tuple(argv), stdin))
        done = Completed(argv=tuple(argv), status=self._status, out=self._compiled, err=self._err)
        if self._status:
            raise ProgramError(done)
        return done


def programs(monkeypatch: pytest.MonkeyPatch, made: Programs) -> Programs:
    monkeypatch.setattr(console, "run", made)
    monkeypatch.setattr(keyboard, "run", made)
    return made


def test_loads_the_compiled_layout_into_that_console(monkeypatch: pytest.MonkeyPatch) -> None:
    made = programs(monkeypatch, Programs())
    console.use_keymap("fr:oss", "/dev/tty1")
    (compiler, _), (loader, stdin) = made.calls
    assert compiler == ("ckbcomp", "-compact", "fr", "oss")
    assert loader == ("loadkeys", "--quiet", "--console=/dev/tty1")
    assert stdin == b"keycode 16 = a\n"


def test_an_unknown_layout_is_named_and_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    for made in (Programs(status=1, err="no"), Programs(err='WARNING: Can not find "xx" in "us".')):
        programs(monkeypatch, made)
        with pytest.raises(Refusal, match='no keyboard layout "us:xx"'):
            console.use_keymap("us:xx", "/dev/tty1")
        assert len(made.calls) == 1


def test_a_pseudo_terminal_is_no_real_console() -> None:
    master, slave = os.openpty()
    try:
        assert console.real_console(slave) == ""
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.parametrize(
    ("name", "real"), [("/dev/tty1", True), ("/dev/ttyS0", False), ("/dev/pts/3", False), ("/dev/console", False)]
)
def test_a_console_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch, name: str, real: bool) -> None:
    monkeypatch.setattr("installer.run.console.os.ttyname", lambda fd: name)
    assert console.real_console() == (name if real else "")


@pytest.mark.parametrize(
    ("name", "serial"), [("/dev/ttyS0", True), ("/dev/hvc0", True), ("/dev/tty1", False), ("/dev/pts/3", False)]
)
def test_a_serial_line_is_told_from_screens_and_ssh(monkeypatch: pytest.MonkeyPatch, name: str, serial: bool) -> None:
    monkeypatch.setattr(os, "ttyname", lambda fd: name)
    assert console.serial_line() is serial
