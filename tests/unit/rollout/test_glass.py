"""Break-glass: time 0 is when the rollout was stored."""

from __future__ import annotations

import dataclasses

import pytest

from orchestrator.plan.joiners import target_set_digest
from orchestrator.plan.resolved import Approval, HookEvent, ResolvedWave, Schedule
from orchestrator.rollout import story
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import Ask, Signed
from orchestrator.rollout.glass import GLASS_S, REASON_CHARS_MAX
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.notices import Reader
from orchestrator.rollout.states import Pause, RolloutState
from orchestrator.testing.hand import DIGEST, Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B = device_ids(2)
TWO = Approval(required=2, roles=("ops",), not_author=True, expires_s=None)
WHY = "the fleet is under attack"


def hand(*, approval: Approval | None = TWO, of_wave: Approval | None = None, **choices) -> Hand:
    waves = [
        ResolvedWave("canary", "1", (A,)),
        ResolvedWave("rest", "rest", (B,), approval=of_wave),
    ]
    return Hand(make_plan(waves, approval=approval, **choices))


def shatter(it: Hand, why: str = WHY, **choices: object) -> str:
    it.ask(Ask.BREAK_GLASS, **{"why": why, "digest": DIGEST} | choices)
    return str(it.lines("operator")[-1].data["answer"])


def told(it: Hand, what: str) -> list[dict[str, object]]:
    return [dict(line.data) for line in it.lines("break_glass") if line.data["what"] == what]


def test_broken_glass_stands_for_missing_approvals_for_a_short_time() -> None:
    it = hand(of_wave=TWO)
    before = it.rollout.state

    answer = shatter(it)
    it.look()
    started = it.wanted()
    it.tick(GLASS_S - 1)
    it.succeed(A)

    assert before is RolloutState.AWAITING_APPROVAL
    assert (answer, started) == ("done", {A: Work.DELIVER})
    assert it.wanted() == {B: Work.DELIVER}
    (broken,) = told(it, "broken")
    assert (broken["who"], broken["why"], broken["until_at"]) == ("ann", WHY, GLASS_S)
    assert broken["detail"] == f"start: 0 of 2 approved: {WHY}"
    assert [line["detail"] for line in told(it, "used")] == [
        "start: 0 of 2 approved", "wave `rest`: 0 of 2 approved",
    ]  # fmt: skip


def test_a_wave_whose_turn_comes_later_is_asked_for() -> None:
    it = hand(of_wave=TWO)
    shatter(it)
    it.look()

    it.tick(GLASS_S)
    it.succeed(A)

    assert it.rollout.state is RolloutState.PAUSED
    assert Pause.APPROVAL.value in it.rollout.ledger.causes
    assert it.wanted() == {}


def test_a_start_that_has_not_come_by_then_waits_for_its_approvals_anew() -> None:
    it = hand(schedule=Schedule(start_at=10 * GLASS_S))
    shatter(it)
    scheduled, wakes = it.rollout.state, it.rollout.next_wakeup

    it.tick(GLASS_S)
    lapsed = it.rollout.state
    it.tick(10 * GLASS_S)

    assert (scheduled, wakes) == (RolloutState.SCHEDULED, GLASS_S)
    assert lapsed is RolloutState.AWAITING_APPROVAL
    assert it.rollout.state is RolloutState.AWAITING_APPROVAL
    assert it.wanted() == {}


def test_it_survives_the_engine_and_ends_on_time() -> None:
    it = hand(schedule=Schedule(start_at=10 * GLASS_S))
    shatter(it)

    it.restart()
    kept = (it.rollout.state, it.rollout.next_wakeup)
    it.tick(GLASS_S)

    assert kept == (RolloutState.SCHEDULED, GLASS_S)
    assert it.rollout.state is RolloutState.AWAITING_APPROVAL


@pytest.mark.parametrize(
    ("why", "choices"),
    [
        ("", {}),
        ("   ", {}),
        ("x" * (REASON_CHARS_MAX + 1), {}),
        (WHY, {"digest": "e" * 64}),
        (WHY, {"problem": "nobody who may"}),
        (WHY, {"targets": "0" * 64}),
    ],
)
def test_it_is_refused_without_a_reason_or_for_something_else(
    why: str, choices: dict[str, object]
) -> None:
    it = hand()

    assert shatter(it, why, **choices) == "refused"
    assert it.rollout.state is RolloutState.AWAITING_APPROVAL
    assert it.lines("break_glass") == []


@pytest.mark.parametrize(
    ("wave", "made_at", "answer"),
    [
        ("", 2000, "done"),
        ("", 2000 - int(GLASS_S), "done"),
        ("", 1999 - int(GLASS_S), "refused"),
        ("", 2120, "done"),
        ("", 2121, "refused"),
        ("rest", 2000, "refused"),
    ],
)
def test_a_signature_is_of_now_and_of_what_is_waited_for(
    wave: str, made_at: int, answer: str
) -> None:
    it = hand(of_wave=TWO)
    it.tick(2000.0)
    signed = Signed("SHA256:k", DIGEST, target_set_digest(it.plan), wave, made_at)

    assert shatter(it, signed=signed, statement="text", signature="sig") == answer
    assert [line["signature"] for line in told(it, "broken")] == ["sig"] * (answer == "done")


@pytest.mark.parametrize("ahead_s", [0, 120])
def test_a_signature_breaks_it_once_whoever_kept_a_copy(ahead_s: int) -> None:
    it = hand(schedule=Schedule(start_at=10 * GLASS_S))
    it.tick(2000.0)
    first = Signed("SHA256:k", DIGEST, target_set_digest(it.plan), "", 2000 + ahead_s)
    anew = dataclasses.replace(first, made_at=int(2000 + GLASS_S))

    answers = [shatter(it, signed=first, statement="text", signature="sig")]
    it.look()
    it.tick(2000 + GLASS_S)
    it.look()
    for signed in (first, anew):
        answers.append(shatter(it, signed=signed, statement="text", signature="sig"))

    assert answers == ["done", "refused", "done"]


def test_where_nothing_waits_it_is_refused_and_twice_is_once() -> None:
    it = hand(approval=None)
    idle = shatter(it)
    other = hand()
    shatter(other)

    assert idle == "refused"
    assert shatter(other) == "already"


def test_it_lifts_no_halt_and_no_pause() -> None:
    it = hand()
    it.ask(Ask.PAUSE)
    it.ask(Ask.BREAK_GLASS, why=WHY, digest=DIGEST)

    assert it.rollout.state is RolloutState.PAUSED
    it.ask(Ask.HALT)
    it.look()
    assert it.rollout.state is RolloutState.HALTED
    assert it.wanted() == {}


def test_whoever_looks_sees_it_from_then_on_and_every_hook_is_told() -> None:
    it = hand()
    shatter(it)
    it.tick(10 * GLASS_S)

    stored = Rollout.restore(it.plan, "r-hand", it.rollout_row, it.rows)
    glass = story.tell(stored).glass
    notices = list(Reader(it.plan, "r-hand").read(it.journal))

    assert glass is not None
    assert dataclasses.asdict(glass) == {
        "who": "ann", "why": WHY, "at": 0.0, "until_at": GLASS_S,
    }  # fmt: skip
    (notice,) = [one for one in notices if one.event is HookEvent.BREAK_GLASS]
    assert (notice.who, notice.detail) == ("ann", f"start: 0 of 2 approved: {WHY}")
