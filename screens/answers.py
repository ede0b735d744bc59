"""What a person has answered so far: one frozen value, so that Back is exact. It becomes a recipe, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from installer.frozen import Frozen
from installer.recipe.model import Firmware, SwapKind, VdevKind, VdevRole
from installer.recipe.secrets import Secret

GIB = 1024**3


class Encryption(StrEnum):
    """What lies between the partitions and the pool."""

    LUKS = "luks2"
    KEY_DEVICE = "key-device"
    """LUKS2, the key of its members on a small encrypted device of its own."""
    INTEGRITY = "luks2-integrity"
    """LUKS2 with a keyed sum of every sector."""
    NATIVE = "native"
    NONE = "none"

    @property
    def luks(self) -> bool:
        """Whether the pool lies over encrypted members."""
        return self in (Encryption.LUKS, Encryption.KEY_DEVICE, Encryption.INTEGRITY)


class Loader(StrEnum):
    """What starts the kernel."""

    GRUB = "grub"
    SYSTEMD_BOOT = "systemd-boot"


class Datasets(StrEnum):
    """Layouts to choose; the chosen one can then be edited."""

    SEPARATE = "separate"
    SIMPLE = "simple"


class Dataset(Frozen):
    """A dataset beside the root's own, as the pool screen edits it."""

    name: str
    mount: str


LAYOUTS: Mapping[Datasets, tuple[Dataset, ...]] = {
    Datasets.SEPARATE: (
        Dataset(name="home", mount="/home"),
        Dataset(name="home/root", mount="/root"),
        Dataset(name="srv", mount="/srv"),
        Dataset(name="var/log", mount="/var/log"),
        Dataset(name="var/cache", mount="/var/cache"),
    ),
    Datasets.SIMPLE: (Dataset(name="home", mount="/home"),),
}


class Answers(Frozen):
    """Every answer, with the defaults that a person may simply accept. None means: as the other answers suggest."""

    keymap: str = "us"

    disks: tuple[str, ...] = ()
    """Identities, in the order in which they were chosen: roles a, b, c, ..."""
    allow_unequal: bool = False
    """Whether disks that are more than ten percent apart in size may serve together."""
    uses: tuple[tuple[str, VdevRole], ...] = ()
    """What disks are for that hold no data, by their identities; one that is not chosen may be among them."""

    esp_size: str = "512M"
    boot_size: str = "1G"
    swap: SwapKind = SwapKind.ZRAM
    swap_size: str = "4G"
    """Of a swap partition or zvol."""

    metadata: str = "1.2"
    """Of the md array that holds /boot."""

    encryption: Encryption = Encryption.LUKS
    passphrase: Secret | None = None
    passphrase_again: Secret | None = None
    """What stands in the second field where it is not the same."""
    recovery: Secret | None = None
    """With a key device: what opens the members when it is lost."""
    recovery_again: Secret | None = None
    discard: bool = True
    home: bool = False
    """Whether /home has a passphrase of its own, asked for when the system has started."""
    home_passphrase: Secret | None = None
    home_passphrase_again: Secret | None = None
    home_wait: int = 120
    """Seconds that the machine asks for it."""
    home_services: str = ""
    """Units that start only when it is open."""

    pool: str = "rpool"
    topology: VdevKind | None = None
    ashift: int | None = None
    autotrim: bool = True
    compression: str = "lz4"
    acltype: str = "posixacl"
    xattr: str = "sa"
    dnodesize: str = "auto"
    relatime: bool = True
    datasets: tuple[Dataset, ...] = LAYOUTS[Datasets.SEPARATE]

    loader: Loader = Loader.GRUB
    firmware: tuple[Firmware, ...] = (Firmware.BIOS, Firmware.UEFI)
    """That GRUB is made for."""
    timeout: str = "3"
    arguments: str = "quiet"
    serial_console: bool = False

    hostname: str = ""
    user: str = ""
    user_password: Secret | None = None
    """None: the passphrase serves as password too."""
    user_password_again: Secret | None = None
    ssh_key: str = ""
    locale: str = "en_US.UTF-8"
    timezone: str = "Etc/UTC"
    static: bool = False
    """Whether the network has a fixed address instead of DHCP."""
    interface: str = "en* eth*"
    address: str = ""
    gateway: str = ""
    dns: str = ""
    forgets: bool = False
    """Whether the root file system is rolled back at every start to what was installed."""

    @property
    def clear(self) -> bool:
        """Whether nothing at all is encrypted."""
        return self.encryption is Encryption.NONE and not self.home

    @property
    def discards(self) -> bool:
        """Whether what the pool no longer needs may be told to the disks."""
        return not self.encryption.luks or (self.discard and self.encryption is not Encryption.INTEGRITY)

    def use(self, identity: str) -> VdevRole:
        """Return what a disk is for."""
        return dict(self.uses).get(identity, VdevRole.DATA)

    def roles(self, use: VdevRole) -> str:
        """Return the roles of the chosen disks that are for this."""
        return "".join(role for role, name in zip(ROLES, self.disks, strict=False) if self.use(name) is use)

    @property
    def data(self) -> str:
        """The roles of the disks with the data, which have boot loaders too; the pool takes the others whole."""
        return self.roles(VdevRole.DATA)

    @property
    def kernels_on_esp(self) -> bool:
        """Whether the EFI partitions hold the kernels, and there is no array for /boot; its size is theirs."""
        return self.loader is Loader.SYSTEMD_BOOT

    @property
    def starts_by(self) -> tuple[Firmware, ...]:
        """The firmware that the system starts by: systemd-boot is a UEFI program."""
        return (Firmware.UEFI,) if self.loader is Loader.SYSTEMD_BOOT else self.firmware


ROLES = "abcdefghijklmnopqrstuvwxyz"
"""Names of the disks in the recipe, in the order in which they were chosen."""


def topology(answers: Answers) -> VdevKind:
    """Return the chosen topology, or the one that suits the number of disks: any disk may die, two of four."""
    if answers.topology in topologies(len(answers.data)):
        return answers.topology
    return topologies(len(answers.data))[0]


LEAST_DRAID = 6
"""Disks from which a draid2 with one spare has something before a raidz2: fewer hold too little."""
DRAID_SPARES = 1
WIDEST_DRAID = 8
"""Data blocks in a group, if nothing is said to zpool and there are as many disks."""


def topologies(count: int) -> tuple[VdevKind, ...]:
    """Return what can be built of so many disks, the recommended one first."""
    if count <= 1:
        return (VdevKind.SINGLE,)
    if count == 2:
        return (VdevKind.MIRROR, VdevKind.STRIPE)
    if count == 3:
        return (VdevKind.RAIDZ1, VdevKind.MIRROR, VdevKind.RAIDZ2, VdevKind.STRIPE)
    mirrors = (VdevKind.STRIPED_MIRRORS,) if count % 2 == 0 else ()
    draid = (VdevKind.DRAID2,) if count >= LEAST_DRAID else ()
    return (VdevKind.RAIDZ2, *mirrors, VdevKind.RAIDZ1, VdevKind.RAIDZ3, *draid, VdevKind.MIRROR, VdevKind.STRIPE)


def usable(kind: VdevKind, *, count: int, size: int) -> int:
    """Return the bytes that a pool of so many members of this size can hold, before ZFS's own needs."""
    match kind:
        case VdevKind.MIRROR:
            return size
        case VdevKind.STRIPED_MIRRORS:
            return size * (count // 2)
        case VdevKind.RAIDZ1 | VdevKind.RAIDZ2 | VdevKind.RAIDZ3:
            return size * (count - int(kind[-1]))
        case VdevKind.DRAID2:
            data = min(WIDEST_DRAID, count - DRAID_SPARES - 2)
            return size * (count - DRAID_SPARES) * data // (data + 2)
    return size * count


def survives(kind: VdevKind, *, count: int) -> tuple[int, int]:
    """Return how many disks may fail: any so many, and so many at the best."""
    match kind:
        case VdevKind.MIRROR:
            return count - 1, count - 1
        case VdevKind.STRIPED_MIRRORS:
            return 1, count // 2
        case VdevKind.RAIDZ1 | VdevKind.RAIDZ2 | VdevKind.RAIDZ3 | VdevKind.DRAID2:
            return int(kind[-1]), int(kind[-1])
    return 0, 0
