"""What a thread found out, told to a screen that may be gone by then."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from textual.dom import DOMNode

P = ParamSpec("P")


def tell(node: DOMNode, say: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call something of a screen or of the app from a thread, unless it is being taken away.

    A disk that took its time may answer while somebody quits: Textual takes the widgets out first, and whoever looks
    for one then ends the app with a traceback.
    """
    app = node.app

    def if_there() -> None:
        if app.is_running and (node is app or node.is_attached):
            say(*args, **kwargs)

    app.call_from_thread(if_there)
