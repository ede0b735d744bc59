"""The engine as a process of its own: `python -m installer.run.engine`, started by client.py.

Secrets come in on standard input (TOML), events go out to the file, answers come in over the socket.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from installer.errors import Exit, ZrootError
from installer.recipe.load import read_text
from installer.recipe.secrets import read_secrets
from installer.run.apply import apply


def main(arguments: list[str] | None = None) -> int:
    """Carry a recipe out with somebody attending; return the exit status."""
    parser = argparse.ArgumentParser(prog="zroot-engine")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--erase", action="append", default=[])
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args(arguments)
    try:
        text, secrets = read_text(options.recipe), read_secrets(sys.stdin.fileno())
    except ZrootError as error:
        print(error)
        return Exit.REFUSED
    outcome = apply(
        text,
        source=str(options.recipe),
        secrets=secrets,
        erase=options.erase,
        events=None,
        resume=options.resume,
        attended=True,
    )
    return outcome.exit


if __name__ == "__main__":
    raise SystemExit(main())
