"""Snapshots: what is restored is what was stored, and replaying the journal agrees with it."""

import json

import pytest

from orchestrator.errors import ExitCode
from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Stage
from orchestrator.rollout import codec
from orchestrator.rollout.events import Ask
from orchestrator.rollout.states import DeviceState
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C, D = device_ids(4)
GATES = (
    Gate("s", Stage.DEVICE, Probe(ProbeKind.CHECK, check="s"), success_when="result.exit == 0",
         count=2, interval_s=5.0),
    Gate("h", Stage.BACKGROUND, Probe(ProbeKind.HTTP, url="http://x/"), success_when="value > 0"),
)  # fmt: skip


def hand():
    waves = [
        ResolvedWave("canary", "1", (A,), soak_s=30.0, backfill_limit=1),
        ResolvedWave("rest", "rest", (B, C, D), backfill_limit=3),
    ]
    return Hand(make_plan(waves, gates=GATES))


def start(_rollout):
    pass


def verifying(rollout):
    rollout.activate(A)
    rollout.prove(A)


def soaking(rollout):
    verifying(rollout)
    rollout.tick(5.0)
    rollout.prove(A)
    rollout.report(A)


def reading(rollout):
    soaking(rollout)
    rollout.sample(1)
    for at in (10.0, 20.0, 30.0, 35.0):
        rollout.tick(at)
        if rollout.samples():
            rollout.sample(1)


def rolling_back(rollout):
    soaking(rollout)
    rollout.ask(Ask.ROLLBACK)


def halted(rollout):
    rollout.fail(A)


@pytest.mark.parametrize("way", [start, verifying, soaking, reading, rolling_back, halted])
def test_restored_rollout_is_the_stored_one(way):
    rollout = hand()
    way(rollout)
    rows = {device: json.loads(json.dumps(row)) for device, row in rollout.rows.items()}
    stored = json.loads(json.dumps(rollout.rollout_row))

    books = codec.restore(rollout.plan, "r-hand", stored, rows)

    before = rollout.rollout.ledger
    assert json.loads(json.dumps(codec.rollout_row(books))) == stored
    for device, rec in before.devices.items():
        assert codec.device_row(books.devices[device]) == codec.device_row(rec)
    for ours, theirs in zip(books.waves, before.waves, strict=True):
        for name in ("total", "counted", "unproven", "at_work", "ahead", "settled", "successes"):
            assert getattr(ours, name) == getattr(theirs, name), name
    assert books.next_due() == before.next_due()


def test_reading_is_where_the_test_thinks_it_is():
    rollout = hand()
    reading(rollout)

    assert rollout.rollout.ledger.devices[A].reading


@pytest.mark.parametrize("way", [start, verifying, soaking, reading, rolling_back, halted])
def test_replayed_journal_agrees_with_the_snapshot(way):
    rollout = hand()
    way(rollout)
    states = dict.fromkeys(rollout.plan.devices, DeviceState.PENDING.value)

    for entry in rollout.lines("device_state"):
        assert states[entry.device] == entry.data["from"]
        states[entry.device] = entry.data["to"]

    assert states == {device: row["state"] for device, row in rollout.rows.items()}


def test_row_of_an_untouched_device_is_tiny():
    rollout = hand()

    assert rollout.rows[D] == {"state": "pending", "wave": 1, "place": 3}


def test_rows_hold_json_only():
    rollout = hand()
    reading(rollout)

    text = json.dumps([rollout.rollout_row, rollout.rows], allow_nan=False)

    assert json.loads(text)[1][A]["state"] == "succeeded"


def test_the_exit_code_is_stored_with_the_end():
    rollout = hand()
    under_way = rollout.rollout_row["exit_code"]
    rollout.ask(Ask.ABORT)

    assert (under_way, rollout.rollout_row["exit_code"]) == (None, ExitCode.HALTED)
