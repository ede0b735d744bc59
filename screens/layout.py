"""Step: the partition table, its sizes, swap, and how the table gets onto every disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size as Area
from textual.widget import Widget
from textual.widgets import Static

from installer.machine import words
from installer.machine.model import Disk, Machine
from installer.plan import fit, notes
from installer.plan.layout import Layout as Laid
from installer.recipe.model import SwapKind
from installer.recipe.reasons import REASONS
from installer.recipe.rules.boot import ESP_FOR_KERNELS, SMALLEST_ESP
from installer.recipe.size import Size
from screens import bars, fitting
from screens.answers import ROLES, Answers, topology, usable
from screens.disklist import label, named
from screens.fields import Changed, Entry, Field, Pick
from screens.step import Step
from screens.vdevs import taken_whole

LEAST_BOOT = Size.parse("256M")
LEAST_SWAP = Size.parse("64M")
PARTITIONED = (SwapKind.RANDOM_KEY, SwapKind.RAID)
SIZED = (*PARTITIONED, SwapKind.ZVOL)
SWAPS = {
    SwapKind.ZRAM: "compressed memory (zram)",
    SwapKind.NONE: "none",
    SwapKind.RANDOM_KEY: "partitions, a new key at each start",
    SwapKind.RAID: "a mirror of partitions (md)",
    SwapKind.ZVOL: "a volume in the pool",
}
WHY = {
    SwapKind.ZRAM: REASONS["swap.kind"],
    SwapKind.NONE: "When memory is full, programs are ended. Right for machines with plenty of it.",
    SwapKind.RANDOM_KEY: "Nobody can read it later, but a disk that fails takes with it what was swapped out there.",
    SwapKind.RAID: "What was swapped out survives a failed disk. Its size is taken from every disk.",
    SwapKind.ZVOL: "Its size is taken from the pool, and may be changed later.",
}
SHOWN = 6
"""Disks named in the sentence on cloning."""


class Layout(Step):
    """Sizes of the partitions, and a picture of every disk."""

    title_words = "Layout"
    number = 2
    general_help = (
        "Every disk gets the same partitions: a small one for GRUB by BIOS, the EFI partition for UEFI, a part of "
        "/boot, perhaps swap, and all the rest for the pool. With systemd-boot, which is chosen in step 6, the EFI "
        "partition takes the place of the first three. Sizes are whole numbers with a unit: 512M, 1G, 2T. "
        "The pictures show each disk as it is now and as it will be; they are not to scale where a name needs more "
        "room. Nothing is written before the last screen."
    )
    CSS = """
    Layout Field Entry { max-width: 12; }
    #room, #note, #cloned { height: auto; }
    #cloned { margin-bottom: 1; }
    Picture { height: auto; }
    Picture:focus { text-style: bold; }
    """

    def body(self) -> ComposeResult:
        sizes = "A whole number with a unit: 512M, 1G."
        for name, label_, help_ in self._fixed():
            yield Field(name, label_, Entry(getattr(self.first, name), longest=8), help=f"{help_} {sizes}")
        yield Field("swap", "Swap", Pick(self._swaps(), self.first.swap))
        yield Field("swap_size", "Size of swap", Entry(self.first.swap_size, longest=8), help=sizes)
        yield Static("", id="room", markup=False)
        yield Static("", id="note", markup=False)
        yield Static("", id="cloned", markup=False)
        for role, _ in zip(ROLES, self.first.disks, strict=False):
            yield Picture(role, alone=len(self.first.disks) < 3)

    def _fixed(self) -> list[tuple[str, str, str]]:
        """Give the partitions that every disk has: the answer with the size, what it is called, and its help."""
        if self.first.kernels_on_esp:
            said = f"systemd-boot and every kernel lie in it, on each disk the same. At least {ESP_FOR_KERNELS}."
            return [("boot_size", "EFI partition", said)]
        said = f"UEFI starts from it, one on each disk. At least {SMALLEST_ESP}."
        kernels = "Kernels and what they need to start, on each disk the same."
        return [("esp_size", "EFI partition", said), ("boot_size", "/boot", kernels)]

    def _swaps(self) -> list[tuple[SwapKind, str]]:
        clear = self.first.clear
        said = SWAPS | {SwapKind.RAID: f"{SWAPS[SwapKind.RAID]}{'' if clear else ', new key each start'}"}
        # A mirror of one disk is a partition; it stays where it was chosen before.
        alone = len(self.first.data) < 2 and self.first.swap is not SwapKind.RAID
        return [(kind, words_) for kind, words_ in said.items() if not (alone and kind is SwapKind.RAID)]

    def problems(self, answers: Answers) -> Mapping[str, str]:
        machine = self.desk.machine
        sizes = {"esp_size": SMALLEST_ESP, "boot_size": LEAST_BOOT}
        if answers.kernels_on_esp:
            sizes = {"boot_size": ESP_FOR_KERNELS}
        if answers.swap in SIZED:
            sizes["swap_size"] = LEAST_SWAP
        found = {name: _size_problem(getattr(answers, name), least) for name, least in sizes.items()}
        found = {name: said for name, said in found.items() if said}
        if found or machine is None:
            return found
        if gone := fitting.missing(answers, machine):
            return {
                next(iter(sizes)): f"{', '.join(gone)} is not there any more, or in use now. Go back and choose again."
            }
        laid = fitting.layout(answers, machine)
        return _no_room(laid, answers, sizes) if laid else {}

    def redraw(self, answers: Answers) -> None:
        swap = self.query_one("#field-swap", Field)
        swap.reason = WHY[answers.swap]
        if self.focused is swap.control:
            self.query_one("#help", Static).update(Content(swap.reason))
        self.query_one("#field-swap-size").display = answers.swap in SIZED
        machine = self.desk.machine
        wrong = self.problems(answers)
        laid = fitting.layout(answers, machine) if machine else None
        self._say("room", _room(laid, answers) if laid and not wrong else "")
        self._say("note", "\n".join(f"• {note}" for note in notes.notes(laid, notes.OF_SWAP)) if laid else "")
        self._say("cloned", _cloned(laid) if laid else "")
        for picture in self.query(Picture):
            picture.show(laid, wrong=bool(wrong))

    def _say(self, place: str, said: str) -> None:
        static = self.query_one(f"#{place}", Static)
        static.update(Content(said))
        static.display = bool(said)

    def on_changed(self, event: Changed) -> None:
        # One size too large is another one's problem too.
        self._show_problems(self.collect())

    def machine_changed(self, machine: Machine) -> None:
        answers = self.collect()
        self._show_problems(answers)
        self.redraw(answers)


class Picture(Widget, can_focus=True):
    """A disk before and after."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "app.focus_next", show=False)]

    def __init__(self, role: str, *, alone: bool) -> None:
        super().__init__()
        self.role = role
        # Where all pictures fit on the screen there is nothing to scroll to.
        self.can_focus = not alone
        self._laid: Laid | None = None
        self._wrong = False

    def show(self, laid: Laid | None, *, wrong: bool) -> None:
        """Draw the disk as it will be; not where the sizes are wrong."""
        self._laid, self._wrong = laid, wrong
        self.refresh(layout=True)

    def get_content_height(self, container: Area, viewport: Area, width: int) -> int:
        """Take a head, and a bar with labels for now and for later."""
        return 1 if self._laid is None else 4 if self._wrong else 5

    def render(self) -> Content:
        if self._laid is None:
            return Content(f"{self.role}  not known yet")
        disk = self._laid.disks[self.role]
        width = self.size.width - 10  # the scroll bar may stand at its end
        now, named_now = bars.draw(bars.before(disk), width)
        head = f"{self.role}  {_head(disk)}"
        style = "$primary reverse" if self.has_focus else "bold"
        rows = [Content.styled(head, style), Content(f"   now   {now}"), Content(f"         {named_now}")]
        if self._wrong:
            rows += [Content("   then  when the sizes above are right")]
        else:
            then, named_then = bars.draw(bars.after(self._laid, self.role), width)
            rows += [Content("   then  ") + Content.styled(then, "$primary"), Content(f"         {named_then}")]
        return Content("\n").join(rows)


def _head(disk: Disk) -> str:
    return f"{named(disk)}, {words.both_sizes(disk.size)}"


def _size_problem(typed: str, least: Size) -> str:
    try:
        size = Size.parse(typed.strip())
    except ValueError:
        return "Write a whole number with a unit: 512M, 1G."
    return f"{size} is too little. At least {least}." if size < least else ""


def _no_room(laid: Laid, answers: Answers, asked: Iterable[str]) -> dict[str, str]:
    """Say where the sizes leave too little for the system."""
    refusal = next(fit.too_small(laid), None)
    if refusal:
        # The largest of them is where there is most to save.
        largest = max(asked, key=lambda name: Size.parse(getattr(answers, name)))
        return {largest: f"{refusal.title} {refusal.message} Make the partitions smaller, or choose larger disks."}
    if answers.swap is SwapKind.ZVOL:
        pool = usable(topology(answers), count=len(laid.table_roles), size=laid.extents[-1].size)
        needed = Size.parse(answers.swap_size) + fit.LEAST_SYSTEM
        if pool < needed:
            least, has = words.binary_size(fit.LEAST_SYSTEM), words.binary_size(pool)
            return {"swap_size": f"The pool holds {has}, and {least} of it are the least that the system needs."}
    return {}


def _room(laid: Laid, answers: Answers) -> str:
    """Say what is left for the pool, in numbers."""
    disks = {role: laid.disks[role] for role in laid.table_roles}
    role, smallest = min(disks.items(), key=lambda pair: pair[1].size)
    pool, whole = words.binary_size(laid.extents[-1].size), words.binary_size(smallest.size)
    alike = "" if len(disks) == 1 else " on each disk"
    unlike = len({disk.size for disk in disks.values()}) > 1
    where = f"on each disk; the smallest, {role}, has {whole}." if unlike else f"of {whole}{alike}."
    volume = f" The swap volume takes {answers.swap_size} of the pool." if answers.swap is SwapKind.ZVOL else ""
    return f"Left for the pool: {pool} {where}{volume}"


def _cloned(laid: Laid) -> str:
    """Say how the table gets onto the disks."""
    first, *others = [f"{role} ({label(laid.disks[role])})" for role in laid.table_roles]
    whole = "".join(role for role in laid.disks if role not in laid.table_roles)
    rest = f" {taken_whole(whole)}" if whole else ""
    if not others:
        return f"The table is made on disk {first} with sgdisk. There is no other disk to clone it to.{rest}"
    more = len(others) - SHOWN
    names = others if more <= 0 else [*others[:SHOWN], f"{more} more"]
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    each = "each " if len(others) > 1 else ""
    return f"The table is made on disk {first} and cloned with sgdisk to {listed}, {each}with GUIDs of its own.{rest}"
