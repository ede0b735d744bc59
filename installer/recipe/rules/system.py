"""Rules on the installed system and its secrets."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from installer.recipe.model import Recipe
from installer.recipe.rules.rule import rule, rules_in
from installer.recipe.secrets import Kind, needs
from installer.recipe.stack import has_system, tarball_address

TAKEN = """_apt adm audio avahi backup bin cdrom crontab daemon dialout dip disk fax floppy games gnats input irc kmem
    kvm list lp mail man messagebus netdev news nobody nogroup operator plugdev polkitd proxy render root sasl sgx
    shadow src sshd staff sudo sync sys tape tcpdump tty users utmp uucp uuidd video voice www-data"""
"""Users and groups that Debian makes itself."""

TARBALLS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst")


@rule(
    reason="Nobody could log in.",
    remedy="Name a secret for system.user.password, give system.user.ssh-keys, or name one for system.root-password.",
)
def nobody_can_log_in(recipe: Recipe) -> Iterator[str]:
    user = recipe.system.user
    if has_system(recipe) and not recipe.system.root_password and not (user and (user.password or user.ssh_keys)):
        yield "system: neither the user nor root has a password or an ssh key."


@rule(reason="Debian has a user or a group of this name.", remedy="Choose another name.")
def user_name_taken(recipe: Recipe) -> Iterator[str]:
    user = recipe.system.user
    if user and (user.name in TAKEN.split() or user.name.startswith("systemd-")):
        yield f'system.user.name: "{user.name}" is taken.'


@rule(reason="It would name every machine and none.", remedy="Choose a name of its own.")
def hostname_is_localhost(recipe: Recipe) -> Iterator[str]:
    if recipe.system.hostname.split(".")[0].lower() == "localhost":
        yield f'system.hostname: "{recipe.system.hostname}" stands for every machine itself.'


@rule(
    reason="A tarball is unpacked as root: it is named, and one from the network is checked by its sum.",
    remedy='Set source = "tarball", tarball = "..." and, for an address, sha256 = "..." together.',
)
def tarball_incomplete(recipe: Recipe) -> Iterator[str]:
    system = recipe.system
    if (system.source == "tarball") != (system.tarball is not None):
        yield f'system.tarball: it does not go with source = "{system.source}".'
    elif system.tarball and tarball_address(system.tarball) and not system.sha256:
        yield "system.sha256: the sum of the tarball is missing."
    elif system.sha256 and not system.tarball:
        yield "system.sha256: there is no tarball."


@rule(
    reason="The name of a tarball says how it is compressed.",
    remedy="Give it a name that ends in " + ", ".join(TARBALLS) + ".",
)
def tarball_of_unknown_kind(recipe: Recipe) -> Iterator[str]:
    tarball = recipe.system.tarball
    if tarball and not tarball.endswith(TARBALLS):
        yield f"system.tarball: {tarball.rpartition('/')[2]} is no tarball by its name."


@rule(
    reason="Two interfaces with one address reach nobody.",
    remedy='Name the one interface, such as "enp3s0", or remove the address.',
)
def address_on_many_interfaces(recipe: Recipe) -> Iterator[str]:
    network = recipe.system.network
    if network.address and set(network.interface) & set("*? "):
        yield f'system.network.interface: "{network.interface}" may match several.'


@rule(
    reason="A gateway is reached through an address in the same network; with DHCP it comes from there.",
    remedy="Give an address of the gateway's network, or remove the gateway.",
)
def gateway_out_of_reach(recipe: Recipe) -> Iterator[str]:
    network = recipe.system.network
    if network.gateway and not network.address:
        yield "system.network.gateway: there is no address to reach it from."
    elif network.gateway and network.address:
        own = ipaddress.ip_interface(network.address).network
        gateway = ipaddress.ip_address(network.gateway)
        # fe80:: is reached on the link, whatever the address is.
        if gateway.version != own.version or (gateway not in own and not gateway.is_link_local):
            yield f"system.network.gateway: {network.gateway} is not in {own}."


@rule(
    reason="A password may be given as a hash, a passphrase may not; and who sees one typed should not hold the other.",
    remedy="Give the secrets different names.",
)
def password_is_passphrase(recipe: Recipe) -> Iterator[str]:
    kinds: dict[str, set[Kind]] = {}
    for need in needs(recipe):
        kinds.setdefault(need.name, set()).add(need.kind)
    for name, found in kinds.items():
        if Kind.PASSWORD in found and len(found) > 1:
            yield f'The secret "{name}" is both a login password and a passphrase for the disks.'


RULES = rules_in(vars())
