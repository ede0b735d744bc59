"""Seconds by layer, and how they compare: within one run, pair by pair."""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Mapping, Sequence

from installer.plan.operation import Layer

ENGINE = "engine"
"""What is left of an install's time when its operations are taken away, with what made each of them safe: probing,
planning, undo kit, journal, records."""

WHOLE = "**whole**"

Seconds = Mapping[str, float]
"""By layer, and the engine's own."""


def by_layer(layers: Seconds, total: float) -> dict[str, float]:
    """Return seconds for each layer, in their order, and what the engine itself took."""
    found = {layer.value: layers.get(layer, 0.0) for layer in Layer}
    found[ENGINE] = max(0.0, total - sum(found.values()))
    return found


def laps(text: str) -> dict[str, float]:
    """Return the seconds between the marks of a floor: lines `at SECONDS NAME`, the last one `end`."""
    marks = [(name, float(at)) for at, name in re.findall(r"^at ([\d.]+) (\S+)$", text, re.MULTILINE)]
    return {name: after - at for (name, at), (_, after) in itertools.pairwise(marks)}


def table(install: Seconds, floor: Seconds) -> str:
    """Return a Markdown table: step, seconds of the install, seconds of the floor, and how many times the floor."""
    rows = ["| step | install | floor | times |", "|---|---:|---:|---:|"]
    for name, seconds in _with_whole(install).items():
        bare = _with_whole(floor).get(name, 0.0)
        rows.append(f"| {name} | {seconds:.1f} s | {_seconds(bare)} | {_times(seconds, bare)} |")
    return "\n".join(rows)


def ratio(bases: Sequence[Seconds], others: Sequence[Seconds], name: str = WHOLE) -> float:
    """Return the median of what a step took in times of the bases, pair by pair; 0 if the bases have none."""
    pairs = [
        (_with_whole(base).get(name, 0.0), _with_whole(other).get(name, 0.0))
        for base, other in zip(bases, others, strict=True)
    ]
    found = [other / base for base, other in pairs if base]
    return statistics.median(found) if found else 0.0


def comparison(runs: Mapping[str, Sequence[Seconds]]) -> str:
    """Return a Markdown table: step, then the seconds of every run, and how many times the first column's runs."""
    (first, bases), *others = runs.items()
    head = [first, *(word for name, _ in others for word in (name, "times"))]
    rows = ["| step | " + " | ".join(head) + " |", "|---" + "|---:" * len(head) + "|"]
    for name in _with_whole(bases[0]):
        if not any(_with_whole(run).get(name) for some in runs.values() for run in some):
            continue
        cells = [_each(bases, name)]
        for _, some in others:
            found = ratio(bases, some, name)
            cells += [_each(some, name), f"{found:.2f}" if found else ""]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _with_whole(run: Seconds) -> dict[str, float]:
    return {**run, WHOLE: sum(run.values())}


def _each(runs: Sequence[Seconds], name: str) -> str:
    return ", ".join(f"{_with_whole(run).get(name, 0.0):.1f}" for run in runs) + " s"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds else ""


def _times(seconds: float, base: float) -> str:
    return f"{seconds / base:.2f}" if base else ""
