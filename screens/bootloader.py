"""Step: a boot loader on every disk, by which firmware, with which entries, and what the kernel is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from installer.machine.model import Firmware as MachineFirmware
from installer.machine.model import Machine
from installer.plan.layout import Layout
from installer.recipe.model import Boot, Firmware
from installer.recipe.reasons import REASONS
from installer.recipe.rules.boot import ESP_FOR_KERNELS
from screens import compose as composing
from screens import fitting
from screens.answers import Answers, Loader
from screens.fields import Entry, Field, Pick, Tick
from screens.step import Step

LOADERS = ((Loader.GRUB, "GRUB"), (Loader.SYSTEMD_BOOT, "systemd-boot"))
WHY: Mapping[Loader, str] = {
    Loader.GRUB: f"{REASONS['boot.loader']} It costs a /boot outside the pool, kept alike on all disks by md.",
    Loader.SYSTEMD_BOOT: (
        "One layer less: no md array, and /boot is in the pool. It costs BIOS, Secure Boot, and an EFI partition of "
        f"{ESP_FOR_KERNELS} or more on each disk."
    ),
}
CHOICES: Sequence[tuple[tuple[Firmware, ...], str]] = (
    ((Firmware.BIOS, Firmware.UEFI), "BIOS and UEFI"),
    ((Firmware.UEFI,), "UEFI alone"),
    ((Firmware.BIOS,), "BIOS alone"),
)
ON_ESP = (
    "Every disk's EFI partition holds all kernels, so it takes the place of /boot: steps 2 and 3 ask for less. UEFI "
    "alone starts such disks."
)
HEADS = ("Disk", "By BIOS", "By UEFI, from any machine", "Entry in this firmware")
WIDTHS = (6, 18, 27, 24)
MENU = "Seconds, 0 to 60; 0 starts at once without showing the menu."


class Bootloader(Step):
    """GRUB for BIOS, UEFI or both, or systemd-boot; its menu; the kernel's arguments."""

    title_words = "Boot loader"
    number = 6
    general_help = (
        "GRUB reads kernel and initramfs from /boot, which every disk has. It is put on every disk, so that the "
        "machine starts from any one of them.\n\n"
        "UEFI finds it in two ways: by the removable path EFI/BOOT/BOOTX64.EFI, which any machine looks for, and by "
        "an entry in this machine's firmware, one for each disk. Entries of other systems stay as they are. A "
        "firmware that takes no new entry still starts by the path. Entries can only be made when the machine was "
        "itself started by UEFI.\n\n"
        "systemd-boot knows UEFI alone, and is offered where UEFI started this machine. It reads nothing but the EFI "
        "partition, so every disk's holds every kernel; a hook copies new ones to all of them. That makes the md array "
        "of /boot needless, and /boot is encrypted with the pool. The copies on the EFI partitions are in the clear, "
        "as GRUB's /boot is: who has the machine in hand can change what starts."
    )
    CSS = """
    Bootloader #why, Bootloader #entries, Bootloader #told, Bootloader #line { height: auto; }
    Bootloader #why { padding-left: 22; margin-bottom: 1; }
    Bootloader #told { margin: 1 0; }
    Bootloader #told .label { width: 22; }
    Bootloader #line { width: 1fr; }
    Bootloader #field-timeout Entry { max-width: 5; }
    """

    def body(self) -> ComposeResult:
        first = self.first
        yield Field("loader", "Boot loader", Pick(self._loaders(), first.loader))
        yield Field("firmware", "GRUB for", Pick(self._choices(), first.firmware), reason="boot.firmware")
        yield Static("", id="why", markup=False)
        yield Field("timeout", "Menu, in seconds", Entry(first.timeout, longest=3), reason="boot.timeout", help=MENU)
        said = "What Linux is told beside what zroot itself says; with spaces between."
        yield Field("arguments", "Kernel arguments", Entry(first.arguments), reason="boot.arguments", help=said)
        tick = Tick("console=tty0 console=ttyS0,115200", first.serial_console)
        said = "For a machine without a screen: menu, messages, passphrase and login on the first serial port as well. "
        said += "With systemd-boot the menu is where the firmware shows it."
        yield Field("serial_console", "Serial console", tick, help=said)
        with Horizontal(id="told"):
            yield Static("The kernel is told", classes="label", markup=False)
            yield Static("", id="line", markup=False)
        yield Static("", id="entries", markup=False)

    def problems(self, answers: Answers) -> Mapping[str, str]:
        found = dict(super().problems(answers))
        if "timeout" in found:
            found["timeout"] = "A whole number of seconds, 0 to 60."
        if answers.kernels_on_esp and "boot_size" in composing.problems(composing.so_far(answers, ())):
            # Another screen asks for the size, before this one.
            found["loader"] = (
                f"The EFI partition would get the size of /boot, {answers.boot_size}. systemd-boot needs "
                f"{ESP_FOR_KERNELS} for the kernels: say so in step 2 (Layout)."
            )
        return found

    def redraw(self, answers: Answers) -> None:
        laid = fitting.layout(answers, self.desk.machine) if self.desk.machine else None
        # It may have been looked at only after the screen was made.
        loader = self.query_one("#field-loader", Field)
        self.query_one("#field-loader Pick", Pick).offer(self._loaders(), answers.loader)
        loader.reason = WHY[answers.loader]
        if self.focused is loader.control:
            self.query_one("#help", Static).update(Content(loader.reason))
        self.query_one("#field-firmware").display = not answers.kernels_on_esp
        self.query_one("#field-firmware Pick", Pick).offer(self._choices(), answers.firmware)
        self.query_one("#why", Static).update(Content(ON_ESP if answers.kernels_on_esp else self._why()))
        self.query_one("#line", Static).update(Content(line(answers)))
        entries = table(answers, laid)
        self.query_one("#entries", Static).update(
            Content("\n").join([Content.styled(entries[0], "bold"), *entries[1:]])
        )

    def machine_changed(self, machine: Machine) -> None:
        self.redraw(self.collect())

    def _loaders(self) -> list[tuple[Loader, str]]:
        machine = self.desk.machine
        bios = machine is not None and machine.firmware is MachineFirmware.BIOS
        return [choice for choice in LOADERS if not (bios and choice[0] is Loader.SYSTEMD_BOOT)]

    def _choices(self) -> list[tuple[tuple[Firmware, ...], str]]:
        """Leave out what this machine could not start from."""
        machine = self.desk.machine
        return [choice for choice in CHOICES if machine is None or machine.firmware.value in choice[0]]

    def _why(self) -> str:
        machine = self.desk.machine
        if machine is None:
            return ""
        own, other = ("BIOS", "UEFI") if machine.firmware is MachineFirmware.BIOS else ("UEFI", "BIOS")
        return f"This machine started by {own}, so the new disks must start by it too. {other} is for other machines."


def line(answers: Answers) -> str:
    """Write what the kernel is told, in the order in which the boot loader says it."""
    arguments = composing.document(answers)["boot"]["arguments"]
    told = [f"root=zfs:{answers.pool}/ROOT/debian", f"zroot.wait={Boot().wait}"]
    if answers.kernels_on_esp:
        return " ".join([*told, "systemd.gpt_auto=0", *arguments])
    quiet = [word for word in arguments if word == "quiet"]
    return " ".join([*told, *(word for word in arguments if word != "quiet"), *quiet[:1]])


def table(answers: Answers, laid: Layout | None) -> list[str]:
    """Say what every disk starts by; the first line is the heading."""
    bios, uefi = (Firmware.BIOS in answers.starts_by, Firmware.UEFI in answers.starts_by)
    by_bios = "GRUB" if bios else "no"
    if bios and laid and not laid.bios:
        by_bios = "no: 4096-byte sectors"
    by_uefi = "EFI/BOOT/BOOTX64.EFI" if uefi else "no"
    rows = [HEADS]
    for role in answers.data:
        entry = "no"
        if uefi and laid:
            by_entry = laid.machine.firmware is MachineFirmware.UEFI
            entry = f"Debian on disk {role}" if by_entry else "no: started by BIOS"
        rows.append((role, by_bios, by_uefi, entry))
    return ["".join(cell.ljust(width) for cell, width in zip(row, WIDTHS, strict=True)).rstrip() for row in rows]
