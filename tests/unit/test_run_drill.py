"""The drill over two files for members: dd and cmp are real, ZFS is played."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from installer import cli, process
from installer.errors import Exit, Failure, Refusal, ZrootError
from installer.process import Completed, ProgramError
from installer.run import drill
from installer.run.blocks import FRONT, Member, Vdev

HEALTHY = (
    "  pool: tank\n state: ONLINE\n  scan: scrub repaired 1M in 00:00:01 with 0 errors\nerrors: No known data errors\n"
)


def vdev(kind: str, *, role: str = "data", member: str = "disk") -> Vdev:
    members = tuple(Member(guid=f"1{name}", path=f"/dev/{name}", kind=member) for name in "01")
    return Vdev(number=0, kind=kind, parity=int(kind == "raidz"), ashift=12, role=role, members=members)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([vdev("disk")], "has no redundancy"),
        ([vdev("draid")], "is a draid"),
        ([vdev("mirror", member="replacing")], "is being replaced"),
        ([vdev("disk"), vdev("mirror", role="logs"), vdev("mirror", role="special")], "has no redundancy"),
    ],
)
def test_refuses_pools_whose_damage_could_not_be_repaired(found: list[Vdev], words: str) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        drill.choose("tank", tuple(found))
    assert refused.value.hint.endswith((".", "attach", "tank"))


def test_chooses_every_vdev_with_redundancy() -> None:
    mirror, raidz = vdev("mirror"), vdev("raidz")
    assert drill.choose("tank", (vdev("disk"), mirror, raidz)) == (mirror, raidz)


class Pool:
    """A mirror of two files, and what the programs of ZFS say of it."""

    def __init__(self, folder: Path) -> None:
        self.members = [folder / "members" / name for name in "ab"]
        self.members[0].parent.mkdir()
        for member in self.members:
            member.write_bytes(bytes(FRONT + 8 * 1024**2))
        self.file = drill.FOLDER / "file"
        self.said: list[str] = []
        self.health = "ONLINE"
        self.bootfs = "-"
        self.status = HEALTHY
        self.elsewhere = 0
        """Bytes by which zdb is wrong."""
        self.repairs = True
        self.early = 0
        """Scrubs that begin too early."""
        self.fails = ""
        self.dataset = False

    def run(self, argv: Sequence[str], **more: Any) -> Completed:
        words = " ".join(argv)
        if self.fails and words.startswith(self.fails):
            raise ProgramError(Completed(argv=tuple(argv), status=1, out="", err="it broke"))
        if argv[0] in ("dd", "cmp"):
            return process.run(argv, **more)
        self.said.append(words)
        out = self.answer(words)
        return Completed(argv=tuple(argv), status=0 if out is not None else 1, out=out or "", err="")

    def answer(self, words: str) -> str | None:
        """Do what a program of ZFS would do, and say what it would say; nothing if it fails."""
        if words.startswith("zpool sync"):
            self.write(self.members)
        if words.startswith("zpool scrub"):
            self.early -= 1
            if self.repairs and self.early < 0:
                self.write(self.members[1:])
        if words.startswith(("zfs create", "zfs destroy")):
            self.dataset = "create" in words
        said = {
            "zpool list -v": f"tank\t1G\n\tmirror-0\n\t{self.members[0]}\n\t{self.members[1]}\n",
            "zpool list -H -o": "1.2G\n",
            "zpool list": f"rpool\t1\tONLINE\trpool/ROOT/debian\ntank\t7\t{self.health}\t{self.bootfs}\n",
            "zpool status -g": self.status + "\t11  ONLINE  0  0  8\n",
            "zpool status": self.status,
            "zfs list": "tank/zroot-drill\n" if self.dataset else None,
            "zdb -e": self.blocks() if "-ddddd" in words else self.config(),
        }
        return next((said[start] for start in said if words.startswith(start)), "")

    def write(self, members: Sequence[Path]) -> None:
        content = self.file.read_bytes()
        for member in members:
            with member.open("r+b") as opened:
                opened.seek(FRONT + 0x1000)
                opened.write(content)

    def blocks(self) -> str:
        line = "{0:16x}  L0 0:{1:x}:20000 20000L/20000P F=1 B=1/1 cksum=0\n"
        starts = range(0, drill.RECORD * drill.RECORDS, drill.RECORD)
        return "".join(line.format(start, start + 0x1000 + self.elsewhere) for start in starts)

    def config(self) -> str:
        children = "".join(
            f"   children[{n}]:\n    type: 'file'\n    guid: 1{n}\n    path: '{one}'\n"
            for n, one in enumerate(self.members)
        )
        mirror = f"  children[0]:\n   type: 'mirror'\n   id: 0\n   guid: 9\n   ashift: 12\n   is_log: 0\n{children}"
        return f"MOS Configuration:\n vdev_tree:\n  type: 'root'\n{mirror}"


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pool:
    monkeypatch.setattr(drill, "FOLDER", tmp_path / "drill")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(drill.time, "sleep", lambda seconds: None)
    made = Pool(tmp_path)
    monkeypatch.setattr(drill, "run", made.run)
    removed: Callable[[Path], None] = Path.rmdir

    def unmounted(path: Path) -> None:
        (path / "file").unlink(missing_ok=True)
        removed(path)

    monkeypatch.setattr(Path, "rmdir", unmounted)
    return made


def test_damages_eight_blocks_of_its_file_and_proves_that_they_are_back(pool: Pool) -> None:
    report = drill.drill(drill.target("tank"), say=lambda words: None)
    assert (report.damaged, report.repaired, report.errors) == (8 * drill.RECORD, 8 * drill.RECORD, 8)
    assert report.scan.startswith("scrub repaired")
    order = [words for words in pool.said if words.split()[1] in ("offline", "online", "scrub", "clear", "destroy")]
    assert order == [
        "zpool offline -t tank 11",
        "zpool online tank 11",
        "zpool scrub -w tank",
        "zfs destroy tank/zroot-drill",
        "zpool clear tank 11",
    ]
    assert not drill.FOLDER.exists()


def test_what_is_not_its_own_file_is_never_overwritten(pool: Pool) -> None:
    before = pool.members[1].read_bytes()
    pool.elsewhere = 0x400000 - 0x1000
    with pytest.raises(Refusal, match="not where zroot looks"):
        drill.drill(drill.target("tank"), say=lambda words: None)
    assert not any("offline" in words for words in pool.said)
    assert pool.members[1].read_bytes()[:FRONT] == before[:FRONT]
    assert not pool.dataset


def test_a_scrub_that_came_too_early_is_repeated(pool: Pool) -> None:
    """A scrub begun while a resilver is due looks at nothing but what was missed offline."""
    pool.early = 2
    report = drill.drill(drill.target("tank"), say=lambda words: None)
    assert report.repaired == report.damaged
    assert pool.said.count("zpool scrub -w tank") == 3


def test_damage_that_stays_is_a_failure_and_says_so(pool: Pool) -> None:
    pool.repairs = False
    with pytest.raises(Failure, match="0 of 1048576 bytes"):
        drill.drill(drill.target("tank"), say=lambda words: None)
    assert not pool.dataset


def test_a_member_that_does_not_come_back_is_named(pool: Pool) -> None:
    pool.fails = "zpool online"
    with pytest.raises(Failure, match="could not be taken online") as failed:
        drill.drill(drill.target("tank"), say=lambda words: None)
    assert "zpool online tank 11" in failed.value.hint
    assert not pool.dataset


def test_a_failing_scrub_leaves_neither_file_nor_member_offline(pool: Pool) -> None:
    pool.fails = "zpool scrub"
    with pytest.raises(ZrootError):
        drill.drill(drill.target("tank"), say=lambda words: None)
    assert not pool.dataset
    assert "zpool online tank 11" in pool.said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"health": "DEGRADED"}, "is DEGRADED"),
        ({"bootfs": "tank/ROOT"}, "root pool of a system"),
        ({"status": HEALTHY.replace("scrub repaired", "scrub in progress")}, "is busy"),
        ({"status": HEALTHY.replace("No known data errors", "1 data error")}, "has errors already"),
        ({"dataset": True}, "earlier drill was cut off"),
    ],
)
def test_refuses_a_pool_that_is_not_well(pool: Pool, change: dict[str, Any], words: str) -> None:
    for name, value in change.items():
        setattr(pool, name, value)
    with pytest.raises(Refusal, match=words):
        drill.target("tank")


def test_refuses_an_unknown_pool_and_names_those_that_are_imported(pool: Pool) -> None:
    with pytest.raises(Refusal, match="No pool called other") as refused:
        drill.target("other")
    assert "rpool, tank" in refused.value.message


def test_only_root_may(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Refusal, match="only root may"):
        drill.target("tank")


def test_command_line_wants_the_name_again(pool: Pool, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["drill", "tank"]) == Exit.REFUSED
    assert "Nobody agreed" in capsys.readouterr().err
    assert cli.main(["drill", "tank", "--yes-damage", "other"]) == Exit.REFUSED
    assert not any(words.startswith("zfs create") for words in pool.said)
    assert cli.main(["drill", "tank", "--yes-damage", "tank"]) == Exit.DONE
    assert "1048576 of 1048576 bytes are whole again" in capsys.readouterr().out
