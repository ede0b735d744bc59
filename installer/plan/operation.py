"""What a plan is made of: frozen, printable operations."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from installer.frozen import Frozen


class Layer(StrEnum):
    """The layers of an installation, in the order in which they are carried out."""

    TEARDOWN = "teardown"
    PARTITIONS = "partitions"
    RAID = "raid"
    ENCRYPTION = "encryption"
    POOLS = "pools"
    DATASETS = "datasets"
    SYSTEM = "system"
    BOOT = "boot"
    FINISH = "finish"


class Effect(StrEnum):
    """What is left of an operation after a reboot, which is what resume goes by.

    CREATE survives: carried out once, journaled, never again once it finished.
    OPEN does not (assemble, open, import, mount): carried out whenever `done` says that it is not so now.
    CLOSE undoes an OPEN: carried out unless `done` says that it is closed already.
    CHECK changes nothing and is carried out every time: what it looks at may be otherwise after a restart.
    PROVE changes nothing and proves what lasts, or what nobody could prove once the next step has written: carried out
    once, journaled when what it proves is on the disks, never again.
    """

    CREATE = "create"
    OPEN = "open"
    CLOSE = "close"
    CHECK = "check"
    PROVE = "prove"


class Exchange(Frozen):
    """One answer to one prompt: the prompt's exact words, and what is typed there."""

    prompt: str
    secret: str = ""
    """Name of a secret, typed once the program hides it; or"""
    answer: str = ""
    """a plain word: `y`."""


OWN_MOUNTS = ("unshare", "--mount", "--")
"""Before a program that would change how mounts spread: what it does to them stays with it."""


class Command(Frozen):
    """One program with its arguments; a `@{name}` in any string is a fact of the plan."""

    argv: tuple[str, ...]
    stdin: str | None = None
    """Text for standard input; a `%{name}` in it is a secret, put in by run/ at the last moment."""
    hashed: bool = False
    """Whether those secrets are passwords, and are put in as their crypt(3) hashes."""
    output: str = ""
    """File that gets the standard output, replaced whole."""
    dialogue: tuple[Exchange, ...] = ()
    """Prompts answered on a terminal, in order. Any other prompt stops the run."""
    refused: str = ""
    """What it means, in a sentence, where the program does not take the secret or key."""
    success: tuple[int, ...] = (0,)
    """Exit statuses that mean success."""
    retries: int = 0
    """How often to try again, a second apart, where a tool fails for a moment (udev still holds the device)."""
    timeout: int = 600
    """Seconds after which the program is taken to hang."""

    @property
    def programs(self) -> tuple[str, ...]:
        """Return the programs that this machine must have for it."""
        behind = len(OWN_MOUNTS)
        return (self.argv[0], self.argv[behind]) if self.argv[:behind] == OWN_MOUNTS else self.argv[:1]


class Commands(Frozen):
    """Programs carried out one after another."""

    kind: Literal["commands"] = "commands"
    commands: tuple[Command, ...]


class WriteFile(Frozen):
    """A file written whole, its folders made with mode 0755."""

    kind: Literal["write-file"] = "write-file"
    path: str
    mode: int = 0o644
    content: str


class CopyImage(Frozen):
    """The live image unpacked under `target`, without the paths in `without` (relative, wildcards allowed)."""

    kind: Literal["copy-image"] = "copy-image"
    image: str
    target: str
    without: tuple[str, ...]


class AwaitDevices(Frozen):
    """Wait until each link exists and resolves to the expected partition of the expected disk."""

    kind: Literal["await-devices"] = "await-devices"
    devices: tuple[tuple[str, str, int], ...]
    """(link, disk link, partition number); number 0 means that the link only has to exist."""
    timeout: int = 60


class SaveRecords(Frozen):
    """Recipe, plan, journal and log copied to a folder, mode 0600."""

    kind: Literal["save-records"] = "save-records"
    folder: str


Action = Annotated[
    Commands | WriteFile | CopyImage | AwaitDevices | SaveRecords,
    Field(discriminator="kind"),
]


class Operation(Frozen):
    """One step: what it does, what it destroys, what is left of it, and how to tell that it is done."""

    id: str
    """layer/verb/object, unique in a plan, stable between runs: `encryption/format/pool-a`."""
    layer: Layer
    title: str
    """One line for a person."""
    action: Action
    effect: Effect = Effect.CREATE
    destroys: tuple[str, ...] = ()
    """Roles of the disks whose content it destroys."""
    done: tuple[str, ...] = ()
    """A program that changes nothing and exits 0 if this operation's effect is there (facts allowed)."""
    done_says: str = ""
    """What `done` must have in its output besides, where its exit status does not tell (`zfs get keystatus`)."""
    secrets: tuple[str, ...] = ()
    """Names of the secrets that it types or feeds."""
    together: str = ""
    """Neighbours with the same non-empty word may run side by side."""
    memory: int = 0
    """Bytes of RAM that one such operation needs (argon2), for running side by side."""
    optional: bool = False
    """A failure is reported and the run goes on (an NVRAM entry beside the removable path)."""


class FactKind(StrEnum):
    """How run/ makes a fact: once, journaled before its first use."""

    UUID = "uuid"
    HOSTID = "hostid"
    """Eight hexadecimal digits, not zero."""
    FAT_SERIAL = "fat-serial"
    """Eight upper-case hexadecimal digits."""
    MACHINE_ID = "machine-id"
    """Thirty-two hexadecimal digits."""


class Fact(Frozen):
    """A value that cannot be known in advance; operations say `@{name}`."""

    name: str
    kind: FactKind
    why: str


class ChosenDisk(Frozen):
    """A disk as the plan knows it; run/ checks all of this again before the first write."""

    role: str
    identity: str
    """Serial, else WWN, else by-path: what consent names."""
    link: str
    """The stable /dev/disk/by-* path that the plan's commands use."""
    size: int
    description: str
    before: str = ""
    """What is on it now, in words."""
    after: tuple[str, ...] = ()
    """What will be on it, a line a partition."""


class Source(Frozen):
    """What the system comes from, beside the live image: looked at before the first write."""

    place: str
    """An address, an absolute path, or a file name on the volume labelled ZROOT."""
    sha256: str = ""


class Plan(Frozen):
    """Everything that an installation will do, in order."""

    zroot: str
    """Version that made the plan."""
    title: str
    recipe: str
    """The recipe's text, as TOML."""
    disks: tuple[ChosenDisk, ...]
    facts: tuple[Fact, ...]
    secrets: tuple[str, ...]
    notes: tuple[str, ...]
    """What a person should know before consenting: unequal disks, what discard leaks, other systems erased."""
    operations: tuple[Operation, ...]
    target: str
    """Where the new root is mounted while it is made; empty for storage-only recipes."""
    sources: tuple[Source, ...] = ()
    after: str
    """reboot, poweroff or stay."""
