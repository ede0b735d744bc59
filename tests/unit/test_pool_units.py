"""What zroot-pool and zroot-key do and say in an installed system, with stand-ins for the tools."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

TARGET = Path(__file__).parents[2] / "iso/target"
TOOLS = r"""
say() { echo "says: $*"; }
udevadm() { :; }
sleep() { command sleep 0.05; }
systemctl() {
    case $* in
        *is-active*) [[ -e $root/zed ]] ;;
        *list-jobs*) echo -n "$JOBS" ;;
        *) [[ " $LOCKED " == *" ${3#systemd-cryptsetup@} "* ]] ;;
    esac
}
systemd-escape() { echo "${@: -1}" | sed 's,/,-,g'; }
zpool() {
    case $1 in
        import)
            [[ -e $root/broken ]] && { echo "no such pool"; return 1; }
            echo "$*" > $root/did
            mkdir -p $root/kstat/tank
            ;;
        export)
            [[ -e $root/busy ]] && return 1
            echo "zpool $*"
            rmdir $root/kstat/tank
            [[ -e $root/zed ]] && echo > $root/lists/tank
            true
            ;;
        get) grep "$5" $root/properties 2> /dev/null | cut -d ' ' -f 2 ;;
        online) echo "zpool $*" ;;
    esac
}
zfs() {
    case $* in
        *keystatus*) [[ -e $root/loaded ]] && echo available || echo unavailable ;;
        *keylocation*) echo prompt ;;
        load-key*) read -r typed; [[ $typed == right ]] && : > $root/loaded ;;
    esac
}
systemd-ask-password() {
    local answer
    echo "asks: ${*: -1}" >&2
    read -r answer < $root/answers
    sed -i 1d $root/answers
    [[ $answer == NOBODY ]] && return 1
    echo "$answer"
}
"""


@dataclass(frozen=True)
class Outcome:
    status: int
    lines: list[str]

    def said(self) -> str:
        return "\n".join(line for line in self.lines if line.startswith("says: "))


def run(folder: Path, script: str, *arguments: str, **environment: str) -> Outcome:
    """Run a script of the target in a folder that stands for the machine."""
    text = (TARGET / "usr/lib/zroot" / script).read_text().replace(". /usr/lib/zroot/say\n", TOOLS)
    places = {
        "/proc/spl/kstat/zfs": "kstat",
        "/etc/zfs/zfs-list.cache": "lists",
        "/dev/mapper": "mapper",
        "/run/zroot": "run",
    }
    for path, name in places.items():
        text = text.replace(f"{path}/", f"{folder}/{name}/")
    done = subprocess.run(
        ["bash", "-c", text, script, *arguments],
        env={"PATH": "/usr/bin:/bin", "root": str(folder), "LOCKED": "", "JOBS": "", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Outcome(
        done.returncode, [line.replace(f"{folder}/", "") for line in (done.stdout + done.stderr).splitlines()]
    )


def import_tank(folder: Path, *present: str, wait: str = "1", locked: str = "") -> Outcome:
    for name in ("kstat", "mapper"):
        (folder / name).mkdir()
    for name in present:
        (folder / name).touch()
    devices = f"{folder}/mapper/a {folder}/mapper/b"
    return run(folder, "zroot-pool", "import", "tank", ZROOT_DEVICES=devices, ZROOT_WAIT=wait, LOCKED=locked)


def imported(folder: Path) -> str:
    return (folder / "did").read_text().strip().replace(f"{folder}/", "")


def test_a_pool_is_imported_from_its_own_devices_and_not_kept_in_the_cache_file(tmp_path: Path) -> None:
    done = import_tank(tmp_path, "mapper/a", "mapper/b")
    assert done == Outcome(0, [])
    assert imported(tmp_path) == "import -N -o cachefile=none -dmapper/a -dmapper/b tank"


def test_a_pool_whose_members_got_larger_grows_if_it_is_to(tmp_path: Path) -> None:
    (tmp_path / "properties").write_text("autoexpand on\nexpandsize 128M\n")
    done = import_tank(tmp_path, "mapper/a", "mapper/b")
    assert done == Outcome(0, ["zpool online -e tank mapper/a", "zpool online -e tank mapper/b"])


@pytest.mark.parametrize("properties", ["autoexpand off\nexpandsize 128M\n", "autoexpand on\nexpandsize -\n"])
def test_other_pools_keep_their_size(tmp_path: Path, properties: str) -> None:
    (tmp_path / "properties").write_text(properties)
    assert import_tank(tmp_path, "mapper/a", "mapper/b") == Outcome(0, [])


def test_a_missing_member_is_waited_for_and_named(tmp_path: Path) -> None:
    done = import_tank(tmp_path, "mapper/a")
    assert done.status == 0
    assert done.lines == ["says: importing tank without b"]
    assert imported(tmp_path) == "import -N -o cachefile=none -dmapper/a tank"


def test_a_locked_member_is_not_waited_for(tmp_path: Path) -> None:
    """The run would be stopped: a wait of an hour."""
    done = import_tank(tmp_path, "mapper/a", wait="3600", locked="b")
    assert done.said() == "says: importing tank without b"


def test_a_locked_pool_stays_closed_and_the_command_is_said(tmp_path: Path) -> None:
    done = import_tank(tmp_path, wait="3600", locked="a b")
    assert done.status == 1
    assert "sudo systemctl start zroot-pool@tank.target" in done.said()


def test_a_pool_that_cannot_be_imported_says_why(tmp_path: Path) -> None:
    done = import_tank(tmp_path, "mapper/a", "mapper/b", "broken")
    assert done.status == 1
    assert "no such pool" in done.said()


def test_the_list_of_mounts_outlives_what_zed_does_to_it(tmp_path: Path) -> None:
    (tmp_path / "kstat/tank").mkdir(parents=True)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/tank").write_text("tank\t/tank\ntank/data\t/srv\n")
    (tmp_path / "zed").touch()
    assert run(tmp_path, "zroot-pool", "export", "tank").lines == ["zpool export tank"]
    assert (tmp_path / "lists/tank").read_text() == "tank\t/tank\ntank/data\t/srv\n"


def test_a_pool_in_use_stays_imported(tmp_path: Path) -> None:
    (tmp_path / "kstat/tank").mkdir(parents=True)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/tank").touch()
    assert run(tmp_path, "zroot-pool", "export", "tank").lines == ["zpool export tank"]
    assert run(tmp_path, "zroot-pool", "export", "tank") == Outcome(0, []), "it was closed by hand"
    (tmp_path / "kstat/tank").mkdir()
    (tmp_path / "busy").touch()
    done = run(tmp_path, "zroot-pool", "export", "tank")
    assert done.status == 1
    assert "in use" in done.lines[0]


def ask(folder: Path, *answers: str, **environment: str) -> Outcome:
    (folder / "answers").write_text("\n".join([*answers, "NOBODY", ""]))
    return run(folder, "zroot-key", "tank/data", **environment)


def test_the_prompt_names_the_dataset_and_what_waits(tmp_path: Path) -> None:
    done = ask(tmp_path, "wrong", "right", ZROOT_SERVICES="a.service b.service")
    question = "asks: Passphrase for tank/data (a.service and b.service wait for it):"
    assert done == Outcome(0, ["says: this passphrase does not open tank/data", question, question])


def test_a_key_that_is_loaded_is_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "loaded").touch()
    assert ask(tmp_path) == Outcome(0, [])


def test_nobody_there_ends_in_words(tmp_path: Path) -> None:
    done = ask(tmp_path, ZROOT_SERVICES="a.service")
    assert done.status == 1
    assert "tank/data stays locked (a.service waits for it)" in done.said()
    assert "sudo systemctl start zroot-key@tank-data.target" in done.said()


def test_who_logs_in_is_not_asked_again_and_who_starts_a_target_is(tmp_path: Path) -> None:
    """Every login starts what the home lies on."""
    ask(tmp_path, ZROOT_SERVICES="a.service")
    login = ask(tmp_path, "right")
    assert login.status == 1
    assert not login.said()
    assert not any(line.startswith("asks") for line in login.lines)
    assert "sudo systemctl start zroot-key@tank-data.target" in login.lines[0]
    assert ask(tmp_path, "right", JOBS="12 zroot-key@tank-data.target start waiting").status == 0
