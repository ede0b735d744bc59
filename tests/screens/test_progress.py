"""Progress: what the engine says is what is drawn, failures leave a way on, and a serial line can carry it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.widgets import Static

from installer.errors import Refusal
from installer.plan.operation import Plan
from installer.recipe.secrets import Secret
from installer.run.events import Begun, Ended, Event, Finished, Notice, Output, Started
from screens.ask import Ask as Question
from screens.following import Run
from screens.log import Log
from screens.paper import Paper
from screens.progress import EVERY, Progress
from screens.reviewing import Install
from screens.step import Move
from tests.screens.runs import (
    ASK,
    BEGUN,
    BROKEN,
    COPY,
    COPYING,
    DONE,
    FAILED,
    PLAN,
    POOL,
    Told,
    buttons,
    drawn,
    focused,
    follow,
    show,
    until,
    words,
)
from tests.screens.step_alone import Alone

INSTALL = Install(recipe=PLAN.recipe, secrets={"passphrase": Secret("correct horse")})


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


# What is drawn.


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
def test_layers_steps_time_and_output_are_drawn(told: Told, size: tuple[int, int]) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "[x] Encryption", "[>] System", "0 of 24", "[ ] Finish", "waiting", "3:07", "a minute left")
        await drawn(alone, "63 %", "[>] Copy the live", "xxxx...")
        assert max(map(len, alone.text().splitlines())) <= size[0]

    follow(told, COPYING, steps, size)


def test_a_resize_in_the_middle_loses_nothing(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "63 %")
        for width, height in ((120, 40), (40, 10), (80, 24)):
            await alone.pilot.resize_terminal(width, height)
            await alone.pilot.pause()
        await drawn(alone, "[>] Copy the live system")
        assert isinstance(alone.pilot.app.screen, Progress)

    follow(told, COPYING, steps)


def test_what_is_told_later_is_drawn_too(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "Starting")
        told.tell(*COPYING[2:])
        await drawn(alone, "63 %")
        told.tell(Finished(operation=COPY.id, seconds=60))
        await drawn(alone, "1 of 24")

    follow(told, COPYING[:1], steps)


def test_a_text_that_looks_like_markup_is_literal(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "[bold]x[/] [@click=app.quit]y")

    follow(told, [*COPYING, Output(operation=COPY.id, lines=("[bold]x[/] [@click=app.quit]y",))], steps)


def test_the_full_log_is_on_a_key_and_goes_on(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "63 %")
        await alone.press("f3")
        log = alone.pilot.app.screen
        assert isinstance(log, Log)
        assert "Encrypt pool-a with LUKS2" in log.query_one(Paper).text()
        told.tell(Notice(text="A sentence of the engine."))
        await drawn(alone, "A sentence of the engine.")
        await alone.press("home")
        assert "Installing: Debian" in alone.text()
        told.tell(Notice(text="Another sentence."))
        await alone.until(lambda: "Another sentence." in log.query_one(Paper).text())
        assert "Installing: Debian" in alone.text()
        await alone.press("f3")
        assert alone.pilot.app.screen is alone.step

    follow(told, COPYING, steps)


def test_only_keys_that_work_are_named(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "63 %")
        keys = str(alone.step.query_one("#keys", Static).render())
        assert "Stop" in keys
        assert "Back" not in keys
        assert "Next" not in keys
        await alone.press("escape", "f10")
        assert alone.left == []

    follow(told, COPYING, steps)


# Stopping.


def test_stopping_is_asked_for_and_going_on_has_the_focus(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "63 %")
        await alone.press("f9")
        assert isinstance(alone.pilot.app.screen, Question)
        await alone.press("enter")
        assert told.answers == []
        await alone.press("f9", "right", "enter")
        assert told.answers == ["stop"]
        await drawn(alone, "stopping after this step")
        await alone.press("f9")
        assert told.answers == ["stop"]
        told.tell(BROKEN.model_copy(update={"status": "stopped", "words": "Stopped between two steps, as asked."}))
        await drawn(alone, "Stopped between two steps")
        assert "resume" in buttons(alone)

    follow(told, COPYING, steps)


# Failure.


def test_a_failure_says_step_command_output_and_state_of_the_disks(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "waiting for you", "Failed: Create the pool rpool.", "Command: zpool create -f")
        await drawn(alone, "no such pool or dataset", "Disks a, b are partly written: 23 of 86 steps are done.")
        assert buttons(alone) == ["retry", "later", "shell", "report"]
        await focused(alone, "retry")

    follow(told, [*FAILED, ASK], steps)


def test_retry_goes_on_and_may_fail_again(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "waiting for you")
        await focused(alone, "retry")
        await alone.press("enter")
        assert told.answers == ["retry"]
        told.tell(Started(operation=POOL, title="", number=1))
        await drawn(alone, "[>] Create the pool rpool")
        assert "retry" not in buttons(alone)
        told.tell(*FAILED[-1:], ASK)
        await drawn(alone, "waiting for you")
        await focused(alone, "retry")

    follow(told, [*FAILED, ASK], steps)


def test_resuming_later_ends_the_engine_and_says_how_to_go_on(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "waiting for you")
        await focused(alone, "retry")
        await alone.press("tab", "enter")
        assert told.answers == ["stop"]
        told.tell(BROKEN)
        await drawn(alone, "Replay a recipe on the first screen finds this installation")
        assert buttons(alone) == ["resume", "shell", "report", "leave"]
        await focused(alone, "resume")
        await alone.press("shift+tab")
        await alone.leave("enter")
        assert alone.left[0].move is Move.QUIT

    follow(told, [*FAILED, ASK], steps)


def test_resume_takes_the_secrets_that_are_still_known(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await alone.until(lambda: len(told.started) == 1)
        assert told.started[0]["erase"] == ("S1", "S2")
        assert told.started[0]["reviewed"] == PLAN
        told.tell(*FAILED, BROKEN)
        await drawn(alone, "is not finished")
        await focused(alone, "resume")
        await alone.press("enter")
        await alone.until(lambda: len(told.started) == 2)
        assert told.started[1]["resume"] is True
        assert told.started[1]["reviewed"] is None
        assert told.started[1]["secrets"] == {"passphrase": "correct horse"}
        told.tell(BEGUN.model_copy(update={"resumed": True}))
        await drawn(alone, "[ ] Finish")

    with told.under_way():
        show(told, steps, install=INSTALL, plan=PLAN)


def test_resume_asks_for_the_secrets_that_are_not(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "is not finished")
        await focused(alone, "resume")
        await alone.leave("enter")
        assert alone.left[0].move is Move.REPLAY
        assert alone.left[0].given == Install(recipe=PLAN.recipe, resume=True)

    follow(told, [*FAILED, BROKEN], steps)


def test_a_report_can_be_saved(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "waiting for you")
        await focused(alone, "retry")
        await alone.press("left", "enter")
        await alone.press("enter")
        await drawn(alone, "Saved: zroot-report.txt")
        report = (told.folder / "zroot-report.txt").read_text()
        assert "no such pool" in report
        assert PLAN.recipe in report

    follow(told, [*FAILED, ASK], steps)


def test_a_shell_that_cannot_be_had_is_said_in_words(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "waiting for you")
        await alone.press("f4")
        assert "cannot be lent" in words(alone) or "has no shell" in words(alone)

    follow(told, [*FAILED, ASK], steps)


# Starting.


def test_an_engine_that_refuses_leads_back_to_the_plan(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        assert "Starting" in alone.text()
        assert "stop" not in buttons(alone)
        told.tell(Ended(status="refused", exit=2, words="1 problem found; nothing was written."))
        await drawn(alone, "The engine refused. Nothing was written.")
        assert buttons(alone) == ["return", "report"]
        await focused(alone, "return")
        await alone.leave("enter")
        assert alone.left[0].move is Move.BACK

    with told.under_way():
        show(told, steps, install=INSTALL, plan=PLAN)


def test_an_engine_that_cannot_be_started_is_said_in_words(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **how: object) -> None:
        raise Refusal("Another zroot is at work on this machine.", message="Its process is 7.")

    monkeypatch.setattr(told, "start", refuse)

    async def steps(alone: Alone) -> None:
        await drawn(alone, "Another zroot is at work")
        assert buttons(alone) == ["return", "report"]

    show(told, steps, install=INSTALL, plan=PLAN)


def test_an_engine_that_dies_does_not_leave_the_screen_waiting(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "in the middle of its work")
        assert "resume" in buttons(alone)

    with told.under_way(*COPYING):
        pass  # the lock is let go: whoever held it is gone
    show(told, steps)


# The end.


def test_the_end_gives_way_to_the_last_screen(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await alone.until(lambda: bool(alone.left))
        assert alone.left[0].move is Move.NEXT
        assert isinstance(alone.left[0].given, Run)

    follow(told, [*until(""), DONE], steps)


def test_a_log_that_is_being_read_stays_until_it_is_left(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "63 %")
        await alone.press("f3")
        told.tell(DONE)
        await drawn(alone, "The installation is finished")
        assert alone.left == []
        await alone.press("escape")
        await alone.until(lambda: bool(alone.left))

    follow(told, COPYING, steps)


# A serial line.


class Line:
    """Counts what would go over a serial line."""

    def __init__(self) -> None:
        self.bytes = 0


def chatter(rounds: int) -> Iterator[list[Event]]:
    """Give what a very talkative step says between two looks."""
    for number in range(rounds):
        yield [Output(operation=COPY.id, lines=tuple(f"{number}.{line} " + "word " * 30 for line in range(200)))]


@pytest.mark.sweep
def test_a_serial_line_carries_it(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """fault 78: 115200 baud are 11520 bytes a second; half of that leaves room for keys."""
    from textual.drivers.headless_driver import HeadlessDriver

    line = Line()

    class Counting(HeadlessDriver):
        @property
        def is_headless(self) -> bool:
            return False

        def write(self, data: str) -> None:
            line.bytes += len(data.encode())

    rounds = 12

    async def steps(alone: Alone) -> None:
        app = alone.pilot.app
        progress = alone.step
        assert isinstance(progress, Progress)
        await drawn(alone, "63 %")
        app._driver = Counting(app)
        monkeypatch.setattr(type(app), "is_headless", property(lambda self: False))
        for number, said in enumerate(chatter(rounds)):
            told.time += EVERY
            told.tell(*said)
            await drawn(alone, f"{number}.199")
        assert line.bytes > rounds * 100  # it does count
        assert line.bytes / (rounds * EVERY) < 11520 / 2

    follow(told, COPYING, steps)


def test_nothing_is_sent_where_nothing_changes(told: Told) -> None:
    """No spinner, no animation: a copy that takes an hour costs a time a second, and nothing else."""

    async def steps(alone: Alone) -> None:
        await drawn(alone, "63 %")
        drawn_again: list[str] = []
        for static in alone.step.query(Static):
            static.update = (  # type: ignore[method-assign]
                lambda *args, name=static.id, **how: drawn_again.append(str(name))
            )
        await asyncio.sleep(3 * EVERY)
        assert drawn_again == []

    follow(told, COPYING, steps)


def test_the_plan_of_a_run_that_is_found_is_read_from_it(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "63 %")
        assert isinstance(alone.step, Progress)
        found: Plan | None = alone.step.plan
        assert found == PLAN

    follow(told, COPYING, steps)


def test_begun_is_the_only_word_that_counts_as_a_beginning(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await drawn(alone, "Starting")
        told.tell(Begun(install_id="x", title="Another", operations=1, resumed=False))
        await drawn(alone, "Another")

    follow(told, [Notice(text="A word before.")], steps)
