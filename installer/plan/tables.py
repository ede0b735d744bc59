"""The tables by which the installed system finds its storage: fstab, crypttab, mdadm.conf, the ZFS mount list."""

from __future__ import annotations

from installer.plan.layout import Layout
from installer.plan.names import TARGET, fact
from installer.plan.operation import Layer, Operation
from installer.plan.steps import command, programs, target_file
from installer.recipe.model import Crypt, CryptKind, SwapKind

LIST_COLUMNS = (
    "name,mountpoint,canmount,atime,relatime,devices,exec,readonly,setuid,nbmand,encroot,keylocation,"
    "org.openzfs.systemd:requires,org.openzfs.systemd:requires-mounts-for,org.openzfs.systemd:before,"
    "org.openzfs.systemd:after,org.openzfs.systemd:wanted-by,org.openzfs.systemd:required-by,"
    "org.openzfs.systemd:nofail,org.openzfs.systemd:ignore"
)
"""What zfs-mount-generator(8) reads, in its order; zed's history_event-zfs-list-cacher.sh writes the same."""


def storage_tables(layout: Layout) -> list[Operation]:
    """Return the files that name the recipe's storage to the installed system."""
    layer = Layer.SYSTEM
    found = [target_file(layer, "/etc/fstab", "Write fstab", fstab(layout))]
    if layout.recipe.crypt:
        found.append(target_file(layer, "/etc/crypttab", "Write crypttab", crypttab(layout)))
    if layout.recipe.raid:
        found.append(target_file(layer, "/etc/mdadm/mdadm.conf", "Write mdadm.conf", mdadm_conf(layout)))
    found += [_mount_list(pool) for pool in layout.recipe.pool]
    return found


def fstab(layout: Layout) -> str:
    """Return fstab: what ZFS does not mount by itself."""
    lines = ["# <file system> <mount point> <type> <options> <dump> <pass>"]
    for mount in layout.mounts:
        if not mount.legacy:
            continue
        if mount.kind == "zfs":
            lines.append(f"{mount.source} {mount.point} zfs defaults 0 0")
        else:
            # Without /boot the system still comes up: an update waits, the machine does not.
            lines.append(f"UUID={fact('fs', mount.layer)} {mount.point} {mount.kind} defaults,nofail 0 2")
    swap = layout.recipe.swap
    if swap.over and swap.kind in (SwapKind.RANDOM_KEY, SwapKind.RAID):
        lines += [f"/dev/mapper/{device} none swap sw,nofail 0 0" for device in swap_mappings(layout)]
    if swap.kind is SwapKind.ZVOL:
        lines.append(f"/dev/zvol/{layout.root_pool}/swap none swap sw,nofail 0 0")
    return "\n".join(lines) + "\n"


def swap_mappings(layout: Layout) -> list[str]:
    """Return the names of the mappings that hold swap: a random key a partition, or the crypt layer over md."""
    swap = layout.recipe.swap
    if not swap.over:
        return []
    if swap.kind is SwapKind.RANDOM_KEY:
        return [f"swap-{device.suffix}" for device in layout.members(swap.over)]
    return [device.name for device in layout.members(swap.over)]


def crypttab(layout: Layout) -> str:
    """Return crypttab; what carries the root pool is opened in the initramfs and left alone afterwards."""
    lines = ["# <name> <device> <key> <options>"]
    for name, crypt in layout.recipe.crypt.items():
        if crypt.kind is CryptKind.TCRYPT:
            continue
        lines += [
            f"{device.name} UUID={fact('luks', device.name)} none {_options(crypt)}"
            for device in layout.members(f"crypt.{name}")
        ]
    swap = layout.recipe.swap
    if swap.kind is SwapKind.RANDOM_KEY and swap.over:
        for device, mapping in zip(layout.members(swap.over), swap_mappings(layout), strict=True):
            # A new key at each boot; the partition is named by its place, for it has no signature of its own.
            lines.append(f"{mapping} {device.path} /dev/urandom swap,cipher=aes-xts-plain64,size=512,nofail")
    return "\n".join(lines) + "\n"


def _options(crypt: Crypt) -> str:
    return ",".join(["luks", *(["discard"] if crypt.discard else []), "noauto", "x-initrd.attach"])


def members(layout: Layout) -> str:
    """Return the initramfs's list of members, the same that its dracut module makes from crypttab."""
    lines = [line.split() for line in crypttab(layout).splitlines()]
    return "".join(
        f"{line[0]} {line[1].removeprefix('UUID=')} {line[3]}\n" for line in lines if "x-initrd.attach" in line[3]
    )


def mdadm_conf(layout: Layout) -> str:
    """Return mdadm.conf: arrays by UUID, whatever host name their superblocks say."""
    lines = [
        f"ARRAY /dev/md/{name} metadata={raid.metadata} UUID={fact('md', name)}"
        for name, raid in layout.recipe.raid.items()
    ]
    # A member that was away and comes back is taken up again by the bitmap, without anybody asking.
    return "\n".join(["HOMEHOST <ignore>", "MAILADDR root", "POLICY action=re-add", *lines]) + "\n"


def _mount_list(pool: str) -> Operation:
    path = f"{TARGET}/etc/zfs/zfs-list.cache/{pool}"
    return programs(
        Layer.SYSTEM,
        f"mounts/{pool}",
        f"List the datasets of {pool} for the ZFS mount generator",
        command("mkdir", "--parents", f"{TARGET}/etc/zfs/zfs-list.cache"),
        # Not by zed in the target: it empties the file when the pool is exported.
        command("zfs", "list", "-H", "-t", "filesystem", "-o", LIST_COLUMNS, "-r", pool, output=path),
        command(
            "sed",
            "--in-place",
            "--regexp-extended",
            rf"s,^([^\t]+\t){TARGET}(\t),\1/\2,;s,^([^\t]+\t){TARGET}/,\1/,",
            path,
        ),
        command("test", "-s", path),
    )
