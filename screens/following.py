"""What is known of a run: made of its events alone, so that a screen opened later draws the same."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from installer.errors import ZrootError
from installer.plan.operation import Commands, CopyImage, Layer, Operation, Plan
from installer.run.events import Ask, Begun, Ended, Failed, Finished, Notice, Output, Progress, Stamped, Started
from screens.paper import Line, Look

TAIL = 40
"""Lines of output that are kept for the tail."""

LONGEST_LOG = 20_000

SECONDS: Mapping[Layer, float] = {
    Layer.TEARDOWN: 1.0,
    Layer.PARTITIONS: 1.5,
    Layer.RAID: 1.4,
    Layer.ENCRYPTION: 0.5,
    Layer.POOLS: 0.3,
    Layer.DATASETS: 0.3,
    Layer.SYSTEM: 0.2,
    Layer.BOOT: 0.8,
    Layer.FINISH: 0.4,
}
"""What an ordinary step of a layer takes beside the others; measured once, only their relations matter."""

COPY, PASSPHRASE, LOADER = 62.0, 16.0, 9.0
PRIOR = 20.0
"""Seconds that count as if they had been seen at the measured speed: a guess that swings wildly is none."""


class State(StrEnum):
    """Of a step, in the word that is shown."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "left out"


SIGNS: Mapping[State, str] = {
    State.WAITING: "[ ]",
    State.RUNNING: "[>]",
    State.DONE: "[x]",
    State.FAILED: "[!]",
    State.SKIPPED: "[-]",
}


@dataclass
class Stage:
    """A step of the plan."""

    title: str
    layer: Layer
    weight: float
    state: State = State.WAITING
    percent: int = 0


@dataclass
class Run:
    """A run as far as it has been told."""

    title: str = ""
    stages: dict[str, Stage] = field(default_factory=dict)
    """By the id of the operation."""
    begun: bool = False
    began_at: float = 0.0
    ended: Ended | None = None
    ended_at: float = 0.0
    ask: Ask | None = None
    notices: list[str] = field(default_factory=list)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))
    log: list[Line] = field(default_factory=list)

    def know(self, plan: Plan) -> None:
        """Take the steps from a plan; what has been told of them stays."""
        self.title = plan.title
        known = self.stages
        self.stages = {one.id: Stage(one.title, one.layer, weight(one)) for one in plan.operations}
        for name, stage in self.stages.items():
            if name in known:
                stage.state, stage.percent = known[name].state, known[name].percent

    def take(self, stamped: Stamped) -> None:
        """Take the next event."""
        event = stamped.what
        self.log += log_lines(event)
        del self.log[:-LONGEST_LOG]
        if isinstance(event, Started | Progress | Finished | Failed):
            self._step(event)
            return
        match event:
            case Begun():
                self.begun, self.began_at, self.title = True, stamped.at, event.title
                self.ended = self.ask = None
                for stage in self.stages.values():
                    stage.state = State.WAITING
            case Output():
                self.tail.extend(event.lines)
            case Notice():
                self.notices.append(event.text)
            case Ask():
                self.ask = event
            case Ended():
                self.ended, self.ended_at, self.ask = event, stamped.at, None

    def _step(self, event: Started | Progress | Finished | Failed) -> None:
        stage = self.stages.get(event.operation)
        if isinstance(event, Started):
            self.ask = None
        if stage is None:
            return
        match event:
            case Started():
                stage.state, stage.percent = State.RUNNING, 0
            case Progress():
                stage.percent = event.percent
            case Finished():
                stage.state = State.DONE
            case Failed():
                stage.state = State.SKIPPED if event.optional else State.FAILED

    # What a screen asks.

    def running(self) -> Stage | None:
        """Return the step under way, the first of those side by side."""
        return next((stage for stage in self.stages.values() if stage.state is State.RUNNING), None)

    def here(self) -> Stage | None:
        """Return the step that matters now: the one that failed or runs, else the last one done."""
        stages = list(self.stages.values())
        wrong = next((stage for stage in stages if stage.state is State.FAILED), None)
        over = [stage for stage in stages if stage.state in (State.DONE, State.SKIPPED)]
        return wrong or self.running() or (over[-1] if over else stages[0] if stages else None)

    def layers(self) -> Iterator[tuple[Layer, State, int, int]]:
        """Give each layer of the plan with its state, the steps that are over, and all of them."""
        for layer in dict.fromkeys(stage.layer for stage in self.stages.values()):
            stages = [stage for stage in self.stages.values() if stage.layer is layer]
            over = sum(stage.state in (State.DONE, State.SKIPPED) for stage in stages)
            states = {stage.state for stage in stages}
            if State.FAILED in states:
                state = State.FAILED
            elif over == len(stages):
                state = State.DONE
            else:
                state = State.RUNNING if over or State.RUNNING in states else State.WAITING
            yield layer, state, over, len(stages)

    def percent(self) -> int:
        """Return how much is done, by the time that steps take; 100 only when everything is."""
        whole = sum(stage.weight for stage in self.stages.values())
        return int(100 * self._done() / whole) if whole else 0

    def elapsed(self, now: float) -> float:
        """Return the seconds since the run began."""
        return max(0.0, (self.ended_at if self.ended else now) - self.began_at) if self.begun else 0.0

    def remaining(self, now: float) -> float | None:
        """Return about how many seconds are left; none if that cannot be said."""
        if not self.begun or self.ended or self.ask:
            return None
        done = self._done()
        left = sum(stage.weight for stage in self.stages.values()) - done
        return left * (self.elapsed(now) + PRIOR) / (done + PRIOR)

    def _done(self) -> float:
        shares = {State.DONE: 1.0, State.SKIPPED: 1.0}
        return sum(
            stage.weight * (stage.percent / 100 if stage.state is State.RUNNING else shares.get(stage.state, 0.0))
            for stage in self.stages.values()
        )


def weight(operation: Operation) -> float:
    """Return about how long an operation takes beside others."""
    if isinstance(operation.action, CopyImage):
        return COPY
    if isinstance(operation.action, Commands):
        words = {word for command in operation.action.commands for word in command.argv}
        if "cryptsetup" in words and words & {"luksFormat", "open"}:
            return PASSPHRASE
        if words & {"update-grub", "/usr/lib/zroot/boot-refresh"}:
            return LOADER
    return SECONDS[operation.layer]


def log_lines(event: object) -> Iterable[Line]:
    """Give the lines that an event adds to the full log."""
    match event:
        case Begun():
            yield Line(f"{'Going on with' if event.resumed else 'Installing'}: {event.title}", look=Look.STRONG)
        case Started():
            yield Line(f"{event.number:3} {event.title}", hang=4, look=Look.STRONG)
        case Output():
            yield from (Line(line, indent=6, hang=2) for line in event.lines)
        case Finished() if not event.already:
            yield Line(f"done in {event.seconds:.1f} s", indent=4)
        case Failed():
            said = str(ZrootError(event.title, message=event.message, hint=event.hint)).splitlines()
            yield from (Line(line, indent=4, hang=2, look=Look.DANGER) for line in said)
        case Notice():
            yield Line(event.text, hang=2)
        case Ask():
            yield Line(f"Waiting for an answer: {', '.join(event.answers)}.", look=Look.STRONG)
        case Ended():
            yield from (Line(line, look=Look.STRONG) for line in event.words.splitlines())


def clock(seconds: float) -> str:
    """Write a time that has passed: 3:07."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def about(seconds: float) -> str:
    """Write a time that is left, as coarsely as it is known."""
    if seconds < 50:
        return f"about {max(10, round(seconds / 10) * 10)} seconds left"
    minutes = round(seconds / 60)
    return "about a minute left" if minutes <= 1 else f"about {minutes} minutes left"
