"""The `zroot` command: arguments and wording. What it does stands elsewhere and is imported when it is wanted."""

# ruff: noqa: PLC0415 - imported where it is used, so that `zroot schema` does not wait for the engine

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from installer.errors import Exit, Failure, Refusal, Refusals, Stopped, ZrootError

if TYPE_CHECKING:
    from installer.machine.model import Machine
    from installer.recipe.model import Recipe
    from installer.recipe.secrets import Kind, Secret

STATE = Path("/run/zroot")
JOURNAL = STATE / "state" / "journal.jsonl"
TRIES = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; no exception leaves it."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        status = command(arguments)
        sys.stdout.flush()
    except ZrootError as error:
        return _show(error)
    except (KeyboardInterrupt, EOFError):
        return _show(Stopped("Stopped."))
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain once more while it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except Exception as error:
        return _apologise(error, writing=command is _apply and JOURNAL.exists())
    return status


def _show(error: ZrootError) -> int:
    print(error, file=sys.stderr)
    return error.exit


def _apologise(error: Exception, *, writing: bool) -> int:
    """Save the traceback of a mistake of ours for a report, and say whether disks may have been written to."""
    import tempfile
    import traceback

    from installer.masking import SECRETS

    text = SECRETS.mask("".join(traceback.format_exception(error)))
    folder = STATE if os.access(STATE, os.W_OK) else None
    try:
        # mkstemp makes files of mode 0600.
        descriptor, path = tempfile.mkstemp(prefix="report-", suffix=".txt", dir=folder)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        where = f"The report is in {path}: please send it with the recipe."
    except OSError:
        where = "No report could be saved."
    if writing:
        message = "The installation had begun: the disks hold neither the old content nor a system that starts."
        return _show(Failure("Sorry, zroot made a mistake.", message=message, hint=where))
    return _show(Refusal("Sorry, zroot made a mistake; nothing was written to any disk.", hint=where))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zroot",
        description="Installs Linux with its root on ZFS. Without a command: the guided install.",
        epilog="Exit status: 0 done; 2 refused, nothing was written; 3 failed after writing began; 130 stopped.",
        allow_abbrev=False,
    )
    parser.set_defaults(command=_guided)
    commands = parser.add_subparsers(metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words, description=words, allow_abbrev=False)
        added.set_defaults(command=command)
        return added

    disks = add("disks", _disks, "list every disk, whether it may be used, and the reason if not")
    disks.add_argument("--json", action="store_true", help="for programs")
    check = add("check", _check, "is a recipe valid, and which disks would it take?")
    plan = add("plan", _plan, "show everything that a recipe would do; nothing is written")
    plan.add_argument("--format", choices=["text", "json", "sh"], default="text", help="sh is a script to run by hand")
    apply = add("apply", _apply, "carry a recipe out")
    for parser_with_machine in (disks, check, plan):
        parser_with_machine.add_argument("--machine", type=Path, metavar="FILE", help="a machine saved by zroot record")
    for parser_with_recipe in (check, plan, apply):
        parser_with_recipe.add_argument("recipe", type=Path, metavar="RECIPE")
        parser_with_recipe.add_argument(
            "--disk", action="append", default=[], metavar="ROLE=SERIAL", help="bind a role of the recipe to a disk"
        )
    _add_apply_options(apply)
    drill = add("drill", _drill, "damage a file of its own on one member of a redundant pool, and see ZFS repair it")
    drill.add_argument("pool", metavar="POOL")
    drill.add_argument("--yes-damage", metavar="POOL", help="agree without being asked, by naming the pool again")
    add("record", _record, "print this machine as a file, for --machine and for bug reports; no secrets")
    add("schema", _schema, "print the JSON Schema of recipes")
    add("version", _version, "print the version")
    return parser


def _add_apply_options(apply: argparse.ArgumentParser) -> None:
    apply.add_argument(
        "--erase", action="append", default=[], metavar="SERIAL", help="agree that this disk is erased; one for each"
    )
    source = apply.add_mutually_exclusive_group()
    source.add_argument("--secrets", type=Path, metavar="FILE", help="TOML, name = 'value', mode 0600")
    source.add_argument("--secrets-fd", type=int, metavar="N", help="the same from an open file descriptor")
    apply.add_argument("--events", type=Path, metavar="FILE", help="append what happens, as JSON lines")
    apply.add_argument("--resume", action="store_true", help="go on with an installation that was interrupted")


# What is asked for


def _recipe_text(arguments: argparse.Namespace) -> str:
    """Read the recipe and bind its roles to the disks named on the command line."""
    from installer.recipe.load import read_text
    from installer.recipe.write import rebind

    serials: dict[str, str] = {}
    for binding in arguments.disk:
        role, equals, serial = binding.partition("=")
        if not (role and equals and serial):
            raise Refusal(f"--disk {binding} says no role and serial.", hint="Write --disk a=S4EWNX0R123456.")
        if role in serials:
            raise Refusal(f"--disk names the role {role} twice.", hint="Name one disk for each role.")
        serials[role] = serial
    return rebind(read_text(arguments.recipe), serials, source=str(arguments.recipe))


def _recipe(arguments: argparse.Namespace) -> Recipe:
    from installer.recipe.load import parse

    return parse(_recipe_text(arguments), source=str(arguments.recipe))


def _machine(arguments: argparse.Namespace) -> Machine:
    from installer.machine import probe, read, recording

    return read.read(recording.load(arguments.machine)) if arguments.machine else probe.probe()


def _secrets(arguments: argparse.Namespace, recipe: Recipe) -> Mapping[str, Secret]:
    """Take the secrets from where the command line says, and ask for the rest if somebody sits at the terminal."""
    from installer.recipe.secrets import credential, load_secrets, needed, read_secrets

    found: dict[str, Secret] = {}
    if arguments.secrets is not None:
        found = load_secrets(arguments.secrets)
    elif arguments.secrets_fd is not None:
        found = read_secrets(arguments.secrets_fd)
    elif path := credential():
        found = load_secrets(path)
    missing = [need for need in needed(recipe) if need.name not in found]
    if missing and sys.stdin.isatty() and not recipe.unattended:
        if not arguments.resume:
            _refuse_early(recipe, arguments.erase)
        for need in missing:
            found[need.name] = _ask_twice(f"{need.name} ({need.purpose})", need.kind)
    return found


def _refuse_early(recipe: Recipe, erase: Sequence[str]) -> None:
    """Refuse what `apply` would refuse anyway before somebody has typed passphrases in vain."""
    from installer.machine.obstacles import obstacles
    from installer.machine.probe import probe
    from installer.plan.build import make_plan
    from installer.run.before import require_consent

    machine = probe()
    if problems := obstacles(machine):
        raise Refusals(problems)
    require_consent(recipe, make_plan(recipe, machine), erase)


def _ask_twice(words: str, kind: Kind) -> Secret:
    from getpass import getpass

    from installer.recipe.secrets import Secret, unfit

    for _ in range(TRIES):
        secret = Secret(getpass(f"{words}: "))
        if fault := unfit(secret, kind):
            print(f"It {fault[0]}. {fault[1]}", file=sys.stderr)
        elif getpass("The same again: ") != secret.reveal():
            print("The two differ.", file=sys.stderr)
        else:
            return secret
    raise Refusal(f"No value was given for {words}.")


# The commands


def _guided(arguments: argparse.Namespace) -> int:
    from importlib.util import find_spec

    if find_spec("screens.__main__"):
        # -P: a folder called screens where the user happens to stand must not be run as root.
        os.execv(sys.executable, [sys.executable, "-P", "-m", "screens"])  # noqa: S606
    from installer.machine.greeting import greeting, last_run
    from installer.machine.probe import probe

    print(greeting(probe(), last_run=last_run()), end="")
    return Exit.DONE


def _disks(arguments: argparse.Namespace) -> int:
    from installer.machine.offer import offers
    from installer.machine.words import contents, describe

    found = offers(_machine(arguments))
    if arguments.json:
        import json

        print(json.dumps([offer.model_dump(mode="json") | {"usable": offer.usable} for offer in found], indent=1))
        return Exit.DONE
    for offer in found:
        print(f"{offer.disk.path}: {describe(offer.disk)}")
        print(f"    {'may be used' if offer.usable else 'may not be used'}; holds: {contents(offer.disk)}")
        for reason in offer.reasons:
            print(f"    {reason}")
    if not found:
        print("There are no disks.")
    return Exit.DONE


def _check(arguments: argparse.Namespace) -> int:
    from installer.plan.build import make_plan
    from installer.recipe.rules import require
    from installer.recipe.secrets import needed

    recipe = _recipe(arguments)
    # Before the machine is asked: a mistake in the recipe is one on every machine.
    require(recipe)
    plan = make_plan(recipe, _machine(arguments))
    print(f"The recipe is valid: {recipe.title}")
    for disk in plan.disks:
        print(f"Disk {disk.role} would be erased: {disk.description}")
        print(f"    holds: {disk.before}")
    for note in plan.notes:
        print(f"Note: {note}")
    for need in needed(recipe):
        print(f"Secret {need.name}: {need.purpose}")
    return Exit.DONE


def _plan(arguments: argparse.Namespace) -> int:
    from installer.plan import render
    from installer.plan.build import make_plan

    write = {"text": render.as_text, "json": render.as_json, "sh": render.as_sh}[arguments.format]
    print(write(make_plan(_recipe(arguments), _machine(arguments))), end="")
    return Exit.DONE


def _apply(arguments: argparse.Namespace) -> int:
    from installer.recipe.load import parse
    from installer.recipe.rules import require
    from installer.run.apply import apply
    from installer.terminal import Terminal

    text = _recipe_text(arguments)
    recipe = parse(text, source=str(arguments.recipe))
    require(recipe)
    outcome = apply(
        text,
        source=str(arguments.recipe),
        secrets=_secrets(arguments, recipe),
        erase=arguments.erase,
        events=arguments.events,
        resume=arguments.resume,
        show=Terminal(sys.stdout).show,
    )
    if outcome.exit != Exit.DONE:
        print(outcome.words, file=sys.stderr)
    return outcome.exit


def _drill(arguments: argparse.Namespace) -> int:
    from installer.run.drill import drill, target

    found = target(arguments.pool)
    print(found.words)
    agreed = arguments.yes_damage
    if agreed is None and sys.stdin.isatty():
        agreed = input(f"Type the pool's name to agree ({arguments.pool}): ")
    if agreed != arguments.pool:
        hint = f"Without a terminal: zroot drill {arguments.pool} --yes-damage {arguments.pool}"
        raise Refusal(f"Nobody agreed that {arguments.pool} may be damaged; nothing was done.", hint=hint)
    report = drill(found, say=lambda words: print(words, flush=True))
    print(f"zpool: {report.scan}")
    print(f"ZFS counted {report.errors} checksum errors on {report.member}; they are cleared.")
    print(f"{report.repaired} of {report.damaged} bytes are whole again. The file is removed; the pool is healthy.")
    return Exit.DONE


def _record(arguments: argparse.Namespace) -> int:
    from installer.machine import probe, recording

    print(recording.dump(probe.record()), end="")
    return Exit.DONE


def _schema(arguments: argparse.Namespace) -> int:
    from installer.recipe.schema import as_text

    print(as_text(), end="")
    return Exit.DONE


def _version(arguments: argparse.Namespace) -> int:
    from installer import __version__

    print(f"zroot {__version__}")
    return Exit.DONE


if __name__ == "__main__":
    sys.exit(main())
