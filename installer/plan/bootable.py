"""What the installed system could not start from yet: refused in words, rather than planned and never booted."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from installer.errors import Refusal
from installer.plan.layout import Layout
from installer.plan.sources import mirror, security_mirror
from installer.recipe import stack
from installer.recipe.model import Crypt, CryptKind, Recipe


def refusals(layout: Layout) -> tuple[Refusal, ...]:
    """Return what this version cannot make, or cannot start a system from."""
    rules = OF_A_SYSTEM if stack.has_system(layout.recipe) else ()
    return tuple(problem for rule in rules for problem in rule(layout))


def _source(layout: Layout) -> Iterator[Refusal]:
    if layout.recipe.system.source == "debootstrap" and not (mirror(layout) and security_mirror(layout)):
        yield Refusal(
            "system.mirror: no Debian mirror is known here to install from.",
            hint='Name one in the recipe: mirror = "http://HOST/debian". Its address is known on zroot\'s medium.',
        )


def _loader(layout: Layout) -> Iterator[Refusal]:
    loader = layout.recipe.boot.loader
    if loader == "grub" and layout.uefi and not any(raid.mount == "/boot" for raid in layout.recipe.raid.values()):
        yield Refusal(
            "boot.firmware: this version of zroot can start from a /boot in a pool by BIOS only.",
            hint='Put /boot on a raid with filesystem = "ext4" (one disk is enough), or say firmware = ["bios"].',
        )


def _root(layout: Layout) -> Iterator[Refusal]:
    """The initramfs opens every member with the one passphrase that it asks for, and assembles no arrays."""
    recipe, pool = layout.recipe, layout.root_pool
    found = [lower for over in stack.under_pool(recipe, pool) for lower in stack.everything_below(recipe, over)]
    below = [layer.split(".", 1) for layer in dict.fromkeys(found)]
    for name in (name for kind, name in below if kind == "raid"):
        yield Refusal(
            f"pool.{pool}: this version of zroot cannot start from a root file system over an array (raid.{name}).",
            hint="Leave the copies to ZFS: a mirror over the partitions, or over their encryption.",
        )
    layers = {name: recipe.crypt[name] for kind, name in below if kind == "crypt"}
    for name, crypt in layers.items():
        if crypt.kind is CryptKind.TCRYPT:
            yield Refusal(
                f"crypt.{name}: this version of zroot cannot start from a root file system over TrueCrypt volumes.",
                message="They look like random bytes: when the machine starts, nothing tells them from an empty disk.",
                hint='Use kind = "luks2" for the root pool; TrueCrypt volumes may carry another pool.',
            )
    if len({_asked(recipe, crypt) for crypt in layers.values()}) > 1:
        yield Refusal(
            f"The encrypted layers under pool.{pool} have different passphrases: {', '.join(layers)}.",
            message="The machine asks once when it starts, and opens all of them with the answer.",
            hint="Name the same secret in each.",
        )


def _asked(recipe: Recipe, crypt: Crypt) -> tuple[str, str | None]:
    """Name the secrets that a layer asks for when the machine starts: its own or its key device's, and the recovery."""
    key = recipe.crypt[crypt.key.removeprefix("crypt.")] if crypt.key else crypt
    return key.secret, crypt.recovery


def _swap(layout: Layout) -> Iterator[Refusal]:
    kind, _, name = (layout.recipe.swap.over or "").partition(".")
    if kind == "crypt" and layout.recipe.crypt[name].unlock != "random":
        yield Refusal(
            f"swap.over: crypt.{name} would ask for a passphrase a second time, when the system is already starting.",
            hint=f'Set unlock = "random" in crypt.{name}: swap needs no key that outlives the machine\'s run.',
        )


OF_A_SYSTEM: tuple[Callable[[Layout], Iterator[Refusal]], ...] = (_source, _loader, _root, _swap)
