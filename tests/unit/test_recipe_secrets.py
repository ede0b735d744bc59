"""Secrets are never shown, and refused before a disk is touched if they cannot be typed or would be cut."""

from __future__ import annotations

import copy
import json
import os
import pickle
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from installer.errors import Refusals
from installer.recipe.keymap import US, check_typeable, typeable
from installer.recipe.load import load, parse
from installer.recipe.model import Recipe
from installer.recipe.secrets import (
    Kind,
    Secret,
    check_secrets,
    credential,
    is_hash,
    load_secrets,
    needed,
    parse_secrets,
    read_secrets,
    unfit,
)

HERE = Path(__file__).parent
MAIN = HERE.parents[1] / "recipes" / "debian-luks-mirror.toml"
CANARY = r".*+($'\"&;|` canary 42)"


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load(MAIN)


def keymap(name: str) -> str:
    return (HERE / "recipes" / "keymaps" / f"{name}.kmap").read_text()


def test_secret_is_never_printed() -> None:
    """fault 74"""
    secret = Secret(CANARY)
    shown = f"{secret} {secret!r} {secret!s} {secret:>40} {[secret]} {'%s' % secret}"  # noqa: UP031
    assert "canary" not in shown
    assert secret.reveal() == CANARY


def test_secret_is_never_written() -> None:
    """fault 74"""

    class Holder(BaseModel):
        secret: Secret

    holder = Holder(secret=Secret(CANARY))
    assert "canary" not in repr(holder)
    for write in (holder.model_dump, holder.model_dump_json):
        with pytest.raises(PydanticSerializationError):
            write()
    for write_any in (pickle.dumps, copy.deepcopy, json.dumps, copy.copy):
        with pytest.raises(TypeError):
            write_any(holder.secret)
    assert not hasattr(holder.secret, "__dict__")


def test_names_every_secret_of_a_recipe_once(recipe: Recipe) -> None:
    assert [(need.name, need.kind) for need in needed(recipe)] == [
        ("passphrase", Kind.LUKS),
        ("user-password", Kind.PASSWORD),
    ]


def test_shared_secret_obeys_the_strictest_kind() -> None:
    text = MAIN.read_text().replace("[swap]", '[crypt.old]\nover = "disk.c"\nkind = "tcrypt"\n\n[swap]')
    shared = next(need for need in needed(parse(text)) if need.name == "passphrase")
    assert shared.kind is Kind.TCRYPT
    assert "crypt.pool" in shared.purpose
    assert "crypt.old" in shared.purpose


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("", Kind.LUKS, "fewer than 8"),
        ("1", Kind.LUKS, "fewer than 8"),
        ("1234567", Kind.ZFS, "fewer than 8"),
        ("12345678", Kind.LUKS, None),
        (CANARY, Kind.LUKS, None),
        (" leading and trailing ", Kind.ZFS, None),
        ("x" * 512, Kind.LUKS, None),
        ("x" * 513, Kind.LUKS, "more than 512"),
        ("\u00e9" * 257, Kind.ZFS, "more than 512"),
        ("x" * 65, Kind.TCRYPT, "more than 64"),
        ("with\ttab in it", Kind.LUKS, "control character"),
        ("line end at the end\n", Kind.LUKS, "control character"),
        ("delete \x7f in it", Kind.LUKS, "control character"),
        ("user:password", Kind.PASSWORD, None),
        ("", Kind.PASSWORD, "fewer than 4"),
        ("two\nlines", Kind.PASSWORD, "control character"),
    ],
)
def test_passphrase_rules_by_kind(text: str, kind: Kind, said: str | None) -> None:
    """fault 43, fault 44, fault 45"""
    fault = unfit(Secret(text), kind)
    assert (fault is None) if said is None else (fault is not None and said in fault[0])


def test_names_missing_and_unknown_secrets(recipe: Recipe) -> None:
    said = "\n".join(map(str, check_secrets(recipe, {"pasphrase": Secret(CANARY)})))
    assert '"passphrase" is missing' in said
    assert 'Did you mean "passphrase"?' in said
    assert "password of the user user" in said
    assert "canary" not in said


def test_accepts_secrets_that_fit(recipe: Recipe) -> None:
    assert check_secrets(recipe, {"passphrase": Secret(CANARY), "user-password": Secret("four")}) == ()


def test_knows_a_hash_from_a_password() -> None:
    assert is_hash("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7")
    assert is_hash("$6$rounds=5000$saltsalt$" + "a" * 86)
    assert not is_hash("$6$ mine")
    assert not is_hash("hunter2")


def test_reads_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "secrets.toml"
    path.write_text(f"passphrase = '''{CANARY}'''\n")
    path.chmod(0o600)
    assert load_secrets(path)["passphrase"].reveal() == CANARY


def test_refuses_a_file_that_others_can_read(tmp_path: Path) -> None:
    """fault 77"""
    path = tmp_path / "secrets.toml"
    path.write_text("passphrase = 'canary canary'\n")
    path.chmod(0o640)
    with pytest.raises(Refusals, match=r"can be read by others(?s:.*)chmod 600"):
        load_secrets(path)


def test_accepts_open_modes_where_the_file_system_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secrets.toml"
    path.write_text("passphrase = 'canary canary'\n")
    path.chmod(0o755)
    monkeypatch.setattr("installer.recipe.secrets._file_system", lambda device: "vfat")
    assert set(load_secrets(path)) == {"passphrase"}


@pytest.mark.parametrize(
    "text",
    ["passphrase = 'canary", "passphrase = canary", "canary canary", "passphrase = 1234", "canary% = 'x'", "[" * 5000],
)
def test_refusal_of_a_secrets_file_shows_none_of_it(text: str) -> None:
    """fault 74"""
    with pytest.raises(Refusals) as refused:
        parse_secrets(text, source="secrets.toml")
    error: BaseException = refused.value
    assert "canary" not in str(error)
    assert "1234" not in str(error)
    assert error.__context__ is None or error.__suppress_context__


def test_reads_secrets_from_a_descriptor() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"passphrase = 'from a pipe'\n")
    os.close(writer)
    assert read_secrets(reader)["passphrase"].reveal() == "from a pipe"
    with pytest.raises(Refusals, match="No secrets can be read"):
        read_secrets(reader)


def test_finds_the_systemd_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert credential() is None
    (tmp_path / "zroot.secrets").touch()
    assert credential() == tmp_path / "zroot.secrets"


@pytest.mark.parametrize(
    ("layout", "can", "cannot"),
    [
        ("us", "azAZ09 ~`|\\{}[]@", "\u00e9\u00fc\u20ac"),
        ("de", "azAZ09 ~|\\{}[]@\u00fc\u00df\u20ac", "^`\u00b4\u00e9"),
        ("fr-oss", "azAZ09 ~|\\{}[]@\u00e9\u00e8", "\u0444"),
        ("ru", "09 \u0444\u042f", "azAZ@"),
    ],
)
def test_reads_what_a_keymap_can_type(layout: str, can: str, cannot: str) -> None:
    """fault 46: dead keys (the German circumflex) do not count."""
    known = typeable(keymap(layout))
    assert set(can) <= known
    assert not set(cannot) & known


def test_reads_loadkeys_in_its_other_notations() -> None:
    text = """
    keymaps 0-2,4
    keycode 16 = +q Q at x
    keycode 30 = dead_acute F13 braceleft Tab
    shift keycode 18 = U+0045
    altgr shift keycode 19 = U+20ac
    control keycode 20 = U+0054
    shiftl keycode 21 = U+0059
    """
    assert typeable(text) == set("qQ@{E\u20ac")


def test_refuses_characters_that_the_keymap_cannot_type(recipe: Recipe) -> None:
    """fault 46"""
    secrets = {"passphrase": Secret("na\u00efve passphras\u00e9"), "user-password": Secret("\u00e9t\u00e9")}
    problems = check_typeable(recipe, secrets, typeable(keymap("us")))
    assert len(problems) == 1
    assert "characters 3, 16" in problems[0].title
    assert problems[0].title.isascii()


def test_refuses_latin_passphrase_under_a_cyrillic_keymap(recipe: Recipe) -> None:
    """fault 47"""
    (problem,) = check_typeable(recipe, {"passphrase": Secret("correct horse")}, typeable(keymap("ru")))
    assert "no Latin letters" in problem.message


def test_canary_can_be_typed_under_every_latin_keymap(recipe: Recipe) -> None:
    assert check_typeable(recipe, {"passphrase": Secret("plain words 42")}, typeable(keymap("de"))) == ()
    assert check_typeable(recipe, {"passphrase": Secret(CANARY)}, typeable(keymap("us"))) == ()


def test_us_keymap_types_what_is_said_of_it() -> None:
    assert typeable(keymap("us")) >= US
