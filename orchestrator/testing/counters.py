"""The counters that a rollout keeps step by step, against a count of its records from nothing."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.plan.resolved import OfflinePolicy
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.record import DeviceRecord
from orchestrator.testing.seen import COUNTED, GOOD, STARTED, TERMINAL, WORKING, InvariantBroken

_COUNTERS = (
    "total",
    "counted",
    "unproven",
    "at_work",
    "ahead",
    "settled",
    "successes",
    "reading",
    "away",
)


def check_counters(rollout: Rollout) -> None:
    """The counters that the books keep step by step are those of a fresh count.

    Raises:
        InvariantBroken: one is not.
    """
    books = rollout.ledger
    for wave in books.waves:
        kept = [getattr(wave, name) for name in _COUNTERS]
        members = [rec for rec in books.devices.values() if rec.wave == wave.index]
        fresh = _recount(members, waits=books.plan.offline is OfflinePolicy.WAIT)
        if kept != fresh:
            message = f"counters of wave `{wave.name}` are {kept}, counted anew {fresh}"
            raise InvariantBroken(message)


def _recount(records: Sequence[DeviceRecord], *, waits: bool) -> list[int]:
    states = [rec.state.value for rec in records]
    past = WORKING - STARTED - {"staged"}
    settled = TERMINAL | {"deferred", "confirmed"}
    away = sum(rec.state.value == "deferred" and not rec.given_up for rec in records)
    failed = sum(rec.state.value in COUNTED and not rec.excused for rec in records)
    return [
        len(records),
        failed + sum(rec.dark for rec in records),
        sum(rec.state.value in past and not rec.proven for rec in records),
        sum(state in WORKING for state in states),
        sum(state in STARTED or state == "staged" for state in states),
        sum(state in settled for state in states) - (away if waits else 0),
        sum(state in GOOD for state in states),
        sum(rec.reading for rec in records),
        away,
    ]
