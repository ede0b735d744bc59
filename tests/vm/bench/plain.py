"""A plain Debian 13 to measure ours against: ext4, nothing encrypted, GRUB, initramfs-tools, on one disk, by BIOS.

Made by mmdebstrap once, laid onto the disk by our live system, and kept by what it is made from.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from shlex import quote

from installer.plan.sources import COMPONENTS
from installer.recipe.model import Firmware
from tests.vm.installs import INSTALL, PASSWORD, USER, empty
from tests.vm.places import CACHE, extracted, only_one
from tests.vm.qemu import Disk
from tests.vm.tarball import mirrors

SUITE = "trixie"
PACKAGES = (
    *("grub-pc", "initramfs-tools", "zstd", "console-setup", "locales", "systemd-sysv", "systemd-timesyncd"),
    *("openssh-server", "sudo", "dbus", "dbus-user-session", "libpam-systemd", "cron", "ifupdown"),
)
"""What Debian's own installer puts on a server, beside the packages of the priorities up to standard."""
UUID = "7a726f6f-7400-4d6e-8a11-65787434f5aa"
SERIAL = "ZROOT-VM-PLAIN"
DISK_GIB = 8

GRUB = """\
GRUB_DEFAULT=0
GRUB_TIMEOUT=3
GRUB_DISTRIBUTOR=Debian
GRUB_CMDLINE_LINUX_DEFAULT="quiet"
GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200"
GRUB_TERMINAL="console serial"
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
"""
"""As ours: the same seconds in the menu, the same consoles. Debian's own menu waits for five."""


def recipe() -> str:
    """Return the shell script that lays the tarball on /dev/vdb onto the disk /dev/vda."""
    files = {
        "/etc/default/grub": GRUB,
        "/etc/fstab": f"UUID={UUID} / ext4 errors=remount-ro 0 1\n",
        "/etc/hostname": "debian\n",
        "/etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\tdebian\n",
        "/etc/network/interfaces": "source /etc/network/interfaces.d/*\n\nauto lo\niface lo inet loopback\n",
        "/etc/default/locale": "LANG=en_US.UTF-8\n",
        "/etc/locale.gen": "en_US.UTF-8 UTF-8\n",
    }
    lines = [
        "set -e",
        "sgdisk --new=1:0:+1M --typecode=1:ef02 --new=2:0:0 --typecode=2:8300 /dev/vda",
        "udevadm settle",
        f"mkfs.ext4 -q -U {UUID} /dev/vda2",
        "mount /dev/vda2 /mnt",
        "tar --extract --numeric-owner --xattrs --xattrs-include='*' --file=/dev/vdb --directory=/mnt",
        *(f"printf %s {quote(content)} > /mnt{path}" for path, content in files.items()),
        "for at in dev proc sys; do mount --bind /$at /mnt/$at; done",
        "chroot /mnt locale-gen",
        "chroot /mnt systemd-machine-id-setup",
        "chroot /mnt ssh-keygen -A",
        f"chroot /mnt useradd --create-home --shell /bin/bash --groups adm,sudo {USER}",
        f"printf %s {quote(f'{USER}:{PASSWORD}')} | chroot /mnt chpasswd",
        "chroot /mnt update-grub",
        "chroot /mnt grub-install --target=i386-pc /dev/vda",
        "umount /mnt/dev /mnt/proc /mnt/sys /mnt",
    ]
    return "\n".join(lines) + "\n"


def options(kernel: str) -> list[str]:
    """Return mmdebstrap's arguments, without where it writes and reads."""
    packages = [f"linux-image-{kernel}", *PACKAGES]
    return [
        *("--mode=root", "--variant=standard", "--format=tar", f"--components={COMPONENTS.replace(' ', ',')}"),
        '--aptopt=APT::Install-Recommends "false"',
        f"--include={','.join(packages)}",
        SUITE,
    ]


def release(iso: Path) -> str:
    """Return the release of the ISO's kernel, by which its package is called."""
    image = extracted(iso, "live/vmlinuz").read_bytes()
    at = int.from_bytes(image[0x20E:0x210], "little") + 0x200  # kernel_version of the x86 boot protocol
    return image[at : image.index(b" ", at)].decode()


def installed(iso: Path) -> Disk:
    """Return a disk with the plain Debian on it; made now (as root for mmdebstrap, minutes) or before."""
    argv = options(release(iso))
    key = hashlib.sha256(json.dumps([argv, recipe(), DISK_GIB]).encode()).hexdigest()[:16]
    folder = CACHE / f"plain-{key}"
    with only_one("plain"):
        if not folder.exists():
            for older in CACHE.glob("plain-*/"):
                shutil.rmtree(older)
            unfinished = CACHE / "making-plain"
            _make(unfinished, iso, argv)
            unfinished.rename(folder)
    return Disk(image=folder / "a.qcow2", slot=0, serial=SERIAL)


def _make(folder: Path, iso: Path, argv: list[str]) -> None:
    machine = empty(folder, iso=iso, firmware=Firmware.BIOS, serials={"a": SERIAL})
    tarball = folder / "debian.img"
    _debootstrap(tarball, argv)
    script = folder / "script.img"
    script.write_bytes(recipe().encode().ljust(64 * 1024, b"\n"))
    live = machine.live("install")
    live.disks = [*live.disks, Disk(image=tarball, slot=1), Disk(image=script, slot=2)]
    with live:
        live.console.live_shell(within=INSTALL)
        live.console.output("sh < /dev/vdc > /tmp/log 2>&1 || { tail /tmp/log; false; }", within=INSTALL)
        live.power_off()
    tarball.unlink()


def _debootstrap(tarball: Path, argv: list[str]) -> None:
    debian, security = mirrors()
    lines = [
        f"deb {debian} {SUITE} {COMPONENTS}",
        f"deb {debian} {SUITE}-updates {COMPONENTS}",
        f"deb {security} {SUITE}-security {COMPONENTS}",
    ]
    root = [] if os.geteuid() == 0 else ["sudo"]
    gently = [*root, "unshare", "--mount", "nice", "-n", "15"]
    subprocess.run([*gently, "mmdebstrap", *argv, str(tarball), *lines], check=True)
    with tarball.open("ab") as image:  # a disk has whole sectors
        image.truncate(-(-image.tell() // 4096) * 4096)
