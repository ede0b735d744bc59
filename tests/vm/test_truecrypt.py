"""Seed 000: a mirror over TrueCrypt volumes, step by step as its text does it, and the drill on other pools."""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import pytest
import tomlkit

from tests.vm import storage
from tests.vm.installs import INSTALL, PASSPHRASE
from tests.vm.serial import Console, Outcome
from tests.vm.storage import DISKS, FOLDER

pytestmark = [pytest.mark.vm, pytest.mark.slow]

SEED = (Path(__file__).parent / "stacks/10-truecrypt-mirror.toml").read_text()
OTHER = SEED.replace("STACK-A", "STACK-C").replace("STACK-B", "STACK-D").replace("discard = false", "discard = true")
TYPED = f"cat {FOLDER}/passphrase"


@pytest.fixture(scope="module")
def live(iso: Path) -> Generator[Console]:
    """A live system with two recipes for a pool of the same name, on different disks."""
    secrets = {"secrets.toml": tomlkit.dumps({"passphrase": PASSPHRASE}), "passphrase": PASSPHRASE}
    recipes = {"seed.toml": SEED, "other.toml": OTHER}
    with storage.live("truecrypt", iso=iso, files=recipes | secrets) as console:
        yield console


def apply(live: Console, name: str, disks: str) -> Outcome:
    """Carry a recipe out."""
    erase = " ".join(f"--erase STACK-{disk}" for disk in disks)
    return live.run(f"zroot apply {FOLDER}/{name}.toml --secrets {FOLDER}/secrets.toml {erase}", within=INSTALL)


def bring_up(live: Console, disks: str) -> None:
    """Open the volumes of some disks, as the text mounts them by hand."""
    for disk in disks:
        volume = f"{DISKS}{disk}-part1 truecrypt{disk.lower()}"
        live.output(f"{TYPED} | cryptsetup open --type tcrypt --disable-veracrypt {volume}", within=300)


def take_down(live: Console, disks: str) -> None:
    """Close them again."""
    for disk in disks:
        live.output(f"cryptsetup close truecrypt{disk.lower()}", within=300)


def guids(live: Console) -> list[str]:
    """Return the GUIDs of the pools that could be imported."""
    return re.findall(r"id: (\d+)", live.run("zpool import -d /dev/mapper", within=300).output)


def test_truecrypt_mirror(live: Console) -> None:
    """Created, opened, filled, exported, closed, opened, imported, damaged, repaired."""
    made = apply(live, "seed", "AB")
    assert made.status == 0, made.output
    assert live.output("ls /dev/mapper") == "control", "a volume is still open"
    bring_up(live, "AB")
    live.output("zpool import -d /dev/mapper secretpool", within=300)
    asked = "checksum,acltype,xattr,aclinherit,compression"
    values = live.output(f"zfs get -H -o value {asked} secretpool/data").split()
    # zfs calls it on since sa is what on means.
    assert values == ["sha256", "posix", "on", "passthrough", "off"]
    assert live.output("zpool get -H -o value ashift secretpool") == "9"
    assert live.output("stat --format %u:%g /secretpool/data") == "1000:1000"
    live.output("setpriv --reuid 1000 --regid 1000 --clear-groups touch /secretpool/data/mine")
    live.output("dd if=/dev/urandom of=/secretpool/data/file bs=1M count=40 conv=fsync", within=600)
    before = live.output("sha256sum /secretpool/data/file", within=300)

    live.output("zpool export secretpool", within=300)
    take_down(live, "AB")
    assert live.output("ls /dev/mapper") == "control"
    bring_up(live, "AB")
    live.output("zpool import -d /dev/mapper secretpool", within=300)
    assert live.output("sha256sum /secretpool/data/file", within=300) == before

    said = live.output("zroot drill secretpool --yes-damage secretpool", within=INSTALL)
    print(said)
    whole = re.search(r"(\d+) of (\d+) bytes are whole again", said)
    assert whole, said
    assert int(whole[1]) == int(whole[2]) > 0
    assert re.search(r"zpool: scrub repaired [1-9]", said), said
    assert re.search(r"counted [1-9]\d* checksum errors on /dev/mapper/truecryptb", said), said
    status = live.output("zpool status secretpool")
    assert "errors: No known data errors" in status
    assert not re.search(r"ONLINE +\d+ +\d+ +[1-9]", status), status
    assert live.output("zfs list -H -o name -r secretpool").split() == ["secretpool", "secretpool/data"]
    assert live.output("sha256sum /secretpool/data/file", within=300) == before


def test_truecrypt_second_pool_of_the_same_name(live: Console) -> None:
    """The name is refused while it is taken; of two pools with it, the GUID tells which is meant."""
    refused = apply(live, "other", "CD")
    assert refused.status == 2, refused.output
    assert "There is already a pool called secretpool" in refused.output
    assert "pool already exists" in live.run(f"zpool create -m none secretpool {DISKS}C").output

    mine = live.output("zpool get -H -o value guid secretpool")
    live.output("zpool export secretpool", within=300)
    take_down(live, "AB")
    made = apply(live, "other", "CD")
    assert made.status == 0, made.output
    bring_up(live, "ABCD")
    assert len(found := guids(live)) == 2, found
    assert mine in found
    both = live.run("zpool import -d /dev/mapper secretpool", within=300)
    assert both.status != 0
    assert "more than one matching pool" in both.output
    live.output(f"zpool import -d /dev/mapper -N {mine}", within=300)
    assert live.output("zpool get -H -o value guid secretpool") == mine

    # zdb and zpool are told the GUID too, or the drill would ask the wrong pool of the two.
    live.output("zroot drill secretpool --yes-damage secretpool", within=INSTALL)
    live.output("zpool export secretpool", within=300)
    take_down(live, "ABCD")


def create_tank(live: Console, vdevs: str) -> None:
    """Make a pool of whole disks on which another was.

    With the earlier pool's partitions still there, a slow machine answered "no such pool or dataset" once, and "one or
    more devices is currently unavailable". Supposed, not caught: zpool takes the links to them for those to its new
    ones, and udev makes all of them anew a moment later. So they go first.
    """
    live.output(f"for disk in {DISKS}?; do sgdisk --zap-all $disk; done && udevadm settle", within=300)
    live.output(f"zpool create -f -R /mnt tank {vdevs}", within=300)


@pytest.mark.parametrize(("kind", "disks"), [("raidz1", "ABC"), ("raidz2", "ABCD"), ("raidz3", "ABCD")])
def test_drill_repairs_a_raidz(live: Console, kind: str, disks: str) -> None:
    create_tank(live, f"{kind} {' '.join(DISKS + disk for disk in disks)}")
    said = live.output("zroot drill tank --yes-damage tank", within=INSTALL)
    assert re.search(r"([1-9]\d*) of \1 bytes are whole again", said), said
    live.output("zpool destroy tank", within=300)


@pytest.mark.parametrize(
    ("vdevs", "words"),
    [
        (f"draid1 {DISKS}A {DISKS}B {DISKS}C", "is a draid"),
        (f"{DISKS}A {DISKS}B", "has no redundancy"),
        (f"mirror {DISKS}A {DISKS}B && zpool set bootfs=tank tank", "root pool"),
    ],
    ids=["draid", "stripe", "root"],
)
def test_drill_refuses(live: Console, vdevs: str, words: str) -> None:
    create_tank(live, vdevs)
    refused = live.run("zroot drill tank --yes-damage tank", within=300)
    assert refused.status == 2, refused.output
    assert words in refused.output
    assert "No pool called other" in live.run("zroot drill other --yes-damage other", within=300).output
    live.output("zpool destroy tank", within=300)
