"""Values that no plan can know: made once, journaled before use, passed on explicitly."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable, Mapping

from installer.plan.operation import Fact, FactKind

FACT = re.compile(r"@\{([A-Za-z0-9_.:/-]+)\}")
SECRET = re.compile(r"%\{([A-Za-z0-9_.:/-]+)\}")


def _hex(digits: int) -> str:
    """Return random hexadecimal digits, not all zero: a zero hostid means "none"."""
    return f"{secrets.randbelow(16**digits - 1) + 1:0{digits}x}"


MAKERS: Mapping[FactKind, Callable[[], str]] = {
    FactKind.UUID: lambda: str(uuid.uuid4()),
    FactKind.HOSTID: lambda: _hex(8),
    FactKind.FAT_SERIAL: lambda: _hex(8).upper(),
    FactKind.MACHINE_ID: lambda: uuid.uuid4().hex,
}


def make(fact: Fact) -> str:
    """Make up a value of the fact's kind."""
    return MAKERS[fact.kind]()


def with_facts(text: str, facts: Mapping[str, str]) -> str:
    """Replace every @{name}; raises KeyError for a name that the plan does not declare."""
    return FACT.sub(lambda match: facts[match[1]], text)


def with_secrets(text: str, reveal: Callable[[str], str]) -> str:
    """Replace every %{name} by the secret of that name."""
    return SECRET.sub(lambda match: reveal(match[1]), text)
