"""What the initramfs does about key devices, with stand-ins for the tools: questions, words, what is open."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "iso/target/usr/lib/dracut/modules.d/95zroot/zroot-root"
MEMBERS = """key MD-UUID=11111111-2222-3333-4444-555555555555 none luks,noauto,x-initrd.attach
pool-a UUID=aaaa /dev/mapper/key luks,discard,keyfile-size=1048576,noauto,x-initrd.attach
pool-b UUID=bbbb /dev/mapper/key luks,discard,keyfile-size=1048576,noauto,x-initrd.attach
"""
TOOLS = r"""
say() { echo "says: $*"; }
modprobe() { :; }
udevadm() { :; }
mdadm() {
    case $* in
        *--examine*) cat $root/arrays ;;
        *--assemble*) echo "mdadm $*" > $root/assembled; : > ${!#} ;;
        *--stop*) rm $2 && echo "stopped $2" ;;
    esac
}
cryptsetup() {
    local typed
    case $* in
        isLuks*) [[ -e $root/header ]] ;;
        luksDump*) cat $root/slots ;;
        close*) rm $root/dev/mapper/$2 && echo "closed $2" ;;
        *"--key-file -"*)
            read -r typed
            [[ $typed/${!#} == key/key || $typed/${!#} == recovery/pool-* ]] || return 2
            : > $root/dev/mapper/${!#}
            ;;
        *) [[ -e $root/content ]] && : > $root/dev/mapper/${!#} || return 2 ;;
    esac
}
systemd-ask-password() {
    local answer
    echo "asks: ${!#}" >&2
    read -r answer < $root/answers
    sed -i 1d $root/answers
    [[ $answer == END ]] && kill $$
    printf %s "$answer"
}
systemctl() { echo "systemctl $*"; kill $$; }
"""


@dataclass(frozen=True)
class Outcome:
    said: list[str]
    asked: list[str]
    open: list[str]


def unlock(folder: Path, *answers: str, without: tuple[str, ...] = (), slots: int = 2) -> Outcome:
    """Run the script's unlocking with these answers at its prompts, in a folder that stands for the machine."""
    for path in ("dev/disk/by-uuid", "dev/mapper", "dev/md", "run", "etc"):
        (folder / path).mkdir(parents=True)
    (folder / "dev/null").symlink_to("/dev/null")
    present = {"dev/disk/by-uuid/aaaa", "dev/disk/by-uuid/bbbb", "header", "content", "arrays"} - set(without)
    for name in present:
        (folder / name).touch()
    if "arrays" in present:
        (folder / "arrays").write_text("ARRAY /dev/md/key metadata=1.2 UUID=11111111:22223333:44445555:55555555\n")
    (folder / "slots").write_text("".join(f"  {slot}: luks2\n" for slot in range(slots)))
    (folder / "answers").write_text("\n".join([*answers, "END", ""]))
    (folder / "members").write_text(MEMBERS.replace("/dev/", f"{folder}/dev/"))
    functions = SCRIPT.read_text().partition("\nwait=$(argument")[0].replace("/etc/zroot/members", "/members")
    for name in ("/dev/", "/run/", "/etc/", "/members"):
        functions = functions.replace(name, f"{folder}{name}")
    script = f"{functions}\nroot={folder} wait=0\n{TOOLS}\nread_members; wait_for_members; unlock; stop_arrays\n"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    lines = [line.replace(str(folder), "") for line in (done.stdout + done.stderr).splitlines()]
    return Outcome(
        said=[line for line in lines if not line.startswith("asks: ")],
        asked=[line.removeprefix("asks: ") for line in lines if line.startswith("asks: ")],
        open=sorted(path.name for path in (folder / "dev/mapper").iterdir()),
    )


def test_the_passphrase_opens_the_key_device_which_opens_the_members_and_is_closed(tmp_path: Path) -> None:
    done = unlock(tmp_path, "key")
    assert [question.split(" for ")[0] for question in done.asked] == ["Passphrase"]
    assert done.open == ["pool-a", "pool-b"]
    assert {"--run", "--readonly"} <= set((tmp_path / "assembled").read_text().split())
    assert done.said[-2:] == ["closed key", "stopped /dev/md/key"]


def test_a_missing_member_does_not_keep_the_others_closed(tmp_path: Path) -> None:
    done = unlock(tmp_path, "key", without=("dev/disk/by-uuid/aaaa",))
    assert done.open == ["pool-b"]
    assert any("pool-a did not appear" in line for line in done.said)


def test_three_wrong_passphrases_are_offered_the_recovery(tmp_path: Path) -> None:
    """A damaged key slot cannot be told from a wrong passphrase."""
    done = unlock(tmp_path, "wrong", "wrong", "wrong", "p", "recovery")
    assert done.said.count("says: key: this passphrase does not open it") == 3
    assert "recovery passphrase" in done.asked[3]
    assert done.asked[4].startswith("Recovery passphrase for ")
    assert done.open == ["pool-a", "pool-b"]


@pytest.mark.parametrize(
    ("lost", "words"), [("arrays", "the key device key is missing"), ("header", "the key device key is damaged")]
)
def test_a_lost_key_device_is_named_and_the_recovery_passphrase_asked_for(
    tmp_path: Path, lost: str, words: str
) -> None:
    done = unlock(tmp_path, "wrong", "recovery", without=(lost,))
    assert any(words in line for line in done.said)
    assert all(question.startswith("Recovery passphrase for ") for question in done.asked)
    assert "says: pool-a: this passphrase does not open it" in done.said
    assert done.open == ["pool-a", "pool-b"]


def test_a_key_device_with_other_content_is_told_from_a_wrong_passphrase(tmp_path: Path) -> None:
    done = unlock(tmp_path, "key", "recovery", without=("content",))
    assert any("its passphrase is right, and its content opens no disk" in line for line in done.said)
    assert [question.split(" for ")[0] for question in done.asked] == ["Passphrase", "Recovery passphrase"]
    assert done.open == ["pool-a", "pool-b"]


def test_without_a_recovery_passphrase_it_says_what_to_do(tmp_path: Path) -> None:
    done = unlock(tmp_path, "r", without=("header",), slots=1)
    assert any("they have no recovery passphrase" in line for line in done.said)
    assert any("attach the disk with the key device" in line for line in done.said)
    assert "r and Enter reboots" in done.asked[0]
    assert "p and Enter" not in done.asked[0]
    assert done.said[-1] == "systemctl --force reboot"


def from_members(folder: Path, *, opened: tuple[str, ...], state: str) -> list[str]:
    """Run the script's quick import with these members open and return what it asked of zpool."""
    (folder / "dev/mapper").mkdir(parents=True)
    for name in opened:
        (folder / "dev/mapper" / name).touch()
    (folder / "members").write_text(MEMBERS.replace("/dev/", f"{folder}/dev/"))
    functions = SCRIPT.read_text().partition("\nwait=$(argument")[0].replace("/etc/zroot/members", "/members")
    functions = functions.replace("/dev/mapper/", f"{folder}/dev/mapper/").replace("/members", f"{folder}/members")
    shown = f"  pool: other\\n state: ONLINE\\nconfig:\\n  pool: rpool\\n state: {state}\\nconfig:\\n"
    zpool = f"zpool() {{ echo \"zpool $*\" >> {folder}/asked; [[ $* == *-N* ]] || printf '{shown}'; }}"
    script = f"{functions}\n{zpool}\nread_members; import_from_members rpool"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    asked = folder / "asked"
    lines = asked.read_text().replace(str(folder), "").splitlines() if asked.exists() else []
    assert (done.returncode == 0) == any("-N" in line for line in lines), done.stderr
    return lines


def test_a_whole_pool_is_imported_without_a_look_at_other_devices(tmp_path: Path) -> None:
    both = "-d /dev/mapper/pool-a -d /dev/mapper/pool-b"
    asked = from_members(tmp_path, opened=("pool-a", "pool-b"), state="ONLINE")
    assert asked == [f"zpool import {both}", f"zpool import -N -o cachefile=none {both} rpool"]


def test_a_pool_with_more_than_its_encrypted_members_is_looked_for_everywhere(tmp_path: Path) -> None:
    assert len(from_members(tmp_path, opened=("pool-a", "pool-b"), state="UNAVAIL")) == 1


def test_a_member_that_stayed_closed_is_not_passed_over(tmp_path: Path) -> None:
    assert from_members(tmp_path, opened=("pool-b",), state="DEGRADED") == []
