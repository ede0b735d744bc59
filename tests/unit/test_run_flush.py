"""What is brought to the disks before the journal calls it done."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_plans import operation, plan

from installer.plan.operation import ChosenDisk, Plan
from installer.process import ProgramError
from installer.run import actions, flush


@pytest.fixture
def of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A plan for one disk with two partitions and two pools, of which one is imported; another pool is nobody's."""
    for folder in (
        "sys/sda/sda1",
        "sys/sda/sda2",
        "sys/sda/queue",
        "sys/sdb/sdb1",
        "pools/vault",
        "pools/other",
        "dev",
    ):
        (tmp_path / folder).mkdir(parents=True)
    for partition in ("sda/sda1", "sda/sda2", "sdb/sdb1"):
        (tmp_path / "sys" / partition / "partition").touch()
    for name in ("sda", "sda1", "sda2", "sdb", "sdb1"):
        (tmp_path / "dev" / name).touch()
    (tmp_path / "link").symlink_to(tmp_path / "dev/sda")
    monkeypatch.setattr(flush, "SYSFS", tmp_path / "sys")
    monkeypatch.setattr(flush, "POOLS", tmp_path / "pools")
    monkeypatch.setattr(flush, "DEV", tmp_path / "dev")
    chosen = ChosenDisk(role="a", identity="SA", link=str(tmp_path / "link"), size=1, description="A disk")
    closing = [operation(f"finish/export/{name}", ("zpool", "export", name)) for name in ("vault", "rpool")]
    return plan(*closing, target="/mnt/z").model_copy(update={"disks": (chosen,)})


def test_only_file_systems_and_pools_of_the_plan_are_written_out(of: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flush, "mounted_devices", lambda path: (f"{path}/boot", f"{path}/boot/efi"))
    assert flush.file_systems(of) == (
        ("zpool", "sync", "vault"),
        ("sync", "--file-system", "/mnt/z/boot", "/mnt/z/boot/efi"),
    )
    monkeypatch.setattr(flush, "mounted_devices", lambda path: ())
    monkeypatch.setattr(flush, "POOLS", Path("/nowhere"))
    assert flush.file_systems(of) == ()


def test_devices_are_the_plans_disks_with_partitions_and_what_the_steps_name(
    tmp_path: Path, of: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = {"/dev/md/boot", "/dev/mapper/key-u1", "/dev/zvol/rpool/swap"}
    monkeypatch.setattr(flush, "_is_block", lambda path: path in blocks)
    steps = (
        operation("x", ("mkfs.ext4", "-q", "/dev/md/boot"), ("dd", "if=/dev/urandom", "of=/dev/mapper/key-@{u}")),
        operation("y", ("tcplay", "--device=/dev/zvol/rpool/swap"), ("cat", "/etc/fstab")),
    )
    own = [str(tmp_path / "dev" / name) for name in ("sda", "sda1", "sda2")]
    assert flush.devices(of, steps, {"u": "u1"}) == (*sorted(blocks), *own)
    (tmp_path / "dev/sda2").unlink()
    assert flush.devices(of, (), {}) == tuple(own[:2])


def test_a_partition_that_is_gone_for_a_moment_is_looked_for_again(
    tmp_path: Path, of: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """udev has the kernel read the table anew whenever somebody has written; what stays away is an error."""
    looks = iter([("/dev/no-such-partition",), (str(tmp_path / "dev/sda"),)])
    monkeypatch.setattr(flush, "file_systems", lambda of: ())
    monkeypatch.setattr(flush, "devices", lambda *told: next(looks))
    for _ in actions.sync(of, (), {}):
        pass
    assert next(looks, None) is None
    monkeypatch.setattr(flush, "devices", lambda *told: ("/dev/no-such-partition",))
    monkeypatch.setattr(actions, "TRIES", 0)
    with pytest.raises(ProgramError, match="sync"):
        for _ in actions.sync(of, (), {}):
            pass
