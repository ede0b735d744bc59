"""Where the system comes from: the live image, a tarball, or packages from a mirror."""

from __future__ import annotations

from installer.plan.layout import Layout
from installer.plan.names import STATE, TARGET
from installer.plan.operation import OWN_MOUNTS, Command, CopyImage, Effect, Layer, Operation, Source
from installer.plan.steps import command, in_target, mounted, programs
from installer.recipe.stack import tarball_address, tarball_on_volume

LIVE_ONLY = (
    # what makes the medium a live system (iso/live and the installer itself)
    "opt/zroot",
    "usr/local/bin/zroot",
    "etc/zroot-image",
    "etc/profile.d/zroot-live.sh",
    "etc/systemd/system.control",
    "etc/udev/rules.d/64-md-raid-assembly.rules",
    "etc/udev/rules.d/69-lvm.rules",
)
MADE_ANEW = (
    # what belongs to one machine and is made anew
    "etc/hostid",
    "etc/hostname",
    "etc/machine-id",
    "var/lib/dbus/machine-id",
    "etc/ssh/ssh_host_*",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/credential.secret",
    "var/lib/dkms/mok.*",
    "var/lib/shim-signed/mok",
    "etc/zfs/zpool.cache",
    # what the building left
    "etc/apt/sources.list",
    "etc/apt/sources.list.d/*",
    "etc/apt/apt.conf.d/*proxy*",
    "var/lib/apt/lists/*_*",
    "var/cache/apt/*.bin",
    "root/.bash_history",
    "boot/initrd.img-*",
)
NEVER_COPIED = LIVE_ONLY + MADE_ANEW
"""Paths of the image that no target gets; patterns as the shell's."""
OF_THE_KERNEL = ("dev/*", "proc/*", "run/*", "sys/*")

NEEDS = (
    ("linux-image-amd64", "/boot/vmlinuz-*"),
    ("linux-headers-amd64", ""),
    ("zfs-dkms", ""),
    ("zfsutils-linux", "/usr/sbin/zpool"),
    ("zfs-zed", ""),
    ("zfs-dracut", "/usr/lib/dracut/modules.d/*zfs/module-setup.sh"),
    ("dracut", "/usr/bin/dracut"),
    ("zstd", "/usr/bin/zstd"),
    ("cryptsetup-bin", "/usr/sbin/cryptsetup"),
    ("systemd-cryptsetup", "/usr/lib/systemd/system-generators/systemd-cryptsetup-generator"),
    ("mdadm", "/usr/sbin/mdadm"),
    ("gdisk", ""),
    ("dosfstools", ""),
    ("systemd-zram-generator", ""),
    ("grub2-common", "/usr/sbin/update-grub"),
    ("grub-pc-bin", "/usr/lib/grub/i386-pc/modinfo.sh"),
    ("grub-efi-amd64-bin", ""),
    ("grub-efi-amd64-signed", "/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"),
    ("shim-signed", "/usr/lib/shim/shimx64.efi.signed"),
    ("efibootmgr", ""),
    ("console-setup", "/usr/bin/setupcon"),
    ("kbd", "/usr/bin/loadkeys"),
    ("locales", "/usr/sbin/locale-gen"),
    ("tzdata", "/usr/share/zoneinfo/Etc/UTC"),
    ("dbus", ""),
    ("libpam-systemd", ""),
    ("systemd-sysv", "/usr/sbin/init"),
    ("systemd-resolved", "/usr/lib/systemd/systemd-resolved"),
    ("systemd-timesyncd", ""),
    ("sudo", "/usr/bin/sudo"),
    ("openssh-server", "/usr/sbin/sshd"),
    ("ca-certificates", ""),
    ("less", ""),
    ("nano", ""),
    ("man-db", ""),
    ("iproute2", ""),
    ("iputils-ping", ""),
    ("procps", ""),
    ("psmisc", ""),
    ("file", ""),
    ("curl", ""),
    ("dma", ""),
    ("bsd-mailx", ""),
)
"""Debian's packages of a system from a mirror; with a path: what the plan, the initramfs and every start of a system
need, so that it must be in a tarball too."""

IN_SYSTEMD = ("systemd-cryptsetup",)
"""What is a package of its own only since trixie."""

FOREIGN = ("tarball", "debootstrap")
"""Sources of a system with a kernel, and perhaps a release, of its own."""
SMALL_INITRAMFS = (
    '--essential-hook=mkdir "$1/etc/dracut.conf.d"; echo "dracutmodules=base" > "$1/etc/dracut.conf.d/first.conf"',
    '--customize-hook=rm "$1/etc/dracut.conf.d/first.conf"',
)
"""For mmdebstrap: the kernel may be set up before DKMS has made its ZFS module, without which dracut would fail; and
the initramfs of that moment is made anew anyway."""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
COMPONENTS = "main contrib non-free-firmware"
VOLUME = "/dev/disk/by-label/ZROOT"
VOLUME_POINT = f"{STATE}/tarball"
FAMILY = "/usr/lib/zroot/family"
HOURS = 4 * 3600
"""Seconds; a slow disk read under emulation is no fault, nor is a slow mirror."""


def needed(layout: Layout) -> tuple[Source, ...]:
    """Return what the system comes from, to be looked at before the first write."""
    system = layout.recipe.system
    if system.source == "debootstrap":
        return (Source(place=f"{mirror(layout)}/dists/{system.suite}/InRelease"),)
    if system.source == "tarball" and system.tarball:
        return (Source(place=system.tarball, sha256=system.sha256 or ""),)
    return ()


def mirror(layout: Layout) -> str:
    """Return the Debian mirror of the recipe, else the one that the live image names."""
    return (layout.recipe.system.mirror or layout.machine.os_mirror).rstrip("/")


def security_mirror(layout: Layout) -> str:
    """Return where security updates come from: beside the recipe's mirror, as Debian's own mirrors have it."""
    own = layout.recipe.system.mirror
    return f"{mirror(layout)}-security" if own else layout.machine.security_mirror


def operations(layout: Layout) -> list[Operation]:
    """Return what fills the root dataset."""
    match layout.recipe.system.source:
        case "tarball":
            return _tarball(layout)
        case "debootstrap":
            return [_debootstrap(layout)]
    return [
        Operation(
            id="system/copy/image",
            layer=Layer.SYSTEM,
            title="Copy the live system to the new root",
            action=CopyImage(image=layout.machine.image, target=TARGET, without=NEVER_COPIED),
        )
    ]


def family(layout: Layout) -> list[Operation]:
    """Return what makes a system that is not the image's one of the family; its kernel file systems are mounted."""
    recipe = layout.recipe
    if recipe.system.source not in FOREIGN:
        return []
    layer, archive = Layer.SYSTEM, f"{STATE}/family.tar"
    compatibility = recipe.pool[layout.root_pool].properties.get("compatibility", "off")
    needs = "".join(f"{package} {path}\n" for package, path in _needs(layout) if path)
    return [
        programs(
            layer,
            "family/files",
            "Lay over it what zroot's systems share: the dracut module, the units and hooks of the boot",
            command(
                *("tar", "--create", f"--file={archive}", "--directory=/", "--no-recursion"),
                "--files-from=/usr/share/zroot/target.list",
            ),
            command("tar", "--extract", f"--file={archive}", f"--directory={TARGET}"),
        ),
        programs(
            layer,
            "family/check",
            "Check that it has all that it needs to start",
            in_target(FAMILY, "check", recipe.system.suite, compatibility, stdin=needs),
        ),
        programs(
            layer, "family/services", "Let its network and its arrays start with it", in_target(FAMILY, "services")
        ),
    ]


def _needs(layout: Layout) -> tuple[tuple[str, str], ...]:
    if layout.recipe.boot.loader == "systemd-boot":
        return (*NEEDS, ("systemd-boot-efi", "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"))
    return NEEDS


def _tarball(layout: Layout) -> list[Operation]:
    layer, tarball = Layer.SYSTEM, layout.recipe.system.tarball or ""
    found, path, after = [], tarball, []
    if tarball_on_volume(tarball):
        path = f"{VOLUME_POINT}/{tarball}"
        mounting = ("mount", "--mkdir", "--options", "nosuid,nodev,noexec", VOLUME, VOLUME_POINT)
        found = [mounted(layer, "mount/volume", "Mount the volume with the tarball", *mounting, point=VOLUME_POINT)]
        close = command("umount", VOLUME_POINT)
        after = [programs(layer, "unmount/volume", "Unmount the volume", close, effect=Effect.CLOSE)]
    elif tarball_address(tarball):
        path = f"{TARGET}/.zroot-{tarball.rpartition('/')[2]}"
        found = [programs(layer, "download/tarball", "Download the tarball", _download(tarball, path))]
    return [*found, programs(layer, "unpack/tarball", "Unpack the tarball", *_unpack(layout, path)), *after]


def _download(address: str, path: str) -> Command:
    again = ("--retry", "10", "--retry-delay", "5", "--retry-all-errors", "--connect-timeout", "20")
    fetch = ("curl", "--fail", "--location", "--silent", "--show-error", *again, "--output", path, address)
    return command(*fetch, timeout=HOURS)


def _unpack(layout: Layout, path: str) -> list[Command]:
    """Check, unpack, remove what was downloaded; what belongs to the machine that made the tarball stays out."""
    system = layout.recipe.system
    folders = [f"{TARGET}/{name.partition('/')[0]}" for name in OF_THE_KERNEL]
    without = "".join(f"{top}{name}\n" for name in MADE_ANEW + OF_THE_KERNEL for top in ("", "./"))
    # By itself tar tells the compression; without --force-local a colon in the name is another machine's.
    unpacking = ("tar", "--extract", "--force-local", f"--file={path}", f"--directory={TARGET}", "--numeric-owner")
    options = ("--xattrs", "--xattrs-include=*", "--anchored", "--exclude-from=/dev/stdin")
    found = [command("sha256sum", "--check", "-", stdin=f"{system.sha256}  {path}\n")] if system.sha256 else []
    found += [command(*unpacking, *options, stdin=without, timeout=HOURS), command("mkdir", "--parents", *folders)]
    return [*found, *([command("rm", path)] if tarball_address(system.tarball or "") else [])]


def _debootstrap(layout: Layout) -> Operation:
    system = layout.recipe.system
    lines = [
        f"deb {mirror(layout)} {system.suite} {COMPONENTS}",
        f"deb {mirror(layout)} {system.suite}-updates {COMPONENTS}",
        f"deb {security_mirror(layout)} {system.suite}-security {COMPONENTS}",
    ]
    packages = [package for package, _ in _needs(layout) if system.suite != "bookworm" or package not in IN_SYSTEMD]
    return programs(
        Layer.SYSTEM,
        "debootstrap",
        f"Install Debian {system.suite} from {mirror(layout)}",
        # What an attempt left that was cut off; not what is mounted below.
        command("find", TARGET, "-xdev", "-mindepth", "1", "-not", "-type", "d", "-delete"),
        # mmdebstrap 1.5.7 makes all mounts that it sees private. Were they ours, what is unmounted at the end would
        # stay mounted for the services of the live system, and the pool busy.
        command(
            *OWN_MOUNTS,
            "mmdebstrap",
            "--verbose",
            "--mode=root",
            "--variant=important",
            "--format=directory",
            "--skip=check/empty",
            f"--components={COMPONENTS.replace(' ', ',')}",
            f"--include={','.join(packages)}",
            f"--keyring={KEYRING}",
            '--aptopt=APT::Install-Recommends "false"',
            '--aptopt=Acquire::Retries "5"',
            *SMALL_INITRAMFS,
            system.suite,
            TARGET,
            *lines,
            timeout=HOURS,
        ),
        command("rm", "--force", f"{TARGET}/etc/apt/sources.list", f"{TARGET}/etc/apt/apt.conf.d/99mmdebstrap"),
    )
