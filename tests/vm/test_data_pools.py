"""Pools beside the root in an installed system: a data pool that a service waits for, a vault, a pool over files.

One machine, started twice: once with every passphrase typed, once with none but the root's (issue 4, rows 3, 5 and 6).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomlkit

from installer.recipe.model import Firmware
from tests.vm import guest, installs
from tests.vm.guest import HEALTH
from tests.vm.installs import Copy, empty, prepared, quick
from tests.vm.places import RESULTS, ROOT
from tests.vm.qemu import Machine
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]

DATA_POOL = ROOT / "recipes/debian-data-pool.toml"
VAULT = ROOT / "recipes/debian-vault.toml"
SECRETS = {
    **installs.SECRETS,
    "data-passphrase": r"""D1'"$(id)`x`\d+ for the data""",
    "vault-passphrase": r"""V2 [a-z]{3} & the vault; ^|~""",
    "files-passphrase": r"""F3 %s \n # one for all files""",
}
WAITS = "ssh.service"
PROMPTS = {
    "data-passphrase": re.compile(rf"Passphrase for tank/data \({re.escape(WAITS)} waits for it\):"),
    "vault-passphrase": re.compile(r"passphrase for disk [^\n]*vault"),
    "files-passphrase": re.compile(r"passphrase for disk [^\n]*sz-\d"),
}
COMMANDS = {
    "data-passphrase": "systemctl start zroot-key@tank-data.target",
    "vault-passphrase": "systemctl start zroot-pool@user.target",
    "files-passphrase": "systemctl start zroot-pool@szpool.target",
}
PRIVATE = "/home/user/Documents/Private"
POINTS = ("/srv", PRIVATE, "/szpool")
QUESTIONS = {
    **HEALTH,
    "pools": "zpool list -H -o name,health",
    "mounted": f"for point in {' '.join(POINTS)}; do mountpoint --quiet $point && echo $point; done; true",
    "service": f"systemctl show --property ActiveState --value {WAITS}",
    "open": "ls /dev/mapper",
}


def composite(recipe: tomlkit.TOMLDocument) -> None:
    """Add the vault of its recipe and small files to the data pool, with short waits."""
    vault = tomlkit.parse(VAULT.read_text())
    for partition in recipe["partition"]:
        if partition["name"] == "pool":
            partition["size"] = "5G"
    encryption = recipe["pool"]["tank"]["dataset"][0]["encryption"]
    encryption.update({"iterations": 100_000, "services": [WAITS], "wait": 120})
    datasets = recipe["pool"]["rpool"]["dataset"]
    datasets.append({"name": "pvol", "size": "256M"})
    datasets.append({"name": "szpools", "mount": "/var/szpools"})
    recipe["crypt"]["vault"] = vault["crypt"]["vault"]
    recipe["pool"]["user"] = vault["pool"]["user"]
    recipe["file"] = {"sz": {"folder": "/var/szpools", "count": 4, "size": "160M"}}
    recipe["crypt"]["sz"] = {"over": "file.sz", "secret": "files-passphrase"}
    recipe["pool"]["szpool"] = {"vdevs": [{"kind": "raidz2", "over": "crypt.sz"}]}
    quick(recipe)


@pytest.fixture(scope="module")
def installed(iso: Path) -> Copy:
    """Return the composite installed by BIOS; its boots follow each other on the same disks."""
    machine = empty(RESULTS / "data-pools", iso=iso, firmware=Firmware.BIOS)
    recipe = prepared(DATA_POOL.read_text(), change=composite)
    installs.replay(machine, Volume.make(machine.folder / "volume.img", installs.files(recipe, SECRETS)))
    return machine


def test_with_every_passphrase_typed_all_is_mounted_before_the_service_starts(installed: Copy) -> None:
    with installed.machine("unlocked") as machine:
        guest.unlock(machine)
        answer_prompts(machine)
        guest.log_in(machine)
        found = guest.ask(machine, QUESTIONS)
        assert sorted(found["pools"].split()) == sorted([*("rpool", "tank", "user", "szpool"), *["ONLINE"] * 4])
        assert found["mounted"].split() == list(POINTS)
        assert found["service"] == "active"
        assert found["failed"] == ""
        assert found["state"] == "running"
        assert_started_after_its_data(machine)
        assert_user_manages_the_vault(machine)
        assert_vault_grows(machine)
        machine.console.output("echo kept > /srv/file; echo kept > /szpool/file")
        machine.console.output("zfs set volsize=512M rpool/pvol")
        machine.power_off()


def answer_prompts(machine: Machine) -> None:
    """Type each secret once, in whatever order they are asked for: one opens all of the files."""
    left = dict(PROMPTS)
    while left:
        said = machine.console.wait_for(*left.values(), within=guest.TO_LOGIN)
        name = next(name for name, prompt in left.items() if prompt.search(said))
        machine.console.secret(SECRETS[name])
        del left[name]


def assert_started_after_its_data(machine: Machine) -> None:
    times = [
        int(machine.console.output(f"systemctl show --property {what} --value {unit}"))
        for what, unit in (("ActiveEnterTimestampMonotonic", "srv.mount"), ("ExecMainStartTimestampMonotonic", WAITS))
    ]
    assert times == sorted(times)


def assert_user_manages_the_vault(machine: Machine) -> None:
    """Without root: files, snapshots, datasets; sanoid snapshots by itself."""
    as_user = "runuser --user user --"
    machine.console.output(f"{as_user} touch {PRIVATE}/file && {as_user} zfs snapshot user/Documents/Private@mine")
    machine.console.output(f"{as_user} zfs destroy user/Documents/Private@mine")
    made = machine.console.run(f"{as_user} zfs create user/Documents/New")
    assert "mounted by root" in made.output, made.output
    machine.console.output(f"{as_user} zfs destroy user/Documents/New")
    machine.console.output("systemctl start sanoid.service", within=300)
    assert "@autosnap" in machine.console.output("zfs list -H -t snapshot -o name -r user")


def assert_vault_grows(machine: Machine) -> None:
    """While it is in use, by the three commands of its recipe."""
    before = vault_size(machine)
    machine.console.output("zfs set volsize=384M rpool/pvol && udevadm settle")
    machine.console.line("cryptsetup resize vault; printf 'resized-%s\\n' $?")
    machine.console.wait_for("Enter passphrase for", within=120)
    machine.console.secret(SECRETS["vault-passphrase"])
    machine.console.wait_for("resized-0", within=300)
    machine.console.output("zpool online -e user vault")
    assert vault_size(machine) > before


def vault_size(machine: Machine) -> int:
    return int(machine.console.output("zpool list -H -p -o size user"))


def test_with_nothing_typed_the_machine_starts_and_one_command_opens_each(installed: Copy) -> None:
    with installed.machine("locked") as machine:
        guest.unlock(machine)
        guest.log_in(machine)
        console = machine.console.text()
        found = guest.ask(machine, QUESTIONS)
        assert found["pools"].split() == ["rpool", "ONLINE", "tank", "ONLINE"]
        assert found["mounted"] == ""
        assert found["service"] == "inactive"
        for command in COMMANDS.values():
            assert console.count(f"sudo {command}") >= 2, "said on the console, and again at login"
        for name, command in COMMANDS.items():
            open_by(machine, command, PROMPTS[name], SECRETS[name])
        wait = f"until systemctl --quiet is-active {WAITS}; do sleep 1; done"
        machine.console.output(f"timeout 120 sh -c '{wait}'", within=180)
        found = guest.ask(machine, QUESTIONS)
        assert found["mounted"].split() == list(POINTS)
        assert found["failed"] == ""
        assert machine.console.output("cat /srv/file /szpool/file").split() == ["kept", "kept"]
        assert vault_size(machine) > 400 * 1024**2, "it grew with its volume when it was opened"
        earlier = machine.console.output("journalctl --boot -1 --no-pager --output cat --unit 'zroot-pool@*'")
        assert "stays imported" not in earlier, earlier
        machine.power_off()


def open_by(machine: Machine, command: str, prompt: re.Pattern[str], secret: str) -> None:
    """Give the one command as a person does: on the terminal, where it asks."""
    machine.console.line(f"{command}; printf 'opened-%s\\n' $?")
    machine.console.wait_for(prompt, within=120)
    machine.console.secret(secret)
    machine.console.wait_for("opened-0", within=300)
