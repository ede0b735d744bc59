"""Step: how the disks make a pool, its properties, and the datasets in it."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.events import Resize
from textual.widget import Widget
from textual.widgets import Static

from installer.machine import words
from installer.machine.model import Machine
from installer.plan import fit
from installer.plan.layout import Layout
from installer.plan.pools import ashift as chosen_ashift
from installer.recipe.model import SwapKind, VdevKind
from screens import compose as composing
from screens import datasets, fitting, topology, uses, vdevs
from screens.answers import LAYOUTS, Answers, Dataset, Datasets, topologies
from screens.answers import topology as chosen_topology
from screens.fields import Entry, Field, Pick, Press, Tick
from screens.step import Step

OPTIONS = ("ashift", "autotrim", "compression", "acltype", "xattr", "dnodesize", "relatime")
COMPRESSIONS = (
    ("lz4", "lz4: fast"),
    ("zstd", "zstd: smaller, more work"),
    ("gzip", "gzip: slow, for other systems' sake"),
    ("off", "off"),
)
LAYOUT_WORDS = {Datasets.SEPARATE: "home, services and logs apart", Datasets.SIMPLE: "home apart, the rest together"}
SYSTEM = Dataset(name="ROOT/debian", mount="/")
TOPOLOGY = "How the disks with the data stand together. What more a disk can be for is said in the next line."


class PoolStep(Step):
    """Topology, properties and datasets."""

    title_words = "Pool"
    number = 5
    general_help = (
        "A pool is made of vdevs, the boxes of the drawing; what is written is spread over them. Redundancy is inside "
        "a vdev: if one is lost, so is the pool. a, b, c are the disks in the order in which they were chosen; each "
        "gives what its other partitions leave of the smallest disk. Of the space ZFS keeps about three percent to "
        f"itself, and raidz some more for small blocks. A pool is no backup.\n\n{uses.GENERAL}"
    )
    CSS = """
    PoolStep #picture { height: auto; margin-bottom: 1; text-wrap: nowrap; }
    PoolStep #options-row { height: 1; }
    PoolStep #options { width: 22; }
    PoolStep #summary { width: 1fr; }
    PoolStep #more { height: auto; }
    PoolStep #more Field { padding-left: 2; }
    PoolStep #more .label { width: 18; }
    PoolStep #list { height: auto; }
    PoolStep #list Static { height: 1; width: auto; padding: 0 1 0 0; }
    PoolStep #trim, PoolStep #system { height: auto; }
    PoolStep Row { margin-left: 2; }
    PoolStep #system { margin-left: 2; }
    PoolStep #add { width: auto; margin-left: 2; }
    Row:focus { color: $primary; text-style: reverse; }
    """

    def body(self) -> ComposeResult:
        first = self.first
        yield Field("topology", "Topology", Pick(_topologies(first), chosen_topology(first)), help=TOPOLOGY)
        if len(first.disks) > 1:
            yield Field("uses", "Uses of the disks", uses.Uses(first), help=uses.NONE)
        yield Static("", id="picture", markup=False)
        entry = Entry(first.pool, longest=64)
        yield Field("pool", "Name of the pool", entry, help="rpool stands for root pool. Commands and mounts show it.")
        with Horizontal(id="options-row"):
            yield Press("Options", id="options")
            yield Static("", id="summary", markup=False)
        with Vertical(id="more"):
            yield from self._options()
        said = "What has a dataset of its own has its own snapshots: a rollback of the system leaves it as it is."
        yield Field("datasets", "Datasets", Pick(_layouts(first.datasets), first.datasets), help=said)
        yield Static(datasets.line(SYSTEM), id="system", markup=False)
        yield Vertical(id="list")
        yield Press("Add a dataset", id="add")

    def _options(self) -> ComposeResult:
        first, made = self.first, "pool.*.filesystem."
        pick = Pick(_ashifts("as the disks' sectors"), first.ashift)
        yield Field("ashift", "ashift", pick, reason="pool.*.ashift")
        tick = Tick("tell the disks what is free", first.autotrim)
        yield Field("autotrim", "autotrim", tick, reason="pool.*.properties.autotrim")
        yield Static("autotrim stays off: the chosen encryption keeps discards to itself.", id="trim", markup=False)
        yield Field("compression", "compression", Pick(COMPRESSIONS, first.compression), reason=f"{made}compression")
        acls = Pick([("posixacl", "POSIX"), ("off", "none")], first.acltype)
        yield Field("acltype", "ACLs", acls, reason=f"{made}acltype")
        places = Pick([("sa", "sa: beside the file"), ("on", "on: in hidden folders")], first.xattr)
        yield Field("xattr", "xattr", places, reason=f"{made}xattr")
        sizes_of_nodes = Pick([("auto", "auto"), ("legacy", "legacy: 512 bytes")], first.dnodesize)
        yield Field("dnodesize", "dnodesize", sizes_of_nodes, reason=f"{made}dnodesize")
        tick = Tick("write access times once a day at most", first.relatime)
        yield Field("relatime", "relatime", tick, reason=f"{made}relatime")

    def on_mount(self) -> None:
        # Textual calls the handler of Step as well.
        self._count = len(self.first.data)
        self.query_one("#more").display = False
        self._list(self.first.datasets)

    def collect(self) -> Answers:
        answers = super().collect()
        # The recommended one follows the number of disks, should that change.
        recommended = answers.topology is topologies(self._count)[0]
        return answers.model_copy(update={"topology": None}) if recommended else answers

    def problems(self, answers: Answers) -> Mapping[str, str]:
        found = dict(super().problems(answers))
        if said := uses.problem(answers, self.desk):
            found["uses"] = said
            found.pop("topology", "")
        laid = self._laid(answers)
        if laid:
            for refusal in fit.pool_names(laid):
                found.setdefault("pool", composing.beside(refusal))
            sector = max((device.logical_sector for device in laid.pool_members(laid.root_pool)), default=512)
            if answers.ashift and 2**answers.ashift < sector:
                found["ashift"] = f"The disks have sectors of {sector} bytes: {sector.bit_length() - 1} at least."
        for dataset in answers.datasets:
            others = [other for other in answers.datasets if other is not dataset]
            for said in datasets.fault(dataset, others, taken=_taken(answers)).values():
                found["datasets"] = f"{dataset.name}: {said}"
        return found

    def first_focus(self) -> Widget:
        self._open_for(self.problems(self.collect()))
        return super().first_focus()

    def action_next(self) -> None:
        self._open_for(self.problems(self.collect()))
        super().action_next()

    def redraw(self, answers: Answers) -> None:
        laid = self._laid(answers)
        members = laid.pool_members(laid.root_pool) if laid else ()
        kind, count, others = chosen_topology(answers), len(answers.data), vdevs.support(answers)
        self._count = count
        self._pick("topology").offer(_topologies(answers), kind)
        for one in self.query(uses.Uses):
            one.show(answers)
        width = self.app.size.width - 5  # the body's padding, and a scroll bar
        art = topology.drawing(
            kind, count=count, pool=answers.pool, width=width, roles=answers.data, others=others
        )  # fmt: skip
        said = topology.facts(kind, count=count, member=members[0].size if members else None, others=others)
        self.query_one("#picture", Static).update(Content(topology.picture(art, said, width=width)))
        if laid:
            auto = chosen_ashift(laid, laid.recipe.pool[laid.root_pool].model_copy(update={"ashift": None}))
            self._pick("ashift").offer(_ashifts(f"{auto}, as the disks' sectors"), answers.ashift)
        self.query_one("#trim").display = answers.autotrim and not answers.discards
        changed = [name for name in OPTIONS if getattr(answers, name) != getattr(Answers(), name)]
        summary = (
            f"changed: {', '.join(changed)}" if changed else "as recommended: compression, sectors, ACLs and so on"
        )
        self.query_one("#summary", Static).update(Content(summary))
        if answers.datasets != self._listed:
            self._list(answers.datasets)

    def machine_changed(self, machine: Machine) -> None:
        self.redraw(self.collect())

    def on_resize(self, event: Resize) -> None:
        if self.is_mounted:
            self.redraw(self.collect())

    def on_press_pressed(self, event: Press.Pressed) -> None:
        match event.button.id:
            case "options":
                self._open(not self.query_one("#more").display)
            case "add":
                self._edit(len(self._listed))

    def on_row_chosen(self, event: datasets.Row.Chosen) -> None:
        if event.remove:
            self._put(event.place, None)
        else:
            self._edit(event.place)

    def _edit(self, place: int) -> None:
        before = self._listed[place] if place < len(self._listed) else None
        answers = self.collect()
        others = [other for other in self._listed if other is not before]

        def check(dataset: Dataset) -> Mapping[str, str]:
            found = dict(datasets.fault(dataset, others, taken=_taken(answers)))
            alone = {"name": Dataset(name=dataset.name, mount="none"), "mount": Dataset(name="x", mount=dataset.mount)}
            for name, one in alone.items():
                said = self._said_of(answers.model_copy(update={"datasets": (one,)}))
                if name not in found and said:
                    found[name] = said
            return found

        def done(edited: datasets.Edited | None) -> None:
            if edited:
                self._put(place, edited.dataset)

        self.app.push_screen(datasets.Edit(answers.pool, before, check=check), done)

    def _said_of(self, answers: Answers) -> str:
        found = composing.problems(composing.so_far(answers, ("pool", "datasets")))
        return next(iter(found.get("datasets", ())), "")

    def _put(self, place: int, dataset: Dataset | None) -> None:
        """Let the list have this dataset at a place, or none there."""
        new = (*self._listed[:place], *((dataset,) if dataset else ()), *self._listed[place + 1 :])
        self._pick("datasets").offer(_layouts(new), new)
        answers = self.collect()
        self._show_problems(answers, only=self.query_one("#field-datasets", Field))
        self.redraw(answers)
        self.call_after_refresh(self._focus_row, min(place, len(new) - 1))

    def _focus_row(self, place: int) -> None:
        rows = list(self.query(datasets.Row))
        (rows[place] if rows else self.query_one("#add")).focus()

    def _list(self, listed: tuple[Dataset, ...]) -> None:
        self._listed = listed
        box = self.query_one("#list")
        box.remove_children()
        box.mount(*(datasets.Row(dataset, place) for place, dataset in enumerate(listed)))

    def _open_for(self, problems: Mapping[str, str]) -> None:
        if set(OPTIONS) & problems.keys():
            self._open(True)

    def _open(self, wanted: bool) -> None:
        self.query_one("#more").display = wanted
        self.query_one("#options", Press).update(Content("[ Close options ]" if wanted else "[ Options ]"))
        self.query_one("#summary").display = not wanted

    def _laid(self, answers: Answers) -> Layout | None:
        return fitting.layout(answers, self.desk.machine) if self.desk.machine else None

    def _pick(self, name: str) -> Pick:
        return self.query_one(f"#field-{name} Pick", Pick)


def _topologies(answers: Answers) -> list[tuple[VdevKind, str]]:
    return [(kind, topology.WORDS[kind]) for kind in topologies(len(answers.data))]


def _taken(answers: Answers) -> Mapping[str, str]:
    volume = {"swap": "the swap volume"} if answers.swap is SwapKind.ZVOL else {}
    boot = "the root's own folder of kernels" if answers.kernels_on_esp else "the md array of /boot"
    return {"/": "the root file system", "/boot": boot} | volume


def _layouts(listed: tuple[Dataset, ...]) -> list[tuple[tuple[Dataset, ...], str]]:
    known = [(LAYOUTS[layout], said) for layout, said in LAYOUT_WORDS.items()]
    return known if listed in LAYOUTS.values() else [*known, (listed, "as edited below")]


def _ashifts(auto: str) -> list[tuple[int | None, str]]:
    return [(None, auto), *((number, f"{number}: blocks of {words.binary_size(2**number)}") for number in range(9, 17))]
