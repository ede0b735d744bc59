"""Systems that are not a copy of the live one: from a tarball, from a mirror."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from installer.plan import sources
from installer.plan.operation import Plan, Source
from installer.recipe.write import rebind
from tests.unit.plans import MIRROR, RECIPES, argv, commands, machine, operation, plan, position, recipe, refusal

ISO = Path(__file__).parents[2] / "iso"
SUM = "5" * 64
NAMED = {"os_mirror": "http://deb.example.org/debian", "security_mirror": "http://deb.example.org/debian-security"}


def from_tarball(tarball: str, more: str = "", **facts: str) -> Plan:
    return plan(recipe(f'{MIRROR}\n[system]\nsource = "tarball"\ntarball = "{tarball}"\n{more}'), machine(**facts))


def from_mirror(more: str = "", **facts: str) -> Plan:
    return plan(recipe(f'{MIRROR}\n[system]\nsource = "debootstrap"\n{more}'), machine(**(NAMED | facts)))


def test_tarball_lies_on_the_volume_in_a_folder_or_at_an_address() -> None:
    volume = from_tarball("debian.tar.zst")
    assert argv(volume, "system/mount/volume")[-2:] == ("/dev/disk/by-label/ZROOT", "/run/zroot/tarball")
    assert "--file=/run/zroot/tarball/debian.tar.zst" in argv(volume, "system/unpack/tarball")
    assert position(volume, "system/unmount/volume") == position(volume, "system/unpack/tarball") + 1
    folder = from_tarball("/media/stick/debian.tar.xz")
    assert "--file=/media/stick/debian.tar.xz" in argv(folder, "system/unpack/tarball")
    address = from_tarball("https://files.example.org/debian.tar.gz", f'sha256 = "{SUM}"')
    assert argv(address, "system/download/tarball")[-2:] == (
        "/mnt/zroot/.zroot-debian.tar.gz",
        "https://files.example.org/debian.tar.gz",
    )
    assert commands(address, "system/unpack/tarball")[-1].argv == ("rm", "/mnt/zroot/.zroot-debian.tar.gz")


def test_sum_is_checked_right_before_the_tarball_is_unpacked() -> None:
    first, second, *_ = commands(from_tarball("debian.tar.zst", f'sha256 = "{SUM}"'), "system/unpack/tarball")
    assert (first.argv[0], first.stdin) == ("sha256sum", f"{SUM}  /run/zroot/tarball/debian.tar.zst\n")
    assert second.argv[0] == "tar"


def test_what_must_be_there_is_named_to_be_looked_at_before_the_first_write() -> None:
    """fault 64"""
    assert from_tarball("debian.tar.zst", f'sha256 = "{SUM}"').sources == (Source(place="debian.tar.zst", sha256=SUM),)
    assert from_mirror().sources == (Source(place="http://deb.example.org/debian/dists/trixie/InRelease"),)
    assert plan(recipe(MIRROR), machine()).sources == ()


def test_without_a_mirror_there_is_nothing_to_install_from() -> None:
    assert "no Debian mirror is known" in refusal(
        recipe(f'{MIRROR}\n[system]\nsource = "debootstrap"\n'), machine(os_mirror="http://deb.example.org/debian")
    )
    own = from_mirror('mirror = "http://own.example.org/debian"', os_mirror="", security_mirror="")
    (bootstrap,) = [one for one in commands(own, "system/debootstrap") if "mmdebstrap" in one.argv]
    security = "deb http://own.example.org/debian-security trixie-security main contrib non-free-firmware"
    assert bootstrap.argv[-1] == security


def test_what_mmdebstrap_does_to_mounts_stays_with_it() -> None:
    """It makes them private; the services of the live system would keep the target mounted, and the pool busy."""
    (bootstrap,) = [one for one in commands(from_mirror(), "system/debootstrap") if "mmdebstrap" in one.argv]
    assert bootstrap.argv[:4] == ("unshare", "--mount", "--", "mmdebstrap")
    assert bootstrap.programs == ("unshare", "mmdebstrap")  # missing ones are named before the first write


def test_an_older_release_has_what_became_packages_later_in_other_packages() -> None:
    def included(made: Plan) -> set[str]:
        (words,) = [word for word in commands(made, "system/debootstrap")[1].argv if word.startswith("--include=")]
        return set(words.removeprefix("--include=").split(","))

    assert included(from_mirror()) - included(from_mirror('suite = "bookworm"')) == {"systemd-cryptsetup"}


@pytest.mark.parametrize("made", [from_tarball("debian.tar.zst"), from_mirror()], ids=["tarball", "mirror"])
def test_a_foreign_system_gets_the_family_files_is_checked_and_builds_its_own_initramfs(made: Plan) -> None:
    """fault 69"""
    order = ["mount/run", "family/files", "family/check", "family/services", "write/hostid"]
    places = [position(made, f"system/{name}") for name in order]
    assert places == sorted(places)
    check = commands(made, "system/family/check")[0]
    assert check.argv[-4:] == ("/usr/lib/zroot/family", "check", "trixie", "off")
    assert "zfs-dracut /usr/lib/dracut/modules.d/*zfs/module-setup.sh\n" in (check.stdin or "")
    assert argv(made, "boot/initramfs/build")[-2:] == ("/usr/lib/zroot/family", "initramfs")
    assert position(made, "system/write/etc/crypttab") < position(made, "boot/initramfs/build")
    assert position(made, "boot/initramfs/build") < position(made, "boot/grub/menu")
    assert operation(made, "system/locale/generate")
    assert operation(made, "system/keyboard/compile")


def test_the_image_builds_nothing() -> None:
    ids = [one.id for one in plan(recipe(MIRROR), machine()).operations]
    assert not [one for one in ids if "family" in one or "locale/generate" in one or one == "boot/initramfs/build"]


def test_the_pool_s_feature_set_is_told_to_who_can_check_it() -> None:
    body = MIRROR.replace(
        "[[pool.rpool.dataset]]",
        '[pool.rpool.properties]\ncompatibility = "openzfs-2.1-linux"\n\n[[pool.rpool.dataset]]',
    )
    made = plan(recipe(f'{body}\n[system]\nsource = "tarball"\ntarball = "d.tar"\n'), machine())
    assert argv(made, "system/family/check")[-1] == "openzfs-2.1-linux"


def test_a_system_from_a_mirror_has_no_package_that_the_image_has_not() -> None:
    words = [line.split("#")[0].strip() for line in (ISO / "packages.list").read_text().splitlines()]
    transitive = {"systemd-sysv", "zstd"}
    assert {package for package, _ in sources.NEEDS} <= {*words, *transitive}


def test_the_shipped_recipe_names_every_package_that_its_tarball_must_have() -> None:
    text = (RECIPES / "debian-from-tarball.toml").read_text()
    named = set(re.split(r"[\s,=]+", text))
    assert {package for package, path in sources.NEEDS if path} <= named


@pytest.mark.skipif(not shutil.which("tar"), reason="tar is missing")
def test_what_belongs_to_the_machine_that_made_the_tarball_stays_out(tmp_path: Path) -> None:
    names = ["etc/hostid", "etc/ssh/ssh_host_rsa_key", "etc/ssh/sshd_config", "dev/null", "usr/share/doc/etc/hostid"]
    for top in ("./", ""):
        archive, target = tmp_path / "a:b.tar.gz", tmp_path / f"target{len(top)}"
        with tarfile.open(archive, "w:gz") as tar:
            for name in names:
                tar.addfile(tarfile.TarInfo(top + name))
        target.mkdir()
        (unpack,) = [
            one for one in commands(from_tarball(str(archive)), "system/unpack/tarball") if one.argv[0] == "tar"
        ]
        words = [word.replace("/mnt/zroot", str(target)) for word in unpack.argv if not word.startswith("--xattrs")]
        subprocess.run(words, input=unpack.stdin, text=True, check=True)
        found = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
        assert found == {"etc/ssh/sshd_config", "usr/share/doc/etc/hostid"}


def family(folder: Path, *words: str, stdin: str, zfs: str, made: str = "2.3.9-1") -> str:
    """Run `family` with the files of a folder in place of the system's, and return what it complains of."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "zpool").write_text(f"#!/bin/sh\nprintf 'zfs-{zfs}\\nzfs-kmod-{made}\\n'\n")
    (programs / "zpool").chmod(0o755)
    text = (ISO / "target/usr/lib/zroot/family").read_text()
    for path in ("/etc/os-release", "/sys/module/zfs/version", "/usr/share/zfs"):
        text = text.replace(path, f"{folder}{path}")
        (folder / path[1:]).parent.mkdir(parents=True, exist_ok=True)
    (folder / "etc/os-release").write_text("VERSION_CODENAME=bookworm\n")
    (folder / "sys/module/zfs/version").parent.mkdir(parents=True, exist_ok=True)
    (folder / "sys/module/zfs/version").write_text(made + "\n")
    (folder / "usr/share/zfs/compatibility.d").mkdir(parents=True, exist_ok=True)
    (folder / "usr/share/zfs/compatibility.d/openzfs-2.1-linux").touch()
    done = subprocess.run(
        ["sh", "-c", text, "family", *words],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
    )
    assert (done.returncode == 0) is (done.stderr == "")
    return done.stderr


def test_all_that_a_system_lacks_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz-6.1").touch()
    needs = f"linux-image-amd64 {tmp_path}/vmlinuz-*\ndracut {tmp_path}/dracut\nmdadm {tmp_path}/mdadm\n"
    words = family(tmp_path, "check", "bookworm", "openzfs-2.1-linux", stdin=needs, zfs="2.1.11-1")
    assert [line.split(" is missing")[0] for line in words.splitlines()] == ["zroot: dracut", "zroot: mdadm"]


@pytest.mark.parametrize(
    ("suite", "compatibility", "zfs", "complaint"),
    [
        ("bookworm", "openzfs-2.1-linux", "2.1.11-1+deb12u1", ""),
        ("bookworm", "off", "2.3.9-1", ""),
        ("bookworm", "off", "2.4.0-1", ""),
        ("bookworm", "off", "2.1.11-1", 'say compatibility = "openzfs-2.1-linux"'),
        ("bookworm", "openzfs-2.2-linux", "2.1.11-1", 'knows no compatibility = "openzfs-2.2-linux"'),
        ("trixie", "off", "2.3.9-1", "this is bookworm"),
    ],
)
def test_a_system_that_could_not_import_its_pool_is_refused(
    tmp_path: Path, suite: str, compatibility: str, zfs: str, complaint: str
) -> None:
    words = family(tmp_path, "check", suite, compatibility, stdin="", zfs=zfs)
    assert complaint in words
    assert bool(complaint) is bool(words)


INITRAMFS = ("zfs.ko", "usr/lib/zroot/zroot-root", "etc/hostid", "etc/zroot/members")


@pytest.mark.parametrize(
    ("module", "dracut", "holds", "complaint"),
    [
        ("true", "true", INITRAMFS, ""),
        ("false", "true", INITRAMFS, "there is no ZFS module for the kernel 6.12"),
        ("true", "false", INITRAMFS, "dracut failed for the kernel 6.12"),
        *(
            ("true", "true", [w for w in INITRAMFS if w != word], f"initrd.img-6.12 has no {word}")
            for word in INITRAMFS
        ),
    ],
)
def test_an_initramfs_that_could_not_open_the_root_stops_the_installation(
    tmp_path: Path, module: str, dracut: str, holds: Sequence[str], complaint: str
) -> None:
    """fault 69: a failed step, long before anybody restarts."""
    (tmp_path / "boot").mkdir()
    for kernel in ("6.1", "6.12"):
        (tmp_path / f"boot/vmlinuz-{kernel}").touch()
    # 6.1 is whole: each kernel is looked at by itself.
    programs = {
        "modinfo": f'[ "$2" = 6.1 ] || {module}',
        "dracut": f'[ "$4" = 6.1 ] || {dracut}',
        "lsinitrd": f"case $1 in *6.1) echo {' '.join(INITRAMFS)} ;; *) echo {' '.join(holds)} ;; esac",
    }
    (tmp_path / "bin").mkdir()
    for name, body in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    text = (ISO / "target/usr/lib/zroot/family").read_text()
    for path in ("/boot/", "/run/"):
        text = text.replace(path, f"{tmp_path}{path}")
    (tmp_path / "run").mkdir()
    done = subprocess.run(
        ["sh", "-c", text, "family", "initramfs"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
    )
    assert done.returncode == bool(complaint)
    assert complaint in done.stderr
    assert "6.1 " not in done.stderr
    made = from_mirror()
    step = operation(made, "boot/initramfs/build")
    assert not step.optional
    assert all(position(made, step.id) < position(made, one.id) for one in made.operations if "grub" in one.id)


def test_family_may_be_run() -> None:
    assert stat.S_IMODE((ISO / "target/usr/lib/zroot/family").stat().st_mode) == 0o755


def test_a_foreign_system_that_systemd_boot_starts_has_its_program() -> None:
    text = (RECIPES / "debian-luks-mirror-systemd-boot.toml").read_text().replace('"live"', '"debootstrap"')
    made = plan(rebind(text, {"a": "SA", "b": "SB"}), machine(**NAMED))
    (words,) = [word for word in commands(made, "system/debootstrap")[1].argv if word.startswith("--include=")]
    assert "systemd-boot-efi" in words.split(",")
    assert "systemd-boot-efi /usr/lib/systemd/boot/efi/" in (commands(made, "system/family/check")[0].stdin or "")
    assert "systemd-boot-efi" not in (commands(from_mirror(), "system/family/check")[0].stdin or "")
