"""Done: what was proved, where everything is, and the ways out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from installer.errors import Refusal
from installer.plan.operation import Effect, Plan
from installer.run.events import Event, Failed, Notice, Stamped
from screens.answers import Answers
from screens.desk import Desk
from screens.done import CLOSED, Done, proved
from screens.fields import Press
from screens.following import Run, clock
from screens.paper import Paper
from tests.screens.runs import DONE, PLAN, SINCE, Told, until
from tests.screens.step_alone import Alone, drive


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path)


def finished(plan: Plan = PLAN, events: Sequence[Event] | None = None) -> Run:
    run = Run()
    run.know(plan)
    for number, event in enumerate([*until(""), DONE] if events is None else events):
        run.take(Stamped(at=SINCE + number, what=event))
    return run


def show(
    told: Told,
    steps: Callable[[Alone], object],
    plan: Plan = PLAN,
    *,
    run: Run | None = None,
    size: tuple[int, int] = (80, 24),
) -> None:
    def make(desk: Desk, answers: Answers) -> Done:
        return Done(desk, answers, run=run or finished(), plan=plan)

    drive(make, steps, client=told, size=size)  # type: ignore[arg-type]


def said(alone: Alone) -> str:
    return " ".join(alone.step.query_one("#told", Paper).text().split())


def test_every_check_that_was_carried_out_is_named(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        checks = [one.title for one in PLAN.operations if one.effect is Effect.CHECK and "settle" not in one.id]
        checks += [one.title for one in PLAN.operations if one.id.startswith("encryption/open/")]
        assert len(checks) > 2
        assert "nothing is recognised" not in said(alone)
        assert "udev" not in said(alone)
        assert all(f"[x] {title}" in said(alone) for title in (*checks, CLOSED))
        assert f"It took {clock(2 * len(PLAN.operations) + 2)}." in alone.text()

    show(told, steps)


def test_what_was_not_checked_is_not_called_proved() -> None:
    assert list(proved(PLAN, finished(events=until(PLAN.operations[0].id)))) == []


def test_it_says_where_recipe_log_and_headers_are(told: Told) -> None:
    told.kit = {"zroot-undo/README.txt": told.folder / "README.txt"}
    (told.folder / "README.txt").write_text("words")

    async def steps(alone: Alone) -> None:
        assert "/var/log/zroot of the new system" in said(alone)
        assert "F2 saves it to a stick" in said(alone)
        assert "It asks for the passphrase" in said(alone)
        await alone.press("f2")
        await alone.press("enter")
        await alone.until(lambda: "Saved: zroot-undo" in alone.text())
        assert (told.folder / "zroot-undo/README.txt").read_text() == "words"

    show(told, steps)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_restart_has_the_focus_and_comes_first(told: Told, size: tuple[int, int]) -> None:
    async def steps(alone: Alone) -> None:
        await alone.until(lambda: alone.focus() == "restart")
        assert next(press.id for press in alone.step.query(Press) if press.display) == "restart"
        assert "Remove the installer's medium" in said(alone)

    show(told, steps, size=size)


def test_a_volume_that_has_the_headers_too_is_named(told: Told) -> None:
    kept = Notice(text="The journal is kept on the ZROOT volume too.")
    run = finished(events=[*until(""), kept, DONE])

    async def steps(alone: Alone) -> None:
        assert "The same stands on the ZROOT volume, in zroot-undo." in said(alone)

    show(told, steps, run=run)


def test_a_check_that_failed_or_never_came_is_not_called_proved() -> None:
    checks = [one for one in PLAN.operations if one.effect is Effect.CHECK and "settle" not in one.id]
    last = checks[-1]
    events = [*until(last.id), Failed(operation=last.id, title="It is not so.", message="", hint="", optional=True)]
    found = list(proved(PLAN, finished(events=events)))
    assert last.title not in found
    assert set(found) >= {one.title for one in checks[:-1]}


def test_storage_alone_names_no_system_and_no_passphrase_at_the_start(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        assert "/var/log/zroot" not in said(alone)
        assert "in the memory of this system, in /run/zroot" in said(alone)
        assert "passphrase" not in said(alone).partition("What was proved")[0]
        await alone.press("f2")
        assert alone.pilot.app.screen is alone.step

    show(told, steps, PLAN.model_copy(update={"target": ""}))


@pytest.mark.parametrize(("keys", "how"), [(("enter",), "restart"), (("right", "enter"), "power off")])
def test_restart_and_power_off(told: Told, keys: tuple[str, ...], how: str) -> None:
    told.tell(DONE)

    async def steps(alone: Alone) -> None:
        await alone.until(lambda: alone.focus() == "restart")
        await alone.press(*keys)
        await alone.until(lambda: told.ends == [how])
        await alone.until(lambda: "in a moment" in alone.text())

    show(told, steps)


def test_a_restart_that_is_refused_is_said_in_words(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise Refusal("This is a recorded machine: it cannot be restarted.")

    monkeypatch.setattr(told, "restart", refuse)

    async def steps(alone: Alone) -> None:
        await alone.until(lambda: alone.focus() == "restart")
        await alone.press("enter")
        await alone.until(lambda: "cannot be restarted" in alone.text())

    show(told, steps)


def test_there_is_no_way_back(told: Told) -> None:
    async def steps(alone: Alone) -> None:
        await alone.press("escape", "f10")
        assert alone.left == []

    show(told, steps)
