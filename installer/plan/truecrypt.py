"""TrueCrypt volumes on every member: tcplay makes them, cryptsetup opens them."""

from __future__ import annotations

from installer.plan.devices import seen
from installer.plan.layout import MIB, Device, Layout
from installer.plan.operation import Command, Effect, Exchange, Layer, Operation
from installer.plan.steps import programs
from installer.recipe.model import Crypt

SLOWEST = 4 * MIB
"""Bytes a second that the slowest disk and the slowest processor fill with random bytes, sector by sector."""


TYPE = ("--type=tcrypt", "--disable-veracrypt")
"""What VeraCrypt made is not meant; to try its derivations too takes minutes where a passphrase is wrong."""


def operations(layout: Layout, name: str) -> list[Operation]:
    """Return what makes and opens every volume of one layer."""
    crypt = layout.recipe.crypt[name]
    members = list(zip(layout.members(crypt.over), layout.members(f"crypt.{name}"), strict=True))
    return [
        *(_create(name, crypt, below, mapping) for below, mapping in members),
        seen(Layer.ENCRYPTION, f"{name}/formatted", f"what was encrypted for {name}"),
        *(_open(layout, name, below, mapping) for below, mapping in members),
        seen(Layer.ENCRYPTION, f"{name}/opened", f"what was opened for {name}"),
    ]


def _create(name: str, crypt: Crypt, below: Device, mapping: Device) -> Operation:
    """Make a volume as TrueCrypt 7.1a does, with the one derivation that cryptsetup opens on any Debian system.

    For RIPEMD-160 and Whirlpool it would need OpenSSL's legacy provider, which is a package of its own.
    """
    # Filled with random bytes, a volume hides how much of it is in use. Discards tell that anyway, so it is only done
    # where they are off: it takes as long as writing the whole disk.
    erase = ("--insecure-erase",) if crypt.discard else ()
    return programs(
        Layer.ENCRYPTION,
        f"format/{mapping.name}",
        f"Encrypt {mapping.name} with TrueCrypt",
        Command(
            argv=(
                "tcplay",
                "--create",
                f"--device={below.path}",
                "--cipher=AES-256-XTS",
                "--pbkdf-prf=SHA512",
                *erase,
            ),
            dialogue=(
                Exchange(prompt="Passphrase: ", secret=crypt.secret),
                Exchange(prompt="Repeat passphrase: ", secret=crypt.secret),
                Exchange(prompt="Are you sure you want to proceed? (y/n) ", answer="y"),
            ),
            timeout=600 + (0 if erase else below.size // SLOWEST),
        ),
        destroys=mapping.roles,
        secrets=(crypt.secret,),
        together=f"encryption/format/{name}",
    )


def _open(layout: Layout, name: str, below: Device, mapping: Device) -> Operation:
    """Open a volume, which also proves that cryptsetup reads the header by itself as tcplay wrote it."""
    crypt = layout.recipe.crypt[name]
    discard = ("--allow-discards",) if crypt.discard else ()
    return programs(
        Layer.ENCRYPTION,
        f"open/{mapping.name}",
        f"Open {mapping.name} with its passphrase",
        Command(
            argv=("cryptsetup", "open", *TYPE, *discard, below.path, mapping.name),
            dialogue=(Exchange(prompt=f"Enter passphrase for {below.path}: ", secret=crypt.secret),),
            refused=f"The passphrase that was typed does not open {mapping.name}, on {layout.whereabouts(mapping)}.",
        ),
        effect=Effect.OPEN,
        done=("test", "-b", mapping.path),
        secrets=(crypt.secret,),
        together=f"encryption/open/{name}",
    )
