from dataclasses import replace

import pytest

from orchestrator.plan.resolved import ResolvedWave
from orchestrator.render.standing import Facts
from orchestrator.render.status import Unread, list_document, table_text, text
from orchestrator.render.text import Look, cells
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.story import tell
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan
from tests.unit.render.told import facts_of


@pytest.fixture
def facts(plan) -> Facts:
    return Facts(plan, "e1" * 32, tell(Rollout.start(plan, "r-1", at=5.0)), "", 5.0)


def test_a_rollout_without_an_engine_says_how_to_go_on(facts) -> None:
    shown = text(facts, Look(100))

    assert "no engine drives it: `rollout resume r-1` goes on" in shown
    assert "24 devices were never touched; no device is known to run the new version." in shown


def test_a_driven_rollout_says_by_whom(facts) -> None:
    shown = text(replace(facts, engine="anna@ops \x1b[2J"), Look(100))

    assert r"driven by anna@ops \x1b[2J" in shown


def test_a_soaking_wave_says_how_long_it_takes() -> None:
    [first, second] = device_ids(2)
    waves = [
        ResolvedWave("canary", "1", (first,), soak_s=1800.0),
        ResolvedWave("rest", "rest", (second,)),
    ]
    hand = Hand(make_plan(waves))
    hand.succeed(first)
    hand.tick(60.0)
    story = tell(hand.rollout)

    shown = text(Facts(hand.plan, "e1" * 32, story, "", 600.0), Look(100))

    assert "canary  1/1 updated, soaking, 20m left\n" in shown


def test_the_list_counts_what_was_updated_apart_from_what_ran_it_already(plan, journal) -> None:
    journal.device("gw-001", "canary", "transferring", "confirmed", "succeeded")
    journal.device("gw-002", "early", "transferring", "unchanged")

    head, row = table_text([facts_of(plan, journal.entries)], Look(100)).splitlines()

    assert head.split()[-3:] == ["updated", "unchanged", "began"]
    assert row.split()[-5:] == ["1/24", "1", "2026-11-18", "11:06", "UTC"]


def test_the_list_says_of_which_plan_a_rollout_is_and_when_it_began_where_there_is_room(
    facts,
) -> None:
    wide, narrow = (table_text([facts], Look(width)).splitlines()[0] for width in (120, 60))

    assert {"plan", "began"} <= {*wide.split()}
    assert narrow.split()[:4] == ["rollout", "state", "artifact", "wave"]


@pytest.mark.parametrize(("engine", "word"), [("", "interrupted"), ("ann@ops", "running")])
def test_the_list_says_which_rollouts_nobody_drives(plan, journal, engine, word) -> None:
    facts = replace(facts_of(plan, journal.entries), engine=engine)

    row = table_text([facts], Look(100)).splitlines()[1]

    assert row.split()[1] == word


def test_all_rollouts_fit_a_narrow_terminal(facts) -> None:
    lines = table_text([facts] * 3, Look(60)).splitlines()

    assert len(lines) == 4
    assert all(cells(line) <= 60 for line in lines)


def test_a_rollout_that_cannot_be_read_is_named_with_the_reason(facts) -> None:
    why = "rollout `r-2` cannot be read: `r-2` was changed \x1b[2J after it was saved"
    unread = Unread("r-2", "site", "succeeded", why)

    shown = table_text([facts, unread], Look(120))
    document = list_document([facts, unread])

    assert "r-2" in shown
    assert "succeeded, not readable" in shown
    assert shown.splitlines()[-1].startswith("rollout `r-2` cannot be read: ")
    assert "\x1b" not in shown
    assert len(document["rollouts"]) == 1
    assert document["unreadable"] == [
        {"rollout": "r-2", "plan_name": "site", "state": "succeeded", "why": why}
    ]


def test_no_rollouts_is_a_sentence() -> None:
    assert table_text([], Look()) == "no rollouts yet\n"


def test_a_stored_rollout_names_no_time_of_its_trouble_and_not_itself(facts) -> None:
    from orchestrator.device.reason import Reason
    from orchestrator.rollout.states import DeviceState
    from orchestrator.rollout.story import Trouble

    trouble = Trouble(DeviceState.FAILED, Reason.IO, "disk", ("gw-001",))
    shown = text(replace(facts, story=replace(facts.story, troubles=(trouble,))), Look(100))

    assert "gw-001: " in shown
    assert "first after" not in shown
    assert "rollout events r-1 --format text" in shown
    assert "rollout status r-1 --why gw-001 " in shown
    assert "the whole picture" not in shown
