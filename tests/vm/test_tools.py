"""The parts of the VM room that need no machine."""

from __future__ import annotations

import socket
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from installer.recipe.load import parse
from tests.vm import installs
from tests.vm.bench import boot, disks, figures
from tests.vm.bench.boot import Mark
from tests.vm.guest import PROMPT
from tests.vm.installs import RECIPE, SECRETS, SERIALS
from tests.vm.qemu import Bus, Disk, Machine
from tests.vm.screen import Terminal
from tests.vm.serial import Console, ConsoleError, plain
from tests.vm.volume import Volume


@pytest.fixture
def ends(tmp_path: Path) -> tuple[Console, socket.socket]:
    """A console, and the machine's end of it."""
    ours, theirs = socket.socketpair()
    return Console(ours, log=tmp_path / "console.log"), theirs


def test_plain_text_has_no_escape_sequences() -> None:
    noisy = "\x1b[0;1;32m  OK  \x1b[0m \x1b]3008;start=1\x1b\\Mounted\x1b(B \x1b[?2004h\rboot\x07\x00"
    assert plain(noisy) == "  OK   Mounted boot"


def test_text_is_found_with_colours_inside_and_in_pieces(ends: tuple[Console, socket.socket]) -> None:
    console, machine = ends
    for piece in (b"Pass\x1b", b"[0", b"mphrase \xe2\x80", b"\xa6for \x1b[1mx"):
        machine.sendall(piece)
    assert console.wait_for("Passphrase \u2026for x", within=5) == "Passphrase \u2026for x"


def test_panic_ends_the_wait_at_once(ends: tuple[Console, socket.socket]) -> None:
    console, machine = ends
    machine.sendall(b"[ 1.0] Kernel panic - not syncing: VFS\r\n")
    with pytest.raises(ConsoleError, match="Kernel panic"):
        console.wait_for("login:", within=60)


@pytest.mark.parametrize(
    ("line", "emulators"),
    [
        ("[ 1.0] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI", True),
        ("[ 10.7] RSP: 0000:ff7931f4c04cbbf0 EFLAGS: c1935e42", True),
        ("[ 10.7] RSP: 0018:ffffb0a3c0013e60 EFLAGS: 00010246", False),
        ("[ 10.7] RSP: 0018:ffffb0a3c0013e60 EFLAGS: 003f0246", False),
    ],
)
def test_panic_of_the_emulator_is_told_from_others(
    ends: tuple[Console, socket.socket], tmp_path: Path, line: str, *, emulators: bool
) -> None:
    console, machine = ends
    (tmp_path / "console.log").write_text(f"{line}\n")
    machine.sendall(b"[ 1.0] Kernel panic - not syncing: Fatal exception in interrupt\r\n")
    with pytest.raises(ConsoleError) as error:
        console.wait_for("login:", within=60)
    assert ("the emulator lost a race" in str(error.value)) == emulators


def test_screen_tells_a_panic_of_the_emulator_too(ends: tuple[Console, socket.socket], tmp_path: Path) -> None:
    console, _ = ends
    log = tmp_path / "console.log"
    log.write_text("[ 1.0] Oops: int3: 0000 [#1] SMP\r\n[ 1.0] Kernel panic - not syncing: Fatal exception\r\n")
    screen = Terminal(cast(Machine, SimpleNamespace(console=console, log=log)))
    with pytest.raises(ConsoleError, match="the emulator lost a race"):
        screen.wait_for("Welcome", within=60)


def test_machine_that_goes_off_ends_the_wait(ends: tuple[Console, socket.socket]) -> None:
    console, machine = ends
    machine.close()
    with pytest.raises(ConsoleError, match="went off"):
        console.wait_for("login:", within=60)


def test_error_shows_where_the_log_is(ends: tuple[Console, socket.socket], tmp_path: Path) -> None:
    console, _ = ends
    (tmp_path / "console.log").write_text("the last words")
    with pytest.raises(ConsoleError, match=r"console\.log[\s\S]*the last words"):
        console.wait_for("login:", within=0.1)


def test_recipe_for_a_machine_keeps_all_but_disks_and_consoles() -> None:
    before = tomllib.loads(RECIPE.read_text())
    after = tomllib.loads(installs.prepared(RECIPE.read_text()))
    assert {role: disk["serial"] for role, disk in after["disks"].items()} == SERIALS
    assert after["unattended"] is True
    assert after["boot"]["arguments"][: len(before["boot"]["arguments"])] == before["boot"]["arguments"]
    changed = {"disks", "unattended", "after", "boot"}
    assert {key: value for key, value in after.items() if key not in changed} == {
        key: value for key, value in before.items() if key not in changed
    }


def test_canaries_survive_the_secrets_file() -> None:
    assert tomllib.loads(installs.files("")["secrets.toml"]) == SECRETS


@pytest.mark.parametrize("bus", list(Bus))
def test_disk_keeps_its_slot_when_a_neighbour_is_missing(bus: Bus) -> None:
    image = Path("b.qcow2")
    both = [Disk(image=Path("a.qcow2"), slot=0, bus=bus), Disk(image=image, slot=1, bus=bus)]
    alone = [Disk(image=image, slot=1, bus=bus)]
    assert both[1].arguments() == alone[0].arguments()


def test_bench_table_adds_up() -> None:
    layers = figures.by_layer({"pools": 4, "system": 61}, total=70)
    assert (layers["system"], layers[figures.ENGINE]) == (61, 5)
    floor = figures.laps("at 100.5 pools\nnoise\nat 102.5 system\nat 152.5 end\n")
    text = figures.table(layers, floor)
    assert "| system | 61.0 s | 50.0 s | 1.22 |" in text
    assert "| **whole** | 70.0 s | 52.0 s | 1.35 |" in text


def test_bench_compares_pair_by_pair() -> None:
    # The machine was twice as slow during the second and third pair; what is compared is one pair at a time.
    runs = {
        "base": [{"system": 60.0, "boot": 10.0}, {"system": 120.0, "boot": 20.0}, {"system": 120.0, "boot": 20.0}],
        "this": [{"system": 30.0, "boot": 10.0}, {"system": 90.0, "boot": 22.0}, {"system": 60.0, "boot": 24.0}],
    }
    assert figures.ratio(runs["base"], runs["this"], "system") == 0.5
    assert figures.ratio(runs["base"], runs["this"]) == pytest.approx(84 / 140)
    text = figures.comparison(runs)
    assert "| step | base | this | times |" in text
    assert "| system | 60.0, 120.0, 120.0 s | 30.0, 90.0, 60.0 s | 0.50 |" in text
    assert "| **whole** | 70.0, 140.0, 140.0 s | 40.0, 112.0, 84.0 s | 0.60 |" in text


def test_bench_leaves_out_what_nobody_did_and_divides_by_nothing() -> None:
    runs = {"4 disks": [{"raid": 0.0, "teardown": 0.0, "pools": 2.0}], "12 disks": [{"teardown": 1.0, "pools": 3.0}]}
    text = figures.comparison(runs)
    assert "raid" not in text
    assert "| teardown | 0.0 s | 1.0 s |  |" in text


@pytest.mark.parametrize("count", disks.AIMS)
def test_bench_over_many_disks_gives_each_a_place_of_its_own(count: int) -> None:
    there = [*disks.disks(Path("folder"), count).values(), Volume(Path("volume.img")).disk()]
    named = [word.split(",")[1] for disk in there for word in disk.arguments() if not word.startswith("-")]
    assert len(set(named)) == len(named) == 2 * (count + 1)
    recipe = parse(disks.recipe(count))
    assert [disk.serial for disk in recipe.disks.values()] == [disk.serial for disk in there[:-1]]


def test_time_at_the_prompt_is_taken_away() -> None:
    marks = [Mark("Loading Linux", 5, 4), Mark(PROMPT, 20, 18), Mark("login:", 62, 50)]
    assert [mark.at for mark in boot.without_person(marks, answered=22)] == [5, 20, 60]
    assert boot.without_person(marks[::2], answered=None) == marks[::2]


def test_units_of_the_initramfs_are_timed_until_the_root_changes() -> None:
    journal = """\
[    1.500000] systemd[1]: Starting systemd-modules-load.service - Load Kernel Modules...
[    2.000000] systemd[1]: Finished systemd-modules-load.service - Load Kernel Modules.
[    2.000000] systemd[1]: Reached target swap.target - Swaps.
[    3.000000] systemd[1]: Starting zroot-root.service - Open the disks and import the root pool...
[   13.250000] systemd[1]: Finished zroot-root.service - Open the disks and import the root pool.
[   15.000000] systemd[1]: Switching root.
[   16.000000] systemd[1]: Starting ssh.service - OpenBSD Secure Shell server...
[   17.000000] systemd[1]: Started ssh.service - OpenBSD Secure Shell server.
"""
    assert boot.initramfs_units(journal) == {"systemd-modules-load.service": 0.5, "zroot-root.service": 10.25}
    without_systemd = journal.replace("Switching root", "")
    assert boot.initramfs_units(without_systemd) == {}


def test_boots_are_compared_pair_by_pair() -> None:
    table = boot.ratios("login", [60, 100, 65], [50, 50, 50]).splitlines()
    assert table[0] == "| login | ours | plain | times |"
    assert table[2:] == [
        "| 1 | 60.0 s | 50.0 s | 1.20 |",
        "| 2 | 100.0 s | 50.0 s | 2.00 |",
        "| 3 | 65.0 s | 50.0 s | 1.30 |",
        "| **median** | | | 1.30 |",
    ]
