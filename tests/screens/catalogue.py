"""Every screen in every state that is looked at. A new screen is a new entry: a test misses it otherwise."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from installer.recipe.model import SwapKind, VdevKind, VdevRole
from installer.recipe.secrets import Secret
from installer.run.client import Client
from installer.run.events import Event, Stamped
from screens.answers import Answers, Encryption, Loader
from screens.bootloader import Bootloader
from screens.consent import Consent
from screens.desk import Desk
from screens.disks import Disks
from screens.done import Done
from screens.encryption import Encrypt
from screens.following import Run
from screens.layout import Layout
from screens.pool import PoolStep
from screens.progress import Progress
from screens.redundancy import Redundancy
from screens.replay import Replay
from screens.review import Review
from screens.reviewing import review
from screens.roles import Roles
from screens.system import System
from screens.welcome import Welcome
from tests.screens.house import State, keys
from tests.screens.runs import ASK, BROKEN, COPYING, DONE, FAILED, PLAN, SINCE, Told, until

MANY, LONG, OLD, ODD = (f"synthetic-{name}" for name in ("many-disks", "long-names", "earlier-install", "odd-disks"))
WORDS = Secret("correct horse battery")

NONE = Answers()
TWO = Answers(disks=("disk-a", "disk-b"))
FULL = TWO.model_copy(update={"hostname": "frodo", "user": "ann", "passphrase": WORDS})
TWELVE = FULL.model_copy(update={"disks": tuple(f"ZR5{number:05}" for number in range(12))})
NAMES = Answers(
    disks=("ABCDEFGHIJKLMNOPQR01", "ABCDEFGHIJKLMNOPQR02"),
    hostname=("a-name-as-long-as-it-may-be-" * 3)[:62] + "s",
    user="u" * 32,
    passphrase=Secret("correct horse battery staple " * 6 + "end"),
    pool="new-pool-with-a-name-that-nobody-would-type-twice",
)


def changed(answers: Answers, **update: object) -> Answers:
    """Return other answers."""
    return answers.model_copy(update=update)


def consent(desk: Desk, answers: Answers) -> Consent:
    """Make the screen after Review."""
    assert desk.machine
    found = review(answers, desk.machine, desk.client)
    assert found.plan
    return Consent(desk, answers, reviewed=found, plan=found.plan)


def done(desk: Desk, answers: Answers) -> Done:
    """Make the last screen, of a run that took two minutes."""
    run = Run()
    run.know(PLAN)
    for number, event in enumerate([*until(""), DONE]):
        run.take(Stamped(at=SINCE + number, what=event))
    return Done(desk, answers, run=run, plan=PLAN)


def roles(number: int) -> Callable[[Desk, Answers], Roles]:
    """Return what makes the screen for a recipe that ships."""
    return lambda desk, answers: Roles(desk, answers, found=desk.client.recipes(None)[number])


def following(*events: Event, over: bool = False) -> Callable[[], AbstractContextManager[Client]]:
    """Return what opens the client of a run that has said this much; it is under way or over."""

    @contextlib.contextmanager
    def opened() -> Iterator[Client]:
        with tempfile.TemporaryDirectory(prefix="zroot-test-") as folder:
            client = Told(Path(folder))
            with contextlib.nullcontext() if over else client.under_way(*events):
                if over:
                    client.keep_plan()
                    client.tell(*events)
                yield client

    return opened


def begun(screen: Any) -> bool:
    """Tell whether the first events have been read."""
    return bool(screen.run.begun)


def planned(screen: Any) -> bool:
    """Tell whether Review has come to its end."""
    return screen.reviewed is not None


def progress(name: str, *events: Event, over: bool = False, keys: tuple[str, ...] = ()) -> State:
    """Return a state of the progress screen."""
    return State(name, Progress, client=following(*events, over=over), ready=begun, keys=keys)


def reviewing(name: str, answers: Answers, machine: str = "synthetic-two-blank", keys: tuple[str, ...] = ()) -> State:
    """Return a state of the review screen."""
    return State(name, Review, answers, machine, ready=planned, keys=keys)


USES = changed(
    FULL,
    disks=tuple(f"disk-{role}" for role in "abcde"),
    uses=(("disk-c", VdevRole.SPECIAL), ("disk-d", VdevRole.SPECIAL), ("disk-e", VdevRole.LOG)),
)
"""Beside the data a vdev that the pool is lost with, and one that it is not."""
CACHED = changed(FULL, disks=("ZR500000", "ZR500001", "PHYG0000001"), uses=(("PHYG0000001", VdevRole.CACHE),))
MANY_USES = changed(
    TWELVE,
    disks=(*TWELVE.disks[:7], *(f"S64HNE0R00000{number}" for number in range(4)), "PHYG0000001", "PHYG0000002"),
    uses=(
        ("ZR500006", VdevRole.SPARE),
        *((f"S64HNE0R00000{number}", VdevRole.SPECIAL) for number in range(3)),
        ("S64HNE0R000003", VdevRole.CACHE),
        ("PHYG0000001", VdevRole.LOG),
        ("PHYG0000002", VdevRole.LOG),
    ),
)
HOME = changed(FULL, home=True, home_passphrase=Secret("a stable of her own"))
KERNELS = changed(FULL, loader=Loader.SYSTEMD_BOOT)
SCREENS: Mapping[str, Sequence[State]] = {
    "welcome": (
        State("looking", Welcome, known=False),
        State("typical", Welcome),
        State("obstacles", Welcome, machine="synthetic-secure-boot"),
        State("many-disks", Welcome, machine=MANY),
        State("help", Welcome, keys=("f1",)),
    ),
    "disks": (
        State("looking", Disks, known=False),
        State("empty", Disks),
        State("typical", Disks, TWO),
        State("error", Disks, keys=("f10",)),
        State("unlike", Disks, changed(NONE, disks=("ZR500000", "PHYG0000001")), MANY, keys=("f10",)),
        State("uses", Disks, CACHED, MANY),
        State("old", Disks, machine=OLD),
        State("odd", Disks, machine=ODD),
        State("many-disks", Disks, TWELVE, MANY),
        State("long-names", Disks, NAMES, LONG),
        State("all-known", Disks, NAMES, LONG, keys=("d",)),
    ),
    "layout": (
        State("empty", Layout, FULL, known=False),
        State("typical", Layout, FULL),
        State("error", Layout, FULL, focus="#field-esp-size Entry", keys=(*keys("5Q"), "f10")),
        State("uses", Layout, USES, OLD),
        State("systemd-boot", Layout, KERNELS, "synthetic-two-blank-uefi"),
        State("swap", Layout, changed(FULL, swap=SwapKind.RAID, swap_size="2G")),
        State("old", Layout, changed(FULL, disks=("disk-a", "disk-e")), OLD),
        State("many-disks", Layout, TWELVE, MANY),
        State("long-names", Layout, NAMES, LONG),
    ),
    "redundancy": (
        State("one-disk", Redundancy, changed(FULL, disks=("disk-a",))),
        State("typical", Redundancy, FULL),
        State("uses", Redundancy, USES, OLD),
        State("systemd-boot", Redundancy, KERNELS, "synthetic-two-blank-uefi"),
        State("many-disks", Redundancy, TWELVE, MANY),
        State("long-names", Redundancy, NAMES, LONG),
    ),
    "encryption": (
        State("empty", Encrypt, TWO),
        State("typical", Encrypt, FULL),
        State("error", Encrypt, TWO, keys=(*keys("short"), "tab", *keys("shirt"), "f10")),
        State(
            "key-device", Encrypt, changed(FULL, encryption=Encryption.KEY_DEVICE, recovery=Secret("kept in a drawer"))
        ),
        State("integrity", Encrypt, changed(FULL, encryption=Encryption.INTEGRITY)),
        State("native", Encrypt, changed(FULL, encryption=Encryption.NATIVE)),
        State("none", Encrypt, changed(FULL, encryption=Encryption.NONE)),
        State("home-alone", Encrypt, changed(HOME, encryption=Encryption.NONE), focus="#field-home-wait Pick"),
        State("home-too", Encrypt, HOME, focus="#field-home-services Entry"),
        State("home-error", Encrypt, changed(TWO, home=True), keys=("f10",)),
        State("long-names", Encrypt, NAMES, LONG, keys=("f2",)),
    ),
    "pool": (
        State("one-disk", PoolStep, changed(FULL, disks=("disk-a",))),
        State("typical", PoolStep, FULL),
        State("options", PoolStep, FULL, focus="#options", keys=("enter",)),
        State("error", PoolStep, FULL, focus="#field-pool Entry", keys=(*keys("mirror"), "f10")),
        State("mirrors", PoolStep, changed(TWELVE, topology=VdevKind.STRIPED_MIRRORS), MANY),
        State("uses", PoolStep, USES, OLD),
        State("many-uses", PoolStep, MANY_USES, MANY),
        State("draid", PoolStep, changed(TWELVE, topology=VdevKind.DRAID2), MANY),
        State("many-disks", PoolStep, TWELVE, MANY),
        State("long-names", PoolStep, NAMES, LONG),
    ),
    "uses": (
        State("typical", PoolStep, FULL, focus="Uses", keys=("space",)),
        State("cache", PoolStep, CACHED, MANY, focus="Uses", keys=("space", "down", "down")),
        State("several", PoolStep, USES, OLD, focus="Uses", keys=("space", *("down",) * 4)),
        State("error", PoolStep, USES, OLD, focus="Uses", keys=("space", *("down",) * 3, "left")),
        State("help", PoolStep, USES, OLD, focus="Uses", keys=("space", "f1")),
        State("many-disks", PoolStep, MANY_USES, MANY, focus="Uses", keys=("space",)),
        State("long-names", PoolStep, NAMES, LONG, focus="Uses", keys=("space",)),
    ),
    "datasets": (
        State("typical", PoolStep, FULL, focus="Row", keys=("enter",)),
        State("empty", PoolStep, FULL, focus="#add", keys=("enter",)),
        State("help", PoolStep, FULL, focus="#add", keys=("enter", "f1")),
        State(
            "error", PoolStep, FULL, focus="#add", keys=("enter", *keys("home"), "tab", *keys("srv"), "tab", "enter")
        ),
    ),
    "bootloader": (
        State("empty", Bootloader, FULL, known=False),
        State("typical", Bootloader, FULL),
        State("uefi", Bootloader, FULL, "synthetic-two-blank-uefi"),
        State("systemd-boot", Bootloader, KERNELS, "synthetic-two-blank-uefi", focus="#field-loader Pick"),
        State("small", Bootloader, changed(KERNELS, boot_size="512M"), "synthetic-two-blank-uefi", keys=("f10",)),
        State("error", Bootloader, FULL, focus="#field-timeout Entry", keys=(*keys("99"), "f10")),
        State("many-disks", Bootloader, TWELVE, MANY),
        State("long-names", Bootloader, changed(NAMES, arguments="a.long=argument " * 20), LONG),
    ),
    "system": (
        State("empty", System, TWO),
        State("typical", System, FULL),
        State("error", System, TWO, keys=(*keys("-bad"), "tab", *keys("Ann"), "f10")),
        State("network", System, changed(FULL, static=True, address="192.0.2.1")),
        State("forgets", System, changed(FULL, forgets=True), focus="#field-forgets Pick"),
        State("with-grub-only", System, changed(KERNELS, forgets=True), "synthetic-two-blank-uefi", keys=("f10",)),
        State("long-names", System, changed(NAMES, hostname="h" * 253, ssh_key="ssh-ed25519 " + "A" * 900), LONG),
    ),
    "review": (
        State("looking", Review, FULL, known=False),
        reviewing("typical", FULL),
        reviewing("old", FULL, OLD),
        reviewing("error", changed(TWO, hostname="-bad", user="Ann", pool="mirror", esp_size="5G")),
        reviewing("gone", changed(FULL, disks=("disk-a", "disk-z"))),
        reviewing("many-disks", TWELVE, MANY),
        reviewing("long-names", NAMES, LONG),
        reviewing("end", FULL, keys=("end",)),
    ),
    "consent": (
        State("typical", consent, FULL),
        State("error", consent, FULL, focus="Entry", keys=(*keys("zzzz"),)),
        State("agreed", consent, FULL, focus="Entry", keys=(*keys("sk-a"), "tab", *keys("sk-b"), "tab")),
        State("many-disks", consent, TWELVE, MANY),
        State("long-names", consent, NAMES, LONG),
    ),
    "keep": (reviewing("typical", FULL, keys=("f2",)),),
    "progress": (
        progress("typical", *COPYING),
        progress("first", *until(PLAN.operations[0].id)),
        progress("last", *until(PLAN.operations[-1].id)),
        progress("error", *FAILED, ASK),
        progress("broken", *FAILED, BROKEN, over=True),
        State("empty", Progress, client=following()),
    ),
    "log": (progress("typical", *COPYING, keys=("f3",)),),
    "done": (State("typical", done, client=following(*until(""), DONE, over=True)),),
    "replay": (
        State("typical", Replay),
        State("error", Replay, focus="Entry", keys=(*keys("/nowhere.toml"), "enter")),
    ),
    "roles": (
        State("typical", roles(0)),
        State("error", roles(0), keys=("f10",)),
        State("long-names", roles(0), machine=LONG, keys=("right", "right", "right")),
        State("keyboard", roles(0), changed(NONE, keymap="de"), focus="#field-system-keymap Pick"),
    ),
    "ask": (State("typical", Welcome, keys=("escape",)),),
    "fields": (
        State("typical", System, FULL, focus="#field-locale Lookup", keys=("space",)),
        State("searched", Welcome, focus="Lookup", keys=("space", *keys("ger"))),
        State("empty", Welcome, focus="Lookup", keys=("space", *keys("qqq"))),
    ),
    "step": (State("typical", Encrypt, FULL, keys=("f1",)),),
}
"""The states of each, by the name of its file."""

STATES = [(name, state) for name, states in SCREENS.items() for state in states]
ONE_EACH = [(name, next(one for one in states if one.name == "typical")) for name, states in SCREENS.items()]
"""A screen in its common state."""


def some(cases: Sequence[tuple[str, State]], few: Callable[[str, State], bool]) -> list[Any]:
    """Mark all but a few cases as a sweep, which make test-fast leaves out."""
    return [
        pytest.param(name, state, id=f"{name}-{state.name}", marks=() if few(name, state) else pytest.mark.sweep)
        for name, state in cases
    ]


LOOKS = some(STATES, lambda _, state: state.name in ("typical", "error"))
"""For a look at every state."""
DEEDS = some(ONE_EACH, lambda name, _: name in ("disks", "encryption", "review"))
"""For what presses many keys in each screen."""
