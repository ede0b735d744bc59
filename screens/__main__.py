"""`python -m screens`: the guided install, on this machine or on a recorded one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from installer.run.client import Client, Recorded
from screens.app import Guided


def main() -> int:
    """Run the guided install and return the exit status."""
    parser = argparse.ArgumentParser(prog="zroot", description="The guided install.")
    parser.add_argument("--machine", type=Path, metavar="FILE", help="a recorded machine; nothing is ever written")
    options = parser.parse_args()
    client = Recorded(options.machine) if options.machine else Client()
    return Guided(client).run(mouse=False) or 0


if __name__ == "__main__":
    sys.exit(main())
