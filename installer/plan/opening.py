"""What the installed system opens once its root file system is there: other pools, and datasets with keys of their own.

Encrypted members are systemd's, by crypttab; zroot-pool@.service (iso/target) imports a pool over them; the ZFS mount
generator's units load keys and mount, told by properties what belongs to what. Nothing of it can end a boot: whatever
is not opened in time stays closed, and starting one target opens it later: zroot-pool@POOL or zroot-key@DATASET.
Nothing else asks for a passphrase again: a login starts what its home lies on, and would wait for the prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from installer.plan.layout import Device, Layout, mountpoint, pool_mountpoint
from installer.plan.names import TARGET, partition_path
from installer.plan.operation import Layer, Operation
from installer.plan.steps import command, programs, target_file
from installer.recipe import stack
from installer.recipe.model import CryptKind, NativeEncryption

PROMPT = 90
"""Seconds that systemd asks for a member's passphrase; the initramfs asks for the root pool's as long as it takes."""
UNITS = "/etc/systemd/system"


def operations(layout: Layout) -> list[Operation]:
    """Return the files that tell the installed system how to open what is not its root."""
    found = [step for pool in layout.recipe.pool if pool != layout.root_pool for step in _pool(layout, pool)]
    for dataset, encryption in encrypted_later(layout):
        found += _key(layout, dataset, encryption)
    return found


def escaped(name: str) -> str:
    """Return a name as systemd writes it inside a unit's name (systemd-escape)."""
    kept = "".join(
        "-" if char == "/" else char if char.isalnum() or char in ":_." else f"\\x{ord(char):02x}" for char in name
    )
    return f"\\x2e{kept[1:]}" if kept.startswith(".") else kept


def pool_unit(pool: str) -> str:
    """Name the unit that imports a pool; in the name of a pool nothing needs escaping."""
    return f"zroot-pool@{pool}.service"


def key_unit(dataset: str) -> str:
    """Name the unit that asks for the key of a dataset, as the ZFS mount generator does."""
    return f"zfs-load-key@{escaped(dataset)}.service"


def key_target(dataset: str) -> str:
    """Name the target that unlocks a dataset, mounts what is in it and starts what waits for it."""
    return f"zroot-key@{escaped(dataset)}.target"


def pool_target(pool: str) -> str:
    """Name the target that imports a pool and mounts what is in it."""
    return f"zroot-pool@{pool}.target"


def crypt_unit(mapping: str) -> str:
    """Name the unit that opens a line of crypttab."""
    return f"systemd-cryptsetup@{escaped(mapping)}.service"


def in_initramfs(layout: Layout) -> frozenset[str]:
    """Return the encryption layers that the initramfs opens.

    They are those under the root pool and their keys, and others on disks alone that the same secret or key opens:
    it is asked for only once.
    """
    crypts = layout.recipe.crypt
    below = {lower for over in stack.under_pool(layout.recipe, layout.root_pool) for lower in _below(layout, over)}
    own = {name for name in crypts if f"crypt.{name}" in below}
    keys = {crypt.key for name in own if (crypt := crypts[name]).key}
    own |= {name for name in crypts if f"crypt.{name}" in keys}
    secrets = {crypts[name].secret for name in own if crypts[name].unlock == "passphrase"}
    return frozenset(own | {name for name in crypts if _opens_along(layout, name, secrets=secrets, keys=keys)})


def _opens_along(layout: Layout, name: str, *, secrets: set[str], keys: set[str]) -> bool:
    crypt = layout.recipe.crypt[name]
    shared = (crypt.unlock == "passphrase" and crypt.secret in secrets) or (crypt.key and crypt.key in keys)
    # The initramfs opens LUKS alone: it knows its members by their UUIDs.
    shared = shared and crypt.kind is not CryptKind.TCRYPT
    return bool(shared) and all(lower.startswith(("disk.", "partition.")) for lower in _below(layout, crypt.over))


def _below(layout: Layout, reference: str) -> tuple[str, ...]:
    return stack.everything_below(layout.recipe, reference)


def crypttab_options(layout: Layout, name: str) -> tuple[str, ...]:
    """Return the options of a member that the running system opens: it is asked for and waited for a bounded time."""
    crypt = layout.recipe.crypt[name]
    on_pool = any(lower.startswith(("zvol.", "file.")) for lower in _below(layout, crypt.over))
    appears = f"x-systemd.device-timeout={layout.recipe.boot.wait + (PROMPT if on_pool else 0)}"
    # What is typed for one device is tried on all that ask at that moment; a device that stands alone would spend one
    # of its three tries on it, and show its prompt again.
    alone = _devices_of_secret(layout, crypt.secret) == 1
    cache = ("password-cache=no",) if alone and crypt.unlock == "passphrase" else ()
    # A file does not appear, it is there when its folder is mounted.
    device = () if crypt.over.startswith("file.") else (appears,)
    # noauto: the pool's unit wants it, and nothing else does; cryptsetup.target is part of every start of a service.
    return ("noauto", "nofail", f"timeout={PROMPT}", *device, *cache)


def _devices_of_secret(layout: Layout, secret: str) -> int:
    early = in_initramfs(layout)
    layers = [name for name, crypt in layout.recipe.crypt.items() if crypt.secret == secret and name not in early]
    return sum(len(layout.members(f"crypt.{name}")) for name in layers)


def systemd_properties(layout: Layout, dataset: str) -> dict[str, str]:
    """Return what tells the ZFS mount generator which unit a dataset waits for, and which targets bring it along.

    Wanted by those alone, it is mounted whenever they are started, and never needed for the boot to go on. They are
    targets because the generator puts a mount before what wants it, and it comes after the units that it waits for.
    """
    if not stack.has_system(layout.recipe):
        return {}
    pool = dataset.partition("/")[0]
    units = [pool_unit(pool)] if pool != layout.root_pool else []
    needs = {"org.openzfs.systemd:requires": units[0], "org.openzfs.systemd:after": units[0]} if units else {}
    own = [key_target(dataset)] if dataset in dict(encrypted_later(layout)) else []
    if not own and (dataset != pool or not units):
        return {}  # inherited
    # Not local-fs.target: every service needs that, and would ask for what stayed locked once more when it starts.
    wanted = [pool_target(pool) if units else "multi-user.target", *own]
    return {
        **(needs if dataset == pool else {}),
        "org.openzfs.systemd:nofail": "on",
        "org.openzfs.systemd:wanted-by": " ".join(wanted),
    }


def encrypted_later(layout: Layout) -> Iterator[tuple[str, NativeEncryption]]:
    """Give each natively encrypted dataset whose key the running system asks for: all but the root file system's."""
    for name, pool in layout.recipe.pool.items():
        if pool.encryption and name != layout.root_pool:
            yield name, pool.encryption
        for dataset in pool.dataset:
            whole = f"{name}/{dataset.name}"
            if dataset.encryption and not dataset.size and not f"{layout.root_dataset}/".startswith(f"{whole}/"):
                yield whole, dataset.encryption


def _pool(layout: Layout, pool: str) -> list[Operation]:
    """Drop-ins name what the pool lies on and what its target opens; enabling makes the boot start it."""
    layer, unit, target = Layer.SYSTEM, pool_unit(pool), pool_target(pool)
    below = [layer for over in stack.under_pool(layout.recipe, pool) for layer in _below(layout, over)]
    # Wanted and not required: with one of them missing, a redundant pool is imported all the same.
    opened = [f"Wants={one}" for one in _crypt_units(layout, below)]
    files = {
        unit: (f"Say what the pool {pool} lies on", _drop_in(layout, pool, below)),
        target: (f"Say what is opened for the pool {pool}", _sections(Unit=opened)),
    }
    enabling = command("systemctl", "--quiet", f"--root={TARGET}", "enable", target)
    return [
        *(
            target_file(layer, f"{UNITS}/{name}.d/zroot.conf", title, content)
            for name, (title, content) in files.items()
            if content
        ),
        programs(layer, f"enable/{target}", f"Import the pool {pool} at every start", enabling),
    ]


def _crypt_units(layout: Layout, below: Iterable[str]) -> list[str]:
    """Name the units that open encrypted members in the running system."""
    layers = [
        name for kind, name in _split(dict.fromkeys(below)) if kind == "crypt" and name not in in_initramfs(layout)
    ]
    return [crypt_unit(device.name) for name in layers for device in layout.members(f"crypt.{name}")]


def _drop_in(layout: Layout, pool: str, below: Sequence[str]) -> str:
    needs = [f"After={unit}" for unit in _crypt_units(layout, below)]
    needs += [line for kind, name in _split(below) for line in _needs(layout, kind, name)]
    devices = " ".join(labelled(device).removeprefix(TARGET) for device in layout.pool_members(pool))
    # Only its own: another pool of the same name on other disks is left alone.
    service = [f"Environment=ZROOT_WAIT={layout.recipe.boot.wait}", _environment("ZROOT_DEVICES", devices)]
    return _sections(Unit=dict.fromkeys(needs), Service=service)


def _split(layers: Iterable[str]) -> list[tuple[str, str]]:
    found = [layer.partition(".") for layer in layers]
    return [(kind, name) for kind, _, name in found]


def _needs(layout: Layout, kind: str, name: str) -> list[str]:
    """Return the lines by which a pool's unit waits for what it has on another pool."""
    if kind == "file":
        return [f"RequiresMountsFor={layout.recipe.file[name].folder}"]
    if kind == "zvol" and (lower := name.partition("/")[0]) != layout.root_pool:
        return [f"Requires={pool_unit(lower)}", f"After={pool_unit(lower)}"]
    return []


def _environment(name: str, value: str) -> str:
    # systemd would take a % for one of its specifiers.
    return f'Environment="{name}={value.replace("%", "%%")}"'


def _sections(**sections: Iterable[str]) -> str:
    """Return a unit file of the sections that have lines."""
    found = {name: list(lines) for name, lines in sections.items()}
    return "\n".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in found.items() if lines)


def labelled(device: Device) -> str:
    """Return where a member's ZFS label is: on the first of the partitions that zpool makes on a whole disk."""
    whole_disk = device.name == device.role
    return partition_path(device.path, 1) if whole_disk else device.path


def _key(layout: Layout, dataset: str, encryption: NativeEncryption) -> list[Operation]:
    layer, unit, services = Layer.SYSTEM, key_unit(dataset), encryption.services
    prompt = [f"Environment=ZROOT_WAIT={encryption.wait}"]
    prompt += [_environment("ZROOT_SERVICES", " ".join(services))] if services else []
    pool = dataset.partition("/")[0]
    # The generator copies what a mount requires to the unit of its key, and not the order (zfs 2.3.9).
    order = [f"After={pool_unit(pool)}"] if pool != layout.root_pool else []
    point = _mountpoint(layout, dataset)
    waits = [f"Requires={unit}", f"After={unit}", *([f"RequiresMountsFor={point}"] if point.startswith("/") else [])]
    files = {
        f"{unit}.d/zroot.conf": (
            f"Say how long {dataset} is asked for at boot, and what waits for it",
            _sections(Unit=order, Service=prompt),
        ),
        f"{key_target(dataset)}.d/zroot.conf": (
            f"Start with {dataset} what waits for it",
            _sections(Unit=[line for service in services for line in (f"Wants={service}", f"After={service}")]),
        ),
        **{
            f"{service}.d/zroot-{escaped(dataset)}.conf": (
                f"Let {service} wait until {dataset} is unlocked",
                _sections(Unit=waits),
            )
            for service in services
        },
    }
    return [
        target_file(layer, f"{UNITS}/{path}", title, content) for path, (title, content) in files.items() if content
    ]


def _mountpoint(layout: Layout, dataset: str) -> str:
    name, _, below = dataset.partition("/")
    pool = layout.recipe.pool[name]
    if not below:
        return pool_mountpoint(name, pool)
    return next(mountpoint(name, pool, one) for one in pool.dataset if one.name == below)
