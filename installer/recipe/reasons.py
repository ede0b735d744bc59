"""Why the defaults are what they are: comments of written recipes, and help in the guided interface.

A path has a star where a recipe has a name of its own: `pool.*.ashift`.
"""

from __future__ import annotations

from collections.abc import Mapping

RECOMMENDED: Mapping[str, Mapping[str, str]] = {
    "pool.*.properties": {"autotrim": "on"},
    "pool.*.filesystem": {
        "compression": "lz4",
        "acltype": "posixacl",
        "xattr": "sa",
        "dnodesize": "auto",
        "relatime": "on",
    },
}
"""Properties that have no default in ZFS, or another one, and that a root pool should have."""

REASONS: Mapping[str, str] = {
    "after": "The machine starts the new system; the installer's medium may stay in.",
    "unattended": "Nothing is erased before somebody has named the disks.",
    "raid.*.level": "Every disk holds all of it, so any one of them starts the machine.",
    "raid.*.metadata": "At the start of the device: nothing mistakes a member for a file system of its own.",
    "crypt.*.kind": "What Linux opens at boot by itself; its header is kept twice.",
    "crypt.*.unlock": "Only what is in your head protects a stolen disk; one prompt opens all members.",
    "crypt.*.discard": "SSDs learn what is free and stay fast; a thief learns how much of the disk is in use.",
    "crypt.*.cipher": "Every processor of the last ten years has it in hardware.",
    "crypt.*.kdf.memory": "Costly to guess; fixed, because a benchmark on a busy machine would choose too little.",
    "pool.*.ashift": "Blocks of 4 KiB suit nearly every disk, and the choice is for the pool's life.",
    "pool.*.allow-unequal": "The larger disk's surplus would be lost; a wrong disk is the likelier explanation.",
    "pool.*.properties.autotrim": "Freed space is passed on to the disks; it needs discard in the layers below.",
    "pool.*.filesystem.compression": "Costs next to nothing, and gives up by itself on what does not compress.",
    "pool.*.filesystem.acltype": "systemd's journal and Debian's tools expect POSIX ACLs.",
    "pool.*.filesystem.xattr": "Attributes and ACLs stand beside the file: one read less for each.",
    "pool.*.filesystem.dnodesize": "Makes room for those attributes.",
    "pool.*.filesystem.relatime": "Access times are written once a day, not at every read.",
    "pool.*.encryption.iterations": "A few seconds to open, and as many for every guess.",
    "swap.kind": "Compressed memory, never written to a disk: nothing leaks, and swap on ZFS can deadlock.",
    "system.source": "The medium holds the whole system: no network is needed, and nothing is downloaded.",
    "system.hostname": "The name by which the network knows the machine; each needs its own.",
    "system.locale": "Messages in English, text in UTF-8.",
    "system.keymap": "The passphrase is typed on it, now and at every boot.",
    "system.timezone": "The same everywhere, and no hour that comes twice a year.",
    "system.network.interface": "DHCP on every wired interface, whatever it is called.",
    "persist.snapshot": "Undoes what a mistake or an intruder changed; sudo zroot-commit takes an update in.",
    "boot.loader": "Starts by BIOS and by UEFI, and with Secure Boot's signature.",
    "boot.firmware": "Both, so that the disks start in another machine too.",
    "boot.timeout": "Long enough to choose another kernel.",
    "boot.arguments": "Few messages, so that the prompt for the passphrase stays in sight.",
    "boot.wait": "Seconds that a missing disk is waited for before the machine starts without it.",
}
"""One sentence for each default that a person may wonder about."""


def reason(path: str, *, value: object, default: object = None) -> str:
    """Return why a key has its value; empty if that is not what the recipe's makers chose."""
    table, _, key = path.rpartition(".")
    chosen = RECOMMENDED.get(table, {}).get(key, default)
    return REASONS.get(path, "") if value == chosen else ""
