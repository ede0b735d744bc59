"""Step: whether a lost disk can be read, and the passphrase that opens it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from installer.errors import ZrootError
from installer.plan.opening import key_target
from installer.recipe import keymap
from installer.recipe.secrets import Kind, Secret
from screens import compose as composing
from screens.answers import Answers, Encryption
from screens.desk import Desk
from screens.fields import Entry, Field, Pick, Tick
from screens.passphrase import difference, fault, secret, strength
from screens.step import Step
from screens.threads import tell

CHOICES = (
    (Encryption.LUKS, "LUKS2, under the pool"),
    (Encryption.KEY_DEVICE, "LUKS2, opened by a key device"),
    (Encryption.INTEGRITY, "LUKS2 with integrity"),
    (Encryption.NATIVE, "ZFS's own, inside the pool"),
    (Encryption.NONE, "none"),
)
FACTS = ("Hides", "Shows", "Costs", "Suits")
SAID: Mapping[Encryption, tuple[str, str, str, str]] = {
    Encryption.LUKS: (
        "All of the pool: files, names, sizes and dates look like noise.",
        "That the disks are encrypted; /boot; with discard, what is unused.",
        "Each disk is encrypted by itself; a skilled forgery is not noticed.",
        "Lost and stolen disks. Older and better tried: 2004 against 2019.",
    ),
    Encryption.KEY_DEVICE: (
        "All of the pool. A small device on every disk holds its random key.",
        "That the disks are encrypted; /boot; with discard, what is unused.",
        "One thing more to lose: then only the recovery passphrase helps.",
        "One passphrase to change, one key to destroy, on however many disks.",
    ),
    Encryption.INTEGRITY: (
        "All of the pool. A sector changed without the key cannot be read.",
        "That the disks are encrypted; and /boot. Not what is unused.",
        "First all of each disk is written once; later each write goes twice.",
        "Disks that somebody could change and put back: ZFS then mends them.",
    ),
    Encryption.NATIVE: (
        "Contents, names and rights of files. A changed bit is noticed.",
        "Names, sizes and times of datasets and snapshots; and /boot.",
        "One encryption for all disks; but younger and less tried: 2019.",
        "Backups on machines that you do not trust: sent without the key.",
    ),
    Encryption.NONE: (
        "Nothing.",
        "Everything, to whoever gets a disk: a thief, a repair shop, a buyer.",
        "Nothing now. A disk that fails cannot be wiped before it goes back.",
        "Machines that start with nobody there and have nothing to hide.",
    ),
}
"""In the order of FACTS. Of what native encryption shows, zfs-load-key(8) has the list."""
HOME_ALONE = (
    "In /home: contents, names and rights of files. Nothing elsewhere.",
    "Hashes of passwords, logs, mail, /tmp; sizes and times of /home.",
    "A prompt when the machine has started; ssh keys in /home wait too.",
    "Machines that must start alone, and whose users' files can wait.",
)
"""The same, where /home is all that is encrypted."""
WAITS = ((60, "a minute"), (120, "two minutes"), (300, "five minutes"), (3600, "an hour"), (86400, "a day"))
KINDS: Mapping[Encryption, Kind] = {
    Encryption.LUKS: Kind.LUKS,
    Encryption.KEY_DEVICE: Kind.LUKS,
    Encryption.INTEGRITY: Kind.LUKS,
    Encryption.NATIVE: Kind.ZFS,
}
SECRETS: Mapping[str, str] = {
    "passphrase": "again",
    "recovery": "recovery_again",
    "home_passphrase": "home_passphrase_again",
}
"""What is typed twice, and the field of the second time."""
STRENGTHS: Mapping[str, str] = {"passphrase": "#strength", "home_passphrase": "#home-strength"}
"""Where it is said what they are made of."""

HELP_LOSS = "Lost, it cannot be replaced, and neither can the data."
HELP_AGAIN = "A mistake in the first one would lock you out. F2 shows both."
HELP_RECOVERY = "Asked for only when the key device is lost. Write it down, and keep it away from the machine."
HELP_HOME = (
    "By ZFS, whatever the rest is. Asked for when the system has started; /home, with what lies in it, is closed until "
    "then, for ssh keys too."
)
HELP_WAIT = "Then the machine goes on without. Later: sudo systemctl start"
HELP_SERVICES = "Services that need /home: they start once it is open. Spaces between: smbd.service nmbd.service"
HELP_ENCRYPTION = "Compression works with each: ZFS compresses before anything is encrypted."


def _entries(typed: Secret | None, again: Secret | None) -> tuple[Entry, Entry]:
    """Return the fields for a secret and for the same again."""
    text = typed.reveal() if typed else ""
    return Entry(text, secret=True), Entry(again.reveal() if again else text, secret=True)


def _shown(answers: Answers) -> tuple[str, ...]:
    """Name what is typed for these answers."""
    asked = {
        "passphrase": answers.encryption is not Encryption.NONE,
        "recovery": answers.encryption is Encryption.KEY_DEVICE,
        "home_passphrase": answers.home,
    }
    return tuple(name for name in SECRETS if asked[name])


def _kind(name: str, answers: Answers) -> Kind:
    return Kind.ZFS if name == "home_passphrase" else KINDS[answers.encryption]


class Encrypt(Step):
    """None, LUKS2, LUKS2 by a key device, or native encryption; each passphrase twice."""

    title_words = "Encryption"
    number = 4
    general_help = (
        "Encryption protects the data of a machine that is switched off: a disk that is stolen, returned or sold. It "
        "does not protect a running machine. /boot (kernel, initramfs, GRUB's menu) is in the clear all the same.\n\n"
        "LUKS2 lies under the pool: without the passphrase a disk is noise with a header. ZFS's own encryption lies "
        "inside the pool: who has the disks sees datasets, snapshots, when they were made and how they grow, can check "
        "the pool (scrub), and a backup can be sent as it is (zfs send -w) to a machine that never has the key.\n\n"
        "/home can have a key of its own besides, or alone: the machine then starts without anybody, and asks for the "
        "passphrase of /home afterwards. What is not in /home is as open or closed as the rest."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "show", "Show or hide", key_display="F2"),
    ]
    CSS = """
    Encrypt .fact { height: auto; }
    Encrypt .fact .name { width: 8; text-style: bold; }
    Encrypt .fact .said { width: 1fr; height: auto; }
    Encrypt #field-encryption { margin-bottom: 1; }
    Encrypt #field-passphrase, Encrypt #field-recovery, Encrypt #field-discard { margin-top: 1; }
    Encrypt #field-home.-apart { margin-top: 1; }
    Encrypt #field-discard.-close { margin-top: 0; }
    Encrypt #strength, Encrypt #home-strength { padding-left: 22; height: auto; }
    Encrypt #keyboard { height: auto; margin-top: 1; }
    """

    def __init__(self, desk: Desk, answers: Answers) -> None:
        super().__init__(desk, answers)
        self._reading = True
        """Whether the keymap is still being compiled."""
        self._known: frozenset[str] | None = None
        self._no_keymap = ""
        self._on_console: bool | None = desk.client.on_console()
        """Whether this is the machine's own keyboard with the layout at boot; none if it did not take the layout."""
        self._wants_next = False

    def body(self) -> ComposeResult:
        first = self.first
        yield Field("encryption", "Encryption", Pick(CHOICES, first.encryption), help=HELP_ENCRYPTION)
        for number, name in enumerate(FACTS):
            with Horizontal(classes="fact"):
                yield Static(name, classes="name", markup=False)
                yield Static("", id=f"fact-{number}", classes="said", markup=False)
        entry, again = _entries(first.passphrase, first.passphrase_again)
        yield Field("passphrase", "Passphrase", entry, reason="crypt.*.unlock", help=HELP_LOSS)
        yield Field("again", "The same again", again, help=HELP_AGAIN)
        yield Static("", id="strength", markup=False)
        entry, again = _entries(first.recovery, first.recovery_again)
        yield Field("recovery", "Recovery passphrase", entry, help=HELP_RECOVERY)
        yield Field("recovery_again", "The same again", again, help=HELP_AGAIN)
        tick = Tick("on: faster SSDs; a thief sees how full they are", first.discard)
        yield Field("discard", "Discard", tick, reason="crypt.*.discard", help="Of no use on disks that turn.")
        yield from self._home()
        yield Static("", id="keyboard", markup=False)

    def _home(self) -> ComposeResult:
        first = self.first
        tick = Tick("encrypted by itself, with a passphrase of its own", first.home)
        yield Field("home", "/home", tick, help=HELP_HOME)
        entry, again = _entries(first.home_passphrase, first.home_passphrase_again)
        yield Field("home_passphrase", "Passphrase of /home", entry, help=HELP_LOSS)
        yield Field("home_passphrase_again", "The same again", again, help=HELP_AGAIN)
        yield Static("", id="home-strength", markup=False)
        name = next((one.name for one in first.datasets if one.mount == "/home"), "home")
        later = f"{HELP_WAIT} {key_target(f'{first.pool}/{name}')}"
        yield Field("home_wait", "It is asked for", Pick(WAITS, first.home_wait), help=later)
        entry = Entry(first.home_services, hint="none")
        yield Field("home_services", "What waits for it", entry, help=HELP_SERVICES)

    def on_mount(self) -> None:
        # Textual calls the handler of Step as well.
        self.read_keymap()

    def collect(self) -> Answers:
        given = {}
        for name in SECRETS:
            text, again = self._typed(name)
            given[name] = secret(text, getattr(self.first, name))
            given[f"{name}_again"] = Secret(again) if again != text else None
        return super().collect().model_copy(update=given)

    def problems(self, answers: Answers) -> Mapping[str, str]:
        found = dict(super().problems(answers))
        wrong = {"home": next(iter(composing.problems(composing.so_far(answers, ())).get("swap", ())), "")}
        for name in _shown(answers):
            text, again = self._typed(name)
            wrong[name] = fault(text, _kind(name, answers)) or self._untypeable(text)
            wrong[SECRETS[name]] = difference(text, again)
        if "recovery" in wrong and self._typed("recovery")[0] == self._typed()[0]:
            wrong["recovery"] = (
                wrong["recovery"] or "It must not be the passphrase itself: it is for when that one does not help."
            )
        return found | {name: said for name, said in wrong.items() if said}

    def redraw(self, answers: Answers) -> None:
        for number, said in enumerate(
            HOME_ALONE if answers.home and answers.encryption is Encryption.NONE else SAID[answers.encryption]
        ):
            self.query_one(f"#fact-{number}", Static).update(Content(said))
        shown = _shown(answers)
        for name, second in SECRETS.items():
            self._field(name).display = self._field(second).display = name in shown
        for name in ("home_wait", "home_services"):
            self._field(name).display = answers.home
        for name, place in STRENGTHS.items():
            text, _ = self._typed(name)
            self.query_one(place).display = name in shown and not fault(text, Kind.LUKS)
            self.query_one(place, Static).update(Content(strength(text)))
        self.query_one("#keyboard").display = bool(shown)
        discards = answers.encryption.luks and answers.encryption is not Encryption.INTEGRITY
        self.query_one("#field-discard").display = discards
        self.query_one("#field-home").set_class(not discards, "-apart")
        # Everything is to fit a screen of 24 lines.
        self.query_one("#field-discard").set_class("recovery" in shown, "-close")
        self.query_one("#keyboard", Static).update(Content(self._about_keyboard(shown)))
        for name in shown:
            text, again = self._typed(name)
            if again:
                # What is only not finished is no mistake yet.
                said = "" if text.startswith(again) else difference(text, again)
                self._field(SECRETS[name]).say(said)
        self._wants_next = False
        self.show_keys()

    def action_next(self) -> None:
        answers = self.collect()
        shown = _shown(answers)
        if self._reading and shown and not self.problems(answers):
            self._wants_next = True
            self._field(shown[0]).say("Its keyboard layout is still being read; a moment.")
        else:
            super().action_next()

    def action_show(self) -> None:
        """Show or hide what is typed."""
        hidden = not self._entry("passphrase").password
        for name in (*SECRETS, *SECRETS.values()):
            self._entry(name).password = hidden

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer F2 only where there is something to show."""
        if action == "show" and self.is_mounted:
            return any(self._field(name).display for name in SECRETS)
        return True

    @work(name="keymap", thread=True)
    def read_keymap(self) -> None:
        """Compile the keymap of the prompt at boot, which takes seconds; a real console is given it."""
        client, name = self.desk.client, self.first.keymap
        known, wrong = None, ""
        own: bool | None = False
        try:
            known = client.typeable(name)
        except ZrootError as error:
            wrong = error.title.partition(": ")[2] or error.title
        try:
            own = client.use_keymap(name)
        except ZrootError:
            own = None
        tell(self, self._learn, known, wrong, own)

    def _learn(self, known: frozenset[str] | None, wrong: str, own: bool | None) -> None:
        self._known, self._no_keymap, self._reading = known, wrong[:1].upper() + wrong[1:], False
        self._on_console = own
        if not self.is_attached:
            return
        answers, wants_next = self.collect(), self._wants_next
        for name in _shown(answers):
            if self._typed(name)[0]:
                self._show_problems(answers, only=self._field(name))
        self.redraw(answers)
        if wants_next:
            self.action_next()

    def _typed(self, name: str = "passphrase") -> tuple[str, str]:
        return self._entry(name).value, self._entry(SECRETS[name]).value

    def _field(self, name: str) -> Field:
        return self.query_one(f"#field-{name.replace('_', '-')}", Field)

    def _entry(self, name: str) -> Entry:
        return self._field(name).query_one(Entry)

    def _untypeable(self, text: str) -> str:
        if self._no_keymap:
            return f"{self._no_keymap} Go back to Welcome and choose another one."
        places = keymap.untypeable(text, self._known) if self._known is not None else ""
        if not places:
            return ""
        return f'The layout "{self.first.keymap}" has no key for {places}: at boot it could not be typed.'

    def _about_keyboard(self, shown: Collection[str]) -> str:
        text, layout = "".join(self._typed(name)[0] for name in shown), f'"{self.first.keymap}"'
        if self._reading:
            checked = "is being read"
        elif self._known is None:
            checked = "is not known" if self._no_keymap else "could not be checked (no compiler here)"
        elif self._untypeable(text):
            checked = "lacks some of these characters"
        else:
            checked = "has a key for every character" if text else "is that of the prompt"
        if self._on_console and self._reading:
            return f"This console is being given the layout of the prompt at boot, {layout}: wait before you type."
        if self._on_console:
            return (
                "This is the machine's own keyboard, with the layout of the prompt at boot: typing it twice here "
                f"is the test. The layout {layout} {checked}."
            )
        why = "Not the machine's own console (ssh, serial line)"
        if self._on_console is None:
            why = "This console did not take the layout"
        return f"{why}: typing here proves nothing about the keyboard at boot. Its layout {layout} {checked}."
