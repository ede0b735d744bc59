"""Step: the name of the machine, its user, its place in the world."""

from __future__ import annotations

from collections.abc import Mapping

from textual.app import ComposeResult

from installer.recipe.secrets import Kind, Secret
from screens import compose as composing
from screens.answers import Answers, Encryption
from screens.fields import Entry, Field, Lookup, Pick
from screens.step import Step

LOCALES = ("en_US.UTF-8", "en_GB.UTF-8", "C.UTF-8", "de_DE.UTF-8", "es_ES.UTF-8", "fr_FR.UTF-8", "it_IT.UTF-8",
           "ja_JP.UTF-8", "nl_NL.UTF-8", "pl_PL.UTF-8", "pt_BR.UTF-8", "pt_PT.UTF-8", "ru_RU.UTF-8", "sv_SE.UTF-8",
           "zh_CN.UTF-8")  # fmt: skip
NETWORK = ("address", "gateway", "dns")


class System(Step):
    """Host name, user, locale, timezone, network."""

    title_words = "System"
    number = 7
    general_help = (
        "The machine's name and its first user, who may use sudo; root itself is locked. "
        "Everything else has an answer already that can be changed later in the running system."
    )

    def body(self) -> ComposeResult:
        yield Field("hostname", "Host name", Entry(self.first.hostname, longest=253), reason="system.hostname")
        yield Field("user", "User", Entry(self.first.user, longest=32), help="Has sudo. Root itself is locked.")
        given = self.first.user_password
        same = "the passphrase of the disks" if self.first.encryption is not Encryption.NONE else "type one"
        yield Field(
            "user_password",
            "Password",
            Entry(given.reveal() if given else "", secret=True, hint=same),
            help="Left empty, the passphrase of the disks is the password too.",
        )
        yield Field(
            "ssh_key",
            "ssh key",
            Entry(self.first.ssh_key, hint="none", longest=2000),
            help="One line of a .pub file; with a key the user can log in by ssh.",
        )
        yield Field(
            "locale",
            "Language",
            Lookup([(name, name) for name in LOCALES], self.first.locale, title="Language", free=True),
            reason="system.locale",
        )
        yield Field(
            "timezone",
            "Time zone",
            Lookup([(name, name) for name in self.zones()], self.first.timezone, title="Time zone", free=True),
            reason="system.timezone",
        )
        yield Field(
            "static",
            "Network",
            Pick([(False, "DHCP on every wired interface"), (True, "a fixed address")], self.first.static),
            reason="system.network.interface",
        )
        yield Field("interface", "Interface", Entry(self.first.interface), help="A name, or patterns: en* eth*.")
        yield Field("address", "Address", Entry(self.first.address, hint="192.0.2.10/24"))
        yield Field("gateway", "Gateway", Entry(self.first.gateway, hint="192.0.2.1"))
        yield Field("dns", "Name servers", Entry(self.first.dns, hint="192.0.2.1 192.0.2.2"))

    def zones(self) -> list[str]:
        """Return the names of the time zones."""
        return self.desk.client.timezones()

    def collect(self) -> Answers:
        answers = super().collect()
        typed = answers.user_password
        secret = Secret(typed) if isinstance(typed, str) and typed else None
        return answers.model_copy(update={"user_password": secret})

    def problems(self, answers: Answers) -> Mapping[str, str]:
        found = dict(super().problems(answers))
        if answers.user_password:
            if said := composing.secret_problem(answers.user_password.reveal(), Kind.PASSWORD):
                found["user_password"] = said
        elif answers.encryption is Encryption.NONE and not answers.ssh_key:
            found["user_password"] = "Without a passphrase of the disks, the user needs a password or an ssh key."  # noqa: S105 - words
        return found

    def redraw(self, answers: Answers) -> None:
        for name in ("interface", *NETWORK):
            self.query_one(f"#field-{name}").display = answers.static
