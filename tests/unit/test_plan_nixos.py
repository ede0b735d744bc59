"""What zroot writes for NixOS: accepted by Nix, and with nothing in it that does not belong there."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from installer.plan.operation import Plan, WriteFile
from installer.recipe.load import parse
from installer.run.facts import make, with_facts
from tests.unit.plans import RECIPES, bound, commands, disk, machine, operation, plan
from tests.unit.test_plan_golden import plan_of

CASE = "nixos-impermanent"
ETC = "/mnt/zroot/persist/etc/nixos"
ONE = machine(disk("sda", serial="SERIAL-A"))
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ1dCB0aGlzIGlzIG5vIHJlYWwga2V5IGF0IGFsbCEh"
AWKWARD = {
    'hostname = "nixos"': 'hostname = "nixos.example"',
    'keymap = "us"': 'keymap = "fr:oss"',
    'kind = "zram"': 'kind = "zram"\nsize = "2G"',
    'password = "user-password"': "\n".join(
        (
            'password = "user-password"',
            "full-name = 'A ${user} with \"quotes\" and \\'",
            f'ssh-keys = ["{KEY} \\"a\\" ${{b}}"]',
            "[system.network]",
            'interface = "enp1s0"',
            'address = "192.0.2.10/24"',
            'gateway = "192.0.2.1"',
            'dns = ["192.0.2.2", "2001:db8::2"]',
        )
    ),
}
"""Words of the recipe, and others in their place that Nix might take for its own."""


def written(made: Plan, **known: str) -> dict[str, str]:
    """Return the files as they reach the disk, by name, facts made up."""
    facts = {fact.name: make(fact) for fact in made.facts} | known
    return {
        one.action.path.rpartition("/")[2]: with_facts(one.action.content, facts)
        for one in made.operations
        if isinstance(one.action, WriteFile) and one.action.path.startswith(f"{ETC}/")
    }


def evaluated(folder: Path, expression: str) -> object:
    """Return the value of an expression, which finds the written files in its folder."""
    environment = {"NIX_STATE_DIR": str(folder / "state"), "NIX_STORE_DIR": str(folder / "store"), "HOME": str(folder)}
    argv = ["nix-instantiate", "--eval", "--strict", "--json", "--readonly-mode", "--expr", expression]
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def awkward() -> Plan:
    """Return the plan of the shipped recipe with every word that may need quoting."""
    text = bound(RECIPES / f"{CASE}.toml")
    for old, new in AWKWARD.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    return plan(text, ONE)


@pytest.mark.parametrize("made", [plan_of(CASE), awkward()], ids=["golden", "awkward"])
@pytest.mark.needs("nix-instantiate")
def test_nix_takes_both_files(made: Plan, tmp_path: Path) -> None:
    files = written(made)
    assert set(files) == {"configuration.nix", "hardware-configuration.nix", "install.sh"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        if name.endswith(".nix"):
            parsed = subprocess.run(
                ["nix-instantiate", "--parse", str(tmp_path / name)], capture_output=True, text=True, check=False
            )
            assert parsed.returncode == 0, parsed.stderr
    subprocess.run(["sh", "-n"], input=files["install.sh"], text=True, check=True)


@pytest.mark.needs("nix-instantiate")
def test_awkward_words_reach_nix_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "configuration.nix").write_text(written(awkward())["configuration.nix"])
    call = "(import ./configuration.nix { config = { }; lib = { }; pkgs = { }; })"
    user = evaluated(tmp_path, f"{call}.users.users.user")
    assert isinstance(user, dict)
    assert user["description"] == 'A ${user} with "quotes" and \\'
    assert user["openssh"]["authorizedKeys"]["keys"][0].endswith('"a" ${b}')
    assert user["hashedPasswordFile"] == "/persist/etc/nixos-secrets/user"
    network = evaluated(tmp_path, f'{call}.systemd.network.networks."20-wired"')
    assert isinstance(network, dict)
    assert (network["address"], network["dns"]) == (["192.0.2.10/24"], ["192.0.2.2", "2001:db8::2"])


@pytest.mark.needs("nix-instantiate")
def test_storage_is_the_one_that_was_made(tmp_path: Path) -> None:
    made = plan_of(CASE)
    (tmp_path / "hardware.nix").write_text(written(made)["hardware-configuration.nix"])
    around = 'config.hardware.enableRedistributableFirmware = false; lib.mkDefault = x: x; modulesPath = "";'
    call = f"(import ./hardware.nix {{ {around} }})"
    systems = evaluated(tmp_path, f"{call}.fileSystems")
    assert isinstance(systems, dict)
    assert {point: one["device"] for point, one in systems.items() if one["fsType"] == "zfs"} == {
        "/": "rpool/local/root",
        "/nix": "rpool/local/nix",
        "/home": "rpool/safe/home",
        "/persist": "rpool/safe/persist",
    }
    assert [point for point, one in systems.items() if one.get("neededForBoot")] == ["/persist"]
    assert {one["device"] for one in systems.values() if one["fsType"] == "none"} == {
        f"/persist{path.rstrip('/')}" for path in kept() if path.endswith("/")
    }
    luks = evaluated(tmp_path, f"{call}.boot.initrd.luks.devices")
    assert isinstance(luks, dict)
    assert set(luks) == {"cryptroot-a"}
    assert re.fullmatch(r"/dev/disk/by-uuid/[0-9a-f-]{36}", luks["cryptroot-a"]["device"])


def kept() -> tuple[str, ...]:
    persist = parse((RECIPES / f"{CASE}.toml").read_text()).persist
    assert persist
    return persist.keep


def test_identities_are_those_under_which_the_storage_was_made() -> None:
    raw = {one.action.path: one.action.content for one in plan_of(CASE).operations if isinstance(one.action, WriteFile)}
    assert 'networking.hostId = "@{hostid}";' in raw[f"{ETC}/configuration.nix"]
    hardware = raw[f"{ETC}/hardware-configuration.nix"]
    assert "by-uuid/@{luks.cryptroot-a}" in hardware
    assert "by-uuid/@{esp.a}" in hardware


def test_esp_is_named_as_udev_does(tmp_path: Path) -> None:
    """The number that mkfs.fat is given has no hyphen; the link in /dev/disk/by-uuid has one."""
    made = plan_of(CASE)
    (sed,) = commands(made, "system/nixos/esp")
    # One UUID in fifty begins with eight decimal digits, as the number of an ESP does.
    files = written(made, **{"luks.cryptroot-a": "66216643-d5de-4e6d-b985-7630acf64003"})
    paths = []
    for word in sed.argv[4:]:
        path = tmp_path / word.rpartition("/")[2]
        path.write_text(files[path.name])
        paths.append(str(path))
    subprocess.run([*sed.argv[:4], *paths], check=True)
    for path in paths:
        uuids = re.findall(r"by-uuid/(\S+?)[\";\s]", Path(path).read_text())
        assert sorted(map(len, uuids)) == [9, 36], uuids


def test_password_is_a_hash_that_only_root_reads() -> None:
    made = plan_of(CASE)
    folder, file = commands(made, "system/password/user")
    assert "--mode=0700" in folder.argv
    assert "--mode=0600" in file.argv
    assert file.hashed
    assert not [name for name, text in written(made).items() if "%{" in text]


def test_nothing_is_laid_into_the_root_that_is_emptied() -> None:
    """What the installation must leave behind lies in /persist or on the ESP from the beginning."""
    made = plan_of(CASE)
    paths = [one.action.path for one in made.operations if isinstance(one.action, WriteFile)]
    assert all(path.startswith("/mnt/zroot/persist/") for path in paths), paths
    ids = [one.id for one in made.operations]
    assert ids.index("datasets/snapshot/rpool/local/root@blank") < ids.index("datasets/mount/rpool/local/root")
    assert "finish/snapshot/install" not in ids
    assert operation(made, "finish/save/records").action.model_dump()["folder"] == "/mnt/zroot/persist/var/log/zroot"


def test_last_note_says_how_to_go_on() -> None:
    assert "sh /esp/zroot-nixos.sh" in plan_of(CASE).notes[-1]
