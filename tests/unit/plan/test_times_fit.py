from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.device.model import DeviceId
from orchestrator.plan.resolved import ResolvedWave, Schedule
from orchestrator.plan.ticket_fit import WaveOpening
from orchestrator.plan.times_fit import WaveTimes, misfits
from orchestrator.testing.plans import make_plan

IDS = (DeviceId("dev-0000"), DeviceId("dev-0001"))
PLAN = make_plan([ResolvedWave("w", "rest", IDS)])
NOW = PLAN.made_at
HOUR = 3600.0
DAY = 86400.0


def wave(hours: float, *openings: WaveOpening, deadline_s: float | None = None) -> WaveTimes:
    return WaveTimes("w", NOW, NOW + hours * HOUR, deadline_s, openings)


def told(*waves: WaveTimes, schedule: Schedule = PLAN.schedule, first_at: float | None = None):
    risks = misfits(replace(PLAN, schedule=schedule), first_at, waves)
    return [(risk.code, risk.message) for risk in risks]


def test_waves_that_come_before_their_line_of_the_ticket_go_beyond_it() -> None:
    early = WaveOpening(20, NOW + 5, IDS[:1], stops=False)
    late = WaveOpening(50, NOW + 2 * HOUR, IDS, stops=True)

    assert told(wave(1, early, late)) == [
        (
            "P935",
            "wave `w` goes beyond the ticket's `open` lines: 2 devices wait for them, up to 2h",
        )
    ]
    assert "1 device waits" in told(wave(1, replace(late, devices=IDS[:1])))[0][1]


def test_devices_that_no_line_ever_lets_in_are_told() -> None:
    never = WaveOpening(None, None, IDS, stops=True)

    assert told(wave(1, never)) == [
        (
            "P936",
            (
                "no `open` line of the ticket ever lets 2 devices of wave `w` in, where they have "
                "a trust root"
            ),
        )
    ]


@pytest.mark.parametrize(("start_at", "first_at"), [(None, NOW), (NOW + 10 * DAY, NOW + 10 * DAY)])
def test_windows_that_stay_closed_for_long_are_told(start_at, first_at) -> None:
    schedule = Schedule(start_at=start_at)

    assert told(wave(1), schedule=schedule, first_at=first_at + 7 * DAY) == []
    assert told(wave(1), schedule=schedule, first_at=first_at + 8.51 * DAY) == [
        ("P937", "windows and freezes let no device start for 8d12h")
    ]


def test_a_deadline_that_cannot_be_kept_is_told_of_waves_and_of_the_rollout() -> None:
    met, missed = wave(2, deadline_s=2 * HOUR), wave(2, deadline_s=HOUR)

    assert told(met, schedule=Schedule(deadline_s=2 * HOUR)) == []
    assert told(missed, schedule=Schedule(deadline_s=HOUR)) == [
        ("P938", "wave `w` cannot be over by its deadline of 1h: it takes 2h at least"),
        ("P938", "the rollout cannot be over by its deadline of 1h: it takes 2h at least"),
    ]
