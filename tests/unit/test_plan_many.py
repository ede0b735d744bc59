"""Ninety disks, each with an earlier installation: reading and planning take time in proportion, not its square."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType

import pytest

from installer.machine.read import read
from installer.machine.recording import Recording, Said
from installer.plan.build import make_plan
from installer.plan.render import as_text
from installer.recipe.load import parse
from tests.unit.plans import MIRROR
from tests.unit.synthetic import GIB, LIVE_FILES, Block, block, live_cd, part, virtio
from tests.unit.synthetic import machine as recorded


def recorded_with(count: int) -> Recording:
    """Disks with eight partitions each, among them parts of one array and of one pool over all of them."""
    array = block("md127", kind="raid1", path="/dev/md127")
    pool = [
        "   pool: old",
        "     id: 42",
        "  state: ONLINE",
        " action: x",
        " config:",
        "",
        "\told ONLINE",
        "\t  raidz2-0",
    ]
    pool += [f"\t    virtio-S{number}-part4 ONLINE" for number in range(count)]
    disks = [_disk(f"vd{chr(97 + number // 26)}{chr(97 + number % 26)}", number, array) for number in range(count)]
    commands = {"zpool import": Said(status=0, out="\n".join(pool) + "\n")}
    return recorded(*live_cd(), *disks, files=LIVE_FILES, commands=commands)


def _disk(name: str, number: int, array: Block) -> Block:
    raid = part(name, 3, array, fstype="linux_raid_member", label="any:boot", uuid="3f8b")
    data = [part(name, place, fstype="ext4") for place in (1, 2, 5, 6, 7, 8)]
    old = part(name, 4, fstype="zfs_member", label="old", uuid="42")
    return virtio(name, raid, old, *data, serial=f"S{number}", slot=4 + number, pttype="gpt", size=100 * GIB)


def recipe_for(count: int) -> str:
    disks = "".join(f'\n[disks.d{number}]\nserial = "S{number}"\n' for number in range(count))
    return f'zroot = 1\ntitle = "Test"\n{disks}' + MIRROR.replace('kind = "mirror"', 'kind = "raidz2"')


def calls(work: Callable[[], object]) -> int:
    """Count the calls of our own functions, which say what the time on a busy machine does not."""
    count = 0

    def called(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call" and "/installer/" in frame.f_code.co_filename

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("what", ["read", "plan", "print"])
def test_twice_as_many_disks_are_twice_as_much_work(what: str) -> None:
    counted = []
    for count in (45, 90):
        recording = recorded_with(count)
        machine, recipe = read(recording), parse(recipe_for(count))
        plan = make_plan(recipe, machine)
        assert len(plan.disks) == count
        work = {
            "read": partial(read, recording),
            "plan": partial(make_plan, recipe, machine),
            "print": partial(as_text, plan),
        }
        counted.append(calls(work[what]))
    few, many = counted
    assert many < 2.5 * few
