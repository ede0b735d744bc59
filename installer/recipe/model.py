"""The recipe: every layer has a name and says what it lies over.

A reference is `layer.name`: `disk.a`, `partition.pool`, `raid.boot`, `crypt.pool`, `zvol.rpool/vault`, `file.vault`.
A layer over `partition.pool` lies over that partition of every disk that has it: its members are named
`pool-a`, `pool-b` after the disks' roles. A layer over another layer has one member for each of that layer's.

Keys of several parts are written with hyphens in TOML (`min-size`) and with underscores in Python (`min_size`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from installer.frozen import Frozen
from installer.recipe.size import Size
from installer.recipe.syntax import (
    Address,
    Argument,
    Cipher,
    DatasetName,
    Delegation,
    Folder,
    FullName,
    HostAddress,
    Hostname,
    Interface,
    Kept,
    Keymap,
    Line,
    Locale,
    Mirror,
    Mount,
    Name,
    Owner,
    Package,
    PoolName,
    Properties,
    Reference,
    Sha256,
    SnapshotName,
    SshKey,
    Suite,
    Tarball,
    Timezone,
    TypeCode,
    Unit,
    UserName,
)


def hyphens(name: str) -> str:
    """Return the TOML key of a field."""
    return name.replace("_", "-")


class RecipeModel(Frozen):
    """A table of the recipe; its keys have hyphens where its fields have underscores."""

    model_config = ConfigDict(
        alias_generator=hyphens,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
    )


class After(StrEnum):
    REBOOT = "reboot"
    POWEROFF = "poweroff"
    STAY = "stay"


class Result(StrEnum):
    """Where an unattended replay leaves its result."""

    VOLUME = "volume"
    NONE = "none"


class Disk(RecipeModel):
    """A selector: everything that it says must hold, and exactly one disk must answer to it."""

    serial: Line | None = None
    wwn: Line | None = None
    by_id: Line | None = None
    """A name in /dev/disk/by-id, with or without the folder."""
    by_path: Line | None = None
    """A name in /dev/disk/by-path, with or without the folder."""
    model: Line | None = None
    min_size: Size | None = None
    max_size: Size | None = None
    transport: Line | None = None
    """nvme, sata, sas, usb, virtio, ... as lsblk names it."""

    @property
    def bound(self) -> bool:
        """Whether the selector says anything; `--disk ROLE=SERIAL` binds the empty selectors of a shipped recipe."""
        return self != Disk()

    @property
    def identifies(self) -> bool:
        """Whether it names one disk, rather than what such disks have in common."""
        return any((self.serial, self.wwn, self.by_id, self.by_path))


class Partition(RecipeModel):
    """An entry of the first disk's table, which sgdisk clones to the others."""

    name: Name
    size: Size | Literal["rest"]
    """`rest` is what the other partitions leave on the smallest disk."""
    type: TypeCode
    """sgdisk's code: ef00 (ESP), ef02 (BIOS boot), fd00 (md), 8309 (LUKS), bf00 (ZFS)."""


class Raid(RecipeModel):
    """An md array."""

    over: Reference
    level: Literal[0, 1, 10] = 1
    metadata: Literal["1.0", "1.2"] = "1.2"
    filesystem: Literal["ext4", "none"] = "none"
    mount: Folder | None = None


class CryptKind(StrEnum):
    LUKS2 = "luks2"
    LUKS2_INTEGRITY = "luks2-integrity"
    TCRYPT = "tcrypt"


class Kdf(RecipeModel):
    """argon2id, fixed so that no benchmark in a busy machine chooses a weak one."""

    memory: Size = Size(512 * 1024**2)
    iterations: Annotated[int, Field(ge=4, le=1000)] = 4
    parallel: Annotated[int, Field(ge=1, le=4)] = 4


class Crypt(RecipeModel):
    """An encryption layer; one secret opens every member."""

    over: Reference
    kind: CryptKind = CryptKind.LUKS2
    unlock: Literal["passphrase", "key-device", "random"] = "passphrase"
    secret: Name = "passphrase"  # noqa: S105 - a name
    """Name under which the passphrase is asked for; layers that name the same secret share it."""
    key: Reference | None = None
    """With unlock = "key-device": the layer whose content is the key."""
    key_size: Size | None = None
    recovery: Name | None = None
    """With unlock = "key-device": name of a second secret, which opens every member if the key device is lost."""
    discard: bool = True
    cipher: Cipher = "aes-xts-plain64"
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


class Vdev(RecipeModel):
    """One group of members in a pool."""

    kind: VdevKind
    over: Reference | tuple[Reference, ...]
    role: VdevRole = VdevRole.DATA
    width: Annotated[int, Field(ge=2, le=255)] | None = None
    """Members of each mirror in striped-mirrors; 2 if not said."""
    data: Annotated[int, Field(ge=1, le=255)] | None = None
    """draid: data blocks in each of its groups; zpool takes 8, or as many as there are, if not said."""
    spares: Annotated[int, Field(ge=0, le=100)] = 0
    """draid: members' worth of spare space, spread over all of them."""


class NativeEncryption(RecipeModel):
    """ZFS's own encryption of a dataset and what lies below it."""

    secret: Name = "passphrase"  # noqa: S105 - a name
    cipher: Literal["aes-256-gcm", "aes-192-gcm", "aes-128-gcm"] = "aes-256-gcm"
    iterations: Annotated[int, Field(ge=100_000)] = 1_000_000
    services: tuple[Unit, ...] = ()
    """Units of the installed system that may not start before it is unlocked."""
    wait: Annotated[int, Field(ge=10, le=86_400)] = 300
    """Seconds that the prompt stays at boot; then the machine starts without it, and the services stay down."""


class Snapshots(StrEnum):
    """How often a dataset, with what lies below it, is snapshotted by itself."""

    HOURLY = "hourly"
    DAILY = "daily"


class Dataset(RecipeModel):
    """A file system or, with a size, a zvol; parents that are not listed are made with canmount=off."""

    name: DatasetName
    mount: Mount | None = None
    """Mount point; `legacy`, `none`, or left out to inherit."""
    legacy: bool = False
    """Mounted there by the system's table of file systems, not by ZFS, for which the mount point is `legacy`."""
    size: Size | None = None
    canmount: Literal["on", "off", "noauto"] | None = None
    properties: Properties = Field(default_factory=dict)
    encryption: NativeEncryption | None = None
    snapshot: SnapshotName | None = None
    """A snapshot taken when it has been made and is still empty."""
    owner: Owner | None = None
    """Whom its folder belongs to, by number: `1000` or `1000:1000`, which is the first user of a Debian system."""
    snapshots: Snapshots | None = None
    """Taken and thrown away by sanoid in the installed system, below the dataset too."""
    allow: Delegation = Field(default_factory=dict)
    """What users may do with it without being root, by number: `{ 1000 = ["create", "snapshot", "send"] }`."""


class Pool(RecipeModel):
    """A pool, its vdevs and its datasets."""

    vdevs: Annotated[tuple[Vdev, ...], Field(min_length=1)]
    ashift: Annotated[int, Field(ge=9, le=16)] | None = None
    """Left out: from the largest physical sector of the members, at least 12."""
    properties: Properties = Field(default_factory=dict)
    """Pool properties (-o): autotrim, compatibility, ..."""
    filesystem: Properties = Field(default_factory=dict)
    """Properties of the pool's top dataset (-O), inherited by all: compression, acltype, ..."""
    encryption: NativeEncryption | None = None
    bootfs: DatasetName | None = None
    """Dataset below the pool that is the root file system: `ROOT/debian`."""
    dataset: tuple[Dataset, ...] = ()
    allow: Delegation = Field(default_factory=dict)
    """What users may do with the whole pool, as in a dataset."""
    allow_unequal: bool = False
    """Allow members that are more than 10 % apart in size."""


class File(RecipeModel):
    """Sparse files on a dataset that serve as devices."""

    folder: Folder
    count: Annotated[int, Field(ge=1, le=255)]
    size: Size


class SwapKind(StrEnum):
    NONE = "none"
    ZRAM = "zram"
    RANDOM_KEY = "random-key"
    RAID = "raid"
    ZVOL = "zvol"


class Swap(RecipeModel):
    kind: SwapKind = SwapKind.ZRAM
    over: Reference | None = None
    """random-key: a partition. raid: a crypt layer over a raid, or the raid (never beside an encrypted root)."""
    size: Size | None = None
    """zram: its largest size (left out: half the memory, 4 GiB at most)."""


class Network(RecipeModel):
    """Wired network by systemd-networkd; no address means DHCP on every wired interface."""

    interface: Interface = "en* eth*"
    address: Address | None = None
    gateway: HostAddress | None = None
    dns: tuple[HostAddress, ...] = ()


class User(RecipeModel):
    """The first user, with sudo."""

    name: UserName
    full_name: FullName = ""
    password: Name | None = None
    """Name of the secret with the password or its crypt(3) hash; left out: no password (ssh keys only)."""
    ssh_keys: tuple[SshKey, ...] = ()


class System(RecipeModel):
    """The operating system laid into the root dataset."""

    source: Literal["live", "debootstrap", "tarball", "nixos", "none"] = "live"
    tarball: Tarball | None = None
    """With source = "tarball": a file name on the volume labelled ZROOT, an absolute path, or an address."""
    sha256: Sha256 | None = None
    """Sum of the tarball; an address needs one."""
    suite: Suite = "trixie"
    """Debian release of the package sources: of what debootstrap installs, and of what is in the tarball."""
    mirror: Mirror | None = None
    """Debian mirror for apt and debootstrap; left out: the one the image was built from, without credentials."""
    hostname: Hostname = "debian"
    locale: Locale = "en_US.UTF-8"
    keymap: Keymap = "us"
    """XKB layout, with an optional variant: `de`, `fr:oss`. Console, initramfs and the passphrase all use it."""
    timezone: Timezone = "Etc/UTC"
    network: Network = Network()
    user: User | None = None
    root_password: Name | None = None
    """Name of the secret; left out: root is locked."""
    packages: tuple[Package, ...] = ()


class Firmware(StrEnum):
    BIOS = "bios"
    UEFI = "uefi"


class Boot(RecipeModel):
    """How the machine finds the kernel."""

    loader: Literal["grub", "systemd-boot", "none"] = "grub"
    firmware: Annotated[tuple[Firmware, ...], Field(min_length=1)] = (Firmware.BIOS, Firmware.UEFI)
    esp: Reference = "partition.esp"
    timeout: Annotated[int, Field(ge=0, le=60)] = 3
    arguments: tuple[Argument, ...] = ("quiet",)
    wait: Annotated[int, Field(ge=1, le=600)] = 20
    """Seconds that the initramfs waits for an absent member before it imports the pool without it."""


class Persist(RecipeModel):
    """A root file system that is rolled back to a snapshot at every start, and what is kept all the same."""

    folder: Folder
    """Mount point of the dataset that holds what is kept."""
    snapshot: SnapshotName = "blank"
    """The state to which the root is rolled back: the installed system, or with NixOS an empty file system."""
    keep: tuple[Kept, ...] = ()
    """Folders with a slash at the end (`/etc/ssh/`), and single files (`/etc/passwd`)."""


class Recipe(RecipeModel):
    """A whole installation."""

    zroot: Literal[1]
    """Version of the recipe format."""
    title: Line
    unattended: bool = False
    after: After = After.REBOOT
    result: Result = Result.VOLUME
    disks: Annotated[dict[Name, Disk], Field(min_length=1)]
    partition: tuple[Partition, ...] = ()
    raid: dict[Name, Raid] = Field(default_factory=dict)
    crypt: dict[Name, Crypt] = Field(default_factory=dict)
    file: dict[Name, File] = Field(default_factory=dict)
    pool: Annotated[dict[PoolName, Pool], Field(min_length=1)]
    swap: Swap = Swap()
    system: System = System()
    persist: Persist | None = None
    boot: Boot = Boot()
