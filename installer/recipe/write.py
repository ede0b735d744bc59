"""From a recipe to TOML that a person can read and go on with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import tomlkit
from pydantic.fields import FieldInfo

from installer.errors import Refusal, Refusals, literal
from installer.recipe.load import parse
from installer.recipe.model import Recipe, RecipeModel
from installer.recipe.reasons import REASONS, reason
from installer.recipe.size import Size

HEADER = "# A zroot recipe. Secrets never stand here: a recipe only names them.\n"
LISTS_OF_TABLES = ("partition", "dataset")
LONGEST_LINE = 100
WWN = re.compile(r"^(?:0x[0-9a-f]{16}(?:[0-9a-f]{16})?|(?:eui|naa|nvme|t10|uuid)\..+)$")


def dump(recipe: Recipe) -> str:
    """Write a recipe as TOML with the reasons of its defaults; `parse(dump(recipe)) == recipe`."""
    return HEADER + "\n" + "\n".join(_table(recipe, keys=(), path="")) + "\n"


def rebind(text: str, serials: Mapping[str, str], *, source: str = "recipe") -> str:
    """Let roles of a recipe select disks by identity (serial, WWN or link), and keep its comments.

    What the recipe said before about such a disk is replaced. Raises Refusals for a role that it does not have.
    """
    if not serials:
        return text
    known = parse(text, source=source).disks
    problems = tuple(
        Refusal(f"The recipe has no disk {literal(role)}.", hint=f"Its disks are: {', '.join(known)}.")
        for role in serials
        if role not in known
    )
    if problems:
        raise Refusals(problems)
    document = tomlkit.parse(text)
    for role, identity in serials.items():
        table: Any = document["disks"][role]
        key, value = selector(identity)
        for other in [name for name in table if name != key]:
            table.remove(other)
        table[key] = value
    return tomlkit.dumps(document)


def selector(identity: str) -> tuple[str, str]:
    """Return the key and the value that select a disk by its identity."""
    for key in ("by-path", "by-id"):
        if identity.startswith(f"/dev/disk/{key}/"):
            return key, identity
    return ("wwn" if WWN.match(identity) else "serial"), identity


def _table(model: RecipeModel, *, keys: tuple[str, ...], path: str) -> Iterator[str]:
    """Write a table's own keys, then the tables in it: TOML counts what follows a header to that header."""
    tables = []
    for name, field in type(model).model_fields.items():
        key, value = field.alias or name, getattr(model, name)
        place = f"{path}.{key}".lstrip(".")
        if isinstance(value, RecipeModel | dict) or (key in LISTS_OF_TABLES and value):
            tables.append(((*keys, key), value, place))
        elif value is not None:
            yield from _key(key, value, path=place, default=_default(field))
    for inner, value, place in tables:
        yield from _inner(value, keys=inner, path=place)


def _inner(value: Any, *, keys: tuple[str, ...], path: str) -> Iterator[str]:
    """Write what stands under a header or several: a table, a table of tables, a list of tables, properties."""
    if isinstance(value, RecipeModel):
        lines = list(_table(value, keys=keys, path=path))
        if lines or value != type(value).model_construct():
            yield from ("", f"[{_dotted(keys)}]", *lines)
    elif isinstance(value, tuple):
        for entry in value:
            yield from ("", f"[[{_dotted(keys)}]]", *(f"{key} = {text}" for key, text in _inline(entry)))
    elif any(isinstance(entry, RecipeModel) for entry in value.values()):
        for name, entry in value.items():
            yield from ("", f"[{_dotted((*keys, name))}]", *_table(entry, keys=(*keys, name), path=f"{path}.*"))
    elif value:
        yield from ("", f"[{_dotted(keys)}]")
        for name, text in value.items():
            yield from _key(name, text, path=f"{path}.{name}", default=None)


def _key(key: str, value: Any, *, path: str, default: object) -> Iterator[str]:
    if value == default and path not in REASONS:
        return
    if why := reason(path, value=value, default=default):
        yield f"# {why}"
    yield f"{_dotted((key,))} = {_text(value)}"


def _inline(model: RecipeModel) -> Iterator[tuple[str, str]]:
    """Give the keys of a table that are not what they would be anyway."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if value is not None and value != _default(field):
            yield field.alias or name, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, RecipeModel):
        return "{ " + ", ".join(f"{key} = {text}" for key, text in _inline(value)) + " }"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_dotted((key,))} = {_text(text)}" for key, text in value.items()) + " }"
    if isinstance(value, tuple):
        entries = [_text(entry) for entry in value]
        line = f"[{', '.join(entries)}]"
        return line if len(line) < LONGEST_LINE else "[\n    " + ",\n    ".join(entries) + ",\n]"
    if isinstance(value, Size | StrEnum):
        return _text(str(value))
    return str(tomlkit.item(value).as_string())


def _dotted(keys: tuple[str, ...]) -> str:
    return ".".join(tomlkit.key(key).as_string() for key in keys)


def _default(field: FieldInfo) -> object:
    # PydanticUndefined, which equals no value, where the key must be said.
    return field.get_default(call_default_factory=True, validated_data={})
