"""From a file to a recipe, or to sentences that say what is wrong with it and where."""

from __future__ import annotations

import difflib
import json
import os
import re
import stat
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from installer.errors import Refusal, Refusals, literal
from installer.recipe.model import Recipe
from installer.recipe.syntax import REMEDIES

VERSION = 1
LONGEST = 1024**2
MOST_DOTS = 64
MOST_PROBLEMS = 20

KeyPath = tuple[str | int, ...]


def load(path: Path) -> Recipe:
    """Read a recipe from a regular file of at most 1 MiB in UTF-8; raises Refusals."""
    return parse(read_text(path), source=str(path))


def read_text(path: Path, *, longest: int = LONGEST) -> str:
    """Read a regular UTF-8 file of at most `longest` bytes; raises Refusals."""
    try:
        with open(path, "rb", opener=_opener) as file:
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(longest + 1) if regular else b""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refused(f"{literal(str(path))} cannot be read.", message=f"{reason}.") from None
    if not regular:
        raise _refused(f"{literal(str(path))} is not a regular file.", hint="Name a text file.")
    if len(content) > longest:
        limit = f"A file of this kind has at most {longest // 1024} KiB."
        raise _refused(f"{literal(str(path))} is too large.", message=limit, hint="Is it the right file?")
    try:
        # Editors on Windows, where a FAT stick may have been filled, begin a file with a mark.
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(f"{literal(str(path))}, line {line}: not UTF-8.", hint="Save the file as UTF-8 text.") from None


def _opener(path: str, flags: int) -> int:
    # Otherwise opening a FIFO that nobody writes to waits for ever.
    return os.open(path, flags | os.O_NONBLOCK)


def parse(text: str, *, source: str = "recipe") -> Recipe:
    """Read a recipe from TOML; raises Refusals with everything that is wrong with its keys and values.

    Rules across keys are not checked here: see `rules.check`.
    """
    return validate(parse_toml(text, source=source), source=source)


def validate(data: Mapping[str, Any], *, source: str) -> Recipe:
    """Read a recipe from what TOML holds: tables, lists, words; raises Refusals as `parse` does."""
    _check_version(data, source=source)
    try:
        # JSON, because that is where pydantic's strict mode (no "yes" for true, no "12" for 12) still takes
        # a list for a tuple and a word for an enum.
        return Recipe.model_validate_json(_as_json(data, source=source), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        raise Refusals(_explain(error.errors(include_url=False), data)) from None


def parse_toml(text: str, *, source: str) -> dict[str, Any]:
    """Read TOML; raises Refusals naming the line."""
    if len(text) > LONGEST:
        raise _refused(f"{literal(source)} is too large.", message=f"It may have {LONGEST // 1024} KiB at most.")
    for number, line in enumerate(text.splitlines(), 1):
        # tomllib takes quadratic time for a.a.a.a... .
        if line.count(".") > MOST_DOTS:
            raise _refused(f"{literal(source)}, line {number}: too many dots.", hint="Is it the right file?")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refused(*_explain_toml(error, text, source=source)) from None
    except RecursionError:
        raise _refused(f"{literal(source)} is nested too deeply.", hint="Is it the right file?") from None
    except ValueError:
        # int() refuses more than 4300 digits.
        raise _refused(f"{literal(source)} has a number that is too long.", hint="Is it the right file?") from None


def _explain_toml(error: tomllib.TOMLDecodeError, text: str, *, source: str) -> tuple[str, str, str]:
    what, _, where = str(error).rpartition(" (at ")
    place = re.match(r"line (\d+)", where)
    if not place:
        return (
            f"{literal(source)} is not valid TOML.",
            f"{literal(str(error), longest=200)[1:-1]}.",
            "Compare it with a shipped recipe.",
        )
    lines = text.splitlines()
    number = min(int(place[1]), max(1, len(lines)))
    # A key said twice is reported where the line ends or the next one begins.
    line = lines[number - 1].strip() if lines else ""
    title = f"{literal(source)}, line {number}: {what[:1].lower()}{literal(what, longest=200)[2:-1]}."
    twice = "overwrite" in what or "twice" in what
    hint = "The key stands there for the second time: remove one." if twice else 'Text stands in quotes: key = "value".'
    return title, f"The line is: {literal(line)}", hint


def _check_version(data: Mapping[str, Any], *, source: str) -> None:
    version = data.get("zroot")
    # True == 1, and not only for Python: pydantic takes it for Literal[1].
    if type(version) is not int or version < VERSION:
        raise _refused(f'{literal(source)} does not begin with "zroot = {VERSION}".', hint="Is it a zroot recipe?")
    if version > VERSION:
        raise _refused(
            f"{literal(source)} is written for version {version} of the recipe format.",
            message=f"This zroot knows version {VERSION}.",
            hint="Use a newer zroot.",
        )


def _as_json(data: Mapping[str, Any], *, source: str) -> str:
    try:
        return json.dumps(data, default=str)
    except RecursionError:
        raise _refused(f"{literal(source)} is nested too deeply.", hint="Is it the right file?") from None


def _explain(errors: list[ErrorDetails], data: Mapping[str, Any]) -> tuple[Refusal, ...]:
    """Give one refusal a key, where pydantic gives one for each type that a value might have had."""
    by_path: dict[KeyPath, list[ErrorDetails]] = {}
    for error in errors:
        path = error["loc"] if error["type"] == "missing" else _existing(error["loc"], data)
        by_path.setdefault(path, []).append(error)
    # A list where a word might have stood is wrong because of its entry, not because it is a list.
    outer = {path[:length] for path in by_path for length in range(len(path))}
    paths = [path for path in by_path if path not in outer]
    problems = tuple(_explain_key(path, by_path[path], data) for path in paths[:MOST_PROBLEMS])
    if len(paths) > MOST_PROBLEMS:
        problems += (Refusal(f"... and {len(paths) - MOST_PROBLEMS} more."),)
    return problems


def _explain_key(path: KeyPath, errors: list[ErrorDetails], data: Mapping[str, Any]) -> Refusal:
    name = written(path)
    kinds = {error["type"] for error in errors}
    if "missing" in kinds:
        return Refusal(f"{name} is missing.", hint=f"Add the key {literal(str(path[-1]))}.")
    if "extra_forbidden" in kinds:
        known = known_keys(path[:-1])
        near = difflib.get_close_matches(str(path[-1]).replace("_", "-"), known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"Known keys here: {', '.join(known)}."
        return Refusal(f"{name}: unknown key.", hint=hint)
    hint = _sentence(". Or: ".join(dict.fromkeys(_remedy(error) for error in errors)))
    if any("[key]" in error["loc"] for error in errors):
        return Refusal(f"{name}: the name {literal(path[-1])} is not allowed.", hint=hint)
    value = _value(path, data)
    if isinstance(value, dict | list):
        return Refusal(f"{name}: {_described(value)} cannot stand here.", hint=hint)
    return Refusal(f"{name}: {literal(value)} is not allowed.", hint=hint)


def _remedy(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    plain = {
        "bool_type": "write true or false, without quotes",
        "int_type": "write a whole number, without quotes",
        "string_type": 'write text in quotes: "on"',
        "dict_type": "this is a table: it has keys of its own",
        "model_type": "this is a table: it has keys of its own",
        "tuple_type": "write a list in square brackets, or repeat the [[table]]",
        "too_short": "at least one entry is needed",
    }
    match error["type"]:
        case "string_pattern_mismatch":
            return REMEDIES[context["pattern"]]
        case "literal_error" | "enum":
            return "choose " + str(context["expected"]).replace("'", "")
        case "value_error":
            return str(context["error"])
        case kind if kind in plain:
            return plain[kind]
    return error["msg"].replace("Input should be", "it must be").replace("String should have", "it must have")


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")


def _described(value: dict[str, Any] | list[Any]) -> str:
    return ("a" if value else "an empty") + (" table" if isinstance(value, dict) else " list")


def _existing(loc: KeyPath, data: Any) -> KeyPath:
    """Leave out what pydantic adds to the path: the member of a union, the word [key]."""
    path: list[str | int] = []
    for key in loc:
        held = data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
        if key in held:
            data = data[key]
            path.append(key)
    return tuple(path)


def _value(path: KeyPath, data: Any) -> Any:
    for key in path:
        data = data[key]
    return data


def written(path: KeyPath) -> str:
    """Write a key's path as a person would: `pool.rpool.vdevs[0].kind`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            plain = re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key)
            text += ("." if text else "") + (key if plain else literal(key, longest=40))
    return text or "The recipe"


def known_keys(path: KeyPath) -> list[str]:
    """List the keys that a table of the recipe may have; empty where they are free."""
    place: Any = Recipe
    for key in path:
        place = _inside(place, key)
    return [_toml_key(name, field) for name, field in place.model_fields.items()] if _is_model(place) else []


def _inside(place: Any, key: str | int) -> Any:
    """Step from a type to the type of what stands under a key or an index in it."""
    if _is_model(place):
        fields = {_toml_key(name, field): field for name, field in place.model_fields.items()}
        annotation = fields[str(key)].annotation
    else:
        # dict[Name, X] or tuple[X, ...]
        annotation = typing.get_args(place)[1 if isinstance(key, str) else 0]
    parts = typing.get_args(annotation) if type(None) in typing.get_args(annotation) else (annotation,)
    return next(part for part in parts if part is not type(None))


def _is_model(place: Any) -> bool:
    return isinstance(place, type) and issubclass(place, BaseModel)


def _toml_key(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _refused(title: str, message: str = "", hint: str = "") -> Refusals:
    return Refusals((Refusal(title, message=message, hint=hint),))
