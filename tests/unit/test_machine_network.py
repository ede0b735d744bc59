"""Where a machine says it can be reached."""

from __future__ import annotations

import json

from installer.machine.model import Address
from installer.machine.network import addresses, listens

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def link(name: str, *infos: dict[str, str], up: bool = True) -> dict[str, object]:
    return {"ifname": name, "flags": ["BROADCAST", *(["UP"] if up else [])], "addr_info": list(infos)}


def info(address: str, *, scope: str = "global", family: str = "inet") -> dict[str, str]:
    return {"family": family, "local": address, "scope": scope}


def test_names_what_others_can_reach_with_ipv4_first() -> None:
    told = [
        link("lo", info("127.0.0.1", scope="host")),
        link("enp3s0", info("2001:db8::5", family="inet6"), info("fe80::1", family="inet6", scope="link")),
        link("eth1", info("192.0.2.10")),
        link("eth2", info("192.0.2.99"), up=False),
        link("eth3"),
    ]
    assert addresses(json.dumps(told)) == (
        Address(interface="eth1", address="192.0.2.10"),
        Address(interface="enp3s0", address="2001:db8::5"),
    )


def test_what_is_no_list_of_interfaces_has_no_addresses() -> None:
    for told in ("", "not json", "{}", '["eth0"]', "[{}]"):
        assert addresses(told) == ()


def test_ssh_runs_where_something_listens_for_others() -> None:
    anywhere = "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0\n"
    assert listens(HEAD + anywhere)
    assert not listens(HEAD + anywhere.replace(":0016", ":0050"))
    assert not listens(HEAD + anywhere.replace(" 0A ", " 01 ")), "a connection from here is no server"
    assert not listens(HEAD + anywhere.replace("00000000:0016", "0100007F:0016")), "for this machine alone"
    assert not listens("")
