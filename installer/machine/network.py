"""Where this machine can be reached, for who would rather go on from another one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from installer import process
from installer.errors import ZrootError
from installer.machine.model import Address, Network
from installer.machine.said import clean

SOCKETS = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
LISTENING = "0A"
SSH = 22
LOOPBACK = ("0100007F", "00000000000000000000000001000000")
"""127.0.0.1 and ::1 as the kernel prints them."""


def network() -> Network:
    """Ask for the addresses of this machine, and whether ssh runs; nothing where that cannot be told."""
    try:
        told = process.run(("ip", "-json", "address"), timeout=10).out
    except ZrootError:
        told = "[]"
    return Network(addresses=addresses(told), ssh=any(listens(_text(path)) for path in SOCKETS))


def addresses(told: str) -> tuple[Address, ...]:
    """Read `ip -json address`: what is global, of interfaces that are up; IPv4 first, which is shorter to type."""
    found = []
    for link in _links(told):
        for info in link.get("addr_info", []):
            if "UP" in link.get("flags", []) and info.get("scope") == "global" and info.get("local"):
                family = 4 if info.get("family") == "inet" else 6
                found.append((family, Address(interface=clean(link.get("ifname")), address=clean(info["local"]))))
    return tuple(address for _, address in sorted(found, key=lambda pair: pair[0]))


def listens(table: str, *, port: int = SSH) -> bool:
    """Tell from a table of the kernel's whether something listens on a port, other than for this machine alone."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[3] == LISTENING:
            address, _, number = fields[1].rpartition(":")
            if int(number, 16) == port and address not in LOOPBACK:
                return True
    return False


def _links(told: str) -> list[dict[str, Any]]:
    try:
        links = json.loads(told)
    except ValueError:
        return []
    return [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
