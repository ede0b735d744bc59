"""A system that is at every start as it was installed: what outlives that, and what the recipe says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from screens.answers import Answers, Dataset

FOLDER = "/persist"
"""Where lies what is kept and has no dataset of its own."""
KEPT = (
    # users, groups and passwords
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/gshadow",
    "/etc/subuid",
    "/etc/subgid",
    # the keys by which ssh clients know the machine, and its network
    "/etc/ssh/",
    "/etc/systemd/network/",
    # programs that were not installed by apt
    "/usr/local/",
    # services of users, timers, clock, log rotation, mail, cron jobs
    "/var/lib/systemd/linger/",
    "/var/lib/systemd/timers/",
    "/var/lib/systemd/timesync/",
    "/var/lib/logrotate/",
    "/var/mail/",
    "/var/spool/",
)
"""As debian-impermanent.toml has it: what changes at run time, and belongs to no package."""
APART = (
    Dataset(name="persist", mount=FOLDER),
    Dataset(name="persist/home", mount="/home"),
    Dataset(name="persist/root", mount="/root"),
    Dataset(name="persist/srv", mount="/srv"),
    Dataset(name="persist/log", mount="/var/log"),
)
"""What must not lie in the root file system then; a dataset that is there already is as good."""


def datasets(answers: Answers) -> Iterator[Dataset]:
    """Give the datasets that must be added to those of the pool screen."""
    mounts = {dataset.mount for dataset in answers.datasets}
    if answers.forgets:
        yield from (dataset for dataset in APART if dataset.mount not in mounts)


def persist(answers: Answers) -> dict[str, Any]:
    """Return the recipe's table of what is kept; what a dataset holds is kept anyway."""
    mounts = [one.mount for one in (*answers.datasets, *datasets(answers)) if one.mount.startswith("/")]
    return {"folder": FOLDER, "keep": [path for path in KEPT if not any(_within(path, mount) for mount in mounts)]}


def _within(path: str, mount: str) -> bool:
    return f"{path.rstrip('/')}/".startswith(f"{mount.rstrip('/')}/")
