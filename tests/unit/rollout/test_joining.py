"""Late joiners of a rollout under way: the table of R1, and what keeps its numbers."""

from fractions import Fraction

import pytest

from orchestrator.device.model import Address
from orchestrator.device.reason import Reason
from orchestrator.plan.controls import Approval, LateJoiners, Requirement
from orchestrator.plan.joiners import Joiner, target_set_digest
from orchestrator.plan.resolved import (
    Budget,
    Gate,
    OfflinePolicy,
    PlannedDevice,
    Probe,
    ProbeKind,
    ResolvedWave,
    Retries,
    Stage,
)
from orchestrator.render.board import Board
from orchestrator.rollout.actions import Work
from orchestrator.rollout.events import Ask
from orchestrator.rollout.states import DeviceState, RolloutState, WaveState
from orchestrator.testing.counters import check_counters
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C, D, E, F = device_ids(6)
CHECK = Gate(
    "service",
    Stage.DEVICE,
    Probe(ProbeKind.CHECK, check="service"),
    success_when="result.exit == 0",
)
APPEND = {"late_joiners": LateJoiners.APPEND, "gates": (CHECK,), "retries": Retries(count=0)}


def wave(name, *devices, **choices):
    return ResolvedWave(name, str(len(devices)), tuple(devices), **choices)


def hand(*waves, **choices):
    return Hand(make_plan(waves, **(APPEND | choices)))


def join(rollout, *devices, **choices):
    joiners = {one: Joiner(PlannedDevice(Address("127.0.0.1"), **choices)) for one in devices}
    rollout.ask(Ask.JOIN, joiners=joiners)
    return rollout.lines("operator")[-1].data["answer"]


def last(rollout):
    return rollout.rollout.ledger.waves[-1]


# --- R1: who joins, until when, and which numbers grow ----------------------------------------


def scheduled(rollout):
    del rollout


def first_runs(rollout):
    rollout.ready(A)


def last_runs(rollout):
    rollout.succeed(A)
    rollout.ready(B)


def last_soaks(rollout):
    rollout.succeed(A, B)
    assert last(rollout).state is WaveState.SOAKING


def paused(rollout):
    rollout.ask(Ask.PAUSE)


def over(rollout):
    last_soaks(rollout)
    rollout.tick(100.0)
    for device in (A, B):
        if device in rollout.wanted():
            rollout.prove(device)
    assert rollout.rollout.is_terminal


def halted(rollout):
    rollout.fail(A)
    assert rollout.rollout.state is RolloutState.HALTED


def rolling_back(rollout):
    rollout.succeed(A)
    rollout.ask(Ask.ROLLBACK)


def aborting(rollout):
    rollout.activate(A)
    rollout.ask(Ask.ABORT)


@pytest.mark.parametrize(
    ("before", "answer"),
    [
        (scheduled, "done"),
        (first_runs, "done"),
        (last_runs, "done"),
        (last_soaks, "done"),
        (paused, "done"),
        (over, "refused"),
        (halted, "refused"),
        (rolling_back, "refused"),
        (aborting, "refused"),
    ],
)
def test_r1_until_when_devices_join(before, answer):
    rollout = hand(wave("canary", A), wave("rest", B, soak_s=60.0))
    before(rollout)
    base = last(rollout).base

    assert join(rollout, C, D) == answer

    joined = answer == "done"
    assert (C in rollout.rollout.ledger.devices) is joined
    assert last(rollout).base == base + (2 if joined else 0)
    assert last(rollout).members == ([B, C, D] if joined else [B])
    check_counters(rollout.rollout)


@pytest.mark.parametrize(
    ("planned", "joined", "share", "allowed", "away"),
    [
        (1, 0, 50, 0, 0),
        (1, 1, 50, 1, 0),  # floor(50 % of 2)
        (2, 1, 50, 1, 0),
        (9, 1, 10, 1, 2),  # floor(0.9) = 0 becomes 1; floor(20 % of 10) = 2
        (71, 29, 29, 29, 20),  # 29 % of 100 is 29, not 28
        (70, 29, 29, 28, 19),
    ],
)
def test_r1_shares_of_the_last_wave_are_of_all_its_devices(planned, joined, share, allowed, away):
    devices = device_ids(1 + planned + joined)
    shares = {"max_fail_share": Fraction(share, 100), "max_unreachable_share": Fraction(1, 5)}
    rest = wave("rest", *devices[1 : 1 + planned], **shares)
    rollout = hand(wave("canary", devices[0]), rest)

    if joined:
        join(rollout, *devices[1 + planned :])

    assert (last(rollout).allowed, last(rollout).allowed_unreachable) == (allowed, away or 0)


def test_budget_of_the_rollout_stays_a_share_of_who_was_approved():
    """50 % of 2 devices is 1, whoever joined; the wave itself would allow three failures."""
    rest = wave("rest", B, max_failures=3, max_parallel=1)
    rollout = hand(wave("canary", A), rest, budget=Budget(max_fail_share=Fraction(1, 2)))
    join(rollout, C, D)
    rollout.succeed(A)
    rollout.fail(B)
    assert rollout.rollout.state is RolloutState.RUNNING

    rollout.fail(C)

    assert rollout.rollout.state is RolloutState.HALTED
    assert rollout.state(D) is not DeviceState.SUCCEEDED


def test_budget_of_the_rollout_stays_after_a_restart():
    rollout = hand(wave("rest", A, B), budget=Budget(max_fail_share=Fraction(1, 2)))
    join(rollout, C, D)

    rollout.restart()

    assert rollout.rollout.ledger.frozen_count == 2


def test_amendment_is_journalled_with_the_new_target_set_and_who_asked():
    rollout = hand(wave("canary", A), wave("rest", B))
    before = target_set_digest(rollout.plan)

    join(rollout, C)

    (entry,) = rollout.lines("devices_joined")
    assert (entry.wave, entry.data["devices"], entry.data["base"]) == ("rest", [C], 2)
    assert entry.data["target_set_sha256"] == target_set_digest(rollout.rollout.plan) != before
    assert rollout.lines("operator")[-1].data["who"] == "ann"


def test_plan_that_ignores_late_joiners_takes_nobody():
    rollout = hand(wave("rest", A), late_joiners=LateJoiners.IGNORE)

    assert join(rollout, B) == "refused"


def test_device_joins_once():
    rollout = hand(wave("rest", A))

    answers = [join(rollout, B), join(rollout, A, B), join(rollout, B, C)]

    assert answers == ["done", "already", "done"]
    assert last(rollout).members == [A, B, C]


def test_joiner_is_updated_like_any_other():
    rollout = hand(wave("canary", A), wave("rest", B))
    join(rollout, C)

    rollout.succeed(A, B, C)

    assert rollout.rollout.state is RolloutState.SUCCEEDED


def test_wave_that_soaked_soaks_again_with_whom_it_got():
    rollout = hand(wave("rest", A, soak_s=60.0))
    rollout.succeed(A)
    assert last(rollout).state is WaveState.SOAKING
    rollout.tick(50.0)

    join(rollout, B)
    rollout.succeed(B)

    assert last(rollout).soak_until == 110.0


def test_joiner_takes_no_place_in_an_earlier_wave():
    rollout = hand(wave("canary", A, backfill_limit=1), wave("rest", B, backfill_limit=1))
    join(rollout, C)

    rollout.report(A, Reason.UNREACHABLE, reached=False)
    assert rollout.rollout.ledger.devices[B].wave == 0
    rollout.report(B, Reason.UNREACHABLE, reached=False)

    assert rollout.rollout.ledger.devices[C].wave == 1
    assert rollout.rollout.state is RolloutState.PAUSED


def test_joiner_that_is_away_is_deferred_and_follows():
    share = Fraction(1, 2)
    rollout = hand(wave("rest", A, max_unreachable_share=share), offline=OfflinePolicy.DEFER)
    join(rollout, B)
    rollout.succeed(A)

    rollout.report(B, Reason.UNREACHABLE, reached=False)

    assert rollout.rollout.state is RolloutState.CATCHING_UP
    assert join(rollout, C) == "refused"  # the last wave has passed
    rollout.tick(60.0)
    rollout.succeed(B)
    assert rollout.rollout.state is RolloutState.SUCCEEDED


def test_joiners_labels_count_for_the_limits_of_labels():
    labels = {"labels": {"site": "x"}}
    rollout = hand(wave("rest", A), max_parallel_per={"site": 1})
    join(rollout, B, C, **labels)

    works = rollout.wanted()

    assert works == {A: Work.DELIVER, B: Work.DELIVER}  # and C waits for the slot of B


def test_joiner_that_cannot_go_back_commits_with_its_wave():
    rollout = hand(wave("rest", A, soak_s=60.0))

    join(rollout, B, keeps_previous=False)
    rollout.succeed(A)
    rollout.activate(B)
    rollout.prove(B)
    rollout.report(B)

    assert rollout.state(B) is DeviceState.CONFIRMED


@pytest.mark.parametrize("before", [scheduled, last_runs, last_soaks, paused])
def test_restart_keeps_who_joined(before):
    rollout = hand(wave("canary", A), wave("rest", B, soak_s=60.0))
    before(rollout)
    join(rollout, C, D, timezone="Europe/Paris")
    told = rollout.rollout.plan

    rollout.restart()

    assert rollout.rollout.plan == told
    assert last(rollout).members == [B, C, D]
    assert last(rollout).planned == 3
    check_counters(rollout.rollout)
    assert join(rollout, E) == "done"
    rollout.restart(3)
    assert last(rollout).members == [B, C, D, E]


# --- approvals --------------------------------------------------------------------------------


def approve(rollout):
    digest = rollout.rollout.ledger.plan_digest
    rollout.ask(Ask.APPROVE, who="bob@x", digest=digest)
    return rollout.lines("operator")[-1].data["detail"]


def test_approval_that_is_gathered_is_gathered_anew():
    approval = Approval(required=2)
    rollout = hand(wave("canary", A), wave("rest", B, approval=approval))
    rollout.succeed(A)
    assert approve(rollout) == "wave `rest`: 1 of 2 approved"

    join(rollout, C)

    assert approve(rollout) == "wave `rest`: 1 of 2 approved"


def test_start_of_a_rollout_is_approved_anew_when_devices_join():
    rollout = hand(wave("rest", A), approval=Approval(required=2))
    assert approve(rollout) == "start: 1 of 2 approved"

    join(rollout, B)

    assert approve(rollout) == "start: 1 of 2 approved"


def test_last_wave_that_was_approved_takes_nobody():
    rollout = hand(wave("canary", A), wave("rest", B, approval=Approval()))
    rollout.succeed(A)
    approve(rollout)

    assert join(rollout, C) == "refused"


def test_board_counts_who_joins_while_it_looks():
    rollout = hand(wave("canary", A), wave("rest", B))
    board = Board(rollout.plan, "r-hand")

    join(rollout, C)
    rollout.succeed(A, B, C)
    board.take(rollout.journal)

    assert (board.total, board.waves["rest"].total, board.proven) == (3, 2, 3)


def test_joiner_waits_for_what_the_plan_requires_like_any_other():
    rollout = hand(wave("all", A), requires=(Requirement("base", ">=7"),))
    rollout.look(running={"base": {A: "7"}})
    join(rollout, B)

    waiting = rollout.wanted().keys()
    rollout.look(running={"base": {A: "7", B: "7.1"}})

    assert waiting == {A}
    assert rollout.wanted().keys() == {A, B}
