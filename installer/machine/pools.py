"""Pools: what zpool says, and what the labels on the disks say where it was not asked."""

from __future__ import annotations

from collections.abc import Iterator

from installer.machine import said
from installer.machine.model import Member, Pool
from installer.machine.recording import Recording
from installer.machine.said import PoolSaid, clean
from installer.machine.tree import Entry, Tree

STATUS = "zpool status -j"
IMPORT = "zpool import"
FOLDERS = tuple(f"/dev/{folder}" for folder in ("disk/by-id/", "mapper/", "", "disk/by-path/", "disk/by-partuuid/"))
"""Where zpool looks for the short names that it prints."""


def read(told: Recording, tree: Tree) -> tuple[Pool, ...]:
    """Return the imported pools, then those that could be imported."""
    imported = _imported(told, tree)
    if IMPORT in told.commands:
        others = said.importable_pools(told.commands[IMPORT].out)
    else:
        others = _from_labels(tree, {pool.guid for pool in imported})
    return tuple(_pool(pool, tree, imported=True) for pool in imported) + tuple(
        _pool(pool, tree, imported=False) for pool in others
    )


def _imported(told: Recording, tree: Tree) -> tuple[PoolSaid, ...]:
    """Ask zpool, and the mount table for pools that zpool could not tell about (before 2.3 it has no JSON)."""
    status = told.commands.get(STATUS)
    found = said.imported_pools(status.out) if status else ()
    known = {pool.name for pool in found}
    mounted = dict.fromkeys(mount.source.split("/")[0] for mount in tree.mount_table if mount.kind == "zfs")
    unknown = [name for name in mounted if name not in known]
    return found + tuple(PoolSaid(clean(name), _guid(name, tree), "", ()) for name in unknown)


def _guid(name: str, tree: Tree) -> str:
    """Return the GUID that every label of that name carries; empty if they differ."""
    guids = {clean(entry.get("uuid")) for entry in _labelled(tree) if clean(entry.get("label")) == name}
    return guids.pop() if len(guids) == 1 else ""


def _labelled(tree: Tree) -> Iterator[Entry]:
    seen = set()
    for _, entry in tree.pairs():
        name = tree.kname(entry)
        if entry.get("fstype") == "zfs_member" and name not in seen:
            seen.add(name)
            yield entry


def _from_labels(tree: Tree, imported: set[str]) -> tuple[PoolSaid, ...]:
    found = {(clean(entry.get("uuid")), clean(entry.get("label"))): None for entry in _labelled(tree)}
    return tuple(PoolSaid(name, guid, "", ()) for guid, name in sorted(found) if guid not in imported)


def _pool(pool: PoolSaid, tree: Tree, *, imported: bool) -> Pool:
    members = [Member(path=clean(path), state=state, device=_device(path, tree)) for path, state in pool.members]
    known = {member.device for member in members}
    # A label names its pool's GUID, also on a member whose printed name leads nowhere.
    members += [
        Member(path=clean(entry.get("path")), device=tree.kname(entry))
        for entry in _labelled(tree)
        if _belongs(entry, pool, imported=imported) and tree.kname(entry) not in known
    ]
    return Pool(name=pool.name, guid=pool.guid, state=pool.state, imported=imported, members=tuple(members))


def _belongs(entry: Entry, pool: PoolSaid, *, imported: bool) -> bool:
    if pool.guid:
        return clean(entry.get("uuid")) == pool.guid
    return imported and clean(entry.get("label")) == pool.name


def _device(printed: str, tree: Tree) -> str:
    """Find the device that zpool means; for a whole disk it prints the disk and uses its first partition."""
    for folder in ("",) if printed.startswith("/") else FOLDERS:
        if name := tree.resolve(folder + printed):
            return name
    return ""
