"""The root goes back to one state at every start: what stays, what goes, a new kernel committed, and the escape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import tomlkit

from installer.recipe.model import Firmware
from tests.vm import guest, installs
from tests.vm.installs import SECRETS, SERIALS, Copy, empty, prepared, quick
from tests.vm.places import RESULTS, ROOT
from tests.vm.serial import Console
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]

RECIPE = ROOT / "recipes/debian-impermanent.toml"
NEXT_ENTRY = "\x0e"
"""Control and n: one entry down in GRUB's menu."""

IDENTITY = "cat /etc/machine-id; hostid; sha256sum /etc/ssh/ssh_host_*_key"
PLACES = "/canary /etc/canary /persist/canary /home/canary /var/log/canary /usr/local/canary"
STATE = {
    "how": "cat /run/zroot-persist",
    "state": "systemctl is-system-running --wait",
    "failed": "systemctl --failed --no-legend --plain",
    "snapshots": "zfs list -H -t snapshot -o name rpool/local/root",
    "canaries": f"ls -d1 {PLACES} 2> /dev/null",
    "identity": IDENTITY,
    "kept": "findmnt --noheadings --output SOURCE /etc/ssh",
    "kernel": "grep -o 'BOOT_IMAGE=[^ ]*' /proc/cmdline",
    "modules": "ls /usr/lib/modules",
    "anna": "id -un 4711; grep -c '^anna:[$]' /etc/shadow",
}
CANARIES = f"touch {PLACES}"
STAY = "/home/canary\n/persist/canary\n/usr/local/canary\n/var/log/canary"

# Another kernel without a network: the same one under another version. It loads the modules of the version that it was
# built as, so those stay, also in its initramfs; what is looked at is which file GRUB starts, and whether the modules
# beside it are there.
VERSION = "6.99.1-test-amd64"
MODULES = f"cp -a /usr/lib/modules/$(uname -r) /usr/lib/modules/{VERSION} && depmod {VERSION}"
FILES = f"for file in vmlinuz initrd.img; do cp /boot/$file-$(uname -r) /boot/$file-{VERSION}; done"
HOOKS = (
    "for hook in zz-update-grub zz-zroot-boot zz-zroot-persist; do"
    f" /etc/kernel/postinst.d/$hook {VERSION} /boot/vmlinuz-{VERSION}; done"
)

REFUSED = (
    # A package that was unpacked and not configured.
    "sed -i '0,/install ok installed/s//install ok unpacked/' /var/lib/dpkg/status;"
    " zroot-commit && echo committed; true",
    # The one other kernel that the blank state could start with is gone.
    f"rm /boot/vmlinuz-$(uname -r); /etc/kernel/prerm.d/00-zroot-persist {VERSION}; true",
)


@dataclass
class Impermanent:
    """An installed machine and how often it was started."""

    disks: Copy
    boots: list[str] = field(default_factory=list)

    def boot(self, what: str, *commands: str, escape: bool = False) -> tuple[Mapping[str, str], list[str]]:
        """Start it, look at its state, run commands, switch it off; return the state and what the commands said."""
        with self.disks.machine(f"{len(self.boots)}-{what}") as machine:
            self.boots.append(what)
            if escape:
                choose_escape(machine.console)
            guest.unlock(machine)
            guest.log_in(machine)
            found = guest.ask(machine, STATE)
            said = [machine.console.output(command, within=1800) for command in commands]
            machine.power_off()
        return found, said


def choose_escape(console: Console) -> None:
    """Choose the third entry: the first one rolls back, the second one is a submenu."""
    console.wait_for("keeping what changed", within=guest.TO_PROMPT)
    console.send(NEXT_ENTRY)
    console.send(NEXT_ENTRY)
    console.send("\r")


def change(recipe: tomlkit.TOMLDocument) -> None:
    """Leave time to choose an entry; an emulated machine is slow."""
    quick(recipe)
    recipe["boot"]["timeout"] = 20


@pytest.fixture(scope="module")
def machine(iso: Path) -> Impermanent:
    serials = {"a": SERIALS["a"]}
    disks = empty(RESULTS / "impermanence", iso=iso, firmware=Firmware.BIOS, serials=serials)
    text = prepared(RECIPE.read_text(), change=change, serials=serials)
    installs.replay(disks, Volume.make(disks.folder / "volume.img", installs.files(text, SECRETS)))
    return Impermanent(disks)


def assert_up(found: Mapping[str, str], *, how: str = "blank") -> None:
    assert found["how"] == how
    assert found["failed"] == ""
    assert found["state"] == "running"
    assert found["snapshots"].splitlines() == ["rpool/local/root@install", "rpool/local/root@blank"]
    assert found["kept"] == "rpool/safe/persist[/etc/ssh]"


def test_impermanence(machine: Impermanent) -> None:
    """One story: each start shows what the one before it left."""
    first, _ = machine.boot(
        "fresh", CANARIES, "useradd --create-home --uid 4711 anna", "echo anna:a-password-of-hers | chpasswd", "sleep 8"
    )
    assert_up(first)
    assert first["canaries"] == ""

    second, said = machine.boot("rolled-back", MODULES, FILES, HOOKS)
    assert_up(second)
    assert second["canaries"] == STAY
    assert second["anna"].split() == ["anna", "1"]
    assert second["identity"] == first["identity"]
    assert "sudo zroot-commit" in said[2]

    third, said = machine.boot("kernel-not-committed", f"ls /boot/vmlinuz-{VERSION}", MODULES, "zroot-commit")
    assert_up(third)
    assert VERSION not in third["kernel"], "it has no modules any more"
    assert VERSION not in third["modules"]
    assert VERSION in said[2]

    for turn in ("once", "twice"):
        later, _ = machine.boot(f"committed-{turn}", "touch /canary")
        assert_up(later)
        assert VERSION in later["kernel"]
        assert VERSION in later["modules"]
        assert later["canaries"] == STAY
        assert later["identity"] == first["identity"]

    escaped, said = machine.boot("escape", *REFUSED, escape=True)
    assert_up(escaped, how="kept")
    assert escaped["canaries"].splitlines()[0] == "/canary"
    assert escaped["anna"].split() == ["anna", "1"]
    assert "half installed" in said[0]
    assert "committed" not in said[0].splitlines()
    assert "only kernel" in said[1]
