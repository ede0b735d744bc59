"""What one asks an installed system, and what it answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests import times
from tests.vm.installs import PASSPHRASE, PASSWORD, USER
from tests.vm.qemu import Machine

Act = str | Callable[[Machine], str]
"""A command for the shell of a logged-in machine, or what does more than that; the output is the answer."""

PROMPT = "Passphrase for "
TO_PROMPT = 300.0
TO_LOGIN = 600.0
ANSWER = 1200.0
"""Seconds, several times what an emulator on two cores needs."""

LONG = 8.0
"""Seconds from which on a question has a line of its own in the table of times."""

HEALTH = {
    "pool": "zpool list -H -o health rpool",
    "status": "zpool status rpool",
    "root": "findmnt --noheadings --output SOURCE /",
    "boot": "findmnt --noheadings --output SOURCE,FSTYPE /boot",
    "arrays": "cat /proc/mdstat",
    # --wait: until the boot is over. Its status is not 0 when anything is wrong, which the answer says already.
    "state": "systemctl is-system-running --wait",
    "failed": "systemctl --failed --no-legend --plain",
    # What waited in vain for a device, 90 seconds or more, in the initramfs too. Its status is not 0 when nothing did.
    "waited": "journalctl --quiet --boot --output=cat --grep='Timed out waiting for device|dracut-initqueue.*timeout'",
}

IDENTITY = {
    "hostid": "hostid",
    "machine id": "cat /etc/machine-id",
    "ssh host keys": "cat /etc/ssh/ssh_host_*_key.pub | cut -d ' ' -f 2",
    "LUKS UUIDs": "blkid --match-token TYPE=crypto_LUKS --match-tag UUID --output value",
    "FAT serials": "blkid --match-token TYPE=vfat --match-tag UUID --output value",
    "ext4 UUID": "blkid --match-token TYPE=ext4 --match-tag UUID --output value",
    "array UUID": "mdadm --detail --scan | grep -o 'UUID=.*'",
    "pool GUID": "zpool get -H -o value guid rpool",
    "disk GUIDs": "lsblk --nodeps --noheadings --output PTUUID /dev/vda /dev/vdb",
    "partition GUIDs": "lsblk --noheadings --output PARTUUID /dev/vda /dev/vdb | grep .",
}


PACKAGES = {"packages": "dpkg --verify"}
"""Reads every file of the system."""


@dataclass(frozen=True)
class Findings:
    """A boot as it was seen from outside, and the answers to the questions asked after login."""

    console: str
    """Everything until the questions began."""
    answers: Mapping[str, str]

    def __getitem__(self, question: str) -> str:
        return self.answers[question]

    @property
    def login_text(self) -> str:
        """What was printed between the password and the shell, the kernel's and Debian's own words left out."""
        text = self.console.rpartition("\nPassword: ")[2].partition("The programs included with")[0]
        return "\n".join(line for line in text.splitlines() if not line.startswith("Linux ")).strip()

    @property
    def prompts(self) -> int:
        """How often the passphrase was asked for."""
        return self.console.count(PROMPT)


def unlock(machine: Machine, passphrase: str = PASSPHRASE) -> None:
    """Type the passphrase at the prompt."""
    machine.console.wait_for(PROMPT, within=TO_PROMPT)
    machine.console.secret(passphrase)


def log_in(machine: Machine) -> None:
    """Log in and become root."""
    machine.console.log_in(USER, PASSWORD, within=TO_LOGIN)


def enter(machine: Machine) -> None:
    """Unlock, log in and become root."""
    with times.timed("act", f"{machine.name}: to the prompt"):
        machine.console.wait_for(PROMPT, within=TO_PROMPT)
    with times.timed("act", f"{machine.name}: to the login"):
        machine.console.secret(PASSPHRASE)
        log_in(machine)


def ask(machine: Machine, questions: Mapping[str, Act]) -> dict[str, str]:
    """Return the answers of the logged-in machine."""
    return {name: _answer(machine, name, act) for name, act in questions.items()}


def _answer(machine: Machine, name: str, act: Act) -> str:
    with times.timed("act", f"{machine.name}: {name}", at_least=LONG):
        return machine.console.run(act, within=ANSWER).output if isinstance(act, str) else act(machine)


def look(machine: Machine, questions: Mapping[str, Act] = HEALTH) -> Findings:
    """Unlock and log in to a started machine, and ask it."""
    enter(machine)
    return Findings(machine.console.text(), ask(machine, questions))


def boot(machine: Machine, questions: Mapping[str, Act] = HEALTH) -> Findings:
    """Boot a machine, ask it, and power it off."""
    with machine:
        findings = look(machine, questions)
        machine.power_off()
    return findings


def assert_healthy(found: Findings) -> None:
    """One prompt, everything mounted, everything redundant, nothing failed."""
    assert found.prompts == 1
    assert found["pool"] == "ONLINE", found["status"]
    assert found["root"] == "rpool/ROOT/debian"
    assert "ext4" in found["boot"]
    assert "[UU]" in found["arrays"], found["arrays"]
    assert found["failed"] == ""
    assert found["waited"] == ""
    assert found["state"] == "running"
