"""Whether what the system comes from is there: looked at before the first write, for afterwards it is too late."""

from __future__ import annotations

import datetime
import email.utils
from collections.abc import Callable
from pathlib import Path

from installer.errors import Refusal, Refusals, ZrootError
from installer.plan.operation import Plan, Source
from installer.plan.sources import VOLUME
from installer.process import ProgramError, run
from installer.recipe.stack import tarball_address, tarball_on_volume
from installer.run.durable import in_plan, mounted

POINT = Path("/run/zroot/source")
HEAD = (
    *("curl", "--head", "--location", "--silent", "--show-error", "--fail"),
    *("--connect-timeout", "10", "--max-time", "60", "--header", "Cache-Control: no-cache"),
)
AGAIN = ("--retry", "8", "--retry-delay", "5", "--retry-all-errors")
"""The live system may still wait for its address when it begins."""
SLOW = 3600
"""Seconds to read a tarball, under emulation from a slow stick."""
ASTRAY = datetime.timedelta(minutes=30)
"""What a clock may be off: less than the hour by which one is that keeps local time."""


def require(plan: Plan, *, notice: Callable[[str], None]) -> None:
    """Refuse a plan whose system cannot come from where it says; raises Refusals."""
    problems = [problem for source in plan.sources if (problem := _problem(source, plan, notice))]
    if problems:
        raise Refusals(tuple(problems))


def _problem(source: Source, plan: Plan, notice: Callable[[str], None]) -> Refusal | None:
    try:
        if tarball_address(source.place):
            notice(f"Asking for {source.place}.")
            reach(source.place)
        elif tarball_on_volume(source.place):
            if in_plan(VOLUME, plan):
                raise Refusal(
                    "The volume with the tarball lies on a disk that would be erased.", hint="Put it on another disk."
                )
            with mounted(VOLUME, POINT, writable=False):
                check_file(POINT / source.place, source.sha256, notice=notice)
        else:
            check_file(Path(source.place), source.sha256, notice=notice)
    except Refusal as refusal:
        return refusal
    except ZrootError as error:
        return Refusal(
            f"{source.place} cannot be read.",
            message=str(error),
            hint="Without a folder it is looked for on the volume labelled ZROOT: attach that, or name the folder.",
        )
    return None


def check_file(path: Path, sha256: str, *, notice: Callable[[str], None]) -> None:
    """Refuse a tarball that is not there or is another one; raises Refusal."""
    if not path.is_file():
        raise Refusal(f"The tarball is not there: {path.name}.", message=f"Looked for {path}.", hint="Bring it there.")
    if not sha256:
        return
    notice(f"Checking the sum of {path.name}.")
    found = run(("sha256sum", str(path)), timeout=SLOW).out.split()[0].lstrip("\\")
    if found != sha256:
        raise Refusal(
            f"The tarball {path.name} is not the one that the recipe means.",
            message=f"Its SHA-256 sum is {found}, and not {sha256}.",
            hint="Copy it again; or, if it was made anew, write its sum into system.sha256.",
        )


def reach(address: str) -> None:
    """Refuse an address that does not answer, and a clock by which nothing from there is valid; raises Refusal."""
    try:
        answer = run((*HEAD, *AGAIN, address), timeout=900).out
    except ProgramError as error:
        if astray := _astray_by(address):
            raise astray from None
        raise Refusal(
            f"{address} does not answer.",
            message=error.completed.err.strip(),
            hint='Look at the cable and `networkctl status`, and at the address; source = "live" needs no network.',
        ) from None
    if astray := clock_problem(answer, now=datetime.datetime.now(datetime.UTC)):
        raise astray


def _astray_by(address: str) -> Refusal | None:
    """Ask once more without looking at the certificate, which a wrong clock makes invalid, for the time alone."""
    try:
        answer = run((*HEAD, "--insecure", address), timeout=120).out
    except ProgramError:
        return None
    return clock_problem(answer, now=datetime.datetime.now(datetime.UTC))


def clock_problem(answer: str, *, now: datetime.datetime) -> Refusal | None:
    """Compare the clock with the time that a server's headers say; what a cache kept is older by what `age` says."""
    told: dict[str, str] = {}
    for line in answer.splitlines():
        name, _, value = line.partition(":")
        told[name.strip().lower()] = value.strip()
    try:
        theirs = email.utils.parsedate_to_datetime(told.get("date", ""))
    except ValueError:
        return None
    age = told.get("age", "0")
    theirs += datetime.timedelta(seconds=int(age) if age.isdecimal() else 0)
    if abs(now - theirs) <= ASTRAY:
        return None
    return Refusal(
        f"The clock of this machine is wrong: it says {now:%Y-%m-%d %H:%M} UTC.",
        message=f"By the server's it is {theirs:%Y-%m-%d %H:%M} UTC. Package lists and certificates would be refused"
        " as expired or not valid yet.",
        hint=f'Set it, then start again: date --utc --set="{theirs:%Y-%m-%d %H:%M:%S}" && hwclock --systohc --utc',
    )
