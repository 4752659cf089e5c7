"""How long a rate makes a rollout take at least."""

from __future__ import annotations

from orchestrator.plan.controls import Rate

MINUTE_S = 60.0


def pace_s(rate: Rate | None, count: int) -> float:
    """Whole seconds from the start before which so many devices cannot have started.

    A lower bound: a whole minute's devices may go at once, and every device counts as a success
    the moment it starts. Cost: one step per increase until the rate is at its most.
    """
    if rate is None:
        return 0.0
    left, per_minute, minutes = count, float(rate.per_minute), 0.0
    grows = rate.increase
    while grows is not None and per_minute < grows.max_per_minute and left > grows.after_successes:
        if grows.factor <= 1:
            break
        minutes += grows.after_successes / per_minute
        left -= grows.after_successes
        per_minute = min(per_minute * grows.factor, float(grows.max_per_minute))
    minutes += left / per_minute
    return float(int(max(0.0, minutes - 1) * MINUTE_S))
