"""A machine as the tools described it: kept as they said it, so that a replay tests our reading too."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from installer.errors import Refusal
from installer.frozen import Frozen

MOUNTINFO = "/proc/self/mountinfo"
MDSTAT = "/proc/mdstat"
SWAPS = "/proc/swaps"
MEMINFO = "/proc/meminfo"
CMDLINE = "/proc/cmdline"
IMAGE = "/etc/zroot-image"
ZFS_MODULE = "/sys/module/zfs/version"
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

WANTED = re.compile(r"root|boot|rd\.live\..+|live-media.*|findiso|iso-scan/filename|toram|console")
"""Kernel arguments that say where a system was started from."""

LARGEST = 32 * 1024**2
"""Bytes. A machine with a hundred disks makes a recording of a few megabytes."""


class Device(Frozen):
    """A block device in udev's and the kernel's words."""

    properties: dict[str, str] = Field(default_factory=dict)
    attributes: dict[str, str] = Field(default_factory=dict)
    """Files below its folder in /sys: size (512-byte units), ro, queue/rotational ..."""
    holders: tuple[str, ...] = ()
    slaves: tuple[str, ...] = ()
    busy: bool = False
    """Opening it with O_EXCL failed with EBUSY."""
    openers: tuple[str, ...] = ()


class Said(Frozen):
    """What a program printed, and its exit status."""

    status: int
    out: str


class Recording(Frozen):
    """Everything that reading a machine needs; holds no secret."""

    recording: Literal[1] = 1
    """Version of this format."""
    zroot: str = ""
    """Version that recorded it."""
    listed: tuple[str, ...] = ()
    """Kernel names of the devices that blkinfo lists, and of those that lie below them."""
    lsblk: dict[str, Any]
    """`lsblk --json --bytes --output-all`"""
    devices: dict[str, Device] = Field(default_factory=dict)
    """By kernel name."""
    files: dict[str, str] = Field(default_factory=dict)
    """Text of files, by path; the SecureBoot variable in hexadecimal."""
    commands: dict[str, Said] = Field(default_factory=dict)
    """By the command as typed."""
    efi: bool = False
    euid: int = 0
    kernel: str = ""

    @field_validator("lsblk")
    @classmethod
    def _is_a_tree(cls, value: dict[str, Any]) -> dict[str, Any]:
        waiting = [value.get("blockdevices")]
        while waiting:
            entries = waiting.pop()
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise ValueError("blockdevices and children must be lists of devices")
            for entry in entries:
                if not all(isinstance(entry.get(key), str) for key in ("name", "kname", "type")):
                    raise ValueError("every device must have a name, a kname and a type")
                waiting.append(entry.get("children", []))
        return value

    @field_validator("files")
    @classmethod
    def _is_hexadecimal(cls, value: dict[str, str]) -> dict[str, str]:
        bytes.fromhex(value.get(SECURE_BOOT, ""))
        return value


def without_secrets(cmdline: str) -> str:
    """Keep of the kernel command line only what says where the system was started from.

    The rest is nobody's business: rd.luks.key, credentials, network settings, passwords of other installers.
    """
    return " ".join(word for word in cmdline.split() if WANTED.fullmatch(word.split("=", 1)[0]))


def local_mounts(mountinfo: str) -> str:
    """Keep of mountinfo the mounts that can lie on a disk, without options: a network mount's may name users."""
    kept = []
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) < 6 or len(kind) < 2:
            continue
        on_disk = not fields[2].startswith("0:") or kind[0] in ("zfs", "btrfs", "bcachefs")
        if on_disk or fields[4] == "/":
            kept.append(" ".join([*fields[:5], "rw", "-", kind[0], kind[1], "rw"]))
    return "".join(line + "\n" for line in kept)


def without_user(text: str) -> str:
    """Drop user and password from every URL."""
    return re.sub(r"(\w+://)[^/@\s\"']*@", r"\1", text)


def load(path: Path) -> Recording:
    """Read a recording from a file; raises Refusal."""
    hint = "Make one with `zroot record` on the machine in question."
    try:
        if not path.is_file():
            raise Refusal(f"{path} is not a file.", hint=hint)
        if path.stat().st_size > LARGEST:
            raise Refusal(f"{path} is too large for a recorded machine.", hint=hint)
        return Recording.model_validate_json(path.read_bytes())
    except OSError as error:
        raise Refusal(f"{path} cannot be read.", message=error.strerror or "", hint=hint) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        said = f"{where}: {first['msg']}" if where else first["msg"]
        raise Refusal(f"{path} is not a recorded machine.", message=said, hint=hint) from None


def dump(recording: Recording) -> str:
    """Write a recording as JSON, the same text for the same machine."""
    return json.dumps(recording.model_dump(mode="json"), indent=1, sort_keys=True, ensure_ascii=True) + "\n"
