"""The boot loader screen: firmware that suits the machine, entries, and what the kernel is told."""

from __future__ import annotations

import pytest

from installer.plan.build import make_plan
from installer.plan.operation import WriteFile
from installer.recipe.model import Firmware
from installer.recipe.secrets import Secret
from screens import compose as composing
from screens.answers import Encryption, Loader
from screens.bootloader import Bootloader, line
from screens.disks import Disks
from screens.fields import Pick
from screens.layout import Layout
from screens.reviewing import review
from tests.screens.step_alone import MACHINES, TWO, Alone, Demo, drive

BOTH = (Firmware.BIOS, Firmware.UEFI)
WHOLE = TWO.model_copy(update={"hostname": "frodo", "user": "ann"})


def test_accepted_as_it_is() -> None:
    async def steps(alone: Alone) -> None:
        assert alone.focus() == "next"
        assert await alone.leave("enter") == TWO

    drive(Bootloader, steps)


@pytest.mark.parametrize(
    ("machine", "own", "other"), [("synthetic-two-blank", "BIOS", "UEFI"), ("synthetic-two-blank-uefi", "UEFI", "BIOS")]
)
def test_firmware_of_this_machine_is_always_among_them(machine: str, own: str, other: str) -> None:
    async def steps(alone: Alone) -> None:
        assert f"This machine started by {own}" in alone.text()
        await alone.go("firmware")
        assert "BIOS and UEFI" in alone.text()
        await alone.press("right")
        assert f"{own} alone" in alone.text()
        assert f"{other} alone" not in alone.text()
        await alone.press("right")
        assert "BIOS and UEFI" in alone.text()
        assert (await alone.leave("f10")).firmware == BOTH

    drive(Bootloader, steps, machine=machine)


@pytest.mark.parametrize(
    ("machine", "entry"), [("synthetic-two-blank", "no: started by BIOS"), ("synthetic-two-blank-uefi", "disk b")]
)
def test_entries_are_those_that_the_plan_makes(machine: str, entry: str) -> None:
    async def steps(alone: Alone) -> None:
        row = next(text for text in alone.text().splitlines() if text.startswith("  b  "))
        assert "GRUB" in row
        assert "EFI/BOOT/BOOTX64.EFI" in row
        assert entry in row

    drive(Bootloader, steps, machine=machine)


def test_one_firmware_alone_leaves_out_the_other() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("firmware")
        await alone.press("right")
        row = next(text for text in alone.text().splitlines() if text.startswith("  b  "))
        assert row.split() == ["b", "GRUB", "no", "no"]
        assert (await alone.leave("f10")).firmware == (Firmware.BIOS,)

    drive(Bootloader, steps)


def test_kernel_line_is_what_the_recipe_says() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("arguments")
        await alone.write("mitigations=off")
        await alone.go("serial_console")
        await alone.press("space")
        told = " ".join(alone.text().split())
        assert "root=zfs:tank/ROOT/debian zroot.wait=20 mitigations=off console=tty0 console=ttyS0,115200" in told
        answers = await alone.leave("f10")
        assert composing.recipe(answers).boot.arguments == ("mitigations=off", "console=tty0", "console=ttyS0,115200")

    drive(Bootloader, steps, WHOLE.model_copy(update={"pool": "tank"}), size=(120, 40))


def test_bad_answers_are_told_at_once_though_the_host_name_is_not_known() -> None:
    async def steps(alone: Alone) -> None:
        for seconds in ("", "61", "x"):
            await alone.go("timeout")
            await alone.press("home", "ctrl+k")
            await alone.write(seconds)
            assert "0 to 60" in alone.problem("timeout")
        await alone.go("arguments")
        await alone.write("root=/dev/sda")
        assert "belongs to zroot" not in alone.problem("arguments")  # rules wait for the syntax of the rest
        await alone.go("timeout")
        await alone.press("home", "ctrl+k", "5")
        await alone.press("f10")
        assert "belongs to zroot" in alone.problem("arguments")
        assert not alone.left
        await alone.go("arguments")
        await alone.press("home", "ctrl+k")
        await alone.write("it's")
        assert "no quotes" in alone.problem("arguments")

    drive(Bootloader, steps)


@pytest.mark.parametrize("firmware", [(Firmware.UEFI,), BOTH])
def test_uefi_chosen_on_a_machine_that_bios_started_becomes_both(firmware: tuple[Firmware, ...]) -> None:
    """It may have been chosen before the machine was known; to leave it would end in a refusal at Review."""
    before = WHOLE.model_copy(update={"firmware": firmware})

    async def steps(alone: Alone) -> None:
        assert "BIOS and UEFI" in alone.text()
        row = next(text for text in alone.text().splitlines() if text.startswith("  b  "))
        assert row.split()[1] == "GRUB"
        assert (await alone.leave("f10")).firmware == BOTH

    drive(Bootloader, steps, before)


def test_uefi_alone_keeps_nobody_from_the_screens_before_and_is_told_at_review() -> None:
    wrong = WHOLE.model_copy(
        update={"firmware": (Firmware.UEFI,), "encryption": Encryption.NONE, "user_password": Secret("own password 1")}
    )
    client = Demo(MACHINES / "synthetic-two-blank.json")

    async def steps(alone: Alone) -> None:
        assert alone.focus() == "next"
        assert (await alone.leave("f10")).disks == wrong.disks

    drive(Disks, steps, wrong, client=client)
    found = review(wrong, client.machine(), client)
    assert found.plan is None
    (said,) = [problem for problem in found.problems if "This machine starts by BIOS" in problem.words]
    assert said.step == Bootloader.number


def test_systemd_boot_is_not_offered_where_bios_started_the_machine() -> None:
    async def steps(alone: Alone) -> None:
        assert len(choices(alone, "loader")) == 1
        assert (await alone.leave("f10")).loader is Loader.GRUB

    drive(Bootloader, steps, TWO.model_copy(update={"loader": Loader.SYSTEMD_BOOT}))


def choices(alone: Alone, name: str) -> list[object]:
    control = alone.field(name).control
    assert isinstance(control, Pick)
    return [value for value, _ in control.choices]


def test_systemd_boot_is_uefi_alone_and_kernels_on_every_esp() -> None:
    async def steps(alone: Alone) -> None:
        await alone.go("loader")
        assert "Starts by BIOS and by UEFI" in alone.text()
        await alone.press("right")
        assert "It costs BIOS, Secure" in alone.text()
        assert not alone.field("firmware").display
        assert "zroot.wait=20 systemd.gpt_auto=0 quiet" in " ".join(alone.text().split())
        row = next(text for text in alone.text().splitlines() if text.startswith("  b  "))
        assert row.split()[:3] == ["b", "no", "EFI/BOOT/BOOTX64.EFI"]
        answers = await alone.leave("f10")
        assert answers.firmware == BOTH, "what was chosen for GRUB is lost"
        made = composing.recipe(answers)
        assert made.boot.loader == "systemd-boot"
        assert made.boot.firmware == (Firmware.UEFI,)
        assert [(entry.name, str(entry.size)) for entry in made.partition] == [("esp", "1G"), ("pool", "rest")]
        assert not made.raid
        assert composing.problems(answers).keys() <= {""}

    drive(Bootloader, steps, WHOLE, machine="synthetic-two-blank-uefi")


def test_the_line_is_the_one_that_the_plan_writes() -> None:
    machine = Demo(MACHINES / "synthetic-two-blank-uefi.json").machine()
    open_ = {"encryption": Encryption.NONE, "user_password": Secret("own password 1"), "serial_console": True}
    for loader, path in ((Loader.SYSTEMD_BOOT, "/etc/kernel/cmdline"), (Loader.GRUB, "/etc/default/grub")):
        answers = WHOLE.model_copy(update=open_ | {"loader": loader})
        files = {one.action.path: one.action.content for one in make_plan(composing.recipe(answers), machine).operations
                 if isinstance(one.action, WriteFile)}  # fmt: skip
        (written,) = [content for name, content in files.items() if name.endswith(path)]
        told = line(answers).removesuffix(" quiet") if loader is Loader.GRUB else f"{line(answers)}\n"
        assert told in written


def test_an_esp_too_small_for_kernels_is_told_here_and_mended_in_layout() -> None:
    small = WHOLE.model_copy(update={"boot_size": "512M", "loader": Loader.SYSTEMD_BOOT})

    async def here(alone: Alone) -> None:
        assert alone.focus() == "loader"
        await alone.press("f10")
        assert "step 2 (Layout)" in alone.problem("loader")
        assert not alone.left

    async def there(alone: Alone) -> None:
        assert alone.focus() == "boot_size"
        await alone.write("1G")
        assert not alone.problem("boot_size")
        assert composing.problems(await alone.leave("f10")).keys() <= {""}

    drive(Bootloader, here, small, machine="synthetic-two-blank-uefi")
    drive(Layout, there, small, machine="synthetic-two-blank-uefi")
    assert "boot_size" in composing.problems(small)
