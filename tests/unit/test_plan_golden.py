"""tests/golden: a folder a case, machine.json and recipe.toml in, plan.txt and plan.sh out (one has plan.json too).

`ZROOT_UPDATE_GOLDEN=1 pytest tests/unit/test_plan_golden.py` writes what comes out now; read the difference.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from installer.machine.model import Machine
from installer.plan.build import make_plan
from installer.plan.operation import Effect, Plan
from installer.plan.render import as_json, as_sh, as_text, from_json
from installer.recipe.load import parse

FOLDER = Path(__file__).parents[1] / "golden"
CASES = sorted(path.parent.name for path in FOLDER.glob("*/recipe.toml"))


WITH_JSON = "mirror-virtio"


def plan_of(case: str) -> Plan:
    machine = Machine.model_validate_json((FOLDER / case / "machine.json").read_text())
    return make_plan(parse((FOLDER / case / "recipe.toml").read_text()), machine)


@pytest.mark.parametrize("case", CASES)
def test_plan_is_as_recorded(case: str) -> None:
    plan = plan_of(case)
    written = {"plan.txt": as_text(plan), "plan.sh": as_sh(plan)}
    if case == WITH_JSON:
        written["plan.json"] = as_json(plan)
    for name, text in written.items():
        path = FOLDER / case / name
        if os.environ.get("ZROOT_UPDATE_GOLDEN"):
            path.write_text(text)
        assert text == path.read_text(), f"{path} differs"


@pytest.mark.parametrize("case", CASES)
def test_same_recipe_and_machine_give_the_same_bytes(case: str) -> None:
    text = as_json(plan_of(case))
    assert text == as_json(plan_of(case))
    assert as_json(from_json(text)) == text


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_script_is_valid_shell(case: str, shell: str) -> None:
    subprocess.run([shell, "-n"], input=as_sh(plan_of(case)), text=True, check=True)


@pytest.mark.parametrize("case", CASES)
def test_only_chosen_disks_are_named_and_destroyed(case: str) -> None:
    plan = plan_of(case)
    roles = {disk.role for disk in plan.disks}
    for operation in plan.operations:
        assert roles.issuperset(operation.destroys)
    links = {disk.link for disk in plan.disks}
    for word in as_text(plan).split():
        if word.startswith(("/dev/disk/by-id/", "/dev/disk/by-path/")):
            assert any(word.rstrip(",").startswith(link) for link in links), word


@pytest.mark.parametrize("case", CASES)
def test_every_placeholder_is_declared(case: str) -> None:
    plan = plan_of(case)
    for operation in plan.operations:
        typed = {
            exchange.secret
            for command in getattr(operation.action, "commands", ())
            for exchange in command.dialogue
            if not exchange.answer
        }
        assert typed <= set(operation.secrets)
    assert len({fact.name for fact in plan.facts}) == len(plan.facts)


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_survive_a_restart_can_be_probed(case: str) -> None:
    """A resumed run opens what is closed and leaves alone what is open: it must be able to tell (fault 60)."""
    for operation in plan_of(case).operations:
        if operation.effect is Effect.OPEN and operation.id != "pools/hostid":
            assert operation.done, operation.id


@pytest.mark.parametrize(
    ("case", "stems"),
    [
        ("mirror-virtio-without-serial", {f"/dev/disk/by-path/pci-0000:00:0{n}.0": "-part" for n in (4, 5)}),
        ("mirror-nvme-without-links", {"/dev/nvme0n1": "p", "/dev/disk/by-id/nvme-N2": "-part"}),
    ],
)
def test_a_disk_has_one_name_and_its_partitions_are_named_after_it(case: str, stems: dict[str, str]) -> None:
    """fault 9, fault 21"""
    words = as_sh(plan_of(case)).replace("'", " ").split()
    named = {word for word in words if word.startswith(("/dev/disk/", "/dev/nvme", "/dev/vd"))}
    partitions = {f"{disk}{infix}{number}" for disk, infix in stems.items() for number in range(1, 5)}
    assert named == {*stems, *partitions}
