"""The kinds of action: files, records, devices, the image; and hashes of passwords."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.errors import ZrootError
from installer.masking import SECRETS
from installer.plan.operation import AwaitDevices, Command, Commands, CopyImage, Exchange, SaveRecords, WriteFile
from installer.process import run
from installer.recipe.secrets import is_hash
from installer.run import actions, files
from installer.run.passwords import hash_password, hashed


@pytest.fixture(autouse=True)
def _no_secrets() -> Iterator[None]:
    yield
    SECRETS.clear()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_written_whole_with_its_mode_and_folders(tmp_path: Path) -> None:
    path = tmp_path / "new/folder/file"
    files.write(str(path), "text\n", mode=0o440, within=str(tmp_path))
    assert (path.read_text(), mode(path), mode(path.parent), mode(path.parent.parent)) == (
        "text\n",
        0o440,
        0o755,
        0o755,
    )
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_a_file_replaces_a_link_and_does_not_follow_it(tmp_path: Path) -> None:
    """fault 33: /etc/resolv.conf of an image leads to the live system's."""
    outside = tmp_path / "outside"
    outside.write_text("ours")
    target = tmp_path / "target"
    target.mkdir()
    (target / "link").symlink_to(outside)
    files.write(str(target / "link"), "theirs", mode=0o644, within=str(target))
    assert (outside.read_text(), (target / "link").read_text()) == ("ours", "theirs")


@pytest.mark.parametrize("link", ["{outside}", "../../outside"])
def test_a_folder_that_leads_out_of_the_target_is_refused(tmp_path: Path, link: str) -> None:
    """fault 33: a link for /var/log in the target must not make us write into the live system."""
    target = tmp_path / "target"
    (target / "var").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (target / "var/log").symlink_to(link.format(outside=tmp_path / "outside"))
    with pytest.raises(ZrootError, match="leads out"):
        files.write(str(target / "var/log/zroot/x"), "", mode=0o600, within=str(target))
    with pytest.raises(ZrootError, match="leads out"):
        files.save(str(target / "var/log/zroot"), {}, within=str(target))


def test_a_link_inside_the_target_is_fine(tmp_path: Path) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    files.write(str(tmp_path / "bin/x"), "", mode=0o755, within=str(tmp_path))
    assert (tmp_path / "usr/bin/x").exists()


def test_a_path_with_dots_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ZrootError, match="plain absolute path"):
        files.write(f"{tmp_path}/a/../../b", "", mode=0o644, within=str(tmp_path))


def carry_out(action: object, tmp_path: Path, said: list[object] | None = None) -> None:
    said = [] if said is None else said
    work = actions.Work(
        facts={},
        secret=lambda name: name,
        target=str(tmp_path),
        records={"journal.jsonl": tmp_path / "journal.jsonl"},
        output=said.append,
        progress=said.append,
    )
    for _ in actions.carry_out(action, work):  # type: ignore[arg-type]
        pass


LUKS = ("--type=luks2", "--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000")
REFUSED = "The passphrase that was typed does not open pool-a, on disk a (A disk, serial SA)."


@pytest.mark.parametrize("by_key", [False, True])
def test_a_secret_that_does_not_open_a_member_is_said_in_the_plans_words(tmp_path: Path, by_key: bool) -> None:
    """Opening is the proof of what was typed at the formatting: its failure must say so, and where."""
    image, key, another = tmp_path / "member", tmp_path / "key", tmp_path / "another"
    for path in (image, key, another):
        path.write_bytes(str(path).encode())
    with image.open("wb") as file:
        file.truncate(32 * 1024**2)
    run(("cryptsetup", "luksFormat", "--batch-mode", *LUKS, f"--key-file={key}", str(image)))
    dialogue = (Exchange(prompt=f"Enter passphrase for {image}: ", secret="another"),)
    argv = ("cryptsetup", "open", "--test-passphrase", *((f"--key-file={another}",) if by_key else ()), str(image))
    command = Command(argv=argv, dialogue=() if by_key else dialogue, refused=REFUSED)
    with pytest.raises(ZrootError) as caught:
        carry_out(Commands(commands=(command,)), tmp_path)
    assert caught.value.title == REFUSED
    assert "No key available with this passphrase." in caught.value.message
    assert "starts over" in caught.value.hint
    broken = command.model_copy(update={"argv": (*argv, "--no-such-option")})
    with pytest.raises(ZrootError, match="cryptsetup ended"):
        carry_out(Commands(commands=(broken,)), tmp_path)


def test_records_are_saved_for_root_only(tmp_path: Path) -> None:
    """fault 77"""
    (tmp_path / "journal.jsonl").write_text("{}")
    carry_out(SaveRecords(folder=f"{tmp_path}/var/log/zroot"), tmp_path)
    folder = tmp_path / "var/log/zroot"
    assert (mode(folder), mode(folder / "journal.jsonl")) == (0o700, 0o600)


def test_what_a_system_call_says_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ZrootError, match="Not a directory"):
        carry_out(WriteFile(path=f"{tmp_path}/file/x", content=""), tmp_path)


def partition(sysfs: Path, disk: str, number: int) -> str:
    name = f"{disk}{number}"
    folder = sysfs / "devices" / disk / name
    folder.mkdir(parents=True)
    (folder / "partition").write_text(f"{number}\n")
    (sysfs / name).symlink_to(folder)
    return name


def test_a_link_counts_only_if_it_leads_to_the_partition_of_that_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fault 39: a label that another disk has too, a link left over from the table before."""
    located = actions.located
    for disk in ("vda", "vdb"):
        for number in (1, 2):
            (tmp_path / partition(tmp_path / "sys", disk, number)).touch()
        (tmp_path / disk).touch()
    monkeypatch.setattr(actions, "located", lambda link: located(link, sysfs=tmp_path / "sys"))
    link = tmp_path / "boot"
    disk = str(tmp_path / "vda")
    link.symlink_to(tmp_path / "vda2")
    carry_out(AwaitDevices(devices=((str(link), disk, 2), (disk, disk, 0))), tmp_path)
    for wrong in ("vda1", "vdb2"):
        link.unlink()
        link.symlink_to(tmp_path / wrong)
        with pytest.raises(ZrootError, match="did not appear") as caught:
            carry_out(AwaitDevices(devices=((str(link), disk, 2),), timeout=0), tmp_path)
        assert f"leads to {tmp_path / wrong}" in caught.value.message


def test_waits_for_a_link_that_udev_makes_late(tmp_path: Path) -> None:
    """fault 38"""
    link = tmp_path / "late"
    maker = subprocess.Popen(["sh", "-c", f"sleep 0.4; touch {link}"])
    carry_out(AwaitDevices(devices=((str(link), "/dev/vda", 0),), timeout=10), tmp_path)
    maker.wait()
    assert link.exists()


@pytest.mark.needs("unsquashfs")
def test_the_image_is_copied_without_what_no_target_gets_and_tells_how_far(tmp_path: Path) -> None:
    known = run(["unsquashfs", "-help"], success=range(256))
    if "-percentage" not in known.out + known.err:
        pytest.skip("squashfs-tools older than 4.6, which the live system has")
    source = tmp_path / "source"
    for name in ("etc/ssh/ssh_host_a_key", "etc/ssh/config", "opt/zroot/x", "usr/y"):
        files.write(str(source / name), name, mode=0o600, within="")
    image = tmp_path / "image"
    run(["mksquashfs", str(source), str(image), "-quiet", "-no-progress"])
    said: list[object] = []
    action = CopyImage(image=str(image), target=f"{tmp_path}/t", without=("etc/ssh/ssh_host_*", "opt/zroot"))
    carry_out(action, tmp_path, said)
    carry_out(action, tmp_path, said)  # again over what is there, as after a crash
    copied = {str(one.relative_to(tmp_path / "t")) for one in (tmp_path / "t").rglob("*") if one.is_file()}
    assert copied == {"etc/ssh/config", "usr/y"}
    assert 100 in said


def test_passwords_are_hashed_unless_they_are_hashes() -> None:
    first, second = hash_password("canary"), hash_password("canary")
    assert is_hash(first)
    assert first != second
    given = {"plain": "canary", "hash": first}
    source = hashed(given.__getitem__)
    assert source("hash") == first
    assert is_hash(source("plain"))
    assert SECRETS.found_in(first)
