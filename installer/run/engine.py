"""The engine as a process of its own: `python -m installer.run.engine`, started by reader.py.

Secrets come in on standard input (TOML), events go out to the file, answers come in over the socket. However it ends,
the last event says so; only where another engine is at work does that stand in the log alone.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

from installer.errors import Refusal, ZrootError
from installer.masking import SECRETS
from installer.recipe.load import read_text
from installer.recipe.secrets import read_secrets
from installer.run import apply as applying
from installer.run.apply import EVENTS, Outcome, mistake
from installer.run.events import Ended, Event, EventLog
from installer.run.lock import locked
from installer.run.rehearse import rehearse


def main(arguments: list[str] | None = None) -> int:
    """Carry a recipe out with somebody attending; return the exit status."""
    options = _parser().parse_args(arguments)
    ended: list[Event] = []
    try:
        outcome = _carried_out(options, lambda event: ended.append(event) if isinstance(event, Ended) else None)
    except ZrootError as error:
        outcome = Outcome(status="refused", exit=error.exit, words=SECRETS.mask(str(error)))
    except Exception as error:  # a mistake of ours: whoever waits for the last event must get one
        outcome = mistake(error)
    if not ended:
        print(outcome.words)
        _say_last(outcome, options.run or applying.RUN)
    return outcome.exit


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zroot-engine")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--erase", action="append", default=[])
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--reviewed", default="", help="digest of the plan that was agreed to")
    parser.add_argument("--machine", type=Path, help="a recorded machine: check everything, and refuse")
    parser.add_argument("--run", type=Path, help="folder of the events, with --machine only")
    return parser


def _carried_out(options: argparse.Namespace, show: Callable[[Event], None]) -> Outcome:
    text, secrets = read_text(options.recipe), read_secrets(sys.stdin.fileno())
    if (options.machine is None) != (options.run is None):
        raise Refusal("--machine and --run go together.")
    if options.machine:
        with locked(options.run):
            log = EventLog(options.run / EVENTS, fresh=True, echo=show)
            last = rehearse(
                text,
                source=str(options.recipe),
                machine=options.machine,
                log=log,
                secrets=secrets,
                erase=options.erase,
                reviewed=options.reviewed,
            )
            return Outcome(status=last.status, exit=last.exit, words=last.words)
    return applying.apply(
        text,
        source=str(options.recipe),
        secrets=secrets,
        erase=options.erase,
        events=None,
        resume=options.resume,
        show=show,
        attended=True,
        reviewed=options.reviewed,
    )


def _say_last(outcome: Outcome, folder: Path) -> None:
    """Make the end known to whoever follows the events, unless they are another engine's."""
    with contextlib.suppress(ZrootError, OSError), locked(folder):
        log = EventLog(folder / EVENTS)
        log.emit(Ended(status=outcome.status, exit=outcome.exit, words=outcome.words))
        log.close()


if __name__ == "__main__":
    raise SystemExit(main())
