"""Step: the disks that the system goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import Worker, get_current_worker

from installer.errors import ZrootError
from installer.machine import words
from installer.machine.model import Disk, Machine, Node
from screens import compose as composing
from screens import fitting
from screens.answers import Answers
from screens.disklist import DiskList, Line, cut, model, named
from screens.fields import Changed, Field, Tick
from screens.step import Step
from screens.threads import tell
from screens.uses import NONE, Uses
from screens.vdevs import fault

WAITING = "Looking at the disks of this machine."


class Disks(Step):
    """Every disk of the machine, what is on it, and which are chosen."""

    title_words = "Disks"
    number = 1
    general_help = (
        "Space chooses the disk in focus, and space again gives it free. The first one chosen is disk a, the next one "
        "disk b: the partition table is made on a and cloned to the others. Everything that is on the chosen disks "
        "will be erased, but not before the last screen, where you name them. A disk of another size can have another "
        "use than the data: a cache, say, or a spare; that is asked here, or in step 5. Disks with a dash cannot be "
        "used; the reason stands beside it.\n\n"
        "Disks may be plugged in and out at any time. If two look alike, let the light of one blink with b: the disk "
        "is read for five seconds, and nothing is written. d shows all that is known of the disk in focus."
    )
    CSS = """
    #field-disks { height: auto; }
    #field-disks .label, #field-disks .mark { display: none; }
    #field-disks .problem { padding-left: 0; }
    #field-disks DiskList { height: auto; }
    #field-allow-unequal { height: auto; }
    #field-allow-unequal .problem { padding-left: 0; }
    #field-uses { height: auto; }
    #field-uses .problem { padding-left: 0; }
    #said { height: auto; }
    #details { height: 1fr; min-height: 5; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("b", "blink", "Blink"),
        Binding("d", "details", "Details"),
    ]

    def body(self) -> ComposeResult:
        yield Field(
            "disks",
            "Disks",
            DiskList(self.first.disks),
            help="Two or more disks can be mirrors of each other. Everything on a chosen disk will be erased.",
        )
        yield Field(
            "allow_unequal",
            "Unlike sizes",
            Tick("use them together; the surplus stays empty", self.first.allow_unequal),
            reason="pool.*.allow-unequal",
        )
        yield Field("uses", "Uses of the disks", Uses(self.first), help=NONE)
        yield Static("", id="said", markup=False)
        yield Details(id="details")

    def on_mount(self) -> None:
        self._notice: tuple[str, ...] = ()
        self._blinking: Worker[None] | None = None
        if self.desk.machine:
            self._show(self.desk.machine)

    def collect(self) -> Answers:
        answers = super().collect()
        # Where the sizes are alike there is nothing to allow.
        return answers.model_copy(update={"allow_unequal": answers.allow_unequal and self._unlike(answers) is not None})

    def problems(self, answers: Answers) -> Mapping[str, str]:
        machine = self.desk.machine
        if machine is None:
            return {"disks": self.desk.trouble or "The disks are not known yet. Wait a moment, then choose."}
        if not answers.disks:
            return {"disks": "Choose at least one disk: space on its line."}
        if not answers.data:
            return {"uses": fault(answers)}
        laid = fitting.layout(answers, machine)
        if laid is None:
            return {"disks": "A chosen disk is not there any more. Choose again."}
        unlike = None if answers.allow_unequal else fitting.unequal(laid)
        found = [problem for problem in fitting.of_disks(laid) if not unlike or problem.title != unlike.title]
        said = {"disks": composing.beside(found[0])} if found else {}
        if unlike:
            hint = "Choose disks of one size, allow it with space, or give one another use."
            said["allow_unequal"] = f"{unlike.title} {unlike.message} {hint}"
        return said

    def redraw(self, answers: Answers) -> None:
        unlike = self._unlike(answers) is not None
        self.query_one("#field-allow-unequal").display = unlike
        # Where all are alike, this is asked where it belongs: beside the pool.
        self.query_one("#field-uses").display = len(answers.disks) > 1 and (
            unlike or len(answers.data) < len(answers.disks)
        )
        self.query_one(Uses).show(answers)
        self._say(answers)
        self._show_details()

    def machine_changed(self, machine: Machine) -> None:
        self._show(machine)
        answers = self.collect()
        if self._notice or answers.disks:
            self._show_problems(answers)
        self.redraw(answers)
        self.show_keys()

    def machine_lost(self, trouble: str) -> None:
        self.redraw(self.collect())

    def _show(self, machine: Machine) -> None:
        """Give the list what there is now, and note what came, went and was un-chosen."""
        disks = self.query_one(DiskList)
        before = {line.identity: line.disk for line in disks.lines}
        void = disks.show(Line(disk, fitting.refusals(disk, machine)) for disk in machine.disks)
        now = {line.identity: line.disk for line in disks.lines}
        names = {disk.name for disk in now.values()}
        gone = (disk for identity, disk in before.items() if identity not in now and disk.name not in names)
        came = (disk for identity, disk in now.items() if before and identity not in before)
        told = [*void]
        told += [f"{named(disk)} is gone." for disk in gone if not any(named(disk) in said for said in void)]
        told += [f"{named(disk)} was attached." for disk in came]
        if told:
            self._notice = tuple(told)

    def _unlike(self, answers: Answers) -> object:
        laid = fitting.layout(answers, self.desk.machine) if self.desk.machine else None
        return fitting.unequal(laid) if laid else None

    # What is said below the list.

    def _say(self, answers: Answers) -> None:
        laid = fitting.layout(answers, self.desk.machine) if self.desk.machine else None
        notes = fitting.notes_of_disks(laid) if laid and not fitting.of_disks(laid) else ()
        lines = [Content.styled(f"! {said}", "bold") for said in self._notice]
        lines += [Content(f"• {note}") for note in notes]
        self.query_one("#said", Static).update(Content("\n").join(lines))

    def _tell(self, *said: str) -> None:
        self._notice = said
        self._say(self.collect())

    def _show_details(self) -> None:
        at = self.query_one(DiskList).at
        waiting = self.desk.trouble or (WAITING if self.desk.machine is None else "This machine has no disks.")
        self.query_one(Details).show(tuple(about(at)) if at else (waiting,))

    def on_changed(self, event: Changed) -> None:
        # Step's own handler runs as well, after this one.
        self._notice = ()
        self._show_problems(self.collect())

    def on_disk_list_moved(self, event: DiskList.Moved) -> None:
        self._show_details()
        self.refresh_bindings()

    def on_disk_list_refused(self, event: DiskList.Refused) -> None:
        self.app.bell()
        self._tell(event.reason)

    # Keys.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what is done with a disk only where there is one."""
        if action in ("blink", "details"):
            return self.is_mounted and self.query_one(DiskList).at is not None
        return super().check_action(action, parameters)

    def action_details(self) -> None:
        if at := self.query_one(DiskList).at:
            self.app.push_screen(Everything(tuple(about(at))))

    def action_blink(self) -> None:
        at = self.query_one(DiskList).at
        if self._blinking and self._blinking.is_running:
            self._blinking.cancel()
            self._tell("The disk is not read any more.")
        elif at and not at.disk.size:
            self._tell(f"There is nothing in {named(at.disk)} to read.")
        elif at:
            self._tell(f"Reading {named(at.disk)} for five seconds: look for its light. b stops it.")
            self._blinking = self.blink(at.disk)

    @work(thread=True, name="blink", group="blink", exclusive=True)
    def blink(self, disk: Disk) -> None:
        """Read a disk so that its light blinks."""
        worker = get_current_worker()
        said: tuple[str, ...] = ()
        try:
            self.desk.client.blink(disk.link, lambda: worker.is_cancelled)
        except ZrootError as error:
            said = (" ".join(str(error).split("\n")),)
        if not worker.is_cancelled:
            tell(self, self._tell, *said)


class Details(Widget):
    """What is known of the disk in focus, as far as there is room."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._lines: tuple[str, ...] = ()

    def show(self, lines: tuple[str, ...]) -> None:
        """Show these lines."""
        self._lines = lines
        self.refresh()

    def render(self) -> Content:
        width, height = self.size.width, self.size.height
        wrapped = [line for text in self._lines for line in Content(text).wrap(width)]
        if len(wrapped) > height:
            wrapped[max(height - 1, 0) :] = [Content.styled(f"({len(wrapped) - height + 1} more lines: d)", "bold")]
        if wrapped:
            wrapped[0] = Content.styled(wrapped[0].plain, "bold")
        return Content("\n").join(wrapped)


class Everything(ModalScreen[None]):
    """All that is known of a disk."""

    CSS = """
    Everything { align: center middle; }
    Everything > VerticalScroll { width: 78; max-width: 100%; height: auto; max-height: 90%; border: solid $primary;
        padding: 0 1; }
    Everything Static { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,d,enter,space", "dismiss(None)", "Back")]

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__()
        self._lines = lines

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            for number, line in enumerate(self._lines):
                yield Static(Content.styled(line, "" if number else "bold"))
            yield Static("\nUp and down scroll. Esc goes back.", markup=False)


def about(line: Line) -> Iterator[str]:
    """Say everything about a disk, a line each, the most important first."""
    disk = line.disk
    spins = "spinning" if disk.kind == "disk" and disk.rotational else ""
    facts = (_called(disk), words.both_sizes(disk.size), words.TRANSPORTS.get(disk.transport, disk.transport), spins)
    yield f"{disk.path}: {', '.join(filter(None, facts))}"
    for reason in line.reasons:
        yield f"Cannot be used. {reason}"
    if disk.kind == "disk" and disk.size:
        yield f"On it now: {words.contents(disk)}"
    yield from _partitions(disk.children, 1)
    yield _names(disk)
    yield f"Sectors: {disk.logical_sector} bytes, physically {disk.physical_sector}. {_table(disk)}"
    if disk.link != disk.path:
        yield f"Commands call it {disk.link}"


def _called(disk: Disk) -> str:
    vendor = "" if disk.vendor in ("", "ATA", "NVMe") or disk.model.startswith(disk.vendor) else f"{disk.vendor} "
    return f"{vendor}{model(disk)}"


def _names(disk: Disk) -> str:
    twin = " (another disk has the same)"
    serial = f"{disk.serial}{twin if disk.serial in disk.ambiguous else ''}" if disk.serial else "none"
    wwn = f"   WWN: {disk.wwn}{twin if disk.wwn in disk.ambiguous else ''}" if disk.wwn else ""
    return f"Serial: {serial}{wwn}"


def _table(disk: Disk) -> str:
    table = {"gpt": "GPT", "dos": "MBR"}.get(disk.table, disk.table)
    removable = " Removable." if disk.removable else ""
    return (f"Partition table: {table}." if table else "No partition table.") + removable


def _partitions(nodes: tuple[Node, ...], depth: int) -> Iterator[str]:
    for node in nodes:
        label = f' "{node.part_label}"' if node.part_label else ""
        mounted = f", mounted at {', '.join(node.mounts)}" if node.mounts else ""
        name = cut(node.path.rpartition("/")[2], 18)
        yield f"{'  ' * depth}{name:<10} {words.binary_size(node.size):>10}  {words.holds(node)}{label}{mounted}"
        yield from _partitions(node.children, depth + 1)
