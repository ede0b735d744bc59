"""The recipe: every layer has a name and says what it lies over.

A reference is `layer.name`: `disk.a`, `partition.pool`, `raid.boot`, `crypt.pool`, `zvol.rpool/vault`, `file.vault`.
A layer over `partition.pool` lies over that partition of every disk that has it: its members are named
`pool-a`, `pool-b` after the disks' roles. A layer over another layer has one member for each of that layer's.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from installer.frozen import Frozen
from installer.recipe.size import Size

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Reference = Annotated[str, StringConstraints(pattern=r"^(disk|partition|raid|crypt|zvol|file)\.[A-Za-z0-9][A-Za-z0-9_./:-]*$")]
Properties = dict[str, str]


class After(StrEnum):
    REBOOT = "reboot"
    POWEROFF = "poweroff"
    STAY = "stay"


class Result(StrEnum):
    """Where an unattended replay leaves its result."""

    VOLUME = "volume"
    NONE = "none"


class Disk(Frozen):
    """A selector: everything that it says must hold, and exactly one disk must answer to it."""

    serial: str | None = None
    wwn: str | None = None
    by_id: str | None = Field(None, alias="by-id")
    by_path: str | None = Field(None, alias="by-path")
    model: str | None = None
    min_size: Size | None = Field(None, alias="min-size")
    max_size: Size | None = Field(None, alias="max-size")
    transport: str | None = None


class Partition(Frozen):
    """An entry of the first disk's table, which sgdisk clones to the others."""

    name: Name
    size: Size | Literal["rest"]
    type: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{4}$")]


class Raid(Frozen):
    """An md array."""

    over: Reference
    level: Literal[0, 1, 10] = 1
    metadata: Literal["1.0", "1.2"] = "1.2"
    filesystem: Literal["ext4", "none"] = "none"
    mount: str | None = None


class CryptKind(StrEnum):
    LUKS2 = "luks2"
    LUKS2_INTEGRITY = "luks2-integrity"
    TCRYPT = "tcrypt"


class Kdf(Frozen):
    """argon2id, fixed so that no benchmark in a busy machine chooses a weak one."""

    memory: Size = Size(512 * 1024**2)
    iterations: Annotated[int, Field(ge=4, le=1000)] = 4
    parallel: Annotated[int, Field(ge=1, le=4)] = 4


class Crypt(Frozen):
    """An encryption layer; one secret opens every member."""

    over: Reference
    kind: CryptKind = CryptKind.LUKS2
    unlock: Literal["passphrase", "key-device", "random"] = "passphrase"
    secret: Name = "passphrase"
    """Name under which the passphrase is asked for; layers that name the same secret share it."""
    key: Reference | None = None
    """With unlock = "key-device": the layer whose content is the key."""
    key_size: Size | None = Field(None, alias="key-size")
    discard: bool = True
    cipher: str = "aes-xts-plain64"
    kdf: Kdf = Kdf()


class VdevKind(StrEnum):
    SINGLE = "single"
    STRIPE = "stripe"
    MIRROR = "mirror"
    STRIPED_MIRRORS = "striped-mirrors"
    RAIDZ1 = "raidz1"
    RAIDZ2 = "raidz2"
    RAIDZ3 = "raidz3"
    DRAID1 = "draid1"
    DRAID2 = "draid2"
    DRAID3 = "draid3"


class VdevRole(StrEnum):
    DATA = "data"
    SPECIAL = "special"
    DEDUP = "dedup"
    LOG = "log"
    CACHE = "cache"
    SPARE = "spare"


class Vdev(Frozen):
    """One group of members in a pool."""

    kind: VdevKind
    over: Reference | tuple[Reference, ...]
    role: VdevRole = VdevRole.DATA
    width: int | None = None
    """Members of each mirror in striped-mirrors; 2 if not said."""


class NativeEncryption(Frozen):
    """ZFS's own encryption of a dataset and what lies below it."""

    secret: Name = "passphrase"
    cipher: Literal["aes-256-gcm", "aes-192-gcm", "aes-128-gcm"] = "aes-256-gcm"
    iterations: Annotated[int, Field(ge=100_000)] = 1_000_000


class Dataset(Frozen):
    """A file system or, with a size, a zvol; parents that are not listed are made with canmount=off."""

    name: str
    mount: str | None = None
    """Mount point; `legacy`, `none`, or left out to inherit."""
    size: Size | None = None
    canmount: Literal["on", "off", "noauto"] | None = None
    properties: Properties = {}
    encryption: NativeEncryption | None = None
    snapshot: str | None = None


class Pool(Frozen):
    """A pool, its vdevs and its datasets."""

    vdevs: tuple[Vdev, ...]
    ashift: Annotated[int, Field(ge=9, le=16)] | None = None
    """Left out: from the largest physical sector of the members, at least 12."""
    properties: Properties = {}
    """Pool properties (-o): autotrim, compatibility, ..."""
    filesystem: Properties = {}
    """Properties of the pool's top dataset (-O), inherited by all: compression, acltype, ..."""
    encryption: NativeEncryption | None = None
    bootfs: str | None = None
    """Dataset below the pool that is the root file system: `ROOT/debian`."""
    dataset: tuple[Dataset, ...] = ()
    allow_unequal: bool = Field(False, alias="allow-unequal")
    """Allow members that are more than 10 % apart in size."""


class File(Frozen):
    """Sparse files on a dataset that serve as devices."""

    folder: str
    count: Annotated[int, Field(ge=1, le=255)]
    size: Size


class SwapKind(StrEnum):
    NONE = "none"
    ZRAM = "zram"
    RANDOM_KEY = "random-key"
    RAID = "raid"
    ZVOL = "zvol"


class Swap(Frozen):
    kind: SwapKind = SwapKind.ZRAM
    over: Reference | None = None
    """random-key: a partition. raid: a crypt layer over a raid, or the raid (never beside an encrypted root)."""
    size: Size | None = None
    """zram: its largest size (left out: half the memory, 4 GiB at most)."""


class Network(Frozen):
    """Wired network by systemd-networkd; no address means DHCP on every wired interface."""

    interface: str = "en* eth*"
    address: str | None = None
    gateway: str | None = None
    dns: tuple[str, ...] = ()


class User(Frozen):
    """The first user, with sudo."""

    name: str
    full_name: str = Field("", alias="full-name")
    password: Name | None = "user-password"
    """Name of the secret with the password or its crypt(3) hash; null for none (ssh keys only)."""
    ssh_keys: tuple[str, ...] = Field((), alias="ssh-keys")


class System(Frozen):
    """The operating system laid into the root dataset."""

    source: Literal["live", "debootstrap", "tarball", "none"] = "live"
    tarball: str | None = None
    sha256: str | None = None
    suite: str = "trixie"
    mirror: str | None = None
    """Debian mirror for apt sources and debootstrap; left out: the one the image was built from, without credentials."""
    hostname: str = "debian"
    locale: str = "en_US.UTF-8"
    keymap: str = "us"
    """XKB layout, with an optional variant: `de`, `fr:oss`. Console, initramfs and the passphrase all use it."""
    timezone: str = "Etc/UTC"
    network: Network = Network()
    user: User | None = None
    root_password: Name | None = Field(None, alias="root-password")
    """Name of the secret; left out: root is locked."""
    packages: tuple[str, ...] = ()


class Firmware(StrEnum):
    BIOS = "bios"
    UEFI = "uefi"


class Boot(Frozen):
    """How the machine finds the kernel."""

    loader: Literal["grub", "systemd-boot", "none"] = "grub"
    firmware: tuple[Firmware, ...] = (Firmware.BIOS, Firmware.UEFI)
    esp: Reference | None = "partition.esp"
    timeout: Annotated[int, Field(ge=0, le=60)] = 3
    arguments: tuple[str, ...] = ("quiet",)
    wait: Annotated[int, Field(ge=1, le=600)] = 20
    """Seconds that the initramfs waits for an absent member before it imports the pool without it."""


class Recipe(Frozen):
    """A whole installation."""

    zroot: Literal[1]
    title: str
    unattended: bool = False
    after: After = After.REBOOT
    result: Result = Result.VOLUME
    disks: dict[Name, Disk]
    partition: tuple[Partition, ...] = ()
    raid: dict[Name, Raid] = {}
    crypt: dict[Name, Crypt] = {}
    file: dict[Name, File] = {}
    pool: dict[str, Pool]
    swap: Swap = Swap()
    system: System = System()
    boot: Boot = Boot()
