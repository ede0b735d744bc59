"""Step: the name of the machine, its user, its place in the world."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from installer.recipe.secrets import Kind, Secret
from screens import compose as composing
from screens.answers import Answers, Encryption
from screens.desk import Desk
from screens.fields import Entry, Field, Lookup, Pick
from screens.passphrase import difference, secret
from screens.step import Step
from screens.threads import tell

LOCALES = ("en_US.UTF-8", "en_GB.UTF-8", "C.UTF-8", "de_DE.UTF-8", "es_ES.UTF-8", "fr_FR.UTF-8", "it_IT.UTF-8",
           "ja_JP.UTF-8", "nl_NL.UTF-8", "pl_PL.UTF-8", "pt_BR.UTF-8", "pt_PT.UTF-8", "ru_RU.UTF-8", "sv_SE.UTF-8",
           "zh_CN.UTF-8")  # fmt: skip
"""Offered where the C library's own list is not at hand."""
MISSING = {
    "hostname": "Type a name: letters, digits and hyphens.",
    "user": "Type a name: small letters, digits, _ and -.",
    "address": "Type the address with its prefix length: 192.0.2.10/24.",
}
FORGETS = "Without that command the next start takes it back."
KEPT = (
    "Kept: what has a dataset (/home, /root, /srv, /var/log, ...); users, passwords, ssh host keys, network, "
    "/usr/local, mail, cron jobs. Undone: all else, updates too, until sudo zroot-commit. GRUB's second entry starts "
    "with what changed."
)


class System(Step):
    """Host name, user, locale, timezone, network."""

    title_words = "System"
    number = 7
    general_help = (
        "The machine's name and its first user, who may use sudo; root itself is locked. "
        "Everything else has an answer already that can be changed later in the running system.\n\n"
        "A system that is at every start as it was installed goes back to the snapshot @blank of its root file system, "
        "before that is mounted. What must outlive this is on a list (/etc/zroot/persist) or on a dataset of its own. "
        "sudo zroot-commit takes the running system as the new state to go back to, kernel included. The root file "
        "system can have no snapshots beside; other datasets can. It is told in /usr/share/doc/zroot/impermanence.md."
    )
    CSS = """
    System #field-locale, System #field-static, System #field-forgets { margin-top: 1; }
    System #kept { height: auto; padding-left: 22; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("f2", "show", "Show or hide", key_display="F2")]

    def __init__(self, desk: Desk, answers: Answers) -> None:
        super().__init__(desk, answers)
        self._locales: Mapping[str, str] = {}
        """Those that the new system can have; none where that is not known (yet)."""
        self._interfaces: Sequence[str] = desk.client.interfaces()

    def body(self) -> ComposeResult:
        first = self.first
        yield Field("hostname", "Host name", Entry(first.hostname, longest=253), reason="system.hostname")
        yield Field("user", "User", Entry(first.user, longest=32), help="Has sudo. Root itself is locked.")
        yield from self._password()
        key = Entry(first.ssh_key, hint="none", longest=2000)
        yield Field("ssh_key", "ssh key", key, help="One line of a .pub file: with a key, the user can log in by ssh.")
        places = [(name, name) for name in LOCALES]
        locale = Lookup(places, first.locale, title="Language", free=True)
        yield Field("locale", "Language", locale, reason="system.locale")
        zones = [(name, name) for name in self.desk.client.timezones()]
        zone = Lookup(zones, first.timezone, title="Time zone", free=True)
        yield Field("timezone", "Time zone", zone, reason="system.timezone")
        yield from self._network()
        kinds = [(False, "the system as it was left"), (True, "the system as it was installed")]
        yield Field("forgets", "At every start", Pick(kinds, first.forgets), reason="persist.snapshot", help=FORGETS)
        yield Static(KEPT, id="kept", markup=False)

    def _password(self) -> Iterator[Field]:
        first = self.first
        text = first.user_password.reveal() if first.user_password else ""
        again = first.user_password_again.reveal() if first.user_password_again else text
        encrypted = first.encryption is not Encryption.NONE
        hint = "the passphrase of the disks" if encrypted else "" if first.ssh_key else "type one"
        said = "Left empty, the passphrase of the disks is the password too." if encrypted else "Of the user, for sudo."
        yield Field("user_password", "Password", Entry(text, secret=True, hint=hint), help=f"{said} F2 shows it.")
        said = "A mistake in the first one would lock the user out. F2 shows both."
        yield Field("again", "The same again", Entry(again, secret=True), help=said)

    def _network(self) -> Iterator[Field]:
        first = self.first
        kinds = Pick([(False, "DHCP on every wired interface"), (True, "a fixed address")], first.static)
        yield Field("static", "Network", kinds, reason="system.network.interface")
        known = f" This machine has {', '.join(self._interfaces)}." if self._interfaces else ""
        yield Field("interface", "Interface", Entry(first.interface), help=f"One, by its name, such as enp3s0.{known}")
        said = "With the prefix length after it, which stands for the netmask: 24 is 255.255.255.0."
        yield Field("address", "Address", Entry(first.address, hint="192.0.2.10/24"), help=said)
        said = "The router, in the same network. Empty: none."
        yield Field("gateway", "Gateway", Entry(first.gateway, hint="192.0.2.1"), help=said)
        said = "Addresses with spaces between. Empty: none, and names of machines are not found."
        yield Field("dns", "Name servers", Entry(first.dns, hint="192.0.2.1 192.0.2.2"), help=said)

    def on_mount(self) -> None:
        # Textual calls the handler of Step as well.
        self.read_locales()

    def collect(self) -> Answers:
        text, again = self._typed()
        given = {
            "user_password": secret(text, self.first.user_password),
            "user_password_again": Secret(again) if text and again != text else None,
        }
        return super().collect().model_copy(update=given)

    def problems(self, answers: Answers) -> Mapping[str, str]:
        found = dict(super().problems(answers))
        found |= {name: said for name, said in MISSING.items() if name in found and not getattr(answers, name)}
        if self._locales and answers.locale not in self._locales:
            found["locale"] = "The new system cannot have this language: choose one of the list."
        if "boot.loader" in found.get("forgets", ""):
            found["forgets"] = (
                "Only GRUB's menu has an entry for it. Choose GRUB in step 6, or the system as it was left."
            )
        text, again = self._typed()
        if text:
            said = {"user_password": composing.secret_problem(text, Kind.PASSWORD), "again": difference(text, again)}
            found |= {name: words for name, words in said.items() if words}
        elif answers.encryption is Encryption.NONE and not answers.ssh_key:
            found["user_password"] = "Without a passphrase of the disks, the user needs a password or an ssh key."  # noqa: S105 - words
        return found

    def redraw(self, answers: Answers) -> None:
        text, again = self._typed()
        self.query_one("#field-again").display = bool(text)
        if text and again:
            # What is only not finished is no mistake yet.
            self.query_one("#field-again", Field).say("" if text.startswith(again) else difference(text, again))
        self.query_one("#kept").display = answers.forgets
        for name in ("interface", "address", "gateway", "dns"):
            self.query_one(f"#field-{name}").display = answers.static
        if answers.static and self._interfaces and answers.interface == Answers().interface:
            # A fixed address is for one of them.
            self._entry("interface").value = self._interfaces[0]
        self.show_keys()

    def action_show(self) -> None:
        """Show or hide what is typed."""
        hidden = not self._entry("user-password").password
        for name in ("user-password", "again"):
            self._entry(name).password = hidden

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer F2 only where there is something to show."""
        if action == "show" and self.is_mounted:
            return bool(self._entry("user-password").value)
        return True

    @work(name="locales", thread=True)
    def read_locales(self) -> None:
        """Read the words of a few hundred locales."""
        tell(self, self._learn, self.desk.client.locales())

    def _learn(self, locales: Mapping[str, str]) -> None:
        if not self.is_attached or not locales:
            return
        self._locales = locales
        pick = self.query_one("#field-locale Lookup", Lookup)
        now = pick.answer()
        unknown = [] if now in locales else [(now, str(now))]
        pick.offer([*unknown, *((name, f"{name}  {words}".rstrip()) for name, words in locales.items())], now)

    def _typed(self) -> tuple[str, str]:
        return self._entry("user-password").value, self._entry("again").value

    def _entry(self, name: str) -> Entry:
        return self.query_one(f"#field-{name} Entry", Entry)
