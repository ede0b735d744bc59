"""Disks that fail, fill up, hang or keep their old table under a run: it stops cleanly, and says where it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_house import House
from run_plans import execute, journal, note, operation, times

from installer import process
from installer.errors import Exit
from installer.plan.operation import Command, Commands, Effect, Layer, Plan
from installer.run import actions
from installer.run.executor import StepError
from tests.unit.plans import MIRROR, machine, recipe
from tests.unit.plans import plan as planned

ROOT = Path(__file__).parents[2]

UNREADABLE = "/proc/self/mem"
"""A file whose first page nobody has mapped: whoever reads it from the beginning is told of an I/O error."""


@pytest.mark.parametrize("beside", ["", "copy"])
def test_an_error_of_a_disk_ends_the_run_with_step_reason_and_way_on(house: House, beside: str) -> None:
    """fault 37: also while other disks are worked on side by side, whose steps end well before."""
    copy = operation("copy/a", ("dd", f"if={UNREADABLE}", f"of={house.folder}/copied", "bs=4096"), together=beside)
    house.plan = house.planned(
        note("wipe", house.folder, destroys=("a",)),
        copy,
        operation("copy/b", ("sh", "-c", f"sleep 0.2; echo > {house.folder}/whole"), together=beside),
        note("after", house.folder),
    )
    outcome = house.apply()
    assert (outcome.status, outcome.exit, outcome.failed_step) == ("failed", Exit.FAILED, "copy/a")
    assert "Input/output error" in outcome.words
    assert "Disks a are partly written" in outcome.words
    assert "--resume" in outcome.words
    assert (house.folder / "whole").exists() is bool(beside)
    assert times(house.folder, "after") == 0


def test_a_program_that_a_lost_disk_holds_for_ever_ends_the_run_in_its_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fault 36: zpool sleeps in the kernel, where no signal reaches it."""
    monkeypatch.setattr(process, "AFTER_KILL", 0.2)
    kill, groups = os.killpg, []
    monkeypatch.setattr(os, "killpg", lambda group, number: groups.append(group))
    asleep = Commands(commands=(Command(argv=("sleep", "300"), timeout=1),))
    house.plan = house.planned(
        note("wipe", house.folder, destroys=("a",)),
        operation("pools/create/rpool", ("true",)).model_copy(update={"action": asleep}),
        operation("finish/export/rpool", ("true",), effect=Effect.CLOSE, layer=Layer.FINISH),
    )
    began = time.monotonic()
    outcome = house.apply()
    took = time.monotonic() - began
    kill(groups[0], 9)
    assert (outcome.exit, outcome.failed_step) == (Exit.FAILED, "pools/create/rpool")
    assert "cannot be ended" in outcome.words
    assert "Disks a are partly written" in outcome.words
    assert "--resume" in outcome.words
    assert took < 30


@pytest.mark.needs("sgdisk")
def test_a_kernel_that_cannot_read_the_new_table_stops_the_run_before_the_partitions_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fault 40: sgdisk is content, and the order to read its table anew, repeated for a while, never succeeds."""
    waited: list[float] = []
    monkeypatch.setattr(actions, "pause", lambda seconds: iter(waited.append(seconds) or ()))
    image = tmp_path / "disk"
    image.touch()
    os.truncate(image, 8 * 1024**3)
    whole = planned(recipe(MIRROR), machine())
    text = whole.model_dump_json().replace("/dev/disk/by-id/ata-SA", str(image))
    made = Plan.model_validate_json(text)
    steps = tuple(one for one in made.operations if one.id in ("partitions/table/a", "partitions/await"))
    assert len(steps) == 2
    with pytest.raises(StepError) as caught:
        # On a file blockdev fails as it does while somebody holds a partition open: with another reason, for good.
        execute(made.model_copy(update={"operations": steps}), tmp_path)
    assert "blockdev" in caught.value.message
    assert caught.value.operation.id == "partitions/table/a"
    assert len(waited) >= 10
    kept = journal(tmp_path, made)
    assert "partitions/table/a" not in kept.ended
    assert "partitions/await" not in kept.begun


FULL = """
import json, subprocess, sys
from pathlib import Path

full, elsewhere, where, room = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", full], check=True)

import pytest
from run_house import House
from run_plans import note, operation
from installer.plan.operation import WriteFile

write = WriteFile(path=f"{full}/new/file", content="x" * 10**6)
step = {
    "file": operation("b", ("true",)).model_copy(update={"action": write}),
    "program": operation("b", ("dd", "if=/dev/zero", f"of={full}/image", "bs=4096", "count=500")),
    "engine": operation("b", ("seq", "100000")),
}[where]
with pytest.MonkeyPatch.context() as patched:
    house = House(elsewhere, elsewhere / "image", patched)
    if where == "engine":
        house.run.symlink_to(full)
    house.plan = house.planned(note("a", elsewhere, destroys=("a",)), step, note("c", elsewhere))
    outcome = house.apply()
left = {str(one.relative_to(full)): one.lstat().st_size for one in full.rglob("*") if one.is_file()}
print(json.dumps([outcome.exit, outcome.failed_step, outcome.words, left]))
"""


def out_of_room(tmp_path: Path, partitioned: Path, where: str, room: str) -> tuple[int, str, str, dict[str, int]]:
    """Apply a plan to a file system of so much room, which no other process sees; return what is left in it too."""
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*own, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no namespaces of users and mounts")
    for name in ("full", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "elsewhere/image").symlink_to(partitioned)
    done = subprocess.run(
        [*own, sys.executable, "-c", FULL, tmp_path / "full", tmp_path / "elsewhere", where, room],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT}/tests/unit"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    status, step, words, left = json.loads(done.stdout.splitlines()[-1])
    return status, step, words, left


@pytest.mark.parametrize("where", ["file", "program"])
def test_a_full_file_system_ends_the_run_with_the_path_and_leaves_no_half_file(
    tmp_path: Path, partitioned: Path, where: str
) -> None:
    """fault 67"""
    status, step, words, left = out_of_room(tmp_path, partitioned, where, "64k")
    assert (status, step) == (Exit.FAILED, "b")
    path = {"file": "full/new/file", "program": "full/image"}[where]
    assert re.search(rf"{tmp_path}/{path}.*No space left on device", words)
    assert "Disks a are partly written: 1 of 3 steps" in words
    assert "--resume" in words
    assert set(left) == ({"image"} if where == "program" else set())


def test_a_full_memory_of_the_live_system_costs_events_and_not_the_installation(
    tmp_path: Path, partitioned: Path
) -> None:
    """fault 67"""
    status, step, words, left = out_of_room(tmp_path, partitioned, "engine", "128k")
    assert (status, step) == (Exit.DONE, ""), words
    assert 10_000 < left["events.jsonl"] < 128 * 1024
    assert (tmp_path / "elsewhere/ran.c").exists()
