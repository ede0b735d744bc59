"""Step: what is on every disk, so that any of them starts the machine, and what survives which failure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from installer.machine.model import Machine
from installer.recipe.model import Firmware, VdevKind
from installer.recipe.reasons import REASONS
from screens import fitting
from screens.answers import Answers, survives, topology
from screens.compose import TOPOLOGIES
from screens.fields import Field, Pick
from screens.step import Step
from screens.topology import beside
from screens.vdevs import Support, listed, support, taken_whole

METADATA = {
    "1.2": REASONS["raid.*.metadata"],
    "1.0": "At the end of the device: what does not know md can read a member, and may mistake it for a plain disk.",
}
HEADS = ("Failed disks", "Pool", "/boot", "EFI", "BIOS", "UEFI")
ON_ESP = (
    "Nothing is to be chosen here. systemd-boot reads kernels from the EFI partition, which each disk has: there is no "
    "array. /boot itself is a folder of the root file system. The boot loader is chosen in step 6."
)


class Row(NamedTuple):
    """What is left after so many disks failed, a word or two for each column."""

    failed: str
    pool: str
    boot: str
    esp: str
    bios: str
    uefi: str


class Redundancy(Step):
    """The md array of /boot, an EFI partition on each disk, and a table of failures."""

    title_words = "/boot and redundancy"
    number = 3
    general_help = (
        "GRUB must read the kernel before anything is unlocked, so /boot is not in the pool: it is a mirror by md over "
        "all chosen disks, with ext4. Each disk has a boot loader of its own for BIOS and for UEFI. After every update "
        "of a kernel or of GRUB, zroot's hook brings all of them up to date. With systemd-boot, which is "
        "chosen in step 6, the kernels lie in the EFI partitions instead.\n\n"
        "The table says what is left when disks fail. How the pool is built is chosen in step 5; the table follows it."
    )
    CSS = """
    #array, #loaders { height: auto; margin-top: 1; }
    #esp { height: auto; }
    #table { height: auto; margin-top: 1; }
    """

    def body(self) -> ComposeResult:
        if self.first.kernels_on_esp:
            yield Static(ON_ESP, id="esp", markup=False)
        yield Field(
            "metadata",
            "Metadata of /boot",
            Pick([("1.2", "1.2, at the start"), ("1.0", "1.0, at the end")], self.first.metadata),
        )
        yield Static("", id="array", markup=False)
        yield Static("", id="loaders", markup=False)
        yield Static("", id="table", markup=False)

    def redraw(self, answers: Answers) -> None:
        field = self.query_one("#field-metadata", Field)
        field.display = not answers.kernels_on_esp
        field.reason = METADATA[answers.metadata]
        if self.focused is field.control:
            self.query_one("#help", Static).update(Content(field.reason))
        bios, uefi = self._firmware(answers)
        count, others = len(answers.data), support(answers)
        self.query_one("#array").display = not answers.kernels_on_esp
        self.query_one("#array", Static).update(Content(array(answers)))
        said = kernels(count) if answers.kernels_on_esp else loaders(count, bios=bios, uefi=uefi)
        if others:
            said += f" {taken_whole(''.join(one.roles for one in others))}"
        self.query_one("#loaders", Static).update(Content(said))
        kind = topology(answers)
        found = rows(kind, count=count, bios=bios, uefi=uefi)
        head = f"The pool is {TOPOLOGIES[kind]}. What is left when {'data ' if others else ''}disks fail:"
        heads = tuple("Kernels" if head == "/boot" else head for head in HEADS) if answers.kernels_on_esp else HEADS
        lines = [Content.styled(head, "bold"), *table(found, heads)]
        if any(row.pool == "may work" for row in found):
            lines.append(Content("It may work: as long as no mirror loses both of its disks."))
        lines += [Content(line) for line in besides(others)]
        self.query_one("#table", Static).update(Content("\n").join(lines))

    def machine_changed(self, machine: Machine) -> None:
        self.redraw(self.collect())

    def _firmware(self, answers: Answers) -> tuple[bool, bool]:
        """Tell whether the new system will start by BIOS, and by UEFI, on these disks."""
        laid = fitting.layout(answers, self.desk.machine) if self.desk.machine else None
        if laid:
            return laid.bios, laid.uefi
        return Firmware.BIOS in answers.starts_by, Firmware.UEFI in answers.starts_by


def besides(others: Sequence[Support]) -> Iterator[str]:
    """Say what becomes of the pool when disks fail that hold none of its data."""
    for one in others:
        if one.carries:
            many = "one" if one.survives == 1 else f"any {one.survives}"
            lost = "if one of them fails" if len(one.roles) > 1 else "if it fails"
            said = f"{many} of them may fail as well" if one.survives else f"{lost}, the pool is lost"
            yield f"• {one.words} {listed(one.roles)}: {said}."
    yield from (f"• {said}." for said in beside(others))


def array(answers: Answers) -> str:
    """Say what /boot lies on."""
    count = len(answers.data)
    if count == 1:
        return (
            "/boot is an md array (RAID1, ext4) with a single member.\n"
            "One disk needs no mirror; but so a second disk can be added to it later."
        )
    disks = _all(count) if count == len(answers.disks) else f"disks {listed(answers.data)}"
    return f"/boot is an md array (RAID1, ext4) over {disks}: each holds the whole of it."


def loaders(count: int, *, bios: bool, uefi: bool) -> str:
    """Say which boot loaders lie on each disk."""
    kinds = [*(["GRUB for BIOS"] if bios else []), *(["an EFI partition with GRUB for UEFI"] if uefi else [])]
    where = "The disk has" if count == 1 else "Each disk has"
    together = "" if count == 1 else " A hook keeps them alike after every update of kernel or GRUB."
    return f"{where} {' and '.join(kinds)}.{together}"


def kernels(count: int) -> str:
    """Say what each disk has where the EFI partition holds the kernels."""
    where = "The disk has" if count == 1 else "Each disk has"
    hook = "it" if count == 1 else "all of them"
    return (
        f"{where} an EFI partition with systemd-boot and every kernel. A hook brings {hook} up to date after an update."
    )


def rows(kind: VdevKind, *, count: int, bios: bool, uefi: bool) -> tuple[Row, ...]:
    """Return what survives for each number of failed disks; numbers that come to the same share a row."""
    alike: dict[tuple[str, bool], list[int]] = {}
    for failed in range(count + 1):
        alike.setdefault((_pool(kind, count=count, failed=failed), failed == count), []).append(failed)
    return tuple(_row(pool, numbers, count, bios=bios, uefi=uefi) for (pool, _), numbers in alike.items())


def _pool(kind: VdevKind, *, count: int, failed: int) -> str:
    always, at_best = survives(kind, count=count)
    return "whole" if not failed else "works" if failed <= always else "may work" if failed <= at_best else "lost"


def _row(pool: str, numbers: Sequence[int], count: int, *, bios: bool, uefi: bool) -> Row:
    first, last = numbers[0], numbers[-1]
    kept = f"on {count - first} disk{'s' if count - first > 1 else ''}" if first == last else "on the rest"
    copies = "whole" if not first else "lost" if first == count else kept
    starts = {"whole": "starts", "works": "starts", "may work": "may start", "lost": "no"}[pool]
    return Row(
        failed="none" if not first else str(first) if first == last else f"{first} to {last}",
        pool=pool,
        boot=copies,
        esp=copies if uefi else "none",
        bios=starts if bios else "never",
        uefi=starts if uefi else "never",
    )


def table(found: Sequence[Row], heads: Sequence[str] = HEADS) -> list[Content]:
    """Draw the table, a line for each row."""
    widths = [max(len(head), *(len(row[place]) for row in found)) for place, head in enumerate(heads)]

    def line(cells: Sequence[str], between: str) -> str:
        return between.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))

    rule = "─┼─".join("─" * width for width in widths)
    return [Content(line(heads, " │ ")), Content(rule), *(Content(line(row, " │ ")) for row in found)]


def _all(count: int) -> str:
    return "both disks" if count == 2 else f"all {count} disks"
