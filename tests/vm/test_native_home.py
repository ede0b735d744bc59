"""Only /home encrypted, by ZFS: asked for once at the start, and the machine starts without it too."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomlkit

from installer.recipe.model import Firmware
from tests.vm import guest, installs
from tests.vm.guest import HEALTH
from tests.vm.installs import SECRETS, empty, prepared
from tests.vm.places import RESULTS, ROOT
from tests.vm.volume import Volume

pytestmark = [pytest.mark.vm, pytest.mark.slow]

RECIPE = ROOT / "recipes/debian-native-home.toml"
PROMPT = "Passphrase for rpool/home:"
OPEN = "systemctl start zroot-key@rpool-home.target"
QUESTIONS = {
    **HEALTH,
    "encryption": "zfs get -H -o name,value -t filesystem encryption | grep -v 'off$' | cut -f 1",
    "home": "findmnt --noheadings --output SOURCE /home",
    "file": "cat /home/user/file",
}


def cheap(recipe: tomlkit.TOMLDocument) -> None:
    """A key that an emulator derives soon, and a short wait for it."""
    dataset = next(dataset for dataset in recipe["pool"]["rpool"]["dataset"] if dataset["name"] == "home")
    dataset["encryption"].update({"iterations": 100_000, "wait": 60})


def test_home_is_there_after_one_prompt_and_the_machine_starts_without_it(iso: Path) -> None:
    machine = empty(RESULTS / "native-home", iso=iso, firmware=Firmware.BIOS)
    recipe = prepared(RECIPE.read_text(), change=cheap)
    installs.replay(machine, Volume.make(machine.folder / "volume.img", installs.files(recipe, SECRETS)))

    write = "runuser --user user -- sh -c 'echo kept > ~/file'"
    found = guest.boot(machine.machine("unlocked"), {"written": write, **QUESTIONS})
    guest.assert_healthy(found)
    assert PROMPT in found.console
    assert found["encryption"] == "rpool/home"
    assert found["home"] == "rpool/home"
    assert found["file"] == "kept"

    # Nothing typed, and a disk gone too.
    with machine.machine("locked", without=["a"]) as locked:
        guest.log_in(locked)
        console = locked.console.text()
        assert console.count(f"sudo {OPEN}") >= 2, "said on the console, and again at login"
        closed = guest.ask(locked, QUESTIONS)
        assert closed["home"] == ""
        assert closed["pool"] == "DEGRADED"
        assert "ext4" in closed["boot"]
        locked.console.line(f"{OPEN}; printf 'opened-%s\\n' $?")
        locked.console.wait_for(PROMPT, within=120)
        locked.console.secret(SECRETS["passphrase"])
        locked.console.wait_for("opened-0", within=300)
        opened = guest.ask(locked, QUESTIONS)
        assert opened["file"] == "kept"
        assert opened["failed"] == ""
        locked.power_off()
