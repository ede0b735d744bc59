"""From answers to a recipe: the guided install yields nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from installer.errors import Refusal, Refusals
from installer.recipe import rules
from installer.recipe.load import validate
from installer.recipe.model import Recipe, SwapKind, VdevKind, VdevRole
from installer.recipe.secrets import Kind, Secret, check_secrets, unfit
from installer.recipe.write import selector
from screens import forgetting, vdevs
from screens.answers import DRAID_SPARES, ROLES, Answers, Dataset, Encryption, topology

ENCRYPTIONS = {
    Encryption.LUKS: "LUKS",
    Encryption.KEY_DEVICE: "LUKS by a key device",
    Encryption.INTEGRITY: "LUKS with integrity",
    Encryption.NATIVE: "native encryption",
    Encryption.NONE: "clear text",
}
TOPOLOGIES = {
    VdevKind.SINGLE: "one disk",
    VdevKind.STRIPE: "a stripe",
    VdevKind.MIRROR: "a mirror",
    VdevKind.STRIPED_MIRRORS: "striped mirrors",
    VdevKind.RAIDZ1: "RAID-Z1",
    VdevKind.RAIDZ2: "RAID-Z2",
    VdevKind.RAIDZ3: "RAID-Z3",
    VdevKind.DRAID2: "dRAID2",
}
PASSPHRASE = "passphrase"  # noqa: S105 - a name
USER_PASSWORD = "user-password"  # noqa: S105 - a name
RECOVERY = "recovery-passphrase"
HOME = "home-passphrase"

FIELDS: Mapping[str, str] = {
    "system.hostname": "hostname",
    "system.user.name": "user",
    "system.user.password": "user_password",
    "system.user.ssh-keys": "ssh_key",
    "system.keymap": "keymap",
    "system.locale": "locale",
    "system.timezone": "timezone",
    "system.network.interface": "interface",
    "system.network.address": "address",
    "system.network.gateway": "gateway",
    "system.network.dns": "dns",
    "system.network": "address",
    "persist": "forgets",
    "boot.loader": "loader",
    "boot.timeout": "timeout",
    "boot.arguments": "arguments",
    "boot.firmware": "firmware",
    "boot.esp": "esp_size",
    "swap.size": "swap_size",
    "swap": "swap",
    "disks": "disks",
    "pool": "pool",
}
"""The answer that a key of the recipe comes from; the longest beginning counts."""
OF_A_POOL: Mapping[str, str] = {
    ".vdevs": "topology",
    ".ashift": "ashift",
    ".properties.autotrim": "autotrim",
    ".filesystem.compression": "compression",
    ".filesystem.acltype": "acltype",
    ".filesystem.xattr": "xattr",
    ".filesystem.dnodesize": "dnodesize",
    ".filesystem.relatime": "relatime",
    ".dataset": "datasets",
}
"""The same for a pool's keys, by their end."""
SIZES: Mapping[str, str] = {"esp": "esp_size", "boot": "boot_size", "swap": "swap_size"}
"""The same for the partitions whose size is asked for."""
STAND_INS: Mapping[str, str] = {"hostname": "debian", "user": "user"}
"""What has no default, because a person must think of it."""


def recipe(answers: Answers) -> Recipe:
    """Return the recipe of these answers; raises Refusals with what is wrong with their syntax."""
    made = validate(document(answers), source="the answers")
    if wrong := tuple(_of_home(answers)):
        raise Refusals(wrong)
    return made


def secrets(answers: Answers) -> dict[str, Secret]:
    """Return the values of the secrets that the recipe names, as far as they were given."""
    found = {}
    if answers.passphrase and answers.encryption is not Encryption.NONE:
        found[PASSPHRASE] = answers.passphrase
    if answers.recovery and answers.encryption is Encryption.KEY_DEVICE:
        found[RECOVERY] = answers.recovery
    if answers.home_passphrase and answers.home:
        found[HOME] = answers.home_passphrase
    password = answers.user_password or (answers.passphrase if answers.encryption is not Encryption.NONE else None)
    if password:
        found[USER_PASSWORD] = password
    return found


def problems(answers: Answers) -> dict[str, list[str]]:
    """Return what is wrong, by the name of the answer; under "" what belongs to none of them."""
    found: dict[str, list[str]] = {}
    for refusal in _refusals(answers):
        name = _sized(refusal.title, answers) or field_of(refusal.title)
        found.setdefault(name, []).append(beside(refusal))
    return found


def so_far(answers: Answers, own: Collection[str]) -> Answers:
    """Return the answers with something in the place of what later screens ask: rules are checked only without gaps."""
    gaps = {name: word for name, word in STAND_INS.items() if name not in own and not getattr(answers, name)}
    return answers.model_copy(update=gaps)


def beside(refusal: Refusal) -> str:
    """Say what is wrong to somebody who sees the answer and not the recipe: without the key, or what was typed."""
    key, colon, title = refusal.title.partition(": ")
    if not colon or not key[:1].islower():  # it begins with a sentence
        title = refusal.title
    elif title.endswith("is not allowed.") and "[" not in key and refusal.hint:
        title = ""
    return " ".join(part for part in (title[:1].upper() + title[1:], refusal.message, refusal.hint) if part)


def field_of(title: str) -> str:
    """Return the answer that a refusal is about: its title begins with the key."""
    if ".encryption.services" in title.partition(" ")[0]:
        return "home_services"
    key = title.partition(" ")[0].rstrip(":").partition("[")[0]
    if key.startswith("pool."):
        # The second word is the pool's name, which is an answer itself and may have dots.
        return next((name for ending, name in OF_A_POOL.items() if key.endswith(ending)), "pool")
    known = [path for path in FIELDS if key == path or key.startswith((path + ".", path + "["))]
    return FIELDS[max(known, key=len)] if known else ""


def _sized(title: str, answers: Answers) -> str:
    """Return the answer with the size of the partition that a refusal is about; nothing if it is about no partition."""
    names = {f"partition[{number}]": entry["name"] for number, entry in enumerate(_partitions(answers))}
    name = "esp" if title.startswith("boot.esp") else names.get(title.partition(".")[0], "")
    # The EFI partition is as large as /boot would be where it takes its place.
    return SIZES.get("boot" if name == "esp" and answers.kernels_on_esp else name, "")


def secret_problem(text: str, kind: Kind) -> str:
    """Say what is wrong with a passphrase or password of this kind; nothing if it may be used."""
    fault = unfit(Secret(text), kind)
    return f"It {fault[0]}. {fault[1]}" if fault else ""


def _of_home(answers: Answers) -> Iterator[Refusal]:
    """Refuse what would leave /home in the clear where it was to have a passphrase of its own."""
    if answers.home and "/home" not in {dataset.mount for dataset in _listed(answers)}:
        hint = "Add one, or let /home have no passphrase of its own in step 4."
        yield Refusal(f"pool.{answers.pool}.dataset: no dataset has the mount point /home.", hint=hint)
    if answers.home and answers.encryption is Encryption.NONE and answers.swap is SwapKind.ZVOL:
        hint = "Choose another kind of swap in step 2."
        yield Refusal("swap: what was read in /home could be written to a volume of the pool in the clear.", hint=hint)


def _refusals(answers: Answers) -> tuple[Refusal, ...]:
    try:
        made = recipe(answers)
    except Refusals as error:
        return tuple(problem for problem in error.problems if isinstance(problem, Refusal))
    return (*rules.check(made), *check_secrets(made, secrets(answers)))


def document(answers: Answers) -> dict[str, Any]:
    """Return the recipe as plain data, in the order in which it is written."""
    boot = "systemd-boot" if answers.kernels_on_esp else "md /boot"
    home = ", /home encrypted by itself" if answers.home else ""
    system = "Debian that forgets" if answers.forgets else "Debian"
    title = f"{system} on {TOPOLOGIES[topology(answers)]}, {ENCRYPTIONS[answers.encryption]}{home}, {boot}"
    made: dict[str, Any] = {
        "zroot": 1,
        "title": title,
        "disks": {role: dict([selector(name)]) for role, name in zip(ROLES, answers.disks, strict=False)},
        "partition": list(_partitions(answers)),
        "raid": {},
    }
    if not answers.kernels_on_esp:
        made["raid"]["boot"] = {
            "over": "partition.boot",
            "level": 1,
            "metadata": answers.metadata,
            "filesystem": "ext4",
            "mount": "/boot",
        }
    crypt, swap = _crypt(answers), _swap(answers)
    if answers.encryption is Encryption.KEY_DEVICE:
        made["raid"]["key"] = {"over": "partition.key", "level": 1}
    if answers.swap is SwapKind.RAID:
        made["raid"]["swap"] = {"over": "partition.swap", "level": 1}
    if crypt:
        made["crypt"] = crypt
    return made | {
        "pool": {answers.pool: _pool(answers)},
        "swap": swap,
        "system": _system(answers),
        **({"persist": forgetting.persist(answers)} if answers.forgets else {}),
        "boot": _boot(answers),
    }


def _partitions(answers: Answers) -> Iterator[dict[str, str]]:
    if answers.kernels_on_esp:
        yield {"name": "esp", "size": answers.boot_size, "type": "ef00"}
    else:
        yield {"name": "bios", "size": "1M", "type": "ef02"}
        yield {"name": "esp", "size": answers.esp_size, "type": "ef00"}
        yield {"name": "boot", "size": answers.boot_size, "type": "fd00"}
    if answers.swap in (SwapKind.RANDOM_KEY, SwapKind.RAID):
        code = "8200" if answers.swap is SwapKind.RANDOM_KEY else "fd00"
        yield {"name": "swap", "size": answers.swap_size, "type": code}
    if answers.encryption is Encryption.KEY_DEVICE:
        # The header of LUKS2 alone takes 16 MiB.
        yield {"name": "key", "size": "32M", "type": "fd00"}
    yield {"name": "pool", "size": "rest", "type": "8309" if answers.encryption.luks else "bf00"}


def _crypt(answers: Answers) -> dict[str, Any]:
    layers: dict[str, Any] = {}
    if answers.encryption is Encryption.KEY_DEVICE:
        layers["key"] = {"over": "raid.key", "kind": "luks2", "discard": False}
    if answers.encryption.luks:
        kind = "luks2-integrity" if answers.encryption is Encryption.INTEGRITY else "luks2"
        layers["pool"] = {"over": "partition.pool", "kind": kind, "discard": answers.discards}
        for name, disk in vdevs.layers(answers).items():
            layers[name] = layers["pool"] | {"over": disk}
    if answers.encryption is Encryption.KEY_DEVICE:
        by_key = {"unlock": "key-device", "key": "crypt.key", "key-size": "1M", "recovery": RECOVERY}
        for name in ("pool", *vdevs.layers(answers)):
            layers[name] |= by_key
    if answers.swap is SwapKind.RAID and not answers.clear:
        # The machine asks for a passphrase once; swap needs no key that outlives its run.
        layers["swap"] = {"over": "raid.swap", "kind": "luks2", "unlock": "random", "discard": answers.discard}
    return layers


def _swap(answers: Answers) -> dict[str, Any]:
    match answers.swap:
        case SwapKind.RANDOM_KEY:
            return {"kind": "random-key", "over": "partition.swap"}
        case SwapKind.RAID:
            return {"kind": "raid", "over": "raid.swap" if answers.clear else "crypt.swap"}
        case SwapKind.ZVOL:
            return {"kind": "zvol", "size": answers.swap_size}
    return {"kind": str(answers.swap)}


def _pool(answers: Answers) -> dict[str, Any]:
    over = "crypt.pool" if answers.encryption.luks else "partition.pool"
    trim = answers.autotrim and answers.discards
    kind = topology(answers)
    spread = {"spares": DRAID_SPARES} if kind is VdevKind.DRAID2 else {}
    made: dict[str, Any] = {"vdevs": [{"kind": str(kind), "over": over} | spread, *vdevs.entries(answers)]}
    if answers.ashift:
        made["ashift"] = answers.ashift
    if answers.allow_unequal:
        made["allow-unequal"] = True
    made |= {
        "bootfs": "ROOT/debian",
        "properties": {"autotrim": "on" if trim else "off"},
        "filesystem": {
            "compression": answers.compression,
            "acltype": answers.acltype,
            "xattr": answers.xattr,
            "dnodesize": answers.dnodesize,
            "relatime": "on" if answers.relatime else "off",
            # Without it nothing would be written to the disks that were given to it.
            **({"dedup": "on"} if answers.roles(VdevRole.DEDUP) else {}),
        },
        "dataset": list(_datasets(answers)),
    }
    if answers.encryption is Encryption.NATIVE:
        made["encryption"] = {"secret": PASSPHRASE}
    return made


def _listed(answers: Answers) -> tuple[Dataset, ...]:
    return (*answers.datasets, *forgetting.datasets(answers))


def _datasets(answers: Answers) -> Iterator[dict[str, Any]]:
    yield {"name": "ROOT", "mount": "none", "canmount": "off"}
    yield {"name": "ROOT/debian", "mount": "/", "canmount": "noauto"}
    datasets = _listed(answers)
    listed = {dataset.name for dataset in datasets}
    parents: set[str] = set()
    for dataset in datasets:
        parent, _, _ = dataset.name.rpartition("/")
        if parent and parent not in listed | parents:
            parents.add(parent)
            yield {"name": parent, "mount": f"/{parent}", "canmount": "off"}
        more: dict[str, Any] = {"properties": {"com.sun:auto-snapshot": "false"}} if dataset.name == "var/cache" else {}
        if answers.home and dataset.mount == "/home":
            services = {"services": answers.home_services.split()} if answers.home_services.split() else {}
            more |= {"encryption": {"secret": HOME, "wait": answers.home_wait} | services}
        yield {"name": dataset.name, "mount": dataset.mount} | more


def _system(answers: Answers) -> dict[str, Any]:
    user: dict[str, Any] = {"name": answers.user}
    if USER_PASSWORD in secrets(answers) or not answers.ssh_key:
        user["password"] = USER_PASSWORD
    if answers.ssh_key:
        user["ssh-keys"] = [answers.ssh_key]
    # Asked for with a fixed address only: what was typed before somebody thought better of it does not count.
    anywhere = Answers().interface
    network: dict[str, Any] = {"interface": answers.interface if answers.static else anywhere}
    if answers.static:
        network |= {"address": answers.address}
        network |= {"gateway": answers.gateway} if answers.gateway else {}
        network |= {"dns": answers.dns.split()} if answers.dns else {}
    return {
        "source": "live",
        "hostname": answers.hostname,
        "locale": answers.locale,
        "keymap": answers.keymap,
        "timezone": answers.timezone,
        "network": network,
        "user": user,
    }


def _boot(answers: Answers) -> dict[str, Any]:
    consoles = ["console=tty0", "console=ttyS0,115200"] if answers.serial_console else []
    timeout: int | str = int(answers.timeout) if answers.timeout.isdecimal() else answers.timeout
    return {
        "loader": str(answers.loader),
        "firmware": [str(firmware) for firmware in answers.starts_by],
        "timeout": timeout,
        "arguments": [*answers.arguments.split(), *consoles],
    }
