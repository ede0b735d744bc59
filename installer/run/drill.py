"""A drill on a redundant pool: damage to a file of its own on one member, which ZFS finds and repairs.

Nothing else is touched: before a byte is overwritten, what the member has in that place is compared with the file.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from installer.errors import Failure, Refusal, ZrootError
from installer.frozen import Frozen
from installer.process import Completed, ProgramError, run
from installer.run.blocks import Block, Member, Piece, Vdev, blocks, piece, vdevs

DATASET = "zroot-drill"
FOLDER = Path("/run/zroot-drill")
RECORD = 128 * 1024
RECORDS = 16
MOST = 8
"""Blocks that are damaged at most: at ten errors within ten minutes zed takes the member for failing."""
AS_IT_IS = {
    # Whatever altroot the pool was imported with: it is mounted by hand.
    "mountpoint": "legacy",
    "recordsize": str(RECORD),
    "compression": "off",
    "dedup": "off",
    "copies": "1",
    "encryption": "off",
}
"""Properties with which the bytes of the file are the bytes on the disks."""
SCRUB = 60 * 24 * 3600
"""Seconds in which even the largest pool has been read."""
SCRUBS = 3
TRIES = 5
NO_ERRORS = "errors: No known data errors"

Say = Callable[[str], None]


class Target(Frozen):
    """A pool on which a drill may be held."""

    pool: str
    guid: str
    folders: tuple[str, ...]
    """Where zdb finds the members."""
    vdevs: tuple[Vdev, ...]
    """Those with redundancy; the file decides which of them is damaged."""
    special: bool
    """Whether small blocks may go to a vdev of their own."""
    used: str
    """What the scrub has to read, as zpool writes it."""

    @property
    def words(self) -> str:
        """What a person consents to."""
        members = "".join(f"\n    {_last(vdev).path}, in its {vdev.kind} {vdev.number}" for vdev in self.vdevs)
        return (
            f"A file of {RECORDS * RECORD // 1024} KiB is written to the pool {self.pool}. One member is taken offline,"
            f" at most {MOST} blocks of that file are overwritten on it, and it is taken online again:{members}\n"
            f"A scrub of the whole pool ({self.used}) must find and repair the damage. Until it has ended the pool has"
            " less redundancy than usual: have a copy of what is in it."
        )


class Report(Frozen):
    """What a drill showed."""

    member: str
    damaged: int
    """Bytes overwritten on the member."""
    repaired: int
    """Bytes of them that are back there, compared one by one."""
    errors: int
    """Checksum errors that ZFS counted on the member."""
    scan: str
    """What zpool says about the scrub."""


def target(pool: str) -> Target:
    """Find out what a drill may damage; raises Refusal where none may be held."""
    if os.geteuid() != 0:
        raise Refusal(
            "A drill takes a device of the pool offline: only root may.", hint=f"Run: sudo zroot drill {pool}"
        )
    listed = _run("zpool", "list", "-H", "-p", "-o", "name,guid,health,bootfs").out.splitlines()
    known = {line.split("\t")[0]: line.split("\t")[1:] for line in listed}
    if pool not in known:
        raise Refusal(
            f"No pool called {pool} is imported.",
            message=f"Imported are: {', '.join(known) or 'none'}.",
            hint="Import it first: zpool import",
        )
    guid, health, bootfs = known[pool]
    if health != "ONLINE":
        raise Refusal(
            f"The pool {pool} is {health}, not ONLINE.",
            message="A drill takes redundancy away for a while, and there is none to spare.",
            hint=f"Mend the pool first: zpool status {pool}",
        )
    if bootfs != "-" or pool == _root_pool():
        raise Refusal(
            f"The pool {pool} is the root pool of {'this' if pool == _root_pool() else 'a'} system.",
            hint="Hold the drill on a pool with data alone.",
        )
    _refuse_trouble(pool)
    words = _run("zpool", "list", "-v", "-H", "-P", pool).out.split()
    folders = tuple(dict.fromkeys(os.path.dirname(word) for word in words if word.startswith("/")))
    found = vdevs(_zdb(folders, "-C", guid), _run("zpool", "status", "-g", pool).out)
    return Target(
        pool=pool,
        guid=guid,
        folders=folders,
        vdevs=choose(pool, found),
        special=any(vdev.role == "special" for vdev in found),
        used=_run("zpool", "list", "-H", "-o", "allocated", pool).out.strip(),
    )


def choose(pool: str, found: tuple[Vdev, ...]) -> tuple[Vdev, ...]:
    """Return the vdevs on which a drill can work; raises Refusal if there is none."""
    data = [vdev for vdev in found if vdev.role == "data"]
    redundant = [vdev for vdev in data if vdev.kind in ("mirror", "raidz")]
    if any(member.kind not in ("disk", "file") for vdev in redundant for member in vdev.members):
        raise Refusal(f"A member of the pool {pool} is being replaced.", hint=f"Wait for it: zpool wait {pool}")
    if redundant:
        return tuple(redundant)
    if any(vdev.kind == "draid" for vdev in data):
        raise Refusal(
            f"The pool {pool} is a draid, and zroot cannot tell where on its members a block lies.",
            hint="Hold the drill on a mirror or a raidz. A scrub finds damage on a draid all the same.",
        )
    raise Refusal(
        f"The pool {pool} has no redundancy: what a drill damages could not be repaired.",
        hint="Attach a second disk to make a mirror: zpool attach",
    )


def _root_pool() -> str:
    mounted = (line.split(" ") for line in Path("/proc/self/mounts").read_text().splitlines())
    return next((source.split("/")[0] for source, point, kind, *_ in mounted if kind == "zfs" and point == "/"), "")


def _refuse_trouble(pool: str) -> None:
    status = _run("zpool", "status", pool).out
    if "in progress" in status:
        raise Refusal(f"The pool {pool} is busy with a scrub or a resilver.", hint=f"Wait for it: zpool wait {pool}")
    if NO_ERRORS not in status:
        raise Refusal(f"The pool {pool} has errors already.", message=status, hint="Mend them first.")
    if _exists(f"{pool}/{DATASET}"):
        raise Refusal(
            f"There is {pool}/{DATASET} already: an earlier drill was cut off.",
            hint=f"Remove it, and what was damaged with it: zfs destroy {pool}/{DATASET}",
        )


def drill(target: Target, *, say: Say) -> Report:
    """Damage, repair, prove. Whatever happens, the file is removed, and any damage with it."""
    with _file(target) as file:
        vdev, pieces = _pieces(target, file)
        member = _last(vdev)
        say(f"{len(pieces)} blocks of {file} were found on {member.path}.")
        with _offline(target.pool, member):
            for one in pieces:
                _overwrite(member, one)
        damaged = sum(one.size for one in pieces)
        say(f"{damaged} bytes were overwritten there while it was offline. Now the scrub: {target.used} to read.")
        report = _scrub(target, file, member, pieces)
    _run("zpool", "clear", target.pool, member.guid)
    _prove(target, report)
    return report


@contextlib.contextmanager
def _file(target: Target) -> Iterator[Path]:
    """Give a file of random bytes in a dataset of its own."""
    dataset, file = f"{target.pool}/{DATASET}", FOLDER / "file"
    properties = AS_IT_IS | ({"special_small_blocks": "0"} if target.special else {})
    options = [word for key, value in properties.items() for word in ("-o", f"{key}={value}")]
    _run("zfs", "create", "-u", *options, dataset)
    try:
        FOLDER.mkdir(mode=0o700, exist_ok=True)
        _run("mount", "--types", "zfs", dataset, str(FOLDER))
        random = ("if=/dev/urandom", f"bs={RECORD}", f"count={RECORDS}", "iflag=fullblock")
        _run("dd", *random, f"of={file}", "conv=fsync", "status=none")
        _run("zpool", "sync", target.pool)
        yield file
    finally:
        if os.path.ismount(FOLDER):
            _run("umount", str(FOLDER))
        _run("zfs", "destroy", dataset)
        with contextlib.suppress(OSError):
            FOLDER.rmdir()


def _pieces(target: Target, file: Path) -> tuple[Vdev, list[Piece]]:
    """Find the blocks of the file on the last member of the vdev that has most of them, and compare them."""
    found = _blocks(target, file)
    vdev = max(target.vdevs, key=lambda one: sum(block.vdev == one.number for block in found))
    place = len(vdev.members) - 1
    held = [piece(vdev, place, block) for block in found if block.vdev == vdev.number]
    pieces = [one for one in held if one][:MOST]
    member = _last(vdev)
    if not pieces or not all(_same(file, member, one) for one in pieces):
        raise Refusal(
            f"The file's blocks are not where zroot looks for them on {member.path}.",
            message="Nothing was damaged: this pool lays its blocks out in a way that zroot does not know.",
            hint="Please report it, with the output of zpool status and zdb -C.",
        )
    return vdev, pieces


def _blocks(target: Target, file: Path) -> tuple[Block, ...]:
    """Ask zdb, again if need be: it reads the disks of a pool that goes on being written to."""
    number = file.stat().st_ino
    for left in range(TRIES, 0, -1):
        try:
            found = blocks(_zdb(target.folders, "-ddddd", f"{target.guid}/{DATASET}", str(number)))
        except ProgramError:
            if left == 1:
                raise
            found = ()
        if len(found) == RECORDS:
            return found
        time.sleep(1)
    raise Refusal(f"zdb found {len(found)} of the {RECORDS} blocks of {file}.", hint="Nothing was damaged: try again.")


@contextlib.contextmanager
def _offline(pool: str, member: Member) -> Iterator[None]:
    # -t: after a power cut it comes back by itself.
    _run("zpool", "offline", "-t", pool, member.guid)
    try:
        yield
    finally:
        try:
            _run("zpool", "online", pool, member.guid)
        except ZrootError as error:
            raise Failure(
                f"{member.path} could not be taken online again.",
                message=f"{error.title}\n{error.message}".strip(),
                hint=f"The pool {pool} works without it. Look at its cable, then: zpool online {pool} {member.guid}",
            ) from error


def _overwrite(member: Member, one: Piece) -> None:
    place = (f"of={member.path}", f"bs={one.size}", "count=1", f"seek={one.device}", f"oflag=seek_bytes{_past(member)}")
    _run("dd", "if=/dev/urandom", "iflag=fullblock", *place, "conv=notrunc,fsync", "status=none")


def _same(file: Path, member: Member, one: Piece) -> bool:
    copy = FOLDER.with_name(f"{FOLDER.name}-piece")
    place = (f"if={member.path}", f"bs={one.size}", "count=1", f"skip={one.device}", f"iflag=skip_bytes{_past(member)}")
    try:
        _run("dd", *place, f"of={copy}", "status=none")
        where = (f"--ignore-initial={one.file}:0", f"--bytes={one.size}")
        return run(["cmp", "--silent", *where, str(file), str(copy)], success=(0, 1)).status == 0
    finally:
        copy.unlink(missing_ok=True)


def _past(member: Member) -> str:
    """Return the flag that leads past the kernel's cache of a disk, as ZFS goes.

    The cache may hold what ZFS has written anew since, and works by the page: with blocks of 512 bytes it would put old
    content back beside the piece.
    """
    return ",direct" if member.kind == "disk" else ""


def _scrub(target: Target, file: Path, member: Member, pieces: list[Piece]) -> Report:
    """Scrub, and once more if the damage is still there.

    The resilver of what the member missed begins a moment after it is back, and a scrub that begins before that looks
    at nothing but what was missed (dsl_scan_setup_sync() takes its range of transactions).
    """
    for left in range(SCRUBS, 0, -1):
        try:
            _run("zpool", "wait", "-t", "resilver", target.pool, timeout=SCRUB)
            _run("zpool", "scrub", "-w", target.pool, timeout=SCRUB)
        except ProgramError:  # the resilver began between the two
            if left == 1:
                raise
        report = _report(target, file, member, pieces)
        if report.repaired == report.damaged:
            break
        time.sleep(1)
    return report


def _report(target: Target, file: Path, member: Member, pieces: list[Piece]) -> Report:
    status = _run("zpool", "status", "-g", "-p", target.pool).out.splitlines()
    rows = (line.split() for line in status)
    errors = next((int(row[4]) for row in rows if len(row) >= 5 and row[0] == member.guid), 0)
    scan = next((line.partition("scan:")[2].strip() for line in status if "scan:" in line), "")
    return Report(
        member=member.path,
        damaged=sum(one.size for one in pieces),
        repaired=sum(one.size for one in pieces if _same(file, member, one)),
        errors=errors,
        scan=scan,
    )


def _prove(target: Target, report: Report) -> None:
    status = _run("zpool", "status", target.pool).out
    healthy = "state: ONLINE" in status and NO_ERRORS in status and not _exists(f"{target.pool}/{DATASET}")
    if report.repaired != report.damaged or not healthy:
        raise Failure(
            f"The drill failed: {report.repaired} of {report.damaged} bytes are whole again on {report.member}.",
            message=status,
            hint="The drill's file is gone, so nothing of yours is damaged by it. Find out what is wrong.",
        )


def _last(vdev: Vdev) -> Member:
    return vdev.members[-1]


def _zdb(folders: tuple[str, ...], *arguments: str) -> str:
    # -e: from the members themselves. A pool that was imported with an altroot is in no cache file.
    where = [word for folder in folders for word in ("-p", folder)]
    return _run("zdb", "-e", *where, *arguments).out


def _exists(dataset: str) -> bool:
    return run(["zfs", "list", "-H", "-o", "name", dataset], success=(0, 1)).status == 0


def _run(*argv: str, timeout: float = 600) -> Completed:
    return run(argv, timeout=timeout)
