"""Rules across the keys of a recipe: one example in recipes/rules/ breaks each."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from installer.errors import Refusals
from installer.recipe.load import parse
from installer.recipe.model import Recipe
from installer.recipe.rules import RULES, check, require
from tests.unit.plans import bound, laid_over_the_mirror

HERE = Path(__file__).parent
SHIPPED = sorted((HERE.parents[1] / "recipes").glob("*.toml"))
MIRROR = HERE.parents[1] / "recipes" / "debian-luks-mirror.toml"
EXAMPLES = HERE / "recipes" / "rules"


def example(name: str) -> Recipe:
    return laid_over_the_mirror(EXAMPLES / f"{name}.toml")


def test_every_rule_has_an_example_and_every_example_a_rule() -> None:
    ids = [rule.id for rule in RULES]
    assert sorted(ids) == sorted(path.stem for path in EXAMPLES.glob("*.toml"))
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_fires_on_its_example(rule: Any) -> None:
    recipe = example(rule.id)
    assert rule.check(recipe), "the rule itself finds nothing"
    refusal = next(problem for problem in check(recipe) if problem.message == rule.reason)
    assert refusal.title
    assert refusal.hint == rule.remedy


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_speaks_in_sentences(rule: Any) -> None:
    for words in (rule.reason, rule.remedy, *(problem.title for problem in rule.check(example(rule.id)))):
        assert words.endswith((".", '"', "?")), words
        assert words.isascii(), words


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipe_breaks_no_rule_once_disks_are_bound(path: Path) -> None:
    require(parse(bound(path)))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_recipe_chooses_no_disk_by_itself(path: Path) -> None:
    with pytest.raises(Refusals) as refused:
        require(parse(path.read_text()))
    assert "--disk ROLE=SERIAL" in str(refused.value)


def test_refuses_mirror_of_one_disk() -> None:
    """fault 15"""
    base = tomllib.loads(bound(MIRROR))
    del base["disks"]["b"]
    titles = [problem.title for problem in check(Recipe.model_validate(base))]
    assert 'pool.rpool.vdevs[0]: "mirror" over 1 member.' in titles
    assert not any(title.startswith("raid.boot") for title in titles), "md may begin with one member, and is then grown"


@pytest.mark.parametrize(
    ("over", "pool", "words"),
    [
        ("crypt.boot", {}, "/boot lies over an encrypted layer"),
        ("", {}, "over an encrypted layer"),
        ("", {"over": "partition.pool", "encryption": {}}, "which is encrypted"),
        ("", {"over": "partition.pool"}, 'no compatibility = "grub2"'),
        ("", {"over": "partition.pool", "properties": {"compatibility": "grub2"}}, ""),
    ],
)
def test_refuses_a_boot_folder_that_grub_cannot_read(over: str, pool: dict[str, Any], words: str) -> None:
    """fault 52, fault 53: it opens no argon2, no encrypted dataset, and no pool with newer features."""
    base = tomllib.loads(bound(MIRROR))
    root = base["pool"]["rpool"]
    if over:
        base["crypt"]["boot"] = {"over": "partition.boot"}
        base["raid"]["boot"]["over"] = over
    else:
        del base["raid"]
    if "over" in pool:
        del base["crypt"]
        root["vdevs"] = [{"kind": "mirror", "over": pool["over"]}]
    root |= {key: pool[key] for key in ("encryption", "properties") if key in pool}
    titles = [problem.title for problem in check(Recipe.model_validate(base))]
    assert len(titles) == bool(words)
    assert all(words in title for title in titles)


@pytest.mark.parametrize("metadata", ["1.0", "1.2"])
@pytest.mark.parametrize(
    ("esp", "words"),
    [
        ("raid.esp", "boot.esp: raid.esp is not a partition."),
        ("partition.esp", "partition.esp is used by raid.esp.over and by boot.esp."),
    ],
)
def test_refuses_an_esp_on_an_array(esp: str, words: str, metadata: str) -> None:
    """fault 73: firmware may write to it, and to one half alone."""
    base = tomllib.loads(bound(MIRROR))
    base["raid"]["esp"] = {"over": "partition.esp", "metadata": metadata, "filesystem": "ext4", "mount": "/boot/efi"}
    base["boot"]["esp"] = esp
    assert words in [problem.title for problem in check(Recipe.model_validate(base))]


def test_disk_taken_whole_is_no_member_of_partitions() -> None:
    """fault 15: with disk b as a spare, the mirror over the partitions has one member."""
    base = tomllib.loads(bound(MIRROR))
    base["pool"]["rpool"]["vdevs"].append({"kind": "single", "over": "disk.b", "role": "spare"})
    titles = [problem.title for problem in check(Recipe.model_validate(base))]
    assert 'pool.rpool.vdevs[0]: "mirror" over 1 member.' in titles


@pytest.mark.parametrize(
    ("kind", "disks", "fits"),
    [
        ("single", 1, True),
        ("single", 2, False),
        ("stripe", 1, False),
        ("mirror", 3, True),
        ("striped-mirrors", 3, False),
        ("striped-mirrors", 4, True),
        ("striped-mirrors", 5, False),
        ("raidz1", 2, True),
        ("raidz1", 1, False),
        ("raidz2", 3, True),
        ("raidz2", 2, False),
        ("raidz3", 4, True),
        ("raidz3", 3, False),
        ("draid2", 2, False),
    ],
)
def test_counts_members_of_a_vdev(kind: str, disks: int, fits: bool) -> None:
    """fault 15"""
    recipe = Recipe.model_validate(
        {
            "zroot": 1,
            "title": "storage",
            "disks": {f"d{n}": {"serial": f"S{n}"} for n in range(disks)},
            "pool": {"tank": {"vdevs": [{"kind": kind, "over": [f"disk.d{n}" for n in range(disks)]}]}},
            "system": {"source": "none"},
        }
    )
    assert (check(recipe) == ()) is fits


def test_says_all_problems_at_once() -> None:
    base = tomllib.loads(bound(MIRROR))
    base["boot"]["arguments"] = ["root=/dev/sda1"]
    base["system"]["hostname"] = "localhost"
    assert len(check(Recipe.model_validate(base))) == 2
