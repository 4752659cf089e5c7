"""What `stats` gates know: the rollout's own counts of a wave, as fields for conditions.

Laws:
1. A count over no devices is no data, never 0: a wave in which nothing was updated proves nothing.
2. Only what the device itself or silence after an update told is counted; unreachable devices that
   were never started belong to nobody (R7).

Pure numbers: who fills them in knows the devices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from orchestrator.plan.gate import StatName
from orchestrator.rollout.events import Value


@dataclass(frozen=True, slots=True)
class WaveCounts:
    """Devices of one wave, counted now.

    Attributes:
        updated: went past the point of no return, whatever became of them.
        proven: were read back, healthy, at least once since their update.
        failed: count against the budget (R6).
        silent: are dark or lost since their update; part of `updated`.
        regressed: were proven and failed later; part of `proven`.
        durations_s: from start to proof, of each that was proven.
    """

    updated: int
    proven: int
    failed: int
    silent: int = 0
    regressed: int = 0
    durations_s: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        assert 0 <= self.silent <= self.updated, "silent devices were updated"
        assert 0 <= self.regressed <= self.proven <= self.updated, "regressed ones were proven"


def stat_fields(stat: StatName, counts: WaveCounts) -> Mapping[str, Value]:
    """Fields of one sample: `value`, with `successes` and `failures`; empty when there is no data."""
    value = _value(stat, counts)
    if value is None:
        return {}
    return {
        "value": value,
        "successes": counts.proven - counts.regressed,
        "failures": counts.failed,
    }


def _value(stat: StatName, counts: WaveCounts) -> float | None:
    match stat:
        case StatName.OFFLINE_AFTER_UPDATE:
            return counts.silent if counts.updated else None
        case StatName.DURATION:
            return median(counts.durations_s) if counts.durations_s else None
        case StatName.REGRESSIONS:
            return counts.regressed if counts.proven else None
