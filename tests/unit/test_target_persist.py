"""The parts of an installed system that keep files over a rollback: run here on a list of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from installer.plan.persist import listing
from installer.recipe.model import Persist

TARGET = Path(__file__).parents[2] / "iso" / "target"
PLACES = ("/etc/zroot/persist", "/var/lib/zroot", "/run/zroot-persist", "/usr/lib/zroot/say", "/boot/vmlinuz")
"""What the scripts name and a test puts elsewhere."""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with a list that keeps one folder and two files, and what is kept of them."""
    for name in ("etc/zroot", "var/lib/zroot", "run", "usr/lib/zroot", "boot", "etc/ssh", "kept"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "usr/lib/zroot/say").write_text('say() { echo "$*"; }\n')
    persist = Persist.model_construct(
        folder=f"{tmp_path}/kept",
        snapshot="blank",
        keep=(f"{tmp_path}/etc/passwd", f"{tmp_path}/etc/ssh/", f"{tmp_path}/etc/subuid"),
    )
    (tmp_path / "etc/zroot/persist").write_text(listing(persist))
    (tmp_path / "etc/passwd").write_text("root\n")
    (tmp_path / "etc/subuid").write_text("")
    return tmp_path


def run(house: Path, name: str, *arguments: str, by: str = "bash", more: str = "") -> subprocess.CompletedProcess[str]:
    """Run a script of the target with its places in the house."""
    text = (TARGET / name).read_text() + more
    for place in PLACES:
        text = text.replace(place, f"{house}{place}")
    (house / "script").write_text(text)
    return subprocess.run([by, str(house / "script"), *arguments], capture_output=True, text=True, check=False)


def kept(house: Path, path: str) -> Path:
    """Return where a path of the house is kept."""
    return Path(f"{house}/kept{house}/{path}")


def test_what_changed_comes_back_after_a_rollback(house: Path) -> None:
    passwd = house / "etc/passwd"
    assert run(house, "usr/lib/zroot/persist", "start").returncode == 0
    passwd.write_text("root\nanna\n")
    passwd.chmod(0o640)
    assert run(house, "usr/lib/zroot/persist", "stop").returncode == 0
    passwd.write_text("root\n")
    passwd.chmod(0o644)
    assert run(house, "usr/lib/zroot/persist", "start").returncode == 0
    assert passwd.read_text() == "root\nanna\n"
    assert passwd.stat().st_mode & 0o777 == 0o640


def test_an_empty_copy_does_not_replace_the_users(house: Path) -> None:
    """A power cut leaves such files."""
    kept(house, "etc").mkdir(parents=True)
    kept(house, "etc/passwd").write_text("")
    run(house, "usr/lib/zroot/persist", "start")
    assert (house / "etc/passwd").read_text() == "root\n"


def test_a_start_without_rollback_is_known(house: Path) -> None:
    """The kernel of this machine was not told to roll back, so it is the escape and no failure."""
    state = house / "run/zroot-persist"
    for expected in ("blank", "kept"):
        run(house, "usr/lib/zroot/persist", "start")
        assert state.read_text() == f"{expected}\n"
    (house / "var/lib/zroot/started").unlink()
    run(house, "usr/lib/zroot/persist", "start")
    assert state.read_text() == "blank\n"


@pytest.mark.needs("systemd-escape")
def test_a_folder_is_mounted_and_files_are_watched(house: Path) -> None:
    units = house / "units"
    made = run(house, "usr/lib/systemd/system-generators/zroot-persist", str(units), by="sh")
    assert made.returncode == 0, made.stderr
    (mount,) = units.glob("*.mount")
    assert f"What={house}/kept{house}/etc/ssh\nWhere={house}/etc/ssh\n" in mount.read_text()
    (link,) = (units / "local-fs.target.requires").iterdir()
    assert link.resolve() == mount
    watched = (units / "zroot-persist-out.path.d/files.conf").read_text().splitlines()
    assert watched == ["[Path]", f"PathChanged={house}/etc/passwd", f"PathChanged={house}/etc/subuid"]
    assert f"RequiresMountsFor={house}/kept" in (units / "zroot-persist.service.d/folder.conf").read_text()
    assert (units / "sysinit.target.wants/zroot-persist.service").is_symlink()


def test_without_a_list_nothing_is_made(house: Path) -> None:
    (house / "etc/zroot/persist").unlink()
    units = house / "units"
    run(house, "usr/lib/systemd/system-generators/zroot-persist", str(units), by="sh")
    assert not units.exists()


@pytest.mark.parametrize(
    ("blank", "boot", "first"),
    [
        ("6.12.2\n6.12.1\n", ("6.12.1", "6.12.2", "6.12.9"), "6.12.2"),
        ("6.12.2\n6.12.1\n", ("6.12.1", "6.12.9"), "6.12.1"),
        ("6.12.2\n", ("6.12.9",), ""),
        ("", ("6.12.9",), ""),
    ],
)
def test_grub_starts_a_kernel_whose_modules_are_there(
    house: Path, blank: str, boot: tuple[str, ...], first: str
) -> None:
    """Fact 28 of the boot: /boot is not rolled back."""
    (house / "var/lib/zroot/blank").write_text(blank)
    for version in boot:
        (house / f"boot/vmlinuz-{version}").touch()
    said = run(
        house, "etc/default/grub.d/zroot-persist.cfg", more='echo "$GRUB_CMDLINE_LINUX_DEFAULT|${GRUB_TOP_LEVEL##*-}"'
    )
    assert said.stdout == f" bootfs.rollback=blank|{first}\n"


def test_the_last_kernel_that_can_be_started_stays(house: Path) -> None:
    (house / "var/lib/zroot/blank").write_text("6.12.2\n6.12.1\n")
    for version in ("6.12.1", "6.12.9"):
        (house / f"boot/vmlinuz-{version}").touch()
    hook = "etc/kernel/prerm.d/00-zroot-persist"
    refused = run(house, hook, "6.12.1", by="sh")
    assert refused.returncode == 1
    assert "sudo zroot-commit" in refused.stderr
    assert run(house, hook, "6.12.9", by="sh").returncode == 0, "going back does not need it"
    (house / "boot/vmlinuz-6.12.2").touch()
    assert run(house, hook, "6.12.1", by="sh").returncode == 0
