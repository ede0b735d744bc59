"""What a recipe is, in a few lines: from its first comment, its disks and its secrets; of a shipped one its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from installer.errors import ZrootError
from installer.recipe.load import parse
from installer.recipe.model import Recipe
from installer.recipe.secrets import needed
from installer.recipe.write import HEADER
from installer.run.client import Found

MIRRORED = '"How I Do Encrypted, Mirrored ZFS Root on Linux"'
WAITING = '"Mounting Encrypted ZFS Datasets at Boot"'
TRUECRYPT = '"ZFS+TrueCrypt: best of both worlds"'
VAULT = '"Encrypting ZFS pools using lofi crypto"'
SPARSE = '"Introducing Sparse Encrypted ZFS Pools"'
FORGETTING = '"ZFS with LUKS and Impermanence"'
SOURCES: Mapping[str, str] = {
    "debian-data-pool.toml": WAITING,
    "debian-from-mirror.toml": f"{MIRRORED}, whose system comes over the network too",
    "debian-from-tarball.toml": f"{MIRRORED}, whose system is Funtoo",
    "debian-impermanent.toml": f"{FORGETTING}, made fit for Debian",
    "debian-key-device.toml": f"{MIRRORED}, in its first form",
    "debian-luks-mirror-systemd-boot.toml": f"{MIRRORED}, with another boot loader",
    "debian-luks-mirror.toml": f"{MIRRORED}, in its later form",
    "debian-luks-raidz2.toml": f"{MIRRORED}, with more disks",
    "debian-luks-single.toml": f"{MIRRORED}, with one disk",
    "debian-luks-striped-mirrors.toml": f"{MIRRORED}, with more disks",
    "debian-native-home.toml": f"{FORGETTING}, its comparison",
    "debian-native-mirror.toml": f"{FORGETTING}, its comparison",
    "debian-sparse-files.toml": SPARSE,
    "debian-vault.toml": VAULT,
    "luks-integrity-mirror.toml": f"{TRUECRYPT}, its last wish",
    "nixos-impermanent.toml": FORGETTING,
    "pool-of-many-kinds.toml": "no text: every kind of vdev that helps",
    "truecrypt-mirror.toml": TRUECRYPT,
}
"""The text that a shipped recipe follows, by the recipe's file name."""
SHIPPED = ", comes with zroot"
SYSTEMS = {
    "live": "Debian, from the medium",
    "debootstrap": "Debian, over the network",
    "tarball": "what a tarball holds",
    "nixos": "NixOS, which its own installer then puts there",
    "none": "none: disks and pools alone",
}


def lines(found: Found) -> tuple[tuple[str, str], ...]:
    """Return what there is to know of a recipe before it is chosen: a word, and what it says."""
    try:
        recipe = parse(found.text, source=found.where)
    except ZrootError:
        return (("File", found.where),)
    return tuple(_lines(found, recipe))


def _lines(found: Found, recipe: Recipe) -> Iterator[tuple[str, str]]:
    if said := first_comment(found.text):
        yield "What", said
    if found.where.endswith(SHIPPED) and (source := SOURCES.get(found.where.removesuffix(SHIPPED))):
        yield "After", source
    yield "System", SYSTEMS[recipe.system.source]
    count = len(recipe.disks)
    secrets = [need.name for need in needed(recipe)]
    asked = f"; typed: {', '.join(secrets)}" if secrets else ""
    yield "Needs", f"{count} disk{'s' if count > 1 else ''}: {', '.join(recipe.disks)}{asked}"
    yield "File", found.where


def first_comment(text: str) -> str:
    """Return the first paragraph of the comment that a recipe begins with; nothing of what zroot writes itself."""
    said: list[str] = []
    for line in text.split("\n"):
        words = line.removeprefix("#").strip()
        if not line.startswith("#") or not words or line.strip() == HEADER.strip():
            break
        said.append(words)
    # What comes from a stick may hold anything.
    return "".join(char if char.isprintable() else "?" for char in " ".join(said))
