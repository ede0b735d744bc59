"""Killed or switched off in the middle, resumed, and still a machine that boots with one prompt."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest, installs
from tests.vm.installs import INSTALL, RECIPE, SERIALS, Copy, empty, files, prepared, quick
from tests.vm.places import RESULTS
from tests.vm.qemu import Machine
from tests.vm.serial import Console, plain
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]

SEED = 20_261_121
"""Fixed, so that a failure can be repeated; another one is as good."""

PID = "/run/vm/pid"

LIVE = 300.0
"""Seconds to the shell of the live system."""


@dataclass(frozen=True)
class Instant:
    """A moment of a run: so many seconds after the first event of this kind about such an operation."""

    event: str
    operation: str
    seconds: float

    def wait(self, events: str) -> str:
        """Return the shell command that waits for it."""
        line = f'"event":"{self.event}","operation":"{self.operation}'
        return (
            f"until grep -qF '{line}' {events} 2> /dev/null; do kill -0 $(cat {PID}) || break; sleep 0.05; done; "
            f"sleep {self.seconds:.2f}"
        )


def instants() -> dict[str, Instant]:
    """Return the three instants; one lies between luksFormat and open, one in the copy, one anywhere before it."""
    chance = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    return {
        "early": Instant("started", "", chance.uniform(0, 12)),
        "between format and open": Instant("finished", "encryption/format/", chance.uniform(0, 0.3)),
        "in the copy": Instant("started", "system/copy/", chance.uniform(1, 15)),
    }


@dataclass(frozen=True)
class Step:
    """An operation that one run carried out itself."""

    run: int
    operation: str


class LiveRun:
    """`zroot apply` in the shell of a live system, started and killed as often as needed."""

    def __init__(self, machine: Machine) -> None:
        self.console: Console = machine.console
        self.runs = 0
        self.console.live_shell(within=LIVE)
        self.console.output(
            "mkdir -p /run/vm && mount -o ro /dev/disk/by-label/ZROOT /mnt && "
            "cp /mnt/*.toml /run/vm/ && chmod 600 /run/vm/* && umount /mnt"
        )

    def start(self) -> str:
        """Start or resume it in the background; return the path of its events."""
        self.runs += 1
        events = f"/run/vm/events{self.runs}.jsonl"
        how = " ".join(f"--erase {serial}" for serial in SERIALS.values()) if self.runs == 1 else "--resume"
        self.console.output(
            f"zroot apply /run/vm/recipe.toml --secrets /run/vm/secrets.toml --events {events} {how} "
            f"> /run/vm/out{self.runs} 2>&1 & echo $! > {PID}"
        )
        return events

    def kill(self, at: Instant) -> None:
        """Start it and kill the engine, and nothing but the engine, at this instant."""
        events = self.start()
        self.console.output(at.wait(events), within=INSTALL)
        self.console.output(f"kill -KILL $(cat {PID}); sleep 1")

    def finish(self) -> None:
        """Start it and let it end."""
        self.start()
        self.console.output(f"while kill -0 $(cat {PID}) 2> /dev/null; do sleep 1; done", within=INSTALL)
        assert '"status":"done"' in self._events(self.runs), self.console.run(f"cat /run/vm/out{self.runs}").output

    def steps(self) -> list[Step]:
        """Return what the runs did, without what they found done already."""
        done = []
        for run in range(1, self.runs + 1):
            for line in self._events(run).splitlines():
                what = json.loads(line)["what"]
                if what["event"] == "finished" and not what["already"]:
                    done.append(Step(run, what["operation"]))
        return done

    def destructive(self) -> set[str]:
        """Return the operations that destroy something and whose effect lasts."""
        plan = json.loads(self.console.output("zroot plan /run/vm/recipe.toml --format json 2> /dev/null", within=300))
        return {one["id"] for one in plan["operations"] if one.get("destroys") and one.get("effect") == "create"}

    def _events(self, run: int) -> str:
        return self.console.run(f'grep -E \'"event":"(finished|failed|ended)"\' /run/vm/events{run}.jsonl').output


def prepare(iso: Path, name: str, *, unattended: bool = False) -> tuple[Copy, Volume]:
    """Return blank disks and a volume; not unattended, it waits for a person, so that the test can be that person."""
    machine = empty(RESULTS / f"resume-{name}", iso=iso, firmware=Firmware.BIOS)
    recipe = prepared(
        RECIPE.read_text(), unattended=unattended, after="poweroff" if unattended else "stay", change=quick
    )
    return machine, Volume.make(machine.folder / "volume.img", files(recipe))


def assert_nothing_twice(steps: Sequence[Step], destructive: set[str]) -> None:
    """Assert that no destructive step that had finished was carried out again."""
    names = [step.operation for step in steps if step.operation in destructive]
    assert names
    assert sorted(names) == sorted(set(names))


def test_killed_three_times_in_one_install(iso: Path) -> None:
    """fault 60"""
    copy, volume = prepare(iso, "killed")
    with copy.live("install", volume=volume) as machine:
        run = LiveRun(machine)
        destructive = run.destructive()
        for instant in instants().values():
            run.kill(instant)
        run.finish()
        assert_nothing_twice(run.steps(), destructive)
        machine.power_off()
    guest.assert_healthy(guest.boot(copy.machine("boot")))


def test_power_cut_in_the_copy(iso: Path) -> None:
    """fault 60, fault 62: the same volume, left in the machine, goes on where the power went away."""
    copy, volume = prepare(iso, "power-cut", unattended=True)
    with copy.live("install", volume=volume) as machine:
        machine.console.wait_for(re.compile(r"zroot: +\d+ %"), within=INSTALL)
        time.sleep(instants()["in the copy"].seconds)
        machine.pull_plug()
    log = installs.replay(copy, volume, label="resume")
    assert "zroot: resuming: " in plain(log.read_text())
    guest.assert_healthy(guest.boot(copy.machine("boot")))


@pytest.mark.parametrize("when", list(instants()))
def test_killed_once(iso: Path, when: str) -> None:
    """fault 60"""
    copy, volume = prepare(iso, when.replace(" ", "-"))
    with copy.live("install", volume=volume) as machine:
        run = LiveRun(machine)
        run.kill(instants()[when])
        run.finish()
        machine.power_off()
    guest.assert_healthy(guest.boot(copy.machine("boot")))
