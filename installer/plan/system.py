"""The operating system: laid into the root dataset, then made one machine of its own."""

from __future__ import annotations

from installer.plan import opening, snapshots, sources
from installer.plan.layout import Layout
from installer.plan.names import TARGET
from installer.plan.operation import Layer, Operation
from installer.plan.steps import command, in_target, mounted, password, programs, target_file
from installer.plan.tables import storage_tables
from installer.recipe.model import Network, SwapKind, System, User

# Localedef and ckbcomp take many seconds on a slow machine; what the image has is copied with it.
IMAGE_LOCALES = ("C.UTF-8", "en_US.UTF-8")
IMAGE_KEYMAP = "us"


def operations(layout: Layout) -> list[Operation]:
    """Return what fills the root dataset; nothing for a storage-only recipe."""
    system = layout.recipe.system
    if system.source == "none":
        return []
    return [
        *sources.operations(layout),
        *_bound(),
        *sources.family(layout),
        *_identity(system),
        *_language(system),
        _sources(layout),
        *_network(system.network),
        *storage_tables(layout),
        *opening.operations(layout),
        *_swap(layout),
        *_emergency(layout),
        *_accounts(system),
        *_home(layout),
        *snapshots.operations(layout),
        *_packages(system),
    ]


def _bound() -> list[Operation]:
    """Kernel file systems under the target, each on its own: a recursive bind keeps the pool busy at the end."""
    binds = [
        ("proc", ("mount", "--types", "proc", "proc")),
        ("sys", ("mount", "--types", "sysfs", "sysfs")),
        ("dev", ("mount", "--bind", "/dev")),
        ("run", ("mount", "--types", "tmpfs", "--options", "mode=0755,nosuid,nodev", "tmpfs")),
    ]
    return [
        mounted(
            Layer.SYSTEM,
            f"mount/{name}",
            f"Mount {point} for programs that run in the target",
            *argv,
            point,
            point=point,
        )
        for name, argv in binds
        for point in (f"{TARGET}/{name}",)
    ]


def _identity(system: System) -> list[Operation]:
    layer = Layer.SYSTEM
    hosts = f"127.0.0.1\tlocalhost\n127.0.1.1\t{system.hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n"
    return [
        programs(
            layer,
            "write/hostid",
            "Give the system the host id under which its pool is made",
            command("zgenhostid", "-f", "-o", f"{TARGET}/etc/hostid", "@{hostid}"),
        ),
        target_file(layer, "/etc/machine-id", "Give the system its machine id", "@{machine-id}\n", mode=0o444),
        target_file(layer, "/etc/hostname", "Name the machine", f"{system.hostname}\n"),
        target_file(layer, "/etc/hosts", "Name the machine to itself", hosts),
        programs(
            layer,
            "ssh/keys",
            "Make the ssh host keys",
            # sshd-keygen.service would, but only where systemd finds no machine id.
            command("ssh-keygen", "-A", "-f", TARGET),
        ),
    ]


def _language(system: System) -> list[Operation]:
    foreign = system.source in sources.FOREIGN
    return [
        *_locale(system.locale, made=("C.UTF-8",) if foreign else IMAGE_LOCALES),
        *(_keyboard(system.keymap) if foreign or system.keymap != IMAGE_KEYMAP else []),
        *_timezone(system.timezone),
    ]


def _locale(locale: str, *, made: tuple[str, ...]) -> list[Operation]:
    layer = Layer.SYSTEM
    generate = [
        target_file(layer, "/etc/locale.gen", "Name the locale to generate", f"{locale} UTF-8\n"),
        programs(layer, "locale/generate", f"Generate the locale {locale}", in_target("locale-gen")),
    ]
    return [
        *([] if locale in made else generate),
        target_file(layer, "/etc/default/locale", "Set the language", f"LANG={locale}\n"),
    ]


def _keyboard(keymap: str) -> list[Operation]:
    layer = Layer.SYSTEM
    layout, _, variant = keymap.partition(":")
    keyboard = f'XKBMODEL="pc105"\nXKBLAYOUT="{layout}"\nXKBVARIANT="{variant}"\nXKBOPTIONS=""\n\nBACKSPACE="guess"\n'
    return [
        target_file(layer, "/etc/default/keyboard", "Set the keyboard layout", keyboard),
        programs(
            layer,
            "keyboard/compile",
            f"Compile the keyboard layout {keymap} for the console",
            in_target("setupcon", "--save-only", "--keyboard-only", "--force"),
        ),
    ]


def _timezone(timezone: str) -> list[Operation]:
    link = ("ln", "--symbolic", "--force", "--no-dereference")
    return [
        programs(
            Layer.SYSTEM,
            "timezone/set",
            f"Set the time zone {timezone}",
            command(*link, f"/usr/share/zoneinfo/{timezone}", f"{TARGET}/etc/localtime"),
        ),
        target_file(Layer.SYSTEM, "/etc/timezone", "Name the time zone", f"{timezone}\n"),
    ]


def _sources(layout: Layout) -> Operation:
    system = layout.recipe.system
    mirror, security = sources.mirror(layout), sources.security_mirror(layout)
    signed = "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    components = "Components: main contrib non-free-firmware\n"
    content = (
        f"Types: deb\nURIs: {mirror}\nSuites: {system.suite} {system.suite}-updates\n{components}{signed}\n"
        f"Types: deb\nURIs: {security}\nSuites: {system.suite}-security\n{components}{signed}"
    )
    return target_file(
        Layer.SYSTEM,
        "/etc/apt/sources.list.d/debian.sources",
        "Name the package sources, security updates too",
        content,
    )


def _network(network: Network) -> list[Operation]:
    lines = ["[Match]", f"Name={network.interface}", "", "[Network]"]
    if network.address:
        lines += [f"Address={network.address}"]
        lines += [f"Gateway={network.gateway}"] if network.gateway else []
        title = f"Give wired network interfaces the address {network.address}"
    else:
        lines += ["DHCP=yes"]
        title = "Configure wired network interfaces by DHCP"
    lines += [f"DNS={server}" for server in network.dns]
    # A machine that starts without its cable must not wait for the network and come up "degraded".
    lines += ["", "[Link]", "RequiredForOnline=no"]
    return [target_file(Layer.SYSTEM, "/etc/systemd/network/20-wired.network", title, "\n".join(lines) + "\n")]


def _swap(layout: Layout) -> list[Operation]:
    swap = layout.recipe.swap
    size = f"{int(swap.size) // 1024**2}" if swap.size else "min(ram / 2, 4096)"
    content = f"[zram0]\nzram-size = {size}\n" if swap.kind is SwapKind.ZRAM else "# no zram: the recipe says so\n"
    return [
        target_file(Layer.SYSTEM, "/etc/systemd/zram-generator.conf", "Say how much compressed swap in RAM", content)
    ]


def _emergency(layout: Layout) -> list[Operation]:
    """With root locked, sulogin refuses everybody; whoever got that far has typed the disks' passphrase."""
    if layout.recipe.system.root_password or not layout.encrypted_root:
        return []
    content = "[Service]\nEnvironment=SYSTEMD_SULOGIN_FORCE=1\n"
    return [
        target_file(
            Layer.SYSTEM,
            f"/etc/systemd/system/{unit}.service.d/zroot.conf",
            f"Let whoever gave the passphrase use {unit} mode although root is locked",
            content,
        )
        for unit in ("emergency", "rescue")
    ]


def _accounts(system: System) -> list[Operation]:
    found = _user(system.user) if system.user else []
    if system.root_password:
        secret = system.root_password
        found.append(
            programs(
                Layer.SYSTEM,
                "password/root",
                "Set root's password",
                password("root", secret),
                secrets=(secret,),
            )
        )
    return found


def _user(user: User) -> list[Operation]:
    layer, home = Layer.SYSTEM, f"/home/{user.name}"
    found = [
        programs(
            layer,
            f"user/{user.name}",
            f"Create the user {user.name}, who may use sudo",
            # A run that was cut off in between left the account: made again, the same one.
            command("userdel", "--root", TARGET, user.name).model_copy(update={"success": (0, 6)}),
            command(
                "useradd",
                "--root",
                TARGET,
                "--uid",
                "1000",
                "--user-group",
                "--create-home",
                "--shell",
                "/bin/bash",
                "--groups",
                "adm,sudo",
                "--comment",
                user.full_name,
                user.name,
            ),
        )
    ]
    if user.password:
        found.append(
            programs(
                layer,
                f"password/{user.name}",
                f"Set the password of {user.name}",
                password(user.name, user.password),
                secrets=(user.password,),
            )
        )
    else:
        found.append(
            target_file(
                layer,
                f"/etc/sudoers.d/{user.name}",
                f"Let {user.name}, who has keys and no password, use sudo without one",
                f"{user.name} ALL=(ALL:ALL) NOPASSWD: ALL\n",
                mode=0o440,
            )
        )
    if user.ssh_keys:
        found += [
            target_file(
                layer,
                f"{home}/.ssh/authorized_keys",
                f"Let the ssh keys of {user.name} in",
                "".join(f"{key}\n" for key in user.ssh_keys),
                mode=0o600,
            ),
            programs(
                layer,
                f"user/{user.name}-ssh",
                f"Give {user.name} the folder of the keys",
                command("chmod", "0700", f"{TARGET}{home}/.ssh"),
                command("chown", "--recursive", "1000:1000", f"{TARGET}{home}/.ssh"),
            ),
        ]
    return found


def _home(layout: Layout) -> list[Operation]:
    """Where a dataset is mounted in or at the home, useradd found a folder there and left it empty and root's."""
    user = layout.recipe.system.user
    if not user or not any(f"{mount.point}/".startswith(f"/home/{user.name}/") for mount in layout.mounts):
        return []
    home = f"{TARGET}/home/{user.name}"
    return [
        programs(
            Layer.SYSTEM,
            f"user/{user.name}-home",
            f"Give {user.name} the home, with what is mounted in it",
            command("cp", "--recursive", "--no-target-directory", f"{TARGET}/etc/skel", home),
            command("chmod", "0700", home),
            # A folder under a dataset that is not mounted stays root's: nothing is written there in clear by mistake.
            command("chown", "--recursive", "1000:1000", home),
        )
    ]


def _packages(system: System) -> list[Operation]:
    if not system.packages:
        return []
    options = ("-o", "Acquire::Retries=3", "-o", "DPkg::Lock::Timeout=60")
    return [
        programs(
            Layer.SYSTEM,
            "packages/install",
            "Install the extra packages: " + ", ".join(system.packages),
            # Where the target's own /etc/resolv.conf points to; nothing runs there that would fill it.
            command(
                "install", "-D", "--mode=0644", "/etc/resolv.conf", f"{TARGET}/run/systemd/resolve/stub-resolv.conf"
            ),
            # Without this option a mirror that cannot be reached is a warning, and the failure "unable to locate".
            in_target("apt-get", "update", "--error-on=any", *options),
            in_target(
                "apt-get", "install", "--yes", "--no-install-recommends", *options, *system.packages, timeout=3600
            ),
            # The system is whole without them, and a network that is not there must not cost the installation.
            optional=True,
        )
    ]
