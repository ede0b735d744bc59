"""Where zdb says that a file's blocks are: its words read, and a raidz dealt out as OpenZFS does it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from installer.run.blocks import FRONT, Block, Member, Piece, Vdev, blocks, columns, piece, vdevs

HERE = Path(__file__).parent / "zdb"
RAIDZ = sorted(HERE.glob("raidz*.json"))
K = 1024


def raidz(parity: int, width: int, *, ashift: int = 12) -> Vdev:
    members = tuple(Member(guid=str(number), path=f"/dev/{number}", kind="disk") for number in range(width))
    return Vdev(number=0, kind="raidz", parity=parity, ashift=ashift, role="data", members=members)


STATUS = "config:\n\n\tNAME ST\n\tdrl ONLINE\n\t  743789676562064112 ONLINE\n"


def test_reads_the_vdevs_of_a_mirror() -> None:
    (mirror,) = vdevs((HERE / "mirror.config").read_text(), STATUS)
    assert (mirror.kind, mirror.number, mirror.ashift, mirror.role) == ("mirror", 0, 12, "data")
    assert [member.path[-7:] for member in mirror.members] == ["A-part1", "B-part1"]
    assert mirror.members[1].guid == "13870230666519870945"


@pytest.mark.parametrize("role", ["special", "dedup", "logs"])
def test_tells_the_roles_of_vdevs_apart(role: str) -> None:
    """Only zpool has them: zdb writes out a special vdev like any other."""
    status = STATUS.replace("\t  743789676562064112", f"\t  99 ONLINE\n\t{role}\t\n\t  743789676562064112")
    (mirror,) = vdevs((HERE / "mirror.config").read_text(), status)
    assert mirror.role == role


def test_passes_over_what_is_left_of_removed_vdevs() -> None:
    assert vdevs((HERE / "mirror.config").read_text().replace("type: 'mirror'", "type: 'hole'"), STATUS) == ()


def test_reads_the_blocks_of_a_file_that_are_stored_as_they_are() -> None:
    """One of those in the file is compressed (10000P), one is an indirect block."""
    found = blocks((HERE / "mirror.file").read_text())
    assert found[0] == Block(file=0, vdev=0, address=0x61000, size=128 * K)
    assert [block.file for block in found] == [0, 0x20000, 0x60000, 0x1A0000]
    assert [block.vdev for block in found] == [0, 0, 1, 0]


def test_a_mirror_holds_a_block_whole_behind_labels_and_boot_area() -> None:
    (mirror,) = vdevs((HERE / "mirror.config").read_text(), STATUS)
    block = Block(file=0x20000, vdev=0, address=0x81000, size=128 * K)
    assert piece(mirror, 1, block) == Piece(file=0x20000, device=0x481000, size=128 * K)


@pytest.mark.parametrize("path", RAIDZ, ids=lambda path: path.stem)
def test_a_raidz_has_each_piece_where_it_was_found_on_the_disks(path: Path) -> None:
    """Each piece was compared with the file, byte by byte, on the machine that wrote it."""
    recorded = json.loads(path.read_text())
    (vdev,) = vdevs(recorded["config"], "")
    for member, expected in recorded["pieces"].items():
        found = [piece(vdev, int(member), block) for block in blocks(recorded["file"])]
        assert [one and [one.file, one.device, one.size] for one in found] == expected


@pytest.mark.parametrize(("parity", "width"), [(1, 2), (1, 3), (1, 5), (2, 4), (2, 6), (3, 5), (3, 11)])
@pytest.mark.parametrize("sectors", [1, 2, 3, 7, 32])
def test_a_raidz_deals_out_every_byte_once_and_nothing_twice(parity: int, width: int, sectors: int) -> None:
    vdev = raidz(parity, width)
    data = width - parity
    taken: set[tuple[int, int]] = set()
    address = 0x7F000 * width
    for number in range(40):
        block = Block(file=number * sectors * 4 * K, vdev=0, address=address, size=sectors * 4 * K)
        dealt = columns(vdev, block)
        assert sum(column.size for column in dealt[parity:]) == block.size
        assert len({column.member for column in dealt}) == len(dealt)
        places = {(one.member, one.address + at) for one in dealt for at in range(0, one.size, 4 * K)}
        assert len(places) == sectors + parity * -(-sectors // data)
        assert not places & taken, "two blocks on the same sector"
        taken |= places
        # What ZFS takes for a block is a multiple of parity + 1.
        address += -(-len(places) // (parity + 1)) * (parity + 1) * 4 * K


def test_pieces_of_a_raidz_follow_one_another_in_the_file() -> None:
    vdev = raidz(1, 4)
    block = Block(file=128 * K, vdev=0, address=0, size=128 * K)
    assert piece(vdev, 0, block) is None, "it has the parity"
    assert piece(vdev, 1, block) == Piece(file=128 * K, device=FRONT, size=44 * K)
    assert piece(vdev, 2, block) == Piece(file=172 * K, device=FRONT, size=44 * K)
    assert piece(vdev, 3, block) == Piece(file=216 * K, device=FRONT, size=40 * K)


def test_raidz1_exchanges_its_first_columns_in_every_second_mebibyte() -> None:
    vdev = raidz(1, 4)
    even = columns(vdev, Block(file=0, vdev=0, address=0, size=128 * K))
    odd = columns(vdev, Block(file=0, vdev=0, address=1024 * K, size=128 * K))
    assert [column.member for column in even] == [0, 1, 2, 3]
    assert [column.member for column in odd] == [1, 0, 2, 3]
    assert [column.member for column in columns(raidz(2, 4), Block(file=0, vdev=0, address=1024 * K, size=8 * K))][
        :2
    ] == [
        0,
        1,
    ]
