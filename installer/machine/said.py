"""Parsers of what tools and the kernel print; text in, plain values out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from installer.machine.model import Array


class Mount(NamedTuple):
    device: str
    """major:minor"""
    point: str
    kind: str
    source: str


class PoolSaid(NamedTuple):
    name: str
    guid: str
    state: str
    members: tuple[tuple[str, str], ...]
    """(name or path as printed, state)"""


def clean(text: object) -> str:
    """Make text that a device told literal: no control, escape or direction characters, no space at the ends."""
    return "".join(char for char in str(text or "") if char.isprintable()).strip()


def mounts(mountinfo: str) -> tuple[Mount, ...]:
    """Read /proc/self/mountinfo."""
    found = []
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) >= 5 and len(kind) >= 2:
            found.append(Mount(fields[2], _unescaped(fields[4]), kind[0], _unescaped(kind[1])))
    return tuple(found)


def swaps(text: str) -> tuple[str, ...]:
    """Read /proc/swaps: paths of the devices and files in use."""
    return tuple(_unescaped(line.split()[0]) for line in text.splitlines()[1:] if line.split())


def _unescaped(text: str) -> str:
    """Undo the kernel's octal escapes of space, tab, newline and backslash."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def arrays(mdstat: str) -> tuple[Array, ...]:
    """Read /proc/mdstat; an inactive array has no level."""
    found = []
    for name, state, rest in re.findall(r"^(md\S*) : (active|inactive)((?: .*)?)$", mdstat, re.MULTILINE):
        words = re.sub(r"\([^)]*\)", "", rest).split()  # (auto-read-only), and the (S), (F) behind members
        members = tuple(sorted(word.split("[")[0] for word in words if "[" in word))
        level = next((word for word in words if "[" not in word), "")
        found.append(Array(name=name, level=level, active=state == "active", members=members))
    return tuple(found)


def volume_groups(pvs: str) -> dict[str, list[str]]:
    """Read `pvs --reportformat json`: paths of the physical volumes by group."""
    found: dict[str, list[str]] = {}
    for report in _json(pvs).get("report", []):
        for row in report.get("pv", []):
            if row.get("vg_name"):
                found.setdefault(str(row["vg_name"]), []).append(str(row["pv_name"]))
    return found


def imported_pools(status: str) -> tuple[PoolSaid, ...]:
    """Read `zpool status -j`; anything else that it may print (no pools available) means none."""
    return tuple(
        PoolSaid(clean(name), clean(pool.get("pool_guid")), clean(pool.get("state")), tuple(_leaves(pool)))
        for name, pool in _json(status).get("pools", {}).items()
    )


def _leaves(vdev: dict[str, Any]) -> Iterator[tuple[str, str]]:
    # By path and not by vdev_type, which draid vdevs lack (openzfs #18431).
    if "path" in vdev:
        yield str(vdev["path"]), clean(vdev.get("state"))
    for value in vdev.values():
        if isinstance(value, dict):
            yield from _leaves(value)


def importable_pools(text: str) -> tuple[PoolSaid, ...]:
    """Read `zpool import`, which has no JSON: every leaf of the indented tree is a member."""
    found = []
    for block in re.split(r"^\s*pool: ", text, flags=re.MULTILINE)[1:]:
        name = block.splitlines()[0].strip()
        guid = re.search(r"^\s*id: (\d+)", block, re.MULTILINE)
        state = re.search(r"^\s*state: (\S+)", block, re.MULTILINE)
        config = block.partition("config:")[2].splitlines()
        found.append(PoolSaid(clean(name), guid[1] if guid else "", state[1] if state else "", tuple(_tree(config))))
    return tuple(found)


def _tree(config: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the leaves: rows that the next row is not indented below, and that have a state."""
    rows = [line.replace("\t", "        ") for line in config if line.strip()]
    depths = [len(row) - len(row.lstrip()) for row in rows]
    for row, depth, following in zip(rows, depths, [*depths[1:], 0], strict=True):
        words = row.split()
        if following <= depth and len(words) > 1 and depth > depths[0]:
            yield words[0], words[1]


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
