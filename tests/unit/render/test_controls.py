import pytest

from orchestrator.render.controls import ESCAPE, Controls, Deed, Panel, pressed
from orchestrator.rollout.states import RolloutState

RUNNING, PAUSED = RolloutState.RUNNING, RolloutState.PAUSED


@pytest.mark.parametrize(
    ("key", "state", "deed"),
    [
        ("p", RUNNING, Deed.PAUSE),
        ("P", RolloutState.HALTED, Deed.PAUSE),
        ("p", PAUSED, Deed.RESUME),
        ("q", RUNNING, Deed.LEAVE),
    ],
)
def test_what_can_be_undone_is_done_at_once(key, state, deed) -> None:
    controls, done = pressed(Controls(notice="before"), key, state)

    assert done is deed
    assert controls == Controls()


@pytest.mark.parametrize(
    ("key", "drives", "deed"), [("h", False, Deed.HALT), ("q", True, Deed.LEAVE)]
)
def test_what_stops_the_rollout_asks_first(key, drives, deed) -> None:
    asked, done = pressed(Controls(drives=drives), key, RUNNING)
    assert (asked.question, done) == (deed, None)

    yes, done = pressed(asked, "y", RUNNING)
    assert (yes.question, done) == (None, deed)

    for other in ("n", key, "\n", ESCAPE, "p"):
        no, done = pressed(asked, other, RUNNING)
        assert (no.question, no.notice, done) == (None, "left as it is", None)


@pytest.mark.parametrize(("key", "panel"), [("l", Panel.LOGS), ("?", Panel.HELP)])
def test_panels_come_and_go(key, panel) -> None:
    shown, _ = pressed(Controls(), key, RUNNING)

    assert shown.panel is panel
    assert pressed(shown, key, RUNNING)[0].panel is Panel.NONE
    assert pressed(shown, ESCAPE, RUNNING)[0].panel is Panel.NONE


@pytest.mark.parametrize("key", ["x", " ", "\n", "\t", "é"])
def test_other_keys_do_nothing(key) -> None:
    before = Controls(notice="said")

    assert pressed(before, key, RUNNING) == (before, None)
