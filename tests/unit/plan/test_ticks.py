from __future__ import annotations

import pytest

from orchestrator.plan.resolved import Gate, Probe, ProbeKind, ResolvedWave, Stage
from orchestrator.plan.ticks import rarely_asked
from orchestrator.testing.plans import device_ids, make_plan

B, D, P, W = Stage.BACKGROUND, Stage.DEVICE, Stage.PREFLIGHT, Stage.WAVE
HTTP = ProbeKind.HTTP


def warned(stage=B, kind=HTTP, *, interval_s=60.0, tick_s=900.0, dry_run=False):
    gate = Gate("pages", stage, Probe(kind), interval_s=interval_s, dry_run=dry_run)
    plan = make_plan([ResolvedWave("all", "all", device_ids(2))], gates=(gate,))
    return rarely_asked(plan, tick_s)


@pytest.mark.parametrize(
    ("tick_s", "interval_s", "warns"),
    [
        (None, 60.0, False),  # nobody said that it runs in ticks
        (59.0, 60.0, False),
        (60.0, 60.0, False),  # not longer
        (60.5, 60.0, True),
        (900.0, 60.0, True),
        (900.0, 3600.0, False),
    ],
)
def test_a_tick_longer_than_the_interval_is_warned_about(tick_s, interval_s, warns) -> None:
    assert bool(warned(interval_s=interval_s, tick_s=tick_s)) is warns


@pytest.mark.parametrize(
    ("kind", "warns"),
    [
        (ProbeKind.HTTP, True),
        (ProbeKind.TCP, True),
        (ProbeKind.COMMAND, True),
        (ProbeKind.PLUGIN, True),
        (ProbeKind.PROMETHEUS, False),  # it remembers
        (ProbeKind.STATS, False),  # nothing happens meanwhile
        (ProbeKind.CHECK, False),  # asked in soaks only
    ],
)
def test_kinds_that_can_be_asked_later_are_not(kind, warns) -> None:
    assert bool(warned(kind=kind)) is warns


@pytest.mark.parametrize("stage", [P, D, W])
def test_gates_that_an_engine_at_work_asks_are_not(stage) -> None:
    assert warned(stage) == ()


def test_a_gate_that_decides_nothing_is_not() -> None:
    assert warned(dry_run=True) == ()


def test_the_warning_says_what_may_be_done() -> None:
    [risk] = warned()

    assert risk.message == (
        "gate `pages` is to be asked every 1m, and while the rollout waits an engine comes every "
        "15m: what a `http` gate would have said between is lost; raise its `interval`, reconcile "
        "more often, or let `apply --wait` stay"
    )
