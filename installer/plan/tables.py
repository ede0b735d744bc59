"""The tables by which the installed system finds its storage: fstab, crypttab, mdadm.conf, the ZFS mount list."""

from __future__ import annotations

from installer.plan.encryption import is_key
from installer.plan.layout import Device, Layout
from installer.plan.names import TARGET, array_path, fact, mapping_path, zvol_path
from installer.plan.opening import crypttab_options, in_initramfs
from installer.plan.operation import Layer, Operation
from installer.plan.steps import command, programs, target_file
from installer.recipe.model import CryptKind, SwapKind

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
    found = [
        target_file(layer, "/etc/fstab", "Write fstab", fstab(layout)),
        # Where nothing is encrypted too: the initramfs's list of members is made from it.
        target_file(layer, "/etc/crypttab", "Write crypttab", crypttab(layout)),
    ]
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
    lines += [f"{path} none swap sw,nofail 0 0" for path in _swap_paths(layout)]
    return "\n".join(lines) + "\n"


def _swap_paths(layout: Layout) -> list[str]:
    """Return the devices that the installed system swaps on; zram is none of them."""
    swap = layout.recipe.swap
    match swap.kind:
        case SwapKind.RANDOM_KEY:
            return [mapping_path(name) for name, _ in _random_partitions(layout)]
        case SwapKind.RAID:
            return [device.path for device in layout.members(swap.over or "")]
        case SwapKind.ZVOL:
            return [zvol_path(f"{layout.root_pool}/swap")]
    return []


def _random_partitions(layout: Layout) -> list[tuple[str, Device]]:
    """Return the mapping and the partition of each disk's share of swap under random keys."""
    swap = layout.recipe.swap
    if swap.kind is not SwapKind.RANDOM_KEY or not swap.over:
        return []
    return [(f"swap-{device.suffix}", device) for device in layout.members(swap.over)]


def crypttab(layout: Layout) -> str:
    """Return crypttab; what the initramfs opens is left alone afterwards, the rest is systemd's."""
    lines = ["# <name> <device> <key> <options>"]
    for name, crypt in layout.recipe.crypt.items():
        for below, device in zip(layout.members(crypt.over), layout.members(f"crypt.{name}"), strict=True):
            if crypt.unlock == "random":
                lines.append(_random(device.name, below))
            else:
                key = mapping_path(crypt.key.removeprefix("crypt.")) if crypt.key else "none"
                lines.append(f"{device.name} {_place(layout, name, below, device)} {key} {_options(layout, name)}")
    lines += [_random(mapping, device) for mapping, device in _random_partitions(layout)]
    return "\n".join(lines) + "\n"


def _random(mapping: str, below: Device) -> str:
    """A new key at each boot; the device is named by its place, for what lies on it has no signature."""
    return f"{mapping} {below.path} /dev/urandom swap,cipher=aes-xts-plain64,size=512,nofail"


def _place(layout: Layout, name: str, below: Device, device: Device) -> str:
    """Name what a mapping lies over; a key device over an array by the array, which the initramfs has to assemble."""
    kind, _, lower = layout.recipe.crypt[name].over.partition(".")
    if kind == "file":
        # No device that could have a UUID before systemd has put a loop device over it.
        return below.path.removeprefix(TARGET)
    if layout.recipe.crypt[name].kind is CryptKind.TCRYPT:
        # It looks like random bytes, without a UUID: only the device's own link tells it from others.
        return below.path
    return array_path(lower) if kind == "raid" and is_key(layout, name) else f"UUID={fact('luks', device.name)}"


def _options(layout: Layout, name: str) -> str:
    crypt = layout.recipe.crypt[name]
    size = [f"keyfile-size={int(crypt.key_size)}"] if crypt.key and crypt.key_size else []
    early = name in in_initramfs(layout)
    opened = ("noauto", "x-initrd.attach") if early else crypttab_options(layout, name)
    kind = "tcrypt" if crypt.kind is CryptKind.TCRYPT else "luks"
    return ",".join([kind, *(["discard"] if crypt.discard else []), *size, *opened])


def members(layout: Layout) -> str:
    """Return the initramfs's list of members, the same that its dracut module makes from crypttab and mdadm.conf."""
    arrays = {array_path(name): f"MD-UUID={fact('md', name)}" for name in layout.recipe.raid}
    lines = [line.split() for line in crypttab(layout).splitlines()[1:]]
    return "".join(
        f"{name} {arrays.get(device, device)} {key} {options}\n"
        for name, device, key, options in lines
        if "x-initrd.attach" in options
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
