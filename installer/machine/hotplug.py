"""Notice that disks came or went."""

from __future__ import annotations

import time

import pyudev

QUIET = 0.5
"""Seconds without an event after which a burst is taken to be over: one disk with ten partitions sends dozens."""
LONGEST_BURST = 5.0


class Watch:
    """Tells that something changed, never what: then probe again.

    Make it before the first probe, or what happens in between is lost. A netlink overflow ends a monitor for good
    (pyudev 0.24), so after an error there is a new one, and the error itself means that something changed.
    """

    def __init__(self) -> None:
        self._monitor = self._listening()

    def wait(self, seconds: float) -> bool:
        """Wait at most this long; return whether something changed."""
        try:
            if self._monitor.poll(seconds) is None:
                return False
            ends = time.monotonic() + LONGEST_BURST
            while time.monotonic() < ends and self._monitor.poll(QUIET) is not None:
                pass
        except OSError:
            self._monitor = self._listening()
        return True

    def _listening(self) -> pyudev.Monitor:
        monitor = pyudev.Monitor.from_netlink(pyudev.Context())
        monitor.filter_by("block")
        monitor.start()
        return monitor
