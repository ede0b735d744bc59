"""How a run is drawn: layers on the left, the steps around the present one on the right, the last output below."""

from __future__ import annotations

from textual.content import Content

from installer.plan.names import plain
from screens.following import SIGNS, Run, Stage, State, about, clock

LOOKS = {State.RUNNING: "bold", State.FAILED: "bold $error", State.DONE: "", State.WAITING: "", State.SKIPPED: ""}
NAME = 13
"""Columns of a layer's name."""


def head(run: Run, *, width: int, now: float, stopping: bool) -> Content:
    """Draw the bar, how long it has taken and about how long it will."""
    if run.begun:
        words = [f"{run.percent():3} %", clock(run.elapsed(now))]
        left = run.remaining(now)
        if run.ask:
            words.append("waiting for you")
        elif stopping:
            words.append("stopping after this step")
        elif left is not None:
            words.append(about(left))
    else:
        words = ["Starting: the engine looks at everything once more."]
    said = "   ".join(words)
    room = max(10, width - len(said) - 3)
    done = run.percent() * room // 100 if run.begun else 0
    return Content.assemble(("█" * done, "$primary"), "░" * (room - done), "   ", (said, "bold"))


def layers(run: Run) -> Content:
    """Draw a line for each layer: its sign, its name, and how far it is in words."""
    lines: list[Content] = []
    for layer, state, over, count in run.layers():
        said = f"{over} of {count}" if state is State.RUNNING else str(state)
        lines.append(Content.assemble((f"{SIGNS[state]} {layer.value.capitalize():<{NAME}}{said}", LOOKS[state])))
    return Content("\n").join(lines)


def steps(run: Run, *, width: int, height: int) -> Content:
    """Draw as many steps as there is room for, the present one among them."""
    stages = list(run.stages.values())
    here = run.here()
    if not here or height < 1:
        return Content("")
    place = next(number for number, stage in enumerate(stages) if stage is here)
    first = max(0, min(place - height // 3, len(stages) - height))
    return Content("\n").join([_step(stage, width) for stage in stages[first : first + height]])


def _step(stage: Stage, width: int) -> Content:
    said = f"{stage.percent} %" if stage.state is State.RUNNING and stage.percent else str(stage.state)
    room = max(width - len(SIGNS[stage.state]) - len(said) - 3, 4)
    title = _cut(stage.title, room)
    return Content.assemble((f"{SIGNS[stage.state]} {title:<{room}}  {said}", LOOKS[stage.state]))


def tail(run: Run, *, width: int, height: int) -> Content:
    """Draw the last lines that the programs printed, each cut to one line."""
    lines = list(run.tail)[-height:] if height > 0 else []
    return Content("\n".join(_cut(plain(line), max(width, 4)) for line in lines))


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 3] + "..."
