"""Times that do not fit each other: the ticket, its lines, deadlines, windows and freezes.

Source: rollout-rules R12; design "device and trust", B.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.plan.risk import Risk
from orchestrator.plan.ticket_fit import WaveOpening
from orchestrator.units import format_duration

_COARSE = ((86400.0, 3600.0), (3600.0, 60.0))  # of more than the first, the second is enough
CLOSED_LONG_S = 7 * 86400.0  # a week without a start is nobody's maintenance window


@dataclass(frozen=True, slots=True)
class WaveTimes:
    """When a wave can begin at the earliest and end at the earliest, in UTC seconds."""

    name: str
    begins_at: float
    ends_at: float
    deadline_s: float | None
    openings: tuple[WaveOpening, ...]


def misfits(
    plan: ResolvedPlan, first_at: float | None, waves: Sequence[WaveTimes]
) -> tuple[Risk, ...]:
    """Risks of times that cannot all be kept.

    Args:
        plan: has the schedule and the ticket.
        first_at: when the first device may start, None where it may at once.
        waves: of the plan, in order.
    """
    return (
        *_closed_long(plan, first_at),
        *_expired(plan, waves),
        *_held_back(waves),
        *_never_opened(waves),
        *_past_deadline(plan, waves),
    )


def _closed_long(plan: ResolvedPlan, first_at: float | None) -> Iterator[Risk]:
    wanted_at = max(plan.made_at, plan.schedule.start_at or 0.0)
    if first_at is not None and first_at - wanted_at > CLOSED_LONG_S:
        closed = roughly(first_at - wanted_at)
        yield Risk("P937", f"windows and freezes let no device start for {closed}")


def _expired(plan: ResolvedPlan, waves: Sequence[WaveTimes]) -> Iterator[Risk]:
    ticket = plan.artifact.ticket
    for wave in waves:
        if ticket is not None and wave.begins_at >= ticket.expires_at:
            yield Risk("P930", f"the ticket expires before wave `{wave.name}` can begin")


def _held_back(waves: Sequence[WaveTimes]) -> Iterator[Risk]:
    """Waves that are there before the line of the ticket which lets their devices in."""
    for wave in waves:
        late = [each for each in wave.openings if each.stops and each.opens_at is not None]
        if late:
            count = sum(len(each.devices) for each in late)
            line_at = max(each.opens_at for each in late if each.opens_at is not None)
            which = "1 device waits" if count == 1 else f"{count} devices wait"
            waits = roughly(line_at - wave.begins_at)
            message = f"wave `{wave.name}` goes beyond the ticket's `open` lines: {which} for them"
            yield Risk("P935", f"{message}, up to {waits}")


def _never_opened(waves: Sequence[WaveTimes]) -> Iterator[Risk]:
    for wave in waves:
        count = sum(len(each.devices) for each in wave.openings if each.opens_at is None)
        if count:
            which = "1 device" if count == 1 else f"{count} devices"
            message = f"no `open` line of the ticket ever lets {which} of wave `{wave.name}` in"
            yield Risk("P936", f"{message}, where they have a trust root")


def _past_deadline(plan: ResolvedPlan, waves: Sequence[WaveTimes]) -> Iterator[Risk]:
    late = "cannot be over by its deadline"
    for wave in waves:
        takes_s = wave.ends_at - wave.begins_at
        if wave.deadline_s is not None and takes_s > wave.deadline_s:
            message = f"wave `{wave.name}` {late} of {format_duration(wave.deadline_s)}: it takes "
            yield Risk("P938", f"{message}{roughly(takes_s)} at least")
    limit_s = plan.schedule.deadline_s
    takes_s = waves[-1].ends_at - waves[0].begins_at
    if limit_s is not None and takes_s > limit_s:
        message = f"the rollout {late} of {format_duration(limit_s)}: it takes "
        yield Risk("P938", f"{message}{roughly(takes_s)} at least")


def roughly(seconds: float) -> str:
    """A time span without what does not matter in so long a one: `8d11h`, `2h5m`."""
    least_s = next((unit for limit, unit in _COARSE if seconds >= limit), 1.0)
    return format_duration(max(1.0, seconds // least_s * least_s))
