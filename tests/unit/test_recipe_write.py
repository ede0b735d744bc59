"""What is written reads back the same, with comments; the schema says what the reader accepts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from installer.errors import Refusals
from installer.recipe.load import known_keys, load, parse
from installer.recipe.model import Recipe
from installer.recipe.reasons import REASONS, RECOMMENDED
from installer.recipe.rules import check
from installer.recipe.schema import as_text, schema
from installer.recipe.write import dump, rebind, selector

HERE = Path(__file__).parent
MAIN = HERE.parents[1] / "recipes" / "debian-luks-mirror.toml"
BOUND = sorted((HERE / "recipes" / "good").glob("*.toml"))
GOOD = BOUND + sorted(MAIN.parent.glob("*.toml"))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_whole_recipe_round_trip(path: Path) -> None:
    recipe = load(path)
    text = dump(recipe)
    assert parse(text) == recipe
    assert dump(parse(text)) == text


@pytest.mark.parametrize("path", BOUND, ids=lambda path: path.stem)
def test_good_recipe_breaks_no_rule(path: Path) -> None:
    """The vocabulary has room for every seed."""
    assert [str(problem) for problem in check(load(path))] == []


def test_good_recipes_say_every_key_there_is() -> None:
    """Otherwise the round trip proves less than it seems to."""
    said = "\n".join(path.read_text() for path in GOOD)
    unsaid = {key for model in _models(Recipe) for key in _keys(model) if not re.search(rf"\b{key}\b\s*[=.\]]", said)}
    assert unsaid == set()


def _models(model: type[BaseModel]) -> set[type[BaseModel]]:
    return {model}.union(*(_models(found) for found in _inner(model)))


def _inner(model: type[BaseModel]) -> list[type[BaseModel]]:
    def inside(annotation: Any) -> list[type[BaseModel]]:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return [annotation]
        return [found for part in getattr(annotation, "__args__", ()) for found in inside(part)]

    return [found for field in model.model_fields.values() for found in inside(field.annotation)]


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def test_written_recipe_says_why() -> None:
    text = dump(load(MAIN))
    assert f"# {REASONS['boot.wait']}\nwait = 20" in text
    assert f"# {REASONS['pool.*.filesystem.xattr']}\nxattr = " in text


def test_reason_of_a_default_is_not_given_for_another_value() -> None:
    text = dump(load(HERE / "recipes" / "good" / "key-device.toml"))
    assert "wait = 60" in text
    assert REASONS["boot.wait"] not in text


@pytest.mark.parametrize("path", REASONS)
def test_reason_belongs_to_a_key_that_exists(path: str) -> None:
    table, _, key = path.rpartition(".")
    if table in RECOMMENDED:
        assert key in RECOMMENDED[table]
    else:
        assert key in known_keys(tuple(table.replace("*", "name").split(".")) if table else ())
    assert REASONS[path].isascii()
    assert REASONS[path].endswith(".")


def test_every_recommended_property_has_a_reason() -> None:
    assert {f"{table}.{key}" for table, properties in RECOMMENDED.items() for key in properties} <= set(REASONS)


def test_binding_keeps_comments_and_all_else() -> None:
    before = MAIN.read_text()
    after = rebind(before, {"a": "S4EWNX0R 1/2'3", "b": "/dev/disk/by-path/pci-0000:00:04.0"})
    comments = re.findall(r"#.*", before)
    assert re.findall(r"#.*", after) == comments
    bound = parse(after)
    assert bound.disks["a"].serial == "S4EWNX0R 1/2'3"
    assert bound.disks["b"].by_path == "/dev/disk/by-path/pci-0000:00:04.0"
    assert bound.model_copy(update={"disks": parse(before).disks}) == parse(before)


@pytest.mark.parametrize(
    "disks",
    [
        '[disks.a]\nmodel = "ST4000" # mine\nmin-size = "1T"\n\n# next\n[disks.b]\nserial = "B"\n',
        'disks.a.serial = "old"\ndisks.b.serial = "B"\n',
        'disks = { a = { serial = "old", wwn = "0x1" }, b = { serial = "B" } }\n',
        '[disks]\na.serial = "old"\nb = {}\n',
    ],
)
def test_binding_replaces_a_selector_however_it_is_written(disks: str) -> None:
    text = 'zroot = 1\ntitle = "t"\n' + disks + '[pool.tank]\nvdevs = [{ kind = "single", over = "disk.a" }]\n'
    bound = parse(rebind(text, {"a": "NEW"}))
    assert bound.disks["a"].model_dump(exclude_none=True) == {"serial": "NEW"}
    assert bound.disks["b"] == parse(text).disks["b"]


def test_binding_an_unknown_role_names_the_known_ones() -> None:
    with pytest.raises(Refusals, match=r'no disk "c"(?s:.*)a, b'):
        rebind(MAIN.read_text(), {"c": "SERIAL"})


@pytest.mark.parametrize(
    ("identity", "key"),
    [
        ("S4EWNX0R123456", "serial"),
        ("0x1234", "serial"),
        ("0x5000c50015ea71aa", "wwn"),
        ("eui.0025385b71b00000", "wwn"),
        ("/dev/disk/by-path/pci-0000:00:04.0", "by-path"),
        ("/dev/disk/by-id/virtio-one", "by-id"),
    ],
)
def test_identity_selects_by_what_it_is(identity: str, key: str) -> None:
    assert selector(identity) == (key, identity)


def test_schema_describes_every_key() -> None:
    described = schema()
    assert described["additionalProperties"] is False
    assert set(described["properties"]) == set(known_keys(()))
    assert described["$defs"]["Disk"]["properties"]["min-size"]["anyOf"][0]["pattern"]
    assert described["$defs"]["Boot"]["properties"]["wait"]["description"]
    assert as_text().endswith("}\n")
