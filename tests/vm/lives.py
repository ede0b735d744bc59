"""The two machines of `make test`: the shipped recipe, installed by BIOS and by UEFI, and what happens to each.

By BIOS it is changed and loses its power; by UEFI it stays as it was made. Each then runs without either disk.
"""

from __future__ import annotations

import re
import shlex
import time

from installer.recipe.model import Firmware
from tests.vm import guest
from tests.vm.guest import HEALTH, IDENTITY, PACKAGES, Act
from tests.vm.installs import PASSPHRASE, PASSWORD, USER
from tests.vm.life import Start, appears, plug
from tests.vm.qemu import Machine

DISK = "/dev/disk/by-id/virtio-ZROOT-VM-"
INITRD = "/boot/initrd.img-$(uname -r)"
OWN_AT = 256
"""MiB on the scratch disk at which the initramfs of the system's own dracut begins; the installer's begins at 0."""
EMERGENCY = "rd.systemd.unit=emergency.target"
NO_SHELL = "Cannot open access to console"
REASON = "this passphrase does not open it"
OFFER = "r and Enter reboots"
UNLOCK = 300.0
"""Seconds for every member to be tried."""
MAIL = "/var/mail/root"


def kept(offset: int) -> str:
    """Copy the initramfs to the scratch disk, where it can be read from outside; its size is the answer."""
    copy = f"dd if={INITRD} of={DISK}SCRATCH bs=1M seek={offset} conv=fsync status=none"
    return f"{copy} && stat --format=%s {INITRD}"


def ssh(user: str) -> str:
    """Log in over ssh with the password of the user; root is given the same one for as long as that takes."""
    options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o NumberOfPasswordPrompts=1"
    return (
        f"printf %s {shlex.quote(PASSWORD)} > /run/password; cp -p /etc/shadow /run/shadow;"
        f" printf 'root:%s\\n' \"$(cat /run/password)\" | chpasswd;"
        " printf '#!/bin/sh\\ncat /run/password\\n' > /run/answer; chmod 755 /run/answer; chmod 644 /run/password;"
        f" SSH_ASKPASS=/run/answer SSH_ASKPASS_REQUIRE=force ssh {options} {user}@localhost id -un 2> /dev/null;"
        ' echo "status $?"; cp -p /run/shadow /etc/shadow; rm /run/shadow /run/password /run/answer'
    )


def given_back(machine: Machine) -> str:
    """Write a file, remove it, and return the MiB that the images of the disks shrank by."""

    def allocated() -> int:
        return sum(disk.image.stat().st_blocks for disk in machine.disks) * 512 // 1024**2

    machine.console.output("dd if=/dev/urandom of=/home/big bs=1M count=128 conv=fsync status=none; zpool sync")
    full = allocated()
    machine.console.output("rm /home/big; zpool sync; zpool trim -w rpool", within=600)
    return str(full - allocated())


def mailed(machine: Machine) -> str:
    """Make trouble that zed, and trouble that mdadm reports; wait for both mails and return their subjects."""
    console = machine.console
    console.output("mdadm --monitor --scan --oneshot --test", within=300)
    console.output("zpool offline -f rpool pool-b", within=300)
    for word in ("TestMessage event on /dev/md", "ZFS device fault for pool"):
        console.output(f"timeout 300 sh -c 'until grep -q \"^Subject: .*{word}\" {MAIL}; do sleep 1; done'", within=400)
    console.output("zpool clear rpool && zpool wait -t resilver rpool", within=600)
    return console.output(f"grep ^Subject: {MAIL}; zpool list -H -o health rpool")


UPDATE = (
    # Cores that an update does not reach are gone, and the machine would not start again.
    f"for part in {DISK}A-part1 {DISK}B-part1; do dd if=/dev/zero of=$part bs=64k conv=fsync 2> /dev/null; done;"
    " for file in /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed /usr/lib/shim/shimx64.efi.signed; do"
    " printf x >> $file; done;"
    " for name in grub-pc-bin shim-signed; do"
    ' sed -i "/^Package: $name\\$/,/^\\$/s/^Version: .*/&+next/" /var/lib/dpkg/status; done;'
    " mkdir -p /run/next/DEBIAN; printf 'Package: next\\nVersion: 1\\nArchitecture: all\\n"
    "Maintainer: nobody\\nDescription: an update\\n' > /run/next/DEBIAN/control;"
    " dpkg-deb --build /run/next /run/next.deb > /dev/null;"
    " apt-get --yes --quiet install /run/next.deb > /dev/null 2>&1;"
    f" for part in {DISK}A-part1 {DISK}B-part1; do"
    " [ $(head --bytes=32768 $part | tr --delete '\\0' | wc --bytes) -gt 16384 ] && echo core; done;"
    f" for part in {DISK}A-part2 {DISK}B-part2; do mount -o ro $part /mnt;"
    " cmp /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed /mnt/EFI/debian/grubx64.efi && echo grub;"
    " cmp /usr/lib/shim/shimx64.efi.signed /mnt/EFI/BOOT/BOOTX64.EFI && echo shim; umount /mnt; done"
)
"""What apt runs after an update of GRUB and shim, which is none: versions and files change, the code does not."""

POOL = f"zpool create tank {DISK}TANK && echo kept > /tank/file && zpool list -H -o health tank"
# LVM writes past the cache and does not ask the disk to keep it: without the last word a power cut takes it all away.
LVM = (
    f"pvcreate --yes {DISK}LVM && vgcreate stay {DISK}LVM && lvcreate --yes --size 64M --name here stay"
    f" && sync {DISK}LVM"
)
REBUILD = "dracut --force --kver $(uname -r) > /run/dracut.log 2>&1; echo status $?"
WORK = "echo kept > /home/kept; sync; (dd if=/dev/urandom of=/home/cut bs=1M count=4000 & sleep 2); ls /home/cut"

AWAY = "echo new > /boot/changed; sed -i 's/ quiet/ quiet zroot.changed/' /boot/grub/grub.cfg; sync; cat /boot/changed"
WRITE = "dd if=/dev/urandom of=/home/new bs=1M count=32 status=none; sync; sha256sum /home/new"


def mended(machine: Machine) -> str:
    """Run the command that the login text offers, if the array is not whole by itself; wait until all is in step."""
    offer = re.search(r"with: sudo (mdadm --manage \S+ --re-add \S+)", machine.console.text())
    if "[UU]" not in machine.console.output("cat /proc/mdstat"):
        assert offer, "the array is not complete and no command that mends it was printed at login"
        machine.console.output(offer[1])
    return machine.console.output(
        "udevadm settle; mdadm --wait /dev/md/boot || true; zpool wait -t resilver rpool; zpool status rpool",
        within=900,
    )


def emergency_shell(machine: Machine) -> str:
    """Go to emergency mode and return who one is there."""
    machine.console.line("systemctl emergency")
    machine.console.wait_for("You are in emergency mode", within=300)
    machine.console.wait_for("Press Enter for system maintenance", "to continue): ", within=60)
    machine.console.secret("")
    machine.console.wait_for("# ", within=120)
    machine.console.line("id -un; hostname")
    return machine.console.wait_for(re.compile(r"\nroot\n"), within=60).strip()


def no_shell(machine: Machine) -> None:
    """Wait for the emergency mode of the initramfs, and try to do something there."""
    machine.console.wait_for("Entering emergency mode", within=guest.TO_PROMPT)
    machine.console.wait_for(NO_SHELL, within=60)
    for _ in range(3):
        machine.console.line("id -un")
        machine.console.drain(2)


def late_after_wrong_ones(machine: Machine) -> None:
    """Type three wrong passphrases, decline to reboot, and have disk b appear while the fourth is waited for."""
    console = machine.console
    for _ in range(3):
        guest.unlock(machine, "not the passphrase")
        console.wait_for(REASON, within=UNLOCK)
    console.wait_for(OFFER, within=60)
    console.secret("")
    console.wait_for(guest.PROMPT, within=60)
    plug(machine, "b")
    time.sleep(5)  # nothing tells the outside when udev has seen it
    console.secret(PASSPHRASE)
    guest.log_in(machine)


HEALED: dict[str, Act] = {f"healed {name}": question for name, question in HEALTH.items()}
BOTH_AGAIN: dict[str, Act] = {
    **HEALTH,
    "arguments": "cat /proc/cmdline",
    "changed": "cat /boot/changed",
    "mended": mended,
    **HEALED,
    "new": "sha256sum /home/new",
    # Each half of /boot read, and compared by md itself.
    "unequal": "md=/sys/class/block/$(basename $(realpath /dev/md/boot))/md; echo check > $md/sync_action;"
    " mdadm --wait /dev/md/boot; cat $md/mismatch_cnt",
    "text": "run-parts /etc/update-motd.d | tail -n +2",
    "text after clear": "zpool clear rpool; run-parts /etc/update-motd.d | tail -n +2",
}

STARTS = {
    Firmware.BIOS: {
        "healthy": Start(
            acts={
                **HEALTH,
                **IDENTITY,
                "fresh": kept(0),
                "ssh user": ssh(USER),
                "ssh root": ssh("root"),
                "given back": given_back,
                "tank": POOL,
                "lvm": LVM,
                "mails": mailed,
                "update": UPDATE,
                "rebuilt": REBUILD,
                "own": kept(OWN_AT),
                "work": WORK,
            },
            extra=("tank", "lvm", "scratch"),
            cut=True,
        ),
        "after the cut": Start(
            acts={
                **HEALTH,
                "tank": "zpool list -H -o health tank; cat /tank/file /home/kept",
                "checks": "journalctl --quiet --boot --output=cat --unit='systemd-fsck*'; true",
            },
            late=("b",),
            meet=appears("b", after=10),
            extra=("tank", "lvm", "scratch"),
        ),
        "without a": Start(acts={**HEALTH, "write": WRITE, "away": AWAY}, without=("a",)),
        "both again": Start(
            acts={
                **BOTH_AGAIN,
                "next": f"sed -i 's/ quiet/ quiet {EMERGENCY}/' /boot/grub/grub.cfg; sync; echo done",
            }
        ),
        "emergency": Start(meet=no_shell, cut=True),
        "without b": Start(acts={**HEALTH, "shell": emergency_shell}, without=("b",), fresh=True, cut=True),
    },
    Firmware.UEFI: {
        # With two processors, as most machines have: all others here have one.
        "healthy": Start(acts={**HEALTH, **IDENTITY, **PACKAGES}, processors=2),
        "without a": Start(acts={**HEALTH, "write": WRITE, "away": AWAY}, without=("a",), new_nvram=True),
        "both again": Start(acts=BOTH_AGAIN, new_nvram=True),
        "without b": Start(acts=HEALTH, without=("b",), fresh=True, cut=True),
        "late": Start(acts=HEALTH, late=("b",), meet=late_after_wrong_ones, fresh=True, cut=True),
    },
}
