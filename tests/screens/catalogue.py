"""Every screen in every state that is looked at. A new screen is a new entry: a test misses it otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from installer.recipe.model import SwapKind
from installer.recipe.secrets import Secret
from screens.answers import Answers, Encryption
from screens.disks import Disks
from screens.encryption import Encrypt
from screens.layout import Layout
from screens.redundancy import Redundancy
from screens.system import System
from screens.welcome import Welcome
from tests.screens.house import State, keys

MANY, LONG, OLD, ODD = (f"synthetic-{name}" for name in ("many-disks", "long-names", "earlier-install", "odd-disks"))

NONE = Answers()
TWO = Answers(disks=("disk-a", "disk-b"))
FULL = TWO.model_copy(update={"hostname": "frodo", "user": "ann", "passphrase": Secret("correct horse battery")})
TWELVE = Answers(disks=tuple(f"ZR5{number:05}" for number in range(12)), passphrase=Secret("correct horse battery"))
NAMES = Answers(
    disks=("ABCDEFGHIJKLMNOPQR01", "ABCDEFGHIJKLMNOPQR02"),
    hostname=("a-name-as-long-as-it-may-be-" * 9)[:63],
    user="u" * 32,
    passphrase=Secret("correct horse battery staple " * 6),
    ssh_key="ssh-ed25519 " + "A" * 900,
)


def changed(answers: Answers, **update: object) -> Answers:
    """Return other answers."""
    return answers.model_copy(update=update)


SCREENS: Mapping[str, Sequence[State]] = {
    "welcome": (
        State("looking", Welcome, known=False),
        State("typical", Welcome),
        State("obstacles", Welcome, machine="synthetic-secure-boot"),
        State("many-disks", Welcome, machine=MANY),
        State("leaving", Welcome, keys=("escape",)),
        State("keyboards", Welcome, field="keymap", keys=("space", *keys("ger"))),
    ),
    "disks": (
        State("looking", Disks, known=False),
        State("empty", Disks),
        State("typical", Disks, TWO),
        State("error", Disks, keys=("f10",)),
        State("unlike", Disks, changed(NONE, disks=("disk-c", "disk-d")), OLD),
        State("old", Disks, machine=OLD),
        State("odd", Disks, machine=ODD),
        State("many-disks", Disks, TWELVE, MANY),
        State("long-names", Disks, NAMES, LONG),
        State("all-known", Disks, NAMES, LONG, keys=("d",)),
    ),
    "layout": (
        State("empty", Layout, known=False),
        State("typical", Layout, FULL),
        State("error", Layout, FULL, field="esp_size", keys=(*keys("5Q"), "f10")),
        State("swap", Layout, changed(FULL, swap=SwapKind.RAID)),
        State("many-disks", Layout, TWELVE, MANY),
        State("long-names", Layout, NAMES, LONG),
    ),
    "redundancy": (
        State("one-disk", Redundancy, changed(FULL, disks=("disk-a",))),
        State("typical", Redundancy, FULL),
        State("many-disks", Redundancy, TWELVE, MANY),
        State("long-names", Redundancy, NAMES, LONG),
    ),
    "encryption": (
        State("empty", Encrypt, TWO),
        State("typical", Encrypt, FULL),
        State("error", Encrypt, TWO, keys=("down", *keys("short"), "tab", *keys("shirt"), "f10")),
        State("native", Encrypt, changed(FULL, encryption=Encryption.NATIVE)),
        State("none", Encrypt, changed(FULL, encryption=Encryption.NONE)),
        State("shown", Encrypt, NAMES, LONG, keys=("f2",)),
        State("help", Encrypt, FULL, keys=("f1",)),
    ),
    "system": (
        State("empty", System, TWO),
        State("typical", System, FULL),
        State("error", System, TWO, keys=(*keys("-bad"), "tab", *keys("Ann"), "f10")),
        State("network", System, changed(FULL, static=True, address="192.0.2.1")),
        State("long-names", System, changed(NAMES, hostname="h" * 253), LONG),
        State("languages", System, FULL, field="locale", keys=("space",)),
    ),
}
"""The states of each, by the name of its file."""

STATES = [(name, state) for name, states in SCREENS.items() for state in states]
ONE_EACH = [(name, next(one for one in states if one.name == "typical")) for name, states in SCREENS.items()]
"""A screen in its common state."""
IDS = [f"{name}-{state.name}" for name, state in STATES]
