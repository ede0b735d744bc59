"""ZFS pools."""

from __future__ import annotations

from installer.plan.layout import Layout, pool_mountpoint, top_is_mounted
from installer.plan.names import TARGET
from installer.plan.opening import labelled, systemd_properties
from installer.plan.operation import Command, Effect, Exchange, Layer, Operation
from installer.plan.steps import command, programs
from installer.recipe.model import NativeEncryption, Pool, Vdev, VdevKind, VdevRole

NEW_KEY = ("Enter new passphrase:", "Re-enter new passphrase:")


def hostid(layout: Layout) -> list[Operation]:
    """Return what gives the live system the host id of the installed one, so that ZFS writes it into the pools.

    Only on our own live system: another one's pools may depend on the id that it has.
    """
    if not layout.machine.live:
        return []
    return [
        programs(
            Layer.POOLS,
            "hostid",
            "Take the host id that the new system will have",
            command("zgenhostid", "-f", "@{hostid}"),
            effect=Effect.OPEN,
        )
    ]


def operations(layout: Layout, name: str) -> list[Operation]:
    """Return what creates one pool and keeps it imported."""
    pool = layout.recipe.pool[name]
    members = layout.pool_members(name)
    imported = ("zpool", "list", "-H", "-o", "name", name)
    found = [
        programs(
            Layer.POOLS,
            f"create/{name}",
            f"Create the pool {name}",
            Command(argv=_create(layout, name, pool), dialogue=new_key(pool.encryption)),
            destroys=tuple(dict.fromkeys(role for device in members for role in device.roles)),
            done=imported,
            secrets=(pool.encryption.secret,) if pool.encryption else (),
        ),
        programs(
            Layer.POOLS,
            f"import/{name}",
            f"Import the pool {name}",
            command(
                *("zpool", "import", "-N", "-R", TARGET),
                *(word for device in members for word in ("-d", labelled(device))),
                name,
            ),
            effect=Effect.OPEN,
            done=imported,
        ),
    ]
    if pool.encryption:
        found.append(load_key(name, pool.encryption))
    if top_is_mounted(name, pool):
        found.append(
            programs(
                Layer.POOLS,
                f"mountpoint/{name}",
                f"Say where the top dataset of {name} is mounted",
                command("zfs", "set", "-u", f"mountpoint={pool_mountpoint(name, pool)}", name),
            )
        )
    return found


def _create(layout: Layout, name: str, pool: Pool) -> tuple[str, ...]:
    top = {"mountpoint": pool_mountpoint(name, pool), **({"canmount": "off"} if pool.bootfs else {}), **pool.filesystem}
    if top_is_mounted(name, pool):
        # zpool would mount it at once, perhaps before the root file system under it; so its place is said afterwards.
        top["mountpoint"] = "none"
    # Members of different sizes or kinds need -f; all that -f would pass over was checked or emptied before.
    argv = ["zpool", "create", "-f", "-o", f"ashift={ashift(layout, pool)}"]
    for key, value in pool.properties.items():
        argv += ["-o", f"{key}={value}"]
    for key, value in {**top, **encryption_properties(pool.encryption), **systemd_properties(layout, name)}.items():
        argv += ["-O", f"{key}={value}"]
    # -R implies cachefile=none: nothing but this installation imports the pool before it is finished.
    return (*argv, "-R", TARGET, name, *vdev_arguments(layout, pool))


def ashift(layout: Layout, pool: Pool) -> int:
    """Return the pool's ashift: as said, else from the largest physical sector of its members, 12 at least."""
    if pool.ashift is not None:
        return pool.ashift
    largest = max(device.physical_sector for vdev in pool.vdevs for device in layout.vdev_members(vdev.over))
    return min(16, max(12, largest.bit_length() - 1))


def ordered(pool: Pool) -> list[Vdev]:
    """Return the vdevs with the data first, as zpool wants them."""
    return sorted(pool.vdevs, key=lambda vdev: vdev.role is not VdevRole.DATA)


def vdev_arguments(layout: Layout, pool: Pool) -> list[str]:
    """Return the vdevs in the words of zpool create."""
    words: list[str] = []
    for vdev in ordered(pool):
        paths = [device.path for device in layout.vdev_members(vdev.over)]
        if vdev.role is not VdevRole.DATA:
            words.append(vdev.role.value)
        if vdev.kind in (VdevKind.SINGLE, VdevKind.STRIPE):
            words += paths
        elif vdev.kind is VdevKind.STRIPED_MIRRORS:
            width = vdev.width or 2
            for start in range(0, len(paths), width):
                words += ["mirror", *paths[start : start + width]]
        else:
            words += [vdev_word(vdev), *paths]
    return words


def vdev_word(vdev: Vdev) -> str:
    """Return the kind of a vdev as zpool writes it: `mirror`, `draid2:4d:1s`."""
    data = f":{vdev.data}d" if vdev.data else ""
    spares = f":{vdev.spares}s" if vdev.spares else ""
    return f"{vdev.kind.value}{data}{spares}"


def encryption_properties(encryption: NativeEncryption | None) -> dict[str, str]:
    """Return the properties that encrypt a dataset with a passphrase."""
    if not encryption:
        return {}
    return {
        "encryption": encryption.cipher,
        "keyformat": "passphrase",
        "keylocation": "prompt",
        "pbkdf2iters": str(encryption.iterations),
    }


def new_key(encryption: NativeEncryption | None) -> tuple[Exchange, ...]:
    """Return the answers that ZFS asks for when it makes an encrypted dataset."""
    return tuple(Exchange(prompt=prompt, secret=encryption.secret) for prompt in NEW_KEY) if encryption else ()


def load_key(dataset: str, encryption: NativeEncryption) -> Operation:
    """Return what loads the key of an encrypted dataset again after a restart."""
    return programs(
        Layer.DATASETS if "/" in dataset else Layer.POOLS,
        f"unlock/{dataset}",
        f"Load the key of {dataset}",
        Command(
            argv=("zfs", "load-key", dataset),
            dialogue=(Exchange(prompt=f"Enter passphrase for '{dataset}':", secret=encryption.secret),),
        ),
        effect=Effect.OPEN,
        # With the property's name before it, because "unavailable" has "available" in it.
        done=("zfs", "get", "-H", "-o", "property,value", "keystatus", dataset),
        done_says="keystatus\tavailable",
        secrets=(encryption.secret,),
    )
