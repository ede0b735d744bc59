"""The canaries unlock the machine and are found nowhere else."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from installer.recipe.model import Firmware
from tests.vm import guest
from tests.vm.conftest import Installs, Lives
from tests.vm.installs import PASSPHRASE, SECRETS
from tests.vm.test_boot import FIRMWARE

pytestmark = pytest.mark.vm

CHUNK = 1 << 24


def forms(secret: str) -> list[bytes]:
    """Return the secret as it would look in a text, in JSON, and in a shell transcript."""
    return sorted(
        {secret.encode(), secret.replace("\\", "\\\\").replace('"', '\\"').encode(), shlex.quote(secret).encode()}
    )


def holds(path: Path, needles: list[bytes]) -> bool:
    """Return whether one of the needles is anywhere in a file of any size."""
    kept = max(map(len, needles)) - 1
    tail = b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            text = tail + chunk
            if any(needle in text for needle in needles):
                return True
            tail = text[-kept:]
    return False


@FIRMWARE
@pytest.mark.parametrize("name", list(SECRETS))
def test_no_secret_is_left_outside(installed: Installs, firmware: Firmware, name: str, tmp_path: Path) -> None:
    """fault 54, fault 74, fault 76: console, ZROOT volume, and the disks as a thief would read them."""
    machine = installed(firmware)
    left = [path for path in machine.volume.unpack(tmp_path) if path.name != "secrets.toml"]
    assert any(path.name == "zroot-result.json" for path in left)
    artefacts = [machine.console, *left, *machine.folder.glob("*.qcow2")]
    assert len(artefacts) >= 4
    assert [path.name for path in artefacts if holds(path, forms(SECRETS[name]))] == []


@FIRMWARE
def test_no_secret_is_echoed_at_boot(lives: Lives, firmware: Firmware) -> None:
    console = lives[firmware]["healthy"].console
    assert not [name for name, secret in SECRETS.items() if secret in console]


@pytest.mark.slow
def test_no_secret_is_left_in_the_installed_system(installed: Installs) -> None:
    """fault 74, fault 75, fault 77"""
    places = "/var /etc /boot /root /home /opt /usr/local /run /tmp"
    copy = installed(Firmware.BIOS).copy("secrets")
    with copy.machine("boot") as machine:
        guest.unlock(machine)
        guest.log_in(machine)
        console = machine.console
        for secret in SECRETS.values():
            wanted = " ".join("-e " + shlex.quote(form.decode()) for form in forms(secret))
            assert console.run(f"grep -rlF -D skip {wanted} {places}", within=600).output == ""
        # The search itself must be able to find something: a file with the canary is found.
        console.output(f"printf %s {shlex.quote(PASSPHRASE)} > /run/canary")
        assert console.output(f"grep -rlF -D skip -e {shlex.quote(PASSPHRASE)} /run") == "/run/canary"
        console.output("rm /run/canary")
        modes = console.output("find /var/log/zroot -type f -printf '%m %u %f\\n'").splitlines()
        assert modes
        assert not [line for line in modes if not line.startswith("600 root ")]
        machine.power_off()
