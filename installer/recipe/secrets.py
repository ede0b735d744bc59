"""Secrets: named by the recipe, given apart from it, and never shown."""

from __future__ import annotations

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NoReturn

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from installer.errors import Refusal, Refusals, literal
from installer.frozen import Frozen
from installer.recipe.load import read_text
from installer.recipe.model import CryptKind, Recipe
from installer.recipe.stack import has_system
from installer.recipe.syntax import NAME, REMEDIES

SHOWN = "<secret>"
LONGEST_FILE = 64 * 1024
CREDENTIAL = "zroot.secrets"
"""Name of the systemd credential that holds the same TOML as a secrets file."""
WITHOUT_MODES = frozenset({"vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "iso9660", "udf"})
HASH = re.compile(r"^\$(?:y|gy|7|2[aby]|6|5)\$[./A-Za-z0-9$=,]{8,}$")


class Secret:
    """A text that cannot be printed, formatted, pickled or serialised; only `reveal()` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the text itself."""
        return self._value

    def __repr__(self) -> str:
        return SHOWN

    def __format__(self, spec: str) -> str:
        return SHOWN

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is never written anywhere")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def refuse(value: object) -> NoReturn:
            raise TypeError("a secret is never written anywhere")

        return core_schema.is_instance_schema(
            cls, serialization=core_schema.plain_serializer_function_ser_schema(refuse)
        )


class Kind(StrEnum):
    """What a secret opens, which decides what it may be."""

    LUKS = "luks"
    ZFS = "zfs"
    TCRYPT = "tcrypt"
    PASSWORD = "password"  # noqa: S105 - the word, not one


LENGTHS = {
    # cryptsetup cuts what is typed at 512 bytes without a word; zfs takes 8 to 512.
    Kind.LUKS: (8, 512),
    Kind.ZFS: (8, 512),
    # TrueCrypt reads no more than 64 bytes.
    Kind.TCRYPT: (8, 64),
    # What is shorter could not be masked in what programs print: it would be found everywhere.
    Kind.PASSWORD: (4, 512),
}
"""Bytes in UTF-8, from and to."""


class SecretNeed(Frozen):
    """A secret that a recipe names."""

    name: str
    purpose: str
    """What it is, in words: `password of the user anna`."""
    kind: Kind


def needs(recipe: Recipe) -> Iterator[SecretNeed]:
    """Give every use of a secret."""
    yield from _of_crypt(recipe)
    for name, pool in recipe.pool.items():
        if pool.encryption:
            yield SecretNeed(
                name=pool.encryption.secret, purpose=f"passphrase of the encrypted pool {name}", kind=Kind.ZFS
            )
        for dataset in pool.dataset:
            if dataset.encryption:
                purpose = f"passphrase of the encrypted dataset {name}/{dataset.name}"
                yield SecretNeed(name=dataset.encryption.secret, purpose=purpose, kind=Kind.ZFS)
    if not has_system(recipe):
        return
    user = recipe.system.user
    if user and user.password:
        yield SecretNeed(name=user.password, purpose=f"password of the user {user.name}", kind=Kind.PASSWORD)
    if recipe.system.root_password:
        yield SecretNeed(name=recipe.system.root_password, purpose="password of root", kind=Kind.PASSWORD)


def _of_crypt(recipe: Recipe) -> Iterator[SecretNeed]:
    for name, crypt in recipe.crypt.items():
        if crypt.unlock == "passphrase":
            kind = Kind.TCRYPT if crypt.kind is CryptKind.TCRYPT else Kind.LUKS
            yield SecretNeed(
                name=crypt.secret, purpose=f"passphrase of the encrypted devices of crypt.{name}", kind=kind
            )
        if crypt.recovery:
            purpose = f"recovery passphrase of crypt.{name}, asked for when its key device is lost"
            yield SecretNeed(name=crypt.recovery, purpose=purpose, kind=Kind.LUKS)


def needed(recipe: Recipe) -> tuple[SecretNeed, ...]:
    """Return each secret once, with all its purposes and the strictest of its kinds."""
    found: dict[str, SecretNeed] = {}
    for need in needs(recipe):
        before = found.get(need.name, need)
        kind = min(before.kind, need.kind, key=lambda kind: LENGTHS[kind][1])
        purpose = need.purpose if before is need else f"{before.purpose}, and {need.purpose}"
        found[need.name] = SecretNeed(name=need.name, purpose=purpose, kind=kind)
    return tuple(found.values())


def is_hash(password: str) -> bool:
    """Say whether a password is given as its crypt(3) hash (yescrypt, scrypt, bcrypt, SHA-512, SHA-256)."""
    return HASH.match(password) is not None


def load_secrets(path: Path) -> dict[str, Secret]:
    """Read a secrets file (TOML: name = "value"), of mode 0600 where the file system has modes; raises Refusals."""
    text = read_text(path, longest=LONGEST_FILE)
    found = path.stat()
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO) and _file_system(found.st_dev) not in WITHOUT_MODES:
        raise _refused(
            f"{literal(str(path))} can be read by others.",
            message=f"Its mode is {stat.S_IMODE(found.st_mode):04o}.",
            hint=f"Run: chmod 600 {path}",
        )
    return parse_secrets(text, source=str(path))


def read_secrets(descriptor: int) -> dict[str, Secret]:
    """Read the same TOML from an open file descriptor until its end, and close it; raises Refusals."""
    source = f"file descriptor {descriptor}"
    try:
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(LONGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refused(f"No secrets can be read from {source}.", message=f"{reason}.") from None
    if len(content) > LONGEST_FILE:
        raise _refused(f"What {source} gives is too long for secrets.")
    try:
        return parse_secrets(content.decode(), source=source)
    except UnicodeDecodeError:
        raise _refused(f"What {source} gives is not UTF-8.") from None


def credential() -> Path | None:
    """Return the systemd credential with the secrets, if the service was given one."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder, CREDENTIAL) if folder else None
    return path if path and path.exists() else None


def parse_secrets(text: str, *, source: str) -> dict[str, Secret]:
    """Read secrets from TOML; raises Refusals, which name the line and never its content."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        place = re.search(r"\(at (line \d+)", str(error))
        where = f", {place[1]}" if place else ""
        raise _refused(
            f"{literal(source)}{where}: not valid TOML.",
            hint="A line is: name = 'value'. Single quotes take every character as it is.",
        ) from None
    problems = []
    for number, (name, value) in enumerate(data.items(), 1):
        if not re.match(NAME, name):
            # Perhaps name and value were exchanged: neither is shown.
            hint = "A line is: name = 'value'. " + REMEDIES[NAME].capitalize() + "."
            problems.append(Refusal(f"{literal(source)}: entry {number} has no valid name.", hint=hint))
        elif not isinstance(value, str):
            problems.append(Refusal(f"{literal(source)}: {name} is not text.", hint=f"Write {name} = 'value'."))
    if problems:
        raise Refusals(tuple(problems))
    return {name: Secret(value) for name, value in data.items()}


def check_secrets(recipe: Recipe, secrets: Mapping[str, Secret]) -> tuple[Refusal, ...]:
    """Return what is missing, unknown or unfit among the secrets."""
    wanted = {need.name: need for need in needed(recipe)}
    problems = []
    for name in secrets:
        if name not in wanted:
            near = difflib.get_close_matches(name, wanted, n=1)
            hint = f'Did you mean "{near[0]}"?' if near else f"It names: {', '.join(wanted) or 'none'}."
            problems.append(Refusal(f"The recipe names no secret {literal(name)}.", hint=hint))
    for name, need in wanted.items():
        if name not in secrets:
            hint = "Give it in the secrets file, by --secrets-fd or when asked."
            problems.append(
                Refusal(f'The secret "{name}" is missing.', message=f"It is the {need.purpose}.", hint=hint)
            )
        elif fault := unfit(secrets[name], need.kind):
            problems.append(Refusal(f'The secret "{name}" {fault[0]}.', hint=fault[1]))
    return tuple(problems)


def unfit(secret: Secret, kind: Kind) -> tuple[str, str] | None:
    """Say what is wrong with a secret, and the remedy; none if it may be used."""
    text = secret.reveal()
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        return "is not valid text", "Type it again."
    least, most = LENGTHS[kind]
    if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in text):
        return "holds a control character", "A terminal would swallow it (a line end, a tab): remove it."
    if length < least:
        return f"has {length} bytes, fewer than {least}", f"Choose one of {least} to {most} bytes."
    if length > most:
        return f"has {length} bytes, more than {most}", f"The tool would cut it: choose one of {least} to {most} bytes."
    return None


def _file_system(device: int) -> str:
    """Name the type of the file system with a device number; empty if the kernel does not say."""
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    fields = (line.split(" ") for line in lines)
    return next((words[words.index("-") + 1] for words in fields if words[2] == number and "-" in words), "")


def _refused(title: str, *, message: str = "", hint: str = "") -> Refusals:
    return Refusals((Refusal(title, message=message, hint=hint),))
