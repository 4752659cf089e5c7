"""From journals to notices: which entry is which event, and what a notice says."""

import pytest

from orchestrator.plan.resolved import Gate, HookEvent, Probe, ProbeKind, ResolvedWave, Stage
from orchestrator.rollout.events import Ask, JournalEntry
from orchestrator.rollout.notices import DETAIL_CHARS_MAX, Reader
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C = device_ids(3)
CHECK = Gate(
    "service", Stage.DEVICE, Probe(ProbeKind.CHECK, check="s"), success_when="result.exit == 0"
)
WAVES = [ResolvedWave("canary", "1", (A,)), ResolvedWave("rest", "rest", (B, C))]
PLAN = make_plan(WAVES, gates=(CHECK,))


def told(*entries):
    """Notices of entries given as (type, data) or (type, device, data)."""
    made = [
        JournalEntry(seq, float(seq), kind, "canary", *rest[:-1], data=rest[-1])
        for seq, (kind, *rest) in enumerate(entries, 1)
    ]
    return list(Reader(PLAN, "r-1").read(made))


@pytest.mark.parametrize(
    ("kind", "data", "event"),
    [
        ("rollout_started", {}, HookEvent.STARTED),
        ("wave_done", {"state": "passed"}, HookEvent.WAVE_PASSED),
        ("wave_done", {"state": "tripped"}, None),
        ("approval", {"what": "asked"}, HookEvent.AWAITING_APPROVAL),
        ("approval", {"what": "given"}, None),
        ("break_glass", {"what": "broken"}, HookEvent.BREAK_GLASS),
        ("break_glass", {"what": "used"}, None),
        ("paused", {"cause": "approval"}, None),
        ("paused", {"cause": "operator"}, HookEvent.PAUSED),
        ("paused", {"cause": "freeze"}, HookEvent.PAUSED),
        ("paused", {"cause": "unreachable"}, HookEvent.PAUSED),
        ("paused", {"cause": "no_data"}, HookEvent.INCONCLUSIVE),
        ("paused", {"cause": "gate_inconclusive"}, HookEvent.INCONCLUSIVE),
        ("paused", {"cause": "insufficient_evidence"}, HookEvent.INCONCLUSIVE),
        ("halted", {"cause": "budget"}, HookEvent.HALTED),
        ("resumed", {"accept_failures": True}, HookEvent.RESUMED),
        ("resumed", {"over": "freeze", "left": ["operator"]}, None),
        ("resumed", {"over": "freeze", "left": []}, HookEvent.RESUMED),
        ("rollback_started", {"who": "plan"}, HookEvent.ROLLING_BACK),
        ("device_state", {"to": "rollback_failed"}, HookEvent.ROLLBACK_FAILED),
        ("device_state", {"to": "rolled_back"}, None),
        ("catching_up", {"devices": 1}, HookEvent.CATCHING_UP),
        ("rollout_done", {"state": "succeeded"}, HookEvent.SUCCEEDED),
        ("rollout_done", {"state": "succeeded_with_exceptions"}, HookEvent.SUCCEEDED),
        ("rollout_done", {"state": "rolled_back"}, HookEvent.ROLLED_BACK),
        ("rollout_done", {"state": "failed"}, HookEvent.FAILED),
        ("rollout_done", {"state": "aborted"}, HookEvent.ABORTED),
        ("rollout_done", {"state": "superseded"}, HookEvent.ABORTED),
        ("rollout_done", {"state": "rejected"}, HookEvent.ABORTED),
        ("rollout_done", {"state": "expired"}, HookEvent.ABORTED),
        ("wave_started", {}, None),
        ("gate_result", {"verdict": "failed"}, None),
        ("something_of_a_newer_version", {}, None),
    ],
)
def test_entry_is_the_event(kind, data, event):
    assert [notice.event for notice in told((kind, data))] == ([event] if event else [])


def test_each_event_of_the_language_can_come_about():
    table = test_entry_is_the_event.pytestmark[0].args[1]

    assert {event for _, _, event in table if event} == set(HookEvent)


def test_halted_rollout_tells_cause_counts_and_reasons():
    rollout = Hand(PLAN)
    rollout.fail(A)

    [started, halted] = Reader(PLAN, "r-hand").read(rollout.journal)

    assert (started.event, started.counts) == (HookEvent.STARTED, {"pending": 3})
    assert (halted.event, halted.cause, halted.wave) == (HookEvent.HALTED, "budget", "canary")
    assert halted.detail == "1 failure, 0 allowed"
    assert (halted.devices, halted.counts) == (3, {"pending": 2, "rolled_back": 1})
    assert halted.reasons == {"check_failed": 1}
    assert halted.id == f"r-hand/{halted.seq}"
    assert (halted.plan, halted.release) == ("simulated", "1")


def test_whole_journal_read_in_pieces_gives_the_same_notices():
    rollout = Hand(PLAN)
    rollout.succeed(A)
    rollout.fail(B)
    rollout.ask(Ask.RESUME, accept_failures=True)
    whole = list(Reader(PLAN, "r").read(rollout.journal))

    pieces = Reader(PLAN, "r")
    found = [notice for entry in rollout.journal for notice in pieces.read([entry])]

    assert found == whole
    assert [notice.event for notice in whole] == ["started", "wave_passed", "halted", "resumed"]


def test_person_behind_it_is_named_where_the_request_came_just_before():
    asked = ("operator", {"ask": "pause", "who": "ann@desk", "why": "lunch"})
    paused = ("paused", {"cause": "operator", "detail": "lunch"})

    [notice] = told(asked, paused)
    [later] = told(asked, ("wave_started", {}), ("paused", {"cause": "freeze"}))

    assert (notice.who, notice.detail) == ("ann@desk", "lunch")
    assert later.who == ""


def test_devices_that_cannot_go_back_are_told_once_per_rollback():
    stuck = {"to": "rollback_failed", "reason": "timeout"}
    begun = ("rollback_started", {"who": "plan"})

    found = told(
        begun, ("device_state", A, stuck), ("device_state", B, stuck),
        begun, ("device_state", C, stuck),
    )  # fmt: skip

    told_of = [(one.device, one.cause) for one in found if one.event == "rollback_failed"]
    assert told_of == [(A, "timeout"), (C, "timeout")]
    assert found[-1].reasons == {"timeout": 3}


def test_reason_of_a_device_that_was_tried_again_is_forgotten():
    found = told(
        ("device_state", A, {"to": "failed", "reason": "timeout"}),
        ("device_state", A, {"to": "succeeded"}),
        ("rollout_done", {"state": "succeeded"}),
    )

    assert found[-1].reasons == {}
    assert found[-1].counts == {"pending": 2, "succeeded": 1}


def test_untrusted_text_is_of_bounded_length():
    [notice] = told(("halted", {"cause": "trust", "detail": "x" * 9999}))

    assert len(notice.detail) == DETAIL_CHARS_MAX
