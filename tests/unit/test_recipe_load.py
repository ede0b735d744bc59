"""A recipe that cannot be read is refused with the key's path, the value and the remedy."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from installer.errors import Exit, Refusals
from installer.recipe.load import load, parse
from installer.recipe.model import CryptKind, Recipe, SwapKind, VdevKind
from installer.recipe.size import Size

HERE = Path(__file__).parent
MAIN = HERE.parents[1] / "recipes" / "debian-luks-mirror.toml"
BAD = sorted((HERE / "recipes" / "bad").glob("*.toml"))


def refusal(text: str) -> str:
    with pytest.raises(Refusals) as refused:
        parse(text)
    assert refused.value.exit is Exit.REFUSED
    return str(refused.value)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_recipe_is_refused_in_the_words_it_expects(path: Path) -> None:
    """fault 31, fault 32, fault 33

    The words stand in `# says: ...` at the top of the file, with `# problems: 2` where one mistake makes two.
    """
    text = path.read_text()
    said = refusal(text)
    expected = re.findall(r"^# says: (.+)$", text, flags=re.MULTILINE)
    assert expected
    for words in expected:
        assert words in said
    count = re.search(r"^# problems: (\d+)$", text, flags=re.MULTILINE)
    assert f"{count[1] if count else 1} problem" in said
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", said)


def test_reads_the_shipped_recipe() -> None:
    recipe = load(MAIN)
    assert list(recipe.disks) == ["a", "b"]
    assert recipe.partition[1].size == Size.parse("512M")
    assert recipe.crypt["pool"].kind is CryptKind.LUKS2
    assert recipe.pool["rpool"].vdevs[0].kind is VdevKind.MIRROR
    assert recipe.swap.kind is SwapKind.ZRAM


def test_all_problems_are_found_at_once() -> None:
    text = MAIN.read_text().replace("ashift = 12", 'ashift = "12"').replace("timeout = 3", "timeout = 99\nlodaer = 1")
    said = refusal(text)
    assert "pool.rpool.ashift" in said
    assert "boot.timeout" in said
    assert "boot.lodaer" in said
    assert "3 problems found" in said


def test_only_the_first_of_very_many_problems_are_shown() -> None:
    said = refusal("zroot = 1\n" + "".join(f"key{number} = 1\n" for number in range(2000)))
    assert "... and 1983 more." in said
    assert said.count("\n\n") < 25


@pytest.mark.parametrize("underscore", ["min_size", "by_id"])
def test_keys_have_hyphens_only(underscore: str) -> None:
    text = MAIN.read_text().replace("a = {}", f'a = {{ {underscore} = "1G" }}')
    assert f"Did you mean {underscore.replace('_', '-')}?" in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("zroot = 1\nx = " + "[" * 200_000, id="nested lists"),
        pytest.param("zroot = 1\nx = " + "[" * 500 + "]" * 500, id="closed lists"),
        pytest.param("zroot = 1\nx = " + "{a=" * 100_000, id="nested tables"),
        pytest.param("a" + ".a" * 400_000 + " = 1", id="dotted key"),
        pytest.param("zroot = 1\nx = " + "9" * 100_000, id="long number"),
        pytest.param("zroot = 1\n" + "[[a]]\n" * 150_000, id="many tables"),
        pytest.param("zroot = 1\n#" + "x" * 2_000_000, id="too long"),
        pytest.param("", id="empty"),
        pytest.param("\0" * 1000, id="zeros"),
    ],
)
def test_refuses_hostile_text_fast(text: str) -> None:
    """fault 34"""
    began = time.process_time()  # how long others keep the machine busy is no matter
    assert len(refusal(text)) < 5000
    assert time.process_time() - began < 5


def test_refuses_what_is_no_text_file(tmp_path: Path) -> None:
    """fault 34"""
    large, binary, pipe = tmp_path / "large", tmp_path / "binary", tmp_path / "pipe"
    with large.open("wb") as file:
        file.truncate(100 * 1024**2)
    binary.write_bytes(b"zroot = 1\ntitle = '\xff\xfe'\n")
    os.mkfifo(pipe)
    for path, said in [
        (large, "too large"),
        (binary, "line 2: not UTF-8"),
        (pipe, "not a regular file"),
        (tmp_path, "Is a directory"),
        (Path("/dev/zero"), "not a regular file"),
        (tmp_path / "absent", "No such file or directory"),
        (Path("nul\0byte"), "cannot be read"),
    ]:
        with pytest.raises(Refusals, match=said):
            load(path)


def test_reads_a_file_that_an_editor_on_windows_saved(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"\xef\xbb\xbf" + MAIN.read_bytes().replace(b"\n", b"\r\n"))
    assert load(path) == load(MAIN)


@pytest.mark.parametrize(
    ("text", "count", "written"),
    [("512M", 512 * 1024**2, "512M"), ("1024M", 1024**3, "1G"), ("4TiB", 4 * 1024**4, "4T"), ("513B", 513, "513B")],
)
def test_sizes_have_binary_units(text: str, count: int, written: str) -> None:
    assert Size.parse(text) == count
    assert str(Size.parse(text)) == written


@pytest.mark.parametrize("text", ["512", "1.5G", "1GB", "-1G", "1 G", "", "1g", 512])
def test_sizes_without_a_clear_unit_are_refused(text: object) -> None:
    with pytest.raises(ValueError, match="whole number with a unit"):
        Size.parse(text)


def test_recipe_cannot_be_changed() -> None:
    recipe: Recipe = load(MAIN)
    with pytest.raises(ValueError, match="frozen"):
        recipe.title = "other"  # type: ignore[misc]
