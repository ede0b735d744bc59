"""What every screen has at hand: the machine as it is now, and the way to the engine."""

from __future__ import annotations

from dataclasses import dataclass

from installer.machine.model import Machine
from installer.run.client import Client


@dataclass
class Desk:
    """Shared by all screens; the app keeps it up to date."""

    client: Client
    machine: Machine | None = None
    """None until the first look is over."""
    trouble: str = ""
    """Why the machine could not be looked at."""
    steps: int = 0
    """How many numbered steps there are."""
