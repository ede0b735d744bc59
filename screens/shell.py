"""A shell on this terminal, and back."""

from __future__ import annotations

from textual.app import App, SuspendNotSupported

from installer.errors import ZrootError
from screens.desk import Desk


def open_shell(app: App[int], desk: Desk) -> str:
    """Let a person work in a shell; return why that cannot be, or nothing once they are back."""
    try:
        with app.suspend():
            desk.client.shell()
    except SuspendNotSupported:
        return "This terminal cannot be lent to a shell."
    except ZrootError as error:
        return str(error)
    return ""
