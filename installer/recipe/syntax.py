"""Syntax of the words in a recipe: one pattern each, and the sentence a person reads when it does not match.

What a pattern lets through is safe as an argument of a program, and on a terminal.
"""

from __future__ import annotations

import base64
import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_FOLDER = r"\.?[A-Za-z0-9_][A-Za-z0-9_.+@-]*"
_DATASET = r"[A-Za-z0-9_][A-Za-z0-9_.:-]*"

NAME = r"^[a-z][a-z0-9-]{0,30}$"
REFERENCE = r"^(disk|partition|raid|crypt|zvol|file)\.[A-Za-z0-9][A-Za-z0-9_./:-]*$"
TYPE_CODE = r"^[0-9a-fA-F]{4}$"
LINE = r"^[^\x00-\x1f\x7f-\x9f]{1,200}$"
POOL = r"^[A-Za-z][A-Za-z0-9_.:-]{0,63}$"
DATASET = rf"^{_DATASET}(?:/{_DATASET})*$"
SNAPSHOT = r"^[A-Za-z0-9_.:-]{1,64}$"
PROPERTY = r"^[a-z][a-z0-9_.:@-]{0,100}$"
FOLDER = rf"^/(?:{_FOLDER}(?:/{_FOLDER})*)?$"
MOUNT = rf"^(?:none|legacy|/(?:{_FOLDER}(?:/{_FOLDER})*)?)$"
KEPT = rf"^/{_FOLDER}(?:/{_FOLDER})*/?$"
CIPHER = r"^[a-z0-9]+-[a-z0-9]+-[a-z0-9:]+$"
HOSTNAME = rf"^{_LABEL}(?:\.{_LABEL})*$"
LOCALE = r"^(?:C|[a-z]{2,3}_[A-Z]{2})\.UTF-8(?:@[a-z]+)?$"
KEYMAP = r"^[a-z][a-z0-9_-]{0,31}(?::[A-Za-z0-9][A-Za-z0-9_-]{0,31})?$"
TIMEZONE = r"^[A-Z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}$"
USER = r"^[a-z][a-z0-9_-]{0,31}$"
OWNER = r"^[0-9]{1,9}(?::[0-9]{1,9})?$"
FULL_NAME = r"^[^:,=\x00-\x1f\x7f-\x9f]{0,100}$"
SSH_KEY = (
    r"^(?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)"
    r"|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) [A-Za-z0-9+/]+={0,2}(?: [^\x00-\x1f\x7f-\x9f]*)?$"
)
PACKAGE = r"^[a-z0-9][a-z0-9+.-]+$"
UNIT = r"^[A-Za-z0-9][A-Za-z0-9:_.@-]*\.(?:service|socket|timer|path|target|mount)$"
USER_NUMBER = r"^[0-9]{1,10}$"
PERMISSION = r"^[a-z][a-z0-9:._-]{0,60}$"
SUITE = r"^[a-z][a-z0-9-]{0,31}$"
MIRROR = r"^https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/+-]*)?$"
TARBALL = r"^(?:(?:/|https?://)[A-Za-z0-9._~/+@:%-]+|[A-Za-z0-9][A-Za-z0-9._+-]*)$"
SHA256 = r"^[0-9a-f]{64}$"
INTERFACE = r"^[A-Za-z0-9*?][A-Za-z0-9*?._ -]{0,63}$"
ARGUMENT = r"^[A-Za-z0-9_][A-Za-z0-9_.,:=/@%+*~-]{0,255}$"

REMEDIES = {
    NAME: "a name is small letters, digits and hyphens, begins with a letter and has at most 31 characters",
    REFERENCE: "a reference names a layer: disk.NAME, partition.NAME, raid.NAME, crypt.NAME, zvol.POOL/NAME, file.NAME",
    TYPE_CODE: "a partition type is a four-digit code of sgdisk: ef00 (ESP), ef02 (BIOS boot), fd00 (md), 8309 (LUKS)",
    LINE: "it must be between 1 and 200 characters, none of them a control character",
    POOL: "a pool name begins with a letter and has letters, digits and _ . : - only, at most 64",
    DATASET: "a dataset name has letters, digits and _ . : - only, with / between its parts; no part begins with a dot",
    SNAPSHOT: "a snapshot name has letters, digits and _ . : - only, at most 64",
    PROPERTY: "a property name has small letters, digits and _ . : @ - only",
    FOLDER: "a folder is an absolute path without spaces, .. or a slash at its end",
    MOUNT: "a mount point is none, legacy, or an absolute path without spaces, .. or a slash at its end",
    KEPT: "what is kept is an absolute path without spaces or ..: a folder with a slash at its end, a file without",
    CIPHER: "a cipher is written as cryptsetup does: aes-xts-plain64",
    HOSTNAME: "a host name has letters, digits and hyphens, 63 at most between dots, and no hyphen at an end",
    LOCALE: "a locale is a language and a country in UTF-8: en_US.UTF-8, or C.UTF-8",
    KEYMAP: "a keymap is an XKB layout with an optional variant: us, de, fr:oss",
    TIMEZONE: "a timezone is a region and a city: Europe/Berlin, or Etc/UTC",
    USER: "a user name is small letters, digits, _ and -, begins with a letter and has at most 32 characters",
    OWNER: "an owner is a number or two, user and group: 1000 or 1000:1000",
    FULL_NAME: "a full name has at most 100 characters and no colon, comma or equals sign",
    SSH_KEY: "an ssh key is the one line of a public key file (.pub): ssh-ed25519 AAAA... comment",
    PACKAGE: "a package name has small letters, digits and + . - only",
    UNIT: "a unit is named with its kind at the end: postgresql.service",
    USER_NUMBER: "a user is named by number here: 1000 is the first user of a Debian system",
    PERMISSION: "a permission is a word of zfs allow: create, snapshot, send, receive, hold, or a property's name",
    SUITE: "a suite is a Debian code name: trixie",
    MIRROR: "a mirror is an http or https address without user name and password",
    TARBALL: "a tarball is a file name on the volume labelled ZROOT, an absolute path, or an http or https address",
    SHA256: "a SHA-256 sum is 64 hexadecimal digits in small letters",
    INTERFACE: "an interface is a name or patterns with * and ?: en* eth*",
    ARGUMENT: "a kernel argument has letters, digits and _ . , : = / @ % + * ~ - only: no spaces, no quotes",
}
"""What to do about a word that does not match its pattern."""


def _pool_name(value: str) -> str:
    # libzfs zpool_name_valid() and pool_namecheck(): words of the vdev syntax, and names like Solaris disks.
    reserved = value.startswith(("mirror", "raidz", "draid", "spare")) or value == "log"
    if reserved or (value[0] == "c" and value[1:2].isdigit()):
        raise ValueError(
            "ZFS reserves names that begin with mirror, raidz, draid or spare, the name log, and names like c0;"
            " choose another, such as rpool or tank"
        )
    return value


def _ssh_key(value: str) -> str:
    """Refuse a key that lost its end on the way: sshd would ignore it, and nobody could log in."""
    kind, encoded = value.split(" ")[:2]
    try:
        left = base64.b64decode(encoded, validate=True)
    except ValueError:
        left = b"?"
    first = left[4 : 4 + int.from_bytes(left[:4])]
    while len(left) >= 4 and len(left) >= 4 + int.from_bytes(left[:4]):
        left = left[4 + int.from_bytes(left[:4]) :]
    if left or first != kind.encode():
        raise ValueError("the key is damaged: copy the whole line of the public key file (.pub)")
    return value


def _address(value: str) -> str:
    try:
        if "/" not in value:
            raise ValueError
        ipaddress.ip_interface(value)
    except ValueError:
        raise ValueError("an address is written with its prefix length: 192.0.2.10/24 or 2001:db8::10/64") from None
    return value


def _host_address(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("an address is written in numbers: 192.0.2.1 or 2001:db8::1") from None
    return value


Name = Annotated[str, Field(pattern=NAME)]
Reference = Annotated[str, Field(pattern=REFERENCE)]
TypeCode = Annotated[str, Field(pattern=TYPE_CODE), AfterValidator(str.lower)]
Line = Annotated[str, Field(pattern=LINE)]
PoolName = Annotated[str, Field(pattern=POOL), AfterValidator(_pool_name)]
DatasetName = Annotated[str, Field(pattern=DATASET, max_length=180)]
SnapshotName = Annotated[str, Field(pattern=SNAPSHOT)]
Properties = dict[Annotated[str, Field(pattern=PROPERTY)], Annotated[str, Field(pattern=LINE)]]
Folder = Annotated[str, Field(pattern=FOLDER)]
Mount = Annotated[str, Field(pattern=MOUNT)]
Kept = Annotated[str, Field(pattern=KEPT)]
Cipher = Annotated[str, Field(pattern=CIPHER)]
Hostname = Annotated[str, Field(pattern=HOSTNAME, max_length=64)]
Locale = Annotated[str, Field(pattern=LOCALE)]
Keymap = Annotated[str, Field(pattern=KEYMAP)]
Timezone = Annotated[str, Field(pattern=TIMEZONE)]
UserName = Annotated[str, Field(pattern=USER)]
Owner = Annotated[str, Field(pattern=OWNER)]
FullName = Annotated[str, Field(pattern=FULL_NAME)]
SshKey = Annotated[str, Field(pattern=SSH_KEY), AfterValidator(_ssh_key)]
Package = Annotated[str, Field(pattern=PACKAGE)]
Unit = Annotated[str, Field(pattern=UNIT)]
Delegation = dict[Annotated[str, Field(pattern=USER_NUMBER)], tuple[Annotated[str, Field(pattern=PERMISSION)], ...]]
Suite = Annotated[str, Field(pattern=SUITE)]
Mirror = Annotated[str, Field(pattern=MIRROR)]
Tarball = Annotated[str, Field(pattern=TARBALL)]
Sha256 = Annotated[str, Field(pattern=SHA256)]
Interface = Annotated[str, Field(pattern=INTERFACE)]
Address = Annotated[str, AfterValidator(_address)]
HostAddress = Annotated[str, AfterValidator(_host_address)]
Argument = Annotated[str, Field(pattern=ARGUMENT)]
