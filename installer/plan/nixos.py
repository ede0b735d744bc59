"""NixOS: its storage is made, and the configuration that goes with it is written; nixos-install does the rest."""

from __future__ import annotations

from installer.plan.layout import Layout
from installer.plan.names import TARGET, esp_label, fact
from installer.plan.nixos_files import configuration, device_folders, hardware, kept_folders, password_file, persisted
from installer.plan.operation import Command, Effect, Layer, Operation, SaveRecords
from installer.plan.steps import command, programs, target_file

HYPHEN = r"s,(by-uuid/[0-9A-F]{4})([0-9A-F]{4})([^0-9a-f-]|$),\1-\2\3,"
"""For the number of an ESP, not for a UUID whose first eight characters are digits: a hyphen follows there."""

SCRIPT = "zroot-nixos.sh"
"""On the ESP, the one file system that needs no passphrase."""


def operations(layout: Layout) -> list[Operation]:
    """Return what follows the storage: the ESP in its place, the folders that are kept, and the files."""
    layer, etc = Layer.SYSTEM, f"{persisted(layout).folder}/etc/nixos"
    hardware_file, install = f"{etc}/hardware-configuration.nix", f"{etc}/install.sh"
    return [
        _boot(layout),
        *_kept(layout),
        target_file(layer, f"{etc}/configuration.nix", "Write the configuration of NixOS", configuration(layout)),
        target_file(layer, hardware_file, "Write what it says of the storage", hardware(layout)),
        target_file(layer, install, "Write what is to be run in the installer of NixOS", script(layout)),
        programs(
            layer,
            "nixos/esp",
            "Name the EFI system partition as udev does, with a hyphen in its number",
            command(
                *("sed", "--in-place", "--regexp-extended", HYPHEN),
                *(TARGET + hardware_file, TARGET + install),
            ),
        ),
        programs(
            layer,
            "nixos/script",
            "Leave a copy of it where the installer of NixOS can read it",
            command("cp", TARGET + install, f"{TARGET}/boot/{SCRIPT}"),
        ),
        *_passwords(layout),
    ]


def records(layout: Layout) -> list[Operation]:
    """Return what keeps recipe, plan, journal and log where no rollback reaches them."""
    return [
        Operation(
            id="finish/save/records",
            layer=Layer.FINISH,
            title="Keep recipe, plan, journal and log in the new system",
            action=SaveRecords(folder=f"{TARGET}{persisted(layout).folder}/var/log/zroot"),
        )
    ]


def go_on(layout: Layout) -> str:
    """Say what is left to do by hand."""
    mounting = f"mkdir -p /esp; mount /dev/disk/by-label/{esp_label(layout.esps[0].role)} /esp"
    return (
        "NixOS itself is not installed by this. Afterwards start NixOS's own installer by UEFI, with a network, and run"
        f" there as root: {mounting}; sh /esp/{SCRIPT} - it opens and mounts all of this and calls"
        " nixos-install."
    )


def _boot(layout: Layout) -> Operation:
    point = f"{TARGET}/boot"
    return programs(
        Layer.SYSTEM,
        "mount/boot",
        "Mount the EFI system partition as /boot of the new system",
        command("mkdir", "--parents", point),
        command("mount", "--types", "vfat", "--options", "umask=0077", layout.esps[0].path, point),
        effect=Effect.OPEN,
        done=("mountpoint", "-q", point),
    )


def _kept(layout: Layout) -> list[Operation]:
    persist = persisted(layout)
    folders = [f"{TARGET}{persist.folder}{path}" for path in kept_folders(persist)]
    return [
        programs(
            Layer.SYSTEM,
            "nixos/folders",
            f"Make the folders that are kept in {persist.folder}",
            command("mkdir", "--parents", *folders),
        ),
        *(
            target_file(
                Layer.SYSTEM,
                f"{persist.folder}{path}",
                "Give the system its machine id",
                "@{machine-id}\n",
                mode=0o444,
            )
            for path in persist.keep
            if not path.endswith("/")
        ),
    ]


def _passwords(layout: Layout) -> list[Operation]:
    """Write each password's hash where only root reads it; what stands in the configuration every user can read."""
    system = layout.recipe.system
    named = [(system.user.name, system.user.password)] if system.user else []
    return [
        programs(
            Layer.SYSTEM,
            f"password/{user}",
            f"Keep the hash of the password of {user}",
            command("install", "--directory", "--mode=0700", file.rpartition("/")[0]),
            Command(argv=("install", "--mode=0600", "/dev/stdin", file), stdin=f"%{{{secret}}}\n", hashed=True),
            secrets=(secret,),
        )
        for user, secret in [*named, ("root", system.root_password)]
        if secret
        for file in (TARGET + password_file(layout, user),)
    ]


def script(layout: Layout) -> str:
    """Return what is to be run in NixOS's installer, which opens and mounts everything and calls nixos-install."""
    persist, pool, esp = persisted(layout), layout.root_pool, layout.esps[0]
    members = [(name, device.name) for name in layout.recipe.crypt for device in layout.members(f"crypt.{name}")]
    lines = [
        "#!/bin/sh",
        "# Run this as root in the installer of NixOS, started by UEFI and with a network:",
        f"#     mkdir -p /esp; mount /dev/disk/by-label/{esp_label(esp.role)} /esp; sh /esp/{SCRIPT}",
        "# It opens and mounts what zroot made, installs NixOS there, and closes everything again.",
        "set -eux",
        "cd /",
    ]
    for name, mapping in members:
        discard = "--allow-discards " if layout.recipe.crypt[name].discard else ""
        lines.append(f"cryptsetup open {discard}/dev/disk/by-uuid/{fact('luks', mapping)} {mapping}")
    lines.append(f"zpool import -N {' '.join(f'-d {folder}' for folder in device_folders(layout))} {pool}")
    for mount in layout.mounts:
        point = f"/mnt{mount.point}".rstrip("/")
        lines += [f"mkdir -p {point}", f"mount -t zfs {mount.source} {point}"]
    lines += ["mkdir -p /mnt/boot", f"mount -o umask=0077 /dev/disk/by-uuid/{fact('esp', esp.role)} /mnt/boot"]
    for path in kept_folders(persist):
        lines += [f"mkdir -p /mnt{path}", f"mount --bind /mnt{persist.folder}{path} /mnt{path}"]
    lines += [
        "nixos-install --root /mnt --no-root-passwd",
        "# Until it is exported the pool belongs to this installer, and another system refuses it.",
        "umount -R /mnt",
        f"zpool export {pool}",
        *(f"cryptsetup close {mapping}" for _, mapping in members),
    ]
    return "\n".join(lines) + "\n"
