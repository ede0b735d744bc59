"""The plan's own words, said to the real tools on plain files."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from installer.machine.model import Firmware
from installer.plan.operation import Plan
from installer.plan.render import as_sh
from installer.plan.script import word
from installer.recipe.rules.boot import SMALLEST_ESP
from tests.needs import require
from tests.unit.plans import GIB, MIRROR, commands, disk, machine, plan, recipe
from tests.unit.plans import argv as argv_of


def facts(text: str) -> str:
    def fact(match: re.Match[str]) -> str:
        return "1A2B3C4D" if match[1].startswith("esp.") else str(uuid.uuid5(uuid.NAMESPACE_DNS, match[1]))

    return re.sub(r"@\{([^}]+)\}", fact, text)


def run(plan: Plan, name: str, program: str, files: dict[str, Path]) -> None:
    """Carry out those commands of an operation that a plain file can stand."""
    for command in commands(plan, name):
        if command.argv[0] != program:
            continue
        argv = [facts(argument) for argument in command.argv]
        for link, file in files.items():
            argv = [argument.replace(link, str(file)) for argument in argv]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode in command.success, done.stdout + done.stderr


def said(file: Path, *options: str) -> str:
    return subprocess.run(["sgdisk", *options, file], capture_output=True, text=True, check=True).stdout


def table(file: Path) -> dict[str, tuple[int, int]]:
    """Return first and last sector of each partition by name."""
    rows = re.findall(r"^ +\d+ +(\d+) +(\d+) .* (\S+)$", said(file, "--print"), re.MULTILINE)
    return {name: (int(first), int(last)) for first, last, name in rows}


def guids(file: Path) -> list[str]:
    parts = [said(file, f"--info={number}") for number in range(1, 5)]
    return re.findall(
        r"(?:Disk identifier \(GUID\)|Partition unique GUID): (\S+)", said(file, "--print") + "".join(parts)
    )


SIZES = [(8.0, 8.0), (8.0, 8.5), (8.5, 8.0)]
"""Of two disks, in GiB."""


def clone(folder: Path, sizes: tuple[float, float]) -> Path:
    """Give two disks in a folder their tables."""
    disks = [disk(name, size=int(size * GIB)) for name, size in zip(("sda", "sdb"), sizes, strict=True)]
    made = plan(recipe(MIRROR), machine(*disks))
    files = {"/dev/disk/by-id/ata-SA": folder / "a", "/dev/disk/by-id/ata-SB": folder / "b", "/run/zroot": folder}
    for name, size in zip("ab", sizes, strict=True):
        (folder / name).touch()
        os.truncate(folder / name, int(size * GIB))
    run(made, "partitions/table/a", "sgdisk", files)
    run(made, "partitions/save/table", "sgdisk", files)
    run(made, "partitions/clone/b", "sgdisk", files)
    return folder


@pytest.fixture(scope="module")
def cloned(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[float, float], Path]:
    """Folders with two disks each, made at the same time: sgdisk sleeps for a second whenever it has written."""
    require("sgdisk")
    folders = [tmp_path_factory.mktemp("disks") for _ in SIZES]
    with ThreadPoolExecutor() as pool:
        return dict(zip(SIZES, pool.map(clone, folders, SIZES), strict=True))


@pytest.mark.parametrize("sizes", SIZES)
def test_table_is_cloned_to_disks_of_other_sizes(
    cloned: dict[tuple[float, float], Path], sizes: tuple[float, float]
) -> None:
    """fault 14, and no two disks with the same GUIDs."""
    folder = cloned[sizes]
    one, other = table(folder / "a"), table(folder / "b")
    assert one == other
    assert list(one) == ["bios", "esp", "boot", "pool"]
    assert all(first % 2048 == 0 and (last + 1) % 2048 == 0 for first, last in one.values())
    assert len(guids(folder / "a")) == 5
    assert not set(guids(folder / "a")) & set(guids(folder / "b"))
    assert guids(folder / "b")[0].lower() == facts("@{disk-guid.b}")
    for name in "ab":
        assert "No problems found" in said(folder / name, "--verify")


@pytest.mark.needs("mkfs.fat")
@pytest.mark.parametrize("sector", [512, 4096])
def test_smallest_esp_is_fat32_with_its_serial(tmp_path: Path, sector: int) -> None:
    """fault 18"""
    body = MIRROR.replace('size = "512M"', f'size = "{SMALLEST_ESP}"')
    made = plan(recipe(body), machine(*(disk(n, logical_sector=sector, physical_sector=4096) for n in ("sda", "sdb"))))
    (tmp_path / "esp").touch()
    os.truncate(tmp_path / "esp", int(SMALLEST_ESP))
    run(made, "partitions/format/esp-a", "mkfs.fat", {"/dev/disk/by-id/ata-SA-part2": tmp_path / "esp"})
    with (tmp_path / "esp").open("rb") as file:
        boot_sector = file.read(512)

    def number(at: int, size: int) -> int:
        return int.from_bytes(boot_sector[at : at + size], "little")

    assert boot_sector[82:87] == b"FAT32"
    assert number(11, 2) == sector
    assert boot_sector[67:71][::-1].hex().upper() == "1A2B3C4D"
    # Firmware goes by the number of clusters, whatever the name says: with fewer than 65525 it reads FAT16.
    clusters = (number(32, 4) - number(14, 2) - number(16, 1) * number(36, 4)) // number(13, 1)
    assert clusters >= 65525


@pytest.mark.needs("sgdisk")
def test_table_of_a_disk_beyond_the_reach_of_an_mbr_starts_by_bios(tmp_path: Path) -> None:
    """fault 19"""
    size, terabytes = 3 * 1024**4, 2 * 1024**4
    large = [disk(name, size=size) for name in ("sda", "sdb")]
    made = plan(recipe(MIRROR), machine(*large, firmware=Firmware.BIOS))
    (tmp_path / "a").touch()
    os.truncate(tmp_path / "a", size)
    run(made, "partitions/table/a", "sgdisk", {"/dev/disk/by-id/ata-SA": tmp_path / "a"})
    assert "No problems found" in said(tmp_path / "a", "--verify")
    assert "BIOS boot partition" in said(tmp_path / "a", "--info=1")
    places = table(tmp_path / "a")
    assert places["pool"][1] * 512 > terabytes
    # GRUB reads through the firmware, which may count sectors with 32 bits.
    assert all(places[name][1] * 512 < terabytes for name in ("bios", "esp", "boot"))


@pytest.mark.needs("mdadm")
@pytest.mark.parametrize("disks", ["a", "ab"])
def test_mdadm_takes_as_many_members_as_there_are(tmp_path: Path, disks: str) -> None:
    """fault 15: one member is taken to be a mistake unless --force comes before their number."""
    made = plan(
        recipe(MIRROR.replace('"mirror"', '"single"' if len(disks) == 1 else '"mirror"'), disks=disks), machine()
    )
    argv = [facts(argument) for argument in argv_of(made, "raid/create/boot")]
    members = {argument for argument in argv if "-part3" in argument}
    for member in members:
        (tmp_path / Path(member).name).touch()
    argv = [str(tmp_path / Path(argument).name) if argument in members else argument for argument in argv]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    # The arguments are read before the devices are looked at, which are files here.
    assert "is not a block device" in done.stderr
    assert "unusual number" not in done.stderr


CANARY = """ca'nary "$HOME" `id` \\.*+([ö"""


@pytest.mark.needs("cryptsetup")
def test_member_is_formatted_in_the_memory_of_a_small_machine(tmp_path: Path) -> None:
    """fault 51"""
    image = tmp_path / "member"
    image.touch()
    os.truncate(image, 32 * 1024**2)
    argv = argv_of(plan(recipe(MIRROR), machine(memory=1 * GIB)), "encryption/format/pool-a")
    words = [facts(word).replace("/dev/disk/by-id/ata-SA-part4", str(image)) for word in argv]
    # In kB: 256 MiB beside programs and libraries fit in, and the 512 MiB of a larger machine do not.
    limited = ["sh", "-c", 'ulimit -v 400000; exec "$@"', "sh", *words]
    done = subprocess.run(limited, input="passphrase", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.needs("cryptsetup")
def test_script_types_a_passphrase_of_shell_characters_unchanged(tmp_path: Path) -> None:
    """fault 45"""
    body = MIRROR.replace('over = "partition.pool"', 'over = "partition.pool"\nkdf = { memory = "64M" }')
    script = as_sh(plan(recipe(body), machine()))
    image = tmp_path / "member"
    image.touch()
    os.truncate(image, 32 * 1024**2)
    lines = [line for line in script.splitlines() if "cryptsetup" in line and "ata-SA-part4" in line][:2]
    setting = [f"secret_passphrase={shlex.quote(CANARY)}", f"fact_luks_pool_a={uuid.uuid4()}"]
    # Opened without a mapping, which would need a kernel that makes one.
    lines[1] = lines[1].replace(" open ", " open --test-passphrase ").removesuffix(" pool-a")
    text = "\n".join(["set -eu", *setting, *lines]).replace("/dev/disk/by-id/ata-SA-part4", str(image))
    subprocess.run(["bash", "-c", text], check=True, capture_output=True)
    typed = subprocess.run(
        ["cryptsetup", "open", "--test-passphrase", "--key-file=-", str(image)], input=CANARY.encode(), check=False
    )
    assert typed.returncode == 0


@pytest.mark.parametrize("text", ["", "a b", "it's", "$x `y` \\", "--uuid=@{luks.pool-a}", "x'%{pass-word}'y"])
def test_words_reach_the_program_as_they_are(text: str) -> None:
    setting = "fact_luks_pool_a='F \"$1'; secret_pass_word='S *'; "
    said = subprocess.run(["sh", "-c", f"{setting} printf %s {word(text)}"], capture_output=True, text=True, check=True)
    assert said.stdout == text.replace("@{luks.pool-a}", 'F "$1').replace("%{pass-word}", "S *")
