"""Boot: the initramfs of this machine, GRUB or systemd-boot on every disk, entries in the firmware."""

from __future__ import annotations

from installer.machine.model import Firmware as MachineFirmware
from installer.plan.layout import Device, Layout
from installer.plan.names import STATE, TARGET, fact
from installer.plan.operation import Command, Effect, Layer, Operation, WriteFile
from installer.plan.sources import FAMILY, FOREIGN, HOURS
from installer.plan.steps import command, in_target, programs, target_file
from installer.plan.tables import members

EARLY = f"{STATE}/early"
"""What is appended to the initramfs, laid out as in it."""
LOADERS = {"grub": r"\EFI\debian\shimx64.efi", "systemd-boot": r"\EFI\systemd\systemd-bootx64.efi"}
REFRESH = "/usr/lib/zroot/boot-refresh"


def operations(layout: Layout) -> list[Operation]:
    """Return what makes the target start by itself; nothing where the recipe installs no system."""
    if layout.recipe.system.source == "none" or layout.recipe.boot.loader == "none":
        return []
    loader = _systemd_boot if layout.recipe.boot.loader == "systemd-boot" else _grub
    return [*_initramfs(layout), *loader(layout), *_firmware_entries(layout), *_proofs(layout)]


def _initramfs(layout: Layout) -> list[Operation]:
    """The image's initramfs fits every machine; a few files appended to it make it this one's.

    Building one in the target takes longer than all the rest of the installation; the next kernel update does it.
    A system that is not the image's has a kernel of its own, and no initramfs that fits.
    """
    if layout.recipe.system.source in FOREIGN:
        building = in_target(FAMILY, "initramfs", timeout=HOURS)
        return [programs(Layer.BOOT, "initramfs/build", "Build an initramfs for each of its kernels", building)]
    kernel = layout.machine.kernel
    image = f"{TARGET}/boot/initrd.img-{kernel}"
    files = ("etc", "etc/hostid", "etc/hostname", "etc/zroot", "etc/zroot/members", "etc/zroot/keymap")
    return [
        Operation(
            id="boot/write/members",
            layer=Layer.BOOT,
            title="List the members that the initramfs opens",
            action=WriteFile(path=f"{EARLY}/etc/zroot/members", content=members(layout)),
            # Not on any disk: after a restart it is made again, for the operation that needs it.
            effect=Effect.OPEN,
            done=("test", "-e", f"{EARLY}/etc/zroot/members"),
        ),
        programs(
            Layer.BOOT,
            "initramfs/complete",
            "Complete the initramfs with this machine's host id, members and keyboard",
            command("cp", f"{TARGET}/etc/hostid", f"{TARGET}/etc/hostname", f"{EARLY}/etc/"),
            Command(argv=("chroot", TARGET, "/usr/lib/zroot/keymap"), output=f"{EARLY}/etc/zroot/keymap"),
            # The live system has the initramfs as it was built; appending twice to one's own would not do.
            command("cp", f"/boot/initrd.img-{kernel}", f"{image}.new"),
            # The kernel takes a further archive for one only where it begins at a multiple of four bytes.
            command("truncate", "--size=%4", f"{image}.new"),
            command(
                "cpio",
                "--create",
                "--format=newc",
                "--owner=0:0",
                "--quiet",
                f"--file={STATE}/early.cpio",
                f"--directory={EARLY}",
                stdin="".join(f"{name}\n" for name in files),
            ),
            command(
                "dd", f"if={STATE}/early.cpio", f"of={image}.new", "oflag=append", "conv=notrunc,fsync", "status=none"
            ),
            command("mv", f"{image}.new", image),
        ),
    ]


def _grub(layout: Layout) -> list[Operation]:
    layer = Layer.BOOT
    lines = [f"bios {layout.disk_path(role)}" for role in layout.table_roles] if layout.bios else []
    lines += [f"esp {fact('esp', device.role)}" for device in layout.esps]
    found = [
        target_file(layer, "/etc/default/grub", "Configure GRUB", _defaults(layout)),
        target_file(layer, "/etc/zroot/boot", "List the boot loaders to keep up to date", "\n".join(lines) + "\n"),
    ]
    if layout.esps:
        boot = next(mount for mount in layout.mounts if mount.point == "/boot")
        content = (
            f"search.fs_uuid {fact('fs', boot.layer)} root\nset prefix=($root)/grub\nconfigfile $prefix/grub.cfg\n"
        )
        found.append(target_file(layer, "/etc/zroot/esp-grub.cfg", "Tell the ESPs' GRUB where /boot is", content))
    titles = [*(["BIOS"] if layout.bios else []), *(["UEFI"] if layout.uefi else [])]
    return [
        *found,
        programs(
            layer,
            "grub/menu",
            "Write GRUB's menu",
            command("mkdir", "--parents", f"{TARGET}/boot/grub"),
            in_target("update-grub"),
        ),
        programs(
            layer,
            "grub/install",
            f"Install GRUB for {' and '.join(titles)} on every disk",
            in_target(REFRESH),
        ),
    ]


def _systemd_boot(layout: Layout) -> list[Operation]:
    """It reads FAT alone, so every ESP holds the kernels; Debian puts them into /boot, here a folder of the root."""
    layer, boot = Layer.BOOT, layout.recipe.boot
    # Told by systemd-boot which ESP it was, systemd would mount that one and leave the others behind.
    arguments = [*_always(layout), "systemd.gpt_auto=0", *boot.arguments]
    lines = [f"systemd-boot {fact('esp', device.role)}" for device in layout.esps]
    return [
        target_file(layer, "/etc/kernel/cmdline", "Write the kernel's arguments", " ".join(arguments) + "\n"),
        target_file(
            layer,
            "/etc/zroot/loader.conf",
            "Configure systemd-boot",
            f"timeout {boot.timeout}\nconsole-mode keep\n",
        ),
        target_file(layer, "/etc/zroot/boot", "List the boot loaders to keep up to date", "\n".join(lines) + "\n"),
        programs(layer, "systemd-boot/install", "Copy systemd-boot and the kernel to every ESP", in_target(REFRESH)),
    ]


def _always(layout: Layout) -> list[str]:
    return [f"root=zfs:{layout.root_dataset}", f"zroot.wait={layout.recipe.boot.wait}"]


def _defaults(layout: Layout) -> str:
    boot = layout.recipe.boot
    extra = [argument for argument in boot.arguments if argument != "quiet"]
    quiet = "quiet" if "quiet" in boot.arguments else ""
    lines = [
        "GRUB_DEFAULT=0",
        f"GRUB_TIMEOUT={boot.timeout}",
        "GRUB_DISTRIBUTOR=Debian",
        f'GRUB_CMDLINE_LINUX_DEFAULT="{quiet}"',
        f'GRUB_CMDLINE_LINUX="{" ".join(_always(layout) + extra)}"',
        "GRUB_DISABLE_OS_PROBER=true",
    ]
    if any(argument.startswith("console=ttyS") for argument in boot.arguments):
        lines += ['GRUB_TERMINAL="console serial"', 'GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"']
    return "\n".join(lines) + "\n"


def _firmware_entries(layout: Layout) -> list[Operation]:
    """One entry a disk beside everybody else's; a firmware that takes none still finds the removable path."""
    if layout.machine.firmware is not MachineFirmware.UEFI:
        return []
    return [_firmware_entry(layout, device) for device in layout.esps]


def _firmware_entry(layout: Layout, esp: Device) -> Operation:
    disk = layout.disks[esp.role]
    return programs(
        Layer.BOOT,
        f"firmware/{esp.role}",
        f"Enter the ESP of disk {esp.role} in the firmware's boot list",
        command(
            "efibootmgr",
            "--create",
            "--disk",
            disk.link,
            "--part",
            str(layout.partition_number(esp.name.removesuffix(f"-{esp.role}"))),
            "--label",
            f"Debian on disk {esp.role}",
            "--loader",
            LOADERS[layout.recipe.boot.loader],
        ),
        optional=True,
    )


def _proofs(layout: Layout) -> list[Operation]:
    kernel = layout.machine.kernel
    # Those of a system that is not the image's were looked into when they were built.
    foreign = layout.recipe.system.source in FOREIGN
    files = () if foreign else (f"{TARGET}/boot/vmlinuz-{kernel}", f"{TARGET}/boot/initrd.img-{kernel}")
    grub = layout.recipe.boot.loader == "grub"
    what, where = ("a menu that starts", "/boot/grub/grub.cfg") if grub else ("arguments for", "/etc/kernel/cmdline")
    return [
        programs(
            Layer.BOOT,
            "check/files",
            f"Check that /boot holds a kernel, its initramfs and {what} this root",
            *(command("test", "-s", file) for file in files),
            command("grep", "--quiet", "--fixed-strings", f"root=zfs:{layout.root_dataset}", TARGET + where),
            effect=Effect.CHECK,
        )
    ]
