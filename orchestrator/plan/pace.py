"""How long a rate makes a rollout take at least."""

from __future__ import annotations

from orchestrator.plan.controls import Rate

MINUTE_S = 60.0


def pace_s(rate: Rate | None, count: int) -> float:
    """Whole seconds from the first start before which so many devices cannot have started.

    A lower bound: starts keep their distance, and every device counts as a success the moment it
    starts. Cost: one step per increase until the rate is at its most.
    """
    if rate is None or count < 1:
        return 0.0
    left, per_minute, minutes = count - 1, float(rate.per_minute), 0.0
    grows = rate.increase
    if grows is not None and grows.factor > 1:
        block = grows.after_successes - 1
        while left > block and per_minute < grows.max_per_minute:
            minutes += block / per_minute
            left -= block
            block = grows.after_successes
            per_minute = min(per_minute * grows.factor, float(grows.max_per_minute))
    return float(int((minutes + left / per_minute) * MINUTE_S))
