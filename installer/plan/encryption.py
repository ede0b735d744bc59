"""LUKS2 on every member, opened under the names that the installed system uses."""

from __future__ import annotations

from installer.plan import truecrypt
from installer.plan.devices import seen
from installer.plan.layout import MIB, Device, Layout
from installer.plan.names import fact
from installer.plan.operation import Command, Effect, Exchange, Layer, Operation
from installer.plan.steps import command, programs
from installer.recipe.model import Crypt, CryptKind
from installer.recipe.stack import as_tuple

SMALLEST_MEMORY = 64 * MIB
INTEGRITY = ("--integrity=hmac-sha256",)
"""AES-XTS, then a keyed sum over the ciphertext and its place. Not AES-GCM or ChaCha20-Poly1305, which dm-crypt has
too: their random nonces of 96 bits are too short for a disk that is rewritten for years, where one may not come twice.
"""
SLOWEST = 4 * MIB
"""Bytes a second at which the slowest disk is wiped, each sector with its sum."""


def operations(layout: Layout, name: str) -> list[Operation]:
    """Return what formats and opens every member of one encryption layer.

    Opening proves that what was typed at the formatting, which asks once, will open the device at boot: a terminal may
    have swallowed something. A secret that nothing here opens with is tested by itself.
    """
    crypt = layout.recipe.crypt[name]
    if crypt.unlock == "random":
        return []  # the installed system makes a new key at each boot; there is nothing to do now
    if crypt.kind is CryptKind.TCRYPT:
        return truecrypt.operations(layout, name)
    members = list(zip(layout.members(crypt.over), layout.members(f"crypt.{name}"), strict=True))
    found = [
        *(_format(layout, name, below, mapping) for below, mapping in members),
        seen(Layer.ENCRYPTION, f"{name}/formatted", f"what was encrypted for {name}"),
        *(_recovery(layout, name, below, mapping) for below, mapping in members if crypt.recovery),
        *(_test_recovery(layout, name, below, mapping) for below, mapping in members if crypt.recovery),
        *(_open(layout, name, below, mapping) for below, mapping in members),
        seen(Layer.ENCRYPTION, f"{name}/opened", f"what was opened for {name}"),
    ]
    if is_key(layout, name):
        found += [_fill(layout, name, mapping) for _, mapping in members]
    return found


def kdf_memory(layout: Layout, crypt: Crypt) -> int:
    """Return the bytes that argon2 uses: as the recipe says, but at most a quarter of the machine's memory (fault 51).

    The key must be derivable again at boot, in an initramfs beside everything else.
    """
    return max(SMALLEST_MEMORY, min(crypt.kdf.memory, layout.machine.memory // 4 // MIB * MIB))


def sector_size(layout: Layout, name: str, below: Device) -> int:
    """Return the sector size of the encryption: 4096 where possible, which is faster and what ZFS writes anyway.

    Not possible on a size that 4096 does not divide, and under a pool that asks for smaller blocks.
    """
    small_blocks = any(
        pool.ashift is not None and pool.ashift < 12
        for pool in layout.recipe.pool.values()
        for vdev in pool.vdevs
        if f"crypt.{name}" in as_tuple(vdev.over)
    )
    return 512 if below.logical_sector == 512 and (small_blocks or below.size % 4096) else 4096


def is_key(layout: Layout, name: str) -> bool:
    """Say whether the content of a layer is the key of another."""
    return any(crypt.key == f"crypt.{name}" for crypt in layout.recipe.crypt.values())


def _key_file(layout: Layout, crypt: Crypt) -> tuple[str, ...]:
    if not crypt.key or not crypt.key_size:
        return ()
    # Without a size cryptsetup reads to the end of the device, and refuses key files over 8 MiB.
    (device,) = layout.members(crypt.key)
    return (f"--key-file={device.path}", f"--keyfile-size={int(crypt.key_size)}")


def _memory(layout: Layout, crypt: Crypt) -> int:
    return 0 if crypt.key else kdf_memory(layout, crypt)


def _derivation(layout: Layout, crypt: Crypt) -> tuple[str, ...]:
    if crypt.key:
        # A random key cannot be guessed: making each guess slow protects nothing.
        return ("--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000")
    return _slow(layout, crypt)


def _slow(layout: Layout, crypt: Crypt) -> tuple[str, ...]:
    return (
        "--pbkdf=argon2id",
        f"--pbkdf-memory={kdf_memory(layout, crypt) // 1024}",
        f"--pbkdf-parallel={crypt.kdf.parallel}",
        f"--pbkdf-force-iterations={crypt.kdf.iterations}",
    )


def _asked(crypt: Crypt, below: Device) -> tuple[Exchange, ...]:
    return () if crypt.key else (Exchange(prompt=f"Enter passphrase for {below.path}: ", secret=crypt.secret),)


def _secrets(crypt: Crypt) -> tuple[str, ...]:
    return () if crypt.key else (crypt.secret,)


def _format(layout: Layout, name: str, below: Device, mapping: Device) -> Operation:
    crypt = layout.recipe.crypt[name]
    return programs(
        Layer.ENCRYPTION,
        f"format/{mapping.name}",
        f"Encrypt {mapping.name} with LUKS2{' and integrity' if crypt.kind is CryptKind.LUKS2_INTEGRITY else ''}",
        Command(
            argv=(
                "cryptsetup",
                "luksFormat",
                "--type=luks2",
                f"--cipher={crypt.cipher}",
                "--key-size=512",
                "--hash=sha256",
                *_derivation(layout, crypt),
                *(INTEGRITY if crypt.kind is CryptKind.LUKS2_INTEGRITY else ()),
                f"--sector-size={sector_size(layout, name, below)}",
                f"--uuid={fact('luks', mapping.name)}",
                f"--label={mapping.name}",
                "--batch-mode",
                *_key_file(layout, crypt),
                below.path,
            ),
            # --batch-mode asks only once: what was typed is proved by the opening that follows.
            dialogue=_asked(crypt, below),
            # With integrity cryptsetup writes the whole device, for a sector without a sum cannot be read.
            timeout=600 + (below.size // SLOWEST if crypt.kind is CryptKind.LUKS2_INTEGRITY else 0),
        ),
        destroys=mapping.roles,
        secrets=_secrets(crypt),
        together=f"encryption/format/{name}",
        memory=_memory(layout, crypt),
    )


def _recovery(layout: Layout, name: str, below: Device, mapping: Device) -> Operation:
    """Give a member that a key device opens a second key slot, with a passphrase."""
    crypt = layout.recipe.crypt[name]
    return programs(
        Layer.ENCRYPTION,
        f"recovery/{mapping.name}",
        f"Add the recovery passphrase to {mapping.name}",
        Command(
            argv=(
                "cryptsetup",
                "luksAddKey",
                "--type=luks2",
                "--batch-mode",
                *_key_file(layout, crypt),
                *_slow(layout, crypt),
                below.path,
            ),
            dialogue=(Exchange(prompt="Enter new passphrase for key slot: ", secret=crypt.recovery or ""),),
        ),
        secrets=(crypt.recovery,),
        # Carried out twice, it would take a third slot.
        done=("cryptsetup", "luksDump", below.path),
        done_says="  1: luks2",
        together=f"encryption/recovery/{name}",
        memory=kdf_memory(layout, crypt),
    )


def _test_recovery(layout: Layout, name: str, below: Device, mapping: Device) -> Operation:
    crypt = layout.recipe.crypt[name]
    return programs(
        Layer.ENCRYPTION,
        f"test-recovery/{mapping.name}",
        f"Test the recovery passphrase of {mapping.name}",
        Command(
            argv=("cryptsetup", "open", "--test-passphrase", "--type=luks2", below.path),
            dialogue=(Exchange(prompt=f"Enter passphrase for {below.path}: ", secret=crypt.recovery or ""),),
            refused=f"The recovery passphrase that was typed does not open {mapping.name},"
            f" on {layout.whereabouts(mapping)}.",
        ),
        effect=Effect.PROVE,
        secrets=(crypt.recovery,),
        together=f"encryption/test-recovery/{name}",
        memory=kdf_memory(layout, crypt),
    )


def _open(layout: Layout, name: str, below: Device, mapping: Device) -> Operation:
    crypt = layout.recipe.crypt[name]
    discard = ("--allow-discards",) if crypt.discard else ()
    secret = f"content of {crypt.key}" if crypt.key else "passphrase that was typed"
    return programs(
        Layer.ENCRYPTION,
        f"open/{mapping.name}",
        f"Open {mapping.name} with its {'key' if crypt.key else 'passphrase'}",
        Command(
            argv=("cryptsetup", "open", "--type=luks2", *discard, *_key_file(layout, crypt), below.path, mapping.name),
            dialogue=_asked(crypt, below),
            refused=f"The {secret} does not open {mapping.name}, on {layout.whereabouts(mapping)}.",
        ),
        effect=Effect.OPEN,
        done=("test", "-b", mapping.path),
        secrets=_secrets(crypt),
        together=f"encryption/open/{name}",
        memory=_memory(layout, crypt),
    )


def _fill(layout: Layout, name: str, mapping: Device) -> Operation:
    size = max(crypt.key_size or 0 for crypt in layout.recipe.crypt.values() if crypt.key == f"crypt.{name}")
    source = ("if=/dev/urandom", "iflag=fullblock", f"bs={int(size)}", "count=1")
    return programs(
        Layer.ENCRYPTION,
        f"fill/{mapping.name}",
        f"Fill the key device {mapping.name} with a random key",
        command("dd", *source, f"of={mapping.path}", "conv=fsync"),
        destroys=mapping.roles,
    )
