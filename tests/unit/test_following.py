"""What a run's events come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.plan.operation import Layer, Plan
from installer.plan.render import from_json
from installer.run.events import Ask, Begun, Ended, Event, Failed, Finished, Output, Progress, Stamped, Started
from screens.following import Run, State, about, clock, weight

PLAN: Plan = from_json((Path(__file__).parents[1] / "golden/mirror-virtio/plan.json").read_text())
COPY = next(one.id for one in PLAN.operations if one.action.kind == "copy-image")
FIRST = PLAN.operations[0].id


def run(*events: Event, every: float = 1.0) -> Run:
    told = Run()
    told.know(PLAN)
    for number, event in enumerate(events):
        told.take(Stamped(at=100 + number * every, what=event))
    return told


BEGUN = Begun(install_id="x", title="T", operations=len(PLAN.operations), resumed=False)


def started(name: str) -> Started:
    return Started(operation=name, title="", number=1)


def finished(name: str) -> Finished:
    return Finished(operation=name, seconds=1)


ALL: list[Event] = [event for one in PLAN.operations for event in (started(one.id), finished(one.id))]
ENDED = Ended(status="done", exit=0, words="Done.")


def test_steps_go_from_waiting_over_running_to_done() -> None:
    assert run().stages[FIRST].state is State.WAITING
    assert run(BEGUN, started(FIRST)).stages[FIRST].state is State.RUNNING
    assert run(BEGUN, started(FIRST), finished(FIRST)).stages[FIRST].state is State.DONE


def test_layers_say_how_far_they_are() -> None:
    layers = list(run(BEGUN, started(FIRST), finished(FIRST)).layers())
    assert layers[0] == (Layer.TEARDOWN, State.RUNNING, 1, 5)
    assert {state for _, state, _, _ in layers[1:]} == {State.WAITING}
    assert [layer for layer, _, _, _ in layers] == list(Layer)
    assert {state for _, state, _, _ in run(BEGUN, *ALL).layers()} == {State.DONE}


def test_a_step_that_may_fail_does_not_stop_the_others() -> None:
    wrong = Failed(operation=FIRST, title="No.", message="", hint="", optional=True)
    told = run(BEGUN, started(FIRST), wrong)
    assert told.stages[FIRST].state is State.SKIPPED
    assert not told.ask


def test_a_step_tried_again_runs_again() -> None:
    wrong = Failed(operation=FIRST, title="No.", message="", hint="", optional=False)
    ask = Ask(question="Failed.", answers=("retry", "stop"))
    asked = run(BEGUN, started(FIRST), wrong, ask)
    assert (asked.ask, asked.stages[FIRST].state) == (ask, State.FAILED)
    assert asked.here() is asked.stages[FIRST]
    again = run(BEGUN, started(FIRST), wrong, ask, started(FIRST))
    assert (again.ask, again.stages[FIRST].state) == (None, State.RUNNING)


def test_a_resumed_run_begins_with_what_is_done_already() -> None:
    failed = Ended(status="failed", exit=3, words="No.")
    told = run(BEGUN, started(FIRST), failed, BEGUN.model_copy(update={"resumed": True}), finished(FIRST))
    assert told.ended is None
    assert told.stages[FIRST].state is State.DONE
    assert told.began_at == 103


def test_the_copy_counts_by_its_percentage() -> None:
    before = run(BEGUN, started(COPY)).percent()
    half = run(BEGUN, started(COPY), Progress(operation=COPY, percent=50)).percent()
    assert before < half < run(BEGUN, started(COPY), finished(COPY)).percent()


def test_all_done_is_a_hundred_and_nothing_else_is() -> None:
    assert run(BEGUN, *ALL).percent() == 100
    assert run(BEGUN, *ALL[:-1]).percent() < 100


def test_the_time_left_follows_the_machine() -> None:
    half = len(ALL) // 2
    slow, fast = (run(BEGUN, *ALL[:half], every=every) for every in (10.0, 0.1))
    left = [told.remaining(100 + half * every) or 0 for told, every in ((slow, 10.0), (fast, 0.1))]
    assert left[0] > 5 * left[1] > 0


def test_no_time_is_left_where_nobody_works() -> None:
    ask = Ask(question="Failed.", answers=("retry", "stop"))
    assert run().remaining(100) is None
    assert run(BEGUN, ask).remaining(200) is None
    assert run(BEGUN, ENDED).remaining(200) is None


def test_the_clock_stops_at_the_end() -> None:
    assert run(BEGUN, ENDED).elapsed(10_000) == 1
    assert run(BEGUN).elapsed(160) == 60


def test_what_takes_long_weighs_most() -> None:
    weights = {one.id: weight(one) for one in PLAN.operations}
    assert max(weights, key=lambda name: weights[name]) == COPY
    assert weights["encryption/format/pool-a"] > 10 * weights["datasets/create/rpool/home"]


def test_a_plan_known_late_changes_nothing_that_was_told() -> None:
    told = run(BEGUN, started(FIRST), finished(FIRST))
    told.know(PLAN)
    assert told.stages[FIRST].state is State.DONE


def test_a_log_that_never_ends_is_cut() -> None:
    told = run(BEGUN, *(Output(operation=FIRST, lines=("line",) * 1000) for _ in range(50)))
    assert len(told.log) == 20_000
    assert len(told.tail) == 40


@pytest.mark.parametrize(("seconds", "words"), [(0, "0:00"), (67, "1:07"), (3601, "1:00:01")])
def test_a_time_that_passed(seconds: float, words: str) -> None:
    assert clock(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "about 10 seconds left"),
        (33, "about 30 seconds left"),
        (70, "about a minute left"),
        (250, "about 4 minutes left"),
    ],
)
def test_a_time_that_is_left_is_said_coarsely(seconds: float, words: str) -> None:
    assert about(seconds) == words
